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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_closes),
		cmocka_unit_test(refused),
	};


	return cmocka_run_group_tests(tests, NULL, NULL);
}
