/* SPDX-License-Identifier: MIT */
/* unix_data.c - data between AF_UNIX sockets: packets on the receiver's queue, bounded by the
 * sender's send buffer (stream) or the receiver's receive buffer (datagram). Only the reader, under
 * its socket's lock, takes from a queue, so what it looked at stays. */
#include <weft/alloc.h>
#include <weft/string.h>
#include <weft/work.h>

#include "unix.h"

#define STREAM_CHUNK (16 * 1024)
#define DATAGRAM_MAX (212992 - 32) /* as Linux's default send buffer allows */

/* In pkt.cb; a datagram's sender name stands in the headroom, from p->head. */
struct unix_cb {
	struct unix_scm scm;
	u32 name_len;
};

static struct unix_cb *cb(struct pkt *p)
{
	return (struct unix_cb *)p->cb;
}

void unix_data_free(struct pkt *p)
{
	unix_scm_free(&cb(p)->scm);
	pkt_free(p);
}

/* Packets with files that nobody read. Putting a file may close a socket that holds such packets in
 * its turn; done here one after the other, not one inside the other. */
static LIST_HEAD(unread); /* guarded by unix_lock */

static void free_unread(struct work *w)
{
	struct pkt *p;

	(void)w;
	for (;;) {
		spin_lock(&unix_lock);
		p = list_first_entry_or_null(&unread, struct pkt, node);
		if (p)
			list_del(&p->node);
		spin_unlock(&unix_lock);
		if (!p)
			return;
		unix_data_free(p);
	}
}

static struct work unread_work;

void unix_data_init(void)
{
	work_init(&unread_work, free_unread);
}

void unix_drain(struct unix_sock *u)
{
	LIST_HEAD(gone);

	spin_lock(&unix_lock);
	list_splice_tail(&u->rx, &gone);
	u->rx_bytes = 0;
	u->oob = NULL;
	spin_unlock(&unix_lock);
	while (!list_empty(&gone)) {
		struct pkt *p = list_first_entry(&gone, struct pkt, node);

		list_del(&p->node);
		if (!cb(p)->scm.nr_files) {
			unix_data_free(p);
			continue;
		}
		spin_lock(&unix_lock);
		list_add_tail(&p->node, &unread);
		spin_unlock(&unix_lock);
		work_schedule(&unread_work);
	}
}

void unix_each_inflight_locked(struct unix_sock *u, void (*fn)(struct unix_sock *held, void *arg),
			       void *arg)
{
	struct unix_sock *held;
	struct pkt *p;

	list_for_each_entry(p, &u->rx, node) {
		for (u32 i = 0; i < cb(p)->scm.nr_files; i++) {
			held = unix_of_file(cb(p)->scm.files[i]);
			if (held)
				fn(held, arg);
		}
	}
}

void unix_discard_files_locked(struct unix_sock *u)
{
	struct pkt *p, *next;

	list_for_each_entry_safe(p, next, &u->rx, node) {
		if (!cb(p)->scm.nr_files)
			continue;
		if (p == u->oob)
			u->oob = NULL;
		u->rx_bytes -= p->truesize;
		list_move_tail(&p->node, &unread);
	}
	work_schedule(&unread_work);
}

u32 unix_readable_bytes(struct unix_sock *u)
{
	struct pkt *p;
	u32 n = 0;

	spin_lock(&unix_lock);
	list_for_each_entry(p, &u->rx, node) {
		n += p->len;
		if (u->type != SOCK_STREAM)
			break;
	}
	spin_unlock(&unix_lock);
	return n;
}

/* ---- sending ---- */

/* scm moves into the packet when this succeeds. */
static struct pkt *data_make(struct unix_sock *u, struct msg *m, size_t n, struct unix_scm *scm)
{
	struct pkt *p = pkt_alloc(PKT_POOL_LOCAL, UNIX_NAME_MAX, n);
	long got;

