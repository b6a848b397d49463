/* SPDX-License-Identifier: MIT */
/* request.c - SYN-RECEIVED of passive opens: a request repeats its SYN-ACK until the peer's ACK
 * makes a connection of it (RFC 9293 3.10.7.4), at most as often as tcp_synack_retries says.
 * Requests stand in lists by how often they have been sent, so that each list is in order of time
 * and one timer serves them all. Everything is under the listener's lock. */
#include "listen.h"

#include "respond.h"
#include "table.h"

#include <weft/alloc.h>

#define RTO_INITIAL_NS NSEC_PER_SEC /* RFC 6298 2.1 */
#define TIMER_BATCH 128		    /* SYN-ACKs repeated in one go */
#define TIMER_BREATH_NS NSEC_PER_MSEC

static struct kmem_cache *request_cache;

/* ---- SYN-ACKs ---- */

void tcp_synack_fill(struct tcp_reply *r, const struct tcp_conn *l, const struct tcp_end *e,
		     const struct tcp_handshake *hs)
{
	const struct inet_settings *set = inet_settings(&l->is, &e->raddr);

	tcp_reply_to_end(r, e);
	r->mark = l->is.s ? l->is.s->mark : 0;
	r->tos = set->tos & ~3; /* RFC 3168 6.1.1: a SYN-ACK is not ECN-capable */
	r->ttl = set->ttl;
	r->seq = hs->iss;
	r->ack = hs->irs + 1;
	r->flags = TCP_SYN | TCP_ACK | (hs->options & TCP_OPT_ECN ? TCP_ECE : 0);
	r->window = min(hs->rcv_wnd, 0xffffu); /* RFC 7323 2.2: not scaled */
	r->opts.mss = l->mss_user ? l->mss_user : 0xffff;
	r->opts.ts = hs->options & TCP_OPT_TS;
	r->opts.tsval = (u32)(ktime_get() / NSEC_PER_MSEC) + hs->ts_offset;
	r->opts.tsecr = hs->ts_recent;
	r->opts.sack_permitted = hs->options & TCP_OPT_SACK;
	r->opts.wscale_on = hs->options & TCP_OPT_WSCALE;
	r->opts.wscale = hs->rcv_wscale;
	if (hs->fastopen) {
		tcp_fastopen_cookie(e, r->cookie);
		r->opts.fastopen = true;
		r->opts.cookie = r->cookie;
		r->opts.cookie_len = TCP_FASTOPEN_COOKIE;
	}
}

static void synack_send(const struct tcp_conn *l, const struct tcp_request *req)
{
	struct tcp_reply r = { 0 };

	tcp_synack_fill(&r, l, &req->end, &req->hs);
	tcp_reply_send(&r);
}

/* ---- waiting ---- */

void tcp_request_free(struct tcp_end *e)
{
	struct tcp_request *req = tcp_request_of(e);

	tcp_end_put(&req->listener->end);
	kmem_cache_free(request_cache, req);
}

static u64 retry_interval(const struct tcp_request *req)
{
	return RTO_INITIAL_NS << min(req->retries, (u8)(TCP_RETRY_LISTS - 1));
}

static void timer_arm(struct tcp_listen *ln, u64 at)
{
	if (timer_pending(&ln->timer) && ln->timer.expires <= at)
		return;
	timer_set(&ln->timer, at);
}

/* In its place by age; all in one list have waited equally long. */
static void request_wait(struct tcp_listen *ln, struct tcp_request *req)
{
	req->deadline_ns = ktime_get() + retry_interval(req);
	list_add_tail(&req->node, &ln->waiting[min(req->retries, (u8)(TCP_RETRY_LISTS - 1))]);
	timer_arm(ln, req->deadline_ns);
}

/* The peer believes that it is connected, and it will not come to that: it shall know, for it may
 * wait for us to speak. */
