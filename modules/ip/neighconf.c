/* SPDX-License-Identifier: MIT */
/* neighconf.c - the neighbour cache as users see it: entries set and deleted by hand, listings,
 * and the resolvers with their sysctls. */
#include "ip.h"
#include "neigh.h"

const struct neigh_resolver *neigh_resolvers[AF_MAX];
const struct neigh_params neigh_default_params = {
	.base_reachable_ms = 30000,
	.retrans_ms = 1000,
	.delay_first_s = 5,
	.mcast_probes = 3,
	.ucast_probes = 3,
	.stale_s = 60,
	.gc_thresh1 = 128,
	.gc_thresh3 = 1024,
	.unresolved_max = 256,
	.solicit_per_s = 500,
	.park_bytes = 65536,
};

/* Under RCU. */
const struct neigh_params *neigh_params_of(u16 af)
{
	const struct neigh_resolver *r = rcu_dereference(neigh_resolvers[af]);

	return r ? &r->params : &neigh_default_params;
}

static const char *const state_names[] = {
	[NEIGH_INCOMPLETE] = "incomplete", [NEIGH_REACHABLE] = "reachable",
	[NEIGH_STALE] = "stale",	   [NEIGH_DELAY] = "delay",
	[NEIGH_PROBE] = "probe",	   [NEIGH_FAILED] = "failed",
	[NEIGH_PERMANENT] = "permanent",
};

const char *neigh_state_name(u8 state)
{
	return state < ARRAY_SIZE(state_names) ? state_names[state] : "?";
}
EXPORT(neigh_state_name);

int neigh_set(struct netif *nif, const struct ip_addr *addr, const u8 *hw, bool permanent)
{
	struct neigh *n;

	if (!netif_present(nif) || !netif_resolves(nif) || !nif->link->valid_addr(hw))
		return -EINVAL;
	rcu_read_lock();
	n = neigh_find(nif, addr);
	if (!n)
		n = neigh_create(nif, addr, true);
	if (n) {
		neigh_set_permanent(n, hw, permanent);
		neigh_release_waiting(n);
	}
	rcu_read_unlock();
	return n ? 0 : -ENOBUFS;
}
EXPORT(neigh_set);

int neigh_del(struct netif *nif, const struct ip_addr *addr)
{
	struct neigh *n;

	rcu_read_lock();
	n = neigh_find(nif, addr);
	if (n)
		neigh_remove(n);
	rcu_read_unlock();
	return n ? 0 : -ENXIO;
}
EXPORT(neigh_del);

void neigh_snapshot(struct neigh *n, struct neigh_info *out)
{
	spin_lock(&n->lock);
	*out = (struct neigh_info){
		.addr = n->addr,
		.ifindex = n->nif->index,
		.link_type = n->nif->type,
		.state = n->state,
		.router = n->router,
		.hw_len = n->nif->link->addr_len,
		.used = n->used,
		.confirmed = n->confirmed,
		.updated = n->updated,
	};
	if (neigh_has_address(n->state))
		memcpy(out->hw, n->hw, sizeof(out->hw));
	strscpy(out->ifname, n->nif->name, IFNAMSIZ);
	spin_unlock(&n->lock);
}

int neigh_get_info(struct netif *nif, const struct ip_addr *addr, struct neigh_info *out)
{
	struct neigh *n;

	rcu_read_lock();
	n = neigh_find(nif, addr);
	if (n)
		neigh_snapshot(n, out);
	rcu_read_unlock();
	return n ? 0 : -ENXIO;
}
EXPORT(neigh_get_info);

int neigh_for_each(u16 af, void (*fn)(const struct neigh_info *i, void *arg), void *arg)
{
	struct neigh_info info;

	for (u32 i = 0; i < NEIGH_SLOTS; i++) {
		struct neigh *n;
		bool found = false;

		rcu_read_lock();
		n = rcu_dereference(neigh_slots[i]);
		if (n && (!af || n->af == af) && netif_present(n->nif)) {
			neigh_snapshot(n, &info);
			found = true;
		}
		rcu_read_unlock();
		if (found)
			fn(&info, arg);
	}
	return 0;
}
EXPORT(neigh_for_each);

static void show_one(const struct neigh_info *i, void *arg)
{
	struct seq *s = arg;
	char text[IP_ADDR_STRLEN];
	u64 now = ktime_get();

	seq_printf(s, "%-39s %-8s %-10s ", ip_addr_format(text, &i->addr), i->ifname,
		   neigh_state_name(i->state));
	for (u32 b = 0; b < i->hw_len; b++)
		seq_printf(s, "%s%02x", b ? ":" : "", i->hw[b]);
	seq_printf(s, " %lu\n", (u64)((now - min(i->updated, now)) / NSEC_PER_SEC));
}

