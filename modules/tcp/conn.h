/* SPDX-License-Identifier: MIT */
/* conn.h - what main.c and the makers of connections need of conn.c. */
#pragma once

#include "tcp.h"

int tcp_conn_init(void);
/* At module exit: orphans end, with a RST to their peers. */
void tcp_orphans_exit(void);
void tcp_conn_exit(void); /* no connection is alive */
