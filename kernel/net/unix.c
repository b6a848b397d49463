/* SPDX-License-Identifier: MIT */
/* unix.c - AF_UNIX: connections within this machine (unix(7)). A connect makes the other end at
 * once and hangs it on the listener; accept only gives it a file. */
#define LOG_NAME "unix: "
#include <core/proc.h>
#include <weft/alloc.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "socket_internal.h"
#include "unix.h"

#define FIONREAD 0x541b
#define SIOCATMARK 0x8905

struct spinlock unix_lock = SPINLOCK_INIT;

/* ---- control blocks ---- */

struct unix_cred unix_current_cred(void)
{
	return (struct unix_cred){ current_pid(), current_uid(), current_gid() };
}

struct unix_sock *unix_new(u16 type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	refcount_set(&u->refs, 1);
	u->type = type;
	list_init(&u->rx);
	list_init(&u->backlog);
	list_init(&u->backlog_node);
	list_init(&u->bound_node);
	list_init(&u->inflight_node);
	list_init(&u->reach_node);
	wait_queue_init(&u->space);
	u->cred = unix_current_cred();
	u->peer_cred = (struct unix_cred){ 0, ~0u, ~0u };
	return u;
}

void unix_get(struct unix_sock *u)
{
	refcount_inc(&u->refs);
}

void unix_put(struct unix_sock *u)
{
	if (refcount_dec_and_test(&u->refs))
		kfree(u);
}

void unix_wake_locked(struct unix_sock *u, u32 events)
{
	if (u->s)
		socket_wake(u->s, events);
}

static void attach(struct socket *s, struct unix_sock *u);

static int unix_create(struct socket *s)
{
	struct unix_sock *u;

	if (s->protocol && s->protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (s->type == SOCK_RAW)
		s->type = SOCK_DGRAM; /* as Linux */
	if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_new(s->type);
	if (!u)
		return -ENOMEM;
	attach(s, u);
	return 0;
}

/* unix_lock held. Two ends of a connection, or two datagram sockets of a pair. */
static void link_locked(struct unix_sock *a, struct unix_sock *b)
{
	unix_get(a);
	unix_get(b);
	a->peer = b;
	b->peer = a;
	a->peer_cred = b->cred;
	b->peer_cred = a->cred;
	if (a->type != SOCK_DGRAM)
		a->state = b->state = UNIX_CONNECTED;
}

/* ---- connecting ---- */

static int connect_datagram(struct unix_sock *u, const u8 *name, u32 len)
{
	struct unix_sock *to = NULL, *old;

	if ((name[0] | name[1] << 8) != AF_UNSPEC) {
		to = unix_find(name, len, u->type);
		if (IS_ERR(to))
			return PTR_ERR(to);
	}
	spin_lock(&unix_lock);
	old = u->peer;
	u->peer = to;
	if (to)
		u->peer_cred = to->cred;
	spin_unlock(&unix_lock);
	if (old)
		unix_put(old);
	return 0;
}

static bool backlog_room(struct unix_sock *l)
{
	return READ_ONCE(l->state) != UNIX_LISTENING || READ_ONCE(l->nr_backlog) <= l->max_backlog;
}

/* Hangs the new end on the listener. */
static int join_backlog(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	int err = 0;

	spin_lock(&unix_lock);
	if (u->state != UNIX_IDLE)
		err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	else if (l->state != UNIX_LISTENING)
		err = -ECONNREFUSED;
	else if (l->nr_backlog > l->max_backlog)
		err = -EAGAIN;
	if (!err) {
		end->cred = l->cred;
		memcpy(end->name, l->name, l->name_len);
		end->name_len = l->name_len;
		link_locked(u, end);
		list_add_tail(&end->backlog_node, &l->backlog);
		l->nr_backlog++;
		unix_wake_locked(l, POLLIN | POLLRDNORM);
	}
	spin_unlock(&unix_lock);
	return err;
}

static int unix_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct unix_sock *u = s->priv, *l, *end;
	int err;

	if (s->type == SOCK_DGRAM)
		return connect_datagram(u, name, len);
	l = unix_find(name, len, u->type);
	if (IS_ERR(l))
		return PTR_ERR(l);
	end = unix_new(u->type);
	u->cred = unix_current_cred();
	err = end ? -EAGAIN : -ENOMEM;
	while (err == -EAGAIN) {
		err = join_backlog(u, l, end);
		if (err != -EAGAIN || nonblock)
			break;
		err = UNIX_WAIT_SPACE(s, l, backlog_room(l));
		if (err)
			break;
		err = -EAGAIN;
	}
	if (err && end)
		unix_put(end);
	unix_put(l);
	return err;
}

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = s->priv;
	int err = 0;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	spin_lock(&unix_lock);
	if (!u->name_len || (u->state != UNIX_IDLE && u->state != UNIX_LISTENING))
		err = -EINVAL;
	if (!err) {
		u->state = UNIX_LISTENING;
		u->max_backlog = backlog;
		u->cred = unix_current_cred();
	}
	spin_unlock(&unix_lock);
	wake_up_all(&u->space);
	return err;
}

