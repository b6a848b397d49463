/* SPDX-License-Identifier: MIT */
/* poll_idle.c - poll before sleeping. Where packets come in quick succession, a CPU that runs dry
 * keeps their devices from interrupting and looks into their rings itself, for a bounded time after
 * the last work: no interrupt, no halted state lies between a packet and its reader then. It does
 * not let them interrupt either while the reader runs, as long as readers are brief: registers are
 * dear. Devices that send rarely are left to interrupt, so that an idle machine halts. */
#include <core/net.h>
#include <core/sched.h>
#include <weft/module.h>
#include <weft/seqfile.h>

#include "poller_internal.h"

#define BUSY_POLL_US 150 /* more than the least time that devices keep between interrupts */
#define BUSY_POLL_MAX_US 10000
#define PATIENCE_MIN_NS (50 * NSEC_PER_USEC)
#define HEAT_MAX 16u
#define NEED_MAX 8u
#define TURNS_PER_PAUSE 32
#define HELD_UP_NS (20 * NSEC_PER_USEC) /* no turn takes that long */
#define DEVICE_LATE_NS (15 * NSEC_PER_USEC)
#define BRIEF_NS (200 * NSEC_PER_USEC)
#define GUARD_MIN_NS (500 * NSEC_PER_USEC)
#define GUARD_MAX_NS (4 * NSEC_PER_MSEC)

static int busy_poll_us = BUSY_POLL_US;

static u64 busy_ns(void)
{
	return (u64)READ_ONCE(busy_poll_us) * NSEC_PER_USEC;
}

/* ---- who is worth looking at ---- */

void poller_cool(struct poller *p)
{
	u32 on;

	while ((on = READ_ONCE(p->warm_on))) {
		struct poll_cpu *pc = &poll_cpus[on - 1];

		spin_lock(&pc->warm_lock);
		if (p->warm_on == on) {
			list_del(&p->warm_node);
			WRITE_ONCE(p->warm_on, 0);
		}
		spin_unlock(&pc->warm_lock);
	}
}

void poller_warm(struct poll_cpu *pc, struct poller *p)
{
	u32 here = pc - poll_cpus + 1;

	if (pc->now - p->last_ns <= 2 * busy_ns())
		p->heat = min(p->heat + 1, HEAT_MAX);
	p->last_ns = pc->now;
	if (likely(p->warm_on == here))
		return;
	poller_cool(p);
	spin_lock(&pc->warm_lock);
	if (READ_ONCE(p->state) & POLLER_ADDED) {
		list_add_tail(&p->warm_node, &pc->warm);
		WRITE_ONCE(p->warm_on, here);
	}
	spin_unlock(&pc->warm_lock);
}

static bool is_hot(const struct poller *p, u64 now, u64 busy)
{
	return p->heat >= p->need && now - p->last_ns <= 4 * busy;
}

/* ---- watching ---- */

void poller_settle(struct poll_cpu *pc, struct poller *p)
{
	if (pc->watching && (READ_ONCE(p->state) & POLLER_ADDED)) {
		p->watch(p); /* it may have come by an interrupt that left it free */
		list_add_tail(&p->node, &pc->watched);
	} else if (p->rest(p))
		poller_enqueue(p);
	else
		poller_done(p);
}

/* Takes the hot pollers that nobody has; their devices interrupt no more. */
static void watch_hot(struct poll_cpu *pc, u64 now, u64 busy)
{
	struct poller *p;

	spin_lock(&pc->warm_lock);
	list_for_each_entry(p, &pc->warm, warm_node) {
		if (is_hot(p, now, busy) &&
		    cmpxchg_bool(&p->state, POLLER_ADDED, POLLER_ADDED | POLLER_SCHEDULED)) {
			p->watch(p);
			list_add_tail(&p->node, &pc->watched);
		}
	}
	spin_unlock(&pc->warm_lock);
}

/* Moves the watched pollers that have work, or are to go, to the ready list. */
static bool look(struct poll_cpu *pc)
{
	struct poller *p, *tmp;
	bool found = false;

	list_for_each_entry_safe(p, tmp, &pc->watched, node) {
		u32 state = READ_ONCE(p->state);

		if (likely(state == (POLLER_ADDED | POLLER_SCHEDULED)) && !p->pending(p))
			continue;
		list_del(&p->node);
		poller_enqueue(p);
		found = true;
	}
	return found;
}

static void rest_all(struct poll_cpu *pc)
{
	while (!list_empty(&pc->watched)) {
		struct poller *p = list_first_entry(&pc->watched, struct poller, node);

		list_del(&p->node);
		if ((READ_ONCE(p->state) & POLLER_ADDED) && p->rest(p))
			poller_enqueue(p);
		else
			poller_done(p);
	}
	/* also one whose device interrupted before it was done, which masks it and only leaves a
	 * note that it was missed: no run is on its way that would find it */
	if (!list_empty(&pc->ready))
		cpu_set_pending(CPU_PENDING_POLL);
}

/* How long a wait may be: twice what waits took that ended well, so that little is spent where work
 * has ended, or waits for this CPU to be idle; after one in vain twice as long. */
static u64 patience(const struct poll_cpu *pc, u64 busy)
{
	return min(max(pc->patience, PATIENCE_MIN_NS), busy);
}

