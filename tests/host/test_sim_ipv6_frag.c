/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_frag.c - reassembly of IPv6: every order, repeats, overlaps that condemn (RFC
 * 5722), fragments that are the only one (RFC 6946), first ones without all headers (RFC 7112), the
 * errors of RFC 8200 4.5, time-outs, and the bounds. */
#include "stack6.h"

#include <stdlib.h>

#define PAYLOAD 64
#define MAX_OF_SOURCE 64

static u8 message[65536 + 2048];
static u32 message_len;
static u32 next_id = 1;
static struct ipv6_fields head;

static void fresh(void)
{
	head = (struct ipv6_fields){ .src = PEER6, .dst = HOST6, .next = 58 };
	peer_forget(&peer);
	drops_mark();
	next_id++;
}

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	fresh();
}

/* An echo request of len bytes in all, to be cut at will. */
static void make_message(u32 len)
{
	static u8 data[65536];

	for (u32 i = 0; i < len; i++)
		data[i] = i * 13 + 5;
	message_len = icmp6_message(message, 128, 0, 0x00070000 | (u16)next_id, data, len - 8);
	wire_sum6_put(&head.src, &head.dst, 58, message, message_len);
}

static void piece(u32 start, u32 len, bool more)
{
	peer6_fragment(&peer, &head, next_id, message, start, len, more);
}

static bool answered(void)
{
	const struct frame *f;
	const u8 *m;
	u32 len;

	sim_run_ms(1);
	f = peer6_take_icmp(&peer, 129, 0);
	if (!f || !frame6_sound(f))
		return false;
	m = frame6_payload(f, NULL, &len);
	return len == message_len && !memcmp(m + 8, message + 8, message_len - 8);
}

static u32 held(void)
{
	const char *text = sim_read("/proc/net/sockstat6"), *at;

	at = text ? strstr(text, "FRAG6: inuse ") : NULL;
	assert_non_null(at);
	return atoi(at + strlen("FRAG6: inuse "));
}

static void every_order_of_four(void **state)
{
	u32 order, digits, used, i, k, n = 0;

	setup();
	for (order = 0; order < 256; order++) {
		for (digits = order, used = 0, i = 0; i < 4; i++, digits >>= 2)
			used |= 1 << (digits & 3);
		if (used != 15)
			continue;
		fresh();
		make_message(PAYLOAD);
		for (k = 0; k < 4; k++) {
			i = order >> 2 * k & 3;
			piece(i * 16, 16, i < 3);
		}
		assert_true(answered());
		n++;
	}
	assert_int_equal(n, 24);
	assert_int_equal(held(), 0);
	stack_down6();
}

static void random_cuts_with_repeats(void **state)
{
	u32 round, cut[34], n, i, k, t;

	setup();
	for (round = 0; round < 200; round++) {
		fresh();
		make_message(24 + sim_random() % 1300);
		cut[0] = 0;
		for (n = 0; cut[n] < message_len; n++) {
			t = cut[n] + 8 * (1 + sim_random() % 12);
			cut[n + 1] = n == 32 || t > message_len ? message_len : t;
		}
		if (n < 2)
			continue;
		/* each twice in any order but the last piece, which comes once, at the end */
		for (i = 0; i < 3 * n; i++) {
			k = i < 2 * n ? sim_random() % (n - 1) : i - 2 * n;
			piece(cut[k], cut[k + 1] - cut[k], k + 1 < n);
		}
		assert_true(answered());
		assert_int_equal(drops_since(DROP_FRAG_OVERLAP), 0);
	}
	assert_int_equal(drops_since(DROP_BADSUM), 0);
	stack_down6();
}

struct piece {
	u16 start, len;
	bool more;
};

