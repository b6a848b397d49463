/* SPDX-License-Identifier: MIT */
/* group.c - process groups and sessions (POSIX.1 3.290, 3.337): setpgid, setsid, their readers. */
#include "proc.h"

#include <core/tty.h>

/* The process that pid names for the caller, 0 itself. pid_lock held. */
static struct proc *named_locked(int pid)
{
	return pid ? proc_find_locked(pid) : current_proc();
}

static bool session_has_group_locked(int sid, int pgid)
{
	struct proc *p;

	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pgid == pgid && p->sid == sid)
			return true;
	}
	return false;
}

/* setpgid(2)'s rules. */
static long setpgid_locked(int pid, int pgid)
{
	struct proc *me = current_proc(), *p = named_locked(pid);

	if (!p || p->zombie)
		return -ESRCH;
	if (p != me) {
		if (p->parent != me)
			return -ESRCH;
		if (p->sid != me->sid)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	if (p->leader)
		return -EPERM;
	if (!pgid)
		pgid = p->pid;
	if (pgid != p->pid && !session_has_group_locked(me->sid, pgid))
		return -EPERM;
	if (pgid != p->pgid)
		proc_set_group_locked(p, pgid, p->sid);
	return 0;
}

SYSCALL(109, setpgid)
{
	long err;

	if ((int)a < 0 || (int)b < 0)
		return -EINVAL;
	spin_lock(&pid_lock);
	err = setpgid_locked((int)a, (int)b);
	spin_unlock(&pid_lock);
	return err;
}

SYSCALL(121, getpgid)
{
	struct proc *p;
	long pgid;

	spin_lock(&pid_lock);
	p = named_locked((int)a);
	pgid = p ? p->pgid : -ESRCH;
	spin_unlock(&pid_lock);
	return pgid;
}

SYSCALL(111, getpgrp)
{
	return current_proc()->pgid;
}

SYSCALL(124, getsid)
{
	struct proc *p;
	long sid;

	spin_lock(&pid_lock);
	p = named_locked((int)a);
	sid = p ? p->sid : -ESRCH;
	spin_unlock(&pid_lock);
	return sid;
}

SYSCALL(112, setsid)
{
	struct proc *me = current_proc(), *p;
	struct tty *tty = NULL;
	long ret = me->pid;

	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pgid == me->pid) {
			ret = -EPERM;
			break;
		}
	}
	if (ret > 0) {
		proc_set_group_locked(me, me->pid, me->pid);
		me->leader = true;
		tty = me->ctty;
		me->ctty = NULL;
	}
	spin_unlock(&pid_lock);
	if (tty)
		tty_put(tty);
	return ret;
}
