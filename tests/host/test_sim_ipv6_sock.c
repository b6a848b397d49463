/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_sock.c - AF_INET6 sockets (RFC 3493, 3542): both IP versions by one socket, names
 * and their scopes, what control messages say and tell. The errnos are Linux's. */
#include "sock6_calls.h"

static struct ip_addr any6, mapped_peer, mapped_host;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	stack_know_peer();
	any6 = ip_addr_any(AF_INET6);
	mapped_peer = ip_addr_v4(PEER);
	mapped_host = ip_addr_v4(HOST);
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* ---- two versions ---- */

static void mapped_both_ways(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17 };
	u8 u[9] = { 3, 9, PORT >> 8, PORT & 255, 0, 9, 0, 0, 'x' };
	struct socket *s;
	struct got *g;
	struct ip_addr from;

	setup();
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_RECVPKTINFO, 1), 0);
	peer_ipv4(&peer, host_mac, &h, u, sizeof(u));
	sim_run_ms(2);
	g = receive(s, 0);
	assert_int_equal(g->n, 1);
	assert_int_equal(g->m.name_len, sizeof(struct sockaddr_in6));
	from = addr_of(&g->from);
	assert_memory_equal(&from, &mapped_peer, 16);
	assert_int_equal(ntohs(g->from.sin6_port), PEER_PORT);
	assert_int_equal(g->from.sin6_scope_id, 0);
	/* where to, in IPv6's clothes */
	assert_memory_equal(control_of(g, SOL_IPV6, IPV6_PKTINFO, NULL), &mapped_host, 16);
	assert_int_equal(send_to(s, mapped_peer, PEER_PORT, 0, "back", 4), 4);
	assert_non_null(peer_take_proto(&peer, 17));
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "back", 4), 4);
	assert_non_null(heard_udp6(NULL, NULL));
	/* as a name of AF_INET, which Linux takes of datagram sockets */
	assert_int_equal(sock_send(s, PEER, "back", 4, MSG_DONTWAIT), -EINVAL); /* port 0 */
	sock_close(s);
	teardown();
}

static void v6only_hears_one(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17 };
	struct ipv6_fields h6 = { .src = PEER6, .dst = HOST6, .next = 17 };
	u8 u[9] = { 3, 9, PORT >> 8, PORT & 255, 0, 9, 0, 0, 'x' };
	struct socket *s;

	setup();
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(set6(s, IPV6_V6ONLY, 1), 0);
	assert_int_equal(bind6(s, mapped_host, PORT, 0), -EINVAL);
	assert_int_equal(bind6(s, any6, PORT, 0), 0);
	assert_int_equal(set6(s, IPV6_V6ONLY, 0), -EINVAL);
	assert_int_equal(get6(s, IPV6_V6ONLY), 1);
	peer_ipv4(&peer, host_mac, &h, u, sizeof(u));
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	peer_udp6(&h6, "y", 1);
	assert_int_equal(receive(s, 0)->n, 1);
	assert_int_equal(send_to(s, mapped_peer, PEER_PORT, 0, "x", 1), -ENETUNREACH);
	assert_int_equal(connect6(s, mapped_peer, PEER_PORT, 0), -ENETUNREACH);
	sock_close(s);
	teardown();
}

/* Who may have the same port: first, then second. */
struct sharing {
	const char *first, *second; /* "4": a socket of AF_INET, unspecified */
	bool only1, only2;
	int err;
};

static struct socket *at(const char *text, bool only, int *err)
{
	bool v4 = text[0] == '4';
	struct socket *s = v4 ? sock_open(SOCK_DGRAM, 0) : open6(SOCK_DGRAM, 0);

	if (only)
		assert_int_equal(set6(s, IPV6_V6ONLY, 1), 0);
	*err = v4 ? sock_bind(s, text[1] ? HOST : 0, PORT) : bind6(s, ip6(text), PORT, 0);
	return s;
}

