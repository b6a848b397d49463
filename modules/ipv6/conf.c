/* SPDX-License-Identifier: MIT */
/* conf.c - what the module keeps of each interface, from its attachment on, and what happens to it
 * as the interface comes up, goes down or changes. Up means: with a link. What the module has made
 * goes with the link or the module; what a user gave stays, as he asked (keep_addr_on_down), or
 * because only the driver or the module has left. */
#define LOG_NAME "ipv6: "
#include "ipv6.h"

#include <uapi/netlink.h>
#include <weft/net/addrlabel.h>
#include <weft/net/ifaddr.h>
#include <weft/printk.h>

#define METRIC_LINK 256

LIST_HEAD(ipv6_interfaces);

#define DEFAULTS                                                                                 \
	.hop_limit = 64, .mtu = IPV6_MIN_MTU, .accept_ra = 1, .accept_ra_defrtr = 1,             \
	.accept_ra_pinfo = 1, .accept_ra_rtr_pref = 1, .accept_ra_mtu = 1,                       \
	.accept_ra_min_hop_limit = 1, .accept_redirects = 1, .autoconf = 1, .max_addresses = 16, \
	.drop_unicast_in_l2_multicast = 1, .dad_transmits = 1, .enhanced_dad = 1,                \
	.suppress_frag_ndisc = 1, .temp_valid_lft = 604800, .temp_prefered_lft = 86400,          \
	.regen_max_retry = 3, .regen_min_advance = 2, .max_desync_factor = 600,                  \
	.router_solicitations = -1, .router_solicitation_interval = 4,                           \
	.router_solicitation_delay = 1, .router_solicitation_max_interval = 3600,                \
	.mldv1_unsolicited_report_interval = 10000, .mldv2_unsolicited_report_interval = 1000,   \
	.ra_defrtr_metric = 1024, .router_probe_interval = 60

struct ipv6_conf ipv6_conf_all = { DEFAULTS };
struct ipv6_conf ipv6_conf_default = { DEFAULTS, .accept_dad = 1 };

static struct work tick_work, apply_work;
static u64 next_tick;	    /* netif_lock; 0: none */
static u32 wanted, applied; /* tickets of changed settings */

/* ---- look-ups ---- */

struct ipv6_if *ipv6_if_any(const struct netif *nif)
{
	struct ipv6_if *i;

	list_for_each_entry(i, &ipv6_interfaces, node) {
		if (i->nif == nif)
			return i;
	}
	return NULL;
}

struct ipv6_if *ipv6_if(const struct netif *nif)
{
	struct ipv6_if *i = ipv6_if_any(nif);

	return i && !READ_ONCE(i->off) ? i : NULL;
}

const struct ipv6_conf *ipv6_conf(const struct netif *nif)
{
	struct ipv6_if *i = ipv6_if_any(nif);

	return i ? &i->conf : &ipv6_conf_default;
}

int ipv6_hop_limit(const struct netif *nif)
{
	int v;

	rcu_read_lock();
	v = READ_ONCE(ipv6_conf(nif)->hop_limit);
	rcu_read_unlock();
	return v;
}

u32 ipv6_mtu(const struct netif *nif)
{
	u32 set, link = READ_ONCE(nif->mtu);

	rcu_read_lock();
	set = READ_ONCE(ipv6_conf(nif)->mtu);
	rcu_read_unlock();
	return set >= IPV6_MIN_MTU && set < link ? set : link;
}

bool ipv6_is_router(const struct netif *nif)
{
	bool v;

	rcu_read_lock();
	v = READ_ONCE(ipv6_conf(nif)->forwarding);
	rcu_read_unlock();
	return v;
}

/* As on Linux: routers do not listen to others unless told twice. */
bool ipv6_accepts_ra(const struct ipv6_if *i)
{
	int accept = READ_ONCE(i->conf.accept_ra);

	return accept && (accept == 2 || !READ_ONCE(i->conf.forwarding));
}

/* ---- time ---- */

u64 ipv6_lifetime(u32 seconds, u64 now)
{
	return seconds == ~0u ? 0 : now + seconds * NSEC_PER_SEC;
}

u32 ipv6_seconds_left(u64 until, u64 now)
{
	if (!until)
		return ~0u;
	return until > now ? (until - now) / NSEC_PER_SEC : 0;
}

void ipv6_tick_at(u64 when)
{
	if (!when || (next_tick && next_tick <= when))
		return;
	next_tick = when;
	work_schedule_at(&tick_work, when);
}

static void tick(struct work *w)
{
	struct ipv6_if *i;

	netif_lock();
	next_tick = 0;
	ipv6_if_for_each(i)
	{
		u64 now = ktime_get();

		ipv6_tick_at(rs_tick(i, now));
		ipv6_tick_at(router_tick(i, now));
		ipv6_tick_at(prefix_tick(i, now));
		ipv6_tick_at(origin_tick(i, now));
		ipv6_tick_at(temp_tick(i, now));
		ipv6_tick_at(rdnss_tick(i, now));
		ipv6_tick_at(announce_tick(i, now));
	}
	netif_unlock();
}

