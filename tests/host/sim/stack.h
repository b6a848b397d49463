/* SPDX-License-Identifier: MIT */
/* stack.h - what simulation tests include: the machine, one configured host (eth0, 10.0.0.2/24,
 * default gateway 10.0.0.1) with a peer on its wire, sockets, and the look at counters. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#ifndef SIM_NO_CMOCKA
#include <cmocka.h>
#endif

#include <weft/bytes.h>
#include <weft/net/drop.h>
#include <weft/net/ifaddr.h>
#include <weft/net/neigh.h>
#include <weft/net/netif.h>
#include <weft/net/route.h>
#include <weft/sched.h>
#include <weft/socket.h>
#include <weft/string.h>

#include "model_e1000.h"
#include "peer.h"
#include "sim.h"

#define IP4(a, b, c, d) ((u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define HOST IP4(10, 0, 0, 2)
#define PEER IP4(10, 0, 0, 1)
#define HOST_BROADCAST IP4(10, 0, 0, 255)

extern const u8 host_mac[6], peer_mac[6], broadcast_mac[6];
extern struct sim_nic nic;
extern struct peer peer;
extern struct sim_link wire;

/* Modules, interface, address, peer with ARP answering; leaves the peer's ears empty. Negative
 * errno only under allocation failure. */
int stack_up(void);
/* The same without the peer's answers to ARP. */
int stack_up_quiet(void);
/* Everything leaves; nothing may be left. */
void stack_down(void);
/* The host's eth0 is a model's, by its driver, instead of the plain device. */
int stack_up_pci(struct sim_pci_model *pci, struct sim_end *end, const char *driver,
		 const char *args);
void stack_down_pci(struct sim_pci_model *pci, const char *driver);
int stack_up_e1000(struct model_e1000 *m, const char *args);
void stack_down_e1000(struct model_e1000 *m);
/* Teaches the peer's address, so that ARP is out of the way. */
void stack_know_peer(void);

int ifconfig(const char *name, u32 addr, u32 plen); /* address, mask, up */
int ifconfig_down(const char *name);
int route_default(u32 gateway);
struct netif *netif_named(const char *name);
static inline u32 eth0(void) /* its number */
{
	return netif_named("eth0")->index;
}

/* ---- sockets, by the core's own calls ---- */
struct socket *sock_open(int type, int protocol); /* ERR_PTR */
void sock_close(struct socket *s);
long sock_send(struct socket *s, u32 dst, const void *data, u32 len, u32 flags);
/* from may be NULL. */
long sock_recv(struct socket *s, void *data, u32 len, u32 flags, u32 *from);
int sock_bind(struct socket *s, u32 addr, u16 port);
int sock_setopt(struct socket *s, int level, int opt, const void *val, u32 len);
long sock_ioctl(u32 cmd, void *arg);

/* ---- counters ---- */
u64 drops(enum drop_reason why);
void drops_mark(void); /* drops_since counts from here */
u64 drops_since(enum drop_reason why);
u8 neigh_state_of(u32 addr); /* 0xff: no entry */
