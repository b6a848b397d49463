/* SPDX-License-Identifier: MIT */
/* recovery.h - what the sending half's files share: what one ACK brought, the scoreboard of what is
 * in flight (records.c), and how losses are found and repaired (recovery.c). All under the
 * connection's lock. */
#pragma once

#include "tcp.h"

/* tcp_conn.ca_state, as TCP_INFO numbers them. */
enum tcp_ca_state {
	TCP_CA_OPEN,
	TCP_CA_DISORDER, /* duplicate ACKs or SACKs, nothing lost yet */
	TCP_CA_CWR,	 /* the window is being reduced for ECN (RFC 3168) */
	TCP_CA_RECOVERY, /* fast recovery (RFC 6675, 9937) */
	TCP_CA_LOSS,	 /* after a retransmission time-out (RFC 5681 3.1) */
};

/* tcp_conn.retrans_kind: what TCP_TIMER_RETRANS waits for */
enum tcp_retrans_kind { TCP_RETRANS_RTO, TCP_RETRANS_TLP, TCP_RETRANS_REO };

#define TCP_DUPTHRESH 3
#define TCP_QUICK_ACKS 16 /* first segments, or after a pause, are acknowledged at once */
#define TCP_RECS_MAX 2048 /* beyond it SACK splits nothing any more */

/* What one ACK brought, gathered on its way through ack.c. */
struct tcp_ack_info {
	u64 now;
	u32 prior_pipe;
	u32 prior_high;		   /* the highest byte known to have arrived */
	u32 acked;		   /* cumulatively */
	u32 delivered;		   /* acked and not SACKed before, and newly SACKed */
	u32 delivered_segs;	   /* the same, with SYN and FIN */
	u64 first_sent, last_sent; /* of what was sent once and is now delivered; 0: none */
	u32 tsecr;
	bool has_ts;
	bool una_advanced, dupack, ece;
	bool sacked_new;
	bool dsack;
	struct tcp_range dsack_block;
	bool orig_acked;    /* something sent once and before the time-out arrived (RFC 5682) */
	bool retrans_acked; /* something sent again is now acknowledged */
	/* rate.c: of what was sent last and is now delivered */
	u64 rate_prior_delivered, rate_prior_ns, rate_send_ns, rate_sent_ns;
	bool rate_app_limited;
};

/* RFC 6675 4's pipe: bytes believed to be on the wire. */
static inline u32 tcp_pipe(const struct tcp_conn *tc)
{
	u32 flight = tc->snd_nxt - tc->snd_una, gone = tc->sacked_out + tc->lost_out;

	return flight > gone ? flight - gone : 0;
}
static inline bool tcp_has_sack(const struct tcp_conn *tc)
{
	return tc->options & TCP_OPT_SACK;
}
/* mss, but so that two segments fit into the peer's largest window: one alone would have to wait
 * for the window to be empty each time. */
static inline u32 tcp_mss_for_window(const struct tcp_conn *tc)
{
	u32 half = tc->snd_max_wnd > TCP_MSS_DEFAULT ? tc->snd_max_wnd / 2 : tc->snd_max_wnd;

	return likely(tc->mss <= half || !half) ? tc->mss : max(half, (u32)TCP_MSS_MIN);
}
/* Nothing unusual: no losses, no SACKs, no reduction. */
static inline bool tcp_calm(const struct tcp_conn *tc)
{
	return tc->ca_state == TCP_CA_OPEN && !tc->sacked_out && !tc->lost_out && !tc->tlp_out;
}

/* records.c */
/* A transmission that left now; joins the last record without memory. False: neither works, so it
 * may not leave. data holds seq (NULL: SYN, bare FIN). */
bool tcp_rec_add(struct tcp_conn *tc, u32 seq, u32 end, struct pkt *data, u8 flags);
/* Takes back the newest record down to seq: nothing behind it left. */
void tcp_rec_unsend(struct tcp_conn *tc, u32 seq);
/* Cuts r at `at` (inside it): r is the front. -ENOMEM. */
int tcp_rec_split(struct tcp_conn *tc, struct tcp_rec *r, u32 at);
void tcp_rec_lost(struct tcp_conn *tc, struct tcp_rec *r);
void tcp_rec_resent(struct tcp_conn *tc, struct tcp_rec *r, u64 now);
void tcp_recs_lose_all(struct tcp_conn *tc);
void tcp_recs_forget_sacks(struct tcp_conn *tc);
void tcp_recs_acked(struct tcp_conn *tc, u32 ack, struct tcp_ack_info *info);
void tcp_recs_sacked(struct tcp_conn *tc, const struct tcp_seg *seg, struct tcp_ack_info *info);
static inline struct tcp_rec *tcp_rec_first(struct tcp_conn *tc)
{
	return list_first_entry_or_null(&tc->recs, struct tcp_rec, node);
}
static inline struct tcp_rec *tcp_rec_last(struct tcp_conn *tc)
{
	return list_empty(&tc->recs) ? NULL : list_last_entry(&tc->recs, struct tcp_rec, node);
}

/* recovery.c */
/* After everything is marked: states, window, what is to be sent again. */
void tcp_recover(struct tcp_conn *tc, struct tcp_ack_info *info);
/* RACK: a segment was delivered (RFC 8985 6.2 step 2). */
void tcp_rack_delivered(struct tcp_conn *tc, const struct tcp_rec *r, u32 end,
			const struct tcp_ack_info *info);
