/* SPDX-License-Identifier: MIT */
/* tty_env.c - see tty_env.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tty_env.h"

#include <core/proc.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/mutex.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/uaccess.h>

struct cpu env_cpu;
struct boot_info boot_info;
u64 env_time_ns;
u32 env_waits;
int env_signals[16];
u32 env_nr_signals;
u32 env_blocks;
void (*env_on_sleep)(void);
static struct chrdev *devices[32];
static u32 nr_devices;

void preempt_check(void)
{
}

void spin_lock_slow(struct spinlock *l)
{
	abort(); /* one thread: it would wait for itself */
}

/* ---- time and sleep ---- */

u64 ktime_get(void)
{
	return env_time_ns;
}

u64 arch_cycles(void)
{
	return env_time_ns += 37;
}

bool signal_pending(void)
{
	return false;
}

u64 sleep_ns_interruptible(u64 ns)
{
	env_waits++;
	env_time_ns += ns;
	return 0;
}

void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock);
	list_init(&q->entries);
}

bool wake_up_key(struct wait_queue *q, u32 key)
{
	return false;
}

void wake_up_all(struct wait_queue *q)
{
}

void sleep_prepare(struct wait_queue *q, struct sleeper *s, bool interruptible, bool exclusive)
{
}

int sleep_wait(struct sleeper *s, u64 deadline_ns, bool interruptible)
{
	void (*fn)(void) = env_on_sleep;

	if (env_cpu.preempt_count || env_cpu.irqs_off)
		abort();
	env_waits++;
	env_on_sleep = NULL;
	if (fn) {
		fn();
		return 0;
	}
	if (!deadline_ns)
		return -ERESTARTSYS;
	env_time_ns = deadline_ns;
	return -ETIMEDOUT;
}

void sleep_finish(struct wait_queue *q, struct sleeper *s)
{
}

void mutex_init(struct mutex *m)
{
	m->locked = 0;
}

void mutex_lock(struct mutex *m)
{
	if (m->locked)
		abort();
	m->locked = 1;
}

int mutex_lock_interruptible(struct mutex *m)
{
	mutex_lock(m);
	return 0;
}

bool mutex_trylock(struct mutex *m)
{
	if (m->locked)
		return false;
	m->locked = 1;
	return true;
}

void mutex_unlock(struct mutex *m)
{
	m->locked = 0;
}

/* ---- memory and copies ---- */

void *kmalloc(size_t n)
{
	env_blocks++;
	return malloc(n);
}

void *kzalloc(size_t n)
{
	env_blocks++;
	return calloc(1, n);
}

void *kcalloc(size_t n, size_t size)
{
	env_blocks++;
	return calloc(n, size);
}

void kfree(const void *p)
{
	env_blocks -= p != NULL;
	free((void *)p);
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}

void iter_init(struct iov_iter *it, const struct iovec *iov, u32 nr, bool kernel)
{
	*it = (struct iov_iter){ iov, nr, 0, iov->len, kernel };
}

long iter_copy_from(void *dst, size_t n, struct iov_iter *it)
{
	n = n < it->count ? n : it->count;
	memcpy(dst, (char *)it->iov->base + it->offset, n);
	iter_advance(it, n);
	return n;
}

long iter_copy_to(const void *src, size_t n, struct iov_iter *it)
{
	n = n < it->count ? n : it->count;
	memcpy((char *)it->iov->base + it->offset, src, n);
	iter_advance(it, n);
	return n;
}

void iter_advance(struct iov_iter *it, size_t n)
{
	it->offset += n;
	it->count -= n;
}

/* ---- the rest of the core ---- */

int require_root(void)
{
	return 0;
}

int signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info)
{
	if (env_nr_signals < ARRAY_SIZE(env_signals))
		env_signals[env_nr_signals++] = sig;
	return 0;
}

int chrdev_register(struct chrdev *c)
{
	devices[nr_devices++ % ARRAY_SIZE(devices)] = c;
	return 0;
}

struct chrdev *env_chrdev(u32 major, u32 minor)
{
	for (u32 i = 0; i < nr_devices; i++) {
		if (devices[i]->major == major && minor - devices[i]->minor < devices[i]->nr_minors)
			return devices[i];
	}
	return NULL;
}

int devfs_add(const char *name, u32 mode, u64 rdev)
{
	return 0;
}

void devfs_remove(const char *name)
{
}

int procfile_add_owner(struct procfile *f, struct module *owner)
{
	return 0;
}

int seq_printf(struct seq *s, const char *fmt, ...)
{
	return 0;
}

void seq_puts(struct seq *s, const char *str)
{
}

struct file *vfs_open(const char *path, u32 flags, u32 mode)
{
	return ERR_PTR(-ENOENT);
}

int fd_install(struct file *f, u32 flags)
{
	return -EMFILE;
}

void file_put(struct file *f)
{
}
