/* SPDX-License-Identifier: MIT */
/* loader.c - from a checked image to a running module: memory, symbols, relocations, rights,
 * parameters, init. Code is never writable while it can run: everything is filled in as plain data
 * and then given its final rights. Whatever fails, nothing of the module stays behind. */
#define LOG_NAME "module: "
#include <core/sched.h>
#include <core/vm.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/string.h>
#include <weft/time.h>
#include <weft/version.h>

#include "internal.h"

#define HANDLE_SIZE 64 /* struct module at the head of the data, a cache line */

/* What only lives while a module is being loaded. */
struct load {
	struct module_image img;
	struct module_state *st;
	u64 *section_addr; /* 0: not in memory */
	u64 *symbol_value;
};

/* ---- memory ---- */

static bool is_init_section(const struct module_image *img, u32 i)
{
	return !strncmp(image_section_name(img, i), ".init.", 6);
}

static enum module_part part_of(const struct elf64_shdr *s)
{
	if (s->flags & ELF_SHF_EXECINSTR)
		return PART_TEXT;
	return s->flags & ELF_SHF_WRITE ? PART_DATA : PART_RODATA;
}

static bool is_loaded(const struct load *l, u32 i)
{
	const struct elf64_shdr *s = &l->img.sections[i];

	return (s->flags & ELF_SHF_ALLOC) && s->size &&
	       strcmp(image_section_name(&l->img, i), ".modinfo");
}

static struct module_area *area_of(struct load *l, u32 i)
{
	return is_init_section(&l->img, i) ? &l->st->init : &l->st->core;
}

/* Gives each section its offset in its part (left in section_addr, +1 to tell 0 from "none"), and
 * the areas their sizes. */
static void layout(struct load *l)
{
	struct module_area *areas[] = { &l->st->core, &l->st->init };
	u32 i, part;

	l->st->core.part_size[PART_DATA] = HANDLE_SIZE;
	for (i = 1; i < l->img.nr_sections; i++) {
		const struct elf64_shdr *s = &l->img.sections[i];
		size_t *used, align = max(s->addralign, (u64)1);

		if (!is_loaded(l, i))
			continue;
		used = &area_of(l, i)->part_size[part_of(s)];
		*used = ALIGN_UP(*used, align);
		l->section_addr[i] = *used + 1;
		*used += s->size;
	}
	for (i = 0; i < ARRAY_SIZE(areas); i++) {
		for (part = 0; part < PART_COUNT; part++) {
			areas[i]->part_size[part] = ALIGN_UP(areas[i]->part_size[part], PAGE_SIZE);
			areas[i]->size += areas[i]->part_size[part];
		}
	}
}

static u8 *part_base(const struct module_area *area, enum module_part part)
{
	u8 *p = area->base;
	u32 i;

	for (i = 0; i < part; i++)
		p += area->part_size[i];
	return p;
}

static int area_alloc(struct module_area *area)
{
	size_t size = area->size;
	u8 *base;

	if (!size)
		return 0;
	/* visible to module_of() only once it has a base */
	area->size = 0;
	base = module_alloc(size);
	if (!base)
		return -ENOMEM;
	memset(base, 0, size);
	area->base = base;
	smp_store_release(&area->size, size);
	return 0;
}

static int place_sections(struct load *l)
{
	struct module_state *st = l->st;
	u32 i;

	layout(l);
	if (area_alloc(&st->core) || area_alloc(&st->init))
		return -ENOMEM;
	for (i = 1; i < l->img.nr_sections; i++) {
		const struct elf64_shdr *s = &l->img.sections[i];
		u8 *to;

		if (!l->section_addr[i])
			continue;
		to = part_base(area_of(l, i), part_of(s)) + l->section_addr[i] - 1;
		l->section_addr[i] = (u64)to;
		if (s->type != ELF_SHT_NOBITS)
			memcpy(to, l->img.data + s->offset, s->size);
	}
	st->module = (struct module *)part_base(&st->core, PART_DATA);
	st->module->name = st->name;
	st->module->state = st;
	return 0;
}

