/* SPDX-License-Identifier: MIT */
/* test_sim_netlink.c - netlink sockets: dumps in parts, names, lengths, events, batches, messages
 * that lie, and no memory. */
#include "netlink_calls.h"

#include <uapi/genetlink.h>

/* ---- long dumps ---- */

static void a_long_dump_comes_in_parts(void **state)
{
	struct request r;
	struct socket *s;
	struct seen seen;

	setup();
	s = open_netlink();
	for (u32 i = 0; i < 500; i++) {
		request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, i >> 8, i & 255), 32,
			      PEER);
		assert_int_equal(ask(s, &r), 0);
	}
	dump(s, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 504);
	assert_true(seen.parts > 5);
	/* one dump at a time: the second request is answered behind the first part */
	begin(&r, RTM_GETROUTE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET }, 12);
	put(s, r.b, r.len);
	put(s, r.b, r.len);
	assert_true(take(s, 0) > 3000);
	assert_true(take(s, 0) >= 36);
	assert_int_equal((int)word(answer + 16), -EBUSY);
	sock_close(s);
	teardown();
}

/* ---- names and queues ---- */

static void port_ids_are_unique(void **state)
{
	struct socket *a, *b, *c;

	setup();
	a = open_netlink();
	b = open_netlink();
	c = open_netlink();
	assert_int_equal(pid_of(a), 0);
	assert_int_equal(bind_nl(a, 0, 0), 0);
	assert_int_equal(bind_nl(b, 0, 0), 0);
	assert_true(pid_of(a) && pid_of(b) && pid_of(a) != pid_of(b));
	assert_int_equal(bind_nl(c, pid_of(a), 0), -EADDRINUSE);
	assert_int_equal(bind_nl(c, 4242, 0), 0);
	assert_int_equal(pid_of(c), 4242);
	assert_int_equal(bind_nl(c, 4243, 0), -EINVAL);
	assert_int_equal(bind_nl(c, 0, 1), 0);
	assert_int_equal(pid_of(c), 4242);
	sock_close(a);
	sock_close(b);
	sock_close(c);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_RAW, 16)), -EPROTONOSUPPORT);
	assert_int_equal(PTR_ERR(socket_create(AF_NETLINK, SOCK_STREAM, 0)), -ESOCKTNOSUPPORT);
	teardown();
}

static void length_is_peeked_before_reading(void **state)
{
	struct request r;
	struct socket *s;
	long n;

	setup();
	s = open_netlink();
	begin(&r, RTM_GETLINK, NLM_F_DUMP, "\0\0\0", 4);
	put(s, r.b, r.len);
	n = sock_recv(s, answer, 0, MSG_PEEK | MSG_TRUNC, NULL);
	assert_true(n > 300);
	assert_int_equal(sock_recv(s, answer, sizeof(answer), 0, NULL), n);
	sock_close(s);
	teardown();
}

static void events_reach_their_groups(void **state)
{
	struct socket *s, *other;
	struct nlmsghdr h;
	struct request r;
	u32 group = RTNLGRP_IPV4_ROUTE;
	bool route = false, addr = false, link = false;

	setup();
	s = open_netlink();
	other = open_netlink();
	assert_int_equal(bind_nl(s, 0, 1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_IPV4_IFADDR - 1)),
			 0);
	assert_int_equal(sock_setopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), 0);
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(other, &r), 0);
	assert_int_equal(ifconfig_down("eth0"), 0);
	while (take(s, 0) > 0) {
		memcpy(&h, answer, sizeof(h));
		assert_int_equal(h.nlmsg_seq + h.nlmsg_pid, 0);
		route |= h.nlmsg_type == RTM_NEWROUTE;
		addr |= h.nlmsg_type == RTM_NEWADDR;
		link |= h.nlmsg_type == RTM_NEWLINK;
	}
	assert_true(route && addr && link);
	assert_int_equal(take(other, 0), -EAGAIN);
	group = 99;
	assert_int_equal(sock_setopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4), -EINVAL);
	/* who does not read hears that he missed some */
	group = 1;
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVBUF, &group, 4), 0);
	for (u32 i = 0; i < 10; i++) {
		ifconfig("eth0", HOST, 24);
		ifconfig_down("eth0");
	}
	assert_int_equal(take(s, 0), -ENOBUFS);
	assert_true(take(s, 0) > 0);
	sock_close(s);
	sock_close(other);
	teardown();
}

/* ---- what lies ---- */

static void lies_are_refused(void **state)
{
	struct rtmsg m = { .rtm_family = AF_INET };
	struct nlmsghdr h = { 16, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 77, 0 };
	struct request r;
	struct socket *s;
	u16 len;

	setup();
	s = open_netlink();
	/* shorter than a header, or claiming more than there is: no answer to give */
	assert_int_equal(put(s, &h, 8), 8);
	assert_int_equal(take(s, 0), -EAGAIN);
	h.nlmsg_len = 2000;
	assert_int_equal(put(s, &h, 16), 16);
	assert_int_equal(take(s, 0), -EAGAIN);
	h.nlmsg_len = 3;
	assert_int_equal(put(s, &h, 16), 16);
	assert_int_equal(take(s, 0), -EAGAIN);
	/* a header without a body */
	begin(&r, RTM_GETLINK, 0, &m, 0);
	assert_int_equal(ask(s, &r), 0);
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE, &m, 5);
	assert_int_equal(ask(s, &r), -EINVAL);
	begin(&r, 200, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, 34, NLM_F_DUMP, &m, sizeof(m)); /* rules */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	/* attributes that run over the end, and too short ones */
	request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, 0, 0), 12, 0);
	len = 200;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	len = 2;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	len = 7;
	memcpy(r.b + 16 + 12, &len, 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	m.rtm_family = 3;
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EAFNOSUPPORT);
	sock_close(s);
	teardown();
}

