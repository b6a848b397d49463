/* SPDX-License-Identifier: MIT */
/* machine_module.c - insmod for modules that are linked into the process. Each one's .data and .bss
 * lie in sections of their own (see scripts/make/sim.mk), so that a load starts from fresh data as
 * it does in the kernel. Holders, ledger and rmmod are the kernel's own code. */
#include <core/sched.h>
#include <kernel/module/internal.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/string.h>

#include "machine.h"

/* What each folder of modules/ brings; the build lists them with their deps. Data sections are
 * absent when a module has no such data. */
#define X(n, deps)                                                                       \
	extern const struct module_entry weft_entry_##n;                                 \
	extern struct module weft_this_##n;                                              \
	struct module weft_this_##n = { .name = #n };                                    \
	extern u8 __start_##n##_text[], __stop_##n##_text[];                             \
	extern __weak u8 __start_##n##_data[], __stop_##n##_data[], __start_##n##_bss[], \
		__stop_##n##_bss[];
#include <sim_modules.h>
#undef X

struct image {
	struct module *module;
	const struct module_entry *entry;
	const char *deps; /* names, blanks between */
	u8 *text, *text_end;
	u8 *start[2], *stop[2];
	u8 *fresh[2]; /* as the compiler made it */
};

#define X(n, dep_names)                                       \
	{ .module = &weft_this_##n,                           \
	  .entry = &weft_entry_##n,                           \
	  .deps = dep_names,                                  \
	  .text = __start_##n##_text,                         \
	  .text_end = __stop_##n##_text,                      \
	  .start = { __start_##n##_data, __start_##n##_bss }, \
	  .stop = { __stop_##n##_data, __stop_##n##_bss } },
static struct image images[] = {
#include <sim_modules.h>
};
#undef X

extern const struct kparam __start___param[], __stop___param[];

/* ---- fresh data ---- */

/* Over the sanitizer's red zones between variables too: neither checked nor turned into memcpy. */
__attribute__((no_sanitize("address"), noinline)) static void copy_raw(u8 *to, const u8 *from,
								       size_t n)
{
	volatile u8 *d = to;

	while (n--)
		*d++ = *from++;
}

static void refresh(struct image *im)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		size_t n = im->stop[i] - im->start[i];

		if (im->fresh[i]) {
			copy_raw(im->start[i], im->fresh[i], n);
		} else if (n) {
			im->fresh[i] = malloc(n);
			copy_raw(im->fresh[i], im->start[i], n);
		}
	}
}

/* ---- what unload.c and list.c ask of the loader ---- */

static void deps_drop(struct module_state *st)
{
	struct module_dep *d, *tmp;

	list_for_each_entry_safe(d, tmp, &st->uses, node) {
		list_del(&d->node);
		module_release(&d->ref);
		kfree(d);
	}
}

void module_dismantle(struct module_state *st)
{
	u32 forgotten;

	module_set_stage(st, MODULE_GOING);
	forgotten = ledger_sweep(st->module);
	forgotten += timers_sweep((u64)st->core.base, (u64)st->core.base + st->core.size);
	forgotten += works_sweep((u64)st->core.base, (u64)st->core.base + st->core.size);
	rcu_barrier();
	deps_drop(st);
	mutex_lock(&module_mutex);
	list_del_rcu(&st->node);
	mutex_unlock(&module_mutex);
	st->module->state = NULL;
	kfree(st);
	wake_up_all(&module_stage_wait);
	if (forgotten)
		sim_fatal("a module's exit forgot %u registrations", forgotten);
}

void taint_add(u32 bits)
{
}

/* No user space: nothing is ever loaded on demand. */
int request_module(const char *fmt, ...)
{
	return -ENOENT;
}

/* ---- insmod ---- */

static struct image *image_named(const char *name, size_t len)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(images); i++) {
		if (strlen(images[i].module->name) == len &&
		    !strncmp(images[i].module->name, name, len))
			return &images[i];
	}
	sim_fatal("no module %.*s is linked in", (int)len, name);
}

bool sim_module_there(const char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(images) && strcmp(images[i].module->name, name); i++)
		;
	return i < ARRAY_SIZE(images);
}

static struct image *image_find(const char *name)
{
	return image_named(name, strlen(name));
}

static int hold_dep(struct module_state *st, struct module *m)
{
	struct module_dep *d = kzalloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (!m->state || !module_hold(m, &d->ref, "module")) {
		kfree(d);
		return -ENOENT; /* unresolved symbols */
	}
	d->ref.name = st->name;
	list_add_tail(&d->node, &st->uses);
	return 0;
}

static int hold_deps(struct module_state *st, const struct image *im)
{
	const char *name = im->deps;
	int err = 0;

	while (*name && !err) {
		const char *end = strchr(name, ' ');
		size_t len = end ? (size_t)(end - name) : strlen(name);

		err = hold_dep(st, image_named(name, len)->module);
		name += len + (end != NULL);
	}
	return err;
}

static int set_param(const char *module, const char *name, size_t len, const char *value)
{
	const struct kparam *p;
	int v;

	for (p = __start___param; p < __stop___param; p++) {
		if (strcmp(p->module, module) || strlen(p->name) != len ||
		    strncmp(p->name, name, len))
			continue;
		v = atoi(value);
		if (p->check && p->check(p, v))
			return -EINVAL;
		if (p->type == PARAM_BOOL)
			*(bool *)p->value = v;
		else
			*(int *)p->value = v;
		return 0;
	}
	return -ENOENT;
}

static int set_params(const char *module, const char *args)
{
	int err = 0;

	while (args && *args && !err) {
		const char *eq = strchr(args, '='), *end = strchr(args, ' ');

		if (!eq)
			return -EINVAL;
		err = set_param(module, args, eq - args, eq + 1);
		args = end ? end + 1 : NULL;
	}
	return err;
}

int sim_insmod(const char *name, const char *args)
{
	struct image *im = image_find(name);
	struct module_state *st;
	int err;

	if (im->module->state)
		return -EEXIST;
	refresh(im);
	st = module_state_new(name);
	if (!st)
		return -ENOMEM;
	st->module = im->module;
	st->core.base = im->text;
	st->core.size = im->text_end - im->text;
	st->entry = *im->entry;
	im->module->state = st;
	mutex_lock(&module_mutex);
	list_add_tail(&st->node, &modules);
	mutex_unlock(&module_mutex);
	err = set_params(name, args);
	if (!err)
		err = hold_deps(st, im);
	if (!err)
		err = st->entry.init();
	if (err)
		module_dismantle(st);
	else
		module_set_stage(st, MODULE_LIVE);
	return err;
}

int sim_rmmod(const char *name, bool force)
{
	return module_unload(name, force);
}

bool sim_module_loaded(const char *name)
{
	return image_find(name)->module->state != NULL;
}

/* ---- the ledger, counted ---- */

u32 machine_ledger_count(void)
{
	struct module_state *st;
	u32 n = ledger_count(NULL);

	list_for_each_entry(st, &modules, node)
		n += ledger_count(st->module);
	return n;
}

void machine_ledger_print(void)
{
	struct module_state *st;
	struct ledger_entry *e;

	list_for_each_entry(st, &modules, node) {
		list_for_each_entry(e, &st->ledger, node)
			fprintf(stderr, "  of %s: %s %s\n", st->name, e->kind, e->name);
	}
}
