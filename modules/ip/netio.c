/* SPDX-License-Identifier: MIT */
/* netio.c - frames in and out of an interface: taps, counters, the checksum and the segments a
 * device cannot make, the full ring. The packet paths run under RCU: a driver that detached is not
 * called again. */
#include "ip.h"
#include "netsend.h"
#include "train.h"

#include <weft/poller.h>

static LIST_HEAD(taps); /* netif_lock to change, RCU to read */
u32 netif_nr_taps;

static void show_taps(struct netif *nif, struct pkt *p, bool sent)
{
	struct netif_tap *t;

	list_for_each_entry(t, &taps, node) {
		if (!t->ifindex || t->ifindex == nif->index)
			t->frame(t, nif, p, sent);
	}
}

bool netif_has_taps(void)
{
	return READ_ONCE(netif_nr_taps);
}

void netif_tap(struct netif_tap *t)
{
	netif_lock();
	list_add_tail(&t->node, &taps);
	WRITE_ONCE(netif_nr_taps, netif_nr_taps + 1);
	netif_unlock();
}
EXPORT(netif_tap);

void netif_untap(struct netif_tap *t)
{
	netif_lock();
	list_del_rcu(&t->node);
	WRITE_ONCE(netif_nr_taps, netif_nr_taps - 1);
	netif_unlock();
	synchronize_rcu();
	list_init(&t->node);
}
EXPORT(netif_untap);

__noinline void netif_rx_alone(struct pkt *p)
{
	struct netif *nif = p->nif;
	struct netif_stats *st = netif_stats_this(nif);

	p->stamp_ns = poll_now();
	st->rx_packets++;
	st->rx_bytes += p->len;
	p->link_off = p->data - p->head;
	if (unlikely(!netif_is_up(nif))) {
		st->rx_dropped++;
		ip_drop(p, DROP_IF_DOWN);
		return;
	}
	if (unlikely(READ_ONCE(netif_nr_taps)))
		show_taps(nif, p, false);
	nif->link->input(nif, p);
}

/* The poll context is an RCU section. */
void netif_rx(struct netif *nif, struct pkt *p)
{
	struct rx_train *t = train_slots[cpu_id()].train;

	p->nif = nif;
	if (t && train_fits(t, p))
		t->next(t, p);
	else
		netif_rx_alone(p);
}
EXPORT(netif_rx);

/* RFC 1071 over the transport's part; the field holds the pseudo-header's sum already. */
void netif_fill_checksum(struct pkt *p)
{
	u8 *start = pkt_at(p, p->csum_start);
	u16 sum = csum_fold(csum_partial(start, p->data + p->len - start, 0));

	/* 0 means "none" for UDP (RFC 768; RFC 8200 8.1: it may not) and is the same number as
	 * 0xffff in one's complement */
	if (!sum)
		sum = 0xffff;
	memcpy(start + p->csum_off, &sum, sizeof(sum));
	p->csum = PKT_CSUM_NONE;
}
EXPORT(netif_fill_checksum);

static int tx_refuse(struct netif *nif, struct pkt *p, enum drop_reason why, int err)
{
	netif_stats_this(nif)->tx_dropped++;
	ip_drop(p, why);
	return err;
}

/* What must hold of a frame before a driver sees it; 0 or what netif_tx answers, p then gone. */
static int tx_check(struct netif *nif, struct pkt *p)
{
	if (unlikely(!READ_ONCE(nif->carrier))) {
		/* a link that is away loses packets, it does not fail their senders */
		netif_stats_this(nif)->tx_carrier++;
		ip_drop(p, DROP_NO_CARRIER);
		return 1;
	}
	if (unlikely(!p->gso_size && p->len > nif->mtu + nif->link->header_len))
		return tx_refuse(nif, p, DROP_TOO_LONG, -EMSGSIZE);
	if (p->csum == PKT_CSUM_FILL && !p->gso_size && !(nif->features & NETIF_F_TX_CSUM))
		netif_fill_checksum(p);
	return 0;
}

