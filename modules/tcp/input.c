/* SPDX-License-Identifier: MIT */
/* input.c - a segment arrives (RFC 9293 3.10.7): it is parsed once, finds its end under RCU, and
 * goes through the steps of 3.10.7.3 or 3.10.7.4 in the RFC's order, one function a step, with the
 * checks that RFC 5961 and 7323 add. In front of them stands header prediction: what an established
 * connection mostly gets needs none of the steps. ACKs, wake-ups and output wait for the end of the
 * batch. */
#include "tcp.h"

#include "coalesce.h"
#include "listen.h"
#include "respond.h"
#include "table.h"
#include "timewait.h"

/* RFC 7323 5.5: a time stamp this old may have wrapped since */
#define PAWS_LIFE_NS ((s64)(24 * 24 * 3600 * NSEC_PER_SEC))

/* A step's answer: the segment goes on, or is dropped for a reason. */
#define PASS (-1)

/* ---- RFC 7323: time stamps ---- */

/* Signed: a segment that was stamped before the one that set ts_recent is no age ahead of it. */
static bool timestamp_expired(const struct tcp_conn *tc, u64 now)
{
	return (s64)(now - tc->ts_recent_ns) >= PAWS_LIFE_NS;
}

static bool timestamp_is_old(const struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	return seq_lt(seg->tsval, tc->ts_recent) && !timestamp_expired(tc, now);
}

