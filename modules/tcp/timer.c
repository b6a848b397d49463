/* SPDX-License-Identifier: MIT */
/* timer.c - one timer a connection for all that may have to happen later. What is wanted stands in
 * tc->deadline; the timer is armed for the earliest of them or earlier, so that moving a deadline
 * away, as every ACK does, touches nothing else. It holds no reference: tcp_timers_stop ends it
 * under the lock, and one that is just firing is inside an RCU reader. */
#include "emit.h"

#define TLP_ACK_DELAY (200 * NSEC_PER_MSEC) /* RFC 8985 7.2: how long a peer may delay its ACK */
#define PROBE_SILENCE (240 * NSEC_PER_SEC)

/* ---- arming ---- */

static void arm(struct tcp_conn *tc, u64 at)
{
	if (likely(tc->timer_at && tc->timer_at <= at))
		return;
	tc->timer_at = at;
	timer_set(&tc->timer, at);
	/* the waiter may have set it to fire at once, and we to a later time */
	smp_mb();
	if (unlikely(READ_ONCE(tc->timer_kicked)))
		timer_set(&tc->timer, ktime_get());
}

void tcp_timer_set(struct tcp_conn *tc, enum tcp_timer_id id, u64 at_ns)
{
	tc->deadline[id] = at_ns;
	arm(tc, at_ns);
}

void tcp_timers_stop(struct tcp_conn *tc)
{
	memset(tc->deadline, 0, sizeof(tc->deadline));
	ip_waiter_cancel(&tc->is.waiter); /* nobody arms the timer from here on */
	timer_cancel(&tc->timer);
	tc->timer_at = 0;
	WRITE_ONCE(tc->timer_kicked, false);
}

/* The ring has room again, or the neighbour answered. Under the waiters' lock: the connection's is
 * not for us to take. */
static void sending_possible(struct ip_waiter *w)
{
	struct tcp_conn *tc = container_of(w, struct tcp_conn, is.waiter);

	WRITE_ONCE(tc->timer_kicked, true);
	smp_mb();
	timer_set(&tc->timer, ktime_get());
}

/* ---- retransmission ---- */

static u64 rto_due(const struct tcp_conn *tc, u64 now)
{
	const struct tcp_rec *first = list_first_entry(&tc->recs, struct tcp_rec, node);
	u64 due = max(first->sent_ns, tc->rto_base_ns) + tcp_rto(tc);

	if (unlikely(tc->user_timeout_ms && tc->retrans_start_ns))
		due = min(due,
			  max(now, tc->retrans_start_ns + tc->user_timeout_ms * NSEC_PER_MSEC));
	return due;
}

void tcp_rearm_rto(struct tcp_conn *tc)
{
	if (list_empty(&tc->recs)) {
		tc->deadline[TCP_TIMER_RETRANS] = 0;
		return;
	}
	tc->retrans_kind = TCP_RETRANS_RTO;
	tcp_timer_set(tc, TCP_TIMER_RETRANS, rto_due(tc, ktime_get()));
}

/* RFC 8985 7.2 */
static u64 probe_timeout(const struct tcp_conn *tc)
{
	u64 pto = 2 * tc->srtt_ns + TCP_TLP_FLOOR_NS;

	if (tc->nr_recs == 1 && tc->snd_nxt - tc->snd_una <= tc->mss)
		pto += TLP_ACK_DELAY; /* one segment alone */
	return pto;
}

void tcp_loss_timer(struct tcp_conn *tc, u64 now, u64 reo_ns)
{
	u64 due, probe;

	if (list_empty(&tc->recs)) {
		tc->deadline[TCP_TIMER_RETRANS] = 0;
		return;
	}
	due = rto_due(tc, now);
	tc->retrans_kind = TCP_RETRANS_RTO;
	if (unlikely(reo_ns)) {
		if (now + reo_ns < due) {
			due = now + reo_ns;
			tc->retrans_kind = TCP_RETRANS_REO;
		}
	} else if (likely(tcp_calm(tc) && tcp_has_sack(tc) && tc->srtt_ns && !tc->backoff &&
			  tcp_sysctls.early_retrans)) {
		probe = now + probe_timeout(tc);
		if (probe < due) {
			due = probe;
			tc->retrans_kind = TCP_RETRANS_TLP;
		}
	}
	tc->deadline[TCP_TIMER_RETRANS] = due;
	arm(tc, due);
}

static u32 retries_allowed(const struct tcp_conn *tc)
{
	if (!tc->orphan)
		return tcp_sysctls.retries2;
	return tcp_sysctls.orphan_retries ? tcp_sysctls.orphan_retries : 8;
}

static bool user_timeout_over(const struct tcp_conn *tc, u64 since, u64 now)
{
	return tc->user_timeout_ms && since && now - since >= tc->user_timeout_ms * NSEC_PER_MSEC;
}

static void give_up(struct tcp_conn *tc)
{
	tcp_count(TCP_TCPAbortOnTimeout);
	tcp_done(tc, tc->soft_error ? tc->soft_error : ETIMEDOUT);
}

