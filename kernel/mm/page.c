/* SPDX-License-Identifier: MIT */
/* page.c - physical pages: a buddy allocator of two zones (below and above 4 GiB) with single pages
 * cached per CPU. Boot touches next to nothing: whole 4 MiB blocks stay "virgin" until they are
 * first needed, and a struct page is written when its block is first split or handed out. So that a
 * merge never reads an unwritten one, the frames just outside of each range that could be asked for
 * as a buddy are marked reserved at boot. Locks: a CPU's page list > zone. */
#include <core/proc.h>
#include <core/sched.h>
#include <weft/module.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "mm.h"

#define NR_ZONES 2
#define DMA_FRAMES (1ull << (32 - PAGE_SHIFT))
#define BLOCK_FRAMES (1ull << MAX_ORDER)
#define MAX_RANGES 64
#define CPU_BATCH 16
#define CPU_HIGH 64

struct frame_range {
	u64 start, end;
};

struct zone {
	struct spinlock lock;
	/* guarded by lock */
	struct list_head free[MAX_ORDER + 1];
	u64 free_pages;			       /* virgin blocks included */
	struct frame_range virgin[MAX_RANGES]; /* whole blocks never handed out */
	u32 nr_virgin;
};

struct cpu_pages {
	struct spinlock lock; /* other CPUs come only when memory is out */
	/* guarded by lock */
	struct list_head free;
	u32 count;
	s64 user_pages, file_pages; /* this CPU's share of the sums */
	u64 random;
} __cacheline_aligned;

struct page *page_array;
u32 fail_alloc_every;
static struct zone zones[NR_ZONES];
static struct cpu_pages cpu_pages[MAX_CPUS];
/* fixed after page_init */
static struct frame_range ram[MAX_RANGES + 2]; /* all that has a struct page */
static u32 nr_ram;
static u64 first_frame, end_frame, total_pages, user_reserve;
static void (*shrinkers[4])(void); /* set at boot */

/* ---- frames ---- */

static u64 page_frame(const struct page *p)
{
	return p - page_array;
}

phys_addr_t page_to_pa(const struct page *p)
{
	return page_frame(p) << PAGE_SHIFT;
}

struct page *pa_to_page(phys_addr_t pa)
{
	u64 frame = pa >> PAGE_SHIFT;

	for (u32 i = 0; i < nr_ram; i++) {
		if (frame >= ram[i].start && frame < ram[i].end)
			return page_array + frame;
	}
	return NULL;
}
EXPORT(pa_to_page);
EXPORT(page_to_pa);

/* ---- the buddy system of a zone, its lock held ---- */

static void block_insert(struct zone *z, struct page *p, u32 order)
{
	refcount_set(&p->refs, 0);
	p->flags = PG_BUDDY;
	p->order = order;
	p->zone = z - zones;
	list_add(&p->node, &z->free[order]);
}

static struct page *virgin_take(struct zone *z)
{
	struct frame_range *v;
	u64 frame;

	if (!z->nr_virgin)
		return NULL;
	v = &z->virgin[z->nr_virgin - 1];
	frame = v->start;
	v->start += BLOCK_FRAMES;
	if (v->start == v->end)
		z->nr_virgin--;
	return page_array + frame;
}

static struct page *block_take(struct zone *z, u32 order)
{
	struct page *p;
	u32 o = order;

	while (o <= MAX_ORDER && list_empty(&z->free[o]))
		o++;
	if (o <= MAX_ORDER) {
		p = list_first_entry(&z->free[o], struct page, node);
		list_del(&p->node);
	} else {
		o = MAX_ORDER;
		p = virgin_take(z);
		if (!p)
			return NULL;
	}
	while (o > order) {
		o--;
		block_insert(z, p + (1ul << o), o);
	}
	z->free_pages -= 1ul << order;
	refcount_set(&p->refs, 1);
	p->flags = 0;
	p->order = order;
	p->zone = z - zones;
	return p;
}

static void block_give(struct zone *z, struct page *p, u32 order)
{
	u64 frame = page_frame(p);

	z->free_pages += 1ul << order;
	p->flags = 0;
	for (; order < MAX_ORDER; order++) {
		u64 other = frame ^ (1ull << order);
		struct page *buddy = page_array + other;

		if (other < first_frame || other >= end_frame || buddy->flags != PG_BUDDY ||
		    buddy->order != order || buddy->zone != z - zones)
			break;
		list_del(&buddy->node);
		buddy->flags = 0;
		frame &= ~(1ull << order);
	}
	block_insert(z, page_array + frame, order);
}

