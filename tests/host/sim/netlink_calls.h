/* SPDX-License-Identifier: MIT */
/* netlink_calls.h - netlink requests and answers as the tests of rtnetlink write and read them. */
#pragma once

#include "stack.h"

#include <kernel/net/socket_internal.h>
#include <uapi/netlink.h>
#include <weft/err.h>

static inline void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
}

static inline void teardown(void)
{
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	assert_int_equal(sim_rmmod("netlink", false), 0);
	stack_down();
}

static inline struct socket *open_netlink(void)
{
	struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	assert_false(IS_ERR(s));
	return s;
}

static inline int bind_nl(struct socket *s, u32 pid, u32 groups)
{
	struct sockaddr_nl sa = { AF_NETLINK, 0, pid, groups };
	u8 name[SOCKADDR_MAX] = { 0 };
	int err;

	memcpy(name, &sa, sizeof(sa));
	assert_int_equal(socket_enter(s), 0);
	err = s->ops->bind(s, name, sizeof(sa));
	socket_leave(s);
	return err;
}

static inline u32 pid_of(struct socket *s)
{
	u8 name[SOCKADDR_MAX];
	struct sockaddr_nl sa;
	u32 len = sizeof(name);

	assert_int_equal(socket_enter(s), 0);
	assert_int_equal(s->ops->name(s, name, &len, SOCKET_NAME_OWN), 0);
	socket_leave(s);
	assert_int_equal(len, sizeof(sa));
	memcpy(&sa, name, sizeof(sa));
	assert_int_equal(sa.nl_family, AF_NETLINK);
	return sa.nl_pid;
}

static inline long put(struct socket *s, const void *data, u32 len)
{
	struct iovec iov = { (void *)data, len };
	struct msg m = { 0 };

	iter_init(&m.iter, &iov, 1, false);
	return socket_sendmsg(s, &m);
}

static u8 answer[65536] __attribute__((unused));

static inline long take(struct socket *s, u32 flags)
{
	return sock_recv(s, answer, sizeof(answer), flags | MSG_DONTWAIT, NULL);
}

/* ---- requests ---- */

struct request {
	u8 b[512];
	u32 len;
};

static inline void begin(struct request *r, u16 type, u16 flags, const void *body, u32 len)
{
	struct nlmsghdr h = { 0, type, NLM_F_REQUEST | flags, 77, 0 };

	memset(r, 0, sizeof(*r));
	memcpy(r->b, &h, sizeof(h));
	memcpy(r->b + sizeof(h), body, len);
	r->len = sizeof(h) + len;
	memcpy(r->b, &r->len, 4);
}

static inline void attr(struct request *r, u16 type, const void *data, u32 len)
{
	struct nlattr a = { 4 + len, type };

	memcpy(r->b + r->len, &a, 4);
	memcpy(r->b + r->len + 4, data, len);
	r->len += (4 + len + 3) & ~3u;
	memcpy(r->b, &r->len, 4);
}

static inline void attr_u32(struct request *r, u16 type, u32 v)
{
	attr(r, type, &v, 4);
}

static inline void attr_ip(struct request *r, u16 type, u32 addr)
{
	addr = htonl(addr);
	attr(r, type, &addr, 4);
}

/* Sends r with NLM_F_ACK: the errno that comes back. */
static inline int ask(struct socket *s, struct request *r)
{
	struct nlmsghdr h;
	int err;

	memcpy(&h, r->b, sizeof(h));
	h.nlmsg_flags |= NLM_F_ACK;
	memcpy(r->b, &h, sizeof(h));
	assert_int_equal(put(s, r->b, r->len), r->len);
	assert_true(take(s, 0) >= 36);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, NLMSG_ERROR);
	assert_int_equal(h.nlmsg_seq, 77);
	assert_int_equal(h.nlmsg_pid, pid_of(s));
	memcpy(&err, answer + 16, 4);
	return err;
}

