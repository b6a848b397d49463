/* SPDX-License-Identifier: MIT */
/* sockstamps.c - what the error queue tells of sending: when packets left and were acknowledged
 * (SO_TIMESTAMPING of UDP, TCP, raw and packet sockets), and MSG_ZEROCOPY's notices. */
#include "sockets.h"

#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#define STAMPING 37
#define TX_SOFTWARE (1 << 1)
#define SOFTWARE (1 << 4)
#define OPT_ID (1 << 7)
#define TX_SCHED (1 << 8)
#define TX_ACK (1 << 9)
#define OPT_CMSG (1 << 10)
#define OPT_TSONLY (1 << 11)
#define OPT_ID_TCP (1 << 16)
#define ZEROCOPY 60
#define SEND_ZEROCOPY 0x4000000
#define TX_TIMESTAMP 16

static void bind_lo(int fd, struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);

	*a = lo(0);
	check(bind(fd, (void *)a, sizeof(*a)) == 0 && getsockname(fd, (void *)a, &len) == 0);
}

static void udp_pair(int pair[2])
{
	struct sockaddr_in a;

	pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
	pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
	bind_lo(pair[1], &a);
	check(connect(pair[0], (void *)&a, sizeof(a)) == 0);
}

static void tcp_pair(int pair[2])
{
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a;

	bind_lo(l, &a);
	check(listen(l, 1) == 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(pair[0], (void *)&a, sizeof(a)) == 0);
	check(set(pair[0], IPPROTO_TCP, TCP_NODELAY, 1) == 0);
	pair[1] = accept(l, NULL, NULL);
	check(pair[1] >= 0 && close(l) == 0);
}

/* ---- one notice ---- */

struct notice {
	long n;
	char data[2000];
	int flags;
	int has_err, has_stamp, old_stamp, has_info;
	struct sock_extended_err ee;
	struct sockaddr_in6 offender; /* of either family */
	struct timespec stamp[3];
	struct in_pktinfo info;
	socklen_t name_len;
};

static struct notice *notice(int fd)
{
	static struct notice g;
	struct pollfd p = { fd, 0, 0 };
	char control[512];
	struct sockaddr_in6 name;
	struct iovec v = { g.data, sizeof(g.data) };
	struct msghdr m = { .msg_name = &name,
			    .msg_namelen = sizeof(name),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	memset(&g, 0, sizeof(g));
	/* POLLERR comes unasked */
	check(poll(&p, 1, 5000) == 1 && (p.revents & POLLERR));
	g.n = recvmsg(fd, &m, MSG_ERRQUEUE);
	check(g.n >= 0);
	g.flags = m.msg_flags;
	g.name_len = m.msg_namelen;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == STAMPING) {
			check(len == sizeof(g.stamp));
			memcpy(g.stamp, CMSG_DATA(c), len);
			g.has_stamp = 1;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			g.old_stamp = 1;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&g.info, CMSG_DATA(c), sizeof(g.info));
			g.has_info = 1;
		} else {
			check((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR &&
			       len == sizeof(g.ee) + sizeof(struct sockaddr_in)) ||
			      (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR &&
			       len == sizeof(g.ee) + sizeof(struct sockaddr_in6)) ||
			      (c->cmsg_level == SOL_PACKET && c->cmsg_type == TX_TIMESTAMP &&
			       len == sizeof(g.ee)));
			memcpy(&g.ee, CMSG_DATA(c), sizeof(g.ee));
			memcpy(&g.offender, CMSG_DATA(c) + sizeof(g.ee), len - sizeof(g.ee));
			g.has_err = 1;
		}
	}
	check(g.has_err && (g.flags & MSG_ERRQUEUE));
	return &g;
}

