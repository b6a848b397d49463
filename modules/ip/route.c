/* SPDX-License-Identifier: MIT */
/* route.c - the longest-prefix table: per family one hash of prefixes and a bit for each prefix
 * length in use, tried from the longest. A host has few lengths, so a look-up is a handful of
 * probes, and RCU readers need nothing but hash chains. Routes over an interface that is down
 * stay out of sight. */
#include "ip.h"

#define ROUTE_BUCKETS 256

struct route_table {
	/* netif_lock to change, RCU to read */
	struct hlist_head hash[ROUTE_BUCKETS];
	u64 lens[3];	 /* prefix lengths that any route has */
	u64 own_lens[3]; /* those that a local or broadcast route has */
	/* netif_lock */
	u32 count[129], own_count[129];
	u32 nr;
	struct list_head all; /* ordered by prefix, as Linux lists them */
};

static struct route_table tables[2] = {
	{ .all = LIST_HEAD_INIT(tables[0].all) },
	{ .all = LIST_HEAD_INIT(tables[1].all) },
};
static int max_routes = 4096; /* a family */

u32 route_generation = 1;
EXPORT(route_generation);

void route_changed(void)
{
	/* 0 means "never looked up" in flows */
	if (!__atomic_add_fetch(&route_generation, 1, __ATOMIC_ACQ_REL))
		__atomic_add_fetch(&route_generation, 1, __ATOMIC_ACQ_REL);
}
EXPORT(route_changed);

static struct route_table *table_of(u16 af)
{
	return &tables[af == AF_INET6];
}

static struct hlist_head *bucket(struct route_table *t, const struct ip_addr *prefix, u32 plen)
{
	return &t->hash[ip_addr_hash(prefix, ip_hash_seed + plen) % ROUTE_BUCKETS];
}

static bool is_own(const struct route *r)
{
	return r->type == ROUTE_LOCAL || r->type == ROUTE_BROADCAST;
}

/* An address of this host stays one while its interface is down, but not without its driver. */
static bool usable(const struct route *r)
{
	if (!r->nif)
		return true;
	return netif_present(r->nif) && (r->type == ROUTE_LOCAL || netif_is_up(r->nif));
}

/* ---- look-ups ---- */

/* The next length below *plen + 1 that is in use; false: none. */
static bool next_len(const u64 *lens, int *plen)
{
	for (int w = *plen / 64; w >= 0 && *plen >= 0; w--) {
		u64 bits = READ_ONCE(lens[w]);

		if (*plen % 64 != 63)
			bits &= (1ull << (*plen % 64 + 1)) - 1;
		if (bits) {
			*plen = w * 64 + 63 - __builtin_clzll(bits);
			return true;
		}
		*plen = w * 64 - 1;
	}
	return false;
}

static bool wanted_on(const struct route *r, u32 oif)
{
	if (!oif || !r->nif)
		return true;
	return r->nif->index == oif || (r->type == ROUTE_LOCAL && netif_loopback()->index == oif);
}

static bool better(const struct route *r, const struct route *best)
{
	if (!best)
		return true;
	if (is_own(r) != is_own(best))
		return is_own(r);
	if (r->demoted != best->demoted)
		return r->demoted < best->demoted;
	if (r->metric != best->metric)
		return r->metric < best->metric;
	return r->preference > best->preference; /* of equals the newest, which comes first */
}

static struct route *best_of(struct route_table *t, const struct ip_addr *dst, u32 plen, u32 oif)
{
	struct ip_addr prefix = ip_addr_prefix(dst, plen);
	struct route *r, *best = NULL;

	hlist_for_each_entry(r, bucket(t, &prefix, plen), hash) {
		if (r->plen == plen && ip_addr_eq(&r->prefix, &prefix) && wanted_on(r, oif) &&
		    usable(r) && better(r, best))
			best = r;
	}
	return best;
}

static int fill_result(const struct route *r, const struct ip_addr *dst, struct route_result *res)
{
	res->type = r->type;
	res->plen = r->plen;
	res->gatewayed = !ip_addr_is_any(&r->gateway);
	res->addr_nif = r->nif;
	res->nif = r->type == ROUTE_LOCAL ? netif_loopback() : r->nif;
	res->next_hop = res->gatewayed ? r->gateway : *dst;
	res->source = r->source;
	if (r->type == ROUTE_REJECT)
		return -EHOSTUNREACH;
	if (r->type == ROUTE_BLACKHOLE)
		return -EINVAL;
	res->mtu = READ_ONCE(res->nif->mtu);
	if (r->mtu && r->mtu < res->mtu)
		res->mtu = r->mtu;
	return 0;
}

