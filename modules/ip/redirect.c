/* SPDX-License-Identifier: MIT */
/* redirect.c - a router says that another one is nearer to a host (RFC 792, RFC 1122 3.2.2.2). It
 * becomes a host route marked dynamic, for a while. Believed is only the router in use for that
 * host, about a packet that a transport knows it sent, and only a way that lies on the same link;
 * how many are kept is bounded. */
#include "ip.h"

#include <weft/work.h>

#define REDIRECTS_MAX 64
#define LIFE_NS (600 * NSEC_PER_SEC)

struct redirect {
	struct ip_addr dst, gateway;
	u32 ifindex;
	u64 expires; /* 0: empty */
	bool wanted; /* heard of, not in the route table yet */
};

static struct spinlock lock = SPINLOCK_INIT;
static struct redirect redirects[REDIRECTS_MAX]; /* guarded by lock */
static struct work work;
static int accept_redirects = 1;

/* Under RCU. */
static bool acceptable(const struct ip_error *e)
{
	const struct ip_family *fam = ip_family_find(ip_addr_family(&e->remote));
	struct route_result res;

	if (!READ_ONCE(accept_redirects) || !fam ||
	    (fam->forwarding && READ_ONCE(*fam->forwarding)))
		return false;
	/* from the first hop that this host uses for that destination */
	if (route_lookup(&e->remote, 0, &res) || !res.gatewayed || res.nif->index != e->ifindex ||
	    !ip_addr_eq(&res.next_hop, &e->offender))
		return false;
	/* to a station on that very link */
	if (ip_addr_family(&e->gateway) != ip_addr_family(&e->remote) ||
	    fam->classify(res.nif, &e->gateway) != IP_KIND_UNICAST ||
	    ip_addr_eq(&e->gateway, &e->offender))
		return false;
	return !route_lookup(&e->gateway, 0, &res) && res.type == ROUTE_UNICAST && !res.gatewayed &&
	       res.nif->index == e->ifindex;
}

/* The place of dst, else an empty one. NULL: full. */
static struct redirect *place_of(const struct ip_addr *dst)
{
	struct redirect *empty = NULL;

	for (u32 i = 0; i < REDIRECTS_MAX; i++) {
		struct redirect *r = &redirects[i];

		if (r->expires && ip_addr_eq(&r->dst, dst))
			return r;
		if (!r->expires && !empty)
			empty = r;
	}
	return empty;
}

bool ip_redirect(const struct ip_error *e)
{
	struct redirect *r = NULL;
	bool ok;

	rcu_read_lock();
	ok = acceptable(e);
	rcu_read_unlock();
	if (ok) {
		spin_lock(&lock);
		r = place_of(&e->remote);
		/* one that is still to be put in place first is not replaced */
		if (r && !(r->expires && r->wanted))
			*r = (struct redirect){ e->remote, e->gateway, e->ifindex,
						ktime_get() + LIFE_NS, true };
		spin_unlock(&lock);
	}
	if (!r) {
		ip_drop_count(DROP_REDIRECT);
		return false;
	}
	work_schedule(&work);
	return true;
}
EXPORT(ip_redirect);

/* ---- the routes; netif_lock held ---- */

static void route_of(const struct redirect *r, struct route *out)
{
	u16 af = ip_addr_family(&r->dst);

	*out = (struct route){
		.prefix = r->dst,
		.gateway = r->gateway,
		.source = ip_addr_any(af),
		.nif = netif_by_index(r->ifindex),
		.af = af,
		.plen = ip_plen_max(af),
		.type = ROUTE_UNICAST,
		.flags = RTF_UP | RTF_GATEWAY | RTF_HOST | RTF_DYNAMIC,
	};
}

struct find_dynamic {
	const struct ip_addr *dst;
	struct route found;
};

static void note_dynamic(const struct route *r, void *arg)
{
	struct find_dynamic *f = arg;

	if ((r->flags & RTF_DYNAMIC) && ip_addr_eq(&r->prefix, f->dst))
		f->found = *r;
}

/* What an earlier redirect said of this host. */
static void remove_dynamic(const struct ip_addr *dst)
{
	struct find_dynamic f = { .dst = dst };

	route_for_each(ip_addr_family(dst), note_dynamic, &f);
	if (f.found.plen)
		route_del(&f.found);
}

static void put_in_place(const struct redirect *r)
{
	struct route spec;

	remove_dynamic(&r->dst);
	route_of(r, &spec);
	/* without memory, or when the link is gone, the way by the old router still works */
	if (spec.nif)
		route_add(&spec);
}

/* Takes one that something is to be done about: new (true) or over (false). */
static bool next_due(struct redirect *out, u64 now, bool *fresh, u64 *next)
{
	bool found = false;

	*next = 0;
	spin_lock(&lock);
	for (u32 i = 0; i < REDIRECTS_MAX && !found; i++) {
		struct redirect *r = &redirects[i];

		if (!r->expires)
			continue;
		if (r->wanted || r->expires <= now) {
			*out = *r;
			*fresh = r->wanted;
			if (!r->wanted)
				r->expires = 0;
			r->wanted = false;
			found = true;
		} else if (!*next || r->expires < *next) {
			*next = r->expires;
		}
	}
	spin_unlock(&lock);
	return found;
}

static void step(struct work *w)
{
	struct redirect r;
	bool fresh;
	u64 next;

	netif_lock();
	while (next_due(&r, ktime_get(), &fresh, &next)) {
		if (fresh)
			put_in_place(&r);
		else
			remove_dynamic(&r.dst);
	}
	netif_unlock();
	if (next)
		work_schedule_at(w, next);
}

static struct sysctl accept_sysctl = {
	.path = "net/ipv4/conf/all/accept_redirects",
	.value = &accept_redirects,
	.max = 1,
};

int redirect_init(void)
{
	work_init(&work, step);
	return sysctl_add(&accept_sysctl);
}

void redirect_exit(void)
{
	sysctl_remove(&accept_sysctl);
	work_cancel_sync(&work);
}
