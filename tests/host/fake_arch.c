/* SPDX-License-Identifier: MIT */
/* fake_arch.c - what fake_arch.h says, and stand-ins for the parts of the core that memory
 * management calls: locks that notice misuse, files that count references, a log that goes nowhere.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <core/proc.h>
#include <core/vfs.h>
#include <core/vm.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/work.h>

#include "fake_arch.h"

u32 fake_cpu, fake_preempt_count;
struct thread *fake_thread;
struct boot_info boot_info;
u32 nr_cpus = MAX_CPUS, nr_cpus_present = MAX_CPUS;
phys_addr_t kernel_pgd;
int fake_map_failures = -1;
u32 fake_shootdowns, fake_files_open;

/* ---- RAM ---- */

phys_addr_t virt_to_phys(const void *p)
{
	return (u64)p - DIRECT_MAP_BASE;
}

void fake_ram(u32 pages)
{
	u8 *arena = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	phys_addr_t pa = virt_to_phys(arena);
	u64 third = (pages / 3 | 1) * PAGE_SIZE;

	if (arena == MAP_FAILED)
		abort();
	/* What RAM holds at power-on is nobody's promise; this reads as free blocks of all orders,
	 * of zone 1, on no list. */
	for (u64 i = 0; i < pages * PAGE_SIZE / 8; i++)
		((u64 *)arena)[i] = 1ull << 32 | (i / 3 % 11) << 48 | 1ull << 56;
	boot_info.mem[0] = (struct mem_range){ pa + 3 * PAGE_SIZE, pa + third, true };
	boot_info.initrd_start = pa + third + 3 * PAGE_SIZE;
	boot_info.initrd_end = pa + third + 8 * PAGE_SIZE;
	boot_info.mem[1] = (struct mem_range){ pa + third + 8 * PAGE_SIZE,
					       pa + (pages - 7) * PAGE_SIZE, true };
	boot_info.nr_mem = 2;
}

/* ---- user page tables ---- */

struct fake_pgd {
	phys_addr_t pa[WINDOW_PAGES];
	u32 flags[WINDOW_PAGES];
};

static u64 slot_of(u64 va)
{
	if (va < WINDOW_START || va >= WINDOW_END || va & (PAGE_SIZE - 1))
		abort();
	return (va - WINDOW_START) / PAGE_SIZE;
}

phys_addr_t arch_pgd_alloc(void)
{
	return (phys_addr_t)calloc(1, sizeof(struct fake_pgd));
}

void arch_pgd_free(phys_addr_t pgd)
{
	struct fake_pgd *t = (struct fake_pgd *)pgd;

	for (u64 i = 0; i < WINDOW_PAGES; i++) {
		if (t->pa[i])
			abort();
	}
	free(t);
}

int arch_map(phys_addr_t pgd, u64 va, phys_addr_t pa, u32 flags)
{
	struct fake_pgd *t = (struct fake_pgd *)pgd;
	u64 i = slot_of(va);

	/* a table that was filled once is there */
	if (!t->flags[i] && fake_map_failures >= 0 && fake_map_failures-- == 0)
		return -ENOMEM;
	t->pa[i] = pa;
	t->flags[i] = flags | BIT(31);
	return 0;
}

phys_addr_t arch_lookup(phys_addr_t pgd, u64 va, u32 *flags)
{
	struct fake_pgd *t = (struct fake_pgd *)pgd;
	u64 i = slot_of(va);

	if (flags)
		*flags = t->flags[i] & ~BIT(31);
	return t->pa[i];
}

u32 arch_mapped(phys_addr_t pgd, u64 va, u32 n)
{
	u32 mapped = 0;

	if (va / PAGE_SIZE / 32 != (va / PAGE_SIZE + n - 1) / 32)
		abort();
	for (u32 i = 0; i < n; i++)
		mapped |= arch_lookup(pgd, va + i * PAGE_SIZE, NULL) ? BIT(i) : 0;
	return mapped;
}

u32 arch_map_missing(phys_addr_t pgd, u64 va, u32 n, const phys_addr_t *pa, u32 flags)
{
	u32 there = arch_mapped(pgd, va, n), mapped = 0;

	for (u32 i = 0; i < n; i++) {
		if (!pa[i] || there & BIT(i))
			continue;
		if (arch_map(pgd, va + i * PAGE_SIZE, pa[i], flags))
			break;
		mapped |= BIT(i);
	}
	return mapped;
}

