/* SPDX-License-Identifier: MIT */
/* machine_arch.c - include/weft/arch.h for the simulated machine: threads are stacks that are
 * switched between, the clock is a number, and an idle CPU makes the next event happen. */
#include <core/sched.h>
#include <core/vm.h>
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "world.h"

#define STACK_SIZE (512 * 1024)
#define STACKS_KEPT 64
#define CLOCK_STEP_NS 10
#define RELAX_NS 5000

struct cpu sim_cpu = { .online = 1 };
u32 nr_cpus = 1, nr_cpus_present = 1;
char boot_stack[16], boot_stack_top[16];

/* ---- stacks and switches ---- */

static struct fiber boot_fiber;
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

/* The process's own stack becomes a thread: it goes on in sim_boot(). */
static void adopt_marker(void *arg)
{
	abort();
}

void arch_thread_init(struct thread *t, void (*fn)(void *arg), void *arg)
{
	struct fiber *f;

	if (t->kfn == (int (*)(void *))(void *)adopt_marker) {
		t->arch.fpu = &world_first;
		return;
	}
	f = calloc(1, sizeof(*f));
	fiber_prepare(f, t->kstack, STACK_SIZE, fn, arg);
	t->arch.fpu = f;
}

void arch_thread_free(struct thread *t)
{
	if (t->arch.fpu != &world_first)
		free(t->arch.fpu);
}

void arch_switch(struct thread *prev, struct thread *next)
{
	sim_cpu.current = next;
	fiber_switch(next->arch.fpu ? next->arch.fpu : &boot_fiber);
}

void mm_switch(struct proc_mm *prev, struct proc_mm *next)
{
}

/* ---- the clock and what happens in time ---- */

static struct world_machine machine = { .last_words = machine_log_tail };

u64 arch_clock_ns(void)
{
	return world_step(CLOCK_STEP_NS);
}

static u64 timer_writes;

void arch_timer_set(u64 deadline_ns)
{
	machine.timer_at = deadline_ns;
	timer_writes++;
}

u64 sim_timer_at(void)
{
	return machine.timer_at;
}

u64 sim_timer_writes(void)
{
	return timer_writes;
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
	machine.irq = true;
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
	if (list_empty(&irqs_pending)) {
		machine.irq = false;
		world_wait(&machine);
	}
	if (list_empty(&irqs_pending) && machine.timer_at && machine.timer_at <= sim_now()) {
		machine.timer_at = 0;
		irq_enter();
		timer_interrupt();
		irq_exit(false);
	}
	irq_enable();
}

/* An idle CPU that polls: a moment passes, in which others run. */
void cpu_relax(void)
{
	u64 timer = machine.timer_at, until = sim_now() + RELAX_NS;
	unsigned long flags = irq_save();

	if (list_empty(&irqs_pending)) {
		machine.irq = false;
		machine.timer_at = timer && timer < until ? timer : until;
		world_wait(&machine);
		machine.timer_at = timer;
	}
	if (list_empty(&irqs_pending) && timer && timer <= sim_now()) {
		machine.timer_at = 0;
		irq_enter();
		timer_interrupt();
		irq_exit(false);
	}
	irq_restore(flags);
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
	t = kthread_run((int (*)(void *))arg, NULL, "test");
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
	world_add(&machine);
	fiber_prepare(&boot_fiber, kstack_alloc(), STACK_SIZE, boot_main, (void *)adopt_marker);
	fiber_switch(&boot_fiber);
	thread_first_run();
	machine_core_start();
}

void machine_start(int (*first)(void *arg))
{
	sim_cpu.irqs_off = true;
	world_add(&machine);
	fiber_prepare(&boot_fiber, kstack_alloc(), STACK_SIZE, boot_main, (void *)first);
	machine.idle = &boot_fiber;
	machine.irq = true; /* it begins when the one who started it waits */
}

void sim_run(u64 ns)
{
	sleep_ns(ns);
}
