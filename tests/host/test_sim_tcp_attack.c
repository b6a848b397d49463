/* SPDX-License-Identifier: MIT */
/* test_sim_tcp_attack.c - segments of somebody who guesses (RFC 5961), old duplicates (RFC 7323 5),
 * ICMP lies (RFC 5927), nonsense in flags, options and acknowledgements. A connection that carries
 * data survives all of it. */
#include "tcp_peer.h"

#include <stdio.h>

static int fd;

static void begin(const char *options)
{
	tp_up();
	fd = tp_accepted(options);
}

/* It still works both ways; octets before have been rx and tx. */
static void alive(u32 rx, u32 tx)
{
	char text[64];

	tp_forget();
	tp.ts_value += 10;
	snprintf(text, sizeof(text), "P. %u(5) ack %u", 1 + rx, 1 + tx);
	in(text);
	sim_run_ms(300);
	assert_int_equal(tp_read(fd, 100), 5);
	tp_forget();
	assert_int_equal(tp_write(fd, 7), 7);
	snprintf(text, sizeof(text), "P. %u(7) ack %u", 1 + tx, 6 + rx);
	out(text);
	tp_finish(fd);
	tp_down();
}

/* 3.2: only the exact number resets; inside the window a challenge is asked, outside nothing. */
static void blind_reset(void **state)
{
	begin("mss 1460");
	in("R 2(0)");
	out(". 1(0) ack 1");
	sim_run_s(1);
	in("R 30000(0)");
	out(". 1(0) ack 1");
	in("R 900000(0)");
	in("R -5(0)");
	silence(20);
	alive(0, 0);
}

/* 4.2: a SYN in a synchronized state is answered with a challenge, whatever its number. */
static void blind_syn(void **state)
{
	begin("mss 1460");
	in("S 5(0) <mss 1460>");
	out(". 1(0) ack 1");
	sim_run_s(1);
	in("S 500000(0) <mss 1460>");
	out(". 1(0) ack 1");
	sim_run_s(1);
	in("S. 0(0) ack 1 <mss 1460>");
	out(". 1(0) ack 1");
	alive(0, 0);
}

/* 5.2: data whose ACK is not near what we have sent. */
static void blind_data(void **state)
{
	begin("mss 1460");
	in("P. 1(10) ack 100000");
	out_within(0, 2, ". 1(0) ack 1");
	sim_run_s(1);
	in("P. 1(10) ack -2000000");
	out_within(0, 2, ". 1(0) ack 1");
	assert_int_equal(tp_read(fd, 100), -EAGAIN);
	alive(0, 0);
}

/* No more challenges than a few, whoever asks. */
static void challenges_are_limited(void **state)
{
	u32 i, n = 0;

	begin("mss 1460");
	for (i = 0; i < 300; i++)
		in("R 2(0)");
	while (tp_next())
		n++;
	assert_true(n >= 1);
	assert_true(n <= 110);
	alive(0, 0);
}

/* RFC 9293 3.10.7.4, first: outside of the window, an ACK. */
static void out_of_window(void **state)
{
	begin("mss 1460");
	in("P. -100(10) ack 1");
	out_within(0, 2, ". 1(0) ack 1");
	sim_run_s(1);
	in("P. 1000000(10) ack 1");
	out_within(0, 2, ". 1(0) ack 1");
	sim_run_s(1);
	in(". 0(0) ack 1"); /* a keepalive probe, RFC 1122 4.2.3.6 */
	out_within(0, 2, ". 1(0) ack 1");
	alive(0, 0);
}

static void no_ack_bit(void **state)
{
	begin("mss 1460");
	in("P 1(10)");
	in("F 1(0)");
	in("U 1(0)");
	silence(50);
	assert_int_equal(tp_read(fd, 100), -EAGAIN);
	alive(0, 0);
}

/* RFC 7323 5.3: an older time stamp is an old duplicate; a reset is not checked for one. */
static void paws(void **state)
{
	begin("mss 1460,sackOK,ts 1000 0");
	in("P. 1(10) ack 1 <ts 2000 *>");
	sim_run_ms(300);
	tp_forget();
	in("P. 11(10) ack 1 <ts 1500 *>");
	out_within(0, 2, ". 1(0) ack 11 <ts * 2000>");
	assert_int_equal(tp_read(fd, 100), 10);
	tp.ts_value = 2500;
	alive(10, 0);
}

