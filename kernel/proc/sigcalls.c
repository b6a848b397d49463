/* SPDX-License-Identifier: MIT */
/* sigcalls.c - the system calls around signals: actions, masks, waiting for and sending them. */
#include "proc.h"

#include <weft/string.h>
#include <weft/time.h>

#define UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

SYSCALL(13, rt_sigaction)
{
	struct sighand *sh = current_proc()->sighand;
	struct ksigaction new = { 0 }, old;
	int sig = (int)a;
	unsigned long flags;

	if (d != sizeof(u64) || sig < 1 || sig > NR_SIGNALS)
		return -EINVAL;
	if (b) {
		if (SIG_BIT(sig) & UNBLOCKABLE)
			return -EINVAL;
		if (copy_from_user(&new, uptr(b), sizeof(new)))
			return -EFAULT;
		/* programs leave garbage in the upper half */
		new.flags = (u32) new.flags;
		new.mask &= ~UNBLOCKABLE;
	}
	flags = spin_lock_irqsave(&sh->lock);
	old = sh->action[sig - 1];
	if (b)
		sh->action[sig - 1] = new;
	spin_unlock_irqrestore(&sh->lock, flags);
	/* POSIX.1 2.4.3: to ignore a signal is to discard a pending one, blocked or not */
	if (b &&
	    (new.handler == SIG_IGN || (new.handler == SIG_DFL &&signal_default_ignored(sig)))) {
		flags = spin_lock_irqsave(&current_proc()->sig_lock);
		signal_flush_ignored_locked(current_proc(), SIG_BIT(sig));
		spin_unlock_irqrestore(&current_proc()->sig_lock, flags);
	}
	return c ? copy_to_user(uptr(c), &old, sizeof(old)) : 0;
}

SYSCALL(14, rt_sigprocmask)
{
	struct thread *t = current();
	unsigned long flags;
	u64 old = t->sigmask, set, new;

	if (d != sizeof(u64))
		return -EINVAL;
	if (b) {
		if (copy_from_user(&set, uptr(b), sizeof(set)))
			return -EFAULT;
		switch ((int)a) {
		case SIG_BLOCK:
			new = old | set;
			break;
		case SIG_UNBLOCK:
			new = old & ~set;
			break;
		case SIG_SETMASK:
			new = set;
			break;
		default:
			return -EINVAL;
		}
		flags = spin_lock_irqsave(&t->proc->sig_lock);
		t->sigmask = new & ~UNBLOCKABLE;
		signal_recalc_locked(t);
		spin_unlock_irqrestore(&t->proc->sig_lock, flags);
	}
	return c ? copy_to_user(uptr(c), &old, sizeof(old)) : 0;
}

SYSCALL(15, rt_sigreturn)
{
	struct thread *t = current();
	struct trap_frame *frame = arch_user_frame(t);
	unsigned long flags;
	u64 mask;

	if (arch_signal_restore(frame, &mask))
		proc_exit(SIGSEGV);
	flags = spin_lock_irqsave(&t->proc->sig_lock);
	t->sigmask = mask & ~UNBLOCKABLE;
	signal_recalc_locked(t);
	spin_unlock_irqrestore(&t->proc->sig_lock, flags);
	/* stored to rax again by the dispatcher */
	return (long)frame->rax;
}

SYSCALL(127, rt_sigpending)
{
	struct thread *t = current();
	u64 set;

	if (b > sizeof(u64))
		return -EINVAL;
	set = (t->sigpending | t->proc->sigpending) & t->sigmask;
	return copy_to_user(uptr(a), &set, b);
}

static int siginfo_to_user(u64 user, const struct ksiginfo *k)
{
	struct uapi_siginfo u = { .signo = k->signo, .errn = k->errn, .code = k->code };

	u.from.pid = k->pid;
	u.from.uid = k->uid;
	if (k->signo == SIGCHLD && k->code > 0) {
		u.from.status = k->status;
		u.from.utime = (s64)k->utime;
		u.from.stime = (s64)k->stime;
	} else if (k->code > 0 && k->code != SI_KERNEL) {
		u.fault.addr = k->addr;
	} else {
		memcpy(&u.from.status, &k->value, sizeof(k->value));
	}
	return copy_to_user(uptr(user), &u, sizeof(u));
}

