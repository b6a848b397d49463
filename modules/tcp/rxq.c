/* SPDX-License-Identifier: MIT */
/* rxq.c - received data until the user takes it: the in-order queue, and beside it what came early,
 * as runs without holes, which are also the SACK blocks to report (RFC 2018, 2883). Data is charged
 * by true size; small segments are moved together, and what came early goes first when memory is
 * short, so that a peer that sends dust costs no more than one that sends full segments. */
#include "tcp.h"

#define MERGE_MAX 256 /* bytes that are copied behind the last packet at once */
#define RUNS_MAX 512  /* a hole more, and the segment is dropped: a search stays short */
#define COLLAPSE_ROOM 1920
#define DENSITY_MIN 8 /* true size a byte of payload, beyond which buffers are collapsed */

/* ---- packets ---- */

static void charge(struct tcp_conn *tc, u32 *sum, const struct pkt *p)
{
	*sum += p->truesize;
	tcp_memory_add(p->truesize);
}

static void drop_packet(u32 *sum, struct pkt *p)
{
	*sum -= p->truesize;
	tcp_memory_add(-(s64)p->truesize);
	pkt_free(p);
}

static void trim_front(struct pkt *p, u32 n)
{
	pkt_pull(p, n);
	tcp_rx_cb(p)->seq += n;
}

static void trim_end(struct pkt *p, u32 n)
{
	pkt_trim(p, p->len - n);
	tcp_rx_cb(p)->end -= n;
}

/* Copies a small p behind last, in whose buffer nobody else has an interest. p is freed then. */
static bool merge(struct pkt *last, struct pkt *p)
{
	if (p->len > MERGE_MAX || pkt_tailroom(last) < p->len || !pkt_owned(last))
		return false;
	memcpy(pkt_put(last, p->len), p->data, p->len);
	tcp_rx_cb(last)->end = tcp_rx_cb(p)->end;
	tcp_count(TCP_TCPRcvCoalesce);
	pkt_free(p);
	return true;
}

static void purge_list(struct list_head *l, u32 *sum)
{
	struct pkt *p, *next;

	if (likely(list_empty(l)))
		return;
	list_for_each_entry_safe(p, next, l, node)
		drop_packet(sum, p);
	list_init(l);
}

/* ---- runs ---- */

static struct list_head *rest_of(struct pkt *run)
{
	return &tcp_rx_cb(run)->rest;
}

static struct pkt *run_last(struct pkt *run)
{
	return list_empty(rest_of(run)) ? run : list_last_entry(rest_of(run), struct pkt, node);
}

static void run_drop(struct tcp_conn *tc, struct pkt *run)
{
	purge_list(rest_of(run), &tc->ofo_bytes);
	list_del(&run->node);
	tc->nr_runs--;
	drop_packet(&tc->ofo_bytes, run);
}

static void ofo_purge(struct tcp_conn *tc)
{
	while (!list_empty(&tc->ofo))
		run_drop(tc, list_first_entry(&tc->ofo, struct pkt, node));
	tc->nr_sack_out = 0;
}

/* The last run that begins at or before seq; NULL: all begin behind it. New data mostly belongs to
 * the last runs. */
static struct pkt *run_find(struct tcp_conn *tc, u32 seq)
{
	struct list_head *n;

	for (n = tc->ofo.prev; n != &tc->ofo; n = n->prev) {
		struct pkt *run = list_entry(n, struct pkt, node);

		if (seq_le(tcp_rx_cb(run)->seq, seq))
			return run;
	}
	return NULL;
}

/* ---- what we report: SACK, D-SACK ---- */

/* RFC 2018 4: the block with the newest data first, then those reported before. */
static void sack_note(struct tcp_conn *tc, u32 start, u32 end)
{
	struct tcp_range keep[TCP_SACK_BLOCKS_OUT] = { { start, end } };
	u32 i, n = 1;

	for (i = 0; i < tc->nr_sack_out && n < TCP_SACK_BLOCKS_OUT; i++) {
		const struct tcp_range *r = &tc->sack_out[i];

		if (seq_lt(r->end, start) || seq_gt(r->start, end))
			keep[n++] = *r;
	}
	memcpy(tc->sack_out, keep, n * sizeof(keep[0]));
	tc->nr_sack_out = n;
}

