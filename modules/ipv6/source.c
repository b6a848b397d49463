/* SPDX-License-Identifier: MIT */
/* source.c - which of our addresses a packet leaves with: RFC 6724 section 5, rules 1 to 8, with
 * the policy table of section 2.1. Rule 4 is about home addresses (mobility), which there are none
 * of; 5.5 needs to know which router announced a prefix, and is optional. */
#include "ipv6.h"

#include <weft/net/ifaddr.h>

/* RFC 6724 2.1; precedence is for whoever sorts destinations. The longest first of those that nest.
 */
static const struct {
	struct ip_addr prefix;
	u8 plen, label;
} policy[] = {
	{ { .b = { [15] = 1 } }, 128, 0 },
	{ { .b = { [10] = 0xff, [11] = 0xff } }, 96, 4 },
	{ { .b = { 0 } }, 96, 3 },
	{ { .b = { 0x20, 0x01 } }, 32, 5 },
	{ { .b = { 0x20, 0x02 } }, 16, 2 },
	{ { .b = { 0x3f, 0xfe } }, 16, 12 },
	{ { .b = { 0xfe, 0xc0 } }, 10, 11 },
	{ { .b = { 0xfc } }, 7, 13 },
	{ { .b = { 0 } }, 0, 1 },
};

static u32 common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	for (u32 k = 0; k < 16; k++) {
		u8 x = a->b[k] ^ b->b[k];

		if (x)
			return k * 8 + (__builtin_clz(x) - 24);
	}
	return 128;
}

static u8 label_of(const struct ip_addr *a)
{
	for (u32 k = 0; k < ARRAY_SIZE(policy); k++) {
		if (common_bits(a, &policy[k].prefix) >= policy[k].plen)
			return policy[k].label;
	}
	return 1;
}

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

/* What a destination is compared by, found once. */
struct wish {
	const struct ip_addr *dst;
	const struct netif *nif;
	u8 scope, label;
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
	return min(common_bits(&a->addr, w->dst), (u32)a->plen);
}

/* Is a better than b? Both are candidates. */
static bool better(const struct wish *w, const struct ifaddr *a, const struct ifaddr *b)
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
	/* 6: matching label */
	fa = label_of(&a->addr) == w->label;
	fb = label_of(&b->addr) == w->label;
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

static const struct ifaddr *best_on(const struct wish *w, const struct netif *nif,
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
		.label = label_of(dst),
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