/* Waits for a signal of set; its number, -EAGAIN after deadline, -EINTR when another was delivered.
 */
static int wait_for_signal(u64 set, struct ksiginfo *info, u64 deadline)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	unsigned long flags;
	int sig, err = 0;

	for (;;) {
		flags = spin_lock_irqsave(&p->sig_lock);
		sig = signal_dequeue_locked(t, ~set, info);
		t->sigwait = sig || err ? 0 : set;
		signal_recalc_locked(t);
		spin_unlock_irqrestore(&p->sig_lock, flags);
		if (sig)
			return sig;
		if (err)
			return err;
		if (signal_pending())
			err = -EINTR;
		else if (deadline && ktime_get() >= deadline)
			err = -EAGAIN;
		else
			sleep_until(deadline ? deadline : ~0ull, true);
	}
}

SYSCALL(128, rt_sigtimedwait)
{
	struct ksiginfo info;
	u64 set, timeout, deadline = 0;
	int sig;

	if (d != sizeof(u64))
		return -EINVAL;
	if (copy_from_user(&set, uptr(a), sizeof(set)))
		return -EFAULT;
	set &= ~UNBLOCKABLE;
	if (c) {
		int err = timespec_from_user(c, &timeout);

		if (err)
			return err;
		deadline = ktime_get() + timeout;
		deadline = max(deadline, 1ul);
	}
	sig = wait_for_signal(set, &info, deadline);
	if (sig > 0 && b && siginfo_to_user(b, &info))
		return -EFAULT;
	return sig;
}

static int pause_here(void)
{
	while (!signal_pending()) {
		thread_set_state(THREAD_SLEEPING);
		schedule();
	}
	return -ERESTARTNOHAND;
}

SYSCALL(130, rt_sigsuspend)
{
	u64 set;

	if (b != sizeof(u64))
		return -EINVAL;
	if (copy_from_user(&set, uptr(a), sizeof(set)))
		return -EFAULT;
	sigmask_swap(set);
	return pause_here();
}

SYSCALL(34, pause)
{
	return pause_here();
}

SYSCALL(131, sigaltstack)
{
	struct thread *t = current();
	u64 sp = arch_user_frame(t)->rsp;
	struct uapi_stack new, old = { 0 };
	bool on = t->altstack_size && sp - t->altstack_sp <= t->altstack_size;

	old.sp = t->altstack_sp;
	old.size = t->altstack_size;
	old.flags = t->altstack_size ? (on ? SS_ONSTACK : 0) : SS_DISABLE;
	if (a) {
		if (copy_from_user(&new, uptr(a), sizeof(new)))
			return -EFAULT;
		if (on)
			return -EPERM;
		if (new.flags & ~(int)(SS_DISABLE | SS_ONSTACK | SS_AUTODISARM))
			return -EINVAL;
		if (new.flags & SS_DISABLE) {
			new.sp = new.size = 0;
		} else if (new.size < MINSIGSTKSZ) {
			return -ENOMEM;
		} else if (new.sp + new.size < new.sp || new.sp + new.size > USER_END) {
			return -EINVAL;
		}
		t->altstack_sp = new.sp;
		t->altstack_size = new.size;
		t->altstack_flags = (u32) new.flags;
	}
	return b ? copy_to_user(uptr(b), &old, sizeof(old)) : 0;
}

/* ---- sending ---- */

void signal_info_user(struct ksiginfo *info, int sig, int code)
{
	*info = (struct ksiginfo){
		.signo = sig,
		.code = code,
		.pid = current_proc()->pid,
		.uid = current_proc()->cred.uid,
	};
}

/* kill(2): the same user, root, or SIGCONT within a session. */
int signal_permission(struct proc *target, int sig)
{
	const struct cred *me = &current_proc()->cred, *you = &target->cred;

	if (me->euid == 0 || me->euid == you->uid || me->euid == you->suid || me->uid == you->uid ||
	    me->uid == you->suid)
		return 0;
	if (sig == SIGCONT && current_proc()->sid == target->sid)
		return 0;
	return -EPERM;
}

