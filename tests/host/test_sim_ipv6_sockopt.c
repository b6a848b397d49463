/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_sockopt.c - AF_INET6 sockets: groups and their sources (RFC 3493 5.2, RFC 3678),
 * raw ones (RFC 3542 3), leased flow labels, the module `ipv6` going away under open sockets and
 * coming back, and memory that runs out. */
#include "sock6_calls.h"

static struct ip_addr any6, group;

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	any6 = ip_addr_any(AF_INET6);
	group = ip6("ff15::77");
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* ---- groups ---- */

struct mreq {
	struct ip_addr group;
	u32 ifindex, pad;
};
#define MREQ_LEN 20

static int member(struct socket *s, int opt, struct ip_addr g, u32 ifindex)
{
	struct mreq m = { .group = g, .ifindex = ifindex };

	return sock_setopt(s, SOL_IPV6, opt, &m, MREQ_LEN);
}

/* group_req, and group_source_req with a source */
static int member_of(struct socket *s, int opt, struct ip_addr g, const char *source, u32 ifindex)
{
	u8 r[8 + 2 * SOCKADDR_MAX] = { 0 };
	struct sockaddr_in6 in = name6(g, 0, 0);

	memcpy(r, &ifindex, 4);
	memcpy(r + 8, &in, sizeof(in));
	if (source) {
		in = name6(ip6(source), 0, 0);
		memcpy(r + 8 + SOCKADDR_MAX, &in, sizeof(in));
	}
	return sock_setopt(s, SOL_IPV6, opt, r, source ? sizeof(r) : 8 + SOCKADDR_MAX);
}

static void joined_once_left_once(void **state)
{
	static const u8 mac[6] = { 2, 0, 0, 0, 0, 9 };
	static struct sim_nic second;
	struct socket *s;
	u32 index;

	setup();
	s = udp6_at(any6, PORT);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, eth0()), -EADDRINUSE);
	assert_int_equal(member_of(s, MCAST_JOIN_GROUP, group, NULL, eth0()), -EADDRINUSE);
	assert_int_equal(member_of(s, MCAST_LEAVE_GROUP, group, NULL, eth0()), 0);
	assert_int_equal(member(s, IPV6_DROP_MEMBERSHIP, group, eth0()), -EADDRNOTAVAIL);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, 4711), -ENODEV);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, PEER6, eth0()), -EINVAL);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, ip_addr_v4(IP4(239, 1, 2, 3)), eth0()),
			 -EADDRNOTAVAIL);
	assert_int_equal(sock_setopt(s, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &group, 16), -EINVAL);
	/* the interface by option or by route */
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, 0), 0);
	assert_int_equal(member(s, IPV6_DROP_MEMBERSHIP, group, 0), 0);
	/* one that vanishes takes the membership along; what is left can be given up */
	memset(&second, 0, sizeof(second));
	assert_int_equal(sim_nic_attach(&second, mac), 0);
	index = second.nif->index;
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, index), 0);
	sim_nic_detach(&second);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	sim_run_s(1);
	sock_close(s);
	sim_run_s(2);
	teardown();
}

static void data_to_group(const char *src)
{
	struct ipv6_fields h = { .src = ip6(src), .dst = group, .next = IPPROTO_UDP };

	peer_udp6(&h, "data", 4);
}

