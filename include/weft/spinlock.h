/* SPDX-License-Identifier: MIT */
/* spinlock.h - short mutual exclusion between CPUs. The holder cannot be preempted and the poll
 * context does not run on its CPU, so one plain spin_lock serves process and poll context alike.
 * Data that an interrupt handler touches takes the _irqsave form everywhere. */
#pragma once

#include <weft/atomic.h>
#include <weft/preempt.h>

struct spinlock {
	u32 locked;
#ifdef WEFT_DEBUG
	u32 owner_cpu; /* cpu id + 1; lockcheck.c panics on recursion */
	const void *where;
	u32 usage; /* where it was taken so far: lockcheck.c's bits */
#endif
};

#define SPINLOCK_INIT \
	{             \
		0     \
	}

static inline void spin_init(struct spinlock *l)
{
	*l = (struct spinlock)SPINLOCK_INIT;
}

/* Waits for a contended lock; says "stuck" with a backtrace after some seconds. */
void spin_lock_slow(struct spinlock *l);

/* Debug builds: recursion, order, use in interrupts (kernel/sched/lockcheck.c). */
#if defined(WEFT_DEBUG) && !defined(WEFT_HOST)
void lockcheck_wanted(struct spinlock *l); /* before waiting for it */
void lockcheck_taken(struct spinlock *l);
void lockcheck_release(struct spinlock *l);
#else
static inline void lockcheck_wanted(struct spinlock *l)
{
}
static inline void lockcheck_taken(struct spinlock *l)
{
}
static inline void lockcheck_release(struct spinlock *l)
{
}
#endif

/* One locked instruction whose carry flag answers; xchg needs a register and a comparison. */
static inline bool spin_was_locked(struct spinlock *l)
{
	return __atomic_fetch_or(&l->locked, 1, __ATOMIC_SEQ_CST) & 1;
}

static inline bool spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (likely(!spin_was_locked(l))) {
		lockcheck_taken(l);
		return true;
	}
	preempt_enable();
	return false;
}

static inline void spin_lock(struct spinlock *l)
{
	preempt_disable();
	lockcheck_wanted(l);
	if (unlikely(spin_was_locked(l)))
		spin_lock_slow(l);
	lockcheck_taken(l);
}

static inline void spin_unlock(struct spinlock *l)
{
	lockcheck_release(l);
	smp_store_release(&l->locked, 0);
	preempt_enable();
}

/* The same for who is in an RCU section as long as he holds it: preemption is off already. */
static inline void spin_lock_rcu(struct spinlock *l)
{
	lockcheck_wanted(l);
	if (unlikely(spin_was_locked(l)))
		spin_lock_slow(l);
	lockcheck_taken(l);
}

static inline void spin_unlock_rcu(struct spinlock *l)
{
	lockcheck_release(l);
	smp_store_release(&l->locked, 0);
}

static inline unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	lockcheck_release(l);
	smp_store_release(&l->locked, 0);
	irq_restore(flags);
	preempt_enable();
}
