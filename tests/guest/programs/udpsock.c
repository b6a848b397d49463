/* SPDX-License-Identifier: MIT */
/* udpsock.c - what UDP sockets promise, over loopback and to groups on the first interface. As
 * `udpsock echo PORT` it answers whoever writes to that port, until it is killed; `udpsock blast
 * HOST PORT SECONDS` sends datagrams of 64 bytes as fast as it can and tells how many. */
#include "sockets.h"

#include <net/if.h>
#include <netinet/udp.h>
#include <sys/uio.h>

#define LO "127.0.0.1"

/* linux/errqueue.h */
struct sock_extended_err {
	unsigned int ee_errno;
	unsigned char ee_origin, ee_type, ee_code, ee_pad;
	unsigned int ee_info, ee_data;
};
#define SO_EE_ORIGIN_ICMP 2

static struct sockaddr_in in(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	check(inet_pton(AF_INET, host, &a.sin_addr) == 1);
	return a;
}

static int bind_to(int fd, const char *host, int port)
{
	struct sockaddr_in a = in(host, port);

	return bind(fd, (void *)&a, sizeof(a));
}

static int connect_to(int fd, const char *host, int port)
{
	struct sockaddr_in a = in(host, port);

	return connect(fd, (void *)&a, sizeof(a));
}

static long send_to(int fd, const void *p, size_t n, const char *host, int port)
{
	struct sockaddr_in a = in(host, port);

	return sendto(fd, p, n, 0, (void *)&a, sizeof(a));
}

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	check(getsockname(fd, (void *)&a, &len) == 0 && len == sizeof(a) &&
	      a.sin_family == AF_INET);
	return a;
}

static int bound(void)
{
	int fd = udp();

	check(bind_to(fd, LO, 0) == 0);
	return fd;
}

static void there_and_back(void)
{
	int a = bound(), b = udp();
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];

	check(port_of(a) >= 32768 && port_of(a) <= 60999 && port_of(b) == 0);
	check(send_to(b, "hello", 5, LO, port_of(a)) == 5);
	check(port_of(b) != 0 && name_of(b).sin_addr.s_addr == 0);
	check(recvfrom(a, buf, 16, 0, (void *)&from, &len) == 5 && !memcmp(buf, "hello", 5));
	check(len == sizeof(from) && ntohs(from.sin_port) == port_of(b) &&
	      from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	check(sendto(a, "x", 1, 0, (void *)&from, len) == 1 && recv(b, buf, 16, 0) == 1 &&
	      buf[0] == 'x');
}

static void connected(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int a = bound(), b = bound(), c = udp();
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char buf[8];

	fails(getpeername(c, (void *)&peer, &len), ENOTCONN);
	check(connect_to(c, LO, port_of(a)) == 0);
	check(name_of(c).sin_addr.s_addr == htonl(INADDR_LOOPBACK) && port_of(c));
	check(getpeername(c, (void *)&peer, &len) == 0 && ntohs(peer.sin_port) == port_of(a));
	check(send(c, "1", 1, 0) == 1 && recv(a, buf, 8, 0) == 1);
	check(send_to(c, "2", 1, LO, port_of(b)) == 1 &&
	      recv(b, buf, 8, 0) == 1); /* the name wins */
	check(send_to(b, "3", 1, LO, port_of(c)) == 1 && send_to(a, "4", 1, LO, port_of(c)) == 1);
	check(recv(c, buf, 8, 0) == 1 && buf[0] == '4'); /* b is not heard */
	fails(recv(c, buf, 8, MSG_DONTWAIT), EAGAIN);
	check(connect_to(c, LO, port_of(b)) == 0 && send(c, "5", 1, 0) == 1 &&
	      recv(b, buf, 8, 0) == 1 && buf[0] == '5');
	check(connect(c, &none, sizeof(none)) == 0);
	fails(getpeername(c, (void *)&peer, &len), ENOTCONN);
	fails(send(c, "6", 1, 0), EDESTADDRREQ);
	check(send_to(c, "7", 1, LO, port_of(a)) == 1 && recv(a, buf, 8, 0) == 1);
}

