/* SPDX-License-Identifier: MIT */
/* table.c - where ends are found: established ones by their 4-tuple, listeners by port, and who
 * holds which port. Readers walk under RCU; writers of a 4-tuple take its bucket's lock, all else
 * the ports' lock. Sizes follow the machine's memory. */
#include "table.h"

#include <weft/alloc.h>

#define BUCKET_LOCKS 256
#define PORT_BUCKETS 2048
#define PORT_COUNTERS 256
#define BYTES_A_BUCKET 16384 /* of memory, for one bucket of the 4-tuple table */
#define HASH_BITS_MIN 8
#define HASH_BITS_MAX 18
#define LISTEN_BITS_DEFAULT 7

/* tcp_end.hashed */
#define IN_NONE 0
#define IN_TUPLES 1
#define IN_LISTENERS 2

/* One local port that somebody holds. */
struct tcp_port {
	struct hlist_node node;
	u16 number;
	u32 nr_explicit; /* owners that have it by bind(2) or listen(2) */
	struct list_head owners;
};

static unsigned int hash_bits, listen_bits;
module_param_uint(hash_bits, 0444, NULL, "buckets of the connection table, log 2; 0: by memory");
module_param_uint(listen_bits, 0444, NULL, "buckets of the listener table, log 2; 0: 7");

static struct hlist_head *tuples; /* bucket_locks to change, RCU to read */
static struct spinlock bucket_locks[BUCKET_LOCKS];
static u64 tuple_key[4];

/* Guarded by port_lock, which is taken before a bucket's; listeners are read under RCU. */
static struct spinlock port_lock = SPINLOCK_INIT;
static struct hlist_head *listeners;
static struct hlist_head ports[PORT_BUCKETS];
static u32 port_counters[PORT_COUNTERS];

static struct kmem_cache *port_cache;
static struct atomic nr_ends;

/* The connection of each CPU's last segment, which the next one mostly is for too. */
static struct {
	struct tcp_end *end;
} __cacheline_aligned last_found[MAX_CPUS];

/* ---- hashing ---- */

static u64 fold(u64 a, u64 b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (u64)m ^ (u64)(m >> 64);
}

/* Keyed, so that peers cannot aim at one bucket. */
static u32 tuple_hash(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr,
		      u16 rport)
{
	u64 h = fold(raddr->d[0] ^ tuple_key[0], raddr->d[1] ^ tuple_key[1]);

	h ^= fold(laddr->d[0] ^ tuple_key[2] ^ ((u64)lport << 16 | rport),
		  laddr->d[1] ^ tuple_key[3]);
	return fold(h, tuple_key[0] | 1);
}

static struct hlist_head *tuple_bucket(u32 hash)
{
	return &tuples[hash & ((1u << hash_bits) - 1)];
}

static struct spinlock *tuple_lock(u32 hash)
{
	return &bucket_locks[hash & ((1u << hash_bits) - 1) & (BUCKET_LOCKS - 1)];
}

static struct hlist_head *listen_bucket(u16 port)
{
	return &listeners[port & ((1u << listen_bits) - 1)];
}

/* ---- the life of an end ---- */

void tcp_end_init(struct tcp_end *e, enum tcp_end_kind kind)
{
	e->kind = kind;
	refcount_set(&e->refs, 1);
	list_init(&e->port_node);
	atomic_inc(&nr_ends);
}

static void end_free_rcu(struct rcu_head *h)
{
	struct tcp_end *e = container_of(h, struct tcp_end, rcu);

	switch ((enum tcp_end_kind)e->kind) {
	case TCP_END_CONN:
		tcp_conn_free(e);
		break;
	case TCP_END_REQUEST:
		tcp_request_free(e);
		break;
	case TCP_END_TIMEWAIT:
		tcp_timewait_free(e);
		break;
	}
	atomic_dec(&nr_ends);
}

void tcp_end_put(struct tcp_end *e)
{
	if (refcount_dec_and_test(&e->refs))
		call_rcu(&e->rcu, end_free_rcu);
}

