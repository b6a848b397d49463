/* SPDX-License-Identifier: MIT */
/* core/vm.h - user address spaces: ranges (VMAs) backed by nothing, anonymous pages or files,
 * filled by page faults and copied on write. Shared by the threads and vfork children of a process.
 */
#pragma once

#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/file.h>
#include <weft/mutex.h>

/* One per physical page of RAM, indexed by frame number. */
struct page {
	struct refcount refs; /* 0: free */
	u16 flags;
	u8 order;
	u8 zone;
	union {
		struct list_head node; /* free list */
		struct {
			void *slab; /* slab pages: their cache */
			u64 private;
		};
	};
};
extern struct page *page_array;
struct page *pa_to_page(phys_addr_t pa); /* NULL outside RAM */
phys_addr_t page_to_pa(const struct page *p);
struct page *page_alloc_user(bool zero); /* one page, refs 1, counted as user; NULL */
void page_get(struct page *p);
void page_put(struct page *p); /* frees at 0 */
void page_count_file(s64 n);   /* n pages more (less) hold file contents */
/* Drops the boot's reference to each whole page of the initial root file system in the range: what
 * no file has adopted becomes memory. Once. */
void image_pages_release(phys_addr_t start, phys_addr_t end);
/* At boot: shrink gives back what is kept for the next time. Called when memory is short, in any
 * context that allocates, with spin locks held perhaps: it neither sleeps nor allocates. */
void shrinker_add(void (*shrink)(void));
u64 mem_available(void); /* free pages an allocation could get, about */

#define VM_READ BIT(0)
#define VM_WRITE BIT(1)
#define VM_EXEC BIT(2)
#define VM_SHARED BIT(3)
#define VM_STACK BIT(4) /* grows down to its rlimit */
#define VM_HEAP BIT(5)
#define VM_IO BIT(6) /* pages belong to a device or object: not copied, not counted */

struct vma_ops;
struct vma {
	struct list_head node; /* sorted by start; guarded by mm->lock */
	u64 start, end;	       /* page aligned, end exclusive */
	u32 flags;
	struct file *file;	   /* NULL: anonymous; holds a reference */
	u64 pgoff;		   /* file offset of start, bytes */
	const struct vma_ops *ops; /* set by file_ops.mmap, NULL: by file pages through inode */
	void *priv;
};
/* Gives the page at byte offset off of the mapping, with a reference; ERR_PTR(-EFAULT: past the end
 * -> SIGBUS, -ENOMEM). write: about to be written through a shared mapping. */
struct vma_ops {
	struct page *(*fault)(struct vma *vma, u64 off, bool write);
	void (*close)(struct vma *vma);
	void (*open)(struct vma *vma); /* a copy was made: fork, split */
};

struct proc_mm {
	struct refcount refs;
	phys_addr_t pgd;
	struct mutex lock; /* guards all below and the user page tables */
	struct list_head vmas;
	struct vma *cache; /* last hit */
	u32 nr_vmas;	   /* bounded: 65530, as Linux */
	u64 brk_start, brk;
	u64 stack_top, arg_start, arg_end, env_start, env_end, code_start, code_end;
	u64 mmap_base;		    /* areas are placed below, downwards */
	u64 total_pages, rss_pages; /* for /proc */
	u64 as_limit, data_limit, stack_limit;
	u32 seq; /* counts changes of the VMAs */
	/* as of gap_seq: between gap_end and gap_top all gaps are smaller than gap_len; gap_vma is
	 * the first one below gap_end */
	struct vma *gap_vma;
	u64 gap_top, gap_end, gap_len;
	u32 gap_seq;
	struct file *exe;
	u8 auxv[512];
	u32 auxv_len;
};

void mm_init(void); /* page allocator, slab from boot_info; boot CPU */
void vmalloc_init(void);
void mm_proc_init(void); /* /proc/meminfo, vmstat, slabinfo, sysctls; after vfs_init */
/* Executable-to-be memory within reach of the kernel image: mapped writable, not executable; page
 * aligned, a guard page behind. NULL. Process context. vfree takes it back, whatever its rights. */
void *module_alloc(size_t n);
/* A kernel stack of KSTACK_SIZE bytes (lowest address) with a guard page below. alloc: process
 * context, NULL. free: any context. */
void *kstack_alloc(void);
void kstack_free(void *stack);
/* The file was cut to size bytes: takes its pages behind that out of every address space, so that
 * who touches them faults (SIGBUS) or finds what the file has when it grows again. Process context,
 * no lock of an address space held. */
struct inode;
void vm_file_cut(struct inode *ino, u64 size);
struct proc_mm *mm_new(void);		      /* empty; NULL */
struct proc_mm *mm_fork(struct proc_mm *old); /* copy on write; NULL */
void mm_get(struct proc_mm *mm);
void mm_put(struct proc_mm *mm); /* last: unmaps all */
void mm_switch(struct proc_mm *prev,
	       struct proc_mm *next); /* scheduler; NULL next: keeps what is loaded */
/* The mmap system call's body: addr hint (or exact with MAP_FIXED). Address or -errno. */
long mm_mmap(struct proc_mm *mm, u64 addr, u64 len, int prot, int flags, struct file *f, u64 off);
int mm_munmap(struct proc_mm *mm, u64 addr, u64 len);
int mm_mprotect(struct proc_mm *mm, u64 addr, u64 len, int prot);
long mm_mremap(struct proc_mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr);
u64 mm_brk(struct proc_mm *mm, u64 brk);
int mm_madvise(struct proc_mm *mm, u64 addr, u64 len, int advice);
struct vma *mm_find_vma(struct proc_mm *mm, u64 addr); /* containing addr; lock held */
/* Maps a kernel-chosen area (stack, ELF segment) with explicit VM_ flags. */
int mm_map_area(struct proc_mm *mm, u64 start, u64 len, u32 vmflags, struct file *f, u64 off,
		u64 filelen);
/* Reads or writes another address space's memory (/proc/PID/cmdline, ptrace). Bytes moved. */
long mm_access(struct proc_mm *mm, u64 addr, void *buf, size_t n, bool write);
/* Frees memory when allocation for user pages failed: kills the largest process. */
bool oom_kill(void);
