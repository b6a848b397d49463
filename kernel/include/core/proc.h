/* SPDX-License-Identifier: MIT */
/* core/proc.h - processes: what the threads of one program share. Pids, groups and sessions live in
 * one table under pid_lock. Lock order: pid_lock, proc->lock, proc->sig_lock, run queues. */
#pragma once

#include <core/sched.h>
#include <core/vm.h>
#include <weft/mutex.h>

#define NR_SIGNALS 64
#define SIG_BIT(sig) (1ull << ((sig)-1))
#define NR_RLIMITS 16
#define RLIMIT_CPU 0
#define RLIMIT_FSIZE 1
#define RLIMIT_DATA 2
#define RLIMIT_STACK 3
#define RLIMIT_CORE 4
#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define RLIMIT_AS 9
#define RLIMIT_SIGPENDING 11
#define RLIMIT_NICE 13
#define RLIM_INFINITY (~0ull)

#define PID_MAX 32768

struct tty;
struct fs_context; /* cwd, root, umask: core/vfs.h */
struct fd_table;   /* core/vfs.h */

struct ksigaction {
	u64 handler;
	u64 flags;
	u64 restorer;
	u64 mask;
};

struct ksiginfo { /* as Linux's siginfo_t, 128 bytes on the user's stack */
	int signo, errn, code;
	int pid;
	u32 uid;
	int status;
	u64 addr, value, utime, stime;
};

struct sighand {
	struct refcount refs;
	struct spinlock lock; /* innermost, interrupts off: CLONE_SIGHAND shares it */
	struct ksigaction action[NR_SIGNALS];
};

struct cred {
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	u32 ngroups;
	u32 groups[32];
	u64 cap_effective, cap_permitted, cap_inheritable;
};

struct rlimit64 {
	u64 cur, max;
};

/* struct proc.stop_state: what wait4 may still report */
enum {
	STOP_NONE,
	STOP_STOPPED, /* stopped, not yet reported */
	STOP_REPORTED,
	STOP_CONTINUED, /* continued, not yet reported */
};

struct proc {
	struct refcount refs;
	int pid; /* = tid of the first thread */
	/* guarded by pid_lock */
	struct hlist_node pid_node;
	struct list_head children, sibling, all_node;
	struct proc *parent; /* NULL: started by the kernel itself, or it is pid 1 */
	int pgid, sid;
	struct tty *ctty; /* controlling terminal of the session, with a reference */
	bool leader;	  /* session leader */
	bool did_exec;
	bool zombie;   /* all threads gone; exit_status is final */
	bool detached; /* nobody will wait: reaped by itself */
	int exit_signal;
	u32 stop_state;
	int stop_report;	  /* the signal of the stop to report */
	u64 cutime_ns, cstime_ns; /* of children waited for */
	/* changed with lock and sig_lock held, so that either one is enough to read */
	struct spinlock lock;
	struct list_head threads;
	u32 nr_threads;
	bool exiting;		    /* every thread is to go */
	int exit_status;	    /* wait4's encoding */
	struct thread *exec_thread; /* the others are to go */
	/* guarded by sig_lock (interrupts off) */
	struct spinlock sig_lock;
	struct sighand *sighand;
	u64 sigpending;
	struct list_head sigqueue;
	u32 nr_queued;
	bool stopped;		  /* job control: threads stop at the border to user mode */
	u32 nr_stopped, nr_stops; /* threads at rest; stops so far */
	int stop_sig;
	u64 utime_ns, stime_ns; /* of threads that ended */
	/* shared objects, counted; the pointers change under lock */
	struct proc_mm *mm;
	struct fs_context *fs;
	struct fd_table *files;
	bool files_shared; /* with another process: exec makes a copy */
	/* changed by the process's own threads under lock */
	struct cred cred;
	struct rlimit64 rlim[NR_RLIMITS];
	/* changed by its own threads */
	u32 personality, dumpable, keepcaps, no_new_privs, subreaper;
	int parent_death_signal;
	int oom_score_adj;
	struct wait_queue wait_child; /* children's changes */
	struct wait_queue wait_self;  /* its own: threads gone, zombie, vfork released */
	bool vfork_released;
	struct timer itimer; /* ITIMER_REAL */
	/* guarded by sig_lock */
	u64 itimer_interval, itimer_expires;
	struct list_head posix_timers;
	u32 nr_posix_timers, next_posix_timer;
	u64 start_ns;
	char last_comm[16]; /* of the last thread, for a zombie */
};

extern struct spinlock pid_lock;
extern struct list_head all_procs; /* guarded by pid_lock */
extern struct proc *init_proc;

static inline struct proc *current_proc(void)
{
	return current()->proc;
}

