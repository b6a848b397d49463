/* SPDX-License-Identifier: MIT */
/* test_poller.c - the poll context: nothing scheduled is lost, not even between a poller's last
 * look and its end; batches are closed once, in order; what is too much goes to the thread. */
/* cflags: -Itests/host/module */
/* sources: kernel/net/poller.c kernel/net/poll_idle.c kernel/module/list.c
 * tests/host/fake_module_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <core/net.h>
#include <core/sched.h>
#include <weft/poller.h>

#include "fake_module_env.h"
#include "kernel/net/poller_internal.h"

static char trace[256];
static u32 work, again_once;
static int (*thread_fn)(void *arg);
static void *thread_arg;
static u32 timer_runs;

static u32 nr_running, turns;
static bool polling;
static struct timer *guard; /* armed */

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
	guard = NULL;
}

void timer_set(struct timer *t, u64 expires_ns)
{
	t->expires = expires_ns;
	t->heap_index = 1;
	guard = t;
}

void timers_run(void)
{
	struct timer *t = guard;

	timer_runs++;
	if (t && t->expires <= ktime_get()) {
		guard = NULL;
		t->heap_index = 0;
		t->fn(t);
	}
}

u32 sched_nr_running(void)
{
	return nr_running;
}

bool sched_kicked(void)
{
	return false;
}

void sched_poll_begin(u64 now)
{
	polling = true;
}

void sched_poll_end(u64 now)
{
	polling = false;
}

void rcu_note_quiescent(void)
{
	turns++;
}

void yield(void)
{
	thread_fn = NULL;
}

bool kthread_should_stop(void)
{
	return !thread_fn;
}

struct thread *kthread_run_on(u32 cpu, int (*fn)(void *arg), void *arg, const char *fmt, ...)
{
	thread_fn = fn;
	thread_arg = arg;
	return (struct thread *)&work;
}

static void note(const char *what)
{
	strncat(trace, what, sizeof(trace) - strlen(trace) - 1);
}

static u32 take(struct poller *p, u32 budget)
{
	u32 n = min(work, budget);

	assert_true(in_poll_context());
	note("p");
	work -= n;
	if (again_once) { /* the device interrupts just as the poller ends */
		again_once = 0;
		work = 1;
		poller_schedule(p);
	}
	return n;
}

static void flush(struct poller *p)
{
	note("f");
}

static void end_fn(struct batch_end *b)
{
	note("e");
}

static struct poller poller = { .poll = take, .flush = flush, .name = "test" };
static struct batch_end end = { .fn = end_fn };

static int fresh(void **state)
{
	trace[0] = '\0';
	work = again_once = 0;
	memset(poll_cpus, 0, sizeof(poll_cpus));
	pollers_init_cpu();
	poller_add(&poller);
	return 0;
}

static void one_batch(void **state)
{
	work = 10;
	poller_schedule(&poller);
	poller_schedule(&poller);
	assert_string_equal(trace, "");
	poll_run_pending();
	assert_int_equal(work, 0);
	assert_string_equal(trace, "pf");
	poll_run_pending();
	assert_string_equal(trace, "pf");
	assert_true(timer_runs >= 2);
}

static void rounds_until_drained(void **state)
{
	work = 2 * POLLER_BUDGET + 3;
	poller_schedule(&poller);
	poll_run_pending();
	assert_string_equal(trace, "pppf");
}

static void missed_is_seen(void **state)
{
	work = 1;
	again_once = 1;
	poller_schedule(&poller);
	poll_run_pending();
	assert_int_equal(work, 0);
	assert_string_equal(trace, "pfpf");
}

static u32 take_and_end(struct poller *p, u32 budget)
{
	batch_end_add(&end);
	batch_end_add(&end);
	return take(p, budget);
}

static void ends_once_before_flush(void **state)
{
	poller.poll = take_and_end;
	work = POLLER_BUDGET + 1;
	poller_schedule(&poller);
	poll_run_pending();
	assert_string_equal(trace, "ppef");
	poller.poll = take;
	/* in process context at once */
	batch_end_add(&end);
	assert_string_equal(trace, "ppefe");
}

static void removed_is_not_polled(void **state)
{
	poller_remove(&poller);
	work = 1;
	poller_schedule(&poller);
	poll_run_pending();
	assert_string_equal(trace, "");
}

/* A device that an idle CPU may watch. */
static bool masked, came_before_rest, interrupts_at_rest;
static u32 arrives_in; /* turns until a packet comes; 0: none */
static u32 runs_thread_at, held_up_at;

