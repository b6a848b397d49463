/* SPDX-License-Identifier: MIT */
/* fpu.c - x87, SSE and AVX state of user threads. The kernel itself is compiled without these
 * registers, so they keep the last user thread's values while kernel threads run, and coming back
 * to the same thread on the same CPU loads nothing. With one CPU even the save waits until another
 * thread needs the registers; with more it is done at switch-out, since the thread may go on
 * elsewhere. */

#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/string.h>

#include "machine.h"

#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)
#define XCR0_AVX512 (BIT64(5) | BIT64(6) | BIT64(7))
#define FXSAVE_SIZE 512
#define XSAVE_HEADER 64
#define FCW_DEFAULT 0x37f
#define MXCSR_DEFAULT 0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf
#define FPU_CPU_NONE (~0u)

static u8 scratch[FXSAVE_SIZE] __aligned(64); /* boot CPU, once */

static void xsetbv(u64 v)
{
	__asm__ __volatile__("xsetbv" ::"c"(0), "a"((u32)v), "d"((u32)(v >> 32)));
}

/* Every component, also those that XSAVEOPT would leave stale because they are in their initial
 * state: for copies that somebody reads. */
static void save_whole(void *area)
{
	u32 lo = (u32)features.xcr0, hi = (u32)(features.xcr0 >> 32);

	if (features.xcr0)
		__asm__ __volatile__("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ __volatile__("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void save(void *area)
{
	u32 lo = (u32)features.xcr0, hi = (u32)(features.xcr0 >> 32);

	if (features.xsaveopt)
		__asm__ __volatile__("xsaveopt64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
	else
		save_whole(area);
}

static void load(const void *area)
{
	u32 lo = (u32)features.xcr0, hi = (u32)(features.xcr0 >> 32);

	if (features.xcr0)
		__asm__ __volatile__("xrstor64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ __volatile__("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_init(void)
{
	if (features.xsave) {
		u64 offered = (u64)cpuid(13, 0).edx << 32 | cpuid(13, 0).eax;
		u64 xcr0 = offered & (XCR0_X87 | XCR0_SSE | XCR0_AVX);

		if (xcr0 & XCR0_AVX && (offered & XCR0_AVX512) == XCR0_AVX512)
			xcr0 |= XCR0_AVX512;
		xsetbv(xcr0);
		features.xcr0 = xcr0;
		features.fpu_size = cpuid(13, 0).ebx; /* of what XCR0 enables now */
	} else {
		features.fpu_size = FXSAVE_SIZE;
	}
	__asm__ __volatile__("fninit");
	if (!features.mxcsr_mask) {
		__asm__ __volatile__("fxsave64 %0" : "=m"(scratch));
		memcpy(&features.mxcsr_mask, scratch + 28, 4);
		if (!features.mxcsr_mask)
			features.mxcsr_mask = MXCSR_MASK_DEFAULT;
	}
}

size_t arch_fpu_size(void)
{
	return features.fpu_size;
}

void fpu_reset_area(void *area)
{
	u16 fcw = FCW_DEFAULT;
	u32 mxcsr = MXCSR_DEFAULT;

	/* with XSAVE an all-zero header means: every component in its initial state */
	memset(area, 0, features.fpu_size);
	memcpy(area, &fcw, sizeof(fcw));
	memcpy((u8 *)area + 24, &mxcsr, sizeof(mxcsr));
}

void *fpu_alloc(void)
{
	/* blocks of 64 bytes and more are aligned to 64, as XSAVE wants it */
	void *area = kmalloc(features.fpu_size);

	if (area)
		fpu_reset_area(area);
	return area;
}

void fpu_switch(struct thread *prev, struct thread *next)
{
	struct machine_cpu *mc = this_machine_cpu();
	struct thread *owner = mc->fpu_owner;

	if (nr_cpus > 1 && prev->arch.fpu && owner == prev)
		save(prev->arch.fpu);
	if (!next->arch.fpu)
		return;
	if (owner == next && next->arch.fpu_cpu == mc->core.id)
		return;
	if (nr_cpus == 1 && owner)
		save(owner->arch.fpu);
	load(next->arch.fpu);
	mc->fpu_owner = next;
	next->arch.fpu_cpu = mc->core.id;
}

/* The state of t is not wanted any more. Other CPUs may go on naming a thread that ended as owner
 * of their registers: a new thread at the same address differs in fpu_cpu. */
void fpu_forget(struct thread *t)
{
	unsigned long flags = irq_save();
	struct machine_cpu *mc = this_machine_cpu();

	if (mc->fpu_owner == t)
		mc->fpu_owner = NULL;
	t->arch.fpu_cpu = FPU_CPU_NONE;
	irq_restore(flags);
}

void fpu_save_current(void)
{
	unsigned long flags = irq_save();
	struct thread *t = current();

	/* not loaded: a thread that has just become a user's, its area is the state */
	if (this_machine_cpu()->fpu_owner == t && t->arch.fpu_cpu == cpu_id())
		save_whole(t->arch.fpu);
	irq_restore(flags);
}

void fpu_load_current(void)
{
	unsigned long flags = irq_save();
	struct machine_cpu *mc = this_machine_cpu();
	struct thread *t = current();

	if (nr_cpus == 1 && mc->fpu_owner && mc->fpu_owner != t)
		save(mc->fpu_owner->arch.fpu);
	load(t->arch.fpu);
	mc->fpu_owner = t;
	t->arch.fpu_cpu = mc->core.id;
	irq_restore(flags);
}

/* In one step: a preemption between would save the old registers over the clean area. */
void fpu_reset_current(void)
{
	unsigned long flags = irq_save();

	fpu_reset_area(current()->arch.fpu);
	fpu_load_current();
	irq_restore(flags);
}
