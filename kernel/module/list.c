/* SPDX-License-Identifier: MIT */
/* list.c - the list of modules: names, stages, and which module an address belongs to. Writers hold
 * module_mutex; module_of walks under RCU, so a listed state is freed after a grace period. */
#include <weft/alloc.h>
#include <weft/rcu.h>
#include <weft/string.h>

#include "internal.h"

DEFINE_MUTEX(module_mutex);
LIST_HEAD(modules);
struct spinlock module_lock = SPINLOCK_INIT;
struct wait_queue module_stage_wait = WAIT_QUEUE_INIT(module_stage_wait);

const char *module_name(const struct module *m)
{
	return m ? m->name : "kernel";
}
EXPORT(module_name);

struct module_state *module_state_new(const char *name)
{
	struct module_state *st = kzalloc(sizeof(*st));

	if (!st)
		return NULL;
	strscpy(st->name, name, sizeof(st->name));
	list_init(&st->uses);
	list_init(&st->node);
	list_init(&st->refs);
	list_init(&st->ledger);
	st->stage = MODULE_COMING;
	return st;
}

bool module_name_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	}
	return *a == *b;
}

struct module_state *module_find_locked(const char *name)
{
	struct module_state *st;

	list_for_each_entry(st, &modules, node) {
		if (module_name_equal(st->name, name))
			return st;
	}
	return NULL;
}

void module_set_stage(struct module_state *st, enum module_stage stage)
{
	spin_lock(&module_lock);
	st->stage = stage;
	spin_unlock(&module_lock);
	wake_up_all(&module_stage_wait);
}

static bool in_area(const struct module_area *area, const void *addr)
{
	size_t size = READ_ONCE(area->size);

	return size && (const u8 *)addr >= area->base && (const u8 *)addr < area->base + size;
}

struct module *module_of(const void *addr)
{
	struct module_state *st;
	struct module *m = NULL;

	rcu_read_lock();
	list_for_each_entry(st, &modules, node) {
		if (in_area(&st->core, addr) || in_area(&st->init, addr)) {
			m = st->module;
			break;
		}
	}
	rcu_read_unlock();
	return m;
}
EXPORT(module_of);

void module_note_oops(u64 addr)
{
	struct module *m = module_of((const void *)addr);

	taint_add(TAINT_DIE);
	if (m && m->state)
		WRITE_ONCE(m->state->broken, true);
}
