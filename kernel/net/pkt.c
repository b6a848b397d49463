/* SPDX-License-Identifier: MIT */
/* pkt.c - packet buffers. The pools are budgets (pkt_budget.c) over one store of equal buffers, so
 * control packets always find room, and who does not read what was sent to him takes it from nobody
 * else. Each CPU keeps two short stacks (the warmest memory first) and hands full ones to the
 * others (pkt_depot.c); memory beyond these goes back to the slab. Buffers are never cleared. */
#define LOG_NAME "pkt: "
#include <core/net.h>
#include <core/module.h>
#include <core/vm.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "pkt_internal.h"

#define CONTROL_RESERVE 16 /* buffers only control packets get when memory is out */

struct pkt_cpu pkt_cpus[MAX_CPUS];
struct kmem_cache *pkt_struct_cache;
static struct kmem_cache *buffer_cache;

/* guarded by reserve_lock */
static struct spinlock reserve_lock = SPINLOCK_INIT;
static LIST_HEAD(reserve);
static u32 nr_reserve;

static const struct pkt_owner pool_owner = { .free = NULL, .name = "pool" };
static const struct pkt_owner heap_owner = { .free = NULL, .name = "heap" };
/* owner_priv: the packet whose buffer it is */
const struct pkt_owner pkt_clone_owner = { .free = NULL, .name = "clone" };
EXPORT(pkt_clone_owner);

/* ---- the store of pool buffers: a struct with its buffer stays together ---- */

static struct pkt *unit_new(void)
{
	struct pkt *p = kmem_cache_alloc(pkt_struct_cache);
	u8 *buf;

	if (!p)
		return NULL;
	buf = kmem_cache_alloc(buffer_cache);
	if (!buf) {
		kmem_cache_free(pkt_struct_cache, p);
		return NULL;
	}
	p->head = buf;
	p->end = buf + PKT_BUF_SIZE;
	p->owner = &pool_owner;
	p->truesize = PKT_UNIT_SIZE;
	return p;
}

static void unit_destroy(struct pkt *p)
{
	kmem_cache_free(buffer_cache, p->head);
	kmem_cache_free(pkt_struct_cache, p);
}

static struct pkt *reserve_take(void)
{
	struct pkt *p;

	spin_lock(&reserve_lock);
	p = list_first_entry_or_null(&reserve, struct pkt, node);
	if (p) {
		list_del(&p->node);
		WRITE_ONCE(nr_reserve, nr_reserve - 1);
	}
	spin_unlock(&reserve_lock);
	return p;
}

/* True when the reserve lacked it. */
static bool reserve_give(struct pkt *p)
{
	bool taken = false;

	spin_lock(&reserve_lock);
	if (nr_reserve < CONTROL_RESERVE) {
		list_add(&p->node, &reserve);
		WRITE_ONCE(nr_reserve, nr_reserve + 1);
		taken = true;
	}
	spin_unlock(&reserve_lock);
	return taken;
}

/* The CPU's stack of buffers. Preemption off. */
static inline struct pkt *unit_pop(struct pkt_cpu *pc)
{
	struct pkt *p = list_entry(pc->free, struct pkt, node);

	pc->free = p->node.next;
	pc->nr_free--;
	return p;
}

static inline void unit_push(struct pkt_cpu *pc, struct pkt *p)
{
	p->node.next = pc->free;
	pc->free = &p->node;
	pc->nr_free++;
}

static void unit_refill(struct pkt_cpu *pc)
{
	pc->free = pc->spare ? pc->spare : pkt_depot_take();
	pc->nr_free = pc->free ? PKT_STACK : 0;
	pc->spare = NULL;
}

/* The stack is full: begins another one. False: all have enough. */
static bool unit_room(struct pkt_cpu *pc)
{
	if (pc->spare && !pkt_depot_give(pc->spare))
		return false;
	pc->spare = pc->free;
	pc->free = NULL;
	pc->nr_free = 0;
	return true;
}

