/* SPDX-License-Identifier: MIT */
/* anycast.c - the subnet-router anycast address of each prefix of a router's interface (RFC 4291
 * 2.6.1): packets to it are for this host, as for every router there. It is nobody's alone, so it
 * is never checked for duplicates nor a source, and answers about it push out no other router's. */
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/seqfile.h>

/* In ipv6_if.anycasts: netif_lock to change, RCU to read. */
struct anycast {
	struct list_head node;
	struct rcu_head rcu;
	struct ip_addr addr;
	/* netif_lock */
	u32 users;   /* addresses of the interface in its prefix */
	bool joined; /* its solicited-node group */
};

static struct anycast *find(const struct ipv6_if *i, const struct ip_addr *addr)
{
	struct anycast *c;

	list_for_each_entry(c, &i->anycasts, node) {
		if (ip_addr_eq(&c->addr, addr))
			return c;
	}
	return NULL;
}

bool anycast_is(const struct ipv6_if *i, const struct ip_addr *addr)
{
	return find(i, addr);
}

/* The address is the prefix itself. False: a prefix without one, as that of a link between two
 * routers (RFC 6164 5.1); on a link everybody is near. */
static bool anycast_of(const struct ifaddr *a, struct ip_addr *addr)
{
	if (a->plen > 126 || ip_addr_is_link_local(&a->addr) || (a->nif->flags & IFF_LOOPBACK))
		return false;
	*addr = ip_addr_prefix(&a->addr, a->plen);
	return !ip_addr_is_any(addr) && !ip_addr_is_v4(addr);
}

struct search {
	const struct netif *nif;
	const struct ip_addr *addr;
};

static bool is_route_of(const struct route *r, const void *arg)
{
	const struct search *s = arg;

	return r->nif == s->nif && r->type == ROUTE_LOCAL && r->plen == 128 &&
	       ip_addr_is_any(&r->with) && ip_addr_eq(&r->prefix, s->addr);
}

static int add_route(struct netif *nif, const struct ip_addr *addr)
{
	struct route r = {
		.af = AF_INET6,
		.plen = 128,
		.type = ROUTE_LOCAL,
		/* behind that of an address that somebody gave all the same */
		.metric = 1,
		.kernel = true,
		.nif = nif,
		.prefix = *addr,
		.flags = RTF_UP | RTF_ANYCAST,
	};

	return route_add(&r);
}

void anycast_join(struct ipv6_if *i, const struct ifaddr *a)
{
	struct ip_addr addr, group;
	struct anycast *c;

	if (!i->router || !anycast_of(a, &addr))
		return;
	c = find(i, &addr);
	if (c) {
		c->users++;
		return;
	}
	/* without memory one router fewer answers */
	c = kzalloc(sizeof(*c));
	if (!c || add_route(i->nif, &addr)) {
		kfree(c);
		return;
	}
	c->addr = addr;
	c->users = 1;
	list_add_tail(&c->node, &i->anycasts);
	group = ipv6_solicited_node(&addr);
	c->joined = !ip_group_join(i->nif, &group);
}

static void free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct anycast, rcu));
}

static void forget(struct ipv6_if *i, struct anycast *c)
{
	struct search s = { i->nif, &c->addr };
	struct ip_addr group = ipv6_solicited_node(&c->addr);

	if (c->joined)
		ip_group_leave(i->nif, &group);
	route_purge(AF_INET6, is_route_of, &s);
	list_del_rcu(&c->node);
	call_rcu(&c->rcu, free_rcu);
}

void anycast_leave(struct ipv6_if *i, const struct ifaddr *a)
{
	struct ip_addr addr;
	struct anycast *c = anycast_of(a, &addr) ? find(i, &addr) : NULL;

	if (c && !--c->users)
		forget(i, c);
}

void anycast_router(struct ipv6_if *i)
{
	const struct ifaddr *a;

	if (!i->router) {
		while (!list_empty(&i->anycasts))
			forget(i, list_first_entry(&i->anycasts, struct anycast, node));
		return;
	}
	ifaddr_for_each(a, i->nif) {
		if (a->af == AF_INET6)
			anycast_join(i, a);
	}
}

/* ---- /proc/net/anycast6 ---- */

static int show(struct seq *s)
{
	const struct ipv6_if *i;
	const struct anycast *c;

	netif_lock();
	ipv6_if_for_each(i)
	{
		list_for_each_entry(c, &i->anycasts, node)
			seq_printf(s, "%-4d %-15s %08x%08x%08x%08x %5u\n", i->nif->index,
				   i->nif->name, ntohl(c->addr.w[0]), ntohl(c->addr.w[1]),
				   ntohl(c->addr.w[2]), ntohl(c->addr.w[3]), c->users);
	}
	netif_unlock();
	return 0;
}

static struct procfile file = { .path = "net/anycast6", .mode = 0444, .show = show };

int anycast_init(void)
{
	return procfile_add(&file);
}

void anycast_exit(void)
{
	procfile_remove(&file);
}
