/* SPDX-License-Identifier: MIT */
/* attr.c - changing what stat shows: mode, owner, times, size; and the calls about extended
 * attributes and storage that a file system in memory answers without doing anything. */
#include "inotify.h"

#include <core/syscall.h>
#include <weft/time.h>

/* ---- mode and owner ---- */

static int set_mode(const struct path *p, u32 mode)
{
	struct inode *ino = p->entry->inode;
	struct asker who = asker_now();
	int err = mount_want_write(p);

	if (!err && !caller_owns(ino))
		err = -EPERM;
	if (!err && S_ISLNK(ino->mode))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	mode &= 07777;
	if (who.uid && !S_ISDIR(ino->mode) && !asker_in_group(&who, ino->gid))
		mode &= ~S_ISGID;
	mutex_lock(&ino->lock);
	err = ino->ops && ino->ops->setattr ? ino->ops->setattr(ino) : 0;
	if (!err) {
		ino->mode = (ino->mode & S_IFMT) | mode;
		inode_changed(ino);
	}
	mutex_unlock(&ino->lock);
	if (!err)
		inotify_entry(p->entry, IN_ATTRIB);
	return err;
}

static int set_owner(const struct path *p, u32 uid, u32 gid)
{
	struct inode *ino = p->entry->inode;
	struct asker who = asker_now();
	int err = mount_want_write(p);

	if (err)
		return err;
	if (who.uid) {
		/* an owner may give the file to a group of his own, and nobody to anybody */
		if ((uid != (u32)-1 && (uid != ino->uid || who.uid != ino->uid)) ||
		    (gid != (u32)-1 && (who.uid != ino->uid || !asker_in_group(&who, gid))))
			return -EPERM;
	}
	mutex_lock(&ino->lock);
	err = ino->ops && ino->ops->setattr ? ino->ops->setattr(ino) : 0;
	if (!err) {
		if (uid != (u32)-1)
			ino->uid = uid;
		if (gid != (u32)-1)
			ino->gid = gid;
		if (S_ISREG(ino->mode))
			ino->mode &= ~(u32)(S_ISUID | (ino->mode & 010 ? S_ISGID : 0));
		inode_changed(ino);
	}
	mutex_unlock(&ino->lock);
	if (!err)
		inotify_entry(p->entry, IN_ATTRIB);
	return err;
}

