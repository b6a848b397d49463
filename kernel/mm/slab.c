/* SPDX-License-Identifier: MIT */
/* slab.c - caches of equal objects. A slab is a block of pages with a header and a list of its free
 * objects; every CPU keeps a short LIFO list ("magazine") of free objects, threaded through them,
 * so that the usual allocation and free are a few plain instructions with preemption off. Debug
 * builds poison free objects and keep a red zone behind each. Locks: cache list > cache; pages are
 * had without either. */
#include <core/sched.h>
#include <weft/ledger.h>
#include <weft/list.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "mm.h"

#define MAX_SLAB_ORDER 3
#define MIN_OBJECTS 8	     /* a slab should hold, if the largest order allows */
#define MAGAZINE_BYTES 16384 /* of objects, and between 4 and 64 of them */
#define SLAB_HEADER 64	     /* the first object is aligned to it */
#define RED_ZONE 0xbb67ae8584caa73bull
#define POISON_FREE 0x6b
#define POISON_NEW 0x5a

struct slab { /* at the start of its block */
	struct list_head node;
	struct kmem_cache *cache;
	void *free;
	u32 in_use;
};

struct magazine { /* used by its CPU alone, preemption off */
	void *free;
	u32 count;
	u8 apart[64 - sizeof(void *) - sizeof(u32)];
};

/* No member asks for alignment: list heads are looked at as if they lay in one of these. */
struct kmem_cache {
	struct magazine magazine[MAX_CPUS];
	/* fixed */
	u32 size, stride, link, per_slab, order, limit;
	char name[24];
	struct list_head node; /* guarded by caches_lock */
	struct ledger_entry ledger;
	struct spinlock lock;
	/* guarded by lock */
	struct list_head partial; /* slabs with free objects */
	struct list_head full;
	u32 nr_slabs, nr_empty;
	u32 taken; /* objects outside of slabs: in use or in magazines */
};

#ifdef WEFT_DEBUG
static const bool debug = true;
#else
static const bool debug;
#endif

static struct spinlock caches_lock = SPINLOCK_INIT;
static LIST_HEAD(caches);
static struct kmem_cache cache_cache __cacheline_aligned; /* of struct kmem_cache */

/* ---- one object ---- */

static void **link_of(const struct kmem_cache *c, void *obj)
{
	return (void **)((u8 *)obj + c->link);
}

static u64 *red_zone_of(const struct kmem_cache *c, void *obj)
{
	return (u64 *)((u8 *)obj + c->link - sizeof(u64));
}

static void debug_note_free(struct kmem_cache *c, void *obj)
{
	if (*red_zone_of(c, obj) == ~RED_ZONE)
		panic("%s: %p freed twice", c->name, obj);
	if (*red_zone_of(c, obj) != RED_ZONE)
		panic("%s: written behind the end of %p", c->name, obj);
	*red_zone_of(c, obj) = ~RED_ZONE;
	memset(obj, POISON_FREE, c->size);
}

static void debug_note_alloc(struct kmem_cache *c, void *obj)
{
	const u8 *b = obj;

	if (*red_zone_of(c, obj) != ~RED_ZONE)
		panic("%s: red zone of free object %p overwritten", c->name, obj);
	for (u32 i = 0; i < c->size; i++) {
		if (b[i] != POISON_FREE)
			panic("%s: %p written at byte %u after it was freed", c->name, obj, i);
	}
	*red_zone_of(c, obj) = RED_ZONE;
	memset(obj, POISON_NEW, c->size);
}

/* ---- slabs ---- */

static struct slab *slab_new(struct kmem_cache *c)
{
	struct page *p = page_block_alloc(c->order, false);
	struct slab *s;
	u8 *obj;

