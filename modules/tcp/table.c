/* SPDX-License-Identifier: MIT */
/* table.c - where ends are found: established ones by their 4-tuple, listeners by port. Readers
 * walk under RCU; writers of a 4-tuple take its bucket's lock, listeners come and go under one lock
 * for all. Who may have which port is ports.c's affair. Sizes follow the machine's memory. */
#include "table.h"

#include "ports.h"
#include "timewait.h"

#include <weft/alloc.h>

#define BUCKET_LOCKS 256
#define BYTES_A_BUCKET 16384 /* of memory, for one bucket of the 4-tuple table */
#define HASH_BITS_MIN 8
#define HASH_BITS_MAX 18
#define LISTEN_BITS_DEFAULT 7

/* tcp_end.hashed */
#define IN_NONE 0
#define IN_TUPLES 1
#define IN_LISTENERS 2

static unsigned int hash_bits, listen_bits;
module_param_uint(hash_bits, 0444, NULL, "buckets of the connection table, log 2; 0: by memory");
module_param_uint(listen_bits, 0444, NULL, "buckets of the listener table, log 2; 0: 7");

static struct hlist_head *tuples; /* bucket_locks to change, RCU to read */
static struct spinlock bucket_locks[BUCKET_LOCKS];
static u64 tuple_key[4];

static struct hlist_head *listeners; /* listen_lock to change, RCU to read */
static struct spinlock listen_lock = SPINLOCK_INIT;

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
static __always_inline u32 tuple_hash(const struct ip_addr *laddr, u16 lport,
				      const struct ip_addr *raddr, u16 rport)
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

u32 tcp_nr_alive(void)
{
	u32 waits = atomic_read(&tcp_nr_timewaits), alive = tcp_ends_alive();

	return alive > waits ? alive - waits : 0;
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
	if (e->kind != TCP_END_CONN)
		return;
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

/* The lock of its table held. */
static void unlink_end(struct tcp_end *e)
{
	hlist_del(&e->node);
	e->hashed = IN_NONE;
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

int tcp_insert_active(struct tcp_end *e, struct tcp_end **tw)
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
			unlink_end(twin);
			*tw = twin;
		}
	}
	spin_unlock(lock);
	return err;
}

/* In this order there is no moment without either. Bucket lock held. */
static void tuple_swap(struct tcp_end *old, struct tcp_end *e)
{
	tuple_add(e);
	unlink_end(old);
}

bool tcp_replace_end(struct tcp_end *old, struct tcp_end *e)
{
	struct spinlock *lock = tuple_lock(old->hash);
	bool there;

	e->hash = old->hash;
	spin_lock(lock);
	there = old->hashed == IN_TUPLES;
	if (there)
		tuple_swap(old, e);
	spin_unlock(lock);
	if (there) {
		forget_found(old);
		tcp_end_put(old);
	}
	return there;
}

int tcp_insert_child(struct tcp_conn *child, struct tcp_conn *listener, struct tcp_end *req)
{
	struct tcp_end *e = &child->end;
	int err;

	if (!tcp_port_share(e, &listener->end))
		return -EEXIST;
	if (req)
		err = tcp_replace_end(req, e) ? 0 : -EEXIST;
	else
		err = tcp_insert_end(e);
	if (err)
		tcp_release_port(e);
	return err;
}

void tcp_unhash(struct tcp_end *e)
{
	struct spinlock *lock;
	bool was;

	if (!READ_ONCE(e->hashed))
		return;
	lock = READ_ONCE(e->hashed) == IN_LISTENERS ? &listen_lock : tuple_lock(e->hash);
	spin_lock(lock);
	was = e->hashed != IN_NONE;
	if (was)
		unlink_end(e);
	spin_unlock(lock);
	if (was) {
		forget_found(e);
		tcp_end_put(e);
	}
}

/* ---- listeners ---- */

int tcp_insert_listener(struct tcp_conn *tc)
{
	struct tcp_end *e = &tc->end;
	int err = tcp_port_listen(tc);

	if (err)
		return err;
	spin_lock(&listen_lock);
	e->hashed = IN_LISTENERS;
	tcp_end_get(e);
	hlist_add_head(&e->node, listen_bucket(e->lport));
	spin_unlock(&listen_lock);
	return 0;
}

/* 0: not for this one; else the larger the better it fits. */
static u32 listener_score(const struct tcp_end *e, const struct ip_addr *laddr, u16 lport,
			  u32 ifindex)
{
	u32 score = 1;

	if (e->lport != lport || e->hashed != IN_LISTENERS || !tcp_end_covers(e, laddr))
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
		} else if (score && score == best && (e->bind & found->bind & TCP_BIND_REUSEPORT)) {
			/* each of n has 1/n of the peers, and a peer keeps its one */
			if (equals++ == 1)
				hash = tuple_hash(laddr, lport, raddr, rport);
			hash = hash * 1664525 + 1013904223;
			if ((u64)hash * equals >> 32 == 0)
				found = e;
		}
	}
	return found ? tcp_of_end(found) : NULL;
}

/* ---- all ---- */

/* Both tables as one, the listeners' first. */
static struct hlist_head *bucket_at(u32 i)
{
	return i < 1u << listen_bits ? &listeners[i] : &tuples[i - (1u << listen_bits)];
}

static bool walk_bucket(u32 i, bool (*fn)(struct tcp_end *e, void *arg), void *arg)
{
	struct hlist_head *bucket = bucket_at(i);
	struct tcp_end *e;
	bool more = true;

	if (!READ_ONCE(bucket->first))
		return true;
	rcu_read_lock();
	hlist_for_each_entry(e, bucket, node) {
		more = fn(e, arg);
		if (!more)
			break;
	}
	rcu_read_unlock();
	return more;
}

void tcp_walk(u32 *bucket, bool (*fn)(struct tcp_end *e, void *arg), void *arg)
{
	u32 end = (1u << listen_bits) + (1u << hash_bits);

	while (*bucket < end && walk_bucket(*bucket, fn, arg))
		++*bucket;
}

struct each {
	void (*fn)(struct tcp_end *e, void *arg);
	void *arg;
};

static bool call_each(struct tcp_end *e, void *arg)
{
	const struct each *each = arg;

	each->fn(e, each->arg);
	return true;
}

void tcp_for_each(void (*fn)(struct tcp_end *e, void *arg), void *arg)
{
	struct each each = { fn, arg };
	u32 bucket = 0;

	tcp_walk(&bucket, call_each, &each);
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
	if (tuples && listeners)
		return 0;
	tcp_table_exit();
	return -ENOMEM;
}

void tcp_table_exit(void)
{
	vfree(tuples);
	vfree(listeners);
	tuples = listeners = NULL;
}
