/* SPDX-License-Identifier: MIT */
/* trap.c - what happens at each exception vector. From user mode: a page comes, or a signal. From
 * the kernel: a user copy goes on at its fixup, everything else is an oops. Entered by entry.asm
 * with interrupts off; device vectors go to irq.c. */

#define LOG_NAME "trap: "
#include <core/sched.h>
#include <uapi/signal.h>
#include <weft/printk.h>

#include "extable.h"
#include "machine.h"

#define PF_PROTECTION BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_FETCH BIT(4)

static const char *const names[32] = {
	"divide error",
	"debug",
	"NMI",
	"breakpoint",
	"overflow",
	"bound range",
	"invalid opcode",
	"no coprocessor",
	"double fault",
	"coprocessor segment",
	"invalid TSS",
	"segment not present",
	"stack segment",
	"general protection",
	"page fault",
	"reserved",
	"x87 error",
	"alignment check",
	"machine check",
	"SIMD error",
	"virtualization",
	"control protection",
};

static const char *trap_name(u64 vector)
{
	return vector < 32 && names[vector] ? names[vector] : "unknown trap";
}

void arch_show_frame(const struct trap_frame *f)
{
	printk(KERN_ERR "rip %016lx cs %02lx rflags %08lx rsp %016lx ss %02lx error %lx\n", f->rip,
	       f->cs, f->rflags, f->rsp, f->ss, f->orig_rax);
	printk(KERN_ERR "rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx,
	       f->rdx);
	printk(KERN_ERR "rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp,
	       f->r8);
	printk(KERN_ERR "r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11,
	       f->r12);
	printk(KERN_ERR "r13 %016lx r14 %016lx r15 %016lx cr2 %016lx\n", f->r13, f->r14, f->r15,
	       read_cr2());
}

static void page_fault(struct trap_frame *f, bool from_user)
{
	u64 addr = read_cr2(), fixup = 0;
	bool write = f->orig_rax & PF_WRITE, exec = f->orig_rax & PF_FETCH;
	bool may_sleep = f->rflags & RFLAGS_IF && preempt_count() == 0;

	if (!from_user) {
		fixup = addr < USER_END ? ex_table_find(f->rip) : 0;
		if (!fixup)
			kernel_oops(f, "page fault", addr);
	}
	/* under a spinlock nothing can be brought in: the copy ends there */
	if (from_user || may_sleep) {
		/* user mode's own accesses say so; those that the processor makes for it (tables,
		 * far returns under emulation with SMAP) stay forbidden however often they are
		 * tried */
		bool implicit = from_user && !(f->orig_rax & PF_USER), resolved;

		irq_enable();
		resolved = addr < USER_END && !implicit && vm_fault(addr, write, exec, from_user);
		if (!resolved && from_user)
			user_trap_signal(f, SIGSEGV,
					 f->orig_rax & PF_PROTECTION ? SEGV_ACCERR : SEGV_MAPERR,
					 addr);
		irq_disable();
		if (resolved || from_user)
			return;
	}
	f->rip = fixup;
}

/* Exception flags of both units have the same order: invalid, denormal, zero, overflow, underflow,
 * precision. */
static int fpe_code(u32 flags)
{
	if (flags & 1)
		return FPE_FLTINV;
	if (flags & 4)
		return FPE_FLTDIV;
	if (flags & 8)
		return FPE_FLTOVF;
	if (flags & (2 | 16))
		return FPE_FLTUND;
	return FPE_FLTRES;
}

static int x87_code(void)
{
	u16 status, control;

	__asm__ __volatile__("fnstsw %0; fnstcw %1; fnclex" : "=m"(status), "=m"(control));
	return fpe_code(status & ~control & 0x3f);
}

static int simd_code(void)
{
	u32 mxcsr;

	__asm__ __volatile__("stmxcsr %0" : "=m"(mxcsr));
	return fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
}

static void user_exception(struct trap_frame *f)
{
	int sig = SIGSEGV, code = SI_KERNEL;
	u64 addr = 0, dr6;

	switch (f->vector) {
	case 0:
		sig = SIGFPE;
		code = FPE_INTDIV;
		addr = f->rip;
		break;
	case VEC_DB:
		__asm__ __volatile__("mov %%dr6, %0" : "=r"(dr6));
		__asm__ __volatile__("mov %0, %%dr6" ::"r"(0ul));
		f->rflags &= ~RFLAGS_TF;
		sig = SIGTRAP;
		code = dr6 & BIT(14) ? TRAP_TRACE : TRAP_BRKPT;
		addr = f->rip;
		break;
	case VEC_BP:
		sig = SIGTRAP;
		break;
	case 6:
		sig = SIGILL;
		code = ILL_ILLOPN;
		addr = f->rip;
		break;
	case 11:
	case 12:
		sig = SIGBUS;
		break;
	case VEC_MF:
	case VEC_XM:
		sig = SIGFPE;
		code = f->vector == VEC_MF ? x87_code() : simd_code();
		addr = f->rip;
		break;
	case 17:
		sig = SIGBUS;
		code = BUS_ADRALN;
		break;
	}
	irq_enable();
	user_trap_signal(f, sig, code, addr);
	irq_disable();
}

/* On the IST stack: nothing can go on from here. */
static void __noreturn fatal_exception(struct trap_frame *f)
{
	u64 cr2 = read_cr2();
	struct thread *t = current();

	printk(KERN_EMERG "%s\n", trap_name(f->vector));
	arch_show_frame(f);
	backtrace_trap(f);
	if (t && t->kstack && cr2 >= (u64)t->kstack - PAGE_SIZE && cr2 < (u64)t->kstack)
		panic("kernel stack overflow in %s", t->comm);
	panic("%s", trap_name(f->vector));
}

static void nmi(struct trap_frame *f)
{
	if (READ_ONCE(cpus_halting)) {
		for (;;)
			__asm__ __volatile__("cli; hlt");
	}
	pr_err("unexpected NMI at %lx\n", f->rip);
}

static void exception(struct trap_frame *f, bool from_user)
{
	switch (f->vector) {
	case VEC_NMI:
		nmi(f);
		return;
	case VEC_DF:
	case VEC_MC:
		fatal_exception(f);
	case VEC_PF:
		page_fault(f, from_user);
		return;
	}
	if (from_user) {
		user_exception(f);
		return;
	}
	if (f->vector == VEC_DB) { /* a trap that user mode armed hits at the kernel's first step */
		f->rflags &= ~RFLAGS_TF;
		__asm__ __volatile__("mov %0, %%dr6" ::"r"(0ul));
		return;
	}
	kernel_oops(f, trap_name(f->vector), f->vector == VEC_GP ? 0 : f->rip);
}

void trap_dispatch(struct trap_frame *f)
{
	if (likely(f->vector >= VEC_PIC))
		irq_dispatch(f);
	else
		exception(f, f->cs & 3);
}
