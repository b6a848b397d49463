/* SPDX-License-Identifier: MIT */
/* sockopt.c - the SOL_IP options that all transports share. They are about IPv4 packets, also on a
 * socket of AF_INET6. */
#include "ip.h"

#include <weft/sched.h>

/* struct ip_mreqn; the older ip_mreq is its first eight bytes */
struct mreqn {
	u32 group, address; /* network order */
	int ifindex;
};

/* ---- options ---- */

/* The interface that group packets leave by: by index or by an address of it; neither: by route. */
static int set_multicast_if(struct inet_sock *is, const struct mreqn *mr)
{
	struct ip_addr address = ip_addr_v4_be(mr->address);
	struct netif *nif = NULL;
	struct ifaddr *a;
	u32 index = 0;

	if (is->s->type == SOCK_STREAM)
		return -EINVAL;
	rcu_read_lock();
	if (mr->ifindex) {
		nif = netif_by_index(mr->ifindex);
	} else if (mr->address) {
		a = ifaddr_find(NULL, &address);
		nif = a ? a->nif : NULL;
	}
	if (nif)
		index = nif->index;
	rcu_read_unlock();
	if (!index && (mr->ifindex || mr->address))
		return -EADDRNOTAVAIL;
	/* as on Linux, a bound socket stays with its interface */
	if (index && is->s->bound_if && is->s->bound_if != index)
		return -EINVAL;
	is->v4.mcast_if = index;
	return 0;
}

/* RFC 791 3.1: types and lengths must walk exactly to the end; source routes are not for users. */
static int set_options(struct inet_sock *is, const u8 *val, u32 len)
{
	u32 i = 0;

	if (len > sizeof(is->opts))
		return -EINVAL;
	while (i < len && val[i] != 0) {
		if (val[i] == 1) {
			i++;
			continue;
		}
		if (val[i] == 131 || val[i] == 137)
			return -EPERM;
		if (i + 1 >= len || val[i + 1] < 2 || val[i + 1] > len - i)
			return -EINVAL;
		i += val[i + 1];
	}
	memset(is->opts, 0, sizeof(is->opts));
	memcpy(is->opts, val, len);
	is->opt_len = ALIGN_UP(len, 4);
	return 0;
}

static const struct {
	int opt;
	u32 flag;
} switches[] = {
	{ IP_PKTINFO, INET_PKTINFO },	      { IP_RECVERR, INET_RECVERR },
	{ IP_RECVTTL, INET_RECVTTL },	      { IP_RECVTOS, INET_RECVTOS },
	{ IP_RECVOPTS, INET_RECVOPTS },	      { IP_MULTICAST_LOOP, INET_MCAST_LOOP },
	{ IP_MULTICAST_ALL, INET_MCAST_ALL }, { IP_RECVFRAGSIZE, INET_RECVFRAGSIZE },
};

static u32 switch_of(int opt)
{
	for (u32 i = 0; i < ARRAY_SIZE(switches); i++) {
		if (switches[i].opt == opt)
			return switches[i].flag;
	}
	return 0;
}

/* Linux takes an int or a single byte. */
static int number_of(const void *val, u32 len, int *out)
{
	if (len >= sizeof(int))
		memcpy(out, val, sizeof(int));
	else if (len)
		*out = *(const u8 *)val;
	else
		return -EINVAL;
	return 0;
}

u8 inet_tos_allowed(const struct inet_sock *is, u8 old, u8 wanted)
{
	return is->s->type == SOCK_STREAM ? (wanted & ~3) | (old & 3) : wanted;
}

int inet_set_transparent(struct inet_sock *is, bool on)
{
	if (require_root())
		return -EPERM;
	is->flags = on ? is->flags | INET_TRANSPARENT : is->flags & ~(u32)INET_TRANSPARENT;
	return 0;
}

