/* SPDX-License-Identifier: MIT */
/* addrlife.c - addresses age: after its preferred lifetime an address is deprecated, after its
 * valid one it goes (RFC 4862 5.5.4). One timer for all addresses of all families; a round looks at
 * each. */
#include "ip.h"

static struct work work;
static u64 next; /* when the work runs, 0: not; netif_lock */

static void expire_at(u64 when)
{
	if (!when || (next && next <= when))
		return;
	next = when;
	work_schedule_at(&work, when);
}

/* Its next step in time, 0: none. */
static u64 due(const struct ifaddr *a)
{
	u64 pref = a->flags & IFADDR_DEPRECATED ? 0 : a->preferred_until;

	return pref && (!a->valid_until || pref < a->valid_until) ? pref : a->valid_until;
}

void ifaddr_age(const struct ifaddr *a)
{
	expire_at(due(a));
}

/* One step of one address of nif whose time has come; false: none is left. What hears of it may
 * take other addresses away. */
static bool age_one(struct netif *nif, u64 now)
{
	struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		u64 when = due(a);

		if (!when || when > now) {
			expire_at(when);
			continue;
		}
		if (a->valid_until && a->valid_until <= now)
			ifaddr_del(a);
		else
			ifaddr_change(a, a->flags, a->preferred_until, a->valid_until);
		return true;
	}
	return false;
}

static void expire(struct work *w)
{
	struct netif *nif;

	netif_lock();
	next = 0;
	netif_for_each(nif) {
		while (age_one(nif, ktime_get()))
			;
	}
	netif_unlock();
}

int ifaddr_init(void)
{
	work_init(&work, expire);
	return 0;
}

void ifaddr_exit(void)
{
	work_cancel_sync(&work);
}
