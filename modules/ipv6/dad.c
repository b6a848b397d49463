/* SPDX-License-Identifier: MIT */
/* dad.c - is an address nobody else's? Duplicate address detection (RFC 4862 5.4): it is asked for,
 * and used when nobody answers; at once but with care where the interface is set so (RFC 4429). Our
 * own question coming back over a looped wire is told from a rival's by a nonce (RFC 7527). What
 * the poll context hears is only noted; a work item does the rest under netif_lock. */
#include "ipv6.h"

#include <weft/random.h>

#define MAX_MULTICAST_SOLICIT 3 /* RFC 4861 10 */
#define NONCE_LEN 6		/* RFC 7527 4.1: 48 bits fill an option */
#define LINK_WAIT_NS (NSEC_PER_SEC / 2)
#define ASLEEP (~0ull)

/* An address being checked. Made and freed under netif_lock. */
struct check {
	/* fixed once listed */
	u32 ifindex;
	struct ip_addr addr;
	u8 nonce[NONCE_LEN];
	/* guarded by lock */
	struct list_head node;
	u64 due; /* ktime; ASLEEP: dad_start is called when its interface comes up */
	bool conflict, looped;
	/* netif_lock */
	u32 sent, wanted;
};

static LIST_HEAD(checks); /* guarded by lock */
static struct spinlock lock = SPINLOCK_INIT;
static struct work work;

static struct check *find_locked(u32 ifindex, const struct ip_addr *addr)
{
	struct check *c;

	list_for_each_entry(c, &checks, node) {
		if (c->ifindex == ifindex && ip_addr_eq(&c->addr, addr))
			return c;
	}
	return NULL;
}

static bool either(const int *all, const int *here)
{
	return READ_ONCE(*all) > 0 || READ_ONCE(*here) > 0;
}

bool dad_needed(const struct netif *nif, u32 flags)
{
	const struct ipv6_conf *conf = ipv6_conf(nif);

	return netif_resolves(nif) && (nif->flags & IFF_MULTICAST) && !(flags & IFADDR_NODAD) &&
	       either(&ipv6_conf_all.accept_dad, &conf->accept_dad) &&
	       READ_ONCE(conf->dad_transmits) > 0;
}

/* RFC 4429 3.1: those that the host made itself, never a router's. */
static bool is_optimistic(const struct ifaddr *a)
{
	const struct ipv6_conf *conf = ipv6_conf(a->nif);

	if (ipv6_is_router(a->nif))
		return false;
	return (a->flags & IFADDR_OPTIMISTIC) ||
	       ((a->flags & IFADDR_AUTOCONF) &&
		either(&ipv6_conf_all.optimistic_dad, &conf->optimistic_dad));
}

/* RFC 4862 5.4.2: all hosts of a link that has just come up, or to which a router has just spoken,
 * shall not ask at the same moment. */
static u64 first_delay_ns(const struct ifaddr *a)
{
	u32 max_s = READ_ONCE(ipv6_conf(a->nif)->router_solicitation_delay);

	if (!(a->flags & IFADDR_AUTOCONF) || !max_s)
		return 0;
	return random_below(min(max_s, 3600u) * 1000) * NSEC_PER_MSEC;
}

/* ---- starting and stopping; netif_lock held ---- */

static void set_flags(struct ifaddr *a, u32 set, u32 clear)
{
	ifaddr_change(a, (a->flags & ~clear) | set, a->preferred_until, a->valid_until);
}

static void announce(struct ifaddr *a)
{
	struct ipv6_if *i = ipv6_if(a->nif);

	if (i && netif_running(a->nif))
		announce_new(i, &a->addr);
}

static void is_unique(struct ifaddr *a)
{
	set_flags(a, 0, IFADDR_TENTATIVE | IFADDR_OPTIMISTIC | IFADDR_DADFAILED);
	announce(a);
	if (netif_running(a->nif) &&
	    either(&ipv6_conf_all.ndisc_notify, &ipv6_conf(a->nif)->ndisc_notify))
		nd_announce(a->nif, &a->addr);
	ipv6_addr_unique(a);
}

static struct check *check_new(const struct ifaddr *a)
{
	struct check *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->ifindex = a->nif->index;
	c->addr = a->addr;
	c->due = ASLEEP;
	random_bytes(c->nonce, sizeof(c->nonce));
	spin_lock(&lock);
	list_add_tail(&c->node, &checks);
	spin_unlock(&lock);
	return c;
}

static struct check *check_of(const struct ifaddr *a)
{
	struct check *c;

	spin_lock(&lock);
	c = find_locked(a->nif->index, &a->addr);
	spin_unlock(&lock);
	return c;
}

static void forget(struct check *c)
{
	spin_lock(&lock);
	list_del(&c->node);
	spin_unlock(&lock);
	kfree(c);
}

