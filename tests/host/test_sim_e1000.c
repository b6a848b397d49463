/* SPDX-License-Identifier: MIT */
/* test_sim_e1000.c - the driver against register-level models of the 82540EM and the 82574: rings
 * that wrap and fill, checksums, filters, the link, hostile frames, and buffers that never run dry.
 */
#include "nic_checks.h"

static struct model_e1000 e1000;
static enum model_e1000_kind kind;

static void setup(const char *args)
{
	model_e1000_init(&e1000, kind, host_mac);
	assert_int_equal(stack_up_e1000(&e1000, args), 0);
	stack_know_peer();
	drops_mark();
}

static void rings_wrap(void **state)
{
	setup("rx_ring=16 tx_ring=16");
	check_echoes(500);
	assert_int_equal(e1000.tx_runts, 0);
	assert_int_equal(e1000.rx_missed, 0);
	stack_down_e1000(&e1000);
}

static void burst_is_served_in_few_interrupts(void **state)
{
	u64 irqs;

	setup(NULL);
	irqs = e1000.irqs;
	check_burst();
	assert_true(e1000.irqs - irqs <= 45);
	assert_true(e1000.tdt_writes < 60);
	stack_down_e1000(&e1000);
}

/* An answer to a frame that comes alone: the doorbell, the interrupt's own, a sixteenth of RDT's.
 */
static void single_frames_take_few_accesses(void **state)
{
	u64 accesses;

	setup(NULL);
	accesses = e1000.accesses;
	for (u32 i = 0; i < 64; i++) {
		check_echo(i, 20);
		sim_run_ms(20);
	}
	accesses = e1000.accesses - accesses;
	/* the message that the 82574 sends needs no answer, but a mask */
	assert_in_range(accesses, 64, (kind == MODEL_82540EM ? 2 : 4) * 64 + 8);
	stack_down_e1000(&e1000);
}

/* Echo requests that are in the ring at once. */
static void receive_now(u32 n)
{
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 1 };
	u8 f[128], m[32];

	for (u32 i = 0; i < n; i++)
		e1000.end.receive(&e1000.end, f,
				  frame_ipv4(f, host_mac, peer_mac, &h, m,
					     icmp_message(m, 8, 0, i, NULL, 0)));
}

static bool rx_unmasked(void)
{
	return e1000.reg[0xd0 / 4] & (BIT(7) | BIT(20));
}

/* Interrupts one by one while the poll context does not come to look: the second one masks. */
static void falling_behind_masks(void **state)
{
	setup(NULL);
	for (u32 round = 0; round < 3; round++) {
		u64 irqs = e1000.irqs;

		assert_true(rx_unmasked());
		preempt_disable();
		receive_now(10);
		assert_false(rx_unmasked());
		assert_in_range(e1000.irqs - irqs, 1, 2);
		preempt_enable();
		sim_run_ms(2);
		assert_int_equal(peer_count_icmp(&peer, 0), 10);
		peer_forget(&peer);
		sim_run_ms(20);
	}
	assert_true(rx_unmasked());
	check_echo(1, 20);
	stack_down_e1000(&e1000);
}

/* More frames than descriptors at one moment: some are lost, the receiver goes on,
 * nothing storms. */
static void overrun(void **state)
{
	u32 got;

	setup("rx_ring=16");
	preempt_disable(); /* no poll meanwhile */
	receive_now(100);
	preempt_enable();
	sim_run_ms(2);
	got = peer_count_icmp(&peer, 0);
	assert_in_range(got, 15, 100);
	assert_int_equal(got + e1000.rx_missed, 100);
	got = e1000.irqs;
	sim_run_s(1);
	assert_true(e1000.irqs - got < 5);
	check_echo(1, 20);
	stack_down_e1000(&e1000);
}

static void ring_full_and_free_again(void **state)
{
	struct socket *s;
	u32 sent;

	setup("tx_ring=16");
	s = ping_socket();
	e1000.tx_hold = true;
	sent = ping_until_full(s);
	assert_in_range(sent, 8, 16);
	sim_run_ms(50);
	assert_true(ping(s, MSG_DONTWAIT) < 0);
	model_e1000_tx_go(&e1000);
	sim_run_ms(50);
	assert_int_equal(peer_count_icmp(&peer, 8), sent);
	assert_int_equal(ping(s, MSG_DONTWAIT), 64);
	/* a sleeper wakes when there is room */
	e1000.tx_hold = true;
	ping_until_full(s);
	e1000.tx_hold = false;
	sim_event_set(&e1000.tx_event, sim_now() + 30 * NSEC_PER_MSEC);
	assert_int_equal(ping(s, 0), 64);
	sock_close(s);
	check_echo(1, 20);
	stack_down_e1000(&e1000);
}

