/* SPDX-License-Identifier: MIT */
/* wait.c - a parent asks for its children's changes: wait4 and waitid. The record of a zombie is
 * given up when its status has been taken, unless WNOWAIT leaves it. */
#include "proc.h"

#define WNOHANG 0x1
#define WUNTRACED 0x2
#define WSTOPPED WUNTRACED
#define WEXITED 0x4
#define WCONTINUED 0x8
#define WNOWAIT 0x01000000
#define WNOTHREAD 0x20000000
#define WALL 0x40000000
#define WCLONE 0x80000000u

#define P_ALL 0
#define P_PID 1
#define P_PGID 2

struct wait_ask {
	int which, id;
	u32 options;
	/* the answer */
	int pid, status, code;
	u32 uid;
	u64 utime, stime;
};

static bool matches(const struct proc *c, const struct wait_ask *ask)
{
	bool clone = c->exit_signal != SIGCHLD;

	if (ask->which == P_PID && c->pid != ask->id)
		return false;
	if (ask->which == P_PGID && c->pgid != ask->id)
		return false;
	return (ask->options & WALL) || clone == !!(ask->options & WCLONE);
}

/* pid_lock held. True when c has something to tell; *dead: it was reaped by this, drop its
 * reference. */
static bool collect_locked(struct proc *parent, struct proc *c, struct wait_ask *ask, bool *dead)
{
	ask->pid = c->pid;
	ask->uid = c->cred.uid;
	ask->utime = c->utime_ns;
	ask->stime = c->stime_ns;
	if (c->zombie) {
		if (!(ask->options & WEXITED))
			return false;
		ask->status = c->exit_status;
		ask->code = c->exit_status & 0x7f ? CLD_KILLED : CLD_EXITED;
		if (!(ask->options & WNOWAIT)) {
			parent->cutime_ns += c->utime_ns + c->cutime_ns;
			parent->cstime_ns += c->stime_ns + c->cstime_ns;
			proc_unlink_locked(c);
			*dead = true;
		}
		return true;
	}
	if (c->stop_state == STOP_STOPPED && (ask->options & WSTOPPED)) {
		ask->status = c->stop_report << 8 | 0x7f;
		ask->code = CLD_STOPPED;
		if (!(ask->options & WNOWAIT))
			c->stop_state = STOP_REPORTED;
		return true;
	}
	if (c->stop_state == STOP_CONTINUED && (ask->options & WCONTINUED)) {
		ask->status = 0xffff;
		ask->code = CLD_CONTINUED;
		if (!(ask->options & WNOWAIT))
			c->stop_state = STOP_NONE;
		return true;
	}
	return false;
}

/* 1: answered, 0: nothing yet, -ECHILD: nobody to wait for. */
static int look(struct wait_ask *ask)
{
	struct proc *p = current_proc(), *c, *found = NULL;
	bool dead = false;
	int ret = -ECHILD;

	spin_lock(&pid_lock);
	list_for_each_entry(c, &p->children, sibling) {
		if (!matches(c, ask))
			continue;
		ret = 0;
		if (collect_locked(p, c, ask, &dead)) {
			found = c;
			ret = 1;
			break;
		}
	}
	spin_unlock(&pid_lock);
	if (dead)
		proc_put(found);
	return ret;
}

static int wait_for_child(struct wait_ask *ask)
{
	int ret = 0, err;

	/* the condition is tested again after it held: what was collected must stay */
	err = wait_event_interruptible(&current_proc()->wait_child,
				       ret || (ret = look(ask)) || (ask->options & WNOHANG));
	return ret ? ret : err;
}

SYSCALL(61, wait4)
{
	struct wait_ask ask = { 0 };
	int pid = (int)a, ret;
	u32 options = (u32)c;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	if (pid > 0)
		ask.which = P_PID;
	else
		ask.which = pid == -1 ? P_ALL : P_PGID;
	ask.id = pid > 0 ? pid : pid == 0 ? current_proc()->pgid : -pid;
	ask.options = options | WEXITED;
	ret = wait_for_child(&ask);
	if (ret <= 0)
		return ret;
	if (b && copy_to_user(uptr(b), &ask.status, sizeof(ask.status)))
		return -EFAULT;
	if (d) {
		ret = rusage_to_user(d, ask.utime, ask.stime, NULL);
		if (ret)
			return ret;
	}
	return ask.pid;
}

SYSCALL(247, waitid)
{
	struct uapi_siginfo info = { 0 };
	struct wait_ask ask = { .which = (int)a, .id = (int)b, .options = (u32)d };
	int ret;

	if (ask.options &
	    ~(WNOHANG | WSTOPPED | WEXITED | WCONTINUED | WNOWAIT | WNOTHREAD | WALL | WCLONE))
		return -EINVAL;
	if (!(ask.options & (WSTOPPED | WEXITED | WCONTINUED)))
		return -EINVAL;
	if (ask.which < P_ALL || ask.which > P_PGID || (ask.which == P_PID && ask.id <= 0) ||
	    ask.id < 0)
		return -EINVAL;
	if (ask.which == P_PGID && !ask.id)
		ask.id = current_proc()->pgid;
	ret = wait_for_child(&ask);
	if (ret < 0)
		return ret;
	if (ret) {
		info.signo = SIGCHLD;
		info.code = ask.code;
		info.from.pid = ask.pid;
		info.from.uid = ask.uid;
		switch (ask.code) {
		case CLD_EXITED:
			info.from.status = ask.status >> 8;
			break;
		case CLD_KILLED:
			info.from.status = ask.status & 0x7f;
			break;
		case CLD_STOPPED:
			info.from.status = ask.status >> 8;
			break;
		case CLD_CONTINUED:
			info.from.status = SIGCONT;
			break;
		}
	}
	if (e && ret > 0 && rusage_to_user(e, ask.utime, ask.stime, NULL))
		return -EFAULT;
	return c ? copy_to_user(uptr(c), &info, sizeof(info)) : 0;
}
