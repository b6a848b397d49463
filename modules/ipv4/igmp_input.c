/* SPDX-License-Identifier: MIT */
/* igmp_input.c - IGMP messages come in: queries, and in the older versions the reports of others,
 * are read and checked, and told to the machine of <weft/net/listener.h>. */
#include "igmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

#define V3_QUERY 12		  /* without sources */
#define V1_RESPONSE_TENTHS 100	  /* RFC 2236 4 */
#define QUERY_RESPONSE_MAX 31744u /* the most that an exponential code says */

/* RFC 9776 7.1: the length tells the versions apart. False: none of them. */
static bool parse_query(const u8 *h, u32 len, struct listener_query *q)
{
	u32 group = get_be32(h + 4);

	*q = (struct listener_query){ .general = !group, .group = ip_addr_v4(group) };
	if (group && !ipv4_is_multicast(group))
		return false;
	if (len == IGMP_HEADER) {
		q->version = h[1] ? 2 : 1;
		/* RFC 9776 7.2.1: only a general one is a sign of an older querier */
		if (group && h[1])
			q->version = 3;
		q->response_ms = (h[1] ? h[1] : V1_RESPONSE_TENTHS) * 100u;
		return true;
	}
	if (len < V3_QUERY)
		return false;
	q->version = 3;
	q->response_ms = min(listener_decode(h[1]), QUERY_RESPONSE_MAX) * 100;
	q->robustness = h[8] & 7;
	q->interval_s = listener_decode(h[9]);
	q->nr_sources = get_be16(h + 10);
	q->sources = h + V3_QUERY;
	return len >= V3_QUERY + 4 * q->nr_sources && (group || !q->nr_sources);
}

/* A querier of this link: RFC 9776 9.1. Routers that leave out Router Alert are common enough. */
static bool from_the_link(const struct pkt *p, const struct ip_rx *rx)
{
	struct route_result res;

	if (rx->ttl != 1)
		return false;
	/* a snooping switch without an address of its own (RFC 4541 2.1.1) */
	if (ip_addr_is_any(&rx->src))
		return true;
	return !route_lookup(&rx->src, rx->ifindex, &res) && res.type == ROUTE_UNICAST &&
	       !res.gatewayed && res.nif == p->nif;
}

static int query(struct pkt *p, const struct ip_rx *rx)
{
	struct listener_query q;

	if (!parse_query(p->data, p->len, &q))
		return ip_drop(p, DROP_BAD_LENGTH);
	if (q.general && ip_addr_to_v4(&rx->dst) != IGMP_ALL_HOSTS)
		return ip_drop(p, DROP_BAD_DEST);
	if (!from_the_link(p, rx))
		return ip_drop(p, DROP_BAD_SOURCE);
	listener_query(&igmp_listener, rx->ifindex, &q);
	pkt_free(p);
	return IP_TAKEN;
}

/* Somebody else has spoken for the group: routers need no more (RFC 2236 3). */
static int heard_report(struct pkt *p, const struct ip_rx *rx)
{
	if (ip_addr_to_v4(&rx->dst) != get_be32(p->data + 4) || p->looped)
		return ip_drop(p, DROP_IGNORED);
	listener_heard_report(&igmp_listener, rx->ifindex, &rx->dst);
	pkt_free(p);
	return IP_TAKEN;
}

int igmp_input(struct pkt *p, struct ip_rx *rx)
{
	if (p->len < IGMP_HEADER)
		return ip_drop(p, DROP_TRUNCATED);
	if (p->csum != PKT_CSUM_OK && csum_fold(csum_partial(p->data, p->len, 0)))
		return ip_drop(p, DROP_BADSUM);
	switch (p->data[0]) {
	case IGMP_QUERY:
		return query(p, rx);
	case IGMP_V1_REPORT:
	case IGMP_V2_REPORT:
		return heard_report(p, rx);
	default:
		/* for routers, and what nobody knows: RFC 2236 2.1 */
		return ip_drop(p, DROP_IGNORED);
	}
}
