/* SPDX-License-Identifier: MIT */
/* ports.h - who holds which local port. An end holds at most one, from bind(2), connect(2) or
 * listen(2), or because the end that it came out of does, until it is released. */
#pragma once

#include "tcp.h"

/* bind(2): is.laddr is set; want 0: any free port. -EADDRINUSE, -EACCES (caller checks root),
 * -ENOMEM. Socket's lock. */
int tcp_bind_port(struct tcp_conn *tc, u16 want);
/* SO_REUSEADDR or SO_REUSEPORT was set. Socket's lock. */
void tcp_bind_options(struct tcp_conn *tc);
/* connect(2): chooses a port (unless bound; RFC 6056 algorithm 3) such that the 4-tuple is unused,
 * or taken by a TIME-WAIT that may be recycled (RFC 6191, tcp_tw_reuse), and puts tc into the
 * table. -EADDRNOTAVAIL none left, -ENOMEM. Socket's lock. */
int tcp_bind_tuple(struct tcp_conn *tc);
/* listen(2) on the port that tc holds: who cannot share it with a listener keeps it from that.
 * -EADDRINUSE. Socket's lock. */
int tcp_port_listen(struct tcp_conn *tc);
/* tc listens no more: others may have the port beside it. */
void tcp_port_listen_over(struct tcp_conn *tc);
/* e, in no table yet, holds the port that holder holds, in the same way but for listening. False:
 * holder has none any more. */
bool tcp_port_share(struct tcp_end *e, const struct tcp_end *holder);
/* Idempotent. */
void tcp_release_port(struct tcp_end *e);

int tcp_ports_init(void);
void tcp_ports_exit(void);
