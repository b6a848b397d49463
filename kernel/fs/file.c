/* SPDX-License-Identifier: MIT */
/* file.c - the open file: counted, with its position and its lock. Whatever is behind it is reached
 * through file_ops; what a callback leaves out answers here with Linux's errno. */
#include "inotify.h"

#include <core/syscall.h>
#include <weft/module.h>

#define MAX_FILES 65536

struct super *anon_super, *pipe_super, *sock_super;
static struct atomic nr_files;

/* Open files in the whole system, ENFILE beyond. As on Linux: what memory allows when a tenth of it
 * goes there at a kilobyte each, and root may exceed it, so that it can put things right. */
static bool too_many_files(u32 n)
{
	static u32 limit;
	struct mem_stats mem;

	if (unlikely(!limit)) {
		mem_stats_get(&mem);
		limit = min(mem.total_pages * (PAGE_SIZE / 1024) / 10, (u64)MAX_FILES);
	}
	return unlikely(n > limit) && require_root() != 0;
}

struct vfile *vfile_new(u32 flags)
{
	static const u32 modes[4] = { FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0 };
	struct vfile *v = ERR_PTR(-ENFILE);

	if (too_many_files(atomic_inc(&nr_files)))
		goto failed;
	v = kzalloc(sizeof(*v));
	if (!v) {
		v = ERR_PTR(-ENOMEM);
		goto failed;
	}
	refcount_set(&v->f.refs, 1);
	v->f.flags = flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	v->mode = flags & O_PATH ? 0 : modes[flags & O_ACCMODE];
	mutex_init(&v->pos_mutex);
	list_init(&v->epitems);
	return v;
failed:
	atomic_dec(&nr_files);
	return v;
}

struct file *file_get(struct file *f)
{
	refcount_inc(&f->refs);
	return f;
}

void file_put(struct file *f)
{
	struct vfile *v = to_vfile(f);

	if (!f || !refcount_dec_and_test(&f->refs))
		return;
	if (v->opened)
		inotify_file(f, v->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (!list_empty(&v->epitems))
		epoll_file_release(f);
	if (v->has_flock)
		locks_release_file(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (v->counts_writer)
		inode_put_write(f->inode);
	if (v->denies_write)
		inode_allow_write(f->inode);
	inode_put(f->inode);
	dentry_put(f->dentry); /* last: its mount may take the inode's super along */
	kfree(v->own_label);
	kfree(v);
	atomic_dec(&nr_files);
}

struct file *file_anon(const char *label, u32 mode, const struct file_ops *ops, void *priv,
		       u32 flags)
{
	struct super *s = S_ISSOCK(mode) ? sock_super : S_ISFIFO(mode) ? pipe_super : anon_super;
	struct vfile *v = vfile_new(flags);

	if (IS_ERR(v))
		return ERR_PTR(PTR_ERR(v));
	v->f.inode = inode_new(s, mode);
	if (!v->f.inode) {
		file_put(&v->f);
		return ERR_PTR(-ENOMEM);
	}
	v->f.ops = ops;
	v->f.priv = priv;
	v->label = label;
	v->opened = true;
	return &v->f;
}

u64 file_ino(const struct file *f)
{
	return f->inode ? f->inode->ino : 0;
}

int file_to_path(struct file *f, struct path *out)
{
	const char *label = to_vfile(f)->label;
	char name[48];

	if (f->dentry) {
		*out = dentry_to_path(f->dentry);
		return 0;
	}
	if (!label)
		label = "anon_inode";
	if (strchr(label, ':'))
		strscpy(name, label, sizeof(name));
	else
		snprintf(name, sizeof(name), "%s:[%llu]", label, (unsigned long long)f->inode->ino);
	out->mnt = NULL;
	out->entry = entry_new_loose(NULL, name, f->inode);
	return out->entry ? 0 : -ENOMEM;
}

struct file *file_open_path(const struct path *p, u32 flags)
{
	struct inode *ino = p->entry->inode;
	struct vfile *v = vfile_new(flags);
	int err = 0;

	if (IS_ERR(v))
		return ERR_PTR(PTR_ERR(v));
	if (p->mnt) {
		v->f.dentry = dentry_new(p);
		if (!v->f.dentry)
			goto no_memory;
	} else {
		v->label = "pipe";
	}
	v->f.inode = inode_get(ino);
	if (flags & O_PATH)
		return &v->f;
	v->f.ops = ino->fops;
	if (v->mode & FMODE_WRITE && S_ISREG(ino->mode)) {
		err = inode_get_write(ino);
		v->counts_writer = !err;
	}
	if (!err && ino->ops && ino->ops->open) {
		err = ino->ops->open(ino, &v->f);
		if (err)
			v->f.ops = NULL; /* nothing to release */
	}
	v->f.flags &= ~(u32)O_NOCTTY; /* was for a terminal's open */
	if (err)
		goto failed;
	/* a stream (terminal, pipe) has no position, and a blocked reader must not block writers */
	if (S_ISREG(ino->mode) || S_ISDIR(ino->mode) || (v->f.ops && v->f.ops->seek))
		v->f.pos_lock = &v->pos_mutex;
	v->opened = true;
	return &v->f;
no_memory:
	err = -ENOMEM;
failed:
	file_put(&v->f);
	return ERR_PTR(err);
}

/* ---- defaults of file_ops ---- */

long file_read_iter(struct file *f, struct iov_iter *to, u64 *pos)
{
	long n;

	if (!(to_vfile(f)->mode & FMODE_READ))
		return -EBADF;
	if (!f->ops || !f->ops->read)
		return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	n = f->ops->read(f, to, pos);
	if (n > 0)
		inotify_file(f, IN_ACCESS);
	return n;
}

long file_write_iter(struct file *f, struct iov_iter *from, u64 *pos)
{
	long n;

	if (!(to_vfile(f)->mode & FMODE_WRITE))
		return -EBADF;
	if (!f->ops || !f->ops->write)
		return -EINVAL;
	n = f->ops->write(f, from, pos);
	if (n > 0)
		inotify_file(f, IN_MODIFY);
	return n;
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops || !f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}

void file_lock_pos(struct file *f)
{
	if (f->pos_lock)
		mutex_lock(f->pos_lock);
}

void file_unlock_pos(struct file *f)
{
	if (f->pos_lock)
		mutex_unlock(f->pos_lock);
}

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define SEEK_DATA 3
#define SEEK_HOLE 4

s64 seek_in(struct file *f, s64 off, int whence, u64 size)
{
	s64 base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = (s64)size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		/* no map of holes is given: all is data up to the end */
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		if (whence == SEEK_HOLE)
			off = (s64)size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &off))
		return -EOVERFLOW;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

s64 generic_seek(struct file *f, s64 off, int whence)
{
	return seek_in(f, off, whence, READ_ONCE(f->inode->size));
}

EXPORT(file_get);
EXPORT(file_put);
EXPORT(file_anon);
EXPORT(file_ino);