	_Static_assert(sizeof(struct unix_cb) <= sizeof(p->cb), "fits into pkt.cb");
	if (!p)
		return ERR_PTR(-ENOBUFS);
	got = n ? iter_copy_from(pkt_put(p, n), n, &m->iter) : 0;
	if (got < 0 || (size_t)got < n) {
		pkt_free(p);
		return ERR_PTR(-EFAULT);
	}
	memset(cb(p), 0, sizeof(struct unix_cb));
	if (scm) {
		cb(p)->scm = *scm;
		memset(scm, 0, sizeof(*scm));
	} else {
		cb(p)->scm.cred = u->cred;
	}
	spin_lock(&unix_lock);
	cb(p)->name_len = u->name_len;
	memcpy(p->head, u->name, u->name_len);
	spin_unlock(&unix_lock);
	return p;
}

/* unix_lock held. */
static void data_queue_locked(struct unix_sock *to, struct pkt *p)
{
	list_add_tail(&p->node, &to->rx);
	to->rx_bytes += p->truesize;
	unix_wake_locked(to, POLLIN | POLLRDNORM);
}

/* Room at the peer of a connected socket; waits for it. On success unix_lock is held and *to is it.
 */
static int peer_room_lock(struct socket *s, struct unix_sock *u, u32 flags, struct unix_sock **to)
{
	u64 deadline = socket_deadline(s, true);
	int err;

	for (;;) {
		spin_lock(&unix_lock);
		*to = u->peer;
		if (u->no_more_tx || u->state == UNIX_ENDED)
			err = -EPIPE;
		else if (u->state != UNIX_CONNECTED || !*to)
			err = -ENOTCONN;
		else
			err = (*to)->rx_bytes < s->sndbuf ? 0 : -EAGAIN;
		if (!err)
			return 0;
		spin_unlock(&unix_lock);
		if (err != -EAGAIN || (flags & MSG_DONTWAIT))
			return err;
		err = socket_wait(s, deadline); /* the reader wakes its peer */
		if (err)
			return err;
	}
}

static int send_connected(struct socket *s, struct unix_sock *u, struct msg *m, size_t n,
			  struct unix_scm *scm, bool urgent)
{
	struct pkt *p = data_make(u, m, n, scm);
	struct unix_sock *to;
	int err;

	if (IS_ERR(p))
		return PTR_ERR(p);
	err = peer_room_lock(s, u, m->flags, &to);
	if (err) {
		/* what was copied for this chunk is not sent: the caller reports what was before */
		unix_data_free(p);
		return err;
	}
	data_queue_locked(to, p);
	if (urgent)
		unix_oob_mark_locked(to, p);
	spin_unlock(&unix_lock);
	return 0;
}

static long send_stream(struct socket *s, struct msg *m, size_t len, struct unix_scm *scm)
{
	struct unix_sock *u = s->priv;
	size_t done = 0, plain = m->flags & MSG_OOB ? len - 1 : len;
	int err;

	if (m->name && m->name_len)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (s->type == SOCK_SEQPACKET) {
		if (len > DATAGRAM_MAX)
			return -EMSGSIZE;
		err = send_connected(s, u, m, len, scm, false);
		return err ? err : (long)len;
	}
	while (done < len) {
		bool urgent = done == plain; /* the last byte, by MSG_OOB */
		size_t n = urgent ? 1 : min(plain - done, (size_t)STREAM_CHUNK);

		err = send_connected(s, u, m, n, done ? NULL : scm, urgent);
		if (err)
			return done ? (long)done : err;
		done += n;
	}
	return done;
}

/* The receiver of a datagram, with a reference. */
static struct unix_sock *datagram_target(struct unix_sock *u, struct msg *m)
{
	struct unix_sock *to;

	if (m->name && m->name_len)
		return unix_find(m->name, m->name_len, u->type);
	spin_lock(&unix_lock);
	to = u->peer;
	if (to && to->state == UNIX_ENDED) { /* connected to one that closed */
		u->peer = NULL;
		spin_unlock(&unix_lock);
		unix_put(to);
		return ERR_PTR(-ECONNREFUSED);
	}
	if (to)
		unix_get(to);
	spin_unlock(&unix_lock);
	return to ? to : ERR_PTR(-ENOTCONN);
}

static bool datagram_room(struct unix_sock *to)
{
	bool room;

	spin_lock(&unix_lock);
	room = to->state == UNIX_ENDED || !to->s || to->rx_bytes < to->s->rcvbuf;
	spin_unlock(&unix_lock);
	return room;
}

