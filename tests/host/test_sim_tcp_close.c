/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_close.c - how connections end (RFC 9293 3.6): either side first, both at once, half
 * closed, by force, with data unread, lingering, without a user, and what TIME-WAIT answers (RFC
 * 1337, 6191). */
#include "tcp_peer.h"

/* What SIOCOUTQ and SIOCOUTQNSD say. */
static void queued(int fd, int unacked, int unsent)
{
	int n = -1;

	assert_int_equal(c_ioctl(fd, 0x5411, &n), 0);
	assert_int_equal(n, unacked);
	assert_int_equal(c_ioctl(fd, 0x894b, &n), 0);
	assert_int_equal(n, unsent);
}

static void we_close_first(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460,ts 100 0");
	c_shutdown(fd, SHUT_WR);
	out("F. 1(0) ack 1");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT1);
	queued(fd, 1, 0);
	in(". 1(0) ack 2");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT2);
	queued(fd, 0, 0);
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
	assert_true(c_poll(fd, POLLIN | POLLRDHUP, 0) & POLLRDHUP);
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
	tp_up();
	tp_time_wait(tp_accepted("mss 1460"));
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

/* Our side is closed for sending, theirs goes on. */
static void half_close(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(tp_write(fd, 100), 100);
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	assert_int_equal(c_send(fd, "x", 1, MSG_NOSIGNAL), -EPIPE);
	out("P. 1(100) ack 1");
	out("F. 101(0) ack 1");
	in(". 1(0) ack 102");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT2);
	in("P. 1(1000) ack 102");
	in("P. 1001(1000) ack 102");
	sim_run_ms(300);
	tp_forget();
	assert_int_equal(tp_read(fd, 5000), 2000);
	assert_int_equal(tp_read(fd, 5000), -EAGAIN);
	in("F. 2001(0) ack 102");
	out_within(0, 60, ". 102(0) ack 2002");
	assert_int_equal(tp_read(fd, 10), 0);
	c_close(fd);
	sim_run_s(70);
	tp_down();
}

static void linger_waits(void **state)
{
	const struct {
		int on, seconds;
	} linger = { 1, 2 };
	u64 start;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_nonblock(fd, false);
	c_setopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	tp_write(fd, 10);
	start = sim_now();
	c_close(fd); /* nobody acknowledges */
	assert_true(sim_now() - start >= 2 * NSEC_PER_SEC);
	assert_true(sim_now() - start < 3 * NSEC_PER_SEC);
	tp_forget();
	in("R 1(0) ack 11");
	tp_down();
}

static void reset_by_peer(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("P. 1(100) ack 1");
	in("R 101(0)");
	tp_forget();
	assert_true(c_poll(fd, POLLIN, 0) & POLLHUP);
	/* what came before it first, as on Linux */
	assert_int_equal(tp_read(fd, 200), 100);
	assert_int_equal(tp_read(fd, 10), -ECONNRESET);
	assert_int_equal(tp_read(fd, 10), 0);
	assert_int_equal(c_send(fd, "x", 1, MSG_NOSIGNAL), -EPIPE);
	c_close(fd);
	tp_down();
}

static void shutdown_read(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	assert_int_equal(c_shutdown(fd, SHUT_RD), 0);
	silence(50);
	assert_int_equal(tp_read(fd, 10), 0);
	tp_finish(fd);
	tp_down();
}

static void timewait(const char *options)
{
	tp_time_wait(tp_accepted(options));
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
	int fd, con;

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
	tp.iss += 1000;
	in(". 1(0) ack 1");
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_true(con >= 0);
	tp_finish(con);
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
		cmocka_unit_test(half_close),
		cmocka_unit_test(linger_waits),
		cmocka_unit_test(reset_by_peer),
		cmocka_unit_test(shutdown_read),
		cmocka_unit_test(timewait_is_not_assassinated),
		cmocka_unit_test(timewait_lets_a_new_call_in),
		cmocka_unit_test(timewait_time_stamps_decide),
		cmocka_unit_test(timewaits_are_bounded),
	};

	return tp_run(tests);
}
