/* SPDX-License-Identifier: MIT */
/* ip6form.c - options of IPv6 and IPv4 sockets that few ask for: to become one of IPv4, to hear
 * only the near (RFC 5082), how long fragments were, router alerts (RFC 2113, 2711), anycast
 * addresses. What they must answer is what Linux answers. */
#include "ip6.h"

#ifndef IPV6_ADDRFORM
#define IPV6_ADDRFORM 1
#endif
#ifndef IPV6_ROUTER_ALERT
#define IPV6_ROUTER_ALERT 22
#endif
#ifndef IPV6_JOIN_ANYCAST
#define IPV6_JOIN_ANYCAST 27
#define IPV6_LEAVE_ANYCAST 28
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif
#ifndef IPV6_RECVFRAGSIZE
#define IPV6_RECVFRAGSIZE 77
#endif
#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif
#ifndef IP_MINTTL
#define IP_MINTTL 21
#endif

static int get_fails(int fd, int level, int opt)
{
	socklen_t len = sizeof(int);
	int v;

	return getsockopt(fd, level, opt, &v, &len);
}

static int listener(const char *host)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && bind_name(fd, name_of(host, 0)) == 0 && listen(fd, 4) == 0);
	return fd;
}

/* ---- IPV6_ADDRFORM ---- */

static void udp_becomes_ipv4(void)
{
	int s = udp_at("127.0.0.1"), c = open6(SOCK_DGRAM, 0);
	union name to = name6("::ffff:127.0.0.1", ntohs(own_name(s).v4.sin_port), 0), n;
	struct got *g;

	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), ENOTCONN);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET6), EINVAL);
	fails(setsockopt(c, SOL_IPV6, IPV6_ADDRFORM, "\2", 1), EINVAL);
	fails(get_fails(c, SOL_IPV6, IPV6_ADDRFORM), ENOTCONN);
	check(connect_name(c, name6("::1", 9, 0)) == 0);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), EADDRNOTAVAIL);
	check(connect_name(c, to) == 0);
	check(get(c, SOL_IPV6, IPV6_ADDRFORM) == AF_INET6);
	check(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET) == 0);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), ENOPROTOOPT);
	fails(set(c, SOL_IPV6, IPV6_UNICAST_HOPS, 4), ENOPROTOOPT);
	check(get(c, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	n = peer_name(c);
	check(n.sa.sa_family == AF_INET && n.v4.sin_port == to.v6.sin6_port);
	check(send(c, "four", 4, 0) == 4);
	g = receive(s, 0);
	n = own_name(c);
	check(g->n == 4 && g->from.v4.sin_port == n.v4.sin_port && n.sa.sa_family == AF_INET);
	check(send_name(s, "back", 4, n) == 4 && receive(c, 0)->n == 4);
	c = open6(SOCK_DGRAM, 0);
	check(set(c, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), ENOTCONN);
	c = open6(SOCK_RAW, 99);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), ENOPROTOOPT);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, 1), EINVAL);
	fails(get_fails(c, SOL_IPV6, IPV6_ADDRFORM), ENOPROTOOPT);
}

