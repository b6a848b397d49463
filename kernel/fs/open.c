/* SPDX-License-Identifier: MIT */
/* open.c - open(2) and what the kernel opens for itself. */
#include "inotify.h"

#include <core/syscall.h>

#define OPEN_KNOWN                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_ASYNC | \
	 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_PATH)

/* The place of an open with O_CREAT: found or made. */
static int open_create(struct walk *w, u32 flags, u32 mode, struct path *out, bool *created)
{
	for (;;) {
		struct inode *dir;
		struct path found;
		int err = walk_parent(w);

		if (err)
			return err;
		if (w->last_type == LAST_NONE) {
			*out = path_get(&w->at);
			return flags & O_EXCL ? -EEXIST : 0;
		}
		if (w->last_type != LAST_NAME || w->slash) {
			*out = (struct path){ 0 };
			return flags & O_EXCL && w->last_type != LAST_NAME ? -EEXIST : -EISDIR;
		}
		dir = w->at.entry->inode;
		mutex_lock(&dir->lock);
		found.entry = entry_lookup_locked(w->at.entry, w->last);
		if (IS_ERR(found.entry)) {
			err = PTR_ERR(found.entry);
			if (err == -ENOENT)
				err = create_locked(&w->at, w->last, S_IFREG | (mode & 07777), 0,
						    &found.entry);
			*created = !err;
		}
		mutex_unlock(&dir->lock);
		if (err)
			return err;
		found.mnt = mount_get(w->at.mnt);
		mount_descend(&found);
		*out = found;
		if (*created)
			return 0;
		if (flags & O_EXCL)
			return -EEXIST;
		if (!S_ISLNK(found.entry->inode->mode) || flags & O_NOFOLLOW)
			return 0;
		*out = (struct path){ 0 };
		err = walk_into_link(w, &found);
		if (err)
			return err;
	}
}

/* May the caller open what is there? */
static int may_open(const struct path *p, u32 flags)
{
	static const int wants[4] = { 4, 2, 6, 6 };
	struct inode *ino = p->entry->inode;
	int want = wants[flags & O_ACCMODE] | (flags & O_TRUNC ? 2 : 0), err;

	if (S_ISLNK(ino->mode))
		return -ELOOP;
	if (S_ISDIR(ino->mode) && (want & 2 || flags & O_CREAT))
		return -EISDIR;
	if ((S_ISCHR(ino->mode) || (ino->mode & S_IFMT) == S_IFBLK) && p->mnt &&
	    READ_ONCE(p->mnt->flags) & MS_NODEV)
		return -EACCES;
	err = inode_permission(ino, want);
	if (!err && want & 2 && (S_ISREG(ino->mode) || S_ISDIR(ino->mode)))
		err = mount_want_write(p);
	return err;
}

static int find_for_open(int dirfd, const char *name, u32 flags, u32 mode, u32 how,
			 struct path *out, bool *created)
{
	struct walk w;
	int err;

	how |= (flags & O_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & O_DIRECTORY ? WALK_DIR : 0);
	if (!(flags & O_CREAT))
		return path_lookup(dirfd, name, how, out);
	err = walk_begin(&w, dirfd, name, how);
	if (err)
		return err;
	*out = (struct path){ 0 };
	err = open_create(&w, flags, mode & ~fs_umask(), out, created);
	walk_end(&w);
	if (err)
		path_put(out);
	return err;
}

struct file *file_open_how(int dirfd, const char *name, u32 flags, u32 mode, u32 how)
{
	struct file *f = NULL;
	bool created = false;
	struct path p;
	int err;

	flags &= OPEN_KNOWN;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return ERR_PTR(-EINVAL);
	err = find_for_open(dirfd, name, flags, mode, how, &p, &created);
	if (err)
		return ERR_PTR(err);
	/* who makes a file may open it, whatever its mode says */
	if (!created && !(flags & O_PATH))
		err = may_open(&p, flags);
	if (!err) {
		f = file_open_path(&p, flags);
		if (IS_ERR(f))
			err = PTR_ERR(f);
	}
	if (!err && flags & O_TRUNC && !created && S_ISREG(f->inode->mode) &&
	    f->inode->ops->truncate) {
		err = inode_truncate(f->inode, 0);
		if (err)
			file_put(f);
		else
			inotify_file(f, IN_MODIFY);
	}
	if (!err)
		inotify_file(f, IN_OPEN);
	path_put(&p);
	return err ? ERR_PTR(err) : f;
}

