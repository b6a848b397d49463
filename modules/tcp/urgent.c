/* SPDX-License-Identifier: MIT */
/* urgent.c - urgent data (RFC 9293 3.8.5, RFC 6093) as BSD sockets have it: of all that was sent as
 * urgent one byte stands beside the stream, read by MSG_OOB, or in it with SO_OOBINLINE, where
 * SIOCATMARK finds it. A later mark takes the place of one that was not read. */
#include "tcp.h"

/* The urgent byte of a segment: most stacks point behind it (RFC 6093 3.1), with tcp_stdurg at it.
 */
static u32 mark_of(const struct tcp_seg *seg)
{
	u32 pointer = seg->urgent;

	if (pointer && !tcp_sysctls.stdurg)
		pointer--;
	return seg->seq + pointer;
}

static void note_mark(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	u32 mark = mark_of(seg);

	/* read already, in whatever way, or no news */
	if (seq_lt(mark, tc->copied_seq) || seq_lt(mark, tc->rcv_nxt) ||
	    (tc->urgent_state && seq_le(mark, tc->rcv_up)))
		return;
	/* The reader stands before an urgent byte that nobody wanted: it does not become data. */
	if (tc->urgent_state && tc->rcv_up == tc->copied_seq && tc->copied_seq != tc->rcv_nxt &&
	    tc->is.s && !tc->is.s->oobinline) {
		tc->urgent_skip = true;
		tc->urgent_skip_seq = tc->rcv_up;
	}
	tc->urgent_state = TCP_URGENT_PENDING;
	tc->rcv_up = mark;
	if (tc->is.s)
		socket_urgent(tc->is.s);
}

void tcp_rx_urgent(struct tcp_conn *tc, const struct tcp_seg *seg, const struct pkt *p)
{
	u32 offset;

	if (seg->flags & TCP_URG)
		note_mark(tc, seg);
	if (tc->urgent_state != TCP_URGENT_PENDING)
		return;
	offset = tc->rcv_up - (seg->seq + !!(seg->flags & TCP_SYN));
	if (offset >= seg->len)
		return;
	tc->urgent_byte = p->data[seg->header + offset];
	tc->urgent_state = TCP_URGENT_VALID;
	tcp_wake(tc, POLLPRI | POLLIN | POLLRDNORM);
}

/* What MSG_OOB reads; 1 when *byte is it. */
static int take_urgent(struct tcp_conn *tc, bool peek, u8 *byte)
{
	if (tc->is.s->oobinline || tc->urgent_state == TCP_URGENT_NONE ||
	    tc->urgent_state == TCP_URGENT_READ)
		return -EINVAL;
	if (tc->state == TCP_CLOSE && !tc->fin_received)
		return -ENOTCONN;
	if (tc->urgent_state == TCP_URGENT_PENDING)
		return tc->state == TCP_CLOSE || (tc->shutdown & 1) ? 0 : -EAGAIN;
	*byte = tc->urgent_byte;
	if (!peek)
		tc->urgent_state = TCP_URGENT_READ;
	return 1;
}

long tcp_recv_urgent(struct socket *s, struct msg *m, size_t len)
{
	struct tcp_conn *tc = tcp_of(s);
	u8 byte;
	int n;

	spin_lock(&tc->lock);
	n = take_urgent(tc, m->flags & MSG_PEEK, &byte);
	spin_unlock(&tc->lock);
	if (n <= 0)
		return n;
	m->flags |= MSG_OOB;
	if (!len) {
		m->flags |= MSG_TRUNC;
		return 0;
	}
	if (m->flags & MSG_TRUNC)
		return 1;
	return iter_copy_to(&byte, 1, &m->iter) == 1 ? 1 : -EFAULT;
}

bool tcp_at_mark(struct tcp_conn *tc)
{
	return tc->urgent_state && tc->rcv_up == tc->copied_seq;
}

/* As Linux: up to the mark, when there is one ahead. */
u32 tcp_fionread(struct tcp_conn *tc)
{
	if (tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV)))
		return 0;
	if (tc->urgent_state && !(tc->is.s && tc->is.s->oobinline) &&
	    seq_ge(tc->rcv_up, tc->copied_seq) && seq_lt(tc->rcv_up, tc->rcv_nxt))
		return tc->rcv_up - tc->copied_seq;
	return tcp_readable(tc);
}
