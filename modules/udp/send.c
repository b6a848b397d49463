/* SPDX-License-Identifier: MIT */
/* send.c - datagrams go out: where to, room for it, header and checksum, down. The flow to the last
 * destination is kept, so that a connected socket, or a server that answers one client, needs no
 * route look-up for each datagram. MSG_MORE and UDP_CORK gather one datagram over several calls.
 * RFC 8085 3 leaves rates, sizes and ECN to programs: what they need to know of the path they can
 * ask. */
#include "udp.h"

/* ---- where to ---- */

/* A datagram that nothing but its destination tells from the last one may use the kept flow. */
static inline bool may_keep(const struct msg *m)
{
	return !m->control_len && !(m->flags & (MSG_OOB | MSG_DONTROUTE));
}

/* Does the kept flow lead where m goes? Then *port is the destination's. */
static bool flow_kept(const struct udp_sock *us, const struct msg *m, u16 *port)
{
	const struct inet_sock *is = &us->is;

	return is->flow.route_gen && may_keep(m) && inet_same_peer(is, m, &is->flow, port);
}

static int new_flow(struct udp_sock *us, const struct msg *m, struct flow *f, u16 *port)
{
	int err = inet_send_flow(&us->is, m, f, port);

	if (err)
		return err;
	f->proto = IPPROTO_UDP;
	return 0;
}

static int choose_flow(struct udp_sock *us, const struct msg *m, struct flow *f)
{
	u16 port;
	int err;

	if (flow_kept(us, m, &port)) {
		*f = us->is.flow;
		f->dport = port;
	} else {
		err = new_flow(us, m, f, &port);
		if (err)
			return err;
	}
	f->sport = us->is.lport;
	return port ? 0 : -EINVAL;
}

/* ---- header and checksum ---- */

/* In fragments: no device can sum over them. */
static __noinline u16 sum_here(const struct pkt *p, u32 sum)
{
	u16 field = csum_fold(csum_partial(p->data, p->len, sum));

	return field ? field : 0xffff; /* RFC 768: 0 says that there is none */
}

/* Nobody cuts what len bytes of UDP become. */
static inline bool fits(const struct flow *f, u32 len)
{
	return likely(len + f->net_header <= f->mtu);
}

enum sum { SUM_NONE, SUM_HERE, SUM_BELOW };

/* h is what p begins with, len all of it. */
static inline void fill_header(const struct flow *f, struct pkt *p, u8 *h, u32 len, enum sum how)
{
	u32 sum = flow_pseudo_sum(f, IPPROTO_UDP, len);
	u16 field;

	put_be16(h, f->sport);
	put_be16(h + 2, f->dport);
	put_be16(h + 4, len);
	if (how == SUM_NONE) {
		field = 0;
	} else if (likely(how == SUM_BELOW)) {
		field = ~csum_fold(sum);
		p->csum = PKT_CSUM_FILL;
		p->csum_start = p->trans_off;
		p->csum_off = 6;
	} else {
		put_be16(h + 6, 0);
		field = sum_here(p, sum);
	}
	memcpy(h + 6, &field, sizeof(field));
}

/* As on Linux, a full queue below is a lost packet unless errors were asked for. */
__noinline long udp_not_sent(struct udp_sock *us, const struct flow *f, u32 len, int err)
{
	if (err != -ENOBUFS)
		return err;
	ip_mib_inc(udp_mib_for(&f->dst), UDP_SNDBUF_ERRORS);
	return inet_wants_errors(&us->is, &f->dst) ? err : (long)len;
}

/* p, fresh, becomes a datagram with the next len bytes of the user's. 0, or -EFAULT: p is gone. */
static __always_inline int fill(const struct flow *f, struct pkt *p, struct iov_iter *from, u32 len,
				enum sum how)
{
	u8 *h = pkt_put(p, UDP_HEADER + len);

	p->trans_off = pkt_headroom(p);
	if (unlikely(iter_copy_from(h + UDP_HEADER, len, from) != (long)len)) {
		pkt_free(p);
		return -EFAULT;
	}
	fill_header(f, p, h, UDP_HEADER + len, how);
	return 0;
}

static enum sum how_to_sum(const struct udp_sock *us, const struct flow *f, u32 len)
{
	if (udp_no_check(us, &f->dst))
		return SUM_NONE;
	return fits(f, UDP_HEADER + len) ? SUM_BELOW : SUM_HERE;
}

/* f is the caller's own copy: the lock is dropped while waiting. segment: as udp_segment_size. */
static __noinline long transmit(struct udp_sock *us, struct flow *f, struct iov_iter *from, u32 len,
				u32 segment, u32 flags, bool keep)
{
	u32 changes = us->changes;
	struct pkt *p;
	int err;

	if (ip_addr_is_v4(&f->dst) && len + f->opt_len > UDP_DATA_MAX_V4)
		return -EMSGSIZE;
	if (segment)
		f->flags |= FLOW_GSO;
	p = inet_reserve(&us->is, f, UDP_HEADER + len, flags);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (keep && changes == us->changes) {
		us->is.flow = *f;
		us->is.flow.flags &= ~(u32)(FLOW_PARK | FLOW_GSO);
	}
	if (segment)
		return udp_emit_segments(us, f, p, from, len, segment);
	err = fill(f, p, from, len, how_to_sum(us, f, len));
	return err ? err : udp_sent(us, f, len, ip_commit(f, p));
}

