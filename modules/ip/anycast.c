/* SPDX-License-Identifier: MIT */
/* anycast.c - the anycast addresses that a socket has joined (IPV6_JOIN_ANYCAST): as on Linux they
 * are this host's for as long as a socket is a member, and root alone may make them so. What is
 * sent to one is for whoever would get what is sent to any other address of this host. */
#include "ip.h"

#include <weft/sched.h>

#define MREQ_LEN 20	/* struct ipv6_mreq: the address, an interface's index */
#define ANYCASTS_MAX 64 /* a socket */

/* Guarded by netif_lock, as the list it is in. */
struct anycast {
	struct list_head node;
	struct ip_addr addr;
	u32 ifindex;
	u32 ticket; /* the family's */
};

/* Where there is a route to it; a router may have it anywhere. */
static struct netif *choose(const struct ip_addr *addr)
{
	struct route_result res;
	struct ip_family *fam;
	struct netif *nif, *found = NULL;

	rcu_read_lock();
	fam = ip_family_find(AF_INET6);
	if (!route_lookup(addr, 0, &res))
		found = res.type == ROUTE_LOCAL ? res.addr_nif : res.nif;
	rcu_read_unlock();
	if (found || !fam || !fam->forwarding || !READ_ONCE(*fam->forwarding))
		return found;
	netif_for_each(nif) {
		if (netif_is_up(nif) && !(nif->flags & IFF_LOOPBACK))
			return nif;
	}
	return NULL;
}

/* netif_lock held, also by the next ones. */
static int join(struct inet_sock *is, const struct ip_addr *addr, u32 ifindex)
{
	struct netif *nif = ifindex ? netif_by_index(ifindex) : choose(addr);
	struct anycast *c;
	int err;

	if (ip_addr_is_multicast(addr) || ifaddr_find(ifindex ? nif : NULL, addr))
		return -EINVAL;
	if (!nif)
		return ifindex ? -ENODEV : -EADDRNOTAVAIL;
	c = is->nr_anycasts < ANYCASTS_MAX ? kmalloc(sizeof(*c)) : NULL;
	if (!c)
		return -ENOMEM;
	err = ip_family_anycast(nif, addr, &c->ticket, true);
	if (err) {
		kfree(c);
		return err;
	}
	c->addr = *addr;
	c->ifindex = nif->index;
	list_add(&c->node, &is->anycasts);
	is->nr_anycasts++;
	return 0;
}

static int leave(struct inet_sock *is, struct anycast *c)
{
	struct netif *nif = netif_by_index(c->ifindex);

	if (nif)
		ip_family_anycast(nif, &c->addr, &c->ticket, false);
	list_del(&c->node);
	is->nr_anycasts--;
	kfree(c);
	return nif ? 0 : -ENODEV;
}

static struct anycast *find(const struct inet_sock *is, const struct ip_addr *addr, u32 ifindex)
{
	struct anycast *c;

	list_for_each_entry(c, &is->anycasts, node) {
		if (ip_addr_eq(&c->addr, addr) && (!ifindex || c->ifindex == ifindex))
			return c;
	}
	return NULL;
}

int inet_anycast_option(struct inet_sock *is, bool on, const u8 *val, u32 len)
{
	struct anycast *c;
	struct ip_addr addr;
	u32 ifindex;
	int err;

	if (len < MREQ_LEN)
		return -EINVAL;
	memcpy(addr.b, val, sizeof(addr.b));
	memcpy(&ifindex, val + sizeof(addr.b), sizeof(ifindex));
	if (on && require_root())
		return -EPERM;
	/* those of IPv4 are no IPv6 address of any interface */
	if (ip_addr_is_v4(&addr) || ip_addr_is_any(&addr))
		return on ? -EADDRNOTAVAIL : -ENOENT;
	netif_lock();
	c = on ? NULL : find(is, &addr, ifindex);
	if (on)
		err = join(is, &addr, ifindex);
	else
		err = c ? leave(is, c) : -ENOENT;
	netif_unlock();
	return err;
}

void inet_leave_anycasts(struct inet_sock *is)
{
	if (list_empty(&is->anycasts))
		return;
	netif_lock();
	while (!list_empty(&is->anycasts))
		leave(is, list_first_entry(&is->anycasts, struct anycast, node));
	netif_unlock();
}
