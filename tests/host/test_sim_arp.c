/* SPDX-License-Identifier: MIT */
/* test_sim_arp.c - ARP as RFC 826 and RFC 5227 have it: answers, probes, conflicts, what teaches
 * and what does not, entries set by hand, a flood of claims. */
#include "stack.h"

#include <uapi/if_arp.h>

static const u8 other_mac[6] = { 2, 0, 0, 0, 0, 9 };
#define OTHER IP4(10, 0, 0, 9)

static void setup(void)
{
	assert_int_equal(stack_up_quiet(), 0);
	drops_mark();
}

static u32 entries(void)
{
	const char *text = sim_read("/proc/net/arp");
	u32 lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines - 1;
}

static void request_is_answered(void **state)
{
	const struct frame *f;

	setup();
	peer_arp(&peer, NULL, peer_mac, PEER, HOST, 1);
	sim_run_ms(1);
	f = peer_take_arp(&peer, 2);
	assert_non_null(f);
	assert_memory_equal(f->data, peer_mac, 6);
	assert_memory_equal(f->data + 6, host_mac, 6);
	assert_memory_equal(f->data + 22, host_mac, 6);
	assert_int_equal(get_be32(f->data + 28), HOST);
	assert_memory_equal(f->data + 32, peer_mac, 6);
	assert_int_equal(get_be32(f->data + 38), PEER);
	/* RFC 826: the asker will be answered soon, so it is remembered */
	assert_int_equal(neigh_state_of(PEER), NEIGH_STALE);
	stack_down();
}

static void probe_is_answered_and_teaches_nothing(void **state)
{
	setup();
	peer_arp(&peer, NULL, peer_mac, 0, HOST, 1);
	sim_run_ms(1);
	assert_non_null(peer_take_arp(&peer, 2));
	assert_int_equal(entries(), 0);
	stack_down();
}

static void requests_for_others_are_not(void **state)
{
	setup();
	peer_arp(&peer, NULL, peer_mac, PEER, OTHER, 1);
	peer_arp(&peer, NULL, peer_mac, PEER, HOST_BROADCAST, 1);
	peer_arp(&peer, NULL, peer_mac, PEER, 0, 1);
	/* replies nobody asked for, to us and to everybody */
	peer_arp(&peer, host_mac, peer_mac, PEER, HOST, 2);
	peer_arp(&peer, NULL, peer_mac, PEER, PEER, 2);
	sim_run_ms(1);
	assert_null(peer_take_arp(&peer, 2));
	assert_int_equal(entries(), 0);
	stack_down();
}

static void malformed_is_dropped(void **state)
{
	static const struct {
		u8 at;
		u8 len, bytes[6];
	} bad[] = {
		{ 14, 2, { 0, 6 } },	   /* hardware type */
		{ 16, 2, { 0x86, 0xdd } }, /* protocol type */
		{ 18, 1, { 8 } },	   /* hardware length */
		{ 19, 1, { 16 } },	   /* protocol length */
		{ 20, 2, { 0, 0 } },	   /* operation */
		{ 20, 2, { 0, 3 } },
		{ 20, 2, { 255, 255 } },
		{ 22, 6, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ 22, 6, { 0 } },
		{ 22, 1, { 1 } },
		{ 28, 4, { 224, 0, 0, 1 } }, /* sender: a group, everybody, loopback */
		{ 28, 4, { 255, 255, 255, 255 } },
		{ 28, 4, { 127, 0, 0, 1 } },
	};
	u8 f[64];
	u32 i, len;

	setup();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		len = frame_arp(f, broadcast_mac, peer_mac, PEER, NULL, HOST, 1);
		memcpy(f + bad[i].at, bad[i].bytes, bad[i].len);
		peer_send(&peer, f, len);
		sim_run_ms(1);
		assert_int_equal(drops_since(DROP_NEIGH_MALFORMED), i + 1);
	}
	frame_arp(f, broadcast_mac, peer_mac, PEER, NULL, HOST, 1);
	for (len = 14; len < 42; len++)
		peer_send(&peer, f, len);
	sim_run_ms(1);
	assert_int_equal(drops_since(DROP_NEIGH_MALFORMED), i + 28);
	assert_null(peer_take_arp(&peer, 2));
	assert_int_equal(entries(), 0);
	stack_down();
}

static void gratuitous_refreshes_only(void **state)
{
	setup();
	peer_arp(&peer, NULL, other_mac, OTHER, OTHER, 1);
	sim_run_ms(1);
	assert_int_equal(neigh_state_of(OTHER), 0xff);
	peer_arp(&peer, NULL, peer_mac, PEER, HOST, 1);
	sim_run_ms(1);
	/* PEER has moved to another card and says so */
	peer_arp(&peer, NULL, other_mac, PEER, PEER, 1);
	sim_run_ms(1);
	assert_non_null(strstr(sim_read("/proc/net/arp"), "02:00:00:00:00:09"));
	/* and back: a poisoned entry heals as easily */
	peer_arp(&peer, NULL, peer_mac, PEER, PEER, 2);
	sim_run_ms(1);
	assert_non_null(strstr(sim_read("/proc/net/arp"), "52:55:0a:00:00:01"));
	stack_down();
}

