/* SPDX-License-Identifier: MIT */
/* fuzz_nd.c - neighbour discovery messages with sound checksums. A record: type, what is wrong with
 * it, addresses, target, the word behind the checksum (4), time that passes, length of what
 * follows: for advertisements of routers their two timers, then options as they are. The host asks
 * for neighbours meanwhile. */
#include "fuzz6.h"

#define RECORD 10
#define BAD_HOPS 1
#define BAD_CODE 2
#define ASK 4	   /* the host wants to send to the target */
#define VERBATIM 8 /* no target, only bytes */
#define BAD_SUM 16
#define ROUTER 32 /* the host becomes a router that answers for others, or is one no more */

static struct ip_addr target(u8 n)
{
	struct ip_addr a = n & 0x40 ? ip6("2001:db8::1000") : ip6("fe80::1000");

	switch (n & 15) {
	case 0:
		return PEER6_LL;
	case 1:
		return PEER6;
	case 2:
		return HOST6;
	case 3:
		return host_ll();
	case 4:
		return ip6("ff02::1");
	case 5:
		return ip6("2001:db8::"); /* a router's, too */
	}
	a.b[15] = n;
	return a;
}

static u32 compose(u8 *b, const u8 *d, u8 type, const u8 *options, u32 len)
{
	struct ip_addr t = target(d[3]), dst = target(d[3] >> 3 ^ d[2]);
	u32 n = 0;

	if (!(d[1] & VERBATIM)) {
		if (type >= 135) {
			memcpy(b, &t, 16);
			n = 16;
		}
		if (type == 137) {
			memcpy(b + 16, &dst, 16);
			n = 32;
		}
	}
	memcpy(b + n, options, len);
	return n + len;
}

static u32 one(struct socket *s, const u8 *d, u32 size)
{
	u8 type = 133 + d[0] % 6, body[600], m[700];
	struct ipv6_fields h = { .src = fuzz6_source(d[2]),
				 .dst = fuzz6_dest(d[2] >> 4),
				 .next = 58,
				 .hop_limit = d[1] & BAD_HOPS ? 254 : 255 };
	u32 len = min((u32)(d[9] & 63) * 8, size - RECORD), n;
	struct ip_addr t = target(d[3]);
	const u8 echo[8] = { 128 };

	if (d[1] & ROUTER)
		sysctl6("conf/all/forwarding", d[4] & 1 ? "1" : "0");
	if (d[1] & ASK)
		sock_send6(s, &t, 0, echo, sizeof(echo), MSG_DONTWAIT);
	n = compose(body, d, type, d + RECORD, len);
	n = icmp6_message(m, type, d[1] & BAD_CODE ? 1 : 0, get_be32(d + 4), body, n);
	if (d[1] & BAD_SUM)
		h.keep_sum = true;
	peer6_send(&peer, NULL, &h, m, d[9] & 64 ? n - min(n, (u32)d[9] >> 4) : n);
	sim_run_ms(d[8]);
	return RECORD + len;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *s;

	fuzz_begin6();
	if (!s) {
		struct ip_addr other = target(0x47);

		s = sock_open6(SOCK_DGRAM, IPPROTO_ICMPV6);
		netif_lock();
		neigh_proxy_add(netif_named("eth0"), &other, false);
		netif_unlock();
		sysctl6("conf/all/proxy_ndp", "1");
	}
	while (size >= RECORD) {
		u32 used = one(s, data, size);

		data += used;
		size -= used;
	}
	fuzz_end6();
	return 0;
}
