/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_router.c - asking for routers (RFC 7559) and what their advertisements change (RFC
 * 4861 6.3.4, 4191, 8106): default routers with lifetimes, preferences and reachability, further
 * routes, on-link prefixes, the link's parameters, name servers; and that floods stay bounded. */
#include "stack6.h"

#include "netlink_calls.h"

#define ROUTER2 ip6("fe80::22")

static const u8 router2_mac[6] = { 0x52, 0x54, 0, 0x22, 0x22, 0x22 };
static const struct ip_addr any6;

static void begin_bare(void)
{
	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_true(addr6_wait(NULL, 5000));
	drops_mark();
}

static bool has(const char *path, const char *text)
{
	const char *all = sim_read(path);

	return all && strstr(all, text);
}

static void send_ra(u16 lifetime, u8 flags, const struct ip_addr *src)
{
	struct ra6 r = { .hop_limit = 64, .flags = flags, .lifetime = lifetime };

	if (src)
		r.src = *src;
	r.len = nd6_ll(r.options, 1, src ? router2_mac : peer_mac);
	peer6_ra(&peer, &r);
	sim_run_ms(5);
}

static void send_option(const u8 *option, u32 len)
{
	struct ra6 r = { .lifetime = 1800 };

	memcpy(r.options, option, len);
	r.len = len;
	peer6_ra(&peer, &r);
	sim_run_ms(5);
}

/* Where a packet to dst goes; any: nowhere. */
static struct ip_addr way_to(const char *text)
{
	struct ip_addr dst = ip6(text), hop = any6;
	struct route_result res;

	rcu_read_lock();
	if (!route_lookup(&dst, 0, &res))
		hop = res.next_hop;
	rcu_read_unlock();
	return hop;
}

static bool goes_by(const char *dst, const char *hop)
{
	struct ip_addr got = way_to(dst), want = ip6(hop);

	return ip_addr_eq(&got, &want);
}

/* ---- asking ---- */

static void solicitations_back_off(void **state)
{
	u64 last = 0, gap, before = 0;

	assert_int_equal(stack_up6_bare(NULL), 0);
	for (u32 n = 0; n < 6; n++) {
		const struct frame *f = NULL;

		for (u32 ms = 0; !f && ms < 400000; ms += 10) {
			sim_run_ms(10);
			f = peer6_take_icmp(&peer, 133, 0);
		}
		assert_non_null(f);
		assert_int_equal(frame6_hop_limit(f), 255);
		assert_true(frame6_sound(f));
		assert_non_null(frame6_option(f, 1));
		gap = sim_now() - last;
		last = sim_now();
		/* RFC 7559 2: 4 s, doubled each time, a tenth more or less */
		if (n == 1)
			assert_in_range(gap, 3500 * NSEC_PER_MSEC, 4500 * NSEC_PER_MSEC);
		if (n > 1)
			assert_in_range(gap, before * 18 / 10, before * 22 / 10);
		before = gap;
	}
	/* an answer ends it, also one from who is no router only while it is none */
	send_ra(1800, 0, NULL);
	peer_forget(&peer);
	sim_run_s(1000);
	assert_int_equal(peer6_count_icmp(&peer, 133), 0);
	stack_down6();
}

static void no_solicitations_where_nothing_is_accepted(void **state)
{
	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_int_equal(sysctl6("conf/eth0/accept_ra", "0"), 0);
	sim_run_s(60);
	assert_int_equal(peer6_count_icmp(&peer, 133), 0);
	send_ra(1800, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "::"));
	stack_down6();
}

/* ---- default routers ---- */

