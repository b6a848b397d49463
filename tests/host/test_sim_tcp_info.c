/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_info.c - what TCP_INFO tells of a sender: the delivery rate and whether the program
 * was the limit, how long it was busy, how long the peer's window or our buffer held it, and what
 * went and came; TCP_QUICKACK and TCP_ULP. */
#include "tcp_counter.h"
#include "tcp_peer.h"

/* Places in Linux's struct tcp_info. */
#define AT_APP_LIMITED 7
#define AT_ATO 12
#define AT_UNACKED 24
#define AT_SACKED 28
#define AT_LOST 32
#define AT_RETRANS 36
#define AT_RTT 68
#define AT_CWND 80
#define AT_RCV_RTT 92
#define AT_PACING_RATE 104
#define AT_MAX_PACING_RATE 112
#define AT_BYTES_ACKED 120
#define AT_BYTES_RECEIVED 128
#define AT_SEGS_OUT 136
#define AT_SEGS_IN 140
#define AT_DATA_SEGS_IN 152
#define AT_DATA_SEGS_OUT 156
#define AT_DELIVERY_RATE 160
#define AT_BUSY 168
#define AT_RWND_LIMITED 176
#define AT_SNDBUF_LIMITED 184
#define AT_DELIVERED 192
#define AT_DELIVERED_CE 196
#define AT_BYTES_SENT 200
#define AT_BYTES_RETRANS 208
#define AT_DSACK_DUPS 216
#define AT_RCV_OOOPACK 224

#define TCP_ULP 31

static u8 info[232];

