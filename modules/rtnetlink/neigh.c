/* SPDX-License-Identifier: MIT */
/* neigh.c - the neighbour cache as RTM_*NEIGH tells and changes it. */
#include "rtnetlink.h"

#include <weft/time.h>

#define TICK_NS (10 * NSEC_PER_MSEC) /* Linux's USER_HZ */

static const u16 nud_of[] = {
	[NEIGH_INCOMPLETE] = NUD_INCOMPLETE, [NEIGH_REACHABLE] = NUD_REACHABLE,
	[NEIGH_STALE] = NUD_STALE,	     [NEIGH_DELAY] = NUD_DELAY,
	[NEIGH_PROBE] = NUD_PROBE,	     [NEIGH_FAILED] = NUD_FAILED,
	[NEIGH_PERMANENT] = NUD_PERMANENT,
};

static u32 ticks_since(u64 then)
{
	u64 now = ktime_get();

	return then < now ? (now - then) / TICK_NS : 0;
}

void neigh_message(struct nl_out *o, const struct neigh_info *i, u16 type)
{
	u16 af = ip_addr_family(&i->addr);
	struct ndmsg body = {
		.ndm_family = af,
		.ndm_ifindex = i->ifindex,
		.ndm_state = nud_of[i->state],
		.ndm_flags = i->router ? NTF_ROUTER : 0,
		.ndm_type = RTN_UNICAST,
	};
	struct nda_cacheinfo info = {
		.ndm_confirmed = ticks_since(i->confirmed),
		.ndm_used = ticks_since(i->used),
		.ndm_updated = ticks_since(i->updated),
	};

	nl_begin(o, type, &body, sizeof(body));
	nl_put_addr(o, NDA_DST, &i->addr, af);
	if (neigh_has_address(i->state))
		nl_put(o, NDA_LLADDR, i->hw, i->hw_len);
	nl_put(o, NDA_CACHEINFO, &info, sizeof(info));
}

static void dump_one(const struct neigh_info *i, void *arg)
{
	struct nl_dump *d = arg;

	if (!nl_dump_next(d))
		return;
	neigh_message(&d->out, i, RTM_NEWNEIGH);
	nl_dump_end(d);
}

/* ---- `ip neigh ... proxy` ---- */

static void proxy_message(struct nl_out *o, u32 ifindex, const struct ip_addr *addr, bool router)
{
	u16 af = ip_addr_family(addr);
	struct ndmsg body = {
		.ndm_family = af,
		.ndm_ifindex = ifindex,
		.ndm_flags = NTF_PROXY | (router ? NTF_ROUTER : 0),
		.ndm_type = RTN_UNICAST,
	};

	nl_begin(o, RTM_NEWNEIGH, &body, sizeof(body));
	nl_put_addr(o, NDA_DST, addr, af);
}

static void dump_proxy(const struct netif *nif, const struct ip_addr *addr, bool router, void *arg)
{
	struct nl_dump *d = arg;

	if ((d->family && d->family != ip_addr_family(addr)) || !nl_dump_next(d))
		return;
	proxy_message(&d->out, nif->index, addr, router);
	nl_dump_end(d);
}

static int change_proxy(const struct nl_request *rq, const struct ndmsg *body,
			const struct ip_addr *addr)
{
	bool add = rq->h.nlmsg_type == RTM_NEWNEIGH, there;
	struct netif *nif;
	int err;

	netif_lock();
	nif = netif_by_index(body->ndm_ifindex);
	there = nif && neigh_proxy_find(nif, addr, NULL);
	if (!nif)
		err = -ENODEV;
	else if (!add)
		err = neigh_proxy_del(nif, addr);
	else if (there && (rq->h.nlmsg_flags & NLM_F_EXCL))
		err = -EEXIST;
	else
		err = neigh_proxy_add(nif, addr, body->ndm_flags & NTF_ROUTER);
	netif_unlock();
	return err;
}

/* ---- requests ---- */

static void dump_neighs(struct nl_dump *d)
{
	struct ndmsg asked;

	memcpy(&asked, d->body, sizeof(asked));
	if (asked.ndm_flags & NTF_PROXY) {
		netif_lock();
		neigh_proxy_for_each(dump_proxy, d);
		netif_unlock();
		return;
	}
	neigh_for_each(d->family, dump_one, d);
}

static int parse(const struct nl_request *rq, struct ndmsg *body, struct ip_addr *addr)
{
	u16 af;

	memcpy(body, rq->body, sizeof(*body));
	af = body->ndm_family;
	if (af != AF_INET && af != AF_INET6)
		return -EAFNOSUPPORT;
	if (!rq->attr[NDA_DST].data || body->ndm_ifindex <= 0)
		return -EINVAL;
	return nl_get_addr(&rq->attr[NDA_DST], af, addr);
}

static int get(const struct nl_request *rq, struct nl_out *o)
{
	struct neigh_info info;
	struct ip_addr addr;
	struct ndmsg body;
	struct netif *nif;
	int err = parse(rq, &body, &addr);

	if (!err && (body.ndm_flags & NTF_PROXY))
		err = -EOPNOTSUPP;
	if (err)
		return err;
	netif_lock();
	nif = netif_by_index(body.ndm_ifindex);
	err = nif ? neigh_get_info(nif, &addr, &info) : -ENODEV;
	netif_unlock();
	if (err)
		return err == -ENXIO ? -ENOENT : err;
	neigh_message(o, &info, RTM_NEWNEIGH);
	nl_end(o);
	return 0;
}

static int add(const struct nl_request *rq, struct nl_out *o)
{
	const struct nl_attr *lladdr = &rq->attr[NDA_LLADDR];
	u16 flags = rq->h.nlmsg_flags;
	struct neigh_info info;
	struct ip_addr addr;
	struct ndmsg body;
	struct netif *nif;
	int err = parse(rq, &body, &addr);

	if (err)
		return err;
	if (body.ndm_flags & NTF_PROXY)
		return change_proxy(rq, &body, &addr);
	netif_lock();
	nif = netif_by_index(body.ndm_ifindex);
	if (!nif) {
		err = -ENODEV;
	} else if (!lladdr->data || lladdr->len < nif->link->addr_len) {
		err = -EINVAL;
	} else {
		bool there = !neigh_get_info(nif, &addr, &info);

		if (there && (flags & NLM_F_EXCL))
			err = -EEXIST;
		else if (!there && !(flags & NLM_F_CREATE))
			err = -ENOENT;
		else
			err = neigh_set(nif, &addr, lladdr->data, body.ndm_state & NUD_PERMANENT);
	}
	netif_unlock();
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct ip_addr addr;
	struct ndmsg body;
	struct netif *nif;
	int err = parse(rq, &body, &addr);

	if (err)
		return err;
	if (body.ndm_flags & NTF_PROXY)
		return change_proxy(rq, &body, &addr);
	netif_lock();
	nif = netif_by_index(body.ndm_ifindex);
	err = nif ? neigh_del(nif, &addr) : -ENODEV;
	netif_unlock();
	return err == -ENXIO ? -ENOENT : err;
}

const struct nl_handler neigh_get = {
	.body_len = sizeof(struct ndmsg),
	.answers = true,
	.doit = get,
	.dump = dump_neighs,
};
const struct nl_handler neigh_new = { .body_len = sizeof(struct ndmsg), .doit = add };
const struct nl_handler neigh_delete = { .body_len = sizeof(struct ndmsg), .doit = del };
