/* SPDX-License-Identifier: MIT */
/* rtt.c - round trips measured and the retransmission time-out made of them (RFC 6298), with a
 * floor of 200 ms in place of its second, as everybody has. Samples are of segments sent once
 * (Karn). */
#include "recovery.h"

#define RTO_INITIAL (1 * NSEC_PER_SEC)
#define RTO_MIN (200 * NSEC_PER_MSEC)
#define RTO_MAX (120 * NSEC_PER_SEC)

void tcp_rtt_init(struct tcp_conn *tc)
{
	tc->srtt_ns = tc->rttvar_ns = 0;
	tc->min_rtt_ns = 0;
	tc->rto_ns = RTO_INITIAL;
	tc->backoff = 0;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

void tcp_rtt_sample(struct tcp_conn *tc, u64 rtt_ns)
{
	rtt_ns = max(rtt_ns, (u64)NSEC_PER_USEC);
	if (!tc->srtt_ns) {
		tc->srtt_ns = rtt_ns;
		tc->rttvar_ns = rtt_ns / 2;
	} else {
		/* RFC 6298 2.3, alpha 1/8, beta 1/4 */
		tc->rttvar_ns += distance(tc->srtt_ns, rtt_ns) / 4 - tc->rttvar_ns / 4;
		tc->srtt_ns = tc->srtt_ns - tc->srtt_ns / 8 + rtt_ns / 8;
	}
	if (!tc->min_rtt_ns || rtt_ns < tc->min_rtt_ns)
		tc->min_rtt_ns = rtt_ns;
	/* the variance alone has the floor: a steady path of 1 s is not timed out at 1 s */
	tc->rto_ns = min(tc->srtt_ns + max(4 * tc->rttvar_ns, RTO_MIN), RTO_MAX);
	tc->cc.srtt_us = tc->srtt_ns / NSEC_PER_USEC;
	tc->cc.min_rtt_us = tc->min_rtt_ns / NSEC_PER_USEC;
}

u64 tcp_rto(const struct tcp_conn *tc)
{
	u32 doublings = min(tc->backoff, (u8)16);

	return min(tc->rto_ns << doublings, RTO_MAX);
}
