/* SPDX-License-Identifier: MIT */
/* select.c - select(2) and pselect(2): bit sets of descriptors over the machinery of poll. */
#include "poll.h"

#include <core/syscall.h>

#define IN_SET (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_SET (POLLWRNORM | POLLOUT | POLLERR)
#define EX_SET POLLPRI
#define MAX_FDS 65536u

/* Three sets asked for and three to give back, one behind the other: words 64-bit words each. */
struct fd_sets {
	u32 n, words;
	u64 *in, *out;
	u64 fast[6 * 4];
};

static int sets_get(struct fd_sets *s, u32 n, const u64 user[3])
{
	u32 i;

	s->n = n;
	s->words = DIV_ROUND_UP(n, 64);
	s->in = s->fast;
	if (s->words > 4) {
		s->in = kmalloc(6 * s->words * sizeof(u64));
		if (!s->in)
			return -ENOMEM;
	}
	memset(s->in, 0, 6 * s->words * sizeof(u64));
	s->out = s->in + 3 * s->words;
	for (i = 0; i < 3; i++) {
		if (user[i] && copy_from_user(s->in + i * s->words, (const void __user *)user[i],
					      s->words * sizeof(u64))) {
			if (s->in != s->fast)
				kfree(s->in);
			return -EFAULT;
		}
	}
	return 0;
}

static void sets_put(struct fd_sets *s)
{
	if (s->in != s->fast)
		kfree(s->in);
}

static int sets_to_user(const struct fd_sets *s, const u64 user[3])
{
	u32 i;

	for (i = 0; i < 3; i++) {
		if (user[i] && copy_to_user((void __user *)user[i], s->out + i * s->words,
					    s->words * sizeof(u64)))
			return -EFAULT;
	}
	return 0;
}

/* Asks one descriptor: how many of its wanted bits are set in out, or -EBADF. */
static int ask_fd(struct poll_set *set, struct fd_sets *s, u32 fd, bool hang)
{
	static const u32 masks[3] = { IN_SET, OUT_SET, EX_SET };
	u32 w = fd / 64, events = 0, ready, i;
	u64 bit = BIT64(fd % 64);
	struct file *f;
	int found = 0;
	bool put;

	for (i = 0; i < 3; i++) {
		if (s->in[i * s->words + w] & bit)
			events |= masks[i];
	}
	if (!events)
		return 0;
	f = fd_borrow((int)fd, &put);
	if (!f)
		return -EBADF;
	ready = poll_set_ask(set, f, events, hang);
	fd_return(f, put);
	for (i = 0; i < 3; i++) {
		if (s->in[i * s->words + w] & bit && ready & masks[i]) {
			s->out[i * s->words + w] |= bit;
			found++;
		}
	}
	return found;
}

static long ask_all(struct poll_set *set, struct fd_sets *s, bool hang)
{
	long found = 0;
	u32 fd;

	for (fd = 0; fd < s->n; fd++) {
		u32 w = fd / 64;
		int ret;

		if (!(s->in[w] | s->in[s->words + w] | s->in[2 * s->words + w])) {
			fd |= 63;
			continue;
		}
		ret = ask_fd(set, s, fd, hang && !found);
		if (ret < 0)
			return ret;
		found += ret;
	}
	return found;
}

static long select_all(struct fd_sets *s, u64 deadline, bool wait)
{
	struct poll_set set;
	bool hang = wait;
	long ret;

	poll_set_init(&set);
	for (;;) {
		int err;

		poll_set_arm(&set);
		ret = ask_all(&set, s, hang);
		if (ret || !wait)
			break;
		hang = false;
		ret = set.err;
		if (ret)
			break;
		err = poll_set_sleep(&set, deadline);
		if (err == -ETIMEDOUT) {
			wait = false;
		} else if (err) {
			ret = -ERESTARTNOHAND;
			break;
		}
	}
	poll_set_free(&set);
	return ret;
}

static long do_select(int n, const u64 user[3], u64 deadline, bool wait)
{
	struct fd_sets s;
	long ret;

	if (n < 0)
		return -EINVAL;
	ret = sets_get(&s, min((u32)n, MAX_FDS), user);
	if (ret)
		return ret;
	ret = select_all(&s, deadline, wait);
	if (ret >= 0 && sets_to_user(&s, user))
		ret = -EFAULT;
	sets_put(&s);
	return ret;
}

static u64 time_left(u64 deadline)
{
	u64 now = ktime_get();

	return deadline > now ? deadline - now : 0;
}

SYSCALL(23, select)
{
	const u64 user[3] = { b, c, d };
	u64 ns = 0, deadline = 0;
	s64 tv[2];
	long ret;

	if (e) {
		if (copy_from_user(tv, (const void __user *)e, sizeof(tv)))
			return -EFAULT;
		if (tv[0] < 0 || tv[1] < 0)
			return -EINVAL;
		ns = (u64)min(tv[0], (s64)1 << 32) * NSEC_PER_SEC +
		     (u64)tv[1] % (1ull << 32) * NSEC_PER_USEC;
		deadline = deadline_in(ns);
	}
	ret = do_select((int)a, user, deadline, !e || ns);
	if (e) {
		ns = time_left(deadline);
		tv[0] = (s64)(ns / NSEC_PER_SEC);
		tv[1] = (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
		copy_to_user((void __user *)e, tv, sizeof(tv));
	}
	return ret;
}

SYSCALL(270, pselect6)
{
	const u64 user[3] = { b, c, d };
	u64 ns = 0, deadline = 0, sig[2];
	long ret = 0;

	if (e)
		ret = timespec_from_user(e, &ns);
	if (!ret && f) {
		ret = copy_from_user(sig, (const void __user *)f, sizeof(sig));
		if (!ret)
			ret = sigmask_from_user(sig[0], sig[1]);
	}
	if (ret)
		return ret;
	if (e)
		deadline = deadline_in(ns);
	ret = do_select((int)a, user, deadline, !e || ns);
	if (e)
		timespec_to_user(e, time_left(deadline));
	return ret;
}
