/* SPDX-License-Identifier: MIT */
/* core/net.h - the network-neutral half of networking that lives in the kernel: what its files owe
 * each other and the rest of the core. */
#pragma once

#include <weft/pkt.h>
#include <weft/socket.h>

/* One thread for each CPU that carries on when the poll context is over its budget. Process
 * context, once, after all CPUs are started. */
void pollers_start(void);

/* Gives back what pkt_free() finds charged to a socket's send buffer. Any context but interrupt. */
void socket_uncharge_tx(struct socket *s, u32 truesize);

/* ---- for the module loader ---- */
/* Sets pid and fd in the references of all sockets of m to what the descriptor tables say now. */
void socket_refresh_holders(struct module *m);

void unix_init(void); /* AF_UNIX */
