/* SPDX-License-Identifier: MIT */
/* sockqueue.c - waiting on a socket and its receive queue. The poll context fills the queue under
 * rx_lock; readers look under the socket's lock and sleep in socket_wait, which cannot miss a
 * wake-up that came after they took the lock. */
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/sched.h>
#include <weft/time.h>

#include "socket_internal.h"

/* False: of those who wait to be the one only one was told. */
static bool tell(struct socket *s, u32 events)
{
	__atomic_add_fetch(&s->wake_seq, 1, __ATOMIC_SEQ_CST);
	/* A sleeper is on the queue before it compares wake_seq. */
	if (!wait_queue_active(&s->wait))
		return true;
	/* the end concerns all of those who wait to be the one */
	if (events & POLLHUP) {
		wake_up_all(&s->wait);
		return true;
	}
	return !wake_up_key(&s->wait, events);
}

void socket_wake(struct socket *s, u32 events)
{
	tell(s, events);
}
EXPORT(socket_wake);

void socket_set_error(struct socket *s, int err)
{
	WRITE_ONCE(s->error, err);
	socket_wake(s, POLLERR | POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}
EXPORT(socket_set_error);

u64 socket_deadline_after(u32 ms)
{
	return ktime_get() + ms * NSEC_PER_MSEC;
}
EXPORT(socket_deadline_after);

static int wait_woken(struct socket *s, u64 deadline_ns, bool exclusive)
{
	struct sleeper sl;
	int err = 0;

	if (!socket_inside(s))
		return -ECONNABORTED;
	sleep_prepare(&s->wait, &sl, true, exclusive);
	smp_mb();
	if (READ_ONCE(s->wake_seq) == s->wake_seen && !READ_ONCE(s->dead)) {
		mutex_unlock(&s->lock);
		err = sleep_wait(&sl, deadline_ns, true);
		mutex_lock(&s->lock);
	}
	sleep_finish(&s->wait, &sl);
	socket_outside(s);
	s->wake_seen = READ_ONCE(s->wake_seq);
	if (READ_ONCE(s->dead))
		return -ECONNABORTED;
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	/* Linux: a call with a time-out is not restarted after a signal. */
	return err == -ERESTARTSYS && deadline_ns ? -EINTR : err;
}

int socket_wait(struct socket *s, u64 deadline_ns)
{
	return wait_woken(s, deadline_ns, false);
}
EXPORT(socket_wait);

int socket_wait_one(struct socket *s, u64 deadline_ns)
{
	return wait_woken(s, deadline_ns, true);
}
EXPORT(socket_wait_one);

/* From here on p is s's to keep, and no longer its sender's. */
static bool take_charge(struct socket *s, struct pkt *p)
{
	if (p->sock)
		pkt_orphan(p);
	/* what the network needs to go on is not for those who have something to read already */
	if (unlikely(pkt_rx_scarce) && p->pool == PKT_POOL_RX && (s->rx_bytes || pkt_rx_last))
		return false;
	return likely(p->pool == PKT_POOL_RX) || pkt_move_local(p);
}

/* rx_lock held. As Linux: full is full, but whoever is below the bound may go over it once. */
static inline bool has_room(const struct socket *s)
{
	return likely(s->rx_bytes < READ_ONCE(s->rcvbuf) && !(s->shut & 1) && !READ_ONCE(s->dead));
}

/* rx_lock held. */
static inline void enqueue(struct socket *s, struct pkt *p)
{
	if (unlikely(READ_ONCE(s->tells) & SOCKET_TELLS_DROPS))
		p->lost_before = s->rx_drops;
	list_add_tail(&p->node, &s->rx);
	s->rx_bytes += p->truesize;
}

/* Packets have been queued when readers had looked so often. */
static inline void tell_readers(struct socket *s, u64 looks)
{
	/* nobody has looked since they were told of another packet: all are on their way */
	if (looks != READ_ONCE(s->rx_told) && tell(s, POLLIN | POLLRDNORM))
		WRITE_ONCE(s->rx_told, looks);
}

int socket_queue(struct socket *s, struct pkt *p)
{
	bool ours = take_charge(s, p);
	u64 looks;

	spin_lock(&s->rx_lock);
	if (unlikely(!ours || !has_room(s))) {
		s->rx_drops++;
		spin_unlock(&s->rx_lock);
		pkt_free(p);
		return -ENOBUFS;
	}
	enqueue(s, p);
	looks = s->rx_looks;
	spin_unlock(&s->rx_lock);
	tell_readers(s, looks);
	return 0;
}
EXPORT(socket_queue);

/* Some of them may not just be queued. */
static __noinline u32 queue_each(struct socket *s, struct list_head *l)
{
	struct pkt *p, *next;
	u32 lost = 0;

	list_for_each_entry_safe(p, next, l, node)
		lost += socket_queue(s, p) != 0;
	list_init(l);
	return lost;
}

/* Their true size, where nothing has to be found out about any of them; else 0. */
static u32 plain_bytes(const struct list_head *l)
{
	const struct pkt *p;
	u32 bytes = 0;

	if (unlikely(pkt_rx_scarce))
		return 0;
	list_for_each_entry(p, l, node) {
		if (unlikely(p->pool != PKT_POOL_RX || p->sock))
			return 0;
		bytes += p->truesize;
	}
	return bytes;
}

/* Those for which there is room; the others stay in l. rx_lock held. */
static __noinline u32 queue_some(struct socket *s, struct list_head *l)
{
	struct pkt *p, *next;
	u32 lost = 0;

	list_for_each_entry_safe(p, next, l, node) {
		if (has_room(s)) {
			list_del(&p->node);
			enqueue(s, p);
		} else {
			s->rx_drops++;
			lost++;
		}
	}
	return lost;
}

u32 socket_queue_list(struct socket *s, struct list_head *l)
{
	u32 bytes = plain_bytes(l), lost = 0;
	u64 looks;

	if (unlikely(!bytes))
		return queue_each(s, l);
	spin_lock(&s->rx_lock);
	/* up to the bound there is room for each; those behind it are counted one by one */
	if (likely(has_room(s) && s->rx_bytes + bytes <= READ_ONCE(s->rcvbuf) &&
		   !(READ_ONCE(s->tells) & SOCKET_TELLS_DROPS))) {
		list_splice_tail(l, &s->rx);
		s->rx_bytes += bytes;
	} else {
		lost = queue_some(s, l);
	}
	looks = s->rx_looks;
	spin_unlock(&s->rx_lock);
	tell_readers(s, looks);
	if (unlikely(lost))
		pkt_free_list(l);
	return lost;
}
EXPORT(socket_queue_list);

struct pkt *socket_peek_find(const struct socket *s, struct list_head *packets, u32 *off)
{
	u32 left = s->peek_off;
	struct pkt *p;

	list_for_each_entry(p, packets, node) {
		/* an empty one is seen once */
		if (left >= p->len && (left || p->looped == PKT_PEEKED)) {
			left -= p->len;
			continue;
		}
		if (!p->len)
			p->looped = PKT_PEEKED;
		*off = left;
		return p;
	}
	return NULL;
}

u32 socket_peek_within(struct socket *s, const struct pkt *p)
{
	u32 left = s->peek_off;
	const struct pkt *q;

	spin_lock(&s->rx_lock);
	list_for_each_entry(q, &s->rx, node) {
		if (q == p)
			break;
		left -= min(left, q->len);
	}
	spin_unlock(&s->rx_lock);
	return left;
}
EXPORT(socket_peek_within);

void socket_peek_moved(struct socket *s, u32 flags, u32 n)
{
	if (s->peek_off < 0)
		return;
	if (flags & MSG_PEEK)
		s->peek_off += n;
	else
		s->peek_off -= min((u32)s->peek_off, n);
}
EXPORT(socket_peek_moved);

static inline struct pkt *rx_take(struct socket *s)
{
	struct pkt *p;

	spin_lock(&s->rx_lock);
	s->rx_looks++;
	p = list_first_entry_or_null(&s->rx, struct pkt, node);
	if (likely(p)) {
		list_del(&p->node);
		s->rx_bytes -= p->truesize;
	}
	spin_unlock(&s->rx_lock);
	return p;
}

static struct pkt *rx_peek(struct socket *s)
{
	struct pkt *p;
	u32 off;

	spin_lock(&s->rx_lock);
	s->rx_looks++;
	p = list_first_entry_or_null(&s->rx, struct pkt, node);
	if (p && s->tells & SOCKET_TELLS_PEEKED)
		p = socket_peek_find(s, &s->rx, &off);
	if (p)
		pkt_get(p);
	spin_unlock(&s->rx_lock);
	return p;
}

/* There was an error, or nothing, or it is to be left there. */
static __noinline struct pkt *dequeue_slow(struct socket *s, u32 flags)
{
	u64 deadline = socket_deadline(s, false);
	struct pkt *p;
	int err;

	for (;;) {
		err = socket_take_error(s);
		if (err)
			return ERR_PTR(err);
		p = flags & MSG_PEEK ? rx_peek(s) : rx_take(s);
		if (p)
			return p;
		if (s->shut & 1)
			return NULL;
		if (flags & MSG_DONTWAIT)
			return ERR_PTR(-EAGAIN);
		err = socket_wait(s, deadline);
		if (err)
			return ERR_PTR(err);
	}
}

struct pkt *socket_dequeue(struct socket *s, u32 flags)
{
	struct pkt *p = NULL;

	if (likely(!READ_ONCE(s->error) && !(flags & MSG_PEEK)))
		p = rx_take(s);
	return likely(p) ? p : dequeue_slow(s, flags);
}
EXPORT(socket_dequeue);

static __noinline void tell_of(struct socket *s, struct msg *m, const struct pkt *p)
{
	u32 lost = p->lost_before;

	msg_put_stamp(s, m, p->stamp_ns);
	if (s->tells & SOCKET_TELLS_DROPS && lost)
		msg_put_control(m, SOL_SOCKET, SO_RXQ_OVFL, &lost, sizeof(lost));
}

static __noinline long copy_and_tell(struct socket *s, struct msg *m, const struct pkt *p, u32 skip,
				     size_t len)
{
	size_t have = p->len > skip ? p->len - skip : 0, n = min(have, len);
	bool want_length = m->flags & MSG_TRUNC;

	if (iter_copy_to(p->data + skip, n, &m->iter) != (long)n)
		return -EFAULT;
	m->flags &= ~(u32)MSG_TRUNC;
	if (have > len)
		m->flags |= MSG_TRUNC;
	if (s->tells)
		tell_of(s, m, p);
	return want_length ? (long)have : (long)n;
}

/* A datagram is taken whole or not at all. Mostly it fits, and no more than the data is asked for.
 */
long socket_copy_datagram(struct socket *s, struct msg *m, const struct pkt *p, u32 skip,
			  size_t len)
{
	long n = p->len;

	if (unlikely(skip || p->len > len || (m->flags & MSG_TRUNC) || s->tells))
		return copy_and_tell(s, m, p, skip, len);
	return likely(iter_copy_to(p->data, n, &m->iter) == n) ? n : -EFAULT;
}
EXPORT(socket_copy_datagram);
