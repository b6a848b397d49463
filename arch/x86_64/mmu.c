/* SPDX-License-Identifier: MIT */
/* mmu.c - four-level page tables. Built once at boot: the direct map (RAM only, large pages, no
 * execution), the kernel image page by page with W^X, and every top-level kernel entry, so that
 * address spaces share the kernel half by copying 256 entries. User tables are guarded by their
 * mm's lock, the kernel's lower levels by kernel_lock. Which pages belong to whom is the caller's
 * business. */

#define LOG_NAME "mmu: "
#include <core/vm.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/printk.h>
#include <weft/spinlock.h>
#include <weft/string.h>

#include "machine.h"

#define P_PRESENT BIT64(0)
#define P_WRITE BIT64(1)
#define P_USER BIT64(2)
#define P_UNCACHED (BIT64(3) | BIT64(4))
#define P_ACCESSED BIT64(5)
#define P_DIRTY BIT64(6)
#define P_LARGE BIT64(7)
#define P_GLOBAL BIT64(8)
#define P_SHARED BIT64(9)
#define P_COW BIT64(10)
#define P_NONE BIT64(11) /* software bit with P_PRESENT clear: a page that nobody may touch */
#define P_USED (P_PRESENT | P_NONE)
#define P_NX BIT64(63)
#define P_ADDR 0x000ffffffffff000ull
#define P_TABLE (P_PRESENT | P_WRITE | P_ACCESSED)

#define ENTRIES 512
#define SIZE_4K (1ull << 12)
#define SIZE_2M (1ull << 21)
#define SIZE_1G (1ull << 30)
#define KERNEL_SLOT 256 /* first top-level entry of the kernel half */
#define SLOT(va) (((va) >> 39) & (ENTRIES - 1))
#define DEVICE_BASE 0xffffffffc0000000ull /* mmu_map_device(): behind the modules */
#define DEVICE_END 0xffffffffff000000ull
#define BOOT_MAP_END (1ull << 32) /* what boot.asm has mapped */
#define EARLY_SPACE (4ull << 20)  /* a range must have that much to give early tables */
#define FLUSH_ALL_PAGES 64	  /* beyond, flushing everything is cheaper */

phys_addr_t kernel_pgd;
static struct spinlock kernel_lock = SPINLOCK_INIT;
static struct mem_range *early;	      /* tables are taken from its end while not NULL */
static u64 device_next = DEVICE_BASE; /* guarded by kernel_lock */

static u64 *table_of(u64 entry)
{
	return phys_to_virt(entry & P_ADDR);
}

static u32 index_of(u64 va, int level)
{
	return va >> (12 + 9 * level) & (ENTRIES - 1);
}

phys_addr_t virt_to_phys(const void *p)
{
	u64 va = (u64)p;

	return va >= KERNEL_BASE ? va - KERNEL_BASE : va - DIRECT_MAP_BASE;
}

static u64 *table_alloc(void)
{
	u64 *t;

	if (early) {
		early->end -= PAGE_SIZE;
		t = phys_to_virt(early->end);
	} else {
		t = pages_alloc(0);
	}
	if (t)
		memset(t, 0, PAGE_SIZE);
	return t;
}

/* The entry of va at a level (0: 4 KiB pages); missing tables are made when create is set. NULL:
 * not there, no memory, or a larger page covers va. */
static u64 *entry_of(phys_addr_t pgd, u64 va, int level, bool create)
{
	u64 *t = phys_to_virt(pgd);

	for (int l = 3; l > level; l--) {
		u64 *e = &t[index_of(va, l)];

		if (!(*e & P_PRESENT)) {
			u64 *next = create ? table_alloc() : NULL;

			if (!next)
				return NULL;
			WRITE_ONCE(*e, virt_to_phys(next) | P_TABLE | (va < USER_END ? P_USER : 0));
		} else if (*e & P_LARGE) {
			return NULL;
		}
		t = table_of(*e);
	}
	return &t[index_of(va, level)];
}

static u64 encode(u64 va, phys_addr_t pa, u32 flags)
{
	u64 e = pa | P_ACCESSED | (flags & PTE_NONE ? P_NONE : P_PRESENT);

	if (flags & PTE_WRITE)
		e |= P_WRITE | P_DIRTY; /* saves the processor a locked update of the table */
	if (flags & PTE_USER)
		e |= P_USER;
	if (va >= USER_END && features.pge)
		e |= P_GLOBAL;
	if (flags & PTE_UNCACHED)
		e |= P_UNCACHED;
	if (flags & PTE_SHARED)
		e |= P_SHARED;
	if (flags & PTE_COW)
		e |= P_COW;
	if (!(flags & PTE_EXEC) && features.nx)
		e |= P_NX;
	return e;
}

