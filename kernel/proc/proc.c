/* SPDX-License-Identifier: MIT */
/* proc.c - the table of processes: making and freeing the record, finding it by number, membership
 * in groups and sessions, and what /proc shows of it. */
#include "proc.h"

#include <core/tty.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#define HASH_SIZE 256

LIST_HEAD(all_procs);
struct proc *init_proc;

/* guarded by pid_lock */
static struct hlist_head proc_hash[HASH_SIZE];
static struct hlist_head tid_hash[HASH_SIZE];
static u32 nr_procs;
static u64 nr_forks;

static struct atomic nr_threads_all;

struct sighand *sighand_alloc(void)
{
	struct sighand *sh = kzalloc(sizeof(*sh));

	if (sh)
		refcount_set(&sh->refs, 1);
	return sh;
}

void sighand_put(struct sighand *sh)
{
	if (sh && refcount_dec_and_test(&sh->refs))
		kfree(sh);
}

struct proc *proc_alloc(void)
{
	struct proc *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	refcount_set(&p->refs, 1);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_node);
	list_init(&p->threads);
	list_init(&p->sigqueue);
	list_init(&p->posix_timers);
	wait_queue_init(&p->wait_child);
	wait_queue_init(&p->wait_self);
	p->start_ns = ktime_get();
	p->exit_signal = SIGCHLD;
	p->dumpable = 1;
	itimer_init(p);
	rlimit_init(p);
	return p;
}

void proc_get(struct proc *p)
{
	refcount_inc(&p->refs);
}

void proc_put(struct proc *p)
{
	if (!p || !refcount_dec_and_test(&p->refs))
		return;
	BUG_ON(!list_empty(&p->threads));
	itimer_stop(p);
	signal_flush_queue(&p->sigqueue);
	sighand_put(p->sighand);
	if (p->files)
		fd_table_put(p->files);
	if (p->fs)
		fs_context_put(p->fs);
	if (p->mm)
		mm_put(p->mm);
	kfree(p);
}

/* ---- the tables ---- */

static struct hlist_head *bucket(struct hlist_head *table, int n)
{
	return &table[(u32)n % HASH_SIZE];
}

/* Into the tables, with a reference of theirs. p->pid is one that its first thread has. */
void proc_link(struct proc *p, struct proc *parent, int pgid, int sid)
{
	proc_get(p);
	pid_get(p->pid);
	pid_get(pgid);
	pid_get(sid);
	p->pgid = pgid;
	p->sid = sid;
	p->parent = parent;
	if (parent)
		list_add_tail(&p->sibling, &parent->children);
	list_add_tail(&p->all_node, &all_procs);
	hlist_add_head(&p->pid_node, bucket(proc_hash, p->pid));
	nr_procs++;
	nr_forks++;
}

void proc_set_group_locked(struct proc *p, int pgid, int sid)
{
	pid_get(pgid);
	pid_get(sid);
	pid_put_locked(p->pgid);
	pid_put_locked(p->sid);
	p->pgid = pgid;
	p->sid = sid;
}

/* The caller drops the tables' reference once it has let go of pid_lock. */
void proc_unlink_locked(struct proc *p)
{
	list_del(&p->sibling);
	list_del(&p->all_node);
	hlist_del(&p->pid_node);
	pid_put_locked(p->pid);
	pid_put_locked(p->pgid);
	pid_put_locked(p->sid);
	p->parent = NULL;
	nr_procs--;
}

/* Makes t one of p's threads. t gets a reference on p; the list has none on t: it leaves by itself.
 * pid_lock held. */
int thread_attach_locked(struct proc *p, struct thread *t)
{
	unsigned long flags;
	int err = 0;

	flags = proc_lock_both(p);
	if (p->exiting || p->exec_thread) {
		err = -EAGAIN;
	} else {
		proc_get(p);
		t->proc = p;
		list_add_tail(&t->proc_node, &p->threads);
		p->nr_threads++;
		if (p->stopped)
			user_work_set(t, USER_WORK_STOP);
		hlist_add_head(&t->tid_node, bucket(tid_hash, t->tid));
		atomic_inc(&nr_threads_all);
	}
	proc_unlock_both(p, flags);
	return err;
}

/* pid_lock held. */
void tid_unhash(struct thread *t)
{
	hlist_del(&t->tid_node);
	atomic_dec(&nr_threads_all);
}

/* The only thread left after exec killed the others is from now on the one with the process's
 * number. */
void thread_rename_tid(struct thread *t, int tid)
{
	int old;

	spin_lock(&pid_lock);
	hlist_del(&t->tid_node);
	pid_get(tid);
	old = t->tid;
	t->tid = tid;
	hlist_add_head(&t->tid_node, bucket(tid_hash, tid));
	pid_put_locked(old);
	spin_unlock(&pid_lock);
}

struct proc *proc_find_locked(int pid)
{
	struct proc *p;

