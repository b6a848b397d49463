/* SPDX-License-Identifier: MIT */
/* eventfd.c - a 64-bit counter behind a descriptor: writes add, a read takes all (or one) and waits
 * while it is zero. */
#include "fs.h"

#include <core/syscall.h>

#define EFD_SEMAPHORE 1
#define COUNT_MAX (~0ull - 1)

struct eventfd {
	struct spinlock lock;
	u64 count; /* guarded by lock */
	bool semaphore;
	struct wait_queue wait;
};

/* Takes from the counter; false while it is zero. */
static bool take(struct eventfd *e, u64 *out)
{
	spin_lock(&e->lock);
	*out = e->semaphore && e->count ? 1 : e->count;
	e->count -= *out;
	spin_unlock(&e->lock);
	return *out != 0;
}

static bool add(struct eventfd *e, u64 n)
{
	bool fits;

	spin_lock(&e->lock);
	fits = COUNT_MAX - e->count >= n;
	if (fits)
		e->count += n;
	spin_unlock(&e->lock);
	return fits;
}

static long eventfd_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct eventfd *e = f->priv;
	long err;
	u64 n;

	if (to->count < sizeof(n))
		return -EINVAL;
	while (!take(e, &n)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up_key(&e->wait, POLLOUT | POLLWRNORM);
	return iter_copy_to(&n, sizeof(n), to);
}

static long eventfd_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct eventfd *e = f->priv;
	long err;
	u64 n;

	if (from->count < sizeof(n))
		return -EINVAL;
	err = iter_copy_from(&n, sizeof(n), from);
	if (err != sizeof(n))
		return -EFAULT;
	if (n == ~0ull)
		return -EINVAL;
	while (!add(e, n)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, COUNT_MAX - READ_ONCE(e->count) >= n);
		if (err)
			return err;
	}
	wake_up_key(&e->wait, POLLIN | POLLRDNORM);
	return sizeof(n);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 n;

	poll_wait(pt, &e->wait);
	n = READ_ONCE(e->count);
	return (n ? POLLIN | POLLRDNORM : 0) | (n < COUNT_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_fops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

static long make_eventfd(u32 count, u32 flags)
{
	struct eventfd *e;
	struct file *f;
	int fd;

	if (flags & ~(u32)(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	spin_init(&e->lock);
	wait_queue_init(&e->wait);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	f = file_anon("anon_inode:[eventfd]", 0600, &eventfd_fops, e,
		      O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(e);
		return PTR_ERR(f);
	}
	fd = fd_install(f, flags);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL(284, eventfd)
{
	return make_eventfd((u32)a, 0);
}

SYSCALL(290, eventfd2)
{
	return make_eventfd((u32)a, (u32)b);
}
