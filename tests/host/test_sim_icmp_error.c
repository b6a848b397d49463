/* SPDX-License-Identifier: MIT */
/* test_sim_icmp_error.c - when an ICMP error is sent, when silence is the rule (RFC 1122 3.2.2),
 * how often (RFC 1812 4.3.2.8); and which errors from outside are believed (RFC 5927). */
#include "stack.h"

static const u8 body[32];

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	stack_know_peer();
	drops_mark();
}

static void unknown_protocol_is_unreachable(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253, .id = 4711 };
	const struct frame *f;

	setup();
	peer_ipv4(&peer, host_mac, &h, body, 32);
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 3, 2);
	assert_non_null(f);
	assert_true(frame_sound(f));
	assert_int_equal(get_be32(frame_ip(f) + 12), HOST);
	assert_int_equal(get_be32(frame_ip(f) + 16), PEER);
	assert_int_equal(get_be16(frame_icmp(f) + 8 + 4), 4711);
	assert_int_equal(get_be16(frame_ip(f) + 2), 20 + 8 + 20 + 32);
	assert_int_equal(drops_since(DROP_NO_PROTO), 1);
	stack_down();
}

static void quotes_at_most_576_bytes(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };
	const struct frame *f;

	setup();
	peer_ipv4(&peer, host_mac, &h, NULL, 1480);
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 3, 2);
	assert_non_null(f);
	assert_int_equal(get_be16(frame_ip(f) + 2), 576);
	stack_down();
}

static void silence(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };
	static const u8 errors[] = { 3, 4, 5, 11, 12 };
	static const u8 bad_option[4] = { 7, 1, 0, 0 };
	u8 m[64];
	u32 i;

	setup();
	/* to everybody, on either layer */
	h.dst = HOST_BROADCAST;
	peer_ipv4(&peer, broadcast_mac, &h, body, 32);
	peer_ipv4(&peer, host_mac, &h, body, 32);
	h.dst = 0xffffffff;
	peer_ipv4(&peer, broadcast_mac, &h, body, 32);
	h.dst = IP4(224, 0, 0, 1);
	peer_ipv4(&peer, (const u8[]){ 1, 0, 0x5e, 0, 0, 1 }, &h, body, 32);
	h.dst = HOST;
	peer_ipv4(&peer, broadcast_mac, &h, body, 32);
	/* about an error */
	h.proto = 1;
	h.options = bad_option;
	h.option_len = 4;
	for (i = 0; i < ARRAY_SIZE(errors); i++)
		peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, errors[i], 0, 0, body, 28));
	sim_run_s(2);
	assert_null(peer_take_icmp(&peer, -1, -1));
	/* about a request it is allowed */
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 8, 0, 0, body, 28));
	sim_run_ms(1);
	assert_non_null(peer_take_icmp(&peer, 12, 0));
	stack_down();
}

static void silence_without_icmp(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };

	setup();
	assert_int_equal(sim_rmmod("icmp", false), 0);
	peer_ipv4(&peer, host_mac, &h, body, 32);
	peer_echo(&peer, host_mac, HOST, 1, 1, 56);
	sim_run_ms(1);
	assert_null(peer_take_icmp(&peer, -1, -1));
	assert_int_equal(drops_since(DROP_PROTO_SILENT), 1);
	assert_int_equal(sim_insmod("icmp", NULL), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 56);
	sim_run_ms(1);
	assert_non_null(peer_take_icmp(&peer, 0, 0));
	stack_down();
}

static void rate_is_limited(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };
	u32 i, n;

	setup();
	for (i = 0; i < 200; i++)
		peer_ipv4(&peer, host_mac, &h, body, 32);
	sim_run_ms(10);
	n = peer_count_icmp(&peer, 3);
	assert_in_range(n, 1, 10);
	assert_int_equal(drops_since(DROP_RATE_LIMIT), 200 - n);
	peer_forget(&peer);
	/* one a second for each receiver */
	for (i = 0; i < 100; i++) {
		peer_ipv4(&peer, host_mac, &h, body, 32);
		sim_run_ms(100);
	}
	assert_in_range(peer_count_icmp(&peer, 3), 8, 12);
	/* many receivers have a bound together */
	peer_forget(&peer);
	for (i = 0; i < 3000; i++) {
		h.src = IP4(192, 168, 0, 1) + i;
		peer_ipv4(&peer, host_mac, &h, body, 32);
		if (i % 100 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(10);
	assert_in_range(peer_count_icmp(&peer, 3), 40, 120);
	stack_down();
}

/* An error quoting an echo request that the host sent, changed by lies. */
static void send_error(u8 type, u8 code, u32 rest, const u8 *quote, u32 len)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 m[256];

	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, type, code, rest, quote, len));
	sim_run_ms(1);
}

