/* SPDX-License-Identifier: MIT */
/* test_sim_header.c - IPv4 headers that are wrong, each with its counter (RFC 791, RFC 1122 3.2.1),
 * addresses no wire may carry, options, and frames that Ethernet does not know. */
#include "stack.h"

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	drops_mark();
}

static u32 dropped_in_all(void)
{
	u32 i, n = 0;

	for (i = 0; i < DROP_COUNT; i++)
		n += drops_since(i);
	return n;
}

static void expect(const struct ipv4_fields *h, const u8 *dst_mac, enum drop_reason why)
{
	u8 m[16];

	drops_mark();
	peer_ipv4(&peer, dst_mac, h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	sim_run_ms(1);
	if (drops_since(why) != 1 || dropped_in_all() != 1)
		print_error("expected %s: %s\n", ip_drop_name(why),
			    sim_read("/proc/net/weft/drops"));
	assert_int_equal(drops_since(why), 1);
	assert_int_equal(dropped_in_all(), 1);
}

/* warm: each follows a good datagram of its stream, of which the receiver keeps what it found. */
static void refuse_headers(bool warm)
{
	static const struct {
		u8 version_ihl;
		u16 total_len;
		bool bad_sum;
		enum drop_reason why;
	} bad[] = {
		{ 0x35, 0, false, DROP_BAD_VERSION },  { 0x65, 0, false, DROP_BAD_VERSION },
		{ 0x05, 0, false, DROP_BAD_VERSION },  { 0xf5, 0, false, DROP_BAD_VERSION },
		{ 0x40, 0, false, DROP_BAD_HEADER },   { 0x44, 0, false, DROP_BAD_HEADER },
		{ 0x4f, 28, false, DROP_BAD_HEADER },  { 0x45, 19, false, DROP_BAD_HEADER },
		{ 0x45, 1, false, DROP_BAD_HEADER },   { 0x45, 47, false, DROP_TRUNCATED },
		{ 0x45, 1500, false, DROP_TRUNCATED }, { 0x45, 65535, false, DROP_TRUNCATED },
		{ 0x45, 28, true, DROP_BADSUM },       { 0x46, 28, false, DROP_BADSUM },
	};
	u8 f[64];
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ipv4_fields h = { .src = PEER,
					 .dst = HOST,
					 .proto = 1,
					 .version_ihl = bad[i].version_ihl,
					 .total_len = bad[i].total_len,
					 .bad_sum = bad[i].bad_sum };

		if (warm) {
			struct ipv4_fields good = { .src = PEER, .dst = HOST, .proto = 1 };
			u8 m[16];

			peer_ipv4(&peer, host_mac, &good, m, icmp_message(m, 8, 0, 1, NULL, 0));
			sim_run_ms(1);
			assert_non_null(peer_take_icmp(&peer, 0, -1));
		}
		/* 0x46 takes the ICMP header's first bytes for options: the sum is not over them */
		expect(&h, host_mac, bad[i].why);
	}
	assert_null(peer_take_icmp(&peer, -1, -1));
	drops_mark();
	for (i = 14; i < 34; i++) {
		struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };

		frame_ipv4(f, host_mac, peer_mac, &h, NULL, 0);
		peer_send(&peer, f, i);
	}
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_TRUNCATED), 20);
	stack_down();
}

static void headers(void **state)
{
	refuse_headers(false);
}

static void headers_within_a_stream(void **state)
{
	refuse_headers(true);
}