/* ---- single pages through the CPU's list ---- */

static u32 refill(struct cpu_pages *c)
{
	for (u32 z = NR_ZONES; z-- > 0 && !c->count;) {
		struct page *p;

		spin_lock(&zones[z].lock);
		while (c->count < CPU_BATCH && (p = block_take(&zones[z], 0))) {
			list_add_tail(&p->node, &c->free);
			c->count++;
		}
		spin_unlock(&zones[z].lock);
	}
	return c->count;
}

static void drain(struct cpu_pages *c, u32 keep)
{
	while (c->count > keep) {
		/* the oldest: the newest is likeliest in a cache */
		struct page *p = list_last_entry(&c->free, struct page, node);
		struct zone *z = &zones[p->zone];

		list_del(&p->node);
		c->count--;
		spin_lock(&z->lock);
		block_give(z, p, 0);
		spin_unlock(&z->lock);
	}
}

static struct cpu_pages *cpu_pages_lock(void)
{
	struct cpu_pages *c;

	preempt_disable();
	c = &cpu_pages[cpu_id()];
	spin_lock(&c->lock);
	return c;
}

static void cpu_pages_unlock(struct cpu_pages *c)
{
	spin_unlock(&c->lock);
	preempt_enable();
}

static struct page *single_alloc(void)
{
	struct cpu_pages *c = cpu_pages_lock();
	struct page *p = NULL;

	if (c->count || refill(c)) {
		p = list_first_entry(&c->free, struct page, node);
		list_del_rcu(&p->node);
		c->count--;
		refcount_set(&p->refs, 1);
	}
	cpu_pages_unlock(c);
	return p;
}

static struct page *block_alloc(u32 order, bool below)
{
	struct page *p = NULL;

	for (u32 z = below ? 1 : NR_ZONES; z-- > 0 && !p;) {
		spin_lock(&zones[z].lock);
		p = block_take(&zones[z], order);
		spin_unlock(&zones[z].lock);
	}
	return p;
}

static void drain_all(void)
{
	for (u32 i = 0; i < MAX_CPUS; i++) {
		spin_lock(&cpu_pages[i].lock);
		drain(&cpu_pages[i], 0);
		spin_unlock(&cpu_pages[i].lock);
	}
}

void shrinker_add(void (*shrink)(void))
{
	u32 i = 0;

	while (i < ARRAY_SIZE(shrinkers) && shrinkers[i])
		i++;
	BUG_ON(i == ARRAY_SIZE(shrinkers));
	shrinkers[i] = shrink;
}

/* What others keep for the next time, then empty slabs. */
static void shrink_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(shrinkers) && shrinkers[i]; i++)
		shrinkers[i]();
	slab_shrink();
}

struct page *page_block_alloc(u32 order, bool below)
{
	struct page *p;

	if (order > MAX_ORDER)
		return NULL;
	p = order || below ? block_alloc(order, below) : single_alloc();
	if (likely(p))
		return p;
	shrink_all();
	drain_all();
	return block_alloc(order, below);
}

static void block_free(struct page *p, u32 order)
{
	struct zone *z = &zones[p->zone];

	if (!order) {
		struct cpu_pages *c = cpu_pages_lock();

		if (p->flags & PG_USER)
			c->user_pages--;
		p->flags = 0;
		list_add(&p->node, &c->free);
		if (++c->count > CPU_HIGH)
			drain(c, CPU_HIGH - CPU_BATCH);
		cpu_pages_unlock(c);
		return;
	}
	spin_lock(&z->lock);
	block_give(z, p, order);
	spin_unlock(&z->lock);
}

void page_scrub(struct page *p, u32 order)
{
	memset(page_virt(p), 0, PAGE_SIZE << order);
}

/* ---- for everybody ---- */

void *pages_alloc(u32 order)
{
	struct page *p = fail_alloc() ? NULL : page_block_alloc(order, false);

	return p ? page_virt(p) : NULL;
}
EXPORT(pages_alloc);

/* Who still has a reference (a page of a ring that is mapped by a program) keeps the block. */
void pages_free(void *p, u32 order)
{
	struct page *page = virt_page(p);

	if (!p)
		return;
	BUG_ON(page->order != order || page->flags & (PG_BUDDY | PG_RESERVED | PG_SLAB));
	page_put(page);
}
EXPORT(pages_free);

struct page *page_alloc_user(bool zero)
{
	struct cpu_pages *c;
	struct page *p;

