/* SPDX-License-Identifier: MIT */
/* core/sched.h - threads and the run queues, for the core only. Each CPU has its own queue; a
 * thread runs where it last ran unless an idle CPU takes it. */
#pragma once

#include <weft/arch.h>
#include <weft/ledger.h>
#include <weft/rcu.h>
#include <weft/spinlock.h>
#include <weft/wait.h>

#define KSTACK_SIZE (16 * 1024)

enum thread_state {
	THREAD_RUNNING,	 /* on a CPU or in a queue */
	THREAD_SLEEPING, /* interruptible: signals wake it */
	THREAD_BLOCKED,	 /* not interruptible */
	THREAD_KILLABLE, /* only the end of its process interrupts it */
	THREAD_STOPPED,	 /* job control */
	THREAD_DEAD,	 /* will never run again */
};
#define THREAD_ANY_SLEEP (BIT(THREAD_SLEEPING) | BIT(THREAD_BLOCKED) | BIT(THREAD_KILLABLE))

#define USER_WORK_SIGNAL BIT(0)	   /* a signal may be deliverable: user_return_work looks */
#define USER_WORK_STOP BIT(1)	   /* the process is stopped by job control */
#define USER_WORK_EXIT BIT(2)	   /* the process ends, or another thread executes a program */
#define USER_WORK_RESCHED BIT(3)   /* somebody with a better right to the CPU waits */
#define USER_WORK_RESTART BIT(4)   /* a call ended in -ERESTART*: decide what user space sees */
#define USER_WORK_CONTINUED BIT(5) /* SIGCONT ended a stop: the parent is to be told */
#define USER_WORK_INTR (USER_WORK_SIGNAL | USER_WORK_STOP | USER_WORK_EXIT)

#define NICE_0_PRIO 20

struct thread {
	struct arch_thread arch; /* first: arch code */
	void *kstack;		 /* lowest address; guard page below */
	u64 kstack_top;
	u32 user_work; /* USER_WORK_*; set atomically by anybody */
	/* guarded by its run queue's lock; state is set to a sleep by the thread itself */
	u32 state;    /* enum thread_state */
	u32 cpu;      /* queue it belongs to */
	u32 prio;     /* 0 idle, 1..40; nice 0 = 20 */
	u32 affinity; /* CPUs it may run on, a bit each */
	bool on_rq;   /* running or in the queue */
	bool in_heap;
	/* its place at wake-ups (balance.c) */
	bool beside;	/* was put beside its waker */
	u8 apart;	/* is not, so many times */
	u8 apart_next;	/* so many times if that goes wrong once more, twice and one */
	u32 goes_on_ns; /* for so long it runs on after it woke somebody, on average */
	u64 woke_ns;	/* its run_ns when it did first since it slept; 0: did not */
	struct list_head rq_node, rq_children;
	u64 vruntime, run_start;
	u32 batch;  /* nesting of batches (weft/poller.h), while it is off its CPU */
	u64 run_ns; /* CPU time in all; utime and stime are what ticks sampled of it */
	u64 utime_ns, stime_ns;
	u32 nvcsw, nivcsw;
	/* fixed once started */
	u64 start_ns;
	int tid;	   /* except by exec of a thread that is not the first */
	struct proc *proc; /* NULL for kernel threads; a reference */
	char comm[16];
	struct refcount refs;
	struct rcu_head rcu; /* the last reference went */
	/* guarded by pid_lock */
	struct hlist_node tid_node;
	/* guarded by proc->lock */
	struct list_head proc_node; /* in proc->threads */
	/* signals; guarded by proc->sig_lock */
	u64 sigmask, sigpending, saved_sigmask;
	u64 sigwait; /* what rt_sigtimedwait waits for, blocked or not */
	bool restore_sigmask;
	struct list_head sigqueue;
	u32 policy; /* what sched_setscheduler said, one word; all are scheduled alike */
	bool left;  /* its process: what that shares may be gone, its address space too */
	/* used by the thread itself only */
	u64 altstack_sp, altstack_size;
	u32 altstack_flags;
	u64 clear_tid; /* user address */
	u64 robust_list;
	struct {
		long (*fn)(struct thread *t);
		u64 arg[5];
	} restart; /* restart_syscall */
	/* kernel threads */
	bool should_stop; /* kthread_stop */
	bool exited;
	int exit_code;
	struct wait_queue exit_wait;
	int (*kfn)(void *arg);
	void *karg;
	struct module *kowner; /* the module whose code it runs */
	struct ledger_entry ledger;
};

static inline struct thread *current(void)
{
	return current_thread();
}

static inline int thread_nice(const struct thread *t)
{
	return NICE_0_PRIO - (int)t->prio;
}

