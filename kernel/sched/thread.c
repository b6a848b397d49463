/* SPDX-License-Identifier: MIT */
/* thread.c - the life of a thread: made with its kernel stack and number, counted, freed after the
 * switch away from it. Stacks are kept for the next thread; mapping new ones is what costs. */
#include "rq.h"

#include <core/proc.h>
#include <core/vm.h>
#include <weft/alloc.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#define LEAVE_NS (50 * NSEC_PER_USEC)

void thread_init_fields(struct thread *t, const char *comm)
{
	strscpy(t->comm, comm, sizeof(t->comm));
	t->state = THREAD_BLOCKED;
	t->prio = NICE_0_PRIO;
	t->affinity = ~0u;
	t->start_ns = ktime_get();
	refcount_set(&t->refs, 1);
	list_init(&t->rq_node);
	list_init(&t->rq_children);
	list_init(&t->proc_node);
	list_init(&t->sigqueue);
	wait_queue_init(&t->exit_wait);
}

struct thread *thread_alloc(const char *comm)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	thread_init_fields(t, comm);
	t->cpu = cpu_id();
	t->kstack = kstack_alloc();
	if (!t->kstack)
		goto free;
	t->kstack_top = (u64)t->kstack + KSTACK_SIZE;
	t->tid = pid_alloc();
	if (t->tid < 0)
		goto free_stack;
	return t;

free_stack:
	kstack_free(t->kstack);
free:
	kfree(t);
	return NULL;
}

void thread_get(struct thread *t)
{
	refcount_inc(&t->refs);
}

static void thread_free(struct rcu_head *h)
{
	struct thread *t = container_of(h, struct thread, rcu);

	kstack_free(t->kstack);
	arch_thread_free(t);
	pid_put(t->tid);
	if (t->proc)
		proc_put(t->proc);
	kfree(t);
}

/* Any context: the freeing, which may sleep, is RCU's thread's. */
void thread_put(struct thread *t)
{
	if (refcount_dec_and_test(&t->refs))
		call_rcu(&t->rcu, thread_free);
}

/* The reference that the running thread has on itself is dropped by whoever runs next. */
void thread_exit(int code)
{
	struct thread *t = current();

	t->exit_code = code;
	smp_store_release(&t->exited, true);
	wake_up_all(&t->exit_wait);
	irq_disable();
	preempt_disable();
	t->state = THREAD_DEAD;
	schedule_irqs_off(false);
	panic("a dead thread ran");
}

void thread_times(struct thread *t, u64 *user, u64 *sys)
{
	unsigned long flags;
	struct rq *rq = rq_lock_thread(t, &flags);
	u64 open;

	if (rq->curr == t)
		rq_update_curr(rq);
	/* what no tick has seen is user time; written down, so that the figure never goes back */
	open = t->run_ns - t->utime_ns - t->stime_ns;
	t->utime_ns += open;
	rq->user_ns += open;
	*user = t->utime_ns;
	*sys = t->stime_ns;
	spin_unlock_irqrestore(&rq->lock, flags);
}

void thread_set_nice(struct thread *t, int nice)
{
	unsigned long flags;
	struct rq *rq = rq_lock_thread(t, &flags);

	if (rq->curr == t)
		rq_update_curr(rq);
	if (t->on_rq)
		rq_leave(rq, t);
	t->prio = (u32)(NICE_0_PRIO - nice);
	if (t->on_rq)
		rq_join(rq, t);
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_leave_cpu(void)
{
	/* a sleep whose time is over before it began leaves nothing */
	while (!(READ_ONCE(current()->affinity) & BIT(cpu_id())))
		sleep_ns(LEAVE_NS);
}

int thread_set_affinity(struct thread *t, u32 mask)
{
	u32 cpu, online = 0;
	unsigned long flags;
	bool running, move;
	struct rq *rq;

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (run_queues[cpu].online)
			online |= BIT(cpu);
	}
	if (!(mask & online))
		return -EINVAL;
	rq = rq_lock_thread(t, &flags);
	t->affinity = mask;
	cpu = t->cpu;
	running = rq->curr == t;
	move = t->in_heap && !(mask & BIT(cpu));
	if (move) {
		/* out of this queue and, as a woken thread, into an allowed one */
		rq_heap_remove(rq, t);
		t->on_rq = false;
		rq_leave(rq, t);
		WRITE_ONCE(t->state, THREAD_BLOCKED);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	if (move) {
		thread_wake(t);
	} else if (running && !(mask & BIT(cpu))) {
		if (t == current()) {
			sched_leave_cpu();
		} else { /* user_return_work leaves the CPU */
			__atomic_fetch_or(&t->user_work, USER_WORK_RESCHED, __ATOMIC_SEQ_CST);
			rq_send_kick(cpu);
		}
	}
	return 0;
}
