/* SPDX-License-Identifier: MIT */
/* recovery.c - what is lost, and what that does to the window: RACK (RFC 8985) where the peer has
 * SACK, NewReno (RFC 6582) where not, proportional rate reduction (RFC 9937), tail loss probes,
 * F-RTO (RFC 5682), and taking it all back when it was a mistake (D-SACK, RFC 3708; time stamps,
 * RFC 3522). Limited transmit (RFC 3042) needs no code: what is SACKed, or duplicate ACKs tell of,
 * is out of the pipe, so new data moves up. */
#include "recovery.h"

#define RACK_PERSIST 16 /* recoveries that a widened reordering window lasts (8985 6.2 step 4) */
#define REO_FLOOR NSEC_PER_MSEC /* on the shortest paths scheduling is all there is to measure */
#define FRTO_SENT 1		/* the first segment was sent again */
#define FRTO_PROBING 2		/* new data followed it */

/* ---- reductions ---- */

static void prr_start(struct tcp_conn *tc, u32 in_flight)
{
	tc->prr_delivered = tc->prr_out = 0;
	tc->prr_recover_fs = max(in_flight, 1u);
}

void tcp_reduce(struct tcp_conn *tc, enum tcp_cc_event ev, u32 inflight)
{
	struct tcp_cc *cc = &tc->cc;

	if (tc->ca_state < TCP_CA_CWR) {
		cc->prior_cwnd = cc->cwnd;
		cc->prior_ssthresh = cc->ssthresh;
	}
	/* where the window was the limit, it was full but for what a large packet waits for */
	if (cc->cwnd_limited)
		inflight = max(inflight, cc->cwnd);
	cc->ssthresh = max(cc->algo->reduce(cc, ev, inflight), 2 * cc->mss);
	tc->undo_marker = true;
	tc->undo_una = tc->snd_una;
	tc->undo_retrans = 0;
	tc->retrans_ts = 0;
}

void tcp_enter_cwr(struct tcp_conn *tc)
{
	tcp_reduce(tc, TCP_CC_ECN, tcp_pipe(tc));
	tc->undo_marker = false; /* a mark is no guess */
	prr_start(tc, tcp_pipe(tc));
	tc->recover = tc->snd_nxt;
	tc->ca_state = TCP_CA_CWR;
}

static void enter_recovery(struct tcp_conn *tc, u32 prior_pipe)
{
	tcp_count(tcp_has_sack(tc) ? TCP_TCPSackRecovery : TCP_TCPRenoRecovery);
	if (tc->ca_state < TCP_CA_CWR) {
		tcp_reduce(tc, TCP_CC_LOSS, prior_pipe);
		prr_start(tc, prior_pipe);
	}
	tc->recover = tc->snd_nxt;
	tc->ca_state = TCP_CA_RECOVERY;
}

static void loss_found(struct tcp_conn *tc, u32 prior_pipe)
{
	if (tc->ca_state < TCP_CA_RECOVERY && likely(!tcp_mtu_probe_lost(tc)))
		enter_recovery(tc, prior_pipe);
}

/* RFC 9937 5.2: what each ACK lets out, so that ssthresh is reached when a window has been
 * acknowledged, without a pause and without a burst. */
static void prr_update(struct tcp_conn *tc, const struct tcp_ack_info *info, bool lost_more)
{
	u32 pipe = tcp_pipe(tc), ssthresh = tc->cc.ssthresh, mss = tc->cc.mss;
	s64 send;

	if (!info->delivered)
		return;
	tc->prr_delivered += info->delivered;
	if (pipe > ssthresh) {
		send = (s64)DIV_ROUND_UP((u64)tc->prr_delivered * ssthresh, tc->prr_recover_fs) -
		       tc->prr_out;
	} else {
		send = max((s64)tc->prr_delivered - tc->prr_out, (s64)info->delivered);
		if (info->una_advanced && !lost_more)
			send += mss; /* the ACK is safe: catch up as in slow start */
		send = min(send, (s64)(ssthresh - pipe));
	}
	if (!tc->prr_out && tc->lost_out)
		send = max(send, (s64)mss); /* the fast retransmit itself */
	tc->cc.cwnd = max(pipe + (u32)max(send, (s64)0), mss);
}

