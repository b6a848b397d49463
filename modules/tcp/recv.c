/* SPDX-License-Identifier: MIT */
/* recv.c - the user takes received data. Readers are serialised by the socket's lock: the packets
 * of the queue are moved to the reading list in one step, and copied from there without the
 * connection's lock. FIN, errors and the urgent mark are seen in order with the data. */
#include "tcp.h"

#include <weft/sched.h>

#define COPY_AT_ONCE 32 /* packets; then their buffers are free for others */

/* One call of recv. */
struct reader {
	struct socket *s;
	struct tcp_conn *tc;
	struct msg *m;
	size_t left;
	long copied;
	u32 flags;
	u32 seq;   /* the next byte's; copied_seq unless peeking */
	u32 freed; /* true size of packets done with, not yet given back */
	bool stop; /* the urgent mark or a bad address: no more in this call */
	bool fault;
	u64 stamp_ns;
};

/* ---- the queue ---- */

static void take_queue(struct reader *r)
{
	struct tcp_conn *tc = r->tc;

	spin_lock(&tc->lock);
	list_splice_tail(&tc->rxq, &tc->reading);
	/* what was copied counts for SO_RCVLOWAT, but is no longer in the queue */
	tc->reader_waits = r->s->rcvlowat > 1;
	spin_unlock(&tc->lock);
}

/* The window the peer has can be at most doubled only when it is less than a quarter of the buffer:
 * a cheap no before the exact question. */
static bool window_is_low(const struct tcp_conn *tc)
{
	return tcp_sysctls.adv_win_scale != 1 || 4u * tcp_rcv_window(tc) <= tc->rcvbuf;
}

