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

/* Of IPv4 addresses only what is not the same in all; the length tells the two apart. */
static u32 hash_ends(const struct ip_addr *laddr, const struct ip_addr *raddr, u32 ports,
		     const struct siphash_key *key)
{
	u64 pair[] = { laddr->d[0], laddr->d[1], raddr->d[0], raddr->d[1], ports };
	u32 pair4[] = { laddr->w[3], raddr->w[3], ports };

	if (ip_addr_is_v4(raddr))
		return siphash(pair4, sizeof(pair4), key);
	return siphash(pair, sizeof(pair), key);
}

u32 tcp_isn(const struct ip_addr *laddr, u16 lport, const struct ip_addr *raddr, u16 rport)
{
	u32 ports = (u32)lport << 16 | rport;

	/* RFC 6528 3: M + F(...), where M ticks about every 4 us */
	return (u32)(ktime_get() >> 12) + hash_ends(laddr, raddr, ports, &isn_key);
}

u32 tcp_ts_offset(const struct ip_addr *laddr, const struct ip_addr *raddr)
{
	/* by addresses alone: between two hosts time stamps grow, which RFC 6191 builds on */
	return hash_ends(laddr, raddr, 0, &ts_key);
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
	if (!tc->challenge_left)
		return false;
	tc->challenge_left--;
	return true;
}