static void sources_are_filtered(void **state)
{
	struct socket *s, *other;

	setup();
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_MULTICAST_ALL, 0), 0);
	assert_int_equal(member_of(s, MCAST_JOIN_SOURCE_GROUP, group, "2001:db8::a", eth0()), 0);
	assert_int_equal(member_of(s, MCAST_JOIN_SOURCE_GROUP, group, "2001:db8::a", eth0()),
			 -EADDRNOTAVAIL);
	data_to_group("2001:db8::a");
	assert_int_equal(receive(s, 0)->n, 4);
	data_to_group("2001:db8::b");
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	assert_int_equal(member_of(s, MCAST_BLOCK_SOURCE, group, "2001:db8::b", eth0()), -EINVAL);
	assert_int_equal(member_of(s, MCAST_LEAVE_SOURCE_GROUP, group, "2001:db8::b", eth0()),
			 -EADDRNOTAVAIL);
	assert_int_equal(member_of(s, MCAST_LEAVE_SOURCE_GROUP, group, "2001:db8::a", eth0()), 0);
	assert_int_equal(member_of(s, MCAST_LEAVE_SOURCE_GROUP, group, "2001:db8::a", eth0()),
			 -EINVAL);
	/* all but some */
	assert_int_equal(member_of(s, MCAST_JOIN_GROUP, group, NULL, eth0()), 0);
	assert_int_equal(member_of(s, MCAST_BLOCK_SOURCE, group, "2001:db8::b", eth0()), 0);
	data_to_group("2001:db8::b");
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	data_to_group("2001:db8::a");
	assert_int_equal(receive(s, 0)->n, 4);
	assert_int_equal(member_of(s, MCAST_UNBLOCK_SOURCE, group, "2001:db8::b", eth0()), 0);
	data_to_group("2001:db8::b");
	assert_int_equal(receive(s, 0)->n, 4);
	sock_close(s);
	/* who joined nothing hears what the host hears, unless told not to */
	s = udp6_at(any6, PORT);
	other = open6(SOCK_DGRAM, 0);
	assert_int_equal(member(other, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	data_to_group("2001:db8::a");
	assert_int_equal(receive(s, 0)->n, 4);
	assert_int_equal(set6(s, IPV6_MULTICAST_ALL, 0), 0);
	data_to_group("2001:db8::a");
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	sock_close(other);
	sock_close(s);
	teardown();
}

/* group_filter: index, group, mode, number, sources */
#define FILTER_HEAD (8 + SOCKADDR_MAX + 8)

static u32 put_filter(u8 *p, u32 mode, u32 nr, u32 claim)
{
	struct sockaddr_in6 in = name6(group, 0, 0);
	u32 index = eth0();

	memset(p, 0, FILTER_HEAD + nr * SOCKADDR_MAX);
	memcpy(p, &index, 4);
	memcpy(p + 8, &in, sizeof(in));
	memcpy(p + 8 + SOCKADDR_MAX, &mode, 4);
	memcpy(p + 12 + SOCKADDR_MAX, &claim, 4);
	for (u32 i = 0; i < nr; i++) {
		in = name6(ip6("2001:db8::a"), 0, 0);
		in.sin6_addr[14] = i;
		memcpy(p + FILTER_HEAD + i * SOCKADDR_MAX, &in, sizeof(in));
	}
	return FILTER_HEAD + nr * SOCKADDR_MAX;
}

static void whole_filters(void **state)
{
	static u8 f[FILTER_HEAD + 70 * SOCKADDR_MAX];
	struct socket *s;
	u32 len, nr;

	setup();
	s = udp6_at(any6, PORT);
	assert_int_equal(set6(s, IPV6_MULTICAST_ALL, 0), 0);
	len = put_filter(f, MCAST_INCLUDE, 2, 2);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), -EINVAL);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), 0);
	data_to_group("2001:db8::10a");
	assert_int_equal(receive(s, 0)->n, 4);
	data_to_group("2001:db8::20a");
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	len = put_filter(f, 0, 0, 1) + SOCKADDR_MAX;
	assert_int_equal(getopt6(s, MCAST_MSFILTER, f, &len), 0);
	assert_int_equal(len, FILTER_HEAD + SOCKADDR_MAX);
	memcpy(&nr, f + 12 + SOCKADDR_MAX, 4);
	assert_int_equal(nr, 2);
	/* more than there are, than may be, a mode that is none */
	len = put_filter(f, MCAST_INCLUDE, 1, 2);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), -EINVAL);
	len = put_filter(f, MCAST_INCLUDE, 65, 65);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), -ENOBUFS);
	len = put_filter(f, 2, 1, 1);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), -EINVAL);
	len = put_filter(f, MCAST_INCLUDE, 0, 0);
	assert_int_equal(sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, len), 0);
	assert_int_equal(member(s, IPV6_DROP_MEMBERSHIP, group, eth0()), -EADDRNOTAVAIL);
	sock_close(s);
	teardown();
}

