/* SPDX-License-Identifier: MIT */
/* module.h - what makes a folder a module: entry, exit, parameters, exports, and the counted door
 * that lets a module leave while others call into it. The same macros serve a built-in module. */
#pragma once

#include <weft/atomic.h>
#include <weft/err.h>
#include <weft/ledger.h>
#include <weft/list.h>
#include <weft/preempt.h>

struct module;

#ifdef MODULE
extern struct module weft_this_module; /* resolved by the loader to this module's own */
#define THIS_MODULE (&weft_this_module)
#elif defined(WEFT_BUILTIN)
extern struct module CONCAT(weft_builtin_, WEFT_MODULE);
#define THIS_MODULE (&CONCAT(weft_builtin_, WEFT_MODULE))
#else
#define THIS_MODULE ((struct module *)NULL) /* the core itself */
#endif

#define MODINFO_(tag, info, id) \
	static const char CONCAT(modinfo_, id)[] __section(".modinfo") __aligned(1) = tag "=" info
#define MODINFO(tag, info) MODINFO_(tag, info, __COUNTER__)
#define MODULE_LICENSE(s) MODINFO("license", s)
#define MODULE_AUTHOR(s) MODINFO("author", s)
#define MODULE_DESCRIPTION(s) MODINFO("description", s)
#define MODULE_VERSION(s) MODINFO("version", s)
#define MODULE_ALIAS(s) MODINFO("alias", s)
/* A module wanted at run time that no symbol names: loaded by modprobe, not required. */
#define MODULE_SOFTDEP(s) MODINFO("softdep", "pre: " s)

#define __init __attribute__((section(".init.text"), cold))
#define __exit __attribute__((section(".exit.text")))

/* init: 0 or a negative errno, after undoing everything; runs in process context. exit mirrors it
 * and cannot fail. A module without module_exit cannot be unloaded. */
struct module_entry {
	int (*init)(void);
	void (*exit)(void);
};
#ifdef MODULE
#define module_entry_points(init_fn, exit_fn) \
	const struct module_entry weft_module_entry __section(".weft_entry") = { init_fn, exit_fn }
#else
struct builtin_module {
	const char *name;
	struct module *module;
	struct module_entry entry;
};
#define module_entry_points(init_fn, exit_fn)                                               \
	static const struct builtin_module CONCAT(builtin_,                                 \
						  WEFT_MODULE) __section(".weft_initcalls") \
		__aligned(8) = { STRINGIFY(WEFT_MODULE), THIS_MODULE, { init_fn, exit_fn } }
#endif

/* The only symbols that other modules see. */
struct ksym {
	const void *addr;
	const char *name;
};
#define EXPORT(sym)                                                     \
	static const struct ksym __ksymtab_##sym __section("__ksymtab") \
		__aligned(8) = { (const void *)&sym, #sym }

/* Parameters: NAME=value at insmod or module.NAME=value on the kernel command line; a file under
 * /sys/module/MODULE/parameters with the given mode (0444 read only, 0644 root may change). */
enum param_type { PARAM_INT, PARAM_UINT, PARAM_BOOL, PARAM_STRING };
struct kparam {
	const char *module; /* whose: "ip"; "kernel" for the core's own */
	const char *name;
	void *value; /* int, unsigned, bool, or char[size] for a string */
	u32 size;
	u16 mode;
	u8 type;
	/* Optional: sees the value before it is stored, -EINVAL to refuse. NULL: all taken. */
	int (*check)(const struct kparam *p, long long value);
};
#ifdef WEFT_MODULE
#define PARAM_MODULE STRINGIFY(WEFT_MODULE)
#else
#define PARAM_MODULE "kernel"
#endif
#define PARAM_RECORD(var, ptype, pmode, pcheck, ptypename, text)                \
	MODINFO("parm", #var ":" text);                                         \
	MODINFO("parmtype", #var ":" ptypename);                                \
	static const struct kparam kparam_##var __section("__param") __aligned( \
		8) = { PARAM_MODULE, #var, (void *)&(var), sizeof(var), pmode, ptype, pcheck }
#define module_param_int(var, mode, check, text) \
	PARAM_RECORD(var, PARAM_INT, mode, check, "int", text)
#define module_param_uint(var, mode, check, text) \
	PARAM_RECORD(var, PARAM_UINT, mode, check, "uint", text)
#define module_param_bool(var, mode, text) PARAM_RECORD(var, PARAM_BOOL, mode, NULL, "bool", text)
#define module_param_string(var, mode, text) \
	PARAM_RECORD(var, PARAM_STRING, mode, NULL, "charp", text)

const char *module_name(const struct module *m); /* "kernel" for NULL */

/* ---- holding a module ----
 * A reference with a name: it keeps the module loaded for as long as something points into it (an
 * open socket, a dependent's symbol). rmmod lists the holders. False: the module is leaving, maybe
 * by force, or still in its init. The core (NULL) can always be held. Any context but interrupt.
 * kind is a literal such as "socket" or "interface"; name tells which ("eth0"; NULL: none) and
 * lives as long as ref; pid and fd start as 0 and -1 and may be set by the holder. */
struct module_ref {
	struct list_head node; /* guarded by the loader's lock, as is module */
	struct module *module; /* NULL: nothing held */
	const char *kind, *name;
	int pid, fd;
};
bool module_hold_named(struct module *m, struct module_ref *ref, const char *kind,
		       const char *name);
static inline bool module_hold(struct module *m, struct module_ref *ref, const char *kind)
{
	return module_hold_named(m, ref, kind, NULL);
}
void module_release(struct module_ref *ref); /* no-op when nothing is held */

/* ---- rmmod -f ----
 * Before module m leaves by force, fn is called to take its users down: close interfaces, reset
 * connections (its sockets are killed by the core afterwards). module NULL: asked for every module.
 * Process context, may sleep; caller-owned, until module_off_force returned. */
struct module_force {
	struct module *module;
	void (*fn)(struct module_force *f, struct module *m);
	struct list_head node;
	struct ledger_entry ledger;
	struct module *owner;
};
void module_on_force_owner(struct module_force *f, struct module *owner);
void module_off_force(struct module_force *f);
#define module_on_force(f) module_on_force_owner(f, THIS_MODULE)

/* ---- the counted door ----
 * Dispatchers enter a registered table's callbacks through its door: readers count in and out per
 * CPU under RCU; door_close makes new entries fail and returns when nobody is inside (process
 * context; sleeps). Callbacks that sleep hold the door as well. */
struct door {
	u32 closed;
	struct atomic inside;
};
static inline void door_init(struct door *d)
{
	*d = (struct door){ 0 };
}
static inline bool door_enter(struct door *d)
{
	atomic_inc(&d->inside);
	if (likely(!READ_ONCE(d->closed)))
		return true;
	atomic_dec(&d->inside);
	return false;
}
static inline void door_leave(struct door *d)
{
	atomic_dec(&d->inside);
}
/* For after the owner was unlinked from where it is looked up: waits a grace period, so that nobody
 * who found it under RCU is still on the way in, then until nobody is inside. 0 when empty, -EBUSY
 * when somebody is still inside after timeout_ns (the door then opens again). Process context. */
int door_close(struct door *d, u64 timeout_ns);

/* Asks user space's modprobe for NAME (a module or an alias such as "net-pf-10") and waits for it
 * to end, at most some seconds. 0 when modprobe ran and succeeded. Process context, no locks. */
int request_module(const char *fmt, ...) __printf(1, 2);
