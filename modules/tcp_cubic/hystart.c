/* SPDX-License-Identifier: MIT */
/* hystart.c - leaving slow start before queues overflow (HyStart++, RFC 9406): when round trips of
 * a round are longer than the last one's, growth becomes a quarter; if that lasts five rounds, slow
 * start ends; if round trips recover, it was a mistake. */
#include "cubic.h"

/* RFC 9406 4.3 */
#define MIN_RTT_THRESH_US 4000u
#define MAX_RTT_THRESH_US 16000u
#define MIN_RTT_DIVISOR 8
#define N_RTT_SAMPLE 8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS 5

bool hystart = true;

void hystart_reset(struct hystart *h)
{
	*h = (struct hystart){ 0 };
}

static void begin_round(struct hystart *h, const struct tcp_cc_ack *a)
{
	h->last_min_us = h->round_min_us;
	h->round_min_us = 0;
	h->samples = 0;
	h->round_end = a->snd_nxt;
}

static void sample(struct hystart *h, u32 rtt_us)
{
	if (!rtt_us)
		return;
	if (!h->round_min_us || rtt_us < h->round_min_us)
		h->round_min_us = rtt_us;
	if (h->samples < 255)
		h->samples++;
}

static bool grew(const struct hystart *h)
{
	u32 threshold =
		min(max(h->last_min_us / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US), MAX_RTT_THRESH_US);

	return h->last_min_us && h->round_min_us >= h->last_min_us + threshold;
}

u32 hystart_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct hystart *h = &cubic_of(cc)->hs;

	if (!hystart)
		return a->acked;
	if (!h->started || (s32)(a->snd_una - h->round_end) >= 0) {
		if (h->careful_rounds && ++h->careful_rounds > CSS_ROUNDS) {
			cc->ssthresh = cc->cwnd;
			hystart_reset(h);
			return a->acked;
		}
		begin_round(h, a);
		h->started = true;
	}
	sample(h, a->rtt_us);
	if (h->samples >= N_RTT_SAMPLE) {
		if (!h->careful_rounds && grew(h)) {
			h->baseline_us = h->round_min_us;
			h->careful_rounds = 1;
		} else if (h->careful_rounds && h->round_min_us < h->baseline_us) {
			h->careful_rounds = 0;
		}
	}
	return h->careful_rounds ? a->acked / CSS_GROWTH_DIVISOR : a->acked;
}
