/* SPDX-License-Identifier: MIT */
/* test_unix_gc.c - which AF_UNIX sockets that are on their way nobody can reach: rings, chains,
 * what a program or a message outside still holds, connections that wait for accept; and random
 * graphs, where what is left is compared with what a walk from the programs' descriptors finds. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/unix_gc.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <weft/work.h>

#include "kernel/net/unix.h"

#define MAX 40

/* ---- a family without data: sockets, and who is on the way to whom ---- */

static struct unix_sock socks[MAX];
static struct socket sockets[MAX];
static struct file files[MAX];
static struct unix_sock *held[MAX][MAX]; /* [queue of][..]: in messages */
static u32 nr_held[MAX], nr, discarded;
static struct work *collector;
static u32 scheduled, scheduled_at;

struct spinlock unix_lock;
u32 fake_preempt_count;

void spin_lock_slow(struct spinlock *l)
{
	fail();
}

u64 ktime_get(void)
{
	return 1;
}

void work_init(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	collector = w;
}

bool work_schedule(struct work *w)
{
	scheduled++;
	return true;
}

void work_schedule_at(struct work *w, u64 ktime_ns)
{
	scheduled_at++;
}

static u32 index_of(const struct unix_sock *u)
{
	return u - socks;
}

struct unix_sock *unix_of_file(const struct file *f)
{
	return f >= files && f < files + MAX ? &socks[f - files] : NULL;
}

void unix_each_inflight_locked(struct unix_sock *u, void (*fn)(struct unix_sock *held, void *arg),
			       void *arg)
{
	for (u32 i = 0; i < nr_held[index_of(u)]; i++)
		fn(held[index_of(u)][i], arg);
}

void unix_discard_files_locked(struct unix_sock *u)
{
	u32 at = index_of(u);

	discarded += nr_held[at];
	nr_held[at] |= 0x80000000u; /* emptied behind the pass, as by the work item */
}

static void begin(u32 n)
{
	memset(socks, 0, sizeof(socks));
	memset(nr_held, 0, sizeof(nr_held));
	nr = n;
	discarded = 0;
	unix_gc_init();
	for (u32 i = 0; i < n; i++) {
		list_init(&socks[i].backlog);
		list_init(&socks[i].inflight_node);
		list_init(&socks[i].reach_node);
		socks[i].s = &sockets[i];
		sockets[i].file = &files[i];
		refcount_set(&files[i].refs, 1); /* a descriptor */
	}
}

static void send_over(u32 what, u32 to)
{
	refcount_inc(&files[what].refs);
	unix_file_leaves(&files[what]);
	held[to][nr_held[to]++] = &socks[what];
}

static void close_fd(u32 i)
{
	assert_false(refcount_dec_and_test(&files[i].refs));
}

/* A pass, and what it emptied gives its references back. */
static u32 collect(void)
{
	u32 before = discarded;

	collector->fn(collector);
	for (u32 i = 0; i < nr; i++) {
		if (!(nr_held[i] & 0x80000000u))
			continue;
		nr_held[i] &= 0x7fffffffu;
		while (nr_held[i]) {
			struct unix_sock *u = held[i][--nr_held[i]];

			unix_file_arrives(&files[index_of(u)]);
			(void)refcount_dec_and_test(&files[index_of(u)].refs);
		}
	}
	return discarded - before;
}

/* The rest goes: nothing stays listed for the next test. */
static void end(void)
{
	for (u32 i = 0; i < nr; i++) {
		while (nr_held[i])
			unix_file_arrives(&files[index_of(held[i][--nr_held[i]])]);
	}
	scheduled = 0;
	unix_gc_schedule();
	assert_int_equal(scheduled, 0);
}

/* ---- tests ---- */

static void a_ring(void **state)
{
	begin(2);
	send_over(0, 1);
	send_over(1, 0);
	assert_int_equal(collect(), 0); /* both are open */
	close_fd(0);
	assert_int_equal(collect(), 0); /* 0 may be received from 1 */
	close_fd(1);
	assert_int_equal(collect(), 2);
	assert_int_equal(socks[0].inflight + socks[1].inflight, 0);
	end();
}

