/* SPDX-License-Identifier: MIT */
/* redirect.c - a router says that another one is nearer to a host, or that it is a neighbour (RFC
 * 792, RFC 1122 3.2.2.2, RFC 4861 8.3). It becomes a host route marked dynamic, for a while.
 * Believed is only the router in use for that host, about a packet that a transport knows it sent,
 * and only a way that lies on the same link; how many are kept of each family is bounded. */
#include "ip.h"

#include <weft/work.h>

#define REDIRECTS_MAX 64 /* a family */
#define LIFE_NS (600 * NSEC_PER_SEC)

struct redirect {
	struct ip_addr dst, gateway;
	u32 ifindex;
	u64 expires; /* 0: empty */
	bool wanted; /* heard of, not in the route table yet */
	bool on_link;
};

static struct spinlock lock = SPINLOCK_INIT;
static struct redirect redirects[2 * REDIRECTS_MAX]; /* guarded by lock; IPv6 is the second half */
static struct work work;

/* May the new way be one? Under RCU. */
static bool is_way(const struct ip_error *e, const struct ip_family *fam, struct netif *nif)
{
	struct route_result res;

	if (ip_addr_family(&e->gateway) != ip_addr_family(&e->remote) ||
	    fam->classify(nif, &e->gateway) != IP_KIND_UNICAST ||
	    route_classify(&e->gateway) != ROUTE_UNICAST)
		return false;
	if (e->on_link)
		return ip_addr_eq(&e->gateway, &e->remote);
	/* a station on that very link */
	return !ip_addr_eq(&e->gateway, &e->offender) &&
	       !route_lookup(&e->gateway, e->ifindex, &res) && res.type == ROUTE_UNICAST &&
	       !res.gatewayed && res.nif == nif;
}

/* Under RCU. */
static bool acceptable(const struct ip_error *e)
{
	const struct ip_family *fam = ip_family_find(ip_addr_family(&e->remote));
	struct route_result res;

	if (!fam || (fam->accept_redirects && !READ_ONCE(*fam->accept_redirects)) ||
	    (fam->forwarding && READ_ONCE(*fam->forwarding)))
		return false;
	/* from the first hop that this host uses for that destination */
	return !route_lookup(&e->remote, 0, &res) && res.gatewayed &&
	       res.nif->index == e->ifindex && ip_addr_eq(&res.next_hop, &e->offender) &&
	       is_way(e, fam, res.nif);
}

/* The place of dst, else an empty one. NULL: full. */
static struct redirect *place_of(const struct ip_addr *dst)
{
	struct redirect *r = redirects + (ip_addr_is_v4(dst) ? 0 : REDIRECTS_MAX), *empty = NULL;

	for (u32 i = 0; i < REDIRECTS_MAX; i++, r++) {
		if (r->expires && ip_addr_eq(&r->dst, dst))
			return r;
		if (!r->expires && !empty)
			empty = r;
	}
	return empty;
}

/* RFC 4861 8.3: the message may say where the new first hop is. Under RCU. */
static void learn(const struct ip_error *e)
{
	struct netif *nif = netif_by_index(e->ifindex);

	if (nif && e->gateway_hw)
		neigh_update(nif, &e->gateway, e->gateway_hw,
			     NEIGH_UPDATE_CREATE | NEIGH_UPDATE_OVERRIDE |
				     (e->on_link ? 0 : NEIGH_UPDATE_ROUTER));
}

bool ip_redirect(const struct ip_error *e)
{
	struct redirect *r = NULL;
	bool ok;

	rcu_read_lock();
	ok = acceptable(e);
	if (ok)
		learn(e);
	rcu_read_unlock();
	if (ok) {
		spin_lock(&lock);
		r = place_of(&e->remote);
		/* one that is still to be put in place first is not replaced */
		if (r && !(r->expires && r->wanted))
			*r = (struct redirect){ e->remote,  e->gateway,
						e->ifindex, ktime_get() + LIFE_NS,
						true,	    e->on_link };
		spin_unlock(&lock);
	}
	if (!r) {
		ip_drop_count(DROP_REDIRECT);
		return false;
	}
	work_schedule(&work);
	return true;
}
EXPORT(ip_redirect);

/* ---- the routes; netif_lock held ---- */

static void route_of(const struct redirect *r, struct route *out)
{
	u16 af = ip_addr_family(&r->dst);

	*out = (struct route){
		.prefix = r->dst,
		.gateway = r->on_link ? ip_addr_any(af) : r->gateway,
		.source = ip_addr_any(af),
		.nif = netif_by_index(r->ifindex),
		.af = af,
		.plen = ip_plen_max(af),
		.type = ROUTE_UNICAST,
		.flags = RTF_UP | RTF_HOST | RTF_DYNAMIC | (r->on_link ? 0 : RTF_GATEWAY),
	};
}

static bool is_dynamic(const struct route *r, const void *dst)
{
	return (r->flags & RTF_DYNAMIC) && (!dst || ip_addr_eq(&r->prefix, dst));
}

/* What an earlier redirect said of this host. */
static void remove_dynamic(const struct ip_addr *dst)
{
	route_purge(ip_addr_family(dst), is_dynamic, dst);
}

static void put_in_place(const struct redirect *r)
{
	struct route spec;

	remove_dynamic(&r->dst);
	route_of(r, &spec);
	/* without memory, or when the link is gone, the way by the old router still works */
	if (spec.nif)
		route_add(&spec);
}

/* Takes one that something is to be done about: new (true) or over (false). */
static bool next_due(struct redirect *out, u64 now, bool *fresh, u64 *next)
{
	bool found = false;

	*next = 0;
	spin_lock(&lock);
	for (u32 i = 0; i < ARRAY_SIZE(redirects) && !found; i++) {
		struct redirect *r = &redirects[i];

		if (!r->expires)
			continue;
		if (r->wanted || r->expires <= now) {
			*out = *r;
			*fresh = r->wanted;
			if (!r->wanted)
				r->expires = 0;
			r->wanted = false;
			found = true;
		} else if (!*next || r->expires < *next) {
			*next = r->expires;
		}
	}
	spin_unlock(&lock);
	return found;
}

static void step(struct work *w)
{
	struct redirect r;
	bool fresh;
	u64 next;

	netif_lock();
	while (next_due(&r, ktime_get(), &fresh, &next)) {
		if (fresh)
			put_in_place(&r);
		else
			remove_dynamic(&r.dst);
	}
	netif_unlock();
	if (next)
		work_schedule_at(w, next);
}

void redirect_flush(u16 af)
{
	struct redirect *r = redirects + (af == AF_INET ? 0 : REDIRECTS_MAX);

	spin_lock(&lock);
	memset(r, 0, REDIRECTS_MAX * sizeof(*r));
	spin_unlock(&lock);
	route_purge(af, is_dynamic, NULL);
}

int redirect_init(void)
{
	work_init(&work, step);
	return 0;
}

void redirect_exit(void)
{
	work_cancel_sync(&work);
}
