/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_input.c - what a received IPv6 header, its extension headers and its addresses may
 * be, and which error answers what may not (RFC 8200 4, RFC 4443 3.4, RFC 5095, RFC 2675). */
#include "stack6.h"

#define PROTO_ICMP 58
#define PROTO_NONE 59
#define PARAMETER 4

static struct ipv6_fields head; /* of what send_echo sends; reset by fresh() */
static struct chain6 chain;

static void fresh(void)
{
	head = (struct ipv6_fields){ .src = PEER6, .dst = HOST6, .next = PROTO_ICMP };
	memset(&chain, 0, sizeof(chain));
	peer_forget(&peer);
	drops_mark();
}

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	fresh();
}

static void send_echo(void)
{
	u8 m[64];
	u32 len = icmp6_message(m, 128, 0, 0x00010002, "0123456789abcdef", 16);

	head.chain = chain.len ? &chain : NULL;
	peer6_send(&peer, NULL, &head, m, len);
	sim_run_ms(2);
}

static bool answered(void)
{
	const struct frame *f;

	send_echo();
	f = peer6_take_icmp(&peer, 129, 0);
	return f && frame6_sound(f) && !memcmp(frame6_icmp(f) + 8, "0123456789abcdef", 16);
}

/* The error that comes back says this and quotes what was sent. */
static bool refused(u8 code, u32 pointer)
{
	const struct frame *f;
	const u8 *m;

	send_echo();
	f = peer6_take_icmp(&peer, PARAMETER, code);
	if (!f || !frame6_sound(f) || peer6_take_icmp(&peer, 129, -1))
		return false;
	m = frame6_icmp(f);
	if (get_be32(m + 4) != pointer)
		print_message("pointer %u, not %u\n", get_be32(m + 4), pointer);
	return get_be32(m + 4) == pointer && !memcmp(m + 8 + 8, &head.src, 16);
}

static bool silent(enum drop_reason why)
{
	send_echo();
	return !peer6_take_icmp(&peer, 129, -1) && !peer6_take_icmp(&peer, PARAMETER, -1) &&
	       !peer6_take_icmp(&peer, 1, -1) && drops_since(why) == 1;
}

/* ---- the fixed header ---- */

static void echo_is_answered(void **state)
{
	const struct frame *f;

	setup();
	head.tclass = 0xb8;
	head.flow_label = 0x12345;
	send_echo();
	f = peer6_take_icmp(&peer, 129, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_hop_limit(f), 64);
	assert_memory_equal(f->data + 22, &head.dst, 16);
	assert_memory_equal(f->data + 38, &head.src, 16);
	stack_down6();
}

static void lengths_lie(void **state)
{
	setup();
	head.lie_len = true;
	head.payload_len = 25; /* one more than there is */
	assert_true(silent(DROP_TRUNCATED));
	fresh();
	head.lie_len = true;
	head.payload_len = 65535;
	assert_true(silent(DROP_TRUNCATED));
	/* cut in the middle of the message: its checksum tells */
	fresh();
	head.lie_len = true;
	head.payload_len = 9;
	assert_true(silent(DROP_BADSUM));
	fresh();
	head.version = 5;
	assert_true(silent(DROP_BAD_VERSION));
	fresh();
	head.version = 4;
	assert_true(silent(DROP_BAD_VERSION));
	fresh();
	assert_true(answered());
	stack_down6();
}

static void padding_of_the_link_is_no_payload(void **state)
{
	u8 frame[200], m[64];
	u32 len;

	setup();
	len = icmp6_message(m, 128, 0, 7, NULL, 0);
	len = frame_ipv6(frame, host_mac, peer_mac, &head, m, len);
	memset(frame + len, 0xee, 60);
	peer_send(&peer, frame, len + 60);
	sim_run_ms(2);
	assert_non_null(peer6_take_icmp(&peer, 129, 0));
	stack_down6();
}

/* ---- addresses ---- */

static void martians(void **state)
{
	static const struct {
		const char *src, *dst;
		enum drop_reason why;
	} bad[] = {
		{ "ff02::1", "2001:db8::2", DROP_BAD_SOURCE },
		{ "ff0e::1", "2001:db8::2", DROP_BAD_SOURCE },
		{ "::1", "2001:db8::2", DROP_BAD_SOURCE },
		{ "::", "2001:db8::2", DROP_BAD_SOURCE },
		{ "::ffff:10.0.0.1", "2001:db8::2", DROP_BAD_SOURCE },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.2", DROP_BAD_SOURCE },
		{ "2001:db8::2", "2001:db8::2", DROP_BAD_SOURCE }, /* land */
		{ "2001:db8::1", "::1", DROP_BAD_DEST },
		{ "2001:db8::1", "::", DROP_BAD_DEST },
		{ "2001:db8::1", "::ffff:10.0.0.2", DROP_BAD_DEST },
		{ "2001:db8::1", "::ffff:127.0.0.1", DROP_BAD_DEST },
		{ "2001:db8::1", "ff01::1", DROP_BAD_DEST },
		{ "2001:db8::1", "ff00::1", DROP_BAD_DEST },
		{ "2001:db8::1", "ff05::1234", DROP_NO_GROUP },
		{ "2001:db8::1", "ff02::2", DROP_NO_GROUP }, /* all routers */
		{ "2001:db8::1", "fe80::dead:beef", DROP_NO_FORWARD },
		{ "2001:db8::1", "2001:db8::99", DROP_NO_FORWARD },
	};
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh();
		head.src = ip6(bad[i].src);
		head.dst = ip6(bad[i].dst);
		if (!silent(bad[i].why))
			fail_msg("%s to %s", bad[i].src, bad[i].dst);
	}
	stack_down6();
}

