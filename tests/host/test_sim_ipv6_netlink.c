/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_netlink.c - IPv6 addresses and routes as ip(8) sees and changes them: lifetimes,
 * flags, preferences, and that what sleeps without the module is not told. */
#include "netlink_calls.h"
#include "stack6.h"

static struct socket *begin6(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	return open_netlink();
}

static void end6(struct socket *s)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	stack_down6();
}

static void addr_request(struct request *r, u16 type, u16 flags, const char *addr, u8 fl)
{
	struct ifaddrmsg m = { AF_INET6, 64, fl, 0, eth0() };
	struct ip_addr a = ip6(addr);

	begin(r, type, flags, &m, sizeof(m));
	attr(r, IFA_LOCAL, &a, 16);
	attr(r, IFA_ADDRESS, &a, 16);
}

static void with_life(struct request *r, u32 preferred, u32 valid)
{
	struct ifa_cacheinfo life = { preferred, valid, 0, 0 };

	attr(r, IFA_CACHEINFO, &life, sizeof(life));
}

static bool has_last_byte(const struct seen *s, u32 byte)
{
	return s->attr_len[IFA_ADDRESS] == 16 && s->attr[IFA_ADDRESS][15] == byte &&
	       s->attr[IFA_ADDRESS][0] == 0x20;
}

static struct ifa_cacheinfo told_life(struct socket *s, u32 byte, u32 *flags)
{
	struct ifa_cacheinfo life;
	struct seen seen;

	dump(s, RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg), has_last_byte, byte, &seen);
	assert_int_equal(seen.attr_len[IFA_CACHEINFO], sizeof(life));
	memcpy(&life, seen.attr[IFA_CACHEINFO], sizeof(life));
	*flags = word(seen.attr[IFA_FLAGS]);
	return life;
}

static void addresses_have_lifetimes(void **state)
{
	struct socket *s = begin6();
	struct ifa_cacheinfo life;
	struct request r;
	u32 flags;

	life = told_life(s, 2, &flags);
	assert_int_equal(life.ifa_valid, ~0u);
	assert_int_equal(flags & IFA_F_PERMANENT, IFA_F_PERMANENT);
	addr_request(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "2001:db8::7", 0);
	with_life(&r, 50, 100);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	life = told_life(s, 7, &flags);
	assert_in_range(life.ifa_valid, 98, 100);
	assert_in_range(life.ifa_prefered, 48, 50);
	assert_int_equal(flags, IFA_F_TENTATIVE);
	sim_run_s(60);
	life = told_life(s, 7, &flags);
	assert_int_equal(life.ifa_prefered, 0);
	assert_int_equal(flags, IFA_F_DEPRECATED);
	/* a replacement may give it more, or for ever */
	addr_request(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, "2001:db8::7", 0);
	assert_int_equal(ask(s, &r), 0);
	life = told_life(s, 7, &flags);
	assert_int_equal(life.ifa_valid, ~0u);
	assert_int_equal(flags, IFA_F_PERMANENT);
	addr_request(&r, RTM_NEWADDR, NLM_F_CREATE, "2001:db8::8", 0);
	with_life(&r, 100, 50);
	assert_int_equal(ask(s, &r), -EINVAL);
	end6(s);
}

