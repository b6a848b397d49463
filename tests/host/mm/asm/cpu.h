/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the host's CPU for the tests of memory management: one thread of execution that may
 * say it is on another CPU, and a preemption count that tests can look at. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 4

struct thread;

extern u32 fake_cpu; /* settable between calls */
extern u32 fake_preempt_count;
__attribute__((weak)) u32 fake_batch;
extern struct thread *fake_thread;

static inline struct thread *current_thread(void)
{
	return fake_thread;
}

static inline u32 cpu_id(void)
{
	return fake_cpu;
}

static inline void preempt_disable(void)
{
	fake_preempt_count++;
}

static inline void preempt_enable_no_check(void)
{
	fake_preempt_count--;
}

static inline u32 preempt_count(void)
{
	return fake_preempt_count;
}

#define CPU_BATCH_POLL BIT(16)

static inline u32 cpu_batch(void)
{
	return fake_batch;
}

static inline void cpu_batch_add(u32 n)
{
	fake_batch += n;
}

static inline u32 cpu_pending(void)
{
	return 0;
}

static inline bool cpu_has_pending(void)
{
	return cpu_pending();
}

static inline bool irqs_enabled(void)
{
	return true;
}

static inline unsigned long irq_save(void)
{
	return 0;
}

static inline void irq_restore(unsigned long f)
{
	(void)f;
}
