/* SPDX-License-Identifier: MIT */
/* output.c - what may be sent now: the peer's window, the congestion window, Nagle (RFC 1122
 * 4.2.3.4 in Minshall's form), cork, the sender's side of silly windows; then new data as clones of
 * the queued packets, and what was lost as copies. Whatever stands in the way, somebody asks again:
 * an ACK, the waiter, or a timer. */
#include "emit.h"

#define PIECE_SEGS 8u

/* ---- pieces of the stream ---- */

/* A copy of len bytes from seq on; p holds seq. */
static struct pkt *copy_range(struct tcp_conn *tc, struct pkt *p, u32 seq, u32 len)
{
	struct pkt *c = pkt_alloc(PKT_POOL_TX, tcp_tx_headroom(tc), len);

	if (!c)
		return NULL;
	while (len) {
		u32 off = seq - tcp_tx_cb(p)->seq, n = min(p->len - off, len);

		memcpy(pkt_put(c, n), p->data + off, n);
		seq += n;
		len -= n;
		if (len)
			p = list_next_entry(p, node);
	}
	return c;
}

/* len bytes at snd_nxt, out of tx_next. The first part that leaves is a clone, which costs no
 * copy; the room in front of it is then the headers'. */
static struct pkt *take_new(struct tcp_conn *tc, u32 len)
{
	struct pkt *p = tc->tx_next, *c;
	struct tcp_tx_cb *cb = tcp_tx_cb(p);

	if (cb->sent || cb->tried)
		return copy_range(tc, p, tc->snd_nxt, len);
	c = pkt_clone(p);
	if (c)
		c->len = len;
	return c;
}

void tcp_output_at(struct tcp_conn *tc, u64 at)
{
	if (!tc->deadline[TCP_TIMER_PACE] || tc->deadline[TCP_TIMER_PACE] > at)
		tcp_timer_set(tc, TCP_TIMER_PACE, at);
}

void tcp_retry_later(struct tcp_conn *tc)
{
	tcp_output_at(tc, ktime_get() + TCP_RETRY_NS);
}

/* The route may have another MTU than when mss was made. */
static void check_mss(struct tcp_conn *tc)
{
	if (unlikely(tc->is.flow.mtu != tc->path_mtu))
		tcp_mss_update(tc);
	tc->mss_now = tc->cc.mss = tcp_mss_for_window(tc);
	if (unlikely(tc->nr_sack_out || tc->dsack.start != tc->dsack.end)) {
		u32 extra = tcp_options_len(tc) - tcp_fixed_options(tc);

		tc->mss_now = max((u32)tc->mss_now, extra + 8) - extra;
	}
}

/* The wish to send, in stage one: 0, or why not. Errors that are not for later are losses on the
 * way, which the time-out repeats and in the end reports. */
static int flow_ready(struct tcp_conn *tc, u32 len)
{
	int err = ip_flow_check(&tc->is.flow, TCP_HEADER_MAX + len, &tc->is.waiter);

	if (unlikely(err) && !tcp_later(err))
		tc->soft_error = -err;
	/* the route has changed: what was measured out does not fit any more */
	return unlikely(!err && tc->is.flow.mtu != tc->path_mtu) ? -EAGAIN : err;
}

/* ---- new data ---- */

static void advance(struct tcp_conn *tc, u32 len, bool fin)
{
	struct pkt *p = tc->tx_next;

	tc->snd_nxt += len + fin;
	if (fin)
		tc->fin_sent = true;
	tc->cork_ns = 0;
	if (!p)
		return;
	tcp_tx_cb(p)->sent += len;
	if (tcp_tx_cb(p)->sent == p->len)
		tc->tx_next = p->node.next == &tc->txq ? NULL : list_next_entry(p, node);
}

void tcp_sent_with_syn(struct tcp_conn *tc, u32 len)
{
	tc->delivered += len;
	tc->last_sent_ns = ktime_get();
	tcp_count(TCP_TCPOrigDataSent);
	advance(tc, len, false);
}

