/* SPDX-License-Identifier: MIT */
/* mutex.c - sleeping locks: 0 free, 1 held, 2 held and somebody may wait. Only unlocking a 2 looks
 * at the queue. A waiter that got the lock leaves it at 2, since others may be behind it. */
#include "rq.h"

#include <weft/module.h>
#include <weft/mutex.h>

/* A holder that runs elsewhere is usually done before a sleep would have begun. */
#define SPINS 200

void mutex_init(struct mutex *m)
{
	m->locked = 0;
	m->owner = NULL;
	wait_queue_init(&m->waiters);
}
EXPORT(mutex_init);

static int lock_slow(struct mutex *m, bool interruptible)
{
	struct sleeper s;
	int err = 0;
	u32 i;

	for (i = 0; nr_cpus > 1 && i < SPINS; i++) {
		if (!READ_ONCE(m->locked) && cmpxchg_bool(&m->locked, 0, 1))
			return 0;
		cpu_relax();
	}
	while (xchg(&m->locked, 2)) {
		sleep_prepare(&m->waiters, &s, interruptible, true);
		if (READ_ONCE(m->locked) == 2)
			err = sleep_wait(&s, 0, interruptible);
		sleep_finish(&m->waiters, &s);
		if (err) {
			/* the wake-up that this waiter may have taken is another's */
			if (!READ_ONCE(m->locked))
				wake_up(&m->waiters);
			return err;
		}
	}
	return 0;
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	if (unlikely(!cmpxchg_bool(&m->locked, 0, 1)))
		lock_slow(m, false);
	m->owner = current();
}
EXPORT(mutex_lock);

int mutex_lock_interruptible(struct mutex *m)
{
	int err = 0;

	might_sleep();
	if (unlikely(!cmpxchg_bool(&m->locked, 0, 1)))
		err = lock_slow(m, true);
	if (!err)
		m->owner = current();
	return err;
}
EXPORT(mutex_lock_interruptible);

bool mutex_trylock(struct mutex *m)
{
	if (!cmpxchg_bool(&m->locked, 0, 1))
		return false;
	m->owner = current();
	return true;
}
EXPORT(mutex_trylock);

void mutex_unlock(struct mutex *m)
{
	m->owner = NULL;
	if (xchg(&m->locked, 0) == 2)
		wake_up(&m->waiters);
}
EXPORT(mutex_unlock);

bool mutex_is_mine(const struct mutex *m)
{
	return m->locked && m->owner == current();
}
EXPORT(mutex_is_mine);
