/* SPDX-License-Identifier: MIT */
/* route.c - the route table as RTM_*ROUTE tells and changes it. There is one table: what Linux
 * keeps in "local" is told as of 255, the rest as of 254 (main), and only main may be changed. */
#include "rtnetlink.h"

#include <weft/net/proto.h>
#include <weft/time.h>

#define TICK_NS (10 * NSEC_PER_MSEC) /* Linux's USER_HZ */
#define FOREVER 0xffffffffu
#define METRIC_USER_6 1024 /* what Linux gives IPv6 routes that name none */

/* ---- telling ---- */

static u8 type_of(u8 type)
{
	switch (type) {
	case ROUTE_LOCAL:
		return RTN_LOCAL;
	case ROUTE_BROADCAST:
		return RTN_BROADCAST;
	case ROUTE_REJECT:
		return RTN_UNREACHABLE;
	case ROUTE_BLACKHOLE:
		return RTN_BLACKHOLE;
	default:
		return RTN_UNICAST;
	}
}

static u8 scope_of(const struct route *r)
{
	if (r->type == ROUTE_LOCAL)
		return RT_SCOPE_HOST;
	if (r->af == AF_INET && r->nif && ip_addr_is_any(&r->gateway))
		return RT_SCOPE_LINK;
	return RT_SCOPE_UNIVERSE;
}

/* Programs count on it being there. */
static void put_cacheinfo(struct nl_out *o, u64 expires, int error)
{
	struct rta_cacheinfo info = { .rta_error = error };
	u64 now = ktime_get();

	if (expires > now)
		info.rta_expires = min((expires - now) / TICK_NS, 0x7fffffffull);
	nl_put(o, RTA_CACHEINFO, &info, sizeof(info));
}

/* RFC 4191's preference, and what is left of its lifetime; of IPv6 only. */
static void put_router(struct nl_out *o, const struct route *r)
{
	int error = r->type == ROUTE_REJECT    ? -EHOSTUNREACH :
		    r->type == ROUTE_BLACKHOLE ? -EINVAL :
						 0;

	if (r->af != AF_INET6)
		return;
	put_cacheinfo(o, r->expires, error);
	nl_put_u8(o, RTA_PREF, r->preference & 3);
}

static void put_mtu(struct nl_out *o, u32 mtu)
{
	u32 nest;

	if (!mtu)
		return;
	nest = nl_nest(o, RTA_METRICS);
	nl_put_u32(o, RTAX_MTU, mtu);
	nl_nest_end(o, nest);
}

/* netif_lock held. */
void route_message(struct nl_out *o, const struct route *r, u16 type)
{
	bool group = ip_addr_is_multicast(&r->prefix);
	bool own = r->type == ROUTE_LOCAL || r->type == ROUTE_BROADCAST || (group && r->kernel);
	struct rtmsg body = {
		.rtm_family = r->af,
		.rtm_dst_len = r->plen,
		.rtm_table = own ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
		.rtm_protocol = r->kernel   ? RTPROT_KERNEL :
				r->protocol ? r->protocol :
					      RTPROT_BOOT,
		.rtm_scope = scope_of(r),
		.rtm_type = own && group	   ? RTN_MULTICAST :
			    r->flags & RTF_ANYCAST ? RTN_ANYCAST :
						     type_of(r->type),
	};

	nl_begin(o, type, &body, sizeof(body));
	nl_put_u32(o, RTA_TABLE, body.rtm_table);
	if (r->plen)
		nl_put_addr(o, RTA_DST, &r->prefix, r->af);
	if (r->metric)
		nl_put_u32(o, RTA_PRIORITY, r->metric);
	put_mtu(o, r->mtu);
	if (!ip_addr_is_any(&r->source))
		nl_put_addr(o, RTA_PREFSRC, &r->source, r->af);
	if (!ip_addr_is_any(&r->gateway))
		nl_put_addr(o, RTA_GATEWAY, &r->gateway, r->af);
	if (r->nif)
		nl_put_u32(o, RTA_OIF, r->nif->index);
	put_router(o, r);
}

static void dump_one(const struct route *r, void *arg)
{
	struct nl_dump *d = arg;

	if (!nl_dump_next(d))
		return;
	route_message(&d->out, r, RTM_NEWROUTE);
	nl_dump_end(d);
}

static void dump_routes(struct nl_dump *d)
{
	static const u16 families[] = { AF_INET, AF_INET6 };
	struct rtmsg asked;

	memcpy(&asked, d->body, sizeof(asked));
	/* `ip route flush cache`: there are none */
	if (asked.rtm_flags & RTM_F_CLONED)
		return;
	netif_lock();
	for (u32 i = 0; i < ARRAY_SIZE(families); i++) {
		if ((!d->family || d->family == families[i]) && ip_family_find(families[i]))
			route_for_each(families[i], dump_one, d);
	}
	netif_unlock();
}

