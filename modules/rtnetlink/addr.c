/* SPDX-License-Identifier: MIT */
/* addr.c - IP addresses as RTM_*ADDR tells and changes them. For IPv4 IFA_LOCAL is the address and
 * IFA_ADDRESS the peer's or the same; for IPv6 IFA_ADDRESS is the address unless there is a
 * peer. */
#include "netlink.h"

#include <weft/net/proto.h>

#define FOREVER 0xffffffffu

/* ---- telling ---- */

static u32 flags_of(const struct ifaddr *a)
{
	u32 flags = 0;

	if (a->flags & IFADDR_TENTATIVE)
		flags |= IFA_F_TENTATIVE;
	if (a->flags & IFADDR_SECONDARY)
		flags |= IFA_F_SECONDARY;
	if (a->flags & IFADDR_DEPRECATED)
		flags |= IFA_F_DEPRECATED;
	if (a->flags & IFADDR_PERMANENT)
		flags |= IFA_F_PERMANENT;
	return flags;
}

/* netif_lock held. */
void addr_message(struct nl_out *o, const struct ifaddr *a, u16 type)
{
	bool peer = !ip_addr_is_any(&a->peer) && !ip_addr_eq(&a->peer, &a->addr);
	struct ifa_cacheinfo life = { FOREVER, FOREVER, 0, 0 };
	struct ifaddrmsg body = {
		.ifa_family = a->af,
		.ifa_prefixlen = a->plen,
		.ifa_flags = flags_of(a),
		.ifa_scope = a->scope,
		.ifa_index = a->nif->index,
	};

	nl_begin(o, type, &body, sizeof(body));
	nl_put_addr(o, IFA_ADDRESS, peer ? &a->peer : &a->addr, a->af);
	if (a->af == AF_INET || peer)
		nl_put_addr(o, IFA_LOCAL, &a->addr, a->af);
	if (!ip_addr_is_any(&a->broadcast))
		nl_put_addr(o, IFA_BROADCAST, &a->broadcast, a->af);
	if (a->af == AF_INET)
		nl_put_str(o, IFA_LABEL, a->label);
	nl_put_u32(o, IFA_FLAGS, flags_of(a));
	nl_put(o, IFA_CACHEINFO, &life, sizeof(life));
}

static void dump_addrs(struct nl_dump *d)
{
	struct netif *nif;
	struct ifaddr *a;

	netif_lock();
	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		ifaddr_for_each(a, nif) {
			if ((d->family && d->family != a->af) || !nl_dump_next(d))
				continue;
			addr_message(&d->out, a, RTM_NEWADDR);
			nl_dump_end(d);
		}
	}
	netif_unlock();
}

/* ---- changing ---- */

/* Everything but the interface. */
static int parse(const struct nl_request *rq, struct ifaddr *want, u32 *ifindex)
{
	struct ifaddrmsg body;
	u16 af;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	af = body.ifa_family;
	if (af != AF_INET && af != AF_INET6)
		return -EAFNOSUPPORT;
	if (body.ifa_prefixlen > ip_plen_max(af))
		return -EINVAL;
	*want = (struct ifaddr){
		.af = af,
		.plen = body.ifa_prefixlen,
		.scope = body.ifa_scope,
		.flags = IFADDR_PERMANENT,
		.addr = ip_addr_any(af),
		.broadcast = ip_addr_any(af),
	};
	*ifindex = body.ifa_index;
	if (!rq->attr[IFA_LOCAL].data && (af == AF_INET || !rq->attr[IFA_ADDRESS].data))
		return -EINVAL;
	err = nl_get_addr(&rq->attr[IFA_ADDRESS], af, &want->addr);
	want->peer = want->addr;
	if (!err)
		err = nl_get_addr(&rq->attr[IFA_LOCAL], af, &want->addr);
	if (!err)
		err = nl_get_addr(&rq->attr[IFA_BROADCAST], af, &want->broadcast);
	if (!err)
		err = nl_get_name(&rq->attr[IFA_LABEL], want->label);
	if (ip_addr_is_any(&want->peer))
		want->peer = want->addr;
	return err;
}

static int add(const struct nl_request *rq, struct nl_out *o)
{
	u16 flags = rq->h.nlmsg_flags;
	struct ifaddr want;
	u32 ifindex;
	int err = parse(rq, &want, &ifindex);

	if (err)
		return err;
	netif_lock();
	want.nif = netif_by_index(ifindex);
	if (!want.nif) {
		err = -ENODEV;
	} else {
		if (!want.label[0])
			strscpy(want.label, want.nif->name, IFNAMSIZ);
		err = ifaddr_add(&want);
	}
	netif_unlock();
	/* replacing an address by itself is no error */
	if (err == -EEXIST && (flags & NLM_F_REPLACE) && !(flags & NLM_F_EXCL))
		return 0;
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct ifaddr want, *a = NULL;
	struct netif *nif;
	u32 ifindex;
	int err = parse(rq, &want, &ifindex);

	if (err)
		return err;
	netif_lock();
	nif = netif_by_index(ifindex);
	if (nif)
		a = ifaddr_find(nif, &want.addr);
	if (a && ((want.label[0] && strcmp(a->label, want.label)) ||
		  (rq->attr[IFA_ADDRESS].data && want.plen != a->plen)))
		a = NULL;
	if (a)
		ifaddr_del(a);
	netif_unlock();
	return !nif ? -ENODEV : a ? 0 : -EADDRNOTAVAIL;
}

const struct nl_handler addr_get = { sizeof(struct ifaddrmsg), NULL, dump_addrs };
const struct nl_handler addr_new = { sizeof(struct ifaddrmsg), add, NULL };
const struct nl_handler addr_del = { sizeof(struct ifaddrmsg), del, NULL };
