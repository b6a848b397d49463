/* SPDX-License-Identifier: MIT */
/* ecn.c - congestion that routers mark instead of dropping (RFC 3168): as a receiver echoing marks
 * until the sender says that it has heard, as a sender reducing once a window. */
#include "recovery.h"

#define ECT_0 2
#define CE 3

/* RFC 3168 6.1.3 */
void tcp_ecn_received(struct tcp_conn *tc, const struct tcp_seg *seg, u8 tos)
{
	if (!(tc->options & TCP_OPT_ECN))
		return;
	if (seg->flags & TCP_CWR)
		tc->ecn_echo = false;
	if ((tos & 3) == CE) {
		if (!tc->ecn_echo)
			tcp_defer(tc, TCP_TODO_ACK); /* the sender should hear of it now */
		tc->ecn_echo = true;
	}
}

/* RFC 3168 6.1.4, 6.1.5: neither ACKs nor what is sent again are marked as ECN-capable. */
u8 tcp_ecn_tos(const struct tcp_conn *tc, bool new_data)
{
	return new_data ? ECT_0 : 0;
}

u16 tcp_ecn_flags(struct tcp_conn *tc, bool new_data)
{
	u16 flags = tc->ecn_echo ? TCP_ECE : 0;

	if (new_data && tc->ecn_cwr) {
		tc->ecn_cwr = false;
		flags |= TCP_CWR;
	}
	return flags;
}

/* RFC 3168 6.1.2: as a loss, but nothing is sent again, and at most once a window. */
void tcp_ecn_echoed(struct tcp_conn *tc, u32 segs)
{
	if (!(tc->options & TCP_OPT_ECN))
		return;
	tc->delivered_ce += segs;
	tcp_count_add(TCP_TCPDeliveredCE, segs);
	if (tc->ca_state >= TCP_CA_CWR || seq_lt(tc->snd_una, tc->ecn_recover))
		return;
	tc->ecn_recover = tc->snd_nxt;
	tc->ecn_cwr = true;
	tcp_enter_cwr(tc);
}
