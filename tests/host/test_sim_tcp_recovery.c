/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_recovery.c - losses that ACKs tell of: fast retransmit with and without SACK,
 * several holes, limited transmit, reordering, proportional rate reduction, undoing by D-SACK and
 * by time stamps, nonsense in SACK. */
#include "tcp_peer.h"

#include "tcp_counter.h"

#define SACK "mss 1000,sackOK,nop,wscale 7"
#define NOSACK "mss 1000,nop,wscale 7"

/* A connection with 10 segments in flight, and more to send. */
static int flight(const char *options)
{
	int fd = tp_accepted(options);

	assert_int_equal(tp_write(fd, 40000), 40000);
	segments(1, 10);
	return fd;
}

/* The same on a path of 20 ms. */
static int slow_flight(const char *options)
{
	int listener = tp_listen(), fd;

	inf("S 0(0) <%s>", options);
	out("S. 0(0) ack 1");
	sim_run_ms(20);
	in(". 1(0) ack 1");
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	c_close(listener);
	assert_int_equal(tp_write(fd, 40000), 40000);
	segments(1, 10);
	sim_run_ms(20);
	return fd;
}

/* RFC 3042: a duplicate lets new data out; RFC 8985: a quarter of a round trip later, or with the
 * third segment SACKed, what is missing is lost. */
static void fast_retransmit_sack(void **state)
{
	int fd;

	tp_up_quiet();
	fd = flight(SACK);
	in(". 1(0) ack 1 win 2000 <sack 1001:2001>");
	out(". 10001(1000) ack 1");
	out_within(0, 3, ". 1(1000) ack 1");
	silence(2);
	tp_finish(fd);
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	fd = flight(SACK);
	in(". 1(0) ack 1 win 2000 <sack 1001:4001>");
	out(". 1(1000) ack 1"); /* six of seven that ssthresh allows are out */
	silence(5);
	in(". 1(0) ack 1 win 2000 <sack 1001:5001>");
	out(". 10001(1000) ack 1");
	/* the whole flight arrives: recovery is over, nothing is sent twice */
	in(". 1(0) ack 11001 win 2000");
	segments(11001, 7);
	silence(5);
	tp_finish(fd);
	tp_down();
}

static void fast_retransmit_reno(void **state)
{
	int fd;

	tp_up_quiet();
	fd = flight(NOSACK);
	in(". 1(0) ack 1 win 2000");
	silence(1); /* a window update */
	in(". 1(0) ack 1 win 2000");
	out(". 10001(1000) ack 1");
	in(". 1(0) ack 1 win 2000");
	out(". 11001(1000) ack 1");
	in(". 1(0) ack 1 win 2000");
	out(". 1(1000) ack 1");
	in(". 1(0) ack 1 win 2000");
	/* RFC 6582: a partial ACK names the next hole */
	in(". 1(0) ack 3001 win 2000");
	tp_out(__LINE__, ". 3001(1000) ack 1");
	tp_finish(fd);
	tp_down();
}

/* RFC 6675: each hole once, the lowest first, in one recovery. */
static void several_holes(void **state)
{
	int fd;

	tp_up_quiet();
	fd = flight(SACK);
	/* 1, 3001 and 6001 are lost */
	in(". 1(0) ack 1 win 2000 <sack 4001:5001,sack 1001:3001>");
	out(". 1(1000) ack 1");
	out(". 3001(1000) ack 1");
	in(". 1(0) ack 1 win 2000 <sack 4001:6001,sack 1001:3001>");
	out(". 10001(1000) ack 1");
	in(". 1(0) ack 1 win 2000 <sack 7001:8001,sack 4001:6001,sack 1001:3001>");
	out(". 6001(1000) ack 1");
	in(". 1(0) ack 1 win 2000 <sack 7001:10001,sack 4001:6001,sack 1001:3001>");
	in(". 1(0) ack 3001 win 2000 <sack 7001:10001,sack 4001:6001>");
	in(". 1(0) ack 6001 win 2000 <sack 7001:10001>");
	in(". 1(0) ack 6001 win 2000 <sack 7001:11001>");
	in(". 1(0) ack 11001 win 2000");
	while (tp_next())
		assert_true(tp.seq >= 11001);
	assert_int_equal(tcp_counter("TCPSackRecovery"), 1);
	assert_int_equal(tcp_counter("TCPFastRetrans"), 3);
	tp_finish(fd);
	tp_down();
}

/* RFC 8985: what comes a little late is not lost. */
static void reordering(void **state)
{
	bool again = false;
	int fd;

	tp_up_quiet();
	fd = slow_flight(SACK);
	in(". 1(0) ack 1 win 2000 <sack 1001:2001>");
	in(". 1(0) ack 2001 win 2000");
	/* now it is known to happen: three segments behind the hole say nothing yet */
	in(". 1(0) ack 2001 win 2000 <sack 3001:7001>");
	while (tp_next())
		assert_true(tp.seq >= 10001);
	in(". 1(0) ack 7001 win 2000");
	while (tp_next())
		assert_true(tp.seq >= 10001);
	assert_int_equal(tcp_counter("TCPSACKReorder"), 1);
	/* a quarter of a round trip is waited, not more */
	in(". 1(0) ack 7001 win 2000 <sack 8001:10001>");
	sim_run_ms(4);
	while (tp_next())
		assert_true(tp.seq >= 10001);
	sim_run_ms(2);
	while (tp_next())
		again |= tp.seq == 7001;
	assert_true(again);
	tp_finish(fd);
	tp_down();
}

