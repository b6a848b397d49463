/* SPDX-License-Identifier: MIT */
/* cookies.c - SYN cookies (RFC 4987 3.6): a listener under a flood keeps nothing about a SYN; its
 * initial sequence number is a keyed hash of the call, which the peer's ACK brings back. Three bits
 * tell the MSS, one the age, six are good for any segment of the call, and the rest only for those
 * that stand at its beginning; window scale, SACK and ECN lie in the low bits of our time stamp
 * when the peer uses those. */
#include "listen.h"

#define COOKIE_PERIOD_NS (64 * NSEC_PER_SEC) /* good in its own period and the next */
#define MSS_BITS 3
#define HASH_BITS 28
#define CALL_BITS 6 /* of them, those that do not hang on where the peer's stream begins */
#define TS_BITS 6
#define TS_SACK BIT(4)
#define TS_ECN BIT(5)
#define TS_NO_WSCALE 0xf

/* Ascending: the largest that the peer takes. Common MSS of the Internet (Alcock and Nelson 2013),
 * with those of jumbo frames and lo. */
static const u16 mss_table[1 << MSS_BITS] = {
	TCP_MSS_MIN, 536, 1220, 1400, 1440, 1460, 8960, 65495
};

static struct siphash_key cookie_key;

void tcp_cookies_init(void)
{
	random_bytes(&cookie_key, sizeof(cookie_key));
}

static u32 mss_index(u16 mss)
{
	u32 i = ARRAY_SIZE(mss_table) - 1;

	while (i && mss_table[i] > mss)
		i--;
	return i;
}

static u32 call_hash(const struct tcp_end *e, u32 irs, u64 period, u32 mss, u32 bits)
{
	struct {
		struct ip_addr laddr, raddr;
		u16 lport, rport;
		u32 irs;
		u64 period_mss_bits;
	} call = { e->laddr, e->raddr, e->lport,
		   e->rport, irs,      (period << MSS_BITS | mss) << 8 | bits };

	return siphash(&call, sizeof(call), &cookie_key) & (BIT(bits) - 1);
}

static u32 cookie(const struct tcp_end *e, u32 irs, u64 period, u32 mss)
{
	u32 hash = call_hash(e, 0, period, mss, CALL_BITS) << (HASH_BITS - CALL_BITS) |
		   call_hash(e, irs, period, mss, HASH_BITS - CALL_BITS);

	return (u32)(period & 1) << 31 | mss << HASH_BITS | hash;
}

u32 tcp_cookie_make(const struct tcp_end *e, struct tcp_handshake *hs, u32 *tsval)
{
	u64 now = ktime_get();
	u32 ms = now / NSEC_PER_MSEC, bits, i = mss_index(hs->mss_peer);

	if (!(hs->options & TCP_OPT_TS)) {
		/* nowhere to keep the rest */
		hs->options = 0;
		hs->snd_wscale = hs->rcv_wscale = 0;
	}
	bits = hs->options & TCP_OPT_WSCALE ? hs->snd_wscale : TS_NO_WSCALE;
	bits |= (hs->options & TCP_OPT_SACK ? TS_SACK : 0) |
		(hs->options & TCP_OPT_ECN ? TS_ECN : 0);
	bits |= ALIGN_DOWN(ms, 1u << TS_BITS);
	if (seq_gt(bits, ms)) /* never ahead of the clock */
		bits -= 1u << TS_BITS;
	*tsval = bits + hs->ts_offset;
	return cookie(e, hs->irs, now / COOKIE_PERIOD_NS, i);
}

static bool restore_options(const struct tcp_seg *seg, struct tcp_handshake *hs)
{
	u32 bits = seg->tsecr - hs->ts_offset, wscale = bits & TS_NO_WSCALE;

	if (!seg->has_ts)
		return true;
	if (wscale > TCP_WSCALE_MAX && wscale != TS_NO_WSCALE)
		return false;
	hs->options = TCP_OPT_TS | (bits & TS_SACK ? TCP_OPT_SACK : 0) |
		      (bits & TS_ECN ? TCP_OPT_ECN : 0);
	if (wscale != TS_NO_WSCALE) {
		hs->options |= TCP_OPT_WSCALE;
		hs->snd_wscale = wscale;
	}
	hs->ts_recent = seg->tsval;
	return true;
}

enum tcp_cookie tcp_cookie_check(const struct tcp_end *e, const struct tcp_seg *seg,
				 struct tcp_handshake *hs)
{
	u64 period = ktime_get() / COOKIE_PERIOD_NS;
	u32 sent = seg->ack - 1, i = sent >> HASH_BITS & (BIT(MSS_BITS) - 1), off;

	hs->iss = sent;
	hs->irs = seg->seq - 1;
	hs->mss_peer = mss_table[i];
	if ((period & 1) != sent >> 31) {
		if (!period)
			return TCP_COOKIE_BAD;
		period--;
	}
	off = cookie(e, hs->irs, period, i) ^ sent;
	if (off >> (HASH_BITS - CALL_BITS))
		return TCP_COOKIE_BAD;
	if (off)
		return TCP_COOKIE_LATER;
	return restore_options(seg, hs) ? TCP_COOKIE_GOOD : TCP_COOKIE_BAD;
}
