/* SPDX-License-Identifier: MIT */
/* fuzz6.h - what the fuzz targets of IPv6 share: as fuzz.h, with the module `ipv6`. Whatever the
 * inputs configured is within bounds, and goes with the module; what the user configured comes back
 * with it. */
#pragma once

#include "fuzz.h"
#include "stack6.h"

/* conf.max_addresses counts those of one interface that were made by themselves; beside them the
 * link-local one, the user's, and temporary ones of each. */
#define FUZZ6_ADDRS 64
#define FUZZ6_NEIGHBOURS 1024
#define FUZZ6_ROUTES 4096

static inline void fuzz6_known(void)
{
	stack_know_peer6();
	sim_run_ms(1);
	peer_forget(&peer);
}

static inline void fuzz_begin6(void)
{
	static bool up;

	if (up)
		return;
	up = true;
	fuzz_must(!stack_up6());
	stack_know_peer();
	ifconfig("lo", IP4(127, 0, 0, 1), 8);
}

/* The host answers somebody it has never heard of, over both versions. */
static inline void fuzz6_alive(u32 n)
{
	struct ip_addr from = ip6("fe80::77"), to = host_ll();

	put_be32(from.b + 4, 0);
	put_be32(from.b + 8, n);
	peer.ip6[2] = from;
	peer.nr_ip6 = 3;
	peer_forget(&peer);
	peer_echo(&peer, host_mac, HOST, 99, n, 32);
	peer6_echo(&peer, &from, &to, 99, n, 32);
	sim_run_ms(10);
	fuzz_must(peer_take_icmp(&peer, 0, 0));
	fuzz_must(peer6_take_icmp(&peer, 129, 0));
	peer.nr_ip6 = 2;
}

static inline void fuzz6_bounds(void)
{
	struct sim_memory m;

	sim_memory_get(&m);
	fuzz_must(m.packets <= 2000);
	fuzz_must(addr6_count("eth0") <= FUZZ6_ADDRS);
	fuzz_must(neigh6_count() <= FUZZ6_NEIGHBOURS);
	fuzz_must(route6_count() <= FUZZ6_ROUTES);
}

static inline void fuzz6_note_route(const struct route *r, void *arg)
{
	*(struct route *)arg = *r;
}

/* What the user gave an interface, and with it every route of IPv6, is taken away. Under
 * netif_lock. */
static inline void fuzz6_forget(struct netif *nif)
{
	struct ifaddr *a, *next;
	struct route found;

	list_for_each_entry_safe(a, next, &nif->addrs, node) {
		if (a->af == AF_INET6)
			ifaddr_del(a);
	}
	for (;;) {
		found = (struct route){ 0 };
		route_for_each(AF_INET6, fuzz6_note_route, &found);
		if (!found.af || route_del(&found))
			break;
	}
	neigh_flush_nif(nif, true);
}

/* The module leaves and comes back: nothing of the inputs may be left. */
static inline void fuzz6_nothing_left(void)
{
	struct ip_addr host = HOST6;
	static u64 blocks;
	struct sim_memory m;

	sim_run_s(700); /* a learnt path MTU stays for ten minutes */
	fuzz_must(!sim_rmmod("ipv6", false));
	fuzz_must(!sim_insmod("ipv6", NULL));
	fuzz_forget_neighbours();
	fuzz_must(addr6_wait(NULL, 20000) && addr6_wait(&host, 20000));
	sim_run_s(60); /* solicitations and reports are over */
	sim_memory_get(&m);
	if (!blocks)
		blocks = m.held;
	if (m.held > blocks + 100)
		sim_memory_print();
	fuzz_must(m.held <= blocks + 100);
}

static inline void fuzz_end6(void)
{
	static u32 n;

	sim_run(200 * NSEC_PER_USEC);
	if (++n % 64)
		return;
	fuzz6_bounds();
	sim_run_s(n % 512 ? 1 : 60);
	fuzz6_alive(n);
	if (n % 1024 == 0)
		fuzz6_nothing_left();
	stack_know_peer();
	fuzz6_known();
}

/* ---- addresses that inputs choose from ---- */

static inline struct ip_addr fuzz6_source(u8 n)
{
	switch (n % 8) {
	case 0:
	case 1:
	case 2:
		return PEER6_LL;
	case 3:
		return PEER6;
	case 4:
		return ip6("::");
	case 5:
		return ip6("ff02::1");
	case 6:
		return HOST6;
	}
	return ip6("fe80::2");
}

static inline struct ip_addr fuzz6_dest(u8 n)
{
	struct ip_addr host = HOST6, ll = host_ll();

	switch (n % 8) {
	case 0:
	case 1:
		return host;
	case 2:
		return ll;
	case 3:
		return ip6("ff02::1");
	case 4:
		return ip6_solicited_node(&host);
	case 5:
		return ip6("2001:db8:7::1");
	case 6:
		return ip6("ff05::1234");
	}
	return ip6("::1");
}
