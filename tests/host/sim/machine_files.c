/* SPDX-License-Identifier: MIT */
/* machine_files.c - include/weft/seqfile.h: files under /proc and /sys that tests read and write by
 * path. Registering one allocates and stands in the ledger, as in the kernel. */
#include <core/sched.h>
#include <stdio.h>
#include <weft/alloc.h>
#include <weft/sched.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "machine.h"

struct node {
	struct list_head list;
	struct procfile *file; /* NULL: a directory or link */
	char path[128];
	struct ledger_entry ledger;
};

static LIST_HEAD(nodes);

static struct node *node_find(const char *path)
{
	struct node *n;

	list_for_each_entry(n, &nodes, list) {
		if (!strcmp(n->path, path))
			return n;
	}
	return NULL;
}

static void node_free(struct node *n)
{
	ledger_remove(&n->ledger);
	list_del(&n->list);
	if (n->file)
		n->file->node = NULL;
	kfree(n);
}

static void undo_node(struct ledger_entry *e)
{
	node_free(container_of(e, struct node, ledger));
}

static int node_add(const char *root, const char *path, struct procfile *f, struct module *owner)
{
	struct node *n = kzalloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	snprintf(n->path, sizeof(n->path), "/%s/%s", root, path);
	if (node_find(n->path)) {
		kfree(n);
		return -EEXIST;
	}
	n->file = f;
	if (f)
		f->node = n;
	list_add_tail(&n->list, &nodes);
	ledger_add(&n->ledger, owner, "file", n->path, undo_node);
	return 0;
}

int procfile_add_owner(struct procfile *f, struct module *owner)
{
	return node_add("proc", f->path, f, owner);
}

void procfile_remove(struct procfile *f)
{
	might_sleep();
	if (f->node)
		node_free(f->node);
}

int sysfile_add_owner(struct procfile *f, struct module *owner)
{
	return node_add("sys", f->path, f, owner);
}

void sysfile_remove(struct procfile *f)
{
	procfile_remove(f);
}

int sysfs_link(const char *path, const char *target)
{
	return node_add("sys", path, NULL, NULL);
}

int sysfs_mkdir(const char *path)
{
	return node_add("sys", path, NULL, NULL);
}

void sysfs_remove(const char *path)
{
	char full[140];
	struct node *n, *tmp;
	size_t len = snprintf(full, sizeof(full), "/sys/%s", path);

	list_for_each_entry_safe(n, tmp, &nodes, list) {
		if (!strncmp(n->path, full, len) && (!n->path[len] || n->path[len] == '/'))
			node_free(n);
	}
}

/* ---- sysctls ---- */

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

	if (kstrtoints(text, v, sysctl_count(c)))
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
	snprintf(s->full, sizeof(s->full), "sys/%s", s->path);
	s->file = (struct procfile){
		.path = s->full, .mode = 0644, .show = sysctl_show, .write = sysctl_write, .arg = s
	};
	return procfile_add_owner(&s->file, owner);
}

void sysctl_remove(struct sysctl *s)
{
	procfile_remove(&s->file);
}

/* ---- text; grows by krealloc, so that printing fails on purpose as well ---- */

void seq_write(struct seq *s, const void *p, size_t n)
{
	char *bigger;

	if (!s->failed && s->len + n + 1 > s->cap) {
		bigger = krealloc(s->buf, 2 * (s->len + n + 1));
		if (bigger) {
			s->buf = bigger;
			s->cap = 2 * (s->len + n + 1);
		} else {
			s->failed = true;
		}
	}
	if (s->failed)
		return;
	memcpy(s->buf + s->len, p, n);
	s->len += n;
	s->buf[s->len] = 0;
}

void seq_puts(struct seq *s, const char *str)
{
	seq_write(s, str, strlen(str));
}

int seq_printf(struct seq *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	seq_write(s, text, min(n, (int)sizeof(text) - 1));
	return s->failed ? -ENOMEM : 0;
}

/* ---- for tests ---- */

const char *sim_read(const char *path)
{
	static char text[65536];
	struct node *n = node_find(path);
	struct seq s = { 0 };
	int err;

	if (!n || !n->file || !n->file->show)
		return NULL;
	s.arg = n->file->arg;
	err = n->file->show(&s);
	snprintf(text, sizeof(text), "%s", s.buf ? s.buf : "");
	if (s.failed)
		err = -ENOMEM;
	kfree(s.buf);
	return err ? NULL : text;
}

int sim_write(const char *path, const char *text)
{
	struct node *n = node_find(path);

	if (!n || !n->file)
		return -ENOENT;
	return n->file->write ? n->file->write(n->file->arg, text, strlen(text)) : -EACCES;
}

void sim_read_all(void)
{
	struct node *n;

	list_for_each_entry(n, &nodes, list)
		sim_read(n->path);
}

u32 machine_files_count(void)
{
	struct node *n;
	u32 count = 0;

	list_for_each_entry(n, &nodes, list)
		count++;
	return count;
}

void machine_files_print(void)
{
	struct node *n;

	list_for_each_entry(n, &nodes, list)
		fprintf(stderr, "  there: %s\n", n->path);
}
