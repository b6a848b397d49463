/* SPDX-License-Identifier: MIT */
/* job.c - job control: which session a terminal belongs to, which of its process groups is in
 * front, and what happens to the others (POSIX 11.1.2 to 11.1.4).
 *
 * pid_lock guards proc->ctty and tty->sid, pgrp. Terminals are put after it was released: the last
 * reference frees. */

#include "tty.h"

#include <core/proc.h>
#include <core/syscall.h>
#include <core/tty.h>
#include <uapi/stat.h>
#include <weft/sched.h>

int tty_check_background(struct tty *t, int sig)
{
	struct proc *p = current_proc();
	int pgid, front;
	bool mine;

	if (!p)
		return 0;
	spin_lock(&pid_lock);
	mine = p->ctty == t;
	pgid = p->pgid;
	front = t->pgrp;
	spin_unlock(&pid_lock);
	if (!mine || !front || pgid == front)
		return 0;
	if (signal_ignored_or_blocked(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (pgrp_is_orphaned(pgid))
		return -EIO;
	signal_send_pgrp(pgid, sig, NULL);
	return -ERESTARTSYS;
}

/* pid_lock held. */
static void attach_locked(struct proc *p, struct tty *t)
{
	p->ctty = tty_get(t);
	t->sid = p->sid;
	t->pgrp = p->pgid;
}

/* Takes the terminal from all of its session; the caller puts that many references after unlocking.
 */
static u32 detach_session_locked(struct tty *t)
{
	struct proc *p;
	u32 n = 0;

	list_for_each_entry(p, &all_procs, all_node) {
		if (p->ctty == t) {
			p->ctty = NULL;
			n++;
		}
	}
	t->sid = t->pgrp = 0;
	return n;
}

static void put_times(struct tty *t, u32 n)
{
	while (n--)
		tty_put(t);
}

void tty_opened(struct tty *t, struct file *f)
{
	struct proc *p = current_proc();

	/* a daemon that opens a terminal only to write to it does not want to belong to it */
	if (!p || (f->flags & O_NOCTTY) || (f->flags & O_ACCMODE) == O_WRONLY)
		return;
	spin_lock(&pid_lock);
	if (p->leader && !p->ctty && !t->sid)
		attach_locked(p, t);
	spin_unlock(&pid_lock);
}

struct tty *tty_controlling(void)
{
	struct proc *p = current_proc();
	struct tty *t = NULL;

	if (!p)
		return NULL;
	spin_lock(&pid_lock);
	if (p->ctty)
		t = tty_get(p->ctty);
	spin_unlock(&pid_lock);
	return t;
}

static void hangup_signals(int pid)
{
	signal_send_pgrp(pid, SIGHUP, NULL);
	signal_send_pgrp(pid, SIGCONT, NULL);
}

void tty_signal_session(struct tty *t)
{
	struct proc *leader = NULL;
	int sid, front;
	u32 n;

	spin_lock(&pid_lock);
	sid = t->sid;
	front = t->pgrp;
	n = detach_session_locked(t);
	spin_unlock(&pid_lock);
	if (sid)
		leader = proc_find_get(sid);
	if (leader) {
		signal_send_proc(leader, SIGHUP, NULL);
		signal_send_proc(leader, SIGCONT, NULL);
		proc_put(leader);
	}
	if (front)
		hangup_signals(front);
	put_times(t, n);
}

void tty_session_exit(struct tty *t, int sid)
{
	int front;
	u32 n;

	spin_lock(&pid_lock);
	if (t->sid != sid) {
		spin_unlock(&pid_lock);
		return;
	}
	front = t->pgrp;
	tty_get(t);
	n = detach_session_locked(t);
	spin_unlock(&pid_lock);
	if (front)
		hangup_signals(front);
	/* the next session starts with files of its own; a pty's are its master's business */
	if (!t->is_pty)
		tty_hangup(t);
	put_times(t, n + 1);
}

/* ---- ioctls ---- */

static long set_controlling(struct tty *t, bool steal)
{
	struct proc *p = current_proc();
	long err = 0;
	u32 n = 0;

	spin_lock(&pid_lock);
	if (p->leader && p->ctty == t && t->sid == p->sid)
		goto out;
	if (!p->leader || p->ctty) {
		err = -EPERM;
		goto out;
	}
	if (t->sid) {
		if (!steal || require_root()) {
			err = -EPERM;
			goto out;
		}
		n = detach_session_locked(t);
	}
	attach_locked(p, t);
out:
	spin_unlock(&pid_lock);
	put_times(t, n);
	return err;
}

static long drop_controlling(struct tty *t)
{
	struct proc *p = current_proc();
	int front = 0;
	u32 n = 1;

	spin_lock(&pid_lock);
	if (p->ctty != t) {
		spin_unlock(&pid_lock);
		return -ENOTTY;
	}
	if (p->leader) {
		front = t->pgrp;
		n = detach_session_locked(t);
	} else {
		p->ctty = NULL;
	}
	spin_unlock(&pid_lock);
	if (front)
		hangup_signals(front);
	put_times(t, n);
	return 0;
}

/* The group must have a member in the caller's session. */
static long set_foreground(struct tty *t, unsigned long arg)
{
	struct proc *p = current_proc(), *q;
	long err = tty_check_background(t, SIGTTOU);
	int pgrp;

	if (err)
		return err;
	if (copy_from_user(&pgrp, (const void __user *)arg, sizeof(pgrp)))
		return -EFAULT;
	if (pgrp < 0)
		return -EINVAL;
	spin_lock(&pid_lock);
	if (p->ctty != t || t->sid != p->sid) {
		err = -ENOTTY;
		goto out;
	}
	err = -ESRCH;
	list_for_each_entry(q, &all_procs, all_node) {
		if (q->pgid != pgrp)
			continue;
		err = q->sid == p->sid ? 0 : -EPERM;
		break;
	}
	if (!err)
		t->pgrp = pgrp;
out:
	spin_unlock(&pid_lock);
	return err;
}

static long get_id(struct tty *t, u32 cmd, unsigned long arg)
{
	struct proc *p = current_proc();
	long err = 0;
	int id;

	spin_lock(&pid_lock);
	id = cmd == TIOCGPGRP ? t->pgrp : t->sid;
	if (p->ctty != t || (cmd == TIOCGSID && !id))
		err = -ENOTTY;
	spin_unlock(&pid_lock);
	return err ? err : copy_to_user((void __user *)arg, &id, sizeof(id));
}

long tty_job_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return set_controlling(t, arg == 1);
	case TIOCNOTTY:
		return drop_controlling(t);
	case TIOCSPGRP:
		return set_foreground(t, arg);
	case TIOCGPGRP:
	case TIOCGSID:
		return get_id(t, cmd, arg);
	}
	return -ENOIOCTLCMD;
}

SYSCALL(153, vhangup)
{
	struct tty *t;

	if (require_root())
		return -EPERM;
	t = tty_controlling();
	if (t) {
		tty_hangup(t);
		tty_put(t);
	}
	return 0;
}
