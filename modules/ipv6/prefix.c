/* SPDX-License-Identifier: MIT */
/* prefix.c - what routers say of prefixes (RFC 4861 6.3.4): which are on the link, for how long,
 * and which are for making addresses. What nobody called on-link is reached by a router (RFC 5942).
 */
#include "ipv6.h"

#include <uapi/netlink.h>

#define PREFIXES_MAX 64 /* an interface; the router that floods them is the loser */
#define METRIC_PREFIX 256

#define FLAG_ON_LINK 0x80
#define FLAG_AUTONOMOUS 0x40

/* In ipv6_if.prefixes, guarded by netif_lock: an on-link prefix and its route. */
struct prefix {
	struct list_head node;
	struct ip_addr addr;
	u8 plen;
	u64 until; /* ktime, 0: for ever */
};

static struct prefix *find(struct ipv6_if *i, const struct ip_addr *addr, u8 plen)
{
	struct prefix *p;

	list_for_each_entry(p, &i->prefixes, node) {
		if (p->plen == plen && ip_addr_eq(&p->addr, addr))
			return p;
	}
	return NULL;
}

static struct route route_of(const struct ipv6_if *i, const struct prefix *p)
{
	return (struct route){
		.af = AF_INET6,
		.plen = p->plen,
		.type = ROUTE_UNICAST,
		.metric = METRIC_PREFIX,
		.protocol = RTPROT_KERNEL,
		.kernel = true,
		.nif = i->nif,
		.prefix = p->addr,
		.expires = p->until,
		.flags = RTF_UP | RTF_ADDRCONF | RTF_PREFIX | (p->until ? RTF_EXPIRES : 0),
	};
}

struct search {
	const struct netif *nif;
	const struct prefix *p;
};

static bool is_route_of(const struct route *r, const void *arg)
{
	const struct search *s = arg;

	return r->nif == s->nif && r->kernel && (r->flags & RTF_PREFIX) && r->plen == s->p->plen &&
	       ip_addr_eq(&r->prefix, &s->p->addr);
}

static void forget(struct ipv6_if *i, struct prefix *p)
{
	struct search s = { i->nif, p };

	route_purge(AF_INET6, is_route_of, &s);
	list_del(&p->node);
	i->nr_prefixes--;
	kfree(p);
}

static void on_link(struct ipv6_if *i, const struct ip_addr *addr, u8 plen, u32 valid)
{
	struct prefix *p = find(i, addr, plen);
	struct route r;

	if (!valid) {
		if (p)
			forget(i, p);
		return;
	}
	if (!p) {
		if (i->nr_prefixes >= PREFIXES_MAX) {
			ip_drop_count(DROP_ND_LIMIT);
			return;
		}
		p = kzalloc(sizeof(*p));
		if (!p)
			return;
		p->addr = *addr;
		p->plen = plen;
		list_add_tail(&p->node, &i->prefixes);
		i->nr_prefixes++;
	}
	p->until = ipv6_lifetime(valid, ktime_get());
	ipv6_tick_at(p->until);
	r = route_of(i, p);
	/* -EEXIST: an address of the user's brings the same */
	route_set(&r);
}

static void notify(const struct ipv6_if *i, const struct ip_addr *addr, const u8 *opt)
{
	struct ip_prefix_option o = {
		.nif = i->nif,
		.prefix = *addr,
		.af = AF_INET6,
		.type = opt[0],
		.plen = opt[2],
		.on_link = opt[3] & FLAG_ON_LINK,
		.autonomous = opt[3] & FLAG_AUTONOMOUS,
		.valid = get_be32(opt + 4),
		.preferred = get_be32(opt + 8),
	};

	/* RFC 4862 5.5.3 c: nothing that anybody should act on */
	if (o.preferred <= o.valid)
		ip_notify_prefix(&o);
}

void prefix_option(struct ipv6_if *i, const struct ip_addr *from, const u8 *opt)
{
	u32 valid = get_be32(opt + 4), preferred = get_be32(opt + 8);
	u8 plen = opt[2], flags = opt[3];
	struct ip_addr addr;

	memcpy(addr.b, opt + 16, 16);
	if (opt[1] != 4 || plen > 128 || ip_addr_is_link_local(&addr) ||
	    ip_addr_is_multicast(&addr))
		return;
	addr = ip_addr_prefix(&addr, plen);
	/* the zeroes behind it could make an IPv4 mapped one, which no link has */
	if (ip_addr_is_v4(&addr) || (valid && valid < (u32)i->conf.accept_ra_min_lft))
		return;
	if (plen)
		origin_said(i, from, &addr, plen, valid);
	if ((flags & FLAG_ON_LINK) && plen)
		on_link(i, &addr, plen, valid);
	if (flags & FLAG_AUTONOMOUS)
		slaac_prefix(i, &addr, plen, preferred, valid);
	notify(i, &addr, opt);
}

u64 prefix_tick(struct ipv6_if *i, u64 now)
{
	struct prefix *p, *next;
	u64 due = 0;

	list_for_each_entry_safe(p, next, &i->prefixes, node) {
		if (p->until && p->until <= now)
			forget(i, p);
		else
			due = ipv6_sooner(due, p->until);
	}
	return due;
}

void prefix_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->prefixes))
		forget(i, list_first_entry(&i->prefixes, struct prefix, node));
}
