/* SPDX-License-Identifier: MIT */
/* stamp.h - when did it leave (SO_TIMESTAMPING): a sender marks its packet, which is charged to its
 * socket; the interface tells the socket's queue of notices. */
#pragma once

#include <weft/net/flow.h>
#include <weft/socket.h>

#define STAMP_TX_ANY                                                                               \
	(SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | \
	 SOF_TIMESTAMPING_TX_ACK)

/* What a send wants: the socket's SOF_TIMESTAMPING_*, those of transmission replaced by m's control
 * message if it has one. -EINVAL. Makes ready for stamp_mark: process context, may sleep. */
int stamp_wanted(struct socket *s, const struct msg *m, u32 *flags);
/* Of those the ones that a packet bears: PKT_STAMP_*. */
static inline u8 stamp_of_flags(u32 flags)
{
	return (flags & SOF_TIMESTAMPING_TX_SCHED ? PKT_STAMP_SCHED : 0) |
	       (flags & SOF_TIMESTAMPING_TX_SOFTWARE ? PKT_STAMP_SENT : 0);
}
static inline u8 stamp_of_flow(const struct flow *f)
{
	return (f->flags & FLOW_STAMP_SCHED ? PKT_STAMP_SCHED : 0) |
	       (f->flags & FLOW_STAMP_SENT ? PKT_STAMP_SENT : 0);
}
/* p, charged to s, is the next one of s to be told of. The socket's lock. */
void stamp_mark(struct socket *s, struct pkt *p, u8 stamps);
/* q is the first fragment of p. */
static inline void stamp_pass(const struct pkt *p, struct pkt *q)
{
	if (likely(!p->tx_stamps))
		return;
	q->tx_stamps = p->tx_stamps | PKT_STAMP_FREE;
	q->tx_key = p->tx_key;
	socket_charge_tx(p->sock, q);
}
/* Queues such a notice: what is SCM_TSTAMP_*, frame and len the data that go with it. Any context
 * but interrupt. */
void stamp_tell(struct socket *s, u32 what, u32 key, const struct pkt *p, const void *data,
		u32 len);
