/* SPDX-License-Identifier: MIT */
/* udp_host.h - for tests of UDP in the simulated host: sockets without descriptors, and datagrams
 * as the peer makes them. */
#pragma once

#include "stack.h"

#include <kernel/net/socket_internal.h>

#define UDP IPPROTO_UDP

static u8 name[SOCKADDR_MAX], data[70000];

static inline void udp_host_up(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
}

static inline void udp_host_down(void)
{
	if (sim_module_loaded("udp"))
		assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

static inline void put_name(u32 addr, u16 port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr = htonl(addr),
				  .sin_port = htons(port) };

	memcpy(name, &in, sizeof(in));
}

static inline struct socket *bound(u32 addr, u16 port)
{
	struct socket *s = sock_open(SOCK_DGRAM, 0);

	assert_false(IS_ERR(s));
	assert_int_equal(sock_bind(s, addr, port), 0);
	return s;
}

static inline int connect_to(struct socket *s, u32 addr, u16 port)
{
	int err = socket_enter(s);

	if (err)
		return err;
	put_name(addr, port);
	err = s->ops->connect(s, name, sizeof(struct sockaddr_in), true);
	socket_leave(s);
	return err;
}

static inline long send_to(struct socket *s, u32 addr, u16 port, const void *p, u32 len)
{
	struct iovec iov = { (void *)p, len };
	struct msg m = { .name = name,
			 .name_len = port ? sizeof(struct sockaddr_in) : 0,
			 .flags = MSG_DONTWAIT };

	put_name(addr, port);
	iter_init(&m.iter, &iov, 1, true);
	return socket_sendmsg(s, &m);
}

static inline long receive(struct socket *s)
{
	return sock_recv(s, data, sizeof(data), MSG_DONTWAIT, NULL);
}

/* A datagram as RFC 768 draws it, with its checksum; its length. */
static inline u32 datagram(u8 *u, u32 src, u32 dst, u16 sport, u16 dport, const void *p, u32 len)
{
	u8 pseudo[12 + 2048];
	u16 sum;

	put_be16(u, sport);
	put_be16(u + 2, dport);
	put_be16(u + 4, 8 + len);
	put_be16(u + 6, 0);
	memcpy(u + 8, p, len);
	put_be32(pseudo, src);
	put_be32(pseudo + 4, dst);
	put_be16(pseudo + 8, UDP);
	put_be16(pseudo + 10, 8 + len);
	memcpy(pseudo + 12, u, 8 + len);
	sum = wire_sum(pseudo, 20 + len);
	put_be16(u + 6, sum ? sum : 0xffff);
	return 8 + len;
}
