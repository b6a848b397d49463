/* SPDX-License-Identifier: MIT */
/* sockopt6.c - the SOL_IPV6 options (RFC 3493, RFC 3542) that all transports share. Most say of
 * IPv6 what a SOL_IP option says of IPv4, and are kept in the same place: a socket has one hop
 * limit, one way of path MTU discovery, one error queue for both. */
#include "ip.h"

static int twin_of(int opt)
{
	switch (opt) {
	case IPV6_UNICAST_HOPS:
		return IP_TTL;
	case IPV6_MULTICAST_HOPS:
		return IP_MULTICAST_TTL;
	case IPV6_MULTICAST_LOOP:
		return IP_MULTICAST_LOOP;
	case IPV6_MULTICAST_ALL:
		return IP_MULTICAST_ALL;
	case IPV6_MTU_DISCOVER:
		return IP_MTU_DISCOVER;
	case IPV6_MTU:
		return IP_MTU;
	case IPV6_RECVERR:
		return IP_RECVERR;
	case IPV6_RECVPKTINFO:
		return IP_PKTINFO;
	case IPV6_RECVHOPLIMIT:
		return IP_RECVTTL;
	case IPV6_RECVTCLASS:
		return IP_RECVTOS;
	case IPV6_TCLASS:
		return IP_TOS;
	case IPV6_FREEBIND:
		return IP_FREEBIND;
	default:
		return -1;
	}
}

/* RFC 3493 5.3: not any more once there is a port that others may have been refused. */
static int set_v6only(struct inet_sock *is, int v)
{
	if (is->lport)
		return -EINVAL;
	is->flags = v ? is->flags | INET_V6ONLY : is->flags & ~(u32)INET_V6ONLY;
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
	is->mcast_if = index;
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
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (opt == IPV6_V6ONLY)
		return set_v6only(is, v);
	if (opt == IPV6_MULTICAST_IF)
		return set_multicast_if(is, v);
	/* -1 is the default, which for IPv4's type of service is 0 */
	if (opt == IPV6_TCLASS && v == -1)
		v = 0;
	return twin_of(opt) < 0 ? -ENOPROTOOPT : inet_set_number(is, twin_of(opt), v);
}

int inet6_getsockopt(struct inet_sock *is, int opt, void *val, u32 *len)
{
	int v, err = inet_get_group_option(is, SOL_IPV6, opt, val, len);

	if (err != -ENOPROTOOPT)
		return err;
	err = 0;
	if (opt == IPV6_V6ONLY)
		v = !!(is->flags & INET_V6ONLY);
	else if (opt == IPV6_MULTICAST_IF)
		v = is->mcast_if;
	else
		err = twin_of(opt) < 0 ? -ENOPROTOOPT : inet_get_number(is, twin_of(opt), &v);
	if (err)
		return err;
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
