/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_netlink.c - IPv6 addresses and routes as ip(8) sees and changes them: lifetimes,
 * flags, preferences, and that what sleeps without the module is not told. */
#include "netlink_calls.h"
#include "stack6.h"

#include <weft/net/flow.h>

static struct socket *begin6(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	return open_netlink();
}

static void end6(struct socket *s)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	assert_int_equal(sim_rmmod("netlink", false), 0);
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
	/* who takes it away need not know either: dibbler-client says that it is valid no more */
	addr_request(&r, RTM_DELADDR, 0, "2001:db8:7::7", 0);
	attr_u32(&r, IFA_FLAGS, IFA_F_MANAGETEMPADDR);
	with_life(&r, 0, 0);
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
	end6(s);
}

static int expires_of(struct socket *s, u32 byte)
{
	struct rta_cacheinfo info;
	struct seen seen;

	dump(s, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), dst_byte5, byte, &seen);
	memcpy(&info, seen.attr[RTA_CACHEINFO], sizeof(info));
	return seen.messages && dst_byte5(&seen, byte) ? info.rta_expires : -1;
}

/* `ip -6 route add ... expires 60`; a hundredth of a second is what is counted in. */
static void routes_may_end(void **state)
{
	struct socket *s = begin6();
	struct request r;

	route_request(&r, RTM_NEWROUTE, "2001:db8:9::", 0);
	attr_u32(&r, RTA_EXPIRES, 60);
	assert_int_equal(ask(s, &r), 0);
	route_request(&r, RTM_NEWROUTE, "2001:db8:8::", 0);
	attr_u32(&r, RTA_EXPIRES, 200);
	assert_int_equal(ask(s, &r), 0);
	route_request(&r, RTM_NEWROUTE, "2001:db8:7::", 0);
	attr_u32(&r, RTA_EXPIRES, ~0u);
	assert_int_equal(ask(s, &r), 0);
	assert_in_range(expires_of(s, 9), 5900, 6000);
	assert_int_equal(expires_of(s, 7), 0);
	assert_non_null(strstr(sim_read("/proc/net/ipv6_route"), " 00400003 "));
	sim_run_s(61);
	assert_int_equal(expires_of(s, 9), -1);
	assert_in_range(expires_of(s, 8), 13700, 13900);
	/* also one that nobody sees */
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	sim_run_s(140);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	assert_int_equal(expires_of(s, 8), -1);
	assert_int_equal(expires_of(s, 7), 0);
	end6(s);
}

static void there_is_no_cache_of_routes(void **state)
{
	struct rtmsg m = { .rtm_family = AF_INET6, .rtm_flags = RTM_F_CLONED };
	struct socket *s = begin6();
	struct request r;
	struct nlmsghdr h;

	begin(&r, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 0);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, NLMSG_DONE);
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
/* Whatever came to the interface last, and however many interfaces there are. */
static void one_family_after_the_other(void **state)
{
	static const u8 late[] = { 192, 168, 7, 1 };
	struct socket *s = begin6();
	struct ifaddrmsg m = { AF_INET, 24, 0, 0, eth0() };
	struct request r;
	struct seen seen;

	begin(&r, RTM_NEWADDR, NLM_F_CREATE, &m, sizeof(m));
	attr(&r, IFA_LOCAL, late, sizeof(late));
	assert_int_equal(ask(s, &r), 0);
	dump(s, RTM_GETADDR, AF_INET, sizeof(m), NULL, 0, &seen);
	assert_memory_equal(seen.attr[IFA_LOCAL], late, sizeof(late));
	dump(s, RTM_GETADDR, 0, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.attr_len[IFA_ADDRESS], 16);
	end6(s);
}

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

/* ---- `ip addrlabel` ---- */

static void label_request(struct request *r, u16 type, u16 flags, const char *prefix, u8 plen)
{
	struct ifaddrlblmsg m = { .ifal_family = AF_INET6, .ifal_prefixlen = plen };
	struct ip_addr a = ip6(prefix);

	begin(r, type, flags, &m, sizeof(m));
	attr(r, IFAL_ADDRESS, &a, 16);
}