/* ---- `ip route get` ---- */

struct answer {
	struct route_result res;
	struct ip_addr source;
	u32 oif;
};

static int look_up(const struct ip_addr *dst, u32 oif, struct answer *a)
{
	u16 af = ip_addr_family(dst);
	const struct ip_family *fam;
	int err;

	rcu_read_lock();
	err = route_lookup(dst, oif, &a->res);
	if (!err) {
		a->oif = a->res.nif->index;
		a->source = a->res.source;
		fam = ip_family_find(af);
		if (ip_addr_is_any(&a->source) && fam &&
		    fam->source(a->res.nif, dst, 0, &a->source))
			a->source = ip_addr_any(af);
	}
	rcu_read_unlock();
	return err;
}

static int get(const struct nl_request *rq, struct nl_out *o)
{
	struct rtmsg body;
	struct ip_addr dst;
	struct answer a;
	u32 oif = 0;
	u16 af;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	af = body.rtm_family;
	if (af != AF_INET && af != AF_INET6)
		return -EAFNOSUPPORT;
	dst = ip_addr_any(af);
	err = nl_get_addr(&rq->attr[RTA_DST], af, &dst);
	if (!err)
		err = nl_get_u32(&rq->attr[RTA_OIF], &oif);
	if (!err)
		err = look_up(&dst, oif, &a);
	if (err)
		return err;
	body = (struct rtmsg){
		.rtm_family = af,
		.rtm_dst_len = ip_plen_max(af),
		.rtm_table = a.res.type == ROUTE_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
		.rtm_type = type_of(a.res.type),
		.rtm_flags = RTM_F_CLONED,
	};
	nl_begin(o, RTM_NEWROUTE, &body, sizeof(body));
	nl_put_u32(o, RTA_TABLE, body.rtm_table);
	nl_put_addr(o, RTA_DST, &dst, af);
	nl_put_u32(o, RTA_OIF, a.oif);
	if (!ip_addr_is_any(&a.source))
		nl_put_addr(o, RTA_PREFSRC, &a.source, af);
	if (a.res.gatewayed)
		nl_put_addr(o, RTA_GATEWAY, &a.res.next_hop, af);
	if (af == AF_INET6)
		put_cacheinfo(o, 0, 0);
	nl_end(o);
	return 0;
}

/* ---- changing ---- */

