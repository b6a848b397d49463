/* SPDX-License-Identifier: MIT */
/* registry.c - what modules register with the socket layer: address families, ioctl ranges, and who
 * knows the interfaces by name. Looked up under RCU and entered by a counted door, so that after
 * unregistering nobody is inside. */
#define LOG_NAME "socket: "
#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/string.h>
#include <weft/time.h>

#include "socket_internal.h"

#define DOOR_PATIENCE (2 * NSEC_PER_SEC)

static DEFINE_MUTEX(registry_mutex);
static struct socket_family *families[AF_MAX]; /* written under registry_mutex, read under RCU */
static LIST_HEAD(ioctls);		       /* likewise */
static struct socket_netif_ops *netif_ops;     /* likewise */

/* For ever, if need be: the exit that waits here runs in a thread of its own, and rmmod has
 * answered. */
static void door_shut(struct door *d, const char *what)
{
	while (door_close(d, DOOR_PATIENCE))
		pr_warn("%s: somebody is still inside\n", what);
}

/* ---- families ---- */

static void family_undo(struct ledger_entry *e)
{
	socket_family_unregister(container_of(e, struct socket_family, ledger));
}

int socket_family_register_owner(struct socket_family *f, struct module *owner)
{
	int err = 0;

	if (f->family >= AF_MAX || !f->create)
		return -EINVAL;
	mutex_lock(&registry_mutex);
	if (families[f->family]) {
		err = -EEXIST;
	} else {
		f->owner = owner;
		door_init(&f->door);
		ledger_add(&f->ledger, owner, "socket family", f->name, family_undo);
		rcu_assign_pointer(families[f->family], f);
	}
	mutex_unlock(&registry_mutex);
	return err;
}
EXPORT(socket_family_register_owner);

void socket_family_unregister(struct socket_family *f)
{
	ledger_remove(&f->ledger);
	mutex_lock(&registry_mutex);
	if (f->family < AF_MAX && families[f->family] == f)
		rcu_assign_pointer(families[f->family], NULL);
	mutex_unlock(&registry_mutex);
	door_shut(&f->door, f->name);
}
EXPORT(socket_family_unregister);

struct socket_family *socket_family_enter(int family)
{
	struct socket_family *f;

	rcu_read_lock();
	f = rcu_dereference(families[family]);
	if (f && !door_enter(&f->door))
		f = NULL;
	rcu_read_unlock();
	return f;
}

/* ---- ioctls ---- */

static void ioctl_undo(struct ledger_entry *e)
{
	socket_ioctl_unregister(container_of(e, struct socket_ioctl, ledger));
}

int socket_ioctl_register_owner(struct socket_ioctl *i, struct module *owner)
{
	char name[32];

	if (i->last < i->first || !i->fn)
		return -EINVAL;
	i->owner = owner;
	door_init(&i->door);
	snprintf(name, sizeof(name), "0x%x..0x%x", i->first, i->last);
	ledger_add(&i->ledger, owner, "socket ioctl", name, ioctl_undo);
	mutex_lock(&registry_mutex);
	list_add_tail(&i->node, &ioctls);
	mutex_unlock(&registry_mutex);
	return 0;
}
EXPORT(socket_ioctl_register_owner);

void socket_ioctl_unregister(struct socket_ioctl *i)
{
	ledger_remove(&i->ledger);
	mutex_lock(&registry_mutex);
	if (i->node.next)
		list_del_rcu(&i->node);
	mutex_unlock(&registry_mutex);
	door_shut(&i->door, "ioctl");
	i->node.next = NULL;
}
EXPORT(socket_ioctl_unregister);

/* The owner after the first `skip` ones that claim cmd; through its door. */
static struct socket_ioctl *ioctl_enter(u32 cmd, u32 skip)
{
	struct socket_ioctl *i, *found = NULL;

	rcu_read_lock();
	list_for_each_entry(i, &ioctls, node) {
		if (cmd < i->first || cmd > i->last || skip-- || !door_enter(&i->door))
			continue;
		found = i;
		break;
	}
	rcu_read_unlock();
	return found;
}

long socket_ioctl_registered(struct socket *s, u32 cmd, unsigned long arg)
{
	struct socket_ioctl *i;
	long ret = -ENOIOCTLCMD;
	u32 skip = 0;

	while (ret == -ENOIOCTLCMD && (i = ioctl_enter(cmd, skip++))) {
		ret = i->fn(s, cmd, arg);
		door_leave(&i->door);
	}
	return ret;
}

/* ---- interfaces ---- */

static void netif_undo(struct ledger_entry *e)
{
	socket_netif_unregister(container_of(e, struct socket_netif_ops, ledger));
}

int socket_netif_register_owner(struct socket_netif_ops *o, struct module *owner)
{
	int err = -EEXIST;

	mutex_lock(&registry_mutex);
	if (!netif_ops) {
		door_init(&o->door);
		ledger_add(&o->ledger, owner, "interface names", "socket", netif_undo);
		rcu_assign_pointer(netif_ops, o);
		err = 0;
	}
	mutex_unlock(&registry_mutex);
	return err;
}
EXPORT(socket_netif_register_owner);

void socket_netif_unregister(struct socket_netif_ops *o)
{
	ledger_remove(&o->ledger);
	mutex_lock(&registry_mutex);
	if (netif_ops == o)
		rcu_assign_pointer(netif_ops, NULL);
	mutex_unlock(&registry_mutex);
	door_shut(&o->door, "interface names");
}
EXPORT(socket_netif_unregister);

static struct socket_netif_ops *netif_enter(void)
{
	struct socket_netif_ops *o;

	rcu_read_lock();
	o = rcu_dereference(netif_ops);
	if (o && !door_enter(&o->door))
		o = NULL;
	rcu_read_unlock();
	return o;
}

u32 socket_netif_index(const char *name)
{
	struct socket_netif_ops *o = netif_enter();
	u32 index = 0;

	if (o) {
		index = o->index(name);
		door_leave(&o->door);
	}
	return index;
}

int socket_netif_name(u32 index, char name[IFNAMSIZ])
{
	struct socket_netif_ops *o = netif_enter();
	int err = -ENODEV;

	if (o) {
		err = o->name(index, name);
		door_leave(&o->door);
	}
	return err;
}