static u32 label_of(struct socket *s, const char *addr)
{
	struct request r;
	struct seen seen;
	u32 n;

	label_request(&r, RTM_GETADDRLABEL, 0, addr, 128);
	assert_int_equal(put(s, r.b, r.len), r.len);
	n = take(s, 0);
	assert_int_equal(*(u16 *)(answer + 4), RTM_NEWADDRLABEL);
	read_attrs(&seen, answer + 28, n - 28);
	return word(seen.attr[IFAL_LABEL]);
}

static void labels_choose_sources(void **state)
{
	struct ip_addr a = ip6("2001:db8:1::2"), b = ip6("2001:db8:2::2"),
		       to = ip6("2001:db8:1::9");
	struct flow f = { .dst = to, .proto = 253 };
	struct socket *s = begin6();
	struct request r;
	struct seen seen;

	dump(s, RTM_GETADDRLABEL, AF_INET6, sizeof(struct ifaddrlblmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 10);
	assert_int_equal(label_of(s, "::1"), 0);
	assert_int_equal(label_of(s, "::ffff:10.0.0.1"), 4);
	assert_int_equal(label_of(s, "2001:db8::1"), 1);
	assert_int_equal(label_of(s, "fd00::1"), 5);
	assert_int_equal(label_of(s, "2002::1"), 2);
	assert_int_equal(addr6_add("eth0", &a, 128, IFADDR_NODAD), 0);
	assert_int_equal(addr6_add("eth0", &b, 128, IFADDR_NODAD), 0);
	ip_flow_check(&f, 0, NULL);
	assert_memory_equal(&f.saddr, &a, 16);
	/* the label comes before the longest match, and a cached way is found anew */
	label_request(&r, RTM_NEWADDRLABEL, NLM_F_CREATE | NLM_F_EXCL, "2001:db8:2::", 48);
	assert_int_equal(ask(s, &r), -EINVAL);
	attr_u32(&r, IFAL_LABEL, 99);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	label_request(&r, RTM_NEWADDRLABEL, NLM_F_CREATE, "2001:db8:1::9", 128);
	attr_u32(&r, IFAL_LABEL, 99);
	assert_int_equal(ask(s, &r), 0);
	ip_flow_check(&f, 0, NULL);
	assert_memory_equal(&f.saddr, &b, 16);
	label_request(&r, RTM_NEWADDRLABEL, NLM_F_REPLACE, "2001:db8:2::", 48);
	attr_u32(&r, IFAL_LABEL, 98);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(label_of(s, "2001:db8:2::1"), 98);
	label_request(&r, RTM_DELADDRLABEL, 0, "2001:db8:2::7", 48);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ESRCH);
	label_request(&r, RTM_NEWADDRLABEL, NLM_F_CREATE, "::", 129);
	attr_u32(&r, IFAL_LABEL, 3);
	assert_int_equal(ask(s, &r), -EINVAL);
	/* the module takes the table along, and brings its own again */
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	label_request(&r, RTM_NEWADDRLABEL, NLM_F_CREATE, "2001:db8:2::", 48);
	attr_u32(&r, IFAL_LABEL, 3);
	assert_int_equal(ask(s, &r), -EAFNOSUPPORT);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	dump(s, RTM_GETADDRLABEL, AF_INET6, sizeof(struct ifaddrlblmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 10);
	end6(s);
}

/* There is one table of routes, so there are no rules: `ip -6 rule` and its kin are told. */
static void what_is_not_there_is_refused(void **state)
{
	u8 body[12] = { AF_INET6 };
	struct socket *s = begin6();
	struct request r;

	begin(&r, 32, NLM_F_CREATE, body, sizeof(body)); /* RTM_NEWRULE */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, 34, NLM_F_DUMP, body, sizeof(body)); /* RTM_GETRULE */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	end6(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_lifetimes),
		cmocka_unit_test(addresses_have_flags),
		cmocka_unit_test(routes_have_a_metric_and_a_preference),
		cmocka_unit_test(routes_may_end),
		cmocka_unit_test(there_is_no_cache_of_routes),
		cmocka_unit_test(routers_routes_say_when_they_end),
		cmocka_unit_test(what_sleeps_is_not_told),
		cmocka_unit_test(one_family_after_the_other),
		cmocka_unit_test(listeners_hear_of_the_check),
		cmocka_unit_test(labels_choose_sources),
		cmocka_unit_test(what_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