/* The interactive sort answers within the time an ACK may wait: then ACKs ride on data. */
static void note_data_sent(struct tcp_conn *tc, u32 end, u32 len, u64 now)
{
	if (len && len < tc->mss_now)
		tc->snd_small = end;
	if (now - tc->last_data_recv_ns < TCP_DELACK_NS) {
		tc->pingpong = true;
		tc->quickack = 0;
	}
	tc->last_sent_ns = now;
	tcp_count(TCP_TCPOrigDataSent);
}

/* len bytes (0: none) and the FIN, if it is next. 0 or an error that is for later. */
static int send_one(struct tcp_conn *tc, u32 len, bool fin)
{
	u32 seq = tc->snd_nxt, end = seq + len;
	struct pkt *data = tc->tx_next, *p;
	u16 flags = fin ? TCP_FIN : 0;
	int err = flow_ready(tc, len);
	u64 now;

	if (unlikely(tcp_later(err)))
		return err;
	if (len && (end == tc->write_seq ||
		    (tcp_tx_cb(data)->push && end == tcp_tx_cb(data)->seq + data->len)))
		flags |= TCP_PSH;
	p = len ? take_new(tc, len) : pkt_alloc(PKT_POOL_CONTROL, tcp_tx_headroom(tc), 0);
	if (unlikely(!p))
		return -ENOBUFS;
	if (unlikely(!tcp_rec_add(tc, seq, end + fin, len ? data : NULL, fin ? TCP_REC_FIN : 0))) {
		pkt_free(p);
		return -ENOBUFS;
	}
	now = tcp_rec_last(tc)->sent_ns;
	if (likely(!err))
		err = tcp_emit(tc, p, seq, flags, now);
	else
		pkt_free(p);
	if (unlikely(tcp_later(err))) {
		tcp_rec_unsend(tc, seq);
		if (len)
			tcp_tx_cb(data)->tried = true;
		return err;
	}
	if (unlikely(tc->pace))
		tcp_pace_sent(tc, len, now);
	note_data_sent(tc, end, len, now);
	advance(tc, len, fin);
	tcp_recovery_sent(tc, len, false);
	return 0;
}

/* A segment shorter than the rest of the world wants: may it leave (RFC 1122 4.2.3.4)? */
static bool short_may_leave(struct tcp_conn *tc, struct pkt *p, u32 end)
{
	if (tc->fin_queued || (tc->pushing && seq_le(end, tc->push_seq)))
		return true;
	if (tc->cork || !tcp_tx_cb(p)->push) {
		if (!tc->cork_ns) {
			tc->cork_ns = ktime_get();
			if (!tc->deadline[TCP_TIMER_PACE])
				tcp_timer_set(tc, TCP_TIMER_PACE, tc->cork_ns + TCP_CORK_NS);
		}
		return false;
	}
	if (tc->nodelay)
		return true;
	/* Minshall: one short segment on its way at a time */
	return seq_le(tc->snd_small, tc->snd_una) || seq_gt(tc->snd_small, tc->snd_nxt);
}

static u32 window_left(const struct tcp_conn *tc)
{
	u32 edge = tc->snd_una + tc->snd_wnd;

	return seq_gt(edge, tc->snd_nxt) ? edge - tc->snd_nxt : 0;
}

static u32 cwnd_left(const struct tcp_conn *tc)
{
	u32 pipe = tcp_pipe(tc);

	return tc->cc.cwnd > pipe ? tc->cc.cwnd - pipe : 0;
}

static u32 limited_by_cwnd(struct tcp_conn *tc)
{
	tc->cc.cwnd_limited = true;
	tc->limited_seq = tc->snd_nxt;
	return 0;
}

/* What the peer's window lets go of n bytes: whole segments, at least half of its best window (RFC
 * 9293 3.8.6.2.1), or nothing. */
