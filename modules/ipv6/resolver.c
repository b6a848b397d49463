/* SPDX-License-Identifier: MIT */
/* resolver.c - the neighbour cache asks for IPv6 addresses by neighbour solicitations (RFC 4861
 * 7.2.2), at the pace that the link's router advertised, and routers' comings and goings are passed
 * on to whoever chooses among them. */
#include "ipv6.h"

/* May be said to be ours, with our link address beside it (RFC 4429 3.2). */
static bool may_ask_from(const struct ifaddr *a)
{
	return a->af == AF_INET6 &&
	       !(a->flags & (IFADDR_TENTATIVE | IFADDR_OPTIMISTIC | IFADDR_DADFAILED));
}

/* RFC 4861 7.2.2: the asker's, so that the answerer learns what it needs to reply to it; else the
 * link-local one, else any. NULL: there is none yet. Under RCU. */
static const struct ifaddr *source_for(struct netif *nif, const struct ip_addr *hint)
{
	const struct ifaddr *a = NULL;

	if (hint && !ip_addr_is_any(hint))
		a = ifaddr_find(nif, hint);
	if (!a || !may_ask_from(a))
		a = ipv6_link_local(nif);
	if (a && may_ask_from(a))
		return a;
	ifaddr_for_each(a, nif) {
		if (may_ask_from(a))
			return a;
	}
	return NULL;
}

static void solicit(struct netif *nif, const struct ip_addr *target, const u8 *hw,
		    const struct ip_addr *hint)
{
	struct ip_addr group = ipv6_solicited_node(target);
	struct nd_message m = {
		.type = ND_NS,
		.dst = hw ? target : &group,
		.target = target,
		.hw = hw,
	};
	const struct ifaddr *a;
	u8 ll[ND_LL_MAX];

	rcu_read_lock();
	a = source_for(nif, hint);
	if (a) {
		m.src = &a->addr;
		m.options = ll;
		m.options_len = nd_put_ll(nif, ll, ND_OPT_SOURCE_LL);
		nd_send_message(nif, &m);
	}
	rcu_read_unlock();
}

static void router_event(struct netif *nif, const struct ip_addr *addr, u8 state, bool router)
{
	router_reachable(nif, addr, state, router);
}

/* RFC 4861 6.3.2: what a router advertised, until one says something else. */
static void times(const struct netif *nif, u32 *reachable_ms, u32 *retrans_ms)
{
	const struct ipv6_if *i = ipv6_if(nif);

	if (!i)
		return;
	if (READ_ONCE(i->ra_reachable_ms))
		*reachable_ms = READ_ONCE(i->ra_reachable_ms);
	if (READ_ONCE(i->ra_retrans_ms))
		*retrans_ms = READ_ONCE(i->ra_retrans_ms);
}

static struct neigh_resolver resolver = {
	.af = AF_INET6,
	.name = "nd",
	.sysctl_dir = "net/ipv6/neigh/default",
	.solicit = solicit,
	.router_event = router_event,
	.times = times,
	.proxied = proxy_group,
};

u32 nd_retrans_ms(const struct netif *nif)
{
	u32 reachable_ms, retrans_ms = READ_ONCE(resolver.params.retrans_ms);

	rcu_read_lock();
	times(nif, &reachable_ms, &retrans_ms);
	rcu_read_unlock();
	return retrans_ms;
}

int resolver_init(void)
{
	return neigh_resolver_register(&resolver);
}

void resolver_exit(void)
{
	neigh_resolver_unregister(&resolver);
}
