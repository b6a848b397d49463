/* SPDX-License-Identifier: MIT */
/* ip6raw.c - raw sockets of AF_INET6 and ping sockets: who sees which message, filters, checksums
 * that the kernel computes and checks (RFC 3542 3). What they must answer is what Linux answers. */
#include "ip6.h"

#define PROTO 253 /* RFC 3692: for experiments */

static int raw(int protocol)
{
	return open6(SOCK_RAW, protocol);
}

static int send_echo(int fd, const char *to, int ident, int seq)
{
	struct icmp6_hdr h = { .icmp6_type = ICMP6_ECHO_REQUEST };
	char buf[sizeof(h) + 8];

	h.icmp6_id = htons(ident);
	h.icmp6_seq = htons(seq);
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), "12345678", 8);
	return send_name(fd, buf, sizeof(buf), name6(to, 0, 0));
}

static void only_pass(int fd, int type)
{
	struct icmp6_filter f;

	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(type, &f);
	check(setsockopt(fd, SOL_ICMPV6, ICMP6_FILTER, &f, sizeof(f)) == 0);
}

/* No header in front, and a checksum that nobody wrote. */
static void echo(void)
{
	int fd = raw(IPPROTO_ICMPV6);
	struct icmp6_hdr *h;
	struct got *g;

	only_pass(fd, ICMP6_ECHO_REPLY);
	check(set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(send_echo(fd, "::1", 0x1234, 5) == 16);
	check(readable(fd, 1000));
	g = receive(fd, 0);
	h = (void *)g->data;
	check(g->n == 16 && h->icmp6_type == ICMP6_ECHO_REPLY && ntohs(h->icmp6_id) == 0x1234 &&
	      ntohs(h->icmp6_seq) == 5 && !memcmp(h + 1, "12345678", 8) && h->icmp6_cksum);
	check(is_addr(&g->from, "::1") && g->from.v6.sin6_port == 0);
	check(control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 64);
	check(!readable(fd, 30));
}

static void filter(void)
{
	int fd = raw(IPPROTO_ICMPV6), all = raw(IPPROTO_ICMPV6), other = raw(PROTO), n = 0;
	struct icmp6_filter f, back;
	socklen_t len = sizeof(back);
	char buf[64];

	memset(&back, 0xff, sizeof(back));
	check(getsockopt(fd, SOL_ICMPV6, ICMP6_FILTER, &back, &len) == 0 && len == sizeof(back));
	ICMP6_FILTER_SETPASSALL(&f);
	check(!memcmp(&f, &back, sizeof(f)));
	ICMP6_FILTER_SETBLOCK(ICMP6_ECHO_REPLY, &f);
	check(setsockopt(fd, SOL_ICMPV6, ICMP6_FILTER, &f, sizeof(f)) == 0);
	check(getsockopt(fd, SOL_ICMPV6, ICMP6_FILTER, &back, &len) == 0);
	check(!memcmp(&f, &back, sizeof(f)));
	check(send_echo(fd, "::1", 1, 1) == 16);
	do
		check(recv(all, buf, sizeof(buf), 0) > 0);
	while ((unsigned char)buf[0] != ICMP6_ECHO_REPLY);
	/* the request is seen, the reply is not */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
		check((unsigned char)buf[0] != ICMP6_ECHO_REPLY);
		n += (unsigned char)buf[0] == ICMP6_ECHO_REQUEST;
	}
	check(n == 1);
	fails(recv(all, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	fails(setsockopt(other, SOL_ICMPV6, ICMP6_FILTER, &f, sizeof(f)), EOPNOTSUPP);
	fails(getsockopt(other, SOL_ICMPV6, ICMP6_FILTER, &back, &len), EOPNOTSUPP);
}

static void checksum_option(void)
{
	int icmp = raw(IPPROTO_ICMPV6), fd = raw(PROTO);

	check(get(icmp, SOL_IPV6, IPV6_CHECKSUM) == 2 && get(fd, SOL_IPV6, IPV6_CHECKSUM) == -1);
	fails(set(icmp, SOL_IPV6, IPV6_CHECKSUM, 2), EINVAL);
	check(set(icmp, SOL_RAW, IPV6_CHECKSUM, 2) == 0);
	fails(set(fd, SOL_IPV6, IPV6_CHECKSUM, 3), EINVAL);
	check(set(fd, SOL_IPV6, IPV6_CHECKSUM, 4) == 0 && get(fd, SOL_RAW, IPV6_CHECKSUM) == 4);
	check(set(fd, SOL_IPV6, IPV6_CHECKSUM, -7) == 0 && get(fd, SOL_IPV6, IPV6_CHECKSUM) == -1);
}

/* A protocol that nobody has: summed by the kernel where it is asked to, and checked. */
static void checksum_of_own(void)
{
	int in = raw(PROTO), blind = raw(PROTO), out = raw(PROTO);
	char data[8] = "abcdefg", buf[64];

	check(set(out, SOL_IPV6, IPV6_CHECKSUM, 4) == 0 &&
	      set(in, SOL_IPV6, IPV6_CHECKSUM, 4) == 0);
	check(send_name(out, data, 8, name6("::1", 0, 0)) == 8);
	check(readable(in, 1000) && recv(in, buf, sizeof(buf), 0) == 8);
	check(!memcmp(buf, data, 4) && memcmp(buf + 4, data + 4, 2) &&
	      !memcmp(buf + 6, data + 6, 2));
	check(recv(blind, buf, sizeof(buf), 0) == 8);
	fails(send_name(out, data, 5, name6("::1", 0, 0)), EINVAL);
	while (recv(in, buf, sizeof(buf), MSG_DONTWAIT) > 0 ||
	       recv(out, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void names(void)
{
	int fd = raw(PROTO), any = raw(IPPROTO_RAW), v4 = socket(AF_INET, SOCK_RAW, PROTO);
	union name n = name6("::1", PROTO, 0), four = name4("127.0.0.1", 0);
	char buf[16];

	check(send_name(fd, "x", 1, n) == 1 && recv(fd, buf, 16, 0) == 1);
	n.v6.sin6_port = htons(PROTO + 1);
	fails(send_name(fd, "x", 1, n), EINVAL);
	fails(sendto(fd, "x", 1, 0, &four.sa, sizeof(four)), EAFNOSUPPORT);
	fails(bind_name(fd, name6("::ffff:127.0.0.1", 0, 0)), EADDRNOTAVAIL);
	fails(bind_name(fd, name6("2001:db8::1", 0, 0)), EADDRNOTAVAIL);
	check(bind_name(fd, name6("::1", 0, 0)) == 0);
	n = own_name(fd);
	check(is_addr(&n, "::1"));
	/* IPv4's are not seen */
	check(send_name(v4, "x", 1, four) == 1);
	fails(recv(fd, buf, 16, MSG_DONTWAIT), EAGAIN);
	fails(set(fd, SOL_IPV6, IPV6_V6ONLY, 0), EINVAL);
	fails(set(fd, SOL_IP, IP_TTL, 5), ENOPROTOOPT);
	check(get(any, SOL_IPV6, IPV6_HDRINCL) == 1 && get(fd, SOL_IPV6, IPV6_HDRINCL) == 0);
	fails(socket(AF_INET6, SOCK_RAW, 0), EPROTONOSUPPORT);
}

/* The whole packet from the user's hand. */
static void with_header(void)
{
	int out = raw(IPPROTO_RAW), in = raw(PROTO);
	unsigned char p[44] = { 0x60, 0, 0, 0, 0, 4, PROTO, 77 };
	struct got *g;

	check(set(in, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	memcpy(p + 8, &in6addr_loopback, 16);
	memcpy(p + 24, &in6addr_loopback, 16);
	memcpy(p + 40, "data", 4);
	check(send_name(out, p, sizeof(p), name6("::1", 0, 0)) == sizeof(p));
	check(readable(in, 1000));
	g = receive(in, 0);
	check(g->n == 4 && !memcmp(g->data, "data", 4) &&
	      control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 77);
}

/* Extension headers that came along. */
static void headers(void)
{
	int out = raw(IPPROTO_RAW), in = raw(PROTO);
	unsigned char p[40 + 16 + 4] = { 0x60, 0, 0, 0, 0, 20, 60, 64 };
	unsigned char *h;
	struct got *g;
	size_t len;

	check(set(in, SOL_IPV6, IPV6_RECVDSTOPTS, 1) == 0 &&
	      set(in, SOL_IPV6, IPV6_RECVHOPOPTS, 1) == 0);
	memcpy(p + 8, &in6addr_loopback, 16);
	memcpy(p + 24, &in6addr_loopback, 16);
	p[40] = PROTO;
	p[41] = 1;
	p[42] = 0x1e; /* RFC 4727: for experiments; who does not know it skips it */
	p[43] = 12;
	memcpy(p + 56, "data", 4);
	check(send_name(out, p, sizeof(p), name6("::1", 0, 0)) == sizeof(p));
	check(readable(in, 1000));
	g = receive(in, 0);
	check(g->n == 4 && !memcmp(g->data, "data", 4));
	h = control(g, SOL_IPV6, IPV6_DSTOPTS, &len);
	check(h && len == 16 && h[0] == PROTO && h[1] == 1 && h[3] == 12);
	check(!control(g, SOL_IPV6, IPV6_HOPOPTS, NULL));
}

static void connected(void)
{
	int fd = raw(IPPROTO_ICMPV6);
	struct icmp6_hdr h = { .icmp6_type = ICMP6_ECHO_REQUEST };
	char buf[64];

	only_pass(fd, ICMP6_ECHO_REPLY);
	fails(send(fd, &h, sizeof(h), 0), EDESTADDRREQ);
	check(connect_name(fd, name6("::1", 0, 0)) == 0);
	check(send(fd, &h, sizeof(h), 0) == sizeof(h));
	check(readable(fd, 1000) && recv(fd, buf, sizeof(buf), 0) == sizeof(h));
}

static void ping_socket(void)
{
	int fd, ident;
	struct icmp6_hdr *h, bad = { .icmp6_type = ICMP6_ECHO_REPLY };
	struct got *g;
	FILE *f = fopen("/proc/sys/net/ipv4/ping_group_range", "w");

	if (f) {
		fputs("0 2147483647\n", f);
		fclose(f);
	}
	fd = open6(SOCK_DGRAM, IPPROTO_ICMPV6);
	check(bind_name(fd, name6("::1", 0, 0)) == 0);
	ident = port_of(fd);
	check(ident);
	check(set(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) == 0);
	check(send_echo(fd, "::1", 0, 7) == 16);
	check(readable(fd, 1000));
	g = receive(fd, 0);
	h = (void *)g->data;
	check(g->n == 16 && h->icmp6_type == ICMP6_ECHO_REPLY && ntohs(h->icmp6_id) == ident &&
	      ntohs(h->icmp6_seq) == 7 && is_addr(&g->from, "::1"));
	check(control_int(g, SOL_IPV6, IPV6_HOPLIMIT) == 64);
	fails(send_name(fd, &bad, sizeof(bad), name6("::1", 0, 0)), EINVAL);
	fails(send_name(fd, "x", 1, name6("::1", 0, 0)), EINVAL);
}

static const struct test tests[] = {
	TEST(echo),	   TEST(filter),  TEST(checksum_option), TEST(checksum_of_own), TEST(names),
	TEST(with_header), TEST(headers), TEST(connected),	 TEST(ping_socket),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
