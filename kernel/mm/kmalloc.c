/* SPDX-License-Identifier: MIT */
/* kmalloc.c - memory of any size: caches for classes up to 3 KiB, whole pages above. Every class
 * from 64 bytes on is a multiple of 64, so that a block never shares a cache line with another one
 * and is aligned to it (96 would break that). kfree finds out from the struct page which of the two
 * it has before it. */
#include <core/sched.h>
#include <weft/err.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "mm.h"

#define MAX_SMALL 3072
#define STEP 16

/* 160 and 320 are what an open socket is made of */
static const u16 class_size[] = { 16,  32,  48,	 64,  128,  160,  192,	256,
				  320, 384, 512, 768, 1024, 1536, 2048, 3072 };
static struct kmem_cache *classes[ARRAY_SIZE(class_size)];
static u8 class_of[MAX_SMALL / STEP + 1]; /* by size in steps of 16, rounded up */
static struct atomic64 large_bytes, large_blocks;

static void *large_alloc(size_t n)
{
	struct page *p;
	u32 order = 0;

	while (order <= MAX_ORDER && PAGE_SIZE << order < n)
		order++;
	if (order > MAX_ORDER || fail_alloc())
		return NULL;
	p = page_block_alloc(order, false);
	if (!p)
		return NULL;
	p->flags = PG_LARGE;
	atomic64_add(&large_bytes, PAGE_SIZE << order);
	atomic64_add(&large_blocks, 1);
	return page_virt(p);
}

void *kmalloc(size_t n)
{
	if (unlikely(n > MAX_SMALL))
		return large_alloc(n);
	return kmem_cache_alloc(classes[class_of[(n + STEP - 1) / STEP]]);
}
EXPORT(kmalloc);

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	if (p)
		memset(p, 0, n);
	return p;
}
EXPORT(kzalloc);

void *kcalloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(bytes);
}
EXPORT(kcalloc);

void kfree(const void *cp)
{
	void *p = (void *)cp;
	struct kmem_cache *c;
	struct page *page;

	if (!p)
		return;
	c = slab_cache_of(p);
	if (likely(c)) {
		kmem_cache_free(c, p);
		return;
	}
	page = virt_page(p);
	BUG_ON(!(page->flags & PG_LARGE));
	page->flags = 0;
	atomic64_add(&large_bytes, -(s64)(PAGE_SIZE << page->order));
	atomic64_add(&large_blocks, -1);
	page_put(page);
}
EXPORT(kfree);

size_t ksize(const void *p)
{
	struct kmem_cache *c;

	if (!p)
		return 0;
	c = slab_cache_of(p);
	return c ? slab_object_size(c) : PAGE_SIZE << virt_page(p)->order;
}
EXPORT(ksize);

void *krealloc(void *p, size_t n)
{
	size_t old = ksize(p);
	void *q;

	/* in place, unless it would waste more than half */
	if (p && n <= old && (n > old / 2 || old <= 64))
		return p;
	q = kmalloc(n);
	if (!q || !p)
		return q;
	memcpy(q, p, min(old, n));
	kfree(p);
	return q;
}
EXPORT(krealloc);

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	if (p)
		memcpy(p, s, n);
	return p;
}
EXPORT(kstrdup);

void kmalloc_stats(u64 *bytes, u64 *blocks)
{
	*bytes = atomic64_read(&large_bytes);
	*blocks = atomic64_read(&large_blocks);
	for (u32 i = 0; i < ARRAY_SIZE(classes); i++) {
		u32 n = kmem_cache_in_use(classes[i]);

		*bytes += (u64)n * class_size[i];
		*blocks += n;
	}
}

void kmalloc_init(void)
{
	u32 class = 0;

	for (u32 i = 0; i < ARRAY_SIZE(classes); i++) {
		char name[24];

		snprintf(name, sizeof(name), "kmalloc-%u", class_size[i]);
		classes[i] = kmem_cache_create(name, class_size[i], 16);
		if (!classes[i])
			panic("no memory for the caches of kmalloc");
	}
	for (u32 i = 0; i <= MAX_SMALL / STEP; i++) {
		if (i * STEP > class_size[class])
			class ++;
		class_of[i] = class;
	}
}
