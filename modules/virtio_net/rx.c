/* SPDX-License-Identifier: MIT */
/* rx.c - frames come in. Every buffer of the ring has room for the device's header in front of the
 * frame. With MRG_RXBUF a frame over one buffer (the peer's TSO packet, up to 64 KiB) comes in
 * several and is put together in one linear packet; its buffers go back to the ring at once. While
 * such frames are the rule, the ring holds as many bytes in few large buffers, which take them
 * whole; what is small then is copied out. */
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

/* The mean length of frames at which large buffers come, and go */
#define LARGE_BEGIN PKT_LARGE_MIN
#define LARGE_END 4096

/* ---- the ring's buffers ---- */

static u32 size_of(const struct pkt *p)
{
	return p->end - p->head;
}

static bool is_large(const struct pkt *p)
{
	return size_of(p) == PKT_LARGE_SIZE;
}

static int lend(struct nic *nic, struct pkt *p)
{
	u8 *start = p->head + RX_HEADROOM - nic->header;
	u32 room = size_of(p) - RX_HEADROOM;
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
	if (ret < 0) {
		pkt_free(p);
		return ret;
	}
	nic->rx_lent += size_of(p);
	nic->rx_nr_large += is_large(p);
	return 0;
}

static bool take_buffer(struct nic *nic, struct pkt **p, u32 *len)
{
	if (!vq_take(&nic->rx, p, len))
		return false;
	nic->rx_lent -= size_of(*p);
	nic->rx_nr_large -= is_large(*p);
	return true;
}

static struct pkt *fresh_buffer(const struct nic *nic)
{
	struct pkt *p = NULL;

	if (nic->rx_large && !pkt_rx_scarce)
		p = pkt_alloc(PKT_POOL_RX, RX_HEADROOM, PKT_LARGE_SIZE - RX_HEADROOM);
	return p ? p : pkt_alloc(PKT_POOL_RX, RX_HEADROOM, RX_ROOM);
}

/* Lends what is missing to the goal. False: memory is short. */
static bool restock(struct nic *nic)
{
	u32 size = nic->rx_large ? PKT_LARGE_SIZE : PKT_BUF_SIZE;

	while (nic->rx_lent + size <= nic->rx_goal) {
		struct pkt *p = fresh_buffer(nic);

		if (!p || lend(nic, p) < 0)
			return false;
	}
	return true;
}

/* All or none: buffers only change places later, and a frame that is to fill more than there are
 * would be waited for by the device for ever. */
int virtio_rx_fill(struct nic *nic)
{
	u32 n = nic->rx.size / (nic->rx_one_desc ? 1 : 2);

	nic->rx_goal = min(n, (u32)RX_FILL_MAX) * PKT_BUF_SIZE;
	nic->rx_lent = nic->rx_nr_large = nic->rx_mean = 0;
	nic->rx_large = false;
	return restock(nic) ? 0 : -ENOMEM;
}

/* A buffer that was used goes back as it is. */
static void lend_again(struct nic *nic, struct pkt *p)
{
	p->data = p->head + RX_HEADROOM;
	p->len = 0;
	lend(nic, p);
}

/* The same, unless the others are wanted now. */
static void put_back(struct nic *nic, struct pkt *p)
{
	if (likely(is_large(p) == nic->rx_large) || !restock(nic))
		lend_again(nic, p);
	else
		pkt_free(p);
}

/* A few large buffers must not be all there is. */
static void note_length(struct nic *nic, u32 len)
{
	nic->rx_mean += ((s32)len - (s32)nic->rx_mean) / 8;
	if (nic->rx_mean < LARGE_END)
		nic->rx_large = false;
	else if (nic->rx_mean >= LARGE_BEGIN)
		nic->rx_large = nic->rx_goal >= 4 * PKT_LARGE_SIZE;
}

/* ---- frames ---- */

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

static void no_memory(struct nic *nic, struct pkt *p)
{
	netif_stats_this(nic->nif)->rx_dropped++;
	ip_drop_count(DROP_NO_MEMORY);
	lend_again(nic, p);
}

/* What would waste a large buffer. */
static void copy_out(struct nic *nic, struct pkt *p, const struct net_header *h, u32 len)
{
	struct pkt *copy = pkt_alloc(PKT_POOL_RX, RX_HEADROOM, len);

	if (!copy) {
		no_memory(nic, p);
		return;
	}
	memcpy(pkt_put(copy, len), p->data, len);
	put_back(nic, p);
	apply_header(copy, h);
	netif_rx(nic->nif, copy);
}

static void single(struct nic *nic, struct pkt *p, const struct net_header *h, u32 len)
{
	if (len > pkt_tailroom(p) || len < ETH_HLEN) {
		refuse(nic, p, len < ETH_HLEN ? DROP_RUNT : DROP_TOO_LONG);
		return;
	}
	note_length(nic, len);
	if (unlikely(is_large(p) && len < PKT_LARGE_MIN)) {
		copy_out(nic, p, h, len);
		return;
	}
	if (unlikely(!restock(nic))) {
		no_memory(nic, p);
		return;
	}
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
		if (!take_buffer(nic, &p, &len))
			return false;
		/* these have no header: data from where it would be */
		if (len > pkt_tailroom(p) + nic->header || (whole && len > pkt_tailroom(whole)))
			*fits = false;
		else if (whole)
			memcpy(pkt_put(whole, len), p->head + RX_HEADROOM - nic->header, len);
		put_back(nic, p);
	}
	return true;
}

/* Room for what n buffers can hold, the first of which has len bytes. */
static struct pkt *room_for(const struct nic *nic, u32 len, u32 n)
{
	u32 each = PKT_BUF_SIZE - RX_HEADROOM + nic->header;
	bool small = !nic->rx_nr_large && len <= each;

	return pkt_alloc(PKT_POOL_RX, RX_HEADROOM,
			 small ? min(n * each, (u32)FRAME_MAX) : (u32)FRAME_MAX);
}

static void merged(struct nic *nic, struct pkt *first, const struct net_header *h, u32 len, u32 n)
{
	struct pkt *whole = NULL;
	bool fits = len <= pkt_tailroom(first), complete;

	if (fits)
		whole = room_for(nic, len, n);
	if (whole)
		memcpy(pkt_put(whole, len), first->data, len);
	complete = gather(nic, whole, n, &fits);
	if (whole && complete && fits) {
		note_length(nic, whole->len);
		apply_header(whole, h);
		put_back(nic, first);
		netif_rx(nic->nif, whole);
		return;
	}
	if (whole) {
		pkt_free(whole);
		refuse(nic, first, complete ? DROP_TOO_LONG : DROP_RX_ERROR);
		return;
	}
	no_memory(nic, first);
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

	while (done < budget && take_buffer(nic, &p, &len)) {
		take_frame(nic, p, len);
		done++;
	}
	vq_publish(&nic->rx);
	return done;
}
