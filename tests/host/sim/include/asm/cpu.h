/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the simulated machine's CPU: one, with an interrupt flag and a preemption count that
 * are plain variables. Same contract as arch/x86_64/include/asm/cpu.h; the kernel's scheduler,
 * pollers and the modules compile against it unchanged. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 2

struct thread;

struct cpu {
	struct thread *current;
	u32 preempt_count;
	u32 pending;
	u32 id, irq_depth, online, batch;
	u64 idle_ns;
	bool irqs_off;
};

#define CPU_PENDING_RESCHED BIT(0)
#define CPU_PENDING_POLL BIT(1)
#define CPU_BATCH_POLL BIT(16)

extern struct cpu sim_cpu;

#define this_cpu_read(field) (sim_cpu.field)

static inline struct cpu *this_cpu(void)
{
	return &sim_cpu;
}

static inline struct thread *current_thread(void)
{
	return sim_cpu.current;
}

static inline u32 cpu_id(void)
{
	return 0;
}

static inline void preempt_disable(void)
{
	sim_cpu.preempt_count++;
}

/* A count that falls below zero is found out at once. */
void sim_preempt_underflow(void);
static inline void preempt_enable_no_check(void)
{
	if (!sim_cpu.preempt_count)
		sim_preempt_underflow();
	sim_cpu.preempt_count--;
}

static inline u32 preempt_count(void)
{
	return sim_cpu.preempt_count;
}

static inline u32 cpu_batch(void)
{
	return sim_cpu.batch;
}

static inline void cpu_batch_add(u32 n)
{
	sim_cpu.batch += n;
}

static inline u32 cpu_pending(void)
{
	return sim_cpu.pending;
}

static inline bool cpu_has_pending(void)
{
	return cpu_pending();
}

static inline void cpu_set_pending(u32 bits)
{
	sim_cpu.pending |= bits;
}

static inline void cpu_clear_pending(u32 bits)
{
	sim_cpu.pending &= ~bits;
}

static inline bool irqs_enabled(void)
{
	return !sim_cpu.irqs_off;
}

static inline void irq_disable(void)
{
	sim_cpu.irqs_off = true;
}

/* Device interrupts that came meanwhile are delivered here. */
void irq_enable(void);

static inline unsigned long irq_save(void)
{
	unsigned long flags = sim_cpu.irqs_off ? 0 : 0x200;

	sim_cpu.irqs_off = true;
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags & 0x200)
		irq_enable();
}

void cpu_relax(void);
