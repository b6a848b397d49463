/* SPDX-License-Identifier: MIT */
/* mld_input.c - MLD messages come in: queries, and in the first version the reports of others, are
 * read and checked, and told to the machine of <weft/net/listener.h>. The checksum was verified. */
#include "mld.h"

#include <weft/bytes.h>

/* RFC 9777 5.1.3: milliseconds, from 32768 on a floating-point number. */
static u32 decode_ms(u16 code)
{
	return code < 0x8000 ? code : ((code & 0xfffu) | 0x1000) << ((code >> 12 & 7) + 3);
}

/* RFC 9777 8.1: the length tells the versions apart. False: none of them. */
static bool parse_query(const u8 *h, u32 len, struct listener_query *q)
{
	*q = (struct listener_query){ 0 };
	memcpy(q->group.b, h + 8, 16);
	q->general = ip_addr_is_any(&q->group);
	if (!q->general && !ip_addr_is_multicast(&q->group))
		return false;
	if (len == MLD_HEADER) {
		q->version = 2;
		q->response_ms = get_be16(h + 4);
		return true;
	}
	if (len < MLD_V2_QUERY)
		return false;
	q->version = 3;
	q->response_ms = decode_ms(get_be16(h + 4));
	q->robustness = h[24] & 7;
	q->interval_s = listener_decode(h[25]);
	q->nr_sources = get_be16(h + 26);
	q->sources = h + MLD_V2_QUERY;
	return len >= MLD_V2_QUERY + 16 * q->nr_sources && !(q->general && q->nr_sources);
}

static int query(struct pkt *p, const struct ip_rx *rx)
{
	struct listener_query q;

	if (!parse_query(p->data, p->len, &q))
		return ip_drop(p, DROP_BAD_LENGTH);
	/* a node answers about any group that it listens to, and to any address of its own
	 * (RFC 9777 5.1.15) */
	listener_query(&mld_listener, rx->ifindex, &q);
	pkt_free(p);
	return IP_TAKEN;
}

/* Somebody else has spoken for the group: routers need no more (RFC 2710 4). */
static int heard_report(struct pkt *p, const struct ip_rx *rx)
{
	struct ip_addr group;

	memcpy(group.b, p->data + 8, 16);
	if (!ip_addr_eq(&group, &rx->dst) || p->looped)
		return ip_drop(p, DROP_IGNORED);
	listener_heard_report(&mld_listener, rx->ifindex, &group);
	pkt_free(p);
	return IP_TAKEN;
}

int mld_input(struct pkt *p, struct ip_rx *rx)
{
	u8 type = p->data[0];

	if (type != MLD_QUERY && type != MLD_REPORT && type != MLD_DONE && type != MLD_V2_REPORT)
		return IP_DECLINED;
	if (p->len < MLD_HEADER && type != MLD_V2_REPORT)
		return ip_drop(p, DROP_TRUNCATED);
	/* for routers */
	if (type == MLD_DONE || type == MLD_V2_REPORT)
		return ip_drop(p, DROP_IGNORED);
	/* RFC 9777 5.1.14, 6.2, RFC 2710 4: by a neighbour, for routers to look at */
	if (rx->ttl != 1 || !ip_addr_is_link_local(&rx->src) || !(rx->flags & IP_RX_ROUTER_ALERT))
		return ip_drop(p, DROP_BAD_SOURCE);
	return type == MLD_QUERY ? query(p, rx) : heard_report(p, rx);
}
