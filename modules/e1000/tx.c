/* SPDX-License-Identifier: MIT */
/* tx.c - the transmit ring. No transmit interrupt: descriptors are reclaimed behind the doorbell,
 * at the end of a poll, when room is short, or by a slow timer. The doorbell is rung by one CPU at
 * a time, for all, without the transmit lock. The device fills in checksums and
 * cuts large TCP packets, told by context descriptors, which are only sent when they change; those
 * over IPv6 the driver cuts for an 8254x, whose emulations count the IPv6 header in each segment's
 * payload. It reports only the last descriptor before a doorbell. */
#include "e1000.h"

#include <weft/bytes.h>
#include <weft/net/drop.h>
#include <weft/net/ether.h>
#include <weft/net/gso.h>
#include <weft/string.h>

#define RING_ROUNDS 8 /* doorbells that one rings in a row */
#define TX_TIMER_NS (5 * NSEC_PER_MSEC)
#define TX_WAKE_ROOM 32
#define TX_BATCH 32 /* descriptors a batch may keep from the device */
/* One descriptor's bytes: its length field has 16 bits in emulations, and a buffer over a 64 KiB
 * border is an erratum of some devices. Pieces end at multiples of this. */
#define PIECE 16384u
#define HEADERS_ROOM 1920 /* a pool's buffer, full of segments' headers */

int e1000_tx_alloc(struct nic *nic, u32 size)
{
	struct tx_ring *tx = &nic->tx;

	tx->desc = dma_alloc(size * sizeof(*tx->desc), &tx->bus);
	tx->pkt = kcalloc(size, sizeof(*tx->pkt));
	tx->reported = kcalloc(size, sizeof(*tx->reported));
	tx->size = size;
	tx->room = size - 1; /* a full ring would look like an empty one */
	tx->packet_max = TX_LARGE_MAX;
	if (!tx->desc || !tx->pkt || !tx->reported) {
		e1000_tx_free(nic);
		return -ENOMEM;
	}
	return 0;
}

void e1000_tx_free(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;
	u32 i;

	for (i = 0; tx->pkt && i < tx->size; i++)
		if (tx->pkt[i])
			pkt_free(tx->pkt[i]);
	kfree(tx->pkt);
	kfree(tx->reported);
	if (tx->desc)
		dma_free(tx->desc, tx->size * sizeof(*tx->desc));
	*tx = (struct tx_ring){ 0 };
}

static u32 after(const struct tx_ring *tx, u32 i)
{
	return ++i == tx->size ? 0 : i;
}

/* Gives the packets back whose descriptors, up to end, are done. */
static inline void clean_up_to(struct tx_ring *tx, u32 end)
{
	u32 i;

	for (i = tx->clean; i != end; i = after(tx, i)) {
		struct pkt *p = tx->pkt[i];

		tx->room++;
		if (p) {
			tx->pkt[i] = NULL;
			pkt_free(p);
		}
	}
	tx->clean = end;
}

static inline void reclaim(struct tx_ring *tx)
{
	/* descriptors are done in their order: a report covers all before it (3.4.2) */
	while (tx->reports_seen != tx->reports_asked) {
		u32 last = tx->reported[tx->reports_seen];

		if (!(READ_ONCE(tx->desc[last].status) & TX_STATUS_DD))
			break;
		tx->reports_seen = after(tx, tx->reports_seen);
		clean_up_to(tx, after(tx, last));
	}
}

void e1000_tx_reclaim(struct nic *nic)
{
	reclaim(&nic->tx);
}

/* ---- the doorbell ---- */

/* The device's report of the last descriptor is asked for. */
static inline void ask_report(struct tx_ring *tx)
{
	tx->desc[tx->last].cmd |= TX_CMD_RS;
	tx->reported[tx->reports_asked] = tx->last;
	tx->reports_asked = after(tx, tx->reports_asked);
}

/* Transmit lock held, and given away meanwhile: an emulated device sends all that it is told of
 * before the write comes back. */
static inline void tell(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;

	tx->told = tx->shown;
	spin_unlock_rcu(&nic->nif->tx_lock);
	smp_wmb();
	reg_write(nic, REG_TDT, tx->told); /* only who rings changes it */
	spin_lock_rcu(&nic->nif->tx_lock);
}

