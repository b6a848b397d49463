/* SPDX-License-Identifier: MIT */
/* neigh.h - what the two halves of the neighbour cache share: neigh.c, the packets' side, and
 * neighconf.c, the users'. */
#pragma once

#define NEIGH_SLOTS 4096 /* gc_thresh3 may be set up to this */

extern struct neigh *neigh_slots[NEIGH_SLOTS]; /* RCU */

/* netif_lock to change, RCU to read */
extern const struct neigh_resolver *neigh_resolvers[AF_MAX];
extern const struct neigh_params neigh_default_params;

/* All under RCU. */
struct neigh *neigh_find(const struct netif *nif, const struct ip_addr *addr);
struct neigh *neigh_create(struct netif *nif, const struct ip_addr *addr);
void neigh_remove(struct neigh *n);
void neigh_set_permanent(struct neigh *n, const u8 *hw, bool permanent);
void neigh_release_waiting(struct neigh *n);
/* nif NULL: of all; af 0: all. permanent entries only when all is set. */
void neigh_flush(const struct netif *nif, u16 af, bool all);
