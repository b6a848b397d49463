/* SPDX-License-Identifier: MIT */
/* tree.c - trees of text files registered by path: /proc and /sys. Directories come with their
 * first file and go with their last. A removed file's node stays for those who have it open: they
 * read nothing. The node's lock is held around show and write, so that removal waits for them. */
#include "tree.h"

#include <weft/ledger.h>
#include <weft/module.h>

struct node {
	struct refcount refs; /* the inode, the registration */
	struct tree *tree;
	struct ledger_entry ledger;
	struct mutex lock;
	struct procfile *file; /* guarded by lock; NULL: removed */
};

/* Directories made because a path needed them carry this mark: they go when they are empty. */
static char automatic;

static void node_put(struct node *n)
{
	if (refcount_dec_and_test(&n->refs))
		kfree(n);
}

/* ---- files ---- */

static int node_fill(struct inode *ino, struct seq *s)
{
	struct node *n = ino->priv;
	int err = 0;

	mutex_lock(&n->lock);
	if (n->file && n->file->show) {
		s->arg = n->file->arg;
		err = n->file->show(s);
	}
	mutex_unlock(&n->lock);
	return err;
}

static int node_open(struct inode *ino, struct file *f)
{
	struct node *n = ino->priv;
	bool writable;

	mutex_lock(&n->lock);
	writable = n->file && n->file->write;
	mutex_unlock(&n->lock);
	if (to_vfile(f)->mode & FMODE_WRITE && !writable)
		return -EACCES;
	return text_open(f, node_fill);
}

char *text_from_iter(struct iov_iter *from, size_t *len)
{
	size_t n = from->count;
	char *text;
	long got;

	if (n > TREE_WRITE_MAX)
		return ERR_PTR(-EINVAL);
	text = kmalloc(n + 1);
	if (!text)
		return ERR_PTR(-ENOMEM);
	got = iter_copy_from(text, n, from);
	if (got != (long)n) {
		kfree(text);
		return ERR_PTR(-EFAULT);
	}
	if (n && text[n - 1] == '\n')
		n--;
	text[n] = 0;
	*len = n;
	return text;
}

static long node_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct node *n = f->inode->priv;
	size_t whole = from->count, len;
	char *text;
	long err = -ENODEV;

	if (!whole)
		return 0;
	text = text_from_iter(from, &len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&n->lock);
	if (n->file && n->file->write)
		err = n->file->write(n->file->arg, text, len);
	mutex_unlock(&n->lock);
	kfree(text);
	if (err)
		return err;
	*pos += whole;
	return (long)whole;
}

static void node_evict(struct inode *ino)
{
	if (ino->priv)
		node_put(ino->priv);
}

static const struct file_ops node_fops = {
	.read = text_read,
	.write = node_write,
	.seek = text_seek,
	.release = text_release,
};

/* truncate: a shell opens what it writes with O_TRUNC */
static int node_truncate(struct inode *ino, u64 size)
{
	return 0;
}

static const struct inode_ops node_ops = {
	.open = node_open,
	.truncate = node_truncate,
	.evict = node_evict,
};

/* ---- directories ---- */

/* Names cannot be made from outside; that there is none is what a caller wants to hear. */
static int no_create(struct inode *dir, const char *name, u32 mode, u64 rdev, struct inode **out)
{
	return S_ISREG(mode) ? -ENOENT : -EPERM;
}

static const struct inode_ops tree_dir_ops = { .create = no_create };

static struct inode *dir_inode(struct tree *t, bool keep)
{
	struct inode *ino = inode_new(t->super, S_IFDIR | 0555);

	if (!ino)
		return NULL;
	ino->uid = ino->gid = 0;
	ino->nlink = 2;
	ino->ops = &tree_dir_ops;
	ino->fops = &dir_fops;
	ino->priv = keep ? NULL : &automatic;
	return ino;
}

static int ready_locked(struct tree *t)
{
	struct super *s;
	struct inode *root;

	if (t->super)
		return 0;
	s = t->super = super_new(t->type, t->magic);
	root = s ? dir_inode(t, true) : NULL;
	if (root) {
		if (t->root_ops)
			root->ops = t->root_ops;
		if (t->root_fops)
			root->fops = t->root_fops;
		s->root = entry_new_root(root);
		inode_put(root);
	}
	if (s && s->root)
		return 0;
	kfree(s);
	t->super = NULL;
	return -ENOMEM;
}

