/* SPDX-License-Identifier: MIT */
/* fuzz_igmp.c - IGMP messages with a sound checksum, to a host whose sockets are members with
 * filters that the input changes as well. */
#include "fuzz.h"

#define GROUP IP4(239, 1, 2, 3)

/* data[0]: what the socket does; the rest of the first four bytes: with which source. */
static void change(struct socket *s, const u8 *data)
{
	static const int opts[] = { IP_ADD_MEMBERSHIP,	      IP_DROP_MEMBERSHIP,
				    IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP,
				    IP_BLOCK_SOURCE,	      IP_UNBLOCK_SOURCE,
				    MCAST_JOIN_GROUP,	      IP_MSFILTER };
	u32 v[40] = { htonl(GROUP + data[1] % 4), htonl(HOST), htonl(IP4(10, 9, 8, data[2] % 16)) };
	int opt = opts[data[0] % ARRAY_SIZE(opts)];

	if (opt == IP_MSFILTER) {
		v[2] = data[2] & 1;
		v[3] = data[3] % 12;
		for (u32 i = 0; i < 11; i++)
			v[4 + i] = htonl(IP4(10, 9, 8, (data[3] >> 4) * i));
	}
	sock_setopt(s, SOL_IP, opt, v, opt == IP_MSFILTER ? 60 : 12);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *s;
	struct ipv4_fields h = { .src = PEER, .dst = IP4(224, 0, 0, 1), .proto = 2, .ttl = 1 };
	u8 m[1480], mac[6] = { 1, 0, 0x5e, 0, 0, 1 };
	u32 len;

	fuzz_begin();
	if (!s)
		s = sock_open(SOCK_RAW, 99);
	if (size < 6)
		return 0;
	change(s, data);
	if (data[4] & 1)
		h.dst = GROUP;
	len = min(size - 6, sizeof(m));
	memcpy(m, data + 6, len);
	if (len >= 8 && data[4] & 2)
		put_be32(m + 4, GROUP + data[1] % 4);
	if (len >= 4) {
		put_be16(m + 2, 0);
		put_be16(m + 2, wire_sum(m, len));
	}
	mac[3] = h.dst >> 16 & 0x7f;
	mac[4] = h.dst >> 8;
	mac[5] = h.dst;
	peer_ipv4(&peer, mac, &h, m, len);
	sim_run_ms(data[5] * 4);
	fuzz_end();
	return 0;
}
