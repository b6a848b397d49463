/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_coalesce.c - segments of one batch that are put together before their connection
 * hears of them: what ends that, and that nobody can tell but by the number of ACKs. */
#include "tcp_peer.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_ack_for_a_batch), cmocka_unit_test(time_stamps),
		cmocka_unit_test(others_in_between),   cmocka_unit_test(a_bad_sum),
		cmocka_unit_test(fin_and_rst_behind),  cmocka_unit_test(a_small_buffer),
		cmocka_unit_test(a_long_batch),
	};

	return tp_run(tests);
}
