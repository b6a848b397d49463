/* SPDX-License-Identifier: MIT */
/* event.c - what happens to interfaces, addresses and routes, told to the sockets that joined its
 * group. Nothing is made while nobody listens. */
#include "netlink.h"

/* False: nobody listens, or no memory (listeners then miss it; Linux's netlink is no more sure). */
static bool event_init(struct nl_out *o, u32 group)
{
	return netlink_has_listeners(group) && nl_out_init(o, PKT_POOL_CONTROL, NL_PART_SIZE);
}

static void event_send(struct nl_out *o, u32 group)
{
	nl_end(o);
	netlink_broadcast(o, group);
}

static void netif_changed(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct nl_out o;

	if (ev == NETIF_IP_ADDRESS || !event_init(&o, RTNLGRP_LINK))
		return;
	link_message(&o, nif, ev == NETIF_GONE ? RTM_DELLINK : RTM_NEWLINK);
	event_send(&o, RTNLGRP_LINK);
}

static void addr_changed(struct ip_watcher *w, const struct ifaddr *a, bool added)
{
	u32 group = a->af == AF_INET ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
	struct nl_out o;

	if (!event_init(&o, group))
		return;
	addr_message(&o, a, added ? RTM_NEWADDR : RTM_DELADDR);
	event_send(&o, group);
}

static void route_changed_event(struct ip_watcher *w, const struct route *r, bool added)
{
	u32 group = r->af == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
	struct nl_out o;

	if (!event_init(&o, group))
		return;
	route_message(&o, r, added ? RTM_NEWROUTE : RTM_DELROUTE);
	event_send(&o, group);
}

static void option_heard(struct ip_watcher *w, const struct ip_user_option *u)
{
	struct nduseroptmsg body = {
		.nduseropt_family = u->af,
		.nduseropt_opts_len = u->len,
		.nduseropt_ifindex = u->nif->index,
		.nduseropt_icmp_type = u->icmp_type,
		.nduseropt_icmp_code = u->icmp_code,
	};
	struct nl_out o;

	if (!event_init(&o, RTNLGRP_ND_USEROPT))
		return;
	nl_begin(&o, RTM_NEWNDUSEROPT, &body, sizeof(body));
	nl_append(&o, u->data, u->len);
	nl_put_addr(&o, NDUSEROPT_SRCADDR, &u->from, u->af);
	event_send(&o, RTNLGRP_ND_USEROPT);
}

static struct netif_watcher netif_watcher = { .name = "rtnetlink", .event = netif_changed };
static struct ip_watcher ip_watcher = {
	.name = "rtnetlink",
	.addr = addr_changed,
	.route = route_changed_event,
	.option = option_heard,
};

void events_init(void)
{
	netif_watch(&netif_watcher);
	ip_watch(&ip_watcher);
}

void events_exit(void)
{
	ip_unwatch(&ip_watcher);
	netif_unwatch(&netif_watcher);
}
