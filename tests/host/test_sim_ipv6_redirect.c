/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_redirect.c - redirects (RFC 4861 8), both ways. The router in use may name a better
 * one, or say that the destination is a neighbour, about what was really sent; nobody else may, and
 * not about anything else. As a router this host tells its own link, seldom. */
#include "stack6.h"

#define FAR ip6("2001:db8:ffff::7")
#define BETTER ip6("fe80::9")
#define ROUTER PEER6_LL

static const u8 better_mac[6] = { 2, 0, 0, 0, 0, 9 };
static struct socket *s;

static void setup(void)
{
	struct ip_addr far = FAR, any = ip_addr_any(AF_INET6);
	u8 name[SOCKADDR_MAX];

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_false(IS_ERR(s));
	assert_int_equal(sock_bind6(s, &any, 5000), 0);
	ip_addr_to_sockaddr(name, AF_INET6, &far, 9, 0);
	assert_int_equal(s->ops->connect(s, name, sizeof(struct sockaddr_in6), false), 0);
	drops_mark();
}

static void teardown(void)
{
	sock_close(s);
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* The datagram that a redirect is about. */
static u32 quoted(u8 *f, const struct ip_addr *dst, u16 port)
{
	struct ipv6_fields h = { .src = HOST6, .dst = *dst, .next = 17 };
	u8 m[64];

	return frame_ipv6(f, peer_mac, host_mac, &h, m, udp6_datagram(m, port, 9, "x", 1)) - 14;
}

static void redirect(const struct ip_addr *from, u16 port, const struct ip_addr *dst,
		     const struct ip_addr *target, const u8 *mac)
{
	struct ip_addr host = HOST6, was = peer.ip6[0];
	u8 f[256];
	u32 len = quoted(f, dst, port);

	peer.ip6[0] = *from;
	peer6_redirect(&peer, &host, target, dst, mac, f + 14, len);
	peer.ip6[0] = was;
	sim_run_ms(5);
}

static struct ip_addr way_to(const struct ip_addr *dst)
{
	struct route_result res = { 0 };

	rcu_read_lock();
	if (route_lookup(dst, 0, &res))
		res.next_hop = ip_addr_any(AF_INET6);
	rcu_read_unlock();
	return res.next_hop;
}

static bool goes_by(const struct ip_addr *dst, const struct ip_addr *hop)
{
	struct ip_addr way = way_to(dst);

	return ip_addr_eq(&way, hop);
}

static void the_router_in_use_is_believed(void **state)
{
	struct ip_addr far = FAR, next = FAR, better = BETTER, router = ROUTER,
		       third = ip6("fe80::a");
	const struct frame *f;

	setup();
	next.b[15]++;
	assert_true(goes_by(&far, &router));
	redirect(&router, 5000, &far, &better, better_mac);
	assert_true(goes_by(&far, &better));
	assert_true(goes_by(&next, &router));
	/* it told where that is: nobody has to be asked */
	assert_int_equal(neigh6_state_of(&better), NEIGH_STALE);
	peer_forget(&peer);
	assert_int_equal(sock_send6(s, NULL, 0, "hi", 2, 0), 2);
	sim_run_ms(5);
	f = peer6_take_proto(&peer, 17);
	assert_non_null(f);
	assert_memory_equal(f->data, better_mac, 6);
	/* it may be wrong in turn, and names a third */
	redirect(&better, 5000, &far, &third, NULL);
	assert_true(goes_by(&far, &third));
	/* nothing is for ever */
	sim_run_s(700);
	assert_true(goes_by(&far, &router));
	teardown();
}

static void a_neighbour_after_all(void **state)
{
	struct ip_addr far = FAR, router = ROUTER;
	const struct frame *f;

	setup();
	redirect(&router, 5000, &far, &far, better_mac);
	assert_true(goes_by(&far, &far));
	peer_forget(&peer);
	assert_int_equal(sock_send6(s, NULL, 0, "hi", 2, 0), 2);
	sim_run_ms(5);
	f = peer6_take_proto(&peer, 17);
	assert_non_null(f);
	assert_memory_equal(f->data, better_mac, 6);
	sim_run_s(700);
	assert_true(goes_by(&far, &router));
	teardown();
}

static void others_are_not(void **state)
{
	struct ip_addr far = FAR, better = BETTER, router = ROUTER, other = ip6("fe80::66");
	struct ip_addr global = PEER6, group = ip6("ff02::1"), mine;
	u32 bad = 0;

	setup();
	mine = host_ll();
	redirect(&other, 5000, &far, &better, better_mac), bad++; /* some station */
	redirect(&router, 5001, &far, &better, better_mac);	  /* not what we sent */
	redirect(&router, 5000, &far, &mine, better_mac), bad++;
	redirect(&router, 5000, &far, &router, better_mac), bad++;
	assert_int_equal(drops_since(DROP_REDIRECT), bad);
	redirect(&global, 5000, &far, &better, better_mac); /* a router has a link-local one */
	redirect(&router, 5000, &far, &global, better_mac); /* likewise the other */
	redirect(&router, 5000, &group, &better, better_mac);
	assert_int_equal(drops_since(DROP_NEIGH_MALFORMED), 3);
	assert_int_equal(sysctl6("conf/eth0/accept_redirects", "0"), 0);
	redirect(&router, 5000, &far, &better, better_mac), bad++;
	assert_int_equal(sysctl6("conf/eth0/accept_redirects", "1"), 0);
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	redirect(&router, 5000, &far, &better, better_mac), bad++;
	assert_int_equal(drops_since(DROP_REDIRECT), bad);
	assert_true(goes_by(&far, &router));
	assert_int_equal(neigh6_state_of(&better), 0xff);
	teardown();
}

static void quotes_are_read_with_care(void **state)
{
	struct ip_addr far = FAR, better = BETTER, host = HOST6, router = ROUTER;
	u8 b[256], f[256];
	u32 len = quoted(f, &far, 5000);

	setup();
	memcpy(b, &better, 16);
	memcpy(b + 16, &far, 16);
	peer6_icmp(&peer, &router, &host, 137, 0, 0, b, 32); /* none at all */
	for (u32 n = 0; n < len; n += 8) {
		u32 o = nd6_redirected(b + 32, f + 14, n);

		if (n >= 48)
			break;
		peer6_icmp(&peer, &router, &host, 137, 0, 0, b, 32 + o);
	}
	sim_run_ms(10);
	assert_true(goes_by(&far, &router));
	assert_int_equal(drops_since(DROP_BAD_QUOTE), 7);
	teardown();
}

static void a_flood_is_bounded(void **state)
{
	struct ip_addr dst = FAR, better = BETTER, router = ROUTER, any = ip_addr_any(AF_INET6);
	u32 n = 0;

	setup();
	sock_close(s);
	s = sock_open6(SOCK_DGRAM, 0);
	assert_int_equal(sock_bind6(s, &any, 5000), 0); /* not connected: any destination */
	for (u32 i = 0; i < 500; i++) {
		put_be16(dst.b + 14, i);
		redirect(&router, 5000, &dst, &better, NULL);
	}
	for (u32 i = 0; i < 500; i++) {
		put_be16(dst.b + 14, i);
		n += goes_by(&dst, &better);
	}
	assert_int_equal(n, 64);
	sim_run_s(700);
	put_be16(dst.b + 14, 0);
	assert_true(goes_by(&dst, &router));
	teardown();
}

static void it_leaves_with_the_module(void **state)
{
	struct ip_addr far = FAR, better = BETTER, router = ROUTER;

	setup();
	redirect(&router, 5000, &far, &better, better_mac);
	assert_true(goes_by(&far, &better));
	sock_close(s);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_false(goes_by(&far, &better));
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	sim_run_s(3);
	assert_false(goes_by(&far, &better));
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

/* ---- as a router ---- */

static void send_through(const struct ip_addr *from, const struct ip_addr *to)
{
	struct ipv6_fields h = { .src = *from, .dst = *to, .next = 17 };
	static const u8 zeros[1000];
	u8 m[1200];

	peer6_send(&peer, host_mac, &h, m, udp6_datagram(m, 1, 2, zeros, sizeof(zeros)));
	sim_run_ms(20);
}

static void senders_are_told(void **state)
{
	struct ip_addr far = FAR, from = ip6("2001:db8::55"), mine, a, router = ROUTER;
	struct ip_addr beyond = ip6("2001:db8:5::5");
	const struct frame *f;
	const u8 *m;

	setup();
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	peer.ip6[2] = from;
	peer.nr_ip6 = 3;
	sim_run_ms(50);
	peer_forget(&peer);
	mine = host_ll();
	send_through(&from, &far);
	f = peer6_take_icmp(&peer, 137, 0);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_hop_limit(f), 255);
	assert_true(f->len <= 1280 + 14);
	a = frame6_src(f);
	assert_true(ip_addr_eq(&a, &mine));
	a = frame6_dst(f);
	assert_true(ip_addr_eq(&a, &from));
	m = frame6_icmp(f);
	assert_memory_equal(m + 8, &router, 16);
	assert_memory_equal(m + 24, &far, 16);
	assert_memory_equal(frame6_option(f, 2) + 2, peer_mac, 6);
	m = frame6_option(f, 4);
	assert_non_null(m);
	assert_memory_equal(m + 16, &from, 16); /* the quoted source */
	/* and the packet went on all the same */
	assert_non_null(peer6_take_proto(&peer, 17));
	/* not again at once */
	send_through(&from, &far);
	assert_null(peer6_take_icmp(&peer, 137, 0));
	assert_non_null(peer6_take_proto(&peer, 17));
	sim_run_s(2);
	send_through(&from, &far);
	assert_non_null(peer6_take_icmp(&peer, 137, 0));
	/* who is not of this link is none of our business */
	send_through(&beyond, &far);
	assert_null(peer6_take_icmp(&peer, 137, 0));
	teardown();
}

/* RFC 4861 7.2.2: nobody there, and the sender hears of it. */
static void senders_hear_of_nobody(void **state)
{
	struct ip_addr from = ip6("2001:db8::55"), nobody = ip6("2001:db8::56");
	const struct frame *f;

	setup();
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	peer.ip6[2] = from;
	peer.nr_ip6 = 3;
	send_through(&from, &nobody);
	sim_run_ms(3200);
	f = peer6_take_icmp(&peer, 1, 3);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_memory_equal(frame6_icmp(f) + 8 + 24, &nobody, 16);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_router_in_use_is_believed),
		cmocka_unit_test(a_neighbour_after_all),
		cmocka_unit_test(others_are_not),
		cmocka_unit_test(quotes_are_read_with_care),
		cmocka_unit_test(a_flood_is_bounded),
		cmocka_unit_test(it_leaves_with_the_module),
		cmocka_unit_test(senders_are_told),
		cmocka_unit_test(senders_hear_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
