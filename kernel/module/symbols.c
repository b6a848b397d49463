/* SPDX-License-Identifier: MIT */
/* symbols.c - names that modules may use: the EXPORT tables of the kernel (with what is built in)
 * and of live modules. Taking one from a module makes it a dependency. An unknown one is explained
 * with the module that would provide it, as depmod wrote it down. */
#define LOG_NAME "module: "
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>
#include <weft/version.h>

#include "internal.h"

extern const struct ksym ksymtab_start[], ksymtab_end[]; /* kernel.ld */

static const struct ksym *find_in(const struct ksym *from, const struct ksym *to, const char *name)
{
	for (; from < to; from++) {
		if (from->name[0] == name[0] && !strcmp(from->name, name))
			return from;
	}
	return NULL;
}

static const struct ksym *find_in_module(const struct module_state *st, const char *name)
{
	return find_in(st->exports, st->exports + st->nr_exports, name);
}

bool symbol_exported(const char *name, const char **by)
{
	struct module_state *st;

	*by = "kernel";
	if (find_in(ksymtab_start, ksymtab_end, name))
		return true;
	list_for_each_entry(st, &modules, node) {
		*by = st->name;
		if (st->stage != MODULE_COMING && find_in_module(st, name))
			return true;
	}
	return false;
}

/* Makes user depend on provider, once. module_mutex held. */
static int dep_add(struct module_state *user, struct module_state *provider)
{
	struct module_dep *dep;

	list_for_each_entry(dep, &user->uses, node) {
		if (dep->ref.module == provider->module)
			return 0;
	}
	dep = kmalloc(sizeof(*dep));
	if (!dep)
		return -ENOMEM;
	if (!module_hold_named(provider->module, &dep->ref, "module", user->name)) {
		kfree(dep);
		return -ENOENT;
	}
	list_add_tail(&dep->node, &user->uses);
	module_sysfs_link_holder(provider, user);
	return 0;
}

static const void *find_in_modules(struct module_state *user, const char *name)
{
	const void *addr = ERR_PTR(-ENOENT);
	const struct ksym *sym;
	struct module_state *st;

	mutex_lock(&module_mutex);
	list_for_each_entry(st, &modules, node) {
		if (st == user || st->stage != MODULE_LIVE)
			continue;
		sym = find_in_module(st, name);
		if (sym) {
			int err = dep_add(user, st);

			addr = err ? ERR_PTR(err) : sym->addr;
			break;
		}
	}
	mutex_unlock(&module_mutex);
	return addr;
}

const void *symbol_resolve(struct module_state *user, const char *name)
{
	const struct ksym *sym = find_in(ksymtab_start, ksymtab_end, name);
	u64 deadline = ktime_get() + OTHER_LOAD_WAIT;
	const void *addr;
	u32 seen;

	if (sym)
		return sym->addr;
	do {
		seen = module_stages_seen();
		addr = find_in_modules(user, name);
	} while (addr == ERR_PTR(-ENOENT) && module_wait_for_change(user, seen, deadline));
	return addr;
}

void deps_release(struct module_state *st)
{
	while (!list_empty(&st->uses)) {
		struct module_dep *dep = list_first_entry(&st->uses, struct module_dep, node);

		list_del(&dep->node);
		module_sysfs_unlink_holder(dep->ref.module, st);
		module_release(&dep->ref);
		kfree(dep);
	}
}

/* ---- who would have it ---- */

/* A line of modules.symbols: "alias symbol:NAME module". */
static bool provider_in_line(const char *line, const char *name, char *buf, size_t size)
{
	static const char prefix[] = "alias symbol:";
	size_t n = strlen(name);

	if (strncmp(line, prefix, sizeof(prefix) - 1))
		return false;
	line += sizeof(prefix) - 1;
	if (strncmp(line, name, n) || line[n] != ' ')
		return false;
	strscpy(buf, line + n + 1, size);
	return true;
}

static bool symbol_provider(const char *name, char *buf, size_t size)
{
	static const size_t chunk = 4096;
	struct file *f = vfs_open("/lib/modules/" WEFT_RELEASE "/modules.symbols", O_RDONLY, 0);
	char *text = kmalloc(chunk + 1), *line, *end;
	size_t have = 0;
	u64 pos = 0;
	long n = 0;
	bool found = false;

	while (text && !IS_ERR(f) && !found) {
		n = vfs_read_at(f, text + have, chunk - have, pos);
		if (n <= 0)
			break;
		pos += n;
		have += n;
		text[have] = '\0';
		for (line = text; !found && (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			found = provider_in_line(line, name, buf, size);
		}
		have -= line - text;
		memmove(text, line, have);
		if (have == chunk)
			have = 0; /* no line is that long: not a list of symbols */
	}
	kfree(text);
	if (!IS_ERR(f))
		file_put(f);
	return found;
}

void symbol_explain_missing(const struct module_image *img, const char *name)
{
	char provider[MODULE_NAME_MAX];

	if (symbol_provider(name, provider, sizeof(provider)))
		pr_err("%s: unknown symbol %s: load %s first\n", img->name, name, provider);
	else if (img->depends && *img->depends)
		pr_err("%s: unknown symbol %s (the module depends on: %s)\n", img->name, name,
		       img->depends);
	else
		pr_err("%s: unknown symbol %s\n", img->name, name);
}
