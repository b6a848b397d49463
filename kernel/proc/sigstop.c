/* SPDX-License-Identifier: MIT */
/* sigstop.c - job control: all threads of a process come to rest at the border to user mode, the
 * last one tells the parent; SIGCONT lets them go on. And the word to the parent about any such
 * change. */
#include "proc.h"

#include <weft/time.h>

/* How many processes are stopped: usually none, which spares ends the look at their groups. */
static struct atomic nr_stopped_procs;

bool proc_any_stopped(void)
{
	return atomic_read(&nr_stopped_procs) > 0;
}

/* Linux's SIGCHLD details. pid_lock held. */
void proc_notify_parent_locked(struct proc *p, int code, int status)
{
	struct proc *parent = p->parent;
	struct ksiginfo info = { .signo = SIGCHLD, .code = code, .pid = p->pid, .status = status };
	u64 tick = NSEC_PER_SEC / 100;

	if (!parent)
		return;
	info.uid = p->cred.uid;
	info.utime = p->utime_ns / tick;
	info.stime = p->stime_ns / tick;
	if (code == CLD_STOPPED || code == CLD_CONTINUED) {
		if (!(sighand_get(parent->sighand, SIGCHLD).flags & SA_NOCLDSTOP))
			signal_send_proc(parent, SIGCHLD, &info);
	} else if (p->exit_signal) {
		info.signo = p->exit_signal;
		signal_send_proc(parent, p->exit_signal, &info);
	}
	wake_up_all(&parent->wait_child);
}

static void report(struct proc *p, int code, int sig)
{
	spin_lock(&pid_lock);
	if (!p->zombie) {
		p->stop_state = code == CLD_STOPPED ? STOP_STOPPED : STOP_CONTINUED;
		p->stop_report = sig;
		proc_notify_parent_locked(p, code, sig);
	}
	spin_unlock(&pid_lock);
}

/* sig_lock held: a thread came to rest or left; true when with it all are at rest. */
static bool all_stopped_locked(struct proc *p)
{
	return p->stopped && p->nr_threads && p->nr_stopped == p->nr_threads;
}

void proc_stop_thread_gone_locked(struct proc *p, bool *tell)
{
	*tell = all_stopped_locked(p);
}

void proc_report_stopped(struct proc *p)
{
	report(p, CLD_STOPPED, p->stop_sig);
}

/* At the border to user mode with USER_WORK_STOP. */
void thread_stop_self(void)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	bool counted = false, tell;
	unsigned long flags;
	u32 stop = 0;
	int sig;

	for (;;) {
		tell = false;
		flags = spin_lock_irqsave(&p->sig_lock);
		/* continued and stopped again before this thread ran: the count began anew */
		counted = counted && stop == p->nr_stops;
		if (!p->stopped || (READ_ONCE(t->user_work) & USER_WORK_EXIT)) {
			user_work_clear(t, USER_WORK_STOP);
			if (counted && p->stopped)
				p->nr_stopped--;
			spin_unlock_irqrestore(&p->sig_lock, flags);
			WRITE_ONCE(t->state, THREAD_RUNNING);
			return;
		}
		if (!counted) {
			counted = true;
			stop = p->nr_stops;
			p->nr_stopped++;
			tell = all_stopped_locked(p);
		}
		sig = p->stop_sig;
		WRITE_ONCE(t->state, tell ? THREAD_RUNNING : THREAD_STOPPED);
		spin_unlock_irqrestore(&p->sig_lock, flags);
		if (tell)
			report(p, CLD_STOPPED, sig);
		else
			schedule();
	}
}

/* A stop signal's default action, taken by one thread for all. */
void proc_stop(int sig)
{
	struct proc *p = current_proc();
	unsigned long flags;
	struct thread *t;

	flags = spin_lock_irqsave(&p->sig_lock);
	if (p->exiting || p->exec_thread) {
		spin_unlock_irqrestore(&p->sig_lock, flags);
		return;
	}
	if (!p->stopped) {
		p->stopped = true;
		atomic_inc(&nr_stopped_procs);
		p->nr_stopped = 0;
		p->nr_stops++;
		p->stop_sig = sig;
		list_for_each_entry(t, &p->threads, proc_node) {
			user_work_set(t, USER_WORK_STOP);
			if (t != current() && !thread_wake_states(t, BIT(THREAD_SLEEPING)))
				thread_kick(t);
		}
	}
	spin_unlock_irqrestore(&p->sig_lock, flags);
	thread_stop_self();
}

/* SIGCONT was sent. sig_lock is held, which stands below pid_lock, and the sender may be in poll
 * context: the parent is told by the first thread that goes on. */
void proc_continue_locked(struct proc *p, bool *was_stopped)
{
	struct thread *t;

	*was_stopped = p->stopped;
	if (!p->stopped)
		return;
	p->stopped = false;
	atomic_dec(&nr_stopped_procs);
	p->nr_stopped = 0;
	list_for_each_entry(t, &p->threads, proc_node) {
		user_work_set(t, USER_WORK_CONTINUED);
		thread_wake_states(t, BIT(THREAD_STOPPED));
	}
}

void proc_stop_forget(struct proc *p)
{
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);

	if (p->stopped) {
		p->stopped = false;
		atomic_dec(&nr_stopped_procs);
	}
	spin_unlock_irqrestore(&p->sig_lock, flags);
}

/* The first thread that goes on tells the parent. */
void proc_report_continued(struct proc *p)
{
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);
	struct thread *t;
	bool first = READ_ONCE(current()->user_work) & USER_WORK_CONTINUED;

	list_for_each_entry(t, &p->threads, proc_node)
		user_work_clear(t, USER_WORK_CONTINUED);
	spin_unlock_irqrestore(&p->sig_lock, flags);
	if (first)
		report(p, CLD_CONTINUED, SIGCONT);
}