/* RFC 7323 3.2: once agreed on, a segment without a time stamp is not taken. */
static void time_stamp_missing(void **state)
{
	begin("mss 1460,ts 1000 0");
	in("P. 1(10) ack 1 <>");
	silence(300);
	assert_int_equal(tp_read(fd, 100), -EAGAIN);
	alive(0, 0);
}

static void bad_checksum(void **state)
{
	begin("mss 1460");
	tp.bad_sum = true;
	in("P. 1(10) ack 1");
	in("R 1(0)");
	tp.bad_sum = false;
	silence(300);
	alive(0, 0);
}

/* All sixty-four flags at once in turn, in an established connection, outside of its window. */
static void all_flags(void **state)
{
	static const char letters[] = "FSRP.U";
	char text[64];
	u32 f, i, n;

	begin("mss 1460");
	for (f = 0; f < 64; f++) {
		for (i = 0, n = 0; i < 6; i++) {
			if (f & 1 << i)
				text[n++] = letters[i];
		}
		snprintf(text + n, sizeof(text) - n, " 2000000(10) ack 1 urg 3");
		in(text);
	}
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	alive(0, 0);
}

/* RFC 9293 3.10.7.4, fifth: an ACK of what was never sent is answered, and drops the segment. */
static void optimistic_ack(void **state)
{
	begin("mss 1460");
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	in("P. 1(10) ack 5000");
	out_within(0, 2, ". 101(0) ack 1");
	assert_int_equal(tp_read(fd, 100), -EAGAIN);
	in(". 1(0) ack 101");
	alive(0, 100);
}

/* SACK blocks of what was not sent, turned round, or empty. */
static void sack_nonsense(void **state)
{
	u32 i;

	begin("mss 1460,sackOK");
	tp_write(fd, 1000);
	out("P. 1(1000) ack 1");
	for (i = 0; i < 50; i++) {
		in(". 1(0) ack 1 <sack 5000:6000>");
		in(". 1(0) ack 1 <sack 900:100>");
		in(". 1(0) ack 1 <sack 500:500,nop>");
		in(". 1(0) ack 1 <sack -90000:90000>");
		in(". 1(0) ack 1 <sack -500:-100>");
		in(". 1(0) ack 1 <raw 050a0000>");
	}
	sim_run_ms(10);
	in(". 1(0) ack 1001");
	alive(0, 1000);
}

/* RFC 5927: an error only counts when it quotes what is in flight; hard ones are soft once
 * connected (4.1, RFC 5461). */
static void icmp_errors(void **state)
{
	u8 code;

	begin("mss 1460");
	tp_write(fd, 100);
	out("P. 1(100) ack 1");
	for (code = 0; code < 16; code++) {
		tp_icmp(3, code, code == 4 ? 1000 : 0, 50000); /* not in flight */
		if (code != 4)
			tp_icmp(3, code, 0, 1);
	}
	tp_icmp(11, 0, 0, 1);
	tp_icmp(4, 0, 0, 1); /* source quench, RFC 6633 */
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	in(". 1(0) ack 101");
	alive(0, 100);
}

/* RFC 1191, 5927 7.2: an absurd MTU is not believed. */
static void icmp_small_mtu(void **state)
{
	begin("mss 1460");
	tp_write(fd, 4000);
	out(". 1(1460) ack 1");
	out(". 1461(1460) ack 1");
	out("P. 2921(1080) ack 1");
	tp_icmp(3, 4, 10, 1);
	tp_icmp(3, 4, 0, 1);
	tp_icmp(3, 4, 65535, 1);
	sim_run_ms(20);
	while (tp_next())
		assert_true(tp.len > 100);
	in(". 1(0) ack 4001");
	alive(0, 4000);
}

static void icmp_in_handshake(void **state)
{
	tp_up();
	fd = c_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c_bind(fd, 0, TP_HOST_PORT);
	c_connect(fd, PEER, TP_PEER_PORT);
	out("S 0(0)");
	tp_icmp(3, 3, 0, 77); /* another number */
	assert_int_equal(tp_state(fd), ST_SYN_SENT);
	tp_icmp(3, 3, 0, 0);
	assert_int_equal(c_error(fd), ECONNREFUSED);
	c_close(fd);
	tp_down();
}

