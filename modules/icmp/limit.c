/* SPDX-License-Identifier: MIT */
/* limit.c - how often errors are sent: token buckets, one a receiver (hashed with a secret) and one
 * for all of both IP versions together (RFC 1812 4.3.2.8, RFC 4443 2.4 f). */
#include "icmp.h"

#include <weft/random.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/time.h>

#define BUCKETS 256
#define BURST 6
#define GLOBAL_BURST 50

int icmp_msgs_per_sec = 1000;

struct bucket {
	u64 full_at; /* ktime when it will be full again */
};

static struct spinlock limit_lock = SPINLOCK_INIT;
static struct bucket receiver[BUCKETS], everybody; /* guarded by limit_lock */
static struct siphash_key limit_key;

void icmp_limit_init(void)
{
	random_bytes(&limit_key, sizeof(limit_key));
	memset(receiver, 0, sizeof(receiver));
	everybody.full_at = 0;
}

/* Takes a token that costs cost ns from a bucket that holds burst of them. */
static bool take(struct bucket *b, u64 now, u64 cost, u64 burst)
{
	u64 from = max(b->full_at, now);

	if (from + cost > now + burst * cost)
		return false;
	b->full_at = from + cost;
	return true;
}

/* Who has a whole prefix of IPv6 addresses is one receiver; on this link there are many. */
static u32 bucket_of(const struct ip_addr *dst)
{
	bool one = ip_addr_is_v4(dst) || ip_addr_is_link_local(dst);
	struct ip_addr key = one ? *dst : ip_addr_prefix(dst, 64);

	return siphash(&key, sizeof(key), &limit_key) % BUCKETS;
}

bool icmp_allowed(const struct pkt *p, const struct ip_addr *dst, u64 interval_ms, bool fixed)
{
	u64 now = ktime_get();
	u32 i = bucket_of(dst);
	/* the common bucket's size wobbles, or it could be used to count other people's errors
	 * (CVE-2020-25705) */
	u64 burst = GLOBAL_BURST - random_below(4);
	bool host, all = false;

	if (p->nif && (p->nif->flags & IFF_LOOPBACK))
		return true;
	spin_lock(&limit_lock);
	host = fixed || take(&receiver[i], now, interval_ms * NSEC_PER_MSEC, BURST);
	if (host)
		all = take(&everybody, now, NSEC_PER_SEC / READ_ONCE(icmp_msgs_per_sec), burst);
	spin_unlock(&limit_lock);
	if (all)
		return true;
	if (!ip_addr_is_v4(dst))
		icmp6_count(host ? ICMP_LIMITED_ALL : ICMP_LIMITED_HOST);
	else
		icmp_count(host ? ICMP_LIMITED_ALL : ICMP_LIMITED_HOST);
	ip_drop_count(DROP_RATE_LIMIT);
	return false;
}