/* Preemption off. */
static struct pkt *unit_get(struct pkt_cpu *pc, u32 pool)
{
	struct pkt *p;

	if (!pc->free)
		unit_refill(pc);
	if (pc->free)
		return unit_pop(pc);
	p = unit_new();
	if (!p && pool == PKT_POOL_CONTROL)
		p = reserve_take();
	return p;
}

static void unit_put(struct pkt_cpu *pc, struct pkt *p)
{
	if (unlikely(READ_ONCE(nr_reserve) < CONTROL_RESERVE) && reserve_give(p))
		return;
	if (pc->nr_free >= PKT_STACK && !unit_room(pc)) {
		unit_destroy(p);
		return;
	}
	unit_push(pc, p);
}

/* ---- allocation ---- */

/* Everything that a holder may read before it writes. head, end, owner, truesize are set. */
static inline void pkt_reset(struct pkt *p, u32 headroom)
{
	list_init(&p->node);
	p->data = p->head + headroom;
	p->len = 0;
	refcount_set(&p->refs, 1);
	p->share = 1;
	p->sock = NULL;
	p->nif = NULL;
	/* neighbours, in their order: the compiler makes few stores of them */
	p->link_off = p->net_off = p->trans_off = 0;
	p->ethertype = 0;
	p->csum = PKT_CSUM_NONE;
	p->pkttype = PKT_HOST;
	p->ip_proto = 0;
	p->looped = 0;
	p->csum_start = p->csum_off = 0;
	p->gso_size = p->gso_type = p->tx_stamps = 0;
	p->stamp_ns = 0;
}

static struct pkt *heap_new(u32 size)
{
	struct pkt *p = kmem_cache_alloc(pkt_struct_cache);

	if (!p)
		return NULL;
	p->head = kmalloc(size);
	if (!p->head) {
		kmem_cache_free(pkt_struct_cache, p);
		return NULL;
	}
	p->end = p->head + size;
	p->owner = &heap_owner;
	p->truesize = ksize(p->head) + sizeof(struct pkt);
	return p;
}

static void pkt_count_new(struct pkt_cpu *pc, struct pkt *p, u32 pool)
{
	p->pool = pool;
	pc->allocated++;
	pc->bytes += p->truesize;
}

/* For what is over a pool buffer. 0: more than any packet has. */
static u32 buffer_size(u64 wanted)
{
	if (wanted > PKT_LARGE_MIN && wanted <= PKT_LARGE_SIZE)
		return PKT_LARGE_SIZE;
	return wanted > 0x10000000u ? 0 : ALIGN_UP((u32)wanted, 64u);
}

/* The CPU has no buffer or no credit. Preemption off. */
static struct pkt *unit_alloc(struct pkt_cpu *pc, u32 pool)
{
	struct pkt *p = NULL;

	if (!pkt_budget_take(pc, pool, PKT_UNIT_SIZE))
		return NULL;
	p = unit_get(pc, pool);
	if (!p) {
		pc->failed[pool]++;
		pkt_budget_give(pc, pool, PKT_UNIT_SIZE);
		return NULL;
	}
	pc->units++;
	p->pool = pool;
	return p;
}

/* Other sizes. Preemption off. */
static struct pkt *other_alloc(struct pkt_cpu *pc, u32 pool, u32 size)
{
	/* Charged before it is made, by what is asked; the slab rounds up to a little more. */
	s64 charge = (s64)size + (s64)sizeof(struct pkt);
	struct pkt *p;

	if (!size || !pkt_budget_take(pc, pool, charge))
		return NULL;
	p = size == PKT_LARGE_SIZE ? pkt_large_get() : heap_new(size);
	if (!p) {
		pc->failed[pool]++;
		pkt_budget_give(pc, pool, charge);
		return NULL;
	}
	p->truesize = charge;
	pkt_count_new(pc, p, pool);
	return p;
}

