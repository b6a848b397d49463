/* SPDX-License-Identifier: MIT */
/* kmsg.c - the kernel log as programs see it: /dev/kmsg (one record a read), syslog(2) (klogd and
 * dmesg) and /proc/sys/kernel/printk. A reader owns nothing of the ring but a sequence number. */

#include <core/console.h>
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/mutex.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#define KMSG_MAJOR 1
#define KMSG_MINOR 11
#define FACILITY_USER 1
#define KMSG_TEXT_MAX (64 + 4 * LOG_LINE_MAX) /* every byte may become \xNN */

/* lseek(2) */
#define FROM_START 0
#define FROM_END 2
#define FROM_DATA 3

/* syslog(2) actions */
enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER,
};

static u64 clear_seq; /* dmesg -c: READ_ALL shows nothing older */

struct kmsg_reader {
	struct mutex lock;
	/* guarded by lock */
	u64 seq;
	struct log_record record;
	char text[KMSG_TEXT_MAX];
};

/* ---- /dev/kmsg ---- */

static int kmsg_open(struct inode *ino, struct file *f)
{
	struct kmsg_reader *r = kmalloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock);
	r->seq = log_first_seq();
	f->priv = r;
	return 0;
}

static void kmsg_release(struct file *f)
{
	kfree(f->priv);
}

/* "prio,seq,usec,-;text\n" (Linux's Documentation/ABI/testing/dev-kmsg). */
static size_t kmsg_format(struct kmsg_reader *r)
{
	const struct log_record *rec = &r->record;
	size_t n = scnprintf(r->text, sizeof(r->text), "%u,%llu,%llu,-;", rec->prio,
			     (unsigned long long)rec->seq,
			     (unsigned long long)(rec->time_ns / NSEC_PER_USEC));

	for (u32 i = 0; i < rec->len; i++) {
		u8 ch = rec->text[i];

		if (ch < ' ' || ch >= 127 || ch == '\\')
			n += scnprintf(r->text + n, sizeof(r->text) - n, "\\x%02x", ch);
		else
			r->text[n++] = ch;
	}
	r->text[n++] = '\n';
	return n;
}

static long kmsg_read_locked(struct kmsg_reader *r, struct file *f, struct iov_iter *to)
{
	u64 want = r->seq;
	size_t n;
	long got;

	while (!log_read(&r->seq, &r->record)) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&log_wait, log_next_seq() > r->seq);
		if (err)
			return err;
	}
	if (r->seq !=
	    want) /* what came next was overwritten; the next read goes on behind the gap */
		return -EPIPE;
	n = kmsg_format(r);
	if (n > to->count)
		return -EINVAL;
	got = iter_copy_to(r->text, n, to);
	if (got < 0 || (size_t)got < n)
		return -EFAULT;
	r->seq++;
	return n;
}

static long kmsg_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct kmsg_reader *r = f->priv;
	long n = mutex_lock_interruptible(&r->lock);

	if (n)
		return n;
	n = kmsg_read_locked(r, f, to);
	mutex_unlock(&r->lock);
	return n;
}

/* "<prio>text": the facility defaults to user, and can never be the kernel's. */
static long kmsg_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	char line[LOG_LINE_MAX + 8];
	size_t asked = from->count;
	u32 prio = FACILITY_USER << 3 | (KERN_INFO[1] - '0'), number = 0;
	long n;
	u32 i = 1;

	if (!asked)
		return 0;
	n = iter_copy_from(line, min(asked, sizeof(line)), from);
	if (n < 0)
		return n;
	iter_advance(from, from->count);
	if (line[0] == '<') {
		while (i < n && i < 5 && line[i] >= '0' && line[i] <= '9')
			number = number * 10 + (line[i++] - '0');
		if (i > 1 && i < n && line[i] == '>') {
			prio = number >> 3 ? number & 0x3ff : FACILITY_USER << 3 | (number & 7);
			memmove(line, line + i + 1, n - i - 1);
			n -= i + 1;
		}
	}
	if (n && line[n - 1] == '\n')
		n--;
	log_write(prio, line, n);
	return asked;
}

static s64 kmsg_seek(struct file *f, s64 off, int whence)
{
	struct kmsg_reader *r = f->priv;
	u64 seq;

	if (off)
		return -ESPIPE;
	switch (whence) {
	case FROM_START:
		seq = log_first_seq();
		break;
	case FROM_DATA:
		seq = READ_ONCE(clear_seq);
		break;
	case FROM_END:
		seq = log_next_seq();
		break;
	default:
		return -EINVAL;
	}
	mutex_lock(&r->lock);
	r->seq = max(seq, log_first_seq());
	mutex_unlock(&r->lock);
	return 0;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	struct kmsg_reader *r = f->priv;
	u64 seq;

	poll_wait(pt, &log_wait);
	seq = READ_ONCE(r->seq);
	if (seq >= log_next_seq())
		return POLLOUT | POLLWRNORM;
	return POLLOUT | POLLWRNORM | POLLIN | POLLRDNORM |
	       (seq < log_first_seq() ? POLLERR | POLLPRI : 0);
}

static const struct file_ops kmsg_fops = {
	.read = kmsg_read,
	.write = kmsg_write,
	.poll = kmsg_poll,
	.seek = kmsg_seek,
	.release = kmsg_release,
};

static struct chrdev kmsg_dev = {
	.major = KMSG_MAJOR,
	.minor = KMSG_MINOR,
	.nr_minors = 1,
	.name = "kmsg",
	.mode = 0644,
	.open = kmsg_open,
	.fops = &kmsg_fops,
};

/* ---- syslog(2) ---- */

