/* SPDX-License-Identifier: MIT */
/* balance.c - which CPU a thread runs on.
 *
 * A woken thread runs beside its waker where that is about to leave the CPU: a thread that runs
 * there alone and has a way of sleeping soon after it woke somebody, or the poll context, as the
 * packet is here. Waking a halted CPU costs more than both of them. Else it runs where it ran last,
 * on this CPU or on any, if one is idle, and where there is least to do if none is.
 *
 * Where two stay runnable after all, the CPU is crowded. After SCHED_SPREAD_NS it asks an idle CPU
 * for help, which takes the first thread that waits; a CPU that runs dry looks for one by itself.
 * Who had to be taken away from its waker is put where it ran last for the next few times, twice
 * as many each time, half as many each time it went well. CPUs that have something to do compare
 * at their ticks, and one takes over what makes both sums of weights more alike: so each thread
 * gets what its nice says. */
#include "rq.h"

#include <weft/poller.h>
#include <weft/time.h>

#define APART_MAX 63
#define LEAVES_NS (100 * NSEC_PER_USEC)

static bool cpu_allowed(const struct thread *t, u32 cpu)
{
	return (t->affinity & BIT(cpu)) && run_queues[cpu].online;
}

static bool idle_for(const struct thread *t, u32 cpu)
{
	return cpu_allowed(t, cpu) && !rq_runnable(&run_queues[cpu]);
}

/* ---- waking ---- */

/* It has no other affairs than the poll context, does one round and makes way. */
static bool is_poll_thread(const struct rq *rq, const struct thread *t)
{
	return !t->proc && t != rq->idle && t->affinity == BIT(rq - run_queues);
}

/* How long has the running thread gone on since it woke somebody for the first time after it slept,
 * and how long does it as a rule? */
static bool sleeps_soon(struct thread *waker)
{
	u64 ran = waker->run_ns + ktime_get() - waker->run_start;

	if (!waker->woke_ns)
		waker->woke_ns = ran;
	return ran - waker->woke_ns <= LEAVES_NS && waker->goes_on_ns <= LEAVES_NS;
}

void sched_note_sleep(struct thread *t)
{
	u64 went_on = min(t->run_ns - t->woke_ns, 10 * LEAVES_NS);

	t->goes_on_ns += (u32)went_on / 4 - t->goes_on_ns / 4;
	t->woke_ns = 0;
}

/* Will this CPU soon be free for t? Who has just made another one mostly waits for it next. */
static bool waker_leaves(const struct rq *rq, const struct thread *t)
{
	struct thread *waker = current();
	u32 nr = rq_runnable(rq);

	if (in_poll_context() && (!nr || !rq->own_poll))
		return !nr || (nr == 1 && is_poll_thread(rq, waker));
	return nr == 1 && waker->proc && (!t->run_ns || sleeps_soon(waker));
}

static bool place_beside(struct thread *t, u32 here)
{
	if (t->beside) {
		t->beside = false; /* and nobody had to take it away */
		t->apart_next /= 2;
	}
	if (!cpu_allowed(t, here) || !waker_leaves(&run_queues[here], t))
		return false;
	if (t->apart) {
		t->apart--;
		return false;
	}
	t->beside = true;
	return true;
}

/* Nobody is idle: away from base only to where t finds no more to do than it leaves behind. */
static u32 least_loaded(const struct thread *t, u32 base)
{
	u64 limit = READ_ONCE(run_queues[base].load), least = limit, load;
	u32 best = base, cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		load = READ_ONCE(run_queues[cpu].load);
		if (cpu_allowed(t, cpu) && load < least && load + sched_weight(t) <= limit) {
			least = load;
			best = cpu;
		}
	}
	return best;
}

