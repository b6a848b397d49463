/* SPDX-License-Identifier: MIT */
/* internal.h - what the files of the module loader share. A module goes COMING -> LIVE -> GOING;
 * its name is taken from the first to the end of the last, and only a LIVE one can be held or
 * linked to. */
#pragma once

#include <core/module.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/mutex.h>
#include <weft/seqfile.h>
#include <weft/spinlock.h>

#include "elf64.h"

#define MODULE_NAME_MAX 56 /* with its NUL; as Linux */
#define MODULE_SIZE_MAX (64u << 20)

/* ---- image.c: a file that was looked at, nothing of it trusted before ---- */
struct module_image {
	const u8 *data;
	size_t len;
	const struct elf64_shdr *sections;
	u32 nr_sections;
	const char *section_names;
	const struct elf64_sym *symbols;
	u32 nr_symbols;
	const char *symbol_names;
	u32 entry, params, exports, eh_frame; /* section numbers, 0: absent */
	/* from .modinfo; NULL: absent */
	const char *name, *vermagic, *depends, *intree;
	char why[160]; /* after -ENOEXEC: what is wrong, for people */
};
/* Checks header, sections, string tables, symbols and every relocation's place. data is 8-byte
 * aligned and stays. 0, or -ENOEXEC with why. */
int image_check(struct module_image *img, const void *data, size_t len);
static inline const char *image_section_name(const struct module_image *img, u32 i)
{
	return img->section_names + img->sections[i].name;
}

/* ---- a module ---- */
enum module_stage { MODULE_COMING, MODULE_LIVE, MODULE_GOING };

enum module_part { PART_TEXT, PART_RODATA, PART_DATA, PART_COUNT };

/* One area of module memory: code, constants and data, each from a page of its own. */
struct module_area {
	u8 *base;
	size_t size;		      /* bytes, whole pages; 0: none */
	size_t part_size[PART_COUNT]; /* whole pages */
};

struct module_func {
	u32 offset; /* from the core area's base */
	u32 name;   /* in func_names */
};

struct module_sysfs;

struct module_state {
	/* fixed once loaded */
	struct module *module; /* the handle */
	char name[MODULE_NAME_MAX];
	bool builtin, out_of_tree;
	struct module_area core, init; /* init.size becomes 0 once it ran */
	const struct thread *loader;   /* who runs its init; only compared, while MODULE_COMING */
	struct module_entry entry;
	const struct ksym *exports;
	u32 nr_exports;
	const struct kparam *params;
	u32 nr_params;
	const u8 *eh_frame; /* in core's constants; names places in init too */
	size_t eh_frame_size;
	struct module_func *funcs;
	u32 nr_funcs;
	char *func_names;
	struct list_head uses; /* of struct module_dep: modules whose symbols it took */
	struct module_sysfs *sysfs;
	/* guarded by module_mutex; node is read under RCU too */
	struct list_head node;
	/* guarded by module_lock */
	enum module_stage stage;
	/* an rmmod -f is at it: who is no holder yet becomes none; set under module_mutex too */
	bool forcing;
	struct list_head refs; /* of struct module_ref: its holders */
	u32 nr_refs;
	bool broken;  /* its code oopsed */
	bool waiting; /* for a symbol that another's start may bring */
	/* guarded by ledger.c's lock */
	struct list_head ledger;
};

struct module_dep {
	struct list_head node;
	struct module_ref ref;
};

extern struct mutex module_mutex; /* the list of modules */
extern struct list_head modules;
extern struct spinlock module_lock;
extern struct wait_queue module_stage_wait; /* woken when a stage changes or a module is gone */

/* ---- list.c ---- */
struct module_state *module_state_new(const char *name); /* NULL */
void module_state_free(struct module_state *st);	 /* not listed; area memory and all */
/* '-' and '_' are the same, as in Linux. */
bool module_name_equal(const char *a, const char *b);
struct module_state *module_find_locked(const char *name); /* module_mutex held */
void module_set_stage(struct module_state *st, enum module_stage stage);
/* modprobe takes what /proc/modules calls Loading for loaded, so who needs a module may come before
 * it has started. Process context, no locks. Both end with a signal or at the deadline (ktime).
 * The first, for st, which lacks a symbol: waits for a change of any stage after module_stages_seen
 * gave seen; false: there was none, and all that are on their way wait themselves. */
u32 module_stages_seen(void);
bool module_wait_for_change(struct module_state *st, u32 seen, u64 deadline);
/* The second: until no module is on its way but those that the caller itself starts. */
void module_wait_for_others(u64 deadline);
#define OTHER_LOAD_WAIT (10 * NSEC_PER_SEC)

/* ---- loader.c ---- */
/* Loads, links and starts a module. args: the insmod string, changed while parsed. -errno. */
int module_load(const void *data, size_t len, char *args);
/* The way out for one that failed or leaves: undoes what is registered, unlinks, frees. exit has
 * run. */
void module_dismantle(struct module_state *st);

/* ---- symbols.c ---- */
/* Finds NAME among the exports of the kernel and of live modules; records the dependency. The
 * address, ERR_PTR(-ENOENT, -ENOMEM). */
const void *symbol_resolve(struct module_state *user, const char *name);
bool symbol_exported(const char *name, const char **by); /* module_mutex held */
void symbol_explain_missing(const struct module_image *img, const char *name);
void deps_release(struct module_state *st);

/* ---- params.c ---- */
/* -ENOENT unknown, -EINVAL bad value; both said in the log. */
int params_parse(struct module_state *st, char *args);
void params_from_cmdline(struct module_state *st);
int param_print(const struct kparam *p, struct seq *s);
int param_store(const struct module_state *st, const struct kparam *p, const char *text);

/* ---- kallsyms.c ---- */
int kallsyms_keep(struct module_state *st, const struct module_image *img, const u64 *section_addr);
void kallsyms_init(void);

/* ---- refs.c ---- */
/* Calls emit for each kind of holder with a line such as "tcp: 2 sockets: pid 41 fd 5, pid 41 fd
 * 6". */
void refs_describe(struct module_state *st, void (*emit)(void *arg, const char *line), void *arg);
void force_callbacks_run(struct module *m);

/* ---- ledger.c ---- */
void ledger_init(void);

/* ---- unload.c ---- */
int module_unload(const char *name, bool force);

/* ---- show.c ---- */
int module_sysfs_add(struct module_state *st); /* -ENOMEM; nothing left then */
void module_sysfs_remove(struct module_state *st);
void module_sysfs_link_holder(const struct module_state *provider, const struct module_state *user);
void module_sysfs_unlink_holder(const struct module *provider, const struct module_state *user);
void module_show_init(void);
