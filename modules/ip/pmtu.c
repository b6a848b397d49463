/* SPDX-License-Identifier: MIT */
/* pmtu.c - path MTUs that routers told us of (RFC 1191, RFC 8201). A fixed table: a new entry
 * takes the place of whatever its hash says, so the worst a forger gains is that a path is
 * discovered again. */
#include "ip.h"

#include <weft/seqfile.h>

#define PMTU_SLOTS 256
/* RFC 1191 6.3: try larger ones again after ten minutes */
#define PMTU_LIFE_NS (600 * NSEC_PER_SEC)
#define MIN_PMTU_DEFAULT 552 /* Linux's; less is no path of today, but would make us send dust */

struct pmtu {
	struct ip_addr dst;
	u32 mtu; /* 0: empty */
	u64 expires;
};

static struct spinlock lock = SPINLOCK_INIT;
static struct pmtu slots[PMTU_SLOTS]; /* guarded by lock */
static struct timer expiry;	      /* flows look again when entries have expired */

static int min_pmtu = MIN_PMTU_DEFAULT;
static struct sysctl min_pmtu_sysctl = {
	.path = "net/ipv4/route/min_pmtu",
	.value = &min_pmtu,
	.min = 68, /* RFC 791 3.2 */
	.max = 65535,
};

static struct pmtu *slot_of(const struct ip_addr *dst)
{
	return &slots[ip_addr_hash(dst, ~ip_hash_seed) % PMTU_SLOTS];
}

static bool holds(const struct pmtu *e, const struct ip_addr *dst)
{
	return e->mtu && ip_addr_eq(&e->dst, dst) && ktime_get() < e->expires;
}

/* RFC 8201 4: what no path of the family can mean. */
static u32 min_mtu(u16 af)
{
	const struct ip_family *fam;
	u32 mtu;

	rcu_read_lock();
	fam = ip_family_find(af);
	mtu = fam ? fam->min_mtu : 0;
	rcu_read_unlock();
	return mtu;
}

void ip_pmtu_update(const struct ip_addr *dst, u32 mtu)
{
	struct pmtu *e = slot_of(dst);
	bool changed = false;

	if (ip_addr_is_v4(dst))
		mtu = max(mtu, (u32)READ_ONCE(min_pmtu));
	if (mtu < min_mtu(ip_addr_family(dst)))
		return;
	spin_lock(&lock);
	if (!holds(e, dst) || mtu < e->mtu) {
		*e = (struct pmtu){ *dst, mtu, ktime_get() + PMTU_LIFE_NS };
		changed = true;
	}
	spin_unlock(&lock);
	if (!changed)
		return;
	route_changed();
	if (!timer_pending(&expiry))
		timer_set(&expiry, ktime_get() + PMTU_LIFE_NS);
}
EXPORT(ip_pmtu_update);

u32 ip_pmtu_get(const struct ip_addr *dst)
{
	struct pmtu *e = slot_of(dst);
	u32 mtu;

	if (!READ_ONCE(e->mtu))
		return 0;
	spin_lock(&lock);
	mtu = holds(e, dst) ? e->mtu : 0;
	spin_unlock(&lock);
	return mtu;
}
EXPORT(ip_pmtu_get);

static void expired(struct timer *t)
{
	bool left = false;
	u64 now = ktime_get();

	spin_lock(&lock);
	for (u32 i = 0; i < PMTU_SLOTS; i++) {
		if (slots[i].mtu && slots[i].expires <= now)
			slots[i].mtu = 0;
		left |= slots[i].mtu != 0;
	}
	spin_unlock(&lock);
	route_changed();
	if (left)
		timer_set(t, now + PMTU_LIFE_NS / 10);
}

int pmtu_init(void)
{
	timer_init(&expiry, expired);
	return sysctl_add(&min_pmtu_sysctl);
}

void pmtu_exit(void)
{
	sysctl_remove(&min_pmtu_sysctl);
	timer_cancel_sync(&expiry);
}