static void overlaps_condemn(void **state)
{
	static const struct piece bad[][4] = {
		{ { 0, 32, true }, { 24, 40, false } },
		{ { 24, 40, false }, { 0, 32, true } },
		{ { 0, 24, true }, { 16, 16, true }, { 32, 32, false } },
		{ { 16, 16, true }, { 8, 40, true } },
		{ { 8, 40, true }, { 16, 16, true } }, /* inside, though nothing differs */
		{ { 32, 32, false }, { 32, 16, false } },
		{ { 32, 16, false }, { 32, 32, false } },
		{ { 16, 16, false }, { 40, 8, true } },
		{ { 40, 8, true }, { 16, 16, false } },
	};
	u32 i, k;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh();
		make_message(PAYLOAD);
		for (k = 0; k < 4 && bad[i][k].len; k++)
			piece(bad[i][k].start, bad[i][k].len, bad[i][k].more);
		sim_run_ms(1);
		assert_true(drops_since(DROP_FRAG_OVERLAP) >= 2);
		/* RFC 5722 4: and what is still to come of it */
		piece(0, 32, true);
		piece(32, 32, false);
		assert_false(answered());
		assert_int_equal(held(), i + 1);
	}
	/* forgotten in time, and without a word */
	sim_run_s(61);
	assert_int_equal(held(), 0);
	assert_null(peer6_take_icmp(&peer, 3, -1));
	make_message(PAYLOAD);
	piece(0, 32, true);
	piece(32, 32, false);
	assert_true(answered());
	stack_down6();
}

/* RFC 6946: never together with others of the same identification. */
static void the_only_fragment_stands_alone(void **state)
{
	struct chain6 chain = { .len = 0 };

	setup();
	make_message(PAYLOAD);
	piece(0, 32, true);
	chain6_fragment(&chain, next_id, 0, false);
	head.chain = &chain;
	peer6_send(&peer, NULL, &head, message, message_len);
	assert_true(answered());
	assert_int_equal(held(), 1);
	head.chain = NULL;
	piece(32, 32, false);
	assert_true(answered());
	assert_int_equal(drops_since(DROP_FRAG_OVERLAP), 0);
	stack_down6();
}

static void headers_before_and_behind(void **state)
{
	struct chain6 before = { .len = 0 };
	u8 inner[8 + PAYLOAD] = { 58, 0, 1, 4 };

	setup();
	make_message(PAYLOAD);
	chain6_options(&before, 0,
		       "\x1e\x0a"
		       "0123456789",
		       12);
	chain6_options(&before, 60, NULL, 0);
	chain6_routing(&before, 0, 0, NULL, 0);
	head.chain = &before;
	piece(32, 32, false);
	piece(0, 32, true);
	assert_true(answered());
	/* the second fragment's are another one's business */
	fresh();
	make_message(PAYLOAD);
	head.chain = &before;
	piece(0, 32, true);
	head.chain = NULL;
	piece(32, 32, false);
	assert_true(answered());
	/* options inside of what was cut */
	fresh();
	make_message(PAYLOAD);
	memcpy(inner + 8, message, PAYLOAD);
	head.next = 60;
	head.keep_sum = true;
	peer6_fragment(&peer, &head, next_id, inner, 0, 16, true);
	peer6_fragment(&peer, &head, next_id, inner, 16, sizeof(inner) - 16, false);
	assert_true(answered());
	stack_down6();
}

static bool parameter_problem(u8 code, u32 pointer)
{
	const struct frame *f;
	bool right;

	sim_run_ms(1);
	f = peer6_take_icmp(&peer, 4, code);
	right = f && frame6_sound(f) && get_be32(frame6_icmp(f) + 4) == pointer;
	sim_run_s(3); /* errors are limited */
	return right;
}

