/* SPDX-License-Identifier: MIT */
/* igmp.c - IGMP's state: interfaces come and go, members' wishes change, and one piece of work says
 * what is due. Every change is told at once and again after random moments, as often as the
 * robustness variable says (RFC 9776 5.1). The NIC's filter is the IP core's business. */
#include "igmp.h"

#include <weft/random.h>
#include <weft/string.h>
#include <weft/work.h>

#define GROUPS_MAX 1024 /* an interface; those that are being left count too */
#define QUERY_INTERVAL_S 125
/* programs that join and leave in a loop are told about together */
#define CHANGE_GAP_NS (100 * NSEC_PER_MSEC)
#define SIMPLE_REPORTS 2 /* RFC 2236 3: one more than the first */

struct spinlock igmp_lock = SPINLOCK_INIT;
int igmp_robustness = 2;

static LIST_HEAD(interfaces); /* guarded by igmp_lock, changed under netif_lock too */
static struct work work;
static u64 work_due; /* guarded by igmp_lock; 0: not scheduled */
static int force_all;

u64 igmp_random_ms(u32 ms)
{
	return random_below(ms + 1) * NSEC_PER_MSEC;
}

struct igmp_if *igmp_if_find(u32 ifindex)
{
	struct igmp_if *i;

	list_for_each_entry(i, &interfaces, node) {
		if (i->ifindex == ifindex)
			return i;
	}
	return NULL;
}

struct igmp_group *igmp_group_find(struct igmp_if *i, u32 addr)
{
	struct igmp_group *g;

	list_for_each_entry(g, &i->groups, node) {
		if (g->addr == addr)
			return g;
	}
	return NULL;
}

void igmp_wake_at(u64 due)
{
	if (work_due && work_due <= due)
		return;
	work_due = due;
	work_schedule_at(&work, due);
}

void igmp_group_free(struct igmp_if *i, struct igmp_group *g)
{
	list_del(&g->node);
	i->nr_groups--;
	kfree(g->sources);
	kfree(g);
}

/* ---- versions ---- */

static void forget_pending(struct igmp_if *i)
{
	struct igmp_group *g, *next;

	i->general_due = i->change_due = 0;
	list_for_each_entry_safe(g, next, &i->groups, node) {
		if (!g->member) {
			igmp_group_free(i, g);
			continue;
		}
		g->mode_left = g->simple_left = 0;
		g->due = 0;
		g->nr_asked = 0;
		for (u32 k = 0; k < g->nr_sources; k++)
			g->sources[k].left = 0;
	}
}

static u8 wanted_version(const struct igmp_if *i)
{
	int forced = READ_ONCE(force_all) ? READ_ONCE(force_all) : READ_ONCE(i->force_version);
	u64 now = ktime_get();

	if (forced)
		return forced;
	return now < i->v1_until ? 1 : now < i->v2_until ? 2 : 3;
}

u8 igmp_version(struct igmp_if *i)
{
	u8 version = wanted_version(i);

	if (version != i->version) {
		i->version = version;
		forget_pending(i);
	}
	return version;
}

/* ---- what members want has changed ---- */

static u8 robustness(const struct igmp_if *i)
{
	return i->robustness ? i->robustness : READ_ONCE(igmp_robustness);
}

static const struct igmp_source *source_find(const struct igmp_group *g, u32 addr)
{
	for (u32 k = 0; k < g->nr_sources; k++) {
		if (g->sources[k].addr == addr)
			return &g->sources[k];
	}
	return NULL;
}

/* The sources of the merged filter, then those that it has lost. A turned mode is told with the
 * whole list, so what was pending of single sources is history. */
static u32 merge_sources(const struct igmp_group *g, const struct ip_group *now, bool turned,
			 u8 repeats, struct igmp_source *to)
{
	const struct igmp_source *old;
	const struct ip_source *s;
	u32 n = 0, in;

	list_for_each_entry(s, &now->sources, node) {
		u32 addr = ip_addr_to_v4(&s->addr);

		if (!ip_group_lists(now, s))
			continue;
		old = source_find(g, addr);
		to[n].addr = addr;
		to[n].in = true;
		to[n++].left = turned ? 0 : old && old->in ? old->left : repeats;
	}
	in = n;
	for (u32 k = 0; k < g->nr_sources && !turned; k++) {
		bool kept = false;

		old = &g->sources[k];
		for (u32 j = 0; j < in; j++)
			kept |= to[j].addr == old->addr;
		if (kept || (!old->in && !old->left))
			continue;
		to[n].addr = old->addr;
		to[n].in = false;
		to[n++].left = old->in ? repeats : old->left;
	}
	return n;
}

