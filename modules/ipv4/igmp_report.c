/* SPDX-License-Identifier: MIT */
/* igmp_report.c - what a host says to multicast routers: answers to their queries, changes, and in
 * the older versions one message a group (RFC 2236 3, RFC 9776 4.2, 5). Packets are built under
 * igmp_lock and sent after it. */
#include "igmp.h"

#include <weft/bytes.h>
#include <weft/string.h>

#define RECORD_HEADER 8
#define UNSOLICITED_MS 1000	    /* RFC 9776 8.11 */
#define SIMPLE_UNSOLICITED_MS 10000 /* RFC 2236 8.10 */
#define IP_HEADER_ALERT 24	    /* with Router Alert */

/* ---- packets ---- */

static const struct ifaddr *own_address(const struct netif *nif)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET && !(a->flags & IFADDR_TENTATIVE))
			return a;
	}
	return NULL;
}

static void flow_init(struct flow *f, const struct netif *nif, u32 dst)
{
	const struct ifaddr *a = own_address(nif);

	*f = (struct flow){
		.dst = ip_addr_v4(dst),
		/* RFC 9776 4.2.14: of this link, or none */
		.src = a ? a->addr : ip_addr_any(AF_INET),
		.oif = nif->index,
		.proto = IPPROTO_IGMP,
		.tos = 0xc0, /* internetwork control */
		.ttl = 1,
		.flags = FLOW_CONTROL | FLOW_PARK | FLOW_NO_LOOP | (a ? 0 : FLOW_NO_SOURCE),
		.opt_len = 4,
		.opts = { 148, 4, 0, 0 }, /* Router Alert (RFC 2113) */
	};
}

static struct pkt *new_packet(struct igmp_out *out, u32 dst, u32 room)
{
	struct flow f;
	struct pkt *p;

	flow_init(&f, out->nif, dst);
	p = ip_reserve(&f, room, NULL);
	if (IS_ERR(p))
		return NULL;
	memcpy(p->cb, &dst, sizeof(dst));
	list_add_tail(&p->node, &out->packets);
	return p;
}

void igmp_send(struct igmp_out *out)
{
	struct flow f;
	u32 dst;

	while (!list_empty(&out->packets)) {
		struct pkt *p = list_first_entry(&out->packets, struct pkt, node);
		u16 sum = csum_fold(csum_partial(p->data, p->len, 0));

		list_del(&p->node);
		memcpy(p->data + 2, &sum, sizeof(sum));
		memcpy(&dst, p->cb, sizeof(dst));
		flow_init(&f, out->nif, dst);
		ip_commit(&f, p);
	}
}

static void send_simple(struct igmp_out *out, u8 type, u32 group, u32 dst)
{
	struct pkt *p = new_packet(out, dst, IGMP_HEADER);
	u8 *h;

	if (!p)
		return;
	h = pkt_put(p, IGMP_HEADER);
	memset(h, 0, IGMP_HEADER);
	h[0] = type;
	put_be32(h + 4, group);
}

/* ---- version 3: records ---- */

/* Room for n bytes of a record in a report. NULL: no buffer. */
static u8 *report_put(struct igmp_out *out, u32 n)
{
	return out->report ? pkt_put(out->report, n) : NULL;
}

static u32 report_room(const struct igmp_out *out)
{
	u32 most = out->nif->mtu - IP_HEADER_ALERT;

	return out->report ? most - out->report->len : 0;
}

static void report_new(struct igmp_out *out)
{
	out->report = new_packet(out, IGMP_V3_ROUTERS, out->nif->mtu - IP_HEADER_ALERT);
	if (out->report) {
		memset(pkt_put(out->report, IGMP_HEADER), 0, IGMP_HEADER);
		out->report->data[0] = IGMP_V3_REPORT;
	}
}

/* A record without sources so far; NULL: no buffer. */
static u8 *record_new(struct igmp_out *out, u8 type, u32 group)
{
	u8 *r;

	if (report_room(out) < RECORD_HEADER + 4)
		report_new(out);
	r = report_put(out, RECORD_HEADER);
	if (!r)
		return NULL;
	put_be16(out->report->data + 6, get_be16(out->report->data + 6) + 1);
	memset(r, 0, RECORD_HEADER);
	r[0] = type;
	put_be32(r + 4, group);
	return r;
}

/* The record that goes on. RFC 9776 4.2.16: lists of what is excluded are cut, others are spread
 * over several records. */
static u8 *record_source(struct igmp_out *out, u8 *r, u32 source)
{
	if (!r)
		return NULL;
	if (report_room(out) < 4) {
		if (r[0] == IGMP_IS_EX || r[0] == IGMP_TO_EX)
			return r;
		r = record_new(out, r[0], get_be32(r + 4));
		if (!r)
			return NULL;
	}
	put_be32(report_put(out, 4), source);
	put_be16(r + 2, get_be16(r + 2) + 1);
	return r;
}

/* The whole filter. */
static bool tell_state(struct igmp_out *out, const struct igmp_group *g, u8 include, u8 exclude)
{
	u8 *r = record_new(out, g->mode == MCAST_EXCLUDE ? exclude : include, g->addr);

	for (u32 k = 0; k < g->nr_sources && r; k++) {
		if (g->sources[k].in)
			r = record_source(out, r, g->sources[k].addr);
	}
	return r;
}

