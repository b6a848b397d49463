/* SPDX-License-Identifier: MIT */
/* asm/cpu.h - the host's CPU for tests of loader, packets and sockets: that of the memory tests,
 * and the per-CPU head that the architecture's own files name. */
#pragma once

#include "../../mm/asm/cpu.h"

struct cpu {
	u32 id;
};

static inline struct cpu *this_cpu(void)
{
	static struct cpu cpu;

	return &cpu;
}

__attribute__((weak)) u32 env_pending; /* for tests to look at: nothing runs by itself */

static inline void cpu_set_pending(u32 bits)
{
	env_pending |= bits;
}

static inline void cpu_clear_pending(u32 bits)
{
	env_pending &= ~bits;
}

__attribute__((weak)) void (*env_relax)(void); /* a test's: time passes */

static inline void cpu_relax(void)
{
	if (env_relax)
		env_relax();
}

static inline void irq_enable(void)
{
}

static inline void irq_disable(void)
{
}

#define CPU_PENDING_RESCHED BIT(0)
#define CPU_PENDING_POLL BIT(1)