static int datagram_queue(struct socket *s, struct unix_sock *to, struct pkt *p, u32 flags)
{
	int err;

	for (;;) {
		spin_lock(&unix_lock);
		if (to->state == UNIX_ENDED || !to->s)
			err = -ECONNREFUSED;
		else if (to->no_more_rx)
			err = -EPIPE;
		else if (to->peer && to->peer != s->priv)
			err = -EPERM; /* it only takes from its own peer */
		else
			err = to->rx_bytes < to->s->rcvbuf ? 0 : -EAGAIN;
		if (!err)
			data_queue_locked(to, p);
		spin_unlock(&unix_lock);
		if (err != -EAGAIN || (flags & MSG_DONTWAIT))
			return err;
		err = UNIX_WAIT_SPACE(s, to, datagram_room(to));
		if (err)
			return err;
	}
}

static long send_datagram(struct socket *s, struct msg *m, size_t len, struct unix_scm *scm)
{
	struct unix_sock *u = s->priv, *to;
	struct pkt *p;
	int err;

	if (len > DATAGRAM_MAX)
		return -EMSGSIZE;
	to = datagram_target(u, m);
	if (IS_ERR(to))
		return PTR_ERR(to);
	p = data_make(u, m, len, scm);
	err = IS_ERR(p) ? PTR_ERR(p) : datagram_queue(s, to, p, m->flags);
	if (err && !IS_ERR(p))
		unix_data_free(p);
	unix_put(to);
	return err ? err : (long)len;
}

long unix_send(struct socket *s, struct msg *m, size_t len)
{
	struct unix_scm scm;
	long ret;

	if ((m->flags & MSG_OOB) && (s->type != SOCK_STREAM || !len))
		return -EOPNOTSUPP;
	ret = unix_scm_parse(m, &scm);
	if (!ret)
		ret = s->type == SOCK_DGRAM ? send_datagram(s, m, len, &scm) :
					      send_stream(s, m, len, &scm);
	unix_scm_free(&scm);
	return ret;
}

/* ---- receiving ---- */

static void free_list(struct list_head *gone)
{
	struct pkt *p, *next;

	list_for_each_entry_safe(p, next, gone, node)
		unix_data_free(p);
	list_init(gone);
}

/* The first packet, or where a look begins, and the offset in it; it stays on the queue. mid: the
 * call has some of the stream already. NULL: no more will come, or with mid not now. Socket's lock
 * held. */
static struct pkt *data_first(struct socket *s, struct unix_sock *u, u32 flags, u64 deadline,
			      bool mid, u32 *off)
{
	LIST_HEAD(gone);
	struct pkt *p;
	bool end;
	int err;

	*off = 0;
	for (;;) {
		err = socket_take_error(s);
		if (err)
			return ERR_PTR(err);
		spin_lock(&unix_lock);
		p = list_first_entry_or_null(&u->rx, struct pkt, node);
		if (p && socket_peeks_on(s, flags))
			p = socket_peek_find(s, &u->rx, off);
		end = p && mid; /* where an urgent byte stands this call ends */
		if (p && u->type == SOCK_STREAM)
			p = unix_oob_pass_locked(u, p, flags & MSG_PEEK, mid, &gone);
		end |= u->no_more_rx || u->state == UNIX_ENDED;
		if (!p && !end && u->type != SOCK_DGRAM && u->state != UNIX_CONNECTED)
			p = ERR_PTR(u->type == SOCK_STREAM ? -EINVAL : -ENOTCONN);
		spin_unlock(&unix_lock);
		free_list(&gone);
		if (p || end)
			return p;
		if (flags & MSG_DONTWAIT)
			return ERR_PTR(-EAGAIN);
		err = socket_wait(s, deadline);
		if (err)
			return ERR_PTR(err);
	}
}

static void data_take(struct unix_sock *u, struct pkt *p)
{
	spin_lock(&unix_lock);
	list_del(&p->node);
	u->rx_bytes -= p->truesize;
	if (u->peer)
		unix_wake_locked(u->peer, POLLOUT | POLLWRNORM);
	wake_up_all(&u->space);
	spin_unlock(&unix_lock);
}

static void put_name(struct msg *m, struct pkt *p)
{
	if (!m->name)
		return;
	m->name_len = cb(p)->name_len;
	memcpy(m->name, p->head, m->name_len);
}