	/* what is left then is the kernel's, so that packets flow while a program dies */
	if (page_free_count() <= user_reserve)
		shrink_all();
	if (page_free_count() <= user_reserve)
		return NULL;
	p = page_block_alloc(0, false);
	if (!p)
		return NULL;
	if (zero)
		memset(page_virt(p), 0, PAGE_SIZE);
	p->flags = PG_USER;
	c = cpu_pages_lock();
	c->user_pages++;
	cpu_pages_unlock(c);
	return p;
}
EXPORT(page_alloc_user);

void page_get(struct page *p)
{
	refcount_inc(&p->refs);
}
EXPORT(page_get);

void page_put(struct page *p)
{
	BUG_ON(refcount_read(&p->refs) <= 0);
	if (refcount_dec_and_test(&p->refs))
		block_free(p, p->order);
}
EXPORT(page_put);

void *dma_alloc(size_t size, phys_addr_t *bus)
{
	struct page *p;
	u32 order = 0;

	while (order <= MAX_ORDER && PAGE_SIZE << order < size)
		order++;
	if (!size || order > MAX_ORDER || fail_alloc())
		return NULL;
	p = page_block_alloc(order, true);
	if (!p)
		return NULL;
	memset(page_virt(p), 0, PAGE_SIZE << order);
	*bus = page_to_pa(p);
	return page_virt(p);
}
EXPORT(dma_alloc);

void dma_free(void *p, size_t size)
{
	if (p)
		page_put(virt_page(p));
}
EXPORT(dma_free);

phys_addr_t dma_addr(const void *p)
{
	return (u64)p - DIRECT_MAP_BASE;
}
EXPORT(dma_addr);

/* ---- counts ---- */

u64 page_total(void)
{
	return total_pages;
}

/* Without locks: right to within what the other CPUs do at this moment. */
u64 page_free_count(void)
{
	u32 cpus = max(READ_ONCE(nr_cpus), 1u);
	u64 n = 0;

	for (u32 i = 0; i < NR_ZONES; i++)
		n += READ_ONCE(zones[i].free_pages);
	for (u32 i = 0; i < cpus; i++)
		n += READ_ONCE(cpu_pages[i].count);
	return n;
}

u64 mem_available(void)
{
	u64 n = page_free_count();

	return n > user_reserve ? n - user_reserve : 0;
}

