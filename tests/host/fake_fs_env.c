/* SPDX-License-Identifier: MIT */
/* fake_fs_env.c - what fake_fs_env.h says. The system call table is read from the section headers
 * of the running program: the kernel's linker script is not there to give it names. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <core/syscall.h>
#include <core/vm.h>
#include <weft/ledger.h>
#include <weft/printk.h>

#include "fake_fs_env.h"
#include "tests/host/fs/model.h"

__thread struct thread *fake_thread;
__thread u32 fake_preempt_count;
struct proc *fake_proc;
u32 fake_fail_every, fake_signals;
bool fake_signal_pending;
long fake_blocks, fake_pages;
struct boot_info boot_info;
u32 nr_cpus = 1;

/* ---- memory ---- */

static bool fail_now(void)
{
	static u32 count;

	return fake_fail_every &&
	       __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) % fake_fail_every == 0;
}

void *kmalloc(size_t n)
{
	void *p = fail_now() ? NULL : malloc(n ? n : 1);

	if (p)
		__atomic_add_fetch(&fake_blocks, 1, __ATOMIC_RELAXED);
	return p;
}

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	if (p)
		memset(p, 0, n);
	return p;
}

void *kcalloc(size_t n, size_t size)
{
	return kzalloc(n * size);
}

void *krealloc(void *p, size_t n)
{
	if (!p)
		return kmalloc(n);
	return fail_now() ? NULL : realloc(p, n);
}