void tcp_recovery_sent(struct tcp_conn *tc, u32 len, bool retrans)
{
	if (unlikely(tc->ca_state == TCP_CA_RECOVERY || tc->ca_state == TCP_CA_CWR))
		tc->prr_out += len;
	if (unlikely(retrans)) {
		tc->undo_retrans += len;
		if (!tc->retrans_ts)
			tc->retrans_ts = max(tcp_ts_now(tc), 1u);
	}
}

/* ---- undoing ---- */

/* What was marked lost and has not been sent again is on its way after all. */
static void unmark_lost(struct tcp_conn *tc)
{
	struct tcp_rec *r;

	while (!list_empty(&tc->recs_lost)) {
		r = list_last_entry(&tc->recs_lost, struct tcp_rec, time_node);
		r->flags &= ~(u32)TCP_REC_LOST;
		if (r->flags & TCP_REC_RETRANS)
			tc->retrans_out += r->end - r->seq;
		list_del(&r->time_node);
		list_add(&r->time_node, &tc->recs_by_time); /* it left before all others */
	}
	tc->lost_out = 0;
}

static void undo(struct tcp_conn *tc)
{
	struct tcp_cc *cc = &tc->cc;

	unmark_lost(tc);
	cc->cwnd = max(cc->cwnd, cc->prior_cwnd);
	cc->ssthresh = max(cc->ssthresh, cc->prior_ssthresh);
	if (cc->algo->undo)
		cc->algo->undo(cc);
	tc->undo_marker = false;
	tc->retrans_ts = 0;
	tc->frto = 0;
	tc->ca_state = tc->sacked_out ? TCP_CA_DISORDER : TCP_CA_OPEN;
}

/* Did the originals arrive? Each copy was reported as a duplicate (RFC 3708), or the ACK is an
 * answer to something sent before the first copy (RFC 3522). */
static bool was_spurious(const struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	if (!tc->undo_marker || !tc->retrans_ts)
		return false;
	if (info->dsack && tc->undo_retrans <= 0)
		return true;
	return info->una_advanced && info->has_ts && info->tsecr &&
	       seq_lt(info->tsecr, tc->retrans_ts);
}

static void note_dsack(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	const struct tcp_range *d = &info->dsack_block;

	tc->dsack_dups++;
	if (tc->undo_marker && seq_ge(d->start, tc->undo_una))
		tc->undo_retrans -= d->end - d->start;
	/* RFC 8985 6.2 step 4: our reordering window was too small; once a round trip */
	if (!tc->rack_dsack_round) {
		tc->rack_dsack_round = true;
		tc->rack_dsack_end = tc->snd_nxt;
		if (tc->rack_reo_mult < 255)
			tc->rack_reo_mult++;
		tc->rack_reo_persist = RACK_PERSIST;
	}
}

/* ---- RACK ---- */

void tcp_rack_delivered(struct tcp_conn *tc, const struct tcp_rec *r, u32 end,
			const struct tcp_ack_info *info)
{
	u64 rtt = info->now - r->sent_ns;

	if (unlikely(r->flags & TCP_REC_RETRANS)) {
		u32 sent_ms = (u32)(r->sent_ns / NSEC_PER_MSEC) + tc->ts_offset;

		/* an answer to the original? */
		if (info->has_ts && seq_lt(info->tsecr, sent_ms))
			return;
		if (rtt < tc->min_rtt_ns)
			return;
	}
	if (r->sent_ns > tc->rack_sent_ns ||
	    (r->sent_ns == tc->rack_sent_ns && seq_gt(end, tc->rack_end))) {
		tc->rack_sent_ns = r->sent_ns;
		tc->rack_end = end;
		tc->rack_rtt_ns = rtt;
	}
}

