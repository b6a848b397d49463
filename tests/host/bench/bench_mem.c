/* SPDX-License-Identifier: MIT */
/* bench_mem.c - include/weft/alloc.h for the benchmark: the C library, free lists for caches, no
 * book-keeping; and the checksum in the form that the kernel chooses on hardware. */
#include <malloc.h>
#include <stdlib.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/string.h>

#include "machine.h"

#define ALIGN_MIN 64

static void *get(size_t n, size_t align)
{
	void *p;

	return posix_memalign(&p, align, n ? n : 1) ? NULL : p;
}

static void *cleared(void *p, size_t n)
{
	return p ? memset(p, 0, n) : NULL;
}

void *kmalloc(size_t n)
{
	return get(n, n >= PAGE_SIZE ? PAGE_SIZE : 16);
}

void *kzalloc(size_t n)
{
	return cleared(kmalloc(n), n);
}

void *kcalloc(size_t n, size_t size)
{
	return kzalloc(n * size);
}

void *krealloc(void *p, size_t n)
{
	return realloc(p, n);
}

void kfree(const void *p)
{
	free((void *)p);
}

size_t ksize(const void *p)
{
	return malloc_usable_size((void *)p);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void *pages_alloc(u32 order)
{
	return get(PAGE_SIZE << order, PAGE_SIZE);
}

void pages_free(void *p, u32 order)
{
	free(p);
}

void *dma_alloc(size_t size, phys_addr_t *bus)
{
	void *p = cleared(get(size, PAGE_SIZE), size);

	*bus = (u64)p;
	return p;
}

void dma_free(void *p, size_t size)
{
	free(p);
}

phys_addr_t dma_addr(const void *p)
{
	return (u64)p;
}

void *vmalloc(size_t n)
{
	return get(n, PAGE_SIZE);
}

void vfree(const void *p)
{
	free((void *)p);
}

/* ---- per CPU: the distance between two copies, then the copies ---- */

void *percpu_alloc(size_t n)
{
	size_t stride = ALIGN_UP(n, 64ul), all = 64 + stride * MAX_CPUS;
	u8 *p = cleared(get(all, 64), all);

	if (p)
		*(size_t *)p = stride;
	return p;
}

void percpu_free(void *p)
{
	free(p);
}

void *percpu_ptr(void *p, u32 cpu)
{
	return (u8 *)p + 64 + cpu * *(size_t *)p;
}

u32 percpu_cpus(void)
{
	return MAX_CPUS;
}

/* ---- caches ---- */

struct kmem_cache {
	size_t size;
	void *first; /* free ones, linked by their first word */
	u32 in_use;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = kzalloc(sizeof(*c));

	if (c)
		c->size = ALIGN_UP(size, (size_t)ALIGN_MIN);
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	kfree(c);
}

void *kmem_cache_alloc(struct kmem_cache *c)
{
	void *p = c->first;

	if (p)
		c->first = *(void **)p;
	else
		p = get(c->size, ALIGN_MIN);
	c->in_use += p != NULL;
	return p;
}

void *kmem_cache_zalloc(struct kmem_cache *c)
{
	return cleared(kmem_cache_alloc(c), c->size);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	*(void **)p = c->first;
	c->first = p;
	c->in_use--;
}

u32 kmem_cache_in_use(const struct kmem_cache *c)
{
	return c->in_use;
}

void mem_stats_get(struct mem_stats *s)
{
	*s = (struct mem_stats){ .total_pages = 262144 };
}

/* ---- what the simulation asks of its own ---- */

void sim_fail_every(u32 n)
{
}

void sim_mark(void)
{
}

void sim_check(void)
{
}

/* ---- the checksum ---- */

/* arch/x86_64/memroutines.asm: address and length as usual, the sum in and out in rax. */
u32 csum_partial(const void *p, size_t n, u32 sum)
{
	u64 acc = sum;

	__asm__ volatile("call csum_adc"
			 : "+a"(acc), "+D"(p), "+S"(n)
			 :
			 : "rcx", "rdx", "r8", "r9", "memory", "cc");
	return acc;
}

/* ---- nothing is sanitized ---- */

void __sanitizer_print_stack_trace(void);
void __sanitizer_print_stack_trace(void)
{
}

void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *buf, size_t size);
void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *buf, size_t size)
{
	strscpy(buf, "?", size);
}

void shrinker_add(void (*fn)(void))
{
}
