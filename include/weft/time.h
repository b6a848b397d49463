/* SPDX-License-Identifier: MIT */
/* time.h - one monotonic clock in nanoseconds since boot, the same on every CPU, and one-shot
 * timers on it. Nothing reads a clock behind these, so a host test can turn time by hand. */
#pragma once

#include <weft/list.h>
#include <weft/types.h>

#define NSEC_PER_USEC 1000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC 1000000000ull

u64 ktime_get(void);	  /* any context */
u64 ktime_get_real(void); /* Unix time in ns */
void ktime_set_real(u64 ns);

/* A timer fires once, in poll context on the CPU that armed it, never before its time. The owner
 * keeps the struct alive until timer_cancel_sync returned. fn may arm it again. */
struct timer {
	struct list_head node; /* guarded by the CPU's timer lock, as are the next three */
	u64 expires;	       /* ktime ns */
	u32 heap_index;	       /* 0: not pending */
	u32 cpu;
	void (*fn)(struct timer *t);
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* Arms or re-arms for an absolute time. Any context but interrupt. Cannot fail. */
void timer_set(struct timer *t, u64 expires_ns);
/* Disarms. True when it was pending. fn may still be running on another CPU. */
bool timer_cancel(struct timer *t);
/* Disarms and waits until fn is not running anywhere; fn may not re-arm it afterwards unless asked
 * to. Process context, no lock held that fn takes. */
bool timer_cancel_sync(struct timer *t);
static inline bool timer_pending(const struct timer *t)
{
	return READ_ONCE(t->heap_index) != 0;
}
