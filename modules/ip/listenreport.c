/* SPDX-License-Identifier: MIT */
/* listenreport.c - what a host says to multicast routers: answers to their queries, changes, and in
 * the older versions one message a group (RFC 2236 3, RFC 2710 4, RFC 9776 4.2, 5, RFC 9777 5.2,
 * 6). Packets are built under the protocol's lock and sent after it. */
#include "listener.h"

#include <weft/bytes.h>

#define REPORT_HEADER 8
#define RECORD_HEADER 4 /* before the group */

/* RFC 9776 4.2.13, RFC 9777 5.2.12 */
enum record {
	IS_IN = 1,
	IS_EX,
	TO_IN,
	TO_EX,
	ALLOW,
	BLOCK,
};

/* ---- packets ---- */

static struct pkt *new_packet(struct listener_out *out, const struct ip_addr *dst, u32 room)
{
	struct flow f;
	struct pkt *p;

	if (!out->lp->flow(out->nif, dst, &f))
		return NULL;
	p = ip_reserve(&f, room, NULL);
	if (IS_ERR(p))
		return NULL;
	/* what IPv6 sends on a link may be shorter than its interface allows */
	out->most = min(room, f.mtu - out->lp->headers);
	memcpy(p->cb, dst, sizeof(*dst));
	list_add_tail(&p->node, &out->packets);
	return p;
}

void listener_send(struct listener_out *out)
{
	struct ip_addr dst;
	struct flow f;

	while (!list_empty(&out->packets)) {
		struct pkt *p = list_first_entry(&out->packets, struct pkt, node);

		list_del(&p->node);
		memcpy(&dst, p->cb, sizeof(dst));
		if (!out->lp->flow(out->nif, &dst, &f) || ip_flow_check(&f, p->len, NULL)) {
			ip_drop(p, DROP_STALE_FLOW);
			continue;
		}
		out->lp->finish(&f, p->data, p->len);
		ip_commit(&f, p);
	}
}

static void put_addr(const struct listener_out *out, u8 *to, const struct ip_addr *a)
{
	memcpy(to, a->b + 16 - out->lp->addr_len, out->lp->addr_len);
}

static struct ip_addr get_addr(const struct listener_out *out, const u8 *from)
{
	struct ip_addr a = ip_addr_any(out->lp->af);

	memcpy(a.b + 16 - out->lp->addr_len, from, out->lp->addr_len);
	return a;
}

static void send_simple(struct listener_out *out, u8 type, const struct ip_addr *group,
			const struct ip_addr *dst)
{
	u32 len = out->lp->simple_off + out->lp->addr_len;
	struct pkt *p = new_packet(out, dst, len);
	u8 *h;

	if (!p)
		return;
	h = pkt_put(p, len);
	memset(h, 0, len);
	h[0] = type;
	put_addr(out, h + out->lp->simple_off, group);
}

/* ---- version 3: records ---- */

/* Room for n bytes of a record in a report. NULL: no buffer. */
static u8 *report_put(struct listener_out *out, u32 n)
{
	return out->report ? pkt_put(out->report, n) : NULL;
}

static u32 report_room(const struct listener_out *out)
{
	return out->report ? out->most - out->report->len : 0;
}

static void report_new(struct listener_out *out)
{
	const struct listener_proto *lp = out->lp;

	out->report = new_packet(out, &lp->v3_routers, out->nif->mtu - lp->headers);
	if (out->report) {
		memset(pkt_put(out->report, REPORT_HEADER), 0, REPORT_HEADER);
		out->report->data[0] = lp->report_type[3];
	}
}

/* A record without sources so far; NULL: no buffer. */
static u8 *record_new(struct listener_out *out, u8 type, const struct ip_addr *group)
{
	u32 len = RECORD_HEADER + out->lp->addr_len;
	u8 *r;

	if (report_room(out) < len + out->lp->addr_len)
		report_new(out);
	r = report_put(out, len);
	if (!r)
		return NULL;
	put_be16(out->report->data + 6, get_be16(out->report->data + 6) + 1);
	memset(r, 0, RECORD_HEADER);
	r[0] = type;
	put_addr(out, r + RECORD_HEADER, group);
	return r;
}

/* The record that goes on. RFC 9776 4.2.16, RFC 9777 5.2.15: lists of what is excluded are cut,
 * others are spread over several records. */
static u8 *record_source(struct listener_out *out, u8 *r, const struct ip_addr *source)
{
	struct ip_addr group;

	if (!r)
		return NULL;
	if (report_room(out) < out->lp->addr_len) {
		if (r[0] == IS_EX || r[0] == TO_EX)
			return r;
		group = get_addr(out, r + RECORD_HEADER);
		r = record_new(out, r[0], &group);
		if (!r)
			return NULL;
	}
	put_addr(out, report_put(out, out->lp->addr_len), source);
	put_be16(r + 2, get_be16(r + 2) + 1);
	return r;
}

