/* SPDX-License-Identifier: MIT */
/* pty.c - pseudo terminals. The slave is a tty like any other, whose driver's far end is a ring
 * that the master reads; what the master writes is the slave's input. The master has no settings of
 * its own: its ioctls mean the slave.
 *
 * pts_mutex guards the table of numbers, before tty.c's open_mutex. pty->lock (plain, below
 * tty->lock) guards the ring. */

#include "tty.h"

#include <core/tty.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>

#define NR_PTYS 256
#define RING_SIZE 8192 /* power of two */
#define CHUNK 512

struct pty {
	struct tty slave; /* its reference count is the pty's */
	u32 index;
	struct wait_queue master_wait; /* bytes to read, or room for input */
	struct mutex write_mutex;
	bool locked; /* TIOCSPTLCK; set and read by single stores */
	/* guarded by lock */
	struct spinlock lock;
	bool master_open, slave_gone; /* slave_gone: it was open and is no longer */
	u32 head, tail;
	u8 ring[RING_SIZE];
};

static DEFINE_MUTEX(pts_mutex);
static struct pty *ptys[NR_PTYS]; /* guarded by pts_mutex; one reference each */

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, slave);
}

static u32 ring_used(const struct pty *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

/* ---- the slave's driver ---- */

static int slave_open(struct tty *t)
{
	struct pty *p = pty_of(t);

	spin_lock(&p->lock);
	p->slave_gone = false;
	spin_unlock(&p->lock);
	return 0;
}

static void slave_close(struct tty *t)
{
	struct pty *p = pty_of(t);

	spin_lock(&p->lock);
	p->slave_gone = true;
	spin_unlock(&p->lock);
	wake_up_all(&p->master_wait);
}

static size_t slave_write(struct tty *t, const u8 *data, size_t n)
{
	struct pty *p = pty_of(t);
	size_t done = n;

	spin_lock(&p->lock);
	if (p->master_open) { /* else nobody will ever read it */
		u32 off = p->head % RING_SIZE, head;

		done = min(n, (size_t)RING_SIZE - ring_used(p));
		head = min((u32)done, RING_SIZE - off);
		memcpy(p->ring + off, data, head);
		memcpy(p->ring, data + head, done - head);
		p->head += done;
	}
	spin_unlock(&p->lock);
	if (done)
		wake_up_key(&p->master_wait, POLLIN | POLLRDNORM);
	return done;
}

static size_t slave_room(struct tty *t)
{
	return RING_SIZE - ring_used(pty_of(t));
}

/* What lies in the ring counts as sent: a program that drains its terminal must not depend on when
 * the master reads. */
static size_t slave_pending(struct tty *t, bool discard)
{
	struct pty *p = pty_of(t);

	if (discard) {
		spin_lock(&p->lock);
		p->tail = p->head;
		spin_unlock(&p->lock);
	}
	return 0;
}

static void slave_resume(struct tty *t)
{
	wake_up_key(&pty_of(t)->master_wait, POLLOUT | POLLWRNORM);
}

static void slave_free(struct tty *t)
{
	kfree(pty_of(t));
}

static const struct tty_driver pty_driver = {
	.name = "pty_slave",
	.open = slave_open,
	.close = slave_close,
	.write = slave_write,
	.room = slave_room,
	.pending = slave_pending,
	.resume = slave_resume,
	.free = slave_free,
};

/* ---- the master's file ---- */

static size_t ring_take(struct pty *p, u8 *buf, size_t n)
{
	u32 off, first;

	spin_lock(&p->lock);
	off = p->tail % RING_SIZE;
	n = min(n, (size_t)ring_used(p));
	first = min((u32)n, RING_SIZE - off);
	memcpy(buf, p->ring + off, first);
	memcpy(buf + first, p->ring, n - first);
	p->tail += n;
	spin_unlock(&p->lock);
	return n;
}

static long master_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct pty *p = f->priv;
	u8 chunk[CHUNK];
	long total = 0;

	while (to->count) {
		size_t n = ring_take(p, chunk, min(to->count, sizeof(chunk)));
		long err;

		if (n) {
			err = iter_copy_to(chunk, n, to);
			if (err < 0)
				return total ? total : err;
			total += err;
			continue;
		}
		if (total)
			break;
		if (READ_ONCE(p->slave_gone))
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->master_wait,
					       ring_used(p) || READ_ONCE(p->slave_gone));
		if (err)
			return err;
	}
	if (total)
		tty_write_wakeup(&p->slave);
	return total;
}

static long master_feed(struct pty *p, struct file *f, const u8 *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		long err;

		done += tty_receive(&p->slave, data + done, n - done);
		if (done == n)
			break;
		if (f->flags & O_NONBLOCK)
			return done ? (long)done : -EAGAIN;
		err = wait_event_interruptible(&p->master_wait, !READ_ONCE(p->slave.throttled));
		if (err)
			return done ? (long)done : err;
	}
	return done;
}

static long master_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct pty *p = f->priv;
	u8 chunk[CHUNK];
	long total = 0, done = mutex_lock_interruptible(&p->write_mutex);

	if (done)
		return done;
	while (from->count) {
		long n = iter_copy_from(chunk, min(from->count, sizeof(chunk)), from);

		done = n > 0 ? master_feed(p, f, chunk, n) : n;
		if (done > 0)
			total += done;
		if (done <= 0 || done < n)
			break;
	}
	mutex_unlock(&p->write_mutex);
	return total ? total : done;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct pty *p = f->priv;
	u32 events = 0;

	poll_wait(pt, &p->master_wait);
	if (ring_used(p))
		events |= POLLIN | POLLRDNORM;
	if (!READ_ONCE(p->slave.throttled))
		events |= POLLOUT | POLLWRNORM;
	if (READ_ONCE(p->slave_gone))
		events |= POLLHUP;
	return events;
}

