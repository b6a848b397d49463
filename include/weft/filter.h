/* SPDX-License-Identifier: MIT */
/* filter.h - classic BPF programs on sockets (SO_ATTACH_FILTER). The core checks a program once and
 * keeps it with the socket; a family that sets socket.filters asks socket_filter_run() about each
 * packet before it queues it. The interpreter sees a flat view of the packet and knows no
 * protocol. */
#pragma once

#include <uapi/filter.h>
#include <weft/socket.h>

/* What a program may look at. */
struct filter_view {
	const u8 *head;		/* the first byte in reach, the link header's where there is one */
	u32 size;		/* bytes in reach */
	u32 data_off, net_off;	/* from head: offset 0 of the program; the network header */
	u16 ethertype, pkttype; /* host order; PKT_* */
	u32 ifindex;
	u16 hatype; /* ARPHRD_* */
	u32 mark;
};

/* A program that this accepts ends after at most n steps, jumps forward only and inside, reads no
 * scratch word that it has not written, and divides by no constant zero. 0 or -EINVAL. */
int filter_check(const struct sock_filter *prog, u32 n);
/* Runs a checked program: how many bytes from data_off on to keep, 0: none. A load beyond the view
 * or a division by zero ends it with 0. Any context. */
u32 filter_run(const struct sock_filter *prog, const struct filter_view *v);

/* As filter_run, of the program that s has. Poll or process context, under RCU. */
u32 socket_filter_run(const struct socket *s, const struct filter_view *v);
/* The program that s has, of *n instructions; NULL: none. Under RCU. */
const struct sock_filter *socket_filter_program(const struct socket *s, u32 *n);
static inline bool socket_has_filter(const struct socket *s)
{
	return unlikely(READ_ONCE(s->filter) != NULL);
}
