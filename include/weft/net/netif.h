/* SPDX-License-Identifier: MIT */
/* netif.h - interfaces. A struct netif belongs to the IP core and outlives its driver: a driver
 * attaches to one and detaches from it, and what users gave it (index, name, addresses, routes,
 * counters) waits for the next driver with the same hardware address.
 *
 * Configuration (attach, up, addresses, routes, MTU) changes under netif_lock, a sleeping lock; the
 * packet paths read under RCU. Poll context counts as an RCU reader. */
#pragma once

#include <weft/alloc.h>
#include <weft/mutex.h>
#include <weft/net/drop.h>
#include <weft/net/link.h>
#include <weft/rcu.h>
#include <weft/spinlock.h>
#include <weft/work.h>

struct netif;
struct seq;

/* Linux's sixteen of /proc/net/dev; one set per CPU, summed when read. */
struct netif_stats {
	u64 rx_bytes, rx_packets, rx_errors, rx_dropped, rx_fifo, rx_frame, rx_compressed,
		rx_multicast;
	u64 tx_bytes, tx_packets, tx_errors, tx_dropped, tx_fifo, tx_collisions, tx_carrier,
		tx_compressed;
};

/* What a driver's hardware does. */
#define NETIF_F_TX_CSUM BIT(0) /* fills PKT_CSUM_FILL at any offset */
#define NETIF_F_RX_CSUM BIT(1) /* marks verified packets PKT_CSUM_OK */
/* Cuts PKT_GSO_TCP4 packets of up to 64 KiB; has TX_CSUM too. xmit sees gso_size only on packets of
 * at least two segments, and may change their headers when pkt_writable says so. */
#define NETIF_F_TSO4 BIT(2)
#define NETIF_F_TSO6 BIT(3)
#define NETIF_F_NO_TX_LOCK BIT(4) /* xmit may run on several CPUs at once: it locks itself */

/* All with netif_lock held, in process context, unless said; optional ones have defaults. */
struct netif_ops {
	/* starts rings and interrupts; errno keeps it down */
	int (*open)(struct netif *nif);
	void (*stop)(struct netif *nif); /* after it the driver calls netif_rx no more */
	/* Sends one frame, link header in front. Consumes p whatever it returns. Poll or
	 * process context under the interface's tx_lock; does not sleep. -ENOBUFS: the ring was
	 * full (freed; the core counts). A driver whose ring just became full calls
	 * netif_tx_stop, and netif_tx_wake once there is room. While batch_open() it leaves
	 * its doorbell to a batch_end_add(). */
	int (*xmit)(struct netif *nif, struct pkt *p);
	/* nif->flags (IFF_PROMISC, IFF_ALLMULTI) or the multicast list changed; while up.
	 * Default: none. */
	void (*rx_mode)(struct netif *nif);
	/* While down. The core stores the address after 0. Default: stored only. */
	int (*set_mac)(struct netif *nif, const u8 *mac);
	/* Bounds are checked before. The core stores it after 0. Default: stored only. */
	int (*set_mtu)(struct netif *nif, u32 mtu);
	/* Adds what only the hardware counted. Default: nothing. */
	void (*stats)(struct netif *nif, struct netif_stats *s);
};

struct netif_driver {
	const char *name; /* for people: "e1000" */
	struct netif_ops ops;
	u16 type;	      /* ARPHRD_* of its link */
	u32 features;	      /* NETIF_F_* */
	u32 if_flags;	      /* further IFF_* to start with */
	u32 min_mtu, max_mtu; /* 0: the link type's */
	u32 headroom;	      /* bytes xmit wants to push in front of the frame */
	u32 tso6_segments;    /* that it cuts a packet into at most, 0: any number */
};

/* One entry of the link-level multicast filter; guarded by netif_lock. */
struct netif_mcast {
	struct list_head node;
	u8 addr[LINK_ADDR_MAX];
	u32 users;
};

struct ip_waiter;

