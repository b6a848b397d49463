/* SPDX-License-Identifier: MIT */
/* copy.c - data from one descriptor to another without a way through the program: sendfile(2) out
 * of regular files to anything, copy_file_range(2) between regular files. */
#include "inotify.h"
#include "rw.h"

#include <core/syscall.h>

#define PAGES_AT_ONCE 64 /* several packets' worth: each write ends with a short one */

/* What one call works with. */
struct copying {
	struct page *pages[PAGES_AT_ONCE];
	struct iovec iov[PAGES_AT_ONCE];
	u8 bounce[PAGE_SIZE];
};

static long write_kernel(struct file *out, struct iovec *iov, u32 nr, u64 *pos)
{
	struct iov_iter it;

	iter_init(&it, iov, nr, true);
	return transfer(out, &it, pos, true);
}

/* Pages of in from pos on, one after the other without a hole, with a reference each; their number.
 */
static u32 collect(struct copying *c, struct inode *ino, u64 pos, size_t max)
{
	u64 size = READ_ONCE(ino->size);
	u32 nr = 0;

	max = min((u64)max, size - pos);
	while (nr < PAGES_AT_ONCE && max) {
		u32 off = pos & (PAGE_SIZE - 1);
		size_t n = min(max, (size_t)(PAGE_SIZE - off));

		struct page *p = file_pages_get(ino->priv, pos >> PAGE_SHIFT, false);

		if (!p)
			break;
		c->pages[nr] = p;
		c->iov[nr++] = (struct iovec){ (u8 *)phys_to_virt(page_to_pa(p)) + off, n };
		pos += n;
		max -= n;
	}
	return nr;
}

/* One piece from in at pos to out: straight from the file's pages where there are some. */
static long copy_piece(struct copying *c, struct file *out, u64 *out_pos, struct file *in, u64 pos,
		       size_t max)
{
	struct inode *ino = in->inode;
	u32 nr, i;
	long n;

	if (ino->fops == &ramfs_file_ops) {
		if (pos >= READ_ONCE(ino->size))
			return 0;
		nr = collect(c, ino, pos, max);
		if (nr) {
			n = write_kernel(out, c->iov, nr, out_pos);
			if (n > 0)
				inotify_file(in, IN_ACCESS);
			for (i = 0; i < nr; i++)
				page_put(c->pages[i]);
			return n;
		}
		max = min(max, (size_t)(PAGE_SIZE - (pos & (PAGE_SIZE - 1))));
	}
	n = vfs_read_at(in, c->bounce, min(max, (size_t)PAGE_SIZE), pos);
	if (n <= 0)
		return n;
	c->iov[0] = (struct iovec){ c->bounce, n };
	return write_kernel(out, c->iov, 1, out_pos);
}

static long copy_all(struct file *out, u64 *out_pos, struct file *in, u64 *pos, size_t count)
{
	struct copying *c = kmalloc(sizeof(*c));
	long total = 0, n = 0;

	if (!c)
		return -ENOMEM;
	while (count) {
		n = copy_piece(c, out, out_pos, in, *pos, count);
		if (n <= 0)
			break;
		*pos += n;
		total += n;
		count -= n;
		if (signal_pending())
			break;
	}
	kfree(c);
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