static u32 decode(u64 e)
{
	u32 flags = 0;

	if (e & P_WRITE)
		flags |= PTE_WRITE;
	if (!(e & P_NX))
		flags |= PTE_EXEC;
	if (e & P_USER)
		flags |= PTE_USER;
	if (e & P_UNCACHED)
		flags |= PTE_UNCACHED;
	if (e & P_SHARED)
		flags |= PTE_SHARED;
	if (e & P_COW)
		flags |= PTE_COW;
	if (e & P_NONE)
		flags |= PTE_NONE;
	return flags;
}

/* ---- boot ---- */

static void boot_map_page(u64 va, phys_addr_t pa, int level, u32 flags)
{
	u64 *e = entry_of(kernel_pgd, va, level, true);

	if (e)
		*e = encode(va, pa, flags) | (level ? P_LARGE : 0);
}

/* With the largest pages that fit, so that no page reaches over the range's ends. */
static void boot_map(u64 va, phys_addr_t start, phys_addr_t end, u32 flags, bool large)
{
	while (start < end) {
		int level = 0;
		u64 size = SIZE_4K;

		if (large && features.gbpages && !(start % SIZE_1G) && end - start >= SIZE_1G) {
			level = 2;
			size = SIZE_1G;
		} else if (large && !(start % SIZE_2M) && end - start >= SIZE_2M) {
			level = 1;
			size = SIZE_2M;
		}
		boot_map_page(va, start, level, flags);
		start += size;
		va += size;
	}
}

static void boot_map_direct(phys_addr_t start, phys_addr_t end, u32 flags)
{
	if (start < end)
		boot_map(DIRECT_MAP_BASE + start, start, end, flags, true);
}

/* The image's text and constants stay read-only through their second address as well. */
static void boot_map_ram(const struct mem_range *r)
{
	phys_addr_t ro_start = virt_to_phys(kernel_text_start);
	phys_addr_t ro_end = virt_to_phys(kernel_rodata_end);

	boot_map_direct(r->start, min(r->end, ro_start), PTE_WRITE);
	boot_map_direct(max(r->start, ro_start), min(r->end, ro_end), 0);
	boot_map_direct(max(r->start, ro_end), r->end, PTE_WRITE);
}

static void boot_map_image(const u8 *start, const u8 *end, u32 flags)
{
	boot_map((u64)start, virt_to_phys(start), virt_to_phys(end), flags, false);
}

static void choose_early_range(void)
{
	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		struct mem_range *r = &boot_info.mem[i];

		if (r->end <= BOOT_MAP_END && r->end - r->start >= EARLY_SPACE)
			early = r;
	}
	if (!early)
		panic("no %llu KiB of free memory in one piece below 4 GiB", EARLY_SPACE >> 10);
}

void mmu_init_boot(const struct mem_range *ram, u32 nr)
{
	u64 *root;

	choose_early_range();
	root = table_alloc();
	kernel_pgd = virt_to_phys(root);
	for (u32 i = 0; i < nr; i++)
		boot_map_ram(&ram[i]);
	boot_map_image(kernel_text_start, kernel_text_end, PTE_EXEC);
	boot_map_image(kernel_text_end, kernel_rodata_end, 0);
	boot_map_image(kernel_rodata_end, boot_stack_guard, PTE_WRITE);
	boot_map_image(boot_stack_guard + PAGE_SIZE, kernel_end, PTE_WRITE);
	for (u64 va = VMALLOC_BASE; va < VMALLOC_END; va += 1ull << 39)
		root[SLOT(va)] = virt_to_phys(table_alloc()) | P_TABLE;
	/* the first 512 GiB of physical space, for firmware tables outside of RAM */
	if (!root[SLOT(DIRECT_MAP_BASE)])
		root[SLOT(DIRECT_MAP_BASE)] = virt_to_phys(table_alloc()) | P_TABLE;
	early = NULL;
	/* the other processors start in boot.asm's tables, below 4 GiB and with the identity map */
	memcpy((u64 *)boot_pml4 + KERNEL_SLOT, root + KERNEL_SLOT, PAGE_SIZE / 2);
	boot_cpu.loaded_pgd = kernel_pgd;
	write_cr3(kernel_pgd);
}

void arch_init_mmu(void)
{
	u64 bytes = 0;

	for (u32 i = 0; i < boot_info.nr_mem; i++)
		bytes += boot_info.mem[i].end - boot_info.mem[i].start;
	pr_info("%lu KiB usable, kernel %lu KiB%s%s%s\n", bytes >> 10,
		(u64)(kernel_phys_end - kernel_phys_start) >> 10, features.nx ? " nx" : "",
		features.smep ? " smep" : "", features.smap ? " smap" : "");
}