/* A UDP datagram whose sum the device has to fill in, len bytes of data. */
static struct pkt *udp_to_fill(u32 len, u32 options)
{
	u32 hlen = 20 + options;
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 128, 14 + hlen + 8 + len);
	u8 *f = pkt_put(p, 14 + hlen + 8 + len), *ip = f + 14, *udp = ip + hlen;
	u32 i, sum;

	frame_ether(f, peer_mac, host_mac, 0x800);
	memset(ip, 1, hlen);
	ip[0] = 0x40 | hlen / 4;
	put_be16(ip + 2, hlen + 8 + len);
	put_be32(ip + 4, 0);
	ip[9] = 17;
	put_be16(ip + 10, 0);
	put_be32(ip + 12, HOST);
	put_be32(ip + 16, PEER);
	put_be16(ip + 10, wire_sum(ip, hlen));
	put_be32(udp, 0x12345678);
	put_be16(udp + 4, 8 + len);
	for (i = 0; i < len; i++)
		udp[8 + i] = i * 5 + len;
	for (sum = 17 + 8 + len, i = 12; i < 20; i += 2)
		sum += get_be16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(udp + 6, sum);
	p->csum = PKT_CSUM_FILL;
	p->csum_start = udp - p->head;
	p->csum_off = 6;
	return p;
}

static bool udp_sound(const struct frame *f)
{
	const u8 *ip = frame_ip(f);
	u8 buf[2048];
	u32 len = get_be16(ip + 2) - (ip[0] & 15) * 4;

	memcpy(buf, ip + 12, 8);
	put_be16(buf + 8, 17);
	put_be16(buf + 10, len);
	memcpy(buf + 12, ip + (ip[0] & 15) * 4, len);
	return frame_sound(f) && !wire_sum(buf, 12 + len);
}

static void device_fills_checksums(void **state)
{
	static const u32 lens[] = { 0, 1, 2, 17, 18, 100, 999, 1400 };
	const struct frame *f;
	u32 i, round;

	setup("tx_ring=16");
	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_SIZE(lens); i++) {
			assert_int_equal(
				netif_tx(netif_named("eth0"), udp_to_fill(lens[i], i % 2 * 8)), 0);
			sim_run_ms(1);
			f = peer_take_proto(&peer, 17);
			assert_non_null(f);
			assert_true(udp_sound(f));
		}
	}
	/* the context is only loaded when it changes */
	i = e1000.tx_contexts;
	for (round = 0; round < 10; round++) {
		netif_tx(netif_named("eth0"), udp_to_fill(50, 0));
		sim_run_ms(1);
		assert_true(udp_sound(peer_take_proto(&peer, 17)));
	}
	assert_true(e1000.tx_contexts - i <= 1);
	stack_down_e1000(&e1000);
}

static int seen_csum;

static void look(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent)
{
	if (!sent)
		seen_csum = p->csum;
}

static void device_checks_checksums(void **state)
{
	struct netif_tap tap = { .frame = look };
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 17 };
	struct pkt *p;
	u8 udp[128], f[256];
	u32 i;
	bool can = kind == MODEL_82574;

	setup(NULL);
	/* a sound datagram from the peer: made by the host's own hand, addresses swapped back */
	p = udp_to_fill(20, 0);
	memcpy(udp, p->data + 34, 28);
	pkt_free(p);
	put_be16(udp + 6, 0);
	memcpy(f, (const u8[]){ 10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 28 }, 12);
	memcpy(f + 12, udp, 28);
	put_be16(udp + 6, wire_sum(f, 40));
	netif_tap(&tap);
	for (i = 0; i < 4; i++) {
		h.flags_off = i == 2 ? 0x2000 : 0;
		h.bad_sum = i == 3;
		if (i == 1)
			udp[10] ^= 1;
		seen_csum = -1;
		peer_ipv4(&peer, host_mac, &h, udp, i == 2 ? 24 : 28);
		sim_run_ms(1);
		assert_int_equal(seen_csum, i == 0 && can ? PKT_CSUM_OK : PKT_CSUM_NONE);
		if (i == 1)
			udp[10] ^= 1;
	}
	netif_untap(&tap);
	assert_int_equal(drops_since(DROP_BADSUM), 1);
	stack_down_e1000(&e1000);
}

