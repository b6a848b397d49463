/* SPDX-License-Identifier: MIT */
/* packet_calls.h - packet sockets as the tests of them call them. */
#pragma once

#include "stack.h"

#include <kernel/net/socket_internal.h>
#include <uapi/filter.h>
#include <uapi/packet.h>
#include <weft/net/ether.h>

static inline void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("packet", NULL), 0);
}

static inline void teardown(void)
{
	assert_int_equal(sim_rmmod("packet", false), 0);
	stack_down();
}

static inline struct socket *open_packet(int type, u16 protocol)
{
	struct socket *s = socket_create(AF_PACKET, type, htons(protocol));

	assert_false(IS_ERR(s));
	return s;
}

static inline int bind_ll(struct socket *s, u16 protocol, u32 ifindex)
{
	struct sockaddr_ll sa = { AF_PACKET, htons(protocol), ifindex, 0, 0, 0, { 0 } };
	u8 name[SOCKADDR_MAX] = { 0 };
	int err;

	memcpy(name, &sa, sizeof(sa));
	assert_int_equal(socket_enter(s), 0);
	err = s->ops->bind(s, name, sizeof(sa));
	socket_leave(s);
	return err;
}

static inline int getopt_of(struct socket *s, int opt, void *val, u32 len)
{
	int err;

	assert_int_equal(socket_enter(s), 0);
	err = s->ops->getsockopt(s, SOL_PACKET, opt, val, &len);
	socket_leave(s);
	return err;
}

/* What one recvmsg gives. */
struct got {
	u8 data[2048];
	struct sockaddr_ll from;
	struct tpacket_auxdata aux;
	u32 flags;
	bool has_aux;
};

static inline long take(struct socket *s, struct got *g, u32 len, u32 flags)
{
	struct iovec iov = { g->data, len };
	u8 name[SOCKADDR_MAX], control[256];
	struct msg m = {
		.name = name, .flags = flags, .control = control, .control_len = sizeof(control)
	};
	struct user_cmsghdr h;
	long n;

	memset(g, 0, sizeof(*g));
	iter_init(&m.iter, &iov, 1, false);
	n = socket_recvmsg(s, &m);
	if (n < 0)
		return n;
	assert_int_equal(m.name_len, sizeof(g->from));
	memcpy(&g->from, name, sizeof(g->from));
	g->flags = m.flags;
	if (m.control_used >= sizeof(h) + sizeof(g->aux)) {
		memcpy(&h, control, sizeof(h));
		g->has_aux = h.level == SOL_PACKET && h.type == PACKET_AUXDATA;
		memcpy(&g->aux, control + sizeof(h), sizeof(g->aux));
	}
	return n;
}

static inline long put(struct socket *s, u16 protocol, u32 ifindex, const u8 *dst, const void *data,
		       u32 len)
{
	struct sockaddr_ll sa = { AF_PACKET, htons(protocol), ifindex, 0, 0, 6, { 0 } };
	struct iovec iov = { (void *)data, len };
	u8 name[SOCKADDR_MAX];
	struct msg m = { .name = name, .name_len = sizeof(sa) };

	if (dst)
		memcpy(sa.sll_addr, dst, 6);
	memcpy(name, &sa, sizeof(sa));
	iter_init(&m.iter, &iov, 1, false);
	return socket_sendmsg(s, &m);
}

static inline int attach(struct socket *s, const struct sock_filter *prog, u32 n)
{
	struct sock_fprog f = { .len = n, .filter = (u64)prog };

	return sock_setopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f));
}