static void ask(int fd)
{
	u32 len = sizeof(info);

	assert_int_equal(c_getopt(fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
	assert_int_equal(len, sizeof(info));
}

static u64 told(u32 at)
{
	u64 v;

	memcpy(&v, info + at, sizeof(v));
	return v;
}

/* A number of 32 bits. */
static u32 said(int fd, u32 at)
{
	ask(fd);
	return (u32)told(at);
}

static int setup(void)
{
	tp_up_quiet();
	return tp_accepted("mss 1000,sackOK");
}

/* Ten segments every 20 ms, as the peer acknowledges them. */
static void delivery_rate(void **state)
{
	int fd = setup();

	ask(fd);
	assert_int_equal(told(AT_DELIVERY_RATE), 0);
	assert_int_equal(tp_write(fd, 60000), 60000);
	for (u32 i = 0, at = 1; i < 3; i++) {
		u32 flight = 10000 << i;

		sim_run_ms(19);
		tp_forget();
		at += flight;
		inf(". 1(0) ack %u", min(at, 60001u));
		tp_forget();
		if (i == 1) {
			ask(fd);
			assert_in_range(told(AT_DELIVERY_RATE), 950000, 1060000);
			assert_int_equal(info[AT_APP_LIMITED] & 1, 0);
		}
	}
	/* 30 kB are less than the window: now the program is the limit, and what was more holds */
	sim_run_ms(100);
	assert_int_equal(tp_write(fd, 1000), 1000);
	sim_run_ms(19);
	tp_forget();
	in(". 1(0) ack 61001");
	ask(fd);
	assert_in_range(told(AT_DELIVERY_RATE), 1400000, 1600000);
	tp_finish(fd);
	tp_down();
}

/* What Linux computes: twice the window a round trip as long as slow start has far to go, later 1.2
 * times that. Nothing is held back by it. */
static void pacing_rate(void **state)
{
	int fd = setup();
	u64 before = tcp_counter("TCPDelivered"), window;

	assert_int_equal(tp_write(fd, 10000), 10000);
	sim_run_ms(20);
	tp_forget();
	in(". 1(0) ack 10001");
	ask(fd);
	window = (told(AT_CWND) & 0xffffffff) * 1000;
	assert_in_range(told(AT_PACING_RATE), 2 * window * 990000 / (u32)told(AT_RTT),
			2 * window * 1010000 / (u32)told(AT_RTT));
	assert_int_equal(told(AT_MAX_PACING_RATE), ~0ul);
	assert_int_equal(tcp_counter("TCPDelivered") - before, 10);
	tp_finish(fd);
	tp_down();
}

static void busy_and_limited(void **state)
{
	int fd = setup();

	sim_run_ms(500);
	ask(fd);
	assert_int_equal(told(AT_BUSY), 0);
	assert_int_equal(tp_write(fd, 500), 500);
	out("P. 1(500) ack 1");
	sim_run_ms(100);
	in(". 1(0) ack 501");
	sim_run_ms(500);
	ask(fd);
	assert_in_range(told(AT_BUSY), 99000, 102000);
	/* the peer's window */
	in(". 1(0) ack 501 win 1000");
	assert_int_equal(tp_write(fd, 2000), 2000);
	out(". 501(1000) ack 1");
	in(". 1(0) ack 1501 win 0");
	sim_run_ms(150);
	in(". 1(0) ack 1501 win 5000");
	out("P. 1501(1000) ack 1");
	sim_run_ms(50);
	ask(fd);
	assert_in_range(told(AT_RWND_LIMITED), 149000, 153000);
	in(". 1(0) ack 2501 win 5000");
	sim_run_ms(100);
	ask(fd);
	assert_in_range(told(AT_BUSY), 298000, 305000);
	assert_in_range(told(AT_RWND_LIMITED), 149000, 153000);
	assert_int_equal(told(AT_SNDBUF_LIMITED), 0);
	tp_finish(fd);
	tp_down();
}

static void limited_by_its_buffer(void **state)
{
	int fd = setup();

	assert_int_equal(c_setint(fd, SOL_SOCKET, SO_SNDBUF, 4096), 0);
	while (tp_write(fd, 1000) > 0)
		;
	assert_int_equal(c_poll(fd, POLLOUT, 0), 0);
	sim_run_ms(100);
	ask(fd);
	assert_in_range(told(AT_SNDBUF_LIMITED), 99000, 102000);
	assert_in_range(told(AT_BUSY), 99000, 102000);
	assert_int_equal(told(AT_RWND_LIMITED), 0);
	tp_finish(fd);
	tp_down();
}

/* What went and came, in octets; what came twice, and out of order. */
static void counts(void **state)
{
	int fd = setup();

	assert_int_equal(tp_write(fd, 5000), 5000);
	segments(1, 5);
	in(". 1(0) ack 1 <sack 1001:5001>");
	out(". 1(1000) ack 1");
	ask(fd);
	assert_int_equal(told(AT_BYTES_SENT), 6000);
	assert_int_equal(told(AT_BYTES_RETRANS), 1000);
	assert_int_equal(told(AT_BYTES_ACKED), 0);
	in(". 1(0) ack 5001 <sack 1:1001>");
	in(". 1001:2001(1000) ack 5001");
	in("P. 1:1001(1000) ack 5001");
	tp_forget();
	assert_int_equal(tp_read(fd, 1500), 1500);
	ask(fd);
	assert_int_equal(told(AT_BYTES_SENT), 6000);
	assert_int_equal(told(AT_BYTES_ACKED), 5000);
	assert_int_equal(told(AT_BYTES_RECEIVED), 2000);
	assert_int_equal((u32)told(AT_DSACK_DUPS), 1);
	assert_int_equal((u32)told(AT_RCV_OOOPACK), 1);
	in("F. 2001(0) ack 5001");
	ask(fd);
	assert_int_equal(told(AT_BYTES_RECEIVED), 2000);
	assert_int_equal(tp_read(fd, 1500), 500);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

static void expect_segments(int fd, u32 out, u32 data_out, u32 came, u32 data_came)
{
	assert_int_equal(said(fd, AT_SEGS_OUT), out);
	assert_int_equal(said(fd, AT_DATA_SEGS_OUT), data_out);
	assert_int_equal(said(fd, AT_SEGS_IN), came);
	assert_int_equal(said(fd, AT_DATA_SEGS_IN), data_came);
}

/* The same in segments, each as it was cut: full ones in large packets, short ones by themselves,
 * what was sent twice, and the handshake's. */
static void segments_counted(void **state)
{
	int fd = setup();

	expect_segments(fd, 0, 0, 2, 0);
	assert_int_equal(said(fd, AT_ATO), 0);
	assert_int_equal(said(fd, AT_DELIVERED), 1);
	assert_int_equal(tp_write(fd, 5000), 5000);
	segments(1, 5);
	assert_int_equal(said(fd, AT_UNACKED), 5);
	in(". 1(0) ack 1 <sack 1001:2001>");
	assert_int_equal(said(fd, AT_SACKED), 1);
	assert_int_equal(said(fd, AT_DELIVERED), 2);
	in(". 1(0) ack 1 <sack 1001:5001>");
	out(". 1(1000) ack 1");
	assert_int_equal(said(fd, AT_RETRANS), 1);
	assert_int_equal(said(fd, AT_LOST), 0);
	expect_segments(fd, 6, 6, 4, 0);
	in(". 1(0) ack 5001");
	assert_int_equal(said(fd, AT_DELIVERED), 6);
	assert_int_equal(said(fd, AT_UNACKED), 0);
	in("P. 1:11(10) ack 5001");
	out_within(5, 50, ". 5001(0) ack 11");
	expect_segments(fd, 7, 6, 6, 1);
	assert_int_equal(said(fd, AT_ATO), 40000);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(tp_write(fd, 10), 10);
	tp_forget();
	assert_int_equal(said(fd, AT_UNACKED), 3);
	in("P. 11:21(10) ack 5031");
	assert_int_equal(said(fd, AT_DELIVERED), 9);
	/* out of order, and a probe of the window's left edge */
	in("P. 31:41(10) ack 5031");
	in(". 20(0) ack 5031");
	tp_forget();
	assert_int_equal(said(fd, AT_SEGS_IN), 9);
	assert_int_equal(said(fd, AT_DATA_SEGS_IN), 3);
	assert_int_equal(said(fd, AT_DELIVERED_CE), 0);
	tp_finish(fd);
	tp_down();
}

/* What arrived beside a mark (RFC 3168), by the peer's word. */
static void delivered_with_marks(void **state)
{
	int lfd, fd;

	tp_up_quiet();
	lfd = tp_listen();
	in("SEW 0(0) <mss 1000,sackOK>");
	out("S.E 0(0) ack 1");
	in(". 1(0) ack 1");
	fd = tp_take(lfd);
	assert_int_equal(said(fd, AT_DELIVERED), 1);
	assert_int_equal(tp_write(fd, 4000), 4000);
	segments(1, 4);
	in(". 1(0) ack 1001");
	assert_int_equal(said(fd, AT_DELIVERED_CE), 0);
	in(".E 1(0) ack 3001");
	in(".E 1(0) ack 4001");
	assert_int_equal(said(fd, AT_DELIVERED), 5);
	assert_int_equal(said(fd, AT_DELIVERED_CE), 3);
	tp_forget();
	tp_finish(fd);
	assert_int_equal(c_close(lfd), 0);
	tp_down();
}

/* A sender's flights of 10 segments every 30 ms, each an answer to the ACKs of the one before. */
static void receive(int fd, u32 *at, u32 flights)
{
	for (u32 i = 0; i < flights; i++) {
		for (u32 k = 0; k < 10; k++, *at += 1000) {
			inf("P. %u:%u(1000) ack 1", *at, *at + 1000);
			tp_read(fd, 1000);
		}
		while (tp_next())
			;
		sim_run_ms(30);
		tp.ts_echo = tp.ts_val ? tp.ts_val : tp.ts_echo;
		tp.ts_value += 30;
	}
}

/* One who only receives knows the round trip too. */
static void receiver_round_trip(void **state)
{
	u32 at = 1;
	int fd;

	tp_up_quiet();
	fd = tp_accepted("mss 1000,sackOK,ts 1 0");
	assert_int_equal(said(fd, AT_RCV_RTT), 0);
	receive(fd, &at, 10);
	assert_in_range(said(fd, AT_RCV_RTT), 20000, 31000);
	tp_finish(fd);
	/* without time stamps: what lies behind the window was sent a round trip later, or more */
	tp_new(5001, 80);
	fd = tp_accepted("mss 1000,sackOK");
	at = 1;
	receive(fd, &at, 1);
	assert_int_equal(said(fd, AT_RCV_RTT), 0);
	receive(fd, &at, 20);
	assert_in_range(said(fd, AT_RCV_RTT), 30000, 300000);
	tp_finish(fd);
	tp_down();
}

/* Short segments at the start wait for an answer to ride on, but not where the user says no. */
static void quickack(void **state)
{
	int fd = setup();

	in("P. 1:11(10) ack 1");
	out_within(5, 50, ". 1(0) ack 11");
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_QUICKACK, 1), 0);
	in("P. 11:21(10) ack 1");
	out(". 1(0) ack 21");
	in("P. 21:31(10) ack 1");
	out(". 1(0) ack 31");
	/* a program that answers has no more use for it */
	in("P. 31:41(10) ack 1");
	out(". 1(0) ack 41");
	assert_int_equal(tp_write(fd, 10), 10);
	out("P. 1(10) ack 41");
	in("P. 41:51(10) ack 11");
	out_within(5, 50, ". 11(0) ack 51");
	tp_finish(fd);
	tp_down();
}

/* tcp(7): the flag is not permanent. */
static void quickack_ends(void **state)
{
	int fd = setup();
	u32 i;

	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_QUICKACK, 0), 0);
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_QUICKACK), 0);
	in("P. 1:11(10) ack 1");
	out_within(39, 50, ". 1(0) ack 11");
	/* the delayed ACK found nothing to ride on: that mode is over by itself */
	assert_int_equal(c_getint(fd, IPPROTO_TCP, TCP_QUICKACK), 1);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_QUICKACK, 1), 0);
	for (i = 1; i <= 16; i++) {
		inf("P. %u:%u(10) ack 1", 10 * i + 1, 10 * i + 11);
		outf(". 1(0) ack %u", 10 * i + 11);
	}
	in("P. 171:181(10) ack 1");
	out_within(5, 50, ". 1(0) ack 181");
	/* what was put off goes as the option is set */
	in("P. 181:191(10) ack 1");
	silence(2);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_QUICKACK, 1), 0);
	out(". 1(0) ack 191");
	tp_finish(fd);
	tp_down();
}

