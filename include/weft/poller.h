/* SPDX-License-Identifier: MIT */
/* poller.h - the poll context: budgeted, per CPU, never sleeps, interrupts on. A driver's interrupt
 * masks its device and schedules its poller, which takes a batch and says whether more waits. */
#pragma once

#include <asm/cpu.h>
#include <weft/list.h>
#include <weft/types.h>

struct poller {
	struct list_head node;	     /* the CPU's list; guarded by interrupts off on that CPU */
	struct list_head flush_node; /* the running batch's list */
	u32 state;		     /* the core's, as all up to warm_node */
	u32 cpu;
	u64 last_ns; /* when poll last found work */
	u32 heat;    /* how often that was soon after the time before */
	u32 need;    /* so much of that makes it worth watching */
	u32 warm_on; /* CPU + 1 whose list warm_node is on; guarded by warm_lock */
	struct list_head warm_node;
	/* Handles at most budget units. Returns how many; fewer than budget means drained. Rounds
	 * go on while it returns budget. Runs on one CPU at a time. Without rest it has then let
	 * its device interrupt again itself, and looked once more. */
	u32 (*poll)(struct poller *p, u32 budget);
	/* End of a batch on this CPU: every poller's flush after the last poll, before waiters run.
	 */
	void (*flush)(struct poller *p);
	/* All three or none: with them an idle CPU goes on looking for a moment after work, without
	 * interrupts. Same context as poll, never at the same time.
	 * rest: lets the device interrupt again; true: work came first, and it may not yet.
	 * watch: keeps it from interrupting, if it does not yet; undoes rest.
	 * pending: would poll find work? Reads memory only. */
	bool (*rest)(struct poller *p);
	void (*watch)(struct poller *p);
	bool (*pending)(struct poller *p);
	/* Optional, beside pending: was the device told of something that it has not taken yet? A
	 * device that is a program of a host's, and is late, may be waiting for this CPU. */
	bool (*owed)(struct poller *p);
	const char *name;
};

#define POLLER_BUDGET 64

/* poller_add makes it schedulable; poller_remove returns when poll is not and will not be running
 * (process context); schedules in between are ignored. */
void poller_add(struct poller *p);
void poller_remove(struct poller *p);
/* Runs poll soon on this CPU. Any context. A poller already scheduled stays where it is. */
void poller_schedule(struct poller *p);

/* True in poll context of this CPU. */
static inline bool in_poll_context(void)
{
	return cpu_batch() & CPU_BATCH_POLL;
}

/* In poll context: ktime when this CPU began its present round, cheaper than the clock. Elsewhere
 * the clock. */
u64 poll_now(void);
/* Poll context, and valid to the end of the batch: where that stands. */
const u64 *poll_clock(void);

/* Process context: what is sent between begin and finish shares one doorbell. Nests; does nothing
 * in poll context, which is one batch anyway. The caller may sleep in between: that, and being
 * preempted, ends the batch so far. For loops over several packets; a single one gains nothing. */
static inline void batch_begin(void)
{
	cpu_batch_add(1);
}

void batch_flush(void); /* ends what was put off so far on this CPU; also outside of a batch */

static inline void batch_finish(void)
{
	cpu_batch_add(-1u);
	if (!cpu_batch())
		batch_flush();
}

/* Does batch_end_add put off? */
static inline bool batch_open(void)
{
	return cpu_batch();
}

/* End of batch: protocols that saw packets (TCP's ACKs, readers' wake-ups), and drivers with a
 * doorbell to write, hang one of these; fn runs once after the current batch on this CPU. In
 * process context outside of a batch it runs at once. Hung already, on any CPU: it stays there and
 * runs once. It may be hung again from the moment fn starts, so fn takes its own lock. fn runs in
 * poll or process context, preemption off. The owner frees it after a grace period only: a CPU with
 * an open batch is a reader. */
struct batch_end {
	struct list_head node;
	u8 queued;
	void (*fn)(struct batch_end *b);
};
void batch_end_add(struct batch_end *b);
