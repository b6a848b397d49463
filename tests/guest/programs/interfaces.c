/* SPDX-License-Identifier: MIT */
/* interfaces.c - what the C library asks of netlink (getifaddrs, if_nameindex, AI_ADDRCONFIG), and
 * netlink sockets themselves: names, acknowledgements, errors, events. */
#include "check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void getifaddrs_knows_lo(void)
{
	struct ifaddrs *all, *a;
	int link = 0, inet = 0;

	check(getifaddrs(&all) == 0);
	for (a = all; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, "lo") || !a->ifa_addr)
			continue;
		check(a->ifa_flags & IFF_LOOPBACK);
		if (a->ifa_addr->sa_family == AF_PACKET) {
			struct sockaddr_ll *ll = (void *)a->ifa_addr;

			check(ll->sll_hatype == 772 && ll->sll_halen == 6);
			check(ll->sll_ifindex == (int)if_nametoindex("lo"));
			link++;
		}
		if (a->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in *in = (void *)a->ifa_addr,
					   *mask = (void *)a->ifa_netmask;

			check(in->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
			check(mask->sin_addr.s_addr == htonl(0xff000000));
			inet++;
		}
	}
	freeifaddrs(all);
	check(link == 1 && inet == 1);
}

static void if_nameindex_lists_all(void)
{
	struct if_nameindex *all = if_nameindex();
	int lo = 0;

	check(all);
	for (int i = 0; all[i].if_index; i++) {
		char name[IF_NAMESIZE];

		check(!strcmp(if_indextoname(all[i].if_index, name), all[i].if_name));
		lo += !strcmp(name, "lo");
	}
	check(lo == 1);
	if_freenameindex(all);
}

static void addrconfig_finds_ipv4(void)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_DGRAM,
				  .ai_flags = AI_ADDRCONFIG | AI_NUMERICHOST };
	struct addrinfo *res;

	check(getaddrinfo("127.0.0.1", "9", &hints, &res) == 0);
	check(res->ai_family == AF_INET);
	freeaddrinfo(res);
}

static int open_netlink(unsigned groups)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	check(fd >= 0);
	check(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

static void the_first_socket_is_called_after_its_process(void)
{
	struct sockaddr_nl a, b;
	socklen_t len = sizeof(a);
	int first = open_netlink(0), second = open_netlink(0);

	check(getsockname(first, (struct sockaddr *)&a, &len) == 0 && len == sizeof(a));
	check(getsockname(second, (struct sockaddr *)&b, &len) == 0);
	check(a.nl_pid == (unsigned)getpid() && b.nl_pid && b.nl_pid != a.nl_pid);
	fails(bind(second, (struct sockaddr *)&a, sizeof(a)), EINVAL);
	fails(socket(AF_NETLINK, SOCK_RAW, 31), EPROTONOSUPPORT);
	fails(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

struct link_request {
	struct nlmsghdr h;
	struct ifinfomsg m;
};

static int ask(int fd, struct link_request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[4096];
	} in;

	r->h.nlmsg_len = sizeof(*r);
	r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	r->h.nlmsg_seq = 1234;
	check(send(fd, r, sizeof(*r), 0) == sizeof(*r));
	check(recv(fd, &in, sizeof(in), 0) >= 36);
	check(in.h.nlmsg_type == NLMSG_ERROR && in.h.nlmsg_seq == 1234);
	return in.e.error;
}

static void errors_come_as_messages(void)
{
	struct link_request r = { .h.nlmsg_type = RTM_GETLINK, .m.ifi_index = 4711 };
	int fd = open_netlink(0);

	check(ask(fd, &r) == -ENODEV);
	r.h.nlmsg_type = RTM_SETLINK;
	check(ask(fd, &r) == -ENODEV);
	r.m.ifi_index = if_nametoindex("lo");
	check(ask(fd, &r) == 0);
	check(setuid(65534) == 0);
	check(ask(fd, &r) == -EPERM);
}

static void lengths_can_be_peeked(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} r = { { sizeof(r), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_UNSPEC } };
	int fd = open_netlink(0);
	char b[8192];
	ssize_t n;

	r.h.nlmsg_len = NLMSG_LENGTH(sizeof(r.g));
	check(send(fd, &r, sizeof(r), 0) == sizeof(r));
	n = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
	check(n > 100 && n <= (ssize_t)sizeof(b));
	check(recv(fd, b, sizeof(b), 0) == n);
}

static void changes_are_told_to_groups(void)
{
	struct pollfd p = { .fd = open_netlink(RTMGRP_LINK), .events = POLLIN };
	int ctl = socket(AF_INET, SOCK_DGRAM, 0), old;
	struct ifreq ifr = { .ifr_name = "lo" };
	struct sockaddr_nl from;
	socklen_t len = sizeof(from);
	struct nlmsghdr h;

	check(ioctl(ctl, SIOCGIFMTU, &ifr) == 0);
	old = ifr.ifr_mtu;
	ifr.ifr_mtu = 16000;
	check(ioctl(ctl, SIOCSIFMTU, &ifr) == 0);
	ifr.ifr_mtu = old;
	check(ioctl(ctl, SIOCSIFMTU, &ifr) == 0);
	check(poll(&p, 1, 2000) == 1);
	check(recvfrom(p.fd, &h, sizeof(h), 0, (struct sockaddr *)&from, &len) == sizeof(h));
	check(h.nlmsg_type == RTM_NEWLINK && h.nlmsg_pid == 0);
	check(from.nl_pid == 0 && from.nl_groups == RTMGRP_LINK);
}

/* The module that owns the number is there, only the call is not. */
static void old_ioctls_are_not_served(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	fails(ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8935 /* SIOCGIFPFLAGS */, &ifr), ENOTTY);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(old_ioctls_are_not_served),
		TEST(getifaddrs_knows_lo),
		TEST(if_nameindex_lists_all),
		TEST(addrconfig_finds_ipv4),
		TEST(the_first_socket_is_called_after_its_process),
		TEST(errors_come_as_messages),
		TEST(lengths_can_be_peeked),
		TEST(changes_are_told_to_groups),
	};

	/* holds the module until it is killed */
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		open_netlink(0);
		pause();
	}
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
