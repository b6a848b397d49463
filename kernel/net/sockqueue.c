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

	sleep_prepare(&s->wait, &sl, true, exclusive);
	smp_mb();
	if (READ_ONCE(s->wake_seq) == s->wake_seen && !READ_ONCE(s->dead)) {
		mutex_unlock(&s->lock);
		err = sleep_wait(&sl, deadline_ns, true);
		mutex_lock(&s->lock);
	}
	sleep_finish(&s->wait, &sl);
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

int socket_queue(struct socket *s, struct pkt *p)
{
	bool ours = take_charge(s, p);
	u64 looks;

	spin_lock(&s->rx_lock);
	/* As Linux: full is full, but whoever is below the bound may go over it once. */
	if (unlikely(!ours || s->rx_bytes >= READ_ONCE(s->rcvbuf) || (s->shut & 1) ||
		     READ_ONCE(s->dead))) {
		s->rx_drops++;
		spin_unlock(&s->rx_lock);
		pkt_free(p);
		return -ENOBUFS;
	}
	list_add_tail(&p->node, &s->rx);
	s->rx_bytes += p->truesize;
	looks = s->rx_looks;
	spin_unlock(&s->rx_lock);
	/* nobody has looked since they were told of another packet: all are on their way */
	if (looks == READ_ONCE(s->rx_told))
		return 0;
	if (tell(s, POLLIN | POLLRDNORM))
		WRITE_ONCE(s->rx_told, looks);
	return 0;
}
EXPORT(socket_queue);

static inline struct pkt *rx_take(struct socket *s, bool peek)
{
	struct pkt *p;

	spin_lock(&s->rx_lock);
	s->rx_looks++;
	p = list_first_entry_or_null(&s->rx, struct pkt, node);
	if (p && peek) {
		pkt_get(p);
	} else if (p) {
		list_del(&p->node);
		s->rx_bytes -= p->truesize;
	}
	spin_unlock(&s->rx_lock);
	return p;
}

/* There was an error, or nothing. */
static __noinline struct pkt *dequeue_slow(struct socket *s, u32 flags)
{
	u64 deadline = socket_deadline(s, false);
	struct pkt *p;
	int err;

	for (;;) {
		err = socket_take_error(s);
		if (err)
			return ERR_PTR(err);
		p = rx_take(s, flags & MSG_PEEK);
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
	struct pkt *p = likely(!READ_ONCE(s->error)) ? rx_take(s, flags & MSG_PEEK) : NULL;

	return likely(p) ? p : dequeue_slow(s, flags);
}
EXPORT(socket_dequeue);

long socket_copy_datagram(struct socket *s, struct msg *m, const struct pkt *p, u32 skip,
			  size_t len)
{
	size_t have = p->len > skip ? p->len - skip : 0, n = min(have, len);
	bool want_length = m->flags & MSG_TRUNC;
	long done = n ? iter_copy_to(p->data + skip, n, &m->iter) : 0;

	/* a datagram is taken whole or not at all */
	if (done < 0 || (size_t)done < n)
		return -EFAULT;
	m->flags &= ~(u32)MSG_TRUNC;
	if (have > len)
		m->flags |= MSG_TRUNC;
	msg_put_timestamp(s, m, p);
	return want_length ? (long)have : (long)n;
}
EXPORT(socket_copy_datagram);
