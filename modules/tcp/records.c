/* SPDX-License-Identifier: MIT */
/* records.c - the scoreboard: what is between snd_una and snd_nxt, when each part left, what of it
 * was SACKed or lost (RFC 2018, 6675). A record is one transmission; SACK splits it at borders of
 * segments only, runs that are SACKed are one record, and beyond TCP_RECS_MAX nothing is split: a
 * peer cannot make us walk or keep more (CVE-2019-11477, 11478). */
#include <weft/alloc.h>

#include "recovery.h"

static struct kmem_cache *rec_cache;

int tcp_records_init(void)
{
	rec_cache = kmem_cache_create("tcp_rec", sizeof(struct tcp_rec), 0);
	return rec_cache ? 0 : -ENOMEM;
}

void tcp_records_exit(void)
{
	kmem_cache_destroy(rec_cache);
}

static u32 rec_len(const struct tcp_rec *r)
{
	return r->end - r->seq;
}

/* Most connections have one segment on its way at a time. */
static struct tcp_rec *rec_alloc(struct tcp_conn *tc)
{
	if (tc->own_rec_used)
		return kmem_cache_alloc(rec_cache);
	tc->own_rec_used = true;
	return &tc->own_rec;
}

static void rec_free(struct tcp_conn *tc, struct tcp_rec *r)
{
	list_del(&r->node);
	list_del(&r->time_node);
	tc->nr_recs--;
	if (tc->sack_hint == r)
		tc->sack_hint = NULL;
	if (r == &tc->own_rec)
		tc->own_rec_used = false;
	else
		kmem_cache_free(rec_cache, r);
}

void tcp_recs_purge(struct tcp_conn *tc)
{
	while (!list_empty(&tc->recs))
		rec_free(tc, tcp_rec_first(tc));
	tc->sacked_out = tc->lost_out = tc->retrans_out = 0;
}

/* The packet of the queue that holds seq, p or one behind it. NULL: behind all data. */
static struct pkt *data_at(struct tcp_conn *tc, struct pkt *p, u32 seq)
{
	while (p && seq_ge(seq, tcp_tx_cb(p)->seq + p->len)) {
		if (p->node.next == &tc->txq)
			return NULL;
		p = list_entry(p->node.next, struct pkt, node);
	}
	return p;
}

bool tcp_rec_add(struct tcp_conn *tc, u32 seq, u32 end, struct pkt *data, u8 flags)
{
	struct tcp_rec *r = rec_alloc(tc);
	u64 now = ktime_get();

	if (unlikely(!r)) {
		r = tcp_rec_last(tc);
		if (!r || r->end != seq ||
		    (r->flags & ~(u32)(TCP_REC_RETRANS | TCP_REC_APP_LIMITED)))
			return false;
		/* as if it had all left now: RACK and RTT see only one time */
		r->end = end;
		r->flags |= flags;
		if (r->flags & TCP_REC_RETRANS)
			tc->retrans_out += end - seq;
		r->sent_ns = now;
		list_move_tail(&r->time_node, &tc->recs_by_time);
		return true;
	}
	r->seq = seq;
	r->end = end;
	r->sent_ns = now;
	r->data = data;
	r->mss = max(tc->mss_now, (u16)1);
	r->tries = 1;
	r->flags = flags;
	tcp_rate_sent(tc, r);
	list_add_tail(&r->node, &tc->recs);
	list_add_tail(&r->time_node, &tc->recs_by_time);
	tc->nr_recs++;
	return true;
}

void tcp_rec_unsend(struct tcp_conn *tc, u32 seq)
{
	struct tcp_rec *r = tcp_rec_last(tc);

	if (!r || seq_le(r->end, seq))
		return;
	if (r->flags & TCP_REC_RETRANS)
		tc->retrans_out -= r->end - seq_max(seq, r->seq);
	if (seq_le(seq, r->seq)) {
		rec_free(tc, r);
	} else {
		r->end = seq;
		r->flags &= ~(u32)TCP_REC_FIN;
	}
}