static void tcp_becomes_ipv4(void)
{
	int s = listener("::"), c = socket(AF_INET, SOCK_STREAM, 0), fd;
	char text[4];

	fails(set(s, SOL_IPV6, IPV6_ADDRFORM, AF_INET), ENOTCONN);
	check(connect_name(c, name4("127.0.0.1", port_of(s))) == 0);
	fd = accept(s, NULL, NULL);
	check(fd >= 0 && peer_name(fd).sa.sa_family == AF_INET6);
	check(get(fd, SOL_IPV6, IPV6_ADDRFORM) == AF_INET6);
	check(set(fd, SOL_IPV6, IPV6_ADDRFORM, AF_INET) == 0);
	check(get(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	check(peer_name(fd).v4.sin_port == own_name(c).v4.sin_port);
	check(peer_name(fd).sa.sa_family == AF_INET && own_name(fd).sa.sa_family == AF_INET);
	check(send(c, "text", 4, 0) == 4 && recv(fd, text, 4, MSG_WAITALL) == 4);
	check(send(fd, "text", 4, 0) == 4 && recv(c, text, 4, MSG_WAITALL) == 4);
	c = open6(SOCK_STREAM, 0);
	check(connect_name(c, name6("::1", port_of(s), 0)) == 0);
	fails(set(c, SOL_IPV6, IPV6_ADDRFORM, AF_INET), EADDRNOTAVAIL);
}

/* ---- IPV6_MINHOPCOUNT, IP_MINTTL ---- */

static void hears_the_near(const char *host, int level, int least, int hops)
{
	int s = listener(host), fd, c;
	union name to = name_of(host, port_of(s));

	check(get(s, level, least) == 0);
	fails(set(s, level, least, -1), EINVAL);
	fails(set(s, level, least, 256), EINVAL);
	check(set(s, level, least, 255) == 0 && get(s, level, least) == 255);
	/* what comes over lo has 64 hops left unless told otherwise */
	c = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fails(connect_name(c, to), EINPROGRESS);
	check(!readable(s, 300));
	close(c);
	c = socket(to.sa.sa_family, SOCK_STREAM, 0);
	check(set(c, level, hops, 255) == 0 && connect_name(c, to) == 0);
	fd = accept(s, NULL, NULL);
	check(fd >= 0 && get(fd, level, least) == 255);
	check(send(c, "near", 4, 0) == 4 && readable(fd, 1000));
	check(set(c, level, hops, 64) == 0 && recv(fd, &to, 4, 0) == 4);
	check(send(c, "far", 3, 0) == 3 && !readable(fd, 300));
	check(set(fd, level, least, 64) == 0 && readable(fd, 3000));
}

static void hop_limit_of_tcp(void)
{
	hears_the_near("::1", SOL_IPV6, IPV6_MINHOPCOUNT, IPV6_UNICAST_HOPS);
}

static void ttl_of_tcp(void)
{
	hears_the_near("127.0.0.1", SOL_IP, IP_MINTTL, IP_TTL);
}

/* UDP keeps the number and hears everybody. */
static void ttl_of_udp(void)
{
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0);

	check(set(s, SOL_IPV6, IPV6_MINHOPCOUNT, 255) == 0);
	check(get(s, SOL_IPV6, IPV6_MINHOPCOUNT) == 255);
	check(send_name(c, "x", 1, name6("::1", port_of(s), 0)) == 1 && readable(s, 1000));
}

/* ---- IPV6_RECVFRAGSIZE, IP_RECVFRAGSIZE ---- */

static void set_mtu_of_lo(int mtu)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = mtu };

	check(ioctl(open6(SOCK_DGRAM, 0), SIOCSIFMTU, &r) == 0);
}

/* Linux keeps the size in 16 bits: one below lo's usual MTU. */
static void fragments_of_ipv6(void)
{
	int s = udp_at("::1"), c = open6(SOCK_DGRAM, 0), t = open6(SOCK_STREAM, 0);
	union name to = name6("::1", port_of(s), 0);
	static char data[65527]; /* as much as there is: some more than lo's MTU with the headers */
	struct got *g;

	check(set(t, SOL_IPV6, IPV6_RECVFRAGSIZE, 1) == 0);
	check(set(s, SOL_IPV6, IPV6_RECVFRAGSIZE, 1) == 0);
	check(get(s, SOL_IPV6, IPV6_RECVFRAGSIZE) == 1);
	set_mtu_of_lo(65528);
	check(send_name(c, data, sizeof(data), to) == (long)sizeof(data));
	set_mtu_of_lo(65536);
	g = receive(s, 0);
	check(g->n == (long)sizeof(g->data) && (g->flags & MSG_TRUNC));
	check(control_int(g, SOL_IPV6, IPV6_RECVFRAGSIZE) == 65528);
	check(send_name(c, data, 100, to) == 100);
	check(!control(receive(s, 0), SOL_IPV6, IPV6_RECVFRAGSIZE, NULL));
}

static void fragments_of_ipv4(void)
{
	int s = udp_at("127.0.0.1"), c = socket(AF_INET, SOCK_DGRAM, 0);
	int t = socket(AF_INET, SOCK_STREAM, 0);

	fails(set(t, SOL_IP, IP_RECVFRAGSIZE, 1), EINVAL);
	check(get(t, SOL_IP, IP_RECVFRAGSIZE) == 0);
	check(set(s, SOL_IP, IP_RECVFRAGSIZE, 1) == 0 && get(s, SOL_IP, IP_RECVFRAGSIZE) == 1);
	check(send_name(c, "x", 1, name4("127.0.0.1", ntohs(own_name(s).v4.sin_port))) == 1);
	check(!control(receive(s, 0), SOL_IP, IP_RECVFRAGSIZE, NULL));
}

/* ---- router alerts ---- */

