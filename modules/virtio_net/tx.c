/* SPDX-License-Identifier: MIT */
/* tx.c - frames go out: one descriptor for the device's header, one for the frame, which is never
 * written to (others may look at it). Chains are taken back when the next frame is queued, at the
 * end of a poll, or by a slow timer; an interrupt is asked for only when many are out (main.c). */
#include "virtio_net.h"

#include <weft/err.h>

#define RECLAIM_AT 32 /* free descriptors below which each send tries to reclaim */

u32 virtio_tx_room(const struct nic *nic)
{
	return nic->tx.nr_free / 2;
}

u32 virtio_tx_untold(const struct nic *nic)
{
	return (u16)(nic->tx.avail_idx - nic->tx.told);
}

bool virtio_tx_busy(const struct nic *nic)
{
	return READ_ONCE(nic->tx.nr_free) != nic->tx.size;
}

void virtio_tx_reclaim(struct nic *nic)
{
	struct pkt *p;
	u32 len;

	while (vq_take(&nic->tx, &p, &len))
		pkt_free(p);
}

/* 5.1.6.2. The TCP header's length is in its 13th byte. */
static void fill_header(struct net_header *h, const struct pkt *p)
{
	u32 room = pkt_headroom(p);

	*h = (struct net_header){ 0 };
	if (p->csum == PKT_CSUM_FILL) {
		h->flags = NET_HDR_NEEDS_CSUM;
		h->csum_start = p->csum_start - room;
		h->csum_offset = p->csum_off;
	}
	if (p->gso_size) {
		h->gso_type = p->gso_type == PKT_GSO_TCP4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
		h->gso_size = p->gso_size;
		h->hdr_len = p->trans_off - room + (pkt_at(p, p->trans_off)[12] >> 4) * 4;
	}
}

int virtio_tx_xmit(struct nic *nic, struct pkt *p)
{
	struct virtq *q = &nic->tx;
	u32 slot = q->free_head;
	struct vq_piece piece[2] = {
		{ nic->tx_headers_bus + slot * sizeof(struct net_header), nic->header, false },
		{ dma_addr(p->data), p->len, false },
	};

	if (q->nr_free < RECLAIM_AT) {
		vq_publish(q);
		virtio_tx_reclaim(nic);
		slot = q->free_head;
		piece[0].addr = nic->tx_headers_bus + slot * sizeof(struct net_header);
	}
	if (q->nr_free < 2) {
		pkt_free(p); /* the caller of xmit counts it */
		return -ENOBUFS;
	}
	fill_header(&nic->tx_headers[slot], p);
	vq_add(q, piece, 2, p);
	return 0;
}
