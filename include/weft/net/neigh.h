/* SPDX-License-Identifier: MIT */
/* neigh.h - who on this link owns an address. The states are RFC 4861 7.3.2's, for ARP as well; ARP
 * and NDP only supply the question and report answers. Entries hold waiters and at most one parked
 * datagram, never queues. The table is bounded for each family, and those without an answer apart
 * (RFC 6583 6.1): who scans a link cannot push out the neighbours in use. Of the others the least
 * recently used makes room. */
#pragma once

#include <weft/net/addr.h>
#include <weft/net/flow.h>
#include <weft/net/netif.h>

enum neigh_state {
	NEIGH_INCOMPLETE, /* asked, no answer yet */
	NEIGH_REACHABLE,  /* confirmed a short while ago */
	NEIGH_STALE,	  /* known, to be checked when used */
	NEIGH_DELAY,	  /* used; waiting for an upper layer to confirm */
	NEIGH_PROBE,	  /* being asked by unicast */
	NEIGH_FAILED,	  /* did not answer: -EHOSTUNREACH for a moment */
	NEIGH_PERMANENT,  /* the user said so */
};

struct neigh {
	/* fixed once in the table */
	struct netif *nif; /* referenced */
	struct ip_addr addr;
	u32 id; /* never given twice in 2^32 */
	u32 slot;
	u16 af, ethertype;
	struct hlist_node hash;
	struct rcu_head rcu;
	/* guarded by lock */
	struct spinlock lock;
	u8 state; /* read without it */
	u8 probes;
	bool dead;	 /* out of the table */
	bool router;	 /* RFC 4861's IsRouter */
	bool unresolved; /* no link address known, and counted as such */
	bool own;	 /* this host itself has something to send to it; read without lock */
	bool told;	 /* watchers have heard of it */
	u8 hw[LINK_ADDR_MAX];
	u64 deadline; /* ktime of the next step, 0: none */
	u64 confirmed, updated;
	struct ip_addr asker; /* the address of ours that last had something to send to it */
	struct pkt *parked;
	struct list_head waiters; /* see flow.h */
	/* a sequence lock of its own: odd while being written */
	u32 header_seq;
	u8 header[LINK_HEADER_MAX]; /* the link header to it */
	/* plain words */
	u64 used;		 /* last look-up, for LRU */
	struct neigh *next_gone; /* the table's: of those that have just left */
};

/* ---- resolvers ---- */
struct neigh_params {	       /* all settable under /proc/sys/<sysctl_dir>/ */
	int base_reachable_ms; /* 30000; the real time is 0.5..1.5 of it, RFC 4861 6.3.2 */
	int retrans_ms;	       /* 1000 */
	int delay_first_s;     /* 5 */
	int mcast_probes;      /* 3 */
	int ucast_probes;      /* 3 */
	/* 0: one that no longer answers is given up at once. Else it stays in use while it is
	 * asked for this often by multicast, at growing intervals (RFC 7048) */
	int mcast_resolicit;
	int stale_s;		    /* 60: unused stale entries go after it when above gc_thresh1 */
	int gc_thresh1, gc_thresh3; /* 128 kept anyway, 1024 at most */
	int unresolved_max;	    /* 256 of them may be without an answer */
	int solicit_per_s;	    /* 500 multicast questions for this host, and for others each */
	int park_bytes;		    /* 64 KiB: all parked datagrams of the family together */
};

struct neigh_resolver {
	u16 af;
	const char *name;
	const char *sysctl_dir; /* "net/ipv4/neigh/default", NULL: none */
	/* Asks who owns target. hw NULL: by broadcast or multicast; else that station only.
	 * hint: a source address of ours that the asker uses, or NULL: any of nif's. Poll or
	 * process context, no locks of the cache held; sends by itself. */
	void (*solicit)(struct netif *nif, const struct ip_addr *target, const u8 *hw,
			const struct ip_addr *hint);
	/* NEIGH_REACHABLE: a router (NEIGH_UPDATE_ROUTER) that was not is reachable now;
	 * NEIGH_FAILED: a neighbour, router or not, does not answer. router false: it just said
	 * that it is none any more. Poll or process context, under RCU, no locks of the cache held.
	 * Default: none. */
	void (*router_event)(struct netif *nif, const struct ip_addr *addr, u8 state, bool router);
	/* What holds on nif instead of base_reachable_ms and retrans_ms (RFC 4861 6.3.2): changes
	 * them. Under RCU with locks of the cache held: only looks. Default: none. */
	void (*times)(const struct netif *nif, u32 *reachable_ms, u32 *retrans_ms);
	/* A user wants addr answered for on nif, or no more. Under netif_lock; an error of the
	 * first is the user's, and then there is no second. Default: -EOPNOTSUPP. */
	int (*proxied)(struct netif *nif, const struct ip_addr *addr, bool on);
	struct neigh_params params; /* zero fields get the defaults above at registration */
	struct module *owner;
	struct ledger_entry ledger;
	void *priv; /* the cache's: its sysctls */
};
int neigh_resolver_register_owner(struct neigh_resolver *r, struct module *owner);
/* After it nobody is inside solicit; the family's entries are gone, waiters woken. */
void neigh_resolver_unregister(struct neigh_resolver *r);
#define neigh_resolver_register(r) neigh_resolver_register_owner(r, THIS_MODULE)

