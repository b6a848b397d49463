/* SPDX-License-Identifier: MIT */
/* addrlabel.c - the policy table: a short list, the longest prefixes first, so that the first that
 * fits is the one. */
#include "ip.h"

#include <weft/net/addrlabel.h>

#define LABELS_MAX 256

static LIST_HEAD(labels); /* netif_lock to change, RCU to read */
static u32 nr_labels;	  /* netif_lock */

/* IPv4 addresses are mapped ones here: prefixes count 128 bits. */
static bool covers(const struct addr_label *l, const struct ip_addr *addr)
{
	return ip_addr_common_bits(addr, &l->prefix) >= l->plen;
}

static struct ip_addr masked(const struct ip_addr *a, u32 plen)
{
	struct ip_addr out = *a;

	for (u32 k = 0; k < 16; k++) {
		u32 bits = plen > k * 8 ? min(plen - k * 8, 8u) : 0;

		out.b[k] &= 0xff00 >> bits;
	}
	return out;
}

static struct addr_label *find_equal(const struct addr_label *spec)
{
	struct addr_label *l;

	list_for_each_entry(l, &labels, node) {
		if (l->plen == spec->plen && l->ifindex == spec->ifindex &&
		    covers(l, &spec->prefix))
			return l;
	}
	return NULL;
}

/* Behind all that are as long, but before those for every interface. */
static void insert(struct addr_label *new)
{
	struct addr_label *l;

	list_for_each_entry(l, &labels, node) {
		if (l->plen < new->plen || (l->plen == new->plen &&new->ifindex && !l->ifindex))
			break;
	}
	list_add_tail(&new->node, &l->node);
	nr_labels++;
}

static void free_rcu(struct rcu_head *h)
{
	kfree(container_of(h, struct addr_label, rcu));
}

static void forget(struct addr_label *l)
{
	list_del_rcu(&l->node);
	nr_labels--;
	call_rcu(&l->rcu, free_rcu);
}

int addr_label_set(const struct addr_label *spec, bool replace)
{
	struct addr_label *l = find_equal(spec);

	if (spec->plen > 128 || spec->label == ADDR_LABEL_NONE)
		return -EINVAL;
	if (l && !replace)
		return -EEXIST;
	if (l) {
		WRITE_ONCE(l->label, spec->label);
		route_changed(); /* sources were chosen by the old one */
		return 0;
	}
	if (nr_labels >= LABELS_MAX)
		return -ENOBUFS;
	l = kmalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = *spec;
	l->prefix = masked(&spec->prefix, spec->plen);
	insert(l);
	route_changed();
	return 0;
}
EXPORT(addr_label_set);

int addr_label_del(const struct addr_label *spec)
{
	struct addr_label *l = find_equal(spec);

	if (!l)
		return -ESRCH;
	forget(l);
	route_changed();
	return 0;
}
EXPORT(addr_label_del);

void addr_label_flush(u32 ifindex)
{
	struct addr_label *l, *next;

	list_for_each_entry_safe(l, next, &labels, node) {
		if (!ifindex || l->ifindex == ifindex)
			forget(l);
	}
	route_changed();
}
EXPORT(addr_label_flush);

u32 addr_label_find(const struct ip_addr *addr, u32 ifindex)
{
	const struct addr_label *l;

	list_for_each_entry(l, &labels, node) {
		if ((!l->ifindex || l->ifindex == ifindex) && covers(l, addr))
			return READ_ONCE(l->label);
	}
	return ADDR_LABEL_NONE;
}
EXPORT(addr_label_find);

void addr_label_for_each(void (*fn)(const struct addr_label *l, void *arg), void *arg)
{
	const struct addr_label *l;

	list_for_each_entry(l, &labels, node)
		fn(l, arg);
}
EXPORT(addr_label_for_each);