void arch_walk(phys_addr_t pgd, u64 start, u64 end,
	       bool (*fn)(void *arg, u64 va, phys_addr_t *pa, u32 *flags), void *arg)
{
	struct fake_pgd *t = (struct fake_pgd *)pgd;

	for (u64 va = max(start, WINDOW_START); va < min(end, WINDOW_END); va += PAGE_SIZE) {
		u64 i = slot_of(va);
		phys_addr_t pa = t->pa[i];
		u32 flags = t->flags[i] & ~BIT(31);

		if (!pa || !fn(arg, va, &pa, &flags))
			continue;
		t->pa[i] = pa;
		t->flags[i] = flags | BIT(31);
	}
}

void arch_flush_local(u64 start, u64 end)
{
	(void)start;
	(void)end;
}

void arch_tlb_shootdown(struct proc_mm *mm, u64 start, u64 end)
{
	(void)mm;
	(void)start;
	(void)end;
	fake_shootdowns++;
}

void arch_switch_mm(phys_addr_t pgd)
{
	(void)pgd;
}

/* ---- locks ---- */

void spin_lock_slow(struct spinlock *l)
{
	(void)l;
	abort(); /* there is nobody else who could hold it */
}

void preempt_check(void)
{
}

void mutex_init(struct mutex *m)
{
	m->locked = 0;
}

void mutex_lock(struct mutex *m)
{
	if (m->locked || fake_preempt_count)
		abort();
	m->locked = 1;
}

void mutex_unlock(struct mutex *m)
{
	if (!m->locked)
		abort();
	m->locked = 0;
}

bool mutex_is_mine(const struct mutex *m)
{
	return m->locked;
}

/* ---- files ---- */

struct fake_inode {
	struct inode ino;
	u32 pages;
	struct page *page[];
};

static struct page *fake_inode_page(struct inode *ino, u64 index, bool create)
{
	struct fake_inode *fi = container_of(ino, struct fake_inode, ino);

	(void)create;
	if (index >= fi->pages)
		return ERR_PTR(-EFAULT);
	page_get(fi->page[index]);
	return fi->page[index];
}

static const struct inode_ops fake_inode_ops = { .page = fake_inode_page };
static const struct file_ops fake_file_ops = { .read = NULL };

struct file *fake_file(u32 pages, u32 stamp, u32 flags)
{
	struct fake_inode *fi = calloc(1, sizeof(*fi) + pages * sizeof(fi->page[0]));
	struct file *f = calloc(1, sizeof(*f));

	fi->ino.ops = &fake_inode_ops;
	fi->pages = pages;
	for (u32 i = 0; i < pages; i++) {
		u8 *p = pages_alloc(0);
		u32 v = stamp + i;

		memset(p, 0, PAGE_SIZE);
		memcpy(p, &v, sizeof(v));
		fi->page[i] = pa_to_page(virt_to_phys(p));
	}
	f->ops = &fake_file_ops;
	f->inode = &fi->ino;
	f->flags = flags;
	refcount_set(&f->refs, 1);
	fake_files_open++;
	return f;
}

struct file *file_get(struct file *f)
{
	refcount_inc(&f->refs);
	return f;
}

void file_put(struct file *f)
{
	struct fake_inode *fi = container_of(f->inode, struct fake_inode, ino);

	if (!refcount_dec_and_test(&f->refs))
		return;
	for (u32 i = 0; i < fi->pages; i++)
		page_put(fi->page[i]);
	free(fi);
	free(f);
	fake_files_open--;
}

void fake_file_close(struct file *f)
{
	file_put(f);
}

/* ---- the rest of the core ---- */

int printk(const char *fmt, ...)
{
	(void)fmt;
	return 0;
}

void panic(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

void bug_at(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	abort();
}

void ledger_add(struct ledger_entry *e, struct module *owner, const char *kind, const char *name,
		void (*undo)(struct ledger_entry *e))
{
	(void)kind;
	(void)name;
	(void)undo;
	e->owner = owner;
}

void ledger_remove(struct ledger_entry *e)
{
	e->owner = NULL;
}

struct module *module_of(const void *addr)
{
	(void)addr;
	return NULL;
}

int seq_printf(struct seq *s, const char *fmt, ...)
{
	(void)s;
	(void)fmt;
	return 0;
}

void seq_puts(struct seq *s, const char *str)
{
	(void)s;
	(void)str;
}

struct trap_frame *arch_user_frame(struct thread *t)
{
	(void)t;
	return NULL;
}

void user_trap_signal(struct trap_frame *f, int sig, int code, u64 addr)
{
	(void)f;
	(void)sig;
	(void)code;
	(void)addr;
}

bool oom_kill(void)
{
	return false;
}

void sleep_ns(u64 ns)
{
	(void)ns;
}
