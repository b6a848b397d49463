/* SPDX-License-Identifier: MIT */
/* mcast.c - multicast sockets: RFC 3678's options as Linux answers them, and what their filters let
 * through. As `mcast GROUP PORT [SOURCE]` it is a member, of the group or of one source's, of
 * either IP version, and prints what it hears until it is killed. Options need an interface eth0 or
 * tap0 with an address.
 */
#include "sockets.h"

#include <net/if.h>

#define GROUP "239.7.8.10"

static struct in_addr own;
static int ifindex;

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	check(inet_pton(AF_INET, text, &a) == 1);
	return a;
}

static struct sockaddr_in in(const char *text, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = addr(text) };
}

static void find_interface(void)
{
	struct ifreq r = { .ifr_name = "eth0" };
	int fd = udp();

	if (ioctl(fd, SIOCGIFADDR, &r) < 0)
		strcpy(r.ifr_name, "tap0");
	check(ioctl(fd, SIOCGIFADDR, &r) == 0);
	own = ((struct sockaddr_in *)&r.ifr_addr)->sin_addr;
	check(ioctl(fd, SIOCGIFINDEX, &r) == 0);
	ifindex = r.ifr_ifindex;
	close(fd);
}

static int with_source(int fd, int opt, const char *group, const char *source)
{
	struct ip_mreq_source r = { .imr_multiaddr = addr(group),
				    .imr_interface = own,
				    .imr_sourceaddr = addr(source) };

	return setsockopt(fd, SOL_IP, opt, &r, sizeof(r));
}

static int plain(int fd, int opt, const char *group)
{
	struct ip_mreqn r = { .imr_multiaddr = addr(group), .imr_ifindex = ifindex };

	return setsockopt(fd, SOL_IP, opt, &r, sizeof(r));
}

static void joining(void)
{
	int fd = udp();
	char name[20];

	find_interface();
	fails(plain(fd, IP_ADD_MEMBERSHIP, "10.1.1.1"), EINVAL);
	fails(plain(fd, IP_DROP_MEMBERSHIP, GROUP), EADDRNOTAVAIL);
	check(plain(fd, IP_ADD_MEMBERSHIP, GROUP) == 0);
	fails(plain(fd, IP_ADD_MEMBERSHIP, GROUP), EADDRINUSE);
	check(plain(fd, IP_DROP_MEMBERSHIP, GROUP) == 0);
	ifindex = 9999;
	fails(plain(fd, IP_ADD_MEMBERSHIP, GROUP), ENODEV);
	find_interface();
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "239.9.9.%d", i);
		check(plain(fd, IP_ADD_MEMBERSHIP, name) == 0);
	}
	fails(plain(fd, IP_ADD_MEMBERSHIP, GROUP), ENOBUFS);
}

static void sources(void)
{
	int fd = udp(), other = udp();
	char name[20];

	find_interface();
	fails(with_source(fd, IP_BLOCK_SOURCE, GROUP, "10.9.9.1"), EINVAL);
	fails(with_source(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "10.9.9.1"), EINVAL);
	check(with_source(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "10.9.9.1") == 0);
	fails(with_source(fd, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "10.9.9.1"), EADDRNOTAVAIL);
	fails(with_source(fd, IP_BLOCK_SOURCE, GROUP, "10.9.9.1"), EINVAL);
	fails(with_source(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "10.9.9.2"), EADDRNOTAVAIL);
	check(with_source(fd, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "10.9.9.1") == 0);
	fails(plain(fd, IP_DROP_MEMBERSHIP, GROUP), EADDRNOTAVAIL);
	check(plain(other, IP_ADD_MEMBERSHIP, GROUP) == 0);
	fails(with_source(other, IP_UNBLOCK_SOURCE, GROUP, "10.9.9.1"), EADDRNOTAVAIL);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "10.9.9.%d", i);
		check(with_source(other, IP_BLOCK_SOURCE, GROUP, name) == 0);
	}
	fails(with_source(other, IP_BLOCK_SOURCE, GROUP, "10.9.9.99"), ENOBUFS);
	check(with_source(other, IP_UNBLOCK_SOURCE, GROUP, "10.9.9.4") == 0);
	check(plain(other, IP_DROP_MEMBERSHIP, GROUP) == 0);
}

static void whole_filters(void)
{
	struct {
		struct in_addr group, interface;
		unsigned mode, nr;
		struct in_addr source[4];
	} f = { addr(GROUP), { 0 }, MCAST_INCLUDE, 2, { addr("10.9.9.1"), addr("10.9.9.2") } };
	socklen_t len = sizeof(f);
	int fd = udp();

	find_interface();
	f.interface = own;
	fails(setsockopt(fd, SOL_IP, IP_MSFILTER, &f, 24), EINVAL);
	check(plain(fd, IP_ADD_MEMBERSHIP, GROUP) == 0);
	check(setsockopt(fd, SOL_IP, IP_MSFILTER, &f, 24) == 0);
	fails(setsockopt(fd, SOL_IP, IP_MSFILTER, &f, 20), EINVAL);
	f.mode = 7;
	f.nr = 4;
	check(getsockopt(fd, SOL_IP, IP_MSFILTER, &f, &len) == 0);
	check(f.mode == MCAST_INCLUDE && f.nr == 2 && len == 24);
	check(f.source[0].s_addr == addr("10.9.9.1").s_addr);
	f.nr = 11;
	fails(setsockopt(fd, SOL_IP, IP_MSFILTER, &f, sizeof(f)), ENOBUFS);
	f.nr = 0;
	check(setsockopt(fd, SOL_IP, IP_MSFILTER, &f, 16) == 0);
	fails(plain(fd, IP_DROP_MEMBERSHIP, GROUP), EADDRNOTAVAIL);
}

