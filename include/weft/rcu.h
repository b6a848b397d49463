/* SPDX-License-Identifier: MIT */
/* rcu.h - read-mostly tables without locks. Readers keep their CPU (preemption off, poll context
 * included); a grace period has passed when every CPU has scheduled, idled or been in user mode. */
#pragma once

#include <weft/preempt.h>
#include <weft/atomic.h>

static inline void rcu_read_lock(void)
{
	preempt_disable();
}

static inline void rcu_read_unlock(void)
{
	preempt_enable();
}

#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)

/* Waits for a grace period. Process context, may sleep, no lock held. Usually well under 10 ms. */
void synchronize_rcu(void);

/* Calls fn after a grace period, in process context of a kernel thread. Any context. */
struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *h);
};
void call_rcu(struct rcu_head *h, void (*fn)(struct rcu_head *h));
/* Waits until every callback queued before has run. Module unload calls it. */
void rcu_barrier(void);
