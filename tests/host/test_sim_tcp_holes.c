/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_holes.c - data that does not come in order: SACK and D-SACK blocks (RFC 2018, 2883),
 * overlaps, what lies beyond the window, FIN ahead of data, and what a hoarder may make us keep. */
#include "tcp_peer.h"

#define SACK "mss 1000,sackOK,nop,wscale 7"

static void holes_are_told(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in(". 1001:2001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:2001>");
	in(". 3001:4001(1000) ack 1");
	out(". 1(0) ack 1 <sack 3001:4001,sack 1001:2001>");
	in(". 5001:6001(1000) ack 1");
	out(". 1(0) ack 1 <sack 5001:6001,sack 3001:4001,sack 1001:2001>");
	/* the block that grew is the first again */
	in(". 2001:2501(500) ack 1");
	out(". 1(0) ack 1 <sack 1001:2501,sack 5001:6001,sack 3001:4001>");
	/* and joins the next one */
	in(". 2501:3001(500) ack 1");
	out(". 1(0) ack 1 <sack 1001:4001,sack 5001:6001>");
	assert_int_equal(tp_read(fd, 10000), -EAGAIN);
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 4001 <sack 5001:6001>");
	assert_int_equal(tp_read(fd, 10000), 4000);
	in(". 4001:5001(1000) ack 1");
	out(". 1(0) ack 6001");
	assert_int_equal(tp_read(fd, 10000), 2000);
	tp_finish(fd);
	tp_down();
}

/* From behind, so that each block is put in front of one that is there. */
static void filled_backwards(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in(". 3001:4001(1000) ack 1");
	out(". 1(0) ack 1 <sack 3001:4001>");
	in(". 2001:3001(1000) ack 1");
	out(". 1(0) ack 1 <sack 2001:4001>");
	in(". 1001:2001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:4001>");
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 4001");
	assert_int_equal(tp_read(fd, 10000), 4000);
	tp_finish(fd);
	tp_down();
}

static void duplicates_are_told(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 1001");
	in(". 1001:2001(1000) ack 1");
	out(". 1(0) ack 2001");
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 2001 <sack 1:1001>");
	/* partly old */
	in(". 1501:2501(1000) ack 1");
	out(". 1(0) ack 2501 <sack 1501:2001>");
	/* what lies in the queue already */
	in(". 4001:5001(1000) ack 1");
	out(". 1(0) ack 2501 <sack 4001:5001>");
	in(". 4001:5001(1000) ack 1");
	out(". 1(0) ack 2501 <sack 4001:5001,sack 4001:5001>");
	/* overlaps its end, and its front */
	in(". 4501:5501(1000) ack 1");
	out(". 1(0) ack 2501 <sack 4501:5001,sack 4001:5501>");
	in(". 3501:4501(1000) ack 1");
	out(". 1(0) ack 2501 <sack 3501:5501>");
	in(". 2501:3501(1000) ack 1");
	out(". 1(0) ack 5501");
	assert_int_equal(tp_read(fd, 10000), 5500);
	tp_finish(fd);
	tp_down();
}

/* One segment over several that are there. */
static void covered(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in(". 1201:1301(100) ack 1");
	out(". 1(0) ack 1 <sack 1201:1301>");
	in(". 1401:1501(100) ack 1");
	out(". 1(0) ack 1 <sack 1401:1501,sack 1201:1301>");
	in(". 1701:2101(400) ack 1");
	out(". 1(0) ack 1 <sack 1701:2101,sack 1401:1501,sack 1201:1301>");
	in(". 1001:2001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:2101>");
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 2101");
	assert_int_equal(tp_read(fd, 10000), 2100);
	tp_finish(fd);
	tp_down();
}

static void fin_ahead_of_data(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in("F. 1001:2001(1000) ack 1");
	out(". 1(0) ack 1 <sack 1001:2001>");
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	assert_int_equal(tp_read(fd, 10000), -EAGAIN);
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 2002");
	assert_int_equal(tp_read(fd, 10000), 2000);
	assert_int_equal(tp_read(fd, 10000), 0);
	assert_int_equal(tp_state(fd), ST_CLOSE_WAIT);
	c_close(fd);
	out("F. 1(0) ack 2002");
	in(". 2002(0) ack 2");
	tp_down();
}