/* rcv_nxt has moved: what lies before it is acknowledged. */
static void sack_forget(struct tcp_conn *tc)
{
	u32 i, n = 0;

	for (i = 0; i < tc->nr_sack_out; i++) {
		if (seq_gt(tc->sack_out[i].start, tc->rcv_nxt))
			tc->sack_out[n++] = tc->sack_out[i];
	}
	tc->nr_sack_out = n;
}

/* RFC 2883: says once which data came a second time. What the last one said leaves before it is
 * forgotten, unless both are one range. */
void tcp_dsack(struct tcp_conn *tc, u32 start, u32 end, enum tcp_counter which)
{
	struct tcp_range *d = &tc->dsack;

	if (!(tc->options & TCP_OPT_SACK) || !tcp_sysctls.dsack || !seq_lt(start, end))
		return;
	if (d->start != d->end && d->end == start) {
		start = d->start;
	} else if (d->start != d->end) {
		tcp_send_ack(tc);
		tcp_defer(tc, TCP_TODO_ACK);
	}
	*d = (struct tcp_range){ start, end };
	tcp_count(which);
}

/* Does one ACK at the end of the batch tell the peer as much as one for each segment? Who has no
 * SACK counts them (RFC 5681 3.2); who has it must hear of each run, and a few fit into one. seq:
 * of the next that came early. */
static bool one_ack_tells(const struct tcp_conn *tc, u32 seq)
{
	u32 room = TCP_SACK_BLOCKS_OUT - !!(tc->options & TCP_OPT_TS);
	u32 told = tc->nr_sack_out + (tc->dsack.start != tc->dsack.end);

	if (!(tc->options & TCP_OPT_SACK))
		return false;
	return told < room || (tc->nr_sack_out && seq == tc->sack_out[0].end);
}

/* ---- memory ---- */

static u32 rx_held(const struct tcp_conn *tc)
{
	return tc->rx_bytes + tc->ofo_bytes;
}

/* A buffer in front of p, for its bytes and others'. */
static struct pkt *collapse_into(struct tcp_conn *tc, struct pkt *p, u32 *sum)
{
	struct pkt *into = pkt_alloc(PKT_POOL_RX, 0, COLLAPSE_ROOM);

	if (!into)
		return NULL;
	tcp_rx_cb(into)->seq = tcp_rx_cb(into)->end = tcp_rx_cb(p)->seq;
	into->stamp_ns = p->stamp_ns;
	list_add_tail(&into->node, &p->node);
	charge(tc, sum, into);
	return into;
}

/* Moves the bytes of src's packets into as few buffers as they need, where that gains something.
 * Without memory the rest stays as it is. */
static void collapse_list(struct tcp_conn *tc, struct list_head *src, u32 *sum)
{
	struct pkt *p, *next, *into = NULL;
	u32 n;

	list_for_each_entry_safe(p, next, src, node) {
		if (2 * p->len > p->truesize) { /* dense enough */
			into = NULL;
			continue;
		}
		while (p->len) {
			if (!into || !pkt_tailroom(into))
				into = collapse_into(tc, p, sum);
			if (!into)
				return;
			n = min(p->len, pkt_tailroom(into));
			memcpy(pkt_put(into, n), p->data, n);
			tcp_rx_cb(into)->end += n;
			trim_front(p, n);
		}
		list_del(&p->node);
		drop_packet(sum, p);
		tcp_count(TCP_TCPRcvCollapsed);
	}
}

/* Who is below the bound may go over it once: a window that is open takes a packet. */
static bool fits(struct tcp_conn *tc, u32 n)
{
	return rx_held(tc) < tc->rcvbuf && tcp_memory_allows(tc, n);
}

/* What the window let in came in larger buffers than the window was made for: the bound follows, as
 * long as they are not nearly empty. */
static bool grow_bound(struct tcp_conn *tc, u32 n)
{
	u64 want = (u64)rx_held(tc) + n;

	if (tc->rcvbuf_locked || tcp_memory_pressure || want > (u32)tcp_sysctls.rmem[2] ||
	    want > DENSITY_MIN * (u64)(tc->rcv_nxt - tc->copied_seq))
		return false;
	tcp_rcvbuf_set(tc, want);
	return true;
}

/* Worth the walk and the copies when half is waste, and not again before something was queued, so
 * that a peer cannot make it run for each segment. */
static void collapse(struct tcp_conn *tc)
{
	if (tc->rx_bytes <= 2 * (tc->rcv_nxt - tc->copied_seq) || tc->collapsed_at == tc->rcv_nxt)
		return;
	tc->collapsed_at = tc->rcv_nxt;
	collapse_list(tc, &tc->rxq, &tc->rx_bytes);
}

