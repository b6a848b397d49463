/* SPDX-License-Identifier: MIT */
/* neigh.h - what the parts of the neighbour cache share: neightable.c, which entries there are;
 * neigh.c, asking and sending; neighstate.c, answers and time; neighconf.c, the users' side;
 * neighproxy.c, for whom else this host answers; neighwatch.c, who hears of entries.
 * Locks, outer first: table lock, an entry's lock, the timer's, the waiters'. Nothing is sent and
 * no resolver told anything with any of them held. */
#pragma once

#include <weft/net/ether.h>
#include <weft/net/link.h>
#include <weft/net/neigh.h>
#include <weft/pkt.h>
#include <weft/string.h>

#define NEIGH_SLOTS 4096	   /* gc_thresh3 may be set up to this */
#define NEIGH_TICK_NS NSEC_PER_SEC /* how coarse neigh.used is */

extern struct neigh *neigh_slots[NEIGH_SLOTS]; /* RCU */
/* Under RCU. */
static inline struct neigh *neigh_by_handle(u32 slot, u32 id)
{
	struct neigh *n;

	/* no entry has id 0 */
	n = rcu_dereference(neigh_slots[slot % NEIGH_SLOTS]);
	return n && n->id == id ? n : NULL;
}

/* netif_lock to change, RCU to read */
extern const struct neigh_resolver *neigh_resolvers[AF_MAX];
extern const struct neigh_params neigh_default_params;
const struct neigh_params *neigh_params_of(u16 af);

/* ---- neightable.c. All under RCU ---- */
extern struct atomic neigh_parked_bytes[AF_MAX];
extern u64 neigh_coarse_now; /* ktime of the last tick, for neigh.used */

/* Somebody sends to n: true unless its state wants a closer look. Only the step out of STALE is a
 * sender's; DELAY and PROBE are the timer's. */
#define NEIGH_READY_STATES \
	(BIT(NEIGH_REACHABLE) | BIT(NEIGH_DELAY) | BIT(NEIGH_PROBE) | BIT(NEIGH_PERMANENT))

static inline bool neigh_use(struct neigh *n)
{
	if (unlikely(!(NEIGH_READY_STATES >> READ_ONCE(n->state) & 1)))
		return false;
	WRITE_ONCE(n->used, neigh_coarse_now);
	return true;
}

struct neigh *neigh_find(const struct netif *nif, const struct ip_addr *addr);
/* Finds or makes the entry. known: its link address is about to be filled in. NULL: no memory, or
 * full of permanent entries. */
struct neigh *neigh_create(struct netif *nif, const struct ip_addr *addr, bool known);
void neigh_remove(struct neigh *n);
/* nif NULL: of all; af 0: all. permanent entries only when all is set. */
void neigh_flush(const struct netif *nif, u16 af, bool all);
u32 neigh_count_of(u16 af);
/* n's lock held, both. */
void neigh_count_unresolved(struct neigh *n, bool unresolved);
void neigh_drop_parked(struct neigh *n);
/* Parked datagrams make room for one of size bytes. False: there are none worth less than it, which
 * is for somebody like n, by hint from this host's address or not. Under RCU, no lock held. */
bool neigh_unpark(const struct neigh *n, u32 size, const struct ip_addr *hint);

/* Copies the cached header of so many bytes. It may be rewritten meanwhile: set_hw in
 * neighstate.c. */
static inline void neigh_copy_header(const struct neigh *n, u8 *hdr, u32 len)
{
	u32 seq;

	do {
		seq = smp_load_acquire(&n->header_seq);
		if (likely(len == ETH_HLEN)) {
			__builtin_memcpy(hdr, n->header, 8);
			__builtin_memcpy(hdr + 6, n->header + 6, 8);
		} else {
			memcpy(hdr, n->header, len);
		}
		smp_rmb();
	} while (unlikely((seq & 1) || seq != READ_ONCE(n->header_seq)));
}

/* Pushes the cached header. False: not known (any more). */
static inline bool neigh_push_header(const struct neigh *n, struct pkt *p)
{
	u32 len = n->nif->link->header_len;

	if (unlikely(!neigh_has_address(READ_ONCE(n->state))))
		return false;
	neigh_copy_header(n, pkt_push(p, len), len);
	return true;
}

/* ---- neighconf.c ---- */
void neigh_snapshot(struct neigh *n, struct neigh_info *out);

/* ---- neighwatch.c. Under RCU, no lock held ---- */
void neigh_tell(struct neigh *n, bool gone);

/* ---- neighproxy.c. Under netif_lock ---- */
void neigh_proxy_tell(const struct neigh_resolver *r, bool on); /* it comes, or goes */

/* ---- neigh.c ---- */
void neigh_solicit(struct neigh *n, bool unicast, const struct ip_addr *hint);
void neigh_start_asking(struct neigh *n); /* n's lock held */

/* ---- neighstate.c ---- */
void neigh_timer_want(u64 at);			 /* the timer runs at that time or before */
void neigh_deadline_in(struct neigh *n, u64 ns); /* n's lock held */
u64 neigh_retrans_ns(const struct neigh *n);
void neigh_set_permanent(struct neigh *n, const u8 *hw, bool permanent);
/* n has a usable address from now on: what waited for it may go. Under RCU, without locks. */
void neigh_release_waiting(struct neigh *n);
