/* SPDX-License-Identifier: MIT */
/* bench_app.c - sends and receives as fast as it goes, one copy into the machine and one out. */
#include "bench.h"

#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/string.h>
#include <weft/time.h>

#include "calls.h"

#define BUFFER (64 * 1024)
#define BURST 64 /* datagrams between two rests: what a ring takes */

static u8 buffer[BUFFER];

static long tcp_source(void *job)
{
	struct bench_job *j = job;
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	j->error = fd < 0 ? fd : c_connect(fd, j->remote, j->port);
	while (!j->error && j->done < j->amount) {
		long n = c_send(fd, buffer, min((u64)j->size, j->amount - j->done), 0);

		if (n < 0)
			j->error = n;
		else
			j->done += n;
	}
	return fd < 0 ? fd : c_close(fd);
}

static long tcp_sink(void *job)
{
	struct bench_job *j = job;
	int listener = c_socket(AF_INET, SOCK_STREAM, 0), fd;
	long n;

	j->error = c_bind(listener, j->local, j->port);
	if (!j->error)
		j->error = c_listen(listener, 1);
	fd = j->error ? j->error : c_accept(listener, 0);
	while (fd >= 0 && (n = c_recv(fd, buffer, BUFFER, 0)) > 0)
		j->done += n;
	c_close(listener);
	return fd < 0 ? fd : c_close(fd);
}

static long udp_source(void *job)
{
	struct bench_job *j = job;
	int fd = c_socket(AF_INET, SOCK_DGRAM, 0);

	j->error = c_connect(fd, j->remote, j->port);
	for (; !j->error && j->done < j->amount; j->done++) {
		long n = c_send(fd, buffer, j->size, 0);

		if (n < 0)
			j->error = n;
		if (j->done % BURST == BURST - 1)
			sleep_ns(100);
	}
	return c_close(fd);
}

static long udp_sink(void *job)
{
	struct bench_job *j = job;
	int fd = c_socket(AF_INET, SOCK_DGRAM, 0);

	j->error = c_bind(fd, j->local, j->port);
	c_setint(fd, SOL_SOCKET, SO_RCVTIMEO, 0);
	while (!j->error && c_poll(fd, POLLIN, 100)) {
		while (c_recv(fd, buffer, BUFFER, MSG_DONTWAIT) >= 0)
			j->done++;
	}
	return c_close(fd);
}

__attribute__((visibility("default"))) const struct bench_ops bench_ops = {
	.tcp_source = tcp_source,
	.tcp_sink = tcp_sink,
	.udp_source = udp_source,
	.udp_sink = udp_sink,
};