u32 tcp_ends_alive(void)
{
	return atomic_read(&nr_ends);
}

/* ---- ports: port_lock held ---- */

static struct hlist_head *port_bucket(u16 number)
{
	return &ports[number % PORT_BUCKETS];
}

static struct tcp_port *port_find(u16 number)
{
	struct tcp_port *tp;

	hlist_for_each_entry(tp, port_bucket(number), node) {
		if (tp->number == number)
			return tp;
	}
	return NULL;
}

static struct tcp_port *port_find_or_make(u16 number)
{
	struct tcp_port *tp = port_find(number);

	if (tp)
		return tp;
	tp = kmem_cache_zalloc(port_cache);
	if (!tp)
		return NULL;
	tp->number = number;
	list_init(&tp->owners);
	hlist_add_head(&tp->node, port_bucket(number));
	return tp;
}

static void port_drop_unused(struct tcp_port *tp)
{
	if (!list_empty(&tp->owners))
		return;
	hlist_del(&tp->node);
	kmem_cache_free(port_cache, tp);
}

static void owner_add(struct tcp_port *tp, struct tcp_end *e)
{
	e->port = tp;
	list_add_tail(&e->port_node, &tp->owners);
	if (e->bind & TCP_BIND_EXPLICIT)
		tp->nr_explicit++;
}

static void owner_del(struct tcp_end *e)
{
	struct tcp_port *tp = e->port;

	if (!tp)
		return;
	e->port = NULL;
	list_del(&e->port_node);
	if (e->bind & TCP_BIND_EXPLICIT)
		tp->nr_explicit--;
	port_drop_unused(tp);
}

void tcp_release_port(struct tcp_end *e)
{
	spin_lock(&port_lock);
	owner_del(e);
	e->bind = 0;
	spin_unlock(&port_lock);
}

/* Would e, if it is a listener, be found for dst? */
static bool covers(const struct tcp_end *e, const struct ip_addr *dst)
{
	if (!ip_addr_is_any(&e->laddr))
		return ip_addr_eq(&e->laddr, dst);
	if (ip_addr_is_v4(&e->laddr))
		return ip_addr_is_v4(dst);
	return !(e->bind & TCP_BIND_V6ONLY) || !ip_addr_is_v4(dst);
}

/* Linux's rules. With SO_REUSEADDR on both, only a listener keeps others away, so that a server can
 * start again over its old connections; with SO_REUSEPORT on both, one user's sockets share. Who
 * lets the system choose shares with nobody. */
static bool conflicts(const struct tcp_end *e, const struct tcp_end *other, bool chosen)
{
	u8 both = e->bind & other->bind;

	if (e == other || (e->bound_if && other->bound_if && e->bound_if != other->bound_if))
		return false;
	if (!covers(e, &other->laddr) && !covers(other, &e->laddr))
		return false;
	if (chosen)
		return true;
	if ((both & TCP_BIND_REUSEADDR) && !(other->bind & TCP_BIND_LISTEN))
		return false;
	return !(both & TCP_BIND_REUSEPORT) ||
	       (other->kind != TCP_END_TIMEWAIT && e->uid != other->uid);
}

static bool port_conflicts(const struct tcp_port *tp, const struct tcp_end *e, bool chosen)
{
	const struct tcp_end *other;

	list_for_each_entry(other, &tp->owners, port_node) {
		if (conflicts(e, other, chosen))
			return true;
	}
	return false;
}

/* Options may have been set since the last call. */
static u8 bind_flags(const struct tcp_conn *tc)
{
	const struct socket *s = tc->is.s;

	return (s->reuseaddr ? TCP_BIND_REUSEADDR : 0) | (s->reuseport ? TCP_BIND_REUSEPORT : 0) |
	       (tc->is.flags & INET_V6ONLY ? TCP_BIND_V6ONLY : 0);
}

