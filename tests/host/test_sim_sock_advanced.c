/* SPDX-License-Identifier: MIT */
/* test_sim_sock_advanced.c - what few sockets ask for: how long the fragments were, what only
 * passes by with a router alert (RFC 2113, 2711), addresses that others have too, to be AF_INET's
 * from now on, to bind to what is nobody's. */
#include "sock6_calls.h"

#include <stdio.h>

#define ANYCAST ip6("2001:db8::aaaa")
#define FAR6 ip6("2001:db8:7::7")
#define FAR4 IP4(192, 0, 2, 7)

static struct ip_addr any6;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	stack_know_peer();
	any6 = ip_addr_any(AF_INET6);
	drops_mark();
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* ---- IPV6_RECVFRAGSIZE ---- */

static void length_of_ipv6_fragments(void **state)
{
	struct ipv6_fields h = { .src = PEER6, .dst = HOST6, .next = IPPROTO_UDP };
	struct chain6 atomic = { .len = 0 };
	static u8 data[2000], whole[2008];
	struct socket *s;
	struct got *g;
	u32 len;

	setup();
	len = udp6_datagram(whole, PEER_PORT, PORT, data, sizeof(data));
	wire_sum6_put(&h.src, &h.dst, IPPROTO_UDP, whole, len);
	s = udp6_at(any6, PORT);
	assert_int_equal(get6(s, IPV6_RECVFRAGSIZE), 0);
	for (u32 id = 1; id < 3; id++) {
		/* the longest is neither first nor last here */
		peer6_fragment(&peer, &h, id, whole, 0, 400, true);
		peer6_fragment(&peer, &h, id, whole, 1608, len - 1608, false);
		peer6_fragment(&peer, &h, id, whole, 400, 1208, true);
		sim_run_ms(2);
		g = receive(s, 0);
		assert_int_equal(g->n, sizeof(data));
		if (id == 1)
			assert_null(control_of(g, SOL_IPV6, IPV6_RECVFRAGSIZE, NULL));
		else
			assert_int_equal(control_int(g, SOL_IPV6, IPV6_RECVFRAGSIZE),
					 40 + 8 + 1208);
		assert_int_equal(set6(s, IPV6_RECVFRAGSIZE, 1), 0);
	}
	assert_int_equal(get6(s, IPV6_RECVFRAGSIZE), 1);
	peer_udp6(&h, "whole", 5);
	g = receive(s, 0);
	assert_int_equal(g->n, 5);
	assert_null(control_of(g, SOL_IPV6, IPV6_RECVFRAGSIZE, NULL));
	/* RFC 6946: one alone is a fragment as well */
	chain6_fragment(&atomic, 9, 0, false);
	h.chain = &atomic;
	len = udp6_datagram(whole, PEER_PORT, PORT, data, 10);
	wire_sum6_put(&h.src, &h.dst, IPPROTO_UDP, whole, len);
	peer6_send(&peer, NULL, &h, whole, len);
	sim_run_ms(2);
	g = receive(s, 0);
	assert_int_equal(g->n, 10);
	assert_int_equal(control_int(g, SOL_IPV6, IPV6_RECVFRAGSIZE), 40 + 8 + 18);
	sock_close(s);
	teardown();
}

/* ... and of a copy that a raw socket gets. */
static void length_of_ipv4_fragments(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 99, .id = 7 };
	struct socket *s;
	struct got *g;

	setup();
	s = sock_open(SOCK_RAW, 99);
	assert_int_equal(set_at(s, SOL_IP, IP_RECVFRAGSIZE, 1), 0);
	h.flags_off = 0x2000;
	peer_ipv4(&peer, host_mac, &h, NULL, 800);
	h.flags_off = 100;
	peer_ipv4(&peer, host_mac, &h, NULL, 1000);
	sim_run_ms(2);
	g = receive(s, 0);
	assert_int_equal(g->n, 20 + 1800);
	assert_int_equal(control_int(g, SOL_IP, IP_RECVFRAGSIZE), 1020);
	h.flags_off = 0;
	peer_ipv4(&peer, host_mac, &h, NULL, 10);
	sim_run_ms(2);
	g = receive(s, 0);
	assert_int_equal(g->n, 30);
	assert_null(control_of(g, SOL_IP, IP_RECVFRAGSIZE, NULL));
	sock_close(s);
	teardown();
}

