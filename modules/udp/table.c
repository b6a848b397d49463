/* SPDX-License-Identifier: MIT */
/* table.c - ports, and which socket a datagram is for. A port in use is a struct with the sockets
 * bound to it, so that many sockets on one port slow no other port down. A connected socket also
 * stands in a table by both ends, which is asked first: a packet for it costs one look-up however
 * many share its port, and it hears nobody else (RFC 8085 5.1). */
#include "udp.h"

#include <weft/random.h>

#define PORT_BUCKETS 1024
#define PAIR_BUCKETS 1024
#define SHARERS_MAX 4096 /* of one port: a group packet is copied for each */

struct udp_port {
	struct hlist_node node; /* in by_port; table_lock to change, RCU to read */
	struct hlist_head ends; /* of struct udp_end, likewise */
	struct rcu_head rcu;
	u16 port;
	u32 nr_ends; /* guarded by table_lock */
};

static struct spinlock table_lock = SPINLOCK_INIT; /* all changes; readers are under RCU */
static struct hlist_head by_port[PORT_BUCKETS];
static struct hlist_head by_pair[PAIR_BUCKETS];
static u64 ports_used[65536 / 64]; /* guarded by table_lock */
static u32 nr_pairs;		   /* likewise; read without: is by_pair worth asking? */
static u32 nr_sockets[2];	   /* likewise: that have a port, AF_INET's and others' */
static u64 hash_seed;

void udp_table_init(void)
{
	random_bytes(&hash_seed, sizeof(hash_seed));
}

u32 udp_sockets(u16 af)
{
	return READ_ONCE(nr_sockets[af != AF_INET]);
}

/* Under table_lock. */
static void count_socket(const struct udp_sock *us, int by)
{
	u32 *n = &nr_sockets[us->is.s->family != AF_INET];

	WRITE_ONCE(*n, *n + by);
}

void udp_become_v4(struct udp_sock *us)
{
	inet_become_v4(&us->is);
	spin_lock(&table_lock);
	WRITE_ONCE(nr_sockets[1], nr_sockets[1] - 1);
	count_socket(us, 1);
	spin_unlock(&table_lock);
}

static struct hlist_head *port_bucket(u16 port)
{
	return &by_port[port % PORT_BUCKETS];
}

static struct udp_port *port_find(u16 port)
{
	struct udp_port *up;

	hlist_for_each_entry(up, port_bucket(port), node) {
		if (up->port == port)
			return up;
	}
	return NULL;
}

/* Keyed by the seed, so that a peer cannot aim at a bucket. */
static u32 pair_hash(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr, u16 rport)
{
	u64 h = (raddr->d[0] ^ raddr->d[1] ^ hash_seed) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h += laddr->d[0] ^ laddr->d[1] ^ ((u64)lport << 16 | rport);
	h = (h ^ hash_seed) * 0xbf58476d1ce4e5b9ull;
	return h >> 32;
}

static struct hlist_head *pair_bucket(const struct ip_addr *laddr, u16 lport,
				      const struct ip_addr *raddr, u16 rport)
{
	return &by_pair[pair_hash(laddr, lport, raddr, rport) % PAIR_BUCKETS];
}

/* ---- changing: under table_lock ---- */

static bool is_pair(const struct udp_end *e)
{
	return e->connected && e->bound;
}

static void port_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct udp_port, rcu));
}

static void end_add(struct udp_port *up, struct udp_end *e)
{
	e->port = up;
	up->nr_ends++;
	hlist_add_head(&e->by_port, &up->ends);
	if (is_pair(e)) {
		hlist_add_head(&e->by_pair, pair_bucket(&e->laddr, e->lport, &e->raddr, e->rport));
		WRITE_ONCE(nr_pairs, nr_pairs + 1);
	}
}

static void end_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct udp_end, rcu));
}

/* The port goes with its last end. */
static void end_del(struct udp_end *e)
{
	struct udp_port *up = e->port;

	hlist_del(&e->by_port);
	if (is_pair(e)) {
		hlist_del(&e->by_pair);
		WRITE_ONCE(nr_pairs, nr_pairs - 1);
	}
	call_rcu(&e->rcu, end_free_rcu);
	if (--up->nr_ends)
		return;
	hlist_del(&up->node);
	ports_used[up->port / 64] &= ~BIT64(up->port % 64);
	call_rcu(&up->rcu, port_free_rcu);
}

