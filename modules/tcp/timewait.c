/* SPDX-License-Identifier: MIT */
/* timewait.c - connections in TIME-WAIT: small blocks that answer retransmitted FINs and keep old
 * segments from new connections for 2 MSL (RFC 9293 3.4.2). All wait equally long, so they stand in
 * one list by age and share one timer. There is a bound on how many. */
#include "timewait.h"

#include "ports.h"
#include "respond.h"
#include "table.h"

#include <weft/alloc.h>

#define EXPIRE_BATCH 512
#define EXPIRE_SLACK_NS (250 * NSEC_PER_MSEC) /* so that neighbours in time go together */
#define REUSE_AFTER_NS NSEC_PER_SEC /* a time stamp of the next second is newer for sure */
/* RFC 9293 3.10.7.4: the new ISN is larger than what the old connection used */
#define ISN_DISTANCE 65537

struct atomic tcp_nr_timewaits;

static struct spinlock timewait_lock = SPINLOCK_INIT;
static LIST_HEAD(timewaits); /* oldest first */
static struct timer expiry;
static struct kmem_cache *timewait_cache;

/* ---- the list ---- */

static void arm(void)
{
	const struct tcp_timewait *tw =
		list_first_entry_or_null(&timewaits, struct tcp_timewait, node);

	if (tw && !timer_pending(&expiry))
		timer_set(&expiry, tw->expires_ns + EXPIRE_SLACK_NS);
}

/* Takes over the caller's reference. */
static void list_enter(struct tcp_timewait *tw)
{
	spin_lock(&timewait_lock);
	tw->expires_ns = ktime_get() + TCP_TIMEWAIT_NS;
	tw->listed = true;
	list_add_tail(&tw->node, &timewaits);
	atomic_inc(&tcp_nr_timewaits);
	arm();
	spin_unlock(&timewait_lock);
}

void tcp_timewait_drop(struct tcp_end *e)
{
	struct tcp_timewait *tw = tcp_timewait_of(e);
	bool was;

	spin_lock(&timewait_lock);
	was = tw->listed;
	tw->listed = false;
	if (was) {
		list_del(&tw->node);
		atomic_dec(&tcp_nr_timewaits);
	}
	spin_unlock(&timewait_lock);
	if (!was)
		return;
	tcp_unhash(e);
	tcp_release_port(e);
	tcp_end_put(e);
}

/* A retransmitted FIN: the peer has not heard our ACK, so 2 MSL begin anew. */
static void restart(struct tcp_timewait *tw)
{
	spin_lock(&timewait_lock);
	if (tw->listed) {
		tw->expires_ns = ktime_get() + TCP_TIMEWAIT_NS;
		list_move_tail(&tw->node, &timewaits);
	}
	spin_unlock(&timewait_lock);
}

/* With a reference. */
static struct tcp_timewait *take_expired(u64 now)
{
	struct tcp_timewait *tw;

	spin_lock(&timewait_lock);
	tw = list_first_entry_or_null(&timewaits, struct tcp_timewait, node);
	if (tw && tw->expires_ns <= now)
		tcp_end_get(&tw->end);
	else
		tw = NULL;
	spin_unlock(&timewait_lock);
	return tw;
}

static void drop_expired(struct timer *t)
{
	u64 now = ktime_get();
	struct tcp_timewait *tw;

	for (u32 i = 0; i < EXPIRE_BATCH; i++) {
		tw = take_expired(now);
		if (!tw)
			break;
		preempt_disable();
		tcp_count(TCP_TW);
		preempt_enable();
		tcp_timewait_drop(&tw->end);
		tcp_end_put(&tw->end);
	}
	spin_lock(&timewait_lock);
	arm();
	spin_unlock(&timewait_lock);
}

void tcp_timewait_free(struct tcp_end *e)
{
	kmem_cache_free(timewait_cache, tcp_timewait_of(e));
}

/* ---- entering it ---- */

static struct tcp_timewait *make(const struct tcp_conn *tc)
{
	struct tcp_timewait *tw;

	if (atomic_read(&tcp_nr_timewaits) >= READ_ONCE(tcp_sysctls.max_tw_buckets))
		return NULL;
	tw = kmem_cache_zalloc(timewait_cache);
	if (!tw)
		return NULL;
	tcp_end_init(&tw->end, TCP_END_TIMEWAIT);
	tcp_end_copy_names(&tw->end, &tc->end);
	tw->has_ts = tc->options & TCP_OPT_TS;
	tw->snd_nxt = tc->snd_nxt;
	tw->rcv_nxt = tc->rcv_nxt;
	tw->rcv_wnd = tcp_rcv_window(tc);
	tw->rcv_wscale = tc->rcv_wscale;
	tw->tos = inet_settings(&tc->is, &tc->is.raddr)->tos;
	tw->ts_offset = tc->ts_offset;
	tw->ts_recent = tc->ts_recent;
	tw->ts_recent_ns = tc->ts_recent_ns;
	return tw;
}

void tcp_timewait_start(struct tcp_conn *tc)
{
	struct tcp_timewait *tw = make(tc);

	if (tw) {
		list_enter(tw);
		tcp_port_share(&tw->end, &tc->end);
		if (!tcp_replace_end(&tc->end, &tw->end))
			tcp_timewait_drop(&tw->end);
	} else {
		tcp_count(TCP_TCPTimeWaitOverflow);
	}
	tcp_done(tc, 0);
}

