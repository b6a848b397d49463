/* SPDX-License-Identifier: MIT */
/* respond.c - answers in nobody's name: a RST to what belongs to no connection, at once, also after
 * a reboot (RFC 9293 3.5.2), and whatever else has no control block behind it. RSTs have a rate
 * limit by peer and one for all; both are drawn anew each second, so that counting them tells a
 * third party nothing. */
#include "respond.h"

#define PEER_SLOTS 256
#define RST_PEER_LIMIT 1000 /* a second, give or take half */
#define RST_TOTAL_LIMIT 10000

struct limit {
	u64 since_ns; /* 0: never used */
	u32 left;
};

static struct spinlock limit_lock = SPINLOCK_INIT;
static struct limit peers[PEER_SLOTS], total; /* guarded by limit_lock */
static u32 peer_seed;

void tcp_respond_init(void)
{
	peer_seed = random_u32();
}

/* ---- sending ---- */

void tcp_reply_to_end(struct tcp_reply *r, const struct tcp_end *e)
{
	r->laddr = e->laddr;
	r->raddr = e->raddr;
	r->lport = e->lport;
	r->rport = e->rport;
	r->oif = e->bound_if;
}

int tcp_reply_send(struct tcp_reply *r)
{
	struct flow f = {
		.dst = r->raddr,
		.src = r->laddr,
		.oif = r->oif,
		.mark = r->mark,
		.flags = FLOW_CONTROL | FLOW_PARK | FLOW_PMTU,
		.sport = r->lport,
		.dport = r->rport,
		.proto = IPPROTO_TCP,
		.tos = r->tos,
		.ttl = r->ttl,
	};
	u8 options[TCP_OPTIONS_MAX];
	u32 options_len, header;
	struct pkt *p;

	p = ip_reserve(&f, TCP_HEADER_MAX, NULL);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (r->opts.mss)
		r->opts.mss = min(r->opts.mss, tcp_mss_announce(&f));
	options_len = tcp_build_options(options, &r->opts);
	header = TCP_HEADER + options_len;
	pkt_put(p, header);
	memcpy(p->data + TCP_HEADER, options, options_len);
	preempt_disable();
	tcp_build_header(p, &f, r->seq, r->ack, r->flags, r->window, 0, header);
	tcp_count(TCP_OutSegs);
	preempt_enable();
	return ip_commit(&f, p);
}

/* ---- RST ---- */

static bool take(struct limit *l, u32 limit, u64 now)
{
	if (!l->since_ns || now - l->since_ns >= NSEC_PER_SEC) {
		l->since_ns = now;
		l->left = limit / 2 + random_below(limit);
	}
	if (!l->left)
		return false;
	l->left--;
	return true;
}

static bool rst_allowed(const struct ip_addr *raddr)
{
	u64 now = ktime_get();
	bool ok;

	spin_lock(&limit_lock);
	ok = take(&peers[ip_addr_hash(raddr, peer_seed) % PEER_SLOTS], RST_PEER_LIMIT, now) &&
	     take(&total, RST_TOTAL_LIMIT, now);
	spin_unlock(&limit_lock);
	return ok;
}

void tcp_refuse_segment(const struct ip_addr *laddr, const struct ip_addr *raddr, u32 ifindex,
			const struct tcp_seg *seg)
{
	struct tcp_reply r = {
		.laddr = *laddr,
		.raddr = *raddr,
		.lport = seg->dport,
		.rport = seg->sport,
		.oif = ip_addr_is_link_local(raddr) ? ifindex : 0,
	};

	/* RFC 9293 3.10.7.1 */
	if (seg->flags & TCP_RST)
		return;
	if (!rst_allowed(raddr)) {
		ip_drop_count(DROP_RATE_LIMIT);
		return;
	}
	if (seg->flags & TCP_ACK) {
		r.seq = seg->ack;
		r.flags = TCP_RST;
	} else {
		r.ack = seg->end;
		r.flags = TCP_RST | TCP_ACK;
	}
	if (!tcp_reply_send(&r))
		tcp_count(TCP_OutRsts);
}

int tcp_refuse(struct pkt *p, const struct ip_rx *rx, const struct tcp_seg *seg,
	       enum drop_reason why)
{
	tcp_refuse_segment(&rx->dst, &rx->src, rx->ifindex, seg);
	return ip_drop(p, why);
}
