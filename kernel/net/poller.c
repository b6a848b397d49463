/* SPDX-License-Identifier: MIT */
/* poller.c - the poll context: per CPU, preemption off, interrupts on. One run fires the CPU's
 * timers, gives each scheduled poller its budget in rounds and closes the batch with the flushes. A
 * run is bounded in rounds and time; what is left goes to a thread, which competes with user
 * programs like any other, so that a flood cannot stop them. */
#include <core/net.h>
#include <core/sched.h>
#include <weft/module.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/seqfile.h>

#include "poller_internal.h"

#define POLL_ROUNDS 4
#define POLL_RUN_NS (2 * NSEC_PER_MSEC)

struct poll_cpu poll_cpus[MAX_CPUS];

static void poll_cpu_init(struct poll_cpu *pc)
{
	list_init(&pc->ready);
	list_init(&pc->flush);
	list_init(&pc->batch);
	wait_queue_init(&pc->wait);
	poll_idle_init(pc);
}

void pollers_init_cpu(void)
{
	poll_cpu_init(this_poll_cpu());
}

/* ---- pollers ---- */

static void poller_fetch_clear(struct poller *p, u32 bits)
{
	__atomic_fetch_and(&p->state, ~bits, __ATOMIC_SEQ_CST);
}

void poller_add(struct poller *p)
{
	list_init(&p->node);
	list_init(&p->flush_node);
	list_init(&p->warm_node);
	p->warm_on = 0;
	p->last_ns = 0;
	p->heat = 0;
	p->need = 1;
	smp_store_release(&p->state, POLLER_ADDED);
}
EXPORT(poller_add);

void poller_remove(struct poller *p)
{
	poller_fetch_clear(p, POLLER_ADDED);
	poller_cool(p);
	/* A list it is still on takes it off at its next run, which is pending already; one that is
	 * held, when the CPU looks again or its guard comes. */
	while (__atomic_load_n(&p->state, __ATOMIC_SEQ_CST) & POLLER_SCHEDULED)
		sleep_ns(100 * NSEC_PER_USEC);
	synchronize_rcu();
}
EXPORT(poller_remove);

void poller_enqueue(struct poller *p)
{
	unsigned long flags = irq_save();

	p->cpu = cpu_id();
	list_add_tail(&p->node, &this_poll_cpu()->ready);
	irq_restore(flags);
}

