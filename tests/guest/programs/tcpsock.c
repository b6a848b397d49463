/* SPDX-License-Identifier: MIT */
/* tcpsock.c - what TCP sockets promise over loopback: connecting, accepting, errnos of every state,
 * reading and writing, urgent data, shutdown, close and reset, readiness by poll and epoll. */
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define POLLRDHUP 0x2000
#define SIOCATMARK 0x8905
#define SIOCOUTQ 0x5411

static char buf[1 << 20], back[1 << 20];
static int listener, client, server;

static struct sockaddr_in lo(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	check(getsockname(fd, (void *)&a, &len) == 0 && len == sizeof(a));
	return ntohs(a.sin_port);
}

static int connect_to(int fd, int port)
{
	struct sockaddr_in a = lo(port);

	return connect(fd, (void *)&a, sizeof(a));
}

static int listen_on(int backlog)
{
	struct sockaddr_in a = lo(0);
	int fd = tcp();

	check(bind(fd, (void *)&a, sizeof(a)) == 0);
	check(listen(fd, backlog) == 0);
	return fd;
}

static void nonblock(int fd)
{
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

static void pair(void)
{
	listener = listen_on(8);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	server = accept(listener, NULL, NULL);
	check(server >= 0);
}

/* A port where nobody listens. */
static int dead_port(void)
{
	int fd = listen_on(1), port = port_of(fd);

	close(fd);
	return port;
}

static int events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int wait_events(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = want };

	check(poll(&p, 1, 2000) >= 0);
	return p.revents;
}

#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)

static int option(int fd, int level, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	check(getsockopt(fd, level, opt, &v, &len) == 0 && len == sizeof(v));
	return v;
}

static int queued(int fd, int cmd)
{
	int n = -1;

	check(ioctl(fd, cmd, &n) == 0);
	return n;
}

