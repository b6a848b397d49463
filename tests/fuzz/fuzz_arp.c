/* SPDX-License-Identifier: MIT */
/* fuzz_arp.c - ARP packets, 28 bytes each behind a byte that says how they are addressed; the host
 * asks back meanwhile, so that answers meet questions. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *s;
	const u8 echo[8] = { 8 };
	u8 f[64] = { 0 };

	fuzz_begin();
	if (!s)
		s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	while (size > 1) {
		u32 len = min(size - 1, (size_t)28);

		frame_arp(f, data[0] & 1 ? broadcast_mac : host_mac, peer_mac, PEER, NULL, HOST, 1);
		if (data[0] & 2)
			sock_send(s, IP4(10, 0, 0, data[0]), echo, 8, MSG_DONTWAIT);
		/* whole packets from the input, or only their addresses */
		if (data[0] & 4)
			memcpy(f + 14, data + 1, len);
		else if (len > 8)
			memcpy(f + 22, data + 9, len - 8);
		peer_send(&peer, f, data[0] & 8 ? 14 + len : 60);
		data += 1 + len;
		size -= 1 + len;
	}
	fuzz_end();
	return 0;
}
