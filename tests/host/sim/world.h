/* SPDX-License-Identifier: MIT */
/* world.h - what all simulated machines of one process share: the clock, what happens in time, and
 * the process's only thread, which is handed from machine to machine. A machine gives it up when
 * its CPU idles; when all of them idle the clock jumps. The same order for the same seed. */
#pragma once

#include "sim.h"

/* ---- stacks that are switched between ---- */
struct fiber {
	void *sp;
	void (*fn)(void *arg);
	void *arg;
	void *fake_stack; /* the address sanitizer's */
	const void *stack;
	size_t stack_size;
};

extern struct fiber world_first; /* the process's own stack */
void fiber_prepare(struct fiber *f, void *stack, size_t size, void (*fn)(void *), void *arg);
void fiber_switch(struct fiber *to);

/* ---- machines ---- */
struct world_machine {
	struct list_head node;
	struct fiber *idle; /* where it waits; set by world_wait */
	u64 timer_at;	    /* its CPU's one-shot timer, 0: off */
	bool irq;	    /* an interrupt waits to be delivered */
	void (*last_words)(void);
};
void world_add(struct world_machine *m);
/* An idle CPU: returns when irq is set or the timer is due, other machines having run meanwhile. */
void world_wait(struct world_machine *m);
u64 world_step(u64 ns);	   /* advances the clock: the new time */
void world_seed(u64 seed); /* of sim_random() */

/* ---- the end ---- */
/* Says what was simulated (the seed, how to replay it) when the process dies; NULL: nothing. */
extern const char *world_banner;
void world_die(void) __noreturn; /* every machine's last words, a backtrace, abort */
