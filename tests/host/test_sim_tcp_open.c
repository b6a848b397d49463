/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_open.c - how connections begin (RFC 9293 3.5, 3.10.7): handshakes of both sides,
 * their options, repetition, refusal, simultaneous open, what SYN-RECEIVED takes. */
#include "tcp_peer.h"

static int listening_host(void)
{
	tp_up();
	return tp_listen();
}

static void passive(void **state)
{
	int listener = listening_host(), fd;

	in("S 0(0) <mss 1460,sackOK,ts 100 0,nop,wscale 7>");
	out("S. 0(0) ack 1 <mss 1460,sackOK,ts * 100,wscale *>");
	assert_int_equal(c_accept(listener, SOCK_NONBLOCK), -EAGAIN);
	tp.ts = true;
	in(". 1(0) ack 1");
	fd = tp_take(listener);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	silence(100);
	tp_finish(fd);
	c_close(listener);
	tp_down();
}

/* Path MTU discovery (RFC 1191) needs DF, also on a connection that was made before its socket. A
 * short request's ACK waits a moment for the answer, also on a fresh connection. */
static void first_request(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("P. 1(10) ack 1");
	tp_write(fd, 20);
	out("P. 1(20) ack 11");
	assert_true(tp.ip_df);
	in("P. 11(10) ack 21");
	out_within(0, 45, ". 21(0) ack 21");
	assert_true(tp.ip_df);
	assert_int_equal(tp_read(fd, 100), 20);
	tp_finish(fd);
	tp_down();
}

/* RFC 7323 1.3, RFC 2018 2: an option is only used when the other side had it in its SYN. */
static void options_only_when_asked(void **state)
{
	static const struct {
		const char *syn, *synack;
	} cases[] = {
		{ "S 0(0) <mss 1000>", "S. 0(0) ack 1 <mss *>" },
		{ "S 0(0)", "S. 0(0) ack 1 <mss *>" },
		{ "S 0(0) <mss 1460,sackOK>", "S. 0(0) ack 1 <mss *,sackOK>" },
		{ "S 0(0) <mss 1460,ts 5 0>", "S. 0(0) ack 1 <mss *,ts * 5>" },
		{ "S 0(0) <mss 1460,wscale 14>", "S. 0(0) ack 1 <mss *,wscale *>" },
		/* RFC 7323 2.3: above 14 counts as 14 */
		{ "S 0(0) <mss 1460,wscale 200>", "S. 0(0) ack 1 <mss *,wscale *>" },
		/* RFC 9293 3.1: unknown options are skipped by their length */
		{ "S 0(0) <raw fe06010203041d04,mss 1460>", "S. 0(0) ack 1 <mss *>" },
	};
	int listener = listening_host();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		tp_new(TP_PEER_PORT + i, TP_HOST_PORT);
		in(cases[i].syn);
		out(cases[i].synack);
		in("R 1(0)");
	}
	c_close(listener);
	tp_down();
}

/* Options of length 0, lengths over the end: the SYN is dropped or the rest ignored, nothing hangs.
 */
static void malformed_options(void **state)
{
	static const char *const cases[] = {
		"S 0(0) <raw 02000000>", "S 0(0) <raw 0300ffff>", "S 0(0) <raw 010101ff>",
		"S 0(0) <raw 0214ffff>", "S 0(0) <raw 05020000>", "S 0(0) <raw 080a0000>",
		"S 0(0) <raw 00000000>",
	};
	int listener = listening_host();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		tp_new(TP_PEER_PORT + i, TP_HOST_PORT);
		in(cases[i]);
		sim_run_ms(2);
		tp_forget();
		in("R 1(0)");
		tp_forget();
	}
	tp_new(TP_PEER_PORT + i, TP_HOST_PORT);
	tp_syn();
	in("R 1(0)");
	c_close(listener);
	tp_down();
}