void tcp_rack_reordering_timeout(struct tcp_conn *tc);
void tcp_enter_loss(struct tcp_conn *tc);
void tcp_enter_cwr(struct tcp_conn *tc);
/* A window's reduction begins: cc is asked, the old values are kept for undo. */
void tcp_reduce(struct tcp_conn *tc, enum tcp_cc_event ev, u32 inflight);
void tcp_tlp_send(struct tcp_conn *tc);
/* Bytes were retransmitted: PRR's and undo's accounts. */
void tcp_recovery_sent(struct tcp_conn *tc, u32 len, bool retrans);

/* output.c */
int tcp_send_new(struct tcp_conn *tc, u32 limit); /* TLP: one segment past cwnd; bytes or errno */
void tcp_retry_later(struct tcp_conn *tc);	  /* no buffer, no record: PACE asks again */

/* cc.c */
void tcp_cc_acked(struct tcp_conn *tc, const struct tcp_ack_info *info);
u32 tcp_initial_window(const struct tcp_conn *tc); /* RFC 6928 */
u32 tcp_restart_window(const struct tcp_conn *tc); /* RFC 5681 4.1 */

/* rtt.c */
u64 tcp_rto(const struct tcp_conn *tc); /* with back-off */

/* ecn.c */
/* ECN bits of an outgoing segment: flags to set; data that is new may be ECT(0). */
u16 tcp_ecn_flags(struct tcp_conn *tc, bool new_data);
u8 tcp_ecn_tos(const struct tcp_conn *tc, bool new_data);
/* The peer echoes congestion as it takes so many segments: once a window it reduces. */
void tcp_ecn_echoed(struct tcp_conn *tc, u32 segs);

/* mtuprobe.c */
/* A retransmission timed out: maybe packets of this size do not get through (RFC 4821 7.6.3). */
void tcp_mtu_timeout(struct tcp_conn *tc);
/* How long a segment may be tried now; 0: none. It was sent. */
u32 tcp_mtu_probe_len(struct tcp_conn *tc, u64 now);
void tcp_mtu_probe_sent(struct tcp_conn *tc, u32 seq, u32 len);
void tcp_mtu_advanced(struct tcp_conn *tc); /* snd_una moved, and TCP_WATCHED_MTU */
/* Something was lost. True: only what was tried, so it goes again and congestion is no issue. */
bool tcp_mtu_probe_lost(struct tcp_conn *tc);

/* rate.c */
/* r leaves: what is delivered by now is where its sample begins. */
static inline void tcp_rate_sent(struct tcp_conn *tc, struct tcp_rec *r)
{
	if (tc->snd_nxt == tc->snd_una)
		tc->first_ns = tc->delivered_ns = r->sent_ns;
	r->first_ns = tc->first_ns;
	r->delivered_ns = tc->delivered_ns;
	r->delivered = tc->delivered;
	r->flags |= unlikely(tc->app_limited) ? TCP_REC_APP_LIMITED : 0;
}
/* r, or its front, has arrived. */
static inline void tcp_rate_delivered(struct tcp_conn *tc, const struct tcp_rec *r,
				      struct tcp_ack_info *info)
{
	tc->delivered_ns = info->now;
	if (r->sent_ns < info->rate_sent_ns)
		return;
	info->rate_sent_ns = tc->first_ns = r->sent_ns;
	info->rate_prior_delivered = r->delivered;
	info->rate_prior_ns = r->delivered_ns;
	info->rate_send_ns = r->sent_ns - r->first_ns;
	info->rate_app_limited = r->flags & TCP_REC_APP_LIMITED;
}
void tcp_rate_take(struct tcp_conn *tc, const struct tcp_ack_info *info);
u64 tcp_delivery_rate(const struct tcp_conn *tc); /* bytes a second, 0: not known */
static inline void tcp_limit_set(struct tcp_conn *tc, enum tcp_limit limit, u64 now)
{
	if (tc->limit)
		tc->limit_ns[tc->limit] += now - tc->limit_since_ns;
	tc->limit = limit;
	tc->limit_since_ns = now;
}
void tcp_limit_update(struct tcp_conn *tc);
/* What may be sent has been: is the user the limit now (draft 3.4), or what is? */
static inline void tcp_limit_look(struct tcp_conn *tc)
{
	u32 flight = tc->snd_nxt - tc->snd_una;

	if (likely(!tc->tx_next && !tc->lost_out && flight < tc->cc.cwnd))
		tc->app_limited = tc->delivered + flight + !(tc->delivered + flight);
	if (unlikely(tc->tx_next || tc->tx_waiting || tc->limit > TCP_LIMIT_BUSY))
		tcp_limit_update(tc);
	else if (flight && !tc->limit)
		tcp_limit_set(tc, TCP_LIMIT_BUSY, tc->last_sent_ns);
}
u64 tcp_limited_ns(const struct tcp_conn *tc, enum tcp_limit limit, u64 now);

/* timer.c */
/* Chooses RTO, loss probe or nothing for what is now in flight. reo_ns: RACK wants to look again
 * after so long, 0: no. */
void tcp_loss_timer(struct tcp_conn *tc, u64 now, u64 reo_ns);