static void alerts(void)
{
	int raw = open6(SOCK_RAW, IPPROTO_RAW), other = open6(SOCK_RAW, 99);
	int four = socket(AF_INET, SOCK_RAW, 99), raw4 = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);

	check(four >= 0 && raw4 >= 0 && udp >= 0);
	fails(set(open6(SOCK_DGRAM, 0), SOL_IPV6, IPV6_ROUTER_ALERT, 0), ENOPROTOOPT);
	fails(set(other, SOL_IPV6, IPV6_ROUTER_ALERT, 0), ENOPROTOOPT);
	fails(set(raw, SOL_IPV6, IPV6_ROUTER_ALERT, -1), ENOBUFS);
	fails(setsockopt(raw, SOL_IPV6, IPV6_ROUTER_ALERT, "\0", 1), EINVAL);
	check(set(raw, SOL_IPV6, IPV6_ROUTER_ALERT, 5) == 0);
	fails(set(raw, SOL_IPV6, IPV6_ROUTER_ALERT, 5), EADDRINUSE);
	check(get(raw, SOL_IPV6, IPV6_ROUTER_ALERT) == 1);
	check(get(other, SOL_IPV6, IPV6_ROUTER_ALERT) == 0);
	check(set(raw, SOL_IPV6, IPV6_ROUTER_ALERT, -1) == 0);
	fails(set(udp, SOL_IP, IP_ROUTER_ALERT, 1), EINVAL);
	fails(set(raw4, SOL_IP, IP_ROUTER_ALERT, 1), EINVAL);
	fails(set(four, SOL_IP, IP_ROUTER_ALERT, 0), ENOBUFS);
	check(set(four, SOL_IP, IP_ROUTER_ALERT, 1) == 0);
	fails(set(four, SOL_IP, IP_ROUTER_ALERT, 1), EADDRINUSE);
	check(get(four, SOL_IP, IP_ROUTER_ALERT) == 1 && get(udp, SOL_IP, IP_ROUTER_ALERT) == 0);
	check(set(four, SOL_IP, IP_ROUTER_ALERT, 0) == 0);
}

/* ---- anycast ---- */

static int anycast(int fd, int opt, const char *addr, int index)
{
	struct ipv6_mreq m = { .ipv6mr_interface = index };

	check(inet_pton(AF_INET6, addr, &m.ipv6mr_multiaddr) == 1);
	return setsockopt(fd, SOL_IPV6, opt, &m, sizeof(m));
}

/* How many users /proc/net/anycast6 tells of fe80::5a5a, 0: it is not there. */
static unsigned users(void)
{
	FILE *f = fopen("/proc/net/anycast6", "r");
	unsigned index, nr = 0, n;
	char name[32], hex[40];

	check(f);
	while (fscanf(f, "%u %31s %39s %u", &index, name, hex, &n) == 4) {
		if (!strcmp(hex, "fe800000000000000000000000005a5a"))
			nr = n;
	}
	fclose(f);
	return nr;
}

static void anycasts(void)
{
	int a = open6(SOCK_DGRAM, 0), b = open6(SOCK_STREAM, 0);

	find_link();
	fails(anycast(a, IPV6_JOIN_ANYCAST, "ff02::1", link_index), EINVAL);
	fails(anycast(a, IPV6_JOIN_ANYCAST, "::1", 0), EINVAL);
	fails(anycast(a, IPV6_JOIN_ANYCAST, link_local, link_index), EINVAL);
	fails(anycast(a, IPV6_JOIN_ANYCAST, "fe80::5a5a", 4711), ENODEV);
	fails(anycast(a, IPV6_JOIN_ANYCAST, "2001:db8:99::1", link_index), EADDRNOTAVAIL);
	fails(setsockopt(a, SOL_IPV6, IPV6_JOIN_ANYCAST, "", 1), EINVAL);
	fails(anycast(a, IPV6_LEAVE_ANYCAST, "fe80::5a5a", link_index), ENOENT);
	check(anycast(a, IPV6_JOIN_ANYCAST, "fe80::5a5a", link_index) == 0 && users() == 1);
	check(anycast(a, IPV6_JOIN_ANYCAST, "fe80::5a5a", link_index) == 0 && users() == 2);
	check(anycast(b, IPV6_JOIN_ANYCAST, "fe80::5a5a", link_index) == 0 && users() == 3);
	check(anycast(a, IPV6_LEAVE_ANYCAST, "fe80::5a5a", 0) == 0 && users() == 2);
	close(a);
	check(users() == 1);
	close(b);
	check(users() == 0);
	a = open6(SOCK_DGRAM, 0);
	check(seteuid(1000) == 0);
	fails(anycast(a, IPV6_JOIN_ANYCAST, "fe80::5a5a", link_index), EPERM);
	fails(anycast(a, IPV6_LEAVE_ANYCAST, "fe80::5a5a", link_index), ENOENT);
}

static const struct test tests[] = {
	TEST(udp_becomes_ipv4),	 TEST(tcp_becomes_ipv4), TEST(hop_limit_of_tcp),
	TEST(ttl_of_tcp),	 TEST(ttl_of_udp),	 TEST(fragments_of_ipv6),
	TEST(fragments_of_ipv4), TEST(alerts),		 TEST(anycasts),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