static int take_error(struct socket *s)
{
	return -socket_take_error(s);
}

static void errors_reach_the_socket(void **state)
{
	static const struct {
		u8 type, code;
		int err;
	} cases[] = {
		{ 3, 0, ENETUNREACH },
		{ 3, 1, EHOSTUNREACH },
		{ 3, 2, ENOPROTOOPT },
		{ 3, 3, ECONNREFUSED },
		{ 3, 5, EOPNOTSUPP },
		{ 3, 9, ENETUNREACH },
		{ 3, 13, EHOSTUNREACH },
		{ 11, 0, EHOSTUNREACH },
		{ 12, 0, EPROTO },
		{ 3, 16, 0 },
		{ 3, 255, 0 },
		{ 4, 0, 0 },
		{ 5, 1, 0 },
		{ 11, 2, 0 },
	};
	u8 echo[16] = { 8 }, quote[64];
	const struct frame *f;
	struct socket *s;
	int on = 1;
	u32 i;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_setopt(s, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	assert_int_equal(sock_send(s, PEER, echo, 16, 0), 16);
	sim_run_ms(1);
	f = peer_take_icmp(&peer, 8, 0);
	assert_non_null(f);
	memcpy(quote, frame_ip(f), 36);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		send_error(cases[i].type, cases[i].code, 0, quote, 28);
		if (take_error(s) != cases[i].err)
			print_error("case %u\n", i);
		send_error(cases[i].type, cases[i].code, 0, quote, 28);
		assert_int_equal(take_error(s), cases[i].err);
	}
	/* lies */
	for (i = 0; i < 28; i++)
		send_error(3, 3, 0, quote, i);
	assert_int_equal(take_error(s), 0);
	quote[15] ^= 1; /* not our address */
	send_error(3, 3, 0, quote, 28);
	quote[15] ^= 1;
	quote[24] ^= 1; /* not its identifier */
	send_error(3, 3, 0, quote, 28);
	quote[24] ^= 1;
	quote[20] = 0; /* a reply */
	send_error(3, 3, 0, quote, 28);
	quote[20] = 8;
	quote[9] = 17; /* another transport */
	send_error(3, 3, 0, quote, 28);
	quote[9] = 1;
	quote[7] = 1; /* a later fragment */
	send_error(3, 3, 0, quote, 28);
	quote[7] = 0;
	assert_int_equal(take_error(s), 0);
	send_error(3, 3, 0, quote, 28);
	assert_int_equal(take_error(s), ECONNREFUSED);
	sock_close(s);
	send_error(3, 3, 0, quote, 28);
	stack_down();
}

/* RFC 1191: what was too long is cut from now on; absurd sizes do not make it absurdly small, and
 * none makes it smaller than the least that is believed (552, net/ipv4/route/min_pmtu). */
static void path_mtu_is_learnt(void **state)
{
	static const u32 told[] = { 1200, 0, 1, 67, 65535, 100, 576 };
	u8 echo[1400] = { 8 }, quote[64];
	const struct frame *f;
	struct socket *s;
	u32 i, n, longest;

	setup();
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	for (i = 0; i < ARRAY_SIZE(told); i++) {
		assert_int_equal(sock_send(s, PEER, echo, sizeof(echo), 0), sizeof(echo));
		sim_run_ms(1);
		f = peer_take_proto(&peer, 1);
		memcpy(quote, frame_ip(f), 36);
		peer_forget(&peer);
		send_error(3, 4, told[i], quote, 28);
		assert_int_equal(sock_send(s, PEER, echo, sizeof(echo), 0), sizeof(echo));
		sim_run_ms(1);
		for (n = 0, longest = 0; (f = peer_take_proto(&peer, 1)) != NULL; n++)
			longest = max(longest, f->len - 14);
		assert_in_range(n, 1, 4);
		assert_in_range(longest, 500, told[i] == 576 ? 576 : 1200);
	}
	assert_int_equal(sim_write("/proc/sys/net/ipv4/route/min_pmtu", "67"), -EINVAL);
	sock_close(s);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_protocol_is_unreachable),
		cmocka_unit_test(quotes_at_most_576_bytes),
		cmocka_unit_test(silence),
		cmocka_unit_test(silence_without_icmp),
		cmocka_unit_test(rate_is_limited),
		cmocka_unit_test(errors_reach_the_socket),
		cmocka_unit_test(path_mtu_is_learnt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
