/* SPDX-License-Identifier: MIT */
/* sock.c - the library that sockets of all IP transports are made with: names, the flow a send
 * wants, waiting for it. */
#include "ip.h"

#include <weft/net/stamp.h>

#include <weft/sched.h>

int inet_bindv6only, inet_nonlocal_bind, inet_nonlocal_bind_v6;
EXPORT(inet_bindv6only);
EXPORT(inet_nonlocal_bind);
EXPORT(inet_nonlocal_bind_v6);

static const struct inet_settings defaults = {
	.flags = INET_MCAST_LOOP | INET_MCAST_ALL,
	.mcast_ttl = 1, /* RFC 1112 6.1, RFC 3493 5.2 */
	.pmtudisc = IP_PMTUDISC_WANT,
};

static void flow_possible(struct ip_waiter *w)
{
	socket_wake(container_of(w, struct inet_sock, waiter)->s, POLLOUT | POLLWRNORM);
}

void inet_sock_init(struct inet_sock *is, struct socket *s)
{
	is->s = s;
	is->laddr = is->raddr = ip_addr_any(s ? s->family : AF_INET);
	is->v4 = is->v6 = defaults;
	if (s && s->family == AF_INET6 && READ_ONCE(inet_bindv6only))
		is->flags = INET_V6ONLY;
	list_init(&is->memberships);
	list_init(&is->labels);
	list_init(&is->anycasts);
	ip_waiter_init(&is->waiter, flow_possible);
}
EXPORT(inet_sock_init);

void inet_inherit(struct inet_sock *child, const struct inet_sock *l)
{
	child->flags = l->flags;
	child->v4 = l->v4;
	child->v6 = l->v6;
	child->headers = l->headers;
	child->frag_size = l->frag_size;
	child->preferences = l->preferences;
}
EXPORT(inet_inherit);

void inet_sock_release(struct inet_sock *is)
{
	ip_waiter_cancel(&is->waiter);
	inet_leave_groups(is, 0);
	inet_leave_anycasts(is);
	inet_release_labels(is);
	inet_drop_errors(is);
}
EXPORT(inet_sock_release);

int inet_may_become_v4(const struct inet_sock *is, bool connected, const void *val, u32 len)
{
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v != AF_INET)
		return -EINVAL;
	if (!connected)
		return -ENOTCONN;
	return (is->flags & INET_V6ONLY) || !ip_addr_is_v4(&is->raddr) ? -EADDRNOTAVAIL : 0;
}
EXPORT(inet_may_become_v4);

void inet_become_v4(struct inet_sock *is)
{
	inet_leave_groups(is, AF_INET6);
	inet_leave_anycasts(is);
	inet_release_labels(is);
	is->v6 = defaults;
	is->headers = (struct inet_headers){ 0 };
	is->preferences = 0;
	is->flow_label = is->frag_size = is->from_if = 0;
	is->from = ip_addr_any(AF_INET);
	if (ip_addr_is_any(&is->laddr))
		is->laddr = ip_addr_any(AF_INET);
	flow_reset(&is->flow);
	WRITE_ONCE(is->s->family, AF_INET);
}
EXPORT(inet_become_v4);

/* ---- names ---- */

bool inet_any_source(const struct inet_sock *is, bool v4)
{
	return (is->flags & INET_ANY_SOURCE) ||
	       READ_ONCE(*(v4 ? &inet_nonlocal_bind : &inet_nonlocal_bind_v6));
}

/* May packets come to and from a? Not while it is being checked for duplicates. */
static bool address_in_use(const struct ifaddr *a)
{
	if (a->flags & IFADDR_DADFAILED)
		return false;
	return !(a->flags & IFADDR_TENTATIVE) || (a->flags & IFADDR_OPTIMISTIC);
}

/* Under RCU. */
static int bind_check_v4(const struct inet_sock *is, const struct ip_addr *addr)
{
	const struct ip_family *fam = ip_family_find(AF_INET);
	enum ip_kind kind = fam ? fam->classify(NULL, addr) : IP_KIND_INVALID;

	if (is->s->family == AF_INET6 && is->s->type == SOCK_RAW)
		return -EADDRNOTAVAIL;
	if (ip_addr_is_any(addr) || inet_any_source(is, true) || kind == IP_KIND_MULTICAST ||
	    kind == IP_KIND_BROADCAST)
		return 0;
	if (kind == IP_KIND_INVALID || route_classify(addr) == ROUTE_UNICAST)
		return -EADDRNOTAVAIL;
	return 0;
}

