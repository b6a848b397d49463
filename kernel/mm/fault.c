/* SPDX-License-Identifier: MIT */
/* fault.c - page faults: zero pages on read, pages of one's own on write, file pages in groups of
 * neighbours because a fault costs more than mapping sixteen, copies of shared ones on write,
 * stacks that grow. The pages of a file are asked for without mm->lock, so that a file system may
 * fault on a user's buffer while it holds its own locks; mm->seq then tells whether the range is
 * still what it was. */
#include <core/proc.h>
#include <core/vfs.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/string.h>

#include <uapi/signal.h>

#include "mm.h"

#define AROUND 16 /* pages of a file mapped by one fault, at most */
#define STACK_GAP (256 * PAGE_SIZE)
#define OOM_TRIES 400
#define OOM_WAIT_NS (5 * NSEC_PER_MSEC)

struct page *zero_page;

u32 vma_pte_flags(const struct vma *v, bool write)
{
	u32 f = PTE_USER;

	if (!(v->flags & (VM_READ | VM_WRITE | VM_EXEC)))
		f |= PTE_NONE;
	if (v->flags & VM_EXEC)
		f |= PTE_EXEC;
	if (v->flags & VM_SHARED)
		f |= PTE_SHARED;
	if (write && v->flags & VM_WRITE)
		f |= PTE_WRITE;
	else if (!(v->flags & VM_SHARED))
		f |= PTE_COW;
	return f;
}

/* Takes over the caller's reference of p, also on failure. */
static int map_page(struct proc_mm *mm, const struct vma *v, u64 va, struct page *p, bool write)
{
	int err = arch_map(mm->pgd, va, page_to_pa(p), vma_pte_flags(v, write));

	if (err)
		page_put(p);
	else
		mm->rss_pages++;
	return err;
}

static int map_zero(struct proc_mm *mm, const struct vma *v, u64 va)
{
	return arch_map(mm->pgd, va, page_to_pa(zero_page), vma_pte_flags(v, false));
}

/* A page of the address space's own with the contents of from (NULL: zeros). */
static struct page *private_page(struct vma *v, const void *from)
{
	struct page *p = page_alloc_user(!from);

	if (!p)
		return NULL;
	if (from)
		memcpy(page_virt(p), from, PAGE_SIZE);
	p->flags |= PG_ANON;
	v->flags |= VM_PRIVATE_PAGES;
	return p;
}

static int map_private(struct proc_mm *mm, struct vma *v, u64 va, const void *from)
{
	struct page *p = private_page(v, from);

	return p ? map_page(mm, v, va, p, true) : -ENOMEM;
}

/* ---- a page that is there, but not for this access ---- */

static int copy_on_write(struct proc_mm *mm, struct vma *v, u64 va, phys_addr_t pa)
{
	struct page *old = pa_to_page(pa), *p;
	int err;

	if (!old)
		return -EFAULT;
	if (old->flags & PG_ANON && refcount_read(&old->refs) == 1) {
		/* the others that shared it are gone */
		err = arch_map(mm->pgd, va, pa, vma_pte_flags(v, true));
		arch_flush_local(va, va + PAGE_SIZE);
		return err;
	}
	p = private_page(v, old == zero_page ? NULL : page_virt(old));
	if (!p)
		return -ENOMEM;
	err = arch_map(mm->pgd, va, page_to_pa(p), vma_pte_flags(v, true));
	if (err) {
		page_put(p);
		return err;
	}
	/* threads on other CPUs must not go on reading the old one */
	arch_tlb_shootdown(mm, va, va + PAGE_SIZE);
	if (old == zero_page)
		mm->rss_pages++;
	else
		page_put(old);
	return 0;
}

/* True when that settled it; false: treat the page as absent. */
static bool fault_present(struct proc_mm *mm, struct vma *v, u64 va, bool write, int *err)
{
	u32 flags;
	phys_addr_t pa = arch_lookup(mm->pgd, va, &flags);

	*err = 0;
	if (!pa)
		return false;
	if (write && !(flags & PTE_WRITE)) {
		if (!(v->flags & VM_SHARED)) {
			*err = copy_on_write(mm, v, va, pa);
			return true;
		}
		/* its owner wants to know of writes */
		vma_zap(mm, va, va + PAGE_SIZE);
		return false;
	}
	/* another thread was faster, or this CPU remembers an entry from before */
	arch_flush_local(va, va + PAGE_SIZE);
	return true;
}

/* ---- a page that is not there ---- */

