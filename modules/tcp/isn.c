/* SPDX-License-Identifier: MIT */
/* isn.c - numbers that nobody outside may guess: initial sequence numbers (RFC 6528), offsets of
 * time stamps (RFC 7323 7.1), and how many challenge ACKs a connection may send in a second
 * (RFC 5961 7): were that a fixed number or shared, one connection's answers would tell of
 * another's. */
#include "tcp.h"

static struct siphash_key key;

int tcp_isn_init(void)
{
	random_bytes(&key, sizeof(key));
	return 0;
}

/* Of IPv4 addresses only what is not the same in all; the length tells the two apart. */
static u64 hash_end(const struct tcp_end *e)
{
	const struct ip_addr *l = &e->laddr, *r = &e->raddr;
	u32 ports = (u32)e->lport << 16 | e->rport;
	u64 all[] = { l->d[0], l->d[1], r->d[0], r->d[1], ports };
	u32 all4[] = { l->w[3], r->w[3], ports };

	if (ip_addr_is_v4(r))
		return siphash(all4, sizeof(all4), &key);
	return siphash(all, sizeof(all), &key);
}

u32 tcp_isn(const struct tcp_end *e, u32 *ts_offset)
{
	u64 h = hash_end(e);

	/* the same for a 4-tuple each time: its time stamps grow, which RFC 6191 builds on */
	*ts_offset = h >> 32;
	/* RFC 6528 3: M + F(...), where M ticks about every 4 us */
	return (u32)(ktime_get() >> 12) + (u32)h;
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
