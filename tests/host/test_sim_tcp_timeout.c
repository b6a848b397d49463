/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_timeout.c - when no ACK comes: back-off of the retransmission time-out, spurious
 * ones found out (F-RTO, Eifel), tail loss probes, the user's time-out, round trips that are none.
 */
#include "tcp_peer.h"

#include "tcp_counter.h"

#define SACK "mss 1000,sackOK,nop,wscale 7"
#define NOSACK "mss 1000,nop,wscale 7"

/* RFC 6298 5.5: each time twice as long; what comes then is the whole flight, as slow start has it.
 */
static void rto_backs_off(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	tp_write(fd, 5000);
	segments(1, 5);
	out_within(195, 210, ". 1(1000) ack 1");
	out_within(390, 420, ". 1(1000) ack 1");
	out_within(790, 840, ". 1(1000) ack 1");
	in(". 1(0) ack 1001 win 2000");
	out(". 1001(1000) ack 1");
	out(". 2001(1000) ack 1");
	in(". 1(0) ack 3001 win 2000");
	out(". 3001(1000) ack 1");
	out("P. 4001(1000) ack 1");
	in(". 1(0) ack 5001 win 2000");
	silence(1000);
	assert_int_equal(tcp_counter("TCPTimeouts"), 3);
	tp_finish(fd);
	tp_down();
}

static void gives_up(void **state)
{
	u32 n = 0;
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_retries2", "5");
	fd = tp_accepted(SACK);
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	sim_run_s(60);
	while (tp_next())
		n++;
	assert_int_equal(n, 5);
	assert_int_equal(c_error(fd), 110);
	tp_finish(fd);
	tp_down();
}

