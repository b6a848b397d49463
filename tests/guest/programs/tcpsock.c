/* SPDX-License-Identifier: MIT */
/* tcpsock.c - TCP sockets over loopback: naming, connecting, listening and accepting, with the
 * errno of each state. */
#include "tcpcheck.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>

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
	check(get(client, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	check(get(client, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	check(get(client, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	check(get(client, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	check(get(listener, SOL_SOCKET, SO_ACCEPTCONN) == 1);
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
	check(get(fd, SOL_SOCKET, SO_ERROR) == 0);
	/* told once that it worked, then that it is so */
	check(connect_to(fd, port_of(listener)) == 0);
	fails(connect_to(fd, port_of(listener)), EISCONN);
	port = dead_port();
	fd = tcp();
	nonblock(fd);
	fails(connect_to(fd, port), EINPROGRESS);
	check(wait_events(fd, ALL) == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP));
	check(get(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	check(get(fd, SOL_SOCKET, SO_ERROR) == 0);
	check(events(fd, ALL) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP));
	fails(connect_to(fd, port), ECONNABORTED);
	fails(connect_to(fd, port), EINPROGRESS);
	check(wait_events(fd, ALL) & POLLERR);
	fails(connect_to(fd, port), ECONNREFUSED);
}

/* The answer comes while the caller looks, on another CPU: why the call failed is told with it. */
static void *refuse_often(void *arg)
{
	long end = now_ms() + 3000;
	int port = *(int *)arg, fd;

	while (now_ms() < end) {
		fd = tcp();
		/* now and then the dead port becomes this end's own, and the call reaches itself */
		if (connect_to(fd, port))
			check(errno == ECONNREFUSED);
		else
			check(port_of(fd) == port);
		close(fd);
		fd = tcp();
		nonblock(fd);
		fails(connect_to(fd, port), EINPROGRESS);
		check(wait_events(fd, ALL) & POLLHUP || port_of(fd) == port);
		check(get(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED || port_of(fd) == port);
		close(fd);
	}
	return NULL;
}

static void refused_often(void)
{
	int port = dead_port();
	pthread_t t;

	check(pthread_create(&t, NULL, refuse_often, &port) == 0);
	refuse_often(&port);
	pthread_join(t, NULL);
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

/* How many connections have been taken so far, *n of them before. */
static int taken(int fd, int *n)
{
	while (accept(fd, NULL, NULL) >= 0)
		++*n;
	return *n;
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
	nonblock(a);
	nonblock(b);
	soon(taken(a, &got[0]) + taken(b, &got[1]) == 40);
	check(got[0] && got[1]);
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
	check(get(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
	check(get(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
	check(get(fd, SOL_SOCKET, SO_RCVBUF) == 100000);
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

static void without_descriptors(void)
{
	struct rlimit r, less;
	int fd;

	listener = listen_on(4);
	client = tcp();
	check(connect_to(client, port_of(listener)) == 0);
	check(getrlimit(RLIMIT_NOFILE, &r) == 0);
	less = r;
	less.rlim_cur = client + 1;
	check(setrlimit(RLIMIT_NOFILE, &less) == 0);
	fails(accept(listener, NULL, NULL), EMFILE);
	fails(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
	check(setrlimit(RLIMIT_NOFILE, &r) == 0);
	/* the connection is still there */
	fd = accept(listener, NULL, NULL);
	check(fd >= 0 && send(fd, "x", 1, 0) == 1 && recv(client, back, 1, 0) == 1);
}

static int connected(const int *fd, int n)
{
	int count = 0;

	while (n--)
		count += !!(events(fd[n], POLLOUT) & POLLOUT);
	return count;
}

/* More connections than the backlog allows wait for their turn. */
static void backlog(void)
{
	int fd[6], ok = 0;

	listener = listen_on(2);
	for (size_t i = 0; i < LENGTH(fd); i++) {
		fd[i] = tcp();
		nonblock(fd[i]);
		fails(connect_to(fd[i], port_of(listener)), EINPROGRESS);
		sleep_ms(20); /* Linux lets more in when they come at the same time */
	}
	soon(connected(fd, LENGTH(fd)) >= 2);
	check(connected(fd, LENGTH(fd)) <= 4);
	nonblock(listener);
	/* the others come again by themselves, after 1, 3 or 7 seconds */
	soon(taken(listener, &ok) == LENGTH(fd));
}

static const struct test tests[] = {
	TEST(names),
	TEST(connect_errnos),
	TEST(connect_nonblocking),
	TEST(refused_often),
	TEST(disconnecting),
	TEST(binding),
	TEST(reuseport),
	TEST(listen_errnos),
	TEST(accept_inherits),
	TEST(reset_before_accept),
	TEST(accept_waits),
	TEST(without_descriptors),
	TEST(backlog),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
