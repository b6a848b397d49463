/* SPDX-License-Identifier: MIT */
/* tcpready.c - when TCP sockets are ready: poll and epoll, level, edge, oneshot and exclusive, one
 * and many. */
#include "tcpcheck.h"

#include <pthread.h>
#include <sys/epoll.h>

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

/* ---- many ---- */

#define CONNECTIONS 20
#define TRANSACTIONS 3000

static void watch(int ep, int op, int fd, unsigned want)
{
	struct epoll_event e = { .events = want, .data.fd = fd };

	check(epoll_ctl(ep, op, fd, &e) == 0);
}

static void *answering(void *arg)
{
	int l = (int)(long)arg, ep = epoll_create1(0), on = 1;
	struct epoll_event ev[64];
	char b[64];

	watch(ep, EPOLL_CTL_ADD, l, EPOLLIN);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd == l) {
				fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
				check(fd >= 0);
				check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, 4) == 0);
				watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
				continue;
			}
			/* what is said to be there is there */
			check(read(fd, b, sizeof(b)) == 50 && write(fd, b, 8) == 8);
		}
	}
	return NULL;
}

/* A server and a client with many connections each, ready in turn: every event is true. */
static void tumult(void)
{
	struct epoll_event ev[64];
	int ep = epoll_create1(0), on = 1;
	pthread_t t;

	listener = listen_on(64);
	nonblock(listener);
	check(pthread_create(&t, NULL, answering, (void *)(long)listener) == 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = tcp();

		nonblock(fd);
		fails(connect_to(fd, port_of(listener)), EINPROGRESS);
		check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, 4) == 0);
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLOUT);
	}
	for (int done = 0; done < TRANSACTIONS;) {
		int n = epoll_wait(ep, ev, 64, 5000);

		check(n > 0);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (ev[i].events == EPOLLOUT) {
				check(write(fd, buf, 50) == 50);
				watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
			} else {
				check(ev[i].events == EPOLLIN && read(fd, back, 64) == 8);
				watch(ep, EPOLL_CTL_MOD, fd, EPOLLOUT);
				done++;
			}
		}
	}
}

static const struct test tests[] = {
	TEST(polling), TEST(edges), TEST(oneshot), TEST(exclusive), TEST(tumult),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
