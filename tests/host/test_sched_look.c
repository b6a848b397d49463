/* SPDX-License-Identifier: MIT */
/* test_sched_look.c - a thread that goes to sleep on an idle CPU looks for packets itself: it is
 * not switched away from when they wake it, and to all others that CPU is idle meanwhile. */
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

static struct actor *sleeper, *other;
static u32 looks;

static void nap(struct actor *a)
{
	a->work = !a->work;
	if (a->work)
		act_run(a, 50 * US);
	else
		act_sleep(a, 0);
}

static void packet_for(struct actor *a)
{
	cpu_batch_add(CPU_BATCH_POLL);
	actor_wake(a);
	cpu_batch_add(-(u32)CPU_BATCH_POLL);
}

/* Polls as poll_idle() does: work_fn is what comes after 80 us. */
static bool look(void (*work_fn)(void))
{
	bool wanted;

	looks++;
	sched_poll_begin(world_now());
	assert_int_equal(sched_nr_running(), 0);
	world_spin(80 * US);
	if (work_fn)
		work_fn();
	wanted = sched_nr_running() || sched_kicked();
	sched_poll_end(world_now());
	return wanted;
}

static void wake_sleeper(void)
{
	assert_int_equal(sched_runnable(), 0);
	packet_for(sleeper);
	assert_int_equal(sched_nr_running(), 1);
	assert_int_equal(sched_runnable(), 1);
}

static bool look_wake_sleeper(void)
{
	/* the idle thread has its own turn at the very beginning */
	return current() == &sleeper->thread && look(wake_sleeper);
}

static void a_sleeper_woken_by_what_it_finds_is_not_switched(void **state)
{
	world_begin(1);
	sleeper = actor_new("sleeper", true, nap);
	looks = 0;
	world_poll = look_wake_sleeper;
	actor_start(sleeper, 0);
	world_run(1 * MS);
	assert_in_range(looks, 7, 8);
	assert_int_equal(sched_switches(), 1);
	assert_int_equal(sleeper->thread.nvcsw, looks);
	assert_int_equal(run_queues[0].nr, 1);
	assert_int_equal(run_queues[0].polling, 0);
	assert_true(run_queues[0].tick); /* its mode is sampled still */
	/* what it spent on looking is not its time */
	assert_in_range(used(sleeper), 50 * US * looks, 50 * US * (looks + 1));
}

static bool look_in_vain(void)
{
	if (current() == &sleeper->thread)
		return look(NULL);
	looks++;
	return false;
}

static void in_vain_once_before_the_cpu_halts(void **state)
{
	world_begin(1);
	sleeper = actor_new("sleeper", true, nap);
	actor_start(sleeper, 0);
	looks = 0;
	world_poll = look_in_vain;
	world_run(1 * MS);
	assert_int_equal(looks, 1);
	assert_int_equal(run_queues[0].nr, 0);
	assert_ptr_equal(run_queues[0].curr, run_queues[0].idle);
	assert_true(run_queues[0].idling);
	world_later(0, 10 * US, actor_wake, sleeper);
	world_run(1 * MS);
	assert_int_equal(sleeper->steps, 4);
}

static void wake_other(void)
{
	packet_for(other);
	assert_int_equal(sched_nr_running(), 1);
	assert_true(cpu_pending() & CPU_PENDING_RESCHED);
}

static bool look_wake_other(void)
{
	return current() == &sleeper->thread && look(wake_other);
}

static void another_one_ends_the_look(void **state)
{
	world_begin(1);
	sleeper = actor_new("sleeper", true, nap);
	other = actor_new("other", true, burn);
	world_poll = look_wake_other;
	actor_start(sleeper, 0);
	world_run(1 * MS);
	assert_ptr_equal(run_queues[0].curr, &other->thread);
	assert_int_equal(run_queues[0].nr, 1);
	assert_int_equal(run_queues[0].load, 1024);
	assert_false(sleeper->thread.on_rq);
	assert_int_equal(sleeper->thread.state, THREAD_BLOCKED);
	assert_int_equal(other->late_ns, 0);
	actor_wake(sleeper);
	assert_int_equal(run_queues[0].nr, 2);
}

static void wake_both(void)
{
	packet_for(other);
	packet_for(sleeper);
	assert_int_equal(sched_nr_running(), 2);
}

static bool look_wake_both(void)
{
	return sleeper->thread.state != THREAD_RUNNING && other->thread.state != THREAD_RUNNING &&
	       current() != run_queues[0].idle && look(wake_both);
}

