/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_send.c - when data goes and when it goes again: MSS, windows, Nagle, cork, delayed
 * ACKs, the first window, time-outs, fast retransmit, SACK, tail loss probes, zero windows, path
 * MTU, keepalive, user time-outs. */
#include "tcp_peer.h"

#include <stdio.h>

static int fd;

static void begin(const char *options)
{
	tp_up();
	fd = tp_accepted(options);
}

static void end(void)
{
	tp_finish(fd);
	tp_down();
}

/* RFC 9293 3.7.1: the peer's MSS, without options; 536 when it named none. */
static void mss(void **state)
{
	begin("mss 1000");
	tp_write(fd, 2500);
	out(". 1(1000) ack 1");
	out(". 1001(1000) ack 1");
	out("P. 2001(500) ack 1");
	end();
	begin("mss 1000,ts 5 0");
	tp_write(fd, 988);
	out("P. 1(988) ack 1 <ts * *>");
	end();
	begin("nop");
	tp_write(fd, 600);
	out(". 1(536) ack 1");
	end();
}

/* RFC 6928: ten segments before the first ACK, then two for each one acknowledged. */
static void initial_window(void **state)
{
	u32 n = 0, i;

	begin("mss 1000");
	tp_write(fd, 40000);
	sim_run_ms(5);
	while (tp_next())
		n += tp.len;
	assert_int_equal(n, 10000);
	for (i = 1; i <= 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), ". 1(0) ack %u", 1 + i * 2000);
		in(text);
	}
	for (n = 0; tp_next(); n += tp.len)
		;
	assert_int_equal(n, 20000);
	end();
}

/* RFC 9293 3.7.4: a small segment waits while another is in flight; not with TCP_NODELAY. */
static void nagle(void **state)
{
	begin("mss 1000");
	tp_write(fd, 10);
	out("P. 1(10) ack 1");
	tp_write(fd, 10);
	tp_write(fd, 10);
	silence(50);
	in(". 1(0) ack 11");
	out("P. 11(20) ack 1");
	c_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	tp_write(fd, 5);
	out("P. 31(5) ack 1");
	tp_write(fd, 5);
	out("P. 36(5) ack 1");
	end();
}

/* tcp(7): held for 200 ms at most. */
static void cork(void **state)
{
	begin("mss 1000");
	c_setint(fd, IPPROTO_TCP, TCP_CORK, 1);
	tp_write(fd, 300);
	silence(50);
	tp_write(fd, 800);
	out(". 1(1000) ack 1");
	silence(50);
	c_setint(fd, IPPROTO_TCP, TCP_CORK, 0);
	out("P. 1001(100) ack 1");
	in(". 1(0) ack 1101");
	c_setint(fd, IPPROTO_TCP, TCP_CORK, 1);
	tp_write(fd, 10);
	out_within(150, 260, "P. 1101(10) ack 1");
	end();
}

/* RFC 5681 4.2: every second full segment at once, a lone one within half a second. */
static void delayed_ack(void **state)
{
	u32 i, acks = 0, at = 1;
	char text[64];

	begin("mss 1000");
	for (i = 0; i < 40; i++, at += 1000) { /* over the quick ones of the start */
		snprintf(text, sizeof(text), ". %u(1000) ack 1", at);
		in(text);
		assert_int_equal(tp_read(fd, 1000), 1000);
	}
	tp_forget();
	for (i = 0; i < 20; i++, at += 1000) {
		snprintf(text, sizeof(text), ". %u(1000) ack 1", at);
		in(text);
		tp_read(fd, 1000);
	}
	while (tp_next())
		acks++;
	assert_true(acks >= 9);
	assert_true(acks <= 20);
	snprintf(text, sizeof(text), "P. %u(10) ack 1", at);
	in(text);
	snprintf(text, sizeof(text), ". 1(0) ack %u", at + 10);
	out_within(0, 500, text);
	end();
}

