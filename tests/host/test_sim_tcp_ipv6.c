/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_ipv6.c - what is TCP's over IPv6 alone: the segment size that the link gives, path
 * MTU discovery (RFC 8201) with errors that quote a segment in flight and lies that do not,
 * unreachable destinations (RFC 5461), one listener for both versions. */
#include "tcp_peer.h"

#define SYN_OPTIONS "mss 1440"

static void segment_size_is_the_links(void **state)
{
	int fd;

	tp_up6();
	fd = tp_accepted("mss 65535");
	assert_int_equal(tp_write(fd, 2000), 2000);
	out(". 1:1441(1440) ack 1");
	out(". 1441:2001(560) ack 1");
	in(". 1(0) ack 2001");
	tp_finish(fd);
	tp_down();
}

/* RFC 9293 3.7.1: without the option 1220 octets. */
static void segment_size_unless_told(void **state)
{
	int fd;

	tp_up6();
	fd = tp_listen();
	in("S 0(0)");
	out("S. 0(0) ack 1 <mss 1440>");
	in(". 1(0) ack 1");
	c_close(fd);
	tp_forget();
	tp_new(5001, 80);
	fd = tp_accepted("nop");
	assert_int_equal(tp_write(fd, 1300), 1300);
	out(". 1:1221(1220) ack 1");
	out(". 1221:1301(80) ack 1");
	in(". 1(0) ack 1301");
	tp_finish(fd);
	tp_down();
}

static void too_big_shortens_segments(void **state)
{
	int fd;

	tp_up6();
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(tp_write(fd, 1440), 1440);
	out(". 1:1441(1440) ack 1");
	tp_icmp(2, 0, 1400, 1);
	out(". 1:1341(1340) ack 1");
	out(". 1341:1441(100) ack 1");
	in(". 1(0) ack 1441");
	/* and what follows */
	assert_int_equal(tp_write(fd, 1440), 1440);
	out(". 1441:2781(1340) ack 1");
	out(". 2781:2881(100) ack 1");
	in(". 1(0) ack 2881");
	tp_finish(fd);
	tp_down();
}

/* RFC 8201 4: no path has less than 1280; less is no reason to send fragments or less. */
static void too_big_below_1280(void **state)
{
	int fd;

	tp_up6();
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(tp_write(fd, 1440), 1440);
	out(". 1:1441(1440) ack 1");
	tp_icmp(2, 0, 68, 1);
	tp_icmp(2, 0, 1279, 1);
	silence(50);
	in(". 1(0) ack 1441");
	tp_finish(fd);
	tp_down();
}

/* RFC 5927: an error counts only when its segment is in flight. */
static void too_big_that_quotes_nothing(void **state)
{
	int fd;

	tp_up6();
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(tp_write(fd, 1440), 1440);
	out(". 1:1441(1440) ack 1");
	tp_icmp(2, 0, 1280, 100000);
	silence(50);
	in(". 1(0) ack 1441");
	tp_finish(fd);
	tp_down();
}

/* RFC 5461: a connection that is being opened hears of it, an open one goes on. */
static void unreachable(void **state)
{
	int fd;

	tp_up6();
	fd = tp_connecting();
	out("S 0(0)");
	tp_icmp(1, 4, 0, 0);
	assert_int_equal(c_error(fd), ECONNREFUSED);
	assert_int_equal(tp_state(fd), ST_CLOSE);
	c_close(fd);
	tp_new(5001, 81);
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(tp_write(fd, 10), 10);
	out(". 1:11(10) ack 1");
	tp_icmp(1, 4, 0, 1);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in(". 1(0) ack 11");
	tp_finish(fd);
	tp_down();
}

