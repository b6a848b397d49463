/* SPDX-License-Identifier: MIT */
/* dir.c - making, removing and moving names. Each call resolves the parent, locks it, looks again
 * and then changes tree and link counts in one go. */
#include "inotify.h"

#include <core/syscall.h>

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2

static DEFINE_MUTEX(rename_mutex); /* directories change their parents only under it */

int create_locked(struct path *at, const char *name, u32 mode, u64 rdev, struct entry **out)
{
	struct inode *dir = at->entry->inode, *ino;
	int err = mount_want_write(at);

	if (!err && (!dir->ops || !dir->ops->create))
		err = -EACCES;
	if (!err)
		err = inode_permission(dir, 3);
	if (err)
		return err;
	if (dir->mode & S_ISGID && S_ISDIR(mode))
		mode |= S_ISGID;
	err = dir->ops->create(dir, name, mode, rdev, &ino);
	if (err)
		return err;
	if (dir->mode & S_ISGID) {
		struct asker who = asker_now();

		ino->gid = dir->gid;
		/* a program that runs as a group the caller is not in */
		if (who.uid && S_ISREG(mode) && !asker_in_group(&who, ino->gid))
			ino->mode &= ~(u32)S_ISGID;
	}
	err = entry_link(at->entry, name, ino, out);
	inode_put(ino); /* the name holds it now, while the directory is locked */
	if (err)
		return err;
	if (S_ISDIR(mode))
		dir->nlink++;
	inode_touch(dir);
	inotify_name(dir, IN_CREATE, name, ino);
	return 0;
}

static int symlink_locked(struct path *at, const char *name, const char *target)
{
	struct inode *dir = at->entry->inode, *ino;
	int err = mount_want_write(at);

	if (!err && (!dir->ops || !dir->ops->symlink))
		err = -EPERM;
	if (!err)
		err = inode_permission(dir, 3);
	if (!err)
		err = dir->ops->symlink(dir, name, target, &ino);
	if (err)
		return err;
	err = entry_link(at->entry, name, ino, NULL);
	inode_put(ino);
	if (err)
		return err;
	inode_touch(dir);
	inotify_name(dir, IN_CREATE, name, ino);
	return 0;
}

static int link_locked(struct path *at, const char *name, struct inode *ino)
{
	struct inode *dir = at->entry->inode;
	int err = mount_want_write(at);

	if (!err && (!dir->ops || !dir->ops->link))
		err = -EPERM;
	if (!err)
		err = inode_permission(dir, 3);
	if (!err)
		err = dir->ops->link(dir, name, ino);
	if (!err)
		err = entry_link(at->entry, name, ino, NULL);
	if (err)
		return err;
	__atomic_add_fetch(&ino->nlink, 1,
			   __ATOMIC_SEQ_CST); /* other names: other directories' locks */
	inode_changed(ino);
	inode_touch(dir);
	inotify_inode(ino, IN_ATTRIB);
	inotify_name(dir, IN_CREATE, name, ino);
	return 0;
}

/* Walks to the parent of a name that is to be made and locks it. -EEXIST when it is there. On 0 the
 * caller ends with end_create. */
static int begin_create(struct walk *w, int dirfd, const char *name, bool isdir)
{
	struct entry *e;
	int err = walk_begin(w, dirfd, name, 0);

	if (err)
		return err;
	err = walk_parent(w);
	if (!err && w->last_type != LAST_NAME)
		err = -EEXIST;
	if (err)
		goto failed;
	mutex_lock(&w->at.entry->inode->lock);
	e = entry_lookup_locked(w->at.entry, w->last);
	err = IS_ERR(e) ? PTR_ERR(e) : -EEXIST;
	if (!IS_ERR(e))
		entry_put(e);
	if (err == -ENOENT && (isdir || !w->slash))
		return 0;
	mutex_unlock(&w->at.entry->inode->lock);
failed:
	walk_end(w);
	return err;
}

