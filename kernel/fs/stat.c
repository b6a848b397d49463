/* SPDX-License-Identifier: MIT */
/* stat.c - what is known about a file without reading it: stat, statx, statfs, access, readlink. */
#include "fs.h"

#include <core/syscall.h>

#define AT_EACCESS 0x200
#define AT_NO_AUTOMOUNT 0x800
#define AT_STATX_SYNC_TYPE 0x6000
#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)
#define NSEC 1000000000ull

static long stat_out(struct inode *ino, u64 user)
{
	struct user_stat st = {
		.st_dev = ino->super->dev,
		.st_ino = ino->ino,
		.st_nlink = ino->nlink,
		.st_mode = ino->mode,
		.st_uid = ino->uid,
		.st_gid = ino->gid,
		.st_rdev = ino->rdev,
		.st_size = (s64)READ_ONCE(ino->size),
		.st_blksize = PAGE_SIZE,
		.st_blocks = (s64)inode_blocks(ino),
		.st_atime_sec = (s64)(ino->atime_ns / NSEC),
		.st_atime_nsec = (s64)(ino->atime_ns % NSEC),
		.st_mtime_sec = (s64)(ino->mtime_ns / NSEC),
		.st_mtime_nsec = (s64)(ino->mtime_ns % NSEC),
		.st_ctime_sec = (s64)(ino->ctime_ns / NSEC),
		.st_ctime_nsec = (s64)(ino->ctime_ns % NSEC),
	};

	return copy_to_user((void __user *)user, &st, sizeof(st));
}

static long stat_fd(int fd, u64 user)
{
	bool put;
	struct file *f = fd_borrow(fd, &put);
	long ret;

	if (!f)
		return -EBADF;
	ret = stat_out(f->inode, user);
	fd_return(f, put);
	return ret;
}

/* True for the form that glibc uses as fstat: no name at all, flag AT_EMPTY_PATH. */
static bool is_fstat(int dirfd, u64 name, u32 flags)
{
	char first;

	return flags & AT_EMPTY_PATH && dirfd >= 0 &&
	       !copy_from_user(&first, (const void __user *)name, 1) && !first;
}

