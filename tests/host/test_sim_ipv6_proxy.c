/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_proxy.c - answering for addresses that are not this host's alone: a router's
 * subnet-router anycast addresses (RFC 4291 2.6.1) and stations that a user named (RFC 4861 7.2.8),
 * and that neither outlives what it came with. */
#include "netlink_calls.h"
#include "stack6.h"

#define STATION ip6("2001:db8::77")
#define SUBNET ip6("2001:db8::")
#define OTHER ip6("2001:db8::88")

static bool has(const char *path, const char *text)
{
	const char *all = sim_read(path);

	return all && strstr(all, text);
}

static void begin_router(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	sim_run_s(5); /* announcements and reports are over */
	peer_forget(&peer);
	drops_mark();
}

/* Asks by multicast; the answer, and after how many ms. */
static const struct frame *ask_for(const struct ip_addr *target, u32 *ms)
{
	struct ip_addr station = STATION, group = ip6_solicited_node(target);
	const struct frame *f = NULL;

	peer6_ns(&peer, &station, &group, target);
	for (*ms = 0; !f && *ms < 1500; *ms += 10) {
		sim_run_ms(10);
		f = peer6_take_nd(&peer, 136, target);
	}
	return f;
}

static void a_router_has_its_subnets_addresses(void **state)
{
	struct ip_addr subnet = SUBNET, station = STATION, any = ip_addr_any(AF_INET6);
	struct ip_addr group = ip6_solicited_node(&subnet), more = ip6("2001:db8::3"), src;
	struct ip_addr between = ip6("2001:db8:5::1");
	const struct frame *f;
	u32 ms, most = 0;

	assert_int_equal(stack_up6(), 0);
	assert_null(ask_for(&subnet, &ms));
	stack_down6();

	begin_router();
	assert_true(has("/proc/net/anycast6", "20010db8000000000000000000000000     1\n"));
	for (u32 i = 0; i < 10; i++) {
		f = ask_for(&subnet, &ms);
		assert_non_null(f);
		most = max(most, ms);
		assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_ROUTER | NA6_SOLICITED);
		src = frame6_src(f);
		assert_false(ip_addr_eq(&src, &subnet));
	}
	assert_in_range(most, 100, 1000); /* not all at once */
	/* who knows us already has his answer now */
	peer6_ns(&peer, &station, &subnet, &subnet);
	sim_run_ms(5);
	assert_non_null(peer6_take_nd(&peer, 136, &subnet));
	/* reached, but not a source */
	peer.ip6[2] = station;
	peer.nr_ip6 = 3;
	peer6_echo(&peer, &station, &subnet, 1, 1, 8);
	sim_run_ms(50);
	f = peer6_take_icmp(&peer, 129, 0);
	assert_non_null(f);
	src = frame6_src(f);
	assert_false(ip_addr_eq(&src, &subnet));
	/* it was never checked for duplicates */
	assert_null(peer6_take_nd(&peer, 135, &subnet));
	peer6_ns(&peer, &any, &group, &subnet);
	sim_run_s(1);
	f = peer6_take_nd(&peer, 136, &subnet);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_ROUTER);
	/* as long as one address of the prefix is there; none of a link between two routers */
	assert_int_equal(addr6_add("eth0", &more, 64, IFADDR_NODAD), 0);
	assert_int_equal(addr6_add("eth0", &between, 127, IFADDR_NODAD), 0);
	assert_true(has("/proc/net/anycast6", "20010db8000000000000000000000000     2\n"));
	assert_false(has("/proc/net/anycast6", "20010db80005"));
	src = HOST6;
	assert_int_equal(addr6_del("eth0", &src), 0);
	assert_non_null(ask_for(&subnet, &ms));
	/* the address itself may be given all the same, and stays when routing ends */
	assert_int_equal(addr6_add("eth0", &subnet, 64, IFADDR_NODAD), 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "0"), 0);
	assert_int_equal(route_classify(&subnet), ROUTE_LOCAL);
	assert_int_equal(addr6_del("eth0", &subnet), 0);
	assert_int_equal(route_classify(&subnet), ROUTE_UNICAST);
	sim_run_ms(5);
	peer_forget(&peer); /* its announcements */
	assert_null(ask_for(&subnet, &ms));
	assert_string_equal(sim_read("/proc/net/anycast6"), "");
	stack_down6();
}