/* Room for n more bytes of true size? */
static bool make_room(struct tcp_conn *tc, u32 n, bool in_order)
{
	if (likely(fits(tc, n)) || grow_bound(tc, n))
		return true;
	tcp_count(TCP_PruneCalled);
	collapse(tc);
	if (fits(tc, n))
		return true;
	if (!in_order)
		return false;
	/* what fills the front is worth more than what came early (reneging, RFC 2018 8) */
	if (!list_empty(&tc->ofo)) {
		tcp_count(TCP_OfoPruned);
		ofo_purge(tc);
	}
	/* one packet always fits, or a connection could stand still for ever; but for the last of
	 * the memory, without which all would */
	if (fits(tc, n) || (!tc->rx_bytes && !READ_ONCE(pkt_rx_last)))
		return true;
	tcp_count(TCP_RcvPruned);
	return false;
}

/* ---- in order ---- */

/* What the peer puts into a segment, for the decision to acknowledge (RFC 1122 4.2.3.2). */
static void note_segment_size(struct tcp_conn *tc, const struct pkt *p, u32 len)
{
	if (p->gso_size)
		len = min(len, (u32)p->gso_size);
	if (unlikely(len > tc->rcv_mss))
		tc->rcv_mss = len;
}

/* lo lends the sender's buffers. What waits for our reader is not to hold them, so it counts as the
 * host's own from now on. False: there is too much of that. */
static bool take_over(struct pkt *p)
{
	return likely(p->pool == PKT_POOL_RX) || pkt_move_local(p);
}

/* A little data in somebody else's buffer is worth a copy: more can be put behind it, and a large
 * one is not kept for it. */
static struct pkt *own_copy(struct pkt *p)
{
	struct pkt *c = pkt_owned(p) ? NULL : pkt_alloc(p->pool, 0, p->len);

	if (!c)
		return p;
	memcpy(pkt_put(c, p->len), p->data, p->len);
	memcpy(c->cb, p->cb, sizeof(c->cb));
	c->stamp_ns = p->stamp_ns;
	pkt_free(p);
	return c;
}

static void append(struct tcp_conn *tc, struct pkt *p)
{
	tc->rcv_nxt = tcp_rx_cb(p)->end;
	if (p->len <= MERGE_MAX) {
		if (!list_empty(&tc->rxq) && merge(list_last_entry(&tc->rxq, struct pkt, node), p))
			return;
		p = own_copy(p);
	} else if (unlikely(p->len <= COLLAPSE_ROOM && p->truesize > 2 * PKT_BUF_SIZE)) {
		p = own_copy(p);
	}
	charge(tc, &tc->rx_bytes, p);
	list_add_tail(&p->node, &tc->rxq);
}

/* Wakes readers once there is as much as they want. */
static void tell_reader(struct tcp_conn *tc)
{
	const struct socket *s = tc->is.s;

	if (s && (s->rcvlowat <= 1 || tc->reader_waits || tc->fin_received ||
		  tcp_readable(tc) >= (u32)READ_ONCE(s->rcvlowat)))
		tcp_defer(tc, TCP_TODO_READ);
}

/* Runs that rcv_nxt has reached are in order now. */
static void take_runs(struct tcp_conn *tc)
{
	struct pkt *run, *p;

	while (!list_empty(&tc->ofo)) {
		LIST_HEAD(packets);

		run = list_first_entry(&tc->ofo, struct pkt, node);
		if (seq_gt(tcp_rx_cb(run)->seq, tc->rcv_nxt))
			return;
		tc->nr_runs--;
		list_move_tail(&run->node, &packets);
		list_splice_tail(rest_of(run), &packets);
		while (!list_empty(&packets)) {
			p = list_first_entry(&packets, struct pkt, node);
			list_del(&p->node);
			if (seq_le(tcp_rx_cb(p)->end, tc->rcv_nxt)) {
				drop_packet(&tc->ofo_bytes, p);
				continue;
			}
			if (seq_lt(tcp_rx_cb(p)->seq, tc->rcv_nxt))
				trim_front(p, tc->rcv_nxt - tcp_rx_cb(p)->seq);
			tc->ofo_bytes -= p->truesize;
			tcp_memory_add(-(s64)p->truesize);
			append(tc, p);
		}
	}
}

