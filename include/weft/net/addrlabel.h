/* SPDX-License-Identifier: MIT */
/* addrlabel.h - the policy table of RFC 6724 2.1: prefixes have labels, and a source whose label is
 * its destination's is preferred. A family brings its defaults; users change them. Changes under
 * netif_lock, look-ups under RCU. */
#pragma once

#include <weft/list.h>
#include <weft/net/addr.h>
#include <weft/rcu.h>

#define ADDR_LABEL_NONE 0xffffffffu

struct addr_label {
	struct list_head node; /* the longest prefix first */
	struct rcu_head rcu;
	struct ip_addr prefix;
	u32 ifindex; /* 0: wherever it is */
	u32 label;
	u8 plen;
};

/* spec is copied (node, rcu ignored). -EEXIST its prefix has one on that interface, unless replace;
 * -EINVAL, -ENOMEM, -ENOBUFS beyond the bound. */
int addr_label_set(const struct addr_label *spec, bool replace);
int addr_label_del(const struct addr_label *spec); /* -ESRCH */
void addr_label_flush(u32 ifindex);		   /* those of that interface; 0: all there are */
/* ADDR_LABEL_NONE: no entry says anything of it. */
u32 addr_label_find(const struct ip_addr *addr, u32 ifindex);
void addr_label_for_each(void (*fn)(const struct addr_label *l, void *arg), void *arg);
