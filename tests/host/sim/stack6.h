/* SPDX-License-Identifier: MIT */
/* stack6.h - the configured host of stack.h with the module `ipv6`: eth0 has its link-local address
 * and 2001:db8::2/64, the default route goes to fe80::1, which the peer has, beside 2001:db8::1. */
#pragma once

#include "peer6.h"
#include "stack.h"

#define HOST6 ip6("2001:db8::2")
#define PEER6 ip6("2001:db8::1")
#define PEER6_LL ip6("fe80::1")

/* stack_up, then ipv6, addresses checked for duplicates, the peer known; the peer's ears are empty.
 * Negative errno only under allocation failure. */
int stack_up6(void);
/* The module alone: no address but those it makes, no route, the peer answers nothing (its
 * addresses are set). What it sends from the moment of insmod is in the peer's ears. args: NULL or
 * the module's. */
int stack_up6_bare(const char *args);
/* After either: as stack_down. */
#define stack_down6 stack_down
/* Teaches the host both addresses of the peer. */
void stack_know_peer6(void);

/* eth0's link-local address whatever its state; any: none yet. */
struct ip_addr host_ll(void);
/* Sleeps until addr (NULL: the link-local one) is there and no more tentative; false: not within so
 * many ms. */
bool addr6_wait(const struct ip_addr *addr, u32 ms);
/* IFADDR_* of an address of eth0, ~0u: it is not there. */
u32 addr6_flags(const struct ip_addr *addr);
u32 addr6_count(const char *name); /* IPv6 addresses of an interface */

int addr6_add(const char *name, const struct ip_addr *addr, u8 plen, u32 flags);
int addr6_del(const char *name, const struct ip_addr *addr);
/* gateway NULL: on link. */
int route6_add(const char *name, const struct ip_addr *prefix, u8 plen,
	       const struct ip_addr *gateway);
u32 route6_count(void);
u8 neigh6_state_of(const struct ip_addr *addr); /* 0xff: no entry */
u32 neigh6_count(void);

/* A setting below /proc/sys/net/ipv6, "conf/eth0/forwarding". */
int sysctl6(const char *name, const char *value);

/* ---- sockets; a link-local address means eth0's ---- */
struct socket *sock_open6(int type, int protocol); /* ERR_PTR */
int sock_bind6(struct socket *s, const struct ip_addr *addr, u16 port);
/* to NULL: no name */
long sock_send6(struct socket *s, const struct ip_addr *to, u16 port, const void *data, u32 len,
		u32 flags);
/* from, port may be NULL. */
long sock_recv6(struct socket *s, void *data, u32 len, u32 flags, struct ip_addr *from, u16 *port);