static void both_run_when_both_are_woken(void **state)
{
	world_begin(1);
	sleeper = actor_new("sleeper", true, nap);
	other = actor_new("other", true, nap);
	world_poll = look_wake_both;
	actor_start(sleeper, 0);
	world_run(10 * MS);
	assert_in_range(sleeper->wakes, 40, 60);
	assert_in_range(other->wakes, 40, 60);
	assert_in_range(other->worst_ns, 0, 60 * US);
	assert_in_range(run_queues[0].nr, 0, 2);
}

/* CPU 1 meanwhile */
static void wake_from_afar(void)
{
	world_ipis = 0;
	world_cpu = 1;
	assert_true(thread_wake(&sleeper->thread));
	world_cpu = 0;
	assert_int_equal(world_ipis, 0);
	assert_int_equal(sched_nr_running(), 1);
}

static bool look_wake_from_afar(void)
{
	return world_cpu == 0 && current() == &sleeper->thread && look(wake_from_afar);
}

static void woken_by_another_cpu_where_it_looks(void **state)
{
	world_begin(2);
	burner(BIT(1), 0);
	world_run(1 * MS);
	sleeper = actor_new("sleeper", true, nap);
	looks = 0;
	world_poll = look_wake_from_afar;
	actor_start(sleeper, 0);
	world_run(1 * MS);
	assert_in_range(looks, 7, 8);
	assert_int_equal(sleeper->migrations, 0);
	assert_int_equal(world_ipis, 0);
}

/* It runs on CPU 1 beside a burner as long as CPU 0 is not seen to be idle. */
static void put_other_here(void)
{
	world_ipis = 0;
	world_cpu = 1;
	actor_wake(other);
	world_cpu = 0;
	assert_int_equal(other->thread.cpu, 0);
	assert_int_equal(world_ipis, 0);
	assert_true(sched_kicked());
}

static bool look_put_other_here(void)
{
	return world_cpu == 0 && current() == &sleeper->thread && look(put_other_here);
}

static void a_cpu_that_looks_is_idle_to_others(void **state)
{
	world_begin(2);
	burner(BIT(1), 0);
	world_run(1 * MS);
	sleeper = actor_new("sleeper", true, nap);
	other = actor_new("other", true, burn);
	other->thread.cpu = 1;
	other->thread.apart = 1;
	world_poll = look_put_other_here;
	actor_start(sleeper, 0);
	world_run(1 * MS);
	assert_ptr_equal(run_queues[0].curr, &other->thread);
	assert_int_equal(run_queues[0].kick, 0);
	assert_false(sleeper->thread.on_rq);
}

static void kick_sleeper(void)
{
	world_cpu = 1;
	thread_kick(&sleeper->thread);
	world_cpu = 0;
	packet_for(sleeper);
}

static bool look_kick_sleeper(void)
{
	return world_cpu == 0 && current() == &sleeper->thread && look(kick_sleeper);
}

static void a_kick_is_not_lost(void **state)
{
	world_begin(2);
	sleeper = actor_new("sleeper", true, nap);
	sleeper->thread.affinity = BIT(0);
	world_poll = look_kick_sleeper;
	actor_start(sleeper, 0);
	world_run(1 * MS);
	assert_int_equal(run_queues[0].kick, 0);
	assert_in_range(sleeper->wakes, 6, 8);
}

static bool look_never(void)
{
	assert_ptr_not_equal(current(), &sleeper->thread);
	return false;
}

static void who_is_to_leave_does_not_look(void **state)
{
	world_begin(2);
	world_poll = look_never;
	sleeper = actor_new("sleeper", true, nap);
	actor_start(sleeper, 0);
	world_run(10 * US);
	sleeper->thread.affinity = BIT(1);
	world_run(1 * MS);
	assert_false(sleeper->thread.on_rq);
	preempt_disable();
	actor_wake(sleeper);
	preempt_enable_no_check();
	world_run(10 * US);
	assert_int_equal(sleeper->ran_on, 1);
	sleeper->thread.user_work = USER_WORK_SIGNAL;
	world_run(1 * MS);
	assert_false(sleeper->thread.on_rq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeper_woken_by_what_it_finds_is_not_switched),
		cmocka_unit_test(in_vain_once_before_the_cpu_halts),
		cmocka_unit_test(another_one_ends_the_look),
		cmocka_unit_test(both_run_when_both_are_woken),
		cmocka_unit_test(woken_by_another_cpu_where_it_looks),
		cmocka_unit_test(a_cpu_that_looks_is_idle_to_others),
		cmocka_unit_test(a_kick_is_not_lost),
		cmocka_unit_test(who_is_to_leave_does_not_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
