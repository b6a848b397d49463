/* SPDX-License-Identifier: MIT */
/* tty.c - terminals as files: open, read, write, poll, close and hang-up. What the bytes mean is
 * the line discipline's (n_tty*.c), who may use a terminal is job.c's, settings are ioctl.c's.
 *
 * open_mutex makes opens, closes and hang-ups of all terminals happen one after the other; it is
 * taken before any other lock of tty.h. */

#include "tty.h"

#include <core/console.h>
#include <core/tty.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define WRITE_CHUNK 512
#define CLOSE_DRAIN (2 * NSEC_PER_SEC)
#define MAX_TTYS 8

static DEFINE_MUTEX(open_mutex);
static struct tty *ttys[MAX_TTYS]; /* written while booting only */
static const struct file_ops tty_fops;

static const struct termios default_termios = {
	.iflag = ICRNL | IXON | IMAXBEL | IUTF8,
	.oflag = OPOST | ONLCR,
	.cflag = B38400 | CS8 | CREAD | HUPCL,
	.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.cc = {
		[VINTR] = 'C' & 0x1f, [VQUIT] = '\\' & 0x1f, [VERASE] = 0x7f, [VKILL] = 'U' & 0x1f,
		[VEOF] = 'D' & 0x1f, [VMIN] = 1, [VSTART] = 'Q' & 0x1f, [VSTOP] = 'S' & 0x1f,
		[VSUSP] = 'Z' & 0x1f, [VREPRINT] = 'R' & 0x1f, [VDISCARD] = 'O' & 0x1f,
		[VWERASE] = 'W' & 0x1f, [VLNEXT] = 'V' & 0x1f,
	},
};

void tty_setup(struct tty *t, const struct tty_driver *driver, const char *name, u64 rdev)
{
	memset(t, 0, sizeof(*t));
	t->driver = driver;
	strscpy(t->name, name, sizeof(t->name));
	t->rdev = rdev;
	refcount_set(&t->refs, 1);
	mutex_init(&t->read_mutex);
	mutex_init(&t->write_mutex);
	wait_queue_init(&t->read_wait);
	wait_queue_init(&t->write_wait);
	spin_init(&t->lock);
	t->termios = default_termios;
}

struct tty *tty_get(struct tty *t)
{
	refcount_inc(&t->refs);
	return t;
}

void tty_put(struct tty *t)
{
	if (refcount_dec_and_test(&t->refs) && t->driver->free)
		t->driver->free(t);
}

u32 tty_device(struct tty *t)
{
	return t->rdev;
}

int tty_foreground(struct tty *t)
{
	return READ_ONCE(t->pgrp);
}

void tty_register(struct tty *t)
{
	for (u32 i = 0; i < MAX_TTYS; i++) {
		if (!ttys[i]) {
			ttys[i] = t;
			return;
		}
	}
	pr_err("%s: too many terminals\n", t->name);
}

struct tty *tty_find(u64 rdev)
{
	for (u32 i = 0; i < MAX_TTYS && ttys[i]; i++) {
		if (ttys[i]->rdev == rdev)
			return ttys[i];
	}
	return NULL;
}

/* ---- open and close ---- */

bool tty_file_hung_up(const struct tty_file *tf)
{
	return !tf->console && READ_ONCE(tf->tty->hangups) != tf->hangups;
}

static int open_locked(struct tty *t, struct tty_file *tf)
{
	bool first;
	int err = 0;

	spin_lock(&t->lock);
	if (t->peer_closed)
		err = -EIO;
	else if (t->exclusive && require_root())
		err = -EBUSY;
	first = !t->opens;
	tf->hangups = t->hangups;
	if (!err) {
		t->opens++;
		t->console_opens += tf->console;
	}
	spin_unlock(&t->lock);
	if (err || !first || !t->driver->open)
		return err;
	err = t->driver->open(t);
	if (err) {
		spin_lock(&t->lock);
		t->opens--;
		t->console_opens -= tf->console;
		spin_unlock(&t->lock);
	}
	return err;
}