void neigh_show(struct seq *s)
{
	seq_printf(s, "entries %u\n", neigh_count());
	seq_puts(s, "address                                 if       state      "
		    "link address updated\n");
	neigh_for_each(0, show_one, s);
}

/* ---- sysctls ---- */

static const struct {
	const char *name;
	u32 offset;
	int min, max;
} knobs[] = {
#define KNOB(name, field, lo, hi)                                  \
	{                                                          \
		name, offsetof(struct neigh_params, field), lo, hi \
	}
	KNOB("base_reachable_time_ms", base_reachable_ms, 1000, 3600000),
	KNOB("retrans_time_ms", retrans_ms, 10, 60000),
	KNOB("delay_first_probe_time", delay_first_s, 1, 3600),
	KNOB("mcast_solicit", mcast_probes, 1, 100),
	KNOB("ucast_solicit", ucast_probes, 1, 100),
	KNOB("mcast_resolicit", mcast_resolicit, 0, 100),
	KNOB("gc_stale_time", stale_s, 1, 86400),
	KNOB("gc_thresh1", gc_thresh1, 0, NEIGH_SLOTS),
	KNOB("gc_thresh3", gc_thresh3, 1, NEIGH_SLOTS),
	KNOB("unresolved_max", unresolved_max, 1, NEIGH_SLOTS),
	KNOB("solicit_per_second", solicit_per_s, 1, 100000),
	KNOB("unres_qlen_bytes", park_bytes, 0, 1 << 24),
#undef KNOB
};

struct neigh_sysctls {
	struct sysctl ctl[ARRAY_SIZE(knobs)];
	char path[ARRAY_SIZE(knobs)][64];
};

static void sysctls_remove(struct neigh_resolver *r)
{
	struct neigh_sysctls *all = r->priv;

	if (!all)
		return;
	sysctl_remove_all(all->ctl, ARRAY_SIZE(knobs));
	kfree(all);
	r->priv = NULL;
}

static int sysctls_add(struct neigh_resolver *r)
{
	struct neigh_sysctls *all;
	int err;

	r->priv = NULL;
	if (!r->sysctl_dir)
		return 0;
	all = kzalloc(sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (u32 i = 0; i < ARRAY_SIZE(knobs); i++) {
		struct sysctl *c = &all->ctl[i];

		snprintf(all->path[i], sizeof(all->path[i]), "%s/%s", r->sysctl_dir, knobs[i].name);
		c->path = all->path[i];
		c->value = (int *)((char *)&r->params + knobs[i].offset);
		c->min = knobs[i].min;
		c->max = knobs[i].max;
	}
	r->priv = all;
	err = sysctl_add_all(all->ctl, ARRAY_SIZE(knobs));
	if (err)
		sysctls_remove(r);
	return err;
}

/* ---- resolvers ---- */

static void undo_resolver(struct ledger_entry *e)
{
	neigh_resolver_unregister(container_of(e, struct neigh_resolver, ledger));
}

int neigh_resolver_register_owner(struct neigh_resolver *r, struct module *owner)
{
	const int *defaults = (const int *)&neigh_default_params;
	int *params = (int *)&r->params;
	int err = 0;

	if (r->af >= AF_MAX || !r->solicit)
		return -EINVAL;
	for (u32 i = 0; i < sizeof(r->params) / sizeof(int); i++)
		params[i] = params[i] ? params[i] : defaults[i];
	netif_lock();
	if (neigh_resolvers[r->af])
		err = -EEXIST;
	if (!err)
		err = sysctls_add(r);
	if (!err) {
		r->owner = owner;
		ledger_add(&r->ledger, owner, "resolver", r->name, undo_resolver);
		rcu_assign_pointer(neigh_resolvers[r->af], r);
		neigh_proxy_tell(r, true);
	}
	netif_unlock();
	return err;
}
EXPORT(neigh_resolver_register_owner);

void neigh_resolver_unregister(struct neigh_resolver *r)
{
	netif_lock();
	if (neigh_resolvers[r->af] == r)
		neigh_proxy_tell(r, false);
	rcu_assign_pointer(neigh_resolvers[r->af], NULL);
	ledger_remove(&r->ledger);
	sysctls_remove(r);
	netif_unlock();
	synchronize_rcu();
	neigh_flush(NULL, r->af, false);
}
EXPORT(neigh_resolver_unregister);
