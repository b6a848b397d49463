/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets share: a stack that is brought up once, and the check after an
 * input that it is still there, within its bounds. */
#pragma once

#define SIM_NO_CMOCKA
#include "stack.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Brings the stack up at the first call. */
static inline void fuzz_begin(void)
{
	static bool up;

	if (up)
		return;
	up = true;
	if (stack_up())
		__builtin_trap();
	stack_know_peer();
}

/* Lets the input take effect; from time to time time-outs come, and the host must answer a ping. */
static inline void fuzz_end(void)
{
	static u32 n;
	struct sim_memory m;

	sim_run(200 * NSEC_PER_USEC);
	if (++n % 64)
		return;
	sim_run_s(n % 512 ? 1 : 60);
	peer_forget(&peer);
	stack_know_peer();
	peer_echo(&peer, host_mac, HOST, 99, n, 32);
	sim_run_ms(1);
	if (!peer_take_icmp(&peer, 0, 0))
		__builtin_trap();
	sim_memory_get(&m);
	if (m.packets > 2000)
		__builtin_trap();
}