/* Preemption off, and on again behind it. */
static __noinline struct pkt *alloc_slow(enum pkt_pool pool, u32 headroom, u32 room,
					 const void *caller)
{
	struct pkt_cpu *pc = &pkt_cpus[cpu_id()];
	u64 size = (u64)headroom + room;
	struct pkt *p;

	if (size <= PKT_BUF_SIZE)
		p = unit_alloc(pc, pool);
	else
		p = other_alloc(pc, pool, buffer_size(size));
	if (p)
		pkt_reset(p, headroom);
	preempt_enable();
	if (p)
		pkt_debug_alloc(p, caller);
	return p;
}

struct pkt *pkt_alloc(enum pkt_pool pool, u32 headroom, u32 room)
{
	struct pkt_cpu *pc;
	struct pkt *p;

	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	if (unlikely((u64)headroom + room > PKT_BUF_SIZE || pc->credit[pool] < PKT_UNIT_SIZE ||
		     !pc->free))
		return alloc_slow(pool, headroom, room, __builtin_return_address(0));
	pc->credit[pool] -= PKT_UNIT_SIZE;
	p = unit_pop(pc);
	pc->units++;
	p->pool = pool;
	pkt_reset(p, headroom);
	preempt_enable();
	pkt_debug_alloc(p, __builtin_return_address(0));
	return p;
}
EXPORT(pkt_alloc);

/* The CPU's own, n at most, as many as it has and has credit for. Preemption off. */
static u32 units_quick(struct pkt_cpu *pc, u32 pool, u32 headroom, struct pkt **out, u32 n)
{
	struct list_head *at = pc->free;

	n = min(n, min(pc->nr_free, (u32)(max(pc->credit[pool], 0l) / PKT_UNIT_SIZE)));
	for (u32 i = 0; i < n; i++) {
		struct pkt *p = list_entry(at, struct pkt, node);

		at = at->next;
		p->pool = pool;
		pkt_reset(p, headroom);
		out[i] = p;
	}
	pc->free = at;
	pc->nr_free -= n;
	pc->credit[pool] -= n * PKT_UNIT_SIZE;
	pc->units += n;
	return n;
}

u32 pkt_alloc_bulk(enum pkt_pool pool, u32 headroom, struct pkt **out, u32 n)
{
	struct pkt_cpu *pc;
	u32 done = 0, got;

	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	do {
		got = units_quick(pc, pool, headroom, out + done, n - done);
		if (unlikely(!got)) {
			out[done] = unit_alloc(pc, pool);
			if (!out[done])
				break;
			pkt_reset(out[done], headroom);
			got = 1;
		}
		done += got;
	} while (done < n);
	preempt_enable();
	for (u32 i = 0; i < done; i++)
		pkt_debug_alloc(out[i], __builtin_return_address(0));
	return done;
}
EXPORT(pkt_alloc_bulk);

struct pkt *pkt_wrap(void *buf, u32 size, u32 headroom, const struct pkt_owner *owner, void *priv)
{
	struct pkt *p = kmem_cache_alloc(pkt_struct_cache);

	if (!p)
		return NULL;
	BUG_ON(headroom > size);
	p->head = buf;
	p->end = p->head + size;
	p->owner = owner;
	p->owner_priv = priv;
	p->truesize = size + sizeof(struct pkt);
	pkt_reset(p, headroom);
	preempt_disable();
	pkt_count_new(&pkt_cpus[cpu_id()], p, PKT_POOL_RX);
	preempt_enable();
	pkt_debug_alloc(p, __builtin_return_address(0));
	return p;
}
EXPORT(pkt_wrap);

struct pkt *pkt_clone(struct pkt *p)
{
	struct pkt *root = pkt_is_clone(p) ? p->owner_priv : p;
	struct pkt *c = kmem_cache_alloc(pkt_struct_cache);

	if (!c)
		return NULL;
	__atomic_fetch_add(&root->share, 2, __ATOMIC_RELAXED);
	c->head = p->head;
	c->end = p->end;
	c->owner = &pkt_clone_owner;
	c->owner_priv = root;
	pkt_reset(c, pkt_headroom(p));
	pkt_copy_fields(c, p, 0);
	c->looped = p->looped;
	/* what a queue that holds it keeps from being freed */
	c->truesize = p->truesize;
	preempt_disable();
	pkt_cpus[cpu_id()].allocated++;
	preempt_enable();
	c->pool = p->pool;
	pkt_debug_alloc(c, __builtin_return_address(0));
	return c;
}
EXPORT(pkt_clone);