void kfree(const void *p)
{
	if (p)
		__atomic_sub_fetch(&fake_blocks, 1, __ATOMIC_RELAXED);
	free((void *)p);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void *vmalloc(size_t n)
{
	return kmalloc(n);
}

void vfree(const void *p)
{
	kfree(p);
}

void *pages_alloc(u32 order)
{
	return kmalloc(PAGE_SIZE << order);
}

void pages_free(void *p, u32 order)
{
	(void)order;
	kfree(p);
}

void mem_stats_get(struct mem_stats *s)
{
	*s = (struct mem_stats){ .total_pages = 16384 };
}

/* ---- pages of files ---- */

struct fake_page {
	struct page page;
	u8 *data;
	bool image;
};

static struct fake_page *image_pages;
static u8 *image_start;
static size_t image_size;

void *fake_image(size_t n)
{
	size_t i, nr = DIV_ROUND_UP(n, PAGE_SIZE);

	free(image_start);
	free(image_pages);
	image_start = aligned_alloc(PAGE_SIZE, nr * PAGE_SIZE);
	image_pages = calloc(nr, sizeof(*image_pages));
	if (!image_start || !image_pages)
		abort();
	image_size = nr * PAGE_SIZE;
	for (i = 0; i < nr; i++) {
		image_pages[i].data = image_start + i * PAGE_SIZE;
		image_pages[i].image = true;
		refcount_set(&image_pages[i].page.refs, 1);
	}
	return image_start;
}

u32 fake_image_adopted(void)
{
	u32 n = 0;
	size_t i;

	for (i = 0; i < image_size / PAGE_SIZE; i++)
		n += refcount_read(&image_pages[i].page.refs) > 1;
	return n;
}

void image_pages_release(phys_addr_t start, phys_addr_t end)
{
	(void)start;
	(void)end;
}

phys_addr_t virt_to_phys(const void *p)
{
	return (u64)p - DIRECT_MAP_BASE;
}

phys_addr_t page_to_pa(const struct page *p)
{
	return virt_to_phys(((const struct fake_page *)p)->data);
}

struct page *pa_to_page(phys_addr_t pa)
{
	u8 *p = phys_to_virt(pa);

	if (!image_start || p < image_start || p >= image_start + image_size)
		return NULL;
	return &image_pages[(size_t)(p - image_start) / PAGE_SIZE].page;
}

struct page *page_alloc_user(bool zero)
{
	struct fake_page *p = fail_now() ? NULL : calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->data = malloc(PAGE_SIZE);
	memset(p->data, zero ? 0 : 0x5a, PAGE_SIZE);
	refcount_set(&p->page.refs, 1);
	__atomic_add_fetch(&fake_pages, 1, __ATOMIC_RELAXED);
	return &p->page;
}

void page_get(struct page *p)
{
	refcount_inc(&p->refs);
}

void page_put(struct page *p)
{
	struct fake_page *f = (struct fake_page *)p;

	if (!refcount_dec_and_test(&p->refs))
		return;
	if (f->image)
		abort();
	__atomic_sub_fetch(&fake_pages, 1, __ATOMIC_RELAXED);
	free(f->data);
	free(f);
}

void page_count_file(s64 n)
{
	(void)n;
}

/* ---- user memory: the test's own; addresses below one page fault ---- */

size_t arch_copy_from_user(void *dst, const void __user *src, size_t n)
{
	if ((u64)src < PAGE_SIZE)
		return n;
	memcpy(dst, src, n);
	return 0;
}

size_t arch_copy_to_user(void __user *dst, const void *src, size_t n)
{
	if ((u64)dst < PAGE_SIZE)
		return n;
	memcpy(dst, src, n);
	return 0;
}

long arch_strncpy_from_user(char *dst, const char __user *src, size_t max)
{
	size_t n;

	if ((u64)src < PAGE_SIZE)
		return -EFAULT;
	n = strnlen(src, max);
	memcpy(dst, src, n == max ? max : n + 1);
	return (long)n;
}

/* ---- time, signals, log ---- */

u64 ktime_get(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

u64 ktime_get_real(void)
{
	return 1700000000ull * 1000000000ull + ktime_get();
}

bool signal_pending(void)
{
	return READ_ONCE(fake_signal_pending);
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	(void)t;
	(void)info;
	fake_signals |= BIT(sig);
	return 0;
}

void sigmask_swap(u64 newmask)
{
	(void)newmask;
}

int printk(const char *fmt, ...)
{
	(void)fmt;
	return 0;
}

bool printk_ratelimit(struct ratelimit *rl, const char *func)
{
	(void)rl;
	(void)func;
	return true;
}

void ledger_add(struct ledger_entry *e, struct module *owner, const char *kind, const char *name,
		void (*undo)(struct ledger_entry *e))
{
	(void)owner;
	(void)kind;
	(void)name;
	e->undo = undo;
}

void ledger_remove(struct ledger_entry *e)
{
	(void)e;
}

/* ---- locks and sleeping ---- */

void preempt_check(void)
{
}

void spin_lock_slow(struct spinlock *l)
{
	while (xchg(&l->locked, 1))
		sched_yield();
}

void mutex_init(struct mutex *m)
{
	*m = (struct mutex)MUTEX_INIT(*m);
}

void mutex_lock(struct mutex *m)
{
	if (fake_preempt_count ||
	    (READ_ONCE(m->locked) && READ_ONCE(m->owner) == fake_thread && fake_thread))
		abort(); /* sleeping with a spin lock held, or a deadlock with oneself */
	while (xchg(&m->locked, 1))
		sched_yield();
	WRITE_ONCE(m->owner, fake_thread);
}

void mutex_unlock(struct mutex *m)
{
	if (!m->locked)
		abort();
	WRITE_ONCE(m->owner, NULL);
	smp_store_release(&m->locked, 0);
}

void wait_queue_init(struct wait_queue *q)
{
	*q = (struct wait_queue)WAIT_QUEUE_INIT(*q);
}

void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	spin_lock(&q->lock);
	list_add_tail(&e->node, &q->entries);
	spin_unlock(&q->lock);
}

void wait_del(struct wait_queue *q, struct wait_entry *e)
{
	spin_lock(&q->lock);
	list_del(&e->node);
	spin_unlock(&q->lock);
}

bool wake_up_key(struct wait_queue *q, u32 key)
{
	struct wait_entry *e, *tmp;
	bool enough = false;

	spin_lock(&q->lock);
	list_for_each_entry_safe(e, tmp, &q->entries, node) {
		enough = e->wake(e, key) && e->exclusive;
		if (enough)
			break;
	}
	spin_unlock(&q->lock);
	return enough;
}

void wake_up_all(struct wait_queue *q)
{
	wake_up_key(q, 0);
}

static bool wake_sleeper(struct wait_entry *e, u32 key)
{
	struct sleeper *s = container_of(e, struct sleeper, entry);

	(void)key;
	WRITE_ONCE(s->thread, NULL);
	return true;
}

void sleep_prepare(struct wait_queue *q, struct sleeper *s, bool interruptible, bool exclusive)
{
	(void)interruptible;
	s->entry = (struct wait_entry){ .wake = wake_sleeper, .exclusive = exclusive };
	s->thread = (struct thread *)1;
	wait_add(q, &s->entry);
}

int sleep_wait(struct sleeper *s, u64 deadline_ns, bool interruptible)
{
	while (READ_ONCE(s->thread)) {
		if (interruptible && signal_pending())
			return -ERESTARTSYS;
		if (deadline_ns && ktime_get() >= deadline_ns)
			return -ETIMEDOUT;
		usleep(50);
	}
	return 0;
}

void sleep_finish(struct wait_queue *q, struct sleeper *s)
{
	wait_del(q, &s->entry);
}

/* ---- processes ---- */

int current_pid(void)
{
	return fake_thread ? fake_proc->pid : 0;
}

int require_root(void)
{
	return !fake_thread || fake_proc->cred.euid == 0 ? 0 : -EPERM;
}

struct proc *proc_find_get(int pid)
{
	return fake_proc && pid == fake_proc->pid ? fake_proc : NULL;
}

struct proc *proc_next_get(int after)
{
	return fake_proc && after < fake_proc->pid ? fake_proc : NULL;
}

void proc_put(struct proc *p)
{
	(void)p;
}

struct thread *thread_find_get(int tid)
{
	return fake_thread && tid == fake_thread->tid ? fake_thread : NULL;
}

struct thread *proc_thread_next(struct proc *p, int after)
{
	(void)p;
	return fake_thread && after < fake_thread->tid ? fake_thread : NULL;
}

void thread_put(struct thread *t)
{
	(void)t;
}

struct proc_mm *proc_mm_get(struct proc *p)
{
	(void)p;
	return NULL;
}

void mm_put(struct proc_mm *mm)
{
	(void)mm;
}

long mm_access(struct proc_mm *mm, u64 addr, void *buf, size_t n, bool write)
{
	(void)mm;
	(void)addr;
	(void)buf;
	(void)n;
	(void)write;
	return 0;
}

struct fd_table *proc_files_get(struct proc *p)
{
	return fd_table_get(p->files);
}

struct fs_context *proc_fs_get(struct proc *p)
{
	return fs_context_get(p->fs);
}

void proc_info_get(struct proc *p, struct proc_info *info)
{
	*info = (struct proc_info){
		.pid = p->pid, .state = 'R', .comm = "test", .nr_threads = 1, .cred = p->cred
	};
}

void thread_info_get(struct proc *p, struct thread *t, struct proc_info *info)
{
	(void)t;
	proc_info_get(p, info);
}

u64 proc_forks(void)
{
	return 1;
}

int proc_last_pid(void)
{
	return fake_proc->pid;
}

u32 thread_count(void)
{
	return 1;
}

u32 sched_runnable(void)
{
	return 1;
}

u64 sched_switches(void)
{
	return 1;
}

void sched_cpu_times(u32 cpu, u64 *user, u64 *sys, u64 *idle)
{
	(void)cpu;
	*user = *sys = *idle = 0;
}

void loadavg_get(u64 avg[3])
{
	avg[0] = avg[1] = avg[2] = 0;
}

struct thread *fake_joined[64]; /* for the leak check: they are not lost */

void fake_join(void)
{
	static u32 nr;

	fake_thread = calloc(1, sizeof(*fake_thread));
	fake_thread->proc = fake_proc;
	fake_thread->tid = fake_proc->pid;
	fake_joined[__atomic_fetch_add(&nr, 1, __ATOMIC_RELAXED) % 64] = fake_thread;
}

void fake_boot(void)
{
	int i;

	if (vfs_init())
		abort();
	fake_proc = calloc(1, sizeof(*fake_proc));
	fake_proc->pid = 7;
	fake_proc->start_ns = 1;
	for (i = 0; i < NR_RLIMITS; i++)
		fake_proc->rlim[i] = (struct rlimit64){ ~0ull, ~0ull };
	fake_proc->rlim[7] = (struct rlimit64){ 1024, 4096 };
	fake_proc->files = fd_table_copy(NULL);
	fake_proc->fs = fs_context_copy(NULL);
	fake_join();
}

/* ---- the table of system calls ---- */

static const struct syscall_entry *calls[512];

static void read_table(void)
{
	size_t size;
	const struct syscall_entry *e = own_section(".weft_syscalls", &size), *end;

	for (end = e + size / sizeof(*e); e < end; e++) {
		if (calls[e->nr])
			abort(); /* two files claim a number */
		calls[e->nr] = e;
	}
}

long call(u32 nr, ...)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	u64 v[6];
	va_list ap;
	int i;

	pthread_once(&once, read_table);
	if (nr >= ARRAY_SIZE(calls) || !calls[nr])
		return -ENOSYS;
	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		v[i] = va_arg(ap, u64);
	va_end(ap);
	return calls[nr]->fn(v[0], v[1], v[2], v[3], v[4], v[5]);
}

/* Nothing is mapped here. */
void vm_file_cut(struct inode *ino, u64 size)
{
}

/* Timers never run out here. */
void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
	list_init(&t->node);
}

void timer_set(struct timer *t, u64 expires_ns)
{
	t->expires = expires_ns;
}

bool timer_cancel(struct timer *t)
{
	return false;
}

bool timer_cancel_sync(struct timer *t)
{
	return false;
}