static int closed_port(void)
{
	int fd = bound(), port = port_of(fd);

	close(fd);
	return port;
}

static void refused(void)
{
	int c = udp(), later = udp(), port = closed_port();
	char buf[8];

	check(send_to(c, "x", 1, LO, port) == 1);
	check(connect_to(later, LO, port) == 0 && send(later, "x", 1, 0) == 1);
	check(wait_events(later, POLLIN) & POLLERR);
	fails(recv(c, buf, 8, MSG_DONTWAIT), EAGAIN); /* unconnected: not told */
	check(connect_to(c, LO, port) == 0 && send(c, "x", 1, 0) == 1);
	check(wait_events(c, POLLIN) & POLLERR);
	fails(recv(c, buf, 8, 0), ECONNREFUSED);
	fails(recv(c, buf, 8, MSG_DONTWAIT), EAGAIN);
	check(send(c, "x", 1, 0) == 1);
	check(wait_events(c, POLLIN) & POLLERR);
	fails(send(c, "x", 1, 0), ECONNREFUSED);
	check(send(c, "x", 1, 0) == 1);
	check(wait_events(c, POLLIN) & POLLERR);
	check(get(c, SOL_SOCKET, SO_ERROR) == ECONNREFUSED && get(c, SOL_SOCKET, SO_ERROR) == 0);
}

