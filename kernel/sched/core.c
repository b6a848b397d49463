/* SPDX-License-Identifier: MIT */
/* core.c - who runs next. Per-CPU queues, fair by virtual run time; balance.c says on which of them
 * a thread waits. The queue's lock is held across the switch, so nobody can run a thread before its
 * registers are saved. */
#include "rq.h"

#include <core/proc.h>
#include <core/vm.h>
#include <weft/module.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/time.h>

struct rq run_queues[MAX_CPUS];

/* Each step of nice is 10 % more or less CPU time: a factor of 1.25 in weight. */
static u32 weights[41];

u32 sched_weight(const struct thread *t)
{
	return weights[t->prio];
}

void rq_init(struct rq *rq, struct thread *idle)
{
	u32 i;

	if (!weights[NICE_0_PRIO]) {
		weights[NICE_0_PRIO] = 1024;
		for (i = NICE_0_PRIO + 1; i < ARRAY_SIZE(weights); i++)
			weights[i] = weights[i - 1] * 5 / 4;
		for (i = NICE_0_PRIO; i-- > 0;)
			weights[i] = max(weights[i + 1] * 4 / 5, 3u);
	}
	spin_init(&rq->lock);
	rq->curr = rq->idle = idle;
	rq->last_switch = idle->run_start = ktime_get();
	idle->state = THREAD_RUNNING;
	idle->prio = 0;
}

static void advance_min_vruntime(struct rq *rq)
{
	u64 v = rq->min_vruntime;

	if (rq->curr != rq->idle)
		v = rq->curr->vruntime;
	else if (rq->heap)
		v = rq->heap->vruntime;
	if (rq->heap && (s64)(rq->heap->vruntime - v) < 0)
		v = rq->heap->vruntime;
	if ((s64)(v - rq->min_vruntime) > 0)
		rq->min_vruntime = v;
}

/* Charges the running thread up to now; while it looks for packets it is as good as idle. */
void rq_charge_curr(struct rq *rq, u64 now)
{
	struct thread *t = rq->curr;
	u64 delta = now - t->run_start;

	if ((s64)delta < 0)
		delta = 0;
	t->run_start = now;
	if (t == rq->idle || rq->polling)
		return;
	t->run_ns += delta;
	t->vruntime += delta * 1024 / sched_weight(t);
	advance_min_vruntime(rq);
}

void rq_update_curr(struct rq *rq)
{
	rq_charge_curr(rq, ktime_get());
}

/* Locks the queue that t belongs to; it may move while we wait for the lock. */
struct rq *rq_lock_thread(struct thread *t, unsigned long *flags)
{
	struct rq *rq;
	u32 cpu;