static void ports_of_both_versions(void **state)
{
	static const struct sharing cases[] = {
		{ "::", "4", false, false, -EADDRINUSE },
		{ "4", "::", false, false, -EADDRINUSE },
		{ "::", "4", true, false, 0 },
		{ "4", "::", false, true, 0 },
		{ "::", "::", true, false, -EADDRINUSE },
		{ "::", "2001:db8::2", true, false, -EADDRINUSE },
		{ "2001:db8::2", "4", false, false, 0 },
		{ "2001:db8::2", "::ffff:10.0.0.2", false, false, 0 },
		{ "::ffff:10.0.0.2", "4host", false, false, -EADDRINUSE },
		{ "::ffff:0.0.0.0", "4host", false, false, -EADDRINUSE },
		{ "::ffff:0.0.0.0", "2001:db8::2", false, false, 0 },
		{ "::ffff:0.0.0.0", "::", false, true, 0 },
		{ "::", "4host", false, false, -EADDRINUSE },
	};

	setup();
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sharing *c = &cases[i];
		struct socket *a, *b;
		int err;

		a = at(c->first, c->only1, &err);
		assert_int_equal(err, 0);
		b = at(c->second, c->only2, &err);
		if (err != c->err)
			print_error("%s, then %s\n", c->first, c->second);
		assert_int_equal(err, c->err);
		sock_close(b);
		sock_close(a);
	}
	teardown();
}

static void versions_do_not_mix(void **state)
{
	union {
		struct sockaddr_in in;
		u8 room[28];
	} in = { { .sin_family = AF_INET, .sin_port = htons(PEER_PORT), .sin_addr = htonl(PEER) } };
	struct sockaddr_in6 in6;
	struct socket *s;

	setup();
	in6 = name6(PEER6, PEER_PORT, 0);
	s = udp6_at(HOST6, PORT);
	assert_int_equal(send_to(s, mapped_peer, PEER_PORT, 0, "x", 1), -ENETUNREACH);
	assert_int_equal(connect6(s, mapped_peer, PEER_PORT, 0), -ENETUNREACH);
	assert_int_equal(bind6(s, HOST6, PORT, 0), -EINVAL); /* twice */
	sock_close(s);
	s = udp6_at(mapped_host, PORT);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), -EAFNOSUPPORT);
	assert_int_equal(send_to(s, mapped_peer, PEER_PORT, 0, "x", 1), 1);
	assert_int_equal(connect6(s, mapped_peer, PEER_PORT, 0), 0);
	sock_close(s);
	/* names of the other family, and too short ones */
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind_name(s, &in, 16), -EINVAL);
	assert_int_equal(bind_name(s, &in, 28), -EAFNOSUPPORT);
	assert_int_equal(bind_name(s, &in6, 23), -EINVAL);
	assert_int_equal(connect_name(s, &in6, 23), -EINVAL);
	assert_int_equal(connect_name(s, &in6, 24), 0);
	assert_int_equal(connect_name(s, &in, 16), 0);
	assert_int_equal(bind6(s, ip6("2001:db8::99"), 0, 0), -EINVAL); /* has a port by now */
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, ip6("2001:db8::99"), 0, 0), -EADDRNOTAVAIL);
	assert_int_equal(bind6(s, ip_addr_v4(IP4(10, 0, 0, 77)), 0, 0), -EADDRNOTAVAIL);
	assert_int_equal(set6(s, IPV6_FREEBIND, 1), 0);
	assert_int_equal(bind6(s, ip6("2001:db8::99"), 0, 0), 0);
	sock_close(s);
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(connect_name(s, &in6, sizeof(in6)), -EAFNOSUPPORT);
	sock_close(s);
	teardown();
}

/* ---- scopes ---- */