static void request_reset(const struct tcp_conn *l, const struct tcp_request *req)
{
	struct tcp_reply r = { 0 };

	tcp_reply_to_end(&r, &req->end);
	r.mark = l->is.s ? l->is.s->mark : 0;
	r.seq = req->hs.iss + 1;
	r.ack = req->hs.irs + 1;
	r.flags = TCP_RST | TCP_ACK;
	if (!tcp_reply_send(&r))
		tcp_count(TCP_OutRsts);
}

/* Not waiting any more; gives back the list's reference. */
static void request_leave(struct tcp_listen *ln, struct tcp_request *req)
{
	list_del(&req->node);
	ln->nr_requests--;
	tcp_end_put(&req->end);
}

static void request_drop(struct tcp_listen *ln, struct tcp_request *req)
{
	tcp_unhash(&req->end);
	request_leave(ln, req);
}

void tcp_request_fail(struct tcp_request *req)
{
	struct tcp_conn *l = req->listener;

	spin_lock(&l->lock);
	if (!list_empty(&req->node)) {
		request_drop(l->listen, req);
		tcp_count(TCP_AttemptFails);
	}
	spin_unlock(&l->lock);
}

static u32 synack_retries(const struct tcp_conn *l)
{
	return l->syn_retries ? l->syn_retries : (u32)READ_ONCE(tcp_sysctls.synack_retries);
}

/* TCP_DEFER_ACCEPT's seconds as SYN-ACKs: how often the time-out may pass before they are over. */
static u32 defer_retries(const struct tcp_conn *l)
{
	u32 n = 0;

	for (u64 passed = 0, step = 1; passed < l->defer_accept_s; step *= 2) {
		passed += step;
		n++;
	}
	return n;
}

/* Its SYN-ACK has not been answered in time, or only in part. */
static void request_timeout(struct tcp_conn *l, struct tcp_request *req)
{
	struct tcp_listen *ln = l->listen;
	u32 max = synack_retries(l), defer = defer_retries(l);

	if (req->acked)
		max = max(max, defer);
	if (req->retries >= max) {
		if (req->acked)
			request_reset(l, req);
		request_drop(ln, req);
		tcp_count(TCP_AttemptFails);
		return;
	}
	list_del(&req->node);
	req->retries++;
	/* who only waits to send data is not asked again before his time is up */
	if (!req->acked || req->retries >= defer) {
		synack_send(l, req);
		tcp_count(TCP_RetransSegs);
		tcp_count(TCP_TCPSynRetrans);
	}
	request_wait(ln, req);
}

/* 0: nothing waits. */
static u64 earliest(const struct tcp_listen *ln)
{
	u64 at = 0;

	for (u32 i = 0; i < TCP_RETRY_LISTS; i++) {
		const struct tcp_request *req =
			list_first_entry_or_null(&ln->waiting[i], struct tcp_request, node);

		if (req && (!at || req->deadline_ns < at))
			at = req->deadline_ns;
	}
	return at;
}

static void requests_due(struct tcp_conn *l)
{
	struct tcp_listen *ln = l->listen;
	u64 now = ktime_get(), at;
	u32 left = TIMER_BATCH;

	for (u32 i = TCP_RETRY_LISTS; i-- > 0;) {
		struct tcp_request *req;

		while (left &&
		       (req = list_first_entry_or_null(&ln->waiting[i], struct tcp_request,
						       node)) &&
		       req->deadline_ns <= now) {
			request_timeout(l, req);
			left--;
		}
	}
	at = earliest(ln);
	if (at)
		timer_arm(ln, max(at, now + TIMER_BREATH_NS));
}

void tcp_requests_timer(struct timer *t)
{
	struct tcp_conn *l = container_of(t, struct tcp_listen, timer)->owner;

	spin_lock(&l->lock);
	if (l->listen)
		requests_due(l);
	spin_unlock(&l->lock);
}

/* ---- making ---- */

static struct tcp_request *request_new(struct tcp_conn *l)
{
	struct tcp_request *req = kmem_cache_zalloc(request_cache);

	if (!req)
		return NULL;
	tcp_end_init(&req->end, TCP_END_REQUEST);
	tcp_end_get(&l->end);
	req->listener = l;
	list_init(&req->node);
	return req;
}