static u32 fit_window(const struct tcp_conn *tc, u32 n, u32 wnd)
{
	u32 mss = tc->mss_now;

	if (n <= wnd)
		return n;
	if (wnd >= mss)
		return wnd - wnd % mss;
	return wnd && wnd >= tc->snd_max_wnd / 2 ? wnd : 0;
}

/* A large packet goes in pieces of some size, not of what each ACK lets out, when the next ACK is
 * less than half a round trip away. */
static bool worth_waiting(struct tcp_conn *tc, u32 n)
{
	u32 piece =
		min(tc->cc.cwnd / max(tcp_sysctls.tso_win_divisor, 1), PIECE_SEGS * tc->mss_now);
	const struct tcp_rec *first = tcp_rec_first(tc);

	return n < piece && tc->ca_state == TCP_CA_OPEN && first &&
	       ktime_get() - first->sent_ns > tc->srtt_ns / 2;
}

/* How much of the packet at snd_nxt leaves now, in one packet; 0: none. */
static u32 next_len(struct tcp_conn *tc)
{
	struct pkt *p = tc->tx_next;
	u32 mss = tc->mss_now, left = tcp_tx_cb(p)->seq + p->len - tc->snd_nxt;
	u32 n = left, wnd = window_left(tc), cw, tail;

	if (unlikely(tcp_tx_cb(p)->filling))
		return 0; /* whoever fills it comes here next */
	if (n > mss)
		n = min(n, tc->urgent_out ? mss : TCP_PAYLOAD_MAX - TCP_PAYLOAD_MAX % mss);
	n = fit_window(tc, n, wnd);
	if (!n)
		return 0;
	cw = cwnd_left(tc);
	if (cw < n) {
		if (cw < min(mss, n))
			return limited_by_cwnd(tc);
		n = cw < mss ? cw : cw - cw % mss;
		if (n < left && worth_waiting(tc, n))
			return limited_by_cwnd(tc);
	}
	if (unlikely(tc->pace)) {
		n = tcp_pace_fit(tc, n);
		if (!n)
			return 0;
	}
	tail = n < mss ? n : n % mss;
	if (tail && tc->snd_nxt + n == tc->write_seq && !short_may_leave(tc, p, tc->write_seq))
		n -= tail;
	return n;
}

/* RFC 5681 4.1: what the path could take was measured too long ago. */
static void check_idle(struct tcp_conn *tc)
{
	if (tc->snd_nxt != tc->snd_una || !tcp_sysctls.slow_start_after_idle || !tc->last_sent_ns)
		return;
	if (ktime_get() - tc->last_sent_ns > tc->rto_ns) {
		tc->cc.cwnd = min(tc->cc.cwnd, tcp_restart_window(tc));
		if (tc->cc.algo && tc->cc.algo->idle)
			tc->cc.algo->idle(&tc->cc);
	}
}

/* RFC 4821 7.4: one segment of a size that may not get through. True: it left. */
static bool try_larger(struct tcp_conn *tc)
{
	u32 len = tcp_mtu_probe_len(tc, ktime_get()), seq = tc->snd_nxt;
	struct pkt *p = tc->tx_next;
	u16 usual = tc->mss_now;

	if (!len || !p || tcp_tx_cb(p)->filling || tcp_tx_cb(p)->seq + p->len - seq < len ||
	    len > min(window_left(tc), cwnd_left(tc)))
		return false;
	tc->mss_now = len;
	if (!send_one(tc, len, false) && tcp_rec_last(tc)->seq == seq)
		tcp_mtu_probe_sent(tc, seq, len);
	tc->mss_now = usual;
	return tc->snd_nxt != seq;
}

