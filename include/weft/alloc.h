/* SPDX-License-Identifier: MIT */
/* alloc.h - kernel memory: small objects, caches of one size, whole pages, virtually contiguous
 * areas. All return NULL without memory; none sleeps unless said; none panics. Contents are not
 * cleared unless the name has a z: clearing what will be overwritten is the dearest thing a packet
 * can do. */
#pragma once

#include <weft/types.h>
#include <asm/cpu.h>

/* 1 byte to 4 MiB, 16-byte aligned (64 for multiples of 64; page aligned from 4096 on). Poll and
 * process context. kfree(NULL) is fine. */
void *kmalloc(size_t n) __must_check;
void *kzalloc(size_t n) __must_check;
void *kcalloc(size_t n, size_t size) __must_check; /* checked product, cleared */
void *krealloc(void *p, size_t n) __must_check;	   /* on failure p stays valid */
void kfree(const void *p);
size_t ksize(const void *p); /* true size of the block */
char *kstrdup(const char *s) __must_check;

/* A cache of equal objects, listed in /proc/slabinfo. Destroy reports and leaks objects alive. */
struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
void kmem_cache_destroy(struct kmem_cache *c);
void *kmem_cache_alloc(struct kmem_cache *c) __must_check;
void *kmem_cache_zalloc(struct kmem_cache *c) __must_check;
void kmem_cache_free(struct kmem_cache *c, void *p);
u32 kmem_cache_in_use(const struct kmem_cache *c);

/* 2^order contiguous physical pages (order 0..10) as a direct-map address. */
void *pages_alloc(u32 order) __must_check;
void pages_free(void *p, u32 order);
/* The same below 4 GiB and with its bus address, for DMA rings. size in bytes, rounded up to pages;
 * cleared. Process context. */
void *dma_alloc(size_t size, phys_addr_t *bus) __must_check;
void dma_free(void *p, size_t size);
phys_addr_t dma_addr(const void *p); /* bus address of direct-map memory */

/* Virtually contiguous, page granular, any size, with an unmapped guard page behind. Process
 * context. */
void *vmalloc(size_t n) __must_check;
void vfree(const void *p);

/* Device memory, uncached. NULL when address space or tables are out. Process context. */
void *ioremap(phys_addr_t pa, size_t n);
void iounmap(void *p, size_t n);

/* Counters per CPU: 8-byte slots, cleared. percpu_ptr gives CPU n's copy. */
void *percpu_alloc(size_t n) __must_check;
void percpu_free(void *p);
void *percpu_ptr(void *p, u32 cpu);
u32 percpu_cpus(void);			 /* how many copies there are */
static inline void *percpu_this(void *p) /* preemption off */
{
	return percpu_ptr(p, cpu_id());
}

/* Allocation failure on purpose: every n-th allocation (on average, from a seeded generator) of the
 * functions above fails, for threads of user processes but init and the poll context. 0 = never.
 * Switched by /proc/sys/kernel/fail_alloc. */
extern u32 fail_alloc_every;

struct mem_stats {
	u64 total_pages, free_pages, slab_pages, vmalloc_pages, user_pages, file_pages;
	u64 kmalloc_bytes, blocks_alive;
};
void mem_stats_get(struct mem_stats *s);
