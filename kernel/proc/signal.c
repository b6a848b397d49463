/* SPDX-License-Identifier: MIT */
/* signal.c - sending and queueing signals. A signal is dropped at once when it would be ignored,
 * else it stays pending on a thread or on the process until one that does not block it takes it at
 * the border to user mode (sigdeliver.c). SIGKILL needs no taking: it ends all threads directly. */
#include "proc.h"

#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>

#define STOP_SIGNALS (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define IGNORED_BY_DEFAULT \
	(SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
/* These come from the instruction that runs and go before all others. */
#define SYNCHRONOUS                                                                \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | \
	 SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))

/* The details of a pending signal. A timer has one of its own, which then is in at most one queue
 * and does not count in nr_queued. */
struct sigqueue {
	struct list_head node;
	struct posix_timer *timer; /* NULL: freed when it is taken */
	struct ksiginfo info;
};

bool signal_default_ignored(int sig)
{
	return SIG_BIT(sig) & IGNORED_BY_DEFAULT;
}

bool signal_default_stops(int sig)
{
	return SIG_BIT(sig) & STOP_SIGNALS;
}

struct ksigaction sighand_get(struct sighand *sh, int sig)
{
	unsigned long flags = spin_lock_irqsave(&sh->lock);
	struct ksigaction act = sh->action[sig - 1];

	spin_unlock_irqrestore(&sh->lock, flags);
	return act;
}

static bool ignored_locked(struct proc *p, int sig)
{
	u64 handler = sighand_get(p->sighand, sig).handler;

	if (handler == SIG_IGN)
		return true;
	if (handler != SIG_DFL)
		return false;
	/* signal(7): init gets only what it asked for */
	return signal_default_ignored(sig) || (p == init_proc && p->pid == 1);
}

void signal_recalc_locked(struct thread *t)
{
	if ((t->sigpending | t->proc->sigpending) & ~t->sigmask)
		user_work_set(t, USER_WORK_SIGNAL);
	else
		user_work_clear(t, USER_WORK_SIGNAL);
}

/* ---- queues ---- */

void signal_flush_queue(struct list_head *queue)
{
	while (!list_empty(queue)) {
		struct sigqueue *q = list_first_entry(queue, struct sigqueue, node);

		list_del(&q->node);
		kfree(q);
	}
}

/* Out of its queue; info is what the taker gets, NULL: nobody takes it. */
static void unqueue_locked(struct proc *p, struct sigqueue *q, struct ksiginfo *info)
{
	list_del(&q->node);
	if (info)
		*info = q->info;
	if (q->timer) {
		u32 overrun = posix_timer_taken_locked(q->timer);

		if (info)
			info->uid = overrun;
		return;
	}
	p->nr_queued--;
	kfree(q);
}

static void discard_locked(struct proc *p, u64 *pending, struct list_head *queue, u64 set)
{
	struct sigqueue *q, *tmp;

	*pending &= ~set;
	list_for_each_entry_safe(q, tmp, queue, node) {
		if (SIG_BIT(q->info.signo) & set)
			unqueue_locked(p, q, NULL);
	}
}

/* Forgets pending signals of set, on the process and on all its threads. sig_lock held. */
void signal_flush_ignored_locked(struct proc *p, u64 set)
{
	struct thread *t;

	discard_locked(p, &p->sigpending, &p->sigqueue, set);
	list_for_each_entry(t, &p->threads, proc_node)
		discard_locked(p, &t->sigpending, &t->sigqueue, set);
}

static void discard_code_locked(struct proc *p, u64 *pending, struct list_head *queue, int code)
{
	struct sigqueue *q, *tmp;
	u64 gone = 0, others = 0;

	list_for_each_entry_safe(q, tmp, queue, node) {
		if (q->info.code == code) {
			gone |= SIG_BIT(q->info.signo);
			unqueue_locked(p, q, NULL);
		} else {
			others |= SIG_BIT(q->info.signo);
		}
	}
	*pending &= ~gone | others;
}

void signal_discard_timers(struct thread *t)
{
	struct proc *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);

	discard_code_locked(p, &p->sigpending, &p->sigqueue, SI_TIMER);
	discard_code_locked(p, &t->sigpending, &t->sigqueue, SI_TIMER);
	signal_recalc_locked(t);
	spin_unlock_irqrestore(&p->sig_lock, flags);
}

/* A thread ends: what is pending on it alone is nobody's. sig_lock held. */
void signal_discard_thread_locked(struct thread *t)
{
	discard_locked(t->proc, &t->sigpending, &t->sigqueue, ~0ull);
}

