/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_coalesce.c - segments of one batch that are put together before their connection
 * hears of them: what ends that, and that nobody can tell but by the number of ACKs. */
#include "tcp_peer.h"

#include <stdlib.h>

#include "tcp_counter.h"

static void one_ack_for_a_batch(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	put("P. 2001:3001(1000) ack 1");
	put(". 3001:4001(1000) ack 1");
	in(". 4001:5001(1000) ack 1");
	out(". 1(0) ack 5001");
	silence(100);
	assert_int_equal(tp_read(fd, 10000), 5000);
	tp_finish(fd);
	tp_down();
}

static void time_stamps(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, sackOK, ts 1000 0");
	put(". 1:1001(1000) ack 1 <ts 2001 *>");
	put(". 1001:2001(1000) ack 1 <ts 2002 *>");
	put(". 2001:3001(1000) ack 1 <ts 2003 *>");
	in(". 3001:4001(1000) ack 1 <ts 2003 *>");
	/* RFC 7323 4.3: of the earliest that was not acknowledged */
	out(". 1(0) ack 4001 <ts * 2001>");
	put(". 4001:5001(1000) ack 1 <ts 2004 *>");
	put(". 5001:6001(1000) ack 1 <ts 2005 *>");
	/* older than what came before: PAWS */
	in(". 6001:7001(1000) ack 1 <ts 1990 *>");
	out(". 1(0) ack 6001 <ts * 2004>");
	in(". 6001:7001(1000) ack 1 <ts 2006 *>");
	out_within(0, 50, ". 1(0) ack 7001 <ts * 2006>");
	assert_int_equal(tp_read(fd, 10000), 7000);
	tp.ts_value = 2010;
	tp_finish(fd);
	tp_down();
}

/* Whatever else comes in between is seen behind what came before it. */
static void others_in_between(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, sackOK");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	put(". 2001:2101(100) ack 1"); /* short */
	put(". 2101:3101(1000) ack 1");
	put(". 3101:4101(1000) ack 1 win 30000"); /* another window */
	put(". 4101:5101(1000) ack 1 win 30000");
	put(". 6101:7101(1000) ack 1 win 30000"); /* a hole */
	in(". 7101:8101(1000) ack 1 win 30000");
	out(". 1(0) ack 5101 <sack 6101:8101>");
	put(". 4101:5101(1000) ack 1 win 30000"); /* again */
	in(". 5101:6101(1000) ack 1 win 30000");
	out(". 1(0) ack 8101");
	assert_int_equal(tp_read(fd, 10000), 8100);
	tp_finish(fd);
	tp_down();
}

static void a_bad_sum(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, sackOK");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	tp.bad_sum = true;
	put(". 2001:3001(1000) ack 1");
	tp.bad_sum = false;
	in(". 3001:4001(1000) ack 1");
	out(". 1(0) ack 2001 <sack 3001:4001>");
	in(". 2001:3001(1000) ack 1");
	out(". 1(0) ack 4001");
	assert_int_equal(tp_read(fd, 10000), 4000);
	tp_finish(fd);
	tp_down();
}

static void fin_and_rst_behind(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	in("F. 2001:3001(1000) ack 1");
	out(". 1(0) ack 3002");
	assert_int_equal(tp_read(fd, 10000), 3000);
	c_close(fd);
	out("F. 1(0) ack 3002");
	in(". 3002(0) ack 2");
	tp_new(5001, 81);
	fd = tp_accepted("mss 1460");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	put(". 2001:3001(1000) ack 1");
	in("R. 3001(0) ack 1");
	silence(50);
	assert_int_equal(tp_read(fd, 10000), 3000);
	assert_int_equal(tp_read(fd, 10000), -ECONNRESET);
	c_close(fd);
	tp_down();
}

/* What the buffer has no room for goes one by one, and is dropped as always. */
static void a_small_buffer(void **state)
{
	u32 seq = 1;
	long n;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_RCVBUF, 4096), 0);
	for (u32 i = 0; i < 40; i++, seq += 1000)
		tp_put(tp_format(". %u:%u(1000) ack 1", seq, seq + 1000));
	in(". 40001:41001(1000) ack 1");
	tp_watch();
	n = tp_read(fd, 100000);
	assert_true(n >= 2000 && n % 1000 == 0);
	tp_forget();
	inf("R %u(0)", (u32)n + 1);
	c_close(fd);
	tp_down();
}