static bool dev_rest(struct poller *p)
{
	note("r");
	if (came_before_rest) {
		came_before_rest = false;
		work = 1;
		return true;
	}
	masked = false;
	if (interrupts_at_rest) { /* as soon as it may */
		interrupts_at_rest = false;
		masked = true;
		work = 1;
		poller_schedule(p);
	}
	return false;
}

static void dev_watch(struct poller *p)
{
	if (!masked)
		note("w");
	masked = true;
}

static bool dev_pending(struct poller *p)
{
	assert_true(masked);
	return work != 0;
}

static struct poller dev = {
	.poll = take,
	.rest = dev_rest,
	.watch = dev_watch,
	.pending = dev_pending,
	.name = "device",
};

static void relax(void)
{
	assert_true(polling);
	sleep_ns(10 * NSEC_PER_USEC);
	if (arrives_in && !--arrives_in)
		work = 1;
	if (runs_thread_at && !--runs_thread_at)
		nr_running = 1;
	if (held_up_at && !--held_up_at)
		sleep_ns(5 * NSEC_PER_MSEC);
}

static void interrupt(void)
{
	assert_false(masked);
	masked = true;
	work = 1;
	poller_schedule(&dev);
	poll_run_pending();
	assert_false(masked);
}

static void dev_fresh(void)
{
	env_relax = relax;
	masked = came_before_rest = interrupts_at_rest = false;
	nr_running = arrives_in = runs_thread_at = held_up_at = turns = 0;
	sleep_ns(NSEC_PER_SEC);
	poller_add(&dev);
}

static void seldom_work_is_not_watched_for(void **state)
{
	dev_fresh();
	for (u32 i = 0; i < 3; i++) {
		interrupt();
		poll_idle();
		sleep_ns(20 * NSEC_PER_MSEC);
		poll_idle();
	}
	assert_string_equal(trace, "prprpr");
	assert_int_equal(turns, 0);
	poller_remove(&dev);
}

static void frequent_work_is_caught_without_interrupts(void **state)
{
	dev_fresh();
	interrupt();
	sleep_ns(100 * NSEC_PER_USEC);
	interrupt();
	trace[0] = '\0';
	/* watched, caught, then nothing more: rest, and not again */
	arrives_in = 3;
	poll_idle();
	assert_string_equal(trace, "wpr");
	assert_true(turns > 5);
	assert_false(masked || polling);
	poll_idle();
	poll_idle();
	poll_idle();
	assert_string_equal(trace, "wpr");
	/* what came just before the rest is taken at once */
	interrupt();
	interrupt();
	trace[0] = '\0';
	came_before_rest = true;
	poll_idle();
	poll_run_pending();
	assert_string_equal(trace, "wrpr");
	assert_false(masked);
	poller_remove(&dev);
}

/* The device is masked then, so nothing but this run will ever look at it. */
static void an_interrupt_at_the_rest_is_served(void **state)
{
	dev_fresh();
	interrupt();
	interrupt();
	trace[0] = '\0';
	interrupts_at_rest = true;
	poll_idle();
	assert_true(env_pending & CPU_PENDING_POLL);
	poll_run_pending();
	assert_string_equal(trace, "wrpr");
	assert_int_equal(work, 0);
	assert_false(masked);
	poller_remove(&dev);
}

static bool owes;

static bool dev_owed(struct poller *p)
{
	return owes;
}

/* It is not waited for long, and then it may run. */
static void a_late_device_ends_the_watch(void **state)
{
	u32 patient;

	dev_fresh();
	interrupt();
	interrupt();
	dev.owed = dev_owed;
	owes = false;
	trace[0] = '\0';
	poll_idle();
	patient = turns;
	turns = 0;
	owes = true;
	interrupt();
	interrupt();
	poll_idle();
	assert_string_equal(trace, "wrprprwr");
	assert_true(turns > 1 && turns < patient / 2);
	assert_false(masked || polling);
	dev.owed = NULL;
	poller_remove(&dev);
}

/* A host took the CPU away, and the time with it: the packet has not had its time to come. */
static void time_that_the_host_took_is_not_waited(void **state)
{
	dev_fresh();
	interrupt();
	interrupt();
	trace[0] = '\0';
	held_up_at = 1;
	arrives_in = runs_thread_at = 4;
	poll_idle();
	assert_memory_equal(trace, "wp", 2);
	nr_running = 0;
	poll_idle(); /* in vain */
	poller_remove(&dev);
}

