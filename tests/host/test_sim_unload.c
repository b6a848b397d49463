/* SPDX-License-Identifier: MIT */
/* test_sim_unload.c - modules leave and come back under traffic, a hundred times, in any order that
 * their dependencies allow; nothing is left behind and nothing crashes. */
#include "stack.h"

static const char *const names[] = { "ip", "ethernet", "ipv4", "icmp", "e1000" };
static struct model_e1000 e1000;

static void chatter(struct sim_event *e)
{
	static u16 n;
	static const u8 junk[64] = { 0x45 };
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };

	n++;
	peer_echo(&peer, host_mac, HOST, 1, n, n % 1400);
	if (n % 3 == 0)
		peer_arp(&peer, NULL, peer_mac, PEER, HOST, 1 + n % 2);
	if (n % 4 == 0)
		peer_ipv4(&peer, host_mac, &h, junk, 64);
	if (n % 5 == 0) {
		h.flags_off = n % 2 ? 0x2000 : 4;
		h.id = n / 20;
		h.proto = 1;
		peer_ipv4(&peer, host_mac, &h, junk, 32);
	}
	peer_forget(&peer);
	sim_event_set(e, sim_now() + 200 * NSEC_PER_USEC);
}

static void try_to_work(void)
{
	struct socket *s;
	u8 m[64] = { 8 };

	if (!sim_module_loaded("ip"))
		return;
	ifconfig("lo", IP4(127, 0, 0, 1), 8);
	ifconfig("eth0", HOST, 24);
	route_default(PEER);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	if (IS_ERR(s))
		return;
	sock_send(s, PEER, m, 64, MSG_DONTWAIT);
	sock_send(s, HOST, m, 64, MSG_DONTWAIT);
	sim_run_ms(2);
	sock_recv(s, m, 64, MSG_DONTWAIT, NULL);
	sock_close(s);
}

static void any_order_under_traffic(void **state)
{
	struct sim_event traffic = { .fn = chatter };
	u32 i, k, refused = 0, done = 0;
	int err;

	sim_boot();
	model_e1000_init(&e1000, MODEL_82574, host_mac);
	sim_mark();
	sim_pci_add(&e1000.pci);
	peer_init(&peer, peer_mac, PEER);
	peer.answers_arp = true;
	sim_link_init(&wire, &e1000.end, &peer.end);
	sim_event_set(&traffic, sim_now());
	for (i = 0; i < 600; i++) {
		k = sim_random() % ARRAY_SIZE(names);
		if (sim_module_loaded(names[k])) {
			err = sim_rmmod(names[k], sim_random() % 2);
			refused += err == -EAGAIN;
			assert_true(!err || err == -EAGAIN);
		} else {
			err = sim_insmod(names[k], NULL);
			assert_true(!err || err == -ENOENT);
		}
		done += !err;
		try_to_work();
		sim_run_ms(3);
	}
	assert_true(done > 200);
	assert_true(refused > 20);
	for (i = ARRAY_SIZE(names); i--;)
		if (sim_module_loaded(names[i]))
			assert_int_equal(sim_rmmod(names[i], true), 0);
	sim_event_cancel(&traffic);
	sim_run_ms(1);
	peer_forget(&peer);
	sim_pci_remove(&e1000.pci);
	sim_check();
}

/* Each protocol alone comes and goes under the others; the stack answers again at once. */
static void each_hundred_times(void **state)
{
	struct sim_event traffic = { .fn = chatter };
	u32 i;

	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	sim_event_set(&traffic, sim_now());
	for (i = 0; i < 100; i++) {
		assert_int_equal(sim_rmmod("icmp", false), 0);
		sim_run(sim_random() % 1000000);
		if (i % 2) {
			assert_int_equal(sim_rmmod("ipv4", false), 0);
			sim_run(sim_random() % 1000000);
			assert_int_equal(sim_insmod("ipv4", NULL), 0);
		}
		assert_int_equal(sim_insmod("icmp", NULL), 0);
		sim_event_cancel(&traffic);
		sim_run_ms(1);
		peer_forget(&peer);
		peer_echo(&peer, host_mac, HOST, 2, i, 10);
		sim_run_ms(1);
		assert_int_equal(peer_count_icmp(&peer, 0), 1);
		sim_event_set(&traffic, sim_now());
	}
	sim_event_cancel(&traffic);
	sim_run_ms(1);
	stack_down();
}

static void driver_hundred_times(void **state)
{
	u32 i;

	model_e1000_init(&e1000, MODEL_82540EM, host_mac);
	assert_int_equal(stack_up_e1000(&e1000, NULL), 0);
	for (i = 0; i < 100; i++) {
		/* by force: the interface goes down by itself; its address waits for the next
		 * driver */
		assert_int_equal(sim_rmmod("e1000", true), 0);
		assert_int_equal(sim_insmod("e1000", NULL), 0);
		assert_non_null(netif_named("eth0"));
		assert_int_equal(ifconfig("eth0", HOST, 24), 0);
		sim_run_ms(1);
		peer_forget(&peer);
		peer_echo(&peer, host_mac, HOST, 2, i, 10);
		sim_run_ms(1);
		assert_int_equal(peer_count_icmp(&peer, 0), 1);
	}
	stack_down_e1000(&e1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_under_traffic),
		cmocka_unit_test(each_hundred_times),
		cmocka_unit_test(driver_hundred_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
