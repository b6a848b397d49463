/* SPDX-License-Identifier: MIT */
/* ramfs.c - files in memory: rootfs, tmpfs and the base of devtmpfs. The tree of names is the
 * VFS's; this file makes the inodes and holds their contents, within a bound per mount (half of RAM
 * unless size= says otherwise). */
#include "fs.h"

static const u8 zeros[PAGE_SIZE];

static u8 *page_data(struct page *p)
{
	return phys_to_virt(page_to_pa(p));
}

/* ---- regular files ---- */

static long ramfs_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct file_pages *fp = f->inode->priv;
	u64 size = READ_ONCE(f->inode->size);
	long total = 0;

	while (to->count && *pos < size) {
		u32 off = *pos & (PAGE_SIZE - 1);
		size_t n = min(PAGE_SIZE - off, (size_t)(size - *pos));
		struct page *p = file_pages_get(fp, *pos >> PAGE_SHIFT, false);
		long got;

		n = min(n, to->count);
		got = iter_copy_to(p ? page_data(p) + off : zeros, n, to);

		if (p)
			page_put(p);
		if (got <= 0)
			return total ? total : got;
		total += got;
		*pos += got;
		if ((size_t)got < n)
			break;
	}
	inode_accessed(f->inode);
	return total;
}

/* The end moves from old to a later place: what a mapping left behind the old end is cleared. */
static void clear_behind(struct inode *ino, u64 old, u64 new_end)
{
	struct page *p;
	u32 off = old & (PAGE_SIZE - 1);

	if (!off || new_end <= old)
		return;
	p = file_pages_get(ino->priv, old >> PAGE_SHIFT, false);
	if (!p)
		return;
	memset(page_data(p) + off, 0, PAGE_SIZE - off);
	page_put(p);
}

/* What RLIMIT_FSIZE and the format leave of a write of n bytes at pos; 0 or negative: nothing. */
static long write_room(u64 pos, size_t n)
{
	struct proc *proc = current() ? current_proc() : NULL;
	u64 limit = proc ? proc->rlim[1].cur : ~0ull; /* RLIMIT_FSIZE */

	if (pos >= limit) {
		signal_send_thread(current(), 25, NULL); /* SIGXFSZ */
		return -EFBIG;
	}
	if (pos >= MAX_FILE_SIZE)
		return -EFBIG;
	limit = min(limit, (u64)MAX_FILE_SIZE);
	return (long)min((u64)n, limit - pos);
}

static long ramfs_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct inode *ino = f->inode;
	long total = 0, left, err = 0;

	mutex_lock(&ino->lock);
	if (f->flags & O_APPEND)
		*pos = ino->size;
	left = from->count ? write_room(*pos, from->count) : 0;
	if (left > 0)
		clear_behind(ino, ino->size, *pos);
	while (left > 0) {
		u32 off = *pos & (PAGE_SIZE - 1);
		size_t n = min(PAGE_SIZE - off, (size_t)left);
		struct page *p = file_pages_get(ino->priv, *pos >> PAGE_SHIFT, true);
		long got;

		if (IS_ERR(p)) {
			err = PTR_ERR(p);
			break;
		}
		got = iter_copy_from(page_data(p) + off, n, from);
		page_put(p);
		if (got <= 0) {
			err = got;
			break;
		}
		total += got;
		left -= got;
		*pos += got;
		if (*pos > ino->size)
			WRITE_ONCE(ino->size, *pos);
		if ((size_t)got < n)
			break;
	}
	if (left < 0)
		err = left;
	if (total) {
		inode_drop_privileges(ino);
		inode_touch(ino);
	}
	mutex_unlock(&ino->lock);
	return total ? total : err;
}

static int ramfs_mmap(struct file *f, struct vma *vma)
{
	return 0; /* by the inode's pages */
}

static struct page *ramfs_page(struct inode *ino, u64 index, bool create)
{
	if (index >= DIV_ROUND_UP(READ_ONCE(ino->size), PAGE_SIZE))
		return ERR_PTR(-EFAULT);
	return file_pages_get(ino->priv, index, create);
}

static int ramfs_truncate(struct inode *ino, u64 size)
{
	if (size > ino->size)
		clear_behind(ino, ino->size, size);
	WRITE_ONCE(ino->size, size);
	file_pages_truncate(ino->priv, size);
	return 0;
}

#define FALLOC_KEEP_SIZE 1
#define FALLOC_PUNCH_HOLE 2

static int punch(struct inode *ino, u64 off, u64 end)
{
	while (off < end && !signal_pending()) {
		u32 in = off & (PAGE_SIZE - 1);
		size_t n = min(PAGE_SIZE - in, (size_t)(end - off));
		struct page *p = file_pages_get(ino->priv, off >> PAGE_SHIFT, false);

		if (p) {
			memset(page_data(p) + in, 0, n);
			page_put(p);
		}
		off += n;
	}
	return off < end ? -EINTR : 0;
}

