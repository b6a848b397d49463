/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_poll.c - TCP sockets' readiness and connect's answers in each state, and how
 * listeners of a SO_REUSEPORT group share. */
#include "sim/tcp_pair.h"

static int reuse_listener(u16 port)
{
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	assert_int_equal(c_bind(fd, LOOP, port), 0);
	assert_int_equal(c_listen(fd, 64), 0);
	return fd;
}

static u32 accept_all(int fd)
{
	u32 n = 0;
	int c;

	c_nonblock(fd, true);
	while ((c = c_accept(fd, 0)) >= 0) {
		c_close(c);
		n++;
	}
	assert_int_equal(c, -EAGAIN);
	return n;
}

static void reuseport_group_shares(void **state)
{
	int a = reuse_listener(0), b = reuse_listener(c_port(a)), c[14];
	u32 na, nb;

	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = c_socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(c_connect(c[i], LOOP, c_port(a)), 0);
	}
	sim_run_ms(1);
	na = accept_all(a);
	nb = accept_all(b);
	assert_int_equal(na + nb, ARRAY_SIZE(c));
	assert_true(na && nb);
	for (u32 i = 0; i < ARRAY_SIZE(c); i++)
		c_close(c[i]);
	c_close(a);
	c_close(b);
}

/* ---- the module is taken away ---- */

static u8 data[100000];

static int in_accept(void *arg)
{
	return c_accept((int)(long)arg, 0);
}

static int in_recv(void *arg)
{
	return c_recv((int)(long)arg, data, 10, 0);
}

static int in_send(void *arg)
{
	long n;

	while ((n = c_send((int)(long)arg, data, sizeof(data), 0)) > 0)
		;
	return n;
}

static int in_connect(void *arg)
{
	return c_connect((int)(long)arg, IP4(10, 0, 0, 99), 80);
}

static void forced_unload_ends_every_wait(void **state)
{
	struct tcp_pair p = tcp_pair_up(), q = tcp_pair_up();
	int lone = c_socket(AF_INET, SOCK_STREAM, 0);
	struct thread *t[] = {
		kthread_run(in_accept, (void *)(long)p.listener, "accept"),
		kthread_run(in_recv, (void *)(long)p.server, "recv"),
		kthread_run(in_send, (void *)(long)q.client, "send"),
		kthread_run(in_connect, (void *)(long)lone, "connect"),
	};

	sim_run_ms(100);
	assert_int_equal(sim_rmmod("tcp", false), -EWOULDBLOCK);
	assert_int_equal(sim_rmmod("tcp", true), 0);
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(kthread_stop(t[i]), -ECONNABORTED);
	assert_int_equal(c_send(p.client, data, 1, MSG_NOSIGNAL), -ECONNABORTED);
	assert_int_equal(c_poll(p.client, POLLIN | POLLOUT, 0),
			 POLLIN | POLLOUT | POLLERR | POLLHUP);
	assert_int_equal(c_socket(AF_INET, SOCK_STREAM, 0), -ESOCKTNOSUPPORT);
	c_close(lone);
	tcp_pair_down(&p);
	tcp_pair_down(&q);
	assert_int_equal(sim_insmod("tcp", NULL), 0);
	p = tcp_pair_up();
	tcp_pair_down(&p);
}

/* ---- connect ---- */

static void connect_tells_as_linux(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	int fd = c_socket(AF_INET, SOCK_STREAM, 0), silent;
	s64 tv[2] = { 0, 50000 };

	assert_int_equal(c_poll(fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
	c_nonblock(fd, true);
	assert_int_equal(c_connect(fd, LOOP, p.port), -EINPROGRESS);
	sim_run_ms(10);
	assert_int_equal(c_connect(fd, LOOP, p.port), 0);
	assert_int_equal(c_connect(fd, LOOP, p.port), -EISCONN);
	c_close(fd);
	/* somebody who does not answer */
	silent = c_socket(AF_INET, SOCK_STREAM, 0);
	c_nonblock(silent, true);
	assert_int_equal(c_connect(silent, PEER, 9), -EINPROGRESS);
	assert_int_equal(c_connect(silent, PEER, 9), -EALREADY);
	assert_int_equal(c_poll(silent, POLLIN | POLLOUT, 0), 0);
	assert_int_equal(c_recv(silent, data, 1, 0), -EAGAIN);
	assert_int_equal(c_send(silent, data, 1, MSG_NOSIGNAL), -EAGAIN);
	c_close(silent);
	silent = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_setopt(silent, SOL_SOCKET, SO_SNDTIMEO, tv, sizeof(tv)), 0);
	assert_int_equal(c_connect(silent, PEER, 9), -EINPROGRESS);
	c_close(silent);
	silent = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_setint(silent, SOL_TCP, 7, 1), 0); /* TCP_SYNCNT */
	assert_int_equal(c_connect(silent, PEER, 9), -ETIMEDOUT);
	/* and again, from the start */
	assert_int_equal(c_connect(silent, PEER, 9), -ETIMEDOUT);
	assert_int_equal(c_connect(silent, LOOP, p.port), 0);
	assert_int_equal(c_send(silent, data, 1, 0), 1);
	c_close(silent);
	tcp_pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tcp_host_test(reuseport_group_shares),
		tcp_host_test(connect_tells_as_linux),
		tcp_host_test(forced_unload_ends_every_wait),
	};

	sim_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
