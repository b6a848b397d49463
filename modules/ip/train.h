/* SPDX-License-Identifier: MIT */
/* train.h - the look at a frame whether it belongs to this CPU's train: a few words of it against
 * those of the first one. Inline, for every frame that comes in asks. */
#pragma once

#include <weft/bytes.h>
#include <weft/net/train.h>

#include "ip.h"

struct train_slot {
	struct rx_train *train; /* NULL: there is none */
} __cacheline_aligned;
extern struct train_slot train_slots[MAX_CPUS]; /* poll context, each CPU's own */

static inline u16 train_field(const u8 *h, u32 at)
{
	u16 v;

	memcpy(&v, h + at, sizeof(v));
	return v;
}

/* The network header's sum, of the first one's words and its own. */
static inline bool train_sum_good(const struct rx_train *t, const u8 *h, u16 length)
{
	u32 sum;

	if (!t->sum_at)
		return true;
	sum = t->rest + length + train_field(h, t->id_at) + train_field(h, t->sum_at);
	/* of so few words both halves of the product's upper half are 0xffff when those of the sum
	 * make that */
	return sum * 0x10001u >= 0xffff0000u;
}

#define TRAIN_WORDS_MIN 5   /* an Ethernet and an IPv4 header; the most, without a loop */
#define TRAIN_WORDS_EXACT 2 /* of these: before them no bit differs */

static inline bool train_same_word(const struct rx_train *t, const u8 *h, u32 i)
{
	u64 word;

	memcpy(&word, h + 8 * i, sizeof(word));
	if (i >= TRAIN_WORDS_EXACT)
		word &= t->mask[i];
	return word == t->want[i];
}

static inline bool train_same_headers(const struct rx_train *t, const u8 *h)
{
	if (!train_same_word(t, h, 0) || !train_same_word(t, h, 1) || !train_same_word(t, h, 2) ||
	    !train_same_word(t, h, 3) || !train_same_word(t, h, 4))
		return false;
	for (u32 i = TRAIN_WORDS_MIN; i < t->words; i++) {
		if (!train_same_word(t, h, i))
			return false;
	}
	return true;
}

/* p's offset of the link header and its neighbours in one. */
static inline u64 *train_offsets(const struct pkt *p)
{
	_Static_assert(offsetof(struct pkt, ethertype) == offsetof(struct pkt, link_off) + 6,
		       "four fields in a row");
	return (u64 *)&p->link_off;
}

/* True: p, whose data is at the link header, is one of the train's, and ready for its next(). */
static inline bool train_fits(struct rx_train *t, struct pkt *p)
{
	const u8 *h = p->data;
	u32 frame = p->len, len;
	u16 length;

	if (p->nif != t->nif || frame < t->look || (u16)t->offsets != h - p->head ||
	    !train_same_headers(t, h))
		return false;
	length = train_field(h, t->length_at);
	len = ntohs(length) + t->length_add;
	/* also if it is below 0 */
	if (len > frame - t->transport || !train_sum_good(t, h, length))
		return false;
	p->stamp_ns = *t->now;
	*train_offsets(p) = t->offsets;
	p->ip_proto = t->ip_proto;
	p->data += t->transport;
	p->len = len;
	t->frame = frame;
	t->frames++;
	t->bytes += frame;
	t->octets += len;
	return true;
}

/* netio.c */
void netif_rx_alone(struct pkt *p); /* a frame that belongs to no train; p->nif is set */
