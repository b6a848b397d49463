/* SPDX-License-Identifier: MIT */
/* test_sim_neigh.c - a sender and its neighbour: waited for a moment, asked three times, given up;
 * the parked packet goes when the answer comes; and the states of RFC 4861 7.3.2 as time passes. */
#include "stack.h"

static const u8 echo[8] = { 8 };

static void gives_up_after_three_questions(void **state)
{
	const struct frame *f;
	struct socket *s;
	u64 start;
	u32 n = 0;

	assert_int_equal(stack_up_quiet(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	sim_run_s(5);
	peer_forget(&peer);
	start = sim_now();
	/* a blocking sender waits a moment; then its packet waits alone, and the next not at all */
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_in_range(sim_now() - start, 50 * NSEC_PER_MSEC, 80 * NSEC_PER_MSEC);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_in_range(sim_now() - start, 50 * NSEC_PER_MSEC, 80 * NSEC_PER_MSEC);
	sim_run_ms(3050);
	assert_int_equal(neigh_state_of(PEER), NEIGH_FAILED);
	while ((f = peer_take_arp(&peer, 1))) {
		n++;
		assert_memory_equal(f->data, broadcast_mac, 6);
		assert_int_equal(get_be32(f->data + 28), HOST);
		assert_int_equal(get_be32(f->data + 38), PEER);
	}
	assert_int_equal(n, 3);
	/* for a moment the answer stands without another question */
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), -EHOSTUNREACH);
	assert_int_equal(peer_count_arp(&peer, 1), 0);
	sim_run_s(3);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	sim_run_ms(3200);
	assert_int_equal(peer_count_arp(&peer, 1), 3);
	assert_int_equal(peer_count_icmp(&peer, 8), 0);
	sock_close(s);
	stack_down();
}

static void restore_wire(struct sim_event *e)
{
	wire.loss = 0;
	e->at = 0;
}

static void parked_packet_goes_with_the_answer(void **state)
{
	struct sim_event repaired = { .fn = restore_wire };
	struct socket *s;
	u64 start;

	assert_int_equal(stack_up(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	start = sim_now();
	wire.loss = 1000;
	sim_event_set(&repaired, start + 1500 * NSEC_PER_MSEC);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_in_range(sim_now() - start, 50 * NSEC_PER_MSEC, 80 * NSEC_PER_MSEC);
	sim_run_ms(1700);
	assert_int_equal(peer_count_icmp(&peer, 8), 0);
	sim_run_ms(500);
	assert_int_equal(peer_count_icmp(&peer, 8), 1);
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	sock_close(s);
	stack_down();
}

static void one_datagram_is_parked(void **state)
{
	struct socket *s;
	u32 i;
	u8 m[8] = { 8 };

	assert_int_equal(stack_up(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	drops_mark();
	for (i = 0; i < 5; i++) {
		m[7] = i;
		assert_int_equal(sock_send(s, PEER, m, 8, MSG_DONTWAIT), 8);
	}
	sim_run_ms(1);
	/* the newest */
	assert_int_equal(peer_count_icmp(&peer, 8), 1);
	assert_int_equal(frame_icmp(peer_take_icmp(&peer, 8, 0))[7], 4);
	sock_close(s);
	stack_down();
}

static void states_over_time(void **state)
{
	const struct frame *f;
	struct socket *s;
	u32 unicast = 0, broadcast = 0;

	assert_int_equal(stack_up(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	sim_run_s(14); /* at least half of 30 s */
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	sim_run_s(33);
	assert_int_equal(neigh_state_of(PEER), NEIGH_STALE);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_int_equal(neigh_state_of(PEER), NEIGH_DELAY);
	sim_run_s(4);
	assert_int_equal(neigh_state_of(PEER), NEIGH_DELAY);
	/* it answers the probe */
	peer_forget(&peer);
	sim_run_s(2);
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	assert_int_equal(peer_count_arp(&peer, 1), 1);
	/* and now it is gone */
	sim_run_s(50);
	peer.answers_arp = false;
	peer_forget(&peer);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	sim_run_ms(5500);
	assert_int_equal(neigh_state_of(PEER), NEIGH_PROBE);
	sim_run_ms(2700);
	assert_int_equal(neigh_state_of(PEER), NEIGH_FAILED);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), -EHOSTUNREACH);
	while ((f = peer_take_arp(&peer, 1))) {
		if (f->data[0] == 0xff)
			broadcast++;
		else
			unicast++;
	}
	assert_int_equal(unicast, 3);
	assert_int_equal(broadcast, 0);
	sock_close(s);
	stack_down();
}

static void answer_after_the_socket_closed(void **state)
{
	struct socket *s;

	assert_int_equal(stack_up_quiet(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_send(s, PEER, echo, 8, MSG_DONTWAIT), 8);
	sock_close(s);
	sim_run_ms(10);
	peer_arp(&peer, host_mac, peer_mac, PEER, HOST, 2);
	sim_run_ms(10);
	assert_int_equal(peer_count_icmp(&peer, 8), 1);
	stack_down();
}

static void parked_packets_die_with_the_interface(void **state)
{
	struct socket *s;
	u32 i;

	assert_int_equal(stack_up_quiet(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	for (i = 3; i < 60; i++)
		sock_send(s, IP4(10, 0, 0, i), echo, 8, MSG_DONTWAIT);
	ifconfig_down("eth0");
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), -ENETUNREACH);
	sock_close(s);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_after_three_questions),
		cmocka_unit_test(parked_packet_goes_with_the_answer),
		cmocka_unit_test(one_datagram_is_parked),
		cmocka_unit_test(states_over_time),
		cmocka_unit_test(answer_after_the_socket_closed),
		cmocka_unit_test(parked_packets_die_with_the_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
