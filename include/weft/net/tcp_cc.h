/* SPDX-License-Identifier: MIT */
/* tcp_cc.h - congestion control as modules: an algorithm is told what was acknowledged and what was
 * lost, and answers with a window. Detecting loss, pacing out retransmissions (RFC 6675, 8985,
 * 9937) and undoing are tcp's. All amounts are bytes. */
#pragma once

#include <weft/ledger.h>
#include <weft/list.h>
#include <weft/module.h>
#include <weft/types.h>

#define TCP_CC_NAME_MAX 16
#define TCP_CC_SSTHRESH_INFINITE 0x7fffffffu

/* Why the window shrinks. */
enum tcp_cc_event {
	TCP_CC_LOSS,	/* recovery begins: SACK, duplicate ACKs, RACK */
	TCP_CC_ECN,	/* the peer echoes congestion (RFC 3168 6.1.2), once a window */
	TCP_CC_TIMEOUT, /* RTO: tcp sets cwnd to one segment itself (RFC 5681 3.1) */
};

/* What one ACK brought. */
struct tcp_cc_ack {
	u64 now_ns;
	u32 acked;	      /* bytes newly acknowledged or SACKed */
	u32 rtt_us;	      /* this ACK's sample, 0: none (Karn) */
	u32 snd_una, snd_nxt; /* sequence numbers after it, for rounds (HyStart++) */
	u32 inflight;	      /* before this ACK */
};

/* One connection's state, embedded in it, under its lock. */
struct tcp_cc {
	u32 cwnd, ssthresh;
	u32 mss;
	u32 srtt_us, min_rtt_us;
	u32 prior_cwnd, prior_ssthresh; /* tcp's, before the last reduction: for undo */
	bool cwnd_limited; /* the window was full lately: RFC 7661's condition to grow it */
	const struct tcp_cc_algo *algo;
	u64 priv[16]; /* the algorithm's; zeroed before init */
};

/* All under the connection's lock, poll or process context; none may fail or sleep. */
struct tcp_cc_algo {
	char name[TCP_CC_NAME_MAX];
	void (*init)(struct tcp_cc *cc); /* optional; also when switched to in mid-connection */
	/* An ACK outside of recovery: may raise cwnd. */
	void (*acked)(struct tcp_cc *cc, const struct tcp_cc_ack *a);
	/* The new ssthresh (at least 2 mss); tcp moves cwnd there as RFC 9937 or 5681 say. */
	u32 (*reduce)(struct tcp_cc *cc, enum tcp_cc_event ev, u32 inflight);
	/* The last reduction was a mistake; cwnd and ssthresh are the prior ones again. optional */
	void (*undo)(struct tcp_cc *cc);
	/* Nothing was sent for an RTO; cwnd has been restarted (RFC 5681 4.1). optional */
	void (*idle)(struct tcp_cc *cc);
	u32 flags;
	struct module *owner;
	struct list_head node, users; /* the registry's */
	struct ledger_entry ledger;
};
#define TCP_CC_UNPRIVILEGED BIT(0) /* users other than root may choose it */

/* -EEXIST the name is taken. After unregister no connection uses it: they go on with tcp's own
 * (RFC 5681). Process context. */
int tcp_cc_register_owner(struct tcp_cc_algo *a, struct module *owner);
void tcp_cc_unregister(struct tcp_cc_algo *a);
#define tcp_cc_register(a) tcp_cc_register_owner(a, THIS_MODULE)

/* RFC 5681 as building blocks, for algorithms: slow start (by bytes acknowledged, up to ssthresh)
 * returns the bytes it did not use; congestion avoidance adds one mss per cwnd. */
u32 tcp_cc_slow_start(struct tcp_cc *cc, u32 acked);
void tcp_cc_avoid(struct tcp_cc *cc, u32 *count, u32 acked);
static inline bool tcp_cc_in_slow_start(const struct tcp_cc *cc)
{
	return cc->cwnd < cc->ssthresh;
}
