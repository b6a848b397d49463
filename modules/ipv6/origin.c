/* SPDX-License-Identifier: MIT */
/* origin.c - which router advertised which prefix, for rule 5.5 of RFC 6724: who is sent to by a
 * router shall see an address that this router gave, or it may not let the packet pass (RFC 8028
 * 3.2). What is remembered ends with the prefix, and is bounded. */
#include "ipv6.h"

#define ORIGINS_MAX 64 /* an interface */

/* In ipv6_if.origins: netif_lock to change, RCU to read. */
struct origin {
	struct list_head node;
	struct rcu_head rcu;
	struct ip_addr router, prefix;
	u8 plen;
	u64 until; /* ktime, 0: for ever; netif_lock */
};

static void free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct origin, rcu));
}

static void forget(struct ipv6_if *i, struct origin *o)
{
	list_del_rcu(&o->node);
	i->nr_origins--;
	call_rcu(&o->rcu, free_rcu);
	route_changed(); /* sources were chosen by it */
}

static struct origin *find(struct ipv6_if *i, const struct ip_addr *router,
			   const struct ip_addr *prefix, u8 plen)
{
	struct origin *o;

	list_for_each_entry(o, &i->origins, node) {
		if (o->plen == plen && ip_addr_eq(&o->prefix, prefix) &&
		    ip_addr_eq(&o->router, router))
			return o;
	}
	return NULL;
}

void origin_said(struct ipv6_if *i, const struct ip_addr *router, const struct ip_addr *prefix,
		 u8 plen, u32 valid)
{
	struct origin *o = find(i, router, prefix, plen);

	if (!valid) {
		if (o)
			forget(i, o);
		return;
	}
	if (!o) {
		if (i->nr_origins >= ORIGINS_MAX) {
			ip_drop_count(DROP_ND_LIMIT);
			return;
		}
		o = kmalloc(sizeof(*o));
		if (!o)
			return; /* a worse choice, that is all */
		o->router = *router;
		o->prefix = *prefix;
		o->plen = plen;
		list_add_tail(&o->node, &i->origins);
		i->nr_origins++;
		route_changed();
	}
	o->until = ipv6_lifetime(valid, ktime_get());
	ipv6_tick_at(o->until);
}

bool origin_is(const struct ipv6_if *i, const struct ip_addr *router, const struct ip_addr *addr)
{
	const struct origin *o;

	list_for_each_entry(o, &i->origins, node) {
		if (ip_addr_eq(&o->router, router) && ip_addr_in_prefix(addr, &o->prefix, o->plen))
			return true;
	}
	return false;
}

u64 origin_tick(struct ipv6_if *i, u64 now)
{
	struct origin *o, *next;
	u64 due = 0;

	list_for_each_entry_safe(o, next, &i->origins, node) {
		if (o->until && o->until <= now)
			forget(i, o);
		else
			due = ipv6_sooner(due, o->until);
	}
	return due;
}

void origin_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->origins))
		forget(i, list_first_entry(&i->origins, struct origin, node));
}
