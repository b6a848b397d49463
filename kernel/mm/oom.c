/* SPDX-License-Identifier: MIT */
/* oom.c - who dies when no page is left for user programs: the process with the most resident
 * pages, not init and not one that asked to be spared. While a victim is on its way out there is no
 * second one. */
#include <core/proc.h>
#include <weft/printk.h>
#include <weft/time.h>

#include <uapi/signal.h>

#include "mm.h"

#define PATIENCE_NS (2 * NSEC_PER_SEC)
#define SPARED (-1000) /* oom_score_adj */

static struct spinlock oom_lock = SPINLOCK_INIT;
/* guarded by oom_lock */
static int victim_pid;
static u64 victim_since;

static u64 resident(struct proc *p)
{
	u64 n = 0;

	spin_lock(&p->lock);
	if (p->mm && !p->exiting && !p->zombie && p->oom_score_adj > SPARED)
		n = READ_ONCE(p->mm->rss_pages);
	spin_unlock(&p->lock);
	return n;
}

/* With a reference; NULL when nobody can be killed. */
static struct proc *choose_victim(u64 *pages)
{
	struct proc *best = NULL, *p;
	int pid = 1;

	*pages = 0;
	while ((p = proc_next_get(pid))) {
		u64 n = resident(p);

		pid = p->pid;
		if (n > *pages) {
			if (best)
				proc_put(best);
			best = p;
			*pages = n;
		} else {
			proc_put(p);
		}
	}
	return best;
}

static bool victim_is_dying(void)
{
	struct proc *p;
	bool dying;

	spin_lock(&oom_lock);
	dying = victim_pid && ktime_get() - victim_since < PATIENCE_NS;
	spin_unlock(&oom_lock);
	if (!dying)
		return false;
	p = proc_find_get(victim_pid);
	if (!p)
		return false;
	dying = !p->zombie;
	proc_put(p);
	return dying;
}

bool oom_kill(void)
{
	struct proc *p;
	u64 pages;

	if (victim_is_dying())
		return true;
	p = choose_victim(&pages);
	if (!p)
		return false;
	spin_lock(&oom_lock);
	victim_pid = p->pid;
	victim_since = ktime_get();
	spin_unlock(&oom_lock);
	pr_err("out of memory: killing process %d, %llu KiB resident\n", p->pid,
	       (unsigned long long)pages << (PAGE_SHIFT - 10));
	signal_send_proc(p, SIGKILL, NULL);
	proc_put(p);
	return true;
}
