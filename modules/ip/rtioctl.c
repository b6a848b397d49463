/* SPDX-License-Identifier: MIT */
/* rtioctl.c - SIOCADDRT and SIOCDELRT, with the layouts and the errors that route(8) expects of
 * Linux. The socket's family says which of the two structures the argument is. */
#include "ip.h"

#include <weft/sched.h>
#include <weft/uaccess.h>

#define RTF_MTU 0x40
#define PREF_SHIFT 27	   /* RTF_PREF of linux/ipv6_route.h: RFC 4191's two bits */
#define METRIC_USER_6 1024 /* Linux's, for IPv6 routes that name none */

/* linux/route.h, 120 bytes */
struct rtentry {
	u64 pad1;
	struct sockaddr_in dst, gateway, mask;
	u16 flags;
	s16 pad2;
	u32 pad2b;
	u64 pad3, pad4;
	s16 metric; /* + 1 */
	u16 pad5[3];
	u64 dev; /* user pointer to a name, or 0 */
	u64 mtu, window;
	u16 irtt;
	u16 pad6[3];
};
_Static_assert(sizeof(struct rtentry) == 120, "struct rtentry");

/* linux/ipv6_route.h, 80 bytes */
struct in6_rtmsg {
	u8 dst[16], src[16], gateway[16];
	u32 type;
	u16 dst_len, src_len;
	u32 metric;
	u32 pad;
	u64 info;
	u32 flags;
	int ifindex;
};
_Static_assert(sizeof(struct in6_rtmsg) == 80, "struct in6_rtmsg");

struct rt_request {
	struct route route;
	char dev[IFNAMSIZ]; /* "": none */
	u32 ifindex;	    /* 0: none */
};

static int parse_dev(u64 ptr, char *dev)
{
	/* the name may end just before unmapped memory */
	for (u32 i = 0; i < IFNAMSIZ; i++) {
		if (copy_from_user(dev + i, (void __user *)(ptr + i), 1))
			return -EFAULT;
		if (!dev[i])
			return 0;
	}
	dev[IFNAMSIZ - 1] = '\0';
	return 0;
}

static int parse_v4(unsigned long arg, struct rt_request *q)
{
	struct route *r = &q->route;
	struct rtentry rt;
	int plen = 32;

	if (copy_from_user(&rt, (void __user *)arg, sizeof(rt)))
		return -EFAULT;
	if (rt.dst.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!(rt.flags & RTF_HOST)) {
		if (rt.mask.sin_family != AF_INET && (rt.mask.sin_family || rt.mask.sin_addr))
			return -EAFNOSUPPORT;
		plen = ip_mask_to_plen(ntohl(rt.mask.sin_addr));
	}
	if (plen < 0)
		return -EINVAL;
	r->plen = plen;
	r->prefix = ip_addr_v4_be(rt.dst.sin_addr);
	r->metric = rt.metric > 0 ? rt.metric - 1 : 0;
	r->flags = RTF_UP | (plen == 32 ? RTF_HOST : 0);
	r->type = rt.flags & RTF_REJECT ? ROUTE_REJECT : ROUTE_UNICAST;
	if (rt.gateway.sin_family == AF_INET)
		r->gateway = ip_addr_v4_be(rt.gateway.sin_addr);
	if ((rt.flags & RTF_GATEWAY) && ip_addr_is_any(&r->gateway))
		r->flags |= RTF_GATEWAY; /* incomplete: add refuses it */
	if (rt.flags & RTF_MTU)
		r->mtu = rt.mtu;
	return rt.dev ? parse_dev(rt.dev, q->dev) : 0;
}

static int parse_v6(unsigned long arg, struct rt_request *q)
{
	struct route *r = &q->route;
	struct in6_rtmsg rt;

	if (copy_from_user(&rt, (void __user *)arg, sizeof(rt)))
		return -EFAULT;
	if (rt.dst_len > 128 || rt.src_len)
		return -EINVAL;
	r->plen = rt.dst_len;
	memcpy(r->prefix.b, rt.dst, 16);
	r->prefix = ip_addr_prefix(&r->prefix, r->plen);
	memcpy(r->gateway.b, rt.gateway, 16);
	r->metric = rt.metric;
	switch (rt.flags >> PREF_SHIFT & 3) {
	case 1:
		r->preference = 1;
		break;
	case 3:
		r->preference = -1;
		break;
	}
	r->flags = RTF_UP | (r->plen == 128 ? RTF_HOST : 0);
	r->type = rt.flags & RTF_REJECT ? ROUTE_REJECT : ROUTE_UNICAST;
	q->ifindex = rt.ifindex;
	return 0;
}

/* The interface that a name or a number means; an alias also gives the source. netif_lock held. */
static int find_dev(struct rt_request *q)
{
	char *colon = strchr(q->dev, ':');
	struct ifaddr *a;

	if (q->ifindex) {
		q->route.nif = netif_by_index(q->ifindex);
		return q->route.nif ? 0 : -ENODEV;
	}
	if (!q->dev[0])
		return 0;
	if (colon)
		*colon = '\0';
	q->route.nif = netif_by_name(q->dev);
	if (!q->route.nif)
		return -ENODEV;
	if (!colon)
		return 0;
	*colon = ':';
	a = ifaddr_by_label(q->route.nif, AF_INET, q->dev);
	if (!a)
		return -ENODEV;
	q->route.source = a->addr;
	return 0;
}

static int add(struct rt_request *q)
{
	struct route *r = &q->route;

	if (r->af == AF_INET6 && !r->metric)
		r->metric = METRIC_USER_6;
	if (r->type == ROUTE_REJECT) {
		r->flags |= RTF_REJECT;
		r->nif = NULL;
		r->gateway = ip_addr_any(r->af);
		return route_add(r);
	}
	if (r->flags & RTF_GATEWAY)
		return -EINVAL;
	if (!ip_addr_is_any(&r->gateway))
		r->flags |= RTF_GATEWAY;
	else if (!r->nif)
		return -ENODEV;
	return route_add(r);
}

long route_ioctl(struct socket *s, u32 cmd, unsigned long arg)
{
	struct rt_request q = { 0 };
	u16 af = s->family == AF_INET6 ? AF_INET6 : AF_INET;
	int err = require_root();

	if (err)
		return err;
	q.route.af = af;
	q.route.gateway = q.route.source = ip_addr_any(af);
	err = af == AF_INET ? parse_v4(arg, &q) : parse_v6(arg, &q);
	if (err)
		return err;
	netif_lock();
	if (!ip_family_find(af))
		err = -EAFNOSUPPORT;
	if (!err)
		err = find_dev(&q);
	if (!err)
		err = cmd == SIOCADDRT ? add(&q) : route_del(&q.route);
	netif_unlock();
	return err;
}
