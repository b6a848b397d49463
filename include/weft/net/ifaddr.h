/* SPDX-License-Identifier: MIT */
/* ifaddr.h - the IP addresses and the multicast groups of an interface. Both lists live in the
 * interface, are changed under netif_lock and read under RCU. An address brings its local, its
 * broadcast and its connected route along. */
#pragma once

#include <weft/net/addr.h>
#include <weft/net/netif.h>

#define IFADDR_TENTATIVE BIT(0) /* being checked for duplicates: not a source, not answered for */
/* a further address in a prefix that has one: not a default source */
#define IFADDR_SECONDARY BIT(1)
#define IFADDR_DEPRECATED BIT(2)
#define IFADDR_PERMANENT BIT(3)

struct ifaddr {
	struct list_head node;	/* in nif->addrs */
	struct hlist_node hash; /* by address, for ifaddr_find */
	struct rcu_head rcu;
	struct netif *nif;
	u16 af;
	u8 plen;
	u8 scope;  /* RT_SCOPE numbers: 0 global, 253 link, 254 host */
	u32 flags; /* IFADDR_* */
	struct ip_addr addr;
	struct ip_addr peer;	  /* point-to-point: the other end; else equal to addr */
	struct ip_addr broadcast; /* any: none */
	char label[IFNAMSIZ];	  /* "eth0", alias "eth0:1" */
};

/* Under RCU or netif_lock. nif NULL: any present interface. */
struct ifaddr *ifaddr_find(const struct netif *nif, const struct ip_addr *addr);
/* The first address of a family on nif (NULL: none); by label for aliases. */
struct ifaddr *ifaddr_first(const struct netif *nif, u16 af);
struct ifaddr *ifaddr_by_label(const struct netif *nif, u16 af, const char *label);
#define ifaddr_for_each(a, nif) list_for_each_entry(a, &(nif)->addrs, node)

/* Under netif_lock. want's nif, af, plen, addr, peer, broadcast, label, flags count; it is
 * copied. The family may refuse (-EINVAL), -EEXIST, -ENOMEM, -EAFNOSUPPORT without a family,
 * -ENOBUFS beyond the bound of addresses an interface. */
int ifaddr_add(const struct ifaddr *want);
void ifaddr_del(struct ifaddr *a);

/* A multicast group that this host has joined on an interface (RFC 1112, RFC 2710). */
struct ip_group {
	struct list_head node; /* in nif->groups */
	struct rcu_head rcu;
	struct ip_addr group;
	u32 users;
	void *priv;  /* the group protocol's (IGMP, MLD) */
	u64 when_ns; /* likewise: its report timer */
};
/* counted; -ENOMEM, -EINVAL */
int ip_group_join(struct netif *nif, const struct ip_addr *group);
int ip_group_leave(struct netif *nif, const struct ip_addr *group); /* -EADDRNOTAVAIL */
struct ip_group *ip_group_find(const struct netif *nif, const struct ip_addr *group); /* RCU */
