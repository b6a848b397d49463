/* SPDX-License-Identifier: MIT */
/* test_sim_udp.c - UDP in the simulated host: what goes over the wire byte by byte, who gets what,
 * ICMP errors, malformed and random datagrams, no memory, and the module leaving with sockets open.
 */
#include "udp_host.h"

#include <kernel/net/pkt_internal.h>

static void peer_udp(u32 dst, u16 sport, u16 dport, const void *p, u32 len)
{
	struct ipv4_fields h = { .src = PEER, .dst = dst, .proto = UDP };
	u8 u[2048];

	peer_ipv4(&peer, dst == HOST ? host_mac : broadcast_mac, &h, u,
		  datagram(u, PEER, dst, sport, dport, p, len));
	sim_run_ms(2);
}

static void comes_in(void **state)
{
	struct socket *s;

	udp_host_up();
	s = bound(0, 5000);
	peer_udp(HOST, 7777, 5000, "hello", 5);
	assert_int_equal(receive(s), 5);
	assert_memory_equal(data, "hello", 5);
	peer_udp(HOST, 7777, 5000, "", 0);
	assert_int_equal(receive(s), 0);
	assert_int_equal(receive(s), -EAGAIN);
	sock_close(s);
	udp_host_down();
}

static void goes_out(void **state)
{
	static const u32 sizes[] = { 0, 1, 2, 3, 100, 1471, 1472 };
	const struct frame *f;
	struct socket *s;
	u8 sent[1472], want[2048];
	u32 i;

	udp_host_up();
	stack_know_peer();
	s = bound(0, 5000);
	for (i = 0; i < sizeof(sent); i++)
		sent[i] = i * 3;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(send_to(s, PEER, 9000 + i, sent, sizes[i]), sizes[i]);
		sim_run_ms(2);
		f = peer_take_proto(&peer, UDP);
		assert_non_null(f);
		assert_true(frame_sound(f));
		datagram(want, HOST, PEER, 5000, 9000 + i, sent, sizes[i]);
		assert_memory_equal(frame_ip(f) + 20, want, 8 + sizes[i]);
	}
	/* a sum that comes out as 0 is sent as 0xffff (RFC 768) */
	put_be16(sent, 0);
	datagram(want, HOST, PEER, 5000, 9000, sent, 2);
	put_be16(sent, get_be16(want + 6));
	assert_int_equal(send_to(s, PEER, 9000, sent, 2), 2);
	sim_run_ms(2);
	f = peer_take_proto(&peer, UDP);
	assert_int_equal(get_be16(frame_ip(f) + 26), 0xffff);
	sock_close(s);
	udp_host_down();
}

static void fragments_are_summed(void **state)
{
	struct socket *s;
	u32 i;

	udp_host_up();
	s = bound(IP4(127, 0, 0, 1), 5000);
	assert_int_equal(send_to(s, IP4(127, 0, 0, 1), 5000, data, 65507), 65507);
	sim_run_ms(5);
	assert_int_equal(receive(s), 65507);
	assert_int_equal(send_to(s, IP4(127, 0, 0, 1), 5000, data, 65508), -EMSGSIZE);
	sock_close(s);
	/* over the wire: the first of three fragments has the checksum of all */
	stack_know_peer();
	s = bound(0, 5000);
	memset(data, 0x55, 4000);
	assert_int_equal(send_to(s, PEER, 9, data, 4000), 4000);
	sim_run_ms(2);
	for (i = 0; i < 3; i++) {
		const struct frame *f = peer_take_proto(&peer, UDP);

		assert_non_null(f);
		memcpy(data + 20000 + (get_be16(frame_ip(f) + 6) & 0x1fff) * 8, frame_ip(f) + 20,
		       get_be16(frame_ip(f) + 2) - 20);
	}
	put_be32(data + 19988, HOST);
	put_be32(data + 19992, PEER);
	put_be16(data + 19996, UDP);
	put_be16(data + 19998, 4008);
	assert_int_equal(wire_sum(data + 19988, 12 + 4008), 0);
	sock_close(s);
	udp_host_down();
}

static void connected_first(void **state)
{
	struct socket *all, *mine;

	udp_host_up();
	stack_know_peer();
	mine = bound(0, 5000);
	assert_int_equal(sock_setopt(mine, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 4), 0);
	all = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(all, 0, 5000), -EADDRINUSE);
	assert_int_equal(sock_setopt(all, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 4), 0);
	assert_int_equal(sock_bind(all, 0, 5000), 0);
	assert_int_equal(connect_to(mine, PEER, 7000), 0);
	peer_udp(HOST, 7000, 5000, "mine", 4);
	peer_udp(HOST, 7001, 5000, "others", 6);
	assert_int_equal(receive(mine), 4);
	assert_int_equal(receive(all), 6);
	assert_int_equal(receive(mine), -EAGAIN);
	assert_int_equal(receive(all), -EAGAIN);
	sock_close(mine);
	peer_udp(HOST, 7000, 5000, "left", 4);
	assert_int_equal(receive(all), 4);
	sock_close(all);
	udp_host_down();
}

