/* SPDX-License-Identifier: MIT */
/* thread.c - what a thread is to the machine: a kernel stack with the user's frame at its top, the
 * FPU area, the fs and gs bases. Making, switching and ending them; when and why is the
 * scheduler's. */

#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/string.h>

#include "machine.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define RFLAGS_FIXED BIT64(1)

/* What switch_stack() pops. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbp, rbx, rip;
};

/* entry.asm's name for the offset. */
static void __attribute__((used)) asm_offsets(void)
{
	__asm__ __volatile__(".globl THREAD_USER_WORK\n\t.set THREAD_USER_WORK, %c0" ::"i"(
		offsetof(struct thread, user_work)));
}

struct trap_frame *arch_user_frame(struct thread *t)
{
	return (struct trap_frame *)t->kstack_top - 1;
}

static struct switch_frame *first_frame(struct thread *t, void (*entry)(void))
{
	struct switch_frame *s = (struct switch_frame *)arch_user_frame(t) - 1;

	*s = (struct switch_frame){ .rip = (u64)entry };
	t->arch.rsp = (u64)s;
	return s;
}

void arch_thread_init(struct thread *t, void (*fn)(void *arg), void *arg)
{
	struct switch_frame *s = first_frame(t, thread_entry);

	s->rbx = (u64)fn;
	s->r12 = (u64)arg;
	t->arch.fs_base = t->arch.gs_base = 0;
	t->arch.fpu = NULL;
	t->arch.fpu_cpu = ~0u;
}

int arch_thread_make_user(struct thread *t)
{
	if (t->arch.fpu)
		return 0;
	t->arch.fpu_cpu = ~0u;
	t->arch.fpu = fpu_alloc();
	return t->arch.fpu ? 0 : -ENOMEM;
}

int arch_thread_fork(struct thread *t, struct thread *parent, const struct trap_frame *frame)
{
	int err;

	t->arch.fpu = NULL;
	err = arch_thread_make_user(t);
	if (err)
		return err;
	t->arch.fs_base = parent ? parent->arch.fs_base : 0;
	t->arch.gs_base = parent ? parent->arch.gs_base : 0;
	if (parent && parent->arch.fpu) {
		fpu_save_current();
		memcpy(t->arch.fpu, parent->arch.fpu, features.fpu_size);
	}
	*arch_user_frame(t) = *frame;
	first_frame(t, thread_entry_user);
	return 0;
}

void arch_thread_free(struct thread *t)
{
	void *area = t->arch.fpu;

	/* may run on another CPU than t's last one, and t does not run any more */
	fpu_forget(t);
	t->arch.fpu = NULL;
	kfree(area);
}

void arch_switch(struct thread *prev, struct thread *next)
{
	struct machine_cpu *mc = this_machine_cpu();

	fpu_switch(prev, next);
	if (next->arch.fpu) {
		/* user mode may have changed both by loading selectors: write, do not compare */
		wrmsr(MSR_FS_BASE, next->arch.fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, next->arch.gs_base);
	}
	mc->core.kernel_rsp = next->kstack_top;
	mc->tss.rsp[0] = next->kstack_top;
	mc->core.current = next;
	switch_stack(&prev->arch.rsp, next->arch.rsp);
}

void arch_enter_user(void)
{
	irq_disable();
	__asm__ __volatile__(
		"mov %0, %%rsp; xor %%ebp, %%ebp; jmp user_return" ::"r"(arch_user_frame(current()))
		: "memory");
	__builtin_unreachable();
}

static void set_bases(u64 fs, u64 gs)
{
	unsigned long flags = irq_save();
	struct thread *t = current();

	t->arch.fs_base = fs;
	t->arch.gs_base = gs;
	wrmsr(MSR_FS_BASE, fs);
	wrmsr(MSR_KERNEL_GS_BASE, gs);
	irq_restore(flags);
}

void arch_exec_frame(struct trap_frame *f, u64 rip, u64 rsp)
{
	*f = (struct trap_frame){
		.vector = TRAP_SYSCALL,
		.orig_rax = ~0ull, /* nothing to restart */
		/* a program file may name any entry, IRET faults in the kernel on some of them */
		.rip = rip < USER_END ? rip : 0,
		.cs = SEL_UCODE,
		.rflags = RFLAGS_IF | RFLAGS_FIXED,
		.rsp = rsp,
		.ss = SEL_UDATA,
	};
	/* a new program sees neither selectors nor registers of the old one */
	__asm__ __volatile__("mov %0, %%ds; mov %0, %%es; mov %0, %%fs" ::"r"(0));
	set_bases(0, 0);
	fpu_reset_current();
}

long arch_prctl(int code, u64 addr)
{
	struct thread *t = current();
	u64 *base = code == ARCH_SET_FS || code == ARCH_GET_FS ? &t->arch.fs_base :
								 &t->arch.gs_base;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= USER_END)
			return -EPERM;
		set_bases(code == ARCH_SET_FS ? addr : t->arch.fs_base,
			  code == ARCH_SET_GS ? addr : t->arch.gs_base);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		return arch_copy_to_user((void __user *)addr, base, sizeof(*base)) ? -EFAULT : 0;
	}
	return -EINVAL;
}