/* Under RCU. */
static int bind_check_v6(const struct inet_sock *is, const struct ip_addr *addr)
{
	const struct netif *nif = NULL;
	const struct ifaddr *a;

	if (ip_addr_is_multicast(addr) && is->s->type == SOCK_STREAM)
		return -EINVAL;
	if (ip_addr_needs_scope(addr)) {
		if (!is->s->bound_if)
			return -EINVAL;
		nif = netif_by_index(is->s->bound_if);
		if (!nif)
			return -ENODEV;
	}
	if (ip_addr_is_multicast(addr) || inet_any_source(is, false))
		return 0;
	a = ifaddr_find(nif, addr);
	return a && address_in_use(a) ? 0 : -EADDRNOTAVAIL;
}

int inet_bind_address(struct inet_sock *is, const u8 *name, u32 len, struct ip_addr *addr,
		      u16 *port)
{
	u32 scope;
	u16 af;
	int err;

	/* a name of the other family would be good enough for a send, but not here */
	memcpy(&af, name, sizeof(af));
	if (is->s->family == AF_INET6 && af != AF_INET6)
		return len < 24 ? -EINVAL : -EAFNOSUPPORT;
	err = ip_addr_from_sockaddr(name, len, is->s->family, addr, port, &scope);
	if (err)
		return err;
	if (is->s->family == AF_INET6 && ip_addr_is_v4(addr) && (is->flags & INET_V6ONLY))
		return -EINVAL;
	if (scope && ip_addr_needs_scope(addr))
		WRITE_ONCE(is->s->bound_if, scope);
	rcu_read_lock();
	if (ip_addr_is_v4(addr))
		err = bind_check_v4(is, addr);
	else if (!ip_addr_is_any(addr))
		err = bind_check_v6(is, addr);
	rcu_read_unlock();
	return err;
}
EXPORT(inet_bind_address);

/* RFC 3493 3.3: traffic class and flow label, network order, behind the port. */
static void put_flowinfo(u8 *name, u32 flowinfo)
{
	put_be32(name + 4, flowinfo);
}

int inet_name(struct inet_sock *is, u8 *name, u32 *len, bool peer)
{
	u16 af = is->s->family;

	if (peer && ip_addr_is_any(&is->raddr))
		return -ENOTCONN;
	*len = ip_addr_to_sockaddr(name, af, peer ? &is->raddr : &is->laddr,
				   peer ? is->rport : is->lport, is->s->bound_if);
	if (peer && af == AF_INET6 && (is->v6.flags & INET_SEND_LABEL))
		put_flowinfo(name, is->flow_label);
	return 0;
}
EXPORT(inet_name);

/* As on Linux and BSD, the unspecified destination is this host. */
static void own_host(const struct inet_sock *is, struct ip_addr *dst)
{
	bool v4 = ip_addr_is_v4(dst), bound = !ip_addr_is_any(&is->laddr);

	if (!ip_addr_is_any(dst))
		return;
	/* :: means IPv4's if that is what the socket is bound to */
	if (bound && ip_addr_is_v4(&is->laddr))
		v4 = true;
	if (bound && v4 && is->s->family == AF_INET)
		*dst = is->laddr;
	else
		ip_addr_parse(v4 ? "127.0.0.1" : "::1", dst);
}

#define FLOW_LABEL_MASK 0xfffff

/* An AF_INET6 datagram socket takes names of AF_INET too, as on Linux. */
static int parse_name(const struct inet_sock *is, const u8 *name, u32 len, struct inet_peer *peer)
{
	u16 af = is->s->family, said;

	memcpy(&said, name, sizeof(said));
	if (af == AF_INET6 && said == AF_INET && is->s->type == SOCK_DGRAM)
		af = AF_INET;
	peer->flow_label = 0;
	return ip_addr_from_sockaddr(name, len, af, &peer->addr, &peer->port, &peer->scope);
}

