/* SPDX-License-Identifier: MIT */
/* mtuprobe.c - paths whose MTU is smaller than we think: told by ICMP (RFC 1191, checked by
 * error.c), or found out when full segments vanish again and again and nobody says why (a black
 * hole, RFC 4821 7.6.3, 8899 5.2). Then single larger segments find the largest that gets through
 * (RFC 4821 7.2, 7.3), and after a long while whether more does again. Where nothing shall depend
 * on ICMP or time-outs, a connection begins small (7.5, tcp_mtu_probing 2). What was too long goes
 * again at once, without blame on congestion. Sizes are MSSs, options not subtracted. */
#include "recovery.h"
#include "stamp.h"

#define TIMEOUTS_BEFORE 2 /* the same full segment was lost so often */
#define PROBE_GAP_NS NSEC_PER_SEC
#define SEGMENTS_BEHIND 4 /* their ACKs tell of a lost probe before a time-out does */

/* What is lost is sent again under the present window, which stays. */
static void without_blame(struct tcp_conn *tc)
{
	tc->ca_state = TCP_CA_LOSS;
	tc->recover = tc->snd_nxt;
	tc->cc.ssthresh = max(tc->cc.cwnd, 2u * tc->mss);
	tc->undo_marker = false;
	tc->frto = 0;
}

/* ---- told ---- */

/* Of what is in flight, segments longer than mss can never arrive. */
static void resend_too_long(struct tcp_conn *tc)
{
	struct tcp_rec *r;
	u32 lost = tc->lost_out;

	list_for_each_entry(r, &tc->recs, node) {
		if (r->mss > tc->mss && r->end - r->seq > tc->mss)
			tcp_rec_lost(tc, r);
	}
	if (tc->lost_out == lost)
		return;
	if (tc->ca_state < TCP_CA_LOSS)
		without_blame(tc);
	tcp_output(tc);
}

void tcp_pmtu_reduced(struct tcp_conn *tc)
{
	u16 before = tc->mss;

	flow_reset(&tc->is.flow);
	if (ip_flow_check(&tc->is.flow, TCP_HEADER, NULL) == -ENETUNREACH)
		return;
	tcp_mss_update(tc);
	if (tc->mss < before)
		resend_too_long(tc);
}

/* ---- black holes ---- */

/* Every path of IPv6 takes 1280 octets: where these are lost, it is not for their size (RFC 8899
 * 5.1.2). Without SACK nothing larger is ever tried, so a path that was down must not cost so
 * much. */
static u32 smallest(const struct tcp_conn *tc)
{
	int mss = max(tcp_sysctls.mtu_probe_floor, tcp_sysctls.min_snd_mss);

	if (!ip_addr_is_v4(&tc->end.raddr))
		mss = max(mss, TCP_MSS_DEFAULT_V6);
	return tcp_has_sack(tc) ? mss : max(mss, tcp_sysctls.base_mss);
}

void tcp_mtu_start(struct tcp_conn *tc)
{
	u32 mss = max((u32)tcp_sysctls.base_mss, smallest(tc));

	if (likely(tcp_sysctls.mtu_probing < 2) || !tcp_has_sack(tc) || mss >= tcp_path_mss(tc))
		return;
	tc->mtu_mss = mss;
	tc->mtu_next_ns = ktime_get();
}

void tcp_mtu_timeout(struct tcp_conn *tc)
{
	struct tcp_rec *r = tcp_rec_first(tc);
	u32 mss = tc->mss + tcp_fixed_options(tc), base = tcp_sysctls.base_mss;

	if (!tcp_sysctls.mtu_probing || !r || (r->flags & TCP_REC_SYN) ||
	    r->end - r->seq < tc->mss || mss <= smallest(tc))
		return;
	/* nobody asked for less than this path's own size yet, and it is small */
	if (mss <= base && !tc->mtu_mss)
		return;
	tc->watched |= TCP_WATCHED_MTU;
	if (++tc->mtu_timeouts < TIMEOUTS_BEFORE)
		return;
	/* base_mss first; should that not help, halves. Those may be no question of size but a path
	 * that is down: once it is up, the way back is not barred */
	if (mss > base)
		tc->mtu_failed = mss;
	tc->mtu_mss = max(mss > base ? base : mss / 2, smallest(tc));
	tc->mtu_timeouts = 0;
	tc->mtu_next_ns = ktime_get() + PROBE_GAP_NS;
	tcp_count(TCP_TCPMTUPFail);
	tcp_mss_update(tc);
}

/* ---- upwards ---- */

/* What is worth trying: between what gets through and what does not, after a while everything. */
static u32 next_size(struct tcp_conn *tc, u64 now)
{
	u32 most = tcp_path_mss(tc), low = tc->mtu_mss, high = min(most + 1, (u32)tc->mtu_failed);

	if (most <= low)
		return 0;
	if (!tc->mtu_failed)
		return most;
	if (high > low + max(tcp_sysctls.probe_threshold, 1))
		return low + (high - low) / 2;
	/* found; the path may become another one */
	tc->mtu_failed = 0;
	tc->mtu_next_ns = now + tcp_sysctls.probe_interval * NSEC_PER_SEC;
	return 0;
}

u32 tcp_mtu_probe_len(struct tcp_conn *tc, u64 now)
{
	u32 len;

	/* among others that get through, in a quiet time: then its loss says what it shall */
	if (now < tc->mtu_next_ns || tc->mtu_probe || !tcp_calm(tc) || !tcp_has_sack(tc) ||
	    tc->mss_now != tc->mss)
		return 0;
	len = next_size(tc, now);
	len -= min(len, tcp_fixed_options(tc));
	return tc->write_seq - tc->snd_nxt >= len + SEGMENTS_BEHIND * tc->mss ? len : 0;
}

void tcp_mtu_probe_sent(struct tcp_conn *tc, u32 seq, u32 len)
{
	tc->mtu_probe = len + tcp_fixed_options(tc);
	tc->mtu_seq = seq;
	tc->mtu_lost = false;
	tc->watched |= TCP_WATCHED_MTU;
	tc->mtu_next_ns = ktime_get() + PROBE_GAP_NS;
}

void tcp_mtu_advanced(struct tcp_conn *tc)
{
	tc->mtu_timeouts = 0;
	if (!tc->mtu_probe)
		tc->watched &= ~TCP_WATCHED_MTU;
	if (!tc->mtu_probe ||
	    seq_lt(tc->snd_una, tc->mtu_seq + tc->mtu_probe - tcp_fixed_options(tc)))
		return;
	if (!tc->mtu_lost) {
		tcp_count(TCP_TCPMTUPSuccess);
		tc->mtu_mss = tc->mtu_probe < tcp_path_mss(tc) ? tc->mtu_probe : 0;
		tcp_mss_update(tc);
	}
	tc->mtu_probe = 0;
	tc->watched &= ~TCP_WATCHED_MTU;
}

bool tcp_mtu_probe_lost(struct tcp_conn *tc)
{
	if (!tc->mtu_lost || tc->lost_out != tc->mtu_probe - tcp_fixed_options(tc))
		return false; /* others too: that says nothing about its size */
	tcp_count(TCP_TCPMTUPFail);
	tc->mtu_failed = tc->mtu_probe;
	tc->mtu_probe = 0;
	without_blame(tc);
	return true;
}