/* ---- router alerts ---- */

/* True: it was passed on. */
static bool passes6(const char *alert)
{
	struct ipv6_fields h = { .src = PEER6, .dst = FAR6, .next = 99, .hop_limit = 9 };
	struct chain6 chain = { .len = 0 };

	peer_forget(&peer);
	chain6_options(&chain, 0, alert, 4);
	h.chain = &chain;
	peer6_send(&peer, host_mac, &h, "alert", 5);
	sim_run_ms(2);
	return peer6_take_proto(&peer, 99);
}

static void alerts_of_ipv6(void **state)
{
	struct socket *s, *other;
	struct got *g;

	setup();
	s = open6(SOCK_RAW, IPPROTO_RAW);
	other = open6(SOCK_RAW, 99);
	assert_int_equal(set6(other, IPV6_ROUTER_ALERT, 0), -ENOPROTOOPT);
	assert_int_equal(set6(s, IPV6_ROUTER_ALERT, -1), -ENOBUFS);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_ROUTER_ALERT, "\0", 1), -EINVAL);
	assert_int_equal(set6(s, IPV6_ROUTER_ALERT, 3), 0);
	assert_int_equal(set6(s, IPV6_ROUTER_ALERT, 3), -EADDRINUSE);
	assert_int_equal(get6(s, IPV6_ROUTER_ALERT), 1);
	assert_int_equal(get6(other, IPV6_ROUTER_ALERT), 0);
	/* of a host only what is for it comes up */
	assert_false(passes6("\x05\x02\0\x03"));
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	assert_int_equal(sysctl6("conf/eth0/accept_ra", "2"), 0);
	assert_int_equal(sysctl6("conf/eth0/forwarding", "1"), 0);
	sim_run_ms(10);
	assert_false(passes6("\x05\x02\0\x03"));
	g = receive(s, 0);
	assert_int_equal(g->n, 40 + 8 + 5); /* all of it */
	assert_int_equal(g->data[0] >> 4, 6);
	assert_memory_equal(g->data + 48, "alert", 5);
	assert_int_equal(receive(other, 0)->n, -EAGAIN);
	assert_true(passes6("\x05\x02\0\x04"));
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	/* where it comes from */
	s->bound_if = netif_named("lo")->index;
	assert_true(passes6("\x05\x02\0\x03"));
	s->bound_if = eth0();
	assert_false(passes6("\x05\x02\0\x03"));
	assert_int_equal(receive(s, 0)->n, 53);
	/* without memory it is lost */
	sim_fail_every(1);
	assert_false(passes6("\x05\x02\0\x03"));
	sim_fail_every(0);
	receive(s, 0);
	assert_int_equal(set6(s, IPV6_ROUTER_ALERT, -1), 0);
	assert_true(passes6("\x05\x02\0\x03"));
	sock_close(other);
	sock_close(s);
	teardown();
}

static bool passes4(u16 flags_off, const char *options, u32 len)
{
	struct ipv4_fields h = { .src = PEER,
				 .dst = FAR4,
				 .proto = 99,
				 .id = 5,
				 .ttl = 9,
				 .flags_off = flags_off,
				 .options = (const u8 *)options,
				 .option_len = 8 };

	peer_forget(&peer);
	peer_ipv4(&peer, host_mac, &h, NULL, len);
	sim_run_ms(2);
	return peer_take_proto(&peer, 99);
}

#define ALERT4 "\x01\x94\x04\0\0\0\0\0"

