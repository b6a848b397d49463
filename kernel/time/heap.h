/* SPDX-License-Identifier: MIT */
/* heap.h - a binary heap of timers by expiry; a timer knows its place (heap_index, 1-based). */
#pragma once

#include <weft/time.h>

#define TIMER_OVERFLOW (~0u) /* heap_index of one on the overflow list */

struct timer_heap {
	struct timer **slots; /* slots[1..count]; slots[0] is unused */
	u32 count, capacity;
	struct list_head overflow; /* found no slot: few, searched one by one */
};

void timer_heap_init(struct timer_heap *h, struct timer **slots, u32 capacity);
/* Never fails; without a free slot the timer goes to the overflow list. */
void timer_heap_insert(struct timer_heap *h, struct timer *t);
void timer_heap_remove(struct timer_heap *h, struct timer *t);
/* t, which is in h, has another time from now on. */
void timer_heap_move(struct timer_heap *h, struct timer *t, u64 expires);
struct timer *timer_heap_first(const struct timer_heap *h); /* NULL: empty */
/* Moves to a larger array; returns the old one. */
struct timer **timer_heap_grow(struct timer_heap *h, struct timer **slots, u32 capacity);
