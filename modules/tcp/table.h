/* SPDX-License-Identifier: MIT */
/* table.h - what the table asks of the three kinds of ends, and tells those that keep them. */
#pragma once

#include "tcp.h"

/* The last reference is gone and so is every reader. Process context. */
void tcp_conn_free(struct tcp_end *e);	   /* conn.c */
void tcp_request_free(struct tcp_end *e);  /* listen.c */
void tcp_timewait_free(struct tcp_end *e); /* timewait.c */

u32 tcp_ends_alive(void); /* not freed yet, in tables or not */

/* tc listens no more: out of the table, and others may have the port. */
void tcp_listener_left(struct tcp_conn *tc);

/* timewait.c: may connect(2) have its 4-tuple now (tcp_tw_reuse, RFC 6191)? Bucket lock held. */
bool tcp_timewait_reusable(const struct tcp_end *tw);
/* What the next connection must know of it: where sequence numbers and time stamps go on. */
void tcp_timewait_inherit(const struct tcp_end *tw, struct tcp_conn *tc);
/* It is over, whoever finds it first. Idempotent. */
void tcp_timewait_drop(struct tcp_end *tw);
