/* SPDX-License-Identifier: MIT */
/* fdtable.c - descriptors: numbers to open files, shared by the threads of a process. Numbers are
 * handed out lowest first, may be reserved before there is a file, and grow up to RLIMIT_NOFILE. */
#include "fs.h"

#include <core/syscall.h>
#include <weft/module.h>

#define FD_CLOEXEC_BIT BIT(0)
#define FD_RESERVED BIT(1)
#define FIRST_FDS 32
#define MAX_FDS 65536

struct fd_table {
	struct refcount refs;
	struct spinlock lock;
	/* guarded by lock; also read without it by the only thread of the only process using it */
	u32 nr;	    /* room */
	u32 lowest; /* no free number below */
	struct file **file;
	u8 *flags;
	struct file *first_file[FIRST_FDS];
	u8 first_flags[FIRST_FDS];
};

struct fd_table *current_fds(void)
{
	return current() && current_proc() ? current_proc()->files : NULL;
}

static struct fd_table *table_new(void)
{
	struct fd_table *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	refcount_set(&t->refs, 1);
	spin_init(&t->lock);
	t->nr = FIRST_FDS;
	t->file = t->first_file;
	t->flags = t->first_flags;
	return t;
}

static void arrays_free(struct fd_table *t, struct file **file, u8 *flags)
{
	if (file != t->first_file)
		kfree(file);
	if (flags != t->first_flags)
		kfree(flags);
}

/* Makes room for number n; called and returns with the lock held, dropping it between. */
static int table_grow(struct fd_table *t, u32 n)
{
	u32 nr = t->nr;
	struct file **file;
	u8 *flags;

	while (nr <= n)
		nr *= 2;
	spin_unlock(&t->lock);
	file = kcalloc(nr, sizeof(*file));
	flags = kzalloc(nr);
	spin_lock(&t->lock);
	if (!file || !flags) {
		kfree(file);
		kfree(flags);
		return -ENOMEM;
	}
	if (nr > t->nr) { /* else another thread was faster */
		struct file **old_file = t->file;
		u8 *old_flags = t->flags;

		memcpy(file, old_file, t->nr * sizeof(*file));
		memcpy(flags, old_flags, t->nr);
		t->file = file;
		t->flags = flags;
		t->nr = nr;
		file = old_file;
		flags = old_flags;
	}
	arrays_free(t, file, flags);
	return 0;
}

struct fd_table *fd_table_get(struct fd_table *t)
{
	refcount_inc(&t->refs);
	return t;
}

struct fd_table *fd_table_copy(struct fd_table *old)
{
	struct fd_table *t = table_new();
	int err = 0;
	u32 i;

	if (!t || !old)
		return t;
	spin_lock(&old->lock);
	while (t->nr < old->nr && !err) {
		u32 want = old->nr - 1;

		spin_unlock(&old->lock);
		spin_lock(&t->lock);
		err = table_grow(t, want);
		spin_unlock(&t->lock);
		spin_lock(&old->lock);
	}
	for (i = 0; i < old->nr && !err; i++) {
		if (!old->file[i])
			continue;
		t->file[i] = file_get(old->file[i]);
		t->flags[i] = old->flags[i];
	}
	t->lowest = 0;
	spin_unlock(&old->lock);
	if (err) {
		fd_table_put(t);
		return NULL;
	}
	return t;
}

/* Closes one file for its table: POSIX locks of the process on it go, whoever else has it open. */
static void close_for(struct fd_table *t, struct file *f)
{
	if (f->inode && READ_ONCE(f->inode->locks))
		locks_release_owner(f, t);
	file_put(f);
}

void fd_table_put(struct fd_table *t)
{
	u32 i;

	if (!t || !refcount_dec_and_test(&t->refs))
		return;
	for (i = 0; i < t->nr; i++) {
		if (t->file[i])
			close_for(t, t->file[i]);
	}
	arrays_free(t, t->file, t->flags);
	kfree(t);
}

