/* SPDX-License-Identifier: MIT */
/* path.c - from a name to a place. A walk goes component by component; what remains to be walked is
 * a string, and a symbolic link puts its target in front of it. Nothing here recurses. */
#include "fs.h"

#include <core/syscall.h>

char *path_buf_get(void)
{
	return kmalloc(PATH_MAX);
}

void path_buf_put(char *p)
{
	kfree(p);
}

int path_from_user(char *buf, u64 user, bool allow_empty)
{
	long n = arch_strncpy_from_user(buf, (const char __user *)user, PATH_MAX);

	if (n < 0)
		return n;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	return n || allow_empty ? 0 : -ENOENT;
}

/* ---- where the caller is ---- */

static struct fs_context *caller_fs(void)
{
	return current() && current_proc() ? current_proc()->fs : NULL;
}

void fs_root(struct path *out)
{
	struct fs_context *fs = caller_fs();

	if (!fs) {
		mount_root_path(out);
		return;
	}
	spin_lock(&fs->lock);
	*out = path_get(&fs->root->path);
	spin_unlock(&fs->lock);
}

void fs_cwd(struct path *out)
{
	struct fs_context *fs = caller_fs();

	if (!fs) {
		mount_root_path(out);
		return;
	}
	spin_lock(&fs->lock);
	*out = path_get(&fs->cwd->path);
	spin_unlock(&fs->lock);
}

u32 fs_umask(void)
{
	struct fs_context *fs = caller_fs();

	return fs ? READ_ONCE(fs->umask) : 0;
}

/* ---- the walk ---- */

/* The place that dirfd stands for. */
static int dirfd_path(int dirfd, bool any, struct path *out)
{
	struct file *f;
	int err;

	if (dirfd == AT_FDCWD) {
		fs_cwd(out);
		return 0;
	}
	f = fd_get(dirfd);
	if (!f)
		return -EBADF;
	if (!any && (!f->dentry || !S_ISDIR(f->inode->mode)))
		err = -ENOTDIR;
	else
		err = file_to_path(f, out);
	file_put(f);
	return err;
}

int walk_begin(struct walk *w, int dirfd, const char *name, u32 flags)
{
	int err;

	w->buf = NULL;
	w->links = 0;
	w->flags = flags;
	w->rest = name;
	if (!*name && !(flags & WALK_EMPTY))
		return -ENOENT;
	if (*name == '/' && flags & WALK_BENEATH)
		return -EXDEV;
	if (*name == '/' && !(flags & WALK_IN_ROOT)) {
		fs_root(&w->root);
		w->at = path_get(&w->root);
	} else {
		err = dirfd_path(dirfd, !*name, &w->at);
		if (err)
			return err;
		if (flags & (WALK_BENEATH | WALK_IN_ROOT))
			w->root = path_get(&w->at);
		else
			fs_root(&w->root);
	}
	w->mnt = w->at.mnt;
	return 0;
}

void walk_end(struct walk *w)
{
	path_put(&w->at);
	path_put(&w->root);
	kfree(w->buf);
}

static int check_mount(const struct walk *w, const struct mount *m)
{
	return w->flags & WALK_NO_XDEV && m != w->mnt ? -EXDEV : 0;
}

/* One step towards the root, out of mounts as needed, never out of the caller's root. */
static int walk_up(struct walk *w)
{
	struct entry *up;

	if (path_same(&w->at, &w->root))
		return w->flags & WALK_BENEATH ? -EXDEV : 0;
	while (mount_ascend(&w->at)) {
		if (path_same(&w->at, &w->root))
			return check_mount(w, w->at.mnt);
	}
	if (w->at.entry != w->at.mnt->root) {
		up = entry_parent(w->at.entry);
		entry_put(w->at.entry);
		w->at.entry = up;
	}
	mount_descend(&w->at);
	return check_mount(w, w->at.mnt);
}

static int walk_may_search(struct walk *w)
{
	struct inode *dir = w->at.entry->inode;

	if (!S_ISDIR(dir->mode) || !w->at.mnt)
		return -ENOTDIR;
	return inode_permission(dir, 1);
}

/* Copies the next component to last; *next is behind its slashes. */
static int walk_component(struct walk *w, const char **next)
{
	const char *p = w->rest, *end = p;
	size_t n;

	while (*end && *end != '/')
		end++;
	n = end - p;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->last, p, n);
	w->last[n] = 0;
	w->last_type = n == 1 && p[0] == '.'		    ? LAST_DOT :
		       n == 2 && p[0] == '.' && p[1] == '.' ? LAST_DOTDOT :
							      LAST_NAME;
	w->slash = *end == '/';
	while (*end == '/')
		end++;
	*next = end;
	return 0;
}

