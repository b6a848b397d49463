/* SPDX-License-Identifier: MIT */
/* emit.c - one segment leaves: options, window, header, down to ip. And the segments without data:
 * ACK, SYN, RST, probes, from the control pool. What may be sent, and when, is output.c's. */
#include "emit.h"
#include "stamp.h"

/* ---- options ---- */

static u32 sack_blocks(const struct tcp_conn *tc, u32 used)
{
	u32 n = tc->nr_sack_out + (tc->dsack.start != tc->dsack.end);

	return min(n, (TCP_OPTIONS_MAX - used - 4) / 8);
}

u32 tcp_sack_options_len(const struct tcp_conn *tc)
{
	u32 n = sack_blocks(tc, tcp_fixed_options(tc));

	return n ? 4 + 8 * n : 0;
}

/* With SACKs to tell: RFC 2883 wants the duplicate first. */
static void put_options(struct tcp_conn *tc, u8 *o, u32 len, u32 now_ms)
{
	struct tcp_opts_out w = {
		.ts = tc->options & TCP_OPT_TS,
		.tsval = now_ms,
		.tsecr = tc->ts_recent,
	};
	u32 n = sack_blocks(tc, w.ts ? TCP_TIMESTAMP_ROOM : 0), i = 0;

	if (tc->dsack.start != tc->dsack.end) {
		w.sacks[i++] = tc->dsack;
		tc->dsack.end = tc->dsack.start;
	}
	for (u32 k = 0; i < n; i++, k++)
		w.sacks[i] = tc->sack_out[k];
	w.nr_sacks = n;
	tcp_build_options(o, &w);
}

/* ---- one segment ---- */

/* Every segment that leaves acknowledges: nothing is owed any more. */
static void note_ack_sent(struct tcp_conn *tc)
{
	tc->todo &= ~(u32)TCP_TODO_ACK;
	tc->deadline[TCP_TIMER_DELACK] = 0;
	tc->last_ack_sent = tc->rcv_nxt;
}

/* What few connections have: ECN's bits, and senders who want to know when it leaves. */
static __noinline u16 emit_marked(struct tcp_conn *tc, struct pkt *p, u32 seq, u32 payload)
{
	struct flow *f = &tc->is.flow;
	bool fresh = payload && seq == tc->snd_nxt;

	if (payload && (tc->options & TCP_OPT_STAMPS))
		tcp_stamps_mark(tc, p, seq, payload);
	if (!(tc->options & TCP_OPT_ECN))
		return 0;
	f->tos = (f->tos & ~3) | tcp_ecn_tos(tc, fresh);
	return tcp_ecn_flags(tc, fresh);
}

int tcp_emit(struct tcp_conn *tc, struct pkt *p, u32 seq, u16 flags, u64 now)
{
	struct flow *f = &tc->is.flow;
	u32 options = tcp_options_len(tc), header = TCP_HEADER + options, payload = p->len;
	u32 mss = tc->mss_now, segs = 1;
	u16 urgent = 0;
	u8 *h = pkt_push(p, header);

	if (likely(options == TCP_TIMESTAMP_ROOM && (tc->options & TCP_OPT_TS))) {
		put_be32(h + 20, TCP_TIMESTAMP_ALONE);
		put_be32(h + 24, (u32)(now / NSEC_PER_MSEC) + tc->ts_offset);
		put_be32(h + 28, tc->ts_recent);
	} else if (options) {
		put_options(tc, h + TCP_HEADER, options,
			    (u32)(now / NSEC_PER_MSEC) + tc->ts_offset);
	}
	p->gso_size = p->gso_type = 0;
	if (payload > mss) {
		p->gso_size = mss;
		p->gso_type = ip_addr_is_v4(&f->dst) ? PKT_GSO_TCP4 : PKT_GSO_TCP6;
		segs += (payload - 1) / mss;
	}
	tcp_count_add(TCP_OutSegs, segs);
	tc->segs_out += segs;
	if (payload)
		tc->data_segs_out += segs;
	if (unlikely(tc->urgent_out) && seq_gt(tc->snd_up, seq) && tc->snd_up - seq <= 0xffff) {
		/* RFC 6093: the pointer is to the byte behind the urgent one */
		urgent = tc->snd_up - seq;
		flags |= TCP_URG;
	}
	f->tos = inet_settings(&tc->is, &f->dst)->tos;
	if (unlikely(tc->options & (TCP_OPT_ECN | TCP_OPT_STAMPS)))
		flags |= emit_marked(tc, p, seq, payload);
	tcp_build_header(p, f, seq, tc->rcv_nxt, flags | TCP_ACK, tcp_window_field(tc), urgent,
			 header);
	note_ack_sent(tc);
	return ip_commit(f, p);
}

/* An empty packet for a segment without data. */
static struct pkt *control_pkt(struct tcp_conn *tc)
{
	return pkt_alloc(PKT_POOL_CONTROL, tcp_tx_headroom(tc), 0);
}

