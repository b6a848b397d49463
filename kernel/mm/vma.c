/* SPDX-License-Identifier: MIT */
/* vma.c - the sorted list of a process's memory ranges: look-up, split, merge, gaps, and taking
 * pages away. Everything here runs under mm->lock; a change of the list counts up mm->seq, by which
 * a fault that had to let the lock go sees that it must start again. Removed VMAs are only
 * collected: their files are put after the lock, since a release may sleep on anything. */
#include <weft/err.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "mm.h"

#define MAX_VMAS 65530 /* Linux's vm.max_map_count */
#define STACK_GAP (256 * PAGE_SIZE)
#define GATHER 64

static struct kmem_cache *vma_cache;

/* ---- one VMA ---- */

struct vma *vma_alloc(u64 start, u64 end, u32 flags, struct file *f, u64 pgoff)
{
	struct vma *v = kmem_cache_alloc(vma_cache);

	if (!v)
		return NULL;
	*v = (struct vma){ .start = start, .end = end, .flags = flags, .pgoff = pgoff };
	v->file = f ? file_get(f) : NULL;
	list_init(&v->node);
	return v;
}

/* The copy is on no list, and its ops->open has not been called: its borders may still change. */
struct vma *vma_dup(const struct vma *old)
{
	struct vma *v = vma_alloc(old->start, old->end, old->flags, old->file, old->pgoff);

	if (v) {
		v->ops = old->ops;
		v->priv = old->priv;
	}
	return v;
}

void vma_reap(struct list_head *dead)
{
	struct vma *v, *tmp;

	list_for_each_entry_safe(v, tmp, dead, node) {
		if (v->ops && v->ops->close)
			v->ops->close(v);
		if (v->file)
			file_put(v->file);
		kmem_cache_free(vma_cache, v);
	}
	list_init(dead);
}

bool vma_is_shared_file(const struct vma *v)
{
	return v->flags & VM_SHARED && v->file;
}

/* ---- look-up ---- */

struct vma *vma_after(struct proc_mm *mm, u64 addr)
{
	struct vma *v = mm->cache;

	if (v && v->start <= addr) {
		if (addr < v->end)
			return v;
	} else {
		v = list_first_entry_or_null(&mm->vmas, struct vma, node);
	}
	for (; v; v = v->node.next == &mm->vmas ? NULL : list_next_entry(v, node)) {
		if (addr < v->end) {
			mm->cache = v;
			return v;
		}
	}
	return NULL;
}

struct vma *mm_find_vma(struct proc_mm *mm, u64 addr)
{
	struct vma *v = vma_after(mm, addr);

	return v && v->start <= addr ? v : NULL;
}

static u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

static bool gap_known(const struct proc_mm *mm)
{
	return mm->gap_vma && mm->gap_seq == mm->seq;
}

/* v came in, which makes no gap larger: what is known stays so. */
static void gap_fill(struct proc_mm *mm, struct vma *v)
{
	mm->gap_seq = mm->seq;
	if (v->start < mm->gap_vma->end || v->start >= mm->gap_end)
		return;
	if (v->end > mm->gap_end)
		mm->gap_vma = NULL; /* into the room below a stack: look again */
	else if (v->end == mm->gap_end && !(v->flags & VM_STACK))
		mm->gap_end = v->start;
	else
		mm->gap_vma = v;
}

void vma_link(struct proc_mm *mm, struct vma *v)
{
	struct vma *next = vma_after(mm, v->start);
	bool known = gap_known(mm);

	list_add_tail(&v->node, next ? &next->node : &mm->vmas);
	mm->nr_vmas++;
	mm->total_pages += vma_pages(v);
	mm->seq++;
	mm->cache = v;
	if (known)
		gap_fill(mm, v);
}

static void vma_unlink(struct proc_mm *mm, struct vma *v)
{
	list_del(&v->node);
	mm->nr_vmas--;
	mm->total_pages -= vma_pages(v);
	mm->seq++;
	mm->cache = NULL;
}

/* ---- split and merge ---- */

int vma_split_at(struct proc_mm *mm, u64 addr)
{
	struct vma *v = mm_find_vma(mm, addr), *upper;

	if (!v || v->start == addr)
		return 0;
	if (mm->nr_vmas >= MAX_VMAS)
		return -ENOMEM;
	upper = vma_dup(v);
	if (!upper)
		return -ENOMEM;
	upper->start = addr;
	upper->pgoff += addr - v->start;
	v->end = addr;
	list_add(&upper->node, &v->node);
	mm->nr_vmas++;
	mm->seq++;
	if (upper->ops && upper->ops->open)
		upper->ops->open(upper);
	return 0;
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || (a->flags ^ b->flags) & ~VM_PRIVATE_PAGES)
		return false;
	if (a->file != b->file || a->ops || b->ops || a->flags & VM_IO)
		return false;
	return !a->file || a->pgoff + (a->end - a->start) == b->pgoff;
}

