/* SPDX-License-Identifier: MIT */
/* sock.c - the library that sockets of all IP transports are made with: names, the flow a send
 * wants, waiting for it, ancillary data. */
#include "ip.h"

#include <weft/sched.h>

struct in_pktinfo {
	int ifindex;
	u32 spec_dst, addr; /* network order */
};

static void flow_possible(struct ip_waiter *w)
{
	socket_wake(container_of(w, struct inet_sock, waiter)->s, POLLOUT | POLLWRNORM);
}

void inet_sock_init(struct inet_sock *is, struct socket *s)
{
	memset(is, 0, sizeof(*is));
	is->s = s;
	is->laddr = is->raddr = ip_addr_any(s ? s->family : AF_INET);
	is->flags = INET_MCAST_LOOP | INET_MCAST_ALL;
	is->mcast_ttl = 1; /* RFC 1112 6.1 */
	is->pmtudisc = IP_PMTUDISC_WANT;
	list_init(&is->memberships);
	list_init(&is->errors);
	ip_waiter_init(&is->waiter, flow_possible);
}
EXPORT(inet_sock_init);

void inet_sock_release(struct inet_sock *is)
{
	ip_waiter_cancel(&is->waiter);
	inet_leave_groups(is);
	inet_drop_errors(is);
}
EXPORT(inet_sock_release);

/* ---- names ---- */

int inet_bind_address(struct inet_sock *is, const u8 *name, u32 len, struct ip_addr *addr,
		      u16 *port)
{
	const struct ip_family *fam;
	enum ip_kind kind;
	u32 scope;
	bool ours;
	int err = ip_addr_from_sockaddr(name, len, is->s->family, addr, port, &scope);

	if (err || ip_addr_is_any(addr) || (is->flags & INET_FREEBIND))
		return err;
	rcu_read_lock();
	fam = ip_family_find(ip_addr_family(addr));
	kind = fam ? fam->classify(NULL, addr) : IP_KIND_INVALID;
	ours = kind == IP_KIND_MULTICAST || kind == IP_KIND_BROADCAST ||
	       (kind != IP_KIND_INVALID && route_classify(addr) != ROUTE_UNICAST);
	rcu_read_unlock();
	return ours ? 0 : -EADDRNOTAVAIL;
}
EXPORT(inet_bind_address);

int inet_name(struct inet_sock *is, u8 *name, u32 *len, bool peer)
{
	if (peer && ip_addr_is_any(&is->raddr))
		return -ENOTCONN;
	*len = ip_addr_to_sockaddr(name, is->s->family, peer ? &is->raddr : &is->laddr,
				   peer ? is->rport : is->lport, is->s->bound_if);
	return 0;
}
EXPORT(inet_name);

/* As on Linux and BSD, the unspecified destination is this host. */
static void own_host(const struct inet_sock *is, struct ip_addr *dst)
{
	bool v4 = ip_addr_is_v4(dst);

	if (!ip_addr_is_any(dst))
		return;
	if (!ip_addr_is_any(&is->laddr) && ip_addr_is_v4(&is->laddr) == v4)
		*dst = is->laddr;
	else
		ip_addr_parse(v4 ? "127.0.0.1" : "::1", dst);
}

int inet_connect_datagram(struct inet_sock *is, const u8 *name, u32 len)
{
	struct flow f = { 0 };
	struct ip_addr dst;
	u32 scope;
	u16 port, af;
	int err;

	memcpy(&af, name, sizeof(af));
	if (af == AF_UNSPEC) {
		is->raddr = ip_addr_any(is->s->family);
		is->rport = 0;
		flow_reset(&is->flow);
		return 0;
	}
	err = ip_addr_from_sockaddr(name, len, is->s->family, &dst, &port, &scope);
	if (err)
		return err;
	own_host(is, &dst);
	inet_flow_init(is, &f, &dst);
	if (scope && ip_addr_is_link_local(&dst))
		f.oif = scope;
	f.flags |= FLOW_PARK;
	err = ip_flow_check(&f, 0, NULL);
	/* a neighbour that does not answer and a full ring are matters of the moment */
	if (err && err != -EHOSTUNREACH && err != -EAGAIN && err != -ENOBUFS)
		return err;
	if (f.route_gen && ip_addr_is_any(&is->laddr))
		is->laddr = f.saddr;
	is->raddr = dst;
	is->rport = port;
	is->flow = f;
	return 0;
}
EXPORT(inet_connect_datagram);

/* ---- sending ---- */

static bool is_station(const struct ip_addr *a)
{
	bool broadcast;

	if (ip_addr_is_any(a))
		return true;
	rcu_read_lock();
	broadcast = ip_addr_is_limited_broadcast(a) || route_classify(a) == ROUTE_BROADCAST;
	rcu_read_unlock();
	return !broadcast && !ip_addr_is_multicast(a);
}

