/* SPDX-License-Identifier: MIT */
/* pkt_budget.c - how many bytes each pool may have out, and how many it has. What a CPU needs it
 * takes out of the common budget in chunks and keeps as credit (pkt_internal.h has the short way),
 * so the sums are exact only over all CPUs together. */
#include <core/net.h>
#include <core/vm.h>
#include <weft/module.h>
#include <weft/string.h>

#include "pkt_internal.h"

#define CREDIT_CHUNK (PKT_CREDIT_MAX / 2) /* what a CPU takes at once */

struct pkt_budget {
	struct atomic64 left; /* not with any CPU */
	s64 limit;	      /* guarded by pkt_limit_lock */
} __cacheline_aligned;

bool pkt_rx_scarce, pkt_rx_last;
EXPORT(pkt_rx_scarce);
EXPORT(pkt_rx_last);

static struct pkt_budget budgets[PKT_NR_POOLS];
static struct spinlock pkt_limit_lock = SPINLOCK_INIT;

/* What is with no CPU has changed. */
static void note_left(u32 pool, s64 left)
{
	s64 limit = READ_ONCE(budgets[PKT_POOL_RX].limit);

	if (pool != PKT_POOL_RX)
		return;
	if (unlikely(left < limit / 8))
		WRITE_ONCE(pkt_rx_scarce, true);
	else if (unlikely(pkt_rx_scarce) && left > limit / 4)
		WRITE_ONCE(pkt_rx_scarce, false);
	if (unlikely(left < limit / 16))
		WRITE_ONCE(pkt_rx_last, true);
	else if (unlikely(pkt_rx_last) && left > limit / 8)
		WRITE_ONCE(pkt_rx_last, false);
}

bool pkt_budget_draw(struct pkt_cpu *pc, u32 pool, s64 n)
{
	s64 want = max(n, (s64)CREDIT_CHUNK), left;

	n -= pc->credit[pool];
	left = atomic64_add(&budgets[pool].left, -want);
	note_left(pool, left);
	if (left < 0) {
		/* No whole chunk is left: just what this packet needs. */
		if (atomic64_add(&budgets[pool].left, want - n) < 0) {
			atomic64_add(&budgets[pool].left, n);
			pc->failed[pool]++;
			return false;
		}
		want = n;
	}
	pc->credit[pool] = want - n;
	return true;
}

void pkt_budget_return(struct pkt_cpu *pc, u32 pool)
{
	note_left(pool, atomic64_add(&budgets[pool].left, pc->credit[pool] - CREDIT_CHUNK));
	pc->credit[pool] = CREDIT_CHUNK;
}

/* ---- limits ---- */

void pkt_limit_set(enum pkt_pool pool, s64 bytes)
{
	s64 delta;

	spin_lock(&pkt_limit_lock);
	delta = bytes - budgets[pool].limit;
	budgets[pool].limit = bytes;
	spin_unlock(&pkt_limit_lock);
	/* Negative for a while when less is allowed than is in use: nothing is given until it is
	 * back. */
	atomic64_add(&budgets[pool].left, delta);
}

void pkt_stats_get(struct pkt_stats *s)
{
	u32 cpu, pool;

	memset(s, 0, sizeof(*s));
	for (pool = 0; pool < PKT_NR_POOLS; pool++) {
		s64 left = atomic64_read(&budgets[pool].left);

		for (cpu = 0; cpu < MAX_CPUS; cpu++) {
			left += READ_ONCE(pkt_cpus[cpu].credit[pool]);
			s->failed[pool] += READ_ONCE(pkt_cpus[cpu].failed[pool]);
		}
		s->limit[pool] = budgets[pool].limit;
		/* the CPUs are not stopped while they are summed */
		s->used[pool] = max(budgets[pool].limit - left, (s64)0);
	}
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		u64 units = READ_ONCE(pkt_cpus[cpu].units) - READ_ONCE(pkt_cpus[cpu].units_back);

		s->alive +=
			units + READ_ONCE(pkt_cpus[cpu].allocated) - READ_ONCE(pkt_cpus[cpu].freed);
		s->bytes += units * PKT_UNIT_SIZE + READ_ONCE(pkt_cpus[cpu].bytes);
	}
}
EXPORT(pkt_stats_get);

static s64 clamp_limit(u64 bytes, u64 lo, u64 hi)
{
	return min(max(bytes, lo), hi);
}

void pkt_budget_init(void)
{
	struct mem_stats mem;
	u64 ram;

	mem_stats_get(&mem);
	ram = mem.total_pages * PAGE_SIZE;
	pkt_limit_set(PKT_POOL_RX, clamp_limit(ram / 8, 1ull << 20, 256ull << 20));
	pkt_limit_set(PKT_POOL_TX, clamp_limit(ram / 8, 1ull << 20, 256ull << 20));
	pkt_limit_set(PKT_POOL_LOCAL, clamp_limit(ram / 8, 1ull << 20, 256ull << 20));
	pkt_limit_set(PKT_POOL_CONTROL, clamp_limit(ram / 64, 256ull << 10, 16ull << 20));
}
