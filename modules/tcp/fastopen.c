/* SPDX-License-Identifier: MIT */
/* fastopen.c - TCP Fast Open, the server's side (RFC 7413): who brings a cookie that we once gave
 * to his address has data in his SYN taken at once, and may be answered before the handshake is
 * over. How many such connections a listener has pending is what the user allowed (TCP_FASTOPEN),
 * so forged SYNs with stolen cookies cost no more than that. */
#include "listen.h"

static struct siphash_key cookie_key;

void tcp_fastopen_init(void)
{
	random_bytes(&cookie_key, sizeof(cookie_key));
}

/* RFC 7413 4.1.2: of both addresses, nothing else; the key lives as long as the module. */
void tcp_fastopen_cookie(const struct tcp_end *e, u8 *cookie)
{
	struct ip_addr pair[2] = { e->raddr, e->laddr };
	u64 hash = siphash(pair, sizeof(pair), &cookie_key);

	memcpy(cookie, &hash, TCP_FASTOPEN_COOKIE);
}

/* tcp_fastopen's bits */
#define SERVER 2
#define SERVER_NO_COOKIE 0x200
#define SERVER_ALL 0x400

static bool allows(int bit)
{
	return READ_ONCE(tcp_sysctls.fastopen) & bit;
}

/* How many may be pending. */
static u32 pending_max(const struct tcp_conn *l)
{
	if (!l->fastopen_qlen && allows(SERVER_ALL))
		return l->listen->backlog;
	return l->fastopen_qlen;
}

static bool enabled(const struct tcp_conn *l)
{
	return allows(SERVER) && pending_max(l);
}

static bool cookie_good(const struct tcp_end *e, const struct tcp_seg *seg)
{
	u8 want[TCP_FASTOPEN_COOKIE];

	if (seg->cookie_len != TCP_FASTOPEN_COOKIE)
		return false;
	tcp_fastopen_cookie(e, want);
	return memcmp(want, seg->cookie, sizeof(want)) == 0;
}

/* The operator says that forged SYNs are none of his worries. */
static bool no_cookie_needed(const struct tcp_conn *l, const struct tcp_seg *seg)
{
	return seg->len && (allows(SERVER_NO_COOKIE) || l->fastopen_no_cookie);
}

bool tcp_fastopen_gives_cookie(const struct tcp_conn *l, const struct tcp_end *e,
			       const struct tcp_seg *seg)
{
	if (!seg->has_fastopen || !enabled(l))
		return false;
	if (!seg->cookie_len) {
		tcp_count(TCP_TCPFastOpenCookieReqd);
		return true;
	}
	return !cookie_good(e, seg);
}

/* The handshake is over, or the connection is; others may be pending in its place. */
void tcp_fastopen_settled(struct tcp_conn *tc)
{
	struct tcp_conn *l = tc->fastopen_from;

	if (!l)
		return;
	tc->fastopen_from = NULL;
	atomic_dec(&l->fastopen_pending);
	tcp_end_put(&l->end);
}

/* In ESTABLISHED already: our SYN is out like data, and comes again like data. Unlocks child. */
static void open_child(struct tcp_conn *l, struct tcp_conn *child, struct pkt *p,
		       const struct tcp_seg *seg)
{
	bool hang;

	tcp_end_get(&l->end);
	atomic_inc(&l->fastopen_pending);
	child->fastopen_from = l;
	child->snd_una = child->iss;
	child->snd_wnd = child->snd_max_wnd = seg->window;
	child->snd_wl1 = seg->seq;
	child->snd_wl2 = child->iss;
	tcp_established(child);
	if (seg->len) {
		child->fastopen |= TCP_FO_DATA_ACKED;
		tcp_rx_data(child, p, seg);
	} else {
		pkt_free(p);
	}
	tcp_send_syn(child); /* acknowledges what was taken */
	child->todo &= ~TCP_TODO_ACK;
	hang = tcp_hang_prepare(child);
	spin_unlock(&child->lock);
	if (hang)
		batch_end_add(&child->batch);
}

bool tcp_fastopen_input(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
			const struct tcp_seg *seg)
{
	struct tcp_handshake hs = { 0 };
	struct tcp_end e = { 0 };
	struct tcp_conn *child;

	if (!enabled(l))
		return false;
	tcp_end_from_packet(&e, rx, seg, l);
	if (!no_cookie_needed(l, seg) && !cookie_good(&e, seg)) {
		if (seg->cookie_len)
			tcp_count(TCP_TCPFastOpenPassiveFail);
		return false;
	}
	if ((u32)atomic_read(&l->fastopen_pending) >= pending_max(l) ||
	    tcp_accept_full(l->listen)) {
		tcp_count(TCP_TCPFastOpenListenOverflow);
		return false;
	}
	tcp_handshake_take(l, &e, seg, &hs);
	hs.iss = tcp_isn(&e, &hs.ts_offset);
	child = tcp_child_make(l, &hs, &e, NULL);
	if (!child)
		return false;
	tcp_count(TCP_TCPFastOpenPassive);
	tcp_child_queue(l, child);
	open_child(l, child, p, seg);
	return true;
}
