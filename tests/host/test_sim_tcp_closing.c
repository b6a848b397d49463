/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_closing.c - how connections end (RFC 9293 3.6): either side first, both at once, by
 * force, with data unread, without a user, and what TIME-WAIT answers (RFC 1337, 6191). */
#include "tcp_peer.h"

static void we_close_first(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460,ts 100 0");
	c_shutdown(fd, SHUT_WR);
	out("F. 1(0) ack 1");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT1);
	in(". 1(0) ack 2");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT2);
	/* a half-closed connection still receives */
	in("P. 1:101(100) ack 2");
	assert_int_equal(tp_read(fd, 200), 100);
	tp_forget();
	in("F. 101(0) ack 2");
	out(". 2(0) ack 102");
	assert_int_equal(tp_read(fd, 200), 0);
	c_close(fd);
	/* TIME-WAIT: the peer's FIN again, twice within the limit for answers */
	in("F. 101(0) ack 2");
	out(". 2(0) ack 102");
	sim_run_ms(600);
	in("F. 101(0) ack 2");
	out(". 2(0) ack 102");
	sim_run_s(61);
	in("F. 101(0) ack 2");
	out("R 2(0)");
	tp_down();
}

static void peer_closes_first(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("F. 1(0) ack 1");
	out(". 1(0) ack 2");
	assert_int_equal(tp_state(fd), ST_CLOSE_WAIT);
	assert_int_equal(tp_read(fd, 10), 0);
	assert_int_equal(tp_write(fd, 10), 10);
	out(". 1:11(10) ack 2");
	in(". 2(0) ack 11");
	c_shutdown(fd, SHUT_WR);
	out("F. 11(0) ack 2");
	assert_int_equal(tp_state(fd), ST_LAST_ACK);
	in(". 2(0) ack 12");
	assert_int_equal(tp_state(fd), ST_CLOSE);
	c_close(fd);
	in(". 2(0) ack 12");
	out("R 12(0)");
	tp_down();
}

static void both_close_at_once(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_shutdown(fd, SHUT_WR);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 1");
	out(". 2(0) ack 2");
	assert_int_equal(tp_state(fd), ST_CLOSING);
	in(". 2(0) ack 2");
	c_close(fd);
	/* in TIME-WAIT now: an ACK gets no answer, a FIN does */
	in(". 2(0) ack 2");
	silence(10);
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	tp_down();
}

static void fin_acked_by_fin(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	in(". 2(0) ack 2");
	silence(10);
	tp_down();
}

/* RFC 2525 2.17 */
static void unread_data_resets(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("P. 1:11(10) ack 1");
	out_within(0, 50, ". 1(0) ack 11");
	c_close(fd);
	out("R. 1(0) ack 11");
	in(". 11(0) ack 1");
	out("R 1(0)");
	tp_down();
}

static void linger_zero_resets(void **state)
{
	struct {
		int on, seconds;
	} l = { 1, 0 };
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	assert_int_equal(tp_write(fd, 10), 10);
	out(". 1:11(10) ack 1");
	c_close(fd);
	out("R. 11(0)");
	tp_down();
}

/* RFC 9293 3.10.7.4, RFC 1122 4.2.2.13: nobody will read it */
static void data_after_close_resets(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in(". 1(0) ack 2");
	in("P. 1:11(10) ack 2");
	out("R. 2(0)");
	in("P. 1:11(10) ack 2");
	out("R 2(0)");
	tp_down();
}

static void fin_wait_2_ends(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in(". 1(0) ack 2");
	sim_run_s(59);
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "orphan 1 "));
	sim_run_s(2);
	assert_non_null(strstr(sim_read("/proc/net/sockstat"), "orphan 0 "));
	in("F. 1(0) ack 2");
	out("R 2(0)");
	tp_down();
}

static void orphans_are_bounded(void **state)
{
	int fd;

	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_max_orphans", "0"), 0);
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("R. 1(0)");
	tp_down();
}

static void timewait(const char *options)
{
	int fd = tp_accepted(options);

	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
}

/* RFC 1337: neither an old RST nor old data ends it early. */
static void timewait_is_not_assassinated(void **state)
{
	tp_up();
	timewait("mss 1460");
	in("R 2(0)");
	in("R. 2(0) ack 2");
	silence(10);
	in("P. 1:2(1) ack 1");
	out(". 2(0) ack 2");
	sim_run_ms(600);
	in("R 2(0)");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	tp_down();
}

/* RFC 9293 3.10.7.4, RFC 6191 */
static void timewait_lets_a_new_call_in(void **state)
{
	u32 old_iss;
	int fd;

	tp_up();
	timewait("mss 1460");
	old_iss = tp.host_iss;
	fd = tp_listen();
	/* an old SYN */
	in("S 1(0) <mss 1460>");
	out(". 2(0) ack 2");
	/* a new one */
	in("S 1000(0) <mss 1460>");
	out("S. 0(0) ack 1001");
	/* beyond all that the old connection can have sent */
	assert_in_range(tp.host_iss - old_iss, 65535, 0x7fffffff);
	c_close(fd);
	tp_down();
}

static void timewait_time_stamps_decide(void **state)
{
	int fd;

	tp_up();
	timewait("mss 1460,ts 1000 0");
	fd = tp_listen();
	in("S 5000(0) <mss 1460,ts 900 0>");
	out(". 2(0) ack 2");
	in("S 0(0) <mss 1460,ts 2000 0>");
	out("S. 0(0) ack 1");
	c_close(fd);
	tp_down();
}

static void timewaits_are_bounded(void **state)
{
	tp_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0"), 0);
	timewait("mss 1460");
	in("F. 1(0) ack 2");
	out("R 2(0)");
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_close_first),
		cmocka_unit_test(peer_closes_first),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(fin_acked_by_fin),
		cmocka_unit_test(unread_data_resets),
		cmocka_unit_test(linger_zero_resets),
		cmocka_unit_test(data_after_close_resets),
		cmocka_unit_test(fin_wait_2_ends),
		cmocka_unit_test(orphans_are_bounded),
		cmocka_unit_test(timewait_is_not_assassinated),
		cmocka_unit_test(timewait_lets_a_new_call_in),
		cmocka_unit_test(timewait_time_stamps_decide),
		cmocka_unit_test(timewaits_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
