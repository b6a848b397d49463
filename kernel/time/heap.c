/* SPDX-License-Identifier: MIT */
/* heap.c - the binary heap under the timers. Arming a timer may not fail, so one that finds the
 * array full is kept in a list until the array has grown. The caller's lock guards everything. */
#include "heap.h"

#include <weft/string.h>

void timer_heap_init(struct timer_heap *h, struct timer **slots, u32 capacity)
{
	h->slots = slots;
	h->count = 0;
	h->capacity = capacity;
	list_init(&h->overflow);
}

static void place(struct timer_heap *h, u32 i, struct timer *t)
{
	h->slots[i] = t;
	t->heap_index = i;
}

static void sift_up(struct timer_heap *h, u32 i, struct timer *t)
{
	while (i > 1 && t->expires < h->slots[i / 2]->expires) {
		place(h, i, h->slots[i / 2]);
		i /= 2;
	}
	place(h, i, t);
}

static void sift_down(struct timer_heap *h, u32 i, struct timer *t)
{
	u32 child;

	while ((child = 2 * i) <= h->count) {
		if (child < h->count && h->slots[child + 1]->expires < h->slots[child]->expires)
			child++;
		if (t->expires <= h->slots[child]->expires)
			break;
		place(h, i, h->slots[child]);
		i = child;
	}
	place(h, i, t);
}

/* t belongs near i, whose slot is free. */
static void settle(struct timer_heap *h, u32 i, struct timer *t)
{
	if (i > 1 && t->expires < h->slots[i / 2]->expires)
		sift_up(h, i, t);
	else
		sift_down(h, i, t);
}

void timer_heap_insert(struct timer_heap *h, struct timer *t)
{
	if (h->count + 1 >= h->capacity) {
		list_add_tail(&t->node, &h->overflow);
		t->heap_index = TIMER_OVERFLOW;
		return;
	}
	h->count++;
	sift_up(h, h->count, t);
}

void timer_heap_remove(struct timer_heap *h, struct timer *t)
{
	u32 i = t->heap_index;
	struct timer *last;

	t->heap_index = 0;
	if (i == TIMER_OVERFLOW) {
		list_del(&t->node);
		return;
	}
	last = h->slots[h->count--];
	if (last != t)
		settle(h, i, last);
}

void timer_heap_move(struct timer_heap *h, struct timer *t, u64 expires)
{
	t->expires = expires;
	if (t->heap_index != TIMER_OVERFLOW) {
		settle(h, t->heap_index, t);
		return;
	}
	/* there may be a slot by now */
	list_del(&t->node);
	timer_heap_insert(h, t);
}

struct timer *timer_heap_first(const struct timer_heap *h)
{
	struct timer *first = h->count ? h->slots[1] : NULL, *t;

	list_for_each_entry(t, &h->overflow, node) {
		if (!first || t->expires < first->expires)
			first = t;
	}
	return first;
}

struct timer **timer_heap_grow(struct timer_heap *h, struct timer **slots, u32 capacity)
{
	struct timer **old = h->slots;
	struct timer *t;

	memcpy(slots, old, (h->count + 1) * sizeof(*slots));
	h->slots = slots;
	h->capacity = capacity;
	while (!list_empty(&h->overflow) && h->count + 1 < capacity) {
		t = list_first_entry(&h->overflow, struct timer, node);
		list_del(&t->node);
		timer_heap_insert(h, t);
	}
	return old;
}
