/* SPDX-License-Identifier: MIT */
/* test_sim_udp_gso.c - many datagrams in one call: what UDP_SEGMENT puts on the wire and what it
 * refuses, UDP_GRO over what came in one by one, SO_NO_CHECK and the count of what was lost. */
#include "udp_host.h"

#include <kernel/net/socket_internal.h>

#define SOL_UDP 17
#define UDP_SEGMENT 103
#define UDP_GRO 104

static u8 sent[65536], control[128];

static void set_option(struct socket *s, int level, int opt, int v)
{
	assert_int_equal(sock_setopt(s, level, opt, &v, sizeof(v)), 0);
	/* as sockcall.c tells the family */
	if (level == SOL_SOCKET)
		s->ops->setsockopt(s, level, opt, &v, sizeof(v));
}

static void up(u32 features)
{
	nic.features = features;
	udp_host_up();
	stack_know_peer();
	peer_forget(&peer);
	for (u32 i = 0; i < sizeof(sent); i++)
		sent[i] = i * 7 + i / 251;
}

static void down(void)
{
	udp_host_down();
	nic.features = 0;
}

/* The sum over pseudo header and datagram. */
static u16 udp_sum(const u8 *ip)
{
	u8 whole[12 + 2048] = { 0 };
	u32 len = get_be16(ip + 2) - 20;

	memcpy(whole, ip + 12, 8);
	whole[9] = UDP;
	put_be16(whole + 10, len);
	memcpy(whole + 12, ip + 20, len);
	return wire_sum(whole, 12 + len);
}

static void expect_wire(u32 len, u32 size)
{
	for (u32 off = 0; off < len; off += size) {
		u32 n = min(size, len - off);
		const struct frame *f = peer_take_proto(&peer, UDP);
		const u8 *ip;

		assert_non_null(f);
		assert_true(frame_sound(f));
		ip = frame_ip(f);
		assert_int_equal(get_be16(ip + 2), 28 + n);
		assert_int_equal(get_be16(ip + 24), 8 + n);
		assert_int_equal(udp_sum(ip), 0);
		assert_memory_equal(ip + 28, sent + off, n);
	}
	assert_null(peer_take_proto(&peer, UDP));
}

static void cut_on_the_wire(void **state)
{
	static const u32 lens[][2] = { { 1000, 100 },	{ 1050, 100 },	{ 10, 1 },
				       { 65507, 1472 }, { 1472, 1472 }, { 12800, 100 } };

	for (u32 sums = 0; sums < 2; sums++) {
		struct socket *s;

		up(sums ? NETIF_F_TX_CSUM : 0);
		s = bound(0, 5000);
		for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
			set_option(s, SOL_UDP, UDP_SEGMENT, lens[i][1]);
			assert_int_equal(send_to(s, PEER, 9, sent, lens[i][0]), lens[i][0]);
			sim_run_ms(5);
			expect_wire(lens[i][0], lens[i][1]);
		}
		sock_close(s);
		down();
	}
}

static void refused(void **state)
{
	struct socket *s;

	up(0);
	s = bound(0, 5000);
	set_option(s, SOL_UDP, UDP_SEGMENT, 1473);
	assert_int_equal(send_to(s, PEER, 9, sent, 4000), -EMSGSIZE);
	assert_int_equal(send_to(s, PEER, 9, sent, 1473), -EMSGSIZE);
	set_option(s, SOL_UDP, UDP_SEGMENT, 10);
	assert_int_equal(send_to(s, PEER, 9, sent, 1281), -EINVAL);
	assert_int_equal(send_to(s, PEER, 9, sent, 65508), -EMSGSIZE);
	set_option(s, SOL_SOCKET, SO_NO_CHECK, 1);
	assert_int_equal(send_to(s, PEER, 9, sent, 100), -EINVAL);
	sim_run_ms(5);
	assert_null(peer_take_proto(&peer, UDP));
	/* without segments it goes, and says that it has no checksum */
	set_option(s, SOL_UDP, UDP_SEGMENT, 0);
	assert_int_equal(send_to(s, PEER, 9, sent, 100), 100);
	sim_run_ms(5);
	assert_int_equal(get_be16(frame_ip(peer_take_proto(&peer, UDP)) + 26), 0);
	sock_close(s);
	down();
}

#define GROUP IP4(239, 1, 2, 3)

static void join_group(struct socket *s)
{
	u32 v[3] = { htonl(GROUP), htonl(HOST), 0 };

	assert_int_equal(sock_setopt(s, SOL_IP, IP_ADD_MEMBERSHIP, v, 8), 0);
}