/* pid.c: numbers of threads, processes, groups and sessions; free when in no role any more. */
int pid_alloc(void);   /* with one use; -EAGAIN */
void pid_get(int pid); /* pid_lock held */
void pid_put(int pid);
void pid_put_locked(int pid);

void proc_init(void);
void proc_settings_init(void);	     /* /proc/sys is there */
int proc_start_init(void);	     /* pid 1: executes init= or /sbin/init or /bin/sh; -ENOMEM */
struct proc *proc_find_get(int pid); /* with a reference, NULL */
struct proc *proc_find_locked(int pid);	 /* pid_lock held, no reference */
struct thread *thread_find_get(int tid); /* of a process; with a reference, NULL */
void proc_get(struct proc *p);
void proc_put(struct proc *p);	       /* process context */
void proc_exit(int status) __noreturn; /* whole process; status in wait4's encoding */
/* A program for a thread that is to become a user's: kernel strings. On success the caller goes on
 * with arch_enter_user(). */
int proc_exec(const char *path, char *const *argv, char *const *envp);
/* Interval timer, kernel/time/itimer.c. */
void itimer_init(struct proc *p);
void itimer_stop(struct proc *p); /* process context */

/* Timers that a program made, timer_create(2): kernel/time/posixtimer.c. */
struct posix_timer;
struct sigqueue;			  /* kernel/proc/signal.c */
void posix_timers_delete(struct proc *p); /* all: it ends, or runs another program */
void posix_timers_clock_was_set(void);
/* Its signal was taken, or thrown away: the intervals that went by meanwhile, and the next one
 * begins. sig_lock held, as in the next but one. */
u32 posix_timer_taken_locked(struct posix_timer *timer);
/* What the signal needs is there before it is sent. NULL: no memory. */
struct sigqueue *sigqueue_of_timer(struct posix_timer *timer, const struct ksiginfo *info);
/* t NULL: to the process. False: ignored, or nobody is left to take it. */
bool signal_send_timer_locked(struct proc *p, struct thread *t, struct sigqueue *q);
void sigqueue_leave_timer(struct proc *p, struct sigqueue *q); /* a pending one is still taken */
/* uname's two settable names; at most 64 bytes are taken. */
void hostname_set(const char *name);
void domainname_set(const char *name);
/* Runs a user program from the kernel and waits for it (request_module): its wait status or -errno.
 * timeout_ns: how long; then it is killed and -ETIMEDOUT. */
int usermode_run(const char *path, char *const argv[], u64 timeout_ns);

/* ---- signals ---- */
/* Process or poll context. NULL info: from the kernel (SI_KERNEL). 0, -EAGAIN (queue full,
 * real-time). */
int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info);
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info);
int signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info); /* takes pid_lock; -ESRCH */
/* To a file's owner (F_SETOWN): a process, or -pgid a group; 0 or gone: nobody. Takes pid_lock. */
void signal_send_owner(int owner, int sig);
int signal_send_pgrp_locked(int pgid, int sig, const struct ksiginfo *info);
bool signal_ignored_or_blocked(int sig); /* by the caller: tty's SIGTTOU rule */
bool pgrp_is_orphaned(int pgid);
/* Swaps the caller's mask for the time of a call (sigsuspend, pselect, ppoll, epoll_pwait); the old
 * one comes back when the call returns to user mode. */
void sigmask_swap(u64 newmask);

/* ---- pieces used by /proc ---- */
struct proc *
proc_next_get(int after_pid); /* next process by pid, with a reference; NULL at the end */
struct thread *proc_thread_next(struct proc *p,
				int after_tid); /* next thread by tid, reference; NULL */
u64 proc_total_time(struct proc *p, u64 *utime, u64 *stime); /* ns; ended threads included */
char proc_state_char(struct proc *p);			     /* p->lock held */
char thread_state_char(struct thread *t);
u32 thread_count(void); /* of processes */
u64 proc_forks(void);
int proc_last_pid(void);
/* The process's shared objects with a reference of the caller's; NULL when it has given them up. */
struct proc_mm *proc_mm_get(struct proc *p);
struct fd_table *proc_files_get(struct proc *p);
struct fs_context *proc_fs_get(struct proc *p);

/* One consistent snapshot for /proc/PID/stat, status and the like. */
struct proc_info {
	int pid, ppid, pgid, sid, tpgid, exit_signal, nice;
	u32 tty_dev, nr_threads, cpu;
	char state;
	char comm[16];
	u64 start_ns, utime_ns, stime_ns, cutime_ns, cstime_ns;
	u64 sig_pending, sig_shared_pending, sig_blocked, sig_ignored, sig_caught;
	u64 nvcsw, nivcsw;
	struct cred cred;
	bool kernel_started;
};
void proc_info_get(struct proc *p, struct proc_info *info);
/* The same with the figures of one thread (task/TID). */
void thread_info_get(struct proc *p, struct thread *t, struct proc_info *info);
