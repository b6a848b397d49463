/* SPDX-License-Identifier: MIT */
/* fastclient.c - TCP Fast Open, the client's side (RFC 7413): cookies that servers gave us, by the
 * pair of addresses they are good for, and what our SYN does with them. Data that a SYN carries
 * stays in the send queue and counts as sent only when the SYN-ACK acknowledges it: whatever goes
 * wrong, it leaves once more behind the handshake, as if there had been no Fast Open. */
#include "emit.h"

#define SLOTS 256 /* a newer one takes the place of what its hash says */
#define FIRST_PAUSE_NS (60 * NSEC_PER_SEC)
#define PAUSE_DOUBLINGS 6
#define TIMEOUTS_OF_A_HOLE 3 /* SYNs without an answer in one connection */

/* tcp_fastopen's bits */
#define CLIENT 1
#define CLIENT_NO_COOKIE 4

/* TCP_INFO's tcpi_fastopen_client_fail */
#define FAIL_NO_COOKIE 1
#define FAIL_NOT_ACKED 2
#define FAIL_REPEATED 3

struct cookie {
	struct ip_addr laddr, raddr;
	u8 len; /* 0: none, but the losses are known */
	u8 val[16];
	u16 mss;
	u8 losses; /* SYNs with it in a row that were not heard of */
	u64 not_before_ns;
};

static struct spinlock lock = SPINLOCK_INIT;
static struct cookie cookies[SLOTS]; /* guarded by lock, as are the next two */
static u64 paused_until_ns;	     /* everywhere: something on our side eats such SYNs */
static u32 pauses;
static u32 seed;

void tcp_fastopen_client_init(void)
{
	seed = random_u32();
}

/* ---- the cache ---- */

static struct cookie *slot_of(const struct tcp_end *e)
{
	return &cookies[ip_addr_hash(&e->raddr, ip_addr_hash(&e->laddr, seed)) % SLOTS];
}

static bool is_for(const struct cookie *c, const struct tcp_end *e)
{
	return ip_addr_eq(&c->raddr, &e->raddr) && ip_addr_eq(&c->laddr, &e->laddr);
}

/* e's slot, for sure. Lock held. */
static struct cookie *claim(const struct tcp_end *e)
{
	struct cookie *c = slot_of(e);

	if (!is_for(c, e))
		*c = (struct cookie){ .laddr = e->laddr, .raddr = e->raddr };
	return c;
}

/* True: nothing speaks against it. *c: what is known. */
static bool look_up(const struct tcp_end *e, struct cookie *c)
{
	u64 now = ktime_get();
	bool ok;

	spin_lock(&lock);
	*c = *slot_of(e);
	if (!is_for(c, e))
		*c = (struct cookie){ 0 };
	ok = now >= c->not_before_ns && now >= paused_until_ns;
	spin_unlock(&lock);
	return ok;
}

static u64 pause_after(u32 times, u64 first)
{
	return ktime_get() + (first << min(times, (u32)PAUSE_DOUBLINGS));
}

/* ---- our SYN ---- */

static bool cookie_needed(const struct tcp_conn *tc)
{
	return !tc->fastopen_no_cookie && !(READ_ONCE(tcp_sysctls.fastopen) & CLIENT_NO_COOKIE);
}

bool tcp_fastopen_begin(struct tcp_conn *tc)
{
	struct cookie c;

	if (!(READ_ONCE(tcp_sysctls.fastopen) & CLIENT) || !look_up(&tc->end, &c))
		return false;
	tc->fastopen |= TCP_FO_ASK;
	if (c.len || !cookie_needed(tc))
		return true;
	tc->fastopen_fail = FAIL_NO_COOKIE;
	return false;
}

