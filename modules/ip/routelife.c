/* SPDX-License-Identifier: MIT */
/* routelife.c - routes that end by themselves, whoever gave them their time: a user or a router's
 * advertisement. One timer for all of them; a round looks at each. */
#include "ip.h"

static struct work work;
static u64 next; /* when the work runs, 0: not; netif_lock */

void route_age(const struct route *r)
{
	if (!r->expires || (next && next <= r->expires))
		return;
	next = r->expires;
	work_schedule_at(&work, next);
}

static bool is_over(const struct route *r, const void *now)
{
	if (r->expires && r->expires <= *(const u64 *)now)
		return true;
	route_age(r);
	return false;
}

static void expire(struct work *w)
{
	u64 now = ktime_get();

	netif_lock();
	next = 0;
	route_purge(AF_INET, is_over, &now);
	route_purge(AF_INET6, is_over, &now);
	netif_unlock();
}

void routelife_init(void)
{
	work_init(&work, expire);
}

void routelife_exit(void)
{
	work_cancel_sync(&work);
}