static u32 free_poll(struct poller *p, u32 budget)
{
	(void)budget;
	(void)p;
	note("P");
	return 1;
}

static void free_watch(struct poller *p)
{
	(void)p;
	note("W");
}

static bool free_pending(struct poller *p)
{
	(void)p;
	return false;
}

/* Its interrupt does not mask it; it comes while another one is watched. */
static void one_that_joins_the_watch_is_masked(void **state)
{
	struct poller other = {
		.poll = free_poll,
		.rest = dev_rest,
		.watch = free_watch,
		.pending = free_pending,
	};

	dev_fresh();
	poller_add(&other);
	interrupt();
	interrupt();
	trace[0] = '\0';
	poller_schedule(&other);
	arrives_in = 2;
	poll_idle();
	assert_string_equal(trace, "wPpWrr");
	poller_remove(&other);
	poller_remove(&dev);
}

static void a_thread_ends_the_watch(void **state)
{
	dev_fresh();
	interrupt();
	interrupt();
	trace[0] = '\0';
	runs_thread_at = 3;
	poll_idle();
	assert_string_equal(trace, "wr");
	nr_running = 0;
	poller_remove(&dev);
	poll_idle();
	assert_string_equal(trace, "wr");
}

/* A packet comes, and the thread that it wakes has the CPU for ns. */
static void packet_and_thread(u64 ns)
{
	runs_thread_at = arrives_in = 2;
	poll_idle();
	assert_false(polling);
	assert_int_equal(work, 0);
	sleep_ns(ns);
	nr_running = 0;
}

/* How many packets have to come by interrupts before it is watched. */
static u32 interrupts_until_watched(void)
{
	u32 n = 0;

	do {
		interrupt();
		trace[0] = '\0';
		poll_idle();
		n++;
	} while (!strchr(trace, 'w') && n < 100);
	return n;
}

static void who_is_watched_in_vain_is_left_to_interrupt(void **state)
{
	u32 n, before;

	dev_fresh();
	interrupt();
	assert_int_equal(interrupts_until_watched(), 1);
	for (n = before = 0; n < 8; n++)
		before = interrupts_until_watched();
	assert_in_range(before, 4, 16);
	/* that is forgotten when it pays again */
	for (u32 i = 0; i < 5; i++) {
		for (n = 0; n < before; n++)
			interrupt();
		for (n = 0; n < 10; n++)
			packet_and_thread(10 * NSEC_PER_USEC);
		poll_idle();
		assert_false(masked);
	}
	assert_in_range(interrupts_until_watched(), 1, before / 2);
	poller_remove(&dev);
}

static void devices_are_held_while_threads_are_brief(void **state)
{
	dev_fresh();
	interrupt();
	interrupt();
	trace[0] = '\0';
	packet_and_thread(20 * NSEC_PER_USEC); /* nothing is known of the one before */
	assert_string_equal(trace, "wpr");
	packet_and_thread(20 * NSEC_PER_USEC);
	packet_and_thread(20 * NSEC_PER_USEC);
	packet_and_thread(20 * NSEC_PER_USEC);
	assert_string_equal(trace, "wprwppp");
	assert_true(masked && poll_holding());
	/* the timer comes early, and again */
	assert_non_null(guard);
	while (guard->expires > ktime_get() + 60 * NSEC_PER_USEC)
		packet_and_thread(10 * NSEC_PER_USEC);
	packet_and_thread(60 * NSEC_PER_USEC);
	assert_true(guard->expires <= ktime_get());
	poll_run_pending();
	assert_true(masked && guard && guard->expires > ktime_get());
	/* this thread is not brief; what came meanwhile is found by its device's interrupt */
	trace[0] = '\0';
	sleep_ns(guard->expires - ktime_get());
	came_before_rest = true;
	poll_run_pending();
	assert_string_equal(trace, "rpr");
	assert_false(masked || poll_holding() || guard);
	/* nor is the next one trusted */
	trace[0] = '\0';
	packet_and_thread(0);
	assert_string_equal(trace, "wpr");
	poller_remove(&dev);
}

/* How long the guard waits after threads have been brief for that long. */
static u64 guard_after(u64 ns)
{
	u64 until = ktime_get() + ns;

	for (;;) {
		packet_and_thread(10 * NSEC_PER_USEC);
		assert_non_null(guard);
		if (guard->expires <= ktime_get())
			poll_run_pending();
		else if (ktime_get() >= until)
			break;
	}
	guard->fn(guard);
	return guard->expires - ktime_get();
}

