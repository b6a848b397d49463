/* SPDX-License-Identifier: MIT */
/* sockctl.c - control messages: what sendmsg says beside the data, and what recvmsg tells of a
 * packet. IPv4's are those of ip(7), IPv6's those of RFC 3542; an AF_INET6 socket that gets IPv4
 * hears of both. */
#include "ip.h"

struct in_pktinfo {
	int ifindex;
	u32 spec_dst, addr; /* network order */
};

struct in6_pktinfo {
	struct ip_addr addr;
	u32 ifindex;
};
_Static_assert(sizeof(struct in6_pktinfo) == 24, "the user's has 20 bytes");
#define PKTINFO6_LEN 20

/* ---- sending ---- */

static int control_byte(const struct cmsg_view *c, u8 *out)
{
	int v;

	if (c->len >= sizeof(int))
		memcpy(&v, c->data, sizeof(v));
	else if (c->len == 1)
		v = *c->data;
	else
		return -EINVAL;
	if (v < 0 || v > 255)
		return -EINVAL;
	*out = v;
	return 0;
}

/* Exactly an int, in lowest .. highest. */
static int control_int(const struct cmsg_view *c, int lowest, int highest, int *out)
{
	if (c->len != sizeof(int))
		return -EINVAL;
	memcpy(out, c->data, sizeof(*out));
	return *out < lowest || *out > highest ? -EINVAL : 0;
}

static int get_pktinfo6(const struct cmsg_view *c, struct in6_pktinfo *info)
{
	if (c->len < PKTINFO6_LEN)
		return -EINVAL;
	memcpy(info, c->data, PKTINFO6_LEN);
	return 0;
}

static int apply_v4(const struct cmsg_view *c, struct flow *f)
{
	struct in_pktinfo info;
	int v, err;

	switch (c->type) {
	case IP_TTL:
		err = control_int(c, 1, 255, &v);
		if (err)
			return err;
		f->ttl = v;
		f->flags &= ~(u32)FLOW_HOPS_0;
		return 0;
	case IP_TOS:
		return control_byte(c, &f->tos);
	case IP_PKTINFO:
		if (c->len < sizeof(info))
			return -EINVAL;
		memcpy(&info, c->data, sizeof(info));
		if (info.ifindex)
			f->oif = info.ifindex;
		if (info.spec_dst)
			f->src = ip_addr_v4_be(info.spec_dst);
		return 0;
	default:
		return -EINVAL;
	}
}

/* An IPv4 destination of an AF_INET6 socket: the source in IPv6's clothes. */
static int mapped_pktinfo(const struct cmsg_view *c, struct flow *f)
{
	struct in6_pktinfo info;
	int err = get_pktinfo6(c, &info);

	if (err || !ip_addr_is_v4(&info.addr))
		return -EINVAL;
	if (info.ifindex)
		f->oif = info.ifindex;
	if (!ip_addr_is_any(&info.addr))
		f->src = info.addr;
	return 0;
}

/* One of ours, also if others have it too: such an anycast address stands on no interface. Under
 * RCU. */
static bool may_be_source(const struct netif *nif, const struct ip_addr *addr)
{
	return ifaddr_find(nif, addr) ||
	       (!ifaddr_find(NULL, addr) && route_classify(addr) == ROUTE_LOCAL);
}

/* RFC 3542 6.2: the source and the interface. */
static int apply_pktinfo(const struct inet_sock *is, const struct cmsg_view *c, struct flow *f)
{
	struct netif *nif = NULL;
	struct in6_pktinfo info;
	int err = get_pktinfo6(c, &info);
	bool scoped = ip_addr_needs_scope(&info.addr);

	if (err)
		return err;
	if (info.ifindex) {
		if (f->oif && f->oif != info.ifindex)
			return -EINVAL;
		f->oif = info.ifindex;
	} else if (!f->oif && scoped) {
		return -EINVAL;
	}
	rcu_read_lock();
	if (f->oif)
		nif = netif_by_index(f->oif);
	if (f->oif && !nif)
		err = -ENODEV;
	else if (!ip_addr_is_any(&info.addr) && !inet_any_source(is, false) &&
		 !may_be_source(scoped ? nif : NULL, &info.addr))
		err = -EINVAL;
	rcu_read_unlock();
	if (!err && !ip_addr_is_any(&info.addr))
		f->src = info.addr;
	return err;
}

