/* SPDX-License-Identifier: MIT */
/* sockopt6.c - the SOL_IPV6 options (RFC 3493, 3542, 5014) that all transports share. They are
 * about IPv6 packets: what is sent to a mapped IPv4 address follows SOL_IP's. Numbers and errnos
 * are Linux's. */
#include "ip.h"

#define MTU_MIN 1280 /* RFC 8200 5 */
#define PKTINFO_LEN 20
#define MTU_INFO_LEN 32 /* struct ip6_mtuinfo: a sockaddr_in6, the MTU */

/* Options that are on or off. */
static const struct {
	int opt;
	u32 flag;
} switches[] = {
	{ IPV6_MULTICAST_LOOP, INET_MCAST_LOOP },
	{ IPV6_MULTICAST_ALL, INET_MCAST_ALL },
	{ IPV6_RECVERR, INET_RECVERR },
	{ IPV6_RECVPKTINFO, INET_PKTINFO },
	{ IPV6_RECVHOPLIMIT, INET_RECVTTL },
	{ IPV6_RECVTCLASS, INET_RECVTOS },
	{ IPV6_FLOWINFO, INET_RECVLABEL },
	{ IPV6_RECVHOPOPTS, INET_RECVHOPOPTS },
	{ IPV6_RECVDSTOPTS, INET_RECVDSTOPTS },
	{ IPV6_RECVRTHDR, INET_RECVRTHDR },
	{ IPV6_2292PKTINFO, INET_PKTINFO_OLD },
	{ IPV6_2292HOPLIMIT, INET_RECVTTL_OLD },
	{ IPV6_2292HOPOPTS, INET_RECVHOPOPTS_OLD },
	{ IPV6_2292DSTOPTS, INET_RECVDSTOPTS_OLD },
	{ IPV6_2292RTHDR, INET_RECVRTHDR_OLD },
	{ IPV6_RECVORIGDSTADDR, INET_RECVORIGDST },
	{ IPV6_RECVPATHMTU, INET_RECVPATHMTU },
	{ IPV6_DONTFRAG, INET_DONTFRAG },
	{ IPV6_FLOWINFO_SEND, INET_SEND_LABEL },
	{ IPV6_RECVFRAGSIZE, INET_RECVFRAGSIZE },
};

static u32 switch_of(int opt)
{
	for (u32 i = 0; i < ARRAY_SIZE(switches); i++) {
		if (switches[i].opt == opt)
			return switches[i].flag;
	}
	return 0;
}

static bool is_number(int opt)
{
	switch (opt) {
	case IPV6_ADDRFORM:
	case IPV6_V6ONLY:
	case IPV6_UNICAST_HOPS:
	case IPV6_MINHOPCOUNT:
	case IPV6_MULTICAST_HOPS:
	case IPV6_MULTICAST_IF:
	case IPV6_MTU_DISCOVER:
	case IPV6_MTU:
	case IPV6_TCLASS:
	case IPV6_AUTOFLOWLABEL:
	case IPV6_ADDR_PREFERENCES:
	case IPV6_FREEBIND:
	case IPV6_TRANSPARENT:
	case IPV6_UNICAST_IF:
	case IPV6_HDRINCL:
		return true;
	default:
		return switch_of(opt);
	}
}

static void set_flag(u32 *flags, u32 flag, bool on)
{
	*flags = on ? *flags | flag : *flags & ~flag;
}

/* RFC 3493 5.3: not any more once there is a port that others may have been refused. */
static int set_v6only(struct inet_sock *is, int v)
{
	if (is->lport)
		return -EINVAL;
	set_flag(&is->flags, INET_V6ONLY, v);
	return 0;
}

static int set_multicast_if(struct inet_sock *is, u32 index)
{
	bool there;

	rcu_read_lock();
	there = !index || netif_by_index(index);
	rcu_read_unlock();
	if (!there)
		return -ENODEV;
	if (index && is->s->bound_if && is->s->bound_if != index)
		return -EINVAL;
	is->v6.mcast_if = index;
	return 0;
}

/* RFC 5014 6: of each pair one, or none to leave it as it is. Home and care-of addresses, and
 * cryptographic ones, are remembered only: nobody has any. */