int tree_ready(struct tree *t)
{
	int err;

	mutex_lock(&t->lock);
	err = ready_locked(t);
	mutex_unlock(&t->lock);
	return err;
}

static int link_in(struct entry *dir, const char *name, struct inode *ino, struct entry **out)
{
	int err;

	mutex_lock(&dir->inode->lock);
	err = entry_link(dir, name, ino, out);
	if (!err) {
		inode_touch(dir->inode);
		if (S_ISDIR(ino->mode))
			dir->inode->nlink++;
	}
	mutex_unlock(&dir->inode->lock);
	return err;
}

/* Takes an entry out, then the automatic directories that became empty. Takes e's reference. */
static void take_out(struct entry *e)
{
	for (;;) {
		struct entry *dir = entry_parent(e);
		bool empty;

		mutex_lock(&dir->inode->lock);
		entry_unlink(e);
		if (S_ISDIR(e->inode->mode))
			dir->inode->nlink--;
		e->inode->nlink = 0;
		inode_touch(dir->inode);
		empty = list_empty(&dir->children);
		mutex_unlock(&dir->inode->lock);
		entry_put(e);
		if (!empty || dir->inode->priv != &automatic) {
			entry_put(dir);
			return;
		}
		e = dir;
	}
}

/* One component of a path: *len bytes at *path behind slashes; 0 at the end. */
static const char *component(const char **path, size_t *len)
{
	const char *start;

	while (**path == '/')
		(*path)++;
	start = *path;
	while (**path && **path != '/')
		(*path)++;
	*len = *path - start;
	return start;
}

/* The directory of a path, with a reference; its last name goes to name[NAME_MAX + 1]. make: what
 * is missing is made. Lock held. */
static struct entry *parent_of(struct tree *t, const char *path, char *name, bool make)
{
	struct entry *dir = entry_get(t->super->root), *next;
	struct inode *ino;
	size_t len;
	int err;

	for (;;) {
		const char *start = component(&path, &len);

		err = len && len <= NAME_MAX ? 0 : -EINVAL;
		if (err)
			break;
		memcpy(name, start, len);
		name[len] = 0;
		while (*path == '/')
			path++;
		if (!*path)
			return dir;
		next = entry_lookup(dir, name);
		if (IS_ERR(next)) {
			err = PTR_ERR(next);
			ino = err == -ENOENT && make ? dir_inode(t, false) : NULL;
			if (ino) {
				err = link_in(dir, name, ino, &next);
				inode_put(ino);
			} else if (err == -ENOENT && make) {
				err = -ENOMEM;
			}
			if (err)
				break;
		}
		if (!S_ISDIR(next->inode->mode)) {
			entry_put(next);
			err = -ENOTDIR;
			break;
		}
		entry_put(dir);
		dir = next;
	}
	entry_put(dir);
	return ERR_PTR(err);
}

/* ---- registration ---- */

/* Directories that were made for a name that then could not be linked go again. */
static void sweep_empty(struct entry *dir)
{
	if (dir->inode->priv == &automatic && list_empty(&dir->children))
		take_out(dir);
	else
		entry_put(dir);
}

static int add_inode(struct tree *t, const char *path, struct inode *ino)
{
	char name[NAME_MAX + 1];
	struct entry *dir;
	int err;

	mutex_lock(&t->lock);
	dir = parent_of(t, path, name, true);
	if (IS_ERR(dir)) {
		err = PTR_ERR(dir);
	} else {
		err = link_in(dir, name, ino, NULL);
		sweep_empty(dir);
	}
	mutex_unlock(&t->lock);
	return err;
}

static void undo(struct ledger_entry *e)
{
	struct node *n = container_of(e, struct node, ledger);

	tree_remove(n->tree, n->file);
}

static struct node *node_new(struct tree *t, struct procfile *f)
{
	struct node *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	refcount_set(&n->refs, 1);
	mutex_init(&n->lock);
	n->tree = t;
	n->file = f;
	return n;
}