/* -1 is what the socket says anyway. */
static int apply_hop_limit(const struct cmsg_view *c, struct flow *f)
{
	int v, err = control_int(c, -1, 255, &v);

	if (err || v < 0)
		return err;
	f->ttl = v;
	f->flags = v ? f->flags & ~(u32)FLOW_HOPS_0 : f->flags | FLOW_HOPS_0;
	return 0;
}

static int apply_v6(const struct inet_sock *is, const struct cmsg_view *c, struct flow *f,
		    struct inet_headers *hs)
{
	int v, err;

	switch (c->type) {
	case IPV6_PKTINFO:
	case IPV6_2292PKTINFO:
		return apply_pktinfo(is, c, f);
	case IPV6_HOPLIMIT:
	case IPV6_2292HOPLIMIT:
		return apply_hop_limit(c, f);
	case IPV6_TCLASS:
		err = control_int(c, -1, 255, &v);
		if (!err)
			f->tos = v >= 0 ? v : is->v6.tos;
		return err;
	case IPV6_DONTFRAG:
		err = control_int(c, 0, 1, &v);
		if (!err)
			f->flags = v ? f->flags | FLOW_DF : f->flags & ~(u32)FLOW_DF;
		return err;
	case IPV6_FLOWINFO:
		if (c->len < sizeof(u32))
			return -EINVAL;
		f->flow_label = get_be32(c->data) & 0xfffff;
		return inet_label_allowed(is, f->flow_label) ? 0 : -EINVAL;
	default:
		return inet6_control_header(hs, c);
	}
}

int inet_send_control(struct inet_sock *is, const struct msg *m, struct flow *f)
{
	struct inet_headers hs = { .total = 0 };
	bool v4 = ip_addr_is_v4(&f->dst);
	struct cmsg_view c;
	size_t pos = 0;
	int err = 0;

	while (!err && msg_next_control(m, &pos, &c)) {
		if (v4 && c.level == SOL_IP)
			err = apply_v4(&c, f);
		else if (v4 && c.level == SOL_IPV6 && is->s->family == AF_INET6 &&
			 c.type == IPV6_PKTINFO)
			err = mapped_pktinfo(&c, f);
		else if (!v4 && c.level == SOL_IPV6)
			err = apply_v6(is, &c, f, &hs);
	}
	/* as on Linux, in place of all that the socket has */
	if (!err && hs.total)
		inet6_flow_headers(f, &hs);
	return err;
}

/* Of what came in fragments, how long the longest of them was, headers and all. */
static void put_frag_size(struct msg *m, int level, int type, const struct pkt *p)
{
	int size = p->frag_size;

	if (ip_rx_const(p)->flags & (IP_RX_FRAGMENTED | IP_RX_REASSEMBLED))
		msg_put_control(m, level, type, &size, sizeof(size));
}

/* ---- receiving: IPv4 ---- */

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

static void control_v4(const struct inet_sock *is, struct msg *m, const struct ip_rx *rx,
		       struct pkt *p)
{
	u32 flags = is->v4.flags;
	int ttl = rx->ttl;

	if (flags & INET_PKTINFO)
		put_pktinfo(m, rx);
	if (flags & INET_RECVTTL)
		msg_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (flags & INET_RECVTOS)
		msg_put_control(m, SOL_IP, IP_TOS, &rx->tos, sizeof(rx->tos));
	if (p && (flags & INET_RECVOPTS) && rx->header_len > 20)
		msg_put_control(m, SOL_IP, IP_RECVOPTS, pkt_at(p, p->net_off) + 20,
				rx->header_len - 20);
	if (p && (flags & INET_RECVFRAGSIZE))
		put_frag_size(m, SOL_IP, IP_RECVFRAGSIZE, p);
}

/* ---- receiving: IPv6 ---- */

static void put_pktinfo6(struct msg *m, int type, const struct ip_rx *rx)
{
	struct in6_pktinfo info = { .addr = rx->dst, .ifindex = rx->ifindex };

	msg_put_control(m, SOL_IPV6, type, &info, PKTINFO6_LEN);
}

