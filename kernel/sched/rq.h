/* SPDX-License-Identifier: MIT */
/* rq.h - what the files of kernel/sched share: the per-CPU run queue. */
#pragma once

#include <core/sched.h>

#define SCHED_SLICE_NS (4 * NSEC_PER_MSEC) /* while somebody else waits */
/* A CPU is crowded for that long before others help: about what moving a thread costs, with its
 * caches cold and a halted CPU to wake. */
#define SCHED_SPREAD_NS (1 * NSEC_PER_MSEC)
#define SCHED_SAMPLE_NS (20 * NSEC_PER_MSEC) /* a thread alone: only to sample its mode */
#define SCHED_BONUS_NS (3 * NSEC_PER_MSEC)   /* what a sleeper may keep of its unused time */
#define SCHED_GRAIN_NS (1 * NSEC_PER_MSEC)   /* no preemption for less than this */
#define SOFT_LOCKUP_NS (10 * NSEC_PER_SEC)

struct rq {
	/* guarded by lock, which is held across a switch */
	struct spinlock lock;
	struct thread *curr, *idle;
	struct thread *heap; /* waiting threads, smallest vruntime at the root */
	u32 nr;		     /* runnable ones, the running one included, idle not */
	u64 load;	     /* their weights */
	u64 min_vruntime;
	u64 user_ns; /* sampled user time of threads that ran here */
	u64 switches;
	u64 last_switch;   /* or when the first other one began to wait */
	u64 crowded_since; /* when nr went from 1 to 2 */
	u64 help_at;	   /* when another CPU is to be asked */
	bool make_way;	   /* at the next switch: until then nobody who waits may go there */
	bool even;	   /* another one has more to do: take some over at the next switch */
	bool lockup_told;
	/* this CPU's own, interrupts off */
	struct thread *prev; /* who was switched away from, for the next one's first step */
	u64 tick;	     /* when the tick is due, 0: off */
	u64 idle_since, idle_ns;
	bool sample;   /* a tick came: irq_exit knows from which mode */
	bool held_up;  /* the last tick came late */
	bool own_poll; /* the poll context runs for the current thread, not for a device */
	bool looked;   /* for packets in vain, by a thread on its way to sleep */
	/* written by this CPU, read by all */
	u32 idling; /* halted, and in no RCU section */
	/* POLLING_*: with nothing to run and looking for packets: kick is enough, it will be seen.
	 * Whoever wakes the running thread makes IDLE of ASLEEP, lock held */
	u32 polling;
	bool online;
	u64 quiescent; /* RCU's counter */
	/* written by all: re-examine the queue, an interrupt is on its way */
	u32 kick;
} __cacheline_aligned;

#define POLLING_IDLE 1	 /* the idle thread, or one that has been woken meanwhile */
#define POLLING_ASLEEP 2 /* the running thread, which sleeps: nr and load still count it */

extern struct rq run_queues[MAX_CPUS];

static inline struct rq *this_rq(void)
{
	return &run_queues[cpu_id()];
}

/* How many could run there? A hint, without the lock. */
static inline u32 rq_runnable(const struct rq *rq)
{
	u32 asleep = READ_ONCE(rq->polling) == POLLING_ASLEEP, nr = READ_ONCE(rq->nr);

	return nr > asleep ? nr - asleep : 0;
}

/* runqueue.c: the heap */
void rq_heap_insert(struct rq *rq, struct thread *t);
void rq_heap_remove(struct rq *rq, struct thread *t);
struct thread *rq_heap_next(struct thread *root, struct thread *t); /* root, then its children */

/* core.c */
void rq_init(struct rq *rq, struct thread *idle);
void rq_update_curr(struct rq *rq);
void rq_charge_curr(struct rq *rq, u64 now); /* the same with the time at hand */
void rq_send_kick(u32 cpu);
u64 rq_next_tick(const struct rq *rq, u64 now);
void rq_join(struct rq *rq, const struct thread *t); /* t is runnable there: counts it */
void rq_leave(struct rq *rq, const struct thread *t);
void rq_crowd_begin(struct rq *rq, u64 now); /* the first one waits beside the running one */
void rq_tick_ensure(struct rq *rq, u64 deadline);
struct rq *rq_lock_thread(struct thread *t, unsigned long *flags);
void schedule_irqs_off(bool preempted);
u32 sched_weight(const struct thread *t);

/* cpu.c: where nobody else could run, a thread on its way to sleep looks for packets itself. True:
 * they woke it, and there is nothing to switch. Preempt_count 1. */
bool sched_doze(struct thread *t);

/* balance.c */
u32 sched_place(struct thread *t);	 /* the CPU to wake t on */
void sched_note_sleep(struct thread *t); /* it woke somebody, and sleeps now */
/* Has somebody waited there for longer than it takes a waker to go to sleep? A hint, without the
 * lock. If it comes to that later, that CPU's tick asks for help. */
bool rq_waits_for_help(const struct rq *rq);
/* Interrupts an idle CPU that may run one of those who wait here. If only the running one may go
 * there, make_way says that it should wait for that. Lock held. */
void rq_ask_for_help(struct rq *rq, u64 now);
/* Has another CPU more to do, of which this one might take something over? A hint. */
bool rq_is_underloaded(const struct rq *rq);
/* Takes over a waiting thread from a CPU that needs help, or if rq->even is set from one that has
 * more to do. rq's lock is held. Locks of two queues are only ever tried, so no order between them
 * is needed. */
void rq_pull(struct rq *rq);

/* loadavg.c */
void loadavg_update(void);

/* thread.c */
void thread_init_fields(struct thread *t, const char *comm);
