/* SPDX-License-Identifier: MIT */
/* gro.c - UDP_GRO: one receive that gives many datagrams of one peer and one size, with a control
 * message that says the size. They are joined where they are read, into the reader's buffer and as
 * many as fit: no datagram waits for the next one, and nothing is copied twice. What another socket
 * of this host sent by UDP_SEGMENT comes in one packet, and is cut for who does not take that. */
#include "udp.h"

#define JOINED_MAX 64 /* datagrams, and ... */
#define JOINED_BYTES 65535
#define CONTROL_ROOM (sizeof(struct user_cmsghdr) + 8)

/* ---- one packet, many datagrams ---- */

/* The i-th of p's datagrams with headers as if it had come alone: network and transport header
 * still lie in front of p's data. NULL: no memory. */
static struct pkt *take_out(const struct pkt *p, u32 off, u32 len)
{
	u32 headers = pkt_headroom(p) - p->net_off;
	struct pkt *q = pkt_alloc(PKT_POOL_LOCAL, 0, headers + len);

	if (!q)
		return NULL;
	memcpy(pkt_put(q, headers), pkt_at(p, p->net_off), headers);
	memcpy(pkt_put(q, len), p->data + off, len);
	q->nif = p->nif;
	q->stamp_ns = p->stamp_ns;
	q->ethertype = p->ethertype;
	q->pkttype = p->pkttype;
	q->csum = p->csum;
	q->trans_off = p->trans_off - p->net_off;
	put_be16(pkt_at(q, q->trans_off) + 4, UDP_HEADER + len);
	memcpy(q->cb, p->cb, sizeof(q->cb));
	pkt_pull(q, headers);
	return q;
}

void udp_queue_large(struct udp_sock *us, struct pkt *p)
{
	u32 size = p->gso_size, off, len;
	struct pkt *q;

	if ((READ_ONCE(us->recv_ways) & UDP_RECV_GRO) || p->len <= size) {
		udp_queue(us, p);
		return;
	}
	for (off = 0; off < p->len; off += len) {
		len = min(size, p->len - off);
		q = take_out(p, off, len);
		if (q) {
			udp_queue(us, q);
		} else {
			ip_drop_count(DROP_NO_MEMORY);
			ip_mib_inc_poll(udp_mib_for(&ip_rx(p)->dst), UDP_MEM_ERRORS);
		}
	}
	pkt_free(p);
}

/* ---- many packets, one receive ---- */

/* As far as a reader can tell, of one kind but for the data. */
static bool same_stream(const struct ip_rx *a, const struct ip_rx *b)
{
	return a->sport == b->sport && ip_addr_eq(&a->src, &b->src) &&
	       ip_addr_eq(&a->dst, &b->dst) && a->ifindex == b->ifindex && a->ttl == b->ttl &&
	       a->tos == b->tos && a->flags == b->flags && a->header_len == b->header_len &&
	       a->flow_label == b->flow_label;
}

/* Headers that a reader may ask for, and that differ from datagram to datagram. */
static bool may_join(const struct ip_rx *rx)
{
	u32 plain = ip_addr_is_v4(&rx->dst) ? 20 : 40;

	return rx->header_len == plain && !(rx->flags & (IP_RX_FRAGMENTED | IP_RX_REASSEMBLED));
}

/* The next one in the queue, if it may follow first and is no longer than room. */
static struct pkt *take_next(struct socket *s, const struct pkt *first, u32 room)
{
	struct pkt *p;

	spin_lock(&s->rx_lock);
	p = list_first_entry_or_null(&s->rx, struct pkt, node);
	if (p && p->len && p->len <= min(first->len, room) && !p->gso_size &&
	    same_stream(ip_rx_const(first), ip_rx_const(p))) {
		list_del(&p->node);
		s->rx_bytes -= p->truesize;
	} else {
		p = NULL;
	}
	spin_unlock(&s->rx_lock);
	return p;
}

/* What follows first, all of which has been copied: the bytes, or -EFAULT. */
static long copy_more(struct socket *s, struct msg *m, const struct pkt *first)
{
	u32 size = first->len, len = size, joined = 1;
	long done = 0;
	struct pkt *p;

	while (joined < JOINED_MAX && len == size && done >= 0) {
		u32 room = min((u64)m->iter.count, (u64)JOINED_BYTES - joined * size);

		p = take_next(s, first, room);
		if (!p)
			break;
		len = p->len;
		if (iter_copy_to(p->data, len, &m->iter) == (long)len)
			done += len;
		else
			done = -EFAULT;
		pkt_free(p);
		joined++;
	}
	return done;
}

static bool can_be_told(const struct msg *m)
{
	return m->control && m->control_len - m->control_used >= CONTROL_ROOM;
}

/* The first datagram is n bytes in the reader's buffer. What recv answers. */
static long join(struct socket *s, struct msg *m, const struct pkt *first, long n, u32 flags)
{
	int size = first->gso_size ? first->gso_size : (int)first->len;
	long more = 0;

	if (!first->gso_size) {
		if (!first->len || n != first->len || (flags & MSG_PEEK) || !can_be_told(m) ||
		    !may_join(ip_rx_const(first)))
			return n;
		more = copy_more(s, m, first);
		if (more <= 0)
			return more ? more : n;
	}
	msg_put_control(m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	return n + more;
}

/* SO_PEEK_OFF, as Linux moves it: n is what recv answers. */
static void peeked(struct socket *s, struct msg *m, const struct pkt *p, u32 skip, size_t len,
		   u32 flags, u32 n)
{
	if (skip && len == p->len - skip)
		m->flags |= MSG_TRUNC;
	socket_peek_moved(s, flags, n);
}

static __noinline long recv_odd(struct udp_sock *us, struct msg *m, size_t len)
{
	struct socket *s = us->is.s;
	u32 flags = m->flags, skip;
	struct pkt *p;
	long n;

	p = inet_recv_begin(&us->is, m, len, &n);
	if (!p)
		return n;
	skip = socket_peeks_on(s, flags) ? socket_peek_within(s, p) : 0;
	n = inet_recv_packet(&us->is, m, p, skip, len);
	if (n >= 0 && (flags & MSG_TRUNC))
		n += skip;
	if (n >= 0 && (us->recv_ways & UDP_RECV_GRO))
		n = join(s, m, p, n, flags);
	if (n >= 0 && (us->recv_ways & UDP_RECV_PEEK))
		peeked(s, m, p, skip, len, flags, n);
	pkt_free(p);
	return n;
}

long udp_recv(struct socket *s, struct msg *m, size_t len)
{
	struct udp_sock *us = udp_of(s);

	return likely(!us->recv_ways) ? inet_op_recv(s, m, len) : recv_odd(us, m, len);
}
