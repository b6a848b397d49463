/* SPDX-License-Identifier: MIT */
/* socknotice.c - a socket's queue of notices (recvmsg with MSG_ERRQUEUE): errors that came in, when
 * packets left, what MSG_ZEROCOPY needs no more. The queue is bounded and the core's: it goes with
 * the socket, whoever implements that. */
#include <weft/alloc.h>
#include <weft/module.h>
#include <weft/string.h>

#include "socket_internal.h"

void *socket_notice_alloc(u32 size, const void *data, u32 len)
{
	struct socket_notice *n = kzalloc(size + len);

	if (!n)
		return NULL;
	n->len = len;
	n->data = (u8 *)n + size;
	if (len)
		memcpy(n->data, data, len);
	return n;
}
EXPORT(socket_notice_alloc);

/* rx_lock held. False: there is no room, or nobody to hear of it. */
static bool queue_locked(struct socket *s, struct socket_notice *n, u32 most)
{
	/* closed is set before the queue is emptied for the last time */
	if (READ_ONCE(s->closed) || s->nr_notices >= most)
		return false;
	list_add_tail(&n->node, &s->notices);
	s->nr_notices++;
	return true;
}

void socket_notice_queue(struct socket *s, struct socket_notice *n, u32 most)
{
	bool queued;

	spin_lock(&s->rx_lock);
	queued = queue_locked(s, n, most);
	spin_unlock(&s->rx_lock);
	if (queued)
		socket_wake(s, POLLERR);
	else
		kfree(n);
}
EXPORT(socket_notice_queue);

static bool is_icmp(const struct socket_notice *n)
{
	return n && (n->ee.ee_origin == SO_EE_ORIGIN_ICMP || n->ee.ee_origin == SO_EE_ORIGIN_ICMP6);
}

struct socket_notice *socket_notice_take(struct socket *s)
{
	struct socket_notice *n, *next;

	spin_lock(&s->rx_lock);
	n = list_first_entry_or_null(&s->notices, struct socket_notice, node);
	if (n) {
		list_del(&n->node);
		s->nr_notices--;
		next = list_first_entry_or_null(&s->notices, struct socket_notice, node);
		if (is_icmp(next))
			WRITE_ONCE(s->error, (int)next->ee.ee_errno);
		else if (is_icmp(n))
			WRITE_ONCE(s->error, 0);
	}
	spin_unlock(&s->rx_lock);
	return n;
}
EXPORT(socket_notice_take);

void socket_notices_drop(struct socket *s)
{
	struct socket_notice *n;

	while ((n = socket_notice_take(s)))
		kfree(n);
}

long socket_recv_notice(struct socket *s, struct msg *m, size_t len, int level, int type)
{
	struct socket_notice *n = socket_notice_take(s);
	long got;

	if (!n)
		return -EAGAIN;
	got = iter_copy_to(n->data, min(len, (size_t)n->len), &m->iter);
	if (got >= 0) {
		if (n->stamp_ns)
			msg_put_sent_stamp(s, m, n->stamp_ns);
		msg_put_control(m, level, type, &n->ee, sizeof(n->ee));
		m->flags |= MSG_ERRQUEUE | (len < n->len ? MSG_TRUNC : 0);
	}
	kfree(n);
	return got;
}
EXPORT(socket_recv_notice);

/* ---- MSG_ZEROCOPY ---- */

/* The last notice becomes one of this send too. rx_lock held. */
static bool extend_last(struct socket *s, u32 id)
{
	struct socket_notice *last;

	if (list_empty(&s->notices))
		return false;
	last = list_last_entry(&s->notices, struct socket_notice, node);
	if (last->ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY || last->ee.ee_data + 1 != id)
		return false;
	last->ee.ee_data = id;
	return true;
}

static void tell_copied(struct socket *s, struct socket_notice *n)
{
	u32 id = s->zerocopies++;
	bool taken = false;

	n->ee.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
	n->ee.ee_code = SO_EE_CODE_ZEROCOPY_COPIED;
	n->ee.ee_info = n->ee.ee_data = id;
	spin_lock(&s->rx_lock);
	if (!extend_last(s, id))
		taken = queue_locked(s, n, ~0u);
	spin_unlock(&s->rx_lock);
	if (!taken)
		kfree(n);
	socket_wake(s, POLLERR);
}

/* The bytes are copied once, into the packets (see design.md 5), so that the sender has its memory
 * back when the call returns: it is told so, as Linux does where it had to copy. */
long socket_send_zerocopy(struct socket *s, struct msg *m)
{
	size_t len = m->iter.count;
	struct socket_notice *n;
	long ret;

	if (!len)
		return s->ops->send(s, m, len);
	n = s->nr_notices < SOCKET_NOTICES_MAX ? socket_notice_alloc(sizeof(*n), NULL, 0) : NULL;
	if (!n)
		return -ENOBUFS;
	ret = s->ops->send(s, m, len);
	if (ret >= 0)
		tell_copied(s, n);
	else
		kfree(n);
	return ret;
}