static const u32 pmtu_flags[] = {
	[IP_PMTUDISC_DONT] = 0,
	[IP_PMTUDISC_WANT] = FLOW_PMTU,
	[IP_PMTUDISC_DO] = FLOW_DF,
	[IP_PMTUDISC_PROBE] = FLOW_DF | FLOW_NO_PMTU,
	[IP_PMTUDISC_INTERFACE] = FLOW_WHOLE | FLOW_NO_PMTU,
	[IP_PMTUDISC_OMIT] = FLOW_NO_PMTU,
};

u32 inet_pmtu_flags(const struct inet_sock *is)
{
	return pmtu_flags[is->pmtudisc];
}
EXPORT(inet_pmtu_flags);

void inet_flow_init(struct inet_sock *is, struct flow *f, const struct ip_addr *dst)
{
	const struct socket *s = is->s;
	bool group = ip_addr_is_multicast(dst);

	*f = (struct flow){
		.dst = *dst,
		.src = is->laddr,
		.oif = s->bound_if,
		.mark = s->mark,
		.sport = is->lport,
		.dport = is->rport,
		.tos = is->tos,
		.ttl = group ? is->mcast_ttl : is->ttl,
		.opt_len = is->opt_len,
	};
	if (group && !f->oif)
		f->oif = is->mcast_if;
	/* bound to a group or a broadcast address: packets need a source of their own */
	if (!is_station(&f->src) || ip_addr_is_v4(&f->src) != ip_addr_is_v4(dst))
		f->src = ip_addr_any(ip_addr_family(dst));
	memcpy(f->opts, is->opts, is->opt_len);
	if (s->broadcast)
		f->flags |= FLOW_BROADCAST;
	if (s->dontroute)
		f->flags |= FLOW_DONTROUTE;
	if (is->flags & INET_FREEBIND)
		f->flags |= FLOW_ANY_SOURCE;
	if (!(is->flags & INET_MCAST_LOOP))
		f->flags |= FLOW_NO_LOOP;
	f->flags |= inet_pmtu_flags(is);
}
EXPORT(inet_flow_init);

static int control_number(const struct cmsg_view *c, int max_value, u8 *out)
{
	int v;

	if (c->len >= sizeof(int))
		memcpy(&v, c->data, sizeof(v));
	else if (c->len == 1)
		v = *c->data;
	else
		return -EINVAL;
	if (v < 0 || v > max_value)
		return -EINVAL;
	*out = v;
	return 0;
}

/* What sendmsg said beside the data. */
static int apply_control(const struct msg *m, struct flow *f)
{
	struct in_pktinfo info;
	struct cmsg_view c;
	size_t pos = 0;
	int err = 0;

	while (!err && msg_next_control(m, &pos, &c)) {
		if (c.level != SOL_IP)
			continue;
		if (c.type == IP_TTL) {
			err = control_number(&c, 255, &f->ttl);
		} else if (c.type == IP_TOS) {
			err = control_number(&c, 255, &f->tos);
		} else if (c.type == IP_PKTINFO && c.len >= sizeof(info)) {
			memcpy(&info, c.data, sizeof(info));
			if (info.ifindex)
				f->oif = info.ifindex;
			if (info.spec_dst)
				f->src = ip_addr_v4_be(info.spec_dst);
		} else {
			err = -EINVAL;
		}
	}
	return err;
}

int inet_send_flow(struct inet_sock *is, const struct msg *m, struct flow *f, u16 *port)
{
	struct ip_addr dst = is->raddr;
	u32 scope = 0;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	*port = is->rport;
	if (m->name_len) {
		err = ip_addr_from_sockaddr(m->name, m->name_len, is->s->family, &dst, port,
					    &scope);
		if (err)
			return err;
		own_host(is, &dst);
	} else if (ip_addr_is_any(&dst)) {
		return -EDESTADDRREQ;
	}
	inet_flow_init(is, f, &dst);
	f->dport = *port;
	if (scope && ip_addr_is_link_local(&dst) && !f->oif)
		f->oif = scope;
	if (m->flags & MSG_DONTROUTE)
		f->flags |= FLOW_DONTROUTE;
	return m->control_len ? apply_control(m, f) : 0;
}
EXPORT(inet_send_flow);

static bool buffer_full(struct socket *s)
{
	if (likely(socket_tx_bytes(s) < s->sndbuf))
		return false;
	/* says so before it looks again: either room is seen, or its freeing wakes */
	WRITE_ONCE(s->tx_waiting, true);
	smp_mb();
	return socket_tx_bytes(s) >= s->sndbuf;
}

/* Room in the send buffer: packets on their way give it back when they are freed. */
static int wait_for_buffer(struct inet_sock *is, u64 deadline, u32 msg_flags)
{
	int err = 0;

	while (!err && buffer_full(is->s))
		err = msg_flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(is->s, deadline);
	return err ? err : socket_take_error(is->s);
}

/* A live neighbour answers within milliseconds; a sender does not stand still for a dead one, or
 * one station could stop a server by letting it answer addresses that nobody has. After one slow
 * neighbour the socket waits for none for a while. */
