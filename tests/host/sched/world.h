/* SPDX-License-Identifier: MIT */
/* world.h - CPUs with a clock for tests of the scheduler. Its own code decides who runs; what a
 * thread does is a function of the test, called each time it has used the CPU for as long as it
 * wanted to. */
#pragma once

#include "kernel/sched/rq.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define HALT_EXIT_NS (40 * US) /* from an interrupt's sending to a halted CPU's first step */
#define IPI_NS (3 * US)

struct actor {
	struct thread thread;
	/* Says what comes next: run, sleep or yield, once; may wake others before. */
	void (*step)(struct actor *a);
	enum { THEN_RUN, THEN_SLEEP, THEN_YIELD } then;
	u64 left;     /* CPU time until the next step */
	u64 woken_at; /* and did not run since */
	u64 wakes, late_ns, worst_ns;
	u32 ran_on, migrations;
	u64 steps, work; /* the test's */
	struct actor *peer;
};

extern u32 world_ipis, world_halt_exits;
extern void (*world_clock_read)(void); /* what another CPU does behind a reading of the clock */

void world_begin(u32 cpus);
void world_run(u64 ns);
u64 world_now(void);
/* user: belongs to a process. Sleeps until actor_start. */
struct actor *actor_new(const char *name, bool user, void (*step)(struct actor *a));
void actor_start(struct actor *a, u32 cpu); /* as forked by what runs there */
/* What poll_idle() is to do, and return; NULL: nothing. */
extern bool (*world_poll)(void);
void world_spin(u64 ns); /* in there: time passes, for all others too */
/* As a device on that CPU or a timer would: fn is called in poll context after ns. */
void world_later(u32 cpu, u64 ns, void (*fn)(struct actor *a), struct actor *a);

/* in a step */
void act_run(struct actor *a, u64 ns);
void act_sleep(struct actor *a, u64 ns); /* 0: until somebody wakes it */
void act_yield(struct actor *a);
void actor_wake(struct actor *a); /* also in poll context */

/* An actor's function: computes without end. */
void burn(struct actor *a);
/* One that does, started on the first CPU of affinity. */
struct actor *burner(u32 affinity, int nice);
u64 used(const struct actor *a); /* ns on a CPU so far */
