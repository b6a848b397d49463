/* SPDX-License-Identifier: MIT */
/* calls.c - init_module, finit_module and delete_module of Linux, and the way back up: asking user
 * space's modprobe for a module. */
#define LOG_NAME "module: "
#include <core/proc.h>
#include <core/syscall.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#include "internal.h"

#define ARGS_MAX 4096
#define FINIT_FLAGS 3u /* MODULE_INIT_IGNORE_MODVERSIONS, _VERMAGIC: taken, checked anyway */
#define MODPROBE_TIMEOUT (10 * NSEC_PER_SEC)
#define REFUSED_NS (250 * NSEC_PER_MSEC) /* modprobe is not asked again for what it has not */
#define REFUSED_NAMES 8
#define MODPROBES_MAX 16 /* at once: a module that asks for itself must not go on for ever */

/* Loads what is in data (vmalloc memory, freed here) with the user's parameter string. */
static long load_and_free(void *data, size_t len, u64 uargs)
{
	char *args = kmalloc(ARGS_MAX);
	long err = -ENOMEM;

	if (args) {
		err = arch_strncpy_from_user(args, (const void __user *)uargs, ARGS_MAX);
		if (err == ARGS_MAX)
			err = -E2BIG;
		if (err >= 0)
			err = module_load(data, len, args);
	}
	kfree(args);
	vfree(data);
	return err;
}

SYSCALL(175, init_module)
{
	void *data;

	if (require_root())
		return -EPERM;
	if (b < sizeof(struct elf64_ehdr))
		return -ENOEXEC;
	if (b > MODULE_SIZE_MAX)
		return -E2BIG;
	data = vmalloc(b);
	if (!data)
		return -ENOMEM;
	if (copy_from_user(data, (const void __user *)a, b)) {
		vfree(data);
		return -EFAULT;
	}
	return load_and_free(data, b, c);
}

static long read_whole(struct file *f, void *data, size_t size)
{
	size_t have = 0;
	long n;

	while (have < size) {
		n = vfs_read_at(f, (u8 *)data + have, size - have, have);
		if (n < 0)
			return n;
		if (!n)
			break;
		have += n;
	}
	return have;
}

static long load_file(struct file *f, u64 uargs)
{
	void *data;
	u64 size;
	long n;

	if ((f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EINVAL;
	size = READ_ONCE(f->inode->size);
	if (size < sizeof(struct elf64_ehdr))
		return -ENOEXEC;
	if (size > MODULE_SIZE_MAX)
		return -E2BIG;
	data = vmalloc(size);
	if (!data)
		return -ENOMEM;
	n = read_whole(f, data, size);
	if (n < 0) {
		vfree(data);
		return n;
	}
	return load_and_free(data, n, uargs);
}

SYSCALL(313, finit_module)
{
	struct file *file;
	long err;

	if (require_root())
		return -EPERM;
	if ((u32)c & ~FINIT_FLAGS)
		return -EINVAL;
	file = fd_get((int)a);
	if (!file)
		return -EBADF;
	err = load_file(file, b);
	file_put(file);
	return err;
}

SYSCALL(176, delete_module)
{
	char name[MODULE_NAME_MAX];
	long n;

	if (require_root())
		return -EPERM;
	n = arch_strncpy_from_user(name, (const char __user *)a, sizeof(name));
	if (n < 0)
		return n;
	if (n == sizeof(name))
		return -ENOENT;
	return module_unload(name, b & O_TRUNC);
}

/* What modprobe did not find a moment ago: a program may ask for it in a loop, and each time costs
 * a process. */
static struct refused {
	char name[MODULE_NAME_MAX + 16];
	u64 until;
} refused[REFUSED_NAMES];
static struct spinlock refused_lock = SPINLOCK_INIT;

static bool just_refused(const char *name)
{
	u64 now = ktime_get();
	bool yes = false;

	spin_lock(&refused_lock);
	for (u32 i = 0; i < REFUSED_NAMES; i++)
		yes |= now < refused[i].until && !strcmp(refused[i].name, name);
	spin_unlock(&refused_lock);
	return yes;
}

static void note_refused(const char *name)
{
	static u32 next; /* guarded by refused_lock */
	struct refused *r;

	spin_lock(&refused_lock);
	r = &refused[next++ % REFUSED_NAMES];
	strscpy(r->name, name, sizeof(r->name));
	r->until = ktime_get() + REFUSED_NS;
	spin_unlock(&refused_lock);
}

int request_module(const char *fmt, ...)
{
	static struct atomic running;
	char name[MODULE_NAME_MAX + 16];
	char *argv[] = { "modprobe", "-q", name, NULL };
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (ret >= (int)sizeof(name))
		return -ENAMETOOLONG;
	if (just_refused(name))
		return -ENOENT;
	if (atomic_inc(&running) > MODPROBES_MAX) {
		pr_warn_ratelimited("too many modprobe at once, %s is not loaded\n", name);
		ret = -EBUSY;
	} else {
		ret = usermode_run("/sbin/modprobe", argv, MODPROBE_TIMEOUT);
		if (!ret)
			module_wait_for_others(ktime_get() + OTHER_LOAD_WAIT);
	}
	atomic_dec(&running);
	if (ret > 0)
		note_refused(name);
	return ret > 0 ? -ENOENT : ret;
}
EXPORT(request_module);
