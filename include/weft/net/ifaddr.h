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
#define IFADDR_OPTIMISTIC BIT(4)    /* RFC 4429: in use while it is being checked */
#define IFADDR_DADFAILED BIT(5)	    /* somebody else has it: never used */
#define IFADDR_TEMPORARY BIT(6)	    /* RFC 8981 */
#define IFADDR_NOPREFIXROUTE BIT(7) /* being in the prefix does not make it on-link (RFC 5942) */
#define IFADDR_AUTOCONF BIT(8)	    /* the family made it and takes it away */
#define IFADDR_NODAD BIT(9)	    /* not to be checked for duplicates */
#define IFADDR_JOINED BIT(10)	    /* the family listens to the group that goes with it */

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
	u64 defended_at;	  /* the family's: ktime of the last answer to a rival, 0: none */
	/* ktime, 0: for ever. After the first it is IFADDR_DEPRECATED, after the second it goes. */
	u64 preferred_until, valid_until;
	u64 created, updated; /* ktime */
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
/* New flags and lifetimes for a. IFADDR_DEPRECATED follows from the latter. While an address is
 * tentative (and not optimistic) or failed it is none of this host's: no local route. */
void ifaddr_change(struct ifaddr *a, u32 flags, u64 preferred_until, u64 valid_until);

/* ---- multicast groups (RFC 1112, RFC 2710) ---- */

/* What of a group's traffic a member wants (RFC 3376 2): only what comes from these sources, or all
 * but that. */
struct ip_filter {
	struct rcu_head rcu;
	u8 mode; /* MCAST_INCLUDE, MCAST_EXCLUDE */
	u32 nr;
	struct ip_addr source[];
};
extern const struct ip_filter ip_filter_any; /* everything: EXCLUDE {} */
static inline bool ip_filter_has(const struct ip_filter *f, const struct ip_addr *source)
{
	for (u32 i = 0; i < f->nr; i++) {
		if (ip_addr_eq(&f->source[i], source))
			return true;
	}
	return false;
}

/* A source that some member's filter names; guarded by netif_lock. */
struct ip_source {
	struct list_head node; /* in the group's sources */
	struct ip_addr addr;
	u32 users[2]; /* members that name it, by their filter's mode */
};

/* A group that this host has joined on an interface, with all members' filters merged. */
struct ip_group {
	struct list_head node; /* in nif->groups: netif_lock to change, RCU to read */
	struct rcu_head rcu;
	struct ip_addr group;
	/* guarded by netif_lock */
	u32 users, excluders; /* members; those of them whose filter is EXCLUDE */
	struct list_head sources;
	u32 nr_sources;
};
/* RFC 3376 3.2, the merged filter: its mode, and whether it lists s. */
static inline u8 ip_group_mode(const struct ip_group *g)
{
	return g->excluders ? MCAST_EXCLUDE : MCAST_INCLUDE;
}
static inline bool ip_group_lists(const struct ip_group *g, const struct ip_source *s)
{
	if (!g->excluders)
		return s->users[MCAST_INCLUDE];
	return s->users[MCAST_EXCLUDE] == g->excluders && !s->users[MCAST_INCLUDE];
}

/* All under netif_lock. A member's filter becomes another one; from NULL: it joins; to NULL: it
 * leaves, which cannot fail. -EADDRNOTAVAIL, -EINVAL, -ENODEV, -ENOMEM, -ENOBUFS. */
int ip_group_change(struct netif *nif, const struct ip_addr *group, const struct ip_filter *from,
		    const struct ip_filter *to);
/* The same for members that want everything. */
static inline int ip_group_join(struct netif *nif, const struct ip_addr *group)
{
	return ip_group_change(nif, group, NULL, &ip_filter_any);
}
static inline int ip_group_leave(struct netif *nif, const struct ip_addr *group)
{
	return ip_group_change(nif, group, &ip_filter_any, NULL);
}
struct ip_group *ip_group_find(const struct netif *nif, const struct ip_addr *group); /* RCU */