static void martians(void **state)
{
	static const struct {
		u32 src, dst;
		enum drop_reason why;
	} bad[] = {
		{ 0, HOST, DROP_BAD_SOURCE },
		{ IP4(0, 1, 2, 3), HOST, DROP_BAD_SOURCE },
		{ IP4(127, 0, 0, 1), HOST, DROP_BAD_SOURCE },
		{ IP4(224, 0, 0, 1), HOST, DROP_BAD_SOURCE },
		{ IP4(239, 1, 2, 3), HOST, DROP_BAD_SOURCE },
		{ IP4(240, 0, 0, 1), HOST, DROP_BAD_SOURCE },
		{ 0xffffffff, HOST, DROP_BAD_SOURCE },
		{ HOST, HOST, DROP_BAD_SOURCE },
		{ HOST_BROADCAST, HOST, DROP_BAD_SOURCE },
		{ HOST, 0xffffffff, DROP_BAD_SOURCE },
		{ PEER, IP4(127, 0, 0, 1), DROP_BAD_DEST },
		{ PEER, IP4(127, 9, 9, 9), DROP_BAD_DEST },
		{ PEER, 0, DROP_BAD_DEST },
		{ PEER, IP4(0, 0, 0, 5), DROP_BAD_DEST },
		{ PEER, IP4(240, 0, 0, 1), DROP_BAD_DEST },
		{ PEER, IP4(255, 255, 255, 254), DROP_BAD_DEST },
		{ PEER, IP4(10, 0, 0, 77), DROP_NO_FORWARD },
		{ PEER, IP4(192, 168, 1, 1), DROP_NO_FORWARD },
		{ PEER, IP4(224, 1, 2, 3), DROP_NO_GROUP },
	};
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ipv4_fields h = { .src = bad[i].src, .dst = bad[i].dst, .proto = 1 };

		expect(&h, host_mac, bad[i].why);
	}
	assert_null(peer_take_icmp(&peer, -1, -1));
	stack_down();
}

static void options(void **state)
{
	static const struct {
		u8 opt[12];
		int type, code, pointer; /* the answer; -1: an echo reply */
	} cases[] = {
		{ { 1, 1, 1, 1 }, -1, 0, 0 },
		{ { 0, 255, 255, 255 }, -1, 0, 0 },
		{ { 7, 7, 4, 0, 0, 0, 0 }, -1, 0, 0 },	 /* record route */
		{ { 68, 12, 5, 0 }, -1, 0, 0 },		 /* timestamp */
		{ { 148, 4, 0, 0 }, -1, 0, 0 },		 /* router alert */
		{ { 99, 4, 1, 2 }, -1, 0, 0 },		 /* unknown: ignored */
		{ { 131, 7, 8, 1, 2, 3, 4 }, -1, 0, 0 }, /* a source route at its end */
		{ { 131, 7, 4, 1, 2, 3, 4 }, 3, 5, 0 },
		{ { 137, 7, 4, 1, 2, 3, 4 }, 3, 5, 0 },
		{ { 7, 0, 0, 0 }, 12, 0, 21 },
		{ { 7, 1, 0, 0 }, 12, 0, 21 },
		{ { 7, 13, 4 }, 12, 0, 21 },
		{ { 7, 255, 4 }, 12, 0, 21 },
		{ { 7, 2, 1, 1 }, 12, 0, 22 },
		{ { 7, 7, 3, 0, 0, 0, 0 }, 12, 0, 22 },
		{ { 68, 4, 4, 0 }, 12, 0, 22 },
		{ { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7 }, 12, 0, 32 },
	};
	const struct frame *f;
	u8 m[16];
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ipv4_fields h = { .src = PEER,
					 .dst = HOST,
					 .proto = 1,
					 .options = cases[i].opt,
					 .option_len = 12 };

		peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, i, NULL, 0));
		sim_run_s(3);
		f = peer_take_icmp(&peer, -1, -1);
		assert_non_null(f);
		assert_true(frame_sound(f));
		assert_int_equal(frame_icmp(f)[0], cases[i].type < 0 ? 0 : cases[i].type);
		if (cases[i].type >= 0)
			assert_int_equal(frame_icmp(f)[1], cases[i].code);
		if (cases[i].type == 12)
			assert_int_equal(frame_icmp(f)[4], cases[i].pointer);
	}
	stack_down();
}

static void ttl_does_not_matter_to_the_host(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1, .ttl = 1 };
	u8 m[16];

	setup();
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	sim_run_ms(1);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	stack_down();
}

