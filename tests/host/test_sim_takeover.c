/* SPDX-License-Identifier: MIT */
/* test_sim_takeover.c - an interface outlives its driver: what the user gave it waits for the
 * next one with the same hardware address. */
#include "stack.h"

#include <weft/net/ifaddr.h>

static void parked_and_taken_over(void **state)
{
	struct netif_stats before, after;
	struct ip_addr host = ip_addr_v4(HOST);
	struct netif *nif;
	u32 index;

	assert_int_equal(stack_up(), 0);
	nif = netif_named("eth0");
	index = nif->index;
	peer_echo(&peer, host_mac, HOST, 1, 1, 56);
	sim_run_ms(2);
	netif_stats_sum(nif, &before);
	assert_true(before.rx_packets > 0);
	sim_nic_detach(&nic);
	assert_null(netif_named("eth0"));
	assert_null(strstr(sim_read("/proc/net/dev"), "eth0"));
	assert_null(sim_read("/sys/class/net/eth0/mtu"));
	assert_int_equal(route_classify(&host), ROUTE_UNICAST);

	assert_int_equal(sim_nic_attach(&nic, host_mac), 0);
	nif = netif_named("eth0");
	assert_non_null(nif);
	assert_int_equal(nif->index, index);
	assert_false(netif_is_up(nif));
	netif_stats_sum(nif, &after);
	assert_int_equal(after.rx_packets, before.rx_packets);
	netif_lock();
	assert_int_equal(netif_up(nif), 0);
	netif_unlock();
	assert_int_equal(route_classify(&host), ROUTE_LOCAL);
	sim_run_ms(5);
	peer_forget(&peer);
	peer_echo(&peer, host_mac, HOST, 1, 2, 56);
	sim_run_ms(5);
	assert_int_equal(peer_count_icmp(&peer, 0), 1);
	assert_non_null(strstr(sim_read("/proc/net/route"), "00000000\t0100000A"));
	stack_down();
}

static void another_address_is_another_interface(void **state)
{
	static const u8 other[6] = { 2, 0, 0, 0, 0, 1 };

	assert_int_equal(stack_up(), 0);
	sim_nic_detach(&nic);
	assert_int_equal(sim_nic_attach(&nic, other), 0);
	assert_null(netif_named("eth0"));
	assert_non_null(netif_named("eth1"));
	assert_null(ifaddr_first(netif_named("eth1"), AF_INET));
	stack_down();
}

/* However many devices come and go, the number kept is bounded. */
static void parking_is_bounded(void **state)
{
	struct netif *nif;
	u8 mac[6] = { 2 };
	u32 n = 0;

	assert_int_equal(stack_up(), 0);
	for (u32 i = 0; i < 200; i++) {
		sim_nic_detach(&nic);
		mac[5] = i;
		assert_int_equal(sim_nic_attach(&nic, mac), 0);
	}
	netif_lock();
	netif_for_each(nif)
		n++;
	netif_unlock();
	assert_in_range(n, 2, 40);
	stack_down();
}

static u32 events[16], nr_events;

static void note(struct netif_watcher *w, struct netif *nif, enum netif_event ev)
{
	if (strcmp(nif->name, "lo") && nr_events < ARRAY_SIZE(events))
		events[nr_events++] = ev;
}

static void watchers_hear_in_order(void **state)
{
	static const u32 want[] = { NETIF_COMING, NETIF_UP,   NETIF_MTU,    NETIF_LINK,
				    NETIF_DOWN,	  NETIF_GONE, NETIF_COMING, NETIF_UP };
	struct netif_watcher w = { .name = "test", .event = note };

	assert_int_equal(stack_up(), 0);
	nr_events = 0;
	netif_watch(&w);
	netif_lock();
	assert_int_equal(netif_set_mtu(netif_named("eth0"), 1400), 0);
	assert_int_equal(netif_set_mtu(netif_named("eth0"), 1400), 0);
	assert_int_equal(netif_set_mtu(netif_named("eth0"), 20), -EINVAL);
	netif_unlock();
	netif_carrier(netif_named("eth0"), false);
	netif_carrier(netif_named("eth0"), false);
	sim_run_ms(5);
	sim_nic_detach(&nic);
	assert_int_equal(sim_nic_attach(&nic, host_mac), 0);
	netif_lock();
	assert_int_equal(netif_up(netif_named("eth0")), 0);
	netif_unlock();
	netif_unwatch(&w);
	assert_int_equal(nr_events, ARRAY_SIZE(want));
	assert_memory_equal(events, want, sizeof(want));
	stack_down();
}

/* No driver, no link type, no family: every layer leaves under an interface that is up. */
static void modules_leave_under_it(void **state)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_rmmod("ethernet", false), -EAGAIN);
	assert_int_equal(sim_rmmod("icmp", false), 0);
	assert_int_equal(sim_rmmod("ipv4", false), 0);
	peer_echo(&peer, host_mac, HOST, 1, 1, 56);
	sim_run_ms(5);
	assert_int_equal(peer_count_icmp(&peer, 0), 0);
	assert_int_equal(sim_insmod("ipv4", NULL), 0);
	assert_int_equal(sim_insmod("icmp", NULL), 0);
	sim_run_ms(5);
	peer_forget(&peer);
	/* the address is still there */
	peer_echo(&peer, host_mac, HOST, 1, 2, 56);
	sim_run_ms(5);
	assert_int_equal(peer_count_icmp(&peer, 0), 1);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parked_and_taken_over),
		cmocka_unit_test(another_address_is_another_interface),
		cmocka_unit_test(parking_is_bounded),
		cmocka_unit_test(watchers_hear_in_order),
		cmocka_unit_test(modules_leave_under_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
