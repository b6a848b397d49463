/* SPDX-License-Identifier: MIT */
/* sigdeliver.c - the border to user mode: everything that waits for a thread is served here, before
 * its next user instruction. Signals are taken and acted on, interrupted system calls restarted or
 * ended with EINTR (signal(7), "Interruption of system calls"). */
#include "proc.h"

#include <core/vfs.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSN_SIZE 2 /* 0f 05 */

static void restart_call(struct trap_frame *f, u64 nr)
{
	f->rax = nr;
	f->rip -= SYSCALL_INSN_SIZE;
}

/* What the interrupted call does now that a handler (act) runs, or none does (NULL). Once per call.
 */
static void settle_syscall(struct trap_frame *f, const struct ksigaction *act)
{
	u64 nr = f->orig_rax;

	if (f->vector != TRAP_SYSCALL || nr == ~0ull)
		return;
	switch ((long)f->rax) {
	case -ERESTARTNOINTR:
		restart_call(f, nr);
		break;
	case -ERESTARTSYS:
		if (act && !(act->flags & SA_RESTART))
			f->rax = (u64)-EINTR;
		else
			restart_call(f, nr);
		break;
	case -ERESTARTNOHAND:
		if (act)
			f->rax = (u64)-EINTR;
		else
			restart_call(f, nr);
		break;
	case -ERESTART_RESTARTBLOCK:
		if (act)
			f->rax = (u64)-EINTR;
		else
			restart_call(f, NR_RESTART_SYSCALL);
		break;
	default:
		return;
	}
	f->orig_rax = ~0ull;
}

static void set_mask(struct thread *t, u64 mask)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->sig_lock);

	t->sigmask = mask & ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP));
	signal_recalc_locked(t);
	spin_unlock_irqrestore(&t->proc->sig_lock, flags);
}

void sigmask_swap(u64 newmask)
{
	struct thread *t = current();

	t->saved_sigmask = t->sigmask;
	t->restore_sigmask = true;
	set_mask(t, newmask);
	/* so that the way back passes by here, signal or not */
	user_work_set(t, USER_WORK_RESTART);
}

static bool is_core_signal(int sig)
{
	switch (sig) {
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGXCPU:
	case SIGXFSZ:
	case SIGSYS:
		return true;
	}
	return false;
}

/* The default action. Returns when the process lives on. */
static void act_by_default(int sig)
{
	struct proc *p = current_proc();

	if (signal_default_ignored(sig))
		return;
	if (signal_default_stops(sig)) {
		/* POSIX.1 2.4.3: nobody could continue a stopped orphaned group */
		if (sig == SIGSTOP || !pgrp_is_orphaned(p->pgid))
			proc_stop(sig);
		return;
	}
	if (p == init_proc && sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE)
		return;
	if (is_core_signal(sig))
		pr_debug("%s[%d]: ended by signal %d\n", current()->comm, p->pid, sig);
	proc_exit(sig);
}

static void run_handler(struct trap_frame *f, int sig, const struct ksiginfo *info,
			const struct ksigaction *act)
{
	struct thread *t = current();
	struct sighand *sh = t->proc->sighand;
	u64 old = t->restore_sigmask ? t->saved_sigmask : t->sigmask, mask;
	unsigned long flags;

	if (act->flags & SA_RESETHAND) {
		flags = spin_lock_irqsave(&sh->lock);
		sh->action[sig - 1].handler = SIG_DFL;
		spin_unlock_irqrestore(&sh->lock, flags);
	}
	settle_syscall(f, act);
	if (arch_signal_setup(f, sig, info, act, old)) {
		pr_warn("%s[%d]: no stack for the handler of signal %d\n", t->comm, t->proc->pid,
			sig);
		proc_exit(SIGSEGV);
	}
	t->restore_sigmask = false;
	mask = t->sigmask | act->mask;
	if (!(act->flags & SA_NODEFER))
		mask |= SIG_BIT(sig);
	set_mask(t, mask);
}

/* Takes pending signals until one ran a handler or none is left. */
static void deliver(struct trap_frame *f)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	struct ksigaction act;
	struct ksiginfo info;
	unsigned long flags;
	int sig;

	for (;;) {
		flags = spin_lock_irqsave(&p->sig_lock);
		sig = signal_dequeue_locked(t, t->sigmask, &info);
		signal_recalc_locked(t);
		spin_unlock_irqrestore(&p->sig_lock, flags);
		if (READ_ONCE(t->user_work) & USER_WORK_EXIT)
			return;
		if (!sig)
			break;
		act = sighand_get(p->sighand, sig);
		if (act.handler == SIG_IGN)
			continue;
		if (act.handler == SIG_DFL) {
			act_by_default(sig);
			continue;
		}
		run_handler(f, sig, &info, &act);
		return;
	}
	settle_syscall(f, NULL);
	if (t->restore_sigmask) {
		t->restore_sigmask = false;
		set_mask(t, t->saved_sigmask);
	}
}

void user_return_work(struct trap_frame *f)
{
	struct thread *t = current();
	u32 work = READ_ONCE(t->user_work);

	if (work & USER_WORK_RESCHED) {
		user_work_clear(t, USER_WORK_RESCHED);
		if (cpu_pending())
			preempt_check();
		/* the affinity may have been changed under a running thread */
		sched_leave_cpu();
	}
	if (work & USER_WORK_EXIT)
		thread_leave(0);
	if (work & USER_WORK_STOP)
		thread_stop_self();
	if (work & USER_WORK_CONTINUED)
		proc_report_continued(t->proc);
	if (READ_ONCE(t->user_work) & USER_WORK_EXIT)
		return; /* killed while stopped: the caller comes again */
	if (work & (USER_WORK_SIGNAL | USER_WORK_RESTART | USER_WORK_STOP)) {
		user_work_clear(t, USER_WORK_RESTART);
		deliver(f);
	}
}

/* ---- from traps ---- */

static void describe(const struct trap_frame *f, int sig, u64 addr)
{
	static struct ratelimit limit;
	const struct thread *t = current();
	const char *what = sig == SIGSEGV ? "segfault" : sig == SIGBUS ? "bus error" : "trap";

	if (!printk_ratelimit(&limit, __func__))
		return;
	if (f->vector == 14)
		printk(KERN_INFO "%s[%d]: %s at %lx ip %016lx sp %016lx error %lx\n", t->comm,
		       t->tid, what, addr, f->rip, f->rsp, f->orig_rax);
	else
		printk(KERN_INFO "%s[%d]: trap %lu (signal %d) ip %016lx sp %016lx\n", t->comm,
		       t->tid, f->vector, sig, f->rip, f->rsp);
}

/* A signal that the running instruction caused cannot be held back: blocked or ignored it kills, as
 * the instruction would only be tried again. */
void user_trap_signal(struct trap_frame *f, int sig, int code, u64 addr)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	struct ksiginfo info = { .signo = sig, .code = code, .addr = addr };
	struct ksigaction act;
	unsigned long flags;
	bool kill;

	if (!p)
		kernel_oops(f, "trap in user mode without a process", addr);
	flags = spin_lock_irqsave(&p->sig_lock);
	act = sighand_get(p->sighand, sig);
	kill = act.handler == SIG_DFL || act.handler == SIG_IGN || (t->sigmask & SIG_BIT(sig));
	spin_unlock_irqrestore(&p->sig_lock, flags);
	if (kill) {
		describe(f, sig, addr);
		proc_exit(sig);
	}
	signal_send_thread(t, sig, &info);
}
