/* SPDX-License-Identifier: MIT */
/* rs.c - asking for routers: the first time within a second, then ever more rarely, until one
 * answers (RFC 7559, which replaces the three solicitations of RFC 4861 6.3.7). */
#include "ipv6.h"

#include <weft/net/ifaddr.h>
#include <weft/random.h>

/* RFC 7559 2, RFC 8415 15: rt and a tenth of it more or less. */
static u64 around(u64 rt)
{
	u64 tenth = rt / 10;

	return rt - tenth + random_below((u32)(2 * tenth / NSEC_PER_MSEC) + 1) * NSEC_PER_MSEC;
}

void rs_start(struct ipv6_if *i)
{
	u32 delay_ms = i->conf.router_solicitation_delay * 1000;

	if ((i->nif->flags & IFF_LOOPBACK) || !ipv6_accepts_ra(i))
		return;
	i->rs_sent = 0;
	i->rs_interval = 0;
	/* RFC 4861 6.3.7: hosts that start at once do not ask at once */
	i->rs_due = ktime_get() + (delay_ms ? random_below(delay_ms) : 0) * NSEC_PER_MSEC + 1;
	ipv6_tick_at(i->rs_due);
}

void rs_stop(struct ipv6_if *i)
{
	i->rs_due = 0;
}

static void ask(struct ipv6_if *i)
{
	const struct ifaddr *ll = ipv6_link_local(i->nif);
	u8 options[2 + LINK_ADDR_MAX + 8];

	if (!ll)
		return;
	nd_send(i->nif, &ll->addr, &ipv6_all_routers, ND_RS, 0, NULL, options,
		nd_put_ll(i->nif, options, ND_OPT_SOURCE_LL));
}

u64 rs_tick(struct ipv6_if *i, u64 now)
{
	u64 first = i->conf.router_solicitation_interval * NSEC_PER_SEC;
	u64 most = i->conf.router_solicitation_max_interval * NSEC_PER_SEC;
	int times = i->conf.router_solicitations;

	if (!i->rs_due || i->rs_due > now)
		return i->rs_due;
	if ((times >= 0 && i->rs_sent >= (u32)times) || !ipv6_accepts_ra(i)) {
		i->rs_due = 0;
		return 0;
	}
	ask(i);
	i->rs_sent++;
	i->rs_interval = i->rs_interval ? around(2 * i->rs_interval) : around(first);
	if (i->rs_interval > most)
		i->rs_interval = around(most);
	i->rs_due = now + i->rs_interval;
	return i->rs_due;
}