static void broadcast_for_each(void **state)
{
	struct socket *s[3];
	u32 i;

	udp_host_up();
	for (i = 0; i < 3; i++) {
		s[i] = sock_open(SOCK_DGRAM, 0);
		sock_setopt(s[i], SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 4);
		assert_int_equal(sock_bind(s[i], i == 2 ? HOST : 0, 5000), 0);
	}
	peer_udp(HOST_BROADCAST, 7000, 5000, "all", 3);
	assert_int_equal(receive(s[0]), 3);
	assert_int_equal(receive(s[1]), 3);
	assert_int_equal(receive(s[2]), -EAGAIN); /* bound to one address */
	assert_int_equal(send_to(s[0], HOST_BROADCAST, 9, "x", 1), -EACCES);
	drops_mark();
	peer_udp(HOST_BROADCAST, 7000, 5001, "none", 4);
	assert_int_equal(drops_since(DROP_NO_SOCKET), 1);
	assert_null(peer_take_icmp(&peer, -1, -1));
	for (i = 0; i < 3; i++)
		sock_close(s[i]);
	udp_host_down();
}

static void closed_ports(void **state)
{
	const struct frame *f;
	u32 i;

	udp_host_up();
	stack_know_peer();
	peer_udp(HOST, 7000, 5000, "nobody", 6);
	f = peer_take_icmp(&peer, 3, 3);
	assert_non_null(f);
	assert_true(frame_sound(f));
	for (i = 0; i < 500; i++)
		peer_udp(HOST, 7000, 5000 + i, "nobody", 6);
	assert_true(peer_count_icmp(&peer, 3) <= 10);
	udp_host_down();
}

static void quote_to(u16 sport, u16 dport, u8 code, u32 quoted)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	struct ipv4_fields inner = { .src = HOST, .dst = PEER, .proto = UDP };
	u8 u[64], f[128], m[128];

	datagram(u, HOST, PEER, sport, dport, "data", 4);
	frame_ipv4(f, peer_mac, host_mac, &inner, u, 12);
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 3, code, 576, f + 14, quoted));
	sim_run_ms(2);
}

static void errors_find_their_socket(void **state)
{
	struct socket *c, *u;

	udp_host_up();
	stack_know_peer();
	c = bound(0, 5000);
	u = bound(0, 5001);
	assert_int_equal(connect_to(c, PEER, 9), 0);
	quote_to(5001, 9, 3, 32);
	assert_int_equal(receive(u), -EAGAIN); /* not connected, did not ask */
	quote_to(5000, 10, 3, 32);
	quote_to(5002, 9, 3, 32);
	quote_to(5000, 9, 3, 27); /* less than RFC 792 wants */
	assert_int_equal(receive(c), -EAGAIN);
	quote_to(5000, 9, 3, 28);
	assert_int_equal(receive(c), -ECONNREFUSED);
	assert_int_equal(receive(c), -EAGAIN);
	quote_to(5000, 9, 1, 32);
	assert_int_equal(receive(c), -EAGAIN); /* soft */
	assert_int_equal(sock_setopt(u, SOL_IP, IP_RECVERR, &(int){ 1 }, 4), 0);
	quote_to(5001, 9, 3, 32);
	assert_int_equal(receive(u), -ECONNREFUSED);
	assert_int_equal(sock_recv(u, data, 64, MSG_ERRQUEUE, NULL), 4);
	assert_memory_equal(data, "data", 4);
	quote_to(5000, 9, 4, 32);
	assert_int_equal(receive(c), -EMSGSIZE);
	quote_to(5001, 9, 3, 32); /* left in the queue at close */
	sock_close(c);
	sock_close(u);
	udp_host_down();
}