/* Runs fn on the place of a name or of a descriptor. */
static long with_name(int dirfd, u64 name, u32 flags, int (*fn)(const struct path *, u32, u32),
		      u32 x, u32 y)
{
	struct path p;
	long err = path_lookup_user(dirfd, name,
				    (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
					    (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
				    &p);

	if (err)
		return err;
	err = fn(&p, x, y);
	path_put(&p);
	return err;
}

static long with_fd(int fd, int (*fn)(const struct path *, u32, u32), u32 x, u32 y)
{
	struct file *f = fd_get(fd);
	struct path p;
	long err;

	if (!f)
		return -EBADF;
	err = f->flags & O_PATH ? -EBADF : file_to_path(f, &p);
	if (!err) {
		err = fn(&p, x, y);
		path_put(&p);
	}
	file_put(f);
	return err;
}

static int chmod_path(const struct path *p, u32 mode, u32 unused)
{
	return set_mode(p, mode);
}

SYSCALL(90, chmod)
{
	return with_name(AT_FDCWD, a, 0, chmod_path, (u32)b, 0);
}

SYSCALL(91, fchmod)
{
	return with_fd((int)a, chmod_path, (u32)b, 0);
}

SYSCALL(268, fchmodat)
{
	return with_name((int)a, b, 0, chmod_path, (u32)c, 0);
}

SYSCALL(92, chown)
{
	return with_name(AT_FDCWD, a, 0, set_owner, (u32)b, (u32)c);
}

SYSCALL(93, fchown)
{
	return with_fd((int)a, set_owner, (u32)b, (u32)c);
}

SYSCALL(94, lchown)
{
	return with_name(AT_FDCWD, a, AT_SYMLINK_NOFOLLOW, set_owner, (u32)b, (u32)c);
}

SYSCALL(260, fchownat)
{
	if (e & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return with_name((int)a, b, (u32)e, set_owner, (u32)c, (u32)d);
}

/* ---- times ---- */

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe

struct new_times {
	u64 atime, mtime;
	bool set_atime, set_mtime;
	bool now; /* both are the present: whoever may write may do that */
};

static int set_times(const struct path *p, const struct new_times *t)
{
	struct inode *ino = p->entry->inode;
	int err = mount_want_write(p);

	if (!err && !caller_owns(ino))
		err = t->now ? inode_permission(ino, 2) : -EPERM;
	if (err)
		return err;
	mutex_lock(&ino->lock);
	if (t->set_atime)
		ino->atime_ns = t->atime;
	if (t->set_mtime)
		ino->mtime_ns = t->mtime;
	inode_changed(ino);
	mutex_unlock(&ino->lock);
	/* as Linux: one of them alone looks like what else would have set it */
	inotify_entry(p->entry, t->set_atime && t->set_mtime ? IN_ATTRIB :
				t->set_atime		     ? IN_ACCESS :
							       IN_MODIFY);
	return 0;
}

/* name 0: the descriptor itself, as futimens(3) asks. */
static long times_at(int dirfd, u64 name, u32 flags, const struct new_times *t)
{
	struct path p;
	long err;

	if (!t->set_atime && !t->set_mtime)
		return 0;
	if (name) {
		err = path_lookup_user(dirfd, name,
				       (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
					       (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
				       &p);
	} else {
		struct file *f = fd_get(dirfd);

		if (!f)
			return -EBADF;
		err = flags ? -EINVAL : file_to_path(f, &p);
		file_put(f);
	}
	if (err)
		return err;
	err = set_times(&p, t);
	path_put(&p);
	return err;
}

static void times_now(struct new_times *t)
{
	t->atime = t->mtime = ktime_get_real();
	t->set_atime = t->set_mtime = t->now = true;
}

static int time_arg(const struct timespec64 *ts, u64 now, u64 *out, bool *set)
{
	if (ts->nsec == UTIME_OMIT)
		return 0;
	*set = true;
	if (ts->nsec == UTIME_NOW) {
		*out = now;
		return 0;
	}
	if ((u64)ts->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	/* times before 1970 cannot be told from late ones in 64 bits of ns: they become 1970 */
	*out = ts->sec < 0 ? 0 : (u64)min(ts->sec, (s64)0x1ffffffff) * NSEC_PER_SEC + (u64)ts->nsec;
	return 0;
}

SYSCALL(280, utimensat)
{
	struct new_times t = { 0 };
	struct timespec64 ts[2];

	if (d & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!c) {
		times_now(&t);
	} else {
		u64 now = ktime_get_real();

		if (copy_from_user(ts, (const void __user *)c, sizeof(ts)))
			return -EFAULT;
		if (time_arg(&ts[0], now, &t.atime, &t.set_atime) ||
		    time_arg(&ts[1], now, &t.mtime, &t.set_mtime))
			return -EINVAL;
		t.now = ts[0].nsec == UTIME_NOW && ts[1].nsec == UTIME_NOW;
	}
	return times_at((int)a, b, (u32)d, &t);
}

/* Two seconds-and-microseconds pairs. */
static long utimes_at(int dirfd, u64 name, u64 user)
{
	struct new_times t = { 0 };
	s64 tv[4];

	if (!user) {
		times_now(&t);
		return times_at(dirfd, name, 0, &t);
	}
	if (copy_from_user(tv, (const void __user *)user, sizeof(tv)))
		return -EFAULT;
	if ((u64)tv[1] >= 1000000 || (u64)tv[3] >= 1000000)
		return -EINVAL;
	time_arg(&(struct timespec64){ tv[0], tv[1] * 1000 }, 0, &t.atime, &t.set_atime);
	time_arg(&(struct timespec64){ tv[2], tv[3] * 1000 }, 0, &t.mtime, &t.set_mtime);
	return times_at(dirfd, name, 0, &t);
}

SYSCALL(235, utimes)
{
	return utimes_at(AT_FDCWD, a, b);
}

SYSCALL(261, futimesat)
{
	return utimes_at((int)a, b, c);
}

SYSCALL(132, utime)
{
	struct new_times t = { 0 };
	s64 sec[2];

	if (!b) {
		times_now(&t);
		return times_at(AT_FDCWD, a, 0, &t);
	}
	if (copy_from_user(sec, (const void __user *)b, sizeof(sec)))
		return -EFAULT;
	time_arg(&(struct timespec64){ sec[0], 0 }, 0, &t.atime, &t.set_atime);
	time_arg(&(struct timespec64){ sec[1], 0 }, 0, &t.mtime, &t.set_mtime);
	return times_at(AT_FDCWD, a, 0, &t);
}

/* ---- size and storage ---- */

SYSCALL(76, truncate)
{
	struct inode *ino;
	struct path p;
	long err;

	if ((s64)b < 0)
		return -EINVAL;
	err = path_lookup_user(AT_FDCWD, a, WALK_FOLLOW, &p);
	if (err)
		return err;
	ino = p.entry->inode;
	err = S_ISDIR(ino->mode) ? -EISDIR : inode_permission(ino, 2);
	if (!err)
		err = mount_want_write(&p);
	if (!err)
		err = inode_get_write(ino);
	if (!err) {
		err = inode_truncate(ino, b);
		inode_put_write(ino);
		if (!err)
			inotify_entry(p.entry, IN_MODIFY);
	}
	path_put(&p);
	return err;
}

SYSCALL(77, ftruncate)
{
	struct file *file = fd_get((int)a);
	long err;

	if (!file)
		return -EBADF;
	err = (s64)b < 0 || !(to_vfile(file)->mode & FMODE_WRITE) ? -EINVAL :
								    inode_truncate(file->inode, b);
	if (!err)
		inotify_file(file, IN_MODIFY);
	file_put(file);
	return err;
}

SYSCALL(285, fallocate)
{
	struct file *file;
	u64 end;
	long err;

	if ((s64)c < 0 || (s64)d <= 0)
		return -EINVAL;
	if (__builtin_add_overflow(c, d, &end) || end > MAX_FILE_SIZE)
		return -EFBIG;
	file = fd_get((int)a);
	if (!file)
		return -EBADF;
	if (!(to_vfile(file)->mode & FMODE_WRITE))
		err = -EBADF;
	else if (S_ISFIFO(file->inode->mode))
		err = -ESPIPE;
	else if (!S_ISREG(file->inode->mode))
		err = -ENODEV;
	else
		err = ramfs_fallocate(file->inode, (u32)b, c, d);
	if (!err)
		inotify_file(file, IN_MODIFY);
	file_put(file);
	return err;
}

/* Memory is all there is: data that was written is as safe as it will ever be. */
static long sync_fd(int fd)
{
	struct file *f = fd_get(fd);
	long err;

	if (!f)
		return -EBADF;
	err = S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
	file_put(f);
	return err;
}

SYSCALL(74, fsync)
{
	return sync_fd((int)a);
}

SYSCALL(75, fdatasync)
{
	return sync_fd((int)a);
}

SYSCALL(277, sync_file_range)
{
	return d & ~7ull || (s64)b < 0 || (s64)c < 0 ? -EINVAL : sync_fd((int)a);
}

SYSCALL(162, sync)
{
	return 0;
}

SYSCALL(306, syncfs)
{
	struct file *file = fd_get((int)a);

	if (!file)
		return -EBADF;
	file_put(file);
	return 0;
}

static long advise_fd(int fd, u64 advice)
{
	struct file *f = fd_get(fd);
	long err;

	if (!f)
		return -EBADF;
	err = S_ISFIFO(f->inode->mode) || S_ISSOCK(f->inode->mode) ? -ESPIPE :
	      advice > 5					   ? -EINVAL :
								     0;
	file_put(f);
	return err;
}

SYSCALL(221, fadvise64)
{
	return (s64)c < 0 ? -EINVAL : advise_fd((int)a, d);
}

SYSCALL(187, readahead)
{
	long err = advise_fd((int)a, 0);

	return err == -ESPIPE ? -EINVAL : err;
}

/* ---- extended attributes: no file system here keeps them ---- */

static int no_xattr(const struct path *p, u32 x, u32 y)
{
	return -EOPNOTSUPP;
}

static int empty_list(const struct path *p, u32 x, u32 y)
{
	return 0;
}

#define XATTR_CALLS(nr, name, what)                                             \
	SYSCALL(nr, name)                                                       \
	{                                                                       \
		return with_name(AT_FDCWD, a, 0, what, 0, 0);                   \
	}                                                                       \
	SYSCALL(nr + 1, l##name)                                                \
	{                                                                       \
		return with_name(AT_FDCWD, a, AT_SYMLINK_NOFOLLOW, what, 0, 0); \
	}                                                                       \
	SYSCALL(nr + 2, f##name)                                                \
	{                                                                       \
		return with_fd((int)a, what, 0, 0);                             \
	}

XATTR_CALLS(188, setxattr, no_xattr)
XATTR_CALLS(191, getxattr, no_xattr)
XATTR_CALLS(194, listxattr, empty_list)
XATTR_CALLS(197, removexattr, no_xattr)
