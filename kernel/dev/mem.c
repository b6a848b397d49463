/* SPDX-License-Identifier: MIT */
/* mem.c - the devices without hardware: null, zero and full; and the start of all of kernel/dev's
 * device files. */

#include "random_priv.h"

#include <core/console.h>
#include <core/tty.h>
#include <core/vfs.h>
#include <core/vm.h>
#include <weft/printk.h>
#include <weft/sched.h>

#define MEM_MAJOR 1
#define NULL_MINOR 3
#define ZERO_MINOR 5
#define FULL_MINOR 7

static const u8 zeros[PAGE_SIZE];

static long null_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	return 0;
}

static long null_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	size_t n = from->count;

	iter_advance(from, n);
	return n;
}

/* Position is kept by no one: every place is the start (programs seek on /dev/null). */
static s64 null_seek(struct file *f, s64 off, int whence)
{
	f->pos = 0;
	return 0;
}

static long zero_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	long total = 0;

	while (to->count) {
		size_t n = min(to->count, sizeof(zeros));
		long got = iter_copy_to(zeros, n, to);

		if (got < 0)
			return total ? total : got;
		total += got;
		if ((size_t)got < n || signal_pending())
			break;
	}
	return total;
}

static struct page *zero_fault(struct vma *vma, u64 off, bool write)
{
	struct page *p = page_alloc_user(true);

	return p ? p : ERR_PTR(-ENOMEM);
}

static const struct vma_ops zero_vma_ops = { .fault = zero_fault };

/* A private mapping is anonymous memory by another name. A shared one would need an object behind
 * it that the sharers have in common; MAP_SHARED | MAP_ANONYMOUS is the way to that. */
static int zero_mmap(struct file *f, struct vma *vma)
{
	if (vma->flags & VM_SHARED)
		return -ENODEV;
	vma->ops = &zero_vma_ops;
	return 0;
}

static long full_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	return -ENOSPC;
}

static const struct file_ops null_fops = {
	.read = null_read,
	.write = null_write,
	.seek = null_seek,
};

static const struct file_ops zero_fops = {
	.read = zero_read,
	.write = null_write,
	.seek = null_seek,
	.mmap = zero_mmap,
};

static const struct file_ops full_fops = {
	.read = zero_read,
	.write = full_write,
	.seek = null_seek,
};

static struct chrdev devices[] = {
	{ .major = MEM_MAJOR,
	  .minor = NULL_MINOR,
	  .nr_minors = 1,
	  .name = "null",
	  .mode = 0666,
	  .fops = &null_fops },
	{ .major = MEM_MAJOR,
	  .minor = ZERO_MINOR,
	  .nr_minors = 1,
	  .name = "zero",
	  .mode = 0666,
	  .fops = &zero_fops },
	{ .major = MEM_MAJOR,
	  .minor = FULL_MINOR,
	  .nr_minors = 1,
	  .name = "full",
	  .mode = 0666,
	  .fops = &full_fops },
};

void dev_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(devices); i++) {
		int err = chrdev_register(&devices[i]);

		if (err)
			pr_err("%s: error %d\n", devices[i].name, err);
	}
	randomdev_init();
	kmsg_init();
}