static int area_protect(const struct module_area *area)
{
	static const u32 rights[PART_COUNT] = { [PART_TEXT] = PTE_EXEC, [PART_DATA] = PTE_WRITE };
	u32 part;
	int err;

	for (part = 0; part < PART_COUNT; part++) {
		if (!area->size || !area->part_size[part])
			continue;
		err = arch_kprotect((u64)part_base(area, part), area->part_size[part],
				    rights[part]);
		if (err)
			return err;
	}
	return 0;
}

/* ---- linking ---- */

static int resolve_symbol(struct load *l, u32 i)
{
	const struct elf64_sym *sym = &l->img.symbols[i];
	const char *name = l->img.symbol_names + sym->name;
	const void *addr;

	if (sym->shndx == ELF_SHN_ABS) {
		l->symbol_value[i] = sym->value;
	} else if (sym->shndx != ELF_SHN_UNDEF) {
		if (l->section_addr[sym->shndx])
			l->symbol_value[i] = l->section_addr[sym->shndx] + sym->value;
	} else if (!strcmp(name, "weft_this_module")) {
		l->symbol_value[i] = (u64)l->st->module;
	} else if (*name) {
		addr = symbol_resolve(l->st, name);
		if (PTR_ERR(addr) == -ENOENT)
			symbol_explain_missing(&l->img, name);
		if (IS_ERR(addr))
			return PTR_ERR(addr);
		l->symbol_value[i] = (u64)addr;
	}
	return 0;
}

static int relocate_section(struct load *l, const struct elf64_shdr *s)
{
	const struct elf64_rela *r = (const struct elf64_rela *)(l->img.data + s->offset);
	u64 base = l->section_addr[s->info], i, n = s->size / sizeof(*r);
	int err;

	for (i = 0; base && i < n; i++) {
		u32 sym = ELF_RELA_SYM(r[i].info), type = ELF_RELA_TYPE(r[i].info);
		u64 at = base + r[i].offset;

		if (type == ELF_R_X86_64_NONE)
			continue;
		/* A symbol without a place: the section it lies in is not loaded. */
		err = sym && !l->symbol_value[sym] && l->img.symbols[sym].shndx != ELF_SHN_ABS ?
			      -ENOEXEC :
			      arch_relocate(type, (void *)at, at, l->symbol_value[sym],
					    r[i].addend);
		if (err) {
			pr_err("%s: section %s: relocation type %u of %s %s\n", l->img.name,
			       image_section_name(&l->img, s->info), type,
			       l->img.symbol_names + l->img.symbols[sym].name,
			       err == -ERANGE ? "does not reach" : "is not possible");
			return -ENOEXEC;
		}
	}
	return 0;
}

static int link_image(struct load *l)
{
	u32 i;
	int err;

	for (i = 1; i < l->img.nr_symbols; i++) {
		err = resolve_symbol(l, i);
		if (err)
			return err;
	}
	for (i = 1; i < l->img.nr_sections; i++) {
		if (l->img.sections[i].type != ELF_SHT_RELA)
			continue;
		err = relocate_section(l, &l->img.sections[i]);
		if (err)
			return err;
	}
	return 0;
}

/* ---- tables of the linked module ---- */

static bool within(const u8 *base, size_t size, const void *p, size_t n)
{
	return (const u8 *)p >= base && n <= size && (size_t)((const u8 *)p - base) <= size - n;
}

static bool in_part(const struct module_area *area, enum module_part part, const void *p, size_t n)
{
	return area->size && within(part_base(area, part), area->part_size[part], p, n);
}

/* A string that ends within the module's constants (or data). */
static bool is_own_string(const struct module_state *st, const char *p)
{
	enum module_part part = in_part(&st->core, PART_DATA, p, 1) ? PART_DATA : PART_RODATA;
	const u8 *end = part_base(&st->core, part) + st->core.part_size[part];

	return in_part(&st->core, part, p, 1) && memchr(p, 0, end - (const u8 *)p);
}

static bool is_own_data(const struct module_state *st, const void *p, size_t n)
{
	return in_part(&st->core, PART_DATA, p, n) || in_part(&st->core, PART_RODATA, p, n) ||
	       in_part(&st->core, PART_TEXT, p, n);
}

