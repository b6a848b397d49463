/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_output.c - when TCP sends what it has: the initial window, Nagle, cork, delayed
 * ACKs, closed and silly windows, keepalive, the restart after idleness, FIN with data. */
#include "tcp_peer.h"

#include <core/vfs.h>

#include "kernel/net/socket_internal.h"

#define MSS "mss 1000,sackOK,nop,wscale 7"

/* RFC 6928: ten segments, then the ACK clock. */
static void initial_window(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	assert_int_equal(tp_write(fd, 30000), 30000);
	segments(1, 10);
	silence(5);
	/* for two that are acknowledged four more, the last ones when a third of the window is free
	 */
	in(". 1(0) ack 2001 win 2000");
	segments(10001, 2);
	silence(5);
	in(". 1(0) ack 4001 win 2000");
	segments(12001, 4);
	silence(5);
	tp_finish(fd);
	tp_down();
}

/* RFC 1122 4.2.3.4 in Minshall's form: one short segment at a time. */
static void nagle(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	tp_write(fd, 200);
	tp_write(fd, 300);
	silence(30);
	in(". 1(0) ack 101 win 2000");
	out("P. 101(500) ack 1");
	/* a full segment goes, its rest waits for the short one before it */
	tp_write(fd, 1500);
	out(". 601(1000) ack 1");
	silence(30);
	in(". 1(0) ack 601 win 2000");
	out("P. 1601(500) ack 1");
	in(". 1(0) ack 2101 win 2000");
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	tp_write(fd, 10);
	tp_write(fd, 20);
	out("P. 2101(10) ack 1");
	out("P. 2111(20) ack 1");
	tp_finish(fd);
	tp_down();
}

static void nodelay_pushes_what_waits(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	tp_write(fd, 200);
	silence(10);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	out("P. 101(200) ack 1");
	tp_finish(fd);
	tp_down();
}

static void cork(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_CORK, 1), 0);
	tp_write(fd, 100);
	tp_write(fd, 200);
	silence(50);
	tp_write(fd, 1000);
	out(". 1(1000) ack 1");
	silence(50);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_CORK, 0), 0);
	out("P. 1001(300) ack 1");
	in(". 1(0) ack 1301 win 2000");
	/* for 200 ms at most */
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_CORK, 1), 0);
	tp_write(fd, 100);
	out_within(195, 210, "P. 1301(100) ack 1");
	in(". 1(0) ack 1401 win 2000");
	/* a close leaves nothing to wait for */
	tp_write(fd, 100);
	silence(50);
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	out("FP. 1401(100) ack 1");
	in(". 1(0) ack 1502 win 2000");
	tp_finish(fd);
	tp_down();
}

static LIST_HEAD(taken);

/* No packet is left for data, until all are given back. */
static void take_pool(void)
{
	struct pkt *p;

	while ((p = pkt_alloc(PKT_POOL_TX, 0, PKT_BUF_SIZE)))
		list_add(&p->node, &taken);
}

static void give_pool(void)
{
	while (!list_empty(&taken)) {
		struct pkt *p = list_first_entry(&taken, struct pkt, node);

		list_del(&p->node);
		pkt_free(p);
	}
}

/* The timer that ends the wait also serves others: their turn does not end it. */
static void cork_outlasts_another_wait(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_CORK, 1), 0);
	assert_int_equal(tp_write(fd, 4100), 4100);
	segments(1, 4);
	sim_run_ms(100);
	take_pool();
	in(". 1(0) ack 1 win 2000 <sack 1001:4001>");
	silence(5);
	give_pool();
	out_within(0, 20, ". 1(1000) ack 1");
	in(". 1(0) ack 4001 win 2000");
	out_within(60, 100, "P. 4001(100) ack 1");
	in(". 1(0) ack 4101 win 2000");
	tp_finish(fd);
	tp_down();
}

/* Who hears EAGAIN for want of a packet, with nothing on its way, is told when to try again. */
static void no_packet_promises_room(void **state)
{
	struct socket *s;
	struct file *f;
	bool put;
	u32 wakes;
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	assert_int_equal(socket_from_fd(fd, &f, &s, &put), 0);
	fd_return(f, put);
	take_pool();
	assert_int_equal(tp_write(fd, 100), -EAGAIN);
	wakes = s->wake_seq;
	sim_run_ms(5);
	assert_int_equal(s->wake_seq, wakes);
	sim_run_ms(15);
	assert_int_equal(s->wake_seq, wakes + 1);
	give_pool();
	assert_int_equal(tp_write(fd, 100), 100);
	out("P. 1(100) ack 1");
	in(". 1(0) ack 101 win 2000");
	tp_finish(fd);
	tp_down();
}

static void fin_rides_on_data(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	tp_write(fd, 1300);
	out(". 101(1000) ack 1");
	silence(5);
	assert_int_equal(c_shutdown(fd, SHUT_WR), 0);
	out("FP. 1101(300) ack 1");
	in("F. 1(0) ack 1402 win 2000");
	out(". 1402(0) ack 2");
	tp_finish(fd);
	sim_run_s(70);
	tp_down();
}

