/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the CPU of the terminal tests: one, whose interrupt flag and preemption count are
 * plain variables that the tests look at. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 2

struct thread;

struct cpu {
	u32 preempt_count;
	bool irqs_off;
};

extern struct cpu env_cpu;

static inline struct thread *current_thread(void)
{
	return NULL;
}

static inline u32 cpu_id(void)
{
	return 0;
}

static inline void preempt_disable(void)
{
	env_cpu.preempt_count++;
}

static inline void preempt_enable_no_check(void)
{
	if (!env_cpu.preempt_count--)
		__builtin_trap();
}

static inline u32 preempt_count(void)
{
	return env_cpu.preempt_count;
}

#define CPU_BATCH_POLL BIT(16)

static inline u32 cpu_batch(void)
{
	return 0;
}

static inline void cpu_batch_add(u32 n)
{
	(void)n;
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
	return !env_cpu.irqs_off;
}

static inline void irq_disable(void)
{
	env_cpu.irqs_off = true;
}

static inline void irq_enable(void)
{
	env_cpu.irqs_off = false;
}

static inline unsigned long irq_save(void)
{
	unsigned long flags = env_cpu.irqs_off ? 0 : 0x200;

	env_cpu.irqs_off = true;
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags & 0x200)
		env_cpu.irqs_off = false;
}

static inline void cpu_relax(void)
{
}
