/* SPDX-License-Identifier: MIT */
/* readdir.c - getdents: a directory's names as records. They are gathered in kernel memory under
 * the directory's lock and copied out without it. */
#include "inotify.h"

#include <core/syscall.h>

#define CHUNK 32768

struct records {
	u8 *buf;
	size_t used, room;
	bool old; /* getdents(78): the type is the record's last byte */
	bool full;
	u64 next; /* position behind what was taken */
};

struct record64 {
	u64 ino, off;
	u16 reclen;
	u8 type;
	char name[];
} __packed;

struct record_old {
	u64 ino, off;
	u16 reclen;
	char name[];
} __packed;

static bool take(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos)
{
	struct records *r = ctx;
	size_t n = strlen(name) + 1;
	size_t len = ALIGN_UP((r->old ? offsetof(struct record_old, name) + 1 :
					offsetof(struct record64, name)) +
				      n,
			      8ul);
	u8 *at = r->buf + r->used;

	if (r->room - r->used < len) {
		r->full = true;
		return false;
	}
	memset(at, 0, len);
	if (r->old) {
		struct record_old *d = (void *)at;

		*d = (struct record_old){ .ino = ino, .off = next_pos, .reclen = (u16)len };
		memcpy(d->name, name, n);
		at[len - 1] = type;
	} else {
		struct record64 *d = (void *)at;

		*d = (struct record64){
			.ino = ino, .off = next_pos, .reclen = (u16)len, .type = type
		};
		memcpy(d->name, name, n);
	}
	r->used += len;
	r->next = next_pos;
	return true;
}

/* "." and "..", then what the file system has. Position lock held. */
static int gather(struct file *f, struct records *r)
{
	struct entry *dir = f->dentry->path.entry, *up;
	u64 up_ino;

	if (READ_ONCE(dir->flags) & ENTRY_DELETED)
		return -ENOENT;
	if (f->pos == 0 && !take(r, ".", f->inode->ino, DT_DIR, 1))
		return 0;
	if (f->pos <= 1) {
		up = entry_parent(dir);
		up_ino = up->inode->ino;
		entry_put(up);
		if (!take(r, "..", up_ino, DT_DIR, 2))
			return 0;
		f->pos = 2;
	}
	if (f->ops && f->ops->readdir)
		return f->ops->readdir(f, r, take);
	mutex_lock(&f->inode->lock);
	entry_readdir(dir, f->pos, r, take);
	mutex_unlock(&f->inode->lock);
	return 0;
}

static long getdents(int fd, u64 ubuf, u64 size, bool old)
{
	struct file *f = fd_get(fd);
	struct records r = { .room = min((size_t)size, (size_t)CHUNK), .old = old };
	long ret = -ENOTDIR;
	u64 start;

	if (!f)
		return -EBADF;
	if (!f->dentry || !S_ISDIR(f->inode->mode) || !(to_vfile(f)->mode & FMODE_READ)) {
		ret = f->dentry && S_ISDIR(f->inode->mode) ? -EBADF : -ENOTDIR;
		goto out;
	}
	r.buf = kmalloc(r.room);
	ret = -ENOMEM;
	if (!r.buf)
		goto out;
	file_lock_pos(f);
	start = f->pos;
	ret = gather(f, &r);
	if (!ret && !r.used && r.full)
		ret = -EINVAL;
	if (!ret && copy_to_user((void __user *)ubuf, r.buf, r.used))
		ret = -EFAULT;
	if (ret < 0)
		f->pos = start;
	else if (r.used)
		f->pos = r.next;
	file_unlock_pos(f);
	kfree(r.buf);
	inode_accessed(f->inode);
	if (ret >= 0)
		inotify_file(f, IN_ACCESS);
	if (!ret)
		ret = r.used;
out:
	file_put(f);
	return ret;
}

SYSCALL(78, getdents)
{
	return getdents((int)a, b, c, true);
}

SYSCALL(217, getdents64)
{
	return getdents((int)a, b, c, false);
}