/* RFC 5681 3.2: a hole is told at once, by duplicates with what is there (RFC 2018 4). */
static void holes(void **state)
{
	begin("mss 1000,sackOK");
	in(". 1001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:2001>");
	in(". 3001(1000) ack 1");
	out(". 1(0) ack 1 <sack 3001:4001,sack 1001:2001>");
	in(". 2001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:4001>");
	in(". 1(1000) ack 1");
	out(". 1(0) ack 4001 <>");
	assert_int_equal(tp_read(fd, 5000), 4000);
	tp_forget();
	/* RFC 2883: a duplicate is told */
	in(". 2001(1000) ack 1");
	out(". 1(0) ack 4001 <sack 2001:3001>");
	in(". 5001(1000) ack 1");
	out(". 1(0) ack 4001 <sack 5001:6001>");
	in(". 5001(1000) ack 1");
	out(". 1(0) ack 4001 <sack 5001:6001,sack 5001:6001>");
	end();
}

/* RFC 6298 5.4 to 5.7. */
static void time_outs(void **state)
{
	begin("mss 1000");
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	out_within(180, 1300, "P. 1(100) ack 1");
	out_within(380, 2600, "P. 1(100) ack 1");
	{
		u64 gap = tp.at;

		out_within(700, 5200, "P. 1(100) ack 1");
		gap = tp.at - gap;
		out_within(gap * 19 / 10 / NSEC_PER_MSEC, gap * 21 / 10 / NSEC_PER_MSEC,
			   "P. 1(100) ack 1");
	}
	in(". 1(0) ack 101");
	silence(20000);
	end();
}

/* RFC 5681 3.2: the third duplicate ACK. */
static void fast_retransmit(void **state)
{
	u32 i;

	begin("mss 1000");
	tp_write(fd, 10000);
	for (i = 0; i < 10; i++)
		out_within(0, 2, ". *(1000) ack 1");
	in(". 1(0) ack 1");
	in(". 1(0) ack 1");
	tp_forget(); /* RFC 3042 would send new data, if there were any */
	in(". 1(0) ack 1");
	out(". 1(1000) ack 1");
	/* RFC 6582: a partial ACK brings the next hole */
	in(". 1(0) ack 3001");
	out(". 3001(1000) ack 1");
	in(". 1(0) ack 10001");
	silence(3000);
	end();
}

/* RFC 6675: what the scoreboard says is lost, and nothing else. */
static void sack_recovery(void **state)
{
	u32 i;

	begin("mss 1000,sackOK");
	tp_write(fd, 10000);
	for (i = 0; i < 10; i++)
		out_within(0, 2, ". *(1000) ack 1");
	in(". 1(0) ack 1 <sack 2001:3001>");
	in(". 1(0) ack 1 <sack 2001:4001>");
	in(". 1(0) ack 1 <sack 2001:6001>");
	out_within(0, 20, ". 1(1000) ack 1");
	out_within(0, 20, ". 1001(1000) ack 1");
	in(". 1(0) ack 6001");
	tp_forget(); /* RACK may think the rest lost by now */
	in(". 1(0) ack 10001");
	silence(3000);
	end();
}

/* RFC 8985 7: a lost tail is asked for before the time-out. */
static void tail_loss_probe(void **state)
{
	u64 sent;

	begin("mss 1000,sackOK,ts 1 0");
	tp_write(fd, 900); /* for a round-trip time */
	out("P. 1(900) ack 1");
	in(". 1(0) ack 901");
	tp_write(fd, 2000);
	out(". 901(988) ack 1");
	out(". 1889(988) ack 1");
	tp_forget();
	sent = tp.at;
	sim_run_ms(190);
	assert_true(tp_next());
	assert_true(tp.at - sent < 190 * NSEC_PER_MSEC);
	in(". 1(0) ack 2901");
	end();
}

