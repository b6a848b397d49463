/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_gone.c - the ground goes away under live connections: the interface down, its
 * address removed, its driver unloaded. They wait, and go on when it is back. */
#include "tcp_peer.h"

static void waits(int fd, const char *first)
{
	assert_int_equal(tp_write(fd, 100), 100);
	sim_run_s(3);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	stack_know_peer();
	out_within(0, 10000, first);
}

static void interface_down(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(ifconfig_down("eth0"), 0);
	waits(fd, ". 1:101(100) ack 1");
	in(". 1(0) ack 101");
	/* and what it sent before it noticed */
	assert_int_equal(tp_write(fd, 100), 100);
	out(". 101:201(100) ack 1");
	assert_int_equal(ifconfig_down("eth0"), 0);
	waits(fd, ". 101:201(100) ack 1");
	tp_forget();
	in(". 1(0) ack 301");
	in("R 1(0)");
	assert_int_equal(c_error(fd), ECONNRESET);
	c_close(fd);
	tp_down();
}

static void address_gone(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(ifconfig("eth0", IP4(10, 0, 0, 9), 24), 0);
	assert_int_equal(tp_write(fd, 100), 100);
	/* nothing may leave with another source, or with one that is not ours */
	silence(3000);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	stack_know_peer();
	out_within(0, 10000, ". 1:101(100) ack 1");
	in(". 1(0) ack 101");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void not_for_ever(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(ifconfig_down("eth0"), 0);
	assert_int_equal(tp_write(fd, 100), 100);
	sim_run_s(1200);
	assert_int_equal(tp_state(fd), ST_CLOSE);
	assert_int_not_equal(c_error(fd), 0);
	c_close(fd);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interface_down),
		cmocka_unit_test(address_gone),
		cmocka_unit_test(not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
