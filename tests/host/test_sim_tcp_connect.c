/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_connect.c - a connection from socket to socket over lo: opened, used in both
 * directions, closed from either side, refused, and nothing left of it. */
#include "stack.h"

#include "calls.h"

#include <weft/sched.h>

#define LO IP4(127, 0, 0, 1)

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("tcp", NULL), 0);
	assert_int_equal(ifconfig("lo", LO, 8), 0);
}

static void teardown(void)
{
	if (sim_module_loaded("tcp"))
		assert_int_equal(sim_rmmod("tcp", false), 0);
	stack_down();
}

struct pair {
	int listener, a, b; /* a called, b was accepted */
};

static struct pair connected(void)
{
	struct pair p;

	p.listener = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_true(p.listener >= 0);
	assert_int_equal(c_bind(p.listener, LO, 80), 0);
	assert_int_equal(c_listen(p.listener, 5), 0);
	p.a = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect(p.a, LO, 80), 0);
	p.b = c_accept(p.listener, 0);
	assert_true(p.b >= 0);
	return p;
}

static void close_pair(const struct pair *p)
{
	c_close(p->a);
	c_close(p->b);
	c_close(p->listener);
}

static void opens_and_closes(void **state)
{
	struct pair p;
	u8 buf[64];

	setup();
	p = connected();
	assert_int_equal(c_peer_port(p.a), 80);
	assert_int_equal(c_peer_port(p.b), c_port(p.a));
	assert_int_equal(c_send(p.a, "question", 8, 0), 8);
	assert_int_equal(c_recv(p.b, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "question", 8);
	assert_int_equal(c_send(p.b, "answer", 6, 0), 6);
	assert_int_equal(c_recv(p.a, buf, sizeof(buf), 0), 6);
	assert_memory_equal(buf, "answer", 6);
	assert_int_equal(c_shutdown(p.a, SHUT_WR), 0);
	assert_int_equal(c_recv(p.b, buf, sizeof(buf), 0), 0);
	assert_int_equal(c_send(p.b, "late", 4, 0), 4);
	assert_int_equal(c_recv(p.a, buf, sizeof(buf), 0), 4);
	close_pair(&p);
	teardown();
}

static void refused(void **state)
{
	int fd;

	setup();
	fd = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect(fd, LO, 81), -ECONNREFUSED);
	c_close(fd);
	teardown();
}

static void never(struct timer *t)
{
}

/* The tables of descriptors and of timers grow and stay so: before the count of blocks begins. */
static void grow_tables(int n)
{
	static struct timer timers[20100];
	static int fd[20100];
	int i;

	assert_in_range(n, 1, ARRAY_SIZE(fd));
	for (i = 0; i < n; i++) {
		fd[i] = c_socket(AF_UNIX, SOCK_STREAM, 0);
		assert_true(fd[i] >= 0);
		timer_init(&timers[i], never);
		timer_set(&timers[i], sim_now() + NSEC_PER_SEC);
	}
	for (i = 0; i < n; i++) {
		c_close(fd[i]);
		timer_cancel_sync(&timers[i]);
	}
}

/* What an idle connection costs, both ends with sockets and files: 10,000 fit into 256 MB. */
static void ten_thousand_idle(void **state)
{
	enum { N = 10000 };
	static int a[N], b[N];
	struct sim_memory before, with;
	int listener, i;

	grow_tables(2 * N + 100);
	setup();
	listener = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_bind(listener, LO, 80), 0);
	assert_int_equal(c_listen(listener, 128), 0);
	sim_memory_get(&before);
	for (i = 0; i < N; i++) {
		a[i] = c_socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(c_connect(a[i], LO, 80), 0);
		b[i] = c_accept(listener, 0);
		assert_true(b[i] >= 0);
	}
	sim_memory_get(&with);
	assert_in_range((with.bytes - before.bytes) / N, 1000, 6000);
	print_message("%lu bytes a connection of two ends\n", (with.bytes - before.bytes) / N);
	for (i = 0; i < N; i++) {
		int got = -1;

		assert_int_equal(c_send(a[i], &i, sizeof(i), 0), sizeof(i));
		assert_int_equal(c_recv(b[i], &got, sizeof(got), 0), sizeof(got));
		assert_int_equal(got, i);
		assert_int_equal(c_close(a[i]), 0);
		c_close(b[i]);
	}
	c_close(listener);
	sim_run_s(70);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_closes),
		cmocka_unit_test(refused),
		cmocka_unit_test(ten_thousand_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
