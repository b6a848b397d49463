/* SPDX-License-Identifier: MIT */
/* mm.h - what the files of kernel/mm share. Lock order: mm->lock (mutex) > shared_pages.lock >
 * cache list > cache > per-CPU pages > zone; all but the first two are spin locks that are never
 * held while something is allocated. The allocators run in process and poll context, never in
 * interrupts. */
#pragma once

#include <core/vm.h>
#include <weft/spinlock.h>

#define MAX_ORDER 10

/* struct page.flags */
#define PG_BUDDY BIT(0)	   /* head of a free block in a zone's list */
#define PG_SLAB BIT(1)	   /* page->slab is its struct slab */
#define PG_LARGE BIT(2)	   /* a kmalloc block of whole pages */
#define PG_USER BIT(3)	   /* counted as user's */
#define PG_ANON BIT(4)	   /* private to the address space(s) mapping it: a fault made it */
#define PG_RESERVED BIT(5) /* not the allocator's: image, initial root file system, border */

static inline struct page *virt_page(const void *p)
{
	return page_array + (((u64)p - DIRECT_MAP_BASE) >> PAGE_SHIFT);
}

static inline void *page_virt(const struct page *p)
{
	return phys_to_virt((phys_addr_t)(p - page_array) << PAGE_SHIFT);
}

/* ---- page.c ---- */
void page_init(void);
/* As pages_alloc, without failing on purpose; NULL. below: under 4 GiB. */
struct page *page_block_alloc(u32 order, bool below);
/* Clears a block that will be written in small parts for a long time. Code may have run there: the
 * boot loader's, a module's, a program's. An emulator that translates catches every store to such a
 * page until all of what it has translated is overwritten, and with a kernel stack in one the whole
 * machine runs at a fifth of its speed. */
void page_scrub(struct page *p, u32 order);
u64 page_total(void);
u64 page_free_count(void);
u64 page_user_count(void);
u64 page_file_count(void);
/* The allocation at hand is to fail on purpose. */
bool fail_alloc_now(void);
static inline bool fail_alloc(void)
{
	return unlikely(READ_ONCE(fail_alloc_every)) && fail_alloc_now();
}

/* ---- slab.c ---- */
struct seq;
void slab_init(void);
void slab_shrink(void); /* gives empty slabs back */
u64 slab_page_count(void);
void kmalloc_init(void);
void kmalloc_stats(u64 *bytes, u64 *blocks);
u64 slab_objects(void);
int slabinfo_show(struct seq *s);
struct kmem_cache *slab_cache_of(const void *p); /* NULL: not in a slab */
size_t slab_object_size(const struct kmem_cache *c);

/* ---- vmalloc.c ---- */
u64 vmalloc_page_count(void);

/* ---- fault.c, vma.c, mmap.c ---- */
#define LOWEST_ADDR 0x10000ull	/* nothing of a program's below: vm.mmap_min_addr */
#define VM_PRIVATE_PAGES BIT(8) /* may hold pages of its own: a fork has to copy entries */

extern struct page *zero_page; /* mapped wherever zeros were read; not counted by mappings */
void fault_init(void);
u32 vma_pte_flags(const struct vma *v, bool write);
/* Makes the page at addr present (and private and writable when write); lock held on entry and
 * return but dropped in between. 0, -EFAULT, -EIO (past the end of the object: SIGBUS), -ENOMEM. */
int mm_fault_locked(struct proc_mm *mm, u64 addr, bool write, bool exec);

void vma_init(void);
struct vma *vma_alloc(u64 start, u64 end, u32 flags, struct file *f, u64 pgoff);
struct vma *vma_dup(const struct vma *old);
void vma_link(struct proc_mm *mm, struct vma *v);
struct vma *vma_after(struct proc_mm *mm, u64 addr); /* first one that ends behind addr, NULL */
bool vma_is_shared_file(const struct vma *v);
/* Makes addr a border between VMAs. -ENOMEM. */
int vma_split_at(struct proc_mm *mm, u64 addr);
void vma_merge(struct proc_mm *mm, u64 start, u64 end);
u64 vma_find_gap(struct proc_mm *mm, u64 hint, u64 len); /* 0: none */
/* Unmaps [start, end); the VMAs are moved to dead, to be given to vma_reap after unlocking. */
int vma_unmap_range(struct proc_mm *mm, u64 start, u64 end, struct list_head *dead);
void vma_reap(struct list_head *dead);
void vma_zap(struct proc_mm *mm, u64 start, u64 end); /* pages only; flushes before it frees */

/* ---- shmem.c: pages shared between address spaces, by offset ---- */
int shared_anon_attach(struct vma *v); /* -ENOMEM */
