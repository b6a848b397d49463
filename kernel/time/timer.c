/* SPDX-License-Identifier: MIT */
/* timer.c - one-shot timers, a heap per CPU, run in poll context. The CPU's one hardware timer
 * serves the first of them and the scheduler's tick; it is only ever set to an earlier time, since
 * one that comes too soon costs less than writing the device whenever a timer is put off. */
#define LOG_NAME "module: "
#include "heap.h"

#include <core/module.h>
#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/work.h>

#define FIRST_SLOTS 64

struct timer_cpu {
	/* guarded by lock */
	struct spinlock lock;
	struct timer_heap heap;
	struct timer *running; /* its fn is being called; only compared */
	u64 running_fn;	       /* that fn */
	struct timer *slots[FIRST_SLOTS];
	/* this CPU's own, interrupts off */
	u64 next;  /* the first timer's time, ~0: none */
	u64 tick;  /* the scheduler's, 0: off */
	u64 armed; /* what the hardware is set to, 0: nothing */
	bool due;  /* timers_run is to come: the hardware need not */
} __cacheline_aligned;

static struct timer_cpu timer_cpus[MAX_CPUS];

u64 ktime_get(void)
{
	return arch_clock_ns();
}
EXPORT(ktime_get);

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
	list_init(&t->node);
}
EXPORT(timer_init);

/* Interrupts off, this CPU. */
static void program(struct timer_cpu *tc)
{
	u64 at = tc->due ? ~0ull : tc->next;

	if (tc->tick && tc->tick < at)
		at = tc->tick;
	if (at == ~0ull || (tc->armed && tc->armed <= at))
		return;
	tc->armed = at;
	arch_timer_set(at);
}

void timer_tick_set(u64 deadline_ns)
{
	struct timer_cpu *tc = &timer_cpus[cpu_id()];

	tc->tick = deadline_ns;
	program(tc);
}

/* tc is this CPU's and locked: takes note of its first timer. */
static void note_first_locked(struct timer_cpu *tc)
{
	struct timer *first = timer_heap_first(&tc->heap);
	unsigned long flags = irq_save();

	tc->next = first ? first->expires : ~0ull;
	program(tc);
	irq_restore(flags);
}

/* Interrupt context: will timers_run come before the interrupted code goes on, or at the next turn
 * of the idle loop? */
static bool run_follows(void)
{
	return preempt_count() == 1 || poll_watching();
}

/* Hardware interrupt. */
void timer_interrupt(void)
{
	struct timer_cpu *tc = &timer_cpus[cpu_id()];
	u64 now = ktime_get();

	tc->armed = 0;
	if (tc->next <= now) {
		tc->due = true;
		cpu_set_pending(CPU_PENDING_POLL);
	}
	if (tc->tick && tc->tick <= now) {
		tc->tick = 0;
		sched_tick();
	}
	/* what is due is mostly set again: the hardware is written once, after that */
	if (!tc->due || !run_follows())
		program(tc);
}

static __noinline void run_due(struct timer_cpu *tc)
{
	struct timer *t;
	u64 now;

	spin_lock(&tc->lock);
	/* cleared first: an interrupt from here on may find something due again */
	WRITE_ONCE(tc->due, false);
	/* what is due now and no more: thousands that are set again while they run would keep the
	 * pollers waiting for ever */
	now = ktime_get();
	while ((t = timer_heap_first(&tc->heap)) && t->expires <= now) {
		timer_heap_remove(&tc->heap, t);
		tc->running = t;
		tc->running_fn = (u64)t->fn;
		spin_unlock(&tc->lock);
		t->fn(t);
		spin_lock(&tc->lock);
		smp_store_release(&tc->running, NULL);
	}
	note_first_locked(tc);
	spin_unlock(&tc->lock);
}

void timers_run(void)
{
	struct timer_cpu *tc = &timer_cpus[cpu_id()];

	if (READ_ONCE(tc->due))
		run_due(tc);
}

/* Locks the CPU that t is or was last on; it may move while we wait. */
static struct timer_cpu *lock_timer(struct timer *t)
{
	struct timer_cpu *tc;
	u32 cpu;

	for (;;) {
		cpu = READ_ONCE(t->cpu);
		tc = &timer_cpus[cpu];
		spin_lock(&tc->lock);
		if (t->cpu == cpu)
			return tc;
		spin_unlock(&tc->lock);
	}
}

