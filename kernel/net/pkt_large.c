/* SPDX-License-Identifier: MIT */
/* pkt_large.c - large packet buffers: 64 KiB of contiguous pages, kept with their struct. Each CPU
 * keeps a short list of them, because making one costs more than all else a packet does; the lists
 * are given back when memory is short. */
#include <core/net.h>
#include <weft/alloc.h>

#include "pkt_internal.h"

#define LARGE_ORDER 4
#define CPU_LIST_MAX 16 /* 1 MiB */

static struct {
	struct spinlock lock; /* other CPUs come when memory is out */
	/* guarded by lock */
	struct list_head list;
	u32 nr;
} __cacheline_aligned larges[MAX_CPUS];

const struct pkt_owner pkt_large_owner = { .free = NULL, .name = "large" };

static struct pkt *make(void)
{
	struct pkt *p = kmem_cache_alloc(pkt_struct_cache);

	if (!p)
		return NULL;
	p->head = pages_alloc(LARGE_ORDER);
	if (!p->head) {
		kmem_cache_free(pkt_struct_cache, p);
		return NULL;
	}
	p->end = p->head + PKT_LARGE_SIZE;
	p->owner = &pkt_large_owner;
	return p;
}

static void destroy(struct pkt *p)
{
	pages_free(p->head, LARGE_ORDER);
	kmem_cache_free(pkt_struct_cache, p);
}

struct pkt *pkt_large_get(void)
{
	u32 cpu = cpu_id();
	struct pkt *p;

	spin_lock(&larges[cpu].lock);
	p = list_first_entry_or_null(&larges[cpu].list, struct pkt, node);
	if (likely(p)) {
		list_del(&p->node);
		larges[cpu].nr--;
	}
	spin_unlock(&larges[cpu].lock);
	return likely(p) ? p : make();
}

void pkt_large_put(struct pkt *p)
{
	u32 cpu = cpu_id();

	spin_lock(&larges[cpu].lock);
	if (likely(larges[cpu].nr < CPU_LIST_MAX)) {
		list_add(&p->node, &larges[cpu].list);
		larges[cpu].nr++;
		p = NULL;
	}
	spin_unlock(&larges[cpu].lock);
	if (p)
		destroy(p);
}

/* Any context that may allocate. */
void pkt_large_shrink(void)
{
	struct pkt *p, *next;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		LIST_HEAD(all);

		if (!READ_ONCE(larges[cpu].nr))
			continue;
		spin_lock(&larges[cpu].lock);
		list_splice_tail(&larges[cpu].list, &all);
		larges[cpu].nr = 0;
		spin_unlock(&larges[cpu].lock);
		list_for_each_entry_safe(p, next, &all, node)
			destroy(p);
	}
}

void pkt_large_init(void)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		list_init(&larges[cpu].list);
		spin_init(&larges[cpu].lock);
	}
}