	for (;;) {
		cpu = READ_ONCE(t->cpu);
		rq = &run_queues[cpu];
		*flags = spin_lock_irqsave(&rq->lock);
		if (t->cpu == cpu)
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* One that is set already is still to be seen: its interrupt is on its way, or nobody needs it. */
void rq_send_kick(u32 cpu)
{
	if (!xchg(&run_queues[cpu].kick, 1) && !READ_ONCE(run_queues[cpu].polling))
		arch_send_resched(cpu);
}

void rq_join(struct rq *rq, const struct thread *t)
{
	rq->nr++;
	rq->load += sched_weight(t);
}

void rq_leave(struct rq *rq, const struct thread *t)
{
	rq->nr--;
	rq->load -= sched_weight(t);
}

/* Interrupts are off, cpu is this one. The tick is only ever brought forward: one that turns out to
 * be unneeded costs an interrupt, less than taking it back at every switch. */
void rq_tick_ensure(struct rq *rq, u64 deadline)
{
	if (rq->tick && rq->tick <= deadline)
		return;
	rq->tick = deadline;
	timer_tick_set(deadline);
}

/* When a tick is of use next: to let another one run, to ask for help, to sample the mode. */
u64 rq_next_tick(const struct rq *rq, u64 now)
{
	u64 slice = rq->last_switch + SCHED_SLICE_NS;

	if (rq->nr < 2)
		return now + SCHED_SAMPLE_NS;
	return nr_cpus > 1 ? min(slice, rq->help_at) : slice;
}

void rq_crowd_begin(struct rq *rq, u64 now)
{
	rq->crowded_since = now;
	rq->help_at = now + SCHED_SPREAD_NS;
	/* nobody waited until now, however long this thread has been running */
	rq->last_switch = now;
}

/* Puts t into rq, whose lock is held, and sees to it that the CPU notices. */
static void enqueue(struct rq *rq, struct thread *t)
{
	u32 cpu = (u32)(rq - run_queues);
	struct thread *curr = rq->curr;
	bool idle = curr == rq->idle || rq->polling == POLLING_ASLEEP, preempt = idle;

	rq_heap_insert(rq, t);
	t->on_rq = true;
	rq_join(rq, t);
	if (!rq->online)
		return;
	if (!preempt) {
		rq_update_curr(rq);
		preempt = (s64)(curr->vruntime - t->vruntime) > (s64)SCHED_GRAIN_NS;
	}
	if (rq->nr == 2)
		rq_crowd_begin(rq, idle ? ktime_get() : curr->run_start);
	if (cpu == cpu_id()) {
		if (preempt)
			cpu_set_pending(CPU_PENDING_RESCHED);
		if (idle)
			return;
		/* where interrupts are off nothing else looks before the return to user mode */
		if (preempt)
			__atomic_fetch_or(&curr->user_work, USER_WORK_RESCHED, __ATOMIC_RELAXED);
		rq_tick_ensure(rq, rq_next_tick(rq, curr->run_start));
	} else if (preempt || rq->nr == 2) {
		/* at 2 the other CPU may have no tick yet */
		rq_send_kick(cpu);
	}
}

/* A sleeper comes back at most SCHED_BONUS_NS ahead of the others. */
static void place_vruntime(struct rq *rq, struct thread *t)
{
	u64 least = rq->min_vruntime - SCHED_BONUS_NS;

	if ((s64)(t->vruntime - least) < 0)
		t->vruntime = least;
}

bool thread_wake_states(struct thread *t, u32 mask)
{
	unsigned long flags;
	struct rq *rq, *to;
	u64 lag;
	u32 cpu;

	/* the condition is written before the state is read; pairs with thread_set_state */
	smp_mb();
	if (!(mask & BIT(READ_ONCE(t->state))))
		return false;
	rq = rq_lock_thread(t, &flags);
	if (!(mask & BIT(t->state))) {
		spin_unlock_irqrestore(&rq->lock, flags);
		return false;
	}
	WRITE_ONCE(t->state, THREAD_RUNNING);
	if (t->on_rq) {
		/* on its way to sleep: schedule() will find it running */
		if (rq->curr == t && READ_ONCE(rq->polling) == POLLING_ASLEEP)
			(void)cmpxchg_bool(&rq->polling, POLLING_ASLEEP, POLLING_IDLE);
		spin_unlock_irqrestore(&rq->lock, flags);
		return true;
	}
	cpu = sched_place(t);
	to = &run_queues[cpu];
	if (to != rq) {
		/* running but in no queue, t is nobody's between the locks */
		lag = t->vruntime - rq->min_vruntime;
		WRITE_ONCE(t->cpu, cpu);
		spin_unlock(&rq->lock);
		spin_lock(&to->lock);
		t->vruntime = to->min_vruntime + lag;
	}
	place_vruntime(to, t);
	enqueue(to, t);
	spin_unlock_irqrestore(&to->lock, flags);
	return true;
}

bool thread_wake(struct thread *t)
{
	return thread_wake_states(t, THREAD_ANY_SLEEP);
}

void thread_start(struct thread *t)
{
	t->vruntime = run_queues[t->cpu].min_vruntime + SCHED_GRAIN_NS;
	thread_wake(t);
}

void thread_set_state(u32 state)
{
	WRITE_ONCE(current()->state, state);
	smp_mb();
}

static struct thread *pick_next(struct rq *rq)
{
	struct thread *t;

	if ((!rq->heap || rq->even) && rq->online)
		rq_pull(rq);
	if (!rq->heap)
		return rq->idle;
	t = rq->heap;
	rq_heap_remove(rq, t);
	return t;
}

/* On the stack of the thread that was switched to: interrupts off, the queue still locked. */
static void finish_switch(void)
{
	struct rq *rq = this_rq();
	struct thread *prev = rq->prev;
	bool dead = prev->state == THREAD_DEAD;
	void *stack;

	spin_unlock(&rq->lock);
	if (dead) {
		stack = prev->kstack;
		prev->kstack = NULL;
		kstack_free(stack);
		thread_put(prev);
	}
}

void thread_first_run(void)
{
	finish_switch();
	preempt_enable_no_check();
	irq_enable();
	if (cpu_pending())
		preempt_check();
}

static void switch_to(struct rq *rq, struct thread *prev, struct thread *next)
{
	struct proc_mm *prev_mm = prev->proc ? prev->proc->mm : NULL;
	struct proc_mm *next_mm = next->proc && !next->left ? next->proc->mm : NULL;

	rq->curr = next;
	rq->prev = prev;
	rq->switches++;
	rq->last_switch = next->run_start = ktime_get();
	rq->lockup_told = false;
	prev->batch = cpu_batch();
	cpu_batch_add(next->batch - prev->batch);
	if (next != rq->idle)
		rq_tick_ensure(rq, rq_next_tick(rq, next->run_start));
	mm_switch(prev_mm, next_mm);
	arch_switch(prev, next);
	/* prev again, perhaps much later and on another CPU */
	finish_switch();
}

/* Interrupts off, preempt_count 1. preempted: prev goes on whatever its state says, it did not ask.
 */
void schedule_irqs_off(bool preempted)
{
	struct thread *prev = current(), *next;
	struct rq *rq = this_rq();

	rcu_note_quiescent();
	cpu_clear_pending(CPU_PENDING_RESCHED);
	spin_lock(&rq->lock);
	rq_update_curr(rq);
	if (prev->state == THREAD_SLEEPING && (READ_ONCE(prev->user_work) & USER_WORK_INTR))
		prev->state = THREAD_RUNNING;
	if (prev->state == THREAD_KILLABLE && (READ_ONCE(prev->user_work) & USER_WORK_EXIT))
		prev->state = THREAD_RUNNING;
	if (prev != rq->idle) {
		if (prev->state == THREAD_RUNNING || preempted) {
			rq_heap_insert(rq, prev);
		} else {
			prev->on_rq = false;
			rq_leave(rq, prev);
			if (prev->woke_ns)
				sched_note_sleep(prev);
		}
	}
	next = pick_next(rq);
	if (next == prev) {
		rq->last_switch = prev->run_start;
		if (prev != rq->idle)
			rq_tick_ensure(rq, rq_next_tick(rq, prev->run_start));
		spin_unlock(&rq->lock);
		return;
	}
	if (preempted)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	/* those who take turns faster than ticks come need two CPUs as well */
	if (rq->nr > 1 && nr_cpus > 1 &&
	    (rq->make_way || (s64)(prev->run_start - rq->help_at) >= 0))
		rq_ask_for_help(rq, prev->run_start);
	switch_to(rq, prev, next);
}

void schedule(void)
{
	u32 atomic = preempt_count();
	bool irqs = irqs_enabled();

	if (unlikely(atomic || !irqs)) {
		/* A bug of the caller. Going on as if it were none keeps the machine alive to tell.
		 */
		warn_at(__FILE__, __LINE__, "scheduling while atomic");
		irq_disable();
		this_cpu()->preempt_count = 1;
		schedule_irqs_off(false);
		this_cpu()->preempt_count = atomic;
		if (irqs)
			irq_enable();
		return;
	}
	/* who waits for an answer must have asked */
	if (unlikely(cpu_batch()))
		batch_flush();
	preempt_disable();
	if (!sched_doze(current())) {
		irq_disable();
		schedule_irqs_off(false);
		irq_enable();
	}
	preempt_enable_no_check();
	if (cpu_pending())
		preempt_check();
}

void yield(void)
{
	unsigned long flags;
	struct rq *rq;

	/* behind the next one in the queue */
	rq = rq_lock_thread(current(), &flags);
	rq_update_curr(rq);
	if (rq->heap && (s64)(current()->vruntime - rq->heap->vruntime) <= 0)
		current()->vruntime = rq->heap->vruntime + 1;
	spin_unlock_irqrestore(&rq->lock, flags);
	schedule();
}
EXPORT(yield);

void thread_kick(struct thread *t)
{
	u32 cpu = READ_ONCE(t->cpu);

	smp_mb();
	if (t != current() && cpu != cpu_id() && READ_ONCE(run_queues[cpu].curr) == t)
		rq_send_kick(cpu);
}
