/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_cc.c - congestion control: CUBIC's curve against RFC 9438's formula, HyStart++,
 * Reno's line, ECN, choosing algorithms, and losing one's module in mid-flow. */
#include "tcp_peer.h"

#include "tcp_counter.h"

#define ACKS 10 /* in a round; HyStart++ wants eight samples */
#define SACK "mss 1000,sackOK,nop,wscale 9"

static void setup(void)
{
	tp_up_quiet();
	tp_sysctl("tcp_wmem", "4096 16384 16777216");
	tp_sysctl("tcp_slow_start_after_idle", "0");
}

static u32 info(int fd, u32 offset)
{
	u8 buf[256];
	u32 len = sizeof(buf), v;

	assert_int_equal(c_getopt(fd, IPPROTO_TCP, TCP_INFO, buf, &len), 0);
	memcpy(&v, buf + offset, sizeof(v));
	return v;
}

#define cwnd_of(fd) info(fd, 80)
#define ssthresh_of(fd) info(fd, 76)

/* ---- a peer that takes everything, a round trip at a time ---- */

static u32 acked; /* by the peer */

/* The program keeps the buffer full; what has come is acknowledged after rtt_ms, in
 * ACKS steps; one segment is missing when lose is set. Returns how many came. */
static u32 do_round(int fd, u32 rtt_ms, bool lose)
{
	u32 n = 0, hole = 0, top = acked, step;

	while (tp_write(fd, 50000) > 0)
		;
	sim_run_ms(rtt_ms);
	while (tp_next()) {
		n++;
		if (lose && n == 10) {
			hole = tp.seq;
			continue;
		}
		if (tp.seq + tp.len > top)
			top = tp.seq + tp.len;
	}
	if (hole) {
		inf(". 1(0) ack %u win 60000 <sack %u:%u>", hole, hole + 1000, top);
		sim_run_ms(rtt_ms);
		while (tp_next())
			if (tp.seq + tp.len > top)
				top = tp.seq + tp.len;
	}
	step = (top - acked) / ACKS / 1000 * 1000;
	for (u32 i = 1; !hole && step && i < ACKS; i++)
		inf(". 1(0) ack %u win 60000", acked + i * step);
	acked = top;
	inf(". 1(0) ack %u win 60000", acked);
	return n;
}

static int start(const char *algorithm)
{
	int fd = tp_accepted(SACK);

	if (algorithm)
		assert_int_equal(
			c_setopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, strlen(algorithm)), 0);
	acked = 1;
	return fd;
}

static double cube_root(double a)
{
	double x = a > 1 ? a : 1;

	for (u32 i = 0; i < 100; i++)
		x = (2 * x + a / (x * x)) / 3;
	return x;
}

/* RFC 9438 4.2: down to 0.7, then C (t - K)^3 + W_max with K from where it starts. */
static void cubic_curve(void **state)
{
	double w_max, k, t, want, from;
	u64 epoch;
	u32 i;
	int fd;

	setup();
	assert_int_equal(sim_rmmod("tcp_cubic", false), 0);
	assert_int_equal(sim_insmod("tcp_cubic", "hystart=0"), 0);
	fd = start(NULL);
	do_round(fd, 100, false);
	while (cwnd_of(fd) < 200)
		do_round(fd, 100, false);
	w_max = cwnd_of(fd);
	do_round(fd, 100, true);
	assert_true(__builtin_fabs(ssthresh_of(fd) - 0.7 * w_max) < 3);
	do_round(fd, 100, false);
	from = cwnd_of(fd);
	assert_true(__builtin_fabs(from - 0.7 * w_max) < 10);
	epoch = sim_now();
	k = cube_root((w_max - from) / 0.4);
	for (i = 0; i < 90; i++) {
		do_round(fd, 100, false);
		t = (sim_now() - epoch) / 1e9;
		want = 0.4 * (t - k) * (t - k) * (t - k) + w_max;
		/* the target is a round trip ahead, and is reached with the next one's ACKs */
		if (__builtin_fabs(cwnd_of(fd) - want) > 0.05 * want)
			fail_msg("at %.1f s: %u, wanted %.1f (K %.2f, W_max %.0f)", t, cwnd_of(fd),
				 want, k, w_max);
	}
	tp_finish(fd);
	tp_down();
}

static void reno_line(void **state)
{
	u32 before, i;
	int fd;

	setup();
	fd = start("reno");
	while (cwnd_of(fd) < 100)
		do_round(fd, 100, false);
	before = cwnd_of(fd);
	do_round(fd, 100, true);
	assert_in_range(ssthresh_of(fd), before / 2 - 2, before / 2 + 2);
	do_round(fd, 100, false);
	before = cwnd_of(fd);
	for (i = 0; i < 20; i++)
		do_round(fd, 100, false);
	assert_in_range(cwnd_of(fd), before + 17, before + 21);
	tp_finish(fd);
	tp_down();
}

