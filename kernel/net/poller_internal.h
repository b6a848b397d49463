/* SPDX-License-Identifier: MIT */
/* poller_internal.h - what poller.c, which runs batches, and poll_idle.c, which looks for work on
 * an idle CPU, share. */
#pragma once

#include <weft/poller.h>
#include <weft/spinlock.h>
#include <weft/time.h>
#include <weft/wait.h>

/* struct poller.state */
#define POLLER_ADDED BIT(0)
#define POLLER_SCHEDULED \
	BIT(1)		     /* one CPU has it: on a list, being polled, watched or in its batch */
#define POLLER_MISSED BIT(2) /* scheduled again since its poll began */

struct poll_cpu {
	/* guarded by interrupts off on this CPU */
	struct list_head ready;
	/* used by this CPU with preemption off */
	struct list_head flush;
	struct list_head batch;
	/* pollers whose devices may not interrupt: poll_idle looks, or will again at once */
	struct list_head watched;
	bool running;
	bool in_thread;	    /* the thread has the pollers; runs from interrupts do timers only */
	bool watching;	    /* in poll_idle */
	u64 now;	    /* when the run began */
	bool to_thread;	    /* poll_idle ended for a thread: that has the CPU since */
	bool brief;	    /* the last one had it for so short a time that looking is enough */
	u64 patience;	    /* of poll_idle, in ns */
	u64 left_ns;	    /* when poll_idle ended last */
	struct timer guard; /* ends what a thread that is not brief makes of watched */
	u64 guard_ns;	    /* how long it waits: longer while threads have been brief */
	u64 runs, polls, units, handed_over, caught; /* caught: without an interrupt */
	/* guarded by warm_lock */
	struct spinlock warm_lock;
	struct list_head warm; /* pollers with rest that found work here */
	/* fixed after pollers_start */
	struct thread *thread;
	struct wait_queue wait;
} __cacheline_aligned;

extern struct poll_cpu poll_cpus[MAX_CPUS];

static inline struct poll_cpu *this_poll_cpu(void)
{
	return &poll_cpus[cpu_id()];
}

/* Puts p, which is SCHEDULED and on no list, on this CPU's ready list. Preemption off. */
void poller_enqueue(struct poller *p);
/* p is drained and its device may interrupt: gives it up, unless it was scheduled meanwhile. */
void poller_done(struct poller *p);

/* poll_idle.c */
void poll_idle_init(struct poll_cpu *pc);
void poll_idle_start(void); /* sysctl */
/* p found work in a run on this CPU. */
void poller_warm(struct poll_cpu *pc, struct poller *p);
void poller_cool(struct poller *p); /* p is being removed: no CPU remembers it any more */
/* The end of a batch for a poller with rest, which is drained. */
void poller_settle(struct poll_cpu *pc, struct poller *p);