/* A bare FIN behind a hole counts once the hole is filled. */
static void fin_alone_ahead(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	in("F. 1001(0) ack 1");
	out(". 1(0) ack 1");
	in(". 1:1001(1000) ack 1");
	out(". 1(0) ack 1002");
	assert_int_equal(tp_read(fd, 10000), 1000);
	assert_int_equal(tp_read(fd, 10000), 0);
	c_close(fd);
	out("F. 1(0) ack 1002");
	in(". 1002(0) ack 2");
	tp_down();
}

static u64 packets_alive(void)
{
	struct sim_memory m;

	sim_memory_get(&m);
	return m.packets;
}

/* Every other byte (CVE-2018-5390): what is kept is bounded, and the connection goes on. */
static void dust(void **state)
{
	char text[64];
	u64 before;
	int fd, small = 32768;

	tp_up();
	fd = tp_accepted(SACK);
	c_setopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	before = packets_alive();
	for (u32 i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), ". %u(1) ack 1", 3 + 2 * i);
		in(text);
		tp_forget();
	}
	assert_true(packets_alive() - before < 40);
	in(". 1:1001(1000) ack 1");
	sim_run_ms(50);
	tp_forget();
	assert_true(tp_read(fd, 1001) >= 1000);
	tp_finish(fd);
	tp_down();
}

/* In order, but a byte at a time, and nobody reads: held in few buffers. */
static void dust_in_order(void **state)
{
	char text[64];
	u64 before;
	int fd;

	tp_up();
	fd = tp_accepted(SACK);
	before = packets_alive();
	for (u32 i = 0; i < 6000; i++) {
		snprintf(text, sizeof(text), ". %u(1) ack 1", 1 + i);
		in(text);
		tp_forget();
	}
	assert_true(packets_alive() - before < 10);
	assert_int_equal(tp_read(fd, 10000), 6000);
	tp_finish(fd);
	tp_down();
}

/* Segments too long to be copied at once and too short for their buffers. */
static void thin_segments(void **state)
{
	char text[64];
	u64 before;
	int fd, size = 30000;

	tp_up();
	fd = tp_accepted(SACK);
	c_setopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	before = packets_alive();
	for (u32 i = 0; i < 70; i++) {
		snprintf(text, sizeof(text), ". %u(300) ack 1", 1 + 300 * i);
		in(text);
		tp_forget();
	}
	assert_true(packets_alive() - before < 30);
	assert_int_equal(tp_read(fd, 30000), 70 * 300);
	tp_finish(fd);
	tp_down();
}

/* The window closes, what comes beyond it is not taken, and reading opens it again. */
static void window_closes_and_opens(void **state)
{
	char text[64];
	u32 end = 1;
	int fd;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_rmem", "4096 16384 16384"), 0);
	fd = tp_accepted("mss 1000,sackOK");
	for (u32 i = 0; i < 80; i++) {
		snprintf(text, sizeof(text), ". %u(1000) ack 1", end);
		in(text);
		sim_run_ms(50);
		while (tp_next())
			end = tp.ack;
		if (!tp.win)
			break;
	}
	assert_int_equal(tp.win, 0);
	snprintf(text, sizeof(text), ". %u(1000) ack 1", end);
	in(text);
	snprintf(text, sizeof(text), ". 1(0) ack %u win 0", end);
	out(text);
	assert_int_equal(tp_read(fd, 100000), end - 1);
	/* RFC 9293 3.8.6.2.2: told by itself */
	sim_run_ms(1);
	assert_true(tp_waiting());
	while (tp_next())
		assert_true(tp.win > 4000);
	snprintf(text, sizeof(text), ". %u(1000) ack 1", end);
	in(text);
	sim_run_ms(50);
	assert_true(tp_next() && tp.ack == end + 1000);
	tp_forget();
	assert_int_equal(tp_read(fd, 100000), 1000);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes_are_told),
		cmocka_unit_test(filled_backwards),
		cmocka_unit_test(duplicates_are_told),
		cmocka_unit_test(covered),
		cmocka_unit_test(fin_ahead_of_data),
		cmocka_unit_test(fin_alone_ahead),
		cmocka_unit_test(dust),
		cmocka_unit_test(dust_in_order),
		cmocka_unit_test(thin_segments),
		cmocka_unit_test(window_closes_and_opens),
	};

	return tp_run(tests);
}
