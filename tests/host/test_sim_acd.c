/* SPDX-License-Identifier: MIT */
/* test_sim_acd.c - address conflict detection (RFC 5227), switched on: an address is asked for
 * three times, is nobody's meanwhile, and this host's or given up afterwards. */
#include "stack.h"

#define NEW IP4(10, 0, 0, 50)
#define MOST_S 8 /* PROBE_WAIT, two PROBE_MAX, ANNOUNCE_WAIT, and some more */

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/acd_probe", "1"), 0);
	/* as ifconfig does: the address with its class's mask, then another mask */
	assert_int_equal(ifconfig("eth0:1", NEW, 24), 0);
	peer_forget(&peer);
}

static void cleanup(void)
{
	assert_int_equal(sim_write("/proc/sys/net/ipv4/acd_probe", "0"), 0);
	stack_down();
}

static bool answers(void)
{
	bool heard;

	peer_echo(&peer, host_mac, NEW, 1, 1, 8);
	sim_run_ms(5);
	heard = peer_take_icmp(&peer, 0, 0);
	return heard;
}

static u32 asks(u32 sender)
{
	const struct frame *f;
	u32 n = 0;

	while ((f = peer_take_arp(&peer, 1)) != NULL) {
		if (get_be32(f->data + 38) == NEW && get_be32(f->data + 28) == sender)
			n++;
	}
	return n;
}

static void a_free_address_is_used(void **state)
{
	struct ip_addr a = ip_addr_v4(NEW);

	setup();
	assert_int_not_equal(route_classify(&a), ROUTE_LOCAL);
	sim_run_ms(2000);
	assert_false(answers());
	sim_run_s(MOST_S);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	assert_true(answers());
	cleanup();
}

static void three_probes_then_announced(void **state)
{
	setup();
	/* the last probe at 5 s, the announcement two seconds behind it */
	sim_run_ms(1000);
	for (u32 probes = asks(0); probes < 3; probes += asks(0))
		sim_run_ms(100);
	assert_int_equal(asks(NEW), 0);
	sim_run_ms(1800);
	assert_int_equal(asks(NEW), 0);
	sim_run_s(5);
	assert_int_equal(asks(NEW), 2);
	cleanup();
}

static void an_address_in_use_is_given_up(void **state)
{
	static const u8 rival[6] = { 2, 0, 0, 0, 0, 9 };
	struct ip_addr a = ip_addr_v4(NEW);

	setup();
	sim_run_ms(1500);
	peer_arp(&peer, host_mac, rival, NEW, 0, 2);
	sim_run_s(1);
	assert_null(ifaddr_find(NULL, &a));
	assert_false(answers());
	sim_run_s(MOST_S);
	assert_int_equal(asks(NEW), 0);
	cleanup();
}

/* Whoever is still being asked for is taken as he is. */
static void the_module_leaves_in_the_middle(void **state)
{
	struct ip_addr a = ip_addr_v4(NEW);

	setup();
	sim_run_ms(1500);
	assert_int_equal(sim_rmmod("ipv4", true), 0);
	assert_int_equal(sim_insmod("ipv4", NULL), 0);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	assert_true(answers());
	cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_address_is_used),
		cmocka_unit_test(three_probes_then_announced),
		cmocka_unit_test(an_address_in_use_is_given_up),
		cmocka_unit_test(the_module_leaves_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
