/* SPDX-License-Identifier: MIT */
/* n_tty_read.c - the line discipline's reading side: whole lines in canonical mode, VMIN and VTIME
 * otherwise (POSIX 11.1.6, 11.1.7). read_mutex makes readers take turns; bytes leave the buffer
 * under tty->lock and are copied out after it, since that copy may sleep. */

#include "tty.h"

#include <uapi/stat.h>
#include <weft/string.h>
#include <weft/time.h>

#define READ_CHUNK 256
#define IDX(pos) ((pos) % TTY_INPUT_SIZE)
#define VTIME_UNIT (100 * NSEC_PER_MSEC)

static bool is_canonical(const struct tty *t)
{
	return t->termios.lflag & ICANON;
}

/* Without the lock this is a guess, which every caller confirms under it. */
bool n_tty_input_ready(struct tty *t)
{
	u32 min = 1;

	if (is_canonical(t))
		return READ_ONCE(t->canon_head) != READ_ONCE(t->tail);
	if (!t->termios.cc[VTIME] && t->termios.cc[VMIN])
		min = t->termios.cc[VMIN];
	return READ_ONCE(t->head) - READ_ONCE(t->tail) >= min;
}

u32 n_tty_available(struct tty *t)
{
	u32 n = 0;

	if (!is_canonical(t))
		return t->head - t->tail;
	for (u32 p = t->tail; p != t->canon_head; p++) {
		bool eof = t->input[IDX(p)] == CC_DISABLED &&
			   t->line_end[IDX(p) / 8] & BIT(IDX(p) % 8);

		n += !eof;
	}
	return n;
}

/* Moves at most n bytes to buf. *line_done: the line (or the end of file) is complete. */
static size_t take(struct tty *t, u8 *buf, size_t n, bool *line_done)
{
	bool canonical = is_canonical(t);
	u32 end = canonical ? t->canon_head : t->head;
	size_t got = 0;

	*line_done = false;
	while (t->tail != end && !*line_done) {
		u32 i = IDX(t->tail);
		bool ends = canonical && (t->line_end[i / 8] & BIT(i % 8));

		/* VEOF leaves no byte behind; it also ends a line that just filled the buffer */
		if (ends && t->input[i] == CC_DISABLED) {
			t->tail++;
			*line_done = true;
			break;
		}
		if (got == n)
			break;
		buf[got++] = t->input[i];
		t->tail++;
		*line_done = ends;
	}
	return got;
}

/* The driver may hold back bytes that were refused; IXOFF's other end may wait for its start. */
static void made_room(struct tty *t)
{
	bool resume;

	spin_lock(&t->lock);
	resume = t->throttled && t->head - t->tail < TTY_INPUT_SIZE / 2;
	if (resume)
		t->throttled = false;
	if (t->sent_stop && t->head - t->tail < TTY_INPUT_SIZE / 4) {
		u8 c = t->termios.cc[VSTART];

		t->sent_stop = t->driver->write(t, &c, 1) != 1;
	}
	if (resume && t->driver->resume)
		t->driver->resume(t);
	spin_unlock(&t->lock);
}

static bool is_dead(struct tty *t, struct tty_file *tf)
{
	return tty_file_hung_up(tf) || READ_ONCE(t->peer_closed);
}

struct read_rule {
	bool canonical;
	size_t min;  /* bytes to wait for before returning */
	u64 wait_ns; /* 0: as long as it takes */
	bool poll;   /* VMIN 0, VTIME 0: never wait */
};

static struct read_rule read_rule(struct tty *t)
{
	struct read_rule r = { .canonical = is_canonical(t), .min = 1 };
	u8 min = t->termios.cc[VMIN];
	u64 time = t->termios.cc[VTIME] * VTIME_UNIT;

	if (r.canonical)
		return r;
	if (min) {
		r.min = min;
		r.wait_ns = time; /* between bytes: starts with the first one */
	} else {
		r.wait_ns = time; /* for the first byte */
		r.poll = !time;
	}
	return r;
}

/* 0: something to take, or the time is over (*timed_out). */
static long wait_input(struct tty *t, struct file *f, const struct read_rule *r, bool got_some,
		       bool *timed_out)
{
	struct tty_file *tf = f->priv;
	bool between = t->termios.cc[VMIN] && r->wait_ns;
	u64 deadline = 0;
	long err;

#define HAVE_INPUT                                                       \
	(r->canonical ? READ_ONCE(t->canon_head) != READ_ONCE(t->tail) : \
			READ_ONCE(t->head) != READ_ONCE(t->tail))
	if (HAVE_INPUT)
		return 0;
	if (tty_file_hung_up(tf))
		return 1;
	if (READ_ONCE(t->peer_closed))
		return -EIO;
	if (r->poll) {
		*timed_out = true;
		return 0;
	}
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	err = tty_check_background(t, SIGTTIN);
	if (err)
		return err;
	if (r->wait_ns && (!between || got_some))
		deadline = ktime_get() + r->wait_ns;
	/* a change of ICANON decides anew what input is */
	err = wait_event_interruptible_timeout(
		&t->read_wait, HAVE_INPUT || is_dead(t, tf) || is_canonical(t) != r->canonical,
		deadline);
#undef HAVE_INPUT
	*timed_out = err == -ETIMEDOUT;
	return *timed_out ? 0 : err;
}

static long read_locked(struct tty *t, struct file *f, struct iov_iter *to)
{
	long total = 0;

	while (to->count) {
		struct read_rule r = read_rule(t);
		bool wait = !total || (!r.canonical && (size_t)total < r.min);
		bool line_done, timed_out = false;
		u8 chunk[READ_CHUNK];
		long err = 0, copied;
		size_t n;

		if (wait)
			err = wait_input(t, f, &r, total > 0, &timed_out);
		if (err > 0 || timed_out)
			break;
		if (err)
			return total ? total : err;
		spin_lock(&t->lock);
		n = take(t, chunk, min(to->count, sizeof(chunk)), &line_done);
		spin_unlock(&t->lock);
		if (n) {
			copied = iter_copy_to(chunk, n, to);
			if (copied < 0)
				return total ? total : copied;
			total += copied;
		}
		/* nothing taken: a line without an end, or what came was flushed */
		if (line_done || (!n && !wait))
			break;
	}
	return total;
}

long n_tty_read(struct tty *t, struct file *f, struct iov_iter *to)
{
	long n = tty_check_background(t, SIGTTIN);

	if (n)
		return n;
	if (!to->count)
		return 0;
	if (f->flags & O_NONBLOCK) {
		if (!mutex_trylock(&t->read_mutex))
			return -EAGAIN;
	} else {
		n = mutex_lock_interruptible(&t->read_mutex);
		if (n)
			return n;
	}
	n = read_locked(t, f, to);
	mutex_unlock(&t->read_mutex);
	made_room(t);
	return n;
}
