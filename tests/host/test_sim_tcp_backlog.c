/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_backlog.c - what a listener keeps: half-open connections up to its backlog, then SYN
 * cookies (RFC 4987 3.6) which forget nothing that matters, complete ones up to backlog + 1 as on
 * Linux, and TCP_DEFER_ACCEPT. */
#include "tcp_peer.h"

static u64 counted(const char *name)
{
	const char *names = strstr(sim_read("/proc/net/netstat"), "TcpExt: "), *values, *at;
	u32 column = 0;
	u64 v = 0;

	assert_non_null(names);
	values = strchr(names, '\n') + 1;
	at = strstr(names, name);
	assert_true(at && at < values);
	for (const char *c = names; c < at; c++)
		column += *c == ' ';
	for (at = values; column; at++)
		column -= *at == ' ';
	for (; *at >= '0' && *at <= '9'; at++)
		v = v * 10 + *at - '0';
	return v;
}

/* A listener with one connection, which is from that port, and nobody accepts. */
static int listener_with_one(u16 port)
{
	int fd;

	tp_up();
	fd = tp_listen();
	tp_new(port, 80);
	tp_call();
	return fd;
}

/* The listener's queue is full when the last ACK comes. */
static void call_without_room(int fd, u16 port)
{
	tp_new(port, 80);
	tp_syn();
	c_listen(fd, 0);
	in(". 1(0) ack 1");
}

/* Room is made, and the ACK comes again: the second one in the queue. */
static int call_with_room(int fd)
{
	c_close(tp_take(fd));
	in(". 1(0) ack 1");
	return tp_take(fd);
}

/* The end, with connections whose peer hears no more: they give up. */
static void down(int fd)
{
	c_close(fd);
	peer_forget(&peer);
	sim_run_s(130);
	tp_down();
}

static void syns(u32 n)
{
	for (u32 i = 0; i < n; i++) {
		tp_new(6000 + i, 80);
		in("S 0(0) <mss 1460>");
	}
	peer_forget(&peer);
}

static void syn_queue_is_bounded(void **state)
{
	int fd;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_syncookies", "0"), 0);
	fd = tp_listen();
	syns(8);
	tp_new(7000, 80);
	in("S 0(0) <mss 1460>");
	silence(10);
	assert_int_equal(counted("TCPReqQFullDrop"), 1);
	c_close(fd);
	tp_down();
}

/* Nobody forges a cookie: of so many guesses nearly all are answered with a RST, and none is a
 * connection. What is left is let fall, as if its beginning had been lost. */
static u32 guessed(int fd, u16 port, u32 n)
{
	u32 refused = 0;

	for (u32 i = 0; i < n; i++) {
		tp_new(port + i, 80);
		tp.host_iss = 0x12345678 + i * 0x01234567;
		tp.heard_host = true;
		in(". 1(0) ack 1");
		if (tp_waiting()) {
			out("R 1(0)");
			refused++;
		}
		assert_int_equal(c_accept(fd, SOCK_NONBLOCK), -EAGAIN);
	}
	return refused;
}

static void cookie(const char *options, const char *synack, const char *data, u16 port)
{
	int fd = tp_listen(), con;
	char text[64];

	syns(8);
	tp_new(port, 80);
	scnprintf(text, sizeof(text), "S 0(0) <%s>", options);
	in(text);
	out(synack);
	tp.ts = strstr(options, "ts ") != NULL;
	in("P. 1:11(10) ack 1");
	out_within(0, 50, ". 1(0) ack 11");
	con = tp_take(fd);
	assert_int_equal(tp_read(con, 20), 10);
	/* what the SYN said is known still */
	assert_int_equal(tp_write(con, 3000), 3000);
	out(data);
	in(". 11(0) ack 1");
	tp_forget();
	in("R 11(0)");
	c_close(con);
	assert_true(guessed(fd, port + 1, 16) > 8);
	peer_forget(&peer);
	c_close(fd);
}

static void cookies(void **state)
{
	tp_up();
	cookie("mss 1400", "S. 0(0) ack 1 <mss 1460>", ". 1:1401(1400) ack 11", 7000);
	assert_int_equal(counted("SyncookiesSent"), 1);
	assert_int_equal(counted("SyncookiesRecv"), 1);
	assert_true(counted("SyncookiesFailed") > 8);
	cookie("mss 1412,sackOK,ts 100 0,wscale 3",
	       "S. 0(0) ack 1 <mss 1460,sackOK,ts * 100,wscale 7>", ". 1:1389(1388) ack 11", 7100);
	assert_int_equal(counted("SyncookiesRecv"), 2);
	tp_down();
}

static void cookies_age(void **state)
{
	int fd, con;

	tp_up();
	fd = tp_listen();
	syns(8);
	tp_new(7000, 80);
	tp_syn();
	sim_run_s(129);
	peer_forget(&peer);
	in(". 1(0) ack 1");
	out("R 1(0)");
	/* a minute later it is good still, across the border of two periods too */
	syns(8);
	for (int i = 0; i < 4; i++) {
		tp_new(7001 + i, 80);
		tp_syn();
		sim_run_s(20);
		peer_forget(&peer);
		in(". 1(0) ack 1");
		con = tp_take(fd);
		in("R 1(0)");
		c_close(con);
	}
	c_close(fd);
	tp_down();
}

/* A cookie's call whose SYN-ACK has come. */
static void cookie_call(u16 port, const char *options)
{
	char text[64];

	tp_new(port, 80);
	scnprintf(text, sizeof(text), "S 0(0) <%s>", options);
	in(text);
	out("S. 0(0) ack 1");
	tp.ts = strstr(options, "ts ") != NULL;
}

