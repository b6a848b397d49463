/* SPDX-License-Identifier: MIT */
/* test_sim_ether.c - odd frames of IEEE 802.3, RFC 894 and RFC 1042: what is meant for us is
 * answered, the rest is dropped by name. */
#include "stack.h"

/* The IPv4 echo request that all these frames carry. */
static u32 datagram(u8 *out)
{
	u8 f[200], m[64];
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = IPPROTO_ICMP };
	u32 n = icmp_message(m, 8, 0, 0x12340001, NULL, 20);

	n = frame_ipv4(f, host_mac, peer_mac, &h, m, n);
	memcpy(out, f + 14, n - 14);
	return n - 14;
}

static u32 answers(const u8 *frame, u32 len)
{
	drops_mark();
	peer_forget(&peer);
	peer_send(&peer, frame, len);
	sim_run_ms(2);
	return peer_count_icmp(&peer, 0);
}

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
}

static u32 start(u8 *f, const u8 *dst, const u8 *src, u16 type)
{
	memset(f, 0, 300);
	return frame_ether(f, dst, src, type);
}

static void snap_is_taken(void **state)
{
	static const u8 snap[8] = { 0xaa, 0xaa, 3, 0, 0, 0, 8, 0 };
	u8 f[300];
	u32 n;

	setup();
	start(f, host_mac, peer_mac, 0);
	memcpy(f + 14, snap, 8);
	n = datagram(f + 22);
	put_be16(f + 12, 8 + n);
	assert_int_equal(answers(f, 22 + n), 1);
	/* padded: the length field says where the datagram ends */
	assert_int_equal(answers(f, 22 + n + 30), 1);
	/* longer than the frame, or than an 802.3 frame can be */
	put_be16(f + 12, 8 + n + 1);
	assert_int_equal(answers(f, 22 + n), 0);
	assert_int_equal(drops_since(DROP_LENGTH_FIELD), 1);
	put_be16(f + 12, 1501);
	assert_int_equal(answers(f, 22 + n), 0);
	assert_int_equal(drops_since(DROP_LENGTH_FIELD), 1);
	/* another organisation; another LLC; no room for LLC */
	put_be16(f + 12, 8 + n);
	f[19] = 7;
	assert_int_equal(answers(f, 22 + n), 0);
	f[19] = 0;
	f[14] = f[15] = 0x42;
	assert_int_equal(answers(f, 22 + n), 0);
	assert_int_equal(drops_since(DROP_LLC), 1);
	put_be16(f + 12, 3);
	assert_int_equal(answers(f, 22 + n), 0);
	assert_int_equal(drops_since(DROP_LLC), 1);
	put_be16(f + 12, 0);
	assert_int_equal(answers(f, 14), 0);
	stack_down();
}

static void priority_tag_is_stripped(void **state)
{
	u8 f[300];
	u32 n;

	setup();
	start(f, host_mac, peer_mac, 0x8100);
	put_be16(f + 14, 0xe000);
	put_be16(f + 16, 0x0800);
	n = datagram(f + 18);
	assert_int_equal(answers(f, 18 + n), 1);
	/* a real VLAN, a tag in a tag, a tag cut short */
	put_be16(f + 14, 0xe005);
	assert_int_equal(answers(f, 18 + n), 0);
	assert_int_equal(drops_since(DROP_VLAN), 1);
	put_be16(f + 14, 0);
	put_be16(f + 16, 0x8100);
	assert_int_equal(answers(f, 18 + n), 0);
	assert_int_equal(drops_since(DROP_VLAN), 1);
	for (u32 len = 14; len < 18; len++) {
		assert_int_equal(answers(f, len), 0);
		assert_int_equal(drops_since(DROP_RUNT), 1);
	}
	stack_down();
}

static void addresses_are_looked_at(void **state)
{
	static const u8 other[6] = { 2, 0, 0, 0, 0, 9 }, group[6] = { 1, 0, 0x5e, 0, 0, 1 };
	u8 f[300];
	u32 n;

	setup();
	start(f, host_mac, peer_mac, 0x0800);
	n = datagram(f + 14);
	assert_int_equal(answers(f, 14 + n), 1);
	memcpy(f, other, 6);
	assert_int_equal(answers(f, 14 + n), 0);
	assert_int_equal(drops_since(DROP_OTHERHOST), 1);
	memcpy(f, host_mac, 6);
	memcpy(f + 6, group, 6);
	assert_int_equal(answers(f, 14 + n), 0);
	assert_int_equal(drops_since(DROP_LINK_ADDR), 1);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, 0x9999);
	assert_int_equal(answers(f, 14 + n), 0);
	assert_int_equal(drops_since(DROP_ETHERTYPE), 1);
	for (u32 len = 1; len < 14; len++) {
		assert_int_equal(answers(f, len), 0);
		assert_int_equal(drops_since(DROP_RUNT), 1);
	}
	/* and after all that: */
	put_be16(f + 12, 0x0800);
	assert_int_equal(answers(f, 14 + n), 1);
	stack_down();
}

/* Frames of random bytes, and sound ones with random bytes changed. */
static void noise(void **state)
{
	u8 f[300], good[300];
	u32 n;

	setup();
	start(good, host_mac, peer_mac, 0x0800);
	n = 14 + datagram(good + 14);
	sim_seed(7);
	for (u32 i = 0; i < 20000; i++) {
		u32 len = 1 + sim_random() % 250;

		for (u32 k = 0; k < len; k++)
			f[k] = sim_random();
		if (i & 1) {
			memcpy(f, good, n);
			for (u32 k = 0; k < 3; k++)
				f[sim_random() % n] = sim_random();
			len = sim_random() % 4 ? n : 1 + sim_random() % n;
		}
		peer_send(&peer, f, len);
		if (i % 16 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(10);
	assert_int_equal(answers(good, n), 1);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snap_is_taken),
		cmocka_unit_test(priority_tag_is_stripped),
		cmocka_unit_test(addresses_are_looked_at),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
