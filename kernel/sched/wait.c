/* SPDX-License-Identifier: MIT */
/* wait.c - wait queues and timed sleep. A sleeper is queued and its state set before the condition
 * is looked at for the last time, so a wake-up in between only makes schedule() return at once. */
#include "rq.h"

#include <weft/module.h>
#include <weft/time.h>

void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock);
	list_init(&q->entries);
}
EXPORT(wait_queue_init);

/* Exclusive waiters stand behind the others, in their order. */
void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	if (e->exclusive)
		list_add_tail(&e->node, &q->entries);
	else
		list_add(&e->node, &q->entries);
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT(wait_add);

void wait_del(struct wait_queue *q, struct wait_entry *e)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	list_del(&e->node);
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT(wait_del);

static __noinline bool wake_queued(struct wait_queue *q, u32 key, bool all)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);
	struct wait_entry *e, *tmp;
	bool enough = false;

	list_for_each_entry_safe(e, tmp, &q->entries, node) {
		enough = e->wake(e, key) && e->exclusive && !all;
		if (enough)
			break;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return enough;
}

static bool wake(struct wait_queue *q, u32 key, bool all)
{
	/* the condition was written before: pairs with the barrier of thread_set_state */
	smp_mb();
	return wait_queue_active(q) && wake_queued(q, key, all);
}

bool wake_up_key(struct wait_queue *q, u32 key)
{
	return wake(q, key, false);
}
EXPORT(wake_up_key);

void wake_up_all(struct wait_queue *q)
{
	wake(q, 0, true);
}
EXPORT(wake_up_all);

static bool sleeper_wake(struct wait_entry *e, u32 key)
{
	return thread_wake(container_of(e, struct sleeper, entry)->thread);
}

void sleep_prepare(struct wait_queue *q, struct sleeper *s, bool interruptible, bool exclusive)
{
	might_sleep();
	s->thread = current();
	s->entry.wake = sleeper_wake;
	s->entry.arg = s;
	s->entry.exclusive = exclusive;
	wait_add(q, &s->entry);
	thread_set_state(interruptible ? THREAD_SLEEPING : THREAD_BLOCKED);
}
EXPORT(sleep_prepare);

struct sleep_timer {
	struct timer timer;
	struct thread *thread;
};

static void sleep_timer_fire(struct timer *t)
{
	thread_wake(container_of(t, struct sleep_timer, timer)->thread);
}

void sleep_once(u64 deadline_ns)
{
	struct sleep_timer st = { .thread = current() };

	if (deadline_ns == ~0ull) {
		schedule();
		return;
	}
	timer_init(&st.timer, sleep_timer_fire);
	timer_set(&st.timer, deadline_ns);
	schedule();
	timer_cancel_sync(&st.timer);
}

int sleep_wait(struct sleeper *s, u64 deadline_ns, bool interruptible)
{
	if (interruptible && signal_pending())
		return -ERESTARTSYS;
	if (deadline_ns && ktime_get() >= deadline_ns)
		return -ETIMEDOUT;
	sleep_once(deadline_ns ? deadline_ns : ~0ull);
	return 0;
}
EXPORT(sleep_wait);

void sleep_finish(struct wait_queue *q, struct sleeper *s)
{
	WRITE_ONCE(current()->state, THREAD_RUNNING);
	wait_del(q, &s->entry);
}
EXPORT(sleep_finish);

int sleep_until(u64 deadline_ns, bool interruptible)
{
	int err = 0;

	might_sleep();
	for (;;) {
		thread_set_state(interruptible ? THREAD_SLEEPING : THREAD_BLOCKED);
		if (interruptible && signal_pending()) {
			err = -ERESTARTSYS;
			break;
		}
		if (ktime_get() >= deadline_ns)
			break;
		sleep_once(deadline_ns);
	}
	WRITE_ONCE(current()->state, THREAD_RUNNING);
	return err;
}

void sleep_ns(u64 ns)
{
	sleep_until(ktime_get() + ns, false);
}
EXPORT(sleep_ns);

u64 sleep_ns_interruptible(u64 ns)
{
	u64 end = ktime_get() + ns, now;

	if (!sleep_until(end, true))
		return 0;
	now = ktime_get();
	return now < end ? end - now : 0;
}
EXPORT(sleep_ns_interruptible);