static bool param_is_sane(const struct module_state *st, const struct kparam *p)
{
	static const u8 sizes[] = { [PARAM_INT] = 4, [PARAM_UINT] = 4, [PARAM_BOOL] = 1 };

	if (p->type > PARAM_STRING || !is_own_string(st, p->name) ||
	    !is_own_string(st, p->module) || !in_part(&st->core, PART_DATA, p->value, p->size))
		return false;
	if (p->check && !in_part(&st->core, PART_TEXT, (const void *)p->check, 1))
		return false;
	if (p->type == PARAM_STRING)
		return p->size && memchr(p->value, 0, p->size);
	return p->size == sizes[p->type] && (u64)p->value % p->size == 0;
}

/* The pointers in the tables come from relocations; a damaged file may send them anywhere. */
static int find_tables(struct load *l)
{
	struct module_state *st = l->st;
	const struct elf64_shdr *sections = l->img.sections;
	const char *by;
	u32 i;

	if (l->img.entry)
		st->entry = *(const struct module_entry *)l->section_addr[l->img.entry];
	if ((st->entry.init && !in_part(&st->core, PART_TEXT, (const void *)st->entry.init, 1) &&
	     !in_part(&st->init, PART_TEXT, (const void *)st->entry.init, 1)) ||
	    (st->entry.exit && !in_part(&st->core, PART_TEXT, (const void *)st->entry.exit, 1)))
		goto bad;
	if (l->img.eh_frame) {
		st->eh_frame = (const u8 *)l->section_addr[l->img.eh_frame];
		st->eh_frame_size = st->eh_frame ? sections[l->img.eh_frame].size : 0;
	}
	if (l->img.params) {
		st->params = (const struct kparam *)l->section_addr[l->img.params];
		st->nr_params = sections[l->img.params].size / sizeof(*st->params);
	}
	for (i = 0; i < st->nr_params; i++) {
		if (!param_is_sane(st, &st->params[i]))
			goto bad;
	}
	if (!l->img.exports)
		return 0;
	st->exports = (const struct ksym *)l->section_addr[l->img.exports];
	for (i = 0; i < sections[l->img.exports].size / sizeof(*st->exports); i++) {
		if (!is_own_string(st, st->exports[i].name) ||
		    !is_own_data(st, st->exports[i].addr, 1))
			goto bad;
		if (symbol_exported(st->exports[i].name, &by)) {
			pr_err("%s: exports %s, which %s has already\n", st->name,
			       st->exports[i].name, by);
			return -ENOEXEC;
		}
	}
	st->nr_exports = i;
	return 0;
bad:
	pr_err("%s: its tables point outside of it: damaged file?\n", st->name);
	return -ENOEXEC;
}

/* ---- the way in ---- */

/* Takes the name. Waits for another load of it that is under way. */
static int enter_list(struct module_state *st)
{
	u64 end = ktime_get() + OTHER_LOAD_WAIT;
	struct module_state *other;
	bool wait;
	int err;

	for (;;) {
		mutex_lock(&module_mutex);
		other = module_find_locked(st->name);
		if (!other)
			list_add_tail(&st->node, &modules);
		wait = other && !other->builtin && other->stage == MODULE_COMING;
		mutex_unlock(&module_mutex);
		if (!other)
			return 0;
		if (!wait || ktime_get() >= end)
			return -EEXIST;
		err = wait_event_interruptible_timeout(&module_stage_wait, false,
						       ktime_get() + 50 * NSEC_PER_MSEC);
		if (err == -ERESTARTSYS)
			return -EINTR;
	}
}

static int check_vermagic(const struct module_image *img)
{
	if (img->vermagic && !strcmp(img->vermagic, WEFT_VERMAGIC))
		return 0;
	pr_err("%s: built for \"%s\", this kernel is \"%s\": build it for this kernel\n", img->name,
	       img->vermagic ? img->vermagic : "(unknown)", WEFT_VERMAGIC);
	return -ENOEXEC;
}

