/* SPDX-License-Identifier: MIT */
/* randomdev.c - the generator as programs see it: getrandom(2), /dev/random, /dev/urandom and
 * /proc/sys/kernel/random. Only a machine without RDRAND and with a constant clock ever waits. */

#include "random_priv.h"

#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/printk.h>
#include <weft/random.h>
#include <weft/sched.h>
#include <weft/seqfile.h>
#include <weft/string.h>
#include <weft/time.h>

#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define GRND_INSECURE 4
#define MAX_REQUEST 0x7ffff000u

#define RNDGETENTCNT 0x80045200
#define RNDADDTOENTCNT 0x40045201
#define RNDADDENTROPY 0x40085203
#define RNDZAPENTCNT 0x5204
#define RNDCLEARPOOL 0x5206
#define RNDRESEEDCRNG 0x5207

#define MEM_MAJOR 1
#define RANDOM_MINOR 8
#define URANDOM_MINOR 9

static int wait_until_ready(void)
{
	while (!random_ready()) {
		random_collect_jitter();
		if (random_ready())
			break;
		if (sleep_ns_interruptible(NSEC_PER_MSEC) || signal_pending())
			return -ERESTARTSYS;
	}
	return 0;
}

static long fill(struct iov_iter *to)
{
	u8 chunk[256];
	long total = 0;

	while (to->count) {
		size_t n = min(to->count, sizeof(chunk));
		long got;

		random_bytes(chunk, n);
		got = iter_copy_to(chunk, n, to);
		if (got < 0)
			return total ? total : got;
		total += got;
		if ((size_t)got < n)
			break;
		if (total % PAGE_SIZE == 0 && signal_pending())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return total;
}

SYSCALL(318, getrandom)
{
	struct iovec iov = { (void *)a, min(b, (u64)MAX_REQUEST) };
	struct iov_iter it;

	if (c & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((c & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!(c & GRND_INSECURE) && !random_ready()) {
		int err = c & GRND_NONBLOCK ? -EAGAIN : wait_until_ready();

		if (err)
			return err;
	}
	iter_init(&it, &iov, 1, false);
	return fill(&it);
}

static long random_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	if (!random_ready()) {
		int err = f->flags & O_NONBLOCK ? -EAGAIN : wait_until_ready();

		if (err)
			return err;
	}
	return fill(to);
}

static long urandom_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	return fill(to);
}

static long random_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	u8 chunk[256];
	long total = 0;

	while (from->count) {
		long n = iter_copy_from(chunk, min(from->count, sizeof(chunk)), from);

		if (n <= 0)
			return total ? total : n;
		random_add(chunk, n, 0);
		total += n;
		if (signal_pending())
			break;
	}
	return total;
}

/* struct rand_pool_info: entropy_count, buf_size, bytes. */
static long add_entropy(unsigned long arg)
{
	int head[2];
	struct iovec iov;
	struct iov_iter it;
	long n;

	if (copy_from_user(head, (const void __user *)arg, sizeof(head)))
		return -EFAULT;
	if (head[0] < 0 || head[1] < 0)
		return -EINVAL;
	iov = (struct iovec){ (void *)(arg + sizeof(head)), head[1] };
	iter_init(&it, &iov, 1, false);
	n = random_write(NULL, &it, NULL);
	if (n < 0)
		return n;
	if (n != head[1])
		return -EINVAL;
	random_add(head, sizeof(head), head[0]);
	return 0;
}

static long random_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	int bits = random_entropy_bits();

	switch (cmd) {
	case RNDGETENTCNT:
		return copy_to_user((void __user *)arg, &bits, sizeof(bits));
	case RNDADDTOENTCNT:
		if (require_root())
			return -EPERM;
		if (copy_from_user(&bits, (const void __user *)arg, sizeof(bits)))
			return -EFAULT;
		if (bits < 0)
			return -EINVAL;
		random_add(&bits, sizeof(bits), bits);
		return 0;
	case RNDADDENTROPY:
		return require_root() ? -EPERM : add_entropy(arg);
	case RNDZAPENTCNT:
	case RNDCLEARPOOL: /* what went in cannot be taken out: accepted, as on Linux */
		return require_root() ? -EPERM : 0;
	case RNDRESEEDCRNG:
		if (require_root())
			return -EPERM;
		random_reseed();
		return 0;
	}
	return -ENOTTY;
}

static u32 random_poll(struct file *f, struct poll_table *pt)
{
	return POLLOUT | POLLWRNORM | (random_ready() ? POLLIN | POLLRDNORM : 0);
}

static const struct file_ops random_fops = {
	.read = random_read,
	.write = random_write,
	.poll = random_poll,
	.ioctl = random_ioctl,
};

static const struct file_ops urandom_fops = {
	.read = urandom_read,
	.write = random_write,
	.ioctl = random_ioctl,
};

static struct chrdev random_dev = {
	.major = MEM_MAJOR,
	.minor = RANDOM_MINOR,
	.nr_minors = 1,
	.name = "random",
	.mode = 0666,
	.fops = &random_fops,
};

static struct chrdev urandom_dev = {
	.major = MEM_MAJOR,
	.minor = URANDOM_MINOR,
	.nr_minors = 1,
	.name = "urandom",
	.mode = 0666,
	.fops = &urandom_fops,
};

/* ---- /proc/sys/kernel/random ---- */

static u8 boot_id[16];

/* RFC 9562 5.4: version 4, variant 10. */
static void make_uuid(u8 id[16])
{
	random_bytes(id, 16);
	id[6] = (id[6] & 0x0f) | 0x40;
	id[8] = (id[8] & 0x3f) | 0x80;
}

static int show_uuid(struct seq *s)
{
	u8 id[16];

	if (s->arg)
		memcpy(id, s->arg, sizeof(id));
	else
		make_uuid(id);
	for (u32 i = 0; i < sizeof(id); i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
	seq_puts(s, "\n");
	return 0;
}

static int show_entropy(struct seq *s)
{
	seq_printf(s, "%u\n", random_entropy_bits());
	return 0;
}

static int show_poolsize(struct seq *s)
{
	seq_printf(s, "%u\n", RANDOM_POOL_BITS);
	return 0;
}

static struct procfile files[] = {
	{ .path = "sys/kernel/random/uuid", .mode = 0444, .show = show_uuid },
	{ .path = "sys/kernel/random/boot_id", .mode = 0444, .show = show_uuid, .arg = boot_id },
	{ .path = "sys/kernel/random/entropy_avail", .mode = 0444, .show = show_entropy },
	{ .path = "sys/kernel/random/poolsize", .mode = 0444, .show = show_poolsize },
};

void randomdev_init(void)
{
	int err = chrdev_register(&random_dev);

	make_uuid(boot_id);
	if (!err)
		err = chrdev_register(&urandom_dev);
	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		pr_err("random: device files: error %d\n", err);
}
