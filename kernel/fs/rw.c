/* SPDX-License-Identifier: MIT */
/* rw.c - moving data through descriptors: read and write with all their relatives, lseek. */
#include "rw.h"

#include <core/syscall.h>

#define MAX_IOV 1024

int vectors_get(struct vectors *v, u64 uiov, u64 nr)
{
	size_t total = 0;
	u64 i;

	v->iov = v->fast;
	if (nr > MAX_IOV)
		return -EINVAL;
	if (nr > FAST_IOV) {
		v->iov = kmalloc(nr * sizeof(*v->iov));
		if (!v->iov)
			return -ENOMEM;
	}
	if (nr && copy_from_user(v->iov, (const void __user *)uiov, nr * sizeof(*v->iov))) {
		if (v->iov != v->fast)
			kfree(v->iov);
		return -EFAULT;
	}
	for (i = 0; i < nr; i++) {
		if ((s64)v->iov[i].len < 0) {
			if (v->iov != v->fast)
				kfree(v->iov);
			return -EINVAL;
		}
		v->iov[i].len = min(v->iov[i].len, (size_t)(MAX_RW - total));
		total += v->iov[i].len;
	}
	iter_init(&v->it, v->iov, (u32)nr, false);
	return 0;
}

void vectors_put(struct vectors *v)
{
	if (v->iov != v->fast)
		kfree(v->iov);
}

long transfer(struct file *f, struct iov_iter *it, u64 *pos, bool write)
{
	long n;

	if (pos)
		return write ? file_write_iter(f, it, pos) : file_read_iter(f, it, pos);
	file_lock_pos(f);
	n = write ? file_write_iter(f, it, &f->pos) : file_read_iter(f, it, &f->pos);
	file_unlock_pos(f);
	return n;
}

/* pread and pwrite: only where there is a position. */
static int check_pos(struct file *f, u64 pos)
{
	if ((s64)pos < 0)
		return -EINVAL;
	return f->pos_lock ? 0 : -ESPIPE;
}

static long rw_fd(u64 fd, u64 buf, u64 len, u64 *pos, bool write)
{
	struct iovec iov = { (void *)buf, min((size_t)len, MAX_RW) };
	struct iov_iter it;
	long ret = -EINVAL;
	bool put;
	struct file *f = fd_borrow((int)fd, &put);

	if (!f)
		return -EBADF;
	if ((s64)len >= 0)
		ret = pos ? check_pos(f, *pos) : 0;
	if (!ret) {
		iter_init(&it, &iov, 1, false);
		ret = transfer(f, &it, pos, write);
	}
	fd_return(f, put);
	return ret;
}

static long rw_vectors(u64 fd, u64 uiov, u64 nr, u64 *pos, bool write)
{
	struct vectors v;
	long ret;
	bool put;
	struct file *f = fd_borrow((int)fd, &put);

	if (!f)
		return -EBADF;
	ret = pos ? check_pos(f, *pos) : 0;
	if (!ret)
		ret = vectors_get(&v, uiov, nr);
	if (!ret) {
		ret = transfer(f, &v.it, pos, write);
		vectors_put(&v);
	}
	fd_return(f, put);
	return ret;
}

SYSCALL(0, read)
{
	return rw_fd(a, b, c, NULL, false);
}

SYSCALL(1, write)
{
	return rw_fd(a, b, c, NULL, true);
}

SYSCALL(17, pread64)
{
	return rw_fd(a, b, c, &d, false);
}

SYSCALL(18, pwrite64)
{
	return rw_fd(a, b, c, &d, true);
}

SYSCALL(19, readv)
{
	return rw_vectors(a, b, c, NULL, false);
}

SYSCALL(20, writev)
{
	return rw_vectors(a, b, c, NULL, true);
}

SYSCALL(295, preadv)
{
	return rw_vectors(a, b, c, &d, false);
}

SYSCALL(296, pwritev)
{
	return rw_vectors(a, b, c, &d, true);
}

#define RWF_HIPRI 1u
#define RWF_DSYNC 2u
#define RWF_SYNC 4u

/* pos -1: the file's own. What is written is where it will ever be, so the sync flags hold. */
static long rw_vectors2(u64 fd, u64 uiov, u64 nr, u64 pos, u64 flags, bool write)
{
	if (flags & ~(u64)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	return rw_vectors(fd, uiov, nr, pos == ~0ull ? NULL : &pos, write);
}

SYSCALL(327, preadv2)
{
	return rw_vectors2(a, b, c, d, f, false);
}

SYSCALL(328, pwritev2)
{
	return rw_vectors2(a, b, c, d, f, true);
}

SYSCALL(8, lseek)
{
	struct file *file = fd_get((int)a);
	s64 ret = -ESPIPE;

	if (!file)
		return -EBADF;
	if (file->pos_lock && file->ops && file->ops->seek) {
		file_lock_pos(file);
		ret = file->ops->seek(file, (s64)b, (int)c);
		file_unlock_pos(file);
	}
	file_put(file);
	return ret;
}
