/* SPDX-License-Identifier: MIT */
/* fuzz_bpf.c - classic BPF programs over a packet: the first byte says how many instructions, the
 * rest behind them is the packet, in a block of its own so that ASan sees a step outside. */
#define SIM_NO_CMOCKA
#include "stack.h"

#include <stdlib.h>
#include <weft/filter.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct sock_filter prog[64];
	struct filter_view v = { .ethertype = 0x800, .pkttype = 1, .ifindex = 2, .hatype = 1 };
	u32 n, bytes;
	u8 *packet;

	sim_boot();
	if (size < 3)
		return 0;
	n = data[0] % ARRAY_SIZE(prog);
	v.data_off = data[1] % 32;
	v.net_off = data[2] % 32;
	data += 3;
	size -= 3;
	bytes = n * sizeof(prog[0]);
	if (size < bytes)
		return 0;
	memcpy(prog, data, bytes);
	if (filter_check(prog, n))
		return 0;
	v.size = size - bytes;
	/* a tap never starts behind the packet's end */
	if (v.data_off > v.size)
		v.data_off = v.size;
	packet = malloc(v.size ? v.size : 1);
	memcpy(packet, data + bytes, v.size);
	v.head = packet;
	filter_run(prog, &v);
	free(packet);
	return 0;
}