static void alerts_of_ipv4(void **state)
{
	struct socket *s, *raw;

	setup();
	s = sock_open(SOCK_RAW, 99);
	raw = sock_open(SOCK_RAW, IPPROTO_RAW);
	assert_int_equal(set_at(raw, SOL_IP, IP_ROUTER_ALERT, 1), -EINVAL);
	sock_close(raw);
	raw = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(set_at(raw, SOL_IP, IP_ROUTER_ALERT, 1), -EINVAL);
	sock_close(raw);
	assert_int_equal(set_at(s, SOL_IP, IP_ROUTER_ALERT, 0), -ENOBUFS);
	assert_int_equal(set_at(s, SOL_IP, IP_ROUTER_ALERT, 1), 0);
	assert_int_equal(set_at(s, SOL_IP, IP_ROUTER_ALERT, 1), -EADDRINUSE);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_forward", "1"), 0);
	assert_false(passes4(0, ALERT4, 10));
	assert_int_equal(receive(s, 0)->n, 28 + 10);
	assert_true(passes4(0, "\x01\x01\x01\0\0\0\0\0", 10));
	assert_true(passes4(0, "\x01\x94\x04\0\x01\0\0\0", 10));
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	/* whole or not at all */
	assert_false(passes4(0x2000, ALERT4, 800));
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	assert_false(passes4(100, ALERT4, 10));
	assert_int_equal(receive(s, 0)->n, 28 + 810);
	assert_int_equal(set_at(s, SOL_IP, IP_ROUTER_ALERT, 0), 0);
	assert_true(passes4(0, ALERT4, 10));
	sock_close(s);
	teardown();
}

/* ---- anycast ---- */

static int anycast(struct socket *s, int opt, struct ip_addr a, u32 ifindex)
{
	struct {
		struct ip_addr addr;
		u32 ifindex, pad;
	} m = { .addr = a, .ifindex = ifindex };

	return sock_setopt(s, SOL_IPV6, opt, &m, 20);
}

static bool shows(u32 users)
{
	char line[64];

	snprintf(line, sizeof(line), "20010db800000000000000000000aaaa %5u\n", users);
	return strstr(sim_read("/proc/net/anycast6"), line);
}

static const struct frame *ask(struct ip_addr target)
{
	struct ip_addr group = ip6_solicited_node(&target), from = PEER6;

	peer_forget(&peer);
	peer6_ns(&peer, &from, &group, &target);
	sim_run_ms(1200);
	return peer6_take_nd(&peer, 136, &target);
}

static void anycasts_are_joined(void **state)
{
	struct ip_addr group = ip6("ff15::1"), far = ip6("2001:db8:5::1");
	struct socket *s, *other;

	setup();
	s = open6(SOCK_DGRAM, 0);
	other = open6(SOCK_RAW, 99);
	sim_root = false;
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), -EPERM);
	sim_root = true;
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_JOIN_ANYCAST, "", 0), -EINVAL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, group, eth0()), -EINVAL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, HOST6, eth0()), -EINVAL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, HOST6, 0), -EINVAL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, 4711), -ENODEV);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ip_addr_v4(HOST), eth0()), -EADDRNOTAVAIL);
	/* nobody would send it here */
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, far, eth0()), -EADDRNOTAVAIL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, far, 0), -EADDRNOTAVAIL);
	assert_int_equal(anycast(s, IPV6_LEAVE_ANYCAST, ANYCAST, eth0()), -ENOENT);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), 0);
	assert_true(shows(1));
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, 0), 0);
	assert_int_equal(anycast(other, IPV6_JOIN_ANYCAST, ANYCAST, 0), 0);
	assert_true(shows(3));
	assert_int_equal(anycast(s, IPV6_LEAVE_ANYCAST, ANYCAST, 0), 0);
	assert_int_equal(anycast(s, IPV6_LEAVE_ANYCAST, ANYCAST, eth0()), 0);
	assert_int_equal(anycast(s, IPV6_LEAVE_ANYCAST, ANYCAST, 0), -ENOENT);
	sock_close(s);
	assert_true(shows(1));
	sock_close(other);
	assert_string_equal(sim_read("/proc/net/anycast6"), "");
	/* a router may have it anywhere */
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, far, eth0()), 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "0"), 0);
	assert_non_null(strstr(sim_read("/proc/net/anycast6"), "20010db80005"));
	sock_close(s);
	assert_string_equal(sim_read("/proc/net/anycast6"), "");
	for (u32 every = 1; every < 8; every++) {
		s = open6(SOCK_DGRAM, 0);
		sim_fail_every(every);
		for (u32 round = 0; round < 8; round++)
			anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, eth0());
		sim_fail_every(0);
		sock_close(s);
	}
	assert_string_equal(sim_read("/proc/net/anycast6"), "");
	teardown();
}

