/* SPDX-License-Identifier: MIT */
/* app.c - the conversations: each end writes, reads and checks at once, without blocking on either,
 * until both directions have ended or something failed. */
#include "app.h"

#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/string.h>
#include <weft/time.h>

#include "calls.h"
#include "sim.h"

#define CHUNK_MAX 65536
#define CONNECT_TRIES 8
#define RETRY_NS (50 * NSEC_PER_MSEC)
#define STUCK_MS 600000
#define VAIN_MAX 200

#define TCP_NODELAY 1
#define TCP_CORK 3
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
#define TCP_QUICKACK 12
#define TCP_CONGESTION 13
#define TCP_USER_TIMEOUT 18

/* ---- octets ---- */

static u8 octet(u64 key, u64 at)
{
	u64 z = key + (at >> 3) * 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 29) * 0xbf58476d1ce4e5b9ull;
	return z >> (8 + (at & 7) * 7);
}

static void fill(u8 *p, u64 key, u64 at, u32 n)
{
	while (n--)
		*p++ = octet(key, at++);
}

/* ---- one end ---- */

struct talk {
	struct app *a;
	int fd;
	u8 *buf;
	u32 sends, since_pause, vain; /* vain: ready, and yet nothing moved, so many times */
	bool ended, idled;	      /* our FIN is on its way; the first pause is over */
	u64 rest_until;		      /* the reader's */
};

static void note(struct app *a, const char *where, long err)
{
	if (a->error)
		return;
	a->error = err;
	a->where = where;
}

/* What passes when there is memory again. */
static bool passes(long err)
{
	return err == -ENOMEM || err == -ENOBUFS || err == -EAGAIN || err == -EINTR ||
	       err == -ENFILE;
}

static int set(int fd, int level, int opt, int v)
{
	int err;

	while ((err = c_setint(fd, level, opt, v)) == -ENOMEM)
		sleep_ns(RETRY_NS);
	return err;
}

static int set_buffers(int fd, int rcvbuf, int sndbuf)
{
	int err = 0;

	if (rcvbuf)
		err = set(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf);
	if (!err && sndbuf)
		err = set(fd, SOL_SOCKET, SO_SNDBUF, sndbuf);
	return err;
}

static int configure(const struct app *a, int fd)
{
	int err = set_buffers(fd, a->rcvbuf, a->sndbuf);

	if (!err && a->nodelay)
		err = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!err && a->cork)
		err = set(fd, IPPROTO_TCP, TCP_CORK, 1);
	if (!err && a->quickack)
		err = set(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	if (!err && a->user_timeout_ms)
		err = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, a->user_timeout_ms);
	if (!err && a->in->oob_every)
		err = set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	if (!err && a->keepalive) {
		err = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		if (!err)
			err = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
		if (!err)
			err = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 3);
		if (!err)
			err = set(fd, IPPROTO_TCP, TCP_KEEPCNT, 20);
	}
	if (err)
		return err;
	/* an algorithm that is not there, or has no memory, is no harm */
	if (a->congestion)
		c_setopt(fd, IPPROTO_TCP, TCP_CONGESTION, a->congestion, strlen(a->congestion));
	return 0;
}

static int open_socket(struct app *a)
{
	int fd, err;

	while (passes(fd = c_socket(a->af, SOCK_STREAM, 0)))
		sleep_ns(RETRY_NS);
	if (fd < 0)
		return fd;
	err = configure(a, fd);
	if (!err && a->simultaneous)
		err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	while (!err && a->local_port &&
	       passes(err = c_bind_to(fd, a->af, &a->local, a->local_port)))
		sleep_ns(RETRY_NS);
	if (!err)
		return fd;
	c_close(fd);
	return err;
}

static int connect_once(struct app *a)
{
	int fd = open_socket(a), err;

	if (fd < 0)
		return fd;
	err = c_connect_to(fd, a->af, &a->remote, a->remote_port);
	if (!err)
		return fd;
	c_close(fd);
	return err;
}

