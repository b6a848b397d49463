/* SPDX-License-Identifier: MIT */
/* ip6sock.c - sockets of AF_INET6: dual stack, who may bind where, names with scope ids, for TCP
 * and UDP. What they must answer is what Linux answers. */
#include "ip6.h"

static int listen_at(const char *host, int port)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && bind_name(fd, name_of(host, port)) == 0 && listen(fd, 5) == 0);
	return fd;
}

static int dial(const char *host, int port)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && connect_name(fd, name_of(host, port)) == 0);
	return fd;
}

static void pass_bytes(int a, int b)
{
	char buf[8];

	check(send(a, "ping", 4, 0) == 4 && recv(b, buf, 8, 0) == 4 && !memcmp(buf, "ping", 4));
	check(send(b, "pong", 4, 0) == 4 && recv(a, buf, 8, 0) == 4 && !memcmp(buf, "pong", 4));
}

/* ---- dual stack ---- */

static void tcp_both_versions(void)
{
	int l = listen_at("::", 0), port = port_of(l), a, b;
	union name peer;
	socklen_t len = sizeof(peer);

	check(is_addr(&(union name){ .v6 = own_name(l).v6 }, "::"));
	a = dial("127.0.0.1", port);
	b = accept(l, &peer.sa, &len);
	check(b >= 0 && len == sizeof(peer.v6) && is_addr(&peer, "::ffff:127.0.0.1"));
	check(peer.v6.sin6_scope_id == 0 && peer.v6.sin6_flowinfo == 0);
	peer = own_name(b);
	check(is_addr(&peer, "::ffff:127.0.0.1"));
	pass_bytes(a, b);
	close(a);
	close(b);
	a = dial("::1", port);
	b = accept(l, &peer.sa, &len);
	check(b >= 0 && is_addr(&peer, "::1") && peer.v6.sin6_scope_id == 0);
	peer = own_name(a);
	check(is_addr(&peer, "::1"));
	pass_bytes(a, b);
}

