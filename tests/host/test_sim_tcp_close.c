/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_close.c - how connections end (RFC 9293 3.6): both orders, at once, half closed,
 * TIME-WAIT and what it answers, resets by linger and by unread data. */
#include "tcp_peer.h"

static void we_first(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in(". 1(0) ack 2");
	silence(100);
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	/* TIME-WAIT: a repeated FIN is acknowledged again (3.10.7.4, eighth) */
	sim_run_s(1);
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	/* RFC 1337: a reset does not end it by assassination */
	in("R 1(0)");
	silence(50);
	sim_run_s(70);
	in(". 2(0) ack 2");
	out("R 2(0)");
	tp_down();
}

static void they_first(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("F. 1(0) ack 1");
	out_within(0, 60, ". 1(0) ack 2");
	assert_int_equal(tp_state(fd), ST_CLOSE_WAIT);
	assert_int_equal(tp_read(fd, 100), 0);
	assert_true(c_poll(fd, POLLIN | POLLRDHUP, 0) & POLLRDHUP);
	assert_int_equal(tp_write(fd, 10), 10);
	out("P. 1(10) ack 2");
	in(". 2(0) ack 11");
	c_close(fd);
	out("F. 11(0) ack 2");
	in(". 2(0) ack 12");
	in(". 2(0) ack 12");
	out("R 12(0)");
	tp_down();
}

static void both_at_once(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_shutdown(fd, SHUT_WR);
	out("F. 1(0) ack 1");
	assert_int_equal(tp_state(fd), ST_FIN_WAIT1);
	in("F. 1(0) ack 1");
	out_within(0, 60, ". 2(0) ack 2");
	assert_int_equal(tp_state(fd), ST_CLOSING);
	in(". 2(0) ack 2");
	c_close(fd);
	sim_run_s(70);
	tp_down();
}

/* A FIN that acknowledges ours goes straight to TIME-WAIT. */
static void fin_acks_fin(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	sim_run_s(70);
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

/* RFC 9293 3.6.1 and RFC 2525 2.17: close with data unread is a reset. */
static void unread_data(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	in("P. 1(100) ack 1");
	sim_run_ms(300);
	tp_forget();
	c_close(fd);
	out("R. 1(0) ack 101");
	tp_down();
}

/* Data that comes when nobody will read it any more. */
static void data_after_close(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in(". 1(0) ack 2");
	in("P. 1(10) ack 2");
	out("R. 2(0)");
	tp_down();
}

static void linger_zero(void **state)
{
	const struct {
		int on, seconds;
	} linger = { 1, 0 };
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	tp_write(fd, 10);
	out("P. 1(10) ack 1");
	c_setopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	c_close(fd);
	out("R. 11(0) ack 1");
	in(". 1(0) ack 11");
	out("R 11(0)");
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

/* RFC 9293 3.10.7.4 and RFC 6191: a SYN beyond the old sequence numbers, or with a later time
 * stamp, begins anew out of TIME-WAIT. */
static void time_wait_reopened(void **state)
{
	int fd, listener;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	listener = tp_listen();
	in("S 100000(0) <mss 1460>");
	tp.iss += 100000;
	out("S. 0(0) ack 1");
	in(". 1(0) ack 1");
	fd = c_accept(listener, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	tp_finish(fd);
	c_close(listener);
	tp_down();
}

/* An old SYN in TIME-WAIT is answered with an ACK (RFC 9293 3.10.7.4). */
static void time_wait_old_syn(void **state)
{
	int fd, listener;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in("F. 1(0) ack 2");
	out(". 2(0) ack 2");
	listener = tp_listen();
	in("S -5000(0) <mss 1460>");
	out(". 2(0) ack 2");
	c_close(listener);
	sim_run_s(70);
	tp_down();
}

/* A peer that never sends its FIN: tcp_fin_timeout. */
static void fin_wait_2_ends(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1460");
	c_close(fd);
	out("F. 1(0) ack 1");
	in(". 1(0) ack 2");
	sim_run_s(125);
	in(". 1(0) ack 2");
	out("R 2(0)");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_first),	      cmocka_unit_test(they_first),
		cmocka_unit_test(both_at_once),	      cmocka_unit_test(fin_acks_fin),
		cmocka_unit_test(half_close),	      cmocka_unit_test(unread_data),
		cmocka_unit_test(data_after_close),   cmocka_unit_test(linger_zero),
		cmocka_unit_test(linger_waits),	      cmocka_unit_test(reset_by_peer),
		cmocka_unit_test(time_wait_reopened), cmocka_unit_test(time_wait_old_syn),
		cmocka_unit_test(fin_wait_2_ends),    cmocka_unit_test(shutdown_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
