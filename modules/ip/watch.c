/* SPDX-License-Identifier: MIT */
/* watch.c - who hears what happens to interfaces, addresses and routes. Everything that happens is
 * said under netif_lock, in process context, so each watcher hears each event once and all in one
 * order. */
#include "ip.h"

static LIST_HEAD(watchers);    /* guarded by netif_lock */
static LIST_HEAD(ip_watchers); /* likewise */

/* ---- in and out of such lists ---- */

void watch_enter(struct list_head *all, struct list_head *node)
{
	netif_lock();
	list_add_tail(node, all);
	netif_unlock();
}

void watch_leave(struct list_head *node, struct ledger_entry *e)
{
	netif_lock();
	if (node->next)
		list_del_rcu(node);
	netif_unlock();
	ledger_remove(e);
}

/* ---- interfaces ---- */

void netif_notify(struct netif *nif, enum netif_event ev)
{
	struct netif_watcher *w;

	list_for_each_entry(w, &watchers, node)
		w->event(w, nif, ev);
}

static void undo_watch(struct ledger_entry *e)
{
	netif_unwatch(container_of(e, struct netif_watcher, ledger));
}

void netif_watch_owner(struct netif_watcher *w, struct module *owner)
{
	struct netif *nif;

	w->owner = owner;
	ledger_add(&w->ledger, owner, "watcher", w->name, undo_watch);
	netif_lock();
	list_add_tail(&w->node, &watchers);
	netif_for_each(nif) {
		if (!netif_present(nif))
			continue;
		w->event(w, nif, NETIF_COMING);
		if (netif_is_up(nif))
			w->event(w, nif, NETIF_UP);
	}
	netif_unlock();
}
EXPORT(netif_watch_owner);

void netif_unwatch(struct netif_watcher *w)
{
	watch_leave(&w->node, &w->ledger);
	w->node.next = NULL;
}
EXPORT(netif_unwatch);

/* ---- addresses and routes ---- */

void ip_notify_addr(const struct ifaddr *a, bool added)
{
	struct ip_watcher *w;

	list_for_each_entry(w, &ip_watchers, node) {
		if (w->addr)
			w->addr(w, a, added);
	}
}

void ip_notify_route(const struct route *r, bool added)
{
	struct ip_watcher *w;

	list_for_each_entry(w, &ip_watchers, node) {
		if (w->route)
			w->route(w, r, added);
	}
}

void ip_notify_option(const struct ip_user_option *o)
{
	struct ip_watcher *w;

	list_for_each_entry(w, &ip_watchers, node) {
		if (w->option)
			w->option(w, o);
	}
}
EXPORT(ip_notify_option);

void ip_notify_prefix(const struct ip_prefix_option *o)
{
	struct ip_watcher *w;

	list_for_each_entry(w, &ip_watchers, node) {
		if (w->prefix)
			w->prefix(w, o);
	}
}
EXPORT(ip_notify_prefix);

static void undo_ip_watch(struct ledger_entry *e)
{
	ip_unwatch(container_of(e, struct ip_watcher, ledger));
}

void ip_watch_owner(struct ip_watcher *w, struct module *owner)
{
	w->owner = owner;
	ledger_add(&w->ledger, owner, "watcher", w->name, undo_ip_watch);
	watch_enter(&ip_watchers, &w->node);
}
EXPORT(ip_watch_owner);

void ip_unwatch(struct ip_watcher *w)
{
	watch_leave(&w->node, &w->ledger);
	w->node.next = NULL;
}
EXPORT(ip_unwatch);
