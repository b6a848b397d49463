/* SPDX-License-Identifier: MIT */
/* addr.c - IPv6 addresses of interfaces: which may be, what comes with one (its solicited-node
 * group, the check for duplicates), and what the outcome of that check means. An address is
 * tentative from its first moment until the check ends, unless it is on the loopback interface. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/printk.h>

#define SCOPE_UNIVERSE 0 /* as linux/rtnetlink.h counts */
#define SCOPE_SITE 200
#define SCOPE_LINK 253
#define SCOPE_HOST 254

static u8 route_scope(const struct ip_addr *a)
{
	if (ip_addr_is_loopback(a))
		return SCOPE_HOST;
	if (ip_addr_is_link_local(a))
		return SCOPE_LINK;
	return ipv6_scope(a) == IPV6_SCOPE_SITE ? SCOPE_SITE : SCOPE_UNIVERSE;
}

int ipv6_addr_check(struct ifaddr *a)
{
	const struct ipv6_if *i = ipv6_if_any(a->nif);
	bool loopback = a->nif->flags & IFF_LOOPBACK;

	if (a->plen > 128 || ip_addr_is_multicast(&a->addr) || ip_addr_is_any(&a->addr))
		return -EINVAL;
	if (ip_addr_is_loopback(&a->addr) && !loopback)
		return -EADDRNOTAVAIL;
	if (i && i->off)
		return -EACCES;
	a->scope = route_scope(&a->addr);
	a->broadcast = ip_addr_any(AF_INET6);
	if (!loopback)
		a->flags |= IFADDR_TENTATIVE;
	return 0;
}

/* ---- what comes with an address ---- */

void ipv6_addr_enter(struct ifaddr *a)
{
	struct ip_addr group = ipv6_solicited_node(&a->addr);
	struct ipv6_if *i = ipv6_if_any(a->nif);
	int err = ip_group_join(a->nif, &group);

	anycast_join(i, a);
	if (err)
		pr_warn("%s: a solicited-node group is not joined: error %d\n", a->nif->name, -err);
	else
		WRITE_ONCE(a->flags, a->flags | IFADDR_JOINED);
	if (a->nif->flags & IFF_LOOPBACK)
		return;
	ifaddr_change(a, (a->flags | IFADDR_TENTATIVE) & ~(u32)IFADDR_DADFAILED, a->preferred_until,
		      a->valid_until);
	/* else when it comes up */
	if (i->ready)
		dad_start(a);
}

void ipv6_addr_leave(struct ifaddr *a)
{
	struct ip_addr group = ipv6_solicited_node(&a->addr);
	struct ipv6_if *i = ipv6_if_any(a->nif);

	dad_stop(a);
	announce_stop(i, &a->addr);
	anycast_leave(i, a);
	/* another address may have joined the same one since */
	if (a->flags & IFADDR_JOINED)
		ip_group_leave(a->nif, &group);
	WRITE_ONCE(a->flags, a->flags & ~(u32)IFADDR_JOINED);
	if (a->flags & IFADDR_TEMPORARY)
		temp_gone(i, a);
	if (ip_addr_is_link_local(&a->addr) && ipv6_link_local(a->nif) == a)
		i->link_local_ready = false;
}

/* Before its interface is known here (it is just being registered) an address waits. */
void ipv6_addr_event(struct ifaddr *a, bool added)
{
	if (!ipv6_if_any(a->nif))
		return;
	if (added)
		ipv6_addr_enter(a);
	else
		ipv6_addr_leave(a);
}

int ipv6_addr_set(struct netif *nif, const struct ip_addr *addr, u8 plen, u32 flags, u32 preferred,
		  u32 valid)
{
	u64 now = ktime_get();
	struct ifaddr want = {
		.nif = nif,
		.af = AF_INET6,
		.plen = plen,
		.flags = flags,
		.addr = *addr,
		.peer = *addr,
		.preferred_until = ipv6_lifetime(preferred, now),
		.valid_until = ipv6_lifetime(valid, now),
	};
	struct ifaddr *a = ifaddr_find(nif, addr);

	if (a) {
		ifaddr_change(a, a->flags, want.preferred_until, want.valid_until);
		return 0;
	}
	strscpy(want.label, nif->name, IFNAMSIZ);
	return ifaddr_add(&want);
}

const struct ifaddr *ipv6_link_local(const struct netif *nif)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET6 && ip_addr_is_link_local(&a->addr) &&
		    !(a->flags & (IFADDR_TENTATIVE | IFADDR_DADFAILED)))
			return a;
	}
	return NULL;
}

/* ---- the outcome of duplicate address detection ---- */

void ipv6_addr_unique(struct ifaddr *a)
{
	struct ipv6_if *i = ipv6_if_any(a->nif);

	ifaddr_change(a, a->flags & ~(u32)(IFADDR_TENTATIVE | IFADDR_OPTIMISTIC),
		      a->preferred_until, a->valid_until);
	if (!i || i->link_local_ready || !ip_addr_is_link_local(&a->addr))
		return;
	i->link_local_ready = true;
	mld_nif_up(a->nif);
	rs_start(i);
}

/* RFC 4862 5.4.5: an address made of the hardware's says that the hardware's is not unique. */
static void hardware_duplicate(struct ipv6_if *i, struct ifaddr *a)
{
	ifaddr_change(a, a->flags | IFADDR_TENTATIVE | IFADDR_DADFAILED, a->preferred_until,
		      a->valid_until);
	if (i->conf.accept_dad < 2 || !ip_addr_is_link_local(&a->addr))
		return;
	pr_err("%s: switched off for IPv6: another station has its address\n", i->nif->name);
	i->conf.disable_ipv6 = 1;
	ipv6_conf_changed();
}

void ipv6_addr_duplicate(struct ifaddr *a)
{
	struct ipv6_if *i = ipv6_if_any(a->nif);
	struct ip_addr addr = a->addr;
	char text[IP_ADDR_STRLEN];

	pr_warn_ratelimited("%s: %s is used by another station\n", a->nif->name,
			    ip_addr_format(text, &addr));
	if (!i || !(a->flags & IFADDR_AUTOCONF)) {
		ifaddr_change(a, a->flags | IFADDR_TENTATIVE | IFADDR_DADFAILED, a->preferred_until,
			      a->valid_until);
	} else if (a->flags & IFADDR_TEMPORARY) {
		temp_duplicate(i, a);
	} else if (i->conf.addr_gen_mode < 2) {
		hardware_duplicate(i, a);
	} else {
		slaac_retry(i, &addr);
	}
}