/* ---- up and down ---- */

static bool is_group_route(const struct route *r, const void *arg)
{
	return r->kernel && r->nif == arg && ip_addr_is_multicast(&r->prefix);
}

/* Groups are reached over any link: who names none gets the first. */
static void add_group_route(struct netif *nif)
{
	struct route r = {
		.af = AF_INET6,
		.plen = 8,
		.type = ROUTE_UNICAST,
		.metric = METRIC_LINK,
		.kernel = true,
		.nif = nif,
		.flags = RTF_UP,
		.prefix.b[0] = 0xff,
	};
	int err = nif->flags & IFF_LOOPBACK ? 0 : route_add(&r);

	if (err && err != -EEXIST)
		pr_warn("%s: no route to groups: error %d\n", nif->name, -err);
}

/* RFC 4861 6.2.1, RFC 4291 2.7.1: a router listens to what is for routers. */
static void set_router(struct ipv6_if *i, bool on)
{
	static const u8 scopes[] = { IPV6_SCOPE_INTERFACE, IPV6_SCOPE_LINK, IPV6_SCOPE_SITE };
	struct ip_addr group = ipv6_all_routers;

	if (i->router == on)
		return;
	i->router = on;
	for (u32 n = 0; n < ARRAY_SIZE(scopes); n++) {
		int err = 0;

		group.b[1] = scopes[n];
		if (on)
			err = ip_group_join(i->nif, &group);
		else
			ip_group_leave(i->nif, &group);
		if (err)
			pr_warn("%s: a routers' group is not joined: error %d\n", i->nif->name,
				-err);
	}
	anycast_router(i);
	/* RFC 4861 6.2.7 and Linux: what other routers said of themselves counts no more */
	if (on && !ipv6_accepts_ra(i)) {
		router_flush(i);
		prefix_flush(i);
		origin_flush(i);
		rdnss_flush(i);
	}
}

/* All that are not known to be this host's alone. */
static void check_addresses(struct netif *nif)
{
	struct ifaddr *a, *next;

	list_for_each_entry_safe(a, next, &nif->addrs, node) {
		if (a->af != AF_INET6 || !(a->flags & IFADDR_TENTATIVE))
			continue;
		ifaddr_change(a, a->flags & ~(u32)IFADDR_DADFAILED, a->preferred_until,
			      a->valid_until);
		dad_start(a);
	}
}

static void if_up(struct ipv6_if *i)
{
	static const struct ip_addr loopback = { .b = { [15] = 1 } };
	struct netif *nif = i->nif;

	if (i->ready || i->off || !netif_running(nif))
		return;
	i->ready = true;
	if ((nif->flags & IFF_LOOPBACK) && !ifaddr_find(nif, &loopback))
		ipv6_addr_set(nif, &loopback, 128, IFADDR_PERMANENT, ~0u, ~0u);
	add_group_route(nif);
	anycast_up(i);
	check_addresses(nif);
	slaac_link_local(i);
}

enum keep { KEEP_NONE, KEEP_SETTING, KEEP_USERS };

static bool kept(const struct ipv6_if *i, const struct ifaddr *a, enum keep keep)
{
	int setting = ipv6_conf_all.keep_addr_on_down;

	if (keep == KEEP_USERS)
		return !(a->flags & IFADDR_AUTOCONF);
	if (!setting)
		setting = i->conf.keep_addr_on_down;
	/* as Linux has it: neither addresses of a lifetime nor those of narrow scope */
	return keep == KEEP_SETTING && setting > 0 && (a->flags & IFADDR_PERMANENT) &&
	       !ip_addr_is_link_local(&a->addr) && !ip_addr_is_loopback(&a->addr);
}

static void addresses_down(struct ipv6_if *i, enum keep keep)
{
	struct ifaddr *a;
	bool again;

	/* what hears of one that goes may take others along */
	do {
		again = false;
		ifaddr_for_each(a, i->nif) {
			if (a->af != AF_INET6 || kept(i, a, keep))
				continue;
			ifaddr_del(a);
			again = true;
			break;
		}
	} while (again);
	ifaddr_for_each(a, i->nif) {
		if (a->af != AF_INET6 || (i->nif->flags & IFF_LOOPBACK))
			continue;
		dad_stop(a);
		ifaddr_change(a, (a->flags | IFADDR_TENTATIVE) & ~(u32)IFADDR_OPTIMISTIC,
			      a->preferred_until, a->valid_until);
	}
}

static void if_down(struct ipv6_if *i, enum keep keep)
{
	i->ready = i->link_local_ready = false;
	rs_stop(i);
	announce_flush(i);
	router_flush(i);
	prefix_flush(i);
	origin_flush(i);
	rdnss_flush(i);
	addresses_down(i, keep);
	if (keep == KEEP_NONE)
		route_flush_nif(i->nif, AF_INET6);
	else
		route_purge(AF_INET6, is_group_route, i->nif);
}

/* ---- coming and going ---- */

