/* SPDX-License-Identifier: MIT */
/* input.c - ICMP messages for this host: echo is answered in the buffer it came in, errors go to
 * the transport whose packet they quote, the rest is counted and dropped in silence (RFC
 * 1122 3.2.2). */
#include "icmp.h"

#include <weft/string.h>

int icmp_echo_ignore_all;
int icmp_echo_ignore_broadcasts = 1;

static int echo(struct pkt *p, const struct ip_rx *rx)
{
	struct flow f = {
		.dst = rx->src,
		.src = rx->dst,
		.proto = IPPROTO_ICMP,
		.tos = rx->tos,
		.flags = FLOW_CONTROL | FLOW_PARK,
	};

	if (READ_ONCE(icmp_echo_ignore_all) || p->data[1] != 0)
		return ip_drop(p, DROP_IGNORED);
	if (rx->flags & (IP_RX_BROADCAST | IP_RX_MULTICAST)) {
		/* RFC 1122 3.2.2.6 leaves it open; smurf decided it. The reply's source is one host
		 */
		if (READ_ONCE(icmp_echo_ignore_broadcasts))
			return ip_drop(p, DROP_IGNORED);
		f.src = ip_addr_any(AF_INET);
	}
	icmp_count_out(ICMP_ECHO_REPLY);
	return icmp_echo_reply(p, rx, &f, ICMP_ECHO_REPLY);
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