static void receive_in_order(struct tcp_conn *tc, struct pkt *p)
{
	bool holes = !list_empty(&tc->ofo);
	u32 seq = tcp_rx_cb(p)->seq;

	if (seq_lt(seq, tc->rcv_nxt)) {
		tcp_dsack(tc, seq, tc->rcv_nxt, TCP_TCPDSACKOldSent);
		trim_front(p, tc->rcv_nxt - seq);
		tcp_defer(tc, TCP_TODO_ACK);
	}
	if (!take_over(p) || !make_room(tc, p->truesize, true)) {
		tcp_count(TCP_TCPRcvQDrop);
		ip_drop(p, DROP_SOCKET_FULL);
		tcp_defer(tc, TCP_TODO_ACK | TCP_TODO_READ);
		return;
	}
	note_segment_size(tc, p, p->len);
	append(tc, p);
	if (holes) {
		/* RFC 5681 4.2: a segment that fills all or part of a hole is answered at once */
		take_runs(tc);
		sack_forget(tc);
		tcp_defer(tc, TCP_TODO_ACK);
	} else {
		tcp_ack_later(tc);
	}
	tell_reader(tc);
}

/* ---- out of order ---- */

static void early_drop(struct pkt *p)
{
	tcp_count(TCP_TCPOFODrop);
	ip_drop(p, DROP_SOCKET_FULL);
}

/* Takes from p what lies in runs already; the older copy stays. False: nothing of it is new. */
static bool cut_overlap(struct tcp_conn *tc, struct pkt *run, struct pkt *p)
{
	struct tcp_rx_cb *cb = tcp_rx_cb(p);
	struct list_head *n = run ? &run->node : &tc->ofo;
	struct pkt *next;

	if (run && seq_lt(cb->seq, tcp_rx_cb(run)->run_end)) {
		u32 covered = seq_min(cb->end, tcp_rx_cb(run)->run_end);

		tcp_dsack(tc, cb->seq, covered, TCP_TCPDSACKOfoSent);
		if (covered == cb->end)
			return false;
		trim_front(p, covered - cb->seq);
	}
	while (n->next != &tc->ofo) {
		next = list_entry(n->next, struct pkt, node);
		if (seq_lt(cb->end, tcp_rx_cb(next)->run_end)) {
			if (seq_gt(cb->end, tcp_rx_cb(next)->seq))
				trim_end(p, cb->end - tcp_rx_cb(next)->seq);
			break;
		}
		run_drop(tc, next); /* p covers all of it */
	}
	return true;
}

/* p lies between run (may be NULL) and the one behind it: extends run or begins one. */
static struct pkt *run_insert(struct tcp_conn *tc, struct pkt *run, struct pkt *p)
{
	struct tcp_rx_cb *cb = tcp_rx_cb(p);
	u32 end = cb->end;

	if (run && tcp_rx_cb(run)->run_end == cb->seq) {
		tcp_rx_cb(run)->run_end = end;
		if (merge(run_last(run), p)) {
			tcp_count(TCP_TCPOFOMerge);
			return run;
		}
		list_add_tail(&p->node, rest_of(run));
	} else {
		cb->run_end = end;
		list_init(&cb->rest);
		list_add(&p->node, run ? &run->node : &tc->ofo);
		tc->nr_runs++;
		run = p;
	}
	charge(tc, &tc->ofo_bytes, p);
	return run;
}

static void run_join_next(struct tcp_conn *tc, struct pkt *run)
{
	struct pkt *next;

	if (run->node.next == &tc->ofo)
		return;
	next = list_entry(run->node.next, struct pkt, node);
	if (tcp_rx_cb(next)->seq != tcp_rx_cb(run)->run_end)
		return;
	tcp_rx_cb(run)->run_end = tcp_rx_cb(next)->run_end;
	list_move_tail(&next->node, rest_of(run));
	list_splice_tail(rest_of(next), rest_of(run));
	tc->nr_runs--;
}

static void receive_early(struct tcp_conn *tc, struct pkt *p)
{
	struct pkt *run;

	/* RFC 5681 4.2: the duplicate ACK leaves at once */
	if ((tc->todo & TCP_TODO_ACK) && !one_ack_tells(tc, tcp_rx_cb(p)->seq))
		tcp_send_ack(tc);
	tcp_defer(tc, TCP_TODO_ACK);
	tc->rcv_ooopack++;
	if (tc->nr_runs >= RUNS_MAX || !take_over(p) || !make_room(tc, p->truesize, false)) {
		early_drop(p);
		return;
	}
	note_segment_size(tc, p, p->len);
	run = run_find(tc, tcp_rx_cb(p)->seq);
	if (cut_overlap(tc, run, p)) {
		tcp_count(TCP_TCPOFOQueue);
		run = run_insert(tc, run, p);
		run_join_next(tc, run);
	} else {
		pkt_free(p);
	}
	sack_note(tc, tcp_rx_cb(run)->seq, tcp_rx_cb(run)->run_end);
}

