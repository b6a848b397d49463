/* SPDX-License-Identifier: MIT */
/* recv.c - the user takes received data. Readers are serialised by the socket's lock: the packets
 * of the queue are moved to the reading list in one step, and copied from there without the
 * connection's lock. FIN, errors and the urgent mark are seen in order with the data. */
#include "tcp.h"

#include <weft/sched.h>

/* One call of recv. */
struct reader {
	struct socket *s;
	struct tcp_conn *tc;
	struct msg *m;
	u32 flags;
	size_t left;
	long copied;
	u32 seq;   /* the next byte's; copied_seq unless peeking */
	u32 freed; /* true size of packets done with, not yet given back */
	u64 stamp_ns;
	bool stop; /* the urgent mark or a bad address: no more in this call */
	bool fault;
	/* as of the moment when the queue was emptied */
	bool fin, failed;
	u8 state, shutdown;
};

/* ---- the queue ---- */

static void take_queue(struct reader *r)
{
	struct tcp_conn *tc = r->tc;

	spin_lock(&tc->lock);
	list_splice_tail(&tc->rxq, &tc->reading);
	/* what was copied counts for SO_RCVLOWAT, but is no longer in the queue */
	tc->reader_waits = r->s->rcvlowat > 1;
	r->fin = tc->fin_received;
	r->state = tc->state;
	r->shutdown = tc->shutdown;
	r->failed = READ_ONCE(r->s->error);
	spin_unlock(&tc->lock);
}

/* Gives back what was read: memory, window, growth of the buffer. */
static void settle(struct reader *r)
{
	struct tcp_conn *tc = r->tc;

	spin_lock(&tc->lock);
	tc->rx_bytes -= r->freed;
	tcp_memory_add(-(s64)r->freed);
	r->freed = 0;
	tcp_rcvbuf_grow(tc);
	if (tcp_in(tc, TCP_CAN_RECV) && !(tc->shutdown & 1) && tcp_window_opened(tc))
		tcp_send_ack(tc);
	if (unlikely(tc->todo))
		tcp_flush(tc);
	spin_unlock(&tc->lock);
}

/* ---- the urgent mark ---- */

/* How many of the n bytes from r->seq on may be copied now. 0 and *skip: the byte here is, or was,
 * the urgent one and not part of the stream. Data ends before the mark: then r->stop is set. */
static u32 until_mark(struct reader *r, u32 n, u32 *skip)
{
	struct tcp_conn *tc = r->tc;
	u32 ahead = tc->rcv_up - r->seq;

	if (tc->urgent_skip && r->seq == tc->urgent_skip_seq) {
		*skip = 1;
		return 0;
	}
	if (!tc->urgent_state || ahead >= n)
		return n;
	if (ahead || r->copied) {
		r->stop = true;
		return ahead;
	}
	*skip = !r->s->oobinline;
	return r->s->oobinline ? n : 0;
}

/* The reader has gone on. */
static void passed(struct tcp_conn *tc)
{
	spin_lock(&tc->lock);
	if (tc->urgent_skip && seq_gt(tc->copied_seq, tc->urgent_skip_seq))
		tc->urgent_skip = false;
	if (tc->urgent_state && seq_gt(tc->copied_seq, tc->rcv_up))
		tc->urgent_state = TCP_URGENT_NONE;
	spin_unlock(&tc->lock);
}

/* ---- copying ---- */

static void consume(struct reader *r, struct pkt *p, u32 n)
{
	WRITE_ONCE(r->tc->copied_seq, r->seq);
	if (unlikely(r->tc->urgent_state || r->tc->urgent_skip))
		passed(r->tc);
	if (n < p->len) {
		pkt_pull(p, n);
		tcp_rx_cb(p)->seq += n;
		return;
	}
	list_del(&p->node);
	r->freed += p->truesize;
	pkt_free(p);
}

/* True: there is more in p. */
static bool copy_packet(struct reader *r, struct pkt *p)
{
	u32 offset = r->seq - tcp_rx_cb(p)->seq, have = p->len - offset, n = have, skip = 0;
	long got;

	if (unlikely(r->tc->urgent_state || r->tc->urgent_skip))
		n = until_mark(r, n, &skip);
	n = min((size_t)n, r->left);
	if (n && !(r->flags & MSG_TRUNC)) {
		got = iter_copy_to(p->data + offset, n, &r->m->iter);
		if (unlikely(got < (long)n)) {
			r->stop = r->fault = true;
			n = got > 0 ? got : 0;
		}
	}
	n += skip;
	r->seq += n;
	r->left -= n - skip;
	r->copied += n - skip;
	r->stamp_ns = p->stamp_ns;
	if (n && !(r->flags & MSG_PEEK))
		consume(r, p, n);
	return n < have;
}

static void copy_packets(struct reader *r)
{
	struct pkt *p, *next;
	bool more;

	list_for_each_entry_safe(p, next, &r->tc->reading, node) {
		if (seq_le(tcp_rx_cb(p)->end, r->seq))
			continue; /* peeked at before */
		do {
			more = copy_packet(r, p);
			if (!r->left || r->stop)
				return;
		} while (more);
	}
}

/* ---- the call ---- */

/* Nothing more is there: 0 sleep, 1 the call is over. */
static int finished(struct reader *r, long *ret)
{
	int err;

	if (r->copied)
		return r->failed || r->state == TCP_CLOSE || (r->shutdown & 1) ||
		       (r->flags & MSG_DONTWAIT);
	*ret = 0;
	if (r->fin)
		return 1;
	err = r->failed ? socket_take_error(r->s) : 0;
	if (err)
		*ret = err;
	else if (r->shutdown & 1)
		*ret = r->state == TCP_CLOSE && !r->tc->phase ? -ENOTCONN : 0;
	else if (r->state == TCP_CLOSE)
		*ret = -ENOTCONN;
	else if (r->flags & MSG_DONTWAIT)
		*ret = -EAGAIN;
	else
		return 0;
	return 1;
}

static long receive(struct reader *r, long target, u64 deadline)
{
	long ret = 0;

	for (;;) {
		take_queue(r);
		copy_packets(r);
		if (!r->left || r->stop || r->copied >= target)
			break;
		if (finished(r, &ret))
			break;
		if (r->freed)
			settle(r);
		ret = socket_wait(r->s, deadline);
		if (ret)
			break;
	}
	if (r->copied)
		return r->copied;
	return r->fault ? -EFAULT : ret;
}

long tcp_recv(struct socket *s, struct msg *m, size_t len)
{
	struct tcp_conn *tc = tcp_of(s);
	struct reader r = {
		.s = s,
		.tc = tc,
		.m = m,
		.flags = m->flags,
		.left = len,
		.seq = tc->copied_seq,
	};
	long target = m->flags & MSG_WAITALL ? (long)len : (long)min((size_t)s->rcvlowat, len);
	long ret;

	if (unlikely(m->flags & (MSG_ERRQUEUE | MSG_OOB)))
		return m->flags & MSG_OOB ? tcp_recv_urgent(s, m, len) :
					    inet_recv_error(&tc->is, m, len);
	if (tc->state == TCP_LISTEN)
		return -ENOTCONN;
	m->flags &= ~(u32)MSG_TRUNC;
	ret = receive(&r, max(target, 1l), socket_deadline(s, false));
	if (unlikely(tc->reader_waits))
		WRITE_ONCE(tc->reader_waits, false);
	if (r.freed)
		settle(&r);
	if (ret > 0)
		msg_put_stamp(s, m, r.stamp_ns);
	return ret;
}
