/* SPDX-License-Identifier: MIT */
/* child.c - a connection out of a listener: what its user set for the listener holds for it too
 * (as on Linux), the rest is what the handshake agreed on. */
#include "listen.h"
#include "table.h"

/* The user's wishes. False: no memory. */
static bool inherit(struct tcp_conn *child, const struct tcp_conn *l)
{
	child->nodelay = l->nodelay;
	child->cork = l->cork;
	child->keep_cnt = l->keep_cnt;
	child->keep_idle_ms = l->keep_idle_ms;
	child->keep_intvl_ms = l->keep_intvl_ms;
	child->user_timeout_ms = l->user_timeout_ms;
	child->linger2_s = l->linger2_s;
	child->window_clamp = l->window_clamp;
	child->notsent_lowat = l->notsent_lowat;
	child->mss_user = l->mss_user;
	child->rcvbuf_locked = l->rcvbuf_locked;
	child->sndbuf_locked = l->sndbuf_locked;
	if (l->rcvbuf_locked)
		child->rcvbuf = l->rcvbuf;
	if (l->sndbuf_locked)
		child->sndbuf = l->sndbuf;
	inet_inherit(&child->is, &l->is);
	tcp_cc_inherit(child, l);
	return tcp_pace_inherit(child, l);
}

static void take_ends(struct tcp_conn *child, const struct tcp_end *e)
{
	tcp_end_copy_names(&child->end, e);
	child->is.laddr = e->laddr;
	child->is.raddr = e->raddr;
	child->is.lport = e->lport;
	child->is.rport = e->rport;
}

static void take_handshake(struct tcp_conn *child, const struct tcp_handshake *hs)
{
	child->options = hs->options;
	child->snd_wscale = hs->snd_wscale;
	child->rcv_wscale = hs->rcv_wscale;
	child->mss_peer = hs->mss_peer;
	child->iss = hs->iss;
	child->snd_una = child->snd_nxt = child->write_seq = hs->iss + 1;
	child->snd_up = child->push_seq = child->snd_small = hs->iss;
	child->sack_high = child->recover = child->undo_una = child->snd_una;
	child->irs = hs->irs;
	child->rcv_nxt = child->rcv_wup = child->copied_seq = child->last_ack_sent = hs->irs + 1;
	child->rcv_wnd = hs->rcv_wnd;
	child->ts_recent = hs->ts_recent;
	child->ts_recent_ns = ktime_get();
	child->ts_offset = hs->ts_offset;
}

struct tcp_conn *tcp_child_make(struct tcp_conn *l, const struct tcp_handshake *hs,
				const struct tcp_end *ends, struct tcp_end *req)
{
	struct tcp_conn *child = tcp_conn_new(NULL);

	if (!child)
		return NULL;
	if (!inherit(child, l)) {
		tcp_end_put(&child->end);
		return NULL;
	}
	take_ends(child, ends);
	take_handshake(child, hs);
	tcp_flow_fill(child, &child->is.flow);
	/* for the path's MTU; a neighbour that is not known yet will be when data goes */
	ip_flow_check(&child->is.flow, 0, NULL);
	tcp_set_state(child, TCP_SYN_RECV);
	spin_lock(&child->lock);
	if (tcp_insert_child(child, l, req)) {
		spin_unlock(&child->lock);
		tcp_end_put(&child->end);
		return NULL;
	}
	tcp_count(TCP_PassiveOpens);
	return child;
}

void tcp_child_queue(struct tcp_conn *l, struct tcp_conn *child)
{
	struct tcp_listen *ln = l->listen;

	child->parent = l;
	list_add_tail(&child->accept_node, &ln->accept);
	ln->nr_accept++;
	tcp_defer(l, TCP_TODO_READ);
}

/* Goes on as a connection: what is in this segment is its first business. Takes p, unlocks. */
void tcp_child_open(struct tcp_conn *l, struct tcp_conn *child, struct pkt *p,
		    const struct tcp_seg *seg, u8 tos, u64 first_rtt)
{
	u64 now = p->stamp_ns ? p->stamp_ns : ktime_get();
	bool hang;

	tcp_child_queue(l, child);
	child->snd_wnd = child->snd_max_wnd = (u32)seg->window << child->snd_wscale;
	child->snd_wl1 = seg->seq;
	child->snd_wl2 = seg->ack;
	child->last_recv_ns = now;
	child->segs_in = 2; /* a SYN, and what completes the handshake */
	child->empty_in = 1 + !seg->len;
	child->delivered_segs = 1; /* our SYN-ACK */
	if (first_rtt)
		tcp_rtt_sample(child, first_rtt);
	tcp_established(child);
	tcp_segment_arrives(child, p, seg, tos, now);
	/* if that was its end already, it stays in the queue, as on Linux */
	hang = tcp_hang_prepare(child);
	spin_unlock(&child->lock);
	if (hang)
		batch_end_add(&child->batch);
}
