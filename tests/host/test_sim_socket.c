/* SPDX-License-Identifier: MIT */
/* test_sim_socket.c - what ping(8) and its like do: ping sockets and raw sockets, blocking and not,
 * who may have them, and what becomes of them when their module leaves. */
#include "stack.h"

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	peer.answers_echo = true;
}

static void ping_goes_round(void **state)
{
	u8 out[64] = { 8, 0, 0, 0, 0xde, 0xad, 0, 7, 1, 2, 3 }, in[128];
	struct socket *s;
	u32 from = 0;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_false(IS_ERR(s));
	assert_int_equal(sock_send(s, PEER, out, 64, 0), 64);
	assert_int_equal(sock_recv(s, in, sizeof(in), 0, &from), 64);
	assert_int_equal(from, PEER);
	assert_int_equal(in[0], 0);
	assert_int_equal(get_be16(in + 6), 7);
	assert_memory_equal(in + 8, out + 8, 56);
	/* the kernel owns the identifier */
	assert_int_not_equal(get_be16(in + 4), 0xdead);
	/* a datagram is cut to what there is room for */
	assert_int_equal(sock_send(s, PEER, out, 64, 0), 64);
	assert_int_equal(sock_recv(s, in, 10, 0, NULL), 10);
	assert_int_equal(sock_recv(s, in, 10, MSG_DONTWAIT, NULL), -EAGAIN);
	assert_int_equal(sock_send(s, PEER, out, 64, 0), 64);
	assert_int_equal(sock_recv(s, in, 10, MSG_TRUNC, NULL), 64);
	sock_close(s);
	stack_down();
}

static void ping_sends_requests_only(void **state)
{
	u8 m[64] = { 0 };
	struct socket *s;
	u32 type;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	for (type = 0; type < 256; type++) {
		m[0] = type;
		assert_int_equal(sock_send(s, PEER, m, 8, 0), type == 8 ? 8 : -EINVAL);
	}
	m[0] = 8;
	m[1] = 1;
	assert_int_equal(sock_send(s, PEER, m, 8, 0), -EINVAL);
	m[1] = 0;
	assert_int_equal(sock_send(s, PEER, m, 7, 0), -EINVAL);
	assert_int_equal(sock_send(s, 0, m, 8, 0), -EDESTADDRREQ);
	assert_int_equal(sock_send(s, HOST_BROADCAST, m, 8, 0), -EACCES);
	assert_int_equal(sock_send(s, IP4(240, 0, 0, 1), m, 8, 0), -EINVAL);
	sock_close(s);
	stack_down();
}

static void large_ping_is_cut_and_put_together(void **state)
{
	static u8 out[65507], in[65507];
	struct socket *s;
	u32 i;
	int one = 1 << 20;

	setup();
	for (i = 0; i < sizeof(out); i++)
		out[i] = i * 31;
	out[0] = 8;
	out[1] = 0;
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)), 0);
	/* to ourselves: both ways at once, over lo */
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	assert_int_equal(sock_send(s, HOST, out, sizeof(out), 0), sizeof(out));
	assert_int_equal(sock_recv(s, in, sizeof(in), 0, NULL), sizeof(out));
	assert_memory_equal(in + 8, out + 8, sizeof(out) - 8);
	assert_int_equal(sock_send(s, IP4(127, 0, 0, 1), out, sizeof(out), 0), sizeof(out));
	assert_int_equal(sock_recv(s, in, sizeof(in), 0, NULL), sizeof(out));
	/* out into the world */
	assert_int_equal(sock_send(s, PEER, out, sizeof(out), 0), sizeof(out));
	sim_run_ms(1);
	sock_close(s);
	stack_down();
}

