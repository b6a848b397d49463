/* SPDX-License-Identifier: MIT */
/* stamp.c - when bytes left and were acknowledged (SO_TIMESTAMPING). Of each send the last byte is
 * noted before it is queued; the segment that carries it is marked, and the ACK that covers it is
 * told. Sockets that have set the option get a send of their own, so that no other one asks. */
#include <weft/alloc.h>
#include <weft/net/stamp.h>

#include "stamp.h"

#define STAMPS_MAX 64 /* sends of a connection that are on their way and noted */

/* Guarded by the connection's lock. */
struct tcp_stamp {
	struct tcp_stamp *next;
	u32 seq;   /* of the last byte */
	u32 flags; /* SOF_TIMESTAMPING_TX_* */
	bool held; /* its call has not returned: who drops it leaves it to that */
	bool dropped;
};

struct socket_ops tcp_stamping_ops;

/* ---- the list; lock held ---- */

static bool add(struct tcp_conn *tc, struct tcp_stamp *st)
{
	struct tcp_stamp **at = &tc->stamps;
	u32 n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	if (n >= STAMPS_MAX)
		return false;
	*at = st;
	tc->watched |= TCP_WATCHED_STAMPS;
	tc->options |= TCP_OPT_STAMPS;
	return true;
}

static void drop(struct tcp_conn *tc, struct tcp_stamp **at)
{
	struct tcp_stamp *st = *at;

	*at = st->next;
	if (!tc->stamps) {
		tc->watched &= ~TCP_WATCHED_STAMPS;
		tc->options &= ~TCP_OPT_STAMPS;
	}
	if (st->held)
		st->dropped = true;
	else
		kfree(st);
}

void tcp_stamps_drop(struct tcp_conn *tc)
{
	while (tc->stamps)
		drop(tc, &tc->stamps);
}

static u32 key_of(const struct tcp_conn *tc, const struct tcp_stamp *st)
{
	return st->seq - tc->is.s->stamp_key;
}

/* ---- what happens to the bytes; lock held ---- */

/* As on Linux a segment tells of one send, the last whose end is in it, and once each time it
 * leaves. */
void tcp_stamps_mark(struct tcp_conn *tc, struct pkt *p, u32 seq, u32 len)
{
	const struct tcp_stamp *st, *found = NULL;

	for (st = tc->stamps; st; st = st->next) {
		if (st->seq - seq < len)
			found = st;
	}
	if (!found || !tc->is.s || !stamp_of_flags(found->flags))
		return;
	p->tx_stamps = stamp_of_flags(found->flags);
	p->tx_key = key_of(tc, found);
	if (!p->sock) {
		socket_charge_tx(tc->is.s, p);
		p->tx_stamps |= PKT_STAMP_FREE;
	}
}

/* The queue's packet that holds the byte. */
static struct pkt *holder(struct tcp_conn *tc, u32 seq)
{
	struct pkt *p;

	list_for_each_entry(p, &tc->txq, node) {
		if (seq - tcp_tx_cb(p)->seq < p->len)
			return p;
	}
	return NULL;
}

static void tell_acked(struct tcp_conn *tc, const struct tcp_stamp *st)
{
	struct pkt *p = holder(tc, st->seq);

	stamp_tell(tc->is.s, SCM_TSTAMP_ACK, key_of(tc, st), NULL, p ? p->data : NULL,
		   p ? p->len : 0);
}

void tcp_stamps_acked(struct tcp_conn *tc)
{
	struct tcp_stamp **at = &tc->stamps;

	while (*at) {
		if (!seq_lt((*at)->seq, tc->snd_una)) {
			at = &(*at)->next;
			continue;
		}
		if (tc->is.s && ((*at)->flags & SOF_TIMESTAMPING_TX_ACK))
			tell_acked(tc, *at);
		drop(tc, at);
	}
}

/* ---- the call ---- */

static struct tcp_stamp *begin(struct tcp_conn *tc, u32 flags, size_t len)
{
	struct tcp_stamp *st = kzalloc(sizeof(*st));
	bool added;

	if (!st)
		return NULL;
	st->flags = flags;
	st->held = true;
	spin_lock(&tc->lock);
	st->seq = tc->write_seq + (u32)len - 1;
	added = tcp_in(tc, TCP_CAN_SEND) && add(tc, st);
	spin_unlock(&tc->lock);
	if (added)
		return st;
	kfree(st);
	return NULL;
}

/* Fewer bytes than announced were taken: the last of those it is, which may have left. */
static void shorten(struct tcp_conn *tc, struct tcp_stamp *st)
{
	u32 last = tc->write_seq - 1;
	struct socket *s = tc->is.s;

	if (!seq_lt(last, st->seq))
		return;
	st->seq = last;
	if (seq_lt(last, tc->snd_nxt) && (st->flags & SOF_TIMESTAMPING_TX_SCHED))
		stamp_tell(s, SCM_TSTAMP_SCHED, key_of(tc, st), NULL, NULL, 0);
	if (seq_lt(last, tc->snd_nxt) && (st->flags & SOF_TIMESTAMPING_TX_SOFTWARE))
		stamp_tell(s, SCM_TSTAMP_SND, key_of(tc, st), NULL, NULL, 0);
	tcp_stamps_acked(tc);
}

static void finish(struct tcp_conn *tc, struct tcp_stamp *st, bool sent)
{
	struct tcp_stamp **at = &tc->stamps;

	spin_lock(&tc->lock);
	if (!st->dropped && sent)
		shorten(tc, st);
	st->held = false;
	if (!st->dropped && !sent) {
		while (*at != st)
			at = &(*at)->next;
		drop(tc, at);
	} else if (st->dropped) {
		kfree(st);
	}
	spin_unlock(&tc->lock);
}

static long send_stamped(struct socket *s, struct msg *m, size_t len)
{
	struct tcp_conn *tc = tcp_of(s);
	struct tcp_stamp *st = NULL;
	u32 flags;
	long n;
	int err = stamp_wanted(s, m, &flags);

	if (err)
		return err;
	if (len && (flags & STAMP_TX_ANY))
		st = begin(tc, flags, len);
	n = tcp_send(s, m, len);
	if (st)
		finish(tc, st, n > 0);
	return n;
}

int tcp_stamping_set(struct socket *s, u32 before)
{
	struct tcp_conn *tc = tcp_of(s);
	u32 flags = s->stamping;

	if (flags & SOF_TIMESTAMPING_OPT_ID & ~before) {
		if (tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN)))
			return -EINVAL;
		spin_lock(&tc->lock);
		s->stamp_key = flags & SOF_TIMESTAMPING_OPT_ID_TCP ? tc->write_seq : tc->snd_una;
		spin_unlock(&tc->lock);
	}
	/* who calls without the socket's lock finds the same in both */
	WRITE_ONCE(s->ops, &tcp_stamping_ops);
	return 0;
}

void tcp_stamp_init(const struct socket_ops *usual)
{
	tcp_stamping_ops = *usual;
	tcp_stamping_ops.send = send_stamped;
}