struct netif {
	/* fixed once made */
	u32 index; /* 1.., never given twice */
	u16 type;  /* ARPHRD_* */
	struct refcount refs;
	struct netif_stats *stats; /* per CPU, summed when read */
	struct rcu_head rcu;
	struct hlist_node hash; /* by index, RCU */
	char pattern[IFNAMSIZ]; /* the name as the driver asked for it: "eth%d" */

	/* written under netif_lock, read under RCU */
	char name[IFNAMSIZ];
	u32 flags; /* IFF_*: IFF_UP says that open succeeded */
	u32 mtu, min_mtu, max_mtu;
	u32 features;
	u32 headroom; /* link header and the driver's own, rounded up */
	u8 mac[LINK_ADDR_MAX];
	const struct link_type *link;	   /* never NULL: a sink while its module is away */
	const struct netif_driver *driver; /* NULL: absent */
	void *priv;			   /* the driver's */
	bool carrier;		 /* written by netif_carrier in any context but interrupt */
	struct list_head addrs;	 /* of struct ifaddr, in the order they were added */
	struct list_head groups; /* of struct ip_group: multicast groups joined */

	/* guarded by netif_lock */
	struct list_head node;		   /* all interfaces, by index */
	struct list_head mcast;		   /* of struct netif_mcast */
	u32 user_flags;			   /* IFF_PROMISC, IFF_ALLMULTI as the user set them */
	u32 promisc_users, allmulti_users; /* sockets that asked, beside the user */
	bool announced_carrier;		   /* what watchers know */
	u32 txqlen;			   /* shown only */
	struct module *owner;		   /* the driver's */
	struct module_ref link_ref;	   /* its link type, held while up */
	struct ledger_entry ledger;
	struct work carrier_work;
	void *sysfs;  /* the core's files under /sys/class/net/NAME */
	bool leaving; /* its driver is: it goes down for that reason, not by a user's wish */

	/* guarded by tx_lock */
	struct spinlock tx_lock;
	bool tx_full;		     /* read without it by ip_reserve */
	struct list_head tx_waiters; /* guarded by the waiters' own lock, see flow.h */
};

/* ---- for drivers ---- */
/* Makes an interface for this hardware, or takes over the parked one with the same address
 * (then name and index are the old ones). name may contain one %d; only a parked interface that
 * was made with the same name pattern is taken over. mac has the link type's addr_len bytes. It
 * starts down and with carrier. ERR_PTR: -EEXIST name taken, -EPROTONOSUPPORT link type not
 * loaded, -EINVAL bad address or name, -ENOMEM. Process context, without netif_lock. */
struct netif *netif_attach_owner(const struct netif_driver *d, void *priv, const u8 *mac,
				 const char *name, struct module *owner);
#define netif_attach(d, priv, mac, name) netif_attach_owner(d, priv, mac, name, THIS_MODULE)
/* Takes the interface down if need be and parks it. After it returned nobody is inside the ops and
 * the netif is not the driver's to touch. Process context, without netif_lock. */
void netif_detach(struct netif *nif);

/* A received frame, data at its link header. Consumes. p->csum says what the device verified. Poll
 * context. */
void netif_rx(struct netif *nif, struct pkt *p);
/* The link came or went. Any context but interrupt; watchers hear of it later. */
void netif_carrier(struct netif *nif, bool on);
/* The transmit ring is full / has room again (wakes those who wait for it). Poll or process
 * context; stop is called under tx_lock, from xmit; wake without it. */
void netif_tx_stop(struct netif *nif);
void netif_tx_wake(struct netif *nif);
/* Makes the checksum of a packet with PKT_CSUM_FILL, which nobody else will: what a driver's device
 * cannot do for this frame, what is about to be cut into fragments. Any context. */
void netif_fill_checksum(struct pkt *p);
/* This CPU's counters; preemption off. */
static inline struct netif_stats *netif_stats_this(struct netif *nif)
{
	return percpu_this(nif->stats);
}

/* ---- for the layers above ---- */
/* Sends a finished frame: taps, checksum if the device cannot, counters, the driver. One with
 * gso_size set (see pkt.h) may be longer than the MTU: taps see it whole, then the device cuts it,
 * or this does. Consumes. 0, -ENETDOWN, -ENOBUFS, -EMSGSIZE. Poll or process context. */