static void identifiers_are_bound_once(void **state)
{
	struct socket *a, *b;
	u8 m[8] = { 8 };

	setup();
	a = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	b = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_bind(a, 0, 1000), 0);
	assert_int_equal(sock_bind(a, 0, 1001), -EINVAL);
	assert_int_equal(sock_bind(b, 0, 1000), -EADDRINUSE);
	assert_int_equal(sock_bind(b, IP4(10, 9, 9, 9), 1001), -EADDRNOTAVAIL);
	assert_int_equal(sock_bind(b, HOST, 1001), 0);
	assert_int_equal(sock_send(a, PEER, m, 8, 0), 8);
	assert_int_equal(sock_send(b, PEER, m, 8, 0), 8);
	sim_run_ms(1);
	assert_int_equal(sock_recv(a, m, 8, MSG_DONTWAIT, NULL), 8);
	assert_int_equal(get_be16(m + 4), 1000);
	assert_int_equal(sock_recv(a, m, 8, MSG_DONTWAIT, NULL), -EAGAIN);
	assert_int_equal(sock_recv(b, m, 8, MSG_DONTWAIT, NULL), 8);
	sock_close(a);
	a = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_bind(a, 0, 1000), 0);
	sock_close(a);
	sock_close(b);
	stack_down();
}

static void who_may(void **state)
{
	struct socket *s;

	setup();
	sim_root = false;
	assert_int_equal(PTR_ERR(sock_open(SOCK_RAW, IPPROTO_ICMP)), -EPERM);
	assert_int_equal(PTR_ERR(sock_open(SOCK_DGRAM, IPPROTO_ICMP)), -EACCES);
	sim_root = true;
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ping_group_range", "0 2000"), 0);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ping_group_range", "x"), -EINVAL);
	sim_root = false;
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_false(IS_ERR(s));
	sock_close(s);
	sim_root = true;
	assert_int_equal(PTR_ERR(sock_open(SOCK_RAW, 0)), -EPROTONOSUPPORT);
	assert_int_equal(PTR_ERR(sock_open(SOCK_STREAM, 0)), -ESOCKTNOSUPPORT);
	stack_down();
}

static void raw_sees_header_and_all(void **state)
{
	u8 out[16] = { 8 }, in[256];
	struct socket *s, *t;
	u32 from;

	setup();
	s = sock_open(SOCK_RAW, IPPROTO_ICMP);
	t = sock_open(SOCK_RAW, 253);
	put_be16(out + 2, wire_sum(out, 16));
	assert_int_equal(sock_send(s, PEER, out, 16, 0), 16);
	assert_int_equal(sock_recv(s, in, sizeof(in), 0, &from), 36);
	assert_int_equal(from, PEER);
	assert_int_equal(in[0], 0x45);
	assert_int_equal(in[9], 1);
	assert_int_equal(in[20], 0);
	/* a protocol that nobody speaks: the reader is enough, no error goes out */
	peer_ipv4(&peer, host_mac, &(struct ipv4_fields){ .src = PEER, .dst = HOST, .proto = 253 },
		  out, 16);
	assert_int_equal(sock_recv(t, in, sizeof(in), 0, &from), 36);
	assert_null(peer_take_icmp(&peer, 3, 2));
	assert_int_equal(sock_recv(t, in, sizeof(in), MSG_DONTWAIT, NULL), -EAGAIN);
	sock_close(s);
	sock_close(t);
	stack_down();
}

static void raw_brings_its_header(void **state)
{
	u8 out[64] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 7, 99 };
	const struct frame *f;
	struct socket *s;

	setup();
	s = sock_open(SOCK_RAW, IPPROTO_RAW);
	put_be32(out + 16, PEER);
	assert_int_equal(sock_send(s, PEER, out, 40, 0), 40);
	sim_run_ms(1);
	f = peer_take_proto(&peer, 99);
	assert_non_null(f);
	assert_true(frame_sound(f));
	assert_int_equal(frame_ip(f)[8], 7);
	assert_int_equal(get_be32(frame_ip(f) + 12), HOST);
	/* headers that are none */
	assert_true(sock_send(s, PEER, out, 19, 0) < 0);
	assert_true(sock_send(s, PEER, out, 0, 0) < 0);
	out[0] = 0x4f;
	assert_true(sock_send(s, PEER, out, 40, 0) < 0);
	out[0] = 0x40;
	assert_true(sock_send(s, PEER, out, 40, 0) < 0);
	sock_close(s);
	stack_down();
}