static void sends_to_groups(void **state)
{
	const struct frame *f;
	struct socket *s, *m;
	u8 mac[6];

	setup();
	m = udp6_at(any6, PORT);
	assert_int_equal(member(m, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	sim_run_ms(2);
	peer_forget(&peer);
	s = open6(SOCK_DGRAM, 0);
	assert_int_equal(set6(s, IPV6_MULTICAST_IF, 4711), -ENODEV);
	assert_int_equal(set6(s, IPV6_MULTICAST_IF, eth0()), 0);
	assert_int_equal(get6(s, IPV6_MULTICAST_IF), eth0());
	assert_int_equal(send_to(s, group, PORT, 0, "x", 1), 1);
	f = heard_udp6(NULL, NULL);
	assert_non_null(f);
	ip6_group_mac(mac, &group);
	assert_memory_equal(f->data, mac, 6);
	assert_int_equal(frame6_hop_limit(f), 1);
	assert_int_equal(receive(m, 0)->n, 1);
	assert_int_equal(set6(s, IPV6_MULTICAST_HOPS, 12), 0);
	assert_int_equal(set6(s, IPV6_MULTICAST_LOOP, 0), 0);
	assert_int_equal(send_to(s, group, PORT, 0, "x", 1), 1);
	assert_int_equal(frame6_hop_limit(heard_udp6(NULL, NULL)), 12);
	assert_int_equal(receive(m, 0)->n, -EAGAIN);
	sock_close(s);
	/* bound to an interface: no other */
	s = open6(SOCK_DGRAM, 0);
	s->bound_if = eth0();
	assert_int_equal(set6(s, IPV6_MULTICAST_IF, netif_named("lo")->index), -EINVAL);
	assert_int_equal(set6(s, IPV6_UNICAST_IF, htonl(eth0())), -EINVAL);
	assert_int_equal(send_to(s, group, PORT, 0, "x", 1), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	sock_close(s);
	sock_close(m);
	teardown();
}

/* ---- raw ---- */

#define ICMP6_FILTER 1

static void raw_gets_the_payload(void **state)
{
	struct ipv6_fields h = { .src = PEER6, .dst = HOST6, .next = 99 };
	struct ip_addr from, want = PEER6;
	struct socket *s;
	struct got *g;

	setup();
	s = open6(SOCK_RAW, 99);
	peer6_send(&peer, NULL, &h, "payload", 7);
	sim_run_ms(2);
	g = receive(s, 0);
	assert_int_equal(g->n, 7); /* no header (RFC 3542 3) */
	assert_memory_equal(g->data, "payload", 7);
	from = addr_of(&g->from);
	assert_memory_equal(&from, &want, 16);
	assert_int_equal(g->from.sin6_port, 0);
	/* a name's port is the protocol or nothing */
	assert_int_equal(send_to(s, PEER6, 99, 0, "x", 1), 1);
	assert_int_equal(send_to(s, PEER6, 98, 0, "x", 1), -EINVAL);
	assert_int_equal(send_to(s, ip_addr_v4(PEER), 0, 0, "x", 1), -ENETUNREACH);
	assert_int_equal(bind6(s, ip_addr_v4(HOST), 0, 0), -EADDRNOTAVAIL);
	assert_int_equal(set_at(s, SOL_IP, IP_TTL, 3), -ENOPROTOOPT);
	/* a connection's port is none */
	assert_int_equal(connect6(s, PEER6, 33434, 0), 0);
	assert_int_equal(send_said(s, NULL, "x", 1, NULL, 0), 1);
	/* connected to others: not for it */
	assert_int_equal(connect6(s, ip6("2001:db8::77"), 0, 0), 0);
	peer6_send(&peer, NULL, &h, "payload", 7);
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	sock_close(s);
	teardown();
}

static void raw_checksums(void **state)
{
	struct ipv6_fields h = { .src = PEER6, .dst = HOST6, .next = 99 };
	u8 m[20] = { 0 }, *bytes;
	const u8 *p;
	struct ip_addr host, to;
	struct socket *s;
	u32 len;

	setup();
	host = HOST6;
	to = PEER6;
	s = open6(SOCK_RAW, 99);
	assert_int_equal(get6(s, IPV6_CHECKSUM), -1);
	assert_int_equal(set6(s, IPV6_CHECKSUM, 3), -EINVAL);
	assert_int_equal(set6(s, IPV6_CHECKSUM, 4), 0);
	assert_int_equal(send_to(s, to, 0, 0, "123456789", 9), 9);
	p = frame6_payload(peer6_take_proto(&peer, 99), NULL, &len);
	assert_int_equal(len, 9);
	assert_int_equal(wire_sum6(&host, &to, 99, p, 9), 0);
	/* it does not fit into the datagram */
	assert_int_equal(send_to(s, to, 0, 0, "12345", 5), -EINVAL);
	/* in: only what is right */
	peer6_send(&peer, NULL, &h, m, 20);
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	bytes = m;
	put_be16(bytes + 4, wire_sum6(&to, &host, 99, m, 20));
	peer6_send(&peer, NULL, &h, m, 20);
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, 20);
	sock_close(s);
	s = open6(SOCK_RAW, IPPROTO_ICMPV6);
	assert_int_equal(get6(s, IPV6_CHECKSUM), 2);
	assert_int_equal(set6(s, IPV6_CHECKSUM, 2), -EINVAL);
	icmp6_message(m, 128, 0, 1, NULL, 0);
	assert_int_equal(send_to(s, to, 0, 0, m, 8), 8);
	p = frame6_payload(peer6_take_icmp(&peer, 128, 0), NULL, &len);
	assert_int_equal(wire_sum6(&host, &to, IPPROTO_ICMPV6, p, len), 0);
	sock_close(s);
	teardown();
}

static void icmp6_filter(void **state)
{
	u32 all[8], len = sizeof(all);
	struct ip_addr host, from;
	struct socket *s;

	setup();
	host = HOST6;
	from = PEER6;
	s = open6(SOCK_RAW, IPPROTO_ICMPV6);
	memset(all, 0xff, sizeof(all));
	all[129 / 32] &= ~(1u << (129 % 32));
	assert_int_equal(sock_setopt(s, SOL_ICMPV6, ICMP6_FILTER, all, sizeof(all)), 0);
	peer6_icmp(&peer, &from, &host, 128, 0, 1, NULL, 0);
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	peer6_icmp(&peer, &from, &host, 129, 0, 1, NULL, 0);
	sim_run_ms(2);
	assert_int_equal(receive(s, 0)->n, 8);
	sock_close(s);
	s = open6(SOCK_RAW, 99);
	assert_int_equal(sock_setopt(s, SOL_ICMPV6, ICMP6_FILTER, all, len), -EOPNOTSUPP);
	sock_close(s);
	teardown();
}

/* Ping sockets, unlike the others, want to be told which link; and the answer bears the label that
 * the asker chose, if the host is told to. */
static void echo_sockets_and_labels(void **state)
{
	static const u8 echo[8] = { 128 };
	struct ipv6_fields h = {
		.src = PEER6, .dst = HOST6, .next = IPPROTO_ICMPV6, .flow_label = 0x54321
	};
	struct socket *s;

	setup();
	s = open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	assert_int_equal(send_to(s, PEER6_LL, 0, 0, echo, 8), -EINVAL);
	assert_int_equal(send_to(s, ip6("ff02::1"), 0, 0, echo, 8), -EINVAL);
	assert_int_equal(set6(s, IPV6_UNICAST_IF, htonl(eth0())), 0);
	assert_int_equal(send_to(s, PEER6_LL, 0, 0, echo, 8), 8);
	sock_close(s);
	peer_forget(&peer);
	for (u32 reflects = 0; reflects < 2; reflects++) {
		const struct frame *f;
		u8 m[8];

		assert_int_equal(sysctl6("flowlabel_reflect", reflects ? "4" : "0"), 0);
		peer6_send(&peer, NULL, &h, m, icmp6_message(m, 128, 0, 1, NULL, 0));
		sim_run_ms(2);
		f = peer6_take_icmp(&peer, 129, 0);
		assert_non_null(f);
		assert_int_equal((get_be32(f->data + 14) & 0xfffff) == 0x54321, reflects);
	}
	assert_int_equal(sysctl6("flowlabel_reflect", "1"), -EINVAL);
	teardown();
}

/* What lies in the table while nobody uses it goes with time; what is one owner's is for no other.
 */
static void leased_labels(void **state)
{
	struct {
		struct ip_addr dst;
		u32 label;
		u8 action, share;
		u16 flags, expires, linger;
		u32 pad;
	} r = { .share = 1, .flags = 1 };
	struct sockaddr_in6 to;
	struct socket *a, *b;

	setup();
	to = name6(PEER6, PEER_PORT, 0);
	to.sin6_flowinfo = htonl(0x77777);
	r.dst = PEER6;
	r.label = htonl(0x77777);
	a = open6(SOCK_DGRAM, 0);
	b = open6(SOCK_DGRAM, 0);
	assert_int_equal(set6(a, IPV6_FLOWINFO_SEND, 1), 0);
	assert_int_equal(set6(b, IPV6_FLOWINFO_SEND, 1), 0);
	assert_int_equal(send_said(b, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(sock_setopt(a, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), sizeof(r));
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), -EPERM);
	assert_int_equal(send_said(b, &to, "x", 1, NULL, 0), -EINVAL);
	peer_forget(&peer);
	assert_int_equal(send_said(a, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(get_be32(heard_udp6(NULL, NULL)->data + 14) & 0xfffff, 0x77777);
	assert_non_null(strstr(sim_read("/proc/net/ip6_flowlabel"), "77777 1 "));
	sock_close(a);
	assert_int_equal(send_said(b, &to, "x", 1, NULL, 0), 1);
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), -EPERM);
	sim_run_s(7);
	/* nobody has looked at the table meanwhile */
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), sizeof(r));
	r.action = 1;
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), 0);
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), -ESRCH);
	r.action = 0;
	sim_run_s(7);
	assert_null(strstr(sim_read("/proc/net/ip6_flowlabel"), "77777"));
	/* bounded: no more for one who is not root than 32 */
	sim_root = false;
	r.share = 255;
	for (u32 i = 0; i < 32; i++) {
		r.label = 0;
		assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)),
				 sizeof(r));
	}
	r.label = 0;
	assert_int_equal(sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r)), -ENOBUFS);
	sim_root = true;
	/* no memory */
	for (u32 i = 1; i < 6; i++) {
		sim_fail_every(i);
		r.label = 0;
		sock_setopt(b, SOL_IPV6, IPV6_FLOWLABEL_MGR, &r, sizeof(r));
	}
	sim_fail_every(0);
	sock_close(b);
	teardown();
}

