/* SPDX-License-Identifier: MIT */
/* test_timer_heap.c - the heap under the timers against a plain array: the first one is always the
 * earliest, removing any leaves the rest in order, and a full array loses none. */
/* sources: kernel/time/heap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/time/heap.h"

#define N 300

static struct timer timers[N];
static u32 seed = 1;

static u32 rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static u64 earliest(void)
{
	u64 best = ~0ull;

	for (u32 i = 0; i < N; i++) {
		if (timers[i].heap_index && timers[i].expires < best)
			best = timers[i].expires;
	}
	return best;
}

static void check(struct timer_heap *h)
{
	struct timer *first = timer_heap_first(h);
	u32 in = 0;

	for (u32 i = 1; i <= h->count; i++) {
		assert_int_equal(h->slots[i]->heap_index, i);
		if (i > 1)
			assert_true(h->slots[i / 2]->expires <= h->slots[i]->expires);
	}
	for (u32 i = 0; i < N; i++)
		in += timers[i].heap_index != 0;
	if (in)
		assert_int_equal(first->expires, earliest());
	else
		assert_null(first);
}

static void churn(struct timer_heap *h, u32 rounds)
{
	for (u32 i = 0; i < rounds; i++) {
		struct timer *t = &timers[rnd() % N];

		if (t->heap_index && rnd() % 2) {
			timer_heap_move(h, t, rnd() % 1000);
			assert_int_not_equal(t->heap_index, 0);
		} else if (t->heap_index) {
			timer_heap_remove(h, t);
			assert_int_equal(t->heap_index, 0);
		} else {
			t->expires = rnd() % 1000;
			timer_heap_insert(h, t);
			assert_int_not_equal(t->heap_index, 0);
		}
		check(h);
	}
}

static void drain(struct timer_heap *h)
{
	u64 last = 0;
	struct timer *t;

	while ((t = timer_heap_first(h))) {
		assert_true(t->expires >= last);
		last = t->expires;
		timer_heap_remove(h, t);
	}
	assert_int_equal(h->count, 0);
}

static void in_order(void **state)
{
	struct timer *slots[N + 1];
	struct timer_heap h;

	timer_heap_init(&h, slots, N + 1);
	churn(&h, 20000);
	drain(&h);
}

static void full_array_overflows(void **state)
{
	struct timer *slots[8], **more = calloc(64, sizeof(*more)),
				**most = calloc(512, sizeof(*most));
	struct timer_heap h;

	timer_heap_init(&h, slots, 8);
	churn(&h, 3000);
	assert_false(list_empty(&h.overflow));
	assert_ptr_equal(timer_heap_grow(&h, more, 64), slots);
	check(&h);
	churn(&h, 3000);
	assert_ptr_equal(timer_heap_grow(&h, most, 512), more);
	check(&h);
	assert_true(list_empty(&h.overflow));
	churn(&h, 3000);
	drain(&h);
	free(more);
	free(most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(full_array_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