static void groups_are_heard_by_members(void **state)
{
	struct ip_addr host = HOST6, group = ip6("ff15::77");

	setup();
	head.dst = ip6("ff02::1");
	assert_true(answered());
	fresh();
	head.dst = ip6_solicited_node(&host);
	assert_true(answered());
	fresh();
	head.dst = group;
	assert_true(silent(DROP_NO_GROUP));
	netif_lock();
	assert_int_equal(ip_group_join(netif_by_name("eth0"), &group), 0);
	netif_unlock();
	fresh();
	head.dst = group;
	assert_true(answered());
	netif_lock();
	ip_group_leave(netif_by_name("eth0"), &group);
	netif_unlock();
	sim_run_ms(5000);
	fresh();
	head.dst = group;
	assert_true(silent(DROP_NO_GROUP));
	stack_down6();
}

static void one_station_in_a_group_frame(void **state)
{
	static const u8 group_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const char *path = "/proc/sys/net/ipv6/conf/eth0/drop_unicast_in_l2_multicast";
	u8 m[32];
	u32 len = icmp6_message(m, 128, 0, 1, NULL, 0);

	setup();
	peer6_send(&peer, group_mac, &head, m, len);
	peer6_send(&peer, broadcast_mac, &head, m, len);
	sim_run_ms(2);
	assert_null(peer6_take_icmp(&peer, 129, -1));
	assert_int_equal(drops_since(DROP_BAD_DEST), 2);
	assert_int_equal(sim_write(path, "0"), 0);
	peer6_send(&peer, group_mac, &head, m, len);
	peer6_send(&peer, broadcast_mac, &head, m, len);
	sim_run_ms(2);
	assert_non_null(peer6_take_icmp(&peer, 129, -1));
	assert_non_null(peer6_take_icmp(&peer, 129, -1));
	/* nor is there an answer about what a whole link heard */
	head.next = 99;
	peer6_send(&peer, group_mac, &head, m, len);
	sim_run_ms(2);
	assert_null(peer6_take_icmp(&peer, PARAMETER, -1));
	stack_down6();
}

static void tentative_addresses_are_not_ours_yet(void **state)
{
	struct ip_addr late = ip6("2001:db8::55");

	setup();
	assert_int_equal(addr6_add("eth0", &late, 64, 0), 0);
	fresh();
	head.dst = late;
	assert_false(answered());
	assert_true(addr6_wait(&late, 5000));
	fresh();
	head.dst = late;
	assert_true(answered());
	stack_down6();
}

/* ---- extension headers ---- */

static void any_order_any_number(void **state)
{
	static const char *const orders[] = {
		"d",	 "r",	  "h",	  "hd", "hr",	 "dr", "rd", "drd", "hdrd",
		"hrdrd", "ddddd", "rrrr", "hf", "hdrfd", "f",  "df", "fd",  "dfdr",
	};
	u32 i, k;

	setup();
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		fresh();
		for (k = 0; orders[i][k]; k++) {
			switch (orders[i][k]) {
			case 'h':
				chain6_options(&chain, 0, NULL, 0);
				break;
			case 'd':
				chain6_options(&chain, 60,
					       "\x1e\x0a"
					       "0123456789",
					       12);
				break;
			case 'r':
				chain6_routing(&chain, k % 2 ? 0 : 200, 0, NULL, 0);
				break;
			case 'f':
				/* the only fragment: its checksum counts on no other */
				chain6_fragment(&chain, 77, 0, false);
				break;
			}
		}
		if (strchr(orders[i], 'f')) {
			u8 m[64];
			u32 len = icmp6_message(m, 128, 0, 0x00010002, "0123456789abcdef", 16);

			wire_sum6_put(&head.src, &head.dst, PROTO_ICMP, m, len);
			head.chain = &chain;
			peer6_send(&peer, NULL, &head, m, len);
			sim_run_ms(2);
			if (!peer6_take_icmp(&peer, 129, 0))
				fail_msg("%s", orders[i]);
		} else if (!answered()) {
			fail_msg("%s", orders[i]);
		}
	}
	stack_down6();
}