/* RFC 8985 6.2 step 4 */
static u64 reordering_window(const struct tcp_conn *tc)
{
	if (!tc->rack_reordering_seen &&
	    (tc->ca_state >= TCP_CA_RECOVERY || tc->sacked_out >= TCP_DUPTHRESH * tc->cc.mss))
		return 0;
	return min(max(tc->rack_reo_mult, (u8)1) * tc->min_rtt_ns / 4, tc->srtt_ns);
}

/* RFC 8985 6.2 step 5: what left so long before something that has arrived is lost. Returns when to
 * look again, 0: nothing to wait for. The list is by time, so what comes next waits longer. */
static u64 rack_detect(struct tcp_conn *tc, u64 now)
{
	u64 window, due;

	if (!tc->rack_sent_ns)
		return 0;
	window = tc->rack_rtt_ns + reordering_window(tc);
	while (!list_empty(&tc->recs_by_time)) {
		struct tcp_rec *r = list_first_entry(&tc->recs_by_time, struct tcp_rec, time_node);

		if (r->sent_ns > tc->rack_sent_ns ||
		    (r->sent_ns == tc->rack_sent_ns && seq_ge(r->end, tc->rack_end)))
			return 0;
		due = r->sent_ns + window;
		if (due > now)
			return max(due - now, REO_FLOOR);
		tcp_rec_lost(tc, r);
	}
	return 0;
}

void tcp_rack_reordering_timeout(struct tcp_conn *tc)
{
	u64 now = ktime_get(), again;
	u32 pipe = tcp_pipe(tc);

	again = rack_detect(tc, now);
	if (tc->lost_out) {
		loss_found(tc, pipe);
		tc->cc.cwnd = max(tc->cc.cwnd, tcp_pipe(tc) + tc->cc.mss);
		tcp_defer(tc, TCP_TODO_OUTPUT);
	}
	tcp_loss_timer(tc, now, again);
}

/* ---- without SACK ---- */

static void lose_head(struct tcp_conn *tc)
{
	struct tcp_rec *r = tcp_rec_first(tc);

	if (!r)
		return;
	/* without memory all of it counts as lost, which only repeats more than needed */
	if (r->end - r->seq > tc->cc.mss)
		tcp_rec_split(tc, r, r->seq + tc->cc.mss);
	tcp_rec_lost(tc, r);
}

/* A duplicate ACK means that one segment has left the network (RFC 5681 3.2); which one is unknown.
 */
static void count_duplicates(struct tcp_conn *tc, struct tcp_ack_info *info)
{
	u32 flight = tc->snd_nxt - tc->snd_una, mss = tc->cc.mss, known;

	if (info->una_advanced) {
		known = min(tc->sacked_out, info->acked > mss ? info->acked - mss : 0);
		info->delivered -= min(known, info->delivered);
		tc->sacked_out = tc->ca_state < TCP_CA_RECOVERY ? 0 : tc->sacked_out - known;
		tc->dupacks = 0;
	} else if (info->dupack) {
		if (tc->dupacks < 255)
			tc->dupacks++;
		if (tc->sacked_out + tc->lost_out + mss < flight) {
			tc->sacked_out += mss;
			info->delivered += mss;
		}
	}
	tc->sacked_out = min(tc->sacked_out, flight - min(flight, tc->lost_out));
}

static void newreno_detect(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	/* RFC 6582 3.2 step 3: a partial ACK names the next hole */
	if (tc->ca_state == TCP_CA_RECOVERY && info->una_advanced &&
	    seq_lt(tc->snd_una, tc->recover))
		lose_head(tc);
	/* step 2: not for the echoes of an earlier recovery */
	if (tc->ca_state < TCP_CA_RECOVERY && tc->dupacks >= TCP_DUPTHRESH &&
	    seq_gt(tc->snd_una, tc->recover))
		lose_head(tc);
}

/* ---- tail loss probes (RFC 8985 7) ---- */

/* The last segment in flight, as a record of its own if there is memory. A FIN is on it, not one.
 */
