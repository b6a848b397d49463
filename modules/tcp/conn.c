/* SPDX-License-Identifier: MIT */
/* conn.c - the life of a connection: made, established, closed from either side, aborted, over.
 * States change here and nowhere else. A closed connection that still says goodbye has no socket
 * and is an orphan; orphans are bounded in number and time, so a peer that never answers costs
 * nothing for long. */
#include "conn.h"

#include "listen.h"
#include "ports.h"
#include "table.h"
#include "timewait.h"
#include "stamp.h"

#include <weft/alloc.h>

#define MSS_MAX 65495 /* fits the option, and an IP packet with its headers */

struct atomic tcp_nr_established, tcp_nr_orphans;

static struct kmem_cache *conn_cache;

/* ---- making ---- */

static void init_parts(struct tcp_conn *tc)
{
	list_init(&tc->rxq);
	list_init(&tc->reading);
	list_init(&tc->ofo);
	tcp_send_init(tc);
}

struct tcp_conn *tcp_conn_new(struct socket *s)
{
	struct tcp_conn *tc = kmem_cache_zalloc(conn_cache);

	if (!tc)
		return NULL;
	inet_sock_init(&tc->is, s);
	tcp_end_init(&tc->end, TCP_END_CONN);
	tc->end.family = s ? s->family : AF_INET;
	spin_init(&tc->lock);
	tc->state = TCP_CLOSE;
	init_parts(tc);
	list_init(&tc->accept_node);
	list_init(&tc->cc_node);
	tc->batch.fn = tcp_batch_end;
	tc->rcvbuf = READ_ONCE(tcp_sysctls.rmem[1]);
	tc->sndbuf = READ_ONCE(tcp_sysctls.wmem[1]);
	return tc;
}

void tcp_conn_free(struct tcp_end *e)
{
	struct tcp_conn *tc = tcp_of_end(e);

	/* They hold no references: stopped when it was over, and what was running then is an RCU
	 * reader. Only the waiter arms the timer without the lock. */
	ip_waiter_cancel(&tc->is.waiter);
	if (unlikely(tc->timer_at || tc->is.waiter.used))
		timer_cancel_sync(&tc->timer);
	tcp_cc_stop(tc); /* a child that came to nothing */
	tcp_pace_free(tc);
	kmem_cache_free(conn_cache, tc);
}

void tcp_conn_reset(struct tcp_conn *tc)
{
	u16 mss_user = tc->mss_user;

	/* all but the congestion algorithm, which may have been chosen already */
	memset(&tc->iss, 0, offsetof(struct tcp_conn, cc) - offsetof(struct tcp_conn, iss));
	memset(&tc->last_sent_ns, 0,
	       offsetof(struct tcp_conn, nodelay) - offsetof(struct tcp_conn, last_sent_ns));
	tc->mss_user = mss_user;
	tc->options = tc->todo = tc->ca_state = 0;
	tc->error = tc->soft_error = 0;
	tc->shutdown = 0;
	tc->keep_probes = 0;
	tc->rcv_space_seq = 0;
	init_parts(tc);
	flow_reset(&tc->is.flow);
}

/* ---- states ---- */

static bool counts_as_established(u8 st)
{
	return st == TCP_ESTABLISHED || st == TCP_CLOSE_WAIT; /* RFC 4022 tcpCurrEstab */
}

static void start_linger(struct tcp_conn *tc)
{
	u64 s = tc->linger2_s > 0 ? tc->linger2_s : READ_ONCE(tcp_sysctls.fin_timeout);

	tcp_timer_set(tc, TCP_TIMER_LINGER, ktime_get() + s * NSEC_PER_SEC);
}

void tcp_set_state(struct tcp_conn *tc, enum tcp_state st)
{
	bool before = counts_as_established(tc->state);
	bool after = counts_as_established(st);

	if (before != after)
		atomic_add(&tcp_nr_established, after ? 1 : -1);
	/* RFC 4022: tcpEstabResets, tcpAttemptFails */
	if (st == TCP_CLOSE && before)
		tcp_count(TCP_EstabResets);
	if (st == TCP_CLOSE && (tc->state == TCP_SYN_SENT || tc->state == TCP_SYN_RECV))
		tcp_count(TCP_AttemptFails);
	WRITE_ONCE(tc->state, st);
	if (st == TCP_FIN_WAIT2 && tc->orphan)
		start_linger(tc);
	tcp_defer(tc, TCP_TODO_STATE);
}

static void not_orphan(struct tcp_conn *tc)
{
	if (tc->orphan)
		atomic_dec(&tcp_nr_orphans);
	tc->orphan = false;
}