int inet_peer_address(struct inet_sock *is, const u8 *name, u32 len, struct inet_peer *peer)
{
	int err = parse_name(is, name, len, peer);
	u16 bound;

	if (err)
		return err;
	own_host(is, &peer->addr);
	if (is->s->family == AF_INET)
		return 0;
	bound = ip_addr_is_any(&is->laddr) ? 0 : ip_addr_family(&is->laddr);
	if (ip_addr_is_v4(&peer->addr)) {
		if ((is->flags & INET_V6ONLY) || is->s->type == SOCK_RAW || bound == AF_INET6)
			return -ENETUNREACH;
		return 0;
	}
	if (bound == AF_INET)
		return -EAFNOSUPPORT;
	if (is->v6.flags & INET_SEND_LABEL)
		peer->flow_label = get_be32(name + 4) & FLOW_LABEL_MASK;
	return inet_label_allowed(is, peer->flow_label) ? 0 : -EINVAL;
}
EXPORT(inet_peer_address);

int inet_connect_scope(struct inet_sock *is, const struct inet_peer *peer)
{
	struct socket *s = is->s;

	if (!ip_addr_needs_scope(&peer->addr))
		return 0;
	if (peer->scope) {
		if (s->bound_if && s->bound_if != peer->scope)
			return -EINVAL;
		WRITE_ONCE(s->bound_if, peer->scope);
	} else if (!s->bound_if && ip_addr_is_multicast(&peer->addr)) {
		WRITE_ONCE(s->bound_if, is->v6.mcast_if);
	}
	return s->bound_if ? 0 : -EINVAL;
}
EXPORT(inet_connect_scope);

void inet_forget_peer(struct inet_sock *is)
{
	is->raddr = ip_addr_any(is->s->family);
	is->rport = 0;
	is->flow_label = 0;
	WRITE_ONCE(is->s->bound_if, 0);
	flow_reset(&is->flow);
}
EXPORT(inet_forget_peer);

