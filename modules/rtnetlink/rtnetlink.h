/* SPDX-License-Identifier: MIT */
/* rtnetlink.h - NETLINK_ROUTE on one side, the tables of the IP core on the other: which handler
 * reads and changes each of them, and the messages that tell of their entries. */
#pragma once

#define LOG_NAME "rtnetlink: "

#include <weft/net/ifaddr.h>
#include <weft/net/neigh.h>
#include <weft/net/netif.h>
#include <weft/net/netlink.h>
#include <weft/net/route.h>
#include <weft/printk.h>
#include <weft/string.h>

/* ---- main.c ---- */
extern struct netlink_proto rtnetlink_proto;

/* ---- request.c ---- */
const struct nl_handler *rtnetlink_find(const struct nl_request *rq, u32 len, int *err);

/* ---- link.c, addr.c, route.c, neigh.c, addrlabel.c ---- */
extern const struct nl_handler link_get, link_set, link_del, addr_get, addr_new, addr_del,
	route_get, route_new, route_delete, neigh_get, neigh_new, neigh_delete, label_get,
	label_new, label_delete;
void link_message(struct nl_out *o, struct netif *nif, u16 type);
void addr_message(struct nl_out *o, const struct ifaddr *a, u16 type);
void route_message(struct nl_out *o, const struct route *r, u16 type);
void neigh_message(struct nl_out *o, const struct neigh_info *i, u16 type);

/* ---- event.c ---- */
void events_init(void);
void events_exit(void);
