/* SPDX-License-Identifier: MIT */
/* pkt_show.c - the packet pools' window (/proc/net/weft/pkt), their limits under
 * /proc/sys/net/core, and in the debug build who allocated what is still alive. */
#define LOG_NAME "pkt: "
#include <core/module.h>
#include <core/net.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/spinlock.h>
#include <weft/string.h>

#include "pkt_internal.h"

static const char *const pool_names[] = { "rx", "tx", "control", "local" };
static int limit_kb[PKT_NR_POOLS];

#ifdef WEFT_DEBUG
#define POISON 0x6b
#define SITES_SHOWN 16

static struct spinlock alive_lock = SPINLOCK_INIT;
static LIST_HEAD(alive);

void pkt_debug_alloc(struct pkt *p, const void *site)
{
	p->debug_site = site;
	spin_lock(&alive_lock);
	list_add_tail(&p->debug_node, &alive);
	spin_unlock(&alive_lock);
}

void pkt_debug_free(struct pkt *p)
{
	pkt_debug_check(p);
	spin_lock(&alive_lock);
	list_del(&p->debug_node);
	spin_unlock(&alive_lock);
	p->debug_site = NULL;
	p->data = NULL;
	p->len = 0;
	/* a lent buffer may be the device's again already, a clone's is another's */
	if (p->owner->free == NULL && p->owner != &pkt_clone_owner)
		memset(p->head, POISON, p->end - p->head);
}

void pkt_debug_check(const struct pkt *p)
{
	if (unlikely(!p->debug_site || refcount_read(&p->refs) < 0))
		panic("packet %p freed twice", (const void *)p);
}

/* How many living packets each place allocated. */
static void show_sites(struct seq *s)
{
	struct {
		const void *site;
		u32 n;
	} sites[SITES_SHOWN];
	const struct pkt *p;
	char name[96];
	u32 i, nr = 0;

	spin_lock(&alive_lock);
	list_for_each_entry(p, &alive, debug_node) {
		for (i = 0; i < nr && sites[i].site != p->debug_site; i++)
			;
		if (i == nr && nr < SITES_SHOWN) {
			sites[nr].site = p->debug_site;
			sites[nr++].n = 0;
		}
		if (i < nr)
			sites[i].n++;
	}
	spin_unlock(&alive_lock);
	for (i = 0; i < nr; i++) {
		symbol_name((u64)sites[i].site, name, sizeof(name));
		seq_printf(s, "site %u %s\n", sites[i].n, name);
	}
}
#else
static void show_sites(struct seq *s)
{
	(void)s;
}
#endif

static int pkt_show(struct seq *s)
{
	struct pkt_stats st;
	u32 i;

	pkt_stats_get(&st);
	seq_printf(s, "alive %llu\nbytes %llu\n", (unsigned long long)st.alive,
		   (unsigned long long)st.bytes);
	for (i = 0; i < ARRAY_SIZE(pool_names); i++)
		seq_printf(s, "%s limit %llu used %llu failed %llu\n", pool_names[i],
			   (unsigned long long)st.limit[i], (unsigned long long)st.used[i],
			   (unsigned long long)st.failed[i]);
	show_sites(s);
	return 0;
}

static struct procfile pkt_file = {
	.path = "net/weft/pkt",
	.mode = 0444,
	.show = pkt_show,
};

static void limit_changed(struct sysctl *s)
{
	pkt_limit_set(s->value - limit_kb, (s64)*s->value * 1024);
}

static struct sysctl limits[] = {
	{ .path = "net/core/pkt_rx_kb", .value = &limit_kb[0] },
	{ .path = "net/core/pkt_tx_kb", .value = &limit_kb[1] },
	{ .path = "net/core/pkt_control_kb", .value = &limit_kb[2] },
	{ .path = "net/core/pkt_local_kb", .value = &limit_kb[3] },
};

void pkt_show_init(void)
{
	struct pkt_stats st;
	u32 i;

	pkt_stats_get(&st);
	procfile_add(&pkt_file);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		limit_kb[i] = st.limit[i] / 1024;
		limits[i].min = 64;
		limits[i].max = 1 << 30;
		limits[i].changed = limit_changed;
		sysctl_add(&limits[i]);
	}
}
