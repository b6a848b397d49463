/* SPDX-License-Identifier: MIT */
/* emit.h - a segment leaves (emit.c), for output.c. Under the connection's lock. */
#pragma once

#include "recovery.h"

#define TCP_RETRY_NS (10 * NSEC_PER_MSEC)  /* no buffer: asked again after it */
#define TCP_DELACK_NS (40 * NSEC_PER_MSEC) /* Linux's; RFC 1122 4.2.3.2 allows 500 ms */
/* At the start, for a short segment; no later than any loss probe, so that the timer need not be
 * armed again for the answer's. */
#define TCP_ANSWER_NS TCP_TLP_FLOOR_NS
#define TCP_TLP_FLOOR_NS (8 * NSEC_PER_MSEC) /* a peer's CPU may be busy elsewhere for as long */
#define TCP_CORK_NS (200 * NSEC_PER_MSEC)

/* fastclient.c: what the first SYN does about TCP Fast Open (RFC 7413 4.1.3). */
struct tcp_fast_syn {
	bool option, data; /* a cookie or the wish for one; may it carry data */
	u8 cookie_len;
	u8 cookie[16];
	u16 mss; /* the peer's, as it was last time */
};
void tcp_fastopen_syn(struct tcp_conn *tc, struct tcp_fast_syn *fo);

/* output.c: len bytes of the first packet arrived with the SYN. */
void tcp_sent_with_syn(struct tcp_conn *tc, u32 len);

/* output.c: TCP_TIMER_PACE asks for output then, or before. */
void tcp_output_at(struct tcp_conn *tc, u64 at);

/* pace.c, where tc->pace is set: how many of n bytes may leave now; 0: none, and output is asked
 * for again in time. So many have left. */
u32 tcp_pace_fit(struct tcp_conn *tc, u32 n);
void tcp_pace_sent(struct tcp_conn *tc, u32 len, u64 now);

/* Bytes of options of the next segment. */
u32 tcp_sack_options_len(const struct tcp_conn *tc);
static inline u32 tcp_options_len(const struct tcp_conn *tc)
{
	bool sacks = tc->nr_sack_out || tc->dsack.start != tc->dsack.end;

	return tcp_fixed_options(tc) + (unlikely(sacks) ? tcp_sack_options_len(tc) : 0);
}
/* Header and options in front of p's payload, then down. The flow was checked. Consumes p. */
int tcp_emit(struct tcp_conn *tc, struct pkt *p, u32 seq, u16 flags, u64 now);
/* Will the same work after a while, with nothing lost? Other errors are as a loss on the way. */
static inline bool tcp_later(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM;
}
