/* SPDX-License-Identifier: MIT */
/* test_sim_frag.c - reassembly: every order, repeats, overlaps, teardrop, ping of death, time-out,
 * floods; and a datagram that is too long for the link going out. */
#include "stack.h"

#define PAYLOAD 64
static u8 message[65536 + 2048];
static u32 message_len;
static u16 next_id = 1;

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	drops_mark();
}

/* An echo request of len bytes in all, to be cut at will. */
static void make_message(u32 len)
{
	static u8 data[65536];
	u32 i;

	for (i = 0; i < len; i++)
		data[i] = i * 13 + 5;
	message_len = icmp_message(message, 8, 0, 0x00070000 | next_id, data, len - 8);
}

static void send_piece(u16 id, u32 start, u32 len, bool more)
{
	struct ipv4_fields h = { .src = PEER,
				 .dst = HOST,
				 .proto = 1,
				 .id = id,
				 .flags_off = start / 8 | (more ? 0x2000 : 0) };

	peer_ipv4(&peer, host_mac, &h, message + start, len);
}

static bool answered(void)
{
	const struct frame *f;

	sim_run_ms(1);
	f = peer_take_icmp(&peer, 0, 0);
	return f && frame_sound(f) && get_be16(frame_ip(f) + 2) == 20 + message_len &&
	       !memcmp(frame_icmp(f) + 8, message + 8, message_len - 8);
}

static void every_order_of_four(void **state)
{
	u32 order, digits, used, i, k, n = 0;

	setup();
	make_message(PAYLOAD);
	for (order = 0; order < 256; order++) {
		for (digits = order, used = 0, i = 0; i < 4; i++, digits >>= 2)
			used |= 1 << (digits & 3);
		if (used != 15)
			continue;
		for (k = 0; k < 4; k++) {
			i = order >> 2 * k & 3;
			send_piece(next_id, i * 16, 16, i < 3);
		}
		assert_true(answered());
		next_id++;
		n++;
	}
	assert_int_equal(n, 24);
	stack_down();
}

static void random_cuts_with_repeats(void **state)
{
	u32 round, cut[34], n, i, k, t;

	setup();
	for (round = 0; round < 300; round++) {
		make_message(8 + sim_random() % 1400);
		cut[0] = 0;
		for (n = 0; cut[n] < message_len; n++) {
			t = cut[n] + 8 * (1 + sim_random() % 12);
			cut[n + 1] = n == 32 || t > message_len ? message_len : t;
		}
		/* each twice, in any order but the very last piece once more */
		for (i = 0; i < 3 * n; i++) {
			k = i < 2 * n ? sim_random() % n : i - 2 * n;
			send_piece(next_id, cut[k], cut[k + 1] - cut[k], k + 1 < n);
		}
		sim_run_ms(1);
		if (n > 1)
			assert_true(peer_count_icmp(&peer, 0) >= 1);
		assert_true(answered());
		peer_forget(&peer);
		next_id++;
	}
	assert_int_equal(drops_since(DROP_FRAG_OVERLAP), 0);
	assert_int_equal(drops_since(DROP_BADSUM), 0);
	stack_down();
}

struct piece {
	u16 start, len;
	bool more;
};

/* What must not come together: the datagram dies as one. */
static void overlaps_condemn(void **state)
{
	static const struct {
		struct piece p[4];
		enum drop_reason why;
	} bad[] = {
		/* teardrop: the second lies inside the first and ends beyond it, or before */
		{ { { 0, 32, true }, { 24, 40, false } }, DROP_FRAG_OVERLAP },
		{ { { 24, 40, false }, { 0, 32, true } }, DROP_FRAG_OVERLAP },
		{ { { 0, 24, true }, { 16, 16, true }, { 32, 32, false } }, DROP_FRAG_OVERLAP },
		/* one that covers another */
		{ { { 16, 16, true }, { 8, 40, true } }, DROP_FRAG_OVERLAP },
		/* two ends */
		{ { { 32, 32, false }, { 32, 16, false } }, DROP_FRAG_OVERLAP },
		{ { { 32, 16, false }, { 32, 32, false } }, DROP_FRAG_OVERLAP },
		/* something behind the end */
		{ { { 16, 16, false }, { 40, 8, true } }, DROP_FRAG_OVERLAP },
		{ { { 40, 8, true }, { 16, 16, false } }, DROP_FRAG_OVERLAP },
	};
	u32 i, k;

	setup();
	make_message(PAYLOAD);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		drops_mark();
		for (k = 0; k < 4 && bad[i].p[k].len; k++)
			send_piece(next_id, bad[i].p[k].start, bad[i].p[k].len, bad[i].p[k].more);
		sim_run_ms(1);
		assert_true(drops_since(bad[i].why) >= 2);
		assert_false(answered());
		next_id++;
	}
	make_message(PAYLOAD);
	send_piece(next_id, 0, 32, true);
	send_piece(next_id, 32, 32, false);
	assert_true(answered());
	stack_down();
}

static void impossible_pieces(void **state)
{
	static const u8 tcp[64];
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 6, .id = 1 };

	setup();
	make_message(PAYLOAD);
	/* RFC 791: all but the last are multiples of 8 */
	send_piece(next_id++, 0, 13, true);
	send_piece(next_id++, 8, 0, true);
	send_piece(next_id++, 8, 0, false);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_FRAG_BAD), 3);
	/* ping of death: ends beyond 65535 */
	send_piece(next_id++, 65528, 8, false);
	send_piece(next_id++, 65512, 16, false);
	send_piece(next_id++, 65528, 64, true);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_FRAG_TOO_BIG), 3);
	/* RFC 1858, 3128: TCP's flags cut off */
	h.flags_off = 0x2000;
	peer_ipv4(&peer, host_mac, &h, tcp, 8);
	h.flags_off = 1;
	peer_ipv4(&peer, host_mac, &h, tcp, 8);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_FRAG_BAD), 5);
	assert_null(peer_take_icmp(&peer, -1, -1));
	stack_down();
}