int tty_open_file(struct tty *t, struct file *f, bool console)
{
	struct tty_file *tf = kzalloc(sizeof(*tf));
	int err;

	if (!tf)
		return -ENOMEM;
	tf->tty = t;
	tf->console = console;
	mutex_lock(&open_mutex);
	err = open_locked(t, tf);
	mutex_unlock(&open_mutex);
	if (err) {
		kfree(tf);
		return err;
	}
	tty_get(t);
	f->priv = tf;
	f->ops = &tty_fops;
	if (!console)
		tty_opened(t, f);
	return 0;
}

static void tty_release(struct file *f)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	bool last = false;

	if (!tty_file_hung_up(tf) && READ_ONCE(t->opens) == 1)
		tty_drain(t, ktime_get() + CLOSE_DRAIN);
	mutex_lock(&open_mutex);
	spin_lock(&t->lock);
	if (!tty_file_hung_up(tf)) {
		t->console_opens -= tf->console;
		last = --t->opens == 0;
	}
	if (last) {
		t->exclusive = false;
		t->stopped = false;
		n_tty_flush_input(t);
		t->echo_tail = t->echo_head;
	}
	spin_unlock(&t->lock);
	if (last && t->driver->close)
		t->driver->close(t);
	mutex_unlock(&open_mutex);
	kfree(tf);
	tty_put(t);
}

/* Files opened through /dev/console live on (init's own), but a session on it is over. */
void tty_hangup(struct tty *t)
{
	bool closed;

	tty_signal_session(t);
	mutex_lock(&open_mutex);
	spin_lock(&t->lock);
	closed = t->opens != 0 && t->console_opens == 0;
	t->opens = t->console_opens;
	t->hangups++;
	t->stopped = false;
	n_tty_flush_input(t);
	t->echo_tail = t->echo_head;
	t->driver->pending(t, true);
	spin_unlock(&t->lock);
	if (closed && t->driver->close)
		t->driver->close(t);
	mutex_unlock(&open_mutex);
	wake_up_all(&t->read_wait);
	wake_up_all(&t->write_wait);
}

/* ---- reading and writing ---- */

static long tty_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct tty_file *tf = f->priv;

	return tty_file_hung_up(tf) ? 0 : n_tty_read(tf->tty, f, to);
}

void tty_write_wakeup(struct tty *t)
{
	spin_lock(&t->lock);
	n_tty_echo_flush(t);
	spin_unlock(&t->lock);
	wake_up_key(&t->write_wait, POLLOUT | POLLWRNORM);
}

static bool can_write(struct tty *t)
{
	bool can;

	spin_lock(&t->lock);
	n_tty_echo_flush(t);
	can = n_tty_can_write(t);
	spin_unlock(&t->lock);
	return can;
}

static long write_chunk(struct tty *t, struct file *f, const u8 *p, size_t n)
{
	struct tty_file *tf = f->priv;
	size_t done = 0;

	while (done < n) {
		size_t part;
		long err;

		if (tty_file_hung_up(tf) || READ_ONCE(t->peer_closed))
			return done ? (long)done : -EIO;
		spin_lock(&t->lock);
		part = n_tty_output(t, p + done, n - done);
		spin_unlock(&t->lock);
		done += part;
		if (part)
			continue;
		if (f->flags & O_NONBLOCK)
			return done ? (long)done : -EAGAIN;
		err = wait_event_interruptible(&t->write_wait, can_write(t) ||
								       tty_file_hung_up(tf) ||
								       READ_ONCE(t->peer_closed));
		if (err)
			return done ? (long)done : err;
	}
	return done;
}

static long write_locked(struct tty *t, struct file *f, struct iov_iter *from)
{
	u8 chunk[WRITE_CHUNK];
	long total = 0;

	while (from->count) {
		long n = iter_copy_from(chunk, min(from->count, sizeof(chunk)), from);
		long done;

		if (n <= 0)
			return total ? total : n;
		done = write_chunk(t, f, chunk, n);
		if (done < 0)
			return total ? total : done;
		total += done;
		if (done < n)
			break;
	}
	return total;
}

static long tty_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	long n;

	if (tty_file_hung_up(tf))
		return -EIO;
	if (t->termios.lflag & TOSTOP) {
		n = tty_check_background(t, SIGTTOU);
		if (n)
			return n;
	}
	/* one write(2) is not cut by another's */
	if (f->flags & O_NONBLOCK) {
		if (!mutex_trylock(&t->write_mutex))
			return -EAGAIN;
	} else {
		n = mutex_lock_interruptible(&t->write_mutex);
		if (n)
			return n;
	}
	n = write_locked(t, f, from);
	mutex_unlock(&t->write_mutex);
	return n;
}