static void reserved_bits_are_ignored(void **state)
{
	struct ipv4_fields h = {
		.src = PEER, .dst = HOST, .proto = 1, .flags_off = 0x8000, .tos = 0xff
	};
	const struct frame *f;
	u8 m[16];

	setup();
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	h.flags_off = 0xc000;
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 0, 0);
	assert_non_null(f);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	stack_down();
}

static void odd_frames(void **state)
{
	static const struct {
		u16 type;
		u8 body[12];
		u32 len;
		enum drop_reason why;
	} bad[] = {
		{ 0x0805, { 0 }, 60, DROP_ETHERTYPE },
		{ 0x8035, { 0 }, 60, DROP_ETHERTYPE },
		{ 0xffff, { 0 }, 1514, DROP_ETHERTYPE },
		{ 1501, { 0 }, 1514, DROP_LENGTH_FIELD },
		{ 0x05ff, { 0 }, 1514, DROP_LENGTH_FIELD },
		{ 47, { 0 }, 60, DROP_LENGTH_FIELD },
		{ 0, { 0 }, 60, DROP_LLC },
		{ 40, { 0x42, 0x42, 3 }, 60, DROP_LLC }, /* spanning tree */
		{ 40, { 0xaa, 0xaa, 3, 0, 0, 12, 8, 0 }, 60, DROP_LLC },
		{ 0x8100, { 0, 5, 8, 0 }, 60, DROP_VLAN },
		{ 0x8100, { 0, 0, 0x81, 0 }, 60, DROP_VLAN },
		{ 0x86dd, { 0x60 }, 60, DROP_ETHERTYPE },
	};
	u8 f[2048] = { 0 };
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		drops_mark();
		frame_ether(f, host_mac, peer_mac, bad[i].type);
		memcpy(f + 14, bad[i].body, 12);
		peer_send(&peer, f, bad[i].len);
		sim_run_ms(1);
		if (drops_since(bad[i].why) != 1)
			print_error("case %u, expected %s: %s\n", i, ip_drop_name(bad[i].why),
				    sim_read("/proc/net/weft/drops"));
		assert_int_equal(drops_since(bad[i].why), 1);
		assert_int_equal(dropped_in_all(), 1);
	}
	drops_mark();
	for (i = 0; i < 14; i++)
		peer_send(&peer, f, i);
	frame_ether(f, host_mac, broadcast_mac, 0x800);
	peer_send(&peer, f, 60);
	f[0] = 0x52;
	f[5] ^= 1;
	peer_send(&peer, f, 60);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_RUNT), 14);
	assert_int_equal(drops_since(DROP_LINK_ADDR), 1);
	assert_int_equal(drops_since(DROP_OTHERHOST), 1);
	stack_down();
}

/* RFC 1042 and IEEE 802.1Q priority tags carry IP as well. */
static void snap_and_priority_tags(void **state)
{
	static const u8 snap[8] = { 0xaa, 0xaa, 3, 0, 0, 0, 8, 0 };
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 f[128], g[128] = { 0 }, m[16];

	setup();
	frame_ipv4(f, host_mac, peer_mac, &h, m, icmp_message(m, 8, 0, 1, NULL, 0));
	memcpy(g, f, 12);
	put_be16(g + 12, 8 + 28);
	memcpy(g + 14, snap, 8);
	memcpy(g + 22, f + 14, 28);
	peer_send(&peer, g, 64);
	put_be16(g + 12, 0x8100);
	put_be16(g + 14, 0xe000);
	put_be16(g + 16, 0x800);
	memcpy(g + 18, f + 14, 28);
	peer_send(&peer, g, 64);
	sim_run_ms(1);
	assert_int_equal(peer_count_icmp(&peer, 0), 2);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(headers_within_a_stream),
		cmocka_unit_test(martians),
		cmocka_unit_test(options),
		cmocka_unit_test(ttl_does_not_matter_to_the_host),
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(odd_frames),
		cmocka_unit_test(snap_and_priority_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