/* RFC 5681 4.2: every second full segment; RFC 1122 4.2.3.2: else after a while. */
static void delayed_ack(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	/* the connection's first segments are acknowledged at once, for the peer's slow start */
	in("P. 1(1000) ack 1");
	out(". 1(0) ack 1001");
	/* from the first answer on it is a conversation */
	tp_write(fd, 10);
	out("P. 1(10) ack 1001");
	in("P. 1001(100) ack 11");
	out_within(39, 42, ". 11(0) ack 1101");
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_QUICKACK, 0), 0);
	in(". 1101(1000) ack 11");
	silence(20);
	in(". 2101(1000) ack 11");
	out(". 11(0) ack 3101");
	in(". 3101(1000) ack 11");
	in(". 4101(1000) ack 11");
	out(". 11(0) ack 5101");
	/* a hole and what fills it are told at once (RFC 5681 4.2) */
	in(". 5201(1000) ack 11");
	out(". 11(0) ack 5101 <sack 5201:6201>");
	in(". 5101(100) ack 11");
	out(". 11(0) ack 6201");
	tp_finish(fd);
	tp_down();
}

/* RFC 9293 3.8.6.1 */
static void persist(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	tp_write(fd, 500);
	out("P. 1(500) ack 1");
	in(". 1(0) ack 501 win 0");
	tp_write(fd, 700);
	out_within(150, 700, ". 500(0) ack 1");
	in(". 1(0) ack 501 win 0");
	out_within(300, 1400, ". 500(0) ack 1");
	in(". 1(0) ack 501 win 0");
	out_within(600, 2800, ". 500(0) ack 1");
	in(". 1(0) ack 501 win 10");
	out("P. 501(700) ack 1");
	in(". 1(0) ack 1201 win 10");
	tp_finish(fd);
	tp_down();
}

/* The peer is gone without a word. */
static void persist_gives_up(void **state)
{
	u32 probes = 0;
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	tp_write(fd, 500);
	out("P. 1(500) ack 1");
	in(". 1(0) ack 501 win 0");
	tp_write(fd, 700);
	sim_run_s(3600);
	while (tp_next())
		probes++;
	assert_in_range(probes, 12, 20);
	assert_int_equal(c_error(fd), 110);
	tp_finish(fd);
	tp_down();
}

/* RFC 9293 3.8.6.2.1: a window that opens by little is not used by little. */
static void sender_silly_window(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1000");
	tp_write(fd, 1000);
	out("P. 1(1000) ack 1");
	in(". 1(0) ack 1001 win 4000");
	tp_write(fd, 8000);
	segments(1001, 4);
	in(". 1(0) ack 5001 win 100");
	silence(100);
	in(". 1(0) ack 5001 win 900");
	silence(20);
	in(". 1(0) ack 5001 win 1000");
	out(". 5001(1000) ack 1");
	in(". 1(0) ack 6001 win 600");
	/* nothing else will make it open: after the override time-out what fits goes */
	out_within(150, 700, ". 6001(600) ack 1");
	in(". 1(0) ack 6601 win 10000");
	out(". 6601(1000) ack 1");
	out(". 7601(1000) ack 1");
	out("P. 8601(400) ack 1");
	tp_finish(fd);
	tp_down();
}

/* Two segments shall fit into a window that is smaller than two of the agreed size. */
static void half_a_window_at_once(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1460");
	in(". 1(0) ack 1 win 65535");
	tp_finish(fd);
	tp_new(TP_PEER_PORT + 1, TP_HOST_PORT);
	fd = tp_listen();
	in("S 0(0) win 1600 <mss 1460>");
	out("S. 0(0) ack 1");
	in(". 1(0) ack 1 win 1600");
	int c = c_accept(fd, SOCK_NONBLOCK);

	c_close(fd);
	tp_write(c, 4000);
	out(". 1(800) ack 1");
	out(". 801(800) ack 1");
	silence(5);
	in(". 1(0) ack 801 win 1600");
	out(". 1601(800) ack 1");
	tp_finish(c);
	tp_down();
}

static void keepalive(void **state)
{
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_KEEPINTVL, 3), 0);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_KEEPCNT, 2), 0);
	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	out_within(9000, 10100, ". 0(0) ack 1");
	in(". 1(0) ack 1");
	out_within(9900, 10100, ". 0(0) ack 1");
	out_within(2900, 3100, ". 0(0) ack 1");
	out_within(2900, 3100, "R. 1(0) ack 1");
	assert_int_equal(c_error(fd), 110);
	tp_finish(fd);
	tp_down();
}

/* RFC 5681 4.1: after an idle time-out a window is not trusted. */
static void idle_restart(void **state)
{
	u32 at = 1, round;
	int fd;

	tp_up_quiet();
	fd = tp_accepted(MSS);
	for (round = 0; round < 3; round++) {
		tp_write(fd, 10000 << round);
		sim_run_ms(1);
		while (tp_waiting()) {
			while (tp_next())
				at += tp.len;
			inf(". 1(0) ack %u win 4000", at);
		}
	}
	assert_int_equal(at, 70001);
	sim_run_s(5);
	tp_write(fd, 40000);
	sim_run_ms(1);
	assert_int_equal(tp_waiting(), 10);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initial_window),
		cmocka_unit_test(nagle),
		cmocka_unit_test(nodelay_pushes_what_waits),
		cmocka_unit_test(cork),
		cmocka_unit_test(cork_outlasts_another_wait),
		cmocka_unit_test(no_packet_promises_room),
		cmocka_unit_test(fin_rides_on_data),
		cmocka_unit_test(delayed_ack),
		cmocka_unit_test(persist),
		cmocka_unit_test(persist_gives_up),
		cmocka_unit_test(sender_silly_window),
		cmocka_unit_test(half_a_window_at_once),
		cmocka_unit_test(keepalive),
		cmocka_unit_test(idle_restart),
	};

	return tp_run(tests);
}
