/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets share: a stack that is brought up once, and the check after an
 * input that it is still there, within its bounds. */
#pragma once

#define SIM_NO_CMOCKA
#include "machine.h"
#include "stack.h"

/* An input has found something when this does not hold. */
#define fuzz_must(condition)                                                         \
	do {                                                                         \
		if (!(condition))                                                    \
			sim_fatal("%s:%d: not so: " #condition, __FILE__, __LINE__); \
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Brings the stack up at the first call. */
static inline void fuzz_begin(void)
{
	static bool up;

	if (up)
		return;
	up = true;
	fuzz_must(!stack_up());
	stack_know_peer();
}

/* Loads these too, once, as far as they are there. */
static inline void fuzz_modules(const char *names)
{
	static bool loaded;
	char word[16];
	u32 n = 0;

	if (loaded)
		return;
	loaded = true;
	ifconfig("lo", IP4(127, 0, 0, 1), 8);
	for (;; names++) {
		if (*names && *names != ' ') {
			word[n++] = *names;
			continue;
		}
		word[n] = 0;
		fuzz_must(!n || !sim_module_there(word) || !sim_insmod(word, NULL));
		n = 0;
		if (!*names)
			break;
	}
}

/* Takes all answers out of a netlink socket; none is larger than a part of a dump. */
static inline void fuzz_drain_netlink(struct socket *s)
{
	static u8 in[8192];
	long n;

	do {
		n = sock_recv(s, in, sizeof(in), MSG_DONTWAIT, NULL);
		fuzz_must(n <= 4096 + 64);
	} while (n > 0 || n == -ENOBUFS);
}

static inline void fuzz_forget_neighbours(void)
{
	struct netif *nif;

	netif_lock();
	netif_for_each(nif)
		neigh_flush_nif(nif, false);
	netif_unlock();
}

/* Lets the input take effect; from time to time time-outs come, and the host must answer a ping. */
static inline void fuzz_end(void)
{
	static u32 n;
	static u64 blocks;
	struct sim_memory m;

	sim_run(200 * NSEC_PER_USEC);
	if (++n % 64)
		return;
	sim_run_s(n % 512 ? 1 : 60);
	peer_forget(&peer);
	stack_know_peer();
	peer_echo(&peer, host_mac, HOST, 99, n, 32);
	sim_run_ms(1);
	fuzz_must(peer_take_icmp(&peer, 0, 0));
	sim_memory_get(&m);
	fuzz_must(m.packets <= 2000);
	if (n % 512)
		return;
	/* every time-out is over, and the neighbours are forgotten of which a table keeps some
	 * for ever: nothing of the inputs may be left */
	sim_run_s(180);
	fuzz_forget_neighbours();
	sim_run_s(1);
	sim_memory_get(&m);
	if (!blocks)
		blocks = m.held;
	if (m.held > blocks + 100)
		sim_memory_print();
	fuzz_must(m.held <= blocks + 100);
}