#define RESOLVE_WAIT_NS (50 * NSEC_PER_MSEC)
#define PARK_FOR_NS (2 * NSEC_PER_SEC)

/* Sleeps until the waiter fires, until moment at most: then this flow's packet may be parked with
 * the neighbour. */
static int wait_for_flow(struct inet_sock *is, struct flow *f, u64 deadline, u64 moment)
{
	int err;

	/* parking did not help: it is the ring that is full, and that empties */
	if (f->flags & FLOW_PARK)
		return socket_wait(is->s, deadline);
	err = socket_wait(is->s, deadline ? min(deadline, moment) : moment);
	if (err == -EAGAIN) {
		f->flags |= FLOW_PARK;
		is->park_until = ktime_get() + PARK_FOR_NS;
		return 0;
	}
	/* a signal interrupts for good only where the user set a time-out */
	return err == -EINTR && !deadline ? -ERESTARTSYS : err;
}

struct pkt *inet_reserve_now(struct inet_sock *is, struct flow *f, u32 len)
{
	struct pkt *p;

	if (unlikely(socket_tx_bytes(is->s) >= is->s->sndbuf || READ_ONCE(is->s->error)))
		return ERR_PTR(-EAGAIN);
	p = ip_reserve(f, len, NULL);
	if (likely(!IS_ERR(p)))
		socket_charge_tx(is->s, p);
	return p;
}
EXPORT(inet_reserve_now);

struct pkt *inet_reserve(struct inet_sock *is, struct flow *f, u32 len, u32 msg_flags)
{
	u64 deadline = msg_flags & MSG_DONTWAIT ? 0 : socket_deadline(is->s, true);
	int err = wait_for_buffer(is, deadline, msg_flags);
	u64 moment = 0;
	struct pkt *p;

	if (err)
		return ERR_PTR(err);
	if (msg_flags & MSG_DONTWAIT || (is->park_until && ktime_get() < is->park_until))
		f->flags |= FLOW_PARK;
	for (;;) {
		p = ip_reserve(f, len, &is->waiter);
		if (!IS_ERR(p)) {
			/* left from a wait that a signal ended: POLLOUT shall not wait for it */
			if (unlikely(READ_ONCE(is->waiter.armed)))
				ip_waiter_cancel(&is->waiter);
			socket_charge_tx(is->s, p);
			return p;
		}
		if (PTR_ERR(p) == -EMSGSIZE)
			inet_error_too_long(is, f);
		if (PTR_ERR(p) != -EAGAIN || (msg_flags & MSG_DONTWAIT))
			return p;
		if (!moment)
			moment = ktime_get() + RESOLVE_WAIT_NS;
		err = wait_for_flow(is, f, deadline, moment);
		if (err)
			return ERR_PTR(err);
	}
}
EXPORT(inet_reserve);

/* ---- receiving ---- */

bool inet_filter_run(const struct inet_sock *is, struct pkt *p, u16 start)
{
	const u8 *head = pkt_at(p, p->net_off);
	struct filter_view v = {
		.head = head,
		.size = p->data + p->len - head,
		.data_off = start - p->net_off,
		.ethertype = p->ethertype,
		.pkttype = p->pkttype,
		.ifindex = ip_rx(p)->ifindex,
		.hatype = p->nif ? p->nif->type : 0,
	};
	u32 keep = socket_filter_run(is->s, &v), before = pkt_headroom(p) - start;

	pkt_trim(p, keep > before ? keep - before : 0);
	return keep;
}
EXPORT(inet_filter_run);

static void put_pktinfo(struct msg *m, const struct ip_rx *rx)
{
	struct in_pktinfo info = { .ifindex = rx->ifindex, .addr = rx->dst.w[3] };
	struct netif *nif;
	struct ifaddr *a;

	info.spec_dst = info.addr;
	if (rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST)) {
		rcu_read_lock();
		nif = netif_by_index(rx->ifindex);
		a = nif ? ifaddr_first(nif, AF_INET) : NULL;
		info.spec_dst = a ? a->addr.w[3] : 0;
		rcu_read_unlock();
	}
	msg_put_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
}

void inet_recv_control(struct inet_sock *is, struct msg *m, struct pkt *p)
{
	const struct ip_rx *rx = ip_rx(p);
	int ttl = rx->ttl;

	if (!ip_addr_is_v4(&rx->dst))
		return;
	if (is->flags & INET_PKTINFO)
		put_pktinfo(m, rx);
	if (is->flags & INET_RECVTTL)
		msg_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (is->flags & INET_RECVTOS)
		msg_put_control(m, SOL_IP, IP_TOS, &rx->tos, sizeof(rx->tos));
	if ((is->flags & INET_RECVOPTS) && rx->header_len > 20)
		msg_put_control(m, SOL_IP, IP_RECVOPTS, pkt_at(p, p->net_off) + 20,
				rx->header_len - 20);
}
EXPORT(inet_recv_control);