/* It is filled in. -EEXIST: it is freed. */
static int request_enter(struct tcp_conn *l, struct tcp_request *req)
{
	int err = tcp_insert_end(&req->end);

	if (err) {
		tcp_end_put(&req->end);
		return err;
	}
	l->listen->nr_requests++;
	request_wait(l->listen, req);
	return 0;
}

bool tcp_request_make(struct tcp_conn *l, const struct ip_rx *rx, const struct tcp_seg *seg,
		      u32 iss)
{
	struct tcp_request *req = request_new(l);
	struct tcp_end *e;

	if (!req)
		return false;
	e = &req->end;
	tcp_end_from_packet(e, rx, seg, l);
	tcp_handshake_take(l, e, seg, &req->hs);
	req->hs.iss = tcp_isn(e, &req->hs.ts_offset);
	if (iss)
		req->hs.iss = iss;
	req->sent_ns = ktime_get();
	if (request_enter(l, req))
		return false;
	synack_send(l, req);
	return true;
}

int tcp_request_restore(struct tcp_conn *l, const struct tcp_end *ends,
			const struct tcp_handshake *hs)
{
	u32 most = l->listen->backlog + (u32)READ_ONCE(tcp_sysctls.max_syn_backlog);
	struct tcp_request *req;

	if (l->listen->nr_requests >= most)
		return -ENOMEM;
	req = request_new(l);
	if (!req)
		return -ENOMEM;
	tcp_end_copy_names(&req->end, ends);
	req->hs = *hs;
	req->acked = true;
	return request_enter(l, req);
}

/* ---- segments ---- */

static void request_answer(struct tcp_conn *l, struct tcp_request *req)
{
	u64 now = ktime_get();
	struct tcp_reply r = { 0 };

	if (req->last_answer_ns &&
	    now - req->last_answer_ns < tcp_sysctls.invalid_ratelimit * NSEC_PER_MSEC) {
		tcp_count(TCP_TCPACKSkippedSynRecv);
		return;
	}
	req->last_answer_ns = now;
	tcp_synack_fill(&r, l, &req->end, &req->hs);
	r.seq = req->hs.iss + 1;
	r.flags = TCP_ACK;
	r.window = min(req->hs.rcv_wnd >> req->hs.rcv_wscale, 0xffffu);
	r.opts = (struct tcp_opts_out){ .ts = r.opts.ts,
					.tsval = r.opts.tsval,
					.tsecr = r.opts.tsecr };
	tcp_reply_send(&r);
}

/* The peer has not heard our SYN-ACK: again, but no faster than the answers to odd segments. */
static void request_repeat(struct tcp_conn *l, struct tcp_request *req)
{
	u64 now = ktime_get();

	if (req->last_answer_ns &&
	    now - req->last_answer_ns < tcp_sysctls.invalid_ratelimit * NSEC_PER_MSEC)
		return;
	req->last_answer_ns = now;
	synack_send(l, req);
	tcp_count(TCP_TCPSynRetrans);
}

static bool request_acceptable(const struct tcp_request *req, const struct tcp_seg *seg)
{
	u32 next = req->hs.irs + 1;

	if (req->hs.options & TCP_OPT_TS && seg->has_ts && !(seg->flags & TCP_RST) &&
	    seq_lt(seg->tsval, req->hs.ts_recent))
		return false;
	return seq_ge(seg->seq, next) && seq_le(seg->seq, next + req->hs.rcv_wnd);
}

/* fifth, the ACK field, is good: is a connection to be made now? */
static bool request_completes(struct tcp_conn *l, struct tcp_request *req,
			      const struct tcp_seg *seg)
{
	struct tcp_listen *ln = l->listen;

	if (!seg->len && !(seg->flags & TCP_FIN) && l->defer_accept_s &&
	    req->retries < defer_retries(l)) {
		req->acked = true;
		tcp_count(TCP_TCPDeferAcceptDrop);
		return false;
	}
	if (!tcp_accept_full(ln))
		return true;
	tcp_count(TCP_ListenOverflows);
	if (READ_ONCE(tcp_sysctls.abort_on_overflow)) {
		tcp_refuse_segment(&req->end.laddr, &req->end.raddr, req->end.bound_if, seg);
		request_drop(ln, req);
	} else {
		req->acked = true; /* the next SYN-ACK asks it to try again */
	}
	return false;
}

