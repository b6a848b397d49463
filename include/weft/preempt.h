/* SPDX-License-Identifier: MIT */
/* preempt.h - keeping this CPU: with preemption off neither another thread nor the poll context
 * runs here. Sections nest. RCU readers and spinlock holders are such sections. */
#pragma once

#include <asm/cpu.h>

/* Runs what became pending while preemption was off (reschedule, poll). Called by
 * preempt_enable. */
void preempt_check(void);

static inline void preempt_enable(void)
{
	preempt_enable_no_check();
	if (unlikely(cpu_has_pending()) && preempt_count() == 0)
		preempt_check();
}

/* True where sleeping is a bug. */
static inline bool in_atomic(void)
{
	return preempt_count() != 0 || !irqs_enabled();
}