/* True when something left. */
static bool send_queue(struct tcp_conn *tc)
{
	bool several = tc->tx_next && tc->tx_next->node.next != &tc->txq;
	bool sent = false;
	int err = 0;

	if (several)
		batch_begin();
	while (tc->tx_next && !err) {
		u32 n = next_len(tc);
		bool fin;

		if (!n)
			break;
		fin = tc->fin_queued && tc->snd_nxt + n == tc->write_seq && window_left(tc) > n;
		err = send_one(tc, n, fin);
		sent |= !err;
	}
	if (tc->fin_queued && !tc->fin_sent && !tc->tx_next && !err && window_left(tc)) {
		err = send_one(tc, 0, true);
		sent |= !err;
	}
	if (several)
		batch_finish();
	if (unlikely(err))
		tcp_retry_later(tc);
	return sent;
}

int tcp_send_new(struct tcp_conn *tc, u32 limit)
{
	u32 n, wnd = window_left(tc);
	struct pkt *p = tc->tx_next;
	int err;

	if (!p || tcp_tx_cb(p)->filling || !tcp_in(tc, TCP_SYNCHRONIZED))
		return 0;
	check_mss(tc);
	n = min(tcp_tx_cb(p)->seq + p->len - tc->snd_nxt, min(limit, (u32)tc->mss_now));
	if (!n || n > wnd)
		return 0;
	err = send_one(tc, n, tc->fin_queued && tc->snd_nxt + n == tc->write_seq && wnd > n);
	return err ? err : (int)n;
}

/* ---- once more ---- */

/* Shrinks r to what one packet of at most limit bytes takes. */
static int fit_record(struct tcp_conn *tc, struct tcp_rec *r, u32 limit)
{
	u32 mss = tc->mss_now, fin = !!(r->flags & TCP_REC_FIN);
	u32 most = min(max(limit, mss), TCP_PAYLOAD_MAX - TCP_PAYLOAD_MAX % mss);

	if (tc->urgent_out)
		most = mss;
	most -= most % mss;
	return r->end - r->seq - fin <= most ? 0 : tcp_rec_split(tc, r, r->seq + most);
}

static int resend(struct tcp_conn *tc, struct tcp_rec *r)
{
	bool fin = r->flags & TCP_REC_FIN;
	u32 len = r->end - r->seq - fin;
	struct pkt *p;

	p = len ? copy_range(tc, r->data, r->seq, len) :
		  pkt_alloc(PKT_POOL_CONTROL, tcp_tx_headroom(tc), 0);
	if (!p)
		return -ENOBUFS;
	return tcp_emit(tc, p, r->seq,
			(fin ? TCP_FIN : 0) | (len && r->seq + len == tc->write_seq ? TCP_PSH : 0),
			ktime_get());
}

int tcp_retransmit(struct tcp_conn *tc, struct tcp_rec *r, u32 limit)
{
	u32 segs;
	int err;

	if (r->flags & TCP_REC_SYN) {
		tcp_send_syn(tc);
		return 0;
	}
	err = flow_ready(tc, 0);
	if (tcp_later(err))
		return err;
	check_mss(tc);
	if (fit_record(tc, r, limit))
		return -ENOBUFS;
	if (!err)
		err = resend(tc, r);
	if (tcp_later(err)) {
		tcp_count(TCP_TCPRetransFail);
		return err;
	}
	segs = DIV_ROUND_UP(r->end - r->seq, (u32)tc->mss_now);
	tcp_count_add(TCP_RetransSegs, segs);
	tcp_count_add(tc->ca_state == TCP_CA_LOSS ? TCP_TCPSlowStartRetrans : TCP_TCPFastRetrans,
		      segs);
	tc->total_retrans += segs;
	tc->bytes_retrans += r->end - r->seq;
	tc->last_sent_ns = ktime_get();
	if (unlikely(tc->pace))
		tcp_pace_sent(tc, r->end - r->seq, tc->last_sent_ns);
	tcp_rec_resent(tc, r, tc->last_sent_ns);
	tcp_recovery_sent(tc, r->end - r->seq, true);
	return 0;
}

