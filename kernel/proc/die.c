/* SPDX-License-Identifier: MIT */
/* die.c - an exception in the kernel. When it hit a thread that held no lock, in process context,
 * only that thread's process ends and the rest goes on, with the faulty module marked; else the
 * machine is not to be trusted any more and panics. */
#include "proc.h"

#include <core/module.h>
#include <weft/printk.h>

/* Two oopses of one thread: the first one's ending has failed. A record is used again, and so may
 * belong to another thread by then. */
static struct thread *dying;
static u64 dying_start_ns;

static void show_registers(const struct trap_frame *f)
{
	printk(KERN_CRIT "rip %016lx rflags %08lx rsp %016lx error %lx\n", f->rip, f->rflags,
	       f->rsp, f->orig_rax);
	printk(KERN_CRIT "rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx,
	       f->rdx);
	printk(KERN_CRIT "rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp,
	       f->r8);
	printk(KERN_CRIT "r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11,
	       f->r12);
	printk(KERN_CRIT "r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
}

/* The exception came with interrupts on and preemption allowed: so nothing is half done that a spin
 * lock guards, and it was not an interrupt handler or the poll context. */
static bool can_end_thread(const struct trap_frame *f)
{
	struct thread *t = current();

	return t && t->tid > 1 && preempt_count() == 0 && !this_cpu()->irq_depth &&
	       (f->rflags & 0x200) && (!t->proc || t->proc != init_proc);
}

void kernel_oops(struct trap_frame *f, const char *what, u64 addr)
{
	struct thread *t = current();
	char name[96];

	symbol_name(f->rip, name, sizeof(name));
	printk(KERN_CRIT "oops: %s at address %016lx in %s, CPU %u, thread %s[%d]\n", what, addr,
	       name, cpu_id(), t ? t->comm : "none", t ? t->tid : 0);
	show_registers(f);
	backtrace_trap(f);
	module_note_oops(f->rip);
	if (!can_end_thread(f) ||
	    (READ_ONCE(dying) == t && READ_ONCE(dying_start_ns) == t->start_ns))
		panic("%s in %s", what, name);
	WRITE_ONCE(dying_start_ns, t->start_ns);
	WRITE_ONCE(dying, t);
	irq_enable();
	if (t->proc)
		proc_exit(SIGSEGV);
	workqueue_replace(t);
	thread_exit(-EFAULT);
}