/* The whole filter. */
static void tell_state(struct listener_out *out, const struct listener_group *g, u8 include,
		       u8 exclude)
{
	u8 *r = record_new(out, g->mode == MCAST_EXCLUDE ? exclude : include, &g->addr);

	for (u32 k = 0; k < g->nr_sources && r; k++) {
		if (g->sources[k].in)
			r = record_source(out, r, &g->sources[k].addr);
	}
}

static bool is_listed(const struct listener_group *g, const struct ip_addr *source)
{
	for (u32 k = 0; k < g->nr_sources; k++) {
		if (g->sources[k].in && ip_addr_eq(&g->sources[k].addr, source))
			return true;
	}
	return false;
}

/* RFC 9776 5.2, RFC 9777 6.2: of the sources asked about, those that are wanted. */
static void answer_asked(struct listener_out *out, const struct listener_group *g)
{
	u8 *r = NULL;

	for (u32 k = 0; k < g->nr_asked; k++) {
		if (is_listed(g, &g->asked[k]) != (g->mode == MCAST_INCLUDE))
			continue;
		r = r ? r : record_new(out, IS_IN, &g->addr);
		r = record_source(out, r, &g->asked[k]);
	}
}

/* Names each source of which changes are pending and that is (or is not) in the filter. */
static void tell_sources(struct listener_out *out, const struct listener_group *g, bool in)
{
	u8 type = (g->mode == MCAST_INCLUDE) == in ? ALLOW : BLOCK;
	u8 *r = NULL;

	for (u32 k = 0; k < g->nr_sources; k++) {
		if (!g->sources[k].left || g->sources[k].in != in)
			continue;
		r = r ? r : record_new(out, type, &g->addr);
		r = record_source(out, r, &g->sources[k].addr);
	}
}

/* RFC 9776 5.1, RFC 9777 6.1. True: more is to be told later. */
static bool tell_change(struct listener_out *out, struct listener_group *g)
{
	bool more = false;
	u32 kept = 0;

	if (g->mode_left) {
		tell_state(out, g, TO_IN, TO_EX);
		more = --g->mode_left;
	} else {
		tell_sources(out, g, true);
		tell_sources(out, g, false);
	}
	for (u32 k = 0; k < g->nr_sources; k++) {
		struct listener_source *s = &g->sources[k];

		s->left -= s->left > 0;
		more |= s->left > 0;
		if (s->in || s->left)
			g->sources[kept++] = *s;
	}
	g->nr_sources = kept;
	return more;
}

/* The moment of the next unsolicited report. */
static u64 again_at(const struct listener_if *i, const struct listener_out *out, u64 now)
{
	return now + NSEC_PER_MSEC + listener_random(max(out->lp->unsolicited_ms(i), 1u) - 1);
}

static void tell_changes(struct listener_if *i, struct listener_out *out, u64 now)
{
	struct listener_group *g, *next;
	bool more = false;

	list_for_each_entry_safe(g, next, &i->groups, node) {
		bool group_more = tell_change(out, g);

		more |= group_more;
		if (!g->member && !group_more)
			listener_group_free(i, g);
	}
	i->changed_at = now;
	i->change_due = more ? again_at(i, out, now) : 0;
}

static void tell_all(struct listener_if *i, struct listener_out *out)
{
	struct listener_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (g->member)
			tell_state(out, g, IS_IN, IS_EX);
	}
}

static void report_v3(struct listener_if *i, struct listener_out *out, u64 now)
{
	struct listener_group *g;

	if (i->general_due && i->general_due <= now) {
		i->general_due = 0;
		i->answered_at = now;
		tell_all(i, out);
	}
	list_for_each_entry(g, &i->groups, node) {
		if (!g->due || g->due > now)
			continue;
		if (g->nr_asked)
			answer_asked(out, g);
		else if (g->member)
			tell_state(out, g, IS_IN, IS_EX);
		i->answered_at = now;
		g->due = 0;
		g->nr_asked = 0;
	}
	if (i->change_due && i->change_due <= now)
		tell_changes(i, out, now);
}

/* ---- versions 1 and 2 ---- */

static void report_simple(struct listener_if *i, struct listener_out *out, u64 now)
{
	const struct listener_proto *lp = out->lp;
	struct listener_group *g, *next;

	list_for_each_entry_safe(g, next, &i->groups, node) {
		if (!g->due || g->due > now)
			continue;
		g->due = 0;
		if (!g->member) {
			/* RFC 2236 3, RFC 2710 4: only who spoke last need say that it leaves */
			if (i->version == 2 && g->reporter)
				send_simple(out, lp->leave_type, &g->addr, &lp->routers);
			listener_group_free(i, g);
			continue;
		}
		send_simple(out, lp->report_type[i->version], &g->addr, &g->addr);
		g->reporter = true;
		i->answered_at = now;
		g->simple_left -= g->simple_left > 0;
		if (g->simple_left)
			g->due = again_at(i, out, now);
	}
}

void listener_report_due(struct listener_if *i, struct listener_out *out, u64 now)
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

u64 listener_next_due(const struct listener_if *i)
{
	u64 due = earlier(i->general_due, i->change_due);
	const struct listener_group *g;

	list_for_each_entry(g, &i->groups, node)
		due = earlier(due, g->due);
	return due;
}
