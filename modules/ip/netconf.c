/* SPDX-License-Identifier: MIT */
/* netconf.c - what a user changes on an interface: up and down, flags, MTU, hardware address,
 * and the filter of link-level groups. All under netif_lock. An interface that is up holds the
 * module of its link type, by name, until it goes down. It does not hold its driver: a driver may
 * leave, as on Linux, and the interface waits, parked, for the next one. */
#include "ip.h"

static void rx_mode_changed(struct netif *nif)
{
	u32 flags = nif->flags & ~(u32)(IFF_PROMISC | IFF_ALLMULTI);

	if (nif->promisc_users || (nif->user_flags & IFF_PROMISC))
		flags |= IFF_PROMISC;
	if (nif->allmulti_users || (nif->user_flags & IFF_ALLMULTI))
		flags |= IFF_ALLMULTI;
	WRITE_ONCE(nif->flags, flags);
	if (netif_is_up(nif) && nif->driver->ops.rx_mode)
		nif->driver->ops.rx_mode(nif);
}

/* A driver that brings its own link type needs no hold, nor does lo, which is this module's own. */
static bool hold_link(struct netif *nif)
{
	if (nif->link->owner == THIS_MODULE || nif->link->owner == nif->owner)
		return true;
	return module_hold_named(nif->link->owner, &nif->link_ref, "interface", nif->name);
}

int netif_up(struct netif *nif)
{
	int err;

	if (!netif_present(nif))
		return -ENODEV;
	if (netif_is_up(nif))
		return 0;
	if (link_is_sink(nif->link))
		return -EPROTONOSUPPORT;
	if (!hold_link(nif))
		return -ENODEV;
	nif->tx_full = false;
	err = nif->driver->ops.open(nif);
	if (err) {
		module_release(&nif->link_ref);
		return err;
	}
	WRITE_ONCE(nif->flags, nif->flags | IFF_UP);
	rx_mode_changed(nif);
	route_nif_up(nif);
	if (nif->flags & IFF_LOOPBACK)
		loopback_addresses(0);
	netif_notify(nif, NETIF_UP);
	return 0;
}
EXPORT(netif_up);

void netif_down(struct netif *nif)
{
	if (!netif_is_up(nif))
		return;
	WRITE_ONCE(nif->flags, nif->flags & ~(u32)IFF_UP);
	route_changed();
	/* from here on nobody enters xmit */
	synchronize_rcu();
	nif->driver->ops.stop(nif);
	neigh_flush_nif(nif, false);
	waiters_fire(&nif->tx_waiters);
	netif_notify(nif, NETIF_DOWN);
	module_release(&nif->link_ref);
}
EXPORT(netif_down);

int netif_set_flags(struct netif *nif, u32 flags)
{
	u32 changed = flags ^ nif->flags;

	nif->user_flags = flags & (IFF_PROMISC | IFF_ALLMULTI);
	rx_mode_changed(nif);
	if (changed & IFF_NOARP) {
		WRITE_ONCE(nif->flags, nif->flags ^ IFF_NOARP);
		neigh_flush_nif(nif, false);
		route_changed();
	}
	if (!(changed & IFF_UP))
		return 0;
	if (flags & IFF_UP)
		return netif_up(nif);
	netif_down(nif);
	return 0;
}
EXPORT(netif_set_flags);

u32 netif_user_flags(const struct netif *nif)
{
	u32 flags = READ_ONCE(nif->flags) &
		    ~(u32)(IFF_RUNNING | IFF_LOWER_UP | IFF_PROMISC | IFF_ALLMULTI);

	flags |= nif->user_flags;
	if (netif_running(nif))
		flags |= IFF_RUNNING | IFF_LOWER_UP;
	return flags;
}
EXPORT(netif_user_flags);

int netif_set_mtu(struct netif *nif, u32 mtu)
{
	int err = 0;

	if (!netif_present(nif))
		return -ENODEV;
	if (mtu < nif->min_mtu || mtu > nif->max_mtu)
		return -EINVAL;
	if (mtu == nif->mtu)
		return 0;
	if (nif->driver->ops.set_mtu)
		err = nif->driver->ops.set_mtu(nif, mtu);
	if (err)
		return err;
	WRITE_ONCE(nif->mtu, mtu);
	route_changed();
	netif_notify(nif, NETIF_MTU);
	return 0;
}
EXPORT(netif_set_mtu);

int netif_set_mac(struct netif *nif, const u8 *mac)
{
	int err = 0;

	if (!netif_present(nif))
		return -ENODEV;
	if (netif_is_up(nif))
		return -EBUSY;
	if (!nif->link->valid_addr(mac))
		return -EADDRNOTAVAIL;
	if (nif->driver->ops.set_mac)
		err = nif->driver->ops.set_mac(nif, mac);
	if (err)
		return err;
	memcpy(nif->mac, mac, nif->link->addr_len);
	neigh_flush_nif(nif, false);
	route_changed();
	netif_notify(nif, NETIF_ADDRESS);
	return 0;
}
EXPORT(netif_set_mac);

void netif_promisc(struct netif *nif, int delta)
{
	nif->promisc_users += delta;
	if (netif_present(nif))
		rx_mode_changed(nif);
}
EXPORT(netif_promisc);

void netif_allmulti(struct netif *nif, int delta)
{
	nif->allmulti_users += delta;
	if (netif_present(nif))
		rx_mode_changed(nif);
}
EXPORT(netif_allmulti);

/* ---- link-level groups ---- */

static struct netif_mcast *mcast_find(struct netif *nif, const u8 *addr)
{
	struct netif_mcast *m;

	list_for_each_entry(m, &nif->mcast, node) {
		if (!memcmp(m->addr, addr, nif->link->addr_len))
			return m;
	}
	return NULL;
}

int netif_mcast_add(struct netif *nif, const u8 *addr)
{
	struct netif_mcast *m = mcast_find(nif, addr);

	if (m) {
		m->users++;
		return 0;
	}
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	memcpy(m->addr, addr, nif->link->addr_len);
	m->users = 1;
	list_add_tail(&m->node, &nif->mcast);
	if (netif_present(nif))
		rx_mode_changed(nif);
	return 0;
}
EXPORT(netif_mcast_add);

void netif_mcast_del(struct netif *nif, const u8 *addr)
{
	struct netif_mcast *m = mcast_find(nif, addr);

	if (!m || --m->users)
		return;
	list_del(&m->node);
	kfree(m);
	if (netif_present(nif))
		rx_mode_changed(nif);
}
EXPORT(netif_mcast_del);