/* Room for one more before the lock is taken; without memory the overflow list serves. */
static void make_room(struct timer_cpu *tc)
{
	u32 capacity = READ_ONCE(tc->heap.capacity);
	struct timer **slots;

	if (READ_ONCE(tc->heap.count) + 2 < capacity)
		return;
	slots = kmalloc(2 * capacity * sizeof(*slots));
	if (!slots)
		return;
	spin_lock(&tc->lock);
	if (tc->heap.capacity < 2 * capacity)
		slots = timer_heap_grow(&tc->heap, slots, 2 * capacity);
	spin_unlock(&tc->lock);
	if (slots != tc->slots)
		kfree(slots);
}

void timer_set(struct timer *t, u64 expires_ns)
{
	struct timer_cpu *tc, *here;

	preempt_disable();
	here = &timer_cpus[cpu_id()];
	make_room(here);
	for (;;) {
		tc = lock_timer(t);
		/* fn is running there: it may not run here at the same time */
		if (tc == here || tc->running == t)
			break;
		if (t->heap_index)
			timer_heap_remove(&tc->heap, t);
		/* not pending now; whoever locks it next finds it here or with its new CPU */
		WRITE_ONCE(t->cpu, cpu_id());
		spin_unlock(&tc->lock);
	}
	if (t->heap_index) {
		timer_heap_move(&tc->heap, t, expires_ns);
	} else {
		t->expires = expires_ns;
		timer_heap_insert(&tc->heap, t);
	}
	/* elsewhere timers_run is at work and will look itself */
	if (tc == here && expires_ns < READ_ONCE(tc->next))
		note_first_locked(tc);
	spin_unlock(&tc->lock);
	preempt_enable();
}
EXPORT(timer_set);

bool timer_cancel(struct timer *t)
{
	struct timer_cpu *tc = lock_timer(t);
	bool pending = t->heap_index != 0;

	if (pending)
		timer_heap_remove(&tc->heap, t);
	spin_unlock(&tc->lock);
	return pending;
}
EXPORT(timer_cancel);

bool timer_cancel_sync(struct timer *t)
{
	bool pending = false, running;
	struct timer_cpu *tc;

	for (;;) {
		tc = lock_timer(t);
		if (t->heap_index) {
			timer_heap_remove(&tc->heap, t);
			pending = true;
		}
		running = tc->running == t;
		spin_unlock(&tc->lock);
		if (!running)
			return pending;
		while (smp_load_acquire(&tc->running) == t)
			cpu_relax();
	}
}
EXPORT(timer_cancel_sync);

/* ---- what a module forgot ---- */

static bool within(u64 addr, u64 start, u64 end)
{
	return addr >= start && addr < end;
}

static bool belongs(struct timer *t, u64 start, u64 end)
{
	struct work *w = work_of_timer(t);

	return within((u64)t, start, end) || within((u64)t->fn, start, end) ||
	       (w && within((u64)w->fn, start, end));
}

/* Lock held. */
static struct timer *find_of(struct timer_heap *h, u64 start, u64 end)
{
	struct timer *t;
	u32 i;

	for (i = 1; i <= h->count; i++) {
		if (belongs(h->slots[i], start, end))
			return h->slots[i];
	}
	list_for_each_entry(t, &h->overflow, node) {
		if (belongs(t, start, end))
			return t;
	}
	return NULL;
}

/* Takes one off this CPU's heap, *fn for the log; waits for one that is being called. */
static bool sweep_one(struct timer_cpu *tc, u64 start, u64 end, u64 *fn)
{
	struct timer *t, *running;
	struct work *w;
	bool ours;

	spin_lock(&tc->lock);
	t = find_of(&tc->heap, start, end);
	if (t) {
		w = work_of_timer(t);
		*fn = w ? (u64)w->fn : (u64)t->fn;
		timer_heap_remove(&tc->heap, t);
	}
	running = tc->running;
	ours = running && (within((u64)running, start, end) || within(tc->running_fn, start, end));
	spin_unlock(&tc->lock);
	while (ours && smp_load_acquire(&tc->running) == running)
		cpu_relax();
	return t || ours;
}

u32 timers_sweep(u64 start, u64 end)
{
	char name[96];
	u32 cpu, n = 0;
	bool again;
	u64 fn;

	do {
		again = false;
		for (cpu = 0; cpu < nr_cpus; cpu++) {
			fn = 0;
			again |= sweep_one(&timer_cpus[cpu], start, end, &fn);
			if (!fn)
				continue;
			symbol_name(fn, name, sizeof(name));
			pr_warn("%s forgot its timer \"%s\": undone\n",
				module_name(module_of((void *)fn)), name);
			n++;
		}
	} while (again);
	return n;
}

void timers_init_cpu(void)
{
	struct timer_cpu *tc = &timer_cpus[cpu_id()];

	spin_init(&tc->lock);
	timer_heap_init(&tc->heap, tc->slots, FIRST_SLOTS);
	tc->next = ~0ull;
	if (cpu_id() == 0)
		realtime_init();
}
