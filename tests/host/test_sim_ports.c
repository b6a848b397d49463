/* SPDX-License-Identifier: MIT */
/* test_sim_ports.c - ports that the stack picks and ports that programs share: the range, reserved
 * and privileged ones, what may be bound twice (RFC 6056, socket(7)), how SO_REUSEPORT spreads
 * peers, and how many may share one. */
#include "stack.h"

static void setup(void)
{
	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	stack_know_peer();
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

static struct socket *opened(int opt)
{
	struct socket *s = sock_open(SOCK_DGRAM, 0);

	assert_false(IS_ERR(s));
	if (opt)
		assert_int_equal(sock_setopt(s, SOL_SOCKET, opt, &(int){ 1 }, 4), 0);
	return s;
}

static u16 port_of(struct socket *s)
{
	u8 name[SOCKADDR_MAX];
	u32 len;

	assert_int_equal(s->ops->name(s, name, &len, SOCKET_NAME_OWN), 0);
	return get_be16(name + 2);
}

static void picked_within_the_range(void **state)
{
	struct socket *s[8];
	u32 i;

	setup();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 39999"),
			 -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "0 39999"), -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000"), -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40000\t40009"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv4/ip_local_port_range"), "40000\t40009\n");
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_reserved_ports", "40003-40002"),
			 -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_reserved_ports", "1,70000"),
			 -EINVAL);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_reserved_ports",
				   "40007,40000-40001,8080"),
			 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv4/ip_local_reserved_ports"),
			    "8080,40000-40001,40007\n");
	for (i = 0; i < 8; i++) {
		s[i] = opened(0);
		assert_int_equal(sock_bind(s[i], 0, 0), i < 7 ? 0 : -EADDRINUSE);
		if (i < 7)
			assert_true(port_of(s[i]) >= 40002 && port_of(s[i]) <= 40009 &&
				    port_of(s[i]) != 40007);
	}
	/* reserved ones may be asked for by name */
	assert_int_equal(sock_bind(s[7], 0, 40000), 0);
	for (i = 0; i < 8; i++)
		sock_close(s[i]);
	teardown();
}

static void a_crowded_range(void **state)
{
	static struct socket *s[300];
	u32 i;

	setup();
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_local_port_range", "40001 40290"), 0);
	for (i = 0; i < 300; i++) {
		s[i] = opened(0);
		assert_int_equal(sock_bind(s[i], 0, 0), i < 290 ? 0 : -EADDRINUSE);
	}
	for (i = 0; i < 300; i++)
		sock_close(s[i]);
	teardown();
}

static void who_may_share(void **state)
{
	struct socket *plain, *addr, *addr2, *port, *port2, *one;

	setup();
	plain = opened(0);
	addr = opened(SO_REUSEADDR);
	addr2 = opened(SO_REUSEADDR);
	port = opened(SO_REUSEPORT);
	port2 = opened(SO_REUSEPORT);
	one = opened(0);
	assert_int_equal(sock_bind(addr, 0, 5000), 0);
	assert_int_equal(sock_bind(plain, 0, 5000), -EADDRINUSE);
	assert_int_equal(sock_bind(plain, HOST, 5000), -EADDRINUSE);
	assert_int_equal(sock_bind(port, 0, 5000), -EADDRINUSE);
	assert_int_equal(sock_bind(addr2, 0, 5000), 0);
	assert_int_equal(sock_bind(port, 0, 5001), 0);
	port2->uid = 1000; /* somebody else's */
	assert_int_equal(sock_bind(port2, 0, 5001), -EADDRINUSE);
	port2->uid = port->uid;
	assert_int_equal(sock_bind(port2, 0, 5001), 0);
	assert_int_equal(sock_bind(plain, HOST, 5002), 0);
	assert_int_equal(sock_bind(one, IP4(127, 0, 0, 1), 5002), -EADDRNOTAVAIL); /* lo is down */
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	assert_int_equal(sock_bind(one, IP4(127, 0, 0, 1), 5002), 0);
	sock_close(plain);
	sock_close(addr);
	sock_close(addr2);
	sock_close(port);
	sock_close(port2);
	sock_close(one);
	teardown();
}

static void peers_are_spread(void **state)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17 };
	u8 u[12] = { 0, 0, 5000 >> 8, 5000 & 255, 0, 12, 0, 0, 'd', 'a', 't', 'a' }, data[16];
	struct socket *s[4];
	u32 i, k, counts[4] = { 0 };

	setup();
	for (i = 0; i < 4; i++) {
		s[i] = opened(SO_REUSEPORT);
		assert_int_equal(sock_bind(s[i], 0, 5000), 0);
	}
	for (i = 0; i < 400; i++) {
		u32 first = 4;

		put_be16(u, 1000 + i);
		for (k = 0; k < 3; k++)
			peer_ipv4(&peer, host_mac, &h, u, 12);
		sim_run_ms(1);
		for (k = 0; k < 4; k++) {
			while (sock_recv(s[k], data, 16, MSG_DONTWAIT, NULL) == 4) {
				assert_true(first == 4 || first == k); /* a peer keeps its one */
				first = k;
				counts[k]++;
			}
		}
	}
	for (k = 0; k < 4; k++)
		assert_in_range(counts[k], 150, 450);
	for (i = 0; i < 4; i++)
		sock_close(s[i]);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(picked_within_the_range),
		cmocka_unit_test(a_crowded_range),
		cmocka_unit_test(who_may_share),
		cmocka_unit_test(peers_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
