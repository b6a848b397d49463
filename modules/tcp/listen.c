/* SPDX-License-Identifier: MIT */
/* listen.c - passive opens. A SYN becomes a request, small and bounded in number, which repeats its
 * SYN-ACK until the handshake is complete; then a connection waits in the accept queue. When there
 * are too many requests, SYN cookies remember them at the peer instead (RFC 4987 3.6). Everything of
 * a listener is under its lock. Backlogs mean what they mean on Linux. */
#include "listen.h"

#include "respond.h"
#include "table.h"

#include <weft/alloc.h>

#define RTO_INITIAL_NS NSEC_PER_SEC /* RFC 6298 2.1 */
#define TIMER_BATCH 128		    /* SYN-ACKs repeated in one go */
#define TIMER_BREATH_NS NSEC_PER_MSEC
#define COOKIE_LIFE_NS (120 * NSEC_PER_SEC)
#define BACKLOG_MAX 65535
#define PASS (-1)

static struct kmem_cache *request_cache;

static struct tcp_listen *listen_of(struct tcp_conn *l)
{
	return l->listen;
}

/* ---- SYN-ACKs ---- */

static void synack_fill(struct tcp_reply *r, const struct tcp_conn *l, const struct tcp_end *e,
			const struct tcp_handshake *hs)
{
	tcp_reply_to_end(r, e);
	r->mark = l->is.s ? l->is.s->mark : 0;
	r->tos = l->is.tos & ~3; /* RFC 3168 6.1.1: a SYN-ACK is not ECN-capable */
	r->ttl = l->is.ttl;
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
}

static void synack_send(const struct tcp_conn *l, const struct tcp_request *req)
{
	struct tcp_reply r = { 0 };

	synack_fill(&r, l, &req->end, &req->hs);
	tcp_reply_send(&r);
}

