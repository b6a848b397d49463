/* SPDX-License-Identifier: MIT */
/* mld_show.c - /proc/net/igmp6 and mcfilter6, as Linux prints them. */
#include "mld.h"

#include <weft/bytes.h>

#define TICK_NS (NSEC_PER_SEC / 100) /* USER_HZ */

/* What Linux's flags of a group say. */
#define FLAG_TIMER 1
#define FLAG_LAST_REPORTER 2
#define FLAG_LOADED 4
#define FLAG_NO_REPORT 8

static void put_addr(struct seq *s, const struct ip_addr *a)
{
	seq_printf(s, "%08x%08x%08x%08x", get_be32(a->b), get_be32(a->b + 4), get_be32(a->b + 8),
		   get_be32(a->b + 12));
}

/* netif_lock held. */
static void show_group(struct seq *s, const struct netif *nif, const struct ip_group *now)
{
	u32 flags = mld_is_silent(&now->group) ? FLAG_NO_REPORT : 0;
	u64 due = 0, ticks = 0, time;
	struct listener_group *g;
	struct listener_if *i;

	if ((now->group.b[1] & 15) > IPV6_SCOPE_INTERFACE)
		flags |= FLAG_LOADED;
	spin_lock(&mld_listener.lock);
	i = listener_if_find(&mld_listener, nif->index);
	g = i ? listener_group_find(i, &now->group) : NULL;
	if (g) {
		due = g->due;
		flags |= (due ? FLAG_TIMER : 0) | (g->reporter ? FLAG_LAST_REPORTER : 0);
	}
	spin_unlock(&mld_listener.lock);
	time = ktime_get();
	if (due > time)
		ticks = (due - time) / TICK_NS;
	seq_printf(s, "%-4u %-15s ", nif->index, nif->name);
	put_addr(s, &now->group);
	seq_printf(s, " %5u %08X %lu\n", now->users, flags, ticks);
}

static int show_igmp6(struct seq *s)
{
	const struct ip_group *g;
	struct netif *nif;

	netif_lock();
	netif_for_each(nif) {
		list_for_each_entry(g, &nif->groups, node) {
			if (!ip_addr_is_v4(&g->group))
				show_group(s, nif, g);
		}
	}
	netif_unlock();
	return 0;
}

static void show_sources(struct seq *s, const struct netif *nif, const struct ip_group *g)
{
	const struct ip_source *src;

	list_for_each_entry(src, &g->sources, node) {
		seq_printf(s, "%3u %6.6s ", nif->index, nif->name);
		put_addr(s, &g->group);
		seq_puts(s, " ");
		put_addr(s, &src->addr);
		seq_printf(s, " %6u %6u\n", src->users[MCAST_INCLUDE], src->users[MCAST_EXCLUDE]);
	}
}

static int show_mcfilter6(struct seq *s)
{
	const struct ip_group *g;
	struct netif *nif;

	seq_printf(s, "Idx Device %32s %32s    INC    EXC\n", "Multicast Address",
		   "Source Address");
	netif_lock();
	netif_for_each(nif) {
		list_for_each_entry(g, &nif->groups, node) {
			if (!ip_addr_is_v4(&g->group))
				show_sources(s, nif, g);
		}
	}
	netif_unlock();
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/igmp6", .mode = 0444, .show = show_igmp6 },
	{ .path = "net/mcfilter6", .mode = 0444, .show = show_mcfilter6 },
};

int mld_show_init(void)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = procfile_add(&files[i]);
	if (err)
		mld_show_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void mld_show_exit(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		procfile_remove(&files[i]);
}
