/* SPDX-License-Identifier: MIT */
/* fuzz_mld.c - multicast listener messages with a sound checksum, to a host whose sockets are
 * members with filters that the input changes as well. What the socket does (4), type and flags,
 * time that passes, then the message behind its checksum. */
#include "fuzz6.h"

#define HEADER 6

struct group_req {
	u32 interface, pad;
	u8 group[128];
};
struct group_source_req {
	u32 interface, pad;
	u8 group[128], source[128];
};

static void put_name(u8 *name, struct ip_addr a)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6 };

	memcpy(in.sin6_addr, &a, 16);
	memcpy(name, &in, sizeof(in));
}

static struct ip_addr group(u8 n)
{
	struct ip_addr g = ip6("ff05::1230");

	g.b[15] += n % 4;
	return g;
}

static void change(struct socket *s, const u8 *data)
{
	static const int opts[] = { MCAST_JOIN_GROUP,	     MCAST_LEAVE_GROUP,
				    MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP,
				    MCAST_BLOCK_SOURCE,	     MCAST_UNBLOCK_SOURCE };
	struct group_source_req r = { .interface = netif_named("eth0")->index };
	struct ip_addr source = ip6("2001:db8::1000");
	int opt = opts[data[0] % ARRAY_SIZE(opts)];

	source.b[15] = data[2] % 16;
	put_name(r.group, group(data[1]));
	put_name(r.source, source);
	sock_setopt(s, SOL_IPV6, opt, &r,
		    opt == MCAST_JOIN_GROUP || opt == MCAST_LEAVE_GROUP ? sizeof(struct group_req) :
									  sizeof(r));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 types[] = { 130, 130, 130, 131, 132, 143, 130, 144 },
			alert[] = { 5, 2, 0, 0 };
	static struct socket *s;
	struct ipv6_fields h = {
		.src = PEER6_LL, .dst = ip6("ff02::1"), .next = 58, .hop_limit = 1
	};
	struct chain6 c = { 0 };
	struct ip_addr g;
	u8 m[1400] = { 0 };
	u32 len;

	fuzz_begin6();
	if (!s)
		s = sock_open6(SOCK_RAW, 99);
	if (size < HEADER)
		return 0;
	change(s, data);
	len = min(size - HEADER, sizeof(m) - 4) + 4;
	m[0] = types[data[4] & 7];
	memcpy(m + 4, data + HEADER, len - 4);
	g = group(data[1]);
	if (data[4] & 8 && len >= 24)
		memcpy(m + 8, &g, 16);
	if (data[4] & 16)
		h.dst = g;
	if (!(data[4] & 32)) {
		chain6_options(&c, 0, alert, sizeof(alert));
		h.chain = &c;
	}
	if (data[4] & 64)
		h.src = fuzz6_source(data[3]);
	peer6_send(&peer, NULL, &h, m, len);
	sim_run_ms(data[5] * 8);
	fuzz_end6();
	return 0;
}