int tcp_rec_split(struct tcp_conn *tc, struct tcp_rec *r, u32 at)
{
	struct tcp_rec *b = rec_alloc(tc);

	if (!b)
		return -ENOMEM;
	*b = *r;
	b->seq = at;
	r->end = at;
	r->flags &= ~(u32)TCP_REC_FIN;
	b->flags &= ~(u32)TCP_REC_SYN;
	b->data = data_at(tc, r->data, at);
	list_add(&b->node, &r->node);
	if (list_empty(&r->time_node))
		list_init(&b->time_node);
	else
		list_add(&b->time_node, &r->time_node);
	tc->nr_recs++;
	return 0;
}

/* ---- lost and sent again ---- */

void tcp_rec_lost(struct tcp_conn *tc, struct tcp_rec *r)
{
	if (r->flags & (TCP_REC_SACKED | TCP_REC_LOST))
		return;
	r->flags |= TCP_REC_LOST;
	tc->lost_out += rec_len(r);
	if (unlikely(tc->mtu_probe && r->seq == tc->mtu_seq))
		tc->mtu_lost = true;
	if (r->flags & TCP_REC_RETRANS) {
		tc->retrans_out -= rec_len(r);
		tcp_count(TCP_TCPLostRetransmit);
	}
	list_move_tail(&r->time_node, &tc->recs_lost);
}

void tcp_rec_resent(struct tcp_conn *tc, struct tcp_rec *r, u64 now)
{
	if (r->flags & TCP_REC_LOST)
		tc->lost_out -= rec_len(r);
	else if (r->flags & TCP_REC_RETRANS)
		tc->retrans_out -= rec_len(r);
	r->flags = (r->flags & ~(u32)(TCP_REC_LOST | TCP_REC_APP_LIMITED)) | TCP_REC_RETRANS;
	tc->retrans_out += rec_len(r);
	r->sent_ns = now;
	tcp_rate_sent(tc, r);
	r->mss = max(tc->mss_now, (u16)1); /* a SYN's is not known yet */
	if (r->tries < 255)
		r->tries++;
	list_move_tail(&r->time_node, &tc->recs_by_time);
}

void tcp_recs_lose_all(struct tcp_conn *tc)
{
	struct tcp_rec *r;

	list_for_each_entry(r, &tc->recs, node) {
		if (r->flags & TCP_REC_SACKED)
			continue;
		if (r->flags & TCP_REC_LOST)
			list_move_tail(&r->time_node, &tc->recs_lost); /* in order again */
		else
			tcp_rec_lost(tc, r);
	}
}

/* The peer has taken SACKs back, which it may (RFC 2018 8). */
void tcp_recs_forget_sacks(struct tcp_conn *tc)
{
	struct tcp_rec *r;

	list_for_each_entry(r, &tc->recs, node) {
		if (!(r->flags & TCP_REC_SACKED))
			continue;
		r->flags &= ~(u32)TCP_REC_SACKED;
		if (r->flags & TCP_REC_RETRANS)
			tc->retrans_out += rec_len(r);
		list_add_tail(&r->time_node, &tc->recs_by_time);
	}
	tc->sacked_out = 0;
	tc->sack_high = tc->snd_una;
	memset(tc->sack_seen, 0, sizeof(tc->sack_seen));
}

/* ---- delivered ---- */