static void hop_by_hop_comes_first(void **state)
{
	setup();
	chain6_options(&chain, 60, NULL, 0);
	chain6_options(&chain, 0, NULL, 0);
	assert_true(refused(1, 40)); /* the byte of the first that names the second */
	fresh();
	chain6_options(&chain, 0, NULL, 0);
	chain6_options(&chain, 0, NULL, 0);
	assert_true(refused(1, 40));
	stack_down6();
}

/* RFC 8200 4.2: what the two highest bits of an unknown option's type ask for. */
static void unknown_options(void **state)
{
	static const u8 kinds[] = { 0, 60 };
	u32 i, group;

	setup();
	for (i = 0; i < 4; i++) {
		u8 kind = kinds[i & 1];

		for (group = 0; group < 2; group++) {
			fresh();
			head.dst = group ? ip6("ff02::1") : HOST6;
			chain6_options(&chain, kind, "\x01\x00\x1d\x00", 4);
			assert_true(answered());
			fresh();
			head.dst = group ? ip6("ff02::1") : HOST6;
			chain6_options(&chain, kind, "\x01\x00\x5d\x00", 4);
			assert_true(silent(DROP_BAD_OPTION));
			sim_run_ms(3000); /* errors are limited */
			fresh();
			head.dst = group ? ip6("ff02::1") : HOST6;
			chain6_options(&chain, kind, "\x01\x00\x9d\x00", 4);
			assert_true(refused(2, 44));
			sim_run_ms(3000);
			fresh();
			head.dst = group ? ip6("ff02::1") : HOST6;
			chain6_options(&chain, kind, "\x01\x00\xdd\x00", 4);
			assert_true(group ? silent(DROP_BAD_OPTION) : refused(2, 44));
			sim_run_ms(3000);
		}
	}
	stack_down6();
}

static void malformed_options(void **state)
{
	setup();
	/* longer than the header: the last byte of eight is a type without length */
	chain6_options(&chain, 60, "\x01\x03\0\0\0\x1d", 6);
	chain.bytes[7] = 0x1d;
	assert_true(silent(DROP_BAD_OPTION));
	fresh();
	chain6_options(&chain, 60, "\x1d\x05\0\0\0\0", 6);
	assert_true(silent(DROP_BAD_OPTION));
	fresh();
	chain6_options(&chain, 0, "\x01\xff\0\0\0\0", 6);
	assert_true(silent(DROP_BAD_OPTION));
	/* a router alert of another length */
	fresh();
	chain6_options(&chain, 0, "\x05\x04\0\0\0\0", 6);
	assert_true(silent(DROP_BAD_OPTION));
	/* nine options; eight are allowed, and padding is none */
	fresh();
	chain6_options(&chain, 60, "\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0", 18);
	assert_true(silent(DROP_BAD_OPTION));
	fresh();
	chain6_options(&chain, 60, "\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x1d\0\x01\0\0\0\0\0",
		       22);
	assert_true(answered());
	stack_down6();
}

static void headers_past_the_end(void **state)
{
	static const u8 types[] = { 0, 60, 43 };
	u32 i, k;

	setup();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fresh();
		chain6_raw(&chain, types[i], 1, 255);
		assert_true(silent(DROP_TRUNCATED));
		/* only a part of it is there */
		for (k = 0; k < 8; k++) {
			fresh();
			head.next = types[i];
			head.lie_len = true;
			head.payload_len = k;
			/* nothing behind a hop-by-hop header's name means a jumbogram */
			if (types[i] || k)
				assert_true(silent(DROP_TRUNCATED));
		}
	}
	/* headers up to the last byte */
	fresh();
	for (k = 0; k < 150; k++)
		chain6_options(&chain, 60, NULL, 0);
	assert_true(answered());
	stack_down6();
}

static void routing_headers(void **state)
{
	static const u8 types[] = { 0, 1, 2, 3, 4, 253 };
	u8 via[24] = { 0 };
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fresh();
		chain6_routing(&chain, types[i], 0, via, 20);
		assert_true(answered());
		sim_run_ms(3000);
		fresh();
		chain6_options(&chain, 0, NULL, 0);
		chain6_routing(&chain, types[i], 1, via, 20);
		assert_true(refused(0, 40 + 8 + 2));
		/* not about a multicast */
		fresh();
		head.dst = ip6("ff02::1");
		chain6_routing(&chain, types[i], 1, via, 20);
		assert_true(silent(DROP_SOURCE_ROUTE));
	}
	stack_down6();
}

