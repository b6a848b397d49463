/* SPDX-License-Identifier: MIT */
/* mcast.h - between a socket's memberships (mcast.c) and the options that ask for them
 * (mcastopt.c): what all of these come down to. */
#pragma once

#include "ip.h"

enum mcast_action {
	MCAST_ACT_JOIN,
	MCAST_ACT_LEAVE,
	MCAST_ACT_JOIN_SOURCE,
	MCAST_ACT_LEAVE_SOURCE,
	MCAST_ACT_BLOCK,
	MCAST_ACT_UNBLOCK,
	MCAST_ACT_FILTER, /* not for mcast_act */
	MCAST_ACT_NONE,
};

struct mcast_request {
	struct ip_addr group, source;
	struct ip_addr address; /* of the interface, unless ifindex says it; any: by route */
	u32 ifindex;
};

/* How many sources a filter of the group may name. Any context. */
u32 mcast_sources_allowed(const struct ip_addr *group);
/* Of nr sources, to be filled in, by kmalloc. NULL: no memory. */
struct ip_filter *mcast_filter_new(u8 mode, u32 nr);

/* All with the socket's lock and netif_lock held; errors as Linux's setsockopt gives them. */
int mcast_act(struct inet_sock *is, enum mcast_action action, const struct mcast_request *r);
/* The membership's whole filter; consumes f. INCLUDE {} leaves. */
int mcast_replace(struct inet_sock *is, const struct mcast_request *r, struct ip_filter *f);
/* NULL: no such membership. Valid until the locks are let go. */
const struct ip_filter *mcast_filter(const struct inet_sock *is, const struct mcast_request *r);