static void request_complete(struct tcp_conn *l, struct tcp_request *req, struct pkt *p,
			     const struct tcp_seg *seg, u8 tos)
{
	struct tcp_conn *child;
	u64 rtt = req->retries || !req->sent_ns ? 0 : ktime_get() - req->sent_ns;

	if (!request_completes(l, req, seg)) {
		ip_drop(p, DROP_IGNORED);
		return;
	}
	if (req->hs.options & TCP_OPT_TS && seg->has_ts)
		req->hs.ts_recent = seg->tsval;
	child = tcp_child_make(l, &req->hs, &req->end, &req->end);
	if (!child) {
		req->acked = true; /* the next SYN-ACK asks it to try again */
		tcp_count(TCP_ListenDrops);
		ip_drop(p, DROP_NO_MEMORY);
		return;
	}
	request_leave(l->listen, req);
	tcp_child_open(l, child, p, seg, tos, rtt);
}

/* The steps in order. Takes p. */
static void request_segment(struct tcp_conn *l, struct tcp_request *req, struct pkt *p,
			    const struct tcp_seg *seg, u8 tos)
{
	enum drop_reason why = DROP_BAD_SEQUENCE;

	if (seg->seq == req->hs.irs && (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		request_repeat(l, req);
	} else if (!request_acceptable(req, seg)) {
		/* first, the sequence number */
		if (!(seg->flags & TCP_RST))
			request_answer(l, req);
	} else if (seg->flags & TCP_RST) {
		/* second, RST: back to LISTEN; RFC 5961 3.2: only if it is exactly the next */
		if (seg->seq == req->hs.irs + 1) {
			tcp_count(TCP_EmbryonicRsts);
			tcp_count(TCP_AttemptFails);
			request_drop(l->listen, req);
			why = DROP_RESET;
		} else {
			request_answer(l, req);
		}
	} else if (seg->flags & TCP_SYN) {
		/* fourth, SYN: RFC 5961 4.2 */
		request_answer(l, req);
	} else if (!(seg->flags & TCP_ACK)) {
		why = DROP_IGNORED;
	} else if (seg->ack != req->hs.iss + 1) {
		tcp_refuse_segment(&req->end.laddr, &req->end.raddr, req->end.bound_if, seg);
	} else {
		request_complete(l, req, p, seg, tos);
		return;
	}
	ip_drop(p, why);
}

bool tcp_request_input(struct tcp_request *req, struct pkt *p, const struct ip_rx *rx,
		       const struct tcp_seg *seg)
{
	struct tcp_conn *l = req->listener;
	bool there, hang;

	spin_lock(&l->lock);
	there = l->listen && !list_empty(&req->node);
	if (there)
		request_segment(l, req, p, seg, rx->tos);
	hang = tcp_hang_prepare(l);
	spin_unlock(&l->lock);
	if (hang)
		batch_end_add(&l->batch);
	return there;
}

void tcp_requests_drop(struct tcp_listen *ln)
{
	struct tcp_request *req;

	for (u32 i = 0; i < TCP_RETRY_LISTS; i++) {
		while ((req = list_first_entry_or_null(&ln->waiting[i], struct tcp_request,
						       node))) {
			if (req->acked)
				request_reset(ln->owner, req);
			request_drop(ln, req);
		}
	}
}

int tcp_request_init(void)
{
	request_cache = kmem_cache_create("tcp_request", sizeof(struct tcp_request), 8);
	return request_cache ? 0 : -ENOMEM;
}

void tcp_request_exit(void)
{
	kmem_cache_destroy(request_cache);
}
