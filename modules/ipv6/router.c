/* SPDX-License-Identifier: MIT */
/* router.c - what routers advertise (RFC 4861 6.3.4, RFC 4191): default routes and more specific
 * ones, with lifetimes and preferences, and the parameters of the link. Advertisements wait in a
 * bounded queue for process context; a router that does not answer its neighbours comes last until
 * it does again (RFC 4861 6.3.6). */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <uapi/netlink.h>
#include <weft/net/ifaddr.h>
#include <weft/printk.h>
#include <weft/spinlock.h>

#define ROUTES_MAX 64 /* an interface */
#define QUEUE_MAX 64  /* advertisements and news of routers */
#define QUEUE_BYTES (64u * 1024)
#define BATCH 16 /* applied under one hold of netif_lock */
#define RA_HEADER 16
#define METRIC_ROUTE 1024
#define REACHABLE_MAX_MS 3600000 /* RFC 4861 6.2.1 */
#define RETRANS_MIN_MS 10	 /* who says less or more means no good */
#define RETRANS_MAX_MS 60000

/* A route that a router offers; in ipv6_if.routes, guarded by netif_lock. plen 0: it is a default
 * router. */
struct ra_route {
	struct list_head node; /* read under RCU */
	struct rcu_head rcu;
	struct ip_addr prefix, gateway;
	u8 plen;
	s8 preference;
	u64 until;    /* ktime, 0: for ever */
	u64 demoted;  /* when its gateway stopped to answer, 0: it has not */
	u64 probe_at; /* while demoted */
};

/* An advertisement (len > 0), or news of a router's reachability. */
struct news {
	struct list_head node;
	u32 ifindex;
	struct ip_addr from;
	bool reachable, is_router;
	u32 len;
	u8 data[]; /* from the ICMPv6 header on */
};

static struct spinlock lock = SPINLOCK_INIT; /* the queue */
static LIST_HEAD(queue);
static u32 queued, queued_bytes;
static struct work work;

/* ---- routes ---- */

/* RFC 4191 2.1: two bits, signed; the reserved value is medium. */
static s8 preference_of(u8 flags)
{
	u8 bits = flags >> 3 & 3;

	return bits == 1 ? 1 : bits == 3 ? -1 : 0;
}

static struct route spec_of(const struct ipv6_if *i, const struct ra_route *r)
{
	bool host = ip_addr_eq(&r->prefix, &r->gateway) && r->plen == 128;

	return (struct route){
		.af = AF_INET6,
		.plen = r->plen,
		.type = ROUTE_UNICAST,
		.metric = r->plen ? METRIC_ROUTE : i->conf.ra_defrtr_metric,
		.protocol = RTPROT_RA,
		.nif = i->nif,
		.prefix = r->prefix,
		.gateway = host ? ip_addr_any(AF_INET6) : r->gateway,
		.preference = r->preference,
		.expires = r->until,
		.demoted = r->demoted,
		.flags = RTF_UP | RTF_GATEWAY | RTF_ADDRCONF | (r->until ? RTF_EXPIRES : 0) |
			 (r->plen ? RTF_ROUTEINFO : RTF_DEFAULT),
	};
}

struct search {
	const struct netif *nif;
	const struct ra_route *r;
};

static bool is_route_of(const struct route *r, const void *arg)
{
	const struct search *s = arg;

	return r->nif == s->nif && r->protocol == RTPROT_RA && r->plen == s->r->plen &&
	       ip_addr_eq(&r->prefix, &s->r->prefix) && ip_addr_eq(&r->gateway, &s->r->gateway);
}

static void route_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct ra_route, rcu));
}

static void route_forget(struct ipv6_if *i, struct ra_route *r)
{
	struct search s = { i->nif, r };

	route_purge(AF_INET6, is_route_of, &s);
	list_del_rcu(&r->node);
	i->nr_routes--;
	call_rcu(&r->rcu, route_free_rcu);
}

static struct ra_route *route_find(struct ipv6_if *i, const struct ip_addr *prefix, u8 plen,
				   const struct ip_addr *gateway)
{
	struct ra_route *r;

	list_for_each_entry(r, &i->routes, node) {
		if (r->plen == plen && ip_addr_eq(&r->prefix, prefix) &&
		    ip_addr_eq(&r->gateway, gateway))
			return r;
	}
	return NULL;
}

static struct ra_route *route_new(struct ipv6_if *i, const struct ip_addr *prefix, u8 plen,
				  const struct ip_addr *gateway)
{
	struct ra_route *r, *other;

	if (i->nr_routes >= ROUTES_MAX) {
		ip_drop_count(DROP_ND_LIMIT);
		return NULL;
	}
	r = kzalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->prefix = *prefix;
	r->plen = plen;
	r->gateway = *gateway;
	list_for_each_entry(other, &i->routes, node) {
		if (ip_addr_eq(&other->gateway, gateway))
			r->demoted = other->demoted;
	}
	list_add_tail(&r->node, &i->routes);
	i->nr_routes++;
	return r;
}