int walk_child(struct walk *w, struct path *out)
{
	struct entry *e;
	int err = 0;

	if (w->last_type == LAST_NAME) {
		e = entry_lookup(w->at.entry, w->last);
		if (IS_ERR(e))
			return PTR_ERR(e);
		out->mnt = mount_get(w->at.mnt);
		out->entry = e;
		mount_descend(out);
		err = check_mount(w, out->mnt);
		if (err)
			path_put(out);
		return err;
	}
	if (w->last_type == LAST_DOTDOT)
		err = walk_up(w);
	if (!err)
		*out = path_get(&w->at);
	return err;
}

/* Puts the link's target before what is left of the name, which grows by less than a PATH_MAX with
 * each of at most 40 links. */
static int walk_prepend(struct walk *w, struct inode *link)
{
	size_t left = strlen(w->rest), slash = left || w->slash, room;
	char *buf;
	int n;

	room = PATH_MAX + 1 + left + 1;
	buf = kmalloc(room);
	if (!buf)
		return -ENOMEM;
	n = inode_readlink(link, buf, PATH_MAX - 1);
	if (n <= 0) {
		kfree(buf);
		return n ? n : -ENOENT;
	}
	if (slash)
		buf[n] = '/';
	memcpy(buf + n + slash, w->rest, left);
	buf[n + slash + left] = 0;
	kfree(w->buf);
	w->buf = buf;
	w->rest = buf;
	return 0;
}

int walk_into_link(struct walk *w, struct path *link)
{
	struct inode *ino = link->entry->inode;
	struct dentry *d;
	int err;

	if (++w->links > MAX_LINKS || w->flags & WALK_NO_LINKS) {
		err = -ELOOP;
	} else if (ino->ops && ino->ops->follow) {
		if (w->flags & WALK_NO_MAGIC)
			err = -ELOOP;
		else if (w->flags & (WALK_BENEATH | WALK_IN_ROOT | WALK_NO_XDEV))
			err = -EXDEV;
		else
			err = ino->ops->follow(ino, &d);
		if (!err) {
			path_put(&w->at);
			w->at = dentry_to_path(d);
			dentry_put(d);
			if (w->slash && !*w->rest && !S_ISDIR(w->at.entry->inode->mode))
				err = -ENOTDIR;
		}
	} else {
		err = walk_prepend(w, ino);
		if (!err && *w->rest == '/') {
			if (w->flags & WALK_BENEATH)
				err = -EXDEV;
			path_put(&w->at);
			w->at = path_get(&w->root);
			if (!err)
				err = check_mount(w, w->at.mnt);
		}
	}
	path_put(link);
	return err;
}

int walk_parent(struct walk *w)
{
	for (;;) {
		struct path child;
		const char *next;
		int err;

		while (*w->rest == '/')
			w->rest++;
		if (!*w->rest) {
			w->last_type = LAST_NONE;
			w->last[0] = 0;
			w->slash = false;
			return 0;
		}
		err = walk_may_search(w);
		if (!err)
			err = walk_component(w, &next);
		if (err)
			return err;
		w->rest = next;
		if (!*next)
			return 0;
		err = walk_child(w, &child);
		if (err)
			return err;
		if (S_ISLNK(child.entry->inode->mode)) {
			err = walk_into_link(w, &child);
			if (err)
				return err;
			continue;
		}
		path_put(&w->at);
		w->at = child;
	}
}

int path_lookup(int dirfd, const char *name, u32 flags, struct path *out)
{
	struct path child = { 0 };
	struct walk w;
	int err = walk_begin(&w, dirfd, name, flags);

	if (err)
		return err;
	for (;;) {
		err = walk_parent(&w);
		if (err)
			break;
		if (w.last_type == LAST_NONE) {
			child = path_get(&w.at);
			break;
		}
		err = walk_child(&w, &child);
		if (err)
			break;
		if (!S_ISLNK(child.entry->inode->mode) || !(flags & WALK_FOLLOW || w.slash))
			break;
		err = walk_into_link(&w, &child);
		if (err)
			break;
	}
	if (!err && (w.slash || flags & WALK_DIR) && !S_ISDIR(child.entry->inode->mode)) {
		path_put(&child);
		err = -ENOTDIR;
	}
	walk_end(&w);
	if (!err)
		*out = child;
	return err;
}

int path_lookup_user(int dirfd, u64 name, u32 flags, struct path *out)
{
	char *buf = path_buf_get();
	int err;

	if (!buf)
		return -ENOMEM;
	err = path_from_user(buf, name, flags & WALK_EMPTY);
	if (!err)
		err = path_lookup(dirfd, buf, flags, out);
	path_buf_put(buf);
	return err;
}

struct inode *vfs_inode_get(const char *name)
{
	struct inode *ino;
	struct path p;
	int err = path_lookup(AT_FDCWD, name, WALK_FOLLOW, &p);

	if (err)
		return ERR_PTR(err);
	ino = inode_get(p.entry->inode);
	path_put(&p);
	return ino;
}