static void receive_queue_is_bounded(void **state)
{
	struct socket *s;
	u32 i;
	u8 in[2048];
	int n = 0;

	setup();
	stack_know_peer();
	s = sock_open(SOCK_RAW, IPPROTO_ICMP);
	for (i = 0; i < 2000; i++) {
		peer_echo(&peer, host_mac, HOST, 1, i, 1000);
		if (i % 50 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(1);
	assert_true(s->rx_bytes <= s->rcvbuf + 4096);
	assert_true(drops(DROP_SOCKET_FULL) > 1000);
	while (sock_recv(s, in, sizeof(in), MSG_DONTWAIT, NULL) > 0)
		n++;
	assert_true(n > 10);
	sock_close(s);
	stack_down();
}

static void module_with_sockets_names_them(void **state)
{
	struct socket *s;
	u8 m[8] = { 8 };

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	sim_log_clear();
	assert_int_equal(sim_rmmod("icmp", false), -EAGAIN);
	assert_true(sim_log_has("icmp: 1 socket"));
	assert_int_equal(sim_rmmod("icmp", true), 0);
	assert_int_equal(sock_send(s, PEER, m, 8, 0), -ECONNABORTED);
	assert_int_equal(sock_recv(s, m, 8, 0, NULL), -ECONNABORTED);
	sock_close(s);
	stack_down();
}

static int blocked_reader(void *arg)
{
	u8 in[64];

	return sock_recv(arg, in, sizeof(in), 0, NULL);
}

static void sleeping_reader_is_woken_by_force(void **state)
{
	struct socket *s;
	struct thread *t;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	t = kthread_run(blocked_reader, s, "reader");
	assert_false(IS_ERR(t));
	sim_run_s(3);
	assert_int_equal(sim_rmmod("icmp", true), 0);
	assert_int_equal(kthread_stop(t), -ECONNABORTED);
	sock_close(s);
	stack_down();
}

static void time_out_of_a_receive(void **state)
{
	struct {
		u64 sec, usec;
	} tv = { 2, 500000 };
	struct socket *s;
	u8 in[64];
	u64 start;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	start = sim_now();
	assert_int_equal(sock_recv(s, in, sizeof(in), 0, NULL), -EAGAIN);
	assert_in_range(sim_now() - start, 2500 * NSEC_PER_MSEC, 2510 * NSEC_PER_MSEC);
	sock_close(s);
	stack_down();
}

static void full_ring_holds_the_sender(void **state)
{
	struct socket *s;
	u8 m[8] = { 8 };

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_send(s, PEER, m, 8, 0), 8);
	sim_nic_tx_busy(&nic);
	assert_true(sock_send(s, PEER, m, 8, MSG_DONTWAIT) < 0);
	sim_nic_tx_free(&nic);
	assert_int_equal(sock_send(s, PEER, m, 8, MSG_DONTWAIT), 8);
	sock_close(s);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ping_goes_round),
		cmocka_unit_test(ping_sends_requests_only),
		cmocka_unit_test(large_ping_is_cut_and_put_together),
		cmocka_unit_test(identifiers_are_bound_once),
		cmocka_unit_test(who_may),
		cmocka_unit_test(raw_sees_header_and_all),
		cmocka_unit_test(raw_brings_its_header),
		cmocka_unit_test(receive_queue_is_bounded),
		cmocka_unit_test(module_with_sockets_names_them),
		cmocka_unit_test(sleeping_reader_is_woken_by_force),
		cmocka_unit_test(time_out_of_a_receive),
		cmocka_unit_test(full_ring_holds_the_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