u64 page_user_count(void)
{
	s64 n = 0;

	for (u32 i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(cpu_pages[i].user_pages);
	return max(n, (s64)0);
}

u64 page_file_count(void)
{
	s64 n = 0;

	for (u32 i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(cpu_pages[i].file_pages);
	return max(n, (s64)0);
}

void page_count_file(s64 n)
{
	struct cpu_pages *c = cpu_pages_lock();

	c->file_pages += n;
	cpu_pages_unlock(c);
}
EXPORT(page_count_file);

/* ---- failing on purpose ---- */

bool fail_alloc_now(void)
{
	u32 every = READ_ONCE(fail_alloc_every);
	struct thread *t = current_thread();
	struct cpu_pages *c;
	u64 x;

	if (!every || !t || !(t->proc || in_poll_context()))
		return false;
	/* as from the OOM killer: BusyBox's init forgets for ever a console whose shell it could
	 * not fork once */
	if (t->proc && t->proc == init_proc && !in_poll_context())
		return false;
	c = cpu_pages_lock();
	/* xorshift64* */
	x = c->random;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	c->random = x;
	cpu_pages_unlock(c);
	return (u32)((x * 0x2545f4914f6cdd1dull) >> 32) % every == 0;
}

/* ---- boot ---- */

static void mark_reserved(u64 frame, u64 end)
{
	for (; frame < end; frame++) {
		struct page *p = page_array + frame;

		if (frame < first_frame || frame >= end_frame)
			continue;
		refcount_set(&p->refs, 1);
		p->flags = PG_RESERVED;
		p->order = 0;
		p->zone = frame >= DMA_FRAMES;
	}
}

/* The buddies of border blocks that lie outside of [start, end): block_give() will look at them. */
static void mark_border(u64 start, u64 end)
{
	for (u32 order = 0; order < MAX_ORDER; order++) {
		u64 size = 1ull << order;
		u64 first = ALIGN_UP(start, size), last = ALIGN_DOWN(end, size);

		if (first >= last)
			break;
		if (first & size)
			mark_reserved(first - size, first - size + 1);
		if (last & size)
			mark_reserved(last, last + 1);
	}
}

static void give_blocks(struct zone *z, u64 start, u64 end)
{
	while (start < end) {
		u32 order = 0;

		while (order < MAX_ORDER && !(start & (1ull << order)) &&
		       start + (2ull << order) <= end)
			order++;
		block_insert(z, page_array + start, order);
		start += 1ull << order;
	}
}

static void zone_add(struct zone *z, u64 start, u64 end)
{
	u64 first = ALIGN_UP(start, BLOCK_FRAMES), last = ALIGN_DOWN(end, BLOCK_FRAMES);

	if (start >= end)
		return;
	z->free_pages += end - start;
	total_pages += end - start;
	if (first >= last) {
		give_blocks(z, start, end);
		return;
	}
	give_blocks(z, start, first);
	give_blocks(z, last, end);
	z->virgin[z->nr_virgin++] = (struct frame_range){ first, last };
}

static void ram_add(u64 start, u64 end)
{
	if (start >= end || nr_ram == ARRAY_SIZE(ram))
		return;
	ram[nr_ram++] = (struct frame_range){ start, end };
	first_frame = min(first_frame, start);
	end_frame = max(end_frame, end);
}

/* Pages of the initial root file system become memory one day and then merge with their neighbours,
 * so they are bordered alone and, where they touch usable ranges, together with these. */
static void mark_image(u64 start, u64 end, const struct frame_range *usable, u32 n)
{
	u64 all_start = start, all_end = end;

	if (start >= end)
		return;
	mark_border(start, end);
	for (u32 i = 0; i < n; i++) {
		if (usable[i].end == start)
			all_start = usable[i].start;
		if (usable[i].start == end)
			all_end = usable[i].end;
	}
	mark_border(all_start, end);
	mark_border(start, all_end);
	mark_border(all_start, all_end);
	mark_reserved(start, end);
	total_pages += end - start;
}

/* Usable ranges, neighbours joined: two that touch would be each other's border. */
static u32 usable_ranges(struct frame_range *r)
{
	u32 n = 0;

	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		const struct mem_range *m = &boot_info.mem[i];
		u64 start = DIV_ROUND_UP(m->start, PAGE_SIZE), end = m->end >> PAGE_SHIFT;

		if (!m->usable || start >= end)
			continue;
		if (n && r[n - 1].end == start)
			r[n - 1].end = end;
		else
			r[n++] = (struct frame_range){ start, end };
	}
	return n;
}

void image_pages_release(phys_addr_t start, phys_addr_t end)
{
	for (start = ALIGN_UP(start, PAGE_SIZE); start + PAGE_SIZE <= end; start += PAGE_SIZE)
		page_put(pa_to_page(start));
}

void page_init(void)
{
	static struct frame_range usable[MAX_RANGES];
	u32 n = usable_ranges(usable), largest = 0;
	u64 initrd = boot_info.initrd_start >> PAGE_SHIFT;
	u64 initrd_end = DIV_ROUND_UP(boot_info.initrd_end, PAGE_SIZE);
	u64 pages;

	first_frame = ~0ull;
	for (u32 i = 0; i < n; i++) {
		ram_add(usable[i].start, usable[i].end);
		if (usable[i].end - usable[i].start > usable[largest].end - usable[largest].start)
			largest = i;
	}
	if (!n)
		panic("no usable memory");
	ram_add(initrd, initrd_end);
	pages = DIV_ROUND_UP((end_frame - first_frame) * sizeof(struct page), PAGE_SIZE);
	if (pages >= usable[largest].end - usable[largest].start)
		panic("no room for %llu KiB of page records", (unsigned long long)pages * 4);
	page_array = (struct page *)phys_to_virt(usable[largest].start << PAGE_SHIFT) - first_frame;
	usable[largest].start += pages;

	for (u32 i = 0; i < NR_ZONES; i++) {
		for (u32 o = 0; o <= MAX_ORDER; o++)
			list_init(&zones[i].free[o]);
	}
	for (u32 i = 0; i < MAX_CPUS; i++) {
		list_init(&cpu_pages[i].free);
		cpu_pages[i].random = 0x9e3779b97f4a7c15ull * (i + 1);
	}
	/* all borders before any block: what is a block's head is then written again */
	for (u32 i = 0; i < n; i++)
		mark_border(usable[i].start, usable[i].end);
	mark_image(initrd, initrd_end, usable, n);
	for (u32 i = 0; i < n; i++) {
		zone_add(&zones[0], usable[i].start, min(usable[i].end, DMA_FRAMES));
		zone_add(&zones[1], max(usable[i].start, DMA_FRAMES), usable[i].end);
	}
	user_reserve = min(max(total_pages / 64, 48ull), 1024ull);
}
