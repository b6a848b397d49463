/* SPDX-License-Identifier: MIT */
/* unload.c - rmmod, which answers within two seconds: the module is gone, or it says who holds it.
 * With force the users are taken down first. exit runs in a thread of its own, so that one that
 * hangs holds up nobody but itself. */
#define LOG_NAME "module: "
#include <core/net.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/time.h>

#include "internal.h"

#define ANSWER_WITHIN (1900 * NSEC_PER_MSEC)
#define FORCE_WAIT (1000 * NSEC_PER_MSEC)

struct unload {
	struct list_head node; /* on unloads_late; guarded by module_mutex */
	struct module_state *st;
	char name[MODULE_NAME_MAX];
	struct thread *thread;
	struct wait_queue wait;
	bool done;
};

static LIST_HEAD(unloads_late);

static int unload_thread(void *arg)
{
	struct unload *u = arg;

	if (u->st->entry.exit)
		u->st->entry.exit();
	module_dismantle(u->st);
	smp_store_release(&u->done, true);
	wake_up_all(&u->wait);
	return 0;
}

static void unload_end(struct unload *u)
{
	kthread_stop(u->thread); /* it has returned, or is about to */
	kfree(u);
}

/* Those that took longer than their caller waited. */
static void reap_late(void)
{
	struct unload *u, *tmp;

	mutex_lock(&module_mutex);
	list_for_each_entry_safe(u, tmp, &unloads_late, node) {
		if (!smp_load_acquire(&u->done))
			continue;
		list_del(&u->node);
		unload_end(u);
	}
	mutex_unlock(&module_mutex);
}

/* The stage is GOING: nobody else touches st. */
static int leave(struct module_state *st, u64 deadline)
{
	struct unload *u = kzalloc(sizeof(*u));

	if (u) {
		u->st = st;
		__builtin_memcpy(u->name, st->name, sizeof(u->name));
		wait_queue_init(&u->wait);
		u->thread = kthread_run(unload_thread, u, "rmmod/%s", st->name);
	}
	if (!u || IS_ERR(u->thread)) {
		/* without memory for a guard the exit still runs, here */
		kfree(u);
		if (st->entry.exit)
			st->entry.exit();
		module_dismantle(st);
		return 0;
	}
	wait_event_timeout(&u->wait, smp_load_acquire(&u->done), deadline);
	if (smp_load_acquire(&u->done)) {
		unload_end(u);
		return 0;
	}
	pr_err("%s: its exit is still running; the module goes when it returns\n", u->name);
	mutex_lock(&module_mutex);
	list_add_tail(&u->node, &unloads_late);
	mutex_unlock(&module_mutex);
	return -EBUSY;
}

static void emit_log(void *arg, const char *line)
{
	(void)arg;
	pr_warn("in use: %s\n", line);
}

static u32 holders(struct module_state *st)
{
	u32 n;

	spin_lock(&module_lock);
	n = st->nr_refs;
	spin_unlock(&module_lock);
	return n;
}

/* A module that is linked to st, NULL: none. module_mutex held. */
static struct module_state *dependent_of(struct module_state *st)
{
	struct module_state *other;
	struct module_dep *dep;

	list_for_each_entry(other, &modules, node) {
		list_for_each_entry(dep, &other->uses, node) {
			if (dep->ref.module == st->module)
				return other;
		}
	}
	return NULL;
}

/* With force the modules linked to `name` go first, and those linked to them before. */
static void take_dependents_down(const char *name)
{
	char first[MODULE_NAME_MAX];
	struct module_state *st, *dependent;

	do {
		mutex_lock(&module_mutex);
		st = module_find_locked(name);
		dependent = st && !st->builtin ? dependent_of(st) : NULL;
		if (dependent)
			__builtin_memcpy(first, dependent->name, sizeof(first));
		mutex_unlock(&module_mutex);
	} while (dependent && !module_unload(first, true));
}

static void kill_one(struct socket *s, void *arg)
{
	(void)arg;
	socket_kill(s);
}

/* Sockets are killed, interfaces closed; returns when the holders but the caller's pin are gone, or
 * time is up. */
static void take_users_down(struct module_state *st)
{
	u64 end = ktime_get() + FORCE_WAIT;

	pr_warn("%s: taking its users down\n", st->name);
	taint_add(TAINT_FORCED_RMMOD);
	force_callbacks_run(st->module);
	socket_for_each(st->module, kill_one, NULL);
	while (holders(st) > 1 && ktime_get() < end)
		sleep_ns(2 * NSEC_PER_MSEC);
}

/* What no force changes. module_mutex held. */
static int may_leave(const struct module_state *st)
{
	const char *why = NULL;

	if (st->builtin)
		why = "is built into the kernel";
	else if (st->broken)
		why = "crashed; what it left behind is not safe to free";
	else if (st->stage != MODULE_LIVE)
		why = st->stage == MODULE_COMING ? "is still starting" : "is leaving already";
	else if (st->entry.init && !st->entry.exit)
		why = "has no exit function";
	else if (st->forcing)
		why = "is being taken down already";
	if (!why)
		return 0;
	pr_warn("%s cannot be unloaded: it %s\n", st->name, why);
	return -EBUSY;
}

/* While it is set the module cannot be held anew: a server that opens its next socket when it has
 * lost one would be a user again each time. */
static void set_forcing(struct module_state *st, bool on)
{
	spin_lock(&module_lock);
	st->forcing = on;
	spin_unlock(&module_lock);
}

/* Takes the last step unless somebody holds it. */
static bool begin_leaving(struct module_state *st)
{
	bool ok;

	spin_lock(&module_lock);
	ok = !st->nr_refs && st->stage == MODULE_LIVE;
	if (ok)
		st->stage = MODULE_GOING;
	st->forcing = false;
	spin_unlock(&module_lock);
	return ok;
}

int module_unload(const char *name, bool force)
{
	u64 deadline = ktime_get() + ANSWER_WITHIN;
	struct module_ref pin;
	struct module_state *st;
	int err = -ENOENT;

	reap_late();
	if (force)
		take_dependents_down(name);
	mutex_lock(&module_mutex);
	st = module_find_locked(name);
	if (st)
		err = may_leave(st);
	/* A module linked to it that could not leave holds it still. Pinned, so that a second rmmod
	 * cannot free it while the users go down. */
	force = force && !err && !dependent_of(st) && module_hold(st->module, &pin, "rmmod");
	if (force) {
		pin.pid = current_pid();
		set_forcing(st, true);
	}
	mutex_unlock(&module_mutex);
	if (err)
		return err;
	if (force)
		take_users_down(st);
	mutex_lock(&module_mutex);
	if (force)
		module_release(&pin);
	st = module_find_locked(name);
	err = !st ? -ENOENT : begin_leaving(st) ? 0 : -EAGAIN;
	if (err == -EAGAIN) {
		socket_refresh_holders(st->module);
		refs_describe(st, emit_log, NULL);
	}
	mutex_unlock(&module_mutex);
	return err ? err : leave(st, deadline);
}
