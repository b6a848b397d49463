/* SPDX-License-Identifier: MIT */
/* event.c - what happens to interfaces, addresses, routes and neighbours, told to the sockets that
 * joined its group. Nothing is made while nobody listens. */
#include "rtnetlink.h"

#define NEIGH_SIZE 256 /* of a message about one; they come in numbers */

/* False: nobody listens, or there is no memory: as with a full buffer listeners are told that they
 * have missed something. */
static bool event_begin(struct nl_out *o, u32 group, u32 size)
{
	if (!netlink_has_listeners(&rtnetlink_proto, group))
		return false;
	if (nl_out_init(o, PKT_POOL_CONTROL, size))
		return true;
	netlink_missed(&rtnetlink_proto, group);
	return false;
}

static bool event_init(struct nl_out *o, u32 group)
{
	return event_begin(o, group, NL_PART_SIZE);
}

static void event_send(struct nl_out *o, u32 group)
{
	nl_end(o);
	netlink_broadcast(&rtnetlink_proto, o, group);
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

static void prefix_heard(struct ip_watcher *w, const struct ip_prefix_option *p)
{
	struct prefixmsg body = {
		.prefix_family = p->af,
		.prefix_ifindex = p->nif->index,
		.prefix_type = p->type,
		.prefix_len = p->plen,
		.prefix_flags = (p->on_link ? IF_PREFIX_ONLINK : 0) |
				(p->autonomous ? IF_PREFIX_AUTOCONF : 0),
	};
	struct prefix_cacheinfo info = { p->preferred, p->valid };
	struct nl_out o;

	if (!event_init(&o, RTNLGRP_IPV6_PREFIX))
		return;
	nl_begin(&o, RTM_NEWPREFIX, &body, sizeof(body));
	nl_put_addr(&o, PREFIX_ADDRESS, &p->prefix, p->af);
	nl_put(&o, PREFIX_CACHEINFO, &info, sizeof(info));
	event_send(&o, RTNLGRP_IPV6_PREFIX);
}

/* In poll context. */
static void neigh_changed(struct neigh_watcher *w, const struct neigh_info *i, bool gone)
{
	struct nl_out o;

	if (!event_begin(&o, RTNLGRP_NEIGH, NEIGH_SIZE))
		return;
	neigh_message(&o, i, gone ? RTM_DELNEIGH : RTM_NEWNEIGH);
	event_send(&o, RTNLGRP_NEIGH);
}

static struct netif_watcher netif_watcher = { .name = "rtnetlink", .event = netif_changed };
static struct ip_watcher ip_watcher = {
	.name = "rtnetlink",
	.addr = addr_changed,
	.route = route_changed_event,
	.option = option_heard,
	.prefix = prefix_heard,
};

static struct neigh_watcher neigh_watcher = { .name = "rtnetlink", .event = neigh_changed };

void events_init(void)
{
	netif_watch(&netif_watcher);
	ip_watch(&ip_watcher);
	neigh_watch(&neigh_watcher);
}

void events_exit(void)
{
	neigh_unwatch(&neigh_watcher);
	ip_unwatch(&ip_watcher);
	netif_unwatch(&netif_watcher);
}