/* Opens the slave without its path being known to the caller. */
static long open_peer(struct pty *p, u32 flags)
{
	char path[24];
	struct file *f;
	int fd;

	snprintf(path, sizeof(path), "/dev/pts/%u", p->index);
	f = vfs_open(path, flags & (O_ACCMODE | O_NOCTTY | O_NONBLOCK), 0);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long get_slave_id(struct pty *p, u32 cmd, unsigned long arg)
{
	int id = cmd == TIOCGPGRP ? READ_ONCE(p->slave.pgrp) : READ_ONCE(p->slave.sid);

	return copy_to_user((void __user *)arg, &id, sizeof(id));
}

static long master_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct pty *p = f->priv;
	long ret;
	int n;

	switch (cmd) {
	case TIOCGPTN:
		return copy_to_user((void __user *)arg, &p->index, sizeof(p->index));
	case TIOCSPTLCK:
		if (copy_from_user(&n, (const void __user *)arg, sizeof(n)))
			return -EFAULT;
		WRITE_ONCE(p->locked, n != 0);
		return 0;
	case TIOCGPTLCK:
		n = READ_ONCE(p->locked);
		return copy_to_user((void __user *)arg, &n, sizeof(n));
	case TIOCGPTPEER:
		return open_peer(p, arg);
	case TIOCGPGRP:
	case TIOCGSID:
		return get_slave_id(p, cmd, arg);
	case FIONREAD:
		n = ring_used(p);
		return copy_to_user((void __user *)arg, &n, sizeof(n));
	}
	ret = tty_job_ioctl(&p->slave, cmd, arg);
	return ret == -ENOIOCTLCMD ? tty_ioctl_common(&p->slave, f, cmd, arg) : ret;
}

static void master_release(struct file *f)
{
	struct pty *p = f->priv;

	devfs_remove(p->slave.name);
	mutex_lock(&pts_mutex);
	ptys[p->index] = NULL;
	mutex_unlock(&pts_mutex);
	spin_lock(&p->slave.lock);
	p->slave.peer_closed = true;
	spin_unlock(&p->slave.lock);
	spin_lock(&p->lock);
	p->master_open = false;
	p->tail = p->head;
	spin_unlock(&p->lock);
	tty_hangup(&p->slave);
	tty_put(&p->slave);
}

static const struct file_ops master_fops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
};

static struct pty *pty_alloc(void)
{
	struct pty *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	tty_setup(&p->slave, &pty_driver, "pts", 0);
	p->slave.is_pty = true;
	wait_queue_init(&p->master_wait);
	mutex_init(&p->write_mutex);
	spin_init(&p->lock);
	p->locked = true;
	p->master_open = true;
	return p;
}

static int pty_number(struct pty *p)
{
	mutex_lock(&pts_mutex);
	while (p->index < NR_PTYS && ptys[p->index])
		p->index++;
	if (p->index < NR_PTYS)
		ptys[p->index] = p;
	mutex_unlock(&pts_mutex);
	if (p->index == NR_PTYS)
		return -ENOSPC;
	snprintf(p->slave.name, sizeof(p->slave.name), "pts/%u", p->index);
	p->slave.rdev = makedev(PTS_MAJOR, p->index);
	return 0;
}

static int ptmx_open(struct inode *ino, struct file *f)
{
	struct pty *p = pty_alloc();
	int err;

	if (!p)
		return -ENOMEM;
	err = pty_number(p);
	if (err)
		goto free;
	err = devfs_add(p->slave.name, 0620, p->slave.rdev);
	if (err)
		goto number;
	f->priv = p;
	f->ops = &master_fops;
	return 0;
number:
	mutex_lock(&pts_mutex);
	ptys[p->index] = NULL;
	mutex_unlock(&pts_mutex);
free:
	tty_put(&p->slave);
	return err;
}

static int pts_open(struct inode *ino, struct file *f)
{
	u32 minor = (ino->rdev & 0xff) | (ino->rdev >> 12 & ~0xffu);
	struct pty *p = NULL;
	int err;

	mutex_lock(&pts_mutex);
	if (minor < NR_PTYS)
		p = ptys[minor];
	if (p)
		tty_get(&p->slave);
	mutex_unlock(&pts_mutex);
	if (!p)
		return -EIO;
	err = READ_ONCE(p->locked) ? -EIO : tty_open_file(&p->slave, f, false);
	tty_put(&p->slave);
	return err;
}

static struct chrdev pty_devs[] = {
	{ .major = TTYAUX_MAJOR,
	  .minor = 2,
	  .nr_minors = 1,
	  .name = "ptmx",
	  .mode = 0666,
	  .open = ptmx_open },
	{ .major = PTS_MAJOR, .minor = 0, .nr_minors = NR_PTYS, .mode = 0620, .open = pts_open },
};

void pty_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(pty_devs); i++) {
		int err = chrdev_register(&pty_devs[i]);

		if (err)
			pr_err("pty: error %d\n", err);
	}
}