static long recv_packet(struct socket *s, struct msg *m, size_t len)
{
	struct unix_sock *u = s->priv;
	bool peek = m->flags & MSG_PEEK;
	u32 off;
	struct pkt *p = data_first(s, u, m->flags, socket_deadline(s, false), false, &off);
	long ret;

	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	if (!peek)
		data_take(u, p);
	if (u->type == SOCK_DGRAM)
		put_name(m, p);
	ret = socket_copy_datagram(s, m, p, off, len);
	if (ret >= 0)
		socket_peek_moved(s, peek ? MSG_PEEK : 0,
				  peek ? min((size_t)(p->len - off), len) : p->len);
	unix_scm_deliver(s, m, &cb(p)->scm, peek);
	if (!peek)
		unix_data_free(p);
	return ret;
}

/* Copies from the first packet; -EFAULT or the bytes. Takes it off when it is used up. */
static long stream_step(struct socket *s, struct unix_sock *u, struct msg *m, struct pkt *p,
			size_t n)
{
	long got = iter_copy_to(p->data, min((size_t)p->len, n), &m->iter);

	if (got < 0)
		return got;
	spin_lock(&unix_lock); /* for those who count what is there */
	pkt_pull(p, got);
	spin_unlock(&unix_lock);
	if (!p->len) {
		data_take(u, p);
		unix_data_free(p);
	}
	return got;
}

static struct pkt *data_after(struct unix_sock *u, struct pkt *p)
{
	LIST_HEAD(none);
	struct pkt *next;

	spin_lock(&unix_lock);
	next = p->node.next == &u->rx ? NULL : list_next_entry(p, node);
	if (next)
		next = unix_oob_pass_locked(u, next, true, true, &none);
	spin_unlock(&unix_lock);
	return next;
}

/* MSG_PEEK: what recv_stream would give at once, and nothing of it is taken. */
static long peek_stream(struct socket *s, struct msg *m, size_t len)
{
	struct unix_sock *u = s->priv;
	size_t done = 0;
	u32 off;
	struct pkt *p = data_first(s, u, m->flags, socket_deadline(s, false), false, &off);
	long got;

	if (!p || IS_ERR(p))
		return p ? PTR_ERR(p) : 0;
	do {
		bool scm = cb(p)->scm.nr_files;

		if (!done || scm)
			unix_scm_deliver(s, m, &cb(p)->scm, true);
		got = iter_copy_to(p->data + off, min((size_t)(p->len - off), len - done),
				   &m->iter);
		if (got < 0)
			return done ? (long)done : got;
		done += got;
		off = 0;
		p = scm ? NULL : data_after(u, p);
	} while (p && done < len);
	socket_peek_moved(s, MSG_PEEK, done);
	return done;
}

static long recv_stream(struct socket *s, struct msg *m, size_t len)
{
	struct unix_sock *u = s->priv;
	u64 deadline = socket_deadline(s, false);
	size_t done = 0;
	u32 off;

	while (done < len || !len) {
		bool wait = !done || (m->flags & MSG_WAITALL);
		struct pkt *p = data_first(s, u, m->flags | (wait ? 0 : MSG_DONTWAIT), deadline,
					   done, &off);
		bool scm;
		long got;

		if (!p || IS_ERR(p))
			return done ? (long)done : p ? PTR_ERR(p) : 0;
		scm = cb(p)->scm.nr_files;
		if (!done || scm)
			unix_scm_deliver(s, m, &cb(p)->scm, false);
		got = stream_step(s, u, m, p, len - done);
		if (got < 0)
			return done ? (long)done : got;
		done += got;
		socket_peek_moved(s, 0, got);
		/* as Linux: what follows descriptors waits for the next call, to keep them apart */
		if (scm || !len)
			break;
	}
	return done;
}

long unix_recv(struct socket *s, struct msg *m, size_t len)
{
	if (unlikely(m->flags & MSG_OOB))
		return s->type == SOCK_STREAM ? unix_recv_oob(s, m, len) : -EOPNOTSUPP;
	if (s->type != SOCK_STREAM)
		return recv_packet(s, m, len);
	return m->flags & MSG_PEEK ? peek_stream(s, m, len) : recv_stream(s, m, len);
}