static void anycasts_are_heard(void **state)
{
	struct ipv6_fields h = { .src = PEER6, .dst = ANYCAST, .next = IPPROTO_UDP };
	struct sockaddr_in6 to = name6(PEER6, PEER_PORT, 0);
	struct ip_addr from = PEER6, target = ANYCAST, src;
	struct {
		struct ip_addr addr;
		u32 ifindex;
	} info = { .addr = ANYCAST };
	struct said said = { SOL_IPV6, IPV6_PKTINFO, &info, 20 };
	const struct frame *f;
	struct socket *s;

	setup();
	s = udp6_at(any6, PORT);
	assert_null(ask(target));
	assert_int_equal(send_said(s, &to, "x", 1, &said, 1), -EINVAL);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, target, eth0()), 0);
	f = ask(target);
	assert_non_null(f);
	/* RFC 4861 7.2.4: no override, and a host is no router */
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_SOLICITED);
	peer_udp6(&h, "data", 4);
	assert_int_equal(receive(s, 0)->n, 4);
	/* a source only for who asks for it */
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_false(ip_addr_eq(&src, &target));
	assert_int_equal(send_said(s, &to, "x", 1, &said, 1), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_true(ip_addr_eq(&src, &target));
	for (u32 own = 0; own < 2; own++) {
		assert_int_equal(sysctl6("anycast_src_echo_reply", own ? "1" : "0"), 0);
		peer6_echo(&peer, &from, &target, 1, 1, 8);
		sim_run_ms(5);
		f = peer6_take_icmp(&peer, 129, 0);
		assert_non_null(f);
		src = frame6_src(f);
		assert_int_equal(ip_addr_eq(&src, &target), own);
	}
	/* it outlives a pause of the interface */
	assert_int_equal(ifconfig_down("eth0"), 0);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	sim_run_s(3);
	stack_know_peer6();
	peer_udp6(&h, "data", 4);
	assert_int_equal(receive(s, 0)->n, 4);
	sock_close(s);
	assert_null(ask(target));
	teardown();
}

/* The module leaves with its interfaces; who joined before has nothing to leave any more. */
static void anycasts_and_the_module(void **state)
{
	struct ip_addr host = HOST6;
	struct socket *old, *new;

	setup();
	old = open6(SOCK_DGRAM, 0);
	assert_int_equal(anycast(old, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), 0);
	assert_int_equal(anycast(old, IPV6_JOIN_ANYCAST, ip6("fe80::77"), eth0()), 0);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(anycast(old, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), -EADDRNOTAVAIL);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	assert_true(addr6_wait(&host, 10000));
	new = open6(SOCK_DGRAM, 0);
	assert_int_equal(anycast(new, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), 0);
	assert_int_equal(anycast(old, IPV6_LEAVE_ANYCAST, ANYCAST, eth0()), 0);
	sock_close(old);
	assert_true(shows(1));
	sock_close(new);
	teardown();
}

/* ---- IPV6_ADDRFORM ---- */