static int parse_type(u8 type, struct route *r)
{
	switch (type) {
	case 0: /* not told: when deleting, any */
	case RTN_UNICAST:
		r->type = ROUTE_UNICAST;
		return 0;
	case RTN_UNREACHABLE:
		r->type = ROUTE_REJECT;
		r->flags |= RTF_REJECT;
		return 0;
	case RTN_BLACKHOLE:
		r->type = ROUTE_BLACKHOLE;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int parse_metrics(const struct nl_attr *a, struct route *r)
{
	struct nl_attr metric[NL_ATTRS];
	int err;

	if (!a->data)
		return 0;
	err = nl_parse(a->data, a->len, metric);
	return err ? err : nl_get_u32(&metric[RTAX_MTU], &r->mtu);
}

/* RFC 4191 2.1; the reserved value is medium. */
static int parse_preference(const struct nl_attr *a, struct route *r)
{
	if (!a->data || r->af != AF_INET6)
		return 0;
	if (a->len < 1)
		return -EINVAL;
	r->preference = a->data[0] == ICMPV6_ROUTER_PREF_HIGH ? 1 :
			a->data[0] == ICMPV6_ROUTER_PREF_LOW  ? -1 :
								0;
	return 0;
}

/* Seconds; of IPv6 only, as on Linux. */
static int parse_expires(const struct nl_attr *a, struct route *r)
{
	u32 seconds = FOREVER;
	int err = nl_get_u32(a, &seconds);

	if (err || seconds == FOREVER)
		return err;
	if (r->af != AF_INET6)
		return -EOPNOTSUPP;
	r->expires = ktime_get() + seconds * NSEC_PER_SEC;
	r->flags |= RTF_EXPIRES;
	return 0;
}

static int parse_addresses(const struct nl_request *rq, struct route *r)
{
	int err = nl_get_addr(&rq->attr[RTA_DST], r->af, &r->prefix);

	if (!err)
		err = nl_get_addr(&rq->attr[RTA_GATEWAY], r->af, &r->gateway);
	if (!err)
		err = nl_get_addr(&rq->attr[RTA_PREFSRC], r->af, &r->source);
	if (!err && r->plen && !rq->attr[RTA_DST].data)
		err = -EINVAL;
	return err;
}

/* Everything but the interface itself. */
static int parse(const struct nl_request *rq, struct route *r, u32 *oif)
{
	struct rtmsg body;
	u32 table;
	int err;

	memcpy(&body, rq->body, sizeof(body));
	if (body.rtm_family != AF_INET && body.rtm_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (body.rtm_dst_len > ip_plen_max(body.rtm_family) || body.rtm_src_len || body.rtm_tos)
		return -EINVAL;
	if (rq->attr[RTA_MULTIPATH].data)
		return -EOPNOTSUPP;
	table = body.rtm_table;
	err = nl_get_u32(&rq->attr[RTA_TABLE], &table);
	if (err)
		return err;
	if (table && table != RT_TABLE_MAIN)
		return rq->h.nlmsg_type == RTM_DELROUTE ? -ESRCH : -EOPNOTSUPP;
	*r = (struct route){
		.af = body.rtm_family,
		.plen = body.rtm_dst_len,
		.protocol = body.rtm_protocol,
		.flags = RTF_UP,
		.prefix = ip_addr_any(body.rtm_family),
		.gateway = ip_addr_any(body.rtm_family),
		.source = ip_addr_any(body.rtm_family),
	};
	err = parse_type(body.rtm_type, r);
	if (!err)
		err = parse_addresses(rq, r);
	if (!err)
		err = nl_get_u32(&rq->attr[RTA_PRIORITY], &r->metric);
	if (!err)
		err = nl_get_u32(&rq->attr[RTA_OIF], oif);
	if (!err)
		err = parse_metrics(&rq->attr[RTA_METRICS], r);
	if (!err)
		err = parse_preference(&rq->attr[RTA_PREF], r);
	if (!err)
		err = parse_expires(&rq->attr[RTA_EXPIRES], r);
	if (r->af == AF_INET6 && !r->metric && rq->h.nlmsg_type == RTM_NEWROUTE)
		r->metric = METRIC_USER_6;
	if (r->plen == ip_plen_max(r->af))
		r->flags |= RTF_HOST;
	if (!ip_addr_is_any(&r->gateway))
		r->flags |= RTF_GATEWAY;
	return err;
}

/* netif_lock held. */
static int find_interface(struct route *r, u32 oif)
{
	if (!ip_family_find(r->af))
		return -EAFNOSUPPORT;
	if (!oif)
		return 0;
	r->nif = netif_by_index(oif);
	return r->nif ? 0 : -ENODEV;
}

struct search {
	const struct route *want;
	struct route found; /* a copy */
	bool any;
};

/* As Linux tells routes apart: prefix and priority. Of several the oldest. */
static void match(const struct route *r, void *arg)
{
	struct search *s = arg;

	if (r->type == ROUTE_LOCAL || r->type == ROUTE_BROADCAST || r->metric != s->want->metric)
		return;
	s->found = *r;
	s->any = true;
}

/* Puts r in old's place; old comes back if that fails. */
static int replace(const struct route *r, struct route *old)
{
	int err;

	/* the table's copy of old, and its reference, may go with it */
	if (old->nif)
		netif_get(old->nif);
	err = route_del(old);
	if (!err)
		err = route_add(r);
	if (err && route_add(old))
		pr_warn("a route is lost: no memory to put it back\n");
	if (old->nif)
		netif_put(old->nif);
	return err;
}

/* netif_lock held. */
static int add_locked(struct route *r, u16 flags)
{
	struct search s = { .want = r };

	if (!ip_addr_is_any(&r->source) && !ifaddr_find(NULL, &r->source))
		return -EINVAL;
	route_for_each_to(r->af, &r->prefix, r->plen, match, &s);
	if (s.any && (flags & NLM_F_EXCL))
		return -EEXIST;
	if (s.any && (flags & NLM_F_REPLACE))
		return replace(r, &s.found);
	if (!s.any && !(flags & NLM_F_CREATE))
		return -ENOENT;
	return route_add(r);
}

static int add(const struct nl_request *rq, struct nl_out *o)
{
	struct route r;
	u32 oif = 0;
	int err = parse(rq, &r, &oif);

	if (err)
		return err;
	netif_lock();
	err = find_interface(&r, oif);
	if (!err)
		err = add_locked(&r, rq->h.nlmsg_flags);
	netif_unlock();
	return err;
}

static int del(const struct nl_request *rq, struct nl_out *o)
{
	struct route r;
	u32 oif = 0;
	int err = parse(rq, &r, &oif);

	if (err)
		return err;
	netif_lock();
	err = find_interface(&r, oif);
	if (!err)
		err = route_del(&r);
	netif_unlock();
	return err;
}

const struct nl_handler route_get = {
	.body_len = sizeof(struct rtmsg),
	.answers = true,
	.doit = get,
	.dump = dump_routes,
};
const struct nl_handler route_new = { .body_len = sizeof(struct rtmsg), .doit = add };
const struct nl_handler route_delete = { .body_len = sizeof(struct rtmsg), .doit = del };