static void none(int fd)
{
	struct pollfd p = { fd, 0, 0 };
	struct msghdr m = { 0 };

	check(poll(&p, 1, 0) == 0);
	fails(recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
}

/* The next notice is of this kind and send. */
static struct notice *stamped(int fd, unsigned int kind, unsigned int key)
{
	struct notice *g = notice(fd);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (g->ee.ee_info != kind || g->ee.ee_data != key)
		printf("kind %u key %u\n", g->ee.ee_info, g->ee.ee_data);
	check(g->ee.ee_errno == ENOMSG && g->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
	check(g->ee.ee_type == 0 && g->ee.ee_code == 0);
	check(g->ee.ee_info == kind && g->ee.ee_data == key && g->name_len == 0);
	check(g->has_stamp && now.tv_sec - g->stamp[0].tv_sec <= 5 && g->stamp[0].tv_sec);
	check(!g->stamp[1].tv_sec && !g->stamp[2].tv_sec);
	return g;
}

/* ---- UDP ---- */

static void udp_frames(void)
{
	struct notice *g;
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = stamped(pair[0], SCM_TSTAMP_SND, 0);
	/* the frame as it left */
	check(g->n == 14 + 20 + 8 + 5 && !memcmp(g->data + 42, "hello", 5));
	check(g->offender.sin6_family == AF_UNSPEC && !g->has_info && !(g->flags & MSG_TRUNC));
	none(pair[0]);
	check(set(pair[0], SOL_SOCKET, STAMPING, 0) == 0 && send(pair[0], "x", 1, 0) == 1);
	none(pair[0]);
}

static void udp_keys(void)
{
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING,
		  TX_SOFTWARE | TX_SCHED | SOFTWARE | OPT_ID | OPT_TSONLY) == 0);
	for (int i = 0; i < 3; i++)
		check(send(pair[0], "hello", 5, 0) == 5);
	for (int i = 0; i < 3; i++) {
		check(stamped(pair[0], SCM_TSTAMP_SCHED, i)->n == 0);
		check(stamped(pair[0], SCM_TSTAMP_SND, i)->n == 0);
	}
	none(pair[0]);
	/* the count goes on, unless the option is taken anew */
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID) == 0);
	check(send(pair[0], "x", 1, 0) == 1);
	stamped(pair[0], SCM_TSTAMP_SND, 3);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE) == 0);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID) == 0);
	check(send(pair[0], "x", 1, 0) == 1);
	stamped(pair[0], SCM_TSTAMP_SND, 0);
}

static void udp_fragments(void)
{
	static char big[40000];
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY) ==
	      0);
	for (int i = 0; i < 2; i++) {
		check(send(pair[0], big, sizeof(big), 0) == sizeof(big));
		stamped(pair[0], SCM_TSTAMP_SND, i);
		none(pair[0]);
	}
	/* in two pieces, by MSG_MORE */
	check(send(pair[0], big, 10, MSG_MORE) == 10 && send(pair[0], big, 10, 0) == 10);
	stamped(pair[0], SCM_TSTAMP_SND, 2);
	none(pair[0]);
}

/* Of one message alone. */
static long send_asking(int fd, int flags)
{
	return send_with_int(fd, "hello", STAMPING, flags);
}

static void asks_once(int stream)
{
	int pair[2], kinds = SOFTWARE | OPT_TSONLY;

	if (stream)
		tcp_pair(pair);
	else
		udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, kinds) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	none(pair[0]);
	check(send_asking(pair[0], TX_SCHED) == 5);
	stamped(pair[0], SCM_TSTAMP_SCHED, 0);
	none(pair[0]);
	check(set(pair[0], SOL_SOCKET, STAMPING, kinds | TX_SOFTWARE) == 0);
	check(send_asking(pair[0], TX_SCHED) == 5);
	stamped(pair[0], SCM_TSTAMP_SCHED, 0);
	check(send_asking(pair[0], 0) == 5);
	none(pair[0]);
	fails(send_asking(pair[0], SOFTWARE), EINVAL);
	fails(send_asking(pair[0], OPT_ID | TX_SCHED), EINVAL);
}

static void asks_once_udp(void)
{
	asks_once(0);
}