	if (!p)
		return NULL;
	page_scrub(p, c->order);
	s = page_virt(p);
	s->cache = c;
	s->in_use = 0;
	s->free = NULL;
	for (u32 i = 0; i < 1u << c->order; i++) {
		p[i].flags = PG_SLAB;
		p[i].slab = s;
	}
	obj = (u8 *)s + SLAB_HEADER + (c->per_slab - 1) * (size_t)c->stride;
	for (u32 i = 0; i < c->per_slab; i++, obj -= c->stride) {
		if (debug) {
			memset(obj, POISON_FREE, c->size);
			*red_zone_of(c, obj) = ~RED_ZONE;
		}
		*link_of(c, obj) = s->free;
		s->free = obj;
	}
	return s;
}

static void slab_release(struct kmem_cache *c, struct slab *s)
{
	struct page *p = virt_page(s);

	for (u32 i = 0; i < 1u << c->order; i++)
		p[i].flags = 0;
	page_put(p);
}

/* Moves up to half a magazine of free objects to m, which is empty; lock held. */
static void magazine_fill(struct kmem_cache *c, struct magazine *m)
{
	u32 want = c->limit / 2;

	while (m->count < want && !list_empty(&c->partial)) {
		struct slab *s = list_first_entry(&c->partial, struct slab, node);

		if (!s->in_use)
			c->nr_empty--;
		while (m->count < want && s->free) {
			void *obj = s->free;

			s->free = *link_of(c, obj);
			*link_of(c, obj) = m->free;
			m->free = obj;
			m->count++;
			s->in_use++;
			c->taken++;
		}
		if (!s->free) {
			list_del(&s->node);
			list_add(&s->node, &c->full);
		}
	}
}

/* Gives one object back to its slab; lock held. */
static void slab_put(struct kmem_cache *c, void *obj)
{
	struct slab *s = virt_page(obj)->slab;

	if (!s->free) {
		list_del(&s->node);
		list_add(&s->node, &c->partial);
	}
	*link_of(c, obj) = s->free;
	s->free = obj;
	c->taken--;
	if (!--s->in_use) {
		list_move_tail(&s->node, &c->partial);
		c->nr_empty++;
	}
}

static void magazine_drain(struct kmem_cache *c, struct magazine *m, u32 keep)
{
	while (m->count > keep) {
		void *obj = m->free;

		m->free = *link_of(c, obj);
		m->count--;
		slab_put(c, obj);
	}
}

/* Takes empty slabs beyond keep off the cache; lock held. They are at the end of the list. */
static void collect_empty(struct kmem_cache *c, u32 keep, struct list_head *out)
{
	while (c->nr_empty > keep) {
		struct slab *s = list_last_entry(&c->partial, struct slab, node);

		list_move_tail(&s->node, out);
		c->nr_empty--;
		c->nr_slabs--;
	}
}

static void release_slabs(struct kmem_cache *c, struct list_head *slabs)
{
	struct slab *s, *tmp;

	list_for_each_entry_safe(s, tmp, slabs, node)
		slab_release(c, s);
}

/* ---- allocation ---- */

static __noinline void *alloc_slow(struct kmem_cache *c)
{
	struct magazine *m;
	struct slab *s = NULL;
	void *obj = NULL;

	for (;;) {
		preempt_disable();
		m = &c->magazine[cpu_id()];
		spin_lock(&c->lock);
		if (s) {
			c->nr_slabs++;
			c->nr_empty++;
			list_add_tail(&s->node, &c->partial);
		}
		if (!m->count)
			magazine_fill(c, m);
		spin_unlock(&c->lock);
		if (m->count) {
			obj = m->free;
			m->free = *link_of(c, obj);
			m->count--;
		}
		preempt_enable();
		if (obj)
			return obj;
		s = slab_new(c);
		if (!s)
			return NULL;
	}
}

void *kmem_cache_alloc(struct kmem_cache *c)
{
	struct magazine *m;
	void *obj;

	if (fail_alloc())
		return NULL;
	preempt_disable();
	m = &c->magazine[cpu_id()];
	obj = m->free;
	if (likely(obj)) {
		m->free = *link_of(c, obj);
		m->count--;
		preempt_enable();
	} else {
		preempt_enable();
		obj = alloc_slow(c);
		if (!obj)
			return NULL;
	}
	if (debug)
		debug_note_alloc(c, obj);
	return obj;
}
EXPORT(kmem_cache_alloc);

