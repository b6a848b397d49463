/* SPDX-License-Identifier: MIT */
/* sock.c - a UDP socket's calls beside send: names, connect, receive, options, the end. connect
 * only remembers: it picks a port and a source address, and from then on other peers are not heard
 * and ICMP errors are. */
#include "udp.h"

#include <weft/net/stamp.h>
#include <weft/sched.h>

/* Flows made before this are not kept. */
static void changed(struct udp_sock *us)
{
	us->changes++;
	flow_reset(&us->is.flow);
}

static int udp_bind(struct socket *s, const u8 *name, u32 len)
{
	struct udp_sock *us = udp_of(s);
	struct ip_addr addr, before = us->is.laddr;
	u16 port;
	int err;

	if (us->is.lport)
		return -EINVAL;
	err = inet_bind_address(&us->is, name, len, &addr, &port);
	if (err)
		return err;
	if (inet_port_privileged(port) && require_root())
		return -EACCES;
	us->is.laddr = addr;
	err = port || !(us->is.flags & INET_BIND_NO_PORT) ? udp_take_port(us, port) : 0;
	if (err) {
		us->is.laddr = before;
		return err;
	}
	us->port_bound = port;
	us->addr_bound = !ip_addr_is_any(&addr);
	changed(us);
	return 0;
}

/* What connect may have to put back. */
struct ends {
	struct ip_addr laddr, raddr;
	u16 rport;
};

static struct ends ends_of(const struct udp_sock *us)
{
	return (struct ends){ us->is.laddr, us->is.raddr, us->is.rport };
}

static void set_ends(struct udp_sock *us, const struct ends *e)
{
	us->is.laddr = e->laddr;
	us->is.raddr = e->raddr;
	us->is.rport = e->rport;
}

/* connect(AF_UNSPEC): everybody is heard again; what bind did not fix is given back. */
static int disconnect(struct udp_sock *us)
{
	struct ends before = ends_of(us);
	int err;

	inet_forget_peer(&us->is);
	if (!us->addr_bound)
		us->is.laddr = ip_addr_any(us->is.s->family);
	changed(us);
	if (us->port_bound) {
		err = udp_rehash(us);
		if (err) {
			set_ends(us, &before);
			return err;
		}
	} else {
		udp_leave(us);
	}
	return 0;
}

static int udp_connect(struct socket *s, const u8 *name, u32 len, bool nonblock)
{
	struct udp_sock *us = udp_of(s);
	struct ends before = ends_of(us);
	u16 af;
	int err;

	memcpy(&af, name, sizeof(af));
	if (af == AF_UNSPEC)
		return disconnect(us);
	if (!us->is.lport) {
		err = udp_take_port(us, 0);
		if (err)
			return err == -EADDRINUSE ? -EAGAIN : err;
	}
	/* the source suits the new peer, not the last one */
	if (!us->addr_bound)
		us->is.laddr = ip_addr_any(s->family);
	err = inet_connect_datagram(&us->is, name, len);
	if (!err)
		err = udp_rehash(us);
	if (err)
		set_ends(us, &before);
	changed(us);
	return err;
}

/* An unconnected socket cannot be shut down (POSIX), but as on Linux who sleeps in it is woken and
 * finds its end: programs use that to stop a receiving thread. */
static int udp_shutdown(struct socket *s, int how)
{
	if (!ip_addr_is_any(&udp_of(s)->is.raddr))
		return 0;
	spin_lock(&s->rx_lock);
	s->shut |= how + 1;
	spin_unlock(&s->rx_lock);
	socket_wake(s, POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	return -ENOTCONN;
}

/* IPV6_ADDRFORM */
static int set_form(struct udp_sock *us, const void *val, u32 len)
{
	int err = inet_may_become_v4(&us->is, !ip_addr_is_any(&us->is.raddr), val, len);

	if (err != -EINVAL && us->ways.corking && !ip_addr_is_v4(&us->cork.flow.dst))
		err = -EBUSY;
	if (!err)
		udp_become_v4(us);
	return err;
}

static void set_recv_way(struct udp_sock *us, u8 way, bool on)
{
	WRITE_ONCE(us->recv_ways, on ? us->recv_ways | way : us->recv_ways & ~way);
}

/* Those of level SOL_UDP. */
static int set_option(struct udp_sock *us, int opt, const void *val, u32 len)
{
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (opt) {
	case UDP_CORK:
		us->ways.cork = v;
		return v ? 0 : udp_cork_push(us, 0);
	case UDP_NO_CHECK6_TX:
		us->ways.no_check6 = v;
		return 0;
	case UDP_NO_CHECK6_RX:
		udp_hear_unchecked(us, v);
		return 0;
	case UDP_SEGMENT:
		if (v < 0 || v > 0xffff)
			return -EINVAL;
		us->ways.segment = v;
		return 0;
	case UDP_GRO:
		set_recv_way(us, UDP_RECV_GRO, v);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_setsockopt(struct socket *s, int level, int opt, const void *val, u32 len)
{
	struct udp_sock *us = udp_of(s);
	int err;

	if (level == SOL_SOCKET && opt == SO_PEEK_OFF) {
		set_recv_way(us, UDP_RECV_PEEK, *(const int *)val >= 0);
		return 0;
	}
	if (level != SOL_UDP) {
		if (level == SOL_IPV6 && opt == IPV6_ADDRFORM && s->family == AF_INET6)
			err = set_form(us, val, len);
		else
			err = inet_setsockopt(&us->is, level, opt, val, len);
		us->ways.no_check = s->no_check;
		us->ways.stamps = s->stamping & STAMP_TX_ANY;
		changed(us);
		return err;
	}
	return set_option(us, opt, val, len);
}

static int udp_getsockopt(struct socket *s, int level, int opt, void *val, u32 *len)
{
	struct udp_sock *us = udp_of(s);
	int v;

	if (level != SOL_UDP)
		return inet_getsockopt(&us->is, level, opt, val, len);
	switch (opt) {
	case UDP_CORK:
		v = us->ways.cork;
		break;
	case UDP_NO_CHECK6_TX:
		v = us->ways.no_check6;
		break;
	case UDP_NO_CHECK6_RX:
		v = us->no_check6_rx;
		break;
	case UDP_SEGMENT:
		v = us->ways.segment;
		break;
	case UDP_GRO:
		v = !!(us->recv_ways & UDP_RECV_GRO);
		break;
	default:
		return -ENOPROTOOPT;
	}
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static void sock_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct udp_sock, rcu));
}

/* Poll context may still be looking at the socket, which lives a grace period longer: what it
 * queues then goes with the struct socket. */
static void udp_close(struct socket *s)
{
	struct udp_sock *us = udp_of(s);

	udp_leave(us);
	udp_cork_drop(us);
	inet_sock_release(&us->is);
	call_rcu(&us->rcu, sock_free_rcu);
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind,
	.connect = udp_connect,
	.name = inet_op_name,
	.send = udp_send,
	.recv = udp_recv,
	.poll = inet_op_poll,
	.shutdown = udp_shutdown,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.close = udp_close,
};

int udp_socket(struct socket *s)
{
	struct udp_sock *us = kzalloc(sizeof(*us));

	if (!us)
		return -ENOMEM;
	inet_sock_init(&us->is, s);
	s->protocol = IPPROTO_UDP;
	s->filters = true;
	s->priv = us;
	s->ops = &udp_ops;
	return 0;
}
