/* SPDX-License-Identifier: MIT */
/* main.c - rtnetlink: interfaces, addresses, routes and neighbours over AF_NETLINK sockets, for
 * ip(8) and the C library. It reads and changes the IP core's tables by the functions that
 * everybody has, and knows no address family, so what IPv6 registers shows here by itself. */
#include "rtnetlink.h"

#include <weft/module.h>

struct netlink_proto rtnetlink_proto = {
	.number = NETLINK_ROUTE,
	.name = "route",
	.nr_groups = RTNLGRP_MAX,
	.generation = &route_generation,
	.find = rtnetlink_find,
};

static int __init rtnetlink_init(void)
{
	int err;

	events_init();
	err = netlink_register(&rtnetlink_proto);
	if (err)
		events_exit();
	return err;
}

static void __exit rtnetlink_exit(void)
{
	netlink_unregister(&rtnetlink_proto);
	events_exit();
}

module_entry_points(rtnetlink_init, rtnetlink_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION(
	"rtnetlink: interfaces, addresses, routes, neighbours for ip(8) and the C library");
MODULE_ALIAS("net-pf-16-proto-0");
