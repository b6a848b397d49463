/* SPDX-License-Identifier: MIT */
/* cubic.h - one connection's state of CUBIC (RFC 9438) and of HyStart++ (RFC 9406). Windows are in
 * bytes. */
#pragma once

#include <weft/net/tcp_cc.h>

struct hystart {
	u32 round_end;	 /* sequence number that ends this round */
	u32 last_min_us; /* smallest round trip of the last round, of this one */
	u32 round_min_us;
	u32 baseline_us; /* of the round that slow start became careful in */
	u8 samples;
	u8 careful_rounds; /* 0: slow start as usual; else which round of conservative slow start */
	bool started;
};

struct cubic {
	u32 w_max; /* window before the last reduction */
	u32 prior_w_max;
	u32 cwnd_prior; /* cwnd at the last reduction */
	u32 w_est;	/* what Reno would have by now */
	u32 k_ms;	/* time until w_max is reached again */
	bool timed_out; /* the last reduction was a time-out */
	u64 epoch_ns;	/* congestion avoidance began, 0: it has not */
	u64 last_ns;	/* last ACK that counted */
	u64 rest;	/* of growth: fractions of a byte, times cwnd */
	u64 est_rest;
	struct hystart hs;
};

static inline struct cubic *cubic_of(struct tcp_cc *cc)
{
	_Static_assert(sizeof(struct cubic) <= sizeof(cc->priv), "cubic must fit");
	return (struct cubic *)cc->priv;
}

/* hystart.c */
extern bool hystart;
/* An ACK in slow start. Returns how many of its bytes cwnd may grow by. Sets ssthresh when slow
 * start is over. */
u32 hystart_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a);
void hystart_reset(struct hystart *h);
