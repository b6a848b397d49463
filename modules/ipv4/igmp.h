/* SPDX-License-Identifier: MIT */
/* igmp.h - the host side of IGMP, all three versions (RFC 1112 appendix I, RFC 2236, RFC 9776),
 * inside. What members want stands in the IP core's groups; here is what routers on each link have
 * been told of it, and what is still to be said. Addresses are u32 in host order. */
#pragma once

#include "ipv4.h"

#include <weft/seqfile.h>

#define IGMP_HEADER 8

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

/* RFC 9776 4.2.13 */
enum igmp_record {
	IGMP_IS_IN = 1,
	IGMP_IS_EX,
	IGMP_TO_IN,
	IGMP_TO_EX,
	IGMP_ALLOW,
	IGMP_BLOCK,
};

#define IGMP_ALL_HOSTS 0xe0000001   /* 224.0.0.1 */
#define IGMP_ALL_ROUTERS 0xe0000002 /* 224.0.0.2 */
#define IGMP_V3_ROUTERS 0xe0000016  /* 224.0.0.22 */

#define IGMP_ASKED_MAX 32 /* sources of one query; when there are more, all of the group is told */

struct igmp_source {
	u32 addr;
	u8 left; /* state-change reports that have still to name it */
	bool in; /* is in the filter now */
};

/* Guarded by igmp_lock, as is all of struct igmp_if. Of a group that was left this stays until the
 * routers have been told often enough. */
struct igmp_group {
	struct list_head node;
	u32 addr;
	bool member;
	u8 mode;	/* MCAST_INCLUDE, MCAST_EXCLUDE; what is not joined is INCLUDE {} */
	u8 mode_left;	/* reports that have still to tell the mode */
	u8 simple_left; /* version 1 and 2: unsolicited reports to come */
	bool reporter;	/* version 2: the last report on the link was ours */
	u64 due;	/* when a query is to be answered, or the next simple report; 0: nothing */
	u32 nr_sources, nr_asked;
	struct igmp_source *sources;
	u32 asked[IGMP_ASKED_MAX];
};

struct igmp_if {
	struct list_head node;
	u32 ifindex;
	struct list_head groups;
	u32 nr_groups;
	u8 version;	/* acted by last; see igmp_version */
	bool all_hosts; /* is joined */
	/* as the querier says, until then RFC 9776 8's; robustness 0: the sysctl's */
	u8 robustness;
	u32 query_interval_s;
	u64 v1_until, v2_until; /* an older querier is about */
	u64 general_due;	/* version 3: a general query is to be answered */
	u64 change_due;		/* the next report of changes */
	u64 changed_at;		/* when the last one went out */
	/* fixed */
	int force_version;
	struct sysctl force;
	char force_path[64];
};

extern struct spinlock igmp_lock;
extern int igmp_robustness;

/* ---- igmp.c; igmp_lock held ---- */
struct igmp_if *igmp_if_find(u32 ifindex);
struct igmp_group *igmp_group_find(struct igmp_if *i, u32 addr);
/* The version spoken now. A change forgets all that was pending (RFC 9776 7.2.1). */
u8 igmp_version(struct igmp_if *i);
/* Something is due at that time. */
void igmp_wake_at(u64 due);
/* Takes it off its list, with all it has. */
void igmp_group_free(struct igmp_if *i, struct igmp_group *g);
u64 igmp_random_ms(u32 ms); /* uniform, in ns */

/* ---- igmp_input.c ---- */
int igmp_input(struct pkt *p, struct ip_rx *rx);

/* ---- igmp_report.c: says what is due; igmp_lock held. Finished packets are put on out. ---- */
struct igmp_out {
	struct netif *nif;
	struct list_head packets; /* of struct pkt; cb holds the destination */
	struct pkt *report;	  /* being filled, also on packets */
};
void igmp_report_due(struct igmp_if *i, struct igmp_out *out, u64 now);
void igmp_send(struct igmp_out *out); /* without the lock */
/* When the next thing is due, 0: nothing. */
u64 igmp_next_due(const struct igmp_if *i);

/* ---- igmp_show.c: /proc/net/igmp and mcfilter ---- */
int igmp_show_init(void);
void igmp_show_exit(void);
