/* SPDX-License-Identifier: MIT */
/* mmap.c - making and removing memory ranges: mmap, munmap, brk, and the areas that exec lays out.
 * The rules of who may map what are here; pages come later, by faults. Numbers and errors are
 * Linux's. */
#include <core/proc.h>
#include <core/vfs.h>
#include <weft/err.h>
#include <weft/string.h>
#include <uapi/mman.h>

#include "mm.h"

static u64 page_up(u64 n)
{
	return ALIGN_UP(n, PAGE_SIZE);
}

static u32 prot_to_vm(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* ---- mmap ---- */

static int check_file(const struct file *f, int prot, bool shared, u64 off, u64 len)
{
	u32 mode = f->flags & O_ACCMODE;

	if (!f->ops) /* O_PATH */
		return -EBADF;
	if (mode == O_WRONLY || (shared && prot & PROT_WRITE && mode != O_RDWR))
		return -EACCES;
	if (off + len < off)
		return -EOVERFLOW;
	if (!f->ops->mmap && !(f->inode && f->inode->ops && f->inode->ops->page))
		return -ENODEV;
	return 0;
}

static int check_limits(struct proc_mm *mm, u64 len, u32 flags, bool noreserve)
{
	u64 pages = len >> PAGE_SHIFT;

	if (pages > (mm->as_limit >> PAGE_SHIFT) - min(mm->total_pages, mm->as_limit >> PAGE_SHIFT))
		return -ENOMEM;
	/* the heuristic of overcommit_memory 0: only what can never fit is refused */
	if (flags & VM_WRITE && !(flags & VM_SHARED) && !noreserve && pages > page_total())
		return -ENOMEM;
	return 0;
}

/* An address for the range, with what MAP_FIXED replaces unmapped. */
static long choose_address(struct proc_mm *mm, u64 addr, u64 len, int flags, struct list_head *dead)
{
	int err;

	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		addr = vma_find_gap(mm, addr, len);
		return addr ? (long)addr : -ENOMEM;
	}
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len > USER_END || addr > USER_END - len)
		return -ENOMEM;
	if (addr < LOWEST_ADDR)
		return -EPERM; /* a NULL pointer in the kernel must find nothing there */
	if (flags & MAP_FIXED_NOREPLACE) {
		struct vma *v = vma_after(mm, addr);

		return v && v->start < addr + len ? -EEXIST : (long)addr;
	}
	err = vma_unmap_range(mm, addr, addr + len, dead);
	return err ? err : (long)addr;
}

static int attach_object(struct vma *v)
{
	if (v->file && v->file->ops->mmap)
		return v->file->ops->mmap(v->file, v);
	if (!v->file && v->flags & VM_SHARED)
		return shared_anon_attach(v);
	return 0;
}

static long map_locked(struct proc_mm *mm, u64 addr, u64 len, u32 vmflags, int flags,
		       struct file *f, u64 off, struct list_head *dead)
{
	struct vma *v;
	int err = check_limits(mm, len, vmflags, flags & MAP_NORESERVE);

	if (err)
		return err;
	/* first what may fail, then what takes the old contents away */
	v = vma_alloc(0, len, vmflags, f, off);
	if (!v)
		return -ENOMEM;
	err = attach_object(v);
	if (err) {
		v->ops = NULL;
		list_add_tail(&v->node, dead);
		return err;
	}
	addr = choose_address(mm, addr, len, flags, dead);
	if ((long)addr < 0 || mm->nr_vmas >= 65530) {
		list_add_tail(&v->node, dead);
		return (long)addr < 0 ? (long)addr : -ENOMEM;
	}
	v->start = addr;
	v->end = addr + len;
	vma_link(mm, v);
	vma_merge(mm, addr, addr + len);
	return addr;
}

/* MAP_POPULATE: as many as there are; failing to is no error. */
static void populate(struct proc_mm *mm, u64 start, u64 len, bool write)
{
	for (u64 va = start; va < start + len; va += PAGE_SIZE) {
		int err;

		mutex_lock(&mm->lock);
		err = mm_fault_locked(mm, va, write, false);
		mutex_unlock(&mm->lock);
		if (err)
			return;
	}
}

long mm_mmap(struct proc_mm *mm, u64 addr, u64 len, int prot, int flags, struct file *f, u64 off)
{
	int type = flags & MAP_TYPE;
	bool shared = type != MAP_PRIVATE;
	LIST_HEAD(dead);
	long ret;

	if (!len || off & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len > USER_END)
		return -ENOMEM;
	len = page_up(len);
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS) {
		f = NULL;
		off = 0;
	} else {
		int err = f ? check_file(f, prot, shared, off, len) : -EBADF;

		if (err)
			return err;
	}
	mutex_lock(&mm->lock);
	ret = map_locked(mm, addr, len, prot_to_vm(prot) | (shared ? VM_SHARED : 0), flags, f, off,
			 &dead);
	mutex_unlock(&mm->lock);
	vma_reap(&dead);
	if (ret > 0 && flags & MAP_POPULATE)
		populate(mm, ret, len, prot & PROT_WRITE);
	return ret;
}