static void becomes_one_of_ipv4(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = IPPROTO_UDP };
	struct mreq {
		struct ip_addr group;
		u32 ifindex, pad;
	} m = { .group = ip6("ff15::77") };
	struct sockaddr_in name;
	struct socket *s;
	u8 u[20] = { 0 };
	int on = 1;

	setup();
	m.ifindex = eth0();
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), -ENOTCONN);
	assert_int_equal(get6(s, IPV6_ADDRFORM), -ENOTCONN);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET6), -EINVAL);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_ADDRFORM, "\x02", 1), -EINVAL);
	assert_int_equal(connect6(s, PEER6, PEER_PORT, 0), 0);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), -EADDRNOTAVAIL);
	/* what is held back goes to where it was meant for */
	assert_int_equal(sock_setopt(s, 17, 1, &on, sizeof(on)), 0);
	assert_int_equal(send_said(s, NULL, "x", 1, NULL, 0), 1);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), -EBUSY);
	on = 0;
	assert_int_equal(sock_setopt(s, 17, 1, &on, sizeof(on)), 0);
	sock_close(s);

	s = udp6_at(any6, PORT);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &m, 20), 0);
	assert_int_equal(anycast(s, IPV6_JOIN_ANYCAST, ANYCAST, eth0()), 0);
	assert_int_equal(set6(s, IPV6_RECVPKTINFO, 1), 0);
	assert_int_equal(connect6(s, ip_addr_v4(PEER), PEER_PORT, 0), 0);
	assert_int_equal(get6(s, IPV6_ADDRFORM), AF_INET6);
	assert_non_null(strstr(sim_read("/proc/net/sockstat6"), "UDP6: inuse 1\n"));
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), 0);
	assert_int_equal(s->family, AF_INET);
	assert_non_null(strstr(sim_read("/proc/net/sockstat6"), "UDP6: inuse 0\n"));
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "UDP: inuse 1 "));
	assert_null(strstr(sim_read("/proc/net/igmp6"), "ff150000"));
	assert_string_equal(sim_read("/proc/net/anycast6"), "");
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), -ENOPROTOOPT);
	assert_int_equal(set6(s, IPV6_UNICAST_HOPS, 3), -ENOPROTOOPT);
	/* names are of the other kind from now on */
	on = 0;
	for (u32 peers = 0; peers < 2; peers++) {
		struct sockaddr_in6 in = own_name(s, peers);

		memcpy(&name, &in, sizeof(name));
		assert_int_equal(name.sin_family, AF_INET);
		assert_int_equal(ntohl(name.sin_addr), peers ? PEER : HOST);
	}
	assert_int_equal(send_said(s, NULL, "x", 1, NULL, 0), 1);
	assert_non_null(peer_take_proto(&peer, IPPROTO_UDP));
	peer_ipv4(&peer, host_mac, &h, u, udp6_datagram(u, PEER_PORT, PORT, "answer", 6));
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, 6);
	memset(&name, 0, sizeof(name));
	assert_int_equal(connect_name(s, &name, sizeof(name)), 0);
	sock_close(s);

	s = open6(SOCK_RAW, 99);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET), -ENOPROTOOPT);
	assert_int_equal(set6(s, IPV6_ADDRFORM, AF_INET6), -EINVAL);
	assert_int_equal(get6(s, IPV6_ADDRFORM), -ENOPROTOOPT);
	sock_close(s);
	teardown();
}

/* ---- ip_nonlocal_bind ---- */

static void bound_to_what_is_nobodys(void **state)
{
	struct ip_addr alien = ip6("2001:db8:99::1"), src;
	const char *v4 = "/proc/sys/net/ipv4/ip_nonlocal_bind";
	struct socket *s;

	setup();
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, alien, PORT, 0), -EADDRNOTAVAIL);
	assert_int_equal(sysctl6("ip_nonlocal_bind", "2"), -EINVAL);
	assert_int_equal(sysctl6("ip_nonlocal_bind", "1"), 0);
	assert_int_equal(bind6(s, alien, PORT, 0), 0);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_true(ip_addr_eq(&src, &alien));
	sock_close(s);
	assert_int_equal(sysctl6("ip_nonlocal_bind", "0"), 0);
	/* each version for itself */
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(s, FAR4, PORT), -EADDRNOTAVAIL);
	assert_int_equal(sim_write(v4, "1"), 0);
	assert_int_equal(sock_bind(s, FAR4, PORT), 0);
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, alien, PORT, 0), -EADDRNOTAVAIL);
	assert_int_equal(bind6(s, ip_addr_v4(FAR4), PORT, 0), 0);
	sock_close(s);
	assert_int_equal(sim_write(v4, "0"), 0);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_of_ipv6_fragments),
		cmocka_unit_test(length_of_ipv4_fragments),
		cmocka_unit_test(alerts_of_ipv6),
		cmocka_unit_test(alerts_of_ipv4),
		cmocka_unit_test(anycasts_are_joined),
		cmocka_unit_test(anycasts_are_heard),
		cmocka_unit_test(anycasts_and_the_module),
		cmocka_unit_test(becomes_one_of_ipv4),
		cmocka_unit_test(bound_to_what_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