/* RFC 1337, RFC 9293 3.10.7.4: data and FIN lies after the FIN. */
static void data_behind_fin(void **state)
{
	begin("mss 1460");
	in("F. 1(10) ack 1");
	sim_run_ms(100);
	tp_forget();
	in("P. 12(20) ack 1");
	in("F. 30(5) ack 1");
	sim_run_ms(100);
	assert_int_equal(tp_read(fd, 100), 10);
	assert_int_equal(tp_read(fd, 100), 0);
	tp_finish(fd);
	tp_down();
}

/* The window's edge: what is over it is cut. */
static void beyond_the_window(void **state)
{
	u32 i, n = 0;
	char text[64];
	long got;

	begin("mss 1460");
	c_setint(fd, SOL_SOCKET, SO_RCVBUF, 4000);
	for (i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "P. %u(1400) ack 1", 1 + i * 1400);
		in(text);
	}
	sim_run_ms(100);
	while ((got = tp_read(fd, 5000)) > 0)
		n += got;
	assert_true(n > 0 && n < 200 * 1400);
	tp_forget();
	tp_finish(fd);
	tp_down();
}

/* CVE-2018-5390: thousands of one-octet pieces out of order cost bounded memory and time. */
static void tiny_out_of_order(void **state)
{
	struct sim_memory before, after;
	char text[64];
	u32 i;

	begin("mss 1460,sackOK");
	sim_memory_get(&before);
	for (i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "P. %u(1) ack 1", 10000 - i * 2);
		in(text);
	}
	sim_memory_get(&after);
	assert_true(after.bytes < before.bytes + 2000000);
	tp_forget();
	assert_int_equal(tp_state(fd), ST_ESTABLISHED);
	tp_finish(fd);
	tp_down();
}

/* SYN flood: what is kept is bounded, cookies answer, and a live connection and a new one work (RFC
 * 4987). */
static void syn_flood(void **state)
{
	struct sim_memory before, after;
	int listener, other;
	u32 i;

	begin("mss 1460");
	listener = tp_listen();
	sim_memory_get(&before);
	for (i = 0; i < 3000; i++) {
		u16 keep = tp.port;

		tp.port = 10000 + i;
		in("S 0(0) <mss 1460>");
		tp.port = keep;
	}
	sim_memory_get(&after);
	assert_true(after.bytes < before.bytes + 300000);
	peer_forget(&peer);
	/* by cookie */
	{
		struct tcp_peer keep = tp;

		tp_new(9000, TP_HOST_PORT);
		in("S 0(0) <mss 1460,sackOK,ts 50 0,wscale 7>");
		out("S. 0(0) ack 1 <mss *,sackOK,ts * 50,wscale *>");
		tp.ts = true;
		in(". 1(0) ack 1");
		other = c_accept(listener, SOCK_NONBLOCK);
		assert_true(other >= 0);
		in("P. 1(1400) ack 1");
		sim_run_ms(300);
		tp_finish(other);
		tp = keep;
	}
	c_close(listener);
	sim_run_ms(10);
	tp_forget();
	alive(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blind_reset),
		cmocka_unit_test(blind_syn),
		cmocka_unit_test(blind_data),
		cmocka_unit_test(challenges_are_limited),
		cmocka_unit_test(out_of_window),
		cmocka_unit_test(no_ack_bit),
		cmocka_unit_test(paws),
		cmocka_unit_test(time_stamp_missing),
		cmocka_unit_test(bad_checksum),
		cmocka_unit_test(all_flags),
		cmocka_unit_test(optimistic_ack),
		cmocka_unit_test(sack_nonsense),
		cmocka_unit_test(icmp_errors),
		cmocka_unit_test(icmp_small_mtu),
		cmocka_unit_test(icmp_in_handshake),
		cmocka_unit_test(data_behind_fin),
		cmocka_unit_test(beyond_the_window),
		cmocka_unit_test(tiny_out_of_order),
		cmocka_unit_test(syn_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
