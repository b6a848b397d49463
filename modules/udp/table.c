/* SPDX-License-Identifier: MIT */
/* table.c - ports, and which socket a datagram is for. Every bound socket stands in a table by its
 * port, a connected one also in a table by both ends, which is asked first: a packet for a
 * connected socket costs one look-up however many share its port. */
#include "udp.h"

#include <weft/random.h>

#define PORT_BUCKETS 512
#define PAIR_BUCKETS 1024

int udp_port_low = 32768, udp_port_high = 60999; /* Linux's default of RFC 6056 3.2's range */

static struct spinlock table_lock = SPINLOCK_INIT; /* all changes; readers are under RCU */
static struct hlist_head by_port[PORT_BUCKETS];
static struct hlist_head by_pair[PAIR_BUCKETS];
static u64 ports_used[65536 / 64]; /* guarded by table_lock */
static u32 nr_pairs;		   /* likewise; read without: is by_pair worth asking? */
static u32 hash_seed;

void udp_table_init(void)
{
	hash_seed = random_u32();
}

static struct hlist_head *port_bucket(u16 port)
{
	return &by_port[port % PORT_BUCKETS];
}

static u32 pair_hash(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr, u16 rport)
{
	return ip_addr_hash(raddr, hash_seed + ((u32)lport << 16 | rport)) ^
	       ip_addr_hash(laddr, hash_seed);
}

static struct hlist_head *pair_bucket(const struct ip_addr *laddr, u16 lport,
				      const struct ip_addr *raddr, u16 rport)
{
	return &by_pair[pair_hash(laddr, lport, raddr, rport) % PAIR_BUCKETS];
}

/* ---- changing: under table_lock ---- */

static bool port_is_used(u16 port)
{
	return ports_used[port / 64] >> (port % 64) & 1;
}

static bool is_pair(const struct udp_end *e)
{
	return !ip_addr_is_any(&e->raddr) && !ip_addr_is_any(&e->laddr);
}

static void end_add(struct udp_end *e)
{
	ports_used[e->lport / 64] |= 1ull << (e->lport % 64);
	hlist_add_head(&e->by_port, port_bucket(e->lport));
	if (is_pair(e)) {
		hlist_add_head(&e->by_pair, pair_bucket(&e->laddr, e->lport, &e->raddr, e->rport));
		WRITE_ONCE(nr_pairs, nr_pairs + 1);
	}
}

static void end_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct udp_end, rcu));
}

static void end_del(struct udp_end *e)
{
	const struct udp_end *other;
	bool used = false;

	hlist_del(&e->by_port);
	if (is_pair(e)) {
		hlist_del(&e->by_pair);
		WRITE_ONCE(nr_pairs, nr_pairs - 1);
	}
	hlist_for_each_entry(other, port_bucket(e->lport), by_port)
		used |= other->lport == e->lport;
	if (!used)
		ports_used[e->lport / 64] &= ~(1ull << (e->lport % 64));
	call_rcu(&e->rcu, end_free_rcu);
}

static struct udp_end *end_alloc(struct udp_sock *us)
{
	struct udp_end *e = kzalloc(sizeof(*e));

	if (!e)
		return NULL;
	e->us = us;
	e->laddr = us->is.laddr;
	e->raddr = us->is.raddr;
	e->lport = us->is.lport;
	e->rport = us->is.rport;
	return e;
}

/* Would a socket bound to laddr take what is sent to dst? */
static bool address_covers(const struct inet_sock *is, const struct ip_addr *laddr,
			   const struct ip_addr *dst)
{
	if (!ip_addr_is_any(laddr))
		return ip_addr_eq(laddr, dst);
	if (ip_addr_is_v4(laddr))
		return ip_addr_is_v4(dst);
	return !(is->flags & INET_V6ONLY) || !ip_addr_is_v4(dst);
}

/* Does e keep us from binding to a port that e has? */
static bool end_conflicts(const struct udp_sock *us, const struct udp_end *e)
{
	const struct socket *a = us->is.s, *b = e->us->is.s;

	if (a == b || (a->bound_if && b->bound_if && a->bound_if != b->bound_if))
		return false;
	if (!address_covers(&us->is, &us->is.laddr, &e->laddr) &&
	    !address_covers(&e->us->is, &e->laddr, &us->is.laddr))
		return false;
	if (a->reuseaddr && b->reuseaddr)
		return false;
	return !(a->reuseport && b->reuseport && a->uid == b->uid);
}

static bool port_conflicts(const struct udp_sock *us, u16 port)
{
	const struct udp_end *e;

	if (!port_is_used(port))
		return false;
	hlist_for_each_entry(e, port_bucket(port), by_port) {
		if (e->lport == port && end_conflicts(us, e))
			return true;
	}
	return false;
}

