/* SPDX-License-Identifier: MIT */
/* rate.c - what TCP_INFO tells of a sender's speed: the rate at which data was delivered, sampled
 * from each ACK (draft-cheng-iccrg-delivery-rate-estimation), and for how long there was data to
 * send, and whose fault it was that it went no faster: nobody's, the peer's window, our buffer. */
#include "recovery.h"

void tcp_rate_take(struct tcp_conn *tc, const struct tcp_ack_info *info)
{
	u64 interval, delivered;

	/* the bubble in the pipe has come out at the other end (3.4) */
	if (tc->app_limited && tc->delivered > tc->app_limited)
		tc->app_limited = 0;
	if (!info->rate_prior_ns)
		return;
	/* 3.3: ACKs that were compressed on their way do not make us faster than we sent */
	interval = max(info->rate_send_ns, tc->delivered_ns - info->rate_prior_ns);
	if (interval < tc->min_rtt_ns)
		return;
	interval = max(interval >> TCP_RATE_SHIFT, 1ull);
	delivered = tc->delivered - info->rate_prior_delivered;
	/* who had little to send has proved little, unless it is more than before */
	if (info->rate_app_limited && delivered * tc->rate_interval < tc->rate_delivered * interval)
		return;
	tc->rate_delivered = delivered;
	tc->rate_interval = interval;
	tc->rate_app_limited = info->rate_app_limited;
}

u64 tcp_delivery_rate(const struct tcp_conn *tc)
{
	if (!tc->rate_interval)
		return 0;
	return tc->rate_delivered * (NSEC_PER_SEC >> TCP_RATE_SHIFT) / tc->rate_interval;
}

/* ---- what holds us ---- */

static enum tcp_limit limit_now(const struct tcp_conn *tc, bool cwnd_open)
{
	u32 edge = tc->snd_una + tc->snd_wnd, unsent = tc->write_seq - tc->snd_nxt;

	if (seq_ge(tc->snd_una, tc->write_seq))
		return TCP_LIMIT_NONE;
	if (!cwnd_open)
		return TCP_LIMIT_BUSY;
	if (tc->tx_next && seq_lt(edge, tc->snd_nxt + min(unsent, (u32)tc->mss_now)))
		return TCP_LIMIT_RWND;
	return !tc->tx_next && tc->tx_waiting ? TCP_LIMIT_SNDBUF : TCP_LIMIT_BUSY;
}

void tcp_limit_update(struct tcp_conn *tc)
{
	enum tcp_limit limit = limit_now(tc, tcp_pipe(tc) < tc->cc.cwnd);

	if (limit != tc->limit)
		tcp_limit_set(tc, limit, ktime_get());
}

u64 tcp_limited_ns(const struct tcp_conn *tc, enum tcp_limit limit, u64 now)
{
	u64 ns = tc->limit_ns[limit];

	if (tc->limit == limit && now > tc->limit_since_ns)
		ns += now - tc->limit_since_ns;
	return ns;
}
