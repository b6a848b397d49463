/* SPDX-License-Identifier: MIT */
/* machine_arch.c - include/weft/arch.h for the simulated machine: threads are stacks that are
 * switched between, the clock is a number, and an idle CPU makes the next event happen. */
#define _GNU_SOURCE
#include <core/sched.h>
#include <core/vm.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "machine.h"

#define STACK_SIZE (512 * 1024)
#define STACKS_KEPT 16
#define CLOCK_STEP_NS 10

struct cpu sim_cpu = { .online = 1 };
u32 nr_cpus = 1, nr_cpus_present = 1;
char boot_stack[16], boot_stack_top[16];

/* ---- stacks and switches ---- */

struct fiber {
	ucontext_t context;
	void (*fn)(void *arg);
	void *arg;
	void *fake_stack;
	const void *stack; /* what the address sanitizer is told */
	size_t stack_size;
};

static struct fiber boot_fiber, *running, *left;
static void *kept[STACKS_KEPT];
static u32 nr_kept;

void *kstack_alloc(void)
{
	if (nr_kept)
		return kept[--nr_kept];
	return malloc(STACK_SIZE);
}

void kstack_free(void *stack)
{
	if (stack && nr_kept < STACKS_KEPT)
		kept[nr_kept++] = stack;
	else
		free(stack);
}

static void fiber_arrive(void)
{
	const void *old_stack;
	size_t old_size;

	__sanitizer_finish_switch_fiber(running->fake_stack, &old_stack, &old_size);
	/* the process's first stack is only known by leaving it */
	left->stack = old_stack;
	left->stack_size = old_size;
}

static void fiber_entry(void)
{
	fiber_arrive();
	running->fn(running->arg);
	abort();
}

static void fiber_switch(struct fiber *from, struct fiber *to)
{
	running = to;
	left = from;
	__sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
	swapcontext(&from->context, &to->context);
	fiber_arrive();
}

static void fiber_prepare(struct fiber *f, void *stack, void (*fn)(void *), void *arg)
{
	getcontext(&f->context);
	f->fn = fn;
	f->arg = arg;
	f->stack = stack;
	f->stack_size = STACK_SIZE;
	f->context.uc_stack.ss_sp = stack;
	f->context.uc_stack.ss_size = STACK_SIZE;
	makecontext(&f->context, fiber_entry, 0);
}

static struct fiber main_fiber;

/* The process's own stack becomes a thread: it goes on in sim_boot(). */
static void adopt_marker(void *arg)
{
	abort();
}

void arch_thread_init(struct thread *t, void (*fn)(void *arg), void *arg)
{
	struct fiber *f;

	if (t->kfn == (int (*)(void *))(void *)adopt_marker) {
		t->arch.fpu = &main_fiber;
		return;
	}
	f = calloc(1, sizeof(*f));
	fiber_prepare(f, t->kstack, fn, arg);
	t->arch.fpu = f;
}

void arch_thread_free(struct thread *t)
{
	if (t->arch.fpu != &main_fiber)
		free(t->arch.fpu);
}

void arch_switch(struct thread *prev, struct thread *next)
{
	struct fiber *to = next->arch.fpu ? next->arch.fpu : &boot_fiber;

	sim_cpu.current = next;
	fiber_switch(running, to);
	(void)prev;
}

void mm_switch(struct proc_mm *prev, struct proc_mm *next)
{
}

/* ---- the clock and what happens in time ---- */

static u64 now = 1000000;
static u64 timer_at;	  /* the one-shot timer, 0: off */
static LIST_HEAD(events); /* by time */

u64 arch_clock_ns(void)
{
	now += CLOCK_STEP_NS;
	return now;
}

u64 sim_now(void)
{
	return now;
}

void arch_timer_set(u64 deadline_ns)
{
	timer_at = deadline_ns;
}

void sim_event_set(struct sim_event *e, u64 at)
{
	struct sim_event *pos;

	sim_event_cancel(e);
	e->at = at;
	list_for_each_entry(pos, &events, node) {
		if (pos->at > at)
			break;
	}
	list_add_tail(&e->node, &pos->node);
}

void sim_event_cancel(struct sim_event *e)
{
	if (e->node.next)
		list_del(&e->node);
}

/* ---- interrupts ---- */

static LIST_HEAD(irqs_pending);

static void deliver(void)
{
	while (!list_empty(&irqs_pending)) {
		struct sim_irq *irq = list_first_entry(&irqs_pending, struct sim_irq, node);

		list_del(&irq->node);
		irq->pending = false;
		sim_cpu.irqs_off = true;
		irq_enter();
		irq->fn(irq->arg);
		irq_exit(false);
	}
}

void irq_enable(void)
{
	if (!list_empty(&irqs_pending))
		deliver();
	sim_cpu.irqs_off = false;
}

void sim_irq_raise(struct sim_irq *irq)
{
	if (irq->pending)
		return;
	irq->pending = true;
	list_add_tail(&irq->node, &irqs_pending);
	if (irqs_enabled())
		irq_enable();
}

void sim_irq_drop(struct sim_irq *irq)
{
	if (irq->pending)
		list_del(&irq->node);
	irq->pending = false;
}

void arch_idle_wait(void)
{
	struct sim_event *e = list_first_entry_or_null(&events, struct sim_event, node);

	if (!list_empty(&irqs_pending)) {
		irq_enable();
		return;
	}
	if (!e && !timer_at)
		sim_fatal("every thread sleeps and nothing will ever happen");
	if (e && (!timer_at || e->at < timer_at)) {
		now = max(now, e->at);
		list_del(&e->node);
		e->fn(e);
	} else {
		now = max(now, timer_at);
		timer_at = 0;
		irq_enter();
		timer_interrupt();
		irq_exit(false);
	}
	irq_enable();
}

void sim_preempt_underflow(void)
{
	sim_fatal("preempt_enable() without preempt_disable()");
}

void arch_send_resched(u32 cpu)
{
}

void backtrace_here(void)
{
	__sanitizer_print_stack_trace();
}

/* ---- boot ---- */

/* The idle thread: all that the kernel's start-up does for what is simulated here. */
static void boot_main(void *arg)
{
	struct thread *t;

	sched_init();
	timers_init_cpu();
	pollers_init_cpu();
	machine_core_init();
	rcu_init();
	workqueue_init();
	t = kthread_run((int (*)(void *))(void *)adopt_marker, NULL, "test");
	if (IS_ERR(t))
		abort();
	irq_enable();
	cpu_idle();
}

void sim_boot(void)
{
	static bool booted;

	if (booted)
		return;
	booted = true;
	sim_cpu.irqs_off = true;
	fiber_prepare(&boot_fiber, kstack_alloc(), boot_main, NULL);
	fiber_switch(&main_fiber, &boot_fiber);
	thread_first_run();
}

void sim_run(u64 ns)
{
	sleep_ns(ns);
}

void sim_settle(void)
{
	u32 i;

	for (i = 0; i < 20; i++)
		sleep_ns(100);
}
