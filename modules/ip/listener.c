/* SPDX-License-Identifier: MIT */
/* listener.c - the state of multicast listening: interfaces come and go, members' wishes change,
 * queries are heard, and one piece of work says what is due. Every change is told at once and again
 * after random moments, as often as the robustness variable says (RFC 9776 5.1, RFC 9777 6.1). What
 * a forged query gains is bounded by the random moments, by the bound on groups, and by having to
 * be on the link. The NIC's filter is group.c's business. */
#include "listener.h"

#include <weft/bytes.h>

#define GROUPS_MAX 1024 /* an interface; those that are being left count too */
#define QUERY_INTERVAL_S 125
/* programs that join and leave in a loop are told about together */
#define CHANGE_GAP_NS (100 * NSEC_PER_MSEC)
/* between answers, however often somebody asks */
#define ANSWER_GAP_NS (20 * NSEC_PER_MSEC)
#define SIMPLE_REPORTS 2 /* RFC 2236 3, RFC 2710 4: one more than the first */

u64 listener_random(u32 ms)
{
	return random_below(ms + 1) * NSEC_PER_MSEC;
}

struct listener_if *listener_if_find(struct listener_proto *lp, u32 ifindex)
{
	struct listener_if *i;

	list_for_each_entry(i, &lp->interfaces, node) {
		if (i->ifindex == ifindex)
			return i;
	}
	return NULL;
}
EXPORT(listener_if_find);

struct listener_group *listener_group_find(struct listener_if *i, const struct ip_addr *addr)
{
	struct listener_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (ip_addr_eq(&g->addr, addr))
			return g;
	}
	return NULL;
}
EXPORT(listener_group_find);

void listener_wake_at(struct listener_proto *lp, u64 due)
{
	if (lp->work_due && lp->work_due <= due)
		return;
	lp->work_due = due;
	work_schedule_at(&lp->work, due);
}

void listener_group_free(struct listener_if *i, struct listener_group *g)
{
	list_del(&g->node);
	i->nr_groups--;
	kfree(g->sources);
	kfree(g);
}

/* ---- versions ---- */

static void forget_pending(struct listener_if *i)
{
	struct listener_group *g, *next;

	i->general_due = i->change_due = 0;
	list_for_each_entry_safe(g, next, &i->groups, node) {
		if (!g->member) {
			listener_group_free(i, g);
			continue;
		}
		g->mode_left = g->simple_left = 0;
		g->due = 0;
		g->nr_asked = 0;
		for (u32 k = 0; k < g->nr_sources; k++)
			g->sources[k].left = 0;
	}
}

static u8 wanted_version(struct listener_proto *lp, const struct listener_if *i)
{
	u8 forced = lp->forced(i);
	u64 now = ktime_get();

	if (forced)
		return forced;
	return now < i->v1_until ? 1 : now < i->v2_until ? 2 : 3;
}

u8 listener_version(struct listener_proto *lp, struct listener_if *i)
{
	u8 version = wanted_version(lp, i);

	if (version != i->version) {
		i->version = version;
		forget_pending(i);
	}
	return version;
}
EXPORT(listener_version);

static u8 robustness(const struct listener_proto *lp, const struct listener_if *i)
{
	return i->robustness ? i->robustness : READ_ONCE(*lp->robustness);
}

/* ---- what members want has changed ---- */

static const struct listener_source *source_find(const struct listener_group *g,
						 const struct ip_addr *addr)
{
	for (u32 k = 0; k < g->nr_sources; k++) {
		if (ip_addr_eq(&g->sources[k].addr, addr))
			return &g->sources[k];
	}
	return NULL;
}

/* The sources of the merged filter, then those that it has lost. A turned mode is told with the
 * whole list, so what was pending of single sources is history. */
static u32 merge_sources(const struct listener_group *g, const struct ip_group *now, bool turned,
			 u8 repeats, struct listener_source *to)
{
	const struct listener_source *old;
	const struct ip_source *s;
	u32 n = 0, in;

	list_for_each_entry(s, &now->sources, node) {
		if (!ip_group_lists(now, s))
			continue;
		old = source_find(g, &s->addr);
		to[n].addr = s->addr;
		to[n].in = true;
		to[n++].left = turned ? 0 : old && old->in ? old->left : repeats;
	}
	in = n;
	for (u32 k = 0; k < g->nr_sources && !turned; k++) {
		bool kept = false;

		old = &g->sources[k];
		for (u32 j = 0; j < in; j++)
			kept |= ip_addr_eq(&to[j].addr, &old->addr);
		if (kept || (!old->in && !old->left))
			continue;
		to[n].addr = old->addr;
		to[n].in = false;
		to[n++].left = old->in ? repeats : old->left;
	}
	return n;
}

