/* SPDX-License-Identifier: MIT */
/* acd.c - asking before using: with net/ipv4/acd_probe set, a new address stays tentative until
 * three ARP probes went unanswered (RFC 5227 2.1). Off by default, as on other systems: it takes
 * five seconds. What happens to addresses in use (2.4) is arp.c's business. */
#define LOG_NAME "acd: "
#include "ipv4.h"

#include <weft/printk.h>
#include <weft/random.h>
#include <weft/seqfile.h>

/* RFC 5227 1.1 */
#define PROBE_WAIT_NS (1 * NSEC_PER_SEC)
#define PROBE_NUM 3
#define PROBE_MIN_NS (1 * NSEC_PER_SEC)
#define PROBE_MAX_NS (2 * NSEC_PER_SEC)
#define ANNOUNCE_WAIT_NS (2 * NSEC_PER_SEC)
#define LINK_WAIT_NS (NSEC_PER_SEC / 2)

struct claim {
	struct list_head node;
	u32 ifindex, addr;
	u32 sent; /* probes, then announcements */
	u64 due;
	bool conflict;
};

static LIST_HEAD(claims); /* guarded by lock */
static struct spinlock lock = SPINLOCK_INIT;
static struct work work;
static int enabled;

static u64 up_to(u64 ns)
{
	return random_below((u32)(ns / NSEC_PER_USEC)) * NSEC_PER_USEC;
}

static struct claim *find_locked(u32 ifindex, u32 addr)
{
	struct claim *c;

	list_for_each_entry(c, &claims, node) {
		if (c->ifindex == ifindex && c->addr == addr)
			return c;
	}
	return NULL;
}

bool acd_wanted(const struct netif *nif)
{
	return READ_ONCE(enabled) && netif_resolves(nif);
}

/* It is this host's from here on. */
static void settle(struct ifaddr *a)
{
	ifaddr_change(a, a->flags & ~(u32)IFADDR_TENTATIVE, a->preferred_until, a->valid_until);
}

/* Under netif_lock. Without memory for a claim the address is used unprobed. */
static void addr_added(struct ifaddr *a)
{
	struct claim *c;

	if (!(a->flags & IFADDR_TENTATIVE))
		return;
	c = kzalloc(sizeof(*c));
	if (!c) {
		settle(a);
		return;
	}
	c->ifindex = a->nif->index;
	c->addr = ip_addr_to_v4(&a->addr);
	c->due = ktime_get() + up_to(PROBE_WAIT_NS);
	spin_lock(&lock);
	list_add_tail(&c->node, &claims);
	spin_unlock(&lock);
	work_schedule_at(&work, c->due);
}

/* Under netif_lock. */
static void forget(struct claim *c)
{
	spin_lock(&lock);
	list_del(&c->node);
	spin_unlock(&lock);
	kfree(c);
}

static void addr_removed(struct ifaddr *a)
{
	struct claim *c;

	spin_lock(&lock);
	c = find_locked(a->nif->index, ip_addr_to_v4(&a->addr));
	spin_unlock(&lock);
	if (c)
		forget(c);
}

void acd_addr_event(struct ifaddr *a, bool added)
{
	if (added)
		addr_added(a);
	else
		addr_removed(a);
}

/* RFC 5227 2.1.1: an answer, or somebody else's probe, for an address that is being probed. */
bool acd_heard(const struct netif *nif, u32 spa, u32 tpa)
{
	struct claim *c;

	if (list_empty(&claims))
		return false;
	spin_lock(&lock);
	c = find_locked(nif->index, spa ? spa : tpa);
	if (c && READ_ONCE(c->sent) > PROBE_NUM)
		c = NULL; /* it is ours by now, and defended */
	if (c) {
		c->conflict = true;
		c->due = 0;
	}
	spin_unlock(&lock);
	if (c)
		work_schedule(&work);
	return c;
}

/* A conflict heard of meanwhile is due at once, and stays so. */
static void set_due(struct claim *c, u64 wait)
{
	spin_lock(&lock);
	if (!c->conflict)
		c->due = ktime_get() + wait;
	spin_unlock(&lock);
}

/* One claim's next step, under netif_lock, without which none is deleted. True: it goes on.
 * It stays listed meanwhile: the answer to a probe may be here before the probe's sender has
 * returned. */
static bool advance(struct claim *c)
{
	struct ip_addr addr = ip_addr_v4(c->addr);
	struct netif *nif = netif_by_index(c->ifindex);
	struct ifaddr *a = nif ? ifaddr_find(nif, &addr) : NULL;

	if (!a)
		return false;
	if (READ_ONCE(c->conflict)) {
		pr_warn("%s: %u.%u.%u.%u is used by another station: given up\n", nif->name,
			c->addr >> 24, c->addr >> 16 & 255, c->addr >> 8 & 255, c->addr & 255);
		ifaddr_del(a); /* and with it, by addr_removed, this claim */
		return true;
	}
	if (!netif_running(nif)) {
		set_due(c, LINK_WAIT_NS);
		return true;
	}
	if (c->sent < PROBE_NUM) {
		c->sent++;
		set_due(c, c->sent == PROBE_NUM ?
				   ANNOUNCE_WAIT_NS :
				   PROBE_MIN_NS + up_to(PROBE_MAX_NS - PROBE_MIN_NS));
		arp_probe(nif, c->addr);
		return true;
	}
	if (c->sent == PROBE_NUM)
		settle(a);
	/* RFC 5227 2.3 */
	arp_announce(nif, c->addr);
	set_due(c, ANNOUNCE_INTERVAL_NS);
	WRITE_ONCE(c->sent, c->sent + 1);
	return c->sent < PROBE_NUM + ANNOUNCE_NUM;
}

/* A claim that is due, or NULL with the time when one will be (0: none is left). */
static struct claim *find_due(u64 now, u64 *next)
{
	struct claim *c, *found = NULL;

	*next = 0;
	spin_lock(&lock);
	list_for_each_entry(c, &claims, node) {
		if (c->due <= now) {
			found = c;
			break;
		}
		if (!*next || c->due < *next)
			*next = c->due;
	}
	spin_unlock(&lock);
	return found;
}

static void step(struct work *w)
{
	struct claim *c;
	u64 next;

	netif_lock();
	while ((c = find_due(ktime_get(), &next)) != NULL) {
		if (!advance(c))
			forget(c);
	}
	netif_unlock();
	if (next)
		work_schedule_at(w, next);
}

static struct sysctl probe_sysctl = { .path = "net/ipv4/acd_probe", .value = &enabled, .max = 1 };

int acd_init(void)
{
	work_init(&work, step);
	return sysctl_add(&probe_sysctl);
}

/* Addresses stay when this module leaves: those still being probed are taken as they are. */
void acd_exit(void)
{
	struct claim *c;

	sysctl_remove(&probe_sysctl);
	work_cancel_sync(&work);
	netif_lock();
	while ((c = list_first_entry_or_null(&claims, struct claim, node)) != NULL) {
		struct ip_addr addr = ip_addr_v4(c->addr);
		struct netif *nif = netif_by_index(c->ifindex);
		struct ifaddr *a = nif ? ifaddr_find(nif, &addr) : NULL;

		if (a)
			settle(a);
		list_del(&c->node);
		kfree(c);
	}
	netif_unlock();
}
