/* SPDX-License-Identifier: MIT */
/* loadavg.c - the three load averages of uptime(1): the number of runnable threads, sampled every 5
 * s and averaged exponentially over 1, 5 and 15 minutes, in fixed point with 11 fraction bits. */
#include "rq.h"

#include <weft/time.h>

#define SAMPLE_NS (5 * NSEC_PER_SEC)
#define FIXED_1 2048ull
/* 2048 / exp(5 s / period) */
static const u64 decay[3] = { 1884, 2014, 2037 };

static u64 averages[3];
static u64 next_sample;

/* Samples that are due are taken when somebody asks or the tick comes by: no timer wakes an idle
 * machine for it. While it slept nothing ran, so samples that were missed count as none running. */
void loadavg_update(void)
{
	static struct spinlock lock;
	u64 now = ktime_get(), active;
	unsigned long flags;
	u32 i, n;

	if (now < READ_ONCE(next_sample))
		return;
	flags = irq_save();
	if (!spin_trylock(&lock)) {
		irq_restore(flags);
		return;
	}
	active = sched_runnable() * FIXED_1;
	for (n = 0; now >= next_sample && n < 1000; n++) {
		u64 sample = now - next_sample < SAMPLE_NS ? active : 0;

		for (i = 0; i < 3; i++)
			averages[i] =
				(averages[i] * decay[i] + sample * (FIXED_1 - decay[i])) / FIXED_1;
		WRITE_ONCE(next_sample, next_sample + SAMPLE_NS);
	}
	if (now >= next_sample)
		WRITE_ONCE(next_sample, now + SAMPLE_NS);
	spin_unlock_irqrestore(&lock, flags);
}

void loadavg_get(u64 avg[3])
{
	u32 i;

	loadavg_update();
	for (i = 0; i < 3; i++)
		avg[i] = averages[i];
}