static bool is_pure_ack(const struct tcp_seg *seg)
{
	return !seg->len && !(seg->flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

/* An ACK that nothing new asks for: at most one in a while when no data came, so that two confused
 * ends do not answer each other for ever. */
static void answer_out_of_place(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now,
				enum tcp_counter skipped)
{
	u64 gap = READ_ONCE(tcp_sysctls.invalid_ratelimit) * NSEC_PER_MSEC;

	if ((!seg->len || (seg->flags & TCP_SYN)) && tc->last_oow_ns &&
	    now - tc->last_oow_ns < gap) {
		tcp_count(skipped);
		return;
	}
	tc->last_oow_ns = now;
	tcp_defer(tc, TCP_TODO_ACK);
}

/* RFC 7323 3.2 and 5.3, R1: before all else */
static int check_timestamp(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	if (!(tc->options & TCP_OPT_TS) || (seg->flags & TCP_RST))
		return PASS;
	if (!seg->has_ts)
		return DROP_IGNORED;
	if (!timestamp_is_old(tc, seg, now))
		return PASS;
	tcp_count(TCP_PAWSEstab);
	/* an ACK overtaken by later ones is no sign of an old duplicate; an answer to it would
	 * count as a duplicate ACK over there */
	if (!is_pure_ack(seg) || seg->seq != tc->rcv_nxt)
		answer_out_of_place(tc, seg, now, TCP_TCPACKSkippedPAWS);
	return DROP_BAD_SEQUENCE;
}

/* RFC 7323 4.3 (2); the segment is acceptable */
static void take_timestamp(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	if (seg->has_ts && (tc->options & TCP_OPT_TS) && seq_le(seg->seq, tc->last_ack_sent) &&
	    (seq_ge(seg->tsval, tc->ts_recent) || timestamp_expired(tc, now))) {
		tc->ts_recent = seg->tsval;
		tc->ts_recent_ns = now;
	}
}

/* ---- RFC 9293 3.10.7.4: states other than CLOSED, LISTEN, SYN-SENT ---- */

static bool acceptable(const struct tcp_conn *tc, const struct tcp_seg *seg)
{
	u32 right = tc->rcv_nxt + tcp_rcv_window(tc);

	/* special allowance while the window is closed: ACK, URG and RST of a probe count */
	if (seg->seq == tc->rcv_nxt)
		return true;
	if (seg->end == seg->seq)
		return seq_ge(seg->seq, tc->rcv_nxt) && seq_le(seg->seq, right);
	return seq_gt(seg->end, tc->rcv_nxt) && seq_lt(seg->seq, right);
}

/* RFC 9293 3.5, figure 8: the other half of a simultaneous open may say SYN, ACK, whose SYN we have
 * heard. What is new about it is the ACK. */
static bool is_simultaneous_synack(const struct tcp_conn *tc, const struct tcp_seg *seg)
{
	return tc->state == TCP_SYN_RECV && (seg->flags & TCP_SYN) && (seg->flags & TCP_ACK) &&
	       !(seg->flags & TCP_RST) && seg->seq == tc->irs && seq_ge(seg->ack, tc->snd_nxt) &&
	       seq_le(seg->ack, tc->snd_nxt + tc->syn_data) && seg->end == tc->rcv_nxt;
}

/* first, the sequence number */
static int check_sequence(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	if (acceptable(tc, seg) || is_simultaneous_synack(tc, seg))
		return PASS;
	if (seg->flags & TCP_RST)
		return DROP_BAD_SEQUENCE;
	if (unlikely(tc->fastopen_from) && (seg->flags & TCP_SYN) && seg->seq == tc->irs) {
		/* RFC 7413 4.2.2: it has not heard our SYN-ACK */
		tcp_send_syn(tc);
		return DROP_BAD_SEQUENCE;
	}
	/* RFC 2883 4: data that was received before */
	if (seg->len && seq_lt(seg->seq, tc->rcv_nxt))
		tcp_dsack(tc, seg->seq, seq_min(seg->end, tc->rcv_nxt), TCP_TCPDSACKOldSent);
	answer_out_of_place(tc, seg, now, TCP_TCPACKSkippedSeq);
	return DROP_BAD_SEQUENCE;
}

/* second, RST; RFC 5961 3.2: only at exactly the next sequence number */
static int check_rst(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	int err = ECONNRESET;

	if (likely(!(seg->flags & TCP_RST)))
		return PASS;
	if (seg->seq != tc->rcv_nxt) {
		tcp_send_challenge(tc);
		return DROP_BAD_SEQUENCE;
	}
	if (tc->state == TCP_SYN_RECV)
		err = ECONNREFUSED;
	else if (tc->state == TCP_CLOSE_WAIT)
		err = EPIPE;
	tcp_done(tc, err);
	return DROP_RESET;
}

/* fourth, SYN; RFC 5961 4.2: never believed, whatever its sequence number */
static int check_syn(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	if (likely(!(seg->flags & TCP_SYN)) || is_simultaneous_synack(tc, seg))
		return PASS;
	tcp_count(TCP_TCPSYNChallenge);
	tcp_send_challenge(tc);
	return DROP_BAD_SEQUENCE;
}

/* fifth, ACK, in SYN-RECEIVED */
static int check_ack_syn_received(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	if (!seq_lt(tc->snd_una, seg->ack) || !seq_le(seg->ack, tc->snd_nxt + tc->syn_data)) {
		tcp_refuse_segment(&tc->end.laddr, &tc->end.raddr, tc->end.bound_if, seg);
		return DROP_BAD_SEQUENCE;
	}
	if (unlikely(tc->fastopen))
		tcp_fastopen_answered(tc, seg);
	tcp_established(tc);
	tc->snd_wnd = (u32)seg->window << (seg->flags & TCP_SYN ? 0 : tc->snd_wscale);
	tc->snd_max_wnd = max(tc->snd_max_wnd, tc->snd_wnd);
	tc->snd_wl1 = seg->seq;
	tc->snd_wl2 = seg->ack;
	return PASS;
}

/* fifth, the ACK field */
static int check_ack(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	int why;

	if (unlikely(!(seg->flags & TCP_ACK)))
		return DROP_IGNORED;
	if (unlikely(tc->state == TCP_SYN_RECV)) {
		why = check_ack_syn_received(tc, seg);
		if (why != PASS)
			return why;
	}
	if (!tcp_ack(tc, seg))
		return DROP_BAD_SEQUENCE;
	if (unlikely(tc->fastopen_from) && tc->snd_una != tc->iss)
		tcp_fastopen_settled(tc);
	if (tc->fin_sent && tc->snd_una == tc->snd_nxt)
		tcp_fin_acked(tc);
	return tc->state == TCP_CLOSE ? DROP_CLOSED : PASS;
}

/* Data for a user who has closed: nobody will ever read it (RFC 9293 3.6.1, RFC 1122 4.2.2.13). */
static int check_orphan(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	u32 end = seg->seq + !!(seg->flags & TCP_SYN) + seg->len;

	if (likely(!tc->orphan) || !seg->len || seq_le(end, tc->rcv_nxt) ||
	    !tcp_in(tc, TCP_STATE_BIT(TCP_FIN_WAIT1) | TCP_STATE_BIT(TCP_FIN_WAIT2)))
		return PASS;
	tcp_count(TCP_TCPAbortOnData);
	tcp_abort(tc, 0);
	return DROP_CLOSED;
}

/* sixth, the URG bit; seventh, the text; eighth, FIN. Takes p. */
static void take_text(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg)
{
	if (unlikely((seg->flags & TCP_URG) || tc->urgent_state == TCP_URGENT_PENDING))
		tcp_rx_urgent(tc, seg, p);
	if (!seg->len && !(seg->flags & TCP_FIN)) {
		pkt_free(p);
	} else if (tcp_in(tc, TCP_CAN_RECV)) {
		tcp_rx_data(tc, p, seg);
	} else {
		/* behind the peer's FIN: ignored, but it shall know what we have */
		tcp_defer(tc, TCP_TODO_ACK);
		ip_drop(p, DROP_IGNORED);
	}
}

/* The steps in order. PASS: p may go on to its text. */
static int check_all(struct tcp_conn *tc, const struct tcp_seg *seg, u8 tos, u64 now)
{
	int why = check_timestamp(tc, seg, now);

	if (why == PASS)
		why = check_sequence(tc, seg, now);
	if (why == PASS)
		why = check_rst(tc, seg);
	/* third, security: RFC 9293 A.1, not used by anybody */
	if (why == PASS)
		why = check_syn(tc, seg);
	if (why != PASS)
		return why;
	take_timestamp(tc, seg, now);
	if (tc->options & TCP_OPT_ECN)
		tcp_ecn_received(tc, seg, tos);
	why = check_ack(tc, seg);
	if (why == PASS)
		why = check_orphan(tc, seg);
	return why;
}

void tcp_segment_arrives(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg, u8 tos,
			 u64 now)
{
	int why = check_all(tc, seg, tos, now);

	if (likely(why == PASS))
		take_text(tc, p, seg);
	else
		ip_drop(p, why);
}

/* ---- RFC 9293 3.10.7.3: SYN-SENT ---- */

/* first, the ACK bit; second, RST */
static int syn_sent_check(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	if (seg->flags & TCP_ACK) {
		if (seq_le(seg->ack, tc->iss) || seq_gt(seg->ack, tc->snd_nxt + tc->syn_data)) {
			tcp_refuse_segment(&tc->end.laddr, &tc->end.raddr, tc->end.bound_if, seg);
			return DROP_BAD_SEQUENCE;
		}
	}
	if (seg->flags & TCP_RST) {
		if (!(seg->flags & TCP_ACK))
			return DROP_BAD_SEQUENCE;
		tcp_done(tc, ECONNREFUSED);
		return DROP_RESET;
	}
	return seg->flags & TCP_SYN ? PASS : DROP_IGNORED;
}

/* What both ends can do. Each option of a SYN-ACK answers ours, which the sysctls made. */
static void take_syn_options(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	u16 default_mss = ip_addr_is_v4(&tc->end.raddr) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_V6;
	bool ece = (seg->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;

	tc->options = 0;
	if (seg->has_ts && tcp_sysctls.timestamps) {
		tc->options |= TCP_OPT_TS;
		tc->ts_recent = seg->tsval;
		tc->ts_recent_ns = now;
	}
	if (seg->sack_ok && tcp_sysctls.sack)
		tc->options |= TCP_OPT_SACK;
	if (seg->has_wscale && tcp_sysctls.window_scaling) {
		tc->options |= TCP_OPT_WSCALE;
		tc->snd_wscale = seg->wscale;
	} else {
		tc->snd_wscale = tc->rcv_wscale = 0;
	}
	/* RFC 3168 6.1.1 */
	if ((seg->flags & TCP_ACK) && ece && tcp_sysctls.ecn == 1)
		tc->options |= TCP_OPT_ECN;
	tc->mss_peer = seg->has_mss ? max(seg->mss, (u16)TCP_MSS_MIN) : default_mss;
}

/* fourth, SYN */
static void take_syn(struct tcp_conn *tc, const struct tcp_seg *seg, u64 now)
{
	take_syn_options(tc, seg, now);
	tc->irs = seg->seq;
	tc->rcv_nxt = tc->rcv_wup = tc->copied_seq = tc->last_ack_sent = seg->seq + 1;
	/* RFC 7323 2.2: a SYN's own window is never scaled */
	tc->snd_wnd = tc->snd_max_wnd = seg->window;
	tc->snd_wl1 = seg->seq;
	tc->snd_wl2 = seg->flags & TCP_ACK ? seg->ack : tc->snd_una;
}

static void syn_sent(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg, u64 now)
{
	int why = syn_sent_check(tc, seg);

	if (why != PASS) {
		ip_drop(p, why);
		return;
	}
	take_syn(tc, seg, now);
	if (!(seg->flags & TCP_ACK)) {
		/* both called at once: our SYN goes again, with an ACK of theirs; their text and
		 * FIN come again too */
		tcp_set_state(tc, TCP_SYN_RECV);
		tcp_send_syn(tc);
		pkt_free(p);
		return;
	}
	if (unlikely(tc->fastopen))
		tcp_fastopen_answered(tc, seg);
	tcp_established(tc);
	if (!tcp_ack(tc, seg)) {
		ip_drop(p, DROP_BAD_SEQUENCE);
		return;
	}
	tcp_defer(tc, TCP_TODO_ACK | TCP_TODO_OUTPUT);
	take_text(tc, p, seg);
}

/* ---- header prediction ---- */

/* The next data in order, or an ACK, of an established connection, and nothing that any of the
 * steps would have to look at. Takes p when true. */
static bool predicted(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg,
		      const struct ip_rx *rx, u64 now)
{
	if (unlikely(tc->state != TCP_ESTABLISHED || (seg->flags & ~TCP_PSH) != TCP_ACK ||
		     seg->seq != tc->rcv_nxt || seg->nr_sacks ||
		     seg->has_ts != !!(tc->options & TCP_OPT_TS)))
		return false;
	if (unlikely(seg->len > tcp_rcv_window(tc) || (rx->tos & 3) == 3 ||
		     tc->urgent_state == TCP_URGENT_PENDING || tc->fastopen_from))
		return false;
	if (seg->has_ts) {
		if (unlikely(seq_lt(seg->tsval, tc->ts_recent)))
			return false;
		if (seq_le(seg->seq, tc->last_ack_sent)) {
			tc->ts_recent = seg->tsval;
			tc->ts_recent_ns = now;
			if (unlikely(seq_ge(seg->seq, tc->rcv_rtt_seq)))
				tcp_rcv_rtt(tc, seg, now);
		}
	} else if (unlikely(seq_ge(seg->seq, tc->rcv_rtt_seq))) {
		tcp_rcv_rtt(tc, seg, now);
	}
	if (seg->ack != tc->snd_una || !seg->len ||
	    (u32)seg->window << tc->snd_wscale != tc->snd_wnd) {
		if (unlikely(!tcp_ack(tc, seg))) {
			ip_drop(p, DROP_BAD_SEQUENCE);
			return true;
		}
	}
	if (!seg->len) {
		tc->empty_in++;
		tcp_count(TCP_TCPHPAcks);
		tcp_coalesce_acks(tc, seg, rx);
		pkt_free(p);
		return true;
	}
	tcp_coalesce_from(tc, seg, rx);
	if (likely(tcp_rx_fast(tc, p, seg)))
		tcp_count(TCP_TCPHPHits);
	else
		tcp_rx_data(tc, p, seg);
	return true;
}

/* ---- the way in ---- */

/* Its user may have called somebody else since it was found. */
static bool still_for(const struct tcp_end *e, const struct ip_rx *rx, const struct tcp_seg *seg)
{
	return e->lport == seg->dport && e->rport == seg->sport &&
	       ip_addr_eq(&e->raddr, &rx->src) && ip_addr_eq(&e->laddr, &rx->dst);
}

/* False: it was over when we got its lock, and p still is the caller's. */
static bool conn_input(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg,
		       const struct ip_rx *rx)
{
	u64 now = p->stamp_ns ? p->stamp_ns : ktime_get();
	bool hang;

	spin_lock(&tc->lock);
	if (unlikely(tc->state == TCP_CLOSE || tc->state == TCP_LISTEN)) {
		spin_unlock(&tc->lock);
		return false;
	}
	tc->last_recv_ns = now;
	tc->segs_in++;
	if (!predicted(tc, p, seg, rx, now)) {
		tc->empty_in += !seg->len;
		if (likely(tc->state != TCP_SYN_SENT))
			tcp_segment_arrives(tc, p, seg, rx->tos, now);
		else if (likely(still_for(&tc->end, rx, seg)))
			syn_sent(tc, p, seg, now);
		else
			ip_drop(p, DROP_CLOSED);
	}
	hang = tcp_hang_prepare(tc);
	spin_unlock(&tc->lock);
	if (hang)
		batch_end_add(&tc->batch);
	return true;
}

/* RFC 5082 3: not from where its user's peers are. */
static int too_far(struct pkt *p)
{
	tcp_count(TCP_TCPMinTTLDrop);
	return ip_drop(p, DROP_MIN_TTL);
}

/* RFC 9293 3.10.7.1 and 3.10.7.2: nobody knows the 4-tuple. iss: for a SYN that follows a
 * TIME-WAIT; 0: any. */
static int input_unknown(struct pkt *p, const struct ip_rx *rx, const struct tcp_seg *seg, u32 iss)
{
	struct tcp_conn *l;

	/* RFC 1122 4.2.3.10: TCP is between two, whatever the segment says. Who is known by his
	 * 4-tuple is none of these. */
	if (unlikely(ip_addr_is_any(&rx->src) || ip_addr_is_multicast(&rx->src) ||
		     ip_addr_is_limited_broadcast(&rx->src)))
		return ip_drop(p, DROP_BAD_SOURCE);
	l = tcp_find_listener(&rx->dst, seg->dport, &rx->src, seg->sport, rx->ifindex);
	if (l && inet_too_far(&l->is, rx))
		return too_far(p);
	if (l)
		return tcp_listen_input(l, p, rx, seg, iss);
	return tcp_refuse(p, rx, seg, DROP_NO_SOCKET);
}

/* A new SYN in TIME-WAIT replaces the old connection if somebody listens, else it is answered like
 * any segment there (RFC 9293 3.10.7.4). */
static int input_timewait(struct tcp_timewait *tw, struct pkt *p, const struct ip_rx *rx,
			  const struct tcp_seg *seg)
{
	struct tcp_conn *l = NULL;
	u32 iss = 0;

	if (seg->flags & TCP_SYN)
		l = tcp_find_listener(&rx->dst, seg->dport, &rx->src, seg->sport, rx->ifindex);
	if (l && inet_too_far(&l->is, rx))
		return too_far(p);
	tcp_timewait_input(tw, p, seg, l ? &iss : NULL);
	if (!iss)
		return IP_TAKEN;
	tcp_timewait_drop(&tw->end);
	return tcp_listen_input(l, p, rx, seg, iss);
}

static int deliver(struct pkt *p, struct ip_rx *rx, const struct tcp_seg *seg)
{
	/* an end that is just going leaves what took its place, seldom more than once */
	for (u32 tries = 0; tries < 3; tries++) {
		struct tcp_end *e =
			tcp_find(&rx->dst, seg->dport, &rx->src, seg->sport, rx->ifindex);

		if (!e)
			return input_unknown(p, rx, seg, 0);
		if (likely(e->kind == TCP_END_CONN)) {
			if (inet_too_far(&tcp_of_end(e)->is, rx))
				return too_far(p);
			if (likely(conn_input(tcp_of_end(e), p, seg, rx)))
				return IP_TAKEN;
		} else if (e->kind == TCP_END_REQUEST) {
			if (inet_too_far(&tcp_request_of(e)->listener->is, rx))
				return too_far(p);
			if (tcp_request_input(tcp_request_of(e), p, rx, seg))
				return IP_TAKEN;
		} else {
			return input_timewait(tcp_timewait_of(e), p, rx, seg);
		}
	}
	return ip_drop(p, DROP_CLOSED);
}

static int input_bad(struct pkt *p, enum drop_reason why)
{
	tcp_count(TCP_InErrs);
	if (why == DROP_BADSUM)
		tcp_count(TCP_InCsumErrors);
	return ip_drop(p, why);
}

static bool checksum_good(const struct pkt *p, const struct ip_rx *rx)
{
	if (likely(p->csum == PKT_CSUM_OK))
		return true;
	return csum_fold(csum_partial(p->data, p->len,
				      ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_TCP, p->len))) == 0;
}

int tcp_input_one(struct pkt *p, struct ip_rx *rx)
{
	struct tcp_seg seg;
	int why = tcp_parse(&seg, p);

	tcp_count(TCP_InSegs);
	if (unlikely(why))
		return input_bad(p, why);
	if (unlikely(!checksum_good(p, rx)))
		return input_bad(p, DROP_BADSUM);
	if (unlikely(ip_rx_is_group(rx)))
		return ip_drop(p, DROP_BAD_DEST);
	return deliver(p, rx, &seg);
}
