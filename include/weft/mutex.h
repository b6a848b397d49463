/* SPDX-License-Identifier: MIT */
/* mutex.h - sleeping locks. Process context only; the holder may sleep. Not recursive. */
#pragma once

#include <weft/wait.h>

struct mutex {
	u32 locked;
	struct thread *owner;
	struct wait_queue waiters;
};

#define MUTEX_INIT(name)                                 \
	{                                                \
		0, NULL, WAIT_QUEUE_INIT((name).waiters) \
	}
#define DEFINE_MUTEX(name) struct mutex name = MUTEX_INIT(name)
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
/* -ERESTARTSYS when a signal came first. */
int mutex_lock_interruptible(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);
