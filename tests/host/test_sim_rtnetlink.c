/* SPDX-License-Identifier: MIT */
/* test_sim_rtnetlink.c - requests as ip(8) and the C library write them, byte by byte: what each
 * table tells, how it changes, and the errors. */
#include "netlink_calls.h"

/* ---- tests: telling ---- */

static void links_are_told(void **state)
{
	struct socket *s;
	struct seen seen;
	struct ifinfomsg m;

	setup();
	s = open_netlink();
	dump(s, RTM_GETLINK, 0, sizeof(m), is_index, eth0(), &seen);
	assert_int_equal(seen.messages, 2);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ifi_type, ARPHRD_ETHER);
	assert_true(m.ifi_flags & IFF_UP);
	assert_true(m.ifi_flags & IFF_LOWER_UP);
	assert_string_equal((char *)seen.attr[IFLA_IFNAME], "eth0");
	assert_int_equal(word(seen.attr[IFLA_MTU]), 1500);
	assert_memory_equal(seen.attr[IFLA_ADDRESS], host_mac, 6);
	assert_memory_equal(seen.attr[IFLA_BROADCAST], broadcast_mac, 6);
	assert_int_equal(seen.attr_len[IFLA_STATS64], 200);
	assert_int_equal(seen.attr_len[IFLA_STATS], 96);
	assert_int_equal(seen.attr[IFLA_OPERSTATE][0], IF_OPER_UP);
	sock_close(s);
	teardown();
}

static void one_link_by_index_or_name(void **state)
{
	struct ifinfomsg m = { 0 };
	struct request r;
	struct nlmsghdr h;
	struct socket *s;

	setup();
	s = open_netlink();
	m.ifi_index = eth0();
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 100);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_type, RTM_NEWLINK);
	assert_false(h.nlmsg_flags & NLM_F_MULTI);
	m.ifi_index = 0;
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "lo", 3);
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 100);
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "nope", 5);
	assert_int_equal(ask(s, &r), -ENODEV);
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -EINVAL);
	m.ifi_index = 99;
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), -ENODEV);
	sock_close(s);
	teardown();
}

static void addresses_are_told(void **state)
{
	struct ifaddrmsg m;
	struct socket *s;
	struct seen seen;

	setup();
	s = open_netlink();
	dump(s, RTM_GETADDR, AF_INET, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ifa_prefixlen, 24);
	assert_int_equal(m.ifa_index, eth0());
	assert_true(m.ifa_flags & IFA_F_PERMANENT);
	assert_int_equal(get_be32(seen.attr[IFA_LOCAL]), HOST);
	assert_int_equal(get_be32(seen.attr[IFA_ADDRESS]), HOST);
	assert_int_equal(get_be32(seen.attr[IFA_BROADCAST]), HOST_BROADCAST);
	assert_string_equal((char *)seen.attr[IFA_LABEL], "eth0");
	dump(s, RTM_GETADDR, AF_INET6, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 0);
	sock_close(s);
	teardown();
}

static void routes_are_told_and_looked_up(void **state)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
	struct request r;
	struct socket *s;
	struct seen seen;
	long n;

	setup();
	s = open_netlink();
	dump(s, RTM_GETROUTE, AF_INET, sizeof(m), has_dst, IP4(10, 0, 0, 0), &seen);
	assert_int_equal(seen.messages, 4); /* default, prefix, own, broadcast */
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.rtm_table, RT_TABLE_MAIN);
	assert_int_equal(m.rtm_protocol, RTPROT_KERNEL);
	assert_int_equal(m.rtm_scope, RT_SCOPE_LINK);
	assert_int_equal(get_be32(seen.attr[RTA_PREFSRC]), HOST);
	m = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = 32 };
	begin(&r, RTM_GETROUTE, 0, &m, sizeof(m));
	attr_ip(&r, RTA_DST, IP4(8, 8, 8, 8));
	put(s, r.b, r.len);
	n = take(s, 0);
	assert_true(n > 28);
	read_attrs(&seen, answer + 28, n - 28);
	assert_int_equal(get_be32(seen.attr[RTA_GATEWAY]), PEER);
	assert_int_equal(get_be32(seen.attr[RTA_PREFSRC]), HOST);
	assert_int_equal(word(seen.attr[RTA_OIF]), eth0());
	sock_close(s);
	teardown();
}

static void neighbours_are_told(void **state)
{
	struct socket *s;
	struct seen seen;
	struct ndmsg m;

	setup();
	stack_know_peer();
	s = open_netlink();
	dump(s, RTM_GETNEIGH, AF_INET, sizeof(m), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ndm_state, NUD_PERMANENT);
	assert_int_equal(get_be32(seen.attr[NDA_DST]), PEER);
	assert_memory_equal(seen.attr[NDA_LLADDR], peer_mac, 6);
	sock_close(s);
	teardown();
}

/* ---- changing ---- */

