/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the host's CPU for the tests of the file system: each thread of the test program is a
 * CPU of its own, so locks and wait queues are used by real threads. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 4

struct thread;

extern __thread struct thread *fake_thread;
extern __thread u32 fake_preempt_count;
__thread u32 fake_batch __attribute__((weak)); /* one for all files */

static inline struct thread *current_thread(void)
{
	return fake_thread;
}

static inline u32 cpu_id(void)
{
	return 0;
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

static inline void cpu_relax(void)
{
}