int route_lookup(const struct ip_addr *dst, u32 oif, struct route_result *res)
{
	u16 af = ip_addr_family(dst);
	struct route_table *t = table_of(af);
	int plen = ip_plen_max(af);
	int ret = -ENETUNREACH;

	rcu_read_lock();
	for (; ret == -ENETUNREACH && next_len(t->lens, &plen); plen--) {
		struct route *r = best_of(t, dst, plen, oif);

		if (r) {
			ret = fill_result(r, dst, res);
			break;
		}
	}
	rcu_read_unlock();
	return ret;
}
EXPORT(route_lookup);

enum route_type route_classify(const struct ip_addr *dst)
{
	u16 af = ip_addr_family(dst);
	struct route_table *t = table_of(af);
	int plen = ip_plen_max(af);
	enum route_type type = ROUTE_UNICAST;

	rcu_read_lock();
	for (; type == ROUTE_UNICAST && next_len(t->own_lens, &plen); plen--) {
		struct route *r = best_of(t, dst, plen, 0);

		if (r && is_own(r))
			type = r->type;
	}
	rcu_read_unlock();
	return type;
}
EXPORT(route_classify);

/* ---- changes, under netif_lock ---- */

static void count_len(u64 *lens, u32 *count, u32 plen, int delta)
{
	count[plen] += delta;
	if (count[plen])
		WRITE_ONCE(lens[plen / 64], lens[plen / 64] | BIT64(plen % 64));
	else
		WRITE_ONCE(lens[plen / 64], lens[plen / 64] & ~BIT64(plen % 64));
}

/* From the end: many that come at once mostly come in order. */
static void insert_ordered(struct route_table *t, struct route *r)
{
	struct list_head *at;

	for (at = t->all.prev; at != &t->all; at = at->prev) {
		const struct route *pos = list_entry(at, struct route, node);
		int c = memcmp(pos->prefix.b, r->prefix.b, 16);

		if (c < 0 || (!c && pos->plen <= r->plen))
			break;
	}
	list_add(&r->node, at);
}

static void route_link(struct route *r)
{
	struct route_table *t = table_of(r->af);

	insert_ordered(t, r);
	count_len(t->lens, t->count, r->plen, 1);
	if (is_own(r))
		count_len(t->own_lens, t->own_count, r->plen, 1);
	t->nr++;
	hlist_add_head(&r->hash, bucket(t, &r->prefix, r->plen));
	route_changed();
	ip_notify_route(r, true);
}

static void route_free_rcu(struct rcu_head *h)
{
	struct route *r = container_of(h, struct route, rcu);

	if (r->nif)
		netif_put(r->nif);
	kfree(r);
}

static void route_unlink(struct route *r)
{
	struct route_table *t = table_of(r->af);

	ip_notify_route(r, false);
	hlist_del(&r->hash);
	list_del(&r->node);
	count_len(t->lens, t->count, r->plen, -1);
	if (is_own(r))
		count_len(t->own_lens, t->own_count, r->plen, -1);
	t->nr--;
	route_changed();
	call_rcu(&r->rcu, route_free_rcu);
}

/* RFC 1122 3.3.1.2: a gateway must be on a link of ours. Finds that link where spec names none. */
static int check_gateway(const struct route *spec, struct netif **nif)
{
	struct route_result res;

	if (spec->kernel || ip_addr_is_any(&spec->gateway))
		return 0;
	if (ip_addr_is_multicast(&spec->gateway))
		return -EINVAL;
	if (route_lookup(&spec->gateway, *nif ? (*nif)->index : 0, &res))
		return -ENETUNREACH;
	if (res.type == ROUTE_LOCAL || res.type == ROUTE_BROADCAST)
		return -EINVAL;
	if (res.gatewayed)
		return -ENETUNREACH;
	*nif = res.nif;
	return 0;
}

static struct route *find_equal(const struct route *spec, const struct netif *nif)
{
	struct route *r;

	hlist_for_each_entry(r, bucket(table_of(spec->af), &spec->prefix, spec->plen), hash) {
		if (r->af == spec->af && r->plen == spec->plen && r->type == spec->type &&
		    r->metric == spec->metric && r->nif == nif &&
		    ip_addr_eq(&r->prefix, &spec->prefix) &&
		    ip_addr_eq(&r->gateway, &spec->gateway))
			return r;
	}
	return NULL;
}

int route_add(const struct route *spec)
{
	struct ip_addr masked = ip_addr_prefix(&spec->prefix, spec->plen);
	bool on_nif = spec->type < ROUTE_REJECT;
	struct netif *nif = on_nif ? spec->nif : NULL;
	struct route *r;
	int err;

	if (spec->plen > ip_plen_max(spec->af) || !ip_addr_eq(&masked, &spec->prefix))
		return -EINVAL;
	if (on_nif) {
		err = check_gateway(spec, &nif);
		if (err)
			return err;
		if (!nif)
			return -ENODEV;
		if (!spec->kernel && !netif_is_up(nif))
			return -ENETDOWN;
	}
	r = find_equal(spec, nif);
	if (r) {
		if (!r->restored || spec->kernel)
			return -EEXIST;
		r->restored = false;
		return 0;
	}
	if (table_of(spec->af)->nr >= (u32)max_routes)
		return -ENOBUFS;
	r = kmalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = *spec;
	r->restored = false;
	r->nif = nif ? netif_get(nif) : NULL;
	route_link(r);
	route_age(r);
	return 0;
}
EXPORT(route_add);

