/* SPDX-License-Identifier: MIT */
/* main.c - the IP core: tables that link types, network layers, transports and drivers register
 * with, and what lies between them: interfaces, addresses, routes, neighbours, flows, raw
 * sockets. It names no protocol above or below it. */
#include "ip.h"

u32 ip_hash_seed;

/* rmmod -f of a driver or a link type: its interfaces go down, so that nothing holds it. */
static void force_down(struct module_force *f, struct module *m)
{
	struct netif *nif;

	netif_lock();
	netif_for_each(nif) {
		if (netif_is_up(nif) && (nif->owner == m || nif->link->owner == m))
			netif_down(nif);
	}
	netif_unlock();
}

static struct module_force force = { .fn = force_down };

static const struct {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ pmtu_init, pmtu_exit },	  { drop_init, drop_exit },
	{ mib_init, mib_exit },		  { port_init, port_exit },
	{ route_init, route_exit },	  { redirect_init, redirect_exit },
	{ ifaddr_init, ifaddr_exit },	  { neigh_init, neigh_exit },
	{ loopback_init, loopback_exit }, { stamps_init, stamps_exit },
	{ mcast_init, mcast_exit },	  { flowlabel_init, flowlabel_exit },
	{ raw_init, raw_exit },		  { procnet_init, procnet_exit },
	{ ioctl_init, ioctl_exit },	  { family_init, family_exit },
};

static void parts_exit(u32 n)
{
	while (n--)
		parts[n].exit();
	rcu_barrier();
}

static int ip_init(void)
{
	ip_hash_seed = random_u32();
	proto_init();
	diag_init();
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		int err = parts[i].init();

		if (err) {
			parts_exit(i);
			return err;
		}
	}
	module_on_force(&force);
	return 0;
}

static void ip_exit(void)
{
	module_off_force(&force);
	parts_exit(ARRAY_SIZE(parts));
}

module_entry_points(ip_init, ip_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("IP core: interfaces, addresses, routes, neighbours, flows, raw sockets");
MODULE_ALIAS("net-pf-2");