/* RFC 4861 6.3.4, RFC 4191 3.1: a lifetime of 0 takes it away. */
static void offered(struct ipv6_if *i, const struct ip_addr *prefix, u8 plen,
		    const struct ip_addr *gateway, u32 lifetime, s8 preference)
{
	struct ra_route *r = route_find(i, prefix, plen, gateway);
	struct route spec;
	int err;

	if (!lifetime) {
		if (r)
			route_forget(i, r);
		return;
	}
	if (!r)
		r = route_new(i, prefix, plen, gateway);
	if (!r)
		return;
	r->preference = preference;
	r->until = ipv6_lifetime(lifetime, ktime_get());
	ipv6_tick_at(r->until);
	spec = spec_of(i, r);
	err = route_set(&spec);
	if (err && err != -EEXIST)
		route_forget(i, r);
}

u64 router_tick(struct ipv6_if *i, u64 now)
{
	struct ra_route *r, *next;
	u64 due = 0;

	list_for_each_entry_safe(r, next, &i->routes, node) {
		if (r->until && r->until <= now) {
			route_forget(i, r);
			continue;
		}
		if (r->demoted && r->probe_at <= now) {
			struct flow f = { .dst = r->gateway, .oif = i->nif->index };

			/* RFC 4191 3.5: is it back? Asking is all that this does. */
			ip_flow_check(&f, 0, NULL);
			r->probe_at = now + i->conf.router_probe_interval * NSEC_PER_SEC;
		}
		due = ipv6_sooner(due, r->until);
		if (r->demoted)
			due = ipv6_sooner(due, r->probe_at);
	}
	return due;
}

void router_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->routes))
		route_forget(i, list_first_entry(&i->routes, struct ra_route, node));
}

/* ---- an advertisement ---- */

static void link_parameters(struct ipv6_if *i, const u8 *h, const struct nd_options *o)
{
	u32 reachable = get_be32(h + 8), retrans = get_be32(h + 12), mtu;

	if (h[4] && h[4] >= i->conf.accept_ra_min_hop_limit) {
		i->ra_hop_limit = h[4];
		WRITE_ONCE(i->conf.hop_limit, h[4]);
	}
	i->ra_flags = h[5] & 0xc0;
	if (reachable && reachable <= REACHABLE_MAX_MS)
		i->ra_reachable_ms = reachable;
	if (retrans >= RETRANS_MIN_MS && retrans <= RETRANS_MAX_MS)
		i->ra_retrans_ms = retrans;
	if (!o->mtu || o->mtu[1] != 1 || !i->conf.accept_ra_mtu)
		return;
	/* RFC 4861 6.3.4, RFC 2464 2: not below the least, not above the link's */
	mtu = get_be32(o->mtu + 4);
	if (mtu < IPV6_MIN_MTU || mtu > i->nif->mtu || mtu == (u32)i->conf.mtu)
		return;
	i->ra_mtu = mtu;
	WRITE_ONCE(i->conf.mtu, mtu);
	route_changed();
}

/* RFC 4191 2.3 */
static void route_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt)
{
	u8 plen = opt[2], need = plen > 64 ? 3 : plen ? 2 : 1;
	struct ip_addr prefix = ip_addr_any(AF_INET6);
	u32 lifetime = get_be32(opt + 4);

	/* reserved preferences void the option */
	if (plen > 128 || opt[1] > 3 || opt[1] < need || (opt[3] >> 3 & 3) == 2 ||
	    plen < i->conf.accept_ra_rt_info_min_plen ||
	    plen > i->conf.accept_ra_rt_info_max_plen ||
	    (lifetime && lifetime < (u32)i->conf.accept_ra_min_lft))
		return;
	memcpy(prefix.b, opt + 8, (opt[1] - 1) * 8);
	prefix = ip_addr_prefix(&prefix, plen);
	if (ip_addr_is_v4(&prefix) || ip_addr_is_multicast(&prefix) ||
	    ip_addr_is_link_local(&prefix))
		return;
	offered(i, &prefix, plen, from, lifetime, preference_of(opt[3]));
}

static void tell_user(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt)
{
	struct ip_user_option o = {
		.nif = i->nif,
		.from = *from,
		.af = AF_INET6,
		.icmp_type = ND_RA,
		.data = opt,
		.len = opt[1] * 8,
	};

	ip_notify_option(&o);
}

static void one_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt)
{
	switch (opt[0]) {
	case ND_OPT_PREFIX:
		if (i->conf.accept_ra_pinfo && opt[1] == 4)
			prefix_option(i, from, opt);
		break;
	case ND_OPT_ROUTE:
		if (i->conf.accept_ra_rtr_pref)
			route_option(i, from, opt);
		break;
	case ND_OPT_RDNSS:
	case ND_OPT_DNSSL:
		rdnss_option(i, from, opt);
		tell_user(i, from, opt);
		break;
	default:
		break;
	}
}

static void demote(struct ipv6_if *i, const struct ip_addr *gateway, u64 since);

