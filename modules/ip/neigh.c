/* SPDX-License-Identifier: MIT */
/* neigh.c - the senders' side of the neighbour cache: is the next hop known, who asks for it, what
 * goes in front of the packet. A sender waits, or parks one datagram. Questions to everybody are
 * limited in number, those for this host's own packets apart from those for others' (RFC 6583
 * 7.1); resolvers send them. */
#include "ip.h"
#include "neigh.h"

#include <weft/net/ether.h>

/* ---- asking ---- */

/* How far the questions for others' packets and for ours have used up their share: ktime when the
 * last token will be back. */
static struct spinlock share_lock = SPINLOCK_INIT;
static u64 share_full_at[AF_MAX][2]; /* guarded by share_lock */

/* At most solicit_per_s of them, half a second's worth at once. */
static bool may_ask(u16 af, bool own)
{
	u64 cost = NSEC_PER_SEC / neigh_params_of(af)->solicit_per_s, now = ktime_get(), from;
	bool may;

	spin_lock(&share_lock);
	from = max(share_full_at[af][own], now);
	may = from + cost <= now + NSEC_PER_SEC / 2 + cost;
	if (may)
		share_full_at[af][own] = from + cost;
	spin_unlock(&share_lock);
	if (!may)
		ip_drop_count(DROP_RATE_LIMIT);
	return may;
}

/* A neighbour that must not be asked about now, for the rate is limited, is asked about at its next
 * turn. */
void neigh_solicit(struct neigh *n, bool unicast, const struct ip_addr *hint)
{
	const struct neigh_resolver *r;
	struct ip_addr asker;
	u8 hw[LINK_ADDR_MAX];
	bool own;

	rcu_read_lock();
	r = rcu_dereference(neigh_resolvers[n->af]);
	own = hint && !ip_addr_is_any(hint) && ifaddr_find(NULL, hint);
	spin_lock(&n->lock);
	if (own) {
		n->asker = *hint;
		WRITE_ONCE(n->own, true);
	}
	asker = n->asker;
	own = n->own;
	memcpy(hw, n->hw, sizeof(hw));
	spin_unlock(&n->lock);
	if (r && netif_is_up(n->nif) && (unicast || may_ask(n->af, own)))
		r->solicit(n->nif, &n->addr, unicast ? hw : NULL, own ? &asker : hint);
	rcu_read_unlock();
}

/* Starts the question over; n's lock held. */
void neigh_start_asking(struct neigh *n)
{
	n->state = NEIGH_INCOMPLETE;
	n->probes = 1;
	neigh_count_unresolved(n, true);
	neigh_deadline_in(n, neigh_retrans_ns(n));
}

/* Somebody wants to send to n. 0 usable now, -EAGAIN being asked (*ask: the caller must),
 * -EHOSTUNREACH. n's lock held. */
static int want_locked(struct neigh *n, bool *ask)
{
	WRITE_ONCE(n->used, neigh_coarse_now);
	switch (n->state) {
	case NEIGH_STALE:
		n->state = NEIGH_DELAY;
		neigh_deadline_in(n, neigh_params_of(n->af)->delay_first_s * NSEC_PER_SEC);
		return 0;
	case NEIGH_FAILED:
		if (ktime_get() < n->deadline)
			return -EHOSTUNREACH;
		neigh_start_asking(n);
		*ask = true;
		return -EAGAIN;
	case NEIGH_INCOMPLETE:
		if (!n->probes) {
			neigh_start_asking(n);
			*ask = true;
		}
		return -EAGAIN;
	default:
		return 0;
	}
}

static int check_state(struct neigh *n, struct flow *f, struct ip_waiter *w, bool park)
{
	bool ask = false;
	int err;

	spin_lock(&n->lock);
	err = n->dead ? -ENOBUFS : want_locked(n, &ask);
	if (err == -EAGAIN && park)
		err = 0;
	else if (err == -EAGAIN && w)
		waiter_arm(&n->waiters, w);
	spin_unlock(&n->lock);
	if (ask)
		neigh_solicit(n, false, &f->saddr);
	return err;
}

