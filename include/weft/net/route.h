/* SPDX-License-Identifier: MIT */
/* route.h - one longest-prefix table for every family. Local and broadcast addresses are routes
 * in it too, so one look-up tells what a destination is. Changes under netif_lock; look-ups
 * under RCU. A route over an interface that is down or absent stays, unseen and unused, until
 * it is up again. */
#pragma once

#include <weft/net/addr.h>
#include <weft/net/netif.h>

enum route_type {
	ROUTE_LOCAL, /* an address of this host; before all others of its prefix */
	ROUTE_BROADCAST,
	ROUTE_UNICAST,
	ROUTE_REJECT,	 /* -EHOSTUNREACH, with an ICMP error */
	ROUTE_BLACKHOLE, /* silence */
};

/* Linux's RTF_* as /proc/net/route and SIOCADDRT have them. */
#define RTF_UP 0x1
#define RTF_GATEWAY 0x2
#define RTF_HOST 0x4
#define RTF_DYNAMIC 0x10
#define RTF_REJECT 0x200
/* /proc/net/ipv6_route has more */
#define RTF_DEFAULT 0x10000
#define RTF_ADDRCONF 0x40000 /* from a router's advertisement */
#define RTF_PREFIX 0x80000
#define RTF_ANYCAST 0x100000
#define RTF_NONEXTHOP 0x200000
#define RTF_EXPIRES 0x400000
#define RTF_ROUTEINFO 0x800000
#define RTF_LOCAL 0x80000000u

struct route {
	struct hlist_node hash;
	struct list_head node; /* all routes, newest last */
	struct rcu_head rcu;
	struct ip_addr prefix;
	struct ip_addr gateway; /* any: on link */
	struct ip_addr source;	/* preferred source, any: choose */
	struct ip_addr with;	/* of those that came with an address: it */
	struct netif *nif;	/* referenced; NULL for reject and blackhole */
	u32 metric;
	u32 mtu;   /* 0: the interface's */
	u32 flags; /* RTF_* */
	u16 af;
	u8 plen;
	u8 type;       /* enum route_type */
	u8 protocol;   /* Linux's RTPROT_*, who added it; shown only, 0: not told */
	s8 preference; /* RFC 4191: 1 high, 0 medium, -1 low; among those of one metric */
	u64 expires;   /* ktime at which it goes, 0: never */
	u64 demoted;   /* ktime since which its gateway does not answer, 0: it does, see below */
	bool kernel;   /* came with an address or an interface and leaves with it */
	bool restored; /* was unseen and is back: adding it again is no error */
};

/* Under netif_lock; spec is copied (hash, node, rcu ignored). add: -EEXIST the same prefix,
 * metric, type and next hop are there, -ENETUNREACH the gateway is not on a link, -EINVAL,
 * -ENOMEM, -ENOBUFS beyond the bound. del: the first that matches all that spec gives (nif,
 * gateway, metric when not 0); -ESRCH. */
int route_add(const struct route *spec);
int route_del(const struct route *spec);
/* As route_add, but what is there already gets spec's preference, expiry and flags. */
int route_set(const struct route *spec);
void route_flush_nif(struct netif *nif, u16 af); /* af 0: every family's */
/* Takes away those of af that match, unseen ones too. */
void route_purge(u16 af, bool (*match)(const struct route *r, const void *arg), const void *arg);
/* Bumped by whatever changes what a look-up may answer, so that cached answers expire. */
extern u32 route_generation;
void route_changed(void);
/* The routes over gateway come after all others of their prefixes (RFC 4861 6.3.6), those demoted
 * longest ago first; 0: they are as good as any again. Under netif_lock. */
void route_demote(const struct netif *nif, const struct ip_addr *gateway, u64 since);
/* Calls fn for each route of af that is in use, in table order; under netif_lock. */
void route_for_each(u16 af, void (*fn)(const struct route *r, void *arg), void *arg);
/* Those to one prefix, the newest first. */
void route_for_each_to(u16 af, const struct ip_addr *prefix, u32 plen,
		       void (*fn)(const struct route *r, void *arg), void *arg);

struct route_result {
	u8 type; /* enum route_type */
	u8 plen;
	bool gatewayed;
	/* to send through; lo for local; valid within the RCU section */
	struct netif *nif;
	struct netif *addr_nif;	 /* for local: the interface that has the address */
	struct ip_addr next_hop; /* the gateway, or dst itself */
	struct ip_addr source;	 /* preferred, or any */
	u32 mtu;
};
/* The best usable route to dst, only over oif when that is not 0. 0, -ENETUNREACH none,
 * -EHOSTUNREACH reject route, -EINVAL blackhole. Under RCU (poll context is). */
int route_lookup(const struct ip_addr *dst, u32 oif, struct route_result *res);
/* Is dst ROUTE_LOCAL, ROUTE_BROADCAST or anything else (ROUTE_UNICAST)? For input. Under RCU. */
enum route_type route_classify(const struct ip_addr *dst);

/* ---- watchers ---- */
struct ifaddr;

/* What a router said that user space is to act on (RFC 8106): an option as it was on the wire. */
struct ip_user_option {
	const struct netif *nif;
	struct ip_addr from;
	u16 af;
	u8 icmp_type, icmp_code;
	const u8 *data;
	u32 len;
};
/* What a router said of a prefix (RFC 4861 4.6.2), lifetimes in seconds. */
struct ip_prefix_option {
	const struct netif *nif;
	struct ip_addr prefix;
	u16 af;
	u8 type, plen; /* type: the option's */
	bool on_link, autonomous;
	u32 preferred, valid;
};
/* Tell watchers. Under netif_lock. */
void ip_notify_option(const struct ip_user_option *o);
void ip_notify_prefix(const struct ip_prefix_option *o);

/* Each address (when it changes, again) and each route that comes or goes, once, in process context
 * with netif_lock held: it is in its table at the call. Unset: not told. A new watcher hears
 * nothing of what is there. After unwatch nobody is inside. Both without netif_lock. */
struct ip_watcher {
	const char *name;
	void (*addr)(struct ip_watcher *w, const struct ifaddr *a, bool added);
	void (*route)(struct ip_watcher *w, const struct route *r, bool added);
	void (*option)(struct ip_watcher *w, const struct ip_user_option *o);
	void (*prefix)(struct ip_watcher *w, const struct ip_prefix_option *o);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};
void ip_watch_owner(struct ip_watcher *w, struct module *owner);
void ip_unwatch(struct ip_watcher *w);
#define ip_watch(w) ip_watch_owner(w, THIS_MODULE)
