/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_fastopen.c - TCP Fast Open as a server (RFC 7413): a cookie on demand, data in the
 * SYN of who brings it, an answer before the handshake is over, and the bound on such connections.
 */
#include "tcp_peer.h"

#include <stdio.h>

#define TCP_FASTOPEN 23

static int fast_listener(int qlen)
{
	int fd;

	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_fastopen", "3"), 0);
	fd = tp_listen();
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_FASTOPEN, qlen), 0);
	return fd;
}

/* The cookie that the host gives to its peer, as text of an option. */
static const char *ask(void)
{
	static char text[64];
	const struct frame *f;
	const u8 *t, *o;
	u32 i, n;

	tp_new(4000, 80);
	peer_forget(&peer);
	in("S 0(0) <mss 1460,raw 2202>");
	f = peer_take_proto(&peer, IPPROTO_TCP);
	assert_non_null(f);
	t = frame_icmp(f);
	o = t + 20;
	n = (t[12] >> 4) * 4 - 20;
	for (i = 0; i + 10 <= n && !(o[i] == 34 && o[i + 1] == 10); i++)
		;
	assert_true(i + 10 <= n);
	strscpy(text, "raw 220a", sizeof(text));
	for (u32 k = 0; k < 8; k++)
		snprintf(text + 8 + 2 * k, 3, "%02x", o[i + 2 + k]);
	in("R 1(0)");
	return text;
}

static void syn(const char *cookie, const char *payload)
{
	char text[128];

	snprintf(text, sizeof(text), "S %s <mss 1460,%s>", payload, cookie);
	in(text);
}

static void data_in_the_syn(void **state)
{
	const char *cookie;
	int fd, con;

	tp_up();
	fd = fast_listener(5);
	cookie = ask();
	tp_new(5000, 80);
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 11");
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_true(con >= 0);
	assert_int_equal(tp_read(con, 20), 10);
	/* the answer is there before the ACK */
	assert_int_equal(tp_write(con, 20), 20);
	out(". 1:21(20) ack 11");
	in(". 11(0) ack 21");
	in("F. 11(0) ack 21");
	out(". 21(0) ack 12");
	c_close(con);
	out("F. 21(0) ack 12");
	in(". 12(0) ack 22");
	c_close(fd);
	tp_down();
}

static void wrong_cookie(void **state)
{
	const char *cookie;
	int fd, con;

	tp_up();
	fd = fast_listener(5);
	cookie = ask();
	tp_new(5000, 80);
	syn("raw 220a0102030405060708", "0:10(10)");
	out("S. 0(0) ack 1");
	assert_int_equal(c_accept(fd, SOCK_NONBLOCK), -EAGAIN);
	in("P. 1:11(10) ack 1");
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_int_equal(tp_read(con, 20), 10);
	c_close(con);
	peer_forget(&peer);
	in("R 11(0)");
	/* nobody who has not been allowed to takes data in a SYN */
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_FASTOPEN, 0), 0);
	tp_new(5001, 80);
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 1");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void pending_are_bounded(void **state)
{
	const char *cookie;
	int fd, con[2];

	tp_up();
	fd = fast_listener(1);
	cookie = ask();
	tp_new(5000, 80);
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 11");
	tp_new(5001, 80);
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 1");
	in("R 1(0)");
	/* it is repeated, and given up, and then there is room again */
	con[0] = c_accept(fd, SOCK_NONBLOCK);
	assert_true(con[0] >= 0);
	sim_run_s(70);
	peer_forget(&peer);
	assert_int_equal(tp_state(con[0]), ST_CLOSE);
	tp_new(5002, 80);
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 11");
	/* its SYN again: ours was not heard */
	syn(cookie, "0:10(10)");
	out("S. 0(0) ack 11");
	con[1] = c_accept(fd, SOCK_NONBLOCK);
	in(". 11(0) ack 1");
	tp_new(5003, 80);
	syn(cookie, "0(0)");
	out("S. 0(0) ack 1");
	in("R 1(0)");
	c_close(con[0]);
	c_close(con[1]);
	c_close(fd);
	peer_forget(&peer);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_in_the_syn),
		cmocka_unit_test(wrong_cookie),
		cmocka_unit_test(pending_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