bool pkt_move_local(struct pkt *p)
{
	struct pkt *root = pkt_is_clone(p) ? p->owner_priv : p;
	struct pkt_cpu *pc;
	u8 pool = READ_ONCE(root->pool);
	bool ok;

	/* a lent buffer is in nobody's budget */
	if (pool == PKT_POOL_LOCAL || pool == PKT_POOL_RX || root->owner->free)
		return true;
	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	ok = pkt_budget_take(pc, PKT_POOL_LOCAL, root->truesize);
	if (ok) {
		/* another clone may be somewhere else, on the same errand */
		pool = __atomic_exchange_n(&root->pool, PKT_POOL_LOCAL, __ATOMIC_RELAXED);
		pkt_budget_give(pc, pool, root->truesize);
	}
	preempt_enable();
	if (ok)
		p->pool = PKT_POOL_LOCAL;
	return ok;
}
EXPORT(pkt_move_local);

/* A pool buffer that nobody holds and that has no clone. */
static __noinline void unit_release_slow(struct pkt *p)
{
	struct pkt_cpu *pc;

	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	pc->units_back++;
	pkt_budget_give(pc, p->pool, PKT_UNIT_SIZE);
	unit_put(pc, p);
	preempt_enable();
}

/* False: p is not only this CPU's business. Preemption off. */
static inline bool unit_back(struct pkt_cpu *pc, struct pkt *p)
{
	u8 pool = p->pool;

	if (unlikely(pc->nr_free >= PKT_STACK || READ_ONCE(nr_reserve) < CONTROL_RESERVE ||
		     pc->credit[pool] > PKT_CREDIT_MAX - PKT_UNIT_SIZE))
		return false;
	pc->units_back++;
	pc->credit[pool] += PKT_UNIT_SIZE;
	unit_push(pc, p);
	return true;
}

/* Preemption off, and on again behind it. */
static inline void unit_release(struct pkt *p)
{
	pkt_debug_free(p);
	if (unlikely(!unit_back(&pkt_cpus[cpu_id()], p))) {
		preempt_enable_no_check();
		unit_release_slow(p);
		return;
	}
	preempt_enable();
}

/* The struct and the buffer of a packet that nobody holds and that has no clone. */
static void buffer_release(struct pkt *p)
{
	struct pkt_cpu *pc;

	if (likely(p->owner == &pool_owner)) {
		preempt_disable();
		unit_release(p);
		return;
	}
	pkt_debug_free(p);
	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	pc->freed++;
	pc->bytes -= p->truesize;
	if (!p->owner->free)
		pkt_budget_give(pc, p->pool, p->truesize);
	if (p->owner == &pkt_large_owner) {
		pkt_large_put(p);
		preempt_enable();
		return;
	}
	preempt_enable();
	if (p->owner == &heap_owner)
		kfree(p->head);
	else
		p->owner->free(p);
	kmem_cache_free(pkt_struct_cache, p);
}

static void clone_release(struct pkt *c)
{
	struct pkt *root = c->owner_priv;

	pkt_debug_free(c);
	preempt_disable();
	pkt_cpus[cpu_id()].freed++;
	preempt_enable();
	kmem_cache_free(pkt_struct_cache, c);
	if (!__atomic_sub_fetch(&root->share, 2, __ATOMIC_ACQ_REL))
		buffer_release(root);
}

void pkt_orphan(struct pkt *p)
{
	if (!p->sock)
		return;
	rcu_read_lock();
	socket_uncharge_tx(p->sock, p->truesize);
	rcu_read_unlock();
	p->sock = NULL;
}
EXPORT(pkt_orphan);

