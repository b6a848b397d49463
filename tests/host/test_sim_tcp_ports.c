/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_ports.c - who may have which port, by Linux's rules: SO_REUSEADDR over old
 * connections and TIME-WAIT but not over a listener, SO_REUSEPORT groups, both IP versions, connect
 * choosing ports by itself (RFC 6056), and running out of them. */
#include "tcp_peer.h"

#define LO IP4(127, 0, 0, 1)

static int fresh(bool reuseaddr, bool reuseport)
{
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (reuseaddr)
		assert_int_equal(c_setint(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	if (reuseport)
		assert_int_equal(c_setint(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	return fd;
}

static void plain(void **state)
{
	int a, b;

	tp_up();
	a = fresh(false, false);
	b = fresh(false, false);
	assert_int_equal(c_bind(a, 0, 80), 0);
	assert_int_equal(c_bind(a, 0, 81), -EINVAL);
	assert_int_equal(c_bind(b, 0, 80), -EADDRINUSE);
	assert_int_equal(c_bind(b, LO, 80), -EADDRINUSE);
	assert_int_equal(c_bind(b, LO, 82), 0);
	c_close(a);
	a = fresh(false, false);
	/* another address of the same port is free */
	assert_int_equal(c_bind(a, HOST, 82), 0);
	c_close(a);
	a = fresh(false, false);
	assert_int_equal(c_bind(a, 0, 82), -EADDRINUSE);
	assert_int_equal(c_bind(a, 0, 0), 0);
	assert_in_range(c_port(a), 32768, 60999);
	c_close(a);
	c_close(b);
	tp_down();
}

static void reuseaddr(void **state)
{
	int a, b, c;

	tp_up();
	a = fresh(true, false);
	b = fresh(true, false);
	c = fresh(false, false);
	assert_int_equal(c_bind(a, 0, 80), 0);
	assert_int_equal(c_bind(b, 0, 80), 0);
	assert_int_equal(c_bind(c, 0, 80), -EADDRINUSE);
	assert_int_equal(c_listen(a, 5), 0);
	assert_int_equal(c_listen(b, 5), -EADDRINUSE);
	c_close(b);
	b = fresh(true, false);
	assert_int_equal(c_bind(b, 0, 80), -EADDRINUSE);
	c_close(a);
	assert_int_equal(c_bind(b, 0, 80), 0);
	assert_int_equal(c_listen(b, 5), 0);
	c_close(b);
	c_close(c);
	tp_down();
}

/* A server that starts again finds its old connections there, and TIME-WAITs of them. */
static void over_the_old_connections(void **state)
{
	int fd, a, b;

	tp_up();
	fd = tp_accepted("mss 1460"); /* its listener is closed */
	a = fresh(false, false);
	b = fresh(true, false);
	assert_int_equal(c_bind(a, 0, 80), -EADDRINUSE);
	assert_int_equal(c_bind(b, 0, 80), 0);
	assert_int_equal(c_listen(b, 5), 0);
	c_close(b);
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	b = fresh(true, false);
	assert_int_equal(c_bind(a, 0, 80), -EADDRINUSE);
	assert_int_equal(c_bind(b, 0, 80), 0);
	assert_int_equal(c_listen(b, 5), 0);
	c_close(b);
	sim_run_s(61);
	assert_int_equal(c_bind(a, 0, 80), 0);
	c_close(a);
	tp_down();
}

static void reuseport(void **state)
{
	int l[4], n[4] = { 0 }, a, i;

	tp_up();
	for (i = 0; i < 4; i++) {
		l[i] = fresh(false, true);
		assert_int_equal(c_bind(l[i], 0, 80), 0);
		assert_int_equal(c_listen(l[i], 64), 0);
		c_nonblock(l[i], true);
	}
	a = fresh(true, false);
	assert_int_equal(c_bind(a, 0, 80), -EADDRINUSE);
	c_close(a);
	for (i = 0; i < 100; i++) {
		u32 k;

		a = fresh(false, false);
		assert_int_equal(c_connect(a, LO, 80), 0);
		sim_run_ms(1);
		for (k = 0; k < 4; k++) {
			int con = c_accept(l[k], 0);

			if (con < 0)
				continue;
			n[k]++;
			c_close(con);
		}
		c_close(a);
	}
	assert_int_equal(n[0] + n[1] + n[2] + n[3], 100);
	for (i = 0; i < 4; i++) {
		assert_in_range(n[i], 8, 50);
		c_close(l[i]);
	}
	tp_down();
}

static void connect_chooses(void **state)
{
	int l, fd[8], i, k, first;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003"), 0);
	l = fresh(true, false);
	assert_int_equal(c_bind(l, 0, 80), 0);
	assert_int_equal(c_listen(l, 16), 0);
	/* a bound port is nobody else's */
	fd[4] = fresh(false, false);
	assert_int_equal(c_bind(fd[4], LO, 40001), 0);
	for (i = 0; i < 3; i++) {
		fd[i] = fresh(false, false);
		assert_int_equal(c_connect(fd[i], LO, 80), 0);
		assert_in_range(c_port(fd[i]), 40000, 40003);
		assert_int_not_equal(c_port(fd[i]), 40001);
		for (k = 0; k < i; k++)
			assert_int_not_equal(c_port(fd[i]), c_port(fd[k]));
	}
	fd[3] = fresh(false, false);
	assert_int_equal(c_connect(fd[3], LO, 80), -EADDRNOTAVAIL);
	/* towards another peer they are free */
	c_nonblock(fd[3], true);
	first = c_connect(fd[3], PEER, 5000);
	assert_int_equal(first, -EINPROGRESS);
	for (i = 0; i < 5; i++)
		c_close(fd[i]);
	c_close(l);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999"), 0);
	tp_down();
}

static void bound_port_twice(void **state)
{
	int a, b;

	tp_up();
	a = fresh(true, false);
	b = fresh(true, false);
	c_nonblock(a, true);
	c_nonblock(b, true);
	assert_int_equal(c_bind(a, HOST, 4000), 0);
	assert_int_equal(c_bind(b, HOST, 4000), 0);
	assert_int_equal(c_connect(a, PEER, 5000), -EINPROGRESS);
	assert_int_equal(c_connect(b, PEER, 5000), -EADDRNOTAVAIL);
	assert_int_equal(c_connect(b, PEER, 5001), -EINPROGRESS);
	c_close(a);
	c_close(b);
	tp_down();
}

static void privileged(void **state)
{
	int a;

	tp_up();
	a = fresh(false, false);
	sim_root = false;
	assert_int_equal(c_bind(a, 0, 80), -EACCES);
	assert_int_equal(c_bind(a, 0, 8080), 0);
	sim_root = true;
	c_close(a);
	tp_down();
}

/* RFC 9293 3.3.2: TCP connects with itself when both ends are one. */
static void to_oneself(void **state)
{
	u8 buf[8];
	int a;

	tp_up();
	a = fresh(false, false);
	assert_int_equal(c_bind(a, LO, 4000), 0);
	assert_int_equal(c_connect(a, LO, 4000), 0);
	assert_int_equal(c_send(a, "echo", 4, 0), 4);
	assert_int_equal(c_recv(a, buf, sizeof(buf), 0), 4);
	c_close(a);
	sim_run_s(70);
	tp_down();
}

/* A connection that ends in TIME-WAIT leaves its user the port that he bound. */
static void stays_bound_behind_time_wait(void **state)
{
	int fd, other;

	tp_up();
	fd = tp_connected("mss 1460");
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	other = fresh(false, false);
	assert_int_equal(c_bind(other, 0, TP_HOST_PORT), -EADDRINUSE);
	sim_run_s(61);
	assert_int_equal(c_bind(other, 0, TP_HOST_PORT), -EADDRINUSE);
	c_close(fd);
	assert_int_equal(c_bind(other, 0, TP_HOST_PORT), 0);
	c_close(other);
	tp_down();
}

/* The port that connect chose goes with the attempt; listen takes one of its own, which bind and
 * connect then leave alone, and gives it back. */
static void listens_after_a_refusal(void **state)
{
	int fd, other, port;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001"), 0);
	fd = fresh(false, false);
	assert_int_equal(c_connect(fd, LO, 4000), -ECONNREFUSED);
	assert_int_equal(c_listen(fd, 5), 0);
	port = c_port(fd);
	assert_in_range(port, 40000, 40001);
	other = fresh(false, false);
	assert_int_equal(c_bind(other, 0, port), -EADDRINUSE);
	assert_int_equal(c_connect(other, LO, port), 0);
	assert_int_equal(c_port(other), 80001 - port);
	c_close(other);
	c_close(fd);
	other = fresh(true, false);
	assert_int_equal(c_bind(other, 0, port), 0);
	c_close(other);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999"), 0);
	tp_down();
}

/* As on Linux: nothing is bound any more. */
static void binds_after_a_refusal(void **state)
{
	int fd;

	tp_up();
	fd = fresh(false, false);
	assert_int_equal(c_connect(fd, LO, 4000), -ECONNREFUSED);
	assert_int_equal(c_bind(fd, LO, 4001), 0);
	assert_int_equal(c_port(fd), 4001);
	assert_int_equal(c_bind(fd, LO, 4002), -EINVAL);
	/* that one is bound, and stays */
	assert_int_equal(c_connect(fd, LO, 4000), -ECONNREFUSED);
	assert_int_equal(c_bind(fd, LO, 4002), -EINVAL);
	assert_int_equal(c_port(fd), 4001);
	c_close(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(reuseaddr),
		cmocka_unit_test(over_the_old_connections),
		cmocka_unit_test(reuseport),
		cmocka_unit_test(connect_chooses),
		cmocka_unit_test(bound_port_twice),
		cmocka_unit_test(privileged),
		cmocka_unit_test(to_oneself),
		cmocka_unit_test(stays_bound_behind_time_wait),
		cmocka_unit_test(listens_after_a_refusal),
		cmocka_unit_test(binds_after_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