/* Must p be cut here? CWR belongs on the first segment alone (RFC 3168 6.1.2), which devices do not
 * know; only an interface that does not cut at all may have it. */
static bool must_cut(const struct netif *nif, const struct netif_driver *d, const struct pkt *p)
{
	bool v6 = p->gso_type == PKT_GSO_TCP6;

	if (nif->flags & IFF_LOOPBACK)
		return false;
	if (p->gso_type >= PKT_GSO_UDP4)
		return true;
	/* with the headers it is a bit more than the payload */
	if (v6 && d->tso6_segments && p->len > d->tso6_segments * p->gso_size)
		return true;
	return !(nif->features & (v6 ? NETIF_F_TSO6 : NETIF_F_TSO4)) || gso_has_cwr(p);
}

__noinline int netif_not_sent(struct netif *nif, int err)
{
	netif_stats_this(nif)->tx_dropped++;
	ip_drop_count(err == -ENOBUFS ? DROP_RING_FULL :
		      err == -ENOMEM  ? DROP_NO_MEMORY :
					DROP_TX_ERROR);
	return err;
}

int netif_tx_frame(struct netif *nif, const struct netif_driver *d, struct pkt *p)
{
	u32 len = p->len, frames = 1, headers;

	if (p->csum == PKT_CSUM_FILL && !(nif->features & NETIF_F_TX_CSUM))
		netif_fill_checksum(p);
	if (unlikely(p->gso_size) && !(nif->flags & IFF_LOOPBACK)) {
		frames = gso_segments(p, &headers);
		if (!headers || headers + p->gso_size > nif->mtu + nif->link->header_len)
			return tx_refuse(nif, p, DROP_TOO_LONG, -EMSGSIZE);
		len += (frames - 1) * headers;
		if (frames == 1)
			p->gso_size = 0;
	}
	return netif_xmit(nif, d, p, frames, len);
}

int netif_send_any(struct netif *nif, struct pkt *p)
{
	const struct netif_driver *d = rcu_dereference(nif->driver);
	int err;

	if (unlikely(!d || !netif_is_up(nif)))
		return tx_refuse(nif, p, DROP_IF_DOWN, -ENETDOWN);
	p->nif = nif;
	p->link_off = p->data - p->head;
	err = tx_check(nif, p);
	if (unlikely(err))
		return min(err, 0);
	if (unlikely(READ_ONCE(netif_nr_taps)))
		show_taps(nif, p, true);
	if (likely(!p->gso_size))
		return netif_xmit(nif, d, p, 1, p->len);
	if (must_cut(nif, d, p))
		return gso_send(nif, d, p);
	return netif_tx_frame(nif, d, p);
}

int netif_tx(struct netif *nif, struct pkt *p)
{
	int err;

	rcu_read_lock();
	err = netif_send(nif, p);
	rcu_read_unlock();
	return err;
}
EXPORT(netif_tx);

void netif_tx_stop(struct netif *nif)
{
	WRITE_ONCE(nif->tx_full, true);
	smp_mb(); /* against waiter_arm's second look */
}
EXPORT(netif_tx_stop);

void netif_tx_wake(struct netif *nif)
{
	if (!READ_ONCE(nif->tx_full))
		return;
	WRITE_ONCE(nif->tx_full, false);
	smp_mb();
	waiters_fire(&nif->tx_waiters);
}
EXPORT(netif_tx_wake);

void netif_stats_sum(struct netif *nif, struct netif_stats *out)
{
	const struct netif_driver *d;
	u64 *sum = (u64 *)out;

	memset(out, 0, sizeof(*out));
	for (u32 cpu = 0; cpu < percpu_cpus(); cpu++) {
		const u64 *st = percpu_ptr(nif->stats, cpu);

		for (u32 i = 0; i < sizeof(*out) / sizeof(u64); i++)
			sum[i] += READ_ONCE(st[i]);
	}
	d = nif->driver;
	if (d && d->ops.stats && netif_is_locked())
		d->ops.stats(nif, out);
}
EXPORT(netif_stats_sum);
