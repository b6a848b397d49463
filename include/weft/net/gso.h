/* SPDX-License-Identifier: MIT */
/* gso.h - a large packet's segments or datagrams, one after the other: headers are made anew for
 * each, the payload stays where it is. For the core, which cuts what a device cannot, and for
 *drivers whose devices take a frame in pieces: those copy no payload.
 *
 *	if (!gso_cut_start(&c, p)) ...			not what pkt.h promises
 *	do
 *		len = gso_cut_next(&c, header, &payload);
 *	while (gso_cut_more(&c)); */
#pragma once

#include <weft/pkt.h>

struct gso_cut {
	const struct pkt *p;
	u32 headers; /* bytes of all layers together */
	u32 payload; /* of the whole */
	u32 off;     /* in it, of the next segment */
	u32 mss;
	/* gso.c's; offsets are from the start of the frame */
	u32 net, trans;
	u32 seq;
	u32 sum;    /* the pseudo header's, without a length */
	u32 ip_sum; /* IPv4's, without what differs */
	u16 full_sum, ip_id;
	u8 sum_off; /* of the checksum in the transport's header */
	bool v6, udp;
};

/* p keeps its bytes until the last segment is made. False: not what pkt.h promises. */
bool gso_cut_start(struct gso_cut *c, const struct pkt *p);
/* The next segment's headers go to h, c->headers bytes, their checksum field with the pseudo
 * header's sum as PKT_CSUM_FILL wants it. Its payload's length, and in *payload where it is. */
u32 gso_cut_next(struct gso_cut *c, u8 *h, const u8 **payload);

static inline bool gso_cut_more(const struct gso_cut *c)
{
	return c->off < c->payload;
}

static inline u32 gso_cut_segments(const struct gso_cut *c)
{
	return c->payload ? (c->payload + c->mss - 1) / c->mss : 1;
}