/* The first segments after a pause are answered at once: their sender's window is small again. */
static void acks_after_a_pause(void **state)
{
	u32 i, at = 1, n = 0;
	int fd = setup();

	for (i = 0; i < 40; i++, at += 1000) {
		inf("P. %u:%u(1000) ack 1", at, at + 1000);
		sim_run_ms(1);
	}
	sim_run_ms(100);
	tp_forget();
	tp_read(fd, 40000);
	sim_run_ms(1);
	tp_forget();
	inf("P. %u:%u(1000) ack 1", at, at + 1000);
	silence(5);
	sim_run_s(3);
	tp_forget();
	for (i = 0, at += 1000; i < 10; i++, at += 1000) {
		inf("P. %u:%u(1000) ack 1", at, at + 1000);
		n += tp_waiting();
		tp_forget();
	}
	assert_int_equal(n, 10);
	tp_finish(fd);
	tp_down();
}

static void no_upper_layer(void **state)
{
	int fd = setup();

	assert_int_equal(c_setopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4), -ENOENT);
	tp_finish(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivery_rate),
		cmocka_unit_test(pacing_rate),
		cmocka_unit_test(busy_and_limited),
		cmocka_unit_test(limited_by_its_buffer),
		cmocka_unit_test(counts),
		cmocka_unit_test(segments_counted),
		cmocka_unit_test(delivered_with_marks),
		cmocka_unit_test(receiver_round_trip),
		cmocka_unit_test(quickack),
		cmocka_unit_test(quickack_ends),
		cmocka_unit_test(acks_after_a_pause),
		cmocka_unit_test(no_upper_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
