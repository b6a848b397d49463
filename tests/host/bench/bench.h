/* SPDX-License-Identifier: MIT */
/* bench.h - the work that the host benchmark has two machines do. */
#pragma once

#include <weft/types.h>

struct bench_job {
	u32 local, remote; /* host order */
	u16 port;
	u64 amount; /* octets of a stream, or datagrams */
	u32 size;   /* of a send */
	/* what came of it */
	u64 done;
	int error;
};

/* Jobs of machines: struct bench_job. */
struct bench_ops {
	long (*tcp_source)(void *job);
	long (*tcp_sink)(void *job);
	long (*udp_source)(void *job);
	long (*udp_sink)(void *job);
};
