/* SPDX-License-Identifier: MIT */
/* test_sim_stamps.c - when packets left and bytes were acknowledged (SO_TIMESTAMPING), to whom it
 * is told, in which order and how much of it; what a protocol that leaves does with what is queued.
 */
#include "tcp_peer.h"

#include <kernel/net/socket_internal.h>
#include <weft/time.h>

#define KINDS                                                                                 \
	(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | \
	 SOF_TIMESTAMPING_OPT_TSONLY)

static struct socket *s;

struct told {
	long n;
	struct sock_extended_err ee;
	u64 stamp_ns;
};

static struct told next_of(struct socket *from)
{
	struct told t = { 0 };
	static u8 buf[4096], control[256];
	struct iovec v = { buf, sizeof(buf) };
	struct msg m = { .control = control,
			 .control_len = sizeof(control),
			 .flags = MSG_ERRQUEUE | MSG_DONTWAIT };
	struct cmsg_view c;
	size_t pos = 0;
	s64 at[6];

	iter_init(&m.iter, &v, 1, true);
	t.n = socket_recvmsg(from, &m);
	m.control_len = m.control_used;
	while (t.n >= 0 && msg_next_control(&m, &pos, &c)) {
		if (c.level == SOL_SOCKET && c.type == SO_TIMESTAMPING) {
			memcpy(at, c.data, sizeof(at));
			t.stamp_ns = at[0] * NSEC_PER_SEC + at[1];
		} else {
			memcpy(&t.ee, c.data, sizeof(t.ee));
		}
	}
	return t;
}

static void expect(struct socket *from, u32 what, u32 key)
{
	struct told t = next_of(from);

	assert_true(t.n >= 0);
	assert_int_equal(t.ee.ee_errno, ENOMSG);
	assert_int_equal(t.ee.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
	assert_int_equal(t.ee.ee_info, what);
	assert_int_equal(t.ee.ee_data, key);
	assert_true(t.stamp_ns);
}

static void expect_none(struct socket *from)
{
	assert_int_equal(next_of(from).n, -EAGAIN);
	assert_false(from->ops->poll(from) & POLLERR);
}

static void ask(u32 kinds)
{
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_TIMESTAMPING, &kinds, sizeof(kinds)), 0);
}

static void up(int (*stack)(void))
{
	assert_int_equal(stack(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open(SOCK_DGRAM, 0);
}

static void down(void)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

static void sends(u32 n)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr = htonl(PEER),
				  .sin_port = htons(9) };
	struct iovec v = { "hello", 5 };
	struct msg m = { .name = (u8 *)&in, .name_len = sizeof(in), .flags = MSG_DONTWAIT };

	for (u32 i = 0; i < n; i++) {
		iter_init(&m.iter, &v, 1, true);
		assert_int_equal(socket_sendmsg(s, &m), 5);
		sim_run_ms(1);
	}
}

static void each_send_is_told(void **state)
{
	up(stack_up);
	stack_know_peer();
	ask(KINDS | SOF_TIMESTAMPING_TX_SCHED);
	sends(2);
	for (u32 i = 0; i < 2; i++) {
		assert_true(s->ops->poll(s) & POLLERR);
		expect(s, SCM_TSTAMP_SCHED, i);
		expect(s, SCM_TSTAMP_SND, i);
	}
	expect_none(s);
	ask(0);
	sends(1);
	expect_none(s);
	down();
}

/* A datagram that waits for its neighbour has not left. */
static void parked_ones_later(void **state)
{
	up(stack_up_quiet);
	ask(KINDS);
	sends(1);
	sim_run_ms(5);
	expect_none(s);
	stack_know_peer();
	sim_run_ms(5);
	expect(s, SCM_TSTAMP_SND, 0);
	expect_none(s);
	down();
}

/* Who does not read loses what comes last. */
static void bounded(void **state)
{
	u32 i;

	up(stack_up);
	stack_know_peer();
	ask(KINDS);
	for (i = 0; i < SOCKET_NOTICES_MAX + 20; i++) {
		sends(1);
		sim_run_ms(1);
	}
	for (i = 0; i < SOCKET_NOTICES_MAX; i++)
		expect(s, SCM_TSTAMP_SND, i);
	expect_none(s);
	sends(1);
	expect(s, SCM_TSTAMP_SND, SOCKET_NOTICES_MAX + 20);
	down();
}

/* The socket outlives its protocol; what was queued goes with that, and nothing is told any more.
 */
static void protocol_leaves(void **state)
{
	up(stack_up);
	stack_know_peer();
	ask(KINDS);
	sends(3);
	assert_int_equal(sim_rmmod("udp", true), 0);
	assert_int_equal(next_of(s).n, -ECONNABORTED);
	assert_int_equal(s->nr_notices, 0);
	sock_close(s);
	stack_down();
}

/* An interface that goes away under it: the packets' charge is given back, nothing is told. */
static void closed_before_it_left(void **state)
{
	up(stack_up_quiet);
	ask(KINDS);
	sends(1);
	sock_close(s);
	sim_run_ms(10);
	s = sock_open(SOCK_DGRAM, 0);
	stack_know_peer();
	sim_run_ms(10);
	expect_none(s);
	down();
}

/* ---- TCP ---- */

static void acknowledgements(void **state)
{
	struct file *f;
	struct socket *c;
	u32 kinds = KINDS | SOF_TIMESTAMPING_TX_ACK;
	int fd;

	tp_up();
	fd = tp_accepted("mss 1000");
	f = fd_get(fd);
	c = f->priv;
	file_put(f); /* it stays open */
	assert_int_equal(c_setopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &kinds, sizeof(kinds)), 0);
	assert_int_equal(c_setint(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	tp_write(fd, 500);
	out("P. 1:501(500) ack 1");
	expect(c, SCM_TSTAMP_SND, 499);
	expect_none(c);
	in(". 1(0) ack 301"); /* not all of it */
	expect_none(c);
	in(". 1(0) ack 501");
	expect(c, SCM_TSTAMP_ACK, 499);
	expect_none(c);
	/* two sends, one ACK */
	tp_write(fd, 100);
	tp_write(fd, 100);
	out("P. 501:601(100) ack 1");
	out("P. 601:701(100) ack 1");
	expect(c, SCM_TSTAMP_SND, 599);
	expect(c, SCM_TSTAMP_SND, 699);
	in(". 1(0) ack 701");
	expect(c, SCM_TSTAMP_ACK, 599);
	expect(c, SCM_TSTAMP_ACK, 699);
	expect_none(c);
	/* what is never acknowledged is forgotten with the connection */
	tp_write(fd, 100);
	out("P. 701:801(100) ack 1");
	in("R 1(0)");
	c_close(fd);
	tp_down();
}

int main(void)
{
	const struct CMUnitTest udp[] = {
		cmocka_unit_test(each_send_is_told),
		cmocka_unit_test(parked_ones_later),
		cmocka_unit_test(bounded),
		cmocka_unit_test(protocol_leaves),
		cmocka_unit_test(closed_before_it_left),
	};
	const struct CMUnitTest tcp[] = { cmocka_unit_test(acknowledgements) };

	return cmocka_run_group_tests(udp, NULL, NULL) || tp_run(tcp);
}