int mm_munmap(struct proc_mm *mm, u64 addr, u64 len)
{
	LIST_HEAD(dead);
	int err;

	if (!len || addr & (PAGE_SIZE - 1) || len > USER_END || addr > USER_END - page_up(len))
		return -EINVAL;
	mutex_lock(&mm->lock);
	err = vma_unmap_range(mm, addr, addr + page_up(len), &dead);
	mutex_unlock(&mm->lock);
	vma_reap(&dead);
	return err;
}

/* ---- the heap ---- */

static int heap_grow(struct proc_mm *mm, u64 old_end, u64 new_end)
{
	struct vma *next = vma_after(mm, old_end), *v;
	u32 flags = VM_READ | VM_WRITE | VM_HEAP;
	int err = check_limits(mm, new_end - old_end, flags, false);

	if (err)
		return err;
	/* a page between the heap and what follows; more below a stack */
	if (new_end > USER_END - PAGE_SIZE || (next && new_end + PAGE_SIZE > next->start))
		return -ENOMEM;
	v = old_end ? mm_find_vma(mm, old_end - 1) : NULL;
	if (v && v->flags & VM_HEAP && v->end == old_end) {
		v->end = new_end;
		mm->total_pages += (new_end - old_end) >> PAGE_SHIFT;
		mm->seq++;
		return 0;
	}
	v = vma_alloc(old_end, new_end, flags, NULL, 0);
	if (!v)
		return -ENOMEM;
	vma_link(mm, v);
	return 0;
}

u64 mm_brk(struct proc_mm *mm, u64 brk)
{
	u64 old_end, new_end, ret;
	LIST_HEAD(dead);
	int err = 0;

	mutex_lock(&mm->lock);
	old_end = page_up(mm->brk);
	new_end = page_up(brk);
	if (brk < mm->brk_start || brk > USER_END || brk - mm->brk_start > mm->data_limit)
		err = -ENOMEM;
	else if (new_end > old_end)
		err = heap_grow(mm, old_end, new_end);
	else if (new_end < old_end)
		err = vma_unmap_range(mm, new_end, old_end, &dead);
	if (!err)
		mm->brk = brk;
	ret = mm->brk;
	mutex_unlock(&mm->lock);
	vma_reap(&dead);
	return ret;
}

/* ---- for exec ---- */

/* The page in which a segment's file part ends and its zeros begin: made at once. */
static int map_tail(struct proc_mm *mm, struct vma *v, struct file *f, u64 va, u64 off, u64 keep)
{
	struct page *from = f->inode->ops->page(f->inode, off >> PAGE_SHIFT, false), *p;
	int err;

	if (IS_ERR(from))
		return PTR_ERR(from) == -ENOMEM ? -ENOMEM : -EIO;
	p = page_alloc_user(true);
	if (p && from)
		memcpy(page_virt(p), page_virt(from), keep);
	if (from)
		page_put(from);
	if (!p)
		return -ENOMEM;
	p->flags |= PG_ANON;
	mutex_lock(&mm->lock);
	err = arch_map(mm->pgd, va, page_to_pa(p), vma_pte_flags(v, true));
	if (err) {
		page_put(p);
	} else {
		mm->rss_pages++;
		v->flags |= VM_PRIVATE_PAGES;
	}
	mutex_unlock(&mm->lock);
	return err;
}

static struct vma *place(struct proc_mm *mm, u64 start, u64 end, u32 flags, struct file *f, u64 off,
			 int *err)
{
	struct vma *v, *next;

	*err = -ENOMEM;
	v = vma_alloc(start, end, flags, f, off);
	if (!v)
		return NULL;
	mutex_lock(&mm->lock);
	*err = check_limits(mm, end - start, flags, false);
	next = vma_after(mm, start);
	if (!*err && next && next->start < end)
		*err = -EEXIST;
	if (!*err)
		vma_link(mm, v);
	mutex_unlock(&mm->lock);
	if (*err) {
		LIST_HEAD(dead);

		list_add_tail(&v->node, &dead);
		vma_reap(&dead);
		return NULL;
	}
	return v;
}

/* start and off may begin inside a page, at the same place of it. Behind filelen there are zeros; a
 * segment that is all file (len == filelen) shows the file's further bytes up to the end of the
 * page. */
int mm_map_area(struct proc_mm *mm, u64 start, u64 len, u32 vmflags, struct file *f, u64 off,
		u64 filelen)
{
	u64 in_page = start & (PAGE_SIZE - 1), end, file_end;
	struct vma *v;
	int err;

	if (!len || filelen > len || len > USER_END || start > USER_END - page_up(len + in_page))
		return -EINVAL;
	if (f && (in_page != (off & (PAGE_SIZE - 1)) || off + filelen < off))
		return -EINVAL;
	if (f && !(f->inode && f->inode->ops && f->inode->ops->page))
		return -ENODEV;
	start -= in_page;
	off -= in_page;
	end = page_up(start + in_page + len);
	file_end = f && filelen ? page_up(start + in_page + filelen) : start;
	if (file_end > start) {
		u64 keep = (in_page + filelen) & (PAGE_SIZE - 1);

		v = place(mm, start, file_end, vmflags, f, off, &err);
		if (!v)
			return err;
		if (len > filelen && keep) {
			u64 last = file_end - PAGE_SIZE;

			err = map_tail(mm, v, f, last, off + (last - start), keep);
			if (err)
				return err;
		}
	}
	if (end == file_end)
		return 0;
	v = place(mm, file_end, end, vmflags, NULL, 0, &err);
	return v ? 0 : err;
}
