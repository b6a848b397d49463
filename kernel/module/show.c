/* SPDX-License-Identifier: MIT */
/* show.c - modules as user space sees them: /proc/modules for lsmod, /sys/module/NAME with its
 * state, sizes, users and parameters, /proc/sys/kernel/tainted. holders/ links to the modules that
 * use its symbols (what kmod expects there); users names every holder, sockets and interfaces too.
 */
#define LOG_NAME "module: "
#include <core/net.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/string.h>

#include "internal.h"

static int tainted;

struct module_file {
	struct procfile file;
	const struct kparam *param;
	struct module_state *st;
	char path[160];
};

struct module_sysfs {
	u32 nr; /* files added */
	struct module_file files[];
};

void taint_add(u32 bits)
{
	__atomic_fetch_or(&tainted, (int)bits, __ATOMIC_SEQ_CST);
}

/* ---- /proc/modules ---- */

static const char *stage_name(const struct module_state *st)
{
	static const char *const names[] = {
		[MODULE_COMING] = "Loading",
		[MODULE_LIVE] = "Live",
		[MODULE_GOING] = "Unloading",
	};

	return names[st->stage];
}

static void show_dependents(struct seq *s, const struct module_state *st)
{
	struct module_state *other;
	struct module_dep *dep;
	bool any = false;

	list_for_each_entry(other, &modules, node) {
		list_for_each_entry(dep, &other->uses, node) {
			if (dep->ref.module == st->module) {
				seq_printf(s, "%s,", other->name);
				any = true;
			}
		}
	}
	if (!any)
		seq_puts(s, "-");
}

static int modules_show(struct seq *s)
{
	bool hide = require_root();
	struct module_state *st;

	mutex_lock(&module_mutex);
	list_for_each_entry(st, &modules, node) {
		if (st->builtin)
			continue;
		seq_printf(s, "%s %zu %u ", st->name, st->core.size + st->init.size, st->nr_refs);
		show_dependents(s, st);
		seq_printf(s, " %s 0x%016llx%s%s%s%s\n", stage_name(st),
			   hide ? 0ull : (unsigned long long)st->core.base,
			   st->broken || st->out_of_tree ? " (" : "", st->out_of_tree ? "O" : "",
			   st->broken ? "D" : "", st->broken || st->out_of_tree ? ")" : "");
	}
	mutex_unlock(&module_mutex);
	return 0;
}

/* ---- /sys/module/NAME ---- */

static struct module_state *shown(struct seq *s)
{
	return ((struct module_file *)s->arg)->st;
}

static int initstate_show(struct seq *s)
{
	static const char *const names[] = {
		[MODULE_COMING] = "coming\n",
		[MODULE_LIVE] = "live\n",
		[MODULE_GOING] = "going\n",
	};

	seq_puts(s, names[shown(s)->stage]);
	return 0;
}

static int refcnt_show(struct seq *s)
{
	seq_printf(s, "%u\n", shown(s)->nr_refs);
	return 0;
}

static int coresize_show(struct seq *s)
{
	seq_printf(s, "%zu\n", shown(s)->core.size);
	return 0;
}

static int initsize_show(struct seq *s)
{
	seq_printf(s, "%zu\n", shown(s)->init.size);
	return 0;
}

static int taint_show(struct seq *s)
{
	seq_printf(s, "%s%s\n", shown(s)->out_of_tree ? "O" : "", shown(s)->broken ? "D" : "");
	return 0;
}

static void emit_line(void *arg, const char *line)
{
	seq_printf(arg, "%s\n", line);
}

static int users_show(struct seq *s)
{
	socket_refresh_holders(shown(s)->module);
	refs_describe(shown(s), emit_line, s);
	return 0;
}

static int param_show(struct seq *s)
{
	return param_print(((struct module_file *)s->arg)->param, s);
}

static int param_write(void *arg, const char *text, size_t len)
{
	struct module_file *f = arg;

	(void)len;
	return param_store(f->st, f->param, text);
}

