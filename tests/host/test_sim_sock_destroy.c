/* SPDX-License-Identifier: MIT */
/* test_sim_sock_destroy.c - sockets that root ends from outside (SOCK_DESTROY): connections,
 * listeners, what is left of connections, datagram sockets, and who sleeps in them. */
#include "diag_calls.h"

static int destroy(u8 protocol, const struct inet_diag_sockid *id)
{
	struct request r;

	inet_request(&r, SOCK_DESTROY, 0, AF_INET, protocol, 0, 0);
	memcpy(r.b + 16 + 8, id, sizeof(*id));
	return ask(diag, &r);
}

static void connections_are_ended(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	u16 port = c_port(p.client);
	struct inet_diag_sockid id, wrong;
	u8 b;

	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_ESTABLISHED), 0);
	id = by_port(port, 0)->m.id;
	sim_root = false;
	assert_int_equal(destroy(IPPROTO_TCP, &id), -EPERM);
	sim_root = true;
	wrong = id;
	wrong.idiag_cookie[1]++;
	assert_int_equal(destroy(IPPROTO_TCP, &wrong), -ENOENT);
	assert_int_equal(destroy(IPPROTO_TCP, &id), 0);
	assert_int_equal(c_recv(p.client, &b, 1, MSG_DONTWAIT), -ECONNABORTED);
	sim_run_ms(5);
	assert_int_equal(c_recv(p.server, &b, 1, MSG_DONTWAIT), -ECONNRESET);
	assert_int_equal(destroy(IPPROTO_TCP, &id), -ENOENT);
	/* the listener, with a connection that nobody has accepted */
	c_close(p.client);
	p.client = c_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(c_connect(p.client, LOOP, p.port), 0);
	sim_run_ms(5);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_LISTEN), 0);
	assert_int_equal(list[0].m.idiag_rqueue, 1);
	assert_int_equal(destroy(IPPROTO_TCP, &list[0].m.id), 0);
	assert_int_equal(c_error(p.listener), ECONNABORTED);
	assert_int_equal(c_accept(p.listener, SOCK_NONBLOCK), -EINVAL);
	sim_run_ms(5);
	assert_int_equal(c_recv(p.client, &b, 1, MSG_DONTWAIT), -ECONNRESET);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, ALL_STATES), 0);
	assert_int_equal(nr_told, 0);
	tcp_pair_down(&p);
}

static void remains_are_ended(void **state)
{
	struct tcp_pair p = tcp_pair_up();

	tcp_pair_close(&p);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_TIME_WAIT), 0);
	assert_int_equal(nr_told, 1);
	assert_int_equal(destroy(IPPROTO_TCP, &list[0].m.id), 0);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_TIME_WAIT), 0);
	assert_int_equal(nr_told, 0);
	tcp_pair_down(&p);
}

#define TCP_DEFER_ACCEPT 9

/* A handshake that is kept as a request, for data is awaited. */
static void half_open_ones_are_ended(void **state)
{
	int listener = tcp_listener(0, 8), client = c_socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(c_setint(listener, SOL_TCP, TCP_DEFER_ACCEPT, 10), 0);
	assert_int_equal(c_connect(client, LOOP, c_port(listener)), 0);
	sim_run_ms(5);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0xff, 1u << ST_SYN_RECV), 0);
	assert_int_equal(nr_told, 1);
	assert_int_equal(list[0].m.idiag_timer, 1);
	assert_int_equal(list[0].m.idiag_inode, 0);
	assert_int_equal(list[0].m.id.idiag_dport, htons(c_port(client)));
	assert_int_equal(destroy(IPPROTO_TCP, &list[0].m.id), 0);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_SYN_RECV), 0);
	assert_int_equal(nr_told, 0);
	c_close(client);
	c_close(listener);
}

static int blocked_reader(void *arg)
{
	u8 b;

	return c_recv(*(int *)arg, &b, 1, 0);
}

static void sleepers_are_woken(void **state)
{
	struct tcp_pair p = tcp_pair_up();
	u16 port = c_port(p.client);
	int udp = udp_at(1000);
	struct thread *a, *b;

	a = kthread_run(blocked_reader, &p.client, "tcp");
	b = kthread_run(blocked_reader, &udp, "udp");
	sim_run_ms(5);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_TCP, 0, 1u << ST_ESTABLISHED), 0);
	assert_int_equal(destroy(IPPROTO_TCP, &by_port(port, 0)->m.id), 0);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_UDP, 0, ALL_STATES), 0);
	assert_int_equal(destroy(IPPROTO_UDP, &by_port(1000, 0)->m.id), 0);
	sim_run_ms(5);
	assert_int_equal(kthread_stop(a), -ECONNABORTED);
	assert_int_equal(kthread_stop(b), -ECONNABORTED);
	c_close(udp);
	tcp_pair_down(&p);
}

static void datagram_sockets_are_disconnected(void **state)
{
	int fd = c_socket(AF_INET, SOCK_DGRAM, 0), raw = c_socket(AF_INET, SOCK_RAW, 200);

	assert_int_equal(c_connect(fd, PEER, 53), 0);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_UDP, 0, 1u << ST_ESTABLISHED), 0);
	assert_int_equal(nr_told, 1);
	assert_int_equal(list[0].m.id.idiag_dport, htons(53));
	assert_int_equal(destroy(IPPROTO_UDP, &list[0].m.id), 0);
	assert_int_equal(c_error(fd), ECONNABORTED);
	assert_int_equal(c_peer_port(fd), -ENOTCONN);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_UDP, 0, ALL_STATES), 0);
	assert_int_equal(nr_told, 0);
	assert_int_equal(c_connect(raw, PEER, 0), 0);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_RAW, 0, ALL_STATES), 0);
	assert_int_equal(nr_told, 1);
	assert_int_equal(list[0].m.idiag_state, ST_ESTABLISHED);
	assert_int_equal(list[0].m.id.idiag_sport, htons(200));
	assert_int_equal(list[0].attr[INET_DIAG_PROTOCOL][0], 200);
	assert_int_equal(destroy(IPPROTO_RAW, &list[0].m.id), 0);
	assert_int_equal(c_error(raw), ECONNABORTED);
	assert_int_equal(ask_inet(AF_INET, IPPROTO_RAW, 0, 1u << ST_CLOSE), 0);
	assert_int_equal(nr_told, 1);
	c_close(fd);
	c_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connections_are_ended),
		TEST(remains_are_ended),
		TEST(half_open_ones_are_ended),
		TEST(sleepers_are_woken),
		TEST(datagram_sockets_are_disconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
