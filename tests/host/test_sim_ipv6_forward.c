/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_forward.c - a host is no router until it is told so; then it takes one off the hop
 * limit and changes nothing else, cuts nothing, says why not (RFC 4443), and keeps what is of one
 * link on it (RFC 4007 9). */
#include "stack6.h"

#define PROTO 99
#define FAR ip6("2001:db8:7::7")

static struct ipv6_fields head;

static void fresh(void)
{
	head = (struct ipv6_fields){ .src = PEER6, .dst = FAR, .next = PROTO, .hop_limit = 9 };
	peer_forget(&peer);
	drops_mark();
}

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sysctl6("conf/eth0/accept_ra", "2"), 0);
	assert_int_equal(sysctl6("conf/eth0/forwarding", "1"), 0);
	sim_run_ms(10);
	fresh();
}

static void emit(u32 len)
{
	static u8 data[1500];

	for (u32 i = 0; i < len; i++)
		data[i] = i;
	peer6_send(&peer, host_mac, &head, data, len);
	sim_run_ms(2);
}

static void hosts_do_not(void **state)
{
	setup();
	assert_int_equal(sysctl6("conf/eth0/forwarding", "0"), 0);
	emit(10);
	assert_null(peer6_take_proto(&peer, PROTO));
	assert_int_equal(drops_since(DROP_NO_FORWARD), 1);
	assert_null(peer6_take_icmp(&peer, 1, -1));
	stack_down6();
}

static void one_hop_less(void **state)
{
	const struct frame *f;
	struct chain6 chain = { .len = 0 };
	u32 len;

	setup();
	head.tclass = 0x2e;
	head.flow_label = 0x54321;
	chain6_options(&chain, 0, "\x1d\0", 2);
	chain6_routing(&chain, 0, 1, NULL, 0); /* not a router's business */
	chain6_fragment(&chain, 7, 80, true);
	head.chain = &chain;
	emit(16);
	f = peer6_take_proto(&peer, 44);
	assert_non_null(f);
	assert_int_equal(get_be32(f->data + 14), 0x62e54321);
	assert_int_equal(frame6_hop_limit(f), 8);
	assert_memory_equal(f->data + 22, &head.src, 16);
	assert_memory_equal(f->data + 38, &head.dst, 16);
	chain.bytes[chain.next_at] = PROTO;
	assert_memory_equal(f->data + 54, chain.bytes, chain.len);
	len = get_be16(f->data + 18);
	assert_int_equal(len, chain.len + 16);
	stack_down6();
}

static void hop_limit_ends(void **state)
{
	const struct frame *f;

	setup();
	head.hop_limit = 1;
	emit(10);
	f = peer6_take_icmp(&peer, 3, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_icmp(f)[8 + 7], 1);
	assert_null(peer6_take_proto(&peer, PROTO));
	fresh();
	head.hop_limit_0 = true;
	emit(10);
	assert_null(peer6_take_proto(&peer, PROTO));
	stack_down6();
}

static void too_big_is_said(void **state)
{
	struct ip_addr far = FAR;
	const struct frame *f;

	setup();
	assert_int_equal(sysctl6("conf/eth0/mtu", "1300"), 0);
	sim_run_ms(2);
	emit(1260);
	assert_non_null(peer6_take_proto(&peer, PROTO));
	emit(1261);
	f = peer6_take_icmp(&peer, 2, 0);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), 1300);
	assert_true(frame6_sound(f));
	assert_true(get_be16(f->data + 18) + 40 <= 1280);
	assert_null(peer6_take_proto(&peer, PROTO));
	assert_null(peer6_take_proto(&peer, 44));
	/* what this host learnt of the path counts for its own datagrams alone */
	ip_pmtu_update(&far, 1280);
	fresh();
	emit(1260);
	assert_non_null(peer6_take_proto(&peer, PROTO));
	stack_down6();
}

static void no_route_is_said(void **state)
{
	struct route r = {
		.af = AF_INET6, .plen = 48, .type = ROUTE_REJECT, .prefix = ip6("2001:db8:7::")
	};

	setup();
	netif_lock();
	assert_int_equal(route_add(&r), 0);
	netif_unlock();
	emit(10);
	assert_non_null(peer6_take_icmp(&peer, 1, -1));
	assert_null(peer6_take_proto(&peer, PROTO));
	stack_down6();
}

