/* SPDX-License-Identifier: MIT */
/* cpu.c - what one CPU does between threads: interrupt entry and exit, acting on pending work when
 * preemption comes back, the idle loop, the tick, and joining in at start-up. */
#include "rq.h"

#include <core/proc.h>
#include <weft/module.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

/* Pending work that always makes new work must not keep a CPU from its thread for ever. */
#define MAX_ROUNDS 8

extern char boot_stack[], boot_stack_top[]; /* boot.asm */

static struct thread boot_idle;

/* Leaving the halted state must be visible before anything an RCU reader could do here. */
static void idle_end(struct rq *rq)
{
	rq->idle_ns += ktime_get() - rq->idle_since;
	xchg(&rq->idling, 0);
}

void irq_enter(void)
{
	struct rq *rq = this_rq();

	preempt_disable();
	this_cpu()->irq_depth++;
	if (rq->idling)
		idle_end(rq);
}

/* Interrupts off, preempt_count 1, both also at return. The thread may come back on another CPU.
 * own: it is the thread itself that made the work, or at least came to look. */
static void run_pending(bool own)
{
	u32 rounds = 0;

	do {
		if (cpu_pending() & CPU_PENDING_POLL) {
			cpu_clear_pending(CPU_PENDING_POLL);
			this_rq()->own_poll = own;
			irq_enable();
			poll_run_pending();
			irq_disable();
			this_rq()->own_poll = false;
		}
		if (!(cpu_pending() & CPU_PENDING_RESCHED))
			continue;
		if (unlikely(cpu_batch())) {
			irq_enable();
			batch_flush();
			irq_disable();
		}
		schedule_irqs_off(true);
	} while (cpu_pending() && ++rounds < MAX_ROUNDS);
}

/* The tick's sample: the time since the last one goes to the mode that it interrupted. */
static void sample_mode(struct rq *rq, bool from_user)
{
	struct thread *t;
	u64 open;

	rq->sample = false;
	spin_lock(&rq->lock);
	rq_update_curr(rq);
	t = rq->curr;
	open = t->run_ns - t->utime_ns - t->stime_ns;
	if (from_user) {
		t->utime_ns += open;
		rq->user_ns += open;
	} else {
		t->stime_ns += open;
	}
	spin_unlock(&rq->lock);
}

void irq_exit(bool from_user)
{
	struct rq *rq = this_rq();

	if (rq->sample)
		sample_mode(rq, from_user);
	this_cpu()->irq_depth--;
	if (READ_ONCE(rq->kick) && xchg(&rq->kick, 0))
		cpu_set_pending(CPU_PENDING_RESCHED);
	if (preempt_count() == 1) {
		/* the interrupted code was preemptible, so in no RCU section but a batch */
		if (!cpu_batch())
			rcu_note_quiescent();
		if (cpu_pending() && !this_cpu()->irq_depth)
			run_pending(false);
	}
	preempt_enable_no_check();
}

void preempt_check(void)
{
	if (!irqs_enabled())
		return;
	irq_disable();
	preempt_disable();
	if (!this_cpu()->irq_depth)
		run_pending(true);
	preempt_enable_no_check();
	irq_enable();
}
EXPORT(preempt_check);

static void lockup_check(struct rq *rq)
{
	/* a second thread that another CPU puts in begins it anew, by a clock that may be ahead */
	s64 stuck = (s64)(ktime_get() - READ_ONCE(rq->last_switch));
	u64 seconds = (u64)stuck / NSEC_PER_SEC;

	if (stuck < (s64)SOFT_LOCKUP_NS || rq->lockup_told)
		return;
	rq->lockup_told = true;
	printk(KERN_EMERG "soft lockup: CPU %u has run %s[%d] for %lu s while %u others wait\n",
	       cpu_id(), rq->curr->comm, rq->curr->tid, seconds, rq->nr - 1);
	backtrace_here();
}

/* Somebody has waited for long. A tick that comes late says that this CPU itself was held up, by a
 * hypervisor as a rule: then the running thread has not had its chance to sleep yet. */
static void crowded_tick(struct rq *rq, u64 now, u64 due)
{
	rq->held_up = !rq->held_up && due && now - due >= SCHED_SPREAD_NS;
	spin_lock(&rq->lock);
	if (rq->held_up)
		rq->help_at = now + SCHED_SPREAD_NS;
	else
		rq_ask_for_help(rq, now);
	if (rq->make_way)
		cpu_set_pending(CPU_PENDING_RESCHED);
	spin_unlock(&rq->lock);
}

/* Interrupt context. */
void sched_tick(void)
{
	struct rq *rq = this_rq();
	u64 now = ktime_get(), due = rq->tick;
	bool crowded = READ_ONCE(rq->nr) > 1;

	rq->tick = 0;
	if (current() == rq->idle || rq->polling)
		return;
	rq->sample = true;
	loadavg_update();
	if (crowded && nr_cpus > 1 && now >= rq->help_at)
		crowded_tick(rq, now, due);
	if (!crowded || now >= rq->last_switch + SCHED_SLICE_NS) {
		rq->even = rq_is_underloaded(rq);
		if (crowded || rq->even)
			cpu_set_pending(CPU_PENDING_RESCHED);
		if (crowded)
			lockup_check(rq);
	}
	rq->tick = max(rq_next_tick(rq, now), now + SCHED_SPREAD_NS);
	timer_tick_set(rq->tick);
}

