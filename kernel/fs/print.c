/* SPDX-License-Identifier: MIT */
/* print.c - from a place in the tree back to its path, as the caller's root sees it. */
#include "fs.h"

/* Puts name, and a slash before it, in front of *at. */
static int prepend(char *buf, char **at, const char *name)
{
	size_t n = strlen(name);

	if ((size_t)(*at - buf) < n + 1)
		return -ENAMETOOLONG;
	*at -= n;
	memcpy(*at, name, n);
	*--*at = '/';
	return 0;
}

/* Writes the path to the end of buf; *at is its start. Two locks keep names and mounts still. */
static int print_backwards(const struct path *p, const struct path *root, char *buf, char **at)
{
	struct entry *e = p->entry;
	struct mount *m = p->mnt;
	int err = 0;

	while (!err && !(m == root->mnt && e == root->entry)) {
		if (m && e == m->root && m->parent) {
			e = m->mountpoint;
			m = m->parent;
			continue;
		}
		if ((m && e == m->root) || !e->parent)
			break;
		err = prepend(buf, at, e->name);
		e = e->parent;
	}
	return err;
}

int entry_print(struct entry *e, char *buf, size_t size)
{
	char *at = buf + size;
	int err = 0;

	*--at = 0;
	spin_lock(&tree_lock);
	for (; !err && e->parent; e = e->parent)
		err = prepend(buf, &at, e->name);
	spin_unlock(&tree_lock);
	if (err)
		return err;
	if (!*at)
		*--at = '/';
	memmove(buf, at, buf + size - at);
	return 0;
}

int path_print(const struct path *p, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	bool gone = READ_ONCE(p->entry->flags) & ENTRY_DELETED;
	size_t tail = gone ? sizeof(deleted) : 1;
	struct path root;
	char *at;
	int err;

	if (size < tail + 1)
		return -ENAMETOOLONG;
	if (!p->mnt) /* anonymous: its label */
		return strscpy(buf, p->entry->name, size) < 0 ? -ENAMETOOLONG : 0;
	at = buf + size - tail;
	memcpy(at, gone ? deleted : "", tail);
	fs_root(&root);
	mount_lock_tree();
	err = print_backwards(p, &root, buf, &at);
	mount_unlock_tree();
	path_put(&root);
	if (err)
		return err;
	if (at == buf + size - tail) {
		if (at == buf)
			return -ENAMETOOLONG;
		*--at = '/';
	}
	memmove(buf, at, buf + size - at);
	return 0;
}

int dentry_path(struct dentry *d, char *buf, size_t size)
{
	return path_print(&d->path, buf, size);
}

int file_path(const struct file *f, char *buf, size_t size)
{
	struct path p;
	int err = file_to_path((struct file *)f, &p);

	if (err)
		return err;
	err = path_print(&p, buf, size);
	path_put(&p);
	return err;
}
