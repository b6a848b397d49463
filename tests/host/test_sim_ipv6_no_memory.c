/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_no_memory.c - allocations fail while the module `ipv6` comes up and its addresses
 * are made: it is there whole or not at all, and leaves nothing behind; and while it hears of
 * routers and is one. */
#include "stack6.h"

#include <weft/net/addrlabel.h>
#include <weft/net/neigh.h>

static void while_it_comes_up(void **state)
{
	u32 loaded = 0;
	u64 seed;

	for (seed = 1; seed <= 150; seed++) {
		sim_seed(seed);
		assert_int_equal(stack_up(), 0);
		sim_fail_every(3 + seed);
		if (!sim_insmod("ipv6", NULL)) {
			loaded++;
			sim_run_s(3);
		}
		sim_fail_every(0);
		stack_down();
	}
	assert_in_range(loaded, 1, 149);
}

/* What may fail does, here and there. */
static void hear_a_router(void)
{
	struct ip_addr prefix = ip6("2001:db8:5::"), far = ip6("2001:db8:9::"), host = HOST6;
	struct ra6 ra = { .lifetime = 1800, .hop_limit = 64 };

	ra.len = nd6_prefix(ra.options, &prefix, 64, ND6_ONLINK | ND6_AUTO, 7200, 3600);
	ra.len += nd6_route(ra.options + ra.len, &far, 48, 0, 600);
	ra.len += nd6_rdnss(ra.options + ra.len, &host, 600);
	peer6_ra(&peer, &ra);
	sim_run_s(4);
}

static void answer_for_others(u32 n)
{
	struct ip_addr subnet = ip6("2001:db8::"), group = ip6_solicited_node(&subnet);
	struct addr_label label = { .prefix = ip6("2001:db8:7::"), .plen = 48, .label = n };
	struct ip_addr other = ip6("2001:db8::88"), added = ip6("2001:db8:6::1");

	sysctl6("conf/all/forwarding", "1");
	sysctl6("conf/all/proxy_ndp", "1");
	netif_lock();
	neigh_proxy_add(netif_named("eth0"), &other, false);
	addr_label_set(&label, true);
	netif_unlock();
	addr6_add("eth0", &added, 64, 0);
	peer6_ns(&peer, NULL, &group, &subnet);
	group = ip6_solicited_node(&other);
	peer6_ns(&peer, NULL, &group, &other);
	sim_run_s(2);
}

static void while_it_is_in_use(void **state)
{
	for (u64 seed = 1; seed <= 60; seed++) {
		sim_seed(seed);
		assert_int_equal(stack_up6(), 0);
		sysctl6("conf/eth0/use_tempaddr", "2");
		sysctl6("conf/eth0/accept_ra_rt_info_max_plen", "64");
		sim_fail_every(2 + seed % 30);
		hear_a_router();
		answer_for_others(seed);
		if (seed % 2)
			sysctl6("conf/all/forwarding", "0");
		hear_a_router();
		sim_fail_every(0);
		if (seed % 3 == 0)
			assert_int_equal(sim_rmmod("ipv6", false), 0);
		if (seed % 6 == 0)
			assert_int_equal(sim_insmod("ipv6", NULL), 0);
		stack_down6();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_it_comes_up),
		cmocka_unit_test(while_it_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