void sched_init(void); /* boot CPU: makes the running code the idle thread of CPU 0 */
struct thread *
sched_idle_thread(u32 cpu); /* of a CPU that is about to be started; NULL: no memory */
void cpu_idle(void) __noreturn;
/* Gives up the CPU until the thread is woken; in state RUNNING until it is its turn again. Process
 * context, no spin lock held, interrupts on. */
void schedule(void);
/* (weft/arch.h's thread_first_run() is the first thing on a new thread's own stack.) */
/* Makes a sleeping thread runnable; false when it was running already. Any context. */
bool thread_wake(struct thread *t);
/* The same for threads in one of the states of mask (bits of enum thread_state). */
bool thread_wake_states(struct thread *t, u32 mask);
/* Makes a thread that runs in user mode enter the kernel and look at user_work. Any context. */
void thread_kick(struct thread *t);
/* Sets the caller's state before it tests its condition a last time and calls schedule(). */
void thread_set_state(u32 state);
struct thread *thread_alloc(const char *comm); /* stack, tid, one reference; state BLOCKED; NULL */
void thread_start(struct thread *t);	       /* first wake-up */
void thread_get(struct thread *t);
void thread_put(struct thread *t);
void thread_exit(int code) __noreturn; /* kernel threads and the tail of process exit */
/* CPU time used so far, split; any context. */
void thread_times(struct thread *t, u64 *user, u64 *sys);
int thread_set_affinity(struct thread *t, u32 mask); /* -EINVAL: no CPU online in it */
/* If the caller may not run on this CPU any more: sleeps until it is woken on another one. */
void sched_leave_cpu(void);
void thread_set_nice(struct thread *t, int nice); /* -20..19 */

/* kthread_run for a thread that stays on one CPU. */
struct thread *kthread_run_on(u32 cpu, int (*fn)(void *arg), void *arg, const char *fmt, ...)
	__printf(4, 5);

/* Sleeps until a time or a wake-up. 0 or -ERESTARTSYS (interruptible). */
int sleep_until(u64 deadline_ns, bool interruptible);
/* schedule(), but no longer than to deadline_ns (~0: no limit). The caller has set its state. */
void sleep_once(u64 deadline_ns);

void sched_tick(void); /* timer interrupt: the tick's time has come */
void sched_cpu_times(u32 cpu, u64 *user, u64 *sys, u64 *idle); /* ns, for /proc/stat */
u32 sched_runnable(void);
u64 sched_switches(void);     /* context switches since boot */
void loadavg_get(u64 avg[3]); /* fixed point, 11 fraction bits */
void rcu_init(void);
/* schedule(), and interrupts that found the CPU preemptible or in user mode, tell RCU. */
void rcu_note_quiescent(void);

void timers_init_cpu(void);
void realtime_init(void);	      /* from the machine's clock chip, once */
void timers_run(void);		      /* poll context: runs what is due on this CPU */
void timer_tick_set(u64 deadline_ns); /* calls sched_tick on this CPU; interrupts off; 0 = off */

/* For the loader, once no thread runs the code in [start, end) any more: disarms each timer, and
 * takes off each work, that lies there or whose function does, and waits for those that are
 * running. Timers may queue works and works set timers: called in turns until both found none. How
 * many; process context. */
u32 timers_sweep(u64 start, u64 end);
u32 works_sweep(u64 start, u64 end);
struct work;
/* The work that t is the timer of; NULL: another's. */
struct work *work_of_timer(struct timer *t);

void workqueue_init(void);
void workqueue_replace(struct thread *t); /* t, the caller, ends by an exception */
void pollers_init_cpu(void);
/* kernel/net: the poll context; called with preempt_count 1 */
void poll_run_pending(void);
/* Looks for packets for a moment, if there were some lately. The idle thread, before it halts the
 * CPU, and one on its way to sleep. True: somebody wants the CPU. Preemption off, interrupts on. */
bool poll_idle(void);
/* It was left for a thread, and is to be called again before the CPU may halt. */
bool poll_holding(void);
/* Is this CPU at it? Then what is pending is seen at the next turn. */
bool poll_watching(void);
/* For it, about this CPU, preemption off: how many threads could run, one that sleeps and looks not
 * counted; has another CPU asked it to look at its queue. Between begin and end others do so
 * without an interrupt, and the time is nobody's. */
u32 sched_nr_running(void);
bool sched_kicked(void);
void sched_poll_begin(u64 now);
void sched_poll_end(u64 now);

/* Debug builds: says so when the caller may not sleep here. */
#ifdef WEFT_DEBUG
void might_sleep(void);
#else
static inline void might_sleep(void)
{
}
#endif
