/* SPDX-License-Identifier: MIT */
/* test_sim_ping.c - echo requests are answered as RFC 1122 3.2.2.6 wants: every byte comes back, to
 * whom it came from; broadcasts and spoofed ones are not. */
#include "stack.h"

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
}

static void every_size_comes_back(void **state)
{
	static const u32 sizes[] = { 0, 1, 2, 17, 56, 57, 100, 1471, 1472 };
	u32 i, k;

	setup();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct frame *f;

		peer_echo(&peer, host_mac, HOST, 0x1234, i, sizes[i]);
		sim_run_ms(2);
		f = peer_take_icmp(&peer, 0, 0);
		assert_non_null(f);
		assert_true(frame_sound(f));
		assert_memory_equal(f->data, peer_mac, 6);
		assert_int_equal(get_be32(frame_ip(f) + 12), HOST);
		assert_int_equal(get_be32(frame_ip(f) + 16), PEER);
		assert_int_equal(get_be16(frame_ip(f) + 2), 28 + sizes[i]);
		assert_int_equal(get_be32(frame_icmp(f) + 4), 0x12340000 | i);
		for (k = 0; k < sizes[i]; k++)
			assert_int_equal(frame_icmp(f)[8 + k], (u8)(k * 7 + i));
	}
	stack_down();
}

static void broadcast_echo_is_ignored(void **state)
{
	setup();
	drops_mark();
	peer_echo(&peer, broadcast_mac, HOST_BROADCAST, 1, 1, 56);
	peer_echo(&peer, broadcast_mac, 0xffffffff, 1, 2, 56);
	sim_run_ms(2);
	assert_null(peer_take_icmp(&peer, -1, -1));
	assert_int_equal(drops_since(DROP_IGNORED), 2);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts", "0"), 0);
	peer_echo(&peer, broadcast_mac, HOST_BROADCAST, 1, 4, 56);
	sim_run_ms(2);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	stack_down();
}

/* For one host, in a frame for everybody: RFC 1122 3.3.6, unless it is to be as on Linux. */
static void echo_for_one_in_a_broadcast(void **state)
{
	const char *path = "/proc/sys/net/ipv4/conf/all/drop_unicast_in_l2_multicast";

	setup();
	drops_mark();
	peer_echo(&peer, broadcast_mac, HOST, 1, 1, 56);
	sim_run_ms(2);
	assert_null(peer_take_icmp(&peer, -1, -1));
	assert_int_equal(drops_since(DROP_BAD_DEST), 1);
	peer_echo(&peer, host_mac, HOST, 1, 2, 56);
	sim_run_ms(2);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	assert_int_equal(sim_write(path, "0"), 0);
	peer_echo(&peer, broadcast_mac, HOST, 1, 3, 56);
	sim_run_ms(2);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	stack_down();
}

static void land_is_dropped(void **state)
{
	struct ipv4_fields h = { .src = HOST, .dst = HOST, .proto = 1 };
	u8 m[64];

	setup();
	drops_mark();
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_BAD_SOURCE), 1);
	assert_null(peer_take_icmp(&peer, -1, -1));
	stack_down();
}

static void bad_checksum_is_counted(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 m[64];

	setup();
	drops_mark();
	icmp_message(m, 8, 0, 1, NULL, 0);
	m[2] ^= 1;
	peer_ipv4(&peer, host_mac, &h, m, 8);
	peer_ipv4(&peer, host_mac, &h, m, 7);
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_BADSUM), 1);
	assert_int_equal(drops_since(DROP_TRUNCATED), 1);
	assert_null(peer_take_icmp(&peer, -1, -1));
	stack_down();
}

static void unknown_types_are_silent(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 m[64];
	u32 type;

	setup();
	for (type = 0; type < 256; type++) {
		if (type == 8)
			continue;
		peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, type, 0, 0, "abcdefgh", 8));
	}
	sim_run_ms(20);
	assert_null(peer_take_icmp(&peer, -1, -1));
	stack_down();
}

static void flood_is_answered_or_dropped(void **state)
{
	u32 i;

	setup();
	stack_know_peer();
	for (i = 0; i < 3000; i++)
		peer_echo(&peer, host_mac, HOST, 7, i, 1000);
	sim_run_ms(100);
	assert_true(peer_count_icmp(&peer, 0) + nic.overruns == 3000);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_comes_back),
		cmocka_unit_test(broadcast_echo_is_ignored),
		cmocka_unit_test(echo_for_one_in_a_broadcast),
		cmocka_unit_test(land_is_dropped),
		cmocka_unit_test(bad_checksum_is_counted),
		cmocka_unit_test(unknown_types_are_silent),
		cmocka_unit_test(flood_is_answered_or_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
