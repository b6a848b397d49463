/* SPDX-License-Identifier: MIT */
/* vmalloc.c - kernel addresses that are not the direct map: virtually contiguous memory, device
 * registers, module images and kernel stacks. Two spaces, each a sorted list of areas, allocated
 * first fit; an area owns its pages and an unmapped guard page behind it (stacks: one below as
 * well). Freed stacks are kept, because mapping and unmapping costs a flush on every CPU. Locks:
 * space, stack cache; neither is held while something is mapped. */
#include <core/sched.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/work.h>

#include "mm.h"

#define STACKS_KEPT 16

enum area_kind { AREA_MEMORY, AREA_DEVICE, AREA_MODULE, AREA_STACK };

struct area {
	struct list_head node; /* guarded by the space's lock */
	u64 start, size;       /* addresses; the guard page behind is included */
	u64 base, bytes;       /* what is mapped */
	enum area_kind kind;
	struct list_head pages; /* struct page.node */
};

struct space {
	struct spinlock lock;
	u64 start, end;
	struct list_head areas; /* by address */
};

static struct space vmalloc_space = { SPINLOCK_INIT, VMALLOC_BASE, VMALLOC_END,
				      LIST_HEAD_INIT(vmalloc_space.areas) };
static struct space module_space = { SPINLOCK_INIT, MODULES_BASE, MODULES_END,
				     LIST_HEAD_INIT(module_space.areas) };
static struct kmem_cache *area_cache;
static struct atomic64 mapped_pages;

/* A free stack's list node lies at its top, which the next user overwrites. */
struct free_stack {
	struct free_stack *next;
};
static struct spinlock stacks_lock = SPINLOCK_INIT; /* interrupts off: any context frees */
static struct free_stack *free_stacks;		    /* guarded by stacks_lock, as is the next */
static u32 nr_free_stacks;
static struct work trim_work;

/* ---- addresses ---- */

static bool space_insert(struct space *s, struct area *a)
{
	u64 at = s->start;
	struct area *next;

	spin_lock(&s->lock);
	list_for_each_entry(next, &s->areas, node) {
		if (next->start - at >= a->size)
			break;
		at = next->start + next->size;
	}
	if (s->end - at < a->size) {
		spin_unlock(&s->lock);
		return false;
	}
	a->start = at;
	list_add_tail(&a->node, &next->node);
	spin_unlock(&s->lock);
	return true;
}

static void space_remove(struct space *s, struct area *a)
{
	spin_lock(&s->lock);
	list_del(&a->node);
	spin_unlock(&s->lock);
}

static struct space *space_of(u64 addr)
{
	return addr >= MODULES_BASE && addr < MODULES_END ? &module_space : &vmalloc_space;
}

static struct area *area_find(struct space *s, u64 addr)
{
	struct area *a, *found = NULL;

	spin_lock(&s->lock);
	list_for_each_entry(a, &s->areas, node) {
		if (addr < a->start)
			break;
		if (addr < a->start + a->size)
			found = a;
	}
	spin_unlock(&s->lock);
	return found;
}

static struct area *area_new(struct space *s, u64 bytes, u64 guard_below, enum area_kind kind)
{
	struct area *a;

	if (!bytes || bytes > s->end - s->start)
		return NULL;
	a = kmem_cache_alloc(area_cache);
	if (!a)
		return NULL;
	a->bytes = ALIGN_UP(bytes, PAGE_SIZE);
	a->size = guard_below + a->bytes + PAGE_SIZE;
	a->kind = kind;
	list_init(&a->pages);
	if (!space_insert(s, a)) {
		kmem_cache_free(area_cache, a);
		return NULL;
	}
	a->base = a->start + guard_below;
	return a;
}

/* The addresses are given up last: until the flush is over nobody may map something else there. */
static void area_free(struct space *s, struct area *a, u64 mapped)
{
	struct page *p, *tmp;

	if (mapped)
		arch_kunmap(a->base, mapped);
	list_for_each_entry_safe(p, tmp, &a->pages, node)
		page_put(p);
	if (a->kind != AREA_DEVICE)
		atomic64_add(&mapped_pages, -(s64)(mapped >> PAGE_SHIFT));
	space_remove(s, a);
	kmem_cache_free(area_cache, a);
}

/* ---- memory ---- */

