/* SPDX-License-Identifier: MIT */
/* world.c - a simulation by events: ticks, interrupts between CPUs, timers, and threads that have
 * used up what they wanted. A switch only changes who is current: the code that follows in
 * schedule() does for the next thread what it would have done on its own stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/proc.h>
#include <core/vm.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/time.h>

#include "world.h"

#define NR_EVENTS 256
#define NR_ACTORS 64
#define NEVER (~0ull)

struct event {
	u64 at;
	u32 cpu;
	bool used;
	void (*fn)(struct actor *a);
	struct actor *actor;
};

struct cpu world_cpus[MAX_CPUS];
u32 world_cpu, nr_cpus, world_ipis, world_halt_exits;
void (*world_clock_read)(void);
char boot_stack[1], boot_stack_top[1];
bool (*world_poll)(void);

static u64 now, tick[MAX_CPUS], ipi[MAX_CPUS];
static struct thread idle[MAX_CPUS];
static struct event events[NR_EVENTS];
static struct actor *actors[NR_ACTORS];
static u32 nr_actors;
static struct event *due; /* for the poll context of this CPU */
static jmp_buf out;
static bool in_idle;
static struct proc process;

/* ---- what the scheduler calls ---- */

u64 ktime_get(void)
{
	if (world_clock_read)
		world_clock_read();
	return now;
}

void timer_tick_set(u64 deadline_ns)
{
	tick[world_cpu] = deadline_ns;
}

void arch_send_resched(u32 cpu)
{
	world_ipis++;
	world_halt_exits += run_queues[cpu].idling;
	ipi[cpu] = now + (run_queues[cpu].idling ? HALT_EXIT_NS : IPI_NS);
}

static struct actor *actor_of(struct thread *t)
{
	return t->proc || t->kfn ? container_of(t, struct actor, thread) : NULL;
}

void arch_switch(struct thread *prev, struct thread *next)
{
	struct actor *a = actor_of(next);

	assert_ptr_equal(prev, current());
	this_cpu()->current = next;
	if (!a)
		return;
	assert_true(next->affinity & BIT(world_cpu));
	if (a->ran_on != world_cpu)
		a->migrations++;
	a->ran_on = world_cpu;
	if (a->woken_at) {
		a->late_ns += now - a->woken_at;
		a->worst_ns = max(a->worst_ns, now - a->woken_at);
		a->woken_at = 0;
	}
}

void irq_disable(void)
{
	this_cpu()->irqs_off = true;
	/* the idle loop would go on only when its thread runs again */
	if (in_idle && current() != &idle[world_cpu] && !preempt_count())
		longjmp(out, 1);
}

void arch_idle_wait(void)
{
	longjmp(out, 1);
}

void poll_run_pending(void)
{
	struct event *e = due;

	cpu_clear_pending(CPU_PENDING_POLL);
	due = NULL;
	if (!e)
		return;
	cpu_batch_add(CPU_BATCH_POLL);
	e->fn(e->actor);
	cpu_batch_add(-(u32)CPU_BATCH_POLL);
}

void mm_switch(struct proc_mm *prev, struct proc_mm *next)
{
}

void kstack_free(void *stack)
{
}

void thread_put(struct thread *t)
{
}

struct thread *thread_alloc(const char *comm)
{
	return NULL;
}

void thread_init_fields(struct thread *t, const char *comm)
{
	strncpy(t->comm, comm, sizeof(t->comm) - 1);
	t->state = THREAD_BLOCKED;
	t->prio = NICE_0_PRIO;
	t->affinity = ~0u;
	list_init(&t->rq_node);
	list_init(&t->rq_children);
}

void rcu_note_quiescent(void)
{
}

void loadavg_update(void)
{
}

bool poll_idle(void)
{
	return world_poll && world_poll();
}

bool poll_holding(void)
{
	return false;
}

void batch_flush(void)
{
}

void timers_init_cpu(void)
{
}

void pollers_init_cpu(void)
{
}

void backtrace_here(void)
{
}

int printk(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	return 0;
}

void warn_at(const char *file, int line, const char *what)
{
	fail_msg("%s", what);
}

void spin_lock_slow(struct spinlock *l)
{
	fail_msg("a lock is taken twice");
}

/* ---- actors ---- */

struct actor *actor_new(const char *name, bool user, void (*step)(struct actor *a))
{
	struct actor *a = calloc(1, sizeof(*a));

	assert_in_range(nr_actors, 0, NR_ACTORS - 1);
	actors[nr_actors++] = a;
	thread_init_fields(&a->thread, name);
	a->thread.proc = user ? &process : NULL;
	a->thread.kfn = (void *)1;
	a->step = step;
	return a;
}

void actor_wake(struct actor *a)
{
	if (!thread_wake(&a->thread))
		return;
	a->wakes++;
	a->woken_at = now;
}

void actor_start(struct actor *a, u32 cpu)
{
	u32 was = world_cpu;

	world_cpu = cpu;
	a->thread.cpu = a->ran_on = cpu;
	preempt_disable();
	thread_start(&a->thread);
	preempt_enable_no_check();
	world_cpu = was;
}

void world_later(u32 cpu, u64 ns, void (*fn)(struct actor *a), struct actor *a)
{
	for (u32 i = 0; i < NR_EVENTS; i++) {
		if (events[i].used)
			continue;
		events[i] = (struct event){ now + ns, cpu, true, fn, a };
		return;
	}
	fail_msg("too many events");
}