void *kmem_cache_zalloc(struct kmem_cache *c)
{
	void *p = kmem_cache_alloc(c);

	if (p)
		memset(p, 0, c->size);
	return p;
}
EXPORT(kmem_cache_zalloc);

static __noinline void free_slow(struct kmem_cache *c, struct magazine *m)
{
	LIST_HEAD(empty);

	spin_lock(&c->lock);
	magazine_drain(c, m, c->limit / 2);
	collect_empty(c, 1, &empty);
	spin_unlock(&c->lock);
	release_slabs(c, &empty);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	struct magazine *m;

	if (!p)
		return;
	if (debug) {
		BUG_ON(slab_cache_of(p) != c);
		debug_note_free(c, p);
	}
	preempt_disable();
	m = &c->magazine[cpu_id()];
	*link_of(c, p) = m->free;
	m->free = p;
	if (unlikely(++m->count > c->limit))
		free_slow(c, m);
	preempt_enable();
}
EXPORT(kmem_cache_free);

struct kmem_cache *slab_cache_of(const void *p)
{
	struct page *page = virt_page(p);

	return page->flags & PG_SLAB ? ((struct slab *)page->slab)->cache : NULL;
}

size_t slab_object_size(const struct kmem_cache *c)
{
	return c->size;
}

u32 kmem_cache_in_use(const struct kmem_cache *c)
{
	u32 cached = 0;

	for (u32 i = 0; i < MAX_CPUS; i++)
		cached += READ_ONCE(c->magazine[i].count);
	return READ_ONCE(c->taken) - cached;
}
EXPORT(kmem_cache_in_use);

/* ---- caches ---- */

/* Or, if it takes a block of several pages anyway, one that wastes too much of it? */
static bool slab_too_small(const struct kmem_cache *c)
{
	size_t room = (PAGE_SIZE << c->order) - SLAB_HEADER;

	return room / c->stride < MIN_OBJECTS || (c->order > 1 && room % c->stride > room / 32);
}

static void cache_setup(struct kmem_cache *c, const char *name, size_t size, size_t align)
{
	memset(c, 0, sizeof(*c));
	strscpy(c->name, name, sizeof(c->name));
	list_init(&c->partial);
	list_init(&c->full);
	size = ALIGN_UP(max(size, sizeof(void *)), sizeof(void *));
	c->size = size;
	c->link = debug ? size + sizeof(u64) : 0;
	c->stride = ALIGN_UP(debug ? size + 2 * sizeof(u64) : size, align);
	while (c->order < MAX_SLAB_ORDER && slab_too_small(c))
		c->order++;
	c->per_slab = ((PAGE_SIZE << c->order) - SLAB_HEADER) / c->stride;
	c->limit = min(max(MAGAZINE_BYTES / c->stride, 4u), 64u);
	spin_lock(&caches_lock);
	list_add_tail(&c->node, &caches);
	spin_unlock(&caches_lock);
}

static void cache_undo(struct ledger_entry *e)
{
	kmem_cache_destroy(container_of(e, struct kmem_cache, ledger));
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct module *owner = CALLER_MODULE;
	struct kmem_cache *c;

	/* cache lines of their own only for those who fill them */
	align = max(align, size % 64 ? (size_t)16 : (size_t)64);
	/* objects start behind the slab's header, so that is the largest alignment there is */
	if (!size || size > 8192 || align > SLAB_HEADER || align & (align - 1))
		return NULL;
	c = kmem_cache_alloc(&cache_cache);
	if (!c)
		return NULL;
	cache_setup(c, name, size, align);
	if (owner)
		ledger_add(&c->ledger, owner, "cache", name, cache_undo);
	return c;
}
EXPORT(kmem_cache_create);

