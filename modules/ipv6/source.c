/* SPDX-License-Identifier: MIT */
/* source.c - which of our addresses a packet leaves with: RFC 6724 section 5, rules 1 to 8, with
 * the policy table of section 2.1. Rule 4 is about home addresses (mobility), which there are none
 * of. */
#include "ipv6.h"

#include <weft/net/addrlabel.h>
#include <weft/net/ifaddr.h>

u8 ipv6_scope(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a)) {
		/* RFC 6724 3.2 */
		if (ip_addr_is_loopback(a) || ip_addr_is_link_local(a))
			return IPV6_SCOPE_LINK;
		return IPV6_SCOPE_GLOBAL;
	}
	if (a->b[0] == 0xff)
		return a->b[1] & 0xf;
	if (ip_addr_is_loopback(a) || ip_addr_is_link_local(a))
		return IPV6_SCOPE_LINK;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? IPV6_SCOPE_SITE : IPV6_SCOPE_GLOBAL;
}

/* What a destination is compared by, found once, but for the router, when it is needed. */
struct wish {
	const struct ip_addr *dst;
	const struct netif *nif;
	struct ip_addr router; /* any: none, it is a neighbour */
	bool looked_up;
	u32 label;
	u8 scope;
	bool temporary, optimistic;
};

/* An optimistic address ranks as a deprecated one (RFC 4429 3.3) unless it was switched on. */
static bool is_deprecated(const struct wish *w, const struct ifaddr *a)
{
	return (a->flags & IFADDR_DEPRECATED) || ((a->flags & IFADDR_OPTIMISTIC) && !w->optimistic);
}

/* Rule 8: only as far as the prefix says something about where it is. */
static u32 match_len(const struct wish *w, const struct ifaddr *a)
{
	return min(ip_addr_common_bits(&a->addr, w->dst), (u32)a->plen);
}

/* Rule 5.5: did the router by which w is sent advertise a's prefix? */
static bool is_routers(struct wish *w, const struct ifaddr *a)
{
	const struct ipv6_if *i = ipv6_if(w->nif);
	struct route_result res;

	if (!i || a->nif != w->nif || list_empty(&i->origins))
		return false;
	if (!w->looked_up && !route_lookup(w->dst, w->nif->index, &res) && res.gatewayed)
		w->router = res.next_hop;
	w->looked_up = true;
	return !ip_addr_is_any(&w->router) && origin_is(i, &w->router, &a->addr);
}

/* Is a better than b? Both are candidates. */
static bool better(struct wish *w, const struct ifaddr *a, const struct ifaddr *b)
{
	u8 sa = ipv6_scope(&a->addr), sb = ipv6_scope(&b->addr);
	bool fa, fb;

	/* 1: the same address */
	if (ip_addr_eq(&b->addr, w->dst))
		return false;
	if (ip_addr_eq(&a->addr, w->dst))
		return true;
	/* 2: appropriate scope */
	if (sa != sb)
		return sa < sb ? sa >= w->scope : sb < w->scope;
	/* 3: not deprecated */
	fa = is_deprecated(w, a);
	fb = is_deprecated(w, b);
	if (fa != fb)
		return fb;
	/* 5: the outgoing interface's */
	if ((a->nif == w->nif) != (b->nif == w->nif))
		return a->nif == w->nif;
	/* 5.5: a prefix of the next hop's */
	fa = is_routers(w, a);
	fb = is_routers(w, b);
	if (fa != fb)
		return fa;
	/* 6: matching label */
	fa = addr_label_find(&a->addr, a->nif->index) == w->label;
	fb = addr_label_find(&b->addr, b->nif->index) == w->label;
	if (fa != fb)
		return fa;
	/* 7: temporary or public ones */
	fa = a->flags & IFADDR_TEMPORARY;
	fb = b->flags & IFADDR_TEMPORARY;
	if (fa != fb)
		return fa == w->temporary;
	/* 8: longest matching prefix */
	return match_len(w, a) > match_len(w, b);
}

static bool is_candidate(const struct ifaddr *a)
{
	u32 flags = READ_ONCE(a->flags);

	if (a->af != AF_INET6 || (flags & IFADDR_DADFAILED))
		return false;
	return !(flags & IFADDR_TENTATIVE) || (flags & IFADDR_OPTIMISTIC);
}

static const struct ifaddr *best_on(struct wish *w, const struct netif *nif,
				    const struct ifaddr *best)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (is_candidate(a) && (!best || better(w, a, best)))
			best = a;
	}
	return best;
}

/* RFC 6724 4: to a link's own destinations only that link's addresses; to others any of this
 * host's, as a packet may leave by a link that has none of its own. */
int ipv6_source(struct netif *nif, const struct ip_addr *dst, u32 flags, struct ip_addr *src)
{
	const struct ipv6_conf *conf = ipv6_conf(nif);
	struct wish w = {
		.dst = dst,
		.nif = nif,
		.scope = ipv6_scope(dst),
		.label = addr_label_find(dst, nif->index),
		.temporary = (flags & FLOW_PREFER_TEMPORARY) ||
			     (conf->use_tempaddr > 1 && !(flags & FLOW_PREFER_PUBLIC)),
		.optimistic = conf->use_optimistic,
	};
	const struct ifaddr *best = best_on(&w, nif, NULL);
	struct netif *other;

	if (w.scope > IPV6_SCOPE_LINK && !ip_addr_is_multicast(dst)) {
		netif_for_each(other) {
			/* lo's address is good for this host alone */
			if (other != nif && netif_present(other) && !(other->flags & IFF_LOOPBACK))
				best = best_on(&w, other, best);
		}
	}
	if (!best)
		return -EADDRNOTAVAIL;
	*src = best->addr;
	return 0;
}