static void link_comes_and_goes(void **state)
{
	struct netif *nif;
	struct socket *s;
	u8 m[64] = { 8 };
	u32 i;

	setup(NULL);
	nif = netif_named("eth0");
	s = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	for (i = 0; i < 5; i++) {
		model_e1000_link(&e1000, false);
		sim_run_ms(5);
		assert_false(netif_running(nif));
		assert_true(sim_log_has("eth0: link down"));
		assert_int_equal(sock_send(s, PEER, m, 64, MSG_DONTWAIT), 64);
		assert_int_equal(drops(DROP_NO_CARRIER), i + 1);
		model_e1000_link(&e1000, true);
		sim_run_ms(5);
		assert_true(netif_running(nif));
		check_echo(i, 20);
	}
	sock_close(s);
	stack_down_e1000(&e1000);
}

static u64 passed(const u8 *dst)
{
	u64 before = e1000.rx_frames;
	u8 f[64];

	peer_send(&peer, f, frame_arp(f, dst, peer_mac, 0, NULL, 0, 1));
	sim_run_ms(1);
	return e1000.rx_frames - before;
}

static void filters(void **state)
{
	static const u8 other[6] = { 2, 1, 2, 3, 4, 5 }, group[6] = { 1, 0, 0x5e, 1, 2, 3 };
	struct ip_addr g = ip_addr_v4(IP4(224, 1, 2, 3));
	struct netif *nif;

	setup(NULL);
	nif = netif_named("eth0");
	assert_int_equal(passed(host_mac), 1);
	assert_int_equal(passed(broadcast_mac), 1);
	assert_int_equal(passed(other), 0);
	assert_int_equal(passed(group), 0);
	netif_lock();
	assert_int_equal(ip_group_join(nif, &g), 0);
	netif_unlock();
	assert_int_equal(passed(group), 1);
	assert_int_equal(passed(other), 0);
	netif_lock();
	ip_group_leave(nif, &g);
	netif_promisc(nif, 1);
	netif_unlock();
	assert_int_equal(passed(group), 1);
	assert_int_equal(passed(other), 1);
	netif_lock();
	netif_promisc(nif, -1);
	netif_allmulti(nif, 1);
	netif_unlock();
	assert_int_equal(passed(group), 1);
	assert_int_equal(passed(other), 0);
	netif_lock();
	netif_allmulti(nif, -1);
	netif_unlock();
	assert_int_equal(passed(group), 0);
	stack_down_e1000(&e1000);
}

static void ring_stays_full_without_memory(void **state)
{
	u32 i;

	setup("rx_ring=16");
	for (i = 0; i < 3000; i++) {
		if (i % 100 == 0)
			sim_fail_every(1 + i / 100 % 4);
		peer_echo(&peer, host_mac, HOST, 3, i, 1000);
		sim_run(30 * NSEC_PER_USEC);
	}
	sim_fail_every(0);
	sim_run_ms(1);
	assert_true(drops_since(DROP_NO_MEMORY) > 300);
	/* but for those that a doorbell is still owed: a quarter */
	assert_in_range(model_e1000_rx_free(&e1000), 11, 15);
	check_echo(1, 20);
	stack_down_e1000(&e1000);
}

/* Others hold all that may be held of what came in: frames are lost, no buffer is, and nobody has
 * to help when there is memory again. */
