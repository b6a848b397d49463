/* SPDX-License-Identifier: MIT */
/* initramfs.c - the boot image becomes the root file system. It is one or more cpio archives of the
 * "newc" kind (magic 070701 or 070702), plain or gzipped, with zeros between them. File data that
 * lies on a page boundary of the image is not copied: its whole pages become the file's pages. */
#define LOG_NAME "initramfs: "
#include "fs.h"

#include <core/inflate.h>
#include <core/syscall.h>
#include <weft/printk.h>

#define HEADER 110
#define NAME_ROOM 8192 /* a name may be padded with zeros to align the data behind it */
#define INFLATE_MAX (512ul << 20)

enum field {
	F_INO,
	F_MODE,
	F_UID,
	F_GID,
	F_NLINK,
	F_MTIME,
	F_SIZE,
	F_MAJOR,
	F_MINOR,
	F_RMAJOR,
	F_RMINOR,
	F_NAMESIZE,
	F_CHECK,
	NR_FIELDS
};

/* First name of a file with several: the later ones are links to it. */
struct seen {
	struct seen *next;
	u32 ino, major, minor;
	char name[];
};

struct unpack {
	const u8 *p, *end;
	bool adopt; /* pages of the image may become file pages */
	bool inner; /* these archives were compressed */
	u32 v[NR_FIELDS];
	char *path; /* PATH_MAX: "/" and the cleaned name */
	struct seen *seen;
	u32 files, skipped;
};

static int parse_hex(const u8 *p, u32 *out)
{
	u32 v = 0, i;

	for (i = 0; i < 8; i++) {
		u8 c = p[i];
		u32 d = c >= '0' && c <= '9'		   ? c - '0' :
			(c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 :
							     16;

		if (d == 16)
			return -EINVAL;
		v = v << 4 | d;
	}
	*out = v;
	return 0;
}

/* Turns the archive's name into an absolute path without empty, "." and ".." parts: -EINVAL for
 * those that would leave the root or are too long. "." itself gives "/". */
static int clean_name(struct unpack *u, const char *name, size_t room)
{
	size_t n = strnlen(name, room), out = 0, i = 0;

	if (n == room || !n)
		return -EINVAL;
	while (i < n) {
		size_t start = i, len;

		while (i < n && name[i] != '/')
			i++;
		len = i - start;
		i++;
		if (!len || (len == 1 && name[start] == '.'))
			continue;
		if (len == 2 && name[start] == '.' && name[start + 1] == '.')
			return -EINVAL;
		if (len > NAME_MAX || out + len + 2 > PATH_MAX)
			return -EINVAL;
		u->path[out++] = '/';
		memcpy(u->path + out, name + start, len);
		out += len;
	}
	if (!out)
		u->path[out++] = '/';
	u->path[out] = 0;
	return 0;
}

/* An archive may leave out the folders of its files. */
static void make_folders(char *path)
{
	char *slash = path;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = 0;
		do_mkdir(AT_FDCWD, path, 0755);
		*slash = '/';
	}
}

/* Removes what an earlier archive put where something of another kind comes now. */
static void make_way(const char *path, u32 mode)
{
	struct path p;
	u32 old;

	if (path_lookup(AT_FDCWD, path, 0, &p))
		return;
	old = p.entry->inode->mode;
	path_put(&p);
	if (S_ISDIR(old) && S_ISDIR(mode))
		return;
	do_unlink(AT_FDCWD, path, S_ISDIR(old));
}

static void set_attributes(struct unpack *u)
{
	struct inode *ino;
	struct path p;

	if (path_lookup(AT_FDCWD, u->path, 0, &p))
		return;
	ino = p.entry->inode;
	if (!S_ISLNK(ino->mode))
		ino->mode = (ino->mode & S_IFMT) | (u->v[F_MODE] & 07777);
	ino->uid = u->v[F_UID];
	ino->gid = u->v[F_GID];
	if (u->v[F_MTIME])
		ino->atime_ns = ino->mtime_ns = u->v[F_MTIME] * 1000000000ull;
	path_put(&p);
}

/* ---- hard links ---- */

static const char *earlier_name(struct unpack *u)
{
	struct seen *s;

	for (s = u->seen; s; s = s->next) {
		if (s->ino == u->v[F_INO] && s->major == u->v[F_MAJOR] && s->minor == u->v[F_MINOR])
			return s->name;
	}
	return NULL;
}