static int send_control(struct tcp_conn *tc, u32 seq, u16 flags)
{
	struct pkt *p;
	int err = ip_flow_check(&tc->is.flow, TCP_HEADER_MAX, &tc->is.waiter);

	if (err)
		return err;
	p = control_pkt(tc);
	if (!p)
		return -ENOBUFS;
	return tcp_emit(tc, p, seq, flags, ktime_get());
}

/* ---- acknowledgements ---- */

void tcp_send_ack(struct tcp_conn *tc)
{
	int err;

	if (!tcp_in(tc, TCP_SYNCHRONIZED | TCP_STATE_BIT(TCP_SYN_RECV)))
		return;
	err = send_control(tc, tc->snd_nxt, 0);
	if (unlikely(err)) {
		tc->todo &= ~(u32)TCP_TODO_ACK;
		/* the peer asks again as well, should we never get through */
		tcp_timer_set(tc, TCP_TIMER_DELACK, ktime_get() + TCP_RETRY_NS);
	}
}

/* Not two full segments yet. before: when data came last. */
static __noinline void ack_short(struct tcp_conn *tc, u32 unacked, u64 before)
{
	bool quick;

	if (unlikely(tc->quickack)) {
		tc->quickack--;
		tcp_defer(tc, TCP_TODO_ACK);
		return;
	}
	/* a sender that was silent begins with a small window (RFC 5681 4.1): each ACK counts */
	if (unlikely(tc->last_recv_ns - before > tc->rto_ns))
		tc->quick_acks = TCP_QUICK_ACKS;
	quick = tc->quick_acks && !tc->pingpong;
	if (quick)
		tc->quick_acks--;
	/* a short one is a request mostly: its answer carries the ACK if it comes soon */
	if (quick && unacked == tc->rcv_mss)
		tcp_defer(tc, TCP_TODO_ACK);
	else if (!tc->deadline[TCP_TIMER_DELACK])
		tcp_timer_set(tc, TCP_TIMER_DELACK,
			      ktime_get() + (quick ? TCP_ANSWER_NS : TCP_DELACK_NS));
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2: every second full segment at once, others within 40 ms. */
void tcp_ack_later(struct tcp_conn *tc)
{
	u32 unacked = tc->rcv_nxt - tc->last_ack_sent;
	u64 before = tc->last_data_recv_ns;

	tc->last_data_recv_ns = tc->last_recv_ns;
	if (likely(unacked > tc->rcv_mss))
		tcp_defer(tc, TCP_TODO_ACK);
	else
		ack_short(tc, unacked, before);
}

void tcp_send_challenge(struct tcp_conn *tc)
{
	if (!tcp_challenge_allowed(tc)) {
		tcp_count(TCP_TCPACKSkippedChallenge);
		return;
	}
	tcp_count(TCP_TCPChallengeACK);
	tcp_send_ack(tc);
}

/* ---- SYN, RST, probes ---- */

static u16 mss_to_offer(const struct tcp_conn *tc)
{
	u16 mss = tcp_mss_announce(&tc->is.flow);

	return tc->mss_user ? min(mss, tc->mss_user) : mss;
}

/* What we offer, or of what was offered to us and agreed to. */
static bool wanted(const struct tcp_conn *tc, bool answer, u32 option, int sysctl)
{
	return answer ? tc->options & option : sysctl != 0;
}

static u32 put_syn_options(struct tcp_conn *tc, u8 *o, bool answer, const struct tcp_fast_syn *fo)
{
	struct tcp_opts_out w = {
		.mss = mss_to_offer(tc),
		.ts = wanted(tc, answer, TCP_OPT_TS, tcp_sysctls.timestamps),
		.sack_permitted = wanted(tc, answer, TCP_OPT_SACK, tcp_sysctls.sack),
		.wscale_on = wanted(tc, answer, TCP_OPT_WSCALE, tcp_sysctls.window_scaling),
		.tsval = tcp_ts_now(tc),
		.tsecr = answer ? tc->ts_recent : 0,
		.fastopen = fo->option,
		.cookie = fo->cookie,
		.cookie_len = fo->cookie_len,
	};

	if (!answer)
		tc->rcv_wscale = tcp_wscale_for(tc);
	w.wscale = w.wscale_on ? tc->rcv_wscale : 0;
	return tcp_build_options(o, &w);
}

/* RFC 3168 6.1.1; a SYN that was lost may have been dropped for its ECN bits (6.1.1.1). */
static u16 syn_flags(const struct tcp_conn *tc, bool answer)
{
	if (answer)
		return TCP_SYN | TCP_ACK | (tc->options & TCP_OPT_ECN ? TCP_ECE : 0);
	return tcp_sysctls.ecn == 1 && !tc->backoff ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN;
}

/* A SYN's packet with the data that it carries: what fits a segment that the peer takes for sure
 * (RFC 7413 4.1.3). */
static struct pkt *syn_pkt(struct tcp_conn *tc, const struct tcp_fast_syn *fo, u32 header)
{
	const struct pkt *first = tc->tx_next;
	u32 most = min(mss_to_offer(tc), fo->mss), n = 0;
	struct pkt *p;

	if (fo->data && first)
		n = min(first->len, most + TCP_HEADER > header ? most + TCP_HEADER - header : 0);
	p = n ? pkt_alloc(PKT_POOL_TX, tcp_tx_headroom(tc), n) : NULL;
	if (!p)
		return control_pkt(tc);
	memcpy(pkt_put(p, n), first->data, n);
	return p;
}

static int emit_syn(struct tcp_conn *tc)
{
	bool answer = tc->state != TCP_SYN_SENT; /* also a pending Fast Open's */
	struct flow *f = &tc->is.flow;
	int err = ip_flow_check(f, TCP_HEADER_MAX, &tc->is.waiter);
	struct tcp_fast_syn fo = { 0 };
	u8 options[TCP_OPTIONS_MAX];
	struct pkt *p;
	u32 len, data;

	if (err)
		return err;
	if (unlikely(tc->fastopen) && !answer)
		tcp_fastopen_syn(tc, &fo);
	f->tos = inet_settings(&tc->is, &f->dst)->tos & ~3;
	len = put_syn_options(tc, options, answer, &fo);
	p = syn_pkt(tc, &fo, TCP_HEADER + len);
	if (!p)
		return -ENOBUFS;
	data = p->len;
	memcpy(pkt_push(p, TCP_HEADER + len) + TCP_HEADER, options, len);
	tc->rcv_wnd = min(tcp_window_initial(tc), 0xffffu); /* RFC 7323 2.2: never scaled */
	tc->rcv_wup = tc->rcv_nxt;
	tcp_build_header(p, f, tc->iss, answer ? tc->rcv_nxt : 0, syn_flags(tc, answer),
			 tc->rcv_wnd, 0, TCP_HEADER + len);
	if (answer)
		note_ack_sent(tc);
	tcp_count(TCP_OutSegs);
	tc->segs_out++;
	tc->data_segs_out += data != 0;
	err = ip_commit(f, p);
	if (unlikely(fo.option || fo.data) && !tcp_later(err)) {
		tc->fastopen |= TCP_FO_LEFT;
		tc->syn_data = data;
	}
	return err;
}

void tcp_send_syn(struct tcp_conn *tc)
{
	bool again = tcp_rec_first(tc) != NULL;
	int err;

	/* what no record tells of would not be repeated */
	if (!again && !tcp_rec_add(tc, tc->iss, tc->iss + 1, NULL, TCP_REC_SYN)) {
		tcp_timer_set(tc, TCP_TIMER_PACE, ktime_get() + TCP_RETRY_NS);
		return;
	}
	tc->snd_nxt = tc->iss + 1;
	tc->fastopen &= ~(u32)TCP_FO_HELD;
	err = emit_syn(tc);
	if (err)
		tc->soft_error = tcp_later(err) ? tc->soft_error : -err;
	if (again && !err) {
		tcp_rec_resent(tc, tcp_rec_first(tc), ktime_get());
		tcp_count(TCP_RetransSegs);
		tcp_count(TCP_TCPSynRetrans);
		tc->total_retrans++;
	}
	if (tcp_later(err))
		tcp_timer_set(tc, TCP_TIMER_PACE, ktime_get() + TCP_RETRY_NS);
	tcp_rearm_rto(tc);
}

void tcp_send_rst(struct tcp_conn *tc)
{
	struct pkt *p;

	if (ip_flow_check(&tc->is.flow, TCP_HEADER_MAX, NULL))
		return;
	p = control_pkt(tc);
	if (!p)
		return;
	tcp_count(TCP_OutRsts);
	tcp_emit(tc, p, tc->snd_nxt, TCP_RST, ktime_get());
}

/* A segment from before the window: whoever gets it answers with an ACK (RFC 9293 3.10.7.4, RFC
 * 1122 4.2.3.6), which tells that it lives and what its window is. */
int tcp_send_probe(struct tcp_conn *tc, bool zero_window)
{
	tcp_count(zero_window ? TCP_TCPWinProbe : TCP_TCPKeepAlive);
	return send_control(tc, tc->snd_una - 1, 0);
}

void tcp_flow_fill(struct tcp_conn *tc, struct flow *f)
{
	if (tc->is.s) {
		inet_flow_init(&tc->is, f, &tc->is.raddr);
	} else {
		f->dst = tc->is.raddr;
		f->src = tc->is.laddr;
		f->oif = tc->end.bound_if;
		f->flags = inet_pmtu_flags(&tc->is, &f->dst);
		f->sport = tc->is.lport;
		f->dport = tc->is.rport;
		f->tos = inet_settings(&tc->is, &f->dst)->tos;
		f->ttl = inet_settings(&tc->is, &f->dst)->ttl;
		flow_reset(f);
	}
	f->proto = IPPROTO_TCP;
	f->flags |= FLOW_GSO;
	if (f->flags & FLOW_PMTU)
		f->flags |= FLOW_DF; /* our segments always fit: RFC 1191 */
}
