/* SPDX-License-Identifier: MIT */
/* family.c - address families, both ways: what a network layer registers for the send path, and
 * AF_INET and AF_INET6 in the core's socket table. socket(2) finds its transport by type and
 * number, and asks for the module when it is not there. Without any datagram transport an
 * AF_INET datagram socket still opens, for ifconfig and route, and can do nothing but ioctls. */
#include "ip.h"

#include <weft/sched.h>

#define DOOR_TIMEOUT_NS (2 * NSEC_PER_SEC)

struct ip_family *ip_families[AF_MAX];
static int fallback_ttl = 64; /* RFC 1122 3.2.1.7, IANA's recommendation */

struct ip_family *ip_family_find(u16 af)
{
	return af < AF_MAX ? rcu_dereference(ip_families[af]) : NULL;
}
EXPORT(ip_family_find);

static void undo_family(struct ledger_entry *e)
{
	ip_family_unregister(container_of(e, struct ip_family, ledger));
}

static bool prepend_nothing(const struct netif *nif, struct flow *f, struct pkt *p)
{
	return false;
}

int ip_family_register_owner(struct ip_family *fam, struct module *owner)
{
	if (fam->af >= AF_MAX || !fam->output || !fam->source || !fam->classify || !fam->addr_check)
		return -EINVAL;
	if (!fam->default_ttl)
		fam->default_ttl = &fallback_ttl;
	if (!fam->prepend)
		fam->prepend = prepend_nothing;
	netif_lock();
	if (ip_families[fam->af]) {
		netif_unlock();
		return -EEXIST;
	}
	fam->owner = owner;
	door_init(&fam->door);
	ledger_add(&fam->ledger, owner, "address family", fam->name, undo_family);
	rcu_assign_pointer(ip_families[fam->af], fam);
	route_changed();
	loopback_addresses(fam->af);
	netif_unlock();
	return 0;
}
EXPORT(ip_family_register_owner);

void ip_family_unregister(struct ip_family *fam)
{
	netif_lock();
	if (ip_families[fam->af] == fam)
		rcu_assign_pointer(ip_families[fam->af], NULL);
	redirect_flush(fam->af);
	route_changed();
	ledger_remove(&fam->ledger);
	netif_unlock();
	/* its callbacks run under RCU, or under netif_lock inside the door */
	if (door_close(&fam->door, DOOR_TIMEOUT_NS))
		pr_warn("%s: somebody is still inside\n", fam->name);
}
EXPORT(ip_family_unregister);

static struct ip_family *family_enter(u16 af)
{
	struct ip_family *fam;

	rcu_read_lock();
	fam = ip_family_find(af);
	if (fam && !door_enter(&fam->door))
		fam = NULL;
	rcu_read_unlock();
	return fam;
}

int ip_family_addr_check(struct ifaddr *a)
{
	struct ip_family *fam = family_enter(a->af);
	int err;

	if (!fam)
		return -EAFNOSUPPORT;
	err = fam->addr_check(a);
	door_leave(&fam->door);
	return err;
}

void ip_family_addr_event(struct ifaddr *a, bool added)
{
	struct ip_family *fam = family_enter(a->af);

	if (!fam)
		return;
	if (fam->addr_event)
		fam->addr_event(a, added);
	door_leave(&fam->door);
}

void ip_family_group_event(struct netif *nif, struct ip_group *g)
{
	struct ip_family *fam = family_enter(ip_addr_family(&g->group));

	if (!fam)
		return;
	if (fam->group_event)
		fam->group_event(nif, g);
	door_leave(&fam->door);
}

int ip_family_anycast(struct netif *nif, const struct ip_addr *addr, u32 *ticket, bool on)
{
	struct ip_family *fam = family_enter(ip_addr_family(addr));
	int err = -EADDRNOTAVAIL;

	if (!fam)
		return err;
	if (fam->anycast)
		err = fam->anycast(nif, addr, ticket, on);
	door_leave(&fam->door);
	return err;
}

void ip_family_show(struct seq *s)
{
	seq_puts(s, "family    name       ethertype module\n");
	netif_lock();
	for (u32 i = 0; i < AF_MAX; i++) {
		if (ip_families[i])
			seq_printf(s, "%-9u %-10s 0x%04x    %s\n", i, ip_families[i]->name,
				   ip_families[i]->ethertype, module_name(ip_families[i]->owner));
	}
	netif_unlock();
}

/* ---- socket(2) ---- */

/* All other callbacks are unset: the core answers -EOPNOTSUPP. */
static void carrier_close(struct socket *s)
{
}

static const struct socket_ops carrier_ops = {
	.close = carrier_close,
};

static bool family_loaded(u16 af)
{
	bool there;

	rcu_read_lock();
	there = ip_family_find(af);
	rcu_read_unlock();
	return there;
}

static struct ip_proto *find_or_load(struct socket *s, int *err)
{
	struct ip_proto *pr = ip_proto_find_socket(s->family, s->type, s->protocol, err);

	if (!pr) {
		request_module("net-pf-%u-proto-%d-type-%u", s->family, s->protocol, s->type);
		pr = ip_proto_find_socket(s->family, s->type, s->protocol, err);
	}
	if (!pr && s->protocol) {
		request_module("net-pf-%u-proto-%d", s->family, s->protocol);
		pr = ip_proto_find_socket(s->family, s->type, s->protocol, err);
	}
	return pr;
}

static int create(struct socket *s)
{
	struct ip_proto *pr;
	int err;

	if (s->protocol < 0 || s->protocol > 255)
		return -EINVAL;
	if (!family_loaded(s->family)) {
		request_module("net-pf-%u", s->family);
		if (!family_loaded(s->family) && s->family != AF_INET)
			return -EAFNOSUPPORT;
	}
	if (s->type == SOCK_RAW)
		return family_loaded(s->family) ? raw_create(s) : -EAFNOSUPPORT;
	pr = find_or_load(s, &err);
	if (!pr) {
		if (s->family != AF_INET || s->type != SOCK_DGRAM || s->protocol)
			return err;
		s->ops = &carrier_ops;
		return 0;
	}
	/* first the hold: a socket once made could not be taken back */
	err = socket_set_owner(s, pr->owner);
	if (!err)
		err = pr->socket(s);
	door_leave(&pr->door);
	return err;
}

static struct socket_family inet_family = {
	.family = AF_INET,
	.name = "inet",
	.create = create,
};
static struct socket_family inet6_family = {
	.family = AF_INET6,
	.name = "inet6",
	.create = create,
};

int family_init(void)
{
	int err = socket_family_register(&inet_family);

	if (err)
		return err;
	err = socket_family_register(&inet6_family);
	if (err)
		socket_family_unregister(&inet_family);
	return err;
}

void family_exit(void)
{
	socket_family_unregister(&inet6_family);
	socket_family_unregister(&inet_family);
}
