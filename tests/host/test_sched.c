/* SPDX-License-Identifier: MIT */
/* test_sched.c - the scheduler's own code on simulated CPUs: who is put beside its waker and who is
 * not, that work spreads and stays spread, that nobody's share depends on where it was started, and
 * that CPUs are not woken for nothing. */
/* cflags: -Itests/host/sched */
/* sources: kernel/sched/core.c kernel/sched/cpu.c kernel/sched/balance.c kernel/sched/runqueue.c
 * tests/host/sched/world.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <weft/poller.h>

#include "sched/world.h"

/* part is about that many percent of whole */
static void assert_share(u64 part, u64 whole, u32 percent, u32 off)
{
	assert_in_range(part * 100 / whole, percent - off, percent + off);
}

/* ---- spreading ---- */

static void two_loops_get_a_cpu_each(void **state)
{
	struct actor *a, *b;

	world_begin(2);
	a = burner(~0u, 0);
	b = burner(~0u, 0);
	world_run(100 * MS);
	assert_share(used(a), 100 * MS, 99, 1);
	assert_share(used(b), 100 * MS, 99, 1);
	assert_int_equal(a->migrations + b->migrations, 1);
	assert_in_range(world_ipis, 0, 2);
}

static void loops_are_even_wherever_they_start(void **state)
{
	struct actor *a[4];

	world_begin(2);
	/* as when one CPU's thread forked them all while the other one was busy */
	for (u32 i = 0; i < 4; i++)
		a[i] = burner(i ? BIT(0) : BIT(1), 0);
	world_run(1 * MS);
	for (u32 i = 0; i < 4; i++)
		a[i]->thread.affinity = ~0u;
	world_run(1000 * MS);
	for (u32 i = 0; i < 4; i++)
		assert_share(used(a[i]), 1000 * MS, 50, 4);
	assert_in_range(a[0]->migrations + a[1]->migrations + a[2]->migrations + a[3]->migrations,
			0, 2);
}

static void woken_where_there_is_least_to_do(void **state)
{
	struct actor *t;

	world_begin(2);
	for (u32 i = 0; i < 3; i++)
		burner(BIT(0), 0);
	burner(BIT(1), 0);
	t = actor_new("t", true, burn);
	world_run(5 * MS);
	actor_start(t, 0);
	assert_int_equal(t->thread.cpu, 1);
}

static void nice_counts_across_cpus(void **state)
{
	struct actor *nice[2], *other[2];

	world_begin(2);
	for (u32 i = 0; i < 2; i++) {
		nice[i] = burner(BIT(0), 10);
		other[i] = burner(BIT(1), 0);
	}
	world_run(10 * MS);
	for (u32 i = 0; i < 2; i++)
		nice[i]->thread.affinity = other[i]->thread.affinity = ~0u;
	world_run(1000 * MS);
	/* a tenth of the weight */
	for (u32 i = 0; i < 2; i++) {
		assert_share(used(nice[i]), 1000 * MS, 10, 4);
		assert_share(used(other[i]), 1000 * MS, 90, 4);
	}
}

static void turn(struct actor *a)
{
	a->work = !a->work;
	if (a->work)
		act_run(a, 50 * US);
	else
		act_yield(a);
}

static void those_who_take_turns_spread(void **state)
{
	struct actor *a, *b;

	world_begin(2);
	a = actor_new("a", true, turn);
	b = actor_new("b", true, turn);
	actor_start(a, 0);
	actor_start(b, 0);
	world_run(100 * MS);
	assert_share(used(a), 100 * MS, 98, 2);
	assert_share(used(b), 100 * MS, 98, 2);
}

static void three_loops_do_not_wander(void **state)
{
	struct actor *a[3];

	world_begin(2);
	for (u32 i = 0; i < 3; i++)
		a[i] = burner(~0u, 0);
	world_run(1000 * MS);
	assert_in_range(a[0]->migrations + a[1]->migrations + a[2]->migrations, 1, 2);
	assert_in_range(world_ipis, 0, 4);
}

/* ---- waking ---- */

/* Answers one another like two ends of a pipe: a moment of work, wake, sleep. */
static void answer(struct actor *a)
{
	a->work = !a->work;
	if (a->work) {
		act_run(a, 5 * US);
		return;
	}
	actor_wake(a->peer);
	act_sleep(a, 0);
}

