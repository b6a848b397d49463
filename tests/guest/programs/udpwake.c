/* SPDX-License-Identifier: MIT */
/* udpwake.c - whom a datagram wakes: sleepers in recv, poll and epoll_wait on one socket, level and
 * edge triggered, exclusive and not, with several datagrams at once and one after the other. What
 * is expected here is what Linux does. */
#include "sockets.h"

#include <sys/epoll.h>

#define SLEEPERS 4
/* What a reader does with a datagram takes longer than the others may wait. */
#define WORK_MS 1500
#define SOON_MS 700

static struct sockaddr_in to;
static int rx, tx;

static void open_pair(void)
{
	socklen_t len = sizeof(to);

	rx = udp();
	tx = udp();
	to = lo(0);
	check(bind(rx, (void *)&to, sizeof(to)) == 0);
	check(getsockname(rx, (void *)&to, &len) == 0);
}

static void send_some(int n)
{
	while (n--)
		check(sendto(tx, "x", 1, 0, (void *)&to, sizeof(to)) == 1);
}

static int read_all(void)
{
	char c;
	int n = 0;

	while (recv(rx, &c, 1, MSG_DONTWAIT) == 1)
		n++;
	check(errno == EAGAIN);
	return n;
}

static int watch(int ep, unsigned events)
{
	struct epoll_event ev = { .events = events };

	return epoll_ctl(ep, EPOLL_CTL_ADD, rx, &ev);
}

static int new_epoll(unsigned events)
{
	int ep = epoll_create1(0);

	check(ep >= 0 && watch(ep, events) == 0);
	return ep;
}

static int event(int ep, int ms)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, ms);

	check(n >= 0 && (!n || ev.events & EPOLLIN));
	return n;
}

/* ---- several sleep ---- */

static pid_t sleeper[SLEEPERS];

/* Each sleeps in fn, then says with its status how long that was. */
static void put_to_sleep(void (*fn)(int i))
{
	for (int i = 0; i < SLEEPERS; i++) {
		sleeper[i] = fork();
		check(sleeper[i] >= 0);
		if (!sleeper[i]) {
			long start;

			alarm(10);
			start = now_ms();
			fn(i);
			_exit(now_ms() - start < SOON_MS ? 0 : 1);
		}
	}
	sleep_ms(200);
}

/* How many came back soon. */
static int back_soon(void)
{
	int n = 0;

	for (int i = 0; i < SLEEPERS; i++)
		n += status_of(sleeper[i]) == 0;
	return n;
}

static void take_one(int i)
{
	char c;

	check(recv(rx, &c, 1, 0) == 1);
}

static void each_in_recv_gets_one(void)
{
	open_pair();
	put_to_sleep(take_one);
	send_some(SLEEPERS);
	check(back_soon() == SLEEPERS && read_all() == 0);
}