static void remember_name(struct unpack *u)
{
	size_t n = strlen(u->path) + 1;
	struct seen *s = kmalloc(sizeof(*s) + n);

	if (!s)
		return; /* the next name becomes a file of its own */
	s->ino = u->v[F_INO];
	s->major = u->v[F_MAJOR];
	s->minor = u->v[F_MINOR];
	memcpy(s->name, u->path, n);
	s->next = u->seen;
	u->seen = s;
}

static void forget_names(struct unpack *u)
{
	while (u->seen) {
		struct seen *s = u->seen;

		u->seen = s->next;
		kfree(s);
	}
}

/* ---- files ---- */

/* The image's pages at data become the file's; the bytes done that way. */
static size_t adopt_pages(struct unpack *u, struct inode *ino, const u8 *data, size_t size)
{
	size_t done = 0;

	if (!u->adopt || (uintptr_t)data & (PAGE_SIZE - 1))
		return 0;
	/* the rest of the last page belongs to the archive and must read as zeros: it is copied */
	while (size - done >= PAGE_SIZE) {
		struct page *p = pa_to_page(virt_to_phys(data + done));

		if (!p || refcount_read(&p->refs) != 1)
			break;
		page_get(p);
		if (file_pages_adopt(ino->priv, done >> PAGE_SHIFT, p)) {
			page_put(p);
			break;
		}
		done += PAGE_SIZE;
	}
	ino->size = done;
	return done;
}