static void requests_come_in_batches(void **state)
{
	struct request a, b;
	struct socket *s;
	u8 both[1024];

	setup();
	s = open_netlink();
	request_addr(&a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, IP4(192, 168, 7, 1), 24);
	request_addr(&b, RTM_DELADDR, NLM_F_ACK, IP4(192, 168, 7, 1), 24);
	memcpy(both, a.b, a.len);
	memcpy(both + a.len, b.b, b.len);
	assert_int_equal(put(s, both, a.len + b.len), a.len + b.len);
	assert_int_equal(take(s, 0), 36);
	assert_int_equal(word(answer + 16), 0);
	assert_int_equal(take(s, 0), 36);
	assert_int_equal(word(answer + 16), 0);
	assert_int_equal(take(s, 0), -EAGAIN);
	sock_close(s);
	teardown();
}

/* ---- generic netlink ---- */

static void ask_family(struct request *r, u16 flags, const char *name)
{
	struct genlmsghdr h = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };

	begin(r, GENL_ID_CTRL, flags, &h, sizeof(h));
	if (name)
		attr(r, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
}

static void families_by_name(void **state)
{
	struct nlmsghdr h;
	struct request r;
	struct socket *s;
	u16 id = GENL_ID_CTRL;

	setup();
	assert_int_equal(sim_insmod("genetlink", NULL), 0);
	s = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	assert_false(IS_ERR(s));
	ask_family(&r, 0, "nlctrl");
	put(s, r.b, r.len);
	assert_true(take(s, 0) > 0);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, GENL_ID_CTRL);
	assert_int_equal(answer[16], CTRL_CMD_NEWFAMILY);
	/* its name and number come first */
	assert_memory_equal(answer + 20, "\13\0\2\0nlctrl\0\0\6\0\1\0\20\0\0\0", 20);
	ask_family(&r, NLM_F_DUMP, NULL);
	put(s, r.b, r.len);
	assert_true(take(s, 0) > 100);
	ask_family(&r, 0, "nl80211");
	assert_int_equal(ask(s, &r), -ENOENT);
	ask_family(&r, 0, "a name that is much too long");
	assert_int_equal(ask(s, &r), -EINVAL);
	ask_family(&r, 0, NULL);
	assert_int_equal(ask(s, &r), -EINVAL);
	attr(&r, CTRL_ATTR_FAMILY_ID, &id, 1);
	assert_int_equal(ask(s, &r), -EINVAL);
	ask_family(&r, 0, NULL);
	attr(&r, CTRL_ATTR_FAMILY_ID, &id, 2);
	put(s, r.b, r.len);
	assert_true(take(s, 0) > 100);
	begin(&r, 0x11, 0, "\1\0\0\0", 4);
	assert_int_equal(ask(s, &r), -ENOENT);
	begin(&r, GENL_ID_CTRL, 0, "\7\0\0\0", 4);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, GENL_ID_CTRL, 0, "\3\0", 2);
	assert_int_equal(ask(s, &r), -EINVAL);
	assert_int_equal(sim_rmmod("genetlink", false), -EAGAIN);
	sock_close(s);
	assert_int_equal(sim_rmmod("genetlink", false), 0);
	teardown();
}

/* Two protocols have names and groups of their own. */
static void protocols_are_apart(void **state)
{
	struct socket *route, *generic;
	struct request r;

	setup();
	assert_int_equal(sim_insmod("genetlink", NULL), 0);
	route = open_netlink();
	generic = socket_create(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	assert_int_equal(bind_nl(route, 4242, 0), 0);
	assert_int_equal(bind_nl(generic, 4242, ~0u), 0);
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(route, &r), 0);
	assert_int_equal(take(generic, 0), -EAGAIN);
	/* of its answer to RTM_NEWADDR there is no family */
	assert_int_equal(ask(generic, &r), -ENOENT);
	sock_close(generic);
	sock_close(route);
	assert_int_equal(sim_rmmod("genetlink", false), 0);
	teardown();
}

static void lives_without_memory(void **state)
{
	struct request r;

	setup();
	sim_fail_every(3);
	for (u32 i = 0; i < 300; i++) {
		struct socket *s = socket_create(AF_NETLINK, SOCK_RAW, 0);

		if (IS_ERR(s))
			continue;
		bind_nl(s, 0, 0x7ff);
		request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
		put(s, r.b, r.len);
		begin(&r, RTM_GETROUTE, NLM_F_DUMP, "\2\0\0", 4);
		put(s, r.b, r.len);
		request_route(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, IP4(172, 16, 0, 0),
			      12, IP4(10, 0, 0, i % 250 + 3));
		put(s, r.b, r.len);
		request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 24);
		put(s, r.b, r.len);
		for (u32 j = 0; j < 20; j++)
			take(s, 0);
		sock_close(s);
	}
	sim_fail_every(0);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_dump_comes_in_parts),
		cmocka_unit_test(port_ids_are_unique),
		cmocka_unit_test(length_is_peeked_before_reading),
		cmocka_unit_test(events_reach_their_groups),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(requests_come_in_batches),
		cmocka_unit_test(families_by_name),
		cmocka_unit_test(protocols_are_apart),
		cmocka_unit_test(lives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
