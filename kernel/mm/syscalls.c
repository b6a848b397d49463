/* SPDX-License-Identifier: MIT */
/* syscalls.c - the system calls of memory: argument checks, then the functions of core/vm.h. All
 * memory is resident, so locking it needs nothing, and files are memory, so msync needs nothing
 * either. */
#include <core/proc.h>
#include <core/syscall.h>
#include <core/vfs.h>
#include <uapi/mman.h>

#include "mm.h"

SYSCALL(9, mmap)
{
	struct file *file = NULL;
	long ret;

	if (!((int)d & MAP_ANONYMOUS)) {
		file = fd_get(e);
		if (!file)
			return -EBADF;
	}
	ret = mm_mmap(current_proc()->mm, a, b, c, d, file, f);
	if (file)
		file_put(file);
	return ret;
}

SYSCALL(10, mprotect)
{
	return mm_mprotect(current_proc()->mm, a, b, c);
}

SYSCALL(11, munmap)
{
	return mm_munmap(current_proc()->mm, a, b);
}

SYSCALL(12, brk)
{
	return mm_brk(current_proc()->mm, a);
}

SYSCALL(25, mremap)
{
	return mm_mremap(current_proc()->mm, a, b, c, d, e);
}

static long check_mapped(u64 addr, u64 len)
{
	return mm_madvise(current_proc()->mm, addr, len, MADV_NORMAL);
}

SYSCALL(26, msync)
{
	if (c & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (c & MS_ASYNC && c & MS_SYNC))
		return -EINVAL;
	return check_mapped(a, b);
}

SYSCALL(28, madvise)
{
	return mm_madvise(current_proc()->mm, a, b, c);
}

static long lock_range(u64 addr, u64 len)
{
	u64 start = ALIGN_DOWN(addr, PAGE_SIZE);

	return addr + len < addr ? -EINVAL : check_mapped(start, addr + len - start);
}

SYSCALL(149, mlock)
{
	return lock_range(a, b);
}

SYSCALL(150, munlock)
{
	return lock_range(a, b);
}

#define MCL_CURRENT 1
#define MCL_FUTURE 2
#define MCL_ONFAULT 4

SYSCALL(151, mlockall)
{
	return !a || a & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ? -EINVAL : 0;
}

SYSCALL(152, munlockall)
{
	return 0;
}

#define MLOCK_ONFAULT 1

SYSCALL(325, mlock2)
{
	return c & ~(u64)MLOCK_ONFAULT ? -EINVAL : lock_range(a, b);
}

/* Which pages a touch finds without a fault. */
SYSCALL(27, mincore)
{
	struct proc_mm *mm = current_proc()->mm;
	u64 end = a + ALIGN_UP(b, PAGE_SIZE);
	long err;

	if (a & (PAGE_SIZE - 1))
		return -EINVAL;
	if (end < a || end > USER_END)
		return -ENOMEM;
	err = check_mapped(a, b);
	for (u64 va = a, i = 0; !err && va < end; va += PAGE_SIZE, i++) {
		u8 there;

		mutex_lock(&mm->lock);
		there = arch_lookup(mm->pgd, va, NULL) != 0;
		mutex_unlock(&mm->lock);
		err = copy_to_user((void __user *)(c + i), &there, 1);
	}
	return err;
}

#define MEMBARRIER_CMD_QUERY 0
#define MEMBARRIER_CMD_GLOBAL BIT(0)
#define MEMBARRIER_CMD_GLOBAL_EXPEDITED BIT(1)
#define MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED BIT(2)
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED BIT(3)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED BIT(4)

/* Every CPU that runs the caller's program (or any) passes a full barrier: flushing nothing at all
 * makes it take an interrupt. Whoever is not running passed one when it was switched away. */
SYSCALL(324, membarrier)
{
	if (b)
		return -EINVAL;
	switch ((int)a) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		return 0;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		arch_tlb_shootdown(NULL, 0, 0);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		arch_tlb_shootdown(current_proc()->mm, 0, 0);
		return 0;
	}
	return -EINVAL;
}