static int unix_accept(struct socket *s, struct socket *child, bool nonblock)
{
	u64 deadline = socket_deadline(s, false);
	struct unix_sock *u = s->priv, *end;
	int err;

	for (;;) {
		if (u->state != UNIX_LISTENING)
			return s->type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
		spin_lock(&unix_lock);
		end = list_first_entry_or_null(&u->backlog, struct unix_sock, backlog_node);
		if (end) {
			list_del(&end->backlog_node);
			u->nr_backlog--;
		}
		spin_unlock(&unix_lock);
		if (end)
			break;
		if (s->shut & 1)
			return -EINVAL;
		if (nonblock)
			return -EAGAIN;
		err = socket_wait(s, deadline);
		if (err)
			return err;
	}
	wake_up_all(&u->space);
	attach(child, end); /* the backlog's reference becomes the socket's */
	return 0;
}

static int unix_pair(struct socket *a, struct socket *b)
{
	spin_lock(&unix_lock);
	link_locked(a->priv, b->priv);
	spin_unlock(&unix_lock);
	return 0;
}

/* ---- the end ---- */

/* unix_lock held: what the peer of an end that goes away notices. The two references are returned
 * to the caller by *peer being set. */
static void unlink_locked(struct unix_sock *u, struct unix_sock **peer, bool refused)
{
	struct unix_sock *p = u->peer;

	*peer = p;
	if (!p)
		return;
	u->peer = NULL;
	if (p->peer != u || u->type == SOCK_DGRAM)
		return;
	p->no_more_rx = p->no_more_tx = true;
	p->state = UNIX_ENDED;
	/* Linux: data that was never read, or never being accepted, makes the end a reset */
	if (p->s && (refused || unix_has_unread_locked(u)))
		socket_set_error(p->s, ECONNRESET);
	unix_wake_locked(p, POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLRDNORM | POLLWRNORM);
}

/* Ends u, which no socket has (any more), and gives up the reference that was the socket's. A peer
 * keeps its own to u until it ends too: accept and getpeername(2) still tell of u then. */
static void end_sock(struct unix_sock *u, bool refused)
{
	struct unix_sock *peer;

	spin_lock(&unix_lock);
	unlink_locked(u, &peer, refused);
	u->state = UNIX_ENDED;
	spin_unlock(&unix_lock);
	if (peer)
		unix_put(peer);
	wake_up_all(&u->space);
	unix_drain(u);
	unix_put(u);
}

