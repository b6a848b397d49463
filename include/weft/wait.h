/* SPDX-License-Identifier: MIT */
/* wait.h - wait queues: threads sleep until a condition holds, and pollers hang callbacks on them.
 * wake_up may be called in any context but an NMI. */
#pragma once

#include <weft/sched.h>
#include <weft/spinlock.h>
#include <weft/time.h>

struct wait_queue {
	struct spinlock lock; /* taken with interrupts off */
	struct list_head entries;
};

/* key: poll event bits that became true, 0 for all. Return true when a thread was woken. Called
 * with the queue's lock held and interrupts off. */
struct wait_entry {
	struct list_head node;
	bool (*wake)(struct wait_entry *e, u32 key);
	void *arg;
	bool exclusive;
};

#define WAIT_QUEUE_INIT(name)                                 \
	{                                                     \
		SPINLOCK_INIT, LIST_HEAD_INIT((name).entries) \
	}
void wait_queue_init(struct wait_queue *q);
void wait_add(struct wait_queue *q, struct wait_entry *e);
void wait_del(struct wait_queue *q, struct wait_entry *e);
static inline bool wait_queue_active(const struct wait_queue *q)
{
	return !list_empty(&q->entries);
}

/* Wakes all non-exclusive waiters and one exclusive one. True: it woke such a one, and did not ask
 * those behind it. */
bool wake_up_key(struct wait_queue *q, u32 key);
void wake_up_all(struct wait_queue *q);
static inline bool wake_up(struct wait_queue *q)
{
	return wake_up_key(q, 0);
}

/* The building blocks of wait_event. */
struct sleeper {
	struct wait_entry entry;
	struct thread *thread;
};
void sleep_prepare(struct wait_queue *q, struct sleeper *s, bool interruptible, bool exclusive);
/* Sleeps unless woken since prepare; deadline_ns 0 = none. 0, -ETIMEDOUT, -ERESTARTSYS. */
int sleep_wait(struct sleeper *s, u64 deadline_ns, bool interruptible);
void sleep_finish(struct wait_queue *q, struct sleeper *s);

/* Evaluates to 0 once cond holds, else -ERESTARTSYS (a signal; when intr) or -ETIMEDOUT (deadline
 * is absolute ktime ns, 0 = none). cond is evaluated without the queue's lock. */
#define wait_event_generic(q, cond, deadline, intr)                            \
	({                                                                     \
		u64 we_deadline = (deadline);                                  \
		int we_ret = 0;                                                \
		while (!(cond)) {                                              \
			struct sleeper we_s;                                   \
			sleep_prepare(q, &we_s, intr, false);                  \
			if (!(cond))                                           \
				we_ret = sleep_wait(&we_s, we_deadline, intr); \
			sleep_finish(q, &we_s);                                \
			if (we_ret && !(cond))                                 \
				break;                                         \
			we_ret = 0;                                            \
		}                                                              \
		we_ret;                                                        \
	})
#define wait_event(q, cond) ((void)wait_event_generic(q, cond, 0, false))
#define wait_event_interruptible(q, cond) wait_event_generic(q, cond, 0, true)
#define wait_event_timeout(q, cond, deadline) wait_event_generic(q, cond, deadline, false)
#define wait_event_interruptible_timeout(q, cond, deadline) \
	wait_event_generic(q, cond, deadline, true)