/* ---- the next connection of the same 4-tuple ---- */

bool tcp_timewait_reusable(const struct tcp_end *e)
{
	const struct tcp_timewait *tw = container_of(e, struct tcp_timewait, end);
	int reuse = READ_ONCE(tcp_sysctls.tw_reuse);

	/* RFC 6191: only time stamps tell the two apart for sure */
	if (!tw->has_ts || !reuse || ktime_get() - READ_ONCE(tw->ts_recent_ns) < REUSE_AFTER_NS)
		return false;
	return reuse == 1 || ip_addr_is_loopback(&e->raddr);
}

static u32 next_isn(const struct tcp_timewait *tw)
{
	u32 iss = tw->snd_nxt + ISN_DISTANCE;

	return iss ? iss : 1;
}

void tcp_timewait_inherit(const struct tcp_end *e, struct tcp_conn *tc)
{
	tc->iss = next_isn(container_of(e, struct tcp_timewait, end));
}

/* ---- segments ---- */

static void answer(struct tcp_timewait *tw)
{
	u64 now = ktime_get();
	struct tcp_reply r = { 0 };

	if (tw->last_ack_ns &&
	    now - READ_ONCE(tw->last_ack_ns) < tcp_sysctls.invalid_ratelimit * NSEC_PER_MSEC) {
		tcp_count(TCP_TCPACKSkippedTimeWait);
		return;
	}
	WRITE_ONCE(tw->last_ack_ns, now);
	tcp_reply_to_end(&r, &tw->end);
	r.tos = tw->tos;
	r.seq = tw->snd_nxt;
	r.ack = tw->rcv_nxt;
	r.flags = TCP_ACK;
	r.window = min(tw->rcv_wnd >> tw->rcv_wscale, 0xffffu);
	r.opts.ts = tw->has_ts;
	r.opts.tsval = (u32)(now / NSEC_PER_MSEC) + tw->ts_offset;
	r.opts.tsecr = READ_ONCE(tw->ts_recent);
	tcp_reply_send(&r);
}

/* RFC 6191 2, RFC 9293 3.10.7.4 (RFC 1122 4.2.2.13): is this SYN of a new connection for sure? */
static bool syn_is_new(const struct tcp_timewait *tw, const struct tcp_seg *seg)
{
	if (tw->has_ts && seg->has_ts && seg->tsval != tw->ts_recent)
		return seq_gt(seg->tsval, tw->ts_recent);
	return seq_gt(seg->seq, tw->rcv_nxt);
}

static bool in_window(const struct tcp_timewait *tw, const struct tcp_seg *seg)
{
	return seg->seq == tw->rcv_nxt ||
	       (seq_gt(seg->seq, tw->rcv_nxt) && seq_lt(seg->seq, tw->rcv_nxt + tw->rcv_wnd));
}

static void input_rst(struct tcp_timewait *tw, struct pkt *p, const struct tcp_seg *seg)
{
	/* RFC 1337: a RST here is an old one; believing it ends the protection early */
	if (!READ_ONCE(tcp_sysctls.rfc1337) && seg->seq == tw->rcv_nxt) {
		tcp_count(TCP_TWKilled);
		tcp_timewait_drop(&tw->end);
	}
	ip_drop(p, DROP_RESET);
}

void tcp_timewait_input(struct tcp_timewait *tw, struct pkt *p, const struct tcp_seg *seg, u32 *iss)
{
	bool old_ts = tw->has_ts && seg->has_ts && seq_lt(seg->tsval, READ_ONCE(tw->ts_recent));

	if (iss && (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN &&
	    syn_is_new(tw, seg)) {
		*iss = next_isn(tw);
		return;
	}
	if (seg->flags & TCP_RST) {
		input_rst(tw, p, seg);
		return;
	}
	/* RFC 9293 3.10.7.4: all that can come is the peer's FIN again; it is acknowledged and 2
	 * MSL begin anew. Anything else outside the window gets an ACK as well, an ACK within
	 * nothing. */
	if (!old_ts && (seg->flags & TCP_FIN) && seg->end == tw->rcv_nxt) {
		restart(tw);
		answer(tw);
	} else if (old_ts || (seg->flags & TCP_SYN) || seg->len || !in_window(tw, seg)) {
		answer(tw);
	} else if (seg->has_ts && seg->seq == tw->rcv_nxt) {
		WRITE_ONCE(tw->ts_recent, seg->tsval);
		WRITE_ONCE(tw->ts_recent_ns, ktime_get());
	}
	ip_drop(p, DROP_BAD_SEQUENCE);
}

/* ---- module ---- */

int tcp_timewait_init(void)
{
	timer_init(&expiry, drop_expired);
	timewait_cache = kmem_cache_create("tcp_timewait", sizeof(struct tcp_timewait), 8);
	return timewait_cache ? 0 : -ENOMEM;
}

void tcp_timewait_purge(void)
{
	struct tcp_timewait *tw;

	while ((tw = take_expired(~0ull))) {
		tcp_timewait_drop(&tw->end);
		tcp_end_put(&tw->end);
	}
	timer_cancel_sync(&expiry);
}

void tcp_timewait_exit(void)
{
	kmem_cache_destroy(timewait_cache);
}
