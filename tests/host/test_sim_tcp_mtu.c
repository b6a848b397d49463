/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_mtu.c - how large a segment the path takes: told by ICMP (RFC 1191), found out where
 * larger ones vanish without a word (RFC 4821), searched for from below by segments whose loss is
 * nobody's congestion, from the start or once the path is suspected, and tried again when the path
 * may have become another. */
#include "tcp_peer.h"

#include "tcp_counter.h"

#define SYN_OPTIONS "mss 1460,sackOK,nop,wscale 7"

/* A path that takes segments of so many octets, and the peer behind it: it acknowledges what comes,
 * and has room for one hole. */
static u32 path_limit, expected, beyond, beyond_end, largest, lost;

static void peer_hears(void)
{
	while (tp_next()) {
		if (!tp.len)
			continue;
		if (tp.len > path_limit) {
			lost++;
			continue;
		}
		largest = max(largest, tp.len);
		if (tp.seq <= expected) {
			expected = max(expected, tp.seq + tp.len);
		} else if (tp.seq == beyond_end) {
			beyond_end += tp.len;
		} else if (!beyond_end) {
			beyond = tp.seq;
			beyond_end = tp.seq + tp.len;
		}
		if (beyond_end && expected >= beyond) {
			expected = max(expected, beyond_end);
			beyond_end = 0;
		}
		if (beyond_end)
			inf(". 1(0) ack %u win 2000 <sack %u:%u>", expected, beyond, beyond_end);
		else
			inf(". 1(0) ack %u win 2000", expected);
	}
}

/* The host has something to send all the time. */
static void transfer(int fd, u32 limit, u32 seconds)
{
	path_limit = limit;
	largest = lost = 0;
	for (u32 i = 0; i < seconds * 50; i++) {
		tp_write(fd, 20000);
		sim_run_ms(20);
		peer_hears();
	}
}

static int setup(void)
{
	tp_up_quiet();
	expected = 1;
	beyond_end = 0;
	return tp_accepted(SYN_OPTIONS);
}

/* RFC 1191: what is too long goes again at once, in smaller pieces. */
static void path_narrows(void **state)
{
	int fd = setup();

	tp_write(fd, 2920);
	out(". 1(1460) ack 1");
	out("P. 1461(1460) ack 1");
	tp_icmp(3, 4, 1000, 1);
	out(". 1(960) ack 1");
	out(". 961(960) ack 1");
	out(". 1921(960) ack 1");
	out(". 2881(40) ack 1");
	in(". 1(0) ack 2921 win 2000");
	tp_write(fd, 1000);
	out(". 2921(960) ack 1");
	tp_finish(fd);
	tp_down();
}

/* Full segments vanish; smaller ones get through. What larger ones do is found out by single ones,
 * and costs nothing but these. */
