/* SPDX-License-Identifier: MIT */
/* access.c - reading and writing another process's memory by way of the direct map, page by page,
 * with its own faults and copies on write: for /proc/PID/cmdline and debuggers. */
#include <weft/err.h>
#include <weft/string.h>

#include "mm.h"

/* The page at va, present and fit for the access, with a reference. lock held. */
static struct page *page_for_access(struct proc_mm *mm, u64 va, bool write)
{
	struct page *p;
	phys_addr_t pa;
	u32 flags;
	int err;

	/* the lock is let go in between, so what was made present may be gone again; tables that
	 * are not to be had, or a page taken away for ever, must not make this endless */
	for (int tries = 0; tries < 8; tries++) {
		pa = arch_lookup(mm->pgd, va, &flags);
		if (pa && !(flags & PTE_NONE) && (!write || flags & PTE_WRITE)) {
			p = pa_to_page(pa);
			if (!p)
				return ERR_PTR(-EFAULT);
			page_get(p);
			return p;
		}
		err = mm_fault_locked(mm, va, write, false);
		if (err && err != -ENOMEM)
			return ERR_PTR(-EFAULT);
	}
	return ERR_PTR(-ENOMEM);
}

long mm_access(struct proc_mm *mm, u64 addr, void *buf, size_t n, bool write)
{
	size_t done = 0;
	long err = 0;

	if (addr > USER_END || n > USER_END - addr)
		return -EFAULT;
	mutex_lock(&mm->lock);
	while (done < n) {
		u64 off = (addr + done) & (PAGE_SIZE - 1);
		size_t piece = min(n - done, PAGE_SIZE - off);
		struct page *p = page_for_access(mm, addr + done - off, write);
		u8 *at;

		if (IS_ERR(p)) {
			err = PTR_ERR(p);
			break;
		}
		at = (u8 *)page_virt(p) + off;
		if (write)
			memcpy(at, (u8 *)buf + done, piece);
		else
			memcpy((u8 *)buf + done, at, piece);
		page_put(p);
		done += piece;
	}
	mutex_unlock(&mm->lock);
	return done ? (long)done : err;
}
