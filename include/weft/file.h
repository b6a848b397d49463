/* SPDX-License-Identifier: MIT */
/* file.h - open files: the object behind a descriptor, for everything that can be read, polled or
 * ioctl'ed. Modules make such objects through socket.h or devices; the VFS makes the others. */
#pragma once

#include <weft/atomic.h>
#include <weft/err.h>
#include <weft/uaccess.h>
#include <weft/wait.h>

struct file;
struct inode;
struct dentry;

/* Poll events, Linux's numbers. */
#define POLLIN 0x0001
#define POLLPRI 0x0002
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLNVAL 0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLRDHUP 0x2000

/* Passed through file_ops.poll: the object hangs the poller on its wait queue(s) and returns its
 * present events. pt NULL: only asks. */
struct poll_table {
	void (*queue)(struct poll_table *pt, struct wait_queue *q);
};
static inline void poll_wait(struct poll_table *pt, struct wait_queue *q)
{
	if (pt && pt->queue)
		pt->queue(pt, q);
}

/* Unset callbacks give the errno of Linux: EINVAL for read/write, ENOTTY ioctl, ESPIPE seek, ENODEV
 * mmap. All in process context. pos is the file's position, advanced by read and write; for
 * objects without one (pipes, sockets, ttys) it is ignored. */
struct vma;
struct file_ops {
	long (*read)(struct file *f, struct iov_iter *to, u64 *pos);
	long (*write)(struct file *f, struct iov_iter *from, u64 *pos);
	u32 (*poll)(struct file *f, struct poll_table *pt); /* default: POLLIN|POLLOUT */
	long (*ioctl)(struct file *f, u32 cmd, unsigned long arg);
	s64 (*seek)(struct file *f, s64 off, int whence);
	int (*mmap)(struct file *f, struct vma *vma);
	int (*readdir)(struct file *f, void *ctx,
		       bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, u64 next_pos));
	void (*release)(struct file *f); /* last reference gone */
};

struct file {
	/* fixed once open */
	const struct file_ops *ops;
	struct dentry *dentry; /* NULL for anonymous objects */
	struct inode *inode;
	void *priv; /* the object */
	struct refcount refs;
	u32 flags; /* O_*; O_NONBLOCK and O_APPEND change by fcntl */
	/* guarded by pos_lock (a sleeping lock: reads may take long) */
	u64 pos;
	void *pos_lock; /* struct mutex, NULL where there is no position */
	int owner_pid;	/* F_SETOWN */
};

struct file *file_get(struct file *f);
void file_put(struct file *f); /* process context: release may sleep */
/* A new file for an anonymous object with its own inode number (for /proc/PID/fd and fstat): mode
 * is S_IFSOCK, S_IFIFO or S_IFCHR | bits; label shows as "label:[ino]". ERR_PTR. */
struct file *file_anon(const char *label, u32 mode, const struct file_ops *ops, void *priv,
		       u32 flags);
u64 file_ino(const struct file *f);
