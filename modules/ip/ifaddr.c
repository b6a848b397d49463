/* SPDX-License-Identifier: MIT */
/* ifaddr.c - IP addresses of interfaces. An address is a set of routes: itself
 * (local), its prefix (connected), its broadcast address; they come and go with it. The routes
 * of one prefix survive as long as any address of the interface lies in it. */
#include "ip.h"

#define ADDR_BUCKETS 64
#define ADDRS_MAX 256	     /* an interface */
#define METRIC_ADDRESS_6 256 /* Linux's IP6_RT_PRIO_ADDRCONF */

static struct hlist_head by_addr[ADDR_BUCKETS]; /* netif_lock to change, RCU to read */

static struct hlist_head *addr_bucket(const struct ip_addr *a)
{
	return &by_addr[ip_addr_hash(a, ip_hash_seed) % ADDR_BUCKETS];
}

struct ifaddr *ifaddr_find(const struct netif *nif, const struct ip_addr *addr)
{
	struct ifaddr *a;

	hlist_for_each_entry(a, addr_bucket(addr), hash) {
		if (ip_addr_eq(&a->addr, addr) && (nif ? a->nif == nif : netif_present(a->nif)))
			return a;
	}
	return NULL;
}
EXPORT(ifaddr_find);

struct ifaddr *ifaddr_first(const struct netif *nif, u16 af)
{
	struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == af)
			return a;
	}
	return NULL;
}
EXPORT(ifaddr_first);

struct ifaddr *ifaddr_by_label(const struct netif *nif, u16 af, const char *label)
{
	struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == af && !strcmp(a->label, label))
			return a;
	}
	return NULL;
}
EXPORT(ifaddr_by_label);

/* ---- the routes that an address brings ---- */

static int add_route(const struct ifaddr *a, const struct ip_addr *prefix, u32 plen, u8 type)
{
	bool six = a->af == AF_INET6;
	struct route r = {
		.af = a->af,
		.plen = plen,
		.type = type,
		.metric = six && type == ROUTE_UNICAST ? METRIC_ADDRESS_6 : 0,
		.kernel = true,
		.nif = a->nif,
		.prefix = ip_addr_prefix(prefix, plen),
		.gateway = ip_addr_any(a->af),
		/* where an interface has several addresses the family chooses for each send */
		.source = six ? ip_addr_any(a->af) : a->addr,
		.with = a->addr,
		.flags = RTF_UP | (plen == ip_plen_max(a->af) ? RTF_HOST : 0),
	};
	int err = route_add(&r);

	return err == -EEXIST ? 0 : err;
}

/* RFC 4862 5.4: until it is known to be nobody else's, a station does not listen to it. */
static bool is_own(u32 flags)
{
	if (flags & IFADDR_DADFAILED)
		return false;
	return !(flags & IFADDR_TENTATIVE) || (flags & IFADDR_OPTIMISTIC);
}

static int add_routes(const struct ifaddr *a)
{
	u32 full = ip_plen_max(a->af);
	bool loopback = a->nif->flags & IFF_LOOPBACK;
	int err = is_own(a->flags) ? add_route(a, &a->addr, full, ROUTE_LOCAL) : 0;

	if (!err && a->plen < full && !(a->flags & IFADDR_NOPREFIXROUTE))
		err = add_route(a, &a->addr, a->plen, loopback ? ROUTE_LOCAL : ROUTE_UNICAST);
	if (!err && !ip_addr_eq(&a->peer, &a->addr))
		err = add_route(a, &a->peer, full, ROUTE_UNICAST);
	if (!err && !ip_addr_is_any(&a->broadcast) && a->plen + 1u < full)
		err = add_route(a, &a->broadcast, full, ROUTE_BROADCAST);
	return err;
}

static bool same_prefix(const struct ifaddr *a, const struct ifaddr *b)
{
	return a->af == b->af && a->plen == b->plen &&
	       ip_addr_in_prefix(&a->addr, &b->addr, a->plen);
}

