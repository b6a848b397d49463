/* SPDX-License-Identifier: MIT */
/* test_oom.c - who is killed when memory is used up: one that is large, not its child; among many
 * small ones the youngest, be it just forked and with hardly a page of its own, and not the one
 * that waits for it; never init, nor two at a time. */
/* cflags: -Itests/host/mm */
/* sources: kernel/mm/oom.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/proc.h>
#include <weft/time.h>

#include "kernel/mm/mm.h"

#define MEMORY_PAGES 32768
#define NOBODY 65534
#define N 64

struct spinlock pid_lock = SPINLOCK_INIT;
struct list_head all_procs;
static struct proc procs[N];
static struct proc_mm spaces[N];
static int nr, killed, kills;
static u64 now, available;
u32 fake_cpu, fake_preempt_count;

/* ---- what the killer sees of the kernel ---- */

u64 page_total(void)
{
	return MEMORY_PAGES;
}

u64 mem_available(void)
{
	return available;
}

u64 ktime_get(void)
{
	return now;
}

void preempt_check(void)
{
}

void spin_lock_slow(struct spinlock *l)
{
	fail_msg("nobody else holds a lock");
}

void mutex_lock(struct mutex *m)
{
	(void)m;
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
}

void proc_get(struct proc *p)
{
	refcount_inc(&p->refs);
}

void proc_put(struct proc *p)
{
	assert_false(refcount_dec_and_test(&p->refs));
}

struct proc *proc_find_get(int pid)
{
	if (pid > nr)
		return NULL;
	proc_get(&procs[pid - 1]);
	return &procs[pid - 1];
}

int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info)
{
	assert_false(p->exiting);
	p->exiting = true;
	killed = p->pid;
	kills++;
	return 0;
}

int printk(const char *fmt, ...)
{
	return 0;
}

/* ---- the processes ---- */

static int setup(void **state)
{
	memset(procs, 0, sizeof(procs));
	list_init(&all_procs);
	nr = killed = kills = 0;
	available = 0;
	now += 10 * NSEC_PER_SEC; /* the last test's victim is forgotten */
	return 0;
}

static struct proc *add(struct proc *parent, u32 uid, u64 pages)
{
	struct proc *p = &procs[nr];

	refcount_set(&p->refs, 1);
	p->pid = nr + 1;
	p->parent = parent;
	p->cred.uid = p->cred.euid = uid;
	p->start_ns = now++;
	p->mm = &spaces[nr++];
	p->mm->rss_pages = pages;
	list_add_tail(&p->all_node, &all_procs);
	return p;
}

static struct proc *add_chain(struct proc *from, u32 uid, int n)
{
	while (n--)
		from = add(from, uid, 397);
	return from;
}

/* Memory stays short for so long: a waiter asks every five milliseconds. */
static void ask_for(u32 ms)
{
	for (u32 i = 0; i < ms; i += 5) {
		assert_true(oom_kill());
		now += 5 * NSEC_PER_MSEC;
	}
}

/* ---- tests ---- */

static void test_one_just_forked_dies_before_its_parent(void **state)
{
	struct proc *init = add(NULL, 0, 200), *shell = add(init, 0, 450), *last, *child;

	last = add_chain(shell, NOBODY, 30);
	child = add(last, NOBODY, 18);
	add(init, 0, 300); /* started later, and has nothing to do with it */
	assert_true(oom_kill());
	assert_int_equal(killed, child->pid);
}

static void test_the_shell_of_a_crowd_lives(void **state)
{
	struct proc *shell = add(add(NULL, 0, 200), 0, 900), *last = add_chain(shell, 0, 30);

	assert_true(oom_kill());
	assert_int_equal(killed, last->pid);
}

static void test_a_large_one_dies_before_its_children(void **state)
{
	struct proc *shell = add(add(NULL, 0, 200), NOBODY, 450);
	struct proc *hog = add(shell, NOBODY, MEMORY_PAGES / 2);

	add(hog, NOBODY, 20);
	add(shell, NOBODY, 300);
	assert_true(oom_kill());
	assert_int_equal(killed, hog->pid);
}

static void test_one_victim_at_a_time(void **state)
{
	struct proc *last = add_chain(add(NULL, 0, 200), NOBODY, 3);

	assert_true(oom_kill());
	assert_true(oom_kill());
	assert_int_equal(kills, 1);
	ask_for(1900);
	assert_int_equal(kills, 1);
	ask_for(200); /* it hangs: the next */
	assert_int_equal(kills, 2);
	assert_int_equal(killed, last->parent->pid);
	for (int i = 0; i < nr; i++) {
		procs[i].zombie = procs[i].exiting;
		if (procs[i].zombie)
			procs[i].mm = NULL;
	}
	assert_true(oom_kill());
	assert_int_equal(kills, 3);
}

/* kill -9 -1 in a shell: it is the only one not about to go. */
static void test_no_kill_while_others_leave(void **state)
{
	struct proc *shell = add(add(NULL, 0, 200), 0, 450);

	add_chain(shell, 0, 30);
	for (int i = 2; i < nr; i++)
		procs[i].exiting = true;
	ask_for(1900);
	assert_int_equal(kills, 0);
	ask_for(200); /* they do not come to it */
	assert_int_equal(killed, shell->pid);
}

static void test_no_kill_when_memory_came_back(void **state)
{
	add_chain(add(NULL, 0, 200), NOBODY, 3);
	available = 1;
	assert_true(oom_kill());
	assert_int_equal(kills, 0);
}

static void test_nobody_left_to_kill(void **state)
{
	struct proc *spared = add(add(NULL, 0, 200), NOBODY, 5000);

	spared->oom_score_adj = -1000;
	assert_false(oom_kill());
	assert_int_equal(kills, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_just_forked_dies_before_its_parent, setup),
		cmocka_unit_test_setup(test_the_shell_of_a_crowd_lives, setup),
		cmocka_unit_test_setup(test_a_large_one_dies_before_its_children, setup),
		cmocka_unit_test_setup(test_one_victim_at_a_time, setup),
		cmocka_unit_test_setup(test_no_kill_while_others_leave, setup),
		cmocka_unit_test_setup(test_no_kill_when_memory_came_back, setup),
		cmocka_unit_test_setup(test_nobody_left_to_kill, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
