/* SPDX-License-Identifier: MIT */
/* ip6many addresses|routes|groups N - gives eth0 so many of IPv6 until one is refused, takes all
 * away again and says how many there were, what the refusal was and how many could not be taken
 * away. With a third word it waits for a line of input before it takes them away. */
#include "check.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int netlink, sockets[64];
static unsigned index_of_eth0;

/* The errno of a request that is answered by NLMSG_ERROR. */
static int ask(struct nlmsghdr *h)
{
	char in[8192];
	struct nlmsghdr *r = (struct nlmsghdr *)in;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(netlink, h, h->nlmsg_len, 0) < 0 || recv(netlink, in, sizeof(in), 0) < 0)
		return errno;
	return -((struct nlmsgerr *)NLMSG_DATA(r))->error;
}

static void attribute(struct nlmsghdr *h, int type, const void *data, int len)
{
	struct rtattr *a = (struct rtattr *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* The n-th 64 bits of 2001:db8:8000::/33, or an address in 2001:db8:7::/64. */
static struct in6_addr numbered(const char *prefix, unsigned n, int at)
{
	struct in6_addr a;

	inet_pton(AF_INET6, prefix, &a);
	n = htonl(n + 1);
	memcpy(a.s6_addr + at, &n, 4);
	return a;
}

static int address(unsigned n, int add)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		char attrs[64];
	} r = { { NLMSG_LENGTH(sizeof(r.m)), add ? RTM_NEWADDR : RTM_DELADDR,
		  add ? NLM_F_CREATE | NLM_F_EXCL : 0, 0, 0 },
		{ AF_INET6, 64, IFA_F_NODAD, 0, index_of_eth0 },
		{ 0 } };
	struct in6_addr a = numbered("2001:db8:7::", n, 12);

	attribute(&r.h, IFA_LOCAL, &a, 16);
	return ask(&r.h);
}

static int route(unsigned n, int add)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		char attrs[64];
	} r = { { NLMSG_LENGTH(sizeof(r.m)), add ? RTM_NEWROUTE : RTM_DELROUTE,
		  add ? NLM_F_CREATE | NLM_F_EXCL : 0, 0, 0 },
		{ AF_INET6, 64, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST,
		  0 },
		{ 0 } };
	struct in6_addr a = numbered("2001:db8::", n, 4);

	attribute(&r.h, RTA_DST, &a, 16);
	attribute(&r.h, RTA_OIF, &index_of_eth0, 4);
	return ask(&r.h);
}

/* Spread over some sockets, so that a socket's own bound is not the first. */
static int group(unsigned n, int add)
{
	int s = sockets[n % 64];
	struct ipv6_mreq m = { numbered("ff05::8:0:0", n, 12), index_of_eth0 };

	return setsockopt(s, IPPROTO_IPV6, add ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP, &m,
			  sizeof(m)) ?
		       errno :
		       0;
}

int main(int argc, char **argv)
{
	unsigned want = argc > 2 ? atoi(argv[2]) : 0, n, kept = 0;
	int (*one)(unsigned n, int add), err = 0;

	if (argc < 3)
		return 2;
	one = *argv[1] == 'a' ? address : *argv[1] == 'r' ? route : group;
	netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	index_of_eth0 = if_nametoindex("eth0");
	for (n = 0; n < 64; n++)
		sockets[n] = socket(AF_INET6, SOCK_DGRAM, 0);
	for (n = 0; n < want && !(err = one(n, 1)); n++)
		;
	printf("added %u: %s\n", n, strerror(err));
	fflush(stdout);
	if (argc > 3)
		getchar();
	while (n--)
		kept += !!one(n, 0);
	printf("kept %u\n", kept);
	return 0;
}
