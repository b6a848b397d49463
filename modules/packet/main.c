/* SPDX-License-Identifier: MIT */
/* main.c - packet sockets (AF_PACKET, packet(7)): frames as they are on a link, for capture, DHCP
 * and ARP tools. The module is an address family and, for each socket that listens, a tap; nothing
 * else in the system knows that it is there. */
#include "packet.h"

#include <weft/module.h>
#include <weft/net/diag.h>
#include <weft/seqfile.h>

static struct spinlock all_lock = SPINLOCK_INIT;
static LIST_HEAD(all); /* of struct packet_sock */

void packet_list_add(struct packet_sock *ps)
{
	spin_lock(&all_lock);
	list_add_tail(&ps->all_node, &all);
	spin_unlock(&all_lock);
}

void packet_list_remove(struct packet_sock *ps)
{
	spin_lock(&all_lock);
	list_del(&ps->all_node);
	spin_unlock(&all_lock);
}

/* Readers of an interface that goes down hear of it once; those of one whose driver left find no
 * device until another driver takes it over, and then go on. */
static void netif_changed(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	struct packet_sock *ps;

	if (ev != NETIF_DOWN && ev != NETIF_GONE)
		return;
	spin_lock(&all_lock);
	list_for_each_entry(ps, &all, all_node) {
		if (READ_ONCE(ps->ifindex) != nif->index)
			continue;
		if (ev == NETIF_DOWN)
			socket_set_error(ps->s, ENETDOWN);
		else if (!READ_ONCE(ps->s->error))
			socket_set_error(ps->s, ENODEV);
	}
	spin_unlock(&all_lock);
}

static int show(struct seq *s)
{
	struct packet_sock *ps;

	seq_puts(s, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	spin_lock(&all_lock);
	list_for_each_entry(ps, &all, all_node) {
		const struct socket *sock = ps->s;

		/* no address of ours is shown; inode tells sockets apart */
		seq_printf(s, "%016x %-6d %-4d %04x   %-5u %d %-6u %-6u %-6lu\n", 0, 3, sock->type,
			   ps->protocol, ps->ifindex, ps->listening, READ_ONCE(sock->rx_bytes),
			   sock->uid, sock->ino);
	}
	spin_unlock(&all_lock);
	return 0;
}

static struct netif_watcher watcher = { .name = "packet", .event = netif_changed };
static struct procfile file = { .path = "net/packet", .mode = 0444, .show = show };
static struct socket_family family = {
	.family = AF_PACKET,
	.name = "packet",
	.create = packet_create,
};

static int __init packet_init(void)
{
	int err = procfile_add(&file);

	if (err)
		return err;
	netif_watch(&watcher);
	err = diag_register(&packet_diag);
	if (!err)
		err = socket_family_register(&family);
	if (err) {
		diag_unregister(&packet_diag);
		netif_unwatch(&watcher);
		procfile_remove(&file);
	}
	return err;
}

static void __exit packet_exit(void)
{
	socket_family_unregister(&family);
	diag_unregister(&packet_diag);
	netif_unwatch(&watcher);
	procfile_remove(&file);
}

module_entry_points(packet_init, packet_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Packet sockets: frames as they are on a link");
MODULE_ALIAS("net-pf-17");