/* RFC 9937: from 20 in flight down to 14 (CUBIC), evenly. */
static void proportional_reduction(void **state)
{
	u32 sent = 0, i;
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	assert_int_equal(tp_write(fd, 80000), 80000);
	segments(1, 10);
	in(". 1(0) ack 10001 win 4000");
	segments(10001, 20);
	/* 10001 is lost; all others arrive one by one */
	for (i = 1; i < 20; i++) {
		inf(". 1(0) ack 10001 win 4000 <sack 11001:%u>", 11001 + i * 1000);
		while (tp_next())
			sent++;
	}
	/* two by limited transmit, then 0.7 of what was delivered, the retransmission included */
	assert_in_range(sent, 13, 16);
	in(". 1(0) ack 30001 win 4000");
	while (tp_next())
		sent++;
	/* 14 in flight at the end */
	assert_in_range(sent, 14, 17);
	tp_finish(fd);
	tp_down();
}

/* RFC 3708: the retransmission was one too many, the peer says. */
static void undo_by_dsack(void **state)
{
	u32 n = 0;
	int fd;

	tp_up_quiet();
	fd = slow_flight(SACK);
	in(". 1(0) ack 1 win 2000 <sack 1001:4001>");
	tp_forget();
	/* the original came after all, then the copy */
	in(". 1(0) ack 4001 win 2000");
	in(". 1(0) ack 10001 win 2000 <sack 1:1001>");
	sim_run_ms(1);
	while (tp_next())
		n++;
	assert_int_equal(tcp_counter("TCPDSACKUndo"), 1);
	tp_finish(fd);
	tp_down();
}

/* RFC 3522: the ACK echoes the time of the original. */
static void undo_by_timestamp(void **state)
{
	u32 first;
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1012,sackOK,ts 1000 0,nop,wscale 7");
	assert_int_equal(tp_write(fd, 40000), 40000);
	segments(1, 10);
	first = tp.ts_val;
	sim_run_ms(20);
	inf(". 1(0) ack 1 win 2000 <ts 1001 %u,sack 1001:2001>", first);
	inf(". 1(0) ack 1 win 2000 <ts 1001 %u,sack 1001:3001>", first);
	inf(". 1(0) ack 1 win 2000 <ts 1001 %u,sack 1001:4001>", first);
	sim_run_ms(30);
	tp_forget();
	inf(". 1(0) ack 4001 win 2000 <ts 1002 %u>", first);
	assert_int_equal(tcp_counter("TCPFullUndo"), 1);
	tp_finish(fd);
	tp_down();
}

/* torture: SACKs of nothing, of everything, backwards, of half segments; none may cost or crash. */
static void sack_nonsense(void **state)
{
	int fd;

	tp_up_quiet();
	fd = flight(SACK);
	in(". 1(0) ack 1 win 2000 <sack 50001:60001>");
	in(". 1(0) ack 1 win 2000 <sack 3001:2001>");
	in(". 1(0) ack 1 win 2000 <sack 4294967295:100001>");
	in(". 1(0) ack 1 win 2000 <sack 5001:5001>");
	in(". 1(0) ack 1 win 2000 <sack 5002:5003,sack 6005:6100,sack 7999:8000>");
	in(". 1(0) ack 1 win 2000 <sack 2000000000:2000001000>");
	silence(5);
	assert_int_equal(tcp_counter("TCPSACKDiscard"), 5);
	/* whole segments inside count */
	in(". 1(0) ack 1 win 2000 <sack 1500:4500>");
	tp_forget();
	in(". 1(0) ack 10001 win 2000");
	segments(tp_waiting() ? 12001 : 10001, 1);
	tp_finish(fd);
	tp_down();
}

/* The peer takes back what it had SACKed (RFC 2018 8): everything is sent again. */
static void reneging(void **state)
{
	bool again[12] = { false };
	u32 i;
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	assert_int_equal(tp_write(fd, 10000), 10000);
	segments(1, 10);
	in(". 1(0) ack 1 win 2000 <sack 1001:10001>");
	out(". 1(1000) ack 1");
	/* this ACK shows that 1001 is not there any more */
	in(". 1(0) ack 1001 win 2000");
	for (i = 0; i < 40; i++) {
		sim_run_ms(500);
		while (tp_next()) {
			again[tp.seq / 1000] = true;
			inf(". 1(0) ack %u win 2000", tp.seq + tp.len);
		}
	}
	for (i = 1; i < 10; i++)
		assert_true(again[i]);
	tp_finish(fd);
	tp_down();
}

/* ACK division and optimistic ACKs (Savage 1999) gain nothing. */
static void cheating_acks(void **state)
{
	u32 sent = 0, i;
	int fd;

	tp_up_quiet();
	fd = flight(SACK);
	for (i = 0; i < 100; i++)
		inf(". 1(0) ack %u win 2000", 1 + 10 * (i + 1));
	while (tp_next())
		sent++;
	assert_in_range(sent, 0, 3);
	/* what was never sent */
	in(". 1(0) ack 39001 win 2000");
	out(". * ack 1");
	silence(5);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_retransmit_sack),
		cmocka_unit_test(fast_retransmit_reno),
		cmocka_unit_test(several_holes),
		cmocka_unit_test(reordering),
		cmocka_unit_test(proportional_reduction),
		cmocka_unit_test(undo_by_dsack),
		cmocka_unit_test(undo_by_timestamp),
		cmocka_unit_test(sack_nonsense),
		cmocka_unit_test(reneging),
		cmocka_unit_test(cheating_acks),
	};

	return tp_run(tests);
}