/* RFC 9406: round trips grow, so slow start ends before anything is lost. */
static void hystart(void **state)
{
	u32 i, at = 0;
	int fd;

	setup();
	fd = start(NULL);
	for (i = 0; i < 40 && ssthresh_of(fd) == 0x7fffffff; i++) {
		/* a queue builds up from 64 segments on */
		do_round(fd, cwnd_of(fd) > 64 ? 50 + cwnd_of(fd) / 4 : 50, false);
		at = cwnd_of(fd);
	}
	print_message("slow start ended at %u segments\n", at);
	assert_in_range(at, 64, 700);
	tp_finish(fd);
	/* round trips that stay are no reason */
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	fd = start(NULL);
	for (i = 0; i < 7; i++)
		do_round(fd, 50, false);
	assert_int_equal(ssthresh_of(fd), 0x7fffffff);
	tp_finish(fd);
	tp_down();
}

static const char *algorithm_of(int fd)
{
	static char name[16];
	u32 len = sizeof(name);

	assert_int_equal(c_getopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	return name;
}

/* Its module leaves: the flow goes on as RFC 5681 says, and may choose again when it is back. */
static void module_leaves(void **state)
{
	int fd, i;

	setup();
	fd = start(NULL);
	assert_string_equal(algorithm_of(fd), "cubic");
	for (i = 0; i < 4; i++)
		assert_true(do_round(fd, 20, false) > 5);
	assert_int_equal(sim_rmmod("tcp_cubic", false), 0);
	assert_string_equal(algorithm_of(fd), "newreno");
	for (i = 0; i < 4; i++)
		assert_true(do_round(fd, 20, i == 1) > 5);
	assert_int_equal(c_setopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), -2);
	assert_int_equal(sim_insmod("tcp_cubic", NULL), 0);
	assert_int_equal(c_setopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), 0);
	for (i = 0; i < 4; i++)
		assert_true(do_round(fd, 20, i == 1) > 5);
	assert_string_equal(algorithm_of(fd), "cubic");
	tp_finish(fd);
	tp_down();
}

static void names(void **state)
{
	setup();
	assert_string_equal(sim_read("/proc/sys/net/ipv4/tcp_congestion_control"), "cubic\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv4/tcp_available_congestion_control"),
			    "newreno cubic reno\n");
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_congestion_control", "nosuch"), -2);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_congestion_control", "reno"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv4/tcp_congestion_control"), "reno\n");
	tp_down();
}

#define ALLOWED "/proc/sys/net/ipv4/tcp_allowed_congestion_control"

static void allowed_names(void **state)
{
	setup();
	assert_string_equal(sim_read(ALLOWED), "newreno cubic reno\n");
	assert_int_equal(sim_write(ALLOWED, "reno  nosuch"), -ENOENT);
	assert_string_equal(sim_read(ALLOWED), "newreno cubic reno\n");
	assert_int_equal(sim_write(ALLOWED, " reno newreno "), 0);
	assert_string_equal(sim_read(ALLOWED), "newreno reno\n");
	assert_int_equal(sim_write(ALLOWED, "newreno cubic reno"), 0);
	tp_down();
}

/* RFC 3168: data is ECT(0), marks are echoed until CWR, an echo reduces once a window. */
static void ecn(void **state)
{
	int listener, fd;

	setup();
	listener = tp_listen();
	in("SEW 0(0) <mss 1000,sackOK,nop,wscale 9>");
	out("S.E 0(0) ack 1");
	in(". 1(0) ack 1 win 2000");
	fd = c_accept(listener, SOCK_NONBLOCK);
	c_close(listener);
	assert_true(fd >= 0);
	tp_write(fd, 20000);
	for (u32 i = 0; i < 10; i++) {
		outf(". %u(1000) ack 1", 1 + i * 1000);
		assert_int_equal(tp.ip_tos & 3, 2);
	}
	in(".E 1(0) ack 2001 win 2000");
	in(".E 1(0) ack 4001 win 2000");
	assert_int_equal(ssthresh_of(fd), 7);
	out(".W 10001(1000) ack 1");
	while (tp_next())
		;
	in(".E 1(0) ack 10001 win 2000");
	assert_int_equal(ssthresh_of(fd), 7);
	assert_in_range(cwnd_of(fd), 6, 8);
	tp_forget();
	/* the other way */
	tp.tos = 3;
	in("P. 1(100) ack 10001 win 2000");
	tp.tos = 2;
	out(".E * ack 101");
	assert_int_equal(tp.ip_tos & 3, 0);
	in("P. 101(100) ack 10001 win 2000");
	out_within(0, 45, ".E * ack 201");
	in("P.W 201(100) ack 10001 win 2000");
	out_within(0, 45, ". * ack 301");
	tp.tos = 0;
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cubic_curve), cmocka_unit_test(reno_line),
		cmocka_unit_test(hystart),     cmocka_unit_test(module_leaves),
		cmocka_unit_test(names),       cmocka_unit_test(allowed_names),
		cmocka_unit_test(ecn),
	};

	return tp_run(tests);
}
