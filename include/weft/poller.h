/* SPDX-License-Identifier: MIT */
/* poller.h - the poll context: budgeted, per CPU, never sleeps, interrupts on. A driver's interrupt
 * masks its device and schedules its poller, which takes a batch and says whether more waits. */
#pragma once

#include <weft/list.h>
#include <weft/types.h>

struct poller {
	struct list_head node;	     /* the CPU's list; guarded by interrupts off on that CPU */
	struct list_head flush_node; /* the running batch's list */
	u32 state;		     /* the core's */
	u32 cpu;
	/* Handles at most budget units. Returns how many; fewer than budget means drained, and then
	 * it has re-enabled its interrupt itself (and checked once more). Rounds go on while it
	 * returns budget. Runs on one CPU at a time. */
	u32 (*poll)(struct poller *p, u32 budget);
	/* End of a batch on this CPU: every poller's flush after the last poll, before waiters run.
	 */
	void (*flush)(struct poller *p);
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
bool in_poll_context(void);

/* End of batch: protocols that saw packets (TCP's ACKs, readers' wake-ups) hang one of these; fn
 * runs once after the current batch on this CPU. In process context it runs at once. Hung already,
 * on any CPU: it stays there and runs once. It may be hung again from the moment fn starts, so fn
 * takes its own lock. The owner frees it after a grace period only: the batch runs with preemption
 * off. */
struct batch_end {
	struct list_head node;
	u8 queued;
	void (*fn)(struct batch_end *b);
};
void batch_end_add(struct batch_end *b);