static DEFINE_MUTEX(syslog_lock);
/* guarded by syslog_lock */
static u64 syslog_seq;
static size_t syslog_partial; /* bytes of that record already read */
static struct log_record syslog_record;
static char syslog_text[LOG_PREFIX_MAX + LOG_LINE_MAX];

/* Takes records until size is full; the last one may be cut and goes on at the next call. */
static long syslog_read_locked(u64 buf, size_t size)
{
	size_t total = 0;

	while (total < size) {
		u64 want = syslog_seq;
		size_t n, part;

		if (!log_read(&syslog_seq, &syslog_record))
			break;
		if (syslog_seq != want)
			syslog_partial = 0;
		n = log_format(&syslog_record, syslog_text, true);
		part = min(n - syslog_partial, size - total);
		if (copy_to_user((void __user *)(buf + total), syslog_text + syslog_partial, part))
			return total ? (long)total : -EFAULT;
		total += part;
		syslog_partial += part;
		if (syslog_partial == n) {
			syslog_seq++;
			syslog_partial = 0;
		}
	}
	return total;
}

static long syslog_read(u64 buf, size_t size)
{
	for (;;) {
		long n = mutex_lock_interruptible(&syslog_lock);

		if (n)
			return n;
		n = syslog_read_locked(buf, size);
		mutex_unlock(&syslog_lock);
		if (n)
			return n;
		n = wait_event_interruptible(&log_wait, log_next_seq() > READ_ONCE(syslog_seq));
		if (n)
			return n;
	}
}

/* The newest whole records that fit, not older than the last clear. */
static long syslog_read_all(u64 buf, size_t size, bool clear)
{
	struct log_record *r = kmalloc(sizeof(*r) + sizeof(syslog_text));
	u64 end = log_next_seq();
	u64 seq = end, oldest = max(READ_ONCE(clear_seq), log_first_seq());
	size_t total = 0;
	char *text;

	if (!r)
		return -ENOMEM;
	text = (char *)(r + 1);
	while (seq > oldest) {
		size_t n = log_format_size(seq - 1);

		if (!n || total + n > size)
			break;
		total += n;
		seq--;
	}
	total = 0;
	while (seq < end && log_read(&seq, r) && seq < end) {
		size_t n = log_format(r, text, true);

		if (total + n > size)
			break;
		if (copy_to_user((void __user *)(buf + total), text, n)) {
			kfree(r);
			return -EFAULT;
		}
		total += n;
		seq++;
	}
	kfree(r);
	if (clear)
		WRITE_ONCE(clear_seq, end);
	return total;
}

static long syslog_unread(void)
{
	size_t total = 0;

	mutex_lock(&syslog_lock);
	if (syslog_seq < log_first_seq()) {
		syslog_seq = log_first_seq();
		syslog_partial = 0;
	}
	for (u64 seq = syslog_seq; seq < log_next_seq(); seq++)
		total += log_format_size(seq);
	total -= min(total, syslog_partial);
	mutex_unlock(&syslog_lock);
	return total;
}

static long console_level(u64 level)
{
	if (level < 1 || level > 8)
		return -EINVAL;
	WRITE_ONCE(console_loglevel, (int)level);
	return 0;
}

SYSCALL(103, syslog)
{
	static int saved_level; /* CONSOLE_OFF remembers; 0: console is on */
	long size = (int)c;

	if (a != SYSLOG_READ_ALL && a != SYSLOG_SIZE_BUFFER && require_root())
		return -EPERM;
	switch ((int)a) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!b || size < 0)
			return -EINVAL;
		if (!size)
			return 0;
		return a == SYSLOG_READ ? syslog_read(b, size) :
					  syslog_read_all(b, size, a == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR:
		WRITE_ONCE(clear_seq, log_next_seq());
		return 0;
	case SYSLOG_CONSOLE_OFF:
		if (!saved_level)
			saved_level = console_loglevel;
		return console_level(1);
	case SYSLOG_CONSOLE_ON:
		if (saved_level)
			WRITE_ONCE(console_loglevel, saved_level);
		saved_level = 0;
		return 0;
	case SYSLOG_CONSOLE_LEVEL:
		saved_level = 0;
		return console_level(c);
	case SYSLOG_SIZE_UNREAD:
		return syslog_unread();
	case SYSLOG_SIZE_BUFFER:
		return LOG_TEXT_SIZE;
	}
	return -EINVAL;
}

/* ---- /proc/sys/kernel/printk: console level, level of lines without one, minimum, level at boot
 * ---- */

static int show_levels(struct seq *s)
{
	seq_printf(s, "%d\t6\t1\t7\n", READ_ONCE(console_loglevel));
	return 0;
}

/* Only the first of the four can be changed; `sysctl -w kernel.printk="4 4 1 7"` gives all. */
static int write_levels(void *arg, const char *text, size_t len)
{
	u64 level = 0;
	size_t i = 0;

	while (i < len && (text[i] == ' ' || text[i] == '\t'))
		i++;
	if (i == len || text[i] < '0' || text[i] > '9')
		return -EINVAL;
	while (i < len && text[i] >= '0' && text[i] <= '9' && level < 100)
		level = level * 10 + (text[i++] - '0');
	if (level > 15)
		return -EINVAL;
	WRITE_ONCE(console_loglevel, (int)level);
	return 0;
}

static struct procfile printk_file = {
	.path = "sys/kernel/printk",
	.mode = 0644,
	.show = show_levels,
	.write = write_levels,
};

void kmsg_init(void)
{
	int err = chrdev_register(&kmsg_dev);

	if (!err)
		err = procfile_add(&printk_file);
	if (err)
		pr_err("kmsg: error %d\n", err);
}