#define HEADER6 40
#define NEXT_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AH 51
#define NEXT_DEST 60

/* RFC 8200 4: the extension headers in front of the transport, each as a whole. They were checked
 * when the packet came in. */
static void put_headers(const struct inet_sock *is, struct msg *m, struct pkt *p)
{
	static const struct {
		u8 header;
		u32 flag, flag_old;
		int type, type_old;
	} wanted[] = {
		{ NEXT_HOP, INET_RECVHOPOPTS, INET_RECVHOPOPTS_OLD, IPV6_HOPOPTS,
		  IPV6_2292HOPOPTS },
		{ NEXT_DEST, INET_RECVDSTOPTS, INET_RECVDSTOPTS_OLD, IPV6_DSTOPTS,
		  IPV6_2292DSTOPTS },
		{ NEXT_ROUTING, INET_RECVRTHDR, INET_RECVRTHDR_OLD, IPV6_RTHDR, IPV6_2292RTHDR },
	};
	const u8 *h = pkt_at(p, p->net_off);
	u32 at = HEADER6, end = ip_rx(p)->header_len, len;
	u8 next = h[6];

	for (; at + 8 <= end; at += len) {
		len = next == NEXT_FRAGMENT ? 8 :
		      next == NEXT_AH	    ? (h[at + 1] + 2u) * 4 :
					      (h[at + 1] + 1u) * 8;
		if (at + len > end)
			return;
		for (u32 i = 0; i < ARRAY_SIZE(wanted); i++) {
			if (wanted[i].header != next)
				continue;
			if (is->v6.flags & wanted[i].flag)
				msg_put_control(m, SOL_IPV6, wanted[i].type, h + at, len);
			if (is->v6.flags & wanted[i].flag_old)
				msg_put_control(m, SOL_IPV6, wanted[i].type_old, h + at, len);
		}
		next = h[at];
	}
}

static void put_original(const struct inet_sock *is, struct msg *m, const struct ip_rx *rx)
{
	u8 name[SOCKADDR_MAX];
	u32 len = ip_addr_to_sockaddr(name, AF_INET6, &rx->dst, is->lport, rx->ifindex);

	msg_put_control(m, SOL_IPV6, IPV6_RECVORIGDSTADDR, name, len);
}

/* Linux's order. */
static void control_v6(const struct inet_sock *is, struct msg *m, const struct ip_rx *rx,
		       struct pkt *p)
{
	u32 flags = is->v6.flags, flowinfo;
	int hops = rx->ttl, tclass = rx->tos;
	u8 be[4];

	if (flags & INET_RECVTTL)
		msg_put_control(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (flags & INET_RECVTOS)
		msg_put_control(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
	flowinfo = (u32)rx->tos << 20 | rx->flow_label;
	if ((flags & INET_RECVLABEL) && flowinfo) {
		put_be32(be, flowinfo);
		msg_put_control(m, SOL_IPV6, IPV6_FLOWINFO, be, sizeof(be));
	}
	if (p && rx->header_len > HEADER6)
		put_headers(is, m, p);
	if (flags & INET_PKTINFO_OLD)
		put_pktinfo6(m, IPV6_2292PKTINFO, rx);
	if (flags & INET_RECVTTL_OLD)
		msg_put_control(m, SOL_IPV6, IPV6_2292HOPLIMIT, &hops, sizeof(hops));
	if (flags & INET_RECVORIGDST)
		put_original(is, m, rx);
	if (p && (flags & INET_RECVFRAGSIZE))
		put_frag_size(m, SOL_IPV6, IPV6_RECVFRAGSIZE, p);
}

void inet_rx_control(struct inet_sock *is, struct msg *m, const struct ip_rx *rx, struct pkt *p)
{
	if (is->v6.flags & INET_PKTINFO)
		put_pktinfo6(m, IPV6_PKTINFO, rx);
	if (ip_addr_is_v4(&rx->dst))
		control_v4(is, m, rx, p);
	else
		control_v6(is, m, rx, p);
}

void inet_recv_control(struct inet_sock *is, struct msg *m, struct pkt *p)
{
	inet_rx_control(is, m, ip_rx(p), p);
}
EXPORT(inet_recv_control);