static const struct {
	const char *name;
	int (*show)(struct seq *s);
} plain_files[] = {
	{ "initstate", initstate_show }, { "refcnt", refcnt_show }, { "coresize", coresize_show },
	{ "initsize", initsize_show },	 { "taint", taint_show },   { "users", users_show },
};

static int add_file(struct module_state *st, const char *dir, const char *name, u16 mode,
		    int (*show)(struct seq *s), const struct kparam *param)
{
	struct module_file *f = &st->sysfs->files[st->sysfs->nr];
	int err;

	snprintf(f->path, sizeof(f->path), "module/%s/%s%s", st->name, dir, name);
	f->st = st;
	f->param = param;
	f->file.path = f->path;
	f->file.mode = mode;
	f->file.show = show;
	f->file.write = param && (mode & 0222) ? param_write : NULL;
	f->file.arg = f;
	err = sysfile_add_owner(&f->file, NULL);
	if (!err)
		st->sysfs->nr++;
	return err;
}

static int add_all(struct module_state *st)
{
	char path[96];
	u32 i;
	int err;

	/* A built-in module has no state to show, and a directory only when it has parameters. */
	if (!st->builtin) {
		snprintf(path, sizeof(path), "module/%s/holders", st->name);
		err = sysfs_mkdir(path);
		if (err)
			return err;
		for (i = 0; i < ARRAY_SIZE(plain_files); i++) {
			err = add_file(st, "", plain_files[i].name, 0444, plain_files[i].show,
				       NULL);
			if (err)
				return err;
		}
	}
	for (i = 0; i < st->nr_params; i++) {
		const struct kparam *p = &st->params[i];

		if (!p->mode || (st->builtin && !module_name_equal(p->module, st->name)))
			continue;
		err = add_file(st, "parameters/", p->name, p->mode, param_show, p);
		if (err)
			return err;
	}
	return 0;
}

int module_sysfs_add(struct module_state *st)
{
	u32 room = ARRAY_SIZE(plain_files) + st->nr_params;
	int err;

	st->sysfs = kzalloc(sizeof(*st->sysfs) + room * sizeof(st->sysfs->files[0]));
	if (!st->sysfs)
		return -ENOMEM;
	err = add_all(st);
	if (err) {
		pr_err("%s: no files under /sys/module: error %d\n", st->name, err);
		module_sysfs_remove(st);
	}
	return err;
}

void module_sysfs_remove(struct module_state *st)
{
	char path[96];

	if (!st->sysfs)
		return;
	while (st->sysfs->nr)
		sysfile_remove(&st->sysfs->files[--st->sysfs->nr].file);
	snprintf(path, sizeof(path), "module/%s", st->name);
	sysfs_remove(path);
	kfree(st->sysfs);
	st->sysfs = NULL;
}

static void holder_path(const char *provider, const char *user, char *buf, size_t size)
{
	snprintf(buf, size, "module/%s/holders/%s", provider, user);
}

/* Without memory for a link the dependency is still counted, and named by `users`. */
void module_sysfs_link_holder(const struct module_state *provider, const struct module_state *user)
{
	char path[160], target[96];

	holder_path(provider->name, user->name, path, sizeof(path));
	snprintf(target, sizeof(target), "../../%s", user->name);
	sysfs_link(path, target);
}

void module_sysfs_unlink_holder(const struct module *provider, const struct module_state *user)
{
	char path[160];

	holder_path(module_name(provider), user->name, path, sizeof(path));
	sysfs_remove(path);
}

static struct procfile modules_file = {
	.path = "modules",
	.mode = 0444,
	.show = modules_show,
};
static struct sysctl tainted_sysctl = {
	.path = "kernel/tainted",
	.value = &tainted,
	.min = 0,
	.max = 0x7fffffff,
};

void module_show_init(void)
{
	if (procfile_add(&modules_file) || sysctl_add(&tainted_sysctl))
		pr_err("no /proc/modules: lsmod will not work\n");
	sysfs_mkdir("module");
}
