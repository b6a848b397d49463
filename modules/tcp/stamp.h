/* SPDX-License-Identifier: MIT */
/* stamp.h - SO_TIMESTAMPING of what is sent, stamp.c. A connection without it pays for two bits in
 * bytes that are looked at anyway. */
#pragma once

#include "tcp.h"

/* tcp_conn.options, though not the peer's matter: what leaves is to be marked */
#define TCP_OPT_STAMPS BIT(4)

/* tcp_conn.watched: an ACK of something new is of interest */
#define TCP_WATCHED_MTU BIT(0)	  /* to mtuprobe.c */
#define TCP_WATCHED_STAMPS BIT(1) /* to stamp.c */

extern struct socket_ops tcp_stamping_ops; /* of sockets that have set the option */
void tcp_stamp_init(const struct socket_ops *usual);
void tcp_sock_init(void); /* sock.c: calls that */
/* The option is set: -EINVAL, else from here on the socket's sends are looked at. */
int tcp_stamping_set(struct socket *s, u32 before);

/* Lock held. */
void tcp_stamps_mark(struct tcp_conn *tc, struct pkt *p, u32 seq, u32 len); /* these leave in p */
void tcp_stamps_acked(struct tcp_conn *tc); /* before the queue forgets what is */
void tcp_stamps_drop(struct tcp_conn *tc);