int inet_connect_datagram(struct inet_sock *is, const u8 *name, u32 len)
{
	struct inet_peer peer;
	struct flow f = { 0 };
	u16 af;
	int err;

	memcpy(&af, name, sizeof(af));
	if (af == AF_UNSPEC) {
		inet_forget_peer(is);
		return 0;
	}
	if (af == AF_INET && (is->flags & INET_V6ONLY))
		return -EAFNOSUPPORT;
	err = inet_peer_address(is, name, len, &peer);
	if (!err)
		err = inet_connect_scope(is, &peer);
	if (err)
		return err;
	inet_flow_init(is, &f, &peer.addr);
	f.flow_label = peer.flow_label;
	f.flags |= FLOW_PARK;
	err = ip_flow_check(&f, 0, NULL);
	/* a neighbour that does not answer and a full ring are matters of the moment */
	if (err && err != -EHOSTUNREACH && err != -EAGAIN && err != -ENOBUFS)
		return err;
	if (f.route_gen && ip_addr_is_any(&is->laddr))
		is->laddr = f.saddr;
	is->raddr = peer.addr;
	is->rport = peer.port;
	is->flow_label = peer.flow_label;
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

u32 inet_pmtu_flags(const struct inet_sock *is, const struct ip_addr *dst)
{
	return pmtu_flags[inet_settings(is, dst)->pmtudisc];
}
EXPORT(inet_pmtu_flags);

/* What only IPv6 has. */
static void flow_init_v6(const struct inet_sock *is, struct flow *f)
{
	u32 flags = is->v6.flags;

	f->flow_label = is->flow_label;
	inet6_flow_headers(f, &is->headers);
	if (!f->oif)
		f->oif = is->from_if;
	if (ip_addr_is_any(&f->src))
		f->src = is->from;
	if (flags & INET_NO_AUTOLABEL)
		f->flags |= FLOW_NO_LABEL;
	if ((flags & INET_DONTFRAG) && is->s->type != SOCK_STREAM)
		f->flags |= FLOW_DF;
	if (is->preferences & IPV6_PREFER_SRC_TMP)
		f->flags |= FLOW_PREFER_TEMPORARY;
	else if (is->preferences & IPV6_PREFER_SRC_PUBLIC)
		f->flags |= FLOW_PREFER_PUBLIC;
}

void inet_flow_init(struct inet_sock *is, struct flow *f, const struct ip_addr *dst)
{
	const struct inet_settings *set = inet_settings(is, dst);
	const struct socket *s = is->s;
	bool group = ip_addr_is_multicast(dst), v4 = ip_addr_is_v4(dst);

	*f = (struct flow){
		.dst = *dst,
		.src = is->laddr,
		.oif = s->bound_if,
		.mark = s->mark,
		.sport = is->lport,
		.dport = is->rport,
		.tos = set->tos,
		.ttl = group ? set->mcast_ttl : set->ttl,
	};
	/* bound to a group or a broadcast address: packets need a source of their own */
	if (!is_station(&f->src) || ip_addr_is_v4(&f->src) != v4)
		f->src = ip_addr_any(ip_addr_family(dst));
	if (v4) {
		f->opt_len = is->opt_len;
		memcpy(f->opts, is->opts, is->opt_len);
	} else {
		flow_init_v6(is, f);
	}
	if (!f->oif)
		f->oif = group ? set->mcast_if : set->unicast_if;
	if (s->broadcast)
		f->flags |= FLOW_BROADCAST;
	if (s->dontroute)
		f->flags |= FLOW_DONTROUTE;
	if (inet_any_source(is, v4))
		f->flags |= FLOW_ANY_SOURCE;
	if (group ? !set->mcast_ttl : set->flags & INET_HOPS_0)
		f->flags |= FLOW_HOPS_0;
	if (!(set->flags & INET_MCAST_LOOP))
		f->flags |= FLOW_NO_LOOP;
	f->flags |= inet_pmtu_flags(is, dst);
}
EXPORT(inet_flow_init);

int inet_send_flow(struct inet_sock *is, const struct msg *m, struct flow *f, u16 *port)
{
	struct inet_peer peer = { .addr = is->raddr, .port = is->rport };
	bool named = m->name_len;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (named) {
		err = inet_peer_address(is, m->name, m->name_len, &peer);
		if (err)
			return err;
	} else if (ip_addr_is_any(&peer.addr)) {
		return -EDESTADDRREQ;
	}
	*port = peer.port;
	inet_flow_init(is, f, &peer.addr);
	f->dport = peer.port;
	if (named)
		f->flow_label = peer.flow_label;
	if (peer.scope && ip_addr_needs_scope(&peer.addr))
		f->oif = peer.scope;
	if (m->flags & MSG_DONTROUTE)
		f->flags |= FLOW_DONTROUTE;
	err = m->control_len ? inet_send_control(is, m, f) : 0;
	if (unlikely(m->control_len || is->s->stamping) && !err)
		err = inet_stamp_flow(is->s, m, f);
	return err;
}
EXPORT(inet_send_flow);

bool inet_same_name(const struct inet_sock *is, const struct msg *m, const struct flow *f,
		    u16 *port)
{
	struct sockaddr_in in;
	struct ip_addr dst;
	u32 scope;

	if (is->s->family == AF_INET) {
		if (m->name_len < sizeof(in))
			return false;
		memcpy(&in, m->name, sizeof(in));
		*port = ntohs(in.sin_port);
		return in.sin_family == AF_INET && in.sin_addr == f->dst.w[3];
	}
	if (ip_addr_from_sockaddr(m->name, m->name_len, AF_INET6, &dst, port, &scope) ||
	    !ip_addr_eq(&dst, &f->dst) || (ip_addr_needs_scope(&dst) && scope != f->oif))
		return false;
	return !(is->v6.flags & INET_SEND_LABEL);
}
EXPORT(inet_same_name);

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

/* IPV6_MTU: what is cut below is cut to this size. */
static void limit_fragments(const struct inet_sock *is, struct flow *f)
{
	if (unlikely(is->frag_size && f->mtu > is->frag_size && !ip_addr_is_v4(&f->dst)))
		f->mtu = is->frag_size;
}

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
			limit_fragments(is, f);
			socket_charge_tx(is->s, p);
			if (unlikely(f->flags & (FLOW_STAMP_SCHED | FLOW_STAMP_SENT)))
				stamp_mark(is->s, p, stamp_of_flow(f));
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

int inet_refuse_long(struct inet_sock *is, const struct msg *m)
{
	struct flow f;
	u16 port;

	if (is->s->family == AF_INET || inet_send_flow(is, m, &f, &port) || ip_addr_is_v4(&f.dst))
		return -EMSGSIZE;
	f.flags |= FLOW_PARK;
	ip_flow_check(&f, 0, NULL);
	if (f.route_gen)
		inet_error_too_long(is, &f);
	return -EMSGSIZE;
}
EXPORT(inet_refuse_long);

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