/* RFC 9293 3.8.3, RFC 5482 */
static bool hopeless(const struct tcp_conn *tc, u64 now)
{
	if (user_timeout_over(tc, tc->retrans_start_ns, now))
		return true;
	if (tc->user_timeout_ms && !tc->orphan)
		return false; /* it says all */
	/* RFC 1122 4.2.2.17: who answers with a closed window is alive */
	if (!tc->snd_wnd && !tc->orphan && now - tc->last_recv_ns < PROBE_SILENCE)
		return false;
	return tc->backoff >= retries_allowed(tc);
}

static void syn_timeout(struct tcp_conn *tc, u64 now)
{
	u32 most = tc->state == TCP_SYN_SENT ?
			   (tc->syn_retries ? tc->syn_retries : (u32)tcp_sysctls.syn_retries) :
			   (u32)tcp_sysctls.synack_retries;

	if (!tc->retrans_start_ns)
		tc->retrans_start_ns = now;
	if (tc->backoff >= most || user_timeout_over(tc, tc->retrans_start_ns, now)) {
		if (tc->fastopen)
			tcp_fastopen_timeout(tc, true);
		give_up(tc);
		return;
	}
	tcp_count(TCP_TCPTimeouts);
	tc->backoff++;
	if (tc->fastopen)
		tcp_fastopen_timeout(tc, false);
	tcp_send_syn(tc);
}

static void retrans_timeout(struct tcp_conn *tc, u64 now)
{
	if (list_empty(&tc->recs))
		return;
	if (tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT) | TCP_STATE_BIT(TCP_SYN_RECV)) ||
	    tc->fastopen_from) {
		syn_timeout(tc, now);
		return;
	}
	if (hopeless(tc, now)) {
		give_up(tc);
		return;
	}
	tcp_count(TCP_TCPTimeouts);
	if (!tc->retrans_start_ns)
		tc->retrans_start_ns = now;
	/* RFC 1122 4.2.3.5: the way there may be what is broken */
	if (tc->backoff == tcp_sysctls.retries1)
		flow_reset(&tc->is.flow);
	tcp_mtu_timeout(tc);
	tcp_enter_loss(tc);
	if (tc->backoff < 255)
		tc->backoff++;
	tc->rto_base_ns = now;
	tcp_output(tc);
	tcp_rearm_rto(tc);
}

static void on_retrans(struct tcp_conn *tc, u64 now)
{
	if (tc->retrans_kind == TCP_RETRANS_REO)
		tcp_rack_reordering_timeout(tc);
	else if (tc->retrans_kind == TCP_RETRANS_TLP)
		tcp_tlp_send(tc);
	else
		retrans_timeout(tc, now);
}

/* ---- zero windows (RFC 9293 3.8.6.1) ---- */

static void on_persist(struct tcp_conn *tc, u64 now)
{
	bool waits = tc->tx_next || (tc->fin_queued && !tc->fin_sent);

	if (!waits || tc->snd_nxt != tc->snd_una || !tcp_in(tc, TCP_SYNCHRONIZED))
		return;
	if (!tc->retrans_start_ns)
		tc->retrans_start_ns = now;
	/* A peer that answers keeps the connection, but not one that nobody has any more: its
	 * buffers would be held for ever by a window that never opens. */
	if (user_timeout_over(tc, tc->retrans_start_ns, now) ||
	    (tc->backoff >= retries_allowed(tc) &&
	     (tc->orphan || now - tc->last_recv_ns > PROBE_SILENCE))) {
		tcp_count(TCP_TCPAbortOnTimeout);
		tcp_abort(tc, tc->soft_error ? tc->soft_error : ETIMEDOUT);
		return;
	}
	/* a small window: the override time-out of RFC 9293 3.8.6.2.1 sends what fits */
	if (tcp_send_new(tc, tc->snd_wnd) > 0) {
		tcp_loss_timer(tc, now, 0);
		return;
	}
	tcp_send_probe(tc, true);
	if (tc->backoff < 255)
		tc->backoff++;
	tcp_timer_set(tc, TCP_TIMER_PERSIST, now + tcp_rto(tc));
}

/* ---- delayed ACKs, keepalive, the rest ---- */

static void on_delack(struct tcp_conn *tc, u64 now)
{
	tcp_count(TCP_DelayedACKs);
	tc->pingpong = false; /* nothing to ride on came in time */
	tcp_send_ack(tc);
}

static u64 keep_idle_ns(const struct tcp_conn *tc)
{
	return tc->keep_idle_ms ? tc->keep_idle_ms * NSEC_PER_MSEC :
				  tcp_sysctls.keepalive_time * NSEC_PER_SEC;
}

static u64 keep_interval_ns(const struct tcp_conn *tc)
{
	return tc->keep_intvl_ms ? tc->keep_intvl_ms * NSEC_PER_MSEC :
				   tcp_sysctls.keepalive_intvl * NSEC_PER_SEC;
}

