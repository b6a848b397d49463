/* SPDX-License-Identifier: MIT */
/* main.c - sock_diag (sock_diag(7)): what sockets there are and how they do, for ss(8), which may
 * also end them. A request names a family; those of IP name a transport too. */
#include "sock_diag.h"

#include <weft/sched.h>

static const struct nl_handler *show_of(u8 family, int *err)
{
	switch (family) {
	case AF_INET:
	case AF_INET6:
		return &inet_show;
	case AF_UNIX:
		return &unix_show;
	case AF_PACKET:
		return &packet_show;
	case AF_NETLINK:
		return &netlink_show_all;
	}
	*err = family < AF_MAX ? -ENOENT : -EINVAL;
	return NULL;
}

static const struct nl_handler *destroy_of(u8 family, int *err)
{
	if (family == AF_INET || family == AF_INET6) {
		*err = -EPERM;
		return require_root() ? NULL : &inet_destroy;
	}
	if (show_of(family, err))
		*err = -EOPNOTSUPP;
	return NULL;
}

static const struct nl_handler *find(const struct nl_request *rq, u32 len, int *err)
{
	*err = -EINVAL;
	if (len < sizeof(struct sock_diag_req))
		return NULL;
	switch (rq->h.nlmsg_type) {
	case SOCK_DIAG_BY_FAMILY:
		return show_of(rq->body[0], err);
	case SOCK_DESTROY:
		return destroy_of(rq->body[0], err);
	case TCPDIAG_GETSOCK:
	case DCCPDIAG_GETSOCK:
		/* of Linux before 3.3; ss asks so for what has no table, and then reads /proc */
		*err = -EOPNOTSUPP;
	}
	return NULL;
}

static struct netlink_proto proto = {
	.number = NETLINK_SOCK_DIAG,
	.name = "sock_diag",
	.nr_groups = SKNLGRP_MAX,
	.find = find,
};

static int __init sock_diag_init(void)
{
	return netlink_register(&proto);
}

static void __exit sock_diag_exit(void)
{
	netlink_unregister(&proto);
}

module_entry_points(sock_diag_init, sock_diag_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("sock_diag: what sockets there are, for ss(8)");
MODULE_ALIAS("net-pf-16-proto-4");