/* Standard signals are pending once; real-time ones queue, each with its value. */
static int queue_locked(struct proc *p, u64 *pending, struct list_head *queue, int sig,
			const struct ksiginfo *info)
{
	struct sigqueue *q = NULL;

	if (sig < SIGRTMIN && (*pending & SIG_BIT(sig)))
		return 0;
	if (p->nr_queued < p->rlim[RLIMIT_SIGPENDING].cur)
		q = kmalloc(sizeof(*q));
	if (q) {
		q->timer = NULL;
		if (info)
			q->info = *info;
		else
			q->info = (struct ksiginfo){ .code = SI_KERNEL };
		q->info.signo = sig;
		p->nr_queued++;
		list_add_tail(&q->node, queue);
	} else if (sig >= SIGRTMIN && info && info->code != SI_USER) {
		return -EAGAIN;
	}
	/* without memory the signal still arrives, only without its details */
	*pending |= SIG_BIT(sig);
	return 0;
}

static void take_locked(struct proc *p, u64 *pending, struct list_head *queue, int sig,
			struct ksiginfo *info)
{
	struct sigqueue *q, *tmp;
	bool found = false, more = false;

	*info = (struct ksiginfo){ .signo = sig, .code = SI_USER };
	list_for_each_entry_safe(q, tmp, queue, node) {
		if (q->info.signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = true;
		unqueue_locked(p, q, info);
	}
	if (!more)
		*pending &= ~SIG_BIT(sig);
}

static int lowest(u64 set)
{
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

/* The next signal not in blocked, with its details; 0: none. sig_lock held. */
int signal_dequeue_locked(struct thread *t, u64 blocked, struct ksiginfo *info)
{
	struct proc *p = t->proc;
	int sig = lowest(t->sigpending & ~blocked);

	if (sig) {
		take_locked(p, &t->sigpending, &t->sigqueue, sig, info);
		return sig;
	}
	sig = lowest(p->sigpending & ~blocked);
	if (sig)
		take_locked(p, &p->sigpending, &p->sigqueue, sig, info);
	return sig;
}

/* ---- sending ---- */

/* All threads but except are to leave; sig_lock held, p->lock or sig_lock keeps the list. */
void signal_kill_threads_locked(struct proc *p, struct thread *except)
{
	struct thread *t;

	list_for_each_entry(t, &p->threads, proc_node) {
		if (t == except)
			continue;
		t->sigpending |= SIG_BIT(SIGKILL);
		user_work_set(t, USER_WORK_EXIT | USER_WORK_SIGNAL);
		if (!thread_wake_states(t, BIT(THREAD_SLEEPING) | BIT(THREAD_KILLABLE) |
						   BIT(THREAD_STOPPED)))
			thread_kick(t);
	}
}

static void kill_locked(struct proc *p)
{
	if (!p->exiting) {
		p->exiting = true;
		p->exit_status = SIGKILL;
	}
	p->sigpending |= SIG_BIT(SIGKILL);
	signal_kill_threads_locked(p, NULL);
}

static void wake_for_signal(struct thread *t)
{
	user_work_set(t, USER_WORK_SIGNAL);
	if (!thread_wake_states(t, BIT(THREAD_SLEEPING)))
		thread_kick(t);
}

static bool wants(struct thread *t, int sig)
{
	return !(t->sigmask & SIG_BIT(sig)) || (t->sigwait & SIG_BIT(sig));
}

/* A process's signal goes to the running thread if it takes it, else to the first that does. */
static void choose_locked(struct proc *p, int sig)
{
	struct thread *t;

	if (current()->proc == p && wants(current(), sig) && !list_empty(&current()->proc_node)) {
		wake_for_signal(current());
		return;
	}
	list_for_each_entry(t, &p->threads, proc_node) {
		if (wants(t, sig)) {
			wake_for_signal(t);
			return;
		}
	}
}

static bool anybody_blocks(struct proc *p, struct thread *t, int sig)
{
	if (t)
		return (t->sigmask | t->sigwait) & SIG_BIT(sig);
	list_for_each_entry(t, &p->threads, proc_node) {
		if ((t->sigmask | t->sigwait) & SIG_BIT(sig))
			return true;
	}
	return false;
}

/* t NULL: to the process. sig_lock held. */
static int send_locked(struct proc *p, struct thread *t, int sig, const struct ksiginfo *info,
		       struct sigqueue *own)
{
	u64 *pending = t ? &t->sigpending : &p->sigpending;
	struct list_head *queue = t ? &t->sigqueue : &p->sigqueue;
	bool continued = false;
	int err = 0;

	if (p->exiting || list_empty(&p->threads) || (t && list_empty(&t->proc_node)))
		return 0;
	if (sig == SIGKILL || sig == SIGSTOP) {
		if (p == init_proc)
			return 0;
		if (sig == SIGKILL) {
			kill_locked(p);
			return 0;
		}
	}
	/* signal generation, POSIX.1 2.4.1: a stop and a continue cancel each other */
	if (sig == SIGCONT) {
		signal_flush_ignored_locked(p, STOP_SIGNALS);
		proc_continue_locked(p, &continued);
	} else if (signal_default_stops(sig)) {
		signal_flush_ignored_locked(p, SIG_BIT(SIGCONT));
	}
	/* a blocked signal stays even when it is ignored now: the action may change before it is
	 * taken */
	if (ignored_locked(p, sig) && !anybody_blocks(p, t, sig))
		return 0;
	if (own) {
		list_add_tail(&own->node, queue);
		*pending |= SIG_BIT(sig);
	} else {
		err = queue_locked(p, pending, queue, sig, info);
	}
	if (err)
		return err;
	signalfd_notify_locked();
	if (!t)
		choose_locked(p, sig);
	else if (wants(t, sig))
		wake_for_signal(t);
	return 0;
}

static int send(struct proc *p, struct thread *t, int sig, const struct ksiginfo *info)
{
	unsigned long flags;
	int err;

	if (sig < 1 || sig > NR_SIGNALS)
		return -EINVAL;
	flags = spin_lock_irqsave(&p->sig_lock);
	err = send_locked(p, t, sig, info, NULL);
	spin_unlock_irqrestore(&p->sig_lock, flags);
	return err;
}

/* ---- signals of timers ---- */

struct sigqueue *sigqueue_of_timer(struct posix_timer *timer, const struct ksiginfo *info)
{
	struct sigqueue *q = kmalloc(sizeof(*q));

	if (!q)
		return NULL;
	list_init(&q->node);
	q->timer = timer;
	q->info = *info;
	return q;
}

bool signal_send_timer_locked(struct proc *p, struct thread *t, struct sigqueue *q)
{
	if (list_empty(&q->node))
		send_locked(p, t, q->info.signo, &q->info, q);
	return !list_empty(&q->node);
}

void sigqueue_leave_timer(struct proc *p, struct sigqueue *q)
{
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);
	bool pending = !list_empty(&q->node);

	q->timer = NULL;
	if (pending)
		p->nr_queued++; /* it is one like others now */
	spin_unlock_irqrestore(&p->sig_lock, flags);
	if (!pending)
		kfree(q);
}

int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info)
{
	return send(p, NULL, sig, info);
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return t->proc ? send(t->proc, t, sig, info) : -ESRCH;
}

