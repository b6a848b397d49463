/* SPDX-License-Identifier: MIT */
/* mtuprobe.c - paths whose MTU is smaller than we think: told by ICMP (RFC 1191, checked by
 * error.c), or found out when full segments vanish again and again and nobody says why (a black
 * hole, RFC 4821 7.6.3, 8899 5.2). What was too long goes again at once, without blame on
 * congestion. */
#include "recovery.h"

#define TIMEOUTS_BEFORE 2 /* the same full segment was lost so often */

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
	/* sent again under the present window, which stays */
	if (tc->ca_state < TCP_CA_LOSS) {
		tc->ca_state = TCP_CA_LOSS;
		tc->recover = tc->snd_nxt;
		tc->cc.ssthresh = max(tc->cc.cwnd, 2u * tc->mss);
		tc->undo_marker = false;
		tc->frto = false;
	}
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

void tcp_mtu_timeout(struct tcp_conn *tc)
{
	struct tcp_rec *r = tcp_rec_first(tc);
	u16 floor = max(min(tcp_sysctls.base_mss, 1024), tcp_sysctls.min_snd_mss);

	if (!tcp_sysctls.mtu_probing || !r || (r->flags & TCP_REC_SYN) ||
	    r->end - r->seq < tc->mss || tc->mss <= floor)
		return;
	if (++tc->mtu_timeouts < TIMEOUTS_BEFORE)
		return;
	/* base_mss first; should that not help, halves */
	tc->mtu_probe = max(min((u32)tcp_sysctls.base_mss, tc->mss / 2u + floor / 2u), (u32)floor);
	tc->mtu_timeouts = 0;
	tcp_count(TCP_TCPMTUPFail);
	tcp_mss_update(tc);
}
