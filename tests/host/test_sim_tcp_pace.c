/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_pace.c - SO_MAX_PACING_RATE: what leaves in a time, new or again, whoever waits for
 * it, and what the option and TCP_INFO say of it. */
#include "tcp_peer.h"

#define AT_PACING_RATE 104
#define AT_MAX_PACING_RATE 112
#define NONE (~0ul)

static u64 told(int fd, u32 at)
{
	u8 info[232];
	u32 len = sizeof(info);
	u64 v;

	assert_int_equal(c_getopt(fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
	memcpy(&v, info + at, sizeof(v));
	return v;
}

static int accepted(u64 rate)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1000,sackOK,nop,wscale 7");
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20), 0);
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)), 0);
	return fd;
}

/* Takes what comes for so long, answers each millisecond. What came, in bytes; *most: in one
 * millisecond. */
static u32 flow(int fd, u32 ms, u32 *most)
{
	u64 end = sim_now() + ms * NSEC_PER_MSEC;
	u32 total = 0;

	*most = 0;
	while (sim_now() < end) {
		u32 now = 0;

		while (tp_write(fd, 8000) > 0)
			;
		sim_run_ms(1);
		while (tp_next())
			now += tp.len;
		if (now)
			tp_put(tp_format(". 1(0) ack %u win 8000", tp.ack_high));
		total += now;
		*most = max(*most, now);
	}
	return total;
}

static void finish(int fd)
{
	u64 none = NONE;

	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &none, sizeof(none)), 0);
	tp_finish(fd);
	tp_down();
}

/* Within two percent over two seconds, and in no millisecond much more than two segments, or than
 * the rate gives. */
static void holds(u64 rate)
{
	int fd = accepted(rate);
	u32 most;

	flow(fd, 100, &most);
	assert_in_range(flow(fd, 2000, &most), 2 * rate / 100 * 98, 2 * rate / 100 * 102);
	assert_in_range(most, 1, max(3 * rate / 1000, 3000ul));
	finish(fd);
}

static void the_rate_is_held(void **state)
{
	holds(20000);
	holds(500000);
	holds(10000000);
}

/* A pause earns no more than a few milliseconds' worth. */
static void nothing_is_saved_up(void **state)
{
	int fd = accepted(1000000);
	u32 most;

	flow(fd, 50, &most);
	sim_run_ms(2000);
	while (tp_next())
		;
	inf(". 1(0) ack %u win 8000", tp.ack_high);
	assert_in_range(flow(fd, 100, &most), 90000, 108000);
	finish(fd);
}

/* Whoever lifts the bound need not wait for what it was; who sets a low one does. */
static void changed_on_the_way(void **state)
{
	u64 slow = 1000, fast = 1000000;
	int fd = accepted(slow);

	assert_int_equal(tp_write(fd, 10000), 10000);
	segments(1, 2);
	in(". 1(0) ack 2001 win 8000");
	silence(900);
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &fast, sizeof(fast)), 0);
	sim_run_ms(9);
	assert_int_equal(tp_waiting(), 8);
	tp_forget();
	finish(fd);
}

/* Once more is sent too: what a time-out found lost leaves at the same rate. */
static void retransmissions_too(void **state)
{
	u64 slow = 10000;
	int fd = accepted(100000000);

	assert_int_equal(tp_write(fd, 10000), 10000);
	segments(1, 10);
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &slow, sizeof(slow)), 0);
	out_within(190, 1100, ". 1(1000) ack 1");
	in(". 1(0) ack 1001 win 8000");
	out_within(90, 101, ". 1001(1000) ack 1");
	out(". 2001(1000) ack 1");
	/* the window would allow more now */
	in(". 1(0) ack 3001 win 8000");
	out_within(190, 201, ". 3001(1000) ack 1");
	silence(90);
	in(". 1(0) ack 10001 win 8000");
	finish(fd);
}

/* A program's end goes when its data has. */
static void fin_waits_for_data(void **state)
{
	int fd = accepted(10000);

	assert_int_equal(tp_write(fd, 4000), 4000);
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	segments(1, 2);
	in(". 1(0) ack 2001");
	out_within(190, 210, ". 2001(1000) ack 1");
	out("FP. 3001(1000) ack 1");
	in("F. 1(0) ack 4002");
	out(". 4002(0) ack 2");
	assert_int_equal(c_close(fd), 0);
	tp_down();
}

static void what_the_option_says(void **state)
{
	u64 rate = 0;
	u32 len = sizeof(rate);
	int l, fd;

	tp_up_quiet();
	l = tp_listen();
	assert_int_equal(c_getopt(l, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len), 0);
	assert_int_equal(len, 8);
	assert_int_equal(rate, NONE);
	assert_int_equal(c_getint(l, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	assert_int_equal(c_setint(l, SOL_SOCKET, SO_MAX_PACING_RATE, 70000), 0);
	/* who is accepted has it too */
	tp_call();
	fd = tp_take(l);
	assert_int_equal(c_getint(fd, SOL_SOCKET, SO_MAX_PACING_RATE), 70000);
	assert_int_equal(told(fd, AT_MAX_PACING_RATE), 70000);
	assert_int_equal(told(fd, AT_PACING_RATE), 70000);
	/* 32 bits of ones are none */
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_MAX_PACING_RATE, -1), 0);
	assert_int_equal(told(fd, AT_MAX_PACING_RATE), NONE);
	len = sizeof(rate);
	rate = 1ul << 40;
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, len), 0);
	assert_int_equal(told(fd, AT_MAX_PACING_RATE), 1ul << 40);
	assert_int_equal(c_getint(fd, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	rate = 1;
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, 3), -EINVAL);
	assert_int_equal(c_close(l), 0);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_held),   cmocka_unit_test(nothing_is_saved_up),
		cmocka_unit_test(changed_on_the_way), cmocka_unit_test(retransmissions_too),
		cmocka_unit_test(fin_waits_for_data), cmocka_unit_test(what_the_option_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
