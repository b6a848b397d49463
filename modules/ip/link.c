/* SPDX-License-Identifier: MIT */
/* link.c - the table of link types. While a type is not loaded, its interfaces have the sink's:
 * they drop what they receive and cannot come up. */
#include "ip.h"

static LIST_HEAD(links); /* guarded by netif_lock */

static int sink_input(struct netif *nif, struct pkt *p)
{
	netif_stats_this(nif)->rx_dropped++;
	return ip_drop(p, DROP_NO_LINK_TYPE);
}

static void sink_header(const struct netif *nif, u8 *hdr, u16 ethertype, const u8 *dst,
			const u8 *src)
{
}

static int no_multicast(const struct ip_addr *group, u8 *addr)
{
	return -EINVAL;
}

static bool any_address(const u8 *addr)
{
	return true;
}

static const struct link_type link_sink = {
	.name = "none",
	.input = sink_input,
	.header = sink_header,
	.multicast = no_multicast,
	.valid_addr = any_address,
};

bool link_is_sink(const struct link_type *l)
{
	return l == &link_sink;
}

const struct link_type *link_type_find(u16 type)
{
	struct link_type *l;

	list_for_each_entry(l, &links, node) {
		if (l->type == type && type)
			return l;
	}
	return &link_sink;
}

static void undo_link_type(struct ledger_entry *e)
{
	link_type_unregister(container_of(e, struct link_type, ledger));
}

int link_type_register_owner(struct link_type *l, struct module *owner)
{
	struct netif *nif;

	if (!l->type || !l->input || !l->header || l->addr_len > LINK_ADDR_MAX ||
	    l->header_len > LINK_HEADER_MAX)
		return -EINVAL;
	if (!l->multicast)
		l->multicast = no_multicast;
	if (!l->valid_addr)
		l->valid_addr = any_address;
	netif_lock();
	if (!link_is_sink(link_type_find(l->type))) {
		netif_unlock();
		return -EEXIST;
	}
	l->owner = owner;
	list_add_tail(&l->node, &links);
	ledger_add(&l->ledger, owner, "link type", l->name, undo_link_type);
	netif_for_each(nif) {
		if (nif->type == l->type)
			WRITE_ONCE(nif->link, l);
	}
	netif_unlock();
	return 0;
}
EXPORT(link_type_register_owner);

void link_type_unregister(struct link_type *l)
{
	struct netif *nif;

	netif_lock();
	netif_for_each(nif) {
		if (nif->link != l)
			continue;
		netif_down(nif);
		WRITE_ONCE(nif->link, &link_sink);
	}
	list_del(&l->node);
	ledger_remove(&l->ledger);
	synchronize_rcu();
	netif_unlock();
}
EXPORT(link_type_unregister);

u32 link_type_show(struct seq *s)
{
	struct link_type *l;
	u32 n = 0;

	seq_puts(s, "arphrd name       address header mtu    module\n");
	netif_lock();
	list_for_each_entry(l, &links, node) {
		seq_printf(s, "%-6u %-10s %-7u %-6u %-6u %s\n", l->type, l->name, l->addr_len,
			   l->header_len, l->default_mtu, module_name(l->owner));
		n++;
	}
	netif_unlock();
	return n;
}
