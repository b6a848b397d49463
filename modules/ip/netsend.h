/* SPDX-License-Identifier: MIT */
/* netsend.h - a finished frame to its interface's driver, inline for whoever sends many: the usual
 * one needs nothing but that. netio.c does what any other needs. All under RCU. */
#pragma once

#include <weft/net/netif.h>
#include <weft/pkt.h>
#include <weft/spinlock.h>

/* Somebody looks at the frames of interfaces: how many. */
extern u32 netif_nr_taps;

/* The driver has refused a frame, or several that were one: counts, and returns err. */
int netif_not_sent(struct netif *nif, int err);
/* Any frame. */
int netif_send_any(struct netif *nif, struct pkt *p);

/* Gives p to the driver, for whom it is so many frames with len bytes in all. */
static inline int netif_xmit(struct netif *nif, const struct netif_driver *d, struct pkt *p,
			     u32 frames, u32 len)
{
	struct netif_stats *st;
	int err;

	if (nif->features & NETIF_F_NO_TX_LOCK) {
		err = d->ops.xmit(nif, p);
	} else {
		spin_lock_rcu(&nif->tx_lock);
		err = d->ops.xmit(nif, p);
		spin_unlock_rcu(&nif->tx_lock);
	}
	if (unlikely(err))
		return netif_not_sent(nif, err);
	st = netif_stats_this(nif);
	st->tx_packets += frames;
	st->tx_bytes += len;
	return 0;
}

/* Can the driver take p as it is, and does nobody look on? */
static inline bool netif_takes(const struct netif *nif, const struct netif_driver *d,
			       const struct pkt *p)
{
	return likely(d && netif_running(nif) && !p->gso_size &&
		      p->len <= nif->mtu + nif->link->header_len &&
		      (p->csum != PKT_CSUM_FILL || nif->features & NETIF_F_TX_CSUM) &&
		      !READ_ONCE(netif_nr_taps));
}

/* netif_tx for who is under RCU already. */
static __always_inline int netif_send(struct netif *nif, struct pkt *p)
{
	const struct netif_driver *d = rcu_dereference(nif->driver);

	if (unlikely(!netif_takes(nif, d, p)))
		return netif_send_any(nif, p);
	p->nif = nif;
	p->link_off = pkt_headroom(p);
	return netif_xmit(nif, d, p, 1, p->len);
}
