/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_ttl.c - IP_MINTTL and IPV6_MINHOPCOUNT (RFC 5082): whoever wants to hear his
 * neighbours alone hears nobody who is farther away, whatever he sends. */
#include "tcp_peer.h"

static int set_least(int fd, int v)
{
	return tp_over_ipv6 ? c_setint(fd, SOL_IPV6, IPV6_MINHOPCOUNT, v) :
			      c_setint(fd, SOL_IP, IP_MINTTL, v);
}

static int get_least(int fd)
{
	return tp_over_ipv6 ? c_getint(fd, SOL_IPV6, IPV6_MINHOPCOUNT) :
			      c_getint(fd, SOL_IP, IP_MINTTL);
}

static void connections_hear_the_near(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(get_least(fd), 0);
	assert_int_equal(set_least(fd, -1), -EINVAL);
	assert_int_equal(set_least(fd, 256), -EINVAL);
	assert_int_equal(set_least(fd, 255), 0);
	assert_int_equal(get_least(fd), 255);
	drops_mark();
	tp.ttl = 254;
	in(". 1:11(10) ack 1");
	in("R 1(0)");
	silence(100);
	assert_int_equal(tp_read(fd, 10), -EAGAIN);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(drops_since(DROP_MIN_TTL), 2);
	assert_non_null(strstr(sim_read("/proc/net/netstat"), "TCPMinTTLDrop"));
	tp.ttl = 255;
	in(". 1:11(10) ack 1");
	out_within(0, 300, ". 1(0) ack 11");
	assert_int_equal(tp_read(fd, 10), 10);
	/* nobody else's setting: less will do again */
	assert_int_equal(set_least(fd, 64), 0);
	tp.ttl = 64;
	in(". 11:21(10) ack 1");
	out_within(0, 300, ". 1(0) ack 21");
	assert_int_equal(tp_read(fd, 10), 10);
	assert_int_equal(set_least(fd, 0), 0);
	tp_finish(fd);
	tp_down();
}

static void listeners_and_their_children(void **state)
{
	int listener, fd;

	tp_up();
	listener = tp_listen();
	assert_int_equal(set_least(listener, 255), 0);
	drops_mark();
	in("S 0(0) <mss 1000>");
	silence(100);
	assert_int_equal(drops_since(DROP_MIN_TTL), 1);
	tp.ttl = 255;
	in("S 0(0) <mss 1000>");
	out("S. 0(0) ack 1");
	/* the rest of the handshake too */
	tp.ttl = 254;
	in("R 1(0)");
	in(". 1(0) ack 1");
	assert_int_equal(c_accept(listener, SOCK_NONBLOCK), -EAGAIN);
	assert_int_equal(drops_since(DROP_MIN_TTL), 3);
	tp.ttl = 255;
	in(". 1(0) ack 1");
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(get_least(fd), 255);
	tp.ttl = 1;
	in("R 1(0)");
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	tp.ttl = 255;
	c_close(listener);
	/* and in TIME-WAIT what nobody listens for is answered as ever */
	tp_time_wait(fd);
	tp.ttl = 64;
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	sim_run_s(70);
	tp_down();
}

/* An error is only as good as whoever sends it. */
static void errors_from_afar(void **state)
{
	int fd;

	tp_up();
	fd = tp_connecting();
	out("S 0(0)");
	assert_int_equal(set_least(fd, 65), 0);
	tp_icmp(tp_over_ipv6 ? 1 : 3, tp_over_ipv6 ? 4 : 3, 0, 0);
	assert_int_equal(tp_state(fd), ST_SYN_SENT);
	assert_int_equal(set_least(fd, 64), 0);
	tp_icmp(tp_over_ipv6 ? 1 : 3, tp_over_ipv6 ? 4 : 3, 0, 0);
	assert_int_equal(c_error(fd), ECONNREFUSED);
	c_close(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_hear_the_near),
		cmocka_unit_test(listeners_and_their_children),
		cmocka_unit_test(errors_from_afar),
	};

	return tp_run(tests);
}