static void wait_paid(struct poll_cpu *pc, u64 waited)
{
	u64 wanted = 2 * waited;

	if (wanted > pc->patience)
		pc->patience = wanted;
	else
		pc->patience -= (pc->patience - wanted) / 8;
}

/* Watching in vain costs more accesses to the device than an interrupt: who was caught twice at
 * most has to send more before it is watched again. */
static void wait_in_vain(struct poll_cpu *pc, u64 busy)
{
	struct poller *p;

	pc->patience = 2 * patience(pc, busy);
	list_for_each_entry(p, &pc->watched, node) {
		if (p->heat > p->need + 1)
			p->need = max(p->need / 2, 1u);
		else
			p->need = min(2 * p->need, NEED_MAX);
		p->heat /= 4;
	}
}

/* Does a device that has been waited for since begin leave what it was told of? */
static bool device_is_late(const struct poll_cpu *pc, u64 now, u64 begin)
{
	struct poller *p;

	if (now - begin < DEVICE_LATE_NS)
		return false;
	list_for_each_entry(p, &pc->watched, node) {
		if (p->owed && p->owed(p))
			return true;
	}
	return false;
}

/* Until somebody wants the CPU, which is true, or no work has come for a while, busy ns at most.
 * Preemption off, interrupts on: they only leave a note, which ends this. The time is left_ns. */
static bool watch(struct poll_cpu *pc, u64 now, u64 busy)
{
	u64 limit = patience(pc, busy), begin = now;
	u32 turn = 0;

	for (; !list_empty(&pc->watched); now = ktime_get()) {
		/* a host that gave the CPU to others may have given it to who is waited for */
		if (unlikely(now - pc->left_ns > HELD_UP_NS))
			begin += now - pc->left_ns;
		pc->left_ns = now;
		if (look(pc)) {
			pc->caught++;
			wait_paid(pc, now - begin);
			limit = patience(pc, busy);
			poll_run_pending();
			pc->left_ns = begin = ktime_get();
		} else if (cpu_pending() & CPU_PENDING_POLL) {
			poll_run_pending(); /* a timer */
		} else if (now - begin >= limit) {
			wait_in_vain(pc, busy);
			return false;
		} else if (device_is_late(pc, now, begin)) {
			return false;
		}
		if (sched_nr_running() || cpu_pending() & CPU_PENDING_RESCHED || sched_kicked())
			return true;
		/* no packet is held across a turn */
		rcu_note_quiescent();
		/* under emulation each pause takes the lock that devices need */
		if (++turn % TURNS_PER_PAUSE == 0)
			cpu_relax();
	}
	return false;
}

/* ---- while a thread runs ---- */

/* Poll context. Set and not put off, so it comes early where threads are brief, and again; but
 * less and less often, as it costs an interrupt. */
static void guard_fired(struct timer *t)
{
	struct poll_cpu *pc = container_of(t, struct poll_cpu, guard);

	if (list_empty(&pc->watched))
		return;
	if (!pc->watching && pc->now - pc->left_ns > BRIEF_NS) {
		rest_all(pc);
		return;
	}
	pc->guard_ns = min(2 * pc->guard_ns, GUARD_MAX_NS);
	if (!pc->watching)
		timer_set(t, pc->left_ns + pc->guard_ns);
}

bool poll_watching(void)
{
	return this_poll_cpu()->watching;
}

bool poll_holding(void)
{
	return !list_empty(&this_poll_cpu()->watched);
}

/* Leaves the CPU to a thread, or to be halted. */
static void leave(struct poll_cpu *pc, bool thread)
{
	if (!pc->brief)
		pc->guard_ns = GUARD_MIN_NS;
	if (!thread || !pc->brief)
		rest_all(pc);
	else if (!list_empty(&pc->watched) && !timer_pending(&pc->guard))
		timer_set(&pc->guard, pc->left_ns + pc->guard_ns);
}

bool poll_idle(void)
{
	struct poll_cpu *pc = this_poll_cpu();
	bool off = list_empty(&pc->warm) || !busy_ns() || pc->in_thread;
	bool timed = pc->to_thread;
	u64 now;

	pc->to_thread = false;
	if (off && list_empty(&pc->watched))
		return false;
	now = ktime_get();
	/* one that an interrupt woke is taken to be like those before: the CPU was halted first */
	if (timed)
		pc->brief = now - pc->left_ns <= BRIEF_NS;
	if (!off)
		watch_hot(pc, now, busy_ns());
	if (list_empty(&pc->watched))
		return false;
	pc->left_ns = now;
	pc->watching = true;
	sched_poll_begin(now);
	if (!off)
		pc->to_thread = watch(pc, now, busy_ns());
	pc->watching = false;
	leave(pc, pc->to_thread);
	sched_poll_end(pc->left_ns);
	return pc->to_thread;
}

void poll_idle_init(struct poll_cpu *pc)
{
	list_init(&pc->watched);
	list_init(&pc->warm);
	spin_init(&pc->warm_lock);
	timer_init(&pc->guard, guard_fired);
	pc->guard_ns = GUARD_MIN_NS;
}

static struct sysctl busy_poll_sysctl = {
	.path = "net/core/busy_poll_us",
	.value = &busy_poll_us,
	.min = 0,
	.max = BUSY_POLL_MAX_US,
};

void poll_idle_start(void)
{
	sysctl_add(&busy_poll_sysctl);
}