/* n is not known, or not to be used just so. */
static __noinline int check_slow(struct netif *nif, struct neigh *n, struct flow *f,
				 struct ip_waiter *w, bool park)
{
	if (!n) {
		n = neigh_find(nif, &f->next_hop);
		if (!n)
			n = neigh_create(nif, &f->next_hop, false);
		if (!n)
			return -ENOBUFS;
		f->neigh_slot = n->slot;
		f->neigh_id = n->id;
	}
	return neigh_use(n) ? 0 : check_state(n, f, w, park);
}

int neigh_check(struct netif *nif, struct flow *f, struct ip_waiter *w, bool park)
{
	struct neigh *n = neigh_by_handle(f->neigh_slot, f->neigh_id);

	if (likely(n && neigh_use(n)))
		return 0;
	return check_slow(nif, n, f, w, park);
}

/* ---- sending ---- */

/* Under RCU. */
static int park(struct neigh *n, struct pkt *p, const struct ip_addr *hint)
{
	bool ask = false, room = neigh_unpark(n, p->truesize, hint);
	int err;

	spin_lock(&n->lock);
	err = n->dead ? -ENOBUFS : want_locked(n, &ask);
	if (err == -EAGAIN && room) {
		atomic_add(&neigh_parked_bytes[n->af], p->truesize);
		/* the newest is the likeliest to be of use */
		neigh_drop_parked(n);
		n->parked = p;
		p = NULL;
		err = 0;
	} else if (err == -EAGAIN) {
		err = -ENOBUFS;
	}
	spin_unlock(&n->lock);
	if (ask)
		neigh_solicit(n, false, hint);
	if (!p)
		return err;
	if (!err && neigh_push_header(n, p)) /* answered in the meantime */
		return netif_tx(n->nif, p);
	ip_drop(p, err == -EHOSTUNREACH ? DROP_NEIGH_FAILED : DROP_NEIGH_PARKED);
	return err ? err : -ENOBUFS;
}

/* A station whose address must be asked for. Under RCU. */
static int output_resolved(struct netif *nif, const struct ip_addr *next_hop,
			   const struct ip_addr *hint, struct pkt *p)
{
	struct neigh *n = neigh_find(nif, next_hop);
	u8 state;

	if (!n)
		n = neigh_create(nif, next_hop, false);
	if (!n) {
		ip_drop(p, DROP_NEIGH_TABLE);
		return -ENOBUFS;
	}
	state = READ_ONCE(n->state);
	if (neigh_has_address(state) && state != NEIGH_STALE && neigh_push_header(n, p)) {
		WRITE_ONCE(n->used, neigh_coarse_now);
		return netif_tx(nif, p);
	}
	return park(n, p, hint);
}

int neigh_output(struct netif *nif, u16 ethertype, const struct ip_addr *next_hop,
		 enum ip_kind kind, const struct ip_addr *hint, struct pkt *p)
{
	const struct link_type *link = nif->link;
	u8 hw[LINK_ADDR_MAX];
	const u8 *dst = hw;
	int ret;

	if (unlikely(pkt_headroom(p) < nif->headroom)) {
		p = pkt_writable(p, nif->headroom);
		if (!p) {
			ip_drop_count(DROP_NO_MEMORY);
			return -ENOBUFS;
		}
	}
	p->ethertype = ethertype;
	rcu_read_lock();
	if (kind == IP_KIND_BROADCAST) {
		dst = link->broadcast;
	} else if (kind == IP_KIND_MULTICAST) {
		if (link->multicast(next_hop, hw))
			dst = link->broadcast;
	} else if (netif_resolves(nif)) {
		ret = output_resolved(nif, next_hop, hint, p);
		rcu_read_unlock();
		return ret;
	} else {
		dst = nif->mac;
	}
	link->header(nif, pkt_push(p, link->header_len), ethertype, dst, NULL);
	ret = netif_tx(nif, p);
	rcu_read_unlock();
	return ret;
}
EXPORT(neigh_output);