static void error_queue(void)
{
	struct sockaddr_in to;
	char data[64], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sock_extended_err ee;
	struct cmsghdr *c;
	int fd = udp(), port = closed_port();

	check(set(fd, SOL_IP, IP_RECVERR, 1) == 0 && get(fd, SOL_IP, IP_RECVERR) == 1);
	fails(recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
	check(send_to(fd, "quoted", 6, LO, port) == 6);
	check(wait_events(fd, 0) & POLLERR);
	m.msg_controllen = sizeof(control);
	m.msg_namelen = sizeof(to);
	check(recvmsg(fd, &m, MSG_ERRQUEUE) == 6 && !memcmp(data, "quoted", 6) &&
	      m.msg_flags & MSG_ERRQUEUE);
	check(ntohs(to.sin_port) == port && to.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	c = CMSG_FIRSTHDR(&m);
	check(c && c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR);
	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	check(ee.ee_errno == ECONNREFUSED && ee.ee_origin == SO_EE_ORIGIN_ICMP && ee.ee_type == 3 &&
	      ee.ee_code == 3);
}

static void binding(void)
{
	int a = bound(), b = udp(), port = port_of(a);
	char buf[4];

	fails(bind_to(a, LO, 0), EINVAL);
	fails(bind_to(b, LO, port), EADDRINUSE);
	fails(bind_to(b, "0.0.0.0", port), EADDRINUSE);
	fails(bind_to(b, "192.0.2.77", 0), EADDRNOTAVAIL);
	check(bind_to(b, "127.0.0.2", port) == 0); /* another address */
	check(send_to(b, "x", 1, LO, port) == 1 && recv(a, buf, 4, 0) == 1);
	close(a);
	a = udp();
	check(bind_to(a, LO, port) == 0); /* free again */
	close(b);
	b = udp();
	check(bind_to(b, "0.0.0.0", 700) == 0); /* root may */
	check(setuid(1000) == 0);
	a = udp();
	fails(bind_to(a, LO, 80), EACCES);
	check(bind_to(a, LO, 1024) == 0);
}

static void sharing(void)
{
	int a = udp(), b = udp(), other = udp(), got[2] = { 0, 0 };

	check(set(a, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind_to(a, LO, 0) == 0);
	fails(bind_to(b, LO, port_of(a)), EADDRINUSE);
	check(set(b, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind_to(b, LO, port_of(a)) == 0);
	close(a);
	close(b);
	a = udp();
	b = udp();
	check(set(a, SOL_SOCKET, SO_REUSEPORT, 1) == 0 && bind_to(a, LO, 0) == 0);
	fails(bind_to(other, LO, port_of(a)), EADDRINUSE);
	check(set(b, SOL_SOCKET, SO_REUSEPORT, 1) == 0 && bind_to(b, LO, port_of(a)) == 0);
	for (int i = 0; i < 64; i++) {
		int c = udp(), n = 0, m = 0;

		for (int k = 0; k < 3; k++)
			check(send_to(c, "x", 1, LO, port_of(a)) == 1);
		soon((n += drain(a)) + (m += drain(b)) >= 3);
		check(n + m == 3 && (!n || !m)); /* a peer keeps its socket */
		got[n == 3]++;
		close(c);
	}
	check(got[0] > 8 && got[1] > 8);
}

static void reading(void)
{
	int a = bound(), b = udp();
	struct timeval tv = { 0, 100000 };
	char buf[16];
	long start;

	fails(recv(a, buf, 16, MSG_DONTWAIT), EAGAIN);
	check(connect_to(b, LO, port_of(a)) == 0 && send(b, "abcdef", 6, 0) == 6 &&
	      send(b, "", 0, 0) == 0 && send(b, "gh", 2, 0) == 2 && readable(a, 1000));
	check(queued(a, FIONREAD) == 6);
	check(recv(a, buf, 16, MSG_PEEK) == 6 && recv(a, buf, 3, MSG_PEEK | MSG_TRUNC) == 6);
	struct iovec iov[2] = { { buf, 1 }, { buf + 8, 3 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	check(recvmsg(a, &m, 0) == 4 && m.msg_flags & MSG_TRUNC && buf[0] == 'a' &&
	      !memcmp(buf + 8, "bcd", 3));
	check(recv(a, buf, 16, 0) == 0);
	arrived(a, 2);
	check(queued(a, FIONREAD) == 2 && read(a, buf, 16) == 2);
	check(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	start = now_ms();
	fails(recv(a, buf, 16, 0), EAGAIN);
	check(now_ms() - start >= 90 && now_ms() - start < 2000);
}

static unsigned char big[65536], back[65536];

static void all_sizes(void)
{
	int a = bound(), b = udp();

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i * 7 + i / 251;
	check(connect_to(b, LO, port_of(a)) == 0);
	for (int n = 0; n <= 65507; n += n < 64 ? 1 : n < 60000 ? 997 : 501) {
		memset(back, 0, n + 1);
		check(send(b, big, n, 0) == n && recv(a, back, sizeof(back), 0) == n &&
		      !memcmp(big, back, n));
	}
	check(send(b, big, 65507, 0) == 65507 && recv(a, back, sizeof(back), 0) == 65507 &&
	      !memcmp(big, back, 65507));
	fails(send(b, big, 65508, 0), EMSGSIZE);
	fails(send(b, big, 65536, 0), EMSGSIZE);
}

static void gathering(void)
{
	int a = bound(), b = udp(), port = port_of(a);
	struct sockaddr_in to = in(LO, port);
	char buf[16];

	check(sendto(b, "ab", 2, MSG_MORE, (void *)&to, sizeof(to)) == 2);
	check(!readable(a, 50));
	check(sendto(b, "cd", 2, 0, (void *)&to, sizeof(to)) == 2 && recv(a, buf, 16, 0) == 4 &&
	      !memcmp(buf, "abcd", 4));
	check(connect_to(b, LO, port) == 0 && set(b, IPPROTO_UDP, UDP_CORK, 1) == 0 &&
	      get(b, IPPROTO_UDP, UDP_CORK) == 1);
	check(send(b, "12", 2, 0) == 2 && send(b, "3", 1, 0) == 1 && !readable(a, 50));
	check(set(b, IPPROTO_UDP, UDP_CORK, 0) == 0 && recv(a, buf, 16, 0) == 3 &&
	      !memcmp(buf, "123", 3));
	check(send(b, big, 60000, MSG_MORE) == 60000);
	fails(send(b, big, 6000, 0), EMSGSIZE);
	check(send(b, "y", 1, 0) == 1 && recv(a, buf, 16, 0) == 1 && buf[0] == 'y');
}

static void shutting_down(void)
{
	int a = bound(), b = udp();
	char buf[4];
	pid_t pid;

	fails(shutdown(b, SHUT_RD), ENOTCONN);
	check(connect_to(b, LO, port_of(a)) == 0 && shutdown(b, SHUT_WR) == 0);
	fails(send(b, "x", 1, MSG_NOSIGNAL), EPIPE);
	pid = fork();
	if (!pid) {
		check(recv(a, buf, 4, 0) == 0);
		_exit(0);
	}
	sleep_ms(100);
	fails(shutdown(a, SHUT_RDWR), ENOTCONN); /* but wakes who sleeps in it */
	check(status_of(pid) == 0);
}

static void polling(void)
{
	int a = bound(), b = udp();
	struct pollfd f = { a, POLLIN | POLLOUT, 0 };
	char buf[4];
	pid_t pid;

	check(poll(&f, 1, 0) == 1 && f.revents == POLLOUT);
	f.events = POLLIN;
	check(poll(&f, 1, 20) == 0);
	pid = fork();
	if (!pid) {
		sleep_ms(100);
		check(send_to(b, "x", 1, LO, port_of(a)) == 1);
		_exit(0);
	}
	check(poll(&f, 1, 5000) == 1 && f.revents == POLLIN && recv(a, buf, 4, 0) == 1);
	check(status_of(pid) == 0);
}

static void beside_the_data(void)
{
	char buf[8], control[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int a = bound(), b = udp(), seen = 0;
	struct in_pktinfo info;

	check(set(a, SOL_IP, IP_PKTINFO, 1) == 0 && set(a, SOL_IP, IP_RECVTTL, 1) == 0 &&
	      set(a, SOL_IP, IP_RECVTOS, 1) == 0);
	check(set(b, SOL_IP, IP_TTL, 7) == 0 && set(b, SOL_IP, IP_TOS, 0x10) == 0 &&
	      get(b, SOL_IP, IP_TTL) == 7);
	check(send_to(b, "x", 1, LO, port_of(a)) == 1 && recvmsg(a, &m, 0) == 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		check(c->cmsg_level == SOL_IP);
		if (c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			check(info.ipi_ifindex == (int)if_nametoindex("lo") &&
			      info.ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
			seen |= 1;
		} else if (c->cmsg_type == IP_TTL) {
			check(*(int *)CMSG_DATA(c) == 7);
			seen |= 2;
		} else if (c->cmsg_type == IP_TOS) {
			check(*CMSG_DATA(c) == 0x10);
			seen |= 4;
		}
	}
	check(seen == 7);
	/* options set after a flow was kept count at once */
	check(connect_to(b, LO, port_of(a)) == 0 && send(b, "x", 1, 0) == 1 &&
	      set(b, SOL_IP, IP_TTL, 9) == 0 && send(b, "y", 1, 0) == 1);
	for (int i = 0; i < 2; i++) {
		m.msg_controllen = sizeof(control);
		check(recvmsg(a, &m, 0) == 1);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_type == IP_TTL)
				check(*(int *)CMSG_DATA(c) == (i ? 9 : 7));
	}
}

static void path_mtu(void)
{
	int b = udp(), v;
	socklen_t len = sizeof(v);

	fails(getsockopt(b, SOL_IP, IP_MTU, &v, &len), ENOTCONN);
	check(connect_to(b, LO, 9) == 0 && get(b, SOL_IP, IP_MTU) == 65536);
	check(set(b, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO) == 0 &&
	      get(b, SOL_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_DO);
}

static void bounded(void)
{
	int a = bound(), b = udp(), sent = 0, got = 0;

	check(set(a, SOL_SOCKET, SO_RCVBUF, 20000) == 0 && connect_to(b, LO, port_of(a)) == 0);
	for (; sent < 300; sent++)
		check(send(b, big, 1000, 0) == 1000);
	soon(lost_of(a) >= 240);
	soon((got += drain(a)) + lost_of(a) == 300);
	check(got >= 5 && got <= 60);
	check(send(b, big, 1000, 0) == 1000 && recv(a, back, sizeof(back), 0) == 1000);
}

static void many_ports(void)
{
	static unsigned char taken[65536];
	int fd[400];

	for (size_t i = 0; i < LENGTH(fd); i++) {
		fd[i] = bound();
		check(!taken[port_of(fd[i])]);
		taken[port_of(fd[i])] = 1;
	}
}

static void errors(void)
{
	struct sockaddr_in a = in(LO, 0);
	struct sockaddr_un_like {
		unsigned short family;
		char path[14];
	} wrong = { AF_UNIX, "x" };
	int fd = udp();

	fails(send(fd, "x", 1, 0), EDESTADDRREQ);
	fails(sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)), EINVAL); /* port 0 */
	fails(sendto(fd, "x", 1, 0, (void *)&a, 7), EINVAL);
	fails(sendto(fd, "x", 1, 0, (void *)&wrong, sizeof(wrong)), EAFNOSUPPORT);
	fails(send_to(fd, (void *)8, 100, LO, 9), EFAULT);
	fails(listen(fd, 1), EOPNOTSUPP);
	fails(accept(fd, NULL, NULL), EOPNOTSUPP);
	fails(send_to(fd, "x", 1, "255.255.255.255", 9), EACCES);
	fails(connect_to(fd, "255.255.255.255", 9), EACCES);
	fails(set(fd, IPPROTO_UDP, 9999, 1), ENOPROTOOPT);
	fails(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
}

/* The first interface that is not loopback, its address. */
static int outer(struct in_addr *addr, struct in_addr *broadcast)
{
	int fd = udp();
	struct ifreq r = { .ifr_name = "eth0" };

	if (ioctl(fd, SIOCGIFADDR, &r) < 0)
		strcpy(r.ifr_name, "tap0");
	check(ioctl(fd, SIOCGIFADDR, &r) == 0);
	*addr = ((struct sockaddr_in *)&r.ifr_addr)->sin_addr;
	check(ioctl(fd, SIOCGIFBRDADDR, &r) == 0);
	*broadcast = ((struct sockaddr_in *)&r.ifr_broadaddr)->sin_addr;
	check(ioctl(fd, SIOCGIFINDEX, &r) == 0);
	close(fd);
	return r.ifr_ifindex;
}

static void groups(void)
{
	struct in_addr addr, broadcast;
	struct ip_mreqn mr = { .imr_ifindex = outer(&addr, &broadcast) };
	int a = udp(), b = udp(), apart = udp(), c = udp();
	char buf[8];

	check(inet_pton(AF_INET, "239.7.8.9", &mr.imr_multiaddr) == 1);
	check(set(a, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set(b, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
	check(bind_to(a, "0.0.0.0", 5007) == 0 && bind_to(b, "239.7.8.9", 5007) == 0 &&
	      bind_to(apart, "0.0.0.0", 5008) == 0);
	check(setsockopt(a, SOL_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	check(setsockopt(b, SOL_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	fails(setsockopt(b, SOL_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)), EADDRINUSE);
	fails(set(c, SOL_IP, IP_MULTICAST_ALL, 2), EINVAL);
	check(get(c, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP);
	check(setsockopt(c, SOL_IP, IP_MULTICAST_IF, &mr, sizeof(mr)) == 0);
	check(send_to(c, "group", 5, "239.7.8.9", 5007) == 5);
	check(readable(a, 1000) && recv(a, buf, 8, 0) == 5 && readable(b, 1000) &&
	      recv(b, buf, 8, 0) == 5 && !memcmp(buf, "group", 5) && !readable(apart, 20));
	check(set(c, SOL_IP, IP_MULTICAST_LOOP, 0) == 0 &&
	      send_to(c, "group", 5, "239.7.8.9", 5007) == 5 && !readable(a, 50));
	check(setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &mr, sizeof(mr)) == 0);
	fails(setsockopt(a, SOL_IP, IP_DROP_MEMBERSHIP, &mr, sizeof(mr)), EADDRNOTAVAIL);
	close(b);
	/* to everybody on the link: each socket of the port, bound to any or to the broadcast
	 * address */
	b = udp();
	check(set(b, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
	      bind_to(b, inet_ntoa(broadcast), 5007) == 0);
	fails(send_to(c, "all", 3, inet_ntoa(broadcast), 5007), EACCES);
	check(set(c, SOL_SOCKET, SO_BROADCAST, 1) == 0 &&
	      send_to(c, "all", 3, inet_ntoa(broadcast), 5007) == 3);
	check(readable(a, 1000) && recv(a, buf, 8, 0) == 3 && readable(b, 1000) &&
	      recv(b, buf, 8, 0) == 3);
}

/* Sockets shared by processes that connect, send, read and change options all at once. */
static void tumult(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int a = bound(), b = bound(), pa = port_of(a), pb = port_of(b);
	long end = now_ms() + 3000;
	pid_t pid[6];
	char buf[2000];

	for (size_t i = 0; i < LENGTH(pid); i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		for (unsigned n = i; now_ms() < end; n++) {
			switch (i) {
			case 0:
				connect_to(b, LO, n % 3 ? pa : 9);
				connect(b, &none, sizeof(none));
				break;
			case 1:
				send_to(b, big, n % 1800, LO, pa);
				send(b, big, 10, n % 5 ? 0 : MSG_MORE);
				break;
			case 2:
				send_to(a, big, n % 100, LO, pb);
				recv(a, buf, sizeof(buf), MSG_DONTWAIT | (n % 7 ? 0 : MSG_PEEK));
				break;
			case 3:
				recv(b, buf, sizeof(buf), MSG_DONTWAIT);
				set(b, SOL_IP, IP_TTL, n % 255 + 1);
				break;
			case 4: {
				int c = udp();

				connect_to(c, LO, n & 1 ? pa : pb);
				send(c, big, 100, 0);
				close(c);
				break;
			}
			default: {
				int c = udp();

				set(c, SOL_SOCKET, SO_REUSEADDR, 1);
				bind_to(c, "0.0.0.0", 5555);
				send_to(c, big, 3000, LO, 5555);
				recv(c, back, sizeof(back), MSG_DONTWAIT);
				close(c);
			}
			}
		}
		_exit(0);
	}
	for (size_t i = 0; i < LENGTH(pid); i++)
		check(status_of(pid[i]) == 0);
	int c = bound();
	check(send_to(c, "end", 3, LO, port_of(c)) == 3 && recv(c, buf, 8, 0) == 3);
}

static int echo(int port)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int fd = udp();
	long n;

	check(bind_to(fd, "0.0.0.0", port) == 0);
	for (;; len = sizeof(from)) {
		n = recvfrom(fd, back, sizeof(back), 0, (void *)&from, &len);
		/* two echo servers would never stop talking */
		if (n >= 0 && from.sin_port != htons(port))
			sendto(fd, back, n, 0, (void *)&from, len);
	}
}

static double now(void)
{
	struct timespec t;

	check(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int blast(const char *host, int port, int seconds)
{
	/* not time(): its second may have a millisecond left */
	double end = now() + seconds;
	struct sockaddr_in to = in(host, port);
	int fd = udp();
	long sent = 0;

	check(connect(fd, (void *)&to, sizeof(to)) == 0);
	while (sent % 64 || now() < end)
		/* nobody listens at times, and says so */
		sent += send(fd, big, 64, 0) == 64 || errno == ECONNREFUSED;
	printf("%ld\n", sent);
	return 0;
}

static const struct test tests[] = {
	TEST(there_and_back), TEST(connected),	   TEST(refused),    TEST(error_queue),
	TEST(binding),	      TEST(sharing),	   TEST(reading),    TEST(all_sizes),
	TEST(gathering),      TEST(shutting_down), TEST(polling),    TEST(beside_the_data),
	TEST(path_mtu),	      TEST(bounded),	   TEST(many_ports), TEST(errors),
	TEST(groups),	      TEST(tumult),
};

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(atoi(argv[2]));
	if (argc == 5 && !strcmp(argv[1], "blast"))
		return blast(argv[2], atoi(argv[3]), atoi(argv[4]));
	return run_tests(argc, argv, tests, LENGTH(tests), 30);
}
