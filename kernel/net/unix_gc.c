/* SPDX-License-Identifier: MIT */
/* unix_gc.c - descriptors of sockets sent over each other make rings: nobody can read the messages
 * any more that hold the last references. Sockets on their way are counted and listed, under
 * unix_lock; a pass over that list finds those that no program can reach:
 *
 *	suspects are those all of whose references are on their way,
 *	what no suspect's queue accounts for comes from outside, and saves its socket;
 *	who is saved saves whom his queue holds.
 *
 * It is run when a socket of the family is closed, and every few seconds while any is on its way,
 * since the last descriptor of a ring may be closed without that the socket is.
 *
 * The messages in the queues of all others are discarded, and with the files in them the sockets
 * end. A reference is counted after it was taken and until before it is given back, and a program
 * that receives from, or looks into, a socket holds that socket by another one: so no suspect gets
 * a new reference while unix_lock is held. The pass is as long as the list, which the bound of
 * files on their way (unix_scm.c) keeps short. */
#include <weft/time.h>
#include <weft/work.h>

#include "unix.h"

#define AGAIN_NS (3 * NSEC_PER_SEC)

static struct work collect_work;
static LIST_HEAD(inflight); /* of unix_sock.inflight_node; guarded by unix_lock */

void unix_file_leaves(struct file *f)
{
	struct unix_sock *u = unix_of_file(f);
	bool first;

	if (!u)
		return;
	spin_lock(&unix_lock);
	first = list_empty(&inflight);
	if (!u->inflight++)
		list_add_tail(&u->inflight_node, &inflight);
	spin_unlock(&unix_lock);
	if (first)
		work_schedule_at(&collect_work, ktime_get() + AGAIN_NS);
}

void unix_file_arrives(struct file *f)
{
	struct unix_sock *u = unix_of_file(f);

	if (!u)
		return;
	spin_lock(&unix_lock);
	if (!--u->inflight)
		list_del(&u->inflight_node);
	spin_unlock(&unix_lock);
}

/* ---- one pass; unix_lock held ---- */

/* u's own queue, and a listener's connections that nobody has accepted. */
static void each_held(struct unix_sock *u, void (*fn)(struct unix_sock *held, void *arg), void *arg)
{
	struct unix_sock *end;

	unix_each_inflight_locked(u, fn, arg);
	list_for_each_entry(end, &u->backlog, backlog_node)
		unix_each_inflight_locked(end, fn, arg);
}

static void account(struct unix_sock *held, void *arg)
{
	if (held->suspect)
		held->trial--;
}

static void save(struct unix_sock *held, void *arg)
{
	if (!held->suspect || held->reached)
		return;
	held->reached = true;
	list_add_tail(&held->reach_node, (struct list_head *)arg);
}

static void find_suspects(void)
{
	struct unix_sock *u;

	list_for_each_entry(u, &inflight, inflight_node) {
		/* without its socket it is just being closed, and its queue emptied */
		u->suspect = u->s && u->s->file &&
			     (u32)refcount_read(&u->s->file->refs) == u->inflight;
		u->reached = false;
		u->trial = u->inflight;
	}
	list_for_each_entry(u, &inflight, inflight_node) {
		if (u->suspect)
			each_held(u, account, NULL);
	}
}

static void save_reachable(void)
{
	LIST_HEAD(saved); /* whose queues have to be looked at */
	struct unix_sock *u;

	list_for_each_entry(u, &inflight, inflight_node) {
		if (u->trial)
			save(u, &saved);
	}
	while (!list_empty(&saved)) {
		u = list_first_entry(&saved, struct unix_sock, reach_node);
		list_del(&u->reach_node);
		each_held(u, save, &saved);
	}
}

static void collect(struct work *w)
{
	struct unix_sock *u, *end;
	bool again;

	spin_lock(&unix_lock);
	find_suspects();
	save_reachable();
	list_for_each_entry(u, &inflight, inflight_node) {
		if (!u->suspect || u->reached)
			continue;
		unix_discard_files_locked(u);
		list_for_each_entry(end, &u->backlog, backlog_node)
			unix_discard_files_locked(end);
	}
	again = !list_empty(&inflight);
	spin_unlock(&unix_lock);
	if (again)
		work_schedule_at(&collect_work, ktime_get() + AGAIN_NS);
}

void unix_gc_schedule(void)
{
	if (!list_empty(&inflight))
		work_schedule(&collect_work);
}

void unix_gc_init(void)
{
	work_init(&collect_work, collect);
}