static void end_create(struct walk *w)
{
	mutex_unlock(&w->at.entry->inode->lock);
	walk_end(w);
}

int do_mknod(int dirfd, const char *name, u32 mode, u64 rdev)
{
	struct walk w;
	int err;

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!caller_is_root())
			return -EPERM;
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = begin_create(&w, dirfd, name, false);
	if (err)
		return err;
	err = create_locked(&w.at, w.last, mode & ~fs_umask(), rdev, NULL);
	end_create(&w);
	return err;
}

int do_mkdir(int dirfd, const char *name, u32 mode)
{
	struct walk w;
	int err = begin_create(&w, dirfd, name, true);

	if (err)
		return err;
	err = create_locked(&w.at, w.last, S_IFDIR | (mode & 01777 & ~fs_umask()), 0, NULL);
	end_create(&w);
	return err;
}

int do_symlink(const char *target, int dirfd, const char *name)
{
	struct walk w;
	int err;

	if (!*target)
		return -ENOENT;
	err = begin_create(&w, dirfd, name, false);
	if (err)
		return err;
	err = symlink_locked(&w.at, w.last, target);
	end_create(&w);
	return err;
}

int do_link(int olddir, const char *oldname, int newdir, const char *newname, u32 flags)
{
	struct inode *ino;
	struct path old;
	struct walk w;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = path_lookup(olddir, oldname,
			  (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
				  (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
			  &old);
	if (err)
		return err;
	err = begin_create(&w, newdir, newname, false);
	if (err)
		goto out;
	ino = old.entry->inode;
	if (old.mnt != w.at.mnt)
		err = -EXDEV;
	else if (S_ISDIR(ino->mode) || READ_ONCE(old.entry->flags) & ENTRY_LOOSE)
		err = -EPERM;
	else if (!READ_ONCE(ino->nlink))
		err = -ENOENT;
	else
		err = link_locked(&w.at, w.last, ino);
	end_create(&w);
out:
	path_put(&old);
	return err;
}

/* ---- removing ---- */

/* May the caller take e out of dir? */
static int may_delete(const struct path *at, struct entry *e)
{
	struct inode *dir = at->entry->inode;
	int err = mount_want_write(at);

	if (!err)
		err = inode_permission(dir, 3);
	if (err)
		return err;
	if (dir->mode & S_ISVTX && !caller_owns(e->inode) && !caller_owns(dir))
		return -EPERM;
	if (READ_ONCE(e->flags) & ENTRY_LOOSE || !dir->ops->unlink)
		return -EPERM;
	return READ_ONCE(e->nr_mounts) ? -EBUSY : 0;
}

/* e was, or is about to be, taken out of dir. */
static void drop_link(struct inode *dir, struct inode *ino)
{
	if (S_ISDIR(ino->mode)) {
		ino->nlink = 0;
		dir->nlink--;
	} else {
		__atomic_sub_fetch(&ino->nlink, 1, __ATOMIC_SEQ_CST);
	}
	inode_changed(ino);
}

static int unlink_locked(struct path *at, struct entry *e, const char *name, bool isdir)
{
	struct inode *dir = at->entry->inode, *ino = e->inode;
	int err = may_delete(at, e);

	if (err)
		return err;
	if (isdir && !S_ISDIR(ino->mode))
		return -ENOTDIR;
	if (!isdir && S_ISDIR(ino->mode))
		return -EISDIR;
	if (isdir) /* nothing may be made in it between the look and the removal */
		mutex_lock(&ino->lock);
	err = isdir && !list_empty(&e->children) ? -ENOTEMPTY : dir->ops->unlink(dir, name, isdir);
	if (!err) {
		entry_unlink(e);
		drop_link(dir, ino);
		inode_touch(dir);
		if (!isdir)
			inotify_inode(ino, IN_ATTRIB);
		inotify_name(dir, IN_DELETE, name, ino);
	}
	if (isdir)
		mutex_unlock(&ino->lock);
	return err;
}

/* Neither "." nor ".." nor "/" can be removed. */
static int last_errno(enum last_type type, bool isdir)
{
	if (!isdir)
		return -EISDIR;
	return type == LAST_DOT ? -EINVAL : type == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

int do_unlink(int dirfd, const char *name, bool isdir)
{
	struct entry *e = NULL;
	struct inode *dir;
	struct walk w;
	int err = walk_begin(&w, dirfd, name, 0);

	if (err)
		return err;
	err = walk_parent(&w);
	if (!err && w.last_type != LAST_NAME)
		err = last_errno(w.last_type, isdir);
	if (err)
		goto out;
	dir = w.at.entry->inode;
	mutex_lock(&dir->lock);
	e = entry_lookup_locked(w.at.entry, w.last);
	if (IS_ERR(e))
		err = PTR_ERR(e);
	else if (w.slash && !S_ISDIR(e->inode->mode))
		err = -ENOTDIR;
	else
		err = unlink_locked(&w.at, e, w.last, isdir);
	mutex_unlock(&dir->lock);
	/* the last reference frees the contents: after the lock */
	if (!IS_ERR(e))
		entry_put(e);
out:
	walk_end(&w);
	return err;
}

/* ---- renaming ---- */

struct rename {
	struct walk from, to;
	struct entry *old, *victim; /* victim NULL: the new name is free */
	u32 flags;
};

static void lock_dirs(struct entry *x, struct entry *y)
{
	struct entry *first = x, *second = y;

	if (x == y) {
		mutex_lock(&x->inode->lock);
		return;
	}
	if (entry_is_inside(x, y) || (!entry_is_inside(y, x) && y < x)) {
		first = y;
		second = x;
	}
	mutex_lock(&first->inode->lock);
	mutex_lock(&second->inode->lock);
}

static void unlock_dirs(struct entry *x, struct entry *y)
{
	mutex_unlock(&x->inode->lock);
	if (x != y)
		mutex_unlock(&y->inode->lock);
}

/* All that forbids it. Both directories are locked. */
static int rename_check(struct rename *r)
{
	struct inode *olddir = r->from.at.entry->inode, *newdir = r->to.at.entry->inode;
	bool isdir = S_ISDIR(r->old->inode->mode), swap = r->flags & RENAME_EXCHANGE;
	bool vdir = r->victim && S_ISDIR(r->victim->inode->mode);
	int err;

	if (r->victim && r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!r->victim && swap)
		return -ENOENT;
	if ((!isdir && (r->from.slash || (r->to.slash && !swap))) || (swap && !vdir && r->to.slash))
		return -ENOTDIR;
	if (entry_is_inside(r->to.at.entry, r->old))
		return -EINVAL;
	if (r->victim && entry_is_inside(r->from.at.entry, r->victim))
		return swap ? -EINVAL : -ENOTEMPTY;
	err = may_delete(&r->from.at, r->old);
	if (!err && r->victim)
		err = may_delete(&r->to.at, r->victim);
	else if (!err)
		err = inode_permission(newdir, 3);
	if (err)
		return err;
	if (!newdir->ops->create || READ_ONCE(r->to.at.entry->flags) & ENTRY_DELETED)
		return newdir->ops->create ? -ENOENT : -EPERM;
	if (isdir && olddir != newdir) /* its ".." changes */
		err = inode_permission(r->old->inode, 2);
	if (!err && r->victim && !swap && isdir != vdir)
		err = isdir ? -ENOTDIR : -EISDIR;
	return err;
}

static int rename_swap(struct rename *r)
{
	struct inode *olddir = r->from.at.entry->inode, *newdir = r->to.at.entry->inode;
	int dirs = S_ISDIR(r->old->inode->mode) - S_ISDIR(r->victim->inode->mode);
	int err = entry_exchange(r->old, r->victim);

	if (err)
		return err;
	olddir->nlink -= dirs;
	newdir->nlink += dirs;
	inode_changed(r->victim->inode);
	return 0;
}

static int rename_move(struct rename *r)
{
	struct inode *olddir = r->from.at.entry->inode, *newdir = r->to.at.entry->inode;
	struct inode *vino = r->victim ? r->victim->inode : NULL;
	bool vdir = vino && S_ISDIR(vino->mode);
	int err = 0;

	if (vdir) {
		mutex_lock(&vino->lock);
		if (!list_empty(&r->victim->children))
			err = -ENOTEMPTY;
	}
	if (!err)
		err = entry_move(r->old, r->to.at.entry, r->to.last, r->victim);
	if (!err) {
		if (vino)
			drop_link(newdir, vino);
		if (S_ISDIR(r->old->inode->mode)) {
			olddir->nlink--;
			newdir->nlink++;
		}
	}
	if (vdir)
		mutex_unlock(&vino->lock);
	return err;
}

static void rename_tell(const struct rename *r)
{
	struct inode *olddir = r->from.at.entry->inode, *newdir = r->to.at.entry->inode;
	struct inode *ino = r->old->inode, *vino = r->victim ? r->victim->inode : NULL;
	bool swap = r->flags & RENAME_EXCHANGE;

	inotify_moved(olddir, r->from.last, newdir, r->to.last, ino, swap ? NULL : vino);
	if (swap)
		inotify_moved(newdir, r->to.last, olddir, r->from.last, vino, NULL);
}

static int rename_locked(struct rename *r)
{
	struct inode *olddir = r->from.at.entry->inode, *newdir = r->to.at.entry->inode;
	int err;

	r->old = entry_lookup_locked(r->from.at.entry, r->from.last);
	if (IS_ERR(r->old)) {
		err = PTR_ERR(r->old);
		r->old = NULL;
		return err;
	}
	r->victim = entry_lookup_locked(r->to.at.entry, r->to.last);
	if (IS_ERR(r->victim)) {
		err = PTR_ERR(r->victim);
		r->victim = NULL;
		if (err != -ENOENT)
			return err;
	}
	err = rename_check(r);
	if (err)
		return err;
	/* POSIX: two names of one file, nothing is done */
	if (r->victim && r->victim->inode == r->old->inode)
		return 0;
	err = r->flags & RENAME_EXCHANGE ? rename_swap(r) : rename_move(r);
	if (err)
		return err;
	inode_changed(r->old->inode);
	inode_touch(olddir);
	inode_touch(newdir);
	rename_tell(r);
	return 0;
}

static int rename_walked(struct rename *r)
{
	struct entry *x = r->from.at.entry, *y = r->to.at.entry;
	int err;

	if (r->from.at.mnt != r->to.at.mnt)
		return -EXDEV;
	if (r->from.last_type != LAST_NAME)
		return -EBUSY;
	if (r->to.last_type != LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	mutex_lock(&rename_mutex);
	lock_dirs(x, y);
	err = rename_locked(r);
	unlock_dirs(x, y);
	mutex_unlock(&rename_mutex);
	if (r->old)
		entry_put(r->old);
	if (r->victim)
		entry_put(r->victim);
	return err;
}

int do_rename(int olddir, const char *oldname, int newdir, const char *newname, u32 flags)
{
	struct rename *r;
	int err;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = kzalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = flags;
	err = walk_begin(&r->from, olddir, oldname, 0);
	if (err)
		goto no_walk;
	err = walk_parent(&r->from);
	if (err)
		goto one_walk;
	err = walk_begin(&r->to, newdir, newname, 0);
	if (err)
		goto one_walk;
	err = walk_parent(&r->to);
	if (!err)
		err = rename_walked(r);
	walk_end(&r->to);
one_walk:
	walk_end(&r->from);
no_walk:
	kfree(r);
	return err;
}

int vfs_mknod(const char *path, u32 mode, u64 rdev)
{
	return do_mknod(AT_FDCWD, path, mode, rdev);
}