void act_run(struct actor *a, u64 ns)
{
	a->then = THEN_RUN;
	a->left = ns;
}

void act_sleep(struct actor *a, u64 ns)
{
	a->then = THEN_SLEEP;
	if (ns)
		world_later(world_cpu, ns, actor_wake, a);
}

void act_yield(struct actor *a)
{
	a->then = THEN_YIELD;
}

/* ---- time ---- */

/* The idle loop of this CPU until it halts or has a thread to run. */
static void go_idle(void)
{
	in_idle = true;
	if (!setjmp(out))
		cpu_idle();
	in_idle = false;
	irq_enable();
}

static void settle(void)
{
	for (u32 i = 0; i < 100; i++) {
		struct actor *a = actor_of(current());

		assert_int_equal(preempt_count(), 0);
		if (!a) {
			go_idle();
			if (!actor_of(current()))
				return;
			continue;
		}
		if (a->left)
			return;
		preempt_disable();
		a->steps++;
		a->step(a);
		preempt_enable_no_check();
		if (a->then == THEN_SLEEP) {
			thread_set_state(THREAD_BLOCKED);
			schedule();
		} else if (a->then == THEN_YIELD) {
			yield();
		} else if (cpu_pending()) {
			preempt_check();
		}
	}
	fail_msg("a thread steps without time passing");
}

static void interrupt(u32 cpu, struct event *e, bool timer)
{
	world_cpu = cpu;
	irq_disable();
	irq_enter();
	if (timer) {
		tick[cpu] = 0;
		sched_tick();
	}
	if (e) {
		e->used = false;
		due = e;
		cpu_set_pending(CPU_PENDING_POLL);
	}
	irq_exit(true);
	irq_enable();
	settle();
}

static u64 next_time(void)
{
	u64 at = NEVER;

	for (u32 i = 0; i < NR_EVENTS; i++)
		at = events[i].used ? min(at, events[i].at) : at;
	for (u32 i = 0; i < nr_cpus; i++) {
		struct actor *a = actor_of(world_cpus[i].current);

		at = tick[i] ? min(at, tick[i]) : at;
		at = ipi[i] ? min(at, ipi[i]) : at;
		at = a ? min(at, now + a->left) : at;
	}
	return max(at, now);
}

static void pass(u64 ns)
{
	now += ns;
	for (u32 i = 0; i < nr_cpus; i++) {
		struct actor *a = actor_of(world_cpus[i].current);

		if (!a)
			continue;
		assert_true(a->left >= ns);
		a->left -= ns;
	}
}

static void happen(void)
{
	for (u32 i = 0; i < nr_cpus; i++) {
		if (ipi[i] && ipi[i] <= now) {
			ipi[i] = 0;
			interrupt(i, NULL, false);
		}
		if (tick[i] && tick[i] <= now)
			interrupt(i, NULL, true);
	}
	for (u32 i = 0; i < NR_EVENTS; i++) {
		if (events[i].used && events[i].at <= now)
			interrupt(events[i].cpu, &events[i], false);
	}
	for (u32 i = 0; i < nr_cpus; i++) {
		world_cpu = i;
		settle();
	}
}

void world_spin(u64 ns)
{
	now += ns;
	for (u32 i = 0; i < nr_cpus; i++) {
		struct actor *a = actor_of(world_cpus[i].current);

		if (a)
			a->left -= min(a->left, ns);
	}
}

void world_run(u64 ns)
{
	u64 end = now + ns, at;

	for (u32 i = 0; i < nr_cpus; i++) {
		world_cpu = i;
		settle();
	}
	while ((at = next_time()) < end) {
		pass(at - now);
		happen();
	}
	if (now < end) /* world_spin() may have gone beyond */
		pass(end - now);
}

u64 world_now(void)
{
	return now;
}

void world_begin(u32 cpus)
{
	for (u32 i = 0; i < nr_actors; i++)
		free(actors[i]);
	nr_actors = 0;
	memset(events, 0, sizeof(events));
	memset(world_cpus, 0, sizeof(world_cpus));
	memset(run_queues, 0, sizeof(run_queues));
	memset(idle, 0, sizeof(idle));
	memset(tick, 0, sizeof(tick));
	memset(ipi, 0, sizeof(ipi));
	world_ipis = world_halt_exits = world_cpu = 0;
	world_poll = NULL;
	nr_cpus = cpus;
	now = NSEC_PER_SEC;
	for (u32 i = 0; i < cpus; i++) {
		thread_init_fields(&idle[i], "idle");
		idle[i].cpu = i;
		idle[i].affinity = BIT(i);
		world_cpus[i].current = &idle[i];
		rq_init(&run_queues[i], &idle[i]);
		run_queues[i].online = true;
	}
}

void burn(struct actor *a)
{
	act_run(a, 10 * MS);
}

struct actor *burner(u32 affinity, int nice)
{
	struct actor *a = actor_new("burner", true, burn);

	a->thread.prio = (u32)(NICE_0_PRIO - nice);
	a->thread.affinity = affinity;
	actor_start(a, (u32)__builtin_ctz(affinity));
	return a;
}

u64 used(const struct actor *a)
{
	const struct thread *t = &a->thread;
	bool runs = run_queues[t->cpu].curr == t;

	return t->run_ns + (runs ? world_now() - t->run_start : 0);
}
