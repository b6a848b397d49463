/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_fastclient.c - TCP Fast Open as a client (RFC 7413): a cookie is asked for and kept,
 * data rides on the SYN of who has one, by sendto(MSG_FASTOPEN) or TCP_FASTOPEN_CONNECT; what of it
 * is not acknowledged goes again, and who sees such SYNs vanish sends them no more for a while. */
#include "tcp_peer.h"

#define TCP_FASTOPEN_CONNECT 30
#define TCP_FASTOPEN_NO_COOKIE 34
#define COOKIE "raw 220a0102030405060708"
#define NOWAIT (MSG_DONTWAIT | MSG_NOSIGNAL)

static u16 next_port;

/* A socket for another connection to the peer. */
static int fresh(void)
{
	int fd = c_socket(AF_INET, SOCK_STREAM, 0);

	next_port++;
	tp_new(5000 + next_port, 8000 + next_port);
	assert_int_equal(c_nonblock(fd, true), 0);
	assert_int_equal(c_bind(fd, 0, tp.host_port), 0);
	return fd;
}

static void setup(void)
{
	next_port = 0;
	tp_up();
}

static void fast(const char *syn)
{
	out(syn);
	assert_true(tp.fastopen);
	assert_int_equal(tp.cookie_len, 8);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(tp.cookie[i], i + 1);
}

static void plain(const char *syn)
{
	out(syn);
	assert_false(tp.fastopen);
}

/* A cookie is asked for, and there it is. */
static void cookie_comes(void)
{
	out("S 0(0)");
	assert_true(tp.fastopen);
	assert_int_equal(tp.cookie_len, 0);
	in("S. 0(0) ack 1 <mss 1000,sackOK," COOKIE ">");
	out(". 1(0) ack 1");
}

/* A socket that sends n octets by Fast Open, and what the call says. */
static int sends(u32 n, long result)
{
	int fd = fresh();

	assert_int_equal(tp_send(fd, n, MSG_FASTOPEN | NOWAIT), result);
	return fd;
}

/* Ten of them are on its SYN. */
static int sends_fast(void)
{
	int fd = sends(10, 10);

	fast("S 0:10(10)");
	return fd;
}

/* It sends a SYN and no more. */
static int sends_plain(void)
{
	int fd = sends(10, -EINPROGRESS);

	plain("S 0(0)");
	return fd;
}

/* The host has a cookie. */
static void setup_cookie(void)
{
	int fd;

	setup();
	fd = sends(10, -EINPROGRESS);
	cookie_comes();
	tp_finish(fd);
}

static void cookie_is_asked_for(void **state)
{
	int fd;

	setup();
	fd = sends(10, -EINPROGRESS);
	assert_int_equal(tp_send(fd, 10, MSG_FASTOPEN | NOWAIT), -EALREADY);
	cookie_comes();
	assert_int_equal(c_error(fd), 0);
	/* as a connect, it tells first that the handshake is over */
	assert_int_equal(tp_send(fd, 10, MSG_FASTOPEN | NOWAIT), 10);
	out("P. 1:11(10) ack 1");
	assert_int_equal(tp_send(fd, 10, MSG_FASTOPEN | NOWAIT), -EISCONN);
	tp_finish(fd);
	/* who did not ask for Fast Open has nothing of it */
	fd = fresh();
	assert_int_equal(c_connect(fd, PEER, tp.port), -EINPROGRESS);
	plain("S 0(0)");
	tp_finish(fd);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_fastopen", "2"), 0);
	fd = sends(10, -EOPNOTSUPP);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), -EOPNOTSUPP);
	c_close(fd);
	tp_down();
}

static void data_on_the_syn(void **state)
{
	int fd;

	setup_cookie();
	fd = sends_fast();
	/* more is for behind the handshake */
	assert_int_equal(tp_write(fd, 10), -EAGAIN);
	in("S. 0(0) ack 11 <mss 1000,sackOK>");
	out(". 11(0) ack 1");
	assert_int_equal(tp_write(fd, 20), 20);
	out("P. 11:31(20) ack 1");
	in("P. 1:101(100) ack 31");
	out_within(0, 50, ". 31(0) ack 101");
	assert_int_equal(tp_read(fd, 200), 100);
	tp_finish(fd);
	tp_down();
}

/* As much as the peer takes for sure, and the rest as ever. */
static void more_than_a_syn_holds(void **state)
{
	int fd;

	setup_cookie();
	fd = sends(1500, 960);
	fast("S 0:960(960)");
	in("S. 0(0) ack 501 <mss 1000,sackOK>");
	out("P. 501:961(460) ack 1");
	in(". 1(0) ack 961");
	assert_int_equal(tp_write(fd, 1500), 1500);
	out(". 961:1961(1000) ack 1");
	out("P. 1961:2461(500) ack 1");
	in(". 1(0) ack 2461");
	silence(50);
	tp_finish(fd);
	tp_down();
}

static void data_not_acknowledged(void **state)
{
	int fd;

	setup_cookie();
	fd = sends_fast();
	in("S. 0(0) ack 12 <mss 1000,sackOK>"); /* more than there was */
	out("R 12(0)");
	in("S. 0(0) ack 1 <mss 1000,sackOK,raw 220a0202030405060708>");
	out("P. 1:11(10) ack 1");
	in(". 1(0) ack 11");
	tp_finish(fd);
	/* the new cookie is the one that counts */
	fd = sends(10, 10);
	out("S 0:10(10)");
	assert_int_equal(tp.cookie[0], 2);
	in("R. 0(0) ack 11");
	assert_int_equal(c_error(fd), ECONNREFUSED);
	c_close(fd);
	tp_down();
}

