/* SPDX-License-Identifier: MIT */
/* temp.c - temporary addresses (RFC 8981): beside the stable address of each prefix one with a
 * random identifier, replaced before it is deprecated. They never outlive what the router said of
 * the prefix, nor the interface's own limits. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/printk.h>
#include <weft/random.h>

#define IID_LEN 64

/* Lives as long as its address. Guarded by netif_lock. */
struct temp {
	struct list_head node;
	struct ip_addr addr;
	u32 desync; /* seconds, RFC 8981 3.8 DESYNC_FACTOR */
	u8 tries;   /* addresses before it that were duplicates */
	u64 created;
	u64 regen_at; /* when its successor is to be made, 0: there is one, or was */
};

static struct temp *find(struct ipv6_if *i, const struct ip_addr *addr)
{
	struct temp *t;

	list_for_each_entry(t, &i->temps, node) {
		if (ip_addr_eq(&t->addr, addr))
			return t;
	}
	return NULL;
}

/* RFC 8981 3.8: REGEN_ADVANCE, in seconds: as long as finding an unused one may take. */
static u32 regen_advance(const struct ipv6_if *i)
{
	u32 retrans = i->ra_retrans_ms > 0 ? i->ra_retrans_ms : 1000;

	return i->conf.regen_min_advance +
	       (u32)i->conf.regen_max_retry * i->conf.dad_transmits * retrans / 1000;
}

/* The setting less the address's age, at least 0. */
static u32 limit(u32 setting, u32 less, u32 age)
{
	return setting > less + (u64)age ? setting - less - age : 0;
}

static void set_regen(struct ipv6_if *i, struct temp *t, u32 preferred, u64 now)
{
	u32 advance = regen_advance(i);

	t->regen_at = now + (preferred > advance ? preferred - advance : 0) * NSEC_PER_SEC;
	ipv6_tick_at(t->regen_at);
}

/* RFC 8981 3.4 */
static void make(struct ipv6_if *i, const struct ip_addr *stable, u32 preferred, u32 valid,
		 u8 tries)
{
	u32 most = min((u32)i->conf.max_desync_factor, (u32)i->conf.temp_prefered_lft * 2 / 5);
	struct temp *t;

	if (i->conf.use_tempaddr <= 0 || !slaac_room(i))
		return;
	t = kzalloc(sizeof(*t));
	if (!t)
		return;
	t->desync = most ? random_below(most + 1) : 0;
	t->tries = tries;
	t->created = ktime_get();
	valid = min(valid, (u32)i->conf.temp_valid_lft);
	preferred = min(min(preferred, valid), limit(i->conf.temp_prefered_lft, t->desync, 0));
	t->addr = ip_addr_prefix(stable, IID_LEN);
	slaac_random_iid(t->addr.b + 8);
	/* step 4: not one that would be replaced at once */
	if (preferred <= regen_advance(i) || ifaddr_find(NULL, &t->addr)) {
		kfree(t);
		return;
	}
	list_add_tail(&t->node, &i->temps);
	set_regen(i, t, preferred, t->created);
	if (ipv6_addr_set(i->nif, &t->addr, IID_LEN,
			  IFADDR_AUTOCONF | IFADDR_TEMPORARY | IFADDR_NOPREFIXROUTE, preferred,
			  valid)) {
		list_del(&t->node);
		kfree(t);
	}
}

/* RFC 8981 3.4, on lifetimes of those there are: as advertised, but bounded from their birth. */
static void refresh(struct ipv6_if *i, struct temp *t, u32 preferred, u32 valid)
{
	u64 now = ktime_get();
	u32 age = (now - t->created) / NSEC_PER_SEC;

	valid = min(valid, limit(i->conf.temp_valid_lft, 0, age));
	preferred = min(min(preferred, valid), limit(i->conf.temp_prefered_lft, t->desync, age));
	if (t->regen_at)
		set_regen(i, t, preferred, now);
	ipv6_addr_set(i->nif, &t->addr, IID_LEN, 0, preferred, valid);
}

void temp_refresh(struct ipv6_if *i, const struct ifaddr *stable, u32 preferred, u32 valid)
{
	struct ip_addr addr = stable->addr;
	struct temp *t, *next;
	bool current = false;

	/* refreshing one may end it: then only that entry goes */
	list_for_each_entry_safe(t, next, &i->temps, node) {
		if (!ip_addr_in_prefix(&t->addr, &addr, IID_LEN))
			continue;
		current |= t->regen_at;
		refresh(i, t, preferred, valid);
	}
	if (!current)
		make(i, &addr, preferred, valid, 0);
}

u64 temp_tick(struct ipv6_if *i, u64 now)
{
	struct temp *t;
	u64 next = 0;

	list_for_each_entry(t, &i->temps, node) {
		const struct ifaddr *stable;

		if (t->regen_at > now) {
			next = ipv6_sooner(next, t->regen_at);
			continue;
		}
		if (!t->regen_at)
			continue;
		t->regen_at = 0;
		stable = slaac_find(i->nif, &t->addr);
		/* the new one goes to the list's end, with its own time */
		if (stable)
			make(i, &stable->addr, ipv6_seconds_left(stable->preferred_until, now),
			     ipv6_seconds_left(stable->valid_until, now), 0);
	}
	return next;
}

/* RFC 8981 3.4 step 7 */
void temp_duplicate(struct ipv6_if *i, const struct ifaddr *a)
{
	const struct temp *t = find(i, &a->addr);
	u8 tries = t ? t->tries + 1 : 1;
	const struct ifaddr *stable = slaac_find(i->nif, &a->addr);
	u64 now = ktime_get();

	ifaddr_del((struct ifaddr *)a);
	if (tries >= i->conf.regen_max_retry) {
		pr_warn("%s: no temporary addresses: all that were tried are in use\n",
			i->nif->name);
		i->conf.use_tempaddr = -1;
	} else if (stable) {
		make(i, &stable->addr, ipv6_seconds_left(stable->preferred_until, now),
		     ipv6_seconds_left(stable->valid_until, now), tries);
	}
}

void temp_gone(struct ipv6_if *i, const struct ifaddr *a)
{
	struct temp *t = find(i, &a->addr);

	if (!t)
		return;
	list_del(&t->node);
	kfree(t);
}
