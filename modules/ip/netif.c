/* SPDX-License-Identifier: MIT */
/* netif.c - the table of interfaces: drivers attach to them and detach, the interfaces stay. A
 * parked interface keeps what its user gave it until a driver attaches with the same hardware
 * address and name pattern; only so many are kept. */
#include "ip.h"

#define NETIF_BUCKETS 64
#define PARKED_MAX 32

static DEFINE_MUTEX(config_lock);
static LIST_HEAD(netifs); /* by index; config_lock, read under RCU */
static struct hlist_head by_index[NETIF_BUCKETS];
static u32 last_index; /* config_lock */

void netif_lock(void)
{
	mutex_lock(&config_lock);
}
EXPORT(netif_lock);

void netif_unlock(void)
{
	mutex_unlock(&config_lock);
}
EXPORT(netif_unlock);

bool netif_trylock(void)
{
	return mutex_trylock(&config_lock);
}

bool netif_is_locked(void)
{
	return mutex_is_mine(&config_lock);
}
EXPORT(netif_is_locked);

/* ---- look-ups and references ---- */

struct netif *netif_by_index(u32 index)
{
	struct netif *nif;

	hlist_for_each_entry(nif, &by_index[index % NETIF_BUCKETS], hash) {
		if (nif->index == index)
			return netif_present(nif) ? nif : NULL;
	}
	return NULL;
}
EXPORT(netif_by_index);

struct netif *netif_by_name(const char *name)
{
	struct netif *nif;

	list_for_each_entry(nif, &netifs, node) {
		if (netif_present(nif) && !strcmp(nif->name, name))
			return nif;
	}
	return NULL;
}
EXPORT(netif_by_name);

struct netif *netif_first(void)
{
	return list_first_entry_or_null(&netifs, struct netif, node);
}
EXPORT(netif_first);

struct netif *netif_next(struct netif *nif)
{
	return nif->node.next == &netifs ? NULL : list_next_entry(nif, node);
}
EXPORT(netif_next);

struct netif *netif_get(struct netif *nif)
{
	refcount_inc(&nif->refs);
	return nif;
}
EXPORT(netif_get);

static void netif_free_rcu(struct rcu_head *h)
{
	struct netif *nif = container_of(h, struct netif, rcu);

	percpu_free(nif->stats);
	kfree(nif);
}

void netif_put(struct netif *nif)
{
	if (refcount_dec_and_test(&nif->refs))
		call_rcu(&nif->rcu, netif_free_rcu);
}
EXPORT(netif_put);

/* ---- making one ---- */

static bool name_taken(const char *name)
{
	struct netif *nif;

	netif_for_each(nif) {
		if (!strcmp(nif->name, name))
			return true;
	}
	return false;
}

/* A name fit for a path and an ifreq. */
static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++) {
		if (*name <= ' ' || *name == '/' || *name == ':' || *name == 0x7f)
			return false;
	}
	return true;
}

/* "eth%d" becomes the first free of eth0, eth1 ... */
static int name_make(char *out, const char *pattern)
{
	const char *percent = strchr(pattern, '%');
	char buf[IFNAMSIZ + 12];

	if (!name_valid(pattern))
		return -EINVAL;
	if (!percent) {
		if (name_taken(pattern))
			return -EEXIST;
		strscpy(out, pattern, IFNAMSIZ);
		return 0;
	}
	if (percent[1] != 'd' || strchr(percent + 1, '%'))
		return -EINVAL;
	for (u32 i = 0; i < 10000; i++) {
		snprintf(buf, sizeof(buf), "%.*s%u%s", (int)(percent - pattern), pattern, i,
			 percent + 2);
		if (strlen(buf) >= IFNAMSIZ)
			return -EINVAL;
		if (!name_taken(buf)) {
			strscpy(out, buf, IFNAMSIZ);
			return 0;
		}
	}
	return -ENOSPC;
}