static void black_hole(void **state)
{
	int fd = setup();

	transfer(fd, 1300, 1);
	assert_int_equal(tcp_counter("TCPMTUPFail"), 1);
	assert_true(expected > 1);
	assert_int_equal(largest, 1024);
	transfer(fd, 1300, 20);
	assert_in_range(largest, 1292, 1300);
	assert_in_range(lost, 1, 8);
	assert_int_equal(tcp_counter("TCPTimeouts"), 2);
	assert_int_equal(tcp_counter("TCPSackRecovery"), 0);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* RFC 4821 7.7: the path may become wider again. */
static void path_widens(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_probe_interval", "60");
	expected = 1;
	beyond_end = 0;
	fd = tp_accepted(SYN_OPTIONS);
	transfer(fd, 1300, 20);
	assert_in_range(largest, 1292, 1300);
	transfer(fd, 1460, 30);
	assert_in_range(largest, 1292, 1300);
	transfer(fd, 1460, 40);
	assert_int_equal(largest, 1460);
	/* and that was the end of it */
	transfer(fd, 1460, 5);
	assert_int_equal(tcp_counter("TCPTimeouts"), 2);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* The larger segment was lost, and so was another: that is congestion, and says nothing of sizes.
 */
static void lost_among_others(void **state)
{
	u32 hole = 0, hole_end = 0;
	int fd = setup();

	transfer(fd, 1024, 1);
	for (u32 i = 0; i < 100 && !hole; i++) {
		tp_write(fd, 40000);
		sim_run_ms(20);
		while (tp_next()) {
			if (tp.len > 1024) {
				hole = tp.seq;
				hole_end = hole + tp.len + 1024;
			} else if (hole && tp.seq >= hole_end) {
				inf(". 1(0) ack %u win 2000 <sack %u:%u>", hole, hole_end,
				    tp.seq + tp.len);
			} else if (!hole) {
				inf(". 1(0) ack %u win 2000", tp.seq + tp.len);
			}
		}
	}
	assert_true(hole);
	assert_int_equal(tcp_counter("TCPMTUPFail"), 1); /* the black hole itself */
	assert_int_equal(tcp_counter("TCPSackRecovery"), 1);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* tcp_mtu_probing 2 (RFC 4821 7.5): the first segments are of tcp_base_mss, and no time-out is
 * needed to find out what the path takes. */
static void begins_small(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_mtu_probing", "2");
	expected = 1;
	beyond_end = 0;
	fd = tp_accepted(SYN_OPTIONS);
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_MAXSEG), 1024);
	transfer(fd, 1300, 20);
	assert_in_range(largest, 1292, 1300);
	assert_in_range(lost, 1, 8);
	transfer(fd, 1300, 5);
	assert_int_equal(lost, 0);
	assert_int_equal(tcp_counter("TCPTimeouts"), 0);
	assert_int_equal(tcp_counter("TCPSackRecovery"), 0);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* A path without a hole: one segment of full size says so. */
static void begins_small_and_grows(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_mtu_probing", "2");
	tp_sysctl("tcp_base_mss", "600");
	expected = 1;
	beyond_end = 0;
	fd = tp_accepted(SYN_OPTIONS);
	tp_write(fd, 1000);
	out(". 1(600) ack 1");
	in(". 1(0) ack 601 win 2000");
	out("P. 601(400) ack 1");
	in(". 1(0) ack 1001 win 2000");
	expected = 1001;
	transfer(fd, 1460, 2);
	assert_int_equal(largest, 1460);
	assert_int_equal(lost, 0);
	assert_int_equal(tcp_counter("TCPMTUPSuccess"), 1);
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_MAXSEG), 1460);
	tp_forget();
	tp_finish(fd);
	/* nothing to be careful about where the peer wants no more anyway */
	tp_new(5001, 80);
	fd = tp_accepted("mss 500");
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_MAXSEG), 500);
	tp_finish(fd);
	tp_down();
}

/* Not even tcp_base_mss gets through: halves do, down to tcp_mtu_probe_floor. */
static void narrow_black_hole(void **state)
{
	int fd = setup();

	transfer(fd, 300, 60);
	assert_in_range(largest, 292, 300);
	assert_true(expected > 1);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

static void floor_of_halves(void **state)
{
	int fd;

	tp_up_quiet();
	tp_sysctl("tcp_mtu_probe_floor", "400");
	expected = 1;
	beyond_end = 0;
	fd = tp_accepted(SYN_OPTIONS);
	transfer(fd, 300, 60);
	assert_int_equal(expected, 1);
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_MAXSEG), 400);
	/* it was the path: once it is up, all sizes are found again */
	transfer(fd, 1460, 120);
	assert_in_range(largest, 1440, 1460);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* Over IPv6 1280 octets always pass: whatever is lost, segments do not become smaller for it. */
static void ipv6_has_a_floor(void **state)
{
	int fd;

	tp_up6();
	expected = 1;
	beyond_end = 0;
	fd = tp_accepted("mss 1440,sackOK,nop,wscale 7");
	transfer(fd, 300, 60);
	assert_int_equal(expected, 1);
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_MAXSEG), 1220);
	transfer(fd, 1300, 120);
	assert_in_range(largest, 1292, 1300);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_narrows),	     cmocka_unit_test(black_hole),
		cmocka_unit_test(path_widens),	     cmocka_unit_test(lost_among_others),
		cmocka_unit_test(begins_small),	     cmocka_unit_test(begins_small_and_grows),
		cmocka_unit_test(narrow_black_hole), cmocka_unit_test(floor_of_halves),
		cmocka_unit_test(ipv6_has_a_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
