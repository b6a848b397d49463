/* SPDX-License-Identifier: MIT */
/* recvopt.c - what few programs want of a receive beside the data: when it came, how much waits
 * still (TCP_INQ), and looks that go on where the last one ended (SO_PEEK_OFF). */
#include "tcp.h"

#define SOL_TCP 6
#define TCP_CM_INQ 36

int tcp_set_inq(struct tcp_conn *tc, int v)
{
	struct socket *s = tc->is.s;

	if (v < 0 || v > 1)
		return -EINVAL;
	spin_lock(&s->rx_lock);
	WRITE_ONCE(s->tells, v ? s->tells | SOCKET_TELLS_INQ : s->tells & ~SOCKET_TELLS_INQ);
	spin_unlock(&s->rx_lock);
	return 0;
}

int tcp_get_inq(const struct tcp_conn *tc, void *val, u32 *len)
{
	int v = !!(tc->is.s->tells & SOCKET_TELLS_INQ);

	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

/* Bytes in order that nobody has read. As on Linux the end counts as one more, and stays so. */
static int waiting(struct tcp_conn *tc)
{
	int n;

	spin_lock(&tc->lock);
	n = tc->rcv_nxt - tc->copied_seq;
	spin_unlock(&tc->lock);
	return n;
}

void tcp_recv_told(struct socket *s, struct msg *m, u32 flags, long n, u64 stamp_ns)
{
	int left;

	socket_peek_moved(s, flags, n);
	if (n > 0)
		msg_put_stamp(s, m, stamp_ns);
	if (s->tells & SOCKET_TELLS_INQ) {
		left = waiting(tcp_of(s));
		msg_put_control(m, SOL_TCP, TCP_CM_INQ, &left, sizeof(left));
	}
}
