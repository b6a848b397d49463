/* SPDX-License-Identifier: MIT */
/* ip6ping.c - sockets of ICMPv6 that anybody may open (SOCK_DGRAM), over lo: identifiers, what may
 * be sent, replies. What they must answer is what Linux answers. As `ip6ping ADDRESS INTERFACE
 * SIZE` it sends three requests with so many bytes, one a second. */
#include "ip6.h"

static int ping(void)
{
	return open6(SOCK_DGRAM, IPPROTO_ICMPV6);
}

static long request(int fd, int type, int code, size_t len)
{
	struct icmp6_hdr h[4] = { { .icmp6_type = type, .icmp6_code = code } };

	h[0].icmp6_seq = htons(7);
	memcpy(h + 1, "abcdefgh", 8);
	return send_name(fd, h, len, name6("::1", 0, 0));
}

static void replies(void)
{
	struct timeval soon = { .tv_sec = 3 };
	unsigned char got[64];
	union name from;
	socklen_t len = sizeof(from);
	int fd = ping(), id;

	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) == 0);
	check(request(fd, 128, 0, 16) == 16);
	id = ntohs(own_name(fd).v6.sin6_port);
	check(id != 0);
	check(recvfrom(fd, got, sizeof(got), 0, &from.sa, &len) == 16);
	check(got[0] == 129 && got[1] == 0 && (got[4] << 8 | got[5]) == id);
	check(got[7] == 7 && !memcmp(got + 8, "abcdefgh", 8));
	check(len == sizeof(from.v6) && from.v6.sin6_port == 0);
	check(IN6_IS_ADDR_LOOPBACK(&from.v6.sin6_addr));
	/* connected: by write and read */
	check(connect_name(fd, name6("::1", 0, 0)) == 0);
	got[0] = 128;
	check(write(fd, got, 16) == 16);
	check(read(fd, got, sizeof(got)) == 16 && got[0] == 129);
}

static void requests(void)
{
	int fd = ping();

	fails(request(fd, 129, 0, 16), EINVAL);
	fails(request(fd, 8, 0, 16), EINVAL);
	fails(request(fd, 128, 1, 16), EINVAL);
	fails(request(fd, 128, 0, 7), EINVAL);
	fails(send_name(fd, "12345678", 8, name6("::ffff:127.0.0.1", 0, 0)), EINVAL);
	fails(write(fd, "\x80\0\0\0\0\0\0", 8), EDESTADDRREQ);
}

static void identifiers(void)
{
	int a = ping(), b = ping(), v4 = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

	check(bind_name(a, name6("::1", 4711, 0)) == 0);
	check(ntohs(own_name(a).v6.sin6_port) == 4711);
	fails(bind_name(b, name6("2001:db8:ffff::77", 1, 0)), EADDRNOTAVAIL);
	fails(bind_name(a, name6("::1", 4712, 0)), EINVAL);
	check(bind_name(b, name6("::1", 4712, 0)) == 0);
	check(v4 < 0 || bind_name(v4, name4("127.0.0.1", 4711)) == 0);
	fails(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
	fails(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
}

static const struct test tests[] = {
	TEST(replies),
	TEST(requests),
	TEST(identifiers),
};

static int send_three(const char *to, const char *interface, size_t size)
{
	union name name = name6(to, 0, if_nametoindex(interface));
	char *request = calloc(1, size + 8);
	int fd = ping();

	request[0] = (char)128;
	for (int i = 0; i < 3; i++) {
		if (send_name(fd, request, size + 8, name) < 0)
			perror("sendto");
		sleep(1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4)
		return send_three(argv[1], argv[2], atoi(argv[3]));
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
