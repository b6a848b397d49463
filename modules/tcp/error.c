/* SPDX-License-Identifier: MIT */
/* error.c - ICMP errors about segments of ours. Anybody can send them, so they count only when they
 * quote a sequence number that is in flight (RFC 5927 4.1), and never end an established connection
 * (RFC 5927 5.2): there they only explain a time-out that comes anyway. A smaller path MTU is
 * believed within bounds, and retransmission goes on with it at once (RFC 5927 7, RFC 1191). */
#include "tcp.h"

#include "listen.h"

#define QUOTE_MIN 8	/* RFC 792: ports and sequence number */
#define MTU_MIN_V4 552	/* less is no path of today, but would make us send dust */
#define MTU_MIN_V6 1280 /* RFC 8201 4 */

/* RFC 1191 7.1: what a router meant that did not say */
static const u16 plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 576, MTU_MIN_V4 };

static u32 plateau_below(u32 mtu)
{
	for (u32 i = 0; i < ARRAY_SIZE(plateaus); i++) {
		if (plateaus[i] < mtu)
			return plateaus[i];
	}
	return MTU_MIN_V4;
}

static void too_big(struct tcp_conn *tc, const struct ip_error *e)
{
	u32 now = tc->is.flow.mtu, mtu = e->info;

	u8 discovery = inet_settings(&tc->is, &e->remote)->pmtudisc;

	if (discovery == IP_PMTUDISC_DONT || discovery == IP_PMTUDISC_PROBE)
		return;
	if (ip_addr_is_v4(&e->remote))
		mtu = max(mtu ? mtu : plateau_below(now), (u32)MTU_MIN_V4);
	else
		mtu = max(mtu, (u32)MTU_MIN_V6);
	if (now && mtu >= now)
		return;
	ip_pmtu_update(&e->remote, mtu);
	tcp_pmtu_reduced(tc);
}

static void unreachable(struct tcp_conn *tc, const struct ip_error *e)
{
	if (!e->err)
		return;
	/* the error queue of those who asked for it; as on Linux they are told at once */
	if (tc->is.s && inet_wants_errors(&tc->is, &e->remote))
		inet_error(&tc->is, e, tc->end.rport, NULL, 0);
	/* RFC 5461 4.1: a call that cannot get through fails now, not in minutes */
	if (tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV)))
		tcp_done(tc, e->err);
	else
		tc->soft_error = e->err;
}

static void conn_error(struct tcp_conn *tc, const struct ip_error *e, u32 seq)
{
	bool hang;

	spin_lock(&tc->lock);
	if (tcp_in(tc, TCP_STATE_BIT(TCP_CLOSE) | TCP_STATE_BIT(TCP_LISTEN))) {
		spin_unlock(&tc->lock);
		return;
	}
	if (e->rx && inet_too_far(&tc->is, e->rx))
		tcp_count(TCP_TCPMinTTLDrop);
	else if (seq_lt(seq, tc->snd_una) || seq_ge(seq, tc->snd_nxt))
		tcp_count(TCP_OutOfWindowIcmps);
	else if (e->kind == IP_ERR_TOO_BIG)
		too_big(tc, e);
	else if (e->kind == IP_ERR_REDIRECT)
		ip_redirect(e);
	else
		unreachable(tc, e);
	hang = tcp_hang_prepare(tc);
	spin_unlock(&tc->lock);
	if (hang)
		batch_end_add(&tc->batch);
}

/* Our SYN-ACK does not get through: what asked for it was probably not its sender. */
static void request_error(struct tcp_request *req, const struct ip_error *e, u32 seq)
{
	if (seq != req->hs.iss)
		tcp_count(TCP_OutOfWindowIcmps);
	else if (e->kind == IP_ERR_TOO_BIG)
		ip_pmtu_update(&e->remote, e->info); /* which keeps it within bounds */
	else if (e->fatal)
		tcp_request_fail(req);
}

void tcp_error(const struct ip_error *e, const u8 *quote, u32 quote_len)
{
	struct tcp_end *end;
	u32 seq;

	if (quote_len < QUOTE_MIN)
		return;
	/* RFC 6633: source quench is deprecated and ignored, as is what says nothing */
	if (e->kind == IP_ERR_OTHER)
		return;
	end = tcp_find(&e->local, get_be16(quote), &e->remote, get_be16(quote + 2), e->ifindex);
	seq = get_be32(quote + 4);
	if (!end)
		return;
	if (end->kind == TCP_END_CONN)
		conn_error(tcp_of_end(end), e, seq);
	else if (end->kind == TCP_END_REQUEST)
		request_error(tcp_request_of(end), e, seq);
}
