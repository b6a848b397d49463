/* SPDX-License-Identifier: MIT */
/* fake_module_env.c - see fake_module_env.h. Module memory is mapped near this program's own code,
 * so that relocations reach, and really becomes executable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <core/net.h>
#include <core/proc.h>
#include <core/vfs.h>
#include <core/vm.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/seqfile.h>
#include <weft/work.h>

#include "fake_module_env.h"

u32 fake_cpu, fake_preempt_count;
struct thread *fake_thread;
struct boot_info boot_info;
u32 nr_cpus = 1;
int env_fail_at;
const char *env_modules_symbols;
void (*env_on_event)(int n);

static char log_text[1 << 16];
static size_t log_len;
static int blocks, files;
static u64 clock_ns = 1000;

void (*env_shrink)(void);

/* ---- kernel tables that the linker makes ---- */

const u32 kallsyms_count;
const u32 kallsyms_offsets[1], kallsyms_names[1];
const char kallsyms_strings[1];
const struct builtin_module initcalls_start[1];
const struct kparam param_start[1];
__asm__(".globl initcalls_end, param_end\n.set initcalls_end, initcalls_start\n"
	".set param_end, param_start\n");

#define ENV_SYMS 16
struct ksym ksymtab_start[ENV_SYMS + 1];
static u32 nr_syms;
__asm__(".globl ksymtab_end\n.set ksymtab_end, ksymtab_start + 16 * 16\n");

void env_export(const char *name, const void *addr)
{
	u32 i;

	for (i = 0; i < ENV_SYMS && !ksymtab_start[i].name; i++)
		;
	if (!nr_syms) {
		for (i = 0; i < ENV_SYMS; i++)
			ksymtab_start[i].name = "(none)";
	}
	ksymtab_start[nr_syms++] = (struct ksym){ addr, name };
}

void env_event(int n)
{
	if (env_on_event)
		env_on_event(n);
}

/* ---- log ---- */

const char *env_log(void)
{
	return log_text;
}

void env_log_clear(void)
{
	log_len = 0;
	log_text[0] = '\0';
}

int vprintk(const char *fmt, va_list ap)
{
	size_t room = sizeof(log_text) - log_len;
	int n;

	if (room < 1024)
		env_log_clear();
	n = vsnprintf(log_text + log_len, sizeof(log_text) - log_len, fmt, ap);
	log_len += n;
	return n;
}

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}

bool printk_ratelimit(struct ratelimit *rl, const char *func)
{
	return true;
}

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

void warn_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

void bug_at(const char *file, int line, const char *what)
{
	warn_at(file, line, what);
	abort();
}

void __weak taint_add(u32 bits)
{
}

/* ---- memory ---- */

static bool fails(void)
{
	if (!env_fail_at)
		return false;
	if (env_fail_at > 1) {
		env_fail_at--;
		return false;
	}
	return true;
}

int env_blocks(void)
{
	return blocks;
}

void *kmalloc(size_t n)
{
	void *p = fails() ? NULL : malloc(n);

	blocks += p != NULL;
	return p;
}

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	return p ? memset(p, 0, n) : NULL;
}

void *kcalloc(size_t n, size_t size)
{
	return kzalloc(n * size);
}

void kfree(const void *p)
{
	blocks -= p != NULL;
	free((void *)p);
}

size_t ksize(const void *p)
{
	return 64;
}

void *pages_alloc(u32 order)
{
	return kmalloc(PAGE_SIZE << order);
}

void pages_free(void *p, u32 order)
{
	kfree(p);
}

void shrinker_add(void (*shrink)(void))
{
	env_shrink = shrink;
}

char *kstrdup(const char *s)
{
	char *p = kmalloc(strlen(s) + 1);

	return p ? strcpy(p, s) : NULL;
}

/* What module_alloc gave, for vfree to tell it from vmalloc. */
static struct {
	void *p;
	size_t n;
} areas[64];

void *vmalloc(size_t n)
{
	return kmalloc(n);
}

void *module_alloc(size_t n)
{
	size_t whole = ALIGN_UP(n, PAGE_SIZE);
	u8 *near = (u8 *)ALIGN_DOWN((u64)&module_alloc, 1ull << 24) + (64 << 20);
	u32 i;

	if (fails())
		return NULL;
	for (i = 0; i < ARRAY_SIZE(areas) && areas[i].p; i++)
		;
	if (i == ARRAY_SIZE(areas))
		return NULL;
	/* a place of its own for each: a hint that is taken would end far away */
	areas[i].p = mmap(near + ((u64)i << 23), whole, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (areas[i].p == MAP_FAILED)
		abort();
	areas[i].n = whole;
	blocks++;
	return areas[i].p;
}

void vfree(const void *p)
{
	u32 i;

	for (i = 0; p && i < ARRAY_SIZE(areas); i++) {
		if (areas[i].p == p) {
			munmap(areas[i].p, areas[i].n);
			areas[i].p = NULL;
			blocks--;
			return;
		}
	}
	kfree(p);
}

int arch_kprotect(u64 va, size_t bytes, u32 flags)
{
	int prot = PROT_READ | (flags & PTE_WRITE ? PROT_WRITE : 0) |
		   (flags & PTE_EXEC ? PROT_EXEC : 0);

	if (fails())
		return -ENOMEM;
	return mprotect((void *)va, bytes, prot) ? -EINVAL : 0;
}

struct kmem_cache {
	size_t size;
};

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = malloc(sizeof(*c));

	c->size = size;
	return c;
}