static void header_included(void **state)
{
	u8 m[48] = { 0x60, 0, 0, 0, 0, 8, 99, 7 };
	struct ip_addr forged = ip6("2001:db8:77::1"), to, src;
	const struct frame *f;
	struct socket *s;

	setup();
	to = PEER6;
	s = open6(SOCK_RAW, 99);
	assert_int_equal(get6(s, IPV6_HDRINCL), 0);
	assert_int_equal(set6(s, IPV6_HDRINCL, 1), 0);
	assert_int_equal(set6(s, IPV6_UNICAST_HOPS, 0), 0);
	memcpy(m + 8, &forged, 16);
	memcpy(m + 24, &to, 16);
	assert_int_equal(send_to(s, to, 0, 0, m, 48), 48);
	f = peer6_take_proto(&peer, 99);
	assert_non_null(f);
	src = frame6_src(f);
	assert_memory_equal(&src, &forged, 16);
	assert_int_equal(frame6_hop_limit(f), 7);
	assert_int_equal(send_to(s, to, 0, 0, m, 39), -EINVAL);
	sock_close(s);
	s = open6(SOCK_RAW, IPPROTO_RAW);
	assert_int_equal(get6(s, IPV6_HDRINCL), 1);
	sock_close(s);
	teardown();
}

/* ---- the module goes and comes ---- */

