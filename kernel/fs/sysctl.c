/* SPDX-License-Identifier: MIT */
/* sysctl.c - /proc and /sys as services: registration of text files, of integers under /proc/sys,
 * and the settings that belong to nobody else. */
#include "tree.h"

#include <weft/module.h>

/* ---- /proc ---- */

int procfile_add_owner(struct procfile *f, struct module *owner)
{
	return tree_add(&proc_tree, f, owner, "/proc file");
}

void procfile_remove(struct procfile *f)
{
	tree_remove(&proc_tree, f);
}

/* ---- integers ---- */

static u32 sysctl_count(const struct sysctl *c)
{
	return c->count ? c->count : 1;
}

static int sysctl_show(struct seq *s)
{
	const struct sysctl *c = s->arg;

	for (u32 i = 0; i < sysctl_count(c); i++)
		seq_printf(s, i ? "\t%d" : "%d", READ_ONCE(c->value[i]));
	seq_puts(s, "\n");
	return 0;
}

static int sysctl_write(void *arg, const char *text, size_t len)
{
	struct sysctl *c = arg;
	int v[SYSCTL_MAX_COUNT];

	if (strlen(text) != len || kstrtoints(text, v, sysctl_count(c)))
		return -EINVAL;
	for (u32 i = 0; i < sysctl_count(c); i++) {
		if (v[i] < c->min || v[i] > c->max)
			return -EINVAL;
	}
	if (c->check && c->check(v))
		return -EINVAL;
	for (u32 i = 0; i < sysctl_count(c); i++)
		WRITE_ONCE(c->value[i], v[i]);
	if (c->changed)
		c->changed(c);
	return 0;
}

int sysctl_add_owner(struct sysctl *s, struct module *owner)
{
	if (s->count > SYSCTL_MAX_COUNT)
		return -EINVAL;
	if ((size_t)snprintf(s->full, sizeof(s->full), "sys/%s", s->path) >= sizeof(s->full))
		return -EINVAL;
	s->file = (struct procfile){
		.path = s->full,
		.mode = 0644,
		.show = sysctl_show,
		.write = sysctl_write,
		.arg = s,
	};
	return tree_add(&proc_tree, &s->file, owner, "sysctl");
}

void sysctl_remove(struct sysctl *s)
{
	tree_remove(&proc_tree, &s->file);
}

/* ---- /sys ---- */

static struct tree sys_tree = {
	.type = "sysfs",
	.magic = MAGIC_SYSFS,
	.lock = MUTEX_INIT(sys_tree.lock),
};

int sysfile_add_owner(struct procfile *f, struct module *owner)
{
	return tree_add(&sys_tree, f, owner, "/sys file");
}

void sysfile_remove(struct procfile *f)
{
	tree_remove(&sys_tree, f);
}

int sysfs_link(const char *path, const char *target)
{
	return tree_link(&sys_tree, path, target);
}

int sysfs_mkdir(const char *path)
{
	return tree_mkdir(&sys_tree, path);
}

void sysfs_remove(const char *path)
{
	tree_delete(&sys_tree, path);
}

static struct super *sysfs_get(const char *opts, struct entry **root)
{
	struct super *s;
	int err = tree_mount(&sys_tree, &s, root);

	return err ? ERR_PTR(err) : s;
}

static struct fs_type sysfs_type = { .name = "sysfs", .get = sysfs_get };

int sysfs_init(void)
{
	static const char *const dirs[] = { "class",   "class/net", "bus",
					    "devices", "module",    "kernel" };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		int err = tree_mkdir(&sys_tree, dirs[i]);

		if (err && err != -EEXIST)
			return err;
	}
	fs_type_register(&sysfs_type);
	return 0;
}

EXPORT(procfile_add_owner);
EXPORT(procfile_remove);
EXPORT(sysctl_add_owner);
EXPORT(sysctl_remove);
EXPORT(sysfile_add_owner);
EXPORT(sysfile_remove);
EXPORT(sysfs_link);
EXPORT(sysfs_mkdir);
EXPORT(sysfs_remove);
