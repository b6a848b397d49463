/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_attack.c - segments and errors of somebody who cannot see the connection: RFC 5961
 * (RST, SYN, data, ACK), RFC 7323 5 (PAWS), RFC 5927 (ICMP), keepalive probes, and floods of SYNs
 * (RFC 4987). */
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

static void blind_rst(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("R 2(0)");
	out(". 1(0) ack 1");
	in("R. 30000(0) ack 1");
	out(". 1(0) ack 1");
	/* outside of the window: nothing */
	in("R 1000000(0)");
	in("R 0(0)");
	silence(10);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in("R 1(0)");
	assert_int_equal(tp_state(fd), ST_CLOSE);
	assert_int_equal(c_error(fd), ECONNRESET);
	c_close(fd);
	tp_down();
}

static void blind_syn(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("S 1(0)");
	out(". 1(0) ack 1");
	in("S 5000(0)");
	out(". 1(0) ack 1");
	in("S. 1(0) ack 1");
	out(". 1(0) ack 1");
	sim_run_ms(600);
	in("S 9000000(0)");
	out(". 1(0) ack 1");
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void challenges_are_limited(void **state)
{
	u32 n;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	for (n = 0; n < 100; n++)
		in("R 2(0)");
	for (n = 0; tp_next(); n++)
		;
	/* 10 a second, give or take half */
	assert_in_range(n, 5, 20);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void ack_of_nothing(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	/* RFC 9293 3.10.7.4: of what was never sent; RFC 5961 5.2: of long ago */
	in("P. 1:11(10) ack 1000");
	out(". 1(0) ack 1");
	in("P. 1:11(10) ack -2000000000");
	out(". 1(0) ack 1");
	assert_int_equal(tp_read(fd, 20), -EAGAIN);
	/* no ACK at all */
	in("P 1:11(10)");
	silence(60);
	assert_int_equal(tp_read(fd, 20), -EAGAIN);
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void out_of_the_window(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	/* RFC 1122 4.2.3.6: a keepalive probe */
	in(". 0(0) ack 1");
	out(". 1(0) ack 1");
	in(". 0(0) ack 1");
	silence(10); /* but not for every one */
	sim_run_ms(500);
	in("P. 0:1(1) ack 1");
	out(". 1(0) ack 1");
	in("P. 1000000:1000010(10) ack 1");
	out(". 1(0) ack 1");
	assert_int_equal(tp_read(fd, 20), -EAGAIN);
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void paws(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460,ts 1000 0");
	in("P. 1:11(10) ack 1 <ts 1010 *>");
	assert_int_equal(tp_read(fd, 20), 10);
	tp_forget();
	/* RFC 7323 5.3: an old duplicate */
	in("P. 11:21(10) ack 1 <ts 999 *>");
	out(". 1(0) ack 11");
	assert_int_equal(tp_read(fd, 20), -EAGAIN);
	/* an ACK that was overtaken is no reason for an answer */
	in(". 11(0) ack 1 <ts 999 *>");
	silence(10);
	assert_int_equal(counted("PAWSEstab"), 2);
	in("P. 11:21(10) ack 1 <ts 1011 *>");
	assert_int_equal(tp_read(fd, 20), 10);
	tp_forget();
	/* RFC 7323 3.2: none at all */
	tp.ts = false;
	in("P. 21:31(10) ack 1");
	assert_int_equal(tp_read(fd, 20), -EAGAIN);
	tp_forget();
	in("R 21(0)");
	assert_int_equal(tp_state(fd), ST_CLOSE);
	c_close(fd);
	tp_down();
}

/* RFC 5927 4.1, 5.2 */
static void icmp_unreachable(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(tp_write(fd, 10), 10);
	out(". 1:11(10) ack 1");
	tp_icmp(3, 3, 0, 100000);
	assert_int_equal(counted("OutOfWindowIcmps"), 1);
	tp_icmp(3, 2, 0, 1);
	tp_icmp(3, 3, 0, 1);
	tp_icmp(4, 0, 0, 1);
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(c_error(fd), 0);
	in(". 1(0) ack 11");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

static void icmp_while_connecting(void **state)
{
	int fd;

	tp_up();
	fd = c_socket(AF_INET, SOCK_STREAM, 0);
	c_nonblock(fd, true);
	c_bind(fd, 0, 80);
	assert_int_equal(c_connect(fd, PEER, 5000), -EINPROGRESS);
	out("S 0(0)");
	tp_icmp(3, 1, 0, 1);
	assert_int_equal(c_error(fd), 0);
	tp_icmp(3, 1, 0, 0);
	assert_int_equal(c_error(fd), EHOSTUNREACH);
	c_close(fd);
	tp_down();
}

static void icmp_too_big(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(tp_write(fd, 1460), 1460);
	out(". 1:1461(1460) ack 1");
	/* RFC 5927 7.2: not in flight; larger than what we have; absurd */
	tp_icmp(3, 4, 576, 100000);
	tp_icmp(3, 4, 9000, 1);
	silence(10);
	tp_icmp(3, 4, 1000, 1);
	out(". 1:961(960) ack 1");
	out(". 961:1461(500) ack 1");
	in(". 1(0) ack 1461");
	assert_int_equal(tp_write(fd, 960), 960);
	out(". 1461:2421(960) ack 1");
	tp_icmp(3, 4, 68, 1461);
	out(". 1461:1973(512) ack 1");
	out(". 1973:2421(448) ack 1");
	in(". 1(0) ack 2421");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

/* A SYN from one of many: the ACK for the answer is left out unless told. */
static void syns(u32 n, u16 first_port, const char *options)
{
	char text[64] = "S 0(0) <";
	u32 i, len = strlen(text);

	strscpy(text + len, options, sizeof(text) - len);
	len = strlen(text);
	strscpy(text + len, ">", sizeof(text) - len);
	for (i = 0; i < n; i++) {
		tp_new(first_port + i, 80);
		in(text);
	}
}

static void syn_queue_is_bounded(void **state)
{
	int fd;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_syncookies", "0"), 0);
	fd = tp_listen();
	syns(8, 6000, "mss 1460");
	tp_new(7000, 80);
	in("S 0(0) <mss 1460>");
	silence(10);
	assert_int_equal(counted("TCPReqQFullDrop"), 1);
	peer_forget(&peer);
	c_close(fd);
	tp_down();
}

static void cookie(const char *options, const char *synack, const char *data, u16 port)
{
	int fd = tp_listen(), con;
	char text[64];

	syns(8, 6000, "mss 1460");
	peer_forget(&peer);
	tp_new(port, 80);
	scnprintf(text, sizeof(text), "S 0(0) <%s>", options);
	in(text);
	out(synack);
	tp.ts = strstr(options, "ts ") != NULL;
	in("P. 1:11(10) ack 1");
	out(". 1(0) ack 11");
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_true(con >= 0);
	assert_int_equal(tp_read(con, 20), 10);
	/* what the SYN said is known still */
	assert_int_equal(tp_write(con, 3000), 3000);
	out(data);
	in(". 11(0) ack 1");
	tp_forget();
	in("R 11(0)");
	c_close(con);
	/* a forged one */
	tp_new(port + 1, 80);
	tp.host_iss = 0x12345678;
	tp.heard_host = true;
	in(". 1(0) ack 1");
	out("R 1(0)");
	peer_forget(&peer);
	c_close(fd);
}

static void cookies(void **state)
{
	tp_up();
	cookie("mss 1400", "S. 0(0) ack 1 <mss 1460>", ". 1:1401(1400) ack 11", 7000);
	assert_int_equal(counted("SyncookiesSent"), 1);
	assert_int_equal(counted("SyncookiesRecv"), 1);
	assert_int_equal(counted("SyncookiesFailed"), 1);
	cookie("mss 1412,sackOK,ts 100 0,wscale 3", "S. 0(0) ack 1 <mss 1460,sackOK,ts * 100,wscale 7>",
	       ". 1:1389(1388) ack 11", 7100);
	assert_int_equal(counted("SyncookiesRecv"), 2);
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
		in("S 0(0) <mss 1460>");
		out("S. 0(0) ack 1");
		in(". 1(0) ack 1");
	}
	/* backlog + 1 of them; further SYNs are not heard */
	tp_new(6002, 80);
	in("S 0(0) <mss 1460>");
	silence(10);
	assert_int_equal(counted("ListenOverflows"), 1);
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_true(con >= 0);
	in("S 0(0) <mss 1460>");
	out("S. 0(0) ack 1");
	in(". 1(0) ack 1");
	c_close(con);
	c_close(fd);
	peer_forget(&peer);
	sim_run_s(130); /* whoever was closed gives up */
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blind_rst),
		cmocka_unit_test(blind_syn),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(ack_of_nothing),
		cmocka_unit_test(out_of_the_window),
		cmocka_unit_test(paws),
		cmocka_unit_test(icmp_unreachable),
		cmocka_unit_test(icmp_while_connecting),
		cmocka_unit_test(icmp_too_big),
		cmocka_unit_test(syn_queue_is_bounded),
		cmocka_unit_test(cookies),
		cmocka_unit_test(accept_queue_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