/* Again for what others have shown. The last round keeps the lock: nobody rings for them forever.
 */
static __noinline void tell_more(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;
	u32 round;

	for (round = 1; round < RING_ROUNDS && tx->told != tx->shown; round++)
		tell(nic);
	if (tx->told != tx->shown) {
		tx->told = tx->shown;
		smp_wmb();
		reg_write(nic, REG_TDT, tx->told);
	}
}

/* One CPU at a time writes the register, or an older tail could follow a newer one. Whoever shows
 * more meanwhile leaves: `ringing` falls under the lock, with nothing shown that was not told, so
 * either his tail is seen here, or he finds it fallen and rings. */
static inline void ring(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;

	if (tx->shown == tx->tail)
		return;
	ask_report(tx);
	tx->shown = tx->tail;
	if (tx->ringing)
		return;
	tx->ringing = true;
	tell(nic);
	if (unlikely(tx->told != tx->shown))
		tell_more(nic);
	tx->ringing = false;
}

void e1000_tx_ring(struct nic *nic)
{
	ring(nic);
}

/* ---- descriptors ---- */

static inline struct tx_desc *next_desc(struct tx_ring *tx)
{
	u32 i = tx->tail;

	tx->last = i;
	tx->tail = after(tx, i);
	tx->room--;
	return &tx->desc[i];
}

static inline void add_data(struct tx_ring *tx, phys_addr_t at, u32 len, u32 flags, u8 popts)
{
	struct tx_desc *d = next_desc(tx);

	d->addr = at;
	d->how = (len | TX_DTYP_DATA | TX_CMD_DEXT | TX_CMD_IFCS | flags) |
		 (u64)popts << TX_POPTS_SHIFT;
}

/* The end of a frame, in pieces. */
static void add_tail(struct tx_ring *tx, phys_addr_t at, u32 len, u32 flags, u8 popts)
{
	while (len) {
		u32 piece = min(len, PIECE - (u32)(at & (PIECE - 1)));

		len -= piece;
		add_data(tx, at, piece, flags | (len ? 0 : TX_CMD_EOP), popts);
		at += piece;
	}
}

/* The last descriptor added is p's last. */
static inline void end_packet(struct tx_ring *tx, struct pkt *p)
{
	tx->pkt[tx->last] = p;
}

/* ---- one frame ---- */

/* 3.3.6: where the sum starts, where it goes; TUCSE 0 is the end of the packet. */
static inline void load_csum_context(struct tx_ring *tx, const struct pkt *p)
{
	u32 sum = (p->csum_start | (u32)p->csum_off << 16) - pkt_headroom(p), start = (u16)sum;
	struct tx_desc *d;

	if (likely(tx->context == sum))
		return;
	d = next_desc(tx);
	d->addr = (u64)start << 32 | (u64)(start + (sum >> 16)) << 40;
	d->how = TX_DTYP_CONTEXT | TX_CMD_DEXT;
	tx->context = sum;
}

/* The emulated 8254x leaves padding (TCTL.PSP) to us; a packet without tail room for that is
 * copied. NULL: freed. */
static __noinline struct pkt *pad(struct pkt *p)
{
	u32 missing = ETH_ZLEN - p->len;

	/* what lies behind a clone's data is its parent's */
	if (refcount_read(&p->refs) > 1 || pkt_is_clone(p) || pkt_tailroom(p) < missing) {
		struct pkt *copy = pkt_copy(p, p->pool, PKT_HEADROOM);

		pkt_free(p);
		if (!copy || pkt_tailroom(copy) < missing) {
			if (copy)
				pkt_free(copy);
			return NULL;
		}
		p = copy;
	}
	memset(pkt_put(p, missing), 0, missing);
	return p;
}

static inline int queue_frame(struct tx_ring *tx, struct pkt *p)
{
	bool fill = p->csum == PKT_CSUM_FILL;

	if (unlikely(p->len < ETH_ZLEN)) {
		p = pad(p);
		if (!p)
			return -ENOMEM;
		/* the emulated 82574 sums the pseudo header anew, with the padding counted as
		 * payload; to this sum the zeros add nothing */
		if (fill)
			netif_fill_checksum(p);
		fill = false;
	}
	if (fill)
		load_csum_context(tx, p);
	add_data(tx, dma_addr(p->data), p->len, TX_CMD_EOP, fill ? TX_POPTS_TXSM : 0);
	end_packet(tx, p);
	return 0;
}