static int fault_ops(struct proc_mm *mm, struct vma *v, u64 va, bool write)
{
	bool shared = v->flags & VM_SHARED;
	struct page *p = v->ops->fault(v, v->pgoff + (va - v->start), write && shared);
	int err;

	if (IS_ERR(p))
		return PTR_ERR(p) == -ENOMEM ? -ENOMEM : -EIO;
	if (shared || !write)
		return map_page(mm, v, va, p, shared && write);
	err = map_private(mm, v, va, page_virt(p));
	page_put(p);
	return err;
}

/* What a fault on a file has to carry through the time without the lock. */
struct file_fault {
	struct file *file;
	u64 start, va; /* first page of the group; the faulting one */
	u64 index;     /* of start in the file */
	u32 n, seq;
	u32 wanted; /* bit i < n: page i of the group is not mapped */
	bool shared;
	struct page *page[AROUND]; /* NULL: a hole, or not wanted */
};

static void file_fault_plan(struct proc_mm *mm, struct vma *v, u64 va, bool write,
			    struct file_fault *ff)
{
	u64 group = AROUND * PAGE_SIZE, start = va, end = va + PAGE_SIZE;
	u32 mapped;

	/* a private copy is made of one page; its neighbours may never be written */
	if (!write || v->flags & VM_SHARED) {
		start = max(v->start, ALIGN_DOWN(va, group));
		end = min(v->end, ALIGN_DOWN(va, group) + group);
	}
	*ff = (struct file_fault){
		.file = file_get(v->file),
		.start = start,
		.va = va,
		.index = (v->pgoff + (start - v->start)) >> PAGE_SHIFT,
		.n = (end - start) >> PAGE_SHIFT,
		.seq = mm->seq,
		.shared = v->flags & VM_SHARED,
	};
	mapped = arch_mapped(mm->pgd, start, ff->n);
	ff->wanted = ~mapped | BIT((va - start) >> PAGE_SHIFT);
}

static int file_fault_fetch(struct file_fault *ff)
{
	struct inode *ino = ff->file->inode;
	int err = 0;

	for (u32 i = 0; i < ff->n; i++) {
		bool target = ff->start + i * PAGE_SIZE == ff->va;
		struct page *p;

		if (!(ff->wanted & BIT(i)))
			continue;
		p = ino->ops->page(ino, ff->index + i, target && ff->shared);
		if (!IS_ERR(p))
			ff->page[i] = p;
		else if (target)
			err = PTR_ERR(p) == -ENOMEM ? -ENOMEM : -EIO;
	}
	return err;
}

static void file_fault_drop(struct file_fault *ff)
{
	for (u32 i = 0; i < ff->n; i++) {
		if (ff->page[i])
			page_put(ff->page[i]);
		ff->page[i] = NULL;
	}
}

/* They are only a favour: what does not work is left. */
static void file_fault_map_neighbours(struct proc_mm *mm, struct vma *v, struct file_fault *ff)
{
	phys_addr_t pa[AROUND];
	u32 mapped;

	for (u32 i = 0; i < ff->n; i++)
		pa[i] = ff->page[i] ? page_to_pa(ff->page[i]) : 0;
	mapped = arch_map_missing(mm->pgd, ff->start, ff->n, pa, vma_pte_flags(v, ff->shared));
	for (u32 i = 0; i < ff->n; i++) {
		if (!(mapped & BIT(i)))
			continue;
		ff->page[i] = NULL;
		mm->rss_pages++;
	}
}

static int file_fault_map(struct proc_mm *mm, struct vma *v, bool write, struct file_fault *ff)
{
	u32 target = (ff->va - ff->start) >> PAGE_SHIFT;
	struct page *p = ff->page[target];
	int err;

	if (arch_lookup(mm->pgd, ff->va, NULL))
		return 0; /* another thread was faster */
	if (write && !ff->shared) {
		err = map_private(mm, v, ff->va, p ? page_virt(p) : NULL);
	} else if (!p) {
		err = map_zero(mm, v, ff->va);
	} else {
		ff->page[target] = NULL;
		err = map_page(mm, v, ff->va, p, ff->shared);
	}
	if (!err && ff->n > 1)
		file_fault_map_neighbours(mm, v, ff);
	return err;
}