/* The first len bytes of r, or all of it, have arrived and this is the first we hear of it. */
static void note_delivery(struct tcp_conn *tc, const struct tcp_rec *r, u32 len,
			  struct tcp_ack_info *info)
{
	info->delivered_segs += likely(len <= r->mss) ? 1 : DIV_ROUND_UP(len, (u32)r->mss);
	if (unlikely(r->flags & TCP_REC_SYN))
		len = 0; /* is no data to congestion control */
	tc->delivered += len;
	info->delivered += len;
	if (likely(len))
		tcp_rate_delivered(tc, r, info);
	if (unlikely(r->flags & TCP_REC_LOST))
		tc->lost_out -= len;
	else if (unlikely(r->flags & TCP_REC_RETRANS))
		tc->retrans_out -= len;
	if (likely(!(r->flags & TCP_REC_RETRANS))) {
		if (!info->first_sent || r->sent_ns < info->first_sent)
			info->first_sent = r->sent_ns;
		if (r->sent_ns > info->last_sent)
			info->last_sent = r->sent_ns;
		if (seq_le(r->end, tc->recover))
			info->orig_acked = true;
		/* RFC 8985 6.2 step 3: sent once, and something behind it came first */
		if (unlikely(seq_lt(r->seq + len, info->prior_high))) {
			if (!tc->rack_reordering_seen)
				tcp_count(TCP_TCPSACKReorder);
			tc->rack_reordering_seen = true;
			tc->reord_seen++;
		}
	} else {
		info->retrans_acked = true;
	}
	tcp_rack_delivered(tc, r, r->seq + len, info);
}

void tcp_recs_acked(struct tcp_conn *tc, u32 ack, struct tcp_ack_info *info)
{
	struct tcp_rec *r;

	while ((r = tcp_rec_first(tc)) && seq_lt(r->seq, ack)) {
		bool whole = seq_le(r->end, ack);
		u32 len = whole ? rec_len(r) : ack - r->seq;

		if (r->flags & TCP_REC_SACKED)
			tc->sacked_out -= len;
		else
			note_delivery(tc, r, len, info);
		if (whole) {
			rec_free(tc, r);
			continue;
		}
		r->seq = ack;
		r->data = data_at(tc, r->data, ack);
		/* segments are cut from the front of what is left, should it go again */
		return;
	}
}

/* ---- SACK ---- */

static void sack_one(struct tcp_conn *tc, struct tcp_rec *r, struct tcp_ack_info *info)
{
	note_delivery(tc, r, rec_len(r), info);
	r->flags = (r->flags & ~(u32)TCP_REC_LOST) | TCP_REC_SACKED;
	list_del(&r->time_node);
	tc->sacked_out += rec_len(r);
	if (seq_gt(r->end, tc->sack_high))
		tc->sack_high = r->end;
	info->sacked_new = true;
}

/* b lies right behind a and both are SACKed: one record. */
static bool join(struct tcp_conn *tc, struct tcp_rec *a, struct tcp_rec *b)
{
	if (!(a->flags & TCP_REC_SACKED) || !(b->flags & TCP_REC_SACKED))
		return false;
	a->end = b->end;
	a->flags |= b->flags;
	rec_free(tc, b);
	return true;
}

static struct tcp_rec *join_around(struct tcp_conn *tc, struct tcp_rec *r)
{
	struct tcp_rec *prev;

	if (r->node.prev != &tc->recs) {
		prev = list_entry(r->node.prev, struct tcp_rec, node);
		if (join(tc, prev, r))
			r = prev;
	}
	if (r->node.next != &tc->recs)
		join(tc, r, list_entry(r->node.next, struct tcp_rec, node));
	return r;
}

/* Makes the segments of r inside [start, end) a record of their own. NULL: there is none, or it
 * cannot be cut out. */
static struct tcp_rec *cut_out(struct tcp_conn *tc, struct tcp_rec *r, u32 start, u32 end)
{
	u32 from = seq_gt(start, r->seq) ? start - r->seq : 0;
	u32 to = seq_lt(end, r->end) ? end - r->seq : rec_len(r);
	u32 cuts;

