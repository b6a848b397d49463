/* SPDX-License-Identifier: MIT */
/* pkt_internal.h - what the files of the packet pools share. */
#pragma once

#include <weft/arch.h>
#include <weft/pkt.h>

/* a pool buffer with its struct */
#define PKT_UNIT_SIZE ((s64)(PKT_BUF_SIZE + sizeof(struct pkt)))
#define PKT_STACK 64		    /* buffers change hands by so many */
#define PKT_CREDIT_MAX (128 * 1024) /* bytes of a budget that a CPU keeps at most */

/* Used by its own CPU with preemption off; others may read the counters. */
struct pkt_cpu {
	struct list_head *free; /* a stack of pool buffers, by node.next */
	u32 nr_free;
	struct list_head *spare; /* another one, of PKT_STACK buffers, or NULL */
	s64 credit[PKT_NR_POOLS];
	u64 units; /* pool buffers handed out */
	u64 units_back;
	u64 allocated, freed; /* all others */
	u64 failed[PKT_NR_POOLS];
	s64 bytes; /* likewise */
} __cacheline_aligned;
extern struct pkt_cpu pkt_cpus[MAX_CPUS];
extern struct kmem_cache *pkt_struct_cache;

/* ---- pkt_budget.c: preemption off ---- */

bool pkt_budget_draw(struct pkt_cpu *pc, u32 pool, s64 n); /* more than the CPU's credit */
void pkt_budget_return(struct pkt_cpu *pc, u32 pool);	   /* the CPU has more than it keeps */

static inline bool pkt_budget_take(struct pkt_cpu *pc, u32 pool, s64 n)
{
	if (unlikely(pc->credit[pool] < n))
		return pkt_budget_draw(pc, pool, n);
	pc->credit[pool] -= n;
	return true;
}

static inline void pkt_budget_give(struct pkt_cpu *pc, u32 pool, s64 n)
{
	pc->credit[pool] += n;
	if (unlikely(pc->credit[pool] > PKT_CREDIT_MAX))
		pkt_budget_return(pc, pool);
}

/* Changes a pool's budget. Process context. */
void pkt_limit_set(enum pkt_pool pool, s64 bytes);
void pkt_budget_init(void);

/* ---- pkt_depot.c: stacks of PKT_STACK pool buffers for all CPUs. Preemption off ---- */

bool pkt_depot_give(struct list_head *stack); /* false: there are enough */
struct list_head *pkt_depot_take(void);	      /* NULL: there is none */

/* ---- pkt_large.c ---- */

extern const struct pkt_owner pkt_large_owner;
struct pkt *pkt_large_get(void); /* NULL without memory. Preemption off, as for the next */
void pkt_large_put(struct pkt *p);
void pkt_large_shrink(void); /* memory is short */
void pkt_large_init(void);

/* ---- pkt_show.c, pkt_data.c ---- */

void pkt_show_init(void); /* /proc and sysctls; after vfs_init */

/* Is the room in front of p's data somebody else's too? */
static inline bool pkt_shared(const struct pkt *p)
{
	const struct pkt *root = p;

	if (refcount_read(&p->refs) != 1)
		return true;
	if (unlikely(pkt_is_clone(p)))
		root = p->owner_priv;
	return (READ_ONCE(root->share) >> 1) != (root != p);
}

/* Length, layers, checksum, segments, cb of p for c, whose headroom is longer by shift. */
void pkt_copy_fields(struct pkt *c, const struct pkt *p, u16 shift);

/* In the debug build each living packet is listed with the place that allocated it, freed memory is
 * poisoned, and a second free is a bug at once. */
#ifdef WEFT_DEBUG
void pkt_debug_alloc(struct pkt *p, const void *site);
void pkt_debug_free(struct pkt *p);
void pkt_debug_check(const struct pkt *p);
#else
static inline void pkt_debug_alloc(struct pkt *p, const void *site)
{
	(void)p;
	(void)site;
}

static inline void pkt_debug_free(struct pkt *p)
{
	(void)p;
}

static inline void pkt_debug_check(const struct pkt *p)
{
	(void)p;
}
#endif
