/* SPDX-License-Identifier: MIT */
/* tcp_pair.h - for tests of TCP's sockets: two ends of a connection over lo in one machine. */
#pragma once

#include "calls.h"
#include "stack.h"

#define LOOP IP4(127, 0, 0, 1)
#define SOL_TCP 6

struct tcp_pair {
	int listener, client, server;
	u16 port;
};

static inline void tcp_host_up(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("tcp", NULL), 0);
	assert_int_equal(ifconfig("lo", LOOP, 8), 0);
}

static inline void tcp_host_down(void)
{
	/* orphans say goodbye to each other before */
	sim_run_ms(500);
	if (sim_module_loaded("tcp"))
		assert_int_equal(sim_rmmod("tcp", false), 0);
	stack_down();
}

static inline int tcp_host_before(void **state)
{
	tcp_host_up();
	return 0;
}

static inline int tcp_host_after(void **state)
{
	tcp_host_down();
	return 0;
}

/* A test that runs between the two. */
#define tcp_host_test(fn) cmocka_unit_test_setup_teardown(fn, tcp_host_before, tcp_host_after)

static inline int tcp_listener(u16 port, int backlog)
{
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(c_bind(fd, LOOP, port), 0);
	assert_int_equal(c_listen(fd, backlog), 0);
	return fd;
}

static inline struct tcp_pair tcp_pair_up(void)
{
	struct tcp_pair p;

	p.listener = tcp_listener(0, 8);
	p.port = c_port(p.listener);
	p.client = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect(p.client, LOOP, p.port), 0);
	p.server = c_accept(p.listener, 0);
	assert_true(p.server >= 0);
	return p;
}

/* Both ends are closed, the client first: its TIME-WAIT is what is left. */
static inline void tcp_pair_close(struct tcp_pair *p)
{
	c_close(p->client);
	sim_run_ms(5);
	c_close(p->server);
	sim_run_ms(5);
	p->client = p->server = -1;
}

static inline void tcp_pair_down(struct tcp_pair *p)
{
	if (p->client >= 0)
		c_close(p->client);
	if (p->server >= 0)
		c_close(p->server);
	c_close(p->listener);
}
