/* SPDX-License-Identifier: MIT */
/* tcpcheck.h - for the programs that test TCP sockets: the ends of a connection over loopback, and
 * the questions that are asked of them. */
#pragma once

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define POLLRDHUP 0x2000

static char buf[1 << 20] __attribute__((unused)), back[1 << 20] __attribute__((unused));
static int listener __attribute__((unused)), client __attribute__((unused));
static int server __attribute__((unused));

static inline struct sockaddr_in lo(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline int tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0);
	return fd;
}

static inline int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	check(getsockname(fd, (void *)&a, &len) == 0 && len == sizeof(a));
	return ntohs(a.sin_port);
}

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

static inline void nonblock(int fd)
{
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
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

static inline int events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static inline int wait_events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 2000) >= 0);
	return p.revents;
}

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)

static inline int option(int fd, int level, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	check(getsockopt(fd, level, opt, &v, &len) == 0 && len == sizeof(v));
	return v;
}

static inline int queued(int fd, int cmd)
{
	int n = -1;

	check(ioctl(fd, cmd, &n) == 0);
	return n;
}

static inline void reset(int *fd)
{
	struct linger l = { 1, 0 };

	check(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	close(*fd);
	*fd = -1;
	sleep_ms(20);
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