static int set_preferences(struct inet_sock *is, u32 v)
{
	const u32 lifetime = IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC |
			     IPV6_PREFER_SRC_PUBTMP_DEFAULT;
	const u32 home = IPV6_PREFER_SRC_HOME | IPV6_PREFER_SRC_COA;
	const u32 cga = IPV6_PREFER_SRC_CGA | IPV6_PREFER_SRC_NONCGA;
	u32 now = is->preferences, a = v & lifetime, b = v & home;

	if ((a & (a - 1)) || b == home || (v & cga) == cga)
		return -EINVAL;
	if (a)
		now = (now & ~lifetime) | (a & ~(u32)IPV6_PREFER_SRC_PUBTMP_DEFAULT);
	if (b)
		now = (now & ~home) | (b & IPV6_PREFER_SRC_COA);
	is->preferences = now;
	return 0;
}

static u32 get_preferences(const struct inet_sock *is)
{
	u32 v = is->preferences;

	if (!(v & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC)))
		v |= IPV6_PREFER_SRC_PUBTMP_DEFAULT;
	if (!(v & IPV6_PREFER_SRC_COA))
		v |= IPV6_PREFER_SRC_HOME;
	return v;
}

/* Options that a stream does not have, though Linux keeps what it is told of some others. */
static bool for_datagrams(int opt)
{
	return opt == IPV6_MULTICAST_IF || opt == IPV6_MULTICAST_HOPS;
}

static int set_hops(struct inet_settings *set, int v)
{
	if (v < -1 || v > 255)
		return -EINVAL;
	set->ttl = v == -1 ? 0 : v;
	set_flag(&set->flags, INET_HOPS_0, v == 0);
	return 0;
}

static int set_number(struct inet_sock *is, int opt, int v)
{
	struct inet_settings *set = &is->v6;

	switch (opt) {
	case IPV6_ADDRFORM: /* of some transports, and theirs then */
		return v == AF_INET ? -ENOPROTOOPT : -EINVAL;
	case IPV6_V6ONLY:
		return set_v6only(is, v);
	case IPV6_UNICAST_HOPS:
		return set_hops(set, v);
	case IPV6_MINHOPCOUNT:
		return inet_set_min_ttl(set, v);
	case IPV6_MULTICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		set->mcast_ttl = v == -1 ? 1 : v;
		return 0;
	case IPV6_MULTICAST_IF:
		return set_multicast_if(is, v);
	case IPV6_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		set->pmtudisc = v;
		return 0;
	case IPV6_MTU:
		if (v && v < MTU_MIN)
			return -EINVAL;
		is->frag_size = v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		set->tos = inet_tos_allowed(is, set->tos, v == -1 ? 0 : v);
		return 0;
	case IPV6_AUTOFLOWLABEL:
		set_flag(&set->flags, INET_NO_AUTOLABEL, !v);
		return 0;
	case IPV6_ADDR_PREFERENCES:
		return set_preferences(is, v);
	case IPV6_FREEBIND:
		set_flag(&is->flags, INET_FREEBIND, v);
		return 0;
	case IPV6_TRANSPARENT:
		return inet_set_transparent(is, v);
	case IPV6_UNICAST_IF:
		return inet_set_unicast_if(is, set, v);
	case IPV6_HDRINCL:
		if (is->s->type != SOCK_RAW)
			return -ENOPROTOOPT;
		set_flag(&is->flags, INET_HDRINCL, v);
		return 0;
	default:
		break;
	}
	/* Linux takes 0 and 1 only where RFC 3493 says so */
	if (opt == IPV6_MULTICAST_LOOP && (v & ~1))
		return -EINVAL;
	set_flag(&set->flags, switch_of(opt), v);
	return 0;
}

/* RFC 3542 6.2: source and interface of all that is sent; zeros take it back. */
static int set_pktinfo(struct inet_sock *is, const u8 *val, u32 len)
{
	struct ip_addr from;
	u32 index;

	if (len < PKTINFO_LEN)
		return -EINVAL;
	memcpy(from.b, val, sizeof(from.b));
	memcpy(&index, val + sizeof(from.b), sizeof(index));
	if (index && is->s->bound_if && is->s->bound_if != index)
		return -EINVAL;
	is->from = from;
	is->from_if = index;
	return 0;
}

