/* SPDX-License-Identifier: MIT */
/* sockrare.c - socket options that few programs know: looks from an offset on (SO_PEEK_OFF), what
 * was lost (SO_RXQ_OVFL), what waits still (TCP_INQ), an address without a port
 * (IP_BIND_ADDRESS_NO_PORT), when it came (SO_TIMESTAMPING). */
#include "sockets.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#define PEEK_OFF 42
#define RXQ_OVFL 40
#define INQ 36
#define BIND_NO_PORT 24
#define STAMPING 37
#define RX_SOFTWARE 8
#define SOFTWARE 16
#define SET_CLOCK 0x89b0 /* SIOCSHWTSTAMP */

static void bind_lo(int fd, struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);

	*a = lo(0);
	check(bind(fd, (void *)a, sizeof(*a)) == 0 && getsockname(fd, (void *)a, &len) == 0);
}

static void udp_pair(int pair[2])
{
	struct sockaddr_in a;

	pair[0] = udp();
	pair[1] = udp();
	bind_lo(pair[1], &a);
	check(connect(pair[0], (void *)&a, sizeof(a)) == 0);
}

static void tcp_pair(int pair[2])
{
	int l = tcp();
	struct sockaddr_in a;

	bind_lo(l, &a);
	check(listen(l, 1) == 0);
	pair[0] = tcp();
	check(connect(pair[0], (void *)&a, sizeof(a)) == 0);
	check(set(pair[0], IPPROTO_TCP, TCP_NODELAY, 1) == 0);
	pair[1] = accept(l, NULL, NULL);
	check(pair[1] >= 0 && close(l) == 0);
}

/* ---- SO_PEEK_OFF ---- */

/* One receive of at most len bytes: what it gives, for which a datagram may be on its way, whether
 * it is cut, where the next look begins. */
static void one(int fd, size_t len, int flags, long gives, const char *data, int cut, int off)
{
	char buf[64];
	struct iovec v = { buf, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	long n;

	soon((n = recvmsg(fd, &m, flags | MSG_DONTWAIT)) >= 0 || gives < 0);

	if (n != gives || get(fd, SOL_SOCKET, PEEK_OFF) != off ||
	    (n >= 0 && !!(m.msg_flags & MSG_TRUNC) != cut) || memcmp(buf, data, strlen(data))) {
		printf("%zu %#x: %ld flags %#x off %d, wanted %ld %s %d %d\n", len, flags, n,
		       m.msg_flags, get(fd, SOL_SOCKET, PEEK_OFF), gives, data, cut, off);
		fflush(stdout);
		_exit(99);
	}
}

static void send_some(const int pair[2])
{
	check(send(pair[0], "abcdefghij", 10, 0) == 10);
	check(send(pair[0], "klmnopqrst", 10, 0) == 10);
	check(send(pair[0], "", 0, 0) == 0 && send(pair[0], "uvw", 3, 0) == 3);
}

static void look_at_datagrams(const int pair[2], int is_udp)
{
	int fd = pair[1];

	check(get(fd, SOL_SOCKET, PEEK_OFF) == -1 && set(fd, SOL_SOCKET, PEEK_OFF, 0) == 0);
	send_some(pair);
	one(fd, 3, MSG_PEEK, 3, "abc", 1, 3);
	one(fd, 4, MSG_PEEK, 4, "defg", 1, 7);
	one(fd, 3, MSG_PEEK, 3, "hij", is_udp, 10);
	one(fd, 4, MSG_PEEK, 4, "klmn", 1, 14);
	one(fd, 20, MSG_PEEK, 6, "opqrst", 0, 20);
	one(fd, 20, MSG_PEEK, 0, "", 0, 20); /* the empty one, once */
	one(fd, 20, MSG_PEEK, 3, "uvw", 0, 23);
	one(fd, 20, MSG_PEEK, -1, "", 0, 23);
	one(fd, 4, 0, 4, "abcd", 1, is_udp ? 19 : 13);
	one(fd, 20, 0, 10, "klmnopqrst", 0, is_udp ? 9 : 3);
	one(fd, 20, MSG_PEEK, -1, "", 0, is_udp ? 9 : 3);
	check(set(fd, SOL_SOCKET, PEEK_OFF, 0) == 0);
	one(fd, 20, 0, 0, "", 0, 0);
	one(fd, 2, MSG_PEEK, 2, "uv", 1, 2);
	one(fd, 2, MSG_TRUNC, 3, "uv", 1, 0);
	check(set(fd, SOL_SOCKET, PEEK_OFF, 7) == 0 && send(pair[0], "abcdefghij", 10, 0) == 10);
	one(fd, 2, MSG_PEEK | MSG_TRUNC, is_udp ? 10 : 3, "hi", 1, is_udp ? 17 : 9);
	check(set(fd, SOL_SOCKET, PEEK_OFF, -1) == 0);
	one(fd, 3, MSG_PEEK, 3, "abc", 1, -1);
	one(fd, 3, MSG_PEEK, 3, "abc", 1, -1);
}

static void looks_at_udp(void)
{
	int pair[2];

	udp_pair(pair);
	look_at_datagrams(pair, 1);
}

static void looks_at_unix(void)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	look_at_datagrams(pair, 0);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	look_at_datagrams(pair, 0);
}

