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

static int before(void **state)
{
	tcp_host_up();
	return 0;
}

static int after(void **state)
{
	tcp_host_down();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reuseport_group_shares, before, after),
	};

	sim_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
