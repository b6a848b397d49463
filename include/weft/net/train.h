/* SPDX-License-Identifier: MIT */
/* train.h - frames of one stream in a row. Who has got one of them as a transport may ask to be
 * given the next ones at once: those whose link and network headers and ports are the same in every
 * bit that does not differ between datagrams of one stream. No layer in between looks at them, for
 * none would decide otherwise before the batch is over; they count them when it is.
 *
 * Poll context, one train a CPU. It must end with its batch: what a layer decided about the first
 * frame (addresses, routes, a raw socket that listens) holds no longer. */
#pragma once

#include <weft/net/proto.h>

#define RX_TRAIN_WORDS 8 /* of 64 bits: a tagged link header and IPv6's */

struct rx_train {
	/* p, whose data is at the transport's header and no longer than its datagram, may be the
	 * next one: takes it, or leaves it as it is to rx_train_refuse. */
	void (*next)(struct rx_train *t, struct pkt *p);

	/* the core's */
	const struct train_header *header;
	struct netif *nif;
	u64 want[RX_TRAIN_WORDS], mask[RX_TRAIN_WORDS];
	u32 words;	/* of these, with bytes behind the headers that are not looked at */
	u32 look;	/* their bytes */
	u32 transport;	/* offset of its header from the link's */
	u32 length_at;	/* likewise, of the datagram's length */
	u32 length_add; /* what it lacks to the transport's; below 0, as a rule */
	u32 id_at, sum_at;
	u32 rest;    /* of the network header's sum: the words that do not differ */
	u64 offsets; /* link_off, net_off, trans_off and ethertype, as they stand in a packet */
	u8 ip_proto, tos;
	u32 frame;	   /* the last one's length */
	u64 frames, bytes; /* taken */
	u64 octets;	   /* likewise, of the transport's */
	const u64 *now;	   /* poll_clock() */
};

/* From p on, which came with rx; its headers are still where they were. Without effect where some
 * layer has to see each frame. */
void rx_train_begin(struct rx_train *t, const struct pkt *p, const struct ip_rx *rx);
/* From next: p goes the usual way. */
void rx_train_refuse(struct rx_train *t, struct pkt *p);
void rx_train_end(struct rx_train *t); /* also one that did not begin (t->nif NULL) */