static u32 tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	u32 events = 0;

	poll_wait(pt, &t->read_wait);
	poll_wait(pt, &t->write_wait);
	if (tty_file_hung_up(tf))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	if (READ_ONCE(t->peer_closed))
		events |= POLLHUP;
	spin_lock(&t->lock);
	if (n_tty_input_ready(t))
		events |= POLLIN | POLLRDNORM;
	if (n_tty_can_write(t))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&t->lock);
	return events;
}

static long tty_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	long ret;

	if (tty_file_hung_up(tf))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	ret = tty_job_ioctl(t, cmd, arg);
	if (ret == -ENOIOCTLCMD && t->driver->ioctl)
		ret = t->driver->ioctl(t, cmd, arg);
	return ret == -ENOIOCTLCMD ? tty_ioctl_common(t, f, cmd, arg) : ret;
}

static const struct file_ops tty_fops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.release = tty_release,
};

/* ---- the fixed device numbers ---- */

static int numbered_open(struct inode *ino, struct file *f)
{
	struct tty *t = tty_find(ino->rdev);

	return t ? tty_open_file(t, f, false) : -ENXIO;
}

/* tty0 is the screen's terminal in front, and there is one. */
static int tty0_open(struct inode *ino, struct file *f)
{
	struct tty *t = screen_tty();

	return t ? tty_open_file(t, f, false) : -ENXIO;
}

static int ctty_open(struct inode *ino, struct file *f)
{
	struct tty *t = tty_controlling();
	int err;

	if (!t)
		return -ENXIO;
	err = tty_open_file(t, f, false);
	tty_put(t);
	return err;
}

static int console_open(struct inode *ino, struct file *f)
{
	const char *name = console_preferred();
	struct tty *t = ttys[0];

	for (u32 i = 0; i < MAX_TTYS && ttys[i]; i++) {
		if (!strcmp(ttys[i]->name, name))
			t = ttys[i];
	}
	return t ? tty_open_file(t, f, true) : -ENODEV;
}

static struct chrdev tty_devs[] = {
	{ .major = TTYAUX_MAJOR,
	  .minor = 0,
	  .nr_minors = 1,
	  .name = "tty",
	  .mode = 0666,
	  .open = ctty_open },
	{ .major = TTYAUX_MAJOR,
	  .minor = 1,
	  .nr_minors = 1,
	  .name = "console",
	  .mode = 0600,
	  .open = console_open },
	{ .major = TTY_MAJOR,
	  .minor = 0,
	  .nr_minors = 1,
	  .name = "tty0",
	  .mode = 0620,
	  .open = tty0_open },
	{ .major = TTY_MAJOR, .minor = 1, .nr_minors = 254, .mode = 0620, .open = numbered_open },
};

/* Linux's columns: driver, device, major, minors, type; ps finds a terminal's name by it. */
static int show_drivers(struct seq *s)
{
	seq_puts(s, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		    "/dev/console         /dev/console    5       1 system:console\n"
		    "/dev/ptmx            /dev/ptmx       5       2 system\n"
		    "serial               /dev/ttyS       4 64-67 serial\n"
		    "pty_slave            /dev/pts      136 0-255 pty:slave\n"
		    "screen               /dev/tty        4 1-1 console\n");
	return 0;
}

static struct procfile drivers_file = {
	.path = "tty/drivers",
	.mode = 0444,
	.show = show_drivers,
};

void tty_init(void)
{
	int err = procfile_add(&drivers_file);

	for (u32 i = 0; i < ARRAY_SIZE(tty_devs) && !err; i++)
		err = chrdev_register(&tty_devs[i]);
	serial_init();
	screen_init();
	keyboard_init();
	for (u32 i = 0; i < MAX_TTYS && ttys[i] && !err; i++)
		err = devfs_add(ttys[i]->name, 0600, ttys[i]->rdev);
	if (err)
		pr_err("tty: device files: error %d\n", err);
	pty_init();
}
