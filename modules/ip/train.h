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
	/* the upper half of a number and its halves exchanged is its folded sum */
	return (sum + (sum << 16 | sum >> 16)) >> 16 == 0xffff;
}

#define TRAIN_WORDS_MIN 5 /* an Ethernet and an IPv4 header; the most, without a loop */

static inline bool train_same_word(const struct rx_train *t, const u8 *h, u32 i)
{
	u64 word;

	memcpy(&word, h + 8 * i, sizeof(word));
	return (word & t->mask[i]) == t->want[i];
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

/* p is as it came again, and not counted. False. */
static __noinline bool train_not_taken(struct rx_train *t, struct pkt *p, u32 frame)
{
	t->frames--;
	t->bytes -= frame;
	t->octets -= p->len + t->transport;
	p->data -= t->transport;
	p->len = frame;
	return false;
}

/* True: p is gone with the train. p->nif and p->stamp_ns are set, data at the link header. */
static inline bool train_takes(struct pkt *p)
{
	struct rx_train *t = train_slots[cpu_id()].train;
	const u8 *h = p->data;
	u32 frame = p->len, len;
	u16 length;

	if (!t)
		return false;
	if (p->nif != t->nif || frame < 8 * t->words || (u16)t->offsets != h - p->head ||
	    !train_same_headers(t, h))
		return false;
	length = train_field(h, t->length_at);
	len = ntohs(length) + t->length_add;
	if (len > frame || len < t->transport || !train_sum_good(t, h, length))
		return false;
	*train_offsets(p) = t->offsets;
	p->ip_proto = t->ip_proto;
	p->data += t->transport;
	p->len = len - t->transport;
	t->frames++;
	t->bytes += frame;
	t->octets += len;
	return likely(t->next(t, p)) || train_not_taken(t, p, frame);
}
