/* SPDX-License-Identifier: MIT */
/* rw.c - moving data through descriptors: read and write with all their relatives, lseek, sendfile.
 */
#include "fs.h"

#include <core/syscall.h>

#define MAX_RW 0x7ffff000ul /* bytes a call, as Linux */
#define MAX_IOV 1024
#define FAST_IOV 8

/* Vectors of a call: on the stack when they are few. */
struct vectors {
	struct iovec fast[FAST_IOV];
	struct iovec *iov;
	struct iov_iter it;
};

static int vectors_get(struct vectors *v, u64 uiov, u64 nr)
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

static void vectors_put(struct vectors *v)
{
	if (v->iov != v->fast)
		kfree(v->iov);
}

/* At the file's own position (pos NULL) or at *pos. */
static long transfer(struct file *f, struct iov_iter *it, const u64 *pos, bool write)
{
	u64 at = pos ? *pos : 0;
	long n;

	if (pos)
		return write ? file_write_iter(f, it, &at) : file_read_iter(f, it, &at);
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

static long rw_fd(u64 fd, u64 buf, u64 len, const u64 *pos, bool write)
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

static long rw_vectors(u64 fd, u64 uiov, u64 nr, const u64 *pos, bool write)
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

/* ---- sendfile ---- */

/* Writes n bytes of kernel memory at the output's own position. */
static long write_kernel(struct file *out, const void *p, size_t n)
{
	struct iovec iov = { (void *)p, n };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	return transfer(out, &it, NULL, true);
}

/* One piece from in at pos to out: straight from the file's page where there is one. */
static long send_piece(struct file *out, struct file *in, u64 pos, size_t max, void *bounce)
{
	struct inode *ino = in->inode;
	u32 off = pos & (PAGE_SIZE - 1);
	long n;

	if (ino->fops == &ramfs_file_ops) {
		u64 size = READ_ONCE(ino->size);
		struct page *p;

		if (pos >= size)
			return 0;
		max = min(max, (size_t)(PAGE_SIZE - off));
		n = (long)min((u64)max, size - pos);
		p = file_pages_get(ino->priv, pos >> PAGE_SHIFT, false);
		if (p) {
			n = write_kernel(out, (u8 *)phys_to_virt(page_to_pa(p)) + off, n);
			page_put(p);
			return n;
		}
		max = n;
	}
	n = vfs_read_at(in, bounce, min(max, (size_t)PAGE_SIZE), pos);
	return n > 0 ? write_kernel(out, bounce, n) : n;
}

static long send_all(struct file *out, struct file *in, u64 *pos, size_t count)
{
	void *bounce = kmalloc(PAGE_SIZE);
	long total = 0, n = 0;

	if (!bounce)
		return -ENOMEM;
	while (count) {
		n = send_piece(out, in, *pos, count, bounce);
		if (n <= 0)
			break;
		*pos += n;
		total += n;
		count -= n;
		if (signal_pending())
			break;
	}
	kfree(bounce);
	return total ? total : n;
}

static long send_files(struct file *out, struct file *in, u64 uoff, size_t count)
{
	u64 pos;
	long ret;

	if (!(to_vfile(in)->mode & FMODE_READ) || !(to_vfile(out)->mode & FMODE_WRITE))
		return -EBADF;
	/* callers fall back to read and write on EINVAL */
	if (!S_ISREG(in->inode->mode) || out->flags & O_APPEND || in == out)
		return -EINVAL;
	if (uoff) {
		if (copy_from_user(&pos, (const void __user *)uoff, sizeof(pos)))
			return -EFAULT;
		if ((s64)pos < 0)
			return -EINVAL;
		ret = send_all(out, in, &pos, count);
		if (ret > 0 && copy_to_user((void __user *)uoff, &pos, sizeof(pos)))
			return -EFAULT;
		return ret;
	}
	/* not held while writing: out may block for long, and reads of in go on */
	file_lock_pos(in);
	pos = in->pos;
	file_unlock_pos(in);
	ret = send_all(out, in, &pos, count);
	file_lock_pos(in);
	in->pos = pos;
	file_unlock_pos(in);
	return ret;
}

SYSCALL(40, sendfile)
{
	struct file *out = fd_get((int)a), *in = fd_get((int)b);
	long ret = -EBADF;

	if (in && out)
		ret = send_files(out, in, c, min((size_t)d, MAX_RW));
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}
