/* SPDX-License-Identifier: MIT */
/* group.c - the multicast groups of an interface: who of this host is a member, with which filters
 * (RFC 3376 3.2), counted per source so that what all want together can be said at any time. The
 * link's filter and the group protocol of the family hear of changes. */
#include "ip.h"

#define GROUPS_MAX 512	/* an interface */
#define SOURCES_MAX 512 /* a group */

const struct ip_filter ip_filter_any = { .mode = MCAST_EXCLUDE };
EXPORT(ip_filter_any);

struct ip_group *ip_group_find(const struct netif *nif, const struct ip_addr *group)
{
	struct ip_group *g;

	list_for_each_entry(g, &nif->groups, node) {
		if (ip_addr_eq(&g->group, group))
			return g;
	}
	return NULL;
}
EXPORT(ip_group_find);

/* ---- sources ---- */

static struct ip_source *source_find(const struct ip_group *g, const struct ip_addr *addr)
{
	struct ip_source *s;

	list_for_each_entry(s, &g->sources, node) {
		if (ip_addr_eq(&s->addr, addr))
			return s;
	}
	return NULL;
}

/* Forgets those that no filter names. */
static void sources_prune(struct ip_group *g)
{
	struct ip_source *s, *next;

	list_for_each_entry_safe(s, next, &g->sources, node) {
		if (s->users[MCAST_INCLUDE] || s->users[MCAST_EXCLUDE])
			continue;
		list_del(&s->node);
		g->nr_sources--;
		kfree(s);
	}
}

/* All that f names are known from here on, though not counted. */
static int sources_prepare(struct ip_group *g, const struct ip_filter *f)
{
	for (u32 i = 0; i < f->nr; i++) {
		struct ip_source *s;

		if (source_find(g, &f->source[i]))
			continue;
		s = g->nr_sources < SOURCES_MAX ? kzalloc(sizeof(*s)) : NULL;
		if (!s)
			return g->nr_sources < SOURCES_MAX ? -ENOMEM : -ENOBUFS;
		s->addr = f->source[i];
		list_add_tail(&s->node, &g->sources);
		g->nr_sources++;
	}
	return 0;
}

/* A member with this filter more (1) or less (-1). */
static void filter_count(struct ip_group *g, const struct ip_filter *f, int delta)
{
	g->users += delta;
	if (f->mode == MCAST_EXCLUDE)
		g->excluders += delta;
	for (u32 i = 0; i < f->nr; i++)
		source_find(g, &f->source[i])->users[f->mode] += delta;
}

/* ---- groups ---- */

static struct ip_group *group_new(struct netif *nif, const struct ip_addr *group)
{
	u8 hw[LINK_ADDR_MAX];
	struct ip_group *g;
	u32 count = 0;
	int err;

	if (!ip_addr_is_multicast(group))
		return ERR_PTR(-EINVAL);
	if (!netif_present(nif))
		return ERR_PTR(-ENODEV);
	list_for_each_entry(g, &nif->groups, node)
		count++;
	if (count >= GROUPS_MAX)
		return ERR_PTR(-ENOBUFS);
	err = nif->link->multicast(group, hw);
	if (err)
		return ERR_PTR(err);
	g = kzalloc(sizeof(*g));
	if (!g)
		return ERR_PTR(-ENOMEM);
	err = netif_mcast_add(nif, hw);
	if (err) {
		kfree(g);
		return ERR_PTR(err);
	}
	g->group = *group;
	list_init(&g->sources);
	list_add_tail(&g->node, &nif->groups);
	return g;
}

static void group_free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct ip_group, rcu));
}

static void group_drop(struct netif *nif, struct ip_group *g)
{
	u8 hw[LINK_ADDR_MAX];

	list_del_rcu(&g->node);
	if (!nif->link->multicast(&g->group, hw))
		netif_mcast_del(nif, hw);
	call_rcu(&g->rcu, group_free_rcu);
}

int ip_group_change(struct netif *nif, const struct ip_addr *group, const struct ip_filter *from,
		    const struct ip_filter *to)
{
	struct ip_group *g = ip_group_find(nif, group);
	int err;

	if (!g && from)
		return -EADDRNOTAVAIL;
	if (!g)
		g = group_new(nif, group);
	if (IS_ERR(g))
		return PTR_ERR(g);
	err = to ? sources_prepare(g, to) : 0;
	if (!err) {
		if (from)
			filter_count(g, from, -1);
		if (to)
			filter_count(g, to, 1);
	}
	sources_prune(g);
	if (!err)
		ip_family_group_event(nif, g);
	if (!g->users)
		group_drop(nif, g);
	return err;
}
EXPORT(ip_group_change);
