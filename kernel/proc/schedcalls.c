/* SPDX-License-Identifier: MIT */
/* schedcalls.c - what programs may say about their scheduling: nice values, affinity, the policies
 * (batch and idle ones are remembered, but all threads are scheduled as SCHED_OTHER; real-time ones
 * are refused as on a system that grants none). */
#include "proc.h"

#include <weft/time.h>

#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5
#define SCHED_RESET_ON_FORK 0x40000000

#define PRIO_PROCESS 0
#define PRIO_PGRP 1
#define PRIO_USER 2

#define SLICE_NS (4 * NSEC_PER_MSEC)

SYSCALL(24, sched_yield)
{
	yield();
	return 0;
}

SYSCALL(309, getcpu)
{
	u32 cpu = cpu_id(), node = 0;

	if (a && copy_to_user(uptr(a), &cpu, sizeof(cpu)))
		return -EFAULT;
	return b ? copy_to_user(uptr(b), &node, sizeof(node)) : 0;
}

/* tid 0 is the caller. With a reference; ERR_PTR(-ESRCH, -EPERM when it is to be changed). */
static struct thread *named(int tid, bool change)
{
	const struct cred *me = &current_proc()->cred;
	struct thread *t;

	if (tid < 0)
		return ERR_PTR(-EINVAL);
	if (!tid) {
		thread_get(current());
		return current();
	}
	t = thread_find_get(tid);
	if (!t)
		return ERR_PTR(-ESRCH);
	if (change && me->euid != 0 && me->euid != t->proc->cred.euid &&
	    me->euid != t->proc->cred.uid) {
		thread_put(t);
		return ERR_PTR(-EPERM);
	}
	return t;
}

