/* SPDX-License-Identifier: MIT */
/* fork.c - the life of an address space: made empty, copied on fork, switched to, and taken down
 * with the last reference. A fork write-protects what both sides may write and shares it until one
 * does; what a fault would bring back as it is (shared ranges, files without private pages) is not
 * copied. Which CPU has which tables loaded, lazily or not, is the architecture's knowledge:
 * arch_pgd_free sees to it. */
#include <core/sched.h>
#include <weft/err.h>
#include <weft/string.h>

#include "mm.h"

#define STACK_DEFAULT (8ull << 20)
#define MMAP_BASE_DEFAULT (USER_END - (128ull << 20))

struct proc_mm *mm_new(void)
{
	struct proc_mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	mm->pgd = arch_pgd_alloc();
	if (!mm->pgd) {
		kfree(mm);
		return NULL;
	}
	refcount_set(&mm->refs, 1);
	mutex_init(&mm->lock);
	list_init(&mm->vmas);
	mm->mmap_base = MMAP_BASE_DEFAULT;
	mm->as_limit = mm->data_limit = ~0ull;
	mm->stack_limit = STACK_DEFAULT;
	return mm;
}

void mm_get(struct proc_mm *mm)
{
	refcount_inc(&mm->refs);
}

static bool drop_page(void *arg, u64 va, phys_addr_t *pa, u32 *flags)
{
	struct page *p = pa_to_page(*pa);

	if (p && p != zero_page)
		page_put(p);
	*pa = 0;
	return true;
}

/* Nobody runs in it any more. A CPU that has its tables loaded is in the kernel and follows no user
 * address, so pages can go without a flush; the tables go after every CPU has left them. */
void mm_put(struct proc_mm *mm)
{
	struct vma *v;

	if (!mm || !refcount_dec_and_test(&mm->refs))
		return;
	list_for_each_entry(v, &mm->vmas, node)
		arch_walk(mm->pgd, v->start, v->end, drop_page, NULL);
	arch_pgd_free(mm->pgd);
	vma_reap(&mm->vmas);
	if (mm->exe)
		file_put(mm->exe);
	kfree(mm);
}

/* Called by the scheduler. A kernel thread (next NULL) keeps what is loaded. */
void mm_switch(struct proc_mm *prev, struct proc_mm *next)
{
	if (next)
		arch_switch_mm(next->pgd);
}

/* ---- fork ---- */

struct copy {
	struct proc_mm *to;
	int err;
};

static bool copy_page(void *arg, u64 va, phys_addr_t *pa, u32 *flags)
{
	struct copy *c = arg;
	struct page *p = pa_to_page(*pa);
	u32 f = *flags;

	if (c->err || !p || p == zero_page)
		return false;
	if (f & PTE_WRITE)
		f = (f & ~PTE_WRITE) | PTE_COW;
	c->err = arch_map(c->to->pgd, va, *pa, f);
	if (c->err)
		return false;
	page_get(p);
	c->to->rss_pages++;
	if (f == *flags)
		return false;
	*flags = f;
	return true;
}

static bool needs_copy(const struct vma *v)
{
	if (v->flags & (VM_SHARED | VM_IO))
		return false;
	return (!v->file && !v->ops) || v->flags & VM_PRIVATE_PAGES;
}

static int copy_vmas(struct proc_mm *to, struct proc_mm *from)
{
	struct copy c = { to, 0 };
	struct vma *v;

	list_for_each_entry(v, &from->vmas, node) {
		struct vma *n = vma_dup(v);

		if (!n)
			return -ENOMEM;
		if (n->ops && n->ops->open)
			n->ops->open(n);
		list_add_tail(&n->node, &to->vmas);
		to->nr_vmas++;
		to->total_pages += (n->end - n->start) >> PAGE_SHIFT;
		if (needs_copy(v))
			arch_walk(from->pgd, v->start, v->end, copy_page, &c);
		if (c.err)
			return c.err;
	}
	return 0;
}

static void copy_layout(struct proc_mm *to, const struct proc_mm *from)
{
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->stack_top = from->stack_top;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->mmap_base = from->mmap_base;
	to->as_limit = from->as_limit;
	to->data_limit = from->data_limit;
	to->stack_limit = from->stack_limit;
	to->exe = from->exe ? file_get(from->exe) : NULL;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->auxv_len = from->auxv_len;
}

struct proc_mm *mm_fork(struct proc_mm *old)
{
	struct proc_mm *mm = mm_new();
	int err;

	if (!mm)
		return NULL;
	mutex_lock(&old->lock);
	copy_layout(mm, old);
	err = copy_vmas(mm, old);
	/* also after a failure: the pages copied so far are write-protected here */
	arch_tlb_shootdown(old, 0, USER_END);
	mutex_unlock(&old->lock);
	if (err) {
		mm_put(mm);
		return NULL;
	}
	return mm;
}