int inet6_setsockopt(struct inet_sock *is, int opt, const void *val, u32 len)
{
	int v, err;

	if (is->s->family != AF_INET6)
		return -ENOPROTOOPT;
	flow_reset(&is->flow);
	err = inet_set_group_option(is, SOL_IPV6, opt, val, len);
	if (err != -ENOPROTOOPT)
		return err;
	if (opt == IPV6_PKTINFO)
		return set_pktinfo(is, val, len);
	if (inet6_is_header(opt))
		return inet6_set_header(is, opt, val, len);
	if (opt == IPV6_JOIN_ANYCAST || opt == IPV6_LEAVE_ANYCAST)
		return inet_anycast_option(is, opt == IPV6_JOIN_ANYCAST, val, len);
	if (opt == IPV6_FLOWLABEL_MGR)
		return inet_set_flow_label(is, (void *)val, len);
	if (!is_number(opt) || (is->s->type == SOCK_STREAM && for_datagrams(opt)))
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	return set_number(is, opt, v);
}

/* ---- asking ---- */

static int default_hops(void)
{
	const struct ip_family *fam;
	int v;

	rcu_read_lock();
	fam = ip_family_find(AF_INET6);
	v = fam ? *fam->default_ttl : 64;
	rcu_read_unlock();
	return v;
}

static int get_number(struct inet_sock *is, int opt, int *v)
{
	const struct inet_settings *set = &is->v6;

	switch (opt) {
	case IPV6_ROUTER_ALERT:
		*v = 0;
		return 0;
	case IPV6_ADDRFORM:
		*v = AF_INET6;
		return ip_addr_is_any(&is->raddr) ? -ENOTCONN : 0;
	case IPV6_V6ONLY:
		*v = !!(is->flags & INET_V6ONLY);
		return 0;
	case IPV6_UNICAST_HOPS:
		*v = set->ttl || (set->flags & INET_HOPS_0) ? set->ttl : default_hops();
		return 0;
	case IPV6_MINHOPCOUNT:
		*v = set->min_ttl;
		return 0;
	case IPV6_MULTICAST_HOPS:
		*v = set->mcast_ttl;
		return 0;
	case IPV6_MULTICAST_IF:
		*v = set->mcast_if;
		return 0;
	case IPV6_MTU_DISCOVER:
		*v = set->pmtudisc;
		return 0;
	case IPV6_MTU:
		*v = inet_path_mtu(is);
		return *v < 0 ? -ENOTCONN : 0;
	case IPV6_TCLASS:
		*v = set->tos;
		return 0;
	case IPV6_AUTOFLOWLABEL:
		*v = !(set->flags & INET_NO_AUTOLABEL);
		return 0;
	case IPV6_ADDR_PREFERENCES:
		*v = get_preferences(is);
		return 0;
	case IPV6_FREEBIND:
		*v = !!(is->flags & INET_FREEBIND);
		return 0;
	case IPV6_TRANSPARENT:
		*v = !!(is->flags & INET_TRANSPARENT);
		return 0;
	case IPV6_UNICAST_IF:
		*v = htonl(set->unicast_if);
		return 0;
	case IPV6_HDRINCL:
		*v = !!(is->flags & INET_HDRINCL);
		return is->s->type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	default:
		*v = !!(set->flags & switch_of(opt));
		return switch_of(opt) ? 0 : -ENOPROTOOPT;
	}
}

static int get_path_mtu(struct inet_sock *is, u8 *val, u32 *len)
{
	int mtu;

	if (*len < MTU_INFO_LEN)
		return -EINVAL;
	mtu = inet_path_mtu(is);
	if (mtu < 0)
		return -ENOTCONN;
	memset(val, 0, MTU_INFO_LEN);
	memcpy(val + sizeof(struct sockaddr_in6), &mtu, sizeof(mtu));
	*len = MTU_INFO_LEN;
	return 0;
}

/* Those that may turn into sockets of the other family. */
static bool has_form(const struct socket *s)
{
	return s->type == SOCK_STREAM || (s->type == SOCK_DGRAM && s->protocol != IPPROTO_ICMPV6);
}

int inet6_getsockopt(struct inet_sock *is, int opt, void *val, u32 *len)
{
	int v, err = inet_get_group_option(is, SOL_IPV6, opt, val, len);

	if (err != -ENOPROTOOPT)
		return err;
	if (opt == IPV6_ADDRFORM && !has_form(is->s))
		return -ENOPROTOOPT;
	if (opt == IPV6_PATHMTU)
		return get_path_mtu(is, val, len);
	if (inet6_is_header(opt))
		return inet6_get_header(is, opt, val, len);
	if (opt == IPV6_FLOWLABEL_MGR)
		return inet_get_flow_label(is, val, len);
	err = get_number(is, opt, &v);
	if (err)
		return err;
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
