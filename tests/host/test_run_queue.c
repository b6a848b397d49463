/* SPDX-License-Identifier: MIT */
/* test_run_queue.c - the pairing heap of waiting threads: the root has the smallest vruntime
 * whatever was inserted and removed before, also when vruntime wraps around. */
/* sources: kernel/sched/runqueue.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/sched/rq.h"

#define N 200

static struct thread threads[N];
static struct rq rq;
static u32 seed = 7;

static u32 rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void check(void)
{
	u32 in = 0;

	for (u32 i = 0; i < N; i++) {
		if (!threads[i].in_heap)
			continue;
		in++;
		assert_non_null(rq.heap);
		assert_true((s64)(threads[i].vruntime - rq.heap->vruntime) >= 0);
	}
	if (!in)
		assert_null(rq.heap);
}

static void random_churn(void **state)
{
	u64 base = ~0ull - 5000; /* wraps while the test runs */
	struct thread *t;

	for (u32 i = 0; i < 50000; i++, base++) {
		t = &threads[rnd() % N];
		if (t->in_heap) {
			rq_heap_remove(&rq, t);
			assert_false(t->in_heap);
		} else {
			t->vruntime = base + rnd() % 1000;
			rq_heap_insert(&rq, t);
		}
		check();
	}
}

static void leaves_in_order(void **state)
{
	u64 last;

	for (u32 i = 0; i < N; i++) {
		if (threads[i].in_heap)
			rq_heap_remove(&rq, &threads[i]);
		threads[i].vruntime = rnd();
		rq_heap_insert(&rq, &threads[i]);
	}
	last = rq.heap->vruntime;
	for (u32 i = 0; i < N; i++) {
		assert_true(rq.heap->vruntime >= last);
		last = rq.heap->vruntime;
		rq_heap_remove(&rq, rq.heap);
	}
	assert_null(rq.heap);
}

static void walk_sees_root_and_children(void **state)
{
	struct thread *t;
	u32 n = 0;

	for (u32 i = 0; i < 10; i++) {
		threads[i].vruntime = 100 - i;
		rq_heap_insert(&rq, &threads[i]);
	}
	for (t = rq_heap_next(rq.heap, NULL); t; t = rq_heap_next(rq.heap, t))
		n++;
	assert_in_range(n, 2, 10);
	assert_null(rq_heap_next(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_churn),
		cmocka_unit_test(leaves_in_order),
		cmocka_unit_test(walk_sees_root_and_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