/* This host's members of the group hear them too, one by one or together as each one asks. */
static void to_a_group_with_members_here(void **state)
{
	struct socket *s, *single, *joined;

	up(0);
	s = bound(0, 5000);
	single = bound(0, 6000);
	joined = bound(0, 6000 + 1);
	join_group(single);
	join_group(joined);
	set_option(joined, SOL_UDP, UDP_GRO, 1);
	set_option(s, SOL_UDP, UDP_SEGMENT, 400);
	for (u32 port = 6000; port <= 6001; port++) {
		peer_forget(&peer);
		assert_int_equal(send_to(s, GROUP, port, sent, 1000), 1000);
		sim_run_ms(5);
		expect_wire(1000, 400);
	}
	for (u32 off = 0; off < 1000; off += 400) {
		assert_int_equal(receive(single), min(400u, 1000 - off));
		assert_memory_equal(data, sent + off, min(400u, 1000 - off));
	}
	assert_int_equal(receive(single), -EAGAIN);
	assert_int_equal(receive(joined), 1000);
	assert_memory_equal(data, sent, 1000);
	sock_close(s);
	sock_close(single);
	sock_close(joined);
	down();
}

/* Several of one group: each is given all of them. */
static void two_members_on_a_port(void **state)
{
	struct socket *s, *r[2];

	up(0);
	s = bound(0, 5000);
	for (u32 i = 0; i < 2; i++) {
		int one = 1;

		r[i] = sock_open(SOCK_DGRAM, 0);
		assert_int_equal(sock_setopt(r[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
		r[i]->reuseaddr = true;
		assert_int_equal(sock_bind(r[i], 0, 6000), 0);
		join_group(r[i]);
		if (i)
			set_option(r[i], SOL_UDP, UDP_GRO, 1);
	}
	set_option(s, SOL_UDP, UDP_SEGMENT, 400);
	assert_int_equal(send_to(s, GROUP, 6000, sent, 1000), 1000);
	sim_run_ms(5);
	assert_int_equal(receive(r[0]), 400);
	assert_int_equal(receive(r[0]), 400);
	assert_int_equal(receive(r[0]), 200);
	assert_int_equal(receive(r[1]), 1000);
	sock_close(s);
	sock_close(r[0]);
	sock_close(r[1]);
	down();
}

/* The neighbour is asked for first: what was kept meanwhile is cut then. */
static void before_the_neighbour_is_known(void **state)
{
	struct socket *s;

	udp_host_up();
	for (u32 i = 0; i < sizeof(sent); i++)
		sent[i] = i * 7 + i / 251;
	s = bound(0, 5000);
	set_option(s, SOL_UDP, UDP_SEGMENT, 500);
	assert_int_equal(send_to(s, PEER, 9, sent, 5000), 5000);
	sim_run_ms(1);
	sim_run_ms(20);
	sock_close(s);
	down();
}

/* Whatever allocation fails, the datagrams that arrive are whole and nothing is left behind. */
static void without_memory(void **state)
{
	struct socket *s, *r;

	up(0);
	s = bound(0, 5000);
	r = bound(0, 6000);
	set_option(s, SOL_UDP, UDP_SEGMENT, 700);
	for (u32 every = 1; every < 40; every++) {
		const struct frame *f;
		long n;

		sim_fail_every(every);
		send_to(s, PEER, 9, sent, 9000);
		send_to(s, HOST, 6000, sent, 9000);
		sim_run_ms(3);
		sim_fail_every(0);
		while ((f = peer_take_proto(&peer, UDP)) != NULL) {
			assert_true(frame_sound(f));
			assert_int_equal(udp_sum(frame_ip(f)), 0);
		}
		while ((n = receive(r)) > 0)
			assert_true(n == 700 || n == 9000 % 700);
	}
	sock_close(s);
	sock_close(r);
	down();
}

/* Pieces of one send, each with the size that the first one said. */
static void corked(void **state)
{
	struct socket *s;

	up(0);
	s = bound(0, 5000);
	set_option(s, SOL_UDP, UDP_SEGMENT, 300);
	set_option(s, SOL_UDP, 1 /* UDP_CORK */, 1);
	assert_int_equal(send_to(s, PEER, 9, sent, 1000), 1000);
	set_option(s, SOL_UDP, UDP_SEGMENT, 7);
	assert_int_equal(send_to(s, PEER, 9, sent + 1000, 500), 500);
	sim_run_ms(5);
	assert_null(peer_take_proto(&peer, UDP));
	set_option(s, SOL_UDP, 1, 0);
	sim_run_ms(5);
	expect_wire(1500, 300);
	sock_close(s);
	down();
}

/* ---- receiving ---- */

static u8 peer_ttl = 64;

static void comes_in(u16 sport, u32 off, u32 len)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = UDP, .ttl = peer_ttl };
	u8 u[1600];

	peer_ipv4(&peer, host_mac, &h, u, datagram(u, PEER, HOST, sport, 5000, sent + off, len));
}

/* Up to room bytes; *value is that of the control message of this kind, 0: there is none. */
static long take(struct socket *s, u32 room, u32 flags, int level, int type, int *value)
{
	struct iovec v = { data, room };
	struct msg m = { .control = control,
			 .control_len = sizeof(control),
			 .flags = flags | MSG_DONTWAIT };
	struct cmsg_view c;
	size_t pos = 0;
	long n;

	iter_init(&m.iter, &v, 1, false);
	n = socket_recvmsg(s, &m);
	m.control_len = m.control_used;
	*value = 0;
	while (msg_next_control(&m, &pos, &c)) {
		if (c.level == level && c.type == type)
			memcpy(value, c.data, sizeof(*value));
	}
	return n;
}

static void expect_joined(struct socket *s, u32 off, u32 len, int size)
{
	int said;

	assert_int_equal(take(s, sizeof(data), 0, SOL_UDP, UDP_GRO, &said), len);
	assert_int_equal(said, size);
	assert_memory_equal(data, sent + off, len);
}

static void joined(void **state)
{
	struct socket *s;
	int said;
	u32 i;

	up(0);
	s = bound(0, 5000);
	set_option(s, SOL_UDP, UDP_GRO, 1);
	for (i = 0; i < 10; i++)
		comes_in(7, i * 100, 100);
	comes_in(7, 1000, 30); /* a shorter one is the last */
	comes_in(7, 1030, 100);
	comes_in(8, 1130, 100); /* another peer */
	comes_in(8, 1230, 101); /* a longer one */
	comes_in(8, 1331, 0);	/* and an empty one stand alone */
	sim_run_ms(5);
	/* a look is at the first alone */
	assert_int_equal(take(s, 2000, MSG_PEEK, SOL_UDP, UDP_GRO, &said), 100);
	expect_joined(s, 0, 1030, 100);
	expect_joined(s, 1030, 100, 0);
	expect_joined(s, 1130, 100, 0);
	expect_joined(s, 1230, 101, 0);
	expect_joined(s, 1331, 0, 0);
	assert_int_equal(receive(s), -EAGAIN);
	sock_close(s);
	down();
}

/* No datagram is cut where the room ends, and what says another thing of the way is not hidden. */
static void joined_as_far_as_it_fits(void **state)
{
	struct iovec v = { data, sizeof(data) };
	struct msg m = { .flags = MSG_DONTWAIT };
	struct socket *s;
	int said, i;

	up(0);
	s = bound(0, 5000);
	set_option(s, SOL_UDP, UDP_GRO, 1);
	for (i = 0; i < 7; i++)
		comes_in(7, i * 100, 100);
	sim_run_ms(5);
	assert_int_equal(take(s, 350, 0, SOL_UDP, UDP_GRO, &said), 300);
	assert_int_equal(said, 100);
	assert_int_equal(take(s, 100, 0, SOL_UDP, UDP_GRO, &said), 100);
	assert_int_equal(said, 0);
	/* nobody could be told */
	iter_init(&m.iter, &v, 1, false);
	assert_int_equal(socket_recvmsg(s, &m), 100);
	expect_joined(s, 500, 200, 100);
	comes_in(7, 0, 100);
	peer_ttl = 63;
	comes_in(7, 100, 100);
	peer_ttl = 64;
	sim_run_ms(5);
	expect_joined(s, 0, 100, 0);
	expect_joined(s, 100, 100, 0);
	for (i = 0; i < 80; i++)
		comes_in(7, i * 10, 10);
	sim_run_ms(5);
	expect_joined(s, 0, 640, 10);
	expect_joined(s, 640, 160, 10);
	sock_close(s);
	down();
}

/* SO_RXQ_OVFL: each datagram tells how many were lost before it. */
static void losses_are_told(void **state)
{
	struct socket *s;
	int lost, i;

	up(0);
	s = bound(0, 5000);
	comes_in(7, 0, 10);
	sim_run_ms(2);
	set_option(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
	assert_int_equal(take(s, 100, 0, SOL_SOCKET, SO_RXQ_OVFL, &lost), 10);
	assert_int_equal(lost, 0);
	s->rcvbuf = 1; /* room for one */
	for (i = 0; i < 5; i++)
		comes_in(7, 0, 10 + i);
	sim_run_ms(2);
	assert_int_equal(take(s, 100, 0, SOL_SOCKET, SO_RXQ_OVFL, &lost), 10);
	assert_int_equal(lost, 0);
	comes_in(7, 0, 20);
	sim_run_ms(2);
	assert_int_equal(take(s, 100, 0, SOL_SOCKET, SO_RXQ_OVFL, &lost), 20);
	assert_int_equal(lost, 4);
	sock_close(s);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_on_the_wire),
		cmocka_unit_test(refused),
		cmocka_unit_test(joined),
		cmocka_unit_test(joined_as_far_as_it_fits),
		cmocka_unit_test(losses_are_told),
		cmocka_unit_test(to_a_group_with_members_here),
		cmocka_unit_test(two_members_on_a_port),
		cmocka_unit_test(before_the_neighbour_is_known),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(corked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