/* -EAGAIN: the range may have changed, look again. */
static int fault_file(struct proc_mm *mm, struct vma *v, u64 va, bool write)
{
	struct file_fault ff;
	int err;

	file_fault_plan(mm, v, va, write, &ff);
	mutex_unlock(&mm->lock);
	err = file_fault_fetch(&ff);
	mutex_lock(&mm->lock);
	if (ff.seq != mm->seq) {
		/* the reference may have become the last one */
		mutex_unlock(&mm->lock);
		file_fault_drop(&ff);
		file_put(ff.file);
		mutex_lock(&mm->lock);
		return -EAGAIN;
	}
	if (!err)
		err = file_fault_map(mm, v, write, &ff);
	file_fault_drop(&ff);
	file_put(ff.file);
	return err;
}

static struct vma *grow_stack(struct proc_mm *mm, u64 va)
{
	struct vma *v = vma_after(mm, va), *prev;
	u64 more;

	if (!v || !(v->flags & VM_STACK) || v->end - va > mm->stack_limit || va < LOWEST_ADDR)
		return NULL;
	more = v->start - va;
	if ((mm->total_pages << PAGE_SHIFT) + more > mm->as_limit)
		return NULL;
	prev = v->node.prev == &mm->vmas ? NULL : list_entry(v->node.prev, struct vma, node);
	if (prev && va < prev->end + STACK_GAP)
		return NULL;
	v->start = va;
	mm->total_pages += more >> PAGE_SHIFT;
	mm->seq++;
	return v;
}

int mm_fault_locked(struct proc_mm *mm, u64 addr, bool write, bool exec)
{
	u64 va = ALIGN_DOWN(addr, PAGE_SIZE);
	int err;

	do {
		struct vma *v = mm_find_vma(mm, va);
		u32 need = write ? VM_WRITE : exec ? VM_EXEC : VM_READ | VM_WRITE | VM_EXEC;

		if (!v)
			v = grow_stack(mm, va);
		if (!v || !(v->flags & need))
			return -EFAULT;
		if (fault_present(mm, v, va, write, &err))
			return err;
		if (v->ops)
			err = fault_ops(mm, v, va, write);
		else if (v->file)
			err = fault_file(mm, v, va, write);
		else
			err = write ? map_private(mm, v, va, NULL) : map_zero(mm, v, va);
	} while (err == -EAGAIN);
	return err;
}

/* ---- from the trap ---- */

static bool being_killed(const struct thread *t)
{
	u64 kill = SIG_BIT(SIGKILL);

	return (READ_ONCE(t->sigpending) | READ_ONCE(t->proc->sigpending)) & kill;
}

/* Memory ran out in a fault: whether to try again. A program that only waits is not to suffer for
 * those who take what comes free before it does: while there is somebody to kill, time does not
 * count. */
static bool wait_for_memory(struct thread *t, u32 *tries)
{
	bool there = mem_available(), hope;

	if ((*tries)++ >= OOM_TRIES)
		return false;
	/* failed on purpose, or somebody has freed some */
	if (there && *tries < OOM_TRIES / 2)
		return true;
	hope = oom_kill();
	if (being_killed(t))
		return false;
	if (hope && !there)
		*tries = 0;
	sleep_ns(OOM_WAIT_NS);
	return true;
}

bool vm_fault(u64 addr, bool write, bool exec, bool user)
{
	struct thread *t = current();
	struct proc_mm *mm;
	u32 tries = 0;
	int err;

	if (addr >= USER_END || !t || !t->proc || in_atomic())
		return false;
	mm = t->proc->mm;
	if (!mm || mutex_is_mine(&mm->lock))
		return false;
	do {
		mutex_lock(&mm->lock);
		err = mm_fault_locked(mm, addr, write, exec);
		mutex_unlock(&mm->lock);
	} while (err == -ENOMEM && wait_for_memory(t, &tries));
	if (!err)
		return true;
	if (user && err == -EIO) {
		user_trap_signal(arch_user_frame(t), SIGBUS, BUS_ADRERR, addr);
		return true;
	}
	if (user && err == -EFAULT) {
		struct vma *v;

		mutex_lock(&mm->lock);
		v = mm_find_vma(mm, ALIGN_DOWN(addr, PAGE_SIZE));
		mutex_unlock(&mm->lock);
		user_trap_signal(arch_user_frame(t), SIGSEGV, v ? SEGV_ACCERR : SEGV_MAPERR, addr);
		return true;
	}
	/* the signal is taken before the instruction is tried again */
	return user && err == -ENOMEM && being_killed(t);
}

void fault_init(void)
{
	zero_page = page_block_alloc(0, false);
	if (!zero_page)
		panic("no memory for the page of zeros");
	memset(page_virt(zero_page), 0, PAGE_SIZE);
}