int netif_tx(struct netif *nif, struct pkt *p);

void netif_lock(void);
void netif_unlock(void);
bool netif_is_locked(void); /* by the caller; for checks */

/* Present interfaces only (parked ones have no driver). Under RCU or netif_lock. */
struct netif *netif_by_index(u32 index);
struct netif *netif_by_name(const char *name);
/* Parked ones too. Under RCU or netif_lock. */
struct netif *netif_first(void);
struct netif *netif_next(struct netif *nif);
#define netif_for_each(nif) for ((nif) = netif_first(); (nif); (nif) = netif_next(nif))
struct netif *netif_get(struct netif *nif);
void netif_put(struct netif *nif);
struct netif *netif_loopback(void); /* always there while the IP core is */

static inline bool netif_present(const struct netif *nif)
{
	return READ_ONCE(nif->driver) != NULL;
}
static inline bool netif_is_up(const struct netif *nif)
{
	return READ_ONCE(nif->flags) & IFF_UP;
}
/* Usable for sending: up and with a link. */
static inline bool netif_running(const struct netif *nif)
{
	return netif_is_up(nif) && READ_ONCE(nif->carrier);
}
/* Does this interface ask for neighbours' addresses (`ifconfig -arp` switches it off)? */
static inline bool netif_resolves(const struct netif *nif)
{
	return (nif->link->flags & LINK_RESOLVES) &&
	       !(READ_ONCE(nif->flags) & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT));
}
/* As SIOCGIFFLAGS reports them: IFF_RUNNING and IFF_LOWER_UP computed. */
u32 netif_user_flags(const struct netif *nif);
void netif_stats_sum(struct netif *nif, struct netif_stats *s);

/* All under netif_lock. */
int netif_up(struct netif *nif);
void netif_down(struct netif *nif);
/* UP, PROMISC, ALLMULTI, NOARP as SIOCSIFFLAGS */
int netif_set_flags(struct netif *nif, u32 flags);
int netif_set_mtu(struct netif *nif, u32 mtu);
int netif_set_mac(struct netif *nif, const u8 *mac);
int netif_rename(struct netif *nif, const char *name);
void netif_promisc(struct netif *nif, int delta); /* +1 / -1 users */
void netif_allmulti(struct netif *nif, int delta);
int netif_mcast_add(struct netif *nif, const u8 *addr); /* counted; -ENOMEM */
void netif_mcast_del(struct netif *nif, const u8 *addr);

/* ---- watchers ---- */
enum netif_event {
	NETIF_COMING, /* attached: new, or its driver is back */
	NETIF_UP,
	NETIF_LINK,	  /* nif->announced_carrier changed */
	NETIF_ADDRESS,	  /* its hardware address changed */
	NETIF_IP_ADDRESS, /* an IP address was added or removed */
	NETIF_MTU,
	NETIF_RENAMED,
	NETIF_DOWN,
	NETIF_GONE, /* detached (parked) */
};

/* Each event reaches each watcher once, in the order it happened, in process context with
 * netif_lock held. A new watcher first hears COMING (and UP) of the interfaces there are. After
 * unregister nobody is inside. Both without netif_lock. */
struct netif_watcher {
	const char *name;
	void (*event)(struct netif_watcher *w, struct netif *nif, enum netif_event ev);
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};
void netif_watch_owner(struct netif_watcher *w, struct module *owner);
void netif_unwatch(struct netif_watcher *w);
#define netif_watch(w) netif_watch_owner(w, THIS_MODULE)

/* ---- taps ---- */
/* Sees every frame received (before the link type) and sent (before the driver), data at the
 * link header. Borrows p: takes pkt_get or a copy of what it keeps, changes nothing. Poll or
 * process context, under RCU. After untap nobody is inside (process context). */
struct netif_tap {
	u32 ifindex; /* 0: all */
	void (*frame)(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent);
	struct list_head node;
};
void netif_tap(struct netif_tap *t);
void netif_untap(struct netif_tap *t);