u32 sched_place(struct thread *t)
{
	u32 last = t->cpu, here = cpu_id(), cpu;

	if (nr_cpus == 1)
		return last;
	if (place_beside(t, here))
		return here;
	if (idle_for(t, last))
		return last;
	if (idle_for(t, here))
		return here;
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (idle_for(t, cpu))
			return cpu;
	}
	if (cpu_allowed(t, last))
		return least_loaded(t, last);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (cpu_allowed(t, cpu))
			return least_loaded(t, cpu);
	}
	/* its CPUs are not up yet: it waits in the queue of the first of them */
	return t->affinity ? (u32)__builtin_ctz(t->affinity) : last;
}

/* ---- helping ---- */

/* An idle CPU among those of mask, rather a halted one: others are about to halt, or wait for
 * packets, of which there may be no end. MAX_CPUS: none. */
static u32 idle_cpu(u32 mask)
{
	u32 found = MAX_CPUS, cpu;

	for (cpu = 0; mask && cpu < nr_cpus; cpu++) {
		struct rq *rq = &run_queues[cpu];

		if (!(mask & BIT(cpu)) || !rq->online || rq_runnable(rq))
			continue;
		found = cpu;
		if (READ_ONCE(rq->idling))
			break;
	}
	return found;
}

void rq_ask_for_help(struct rq *rq, u64 now)
{
	u32 others = ~BIT(rq - run_queues), want = 0, cpu;
	struct thread *t;

	for (t = rq->heap; t; t = rq_heap_next(rq->heap, t))
		want |= t->affinity;
	cpu = idle_cpu(want & others);
	rq->help_at = now + SCHED_SPREAD_NS;
	rq->make_way = false;
	if (cpu != MAX_CPUS)
		rq_send_kick(cpu);
	else if (!(want & others) && idle_cpu(rq->curr->affinity & others) != MAX_CPUS)
		rq->make_way = true;
	else /* who becomes idle will look by itself */
		rq->help_at = now + SCHED_SLICE_NS;
}

bool rq_waits_for_help(const struct rq *rq)
{
	return rq->online && READ_ONCE(rq->nr) > 1 &&
	       (s64)(ktime_get() - READ_ONCE(rq->crowded_since)) >= (s64)SCHED_SPREAD_NS;
}

bool rq_is_underloaded(const struct rq *rq)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		const struct rq *other = &run_queues[cpu];

		if (READ_ONCE(other->nr) > 1 && READ_ONCE(other->load) > rq->load)
			return true;
	}
	return false;
}

/* Moves a waiting thread of from, locked as rq is, that rq's CPU may run and that leaves rq with
 * less to do than from had. */
static bool take_one(struct rq *rq, struct rq *from)
{
	u32 me = (u32)(rq - run_queues);
	struct thread *t;

	for (t = from->heap; t; t = rq_heap_next(from->heap, t)) {
		if ((t->affinity & BIT(me)) && rq->load + sched_weight(t) < from->load)
			break;
	}
	if (!t)
		return false;
	rq_heap_remove(from, t);
	rq_leave(from, t);
	if (t->beside) {
		t->beside = false;
		t->apart_next = min(2 * t->apart_next + 1, APART_MAX);
		t->apart = t->apart_next;
	}
	t->vruntime += rq->min_vruntime - from->min_vruntime;
	WRITE_ONCE(t->cpu, me);
	rq_heap_insert(rq, t);
	rq_join(rq, t);
	if (rq->nr == 2)
		rq_crowd_begin(rq, rq->curr->run_start);
	return true;
}

void rq_pull(struct rq *rq)
{
	u32 me = (u32)(rq - run_queues), i;
	bool even = rq->even, done = false;

	rq->even = false;
	for (i = 1; i < nr_cpus && !done; i++) {
		struct rq *from = &run_queues[me + i < nr_cpus ? me + i : me + i - nr_cpus];

		if (even ? READ_ONCE(from->nr) < 2 : !rq_waits_for_help(from))
			continue;
		if (!spin_trylock(&from->lock))
			continue;
		done = take_one(rq, from);
		spin_unlock(&from->lock);
	}
}
