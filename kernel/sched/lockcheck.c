/* SPDX-License-Identifier: MIT */
/* lockcheck.c - debug builds look at each spin lock as it is taken: by its own holder again
 * (panic), in an interrupt handler as well as with interrupts on, and two static locks in both
 * orders (each said once). might_sleep() catches sleeping where it is forbidden, with the locks
 * that forbid it. */
#include <core/module.h>
#include <core/sched.h>
#include <weft/module.h>
#include <weft/printk.h>

#if defined(WEFT_DEBUG) && !defined(WEFT_HOST)

#define MAX_HELD 16
#define NR_PAIRS 1024

/* struct spinlock.usage */
#define USED_IN_IRQ BIT(0)
#define USED_IRQS_ON BIT(1)
#define TOLD BIT(2)

/* This CPU's locks, in the order they were taken; they go in any order. */
struct held {
	struct spinlock *lock[MAX_HELD];
	u32 n;
	bool busy; /* inside the checker: printing takes locks too */
};
static struct held held[MAX_CPUS];

/* "second was taken while first was held", both static: an open-addressed set, filled without a
 * lock; a lost entry only delays a report. */
struct pair {
	const void *first, *second;
};
static struct pair pairs[NR_PAIRS];

extern char kernel_data_start[], kernel_end[]; /* kernel.ld */

static bool is_static(const void *l)
{
	return (char *)l >= kernel_data_start && (char *)l < kernel_end;
}

static struct pair *slot(const void *first, const void *second)
{
	u64 h = ((u64)first * 31 + (u64)second) * 0x9e3779b97f4a7c15ull;
	u32 i, at;

	for (i = 0; i < 8; i++) {
		at = ((u32)(h >> 40) + i) % NR_PAIRS;
		if (!pairs[at].first || (pairs[at].first == first && pairs[at].second == second))
			return &pairs[at];
	}
	return NULL;
}

static void name_of(const void *p, char *buf, size_t size)
{
	symbol_name((u64)p, buf, size);
}

static void show_held(const struct held *h)
{
	char name[64];
	u32 i;

	for (i = 0; i < h->n; i++) {
		name_of(h->lock[i]->where, name, sizeof(name));
		printk(KERN_CRIT "  holds %p, taken at %s\n", (void *)h->lock[i], name);
	}
}

static void check_order(struct held *h, struct spinlock *l)
{
	struct pair *p;
	u32 i;

	if (!is_static(l))
		return;
	for (i = 0; i < h->n; i++) {
		if (!is_static(h->lock[i]))
			continue;
		p = slot(l, h->lock[i]);
		if (p && p->first && !(l->usage & TOLD)) {
			l->usage |= TOLD;
			printk(KERN_CRIT
			       "lock order: %p wanted under %p, elsewhere the other way round\n",
			       (void *)l, (void *)h->lock[i]);
			show_held(h);
			backtrace_here();
		}
		p = slot(h->lock[i], l);
		if (p && !p->first) {
			p->second = l;
			p->first = h->lock[i];
		}
	}
}

void lockcheck_wanted(struct spinlock *l)
{
	unsigned long flags = irq_save();
	struct held *h = &held[cpu_id()];

	if (h->busy)
		goto out;
	h->busy = true;
	if (READ_ONCE(l->owner_cpu) == cpu_id() + 1 && READ_ONCE(l->locked)) {
		show_held(h);
		panic("spin lock %p taken again by its holder", (void *)l);
	}
	/* here, not when it was taken: whoever only tries cannot deadlock */
	check_order(h, l);
	h->busy = false;
out:
	irq_restore(flags);
}
EXPORT(lockcheck_wanted);

void lockcheck_taken(struct spinlock *l)
{
	bool irqs_on = irqs_enabled();
	unsigned long flags = irq_save();
	struct held *h = &held[cpu_id()];

	l->owner_cpu = cpu_id() + 1;
	l->where = __builtin_return_address(0);
	if (h->busy)
		goto out;
	h->busy = true;
	if (this_cpu()->irq_depth)
		l->usage |= USED_IN_IRQ;
	else if (irqs_on)
		l->usage |= USED_IRQS_ON;
	if ((l->usage & (USED_IN_IRQ | USED_IRQS_ON | TOLD)) == (USED_IN_IRQ | USED_IRQS_ON)) {
		l->usage |= TOLD;
		printk(KERN_CRIT "spin lock %p is taken in interrupts and with interrupts on\n",
		       (void *)l);
		show_held(h);
		backtrace_here();
	}
	if (h->n < MAX_HELD)
		h->lock[h->n++] = l;
	h->busy = false;
out:
	irq_restore(flags);
}
EXPORT(lockcheck_taken);

void lockcheck_release(struct spinlock *l)
{
	unsigned long flags = irq_save();
	struct held *h = &held[cpu_id()];
	u32 i;

	l->owner_cpu = 0;
	for (i = h->n; i-- > 0;) {
		if (h->lock[i] != l)
			continue;
		for (h->n--; i < h->n; i++)
			h->lock[i] = h->lock[i + 1];
		break;
	}
	irq_restore(flags);
}
EXPORT(lockcheck_release);

void might_sleep(void)
{
	static u32 told;
	struct thread *t = current();

	/* before the first switch everything runs with interrupts off, and nobody can sleep yet */
	if (!in_atomic() || !t || t->tid == 0 || READ_ONCE(told) > 10)
		return;
	__atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
	printk(KERN_CRIT
	       "sleeping call in atomic context: preempt_count %u, interrupts %s, thread %s\n",
	       preempt_count(), irqs_enabled() ? "on" : "off", t->comm);
	show_held(&held[cpu_id()]);
	backtrace_here();
}

#endif
