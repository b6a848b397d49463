/* SPDX-License-Identifier: MIT */
/* listener.h - what listener.c and listenreport.c give each other. */
#pragma once

#include "ip.h"

#include <weft/net/listener.h>

/* Something is due at that time; lock held. */
void listener_wake_at(struct listener_proto *lp, u64 due);
/* Takes it off its list, with all it has; lock held. */
void listener_group_free(struct listener_if *i, struct listener_group *g);
u64 listener_random(u32 ms); /* uniform, in ns */

/* Packets that wait to be sent. */
struct listener_out {
	struct listener_proto *lp;
	struct netif *nif;
	struct list_head packets; /* of struct pkt; cb holds the destination */
	struct pkt *report;	  /* being filled, also on packets */
	u32 most;		  /* bytes that it may have */
};
/* Builds what is due; lock held. */
void listener_report_due(struct listener_if *i, struct listener_out *out, u64 now);
/* Sends what was built; netif_lock held, without the lock. */
void listener_send(struct listener_out *out);
/* When the next thing is due, 0: nothing. */
u64 listener_next_due(const struct listener_if *i);