	from = DIV_ROUND_UP(from, r->mss) * r->mss;
	if (to < rec_len(r))
		to -= to % r->mss;
	if (from >= to)
		return NULL;
	cuts = (from > 0) + (to < rec_len(r));
	if (cuts && tc->nr_recs + cuts > TCP_RECS_MAX)
		return NULL;
	if (to < rec_len(r) && tcp_rec_split(tc, r, r->seq + to))
		return NULL;
	if (from) {
		if (tcp_rec_split(tc, r, r->seq + from))
			return NULL;
		r = list_next_entry(r, node);
	}
	return r;
}

/* Marks what lies whole in [start, end). True: that was all of it. */
static bool mark(struct tcp_conn *tc, u32 start, u32 end, struct tcp_ack_info *info)
{
	struct tcp_rec *r = tc->sack_hint, *part;
	bool all = true;

	if (!r || seq_gt(r->seq, start))
		r = tcp_rec_first(tc);
	while (r && seq_lt(r->seq, end)) {
		u32 lo = seq_max(start, r->seq), hi = seq_min(end, r->end);
		bool more;

		if (seq_gt(r->end, start) && !(r->flags & TCP_REC_SACKED)) {
			part = cut_out(tc, r, start, end);
			if (!part || part->seq != lo || part->end != hi)
				all = false;
			if (part) {
				sack_one(tc, part, info);
				r = tc->sack_hint = join_around(tc, part);
			}
		}
		more = r->node.next != &tc->recs;
		r = more ? list_next_entry(r, node) : NULL;
	}
	return all;
}

/* RFC 2883 4: the first block names what came twice when it is not above the ACK, or lies in the
 * second block. */
static bool find_dsack(struct tcp_conn *tc, const struct tcp_seg *seg, struct tcp_ack_info *info)
{
	const struct tcp_range *b = seg->sacks;

	if (!seq_lt(b[0].start, b[0].end))
		return false;
	if (!seq_le(b[0].end, seg->ack) &&
	    !(seg->nr_sacks > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end)))
		return false;
	/* nothing we ever sent, or too long ago to mean anything */
	if (seq_gt(b[0].end, tc->snd_nxt) ||
	    seq_lt(b[0].start, tc->snd_una - max(tc->snd_max_wnd, 65536u))) {
		tcp_count(TCP_TCPDSACKIgnoredOld);
		return true;
	}
	info->dsack = true;
	info->dsack_block = b[0];
	tcp_count(TCP_TCPDSACKRecv);
	return true;
}

static bool seen_before(const struct tcp_conn *tc, struct tcp_range *b)
{
	for (u32 i = 0; i < TCP_SACK_BLOCKS_IN; i++) {
		const struct tcp_range *s = &tc->sack_seen[i];

		if (s->start == s->end || seq_lt(b->start, s->start) || seq_gt(b->start, s->end))
			continue;
		if (seq_le(b->end, s->end))
			return true;
		b->start = s->end; /* only its growth is news */
	}
	return false;
}

void tcp_recs_sacked(struct tcp_conn *tc, const struct tcp_seg *seg, struct tcp_ack_info *info)
{
	struct tcp_range seen[TCP_SACK_BLOCKS_IN] = { 0 };
	u32 i = find_dsack(tc, seg, info) ? 1 : 0;

	if (seq_lt(tc->sack_high, tc->snd_una))
		tc->sack_high = tc->snd_una;
	if (!tc->sacked_out) /* what was seen is long ago: sequence numbers come round again */
		memset(tc->sack_seen, 0, sizeof(tc->sack_seen));
	for (; i < seg->nr_sacks; i++) {
		struct tcp_range b = seg->sacks[i];

		if (!seq_lt(b.start, b.end) || seq_lt(b.start, tc->snd_una) ||
		    seq_gt(b.end, tc->snd_nxt)) {
			tcp_count(TCP_TCPSACKDiscard);
			continue;
		}
		if (seen_before(tc, &b) || mark(tc, b.start, b.end, info))
			seen[i] = seg->sacks[i];
	}
	memcpy(tc->sack_seen, seen, sizeof(seen));
}