void tcp_fastopen_syn(struct tcp_conn *tc, struct tcp_fast_syn *fo)
{
	struct cookie c;

	/* RFC 7413 4.2.1: the one that repeats it is as any other */
	if (!(tc->fastopen & TCP_FO_ASK) || (tc->fastopen & TCP_FO_LEFT) || tc->backoff ||
	    !look_up(&tc->end, &c))
		return;
	fo->option = cookie_needed(tc);
	fo->data = c.len || !fo->option;
	fo->cookie_len = fo->option ? c.len : 0;
	memcpy(fo->cookie, c.val, sizeof(fo->cookie));
	fo->mss = c.mss				? c.mss :
		  ip_addr_is_v4(&tc->end.raddr) ? TCP_MSS_DEFAULT :
						  TCP_MSS_DEFAULT_V6;
}

u32 tcp_fastopen_room(struct tcp_conn *tc)
{
	struct tcp_fast_syn fo = { 0 };
	u32 most;

	tcp_fastopen_syn(tc, &fo);
	ip_flow_check(&tc->is.flow, 0, NULL); /* for the MTU */
	most = min(tcp_mss_announce(&tc->is.flow), fo.mss);
	return fo.data && most > TCP_OPTIONS_MAX ? most - TCP_OPTIONS_MAX : 0;
}

/* ---- what came of it ---- */

/* What a SYN-ACK says of cookies (RFC 7413 4.1.3); lost: it answers a SYN that was repeated without
 * option and data, so the first one did not arrive. */
static void remember(const struct tcp_conn *tc, const struct tcp_seg *seg, bool lost)
{
	bool given = seg->has_fastopen && seg->cookie_len;
	struct cookie *c;

	if (!given && !lost && !(tc->fastopen & TCP_FO_DATA_ACKED))
		return;
	spin_lock(&lock);
	c = claim(&tc->end);
	if (given) {
		c->len = seg->cookie_len;
		memcpy(c->val, seg->cookie, c->len);
	}
	if (seg->has_mss)
		c->mss = max(seg->mss, (u16)TCP_MSS_MIN);
	if (lost) {
		c->not_before_ns = pause_after(c->losses, FIRST_PAUSE_NS);
		if (c->losses < 255)
			c->losses++;
	} else {
		c->losses = 0;
		c->not_before_ns = 0;
		pauses = tc->fastopen & TCP_FO_DATA_ACKED ? 0 : pauses;
	}
	spin_unlock(&lock);
}

void tcp_fastopen_answered(struct tcp_conn *tc, const struct tcp_seg *seg)
{
	u32 acked = min(seg->ack - (tc->iss + 1), (u32)tc->syn_data);
	bool given = (seg->flags & TCP_SYN) && seg->has_fastopen && seg->cookie_len;
	bool repeated = tc->backoff;

	if (!(tc->fastopen & TCP_FO_LEFT))
		return;
	if (acked) {
		tc->fastopen |= TCP_FO_DATA_ACKED;
		tcp_sent_with_syn(tc, acked);
		tcp_count(TCP_TCPFastOpenActive);
	} else if (tc->syn_data) {
		tc->fastopen_fail = repeated ? FAIL_REPEATED : FAIL_NOT_ACKED;
		tcp_count(TCP_TCPFastOpenActiveFail);
	}
	tc->syn_data = 0;
	if (seg->flags & TCP_SYN)
		remember(tc, seg, repeated && !acked && !given);
}

/* RFC 7413 4.1.3.1, and as Linux does it: who sees several such SYNs vanish in a row is behind
 * something that drops them all. */
void tcp_fastopen_timeout(struct tcp_conn *tc, bool last)
{
	u64 first = READ_ONCE(tcp_sysctls.fastopen_blackhole_timeout_sec) * NSEC_PER_SEC;

	if (!(tc->fastopen & TCP_FO_LEFT) || !first)
		return;
	if (last ? tc->backoff >= TIMEOUTS_OF_A_HOLE : tc->backoff != TIMEOUTS_OF_A_HOLE)
		return;
	spin_lock(&lock);
	paused_until_ns = pause_after(pauses, first);
	pauses++;
	spin_unlock(&lock);
	tcp_count(TCP_TCPFastOpenBlackhole);
}
