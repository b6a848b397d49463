/* SPDX-License-Identifier: MIT */
/* listen.c - listeners: what a SYN may do (RFC 9293 3.10.7.2), the accept queue, listen(2).
 * Half-open connections are requests, small and bounded in number; when there are too many, SYN
 * cookies keep them at the peer instead (RFC 4987 3.6). Everything of a listener is under its lock.
 * Backlogs mean what they mean on Linux. */
#include "listen.h"

#include "ports.h"
#include "respond.h"

#include <weft/alloc.h>

#define COOKIE_LIFE_NS (120 * NSEC_PER_SEC)
#define BACKLOG_MAX 65535
#define PASS (-1)

/* ---- a SYN ---- */

void tcp_handshake_take(const struct tcp_conn *l, const struct tcp_end *e,
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
	hs->fastopen = tcp_fastopen_gives_cookie(l, e, seg);
}

void tcp_end_from_packet(struct tcp_end *e, const struct ip_rx *rx, const struct tcp_seg *seg,
			 const struct tcp_conn *l)
{
	e->laddr = rx->dst;
	e->raddr = rx->src;
	e->lport = seg->dport;
	e->rport = seg->sport;
	e->family = l->end.family;
	e->bound_if = l->end.bound_if;
	/* a link-local address means something on its link only */
	if (!e->bound_if && ip_addr_needs_scope(&e->raddr))
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

	tcp_end_from_packet(&e, rx, seg, l);
	tcp_handshake_take(l, &e, seg, &hs);
	tcp_isn(&e, &hs.ts_offset);
	hs.iss = tcp_cookie_make(&e, &hs, &tsval);
	tcp_synack_fill(&r, l, &e, &hs);
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

static bool requests_full(const struct tcp_listen *ln)
{
	return ln->nr_requests >= max(ln->backlog, 1u) ||
	       ln->nr_requests >= (u32)READ_ONCE(tcp_sysctls.max_syn_backlog);
}

/* PASS: it is answered. */
static int input_syn(struct tcp_conn *l, const struct ip_rx *rx, const struct tcp_seg *seg, u32 iss)
{
	struct tcp_listen *ln = l->listen;
	int cookies = READ_ONCE(tcp_sysctls.syncookies);

	/* land: nobody calls himself this way */
	if (seg->sport == seg->dport && ip_addr_eq(&rx->src, &rx->dst))
		return DROP_BAD_SOURCE;
	if (tcp_accept_full(ln)) {
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
	if (!tcp_request_make(l, rx, seg, iss)) {
		tcp_count(TCP_ListenDrops);
		return DROP_NO_MEMORY;
	}
	return PASS; /* its text, if any, comes again: 9293 3.10.7.2 allows that */
}

/* ---- an ACK ---- */

/* A good cookie, and no room for its connection. Nobody here knows the peer but itself, and it may
 * wait for us to speak: so it is remembered, or at least told. Takes p. */
static void cookie_waits(struct tcp_conn *l, struct pkt *p, const struct tcp_end *e,
			 const struct tcp_handshake *hs, const struct tcp_seg *seg)
{
	bool abort = READ_ONCE(tcp_sysctls.abort_on_overflow);
	int err = abort ? 0 : tcp_request_restore(l, e, hs);

	tcp_count(TCP_ListenOverflows);
	/* text or a FIN comes again by itself, and brings the cookie with it */
	if (abort || (err == -ENOMEM && !seg->len && !(seg->flags & TCP_FIN)))
		tcp_refuse_segment(&e->laddr, &e->raddr, e->bound_if, seg);
	ip_drop(p, DROP_SOCKET_FULL);
}

/* A segment that may bring a cookie (RFC 4987 3.6). True: p is taken. */
static bool input_cookie(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
			 const struct tcp_seg *seg)
{
	struct tcp_listen *ln = l->listen;
	struct tcp_handshake hs = { 0 };
	struct tcp_end e = { 0 };
	struct tcp_conn *child = NULL;
	enum tcp_cookie what;

	if (!READ_ONCE(tcp_sysctls.syncookies) || ktime_get() >= ln->cookies_until)
		return false;
	tcp_end_from_packet(&e, rx, seg, l);
	tcp_isn(&e, &hs.ts_offset);
	what = tcp_cookie_check(&e, seg, &hs);
	if (what == TCP_COOKIE_BAD) {
		tcp_count(TCP_SyncookiesFailed);
		return false;
	}
	if (what == TCP_COOKIE_LATER) {
		/* what stands before it was lost and comes again: a RST would end a good call */
		ip_drop(p, DROP_BAD_SEQUENCE);
		return true;
	}
	if (hs.options & TCP_OPT_WSCALE)
		hs.rcv_wscale = tcp_wscale_for(l);
	hs.rcv_wnd = tcp_window_initial(l);
	if (!tcp_accept_full(ln))
		child = tcp_child_make(l, &hs, &e, NULL);
	if (!child) {
		cookie_waits(l, p, &e, &hs, seg);
		return true;
	}
	tcp_count(TCP_SyncookiesRecv);
	tcp_child_open(l, child, p, seg, rx->tos, 0);
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
	if ((seg->has_fastopen || seg->len) && (seg->flags & (TCP_SYN | TCP_FIN)) == TCP_SYN &&
	    tcp_fastopen_input(l, p, rx, seg))
		return IP_TAKEN;
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
	timer_init(&ln->timer, tcp_requests_timer);
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
	struct tcp_conn *child =
		list_first_entry_or_null(&ln->accept, struct tcp_conn, accept_node);

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
	tcp_unhash(&tc->end);
	tcp_port_listen_over(tc);
	spin_lock(&tc->lock);
	tc->listen = NULL;
	tcp_requests_drop(ln);
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
	bool ready;

	spin_lock(&l->lock);
	ready = l->listen && l->listen->nr_accept;
	spin_unlock(&l->lock);
	return ready;
}
