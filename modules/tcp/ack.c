/* SPDX-License-Identifier: MIT */
/* ack.c - the ACK field of a segment (RFC 9293 3.10.7.4, fifth): what it acknowledges leaves the
 * queue and the scoreboard, gives a round trip, opens windows. The usual ACK of a connection
 * without trouble takes a short way; losses are recovery.c's. */
#include <weft/net/neigh.h>

#include "recovery.h"
#include "stamp.h"

/* ---- is it one of ours? ---- */

/* RFC 9293 3.10.7.4, RFC 5961 5.2: what acknowledges the future, or a past beyond the largest
 * window, is blind data's mark. */
static bool ack_plausible(struct tcp_conn *tc, u32 ack)
{
	if (unlikely(seq_gt(ack, tc->snd_nxt)) ||
	    unlikely(seq_lt(ack, tc->snd_una - max(tc->snd_max_wnd, 65536u)))) {
		tcp_send_challenge(tc);
		return false;
	}
	return true;
}

/* ---- the peer's window ---- */

void tcp_update_window(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	u32 wnd = seg->window;

	if (!(seg->flags & TCP_SYN))
		wnd <<= tc->snd_wscale;
	/* RFC 9293 3.10.7.4: from segments that are not older than the last one used */
	if (!seq_lt(tc->snd_wl1, seg->seq) &&
	    !(tc->snd_wl1 == seg->seq && seq_le(tc->snd_wl2, seg->ack)))
		return;
	tc->snd_wl1 = seg->seq;
	tc->snd_wl2 = seg->ack;
	if (wnd == tc->snd_wnd)
		return;
	if (wnd > tc->snd_wnd && (tc->tx_next || tc->fin_queued)) {
		tc->backoff = tc->snd_nxt == tc->snd_una ? 0 : tc->backoff;
		tcp_defer(tc, TCP_TODO_OUTPUT);
	}
	tc->snd_wnd = wnd;
	if (wnd > tc->snd_max_wnd)
		tc->snd_max_wnd = wnd;
}

/* ---- round trips ---- */

static void sample_rtt(struct tcp_conn *tc, struct tcp_ack_info *info)
{
	/* RFC 6298 3 (Karn): what waited at the peer behind a hole tells when that was filled */
	if (unlikely(info->retrans_acked))
		info->first_sent = info->last_sent = 0;
	if (likely(info->first_sent)) {
		tcp_rtt_sample(tc, info->now - info->first_sent);
		return;
	}
	/* RFC 7323 4.1: the time stamp tells which transmission it was */
	if (info->una_advanced && info->has_ts && info->tsecr && info->retrans_acked) {
		u32 now_ms = (u32)(info->now / NSEC_PER_MSEC) + tc->ts_offset;
		u32 ms = now_ms - info->tsecr;

		if (ms < 120000)
			tcp_rtt_sample(tc, ms * NSEC_PER_MSEC);
	}
}

/* ---- what is acknowledged ---- */

static __noinline void advance_watched(struct tcp_conn *tc)
{
	if (tc->watched & TCP_WATCHED_MTU)
		tcp_mtu_advanced(tc);
	if (tc->watched & TCP_WATCHED_STAMPS)
		tcp_stamps_acked(tc);
}

static void advance_una(struct tcp_conn *tc, u32 ack, struct tcp_ack_info *info)
{
	info->una_advanced = true;
	info->acked = ack - tc->snd_una;
	tcp_recs_acked(tc, ack, info);
	tc->snd_una = ack;
	if (unlikely(tc->watched))
		advance_watched(tc);
	if (likely(!list_empty(&tc->txq)))
		tcp_txq_free(tc, ack);
	tc->rto_base_ns = info->now;
	tc->backoff = 0;
	tc->retrans_start_ns = 0;
	if (unlikely(tc->urgent_out) && seq_ge(ack, tc->snd_up))
		tc->urgent_out = false;
	if (unlikely(seq_lt(tc->sack_high, ack)))
		tc->sack_high = ack;
	neigh_confirm(&tc->is.flow);
	tcp_defer(tc, TCP_TODO_WRITE);
}

/* RFC 5681 2: a duplicate is without data, window news, SYN or FIN, while something is out. */
static bool is_duplicate(const struct tcp_conn *tc, const struct tcp_seg *seg, u32 old_wnd)
{
	return seg->ack == tc->snd_una && tc->snd_nxt != tc->snd_una && !seg->len &&
	       !(seg->flags & (TCP_SYN | TCP_FIN)) && tc->snd_wnd == old_wnd;
}

bool tcp_ack(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	struct tcp_ack_info info;
	u32 old_wnd = tc->snd_wnd;

	if (unlikely(!ack_plausible(tc, seg->ack)))
		return false;
	if (unlikely(seq_lt(seg->ack, tc->snd_una)))
		return true; /* old news */
	if (seg->ack == tc->snd_una && tc->snd_nxt == tc->snd_una) {
		tcp_update_window(tc, seg); /* nothing is out */
		return true;
	}
	info = (struct tcp_ack_info){
		.now = ktime_get(),
		.prior_pipe = tcp_pipe(tc),
		.prior_high = tc->sack_high,
		.has_ts = seg->has_ts,
		.tsecr = seg->tsecr,
		.ece = seg->flags & TCP_ECE,
	};
	if (seg->ack != tc->snd_una)
		advance_una(tc, seg->ack, &info);
	if (unlikely(seg->nr_sacks) && tcp_has_sack(tc)) {
		tcp_recs_sacked(tc, seg, &info);
		/* SACK alone is never delayed: it answers what came last */
		if (!info.una_advanced)
			info.first_sent = info.last_sent;
	}
	tcp_update_window(tc, seg);
	info.dupack = !info.una_advanced && is_duplicate(tc, seg, old_wnd);
	tc->delivered_segs += info.delivered_segs;
	tcp_count_add(TCP_TCPDelivered, info.delivered_segs);
	sample_rtt(tc, &info);
	tcp_rate_take(tc, &info);
	if (tc->snd_una == tc->write_seq && tc->limit)
		tcp_limit_set(tc, TCP_LIMIT_NONE, info.now);
	if (likely(tcp_calm(tc) && !info.dupack && !info.ece && !info.dsack)) {
		tcp_cc_acked(tc, &info);
		if (info.una_advanced)
			tcp_loss_timer(tc, info.now, 0);
	} else {
		tcp_recover(tc, &info);
	}
	if (tc->tx_next || tc->lost_out || (tc->fin_queued && !tc->fin_sent))
		tcp_defer(tc, TCP_TODO_OUTPUT);
	return true;
}
