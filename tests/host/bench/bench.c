/* SPDX-License-Identifier: MIT */
/* bench.c - the protocol modules on the host, without sanitizers: two machines, both ends of one
 * connection on one CPU. Prints what a segment costs, sending, receiving and its share of ACKs
 * together, checksums in software.
 *	build/bench-host/weft [tcp MEGABYTES | udp DATAGRAMS] */
#include "bench.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weft/string.h>

#include "host.h"

#define IP4(a, b, c, d) ((u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define MSS 1460

static struct host hosts[2];
static const struct bench_ops *ops[2];
static struct sim_link cable;

static void up(void)
{
	static const u8 macs[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
	static struct guest_config config[2];
	u32 i;

	for (i = 0; i < 2; i++) {
		config[i].nic[0] = (struct guest_nic){ .mac = macs[i],
						       .ip = IP4(10, 0, 0, 1 + i),
						       .plen = 24 };
		config[i].modules = "udp tcp tcp_cubic";
		host_load(&hosts[i], i, i + 1);
		ops[i] = dlsym(hosts[i].library, "bench_ops");
		if (!ops[i] || host_call(&hosts[i], hosts[i].ops->up, &config[i]))
			exit(2);
	}
	sim_link_init(&cable, config[0].nic[0].end, config[1].nic[0].end);
}

/* Of this process: the machine may have others. */
static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void set(u32 host, const char *path, const char *text)
{
	const char *words[2] = { path, text };

	host_call(&hosts[host], hosts[host].ops->write, words);
}

static void run(bool tcp, u64 amount)
{
	struct bench_job source = {
		.remote = IP4(10, 0, 0, 2), .port = 9, .amount = amount, .size = tcp ? 65536 : 64
	};
	struct bench_job sink = { .local = IP4(10, 0, 0, 2), .port = 9 };
	struct guest_job a, b;
	double start, ns, units;

	host_spawn(&hosts[1], &b, tcp ? ops[1]->tcp_sink : ops[1]->udp_sink, &sink);
	world_run(NSEC_PER_MSEC);
	start = cpu_ns();
	host_spawn(&hosts[0], &a, tcp ? ops[0]->tcp_source : ops[0]->udp_source, &source);
	while (!a.done || (tcp && !b.done))
		world_run(NSEC_PER_SEC);
	ns = cpu_ns() - start;
	units = tcp ? (double)amount / MSS : (double)amount;
	if (source.error || sink.error || sink.done < amount * 9 / 10) {
		fprintf(stderr, "errors %d %d, %lu of %lu came\n", source.error, sink.error,
			sink.done, amount);
		exit(1);
	}
	printf("weft %s: %.0f ns a %s, %.0f of them\n", tcp ? "tcp" : "udp", ns / units,
	       tcp ? "segment" : "datagram", units);
}

int main(int argc, char **argv)
{
	bool udp = argc > 2 && !strcmp(argv[1], "udp");
	u64 amount = argc > 2 ? strtoul(argv[2], NULL, 0) : 200;

	up();
	set(1, "/proc/sys/net/ipv4/tcp_timestamps", "0");
	set(0, "/proc/sys/net/ipv4/tcp_timestamps", "0"); /* a segment is 1460 octets */
	run(!udp, udp ? amount : amount << 20);
	fflush(stdout);
	_Exit(0);
}