static int write_file(struct unpack *u, const u8 *data, size_t size)
{
	struct file *f = vfs_open(u->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct iovec iov;
	struct iov_iter it;
	long n = 0;
	u64 pos;

	if (IS_ERR(f))
		return PTR_ERR(f);
	if (!S_ISREG(f->inode->mode)) {
		file_put(f);
		return -EINVAL;
	}
	pos = adopt_pages(u, f->inode, data, size);
	iov = (struct iovec){ (void *)(data + pos), size - pos };
	iter_init(&it, &iov, 1, true);
	if (iov.len)
		n = file_write_iter(f, &it, &pos);
	file_put(f);
	return n < 0 ? (int)n : pos == size ? 0 : -ENOSPC;
}

static int make_regular(struct unpack *u, const u8 *data)
{
	const char *first = u->v[F_NLINK] > 1 ? earlier_name(u) : NULL;
	int err;

	if (first && strcmp(first, u->path)) {
		make_way(u->path, u->v[F_MODE]);
		err = do_link(AT_FDCWD, first, AT_FDCWD, u->path, 0);
		/* the data comes with the last of the names */
		return err || !u->v[F_SIZE] ? err : write_file(u, data, u->v[F_SIZE]);
	}
	make_way(u->path, u->v[F_MODE]);
	err = write_file(u, data, u->v[F_SIZE]);
	if (!err && u->v[F_NLINK] > 1)
		remember_name(u);
	return err;
}

static int make_link(struct unpack *u, const u8 *data)
{
	char *target;
	int err;

	if (!u->v[F_SIZE] || u->v[F_SIZE] >= PATH_MAX || memchr(data, 0, u->v[F_SIZE]))
		return -EINVAL;
	target = kmalloc(u->v[F_SIZE] + 1);
	if (!target)
		return -ENOMEM;
	memcpy(target, data, u->v[F_SIZE]);
	target[u->v[F_SIZE]] = 0;
	make_way(u->path, S_IFLNK);
	err = do_symlink(target, AT_FDCWD, u->path);
	kfree(target);
	return err;
}

static int make_entry(struct unpack *u, const u8 *data)
{
	u32 mode = u->v[F_MODE];
	int err;

	make_folders(u->path);
	switch (mode & S_IFMT) {
	case S_IFREG:
		err = make_regular(u, data);
		break;
	case S_IFLNK:
		err = make_link(u, data);
		break;
	case S_IFDIR:
		make_way(u->path, mode);
		err = do_mkdir(AT_FDCWD, u->path, 0755);
		if (err == -EEXIST)
			err = 0;
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		make_way(u->path, mode);
		err = do_mknod(AT_FDCWD, u->path, mode, makedev(u->v[F_RMAJOR], u->v[F_RMINOR]));
		break;
	default:
		err = -EINVAL;
	}
	if (!err)
		set_attributes(u);
	return err;
}

/* ---- archives ---- */

static const u8 *align4(const u8 *base, const u8 *p)
{
	return p + (-(size_t)(p - base) & 3);
}

/* One entry at u->p of the archive that began at base. 1: its trailer, 0: done, or -EINVAL. */
static int unpack_entry(struct unpack *u, const u8 *base)
{
	const u8 *name, *data;
	u32 i;
	int err;

	if (u->end - u->p < HEADER || (memcmp(u->p, "070701", 6) && memcmp(u->p, "070702", 6)))
		return -EINVAL;
	for (i = 0; i < NR_FIELDS; i++) {
		if (parse_hex(u->p + 6 + 8 * i, &u->v[i]))
			return -EINVAL;
	}
	name = u->p + HEADER;
	if (u->v[F_NAMESIZE] > NAME_ROOM || (size_t)(u->end - name) < u->v[F_NAMESIZE])
		return -EINVAL;
	data = align4(base, name + u->v[F_NAMESIZE]);
	if (data > u->end || (size_t)(u->end - data) < u->v[F_SIZE])
		return -EINVAL;
	u->p = align4(base, data + u->v[F_SIZE]);
	if (u->p > u->end)
		u->p = u->end;
	if (u->v[F_NAMESIZE] == 11 && !memcmp(name, "TRAILER!!!", 11))
		return 1;
	err = clean_name(u, (const char *)name, u->v[F_NAMESIZE]);
	if (!err)
		err = make_entry(u, data);
	if (!err) {
		u->files++;
	} else {
		u->skipped++;
		pr_warn_ratelimited("%.64s: left out, error %d\n",
				    err == -EINVAL ? "entry" : u->path, err);
		/* out of memory will not get better; a strange entry is passed over */
		if (err == -ENOMEM || err == -ENOSPC)
			return err;
	}
	return 0;
}

static int unpack_archive(struct unpack *u)
{
	const u8 *base = u->p;
	int ret;

	do {
		ret = unpack_entry(u, base);
	} while (!ret);
	forget_names(u);
	return ret < 0 ? ret : 0;
}

static int unpack_plain(struct unpack *u);

/* Where a gzip member is inflated to: a buffer that doubles. */
struct sink {
	u8 *buf;
	size_t len, room;
};

static int sink_write(void *arg, const u8 *p, size_t n)
{
	struct sink *s = arg;
	size_t room = s->room ? s->room : 1ul << 20;
	u8 *bigger;

	while (room - s->len < n)
		room *= 2;
	if (room > INFLATE_MAX)
		return -EFBIG;
	if (room != s->room) {
		bigger = vmalloc(room);
		if (!bigger)
			return -ENOMEM;
		if (s->len)
			memcpy(bigger, s->buf, s->len);
		vfree(s->buf);
		s->buf = bigger;
		s->room = room;
	}
	memcpy(s->buf + s->len, p, n);
	s->len += n;
	return 0;
}

static int unpack_plain(struct unpack *u);

/* A gzip member: what is in it is unpacked by copying. A member in a member is refused. */
static int unpack_gzip(struct unpack *u)
{
	struct unpack inner = { .path = u->path, .inner = true };
	struct sink sink = { 0 };
	size_t used = 0;
	int err;

	if (u->inner)
		return -EINVAL;
	err = gunzip(u->p, (size_t)(u->end - u->p), &used, sink_write, &sink);
	if (!err) {
		inner.p = sink.buf;
		inner.end = sink.buf + sink.len;
		err = unpack_plain(&inner);
		u->files += inner.files;
		u->skipped += inner.skipped;
		u->p += used;
	}
	vfree(sink.buf);
	return err;
}

/* Archives one behind the other, zeros between. */
static int unpack_plain(struct unpack *u)
{
	while (u->p < u->end) {
		int err;

		if (!*u->p) {
			u->p++;
			continue;
		}
		if (gzip_detect(u->p, (size_t)(u->end - u->p)))
			err = unpack_gzip(u);
		else
			err = unpack_archive(u);
		if (err)
			return err;
	}
	return 0;
}

int initramfs_unpack(const void *p, size_t n)
{
	struct unpack u = { .p = p, .end = (const u8 *)p + n, .adopt = true };
	int err;

	u.path = path_buf_get();
	if (!u.path)
		return -ENOMEM;
	err = unpack_plain(&u);
	path_buf_put(u.path);
	image_pages_release(virt_to_phys(p), virt_to_phys(p) + n);
	if (u.skipped || err)
		pr_warn("%u entries unpacked, %u left out\n", u.files, u.skipped);
	/* devices need names before there is a program that could mount them */
	do_mkdir(AT_FDCWD, "/dev", 0755);
	if (!err)
		vfs_mount("devtmpfs", "/dev");
	return u.files ? 0 : err ? err : -EINVAL;
}