static void default_route_lives_as_long_as_said(void **state)
{
	begin_bare();
	assert_true(goes_by("2001:db8:9::1", "::"));
	send_ra(30, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	assert_true(has("/proc/net/ipv6_route", " 00000400 00000001 00000000 00450003     eth0\n"));
	sim_run_s(31);
	assert_true(goes_by("2001:db8:9::1", "::"));
	send_ra(30, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	send_ra(0, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "::"));
	stack_down6();
}

/* RFC 4191 2.2 */
static void preferred_router_first(void **state)
{
	struct ip_addr second = ROUTER2;

	begin_bare();
	send_ra(1800, 0, NULL);
	send_ra(1800, 0x18, &second); /* low */
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	send_ra(1800, 0x08, &second); /* high */
	assert_true(goes_by("2001:db8:9::1", "fe80::22"));
	send_ra(1800, 0x10, &second); /* reserved: medium */
	send_ra(1800, 0x08, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	send_ra(0, 0x08, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::22"));
	stack_down6();
}

/* RFC 4861 6.3.6: of two the one that answers its neighbours. */
static void silent_router_comes_last(void **state)
{
	struct ip_addr second = ROUTER2, dst = ip6("2001:db8:9::1");
	struct flow f = { .dst = dst, .flags = FLOW_PARK };

	begin_bare();
	send_ra(1800, 0x08, NULL);
	send_ra(1800, 0, &second);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	/* the peer is deaf: fe80::1 is asked in vain once it is used, after five seconds' delay
	 * for three */
	for (u32 n = 0; n < 17; n++) {
		struct pkt *p = ip_reserve(&f, 8, NULL);

		if (!IS_ERR(p)) {
			memset(pkt_put(p, 8), 0, 8);
			ip_commit(&f, p);
		}
		sim_run_ms(500);
	}
	assert_true(goes_by("2001:db8:9::1", "fe80::22"));
	/* it speaks again */
	send_ra(1800, 0x08, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	stack_down6();
}

/* RFC 4861 7.2.5: its advertisement says that it is a router no more. */
static void router_that_becomes_a_host(void **state)
{
	struct ip_addr me, it = PEER6_LL;

	begin_bare();
	me = host_ll();
	send_ra(1800, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	peer6_na(&peer, &it, &me, &it, NA6_SOLICITED | NA6_OVERRIDE);
	sim_run_ms(5);
	assert_true(goes_by("2001:db8:9::1", "::"));
	stack_down6();
}

static void routers_do_not_listen(void **state)
{
	begin_bare();
	send_ra(1800, 0, NULL);
	assert_int_equal(sysctl6("conf/eth0/forwarding", "1"), 0);
	assert_true(goes_by("2001:db8:9::1", "::"));
	send_ra(1800, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "::"));
	assert_int_equal(sysctl6("conf/eth0/accept_ra", "2"), 0);
	send_ra(1800, 0, NULL);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	stack_down6();
}

/* ---- further routes and prefixes ---- */

/* RFC 4191 2.3; Linux takes none that are longer than it was told. */
static void route_information(void **state)
{
	struct ip_addr net = ip6("2001:db8:77::");
	u8 o[32];
	u32 len;

	begin_bare();
	len = nd6_route(o, &net, 48, 0, 60);
	send_option(o, len);
	assert_true(goes_by("2001:db8:77::1", "fe80::1")); /* the default route */
	send_ra(0, 0, NULL);
	assert_true(goes_by("2001:db8:77::1", "::"));
	assert_int_equal(sysctl6("conf/eth0/accept_ra_rt_info_max_plen", "64"), 0);
	send_option(o, len);
	send_ra(0, 0, NULL);
	assert_true(goes_by("2001:db8:77::1", "fe80::1"));
	assert_true(has("/proc/net/ipv6_route", " 00c40003     eth0\n"));
	/* a reserved preference voids it */
	len = nd6_route(o, &net, 48, 0, 0);
	o[3] = 0x10;
	send_option(o, len);
	send_ra(0, 0, NULL);
	assert_true(goes_by("2001:db8:77::1", "fe80::1"));
	sim_run_s(61);
	assert_true(goes_by("2001:db8:77::1", "::"));
	stack_down6();
}

static void prefix_is_on_link_while_said(void **state)
{
	struct ip_addr net = ip6("2001:db8:5::");
	struct ra6 r = { .lifetime = 1800 };

	begin_bare();
	r.len = nd6_prefix(r.options, &net, 64, ND6_ONLINK, 30, 30);
	peer6_ra(&peer, &r);
	sim_run_ms(5);
	assert_true(goes_by("2001:db8:5::9", "2001:db8:5::9"));
	assert_true(has("/proc/net/ipv6_route", " 00000100 00000001 00000000 004c0001     eth0\n"));
	assert_int_equal(addr6_count("eth0"), 1);
	sim_run_s(31);
	assert_true(goes_by("2001:db8:5::9", "fe80::1"));
	/* RFC 5942 4: an address in it does not put a prefix on the link */
	r.len = nd6_prefix(r.options, &net, 64, ND6_AUTO, 300, 300);
	peer6_ra(&peer, &r);
	sim_run_s(3);
	assert_int_equal(addr6_count("eth0"), 2);
	assert_true(goes_by("2001:db8:5::9", "fe80::1"));
	stack_down6();
}

/* ---- the link's parameters ---- */

static void parameters_of_the_link(void **state)
{
	struct ra6 r = {
		.hop_limit = 33, .lifetime = 1800, .reachable_ms = 5000, .retrans_ms = 700
	};

	begin_bare();
	r.len = nd6_mtu(r.options, 1400);
	peer6_ra(&peer, &r);
	sim_run_ms(5);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/hop_limit"), "33\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/mtu"), "1400\n");
	assert_true(has("/proc/net/weft/ipv6", " 5000         700 "));
	/* neither absurd nor silent ones change them */
	r = (struct ra6){ .lifetime = 1800, .retrans_ms = 1, .reachable_ms = ~0u };
	r.len = nd6_mtu(r.options, 1279);
	peer6_ra(&peer, &r);
	r.len = nd6_mtu(r.options, 1501);
	peer6_ra(&peer, &r);
	sim_run_ms(5);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/hop_limit"), "33\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/mtu"), "1400\n");
	assert_true(has("/proc/net/weft/ipv6", " 5000         700 "));
	stack_down6();
}

/* ---- name servers ---- */

static u32 put_dnssl(u8 *o, u32 lifetime, const char *names, u32 len)
{
	u32 units = (8 + len + 7) / 8;

	memset(o, 0, units * 8);
	o[0] = 31;
	o[1] = units;
	put_be32(o + 4, lifetime);
	memcpy(o + 8, names, len);
	return units * 8;
}

static void name_servers_for_user_space(void **state)
{
	struct ip_addr global = ip6("2001:db8::53"), local = ip6("fe80::53");
	u8 o[128];
	u32 len;

	begin_bare();
	len = nd6_rdnss(o, &global, 60);
	len += nd6_rdnss(o + len, &local, 120);
	len += put_dnssl(o + len, 60, "\7example\3org\0\4corp\0", 19);
	send_option(o, len);
	assert_string_equal(sim_read("/proc/net/weft/rdnss"), "nameserver 2001:db8::53 eth0 59\n"
							      "nameserver fe80::53%eth0 eth0 119\n"
							      "search example.org eth0 59\n"
							      "search corp eth0 59\n");
	sim_run_s(61);
	assert_string_equal(sim_read("/proc/net/weft/rdnss"), "nameserver fe80::53%eth0 eth0 58\n");
	len = nd6_rdnss(o, &local, 0);
	send_option(o, len);
	assert_string_equal(sim_read("/proc/net/weft/rdnss"), "");
	/* what would be more than a name in a file does not get in */
	send_option(o, put_dnssl(o, 60, "\5a\nb d\0", 7));
	send_option(o, put_dnssl(o, 60, "\77abc", 4));
	assert_string_equal(sim_read("/proc/net/weft/rdnss"), "");
	/* nor do more than are of use */
	for (u32 i = 0; i < 100; i++) {
		struct ip_addr a = ip6("2001:db8::53");

		a.b[13] = i;
		send_option(o, nd6_rdnss(o, &a, 60 + i));
	}
	assert_true(has("/proc/net/weft/rdnss", "2001:db8::63:53"));
	assert_int_equal(drops_since(DROP_ND_LIMIT), 84);
	stack_down6();
}

/* linux/rtnetlink.h: RTM_NEWNDUSEROPT to RTNLGRP_ND_USEROPT */
static void listeners_get_the_option_itself(void **state)
{
	struct ip_addr server = ip6("2001:db8::53");
	struct nduseroptmsg body;
	struct nlmsghdr h;
	struct socket *s;
	u8 o[32];
	u32 len;

	begin_bare();
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	s = open_netlink();
	assert_int_equal(bind_nl(s, 0, 1u << (RTNLGRP_ND_USEROPT - 1)), 0);
	len = nd6_rdnss(o, &server, 60);
	send_option(o, len);
	assert_true(take(s, MSG_DONTWAIT) >= (long)(sizeof(h) + sizeof(body) + len));
	memcpy(&h, answer, sizeof(h));
	memcpy(&body, answer + sizeof(h), sizeof(body));
	assert_int_equal(h.nlmsg_type, RTM_NEWNDUSEROPT);
	assert_int_equal(body.nduseropt_family, AF_INET6);
	assert_int_equal(body.nduseropt_opts_len, len);
	assert_int_equal(body.nduseropt_icmp_type, 134);
	assert_memory_equal(answer + sizeof(h) + sizeof(body), o, len);
	sock_close(s);
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	assert_int_equal(sim_rmmod("netlink", false), 0);
	stack_down6();
}

/* ---- floods ---- */

static u32 lines_with(const char *path, const char *text)
{
	const char *at = sim_read(path);
	u32 n = 0;

	while (at && (at = strstr(at, text)) != NULL) {
		n++;
		at++;
	}
	return n;
}

static void flood_of_routers_is_bounded(void **state)
{
	struct ip_addr src = ip6("fe80::1:0");

	begin_bare();
	for (u32 i = 0; i < 3000; i++) {
		struct ip_addr net = ip6("2001:db8::");
		struct ra6 r = { .lifetime = 1800, .src = src };

		put_be16(r.src.b + 14, i);
		put_be16(net.b + 4, i + 1);
		r.len = nd6_prefix(r.options, &net, 64, ND6_ONLINK | ND6_AUTO, 3600, 3600);
		r.len += nd6_route(r.options + r.len, &net, 48, 0, 600);
		peer6_ra(&peer, &r);
		if (i % 16 == 0)
			sim_run_ms(1);
	}
	sim_run_s(3);
	assert_true(addr6_count("eth0") <= 16);
	assert_true(lines_with("/proc/net/ipv6_route", " 00450003 ") <= 64);
	assert_true(lines_with("/proc/net/ipv6_route", " 004c0001 ") <= 64);
	assert_true(drops_since(DROP_ND_LIMIT) > 1000);
	/* and it is over when it is over */
	sim_run_s(2000);
	assert_int_equal(lines_with("/proc/net/ipv6_route", " 00450003 "), 0);
	sim_run_s(2000);
	assert_int_equal(lines_with("/proc/net/ipv6_route", " 004c0001 "), 0);
	assert_int_equal(addr6_count("eth0"), 1);
	stack_down6();
}

static void burst_waits_in_a_bounded_queue(void **state)
{
	begin_bare();
	/* the lock is ours: nothing is applied meanwhile */
	netif_lock();
	for (u32 i = 0; i < 200; i++) {
		struct ra6 r = { .lifetime = 1800 };

		peer6_ra(&peer, &r);
		sim_run_ms(1);
	}
	netif_unlock();
	assert_int_equal(drops_since(DROP_ND_QUEUE), 200 - 64);
	sim_run_ms(5);
	assert_true(goes_by("2001:db8:9::1", "fe80::1"));
	/* what still waits goes with the module */
	netif_lock();
	send_ra(1800, 0, NULL);
	netif_unlock();
	stack_down6();
}

/* ---- RFC 6724 5, rule 5.5 ---- */

static void advertise_prefix(const struct ip_addr *from, const char *text, u8 preference, u32 valid)
{
	struct ip_addr prefix = ip6(text);
	struct ra6 r = { .lifetime = 1800, .flags = preference, .src = *from };

	r.len = nd6_ll(r.options, 1, ip_addr_is_any(from) ? peer_mac : router2_mac);
	r.len += nd6_prefix(r.options + r.len, &prefix, 64, ND6_AUTO, valid, valid);
	peer6_ra(&peer, &r);
	sim_run_s(3);
}

static u8 source_net(const char *text)
{
	struct flow f = { .dst = ip6(text), .proto = 253 };

	ip_flow_check(&f, 0, NULL);
	return f.saddr.b[5];
}

static void sources_suit_the_router(void **state)
{
	struct ip_addr second = ROUTER2;

	begin_bare();
	advertise_prefix(&any6, "2001:db8:a::", 0, 7200);
	advertise_prefix(&second, "2001:db8:b::", 0x08, 7200);
	assert_true(goes_by("2001:db8:a:1::1", "fe80::22"));
	/* rule 8 would have it otherwise */
	assert_int_equal(source_net("2001:db8:a:1::1"), 0xb);
	/* the other one takes over, and its prefix */
	send_ra(0, 0, &second);
	assert_true(goes_by("2001:db8:b:1::1", "fe80::1"));
	assert_int_equal(source_net("2001:db8:b:1::1"), 0xa);
	/* both say the same of one prefix: the longest match again */
	advertise_prefix(&any6, "2001:db8:b::", 0, 7200);
	assert_int_equal(source_net("2001:db8:b:1::1"), 0xb);
	advertise_prefix(&any6, "2001:db8:b::", 0, 0);
	assert_int_equal(source_net("2001:db8:b:1::1"), 0xa);
	/* bounded */
	for (u32 i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "2001:db8:%x::", 0x100 + i);
		advertise_prefix(&any6, text, 0, 7200);
	}
	assert_true(drops_since(DROP_ND_LIMIT) >= 36);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitations_back_off),
		cmocka_unit_test(no_solicitations_where_nothing_is_accepted),
		cmocka_unit_test(default_route_lives_as_long_as_said),
		cmocka_unit_test(preferred_router_first),
		cmocka_unit_test(silent_router_comes_last),
		cmocka_unit_test(router_that_becomes_a_host),
		cmocka_unit_test(routers_do_not_listen),
		cmocka_unit_test(route_information),
		cmocka_unit_test(prefix_is_on_link_while_said),
		cmocka_unit_test(parameters_of_the_link),
		cmocka_unit_test(name_servers_for_user_space),
		cmocka_unit_test(listeners_get_the_option_itself),
		cmocka_unit_test(flood_of_routers_is_bounded),
		cmocka_unit_test(burst_waits_in_a_bounded_queue),
		cmocka_unit_test(sources_suit_the_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