static void link_local_names(void **state)
{
	struct ipv6_fields h = { .src = PEER6_LL, .next = 17 };
	struct sockaddr_in6 in;
	struct ip_addr ll;
	struct socket *s;
	struct got *g;

	setup();
	ll = host_ll();
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, ll, PORT, 0), -EINVAL);
	assert_int_equal(bind6(s, ll, PORT, 4711), -ENODEV);
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, ll, PORT, netif_named("lo")->index), -EADDRNOTAVAIL);
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(bind6(s, ll, PORT, eth0()), 0);
	in = own_name(s, false);
	assert_int_equal(in.sin6_scope_id, eth0());
	assert_memory_equal(in.sin6_addr, &ll, 16);
	h.dst = ll;
	peer_udp6(&h, "x", 1);
	g = receive(s, 0);
	assert_int_equal(g->n, 1);
	assert_int_equal(g->from.sin6_scope_id, eth0());
	/* bound to the link: another scope is none of its */
	assert_int_equal(connect6(s, PEER6_LL, PEER_PORT, netif_named("lo")->index), -EINVAL);
	assert_int_equal(connect6(s, PEER6_LL, PEER_PORT, 0), 0);
	assert_int_equal(own_name(s, true).sin6_scope_id, eth0());
	assert_int_equal(send_said(s, NULL, "x", 1, NULL, 0), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(connect6(s, PEER6_LL, PEER_PORT, 0), -EINVAL);
	assert_int_equal(connect6(s, PEER6_LL, PEER_PORT, eth0()), 0);
	in = own_name(s, false);
	assert_memory_equal(in.sin6_addr, &ll, 16);
	assert_int_equal(in.sin6_scope_id, eth0());
	sock_close(s);
	/* a scope where none is needed says nothing */
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(connect6(s, PEER6, PEER_PORT, 4711), 0);
	assert_int_equal(own_name(s, true).sin6_scope_id, 0);
	sock_close(s);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(send_to(s, PEER6_LL, PEER_PORT, eth0(), "x", 1), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	assert_int_equal(set6(s, IPV6_UNICAST_IF, htonl(eth0())), 0);
	assert_int_equal(send_to(s, PEER6_LL, PEER_PORT, 0, "x", 1), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	sock_close(s);
	teardown();
}

/* ---- control messages ---- */

struct pktinfo {
	struct ip_addr addr;
	u32 ifindex;
	u32 pad;
};
#define PKTINFO_LEN 20

static long send_info(struct socket *s, struct ip_addr to, u32 scope, struct ip_addr from, u32 oif)
{
	struct sockaddr_in6 name = name6(to, PEER_PORT, scope);
	struct pktinfo info = { .addr = from, .ifindex = oif };
	struct said c = { SOL_IPV6, IPV6_PKTINFO, &info, PKTINFO_LEN };

	return send_said(s, &name, "x", 1, &c, 1);
}

static void source_by_pktinfo(void **state)
{
	struct ip_addr second = ip6("2001:db8::22"), ll, src;
	struct pktinfo info;
	struct socket *s;

	setup();
	ll = host_ll();
	assert_int_equal(addr6_add("eth0", &second, 64, IFADDR_NODAD), 0);
	s = udp6_at(any6, PORT);
	assert_int_equal(send_info(s, PEER6, 0, second, 0), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_memory_equal(&src, &second, 16);
	assert_int_equal(send_info(s, PEER6, 0, ll, eth0()), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_memory_equal(&src, &ll, 16);
	assert_int_equal(send_info(s, PEER6, 0, ll, 0), -EINVAL);
	assert_int_equal(send_info(s, PEER6, 0, any6, 4711), -ENODEV);
	assert_int_equal(send_info(s, PEER6, 0, ip6("2001:db8::99"), 0), -EINVAL);
	assert_int_equal(send_info(s, PEER6_LL, 0, any6, eth0()), 1);
	assert_int_equal(send_info(s, PEER6_LL, eth0(), any6, netif_named("lo")->index), -EINVAL);
	assert_int_equal(send_info(s, mapped_peer, 0, mapped_host, 0), 1);
	assert_int_equal(send_info(s, mapped_peer, 0, second, 0), -EINVAL);
	peer_forget(&peer);
	/* for all that follow */
	info = (struct pktinfo){ .addr = second };
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_PKTINFO, &info, PKTINFO_LEN - 1), -EINVAL);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_PKTINFO, &info, PKTINFO_LEN), 0);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), 1);
	src = frame6_src(heard_udp6(NULL, NULL));
	assert_memory_equal(&src, &second, 16);
	sock_close(s);
	teardown();
}

