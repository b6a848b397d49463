/* SPDX-License-Identifier: MIT */
/* unix_oob.c - urgent data of AF_UNIX streams, as Linux has it since 5.15: a byte sent with MSG_OOB
 * is a packet of its own in the queue. MSG_OOB reads it out of turn and leaves the empty packet,
 * the mark where it stood; a read in turn ends before it, and the next one passes it by, or takes
 * it as data with SO_OOBINLINE. A later urgent byte makes an unread one data. */
#include "unix.h"

void unix_oob_mark_locked(struct unix_sock *u, struct pkt *p)
{
	u->oob = p;
	unix_wake_locked(u, POLLPRI);
	if (u->s)
		socket_urgent(u->s);
}

static struct pkt *next_locked(struct unix_sock *u, struct pkt *p)
{
	return p->node.next == &u->rx ? NULL : list_next_entry(p, node);
}

static struct pkt *pass(struct unix_sock *u, struct pkt *p, bool peek, struct list_head *gone)
{
	struct pkt *next = next_locked(u, p);

	if (!peek) {
		u->rx_bytes -= p->truesize;
		list_move_tail(&p->node, gone);
	}
	return next;
}

struct pkt *unix_oob_pass_locked(struct unix_sock *u, struct pkt *p, bool peek, bool mid,
				 struct list_head *gone)
{
	bool is_inline = u->s && u->s->oobinline;

	while (p && (!p->len || p == u->oob)) {
		if (p == u->oob) {
			if (mid)
				return NULL;
			if (!peek)
				u->oob = NULL;
			if (is_inline)
				return p;
		} else if (mid && !u->oob) {
			return NULL; /* it was read: the mark still parts what is around it */
		}
		p = pass(u, p, peek, gone);
	}
	return p;
}

long unix_recv_oob(struct socket *s, struct msg *m, size_t len)
{
	struct unix_sock *u = s->priv;
	struct pkt *p;
	u8 byte = 0;

	spin_lock(&unix_lock);
	p = u->state == UNIX_IDLE || u->state == UNIX_LISTENING || s->oobinline ? NULL : u->oob;
	if (p)
		byte = p->data[0];
	if (p && !(m->flags & MSG_PEEK)) {
		u->oob = NULL;
		pkt_pull(p, 1);
	}
	spin_unlock(&unix_lock);
	if (!p)
		return -EINVAL;
	/* Linux: one byte was there, also for who has no room for it */
	if (len && iter_copy_to(&byte, 1, &m->iter) != 1)
		return -EFAULT;
	m->flags |= MSG_OOB;
	return 1;
}

bool unix_at_mark(struct unix_sock *u)
{
	struct pkt *p;
	bool at;

	spin_lock(&unix_lock);
	p = list_first_entry_or_null(&u->rx, struct pkt, node);
	at = p && (p == u->oob || (!p->len && (!u->oob || next_locked(u, p) == u->oob)));
	spin_unlock(&unix_lock);
	return at;
}

bool unix_has_unread_locked(const struct unix_sock *u)
{
	const struct pkt *p;

	list_for_each_entry(p, &u->rx, node) {
		if (p->len || u->type != SOCK_STREAM)
			return true;
	}
	return false;
}