static void pkt_release(struct pkt *p)
{
	pkt_orphan(p);
	/* Nobody is left who could clone p, but its last clone may be going. */
	if (unlikely(pkt_is_clone(p)))
		clone_release(p);
	else if (likely(READ_ONCE(p->share) == 1) ||
		 !__atomic_sub_fetch(&p->share, 1, __ATOMIC_ACQ_REL))
		buffer_release(p);
}

static __noinline void free_slow(struct pkt *p)
{
	/* The only holder cannot be raced: no locked instruction for it. */
	if (refcount_read(&p->refs) == 1) {
		smp_rmb();
		refcount_set(&p->refs, 0);
		pkt_release(p);
	} else if (refcount_dec_and_test(&p->refs)) {
		pkt_release(p);
	} else {
		pkt_debug_check(p);
	}
}

/* Somebody waits for room in the send buffer that p was charged to, or that was the last of a
 * socket that is closed. Preemption off, and on again behind it. */
static __noinline void unit_release_tell(struct pkt *p, bool last)
{
	if (last)
		socket_free_late(p->sock);
	if (READ_ONCE(p->sock->tx_waiting))
		socket_tx_room(p->sock);
	unit_release(p);
}

/* A pool buffer with one holder and no clone? */
static inline bool is_plain(const struct pkt *p)
{
	return READ_ONCE(p->holders) == PKT_SOLE && p->owner == &pool_owner;
}

void pkt_free(struct pkt *p)
{
	if (unlikely(!is_plain(p))) {
		free_slow(p);
		return;
	}
	smp_rmb();
	refcount_set(&p->refs, 0);
	preempt_disable();
	if (p->sock) {
		if (unlikely(!atomic_sub(&p->sock->tx_bytes, PKT_UNIT_SIZE))) {
			unit_release_tell(p, true);
			return;
		}
		if (unlikely(READ_ONCE(p->sock->tx_waiting))) {
			unit_release_tell(p, false);
			return;
		}
	}
	unit_release(p);
}
EXPORT(pkt_free);

void pkt_free_list(struct list_head *l)
{
	struct pkt *p, *next;
	struct pkt_cpu *pc;

	preempt_disable();
	pc = &pkt_cpus[cpu_id()];
	list_for_each_entry_safe(p, next, l, node) {
		if (unlikely(!is_plain(p) || p->sock)) {
			pkt_free(p);
			continue;
		}
		smp_rmb();
		refcount_set(&p->refs, 0);
		pkt_debug_free(p);
		if (unlikely(!unit_back(pc, p)))
			unit_release_slow(p);
	}
	preempt_enable();
	list_init(l);
}
EXPORT(pkt_free_list);

bool pkt_owned(const struct pkt *p)
{
	return p->owner != &pkt_clone_owner && !pkt_shared(p);
}
EXPORT(pkt_owned);

struct pkt *pkt_get(struct pkt *p)
{
	refcount_inc(&p->refs);
	return p;
}
EXPORT(pkt_get);

/* ---- memory is short ---- */

/* What waits for any CPU; a CPU's own stacks are few. In any context that allocates. */
static void shrink(void)
{
	struct list_head *stack, *next;

	preempt_disable();
	while ((stack = pkt_depot_take())) {
		for (u32 i = 0; i < PKT_STACK; i++, stack = next) {
			next = stack->next;
			unit_destroy(list_entry(stack, struct pkt, node));
		}
	}
	preempt_enable();
	pkt_large_shrink();
}

/* ---- boot ---- */

void pkt_init(void)
{
	pkt_budget_init();
	pkt_large_init();
	shrinker_add(shrink);
	pkt_struct_cache = kmem_cache_create("pkt", sizeof(struct pkt), 64);
	buffer_cache = kmem_cache_create("pkt_buf", PKT_BUF_SIZE, 64);
	if (!pkt_struct_cache || !buffer_cache)
		panic("no memory for packets");
	for (u32 i = 0; i < CONTROL_RESERVE; i++) {
		struct pkt *p = unit_new();

		if (p)
			reserve_give(p);
	}
}
