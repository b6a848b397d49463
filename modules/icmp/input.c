/* SPDX-License-Identifier: MIT */
/* input.c - ICMP messages for this host: echo is answered in the buffer it came in, errors go to
 * the transport whose packet they quote, the rest is counted and dropped in silence (RFC
 * 1122 3.2.2). */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/string.h>

int icmp_echo_ignore_all;
int icmp_echo_ignore_broadcasts = 1;

void icmp_finish(u8 *h, u32 len)
{
	u16 sum;

	put_be16(h + 2, 0);
	sum = csum_fold(csum_partial(h, len, 0));
	memcpy(h + 2, &sum, sizeof(sum));
}

/* The checksum of a message of which only the first word changed from old to new (RFC 1624 eqn. 3).
 * It cannot tell a sum of 0, which only a message of zeros has, from 0xffff: 0xffff fits both. */
static void patch_checksum(u8 *h, u16 old, u16 new)
{
	u32 sum = (u16)~get_be16(h + 2) + (u16)~old + new;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(h + 2, sum == 0xffff ? 0xffff : ~sum);
}

static int echo(struct pkt *p, const struct ip_rx *rx)
{
	struct flow f = {
		.dst = rx->src,
		.src = rx->dst,
		.proto = IPPROTO_ICMP,
		.tos = rx->tos,
		.flags = FLOW_CONTROL | FLOW_PARK,
	};
	u8 *h;

	if (READ_ONCE(icmp_echo_ignore_all) || p->data[1] != 0)
		return ip_drop(p, DROP_IGNORED);
	if (ip_rx_is_group(rx)) {
		/* RFC 1122 3.2.2.6 leaves it open; smurf decided it. The reply's source is one host
		 */
		if (READ_ONCE(icmp_echo_ignore_broadcasts))
			return ip_drop(p, DROP_IGNORED);
		f.src = ip_addr_any(AF_INET);
	}
	if (ip_flow_check(&f, p->len, NULL))
		return ip_drop(p, DROP_NO_ROUTE);
	p = pkt_writable(p, f.headroom);
	if (!p)
		return ip_drop(NULL, DROP_NO_MEMORY);
	h = p->data;
	h[0] = ICMP_ECHO_REPLY;
	patch_checksum(h, ICMP_ECHO << 8, ICMP_ECHO_REPLY << 8);
	p->csum = PKT_CSUM_NONE;
	p->gso_size = 0;
	icmp_count_out(ICMP_ECHO_REPLY);
	ip_commit(&f, p);
	return IP_TAKEN;
}

int icmp_input(struct pkt *p, struct ip_rx *rx)
{
	u8 type;

	if (p->len < ICMP_HEADER) {
		icmp_count(ICMP_IN_MALFORMED);
		return ip_drop(p, DROP_TRUNCATED);
	}
	if (p->csum != PKT_CSUM_OK && csum_fold(csum_partial(p->data, p->len, 0)) != 0) {
		icmp_count(ICMP_IN_BADSUM);
		return ip_drop(p, DROP_BADSUM);
	}
	type = p->data[0];
	icmp_count_in(type);
	if (type == ICMP_ECHO)
		return echo(p, rx);
	if (type == ICMP_ECHO_REPLY) {
		/* raw sockets have seen it already */
		ping_reply(p, rx);
		pkt_free(p);
		return IP_TAKEN;
	}
	if (icmp_is_error(type))
		return icmp_receive_error(p, rx);
	/* router discovery, masks, timestamps and what nobody knows (RFC 1122 3.2.2) */
	return ip_drop(p, DROP_UNKNOWN_TYPE);
}
