/* SPDX-License-Identifier: MIT */
/* respond.h - segments that no connection sends: RSTs, a listener's SYN-ACKs, TIME-WAIT's ACKs. */
#pragma once

#include "tcp.h"

struct tcp_reply {
	struct ip_addr laddr, raddr;
	u16 lport, rport;
	u32 oif; /* 0: as routed */
	u32 mark;
	u8 tos, ttl;
	u32 seq, ack;
	u16 flags, window;
	u8 cookie[8];		  /* for opts.cookie to point to */
	struct tcp_opts_out opts; /* mss: cut to what the path's interface takes */
};
/* Fills in the addresses. */
void tcp_reply_to_end(struct tcp_reply *r, const struct tcp_end *e);
/* 0 or what ip_reserve said; nobody waits for a better moment. Poll or process context. */
int tcp_reply_send(struct tcp_reply *r);
/* A segment that nobody here knows (RFC 9293 3.10.7.1): a RST unless it is one, then a drop for
 * that reason. Consumes; returns IP_TAKEN. Poll context. */
int tcp_refuse(struct pkt *p, const struct ip_rx *rx, const struct tcp_seg *seg,
	       enum drop_reason why);
/* The same answer to a segment that somebody else frees. */
void tcp_refuse_segment(const struct ip_addr *laddr, const struct ip_addr *raddr, u32 ifindex,
			const struct tcp_seg *seg);
void tcp_respond_init(void);