static void active(void **state)
{
	int fd;

	tp_up();
	fd = c_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(c_bind(fd, 0, TP_HOST_PORT), 0);
	assert_int_equal(c_connect(fd, PEER, TP_PEER_PORT), -EINPROGRESS);
	assert_int_equal(c_connect(fd, PEER, TP_PEER_PORT), -EALREADY);
	out("S 0(0) <mss 1460,sackOK,ts * 0,wscale *>");
	assert_int_equal(tp_state(fd), ST_SYN_SENT);
	assert_int_equal(c_poll(fd, POLLOUT, 0), 0);
	in("S. 0(0) ack 1 <mss 1400,sackOK,ts 9 *,wscale 2>");
	out(". 1(0) ack 1 <ts * 9>");
	assert_int_equal(c_poll(fd, POLLOUT, 0), POLLOUT);
	assert_int_equal(c_error(fd), 0);
	assert_int_equal(c_connect(fd, PEER, TP_PEER_PORT), 0); /* tells it once, as Linux does */
	assert_int_equal(c_connect(fd, PEER, TP_PEER_PORT), -EISCONN);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	tp_finish(fd);
	tp_down();
}

/* The host calls, and its SYN has come. */
static int called(void)
{
	int fd;

	tp_up();
	fd = tp_connecting();
	out("S 0(0)");
	return fd;
}

/* RFC 6298 2.1, 5.5: one second, doubled; tcp_syn_retries of them. */
static void syn_is_repeated(void **state)
{
	int fd = called();

	c_setint(fd, IPPROTO_TCP, TCP_SYNCNT, 3);
	out_within(900, 1200, "S 0(0)");
	out_within(1900, 2200, "S 0(0)");
	out_within(3900, 4300, "S 0(0)");
	silence(7000);
	sim_run_s(2);
	assert_int_equal(c_error(fd), ETIMEDOUT);
	assert_int_equal(tp_state(fd), ST_CLOSE);
	c_close(fd);
	tp_down();
}

static void synack_is_repeated(void **state)
{
	int listener = listening_host();

	tp_syn();
	out_within(900, 1300, "S. 0(0) ack 1");
	out_within(1800, 2600, "S. 0(0) ack 1");
	in(". 1(0) ack 1");
	silence(5000);
	tp_finish(c_accept(listener, 0));
	c_close(listener);
	tp_down();
}

/* RFC 9293 3.10.7.3: a reset that acknowledges the SYN refuses; others are not believed. */
static void refused(void **state)
{
	int fd = called();

	in("R 0(0)");
	in("R. 0(0) ack 5");
	silence(10);
	assert_int_equal(tp_state(fd), ST_SYN_SENT);
	in("R. 0(0) ack 1");
	assert_int_equal(c_error(fd), ECONNREFUSED);
	silence(3000);
	c_close(fd);
	tp_down();
}

/* RFC 9293 3.5.1: an ACK of what we never sent gets a reset with its number; the SYN goes on. */
static void half_open(void **state)
{
	int fd = called();

	in(". 300(0) ack 77");
	out("R 77(0)");
	out_within(900, 1300, "S 0(0)");
	in("S. 0(0) ack 1 <mss 1460>");
	out(". 1(0) ack 1");
	tp_finish(fd);
	tp_down();
}

/* Both sides' SYNs are on their way at once. */
static int crossed(void)
{
	int fd = called();

	tp_syn();
	return fd;
}

/* RFC 9293 3.5, figure 7. */
static void simultaneous(void **state)
{
	int fd = crossed();

	assert_int_equal(tp_state(fd), ST_SYN_RECV);
	in("S. 0(0) ack 1 <mss 1460>");
	sim_run_ms(1);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	tp_forget();
	in(". 1(100) ack 1");
	assert_int_equal(tp_read(fd, 1000), 100);
	tp_finish(fd);
	tp_down();
}

/* Closed while both SYNs cross (RFC 9293 3.10.4): the FIN waits for the handshake's end. */
static void closed_in_syn_received(void **state)
{
	int fd = crossed();

	assert_int_equal(c_close(fd), 0);
	silence(20);
	in(". 1(0) ack 1");
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	tp_down();
}

