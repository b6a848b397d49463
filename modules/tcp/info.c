/* SPDX-License-Identifier: MIT */
/* info.c - TCP_INFO: Linux's struct tcp_info as of 6.1, cut to what the caller asks for. 0 are, as
 * on Linux, fackets and last_ack_sent. Nothing is paced but what SO_MAX_PACING_RATE bounds: the
 * rate is the one that Linux computes, whether or not it uses it. */
#include "emit.h"
#include "listen.h"

#define INFO_TIMESTAMPS 1
#define INFO_SACK 2
#define INFO_WSCALE 4
#define INFO_ECN 8
#define INFO_SYN_DATA 32
#define REORDERING 3 /* segments; RACK keeps a time instead (RFC 8985) */

/* linux/tcp.h */
struct tcp_info {
	u8 state, ca_state, retransmits, probes, backoff, options;
	u8 wscales;	/* send in the low half, receive in the high */
	u8 app_limited; /* the delivery rate is; above it what became of Fast Open */
	u32 rto, ato, snd_mss, rcv_mss;
	u32 unacked, sacked, lost, retrans, fackets;
	u32 last_data_sent, last_ack_sent, last_data_recv, last_ack_recv; /* ms ago */
	u32 pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	u32 rcv_rtt, rcv_space, total_retrans;
	u64 pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	u32 segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	u64 delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	u32 delivered, delivered_ce;
	u64 bytes_sent, bytes_retrans;
	u32 dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

static u32 usec(u64 ns)
{
	return ns / NSEC_PER_USEC;
}

static u32 ms_ago(u64 now, u64 then)
{
	return then && then < now ? (now - then) / NSEC_PER_MSEC : 0;
}

static u8 options_of(const struct tcp_conn *tc)
{
	return (tc->options & TCP_OPT_TS ? INFO_TIMESTAMPS : 0) |
	       (tc->options & TCP_OPT_SACK ? INFO_SACK : 0) |
	       (tc->options & TCP_OPT_WSCALE ? INFO_WSCALE : 0) |
	       (tc->options & TCP_OPT_ECN ? INFO_ECN : 0) |
	       (tc->fastopen & TCP_FO_DATA_ACKED ? INFO_SYN_DATA : 0);
}

/* As on Linux, a listener tells its queue in unacked and its bound in sacked. */
static void fill_listener(const struct tcp_conn *tc, struct tcp_info *i)
{
	i->unacked = tc->listen->nr_accept;
	i->sacked = tc->listen->backlog;
}

/* Segments, as they were cut. */
static void fill_flight(const struct tcp_conn *tc, struct tcp_info *i)
{
	const struct tcp_rec *r;

	list_for_each_entry(r, &tc->recs, node) {
		u32 len = r->end - r->seq - !!(r->flags & (TCP_REC_SYN | TCP_REC_FIN));
		u32 segs = len <= r->mss ? 1 : DIV_ROUND_UP(len, (u32)r->mss);

		i->unacked += segs;
		if (r->flags & TCP_REC_SACKED)
			i->sacked += segs;
		else if (r->flags & TCP_REC_LOST)
			i->lost += segs;
		else if (r->flags & TCP_REC_RETRANS)
			i->retrans += segs;
	}
	/* each duplicate ACK is one */
	if (!tcp_has_sack(tc))
		i->sacked = DIV_ROUND_UP(tc->sacked_out, max((u32)tc->mss, 1u));
}

static void fill_sending(const struct tcp_conn *tc, struct tcp_info *i)
{
	u32 mss = max((u32)tc->mss, 1u);

	i->snd_mss = mss;
	fill_flight(tc, i);
	i->snd_cwnd = tc->cc.cwnd / mss;
	i->snd_ssthresh = tc->cc.ssthresh >= TCP_CC_SSTHRESH_INFINITE ? TCP_CC_SSTHRESH_INFINITE :
									tc->cc.ssthresh / mss;
	i->notsent_bytes = seq_max(tc->write_seq, tc->snd_nxt) - tc->snd_nxt;
	i->snd_wnd = tc->snd_wnd;
	i->total_retrans = tc->total_retrans;
	i->delivered = tc->delivered_segs;
	i->delivered_ce = tc->delivered_ce;
	i->bytes_acked = tc->delivered - tc->sacked_out;
	i->bytes_sent = i->bytes_acked + (tc->snd_nxt - tc->snd_una) + tc->bytes_retrans;
	i->bytes_retrans = tc->bytes_retrans;
	i->dsack_dups = tc->dsack_dups;
	i->reord_seen = tc->reord_seen;
	i->app_limited = tc->rate_app_limited | tc->fastopen_fail << 1;
	i->delivery_rate = tcp_delivery_rate(tc);
	i->backoff = i->retransmits = tc->backoff;
	i->probes = tc->keep_probes;
}

/* Above what the window and the round trip give, so that the window can grow: twice that at the
 * start, later a fifth more. */
static u64 pacing_rate(const struct tcp_conn *tc)
{
	u64 percent = tc->cc.cwnd < tc->cc.ssthresh / 2 ? 200 : 120;
	u64 window = max(tc->cc.cwnd, tc->snd_nxt - tc->snd_una);
	u64 most = tcp_pace_rate(tc);

	if (!tc->srtt_ns)
		return most;
	return min(window * percent / 100 * NSEC_PER_SEC / tc->srtt_ns, most);
}

static void fill_times(const struct tcp_conn *tc, struct tcp_info *i)
{
	u64 now = ktime_get();

	i->rto = usec(tc->rto_ns);
	i->ato = tc->last_data_recv_ns ? usec(TCP_DELACK_NS) : 0;
	i->rcv_rtt = usec(tc->rcv_rtt_ns);
	i->rtt = usec(tc->srtt_ns);
	i->rttvar = usec(tc->rttvar_ns);
	i->min_rtt = usec(tc->min_rtt_ns);
	i->last_data_sent = ms_ago(now, tc->last_sent_ns);
	i->last_data_recv = ms_ago(now, tc->last_data_recv_ns);
	i->last_ack_recv = ms_ago(now, tc->last_recv_ns);
	i->rwnd_limited = tcp_limited_ns(tc, TCP_LIMIT_RWND, now) / NSEC_PER_USEC;
	i->sndbuf_limited = tcp_limited_ns(tc, TCP_LIMIT_SNDBUF, now) / NSEC_PER_USEC;
	i->busy_time = tcp_limited_ns(tc, TCP_LIMIT_BUSY, now) / NSEC_PER_USEC + i->rwnd_limited +
		       i->sndbuf_limited;
}

/* Sequence numbers come round again: the reader counts. */
static u64 bytes_received(const struct tcp_conn *tc)
{
	const u32 before = TCP_STATE_BIT(TCP_LISTEN) | TCP_STATE_BIT(TCP_SYN_SENT) |
			   TCP_STATE_BIT(TCP_SYN_RECV);

	if (tcp_in(tc, before))
		return 0;
	return tc->bytes_read + (tc->rcv_nxt - tc->rcv_space_seq) - tc->fin_received;
}

static void fill(struct tcp_conn *tc, struct tcp_info *i)
{
	i->state = tc->state;
	i->ca_state = tc->ca_state;
	i->options = options_of(tc);
	i->wscales = (tc->snd_wscale & 15) | (tc->rcv_wscale << 4);
	i->rcv_mss = tc->rcv_mss;
	i->pmtu = tc->is.flow.mtu;
	i->advmss = tcp_mss_announce(&tc->is.flow);
	i->rcv_ssthresh = tcp_rcv_window(tc);
	i->rcv_space = tc->rcv_space;
	i->reordering = REORDERING;
	i->pacing_rate = pacing_rate(tc);
	i->max_pacing_rate = tcp_pace_rate(tc);
	i->bytes_received = bytes_received(tc);
	i->rcv_ooopack = tc->rcv_ooopack;
	i->segs_in = tc->segs_in;
	i->data_segs_in = tc->segs_in - tc->empty_in;
	i->segs_out = tc->segs_out;
	i->data_segs_out = tc->data_segs_out;
	fill_times(tc, i);
	if (tc->listen)
		fill_listener(tc, i);
	else
		fill_sending(tc, i);
}

void tcp_fill_info(struct tcp_conn *tc, void *info)
{
	_Static_assert(sizeof(struct tcp_info) == TCP_INFO_SIZE, "as Linux 6.1's");
	memset(info, 0, TCP_INFO_SIZE);
	fill(tc, info);
}

int tcp_get_info(struct tcp_conn *tc, void *val, u32 *len)
{
	struct tcp_info i;

	spin_lock(&tc->lock);
	tcp_fill_info(tc, &i);
	spin_unlock(&tc->lock);
	*len = min(*len, (u32)sizeof(i));
	memcpy(val, &i, *len);
	return 0;
}