/* RFC 7413 4.1.3.1 and 4.2.1: it is repeated as any other, and not tried again at once. */
static void syn_is_lost(void **state)
{
	int fd;

	setup_cookie();
	fd = sends_fast();
	out_within(900, 1100, "S 0(0)");
	assert_false(tp.fastopen);
	in("S. 0(0) ack 1 <mss 1000,sackOK>");
	out("P. 1:11(10) ack 1");
	tp_finish(fd);
	fd = sends_plain();
	tp_finish(fd);
	sim_run_s(61);
	stack_know_peer();
	fd = sends_fast();
	/* it was only late */
	out_within(900, 1100, "S 0(0)");
	in("S. 0(0) ack 11 <mss 1000,sackOK>");
	out(". 11(0) ack 1");
	tp_finish(fd);
	fd = sends_fast();
	tp_finish(fd);
	tp_down();
}

static int held(void)
{
	int fd = fresh();

	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	return fd;
}

static void connect_is_held(void **state)
{
	int fd;

	setup();
	fd = held();
	/* no cookie yet: an ordinary connect asks for one */
	assert_int_equal(c_connect(fd, PEER, tp.port), -EINPROGRESS);
	cookie_comes();
	tp_finish(fd);
	fd = held();
	assert_int_equal(c_connect(fd, PEER, tp.port), 0);
	assert_int_equal(c_connect(fd, PEER, tp.port), -EISCONN);
	silence(2000);
	assert_int_equal(c_poll(fd, POLLIN | POLLOUT, 0), POLLOUT);
	assert_int_equal(tp_state(fd), ST_SYN_SENT);
	assert_int_equal(tp_write(fd, 10), 10);
	fast("S 0:10(10)");
	in("S. 0(0) ack 11 <mss 1000,sackOK>");
	out(". 11(0) ack 1");
	assert_int_equal(c_connect(fd, PEER, tp.port), 0);
	tp_finish(fd);
	/* one that never sends leaves no trace */
	fd = held();
	assert_int_equal(c_connect(fd, PEER, tp.port), 0);
	c_close(fd);
	silence(2000);
	tp_down();
}

static int blocking_send(void *arg)
{
	int fd = (int)(long)arg;

	return tp_send(fd, 3000, MSG_FASTOPEN | MSG_NOSIGNAL);
}

/* Who waits has all of it sent when the call returns. */
static void blocking_sendto(void **state)
{
	struct thread *t;
	int fd;

	setup_cookie();
	fd = fresh();
	assert_int_equal(c_nonblock(fd, false), 0);
	t = kthread_run(blocking_send, (void *)(long)fd, "sendto");
	sim_run_ms(1);
	fast("S 0:960(960)");
	in("S. 0(0) ack 961 <mss 1000,sackOK>");
	out(". 961(0) ack 1");
	out(". 961:1961(1000) ack 1");
	out(". 1961:2961(1000) ack 1");
	out("P. 2961:3001(40) ack 1");
	assert_int_equal(kthread_stop(t), 3000);
	tp_finish(fd);
	tp_down();
}

/* RFC 9293 3.5, figure 8, with data on our SYN. */
static void simultaneous_open(void **state)
{
	int fd;

	setup_cookie();
	fd = sends_fast();
	in("S 0(0) <mss 1000,sackOK>");
	out("S. 0(0) ack 1");
	assert_false(tp.fastopen);
	in("S. 0(0) ack 11 <mss 1000,sackOK>");
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(tp_write(fd, 10), 10);
	out("P. 11:21(10) ack 1");
	tp_finish(fd);
	tp_down();
}

static void without_cookies(void **state)
{
	int fd;

	setup();
	fd = fresh();
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
	assert_int_equal(tp_send(fd, 10, MSG_FASTOPEN | NOWAIT), 10);
	plain("S 0:10(10)");
	tp_finish(fd);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_fastopen", "5"), 0);
	fd = sends(10, 10);
	plain("S 0:10(10)");
	tp_finish(fd);
	tp_down();
}

/* What drops all such SYNs, and those behind them, is left alone for a while. */
static void black_hole(void **state)
{
	int fd;

	setup_cookie();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_fastopen_blackhole_timeout_sec", "600"),
			 0);
	fd = sends_fast();
	out_within(900, 1100, "S 0(0)");
	out_within(1900, 2100, "S 0(0)");
	out_within(3900, 4100, "S 0(0)");
	tp_finish(fd);
	fd = sends_plain();
	tp_finish(fd);
	sim_run_s(601);
	stack_know_peer();
	fd = sends_fast();
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookie_is_asked_for),	 cmocka_unit_test(data_on_the_syn),
		cmocka_unit_test(more_than_a_syn_holds), cmocka_unit_test(data_not_acknowledged),
		cmocka_unit_test(syn_is_lost),		 cmocka_unit_test(connect_is_held),
		cmocka_unit_test(blocking_sendto),	 cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(without_cookies),	 cmocka_unit_test(black_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