static struct tcp_rec *last_segment(struct tcp_conn *tc, struct tcp_rec *r)
{
	u32 len = r->end - r->seq - !!(r->flags & TCP_REC_FIN);
	u32 before = len ? (len - 1) / r->mss * r->mss : 0;

	return before && !tcp_rec_split(tc, r, r->seq + before) ? tcp_rec_last(tc) : r;
}

void tcp_tlp_send(struct tcp_conn *tc)
{
	struct tcp_rec *r = tcp_rec_last(tc);
	u32 mss = max(tc->mss, (u16)1);

	if (!r || tc->tlp_out)
		return;
	tc->tlp_retrans = false;
	if (tcp_send_new(tc, mss) <= 0) {
		r = last_segment(tc, r);
		if (!(r->flags & TCP_REC_SACKED) && tcp_retransmit(tc, r, mss)) {
			tcp_rearm_rto(tc);
			return;
		}
		tc->tlp_retrans = true;
	}
	tcp_count(TCP_TCPLossProbes);
	tc->tlp_end = tc->snd_nxt;
	tc->tlp_out = true;
	tcp_rearm_rto(tc);
}

/* RFC 8985 7.4.2: did the probe repair a loss that nobody would else have noticed? */
static void tlp_acked(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	if (!tc->tlp_out || seq_lt(tc->snd_una, tc->tlp_end))
		return;
	if (!tc->tlp_retrans || info->dsack) {
		tc->tlp_out = false;
	} else if (seq_gt(tc->snd_una, tc->tlp_end)) {
		tc->tlp_out = false;
		tcp_count(TCP_TCPLossProbeRecovery);
		if (tc->ca_state < TCP_CA_CWR) {
			tcp_reduce(tc, TCP_CC_LOSS, info->prior_pipe);
			tc->undo_marker = false;
			tc->cc.cwnd = min(tc->cc.cwnd, tc->cc.ssthresh);
		}
	} else if (info->dupack && !info->sacked_new) {
		tc->tlp_out = false;
	}
}

/* ---- after a time-out ---- */

void tcp_enter_loss(struct tcp_conn *tc)
{
	struct tcp_rec *first = tcp_rec_first(tc);
	bool fresh = tc->ca_state < TCP_CA_CWR || seq_ge(tc->snd_una, tc->recover);

	if (fresh) {
		tc->ca_state = TCP_CA_OPEN; /* what an undo goes back to is the window of now */
		tcp_reduce(tc, TCP_CC_TIMEOUT, tcp_pipe(tc));
	}
	if (first && (first->flags & TCP_REC_SACKED)) {
		tcp_count(TCP_TCPSACKReneging);
		tcp_recs_forget_sacks(tc);
	}
	if (!tcp_has_sack(tc))
		tc->sacked_out = 0;
	tc->dupacks = 0;
	tc->tlp_out = false;
	tcp_recs_lose_all(tc);
	tc->cc.cwnd = tc->cc.mss;
	tc->recover = tc->snd_nxt;
	tc->ca_state = TCP_CA_LOSS;
	tc->frto = tcp_sysctls.frto && fresh ? FRTO_SENT : 0;
	tc->cc.cwnd_limited = true;
	tc->limited_seq = tc->snd_nxt;
}

static void spurious_timeout(struct tcp_conn *tc)
{
	tcp_count(TCP_TCPSpuriousRTOs);
	undo(tc);
}

/* RFC 5682 2 and 3. True: it was spurious, or new data was sent to find out. */
static bool frto_step(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	u32 mss = tc->mss;

	if (tcp_has_sack(tc) ? info->orig_acked : tc->frto == FRTO_PROBING && info->una_advanced) {
		spurious_timeout(tc);
		return true;
	}
	if (tc->frto == FRTO_PROBING) {
		if (info->dupack || info->sacked_new)
			tc->frto = 0; /* step 3 a: the loss was real */
		return false;
	}
	if (!info->una_advanced || seq_ge(tc->snd_una, tc->recover)) {
		if (info->dupack || info->una_advanced)
			tc->frto = 0;
		return false;
	}
	/* step 2 b: up to two segments of new data tell more than repeating */
	if (tcp_send_new(tc, mss) <= 0) {
		tc->frto = 0;
		return false;
	}
	tcp_send_new(tc, mss);
	tc->frto = FRTO_PROBING;
	return true;
}