u32 sched_nr_running(void)
{
	return rq_runnable(this_rq());
}

bool sched_kicked(void)
{
	return READ_ONCE(this_rq()->kick);
}

void sched_poll_begin(u64 now)
{
	struct rq *rq = this_rq();
	struct thread *t = current();
	unsigned long flags;

	if (t == rq->idle) {
		/* a kick is seen by the next look, or it interrupts */
		xchg(&rq->polling, POLLING_IDLE);
		return;
	}
	/* with the lock, so that whoever wakes it has done so before, or finds it asleep */
	flags = spin_lock_irqsave(&rq->lock);
	rq_charge_curr(rq, now);
	if (t->woke_ns)
		sched_note_sleep(t);
	xchg(&rq->polling, t->state == THREAD_RUNNING ? POLLING_IDLE : POLLING_ASLEEP);
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_poll_end(u64 now)
{
	struct rq *rq = this_rq();

	current()->run_start = now;
	xchg(&rq->polling, 0);
	/* without an interrupt nobody else would see it if the thread goes on */
	if (READ_ONCE(rq->kick) && xchg(&rq->kick, 0))
		cpu_set_pending(CPU_PENDING_RESCHED);
}

static bool work_elsewhere(u32 me)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (cpu != me && rq_waits_for_help(&run_queues[cpu]))
			return true;
	}
	return false;
}

/* Nothing may be left to do but to look: neither for this thread before it sleeps, nor for this CPU
 * at others. */
static bool may_doze(const struct rq *rq, const struct thread *t)
{
	return rq->nr == 1 && READ_ONCE(t->state) != THREAD_RUNNING && !READ_ONCE(t->user_work) &&
	       !cpu_batch() && !rq->even && (t->affinity & BIT(cpu_id())) &&
	       (nr_cpus == 1 || !work_elsewhere(cpu_id()));
}

bool sched_doze(struct thread *t)
{
	struct rq *rq = this_rq();
	bool wanted;

	rq->looked = false;
	if (!may_doze(rq, t))
		return false;
	wanted = poll_idle();
	if (READ_ONCE(t->state) != THREAD_RUNNING) {
		rq->looked = !wanted;
		return false;
	}
	t->nvcsw++;
	if (!rq->tick) {
		irq_disable();
		rq_tick_ensure(rq, rq_next_tick(rq, t->run_start));
		irq_enable();
	}
	return true;
}

void cpu_idle(void)
{
	struct rq *rq = this_rq();
	bool looked = false;

	for (;;) {
		if (!rq->nr && !rq->looked) {
			preempt_disable();
			poll_idle();
			preempt_enable();
		}
		rq->looked = false;
		irq_disable();
		if (READ_ONCE(rq->kick) && xchg(&rq->kick, 0))
			cpu_set_pending(CPU_PENDING_RESCHED);
		/* once per wake-up: what may not run here would be found for ever */
		if (rq->nr || (!looked && work_elsewhere(cpu_id())))
			cpu_set_pending(CPU_PENDING_RESCHED);
		looked = true;
		if (!cpu_pending() && !poll_holding()) {
			rq->idle_since = ktime_get();
			xchg(&rq->idling, 1);
			arch_idle_wait();
			irq_disable();
			if (rq->idling)
				idle_end(rq);
			looked = false;
		}
		irq_enable();
		if (cpu_pending())
			preempt_check();
	}
}

static void rq_online(struct rq *rq)
{
	rq->quiescent++;
	smp_store_release(&rq->online, true);
}

void sched_init(void)
{
	thread_init_fields(&boot_idle, "idle/0");
	boot_idle.affinity = BIT(0);
	boot_idle.kstack = boot_stack;
	boot_idle.kstack_top = (u64)boot_stack_top;
	this_cpu()->current = &boot_idle;
	rq_init(&run_queues[0], &boot_idle);
	rq_online(&run_queues[0]);
}

struct thread *sched_idle_thread(u32 cpu)
{
	struct thread *idle;
	char name[16];

	snprintf(name, sizeof(name), "idle/%u", cpu);
	idle = thread_alloc(name);
	if (!idle)
		return NULL;
	idle->cpu = cpu;
	idle->affinity = BIT(cpu);
	rq_init(&run_queues[cpu], idle);
	return idle;
}

void cpu_main(void)
{
	timers_init_cpu();
	pollers_init_cpu();
	rq_online(this_rq());
	irq_enable();
	cpu_idle();
}

/* ---- figures ---- */

void sched_cpu_times(u32 cpu, u64 *user, u64 *sys, u64 *idle)
{
	struct rq *rq = &run_queues[cpu];
	u64 now = ktime_get(), halted = rq->idle_ns, since = rq->idle_since;

	if (READ_ONCE(rq->idling) && now > since)
		halted += now - since;
	*idle = min(halted, now);
	*user = min(rq->user_ns, now - *idle);
	*sys = now - *idle - *user;
}

u32 sched_runnable(void)
{
	u32 cpu, n = 0;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		n += rq_runnable(&run_queues[cpu]);
	return n;
}

u64 sched_switches(void)
{
	u64 n = 0;
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		n += READ_ONCE(run_queues[cpu].switches);
	return n;
}
