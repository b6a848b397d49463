/* SPDX-License-Identifier: MIT */
/* neighproxy.c - addresses of others that this host answers for on a link, as a user said. They
 * stay while their family is away, as do the neighbours that a user set; who answers, and when, is
 * the resolver's. */
#include "ip.h"
#include "neigh.h"

#define PROXIES_MAX 1024

struct proxy {
	struct list_head node;
	struct rcu_head rcu;
	struct netif *nif; /* referenced */
	struct ip_addr addr;
	bool router; /* netif_lock to change, read under RCU */
	bool told;   /* the resolver knows of it; netif_lock */
};

static LIST_HEAD(proxies); /* netif_lock to change, RCU to read */
static u32 nr_proxies;	   /* netif_lock */

static struct proxy *find(const struct netif *nif, const struct ip_addr *addr)
{
	struct proxy *p;

	list_for_each_entry(p, &proxies, node) {
		if (p->nif == nif && ip_addr_eq(&p->addr, addr))
			return p;
	}
	return NULL;
}

bool neigh_proxy_find(const struct netif *nif, const struct ip_addr *addr, bool *router)
{
	const struct proxy *p = find(nif, addr);

	if (p && router)
		*router = READ_ONCE(p->router);
	return p;
}
EXPORT(neigh_proxy_find);

/* netif_lock held. */
static const struct neigh_resolver *answerer(const struct ip_addr *addr)
{
	const struct neigh_resolver *r = neigh_resolvers[ip_addr_family(addr)];

	return r && r->proxied ? r : NULL;
}

int neigh_proxy_add(struct netif *nif, const struct ip_addr *addr, bool router)
{
	const struct neigh_resolver *r = answerer(addr);
	struct proxy *p = find(nif, addr);
	int err;

	if (!r)
		return -EOPNOTSUPP;
	if (!netif_present(nif) || !netif_resolves(nif) || ip_addr_is_any(addr) ||
	    ip_addr_is_multicast(addr))
		return -EINVAL;
	if (p) {
		WRITE_ONCE(p->router, router);
		return 0;
	}
	if (nr_proxies >= PROXIES_MAX)
		return -ENOBUFS;
	p = kmalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	err = r->proxied(nif, addr, true);
	if (err) {
		kfree(p);
		return err;
	}
	p->nif = netif_get(nif);
	p->addr = *addr;
	p->router = router;
	p->told = true;
	list_add_tail(&p->node, &proxies);
	nr_proxies++;
	return 0;
}
EXPORT(neigh_proxy_add);

static void free_rcu(struct rcu_head *h)
{
	struct proxy *p = container_of(h, struct proxy, rcu);

	netif_put(p->nif);
	kfree(p);
}

static void forget(struct proxy *p)
{
	const struct neigh_resolver *r = answerer(&p->addr);

	if (r && p->told)
		r->proxied(p->nif, &p->addr, false);
	list_del_rcu(&p->node);
	nr_proxies--;
	call_rcu(&p->rcu, free_rcu);
}

int neigh_proxy_del(struct netif *nif, const struct ip_addr *addr)
{
	struct proxy *p = find(nif, addr);

	if (!p)
		return -ENOENT;
	forget(p);
	return 0;
}
EXPORT(neigh_proxy_del);

void neigh_proxy_flush(const struct netif *nif)
{
	struct proxy *p, *next;

	list_for_each_entry_safe(p, next, &proxies, node) {
		if (p->nif == nif)
			forget(p);
	}
}

void neigh_proxy_tell(const struct neigh_resolver *r, bool on)
{
	struct proxy *p;

	if (!r->proxied)
		return;
	list_for_each_entry(p, &proxies, node) {
		if (ip_addr_family(&p->addr) != r->af || p->told == on)
			continue;
		p->told = !r->proxied(p->nif, &p->addr, on) && on;
	}
}

void neigh_proxy_for_each(void (*fn)(const struct netif *nif, const struct ip_addr *addr,
				     bool router, void *arg),
			  void *arg)
{
	const struct proxy *p;

	list_for_each_entry(p, &proxies, node) {
		if (netif_present(p->nif) && answerer(&p->addr))
			fn(p->nif, &p->addr, p->router, arg);
	}
}
EXPORT(neigh_proxy_for_each);