/* RFC 9293 3.8.6.1: a closed window is asked about, less and less often, as long as it takes. */
static void zero_window(void **state)
{
	u32 i, n;

	begin("mss 1000");
	tp_write(fd, 500);
	out("P. 1(500) ack 1");
	in(". 1(0) ack 501 win 0");
	tp_write(fd, 3000);
	silence(100);
	for (i = 0; i < 6; i++) {
		sim_run_s(130);
		for (n = 0; tp_next(); n++)
			assert_true(tp.len <= 1);
		assert_true(n >= 1);
		in(". 1(0) ack 501 win 0");
		tp_forget();
	}
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in(". 1(0) ack 501 win 5000");
	out_within(0, 3, ". 501(1000) ack 1");
	end();
}

/* RFC 9293 3.8.6.2.1: not less than a segment or half of the largest window, unless time passes. */
static void silly_window(void **state)
{
	begin("mss 1000");
	tp_write(fd, 500);
	out("P. 1(500) ack 1");
	in(". 1(0) ack 501 win 0");
	tp_write(fd, 3000);
	in(". 1(0) ack 501 win 10");
	silence(100);
	in(". 1(0) ack 501 win 2000");
	out_within(0, 3, ". 501(1000) ack 1");
	end();
}

/* The receiver's side (3.8.6.2.2): the window opens in large steps, and never moves back. */
static void window_we_offer(void **state)
{
	u32 edge = 0, at = 1, i;
	char text[64];

	begin("mss 1000");
	c_setint(fd, SOL_SOCKET, SO_RCVBUF, 8000);
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), ". %u(500) ack 1", at);
		in(text);
		sim_run_ms(50);
		while (tp_next()) {
			assert_true(tp.ack + tp.win >= edge);
			edge = tp.ack + tp.win;
			at = tp.ack;
		}
		if (i % 10 == 9)
			tp_read(fd, 400);
	}
	while (tp_read(fd, 1000) > 0)
		;
	sim_run_ms(300);
	while (tp_next())
		edge = tp.ack + tp.win;
	assert_true(edge >= at + 1000); /* it opened again by itself */
	end();
}

static void window_scale(void **state)
{
	begin("mss 1000,wscale 4");
	/* 63 << 4 is 1008 octets */
	in(". 1(0) ack 1 win 63");
	tp_write(fd, 3000);
	out(". 1(1000) ack 1");
	silence(50);
	in(". 1(0) ack 1001 win 4096");
	out_within(0, 3, ". 1001(1000) ack 1");
	out_within(0, 3, "P. 2001(1000) ack 1");
	end();
}

/* RFC 1191 3, 6.3: smaller at once, and what was too long goes again. */
static void path_mtu(void **state)
{
	begin("mss 1460");
	tp_write(fd, 2920);
	out(". 1(1460) ack 1");
	out("P. 1461(1460) ack 1");
	tp_icmp(3, 4, 1000, 1);
	out_within(0, 300, ". 1(960) ack 1");
	in(". 1(0) ack 961");
	out_within(0, 300, ". 961(*) ack 1");
	assert_true(tp.len <= 960);
	end();
}