static void receives_again_after_a_shortage(void **state)
{
	LIST_HEAD(held);
	struct pkt *p;
	u32 i;

	setup("rx_ring=16");
	while ((p = pkt_alloc(PKT_POOL_RX, 0, 1500)))
		list_add_tail(&p->node, &held);
	for (i = 0; i < 1000; i++) {
		peer_echo(&peer, host_mac, HOST, 3, i, 100);
		if (i % 10 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(1);
	assert_in_range(drops_since(DROP_NO_MEMORY), 500, 1000);
	while (!list_empty(&held)) {
		p = list_first_entry(&held, struct pkt, node);
		list_del(&p->node);
		pkt_free(p);
	}
	for (i = 0; i < 100; i++)
		check_echo(i, 100);
	stack_down_e1000(&e1000);
}

static void hostile_frames(void **state)
{
	u8 f[2048], body[1400];
	u32 i, k, len;

	setup(NULL);
	for (k = 0; k < sizeof(body); k++)
		body[k] = sim_random();
	for (i = 0; i < 6000; i++) {
		struct ipv4_fields h = { .src = PEER + sim_random() % 3, .dst = HOST, .proto = 1 };

		len = i < 2049 ? i : sim_random() % 2049;
		for (k = 0; k < len; k++)
			f[k] = sim_random();
		if (len >= 34 && i % 3)
			frame_ipv4(f, host_mac, peer_mac, &h, body, min(len - 34, 1400u));
		else if (len >= 14)
			frame_ether(f, host_mac, peer_mac, i % 2 ? 0x806 : sim_random());
		/* a few bits wrong */
		for (k = 0; k < i % 4 && len > 14; k++)
			f[14 + sim_random() % (min(len, 54u) - 14)] ^= 1 << sim_random() % 8;
		peer_send(&peer, f, len);
		if (i % 20 == 0)
			sim_run_ms(1);
		if (i % 200 == 0)
			peer_forget(&peer);
	}
	sim_run_s(40);
	check_echo(1, 20);
	stack_down_e1000(&e1000);
}

static void up_and_down_in_traffic(void **state)
{
	setup("rx_ring=16 tx_ring=16");
	bounce_in_traffic(100, 30, 40000);
	stack_down_e1000(&e1000);
}

static void address_from_the_eeprom(void **state)
{
	static const u8 mac[6] = { 2, 0x11, 0x22, 0x33, 0x44, 0x55 };

	model_e1000_init(&e1000, kind, mac);
	e1000.eeprom_only = true;
	e1000.reg[0x5400 / 4] = e1000.reg[0x5404 / 4] = 0;
	assert_int_equal(stack_up_e1000(&e1000, NULL), 0);
	assert_memory_equal(netif_named("eth0")->mac, mac, 6);
	stack_down_e1000(&e1000);
}

static void dead_device_is_left_alone(void **state)
{
	model_e1000_init(&e1000, kind, host_mac);
	e1000.dead = true;
	assert_int_equal(stack_up_e1000(&e1000, NULL), -ENODEV);
	stack_down_e1000(&e1000);
}

static void bad_parameters_are_refused(void **state)
{
	model_e1000_init(&e1000, kind, host_mac);
	assert_int_equal(stack_up_e1000(&e1000, "rx_ring=15"), -EINVAL);
	assert_int_equal(sim_insmod("e1000", "tx_ring=4096"), -EINVAL);
	assert_int_equal(sim_insmod("e1000", "rx_ring=20"), -EINVAL);
	assert_int_equal(sim_insmod("e1000", "no_such=1"), -ENOENT);
	stack_down_e1000(&e1000);
}

#define ALL_TESTS                                                                                 \
	cmocka_unit_test(rings_wrap), cmocka_unit_test(burst_is_served_in_few_interrupts),        \
		cmocka_unit_test(single_frames_take_few_accesses),                                \
		cmocka_unit_test(falling_behind_masks), cmocka_unit_test(overrun),                \
		cmocka_unit_test(ring_full_and_free_again),                                       \
		cmocka_unit_test(device_fills_checksums),                                         \
		cmocka_unit_test(device_checks_checksums), cmocka_unit_test(link_comes_and_goes), \
		cmocka_unit_test(filters), cmocka_unit_test(ring_stays_full_without_memory),      \
		cmocka_unit_test(receives_again_after_a_shortage),                                \
		cmocka_unit_test(hostile_frames), cmocka_unit_test(up_and_down_in_traffic),       \
		cmocka_unit_test(address_from_the_eeprom),                                        \
		cmocka_unit_test(dead_device_is_left_alone),                                      \
		cmocka_unit_test(bad_parameters_are_refused)

static int choose_82540em(void **state)
{
	kind = MODEL_82540EM;
	return 0;
}

static int choose_82574(void **state)
{
	kind = MODEL_82574;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { ALL_TESTS };

	return cmocka_run_group_tests_name("82540EM", tests, choose_82540em, NULL) +
	       cmocka_run_group_tests_name("82574", tests, choose_82574, NULL);
}
