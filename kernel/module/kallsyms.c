/* SPDX-License-Identifier: MIT */
/* kallsyms.c - names of functions, for backtraces: the kernel's own table, which the build
 * generates from the linked image, and what each module keeps of its symbol table. Lookups run in
 * any context. */
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/string.h>

#include "internal.h"

/* build/gen: offsets from KERNEL_BASE, sorted; names are offsets into the strings */
extern const u32 kallsyms_count;
extern const u32 kallsyms_offsets[], kallsyms_names[];
extern const char kallsyms_strings[];

struct found {
	const char *name;
	u64 offset, size;
};

static bool find_in_kernel(u64 addr, struct found *out)
{
	u32 lo = 0, hi = kallsyms_count, off;

	if (addr < KERNEL_BASE || addr >= MODULES_BASE || !hi)
		return false;
	off = addr - KERNEL_BASE;
	if (off < kallsyms_offsets[0])
		return false;
	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (kallsyms_offsets[mid] <= off)
			lo = mid;
		else
			hi = mid;
	}
	out->name = kallsyms_strings + kallsyms_names[lo];
	out->offset = off - kallsyms_offsets[lo];
	out->size = lo + 1 < kallsyms_count ? kallsyms_offsets[lo + 1] - kallsyms_offsets[lo] : 0;
	return true;
}

static bool find_in_module(const struct module_state *st, u64 addr, struct found *out)
{
	u64 off = addr - (u64)st->core.base;
	const struct module_func *best = NULL;
	u64 next = st->core.part_size[PART_TEXT];
	u32 i;

	if (!st->core.size || addr < (u64)st->core.base || off >= next)
		return false;
	for (i = 0; i < st->nr_funcs; i++) {
		const struct module_func *fn = &st->funcs[i];

		if (fn->offset <= off && (!best || fn->offset > best->offset))
			best = fn;
		else if (fn->offset > off && fn->offset < next)
			next = fn->offset;
	}
	if (!best)
		return false;
	out->name = st->func_names + best->name;
	out->offset = off - best->offset;
	out->size = next - best->offset;
	return true;
}

/* before: bytes from the address whose function is looked for to the one that is told. */
static void name_place(u64 addr, u32 before, char *buf, size_t size)
{
	struct module_state *st;
	struct found f;

	buf[0] = '\0';
	if (find_in_kernel(addr, &f)) {
		snprintf(buf, size, "%s+0x%llx/0x%llx", f.name,
			 (unsigned long long)(f.offset + before), (unsigned long long)f.size);
		return;
	}
	rcu_read_lock();
	list_for_each_entry(st, &modules, node) {
		if (find_in_module(st, addr, &f)) {
			snprintf(buf, size, "%s+0x%llx/0x%llx [%s]", f.name,
				 (unsigned long long)(f.offset + before),
				 (unsigned long long)f.size, st->name);
			break;
		}
		if (st->init.size && addr - (u64)st->init.base < st->init.size) {
			snprintf(buf, size, "init+0x%llx [%s]",
				 (unsigned long long)(addr - (u64)st->init.base + before),
				 st->name);
			break;
		}
	}
	rcu_read_unlock();
}

void symbol_name(u64 addr, char *buf, size_t size)
{
	name_place(addr, 0, buf, size);
}

void symbol_name_of_call(u64 ret, char *buf, size_t size)
{
	name_place(ret - 1, 1, buf, size);
}

/* A function of the module's resident code; *offset is where. */
static bool is_kept(const struct module_state *st, const struct elf64_sym *sym,
		    const u64 *section_addr, u32 *offset)
{
	u64 addr;

	if (ELF_SYM_TYPE(sym->info) != ELF_STT_FUNC || sym->shndx == ELF_SHN_UNDEF ||
	    sym->shndx == ELF_SHN_ABS || !section_addr[sym->shndx])
		return false;
	addr = section_addr[sym->shndx] + sym->value;
	if (addr < (u64)st->core.base || addr - (u64)st->core.base >= st->core.part_size[PART_TEXT])
		return false;
	*offset = addr - (u64)st->core.base;
	return true;
}

int kallsyms_keep(struct module_state *st, const struct module_image *img, const u64 *section_addr)
{
	size_t bytes = 0;
	u32 i, n = 0, offset;

	for (i = 0; i < img->nr_symbols; i++) {
		if (!is_kept(st, &img->symbols[i], section_addr, &offset))
			continue;
		n++;
		bytes += strlen(img->symbol_names + img->symbols[i].name) + 1;
	}
	if (!n)
		return 0;
	st->funcs = kcalloc(n, sizeof(*st->funcs));
	st->func_names = kmalloc(bytes);
	if (!st->funcs || !st->func_names)
		return -ENOMEM;
	for (i = 0, n = 0, bytes = 0; i < img->nr_symbols; i++) {
		const char *name = img->symbol_names + img->symbols[i].name;

		if (!is_kept(st, &img->symbols[i], section_addr, &offset))
			continue;
		st->funcs[n++] = (struct module_func){ .offset = offset, .name = bytes };
		memcpy(st->func_names + bytes, name, strlen(name) + 1);
		bytes += strlen(name) + 1;
	}
	st->nr_funcs = n;
	return 0;
}

static int kallsyms_show(struct seq *s)
{
	bool hide = require_root(); /* addresses are for root, as on Linux */
	struct module_state *st;
	u32 i;

	for (i = 0; i < kallsyms_count; i++)
		seq_printf(s, "%016llx t %s\n",
			   hide ? 0ull : (unsigned long long)(KERNEL_BASE + kallsyms_offsets[i]),
			   kallsyms_strings + kallsyms_names[i]);
	mutex_lock(&module_mutex);
	list_for_each_entry(st, &modules, node) {
		for (i = 0; i < st->nr_funcs; i++)
			seq_printf(s, "%016llx t %s\t[%s]\n",
				   hide ? 0ull :
					  (unsigned long long)st->core.base + st->funcs[i].offset,
				   st->func_names + st->funcs[i].name, st->name);
	}
	mutex_unlock(&module_mutex);
	return 0;
}

static struct procfile kallsyms_file = {
	.path = "kallsyms",
	.mode = 0444,
	.show = kallsyms_show,
};

void kallsyms_init(void)
{
	procfile_add(&kallsyms_file);
}