static void conflict_is_counted_and_defended(void **state)
{
	const struct frame *f;
	u32 i;

	setup();
	sim_run_s(5); /* the announcements are over */
	peer_forget(&peer);
	peer_arp(&peer, NULL, other_mac, HOST, HOST, 1);
	sim_run_ms(1);
	f = peer_take_arp(&peer, 1);
	assert_non_null(f);
	assert_memory_equal(f->data + 22, host_mac, 6);
	assert_int_equal(get_be32(f->data + 28), HOST);
	assert_int_equal(get_be32(f->data + 38), HOST);
	assert_string_equal(sim_read("/proc/net/weft/arp_conflicts"), "1\n");
	assert_true(sim_log_has("02:00:00:00:00:09 uses our 10.0.0.2"));
	/* RFC 5227 2.4 (b): no duel */
	for (i = 0; i < 50; i++)
		peer_arp(&peer, host_mac, other_mac, HOST, PEER, 2);
	sim_run_ms(10);
	assert_null(peer_take_arp(&peer, 1));
	assert_string_equal(sim_read("/proc/net/weft/arp_conflicts"), "51\n");
	sim_run_s(11);
	peer_arp(&peer, NULL, other_mac, HOST, PEER, 1);
	sim_run_ms(1);
	assert_non_null(peer_take_arp(&peer, 1));
	assert_int_equal(neigh_state_of(HOST), 0xff);
	stack_down();
}

/* The defence of one address does not use up another's. */
static void each_address_is_defended(void **state)
{
	struct ifaddr second = { .af = AF_INET,
				 .plen = 24,
				 .addr = ip_addr_v4(HOST + 40),
				 .peer = ip_addr_v4(HOST + 40) };

	setup();
	second.nif = netif_named("eth0");
	netif_lock();
	assert_int_equal(ifaddr_add(&second), 0);
	netif_unlock();
	sim_run_s(5);
	peer_forget(&peer);
	peer_arp(&peer, NULL, other_mac, HOST, HOST, 1);
	peer_arp(&peer, NULL, other_mac, HOST + 40, HOST + 40, 1);
	sim_run_ms(1);
	assert_int_equal(peer_count_arp(&peer, 1), 2);
	stack_down();
}

static void address_is_announced_twice(void **state)
{
	const struct frame *f;

	setup();
	sim_run_s(5);
	peer_forget(&peer);
	ifconfig_down("eth0");
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	sim_run_s(10);
	assert_true(peer_count_arp(&peer, 1) >= 2);
	while ((f = peer_take_arp(&peer, 1))) {
		assert_int_equal(get_be32(f->data + 28), HOST);
		assert_int_equal(get_be32(f->data + 38), HOST);
	}
	sim_run_s(60);
	assert_null(peer_take_arp(&peer, 1));
	stack_down();
}

static struct arpreq arpreq(u32 addr, const u8 *mac, int flags)
{
	struct arpreq r = { .arp_flags = flags };

	r.arp_pa.sa_family = AF_INET;
	put_be32((u8 *)r.arp_pa.sa_data + 2, addr);
	r.arp_ha.sa_family = ARPHRD_ETHER;
	if (mac)
		memcpy(r.arp_ha.sa_data, mac, 6);
	return r;
}

static void entries_set_by_hand_stay(void **state)
{
	struct arpreq r = arpreq(PEER, other_mac, ATF_PERM);

	setup();
	sim_root = false;
	assert_int_equal(sock_ioctl(SIOCSARP, &r), -EPERM);
	sim_root = true;
	assert_int_equal(sock_ioctl(SIOCSARP, &r), 0);
	assert_int_equal(neigh_state_of(PEER), NEIGH_PERMANENT);
	/* nobody talks it away */
	peer_arp(&peer, NULL, peer_mac, PEER, HOST, 1);
	peer_arp(&peer, host_mac, peer_mac, PEER, HOST, 2);
	sim_run_s(200);
	r = arpreq(PEER, NULL, 0);
	assert_int_equal(sock_ioctl(SIOCGARP, &r), 0);
	assert_memory_equal(r.arp_ha.sa_data, other_mac, 6);
	assert_int_equal(r.arp_flags, ATF_COM | ATF_PERM);
	assert_int_equal(sock_ioctl(SIOCDARP, &r), 0);
	assert_int_equal(sock_ioctl(SIOCGARP, &r), -ENXIO);
	assert_int_equal(sock_ioctl(SIOCDARP, &r), -ENXIO);
	r = arpreq(PEER, broadcast_mac, ATF_PERM);
	assert_int_equal(sock_ioctl(SIOCSARP, &r), -EINVAL);
	stack_down();
}

static void flood_of_claims_is_bounded(void **state)
{
	struct socket *s;
	u32 i;
	u8 mac[6] = { 2, 0, 0, 0, 0, 0 }, echo[8] = { 8 };

	assert_int_equal(stack_up(), 0);
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_send(s, PEER, echo, 8, 0), 8);
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	for (i = 0; i < 6000; i++) {
		put_be32(mac + 2, i);
		peer_arp(&peer, NULL, mac, IP4(10, 0, 0, 10) + i, HOST, 1);
		if (i % 100 == 99) {
			sim_run_ms(1);
			peer_forget(&peer);
		}
		/* the one that is in use is not what makes room */
		if (i % 500 == 0)
			assert_int_equal(sock_send(s, PEER, echo, 8, MSG_DONTWAIT), 8);
	}
	assert_true(entries() <= 1024);
	assert_int_equal(neigh_state_of(PEER), NEIGH_REACHABLE);
	sock_close(s);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_answered),
		cmocka_unit_test(probe_is_answered_and_teaches_nothing),
		cmocka_unit_test(requests_for_others_are_not),
		cmocka_unit_test(malformed_is_dropped),
		cmocka_unit_test(gratuitous_refreshes_only),
		cmocka_unit_test(conflict_is_counted_and_defended),
		cmocka_unit_test(each_address_is_defended),
		cmocka_unit_test(address_is_announced_twice),
		cmocka_unit_test(entries_set_by_hand_stay),
		cmocka_unit_test(flood_of_claims_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
