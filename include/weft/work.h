/* SPDX-License-Identifier: MIT */
/* work.h - functions run later in process context by the core's worker threads. */
#pragma once

#include <weft/time.h>

struct work {
	struct list_head node;
	void (*fn)(struct work *w);
	u32 state;	    /* the queue's */
	struct timer timer; /* for work_schedule_at */
};

void work_init(struct work *w, void (*fn)(struct work *w));
/* Queues unless it is queued already (then false). While it runs it may be queued again. Any
 * context but interrupt with work_schedule_at; work_schedule also from interrupts. */
bool work_schedule(struct work *w);
void work_schedule_at(struct work *w, u64 ktime_ns);
/* Takes it off timer and queue and waits until fn is not running. Process context. */
void work_cancel_sync(struct work *w);