/* RFC 5482 */
static void user_timeout(void **state)
{
	int fd;
	u64 start;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
	start = sim_now();
	tp_write(fd, 100);
	while (tp_state(fd) == ST_ESTABLISHED && sim_now() - start < 100 * NSEC_PER_SEC)
		sim_run_ms(10);
	assert_in_range(sim_now() - start, 2900 * NSEC_PER_MSEC, 3400 * NSEC_PER_MSEC);
	assert_int_equal(c_error(fd), 110);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* RFC 5682: the peer was only slow. New data goes instead of old, the window comes back. */
static void frto_sack(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	tp_write(fd, 30000);
	segments(1, 10);
	out_within(195, 210, ". 1(1000) ack 1");
	/* the ACK of the originals comes: first one segment, which may be the copy's */
	in(". 1(0) ack 1001 win 2000");
	out(". 10001(1000) ack 1");
	out(". 11001(1000) ack 1");
	in(". 1(0) ack 3001 win 2000");
	assert_int_equal(tcp_counter("TCPSpuriousRTOs"), 1);
	while (tp_next())
		assert_true(tp.seq >= 12001);
	tp_finish(fd);
	tp_down();
}

static void frto_reno(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(NOSACK);
	tp_write(fd, 30000);
	segments(1, 10);
	out_within(195, 210, ". 1(1000) ack 1");
	in(". 1(0) ack 2001 win 2000");
	out(". 10001(1000) ack 1");
	out(". 11001(1000) ack 1");
	in(". 1(0) ack 3001 win 2000");
	assert_int_equal(tcp_counter("TCPSpuriousRTOs"), 1);
	tp_forget();
	tp_finish(fd);
	/* a real one: duplicates come */
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	fd = tp_accepted(NOSACK);
	tp_write(fd, 30000);
	segments(1, 10);
	out_within(195, 210, ". 1(1000) ack 1");
	in(". 1(0) ack 2001 win 2000");
	out(". 10001(1000) ack 1");
	out(". 11001(1000) ack 1");
	in(". 1(0) ack 2001 win 2000");
	out(". 2001(1000) ack 1");
	assert_int_equal(tcp_counter("TCPSpuriousRTOs"), 1);
	tp_finish(fd);
	tp_down();
}

/* RFC 8985 7: the last segment was lost; its copy makes the peer say so long before the RTO. */
static void tail_loss_probe(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_early_retrans", "3");
	fd = tp_accepted(SACK);
	tp_write(fd, 5000);
	segments(1, 5);
	out_within(8, 10, "P. 4001(1000) ack 1");
	silence(100);
	/* the probe told of more: 2001 was lost too */
	in(". 1(0) ack 2001 win 2000 <sack 3001:5001>");
	out(". 2001(1000) ack 1");
	in(". 1(0) ack 5001 win 2000");
	assert_int_equal(tcp_counter("TCPTimeouts"), 0);
	assert_int_equal(tcp_counter("TCPLossProbes"), 1);
	/* one segment alone: the peer may be delaying its ACK */
	tp_write(fd, 100);
	out("P. 5001(100) ack 1");
	out_within(198, 300, "P. 5001(100) ack 1");
	/* that was no loss, the peer had both */
	in(". 1(0) ack 5101 win 2000 <sack 5001:5101>");
	assert_int_equal(tcp_counter("TCPLossProbeRecovery"), 0);
	tp_finish(fd);
	tp_down();
}

/* A short segment and the FIN behind it are two, which no peer waits with. */
static void probe_with_fin(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_early_retrans", "3");
	fd = tp_accepted(SACK);
	tp_write(fd, 300);
	out("P. 1(300) ack 1");
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	out("F. 301(0) ack 1");
	out_within(8, 10, "F. 301(0) ack 1");
	sim_run_ms(1); /* longer than the shortest round trip, or it answers the first FIN */
	in(". 1(0) ack 1 win 2000 <sack 301:302>");
	out_within(0, 3, ". 1(300) ack 1");
	in(". 1(0) ack 302 win 2000");
	tp_finish(fd);
	tp_down();
}

/* The last segment is probed as it was cut, with its FIN. */
static void probe_is_a_segment(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_early_retrans", "3");
	fd = tp_accepted(SACK);
	tp_write(fd, 12000);
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	segments(1, 10);
	in(". 1(0) ack 10001 win 2000");
	out(". 10001(1000) ack 1");
	out("F. 11001(1000) ack 1");
	out_within(8, 10, "F. 11001(1000) ack 1");
	in(". 1(0) ack 12002 win 2000");
	tp_finish(fd);
	tp_down();
}

/* Karn: what came once, but waited at the peer behind a hole that was filled late, tells of no
 * round trip. */
static void no_round_trip_behind_a_hole(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	tp_write(fd, 2000);
	segments(1, 2);
	/* the first is lost, and the SACK of the second is too */
	out_within(195, 210, ". 1(1000) ack 1");
	out_within(390, 420, ". 1(1000) ack 1");
	out_within(790, 840, ". 1(1000) ack 1");
	in(". 1(0) ack 2001 win 2000");
	tp_write(fd, 1000);
	out("P. 2001(1000) ack 1");
	out_within(195, 210, "P. 2001(1000) ack 1");
	in(". 1(0) ack 3001 win 2000");
	tp_finish(fd);
	tp_down();
}

/* New data is the better probe. */
static void probe_with_new_data(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_early_retrans", "3");
	fd = tp_accepted(SACK);
	tp_write(fd, 20000);
	segments(1, 10);
	out_within(8, 10, ". 10001(1000) ack 1");
	tp_finish(fd);
	tp_down();
}

/* The peer threw away what it had a window for and closes it: one segment asks, ever more seldom */
static void window_shrinks(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(SACK);
	tp_write(fd, 8000);
	segments(1, 8);
	in(". 1(0) ack 3001 win 0");
	out_within(195, 210, ". 3001(1000) ack 1");
	in(". 1(0) ack 3001 win 0");
	out_within(390, 420, ". 3001(1000) ack 1");
	in(". 1(0) ack 3001 win 0");
	out_within(790, 840, ". 3001(1000) ack 1");
	in(". 1(0) ack 4001 win 0");
	out_within(195, 900, ". 4001(1000) ack 1");
	in(". 1(0) ack 5001 win 2000");
	out(". 5001(1000) ack 1");
	in(". 1(0) ack 8001 win 2000");
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rto_backs_off),
		cmocka_unit_test(gives_up),
		cmocka_unit_test(user_timeout),
		cmocka_unit_test(frto_sack),
		cmocka_unit_test(frto_reno),
		cmocka_unit_test(tail_loss_probe),
		cmocka_unit_test(probe_with_fin),
		cmocka_unit_test(probe_is_a_segment),
		cmocka_unit_test(probe_with_new_data),
		cmocka_unit_test(no_round_trip_behind_a_hole),
		cmocka_unit_test(window_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