static void a_pair_that_waits_for_each_other_stays(void **state)
{
	struct actor *a, *b;

	world_begin(4);
	a = actor_new("a", true, answer);
	b = actor_new("b", true, answer);
	a->peer = b;
	b->peer = a;
	actor_start(a, 0);
	world_run(100 * MS);
	assert_in_range(a->wakes, 9000, 11000);
	assert_int_equal(a->migrations + b->migrations, 0);
	assert_int_equal(world_ipis, 0);
}

static void produce(struct actor *a)
{
	actor_wake(a->peer);
	act_run(a, 200 * US);
}

static void consume(struct actor *a)
{
	a->work = !a->work;
	if (a->work)
		act_run(a, 100 * US);
	else
		act_sleep(a, 0);
}

/* The producer never sleeps: after the first times its reader is put elsewhere. */
static void reader_of_a_loop_leaves_it(void **state)
{
	struct actor *p, *c;

	world_begin(2);
	p = actor_new("producer", true, produce);
	c = p->peer = actor_new("consumer", true, consume);
	actor_start(p, 0);
	world_run(1000 * MS);
	assert_share(used(p), 1000 * MS, 98, 2);
	assert_in_range(c->wakes, 4500, 5001);
	assert_in_range(c->late_ns / c->wakes, 0, 60 * US);
}

static struct actor *reader;

static void packets(struct actor *a)
{
	actor_wake(a);
	world_later(0, 300 * US, packets, a);
}

static void read_some(struct actor *a)
{
	a->work = !a->work;
	if (a->work)
		act_run(a, 150 * US);
	else
		act_sleep(a, 0);
}

static void reader_is_woken_where_its_packet_is(void **state)
{
	struct actor *r;

	world_begin(2);
	r = actor_new("reader", true, read_some);
	r->thread.cpu = 1; /* where it ran last */
	packets(r);
	world_run(100 * MS);
	assert_int_equal(r->ran_on, 0);
	assert_in_range(r->wakes, 300, 340);
	assert_in_range(world_ipis, 0, 1);
	assert_in_range(r->migrations, 0, 2);
}

static void reader_leaves_a_busy_cpu(void **state)
{
	struct actor *r;

	world_begin(2);
	burner(BIT(0), 0);
	world_run(30 * MS);
	r = actor_new("reader", true, read_some);
	packets(r);
	world_run(100 * MS);
	assert_int_equal(r->ran_on, 1);
	assert_in_range(r->late_ns / r->wakes, 0, 60 * US);
	assert_int_equal(r->migrations, 1);
}

/* The poll context's thread under a flood: rounds of packets for the reader, then a yield. */
static u64 queued, dropped, cost_ns;

static void poll_round(struct actor *a)
{
	a->work = !a->work;
	if (a->work) {
		act_run(a, 200 * US);
		return;
	}
	if (queued >= 128)
		dropped += 64;
	else
		queued += 64;
	cpu_batch_add(CPU_BATCH_POLL);
	actor_wake(reader);
	cpu_batch_add(-(u32)CPU_BATCH_POLL);
	act_yield(a);
}

static void read_queue(struct actor *a)
{
	if (a->work) {
		a->work = 0;
		queued -= min(queued, 16ull);
	}
	if (!queued) {
		act_sleep(a, 0);
		return;
	}
	a->work = 1;
	act_run(a, 16 * cost_ns);
}

static struct actor *flood(u64 cost)
{
	struct actor *poll;

	world_begin(2);
	queued = dropped = 0;
	cost_ns = cost;
	poll = actor_new("poll/0", false, poll_round);
	poll->thread.affinity = BIT(0);
	reader = actor_new("reader", true, read_queue);
	reader->thread.cpu = 1;
	actor_start(poll, 0);
	return poll;
}

/* It keeps up on the receiving CPU: nothing is gained by waking another one for each round. */
static void reader_that_keeps_up_stays(void **state)
{
	flood(3 * US);
	world_run(1000 * MS);
	assert_int_equal(dropped, 0);
	assert_in_range(world_ipis, 0, 10);
	assert_in_range(reader->migrations, 0, 10);
}