static void malformed_ones_are_answered(void **state)
{
	struct chain6 dest = { .len = 0 };
	u8 tcp[32] = { 0 };

	setup();
	make_message(PAYLOAD);
	piece(0, 36, true); /* no multiple of 8 */
	assert_true(parameter_problem(0, 4));
	fresh();
	make_message(2000);
	piece(65528, 8, false); /* 65536 in all */
	assert_true(parameter_problem(0, 42));
	fresh();
	make_message(PAYLOAD);
	chain6_options(&dest, 60, NULL, 0);
	head.chain = &dest;
	piece(65512, 8, true); /* with the header in front */
	sim_run_ms(1);
	assert_int_equal(held(), 1);
	fresh();
	head.chain = &dest;
	piece(65520, 8, true);
	assert_true(parameter_problem(0, 50));
	/* RFC 7112: the transport's header does not fit in */
	fresh();
	head.next = 6;
	head.keep_sum = true;
	peer6_fragment(&peer, &head, next_id, tcp, 0, 16, true);
	assert_true(parameter_problem(3, 0));
	fresh();
	head.next = 60;
	head.keep_sum = true;
	tcp[0] = 6;
	tcp[1] = 3;
	peer6_fragment(&peer, &head, next_id, tcp, 0, 24, true);
	assert_true(parameter_problem(3, 0));
	/* nothing at all in it */
	fresh();
	piece(8, 0, false);
	piece(8, 0, true);
	piece(0, 0, true);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_FRAG_BAD), 3);
	/* less than a fragment header */
	fresh();
	head.next = 44;
	head.keep_sum = true;
	peer6_send(&peer, NULL, &head, tcp, 7);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_TRUNCATED), 1);
	stack_down6();
}

static void a_fragment_of_fragments(void **state)
{
	u8 inner[8 + PAYLOAD] = { 58, 0 };

	setup();
	make_message(PAYLOAD);
	/* the outer one is whole; in it lies a fragment that is its only one */
	put_be32(inner + 4, 99);
	memcpy(inner + 8, message, PAYLOAD);
	head.next = 44;
	head.keep_sum = true;
	peer6_fragment(&peer, &head, next_id, inner, 0, 16, true);
	peer6_fragment(&peer, &head, next_id, inner, 16, sizeof(inner) - 16, false);
	assert_true(answered());
	assert_int_equal(held(), 0);
	stack_down6();
}

static void time_runs_out(void **state)
{
	const struct frame *f;
	const u8 *m;

	setup();
	make_message(PAYLOAD);
	piece(0, 32, true);
	sim_run_ms(59000);
	assert_null(peer6_take_icmp(&peer, 3, -1));
	sim_run_ms(2000);
	f = peer6_take_icmp(&peer, 3, 1);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	m = frame6_icmp(f) + 8;
	assert_int_equal(m[6], 44);
	assert_memory_equal(m + 48, message, 32);
	assert_int_equal(held(), 0);
	/* without the first one nobody could tell what it was of */
	fresh();
	piece(32, 32, false);
	sim_run_s(62);
	assert_null(peer6_take_icmp(&peer, 3, -1));
	assert_int_equal(drops_since(DROP_FRAG_TIMEOUT), 1);
	stack_down6();
}

static void congestion_is_not_lost(void **state)
{
	struct socket *s;
	u8 m[32], got[32];
	u32 len, before;

	setup();
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind6(s, &head.dst, 5000), 0);
	len = udp6_datagram(m, 4000, 5000, "0123456789abcdefghij", 20);
	wire_sum6_put(&head.src, &head.dst, 17, m, len);
	head.next = 17;
	head.keep_sum = true;
	head.tclass = 2;
	peer6_fragment(&peer, &head, next_id, m, 0, 16, true);
	head.tclass = 3;
	peer6_fragment(&peer, &head, next_id, m, 16, len - 16, false);
	sim_run_ms(1);
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), 20);
	/* one that cannot have met it: RFC 3168 5.3 */
	next_id++;
	before = drops(DROP_FRAG_BAD);
	head.tclass = 0;
	peer6_fragment(&peer, &head, next_id, m, 0, 16, true);
	head.tclass = 3;
	peer6_fragment(&peer, &head, next_id, m, 16, len - 16, false);
	sim_run_ms(1);
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), -EAGAIN);
	assert_int_equal(drops(DROP_FRAG_BAD), before + 2);
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* One source takes no more than its part, and others get theirs. */
static void sources_are_bounded(void **state)
{
	struct ip_addr other = ip6("2001:db8::1:1");
	u32 i;

	setup();
	make_message(PAYLOAD);
	for (i = 0; i < 1000; i++) {
		next_id++;
		piece(0, 32, true);
	}
	sim_run_ms(10);
	assert_int_equal(held(), MAX_OF_SOURCE);
	head.src = other;
	next_id++;
	make_message(PAYLOAD);
	neigh_update(netif_named("eth0"), &other, peer_mac, NEIGH_UPDATE_CREATE);
	piece(0, 32, true);
	piece(32, 32, false);
	assert_true(answered());
	stack_down6();
}