static void shut_in_syn_received(void **state)
{
	int fd = crossed();

	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	silence(20);
	in("S. 0(0) ack 1 <mss 1460>");
	out("F. 1(0) ack 1");
	in(". 1(100) ack 2");
	sim_run_ms(50);
	tp_forget();
	assert_int_equal(tp_read(fd, 1000), 100);
	in("F. 101(0) ack 2");
	out(". 2(0) ack 102");
	c_close(fd);
	tp_down();
}

/* And nobody answers any more. */
static void left_in_syn_received(void **state)
{
	int fd = crossed();

	assert_int_equal(c_close(fd), 0);
	sim_run_s(300);
	tp_forget();
	tp_down();
}

/* Nobody listens: RFC 9293 3.10.7.1. */
static void closed_port(void **state)
{
	tp_up();
	in("S 0(0) <mss 1460>");
	out("R. 0(0) ack 1");
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	in("S 0(50)");
	out("R. 0(0) ack 51");
	tp_new(TP_PEER_PORT + 2, TP_HOST_PORT);
	in(". 10(0) ack 1000");
	out("R 1000(0)");
	tp_new(TP_PEER_PORT + 3, TP_HOST_PORT);
	in("F 10(5)");
	out("R. 0(0) ack 16");
	tp_new(TP_PEER_PORT + 4, TP_HOST_PORT);
	in("R 10(0)");
	in("R. 10(0) ack 4");
	silence(50);
	tp_down();
}

/* LISTEN: 3.10.7.2. An ACK is refused, a reset and anything without SYN ignored. */
static void listening(void **state)
{
	int listener = listening_host();

	in(". 10(0) ack 50");
	out("R 50(0)");
	in("R 10(0)");
	in("F 10(0)");
	in("P 10(5)");
	silence(50);
	in("S. 0(0) ack 9");
	out("R 9(0)");
	c_close(listener);
	tp_down();
}

/* SYN-RECEIVED: the first data may come with the ACK; a wrong ACK is reset (3.10.7.4, fifth). */
static void syn_received(void **state)
{
	int listener = listening_host(), fd;

	tp_syn();
	in("S 0(0) <mss 1460>");
	out_within(0, 2, "S. 0(0) ack 1");
	in(". 1(0) ack 7");
	out("R 7(0)");
	in("P. 1(10) ack 1");
	fd = tp_take(listener);
	assert_int_equal(tp_read(fd, 100), 10);
	tp_finish(fd);

	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	tp_syn();
	in("R 1(0)");
	silence(3000); /* the SYN-ACK is not repeated any more */
	assert_int_equal(c_accept(listener, 0), -EAGAIN);
	c_close(listener);
	tp_down();
}

/* RFC 793's initial sequence numbers are to be unpredictable (RFC 6528). */
static void sequence_numbers_differ(void **state)
{
	u32 first = 0, i, near = 0;
	int listener = listening_host();

	for (i = 0; i < 20; i++) {
		tp_new(TP_PEER_PORT + i, TP_HOST_PORT);
		tp_syn();
		near += i && tp.host_iss - first + 0x100000 < 0x200000;
		first = tp.host_iss;
		in("R 1(0)");
	}
	assert_true(near < 3);
	c_close(listener);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passive),
		cmocka_unit_test(first_request),
		cmocka_unit_test(options_only_when_asked),
		cmocka_unit_test(malformed_options),
		cmocka_unit_test(active),
		cmocka_unit_test(syn_is_repeated),
		cmocka_unit_test(synack_is_repeated),
		cmocka_unit_test(refused),
		cmocka_unit_test(half_open),
		cmocka_unit_test(simultaneous),
		cmocka_unit_test(closed_in_syn_received),
		cmocka_unit_test(shut_in_syn_received),
		cmocka_unit_test(left_in_syn_received),
		cmocka_unit_test(closed_port),
		cmocka_unit_test(listening),
		cmocka_unit_test(syn_received),
		cmocka_unit_test(sequence_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
