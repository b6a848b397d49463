/* SPDX-License-Identifier: MIT */
/* sockops.c - the library's functions in the shape of struct socket_ops, for transports that add
 * nothing of their own to them. */
#include "ip.h"

static struct inet_sock *inet_of(const struct socket *s)
{
	return s->priv;
}

int inet_op_name(struct socket *s, u8 *name, u32 *len, enum socket_name which)
{
	return inet_name(inet_of(s), name, len, which != SOCKET_NAME_OWN);
}
EXPORT(inet_op_name);

u32 inet_poll(struct inet_sock *is)
{
	u32 events = socket_poll_default(is->s);

	if (READ_ONCE(is->waiter.armed))
		events &= ~(u32)(POLLOUT | POLLWRNORM);
	if (inet_has_error(is))
		events |= POLLERR;
	return events;
}
EXPORT(inet_poll);

u32 inet_op_poll(struct socket *s)
{
	return inet_poll(inet_of(s));
}
EXPORT(inet_op_poll);

int inet_op_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	return inet_setsockopt(inet_of(s), level, opt, val, len);
}
EXPORT(inet_op_setsockopt);

int inet_op_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	return inet_getsockopt(inet_of(s), level, opt, val, len);
}
EXPORT(inet_op_getsockopt);

/* ---- datagrams ---- */

int inet_op_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	return inet_connect_datagram(inet_of(s), name, len);
}
EXPORT(inet_op_connect);

static inline struct pkt *recv_begin(struct inet_sock *is, struct msg *m, size_t len, long *ret)
{
	struct pkt *p = NULL;

	if (unlikely(m->flags & (MSG_ERRQUEUE | MSG_OOB))) {
		*ret = m->flags & MSG_OOB ? -EOPNOTSUPP : inet_recv_error(is, m, len);
		return NULL;
	}
	*ret = 0;
	if (unlikely(is->path_mtu) && inet_recv_path_mtu(is, m))
		return NULL;
	p = socket_dequeue(is->s, m->flags);
	if (likely(!IS_ERR(p)))
		return p;
	*ret = PTR_ERR(p);
	return NULL;
}

struct pkt *inet_recv_begin(struct inet_sock *is, struct msg *m, size_t len, long *ret)
{
	return recv_begin(is, m, len, ret);
}
EXPORT(inet_recv_begin);

static inline long recv_packet(struct inet_sock *is, struct msg *m, struct pkt *p, u32 skip,
			       size_t len)
{
	const struct ip_rx *rx = ip_rx(p);
	struct socket *s = is->s;

	if (m->name && s->family == AF_INET)
		m->name_len = ip_addr_to_sockaddr_in(m->name, &rx->src, rx->sport);
	else if (m->name)
		m->name_len =
			ip_addr_to_sockaddr(m->name, s->family, &rx->src, rx->sport, rx->ifindex);
	if (inet_wants_control(is))
		inet_recv_control(is, m, p);
	return socket_copy_datagram(s, m, p, skip, len);
}

long inet_recv_packet(struct inet_sock *is, struct msg *m, struct pkt *p, u32 skip, size_t len)
{
	return recv_packet(is, m, p, skip, len);
}
EXPORT(inet_recv_packet);

long inet_op_recv(struct socket *s, struct msg *m, size_t len)
{
	struct inet_sock *is = inet_of(s);
	struct pkt *p;
	long n;

	p = recv_begin(is, m, len, &n);
	if (unlikely(!p))
		return n;
	n = recv_packet(is, m, p, 0, len);
	pkt_free(p);
	return n;
}
EXPORT(inet_op_recv);

int inet_op_shutdown(struct socket *s, int how)
{
	return ip_addr_is_any(&inet_of(s)->raddr) ? -ENOTCONN : 0;
}
EXPORT(inet_op_shutdown);
