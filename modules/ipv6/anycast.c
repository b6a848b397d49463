/* SPDX-License-Identifier: MIT */
/* anycast.c - addresses that this host shares with others: the subnet-router anycast address of
 * each prefix of a router's interface (RFC 4291 2.6.1), and those that a socket has joined. Packets
 * to one are for this host, as for all who have it. It is nobody's alone, so it is never checked
 * for duplicates nor chosen as a source, and answers about it push out nobody else's. */
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/random.h>
#include <weft/seqfile.h>

/* In ipv6_if.anycasts: netif_lock to change, RCU to read. */
struct anycast {
	struct list_head node;
	struct rcu_head rcu;
	struct ip_addr addr;
	/* netif_lock */
	u32 users;   /* addresses of a router's interface in its prefix */
	u32 members; /* sockets, */
	u32 ticket;  /* which show this: those that came before the interface left have another */
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

/* The one that is there, or a new one without users. */
static struct anycast *get(struct ipv6_if *i, const struct ip_addr *addr)
{
	struct ip_addr group = ipv6_solicited_node(addr);
	struct anycast *c = find(i, addr);
	int err;

	if (c)
		return c;
	c = kzalloc(sizeof(*c));
	err = c ? add_route(i->nif, addr) : -ENOMEM;
	if (err) {
		kfree(c);
		return ERR_PTR(err);
	}
	c->addr = *addr;
	random_bytes(&c->ticket, sizeof(c->ticket));
	list_add_tail(&c->node, &i->anycasts);
	c->joined = !ip_group_join(i->nif, &group);
	return c;
}

void anycast_join(struct ipv6_if *i, const struct ifaddr *a)
{
	struct ip_addr addr;
	struct anycast *c;

	if (!i->router || !anycast_of(a, &addr))
		return;
	c = get(i, &addr);
	/* without memory one router fewer answers */
	if (!IS_ERR(c))
		c->users++;
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

	if (c && c->users && !--c->users && !c->members)
		forget(i, c);
}

void anycast_router(struct ipv6_if *i)
{
	struct anycast *c, *next;
	const struct ifaddr *a;

	if (!i->router) {
		list_for_each_entry_safe(c, next, &i->anycasts, node) {
			c->users = 0;
			if (!c->members)
				forget(i, c);
		}
		return;
	}
	ifaddr_for_each(a, i->nif) {
		if (a->af == AF_INET6)
			anycast_join(i, a);
	}
}

void anycast_up(struct ipv6_if *i)
{
	struct anycast *c;

	/* that they are there already is no news */
	list_for_each_entry(c, &i->anycasts, node)
		add_route(i->nif, &c->addr);
}

void anycast_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->anycasts))
		forget(i, list_first_entry(&i->anycasts, struct anycast, node));
}

/* ---- sockets ---- */

/* A host's routers send no others to its link. */
static bool has_prefix_of(const struct netif *nif, const struct ip_addr *addr)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		struct ip_addr own = ip_addr_prefix(&a->addr, a->plen);
		struct ip_addr its = ip_addr_prefix(addr, a->plen);

		if (a->af == AF_INET6 && ip_addr_eq(&own, &its))
			return true;
	}
	return false;
}

int anycast_member(struct netif *nif, const struct ip_addr *addr, u32 *ticket, bool on)
{
	struct ipv6_if *i = ipv6_if_any(nif);
	struct anycast *c = i ? find(i, addr) : NULL;

	if (!on) {
		if (c && c->ticket == *ticket && !--c->members && !c->users)
			forget(i, c);
		return 0;
	}
	if (!i)
		return -ENODEV;
	if (!ipv6_is_router(nif) && !has_prefix_of(nif, addr))
		return -EADDRNOTAVAIL;
	c = get(i, addr);
	if (IS_ERR(c))
		return PTR_ERR(c);
	c->members++;
	*ticket = c->ticket;
	return 0;
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
				   ntohl(c->addr.w[2]), ntohl(c->addr.w[3]), c->users + c->members);
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