static void change_soon(struct igmp_if *i)
{
	u64 now = ktime_get(), earliest = i->changed_at + CHANGE_GAP_NS;

	i->change_due = i->changed_at && earliest > now ? earliest : now;
	igmp_wake_at(i->change_due);
}

/* Versions 1 and 2 know no filters: members or none. */
static void tell_simply(struct igmp_if *i, struct igmp_group *g, bool was_member)
{
	for (u32 k = 0; k < g->nr_sources; k++)
		g->sources[k].left = 0;
	g->mode_left = 0;
	if (g->member == was_member)
		return;
	g->simple_left = g->member ? SIMPLE_REPORTS : 0;
	g->due = ktime_get();
	igmp_wake_at(g->due);
}

static void group_changed(struct igmp_if *i, struct igmp_group *g, const struct ip_group *now,
			  struct igmp_source *sources)
{
	bool turned = ip_group_mode(now) != g->mode, was_member = g->member;

	g->nr_sources = merge_sources(g, now, turned, robustness(i), sources);
	kfree(g->sources);
	g->sources = sources;
	g->mode = ip_group_mode(now);
	g->member = now->users;
	if (turned)
		g->mode_left = robustness(i);
	if (igmp_version(i) < 3)
		tell_simply(i, g, was_member);
	else
		change_soon(i);
}

/* Makes room at the cost of one that is only being taken leave of. */
static struct igmp_group *group_new(struct igmp_if *i, u32 addr)
{
	struct igmp_group *g;

	if (i->nr_groups >= GROUPS_MAX) {
		list_for_each_entry(g, &i->groups, node) {
			if (!g->member)
				break;
		}
		if (list_node_of(g, node) == &i->groups)
			return NULL;
		igmp_group_free(i, g);
	}
	g = kzalloc(sizeof(*g));
	if (!g)
		return NULL;
	g->addr = addr;
	g->mode = MCAST_INCLUDE;
	list_add_tail(&g->node, &i->groups);
	i->nr_groups++;
	return g;
}

/* netif_lock held. Without memory routers do not hear of it, until they ask. */
void igmp_group_event(struct netif *nif, struct ip_group *now)
{
	u32 addr = ip_addr_to_v4(&now->group), room = now->nr_sources;
	struct igmp_source *sources;
	struct igmp_group *g;
	struct igmp_if *i;

	if (addr == IGMP_ALL_HOSTS) /* RFC 2236 6: never reported */
		return;
	spin_lock(&igmp_lock);
	i = igmp_if_find(nif->index);
	g = i ? igmp_group_find(i, addr) : NULL;
	if (i && !g && now->users)
		g = group_new(i, addr);
	if (g) {
		room += g->nr_sources;
		sources = room ? kcalloc(room, sizeof(*sources)) : NULL;
		if (sources || !room)
			group_changed(i, g, now, sources);
		else
			g->member = now->users;
	}
	spin_unlock(&igmp_lock);
}

/* The link is up: whoever routes on it knows nothing yet. */
static void tell_all(struct igmp_if *i)
{
	struct igmp_group *g;
	bool simple;

	spin_lock(&igmp_lock);
	simple = igmp_version(i) < 3;
	forget_pending(i);
	list_for_each_entry(g, &i->groups, node) {
		if (simple) {
			tell_simply(i, g, false);
			continue;
		}
		if (g->mode == MCAST_EXCLUDE)
			g->mode_left = robustness(i);
		for (u32 k = 0; k < g->nr_sources && g->mode == MCAST_INCLUDE; k++)
			g->sources[k].left = robustness(i);
	}
	if (!simple && i->nr_groups)
		change_soon(i);
	spin_unlock(&igmp_lock);
}

/* ---- interfaces; netif_lock held ---- */

static int force_add(struct igmp_if *i, const struct netif *nif)
{
	snprintf(i->force_path, sizeof(i->force_path), "net/ipv4/conf/%s/force_igmp_version",
		 nif->name);
	i->force = (struct sysctl){ .path = i->force_path, .value = &i->force_version, .max = 3 };
	return sysctl_add(&i->force);
}