static void end_from_socket(struct tcp_conn *tc, u8 more)
{
	struct tcp_end *e = &tc->end;

	e->bind = bind_flags(tc) | more;
	e->uid = tc->is.s->uid;
	e->bound_if = tc->is.s->bound_if;
	e->laddr = tc->is.laddr;
}

/* A port that nobody has, or whose owners have other addresses (RFC 6056 3.3.1). */
static struct tcp_port *port_choose(const struct tcp_end *e, int *err)
{
	u16 low, high;
	u32 span, first;

	inet_port_range(&low, &high);
	span = high - low + 1;
	first = random_below(span);
	*err = -EADDRINUSE;
	for (u32 i = 0; i < span; i++) {
		u16 number = low + (first + i) % span;
		struct tcp_port *tp;

		if (inet_port_reserved(number))
			continue;
		tp = port_find(number);
		if (tp && port_conflicts(tp, e, true))
			continue;
		if (!tp)
			tp = port_find_or_make(number);
		*err = tp ? 0 : -ENOMEM;
		return tp;
	}
	return NULL;
}

static struct tcp_port *port_wanted(const struct tcp_end *e, u16 want, int *err)
{
	struct tcp_port *tp = port_find_or_make(want);

	*err = tp ? 0 : -ENOMEM;
	if (tp && port_conflicts(tp, e, false)) {
		*err = -EADDRINUSE;
		return NULL;
	}
	return tp;
}

void tcp_bind_options(struct tcp_conn *tc)
{
	const u8 options = TCP_BIND_REUSEADDR | TCP_BIND_REUSEPORT | TCP_BIND_V6ONLY;

	spin_lock(&port_lock);
	tc->end.bind = (tc->end.bind & ~options) | bind_flags(tc);
	spin_unlock(&port_lock);
}

int tcp_bind_port(struct tcp_conn *tc, u16 want)
{
	struct tcp_end *e = &tc->end;
	struct tcp_port *tp;
	int err;

	spin_lock(&port_lock);
	owner_del(e);
	end_from_socket(tc, TCP_BIND_EXPLICIT);
	tp = want ? port_wanted(e, want, &err) : port_choose(e, &err);
	if (tp) {
		owner_add(tp, e);
		e->lport = tp->number;
		tc->is.lport = tp->number;
	} else {
		e->bind = 0;
	}
	spin_unlock(&port_lock);
	return err;
}

/* ---- the 4-tuple table ---- */

static bool same_tuple(const struct tcp_end *e, u32 hash, const struct ip_addr *laddr, u16 lport,
		       const struct ip_addr *raddr, u16 rport)
{
	return e->hash == hash && e->lport == lport && e->rport == rport &&
	       ip_addr_eq(&e->raddr, raddr) && ip_addr_eq(&e->laddr, laddr);
}

/* e was found by this CPU: it is remembered for as long as it is in the table. */
static void remember_found(struct tcp_end *e)
{
	struct tcp_end **last = &last_found[cpu_id()].end;

	WRITE_ONCE(*last, e);
	smp_mb();
	/* whoever took it out a moment ago has not seen that */
	if (unlikely(READ_ONCE(e->hashed) != IN_TUPLES))
		WRITE_ONCE(*last, NULL);
}

/* e is out of the table: who finds it no more may not remember it. Readers that do are done before
 * it is freed. */
static void forget_found(struct tcp_end *e)
{
	smp_mb();
	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++) {
		if (READ_ONCE(last_found[cpu].end) == e)
			cmpxchg_bool(&last_found[cpu].end, e, NULL);
	}
}

static __noinline struct tcp_end *find_in_table(const struct ip_addr *laddr, u16 lport,
						const struct ip_addr *raddr, u16 rport, u32 ifindex)
{
	u32 hash = tuple_hash(laddr, lport, raddr, rport);
	struct tcp_end *e;

	hlist_for_each_entry(e, tuple_bucket(hash), node) {
		if (same_tuple(e, hash, laddr, lport, raddr, rport) &&
		    (!e->bound_if || e->bound_if == ifindex)) {
			if (e->kind == TCP_END_CONN)
				remember_found(e);
			return e;
		}
	}
	return NULL;
}

