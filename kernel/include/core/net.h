/* SPDX-License-Identifier: MIT */
/* core/net.h - the network-neutral half of networking that lives in the kernel: what its files owe
 * each other and the rest of the core. */
#pragma once

#include <weft/pkt.h>
#include <weft/socket.h>

/* One thread for each CPU that carries on when the poll context is over its budget. Process
 * context, once, after all CPUs are started. */
void pollers_start(void);

void socket_free_late(struct socket *s); /* its last share is back: after a grace period */
void socket_tx_room(struct socket *s);	 /* tells who waits for room to send */
/* Gives back what pkt_free() finds charged to a socket's send buffer. Any context but interrupt,
 * under RCU: s may be closed and freed as soon as its share is back, but not before a grace period.
 */
static inline void socket_uncharge_tx(struct socket *s, u32 truesize)
{
	if (unlikely(!atomic_sub(&s->tx_bytes, truesize)))
		socket_free_late(s);
	if (unlikely(READ_ONCE(s->tx_waiting)))
		socket_tx_room(s);
}

/* ---- for the module loader ---- */
/* Sets pid and fd in the references of all sockets of m to what the descriptor tables say now. */
void socket_refresh_holders(struct module *m);

void unix_init(void); /* AF_UNIX */
