/* SPDX-License-Identifier: MIT */
/* sock6_calls.h - AF_INET6 sockets as the tests of them call them: names with their scope, options,
 * control messages both ways, and what the peer sends to them. */
#pragma once

#include "stack6.h"

#include <kernel/net/socket_internal.h>

#define PORT 5000
#define PEER_PORT 777

static inline struct sockaddr_in6 name6(struct ip_addr a, u16 port, u32 scope)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_scope_id = scope };

	memcpy(in.sin6_addr, &a, 16);
	return in;
}

static inline struct ip_addr addr_of(const struct sockaddr_in6 *in)
{
	struct ip_addr a;

	memcpy(&a, in->sin6_addr, 16);
	return a;
}

static inline struct socket *open6(int type, int protocol)
{
	struct socket *s = sock_open6(type, protocol);

	assert_false(IS_ERR(s));
	return s;
}

static inline int bind_name(struct socket *s, const void *name, u32 len)
{
	u8 buf[SOCKADDR_MAX] = { 0 };
	int err;

	memcpy(buf, name, len);
	assert_int_equal(socket_enter(s), 0);
	err = s->ops->bind(s, buf, len);
	socket_leave(s);
	return err;
}

static inline int connect_name(struct socket *s, const void *name, u32 len)
{
	u8 buf[SOCKADDR_MAX] = { 0 };
	int err;

	memcpy(buf, name, len);
	assert_int_equal(socket_enter(s), 0);
	err = s->ops->connect(s, buf, len, true);
	socket_leave(s);
	return err;
}

static inline int bind6(struct socket *s, struct ip_addr a, u16 port, u32 scope)
{
	struct sockaddr_in6 in = name6(a, port, scope);

	return bind_name(s, &in, sizeof(in));
}

static inline int connect6(struct socket *s, struct ip_addr a, u16 port, u32 scope)
{
	struct sockaddr_in6 in = name6(a, port, scope);

	return connect_name(s, &in, sizeof(in));
}

static inline struct sockaddr_in6 own_name(struct socket *s, bool peer_)
{
	struct sockaddr_in6 in = { 0 };
	u8 buf[SOCKADDR_MAX];
	u32 len;

	assert_int_equal(socket_enter(s), 0);
	assert_int_equal(s->ops->name(s, buf, &len, peer_ ? SOCKET_NAME_PEER : SOCKET_NAME_OWN), 0);
	socket_leave(s);
	memcpy(&in, buf, min(len, (u32)sizeof(in)));
	return in;
}

static inline struct socket *udp6_at(struct ip_addr a, u16 port)
{
	struct socket *s = open6(SOCK_DGRAM, 0);

	assert_int_equal(bind6(s, a, port, ip_addr_needs_scope(&a) ? eth0() : 0), 0);
	return s;
}

/* ---- options ---- */

static inline int set_at(struct socket *s, int level, int opt, int v)
{
	return sock_setopt(s, level, opt, &v, sizeof(v));
}

static inline int set6(struct socket *s, int opt, int v)
{
	return set_at(s, SOL_IPV6, opt, v);
}

static inline int getopt6(struct socket *s, int opt, void *val, u32 *len)
{
	int err;

	assert_int_equal(socket_enter(s), 0);
	err = s->ops->getsockopt(s, SOL_IPV6, opt, val, len);
	socket_leave(s);
	return err;
}

/* The value, or the errno. */
static inline int get6(struct socket *s, int opt)
{
	u32 len = sizeof(int);
	int v = 0, err = getopt6(s, opt, &v, &len);

	return err ? err : v;
}

/* ---- messages ---- */

/* One control message for the next send; len 0: none. */
struct said {
	int level, type;
	const void *data;
	u32 len;
};

static inline u32 put_control(u8 *to, const struct said *c)
{
	struct {
		u64 len;
		int level, type;
	} head = { 16 + c->len, c->level, c->type };

	memcpy(to, &head, 16);
	memcpy(to + 16, c->data, c->len);
	return 16 + ALIGN_UP(c->len, 8);
}

/* to NULL: no name. MSG_DONTWAIT unless the neighbour is known. */
static inline long send_said(struct socket *s, const struct sockaddr_in6 *to, const void *data,
			     u32 len, const struct said *said, u32 nr)
{
	struct iovec v = { (void *)data, len };
	u8 name[SOCKADDR_MAX] = { 0 }, control[256] = { 0 };
	struct msg m = { .name = name,
			 .name_len = to ? sizeof(*to) : 0,
			 .control = control,
			 .flags = MSG_DONTWAIT };
	long n;

	if (to)
		memcpy(name, to, sizeof(*to));
	for (u32 i = 0; i < nr; i++)
		m.control_len += put_control(control + m.control_len, &said[i]);
	iter_init(&m.iter, &v, 1, false);
	n = socket_sendmsg(s, &m);
	sim_run_ms(2);
	return n;
}

static inline long send_to(struct socket *s, struct ip_addr a, u16 port, u32 scope,
			   const void *data, u32 len)
{
	struct sockaddr_in6 to = name6(a, port, scope);

	return send_said(s, &to, data, len, NULL, 0);
}

struct got {
	long n;
	struct msg m;
	struct sockaddr_in6 from;
	u8 data[3000], control[512];
};

/* In a static buffer. */
static inline struct got *receive(struct socket *s, u32 flags)
{
	static struct got g;
	struct iovec v = { g.data, sizeof(g.data) };
	static u8 name[SOCKADDR_MAX];

	memset(&g, 0, sizeof(g));
	memset(name, 0, sizeof(name));
	g.m = (struct msg){ .name = name,
			    .control = g.control,
			    .control_len = sizeof(g.control),
			    .flags = flags | MSG_DONTWAIT };
	iter_init(&g.m.iter, &v, 1, false);
	g.n = socket_recvmsg(s, &g.m);
	memcpy(&g.from, name, sizeof(g.from));
	return &g;
}

/* Its data; NULL: not there. */
static inline const u8 *control_of(const struct got *g, int level, int type, u32 *len)
{
	struct msg m = { .control = (u8 *)g->control, .control_len = g->m.control_used };
	struct cmsg_view c;
	size_t pos = 0;

	while (msg_next_control(&m, &pos, &c)) {
		if (c.level != level || c.type != type)
			continue;
		if (len)
			*len = c.len;
		return c.data;
	}
	return NULL;
}

static inline int control_int(const struct got *g, int level, int type)
{
	u32 len = 0;
	const u8 *p = control_of(g, level, type, &len);
	int v;

	assert_non_null(p);
	assert_int_equal(len, sizeof(v));
	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- the peer ---- */

/* A datagram to PORT. */
static inline void peer_udp6(const struct ipv6_fields *h, const void *data, u32 len)
{
	u8 u[2000];

	peer6_send(&peer, NULL, h, u, udp6_datagram(u, PEER_PORT, PORT, data, len));
	sim_run_ms(2);
}

/* The next UDP datagram that the peer heard by IPv6, its payload's length in *len. */
static inline const struct frame *heard_udp6(const u8 **payload, u32 *len)
{
	const struct frame *f = peer6_take_proto(&peer, IPPROTO_UDP);
	u32 n;
	const u8 *u;
	u8 proto;

	if (!f)
		return NULL;
	u = frame6_payload(f, &proto, &n);
	if (payload)
		*payload = u + 8;
	if (len)
		*len = n - 8;
	return f;
}