static void asks_once_tcp(void)
{
	asks_once(1);
}

static void tells_the_way(void)
{
	struct sockaddr_in *in;
	struct notice *g;
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], IPPROTO_IP, IP_PKTINFO, 1) == 0);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_CMSG) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = stamped(pair[0], SCM_TSTAMP_SND, 0);
	in = (void *)&g->offender;
	check(in->sin_family == AF_INET && ntohl(in->sin_addr.s_addr) == INADDR_LOOPBACK);
	check(g->has_info && g->info.ipi_ifindex == (int)if_nametoindex("lo") &&
	      ntohl(g->info.ipi_addr.s_addr) == INADDR_LOOPBACK);
	/* without the packet that is not known */
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_CMSG | OPT_TSONLY) ==
	      0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = stamped(pair[0], SCM_TSTAMP_SND, 0);
	check(!g->has_info && g->offender.sin6_family == AF_UNSPEC);
}

/* Moments are told to who has asked for them, the notice comes all the same. */
static void told_in_other_ways(void)
{
	struct notice *g;
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | OPT_TSONLY) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = notice(pair[0]);
	check(!g->has_stamp && !g->old_stamp && g->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
	check(set(pair[0], SOL_SOCKET, SO_TIMESTAMPNS, 1) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = notice(pair[0]);
	check(!g->has_stamp && g->old_stamp);
}

static void udp_six(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(a);
	int to = socket(AF_INET6, SOCK_DGRAM, 0), fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct notice *g;

	if (to < 0 || bind(to, (void *)&a, sizeof(a)))
		return; /* no IPv6 here */
	check(getsockname(to, (void *)&a, &len) == 0);
	check(connect(fd, (void *)&a, sizeof(a)) == 0);
	check(set(fd, SOL_SOCKET, STAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_CMSG) == 0);
	check(send(fd, "hello", 5, 0) == 5);
	g = stamped(fd, SCM_TSTAMP_SND, 0);
	check(g->n == 14 + 40 + 8 + 5 && g->offender.sin6_family == AF_INET6);
	check(!memcmp(&g->offender.sin6_addr, &in6addr_loopback, 16));
}

/* ---- TCP ---- */

static void tcp_moments(void)
{
	struct notice *g;
	char buf[8];
	int pair[2];

	tcp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SOFTWARE | TX_SCHED | TX_ACK | SOFTWARE) == 0);
	check(send(pair[0], "hello", 5, 0) == 5);
	g = stamped(pair[0], SCM_TSTAMP_SCHED, 0);
	check(g->n > 14 + 40 + 5 && !memcmp(g->data + g->n - 5, "hello", 5));
	g = stamped(pair[0], SCM_TSTAMP_SND, 0);
	check(g->n > 14 + 40 + 5 && !memcmp(g->data + g->n - 5, "hello", 5));
	check(recv(pair[1], buf, 8, 0) == 5);
	g = stamped(pair[0], SCM_TSTAMP_ACK, 0);
	check(g->n == 5 && !memcmp(g->data, "hello", 5)); /* the bytes alone */
	none(pair[0]);
}

static void all_acked(int fd)
{
	int left = 1;

	for (int i = 0; i < 1000 && left; i++) {
		check(ioctl(fd, TIOCOUTQ, &left) == 0);
		if (left)
			sleep_ms(5);
	}
	check(!left);
}

