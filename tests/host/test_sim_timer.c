/* SPDX-License-Identifier: MIT */
/* test_sim_timer.c - the CPU's one hardware timer: written once for each expiry of a timer that
 * sets itself again, the tick stays armed where the poll context has to wait, none is late. */
#include "stack.h"

#include <core/sched.h>

#define PERIOD (5 * NSEC_PER_MSEC)

static struct timer again;
static u32 fired;
static u64 due_at, latest;

static void fn(struct timer *t)
{
	u64 now = ktime_get();

	fired++;
	latest = max(latest, now - due_at);
	due_at = now + PERIOD;
	timer_set(t, due_at);
}

static void start(void)
{
	sim_boot();
	fired = 0;
	latest = 0;
	timer_init(&again, fn);
	due_at = ktime_get() + PERIOD;
	timer_set(&again, due_at);
}

static void the_hardware_is_written_once_an_expiry(void **state)
{
	u64 writes;

	start();
	/* with a tick that is due later than it */
	timer_tick_set(ktime_get() + 10 * NSEC_PER_SEC);
	writes = sim_timer_writes();
	sim_run_s(1);
	writes = sim_timer_writes() - writes;
	assert_in_range(fired, 190, 201);
	assert_in_range(writes, fired, fired + 5);
	assert_true(latest <= NSEC_PER_MSEC);
	timer_cancel_sync(&again);
}

static void the_tick_comes_while_the_poll_context_waits(void **state)
{
	u64 armed;

	start();
	preempt_disable();
	timer_tick_set(ktime_get() + 2 * PERIOD);
	irq_disable();
	while (ktime_get() < due_at)
		;
	irq_enter();
	timer_interrupt();
	armed = sim_timer_at();
	irq_exit(false);
	irq_enable();
	assert_int_equal(fired, 0);
	assert_true(armed > due_at);
	preempt_enable();
	sim_run_ms(1);
	assert_true(fired);
	timer_cancel_sync(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hardware_is_written_once_an_expiry),
		cmocka_unit_test(the_tick_comes_while_the_poll_context_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