int ramfs_fallocate(struct inode *ino, u32 mode, u64 off, u64 len)
{
	u64 end = off + len, i;
	int err = 0;

	if (ino->fops != &ramfs_file_ops ||
	    (mode & ~(u32)FALLOC_KEEP_SIZE && mode != (FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE)))
		return -EOPNOTSUPP;
	mutex_lock(&ino->lock);
	if (!(mode & FALLOC_PUNCH_HOLE))
		err = inode_check_growth(ino, end);
	if (err)
		goto unlock;
	if (mode & FALLOC_PUNCH_HOLE) {
		err = punch(ino, off, min(end, ino->size));
	} else {
		for (i = off >> PAGE_SHIFT; !err && i < DIV_ROUND_UP(end, PAGE_SIZE); i++) {
			struct page *p = file_pages_get(ino->priv, i, true);

			if (IS_ERR(p))
				err = PTR_ERR(p);
			else
				page_put(p);
			if (!err && signal_pending())
				err = -EINTR;
		}
		if (!err && !(mode & FALLOC_KEEP_SIZE) && end > ino->size) {
			clear_behind(ino, ino->size, end);
			WRITE_ONCE(ino->size, end);
		}
	}
	inode_touch(ino);
unlock:
	mutex_unlock(&ino->lock);
	return err;
}

static void ramfs_evict_file(struct inode *ino)
{
	file_pages_free(ino->priv);
}

const struct file_ops ramfs_file_ops = {
	.read = ramfs_read,
	.write = ramfs_write,
	.seek = generic_seek,
	.mmap = ramfs_mmap,
};

const struct inode_ops ramfs_file_inode_ops = {
	.truncate = ramfs_truncate,
	.page = ramfs_page,
	.evict = ramfs_evict_file,
};

u64 inode_blocks(struct inode *ino)
{
	if (ino->fops == &ramfs_file_ops)
		return file_pages_count(ino->priv) * (PAGE_SIZE / 512);
	return 0;
}

/* ---- links, devices ---- */

static int ramfs_readlink(struct inode *ino, char *buf, size_t size)
{
	size_t n = min((size_t)ino->size, size);

	memcpy(buf, ino->priv, n);
	return (int)n;
}

static void ramfs_evict_link(struct inode *ino)
{
	kfree(ino->priv);
}

static const struct inode_ops link_ops = {
	.readlink = ramfs_readlink,
	.evict = ramfs_evict_link,
};

static int special_open(struct inode *ino, struct file *f)
{
	switch (ino->mode & S_IFMT) {
	case S_IFCHR:
		return chrdev_open(ino, f);
	case S_IFIFO:
		return fifo_open(ino, f);
	default:
		return -ENXIO;
	}
}

static void special_evict(struct inode *ino)
{
	if (S_ISFIFO(ino->mode))
		fifo_evict(ino);
}

const struct inode_ops special_ops = {
	.open = special_open,
	.evict = special_evict,
};

/* ---- directories ---- */

static s64 dir_seek(struct file *f, s64 off, int whence)
{
	return seek_in(f, off, whence, 0);
}

const struct file_ops dir_fops = { .seek = dir_seek };

struct inode *ramfs_inode(struct super *s, u32 mode, u64 rdev)
{
	struct inode *ino = inode_new(s, mode);

	if (!ino)
		return NULL;
	switch (mode & S_IFMT) {
	case S_IFREG:
		ino->ops = &ramfs_file_inode_ops;
		ino->fops = &ramfs_file_ops;
		ino->priv = file_pages_new(s);
		if (!ino->priv) {
			inode_put(ino);
			return NULL;
		}
		break;
	case S_IFDIR:
		ino->ops = &ramfs_dir_ops;
		ino->fops = &dir_fops;
		ino->nlink = 2;
		break;
	case S_IFLNK:
		ino->ops = &link_ops;
		break;
	default:
		ino->ops = &special_ops;
		ino->rdev = rdev;
	}
	return ino;
}

static int ramfs_create(struct inode *dir, const char *name, u32 mode, u64 rdev, struct inode **out)
{
	*out = ramfs_inode(dir->super, mode, rdev);
	return *out ? 0 : -ENOSPC;
}

static int ramfs_symlink(struct inode *dir, const char *name, const char *target,
			 struct inode **out)
{
	struct inode *ino = ramfs_inode(dir->super, S_IFLNK | 0777, 0);

