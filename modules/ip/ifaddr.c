/* SPDX-License-Identifier: MIT */
/* ifaddr.c - IP addresses of interfaces. An address is a set of routes: itself
 * (local), its prefix (connected), its broadcast address; they come and go with it. The routes
 * of one prefix survive as long as any address of the interface lies in it. */
#include "ip.h"

#define ADDR_BUCKETS 64
#define ADDRS_MAX 256 /* an interface */

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
	struct route r = {
		.af = a->af,
		.plen = plen,
		.type = type,
		.kernel = true,
		.nif = a->nif,
		.prefix = ip_addr_prefix(prefix, plen),
		.gateway = ip_addr_any(a->af),
		.source = a->addr,
		.flags = RTF_UP | (plen == ip_plen_max(a->af) ? RTF_HOST : 0),
	};
	int err = route_add(&r);

	return err == -EEXIST ? 0 : err;
}

static int add_routes(const struct ifaddr *a)
{
	u32 full = ip_plen_max(a->af);
	bool loopback = a->nif->flags & IFF_LOOPBACK;
	int err = add_route(a, &a->addr, full, ROUTE_LOCAL);

	if (!err && a->plen < full)
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
	ip_family_addr_event(a, true);
	ip_notify_addr(a, true);
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

void ifaddr_del(struct ifaddr *a)
{
	struct netif *nif = a->nif;
	struct ifaddr *b;

	ip_family_addr_event(a, false);
	ip_notify_addr(a, false);
	hlist_del(&a->hash);
	list_del_rcu(&a->node);
	route_del_address(nif, &a->addr);
	/* as on Linux, the last address takes all routes over the interface along */
	if (!ifaddr_first(nif, a->af))
		route_flush_nif(nif, a->af);
	ifaddr_for_each(b, nif) {
		if (!is_secondary(b))
			b->flags &= ~(u32)IFADDR_SECONDARY;
		if (add_routes(b))
			pr_warn("%s: no memory for the routes of a remaining address\n", nif->name);
	}
	netif_notify(nif, NETIF_IP_ADDRESS);
	call_rcu(&a->rcu, ifaddr_free_rcu);
}
EXPORT(ifaddr_del);
