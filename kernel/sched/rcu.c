/* SPDX-License-Identifier: MIT */
/* rcu.c - grace periods. Each CPU counts its quiescent states: context switches, and interrupts
 * that found it preemptible. A halted CPU is in no reader. As there is no periodic tick, CPUs that
 * did not report within a millisecond are interrupted. Callbacks run in one thread, in the order of
 * call_rcu. */
#include "rq.h"

#include <weft/module.h>
#include <weft/printk.h>
#include <weft/time.h>

#define KICK_AFTER_NS (1 * NSEC_PER_MSEC)
/* Callbacks gather for this long, so that one grace period and one switch serve many. */
#define GATHER_NS (2 * NSEC_PER_MSEC)

static struct rcu_head *callbacks; /* lock-free stack, newest first */
static struct wait_queue rcu_wait = WAIT_QUEUE_INIT(rcu_wait);
static bool hurry; /* somebody waits in rcu_barrier */

void rcu_note_quiescent(void)
{
	struct rq *rq = this_rq();

	WRITE_ONCE(rq->quiescent, rq->quiescent + 1);
}

static bool reported(u32 cpu, u64 snapshot)
{
	struct rq *rq = &run_queues[cpu];

	return READ_ONCE(rq->quiescent) != snapshot || READ_ONCE(rq->idling);
}

void synchronize_rcu(void)
{
	u64 snapshot[MAX_CPUS], wait = KICK_AFTER_NS / 10, waited = 0;
	bool pending[MAX_CPUS], any;
	u32 cpu;

	might_sleep();
	/* A caller that may sleep proves that its own CPU is in no reader. */
	if (nr_cpus <= 1)
		return;
	smp_mb();
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		pending[cpu] = run_queues[cpu].online;
		snapshot[cpu] = READ_ONCE(run_queues[cpu].quiescent);
	}
	for (;;) {
		any = false;
		for (cpu = 0; cpu < MAX_CPUS; cpu++) {
			if (pending[cpu] && reported(cpu, snapshot[cpu]))
				pending[cpu] = false;
			any |= pending[cpu];
		}
		if (!any)
			break;
		for (cpu = 0; waited >= KICK_AFTER_NS && cpu < MAX_CPUS; cpu++) {
			if (pending[cpu])
				rq_send_kick(cpu);
		}
		sleep_ns(wait);
		waited += wait;
		wait = min(wait * 2, KICK_AFTER_NS);
	}
	smp_mb();
}
EXPORT(synchronize_rcu);

void call_rcu(struct rcu_head *h, void (*fn)(struct rcu_head *h))
{
	struct rcu_head *first;

	h->fn = fn;
	do {
		first = READ_ONCE(callbacks);
		h->next = first;
	} while (!cmpxchg_bool(&callbacks, first, h));
	if (!first)
		wake_up(&rcu_wait);
}
EXPORT(call_rcu);

static struct rcu_head *take_in_order(void)
{
	struct rcu_head *h = xchg(&callbacks, NULL), *prev = NULL, *next;

	while (h) {
		next = h->next;
		h->next = prev;
		prev = h;
		h = next;
	}
	return prev;
}

static int rcu_thread(void *arg)
{
	struct rcu_head *h, *next;

	for (;;) {
		wait_event_interruptible(&rcu_wait, READ_ONCE(callbacks));
		if (!READ_ONCE(hurry))
			wait_event_interruptible_timeout(&rcu_wait, READ_ONCE(hurry),
							 ktime_get() + GATHER_NS);
		h = take_in_order();
		synchronize_rcu();
		for (; h; h = next) {
			next = h->next;
			h->fn(h);
		}
	}
	return 0;
}

struct barrier {
	struct rcu_head head;
	struct wait_queue wait;
	bool done;
};

static void barrier_done(struct rcu_head *h)
{
	struct barrier *b = container_of(h, struct barrier, head);
	unsigned long flags;

	/* under the queue's lock, so that the waiter's frame lives until the wake-up is over */
	flags = spin_lock_irqsave(&b->wait.lock);
	b->done = true;
	if (!list_empty(&b->wait.entries)) {
		struct wait_entry *e = list_first_entry(&b->wait.entries, struct wait_entry, node);

		e->wake(e, 0);
	}
	spin_unlock_irqrestore(&b->wait.lock, flags);
}

/* Callbacks run in order, so the one queued last tells that all before it have run. */
void rcu_barrier(void)
{
	struct barrier b = { .done = false };
	unsigned long flags;

	wait_queue_init(&b.wait);
	call_rcu(&b.head, barrier_done);
	WRITE_ONCE(hurry, true);
	wake_up(&rcu_wait);
	wait_event(&b.wait, READ_ONCE(b.done));
	WRITE_ONCE(hurry, false);
	/* barrier_done has let go of the lock */
	flags = spin_lock_irqsave(&b.wait.lock);
	spin_unlock_irqrestore(&b.wait.lock, flags);
}
EXPORT(rcu_barrier);

void rcu_init(void)
{
	if (IS_ERR(kthread_run(rcu_thread, NULL, "rcu")))
		panic("no memory for the RCU thread");
}