/* Takes number fd out of the table: its file with the table's reference, or NULL. */
static struct file *table_take(struct fd_table *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->nr && t->file[fd]) {
		f = t->file[fd];
		t->file[fd] = NULL;
		t->flags[fd] = 0;
		if (fd < t->lowest)
			t->lowest = fd;
	}
	spin_unlock(&t->lock);
	return f;
}

void fd_table_close_on_exec(struct fd_table *t)
{
	u32 i;

	for (i = 0; i < READ_ONCE(t->nr); i++) {
		struct file *f;

		if (!(READ_ONCE(t->flags[i]) & FD_CLOEXEC_BIT))
			continue;
		f = table_take(t, i);
		if (f)
			close_for(t, f);
	}
}

/* ---- look-up ---- */

struct file *fd_table_file(struct fd_table *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->nr && t->file[fd])
		f = file_get(t->file[fd]);
	spin_unlock(&t->lock);
	return f;
}

u32 fd_table_room(struct fd_table *t)
{
	return READ_ONCE(t->nr);
}

struct file *fd_get(int fd)
{
	struct fd_table *t = current_fds();

	return t ? fd_table_file(t, (u32)fd) : NULL;
}

struct file *fd_borrow(int fd, bool *put)
{
	struct proc *p = current_proc();
	struct fd_table *t = p->files;

	/* the only thread of the only process with this table cannot close: it is busy here */
	*put = refcount_read(&t->refs) != 1 || READ_ONCE(p->nr_threads) != 1;
	if (*put)
		return fd_table_file(t, (u32)fd);
	return (u32)fd < t->nr ? t->file[fd] : NULL;
}

void fd_for_each(struct fd_table *t, bool (*fn)(void *arg, int fd, struct file *f), void *arg)
{
	u32 i;

	for (i = 0;; i++) {
		struct file *f = NULL;
		bool end;

		spin_lock(&t->lock);
		while (i < t->nr && !t->file[i])
			i++;
		if (i < t->nr)
			f = file_get(t->file[i]);
		spin_unlock(&t->lock);
		if (!f)
			return;
		end = fn(arg, (int)i, f);
		file_put(f);
		if (end)
			return;
	}
}

/* ---- handing out ---- */

static u32 fd_limit(void)
{
	u64 lim = current_proc()->rlim[7].cur; /* RLIMIT_NOFILE */

	return lim < MAX_FDS ? (u32)lim : MAX_FDS;
}

/* Reserves the lowest free number from min on. Number, -EMFILE, -ENOMEM. */
static int reserve_from(struct fd_table *t, u32 min, u32 flags)
{
	u32 limit = fd_limit(), i;
	int ret;

	spin_lock(&t->lock);
	for (;;) {
		i = max(min, t->lowest);
		while (i < t->nr && (t->file[i] || t->flags[i] & FD_RESERVED))
			i++;
		if (i >= limit) {
			ret = -EMFILE;
			break;
		}
		if (i < t->nr) {
			t->flags[i] = FD_RESERVED | (flags & O_CLOEXEC ? FD_CLOEXEC_BIT : 0);
			if (min <= t->lowest)
				t->lowest = i + 1;
			ret = (int)i;
			break;
		}
		ret = table_grow(t, i);
		if (ret)
			break;
	}
	spin_unlock(&t->lock);
	return ret;
}

int fd_reserve(u32 flags)
{
	struct fd_table *t = current_fds();

	return t ? reserve_from(t, 0, flags) : -EMFILE;
}

void fd_fill(int fd, struct file *f)
{
	struct fd_table *t = current_fds();

	spin_lock(&t->lock);
	t->flags[fd] &= ~FD_RESERVED;
	t->file[fd] = f;
	spin_unlock(&t->lock);
}