static void never_forwarded(void **state)
{
	static const struct {
		const char *src, *dst;
	} bad[] = {
		{ "2001:db8::1", "fe80::99" },
		{ "fe80::1", "fe80::99" },
		{ "2001:db8::1", "ff0e::99" },
		{ "2001:db8::1", "ff02::99" },
		{ "::", "2001:db8:7::7" },
		{ "::1", "2001:db8:7::7" },
		{ "2001:db8::2", "2001:db8:7::7" },
		{ "2001:db8::1", "::1" },
		{ "ff02::1", "2001:db8:7::7" },
		{ "::ffff:1.2.3.4", "2001:db8:7::7" },
		{ "2001:db8::1", "::ffff:10.0.0.1" },
	};
	static const u8 group_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };

	setup();
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh();
		head.src = ip6(bad[i].src);
		head.dst = ip6(bad[i].dst);
		emit(10);
		if (peer6_take_proto(&peer, PROTO))
			fail_msg("%s to %s", bad[i].src, bad[i].dst);
	}
	fresh();
	peer6_send(&peer, group_mac, &head, "x", 1);
	sim_run_ms(2);
	assert_null(peer6_take_proto(&peer, PROTO));
	stack_down6();
}

static void hop_by_hop_options_are_looked_at(void **state)
{
	struct chain6 chain = { .len = 0 };
	const struct frame *f;

	setup();
	chain6_options(&chain, 0, "\x01\x00\x9d\x00", 4);
	head.chain = &chain;
	emit(10);
	f = peer6_take_icmp(&peer, 4, 2);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), 44);
	assert_null(peer6_take_proto(&peer, PROTO));
	/* those of the destination are not */
	fresh();
	memset(&chain, 0, sizeof(chain));
	chain6_options(&chain, 60, "\x01\x00\x9d\x00", 4);
	head.chain = &chain;
	emit(10);
	assert_non_null(peer6_take_proto(&peer, PROTO));
	stack_down6();
}

/* RFC 4861 8.2: the sender is on the link that the way leads over. */
static void a_shorter_way_is_told(void **state)
{
	struct ip_addr far = FAR, target = PEER6_LL, stranger = ip6("2001:db8:9::1");
	const struct frame *f;

	setup();
	emit(10);
	assert_non_null(peer6_take_proto(&peer, PROTO));
	f = peer6_take_icmp(&peer, 137, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_hop_limit(f), 255);
	assert_memory_equal(frame6_icmp(f) + 8, &target, 16);
	assert_memory_equal(frame6_icmp(f) + 24, &far, 16);
	/* not to one from farther away */
	fresh();
	head.src = stranger;
	sim_run_s(5);
	emit(10);
	assert_non_null(peer6_take_proto(&peer, PROTO));
	assert_null(peer6_take_icmp(&peer, 137, 0));
	stack_down6();
}

static void all_routers_is_a_routers_group(void **state)
{
	u8 m[32];
	u32 len = icmp6_message(m, 128, 0, 1, NULL, 0);

	setup();
	head = (struct ipv6_fields){ .src = PEER6, .dst = ip6("ff02::2"), .next = 58 };
	peer6_send(&peer, NULL, &head, m, len);
	sim_run_ms(2);
	assert_non_null(peer6_take_icmp(&peer, 129, 0));
	assert_int_equal(sysctl6("conf/eth0/forwarding", "0"), 0);
	sim_run_s(3);
	peer6_send(&peer, NULL, &head, m, len);
	sim_run_ms(2);
	assert_null(peer6_take_icmp(&peer, 129, 0));
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_do_not),
		cmocka_unit_test(one_hop_less),
		cmocka_unit_test(hop_limit_ends),
		cmocka_unit_test(too_big_is_said),
		cmocka_unit_test(no_route_is_said),
		cmocka_unit_test(never_forwarded),
		cmocka_unit_test(hop_by_hop_options_are_looked_at),
		cmocka_unit_test(a_shorter_way_is_told),
		cmocka_unit_test(all_routers_is_a_routers_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