/* ---- user tables ---- */

phys_addr_t arch_pgd_alloc(void)
{
	u64 *root = pages_alloc(0);

	if (!root)
		return 0;
	memset(root, 0, PAGE_SIZE / 2);
	memcpy(root + KERNEL_SLOT, (u64 *)phys_to_virt(kernel_pgd) + KERNEL_SLOT, PAGE_SIZE / 2);
	return virt_to_phys(root);
}

static void free_tables(u64 *t, int level, u32 nr)
{
	for (u32 i = 0; i < nr && level > 0; i++) {
		/* most are empty: four at a time */
		if (i % 4 == 0 && !((t[i] | t[i + 1] | t[i + 2] | t[i + 3]) & P_PRESENT))
			i += 3;
		else if (t[i] & P_PRESENT)
			free_tables(table_of(t[i]), level - 1, ENTRIES);
	}
	pages_free(t, 0);
}

void arch_pgd_free(phys_addr_t pgd)
{
	mmu_unload(pgd);
	free_tables(phys_to_virt(pgd), 3, KERNEL_SLOT);
}

int arch_map(phys_addr_t pgd, u64 va, phys_addr_t pa, u32 flags)
{
	u64 *e = entry_of(pgd, va, 0, true);

	if (!e)
		return -ENOMEM;
	WRITE_ONCE(*e, encode(va, pa, flags));
	return 0;
}

phys_addr_t arch_unmap(phys_addr_t pgd, u64 va, u32 *flags)
{
	u64 *e = entry_of(pgd, va, 0, false);
	u64 old = e ? xchg(e, 0) : 0;

	if (!(old & P_USED))
		return 0;
	if (flags)
		*flags = decode(old);
	return old & P_ADDR;
}

phys_addr_t arch_lookup(phys_addr_t pgd, u64 va, u32 *flags)
{
	u64 *t = phys_to_virt(pgd);

	for (int l = 3; l >= 0; l--) {
		u64 e = READ_ONCE(t[index_of(va, l)]);
		u64 size = 1ull << (12 + 9 * l);

		if (!(e & (l ? P_PRESENT : P_USED)))
			return 0;
		if (l == 0 || e & P_LARGE) {
			if (flags)
				*flags = decode(e);
			return (e & P_ADDR & ~(size - 1)) | (va & (size - 1) & ~(SIZE_4K - 1));
		}
		t = table_of(e);
	}
	return 0;
}

u32 arch_mapped(phys_addr_t pgd, u64 va, u32 n)
{
	const u64 *e = entry_of(pgd, va, 0, false);
	u32 mapped = 0;

	for (u32 i = 0; e && i < n; i++)
		mapped |= READ_ONCE(e[i]) & P_USED ? BIT(i) : 0;
	return mapped;
}

u32 arch_map_missing(phys_addr_t pgd, u64 va, u32 n, const phys_addr_t *pa, u32 flags)
{
	u64 *e = entry_of(pgd, va, 0, true), bits = encode(va, 0, flags);
	u32 mapped = 0;

	for (u32 i = 0; e && i < n; i++) {
		if (!pa[i] || READ_ONCE(e[i]) & P_USED)
			continue;
		WRITE_ONCE(e[i], bits | pa[i]);
		mapped |= BIT(i);
	}
	return mapped;
}

void arch_walk(phys_addr_t pgd, u64 start, u64 end,
	       bool (*fn)(void *arg, u64 va, phys_addr_t *pa, u32 *flags), void *arg)
{
	for (u64 va = start; va < end;) {
		u64 *t = phys_to_virt(pgd);
		phys_addr_t pa;
		u32 flags;
		u64 *e;
		int l;

		for (l = 3; l > 0 && t[index_of(va, l)] & P_PRESENT; l--)
			t = table_of(t[index_of(va, l)]);
		e = &t[index_of(va, l)];
		if (l > 0) {
			u64 size = 1ull << (12 + 9 * l);

			va = ALIGN_DOWN(va, size) + size;
			continue;
		}
		/* the rest of this table without walking down again */
		do {
			if (*e & P_USED) {
				pa = *e & P_ADDR;
				flags = decode(*e);
				if (fn(arg, va, &pa, &flags))
					WRITE_ONCE(*e, pa ? encode(va, pa, flags) : 0);
			}
			va += SIZE_4K;
			e++;
		} while (va < end && index_of(va, 0));
	}
}

void arch_flush_local(u64 start, u64 end)
{
	if (end - start > FLUSH_ALL_PAGES * PAGE_SIZE) {
		if (start < USER_END) {
			write_cr3(read_cr3());
		} else { /* global entries survive a load of CR3 */
			write_cr4(read_cr4() ^ CR4_PGE);
			write_cr4(read_cr4() ^ CR4_PGE);
		}
		return;
	}
	for (u64 va = ALIGN_DOWN(start, PAGE_SIZE); va < end; va += PAGE_SIZE)
		invlpg(va);
}