/* Joins what now belongs together between start and end, their outer neighbours included. */
void vma_merge(struct proc_mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_after(mm, start ? start - 1 : 0);

	while (v && v->node.next != &mm->vmas && v->end <= end) {
		struct vma *next = list_next_entry(v, node);

		if (!mergeable(v, next)) {
			v = next;
			continue;
		}
		v->end = next->end;
		v->flags |= next->flags;
		list_del(&next->node);
		mm->nr_vmas--;
		mm->seq++;
		mm->cache = v;
		if (next->file)
			file_put(next->file); /* v has one too: not the last */
		kmem_cache_free(vma_cache, next);
	}
}

/* ---- gaps ---- */

static bool range_free(struct proc_mm *mm, u64 start, u64 len)
{
	struct vma *v = vma_after(mm, start);

	return !v || v->start >= start + len;
}

static void gap_found(struct proc_mm *mm, struct vma *v, u64 top, u64 gap_end, u64 len)
{
	if (!gap_known(mm) || mm->gap_vma != v || mm->gap_top != top || mm->gap_end != gap_end)
		mm->gap_len = len;
	mm->gap_len = min(mm->gap_len, len);
	mm->gap_vma = v;
	mm->gap_top = top;
	mm->gap_end = gap_end;
	mm->gap_seq = mm->seq;
}

/* The highest one; what an earlier search has passed over is not looked at again. */
static u64 gap_below(struct proc_mm *mm, u64 top, u64 len)
{
	struct list_head *n = mm->vmas.prev;
	u64 gap_end = top;

	if (gap_known(mm) && mm->gap_top == top && len >= mm->gap_len) {
		n = &mm->gap_vma->node;
		gap_end = mm->gap_end;
	}
	for (; n != &mm->vmas; n = n->prev) {
		struct vma *v = list_entry(n, struct vma, node);
		u64 room = v->flags & VM_STACK ? min(v->start, STACK_GAP) : 0;

		if (v->end <= gap_end && gap_end - v->end >= len) {
			gap_found(mm, v, top, gap_end, len);
			return gap_end - len;
		}
		gap_end = min(gap_end, v->start - room);
	}
	return gap_end >= LOWEST_ADDR && gap_end - LOWEST_ADDR >= len ? gap_end - len : 0;
}

u64 vma_find_gap(struct proc_mm *mm, u64 hint, u64 len)
{
	u64 at;

	if (!len || len > USER_END)
		return 0;
	hint = ALIGN_DOWN(hint, PAGE_SIZE);
	if (hint >= LOWEST_ADDR && hint <= USER_END - len && range_free(mm, hint, len))
		return hint;
	at = gap_below(mm, mm->mmap_base, len);
	return at ? at : gap_below(mm, USER_END, len);
}

/* ---- taking pages away ---- */

struct gather {
	struct proc_mm *mm;
	u64 start, end;
	bool stale; /* entries were cleared since the last flush */
	u32 n;
	struct page *pages[GATHER];
};

/* No CPU may reach the pages any more when they are freed. */
static void gather_flush(struct gather *g)
{
	if (g->stale)
		arch_tlb_shootdown(g->mm, g->start, g->end);
	g->stale = false;
	for (u32 i = 0; i < g->n; i++)
		page_put(g->pages[i]);
	g->n = 0;
}

static bool gather_page(void *arg, u64 va, phys_addr_t *pa, u32 *flags)
{
	struct gather *g = arg;
	struct page *p = pa_to_page(*pa);

	/* the entries before this one are cleared by now */
	if (g->n == GATHER) {
		g->end = va;
		gather_flush(g);
		g->start = va;
	}
	if (p && p != zero_page) {
		g->pages[g->n++] = p;
		g->mm->rss_pages--;
	}
	g->stale = true;
	*pa = 0;
	return true;
}

void vma_zap(struct proc_mm *mm, u64 start, u64 end)
{
	struct gather g;

	g.mm = mm;
	g.start = start;
	g.stale = false;
	g.n = 0;
	arch_walk(mm->pgd, start, end, gather_page, &g);
	g.end = end;
	gather_flush(&g);
}

int vma_unmap_range(struct proc_mm *mm, u64 start, u64 end, struct list_head *dead)
{
	struct vma *v = vma_after(mm, start);
	int err;

	if (!v || v->start >= end)
		return 0;
	err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (err) {
		vma_merge(mm, start, end);
		return err;
	}
	while ((v = vma_after(mm, start)) && v->start < end) {
		vma_zap(mm, v->start, v->end);
		vma_unlink(mm, v);
		list_add_tail(&v->node, dead);
	}
	return 0;
}

void vma_init(void)
{
	vma_cache = kmem_cache_create("vma", sizeof(struct vma), 0);
	if (!vma_cache)
		panic("no memory for the cache of memory ranges");
}