/* ---- datagrams in pieces ---- */

void udp_cork_drop(struct udp_sock *us)
{
	kfree(us->cork.buf);
	us->cork = (struct udp_cork){ 0 };
	us->ways.corking = false;
}

long udp_cork_push(struct udp_sock *us, u32 msg_flags)
{
	struct udp_cork c = us->cork;
	struct iovec v = { .base = c.buf, .len = c.len };
	struct iov_iter it;
	long ret;

	if (!us->ways.corking)
		return 0;
	/* taken off first: the lock is dropped while waiting */
	us->cork = (struct udp_cork){ 0 };
	us->ways.corking = false;
	iter_init(&it, &v, 1, true);
	ret = transmit(us, &c.flow, &it, c.len, c.segment, msg_flags, false);
	kfree(c.buf);
	return ret < 0 ? ret : 0;
}

static int cork_append(struct udp_cork *c, struct iov_iter *from, u32 len)
{
	u32 room = c->room ? c->room : 2048;
	u8 *buf;

	if (len > UDP_DATA_MAX - c->len)
		return -EMSGSIZE;
	while (room < c->len + len)
		room *= 2;
	if (room != c->room) {
		buf = krealloc(c->buf, room);
		if (!buf)
			return -ENOBUFS;
		c->buf = buf;
		c->room = room;
	}
	if (iter_copy_from(c->buf + c->len, len, from) != (long)len)
		return -EFAULT;
	c->len += len;
	return 0;
}

static bool is_corked(const struct udp_sock *us, const struct msg *m)
{
	return us->ways.corking || us->ways.cork || (m->flags & MSG_MORE);
}

/* The first piece says where it goes. */
static long cork_send(struct udp_sock *us, struct msg *m, u32 len)
{
	long err = 0;
	int segment;

	if (!us->ways.corking) {
		segment = udp_segment_size(us, m);
		err = segment < 0 ? segment : choose_flow(us, m, &us->cork.flow);
		us->ways.corking = !err;
		us->cork.segment = segment;
	}
	if (!err)
		err = cork_append(&us->cork, &m->iter, len);
	if (err)
		udp_cork_drop(us);
	else if (!us->ways.cork && !(m->flags & MSG_MORE))
		err = udp_cork_push(us, m->flags);
	return err ? err : (long)len;
}

static __noinline long send_any(struct udp_sock *us, struct msg *m, size_t len)
{
	struct flow f;
	int err, segment;

	if (unlikely(len > UDP_DATA_MAX))
		return inet_refuse_long(&us->is, m);
	if (unlikely(!us->is.lport)) {
		err = udp_take_port(us, 0);
		if (err)
			return err == -EADDRINUSE ? -EAGAIN : err;
	}
	if (unlikely(is_corked(us, m)))
		return cork_send(us, m, len);
	segment = udp_segment_size(us, m);
	err = segment < 0 ? segment : choose_flow(us, m, &f);
	if (err)
		return err;
	return transmit(us, &f, &m->iter, len, segment, m->flags, may_keep(m));
}

/* ---- the usual case ---- */

/* The way was known, and as far as can be seen nothing has to be waited for. Then the kept flow has
 * m's ports. Whether it still holds ip_send_now finds out. */
static inline bool seems_ready(struct udp_sock *us, const struct msg *m, u32 len)
{
	struct inet_sock *is = &us->is;
	u16 port;

	if (!inet_same_peer(is, m, &is->flow, &port) || !port ||
	    !fits(&is->flow, UDP_HEADER + len) || !inet_send_ready(is))
		return false;
	is->flow.sport = is->lport;
	is->flow.dport = port;
	return true;
}

/* Nothing is said but where to, and nothing more is to come. */
static inline bool is_usual(const struct udp_sock *us, const struct msg *m, size_t len)
{
	return likely(!us->ways.any && len <= UDP_DATA_MAX && !m->control_len &&
		      !(m->flags & (MSG_MORE | MSG_OOB | MSG_DONTROUTE)));
}

/* It was not so: p, which is filled, gives back what the user has said. */
static __noinline long send_again(struct udp_sock *us, const struct msg *m, struct pkt *p, u32 len)
{
	struct iovec v = { .base = p->data + UDP_HEADER, .len = len };
	struct msg again = *m;
	long ret;

	pkt_orphan(p);
	iter_init(&again.iter, &v, 1, true);
	ret = send_any(us, &again, len);
	pkt_free(p);
	return ret;
}

long udp_send(struct socket *s, struct msg *m, size_t len)
{
	struct udp_sock *us = udp_of(s);
	struct flow *f = &us->is.flow;
	struct pkt *p = NULL;
	int err;

	if (is_usual(us, m, len) && seems_ready(us, m, len))
		p = pkt_alloc(PKT_POOL_TX, ip_headroom(f), UDP_HEADER + len);
	if (unlikely(!p))
		return send_any(us, m, len);
	err = fill(f, p, &m->iter, len, SUM_BELOW);
	if (unlikely(err))
		return err;
	socket_charge_tx(s, p);
	rcu_read_lock();
	err = ip_send_now(f, p);
	if (likely(!err))
		ip_mib_inc_poll(udp_mib_for(&f->dst), UDP_OUT);
	rcu_read_unlock();
	if (likely(!err))
		return len;
	return err == -EAGAIN ? send_again(us, m, p, len) : udp_not_sent(us, f, len, err);
}