/* RFC 3493 5.3: an IPv4 peer of a socket for both versions has a mapped address. */
static void one_listener_for_both(void **state)
{
	struct ip_addr any = ip6("::"), lo = ip_addr_v4(IP4(127, 0, 0, 1));
	int listener, fd, client;

	tp_up6();
	listener = c_socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(c_bind_to(listener, AF_INET6, &any, 99), 0);
	assert_int_equal(c_listen(listener, 2), 0);
	client = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect_to(client, AF_INET, &lo, 99), 0);
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(c_close(client), 0);
	assert_int_equal(c_close(fd), 0);
	lo = ip6("::1");
	client = c_socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(c_connect_to(client, AF_INET6, &lo, 99), 0);
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	c_close(client);
	c_close(fd);
	c_close(listener);
	sim_run_s(70);
	tp_down();
}

static u32 lines(const char *path)
{
	u32 n = 0;

	for (const char *at = sim_read(path); at && (at = strchr(at, '\n')); at++)
		n++;
	return n - 1; /* the title */
}

/* RFC 3493 leaves it out, Linux has it: a connection over IPv4 is AF_INET's from now on. */
static void becomes_one_of_ipv4(void **state)
{
	struct ip_addr any = ip6("::"), lo4 = ip_addr_v4(IP4(127, 0, 0, 1)), lo6 = ip6("::1");
	int listener, fd, client;
	u8 c = 0;

	tp_up6();
	listener = c_socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(c_setint(listener, SOL_IPV6, IPV6_ADDRFORM, AF_INET), -ENOTCONN);
	assert_int_equal(c_bind_to(listener, AF_INET6, &any, 99), 0);
	assert_int_equal(c_listen(listener, 2), 0);
	assert_int_equal(c_setint(listener, SOL_IPV6, IPV6_ADDRFORM, AF_INET), -ENOTCONN);
	assert_int_equal(c_getint(listener, SOL_IPV6, IPV6_ADDRFORM), -ENOTCONN);
	client = c_socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(c_connect_to(client, AF_INET6, &lo6, 99), 0);
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_int_equal(c_setint(client, SOL_IPV6, IPV6_ADDRFORM, AF_INET), -EADDRNOTAVAIL);
	c_close(client);
	c_close(fd);
	client = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect_to(client, AF_INET, &lo4, 99), 0);
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(c_getint(fd, SOL_IPV6, IPV6_ADDRFORM), AF_INET6);
	assert_int_equal(c_setint(fd, SOL_IPV6, IPV6_ADDRFORM, AF_INET6), -EINVAL);
	assert_int_equal(lines("/proc/net/tcp"), 1);
	assert_int_equal(c_setint(fd, SOL_IPV6, IPV6_ADDRFORM, AF_INET), 0);
	assert_int_equal(lines("/proc/net/tcp"), 2);
	assert_int_equal(c_getint(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(c_setint(fd, SOL_IPV6, IPV6_ADDRFORM, AF_INET), -ENOPROTOOPT);
	assert_int_equal(c_peer_port(fd), c_port(client));
	assert_int_equal(c_send(fd, "x", 1, 0), 1);
	assert_int_equal(c_recv(client, &c, 1, 0), 1);
	assert_int_equal(c, 'x');
	c_close(fd);
	c_close(client);
	c_close(listener);
	sim_run_s(70);
	tp_down();
}

/* A connection whose module leaves and comes back goes on: the peer only sees a pause. */
static void module_comes_and_goes(void **state)
{
	struct ip_addr host = HOST6;
	int fd;

	tp_up6();
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(tp_write(fd, 100), 100);
	sim_run_s(2);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	tp_forget();
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	assert_true(addr6_wait(&host, 10000));
	stack_know_peer6();
	out_within(0, 20000, ". 1:101(100) ack 1");
	in(". 1(0) ack 101");
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_size_is_the_links),
		cmocka_unit_test(segment_size_unless_told),
		cmocka_unit_test(too_big_shortens_segments),
		cmocka_unit_test(too_big_below_1280),
		cmocka_unit_test(too_big_that_quotes_nothing),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(one_listener_for_both),
		cmocka_unit_test(becomes_one_of_ipv4),
		cmocka_unit_test(module_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