static void jumbograms_are_refused(void **state)
{
	setup();
	head.lie_len = true;
	chain6_options(&chain, 0, "\xc2\x04\0\1\0\0", 6);
	assert_true(refused(2, 42));
	/* a length of zero and no such option */
	fresh();
	head.lie_len = true;
	chain6_options(&chain, 0, NULL, 0);
	assert_true(refused(0, 4));
	/* the option in a datagram of ordinary length is unknown as well */
	fresh();
	chain6_options(&chain, 0, "\xc2\x04\0\1\0\0", 6);
	assert_true(refused(2, 42));
	/* length zero and no hop-by-hop header: nothing is in it */
	fresh();
	head.lie_len = true;
	head.next = PROTO_NONE;
	assert_true(silent(DROP_IGNORED));
	stack_down6();
}

static void unknown_next_headers(void **state)
{
	static const u8 types[] = { 50, 51, 99, 135, 255 };
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fresh();
		head.next = types[i];
		assert_true(refused(1, 6));
		sim_run_ms(3000);
		fresh();
		head.next = types[i];
		chain6_options(&chain, 0, NULL, 0);
		chain6_options(&chain, 60, NULL, 0);
		assert_true(refused(1, 48));
		sim_run_ms(3000);
	}
	fresh();
	head.next = PROTO_NONE;
	assert_true(silent(DROP_IGNORED));
	stack_down6();
}

static void unspecified_source_is_for_icmp(void **state)
{
	u8 m[32] = { 0 };

	setup();
	head.src = ip_addr_any(AF_INET6);
	head.dst = ip6("ff02::1");
	head.next = 17;
	head.keep_sum = true;
	peer6_send(&peer, NULL, &head, m, udp6_datagram(m, 1, 2, "x", 1));
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_BAD_SOURCE), 1);
	stack_down6();
}

/* ---- streams: what was learnt of the last datagram holds no longer than it is true ---- */

static void udp(const struct ip_addr *dst, const char *text)
{
	u8 m[64];
	u32 len = udp6_datagram(m, 4000, 5000, text, strlen(text));

	head.dst = *dst;
	head.next = 17;
	peer6_send(&peer, NULL, &head, m, len);
	sim_run_ms(1);
}

static void streams_end_with_their_address(void **state)
{
	struct ip_addr host = HOST6, other = ip6("2001:db8::3"), any = ip_addr_any(AF_INET6);
	struct socket *s;
	char got[16];
	u32 i;

	setup();
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_false(IS_ERR(s));
	assert_int_equal(sock_bind6(s, &any, 5000), 0);
	assert_int_equal(addr6_add("eth0", &other, 64, IFADDR_NODAD), 0);
	assert_true(addr6_wait(&other, 3000));
	for (i = 0; i < 5; i++) {
		udp(&host, "one");
		assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), 3);
		udp(&other, "other");
		assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), 5);
	}
	assert_int_equal(addr6_del("eth0", &other), 0);
	fresh();
	udp(&other, "gone");
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), -EAGAIN);
	assert_int_equal(drops_since(DROP_NO_FORWARD), 1);
	udp(&host, "here");
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), 4);
	/* one that goes on but for a lie in its header */
	fresh();
	head.lie_len = true;
	head.payload_len = 1000;
	udp(&host, "long");
	assert_int_equal(sock_recv6(s, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), -EAGAIN);
	assert_int_equal(drops_since(DROP_TRUNCATED), 1);
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

static void loopback_answers(void **state)
{
	struct ip_addr lo = ip6("::1");
	struct socket *a, *b;
	char got[8];

	setup();
	assert_int_equal(sim_insmod("udp", NULL), 0);
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	a = sock_open6(SOCK_DGRAM, 0);
	b = sock_open6(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind6(a, &lo, 5000), 0);
	assert_int_equal(sock_send6(b, &lo, 5000, "hello", 5, 0), 5);
	sim_run_ms(1);
	assert_int_equal(sock_recv6(a, got, sizeof(got), MSG_DONTWAIT, NULL, NULL), 5);
	sock_close(a);
	sock_close(b);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_is_answered),
		cmocka_unit_test(lengths_lie),
		cmocka_unit_test(padding_of_the_link_is_no_payload),
		cmocka_unit_test(martians),
		cmocka_unit_test(groups_are_heard_by_members),
		cmocka_unit_test(one_station_in_a_group_frame),
		cmocka_unit_test(tentative_addresses_are_not_ours_yet),
		cmocka_unit_test(any_order_any_number),
		cmocka_unit_test(hop_by_hop_comes_first),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(malformed_options),
		cmocka_unit_test(headers_past_the_end),
		cmocka_unit_test(routing_headers),
		cmocka_unit_test(jumbograms_are_refused),
		cmocka_unit_test(unknown_next_headers),
		cmocka_unit_test(unspecified_source_is_for_icmp),
		cmocka_unit_test(streams_end_with_their_address),
		cmocka_unit_test(loopback_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