int route_set(const struct route *spec)
{
	struct route *r = find_equal(spec, spec->nif);

	if (!r || r->kernel != spec->kernel || r->protocol != spec->protocol)
		return route_add(spec);
	r->expires = spec->expires;
	r->flags = spec->flags;
	route_age(r);
	if (r->preference != spec->preference) {
		WRITE_ONCE(r->preference, spec->preference);
		route_changed();
	}
	return 0;
}
EXPORT(route_set);

/* Of several the oldest, which comes last in its bucket. */
int route_del(const struct route *spec)
{
	struct ip_addr prefix =
		ip_addr_prefix(&spec->prefix, min(spec->plen, ip_plen_max(spec->af)));
	struct route *r, *found = NULL;

	hlist_for_each_entry(r, bucket(table_of(spec->af), &prefix, spec->plen), hash) {
		if (r->plen != spec->plen || !ip_addr_eq(&r->prefix, &spec->prefix) || is_own(r))
			continue;
		if (r->nif && !(netif_present(r->nif) && netif_is_up(r->nif)))
			continue;
		/* a reject route has no interface, though route(8) names lo for it */
		if ((spec->nif && spec->type != ROUTE_REJECT && r->nif != spec->nif) ||
		    (spec->metric && r->metric != spec->metric) ||
		    (spec->type == ROUTE_REJECT && r->type != ROUTE_REJECT) ||
		    (!ip_addr_is_any(&spec->gateway) && !ip_addr_eq(&r->gateway, &spec->gateway)))
			continue;
		found = r;
	}
	if (!found)
		return -ESRCH;
	route_unlink(found);
	return 0;
}
EXPORT(route_del);

int route_del_address(struct netif *nif, const struct ip_addr *addr)
{
	struct route *r, *next;
	int n = 0;

	list_for_each_entry_safe(r, next, &table_of(ip_addr_family(addr))->all, node) {
		if (r->kernel && r->nif == nif && ip_addr_eq(&r->with, addr)) {
			route_unlink(r);
			n++;
		}
	}
	return n;
}

void route_flush_nif(struct netif *nif, u16 af)
{
	struct route *r, *next;

	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		list_for_each_entry_safe(r, next, &tables[i].all, node) {
			if (r->nif == nif && (!af || r->af == af))
				route_unlink(r);
		}
	}
}
EXPORT(route_flush_nif);

void route_purge(u16 af, bool (*match)(const struct route *r, const void *arg), const void *arg)
{
	struct route *r, *next;

	list_for_each_entry_safe(r, next, &table_of(af)->all, node) {
		if (match(r, arg))
			route_unlink(r);
	}
}
EXPORT(route_purge);

void route_demote(const struct netif *nif, const struct ip_addr *gateway, u64 since)
{
	struct route *r;

	list_for_each_entry(r, &table_of(ip_addr_family(gateway))->all, node) {
		if (r->nif == nif && ip_addr_eq(&r->gateway, gateway) && r->demoted != since) {
			WRITE_ONCE(r->demoted, since);
			route_changed();
		}
	}
}
EXPORT(route_demote);

void route_nif_up(struct netif *nif)
{
	struct route *r;

	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		list_for_each_entry(r, &tables[i].all, node) {
			if (r->nif == nif && !r->kernel)
				r->restored = true;
		}
	}
	route_changed();
}

void route_for_each(u16 af, void (*fn)(const struct route *r, void *arg), void *arg)
{
	struct route *r;

	list_for_each_entry(r, &table_of(af)->all, node) {
		if (usable(r))
			fn(r, arg);
	}
}
EXPORT(route_for_each);

void route_for_each_to(u16 af, const struct ip_addr *prefix, u32 plen,
		       void (*fn)(const struct route *r, void *arg), void *arg)
{
	struct route *r;

	hlist_for_each_entry(r, bucket(table_of(af), prefix, plen), hash) {
		if (r->plen == plen && ip_addr_eq(&r->prefix, prefix) && usable(r))
			fn(r, arg);
	}
}
EXPORT(route_for_each_to);

static struct sysctl max_routes_sysctl = {
	.path = "net/weft/max_routes",
	.value = &max_routes,
	.min = 16,
	.max = 1000000,
};

int route_init(void)
{
	routelife_init();
	return sysctl_add(&max_routes_sysctl);
}

void route_exit(void)
{
	sysctl_remove(&max_routes_sysctl);
	netif_lock();
	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		while (!list_empty(&tables[i].all))
			route_unlink(list_first_entry(&tables[i].all, struct route, node));
	}
	netif_unlock();
	routelife_exit();
}
