/* SPDX-License-Identifier: MIT */
/* main.c - netlink (netlink(7)): sockets over which programs and kernel modules exchange messages.
 * What is said is a matter of protocols, which register here: a socket belongs to its protocol's
 * module, and this one stays as long as one of them is loaded. */
#include "internal.h"

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

static int __init netlink_init(void)
{
	int err = procfile_add(&file);

	if (err)
		return err;
	err = socket_family_register(&family);
	if (err)
		procfile_remove(&file);
	return err;
}

static void __exit netlink_exit(void)
{
	socket_family_unregister(&family);
	procfile_remove(&file);
}

module_entry_points(netlink_init, netlink_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Netlink sockets, for the protocols that speak over them");
MODULE_ALIAS("net-pf-16");