static void addresses_have_flags(void **state)
{
	struct ip_addr near = ip6("2001:db8:7::9");
	struct socket *s = begin6();
	struct route_result res;
	struct request r;
	u32 flags;

	addr_request(&r, RTM_NEWADDR, NLM_F_CREATE, "2001:db8:7::7", IFA_F_NODAD);
	attr_u32(&r, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	assert_int_equal(ask(s, &r), 0);
	told_life(s, 7, &flags);
	assert_int_equal(flags, IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT);
	rcu_read_lock();
	assert_int_equal(route_lookup(&near, 0, &res), 0);
	assert_int_equal(res.plen, 0);
	rcu_read_unlock();
	addr_request(&r, RTM_DELADDR, 0, "2001:db8:7::7", 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EADDRNOTAVAIL);
	end6(s);
}

static void route_request(struct request *r, u16 type, const char *dst, s8 preference)
{
	struct rtmsg m = { AF_INET6, 48, 0, 0, RT_TABLE_MAIN, 4, 0, RTN_UNICAST, 0 };
	struct ip_addr a = ip6(dst), gw = ip6("fe80::1");
	u8 pref = preference & 3;

	begin(r, type, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr(r, RTA_DST, &a, 16);
	attr(r, RTA_GATEWAY, &gw, 16);
	attr_u32(r, RTA_OIF, eth0());
	attr(r, RTA_PREF, &pref, 1);
}

static bool dst_byte5(const struct seen *s, u32 byte)
{
	return s->attr_len[RTA_DST] == 16 && s->attr[RTA_DST][5] == byte &&
	       s->attr[RTA_DST][0] == 0x20;
}

static void routes_have_a_metric_and_a_preference(void **state)
{
	struct socket *s = begin6();
	struct rta_cacheinfo info;
	struct request r;
	struct seen seen;

	route_request(&r, RTM_NEWROUTE, "2001:db8:9::", -1);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	dump(s, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), dst_byte5, 9, &seen);
	assert_int_equal(word(seen.attr[RTA_PRIORITY]), 1024);
	assert_int_equal(seen.attr[RTA_PREF][0], ICMPV6_ROUTER_PREF_LOW);
	assert_int_equal(seen.attr_len[RTA_CACHEINFO], sizeof(info));
	route_request(&r, RTM_DELROUTE, "2001:db8:9::", 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ESRCH);
	/* routes that would end by themselves are not a user's here */
	route_request(&r, RTM_NEWROUTE, "2001:db8:9::", 0);
	attr_u32(&r, RTA_EXPIRES, 60);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	end6(s);
}

static void routers_routes_say_when_they_end(void **state)
{
	struct ip_addr net = ip6("2001:db8:9::");
	struct ra6 ra = { .lifetime = 1800, .flags = 0x08 };
	struct socket *s = begin6();
	struct rta_cacheinfo info;
	struct rtmsg m;
	struct seen seen;

	assert_int_equal(sysctl6("conf/eth0/accept_ra_rt_info_max_plen", "64"), 0);
	ra.len = nd6_route(ra.options, &net, 48, 1, 600);
	peer6_ra(&peer, &ra);
	sim_run_ms(5);
	dump(s, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), dst_byte5, 9, &seen);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.rtm_protocol, RTPROT_RA);
	assert_int_equal(seen.attr[RTA_PREF][0], ICMPV6_ROUTER_PREF_HIGH);
	memcpy(&info, seen.attr[RTA_CACHEINFO], sizeof(info));
	assert_in_range(info.rta_expires, 59800, 60000);
	end6(s);
}

static void what_sleeps_is_not_told(void **state)
{
	struct socket *s = begin6();
	struct seen seen;

	assert_int_equal(sim_rmmod("ipv6", false), 0);
	dump(s, RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 0);
	dump(s, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 0);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	dump(s, RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg), has_last_byte, 2, &seen);
	assert_int_equal(seen.attr_len[IFA_ADDRESS], 16);
	dump(s, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), NULL, 0, &seen);
	assert_true(seen.messages > 3);
	end6(s);
}

/* Each change of an address is an event. */
static void listeners_hear_of_the_check(void **state)
{
	struct socket *s = begin6(), *listener = open_netlink();
	struct ifaddrmsg m;
	struct nlmsghdr h;
	struct request r;

	assert_int_equal(bind_nl(listener, 0, 1u << (RTNLGRP_IPV6_IFADDR - 1)), 0);
	addr_request(&r, RTM_NEWADDR, NLM_F_CREATE, "2001:db8::7", 0);
	assert_int_equal(ask(s, &r), 0);
	assert_true(take(listener, 0) > 0);
	memcpy(&h, answer, sizeof(h));
	memcpy(&m, answer + sizeof(h), sizeof(m));
	assert_int_equal(h.nlmsg_type, RTM_NEWADDR);
	assert_true(m.ifa_flags & IFA_F_TENTATIVE);
	sim_run_s(5);
	assert_true(take(listener, 0) > 0);
	memcpy(&m, answer + sizeof(h), sizeof(m));
	assert_false(m.ifa_flags & IFA_F_TENTATIVE);
	assert_int_equal(take(listener, 0), -EAGAIN);
	sock_close(listener);
	end6(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_lifetimes),
		cmocka_unit_test(addresses_have_flags),
		cmocka_unit_test(routes_have_a_metric_and_a_preference),
		cmocka_unit_test(routers_routes_say_when_they_end),
		cmocka_unit_test(what_sleeps_is_not_told),
		cmocka_unit_test(listeners_hear_of_the_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