/* More than are put together at once. */
static void a_long_batch(void **state)
{
	u32 seq = 1;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, wscale 7");
	for (u32 i = 0; i < 60; i++, seq += 1000)
		tp_put(tp_format(". %u:%u(1000) ack 1", seq, seq + 1000));
	tp_watch();
	sim_run_ms(1);
	tp_watch();
	assert_int_equal(tp.ack, 60001);
	assert_int_equal(tp_read(fd, 100000), 60000);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* The number behind so many others. */
static long number_at(const char *text, u32 skip)
{
	char *end;
	long n = strtol(text, &end, 10);

	while (skip--)
		n = strtol(end, &end, 10);
	return n;
}

/* Datagrams that the network layer received. */
static long datagrams_in(void)
{
	const char *text;

	if (tp_over_ipv6) {
		text = strstr(sim_read("/proc/net/snmp6"), "Ip6InReceives ");
		return number_at(text + strlen("Ip6InReceives "), 0);
	}
	text = strstr(sim_read("/proc/net/snmp"), "Ip: ");
	return number_at(strstr(text + 1, "Ip: ") + strlen("Ip: "), 2);
}

/* Of the interface's: which 0 bytes, 1 frames. */
static long link_in(u32 which)
{
	return number_at(strstr(sim_read("/proc/net/dev"), "eth0:") + strlen("eth0:"), which);
}

/* No layer saw them one by one, but all counted them. */
static void layers_count(void **state)
{
	long datagrams, frames, bytes;
	u32 seq = 1;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, wscale 7");
	datagrams = datagrams_in();
	frames = link_in(1);
	bytes = link_in(0);
	for (u32 i = 0; i < 50; i++, seq += 1000)
		tp_put(tp_format(". %u:%u(1000) ack 1", seq, seq + 1000));
	sim_run_ms(1);
	tp_watch();
	assert_int_equal(tp.ack, 50001);
	assert_int_equal(datagrams_in() - datagrams, 50);
	assert_int_equal(link_in(1) - frames, 50);
	assert_int_equal(link_in(0) - bytes, 50 * (14 + (tp_over_ipv6 ? 40 : 20) + 20 + 1000));
	assert_int_equal(tp_read(fd, 100000), 50000);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* A frame whose network header is another one, or a bad one, is seen by its layer. */
static void other_headers(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, sackOK");
	put(". 1:1001(1000) ack 1");
	put(". 1001:2001(1000) ack 1");
	put(". 2001:3001(1000) ack 1");
	tp.ttl = 60;
	put(". 3001:4001(1000) ack 1");
	put(". 4001:5001(1000) ack 1");
	put(". 5001:6001(1000) ack 1");
	tp.tos = 0x20;
	put(". 6001:7001(1000) ack 1");
	put(". 7001:8001(1000) ack 1");
	tp.bad_ip_sum = true;
	put(". 8001:9001(1000) ack 1");
	tp.bad_ip_sum = false;
	in(". 9001:10001(1000) ack 1");
	if (!tp_over_ipv6) {
		out(". 1(0) ack 8001 <sack 9001:10001>");
		in(". 8001:9001(1000) ack 1");
	}
	out(". 1(0) ack 10001");
	tp.tos = tp.ttl = 0;
	assert_int_equal(tp_read(fd, 100000), 10000);
	tp_finish(fd);
	tp_down();
}

/* ---- ACKs of our data ---- */

static void acks_of_a_batch(void **state)
{
	u64 acks;
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1000, nop, wscale 7");
	assert_int_equal(tp_write(fd, 60000), 60000);
	segments(1, 10);
	acks = tcp_counter("TCPHPAcks");
	put(". 1(0) ack 1001 win 2000");
	put(". 1(0) ack 2001 win 2000");
	put(". 1(0) ack 3001 win 1990");
	put(". 1(0) ack 4001 win 1980");
	in(". 1(0) ack 5001 win 2000");
	segments(10001, 10); /* five that left, five that slow start adds */
	assert_int_equal(tcp_counter("TCPHPAcks") - acks, 5);
	/* duplicates are not put together: the third means that 5001 is lost */
	put(". 1(0) ack 5001 win 2000");
	put(". 1(0) ack 5001 win 2000");
	in(". 1(0) ack 5001 win 2000");
	do
		assert_true(tp_next());
	while (tp.seq != 5001);
	tp_forget();
	inf(". 1(0) ack %u win 2000", tp.ack_high);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* What acknowledges the future hides nothing of what came before it. */
static void a_wild_ack(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1000, nop, wscale 7");
	assert_int_equal(tp_write(fd, 60000), 60000);
	segments(1, 10);
	put(". 1(0) ack 1001 win 2000");
	put(". 1(0) ack 2001 win 2000");
	put(". 1(0) ack 3001 win 2000");
	in(". 1(0) ack 900001 win 2000");
	out(". 10001(0) ack 1"); /* RFC 5961 5.2: a challenge */
	segments(10001, 6);
	tp_finish(fd);
	tp_down();
}

/* ---- ACKs that we send ---- */

/* RFC 5681 3.2: who has no SACK counts duplicates, so there is one for each segment, though they
 * came in one batch. */
static void duplicates_are_counted(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	put(". 1001:2001(1000) ack 1");
	put(". 2001:3001(1000) ack 1");
	put(". 4001:5001(1000) ack 1");
	in(". 5001:6001(1000) ack 1");
	for (u32 i = 0; i < 4; i++)
		out(". 1(0) ack 1");
	silence(10);
	put(". 1:1001(1000) ack 1");
	in(". 3001:4001(1000) ack 1");
	out(". 1(0) ack 6001");
	assert_int_equal(tp_read(fd, 10000), 6000);
	tp_finish(fd);
	tp_down();
}

/* An ACK has room for four runs: with more in one batch, none is left untold. */
static void each_run_is_told(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460, sackOK");
	for (u32 seq = 2001; seq <= 12001; seq += 2000)
		tp_put(tp_format(". %u(500) ack 1", seq));
	in(". 12501(500) ack 1");
	out(". 1(0) ack 1 <sack 8001:8501,sack 6001:6501,sack 4001:4501,sack 2001:2501>");
	out(". 1(0) ack 1 <sack 10001:10501,sack 8001:8501,sack 6001:6501,sack 4001:4501>");
	out(". 1(0) ack 1 <sack 12001:13001,sack 10001:10501,sack 8001:8501,sack 6001:6501>");
	/* and so of two duplicates that are no range */
	put(". 4001(500) ack 1");
	in(". 8001(500) ack 1");
	out(". 1(0) ack 1 <sack 4001:4501,sack 4001:4501,sack 12001:13001,sack 10001:10501>");
	out(". 1(0) ack 1 <sack 8001:8501,sack 8001:8501,sack 4001:4501,sack 12001:13001>");
	tp_finish(fd);
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	fd = tp_accepted("mss 1460, sackOK");
	put(". 2001(1000) ack 1");
	in(". 3001(1000) ack 1");
	out(". 1(0) ack 1 <sack 2001:4001>");
	put(". 2001(500) ack 1");
	put(". 2501(500) ack 1"); /* goes on where that ended */
	in(". 3501(500) ack 1");
	out(". 1(0) ack 1 <sack 2001:3001,sack 2001:4001>");
	out(". 1(0) ack 1 <sack 3501:4001,sack 2001:4001>");
	put(". 1(1000) ack 1");
	in(". 1001(1000) ack 1");
	out(". 1(0) ack 4001");
	put(". 1(1000) ack 1");
	in(". 2001(1000) ack 1");
	out(". 1(0) ack 4001 <sack 1:1001>");
	out(". 1(0) ack 4001 <sack 2001:3001>");
	assert_int_equal(tp_read(fd, 10000), 4000);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_ack_for_a_batch), cmocka_unit_test(time_stamps),
		cmocka_unit_test(others_in_between),   cmocka_unit_test(a_bad_sum),
		cmocka_unit_test(fin_and_rst_behind),  cmocka_unit_test(a_small_buffer),
		cmocka_unit_test(a_long_batch),	       cmocka_unit_test(layers_count),
		cmocka_unit_test(other_headers),       cmocka_unit_test(acks_of_a_batch),
		cmocka_unit_test(a_wild_ack),	       cmocka_unit_test(duplicates_are_counted),
		cmocka_unit_test(each_run_is_told),
	};

	return tp_run(tests);
}