static void the_guard_comes_less_often_where_threads_stay_brief(void **state)
{
	u64 at_first;

	dev_fresh();
	interrupt();
	interrupt();
	packet_and_thread(20 * NSEC_PER_USEC);
	packet_and_thread(20 * NSEC_PER_USEC);
	assert_true(masked && guard);
	at_first = guard->expires - ktime_get();
	assert_true(at_first <= 500 * NSEC_PER_USEC);
	assert_in_range(guard_after(30 * NSEC_PER_MSEC), 4 * at_first, 4 * NSEC_PER_MSEC);
	/* a long one: as at first */
	packet_and_thread(NSEC_PER_MSEC);
	packet_and_thread(10 * NSEC_PER_USEC);
	assert_false(masked);
	guard->heap_index = 0;
	guard = NULL;
	interrupt();
	packet_and_thread(10 * NSEC_PER_USEC);
	assert_true(masked);
	assert_true(guard->expires - ktime_get() < 2 * at_first);
	poll_idle(); /* in vain */
	poller_remove(&dev);
}

static void a_halt_between_them_does_not_make_threads_long(void **state)
{
	dev_fresh();
	interrupt();
	interrupt();
	packet_and_thread(20 * NSEC_PER_USEC);
	packet_and_thread(20 * NSEC_PER_USEC);
	assert_true(masked && poll_holding());
	poll_idle(); /* in vain */
	assert_false(masked || poll_holding());
	sleep_ns(100 * NSEC_PER_USEC);
	interrupt();
	trace[0] = '\0';
	sleep_ns(20 * NSEC_PER_USEC);
	packet_and_thread(20 * NSEC_PER_USEC);
	assert_string_equal(trace, "wp");
	/* and one that is long is still noticed */
	sleep_ns(NSEC_PER_MSEC);
	packet_and_thread(0);
	assert_string_equal(trace, "wppr");
	poller_remove(&dev);
}

/* In process context as well ends are put off until the batch is over. */
static void process_batches(void **state)
{
	batch_begin();
	batch_begin();
	batch_end_add(&end);
	batch_end_add(&end);
	batch_finish();
	assert_string_equal(trace, "");
	batch_finish();
	assert_string_equal(trace, "e");
	/* sleeping ends it */
	batch_begin();
	batch_end_add(&end);
	batch_flush();
	assert_string_equal(trace, "ee");
	/* a run of the poll context in between too */
	batch_end_add(&end);
	poll_run_pending();
	assert_string_equal(trace, "eee");
	batch_finish();
	assert_string_equal(trace, "eee");
}

static void too_much_goes_to_the_thread(void **state)
{
	int (*fn)(void *arg);
	u32 polls = 0, rounds;
	char *p;

	nr_running = 1; /* somebody wants the CPU */
	pollers_start();
	work = 7 * POLLER_BUDGET;
	poller_schedule(&poller);
	poll_run_pending();
	assert_true(work > 0);
	strcpy(trace, "");
	poll_run_pending(); /* timers only: the thread has the rest */
	assert_string_equal(trace, "");
	/* a round at a time, so that readers come in between */
	fn = thread_fn;
	for (rounds = 0; work; rounds++) {
		thread_fn = fn;
		fn(thread_arg);
	}
	for (p = trace; *p; p++)
		polls += *p == 'p';
	assert_int_equal(polls, 6);
	assert_in_range(rounds, 6, 7);
	thread_fn = fn;
	fn(thread_arg); /* finds that it is over */
	strcpy(trace, "");
	work = 1;
	poller_schedule(&poller);
	poll_run_pending();
	assert_string_equal(trace, "pf");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		T(one_batch),
		T(rounds_until_drained),
		T(missed_is_seen),
		T(ends_once_before_flush),
		T(removed_is_not_polled),
		T(seldom_work_is_not_watched_for),
		T(frequent_work_is_caught_without_interrupts),
		T(an_interrupt_at_the_rest_is_served),
		T(who_is_watched_in_vain_is_left_to_interrupt),
		T(time_that_the_host_took_is_not_waited),
		T(one_that_joins_the_watch_is_masked),
		T(a_late_device_ends_the_watch),
		T(a_thread_ends_the_watch),
		T(devices_are_held_while_threads_are_brief),
		T(the_guard_comes_less_often_where_threads_stay_brief),
		T(a_halt_between_them_does_not_make_threads_long),
		T(process_batches),
		T(too_much_goes_to_the_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