/* RFC 9293 3.8.4. */
static void keepalive(void **state)
{
	begin("mss 1000");
	c_setint(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	c_setint(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	c_setint(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
	c_setint(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	tp.last_at = sim_now();
	out_within(9500, 10600, ". 0(0) ack 1");
	in(". 1(0) ack 1");
	out_within(9500, 10600, ". 0(0) ack 1");
	out_within(1900, 2200, ". 0(0) ack 1");
	out_within(1900, 2200, ". 0(0) ack 1");
	out_within(1900, 2200, "R. 1(0) ack 1");
	assert_int_equal(c_error(fd), ETIMEDOUT);
	c_close(fd);
	tp_down();
}

/* RFC 5482. */
static void user_timeout(void **state)
{
	begin("mss 1000");
	c_setint(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000);
	tp_write(fd, 100);
	sim_run_s(2);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	sim_run_s(4);
	assert_int_equal(c_error(fd), ETIMEDOUT);
	c_close(fd);
	tp_forget();
	tp_down();
}

/* RFC 6093: the pointer is behind the urgent octet; the mark is found; in line it is in the stream.
 */
static void urgent(void **state)
{
	u8 b[16];

	begin("mss 1000");
	in("PU. 1(5) ack 1 urg 5");
	assert_true(c_poll(fd, POLLPRI, 0) & POLLPRI);
	assert_int_equal(c_recv(fd, b, 1, MSG_OOB), 1);
	assert_int_equal(c_recv(fd, b, 16, MSG_DONTWAIT), 4);
	end();
	begin("mss 1000");
	c_setint(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	in("PU. 1(5) ack 1 urg 3");
	assert_int_equal(c_recv(fd, b, 16, MSG_DONTWAIT), 2); /* up to the mark */
	assert_int_equal(c_recv(fd, b, 16, MSG_DONTWAIT), 3);
	tp_forget();
	assert_int_equal(c_send(fd, "k", 1, MSG_OOB), 1);
	sim_run_ms(2);
	assert_int_equal(tp_waiting(), 1);
	peer_forget(&peer);
	end();
}

/* RFC 3168 6.1: CE is echoed until CWR comes. */
static void ecn(void **state)
{
	int listener;

	tp_up();
	sim_write("/proc/sys/net/ipv4/tcp_ecn", "1");
	listener = tp_listen();
	in("SEW 0(0) <mss 1000>");
	out("S.E 0(0) ack 1");
	in(". 1(0) ack 1");
	fd = c_accept(listener, SOCK_NONBLOCK);
	c_close(listener);
	tp.tos = 3; /* CE */
	in("P. 1(1000) ack 1");
	out_within(0, 500, ".E 1(0) ack 1001");
	tp.tos = 2;
	in("P. 1001(1000) ack 1");
	out_within(0, 500, ".E 1(0) ack 2001");
	in("P.W 2001(1000) ack 1");
	out_within(0, 500, ". 1(0) ack 3001");
	/* and our side: ECE halves the window and is answered with CWR */
	tp_write(fd, 1000);
	out(". 1(1000) ack 3001");
	assert_int_equal(tp.ip_tos & 3, 2);
	in(".E 3001(0) ack 1001");
	tp_write(fd, 1000);
	out(".W 1001(1000) ack 3001");
	end();
}

/* RFC 9768 3.1.1 asked of one who does not know it: an ordinary ECN answer or none, no reset. */
static void accurate_ecn_syn(void **state)
{
	int listener;

	tp_up();
	listener = tp_listen();
	in("SEWA 0(0) <mss 1000>");
	sim_run_ms(2);
	assert_true(tp_next());
	assert_int_equal(tp.ack, 1);
	in(". 1(0) ack 1");
	tp_finish(c_accept(listener, SOCK_NONBLOCK));
	c_close(listener);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mss),
		cmocka_unit_test(initial_window),
		cmocka_unit_test(nagle),
		cmocka_unit_test(cork),
		cmocka_unit_test(delayed_ack),
		cmocka_unit_test(holes),
		cmocka_unit_test(time_outs),
		cmocka_unit_test(fast_retransmit),
		cmocka_unit_test(sack_recovery),
		cmocka_unit_test(tail_loss_probe),
		cmocka_unit_test(zero_window),
		cmocka_unit_test(silly_window),
		cmocka_unit_test(window_we_offer),
		cmocka_unit_test(window_scale),
		cmocka_unit_test(path_mtu),
		cmocka_unit_test(keepalive),
		cmocka_unit_test(user_timeout),
		cmocka_unit_test(urgent),
		cmocka_unit_test(ecn),
		cmocka_unit_test(accurate_ecn_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