static bool send_lost(struct tcp_conn *tc)
{
	bool sent = false;

	while (!list_empty(&tc->recs_lost)) {
		struct tcp_rec *r = list_first_entry(&tc->recs_lost, struct tcp_rec, time_node);
		u32 room = cwnd_left(tc), mss = max(tc->mss_now, (u16)1);

		if (room < min(r->end - r->seq, mss) && tcp_pipe(tc))
			break;
		/* a window that shrank (RFC 9293 3.8.6): only the first segment asks again, by the
		 * time-out */
		if (seq_ge(r->seq, tc->snd_una + tc->snd_wnd) &&
		    !(tc->backoff && r->seq == tc->snd_una))
			break;
		if (unlikely(tc->pace)) {
			room = tcp_pace_fit(tc, max(room, mss));
			if (!room)
				break;
		}
		if (tcp_retransmit(tc, r, room)) {
			tcp_retry_later(tc);
			break;
		}
		sent = true;
	}
	return sent;
}

/* ---- all of it ---- */

/* Data waits, nothing is on its way, so no ACK will come by itself: ask for the window (RFC 9293
 * 3.8.6.1). */
static void check_persist(struct tcp_conn *tc)
{
	bool waits = tc->tx_next || (tc->fin_queued && !tc->fin_sent);

	if (likely(!waits || tc->snd_nxt != tc->snd_una)) {
		tc->deadline[TCP_TIMER_PERSIST] = 0;
		return;
	}
	if (!tc->deadline[TCP_TIMER_PERSIST] && !tc->deadline[TCP_TIMER_PACE])
		tcp_timer_set(tc, TCP_TIMER_PERSIST, ktime_get() + tcp_rto(tc));
}

void tcp_output(struct tcp_conn *tc)
{
	bool sent = false;

	tc->todo &= ~(u32)TCP_TODO_OUTPUT;
	if (!tcp_in(tc, TCP_SYNCHRONIZED))
		return;
	check_mss(tc);
	if (unlikely(tc->lost_out))
		sent = send_lost(tc);
	if (tc->tx_next || (tc->fin_queued && !tc->fin_sent)) {
		check_idle(tc);
		if (unlikely(tc->mtu_mss))
			sent |= try_larger(tc);
		sent |= send_queue(tc);
	}
	if (tc->pushing && seq_ge(tc->snd_nxt, tc->push_seq))
		tc->pushing = false;
	/* not in place of RACK's own short wait */
	if (sent && !(tc->retrans_kind == TCP_RETRANS_REO && tc->deadline[TCP_TIMER_RETRANS]))
		tcp_loss_timer(tc, tc->last_sent_ns, 0);
	check_persist(tc);
	tcp_limit_look(tc);
}

void tcp_push(struct tcp_conn *tc)
{
	tc->pushing = true;
	tc->push_seq = tc->write_seq;
	tcp_output(tc);
}

void tcp_send_fin(struct tcp_conn *tc)
{
	tc->fin_queued = true;
	tcp_output(tc);
}

/* ---- the end of a batch ---- */

static u32 poll_events(struct tcp_conn *tc, u32 todo)
{
	u32 events = 0;

	if (todo & TCP_TODO_STATE)
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLRDHUP;
	if (todo & TCP_TODO_READ)
		events |= POLLIN | POLLRDNORM;
	if ((todo & TCP_TODO_WRITE) && tcp_sndbuf_grow(tc))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

void tcp_flush(struct tcp_conn *tc)
{
	u32 todo, events;

	if (tc->todo & TCP_TODO_OUTPUT)
		tcp_output(tc); /* an ACK that is owed goes with data */
	if (tc->todo & TCP_TODO_ACK)
		tcp_send_ack(tc);
	todo = tc->todo;
	tc->todo = 0;
	if (!todo)
		return;
	events = poll_events(tc, todo);
	if (events)
		tcp_wake(tc, events);
}

void tcp_batch_end(struct batch_end *b)
{
	struct tcp_conn *tc = container_of(b, struct tcp_conn, batch);

	spin_lock(&tc->lock);
	tc->batch_hung = false;
	tcp_flush(tc);
	spin_unlock(&tc->lock);
	tcp_end_put(&tc->end);
}