/* ---- a large TCP packet, cut by the device ---- */

/* 3.5.2: each segment's header is made from this one: no lengths in it, and the pseudo header
 * summed without one. */
static void make_prototype(struct pkt *p, u32 net, u32 trans)
{
	u8 *ip = p->data + net, *sum = p->data + trans + 16;
	u16 field;

	if (p->gso_type == PKT_GSO_TCP6) {
		put_be16(ip + 4, 0);
	} else {
		put_be16(ip + 2, 0);
		put_be16(ip + 10, 0);
	}
	memcpy(&field, sum, sizeof(field));
	field = ~csum_fold((u32)field + (u16)~htons(p->len - trans));
	memcpy(sum, &field, sizeof(field));
}

/* 3.3.6. The IP checksum is the device's too; IPCSE is the header's last byte. */
static void load_tso_context(struct tx_ring *tx, const struct pkt *p, u32 net, u32 trans,
			     u32 headers)
{
	bool v6 = p->gso_type == PKT_GSO_TCP6;
	u64 ip = v6 ? net | (u64)(trans - 1) << 16 : net | (net + 10) << 8 | (u64)(trans - 1) << 16;
	struct tx_desc *d = next_desc(tx);

	d->addr = ip | (u64)trans << 32 | (u64)(trans + 16) << 40;
	d->how = ((p->len - headers) | TX_DTYP_CONTEXT | TX_CMD_DEXT | TX_CMD_TSE | TX_TUCMD_TCP |
		  (v6 ? 0 : TX_TUCMD_IP)) |
		 (u64)headers << TX_POPTS_SHIFT | (u64)p->gso_size << TX_MSS_SHIFT;
	tx->context = 0;
}

static int queue_large(struct tx_ring *tx, struct pkt *p)
{
	u32 net, trans, headers;
	u8 popts = TX_POPTS_TXSM;

	/* somebody else who holds it (a tap) sees the headers as they were */
	p = pkt_writable(p, 0);
	if (!p)
		return -ENOMEM;
	net = p->net_off - pkt_headroom(p);
	trans = p->trans_off - pkt_headroom(p);
	headers = trans + (p->data[trans + 12] >> 4) * 4;
	if (headers > 255) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	if (p->gso_type == PKT_GSO_TCP4)
		popts |= TX_POPTS_IXSM;
	make_prototype(p, net, trans);
	load_tso_context(tx, p, net, trans, headers);
	/* the headers apart: an erratum reports a packet of one descriptor before it was read */
	add_data(tx, dma_addr(p->data), headers, TX_CMD_TSE, popts);
	add_tail(tx, dma_addr(p->data) + headers, p->len - headers, TX_CMD_TSE, popts);
	end_packet(tx, p);
	return 0;
}

/* ---- one that the driver cuts ---- */

/* A segment is its headers, in a buffer that several share, and a piece of p's payload. Without
 * memory the last ones are lost. */
static int queue_cut(struct tx_ring *tx, struct pkt *p)
{
	phys_addr_t at = dma_addr(p->data), headers_at;
	struct pkt *headers = NULL;
	struct gso_cut c;

	if (!gso_cut_start(&c, p) || c.headers > HEADERS_ROOM) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	load_csum_context(tx, p);
	do {
		const u8 *payload;
		u32 used, len;

		if (!headers) {
			headers = pkt_alloc(PKT_POOL_TX, 0, HEADERS_ROOM);
			if (!headers)
				break;
			headers_at = dma_addr(headers->data);
		}
		used = headers->len;
		len = gso_cut_next(&c, pkt_put(headers, c.headers), &payload);
		add_data(tx, headers_at + used, c.headers, 0, TX_POPTS_TXSM);
		if (pkt_tailroom(headers) < c.headers || !gso_cut_more(&c)) {
			tx->pkt[tx->last] = headers;
			headers = NULL;
		}
		add_tail(tx, at + (payload - p->data), len, 0, TX_POPTS_TXSM);
	} while (gso_cut_more(&c));
	if (!c.off) {
		pkt_free(p);
		return -ENOMEM;
	}
	if (gso_cut_more(&c))
		ip_drop_count(DROP_NO_MEMORY);
	end_packet(tx, p);
	return 0;
}