static bool is_secondary(const struct ifaddr *a)
{
	struct ifaddr *b;

	if (a->af == AF_INET6) /* has no such notion */
		return false;
	ifaddr_for_each(b, a->nif) {
		if (b == a)
			return false;
		if (same_prefix(a, b))
			return true;
	}
	return false;
}

static void ifaddr_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct ifaddr, rcu));
}

int ifaddr_add(const struct ifaddr *want)
{
	struct netif *nif = want->nif;
	struct ifaddr *a, *other;
	u32 count = 0;
	int err;

	if (want->plen > ip_plen_max(want->af) || ip_addr_is_any(&want->addr) ||
	    ip_addr_family(&want->addr) != want->af)
		return -EINVAL;
	if (ifaddr_find(nif, &want->addr))
		return -EEXIST;
	ifaddr_for_each(other, nif)
		count++;
	if (count >= ADDRS_MAX)
		return -ENOBUFS;
	a = kmalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = *want;
	a->created = a->updated = ktime_get();
	if (a->preferred_until && a->preferred_until <= a->created)
		a->flags |= IFADDR_DEPRECATED;
	err = ip_family_addr_check(a);
	if (err)
		goto free_addr;
	list_add_tail(&a->node, &nif->addrs);
	hlist_add_head(&a->hash, addr_bucket(&a->addr));
	if (is_secondary(a))
		a->flags |= IFADDR_SECONDARY;
	err = add_routes(a);
	if (err)
		goto unlink;
	ifaddr_age(a);
	ip_notify_addr(a, true);
	ip_family_addr_event(a, true);
	netif_notify(nif, NETIF_IP_ADDRESS);
	return 0;

unlink:
	route_del_address(nif, &a->addr);
	hlist_del(&a->hash);
	list_del_rcu(&a->node);
	call_rcu(&a->rcu, ifaddr_free_rcu);
	return err;
free_addr:
	kfree(a);
	return err;
}
EXPORT(ifaddr_add);

/* Of the addresses of nif, those routes that went with another address. */
static void add_all_routes(struct netif *nif)
{
	struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (add_routes(a))
			pr_warn("%s: no memory for the routes of an address\n", nif->name);
	}
}

void ifaddr_del(struct ifaddr *a)
{
	struct netif *nif = a->nif;
	struct ifaddr *b;

	ip_family_addr_event(a, false);
	ip_notify_addr(a, false);
	hlist_del(&a->hash);
	list_del_rcu(&a->node);
	route_del_address(nif, &a->addr);
	/* as on Linux, the last address takes all routes over the interface along; not when the
	 * family leaves with what it made */
	if (!ifaddr_first(nif, a->af) && !(a->flags & IFADDR_AUTOCONF))
		route_flush_nif(nif, a->af);
	ifaddr_for_each(b, nif) {
		if (!is_secondary(b))
			b->flags &= ~(u32)IFADDR_SECONDARY;
	}
	add_all_routes(nif);
	netif_notify(nif, NETIF_IP_ADDRESS);
	call_rcu(&a->rcu, ifaddr_free_rcu);
}
EXPORT(ifaddr_del);

/* ---- changes ---- */

/* The routes follow from the flags. */
static void routes_follow(struct ifaddr *a, u32 was)
{
	bool less = (is_own(was) && !is_own(a->flags)) || (a->flags & ~was & IFADDR_NOPREFIXROUTE);

	if (less)
		route_del_address(a->nif, &a->addr);
	add_all_routes(a->nif);
	route_changed();
}

void ifaddr_change(struct ifaddr *a, u32 flags, u64 preferred_until, u64 valid_until)
{
	u32 was = a->flags;

	flags &= ~(u32)IFADDR_DEPRECATED;
	if (preferred_until && preferred_until <= ktime_get())
		flags |= IFADDR_DEPRECATED;
	if (flags == was && preferred_until == a->preferred_until && valid_until == a->valid_until)
		return;
	a->preferred_until = preferred_until;
	a->valid_until = valid_until;
	a->updated = ktime_get();
	WRITE_ONCE(a->flags, flags);
	if (was != flags)
		routes_follow(a, was);
	ifaddr_age(a);
	ip_notify_addr(a, true);
}
EXPORT(ifaddr_change);
