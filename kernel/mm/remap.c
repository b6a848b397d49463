/* SPDX-License-Identifier: MIT */
/* remap.c - changing ranges that exist: mprotect, mremap, madvise. Page table entries follow at
 * once; rights that were added may come by a later fault, rights that were taken are gone on every
 * CPU on return. */
#include <core/vfs.h>
#include <weft/err.h>
#include <uapi/mman.h>

#include "mm.h"

static u64 page_up(u64 n)
{
	return ALIGN_UP(n, PAGE_SIZE);
}

static bool bad_range(u64 addr, u64 len)
{
	return addr & (PAGE_SIZE - 1) || len > USER_END || addr > USER_END - page_up(len);
}

/* The whole of [start, end) is mapped. */
static bool all_mapped(struct proc_mm *mm, u64 start, u64 end)
{
	while (start < end) {
		struct vma *v = mm_find_vma(mm, start);

		if (!v)
			return false;
		start = v->end;
	}
	return true;
}

/* ---- mprotect ---- */

struct protect {
	const struct vma *v;
	bool took; /* a right: other CPUs must hear of it */
};

static bool protect_page(void *arg, u64 va, phys_addr_t *pa, u32 *flags)
{
	struct protect *pr = arg;
	bool was_writable = *flags & PTE_WRITE;
	/* a page that was not writable may be shared or the page of zeros: a fault finds out */
	u32 new = vma_pte_flags(pr->v, was_writable);

	if (new == *flags)
		return false;
	if ((*flags & ~new) & (PTE_WRITE | PTE_EXEC) || new &PTE_NONE)
		pr->took = true;
	*flags = new;
	return true;
}

static int protect_check(struct proc_mm *mm, u64 start, u64 end, u32 rights)
{
	for (u64 at = start; at < end;) {
		struct vma *v = mm_find_vma(mm, at);

		if (!v)
			return -ENOMEM;
		if (rights & VM_WRITE && vma_is_shared_file(v) &&
		    (v->file->flags & O_ACCMODE) != O_RDWR)
			return -EACCES;
		at = v->end;
	}
	return 0;
}

