/* SPDX-License-Identifier: MIT */
/* sockets.h - what the test programs ask of any socket, and how they wait for what is on its way.
 */
#pragma once

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static inline struct sockaddr_in lo(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline int open_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	check(fd >= 0);
	return fd;
}

static inline int tcp(void)
{
	return open_socket(AF_INET, SOCK_STREAM);
}

static inline int udp(void)
{
	return open_socket(AF_INET, SOCK_DGRAM);
}

/* A message with one control message of SOL_SOCKET, an int; what sendmsg() says. */
static inline long send_with_int(int fd, const char *text, int type, int value)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(c), &value, sizeof(value));
	return sendmsg(fd, &m, 0);
}

/* Of either IP version. */
static inline int port_of(int fd)
{
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	socklen_t len = sizeof(a);

	check(getsockname(fd, (void *)&a, &len) == 0);
	check(len == (a.v4.sin_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)));
	return ntohs(a.v4.sin_port);
}

static inline int set(int fd, int level, int opt, int v)
{
	return setsockopt(fd, level, opt, &v, sizeof(v));
}

static inline int get(int fd, int level, int opt)
{
	int v = -12345;
	socklen_t len = sizeof(v);

	check(getsockopt(fd, level, opt, &v, &len) == 0 && len == sizeof(v));
	return v;
}

static inline void nonblock(int fd)
{
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

static inline int readable(int fd, int ms)
{
	struct pollfd f = { fd, POLLIN, 0 };

	return poll(&f, 1, ms) == 1 && f.revents & POLLIN;
}

/* What is there of these, besides errors and ends, which always count. */
static inline int events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static inline int wait_events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 10000) >= 0);
	return p.revents;
}

static inline int queued(int fd, int cmd)
{
	int n = -1;

	check(ioctl(fd, cmd, &n) == 0);
	return n;
}

/* Waits until a stream has so many bytes to read. */
static inline void arrived(int fd, int n)
{
	soon(queued(fd, FIONREAD) >= n);
}

/* How many packets found no room in its buffer. */
static inline unsigned lost_of(int fd)
{
	unsigned mem[9]; /* SK_MEMINFO_DROPS is the last */
	socklen_t len = sizeof(mem);

	check(getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, mem, &len) == 0);
	check(len == sizeof(mem));
	return mem[8];
}

/* How many datagrams it had, which are read. */
static inline int drain(int fd)
{
	char c;
	int n = 0;

	while (recv(fd, &c, 1, MSG_DONTWAIT) >= 0)
		n++;
	check(errno == EAGAIN);
	return n;
}