static void numbers_by_control(void **state)
{
	struct sockaddr_in6 to;
	const struct frame *f;
	struct socket *s;
	int hops = 9, tclass = 0x44, two = 2, minus = -1;
	struct said c[2] = { { SOL_IPV6, IPV6_HOPLIMIT, &hops, 4 },
			     { SOL_IPV6, IPV6_TCLASS, &tclass, 4 } };

	setup();
	to = name6(PEER6, PEER_PORT, 0);
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_UNICAST_HOPS, 33), 0);
	assert_int_equal(send_said(s, &to, "x", 1, c, 2), 1);
	f = heard_udp6(NULL, NULL);
	assert_int_equal(frame6_hop_limit(f), 9);
	assert_int_equal(get_be32(f->data + 14) >> 20 & 0xff, 0x44);
	c[0].data = &minus;
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 33);
	hops = 256;
	c[0].data = &hops;
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	hops = 9;
	c[0].len = 3;
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	c[0] = (struct said){ SOL_IPV6, IPV6_DONTFRAG, &two, 4 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	c[0] = (struct said){ SOL_IPV6, 99, &two, 4 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	/* IPv4's are for IPv4's packets: not looked at */
	c[0] = (struct said){ SOL_IP, IP_TTL, &hops, 4 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 33);
	to = name6(mapped_peer, PEER_PORT, 0);
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), 1);
	assert_int_equal(frame_ip(peer_take_proto(&peer, 17))[8], 9);
	hops = 0;
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	sock_close(s);
	teardown();
}

