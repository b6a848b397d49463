/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_handshake.c - how connections begin (RFC 9293 3.5, 3.10.7.1 to 3.10.7.3): options
 * both ways, SYN-ACKs that are repeated, what a listener makes of odd segments, both ends calling
 * at once, RFC 1122's silence to groups. */
#include "tcp_peer.h"

static void options_are_answered(void **state)
{
	int fd;

	tp_up();
	fd = tp_accepted("mss 1000,sackOK,ts 100 0,wscale 5");
	c_close(fd);
	out("F. 1(0) ack 1");
	in("R 1(0)");
	tp_new(5001, 80);
	/* an option not asked for is not given */
	fd = tp_listen();
	in("S 0(0) <mss 1000>");
	out("S. 0(0) ack 1 <mss max>");
	in(". 1(0) ack 1");
	in("R 1(0)");
	c_close(fd);
	tp_new(5002, 80);
	fd = tp_listen();
	in("S 0(0) <mss 1000,sackOK,ts 100 0,wscale 5>");
	out("S. 0(0) ack 1 <mss max,sackOK,ts * 100,wscale 7>");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

/* AccECN (RFC 9768): AE, CWR and ECE together; answered as RFC 3168 says. */
static void accecn_syn(void **state)
{
	int fd;

	tp_up();
	fd = tp_listen();
	in("SWEA 0(0) <mss 1460>");
	out("SE. 0(0) ack 1");
	in(". 1(0) ack 1");
	c_close(fd);
	out("R. 1(0)");
	tp_down();
}

static void synack_is_repeated(void **state)
{
	int fd, n;

	tp_up();
	fd = tp_listen();
	tp_syn();
	out_within(990, 1100, "S. 0(0) ack 1");
	/* the peer's SYN again: at once, and no timer starts anew */
	tp_syn();
	for (n = 0; n < 4; n++)
		out_within(100, (2000 << n) + 100, "S. 0(0) ack 1");
	silence(70000);
	/* forgotten: its late ACK is refused */
	in(". 1(0) ack 1");
	out("R 1(0)");
	c_close(fd);
	tp_down();
}

static void listener_and_odd_segments(void **state)
{
	static const char *const ignored[] = { "R 0(0)",  "R. 0(0) ack 1", "F 0(0)",  "P 0(0)",
					       "SF 0(0)", "SR 0(0)",	   "FP 0(0)", "U 0(0)" };
	u32 i;
	int fd;

	tp_up();
	fd = tp_listen();
	for (i = 0; i < ARRAY_SIZE(ignored); i++) {
		in(ignored[i]);
		silence(5);
	}
	tp.host_iss = 5000;
	tp.heard_host = true;
	in(". 0(0) ack 77");
	out("R 77(0)");
	in("S. 0(0) ack 78");
	out("R 78(0)");
	in("F. 0(0) ack 79");
	out("R 79(0)");
	c_close(fd);
	tp_down();
}

static void closed_port(void **state)
{
	tp_up();
	tp.host_iss = 0;
	tp.heard_host = true;
	in("S 0(0)");
	out("R. 0(0) ack 1");
	in("F 0(0)");
	out("R. 0(0) ack 1");
	in("P 0:10(10)");
	out("R. 0(0) ack 10");
	in(". 0(0) ack 500");
	out("R 500(0)");
	in("S. 0(0) ack 501");
	out("R 501(0)");
	in("R 0(0)");
	in("R. 0(0) ack 5");
	silence(5);
	tp_down();
}

static void request_and_odd_segments(void **state)
{
	int fd, con;

	tp_up();
	fd = tp_listen();
	tp_syn();
	/* an ACK for what was not sent */
	in(". 1(0) ack 5");
	out("R 5(0)");
	in(". 1(0) ack 0");
	out("R 0(0)");
	/* out of the window: an ACK, but not each time */
	in("P 100000:100001(1) ack 1");
	out(". 1(0) ack 1");
	in("P 100000:100001(1) ack 1");
	silence(10);
	/* RFC 5961: a RST has to be exact */
	in("R 1000(0)");
	silence(600);
	in("R 2000(0)");
	out(". 1(0) ack 1");
	in(". 1(0) ack 1");
	con = tp_take(fd);
	c_close(con);
	out("F. 1(0) ack 1");
	in("R 1(0)");
	tp_new(5001, 80);
	tp_syn();
	in("R 1(0)");
	in(". 1(0) ack 1");
	out("R 1(0)");
	c_close(fd);
	tp_down();
}

static void data_with_the_last_ack(void **state)
{
	int fd, con;

	tp_up();
	fd = tp_listen();
	tp_syn();
	in("PF. 1:101(100) ack 1");
	out(". 1(0) ack 102");
	con = c_accept(fd, SOCK_NONBLOCK);
	assert_int_equal(tp_read(con, 200), 100);
	assert_int_equal(tp_read(con, 200), 0);
	assert_int_equal(tp_state(con), ST_CLOSE_WAIT);
	c_close(con);
	out("F. 1(0) ack 102");
	in(". 102(0) ack 2");
	c_close(fd);
	tp_down();
}

static void refused(void **state)
{
	int fd;

	tp_up();
	fd = tp_connecting();
	out("S 0(0)");
	/* RFC 9293 3.10.7.3: not acceptable */
	in("R 0(0)");
	in("R. 0(0) ack 2");
	assert_int_equal(c_error(fd), 0);
	in(". 0(0) ack 2");
	out("R 2(0)");
	in("R. 0(0) ack 1");
	assert_int_equal(c_error(fd), ECONNREFUSED);
	c_close(fd);
	tp_down();
}

static void simultaneous_open(void **state)
{
	int fd;

	tp_up();
	fd = tp_connecting();
	out("S 0(0)");
	in("S 0(0) <mss 1400>");
	out("S. 0(0) ack 1");
	assert_int_equal(tp_state(fd), ST_SYN_RECV);
	in("S. 0(0) ack 1 <mss 1400>");
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in("P. 1:11(10) ack 1");
	assert_int_equal(tp_read(fd, 20), 10);
	tp_forget();
	in("R 11(0)");
	assert_int_equal(c_error(fd), ECONNRESET);
	c_close(fd);
	tp_down();
}

static void syn_to(const u8 *mac, u32 dst)
{
	struct ipv4_fields h = { .src = PEER, .dst = dst, .proto = IPPROTO_TCP };
	u8 t[12 + 20] = { [9] = IPPROTO_TCP, [11] = 20, 0x13, 0x88, 0, 80, [24] = 0x50, 2 };

	put_be32(t, PEER);
	put_be32(t + 4, dst);
	put_be16(t + 28, wire_sum(t, sizeof(t)));
	peer_ipv4(&peer, mac, &h, t + 12, 20);
}

/* RFC 1122 4.2.3.10 */
static void groups_get_nothing(void **state)
{
	int fd;

	if (tp_over_ipv6) /* has no broadcasts */
		return;
	tp_up();
	fd = tp_listen();
	drops_mark();
	syn_to(broadcast_mac, HOST);
	syn_to(broadcast_mac, HOST_BROADCAST);
	syn_to(broadcast_mac, 0xffffffff);
	silence(10);
	assert_int_equal(drops_since(DROP_BAD_DEST), 3);
	syn_to(host_mac, HOST);
	out("S. 0(0)");
	c_close(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_answered),
		cmocka_unit_test(accecn_syn),
		cmocka_unit_test(synack_is_repeated),
		cmocka_unit_test(listener_and_odd_segments),
		cmocka_unit_test(closed_port),
		cmocka_unit_test(request_and_odd_segments),
		cmocka_unit_test(data_with_the_last_ack),
		cmocka_unit_test(refused),
		cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(groups_get_nothing),
	};

	return tp_run(tests);
}