static void *area_populate(struct space *s, struct area *a)
{
	u64 done = 0;

	if (!a)
		return NULL;
	for (; done < a->bytes; done += PAGE_SIZE) {
		struct page *p = page_block_alloc(0, false);

		if (!p)
			break;
		page_scrub(p, 0);
		list_add_tail(&p->node, &a->pages);
		if (arch_kmap(a->base + done, page_to_pa(p), PAGE_SIZE, PTE_WRITE))
			break;
	}
	atomic64_add(&mapped_pages, done >> PAGE_SHIFT);
	if (done < a->bytes) {
		area_free(s, a, done);
		return NULL;
	}
	return (void *)a->base;
}

void *vmalloc(size_t n)
{
	if (fail_alloc() || n >> PAGE_SHIFT > page_free_count())
		return NULL;
	return area_populate(&vmalloc_space, area_new(&vmalloc_space, n, 0, AREA_MEMORY));
}
EXPORT(vmalloc);

void *module_alloc(size_t n)
{
	if (n >> PAGE_SHIFT > page_free_count())
		return NULL;
	return area_populate(&module_space, area_new(&module_space, n, 0, AREA_MODULE));
}

void vfree(const void *p)
{
	struct space *s = space_of((u64)p);
	struct area *a;

	if (!p)
		return;
	a = area_find(s, (u64)p);
	BUG_ON(!a || a->base != (u64)p || a->kind == AREA_DEVICE || a->kind == AREA_STACK);
	area_free(s, a, a->bytes);
}
EXPORT(vfree);

/* ---- devices ---- */

void *ioremap(phys_addr_t pa, size_t n)
{
	u64 off = pa & (PAGE_SIZE - 1);
	struct area *a;

	if (!n || pa + n < pa || fail_alloc())
		return NULL;
	a = area_new(&vmalloc_space, n + off, 0, AREA_DEVICE);
	if (!a)
		return NULL;
	if (arch_kmap(a->base, pa - off, a->bytes, PTE_WRITE | PTE_UNCACHED)) {
		area_free(&vmalloc_space, a, 0);
		return NULL;
	}
	return (void *)(a->base + off);
}
EXPORT(ioremap);

void iounmap(void *p, size_t n)
{
	u64 va = ALIGN_DOWN((u64)p, PAGE_SIZE);
	struct area *a;

	if (!p)
		return;
	a = area_find(&vmalloc_space, va);
	BUG_ON(!a || a->base != va || a->kind != AREA_DEVICE);
	area_free(&vmalloc_space, a, a->bytes);
}
EXPORT(iounmap);

/* ---- kernel stacks ---- */

static void *stack_pop(u32 keep)
{
	struct free_stack *f = NULL;
	unsigned long flags = spin_lock_irqsave(&stacks_lock);

	if (nr_free_stacks > keep) {
		f = free_stacks;
		free_stacks = f->next;
		nr_free_stacks--;
	}
	spin_unlock_irqrestore(&stacks_lock, flags);
	return f ? (u8 *)(f + 1) - KSTACK_SIZE : NULL;
}

static void stacks_trim(struct work *w)
{
	void *stack;

	while ((stack = stack_pop(STACKS_KEPT))) {
		struct area *a = area_find(&vmalloc_space, (u64)stack);

		BUG_ON(!a || a->base != (u64)stack);
		area_free(&vmalloc_space, a, a->bytes);
	}
}

void *kstack_alloc(void)
{
	void *stack;

	if (fail_alloc())
		return NULL;
	stack = stack_pop(0);
	if (stack)
		return stack;
	return area_populate(&vmalloc_space,
			     area_new(&vmalloc_space, KSTACK_SIZE, PAGE_SIZE, AREA_STACK));
}

void kstack_free(void *stack)
{
	struct free_stack *f = (struct free_stack *)((u8 *)stack + KSTACK_SIZE) - 1;
	unsigned long flags;
	bool trim;

	if (!stack)
		return;
	flags = spin_lock_irqsave(&stacks_lock);
	f->next = free_stacks;
	free_stacks = f;
	trim = ++nr_free_stacks > 2 * STACKS_KEPT;
	spin_unlock_irqrestore(&stacks_lock, flags);
	if (trim)
		work_schedule(&trim_work);
}

/* ---- how much ---- */

u64 vmalloc_page_count(void)
{
	return atomic64_read(&mapped_pages);
}

void vmalloc_init(void)
{
	area_cache = kmem_cache_create("vmalloc_area", sizeof(struct area), 0);
	if (!area_cache)
		panic("no memory for the list of kernel areas");
	work_init(&trim_work, stacks_trim);
}
