/* SPDX-License-Identifier: MIT */
/* pace.c - SO_MAX_PACING_RATE: a connection's data leaves no faster than its user allows. Each
 * packet that leaves moves the time from which on the next one may, by what it takes at that rate;
 * until then nothing is sent, new or again, and TCP_TIMER_PACE asks once more. Packets are kept
 * small enough for the rate to hold within a millisecond. Empty segments are not held, nor is what
 * a SYN carries. Under the connection's lock. */
#include "emit.h"

#include <weft/alloc.h>

#define BURSTS_PER_SECOND 1000
#define BURST_SEGS 2u
/* A timer that came late by so much has lost nothing: the next packets make good for it. */
#define SLACK_NS (4 * NSEC_PER_MSEC)

struct tcp_pace {
	u64 rate;    /* bytes a second; 0, TCP_PACE_NONE: any */
	u64 free_ns; /* nothing leaves before */
};

static bool is_bounded(const struct tcp_pace *pc)
{
	return pc->rate && pc->rate != TCP_PACE_NONE;
}

u32 tcp_pace_fit(struct tcp_conn *tc, u32 n)
{
	const struct tcp_pace *pc = tc->pace;
	u32 mss = tc->mss_now;
	u64 burst;

	if (!is_bounded(pc))
		return n;
	if (pc->free_ns > ktime_get()) {
		tcp_output_at(tc, pc->free_ns);
		return 0;
	}
	burst = max(pc->rate / BURSTS_PER_SECOND, (u64)BURST_SEGS * mss);
	return min((u64)n, burst - burst % mss);
}

void tcp_pace_sent(struct tcp_conn *tc, u32 len, u64 now)
{
	struct tcp_pace *pc = tc->pace;

	if (is_bounded(pc))
		pc->free_ns =
			max(pc->free_ns, now - min(now, SLACK_NS)) + len * NSEC_PER_SEC / pc->rate;
}

u64 tcp_pace_rate(const struct tcp_conn *tc)
{
	return tc->pace ? tc->pace->rate : TCP_PACE_NONE;
}

bool tcp_pace_inherit(struct tcp_conn *child, const struct tcp_conn *l)
{
	if (likely(!l->pace))
		return true;
	child->pace = kzalloc(sizeof(*child->pace));
	if (child->pace)
		child->pace->rate = READ_ONCE(l->pace->rate);
	return child->pace;
}

void tcp_pace_free(struct tcp_conn *tc)
{
	kfree(tc->pace);
}

/* A number of 32 or 64 bits, as on Linux; the largest of either means none. */
static u64 rate_of(const void *val, u32 len)
{
	u64 rate;
	u32 v;

	if (len >= sizeof(rate)) {
		memcpy(&rate, val, sizeof(rate));
		return rate;
	}
	memcpy(&v, val, sizeof(v));
	return v == ~0u ? TCP_PACE_NONE : v;
}

int tcp_pace_setsockopt(struct tcp_conn *tc, const void *val, u32 len)
{
	struct tcp_pace *fresh = NULL;

	if (!tc->pace) {
		fresh = kzalloc(sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
	}
	spin_lock(&tc->lock);
	if (fresh)
		tc->pace = fresh;
	WRITE_ONCE(tc->pace->rate, rate_of(val, len));
	/* what waits was measured by the old rate */
	tc->pace->free_ns = 0;
	tcp_output(tc);
	tcp_flush(tc);
	spin_unlock(&tc->lock);
	return 0;
}

int tcp_pace_getsockopt(const struct tcp_conn *tc, void *val, u32 *len)
{
	u64 rate = tcp_pace_rate(tc);
	u32 v = min(rate, (u64)~0u);

	if (*len >= sizeof(rate)) {
		*len = sizeof(rate);
		memcpy(val, &rate, sizeof(rate));
		return 0;
	}
	*len = min(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}
