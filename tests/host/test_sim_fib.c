/* SPDX-License-Identifier: MIT */
/* test_sim_fib.c - the route table: longest prefix, metric, what Linux's route(8) is answered, and
 * routes that sleep while their interface is down. */
#include "stack.h"

#define NET(a, b, c, d) ip_addr_v4(IP4(a, b, c, d))

static struct netif *eth(void)
{
	return netif_named("eth0");
}

static int change(bool add, u32 prefix, u32 plen, u32 gateway, u32 metric, u8 type)
{
	struct route r = {
		.af = AF_INET,
		.plen = plen,
		.type = type,
		.metric = metric,
		.flags = RTF_UP,
		.prefix = ip_addr_v4(prefix),
		.gateway = ip_addr_v4(gateway),
		.source = ip_addr_any(AF_INET),
	};
	int err;

	netif_lock();
	if (add && !gateway && type == ROUTE_UNICAST)
		r.nif = eth();
	err = add ? route_add(&r) : route_del(&r);
	netif_unlock();
	return err;
}

static int add(u32 prefix, u32 plen, u32 gateway, u32 metric)
{
	return change(true, prefix, plen, gateway, metric, ROUTE_UNICAST);
}

static int del(u32 prefix, u32 plen)
{
	return change(false, prefix, plen, 0, 0, ROUTE_UNICAST);
}

/* The next hop to dst, 0: none. */
static u32 way(u32 dst)
{
	struct ip_addr a = ip_addr_v4(dst);
	struct route_result res;

	return route_lookup(&a, 0, &res) ? 0 : ip_addr_to_v4(&res.next_hop);
}

static void longest_prefix_wins(void **state)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(way(IP4(8, 8, 8, 8)), PEER);
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, IP4(10, 0, 0, 8), 0), 0);
	assert_int_equal(add(IP4(8, 8, 8, 0), 24, IP4(10, 0, 0, 24), 0), 0);
	assert_int_equal(add(IP4(8, 8, 8, 8), 32, IP4(10, 0, 0, 32), 0), 0);
	assert_int_equal(way(IP4(8, 8, 8, 8)), IP4(10, 0, 0, 32));
	assert_int_equal(way(IP4(8, 8, 8, 9)), IP4(10, 0, 0, 24));
	assert_int_equal(way(IP4(8, 8, 9, 9)), IP4(10, 0, 0, 8));
	assert_int_equal(way(IP4(9, 8, 9, 9)), PEER);
	assert_int_equal(way(IP4(10, 0, 0, 77)), IP4(10, 0, 0, 77));
	assert_int_equal(del(IP4(8, 8, 8, 8), 32), 0);
	assert_int_equal(way(IP4(8, 8, 8, 8)), IP4(10, 0, 0, 24));
	assert_int_equal(del(IP4(8, 8, 8, 0), 24), 0);
	assert_int_equal(way(IP4(8, 8, 8, 8)), IP4(10, 0, 0, 8));
	stack_down();
}

static void metric_then_newest(void **state)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, IP4(10, 0, 0, 5), 5), 0);
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, IP4(10, 0, 0, 9), 9), 0);
	assert_int_equal(way(IP4(8, 1, 1, 1)), IP4(10, 0, 0, 5));
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, IP4(10, 0, 0, 6), 5), 0);
	assert_int_equal(way(IP4(8, 1, 1, 1)), IP4(10, 0, 0, 6));
	stack_down();
}

static void what_linux_answers(void **state)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, PEER, 0), 0);
	assert_int_equal(add(IP4(8, 0, 0, 0), 8, PEER, 0), -EEXIST);
	assert_int_equal(add(IP4(8, 0, 0, 1), 8, PEER, 0), -EINVAL);
	assert_int_equal(add(IP4(9, 0, 0, 0), 8, IP4(99, 9, 9, 9), 0), -ENETUNREACH);
	assert_int_equal(add(IP4(9, 0, 0, 0), 8, HOST, 0), -EINVAL);
	assert_int_equal(del(IP4(9, 0, 0, 0), 8), -ESRCH);
	assert_int_equal(change(true, IP4(9, 9, 9, 9), 32, 0, 0, ROUTE_REJECT), 0);
	assert_int_equal(way(IP4(9, 9, 9, 9)), 0);
	/* what belongs to an address is out of a user's reach */
	assert_int_equal(del(HOST, 32), -ESRCH);
	assert_int_equal(del(HOST_BROADCAST, 32), -ESRCH);
	stack_down();
}

static void own_addresses_are_routes(void **state)
{
	struct ip_addr a;

	assert_int_equal(stack_up(), 0);
	a = NET(10, 0, 0, 2);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	a = NET(10, 0, 0, 255);
	assert_int_equal(route_classify(&a), ROUTE_BROADCAST);
	a = NET(10, 0, 0, 3);
	assert_int_equal(route_classify(&a), ROUTE_UNICAST);
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	a = NET(127, 200, 0, 3);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	ifconfig_down("lo");
	stack_down();
}

static void routes_sleep_while_down(void **state)
{
	const char *text;

	assert_int_equal(stack_up(), 0);
	ifconfig_down("eth0");
	assert_int_equal(way(IP4(8, 8, 8, 8)), 0);
	text = sim_read("/proc/net/route");
	assert_non_null(text);
	assert_null(strstr(text, "eth0"));
	netif_lock();
	assert_int_equal(netif_up(eth()), 0);
	netif_unlock();
	assert_int_equal(way(IP4(8, 8, 8, 8)), PEER);
	/* a script that adds it again after `ifconfig up` is not disappointed, once */
	assert_int_equal(route_default(PEER), 0);
	assert_int_equal(route_default(PEER), -EEXIST);
	stack_down();
}

/* Many at once: the hash chains and the bits of used lengths come and go together. */
static void a_thousand_come_and_go(void **state)
{
	assert_int_equal(stack_up(), 0);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(add(IP4(20, i >> 8, i & 255, 0), 24, PEER, 0), 0);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(way(IP4(20, i >> 8, i & 255, 7)), PEER);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(del(IP4(20, i >> 8, i & 255, 0), 24), 0);
	assert_int_equal(sim_write("/proc/sys/net/weft/max_routes", "16"), 0);
	for (u32 i = 0; i < 16; i++)
		add(IP4(20, 0, i, 0), 24, PEER, 0);
	assert_int_equal(add(IP4(21, 0, 0, 0), 24, PEER, 0), -ENOBUFS);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(metric_then_newest),
		cmocka_unit_test(what_linux_answers),
		cmocka_unit_test(own_addresses_are_routes),
		cmocka_unit_test(routes_sleep_while_down),
		cmocka_unit_test(a_thousand_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