static void answers_that_wait_are_bounded(void **state)
{
	struct ip_addr subnet = SUBNET, group = ip6_solicited_node(&subnet);
	u32 n = 0;

	begin_router();
	for (u32 i = 0; i < 100; i++) {
		struct ip_addr s = STATION;

		s.b[13] = i;
		peer6_ns(&peer, &s, &group, &subnet);
	}
	sim_run_ms(2);
	assert_in_range(drops_since(DROP_ND_QUEUE), 30, 40);
	sim_run_s(1);
	while (peer6_take_nd(&peer, 136, &subnet))
		n++;
	assert_in_range(n, 60, 70);
	/* and go with the module */
	for (u32 i = 0; i < 20; i++)
		peer6_ns(&peer, NULL, &group, &subnet);
	sim_run_ms(2);
	stack_down6();
}

/* ---- proxies ---- */

static void proxy_request(struct request *r, u16 type, u16 flags, const struct ip_addr *addr,
			  u8 ntf)
{
	struct ndmsg m = { .ndm_family = AF_INET6,
			   .ndm_ifindex = eth0(),
			   .ndm_state = NUD_PERMANENT,
			   .ndm_flags = NTF_PROXY | ntf };

	begin(r, type, flags, &m, sizeof(m));
	attr(r, NDA_DST, addr, 16);
}

static u32 proxies(struct socket *s)
{
	struct ndmsg m = { .ndm_family = AF_INET6, .ndm_flags = NTF_PROXY };
	struct nlmsghdr h;
	struct request r;
	u32 n = 0, at = 0;

	begin(&r, RTM_GETNEIGH, NLM_F_DUMP, &m, sizeof(m));
	assert_int_equal(put(s, r.b, r.len), r.len);
	assert_true(take(s, 0) > 0);
	for (;; n++) {
		memcpy(&h, answer + at, sizeof(h));
		if (h.nlmsg_type == NLMSG_DONE)
			return n;
		memcpy(&m, answer + at + sizeof(h), sizeof(m));
		assert_true(m.ndm_flags & NTF_PROXY);
		at += h.nlmsg_len;
	}
}

static void stations_that_a_user_named(void **state)
{
	struct ip_addr addr = OTHER, station = STATION;
	struct socket *s;
	const struct frame *f;
	struct request r;
	u32 ms;

	begin_router();
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	s = open_netlink();
	proxy_request(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &addr, 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -EEXIST);
	assert_int_equal(proxies(s), 1);
	assert_null(ask_for(&addr, &ms)); /* not told to yet */
	assert_int_equal(sysctl6("conf/eth0/proxy_ndp", "1"), 0);
	f = ask_for(&addr, &ms);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_SOLICITED);
	assert_memory_equal(frame6_option(f, 2) + 2, host_mac, 6);
	/* asked as if we were that station, which is not to be sent on */
	peer6_ns(&peer, &station, &addr, &addr);
	sim_run_ms(5);
	assert_non_null(peer6_take_nd(&peer, 136, &addr));
	assert_null(peer6_take_nd(&peer, 135, &addr));
	/* a user's: it waits for the module */
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(proxies(s), 0);
	proxy_request(&r, RTM_NEWNEIGH, NLM_F_CREATE, &station, 0);
	assert_int_equal(ask(s, &r), -EOPNOTSUPP);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	assert_int_equal(sysctl6("conf/all/proxy_ndp", "1"), 0);
	sim_run_s(5);
	assert_int_equal(proxies(s), 1);
	assert_non_null(ask_for(&addr, &ms));
	proxy_request(&r, RTM_DELNEIGH, 0, &addr, 0);
	assert_int_equal(ask(s, &r), 0);
	assert_int_equal(ask(s, &r), -ENOENT);
	assert_null(ask_for(&addr, &ms));
	/* they are bounded, and go with the interface */
	for (u32 i = 0; i < 1100; i++) {
		addr.b[8] = i >> 8;
		addr.b[9] = i;
		proxy_request(&r, RTM_NEWNEIGH, NLM_F_CREATE, &addr, NTF_ROUTER);
		assert_int_equal(ask(s, &r), i < 1024 ? 0 : -ENOBUFS);
	}
	sock_close(s);
	assert_int_equal(sim_rmmod("rtnetlink", false), 0);
	assert_int_equal(sim_rmmod("netlink", false), 0);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_router_has_its_subnets_addresses),
		cmocka_unit_test(answers_that_wait_are_bounded),
		cmocka_unit_test(stations_that_a_user_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
