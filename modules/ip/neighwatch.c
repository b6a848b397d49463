/* SPDX-License-Identifier: MIT */
/* neighwatch.c - who hears of the neighbour cache's entries. They change in poll context, so
 * watchers are called there, once the locks of the cache are given back; an entry of which nobody
 * was told leaves in silence, or a scan of the link would be heard of twice. */
#include "ip.h"
#include "neigh.h"

static LIST_HEAD(watchers); /* netif_lock to change, RCU to read */

void neigh_tell(struct neigh *n, bool gone)
{
	struct neigh_watcher *w;
	struct neigh_info info;
	bool told;

	if (likely(list_empty(&watchers)))
		return;
	spin_lock(&n->lock);
	told = gone ? n->told : !n->dead;
	n->told |= told;
	spin_unlock(&n->lock);
	if (!told)
		return;
	neigh_snapshot(n, &info);
	list_for_each_entry(w, &watchers, node)
		w->event(w, &info, gone);
}

static void undo_watch(struct ledger_entry *e)
{
	neigh_unwatch(container_of(e, struct neigh_watcher, ledger));
}

void neigh_watch_owner(struct neigh_watcher *w, struct module *owner)
{
	w->owner = owner;
	ledger_add(&w->ledger, owner, "watcher", w->name, undo_watch);
	watch_enter(&watchers, &w->node);
}
EXPORT(neigh_watch_owner);

void neigh_unwatch(struct neigh_watcher *w)
{
	watch_leave(&w->node, &w->ledger);
	synchronize_rcu();
	w->node.next = NULL;
}
EXPORT(neigh_unwatch);
