/* SPDX-License-Identifier: MIT */
/* proc.c - the module's windows: /proc/net/if_inet6, ipv6_route and rt6_stats as Linux prints them,
 * and /proc/net/weft/ipv6 with what is kept of each interface. */
#include "ipv6.h"

#include <uapi/netlink.h>
#include <weft/net/ifaddr.h>
#include <weft/seqfile.h>

#define PREF_SHIFT 27 /* linux/ipv6_route.h: RTF_PREF */

static void put_addr(struct seq *s, const struct ip_addr *a)
{
	seq_printf(s, "%08x%08x%08x%08x", ntohl(a->w[0]), ntohl(a->w[1]), ntohl(a->w[2]),
		   ntohl(a->w[3]));
}

/* ---- /proc/net/if_inet6 ---- */

/* linux/include/net/ipv6.h's IPV6_ADDR_* of scope */
static u8 scope_of(const struct ip_addr *a)
{
	if (ip_addr_is_loopback(a))
		return 0x10;
	if (ip_addr_is_link_local(a))
		return 0x20;
	return ipv6_scope(a) == IPV6_SCOPE_SITE ? 0x40 : 0;
}

static u8 flags_of(const struct ifaddr *a)
{
	u8 flags = 0;

	if (a->flags & IFADDR_TEMPORARY)
		flags |= IFA_F_TEMPORARY;
	if (a->flags & IFADDR_NODAD)
		flags |= IFA_F_NODAD;
	if (a->flags & IFADDR_OPTIMISTIC)
		flags |= IFA_F_OPTIMISTIC;
	if (a->flags & IFADDR_DADFAILED)
		flags |= IFA_F_DADFAILED;
	if (a->flags & IFADDR_DEPRECATED)
		flags |= IFA_F_DEPRECATED;
	if (a->flags & IFADDR_TENTATIVE)
		flags |= IFA_F_TENTATIVE;
	if (a->flags & IFADDR_PERMANENT)
		flags |= IFA_F_PERMANENT;
	return flags;
}

static int if_inet6_show(struct seq *s)
{
	const struct ifaddr *a;
	struct netif *nif;

	netif_lock();
	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		ifaddr_for_each(a, nif) {
			if (a->af != AF_INET6)
				continue;
			put_addr(s, &a->addr);
			seq_printf(s, " %02x %02x %02x %02x %8s\n", nif->index, a->plen,
				   scope_of(&a->addr), flags_of(a), nif->name);
		}
	}
	netif_unlock();
	return 0;
}

/* ---- /proc/net/ipv6_route ---- */

static u32 route_flags(const struct route *r)
{
	u32 flags = r->flags | (u32)(r->preference & 3) << PREF_SHIFT;

	if (r->type == ROUTE_LOCAL)
		flags |= RTF_LOCAL | RTF_NONEXTHOP;
	if (r->type == ROUTE_REJECT || r->type == ROUTE_BLACKHOLE)
		return RTF_REJECT | RTF_NONEXTHOP;
	/* Linux tells hosts by the prefix length, and has no such flag for them */
	return r->kernel ? flags & ~(u32)RTF_HOST : flags;
}

static void show_route(const struct route *r, void *arg)
{
	static const struct ip_addr zero;
	struct seq *s = arg;

	put_addr(s, &r->prefix);
	seq_printf(s, " %02x ", r->plen);
	put_addr(s, &zero);
	seq_puts(s, " 00 ");
	put_addr(s, &r->gateway);
	seq_printf(s, " %08x %08x %08x %08x %8s\n", r->metric, 1, 0, route_flags(r),
		   r->nif ? r->nif->name : "lo");
}

static int route_show(struct seq *s)
{
	netif_lock();
	route_for_each(AF_INET6, show_route, s);
	netif_unlock();
	return 0;
}

/* ---- /proc/net/rt6_stats: nodes of prefixes, of them with routes, allocated, in the table,
 * cached, cached ones alive, discarded. Here no route is cached and every node has one. ---- */

struct stats {
	u32 routes, prefixes;
	struct ip_addr last;
	u8 last_plen;
};

static void count_route(const struct route *r, void *arg)
{
	struct stats *st = arg;

	/* in the table's order equal prefixes are neighbours */
	if (!st->routes || st->last_plen != r->plen || !ip_addr_eq(&st->last, &r->prefix))
		st->prefixes++;
	st->routes++;
	st->last = r->prefix;
	st->last_plen = r->plen;
}

static int stats_show(struct seq *s)
{
	struct stats st = { 0 };

	netif_lock();
	route_for_each(AF_INET6, count_route, &st);
	netif_unlock();
	seq_printf(s, "%04x %04x %04x %04x %04x %04x %04x\n", st.prefixes, st.prefixes, st.routes,
		   st.routes, 0, 0, 0);
	return 0;
}

/* ---- /proc/net/weft/ipv6 ---- */

static int interfaces_show(struct seq *s)
{
	const struct ipv6_if *i;

	seq_puts(s,
		 "name             state mtu   hops managed other reachable_ms retrans_ms rs_sent "
		 "routes prefixes servers\n");
	netif_lock();
	ipv6_if_for_each(i)
		seq_printf(s, "%-16s %-5s %-5u %-4d %-7s %-5s %-12d %-10d %-7u %-6u %-8u %u\n",
			   i->nif->name,
			   i->off   ? "off" :
			   i->ready ? "up" :
				      "down",
			   ipv6_mtu(i->nif), i->conf.hop_limit, i->ra_flags & 0x80 ? "yes" : "no",
			   i->ra_flags & 0x40 ? "yes" : "no", i->ra_reachable_ms, i->ra_retrans_ms,
			   i->rs_sent, i->nr_routes, i->nr_prefixes, i->nr_servers);
	netif_unlock();
	return 0;
}

static struct procfile files[] = {
	{ .path = "net/if_inet6", .mode = 0444, .show = if_inet6_show },
	{ .path = "net/ipv6_route", .mode = 0444, .show = route_show },
	{ .path = "net/rt6_stats", .mode = 0444, .show = stats_show },
	{ .path = "net/weft/ipv6", .mode = 0444, .show = interfaces_show },
};

int ipv6_proc_init(void)
{
	for (u32 n = 0; n < ARRAY_SIZE(files); n++) {
		int err = procfile_add(&files[n]);

		if (err) {
			while (n--)
				procfile_remove(&files[n]);
			return err;
		}
	}
	return 0;
}

void ipv6_proc_exit(void)
{
	for (u32 n = ARRAY_SIZE(files); n--;)
		procfile_remove(&files[n]);
}