static void malformed(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = UDP };
	static const u16 lengths[] = { 0, 1, 7, 13, 0x8000, 0xffff };
	struct socket *s;
	u8 u[64];
	u32 i;

	udp_host_up();
	s = bound(0, 5000);
	drops_mark();
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		datagram(u, PEER, HOST, 1, 5000, "data", 4);
		put_be16(u + 4, lengths[i]);
		peer_ipv4(&peer, host_mac, &h, u, 12);
	}
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_BAD_LENGTH), ARRAY_SIZE(lengths));
	for (i = 0; i < 8; i++)
		peer_ipv4(&peer, host_mac, &h, u, i);
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_TRUNCATED), 8);
	datagram(u, PEER, HOST, 1, 5000, "data", 4);
	for (i = 0; i < 12 * 8; i++) {
		u[i / 8] ^= 1 << i % 8;
		peer_ipv4(&peer, host_mac, &h, u, 12);
		u[i / 8] ^= 1 << i % 8;
	}
	sim_run_ms(5);
	assert_int_equal(receive(s), -EAGAIN); /* each flipped bit was seen */
	put_be16(u + 6, 0);
	peer_ipv4(&peer, host_mac, &h, u, 12);
	sim_run_ms(2);
	assert_int_equal(receive(s), 4); /* no checksum at all is allowed */
	sock_close(s);
	udp_host_down();
}

static void random_datagrams(void **state)
{
	struct ipv4_fields h = { .src = PEER, .proto = UDP };
	struct socket *s, *c;
	u8 u[600];
	u32 i, k;

	udp_host_up();
	s = bound(0, 5000);
	c = bound(0, 5001);
	assert_int_equal(connect_to(c, PEER, 5001), 0);
	for (i = 0; i < 5000; i++) {
		u32 len = sim_random() % (i % 3 ? 24 : 600);

		for (k = 0; k < len; k++)
			u[k] = sim_random();
		if (len >= 8 && sim_random() % 4) {
			put_be16(u + 2, 5000 + sim_random() % 3);
			put_be16(u + 4, sim_random() % 2 ? len : sim_random() % (len + 3));
			put_be16(u + 6, 0);
		}
		h.dst = sim_random() % 4 ? HOST : HOST_BROADCAST;
		h.flags_off = sim_random() % 8 ? 0 : sim_random() % 4 << 12 | sim_random() % 3;
		peer_ipv4(&peer, h.dst == HOST ? host_mac : broadcast_mac, &h, u, len);
		if (i % 16 == 0)
			sim_run_ms(1);
		receive(s);
		receive(c);
	}
	sim_run_s(40); /* reassembly's time */
	sock_close(s);
	sock_close(c);
	udp_host_down();
}

/* A frame for everybody with a datagram for one is heard if so wished, and teaches nothing: what
 * comes next by itself is taken for what it is, and an unknown port is reported. */
static void for_one_in_a_broadcast(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = UDP };
	struct socket *s;
	u8 u[64];
	u32 len;

	udp_host_up();
	s = bound(0, 5000);
	len = datagram(u, PEER, HOST, 7777, 5000, "many", 4);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/conf/all/drop_unicast_in_l2_multicast", "0"),
			 0);
	peer_ipv4(&peer, broadcast_mac, &h, u, len);
	sim_run_ms(2);
	assert_int_equal(receive(s), 4);
	len = datagram(u, PEER, HOST, 7777, 5999, "many", 4);
	peer_ipv4(&peer, broadcast_mac, &h, u, len);
	sim_run_ms(2);
	assert_null(peer_take_icmp(&peer, -1, -1));
	peer_udp(HOST, 7777, 5999, "one", 3);
	assert_non_null(peer_take_icmp(&peer, 3, 3));
	sock_close(s);
	udp_host_down();
}

static void queue_is_bounded(void **state)
{
	struct socket *s;
	u32 i, got = 0;

	udp_host_up();
	s = bound(0, 5000);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVBUF, &(int){ 10000 }, 4), 0);
	drops_mark();
	for (i = 0; i < 200; i++)
		peer_udp(HOST, 7000, 5000, data, 1000);
	while (receive(s) == 1000)
		got++;
	assert_true(got > 3 && got < 40);
	assert_int_equal(drops_since(DROP_SOCKET_FULL), 200 - got);
	peer_udp(HOST, 7000, 5000, data, 1000);
	assert_int_equal(receive(s), 1000);
	sock_close(s);
	udp_host_down();
}

static void all_ports_taken(void **state)
{
	struct socket *s[6];
	u32 i;

	udp_host_up();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003"), 0);
	for (i = 0; i < 6; i++) {
		s[i] = sock_open(SOCK_DGRAM, 0);
		assert_int_equal(sock_bind(s[i], 0, 0), i < 4 ? 0 : -EADDRINUSE);
	}
	assert_int_equal(send_to(s[5], HOST, 9, "x", 1), -EAGAIN);
	sock_close(s[2]);
	assert_int_equal(sock_bind(s[4], 0, 0), 0);
	sim_root = false;
	assert_int_equal(sock_bind(s[5], 0, 53), -EACCES);
	sim_root = true;
	for (i = 0; i < 6; i++)
		if (i != 2)
			sock_close(s[i]);
	udp_host_down();
}

