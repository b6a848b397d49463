/* SPDX-License-Identifier: MIT */
/* txq.c - the byte stream from the user until it is acknowledged: packets whose payload is sent by
 * clones and copies. Their bytes never change once they are queued; the user may add to the last
 * one while none of it was sent. */
#include "recovery.h"

#define SMALL_ROOM (PKT_BUF_SIZE - ALIGN_UP(PKT_HEADROOM + TCP_HEADER_MAX, 64u))

u32 tcp_tx_headroom(const struct tcp_conn *tc)
{
	u32 below = max((u32)tc->is.flow.headroom, (u32)PKT_HEADROOM);

	return ALIGN_UP(below + TCP_HEADER_MAX, 64u);
}

/* Large buffers are for windows that let them go in one piece: what is sent in parts is copied.
 * Beside that half of the send buffer, so that one can fill while the other is on its way. */
u32 tcp_tx_chunk(const struct tcp_conn *tc, size_t left)
{
	u32 mss = max(tcp_mss_for_window(tc), 1u), most;

	if (left <= mss)
		return mss;
	most = min(max(tc->cc.cwnd / 4, 4 * mss), (u32)TCP_PAYLOAD_MAX);
	if (tc->sndbuf)
		most = min(most, max(tc->sndbuf / 2, mss));
	if (tc->snd_max_wnd)
		most = min(most, max(tc->snd_max_wnd / 2, mss));
	most -= most % mss;
	if (left >= most)
		return most;
	return DIV_ROUND_UP((u32)left, mss) * mss;
}

static struct pkt *txq_last(struct tcp_conn *tc)
{
	return list_empty(&tc->txq) ? NULL : list_last_entry(&tc->txq, struct pkt, node);
}

void tcp_txq_append(struct tcp_conn *tc, struct pkt *p, bool push)
{
	struct tcp_tx_cb *cb = tcp_tx_cb(p);

	if (!p->len) {
		pkt_free(p);
		return;
	}
	cb->seq = tc->write_seq;
	cb->sent = 0;
	cb->push = push;
	cb->filling = cb->tried = false;
	tc->write_seq += p->len;
	tc->txq_bytes += p->len;
	tcp_memory_add(p->truesize);
	list_add_tail(&p->node, &tc->txq);
	if (!tc->tx_next)
		tc->tx_next = p;
}

struct pkt *tcp_txq_tail(struct tcp_conn *tc, u32 *room)
{
	struct pkt *p = txq_last(tc);
	u32 most, tail;

	if (!p || tcp_tx_cb(p)->sent || tcp_tx_cb(p)->filling || tc->fin_queued)
		return NULL;
	tail = pkt_tailroom(p);
	/* a pool buffer takes a segment, a larger one what fits of whole segments */
	most = p->len + tail <= SMALL_ROOM ? tc->mss : p->len + tail;
	most -= most > tc->mss ? most % tc->mss : 0;
	if (p->len >= most)
		return NULL;
	*room = min(most - p->len, tail);
	if (!*room)
		return NULL;
	tcp_tx_cb(p)->filling = true;
	return pkt_get(p);
}

void tcp_txq_extend(struct tcp_conn *tc, struct pkt *p, u32 n, bool push)
{
	/* purged meanwhile: it is on no list */
	if (!list_empty(&p->node)) {
		struct tcp_tx_cb *cb = tcp_tx_cb(p);

		cb->filling = false;
		if (n) {
			p->len += n;
			cb->push = push;
			tc->write_seq += n;
			tc->txq_bytes += n;
		}
	}
	pkt_free(p);
}

static void drop_first(struct tcp_conn *tc, struct pkt *p)
{
	list_del(&p->node);
	tc->txq_bytes -= p->len;
	tcp_memory_add(-(s64)p->truesize);
	pkt_free(p);
}

void tcp_txq_free(struct tcp_conn *tc, u32 una)
{
	struct pkt *p;

	while (!list_empty(&tc->txq)) {
		p = list_first_entry(&tc->txq, struct pkt, node);
		if (seq_gt(tcp_tx_cb(p)->seq + p->len, una) || p == tc->tx_next)
			return;
		drop_first(tc, p);
	}
}

void tcp_txq_purge(struct tcp_conn *tc)
{
	tcp_recs_purge(tc);
	tc->tx_next = NULL;
	while (!list_empty(&tc->txq))
		drop_first(tc, list_first_entry(&tc->txq, struct pkt, node));
	tc->txq_bytes = 0;
}

void tcp_send_init(struct tcp_conn *tc)
{
	tc->quick_acks = TCP_QUICK_ACKS;
	list_init(&tc->txq);
	list_init(&tc->recs);
	list_init(&tc->recs_by_time);
	list_init(&tc->recs_lost);
	tcp_rtt_init(tc);
	tcp_timer_init(tc);
}