/* Before the state: who sees the end without the lock sees why. */
static void leave_error(struct tcp_conn *tc, int err)
{
	if (!err)
		return;
	if (tc->is.s)
		WRITE_ONCE(tc->is.s->error, err);
	else
		tc->error = err;
}

void tcp_done(struct tcp_conn *tc, int err)
{
	if (tc->state == TCP_CLOSE)
		return;
	leave_error(tc, err);
	tcp_set_state(tc, TCP_CLOSE);
	tcp_timers_stop(tc);
	tcp_txq_purge(tc);
	tcp_stamps_drop(tc);
	tcp_cc_stop(tc);
	tcp_unhash(&tc->end);
	/* a port that the user chose stays his until he closes */
	if (!tc->is.s || !(tc->end.bind & TCP_BIND_EXPLICIT))
		tcp_release_port(&tc->end);
	tc->shutdown = 3;
	/* received data is for whoever may still read it */
	if (!tc->is.s && !tc->parent)
		tcp_rxq_purge(tc);
	not_orphan(tc);
	tcp_fastopen_settled(tc);
	tcp_wake(tc, POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM | POLLHUP |
			     (err ? POLLERR : 0));
}

void tcp_abort(struct tcp_conn *tc, int err)
{
	/* RFC 9293 3.10.5 */
	if (tcp_in(tc, TCP_CAN_SEND | TCP_CAN_RECV | TCP_STATE_BIT(TCP_SYN_RECV)))
		tcp_send_rst(tc);
	tcp_done(tc, err);
}

/* ---- establishment ---- */

u16 tcp_mss_announce(const struct flow *f)
{
	u32 headers = f->net_header + TCP_HEADER;

	if (f->mtu <= headers)
		return TCP_MSS_MIN;
	return min(f->mtu - headers, (u32)MSS_MAX);
}

u32 tcp_path_mss(const struct tcp_conn *tc)
{
	const struct flow *f = &tc->is.flow;
	u32 mss = f->mtu ? tcp_mss_announce(f) : TCP_MSS_DEFAULT;

	if (tc->mss_peer)
		mss = min(mss, (u32)tc->mss_peer);
	if (tc->mss_user)
		mss = min(mss, (u32)tc->mss_user);
	return max(mss, (u32)TCP_MSS_MIN);
}

void tcp_mss_update(struct tcp_conn *tc)
{
	u32 mss = tcp_path_mss(tc);

	if (tc->mtu_mss)
		mss = max(min(mss, (u32)tc->mtu_mss), (u32)TCP_MSS_MIN);
	/* both sides' MSS are without options, the payload is with */
	tc->mss = min(mss - tcp_fixed_options(tc), (u32)TCP_PAYLOAD_MAX);
	tc->path_mtu = tc->is.flow.mtu;
}

void tcp_connect_start(struct tcp_conn *tc)
{
	const struct tcp_end *e = &tc->end;
	u32 isn = tcp_isn(e, &tc->ts_offset);

	/* preset: goes on behind a TIME-WAIT of the same 4-tuple */
	if (!tc->iss)
		tc->iss = isn;
	tc->is.flow.sport = e->lport;
	tc->is.flow.dport = e->rport;
	tc->snd_una = tc->snd_nxt = tc->iss;
	tc->write_seq = tc->iss + 1;
	tc->snd_up = tc->push_seq = tc->snd_small = tc->iss;
	tc->sack_high = tc->recover = tc->undo_una = tc->iss;
	tc->rcv_wscale = READ_ONCE(tcp_sysctls.window_scaling) ? tcp_wscale_for(tc) : 0;
	tc->mss_peer = 0;
	tcp_mss_update(tc);
	tcp_set_state(tc, TCP_SYN_SENT);
	tcp_count(TCP_ActiveOpens);
}

void tcp_established(struct tcp_conn *tc)
{
	tcp_mtu_start(tc);
	tcp_mss_update(tc);
	tcp_rcvbuf_init(tc);
	tcp_cc_start(tc);
	tcp_set_state(tc, TCP_ESTABLISHED);
	tcp_keepalive_restart(tc);
	tcp_defer(tc, TCP_TODO_WRITE);
	if (unlikely(tc->fin_queued)) { /* closed in SYN-RECEIVED */
		tcp_set_state(tc, TCP_FIN_WAIT1);
		tcp_defer(tc, TCP_TODO_OUTPUT);
	}
}

/* ---- closing ---- */

