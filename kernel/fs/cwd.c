/* SPDX-License-Identifier: MIT */
/* cwd.c - a process's place in the tree: working directory, root, umask. Shared by its threads. */
#include "fs.h"

#include <core/syscall.h>

struct fs_context *fs_context_get(struct fs_context *fs)
{
	refcount_inc(&fs->refs);
	return fs;
}

struct fs_context *fs_context_copy(struct fs_context *old)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));
	struct path root;

	if (!fs)
		return NULL;
	refcount_set(&fs->refs, 1);
	spin_init(&fs->lock);
	if (old) {
		spin_lock(&old->lock);
		fs->cwd = dentry_get(old->cwd);
		fs->root = dentry_get(old->root);
		fs->umask = old->umask;
		spin_unlock(&old->lock);
		return fs;
	}
	mount_root_path(&root);
	fs->cwd = dentry_new(&root);
	fs->root = dentry_new(&root);
	fs->umask = 022;
	path_put(&root);
	if (!fs->cwd || !fs->root) {
		fs_context_put(fs);
		return NULL;
	}
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !refcount_dec_and_test(&fs->refs))
		return;
	dentry_put(fs->cwd);
	dentry_put(fs->root);
	kfree(fs);
}

/* Puts p (its references stay the caller's) in place of *slot, a member of the caller's context. */
static int set_place(struct dentry **slot, const struct path *p)
{
	struct fs_context *fs = current_proc()->fs;
	struct dentry *d = dentry_new(p), *old;

	if (!d)
		return -ENOMEM;
	spin_lock(&fs->lock);
	old = *slot;
	*slot = d;
	spin_unlock(&fs->lock);
	dentry_put(old);
	return 0;
}

static int enter(struct path *p, struct dentry **slot)
{
	int err = S_ISDIR(p->entry->inode->mode) && p->mnt ? 0 : -ENOTDIR;

	if (!err)
		err = inode_permission(p->entry->inode, 1);
	return err ? err : set_place(slot, p);
}

SYSCALL(80, chdir)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, a, WALK_FOLLOW | WALK_DIR, &p);

	if (err)
		return err;
	err = enter(&p, &current_proc()->fs->cwd);
	path_put(&p);
	return err;
}

SYSCALL(81, fchdir)
{
	struct file *file = fd_get((int)a);
	struct path p;
	int err;

	if (!file)
		return -EBADF;
	err = file_to_path(file, &p);
	if (!err) {
		err = enter(&p, &current_proc()->fs->cwd);
		path_put(&p);
	}
	file_put(file);
	return err;
}

SYSCALL(161, chroot)
{
	struct path p;
	int err = path_lookup_user(AT_FDCWD, a, WALK_FOLLOW | WALK_DIR, &p);

	if (err)
		return err;
	err = require_root();
	if (!err)
		err = enter(&p, &current_proc()->fs->root);
	path_put(&p);
	return err;
}

SYSCALL(79, getcwd)
{
	char *buf = path_buf_get();
	struct path p;
	long n;

	if (!buf)
		return -ENOMEM;
	fs_cwd(&p);
	n = READ_ONCE(p.entry->flags) & ENTRY_DELETED ? -ENOENT : path_print(&p, buf, PATH_MAX);
	path_put(&p);
	if (!n) {
		n = (long)strlen(buf) + 1;
		if ((u64)n > b)
			n = -ERANGE;
		else if (copy_to_user((void __user *)a, buf, (size_t)n))
			n = -EFAULT;
	}
	path_buf_put(buf);
	return n;
}

SYSCALL(95, umask)
{
	struct fs_context *fs = current_proc()->fs;

	return xchg(&fs->umask, (u32)a & 0777);
}
