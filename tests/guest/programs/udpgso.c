/* SPDX-License-Identifier: MIT */
/* udpgso.c - many UDP datagrams in one call: UDP_SEGMENT cuts what is sent, UDP_GRO joins what is
 * received; and datagrams without checksum. Over loopback, by IPv4 and IPv6. */
#include "sockets.h"

#include <netinet/udp.h>
#include <sys/time.h>
#include <sys/uio.h>

#define UDP_LEVEL 17
#define SEGMENT 103
#define GRO 104

static char data[70000], back[70000];
static int family = AF_INET;

static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} to; /* where the last receiver is */

static socklen_t name_len(void)
{
	return family == AF_INET ? sizeof(to.v4) : sizeof(to.v6);
}

static int receiver(int gro)
{
	int fd = open_socket(family, SOCK_DGRAM), on = 1 << 20;
	struct timeval patience = { 5, 0 };
	socklen_t len = sizeof(to);

	memset(&to, 0, sizeof(to));
	to.any.sa_family = family;
	if (family == AF_INET)
		to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		to.v6.sin6_addr = in6addr_loopback;
	check(bind(fd, &to.any, name_len()) == 0 && getsockname(fd, &to.any, &len) == 0);
	check(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &on, sizeof(on)) == 0);
	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	check(set(fd, UDP_LEVEL, GRO, gro) == 0);
	return fd;
}

/* size by a control message of `bytes` bytes; 0: without one. */
static long send_cut(int fd, size_t n, unsigned size, int bytes)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(4)];
	} c;
	struct iovec v = { data, n };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = name_len(),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = c.room,
			    .msg_controllen = CMSG_SPACE(bytes) };

	memset(&c, 0, sizeof(c));
	c.h.cmsg_level = UDP_LEVEL;
	c.h.cmsg_type = SEGMENT;
	c.h.cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(&c.h), &size, bytes);
	if (!bytes)
		m.msg_controllen = 0;
	return sendmsg(fd, &m, 0);
}

static long plain(int fd, size_t n)
{
	return send_cut(fd, n, 0, 0);
}

/* What the control message says of the datagrams' size, 0: there is none. */
static long receive(int fd, size_t room, int *size)
{
	char control[64];
	struct iovec v = { back, room };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;
	long n = recvmsg(fd, &m, 0);

	*size = 0;
	for (h = n < 0 ? NULL : CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		check(h->cmsg_level == UDP_LEVEL && h->cmsg_type == GRO);
		check(h->cmsg_len == CMSG_LEN(sizeof(int)));
		memcpy(size, CMSG_DATA(h), sizeof(int));
	}
	return n;
}

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 251;
}

/* The next datagrams have these bytes of data, one by one. */
static void expect_cut(int fd, size_t n, size_t size)
{
	int said;

	for (size_t off = 0; off < n; off += size) {
		size_t len = n - off < size ? n - off : size;

		check(receive(fd, sizeof(back), &said) == (long)len && !said);
		check(!memcmp(back, data + off, len));
	}
	fails(recv(fd, back, 1, MSG_DONTWAIT), EAGAIN);
}

static void options(void)
{
	int fd = open_socket(family, SOCK_DGRAM);

	check(get(fd, UDP_LEVEL, SEGMENT) == 0 && get(fd, UDP_LEVEL, GRO) == 0);
	fails(set(fd, UDP_LEVEL, SEGMENT, -1), EINVAL);
	fails(set(fd, UDP_LEVEL, SEGMENT, 65536), EINVAL);
	fails(setsockopt(fd, UDP_LEVEL, SEGMENT, data, 2), EINVAL);
	check(set(fd, UDP_LEVEL, SEGMENT, 65535) == 0 && get(fd, UDP_LEVEL, SEGMENT) == 65535);
	check(set(fd, UDP_LEVEL, GRO, 7) == 0 && get(fd, UDP_LEVEL, GRO) == 1);
	check(set(fd, UDP_LEVEL, UDP_NO_CHECK6_TX, 1) == 0);
	check(get(fd, UDP_LEVEL, UDP_NO_CHECK6_TX) == 1);
	check(get(fd, UDP_LEVEL, UDP_NO_CHECK6_RX) == 0);
	fails(set(fd, UDP_LEVEL, 99, 1), ENOPROTOOPT);
	check(set(fd, SOL_SOCKET, SO_NO_CHECK, 5) == 0 && get(fd, SOL_SOCKET, SO_NO_CHECK) == 1);
}

static void cuts(void)
{
	int r = receiver(0), s = open_socket(family, SOCK_DGRAM);

	fill();
	check(send_cut(s, 1000, 100, 2) == 1000);
	expect_cut(r, 1000, 100);
	check(send_cut(s, 1050, 100, 2) == 1050);
	expect_cut(r, 1050, 100);
	check(send_cut(s, 128, 1, 2) == 128);
	expect_cut(r, 128, 1);
	check(send_cut(s, 65507, 1472, 2) == 65507);
	expect_cut(r, 65507, 1472);
	/* one datagram alone */
	check(send_cut(s, 100, 100, 2) == 100 && send_cut(s, 0, 100, 2) == 0);
	check(recv(r, back, 200, 0) == 100 && recv(r, back, 200, 0) == 0);
	/* by the socket's option, which a message overrules */
	check(set(s, UDP_LEVEL, SEGMENT, 300) == 0 && plain(s, 1000) == 1000);
	expect_cut(r, 1000, 300);
	check(send_cut(s, 1000, 500, 2) == 1000);
	expect_cut(r, 1000, 500);
	check(send_cut(s, 1000, 0, 2) == 1000);
	expect_cut(r, 1000, 1000);
	check(connect(s, &to.any, name_len()) == 0 && send(s, data, 700, 0) == 700);
	expect_cut(r, 700, 300);
}