	if (!ino)
		return -ENOSPC;
	ino->priv = kstrdup(target);
	if (!ino->priv) {
		inode_put(ino);
		return -ENOMEM;
	}
	ino->size = strlen(target);
	*out = ino;
	return 0;
}

static int ramfs_link(struct inode *dir, const char *name, struct inode *target)
{
	return 0;
}

static int ramfs_unlink(struct inode *dir, const char *name, bool isdir)
{
	return 0;
}

const struct inode_ops ramfs_dir_ops = {
	.create = ramfs_create,
	.symlink = ramfs_symlink,
	.link = ramfs_link,
	.unlink = ramfs_unlink,
};

int ramfs_mkdir(struct entry *dir, const char *name, u32 mode, struct entry **out)
{
	struct inode *ino = ramfs_inode(dir->inode->super, S_IFDIR | mode, 0);
	int err;

	if (!ino)
		return -ENOMEM;
	err = entry_link(dir, name, ino, out);
	inode_put(ino);
	if (!err)
		dir->inode->nlink++;
	return err;
}

struct super *ramfs_new(const char *type, u64 magic)
{
	struct super *s = super_new(type, magic);
	struct inode *root = s ? ramfs_inode(s, S_IFDIR | 0755, 0) : NULL;

	if (root) {
		s->root = entry_new_root(root);
		inode_put(root);
	}
	if (!s || !s->root) {
		kfree(s);
		return NULL;
	}
	return s;
}

/* ---- mounting a tmpfs ---- */

/* "size" -> value with k, m, g or % (of RAM) behind it, in bytes. */
static int parse_size(const char *v, u64 ram, u64 *out)
{
	char num[24];
	size_t n = strlen(v);
	unsigned long long val;
	u32 shift = 0;
	bool percent = false;

	if (!n || n >= sizeof(num))
		return -EINVAL;
	memcpy(num, v, n + 1);
	switch (num[n - 1]) {
	case 'g':
	case 'G':
		shift += 10;
		/* fall through */
	case 'm':
	case 'M':
		shift += 10;
		/* fall through */
	case 'k':
	case 'K':
		shift += 10;
		num[n - 1] = 0;
		break;
	case '%':
		percent = true;
		num[n - 1] = 0;
		break;
	}
	if (kstrtoull(num, 0, &val) || val > (~0ull >> shift) || (percent && val > 1000))
		return -EINVAL;
	*out = percent ? ram / 100 * val : val << shift;
	return 0;
}

static int tmpfs_option(struct super *s, const char *opt, u64 ram)
{
	struct inode *root = s->root->inode;
	const char *v = strchr(opt, '=');
	unsigned long long num;
	u64 bytes;

	v = v ? v + 1 : "";
	if (!strncmp(opt, "size=", 5)) {
		if (parse_size(v, ram, &bytes))
			return -EINVAL;
		s->max_pages = DIV_ROUND_UP(bytes, PAGE_SIZE);
		return 0;
	}
	if (!strncmp(opt, "mode=", 5)) {
		if (kstrtoull(v, 8, &num))
			return -EINVAL;
		root->mode = S_IFDIR | (num & 07777);
		return 0;
	}
	if (kstrtoull(v, 0, &num))
		return *v ? -EINVAL : 0;
	if (!strncmp(opt, "nr_inodes=", 10))
		s->max_inodes = num;
	else if (!strncmp(opt, "nr_blocks=", 10))
		s->max_pages = num;
	else if (!strncmp(opt, "uid=", 4))
		root->uid = (u32)num;
	else if (!strncmp(opt, "gid=", 4))
		root->gid = (u32)num;
	return 0;
}

static struct super *tmpfs_get(const char *opts, struct entry **root)
{
	struct super *s = ramfs_new("tmpfs", MAGIC_TMPFS);
	struct mem_stats mem;
	char opt[64];

	if (!s)
		return ERR_PTR(-ENOMEM);
	mem_stats_get(&mem);
	s->max_pages = mem.total_pages / 2;
	s->max_inodes = mem.total_pages / 2;
	s->root->inode->mode = S_IFDIR | S_ISVTX | 0777;
	while (*opts) {
		const char *end = strchr(opts, ',');
		size_t n = end ? (size_t)(end - opts) : strlen(opts);

		if (n >= sizeof(opt))
			goto invalid;
		memcpy(opt, opts, n);
		opt[n] = 0;
		if (tmpfs_option(s, opt, mem.total_pages * PAGE_SIZE))
			goto invalid;
		opts += n + (end != NULL);
	}
	*root = entry_get(s->root);
	return s;
invalid:
	super_put(s);
	return ERR_PTR(-EINVAL);
}

struct fs_type tmpfs_type = { .name = "tmpfs", .get = tmpfs_get };