static void unix_close(struct socket *s)
{
	struct unix_sock *u = s->priv, *end;
	LIST_HEAD(waiting);

	if (!u)
		return;
	unix_unbind(u);
	spin_lock(&unix_lock);
	u->s = NULL;
	if (u->state == UNIX_LISTENING)
		u->state = UNIX_ENDED;
	list_splice_tail(&u->backlog, &waiting);
	u->nr_backlog = 0;
	spin_unlock(&unix_lock);
	while (!list_empty(&waiting)) {
		end = list_first_entry(&waiting, struct unix_sock, backlog_node);
		list_del(&end->backlog_node);
		end_sock(end, true);
	}
	end_sock(u, false);
	unix_gc_schedule();
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = s->priv, *p;
	bool rd = how != SHUT_WR, wr = how != SHUT_RD;

	spin_lock(&unix_lock);
	u->no_more_rx |= rd;
	u->no_more_tx |= wr;
	p = u->type != SOCK_DGRAM ? u->peer : NULL;
	if (p) {
		p->no_more_rx |= wr;
		p->no_more_tx |= rd;
		unix_wake_locked(p, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	}
	spin_unlock(&unix_lock);
	return 0;
}

/* ---- asking ---- */

static int unix_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	struct unix_sock *u = s->priv, *of;

	spin_lock(&unix_lock);
	of = which == SOCKET_NAME_OWN ? u : u->peer;
	if (!of) {
		spin_unlock(&unix_lock);
		return -ENOTCONN;
	}
	name[0] = AF_UNIX;
	*len = 2;
	if (of->name_len) {
		memcpy(name, of->name, of->name_len);
		*len = of->name_len;
	}
	spin_unlock(&unix_lock);
	return 0;
}

static u32 unix_poll(struct socket *s)
{
	struct unix_sock *u = s->priv, *p;
	u32 events = READ_ONCE(s->error) ? POLLERR : 0;

	spin_lock(&unix_lock);
	p = u->peer;
	if (!list_empty(&u->rx) || !list_empty(&u->backlog) || u->no_more_rx)
		events |= POLLIN | POLLRDNORM;
	if (u->oob)
		events |= POLLPRI;
	if (u->no_more_rx)
		events |= POLLRDHUP;
	if ((u->no_more_rx && u->no_more_tx) || (u->type != SOCK_DGRAM && u->state == UNIX_IDLE))
		events |= POLLHUP;
	/* writable before it is half full, so that a writer is not woken for every little bit */
	if (u->state != UNIX_LISTENING &&
	    (!p || p->rx_bytes < (u->type == SOCK_DGRAM && p->s ? p->s->rcvbuf : s->sndbuf) / 2))
		events |= POLLOUT | POLLWRNORM;
	spin_unlock(&unix_lock);
	return events;
}

static int unix_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct unix_sock *u = s->priv;

	if (level != SOL_SOCKET || opt != SO_PEERCRED)
		return level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
	*len = min(*len, (u32)sizeof(u->peer_cred));
	spin_lock(&unix_lock);
	memcpy(val, &u->peer_cred, *len);
	spin_unlock(&unix_lock);
	return 0;
}

static int unix_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	return opt == SO_PEEK_OFF ? 0 : -ENOPROTOOPT; /* the core keeps it */
}

static long unix_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	int n;

	if (cmd == SIOCATMARK)
		n = unix_at_mark(s->priv);
	else if (cmd == FIONREAD)
		n = unix_readable_bytes(s->priv);
	else
		return -ENOIOCTLCMD;
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send,
	.recv = unix_recv,
	.poll = unix_poll,
	.shutdown = unix_shutdown,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.close = unix_close,
	.pair = unix_pair,
};

static void attach(struct socket *s, struct unix_sock *u)
{
	s->ops = &unix_ops;
	s->priv = u;
	spin_lock(&unix_lock);
	u->s = s;
	spin_unlock(&unix_lock);
}

struct unix_sock *unix_of_file(const struct file *f)
{
	const struct socket *s = f->ops == &socket_file_ops ? f->priv : NULL;

	return s && s->ops == &unix_ops ? s->priv : NULL;
}

static struct socket_family unix_family = {
	.family = AF_UNIX,
	.name = "unix",
	.create = unix_create,
};

void unix_init(void)
{
	int err = socket_family_register_owner(&unix_family, NULL);

	unix_data_init();
	unix_gc_init();
	unix_proc_init();
	if (err)
		pr_err("not registered: error %d\n", err);
}
