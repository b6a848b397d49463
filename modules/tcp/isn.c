/* SPDX-License-Identifier: MIT */
/* isn.c - numbers that nobody outside may guess: initial sequence numbers (RFC 6528), offsets of
 * time stamps (RFC 7323 7.1), and how many challenge ACKs a connection may send in a second
 * (RFC 5961 7): were that a fixed number or shared, one connection's answers would tell of
 * another's. */
#include "tcp.h"

static struct siphash_key isn_key, ts_key;

int tcp_isn_init(void)
{
	random_bytes(&isn_key, sizeof(isn_key));
	random_bytes(&ts_key, sizeof(ts_key));
	return 0;
}

u32 tcp_isn(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr, u16 rport)
{
	struct {
		struct ip_addr laddr, raddr;
		u64 ports;
	} tuple = { *laddr, *raddr, (u64)lport << 16 | rport };

	/* RFC 6528 3: M + F(...), where M ticks about every 4 us */
	return (u32)(ktime_get() >> 12) + (u32)siphash(&tuple, sizeof(tuple), &isn_key);
}

u32 tcp_ts_offset(const struct ip_addr *laddr, const struct ip_addr *raddr)
{
	/* by addresses alone: between two hosts time stamps grow, which RFC 6191 builds on */
	struct ip_addr pair[2] = { *laddr, *raddr };

	return siphash(pair, sizeof(pair), &ts_key);
}

bool tcp_challenge_allowed(struct tcp_conn *tc)
{
	u32 limit = READ_ONCE(tcp_sysctls.challenge_ack_limit);
	u64 now = ktime_get();

	if (!limit)
		return false;
	if (!tc->challenge_ns || now - tc->challenge_ns >= NSEC_PER_SEC) {
		tc->challenge_ns = now;
		tc->challenge_left = DIV_ROUND_UP(limit, 2) + random_below(limit);
	}
	if (!tc->challenge_left) {
		tcp_count(TCP_TCPACKSkippedChallenge);
		return false;
	}
	tc->challenge_left--;
	return true;
}