void dad_start(struct ifaddr *a)
{
	bool optimistic = is_optimistic(a);
	struct check *c = check_of(a);
	u64 due;

	if (dad_needed(a->nif, a->flags) && !c)
		c = check_new(a); /* without memory the address is used unchecked */
	else if (c && !dad_needed(a->nif, a->flags))
		forget(c), c = NULL;
	if (!c) {
		is_unique(a);
		return;
	}
	set_flags(a, IFADDR_TENTATIVE | (optimistic ? IFADDR_OPTIMISTIC : 0),
		  IFADDR_DADFAILED | (optimistic ? 0 : IFADDR_OPTIMISTIC));
	c->sent = 0;
	c->wanted = READ_ONCE(ipv6_conf(a->nif)->dad_transmits);
	due = netif_is_up(a->nif) ? ktime_get() + first_delay_ns(a) : ASLEEP;
	if (optimistic)
		announce(a);
	spin_lock(&lock);
	c->conflict = c->looped = false;
	c->due = due;
	spin_unlock(&lock);
	/* it may be waiting for another one's time, which is not to be put off */
	if (due != ASLEEP)
		work_schedule(&work);
}

void dad_stop(struct ifaddr *a)
{
	struct check *c = check_of(a);

	if (c)
		forget(c);
}

/* ---- what is heard; poll context ---- */

bool dad_heard(struct netif *nif, const struct ip_addr *target, u8 type, const u8 *nonce)
{
	struct check *c;
	bool ours = false;

	if (list_empty(&checks))
		return false;
	spin_lock(&lock);
	c = find_locked(nif->index, target);
	if (c) {
		ours = type == ND_NS && nonce && nonce[1] == 1 &&
		       !memcmp(nonce + 2, c->nonce, NONCE_LEN);
		if (ours) {
			c->looped = true;
		} else {
			c->conflict = true;
			c->due = 0;
		}
	}
	spin_unlock(&lock);
	if (ours)
		nd_count(ND_DAD_LOOPS);
	else if (c)
		work_schedule(&work);
	return c;
}

/* ---- the steps; netif_lock held ---- */

static void send_probe(struct netif *nif, const struct ip_addr *addr, const u8 *nonce)
{
	struct ip_addr any = ip_addr_any(AF_INET6), group = ipv6_solicited_node(addr);
	u8 option[2 + NONCE_LEN] = { ND_OPT_NONCE, 1 };
	bool with = either(&ipv6_conf_all.enhanced_dad, &ipv6_conf(nif)->enhanced_dad);

	memcpy(option + 2, nonce, NONCE_LEN);
	nd_send(nif, &any, &group, ND_NS, 0, addr, option, with ? sizeof(option) : 0);
}

static void is_duplicate(struct ifaddr *a)
{
	nd_count(ND_DAD_DUPLICATES);
	set_flags(a, IFADDR_TENTATIVE | IFADDR_DADFAILED, IFADDR_OPTIMISTIC);
	ipv6_addr_duplicate(a);
}

/* A conflict heard of meanwhile is due at once, and stays so. */
static void set_due(struct check *c, u64 due)
{
	spin_lock(&lock);
	if (!c->conflict)
		c->due = due;
	spin_unlock(&lock);
}

static bool take_looped(struct check *c)
{
	bool looped;

	spin_lock(&lock);
	looped = c->looped;
	c->looped = false;
	spin_unlock(&lock);
	return looped;
}

/* One check's next step. It stays listed while it asks: the answer may be here before the sender
 * has returned. */
static void advance(struct check *c)
{
	struct netif *nif = netif_by_index(c->ifindex);
	struct ifaddr *a = nif ? ifaddr_find(nif, &c->addr) : NULL;
	bool conflict = READ_ONCE(c->conflict);

	if (!a || conflict) {
		forget(c);
		if (a)
			is_duplicate(a);
		return;
	}
	if (!netif_running(nif)) {
		/* there may be others behind the link that comes */
		c->sent = 0;
		set_due(c, netif_is_up(nif) ? ktime_get() + LINK_WAIT_NS : ASLEEP);
		return;
	}
	/* RFC 7527 4.2: as long as the wire is looped the answer means nothing; some more
	 * questions, until none comes back */
	if (c->sent >= c->wanted && take_looped(c))
		c->wanted = c->sent + MAX_MULTICAST_SOLICIT;
	if (c->sent < c->wanted) {
		if (!c->sent)
			nd_count(ND_DAD_CHECKS);
		c->sent++;
		set_due(c, ktime_get() + nd_retrans_ms(nif) * NSEC_PER_MSEC);
		send_probe(nif, &c->addr, c->nonce);
		return;
	}
	forget(c);
	is_unique(a);
}

/* A check that is due, or NULL with the time when one will be (ASLEEP: none). */
static struct check *find_due(u64 now, u64 *next)
{
	struct check *c, *found = NULL;

	*next = ASLEEP;
	spin_lock(&lock);
	list_for_each_entry(c, &checks, node) {
		if (c->due <= now) {
			found = c;
			break;
		}
		*next = min(*next, c->due);
	}
	spin_unlock(&lock);
	return found;
}

static void step(struct work *w)
{
	struct check *c;
	u64 next;

	netif_lock();
	while ((c = find_due(ktime_get(), &next)) != NULL)
		advance(c);
	netif_unlock();
	if (next != ASLEEP)
		work_schedule_at(w, next);
}

int dad_init(void)
{
	work_init(&work, step);
	return 0;
}

/* The module leaves: addresses that stay are checked anew when it comes back. */
void dad_exit(void)
{
	struct check *c;

	work_cancel_sync(&work);
	netif_lock();
	while ((c = list_first_entry_or_null(&checks, struct check, node)) != NULL)
		forget(c);
	netif_unlock();
}
