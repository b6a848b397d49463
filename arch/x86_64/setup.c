/* SPDX-License-Identifier: MIT */
/* setup.c - from GRUB's Multiboot2 information (specification 2.0, section 3.6) to boot_info, then
 * the page tables and traps that kmain() may rely on. The tags may lie in memory that is free by
 * the map, so everything is copied before the first page is taken. */

#include <weft/printk.h>
#include <weft/string.h>

#include "machine.h"

#define MB2_BOOT_MAGIC 0x36d76289
#define MB2_MAX_SIZE (1024 * 1024)

enum mb2_tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

enum mb2_mem_type { MEM_AVAILABLE = 1, MEM_ACPI_RECLAIM = 3, MEM_ACPI_NVS = 4 };

struct mb2_tag {
	u32 type, size;
};

struct mb2_mmap_entry {
	u64 addr, len;
	u32 type, zero;
};

struct mb2_framebuffer {
	struct mb2_tag tag;
	u64 addr;
	u32 pitch, width, height;
	u8 bpp, kind;
	u16 reserved;
	u8 red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
} __packed;

#define LOW_MEMORY_END 0x100000ull
#define MAX_PHYS (1ull << 46) /* what the direct map has room for */

struct boot_info boot_info;
u8 boot_rsdp[36];
phys_addr_t low_page;
static u32 rsdp_version;
static struct mem_range ram[ARRAY_SIZE(boot_info.mem)]; /* before anything was cut out */

/* Lengths that wrap around the address space end at its end. */
static u64 end_of(u64 start, u64 len)
{
	u64 end = start + len < start ? MAX_PHYS : start + len;

	return min(end, MAX_PHYS);
}

static void range_delete(u32 i)
{
	boot_info.nr_mem--;
	for (; i < boot_info.nr_mem; i++)
		boot_info.mem[i] = boot_info.mem[i + 1];
}

/* Inserts a usable range in order; a full table forgets it, which only wastes that memory. */
static void range_insert(u64 start, u64 end)
{
	u32 i = boot_info.nr_mem;

	if (start >= end || i == ARRAY_SIZE(boot_info.mem))
		return;
	for (; i > 0 && boot_info.mem[i - 1].start > start; i--)
		boot_info.mem[i] = boot_info.mem[i - 1];
	boot_info.mem[i] = (struct mem_range){ start, end, true };
	boot_info.nr_mem++;
}

static void range_cut(u64 start, u64 end)
{
	u32 i = 0;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	while (start < end && i < boot_info.nr_mem) {
		struct mem_range r = boot_info.mem[i];

		if (r.end <= start || r.start >= end) {
			i++;
			continue;
		}
		range_delete(i);
		range_insert(r.start, start);
		range_insert(end, r.end);
		i = 0;
	}
}

static void range_add(u64 start, u64 end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	range_cut(start, end); /* overlapping entries count once */
	range_insert(start, end);
}

static void ranges_merge(void)
{
	for (u32 i = 0; i + 1 < boot_info.nr_mem;) {
		if (boot_info.mem[i].end == boot_info.mem[i + 1].start) {
			boot_info.mem[i].end = boot_info.mem[i + 1].end;
			range_delete(i + 1);
		} else {
			i++;
		}
	}
}

/* Calls fn for the entries of one kind: available ones, or all others. */
static void mmap_each(const struct mb2_tag *t, bool available, void (*fn)(u64 start, u64 end))
{
	const u8 *p = (const u8 *)t;
	u32 entry_size;

	memcpy(&entry_size, p + 8, 4);
	if (entry_size < sizeof(struct mb2_mmap_entry))
		return;
	for (u32 off = 16; off + entry_size <= t->size; off += entry_size) {
		struct mb2_mmap_entry e;

		memcpy(&e, p + off, sizeof(e));
		if ((e.type == MEM_AVAILABLE) == available && e.addr < MAX_PHYS)
			fn(e.addr, end_of(e.addr, e.len));
	}
}

/* Some page below 640 KiB that the firmware does not use, not the first one. */
static void find_low_page(void)
{
	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		u64 start = max(boot_info.mem[i].start, (u64)0x1000);
		u64 end = min(boot_info.mem[i].end, (u64)0xa0000);

		if (start + PAGE_SIZE <= end)
			low_page = end - PAGE_SIZE;
	}
}