static int protect_locked(struct proc_mm *mm, u64 start, u64 end, u32 rights)
{
	struct protect pr = { NULL, false };
	int err = protect_check(mm, start, end, rights);

	if (!err)
		err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (err) {
		vma_merge(mm, start, end);
		return err;
	}
	for (u64 at = start; at < end;) {
		struct vma *v = mm_find_vma(mm, at);

		v->flags = (v->flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | rights;
		pr.v = v;
		arch_walk(mm->pgd, v->start, v->end, protect_page, &pr);
		at = v->end;
	}
	mm->seq++;
	if (pr.took)
		arch_tlb_shootdown(mm, start, end);
	vma_merge(mm, start, end);
	return 0;
}

int mm_mprotect(struct proc_mm *mm, u64 addr, u64 len, int prot)
{
	u32 rights = (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
		     (prot & PROT_EXEC ? VM_EXEC : 0);
	int err;

	if (addr & (PAGE_SIZE - 1) || prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (!len)
		return 0;
	if (bad_range(addr, len))
		return -ENOMEM;
	mutex_lock(&mm->lock);
	err = protect_locked(mm, addr, addr + page_up(len), rights);
	mutex_unlock(&mm->lock);
	return err;
}

/* ---- mremap ---- */

struct move {
	phys_addr_t pgd;
	u64 delta; /* added to an old address */
	int err;
};

static bool move_page(void *arg, u64 va, phys_addr_t *pa, u32 *flags)
{
	struct move *m = arg;

	if (!m->err)
		m->err = arch_map(m->pgd, va + m->delta, *pa, *flags);
	if (m->err)
		return false;
	*pa = 0;
	return true;
}

/* Entries go over to the new place; when tables for them are not to be had, they all go back, into
 * tables that are there. */
static int move_pages(struct proc_mm *mm, u64 from, u64 to, u64 len)
{
	struct move there = { mm->pgd, to - from, 0 }, back = { mm->pgd, from - to, 0 };

	arch_walk(mm->pgd, from, from + len, move_page, &there);
	if (there.err)
		arch_walk(mm->pgd, to, to + len, move_page, &back);
	arch_tlb_shootdown(mm, from, from + len);
	return there.err;
}

static bool grow_in_place(struct proc_mm *mm, struct vma *v, u64 new_end)
{
	struct vma *next = vma_after(mm, v->end);

	if (new_end > USER_END || (next && next->start < new_end))
		return false;
	mm->total_pages += (new_end - v->end) >> PAGE_SHIFT;
	v->end = new_end;
	mm->seq++;
	vma_merge(mm, v->start, new_end);
	return true;
}

/* v covers [old, old + old_len) exactly. */
static long move_vma(struct proc_mm *mm, struct vma *v, u64 to, u64 new_len, struct list_head *dead)
{
	u64 from = v->start, len = min(v->end - v->start, new_len);
	struct vma *n = vma_dup(v);
	int err;

	if (!n)
		return -ENOMEM;
	n->start = to;
	n->end = to + new_len;
	err = move_pages(mm, from, to, len);
	if (err) {
		n->ops = NULL; /* it was not opened */
		list_add_tail(&n->node, dead);
		return err;
	}
	if (n->ops && n->ops->open)
		n->ops->open(n);
	/* both borders are VMA borders already, so this cannot fail */
	vma_unmap_range(mm, from, v->end, dead);
	vma_link(mm, n);
	vma_merge(mm, to, to + new_len);
	return to;
}

static long remap_locked(struct proc_mm *mm, u64 old, u64 old_len, u64 new_len, int flags,
			 u64 new_addr, struct list_head *dead)
{
	struct vma *v = mm_find_vma(mm, old);
	u64 more = new_len > old_len ? new_len - old_len : 0;
	int err = 0;

	if (!v || old_len > v->end - old)
		return -EFAULT;
	if ((mm->total_pages << PAGE_SHIFT) + more > mm->as_limit)
		return -ENOMEM;
	if (more && v->flags & VM_WRITE && !(v->flags & VM_SHARED) &&
	    new_len >> PAGE_SHIFT > page_total())
		return -ENOMEM;
	if (!(flags & MREMAP_FIXED)) {
		if (new_len <= old_len) {
			err = vma_unmap_range(mm, old + new_len, old + old_len, dead);
			return err ? err : (long)old;
		}
		if (old + old_len == v->end && grow_in_place(mm, v, old + new_len))
			return old;
		if (!(flags & MREMAP_MAYMOVE))
			return -ENOMEM;
		new_addr = vma_find_gap(mm, 0, new_len);
		if (!new_addr)
			return -ENOMEM;
	} else {
		err = vma_unmap_range(mm, new_addr, new_addr + new_len, dead);
	}
	if (!err)
		err = vma_split_at(mm, old);
	if (!err)
		err = vma_split_at(mm, old + old_len);
	if (err)
		return err;
	return move_vma(mm, mm_find_vma(mm, old), new_addr, new_len, dead);
}

long mm_mremap(struct proc_mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	LIST_HEAD(dead);
	long ret;

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) || flags == MREMAP_FIXED)
		return -EINVAL;
	if (!new_len || !old_len || bad_range(old, old_len) || new_len > USER_END)
		return -EINVAL;
	old_len = page_up(old_len);
	new_len = page_up(new_len);
	if (flags & MREMAP_FIXED && (bad_range(new_addr, new_len) ||
				     (new_addr < old + old_len && old < new_addr + new_len)))
		return -EINVAL;
	if (flags & MREMAP_FIXED && new_addr < LOWEST_ADDR)
		return -EPERM;
	mutex_lock(&mm->lock);
	ret = remap_locked(mm, old, old_len, new_len, flags, new_addr, &dead);
	mutex_unlock(&mm->lock);
	vma_reap(&dead);
	return ret;
}

/* ---- madvise ---- */

static bool advice_known(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return true;
	}
	return false;
}

int mm_madvise(struct proc_mm *mm, u64 addr, u64 len, int advice)
{
	u64 end = addr + page_up(len);
	int err;

	if (!advice_known(advice) || bad_range(addr, len))
		return -EINVAL;
	if (!len)
		return 0;
	mutex_lock(&mm->lock);
	/* the next touch finds zeros, or the file again; MADV_FREE may as well keep the contents */
	if (advice == MADV_DONTNEED)
		vma_zap(mm, addr, end);
	err = all_mapped(mm, addr, end) ? 0 : -ENOMEM;
	mutex_unlock(&mm->lock);
	return err;
}