static void refused(void)
{
	int s = open_socket(family, SOCK_DGRAM), r = receiver(0);

	fails(send_cut(s, 129, 1, 2), EINVAL); /* more than 128 */
	fails(send_cut(s, 1000, 100, 4), EINVAL);
	fails(send_cut(s, 1000, 100, 1), EINVAL);
	fails(send_cut(s, 65536, 1472, 2), EMSGSIZE);
	fails(recv(r, back, 1, MSG_DONTWAIT), EAGAIN);
	if (family == AF_INET) {
		fails(send_cut(s, 65508, 1472, 2), EMSGSIZE);
		check(set(s, SOL_SOCKET, SO_NO_CHECK, 1) == 0);
	} else {
		check(set(s, UDP_LEVEL, UDP_NO_CHECK6_TX, 1) == 0);
	}
	fails(send_cut(s, 1000, 100, 2), EINVAL);
	fails(send_cut(s, 100, 100, 2), EINVAL);
}

static void corked(void)
{
	int r = receiver(0), s = open_socket(family, SOCK_DGRAM);

	fill();
	check(set(s, UDP_LEVEL, SEGMENT, 100) == 0);
	check(sendto(s, data, 350, MSG_MORE, &to.any, name_len()) == 350);
	fails(recv(r, back, 1, MSG_DONTWAIT), EAGAIN);
	check(sendto(s, data + 350, 30, 0, &to.any, name_len()) == 30);
	expect_cut(r, 380, 100);
}

static void joined(void)
{
	int r = receiver(1), s = open_socket(family, SOCK_DGRAM), size;

	fill();
	check(send_cut(s, 1050, 100, 2) == 1050);
	check(receive(r, sizeof(back), &size) == 1050 && size == 100);
	check(!memcmp(back, data, 1050));
	check(send_cut(s, 50, 100, 2) == 50);
	check(receive(r, sizeof(back), &size) == 50 && !size);
	/* what does not fit is lost, and said to be */
	check(send_cut(s, 1050, 100, 2) == 1050);
	check(recv(r, back, 150, MSG_PEEK | MSG_TRUNC) == 1050);
	check(recv(r, back, 150, MSG_TRUNC) == 1050);
	fails(recv(r, back, 1, MSG_DONTWAIT), EAGAIN);
	/* a little less than Linux's bound for what stays in one piece */
	check(send_cut(s, 65000, 1472, 2) == 65000);
	check(receive(r, sizeof(back), &size) == 65000 && size == 1472);
	check(!memcmp(back, data, 65000));
	/* those who did not ask get them one by one */
	check(set(r, UDP_LEVEL, GRO, 0) == 0 && send_cut(s, 250, 100, 2) == 250);
	expect_cut(r, 250, 100);
}

/* Datagrams that were sent alone may come joined, never cut, lost or changed. */
static void streams(void)
{
	static const int lens[] = { 100, 100, 100, 40, 100, 200, 200, 0, 7, 7, 7, 7 };
	int r = receiver(1), s = open_socket(family, SOCK_DGRAM),
	    other = open_socket(family, SOCK_DGRAM), size;
	size_t sent = 0, got = 0, i = 0;
	long n;

	fill();
	for (size_t k = 0; k < LENGTH(lens); k++) {
		check(sendto(k < 9 ? s : other, data + sent, lens[k], 0, &to.any, name_len()) ==
		      lens[k]);
		sent += lens[k];
	}
	while (i < LENGTH(lens)) {
		n = receive(r, 350, &size);
		check(n >= 0 && !memcmp(back, data + got, n));
		got += n;
		if (!size)
			size = n;
		do {
			int len = n < size ? n : size;

			check(len == lens[i++]);
			n -= len;
		} while (n > 0);
	}
	check(got == sent);
	fails(recv(r, back, 1, MSG_DONTWAIT), EAGAIN);
}

static void unchecked(void)
{
	int r = receiver(0), s = open_socket(family, SOCK_DGRAM);

	if (family == AF_INET) {
		check(set(s, SOL_SOCKET, SO_NO_CHECK, 1) == 0 && plain(s, 1000) == 1000);
		check(recv(r, back, 2000, 0) == 1000);
		return;
	}
	check(set(s, UDP_LEVEL, UDP_NO_CHECK6_TX, 1) == 0 && plain(s, 1000) == 1000);
	check(sendto(open_socket(family, SOCK_DGRAM), data, 500, 0, &to.any, name_len()) == 500);
	check(recv(r, back, 2000, 0) == 500); /* the first is not heard */
	check(set(r, UDP_LEVEL, UDP_NO_CHECK6_RX, 1) == 0 && plain(s, 1000) == 1000);
	check(recv(r, back, 2000, 0) == 1000);
}

#define BOTH(f)                    \
	static void f##6(void)     \
	{                          \
		family = AF_INET6; \
		f();               \
	}
BOTH(cuts)
BOTH(refused)
BOTH(corked)
BOTH(joined)
BOTH(streams)
BOTH(unchecked)

static const struct test tests[] = {
	TEST(options), TEST(cuts),	TEST(refused),	  TEST(corked),	  TEST(joined),
	TEST(streams), TEST(unchecked), TEST(cuts6),	  TEST(refused6), TEST(corked6),
	TEST(joined6), TEST(streams6),	TEST(unchecked6),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 30);
}
