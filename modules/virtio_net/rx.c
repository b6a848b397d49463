/* SPDX-License-Identifier: MIT */
/* rx.c - frames come in. Every buffer of the ring has room for the device's header in front of the
 * frame. With MRG_RXBUF a frame over one buffer (the peer's TSO packet, up to 64 KiB) comes in
 * several and is put together in one linear packet; its buffers go back to the ring at once. */
#define LOG_NAME "virtio_net: "
#include "virtio_net.h"

#include <weft/net/drop.h>
#include <weft/net/ether.h>
#include <weft/string.h>

/* 66 leaves the IP header 16-byte aligned behind 14 bytes of Ethernet. */
#define RX_HEADROOM 66
#define RX_ROOM (1536 + 128)
#define FRAME_MAX (ETH_HLEN + 4 + 65535)
/* Buffers lent at a time: what is touched in turn should stay in the TLB. */
#define RX_FILL_MAX 256

static int lend(struct nic *nic, struct pkt *p)
{
	u8 *start = p->head + RX_HEADROOM - nic->header;
	u32 room = p->end - p->head - RX_HEADROOM;
	struct vq_piece piece[2] = {
		{ dma_addr(start), nic->header, true },
		{ dma_addr(start) + nic->header, room, true },
	};
	int ret;

	if (nic->rx_one_desc) {
		piece[0].len += room;
		ret = vq_add(&nic->rx, piece, 1, p);
	} else {
		ret = vq_add(&nic->rx, piece, 2, p);
	}
	if (ret < 0)
		pkt_free(p);
	return ret;
}

/* All or none: buffers only change places later, and a frame that is to fill more than there are
 * would be waited for by the device for ever. */
int virtio_rx_fill(struct nic *nic)
{
	u32 n = nic->rx.size / (nic->rx_one_desc ? 1 : 2), i;

	for (i = 0; i < min(n, (u32)RX_FILL_MAX); i++) {
		struct pkt *p = pkt_alloc(PKT_POOL_RX, RX_HEADROOM, RX_ROOM);

		if (!p)
			return -ENOMEM;
		lend(nic, p);
	}
	return 0;
}

/* A buffer that was used goes back as it is. */
static void lend_again(struct nic *nic, struct pkt *p)
{
	p->data = p->head + RX_HEADROOM;
	p->len = 0;
	lend(nic, p);
}

static void refuse(struct nic *nic, struct pkt *p, enum drop_reason why)
{
	netif_stats_this(nic->nif)->rx_errors++;
	ip_drop_count(why);
	lend_again(nic, p);
}

/* 5.1.6.4.2: NEEDS_CSUM is a frame of this machine, whose sum nobody made yet; both mean that the
 * data are good. csum_start stays for who sends it on. */
static void apply_header(struct pkt *p, const struct net_header *h)
{
	u16 type = h->gso_type & ~NET_GSO_ECN;

	if (h->flags & (NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID))
		p->csum = PKT_CSUM_OK;
	if ((h->flags & NET_HDR_NEEDS_CSUM) && (u32)h->csum_start + h->csum_offset + 2 <= p->len) {
		p->csum_start = pkt_headroom(p) + h->csum_start;
		p->csum_off = h->csum_offset;
	}
	if (type == NET_GSO_TCPV4 || type == NET_GSO_TCPV6) {
		p->gso_size = h->gso_size;
		p->gso_type = type == NET_GSO_TCPV4 ? PKT_GSO_TCP4 : PKT_GSO_TCP6;
	}
}

static void single(struct nic *nic, struct pkt *p, const struct net_header *h, u32 len)
{
	struct pkt *fresh;

	if (len > pkt_tailroom(p) || len < ETH_HLEN) {
		refuse(nic, p, len < ETH_HLEN ? DROP_RUNT : DROP_TOO_LONG);
		return;
	}
	fresh = pkt_alloc(PKT_POOL_RX, RX_HEADROOM, RX_ROOM);
	if (!fresh) {
		netif_stats_this(nic->nif)->rx_dropped++;
		ip_drop_count(DROP_NO_MEMORY);
		lend_again(nic, p);
		return;
	}
	lend(nic, fresh);
	pkt_put(p, len);
	apply_header(p, h);
	netif_rx(nic->nif, p);
}

/* The n-1 buffers after the first, copied behind what is in `whole`; NULL: only given back. False:
 * the device said more than it did. */
static bool gather(struct nic *nic, struct pkt *whole, u32 n, bool *fits)
{
	struct pkt *p;
	u32 len;

	while (--n) {
		if (!vq_take(&nic->rx, &p, &len))
			return false;
		/* these have no header: data from where it would be */
		if (len > pkt_tailroom(p) + nic->header || (whole && len > pkt_tailroom(whole)))
			*fits = false;
		else if (whole)
			memcpy(pkt_put(whole, len), p->head + RX_HEADROOM - nic->header, len);
		lend_again(nic, p);
	}
	return true;
}

static void merged(struct nic *nic, struct pkt *first, const struct net_header *h, u32 len, u32 n)
{
	struct pkt *whole = NULL;
	bool fits = len <= pkt_tailroom(first), complete;

	if (fits)
		whole = pkt_alloc(PKT_POOL_RX, RX_HEADROOM,
				  min(n * (u32)PKT_BUF_SIZE, (u32)FRAME_MAX));
	if (whole)
		memcpy(pkt_put(whole, len), first->data, len);
	complete = gather(nic, whole, n, &fits);
	if (whole && complete && fits) {
		apply_header(whole, h);
		lend_again(nic, first);
		netif_rx(nic->nif, whole);
		return;
	}
	if (whole) {
		pkt_free(whole);
		refuse(nic, first, complete ? DROP_TOO_LONG : DROP_RX_ERROR);
		return;
	}
	netif_stats_this(nic->nif)->rx_dropped++;
	ip_drop_count(DROP_NO_MEMORY);
	lend_again(nic, first);
}

static void take_frame(struct nic *nic, struct pkt *p, u32 len)
{
	struct net_header h = { 0 };
	u32 n = 1;

	if (len < nic->header) {
		refuse(nic, p, DROP_RX_ERROR);
		return;
	}
	memcpy(&h, p->head + RX_HEADROOM - nic->header, nic->header);
	len -= nic->header;
	if (nic->features & F_MRG_RXBUF)
		n = h.num_buffers;
	if (likely(n == 1))
		single(nic, p, &h, len);
	else if (n == 0 || n > nic->rx.size)
		refuse(nic, p, DROP_RX_ERROR);
	else
		merged(nic, p, &h, len, n);
}

u32 virtio_rx_poll(struct nic *nic, u32 budget)
{
	struct pkt *p;
	u32 done = 0, len;

	while (done < budget && vq_take(&nic->rx, &p, &len)) {
		take_frame(nic, p, len);
		done++;
	}
	vq_publish(&nic->rx);
	return done;
}
