/* SPDX-License-Identifier: MIT */
/* fcntl.c - what can be asked of and set on an open descriptor besides data: fcntl, and the ioctls
 * that every kind of file has. */
#include "fs.h"

#include <core/syscall.h>
#include <weft/socket.h>

#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_GETLK 5
#define F_SETLK 6
#define F_SETLKW 7
#define F_SETOWN 8
#define F_GETOWN 9
#define F_SETSIG 10
#define F_GETSIG 11
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032

#define O_DIRECT 040000
#define O_NOATIME 01000000
#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIOASYNC 0x5452

static void set_flags(struct file *f, u32 mask, u32 flags)
{
	u32 old = READ_ONCE(f->flags);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~mask) | (flags & mask), true,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

static long do_fcntl(int fd, struct file *f, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
		return fd_dup_from(f, arg, 0);
	case F_DUPFD_CLOEXEC:
		return fd_dup_from(f, arg, O_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(fd);
	case F_SETFD:
		return fd_set_cloexec(fd, arg & 1);
	case F_GETFL:
		return f->flags;
	}
	if (f->flags & O_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		set_flags(f, SETTABLE, (u32)arg);
		return 0;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
		return fcntl_lock(f, cmd, arg);
	case F_SETOWN:
		f->owner_pid = (int)arg;
		return 0;
	case F_GETOWN:
		return f->owner_pid;
	case F_SETSIG:
		return arg > NR_SIGNALS ? -EINVAL : 0;
	case F_GETSIG:
		return 0;
	case F_SETPIPE_SZ:
		return pipe_resize(f, arg);
	case F_GETPIPE_SZ:
		return pipe_size(f);
	default:
		return -EINVAL;
	}
}

SYSCALL(72, fcntl)
{
	struct file *file = fd_get((int)a);
	long ret;

	if (!file)
		return -EBADF;
	ret = do_fcntl((int)a, file, (u32)b, c);
	file_put(file);
	return ret;
}

/* ---- ioctl ---- */

static long set_flag_by_int(struct file *f, u32 flag, u64 uarg)
{
	int on;

	if (copy_from_user(&on, (const void __user *)uarg, sizeof(on)))
		return -EFAULT;
	set_flags(f, flag, on ? flag : 0);
	return 0;
}

/* What is left of a regular file. */
static long bytes_left(struct file *f, u64 uarg)
{
	u64 size = READ_ONCE(f->inode->size);
	int n = (int)min(size > f->pos ? size - f->pos : 0, (u64)0x7fffffff);

	return copy_to_user((void __user *)uarg, &n, sizeof(n));
}

static long do_ioctl(int fd, struct file *f, u32 cmd, u64 arg)
{
	long ret = -ENOTTY;

	if (f->flags & O_PATH)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
		return set_flag_by_int(f, O_NONBLOCK, arg);
	case FIOASYNC:
		return set_flag_by_int(f, O_ASYNC, arg);
	}
	if (cmd == FIONREAD && S_ISREG(f->inode->mode))
		return bytes_left(f, arg);
	if (f->ops && f->ops->ioctl)
		ret = f->ops->ioctl(f, cmd, arg);
	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}

SYSCALL(16, ioctl)
{
	struct file *file = fd_get((int)a);
	long ret;

	if (!file)
		return -EBADF;
	ret = do_ioctl((int)a, file, (u32)b, c);
	file_put(file);
	return ret;
}