static void ipv6_leaves_under_sockets(void **state)
{
	struct ipv6_fields h = { .src = PEER6, .dst = HOST6, .next = IPPROTO_UDP };
	struct ip_addr host;
	struct socket *s, *c, *raw;

	setup();
	host = HOST6;
	stack_know_peer();
	s = udp6_at(any6, PORT);
	c = open6(SOCK_DGRAM, 0);
	raw = open6(SOCK_RAW, 99);
	assert_int_equal(connect6(c, PEER6, PEER_PORT, 0), 0);
	assert_int_equal(member(s, IPV6_ADD_MEMBERSHIP, group, eth0()), 0);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), -EAFNOSUPPORT);
	assert_int_equal(send_said(c, NULL, "x", 1, NULL, 0), -EAFNOSUPPORT);
	assert_int_equal(send_to(raw, PEER6, 0, 0, "x", 1), -EAFNOSUPPORT);
	assert_int_equal(get6(s, IPV6_UNICAST_HOPS), 64);
	assert_int_equal(get6(c, IPV6_MTU), -ENOTCONN);
	peer_udp6(&h, "x", 1);
	assert_int_equal(receive(s, 0)->n, -EAGAIN);
	/* the other version's packets go on */
	assert_int_equal(send_to(s, ip_addr_v4(PEER), PEER_PORT, 0, "x", 1), 1);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	assert_true(addr6_wait(&host, 5000));
	stack_know_peer6();
	peer_forget(&peer);
	assert_int_equal(send_to(s, PEER6, PEER_PORT, 0, "x", 1), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	assert_int_equal(send_said(c, NULL, "x", 1, NULL, 0), 1);
	assert_non_null(heard_udp6(NULL, NULL));
	peer_udp6(&h, "x", 1);
	assert_int_equal(receive(s, 0)->n, 1);
	data_to_group("2001:db8::a");
	assert_int_equal(receive(s, 0)->n, 4);
	sock_close(raw);
	sock_close(c);
	sock_close(s);
	teardown();
}

