/* SPDX-License-Identifier: MIT */
/* sock_diag.h - NETLINK_SOCK_DIAG on one side, tables of sockets on the other. Who asks gets a
 * message for each socket that he wants; the protocols behind the tables are not known here. */
#pragma once

#include <uapi/sock_diag.h>
#include <weft/net/diag.h>
#include <weft/net/netlink.h>
#include <weft/string.h>

/* ---- inet.c, unix.c, packet.c, netlink.c: of SOCK_DIAG_BY_FAMILY; of SOCK_DESTROY ---- */
extern const struct nl_handler inet_show, unix_show, packet_show, netlink_show_all;
extern const struct nl_handler inet_destroy;

/* ---- message.c ---- */
/* The message of one socket of AF_INET or AF_INET6, with what ext asks for; root sees more. False:
 * no room. */
bool inet_message(struct nl_out *o, const struct diag_sock *d, u8 ext, bool root);
static inline void put_cookie(u32 to[2], u64 cookie)
{
	to[0] = cookie;
	to[1] = cookie >> 32;
}
static inline u64 get_cookie(const u32 from[2])
{
	return from[0] | (u64)from[1] << 32;
}
/* The memory of a socket that keeps its packets as struct socket does. */
void put_memory(struct nl_out *o, u16 type, const struct socket *s);

/* ---- filter.c ---- */
/* May the program run? It comes from a user: it may say anything. 0, -EINVAL, -EPERM. */
int filter_verify(const u8 *code, u32 len, bool root);
/* Of a verified one: does it want d? */
bool filter_match(const u8 *code, u32 len, const struct diag_sock *d);