static void take_framebuffer(const struct mb2_tag *t)
{
	struct mb2_framebuffer f = { 0 };

	memcpy(&f, t, min((size_t)t->size, sizeof(f)));
	if (f.kind != 1 && f.kind != 2)
		return; /* palette screens are not driven */
	if (f.kind == 1 && f.bpp != 32 && f.bpp != 24 && f.bpp != 16)
		return;
	boot_info.fb.addr = f.addr;
	boot_info.fb.pitch = f.pitch;
	boot_info.fb.width = f.width;
	boot_info.fb.height = f.height;
	boot_info.fb.bpp = f.bpp;
	boot_info.fb.kind = f.kind;
	boot_info.fb.red_pos = f.red_pos;
	boot_info.fb.green_pos = f.green_pos;
	boot_info.fb.blue_pos = f.blue_pos;
}

/* The first module is the initrd. */
static void take_module(const struct mb2_tag *t)
{
	const u32 *range = (const u32 *)(t + 1);

	if (boot_info.initrd_end || t->size < 16 || range[0] >= range[1])
		return;
	boot_info.initrd_start = range[0];
	boot_info.initrd_end = range[1];
}

static void take_rsdp(const struct mb2_tag *t)
{
	if (t->type < rsdp_version || t->size < 8 + 20)
		return;
	rsdp_version = t->type;
	memset(boot_rsdp, 0, sizeof(boot_rsdp));
	memcpy(boot_rsdp, t + 1, min((size_t)t->size - 8, sizeof(boot_rsdp)));
}

static void take_cmdline(const struct mb2_tag *t)
{
	size_t n = min((size_t)t->size - sizeof(*t), sizeof(boot_info.cmdline) - 1);

	memcpy(boot_info.cmdline, t + 1, n);
}

static void parse_tags(u32 info_pa)
{
	const u8 *base = phys_to_virt(info_pa);
	u32 total = min(*(const u32 *)base, (u32)MB2_MAX_SIZE);
	const struct mb2_tag *map = NULL;

	for (u32 off = 8; off + sizeof(struct mb2_tag) <= total;) {
		const struct mb2_tag *t = (const struct mb2_tag *)(base + off);

		if (t->type == TAG_END || t->size < sizeof(*t) || t->size > total - off)
			break;
		if (t->type == TAG_CMDLINE)
			take_cmdline(t);
		else if (t->type == TAG_MODULE)
			take_module(t);
		else if (t->type == TAG_FRAMEBUFFER)
			take_framebuffer(t);
		else if (t->type == TAG_RSDP_OLD || t->type == TAG_RSDP_NEW)
			take_rsdp(t);
		else if (t->type == TAG_MMAP && t->size >= 16)
			map = t;
		off += ALIGN_UP(t->size, 8u);
	}
	if (!map)
		panic("the boot loader gave no memory map");
	mmap_each(map, true, range_add);
	mmap_each(map, false, range_cut);
	ranges_merge();
}

bool cmdline_get(const char *name, char *buf, size_t size)
{
	size_t n = strlen(name);
	const char *p = boot_info.cmdline;
	bool found = false;

	/* the last one wins, as users append */
	while (*p) {
		const char *word = p;
		size_t len;

		while (*p && *p != ' ')
			p++;
		len = (size_t)(p - word);
		if (len >= n && !strncmp(word, name, n) && (len == n || word[n] == '=')) {
			size_t skip = len == n ? n : n + 1;
			size_t copy = min(len - skip, size - 1);

			memcpy(buf, word + skip, copy);
			buf[copy] = '\0';
			found = true;
		}
		while (*p == ' ')
			p++;
	}
	return found;
}

void boot_main(u32 magic, u32 info_pa, u64 tsc)
{
	u32 nr_ram;

	boot_info.entry_tsc = tsc;
	cpu_detect();
	cpu_init(&boot_cpu, NULL);
	idt_init();
	if (magic != MB2_BOOT_MAGIC)
		panic("not started by a Multiboot2 loader (%#x)", magic);
	parse_tags(info_pa);
	find_low_page();
	/* the direct map covers what the kernel image and the initrd occupy as well */
	memcpy(ram, boot_info.mem, sizeof(ram));
	nr_ram = boot_info.nr_mem;
	range_cut(0, LOW_MEMORY_END);
	range_cut((u64)kernel_phys_start, (u64)kernel_phys_end);
	range_cut(boot_info.initrd_start, boot_info.initrd_end);
	mmu_init_boot(ram, nr_ram);
	kmain();
}