static void change_soon(struct listener_proto *lp, struct listener_if *i)
{
	u64 now = ktime_get(), earliest = i->changed_at + CHANGE_GAP_NS;

	i->change_due = i->changed_at && earliest > now ? earliest : now;
	listener_wake_at(lp, i->change_due);
}

/* Versions 1 and 2 know no filters: members or none. */
static void tell_simply(struct listener_proto *lp, struct listener_group *g, bool was_member)
{
	for (u32 k = 0; k < g->nr_sources; k++)
		g->sources[k].left = 0;
	g->mode_left = 0;
	if (g->member == was_member)
		return;
	g->simple_left = g->member ? SIMPLE_REPORTS : 0;
	g->due = ktime_get();
	listener_wake_at(lp, g->due);
}

static void group_changed(struct listener_proto *lp, struct listener_if *i,
			  struct listener_group *g, const struct ip_group *now,
			  struct listener_source *sources)
{
	bool turned = ip_group_mode(now) != g->mode, was_member = g->member;
	u8 repeats = robustness(lp, i);

	g->nr_sources = merge_sources(g, now, turned, repeats, sources);
	kfree(g->sources);
	g->sources = sources;
	g->mode = ip_group_mode(now);
	g->member = now->users;
	if (turned)
		g->mode_left = repeats;
	if (i->version < 3)
		tell_simply(lp, g, was_member);
	else
		change_soon(lp, i);
}

/* Makes room at the cost of one that is only being taken leave of. */
static struct listener_group *group_new(struct listener_if *i, const struct ip_addr *addr)
{
	struct listener_group *g;

	if (i->nr_groups >= GROUPS_MAX) {
		list_for_each_entry(g, &i->groups, node) {
			if (!g->member)
				break;
		}
		if (list_node_of(g, node) == &i->groups)
			return NULL;
		listener_group_free(i, g);
	}
	g = kzalloc(sizeof(*g));
	if (!g)
		return NULL;
	g->addr = *addr;
	g->mode = MCAST_INCLUDE;
	list_add_tail(&g->node, &i->groups);
	i->nr_groups++;
	return g;
}

/* Without memory routers do not hear of it, until they ask. */
void listener_group_event(struct listener_proto *lp, struct netif *nif, struct ip_group *now)
{
	struct listener_source *sources;
	u32 room = now->nr_sources;
	struct listener_group *g;
	struct listener_if *i;

	if (lp->silent(&now->group))
		return;
	spin_lock(&lp->lock);
	i = listener_if_find(lp, nif->index);
	/* an older querier may have gone meanwhile: what was pending is forgotten now, not later */
	if (i)
		listener_version(lp, i);
	g = i ? listener_group_find(i, &now->group) : NULL;
	if (i && !g && now->users)
		g = group_new(i, &now->group);
	if (g) {
		room += g->nr_sources;
		sources = room ? kcalloc(room, sizeof(*sources)) : NULL;
		if (sources || !room)
			group_changed(lp, i, g, now, sources);
		else
			g->member = now->users;
	}
	spin_unlock(&lp->lock);
}
EXPORT(listener_group_event);

void listener_tell_all(struct listener_proto *lp, struct netif *nif)
{
	struct listener_group *g;
	struct listener_if *i;
	bool simple;

	spin_lock(&lp->lock);
	i = listener_if_find(lp, nif->index);
	if (!i)
		goto out;
	simple = listener_version(lp, i) < 3;
	forget_pending(i);
	list_for_each_entry(g, &i->groups, node) {
		if (simple) {
			tell_simply(lp, g, false);
			continue;
		}
		if (g->mode == MCAST_EXCLUDE)
			g->mode_left = robustness(lp, i);
		for (u32 k = 0; k < g->nr_sources && g->mode == MCAST_INCLUDE; k++)
			g->sources[k].left = robustness(lp, i);
	}
	if (!simple && i->nr_groups)
		change_soon(lp, i);
out:
	spin_unlock(&lp->lock);
}
EXPORT(listener_tell_all);

/* ---- queries ---- */

u32 listener_decode(u8 code)
{
	return code < 128 ? code : ((code & 15) | 16u) << ((code >> 4 & 7) + 3);
}
EXPORT(listener_decode);