/* Without memory the interface has no IGMP; nothing else misses it. */
static void if_add(struct netif *nif)
{
	const struct ip_addr all = ip_addr_v4(IGMP_ALL_HOSTS);
	struct igmp_if *i = kzalloc(sizeof(*i));
	struct ip_group *g;

	if (!i)
		return;
	i->ifindex = nif->index;
	i->version = 3;
	i->query_interval_s = QUERY_INTERVAL_S;
	list_init(&i->groups);
	i->all_hosts = ip_group_join(nif, &all) == 0;
	force_add(i, nif);
	spin_lock(&igmp_lock);
	list_add_tail(&i->node, &interfaces);
	spin_unlock(&igmp_lock);
	list_for_each_entry(g, &nif->groups, node) {
		if (ip_addr_is_v4(&g->group))
			igmp_group_event(nif, g);
	}
}

static void if_remove(struct netif *nif, struct igmp_if *i)
{
	const struct ip_addr all = ip_addr_v4(IGMP_ALL_HOSTS);

	spin_lock(&igmp_lock);
	list_del(&i->node);
	spin_unlock(&igmp_lock);
	while (!list_empty(&i->groups))
		igmp_group_free(i, list_first_entry(&i->groups, struct igmp_group, node));
	sysctl_remove(&i->force);
	if (i->all_hosts)
		ip_group_leave(nif, &all);
	kfree(i);
}

static void nif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct igmp_if *i = igmp_if_find(nif->index);

	switch (ev) {
	case NETIF_COMING:
		if_add(nif);
		break;
	case NETIF_UP:
	case NETIF_LINK:
		if (i && netif_running(nif))
			tell_all(i);
		break;
	case NETIF_RENAMED:
		if (i) {
			sysctl_remove(&i->force);
			force_add(i, nif);
		}
		break;
	case NETIF_GONE:
		if (i)
			if_remove(nif, i);
		break;
	default:
		break;
	}
}

/* ---- the work ---- */

static void report(struct igmp_if *i)
{
	struct igmp_out out = { .nif = netif_by_index(i->ifindex) };

	list_init(&out.packets);
	spin_lock(&igmp_lock);
	igmp_version(i);
	if (out.nif && netif_running(out.nif) && !(out.nif->flags & IFF_LOOPBACK))
		igmp_report_due(i, &out, ktime_get());
	else
		forget_pending(i);
	spin_unlock(&igmp_lock);
	igmp_send(&out);
}

static void step(struct work *w)
{
	struct igmp_if *i;
	u64 due;

	spin_lock(&igmp_lock);
	work_due = 0;
	spin_unlock(&igmp_lock);
	netif_lock();
	list_for_each_entry(i, &interfaces, node)
		report(i);
	spin_lock(&igmp_lock);
	list_for_each_entry(i, &interfaces, node) {
		due = igmp_next_due(i);
		if (due)
			igmp_wake_at(due);
	}
	spin_unlock(&igmp_lock);
	netif_unlock();
}

/* ---- life ---- */

static struct netif_watcher watcher = { .name = "igmp", .event = nif_event };

static struct ip_proto igmp_proto = {
	.name = "igmp",
	.number = IPPROTO_IGMP,
	.af = AF_INET,
	.flags = IP_PROTO_SILENT,
	.input = igmp_input,
};

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/igmp_qrv", .value = &igmp_robustness, .min = 1, .max = 7 },
	{ .path = "net/ipv4/conf/all/force_igmp_version", .value = &force_all, .max = 3 },
};

static void sysctls_remove(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(sysctls); k++)
		sysctl_remove(&sysctls[k]);
}

int igmp_init(void)
{
	int err = 0;

	work_init(&work, step);
	for (u32 k = 0; k < ARRAY_SIZE(sysctls) && !err; k++)
		err = sysctl_add(&sysctls[k]);
	if (!err)
		err = igmp_show_init();
	if (err)
		goto sysctls;
	err = ip_proto_register(&igmp_proto);
	if (err)
		goto show;
	netif_watch(&watcher);
	return 0;
show:
	igmp_show_exit();
sysctls:
	sysctls_remove();
	return err;
}

void igmp_exit(void)
{
	struct igmp_if *i;
	struct netif *nif;

	netif_unwatch(&watcher);
	ip_proto_unregister(&igmp_proto);
	netif_lock();
	netif_for_each(nif) {
		i = igmp_if_find(nif->index);
		if (i)
			if_remove(nif, i);
	}
	netif_unlock();
	work_cancel_sync(&work);
	igmp_show_exit();
	sysctls_remove();
}