static int prepare(struct load *l, char *args)
{
	struct module_state *st = l->st;
	int err = place_sections(l);

	if (!err)
		err = link_image(l);
	if (err)
		return err;
	mutex_lock(&module_mutex);
	err = find_tables(l);
	mutex_unlock(&module_mutex);
	if (!err)
		err = kallsyms_keep(st, &l->img, l->section_addr);
	if (!err)
		err = area_protect(&st->core);
	if (!err)
		err = area_protect(&st->init);
	if (err)
		return err;
	params_from_cmdline(st);
	err = params_parse(st, args);
	if (!err)
		err = module_sysfs_add(st);
	return err;
}

static void free_init_area(struct module_state *st)
{
	u8 *base = st->init.base;

	if (!st->init.size)
		return;
	WRITE_ONCE(st->init.size, 0);
	synchronize_rcu();
	st->init.base = NULL;
	vfree(base);
}

static int start(struct module_state *st)
{
	int err = st->entry.init ? st->entry.init() : 0;

	if (err) {
		if (err > 0 || err < -MAX_ERRNO) {
			pr_warn("%s: init returned %d, which is no errno\n", st->name, err);
			err = -EINVAL;
		}
		pr_err("%s: init failed: error %d\n", st->name, err);
		return err;
	}
	free_init_area(st);
	if (st->out_of_tree)
		taint_add(TAINT_OUT_OF_TREE);
	module_set_stage(st, MODULE_LIVE);
	return 0;
}

void module_state_free(struct module_state *st)
{
	if (st->core.size)
		vfree(st->core.base);
	if (st->init.size)
		vfree(st->init.base);
	kfree(st->funcs);
	kfree(st->func_names);
	kfree(st);
}

/* Timers and works have no record in the ledger (they are armed too often): they are known by
 * where they or their functions lie. A module whose init failed may have left some in its init
 * section. */
static void sweep_callbacks(struct module_state *st)
{
	const struct module_area *areas[] = { &st->core, &st->init };
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(areas); i++) {
		u64 start = (u64)areas[i]->base, end = start + areas[i]->size;

		do {
			n = timers_sweep(start, end);
			n += works_sweep(start, end);
		} while (n);
	}
}

void module_dismantle(struct module_state *st)
{
	module_set_stage(st, MODULE_GOING);
	if (st->module)
		ledger_sweep(st->module);
	sweep_callbacks(st);
	module_sysfs_remove(st);
	/* Callbacks still on their way run the module's code. */
	rcu_barrier();
	deps_release(st);
	mutex_lock(&module_mutex);
	list_del_rcu(&st->node);
	mutex_unlock(&module_mutex);
	synchronize_rcu();
	module_state_free(st);
	wake_up_all(&module_stage_wait);
}

static int load_checked(struct load *l, char *args)
{
	int err;

	l->st = module_state_new(l->img.name);
	/* Both are bounded by the file's size. */
	l->section_addr = vmalloc(l->img.nr_sections * sizeof(u64));
	l->symbol_value = vmalloc((size_t)max(l->img.nr_symbols, 1u) * sizeof(u64));
	if (!l->st || !l->section_addr || !l->symbol_value) {
		kfree(l->st);
		return -ENOMEM;
	}
	memset(l->section_addr, 0, l->img.nr_sections * sizeof(u64));
	memset(l->symbol_value, 0, (size_t)max(l->img.nr_symbols, 1u) * sizeof(u64));
	l->st->out_of_tree = !l->img.intree || strcmp(l->img.intree, "Y");
	err = enter_list(l->st);
	if (err) {
		module_state_free(l->st);
		return err;
	}
	err = prepare(l, args);
	if (!err)
		err = start(l->st);
	if (err)
		module_dismantle(l->st);
	return err;
}

int module_load(const void *data, size_t len, char *args)
{
	struct load *l = kzalloc(sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	err = image_check(&l->img, data, len);
	if (err)
		pr_err("%s: not loaded: %s\n", l->img.name ? l->img.name : "file", l->img.why);
	if (!err)
		err = check_vermagic(&l->img);
	if (!err)
		err = load_checked(l, args);
	vfree(l->section_addr);
	vfree(l->symbol_value);
	kfree(l);
	return err;
}
