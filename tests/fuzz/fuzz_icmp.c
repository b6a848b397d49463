/* SPDX-License-Identifier: MIT */
/* fuzz_icmp.c - ICMP messages with a sound checksum, errors above all, quoting a request that a
 * ping socket and a raw socket have in the air. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct socket *ping, *raw;
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	/* the quoted request */
	u8 m[1500], quote[1480] = { 0x45, 0,  0, 36, 0, 1,  0, 0, 64, 1, 0,
				    0,	  10, 0, 0,  2, 10, 0, 0, 1,  8 };
	const u8 echo[16] = { 8 };
	u32 len;
	int on = 1;

	fuzz_begin();
	if (!ping) {
		ping = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
		raw = sock_open(SOCK_RAW, IPPROTO_ICMP);
		sock_bind(ping, 0, 1);
		sock_setopt(ping, SOL_IP, IP_RECVERR, &on, sizeof(on));
	}
	if (size < 7)
		return 0;
	quote[25] = 1;
	len = min(size - 7, sizeof(quote));
	if (data[6] & 1) {
		memcpy(quote + 20 + data[6] / 16, data + 7, min(len, 1400u));
		len = min(len + 28, (u32)sizeof(quote));
	} else {
		memcpy(quote, data + 7, len);
	}
	sock_send(ping, PEER, echo, 16, MSG_DONTWAIT);
	len = icmp_message(m, data[0], data[1], get_be32(data + 2), quote, min(len, 1470u));
	peer_ipv4(&peer, host_mac, &h, m, min(len, 1480u));
	fuzz_end();
	while (sock_recv(ping, m, sizeof(m), MSG_DONTWAIT, NULL) > 0)
		;
	while (sock_recv(ping, m, sizeof(m), MSG_DONTWAIT | MSG_ERRQUEUE, NULL) > 0)
		;
	while (sock_recv(raw, m, sizeof(m), MSG_DONTWAIT, NULL) > 0)
		;
	return 0;
}