static void if_coming(struct netif *nif)
{
	struct ipv6_if *i = ipv6_if_any(nif);
	struct ifaddr *a;

	if (i)
		return;
	i = kzalloc(sizeof(*i));
	if (!i) {
		pr_err("%s: no memory: no IPv6 there\n", nif->name);
		return;
	}
	i->nif = netif_get(nif);
	i->conf = ipv6_conf_default;
	i->conf.mtu = nif->mtu;
	if (nif->flags & (IFF_LOOPBACK | IFF_NOARP))
		i->conf.accept_dad = i->conf.use_tempaddr = -1;
	list_init(&i->routes);
	list_init(&i->prefixes);
	list_init(&i->temps);
	list_init(&i->servers);
	list_init(&i->origins);
	list_init(&i->announcements);
	list_init(&i->anycasts);
	i->off = i->conf.disable_ipv6 || nif->mtu < IPV6_MIN_MTU;
	list_add(&i->node, &ipv6_interfaces);
	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET6)
			ipv6_addr_enter(a);
	}
	set_router(i, i->conf.forwarding);
	settings_add(i);
}

static void if_free_rcu(struct rcu_head *h)
{
	struct ipv6_if *i = container_of(h, struct ipv6_if, rcu);

	netif_put(i->nif);
	kfree(i);
}

static void if_going(struct ipv6_if *i)
{
	struct ifaddr *a;

	WRITE_ONCE(i->going, true);
	settings_woken();
	settings_remove(i);
	if_down(i, KEEP_USERS);
	set_router(i, false);
	anycast_flush(i);
	ifaddr_for_each(a, i->nif) {
		if (a->af == AF_INET6)
			ipv6_addr_leave(a);
	}
	addr_label_flush(i->nif->index);
	list_del_rcu(&i->node);
	call_rcu(&i->rcu, if_free_rcu);
}

static void apply(struct ipv6_if *i)
{
	bool off = i->conf.disable_ipv6 || i->nif->mtu < IPV6_MIN_MTU;

	if (off && !i->off)
		if_down(i, KEEP_NONE);
	WRITE_ONCE(i->off, off);
	set_router(i, i->conf.forwarding);
	if_up(i);
	if (i->ready)
		slaac_link_local(i);
	route_changed();
}

/* RFC 4861 6.3.7: it may be another link than before. */
static void link_back(struct ipv6_if *i)
{
	check_addresses(i->nif);
	if (!i->link_local_ready)
		return;
	rs_start(i);
	mld_nif_up(i->nif);
}

static void rename(struct ipv6_if *i)
{
	/* nobody who writes a setting is to wait for the lock that is held here */
	WRITE_ONCE(i->going, true);
	settings_woken();
	settings_remove(i);
	WRITE_ONCE(i->going, false);
	settings_add(i);
}

static void netif_event(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct ipv6_if *i;

	if (ev == NETIF_COMING)
		if_coming(nif);
	i = ipv6_if_any(nif);
	if (!i)
		return;
	switch (ev) {
	case NETIF_UP:
		if_up(i);
		break;
	case NETIF_LINK:
		if (i->ready && nif->announced_carrier)
			link_back(i);
		else
			if_up(i);
		break;
	case NETIF_MTU:
		i->conf.mtu = nif->mtu;
		apply(i);
		break;
	case NETIF_DOWN:
		if_down(i, nif->leaving ? KEEP_USERS : KEEP_SETTING);
		break;
	case NETIF_RENAMED:
		rename(i);
		break;
	case NETIF_GONE:
		if_going(i);
		break;
	default:
		break;
	}
}

static struct netif_watcher watcher = { .name = "ipv6", .event = netif_event };

/* ---- changed settings ---- */

void ipv6_conf_changed(void)
{
	__atomic_add_fetch(&wanted, 1, __ATOMIC_ACQ_REL);
	work_schedule(&apply_work);
}

u32 ipv6_conf_ticket(void)
{
	return READ_ONCE(wanted);
}

bool ipv6_conf_applied(u32 ticket)
{
	return (int)(smp_load_acquire(&applied) - ticket) >= 0;
}

static void apply_all(struct work *w)
{
	u32 ticket = READ_ONCE(wanted);
	struct ipv6_if *i;

	netif_lock();
	ipv6_if_for_each(i) apply(i);
	netif_unlock();
	smp_store_release(&applied, ticket);
	settings_woken();
}

int ipv6_conf_init(void)
{
	int err;

	work_init(&tick_work, tick);
	work_init(&apply_work, apply_all);
	err = settings_init();
	if (err)
		return err;
	netif_watch(&watcher);
	return 0;
}

void ipv6_conf_exit(void)
{
	struct ipv6_if *i, *next;

	settings_exit();
	netif_unwatch(&watcher);
	netif_lock();
	list_for_each_entry_safe(i, next, &ipv6_interfaces, node)
		if_going(i);
	netif_unlock();
	work_cancel_sync(&apply_work);
	work_cancel_sync(&tick_work);
}