/* ---- segments ---- */

/* Cuts what lies at or behind limit. */
static bool clip(struct pkt *p, u32 limit)
{
	struct tcp_rx_cb *cb = tcp_rx_cb(p);

	if (!seq_gt(cb->end, limit))
		return false;
	trim_end(p, cb->end - seq_max(cb->seq, limit));
	return true;
}

static void note_fin(struct tcp_conn *tc, u32 at, u32 window_end)
{
	tcp_defer(tc, TCP_TODO_ACK);
	if (tc->fin_seen || (at != tc->rcv_nxt && !seq_lt(at, window_end)))
		return;
	tc->fin_seen = true;
	tc->fin_seq = at;
}

void tcp_rx_data(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg)
{
	u32 seq = seg->seq + !!(seg->flags & TCP_SYN), window_end = tc->rcv_wup + tc->rcv_wnd;
	struct tcp_rx_cb *cb = tcp_rx_cb(p);

	if (seg->flags & TCP_FIN)
		note_fin(tc, seq + seg->len, window_end);
	pkt_pull(p, seg->header);
	pkt_trim(p, seg->len);
	cb->seq = seq;
	cb->end = seq + seg->len;
	if (tc->fin_seen)
		clip(p, tc->fin_seq);
	/* RFC 9293 3.10.7.4: only what lies in the window is taken */
	if (clip(p, window_end))
		tcp_defer(tc, TCP_TODO_ACK);
	if (seq_le(cb->end, tc->rcv_nxt) || !p->len) {
		if (p->len) {
			tcp_dsack(tc, cb->seq, cb->end, TCP_TCPDSACKOldSent);
			tcp_defer(tc, TCP_TODO_ACK);
		}
		pkt_free(p);
	} else if (seq_le(cb->seq, tc->rcv_nxt)) {
		receive_in_order(tc, p);
	} else {
		receive_early(tc, p);
	}
	if (tc->fin_seen && tc->rcv_nxt == tc->fin_seq && !tc->fin_received) {
		tc->rcv_nxt++;
		ofo_purge(tc);
		tcp_fin_received(tc);
	}
}

/* Nothing out of order or urgent, no lack of memory, and the window reaches up to end? */
static bool just_append(const struct tcp_conn *tc, u32 end)
{
	return likely(list_empty(&tc->ofo) && !tc->urgent_state && !tc->fin_seen &&
		      !tcp_memory_pressure && !pkt_rx_scarce &&
		      seq_le(end, tc->rcv_wup + tc->rcv_wnd));
}

bool tcp_rx_fast(struct tcp_conn *tc, struct pkt *p, const struct tcp_seg *seg)
{
	struct tcp_rx_cb *cb = tcp_rx_cb(p);

	if (unlikely(!just_append(tc, seg->end) || !take_over(p) || tc->rx_bytes >= tc->rcvbuf))
		return false;
	pkt_pull(p, seg->header);
	cb->seq = seg->seq;
	cb->end = seg->end;
	note_segment_size(tc, p, seg->len);
	append(tc, p);
	tcp_ack_later(tc);
	tell_reader(tc);
	return true;
}

bool tcp_rx_list(struct tcp_conn *tc, struct list_head *packets, u32 end, u32 truesize, u32 longest)
{
	if (unlikely(!just_append(tc, end) || tc->rx_bytes + truesize > tc->rcvbuf))
		return false;
	tc->rcv_nxt = end;
	tc->rcv_mss = max(tc->rcv_mss, longest);
	tc->rx_bytes += truesize;
	tcp_memory_add(truesize);
	list_splice_tail(packets, &tc->rxq);
	tcp_ack_later(tc);
	tell_reader(tc);
	return true;
}

void tcp_rxq_purge(struct tcp_conn *tc)
{
	purge_list(&tc->reading, &tc->rx_bytes);
	purge_list(&tc->rxq, &tc->rx_bytes);
	ofo_purge(tc);
}
