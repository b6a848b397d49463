/* SPDX-License-Identifier: MIT */
/* spinlock.c - waiting for a contended spin lock. Interrupts stay as they were; preemption is off.
 * A lock that does not come for seconds is a deadlock, and is said so once per lock and wait. */
#include <core/sched.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/time.h>

#define STUCK_NS (5 * NSEC_PER_SEC)
#define SPINS_PER_LOOK 4096

void spin_lock_slow(struct spinlock *l)
{
	u64 start = ktime_get();
	bool told = false;
	u32 spins = 0;

	do {
		while (READ_ONCE(l->locked)) {
			cpu_relax();
			if (++spins % SPINS_PER_LOOK || told || ktime_get() - start < STUCK_NS)
				continue;
			told = true;
			printk(KERN_EMERG "spin lock %p stuck on CPU %u, thread %s[%d]\n",
			       (void *)l, cpu_id(), current()->comm, current()->tid);
			backtrace_here();
		}
	} while (xchg(&l->locked, 1));
}
EXPORT(spin_lock_slow);
