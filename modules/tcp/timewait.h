/* SPDX-License-Identifier: MIT */
/* timewait.h - what is left of a connection for 2 MSL: enough to answer for it. */
#pragma once

#include "tcp.h"

#define TCP_TIMEWAIT_NS (60 * NSEC_PER_SEC) /* RFC 9293 3.4.2: 2 MSL, with Linux's MSL */

struct tcp_timewait {
	struct tcp_end end;    /* holds the port as the connection did */
	struct list_head node; /* guarded by timewait_lock, as are the next three */
	u64 expires_ns;
	bool listed;
	/* fixed */
	bool has_ts;
	u32 snd_nxt, rcv_nxt;
	u32 rcv_wnd; /* bytes */
	u8 rcv_wscale, tos;
	u32 ts_offset;
	/* written without a lock by whoever holds a segment of it */
	u32 ts_recent;
	u64 ts_recent_ns;
	u64 last_ack_ns; /* an answer was sent */
};

extern struct atomic tcp_nr_timewaits;

static inline struct tcp_timewait *tcp_timewait_of(struct tcp_end *e)
{
	return container_of(e, struct tcp_timewait, end);
}
/* A segment of that 4-tuple. When a SYN may open the connection anew (RFC 9293 3.10.7.4, RFC 6191),
 * *iss becomes the initial sequence number for it, not 0, and p still is the caller's; without iss
 * nobody would take it. Else consumes. Poll context. */
void tcp_timewait_input(struct tcp_timewait *tw, struct pkt *p, const struct tcp_seg *seg,
			u32 *iss);
int tcp_timewait_init(void);
/* At module exit: all go; then, when all are freed, the rest. */
void tcp_timewait_purge(void);
void tcp_timewait_exit(void);