/* Gives back what was read, so much of true size: memory, window, growth of the buffer. */
static void settle(struct tcp_conn *tc, u32 freed)
{
	spin_lock(&tc->lock);
	tc->rx_bytes -= freed;
	tcp_memory_add(-(s64)freed);
	if (unlikely(tc->copied_seq - tc->rcv_space_seq > tc->rcv_space))
		tcp_rcvbuf_grow(tc);
	if (unlikely(window_is_low(tc)) && tcp_in(tc, TCP_CAN_RECV) && !(tc->shutdown & 1) &&
	    tcp_window_opened(tc))
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

static void trim_read(struct pkt *p, u32 n)
{
	pkt_pull(p, n);
	tcp_rx_cb(p)->seq += n;
}

static void consume(struct reader *r, struct pkt *p, u32 n)
{
	WRITE_ONCE(r->tc->copied_seq, r->seq);
	if (unlikely(r->tc->urgent_state || r->tc->urgent_skip))
		passed(r->tc);
	if (n < p->len) {
		trim_read(p, n);
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

/* Copies from the first packets. False: no more in this call, or there are none. */
static bool copy_some(struct reader *r)
{
	struct list_head *at, *reading = &r->tc->reading, done;
	size_t left = r->left;
	bool more = true;
	u32 i = 0;

	for (at = reading->next; more && at != reading && i < COPY_AT_ONCE; i++) {
		struct pkt *p = list_entry(at, struct pkt, node);
		u32 n = min((size_t)p->len, left);
		long got = iter_copy_to(p->data, n, &r->m->iter);

		if (unlikely(got < (long)n)) {
			r->stop = r->fault = true;
			n = got > 0 ? got : 0;
		}
		left -= n;
		more = left;
		r->stamp_ns = p->stamp_ns;
		if (n < p->len) {
			if (n)
				trim_read(p, n);
			more = false;
			break;
		}
		r->freed += p->truesize;
		at = at->next;
	}
	list_cut_before(reading, at, &done);
	pkt_free_list(&done);
	r->copied += r->left - left;
	r->seq += r->left - left;
	r->left = left;
	WRITE_ONCE(r->tc->copied_seq, r->seq);
	return more && at != reading;
}

/* The usual case of it: nothing urgent, nothing to be left or thrown away. */
static void copy_plain(struct reader *r)
{
	if (likely(r->left)) {
		while (copy_some(r))
			;
	}
}

static void copy_queue(struct reader *r)
{
	if (likely(!(r->flags & (MSG_PEEK | MSG_TRUNC)) && !r->tc->urgent_state &&
		   !r->tc->urgent_skip))
		copy_plain(r);
	else
		copy_packets(r);
}

/* ---- the call ---- */

/* The stream as it stands, seen in one moment. */
struct moment {
	bool more; /* data came since the queue was taken */
	bool fin, failed;
	u8 state, shutdown;
};

static struct moment look(struct reader *r)
{
	struct tcp_conn *tc = r->tc;
	struct moment now;

	spin_lock(&tc->lock);
	now.more = !list_empty(&tc->rxq);
	now.fin = tc->fin_received;
	now.state = tc->state;
	now.shutdown = tc->shutdown;
	now.failed = READ_ONCE(r->s->error);
	spin_unlock(&tc->lock);
	return now;
}

/* All that was there is read: 0 sleep, 1 look again, 2 the call is over. */
static int at_end(struct reader *r, long *ret)
{
	struct moment now = look(r);
	int err;

	if (now.more)
		return 1;
	if (r->copied)
		return now.failed || now.state == TCP_CLOSE || (now.shutdown & 1) ||
				       (r->flags & MSG_DONTWAIT) ?
			       2 :
			       0;
	*ret = 0;
	if (now.fin)
		return 2;
	err = now.failed ? socket_take_error(r->s) : 0;
	if (err)
		*ret = err;
	else if (now.state == TCP_CLOSE && !r->tc->phase)
		*ret = -ENOTCONN;
	else if (now.state == TCP_CLOSE || (now.shutdown & 1))
		*ret = now.shutdown & 1 ? 0 : -ENOTCONN;
	else if (r->flags & MSG_DONTWAIT)
		*ret = -EAGAIN;
	else
		return 0;
	return 2;
}

static long receive(struct reader *r, long target)
{
	u64 deadline = socket_deadline(r->s, false);
	long ret = 0;
	int next;

	for (;;) {
		take_queue(r);
		copy_queue(r);
		if (!r->left || r->stop || r->copied >= target)
			break;
		next = at_end(r, &ret);
		if (next == 2)
			break;
		if (next == 1)
			continue;
		if (r->freed) {
			settle(r->tc, r->freed);
			r->freed = 0;
		}
		ret = socket_wait(r->s, deadline);
		if (ret)
			break;
	}
	if (likely(r->copied))
		return r->copied;
	return r->fault ? -EFAULT : ret;
}

/* Off its queue, if it is the only packet that waits and may be copied whole. NULL: it is not. */
static struct pkt *take_only(struct tcp_conn *tc, size_t len)
{
	struct pkt *p;

	spin_lock(&tc->lock);
	p = list_first_entry(&tc->rxq, struct pkt, node);
	if (list_empty(&tc->rxq) || p->node.next != &tc->rxq || !list_empty(&tc->reading) ||
	    p->len > len || tc->urgent_state || tc->urgent_skip)
		p = NULL;
	else
		list_del(&p->node);
	spin_unlock(&tc->lock);
	return p;
}

/* One packet is all there is, and the user has room for it: a request mostly, or an answer. 0: the
 * long way has to see. */
static long recv_only(struct tcp_conn *tc, struct msg *m, size_t len)
{
	struct pkt *p = take_only(tc, len);
	u32 freed;
	long n;

	if (!p)
		return 0;
	n = iter_copy_to(p->data, p->len, &m->iter);
	if (unlikely(n < (long)p->len)) {
		n = max(n, 0l);
		trim_read(p, n);
		WRITE_ONCE(tc->copied_seq, tc->copied_seq + n);
		list_add(&p->node, &tc->reading);
		return n ? n : -EFAULT;
	}
	WRITE_ONCE(tc->copied_seq, tc->copied_seq + n);
	freed = p->truesize;
	pkt_free(p);
	settle(tc, freed);
	return n;
}

long tcp_recv(struct socket *s, struct msg *m, size_t len)
{
	const u32 special = MSG_ERRQUEUE | MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_WAITALL;
	struct tcp_conn *tc = tcp_of(s);
	struct reader r;
	long target, ret;

	if (likely(!(m->flags & special) && !s->tells && s->rcvlowat <= 1)) {
		ret = recv_only(tc, m, len);
		if (likely(ret))
			return ret;
	}
	if (unlikely(m->flags & (MSG_ERRQUEUE | MSG_OOB)))
		return m->flags & MSG_OOB ? tcp_recv_urgent(s, m, len) :
					    inet_recv_error(&tc->is, m, len);
	if (unlikely(tc->state == TCP_LISTEN))
		return -ENOTCONN;
	r.s = s;
	r.tc = tc;
	r.m = m;
	r.left = len;
	r.copied = 0;
	r.flags = m->flags;
	r.seq = tc->copied_seq + (socket_peeks_on(s, m->flags) ? (u32)s->peek_off : 0);
	r.freed = 0;
	r.stop = r.fault = false;
	r.stamp_ns = 0;
	m->flags &= ~(u32)MSG_TRUNC;
	target = r.flags & MSG_WAITALL ? (long)len : (long)min((size_t)s->rcvlowat, len);
	ret = receive(&r, max(target, 1l));
	if (unlikely(tc->reader_waits))
		WRITE_ONCE(tc->reader_waits, false);
	if (r.freed)
		settle(tc, r.freed);
	if (unlikely(s->tells) && ret >= 0)
		tcp_recv_told(s, m, r.flags, ret, r.stamp_ns);
	return ret;
}