int tree_add(struct tree *t, struct procfile *f, struct module *owner, const char *kind)
{
	int err = tree_ready(t);
	struct inode *ino;
	struct node *n;

	if (err)
		return err;
	n = node_new(t, f);
	ino = n ? inode_new(t->super, S_IFREG | (f->mode & 07777)) : NULL;
	if (!ino) {
		kfree(n);
		return -ENOMEM;
	}
	refcount_inc(&n->refs);
	ino->uid = ino->gid = 0;
	ino->ops = &node_ops;
	ino->fops = &node_fops;
	ino->priv = n;
	/* before it can be found: whoever removes the directory looks there */
	f->node = n;
	ledger_add(&n->ledger, owner, kind, f->path, undo);
	err = add_inode(t, f->path, ino);
	inode_put(ino);
	if (err) {
		f->node = NULL;
		ledger_remove(&n->ledger);
		node_put(n);
	}
	return err;
}

/* Ends the registration of a node whose entry is out of the tree. */
static void retire(struct node *n)
{
	mutex_lock(&n->lock);
	n->file = NULL;
	mutex_unlock(&n->lock);
	ledger_remove(&n->ledger);
	node_put(n);
}

/* The linked entry of a path, with a reference; NULL. Lock held. */
static struct entry *find(struct tree *t, const char *path)
{
	char name[NAME_MAX + 1];
	struct entry *dir, *e;

	dir = parent_of(t, path, name, false);
	if (IS_ERR(dir))
		return NULL;
	e = entry_lookup(dir, name);
	entry_put(dir);
	if (IS_ERR(e))
		return NULL;
	if (READ_ONCE(e->flags) & ENTRY_LOOSE) {
		entry_put(e);
		return NULL;
	}
	return e;
}

void tree_remove(struct tree *t, struct procfile *f)
{
	struct entry *e;
	struct node *n;

	mutex_lock(&t->lock);
	n = f->node;
	if (n) {
		f->node = NULL;
		e = find(t, f->path);
		if (e && e->inode->priv == n)
			take_out(e);
		else if (e)
			entry_put(e);
	}
	mutex_unlock(&t->lock);
	if (n)
		retire(n);
}

int tree_special(struct tree *t, const char *path, u32 mode, const struct inode_ops *ops)
{
	int err = tree_ready(t);
	struct inode *ino;

	if (err)
		return err;
	ino = inode_new(t->super, mode);
	if (!ino)
		return -ENOMEM;
	ino->uid = ino->gid = 0;
	ino->ops = ops;
	err = add_inode(t, path, ino);
	inode_put(ino);
	return err;
}

int tree_link(struct tree *t, const char *path, const char *target)
{
	int err = tree_ready(t);
	struct inode *ino;

	if (err)
		return err;
	err = ramfs_dir_ops.symlink(t->super->root->inode, "", target, &ino);
	if (err)
		return -ENOMEM;
	err = add_inode(t, path, ino);
	inode_put(ino);
	return err;
}

int tree_mkdir(struct tree *t, const char *path)
{
	int err = tree_ready(t);
	struct inode *ino;
	struct entry *e;

	if (err)
		return err;
	ino = dir_inode(t, true);
	if (!ino)
		return -ENOMEM;
	err = add_inode(t, path, ino);
	inode_put(ino);
	if (err != -EEXIST)
		return err;
	/* it came with a file: from now on it stays */
	mutex_lock(&t->lock);
	e = find(t, path);
	if (e && e->inode->priv == &automatic) {
		e->inode->priv = NULL;
		err = 0;
	}
	if (e)
		entry_put(e);
	mutex_unlock(&t->lock);
	return err;
}

/* A link, file or directory with all below it. Nodes are retired without the tree's lock: their
 * show may want it. */
void tree_delete(struct tree *t, const char *path)
{
	for (;;) {
		struct node *n = NULL;
		struct entry *e, *leaf;
		bool last;

		mutex_lock(&t->lock);
		e = t->super ? find(t, path) : NULL;
		if (!e) {
			mutex_unlock(&t->lock);
			return;
		}
		leaf = entry_get(e);
		while (!list_empty(&leaf->children)) {
			struct entry *child =
				entry_get(list_first_entry(&leaf->children, struct entry, sibling));

			entry_put(leaf);
			leaf = child;
		}
		if (leaf->inode->ops == &node_ops) {
			n = leaf->inode->priv; /* linked: its registration still holds it */
			n->file->node = NULL;
		}
		last = leaf == e;
		take_out(leaf);
		entry_put(e);
		mutex_unlock(&t->lock);
		if (n)
			retire(n);
		if (last)
			return;
	}
}

int tree_mount(struct tree *t, struct super **super, struct entry **root)
{
	int err = tree_ready(t);

	if (err)
		return err;
	*super = super_get(t->super);
	*root = entry_get(t->super->root);
	return 0;
}
