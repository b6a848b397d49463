/* SPDX-License-Identifier: MIT */
/* tx.c - the transmit ring. No transmit interrupt: descriptors are reclaimed when the next frame is
 * queued, at the end of a poll, or by a slow timer. The device fills in checksums from a context
 * descriptor, which is only sent when the offsets change. */
#include "e1000.h"

#include <weft/net/ether.h>
#include <weft/string.h>

#define RECLAIM_AT 16 /* free descriptors below which each send tries to reclaim */

int e1000_tx_alloc(struct nic *nic, u32 size)
{
	struct tx_ring *tx = &nic->tx;

	tx->desc = dma_alloc(size * sizeof(*tx->desc), &tx->bus);
	tx->pkt = kcalloc(size, sizeof(*tx->pkt));
	tx->size = size;
	if (!tx->desc || !tx->pkt) {
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
	if (tx->desc)
		dma_free(tx->desc, tx->size * sizeof(*tx->desc));
	*tx = (struct tx_ring){ 0 };
}

u32 e1000_tx_room(const struct nic *nic)
{
	const struct tx_ring *tx = &nic->tx;

	return (tx->clean + tx->size - tx->tail - 1) % tx->size;
}

bool e1000_tx_busy(const struct nic *nic)
{
	return READ_ONCE(nic->tx.clean) != READ_ONCE(nic->tx.told);
}

u32 e1000_tx_reclaim(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;
	u32 start = tx->clean;

	while (tx->clean != tx->told) {
		u32 last = tx->clean;

		/* a packet is done when its last descriptor, the one with RS, says so */
		while (!tx->pkt[last])
			last = (last + 1) % tx->size;
		if (!(READ_ONCE(tx->desc[last].status) & TX_STATUS_DD))
			break;
		pkt_free(tx->pkt[last]);
		tx->pkt[last] = NULL;
		tx->clean = (last + 1) % tx->size;
	}
	return (tx->clean + tx->size - start) % tx->size;
}

void e1000_tx_doorbell(struct nic *nic)
{
	struct tx_ring *tx = &nic->tx;

	if (tx->told == tx->tail)
		return;
	tx->told = tx->tail;
	smp_wmb();
	reg_write(nic, REG_TDT, tx->tail);
}

static struct tx_desc *next_desc(struct tx_ring *tx, u32 *index)
{
	*index = tx->tail;
	tx->tail = (tx->tail + 1) % tx->size;
	return &tx->desc[*index];
}

/* 3.3.6: where the sum starts, where it goes; TUCSE 0 is the end of the packet. */
static void load_context(struct tx_ring *tx, const struct pkt *p)
{
	u64 start = p->csum_start - pkt_headroom(p);
	u64 context = start << 32 | (start + p->csum_off) << 40;
	struct tx_desc *d;
	u32 i;

	if (tx->context == context)
		return;
	d = next_desc(tx, &i);
	d->addr = context;
	d->cmd = TX_DTYP_CONTEXT | TX_CMD_DEXT;
	d->status = 0;
	d->popts = 0;
	d->special = 0;
	tx->context = context;
}

/* The emulated 8254x leaves padding (TCTL.PSP) to us; a packet without tail room for that is
 * copied. NULL: freed. */
static struct pkt *pad(struct pkt *p)
{
	u32 missing = ETH_ZLEN - p->len;

	if (refcount_read(&p->refs) > 1 || pkt_tailroom(p) < missing) {
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

int e1000_tx_xmit(struct nic *nic, struct pkt *p)
{
	struct tx_ring *tx = &nic->tx;
	struct tx_desc *d;
	u32 i;

	if (e1000_tx_room(nic) < RECLAIM_AT) {
		e1000_tx_doorbell(nic);
		e1000_tx_reclaim(nic);
	}
	if (e1000_tx_room(nic) < 2) {
		pkt_free(p); /* the caller of xmit counts it */
		return -ENOBUFS;
	}
	if (p->len < ETH_ZLEN) {
		p = pad(p);
		if (!p)
			return -ENOMEM;
	}
	if (p->csum == PKT_CSUM_FILL)
		load_context(tx, p);
	d = next_desc(tx, &i);
	d->addr = dma_addr(p->data);
	d->status = 0;
	d->popts = p->csum == PKT_CSUM_FILL ? TX_POPTS_TXSM : 0;
	d->special = 0;
	d->cmd = p->len | TX_DTYP_DATA | TX_CMD_DEXT | TX_CMD_EOP | TX_CMD_IFCS | TX_CMD_RS;
	tx->pkt[i] = p;
	return 0;
}
