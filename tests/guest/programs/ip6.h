/* SPDX-License-Identifier: MIT */
/* ip6.h - what the IPv6 test programs share: names, sockets, options, control messages. They want
 * an interface beside lo that has a link-local address. */
#pragma once

#include "sockets.h"

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/tcp.h>

union name {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline union name name6(const char *host, int port, int scope)
{
	union name n = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };

	check(inet_pton(AF_INET6, host, &n.v6.sin6_addr) == 1);
	n.v6.sin6_scope_id = scope;
	return n;
}

static inline union name name4(const char *host, int port)
{
	union name n = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

	check(inet_pton(AF_INET, host, &n.v4.sin_addr) == 1);
	return n;
}

/* By what it looks like. */
static inline union name name_of(const char *host, int port)
{
	return strchr(host, ':') ? name6(host, port, 0) : name4(host, port);
}

static inline socklen_t name_len(const union name *n)
{
	return n->sa.sa_family == AF_INET ? sizeof(n->v4) : sizeof(n->v6);
}

static inline int open6(int type, int protocol)
{
	int fd = socket(AF_INET6, type, protocol);

	check(fd >= 0);
	return fd;
}

static inline int bind_name(int fd, union name n)
{
	return bind(fd, &n.sa, name_len(&n));
}

static inline int connect_name(int fd, union name n)
{
	return connect(fd, &n.sa, name_len(&n));
}

static inline long send_name(int fd, const void *p, size_t len, union name n)
{
	return sendto(fd, p, len, 0, &n.sa, name_len(&n));
}

static inline union name own_name(int fd)
{
	union name n;
	socklen_t len = sizeof(n);

	memset(&n, 0, sizeof(n));
	check(getsockname(fd, &n.sa, &len) == 0);
	return n;
}

static inline union name peer_name(int fd)
{
	union name n;
	socklen_t len = sizeof(n);

	memset(&n, 0, sizeof(n));
	check(getpeername(fd, &n.sa, &len) == 0);
	return n;
}

static inline int is_addr(const union name *n, const char *text)
{
	struct in6_addr a;

	check(inet_pton(AF_INET6, text, &a) == 1);
	return n->sa.sa_family == AF_INET6 && !memcmp(&a, &n->v6.sin6_addr, sizeof(a));
}

/* A UDP socket bound to a name of its own choice. */
static inline int udp_at(const char *host)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	check(fd >= 0 && bind_name(fd, name_of(host, 0)) == 0);
	return fd;
}

/* ---- the interface ---- */

static int link_index;
static char link_local[INET6_ADDRSTRLEN], link_name[IFNAMSIZ];

/* The first link-local address of /proc/net/if_inet6 that is no more tentative. */
static inline void find_link(void)
{
	for (int tries = 0; tries < 100 && !link_index; tries++) {
		FILE *f = fopen("/proc/net/if_inet6", "r");
		unsigned index, plen, scope, flags;
		char hex[33];
		struct in6_addr a;

		while (f && fscanf(f, "%32s %x %x %x %x %15s", hex, &index, &plen, &scope, &flags,
				   link_name) == 6) {
			if (strncmp(hex, "fe80", 4) || (flags & 0x48))
				continue;
			for (int i = 0; i < 16; i++)
				sscanf(hex + 2 * i, "%2hhx", &a.s6_addr[i]);
			inet_ntop(AF_INET6, &a, link_local, sizeof(link_local));
			link_index = index;
			break;
		}
		if (f)
			fclose(f);
		if (!link_index)
			sleep_ms(100);
	}
	check(link_index);
}

/* ---- control messages ---- */

struct got {
	long n;
	int flags;
	union name from;
	char data[2048];
	_Alignas(8) char control[512];
	struct msghdr m;
};

static inline struct got *receive(int fd, int flags)
{
	static struct got g;
	struct iovec v = { g.data, sizeof(g.data) };

	memset(&g, 0, sizeof(g));
	g.m = (struct msghdr){ .msg_name = &g.from,
			       .msg_namelen = sizeof(g.from),
			       .msg_iov = &v,
			       .msg_iovlen = 1,
			       .msg_control = g.control,
			       .msg_controllen = sizeof(g.control) };
	g.n = recvmsg(fd, &g.m, flags);
	g.flags = g.m.msg_flags;
	return &g;
}

/* The data of a control message and, when len is given, its length; NULL: not there. */
static inline void *control(struct got *g, int level, int type, size_t *len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&g->m); c; c = CMSG_NXTHDR(&g->m, c)) {
		if (c->cmsg_level == level && c->cmsg_type == type) {
			if (len)
				*len = c->cmsg_len - CMSG_LEN(0);
			return CMSG_DATA(c);
		}
	}
	return NULL;
}

static inline int control_int(struct got *g, int level, int type)
{
	size_t len = 0;
	int v, *p = control(g, level, type, &len);

	check(p && len == sizeof(v));
	memcpy(&v, p, sizeof(v));
	return v;
}

/* sendmsg with one control message. */
static inline long send_control(int fd, union name to, int level, int type, const void *p,
				size_t len)
{
	_Alignas(8) char buf[256] = { 0 };
	struct iovec v = { "payload", 7 };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = name_len(&to),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = buf,
			    .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), p, len);
	return sendmsg(fd, &m, 0);
}