/* RFC 6056 3.3.1: from a random place in the range on, the first that nobody has. 0: none. */
static u16 free_port(void)
{
	int low = READ_ONCE(udp_port_low), high = READ_ONCE(udp_port_high);
	u32 span = high >= low ? high - low + 1 : 1;
	u32 first = random_below(span);

	for (u32 i = 0; i < span; i++) {
		u16 port = low + (first + i) % span;

		if (!port_is_used(port))
			return port;
	}
	return 0;
}

int udp_take_port(struct udp_sock *us, u16 want)
{
	struct udp_end *e = end_alloc(us);
	int err = -EADDRINUSE;
	u16 port;

	if (!e)
		return -ENOMEM;
	spin_lock(&table_lock);
	port = want ? want : free_port();
	if (port && !(want && port_conflicts(us, want))) {
		e->lport = port;
		end_add(e);
		us->is.lport = port;
		WRITE_ONCE(us->end, e);
		err = 0;
	}
	spin_unlock(&table_lock);
	if (err)
		kfree(e);
	return err;
}

int udp_rehash(struct udp_sock *us)
{
	struct udp_end *e = end_alloc(us), *old = us->end;

	if (!e)
		return -ENOMEM;
	spin_lock(&table_lock);
	/* in this order there is no moment without the port */
	end_add(e);
	WRITE_ONCE(us->end, e);
	if (old)
		end_del(old);
	spin_unlock(&table_lock);
	return 0;
}

void udp_leave(struct udp_sock *us)
{
	struct udp_end *e = us->end;

	if (!e)
		return;
	spin_lock(&table_lock);
	WRITE_ONCE(us->end, NULL);
	end_del(e);
	spin_unlock(&table_lock);
	us->is.lport = 0;
}

/* ---- finding: under RCU ---- */

/* 0: not for this one; else the larger the better it fits. */
static u32 end_score(const struct udp_end *e, const struct ip_rx *rx, u16 lport, u16 rport)
{
	const struct inet_sock *is = &e->us->is;
	u32 score = 1;

	if (e->lport != lport || !address_covers(is, &e->laddr, &rx->dst))
		return 0;
	if (!ip_addr_is_any(&e->raddr)) {
		if (e->rport != rport || !ip_addr_eq(&e->raddr, &rx->src))
			return 0;
		score += 8;
	}
	if (!inet_accepts(is, rx))
		return 0;
	if (!ip_addr_is_any(&e->laddr))
		score += 4;
	if (READ_ONCE(is->s->bound_if))
		score += 2;
	/* an IPv4 socket before one of IPv6 that takes both */
	if (is->s->family == ip_addr_family(&rx->dst))
		score += 1;
	return score;
}

static struct udp_sock *find_connected(const struct ip_rx *rx, u16 lport, u16 rport)
{
	struct udp_end *e;

	hlist_for_each_entry(e, pair_bucket(&rx->dst, lport, &rx->src, rport), by_pair) {
		if (e->lport == lport && e->rport == rport && ip_addr_eq(&e->raddr, &rx->src) &&
		    ip_addr_eq(&e->laddr, &rx->dst) && inet_accepts(&e->us->is, rx))
			return e->us;
	}
	return NULL;
}

struct udp_sock *udp_find(const struct ip_rx *rx, u16 lport, u16 rport)
{
	struct udp_sock *found = READ_ONCE(nr_pairs) ? find_connected(rx, lport, rport) : NULL;
	u32 best = 0, equals = 0, hash = 0;
	struct udp_end *e;

	if (found)
		return found;
	hlist_for_each_entry(e, port_bucket(lport), by_port) {
		u32 score = end_score(e, rx, lport, rport);

		if (score > best) {
			found = e->us;
			best = score;
			equals = 1;
			hash = pair_hash(&rx->dst, lport, &rx->src, rport);
		} else if (score && score == best && e->us->is.s->reuseport &&
			   found->is.s->reuseport) {
			/* SO_REUSEPORT: each of n has 1/n of the peers, and a peer keeps its one */
			equals++;
			if ((u64)hash * equals >> 32 == 0)
				found = e->us;
			hash = hash * 1664525 + 1013904223;
		}
	}
	return found;
}

void udp_find_all(const struct ip_rx *rx, u16 lport, u16 rport,
		  void (*fn)(struct udp_sock *us, void *arg), void *arg)
{
	struct udp_end *e;

	hlist_for_each_entry(e, port_bucket(lport), by_port) {
		/* one that is being replaced stands there twice */
		if (READ_ONCE(e->us->end) == e && end_score(e, rx, lport, rport))
			fn(e->us, arg);
	}
}

void udp_for_each(void (*fn)(const struct udp_end *e, u32 bucket, void *arg), void *arg)
{
	const struct udp_end *e;

	for (u32 i = 0; i < PORT_BUCKETS; i++) {
		hlist_for_each_entry(e, &by_port[i], by_port) {
			if (READ_ONCE(e->us->end) == e)
				fn(e, i, arg);
		}
	}
}
