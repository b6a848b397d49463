/* SPDX-License-Identifier: MIT */
/* link.h - link types: how frames of one kind of hardware look. Registered by ARPHRD number and
 * looked up when an interface is attached; a NIC driver names the number only. Without its link
 * type an interface drops what it receives and cannot send. */
#pragma once

#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/net/addr.h>
#include <weft/pkt.h>

struct netif;

#define LINK_ADDR_MAX 8
#define LINK_HEADER_MAX 32

/* link_type.flags */
#define LINK_RESOLVES BIT(0) /* neighbours have addresses that must be asked for */

struct link_type {
	u16 type; /* ARPHRD_* */
	const char *name;
	u8 addr_len, header_len; /* bytes; at most LINK_ADDR_MAX, LINK_HEADER_MAX */
	/* IFF_BROADCAST, IFF_MULTICAST ... a new interface starts with */
	u32 if_flags;
	u32 flags;			   /* LINK_* */
	u32 default_mtu, min_mtu, max_mtu; /* a driver may narrow them */
	u8 broadcast[LINK_ADDR_MAX];

	/* A received frame, data at the link header. Sets p->pkttype, p->ethertype, pulls the
	 * header and hands it to net_input(); or drops it. Consumes. Poll context. */
	int (*input)(struct netif *nif, struct pkt *p);
	/* Writes header_len bytes at hdr. src NULL: the interface's address. Pure; any context. */
	void (*header)(const struct netif *nif, u8 *hdr, u16 ethertype, const u8 *dst,
		       const u8 *src);
	/* The link address of a multicast group. -EINVAL when the link has none. */
	int (*multicast)(const struct ip_addr *group, u8 *addr);
	/* May a station have this address? Default: any. */
	bool (*valid_addr)(const u8 *addr);

	/* the registry's */
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};

/* -EEXIST when the number is taken. Interfaces of the type start to work; after unregister
 * nobody is inside the callbacks and such interfaces drop. Process context. */
int link_type_register_owner(struct link_type *l, struct module *owner);
void link_type_unregister(struct link_type *l);
#define link_type_register(l) link_type_register_owner(l, THIS_MODULE)
