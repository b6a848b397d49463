/* SPDX-License-Identifier: MIT */
/* rx.c - the receive ring. Every descriptor always lends the device a buffer: a frame goes up only
 * when a fresh buffer can take its place, else it is counted and its own buffer is posted again. */
#include "e1000.h"

#include <weft/net/drop.h>
#include <weft/string.h>

/* Without LPE the device discards frames over 1522 bytes (13.4.22), so a pool buffer is enough. The
 * headroom leaves the IP header 16-byte aligned behind the 14 bytes of Ethernet. */
#define RX_HEADROOM 66
#define RX_ROOM 1536

/* A doorbell costs as much as handling several frames: it waits for a quarter of the ring. */
static u32 doorbell_batch(const struct rx_ring *rx)
{
	return rx->size / 4;
}

int e1000_rx_alloc(struct nic *nic, u32 size)
{
	struct rx_ring *rx = &nic->rx;

	rx->desc = dma_alloc(size * sizeof(*rx->desc), &rx->bus);
	rx->pkt = kcalloc(size, sizeof(*rx->pkt));
	rx->size = size;
	if (!rx->desc || !rx->pkt) {
		e1000_rx_free(nic);
		return -ENOMEM;
	}
	rx->to_bus = dma_addr(rx->pkt) - (u64)rx->pkt; /* all memory is mapped in one */
	return 0;
}

void e1000_rx_free(struct nic *nic)
{
	struct rx_ring *rx = &nic->rx;
	u32 i;

	for (i = 0; rx->pkt && i < rx->size; i++)
		if (rx->pkt[i])
			pkt_free(rx->pkt[i]);
	while (rx->nr_stock)
		pkt_free(rx->stock[--rx->nr_stock]);
	kfree(rx->pkt);
	if (rx->desc)
		dma_free(rx->desc, rx->size * sizeof(*rx->desc));
	*rx = (struct rx_ring){ 0 };
}

/* False: the pool is exhausted. */
static __noinline bool restock(struct rx_ring *rx)
{
	rx->nr_stock = pkt_alloc_bulk(PKT_POOL_RX, RX_HEADROOM, rx->stock, RX_STOCK);
	return rx->nr_stock;
}

static inline bool stocked(struct rx_ring *rx)
{
	return likely(rx->nr_stock) || restock(rx);
}

/* While stocked. */
static inline struct pkt *fresh_buffer(struct rx_ring *rx)
{
	return rx->stock[--rx->nr_stock];
}

/* In descriptor i, which is d. The caller counts what is not posted yet. */
static inline void lend(struct rx_ring *rx, struct rx_desc *d, u32 i, struct pkt *p)
{
	rx->pkt[i] = p;
	d->addr = (u64)p->data + rx->to_bus;
	d->status = 0;
}

/* The descriptor behind i. */
static u32 behind(const struct rx_ring *rx, u32 i)
{
	return i + 1 == rx->size ? 0 : i + 1;
}

/* The device may use descriptors up to, not including, RDT: one stays empty to tell full from
 * empty. */
static void post(struct nic *nic)
{
	struct rx_ring *rx = &nic->rx;

	smp_wmb();
	reg_write(nic, REG_RDT, (rx->next + rx->size - 1) % rx->size);
	rx->unposted = 0;
}

int e1000_rx_fill(struct nic *nic)
{
	struct rx_ring *rx = &nic->rx;
	u32 i;

	for (i = 0; i < rx->size; i++) {
		if (!rx->pkt[i]) {
			if (!stocked(rx))
				return -ENOMEM;
			lend(rx, &rx->desc[i], i, fresh_buffer(rx));
			rx->unposted++;
		}
	}
	/* frames that came while the interface was down are stale */
	while (rx->desc[rx->next].status & RX_STATUS_DD) {
		rx->desc[rx->next].status = 0;
		rx->next = behind(rx, rx->next);
		rx->unposted++;
	}
	post(nic);
	return 0;
}

/* A whole frame without errors? Buffers are empty and have RX_ROOM. */
static inline bool is_good(const struct rx_desc *d, u32 len)
{
	return (d->status & RX_STATUS_EOP) && !(d->errors & RX_ERROR_FRAME) && len <= RX_ROOM;
}

/* The 82574's word; the 8254x's is not asked for, and QEMU's has none (IXSM). */
static u8 csum_state(const struct rx_desc *d)
{
	if (d->status & RX_STATUS_IXSM)
		return PKT_CSUM_NONE;
	if (d->errors & (RX_ERROR_TCPE | RX_ERROR_IPE))
		return PKT_CSUM_NONE; /* software looks again and counts it under its own name */
	return d->status & (RX_STATUS_TCPCS | RX_STATUS_UDPCS) ? PKT_CSUM_OK : PKT_CSUM_NONE;
}

static __noinline void count_lost(struct nic *nic, const struct rx_desc *d, u32 len)
{
	struct netif_stats *st = netif_stats_this(nic->nif);

	if (is_good(d, len)) {
		st->rx_dropped++;
		ip_drop_count(DROP_NO_MEMORY);
	} else {
		st->rx_errors++;
		ip_drop_count(d->status & RX_STATUS_EOP ? DROP_RX_ERROR : DROP_TOO_LONG);
	}
}

/* One finished descriptor: its frame goes up or is counted, and a buffer is lent again. */
static inline void take_frame(struct nic *nic, struct rx_desc *d, u32 i)
{
	struct rx_ring *rx = &nic->rx;
	struct pkt *p = rx->pkt[i];
	u32 len = d->length;

	if (unlikely(!is_good(d, len) || !stocked(rx))) {
		count_lost(nic, d, len);
		lend(rx, d, i, p);
		return;
	}
	if (nic->family == FAMILY_82574)
		p->csum = csum_state(d);
	p->len = len;
	lend(rx, d, i, fresh_buffer(rx));
	netif_rx(nic->nif, p);
}

u32 e1000_rx_poll(struct nic *nic, u32 budget)
{
	struct rx_ring *rx = &nic->rx;
	u32 done, i = rx->next;

	for (done = 0; done < budget; done++) {
		struct rx_desc *d = &rx->desc[i];

		if (!(READ_ONCE(d->status) & RX_STATUS_DD))
			break;
		smp_rmb(); /* the device wrote the rest before DD */
		take_frame(nic, d, i);
		i = behind(rx, i);
	}
	rx->next = i;
	rx->unposted += done;
	if (rx->unposted >= doorbell_batch(rx))
		post(nic);
	return done;
}

bool e1000_rx_pending(const struct nic *nic)
{
	return READ_ONCE(nic->rx.desc[nic->rx.next].status) & RX_STATUS_DD;
}