/* It does not: the other CPU takes it, and it is left there. */
static void reader_that_burns_cpu_leaves(void **state)
{
	struct actor *poll = flood(20 * US);

	world_run(1000 * MS);
	assert_share(used(poll), 1000 * MS, 95, 5);
	assert_share(used(reader), 1000 * MS, 95, 5);
	assert_in_range(reader->migrations, 0, 20);
}

static void type_and_echo(struct actor *a)
{
	a->work = !a->work;
	if (a->work)
		act_run(a, 200 * US);
	else
		act_sleep(a, 10 * MS);
}

static void who_mostly_sleeps_is_prompt(void **state)
{
	struct actor *shell;

	for (u32 cpus = 1; cpus <= 2; cpus++) {
		world_begin(cpus);
		for (u32 i = 0; i < 4; i++)
			burner(~0u, 0);
		world_run(50 * MS);
		shell = actor_new("shell", true, type_and_echo);
		actor_start(shell, 0);
		world_run(1000 * MS);
		assert_in_range(shell->wakes, 70, 100);
		assert_in_range(shell->worst_ns, 0, 13 * MS);
		assert_in_range(shell->late_ns / shell->wakes, 0, 500 * US);
	}
}

static void affinity_holds(void **state)
{
	struct actor *t;

	world_begin(4);
	t = actor_new("t", true, read_some);
	t->thread.affinity = BIT(2);
	t->thread.cpu = 2;
	packets(t);
	burner(~0u, 0);
	world_run(50 * MS);
	assert_int_equal(t->ran_on, 2);
	assert_int_equal(t->thread.cpu, 2);
}

static void one_interrupt_for_many_wake_ups(void **state)
{
	struct actor *t[8];

	world_begin(2);
	world_run(1 * MS);
	for (u32 i = 0; i < 8; i++) {
		t[i] = actor_new("t", true, consume);
		t[i]->thread.affinity = BIT(1);
		actor_start(t[i], 1);
		t[i]->thread.cpu = 1;
	}
	world_run(10 * MS);
	world_ipis = 0;
	world_cpu = 0;
	for (u32 i = 0; i < 8; i++) {
		preempt_disable();
		actor_wake(t[i]);
		preempt_enable_no_check();
	}
	assert_int_equal(world_ipis, 1);
	world_run(10 * MS);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(t[i]->woken_at, 0);
}

static u32 readings;

/* As rq_crowd_begin on the other CPU, whose clock read a little more. */
static void join_at_the_second(void)
{
	if (++readings == 2)
		run_queues[0].last_switch = world_now() + 1;
}

/* The tick found a crowd, which then was one thread for a moment: no lockup (printk fails). */
static void crowd_that_begins_during_the_tick(void **state)
{
	world_begin(2);
	burner(BIT(0), 0);
	burner(BIT(0), 0);
	world_run(20 * MS);
	world_cpu = 0;
	run_queues[0].last_switch = world_now() - 10 * MS;
	run_queues[0].help_at = ~0ull;
	readings = 0;
	world_clock_read = join_at_the_second;
	irq_disable();
	sched_tick();
	irq_enable();
	world_clock_read = NULL;
	assert_in_range(readings, 2, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_loops_get_a_cpu_each),
		cmocka_unit_test(loops_are_even_wherever_they_start),
		cmocka_unit_test(woken_where_there_is_least_to_do),
		cmocka_unit_test(nice_counts_across_cpus),
		cmocka_unit_test(those_who_take_turns_spread),
		cmocka_unit_test(three_loops_do_not_wander),
		cmocka_unit_test(a_pair_that_waits_for_each_other_stays),
		cmocka_unit_test(reader_of_a_loop_leaves_it),
		cmocka_unit_test(reader_is_woken_where_its_packet_is),
		cmocka_unit_test(reader_leaves_a_busy_cpu),
		cmocka_unit_test(reader_that_keeps_up_stays),
		cmocka_unit_test(reader_that_burns_cpu_leaves),
		cmocka_unit_test(who_mostly_sleeps_is_prompt),
		cmocka_unit_test(affinity_holds),
		cmocka_unit_test(one_interrupt_for_many_wake_ups),
		cmocka_unit_test(crowd_that_begins_during_the_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