static void to_itself(void **state)
{
	begin(1);
	send_over(0, 0);
	send_over(0, 0);
	close_fd(0);
	assert_int_equal(collect(), 2);
	end();
}

/* A chain whose head is held: all of it may still be received, one after the other. */
static void a_chain(void **state)
{
	begin(5);
	for (u32 i = 1; i < 5; i++) {
		send_over(i, i - 1);
		close_fd(i);
	}
	assert_int_equal(collect(), 0);
	/* a ring behind it is as safe */
	send_over(3, 4);
	assert_int_equal(collect(), 0);
	end();
}

/* A ring, and what hangs on it, all but the part that somebody outside holds a message of. */
static void a_ring_with_a_tail(void **state)
{
	begin(5);
	send_over(0, 1);
	send_over(1, 0);
	send_over(2, 0); /* hangs on the ring, and holds 3 */
	send_over(3, 2);
	send_over(3, 4); /* 4 is open: 3 may be received from it */
	for (u32 i = 0; i < 4; i++)
		close_fd(i);
	assert_int_equal(collect(), 4);
	assert_int_equal(nr_held[4], 1);
	assert_int_equal(socks[3].inflight, 1);
	end();
}

/* A descriptor that was taken by a call, or that another program has, is a reference as any. */
static void held_by_a_call(void **state)
{
	begin(2);
	send_over(0, 1);
	send_over(1, 0);
	close_fd(0);
	close_fd(1);
	refcount_inc(&files[0].refs);
	assert_int_equal(collect(), 0);
	close_fd(0);
	assert_int_equal(collect(), 2);
	end();
}

/* The listener was sent into a connection to it that nobody has accepted. */
static void not_accepted(void **state)
{
	begin(2);
	socks[1].s = NULL;
	list_add_tail(&socks[1].backlog_node, &socks[0].backlog);
	send_over(0, 1);
	assert_int_equal(collect(), 0);
	close_fd(0);
	assert_int_equal(collect(), 1);
	end();
}

static void looks_again_while_any_is_on_its_way(void **state)
{
	begin(2);
	scheduled = scheduled_at = 0;
	unix_gc_schedule();
	assert_int_equal(scheduled + scheduled_at, 0);
	send_over(0, 1);
	assert_int_equal(scheduled_at, 1);
	send_over(0, 1);
	assert_int_equal(scheduled_at, 1);
	collect();
	assert_int_equal(scheduled_at, 2);
	unix_gc_schedule();
	assert_int_equal(scheduled, 1);
	end();
	collect();
	assert_int_equal(scheduled_at, 2);
}

/* ---- random graphs ---- */

static void visit(u32 i, bool *seen)
{
	if (seen[i])
		return;
	seen[i] = true;
	for (u32 k = 0; k < nr_held[i]; k++)
		visit(index_of(held[i][k]), seen);
}

static void random_graph(u32 seed)
{
	bool open[MAX], seen[MAX] = { false };
	u32 n = 2 + seed % 12, links = seed % 31, garbage = 0;

	srand(seed);
	begin(n);
	for (u32 i = 0; i < links; i++)
		send_over(rand() % n, rand() % n);
	for (u32 i = 0; i < n; i++) {
		/* what is in no message is open, or it would be gone */
		open[i] = !socks[i].inflight || rand() % 4 == 0;
		if (!open[i])
			close_fd(i);
	}
	for (u32 i = 0; i < n; i++) {
		if (open[i])
			visit(i, seen);
	}
	for (u32 i = 0; i < n; i++)
		garbage += seen[i] ? 0 : nr_held[i];
	assert_int_equal(collect(), garbage);
	for (u32 i = 0; i < n; i++)
		assert_true(seen[i] || !nr_held[i]);
	assert_int_equal(collect(), 0);
	end();
}

static void random_graphs(void **state)
{
	for (u32 seed = 1; seed < 20000; seed++)
		random_graph(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring),
		cmocka_unit_test(to_itself),
		cmocka_unit_test(a_chain),
		cmocka_unit_test(a_ring_with_a_tail),
		cmocka_unit_test(held_by_a_call),
		cmocka_unit_test(not_accepted),
		cmocka_unit_test(looks_again_while_any_is_on_its_way),
		cmocka_unit_test(random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