static void reset(int *fd)
{
	struct linger l = { 1, 0 };

	check(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	close(*fd);
	*fd = -1;
	sleep_ms(20);
}

/* ---- connecting ---- */

static void names(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	pair();
	check(getpeername(client, (void *)&a, &len) == 0 && ntohs(a.sin_port) == port_of(listener));
	check(a.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && a.sin_family == AF_INET);
	check(getpeername(server, (void *)&a, &len) == 0 && ntohs(a.sin_port) == port_of(client));
	check(port_of(server) == port_of(listener));
	fails(getpeername(listener, (void *)&a, &len), ENOTCONN);
	fails(getpeername(tcp(), (void *)&a, &len), ENOTCONN);
	check(port_of(tcp()) == 0);
	check(option(client, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	check(option(client, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	check(option(client, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	check(option(client, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	check(option(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
}

static void connect_errnos(void)
{
	struct sockaddr_in a = lo(dead_port());
	int fd = tcp();

	fails(connect(fd, (void *)&a, sizeof(a)), ECONNREFUSED);
	/* the same socket may try again */
	fails(connect(fd, (void *)&a, sizeof(a)), ECONNREFUSED);
	pair();
	check(connect_to(fd, port_of(listener)) == 0);
	fails(connect_to(fd, port_of(listener)), EISCONN);
	fails(connect_to(listener, port_of(listener)), EISCONN);
	fd = tcp();
	fails(connect(fd, (void *)&a, 4), EINVAL);
	a.sin_family = AF_INET6;
	fails(connect(fd, (void *)&a, sizeof(a)), EAFNOSUPPORT);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(0xe0000001);
	fails(connect(fd, (void *)&a, sizeof(a)), ENETUNREACH);
	a.sin_addr.s_addr = 0; /* this host */
	a.sin_port = htons(port_of(listener));
	check(connect(fd, (void *)&a, sizeof(a)) == 0);
	fails(connect(-1, (void *)&a, sizeof(a)), EBADF);
	fails(connect(0, (void *)&a, sizeof(a)), ENOTSOCK);
	fails(connect(tcp(), (void *)8, sizeof(a)), EFAULT);
}

static void connect_nonblocking(void)
{
	int fd = tcp(), port;

	pair();
	nonblock(fd);
	fails(connect_to(fd, port_of(listener)), EINPROGRESS);
	check(wait_events(fd, POLLOUT) == POLLOUT);
	check(option(fd, SOL_SOCKET, SO_ERROR) == 0);
	/* told once that it worked, then that it is so */
	check(connect_to(fd, port_of(listener)) == 0);
	fails(connect_to(fd, port_of(listener)), EISCONN);
	port = dead_port();
	fd = tcp();
	nonblock(fd);
	fails(connect_to(fd, port), EINPROGRESS);
	check(wait_events(fd, ALL) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP));
	check(option(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	check(option(fd, SOL_SOCKET, SO_ERROR) == 0);
	check(events(fd, ALL) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP));
	fails(connect_to(fd, port), ECONNABORTED);
	fails(connect_to(fd, port), EINPROGRESS);
	sleep_ms(20);
	fails(connect_to(fd, port), ECONNREFUSED);
}

static void disconnecting(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int port;

	pair();
	port = port_of(client);
	check(connect(client, &none, sizeof(none)) == 0);
	check(recv(server, buf, 1, 0) == -1 && errno == ECONNRESET);
	check(events(client, ALL) & POLLHUP);
	check(connect_to(client, port_of(listener)) == 0);
	check(send(client, "x", 1, 0) == 1);
	server = accept(listener, NULL, NULL);
	check(server >= 0 && recv(server, buf, 4, 0) == 1);
	check(port);
}

static void binding(void)
{
	struct sockaddr_in a;
	int fd = tcp(), on = 1;

	pair();
	a = lo(port_of(listener));
	fails(bind(fd, (void *)&a, sizeof(a)), EADDRINUSE);
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	fails(bind(fd, (void *)&a, sizeof(a)), EADDRINUSE);
	a.sin_port = 0;
	check(bind(fd, (void *)&a, sizeof(a)) == 0);
	fails(bind(fd, (void *)&a, sizeof(a)), EINVAL);
	fails(bind(client, (void *)&a, sizeof(a)), EINVAL);
	a.sin_addr.s_addr = htonl(0x08080808);
	fails(bind(tcp(), (void *)&a, sizeof(a)), EADDRNOTAVAIL);
	fails(bind(tcp(), (void *)&a, 2), EINVAL);
	/* bound before it connects */
	check(connect_to(fd, port_of(listener)) == 0);
	/* a listener that was closed: its port is free for who says so, though connections live */
	close(listener);
	fd = tcp();
	a = lo(port_of(server));
	fails(bind(fd, (void *)&a, sizeof(a)), EADDRINUSE);
	check(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	check(bind(fd, (void *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0);
}

static void reuseport(void)
{
	int a = tcp(), b = tcp(), on = 1, got[2] = { 0, 0 };
	struct sockaddr_in name = lo(0);

	check(setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
	check(setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
	check(bind(a, (void *)&name, sizeof(name)) == 0 && listen(a, 64) == 0);
	name = lo(port_of(a));
	check(bind(b, (void *)&name, sizeof(name)) == 0 && listen(b, 64) == 0);
	for (int i = 0; i < 40; i++)
		check(connect_to(tcp(), port_of(a)) == 0);
	sleep_ms(50);
	nonblock(a);
	nonblock(b);
	while (accept(a, NULL, NULL) >= 0)
		got[0]++;
	while (accept(b, NULL, NULL) >= 0)
		got[1]++;
	check(got[0] + got[1] == 40 && got[0] && got[1]);
}

/* ---- listening ---- */

static void listen_errnos(void)
{
	int fd = tcp();

	pair();
	fails(accept(fd, NULL, NULL), EINVAL);
	fails(accept(client, NULL, NULL), EINVAL);
	fails(listen(client, 1), EINVAL);
	/* without bind the system chooses a port */
	check(listen(fd, 1) == 0 && port_of(fd) != 0);
	check(listen(fd, 5) == 0);
	nonblock(fd);
	fails(accept(fd, NULL, NULL), EAGAIN);
	fails(shutdown(fd, 7), EINVAL);
	fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	fails(recv(fd, buf, 1, 0), ENOTCONN);
	fails(ioctl(fd, FIONREAD, buf), EINVAL);
	/* nobody accepts any more */
	check(shutdown(fd, SHUT_RDWR) == 0);
	fails(accept(fd, NULL, NULL), EINVAL);
}

static void accept_inherits(void)
{
	int on = 1, fd, size = 50000;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	listener = listen_on(4);
	check(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	check(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	check(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	nonblock(listener);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	check(wait_events(listener, POLLIN) == POLLIN);
	fd = accept4(listener, (void *)&a, &len, SOCK_CLOEXEC);
	check(fd >= 0 && len == sizeof(a) && ntohs(a.sin_port) == port_of(client));
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
	check(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
	check(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
	check(option(fd, SOL_SOCKET, SO_RCVBUF) == 100000);
	check(events(listener, POLLIN) == 0);
}

/* A connection that is reset before it is accepted is accepted all the same, as on Linux. */
static void reset_before_accept(void)
{
	listener = listen_on(4);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	reset(&client);
	server = accept(listener, NULL, NULL);
	check(server >= 0);
	fails(recv(server, buf, 1, 0), ECONNRESET);
	check(recv(server, buf, 1, 0) == 0);
}

static void *late_connect(void *arg)
{
	sleep_ms(50);
	connect_to(tcp(), (int)(long)arg);
	return NULL;
}

static void accept_waits(void)
{
	struct timeval tv = { 0, 30000 };
	pthread_t t;

	listener = listen_on(4);
	check(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	fails(accept(listener, NULL, NULL), EAGAIN);
	tv.tv_usec = 0;
	check(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	check(pthread_create(&t, NULL, late_connect, (void *)(long)port_of(listener)) == 0);
	check(accept(listener, NULL, NULL) >= 0);
	pthread_join(t, NULL);
}

/* ---- moving data ---- */

static void *echo(void *arg)
{
	int fd = (int)(long)arg;
	static char own[65536];
	ssize_t n;

	while ((n = read(fd, own, sizeof(own))) > 0) {
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(fd, own + done, n - done);
			check(w > 0);
		}
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void there_and_back(void)
{
	size_t sent = 0, got = 0;
	pthread_t t;
	ssize_t n;

	pair();
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = i * 31 + (i >> 8);
	check(pthread_create(&t, NULL, echo, (void *)(long)server) == 0);
	nonblock(client);
	while (got < sizeof(buf)) {
		struct pollfd p = { .fd = client,
				    .events = POLLIN | (sent < sizeof(buf) ? POLLOUT : 0) };

		check(poll(&p, 1, 5000) == 1);
		if (p.revents & POLLOUT) {
			n = send(client, buf + sent, sizeof(buf) - sent, 0);
			check(n > 0 || errno == EAGAIN);
			sent += n > 0 ? n : 0;
			if (sent == sizeof(buf))
				check(shutdown(client, SHUT_WR) == 0);
		}
		if (p.revents & POLLIN) {
			n = recv(client, back + got, sizeof(back) - got, 0);
			check(n > 0);
			got += n;
		}
	}
	check(!memcmp(buf, back, sizeof(buf)));
	check(wait_events(client, POLLIN) & POLLIN);
	check(recv(client, back, 1, 0) == 0);
	pthread_join(t, NULL);
}

static void reading(void)
{
	struct iovec v[2] = { { back, 3 }, { back + 100, 10 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_namelen = 77 };
	char name[100];

	pair();
	check(send(client, "abcdef", 6, 0) == 6);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 2, MSG_PEEK) == 2 && !memcmp(back, "ab", 2));
	check(queued(server, FIONREAD) == 6);
	m.msg_name = name;
	check(recvmsg(server, &m, 0) == 6 && !memcmp(back, "abc", 3));
	check(!memcmp(back + 100, "def", 3) && m.msg_namelen == 0 && m.msg_flags == 0);
	fails(recv(server, back, 1, MSG_DONTWAIT), EAGAIN);
	fails(recv(server, back, 1, MSG_DONTWAIT | MSG_WAITALL), EAGAIN);
	check(send(client, "0123456789", 10, 0) == 10);
	check(wait_events(server, POLLIN) == POLLIN);
	memset(back, 'x', 4);
	check(recv(server, back, 4, MSG_TRUNC) == 4 && back[0] == 'x');
	check(recv(server, back, 20, MSG_DONTWAIT | MSG_WAITALL) == 6 && back[0] == '4');
	fails(recv(server, (void *)8, 1, MSG_DONTWAIT), EAGAIN);
	check(send(client, "x", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	fails(recv(server, (void *)8, 1, 0), EFAULT);
	check(recv(server, back, 1, 0) == 1);
	fails(send(client, (void *)8, 1, 0), EFAULT);
	check(send(client, "", 0, 0) == 0);
}

static void lowat(void)
{
	int four = 4;

	pair();
	check(setsockopt(server, SOL_SOCKET, SO_RCVLOWAT, &four, sizeof(four)) == 0);
	check(option(server, SOL_SOCKET, SO_RCVLOWAT) == 4);
	check(send(client, "abc", 3, 0) == 3);
	sleep_ms(20);
	check(events(server, POLLIN) == 0);
	check(send(client, "d", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 4);
	check(send(client, "e", 1, 0) == 1);
	check(shutdown(client, SHUT_WR) == 0);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 1);
}

/* Fills both buffers; how much that was. */
static size_t stuff(int fd)
{
	size_t total = 0;
	ssize_t n;

	for (int quiet = 0; quiet < 3; sleep_ms(10)) {
		n = send(fd, buf, sizeof(buf), MSG_DONTWAIT);
		check(n > 0 || errno == EAGAIN);
		quiet = n > 0 ? 0 : quiet + 1;
		total += n > 0 ? n : 0;
	}
	return total;
}

static void full(void)
{
	struct timeval tv = { 0, 50000 };
	long start;
	size_t total;

	pair();
	total = stuff(client);
	check(events(client, POLLOUT) == 0);
	check(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	start = now_ms();
	fails(send(client, buf, 1, 0), EAGAIN);
	check(now_ms() - start >= 50);
	check(queued(client, SIOCOUTQ) > 0);
	while (total) {
		ssize_t n = recv(server, back, sizeof(back), 0);

		check(n > 0);
		total -= n;
	}
	check(wait_events(client, POLLOUT) == POLLOUT);
	sleep_ms(100);
	check(queued(client, SIOCOUTQ) == 0);
}

static void more_and_cork(void)
{
	int on = 1;

	pair();
	check(send(client, "a", 1, MSG_MORE) == 1);
	fails(recv(server, back, 10, MSG_DONTWAIT), EAGAIN);
	check(send(client, "b", 1, 0) == 1);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 2);
	check(setsockopt(client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	check(send(client, "a", 1, 0) == 1 && send(client, "b", 1, 0) == 1);
	sleep_ms(20);
	fails(recv(server, back, 10, MSG_DONTWAIT), EAGAIN);
	on = 0;
	check(setsockopt(client, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	check(wait_events(server, POLLIN) == POLLIN);
	check(recv(server, back, 10, 0) == 2);
}

static void from_a_file(void)
{
	int fd = open("/tmp/tcpsock.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 100;
	size_t got = 0;
	ssize_t n;

	check(fd >= 0 && unlink("/tmp/tcpsock.data") == 0);
	for (size_t i = 0; i < 300000; i++)
		buf[i] = i * 7 + (i >> 9);
	check(write(fd, buf, 300000) == 300000);
	pair();
	if (!fork()) {
		while (at < 300000)
			check(sendfile(client, fd, &at, 300000 - at) > 0);
		_exit(0);
	}
	close(client);
	while ((n = recv(server, back + got, sizeof(back) - got, 0)) > 0)
		got += n;
	check(n == 0 && got == 299900 && !memcmp(back, buf + 100, got));
}

/* ---- the end ---- */

static void half_closed(void)
{
	pair();
	check(send(client, "x", 1, 0) == 1 && shutdown(client, SHUT_WR) == 0);
	fails(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
	sleep_ms(20);
	check(events(server, ALL) == (POLLIN | POLLOUT | POLLRDHUP));
	check(events(client, ALL) == POLLOUT);
	check(recv(server, back, 10, 0) == 1 && recv(server, back, 10, 0) == 0);
	check(send(server, "back", 4, 0) == 4);
	check(recv(client, back, 10, 0) == 4);
	check(shutdown(server, SHUT_WR) == 0);
	check(recv(client, back, 10, 0) == 0);
	check(events(client, ALL) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	fails(shutdown(client, SHUT_RDWR), ENOTCONN);
	fails(shutdown(tcp(), SHUT_RDWR), ENOTCONN);
}

static void reading_shut(void)
{
	pair();
	check(shutdown(server, SHUT_RD) == 0);
	check(events(server, ALL) == (POLLIN | POLLOUT | POLLRDHUP));
	check(recv(server, back, 1, 0) == 0);
	/* what comes all the same may be read */
	check(send(client, "x", 1, 0) == 1);
	sleep_ms(20);
	check(recv(server, back, 1, 0) == 1);
	check(recv(server, back, 1, 0) == 0);
	check(send(server, "y", 1, 0) == 1);
	check(recv(client, back, 1, 0) == 1);
}

static void pipe_broken(void)
{
	pair();
	signal(SIGPIPE, SIG_IGN);
	reset(&server);
	check(events(client, ALL) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP));
	fails(send(client, "x", 1, 0), ECONNRESET);
	fails(send(client, "x", 1, 0), EPIPE);
	check(recv(client, back, 1, 0) == 0);
	signal(SIGPIPE, SIG_DFL);
	send(client, "x", 1, 0);
}

/* Closing with unread data resets (RFC 2525 2.17). */
static void unread(void)
{
	pair();
	check(send(client, "x", 1, 0) == 1);
	sleep_ms(20);
	close(server);
	sleep_ms(20);
	fails(recv(client, back, 1, 0), ECONNRESET);
}

static void closed_peer(void)
{
	pair();
	close(server);
	sleep_ms(20);
	check(recv(client, back, 1, 0) == 0);
	check(send(client, "x", 1, MSG_NOSIGNAL) == 1); /* answered by a RST */
	sleep_ms(20);
	fails(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
	check(recv(client, back, 1, 0) == 0);
}

static void data_before_reset(void)
{
	pair();
	check(send(client, "last", 4, 0) == 4);
	sleep_ms(20);
	reset(&client);
	check(recv(server, back, 10, 0) == 4);
	fails(recv(server, back, 10, 0), ECONNRESET);
	check(recv(server, back, 10, 0) == 0);
}

static void lingering(void)
{
	struct linger l = { 1, 5 };
	long start = now_ms();

	pair();
	check(setsockopt(client, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	check(send(client, "x", 1, 0) == 1);
	close(client);
	check(now_ms() - start < 1000);
	check(recv(server, back, 10, 0) == 1 && recv(server, back, 10, 0) == 0);
}

/* ---- urgent data ---- */

static void urgent(void)
{
	pair();
	check(send(client, "abc", 3, 0) == 3);
	check(send(client, "dU", 2, MSG_OOB) == 2);
	check(send(client, "ef", 2, 0) == 2);
	check(wait_events(server, POLLPRI) == POLLPRI);
	sleep_ms(20);
	check(events(server, ALL) == (POLLIN | POLLOUT | POLLPRI));
	check(queued(server, FIONREAD) == 4 && queued(server, SIOCATMARK) == 0);
	check(recv(server, back, 1, MSG_OOB | MSG_PEEK) == 1 && back[0] == 'U');
	check(recv(server, back, 1, MSG_OOB) == 1 && back[0] == 'U');
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
	check(events(server, POLLPRI) == 0);
	/* data stops at the mark, and goes on behind it */
	check(recv(server, back, 10, 0) == 4 && !memcmp(back, "abcd", 4));
	check(queued(server, SIOCATMARK) == 1);
	check(recv(server, back, 10, 0) == 2 && !memcmp(back, "ef", 2));
	check(queued(server, SIOCATMARK) == 0);
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
}

static void urgent_inline(void)
{
	int on = 1;

	pair();
	check(setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) == 0);
	check(send(client, "ab", 2, 0) == 2 && send(client, "U", 1, MSG_OOB) == 1);
	check(send(client, "cd", 2, 0) == 2);
	sleep_ms(20);
	fails(recv(server, back, 1, MSG_OOB), EINVAL);
	check(recv(server, back, 10, 0) == 2 && queued(server, SIOCATMARK) == 1);
	check(recv(server, back, 10, 0) == 3 && !memcmp(back, "Ucd", 3));
}

static volatile int urgent_signals;

static void on_urgent(int sig)
{
	urgent_signals++;
}

static void urgent_signal(void)
{
	pair();
	signal(SIGURG, on_urgent);
	check(fcntl(server, F_SETOWN, getpid()) == 0 && fcntl(server, F_GETOWN) == getpid());
	check(send(client, "U", 1, MSG_OOB) == 1);
	for (int i = 0; i < 100 && !urgent_signals; i++)
		sleep_ms(10);
	check(urgent_signals == 1);
}

/* ---- readiness ---- */

static void polling(void)
{
	int fd = tcp();

	check(events(fd, ALL) == (POLLOUT | POLLHUP));
	pair();
	check(events(listener, ALL) == 0);
	check(events(client, ALL) == POLLOUT);
	check(send(server, "x", 1, 0) == 1);
	check(wait_events(client, POLLIN) == POLLIN);
	check(events(client, ALL) == (POLLIN | POLLOUT));
	check(connect_to(fd, port_of(listener)) == 0);
	check(wait_events(listener, ALL) == POLLIN);
	check(recv(client, back, 1, 0) == 1);
	check(events(client, ALL) == POLLOUT);
}

static int epoll_on(int fd, unsigned want)
{
	struct epoll_event e = { .events = want };
	int ep = epoll_create1(0);

	check(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	return ep;
}

static unsigned next_event(int ep, int ms)
{
	struct epoll_event e;
	int n = epoll_wait(ep, &e, 1, ms);

	check(n >= 0);
	return n ? e.events : 0;
}

static void edges(void)
{
	struct epoll_event mod = { .events = EPOLLIN | EPOLLET };
	int ep;
	size_t total;

	pair();
	nonblock(server);
	ep = epoll_on(server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	check(next_event(ep, 1000) == EPOLLOUT);
	check(next_event(ep, 0) == 0);
	/* each arrival is told, though what came before was not read */
	check(send(client, "a", 1, 0) == 1);
	check(next_event(ep, 1000) == (EPOLLIN | EPOLLOUT));
	check(next_event(ep, 20) == 0);
	check(send(client, "b", 1, 0) == 1);
	check(next_event(ep, 1000) == (EPOLLIN | EPOLLOUT));
	check(recv(server, back, 1, 0) == 1);
	check(next_event(ep, 20) == 0);
	/* asked anew, what is there is told again */
	check(epoll_ctl(ep, EPOLL_CTL_MOD, server, &mod) == 0);
	check(next_event(ep, 1000) == EPOLLIN);
	check(recv(server, back, 10, 0) == 1);
	/* room after a full buffer is an edge */
	mod.events = EPOLLOUT | EPOLLET;
	total = stuff(server);
	check(epoll_ctl(ep, EPOLL_CTL_MOD, server, &mod) == 0);
	check(next_event(ep, 20) == 0);
	while (total) {
		ssize_t n = recv(client, back, sizeof(back), 0);

		check(n > 0);
		total -= n;
	}
	check(next_event(ep, 1000) == EPOLLOUT);
	mod.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	check(epoll_ctl(ep, EPOLL_CTL_MOD, server, &mod) == 0);
	check(shutdown(client, SHUT_WR) == 0);
	check(next_event(ep, 1000) == (EPOLLIN | EPOLLRDHUP));
	reset(&client);
	check(next_event(ep, 1000) & EPOLLHUP);
}

static void oneshot(void)
{
	struct epoll_event mod = { .events = EPOLLIN | EPOLLONESHOT };
	int ep;

	pair();
	ep = epoll_on(server, EPOLLIN | EPOLLONESHOT);
	check(send(client, "a", 1, 0) == 1);
	check(next_event(ep, 1000) == EPOLLIN);
	check(send(client, "b", 1, 0) == 1);
	check(next_event(ep, 20) == 0);
	check(epoll_ctl(ep, EPOLL_CTL_MOD, server, &mod) == 0);
	check(next_event(ep, 1000) == EPOLLIN);
}

/* Of several that wait for a listener by EPOLLEXCLUSIVE not all are woken for one connection. */
static void exclusive(void)
{
	int woken = 0, tell[2];
	char c;

	listener = listen_on(8);
	check(pipe(tell) == 0);
	for (int i = 0; i < 4; i++) {
		if (!fork()) {
			int ep = epoll_on(listener, EPOLLIN | EPOLLEXCLUSIVE);

			if (next_event(ep, 300))
				check(write(tell[1], "w", 1) == 1);
			_exit(0);
		}
	}
	sleep_ms(100);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	close(tell[1]);
	while (read(tell[0], &c, 1) == 1)
		woken++;
	check(woken >= 1 && woken < 4);
}

static const struct test tests[] = {
	TEST(names),
	TEST(connect_errnos),
	TEST(connect_nonblocking),
	TEST(disconnecting),
	TEST(binding),
	TEST(reuseport),
	TEST(listen_errnos),
	TEST(accept_inherits),
	TEST(accept_waits),
	TEST(there_and_back),
	TEST(reset_before_accept),
	TEST(reading),
	TEST(lowat),
	TEST(full),
	TEST(more_and_cork),
	TEST(from_a_file),
	TEST(half_closed),
	TEST(reading_shut),
	DIES(pipe_broken, SIGPIPE),
	TEST(unread),
	TEST(closed_peer),
	TEST(data_before_reset),
	TEST(lingering),
	TEST(urgent),
	TEST(urgent_inline),
	TEST(urgent_signal),
	TEST(polling),
	TEST(edges),
	TEST(oneshot),
	TEST(exclusive),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