static void memory_is_bounded(void **state)
{
	struct sim_memory before, after;
	u32 i;

	setup();
	assert_int_equal(sysctl6("ip6frag_high_thresh", "65536"), 0);
	make_message(1400);
	sim_memory_get(&before);
	for (i = 0; i < 3000; i++) {
		head.src.b[15] = sim_random();
		head.src.b[14] = sim_random();
		next_id++;
		piece(0, 1208, true);
		if (i % 100 == 99)
			sim_run_ms(1);
	}
	sim_run_ms(10);
	sim_memory_get(&after);
	assert_true(after.packets - before.packets < 64);
	assert_true(held() < 64);
	assert_true(drops_since(DROP_FRAG_LIMIT) > 2900);
	fresh();
	make_message(PAYLOAD);
	piece(0, 32, true);
	piece(32, 32, false);
	assert_true(answered());
	stack_down6();
}

static void the_largest(void **state)
{
	struct socket *s;
	static u8 got[65536];
	u32 off, n = 65535, len;

	setup();
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind6(s, &head.dst, 5000), 0);
	make_message(n - 8);
	memmove(message + 8, message, n - 8);
	udp6_datagram(message, 4000, 5000, message + 8, n - 8);
	wire_sum6_put(&head.src, &head.dst, 17, message, n);
	head.next = 17;
	head.keep_sum = true;
	for (off = 0; off < n; off += len) {
		len = min(n - off, 1440u);
		peer6_fragment(&peer, &head, next_id, message, off, len, off + len < n);
		sim_run_ms(1);
	}
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), n - 8);
	assert_memory_equal(got, message + 8, n - 8);
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

static void pieces_die_with_the_interface(void **state)
{
	setup();
	make_message(PAYLOAD);
	piece(0, 32, true);
	sim_run_ms(1);
	assert_int_equal(held(), 1);
	stack_down6(); /* finds what is left */
}

/* rmmod drops what is the module's, and nothing of the other family's. */
static void each_family_has_its_own(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1, .id = 7 };
	u8 m[PAYLOAD], data[PAYLOAD - 8] = { 0 };

	setup();
	icmp_message(m, 8, 0, 0x00070001, data, sizeof(data));
	make_message(PAYLOAD);
	piece(0, 32, true);
	h.flags_off = 0x2000;
	peer_ipv4(&peer, host_mac, &h, m, 32);
	sim_run_ms(1);
	assert_non_null(strstr(sim_read("/proc/net/weft/ipv6_reassembly"), "datagrams 1\n"));
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(drops_since(DROP_UNLOADED), 1);
	assert_null(sim_read("/proc/net/weft/ipv6_reassembly"));
	assert_non_null(strstr(sim_read("/proc/net/weft/ipv4_reassembly"), "datagrams 1\n"));
	h.flags_off = 4;
	peer_ipv4(&peer, host_mac, &h, m + 32, 32);
	sim_run_ms(1);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	assert_non_null(
		strstr(sim_read("/proc/net/weft/ipv4_reassembly"), "datagrams 0\nbytes 0 "));
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_four),
		cmocka_unit_test(random_cuts_with_repeats),
		cmocka_unit_test(overlaps_condemn),
		cmocka_unit_test(the_only_fragment_stands_alone),
		cmocka_unit_test(headers_before_and_behind),
		cmocka_unit_test(malformed_ones_are_answered),
		cmocka_unit_test(a_fragment_of_fragments),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(congestion_is_not_lost),
		cmocka_unit_test(sources_are_bounded),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(the_largest),
		cmocka_unit_test(pieces_die_with_the_interface),
		cmocka_unit_test(each_family_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
