/* SPDX-License-Identifier: MIT */
/* test_sim_redirect.c - ICMP redirects (RFC 1122 3.2.2.2): the router in use may name a better one
 * on the same link for a destination that was really sent to; nobody else may, and not about
 * anything else. */
#include "stack.h"

#define FAR IP4(192, 0, 2, 7)
#define BETTER IP4(10, 0, 0, 9)

static struct socket *s;

static void setup(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr = htonl(FAR),
				  .sin_port = htons(9) };

	assert_int_equal(stack_up(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	route_default(PEER);
	stack_know_peer();
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(s, 0, 5000), 0);
	assert_int_equal(s->ops->connect(s, (u8 *)&in, sizeof(in), false), 0);
	drops_mark();
}

static void teardown(void)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down();
}

/* From a router, about a datagram from our port to dst, by way of gateway. */
static void redirect(u32 router, u16 port, u32 dst, u32 gateway, u8 code)
{
	struct ipv4_fields h = { .src = router, .dst = HOST, .proto = 1 };
	struct ipv4_fields inner = { .src = HOST, .dst = dst, .proto = 17 };
	u8 u[8] = { port >> 8, port & 255, 0, 9, 0, 8, 0, 0 }, f[128], m[128];

	frame_ipv4(f, peer_mac, host_mac, &inner, u, sizeof(u));
	peer_ipv4(&peer, host_mac, &h, m, icmp_message(m, 5, code, gateway, f + 14, 28));
	sim_run_ms(5);
}

static u32 way_to(u32 addr)
{
	struct ip_addr dst = ip_addr_v4(addr);
	struct route_result res;
	int err;

	rcu_read_lock();
	err = route_lookup(&dst, 0, &res);
	rcu_read_unlock();
	return err ? 0 : ip_addr_to_v4(&res.next_hop);
}

static void the_router_in_use_is_believed(void **state)
{
	setup();
	assert_int_equal(way_to(FAR), PEER);
	redirect(PEER, 5000, FAR, BETTER, 1);
	assert_int_equal(way_to(FAR), BETTER);
	assert_int_equal(way_to(FAR + 1), PEER);
	assert_non_null(strstr(sim_read("/proc/net/route"), "070200C0\t0900000A\t0017"));
	/* it may be wrong in turn, and names a third */
	redirect(BETTER, 5000, FAR, BETTER + 1, 0);
	assert_int_equal(way_to(FAR), BETTER + 1);
	/* nothing is for ever */
	sim_run_s(700);
	assert_int_equal(way_to(FAR), PEER);
	teardown();
}

static void others_are_not(void **state)
{
	u32 bad = 0;

	setup();
	redirect(IP4(10, 0, 0, 77), 5000, FAR, BETTER, 1), bad++; /* some station */
	redirect(PEER, 5001, FAR, BETTER, 1);			  /* not what we sent */
	redirect(PEER, 5000, IP4(10, 0, 0, 50), BETTER, 1);	  /* a neighbour */
	redirect(PEER, 5000, FAR, IP4(172, 16, 0, 1), 1), bad++;  /* on another link */
	redirect(PEER, 5000, FAR, HOST, 1), bad++;
	redirect(PEER, 5000, FAR, PEER, 1), bad++;
	redirect(PEER, 5000, FAR, HOST_BROADCAST, 1), bad++;
	redirect(PEER, 5000, FAR, IP4(224, 0, 0, 5), 1), bad++;
	redirect(PEER, 5000, FAR, BETTER, 4);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/conf/all/accept_redirects", "0"), 0);
	redirect(PEER, 5000, FAR, BETTER, 1), bad++;
	assert_int_equal(sim_write("/proc/sys/net/ipv4/conf/all/accept_redirects", "1"), 0);
	assert_int_equal(sim_write("/proc/sys/net/ipv4/ip_forward", "1"), 0);
	redirect(PEER, 5000, FAR, BETTER, 1), bad++;
	assert_int_equal(way_to(FAR), PEER);
	assert_int_equal(drops_since(DROP_REDIRECT), bad);
	teardown();
}

static void a_flood_is_bounded(void **state)
{
	u32 i;

	setup();
	sock_close(s);
	s = sock_open(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind(s, 0, 5000), 0); /* not connected: any destination */
	for (i = 0; i < 500; i++)
		redirect(PEER, 5000, FAR + i, BETTER, 1);
	for (i = 0; i < 500 && way_to(FAR + i) == BETTER; i++)
		;
	assert_int_equal(i, 64);
	sim_run_s(700);
	assert_int_equal(way_to(FAR), PEER);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_router_in_use_is_believed),
		cmocka_unit_test(others_are_not),
		cmocka_unit_test(a_flood_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