static void advert(struct ipv6_if *i, const struct news *n)
{
	static const struct ip_addr any;
	const u8 *h = n->data, *opt;
	u32 lifetime = get_be16(h + 6);
	struct nd_options o;

	if (!ipv6_accepts_ra(i) || nd_options_parse(h + RA_HEADER, n->len - RA_HEADER, &o) ||
	    (!i->conf.accept_ra_from_local && ifaddr_find(NULL, &n->from)))
		return;
	link_parameters(i, h, &o);
	if (i->conf.accept_ra_defrtr && (!lifetime || lifetime >= (u32)i->conf.accept_ra_min_lft))
		offered(i, &any, 0, &n->from, lifetime,
			i->conf.accept_ra_rtr_pref && lifetime ? preference_of(h[5]) : 0);
	if (lifetime)
		rs_stop(i);
	demote(i, &n->from, 0);
	for (opt = o.start; opt && opt < o.end; opt += opt[1] * 8)
		one_option(i, &n->from, opt);
}

/* ---- reachability ---- */

static void demote(struct ipv6_if *i, const struct ip_addr *gateway, u64 since)
{
	struct ra_route *r;
	bool changed = false;

	list_for_each_entry(r, &i->routes, node) {
		if (!ip_addr_eq(&r->gateway, gateway) || r->demoted == since)
			continue;
		r->demoted = since;
		r->probe_at = since + i->conf.router_probe_interval * NSEC_PER_SEC;
		if (since)
			ipv6_tick_at(r->probe_at);
		changed = true;
	}
	if (changed)
		route_demote(i->nif, gateway, since);
}

static void reachability(struct ipv6_if *i, const struct news *n)
{
	struct ra_route *r, *next;

	if (n->is_router) {
		/* of several that fail the one that failed longest ago is tried next */
		demote(i, &n->from, n->reachable ? 0 : ktime_get());
		return;
	}
	/* RFC 4861 7.2.5: it says itself that it is a router no more */
	list_for_each_entry_safe(r, next, &i->routes, node) {
		if (ip_addr_eq(&r->gateway, &n->from))
			route_forget(i, r);
	}
}

/* ---- the queue ---- */

static bool enqueue(struct netif *nif, const struct ip_addr *from, const struct news *head,
		    const u8 *data, u32 len)
{
	struct news *n = kmalloc(sizeof(*n) + len);
	bool room;

	if (!n) {
		ip_drop_count(DROP_NO_MEMORY);
		return false;
	}
	*n = *head;
	n->ifindex = nif->index;
	n->from = *from;
	n->len = len;
	if (len)
		memcpy(n->data, data, len);
	spin_lock(&lock);
	room = queued < QUEUE_MAX && queued_bytes + len <= QUEUE_BYTES;
	if (room) {
		queued++;
		queued_bytes += len;
		list_add_tail(&n->node, &queue);
	}
	spin_unlock(&lock);
	if (room) {
		work_schedule(&work);
		return true;
	}
	ip_drop_count(DROP_ND_QUEUE);
	kfree(n);
	return false;
}

static struct news *dequeue(void)
{
	struct news *n;

	spin_lock(&lock);
	n = list_first_entry_or_null(&queue, struct news, node);
	if (n) {
		list_del(&n->node);
		queued--;
		queued_bytes -= n->len;
	}
	spin_unlock(&lock);
	return n;
}

static void apply(struct work *w)
{
	struct ipv6_if *i;
	struct news *n = NULL;

	netif_lock();
	for (u32 k = 0; k < BATCH && (n = dequeue()) != NULL; k++) {
		const struct netif *nif = netif_by_index(n->ifindex);

		i = nif ? ipv6_if(nif) : NULL;
		if (i && i->ready && n->len)
			advert(i, n);
		else if (i && i->ready)
			reachability(i, n);
		kfree(n);
	}
	netif_unlock();
	/* others want the lock, too */
	if (n)
		work_schedule(w);
}

void router_advert(struct netif *nif, const struct pkt *p, const struct ip_rx *rx)
{
	const struct ipv6_if *i = ipv6_if(nif);
	const struct news head = { 0 };

	if (i && ipv6_accepts_ra(i) && p->len >= RA_HEADER)
		enqueue(nif, &rx->src, &head, p->data, p->len);
}

void router_reachable(struct netif *nif, const struct ip_addr *router, u8 state, bool is_router)
{
	struct news head = { .reachable = state != NEIGH_FAILED, .is_router = is_router };
	const struct ipv6_if *i;
	const struct ra_route *r;
	bool known = false;

	/* most neighbours are no routers of ours */
	rcu_read_lock();
	i = ipv6_if(nif);
	if (i && state != NEIGH_INCOMPLETE) {
		list_for_each_entry(r, &i->routes, node)
			known |= ip_addr_eq(&r->gateway, router);
	}
	rcu_read_unlock();
	if (known)
		enqueue(nif, router, &head, NULL, 0);
}

int router_init(void)
{
	work_init(&work, apply);
	return 0;
}

void router_exit(void)
{
	struct news *n;

	work_cancel_sync(&work);
	while ((n = dequeue()) != NULL)
		kfree(n);
}
