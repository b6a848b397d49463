/* SPDX-License-Identifier: MIT */
/* igmp_show.c - /proc/net/igmp and mcfilter, as Linux prints them. */
#include "igmp.h"

#define TICK_NS (NSEC_PER_SEC / 100) /* USER_HZ */

static u32 count_groups(const struct netif *nif)
{
	const struct ip_group *g;
	u32 n = 0;

	list_for_each_entry(g, &nif->groups, node)
		n += ip_addr_is_v4(&g->group);
	return n;
}

/* netif_lock held. */
static void show_group(struct seq *s, const struct netif *nif, const struct ip_group *now)
{
	struct listener_group *g;
	struct listener_if *i;
	u64 due = 0, ticks = 0, time;
	bool reporter = false;

	spin_lock(&igmp_listener.lock);
	i = listener_if_find(&igmp_listener, nif->index);
	g = i ? listener_group_find(i, &now->group) : NULL;
	if (g) {
		due = g->due;
		reporter = g->reporter;
	}
	spin_unlock(&igmp_listener.lock);
	time = ktime_get();
	if (due > time)
		ticks = (due - time) / TICK_NS;
	seq_printf(s, "\t\t\t\t%08X %5u %d:%08lX\t\t%d\n", now->group.w[3], now->users, due != 0,
		   ticks, reporter);
}

static u8 version_on(const struct netif *nif)
{
	struct listener_if *i;
	u8 version = 3;

	spin_lock(&igmp_listener.lock);
	i = listener_if_find(&igmp_listener, nif->index);
	if (i)
		version = listener_version(&igmp_listener, i);
	spin_unlock(&igmp_listener.lock);
	return version;
}

static int show_igmp(struct seq *s)
{
	const struct ip_group *g;
	struct netif *nif;

	seq_puts(s, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	netif_lock();
	netif_for_each(nif) {
		if (!count_groups(nif))
			continue;
		seq_printf(s, "%u\t%-10s: %5u      V%u\n", nif->index, nif->name, count_groups(nif),
			   version_on(nif));
		list_for_each_entry(g, &nif->groups, node) {
			if (ip_addr_is_v4(&g->group))
				show_group(s, nif, g);
		}
	}
	netif_unlock();
	return 0;
}

static int show_mcfilter(struct seq *s)
{
	const struct ip_source *src;
	const struct ip_group *g;
	struct netif *nif;

	seq_puts(s, "Idx Device        MCA        SRC    INC    EXC\n");
	netif_lock();
	netif_for_each(nif) {
		list_for_each_entry(g, &nif->groups, node) {
			if (!ip_addr_is_v4(&g->group))
				continue;
			list_for_each_entry(src, &g->sources, node)
				seq_printf(s, "%3u %6s 0x%08x 0x%08x %6u %6u\n", nif->index,
					   nif->name, ip_addr_to_v4(&g->group),
					   ip_addr_to_v4(&src->addr), src->users[MCAST_INCLUDE],
					   src->users[MCAST_EXCLUDE]);
		}
	}
	netif_unlock();
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/igmp", .mode = 0444, .show = show_igmp },
	{ .path = "net/mcfilter", .mode = 0444, .show = show_mcfilter },
};

int igmp_show_init(void)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		igmp_show_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void igmp_show_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
}