static int make_connection(struct app *a)
{
	u32 tries;
	int fd = 0;

	for (tries = 0; tries < CONNECT_TRIES; tries++) {
		fd = connect_once(a);
		if (fd >= 0)
			break;
		/* lost too often; a full backlog; the other end is not there yet */
		if (!passes(fd) && fd != -ETIMEDOUT && fd != -ECONNRESET && fd != -ECONNREFUSED &&
		    fd != -EADDRINUSE && fd != -EHOSTUNREACH)
			break;
		a->again = true;
		sleep_ns(RETRY_NS * (tries + 1));
	}
	return fd;
}

/* ---- both directions ---- */

/* How many octets may be written now: a request waits for the answer before it, and the reverse. */
static u64 write_limit(const struct app *a)
{
	u64 out = a->out->bytes, in = a->in->bytes, round;

	if (!a->rounds || !in || !out)
		return out;
	round = a->read * a->rounds / in; /* rounds heard */
	round += !a->server;
	return round >= a->rounds ? out : (out * round + a->rounds - 1) / a->rounds;
}

static bool aborts(const struct app *a)
{
	return a->end == APP_ABORT && a->read + a->written >= a->abort_at;
}

/* False: nothing more to be written, or not now. */
static bool write_some(struct talk *t)
{
	struct app *a = t->a;
	u64 left = write_limit(a) - a->written;
	u32 n = min(left, (u64)min(a->out->chunk, (u32)CHUNK_MAX));
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	long sent;

	if (t->ended || !n)
		return false;
	if (a->out->oob_every && ++t->sends % a->out->oob_every == 0) {
		flags |= MSG_OOB;
		n = 1;
	}
	fill(t->buf, a->out->key, a->written, n);
	sent = c_send(t->fd, t->buf, n, flags);
	if (sent > 0)
		a->written += sent;
	else if (!passes(sent))
		note(a, "send", sent ? sent : -EIO);
	return sent > 0;
}

static bool resting(struct talk *t)
{
	return t->rest_until && ktime_get() < t->rest_until;
}

static void check_octets(struct app *a, const u8 *p, u32 n)
{
	u32 i;

	for (i = 0; i < n && !a->wrong_at; i++) {
		if (p[i] != octet(a->in->key, a->read + i))
			a->wrong_at = a->read + i + 1;
	}
}

static bool read_some(struct talk *t)
{
	struct app *a = t->a;
	u32 room = a->in->pause_every ? a->in->pause_every - t->since_pause : CHUNK_MAX;
	long n;

	if (a->saw_end || resting(t))
		return false;
	n = c_recv(t->fd, t->buf, min(room, (u32)CHUNK_MAX), MSG_DONTWAIT);
	if (n < 0) {
		if (!passes(n))
			note(a, "recv", n);
		return false;
	}
	if (!n) {
		a->saw_end = true;
		return true;
	}
	check_octets(a, t->buf, n);
	a->read += n;
	t->since_pause += n;
	if (a->in->pause_every && t->since_pause >= a->in->pause_every) {
		t->since_pause = 0;
		t->rest_until = ktime_get() + a->in->read_pause_ms * NSEC_PER_MSEC;
	}
	return true;
}

static void end_writing(struct talk *t)
{
	struct app *a = t->a;
	int err;

	if (t->ended || a->written < a->out->bytes || a->end == APP_LEAVE)
		return;
	t->ended = true;
	err = c_shutdown(t->fd, SHUT_WR);
	if (err && err != -ENOTCONN)
		note(a, "shutdown", err);
}

/* Waits until one of both directions can go on. */
static void wait_some(struct talk *t)
{
	struct app *a = t->a;
	bool write = !t->ended && a->written < write_limit(a);
	u32 events = write ? POLLOUT : 0;
	long got;

	if (resting(t)) {
		u64 left = t->rest_until - ktime_get();

		if (!write) {
			sleep_ns(left);
			return;
		}
		got = c_poll(t->fd, events, left / NSEC_PER_MSEC + 1);
		if (got & (POLLERR | POLLHUP))
			sleep_ns(t->rest_until > ktime_get() ? t->rest_until - ktime_get() : 0);
		return;
	}
	t->rest_until = 0;
	if (!a->saw_end)
		events |= POLLIN;
	got = c_poll(t->fd, events, STUCK_MS);
	if (!got)
		note(a, "poll: nothing for ten minutes", -ETIMEDOUT);
	else if (++t->vain > VAIN_MAX)
		note(a,
		     got & POLLOUT ? "ready for writing, but nothing moves" :
				     "ready for reading, but nothing moves",
		     -EIO);
	else if (t->vain > 1) /* without memory it may be so for a moment */
		sleep_ns(t->vain * NSEC_PER_MSEC);
}