struct flush_range {
	u64 start, end;
};

static void flush_range(void *arg)
{
	struct flush_range *r = arg;

	arch_flush_local(r->start, r->end);
}

/* CPUs whose CR3 is pgd, or is about to be: arch_switch_mm() stores loaded_pgd before it loads CR3,
 * and that load flushes, so a CPU that is not seen here cannot keep an older entry. */
static u32 cpus_with(phys_addr_t pgd)
{
	u32 mask = 0;

	smp_mb();
	for (u32 i = 0; i < nr_cpus; i++) {
		if (!pgd || READ_ONCE(machine_cpus[i]->loaded_pgd) == pgd)
			mask |= BIT(i);
	}
	return mask;
}

static void flush_cpus(phys_addr_t pgd, u64 start, u64 end)
{
	struct flush_range r = { start, end };

	preempt_disable();
	call_cpus(cpus_with(pgd), flush_range, &r);
	preempt_enable();
}

void arch_tlb_shootdown(struct proc_mm *mm, u64 start, u64 end)
{
	flush_cpus(mm ? mm->pgd : 0, start, end);
}

void arch_switch_mm(phys_addr_t pgd)
{
	struct machine_cpu *mc = this_machine_cpu();

	if (mc->loaded_pgd == pgd)
		return;
	(void)xchg(&mc->loaded_pgd, pgd);
	write_cr3(pgd);
}

static void unload(void *arg)
{
	unsigned long flags = irq_save();

	if (this_machine_cpu()->loaded_pgd == *(phys_addr_t *)arg)
		arch_switch_mm(kernel_pgd);
	irq_restore(flags);
}

void mmu_unload(phys_addr_t pgd)
{
	preempt_disable();
	call_cpus(cpus_with(pgd), unload, &pgd);
	preempt_enable();
}

/* ---- kernel mappings ---- */

int arch_kmap(u64 va, phys_addr_t pa, size_t bytes, u32 flags)
{
	for (u64 off = 0; off < bytes; off += PAGE_SIZE) {
		int err;

		spin_lock(&kernel_lock);
		/* top-level entries are fixed: a new one would be missing in the other address
		 * spaces */
		err = ((u64 *)phys_to_virt(kernel_pgd))[SLOT(va + off)] & P_PRESENT ?
			      arch_map(kernel_pgd, va + off, pa + off, flags & ~PTE_USER) :
			      -ENOMEM;
		spin_unlock(&kernel_lock);
		if (err) {
			arch_kunmap(va, off);
			return err;
		}
	}
	return 0;
}

void arch_kunmap(u64 va, size_t bytes)
{
	if (!bytes)
		return;
	for (u64 off = 0; off < bytes; off += PAGE_SIZE)
		arch_unmap(kernel_pgd, va + off, NULL);
	arch_tlb_shootdown(NULL, va, va + bytes);
}

int arch_kprotect(u64 va, size_t bytes, u32 flags)
{
	for (u64 off = 0; off < bytes; off += PAGE_SIZE) {
		u64 *e = entry_of(kernel_pgd, va + off, 0, false);

		if (!e || !(*e & P_PRESENT))
			return -EINVAL;
		WRITE_ONCE(*e, encode(va, *e & P_ADDR, flags & ~PTE_USER));
	}
	arch_tlb_shootdown(NULL, va, va + bytes);
	return 0;
}

void *mmu_map_physical(phys_addr_t pa, size_t n)
{
	phys_addr_t page = ALIGN_DOWN(pa, PAGE_SIZE);

	for (; page < pa + n; page += PAGE_SIZE) {
		u64 va = DIRECT_MAP_BASE + page;

		if (!arch_lookup(kernel_pgd, va, NULL) && arch_kmap(va, page, PAGE_SIZE, PTE_WRITE))
			return NULL;
	}
	return phys_to_virt(pa);
}

void *mmu_map_device(phys_addr_t pa, size_t n)
{
	phys_addr_t page = ALIGN_DOWN(pa, PAGE_SIZE);
	size_t size = ALIGN_UP(pa + n, PAGE_SIZE) - page;
	u64 va;

	spin_lock(&kernel_lock);
	va = device_next;
	if (DEVICE_END - va < size) {
		spin_unlock(&kernel_lock);
		return NULL;
	}
	device_next += size;
	spin_unlock(&kernel_lock);
	if (arch_kmap(va, page, size, PTE_WRITE | PTE_UNCACHED))
		return NULL;
	return (void *)(va + (pa - page));
}
