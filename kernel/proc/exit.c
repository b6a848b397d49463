/* SPDX-License-Identifier: MIT */
/* exit.c - the end of threads and processes. Each thread leaves by itself at the border to user
 * mode; the last one gives up what the process shared, hands its children to init and becomes a
 * zombie that keeps the exit status until the parent has asked for it. */
#include "proc.h"

#include <core/tty.h>
#include <core/vfs.h>
#include <weft/printk.h>
#include <weft/string.h>

void proc_vfork_release(struct proc *p)
{
	if (p->vfork_released)
		return;
	smp_store_release(&p->vfork_released, true);
	wake_up_all(&p->wait_self);
}

/* Other threads and the parent see the pointers under p->lock. */
static void drop_shared(struct proc *p)
{
	struct fd_table *files;
	struct fs_context *fs;
	struct proc_mm *mm;

	spin_lock(&p->lock);
	files = p->files;
	fs = p->fs;
	mm = p->mm;
	p->files = NULL;
	p->fs = NULL;
	p->mm = NULL;
	spin_unlock(&p->lock);
	if (files)
		fd_table_put(files);
	if (fs)
		fs_context_put(fs);
	if (mm)
		mm_put(mm);
	proc_vfork_release(p);
}

/* A session leader takes the terminal from its session. */
static void leave_session(struct proc *p)
{
	struct tty *tty;
	struct proc *q;

	spin_lock(&pid_lock);
	tty = p->ctty;
	p->ctty = NULL;
	spin_unlock(&pid_lock);
	if (!tty)
		return;
	if (p->leader) {
		tty_session_exit(tty, p->sid);
		for (;;) {
			struct tty *other = NULL;

			spin_lock(&pid_lock);
			list_for_each_entry(q, &all_procs, all_node) {
				if (q->sid == p->sid && q->ctty == tty) {
					other = q->ctty;
					q->ctty = NULL;
					break;
				}
			}
			spin_unlock(&pid_lock);
			if (!other)
				break;
			tty_put(other);
		}
	}
	tty_put(tty);
}

/* Who takes over p's children: the nearest living ancestor that asked for it, else init. */
static struct proc *reaper_locked(struct proc *p)
{
	struct proc *r;

	for (r = p->parent; r; r = r->parent) {
		if (r->subreaper && !r->zombie && !r->exiting)
			return r;
	}
	return init_proc;
}

static bool parent_ignores(const struct proc *p)
{
	struct ksigaction act;

	if (!p->parent)
		return p->detached;
	if (p->exit_signal != SIGCHLD)
		return p->exit_signal == 0 && p->detached;
	act = sighand_get(p->parent->sighand, SIGCHLD);
	return act.handler == SIG_IGN || (act.flags & SA_NOCLDWAIT);
}

/* pid_lock held: p, a zombie, is told to its parent; true when it is to be reaped at once. */
static bool tell_of_zombie_locked(struct proc *p)
{
	int status = p->exit_status;
	bool reap = parent_ignores(p);

	if (status & 0x7f)
		proc_notify_parent_locked(p, CLD_KILLED, status & 0x7f);
	else
		proc_notify_parent_locked(p, CLD_EXITED, (status >> 8) & 0xff);
	return reap;
}

/* pid_lock held. Zombies among the children that nobody will ask for go to the list dead. */
static void give_children_away_locked(struct proc *p, struct list_head *dead)
{
	struct proc *to = reaper_locked(p), *c, *tmp;

	list_for_each_entry_safe(c, tmp, &p->children, sibling) {
		list_del(&c->sibling);
		c->parent = to;
		if (!to) { /* before init: the kernel started p, nobody will ask */
			c->detached = true;
			if (c->zombie) {
				proc_unlink_locked(c);
				list_add_tail(&c->sibling, dead);
			}
			continue;
		}
		/* a new parent knows only SIGCHLD */
		if (c->exit_signal)
			c->exit_signal = SIGCHLD;
		list_add_tail(&c->sibling, &to->children);
		if (c->parent_death_signal)
			signal_send_proc(c, c->parent_death_signal, NULL);
		if (c->zombie && tell_of_zombie_locked(c)) {
			proc_unlink_locked(c);
			list_add_tail(&c->sibling, dead);
		} else if (!c->zombie) {
			signal_orphan_check_locked(c, p, NULL);
		}
	}
}

/* The last thread: from running process to zombie. */
static void become_zombie(struct proc *p)
{
	bool reap;
	struct proc *c;
	LIST_HEAD(dead);

	spin_lock(&pid_lock);
	give_children_away_locked(p, &dead);
	signal_orphan_check_locked(p, p->parent, p);
	p->zombie = true;
	p->stop_state = STOP_NONE;
	proc_stop_forget(p);
	reap = tell_of_zombie_locked(p);
	if (reap)
		proc_unlink_locked(p);
	spin_unlock(&pid_lock);
	wake_up_all(&p->wait_self);
	if (reap)
		proc_put(p);
	while (!list_empty(&dead)) {
		c = list_first_entry(&dead, struct proc, sibling);
		list_del(&c->sibling);
		proc_put(c);
	}
}

static void store_clear_tid(struct thread *t)
{
	u32 zero = 0;

	if (!t->clear_tid || !t->proc->mm)
		return;
	/* set_tid_address(2), CLONE_CHILD_CLEARTID; a bad address is the program's own affair */
	if (!copy_to_user(uptr(t->clear_tid), &zero, sizeof(zero)))
		futex_wake(t->clear_tid, false, 1, ~0u);
	t->clear_tid = 0;
}

void thread_leave(int code)
{
	struct thread *t = current();
	struct proc *p = t->proc;
	unsigned long flags;
	bool last, tell;
	u64 u, s;

	futex_robust_exit(t);
	store_clear_tid(t);
	thread_times(t, &u, &s);
	spin_lock(&pid_lock);
	flags = proc_lock_both(p);
	list_del(&t->proc_node);
	tid_unhash(t);
	t->left = true;
	p->nr_threads--;
	last = p->nr_threads == 0;
	if (last && !p->exiting) {
		p->exiting = true;
		p->exit_status = code;
	}
	p->utime_ns += u;
	p->stime_ns += s;
	strscpy(p->last_comm, t->comm, sizeof(p->last_comm));
	signal_discard_thread_locked(t);
	proc_stop_thread_gone_locked(p, &tell);
	proc_unlock_both(p, flags);
	spin_unlock(&pid_lock);
	wake_up_all(&p->wait_self);
	if (last) {
		if (p == init_proc)
			panic("init ended: status %#x", p->exit_status);
		itimer_stop(p);
		posix_timers_delete(p);
		leave_session(p);
		drop_shared(p);
		become_zombie(p);
	} else if (tell) {
		proc_report_stopped(p);
	}
	thread_exit(code);
}

void proc_exit(int status)
{
	struct proc *p = current_proc();
	unsigned long flags = proc_lock_both(p);

	if (!p->exiting) {
		p->exiting = true;
		p->exit_status = status;
		signal_kill_threads_locked(p, current());
	}
	proc_unlock_both(p, flags);
	thread_leave(status);
}

SYSCALL(60, exit)
{
	thread_leave((int)(a & 0xff) << 8);
}

SYSCALL(231, exit_group)
{
	proc_exit((int)(a & 0xff) << 8);
}