static void tcp_keys(void)
{
	const int kinds = TX_SOFTWARE | TX_SCHED | TX_ACK | SOFTWARE | OPT_TSONLY;
	unsigned int end = 0;
	char buf[64];
	int pair[2];

	tcp_pair(pair);
	check(send(pair[0], "before", 6, 0) == 6 && recv(pair[1], buf, 8, 0) == 6);
	all_acked(pair[0]);
	check(set(pair[0], SOL_SOCKET, STAMPING, kinds | OPT_ID) == 0);
	for (int i = 1; i <= 4; i++) {
		check(send(pair[0], buf, i, 0) == i && recv(pair[1], buf, 8, 0) == i);
		end += i;
		stamped(pair[0], SCM_TSTAMP_SCHED, end - 1);
		stamped(pair[0], SCM_TSTAMP_SND, end - 1);
		stamped(pair[0], SCM_TSTAMP_ACK, end - 1);
	}
	none(pair[0]);
	check(set(pair[0], SOL_SOCKET, STAMPING, kinds) == 0);
	check(set(pair[0], SOL_SOCKET, STAMPING, kinds | OPT_ID | OPT_ID_TCP) == 0);
	check(send(pair[0], buf, 10, 0) == 10 && recv(pair[1], buf, 20, 0) == 10);
	stamped(pair[0], SCM_TSTAMP_SCHED, 9);
}

/* One large send is told of once, by its last byte. */
static void tcp_large(void)
{
	static char big[300000];
	int pair[2];
	pid_t pid;

	tcp_pair(pair);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_ACK | SOFTWARE | OPT_ID | OPT_TSONLY) == 0);
	pid = fork();
	if (!pid) {
		check(recv(pair[1], big, sizeof(big), MSG_WAITALL) == sizeof(big));
		_exit(0);
	}
	check(send(pair[0], big, sizeof(big), 0) == sizeof(big));
	stamped(pair[0], SCM_TSTAMP_ACK, sizeof(big) - 1);
	check(status_of(pid) == 0);
	none(pair[0]);
}

static void refusals(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), pair[2], both[2] = { -1, -1 };
	socklen_t len = sizeof(both);

	fails(set(fd, SOL_SOCKET, STAMPING, TX_ACK | OPT_ID), EINVAL); /* from which byte on? */
	check(set(fd, SOL_SOCKET, STAMPING, TX_ACK) == 0);
	udp_pair(pair);
	fails(set(pair[0], SOL_SOCKET, STAMPING, OPT_ID_TCP), EINVAL);
	check(set(pair[0], SOL_SOCKET, STAMPING, TX_SCHED | TX_ACK | TX_SOFTWARE | 1) == 0);
	check(getsockopt(pair[0], SOL_SOCKET, STAMPING, both, &len) == 0);
	check(both[0] == (TX_SCHED | TX_ACK | TX_SOFTWARE | 1) && both[1] == 0);
}

/* ---- raw and packet sockets ---- */

