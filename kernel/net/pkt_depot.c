/* SPDX-License-Identifier: MIT */
/* pkt_depot.c - pool buffers between CPUs. A packet that one CPU receives is freed by another where
 * its reader runs there: the second's stack would overflow into the slab while the first's is had
 * from it, two objects a packet. So stacks change hands as a whole, and a few wait here for the
 * next burst. They are given back when memory is short. */
#include <core/net.h>

#include "pkt_internal.h"

#define DEPOT_MAX 8 /* stacks: 1.2 MB */

/* guarded by depot_lock */
static struct spinlock depot_lock = SPINLOCK_INIT;
static struct list_head *depot[DEPOT_MAX];
static u32 nr_depot;

bool pkt_depot_give(struct list_head *stack)
{
	bool taken = false;

	spin_lock(&depot_lock);
	if (nr_depot < DEPOT_MAX) {
		depot[nr_depot] = stack;
		WRITE_ONCE(nr_depot, nr_depot + 1);
		taken = true;
	}
	spin_unlock(&depot_lock);
	return taken;
}

struct list_head *pkt_depot_take(void)
{
	struct list_head *stack = NULL;

	if (!READ_ONCE(nr_depot))
		return NULL;
	spin_lock(&depot_lock);
	if (nr_depot) {
		WRITE_ONCE(nr_depot, nr_depot - 1);
		stack = depot[nr_depot];
	}
	spin_unlock(&depot_lock);
	return stack;
}
