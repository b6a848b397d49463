/* SPDX-License-Identifier: MIT */
/* fuzz_udp.c - UDP datagrams, whole and lying about their length, to sockets of every kind, and
 * ICMP errors about what they sent. Each record: flags, ports' low bytes, length, then that many
 * bytes of payload. */
#include "fuzz.h"

#include "calls.h"

#define RECORD 6

static int fds[4];

static void sockets(void)
{
	static const u16 ports[] = { 5000, 5000, 5001, 5002 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = c_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		c_setint(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		c_bind(fds[i], i == 2 ? HOST : 0, ports[i]);
		c_setint(fds[i], SOL_IP, IP_RECVERR, i & 1);
		c_setint(fds[i], SOL_IP, IP_PKTINFO, 1);
	}
	c_connect(fds[3], PEER, 6000);
}

static void datagram(const u8 *r, const u8 *payload, u32 len)
{
	struct ipv4_fields h = { .src = PEER,
				 .dst = r[0] & 1 ? HOST_BROADCAST : HOST,
				 .proto = IPPROTO_UDP };
	u8 u[12 + 8 + 1500] = { 0 }, *d = u + 12;
	u16 sum;

	put_be16(d, 6000 + (r[1] & 3));
	put_be16(d + 2, 5000 + (r[2] & 3));
	put_be16(d + 4, r[0] & 2 ? get_be16(r + 3) : 8 + len);
	memcpy(d + 8, payload, len);
	put_be32(u, h.src);
	put_be32(u + 4, h.dst);
	u[9] = IPPROTO_UDP;
	put_be16(u + 10, get_be16(d + 4));
	sum = wire_sum(u, 20 + len);
	put_be16(d + 6, r[0] & 4 ? 0 : sum ? sum : 0xffff);
	peer_ipv4(&peer, r[0] & 1 ? broadcast_mac : host_mac, &h, d, 8 + len);
}

static void error(const u8 *r)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = IPPROTO_ICMP };
	struct ipv4_fields q = { .src = HOST, .dst = PEER, .proto = IPPROTO_UDP };
	u8 quote[80], m[128];

	frame_ipv4(quote, peer_mac, host_mac, &q, NULL, 8);
	put_be16(quote + 34, 5000 + (r[1] & 3));
	put_be16(quote + 36, 6000 + (r[2] & 3));
	peer_ipv4(&peer, host_mac, &h, m,
		  icmp_message(m, r[3], r[4], r[5] << 4, quote + 14, 28 - (r[0] & 7)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 sink[2048];
	u32 i;

	fuzz_begin();
	fuzz_modules("udp");
	sockets();
	while (size >= RECORD) {
		u32 len = min((size_t)data[5] * 5, size - RECORD);

		if (data[0] & 128) {
			c_sendto(fds[data[1] & 3], data, RECORD, MSG_DONTWAIT, PEER, 6000);
			error(data);
			len = 0;
		} else {
			datagram(data, data + RECORD, len);
		}
		sim_run(50 * NSEC_PER_USEC);
		if (data[0] & 64)
			c_recv(fds[data[1] & 3], sink, data[2] * 8, data[4] & MSG_PEEK);
		data += RECORD + len;
		size -= RECORD + len;
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		while (c_recv(fds[i], sink, sizeof(sink), MSG_ERRQUEUE | MSG_DONTWAIT) > 0)
			;
		c_close(fds[i]);
	}
	fuzz_end();
	return 0;
}