void *kmem_cache_alloc(struct kmem_cache *c)
{
	return kmalloc(c->size);
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	kfree(p);
}

void mem_stats_get(struct mem_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->total_pages = 16384;
}

/* ---- strings that libc has not ---- */

long strscpy(char *d, const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n < size) {
		memcpy(d, s, n + 1);
		return n;
	}
	if (size) {
		memcpy(d, s, size - 1);
		d[size - 1] = '\0';
	}
	return -E2BIG;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return size ? min(n, (int)size - 1) : 0;
}

int kstrtoll(const char *s, unsigned int base, long long *out)
{
	char *end;

	*out = strtoll(s, &end, base);
	return !*s || *end ? -EINVAL : 0;
}

/* ---- locks, threads, time ---- */

void spin_lock_slow(struct spinlock *l)
{
	abort(); /* one thread: nobody will ever unlock it */
}

void preempt_check(void)
{
}

void mutex_init(struct mutex *m)
{
	memset(m, 0, sizeof(*m));
}

void mutex_lock(struct mutex *m)
{
	if (m->locked++)
		abort();
}

bool mutex_trylock(struct mutex *m)
{
	return !xchg(&m->locked, 1);
}

void mutex_unlock(struct mutex *m)
{
	m->locked--;
}

void wait_queue_init(struct wait_queue *q)
{
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

void (*env_meanwhile)(void);

/* Time passes; nobody is there to wake us but env_meanwhile. */
int sleep_wait(struct sleeper *s, u64 deadline_ns, bool interruptible)
{
	if (env_meanwhile) {
		env_meanwhile();
		return 0;
	}
	if (deadline_ns)
		clock_ns = max(clock_ns, deadline_ns);
	else
		abort();
	return -ETIMEDOUT;
}

void sleep_finish(struct wait_queue *q, struct sleeper *s)
{
}

u64 ktime_get(void)
{
	return clock_ns;
}

u64 ktime_get_real(void)
{
	return clock_ns + 1000 * NSEC_PER_SEC;
}

void sleep_ns(u64 ns)
{
	clock_ns += ns;
}

/* A grace period passes where somebody waits for it. */
static struct rcu_head *rcu_waiting;

void call_rcu(struct rcu_head *h, void (*fn)(struct rcu_head *h))
{
	h->fn = fn;
	h->next = rcu_waiting;
	rcu_waiting = h;
}

u64 sleep_ns_interruptible(u64 ns)
{
	sleep_ns(ns);
	return 0;
}

void synchronize_rcu(void)
{
	while (rcu_waiting) {
		struct rcu_head *h = rcu_waiting;

		rcu_waiting = h->next;
		h->fn(h);
	}
}

/* Test modules have neither timers nor works. */
u32 timers_sweep(u64 start, u64 end)
{
	return 0;
}

u32 works_sweep(u64 start, u64 end)
{
	return 0;
}

void rcu_barrier(void)
{
	synchronize_rcu();
}

struct thread *kthread_run(int (*fn)(void *arg), void *arg, const char *fmt, ...)
{
	if (fails())
		return ERR_PTR(-ENOMEM);
	fn(arg);
	return (struct thread *)&fake_thread;
}

int kthread_stop(struct thread *t)
{
	return 0;
}

int require_root(void)
{
	return 0;
}

int current_pid(void)
{
	return 41;
}

u32 current_uid(void)
{
	return 0;
}

bool signal_pending(void)
{
	return false;
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return 0;
}

void signal_send_owner(int owner, int sig)
{
}

/* ---- files ---- */

static int add_file(struct procfile *f)
{
	if (fails())
		return -ENOMEM;
	f->node = f;
	files++;
	return 0;
}

static void remove_file(struct procfile *f)
{
	files -= f->node == f;
	f->node = NULL;
}

int procfile_add_owner(struct procfile *f, struct module *owner)
{
	return add_file(f);
}

void procfile_remove(struct procfile *f)
{
	remove_file(f);
}

int sysfile_add_owner(struct procfile *f, struct module *owner)
{
	return add_file(f);
}

void sysfile_remove(struct procfile *f)
{
	remove_file(f);
}

int sysctl_add_owner(struct sysctl *s, struct module *owner)
{
	return 0;
}

int sysfs_link(const char *path, const char *target)
{
	return 0;
}

int sysfs_mkdir(const char *path)
{
	return fails() ? -ENOMEM : 0;
}

void sysfs_remove(const char *path)
{
}

static struct file symbols_file;

struct file *vfs_open(const char *path, u32 flags, u32 mode)
{
	return env_modules_symbols ? &symbols_file : ERR_PTR(-ENOENT);
}

long vfs_read_at(struct file *f, void *buf, size_t n, u64 pos)
{
	size_t len = strlen(env_modules_symbols);

	n = pos < len ? min(n, (size_t)(len - pos)) : 0;
	memcpy(buf, env_modules_symbols + pos, n);
	return n;
}

void file_put(struct file *f)
{
}

/* ---- seq: prints into the log ---- */

int seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	return 0;
}

void seq_puts(struct seq *s, const char *str)
{
	seq_printf(s, "%s", str);
}

/* ---- user memory is kernel memory ---- */

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
