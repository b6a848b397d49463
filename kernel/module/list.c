/* SPDX-License-Identifier: MIT */
/* list.c - the list of modules: names, stages, and which module an address belongs to. Writers hold
 * module_mutex; module_of walks under RCU, so a listed state is freed after a grace period. */
#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/rcu.h>
#include <weft/string.h>
#include <weft/time.h>

#include "internal.h"

DEFINE_MUTEX(module_mutex);
LIST_HEAD(modules);
struct spinlock module_lock = SPINLOCK_INIT;
struct wait_queue module_stage_wait = WAIT_QUEUE_INIT(module_stage_wait);
static u32 stage_changes; /* guarded by module_lock, read without it */

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
	st->loader = current();
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
	struct module_state *other;

	spin_lock(&module_lock);
	st->stage = stage;
	__atomic_add_fetch(&stage_changes, 1, __ATOMIC_RELEASE);
	rcu_read_lock();
	list_for_each_entry(other, &modules, node)
		WRITE_ONCE(other->waiting, false); /* each looks again */
	rcu_read_unlock();
	spin_unlock(&module_lock);
	wake_up_all(&module_stage_wait);
}

/* Is another module on its way to its start, by another thread, that does not wait itself? */
static bool others_coming(const struct module_state *but)
{
	const struct module_state *st;
	bool coming = false;

	rcu_read_lock();
	list_for_each_entry(st, &modules, node)
		coming |= st != but && st->loader != current() && !READ_ONCE(st->waiting) &&
			  READ_ONCE(st->stage) == MODULE_COMING;
	rcu_read_unlock();
	return coming;
}

u32 module_stages_seen(void)
{
	return __atomic_load_n(&stage_changes, __ATOMIC_ACQUIRE);
}

bool module_wait_for_change(struct module_state *st, u32 seen, u64 deadline)
{
	int err;

	if (!others_coming(st) || ktime_get() >= deadline)
		return module_stages_seen() != seen;
	spin_lock(&module_lock);
	WRITE_ONCE(st->waiting, module_stages_seen() == seen);
	spin_unlock(&module_lock);
	wake_up_all(&module_stage_wait);
	err = wait_event_interruptible_timeout(
		&module_stage_wait, module_stages_seen() != seen || !others_coming(st), deadline);
	return !err && module_stages_seen() != seen;
}

void module_wait_for_others(u64 deadline)
{
	wait_event_interruptible_timeout(&module_stage_wait, !others_coming(NULL), deadline);
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

/* An entry for the init area, which is freed, is never looked for: addr would have to lie there. */
bool module_unwind_table(u64 addr, const u8 **start, const u8 **end)
{
	const struct module_state *st;

	list_for_each_entry(st, &modules, node) {
		if (!in_area(&st->init, (const void *)addr) &&
		    (!READ_ONCE(st->core.size) ||
		     addr - (u64)st->core.base >= st->core.part_size[PART_TEXT]))
			continue;
		*start = st->eh_frame;
		*end = st->eh_frame + st->eh_frame_size;
		return true;
	}
	return false;
}

void module_note_oops(u64 addr)
{
	struct module *m = module_of((const void *)addr);

	taint_add(TAINT_DIE);
	if (m && m->state)
		WRITE_ONCE(m->state->broken, true);
}