/* ---- answers ---- */

struct seen {
	u32 messages, parts;
	u16 type; /* of the last message */
	u8 body[32];
	u8 attr[64][256];
	u16 attr_len[64];
};

static inline void read_attrs(struct seen *seen, const u8 *p, u32 len)
{
	struct nlattr a;

	memset(seen->attr_len, 0, sizeof(seen->attr_len));
	while (len >= 4) {
		memcpy(&a, p, 4);
		assert_in_range(a.nla_len, 4, len);
		if (a.nla_type < 64 && a.nla_len - 4 <= 256) {
			memcpy(seen->attr[a.nla_type], p + 4, a.nla_len - 4);
			seen->attr_len[a.nla_type] = a.nla_len - 4;
		}
		p += (a.nla_len + 3) & ~3u;
		len -= min((u32)((a.nla_len + 3) & ~3u), len);
	}
}

typedef bool (*pick_fn)(const struct seen *s, u32 arg);

/* Reads a whole dump; keeps the message that pick chooses (NULL: the last). */
static inline void dump(struct socket *s, u16 type, u8 family, u32 body_len, pick_fn pick, u32 arg,
			struct seen *out)
{
	u8 body[4] = { family };
	struct request r;
	struct seen one = { 0 };
	bool done = false;

	memset(out, 0, sizeof(*out));
	begin(&r, type, NLM_F_DUMP, body, 4);
	assert_int_equal(put(s, r.b, r.len), r.len);
	while (!done) {
		long n = take(s, 0), at = 0;

		assert_true(n > 0 && n <= 4096);
		out->parts++;
		while (at < n) {
			struct nlmsghdr h;

			memcpy(&h, answer + at, sizeof(h));
			assert_in_range(h.nlmsg_len, 16, n - at);
			assert_int_equal(h.nlmsg_seq, 77);
			assert_true(h.nlmsg_flags & NLM_F_MULTI);
			if (h.nlmsg_type == NLMSG_DONE) {
				done = true;
			} else {
				one.type = h.nlmsg_type;
				memcpy(one.body, answer + at + 16, body_len);
				read_attrs(&one, answer + at + 16 + body_len,
					   h.nlmsg_len - 16 - body_len);
				one.messages = out->messages + 1;
				one.parts = out->parts;
				if (!pick || pick(&one, arg))
					*out = one;
				out->messages = one.messages;
				out->parts = one.parts;
			}
			at += (h.nlmsg_len + 3) & ~3u;
		}
	}
	assert_int_equal(take(s, 0), -EAGAIN);
}

static inline bool is_index(const struct seen *s, u32 index)
{
	struct ifinfomsg m;

	memcpy(&m, s->body, sizeof(m));
	return (u32)m.ifi_index == index;
}

static inline bool has_dst(const struct seen *s, u32 dst)
{
	return s->attr_len[RTA_DST] == 4 && get_be32(s->attr[RTA_DST]) == dst;
}

static inline u32 word(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return v;
}

/* ---- requests that change ---- */

static inline void request_route(struct request *r, u16 type, u16 flags, u32 dst, u8 plen,
				 u32 gateway)
{
	struct rtmsg m = { AF_INET, plen, 0, 0, RT_TABLE_MAIN, 4, 0, RTN_UNICAST, 0 };

	begin(r, type, flags, &m, sizeof(m));
	if (plen)
		attr_ip(r, RTA_DST, dst);
	if (gateway)
		attr_ip(r, RTA_GATEWAY, gateway);
}

static inline void request_addr(struct request *r, u16 type, u16 flags, u32 addr, u8 plen)
{
	struct ifaddrmsg m = { AF_INET, plen, 0, 0, eth0() };

	begin(r, type, flags, &m, sizeof(m));
	attr_ip(r, IFA_LOCAL, addr);
	attr_ip(r, IFA_ADDRESS, addr);
}
