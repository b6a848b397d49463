/* SPDX-License-Identifier: MIT */
/* listen.h - what a listener keeps: half-open connections, as requests, and complete ones that wait
 * for accept. */
#pragma once

#include "tcp.h"

/* What a SYN told, and what we answered: all that a connection is made from. */
struct tcp_handshake {
	u32 iss, irs;
	u32 ts_recent, ts_offset;
	u32 rcv_wnd;  /* of our SYN-ACK, bytes */
	u16 mss_peer; /* never 0 */
	u8 options;   /* TCP_OPT_* */
	u8 snd_wscale, rcv_wscale;
};

struct tcp_request {
	struct tcp_end end;
	struct tcp_handshake hs;   /* fixed, but for ts_recent */
	struct tcp_conn *listener; /* a reference */
	/* guarded by the listener's lock */
	struct list_head node; /* of those sent as often; empty: it is over */
	u64 deadline_ns;       /* for the next SYN-ACK */
	u64 sent_ns;	       /* the first */
	u64 last_answer_ns;    /* to something odd */
	u8 retries;
	bool acked; /* the handshake is complete, but accept's queue was full, or data is awaited */
};

#define TCP_RETRY_LISTS 8 /* from here on all wait equally long: RTO max */

/* All guarded by the listener's lock. */
struct tcp_listen {
	struct tcp_conn *owner;
	u32 backlog;
	struct list_head accept; /* of struct tcp_conn, a reference each */
	u32 nr_accept;
	struct list_head waiting[TCP_RETRY_LISTS]; /* requests by SYN-ACKs sent, oldest first */
	u32 nr_requests;
	struct timer timer; /* for the earliest deadline or earlier */
	u64 cookies_until;  /* ACKs may carry cookies until then */
	u64 cookies_warned;
};

static inline struct tcp_request *tcp_request_of(struct tcp_end *e)
{
	return container_of(e, struct tcp_request, end);
}

/* RFC 9293 3.10.7.2: a segment for nobody's 4-tuple but l's port. iss 0: choose. Consumes; returns
 * IP_TAKEN. Poll context. */
int tcp_listen_input(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
		     const struct tcp_seg *seg, u32 iss);
/* RFC 9293 3.10.7.4 for SYN-RECEIVED of a passive open. False: the request was over, p still is the
 * caller's. Poll context. */
bool tcp_request_input(struct tcp_request *req, struct pkt *p, const struct ip_rx *rx,
		       const struct tcp_seg *seg);
/* Drops it, as when its SYN-ACKs cannot arrive. Poll context. */
void tcp_request_fail(struct tcp_request *req);
int tcp_listen_init(void);
void tcp_listen_exit(void);

/* child.c: the handshake is over: a connection in l's accept queue. NULL: no memory, or somebody was
 * faster. req: whose place it takes in the table; NULL: nobody's. l's lock is held, and the child's on
 * return: others see it at once. */
struct tcp_conn *tcp_child_make(struct tcp_conn *l, const struct tcp_handshake *hs,
				const struct tcp_end *ends, struct tcp_end *req);

/* cookies.c (RFC 4987 3.6). The ISN that remembers a SYN with that handshake (options, mss, wscale);
 * *tsval: our time stamp, which remembers the options. */
u32 tcp_cookie_make(const struct tcp_end *e, struct tcp_handshake *hs, u32 *tsval);
/* An ACK for a SYN-ACK that nobody remembers: restores hs. False: it is none of ours. */
bool tcp_cookie_check(const struct tcp_end *e, const struct tcp_seg *seg, struct tcp_handshake *hs);
void tcp_cookies_init(void);
