/* SPDX-License-Identifier: MIT */
/* test_sim_no_memory.c - the whole life of a stack with every n-th allocation failing: nothing
 * crashes, nothing leaks, and with memory back everything works. */
#include "stack.h"

static struct model_e1000 e1000;

static void converse(void)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 m[1600] = { 8 };
	struct socket *s, *raw;
	u32 i;

	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	raw = sock_open(SOCK_RAW, IPPROTO_ICMP);
	for (i = 0; i < 10; i++) {
		peer_arp(&peer, NULL, peer_mac, PEER, HOST, 1);
		peer_echo(&peer, host_mac, HOST, 1, i, i * 100);
		h.id = i;
		h.flags_off = 0x2000;
		peer_ipv4(&peer, host_mac, &h, m, 800);
		h.flags_off = 100;
		peer_ipv4(&peer, host_mac, &h, m, 800);
		h.proto = 253;
		h.flags_off = 0;
		peer_ipv4(&peer, host_mac, &h, m, 10);
		h.proto = 1;
		if (!IS_ERR(s)) {
			sock_send(s, PEER, m, 1 + i * 150, MSG_DONTWAIT);
			sock_send(s, IP4(10, 0, 0, 20 + i), m, 64, MSG_DONTWAIT);
			sock_send(s, HOST, m, 1600, MSG_DONTWAIT);
		}
		sim_run_ms(20);
		sim_read_all();
	}
	if (!IS_ERR(s))
		sock_close(s);
	if (!IS_ERR(raw))
		sock_close(raw);
	sim_run_s(40); /* time-outs */
}

static void life(void **state)
{
	struct sim_memory before, after;
	u32 n, failed_starts = 0;
	const u32 every[] = { 3, 4, 5, 7,  10, 15, 25, 35, 50,	3,
			      4, 5, 7, 10, 15, 25, 35, 50, 100, 200 };

	for (n = 0; n < ARRAY_SIZE(every); n++) {
		sim_boot();
		sim_seed(n + 1);
		sim_memory_get(&before);
		sim_fail_every(every[n]);
		if (stack_up())
			failed_starts++;
		peer.answers_arp = peer.answers_echo = true;
		ifconfig("lo", IP4(127, 0, 0, 1), 8);
		if (sim_module_loaded("ip"))
			converse();
		sim_fail_every(0);
		sim_memory_get(&after);
		assert_true(after.failures > before.failures);
		stack_down();
		assert_int_equal(stack_up(), 0);
		peer_echo(&peer, host_mac, HOST, 1, 1, 500);
		sim_run_ms(10);
		assert_int_equal(peer_count_icmp(&peer, 0), 1);
		stack_down();
	}
	assert_true(failed_starts > 3);
}

/* The stack starts with memory and then has none: it goes on as soon as there is some. */
static void middle_age(void **state)
{
	u32 n;

	assert_int_equal(stack_up(), 0);
	peer.answers_echo = true;
	for (n = 1; n <= 20; n++) {
		sim_fail_every(n);
		converse();
		sim_fail_every(0);
		sim_run_s(2);
		peer_forget(&peer);
		peer_echo(&peer, host_mac, HOST, 1, n, 500);
		sim_run_ms(10);
		assert_int_equal(peer_count_icmp(&peer, 0), 1);
	}
	stack_down();
}

static void driver(void **state)
{
	u32 n;

	for (n = 0; n < 60; n++) {
		sim_boot();
		sim_seed(100 + n);
		model_e1000_init(&e1000, n % 2 ? MODEL_82574 : MODEL_82540EM, host_mac);
		sim_fail_every(3 + n);
		if (!stack_up_e1000(&e1000, "rx_ring=16 tx_ring=16"))
			converse();
		sim_fail_every(0);
		stack_down_e1000(&e1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life),
		cmocka_unit_test(middle_age),
		cmocka_unit_test(driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