static void without_memory(void **state)
{
	u32 every, i;

	for (every = 2; every < 12; every++) {
		struct socket *s[8];

		udp_host_up();
		sim_seed(every);
		sim_fail_every(every);
		for (i = 0; i < 8; i++) {
			s[i] = sock_open(SOCK_DGRAM, 0);
			if (IS_ERR(s[i]))
				continue;
			sock_setopt(s[i], SOL_IP, IP_RECVERR, &(int){ 1 }, 4);
			sock_bind(s[i], 0, i % 2 ? 0 : 5000 + i);
			connect_to(s[i], i % 3 ? PEER : HOST, 9);
			sock_setopt(s[i], UDP, 1, &(int){ 1 }, 4);
			send_to(s[i], 0, 0, data, 3000);
			sock_setopt(s[i], UDP, 1, &(int){ 0 }, 4);
			send_to(s[i], HOST, 5000, data, 100);
			peer_udp(HOST_BROADCAST, 9, 5000 + i, "all", 3);
			quote_to(5000 + i, 9, 3, 32);
			sim_run_ms(10);
			receive(s[i]);
		}
		for (i = 0; i < 8; i++)
			if (!IS_ERR(s[i]))
				sock_close(s[i]);
		sim_fail_every(0);
		sim_run_s(5);
		udp_host_down();
	}
}

static void leaves(void **state)
{
	struct socket *s;

	udp_host_up();
	stack_know_peer();
	s = bound(0, 5000);
	peer_udp(HOST, 7000, 5000, "waits", 5);
	assert_int_equal(sim_rmmod("udp", false), -EAGAIN); /* as Linux: busy */
	assert_true(sim_log_has("udp: 1 socket"));
	assert_int_equal(sim_rmmod("udp", true), 0);
	assert_int_equal(receive(s), -ECONNABORTED);
	peer_udp(HOST, 7000, 5000, "gone", 4);
	assert_non_null(peer_take_icmp(&peer, 3, 2));
	assert_null(sim_read("/proc/net/udp"));
	sock_close(s);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = bound(0, 5000);
	peer_udp(HOST, 7000, 5000, "back", 4);
	assert_int_equal(receive(s), 4);
	sock_close(s);
	udp_host_down();
}

/* Over lo who does not read loses what is too much, as everywhere; who sends goes on, and nothing
 * of the transmit pool waits with the reader. */
static void unread_over_lo(void **state)
{
	struct socket *from, *to;
	struct pkt_stats before, after;

	udp_host_up();
	from = bound(IP4(127, 0, 0, 1), 1000);
	to = bound(IP4(127, 0, 0, 1), 2000);
	pkt_stats_get(&before);
	for (u32 i = 0; i < 1000; i++) {
		assert_int_equal(send_to(from, IP4(127, 0, 0, 1), 2000, data, 1000), 1000);
		sim_run(10 * NSEC_PER_USEC);
	}
	pkt_stats_get(&after);
	assert_int_equal(socket_tx_bytes(from), 0);
	assert_true(after.used[PKT_POOL_TX] <= before.used[PKT_POOL_TX]);
	assert_true(to->rx_bytes >= to->rcvbuf);
	assert_true(to->rx_drops > 0);
	sock_close(from);
	sock_close(to);
	udp_host_down();
}

/* However many hold as little as one packet each: the network goes on. */
static void unread_datagrams_of_many_sockets(void **state)
{
	static struct socket *s[1500];
	u32 i;

	udp_host_up();
	stack_know_peer();
	pkt_limit_set(PKT_POOL_RX, 2 << 20);
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = bound(0, 10000 + i);
		peer_udp(HOST, 7777, 10000 + i, "unread", 6);
		sim_run(10 * NSEC_PER_USEC);
	}
	assert_true(pkt_rx_last);
	peer_forget(&peer);
	for (i = 0; i < 50; i++)
		peer_echo(&peer, host_mac, HOST, 3, i, 100);
	sim_run_ms(1);
	assert_int_equal(peer_count_icmp(&peer, 0), 50);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		sock_close(s[i]);
	assert_false(pkt_rx_last);
	udp_host_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_in),
		cmocka_unit_test(unread_datagrams_of_many_sockets),
		cmocka_unit_test(goes_out),
		cmocka_unit_test(fragments_are_summed),
		cmocka_unit_test(connected_first),
		cmocka_unit_test(broadcast_for_each),
		cmocka_unit_test(closed_ports),
		cmocka_unit_test(errors_find_their_socket),
		cmocka_unit_test(malformed),
		cmocka_unit_test(random_datagrams),
		cmocka_unit_test(for_one_in_a_broadcast),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(all_ports_taken),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(leaves),
		cmocka_unit_test(unread_over_lo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
