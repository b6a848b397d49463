/* SPDX-License-Identifier: MIT */
/* syscall.c - from a number in rax to the function that serves it. The table is gathered at boot
 * from what each subsystem's SYSCALL() left in a linker section. */
#include "proc.h"

#include <weft/printk.h>

#define NR_SYSCALLS 512

static long (*table[NR_SYSCALLS])(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

void syscall_table_build(void)
{
	const struct syscall_entry *e;

	for (e = syscall_table_start; e < syscall_table_end; e++) {
		if (e->nr >= NR_SYSCALLS || table[e->nr])
			panic("system call %u (%s) is out of range or there twice", e->nr, e->name);
		table[e->nr] = e->fn;
	}
}

void syscall_dispatch(struct trap_frame *f)
{
	u64 nr = f->orig_rax;
	long ret;

	if (unlikely(nr >= NR_SYSCALLS || !table[nr])) {
		f->rax = (u64)-ENOSYS;
		return;
	}
	ret = table[nr](f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
	f->rax = (u64)ret;
	/* these never reach user space: the way back decides between EINTR and doing it again */
	if (unlikely(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		user_work_set(current(), USER_WORK_RESTART);
}

SYSCALL(219, restart_syscall)
{
	struct thread *t = current();
	long (*fn)(struct thread * t) = t->restart.fn;

	t->restart.fn = NULL;
	return fn ? fn(t) : -EINTR;
}
