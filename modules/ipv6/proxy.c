/* SPDX-License-Identifier: MIT */
/* proxy.c - answering for others: for stations that a user named (RFC 4861 7.2.8), and for anycast
 * addresses, which others have as well (7.2.7). Such answers override nobody's and wait a random
 * moment, in a bounded queue. */
#include "ipv6.h"

#include <weft/random.h>

#define WAITING_MAX 64
/* Below MAX_ANYCAST_DELAY_TIME, a second, after which askers ask again. */
#define DELAY_MAX_MS 800

struct answer {
	struct list_head node;
	struct ip_addr target, asker; /* asker any: to all nodes */
	u64 due;		      /* ktime */
	u32 ifindex;
	bool knows_hw;
	u8 hw[LINK_ADDR_MAX];
};

static LIST_HEAD(waiting); /* guarded by lock, as the next */
static u32 nr_waiting;
static struct spinlock lock = SPINLOCK_INIT;
static struct work work;

/* Under RCU. *router: whoever has the address is one. */
static bool speaks_for(const struct netif *nif, const struct ip_addr *addr, bool *router)
{
	const struct ipv6_if *i = ipv6_if(nif);

	*router = ipv6_is_router(nif);
	if (i && anycast_is(i, addr))
		return true;
	return i && *router &&
	       (READ_ONCE(ipv6_conf_all.proxy_ndp) || READ_ONCE(i->conf.proxy_ndp)) &&
	       neigh_proxy_find(nif, addr, router);
}

bool proxy_speaks_for(const struct netif *nif, const struct ip_addr *addr)
{
	bool router;

	return speaks_for(nif, addr, &router);
}

/* Under RCU. */
static void send(struct netif *nif, const struct answer *a)
{
	bool all = ip_addr_is_any(&a->asker), router;
	u8 ll[ND_LL_MAX];
	struct nd_message m = {
		.dst = all ? &ipv6_all_nodes : &a->asker,
		.target = &a->target,
		.hw = a->knows_hw && !all ? a->hw : NULL,
		.options = ll,
		.type = ND_NA,
		.flags = all ? 0 : ND_NA_SOLICITED,
	};

	/* it may have been taken back meanwhile */
	if (!speaks_for(nif, &a->target, &router))
		return;
	m.flags |= router ? ND_NA_ROUTER : 0;
	m.options_len = nd_put_ll(nif, ll, ND_OPT_TARGET_LL);
	nd_send_message(nif, &m);
}

static void enqueue(const struct answer *a)
{
	struct answer *copy = kmalloc(sizeof(*copy));
	bool room;

	if (!copy) {
		ip_drop_count(DROP_NO_MEMORY);
		return;
	}
	*copy = *a;
	copy->due = ktime_get() + random_below(DELAY_MAX_MS) * NSEC_PER_MSEC;
	spin_lock(&lock);
	room = nr_waiting < WAITING_MAX;
	if (room) {
		nr_waiting++;
		list_add_tail(&copy->node, &waiting);
	}
	spin_unlock(&lock);
	if (room) {
		/* which may put off another's time: a run looks at all of them */
		work_schedule(&work);
		return;
	}
	ip_drop_count(DROP_ND_QUEUE);
	kfree(copy);
}

void proxy_answer(struct netif *nif, const struct ip_addr *target, const struct ip_addr *asker,
		  const u8 *hw, bool at_once)
{
	struct answer a = {
		.target = *target,
		.asker = *asker,
		.ifindex = nif->index,
		.knows_hw = hw,
	};

	if (hw)
		memcpy(a.hw, hw, nif->link->addr_len);
	if (at_once)
		send(nif, &a);
	else
		enqueue(&a);
}

/* One that is due, out of the queue, or NULL with the time when one will be (0: none). */
static struct answer *take_due(u64 now, u64 *next)
{
	struct answer *a, *found = NULL;

	*next = 0;
	spin_lock(&lock);
	list_for_each_entry(a, &waiting, node) {
		if (a->due <= now) {
			found = a;
			break;
		}
		*next = ipv6_sooner(*next, a->due);
	}
	if (found) {
		list_del(&found->node);
		nr_waiting--;
	}
	spin_unlock(&lock);
	return found;
}

static void step(struct work *w)
{
	struct answer *a;
	u64 next;

	while ((a = take_due(ktime_get(), &next)) != NULL) {
		struct netif *nif;

		rcu_read_lock();
		nif = netif_by_index(a->ifindex);
		if (nif && netif_running(nif))
			send(nif, a);
		rcu_read_unlock();
		kfree(a);
	}
	if (next)
		work_schedule_at(w, next);
}

/* ---- what is for whom this host answers ---- */

bool proxy_hears(const struct netif *nif, const struct pkt *p, const struct ipv6_header *h)
{
	u8 type = h->payload_len ? p->data[IPV6_HEADER] : 0;

	return h->next == IPPROTO_ICMPV6 && (type == ND_NS || type == ND_NA) &&
	       proxy_speaks_for(nif, &h->dst);
}

int proxy_group(struct netif *nif, const struct ip_addr *addr, bool on)
{
	struct ip_addr group = ipv6_solicited_node(addr);

	return on ? ip_group_join(nif, &group) : ip_group_leave(nif, &group);
}

void proxy_init(void)
{
	work_init(&work, step);
}

void proxy_exit(void)
{
	struct answer *a;

	work_cancel_sync(&work);
	while ((a = list_first_entry_or_null(&waiting, struct answer, node)) != NULL) {
		list_del(&a->node);
		nr_waiting--;
		kfree(a);
	}
}