static void older_querier(struct listener_proto *lp, struct listener_if *i,
			  const struct listener_query *q)
{
	/* RFC 9776 8.12, RFC 9777 9.12 */
	u64 until = ktime_get() + (u64)robustness(lp, i) * i->query_interval_s * NSEC_PER_SEC +
		    q->response_ms * NSEC_PER_MSEC;

	if (q->version == 1)
		i->v1_until = until;
	else if (q->version == 2)
		i->v2_until = until;
}

/* When to answer what may take so long. */
static u64 answer_at(const struct listener_if *i, u32 response_ms)
{
	u64 due = ktime_get() + listener_random(response_ms);

	return i->answered_at ? max(due, i->answered_at + ANSWER_GAP_NS) : due;
}

static u64 sooner(u64 pending, u64 due)
{
	return pending && pending < due ? pending : due;
}

/* RFC 9776 5.2, RFC 9777 6.2, rules 3 to 5. */
static void asked_of_group(const struct listener_proto *lp, struct listener_group *g,
			   const struct listener_query *q, u64 due)
{
	bool pending = g->due;

	if (!q->nr_sources || (pending && !g->nr_asked) ||
	    g->nr_asked + q->nr_sources > LISTENER_ASKED_MAX) {
		g->nr_asked = 0; /* of all of it */
	} else {
		for (u32 k = 0; k < q->nr_sources; k++) {
			struct ip_addr *to = &g->asked[g->nr_asked++];

			*to = ip_addr_any(lp->af);
			memcpy(to->b + 16 - lp->addr_len, q->sources + k * lp->addr_len,
			       lp->addr_len);
		}
	}
	g->due = sooner(g->due, due);
}

static void query_v3(struct listener_proto *lp, struct listener_if *i,
		     const struct listener_query *q)
{
	u64 due = answer_at(i, q->response_ms);
	struct listener_group *g;

	if (q->robustness)
		i->robustness = q->robustness;
	if (q->version == 3 && q->interval_s)
		i->query_interval_s = q->interval_s;
	/* rule 1: an answer to everything is on its way sooner */
	if (i->general_due && i->general_due < due)
		return;
	if (q->general) {
		if (!i->nr_groups)
			return;
		i->general_due = due;
		listener_wake_at(lp, due);
		return;
	}
	g = listener_group_find(i, &q->group);
	if (!g || !g->member)
		return;
	asked_of_group(lp, g, q, due);
	listener_wake_at(lp, g->due);
}

/* RFC 2236 3, RFC 2710 4: each group has a moment of its own, so that others may speak first. */
static void query_simple(struct listener_proto *lp, struct listener_if *i,
			 const struct listener_query *q)
{
	struct listener_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (!g->member || (!q->general && !ip_addr_eq(&g->addr, &q->group)))
			continue;
		g->due = sooner(g->due, answer_at(i, q->response_ms));
		listener_wake_at(lp, g->due);
	}
}

void listener_query(struct listener_proto *lp, u32 ifindex, const struct listener_query *q)
{
	struct listener_if *i;

	spin_lock(&lp->lock);
	i = listener_if_find(lp, ifindex);
	if (i) {
		older_querier(lp, i, q);
		if (listener_version(lp, i) == 3)
			query_v3(lp, i, q);
		else
			query_simple(lp, i, q);
	}
	spin_unlock(&lp->lock);
}
EXPORT(listener_query);

void listener_heard_report(struct listener_proto *lp, u32 ifindex, const struct ip_addr *group)
{
	struct listener_group *g;
	struct listener_if *i;

	spin_lock(&lp->lock);
	i = listener_if_find(lp, ifindex);
	g = i && listener_version(lp, i) < 3 ? listener_group_find(i, group) : NULL;
	if (g && g->member) {
		g->due = 0;
		g->simple_left = 0;
		g->reporter = false;
	}
	spin_unlock(&lp->lock);
}
EXPORT(listener_heard_report);

/* ---- interfaces; netif_lock held ---- */

/* Without memory the interface has no listener; nothing else misses it. */
static void if_add(struct listener_proto *lp, struct netif *nif)
{
	struct listener_if *i = kzalloc(lp->if_size);
	struct ip_group *g;

	if (!i)
		return;
	i->ifindex = nif->index;
	i->version = 3;
	i->query_interval_s = QUERY_INTERVAL_S;
	list_init(&i->groups);
	for (u32 k = 0; k < lp->nr_own; k++)
		i->own_joined[k] = ip_group_join(nif, &lp->own[k]) == 0;
	if (lp->if_event)
		lp->if_event(i, nif, NETIF_COMING);
	spin_lock(&lp->lock);
	list_add_tail(&i->node, &lp->interfaces);
	spin_unlock(&lp->lock);
	list_for_each_entry(g, &nif->groups, node) {
		if (ip_addr_family(&g->group) == lp->af)
			listener_group_event(lp, nif, g);
	}
}