/* RFC 3168 5.3 */
static void congestion_is_not_lost(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1, .id = 1 };
	const struct frame *f;

	setup();
	make_message(PAYLOAD);
	h.flags_off = 0x2000;
	h.tos = 2;
	peer_ipv4(&peer, host_mac, &h, message, 32);
	h.flags_off = 4;
	h.tos = 3;
	peer_ipv4(&peer, host_mac, &h, message + 32, 32);
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 0, 0);
	assert_non_null(f);
	assert_int_equal(frame_ip(f)[1], 3);
	/* one that cannot have met it */
	h.id++;
	h.tos = 3;
	peer_ipv4(&peer, host_mac, &h, message + 32, 32);
	h.flags_off = 0x2000;
	h.tos = 0;
	peer_ipv4(&peer, host_mac, &h, message, 32);
	assert_false(answered());
	assert_int_equal(drops_since(DROP_FRAG_BAD), 2);
	stack_down();
}

static void time_exceeded_for_the_first(void **state)
{
	const struct frame *f;

	setup();
	make_message(PAYLOAD);
	send_piece(7, 0, 32, true);
	send_piece(8, 32, 32, false); /* its first piece never comes: silence */
	sim_run_s(29);
	assert_null(peer_take_icmp(&peer, -1, -1));
	sim_run_s(2);
	f = peer_take_icmp(&peer, 11, 1);
	assert_non_null(f);
	assert_true(frame_sound(f));
	/* it quotes the fragment as it came */
	assert_int_equal(get_be16(frame_icmp(f) + 8 + 4), 7);
	assert_int_equal(get_be16(frame_icmp(f) + 8 + 6), 0x2000);
	assert_memory_equal(frame_icmp(f) + 28, message, 32);
	assert_null(peer_take_icmp(&peer, -1, -1));
	assert_int_equal(drops_since(DROP_FRAG_TIMEOUT), 2);
	stack_down();
}

static void flood_is_bounded(void **state)
{
	struct sim_memory m;
	u32 i;

	setup();
	make_message(1400);
	for (i = 0; i < 5000; i++) {
		send_piece(i, i % 3 * 8, 1000, true);
		if (i % 100 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(1);
	sim_memory_get(&m);
	assert_true(m.packets * 2048 <= 1200 * 1024);
	assert_true(drops_since(DROP_FRAG_LIMIT) > 1000);
	/* tiny ones of one datagram */
	for (i = 0; i < 2000; i++)
		send_piece(9999, 8 * i, 8, true);
	sim_run_ms(5);
	/* and still there is room for an honest one */
	send_piece(next_id, 0, 800, true);
	send_piece(next_id, 800, 600, false);
	assert_true(answered());
	stack_down();
}

/* The largest datagram there is comes back, cut to the link's size. */
static void largest_echo(void **state)
{
	static u8 got[65536];
	const struct frame *f;
	u32 off, len, have = 0, pieces = 0, mode;

	setup();
	for (mode = 0; mode < 2; mode++) {
		make_message(mode ? 65515 : 2000);
		for (off = 0; off < message_len; off += len) {
			len = min(message_len - off, 1480u);
			send_piece(77 + mode, off, len, off + len < message_len);
		}
		sim_run_ms(5);
		for (have = 0, pieces = 0; (f = peer_take_proto(&peer, 1)) != NULL; pieces++) {
			assert_true(frame_sound(f));
			assert_true(f->len <= 1514);
			off = (get_be16(frame_ip(f) + 6) & 0x1fff) * 8;
			len = get_be16(frame_ip(f) + 2) - 20;
			memcpy(got + off, frame_ip(f) + 20, len);
			have += len;
			assert_int_equal(!(get_be16(frame_ip(f) + 6) & 0x2000),
					 off + len == message_len);
		}
		assert_int_equal(have, message_len);
		assert_int_equal(wire_sum(got, message_len), 0);
		assert_memory_equal(got + 8, message + 8, message_len - 8);
	}
	assert_int_equal(pieces, 45);
	stack_down();
}

static void pieces_die_with_the_interface(void **state)
{
	setup();
	make_message(PAYLOAD);
	send_piece(1, 0, 32, true);
	sim_run_ms(1);
	sim_nic_detach(&nic);
	sim_run_s(40);
	stack_down();
}

static void pieces_die_with_the_module(void **state)
{
	setup();
	make_message(PAYLOAD);
	send_piece(1, 0, 32, true);
	sim_run_ms(1);
	assert_non_null(strstr(sim_read("/proc/net/weft/ipv4_reassembly"), "datagrams 1\n"));
	assert_int_equal(sim_rmmod("icmp", false), 0);
	assert_int_equal(sim_rmmod("ipv4", false), 0);
	assert_null(sim_read("/proc/net/weft/ipv4_reassembly"));
	sim_run_s(40);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_four),
		cmocka_unit_test(random_cuts_with_repeats),
		cmocka_unit_test(overlaps_condemn),
		cmocka_unit_test(impossible_pieces),
		cmocka_unit_test(congestion_is_not_lost),
		cmocka_unit_test(time_exceeded_for_the_first),
		cmocka_unit_test(flood_is_bounded),
		cmocka_unit_test(largest_echo),
		cmocka_unit_test(pieces_die_with_the_interface),
		cmocka_unit_test(pieces_die_with_the_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
