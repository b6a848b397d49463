/* SPDX-License-Identifier: MIT */
/* workqueue.c - work in process context by a few shared threads. One work runs in one thread at a
 * time; queued again while it runs it starts after that run. A function may free its own work. A
 * thread that a work's function takes down with it is replaced. */
#define LOG_NAME "module: "
#include "rq.h"

#include <core/module.h>
#include <core/sched.h>
#include <weft/printk.h>
#include <weft/work.h>

#define NR_WORKERS 4
#define WORK_QUEUED BIT(0)

static struct spinlock work_lock;				 /* taken with interrupts off */
static LIST_HEAD(work_list);					 /* guarded by work_lock */
static struct work *running[NR_WORKERS];			 /* guarded by work_lock */
static u64 running_fn[NR_WORKERS];				 /* guarded by work_lock */
static struct thread *workers[NR_WORKERS];			 /* each written by itself */
static struct wait_queue work_wait = WAIT_QUEUE_INIT(work_wait); /* for work */
static struct wait_queue done_wait = WAIT_QUEUE_INIT(done_wait); /* for a run to end */

static void work_timer_fire(struct timer *t)
{
	work_schedule(container_of(t, struct work, timer));
}

void work_init(struct work *w, void (*fn)(struct work *w))
{
	list_init(&w->node);
	w->fn = fn;
	w->state = 0;
	timer_init(&w->timer, work_timer_fire);
}
EXPORT(work_init);

bool work_schedule(struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool queued = w->state & WORK_QUEUED;

	if (!queued) {
		w->state |= WORK_QUEUED;
		list_add_tail(&w->node, &work_list);
	}
	spin_unlock_irqrestore(&work_lock, flags);
	if (!queued)
		wake_up(&work_wait);
	return !queued;
}
EXPORT(work_schedule);

void work_schedule_at(struct work *w, u64 ktime_ns)
{
	timer_set(&w->timer, ktime_ns);
}
EXPORT(work_schedule_at);

static bool is_running_locked(const struct work *w)
{
	u32 i;

	for (i = 0; i < NR_WORKERS; i++) {
		if (running[i] == w)
			return true;
	}
	return false;
}

/* The first work that no other thread is running. */
static struct work *take(u32 worker)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	struct work *w, *found = NULL;

	list_for_each_entry(w, &work_list, node) {
		if (!is_running_locked(w)) {
			found = w;
			break;
		}
	}
	if (found) {
		list_del(&found->node);
		found->state &= ~WORK_QUEUED;
	}
	running[worker] = found;
	running_fn[worker] = found ? (u64)found->fn : 0;
	spin_unlock_irqrestore(&work_lock, flags);
	return found;
}

static void finish(u32 worker)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);

	running[worker] = NULL;
	spin_unlock_irqrestore(&work_lock, flags);
	wake_up_all(&done_wait);
}

static int worker_main(void *arg)
{
	u32 me = (u32)(unsigned long)arg;
	struct sleeper s;
	struct work *w;

	WRITE_ONCE(workers[me], current());
	for (;;) {
		sleep_prepare(&work_wait, &s, true, true);
		w = take(me);
		if (!w)
			sleep_wait(&s, 0, true);
		sleep_finish(&work_wait, &s);
		if (!w)
			continue;
		w->fn(w);
		finish(me);
	}
	return 0;
}

static bool is_running(const struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool yes = is_running_locked(w);

	spin_unlock_irqrestore(&work_lock, flags);
	return yes;
}

/* True when it was queued or runs. */
static bool take_off(struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool busy = (w->state & WORK_QUEUED) || is_running_locked(w);

	if (w->state & WORK_QUEUED) {
		list_del(&w->node);
		w->state &= ~WORK_QUEUED;
	}
	spin_unlock_irqrestore(&work_lock, flags);
	return busy;
}

/* A run may set the timer or queue the work again, the timer may queue it: until a round finds it
 * at rest before and after its timer was stopped. */
void work_cancel_sync(struct work *w)
{
	bool busy;

	do {
		busy = take_off(w);
		busy |= timer_cancel_sync(&w->timer);
		busy |= take_off(w);
		wait_event(&done_wait, !is_running(w));
	} while (busy);
}
EXPORT(work_cancel_sync);

struct work *work_of_timer(struct timer *t)
{
	return t->fn == work_timer_fire ? container_of(t, struct work, timer) : NULL;
}

static bool within(u64 addr, u64 start, u64 end)
{
	return addr >= start && addr < end;
}

/* Takes one queued work off; its function, 0 when there is none. */
static u64 take_one_of(u64 start, u64 end)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	struct work *w;
	u64 fn = 0;

	list_for_each_entry(w, &work_list, node) {
		if (!within((u64)w, start, end) && !within((u64)w->fn, start, end))
			continue;
		fn = (u64)w->fn;
		list_del(&w->node);
		w->state &= ~WORK_QUEUED;
		break;
	}
	spin_unlock_irqrestore(&work_lock, flags);
	return fn;
}

static bool any_running_of(u64 start, u64 end)
{
	unsigned long flags = spin_lock_irqsave(&work_lock);
	bool yes = false;
	u32 i;

	for (i = 0; i < NR_WORKERS; i++)
		yes |= running[i] &&
		       (within((u64)running[i], start, end) || within(running_fn[i], start, end));
	spin_unlock_irqrestore(&work_lock, flags);
	return yes;
}

u32 works_sweep(u64 start, u64 end)
{
	char name[96];
	u32 n = 0;
	u64 fn;

	for (;;) {
		fn = take_one_of(start, end);
		if (fn) {
			symbol_name(fn, name, sizeof(name));
			pr_warn("%s forgot its work \"%s\": undone\n",
				module_name(module_of((void *)fn)), name);
			n++;
		} else if (any_running_of(start, end)) {
			n++;
			wait_event(&done_wait, !any_running_of(start, end));
		} else {
			return n;
		}
	}
}

static int worker_start(u32 i)
{
	struct thread *t = kthread_run(worker_main, (void *)(unsigned long)i, "worker/%u", i);

	return IS_ERR(t) ? PTR_ERR(t) : 0;
}

/* t, the caller, ends by an exception. Whoever waits for its work waits no longer. */
void workqueue_replace(struct thread *t)
{
	for (u32 i = 0; i < NR_WORKERS; i++) {
		if (READ_ONCE(workers[i]) != t)
			continue;
		WRITE_ONCE(workers[i], NULL);
		finish(i);
		if (worker_start(i))
			printk(KERN_ERR "no memory for another worker/%u\n", i);
		thread_put(t);
		return;
	}
}

void workqueue_init(void)
{
	for (u32 i = 0; i < NR_WORKERS; i++) {
		if (worker_start(i))
			panic("no memory for the worker threads");
	}
}