	hlist_for_each_entry(p, bucket(proc_hash, pid), pid_node) {
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

struct proc *proc_find_get(int pid)
{
	struct proc *p;

	spin_lock(&pid_lock);
	p = proc_find_locked(pid);
	if (p)
		proc_get(p);
	spin_unlock(&pid_lock);
	return p;
}

struct thread *thread_find_get(int tid)
{
	struct thread *t, *found = NULL;

	spin_lock(&pid_lock);
	hlist_for_each_entry(t, bucket(tid_hash, tid), tid_node) {
		if (t->tid == tid) {
			thread_get(t);
			found = t;
			break;
		}
	}
	spin_unlock(&pid_lock);
	return found;
}

struct proc *proc_next_get(int after_pid)
{
	struct proc *p, *best = NULL;

	spin_lock(&pid_lock);
	list_for_each_entry(p, &all_procs, all_node) {
		if (p->pid > after_pid && (!best || p->pid < best->pid))
			best = p;
	}
	if (best)
		proc_get(best);
	spin_unlock(&pid_lock);
	return best;
}

struct thread *proc_thread_next(struct proc *p, int after_tid)
{
	struct thread *t, *best = NULL;

	spin_lock(&p->lock);
	list_for_each_entry(t, &p->threads, proc_node) {
		if (t->tid > after_tid && (!best || t->tid < best->tid))
			best = t;
	}
	if (best)
		thread_get(best);
	spin_unlock(&p->lock);
	return best;
}

u32 thread_count(void)
{
	return (u32)atomic_read(&nr_threads_all);
}

u64 proc_forks(void)
{
	return READ_ONCE(nr_forks);
}

/* ---- shared objects, for others ---- */

struct proc_mm *proc_mm_get(struct proc *p)
{
	struct proc_mm *mm;

	spin_lock(&p->lock);
	mm = p->mm;
	if (mm)
		mm_get(mm);
	spin_unlock(&p->lock);
	return mm;
}

struct fd_table *proc_files_get(struct proc *p)
{
	struct fd_table *t;

	spin_lock(&p->lock);
	t = p->files ? fd_table_get(p->files) : NULL;
	spin_unlock(&p->lock);
	return t;
}

struct fs_context *proc_fs_get(struct proc *p)
{
	struct fs_context *fs;

	spin_lock(&p->lock);
	fs = p->fs ? fs_context_get(p->fs) : NULL;
	spin_unlock(&p->lock);
	return fs;
}

/* ---- figures ---- */

static void times_locked(struct proc *p, u64 *utime, u64 *stime)
{
	struct thread *t;
	u64 u, s;

	*utime = p->utime_ns;
	*stime = p->stime_ns;
	list_for_each_entry(t, &p->threads, proc_node) {
		thread_times(t, &u, &s);
		*utime += u;
		*stime += s;
	}
}

u64 proc_total_time(struct proc *p, u64 *utime, u64 *stime)
{
	spin_lock(&p->lock);
	times_locked(p, utime, stime);
	spin_unlock(&p->lock);
	return *utime + *stime;
}

char thread_state_char(struct thread *t)
{
	switch (READ_ONCE(t->state)) {
	case THREAD_RUNNING:
		return 'R';
	case THREAD_SLEEPING:
		return 'S';
	case THREAD_STOPPED:
		return 'T';
	case THREAD_DEAD:
		return 'X';
	default:
		return 'D';
	}
}

char proc_state_char(struct proc *p)
{
	struct thread *t;
	char state = 'Z', c;

	/* one running thread makes it running, else the first one speaks for all */
	list_for_each_entry(t, &p->threads, proc_node) {
		c = thread_state_char(t);
		if (c == 'R' || state == 'Z')
			state = c;
	}
	return state;
}

static void signals_fill(struct proc *p, struct thread *t, struct proc_info *info)
{
	unsigned long flags = spin_lock_irqsave(&p->sig_lock);
	int sig;

	info->sig_shared_pending = p->sigpending;
	if (t) {
		info->sig_pending = t->sigpending;
		info->sig_blocked = t->sigmask;
	}
	for (sig = 1; p->sighand && sig <= NR_SIGNALS; sig++) {
		u64 handler = p->sighand->action[sig - 1].handler;

		if (handler == SIG_IGN)
			info->sig_ignored |= SIG_BIT(sig);
		else if (handler != SIG_DFL)
			info->sig_caught |= SIG_BIT(sig);
	}
	spin_unlock_irqrestore(&p->sig_lock, flags);
}

static void info_fill(struct proc *p, struct thread *only, struct proc_info *info)
{
	struct thread *t;
	struct tty *tty;
	u64 u, s;

	*info = (struct proc_info){ .pid = p->pid, .tpgid = -1, .exit_signal = p->exit_signal };
	spin_lock(&pid_lock);
	info->ppid = p->parent ? p->parent->pid : 0;
	info->kernel_started = !p->parent && p != init_proc;
	info->pgid = p->pgid;
	info->sid = p->sid;
	tty = p->ctty ? tty_get(p->ctty) : NULL;
	info->cutime_ns = p->cutime_ns;
	info->cstime_ns = p->cstime_ns;
	spin_lock(&p->lock);
	spin_unlock(&pid_lock);
	info->start_ns = only ? only->start_ns : p->start_ns;
	info->nr_threads = p->nr_threads;
	info->cred = p->cred;
	t = only ? only : list_first_entry_or_null(&p->threads, struct thread, proc_node);
	info->state = only ? thread_state_char(only) : proc_state_char(p);
	if (t) {
		strscpy(info->comm, t->comm, sizeof(info->comm));
		info->nice = thread_nice(t);
		info->cpu = t->cpu;
		info->nvcsw = t->nvcsw;
		info->nivcsw = t->nivcsw;
	} else {
		strscpy(info->comm, p->last_comm, sizeof(info->comm));
	}
	if (only)
		thread_times(only, &u, &s);
	else
		times_locked(p, &u, &s);
	info->utime_ns = u;
	info->stime_ns = s;
	signals_fill(p, t, info);
	spin_unlock(&p->lock);
	if (tty) {
		info->tty_dev = tty_device(tty);
		info->tpgid = tty_foreground(tty);
		tty_put(tty);
	}
}

void proc_info_get(struct proc *p, struct proc_info *info)
{
	info_fill(p, NULL, info);
}

void thread_info_get(struct proc *p, struct thread *t, struct proc_info *info)
{
	info_fill(p, t, info);
}

void proc_init(void)
{
	syscall_table_build();
	futex_init();
}