struct tcp_end *tcp_find(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr,
			 u16 rport, u32 ifindex)
{
	struct tcp_end *e = READ_ONCE(last_found[cpu_id()].end);

	if (unlikely(!e || e->lport != lport || e->rport != rport ||
		     !ip_addr_eq(&e->raddr, raddr) || !ip_addr_eq(&e->laddr, laddr) ||
		     (e->bound_if && e->bound_if != ifindex)))
		return find_in_table(laddr, lport, raddr, rport, ifindex);
	return e;
}

/* Bucket lock held. */
static void tuple_add(struct tcp_end *e)
{
	e->hashed = IN_TUPLES;
	tcp_end_get(e);
	hlist_add_head(&e->node, tuple_bucket(e->hash));
}

/* Who has e's tuple already. Bucket lock held. */
static struct tcp_end *tuple_twin(const struct tcp_end *e)
{
	struct tcp_end *other;

	hlist_for_each_entry(other, tuple_bucket(e->hash), node) {
		if (same_tuple(other, e->hash, &e->laddr, e->lport, &e->raddr, e->rport) &&
		    (!e->bound_if || !other->bound_if || e->bound_if == other->bound_if))
			return other;
	}
	return NULL;
}

static void hash_end(struct tcp_end *e)
{
	e->hash = tuple_hash(&e->laddr, e->lport, &e->raddr, e->rport);
}

int tcp_insert_end(struct tcp_end *e)
{
	struct spinlock *lock;
	int err = 0;

	hash_end(e);
	lock = tuple_lock(e->hash);
	spin_lock(lock);
	if (tuple_twin(e))
		err = -EEXIST;
	else
		tuple_add(e);
	spin_unlock(lock);
	return err;
}

/* As tcp_insert_end, but over a TIME-WAIT that allows it: *tw, with a reference, is out then. */
static int insert_active(struct tcp_end *e, struct tcp_end **tw)
{
	struct spinlock *lock;
	struct tcp_end *twin;
	int err = 0;

	hash_end(e);
	lock = tuple_lock(e->hash);
	spin_lock(lock);
	twin = tuple_twin(e);
	if (twin && !(twin->kind == TCP_END_TIMEWAIT && tcp_timewait_reusable(twin)))
		err = -EADDRNOTAVAIL;
	if (!err) {
		tuple_add(e);
		if (twin) {
			hlist_del(&twin->node);
			twin->hashed = IN_NONE;
			*tw = twin;
		}
	}
	spin_unlock(lock);
	return err;
}

bool tcp_replace_end(struct tcp_end *old, struct tcp_end *e)
{
	struct spinlock *lock = tuple_lock(old->hash);
	bool there;

	e->hash = old->hash;
	spin_lock(&port_lock);
	spin_lock(lock);
	there = old->hashed == IN_TUPLES;
	if (there) {
		/* in this order there is no moment without either */
		tuple_add(e);
		hlist_del(&old->node);
		old->hashed = IN_NONE;
		if (old->port) {
			e->bind = old->bind;
			e->uid = old->uid;
			owner_add(old->port, e);
			owner_del(old);
		}
	}
	spin_unlock(lock);
	spin_unlock(&port_lock);
	if (there) {
		forget_found(old);
		tcp_end_put(old);
	}
	return there;
}

int tcp_insert_child(struct tcp_conn *child, struct tcp_conn *listener, struct tcp_end *req)
{
	struct tcp_end *e = &child->end;
	struct spinlock *lock;
	int err = 0;

	hash_end(e);
	lock = tuple_lock(e->hash);
	spin_lock(&port_lock);
	spin_lock(lock);
	if (!listener->end.port || (req ? req->hashed != IN_TUPLES : tuple_twin(e) != NULL)) {
		err = -EEXIST;
	} else {
		tuple_add(e);
		if (req) {
			hlist_del(&req->node);
			req->hashed = IN_NONE;
		}
		e->bind = listener->end.bind & ~TCP_BIND_LISTEN;
		e->uid = listener->end.uid;
		owner_add(listener->end.port, e);
	}
	spin_unlock(lock);
	spin_unlock(&port_lock);
	if (!err && req)
		tcp_end_put(req);
	return err;
}

