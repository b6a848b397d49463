/* SPDX-License-Identifier: MIT */
/* machine_fd.c - open files and descriptors, one table for all threads of the machine, so that the
 * socket calls themselves are what tests call. Paths lead nowhere: the file system is read-only and
 * empty. */
#include <core/proc.h>
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/string.h>
#include <weft/time.h>

#include "calls.h"
#include "machine.h"

#define FDS_MAX 65536

static struct file *table[FDS_MAX];
static bool reserved[FDS_MAX];
static u32 lowest, nr_open;

/* ---- files ---- */

struct file *file_anon(const char *label, u32 mode, const struct file_ops *ops, void *priv,
		       u32 flags)
{
	static u64 last_ino = 1;
	struct file *f = kzalloc(sizeof(*f));

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->ops = ops;
	f->priv = priv;
	f->flags = flags;
	f->pos = ++last_ino; /* has no position: the number */
	refcount_set(&f->refs, 1);
	return f;
}

u64 file_ino(const struct file *f)
{
	return f->pos;
}

struct file *file_get(struct file *f)
{
	refcount_inc(&f->refs);
	return f;
}

void file_put(struct file *f)
{
	if (!refcount_dec_and_test(&f->refs))
		return;
	if (f->ops->release)
		f->ops->release(f);
	kfree(f);
}

/* ---- descriptors ---- */

struct file *fd_get(int fd)
{
	return (u32)fd < FDS_MAX && table[fd] ? file_get(table[fd]) : NULL;
}

struct file *fd_borrow(int fd, bool *put)
{
	*put = true; /* all threads share the table */
	return fd_get(fd);
}

int fd_reserve(u32 flags)
{
	u32 fd;

	for (fd = lowest; fd < FDS_MAX; fd++) {
		if (table[fd] || reserved[fd])
			continue;
		reserved[fd] = true;
		lowest = fd + 1;
		return fd;
	}
	return -EMFILE;
}

void fd_fill(int fd, struct file *f)
{
	reserved[fd] = false;
	table[fd] = f;
	nr_open++;
}

void fd_unreserve(int fd)
{
	reserved[fd] = false;
	lowest = min(lowest, (u32)fd);
}

int fd_install(struct file *f, u32 flags)
{
	int fd = fd_reserve(flags);

	if (fd >= 0)
		fd_fill(fd, f);
	return fd;
}

int fd_close(int fd)
{
	struct file *f = (u32)fd < FDS_MAX ? table[fd] : NULL;

	if (!f)
		return -EBADF;
	table[fd] = NULL;
	nr_open--;
	lowest = min(lowest, (u32)fd);
	file_put(f);
	return 0;
}

void fd_for_each(struct fd_table *t, bool (*fn)(void *arg, int fd, struct file *f), void *arg)
{
}

struct fd_table *proc_files_get(struct proc *p)
{
	return NULL;
}

void fd_table_put(struct fd_table *t)
{
}

u32 sim_open_files(void)
{
	return nr_open;
}

/* ---- one file's readiness ---- */

struct poll_one {
	struct poll_table pt; /* first */
	struct wait_queue *queue;
	struct sleeper sleeper;
};

static void hang(struct poll_table *pt, struct wait_queue *q)
{
	struct poll_one *one = (struct poll_one *)pt;

	one->queue = q;
	sleep_prepare(q, &one->sleeper, true, false);
}

long sim_poll(int fd, u32 events, u64 deadline_ns)
{
	struct poll_one one = { .pt = { .queue = hang } };
	struct file *f = fd_get(fd);
	u32 now = 0;
	int err = 0;

	if (!f)
		return -EBADF;
	events |= POLLERR | POLLHUP;
	for (;;) {
		one.queue = NULL;
		now = f->ops->poll(f, &one.pt) & events;
		if (!now && one.queue && deadline_ns != 1 && !err)
			err = sleep_wait(&one.sleeper, deadline_ns, true);
		else
			err = -ETIMEDOUT;
		if (one.queue)
			sleep_finish(one.queue, &one.sleeper);
		if (now || err)
			break;
	}
	if (!now && deadline_ns != 1) /* one last look */
		now = f->ops->poll(f, NULL) & events;
	file_put(f);
	return now;
}

/* ---- paths ---- */

int vfs_mknod(const char *path, u32 mode, u64 rdev)
{
	return -EROFS;
}

struct inode *vfs_inode_get(const char *path)
{
	return ERR_PTR(-ENOENT);
}

int inode_permission(struct inode *ino, int want)
{
	return 0;
}

void inode_put(struct inode *ino)
{
}

u64 inode_dev(const struct inode *ino)
{
	return 1;
}

/* ---- there are no user address spaces to map anything into ---- */

struct vma;
int socket_mmap(struct file *f, struct vma *v);

int socket_mmap(struct file *f, struct vma *v)
{
	return -ENODEV;
}