int signal_send_pgrp_locked(int pgid, int sig, const struct ksiginfo *info)
{
	struct proc *p;
	int err = -ESRCH;

	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pgid != pgid)
			continue;
		if (sig)
			signal_send_proc(p, sig, info);
		err = 0;
	}
	return err;
}

int signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info)
{
	int err;

	spin_lock(&pid_lock);
	err = signal_send_pgrp_locked(pgid, sig, info);
	spin_unlock(&pid_lock);
	return err;
}

void signal_send_owner(int owner, int sig)
{
	struct proc *p;

	if (owner < 0) {
		signal_send_pgrp(-owner, sig, NULL);
		return;
	}
	spin_lock(&pid_lock);
	p = owner ? proc_find_locked(owner) : NULL;
	if (p)
		signal_send_proc(p, sig, NULL);
	spin_unlock(&pid_lock);
}

bool signal_ignored_or_blocked(int sig)
{
	struct thread *t = current();

	if (t->sigmask & SIG_BIT(sig))
		return true;
	return sighand_get(t->proc->sighand, sig).handler == SIG_IGN;
}

/* POSIX.1 3.259: no member has a parent in another group of the same session. pid_lock held. */
static bool orphaned_locked(int pgid, const struct proc *leaving)
{
	struct proc *p;

	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pgid != pgid || p == leaving || p->zombie || !p->parent)
			continue;
		if (p->parent->pgid != pgid && p->parent->sid == p->sid && p->parent->pid != 1)
			return false;
	}
	return true;
}

bool pgrp_is_orphaned(int pgid)
{
	bool orphaned;

	spin_lock(&pid_lock);
	orphaned = orphaned_locked(pgid, NULL);
	spin_unlock(&pid_lock);
	return orphaned;
}

static bool has_stopped_locked(int pgid)
{
	struct proc *p;

	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pgid == pgid && READ_ONCE(p->stopped))
			return true;
	}
	return false;
}

/* member loses parent, because one of the two ends: if that was what kept the group from being
 * orphaned and some of it are stopped, it gets SIGHUP and SIGCONT (POSIX.1 exit()). gone is the one
 * that ends when it is the member itself. pid_lock held. */
void signal_orphan_check_locked(struct proc *member, struct proc *parent, struct proc *gone)
{
	int pgid = member->pgid;

	if (!proc_any_stopped() || !parent || parent->pgid == pgid || parent->sid != member->sid)
		return; /* it was not what kept the group from being orphaned */
	if (orphaned_locked(pgid, gone) && has_stopped_locked(pgid)) {
		signal_send_pgrp_locked(pgid, SIGHUP, NULL);
		signal_send_pgrp_locked(pgid, SIGCONT, NULL);
	}
}