int netif_rename(struct netif *nif, const char *name)
{
	char made[IFNAMSIZ];
	struct ifaddr *a;
	int err;

	if (netif_is_up(nif))
		return -EBUSY;
	if (!strcmp(nif->name, name))
		return 0;
	err = name_make(made, name);
	if (err)
		return err;
	netsys_remove(nif);
	ifaddr_for_each(a, nif) {
		char *colon = strchr(a->label, ':');

		if (colon) {
			char label[2 * IFNAMSIZ];

			snprintf(label, sizeof(label), "%s%s", made, colon);
			strscpy(a->label, label, IFNAMSIZ);
		} else {
			strscpy(a->label, made, IFNAMSIZ);
		}
	}
	strscpy(nif->name, made, IFNAMSIZ);
	netsys_add(nif);
	netif_notify(nif, NETIF_RENAMED);
	return 0;
}
EXPORT(netif_rename);

static void carrier_changed(struct work *w);

static struct netif *netif_new(const char *pattern)
{
	struct netif *nif = kzalloc(sizeof(*nif));

	if (!nif)
		return ERR_PTR(-ENOMEM);
	nif->stats = percpu_alloc(sizeof(struct netif_stats));
	if (!nif->stats) {
		kfree(nif);
		return ERR_PTR(-ENOMEM);
	}
	list_init(&nif->addrs);
	list_init(&nif->groups);
	list_init(&nif->mcast);
	list_init(&nif->tx_waiters);
	spin_init(&nif->tx_lock);
	work_init(&nif->carrier_work, carrier_changed);
	refcount_set(&nif->refs, 1);
	strscpy(nif->pattern, pattern, IFNAMSIZ);
	nif->txqlen = 1000;
	nif->link = link_type_find(0);
	return nif;
}

static void netif_insert(struct netif *nif)
{
	nif->index = ++last_index;
	list_add_tail(&nif->node, &netifs);
	hlist_add_head(&nif->hash, &by_index[nif->index % NETIF_BUCKETS]);
}

/* A parked interface goes for good: all that users gave it, then the registry's reference. */
static void netif_forget(struct netif *nif)
{
	struct ifaddr *a, *next_a;
	struct ip_group *g, *next_g;
	struct netif_mcast *m, *next_m;

	list_for_each_entry_safe(a, next_a, &nif->addrs, node)
		ifaddr_del(a);
	list_for_each_entry_safe(g, next_g, &nif->groups, node) {
		g->users = 1;
		ip_group_leave(nif, &g->group);
	}
	list_for_each_entry_safe(m, next_m, &nif->mcast, node) {
		list_del(&m->node);
		kfree(m);
	}
	route_flush_nif(nif, 0);
	neigh_flush_nif(nif, true);
	neigh_proxy_flush(nif);
	list_del_rcu(&nif->node);
	hlist_del(&nif->hash);
	netif_put(nif);
}

static void evict_parked(u32 keep)
{
	struct netif *nif, *next, *oldest = NULL;
	u32 parked = 0;

	netif_for_each(nif)
		parked += !netif_present(nif);
	for (nif = netif_first(); nif && parked > keep; nif = next) {
		next = netif_next(nif);
		oldest = netif_present(nif) ? NULL : nif;
		if (!oldest)
			continue;
		netif_forget(oldest);
		parked--;
	}
}

void netif_free_parked(void)
{
	netif_lock();
	evict_parked(0);
	netif_unlock();
}

/* ---- attach and detach ---- */

static struct netif *find_parked(u16 type, const u8 *mac, u32 len, const char *pattern)
{
	struct netif *nif;

	netif_for_each(nif) {
		if (!netif_present(nif) && nif->type == type && !memcmp(nif->mac, mac, len) &&
		    !strcmp(nif->pattern, pattern))
			return nif;
	}
	return NULL;
}

static void undo_attach(struct ledger_entry *e)
{
	netif_detach(container_of(e, struct netif, ledger));
}