static bool is_listed(const struct igmp_group *g, u32 source)
{
	for (u32 k = 0; k < g->nr_sources; k++) {
		if (g->sources[k].addr == source && g->sources[k].in)
			return true;
	}
	return false;
}

/* RFC 9776 5.2: of the sources asked about, those that are wanted. */
static void answer_asked(struct igmp_out *out, struct igmp_group *g)
{
	u8 *r = NULL;

	for (u32 k = 0; k < g->nr_asked; k++) {
		if (is_listed(g, g->asked[k]) != (g->mode == MCAST_INCLUDE))
			continue;
		r = r ? r : record_new(out, IGMP_IS_IN, g->addr);
		r = record_source(out, r, g->asked[k]);
	}
}

/* Names each source of which changes are pending and that is (or is not) in the filter. */
static void tell_sources(struct igmp_out *out, struct igmp_group *g, bool in)
{
	u8 type = (g->mode == MCAST_INCLUDE) == in ? IGMP_ALLOW : IGMP_BLOCK;
	u8 *r = NULL;

	for (u32 k = 0; k < g->nr_sources; k++) {
		if (!g->sources[k].left || g->sources[k].in != in)
			continue;
		r = r ? r : record_new(out, type, g->addr);
		r = record_source(out, r, g->sources[k].addr);
	}
}

/* RFC 9776 5.1. True: more is to be told later. */
static bool tell_change(struct igmp_out *out, struct igmp_group *g)
{
	bool more = false;
	u32 kept = 0;

	if (g->mode_left) {
		tell_state(out, g, IGMP_TO_IN, IGMP_TO_EX);
		more = --g->mode_left;
	} else {
		tell_sources(out, g, true);
		tell_sources(out, g, false);
	}
	for (u32 k = 0; k < g->nr_sources; k++) {
		struct igmp_source *s = &g->sources[k];

		s->left -= s->left > 0;
		more |= s->left > 0;
		if (s->in || s->left)
			g->sources[kept++] = *s;
	}
	g->nr_sources = kept;
	return more;
}

static void tell_changes(struct igmp_if *i, struct igmp_out *out, u64 now)
{
	struct igmp_group *g, *next;
	bool more = false;

	list_for_each_entry_safe(g, next, &i->groups, node) {
		bool group_more = tell_change(out, g);

		more |= group_more;
		if (!g->member && !group_more)
			igmp_group_free(i, g);
	}
	i->changed_at = now;
	i->change_due = more ? now + NSEC_PER_MSEC + igmp_random_ms(UNSOLICITED_MS - 1) : 0;
}

static void tell_all(struct igmp_if *i, struct igmp_out *out)
{
	struct igmp_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (g->member)
			tell_state(out, g, IGMP_IS_IN, IGMP_IS_EX);
	}
}

static void report_v3(struct igmp_if *i, struct igmp_out *out, u64 now)
{
	struct igmp_group *g;

	if (i->general_due && i->general_due <= now) {
		i->general_due = 0;
		tell_all(i, out);
	}
	list_for_each_entry(g, &i->groups, node) {
		if (!g->due || g->due > now)
			continue;
		if (g->nr_asked)
			answer_asked(out, g);
		else if (g->member)
			tell_state(out, g, IGMP_IS_IN, IGMP_IS_EX);
		g->due = 0;
		g->nr_asked = 0;
	}
	if (i->change_due && i->change_due <= now)
		tell_changes(i, out, now);
}

/* ---- versions 1 and 2 ---- */

static void report_simple(struct igmp_if *i, struct igmp_out *out, u64 now)
{
	struct igmp_group *g, *next;

	list_for_each_entry_safe(g, next, &i->groups, node) {
		if (!g->due || g->due > now)
			continue;
		g->due = 0;
		if (!g->member) {
			/* RFC 2236 3: only who spoke last need say that it leaves */
			if (i->version == 2 && g->reporter)
				send_simple(out, IGMP_V2_LEAVE, g->addr, IGMP_ALL_ROUTERS);
			igmp_group_free(i, g);
			continue;
		}
		send_simple(out, i->version == 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT, g->addr,
			    g->addr);
		g->reporter = true;
		g->simple_left -= g->simple_left > 0;
		if (g->simple_left)
			g->due = now + NSEC_PER_MSEC + igmp_random_ms(SIMPLE_UNSOLICITED_MS);
	}
}

void igmp_report_due(struct igmp_if *i, struct igmp_out *out, u64 now)
{
	out->report = NULL;
	if (i->version < 3)
		report_simple(i, out, now);
	else
		report_v3(i, out, now);
}

static u64 earlier(u64 a, u64 b)
{
	return !a || (b && b < a) ? b : a;
}

u64 igmp_next_due(const struct igmp_if *i)
{
	u64 due = earlier(i->general_due, i->change_due);
	const struct igmp_group *g;

	list_for_each_entry(g, &i->groups, node)
		due = earlier(due, g->due);
	return due;
}
