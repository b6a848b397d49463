/* SPDX-License-Identifier: MIT */
/* rq.h - what the files of kernel/sched share: the per-CPU run queue. */
#pragma once

#include <core/sched.h>

#define SCHED_SLICE_NS (4 * NSEC_PER_MSEC)    /* while somebody else waits */
#define SCHED_SPREAD_NS (100 * NSEC_PER_USEC) /* then an idle CPU is asked to help */
#define SCHED_SAMPLE_NS (20 * NSEC_PER_MSEC)  /* a thread alone: only to sample its mode */
#define SCHED_BONUS_NS (3 * NSEC_PER_MSEC)    /* what a sleeper may keep of its unused time */
#define SCHED_GRAIN_NS (1 * NSEC_PER_MSEC)    /* no preemption for less than this */
#define SOFT_LOCKUP_NS (10 * NSEC_PER_SEC)

struct rq {
	/* guarded by lock, which is held across a switch */
	struct spinlock lock;
	struct thread *curr, *idle;
	struct thread *heap; /* waiting threads, smallest vruntime at the root */
	u32 nr;		     /* runnable ones, the running one included, idle not */
	u64 min_vruntime;
	u64 user_ns; /* sampled user time of threads that ran here */
	u64 switches;
	u64 last_switch; /* or when the first other one began to wait */
	bool lockup_told;
	/* this CPU's own, interrupts off */
	struct thread *prev; /* who was switched away from, for the next one's first step */
	u64 tick;	     /* when the tick is due, 0: off */
	u64 idle_since, idle_ns;
	bool sample;   /* a tick came: irq_exit knows from which mode */
	bool held_up;  /* the last tick came late */
	bool own_poll; /* the poll context runs for the current thread, not for a device */
	/* written by this CPU, read by all */
	u32 idling;  /* halted, and in no RCU section */
	u32 polling; /* idle and looking for packets: kick is enough, it will be seen */
	bool online;
	u64 quiescent; /* RCU's counter */
	/* written by all: re-examine the queue, an interrupt is on its way */
	u32 kick;
} __cacheline_aligned;

extern struct rq run_queues[MAX_CPUS];

static inline struct rq *this_rq(void)
{
	return &run_queues[cpu_id()];
}

/* runqueue.c: the heap */
void rq_heap_insert(struct rq *rq, struct thread *t);
void rq_heap_remove(struct rq *rq, struct thread *t);
struct thread *rq_heap_next(struct thread *root, struct thread *t); /* root, then its children */

/* core.c */
void rq_init(struct rq *rq, struct thread *idle);
void rq_update_curr(struct rq *rq);
void rq_send_kick(u32 cpu);
bool rq_waits_for_help(const struct rq *rq);
struct rq *rq_lock_thread(struct thread *t, unsigned long *flags);
void schedule_irqs_off(bool preempted);
u32 sched_place(struct thread *t);
u32 sched_weight(const struct thread *t);

/* loadavg.c */
void loadavg_update(void);

/* thread.c */
void thread_init_fields(struct thread *t, const char *comm);
