/* SPDX-License-Identifier: MIT */
/* link.h - a wire between two ends that loses, repeats, reorders, damages, delays and queues frames
 * as a seed says, and can write what it carries to a file that packet analysers read. */
#pragma once

#include <weft/bytes.h>

#include "sim.h"

/* Hardware's side: called from a simulated event, interrupts off. */
struct sim_end {
	void (*receive)(struct sim_end *e, const u8 *frame, u32 len);
	struct sim_link *link;
	u64 frames;
};

struct sim_link {
	struct sim_end *end[2];
	u64 delay_ns, jitter_ns; /* jitter keeps the order */
	/* per thousand frames; a reordered one comes up to twice reorder_ns late */
	u32 loss, duplicate, reorder, corrupt;
	u64 reorder_ns;
	/* bytes a second and what waits for its turn in each direction; 0: no limit */
	u64 rate;
	u32 queue_bytes;
	u32 mtu; /* larger payloads vanish; 0: none do */
	/* its own */
	u64 lost, tail_dropped;
	u32 in_flight;
	u64 free_at[2], last_at[2]; /* by direction: sender ready, last arrival */
	void *trace;		    /* FILE of a capture */
};

/* A fresh link without faults, 10 us long. */
void sim_link_init(struct sim_link *l, struct sim_end *a, struct sim_end *b);
void sim_link_send(struct sim_end *from, const u8 *frame, u32 len);
/* Every frame that is sent goes to this file too (pcap, nanoseconds). False: cannot be made. */
bool sim_link_trace(struct sim_link *l, const char *path);
void sim_link_trace_end(struct sim_link *l);

/* RFC 1071: the ones' complement sum of n octets and what was summed before. */
static inline u16 wire_sum_add(const u8 *p, u32 n, u32 sum)
{
	for (; n > 1; n -= 2, p += 2)
		sum += get_be16(p);
	if (n)
		sum += *p << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