static void finish(struct tcp_conn *tc)
{
	if (tc->rack_reo_persist && !--tc->rack_reo_persist)
		tc->rack_reo_mult = 1;
	tc->frto = 0;
	if (!tcp_has_sack(tc))
		tc->sacked_out = 0;
	tc->dupacks = 0;
	tc->ca_state = tc->sacked_out ? TCP_CA_DISORDER : TCP_CA_OPEN;
}

static void in_loss(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	if (was_spurious(tc, info)) {
		tcp_count(TCP_TCPLossUndo);
		undo(tc);
		return;
	}
	if (tc->frto && frto_step(tc, info))
		return;
	if (info->una_advanced && seq_ge(tc->snd_una, tc->recover))
		finish(tc);
}

/* ---- fast recovery ---- */

/* True: it goes on. */
static bool in_recovery(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	struct tcp_cc *cc = &tc->cc;

	if (tc->ca_state == TCP_CA_RECOVERY && was_spurious(tc, info)) {
		tcp_count(info->dsack ? TCP_TCPDSACKUndo : TCP_TCPFullUndo);
		undo(tc);
		return false;
	}
	if (!info->una_advanced || seq_lt(tc->snd_una, tc->recover))
		return true;
	/* RFC 9937 5.2, end; RFC 6582 3.2 step 3: no burst when little is left in flight */
	cc->cwnd = cc->ssthresh;
	if (!tcp_has_sack(tc))
		cc->cwnd = min(cc->ssthresh, max(tcp_pipe(tc), cc->mss) + cc->mss);
	finish(tc);
	return false;
}

static void calm_or_not(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	/* the recovery is over, and now we hear that it was needless */
	if (info->dsack && was_spurious(tc, info)) {
		tcp_count(TCP_TCPDSACKUndo);
		undo(tc);
	}
	if (tc->ca_state == TCP_CA_OPEN && tc->sacked_out)
		tc->ca_state = TCP_CA_DISORDER;
	else if (tc->ca_state == TCP_CA_DISORDER && !tc->sacked_out)
		tc->ca_state = TCP_CA_OPEN;
}

void tcp_recover(struct tcp_conn *tc, struct tcp_ack_info *info)
{
	u32 lost_before = tc->lost_out;
	u64 again = 0;

	if (tc->rack_dsack_round && seq_ge(tc->snd_una, tc->rack_dsack_end))
		tc->rack_dsack_round = false;
	if (info->dsack)
		note_dsack(tc, info);
	tlp_acked(tc, info);
	if (info->ece)
		tcp_ecn_echoed(tc, info->delivered_segs);
	if (tc->ca_state == TCP_CA_LOSS)
		in_loss(tc, info);
	else if (tc->ca_state >= TCP_CA_CWR)
		in_recovery(tc, info);
	else
		calm_or_not(tc, info);
	if (tcp_has_sack(tc)) {
		again = rack_detect(tc, info->now);
	} else {
		count_duplicates(tc, info);
		newreno_detect(tc, info);
	}
	if (tc->lost_out)
		loss_found(tc, info->prior_pipe);
	if (tc->ca_state == TCP_CA_RECOVERY || tc->ca_state == TCP_CA_CWR)
		prr_update(tc, info, tc->lost_out > lost_before);
	else
		tcp_cc_acked(tc, info);
	if (!tcp_has_sack(tc) && tc->ca_state < TCP_CA_RECOVERY)
		tc->ca_state = tc->sacked_out		  ? TCP_CA_DISORDER :
			       tc->ca_state == TCP_CA_CWR ? TCP_CA_CWR :
							    TCP_CA_OPEN;
	tcp_loss_timer(tc, info->now, again);
}