void tcp_fin_received(struct tcp_conn *tc)
{
	tc->fin_received = true;
	tc->shutdown |= 1;
	tcp_defer(tc, TCP_TODO_ACK | TCP_TODO_READ);
	switch ((enum tcp_state)tc->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(tc, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT1:
		/* simultaneous close: were ours acknowledged, it would be FIN-WAIT-2 by now */
		tcp_set_state(tc, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		/* now: at the end of the batch there is no connection any more */
		tcp_send_ack(tc);
		tcp_timewait_start(tc);
		break;
	default:
		break;
	}
}

void tcp_fin_acked(struct tcp_conn *tc)
{
	switch ((enum tcp_state)tc->state) {
	case TCP_FIN_WAIT1:
		tcp_set_state(tc, TCP_FIN_WAIT2);
		break;
	case TCP_CLOSING:
		if (tc->todo & TCP_TODO_ACK)
			tcp_send_ack(tc);
		tcp_timewait_start(tc);
		break;
	case TCP_LAST_ACK:
		tcp_done(tc, 0);
		break;
	default:
		break;
	}
}

void tcp_close_send(struct tcp_conn *tc)
{
	switch ((enum tcp_state)tc->state) {
	case TCP_SYN_SENT:
		tcp_done(tc, 0);
		return;
	case TCP_SYN_RECV:
		/* queued for the end of the handshake: before it nothing is agreed on, neither
		 * segment size nor window */
		tc->shutdown |= 2;
		tc->fin_queued = true;
		return;
	case TCP_ESTABLISHED:
		tcp_set_state(tc, TCP_FIN_WAIT1);
		break;
	case TCP_CLOSE_WAIT:
		tcp_set_state(tc, TCP_LAST_ACK);
		break;
	default:
		return;
	}
	tc->shutdown |= 2;
	tcp_send_fin(tc);
}

void tcp_linger_expired(struct tcp_conn *tc)
{
	tcp_done(tc, ETIMEDOUT);
}

/* Does the peer get a RST instead of a FIN? */
static bool close_resets(struct tcp_conn *tc, const struct socket *s)
{
	if (s->dead)
		return true; /* the protocol is taken away from its users */
	if (s->linger == 0) {
		tcp_count(TCP_TCPAbortOnLinger);
		return true;
	}
	/* RFC 2525 2.17: the peer shall know that its data was not read */
	if (tcp_readable(tc)) {
		tcp_count(TCP_TCPAbortOnClose);
		return true;
	}
	if (tc->state == TCP_FIN_WAIT2 && tc->linger2_s < 0) {
		tcp_count(TCP_TCPAbortOnLinger);
		return true;
	}
	if (atomic_read(&tcp_nr_orphans) >= READ_ONCE(tcp_sysctls.max_orphans)) {
		tcp_count(TCP_TCPAbortOnMemory);
		return true;
	}
	return false;
}

/* From here on it lives by its table entry and its timer. Lock held. */
static void become_orphan(struct tcp_conn *tc)
{
	tc->orphan = true;
	atomic_inc(&tcp_nr_orphans);
	tcp_close_send(tc);
	if (tc->state == TCP_FIN_WAIT2)
		start_linger(tc);
	tcp_keepalive_restart(tc);
}

void tcp_close(struct tcp_conn *tc)
{
	struct socket *s = tc->is.s;
	bool reset;

	if (tc->listen)
		tcp_listen_stop(tc);
	inet_sock_release(&tc->is); /* may sleep */
	spin_lock(&tc->lock);
	reset = close_resets(tc, s);
	tc->is.s = NULL;
	tc->shutdown = 3;
	if (reset)
		tcp_abort(tc, 0);
	else if (tc->state != TCP_CLOSE)
		become_orphan(tc);
	tcp_rxq_purge(tc);
	if (tc->state == TCP_CLOSE)
		tcp_release_port(&tc->end);
	else
		tcp_flush(tc);
	spin_unlock(&tc->lock);
	tcp_end_put(&tc->end);
}

/* ---- module exit ---- */

static void reset_orphan(struct tcp_end *e, void *arg)
{
	struct tcp_conn *tc;

	if (e->kind != TCP_END_CONN)
		return;
	tc = tcp_of_end(e);
	spin_lock(&tc->lock);
	if (tc->orphan)
		tcp_abort(tc, 0);
	spin_unlock(&tc->lock);
}

void tcp_orphans_exit(void)
{
	tcp_for_each(reset_orphan, NULL);
}

int tcp_conn_init(void)
{
	conn_cache = kmem_cache_create("tcp_conn", sizeof(struct tcp_conn), 64);
	return conn_cache ? 0 : -ENOMEM;
}

void tcp_conn_exit(void)
{
	kmem_cache_destroy(conn_cache);
}
