/* SPDX-License-Identifier: MIT */
/* diag_calls.h - what ss(8) asks, as the tests of sock_diag write it, and the answers as they read
 * them. A machine with tcp, udp, packet and lo, and an open socket of NETLINK_SOCK_DIAG. */
#pragma once

#include "netlink_calls.h"
#include "tcp_pair.h"

#include <uapi/sock_diag.h>

#define ALL_STATES 0xfff
#define ST_ESTABLISHED 1
#define ST_SYN_RECV 3
#define ST_TIME_WAIT 6
#define ST_CLOSE 7
#define ST_LISTEN 10

static struct socket *diag;

static inline int before(void **state)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("tcp", NULL), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	assert_int_equal(sim_insmod("packet", NULL), 0);
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("sock_diag", NULL), 0);
	assert_int_equal(ifconfig("lo", LOOP, 8), 0);
	diag = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	assert_false(IS_ERR(diag));
	return 0;
}

static inline int after(void **state)
{
	static const char *const modules[] = { "sock_diag", "netlink", "packet", "udp", "tcp" };

	if (diag)
		sock_close(diag);
	sim_run_s(70);
	for (u32 i = 0; i < ARRAY_SIZE(modules); i++) {
		if (sim_module_loaded(modules[i]))
			assert_int_equal(sim_rmmod(modules[i], false), 0);
	}
	stack_down();
	return 0;
}

/* ---- asking ---- */

struct told {
	struct inet_diag_msg m;
	u8 attr[24][256];
	u16 attr_len[24];
	bool has[24];
};

static struct told list[600] __attribute__((unused));
static u32 nr_told, nr_parts __attribute__((unused));

static inline void inet_request(struct request *r, u16 type, u16 flags, u8 family, u8 protocol,
				u8 ext, u32 states)
{
	struct inet_diag_req_v2 q = { family, protocol, ext, 0, states, { 0 } };

	q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	begin(r, type, flags, &q, sizeof(q));
}

static inline void note(const u8 *p, u32 len)
{
	struct told *t = &list[nr_told++];

	assert_true(nr_told < ARRAY_SIZE(list));
	memset(t, 0, sizeof(*t));
	memcpy(&t->m, p, sizeof(t->m));
	p += sizeof(t->m);
	len -= sizeof(t->m);
	while (len >= 4) {
		struct nlattr a;

		memcpy(&a, p, 4);
		assert_in_range(a.nla_len, 4, len);
		assert_true(a.nla_type < 24 && a.nla_len <= 260 && !t->has[a.nla_type]);
		t->has[a.nla_type] = true;
		t->attr_len[a.nla_type] = a.nla_len - 4;
		memcpy(t->attr[a.nla_type], p + 4, a.nla_len - 4);
		p += (a.nla_len + 3) & ~3u;
		len -= min((u32)((a.nla_len + 3) & ~3u), len);
	}
}

/* Reads the answer to r, a dump, to its end: 0, or the errno that came instead. */
static inline int ask_all(struct request *r)
{
	nr_told = nr_parts = 0;
	assert_int_equal(put(diag, r->b, r->len), r->len);
	for (;;) {
		long n = take(diag, 0), at = 0;

		assert_true(n > 0 && n <= 4096);
		nr_parts++;
		while (at < n) {
			struct nlmsghdr h;

			memcpy(&h, answer + at, sizeof(h));
			assert_in_range(h.nlmsg_len, 16, n - at);
			if (h.nlmsg_type == NLMSG_ERROR)
				return word(answer + at + 16);
			assert_true(h.nlmsg_flags & NLM_F_MULTI);
			if (h.nlmsg_type == NLMSG_DONE) {
				assert_int_equal(take(diag, 0), -EAGAIN);
				return 0;
			}
			assert_int_equal(h.nlmsg_type, SOCK_DIAG_BY_FAMILY);
			note(answer + at + 16, h.nlmsg_len - 16);
			at += (h.nlmsg_len + 3) & ~3u;
		}
	}
}

static inline int ask_inet(u8 family, u8 protocol, u8 ext, u32 states)
{
	struct request r;

	inet_request(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, protocol, ext, states);
	return ask_all(&r);
}

static inline struct told *by_port(u16 local, u8 state)
{
	for (u32 i = 0; i < nr_told; i++) {
		if (list[i].m.id.idiag_sport == htons(local) &&
		    (!state || list[i].m.idiag_state == state))
			return &list[i];
	}
	return NULL;
}

static inline int udp_at(u16 port)
{
	int fd = c_socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(c_bind(fd, LOOP, port), 0);
	return fd;
}

/* ---- filters ---- */

struct program {
	u8 b[200];
	u32 len;
};

static inline void op(struct program *p, u8 code, u8 yes, u16 no)
{
	struct inet_diag_bc_op o = { code, yes, no };

	memcpy(p->b + p->len, &o, sizeof(o));
	p->len += sizeof(o);
}

static inline void host(struct program *p, u8 family, u8 plen, int port, const void *addr, u32 len)
{
	struct inet_diag_hostcond c = { family, plen, port };

	memcpy(p->b + p->len, &c, sizeof(c));
	memcpy(p->b + p->len + sizeof(c), addr, len);
	p->len += sizeof(c) + len;
}

static inline int ask_filtered(u8 protocol, const struct program *p)
{
	struct request r;

	inet_request(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, AF_INET, protocol, 0, ALL_STATES);
	attr(&r, INET_DIAG_REQ_BYTECODE, p->b, p->len);
	return ask_all(&r);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, before, after)
