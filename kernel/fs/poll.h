/* SPDX-License-Identifier: MIT */
/* poll.h - what poll(2) and select(2) share: hanging on the wait queues of many files at once. */
#pragma once

#include "fs.h"

#define POLL_INLINE 8

struct poll_entry {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct file *file; /* keeps the queue alive */
	struct poll_set *set;
	u32 events; /* wake-ups for other ones are ignored */
};

struct poll_chunk {
	struct poll_chunk *next;
	u32 nr;
	struct poll_entry entry[60];
};

struct poll_set {
	struct poll_table pt; /* first */
	struct wait_queue wake;
	bool triggered;
	int err; /* -ENOMEM when a file could not be hung on */
	/* of the file that is being asked */
	struct file *file;
	u32 events;
	/* all entries */
	u32 nr;
	struct poll_entry entry[POLL_INLINE];
	struct poll_chunk *chunks;
};

void poll_set_init(struct poll_set *s);
void poll_set_free(struct poll_set *s);
/* One file's present events among the wanted ones, POLLERR and POLLHUP; hangs on it while hang. */
u32 poll_set_ask(struct poll_set *s, struct file *f, u32 events, bool hang);
/* Before each round of asking; then sleeps unless something came since. 0, -ETIMEDOUT,
 * -ERESTARTSYS. */
void poll_set_arm(struct poll_set *s);
int poll_set_sleep(struct poll_set *s, u64 deadline_ns);
/* The signal mask of a p-call for its duration; uset 0: none. 0, -EINVAL, -EFAULT. */
int sigmask_from_user(u64 uset, u64 size);
/* A time from now as an absolute one: never 0, which means none. */
u64 deadline_in(u64 ns);
