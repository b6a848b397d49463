/* SPDX-License-Identifier: MIT */
/* announce.c - saying unasked where an address is: to all nodes, who shall forget what they knew
 * (RFC 4861 7.2.6), or to the routers, who need it before the first answer comes back through them
 * (RFC 9131 6.1). The latter are repeated, as nobody acknowledges them. */
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/random.h>

#define MAX_NEIGHBOR_ADVERTISEMENT 3 /* RFC 4861 10 */

/* What is still to be said of an address; in ipv6_if.announcements, guarded by netif_lock. At most
 * one for each address of the interface, and gone with it. */
struct announcement {
	struct list_head node;
	struct ip_addr addr;
	u32 left;
	u64 due; /* ktime */
};

static void advertise(struct netif *nif, const struct ip_addr *to, const struct ip_addr *addr,
		      u32 flags)
{
	u8 ll[ND_LL_MAX];
	u32 n = nd_put_ll(nif, ll, ND_OPT_TARGET_LL);

	if (ipv6_is_router(nif))
		flags |= ND_NA_ROUTER;
	if (netif_resolves(nif))
		nd_send(nif, addr, to, ND_NA, flags, addr, ll, n);
}

static struct announcement *find(struct ipv6_if *i, const struct ip_addr *addr)
{
	struct announcement *a;

	list_for_each_entry(a, &i->announcements, node) {
		if (ip_addr_eq(&a->addr, addr))
			return a;
	}
	return NULL;
}

/* RFC 9131 6.1: RetransTimer apart, or more: those who start at once do not speak at once. */
static u64 next_due(const struct netif *nif)
{
	u32 ms = nd_retrans_ms(nif);

	return ktime_get() + (ms + random_below(ms / 2 + 1)) * NSEC_PER_MSEC;
}

static void forget(struct announcement *a)
{
	list_del(&a->node);
	kfree(a);
}

void nd_announce(struct netif *nif, const struct ip_addr *addr)
{
	advertise(nif, &ipv6_all_nodes, addr, ND_NA_OVERRIDE);
}

void announce_new(struct ipv6_if *i, const struct ip_addr *addr)
{
	struct announcement *a = find(i, addr);

	advertise(i->nif, &ipv6_all_routers, addr, 0);
	/* routers meet link-local ones without a router */
	if (ipv6_scope(addr) <= IPV6_SCOPE_LINK)
		return;
	if (!a) {
		a = kmalloc(sizeof(*a));
		if (!a)
			return; /* once said is better than never */
		a->addr = *addr;
		list_add_tail(&a->node, &i->announcements);
	}
	a->left = MAX_NEIGHBOR_ADVERTISEMENT - 1;
	a->due = next_due(i->nif);
	ipv6_tick_at(a->due);
}

u64 announce_tick(struct ipv6_if *i, u64 now)
{
	struct announcement *a, *next;
	u64 due = 0;

	list_for_each_entry_safe(a, next, &i->announcements, node) {
		if (a->due <= now) {
			advertise(i->nif, &ipv6_all_routers, &a->addr, 0);
			a->due = next_due(i->nif);
			if (!--a->left) {
				forget(a);
				continue;
			}
		}
		due = ipv6_sooner(due, a->due);
	}
	return due;
}

void announce_stop(struct ipv6_if *i, const struct ip_addr *addr)
{
	struct announcement *a = find(i, addr);

	if (a)
		forget(a);
}

void announce_flush(struct ipv6_if *i)
{
	while (!list_empty(&i->announcements))
		forget(list_first_entry(&i->announcements, struct announcement, node));
}