/* All of group pgid, or with 0 all but init and the caller. pid_lock held. */
static long kill_many_locked(int pgid, int sig, const struct ksiginfo *info)
{
	long err = -ESRCH;
	struct proc *p;

	list_for_each_entry(p, &all_procs, all_node) {
		if (pgid ? p->pgid != pgid : p->pid == 1 || p == current_proc())
			continue;
		if (signal_permission(p, sig)) {
			if (err == -ESRCH)
				err = -EPERM;
			continue;
		}
		if (sig)
			signal_send_proc(p, sig, info);
		err = 0;
	}
	return err;
}

SYSCALL(62, kill)
{
	int pid = (int)a, sig = (int)b;
	struct ksiginfo info;
	struct proc *p;
	long err;

	if (sig < 0 || sig > NR_SIGNALS)
		return -EINVAL;
	signal_info_user(&info, sig, SI_USER);
	if (pid > 0) {
		p = proc_find_get(pid);
		if (!p)
			return -ESRCH;
		err = signal_permission(p, sig);
		if (!err && sig)
			err = signal_send_proc(p, sig, &info);
		proc_put(p);
		return err;
	}
	if (pid == (int)0x80000000)
		return -ESRCH;
	spin_lock(&pid_lock);
	err = kill_many_locked(pid == -1 ? 0 : pid == 0 ? current_proc()->pgid : -pid, sig, &info);
	spin_unlock(&pid_lock);
	return err;
}

static long kill_thread(int tgid, int tid, int sig, struct ksiginfo *info)
{
	struct thread *t;
	long err;

	if (tid <= 0 || sig < 0 || sig > NR_SIGNALS)
		return -EINVAL;
	t = thread_find_get(tid);
	if (!t)
		return -ESRCH;
	if (tgid && t->proc->pid != tgid)
		err = -ESRCH;
	else
		err = signal_permission(t->proc, sig);
	if (!err && sig)
		err = signal_send_thread(t, sig, info);
	thread_put(t);
	return err;
}

SYSCALL(200, tkill)
{
	struct ksiginfo info;

	signal_info_user(&info, (int)b, SI_TKILL);
	return kill_thread(0, (int)a, (int)b, &info);
}

SYSCALL(234, tgkill)
{
	struct ksiginfo info;

	if ((int)a <= 0)
		return -EINVAL;
	signal_info_user(&info, (int)c, SI_TKILL);
	return kill_thread((int)a, (int)b, (int)c, &info);
}

static int info_from_user(u64 user, int sig, int tgid, struct ksiginfo *info)
{
	struct uapi_siginfo u;

	if (copy_from_user(&u, uptr(user), sizeof(u)))
		return -EFAULT;
	/* a program may not claim to be kill(2) or the kernel, save to itself */
	if ((u.code >= 0 || u.code == SI_TKILL) && tgid != current_proc()->pid)
		return -EPERM;
	*info = (struct ksiginfo){
		.signo = sig,
		.errn = u.errn,
		.code = u.code,
		.pid = u.from.pid,
		.uid = u.from.uid,
	};
	memcpy(&info->value, &u.from.status, sizeof(info->value));
	return 0;
}

SYSCALL(129, rt_sigqueueinfo)
{
	struct ksiginfo info;
	struct proc *p;
	long err;

	if ((int)b < 0 || (int)b > NR_SIGNALS)
		return -EINVAL;
	err = info_from_user(c, (int)b, (int)a, &info);
	if (err)
		return err;
	p = proc_find_get((int)a);
	if (!p)
		return -ESRCH;
	err = signal_permission(p, (int)b);
	if (!err && (int)b)
		err = signal_send_proc(p, (int)b, &info);
	proc_put(p);
	return err;
}

SYSCALL(297, rt_tgsigqueueinfo)
{
	struct ksiginfo info;
	int err = info_from_user(d, (int)c, (int)a, &info);

	return err ? err : kill_thread((int)a, (int)b, (int)c, &info);
}
