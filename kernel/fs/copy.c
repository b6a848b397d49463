/* SPDX-License-Identifier: MIT */
/* copy.c - data from one descriptor to another without a way through the program: sendfile(2) out
 * of regular files to anything, copy_file_range(2) between regular files. */
#include "rw.h"

#include <core/syscall.h>

/* Writes n bytes of kernel memory at *pos, or at the output's own position. */
static long write_kernel(struct file *out, const void *p, size_t n, u64 *pos)
{
	struct iovec iov = { (void *)p, n };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	return transfer(out, &it, pos, true);
}

/* One piece from in at pos to out: straight from the file's page where there is one. */
static long copy_piece(struct file *out, u64 *out_pos, struct file *in, u64 pos, size_t max,
		       void *bounce)
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
			n = write_kernel(out, (u8 *)phys_to_virt(page_to_pa(p)) + off, n, out_pos);
			page_put(p);
			return n;
		}
		max = n;
	}
	n = vfs_read_at(in, bounce, min(max, (size_t)PAGE_SIZE), pos);
	return n > 0 ? write_kernel(out, bounce, n, out_pos) : n;
}

static long copy_all(struct file *out, u64 *out_pos, struct file *in, u64 *pos, size_t count)
{
	void *bounce = kmalloc(PAGE_SIZE);
	long total = 0, n = 0;

	if (!bounce)
		return -ENOMEM;
	while (count) {
		n = copy_piece(out, out_pos, in, *pos, count, bounce);
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

static bool may_copy(struct file *out, struct file *in)
{
	return to_vfile(in)->mode & FMODE_READ && to_vfile(out)->mode & FMODE_WRITE;
}

/* Where a call's optional offset is: in user memory, or the file's own position. */
static int position_get(struct file *f, u64 uoff, u64 *pos)
{
	if (uoff) {
		if (copy_from_user(pos, (const void __user *)uoff, sizeof(*pos)))
			return -EFAULT;
		return (s64)*pos < 0 ? -EINVAL : 0;
	}
	file_lock_pos(f);
	*pos = f->pos;
	file_unlock_pos(f);
	return 0;
}

static int position_put(struct file *f, u64 uoff, u64 pos)
{
	if (uoff)
		return copy_to_user((void __user *)uoff, &pos, sizeof(pos));
	file_lock_pos(f);
	f->pos = pos;
	file_unlock_pos(f);
	return 0;
}

/* ---- sendfile ---- */

static long send_files(struct file *out, struct file *in, u64 uoff, size_t count)
{
	u64 pos;
	long ret;

	if (!may_copy(out, in))
		return -EBADF;
	/* callers fall back to read and write on EINVAL */
	if (!S_ISREG(in->inode->mode) || out->flags & O_APPEND || in == out)
		return -EINVAL;
	ret = position_get(in, uoff, &pos);
	if (ret)
		return ret;
	/* the position is not locked while writing: out may block for long */
	ret = copy_all(out, NULL, in, &pos, count);
	if (ret > 0 && position_put(in, uoff, pos))
		return -EFAULT;
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

/* ---- copy_file_range ---- */

static long copy_range(struct file *in, u64 uin, struct file *out, u64 uout, size_t count)
{
	u64 in_pos, out_pos;
	long ret;

	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!may_copy(out, in) || out->flags & O_APPEND)
		return -EBADF;
	/* the kernel's own files say 0 for their size, which Linux takes for their end */
	if (in->inode->super->magic != MAGIC_TMPFS || out->inode->super->magic != MAGIC_TMPFS)
		return -EXDEV;
	ret = position_get(in, uin, &in_pos);
	if (!ret)
		ret = position_get(out, uout, &out_pos);
	if (ret)
		return ret;
	if (in_pos + count < in_pos || out_pos + count < out_pos)
		return -EOVERFLOW;
	if (in->inode == out->inode && in_pos < out_pos + count && out_pos < in_pos + count)
		return -EINVAL;
	ret = copy_all(out, &out_pos, in, &in_pos, count);
	if (ret > 0 && (position_put(in, uin, in_pos) || position_put(out, uout, out_pos)))
		return -EFAULT;
	return ret;
}

SYSCALL(326, copy_file_range)
{
	struct file *in, *out;
	long ret = -EBADF;

	if ((u32)f)
		return -EINVAL;
	in = fd_get((int)a);
	out = fd_get((int)c);
	if (in && out)
		ret = copy_range(in, b, out, d, min((size_t)e, MAX_RW));
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}
