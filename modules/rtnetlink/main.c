/* SPDX-License-Identifier: MIT */
/* main.c - rtnetlink: interfaces, addresses, routes and neighbours over AF_NETLINK sockets, for
 * ip(8) and the C library. It reads and changes the IP core's tables by the functions that
 * everybody has, and knows no address family, so what IPv6 registers shows here by itself. */
#include "netlink.h"

#include <weft/module.h>
#include <weft/seqfile.h>

static int show(struct seq *s)
{
	netlink_show(s);
	return 0;
}

static struct procfile file = { .path = "net/netlink", .mode = 0444, .show = show };
static struct socket_family family = {
	.family = AF_NETLINK,
	.name = "netlink",
	.create = netlink_create,
};

static int __init rtnetlink_init(void)
{
	int err = procfile_add(&file);

	if (err)
		return err;
	events_init();
	err = socket_family_register(&family);
	if (err) {
		events_exit();
		procfile_remove(&file);
	}
	return err;
}

static void __exit rtnetlink_exit(void)
{
	socket_family_unregister(&family);
	events_exit();
	procfile_remove(&file);
}

module_entry_points(rtnetlink_init, rtnetlink_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION(
	"rtnetlink: interfaces, addresses, routes, neighbours for ip(8) and the C library");
MODULE_ALIAS("net-pf-16");