static void look_at_stream(const int pair[2])
{
	int fd = pair[1];

	check(get(fd, SOL_SOCKET, PEEK_OFF) == -1 && set(fd, SOL_SOCKET, PEEK_OFF, 0) == 0);
	send_some(pair);
	arrived(fd, 23);
	one(fd, 3, MSG_PEEK, 3, "abc", 0, 3);
	one(fd, 9, MSG_PEEK, 9, "defghijkl", 0, 12);
	one(fd, 20, MSG_PEEK, 11, "mnopqrstuvw", 0, 23);
	one(fd, 20, MSG_PEEK, -1, "", 0, 23);
	one(fd, 4, 0, 4, "abcd", 0, 19);
	one(fd, 20, 0, 19, "efghijklmnopqrstuvw", 0, 0);
	check(set(fd, SOL_SOCKET, PEEK_OFF, 7) == 0 && send(pair[0], "abcdefghij", 10, 0) == 10);
	arrived(fd, 10);
	one(fd, 3, MSG_PEEK, 3, "hij", 0, 10);
	check(set(fd, SOL_SOCKET, PEEK_OFF, -1) == 0);
	one(fd, 3, MSG_PEEK, 3, "abc", 0, -1);
	one(fd, 3, MSG_PEEK, 3, "abc", 0, -1);
	one(fd, 20, 0, 10, "abcdefghij", 0, -1);
	/* a look goes past where one send ended, with or without an offset */
	check(send(pair[0], "ab", 2, 0) == 2 && send(pair[0], "cd", 2, 0) == 2);
	arrived(fd, 4);
	one(fd, 20, MSG_PEEK, 4, "abcd", 0, -1);
}

static void looks_at_streams(void)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	look_at_stream(pair);
}

static void looks_refused(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, 0), v;
	socklen_t len = sizeof(v);

	check(fd >= 0);
	fails(set(fd, SOL_SOCKET, PEEK_OFF, 0), EOPNOTSUPP);
	fails(getsockopt(fd, SOL_SOCKET, PEEK_OFF, &v, &len), EOPNOTSUPP);
}

/* ---- control messages ---- */

/* The number in the control message of this kind, -1: there is none. */
static int told(int fd, int level, int type, size_t room, long gives)
{
	char buf[64], control[128];
	struct iovec v = { buf, room };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	int value = -1;

	check(recvmsg(fd, &m, MSG_DONTWAIT) == gives);
	for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		check(h->cmsg_level == level && h->cmsg_type == type &&
		      h->cmsg_len == CMSG_LEN(sizeof(value)));
		memcpy(&value, CMSG_DATA(h), sizeof(value));
	}
	return value;
}

static void losses(void)
{
	int pair[2], i, n = 0, lost;
	static char big[1000];

	udp_pair(pair);
	check(get(pair[1], SOL_SOCKET, RXQ_OVFL) == 0);
	check(set(pair[1], SOL_SOCKET, RXQ_OVFL, 5) == 0);
	check(get(pair[1], SOL_SOCKET, RXQ_OVFL) == 1);
	check(set(pair[1], SOL_SOCKET, SO_RCVBUF, 1) == 0);
	for (i = 0; i < 50; i++)
		check(send(pair[0], big, sizeof(big), 0) == sizeof(big));
	soon((n += drain(pair[1])) + lost_of(pair[1]) == 50);
	check(n > 0 && n < 50);
	check(send(pair[0], "x", 1, 0) == 1 && readable(pair[1], 10000));
	lost = told(pair[1], SOL_SOCKET, RXQ_OVFL, 64, 1);
	check(lost == 50 - n);
}

static void inq(void)
{
	int pair[2];

	tcp_pair(pair);
	fails(set(pair[1], IPPROTO_TCP, INQ, 2), EINVAL);
	check(get(pair[1], IPPROTO_TCP, INQ) == 0 && set(pair[1], IPPROTO_TCP, INQ, 1) == 0);
	check(get(pair[1], IPPROTO_TCP, INQ) == 1);
	check(send(pair[0], "abcdefghij", 10, 0) == 10);
	arrived(pair[1], 10);
	check(told(pair[1], IPPROTO_TCP, INQ, 4, 4) == 6);
	check(told(pair[1], IPPROTO_TCP, INQ, 6, 6) == 0);
	check(send(pair[0], "klm", 3, 0) == 3 && shutdown(pair[0], SHUT_WR) == 0);
	check(wait_events(pair[1], POLLRDHUP) & POLLRDHUP);
	/* the end counts too */
	check(told(pair[1], IPPROTO_TCP, INQ, 2, 2) == 2);
	check(told(pair[1], IPPROTO_TCP, INQ, 6, 1) == 1);
	check(told(pair[1], IPPROTO_TCP, INQ, 6, 0) == 1);
}