static u32 walk_flags(u32 flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
	       (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

static long stat_at(int dirfd, u64 name, u64 user, u32 flags)
{
	struct path p;
	long ret;

	if (flags & ~(u32)STAT_FLAGS)
		return -EINVAL;
	if (is_fstat(dirfd, name, flags))
		return stat_fd(dirfd, user);
	ret = path_lookup_user(dirfd, name, walk_flags(flags), &p);
	if (ret)
		return ret;
	ret = stat_out(p.entry->inode, user);
	path_put(&p);
	return ret;
}

SYSCALL(4, stat)
{
	return stat_at(AT_FDCWD, a, b, 0);
}

SYSCALL(5, fstat)
{
	return stat_fd((int)a, b);
}

SYSCALL(6, lstat)
{
	return stat_at(AT_FDCWD, a, b, AT_SYMLINK_NOFOLLOW);
}

SYSCALL(262, newfstatat)
{
	return stat_at((int)a, b, c, (u32)d);
}

/* ---- statx ---- */

struct statx_time {
	s64 sec;
	u32 nsec;
	s32 reserved;
};

struct user_statx {
	u32 mask, blksize;
	u64 attributes;
	u32 nlink, uid, gid;
	u16 mode, spare0;
	u64 ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor, dev_major, dev_minor;
	u64 mnt_id;
	u64 spare[13];
};

#define STATX_BASIC_STATS 0x7ff
#define STATX_MNT_ID 0x1000
#define STATX_RESERVED 0x80000000u

static struct statx_time statx_time_of(u64 ns)
{
	return (struct statx_time){ .sec = (s64)(ns / NSEC), .nsec = (u32)(ns % NSEC) };
}

static u32 dev_major(u64 dev)
{
	return dev >> 8 & 0xfff;
}

static u32 dev_minor(u64 dev)
{
	return (dev & 0xff) | (dev >> 12 & ~0xffu);
}

SYSCALL(332, statx)
{
	struct user_statx st;
	struct inode *ino;
	struct path p;
	long ret;

	if (c & ~(u64)(STAT_FLAGS | AT_STATX_SYNC_TYPE) || d & STATX_RESERVED)
		return -EINVAL;
	ret = path_lookup_user((int)a, b, walk_flags((u32)c), &p);
	if (ret)
		return ret;
	ino = p.entry->inode;
	st = (struct user_statx){
		.mask = STATX_BASIC_STATS | (p.mnt ? STATX_MNT_ID : 0),
		.blksize = PAGE_SIZE,
		.nlink = ino->nlink,
		.uid = ino->uid,
		.gid = ino->gid,
		.mode = (u16)ino->mode,
		.ino = ino->ino,
		.size = READ_ONCE(ino->size),
		.blocks = inode_blocks(ino),
		.atime = statx_time_of(ino->atime_ns),
		.ctime = statx_time_of(ino->ctime_ns),
		.mtime = statx_time_of(ino->mtime_ns),
		.rdev_major = dev_major(ino->rdev),
		.rdev_minor = dev_minor(ino->rdev),
		.dev_major = dev_major(ino->super->dev),
		.dev_minor = dev_minor(ino->super->dev),
		.mnt_id = p.mnt ? (u64)p.mnt->id : 0,
	};
	path_put(&p);
	return copy_to_user((void __user *)e, &st, sizeof(st));
}

/* ---- statfs ---- */

struct user_statfs {
	s64 type, bsize;
	u64 blocks, bfree, bavail, files, ffree;
	int fsid[2];
	s64 namelen, frsize, flags, spare[4];
};

#define ST_VALID 0x20
#define ST_RELATIME 0x1000

static long statfs_out(const struct super *s, const struct mount *m, u64 user)
{
	u64 used = (u64)atomic64_read(&s->pages), files = (u64)atomic64_read(&s->inodes);
	struct user_statfs st = {
		.type = (s64)s->magic,
		.bsize = PAGE_SIZE,
		.blocks = s->max_pages,
		.bfree = s->max_pages > used ? s->max_pages - used : 0,
		.files = s->max_inodes,
		.ffree = s->max_inodes > files ? s->max_inodes - files : 0,
		.fsid = { (int)s->dev, 0 },
		.namelen = NAME_MAX,
		.frsize = PAGE_SIZE,
		.flags = ST_VALID | ST_RELATIME | (m ? m->flags & 15 : 0),
	};

	st.bavail = st.bfree;
	return copy_to_user((void __user *)user, &st, sizeof(st));
}

SYSCALL(137, statfs)
{
	struct path p;
	long ret = path_lookup_user(AT_FDCWD, a, WALK_FOLLOW, &p);

	if (ret)
		return ret;
	ret = statfs_out(p.entry->inode->super, p.mnt, b);
	path_put(&p);
	return ret;
}

SYSCALL(138, fstatfs)
{
	struct file *file = fd_get((int)a);
	long ret;

	if (!file)
		return -EBADF;
	ret = statfs_out(file->inode->super, file->dentry ? file->dentry->path.mnt : NULL, b);
	file_put(file);
	return ret;
}

/* ---- access ---- */

static long access_at(int dirfd, u64 name, u32 mode, u32 flags)
{
	struct asker who = flags & AT_EACCESS ? asker_now() : asker_real();
	struct path p;
	long ret;

	if (mode & ~7u || flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	ret = path_lookup_user(dirfd, name, walk_flags(flags), &p);
	if (ret)
		return ret;
	ret = mode ? inode_permission_for(&who, p.entry->inode, (int)mode) : 0;
	if (!ret && mode & 2 && !S_ISCHR(p.entry->inode->mode) && !S_ISFIFO(p.entry->inode->mode))
		ret = mount_want_write(&p);
	path_put(&p);
	return ret;
}

SYSCALL(21, access)
{
	return access_at(AT_FDCWD, a, (u32)b, 0);
}

SYSCALL(269, faccessat)
{
	return access_at((int)a, b, (u32)c, 0);
}

SYSCALL(439, faccessat2)
{
	return access_at((int)a, b, (u32)c, (u32)d);
}

/* ---- readlink ---- */

static int link_text(struct inode *ino, char *buf)
{
	struct dentry *d;
	int n = inode_readlink(ino, buf, PATH_MAX);

	if (n != -EINVAL || !S_ISLNK(ino->mode) || !ino->ops->follow)
		return n;
	/* a magic link without a text of its own shows the path of what it leads to */
	n = ino->ops->follow(ino, &d);
	if (n)
		return n;
	n = dentry_path(d, buf, PATH_MAX);
	dentry_put(d);
	return n ? n : (int)strlen(buf);
}

static long readlink_at(int dirfd, u64 name, u64 ubuf, u64 size)
{
	struct path p;
	char *buf;
	long n;

	if ((int)size <= 0)
		return -EINVAL;
	n = path_lookup_user(dirfd, name, dirfd == AT_FDCWD ? 0 : WALK_EMPTY, &p);
	if (n)
		return n;
	buf = path_buf_get();
	n = buf ? link_text(p.entry->inode, buf) : -ENOMEM;
	if (n > 0) {
		n = (long)min((u64)n, size);
		if (copy_to_user((void __user *)ubuf, buf, (size_t)n))
			n = -EFAULT;
	}
	path_buf_put(buf);
	path_put(&p);
	return n;
}

SYSCALL(89, readlink)
{
	return readlink_at(AT_FDCWD, a, b, c);
}

SYSCALL(267, readlinkat)
{
	return readlink_at((int)a, b, c, d);
}
