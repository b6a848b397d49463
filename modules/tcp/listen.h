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
	bool fastopen; /* our SYN-ACK gives a cookie */
};

struct tcp_request {
	struct tcp_end end;
	struct tcp_handshake hs;   /* fixed, but for ts_recent */
	struct tcp_conn *listener; /* a reference */
	/* guarded by the listener's lock */
	struct list_head node; /* of those sent as often; empty: it is over */
	u64 deadline_ns;       /* for the next SYN-ACK */
	u64 sent_ns;	       /* the first; 0: a cookie was */
	u64 last_answer_ns;    /* to something odd */
	u8 retries;
	/* The handshake is complete, but accept's queue was full, or data is awaited: the peer
	 * believes that it is connected. */
	bool acked;
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

/* As on Linux: one more than was asked for. */
static inline bool tcp_accept_full(const struct tcp_listen *ln)
{
	return ln->nr_accept > ln->backlog;
}

/* listen.c */
/* RFC 9293 3.10.7.2: a segment for nobody's 4-tuple but l's port. iss 0: choose. Consumes; returns
 * IP_TAKEN. Poll context. */
int tcp_listen_input(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
		     const struct tcp_seg *seg, u32 iss);
/* Addresses and ports of the packet's 4-tuple, seen from here. */
void tcp_end_from_packet(struct tcp_end *e, const struct ip_rx *rx, const struct tcp_seg *seg,
			 const struct tcp_conn *l);
/* What a SYN asks for and we grant; hs is zeroed. */
void tcp_handshake_take(const struct tcp_conn *l, const struct tcp_end *e,
			const struct tcp_seg *seg, struct tcp_handshake *hs);

/* request.c. The listener's lock held, unless said. */
struct tcp_reply;
void tcp_synack_fill(struct tcp_reply *r, const struct tcp_conn *l, const struct tcp_end *e,
		     const struct tcp_handshake *hs);
/* A SYN becomes a request and is answered. False: no memory, or there is one. */
bool tcp_request_make(struct tcp_conn *l, const struct ip_rx *rx, const struct tcp_seg *seg,
		      u32 iss);
/* A cookie came back that finds no room in accept's queue: hs becomes a request, whose next SYN-ACK
 * asks the peer to try again. 0, -EEXIST, -ENOMEM also when there are too many. */
int tcp_request_restore(struct tcp_conn *l, const struct tcp_end *ends,
			const struct tcp_handshake *hs);
/* RFC 9293 3.10.7.4 for SYN-RECEIVED of a passive open. False: the request was over, p still is the
 * caller's. Poll context, without a lock. */
bool tcp_request_input(struct tcp_request *req, struct pkt *p, const struct ip_rx *rx,
		       const struct tcp_seg *seg);
/* Drops it, as when its SYN-ACKs cannot arrive. Poll context, without a lock. */
void tcp_request_fail(struct tcp_request *req);
void tcp_requests_timer(struct timer *t); /* tcp_listen.timer.fn */
void tcp_requests_drop(struct tcp_listen *ln);
int tcp_request_init(void);
void tcp_request_exit(void);

/* child.c: the handshake is over: a connection in l's accept queue. NULL: no memory, or somebody
 * was faster. req: whose place it takes in the table; NULL: nobody's. l's lock is held, and the
 * child's on return: others see it at once. */
struct tcp_conn *tcp_child_make(struct tcp_conn *l, const struct tcp_handshake *hs,
				const struct tcp_end *ends, struct tcp_end *req);
/* Into the accept queue. l's lock held. */
void tcp_child_queue(struct tcp_conn *l, struct tcp_conn *child);
/* Queues it for accept; what is in the segment that completed the handshake is its first business.
 * first_rtt: of SYN-ACK and ACK, 0: not known. Takes p, unlocks the child. l's lock held. */
void tcp_child_open(struct tcp_conn *l, struct tcp_conn *child, struct pkt *p,
		    const struct tcp_seg *seg, u8 tos, u64 first_rtt);

/* cookies.c (RFC 4987 3.6). The ISN that remembers a SYN with that handshake (options, mss,
 * wscale); *tsval: our time stamp, which remembers the options. */
u32 tcp_cookie_make(const struct tcp_end *e, struct tcp_handshake *hs, u32 *tsval);
enum tcp_cookie {
	TCP_COOKIE_BAD,	  /* none of ours */
	TCP_COOKIE_GOOD,  /* hs is restored */
	TCP_COOKIE_LATER, /* ours most likely, but this is not the first segment behind the SYN */
};
/* A segment that acknowledges a SYN-ACK that nobody remembers. */
enum tcp_cookie tcp_cookie_check(const struct tcp_end *e, const struct tcp_seg *seg,
				 struct tcp_handshake *hs);
void tcp_cookies_init(void);

/* fastopen.c (RFC 7413), the listener's lock held, unless said */
#define TCP_FASTOPEN_COOKIE 8
void tcp_fastopen_init(void);
void tcp_fastopen_cookie(const struct tcp_end *e, u8 *cookie);
/* Does this SYN ask for a cookie, or bring one that is no good? */
bool tcp_fastopen_gives_cookie(const struct tcp_conn *l, const struct tcp_end *e,
			       const struct tcp_seg *seg);
/* A SYN with a good cookie: a connection at once, p is taken. False: a SYN like any other. */
bool tcp_fastopen_input(struct tcp_conn *l, struct pkt *p, const struct ip_rx *rx,
			const struct tcp_seg *seg);