static void port_add(struct udp_port *up, u16 port)
{
	up->port = port;
	ports_used[port / 64] |= BIT64(port % 64);
	hlist_add_head(&up->node, port_bucket(port));
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
	e->bound = !ip_addr_is_any(&e->laddr);
	e->connected = !ip_addr_is_any(&e->raddr);
	return e;
}

/* Would a socket bound to laddr, which is the unspecified address of a version, take what is sent
 * to one of IPv4, or of IPv6? */
static bool any_covers(const struct inet_sock *is, const struct ip_addr *laddr, bool v4)
{
	if (ip_addr_is_v4(laddr))
		return v4;
	return !v4 || !(is->flags & INET_V6ONLY);
}

/* Would a socket bound to laddr take what is sent to dst? */
static bool address_covers(const struct inet_sock *is, const struct ip_addr *laddr,
			   const struct ip_addr *dst)
{
	if (ip_addr_is_any(laddr))
		return any_covers(is, laddr, ip_addr_is_v4(dst));
	return ip_addr_eq(laddr, dst);
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

/* 0, -EADDRINUSE, or -ENOBUFS: as many as may share a port do. */
static int may_share(const struct udp_sock *us, const struct udp_port *up)
{
	const struct udp_end *e;

	hlist_for_each_entry(e, &up->ends, by_port) {
		if (end_conflicts(us, e))
			return -EADDRINUSE;
	}
	return up->nr_ends < SHARERS_MAX ? 0 : -ENOBUFS;
}

static bool may_pick(u32 port)
{
	return !(ports_used[port / 64] & BIT64(port % 64)) && !inet_port_reserved(port);
}

/* RFC 6056 3.3.1: from a random place in the range on, the first that nobody has. 0: none. */
static u16 free_port(void)
{
	u32 first, port, span;
	u16 low, high;

	inet_port_range(&low, &high);
	span = high - low + 1u;
	first = random_below(span);
	for (u32 i = 0; i < span; i++) {
		port = low + (first + i) % span;
		/* a word of ports at a time where all are taken */
		if (port % 64 == 0 && ports_used[port / 64] == ~0ull && port + 63 <= high) {
			i += 63;
			continue;
		}
		if (may_pick(port))
			return port;
	}
	return 0;
}

/* fresh is for the case that nobody has the port yet. */
static int take_port_locked(struct udp_sock *us, struct udp_end *e, struct udp_port *fresh,
			    u16 want, bool *used_fresh)
{
	u16 port = want ? want : free_port();
	struct udp_port *up = port ? port_find(port) : NULL;
	int err = port ? 0 : -EADDRINUSE;

	if (up)
		err = may_share(us, up);
	if (err)
		return err;
	if (!up) {
		port_add(fresh, port);
		up = fresh;
		*used_fresh = true;
	}
	e->lport = us->is.lport = port;
	end_add(up, e);
	WRITE_ONCE(us->end, e);
	count_socket(us, 1);
	return 0;
}

int udp_take_port(struct udp_sock *us, u16 want)
{
	struct udp_port *fresh = kzalloc(sizeof(*fresh));
	struct udp_end *e = end_alloc(us);
	bool used_fresh = false;
	int err = -ENOMEM;

	if (fresh && e) {
		spin_lock(&table_lock);
		err = take_port_locked(us, e, fresh, want, &used_fresh);
		spin_unlock(&table_lock);
	}
	if (!used_fresh)
		kfree(fresh);
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
	end_add(old->port, e);
	WRITE_ONCE(us->end, e);
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
	count_socket(us, -1);
	end_del(e);
	spin_unlock(&table_lock);
	us->is.lport = 0;
}

/* ---- finding: under RCU ---- */

/* 0: not for this one; else the larger the better it fits. The port is right already. */
static u32 end_score(const struct udp_end *e, const struct ip_rx *rx, u16 rport)
{
	const struct inet_sock *is = &e->us->is;
	bool v4 = ip_addr_is_v4(&rx->dst);
	u32 score = 1;

	if (e->bound ? !ip_addr_eq(&e->laddr, &rx->dst) : !any_covers(is, &e->laddr, v4))
		return 0;
	if (e->connected) {
		if (e->rport != rport || !ip_addr_eq(&e->raddr, &rx->src))
			return 0;
		score += 8;
	}
	if (!inet_accepts(is, rx))
		return 0;
	if (e->bound)
		score += 4;
	if (READ_ONCE(is->s->bound_if))
		score += 2;
	/* an IPv4 socket before one of IPv6 that takes both */
	return score + (v4 == (is->s->family == AF_INET));
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

/* The best of several. */
static struct udp_sock *find_best(const struct udp_port *up, const struct ip_rx *rx, u16 rport)
{
	u32 best = 0, equals = 0, hash = 0;
	struct udp_sock *found = NULL;
	struct udp_end *e;

	hlist_for_each_entry(e, &up->ends, by_port) {
		u32 score = end_score(e, rx, rport);

		if (score > best) {
			found = e->us;
			best = score;
			equals = 1;
		} else if (score && score == best && e->us->is.s->reuseport &&
			   found->is.s->reuseport) {
			/* SO_REUSEPORT: each of n has 1/n of the peers, and a peer keeps its one */
			if (equals++ == 1)
				hash = pair_hash(&rx->dst, up->port, &rx->src, rport);
			if ((u64)hash * equals >> 32 == 0)
				found = e->us;
			hash = hash * 1664525 + 1013904223;
		}
	}
	return found;
}

/* Bound to no address or rx's, to no interface, and hears everybody: what servers are. */
static bool takes_anyway(const struct udp_end *e, const struct ip_rx *rx)
{
	if (e->connected || READ_ONCE(e->us->is.s->bound_if) || rx->flags & IP_RX_MULTICAST)
		return false;
	return e->bound ? ip_addr_eq(&e->laddr, &rx->dst) :
			  ip_addr_is_v4(&e->laddr) == ip_addr_is_v4(&rx->dst);
}

/* There are connected sockets, and perhaps several at the port. */
static __noinline struct udp_sock *find_among(const struct ip_rx *rx, u16 lport, u16 rport)
{
	struct udp_sock *found = find_connected(rx, lport, rport);
	const struct udp_port *up = found ? NULL : port_find(lport);

	return up ? find_best(up, rx, rport) : found;
}

struct udp_sock *udp_find(const struct ip_rx *rx, u16 lport, u16 rport)
{
	const struct udp_port *up;
	struct udp_end *e;

	if (READ_ONCE(nr_pairs))
		return find_among(rx, lport, rport);
	up = port_find(lport);
	if (unlikely(!up))
		return NULL;
	e = hlist_entry_or_null(READ_ONCE(up->ends.first), struct udp_end, by_port);
	if (likely(e && !READ_ONCE(e->by_port.next) && takes_anyway(e, rx)))
		return e->us;
	return find_best(up, rx, rport);
}

void udp_find_all(const struct ip_rx *rx, u16 lport, u16 rport,
		  void (*fn)(struct udp_sock *us, void *arg), void *arg)
{
	const struct udp_port *up = port_find(lport);
	struct udp_end *e;

	if (!up)
		return;
	hlist_for_each_entry(e, &up->ends, by_port) {
		/* one that is being replaced stands there twice */
		if (READ_ONCE(e->us->end) == e && end_score(e, rx, rport))
			fn(e->us, arg);
	}
}

static bool walk_bucket(u32 i, bool (*fn)(const struct udp_end *e, void *arg), void *arg)
{
	const struct udp_port *up;
	const struct udp_end *e;

	hlist_for_each_entry(up, &by_port[i], node) {
		hlist_for_each_entry(e, &up->ends, by_port) {
			if (READ_ONCE(e->us->end) == e && !fn(e, arg))
				return false;
		}
	}
	return true;
}

void udp_walk(u32 *bucket, bool (*fn)(const struct udp_end *e, void *arg), void *arg)
{
	while (*bucket < PORT_BUCKETS && walk_bucket(*bucket, fn, arg))
		++*bucket;
}
