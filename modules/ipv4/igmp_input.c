/* SPDX-License-Identifier: MIT */
/* igmp_input.c - queries, and in the older versions the reports of others. Nothing is answered at
 * once: a random moment within the time that the querier allows is chosen, and what is pending by
 * then is answered together (RFC 9776 5.2). What a forger gains is bounded by that, by the bound on
 * groups, and by having to be on the link. */
#include "igmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

#define V3_QUERY 12		  /* without sources */
#define V1_RESPONSE_TENTHS 100	  /* RFC 2236 4 */
#define QUERY_RESPONSE_MAX 31744u /* the most that an exponential code says */

struct query {
	u8 version;
	u32 group; /* 0: general */
	u32 response_ms;
	u8 robustness; /* 0: does not say */
	u32 interval_s;
	u32 nr_sources;
	const u8 *sources;
};

/* RFC 9776 4.1.1, 4.1.7: from 128 on a floating-point number. */
static u32 decode(u8 code)
{
	return code < 128 ? code : ((code & 15) | 16u) << ((code >> 4 & 7) + 3);
}

/* RFC 9776 7.1: the length tells the versions apart. False: none of them. */
static bool parse_query(const u8 *h, u32 len, struct query *q)
{
	*q = (struct query){ .group = get_be32(h + 4) };
	if (q->group && !ipv4_is_multicast(q->group))
		return false;
	if (len == IGMP_HEADER) {
		q->version = h[1] ? 2 : 1;
		q->response_ms = (h[1] ? h[1] : V1_RESPONSE_TENTHS) * 100u;
		return true;
	}
	if (len < V3_QUERY)
		return false;
	q->version = 3;
	q->response_ms = min(decode(h[1]), QUERY_RESPONSE_MAX) * 100;
	q->robustness = h[8] & 7;
	q->interval_s = decode(h[9]);
	q->nr_sources = get_be16(h + 10);
	q->sources = h + V3_QUERY;
	return len >= V3_QUERY + 4 * q->nr_sources && (q->group || !q->nr_sources);
}

static void older_querier(struct igmp_if *i, const struct query *q)
{
	u8 repeats = i->robustness ? i->robustness : READ_ONCE(igmp_robustness);
	/* RFC 9776 8.12 */
	u64 until = ktime_get() + (u64)repeats * i->query_interval_s * NSEC_PER_SEC +
		    q->response_ms * NSEC_PER_MSEC;

	if (q->version == 1)
		i->v1_until = until;
	else if (q->version == 2 && !q->group)
		i->v2_until = until;
}

static u64 sooner(u64 pending, u64 due)
{
	return pending && pending < due ? pending : due;
}

/* RFC 9776 5.2, rules 3 to 5. */
static void asked_of_group(struct igmp_group *g, const struct query *q, u64 due)
{
	bool pending = g->due;

	if (!q->nr_sources || (pending && !g->nr_asked) ||
	    g->nr_asked + q->nr_sources > IGMP_ASKED_MAX) {
		g->nr_asked = 0; /* of all of it */
	} else {
		for (u32 k = 0; k < q->nr_sources; k++)
			g->asked[g->nr_asked++] = get_be32(q->sources + 4 * k);
	}
	g->due = sooner(g->due, due);
}

static void query_v3(struct igmp_if *i, const struct query *q)
{
	u64 due = ktime_get() + igmp_random_ms(q->response_ms);
	struct igmp_group *g;

	if (q->robustness)
		i->robustness = q->robustness;
	if (q->version == 3 && q->interval_s)
		i->query_interval_s = q->interval_s;
	/* rule 1: an answer to everything is on its way sooner */
	if (i->general_due && i->general_due < due)
		return;
	if (!q->group) {
		if (!i->nr_groups)
			return;
		i->general_due = due;
		igmp_wake_at(due);
		return;
	}
	g = igmp_group_find(i, q->group);
	if (!g || !g->member)
		return;
	asked_of_group(g, q, due);
	igmp_wake_at(g->due);
}

/* RFC 2236 3: each group has a moment of its own, so that others may speak first. */
static void query_simple(struct igmp_if *i, const struct query *q)
{
	u64 now = ktime_get();
	struct igmp_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (!g->member || (q->group && g->addr != q->group))
			continue;
		g->due = sooner(g->due, now + igmp_random_ms(q->response_ms));
		igmp_wake_at(g->due);
	}
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
	struct igmp_if *i;
	struct query q;

	if (!parse_query(p->data, p->len, &q))
		return ip_drop(p, DROP_BAD_LENGTH);
	if (!q.group && ip_addr_to_v4(&rx->dst) != IGMP_ALL_HOSTS)
		return ip_drop(p, DROP_BAD_DEST);
	if (!from_the_link(p, rx))
		return ip_drop(p, DROP_BAD_SOURCE);
	spin_lock(&igmp_lock);
	i = igmp_if_find(rx->ifindex);
	if (i) {
		older_querier(i, &q);
		if (igmp_version(i) == 3)
			query_v3(i, &q);
		else
			query_simple(i, &q);
	}
	spin_unlock(&igmp_lock);
	pkt_free(p);
	return IP_TAKEN;
}

/* Somebody else has spoken for the group: routers need no more (RFC 2236 3). */
static int heard_report(struct pkt *p, const struct ip_rx *rx)
{
	u32 group = get_be32(p->data + 4);
	struct igmp_group *g;
	struct igmp_if *i;

	if (ip_addr_to_v4(&rx->dst) != group || p->looped)
		return ip_drop(p, DROP_IGNORED);
	spin_lock(&igmp_lock);
	i = igmp_if_find(rx->ifindex);
	g = i && igmp_version(i) < 3 ? igmp_group_find(i, group) : NULL;
	if (g && g->member) {
		g->due = 0;
		g->simple_left = 0;
		g->reporter = false;
	}
	spin_unlock(&igmp_lock);
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