static void if_remove(struct listener_proto *lp, struct netif *nif, struct listener_if *i)
{
	spin_lock(&lp->lock);
	list_del(&i->node);
	spin_unlock(&lp->lock);
	while (!list_empty(&i->groups))
		listener_group_free(i, list_first_entry(&i->groups, struct listener_group, node));
	if (lp->if_event)
		lp->if_event(i, nif, NETIF_GONE);
	for (u32 k = 0; k < lp->nr_own; k++) {
		if (i->own_joined[k])
			ip_group_leave(nif, &lp->own[k]);
	}
	kfree(i);
}

/* The protocol goes: routers hear once that nothing is listened to any more. */
static void farewell(struct listener_proto *lp, struct netif *nif, struct listener_if *i)
{
	struct listener_out out = { .lp = lp, .nif = nif };
	u64 now = ktime_get();
	struct listener_group *g;

	if (!netif_present(nif) || !netif_running(nif) || (nif->flags & IFF_LOOPBACK))
		return;
	list_init(&out.packets);
	spin_lock(&lp->lock);
	listener_version(lp, i);
	i->general_due = 0;
	i->change_due = now;
	list_for_each_entry(g, &i->groups, node) {
		g->member = false;
		g->mode = MCAST_INCLUDE;
		g->mode_left = 1;
		g->nr_sources = 0;
		g->due = i->version < 3 ? now : 0;
	}
	listener_report_due(i, &out, now);
	spin_unlock(&lp->lock);
	listener_send(&out);
}

static void nif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct listener_proto *lp = container_of(w, struct listener_proto, watcher);
	struct listener_if *i = listener_if_find(lp, nif->index);

	switch (ev) {
	case NETIF_COMING:
		if_add(lp, nif);
		break;
	case NETIF_UP:
	case NETIF_LINK:
		if (i && netif_running(nif))
			listener_tell_all(lp, nif);
		break;
	case NETIF_RENAMED:
		if (i && lp->if_event)
			lp->if_event(i, nif, ev);
		break;
	case NETIF_GONE:
		if (i)
			if_remove(lp, nif, i);
		break;
	default:
		break;
	}
}

/* ---- the work ---- */

static void report(struct listener_proto *lp, struct listener_if *i)
{
	struct listener_out out = { .lp = lp, .nif = netif_by_index(i->ifindex) };

	list_init(&out.packets);
	spin_lock(&lp->lock);
	listener_version(lp, i);
	if (out.nif && netif_running(out.nif) && !(out.nif->flags & IFF_LOOPBACK))
		listener_report_due(i, &out, ktime_get());
	else
		forget_pending(i);
	spin_unlock(&lp->lock);
	listener_send(&out);
}

static void step(struct work *w)
{
	struct listener_proto *lp = container_of(w, struct listener_proto, work);
	struct listener_if *i;
	u64 due;

	spin_lock(&lp->lock);
	lp->work_due = 0;
	spin_unlock(&lp->lock);
	netif_lock();
	list_for_each_entry(i, &lp->interfaces, node)
		report(lp, i);
	spin_lock(&lp->lock);
	list_for_each_entry(i, &lp->interfaces, node) {
		due = listener_next_due(i);
		if (due)
			listener_wake_at(lp, due);
	}
	spin_unlock(&lp->lock);
	netif_unlock();
}

/* ---- life ---- */

void listener_register_owner(struct listener_proto *lp, struct module *owner)
{
	lp->work_due = 0;
	work_init(&lp->work, step);
	lp->watcher = (struct netif_watcher){ .name = lp->name, .event = nif_event };
	netif_watch_owner(&lp->watcher, owner);
}
EXPORT(listener_register_owner);

void listener_unregister(struct listener_proto *lp)
{
	struct listener_if *i;
	struct netif *nif;

	netif_unwatch(&lp->watcher);
	netif_lock();
	netif_for_each(nif) {
		i = listener_if_find(lp, nif->index);
		if (!i)
			continue;
		farewell(lp, nif, i);
		if_remove(lp, nif, i);
	}
	netif_unlock();
	work_cancel_sync(&lp->work);
}
EXPORT(listener_unregister);
