/* SPDX-License-Identifier: MIT */
/* oom.c - who dies when no page is left for user programs: of the processes with about the most
 * resident pages the youngest, so that among many of a size it is one of those that ran away and
 * not the shell that started them. Where none is large it is their number that used memory up: a
 * child then counts as much as its parent does, for it has not grown yet, and would go on if the
 * parent died in its place. Never init, nor one that asked to be spared. While a victim, or anybody
 * with memory to give back, is on its way out, nobody is killed; but patience ends. */
#include <core/proc.h>
#include <weft/printk.h>
#include <weft/time.h>

#include <uapi/signal.h>

#include "mm.h"

#define PATIENCE_NS (2 * NSEC_PER_SEC)
#define PAUSE_NS NSEC_PER_SEC /* without a call: the next one is of another shortage */
#define SPARED (-1000)	      /* oom_score_adj */
#define ROOT_SHARE 32	      /* of all memory, what the superuser's processes are let off */
#define LARGE_SHARE 16	      /* of all memory: a process with as much is large */

static DEFINE_MUTEX(oom_lock);
/* guarded by oom_lock */
static int victim_pid;
static u64 victim_since;
static u64 asked, waiting_since; /* last call; begin of the shortage, or the last kill */

/* 0: it may not be chosen. */
static s64 oom_points(struct proc *p)
{
	s64 all = (s64)page_total(), n = 0;

	spin_lock(&p->lock);
	if (p->mm && !p->exiting && p->pid != 1 && p->oom_score_adj > SPARED) {
		n = (s64)READ_ONCE(p->mm->rss_pages) + p->oom_score_adj * all / 1000;
		if (!p->cred.euid)
			n -= all / ROOT_SHARE;
		n = max(n, (s64)1);
	}
	spin_unlock(&p->lock);
	return n;
}

/* pid_lock held. */
static s64 points_in_crowd(struct proc *p)
{
	s64 n = oom_points(p);

	return n && p->parent ? max(n, oom_points(p->parent)) : n;
}

/* With a reference; NULL when nobody can be killed. */
static struct proc *choose_victim(void)
{
	struct proc *best = NULL, *p;
	s64 most = 0;
	bool crowd;

	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node)
		most = max(most, oom_points(p));
	crowd = most < (s64)page_total() / LARGE_SHARE;
	list_for_each_entry(p, &all_procs, all_node) {
		s64 n = crowd ? points_in_crowd(p) : oom_points(p);

		if (n && n >= most / 2 && (!best || p->start_ns >= best->start_ns))
			best = p;
	}
	if (best)
		proc_get(best);
	spin_unlock(&pid_lock);
	return best;
}

static bool victim_is_dying(void)
{
	struct proc *p;
	bool dying;

	if (!victim_pid || ktime_get() - victim_since >= PATIENCE_NS)
		return false;
	p = proc_find_get(victim_pid);
	if (!p)
		return false;
	dying = !p->zombie;
	proc_put(p);
	return dying;
}

/* A zombie has given its memory back. */
static bool somebody_leaves(void)
{
	bool leaves = false;
	struct proc *p;

	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		leaves = READ_ONCE(p->exiting) && !p->zombie;
		if (leaves)
			break;
	}
	spin_unlock(&pid_lock);
	return leaves;
}

static u64 resident(struct proc *p)
{
	u64 n;

	spin_lock(&p->lock);
	n = p->mm ? READ_ONCE(p->mm->rss_pages) : 0;
	spin_unlock(&p->lock);
	return n;
}

static bool kill_one(void)
{
	struct proc *p = choose_victim();

	if (!p)
		return false;
	victim_pid = p->pid;
	victim_since = waiting_since = asked;
	pr_err("out of memory: killing process %d, %llu KiB resident\n", p->pid,
	       (unsigned long long)resident(p) << (PAGE_SHIFT - 10));
	signal_send_proc(p, SIGKILL, NULL);
	proc_put(p);
	return true;
}

bool oom_kill(void)
{
	bool hope;
	u64 now;

	mutex_lock(&oom_lock);
	now = ktime_get();
	if (now - asked >= PAUSE_NS)
		waiting_since = now;
	asked = now;
	/* there may be memory again since the caller found none */
	hope = mem_available() || victim_is_dying() ||
	       (now - waiting_since < PATIENCE_NS && somebody_leaves()) || kill_one();
	mutex_unlock(&oom_lock);
	return hope;
}
