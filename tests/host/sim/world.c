/* SPDX-License-Identifier: MIT */
/* world.c - the clock, events, random numbers and stacks that all simulated machines of one process
 * share. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

/* Absent when nothing is sanitized. */
extern __weak void __sanitizer_start_switch_fiber(void **save, const void *stack, size_t size);
extern __weak void __sanitizer_finish_switch_fiber(void *save, const void **old, size_t *size);
extern __weak void __sanitizer_set_death_callback(void (*fn)(void));
extern __weak void __sanitizer_print_stack_trace(void);

/* ---- stacks ---- */

struct fiber world_first;
static struct fiber *running = &world_first, *left;

/* Saves what a call preserves and goes on where the other stack was left. */
__asm__(".text\n"
	".type world_swap, @function\n"
	"world_swap:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size world_swap, . - world_swap\n");
extern void world_swap(void **from, void *to);

static void fiber_arrive(void)
{
	const void *old_stack;
	size_t old_size;

	if (!__sanitizer_finish_switch_fiber)
		return;
	__sanitizer_finish_switch_fiber(running->fake_stack, &old_stack, &old_size);
	/* the process's first stack is only known by leaving it */
	left->stack = old_stack;
	left->stack_size = old_size;
}

static void fiber_entry(void)
{
	fiber_arrive();
	running->fn(running->arg);
	abort();
}

void fiber_switch(struct fiber *to)
{
	struct fiber *from = running;

	running = to;
	left = from;
	if (__sanitizer_start_switch_fiber)
		__sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
	world_swap(&from->sp, to->sp);
	fiber_arrive();
}

void fiber_prepare(struct fiber *f, void *stack, size_t size, void (*fn)(void *), void *arg)
{
	u64 *top = (u64 *)(((u64)stack + size) & ~15ul);

	*--top = 0;
	*--top = (u64)fiber_entry; /* where world_swap returns to, six registers below */
	*f = (struct fiber){
		.sp = top - 6, .fn = fn, .arg = arg, .stack = stack, .stack_size = size
	};
}

/* ---- the clock and what happens in time ---- */

static u64 now = 1000000;
static LIST_HEAD(events); /* by time */
static LIST_HEAD(machines);

u64 world_step(u64 ns)
{
	return now += ns;
}

u64 sim_now(void)
{
	return now;
}

/* Most events are later than all that wait. */
void sim_event_set(struct sim_event *e, u64 at)
{
	struct list_head *pos;

	sim_event_cancel(e);
	e->at = at;
	for (pos = events.prev; pos != &events; pos = pos->prev) {
		if (list_entry(pos, struct sim_event, node)->at <= at)
			break;
	}
	list_add(&e->node, pos);
}

void sim_event_cancel(struct sim_event *e)
{
	if (e->node.next)
		list_del(&e->node);
}

/* ---- machines ---- */

void world_add(struct world_machine *m)
{
	list_add_tail(&m->node, &machines);
}

static bool is_ready(const struct world_machine *m)
{
	return m->irq || (m->timer_at && m->timer_at <= now);
}

/* The next one after m that has something to do, m itself last. */
static struct world_machine *next_ready(struct world_machine *m)
{
	struct list_head *pos = m->node.next;

	for (;; pos = pos->next) {
		struct world_machine *other;

		if (pos == &machines)
			continue;
		other = list_entry(pos, struct world_machine, node);
		if (is_ready(other))
			return other;
		if (other == m)
			return NULL;
	}
}

static void happen(struct sim_event *e)
{
	now = max(now, e->at);
	list_del(&e->node);
	e->fn(e);
}

/* What became due while machines were at work. */
static void catch_up(void)
{
	struct sim_event *e;

	while ((e = list_first_entry_or_null(&events, struct sim_event, node)) && e->at <= now)
		happen(e);
}

/* Everybody idles: the next event happens, or the clock reaches a timer. */
static void advance(void)
{
	struct sim_event *e = list_first_entry_or_null(&events, struct sim_event, node);
	struct world_machine *m;
	u64 timer_at = 0;

	list_for_each_entry(m, &machines, node) {
		if (m->timer_at && (!timer_at || m->timer_at < timer_at))
			timer_at = m->timer_at;
	}
	if (!e && !timer_at) {
		fprintf(stderr, "simulation: every thread sleeps and nothing will ever happen\n");
		world_die();
	}
	if (e && (!timer_at || e->at < timer_at))
		happen(e);
	else
		now = max(now, timer_at);
}

void world_wait(struct world_machine *m)
{
	struct world_machine *next;

	m->idle = running;
	for (;;) {
		catch_up();
		next = next_ready(m);
		if (next == m)
			return;
		if (!next) {
			advance();
			continue;
		}
		fiber_switch(next->idle);
		if (is_ready(m)) /* chosen: our turn, even when others are ready too */
			return;
	}
}

/* ---- random numbers: a test's choices do not move the kernels' ---- */

static u64 random_state = 2;

void world_seed(u64 seed)
{
	random_state = seed * 2 + 2;
}

u32 sim_random(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z >> 32;
}

/* ---- the end ---- */

const char *world_banner;

static void print_banner(void)
{
	if (world_banner)
		fprintf(stderr, "%s\n", world_banner);
}

/* What the sanitizers end is told apart by its seed as well. */
__attribute__((constructor)) static void watch_death(void)
{
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(print_banner);
}

void world_die(void)
{
	struct world_machine *m;

	list_for_each_entry(m, &machines, node) {
		if (m->last_words)
			m->last_words();
	}
	if (__sanitizer_print_stack_trace)
		__sanitizer_print_stack_trace();
	print_banner();
	abort();
}