/* The options that know no address family. */
static void any_family(void)
{
	struct group_source_req r = { 0 };
	struct sockaddr_in g = in(GROUP, 0), s = in("10.9.9.1", 0);
	int fd = udp();

	find_interface();
	r.gsr_interface = ifindex;
	memcpy(&r.gsr_group, &g, sizeof(g));
	memcpy(&r.gsr_source, &s, sizeof(s));
	check(setsockopt(fd, SOL_IP, MCAST_JOIN_GROUP, &r, sizeof(struct group_req)) == 0);
	fails(setsockopt(fd, SOL_IP, MCAST_JOIN_GROUP, &r, sizeof(struct group_req)), EADDRINUSE);
	check(setsockopt(fd, SOL_IP, MCAST_BLOCK_SOURCE, &r, sizeof(r)) == 0);
	check(setsockopt(fd, SOL_IP, MCAST_UNBLOCK_SOURCE, &r, sizeof(r)) == 0);
	check(setsockopt(fd, SOL_IP, MCAST_LEAVE_GROUP, &r, sizeof(struct group_req)) == 0);
	check(setsockopt(fd, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &r, sizeof(r)) == 0);
	check(setsockopt(fd, SOL_IP, MCAST_LEAVE_SOURCE_GROUP, &r, sizeof(r)) == 0);
	fails(setsockopt(fd, SOL_IP, MCAST_LEAVE_GROUP, &r, sizeof(struct group_req)),
	      EADDRNOTAVAIL);
}

/* Own packets come back to members that want them of this host. */
static void filtered(void)
{
	struct sockaddr_in to = in(GROUP, 5009), any = in("0.0.0.0", 5009);
	int all = udp(), me = udp(), others = udp(), from = udp(), one = 1;
	struct ip_mreqn out = { 0 };
	char buf[8];

	find_interface();
	out.imr_ifindex = ifindex;
	check(setsockopt(from, SOL_IP, IP_MULTICAST_IF, &out, sizeof(out)) == 0);
	for (int *fd = (int[]){ all, me, others, -1 }; *fd >= 0; fd++) {
		check(setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, 4) == 0);
		check(bind(*fd, (void *)&any, sizeof(any)) == 0);
	}
	check(plain(all, IP_ADD_MEMBERSHIP, GROUP) == 0);
	check(with_source(me, IP_ADD_SOURCE_MEMBERSHIP, GROUP, inet_ntoa(own)) == 0);
	check(with_source(others, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "10.9.9.1") == 0);
	check(sendto(from, "hello", 5, 0, (void *)&to, sizeof(to)) == 5);
	check(readable(all, 10000) && recv(all, buf, 8, 0) == 5);
	check(readable(me, 10000) && recv(me, buf, 8, 0) == 5);
	check(!readable(others, 100));
}

static const struct test tests[] = {
	TEST(joining), TEST(sources), TEST(whole_filters), TEST(any_family), TEST(filtered),
};

static struct sockaddr_storage any_name(const char *text, int port)
{
	struct sockaddr_storage name = { 0 };
	struct sockaddr_in6 *in6 = (void *)&name;

	if (!strchr(text, ':')) {
		*(struct sockaddr_in *)&name = in(text, port);
		return name;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	check(inet_pton(AF_INET6, text, &in6->sin6_addr) == 1);
	return name;
}

/* The options of RFC 3678 5 that know both versions. */
static void join_any(int fd, const char *group, const char *source)
{
	int level = strchr(group, ':') ? IPPROTO_IPV6 : IPPROTO_IP;
	struct group_source_req with = { .gsr_interface = ifindex,
					 .gsr_group = any_name(group, 0) };
	struct group_req plain_group = { .gr_interface = ifindex, .gr_group = with.gsr_group };

	if (source) {
		with.gsr_source = any_name(source, 0);
		check(setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &with, sizeof(with)) == 0);
	} else {
		check(setsockopt(fd, level, MCAST_JOIN_GROUP, &plain_group, sizeof(plain_group)) ==
		      0);
	}
}

static int listen_to(const char *group, int port, const char *source)
{
	int v6 = strchr(group, ':') != NULL;
	struct sockaddr_storage own_name = any_name(v6 ? "::" : "0.0.0.0", port), from;
	char buf[2000], text[64];
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	find_interface();
	check(bind(fd, (void *)&own_name,
		   v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) == 0);
	join_any(fd, group, source);
	for (;;) {
		socklen_t len = sizeof(from);
		long n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len);

		if (n < 0)
			continue;
		if (v6)
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, text,
				  sizeof(text));
		else
			inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text,
				  sizeof(text));
		printf("%s:%.*s\n", text, (int)n, buf);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc >= 3)
		return listen_to(argv[1], atoi(argv[2]), argv[3]);
	return run_tests(argc, argv, tests, LENGTH(tests), 30);
}
