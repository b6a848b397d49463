/* SPDX-License-Identifier: MIT */
/* tcpcheck.h - for the programs that test TCP sockets: the ends of a connection over loopback, and
 * the questions that are asked of them. */
#pragma once

#include "sockets.h"

#include <netinet/tcp.h>

static char buf[1 << 20] __attribute__((unused)), back[1 << 20] __attribute__((unused));
static int listener __attribute__((unused)), client __attribute__((unused));
static int server __attribute__((unused));

static inline int connect_to(int fd, int port)
{
	struct sockaddr_in a = lo(port);

	return connect(fd, (void *)&a, sizeof(a));
}

static inline int listen_on(int backlog)
{
	struct sockaddr_in a = lo(0);
	int fd = tcp();

	check(bind(fd, (void *)&a, sizeof(a)) == 0);
	check(listen(fd, backlog) == 0);
	return fd;
}

static inline void pair(void)
{
	listener = listen_on(8);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	server = accept(listener, NULL, NULL);
	check(server >= 0);
}

/* A port where nobody listens. */
static inline int dead_port(void)
{
	int fd = listen_on(1), port = port_of(fd);

	close(fd);
	return port;
}

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)

static inline void reset(int *fd)
{
	struct linger l = { 1, 0 };

	check(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	close(*fd);
	*fd = -1;
}

/* Fills both buffers; how much that was. */
static inline size_t stuff(int fd)
{
	size_t total = 0;
	ssize_t n;

	for (int quiet = 0; quiet < 3; sleep_ms(10)) {
		n = send(fd, buf, sizeof(buf), MSG_DONTWAIT);
		check(n > 0 || errno == EAGAIN);
		quiet = n > 0 ? 0 : quiet + 1;
		total += n > 0 ? n : 0;
	}
	return total;
}