/* Joins nif and its new driver; everything has been checked. */
static void netif_bind(struct netif *nif, const struct netif_driver *d, void *priv,
		       const struct link_type *link)
{
	u32 kept = nif->flags & IFF_NOARP;

	nif->type = d->type;
	nif->min_mtu = max(d->min_mtu, link->min_mtu);
	nif->max_mtu = d->max_mtu ? min(d->max_mtu, link->max_mtu) : link->max_mtu;
	if (nif->mtu < nif->min_mtu || nif->mtu > nif->max_mtu)
		nif->mtu = min(link->default_mtu, nif->max_mtu);
	nif->features = d->features;
	nif->headroom = ALIGN_UP(link->header_len + d->headroom, 16);
	nif->flags = link->if_flags | d->if_flags | kept;
	nif->priv = priv;
	nif->carrier = nif->announced_carrier = true;
	nif->tx_full = nif->leaving = false;
	WRITE_ONCE(nif->link, link);
	rcu_assign_pointer(nif->driver, d);
}

static struct netif *attach_locked(const struct netif_driver *d, void *priv, const u8 *mac,
				   const char *name)
{
	const struct link_type *link = link_type_find(d->type);
	struct netif *nif;
	bool taken_over;
	int err;

	if (link_is_sink(link)) {
		pr_err("%s: link type %u is not loaded: insmod its module first\n", d->name,
		       d->type);
		return ERR_PTR(-EPROTONOSUPPORT);
	}
	if (!d->ops.open || !d->ops.stop || !d->ops.xmit || !link->valid_addr(mac))
		return ERR_PTR(-EINVAL);
	nif = find_parked(d->type, mac, link->addr_len, name);
	taken_over = nif;
	if (!nif) {
		nif = netif_new(name);
		if (IS_ERR(nif))
			return nif;
		err = name_make(nif->name, name);
		if (err) {
			netif_put(nif);
			return ERR_PTR(err);
		}
		memcpy(nif->mac, mac, link->addr_len);
	}
	netif_bind(nif, d, priv, link);
	if (!taken_over)
		netif_insert(nif);
	pr_info("%s: %s%s\n", nif->name, d->name, taken_over ? ", taken over" : "");
	return nif;
}

struct netif *netif_attach_owner(const struct netif_driver *d, void *priv, const u8 *mac,
				 const char *name, struct module *owner)
{
	struct netif *nif;

	netif_lock();
	nif = attach_locked(d, priv, mac, name);
	if (!IS_ERR(nif)) {
		nif->owner = owner;
		ledger_add(&nif->ledger, owner, "interface", nif->name, undo_attach);
		netsys_add(nif);
		netif_notify(nif, NETIF_COMING);
	}
	netif_unlock();
	return nif;
}
EXPORT(netif_attach_owner);

void netif_detach(struct netif *nif)
{
	netif_lock();
	if (!netif_present(nif)) {
		netif_unlock();
		return;
	}
	nif->leaving = true;
	netif_down(nif);
	netsys_remove(nif);
	rcu_assign_pointer(nif->driver, NULL);
	route_changed();
	/* nobody is in xmit or netif_rx any more; the other ops run under netif_lock */
	synchronize_rcu();
	nif->priv = NULL;
	nif->owner = NULL;
	ledger_remove(&nif->ledger);
	netif_notify(nif, NETIF_GONE);
	if (!(nif->flags & IFF_LOOPBACK))
		pr_info("%s: driver gone, interface parked\n", nif->name);
	evict_parked(PARKED_MAX);
	netif_unlock();
}
EXPORT(netif_detach);

/* ---- carrier ---- */

static void carrier_changed(struct work *w)
{
	struct netif *nif = container_of(w, struct netif, carrier_work);
	bool on;

	netif_lock();
	on = READ_ONCE(nif->carrier);
	if (netif_present(nif) && on != nif->announced_carrier) {
		nif->announced_carrier = on;
		pr_info("%s: link %s\n", nif->name, on ? "up" : "down");
		netif_notify(nif, NETIF_LINK);
	}
	netif_unlock();
	netif_put(nif);
}

void netif_carrier(struct netif *nif, bool on)
{
	if (xchg(&nif->carrier, on) == on)
		return;
	netif_get(nif);
	if (!work_schedule(&nif->carrier_work))
		netif_put(nif);
}
EXPORT(netif_carrier);