int inet_set_unicast_if(const struct inet_sock *is, struct inet_settings *set, u32 index_be)
{
	u32 index = ntohl(index_be);
	bool there;

	rcu_read_lock();
	there = !index || netif_by_index(index);
	rcu_read_unlock();
	if (!there)
		return -EADDRNOTAVAIL;
	if (index && is->s->bound_if)
		return -EINVAL;
	set->unicast_if = index;
	return 0;
}

bool inet_min_ttl_used;
EXPORT(inet_min_ttl_used);

int inet_set_min_ttl(struct inet_settings *set, int v)
{
	if (v < 0 || v > 255)
		return -EINVAL;
	WRITE_ONCE(set->min_ttl, v);
	if (v)
		WRITE_ONCE(inet_min_ttl_used, true);
	return 0;
}

static int set_number(struct inet_sock *is, int opt, int v)
{
	u32 flag = switch_of(opt);

	if (opt == IP_RECVFRAGSIZE && is->s->type == SOCK_STREAM)
		return -EINVAL;
	if (opt == IP_MULTICAST_ALL && (v < 0 || v > 1))
		return -EINVAL;
	if (flag) {
		is->v4.flags = v ? is->v4.flags | flag : is->v4.flags & ~flag;
		return 0;
	}
	switch (opt) {
	case IP_TOS:
		is->v4.tos = inet_tos_allowed(is, is->v4.tos, v);
		return 0;
	case IP_FREEBIND:
		is->flags = v ? is->flags | INET_FREEBIND : is->flags & ~(u32)INET_FREEBIND;
		return 0;
	case IP_BIND_ADDRESS_NO_PORT:
		is->flags = v ? is->flags | INET_BIND_NO_PORT : is->flags & ~(u32)INET_BIND_NO_PORT;
		return 0;
	case IP_TRANSPARENT:
		return inet_set_transparent(is, v);
	case IP_UNICAST_IF:
		return inet_set_unicast_if(is, &is->v4, v);
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		is->v4.ttl = v == -1 ? 0 : v;
		return 0;
	case IP_MINTTL:
		return inet_set_min_ttl(&is->v4, v);
	case IP_MULTICAST_TTL:
		if (v < -1 || v > 255 || is->s->type == SOCK_STREAM)
			return -EINVAL;
		is->v4.mcast_ttl = v == -1 ? 1 : v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		is->v4.pmtudisc = v;
		return 0;
	case IP_ROUTER_ALERT: /* some raw sockets' own */
		return -EINVAL;
	case IP_HDRINCL:
		if (is->s->type != SOCK_RAW)
			return -ENOPROTOOPT;
		is->flags = v ? is->flags | INET_HDRINCL : is->flags & ~(u32)INET_HDRINCL;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Raw sockets of AF_INET6 see nothing of IPv4. */
static bool speaks_v4(const struct inet_sock *is)
{
	return is->s->family == AF_INET || is->s->type != SOCK_RAW;
}

int inet_setsockopt(struct inet_sock *is, int level, int opt, const void *val, u32 len)
{
	struct mreqn mr = { 0 };
	int v, err;

	if (level == SOL_IPV6)
		return inet6_setsockopt(is, opt, val, len);
	if (level != SOL_IP || !speaks_v4(is))
		return -ENOPROTOOPT;
	flow_reset(&is->flow);
	switch (opt) {
	case IP_OPTIONS:
		return set_options(is, val, len);
	case IP_MULTICAST_IF:
		/* an in_addr, an ip_mreq or an ip_mreqn */
		if (len < 4)
			return -EINVAL;
		if (len < 8)
			memcpy(&mr.address, val, 4);
		else
			memcpy(&mr, val, min(len, (u32)sizeof(mr)));
		return set_multicast_if(is, &mr);
	}
	err = inet_set_group_option(is, level, opt, val, len);
	if (err != -ENOPROTOOPT)
		return err;
	if (opt == IP_UNICAST_IF && len != sizeof(v))
		return -EINVAL;
	err = number_of(val, len, &v);
	return err ? err : set_number(is, opt, v);
}
EXPORT(inet_setsockopt);

int inet_path_mtu(struct inet_sock *is)
{
	struct flow f;
	int err;

	if (ip_addr_is_any(&is->raddr))
		return -ENOTCONN;
	inet_flow_init(is, &f, &is->raddr);
	f.flags |= FLOW_PARK;
	err = ip_flow_check(&f, 0, NULL);
	return f.route_gen ? (int)f.mtu : err;
}

static int get_number(struct inet_sock *is, int opt, int *v)
{
	u32 flag = switch_of(opt);
	const struct ip_family *fam;

	if (flag) {
		*v = !!(is->v4.flags & flag);
		return 0;
	}
	switch (opt) {
	case IP_TOS:
		*v = is->v4.tos;
		return 0;
	case IP_FREEBIND:
		*v = !!(is->flags & INET_FREEBIND);
		return 0;
	case IP_BIND_ADDRESS_NO_PORT:
		*v = !!(is->flags & INET_BIND_NO_PORT);
		return 0;
	case IP_TRANSPARENT:
		*v = !!(is->flags & INET_TRANSPARENT);
		return 0;
	case IP_UNICAST_IF:
		*v = htonl(is->v4.unicast_if);
		return 0;
	case IP_TTL:
		rcu_read_lock();
		fam = ip_family_find(AF_INET);
		*v = is->v4.ttl ? is->v4.ttl : fam ? *fam->default_ttl : 64;
		rcu_read_unlock();
		return 0;
	case IP_ROUTER_ALERT:
		*v = 0;
		return 0;
	case IP_MINTTL:
		*v = is->v4.min_ttl;
		return 0;
	case IP_MULTICAST_TTL:
		*v = is->v4.mcast_ttl;
		return 0;
	case IP_MTU_DISCOVER:
		*v = is->v4.pmtudisc;
		return 0;
	case IP_HDRINCL:
		*v = !!(is->flags & INET_HDRINCL);
		return is->s->type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	case IP_MTU:
		*v = inet_path_mtu(is);
		return *v < 0 ? *v : 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_multicast_if(struct inet_sock *is, void *val, u32 *len)
{
	struct netif *nif;
	struct ifaddr *a;
	u32 addr = 0;

	rcu_read_lock();
	nif = is->v4.mcast_if ? netif_by_index(is->v4.mcast_if) : NULL;
	a = nif ? ifaddr_first(nif, AF_INET) : NULL;
	if (a)
		addr = a->addr.w[3];
	rcu_read_unlock();
	*len = min(*len, (u32)sizeof(addr));
	memcpy(val, &addr, *len);
	return 0;
}

int inet_getsockopt(struct inet_sock *is, int level, int opt, void *val, u32 *len)
{
	int v, err;

	if (level == SOL_IPV6 && is->s->family == AF_INET6)
		return inet6_getsockopt(is, opt, val, len);
	/* Linux: a level that is nobody's is another error than in setsockopt */
	if (level != SOL_IP)
		return level == SOL_SOCKET || is->s->family == AF_INET6 ? -ENOPROTOOPT :
									  -EOPNOTSUPP;
	if (!speaks_v4(is))
		return -ENOPROTOOPT;
	if (opt == IP_OPTIONS) {
		*len = min(*len, (u32)is->opt_len);
		memcpy(val, is->opts, *len);
		return 0;
	}
	if (opt == IP_MULTICAST_IF)
		return get_multicast_if(is, val, len);
	err = inet_get_group_option(is, level, opt, val, len);
	if (err != -ENOPROTOOPT)
		return err;
	err = get_number(is, opt, &v);
	if (err)
		return err;
	/* Linux answers a small buffer with one byte where that holds the value */
	if (*len < sizeof(int) && *len > 0 && v >= 0 && v <= 255) {
		*(u8 *)val = v;
		*len = 1;
		return 0;
	}
	*len = min(*len, (u32)sizeof(int));
	memcpy(val, &v, *len);
	return 0;
}
EXPORT(inet_getsockopt);
