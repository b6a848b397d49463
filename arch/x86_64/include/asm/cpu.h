/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the few machine operations that must be inline: this CPU's data through %gs,
 * interrupt flag, preemption count. The host build has its own file of this name. */
#pragma once

#include <weft/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define MAX_CPUS 32

struct thread;

/* The head of every CPU's data; %gs:0 is its start. Offsets are known to entry.asm. */
struct cpu {
	struct cpu *self;	/* 0 */
	struct thread *current; /* 8 */
	u64 kernel_rsp;		/* 16: top of current's kernel stack, for syscall entry */
	u64 user_rsp;		/* 24: scratch of syscall entry */
	u32 preempt_count;	/* 32: 0 = may be preempted and may run the poll context */
	u32 pending;		/* 36: CPU_PENDING_* bits, acted on when preempt_count is 0 */
	u32 id;			/* 40: 0..nr_cpus-1 */
	u32 apic_id;		/* 44 */
	u32 irq_depth;		/* 48 */
	u32 online;		/* 52 */
	u64 idle_ns;		/* 56: time spent halted */
	u64 percpu_off;		/* 64: added to a DEFINE_PERCPU address */
	u32 batch;		/* 72: see cpu_batch() */
};

#define CPU_PENDING_RESCHED BIT(0)
#define CPU_PENDING_POLL BIT(1)
#define CPU_BATCH_POLL BIT(16)

/* Loads and stores a field of this CPU's struct with one instruction: safe against migration. */
#define this_cpu_read(field)                                              \
	({                                                                \
		__typeof__(((struct cpu *)0)->field) tcr_v;               \
		__asm__ __volatile__("mov %%gs:%c1, %0"                   \
				     : "=r"(tcr_v)                        \
				     : "i"(offsetof(struct cpu, field))); \
		tcr_v;                                                    \
	})

static inline struct cpu *this_cpu(void)
{
	return this_cpu_read(self);
}

/* The running thread. Stable: a thread that migrates takes it along. */
static inline struct thread *current_thread(void)
{
	return this_cpu_read(current);
}

/* Only a hint unless preemption is off. */
static inline u32 cpu_id(void)
{
	return this_cpu_read(id);
}

static inline void preempt_disable(void)
{
	__asm__ __volatile__("incl %%gs:32" ::: "memory", "cc");
}

static inline void preempt_enable_no_check(void)
{
	__asm__ __volatile__("decl %%gs:32" ::: "memory", "cc");
}

static inline u32 preempt_count(void)
{
	return this_cpu_read(preempt_count);
}

/* Nesting of the running thread's batches, and CPU_BATCH_POLL in poll context (weft/poller.h). */
static inline u32 cpu_batch(void)
{
	return this_cpu_read(batch);
}

static inline void cpu_batch_add(u32 n)
{
	__asm__ __volatile__("addl %0, %%gs:72" : : "ri"(n) : "memory", "cc");
}

static inline u32 cpu_pending(void)
{
	return this_cpu_read(pending);
}

/* Is any bit set? At the end of each critical section: compared in place. */
static inline bool cpu_has_pending(void)
{
	bool any;

	__asm__ __volatile__("cmpl $0, %%gs:36" : "=@ccne"(any)::"memory");
	return any;
}

static inline void cpu_set_pending(u32 bits)
{
	__asm__ __volatile__("orl %0, %%gs:36" : : "r"(bits) : "memory", "cc");
}

static inline void cpu_clear_pending(u32 bits)
{
	__asm__ __volatile__("andl %0, %%gs:36" : : "r"(~bits) : "memory", "cc");
}

static inline bool irqs_enabled(void)
{
	unsigned long f;

	__asm__ __volatile__("pushfq; pop %0" : "=r"(f)::"memory");
	return f & 0x200;
}

static inline void irq_disable(void)
{
	__asm__ __volatile__("cli" ::: "memory");
}

static inline void irq_enable(void)
{
	__asm__ __volatile__("sti" ::: "memory");
}

static inline unsigned long irq_save(void)
{
	unsigned long f;

	__asm__ __volatile__("pushfq; pop %0; cli" : "=r"(f)::"memory");
	return f;
}

static inline void irq_restore(unsigned long f)
{
	if (f & 0x200)
		irq_enable();
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}