/* ---- IP_BIND_ADDRESS_NO_PORT ---- */

static in_addr_t addr_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	check(getsockname(fd, (void *)&a, &len) == 0);
	return ntohl(a.sin_addr.s_addr);
}

static void no_port(int type)
{
	struct sockaddr_in a = lo(0), there;
	int peer = socket(AF_INET, type, 0), fd = socket(AF_INET, type, 0);

	bind_lo(peer, &there);
	check(type == SOCK_DGRAM || listen(peer, 1) == 0);
	check(get(fd, IPPROTO_IP, BIND_NO_PORT) == 0);
	check(set(fd, IPPROTO_IP, BIND_NO_PORT, 3) == 0);
	check(get(fd, IPPROTO_IP, BIND_NO_PORT) == 1);
	a.sin_addr.s_addr = htonl(0x7f000005);
	check(bind(fd, (void *)&a, sizeof(a)) == 0);
	check(port_of(fd) == 0 && addr_of(fd) == 0x7f000005);
	check(connect(fd, (void *)&there, sizeof(there)) == 0);
	check(port_of(fd) != 0 && addr_of(fd) == 0x7f000005);
}

static void address_without_port(void)
{
	no_port(SOCK_STREAM);
	no_port(SOCK_DGRAM);
}

/* ---- SO_TIMESTAMPING ---- */

static void stamp_of(int pair[2], int sender)
{
	struct timespec t[3], now;
	char buf[8], control[128];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;

	check(set(pair[1], SOL_SOCKET, STAMPING, RX_SOFTWARE | SOFTWARE) == 0);
	check(send(sender, "x", 1, 0) == 1);
	check(recvmsg(pair[1], &m, 0) == 1);
	clock_gettime(CLOCK_REALTIME, &now);
	h = CMSG_FIRSTHDR(&m);
	check(h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == STAMPING &&
	      h->cmsg_len == CMSG_LEN(sizeof(t)));
	memcpy(t, CMSG_DATA(h), sizeof(t));
	check(now.tv_sec - t[0].tv_sec <= 5 && t[0].tv_nsec < 1000000000 && !t[1].tv_sec &&
	      !t[2].tv_sec && !t[2].tv_nsec);
}

static void stamps(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int pair[2], both[2] = { -1, -1 }, config[3] = { 0 };
	socklen_t len = sizeof(both);

	udp_pair(pair);
	fails(set(pair[1], SOL_SOCKET, STAMPING, 1 << 30), EINVAL);
	fails(set(pair[1], SOL_SOCKET, STAMPING, 1 << 12), EINVAL); /* of what stamp? */
	fails(set(pair[1], SOL_SOCKET, STAMPING, 1 << 15), EOPNOTSUPP);
	/* hardware that is not there may be asked for */
	check(set(pair[1], SOL_SOCKET, STAMPING, 1 | 4 | 64) == 0);
	check(getsockopt(pair[1], SOL_SOCKET, STAMPING, both, &len) == 0);
	check(len == sizeof(both) && both[0] == (1 | 4 | 64) && both[1] == 0);
	stamp_of(pair, pair[0]);
	tcp_pair(pair);
	stamp_of(pair, pair[0]);
	ifr.ifr_data = (void *)config;
	fails(ioctl(pair[1], SET_CLOCK, &ifr), EOPNOTSUPP);
	strcpy(ifr.ifr_name, "nobody");
	fails(ioctl(pair[1], SET_CLOCK, &ifr), ENODEV);
}

/* From Linux 6.9 on. */
static void looks_at_tcp(void)
{
	int pair[2];

	tcp_pair(pair);
	if (set(pair[1], SOL_SOCKET, PEEK_OFF, 0) && errno == EOPNOTSUPP)
		return;
	check(set(pair[1], SOL_SOCKET, PEEK_OFF, -1) == 0);
	look_at_stream(pair);
}

static const struct test tests[] = {
	TEST(looks_at_udp), TEST(looks_at_unix),	TEST(looks_at_streams),
	TEST(looks_at_tcp), TEST(looks_refused),	TEST(losses),
	TEST(inq),	    TEST(address_without_port), TEST(stamps),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 30);
}
