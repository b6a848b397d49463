/* SPDX-License-Identifier: MIT */
/* proc.h - what the files of kernel/proc share. */
#pragma once

#include <core/proc.h>
#include <core/syscall.h>
#include <uapi/signal.h>

static inline void __user *uptr(u64 addr)
{
	return (void __user *)addr;
}

#define swap(a, b)                          \
	do {                                \
		__typeof__(a) swap_a = (a); \
		(a) = (b);                  \
		(b) = swap_a;               \
	} while (0)

static inline void user_work_set(struct thread *t, u32 bits)
{
	__atomic_fetch_or(&t->user_work, bits, __ATOMIC_SEQ_CST);
}

static inline void user_work_clear(struct thread *t, u32 bits)
{
	__atomic_fetch_and(&t->user_work, ~bits, __ATOMIC_SEQ_CST);
}

/* The caller's process ends: long work may be given up. */
static inline bool fatal_signal_pending(void)
{
	return READ_ONCE(current()->user_work) & USER_WORK_EXIT;
}

/* Both locks of a process: what changes its list of threads. */
static inline unsigned long proc_lock_both(struct proc *p)
{
	spin_lock(&p->lock);
	return spin_lock_irqsave(&p->sig_lock);
}

static inline void proc_unlock_both(struct proc *p, unsigned long flags)
{
	spin_unlock_irqrestore(&p->sig_lock, flags);
	spin_unlock(&p->lock);
}

/* syscall.c */
void syscall_table_build(void);

/* proc.c */
struct proc *proc_alloc(void); /* one reference, no threads, in no table; NULL */
struct sighand *sighand_alloc(void);
void sighand_put(struct sighand *sh);
void proc_link(struct proc *p, struct proc *parent, int pgid, int sid); /* pid_lock held */
void proc_unlink_locked(
	struct proc *p); /* out of the tables: reaped; drops the table's reference */
void proc_set_group_locked(struct proc *p, int pgid, int sid);
int thread_attach_locked(struct proc *p, struct thread *t); /* -EAGAIN: the process is ending */
void thread_rename_tid(struct thread *t, int tid); /* exec takes the first thread's number */
void tid_unhash(struct thread *t);

/* signal.c */
void signal_recalc_locked(struct thread *t);
int signal_dequeue_locked(struct thread *t, u64 blocked, struct ksiginfo *info);
void signal_flush_queue(struct list_head *queue);
void signal_discard_thread_locked(struct thread *t);
/* t, its process' only thread, runs another program, which the signals of the last one's timers do
 * not concern. */
void signal_discard_timers(struct thread *t);
void signal_flush_ignored_locked(struct proc *p, u64 set);
bool signal_default_ignored(int sig);
bool signal_default_stops(int sig);
struct ksigaction sighand_get(struct sighand *sh, int sig);
void signal_kill_threads_locked(struct proc *p, struct thread *except);
void signal_info_user(struct ksiginfo *info, int sig, int code);
int signal_permission(struct proc *target, int sig);
void signal_orphan_check_locked(struct proc *member, struct proc *parent, struct proc *gone);

/* signalfd.c */
void signalfd_notify_locked(void);

/* sigstop.c */
void proc_stop(int sig); /* the caller's process stops; returns when it goes on */
void thread_stop_self(void);
void proc_continue_locked(struct proc *p, bool *was_stopped);
void proc_stop_thread_gone_locked(struct proc *p, bool *report);
void proc_report_continued(struct proc *p);
void proc_report_stopped(struct proc *p);
void proc_stop_forget(struct proc *p); /* it ends, stopped or not */
bool proc_any_stopped(void);
void proc_notify_parent_locked(struct proc *p, int code, int status); /* pid_lock held */

/* schedcalls.c */
void sched_inherit(struct thread *t); /* a new one, from the caller */

/* exit.c */
void thread_leave(int code) __noreturn; /* this thread ends; the last one ends the process */
void proc_vfork_release(struct proc *p);

/* elf.c: maps the program, and its interpreter, into mm. -ENOEXEC: no such file, -ELIBBAD: its
 * interpreter is none. */
struct exec_image {
	u64 entry;		    /* where to start: the interpreter's or the program's */
	u64 exec_entry, phdr, base; /* AT_ENTRY, AT_PHDR, AT_BASE */
	u32 phnum, phent;
	u64 brk, code_start, code_end;
	bool exec_stack;
};
int elf_load(struct proc_mm *mm, struct file *f, const void *head, size_t len, bool randomize,
	     struct exec_image *img);

/* futex.c */
void futex_init(void);
int futex_wake(u64 uaddr, bool private, u32 n, u32 bitset);
void futex_robust_exit(struct thread *t);

/* fork.c: how many there may be at a time, of all users; a user may have half */
extern int threads_max;

/* rlimit.c */
struct uapi_timeval {
	s64 sec, usec;
};
struct uapi_rusage {
	struct uapi_timeval utime, stime;
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
		nsignals, nvcsw, nivcsw;
};
void rlimit_init(struct proc *p);
int rusage_to_user(u64 user, u64 utime, u64 stime, struct proc *p);