void tcp_unhash(struct tcp_end *e)
{
	struct spinlock *lock;
	bool was;

	if (!READ_ONCE(e->hashed))
		return;
	lock = READ_ONCE(e->hashed) == IN_LISTENERS ? &port_lock : tuple_lock(e->hash);
	spin_lock(lock);
	was = e->hashed != IN_NONE;
	if (was) {
		hlist_del(&e->node);
		e->hashed = IN_NONE;
	}
	spin_unlock(lock);
	if (was) {
		forget_found(e);
		tcp_end_put(e);
	}
}

/* ---- connect(2) ---- */

/* What the new connection takes over from the old one, so that segments of the two cannot be
 * confused (RFC 6191 2; RFC 9293 3.6.1). */
static void recycle(struct tcp_conn *tc, struct tcp_end *tw)
{
	if (!tw)
		return;
	tcp_timewait_inherit(tw, tc);
	tcp_timewait_drop(tw);
	tcp_end_put(tw); /* the table's */
	tcp_count(TCP_TWRecycled);
}

/* RFC 6056 3.3.3 and 3.3.4: from a keyed hash of the peer on, with counters of their own for groups
 * of peers. port_lock held. */
static int choose_tuple(struct tcp_end *e, struct tcp_end **tw)
{
	u32 offset = inet_port_offset(&e->laddr, &e->raddr, e->rport);
	u32 *counter = &port_counters[offset % PORT_COUNTERS];
	u32 span;
	u16 low, high;

	inet_port_range(&low, &high);
	span = high - low + 1;
	for (u32 i = 0; i < span; i++) {
		u16 number = low + (u32)((offset >> 8) + *counter + i) % span;
		struct tcp_port *tp = port_find(number);

		if ((tp && tp->nr_explicit) || inet_port_reserved(number))
			continue;
		e->lport = number;
		if (insert_active(e, tw))
			continue;
		*counter += i + 1;
		return 0;
	}
	e->lport = 0;
	return -EADDRNOTAVAIL;
}

int tcp_bind_tuple(struct tcp_conn *tc)
{
	struct tcp_end *e = &tc->end, *tw = NULL;
	struct tcp_port *tp;
	int err;

	tc->iss = 0;
	spin_lock(&port_lock);
	end_from_socket(tc, e->bind & TCP_BIND_EXPLICIT);
	e->raddr = tc->is.raddr;
	e->rport = tc->is.rport;
	err = e->port ? insert_active(e, &tw) : choose_tuple(e, &tw);
	if (!err && !e->port) {
		tp = port_find_or_make(e->lport);
		if (tp)
			owner_add(tp, e);
		else
			err = -ENOMEM;
	}
	spin_unlock(&port_lock);
	recycle(tc, tw);
	if (err) {
		tcp_unhash(e);
		if (!e->port)
			e->lport = 0;
		return err;
	}
	tc->is.lport = e->lport;
	return 0;
}

/* ---- listeners ---- */

int tcp_insert_listener(struct tcp_conn *tc)
{
	struct tcp_end *e = &tc->end;
	int err = 0;

	spin_lock(&port_lock);
	end_from_socket(tc, TCP_BIND_EXPLICIT | TCP_BIND_LISTEN);
	if (!e->port || port_conflicts(e->port, e, false)) {
		e->bind &= ~TCP_BIND_LISTEN;
		err = -EADDRINUSE;
	} else {
		e->hashed = IN_LISTENERS;
		tcp_end_get(e);
		hlist_add_head(&e->node, listen_bucket(e->lport));
	}
	spin_unlock(&port_lock);
	return err;
}

void tcp_listener_left(struct tcp_conn *tc)
{
	tcp_unhash(&tc->end);
	spin_lock(&port_lock);
	tc->end.bind &= ~TCP_BIND_LISTEN;
	spin_unlock(&port_lock);
}