void poller_schedule(struct poller *p)
{
	u32 old = READ_ONCE(p->state), new;
	bool irqs = irqs_enabled();

	do {
		if (!(old & POLLER_ADDED))
			return;
		new = old | POLLER_SCHEDULED | (old & POLLER_SCHEDULED ? POLLER_MISSED : 0);
	} while (!__atomic_compare_exchange_n(&p->state, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (old & POLLER_SCHEDULED)
		return;
	preempt_disable();
	poller_enqueue(p);
	cpu_set_pending(CPU_PENDING_POLL);
	/* In an interrupt handler the run waits for irq_exit. */
	if (irqs)
		preempt_enable();
	else
		preempt_enable_no_check();
}
EXPORT(poller_schedule);

static struct poller *poller_dequeue(struct list_head *round)
{
	struct poller *p;
	unsigned long flags = irq_save();

	p = list_first_entry_or_null(round, struct poller, node);
	if (p)
		list_del(&p->node);
	irq_restore(flags);
	return p;
}

/* The batch is over for p, which is drained: the one place that takes POLLER_SCHEDULED away, unless
 * it was scheduled since its poll began. From then on another CPU may have it. */
void poller_done(struct poller *p)
{
	u32 old = READ_ONCE(p->state), new;
	bool again;

	do {
		again = (old & POLLER_MISSED) && (old & POLLER_ADDED);
		new = old & ~(u32)(POLLER_MISSED | (again ? 0 : POLLER_SCHEDULED));
	} while (!__atomic_compare_exchange_n(&p->state, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (again)
		poller_enqueue(p);
}

u64 poll_now(void)
{
	return likely(in_poll_context()) ? this_poll_cpu()->now : ktime_get();
}
EXPORT(poll_now);

const u64 *poll_clock(void)
{
	return &this_poll_cpu()->now;
}
EXPORT(poll_clock);

static void poller_run(struct poll_cpu *pc, struct poller *p)
{
	u32 done;

	poller_fetch_clear(p, POLLER_MISSED);
	if (list_empty(&p->flush_node))
		list_add_tail(&p->flush_node, &pc->flush);
	if (!(READ_ONCE(p->state) & POLLER_ADDED))
		return;
	done = p->poll(p, POLLER_BUDGET);
	pc->polls++;
	pc->units += done;
	if (done && p->rest)
		poller_warm(pc, p);
	if (done >= POLLER_BUDGET)
		poller_enqueue(p);
}

/* ---- end of a batch ---- */

void batch_end_add(struct batch_end *b)
{
	struct poll_cpu *pc;

	if (READ_ONCE(b->queued))
		return;
	preempt_disable();
	pc = this_poll_cpu();
	if (!batch_open())
		b->fn(b);
	else if (!xchg(&b->queued, 1))
		list_add_tail(&b->node, &pc->batch);
	preempt_enable();
}
EXPORT(batch_end_add);

static void run_ends(struct poll_cpu *pc)
{
	while (!list_empty(&pc->batch)) {
		struct batch_end *b = list_first_entry(&pc->batch, struct batch_end, node);

		list_del(&b->node);
		smp_store_release(&b->queued, 0);
		b->fn(b);
	}
}

void batch_flush(void)
{
	struct poll_cpu *pc;

	preempt_disable();
	pc = this_poll_cpu();
	if (!pc->running)
		run_ends(pc);
	preempt_enable();
}
EXPORT(batch_flush);

static void batch_close(struct poll_cpu *pc)
{
	run_ends(pc);
	/* Drivers last: what the ends above sent leaves with the same doorbell. */
	while (!list_empty(&pc->flush)) {
		struct poller *p = list_first_entry(&pc->flush, struct poller, flush_node);

		list_del(&p->flush_node);
		if (p->flush && (READ_ONCE(p->state) & POLLER_ADDED))
			p->flush(p);
		if (!list_empty(&p->node))
			continue;
		if (p->rest && (READ_ONCE(p->state) & POLLER_ADDED))
			poller_settle(pc, p);
		else
			poller_done(p);
	}
}

/* ---- runs ---- */

static bool poll_ready(const struct poll_cpu *pc)
{
	return !list_empty(&pc->ready);
}

/* Polls once everything that is scheduled now; what comes meanwhile is for the next round. */
static void poll_round(struct poll_cpu *pc)
{
	LIST_HEAD(round);
	struct poller *p;
	unsigned long flags = irq_save();

	list_splice_tail(&pc->ready, &round);
	irq_restore(flags);
	while ((p = poller_dequeue(&round)))
		poller_run(pc, p);
}

static void poll_hand_over(struct poll_cpu *pc)
{
	/* still booting, or nobody else wants the CPU: go on at the next chance */
	if (!pc->thread || !sched_nr_running()) {
		cpu_set_pending(CPU_PENDING_POLL);
		return;
	}
	pc->handed_over++;
	pc->in_thread = true;
	wake_up(&pc->wait);
}

static void run_begin(struct poll_cpu *pc)
{
	pc->now = ktime_get();
	pc->running = true;
	cpu_batch_add(CPU_BATCH_POLL);
}

static void run_end(struct poll_cpu *pc)
{
	cpu_batch_add(-(u32)CPU_BATCH_POLL);
	pc->running = false;
}

static void poll_run(struct poll_cpu *pc)
{
	u32 round = 0;
	u64 end;

	run_begin(pc);
	end = pc->now + POLL_RUN_NS;
	pc->runs++;
	timers_run();
	do {
		poll_round(pc);
		if (!poll_ready(pc))
			batch_close(pc); /* which may find that something was missed */
		/* a reader that was woken takes its packets before its queue is full of them */
	} while (poll_ready(pc) && !sched_nr_running() && ++round < POLL_ROUNDS &&
		 (pc->now = ktime_get()) < end);
	if (!list_empty(&pc->batch) || !list_empty(&pc->flush))
		batch_close(pc);
	run_end(pc);
}

void poll_run_pending(void)
{
	struct poll_cpu *pc = this_poll_cpu();
	unsigned long flags;

	if (pc->running)
		return;
	flags = irq_save();
	irq_enable();
	cpu_clear_pending(CPU_PENDING_POLL);
	if (pc->in_thread) {
		run_begin(pc);
		timers_run();
		batch_close(pc);
		run_end(pc);
	} else {
		poll_run(pc);
		if (poll_ready(pc))
			poll_hand_over(pc);
	}
	if (!(flags & 0x200))
		irq_disable();
}

static int poll_thread(void *arg)
{
	struct poll_cpu *pc = arg;

	while (!kthread_should_stop()) {
		wait_event(&pc->wait, READ_ONCE(pc->in_thread));
		preempt_disable();
		poll_run(pc);
		if (!poll_ready(pc))
			pc->in_thread = false;
		preempt_enable();
		yield();
	}
	return 0;
}

static int pollers_show(struct seq *s)
{
	u32 cpu;

	seq_puts(s, "cpu runs polls units handed_over caught\n");
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		const struct poll_cpu *pc = &poll_cpus[cpu];

		seq_printf(s, "%u %lu %lu %lu %lu %lu\n", cpu, pc->runs, pc->polls, pc->units,
			   pc->handed_over, pc->caught);
	}
	return 0;
}

static struct procfile pollers_file = {
	.path = "net/weft/pollers",
	.mode = 0444,
	.show = pollers_show,
};

void pollers_start(void)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		struct poll_cpu *pc = &poll_cpus[cpu];
		struct thread *t = kthread_run_on(cpu, poll_thread, pc, "poll/%u", cpu);

		if (IS_ERR(t))
			pr_warn("poll/%u: no thread: a flood may delay programs on this CPU\n",
				cpu);
		else
			pc->thread = t;
	}
	procfile_add(&pollers_file);
	poll_idle_start();
}
