/* SPDX-License-Identifier: MIT */
/* percpu.c - counters with one copy per CPU. A chunk is one page for each CPU in a row; an
 * allocation is the same run of 8-byte slots in all of them, so percpu_ptr is one multiplication
 * and CPUs never share a cache line. Empty chunks are given back. */
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/list.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "mm.h"

#define SLOT 8
#define SLOTS (PAGE_SIZE / SLOT)

struct chunk {
	struct list_head node;
	u8 *base;
	u32 order; /* CPUs may become known later: what was allocated counts */
	u32 used;
	u16 length[SLOTS]; /* of the allocation starting here, 0 elsewhere */
	u8 taken[SLOTS];
};

static struct spinlock chunks_lock = SPINLOCK_INIT;
static LIST_HEAD(chunks); /* guarded by chunks_lock, contents too */

u32 percpu_cpus(void)
{
	return nr_cpus_present ? nr_cpus_present : MAX_CPUS;
}
EXPORT(percpu_cpus);

static u32 chunk_order(void)
{
	u32 order = 0;

	while (1u << order < percpu_cpus())
		order++;
	return order;
}

/* First run of n free slots, or -1. */
static int find_run(const struct chunk *c, u32 n)
{
	u32 run = 0;

	if (SLOTS - c->used < n)
		return -1;
	for (u32 i = 0; i < SLOTS; i++) {
		run = c->taken[i] ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return -1;
}

static void *take_run(u32 n)
{
	struct chunk *c;

	list_for_each_entry(c, &chunks, node) {
		int at = find_run(c, n);

		if (at < 0)
			continue;
		memset(c->taken + at, 1, n);
		c->length[at] = n;
		c->used += n;
		return c->base + at * SLOT;
	}
	return NULL;
}

static struct chunk *chunk_new(void)
{
	struct chunk *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->order = chunk_order();
	c->base = pages_alloc(c->order);
	if (!c->base) {
		kfree(c);
		return NULL;
	}
	return c;
}

void *percpu_alloc(size_t n)
{
	u32 slots = DIV_ROUND_UP(n, SLOT);
	struct chunk *c;
	u8 *p;

	if (!n || slots > SLOTS || fail_alloc())
		return NULL;
	spin_lock(&chunks_lock);
	p = take_run(slots);
	spin_unlock(&chunks_lock);
	if (!p) {
		c = chunk_new();
		if (!c)
			return NULL;
		spin_lock(&chunks_lock);
		list_add_tail(&c->node, &chunks);
		p = take_run(slots);
		spin_unlock(&chunks_lock);
	}
	/* only a rush of others into the new chunk can have filled it */
	if (!p)
		return NULL;
	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++)
		memset(percpu_ptr(p, cpu), 0, slots * SLOT);
	return p;
}
EXPORT(percpu_alloc);

void percpu_free(void *p)
{
	u8 *base = (u8 *)ALIGN_DOWN((u64)p, PAGE_SIZE);
	u32 at = ((u8 *)p - base) / SLOT;
	struct chunk *c, *empty = NULL;

	if (!p)
		return;
	spin_lock(&chunks_lock);
	list_for_each_entry(c, &chunks, node) {
		if (c->base != base)
			continue;
		BUG_ON(!c->length[at]);
		c->used -= c->length[at];
		memset(c->taken + at, 0, c->length[at]);
		c->length[at] = 0;
		if (!c->used) {
			list_del(&c->node);
			empty = c;
		}
		break;
	}
	spin_unlock(&chunks_lock);
	if (empty) {
		pages_free(empty->base, empty->order);
		kfree(empty);
	}
}
EXPORT(percpu_free);

void *percpu_ptr(void *p, u32 cpu)
{
	return (u8 *)p + cpu * PAGE_SIZE;
}
EXPORT(percpu_ptr);