static void raw_frames(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct icmphdr echo = { .type = ICMP_ECHO };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct notice *g;

	check(fd >= 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	echo.checksum = 0xfff7; /* of 8 and zeros, in network order */
	check(set(fd, SOL_SOCKET, STAMPING, TX_SOFTWARE | TX_SCHED | SOFTWARE | OPT_ID) == 0);
	for (int i = 0; i < 2; i++) {
		check(sendto(fd, &echo, sizeof(echo), 0, (void *)&a, sizeof(a)) == sizeof(echo));
		g = stamped(fd, SCM_TSTAMP_SCHED, i);
		check(g->n == 14 + 20 + 8 && g->data[34] == ICMP_ECHO);
		stamped(fd, SCM_TSTAMP_SND, i);
	}
}

static void packet_frames(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	char frame[64] = { 0 };
	struct notice *g;

	check(fd >= 0);
	a.sll_ifindex = if_nametoindex("lo");
	check(set(fd, SOL_SOCKET, STAMPING, TX_SOFTWARE | TX_SCHED | SOFTWARE | OPT_ID) == 0);
	for (int i = 0; i < 2; i++) {
		memcpy(frame + 20, "mine", 4);
		check(sendto(fd, frame, sizeof(frame), 0, (void *)&a, sizeof(a)) == sizeof(frame));
		g = stamped(fd, SCM_TSTAMP_SCHED, i);
		check(g->n == sizeof(frame) && !memcmp(g->data + 20, "mine", 4));
		stamped(fd, SCM_TSTAMP_SND, i);
	}
	none(fd);
}

/* ---- MSG_ZEROCOPY ---- */

/* The notices up to send number last say all of first .. last, in ranges. */
static void copied(int fd, unsigned int first, unsigned int last)
{
	struct notice *g;

	while (first <= last) {
		g = notice(fd);
		check(g->ee.ee_errno == 0 && g->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY);
		check(g->ee.ee_code == SO_EE_CODE_ZEROCOPY_COPIED && g->ee.ee_type == 0);
		check(g->ee.ee_info == first && g->ee.ee_data >= first && g->ee.ee_data <= last);
		check(!g->has_stamp && g->n == 0 && g->offender.sin6_family == AF_UNSPEC);
		first = g->ee.ee_data + 1;
	}
	none(fd);
}

static void zerocopies(int stream)
{
	static char buf[20000];
	int pair[2];

	if (stream)
		tcp_pair(pair);
	else
		udp_pair(pair);
	check(get(pair[0], SOL_SOCKET, ZEROCOPY) == 0);
	/* not asked for: a send as any other */
	check(send(pair[0], buf, 100, SEND_ZEROCOPY) == 100);
	check(recv(pair[1], buf, sizeof(buf), 0) == 100);
	none(pair[0]);
	check(set(pair[0], SOL_SOCKET, ZEROCOPY, 1) == 0 &&
	      get(pair[0], SOL_SOCKET, ZEROCOPY) == 1);
	check(send(pair[0], buf, 100, 0) == 100 && recv(pair[1], buf, sizeof(buf), 0) == 100);
	none(pair[0]);
	for (int i = 0; i < 5; i++) {
		check(send(pair[0], buf, 8000, SEND_ZEROCOPY) == 8000);
		check(recv(pair[1], buf, 8000, MSG_WAITALL) == 8000);
	}
	copied(pair[0], 0, 4);
	check(send(pair[0], buf, 8000, SEND_ZEROCOPY) == 8000);
	check(recv(pair[1], buf, 8000, MSG_WAITALL) == 8000);
	copied(pair[0], 5, 5);
}

static void zerocopy_udp(void)
{
	zerocopies(0);
}

static void zerocopy_tcp(void)
{
	zerocopies(1);
}

static void zerocopy_merged(void)
{
	struct notice *g;
	char buf[4000];
	int pair[2];

	udp_pair(pair);
	check(set(pair[0], SOL_SOCKET, ZEROCOPY, 1) == 0);
	for (int i = 0; i < 4; i++) {
		check(send(pair[0], buf, sizeof(buf), SEND_ZEROCOPY) == sizeof(buf));
		check(recv(pair[1], buf, sizeof(buf), 0) == sizeof(buf));
	}
	g = notice(pair[0]);
	check(g->ee.ee_info == 0 && g->ee.ee_data == 3);
	none(pair[0]);
}

static void zerocopy_refused(void)
{
	int pair[2], raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), un[2];

	udp_pair(pair);
	fails(set(pair[0], SOL_SOCKET, ZEROCOPY, 2), EINVAL);
	fails(set(pair[0], SOL_SOCKET, ZEROCOPY, -1), EINVAL);
	fails(set(raw, SOL_SOCKET, ZEROCOPY, 1), EOPNOTSUPP);
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, un) == 0);
	fails(set(un[0], SOL_SOCKET, ZEROCOPY, 1), EOPNOTSUPP);
}

static const struct test tests[] = {
	TEST(udp_frames),	  TEST(udp_keys),	 TEST(udp_fragments),
	TEST(asks_once_udp),	  TEST(asks_once_tcp),	 TEST(tells_the_way),
	TEST(told_in_other_ways), TEST(udp_six),	 TEST(tcp_moments),
	TEST(tcp_keys),		  TEST(tcp_large),	 TEST(refusals),
	TEST(raw_frames),	  TEST(packet_frames),	 TEST(zerocopy_udp),
	TEST(zerocopy_tcp),	  TEST(zerocopy_merged), TEST(zerocopy_refused),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 30);
}