void tcp_keepalive_restart(struct tcp_conn *tc)
{
	tc->keep_probes = 0;
	if (tc->is.s && tc->is.s->keepalive && tcp_in(tc, TCP_SYNCHRONIZED))
		tcp_timer_set(tc, TCP_TIMER_KEEPALIVE,
			      max(tc->last_recv_ns + keep_idle_ns(tc), ktime_get()));
	else
		tc->deadline[TCP_TIMER_KEEPALIVE] = 0;
}

/* RFC 9293 3.8.4. Segments that come only move last_recv_ns; here is where it is looked at. */
static void on_keepalive(struct tcp_conn *tc, u64 now)
{
	u32 most = tc->keep_cnt ? tc->keep_cnt : (u32)tcp_sysctls.keepalive_probes;
	u64 quiet = now - min(tc->last_recv_ns, now);

	if (!tc->is.s || !tc->is.s->keepalive || !tcp_in(tc, TCP_SYNCHRONIZED))
		return;
	if (quiet < keep_idle_ns(tc)) {
		tcp_keepalive_restart(tc);
		return;
	}
	/* what is in flight asks by itself */
	if (tc->snd_nxt != tc->snd_una || tc->tx_next) {
		tcp_timer_set(tc, TCP_TIMER_KEEPALIVE, now + keep_idle_ns(tc));
		return;
	}
	if (tc->user_timeout_ms ? tc->keep_probes && quiet >= tc->user_timeout_ms * NSEC_PER_MSEC :
				  tc->keep_probes >= most) {
		tcp_count(TCP_TCPAbortOnTimeout);
		tcp_abort(tc, tc->soft_error ? tc->soft_error : ETIMEDOUT);
		return;
	}
	if (!tcp_send_probe(tc, false))
		tc->keep_probes++;
	tcp_timer_set(tc, TCP_TIMER_KEEPALIVE, now + keep_interval_ns(tc));
}

static void on_linger(struct tcp_conn *tc, u64 now)
{
	tcp_linger_expired(tc);
}

/* Whatever could not be sent: once more. A corked end has waited long enough. */
static void on_pace(struct tcp_conn *tc, u64 now)
{
	struct tcp_rec *first = tcp_rec_first(tc);

	if (first ? first->flags & TCP_REC_SYN : tcp_in(tc, TCP_STATE_BIT(TCP_SYN_SENT))) {
		tcp_send_syn(tc);
		return;
	}
	if (tc->cork_ns && now - tc->cork_ns >= TCP_CORK_NS) {
		tc->cork_ns = 0;
		tcp_push(tc);
	}
	tcp_defer(tc, TCP_TODO_OUTPUT | TCP_TODO_WRITE);
	/* it was asked for something else too, earlier */
	if (tc->cork_ns && !tc->deadline[TCP_TIMER_PACE])
		tcp_timer_set(tc, TCP_TIMER_PACE, tc->cork_ns + TCP_CORK_NS);
}

/* ---- firing ---- */

static void (*const handlers[TCP_NR_TIMERS])(struct tcp_conn *tc, u64 now) = {
	[TCP_TIMER_RETRANS] = on_retrans, [TCP_TIMER_PERSIST] = on_persist,
	[TCP_TIMER_DELACK] = on_delack,	  [TCP_TIMER_KEEPALIVE] = on_keepalive,
	[TCP_TIMER_LINGER] = on_linger,	  [TCP_TIMER_PACE] = on_pace,
};

static bool is_over(const struct tcp_conn *tc)
{
	return tc->state == TCP_CLOSE || tc->state == TCP_LISTEN || tc->state == TCP_TIME_WAIT;
}

static void arm_earliest(struct tcp_conn *tc)
{
	u64 earliest = 0;

	for (u32 i = 0; i < TCP_NR_TIMERS; i++) {
		if (tc->deadline[i] && (!earliest || tc->deadline[i] < earliest))
			earliest = tc->deadline[i];
	}
	if (earliest)
		arm(tc, earliest);
}

static void fired(struct timer *t)
{
	struct tcp_conn *tc = container_of(t, struct tcp_conn, timer);
	u64 now;

	spin_lock(&tc->lock);
	tc->timer_at = 0;
	now = ktime_get();
	if (xchg(&tc->timer_kicked, false)) {
		tc->deadline[TCP_TIMER_PACE] = now;
		if (tc->deadline[TCP_TIMER_DELACK]) /* an ACK may be what could not leave */
			tc->deadline[TCP_TIMER_DELACK] = now;
	}
	for (u32 i = 0; i < TCP_NR_TIMERS && !is_over(tc); i++) {
		if (!tc->deadline[i] || tc->deadline[i] > now)
			continue;
		tc->deadline[i] = 0;
		handlers[i](tc, now);
	}
	if (!is_over(tc)) {
		tcp_flush(tc);
		if (!is_over(tc))
			arm_earliest(tc);
	}
	spin_unlock(&tc->lock);
}

void tcp_timer_init(struct tcp_conn *tc)
{
	memset(tc->deadline, 0, sizeof(tc->deadline));
	tc->timer_at = 0;
	tc->timer_kicked = false;
	timer_init(&tc->timer, fired);
	ip_waiter_init(&tc->is.waiter, sending_possible);
}
