/* SPDX-License-Identifier: MIT */
/* dircalls.c - the system calls around dir.c: names come in from user space, old and *at forms. */
#include "fs.h"

#include <core/syscall.h>

/* One name, or two, copied from user space. */
struct names {
	char *one, *two;
};

/* An empty name is the walk's to refuse: an error of the other one may come before. */
static int names_get(struct names *n, u64 one, u64 two)
{
	int err = -ENOMEM;

	n->one = path_buf_get();
	n->two = two ? path_buf_get() : NULL;
	if (n->one && (n->two || !two)) {
		err = path_from_user(n->one, one, true);
		if (!err && two)
			err = path_from_user(n->two, two, true);
	}
	if (err) {
		path_buf_put(n->one);
		path_buf_put(n->two);
	}
	return err;
}

static long names_put(struct names *n, long ret)
{
	path_buf_put(n->one);
	path_buf_put(n->two);
	return ret;
}

/* The two-name calls must tell a NULL second name (-EFAULT) from an absent one. */
static int two_names_get(struct names *n, u64 one, u64 two)
{
	return two ? names_get(n, one, two) : -EFAULT;
}

/* Linux's 32-bit device number of mknod and st_rdev is our 64-bit one, high halves zero. */
static long mknod_at(int dirfd, u64 name, u64 mode, u64 rdev)
{
	struct names n;
	int err = names_get(&n, name, 0);

	return err ? err : names_put(&n, do_mknod(dirfd, n.one, (u32)mode, (u32)rdev));
}

SYSCALL(133, mknod)
{
	return mknod_at(AT_FDCWD, a, b, c);
}

SYSCALL(259, mknodat)
{
	return mknod_at((int)a, b, c, d);
}

static long mkdir_at(int dirfd, u64 name, u64 mode)
{
	struct names n;
	int err = names_get(&n, name, 0);

	return err ? err : names_put(&n, do_mkdir(dirfd, n.one, (u32)mode));
}

SYSCALL(83, mkdir)
{
	return mkdir_at(AT_FDCWD, a, b);
}

SYSCALL(258, mkdirat)
{
	return mkdir_at((int)a, b, c);
}

static long unlink_at(int dirfd, u64 name, bool isdir)
{
	struct names n;
	int err = names_get(&n, name, 0);

	return err ? err : names_put(&n, do_unlink(dirfd, n.one, isdir));
}

SYSCALL(84, rmdir)
{
	return unlink_at(AT_FDCWD, a, true);
}

SYSCALL(87, unlink)
{
	return unlink_at(AT_FDCWD, a, false);
}

SYSCALL(263, unlinkat)
{
	if (c & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at((int)a, b, c != 0);
}

static long symlink_at(u64 target, int dirfd, u64 name)
{
	struct names n;
	int err = two_names_get(&n, target, name);

	return err ? err : names_put(&n, do_symlink(n.one, dirfd, n.two));
}

SYSCALL(88, symlink)
{
	return symlink_at(a, AT_FDCWD, b);
}

SYSCALL(266, symlinkat)
{
	return symlink_at(a, (int)b, c);
}

static long link_at(int olddir, u64 oldname, int newdir, u64 newname, u64 flags)
{
	struct names n;
	int err = two_names_get(&n, oldname, newname);

	return err ? err : names_put(&n, do_link(olddir, n.one, newdir, n.two, (u32)flags));
}

SYSCALL(86, link)
{
	return link_at(AT_FDCWD, a, AT_FDCWD, b, 0);
}

SYSCALL(265, linkat)
{
	return link_at((int)a, b, (int)c, d, e);
}

static long rename_at(int olddir, u64 oldname, int newdir, u64 newname, u64 flags)
{
	struct names n;
	int err = two_names_get(&n, oldname, newname);

	return err ? err : names_put(&n, do_rename(olddir, n.one, newdir, n.two, (u32)flags));
}

SYSCALL(82, rename)
{
	return rename_at(AT_FDCWD, a, AT_FDCWD, b, 0);
}

SYSCALL(264, renameat)
{
	return rename_at((int)a, b, (int)c, d, 0);
}

SYSCALL(316, renameat2)
{
	return rename_at((int)a, b, (int)c, d, e);
}