/* The ACK and the first text were lost: what stands behind is no reason for a RST. */
static void cookie_behind_a_loss(void **state)
{
	static const char *const options[] = { "mss 1400", "mss 1412,sackOK,ts 100 0,wscale 3" };
	int fd, con;

	tp_up();
	fd = tp_listen();
	syns(8);
	for (u32 i = 0; i < 2; i++) {
		cookie_call(7000 + i, options[i]);
		in("P. 11:21(10) ack 1");
		in("F. 21(0) ack 1");
		silence(20);
		in("P. 1:11(10) ack 1");
		out_within(0, 50, ". 1(0) ack 11");
		con = tp_take(fd);
		in("FP. 11:21(10) ack 1");
		out(". 1(0) ack 22");
		assert_int_equal(tp_read(con, 30), 20);
		tp_finish(con);
	}
	c_close(fd);
	tp_down();
}

/* ... for as long as the cookie may be good. */
static void lost_cookie_is_refused_in_the_end(void **state)
{
	int fd;

	tp_up();
	fd = tp_listen();
	syns(8);
	cookie_call(7000, "mss 1400");
	in("P. 11:21(10) ack 1");
	silence(20);
	sim_run_s(121);
	in("P. 11:21(10) ack 1");
	out("R 1(0)");
	c_close(fd);
	peer_forget(&peer);
	tp_down();
}

/* The ACK with the cookie finds accept's queue full. Its sender may have nothing to say for
 * himself, so he is asked again. */
static void cookie_finds_queue_full(void **state)
{
	int fd = listener_with_one(5999), con;

	syns(8);
	cookie_call(7000, "mss 1412,sackOK,ts 100 0,wscale 3");
	c_listen(fd, 0);
	in(". 1(0) ack 1");
	assert_int_equal(counted("ListenOverflows"), 1);
	out_within(900, 1100, "S. 0(0) ack 1 <mss 1460,sackOK,ts * 1000,wscale 7>");
	con = call_with_room(fd);
	assert_int_equal(c_peer_port(con), 7000);
	assert_int_equal(tp_write(con, 10), 10);
	out("P. 1:11(10) ack 1");
	tp_finish(con);
	down(fd);
}

/* Nobody accepts: whoever believes that he is connected hears that it came to nothing. */
static void full_queue_resets_in_the_end(void **state)
{
	int fd = listener_with_one(5999);

	call_without_room(fd, 6000);
	for (u32 s = 1; s <= 16; s *= 2) {
		out_within(s * 900, s * 1100, "S. 0(0) ack 1");
		in(". 1(0) ack 1");
	}
	out_within(31000, 33000, "R. 1(0) ack 1");
	/* so does he when the listener goes */
	c_listen(fd, 8);
	call_without_room(fd, 6001);
	c_close(fd);
	out("R. 1(0) ack 1");
	peer_forget(&peer);
	tp_down();
}

static void accept_queue_is_bounded(void **state)
{
	int fd, con, i;

	tp_up();
	fd = tp_listen();
	c_listen(fd, 1);
	for (i = 0; i < 2; i++) {
		tp_new(6000 + i, 80);
		tp_call();
	}
	/* backlog + 1 of them; further SYNs are not heard */
	tp_new(6002, 80);
	in("S 0(0) <mss 1460>");
	silence(10);
	assert_int_equal(counted("ListenOverflows"), 1);
	con = tp_take(fd);
	tp_call();
	c_close(con);
	down(fd);
}

/* The last ACK finds the queue full: the SYN-ACK comes again, and so does the ACK. */
static void accept_queue_fills_meanwhile(void **state)
{
	int fd = listener_with_one(6000);

	call_without_room(fd, 6001);
	assert_int_equal(counted("ListenOverflows"), 1);
	out_within(900, 1100, "S. 0(0) ack 1");
	c_close(call_with_room(fd));
	down(fd);
}

/* Who called is told though he has left; that he has, reading tells. */
static void accepted_who_has_left(void **state)
{
	u16 port = 0;
	int fd, con;

	tp_up();
	fd = tp_listen();
	tp_call();
	in("R 1(0)");
	con = c_accept_from(fd, SOCK_NONBLOCK, &port);
	assert_true(con >= 0);
	assert_int_equal(port, tp.port);
	assert_int_equal(tp_read(con, 1), -ECONNRESET);
	assert_int_equal(tp_read(con, 1), 0);
	c_close(con);
	c_close(fd);
	tp_down();
}

static void defer_accept(void **state)
{
	int fd, con;

	tp_up();
	fd = tp_listen();
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3), 0);
	tp_call();
	assert_int_equal(c_accept(fd, SOCK_NONBLOCK), -EAGAIN);
	/* no SYN-ACK meanwhile; data makes it complete */
	silence(2000);
	in("P. 1:11(10) ack 1");
	con = tp_take(fd);
	assert_int_equal(tp_read(con, 20), 10);
	tp_forget();
	in("R 11(0)");
	c_close(con);
	/* or time does: asked again, an ACK is enough */
	tp_new(5001, 80);
	tp_call();
	out_within(2900, 3200, "S. 0(0) ack 1");
	in(". 1(0) ack 1");
	con = tp_take(fd);
	in("R 1(0)");
	c_close(con);
	c_close(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_queue_is_bounded),
		cmocka_unit_test(cookies),
		cmocka_unit_test(cookies_age),
		cmocka_unit_test(cookie_behind_a_loss),
		cmocka_unit_test(lost_cookie_is_refused_in_the_end),
		cmocka_unit_test(cookie_finds_queue_full),
		cmocka_unit_test(full_queue_resets_in_the_end),
		cmocka_unit_test(accept_queue_is_bounded),
		cmocka_unit_test(accept_queue_fills_meanwhile),
		cmocka_unit_test(accepted_who_has_left),
		cmocka_unit_test(defer_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
