/* SPDX-License-Identifier: MIT */
/* proto.c - who speaks which netlink protocol. Looked up when a socket is made, which then holds
 * the module that speaks; the door is for those on the way there. */
#include "internal.h"

#include <weft/printk.h>
#include <weft/rcu.h>
#include <weft/time.h>

#define DOOR_TIMEOUT_NS (2 * NSEC_PER_SEC)

static DEFINE_MUTEX(protos_lock);
static LIST_HEAD(protos); /* protos_lock to change, RCU to read */

static struct netlink_proto *find(int number)
{
	struct netlink_proto *np;

	list_for_each_entry(np, &protos, node) {
		if (np->number == number)
			return np;
	}
	return NULL;
}

struct netlink_proto *netlink_proto_enter(int number)
{
	struct netlink_proto *np;

	rcu_read_lock();
	np = find(number);
	if (np && !door_enter(&np->door))
		np = NULL;
	rcu_read_unlock();
	return np;
}

static void undo(struct ledger_entry *e)
{
	netlink_unregister(container_of(e, struct netlink_proto, ledger));
}

int netlink_register_owner(struct netlink_proto *np, struct module *owner)
{
	int err = 0;

	if (!np->find || np->nr_groups > NL_GROUPS_MAX)
		return -EINVAL;
	mutex_lock(&protos_lock);
	if (find(np->number)) {
		err = -EEXIST;
	} else {
		np->owner = owner;
		door_init(&np->door);
		ledger_add(&np->ledger, owner, "netlink protocol", np->name, undo);
		list_add_tail(&np->node, &protos);
	}
	mutex_unlock(&protos_lock);
	return err;
}
EXPORT(netlink_register_owner);

void netlink_unregister(struct netlink_proto *np)
{
	mutex_lock(&protos_lock);
	if (np->node.next)
		list_del_rcu(&np->node);
	mutex_unlock(&protos_lock);
	ledger_remove(&np->ledger);
	while (door_close(&np->door, DOOR_TIMEOUT_NS))
		pr_warn("%s: somebody is still inside\n", np->name);
	np->node.next = NULL;
}
EXPORT(netlink_unregister);