/* 0: not for this one; else the larger the better it fits. */
static u32 listener_score(const struct tcp_end *e, const struct ip_addr *laddr, u16 lport,
			  u32 ifindex)
{
	u32 score = 1;

	if (e->lport != lport || e->hashed != IN_LISTENERS || !covers(e, laddr))
		return 0;
	if (e->bound_if && e->bound_if != ifindex)
		return 0;
	if (!ip_addr_is_any(&e->laddr))
		score += 4;
	if (e->bound_if)
		score += 2;
	/* an IPv4 socket before one of IPv6 that takes both */
	if (ip_addr_is_v4(&e->laddr) == ip_addr_is_v4(laddr))
		score += 1;
	return score;
}

struct tcp_conn *tcp_find_listener(const struct ip_addr *laddr, u16 lport,
				   const struct ip_addr *raddr, u16 rport, u32 ifindex)
{
	struct tcp_end *e, *found = NULL;
	u32 best = 0, equals = 0, hash = 0;

	hlist_for_each_entry(e, listen_bucket(lport), node) {
		u32 score = listener_score(e, laddr, lport, ifindex);

		if (score > best) {
			found = e;
			best = score;
			equals = 1;
			hash = tuple_hash(laddr, lport, raddr, rport);
		} else if (score && score == best && (e->bind & found->bind & TCP_BIND_REUSEPORT)) {
			/* each of n has 1/n of the peers, and a peer keeps its one */
			equals++;
			hash = hash * 1664525 + 1013904223;
			if ((u64)hash * equals >> 32 == 0)
				found = e;
		}
	}
	return found ? tcp_of_end(found) : NULL;
}

/* ---- all ---- */

static void walk(struct hlist_head *buckets, u32 bits, void (*fn)(struct tcp_end *e, void *arg),
		 void *arg)
{
	struct tcp_end *e;

	for (u32 i = 0; i < 1u << bits; i++) {
		if (!READ_ONCE(buckets[i].first))
			continue;
		rcu_read_lock();
		hlist_for_each_entry(e, &buckets[i], node)
			fn(e, arg);
		rcu_read_unlock();
	}
}

void tcp_for_each(void (*fn)(struct tcp_end *e, void *arg), void *arg)
{
	walk(listeners, listen_bits, fn, arg);
	walk(tuples, hash_bits, fn, arg);
}

/* ---- the table itself ---- */

static u32 bits_for_memory(void)
{
	struct mem_stats m;
	u32 bits = HASH_BITS_MIN;

	mem_stats_get(&m);
	while (bits < HASH_BITS_MAX && (u64)BYTES_A_BUCKET << bits < m.total_pages * 4096)
		bits++;
	return bits;
}

static struct hlist_head *buckets_alloc(u32 bits)
{
	struct hlist_head *b = vmalloc(sizeof(*b) << bits);

	if (b)
		memset(b, 0, sizeof(*b) << bits);
	return b;
}

int tcp_table_init(void)
{
	hash_bits = hash_bits ? min(max(hash_bits, (u32)HASH_BITS_MIN), 24u) : bits_for_memory();
	listen_bits = listen_bits ? min(listen_bits, 16u) : LISTEN_BITS_DEFAULT;
	random_bytes(tuple_key, sizeof(tuple_key));
	for (u32 i = 0; i < BUCKET_LOCKS; i++)
		spin_init(&bucket_locks[i]);
	tuples = buckets_alloc(hash_bits);
	listeners = buckets_alloc(listen_bits);
	port_cache = kmem_cache_create("tcp_port", sizeof(struct tcp_port), 8);
	if (tuples && listeners && port_cache)
		return 0;
	tcp_table_exit();
	return -ENOMEM;
}

void tcp_table_exit(void)
{
	vfree(tuples);
	vfree(listeners);
	if (port_cache)
		kmem_cache_destroy(port_cache);
	tuples = listeners = NULL;
	port_cache = NULL;
}