/* ---- what resolvers report. Poll or process context ---- */
#define NEIGH_UPDATE_CREATE BIT(0)   /* make an entry if there is none (else only refresh one) */
#define NEIGH_UPDATE_CONFIRM BIT(1)  /* an answer to our question: REACHABLE; without it STALE */
#define NEIGH_UPDATE_OVERRIDE BIT(2) /* may replace a known, different address */
#define NEIGH_UPDATE_ROUTER BIT(3)   /* it is a router */
#define NEIGH_UPDATE_KNOWS_ROUTER BIT(4) /* NEIGH_UPDATE_ROUTER's absence means something */
/* hw NULL: the answer told none, what is known stands. 0; -ENOENT nothing to refresh, -EPERM the
 * entry is permanent, -EEXIST without OVERRIDE another address is known, -ENOBUFS table full of
 * permanent entries, -EINVAL not a station's address. */
int neigh_update(struct netif *nif, const struct ip_addr *addr, const u8 *hw, u32 flags);

/* ---- users' entries (SIOCSARP and its like). Process context, under netif_lock ---- */
int neigh_set(struct netif *nif, const struct ip_addr *addr, const u8 *hw, bool permanent);
int neigh_del(struct netif *nif, const struct ip_addr *addr); /* -ENXIO: not there */
struct neigh_info {
	struct ip_addr addr;
	u32 ifindex;
	char ifname[IFNAMSIZ];
	u16 link_type; /* ARPHRD_* */
	u8 state;
	bool router;
	u8 hw[LINK_ADDR_MAX];
	u8 hw_len;
	u64 used, confirmed, updated; /* ktime ns */
};
/* -ENXIO */
int neigh_get_info(struct netif *nif, const struct ip_addr *addr, struct neigh_info *out);
/* Calls fn with a snapshot of each entry of af (0: all). May sleep in fn. Process context. */
int neigh_for_each(u16 af, void (*fn)(const struct neigh_info *i, void *arg), void *arg);

/* ---- for whom else this host answers. Under netif_lock ---- */
/* One that is there is changed. -EOPNOTSUPP, -EINVAL, -ENOMEM, -ENOBUFS beyond the bound. */
int neigh_proxy_add(struct netif *nif, const struct ip_addr *addr, bool router);
int neigh_proxy_del(struct netif *nif, const struct ip_addr *addr); /* -ENOENT */
/* router NULL, or whether it is one. Under RCU or netif_lock. */
bool neigh_proxy_find(const struct netif *nif, const struct ip_addr *addr, bool *router);
void neigh_proxy_for_each(void (*fn)(const struct netif *nif, const struct ip_addr *addr,
				     bool router, void *arg),
			  void *arg);

/* ---- watchers ---- */
/* An entry has another state, link address or role, or has left. What only goes on between this
 * host and its cache is not told, as on Linux: that it begins to ask, or that an entry is in use
 * again. Poll or process context, under RCU, without locks of the cache, but not in order where two
 * CPUs are at it: i says how it is. */
struct neigh_watcher {
	const char *name;
	void (*event)(struct neigh_watcher *w, const struct neigh_info *i, bool gone);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};
/* Both without netif_lock. After unwatch nobody is inside. */
void neigh_watch_owner(struct neigh_watcher *w, struct module *owner);
void neigh_unwatch(struct neigh_watcher *w);
#define neigh_watch(w) neigh_watch_owner(w, THIS_MODULE)

static inline bool neigh_has_address(u8 state)
{
	return state != NEIGH_INCOMPLETE && state != NEIGH_FAILED;
}
const char *neigh_state_name(u8 state);

/* ---- for the send path ---- */
/* Puts the link header for next_hop in front and sends. kind says whether next_hop is one station
 * (IP_KIND_UNICAST: asks the cache), a group or everybody. A packet to a neighbour not yet known is
 * parked (one a neighbour). hint as in solicit. Consumes; 0, -EHOSTUNREACH, -ENOBUFS, -ENETDOWN. */
int neigh_output(struct netif *nif, u16 ethertype, const struct ip_addr *next_hop,
		 enum ip_kind kind, const struct ip_addr *hint, struct pkt *p);
/* An upper layer saw progress over this flow (RFC 4861 7.3.1): its next hop is reachable. Cheap. */
void neigh_confirm(const struct flow *f);
/* Forgets all of nif, permanent ones too when all is set. */
void neigh_flush_nif(struct netif *nif, bool all);
