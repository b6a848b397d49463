/* SPDX-License-Identifier: MIT */
/* fuzz_icmpv6.c - ICMPv6 messages with a sound checksum, errors above all, quoting a request that a
 * ping socket, a raw socket and a UDP socket have in the air. Type, code, the word behind the
 * checksum (4), flags, addresses, then the quoted packet's changes. */
#include "fuzz6.h"

#define HEADER 8

static struct socket *ping, *raw, *udp;

static void open_all(void)
{
	struct ip_addr any = ip6("::");
	int on = 1;

	if (ping)
		return;
	ping = sock_open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	raw = sock_open6(SOCK_RAW, IPPROTO_ICMPV6);
	sock_bind6(ping, &any, 1);
	sock_setopt(ping, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	fuzz_must(!sim_insmod("udp", NULL));
	udp = sock_open6(SOCK_DGRAM, 0);
	sock_bind6(udp, &any, 1);
	sock_setopt(udp, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

static void drain(struct socket *s)
{
	u8 m[1500];

	while (sock_recv6(s, m, sizeof(m), MSG_DONTWAIT, NULL, NULL) > 0)
		;
	while (sock_recv6(s, m, sizeof(m), MSG_DONTWAIT | MSG_ERRQUEUE, NULL, NULL) > 0)
		;
}

/* The packet that the host has just sent, over it what the input says from a place on. */
static u32 quote(u8 *q, u8 flags, const u8 *data, u32 len)
{
	struct ip_addr src = HOST6, dst = PEER6;
	u32 at = flags & 1 ? 40 + (flags >> 4) : flags & 2 ? 6 : 0;

	memset(q, 0, 1400);
	q[0] = 0x60;
	q[5] = 16;
	q[6] = flags & 4 ? IPPROTO_UDP : 58;
	q[7] = 64;
	memcpy(q + 8, &src, 16);
	memcpy(q + 24, &dst, 16);
	if (flags & 4) {
		put_be16(q + 40, 1);
		put_be16(q + 42, 9);
	} else {
		q[40] = 128;
		q[45] = 1;
	}
	len = min(len, 1200u);
	memcpy(q + at, data, len);
	return flags & 8 ? at + len : max(at + len, 56u);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ip_addr peer6 = PEER6;
	struct ipv6_fields h = { .next = 58 };
	const u8 echo[16] = { 128 };
	u8 m[1600], q[1500];
	u32 len;

	fuzz_begin6();
	open_all();
	if (size < HEADER)
		return 0;
	h.src = fuzz6_source(data[7]);
	h.dst = fuzz6_dest(data[7] >> 4);
	sock_send6(ping, &peer6, 0, echo, sizeof(echo), MSG_DONTWAIT);
	sock_send6(udp, &peer6, 9, echo, sizeof(echo), MSG_DONTWAIT);
	len = quote(q, data[6], data + HEADER, size - HEADER);
	len = icmp6_message(m, data[0], data[1], get_be32(data + 2), q, len);
	peer6_send(&peer, NULL, &h, m, len);
	fuzz_end6();
	drain(ping);
	drain(raw);
	drain(udp);
	return 0;
}