SYSCALL(204, sched_getaffinity)
{
	u32 online = nr_cpus >= 32 ? ~0u : BIT(nr_cpus) - 1;
	struct thread *t;
	u64 mask;

	if (b < sizeof(mask) || b % sizeof(mask))
		return -EINVAL;
	t = named((int)a, false);
	if (IS_ERR(t))
		return PTR_ERR(t);
	mask = t->affinity & online;
	thread_put(t);
	return copy_to_user(uptr(c), &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

SYSCALL(203, sched_setaffinity)
{
	struct thread *t;
	u64 mask = 0;
	long err;

	if (copy_from_user(&mask, uptr(c), min(b, sizeof(mask))))
		return -EFAULT;
	t = named((int)a, true);
	if (IS_ERR(t))
		return PTR_ERR(t);
	err = thread_set_affinity(t, (u32)mask);
	thread_put(t);
	return err;
}

static long check_policy(int policy, int prio)
{
	switch (policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return prio ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return prio < 1 || prio > 99 ? -EINVAL : -EPERM;
	}
	return -EINVAL;
}

static long exists(int tid)
{
	struct thread *t = named(tid, false);

	if (IS_ERR(t))
		return PTR_ERR(t);
	thread_put(t);
	return 0;
}

/* sched(7): a policy for the thread alone keeps its children from a raised priority. */
void sched_inherit(struct thread *t)
{
	const struct thread *me = current();
	bool reset = me->policy & SCHED_RESET_ON_FORK;

	t->policy = reset ? SCHED_OTHER : me->policy;
	t->prio = reset ? min(me->prio, (u32)NICE_0_PRIO) : me->prio;
}

/* policy -1: as it is, only the parameter is looked at. */
static long set_policy(int tid, int policy, u64 user)
{
	struct thread *t;
	long err;
	int prio;

	if (!user || tid < 0)
		return -EINVAL;
	if (copy_from_user(&prio, uptr(user), sizeof(prio)))
		return -EFAULT;
	t = named(tid, true);
	if (IS_ERR(t))
		return PTR_ERR(t);
	err = check_policy(policy < 0 ? SCHED_OTHER : policy, prio);
	if (!err && policy >= 0)
		WRITE_ONCE(t->policy, (u32)policy);
	thread_put(t);
	return err;
}

SYSCALL(142, sched_setparam)
{
	return set_policy((int)a, -1, b);
}

SYSCALL(143, sched_getparam)
{
	int prio = 0;
	long err = exists((int)a);

	return err ? err : copy_to_user(uptr(b), &prio, sizeof(prio));
}

SYSCALL(144, sched_setscheduler)
{
	return (int)b < 0 ? -EINVAL : set_policy((int)a, (int)b, c);
}

SYSCALL(145, sched_getscheduler)
{
	struct thread *t = named((int)a, false);
	u32 policy;

	if (IS_ERR(t))
		return PTR_ERR(t);
	policy = READ_ONCE(t->policy);
	thread_put(t);
	return policy;
}

static long priority_bound(int policy, long real_time)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return real_time;
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ? 0 : -EINVAL;
}

SYSCALL(146, sched_get_priority_max)
{
	return priority_bound((int)a, 99);
}

SYSCALL(147, sched_get_priority_min)
{
	return priority_bound((int)a, 1);
}

SYSCALL(148, sched_rr_get_interval)
{
	long err = exists((int)a);

	return err ? err : timespec_to_user(b, SLICE_NS);
}

/* setpriority(2): who may set what. */
static long may_renice(const struct proc *p, const struct thread *t, int nice)
{
	const struct cred *me = &current_proc()->cred;

	if (me->euid == 0)
		return 0;
	if (me->euid != p->cred.uid && me->euid != p->cred.euid)
		return -EPERM;
	if (nice < thread_nice(t) && nice < 20 - (int)min(p->rlim[RLIMIT_NICE].cur, 40ul))
		return -EACCES;
	return 0;
}

/* struct sched_attr, its first version */
struct sched_attr {
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime, deadline, period;
};

SYSCALL(314, sched_setattr)
{
	struct sched_attr attr;
	struct thread *t;
	long err;

	if (c)
		return -EINVAL;
	if (copy_from_user(&attr, uptr(b), sizeof(attr)))
		return -EFAULT;
	if (attr.size && attr.size < sizeof(attr))
		return -E2BIG;
	if (attr.flags & ~1ull) /* SCHED_FLAG_RESET_ON_FORK */
		return -EINVAL;
	err = check_policy((int)attr.policy, (int)attr.priority);
	if (err)
		return err;
	t = named((int)a, true);
	if (IS_ERR(t))
		return PTR_ERR(t);
	attr.nice = max(-20, min(attr.nice, 19));
	err = may_renice(t->proc, t, attr.nice);
	if (!err) {
		thread_set_nice(t, attr.nice);
		WRITE_ONCE(t->policy, attr.policy | (attr.flags ? SCHED_RESET_ON_FORK : 0));
	}
	thread_put(t);
	return err == -EACCES ? -EPERM : err;
}

SYSCALL(315, sched_getattr)
{
	struct sched_attr attr = { .size = sizeof(attr) };
	struct thread *t;

	if (d || c < sizeof(attr) || c > PAGE_SIZE)
		return -EINVAL;
	t = named((int)a, false);
	if (IS_ERR(t))
		return PTR_ERR(t);
	attr.nice = thread_nice(t);
	attr.policy = READ_ONCE(t->policy) & ~SCHED_RESET_ON_FORK;
	attr.flags = READ_ONCE(t->policy) & SCHED_RESET_ON_FORK ? 1 : 0;
	thread_put(t);
	return copy_to_user(uptr(b), &attr, sizeof(attr));
}

/* ---- nice ---- */

static bool prio_matches(const struct proc *p, int which, int who)
{
	switch (which) {
	case PRIO_PROCESS:
		return p->pid == (who ? who : current_proc()->pid);
	case PRIO_PGRP:
		return p->pgid == (who ? who : current_proc()->pgid);
	default:
		return p->cred.uid == (who ? (u32)who : current_proc()->cred.uid);
	}
}

static long renice_proc(struct proc *p, int nice)
{
	struct thread *t;
	long err = 0;

	spin_lock(&p->lock);
	list_for_each_entry(t, &p->threads, proc_node) {
		err = may_renice(p, t, nice);
		if (err)
			break;
		thread_set_nice(t, nice);
	}
	spin_unlock(&p->lock);
	return err;
}

SYSCALL(141, setpriority)
{
	int which = (int)a, who = (int)b, nice = (int)c;
	long err = -ESRCH, one;
	struct proc *p;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = max(-20, min(nice, 19));
	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		if (p->zombie || !prio_matches(p, which, who))
			continue;
		one = renice_proc(p, nice);
		if (one || err == -ESRCH)
			err = one;
	}
	spin_unlock(&pid_lock);
	return err;
}

/* The call returns 20 - nice, so that it is never negative; libraries turn it round. */
SYSCALL(140, getpriority)
{
	int which = (int)a, who = (int)b;
	long best = -ESRCH;
	struct proc *p;
	struct thread *t;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		if (!prio_matches(p, which, who))
			continue;
		spin_lock(&p->lock);
		list_for_each_entry(t, &p->threads, proc_node)
			best = max(best, (long)(20 - thread_nice(t)));
		spin_unlock(&p->lock);
	}
	spin_unlock(&pid_lock);
	return best;
}

/* ---- I/O priority: there is no queue of a disk, so any is as good ---- */

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_WHO_USER 3
#define IOPRIO_CLASS_SHIFT 13
#define IOPRIO_CLASS_RT 1
#define IOPRIO_CLASS_IDLE 3

SYSCALL(251, ioprio_set)
{
	u32 class = (u32)c >> IOPRIO_CLASS_SHIFT;

	if ((int)a < IOPRIO_WHO_PROCESS || (int)a > IOPRIO_WHO_USER || class > IOPRIO_CLASS_IDLE)
		return -EINVAL;
	if (class == IOPRIO_CLASS_RT && current_uid() != 0)
		return -EPERM;
	return (int)a == IOPRIO_WHO_PROCESS ? exists((int)b) : 0;
}

SYSCALL(252, ioprio_get)
{
	long err;

	if ((int)a < IOPRIO_WHO_PROCESS || (int)a > IOPRIO_WHO_USER)
		return -EINVAL;
	err = (int)a == IOPRIO_WHO_PROCESS ? exists((int)b) : 0;
	return err ? err : 4; /* no class, the middle */
}