/* ---- no memory ---- */

static void without_memory(void **state)
{
	static u8 f[FILTER_HEAD + 4 * SOCKADDR_MAX];
	struct ipv6_fields h = { .src = PEER6, .dst = HOST6, .next = IPPROTO_UDP };
	struct ip_addr host;

	setup();
	host = HOST6;
	for (u32 every = 1; every < 12; every++) {
		for (u32 round = 0; round < 10; round++) {
			struct socket *s;

			sim_fail_every(every);
			s = sock_open6(SOCK_DGRAM, 0);
			if (IS_ERR(s))
				continue;
			bind6(s, any6, PORT, 0);
			set6(s, IPV6_RECVERR, 1);
			set6(s, IPV6_RECVPATHMTU, 1);
			set6(s, IPV6_DONTFRAG, 1);
			member(s, IPV6_ADD_MEMBERSHIP, group, eth0());
			member_of(s, MCAST_BLOCK_SOURCE, group, "2001:db8::b", eth0());
			sock_setopt(s, SOL_IPV6, MCAST_MSFILTER, f, put_filter(f, 0, 3, 3));
			send_to(s, PEER6, PEER_PORT, 0, f, sizeof(f));
			send_to(s, PEER6, PEER_PORT, 0, "x", 1);
			peer6_error(&peer, &host, 1, 3, 0, f, 100);
			peer_udp6(&h, "x", 1);
			receive(s, 0);
			receive(s, MSG_ERRQUEUE);
			sock_close(s);
			peer_forget(&peer);
		}
	}
	sim_fail_every(0);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_once_left_once),
		cmocka_unit_test(sources_are_filtered),
		cmocka_unit_test(whole_filters),
		cmocka_unit_test(sends_to_groups),
		cmocka_unit_test(raw_gets_the_payload),
		cmocka_unit_test(raw_checksums),
		cmocka_unit_test(icmp6_filter),
		cmocka_unit_test(echo_sockets_and_labels),
		cmocka_unit_test(leased_labels),
		cmocka_unit_test(header_included),
		cmocka_unit_test(ipv6_leaves_under_sockets),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