struct file *file_open_at(int dirfd, const char *name, u32 flags, u32 mode)
{
	return file_open_how(dirfd, name, flags, mode, 0);
}

struct file *vfs_open(const char *path, u32 flags, u32 mode)
{
	return file_open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

struct file *vfs_open_exec(const char *path)
{
	struct file *f = NULL;
	struct inode *ino;
	struct path p;
	int err = path_lookup(AT_FDCWD, path, WALK_FOLLOW, &p);

	if (err)
		return ERR_PTR(err);
	ino = p.entry->inode;
	if (!S_ISREG(ino->mode) || !p.mnt || READ_ONCE(p.mnt->flags) & MS_NOEXEC)
		err = -EACCES;
	if (!err)
		err = inode_permission(ino, 1);
	if (!err)
		err = inode_deny_write(ino);
	if (!err) {
		f = file_open_path(&p, O_RDONLY | O_LARGEFILE);
		if (IS_ERR(f)) {
			err = PTR_ERR(f);
			inode_allow_write(ino);
		} else {
			to_vfile(f)->denies_write = true;
			inotify_file(f, IN_OPEN);
		}
	}
	path_put(&p);
	return err ? ERR_PTR(err) : f;
}

long vfs_read_at(struct file *f, void *buf, size_t n, u64 pos)
{
	struct iovec iov = { buf, n };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	return file_read_iter(f, &it, &pos);
}

static long open_fd(int dirfd, u64 uname, u64 flags, u64 mode, u32 how)
{
	char *name = path_buf_get();
	struct file *f;
	long fd;

	if (!name)
		return -ENOMEM;
	fd = path_from_user(name, uname, true);
	if (fd == 0)
		fd = fd_reserve((u32)flags);
	if (fd >= 0) {
		f = file_open_how(dirfd, name, (u32)flags | O_LARGEFILE, (u32)mode, how);
		if (IS_ERR(f)) {
			fd_unreserve((int)fd);
			fd = PTR_ERR(f);
		} else {
			fd_fill((int)fd, f);
		}
	}
	path_buf_put(name);
	return fd;
}

SYSCALL(2, open)
{
	return open_fd(AT_FDCWD, a, b, c, 0);
}

SYSCALL(85, creat)
{
	return open_fd(AT_FDCWD, a, O_CREAT | O_WRONLY | O_TRUNC, b, 0);
}

SYSCALL(257, openat)
{
	return open_fd((int)a, b, c, d, 0);
}

/* ---- openat2 ---- */

struct open_how {
	u64 flags, mode, resolve;
};

/* RESOLVE_CACHED apart, which asks not to wait: no walk here waits for a disk. */
static const u32 resolve_walk[] = { WALK_NO_XDEV, WALK_NO_MAGIC, WALK_NO_LINKS,
				    WALK_BENEATH, WALK_IN_ROOT,	 0 };

/* Unlike open(2) it refuses what it does not know. */
static int check_how(const struct open_how *how)
{
	u64 flags = how->flags;

	if (flags & ~(u64)(OPEN_KNOWN | 040000 /* O_DIRECT */ | 01000000 /* O_NOATIME */ |
			   04010000 /* O_SYNC */))
		return -EINVAL;
	if (how->mode & ~07777ull || (how->mode && !(flags & O_CREAT)))
		return -EINVAL;
	if (flags & O_PATH && flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if (how->resolve >> ARRAY_SIZE(resolve_walk))
		return -EINVAL;
	return 0;
}

SYSCALL(437, openat2)
{
	struct open_how how;
	u32 walk = 0, i;
	int err;

	if (d < sizeof(how))
		return -EINVAL;
	if (d > sizeof(how))
		return -E2BIG; /* members that nobody knows yet */
	if (copy_from_user(&how, (const void __user *)c, sizeof(how)))
		return -EFAULT;
	err = check_how(&how);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(resolve_walk); i++) {
		if (how.resolve & BIT(i))
			walk |= resolve_walk[i];
	}
	if ((walk & (WALK_BENEATH | WALK_IN_ROOT)) == (WALK_BENEATH | WALK_IN_ROOT))
		return -EINVAL;
	return open_fd((int)a, b, how.flags, how.mode, walk);
}
