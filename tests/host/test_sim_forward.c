/* SPDX-License-Identifier: MIT */
/* test_sim_forward.c - a host is no router until it is told so (RFC 1122 3.3.1); then it forwards
 * by RFC 1812 5.3.1: time to live, checksum, errors, and what must never be forwarded. */
#include "stack.h"

#define FAR IP4(192, 0, 2, 7)

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_forward", "1"), 0);
	drops_mark();
}

static void send_to(const u8 *mac, u32 src, u32 dst, u8 ttl)
{
	struct ipv4_fields h = { .src = src, .dst = dst, .proto = 99, .ttl = ttl, .id = 5 };

	peer_ipv4(&peer, mac, &h, "0123456789", 10);
	sim_run_ms(1);
}

static void one_hop_less(void **state)
{
	const struct frame *f;

	setup();
	send_to(host_mac, PEER, FAR, 9);
	f = peer_take_proto(&peer, 99);
	assert_non_null(f);
	assert_true(frame_sound(f));
	assert_int_equal(frame_ip(f)[8], 8);
	assert_int_equal(get_be32(frame_ip(f) + 12), PEER);
	assert_int_equal(get_be32(frame_ip(f) + 16), FAR);
	assert_int_equal(get_be16(frame_ip(f) + 4), 5);
	assert_memory_equal(frame_ip(f) + 20, "0123456789", 10);
	stack_down();
}

static void time_to_live_ends(void **state)
{
	const struct frame *f;

	setup();
	send_to(host_mac, PEER, FAR, 1);
	f = peer_take_icmp(&peer, 11, 0);
	assert_non_null(f);
	assert_true(frame_sound(f));
	assert_int_equal(get_be32(frame_ip(f) + 12), HOST);
	assert_int_equal(frame_icmp(f)[8 + 8], 1);
	assert_null(peer_take_proto(&peer, 99));
	stack_down();
}

static void no_route_is_said(void **state)
{
	struct route r = { .af = AF_INET,
			   .plen = 24,
			   .type = ROUTE_REJECT,
			   .prefix = ip_addr_v4(FAR & ~255u),
			   .gateway = ip_addr_any(AF_INET),
			   .source = ip_addr_any(AF_INET) };

	setup();
	netif_lock();
	assert_int_equal(route_add(&r), 0);
	netif_unlock();
	send_to(host_mac, PEER, FAR, 9);
	assert_non_null(peer_take_icmp(&peer, 3, 1));
	stack_down();
}

static void never_forwarded(void **state)
{
	setup();
	send_to(broadcast_mac, PEER, FAR, 9);
	send_to(host_mac, PEER, IP4(169, 254, 1, 1), 9);
	send_to(host_mac, IP4(169, 254, 1, 1), FAR, 9);
	send_to(host_mac, PEER, IP4(239, 1, 1, 1), 9);
	send_to(host_mac, PEER, 0xffffffff, 9);
	send_to(host_mac, PEER, HOST_BROADCAST, 9);
	assert_null(peer_take_proto(&peer, 99));
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_forward", "2"), -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_forward", "0"), 0);
	send_to(host_mac, PEER, FAR, 9);
	assert_null(peer_take_proto(&peer, 99));
	assert_int_equal(drops_since(DROP_NO_FORWARD), 1);
	stack_down();
}

/* RFC 1812 4.2.2.7, 4.3.3.3: cut what may be cut, say so about the rest. */
static void too_long_for_the_next_link(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = FAR, .proto = 99, .id = 5 };
	const struct frame *f;
	u32 pieces = 0, have = 0;

	setup();
	netif_lock();
	assert_int_equal(netif_set_mtu(nic.nif, 576), 0);
	netif_unlock();
	peer_ipv4(&peer, host_mac, &h, NULL, 1400);
	sim_run_ms(1);
	while ((f = peer_take_proto(&peer, 99))) {
		assert_true(frame_sound(f));
		assert_true(f->len <= 14 + 576);
		have += get_be16(frame_ip(f) + 2) - 20;
		pieces++;
	}
	assert_int_equal(have, 1400);
	assert_int_equal(pieces, 3);
	h.flags_off = 0x4000;
	peer_ipv4(&peer, host_mac, &h, NULL, 1400);
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 3, 4);
	assert_non_null(f);
	assert_int_equal(get_be16(frame_icmp(f) + 6), 576);
	assert_null(peer_take_proto(&peer, 99));
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_hop_less),
		cmocka_unit_test(time_to_live_ends),
		cmocka_unit_test(no_route_is_said),
		cmocka_unit_test(never_forwarded),
		cmocka_unit_test(too_long_for_the_next_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
