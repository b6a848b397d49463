/* SPDX-License-Identifier: MIT */
/* stats.c - the start of memory management and its windows: /proc/meminfo, vmstat and slabinfo in
 * Linux's formats, the switch that makes allocations fail on purpose, and the counts. */
#include <core/vm.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/seqfile.h>

#include "mm.h"

#define KB(pages) ((unsigned long long)(pages) << (PAGE_SHIFT - 10))

extern unsigned long __stack_chk_guard;
static int overcommit_memory;

void mem_stats_get(struct mem_stats *s)
{
	s->total_pages = page_total();
	s->free_pages = page_free_count();
	s->slab_pages = slab_page_count();
	s->vmalloc_pages = vmalloc_page_count();
	s->user_pages = page_user_count();
	s->file_pages = page_file_count();
	kmalloc_stats(&s->kmalloc_bytes, &s->blocks_alive);
}
EXPORT(mem_stats_get);

static void meminfo_line(struct seq *s, const char *name, u64 pages)
{
	seq_printf(s, "%-15s %8llu kB\n", name, KB(pages));
}

static int meminfo_show(struct seq *s)
{
	struct mem_stats m;

	mem_stats_get(&m);
	meminfo_line(s, "MemTotal:", m.total_pages);
	meminfo_line(s, "MemFree:", m.free_pages);
	meminfo_line(s, "MemAvailable:", mem_available());
	meminfo_line(s, "Buffers:", 0);
	meminfo_line(s, "Cached:", m.file_pages);
	meminfo_line(s, "SwapCached:", 0);
	meminfo_line(s, "Active:", m.user_pages);
	meminfo_line(s, "Inactive:", m.file_pages);
	meminfo_line(s, "SwapTotal:", 0);
	meminfo_line(s, "SwapFree:", 0);
	meminfo_line(s, "Dirty:", 0);
	meminfo_line(s, "Writeback:", 0);
	meminfo_line(s, "AnonPages:", m.user_pages);
	meminfo_line(s, "Mapped:", 0);
	/* every file system is in memory */
	meminfo_line(s, "Shmem:", m.file_pages);
	meminfo_line(s, "KReclaimable:", 0);
	meminfo_line(s, "Slab:", m.slab_pages);
	meminfo_line(s, "SReclaimable:", 0);
	meminfo_line(s, "SUnreclaim:", m.slab_pages);
	meminfo_line(s, "CommitLimit:", m.total_pages);
	meminfo_line(s, "VmallocTotal:", (VMALLOC_END - VMALLOC_BASE) >> PAGE_SHIFT);
	meminfo_line(s, "VmallocUsed:", m.vmalloc_pages);
	return 0;
}

static int vmstat_show(struct seq *s)
{
	struct mem_stats m;

	mem_stats_get(&m);
	seq_printf(s,
		   "nr_free_pages %llu\nnr_anon_pages %llu\nnr_file_pages %llu\n"
		   "nr_slab_unreclaimable %llu\nnr_vmalloc_pages %llu\n"
		   "kmalloc_bytes %llu\nkmalloc_blocks %llu\nslab_objects %llu\n",
		   (unsigned long long)m.free_pages, (unsigned long long)m.user_pages,
		   (unsigned long long)m.file_pages, (unsigned long long)m.slab_pages,
		   (unsigned long long)m.vmalloc_pages, (unsigned long long)m.kmalloc_bytes,
		   (unsigned long long)m.blocks_alive, (unsigned long long)slab_objects());
	return 0;
}

static struct procfile meminfo_file = { .path = "meminfo", .mode = 0444, .show = meminfo_show };
static struct procfile vmstat_file = { .path = "vmstat", .mode = 0444, .show = vmstat_show };
static struct procfile slabinfo_file = { .path = "slabinfo", .mode = 0400, .show = slabinfo_show };
static struct sysctl fail_alloc_ctl = {
	.path = "kernel/fail_alloc",
	.value = (int *)&fail_alloc_every,
	.max = 1000000000,
};
/* Always heuristic: a single request beyond all memory is refused, anything else is believed. */
static struct sysctl overcommit_ctl = {
	.path = "vm/overcommit_memory",
	.value = &overcommit_memory,
};

void mm_proc_init(void)
{
	int err = procfile_add(&meminfo_file);

	if (!err)
		err = procfile_add(&vmstat_file);
	if (!err)
		err = procfile_add(&slabinfo_file);
	if (!err)
		err = sysctl_add(&fail_alloc_ctl);
	if (!err)
		err = sysctl_add(&overcommit_ctl);
	if (err)
		pr_err("memory's files in /proc are not complete: error %d\n", err);
}

/* A frame made before still holds the old guard and must not return through the check: kmain never
 * returns, and this one has no check. */
__attribute__((no_stack_protector)) void mm_init(void)
{
	u64 seed = arch_cycles() * 0x9e3779b97f4a7c15ull, entropy;

	if (arch_random_seed(&entropy))
		seed ^= entropy;
	__stack_chk_guard = seed & ~0xffull;
	page_init();
	slab_init();
	vma_init();
	fault_init();
}
