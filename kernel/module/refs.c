/* SPDX-License-Identifier: MIT */
/* refs.c - who keeps a module loaded, by name; the counted door; and the callbacks that take a
 * module's users down for rmmod -f. A reference is the holder's memory on the module's list. */
#include <core/sched.h>
#include <weft/rcu.h>
#include <weft/string.h>
#include <weft/time.h>

#include "internal.h"

#define KINDS_MAX 8 /* different kinds of holders named for one module */
#define LINE_MAX 400

static DEFINE_MUTEX(force_mutex);
static LIST_HEAD(force_list);

bool module_hold_named(struct module *m, struct module_ref *ref, const char *kind, const char *name)
{
	struct module_state *st = m ? m->state : NULL;
	bool ok = true;

	list_init(&ref->node);
	ref->module = NULL;
	ref->kind = kind;
	ref->name = name;
	ref->pid = 0;
	ref->fd = -1;
	if (!st)
		return true; /* the core cannot leave */
	spin_lock(&module_lock);
	if (st->stage == MODULE_LIVE && !st->forcing) {
		ref->module = m;
		list_add_tail(&ref->node, &st->refs);
		st->nr_refs++;
	} else {
		ok = false;
	}
	spin_unlock(&module_lock);
	return ok;
}
EXPORT(module_hold_named);

bool module_hold_started(struct module *m, struct module_ref *ref, const char *kind)
{
	const struct module_state *st = m ? m->state : NULL;

	if (likely(module_hold(m, ref, kind)))
		return true;
	if (st->loader == current())
		return false;
	wait_event_timeout(&module_stage_wait, READ_ONCE(st->stage) != MODULE_COMING,
			   ktime_get() + OTHER_LOAD_WAIT);
	return module_hold(m, ref, kind);
}

void module_release(struct module_ref *ref)
{
	spin_lock(&module_lock);
	if (ref->module) {
		list_del(&ref->node);
		ref->module->state->nr_refs--;
		ref->module = NULL;
	}
	spin_unlock(&module_lock);
}
EXPORT(module_release);

static size_t describe_one(const struct module_ref *ref, char *buf, size_t size)
{
	if (ref->name)
		return scnprintf(buf, size, "%s", ref->name);
	if (ref->fd >= 0)
		return scnprintf(buf, size, "pid %d fd %d", ref->pid, ref->fd);
	if (ref->pid)
		return scnprintf(buf, size, "pid %d", ref->pid);
	return scnprintf(buf, size, "?");
}

/* One line for the kind; module_lock held. */
static void describe_kind(const struct module_state *st, const char *kind, char *line)
{
	const struct module_ref *ref;
	size_t len;
	u32 n = 0;

	list_for_each_entry(ref, &st->refs, node)
		n += !strcmp(ref->kind, kind);
	len = scnprintf(line, LINE_MAX, "%s: %u %s%s:", st->name, n, kind, n == 1 ? "" : "s");
	n = 0;
	list_for_each_entry(ref, &st->refs, node) {
		char one[64];

		if (strcmp(ref->kind, kind))
			continue;
		describe_one(ref, one, sizeof(one));
		if (len + strlen(one) + 8 > LINE_MAX) {
			scnprintf(line + len, LINE_MAX - len, ", ...");
			return;
		}
		len += scnprintf(line + len, LINE_MAX - len, "%s %s", n++ ? "," : "", one);
	}
}

/* The kinds in use; module_lock held. */
static u32 collect_kinds(const struct module_state *st, const char **kinds)
{
	const struct module_ref *ref;
	u32 i, n = 0;

	list_for_each_entry(ref, &st->refs, node) {
		for (i = 0; i < n && strcmp(kinds[i], ref->kind); i++)
			;
		if (i == n && n < KINDS_MAX)
			kinds[n++] = ref->kind;
	}
	return n;
}

void refs_describe(struct module_state *st, void (*emit)(void *arg, const char *line), void *arg)
{
	const char *kinds[KINDS_MAX];
	char line[LINE_MAX];
	u32 i, n;

	for (i = 0;; i++) {
		spin_lock(&module_lock);
		n = collect_kinds(st, kinds);
		if (i < n)
			describe_kind(st, kinds[i], line);
		spin_unlock(&module_lock);
		if (i >= n)
			return;
		emit(arg, line);
	}
}

/* ---- the counted door ---- */

int door_close(struct door *d, u64 timeout_ns)
{
	u64 end = ktime_get() + timeout_ns;

	__atomic_store_n(&d->closed, 1, __ATOMIC_SEQ_CST);
	synchronize_rcu();
	while (__atomic_load_n(&d->inside.v, __ATOMIC_SEQ_CST) > 0) {
		if (ktime_get() >= end) {
			__atomic_store_n(&d->closed, 0, __ATOMIC_SEQ_CST);
			return -EBUSY;
		}
		sleep_ns(NSEC_PER_MSEC);
	}
	return 0;
}
EXPORT(door_close);

/* ---- rmmod -f ---- */

static void force_undo(struct ledger_entry *e)
{
	module_off_force(container_of(e, struct module_force, ledger));
}

void module_on_force_owner(struct module_force *f, struct module *owner)
{
	f->owner = owner;
	mutex_lock(&force_mutex);
	list_add_tail(&f->node, &force_list);
	mutex_unlock(&force_mutex);
	ledger_add(&f->ledger, owner, "rmmod -f callback", module_name(f->module), force_undo);
}
EXPORT(module_on_force_owner);

void module_off_force(struct module_force *f)
{
	ledger_remove(&f->ledger);
	mutex_lock(&force_mutex);
	if (f->node.next)
		list_del(&f->node);
	mutex_unlock(&force_mutex);
}
EXPORT(module_off_force);

void force_callbacks_run(struct module *m)
{
	struct module_force *f;

	mutex_lock(&force_mutex);
	list_for_each_entry(f, &force_list, node) {
		if (!f->module || f->module == m)
			f->fn(f, m);
	}
	mutex_unlock(&force_mutex);
}