static void tcp_mapped_connect(void)
{
	int l = listen_at("127.0.0.1", 0), port = port_of(l), a, b;
	union name n;

	a = dial("::ffff:127.0.0.1", port);
	b = accept(l, NULL, NULL);
	check(b >= 0);
	n = own_name(a);
	check(is_addr(&n, "::ffff:127.0.0.1"));
	n = peer_name(a);
	check(is_addr(&n, "::ffff:127.0.0.1") && ntohs(n.v6.sin6_port) == port);
	n = peer_name(b);
	check(n.sa.sa_family == AF_INET && n.v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	pass_bytes(a, b);
	a = open6(SOCK_STREAM, 0);
	check(set(a, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	fails(connect_name(a, name6("::ffff:127.0.0.1", port, 0)), ENETUNREACH);
	/* bound to one of IPv4, :: means that version's */
	a = open6(SOCK_STREAM, 0);
	check(bind_name(a, name6("::ffff:127.0.0.1", 0, 0)) == 0);
	check(connect_name(a, name6("::", port, 0)) == 0);
	n = peer_name(a);
	check(is_addr(&n, "::ffff:127.0.0.1"));
}

static void tcp_any_is_loopback(void)
{
	int l = listen_at("::1", 0), a = dial("::", port_of(l));
	union name n = peer_name(a);

	check(is_addr(&n, "::1"));
	a = socket(AF_INET, SOCK_STREAM, 0);
	fails(connect_name(a, name4("127.0.0.1", port_of(l))), ECONNREFUSED);
	a = open6(SOCK_STREAM, 0);
	fails(connect_name(a, name6("ff02::1", 80, 1)), ENETUNREACH);
}

static void v6only(void)
{
	int l = open6(SOCK_STREAM, 0), l4, port, a;

	check(get(l, SOL_IPV6, IPV6_V6ONLY) == 0);
	check(set(l, SOL_IPV6, IPV6_V6ONLY, 7) == 0 && get(l, SOL_IPV6, IPV6_V6ONLY) == 1);
	fails(bind_name(l, name6("::ffff:127.0.0.1", 0, 0)), EINVAL);
	check(bind_name(l, name6("::", 0, 0)) == 0 && listen(l, 5) == 0);
	port = port_of(l);
	fails(set(l, SOL_IPV6, IPV6_V6ONLY, 0), EINVAL);
	a = socket(AF_INET, SOCK_STREAM, 0);
	fails(connect_name(a, name4("127.0.0.1", port)), ECONNREFUSED);
	l4 = listen_at("0.0.0.0", port);
	a = dial("127.0.0.1", port);
	check(accept(l4, NULL, NULL) >= 0);
	a = dial("::1", port);
	check(a >= 0 && accept(l, NULL, NULL) >= 0);
}

static void udp_both_versions(void)
{
	int s = udp_at("::"), port = port_of(s), a = udp_at("127.0.0.1"), b = udp_at("::1");
	union name n;
	struct got *g;
	char buf[8];

	check(send_name(a, "four", 4, name4("127.0.0.1", port)) == 4);
	g = receive(s, 0);
	check(g->n == 4 && is_addr(&g->from, "::ffff:127.0.0.1") && g->m.msg_namelen == 28);
	check(ntohs(g->from.v6.sin6_port) == port_of(a));
	check(send_name(s, "back", 4, g->from) == 4 && recv(a, buf, 8, 0) == 4);
	check(send_name(b, "six", 3, name6("::1", port, 0)) == 3);
	g = receive(s, 0);
	check(g->n == 3 && is_addr(&g->from, "::1") && g->from.v6.sin6_scope_id == 0);
	check(send_name(s, "back", 4, g->from) == 4 && recv(b, buf, 8, 0) == 4);
	/* connected to one of either version */
	check(connect_name(s, name6("::ffff:127.0.0.1", port_of(a), 0)) == 0);
	n = own_name(s);
	check(is_addr(&n, "::ffff:127.0.0.1") && send(s, "x", 1, 0) == 1 &&
	      recv(a, buf, 8, 0) == 1);
	n.sa.sa_family = AF_UNSPEC;
	check(connect(s, &n.sa, sizeof(n.v6)) == 0);
	n = own_name(s);
	check(is_addr(&n, "::"));
	check(connect_name(s, name6("::1", port_of(b), 0)) == 0);
	n = own_name(s);
	check(is_addr(&n, "::1") && send(s, "x", 1, 0) == 1 && recv(b, buf, 8, 0) == 1);
}

static void udp_v6only(void)
{
	int s = open6(SOCK_DGRAM, 0), a = udp_at("127.0.0.1");

	check(set(s, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	fails(send_name(s, "x", 1, name6("::ffff:127.0.0.1", port_of(a), 0)), ENETUNREACH);
	fails(connect_name(s, name6("::ffff:127.0.0.1", port_of(a), 0)), ENETUNREACH);
	s = open6(SOCK_DGRAM, 0);
	check(set(s, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	check(bind_name(s, name6("::", port_of(a), 0)) == 0);
}

/* A socket bound to an address of one version does not send to the other. */
static void bound_to_the_other(void)
{
	int a = udp_at("127.0.0.1"), b = udp_at("::1"), s = udp_at("::1");

	fails(send_name(s, "x", 1, name6("::ffff:127.0.0.1", port_of(a), 0)), ENETUNREACH);
	fails(connect_name(s, name6("::ffff:127.0.0.1", port_of(a), 0)), ENETUNREACH);
	s = udp_at("::ffff:127.0.0.1");
	fails(send_name(s, "x", 1, name6("::1", port_of(b), 0)), EAFNOSUPPORT);
	fails(connect_name(s, name6("::1", port_of(b), 0)), EAFNOSUPPORT);
	s = open6(SOCK_STREAM, 0);
	check(bind_name(s, name6("::1", 0, 0)) == 0);
	fails(connect_name(s, name6("::ffff:127.0.0.1", 9, 0)), ENETUNREACH);
	s = open6(SOCK_STREAM, 0);
	check(bind_name(s, name6("::ffff:127.0.0.1", 0, 0)) == 0);
	fails(connect_name(s, name6("::1", 9, 0)), EAFNOSUPPORT);
}

/* ---- who may bind beside whom ---- */

struct pair {
	const char *a, *b;
	int only_a, only_b; /* IPV6_V6ONLY */
	int clash;
};

static const struct pair pairs[] = {
	{ "::", "0.0.0.0", 0, 0, 1 },
	{ "0.0.0.0", "::", 0, 0, 1 },
	{ "::", "0.0.0.0", 1, 0, 0 },
	{ "0.0.0.0", "::", 0, 1, 0 },
	{ "::", "127.0.0.1", 0, 0, 1 },
	{ "127.0.0.1", "::", 0, 0, 1 },
	{ "::", "127.0.0.1", 1, 0, 0 },
	{ "::1", "127.0.0.1", 0, 0, 0 },
	{ "::1", "0.0.0.0", 0, 0, 0 },
	{ "0.0.0.0", "::1", 0, 0, 0 },
	{ "::1", "::", 0, 0, 1 },
	{ "::1", "::", 0, 1, 1 },
	{ "::", "::", 1, 1, 1 },
	{ "::", "::", 0, 1, 1 },
	{ "::", "::", 1, 0, 1 },
	{ "::ffff:0.0.0.0", "::", 0, 1, 0 },
	{ "::ffff:0.0.0.0", "::", 0, 0, 1 },
	{ "::ffff:0.0.0.0", "::1", 0, 0, 0 },
	{ "::ffff:127.0.0.1", "127.0.0.1", 0, 0, 1 },
	{ "::ffff:127.0.0.1", "0.0.0.0", 0, 0, 1 },
	{ "::ffff:127.0.0.1", "127.0.0.2", 0, 0, 0 },
	{ "::ffff:127.0.0.1", "::1", 0, 0, 0 },
};

static int one_of(const char *host, int type, int only)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, type, 0);

	check(fd >= 0);
	if (only)
		check(set(fd, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	return fd;
}

static void conflicts(int type)
{
	for (size_t i = 0; i < LENGTH(pairs); i++) {
		const struct pair *p = &pairs[i];
		int a = one_of(p->a, type, p->only_a), b = one_of(p->b, type, p->only_b), err;

		check(bind_name(a, name_of(p->a, 0)) == 0);
		if (type == SOCK_STREAM)
			check(listen(a, 1) == 0);
		err = bind_name(b, name_of(p->b, port_of(a))) ? errno : 0;
		if (err != (p->clash ? EADDRINUSE : 0))
			printf("%s%s then %s%s: errno %d\n", p->a, p->only_a ? " only" : "", p->b,
			       p->only_b ? " only" : "", err);
		check(err == (p->clash ? EADDRINUSE : 0));
		close(a);
		close(b);
	}
}

static void tcp_conflicts(void)
{
	conflicts(SOCK_STREAM);
}

static void udp_conflicts(void)
{
	conflicts(SOCK_DGRAM);
}

/* An IPv4 socket gets what is for it before one of both versions. */
static void udp_better_match(void)
{
	int a = open6(SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), c = udp_at("127.0.0.1");
	int d = udp_at("::1"), port;
	char buf[8];

	check(set(a, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set(b, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
	check(bind_name(a, name6("::", 0, 0)) == 0);
	port = port_of(a);
	check(bind_name(b, name4("0.0.0.0", port)) == 0);
	check(send_name(c, "x", 1, name4("127.0.0.1", port)) == 1 && recv(b, buf, 8, 0) == 1);
	check(send_name(d, "x", 1, name6("::1", port, 0)) == 1 && recv(a, buf, 8, 0) == 1);
	check(!readable(a, 20) && !readable(b, 20));
}

/* ---- names ---- */

static void name_errors(void)
{
	union name n = name6("::1", 0, 0), four = name4("127.0.0.1", 0);
	int t = open6(SOCK_STREAM, 0), u = open6(SOCK_DGRAM, 0);

	fails(bind(t, &n.sa, 23), EINVAL);
	fails(bind(t, &four.sa, sizeof(four.v4)), EINVAL);
	fails(bind(t, &four.sa, sizeof(four)), EAFNOSUPPORT);
	fails(bind(u, &four.sa, sizeof(four)), EAFNOSUPPORT);
	fails(connect(t, &four.sa, sizeof(four)), EAFNOSUPPORT);
	n.v6.sin6_port = htons(9);
	fails(connect(t, &n.sa, 23), EINVAL);
	fails(sendto(u, "x", 1, 0, &n.sa, 23), EINVAL);
	fails(connect(u, &n.sa, 23), EINVAL);
	n.v6.sin6_port = 0;
	fails(sendto(u, "x", 1, 0, &n.sa, sizeof(n.v6)), EINVAL);
	/* the form of RFC 2133 ends before the scope id */
	check(bind(t, &n.sa, 24) == 0);
	fails(bind(t, &n.sa, sizeof(n.v6)), EINVAL);
	u = open6(SOCK_DGRAM, 0);
	fails(bind_name(u, name6("2001:db8::1", 0, 0)), EADDRNOTAVAIL);
	fails(bind_name(u, name6("::ffff:192.0.2.1", 0, 0)), EADDRNOTAVAIL);
	fails(bind_name(open6(SOCK_STREAM, 0), name6("ff02::1", 0, 1)), EINVAL);
	fails(send(u, "x", 1, 0), EDESTADDRREQ);
}

/* A datagram socket of AF_INET6 takes IPv4's names for a destination. */
static void udp_v4_names(void)
{
	int s = open6(SOCK_DGRAM, 0), a = udp_at("127.0.0.1");
	union name n;
	char buf[8];

	check(send_name(s, "x", 1, name4("127.0.0.1", port_of(a))) == 1 && recv(a, buf, 8, 0) == 1);
	check(connect_name(s, name4("127.0.0.1", port_of(a))) == 0);
	n = peer_name(s);
	check(is_addr(&n, "::ffff:127.0.0.1"));
	s = open6(SOCK_DGRAM, 0);
	check(set(s, SOL_IPV6, IPV6_V6ONLY, 1) == 0);
	fails(send_name(s, "x", 1, name4("127.0.0.1", port_of(a))), ENETUNREACH);
	fails(connect_name(s, name4("127.0.0.1", port_of(a))), EAFNOSUPPORT);
}

static void short_buffers(void)
{
	int s = udp_at("::1");
	union name n;
	socklen_t len = 10;

	memset(&n, 0x55, sizeof(n));
	check(getsockname(s, &n.sa, &len) == 0 && len == sizeof(n.v6));
	check(n.sa.sa_family == AF_INET6 && ((char *)&n)[9] == 0 && ((char *)&n)[10] == 0x55);
}

/* ---- scope ids ---- */

static void bind_scope(void)
{
	int s = open6(SOCK_DGRAM, 0);
	union name n;

	find_link();
	fails(bind_name(s, name6(link_local, 0, 0)), EINVAL);
	fails(bind_name(s, name6(link_local, 0, 4711)), ENODEV);
	s = open6(SOCK_DGRAM, 0);
	fails(bind_name(s, name6("fe80::dead:beef", 0, link_index)), EADDRNOTAVAIL);
	s = open6(SOCK_DGRAM, 0);
	check(bind_name(s, name6(link_local, 0, link_index)) == 0);
	n = own_name(s);
	check(is_addr(&n, link_local) && n.v6.sin6_scope_id == (unsigned)link_index);
	/* the scope id of what needs none is not looked at */
	s = open6(SOCK_DGRAM, 0);
	check(bind_name(s, name6("::1", 0, 4711)) == 0);
	n = own_name(s);
	check(n.v6.sin6_scope_id == 0);
	s = open6(SOCK_DGRAM, 0);
	check(set(s, SOL_SOCKET, SO_BINDTODEVICE, 0) == 0);
	check(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, link_name, strlen(link_name) + 1) == 0);
	check(bind_name(s, name6(link_local, 0, 0)) == 0);
	n = own_name(s);
	check(n.v6.sin6_scope_id == (unsigned)link_index);
}

static void udp_scope(void)
{
	int s = open6(SOCK_DGRAM, 0), c = open6(SOCK_DGRAM, 0), port;
	union name n;
	struct got *g;
	char buf[8];

	find_link();
	check(bind_name(s, name6("::", 0, 0)) == 0);
	port = port_of(s);
	fails(connect_name(c, name6(link_local, port, 0)), EINVAL);
	check(connect_name(c, name6(link_local, port, link_index)) == 0);
	n = peer_name(c);
	check(is_addr(&n, link_local) && n.v6.sin6_scope_id == (unsigned)link_index);
	n = own_name(c);
	check(is_addr(&n, link_local) && n.v6.sin6_scope_id == (unsigned)link_index);
	check(send(c, "hello", 5, 0) == 5);
	g = receive(s, 0);
	check(g->n == 5 && is_addr(&g->from, link_local));
	check(g->from.v6.sin6_scope_id == (unsigned)link_index);
	check(send_name(s, "back", 4, g->from) == 4 && recv(c, buf, 8, 0) == 4);
	fails(connect_name(c, name6(link_local, port, link_index + 1)), EINVAL);
	/* and disconnect forgets the interface */
	n.sa.sa_family = AF_UNSPEC;
	check(connect(c, &n.sa, sizeof(n.v6)) == 0 && connect_name(c, name6("::1", port, 0)) == 0);
	check(send(c, "hello", 5, 0) == 5 && recv(s, buf, 8, 0) == 5);
}

static void tcp_scope(void)
{
	int l = open6(SOCK_STREAM, 0), a = open6(SOCK_STREAM, 0), b;
	union name n;
	socklen_t len = sizeof(n);

	find_link();
	check(bind_name(l, name6("::", 0, 0)) == 0 && listen(l, 1) == 0);
	fails(connect_name(a, name6(link_local, port_of(l), 0)), EINVAL);
	check(connect_name(a, name6(link_local, port_of(l), link_index)) == 0);
	b = accept(l, &n.sa, &len);
	check(b >= 0 && is_addr(&n, link_local) && n.v6.sin6_scope_id == (unsigned)link_index);
	n = own_name(b);
	check(n.v6.sin6_scope_id == (unsigned)link_index);
	n = peer_name(a);
	check(n.v6.sin6_scope_id == (unsigned)link_index);
	pass_bytes(a, b);
}

/* ---- what the files of /proc/net say ---- */

static int count_lines(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int n = 0;

	check(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

static void files(void)
{
	int l = listen_at("::1", 0), u = udp_at("::1"), a = listen_at("::", 0), b, c;
	char text[128];

	sprintf(text,
		": 00000000000000000000000001000000:%04X 00000000000000000000000000000000:0000 "
		"0A 00000000:00000000 00:00000000 00000000 ",
		port_of(l));
	check(count_lines("/proc/net/tcp6", text) == 1);
	sprintf(text,
		": 00000000000000000000000001000000:%04X 00000000000000000000000000000000:0000 "
		"07 00000000:00000000 00:00000000 00000000 ",
		port_of(u));
	check(count_lines("/proc/net/udp6", text) == 1 && count_lines("/proc/net/udp", text) == 0);
	b = dial("127.0.0.1", port_of(a));
	c = accept(a, NULL, NULL);
	sprintf(text,
		": 0000000000000000FFFF00000100007F:%04X 0000000000000000FFFF00000100007F:%04X 01",
		port_of(a), port_of(b));
	check(count_lines("/proc/net/tcp6", text) == 1);
	/* its TIME-WAIT too is the AF_INET6 socket's */
	close(c);
	check(recv(b, text + 100, 1, 0) == 0);
	close(b);
	text[strlen(text) - 2] = 0;
	check(count_lines("/proc/net/tcp6", text) == 1);
	check(count_lines("/proc/net/sockstat6", "TCP6: inuse ") == 1);
	check(count_lines("/proc/net/sockstat6", "UDP6: inuse ") == 1);
	check(count_lines("/proc/net/sockstat6", "RAW6: inuse ") == 1);
}

static const struct test tests[] = {
	TEST(tcp_both_versions),
	TEST(tcp_mapped_connect),
	TEST(tcp_any_is_loopback),
	TEST(v6only),
	TEST(udp_both_versions),
	TEST(udp_v6only),
	TEST(bound_to_the_other),
	TEST(tcp_conflicts),
	TEST(udp_conflicts),
	TEST(udp_better_match),
	TEST(name_errors),
	TEST(udp_v4_names),
	TEST(short_buffers),
	TEST(bind_scope),
	TEST(udp_scope),
	TEST(tcp_scope),
	TEST(files),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
