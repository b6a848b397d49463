/* SPDX-License-Identifier: MIT */
/* listener.h - what multicast routers on each link have been told of this host's groups, and what
 * is still to be said: the host's side of IGMP (RFC 9776) and of MLD (RFC 9777), which are one
 * machine with two packet formats. The IP core has the machine; a family's module brings its table
 * of numbers, reads queries and addresses packets.
 *
 * What members want stands in struct ip_group. Versions are IGMP's: 1 and 2 know members or none, 3
 * knows source filters; MLD's first version is 2 and its second is 3. */
#pragma once

#include <weft/net/flow.h>
#include <weft/net/ifaddr.h>
#include <weft/spinlock.h>
#include <weft/work.h>

#define LISTENER_OWN_MAX 2
#define LISTENER_ASKED_MAX 32 /* sources of one query; more: all of the group is told */

struct listener_source {
	struct ip_addr addr;
	u8 left; /* state-change reports that have still to name it */
	bool in; /* is in the filter now */
};

/* All guarded by the protocol's lock. Of a group that was left this stays until the routers have
 * been told often enough. */
struct listener_group {
	struct list_head node;
	struct ip_addr addr;
	bool member;
	u8 mode;	/* MCAST_INCLUDE, MCAST_EXCLUDE; what is not joined is INCLUDE {} */
	u8 mode_left;	/* reports that have still to tell the mode */
	u8 simple_left; /* version 1 and 2: unsolicited reports to come */
	bool reporter;	/* version 2: the last report on the link was ours */
	u64 due;	/* when a query is to be answered, or the next simple report; 0: nothing */
	u32 nr_sources, nr_asked;
	struct listener_source *sources;
	struct ip_addr asked[LISTENER_ASKED_MAX];
};

struct listener_if {
	struct list_head node;
	u32 ifindex;
	struct list_head groups;
	u32 nr_groups;
	u8 version; /* acted by last; see listener_version */
	bool own_joined[LISTENER_OWN_MAX];
	/* as the querier says, until then RFC 9776 8's; robustness 0: the sysctl's */
	u8 robustness;
	u32 query_interval_s;
	u64 v1_until, v2_until; /* an older querier is about */
	u64 general_due;	/* version 3: a general query is to be answered */
	u64 change_due;		/* the next report of changes */
	u64 changed_at;		/* when the last one went out */
	u64 answered_at;	/* when the last answer to a query did */
};

/* One protocol; static, with LISTENER_INIT and the first part filled in. */
struct listener_proto {
	u16 af;
	const char *name;
	u32 if_size; /* of the structure that begins with the struct listener_if of an interface */
	/* joined on every interface while the protocol is here */
	struct ip_addr own[LISTENER_OWN_MAX];
	u8 nr_own;
	/* packets */
	u8 report_type[4]; /* by version */
	u8 leave_type;	   /* of version 2 */
	u8 addr_len;	   /* bytes of an address */
	u8 simple_off;	   /* where the group stands in messages of versions 1 and 2, the last */
	u8 headers;	   /* in front of a message, Router Alert and all */
	struct ip_addr routers, v3_routers; /* who hears of departures, and version 3's reports */
	const int *robustness;
	/* Never told to anybody? Pure. */
	bool (*silent)(const struct ip_addr *group);
	/* 0, or the version that the user wants; milliseconds between unsolicited reports. Any
	 * context. */
	u8 (*forced)(const struct listener_if *i);
	u32 (*unsolicited_ms)(const struct listener_if *i);
	/* How to send to dst on nif; false: nothing is said there. Process context, netif_lock
	 * held. */
	bool (*flow)(const struct netif *nif, const struct ip_addr *dst, struct flow *f);
	/* Computes and stores the checksum of a message that goes by f. */
	void (*finish)(const struct flow *f, u8 *h, u32 len);
	/* Optional: the interface comes (i is not in use yet), is renamed, has gone (i neither
	 * any more). Under netif_lock. */
	void (*if_event)(struct listener_if *i, const struct netif *nif, enum netif_event ev);

	/* the machine's */
	struct spinlock lock;
	struct list_head interfaces; /* guarded by lock, changed under netif_lock too */
	struct work work;
	u64 work_due; /* guarded by lock; 0: not scheduled */
	struct netif_watcher watcher;
};

#define LISTENER_INIT(var) \
	.lock = SPINLOCK_INIT, .interfaces = { &(var).interfaces, &(var).interfaces }

/* Process context, without netif_lock. unregister takes leave of all groups; after it nobody is
 * inside. */
void listener_register_owner(struct listener_proto *lp, struct module *owner);
void listener_unregister(struct listener_proto *lp);
#define listener_register(lp) listener_register_owner(lp, THIS_MODULE)
/* The family's group_event. netif_lock held. */
void listener_group_event(struct listener_proto *lp, struct netif *nif, struct ip_group *now);
/* All that is listened to is told anew: the link is up, or there is a proper source address now.
 * netif_lock held. */
void listener_tell_all(struct listener_proto *lp, struct netif *nif);

/* A valid query, parsed. */
struct listener_query {
	u8 version;
	bool general;
	struct ip_addr group;
	u32 response_ms;
	u8 robustness;	/* 0: does not say */
	u32 interval_s; /* likewise */
	u32 nr_sources;
	const u8 *sources; /* addr_len bytes each */
};
/* RFC 9776 4.1.7: a count of seconds or tenths in one byte, from 128 on a floating-point number. */
u32 listener_decode(u8 code);
/* A query was heard on the interface. Nothing is answered at once: a random moment within the time
 * that the querier allows is chosen. Poll context. */
void listener_query(struct listener_proto *lp, u32 ifindex, const struct listener_query *q);
/* Somebody else has reported the group in version 1 or 2's way. Poll context. */
void listener_heard_report(struct listener_proto *lp, u32 ifindex, const struct ip_addr *group);

/* Under lp->lock, for those who look. NULL: not known. */
struct listener_if *listener_if_find(struct listener_proto *lp, u32 ifindex);
struct listener_group *listener_group_find(struct listener_if *i, const struct ip_addr *addr);
/* The version spoken now. A change forgets all that was pending (RFC 9776 7.2.1, RFC 9777 8.2.1).
 */
u8 listener_version(struct listener_proto *lp, struct listener_if *i);