/* One that takes several descriptors. */
static __noinline int queue_gso(struct nic *nic, struct pkt *p)
{
	if (nic->family == FAMILY_8254X && p->gso_type == PKT_GSO_TCP6)
		return queue_cut(&nic->tx, p);
	return queue_large(&nic->tx, p);
}

/* The ring is nearly full: is there room for p after all? */
static __noinline bool make_room(struct tx_ring *tx, const struct pkt *p)
{
	reclaim(tx);
	return tx->room >= (p->gso_size ? tx->packet_max : 2u);
}

/* Queues a frame; the doorbell is the caller's, who rings whenever another packet_max would find no
 * room. Consumes. 0 or an error. */
static inline int queue(struct nic *nic, struct pkt *p)
{
	struct tx_ring *tx = &nic->tx;

	if (unlikely(tx->room < tx->packet_max) && !make_room(tx, p)) {
		pkt_free(p); /* the caller of xmit counts it */
		return -ENOBUFS;
	}
	return likely(!p->gso_size) ? queue_frame(tx, p) : queue_gso(nic, p);
}

/* ---- the interface's side ---- */

static u32 wake_room(const struct nic *nic)
{
	return max(nic->tx.packet_max, min((u32)TX_WAKE_ROOM, nic->tx.size / 2));
}

void e1000_tx_wake(struct nic *nic)
{
	struct netif *nif = nic->nif;
	bool wake;

	spin_lock(&nif->tx_lock);
	reclaim(&nic->tx);
	wake = nif->tx_full && nic->tx.room >= wake_room(nic);
	spin_unlock(&nif->tx_lock);
	if (wake)
		netif_tx_wake(nif);
}

/* Tells the device, and takes back what it has done already. Transmit lock held, but not all the
 * while. */
static inline void flush(struct nic *nic)
{
	ring(nic);
	reclaim(&nic->tx);
	if (e1000_tx_busy(nic) && !timer_pending(&nic->tx_timer))
		timer_set(&nic->tx_timer, ktime_get() + TX_TIMER_NS);
}

static void tx_kick(struct batch_end *b)
{
	struct nic *nic = container_of(b, struct nic, tx_kick);

	spin_lock_rcu(&nic->nif->tx_lock);
	if (nic->up)
		flush(nic);
	spin_unlock_rcu(&nic->nif->tx_lock);
	if (unlikely(READ_ONCE(nic->nif->tx_full)))
		e1000_tx_wake(nic);
}

static void tx_timer(struct timer *t)
{
	struct nic *nic = container_of(t, struct nic, tx_timer);

	e1000_tx_wake(nic);
	if (e1000_tx_busy(nic))
		timer_set(t, ktime_get() + TX_TIMER_NS);
}

void e1000_tx_init(struct nic *nic)
{
	timer_init(&nic->tx_timer, tx_timer);
	nic->tx_kick.fn = tx_kick;
}

/* May the device hear of what is queued at the end of the batch? */
static inline bool can_wait(const struct nic *nic)
{
	return batch_open() && e1000_tx_untold(nic) < TX_BATCH &&
	       nic->tx.room >= nic->tx.packet_max;
}

/* Transmit lock held, but not all the while. */
static inline int send(struct nic *nic, struct pkt *p)
{
	int err;

	if (unlikely(!nic->up)) {
		pkt_free(p);
		return -ENETDOWN;
	}
	err = queue(nic, p);
	if (can_wait(nic))
		batch_end_add(&nic->tx_kick);
	else
		flush(nic);
	if (unlikely(nic->tx.room < nic->tx.packet_max))
		netif_tx_stop(nic->nif);
	return err;
}

int e1000_tx_xmit(struct netif *nif, struct pkt *p)
{
	struct nic *nic = nif->priv;
	int err;

	spin_lock_rcu(&nif->tx_lock);
	err = send(nic, p);
	spin_unlock_rcu(&nif->tx_lock);
	/* others may have found the ring full while the device was told of what is in it */
	if (unlikely(READ_ONCE(nif->tx_full)))
		e1000_tx_wake(nic);
	return err;
}