static void routes_come_and_go(void **state)
{
	const u16 new = NLM_F_CREATE | NLM_F_EXCL, over = NLM_F_CREATE | NLM_F_REPLACE;
	struct route_result res;
	struct ip_addr dst = ip_addr_v4(IP4(172, 16, 1, 1));
	struct request r;
	struct socket *s;
	struct seen seen;
	struct rtmsg m;

	setup();
	s = open_netlink();
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 9));
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	dump(s, RTM_GETROUTE, AF_INET, sizeof(m), has_dst, IP4(172, 16, 0, 0), &seen);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.rtm_protocol, 4);
	assert_int_equal(m.rtm_dst_len, 12);
	request_route(&r, RTM_NEWROUTE, over, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	attr_u32(&r, RTA_OIF, eth0());
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(route_lookup(&dst, 0, &res), 0);
	assert_int_equal(ip_addr_to_v4(&res.next_hop), IP4(10, 0, 0, 8));
	request_route(&r, RTM_DELROUTE, 0, IP4(172, 16, 0, 0), 12, 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ESRCH);
	request_route(&r, RTM_NEWROUTE, NLM_F_REPLACE, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -ENOENT);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(11, 0, 0, 1));
	attr_u32(&r, RTA_OIF, eth0());
	assert_int_equal(ask(s, &r), -ENETUNREACH);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 1), 12, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -EINVAL);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 33, IP4(10, 0, 0, 8));
	assert_int_equal(ask(s, &r), -EINVAL);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, 0);
	assert_int_equal(ask(s, &r), -ENODEV);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, 0);
	attr_u32(&r, RTA_OIF, 99);
	assert_int_equal(ask(s, &r), -ENODEV);
	request_route(&r, RTM_NEWROUTE, new, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 8));
	attr_u32(&r, 15, 100); /* another table */
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	sock_close(s);
	teardown();
}

static void addresses_come_and_go(void **state)
{
	const u16 new = NLM_F_CREATE | NLM_F_EXCL;
	struct ip_addr a = ip_addr_v4(IP4(192, 168, 7, 1));
	struct request r;
	struct socket *s;

	setup();
	s = open_netlink();
	request_addr(&r, RTM_NEWADDR, new, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 25);
	assert_int_equal(ask(s, &r), -EADDRNOTAVAIL);
	request_addr(&r, RTM_DELADDR, 0, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EADDRNOTAVAIL);
	assert_int_equal(route_classify(&a), ROUTE_UNICAST);
	request_addr(&r, RTM_NEWADDR, new, IP4(224, 0, 0, 1), 24);
	assert_int_equal(ask(s, &r), -EINVAL);
	request_addr(&r, RTM_NEWADDR, new, IP4(192, 168, 7, 1), 33);
	assert_int_equal(ask(s, &r), -EINVAL);
	sock_close(s);
	teardown();
}

static void links_change(void **state)
{
	struct ifinfomsg m = { 0 };
	struct request r;
	struct socket *s;
	struct netif *nif;

	setup();
	nif = netif_named("eth0");
	s = open_netlink();
	m.ifi_index = nif->index;
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr_u32(&r, IFLA_MTU, 1400);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(nif->mtu, 1400);
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr_u32(&r, IFLA_MTU, 10);
	assert_int_equal(ask(s, &r), -EINVAL);
	m.ifi_change = IFF_UP;
	begin(&r, RTM_SETLINK, 0, &m, sizeof(m));
	assert_int_equal(ask(s, &r), 0);
	assert_false(netif_is_up(nif));
	m.ifi_flags = IFF_UP;
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), 0);
	assert_true(netif_is_up(nif));
	assert_string_equal(nif->name, "wan");
	m = (struct ifinfomsg){ .ifi_change = IFF_PROMISC, .ifi_flags = IFF_PROMISC };
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), 0);
	assert_true(netif_is_up(nif) && (nif->flags & IFF_PROMISC));
	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "veth0", 6);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	begin(&r, RTM_DELLINK, 0, &m, sizeof(m));
	attr(&r, IFLA_IFNAME, "wan", 4);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	sock_close(s);
	teardown();
}

static void neighbours_come_and_go(void **state)
{
	struct ndmsg m = { AF_INET, 0, 0, 0, NUD_PERMANENT, 0, 0 };
	struct request r;
	struct socket *s;

	setup();
	s = open_netlink();
	m.ndm_ifindex = eth0();
	begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	attr(&r, NDA_LLADDR, peer_mac, 6);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(neigh_state_of(IP4(10, 0, 0, 7)), NEIGH_PERMANENT);
	assert_int_equal(ask(s, &r), -EEXIST);
	begin(&r, RTM_DELNEIGH, 0, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ENOENT);
	begin(&r, RTM_NEWNEIGH, NLM_F_CREATE, &m, sizeof(m));
	attr_ip(&r, NDA_DST, IP4(10, 0, 0, 7));
	attr(&r, NDA_LLADDR, peer_mac, 5);
	assert_int_equal(ask(s, &r), -EINVAL);
	sock_close(s);
	teardown();
}

static void only_root_changes(void **state)
{
	struct request r;
	struct socket *s;
	struct seen seen;

	setup();
	sim_root = false;
	s = open_netlink();
	request_addr(&r, RTM_NEWADDR, NLM_F_CREATE, IP4(192, 168, 7, 1), 24);
	assert_int_equal(ask(s, &r), -EPERM);
	request_route(&r, RTM_NEWROUTE, NLM_F_CREATE, IP4(172, 16, 0, 0), 12, IP4(10, 0, 0, 9));
	assert_int_equal(ask(s, &r), -EPERM);
	dump(s, RTM_GETADDR, 0, sizeof(struct ifaddrmsg), NULL, 0, &seen);
	assert_int_equal(seen.messages, 1);
	sim_root = true;
	sock_close(s);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_told),
		cmocka_unit_test(one_link_by_index_or_name),
		cmocka_unit_test(addresses_are_told),
		cmocka_unit_test(routes_are_told_and_looked_up),
		cmocka_unit_test(neighbours_are_told),
		cmocka_unit_test(routes_come_and_go),
		cmocka_unit_test(addresses_come_and_go),
		cmocka_unit_test(links_change),
		cmocka_unit_test(neighbours_come_and_go),
		cmocka_unit_test(only_root_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
