/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the CPUs of the scheduler's tests (world.c): several, of which one at a time runs
 * kernel code. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 4

struct thread;

struct cpu {
	struct thread *current;
	u32 preempt_count, pending, irq_depth, batch;
	bool irqs_off;
};

extern struct cpu world_cpus[MAX_CPUS];
extern u32 world_cpu; /* whose code runs */

#define CPU_PENDING_RESCHED BIT(0)
#define CPU_PENDING_POLL BIT(1)
#define CPU_BATCH_POLL BIT(16)

static inline struct cpu *this_cpu(void)
{
	return &world_cpus[world_cpu];
}

static inline struct thread *current_thread(void)
{
	return this_cpu()->current;
}

static inline u32 cpu_id(void)
{
	return world_cpu;
}

static inline void preempt_disable(void)
{
	this_cpu()->preempt_count++;
}

static inline void preempt_enable_no_check(void)
{
	this_cpu()->preempt_count--;
}

static inline u32 preempt_count(void)
{
	return this_cpu()->preempt_count;
}

static inline u32 cpu_batch(void)
{
	return this_cpu()->batch;
}

static inline void cpu_batch_add(u32 n)
{
	this_cpu()->batch += n;
}

static inline u32 cpu_pending(void)
{
	return this_cpu()->pending;
}

static inline bool cpu_has_pending(void)
{
	return cpu_pending();
}

static inline void cpu_set_pending(u32 bits)
{
	this_cpu()->pending |= bits;
}

static inline void cpu_clear_pending(u32 bits)
{
	this_cpu()->pending &= ~bits;
}

static inline bool irqs_enabled(void)
{
	return !this_cpu()->irqs_off;
}

static inline void irq_enable(void)
{
	this_cpu()->irqs_off = false;
}

void irq_disable(void);

static inline unsigned long irq_save(void)
{
	unsigned long flags = irqs_enabled() ? 0x200 : 0;

	this_cpu()->irqs_off = true;
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	this_cpu()->irqs_off = !(flags & 0x200);
}

static inline void cpu_relax(void)
{
}
