/* SPDX-License-Identifier: MIT */
/* test_sim_enomem.c - allocations fail while modules load, addresses change, packets travel and
 * modules leave again: errors are answers, nothing is leaked, nothing crashes. */
#include "stack.h"

static void traffic(void)
{
	struct socket *s = sock_open(SOCK_RAW, IPPROTO_ICMP);
	u8 m[64], got[200];

	if (!IS_ERR(s)) {
		for (u32 i = 0; i < 5; i++) {
			icmp_message(m, 8, 0, i, NULL, 20);
			sock_send(s, PEER, m, 28, MSG_DONTWAIT);
			sock_send(s, IP4(127, 0, 0, 1), m, 28, MSG_DONTWAIT);
			sock_recv(s, got, sizeof(got), MSG_DONTWAIT, NULL);
			sim_run_ms(1);
		}
		sock_close(s);
	}
	for (u32 i = 0; i < 5; i++)
		peer_echo(&peer, host_mac, HOST, 1, i, 56);
	sim_run_ms(5);
}

static void changes(void)
{
	ifconfig("lo", IP4(127, 0, 0, 1), 8);
	ifconfig("eth0:1", IP4(10, 0, 0, 77), 24);
	ifconfig("eth0:2", IP4(10, 9, 0, 77), 16);
	ifconfig("eth0", HOST, 24);
	route_default(PEER);
	sim_read("/proc/net/dev");
	sim_read("/proc/net/route");
	sim_read("/proc/net/raw");
	sim_read("/proc/net/weft/neighbours");
	ifconfig_down("lo");
}

static void one_round(u32 every, u64 seed)
{
	sim_seed(seed);
	sim_fail_every(0);
	assert_int_equal(stack_up(), 0);
	sim_fail_every(every);
	changes();
	traffic();
	sim_nic_detach(&nic);
	if (!sim_nic_attach(&nic, host_mac)) {
		ifconfig("eth0", HOST, 24);
		traffic();
	}
	sim_fail_every(0);
	stack_down();
}

static void while_it_runs(void **state)
{
	static const u32 often[] = { 2, 3, 5, 10, 30 };

	for (u32 i = 0; i < ARRAY_SIZE(often); i++)
		for (u64 seed = 1; seed <= 20; seed++)
			one_round(often[i], seed);
}

static void while_it_starts(void **state)
{
	u32 started = 0;

	for (u64 seed = 1; seed <= 150; seed++) {
		sim_boot();
		sim_seed(seed);
		sim_fail_every(20 + seed % 200);
		if (!stack_up()) {
			traffic();
			started++;
		}
		sim_fail_every(0);
		stack_down();
	}
	assert_in_range(started, 1, 149);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_it_runs),
		cmocka_unit_test(while_it_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
