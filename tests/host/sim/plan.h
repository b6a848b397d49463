/* SPDX-License-Identifier: MIT */
/* plan.h - what one seed of the matrix is: links, machines, conversations. */
#pragma once

#include "app.h"
#include "link.h"

#define CONVERSATIONS_MAX 4000

enum plan_kind {
	PLAN_CLEAN,	/* a good link, much data */
	PLAN_LOSSY,	/* loss, reordering, duplication, corruption */
	PLAN_MANY,	/* many short connections */
	PLAN_NARROW,	/* little bandwidth and short queues, long delay */
	PLAN_WINDOWS,	/* tiny buffers, readers that rest */
	PLAN_ROUTED,	/* a router between, with a smaller MTU behind */
	PLAN_NO_MEMORY, /* allocations fail on both machines */
	PLAN_ABRUPT,	/* resets, early closes, simultaneous opens */
	PLAN_LOCAL,	/* both ends on one machine, over its loop */
	PLAN_KINDS
};

enum plan_ip {
	PLAN_IPV4, /* the module for the other is not even there */
	PLAN_IPV6,
	PLAN_MIXED, /* each conversation over one of them, servers' sockets for both */
};

struct conversation {
	struct app end[2]; /* client, server */
	bool six;	   /* over IPv6 */
	struct app_stream up, down;
};

struct plan {
	u64 seed;
	enum plan_kind kind;
	enum plan_ip ip;
	const char *name;
	struct sim_link faults; /* of each link: only what describes it */
	u32 nr_links;		/* 2: over a router */
	u32 far_mtu;		/* of the second one; 0: 1500 */
	u32 features[2];	/* of the machines' devices */
	u32 fail_every;
	int backlog;
	bool shared_listener;
	u32 nr;
	struct conversation *talk;
	u64 bytes;
};

/* Seeds sim_random(). Only IPv4 unless ipv6 is set. */
void plan_draw(struct plan *p, u64 seed, bool ipv6);
void plan_print(const struct plan *p, char *text, size_t size);