void kmem_cache_destroy(struct kmem_cache *c)
{
	LIST_HEAD(empty);
	bool leaked;

	if (!c)
		return;
	if (c->ledger.owner)
		ledger_remove(&c->ledger);
	spin_lock(&caches_lock);
	list_del(&c->node);
	spin_unlock(&caches_lock);
	spin_lock(&c->lock);
	/* nobody uses it any more, so the other CPUs' magazines may be touched */
	for (u32 i = 0; i < MAX_CPUS; i++)
		magazine_drain(c, &c->magazine[i], 0);
	collect_empty(c, 0, &empty);
	leaked = c->taken != 0;
	spin_unlock(&c->lock);
	release_slabs(c, &empty);
	if (leaked) {
		/* a late kmem_cache_free must still find the cache */
		pr_warn("cache %s destroyed with %u objects alive, which leak\n", c->name,
			c->taken);
		return;
	}
	kmem_cache_free(&cache_cache, c);
}
EXPORT(kmem_cache_destroy);

void slab_shrink(void)
{
	struct kmem_cache *c;

	spin_lock(&caches_lock);
	list_for_each_entry(c, &caches, node) {
		LIST_HEAD(empty);

		spin_lock(&c->lock);
		magazine_drain(c, &c->magazine[cpu_id()], 0);
		collect_empty(c, 0, &empty);
		spin_unlock(&c->lock);
		release_slabs(c, &empty);
	}
	spin_unlock(&caches_lock);
}

/* ---- counts ---- */

u64 slab_page_count(void)
{
	struct kmem_cache *c;
	u64 n = 0;

	spin_lock(&caches_lock);
	list_for_each_entry(c, &caches, node)
		n += (u64)READ_ONCE(c->nr_slabs) << c->order;
	spin_unlock(&caches_lock);
	return n;
}

u64 slab_objects(void)
{
	struct kmem_cache *c;
	u64 n = 0;

	spin_lock(&caches_lock);
	list_for_each_entry(c, &caches, node)
		n += kmem_cache_in_use(c);
	spin_unlock(&caches_lock);
	return n;
}

/* The text may need memory, so no lock is held over it: a snapshot of the numbers first. */
struct slab_line {
	char name[24];
	u32 in_use, total, size, per_slab, order, limit, nr_slabs, nr_active;
};

static u32 snapshot(struct slab_line *lines, u32 max_lines)
{
	struct kmem_cache *c;
	u32 n = 0;

	spin_lock(&caches_lock);
	list_for_each_entry(c, &caches, node) {
		struct slab_line *l = &lines[n];

		if (n++ >= max_lines)
			continue;
		strscpy(l->name, c->name, sizeof(l->name));
		spin_lock(&c->lock);
		l->in_use = kmem_cache_in_use(c);
		l->nr_slabs = c->nr_slabs;
		l->nr_active = c->nr_slabs - c->nr_empty;
		spin_unlock(&c->lock);
		l->total = l->nr_slabs * c->per_slab;
		l->size = c->stride;
		l->per_slab = c->per_slab;
		l->order = c->order;
		l->limit = c->limit;
	}
	spin_unlock(&caches_lock);
	return n;
}

int slabinfo_show(struct seq *s)
{
	u32 n = snapshot(NULL, 0), max_lines = n + 4;
	struct slab_line *lines = kcalloc(max_lines, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	n = min(snapshot(lines, max_lines), max_lines);
	seq_puts(s,
		 "slabinfo - version: 2.1\n"
		 "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		 " : tunables <limit> <batchcount> <sharedfactor>"
		 " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (u32 i = 0; i < n; i++) {
		const struct slab_line *l = &lines[i];

		seq_printf(
			s,
			"%-17s %6u %6u %6u %4u %4u : tunables %4u %4u %4u : slabdata %6u %6u %6u\n",
			l->name, l->in_use, l->total, l->size, l->per_slab, 1u << l->order,
			l->limit, l->limit / 2, 0u, l->nr_active, l->nr_slabs, 0u);
	}
	kfree(lines);
	return 0;
}

void slab_init(void)
{
	cache_setup(&cache_cache, "kmem_cache", sizeof(struct kmem_cache), 64);
	kmalloc_init();
}