void fd_unreserve(int fd)
{
	struct fd_table *t = current_fds();

	spin_lock(&t->lock);
	t->flags[fd] = 0;
	if ((u32)fd < t->lowest)
		t->lowest = fd;
	spin_unlock(&t->lock);
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
	struct fd_table *t = current_fds();
	struct file *f = t ? table_take(t, (u32)fd) : NULL;

	if (!f)
		return -EBADF;
	close_for(t, f);
	return 0;
}

bool fd_cloexec(int fd)
{
	struct fd_table *t = current_fds();
	bool on = false;

	spin_lock(&t->lock);
	if ((u32)fd < t->nr)
		on = t->flags[fd] & FD_CLOEXEC_BIT;
	spin_unlock(&t->lock);
	return on;
}

int fd_set_cloexec(int fd, bool on)
{
	struct fd_table *t = current_fds();
	int err = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->nr && t->file[fd]) {
		t->flags[fd] = on ? FD_CLOEXEC_BIT : 0;
		err = 0;
	}
	spin_unlock(&t->lock);
	return err;
}

int fd_dup_from(struct file *f, u64 min, u32 flags)
{
	struct fd_table *t = current_fds();
	int fd;

	if (min >= fd_limit())
		return -EINVAL;
	fd = reserve_from(t, (u32)min, flags);
	if (fd >= 0)
		fd_fill(fd, file_get(f));
	return fd;
}

/* Makes new refer to f, closing what was there: one step for other threads. Takes a reference. */
static int install_at(struct fd_table *t, u32 fd, struct file *f, u32 flags)
{
	struct file *old;
	int err = 0;

	if (fd >= fd_limit())
		return -EBADF;
	spin_lock(&t->lock);
	if (fd >= t->nr)
		err = table_grow(t, fd);
	if (!err && !t->file[fd] && t->flags[fd] & FD_RESERVED)
		err = -EBUSY; /* another thread is about to fill it, as Linux says */
	if (err) {
		spin_unlock(&t->lock);
		return err;
	}
	old = t->file[fd];
	t->file[fd] = file_get(f);
	t->flags[fd] = flags & O_CLOEXEC ? FD_CLOEXEC_BIT : 0;
	spin_unlock(&t->lock);
	if (old)
		close_for(t, old);
	return (int)fd;
}

/* ---- the calls ---- */

SYSCALL(3, close)
{
	return fd_close((int)a);
}

SYSCALL(32, dup)
{
	struct file *file = fd_get((int)a);
	int fd;

	if (!file)
		return -EBADF;
	fd = fd_install(file, 0);
	if (fd < 0)
		file_put(file);
	return fd;
}

static long dup_to(int oldfd, u32 newfd, u32 flags)
{
	struct file *f = fd_get(oldfd);
	long ret;

	if (!f)
		return -EBADF;
	ret = install_at(current_fds(), newfd, f, flags);
	file_put(f);
	return ret;
}

SYSCALL(33, dup2)
{
	struct file *file;

	if ((u32)a != (u32)b)
		return dup_to((int)a, (u32)b, 0);
	file = fd_get((int)a);
	if (!file)
		return -EBADF;
	file_put(file);
	return (int)a;
}

SYSCALL(292, dup3)
{
	if ((u32)a == (u32)b || c & ~(u64)O_CLOEXEC)
		return -EINVAL;
	return dup_to((int)a, (u32)b, (u32)c);
}

#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4

SYSCALL(436, close_range)
{
	struct fd_table *t = current_fds();
	u32 first = (u32)a, last = (u32)b, i;

	if (first > last || c & ~(u64)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (c & CLOSE_RANGE_UNSHARE && refcount_read(&t->refs) > 1)
		return -EOPNOTSUPP;
	for (i = first; i <= last && i < READ_ONCE(t->nr); i++) {
		if (c & CLOSE_RANGE_CLOEXEC)
			fd_set_cloexec((int)i, true);
		else
			fd_close((int)i);
	}
	return 0;
}

EXPORT(fd_get);
EXPORT(fd_install);
EXPORT(fd_close);