/* ---- requests: the listener's lock held ---- */

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
	list_add_tail(&req->node,
		      &ln->waiting[min(req->retries, (u8)(TCP_RETRY_LISTS - 1))]);
	timer_arm(ln, req->deadline_ns);
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
		request_drop(listen_of(l), req);
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

		while (left && (req = list_first_entry_or_null(&ln->waiting[i], struct tcp_request,
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

static void listen_timer(struct timer *t)
{
	struct tcp_conn *l = container_of(t, struct tcp_listen, timer)->owner;

	spin_lock(&l->lock);
	if (l->listen)
		requests_due(l);
	spin_unlock(&l->lock);
}

/* ---- a SYN ---- */

static void take_syn_options(const struct tcp_conn *l, const struct tcp_end *e,
			     const struct tcp_seg *seg, struct tcp_handshake *hs)
{
	u16 default_mss = ip_addr_is_v4(&e->raddr) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_V6;

	hs->irs = seg->seq;
	hs->mss_peer = seg->has_mss ? max(seg->mss, (u16)TCP_MSS_MIN) : default_mss;
	if (seg->has_ts && READ_ONCE(tcp_sysctls.timestamps)) {
		hs->options |= TCP_OPT_TS;
		hs->ts_recent = seg->tsval;
	}
	if (seg->sack_ok && READ_ONCE(tcp_sysctls.sack))
		hs->options |= TCP_OPT_SACK;
	if (seg->has_wscale && READ_ONCE(tcp_sysctls.window_scaling)) {
		hs->options |= TCP_OPT_WSCALE;
		hs->snd_wscale = seg->wscale;
		hs->rcv_wscale = tcp_wscale_for(l);
	}
	/* RFC 3168 6.1.1; a peer that asks for AccECN (RFC 9768 3.1.1) is answered as if it had
	 * asked for this: AE is masked out */
	if ((seg->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) && READ_ONCE(tcp_sysctls.ecn))
		hs->options |= TCP_OPT_ECN;
	hs->rcv_wnd = tcp_window_initial(l);
}

static void end_from_packet(struct tcp_end *e, const struct ip_rx *rx, const struct tcp_seg *seg,
			    const struct tcp_conn *l)
{
	e->laddr = rx->dst;
	e->raddr = rx->src;
	e->lport = seg->dport;
	e->rport = seg->sport;
	e->bound_if = l->end.bound_if;
	/* a link-local address means something on its link only */
	if (!e->bound_if && ip_addr_is_link_local(&e->raddr) && !ip_addr_is_v4(&e->raddr))
		e->bound_if = rx->ifindex;
}

/* The answer that needs no memory. */
static void syn_cookie(struct tcp_conn *l, const struct ip_rx *rx, const struct tcp_seg *seg)
{
	struct tcp_listen *ln = l->listen;
	struct tcp_handshake hs = { 0 };
	struct tcp_end e = { 0 };
	struct tcp_reply r = { 0 };
	u64 now = ktime_get();
	u32 tsval;

	end_from_packet(&e, rx, seg, l);
	take_syn_options(l, &e, seg, &hs);
	hs.ts_offset = tcp_ts_offset(&e.laddr, &e.raddr);
	hs.iss = tcp_cookie_make(&e, &hs, &tsval);
	synack_fill(&r, l, &e, &hs);
	r.opts.tsval = tsval;
	ln->cookies_until = now + COOKIE_LIFE_NS;
	tcp_count(TCP_SyncookiesSent);
	tcp_count(TCP_TCPReqQFullDoCookies);
	if (!ln->cookies_warned) {
		ln->cookies_warned = now;
		pr_info("tcp: port %u: more SYNs than it can keep, sending cookies\n", e.lport);
	}
	tcp_reply_send(&r);
}

static bool syn_request(struct tcp_conn *l, const struct ip_rx *rx, const struct tcp_seg *seg,
			u32 iss)
{
	struct tcp_request *req = kmem_cache_zalloc(request_cache);
	struct tcp_end *e;

	if (!req)
		return false;
	e = &req->end;
	tcp_end_init(e, TCP_END_REQUEST);
	tcp_end_get(&l->end);
	req->listener = l;
	list_init(&req->node);
	end_from_packet(e, rx, seg, l);
	take_syn_options(l, e, seg, &req->hs);
	req->hs.iss = iss ? iss : tcp_isn(&e->laddr, e->lport, &e->raddr, e->rport);
	req->hs.ts_offset = tcp_ts_offset(&e->laddr, &e->raddr);
	req->sent_ns = ktime_get();
	if (tcp_insert_end(e)) {
		tcp_end_put(e);
		return false;
	}
	l->listen->nr_requests++;
	request_wait(l->listen, req);
	synack_send(l, req);
	return true;
}

static bool accept_full(const struct tcp_listen *ln)
{
	/* as on Linux: one more than was asked for */
	return ln->nr_accept > ln->backlog;
}

static bool requests_full(const struct tcp_listen *ln)
{
	return ln->nr_requests >= max(ln->backlog, 1u) ||
	       ln->nr_requests >= (u32)READ_ONCE(tcp_sysctls.max_syn_backlog);
}

/* PASS: it is answered. */
static int input_syn(struct tcp_conn *l, const struct ip_rx *rx,
				  const struct tcp_seg *seg, u32 iss)
{
	struct tcp_listen *ln = l->listen;
	int cookies = READ_ONCE(tcp_sysctls.syncookies);

	/* land: nobody calls himself this way */
	if (seg->sport == seg->dport && ip_addr_eq(&rx->src, &rx->dst))
		return DROP_BAD_SOURCE;
	if (accept_full(ln)) {
		tcp_count(TCP_ListenOverflows);
		tcp_count(TCP_ListenDrops);
		return DROP_SOCKET_FULL;
	}
	if ((requests_full(ln) || cookies == 2) && !iss) {
		if (cookies) {
			syn_cookie(l, rx, seg);
			return PASS;
		}
		tcp_count(TCP_TCPReqQFullDrop);
		tcp_count(TCP_ListenDrops);
		return DROP_SOCKET_FULL;
	}
	if (!syn_request(l, rx, seg, iss)) {
		tcp_count(TCP_ListenDrops);
		return DROP_NO_MEMORY;
	}
	return PASS; /* its text, if any, comes again: 9293 3.10.7.2 allows that */
}

/* ---- the handshake is complete ---- */

static void queue_child(struct tcp_conn *l, struct tcp_conn *child)
{
	struct tcp_listen *ln = l->listen;

	child->parent = l;
	list_add_tail(&child->accept_node, &ln->accept);
	ln->nr_accept++;
	tcp_defer(l, TCP_TODO_READ);
}

/* Goes on as a connection: what is in this segment is its first business. Takes p, unlocks. */
static void open_child(struct tcp_conn *l, struct tcp_conn *child, struct pkt *p,
		       const struct tcp_seg *seg, u8 tos, u64 first_rtt)
{
	u64 now = p->stamp_ns ? p->stamp_ns : ktime_get();
	bool hang;

	child->snd_wnd = child->snd_max_wnd = (u32)seg->window << child->snd_wscale;
	child->snd_wl1 = seg->seq;
	child->snd_wl2 = seg->ack;
	child->last_recv_ns = now;
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

/* An ACK that may be a cookie (RFC 4987 3.6). True: p is taken. */
static bool input_cookie(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
			 const struct tcp_seg *seg)
{
	struct tcp_listen *ln = l->listen;
	struct tcp_handshake hs = { 0 };
	struct tcp_end e = { 0 };
	struct tcp_conn *child;

	if (!READ_ONCE(tcp_sysctls.syncookies) || ktime_get() >= ln->cookies_until)
		return false;
	end_from_packet(&e, rx, seg, l);
	hs.ts_offset = tcp_ts_offset(&e.laddr, &e.raddr);
	if (!tcp_cookie_check(&e, seg, &hs)) {
		tcp_count(TCP_SyncookiesFailed);
		return false;
	}
	if (hs.options & TCP_OPT_WSCALE)
		hs.rcv_wscale = tcp_wscale_for(l);
	hs.rcv_wnd = tcp_window_initial(l);
	child = accept_full(ln) ? NULL : tcp_child_make(l, &hs, &e, NULL);
	if (!child) {
		tcp_count(TCP_ListenOverflows);
		ip_drop(p, DROP_SOCKET_FULL);
		return true;
	}
	tcp_count(TCP_SyncookiesRecv);
	queue_child(l, child);
	open_child(l, child, p, seg, rx->tos, 0);
	return true;
}

/* ---- 3.10.7.2 ---- */

static int listen_segment(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
			  const struct tcp_seg *seg, u32 iss)
{
	int why = DROP_IGNORED;

	/* first, RST: nothing was opened that could be reset */
	if (seg->flags & TCP_RST)
		return ip_drop(p, DROP_RESET);
	/* second, ACK: to nothing that we sent, unless it brings a cookie back */
	if (seg->flags & TCP_ACK) {
		if (!(seg->flags & TCP_SYN) && input_cookie(l, p, rx, seg))
			return IP_TAKEN;
		return tcp_refuse(p, rx, seg, DROP_NO_SOCKET);
	}
	/* third, SYN; with a FIN it is no call but a probe */
	if ((seg->flags & (TCP_SYN | TCP_FIN)) == TCP_SYN)
		why = input_syn(l, rx, seg, iss);
	/* fourth, anything else */
	if (why != PASS)
		return ip_drop(p, why);
	pkt_free(p);
	return IP_TAKEN;
}

int tcp_listen_input(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
		     const struct tcp_seg *seg, u32 iss)
{
	bool hang;

	spin_lock(&l->lock);
	if (unlikely(!l->listen)) {
		spin_unlock(&l->lock);
		return tcp_refuse(p, rx, seg, DROP_NO_SOCKET);
	}
	listen_segment(l, p, rx, seg, iss);
	hang = tcp_hang_prepare(l);
	spin_unlock(&l->lock);
	if (hang)
		batch_end_add(&l->batch);
	return IP_TAKEN;
}

/* ---- SYN-RECEIVED: 3.10.7.4 for a request ---- */

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
	synack_fill(&r, l, &req->end, &req->hs);
	r.seq = req->hs.iss + 1;
	r.flags = TCP_ACK;
	r.window = min(req->hs.rcv_wnd >> req->hs.rcv_wscale, 0xffffu);
	r.opts = (struct tcp_opts_out){
		.ts = r.opts.ts, .tsval = r.opts.tsval, .tsecr = r.opts.tsecr
	};
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
	if (!accept_full(ln))
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
	u64 rtt = req->retries ? 0 : ktime_get() - req->sent_ns;

	if (!request_completes(l, req, seg)) {
		ip_drop(p, DROP_IGNORED);
		return;
	}
	if (req->hs.options & TCP_OPT_TS && seg->has_ts)
		req->hs.ts_recent = seg->tsval;
	child = tcp_child_make(l, &req->hs, &req->end, &req->end);
	if (!child) {
		tcp_count(TCP_ListenDrops);
		ip_drop(p, DROP_NO_MEMORY);
		return;
	}
	request_leave(l->listen, req);
	queue_child(l, child);
	open_child(l, child, p, seg, tos, rtt);
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

/* ---- listen(2), accept(2) ---- */

static struct tcp_listen *listen_make(struct tcp_conn *tc)
{
	struct tcp_listen *ln = kzalloc(sizeof(*ln));

	if (!ln)
		return NULL;
	ln->owner = tc;
	list_init(&ln->accept);
	for (u32 i = 0; i < TCP_RETRY_LISTS; i++)
		list_init(&ln->waiting[i]);
	timer_init(&ln->timer, listen_timer);
	return ln;
}

int tcp_listen_start(struct tcp_conn *tc, int backlog)
{
	u32 wanted = backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
	struct tcp_listen *ln = tc->listen;
	int err;

	if (ln) {
		spin_lock(&tc->lock);
		ln->backlog = wanted;
		spin_unlock(&tc->lock);
		return 0;
	}
	if (!tc->end.port) {
		err = tcp_bind_port(tc, 0);
		if (err)
			return err;
	}
	ln = listen_make(tc);
	if (!ln)
		return -ENOMEM;
	ln->backlog = wanted;
	spin_lock(&tc->lock);
	tc->listen = ln;
	tcp_set_state(tc, TCP_LISTEN);
	tc->todo = 0;
	err = tcp_insert_listener(tc);
	if (err) {
		tc->listen = NULL;
		tcp_set_state(tc, TCP_CLOSE);
		tc->todo = 0;
	}
	spin_unlock(&tc->lock);
	if (err)
		kfree(ln);
	return err;
}

static void drop_all_requests(struct tcp_listen *ln)
{
	for (u32 i = 0; i < TCP_RETRY_LISTS; i++) {
		while (!list_empty(&ln->waiting[i]))
			request_drop(ln, list_first_entry(&ln->waiting[i], struct tcp_request,
							  node));
	}
}

/* Nobody will accept it any more. */
static void abort_child(struct tcp_conn *child)
{
	spin_lock(&child->lock);
	child->parent = NULL;
	tcp_abort(child, 0);
	tcp_rxq_purge(child);
	tcp_release_port(&child->end);
	spin_unlock(&child->lock);
	tcp_end_put(&child->end);
}

static struct tcp_conn *accept_first(struct tcp_listen *ln)
{
	struct tcp_conn *child = list_first_entry_or_null(&ln->accept, struct tcp_conn,
							  accept_node);

	if (child) {
		list_del(&child->accept_node);
		ln->nr_accept--;
	}
	return child;
}

void tcp_listen_stop(struct tcp_conn *tc)
{
	struct tcp_listen *ln = tc->listen;
	struct tcp_conn *child;

	if (!ln)
		return;
	tcp_listener_left(tc);
	spin_lock(&tc->lock);
	tc->listen = NULL;
	drop_all_requests(ln);
	tcp_set_state(tc, TCP_CLOSE);
	tc->todo = 0;
	tcp_wake(tc, POLLIN | POLLRDNORM | POLLHUP);
	spin_unlock(&tc->lock);
	/* whoever takes its lock from now on sees no listener: ln is ours alone */
	timer_cancel_sync(&ln->timer);
	while ((child = accept_first(ln)))
		abort_child(child);
	kfree(ln);
}

struct tcp_conn *tcp_accept_take(struct tcp_conn *l)
{
	struct tcp_conn *child;

	spin_lock(&l->lock);
	child = l->listen ? accept_first(l->listen) : NULL;
	spin_unlock(&l->lock);
	return child;
}

bool tcp_accept_ready(struct tcp_conn *l)
{
	return tcp_accept_queued(l) > 0;
}

u32 tcp_accept_queued(struct tcp_conn *l)
{
	u32 n;

	spin_lock(&l->lock);
	n = l->listen ? l->listen->nr_accept : 0;
	spin_unlock(&l->lock);
	return n;
}

u32 tcp_backlog(struct tcp_conn *l)
{
	u32 n;

	spin_lock(&l->lock);
	n = l->listen ? l->listen->backlog : 0;
	spin_unlock(&l->lock);
	return n;
}

int tcp_listen_init(void)
{
	tcp_cookies_init();
	request_cache = kmem_cache_create("tcp_request", sizeof(struct tcp_request), 8);
	return request_cache ? 0 : -ENOMEM;
}

void tcp_listen_exit(void)
{
	kmem_cache_destroy(request_cache);
}
