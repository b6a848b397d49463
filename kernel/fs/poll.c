/* SPDX-License-Identifier: MIT */
/* poll.c - poll(2) and ppoll(2), and the set of wait queues that select(2) uses too. In the first
 * round every file is asked and hung on; after a wake-up all are asked again. */
#include "poll.h"

#include <core/syscall.h>

#define FAST_FDS 16

/* ---- the set ---- */

static bool poll_woken(struct wait_entry *w, u32 key)
{
	struct poll_entry *e = container_of(w, struct poll_entry, wait);

	if (key && !(key & e->events))
		return false;
	WRITE_ONCE(e->set->triggered, true);
	wake_up(&e->set->wake);
	return true;
}

static struct poll_entry *entry_get_free(struct poll_set *s)
{
	struct poll_chunk *c = s->chunks;

	if (s->nr < POLL_INLINE)
		return &s->entry[s->nr++];
	if (!c || c->nr == ARRAY_SIZE(c->entry)) {
		c = kmalloc(sizeof(*c));
		if (!c)
			return NULL;
		c->nr = 0;
		c->next = s->chunks;
		s->chunks = c;
	}
	return &c->entry[c->nr++];
}

static void poll_hang(struct poll_table *pt, struct wait_queue *q)
{
	struct poll_set *s = (struct poll_set *)pt;
	struct poll_entry *e = entry_get_free(s);

	if (!e) {
		s->err = -ENOMEM;
		return;
	}
	e->wait = (struct wait_entry){ .wake = poll_woken };
	e->queue = q;
	e->file = file_get(s->file);
	e->set = s;
	e->events = s->events;
	wait_add(q, &e->wait);
}

void poll_set_init(struct poll_set *s)
{
	s->pt.queue = poll_hang;
	wait_queue_init(&s->wake);
	s->triggered = false;
	s->err = 0;
	s->nr = 0;
	s->chunks = NULL;
}

static void entry_drop(struct poll_entry *e)
{
	wait_del(e->queue, &e->wait);
	file_put(e->file);
}

void poll_set_free(struct poll_set *s)
{
	u32 i;

	for (i = 0; i < s->nr; i++)
		entry_drop(&s->entry[i]);
	while (s->chunks) {
		struct poll_chunk *c = s->chunks;

		for (i = 0; i < c->nr; i++)
			entry_drop(&c->entry[i]);
		s->chunks = c->next;
		kfree(c);
	}
}

u32 poll_set_ask(struct poll_set *s, struct file *f, u32 events, bool hang)
{
	events |= POLLERR | POLLHUP;
	s->file = f;
	s->events = events;
	return file_poll(f, hang ? &s->pt : NULL) & events;
}

void poll_set_arm(struct poll_set *s)
{
	WRITE_ONCE(s->triggered, false);
	smp_mb(); /* against the wake-up that follows a change of what is asked next */
}

int poll_set_sleep(struct poll_set *s, u64 deadline_ns)
{
	return wait_event_interruptible_timeout(&s->wake, READ_ONCE(s->triggered), deadline_ns);
}

u64 deadline_in(u64 ns)
{
	u64 end;

	return __builtin_add_overflow(ktime_get(), ns, &end) ? 0 : end ? end : 1;
}

/* ---- poll ---- */

struct pollfd {
	int fd;
	s16 events, revents;
};

/* Asks all; how many have something. */
static u32 ask_all(struct poll_set *s, struct pollfd *fds, u32 n, bool hang)
{
	u32 found = 0, i;

	for (i = 0; i < n; i++) {
		struct file *f;
		bool put;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		f = fd_borrow(fds[i].fd, &put);
		if (f) /* what is ready ends the wait: nobody needs to be hung on any more */
			fds[i].revents =
				(s16)poll_set_ask(s, f, (u16)fds[i].events, hang && !found);
		else
			fds[i].revents = POLLNVAL;
		if (f)
			fd_return(f, put);
		if (fds[i].revents)
			found++;
	}
	return found;
}

/* deadline 0: for ever; wait false: only looks. Ready ones, 0 at the deadline, -ERESTARTNOHAND. */
static long poll_all(struct pollfd *fds, u32 n, u64 deadline, bool wait)
{
	struct poll_set s;
	bool hang = wait;
	long ret;

	poll_set_init(&s);
	for (;;) {
		int err;

		poll_set_arm(&s);
		ret = ask_all(&s, fds, n, hang);
		if (ret || !wait)
			break;
		hang = false;
		if (s.err) {
			ret = s.err;
			break;
		}
		err = poll_set_sleep(&s, deadline);
		if (err == -ETIMEDOUT)
			wait = false; /* one last look */
		else if (err) {
			ret = -ERESTARTNOHAND;
			break;
		}
	}
	poll_set_free(&s);
	return ret;
}

static long do_poll(u64 ufds, u64 n, u64 deadline, bool wait)
{
	struct pollfd fast[FAST_FDS], *fds = fast;
	long ret;
	u32 i;

	if (n > current_proc()->rlim[7].cur) /* RLIMIT_NOFILE */
		return -EINVAL;
	if (n > FAST_FDS) {
		fds = kcalloc(n, sizeof(*fds));
		if (!fds)
			return -ENOMEM;
	}
	ret = n ? copy_from_user(fds, (const void __user *)ufds, n * sizeof(*fds)) : 0;
	if (!ret)
		ret = poll_all(fds, (u32)n, deadline, wait);
	for (i = 0; ret >= 0 && i < n; i++) {
		u64 at = ufds + i * sizeof(*fds) + offsetof(struct pollfd, revents);

		if (copy_to_user((void __user *)at, &fds[i].revents, sizeof(s16)))
			ret = -EFAULT;
	}
	if (fds != fast)
		kfree(fds);
	return ret;
}

/* After a stop the rest of the time is waited for, not all of it again. */
static long poll_restart(struct thread *t)
{
	long ret = do_poll(t->restart.arg[0], t->restart.arg[1], t->restart.arg[2], true);

	if (ret != -ERESTARTNOHAND)
		return ret;
	t->restart.fn = poll_restart;
	return -ERESTART_RESTARTBLOCK;
}

SYSCALL(7, poll)
{
	int ms = (int)c;
	u64 deadline = ms > 0 ? deadline_in((u64)ms * NSEC_PER_MSEC) : 0;
	long ret = do_poll(a, (u32)b, deadline, ms != 0);

	if (ret == -ERESTARTNOHAND) {
		struct thread *t = current();

		t->restart.arg[0] = a;
		t->restart.arg[1] = (u32)b;
		t->restart.arg[2] = deadline;
		t->restart.fn = poll_restart;
		return -ERESTART_RESTARTBLOCK;
	}
	return ret;
}

int sigmask_from_user(u64 uset, u64 size)
{
	u64 mask;

	if (!uset)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, (const void __user *)uset, sizeof(mask)))
		return -EFAULT;
	sigmask_swap(mask);
	return 0;
}

SYSCALL(271, ppoll)
{
	u64 ns = 0, deadline = 0, left;
	long ret = c ? timespec_from_user(c, &ns) : 0;

	if (!ret)
		ret = sigmask_from_user(d, e);
	if (ret)
		return ret;
	if (c)
		deadline = deadline_in(ns);
	ret = do_poll(a, (u32)b, deadline, !c || ns);
	if (c && ns) {
		left = ktime_get();
		timespec_to_user(c, deadline > left ? deadline - left : 0);
	}
	return ret;
}