static void look_only(int i)
{
	struct pollfd p = { rx, POLLIN, 0 };

	check(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
}

static void all_in_poll_hear_of_one(void)
{
	open_pair();
	put_to_sleep(look_only);
	send_some(1);
	check(back_soon() == SLEEPERS && read_all() == 1);
}

static void mixed(int i)
{
	struct pollfd p = { rx, POLLIN, 0 };
	char c;

	switch (i) {
	case 0:
		check(poll(&p, 1, 5000) == 1);
		break;
	case 1:
		check(event(new_epoll(EPOLLIN), 5000) == 1);
		break;
	case 2:
		check(event(new_epoll(EPOLLIN | EPOLLET), 5000) == 1);
		break;
	default:
		check(recv(rx, &c, 1, MSG_PEEK) == 1);
	}
}

static void all_kinds_hear_of_one(void)
{
	open_pair();
	put_to_sleep(mixed);
	send_some(1);
	check(back_soon() == SLEEPERS && read_all() == 1);
}

static int shared;

static void work_on_one(int i)
{
	char c;

	/* two may be told of the same one */
	do
		check(event(shared, 5000) == 1);
	while (recv(rx, &c, 1, MSG_DONTWAIT) != 1);
}

/* Level triggered: as long as there is something, the next one of those who sleep is woken. */
static void sleepers_on_one_epoll(void)
{
	open_pair();
	shared = new_epoll(EPOLLIN);
	put_to_sleep(work_on_one);
	send_some(SLEEPERS);
	check(back_soon() == SLEEPERS && read_all() == 0);
}

static void work_slowly(int i)
{
	long start = now_ms();
	char c;

	check(event(shared, 5000) == 1);
	if (now_ms() - start >= SOON_MS)
		_exit(1);
	recv(rx, &c, 1, MSG_DONTWAIT);
	sleep_ms(WORK_MS);
	_exit(0);
}

/* Edge triggered: an event for each datagram that comes after the last event. */
static void sleepers_on_one_edge(void)
{
	open_pair();
	shared = new_epoll(EPOLLIN | EPOLLET);
	put_to_sleep(work_slowly);
	for (int i = 0; i < SLEEPERS; i++) {
		send_some(1);
		sleep_ms(50);
	}
	check(back_soon() == SLEEPERS && read_all() == 0);
}

static void exclusive_worker(int i)
{
	shared = new_epoll(EPOLLIN | EPOLLEXCLUSIVE);
	work_slowly(i);
}

/* One datagram wakes one of those who are exclusive, the next datagram the next one, also while the
 * first has not run yet. */
static void exclusive_ones_are_woken_in_turn(void)
{
	open_pair();
	put_to_sleep(exclusive_worker);
	send_some(2);
	sleep_ms(50);
	send_some(SLEEPERS - 2);
	check(back_soon() == SLEEPERS && read_all() == 0);
}

/* None of them reads: who is slower still finds what woke him. */
static void beside_exclusive(int i)
{
	if (i < 2)
		check(event(new_epoll(EPOLLIN | EPOLLEXCLUSIVE), 5000) == 1);
	else
		look_only(i);
}

static void others_beside_exclusive_ones(void)
{
	open_pair();
	put_to_sleep(beside_exclusive);
	send_some(2);
	check(back_soon() == SLEEPERS);
}

/* ---- one looks ---- */

static void edge_after_edge(void)
{
	int ep;

	open_pair();
	ep = new_epoll(EPOLLIN | EPOLLET);
	check(event(ep, 0) == 0);
	send_some(3);
	check(event(ep, 1000) == 1 && event(ep, 0) == 0);
	/* nothing was read: each further datagram is an event all the same */
	send_some(1);
	check(event(ep, 1000) == 1 && event(ep, 0) == 0);
	check(read_all() == 4 && event(ep, 0) == 0);
	for (int i = 0; i < 3; i++) {
		send_some(1);
		check(event(ep, 1000) == 1 && event(ep, 0) == 0);
		check(read_all() == 1);
	}
	/* somebody else reads: no event that is not heard */
	send_some(1);
	check(read_all() == 1);
	send_some(1);
	check(event(ep, 1000) == 1);
}

static void two_edges_of_one_socket(void)
{
	int a, b;

	open_pair();
	a = new_epoll(EPOLLIN | EPOLLET);
	b = new_epoll(EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++) {
		send_some(1 + i);
		check(event(a, 1000) == 1 && event(a, 0) == 0);
		send_some(1);
		/* a has looked since, b has not */
		check(event(a, 1000) == 1 && event(b, 1000) == 1 && event(b, 0) == 0);
	}
	check(read_all() == 9);
}

/* An epoll instance that watches another one's edges hears of each datagram there, also when of
 * several sockets only one was seen to. */
static void edges_of_an_inner_one(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int inner, outer, first;

	open_pair();
	inner = new_epoll(EPOLLIN);
	first = rx;
	open_pair();
	check(watch(inner, EPOLLIN) == 0);
	outer = epoll_create1(0);
	check(outer >= 0 && epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev) == 0);
	for (int i = 0; i < 3; i++) {
		send_some(1);
		check(event(outer, 1000) == 1 && event(outer, 0) == 0);
		check(event(inner, 0) == 1);
	}
	check(read_all() == 3);
	close(first);
}

static void once_until_armed_again(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int ep;

	open_pair();
	ep = new_epoll(EPOLLIN | EPOLLONESHOT);
	send_some(1);
	check(event(ep, 1000) == 1);
	send_some(1);
	check(event(ep, 0) == 0);
	check(epoll_ctl(ep, EPOLL_CTL_MOD, rx, &ev) == 0 && event(ep, 0) == 1);
	check(read_all() == 2);
	check(epoll_ctl(ep, EPOLL_CTL_MOD, rx, &ev) == 0 && event(ep, 0) == 0);
	send_some(1);
	check(event(ep, 1000) == 1);
}

/* Who was woken and went away without looking is no obstacle for the next sleeper. */
static void nobody_looked(void)
{
	struct pollfd p = { rx, POLLIN, 0 };
	int ep;

	open_pair();
	p.fd = rx;
	ep = new_epoll(EPOLLIN);
	send_some(2);
	close(ep);
	check(poll(&p, 1, 0) == 1);
	send_some(1);
	ep = new_epoll(EPOLLIN | EPOLLET);
	check(event(ep, 1000) == 1 && event(ep, 0) == 0);
	send_some(1);
	check(event(ep, 1000) == 1 && read_all() == 4);
}

/* As on Linux SO_RCVLOWAT is nothing to datagrams. */
static void low_water_mark(void)
{
	int mark = 1000, ep;

	open_pair();
	check(setsockopt(rx, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
	ep = new_epoll(EPOLLIN);
	send_some(1);
	check(event(ep, 1000) == 1);
	take_one(0);
	send_some(1);
	look_only(0);
}

static const struct test tests[] = {
	TEST(each_in_recv_gets_one),
	TEST(all_in_poll_hear_of_one),
	TEST(all_kinds_hear_of_one),
	TEST(sleepers_on_one_epoll),
	TEST(sleepers_on_one_edge),
	TEST(exclusive_ones_are_woken_in_turn),
	TEST(others_beside_exclusive_ones),
	TEST(edge_after_edge),
	TEST(two_edges_of_one_socket),
	TEST(edges_of_an_inner_one),
	TEST(once_until_armed_again),
	TEST(nobody_looked),
	TEST(low_water_mark),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