/* 0 is a hop limit like any other; who asks for it gets it. */
static void hop_limit_0(void **state)
{
	struct ip_addr group = ip6("ff15::77");
	struct sockaddr_in6 to;
	int none = 0;
	struct said c = { SOL_IPV6, IPV6_HOPLIMIT, &none, 4 };
	struct socket *s, *m;
	struct {
		struct ip_addr group;
		u32 ifindex, pad;
	} mreq;

	setup();
	to = name6(PEER6, PEER_PORT, 0);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(send_said(s, &to, "x", 1, &c, 1), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 0);
	assert_int_equal(set6(s, IPV6_UNICAST_HOPS, 0), 0);
	assert_int_equal(get6(s, IPV6_UNICAST_HOPS), 0);
	assert_int_equal(send_said(s, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 0);
	assert_int_equal(set6(s, IPV6_UNICAST_HOPS, -1), 0);
	assert_int_equal(get6(s, IPV6_UNICAST_HOPS), 64);
	/* to a group it means: this host */
	m = udp6_at(any6, PORT);
	mreq.group = group;
	mreq.ifindex = eth0();
	assert_int_equal(sock_setopt(m, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &mreq, 20), 0);
	sim_run_ms(2);
	peer_forget(&peer);
	assert_int_equal(set6(s, IPV6_MULTICAST_HOPS, 0), 0);
	assert_int_equal(set6(s, IPV6_MULTICAST_IF, eth0()), 0);
	assert_int_equal(send_to(s, group, PORT, 0, "x", 1), 1);
	assert_null(heard_udp6(NULL, NULL));
	assert_int_equal(receive(m, 0)->n, 1);
	assert_int_equal(set6(s, IPV6_MULTICAST_HOPS, 1), 0);
	assert_int_equal(send_to(s, group, PORT, 0, "x", 1), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 1);
	assert_int_equal(receive(m, 0)->n, 1);
	sock_close(m);
	sock_close(s);
	/* IPv4's likewise (RFC 1112 6.1) */
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(connect_name(s,
				      &(struct sockaddr_in){ .sin_family = AF_INET,
							     .sin_port = htons(9),
							     .sin_addr = htonl(IP4(239, 1, 2, 3)) },
				      16),
			 0);
	assert_int_equal(set_at(s, SOL_IP, IP_MULTICAST_TTL, 0), 0);
	assert_int_equal(send_said(s, NULL, "x", 1, NULL, 0), 1);
	assert_null(peer_take_proto(&peer, 17));
	sock_close(s);
	teardown();
}

static void tells_of_packets(void **state)
{
	struct ipv6_fields h = { .src = PEER6,
				 .dst = HOST6,
				 .next = 17,
				 .hop_limit = 77,
				 .tclass = 0xb8,
				 .flow_label = 0x12345 };
	struct chain6 chain = { 0 };
	u8 be[4] = { 0x0b, 0x81, 0x23, 0x45 }, experiment[2] = { 0x1e, 0 };
	const u8 *p;
	struct pktinfo info;
	struct ip_addr host;
	struct socket *s;
	struct got *g;
	u32 len;

	setup();
	host = HOST6;
	s = udp6_at(any6, PORT);
	peer_udp6(&h, "x", 1);
	g = receive(s, 0);
	assert_int_equal(g->n, 1);
	assert_int_equal(g->m.control_used, 0);
	assert_int_equal(set6(s, IPV6_RECVPKTINFO, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVHOPLIMIT, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVTCLASS, 1), 0);
	assert_int_equal(set6(s, IPV6_FLOWINFO, 1), 0);
	assert_int_equal(set6(s, IPV6_2292PKTINFO, 1), 0);
	assert_int_equal(set6(s, IPV6_2292HOPLIMIT, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVORIGDSTADDR, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVHOPOPTS, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVDSTOPTS, 1), 0);
	assert_int_equal(set6(s, IPV6_RECVRTHDR, 1), 0);
	chain6_options(&chain, 0, experiment, 2);
	chain6_options(&chain, 60, experiment, 2);
	chain6_routing(&chain, 4, 0, NULL, 0);
	h.chain = &chain;
	peer_udp6(&h, "y", 1);
	g = receive(s, 0);
	assert_int_equal(g->n, 1);
	assert_int_equal(control_int(g, SOL_IPV6, IPV6_HOPLIMIT), 77);
	assert_int_equal(control_int(g, SOL_IPV6, IPV6_2292HOPLIMIT), 77);
	assert_int_equal(control_int(g, SOL_IPV6, IPV6_TCLASS), 0xb8);
	assert_memory_equal(control_of(g, SOL_IPV6, IPV6_FLOWINFO, &len), be, 4);
	p = control_of(g, SOL_IPV6, IPV6_PKTINFO, &len);
	assert_int_equal(len, PKTINFO_LEN);
	memcpy(&info, p, PKTINFO_LEN);
	assert_memory_equal(&info.addr, &host, 16);
	assert_int_equal(info.ifindex, eth0());
	assert_non_null(control_of(g, SOL_IPV6, IPV6_2292PKTINFO, NULL));
	p = control_of(g, SOL_IPV6, IPV6_RECVORIGDSTADDR, &len);
	assert_int_equal(len, sizeof(struct sockaddr_in6));
	assert_int_equal(get_be16(p + 2), PORT);
	p = control_of(g, SOL_IPV6, IPV6_HOPOPTS, &len);
	assert_int_equal(len, 8);
	assert_int_equal(p[2], 0x1e);
	p = control_of(g, SOL_IPV6, IPV6_DSTOPTS, &len);
	assert_int_equal(len, 8);
	p = control_of(g, SOL_IPV6, IPV6_RTHDR, &len);
	assert_int_equal(len, 8);
	assert_int_equal(p[2], 4);
	/* a peek leaves it there; what does not fit is told */
	peer_udp6(&h, "z", 1);
	assert_int_equal(receive(s, MSG_PEEK)->n, 1);
	g = receive(s, 0);
	assert_int_equal(control_int(g, SOL_IPV6, IPV6_HOPLIMIT), 77);
	sock_close(s);
	teardown();
}

/* ---- extension headers out ---- */

static void headers_out(void **state)
{
	static const u8 hop[8] = { 0, 0, 0x1e, 4 }, dst[16] = { 0, 1, 0x1e, 12 },
			long_[48] = { 0, 5 };
	struct said c[2] = { { SOL_IPV6, IPV6_HOPOPTS, hop, 8 },
			     { SOL_IPV6, IPV6_DSTOPTS, dst, 16 } };
	static const u8 routing[24] = { 0, 2, 0, 1 };
	struct sockaddr_in6 to;
	const struct frame *f;
	struct socket *s;
	u8 back[64];
	u32 len = sizeof(back);

	setup();
	to = name6(PEER6, PEER_PORT, 0);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(send_said(s, &to, "x", 1, c, 2), 1);
	f = heard_udp6(NULL, &len);
	assert_true(frame6_sound(f));
	assert_int_equal(len, 1);
	assert_int_equal(f->data[20], 0);
	assert_int_equal(f->data[54], 60);
	assert_int_equal(f->data[62], IPPROTO_UDP);
	/* RFC 2292's numbers, and one after the other in whatever order */
	c[0] = (struct said){ SOL_IPV6, IPV6_2292DSTOPTS, dst, 16 };
	c[1] = (struct said){ SOL_IPV6, IPV6_2292HOPOPTS, hop, 8 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 2), 1);
	f = heard_udp6(NULL, NULL);
	assert_int_equal(f->data[20], 0);
	assert_int_equal(f->data[54], 60);
	/* in place of the socket's own */
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_DSTOPTS, dst, 16), 0);
	assert_int_equal(send_said(s, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(heard_udp6(NULL, NULL)->data[20], 60);
	assert_int_equal(send_said(s, &to, "x", 1, c + 1, 1), 1);
	f = heard_udp6(NULL, NULL);
	assert_int_equal(f->data[20], 0);
	assert_int_equal(f->data[54], IPPROTO_UDP);
	len = sizeof(back);
	assert_int_equal(getopt6(s, IPV6_DSTOPTS, back, &len), 0);
	assert_int_equal(len, 16);
	assert_memory_equal(back, dst, 16);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_DSTOPTS, NULL, 0), 0);
	/* those in front of a routing header stay at home without one */
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_RTHDRDSTOPTS, dst, 16), 0);
	assert_int_equal(send_said(s, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(heard_udp6(NULL, NULL)->data[20], IPPROTO_UDP);
	/* lengths that lie, types that hosts do not send (RFC 5095), no room, no right */
	c[0] = (struct said){ SOL_IPV6, IPV6_HOPOPTS, dst, 8 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	c[0] = (struct said){ SOL_IPV6, IPV6_HOPOPTS, hop, 1 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	c[0] = (struct said){ SOL_IPV6, IPV6_RTHDR, routing, 24 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EINVAL);
	c[0] = (struct said){ SOL_IPV6, IPV6_DSTOPTS, long_, 48 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -ENOBUFS);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_DSTOPTS, long_, 48), -ENOBUFS);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_RTHDR, routing, 24), -EINVAL);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_RTHDR, NULL, 0), 0);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_HOPOPTS, hop, 7), -EINVAL);
	sim_root = false;
	c[0] = (struct said){ SOL_IPV6, IPV6_HOPOPTS, hop, 8 };
	assert_int_equal(send_said(s, &to, "x", 1, c, 1), -EPERM);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_HOPOPTS, hop, 8), -EPERM);
	assert_int_equal(set6(s, IPV6_TRANSPARENT, 1), -EPERM);
	sim_root = true;
	sock_close(s);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapped_both_ways),	  cmocka_unit_test(v6only_hears_one),
		cmocka_unit_test(ports_of_both_versions), cmocka_unit_test(versions_do_not_mix),
		cmocka_unit_test(link_local_names),	  cmocka_unit_test(source_by_pktinfo),
		cmocka_unit_test(numbers_by_control),	  cmocka_unit_test(hop_limit_0),
		cmocka_unit_test(tells_of_packets),	  cmocka_unit_test(headers_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