static bool finished(const struct talk *t)
{
	const struct app *a = t->a;

	if (a->error || aborts(a))
		return true;
	if (a->end == APP_LEAVE && a->written == a->out->bytes)
		return true;
	return t->ended && a->saw_end;
}

static void converse(struct talk *t)
{
	struct app *a = t->a;

	if (a->in->first_pause_ms)
		t->rest_until = ktime_get() + a->in->first_pause_ms * NSEC_PER_MSEC;
	while (!finished(t)) {
		bool moved = write_some(t);

		moved |= !a->error && !aborts(a) && read_some(t);
		end_writing(t);
		if (moved)
			t->vain = 0;
		else if (!finished(t))
			wait_some(t);
	}
}

static void leave(struct talk *t)
{
	const struct {
		int on, seconds;
	} linger = { 1, 0 };

	if (t->a->end == APP_ABORT)
		c_setopt(t->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	c_close(t->fd);
}

static void talk(struct app *a, int fd)
{
	struct talk t = { .a = a, .fd = fd };

	while (!(t.buf = kmalloc(CHUNK_MAX)))
		sleep_ns(RETRY_NS);
	a->connected = true;
	if (a->idle_ms)
		sleep_ns(a->idle_ms * NSEC_PER_MSEC);
	converse(&t);
	leave(&t);
	kfree(t.buf);
	a->done_ns = sim_now();
}

static long connect_and_talk(void *app)
{
	struct app *a = app;
	int fd;

	sleep_ns(a->start_ms * NSEC_PER_MSEC);
	fd = make_connection(a);
	if (fd >= 0)
		talk(a, fd);
	else
		note(a, "connect", fd);
	return 0;
}

static struct app *end_for(struct app_worker *w, int fd)
{
	u32 n = w->nr_ends > 1 ? (u32)c_peer_port(fd) - w->first_port : 0;

	return n < w->nr_ends ? (struct app *)((u8 *)w->end + n * w->stride) : NULL;
}

/* The connection before came to nothing for the client, who tried once more. */
static void begin_again(struct app *a)
{
	a->again = true;
	a->written = a->read = a->wrong_at = 0;
	a->error = 0;
	a->saw_end = false;
}

static long serve(void *worker)
{
	struct app_worker *w = worker;
	struct app *a;
	int fd;

	for (;;) {
		while (passes(fd = c_accept(w->listener, 0)) || fd == -ECONNABORTED)
			sleep_ns(RETRY_NS);
		if (fd < 0)
			return fd;
		a = end_for(w, fd);
		if (!a) { /* reset before it was accepted: nobody's any more */
			c_close(fd);
			continue;
		}
		if (a->connected)
			begin_again(a);
		configure(a, fd);
		talk(a, fd);
	}
}

/* ---- listeners ---- */

static long do_listen(void *req)
{
	struct app_listen *l = req;
	int fd = c_socket(l->af, SOCK_STREAM, 0), err;

	if (fd < 0)
		return fd;
	err = set_buffers(fd, l->rcvbuf, l->sndbuf);
	if (!err)
		err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err)
		err = c_bind_to(fd, l->af, &l->addr, l->port);
	if (!err)
		err = c_listen(fd, l->backlog);
	if (!err)
		return fd;
	c_close(fd);
	return err;
}

static long do_close(void *number)
{
	int fd = *(int *)number;

	c_shutdown(fd, SHUT_RDWR);
	sim_run_ms(1);
	return c_close(fd);
}

const struct app_ops app_ops = {
	.connect = connect_and_talk,
	.serve = serve,
	.listen = do_listen,
	.close = do_close,
};
