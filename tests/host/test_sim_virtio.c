/* SPDX-License-Identifier: MIT */
/* test_sim_virtio.c - the virtio driver against a model of the device with the modern and the
 * legacy register interface: rings that wrap and fill, offloads, filters, the link, and a device
 * that lies. */
#include "../../modules/virtio_net/regs.h"
#include "model_virtio.h"
#include "nic_checks.h"

#define OFFERED                                                                                    \
	(F_CSUM | F_GUEST_CSUM | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN | F_HOST_TSO4 | \
	 F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX |               \
	 F_CTRL_MAC_ADDR | F_ANY_LAYOUT | F_EVENT_IDX | F_VERSION_1)

static struct model_virtio virtio;
static bool legacy;

static void setup_with(u64 offered)
{
	model_virtio_init(&virtio, legacy, offered, host_mac);
	assert_int_equal(stack_up_pci(&virtio.pci, &virtio.end, "virtio_net", NULL), 0);
	stack_know_peer();
	drops_mark();
}

static void setup(void)
{
	setup_with(OFFERED);
}

static void teardown(void)
{
	stack_down_pci(&virtio.pci, "virtio_net");
}

static void rings_wrap(void **state)
{
	setup();
	check_echoes(500);
	assert_int_equal(virtio.rx_dropped, 0);
	assert_int_equal(virtio.promisc, false);
	teardown();
}

/* What a device from the first days offers: headers in their own descriptors, nothing filled in. */
static void nothing_offered(void **state)
{
	setup_with(F_MAC | (legacy ? 0 : F_VERSION_1));
	check_echoes(500);
	assert_int_equal(virtio.rx_dropped, 0);
	teardown();
}

static void burst_is_served_in_few_interrupts(void **state)
{
	u64 irqs, notifies;

	setup();
	irqs = virtio.irqs;
	notifies = virtio.notifies;
	check_burst();
	assert_true(virtio.irqs - irqs <= 41);
	assert_true(virtio.notifies - notifies <= 82);
	teardown();
}

static void ring_full_and_free_again(void **state)
{
	struct socket *s;
	u32 sent;

	setup();
	s = ping_socket();
	virtio.tx_hold = true;
	sent = ping_until_full(s);
	assert_in_range(sent, MODEL_VIRTIO_QUEUE_SIZE / 4, MODEL_VIRTIO_QUEUE_SIZE / 2);
	model_virtio_tx_go(&virtio);
	sim_run_ms(50);
	assert_int_equal(peer_count_icmp(&peer, 8), sent);
	assert_int_equal(ping(s, 0), 64);
	sock_close(s);
	check_echo(1, 20);
	teardown();
}

/* A packet of protocol 253 for the peer, 114 bytes with Ethernet's header. */
static struct pkt *packet_253(void)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, PKT_HEADROOM, 200);
	u8 *h;

	assert_non_null(p);
	h = pkt_put(p, 114);
	memset(h, 0x11, 114);
	memcpy(h, peer_mac, 6);
	memcpy(h + 6, host_mac, 6);
	put_be16(h + 12, 0x0800);
	h[14] = 0x45;
	h[23] = 253;
	return p;
}

/* Frames for the device, more than enough for the driver to ask for an interrupt; it keeps them. */
static void send_burst(void)
{
	u32 i;

	virtio.tx_hold = true;
	for (i = 0; i < MODEL_VIRTIO_QUEUE_SIZE / 3; i++)
		assert_int_equal(netif_tx(netif_named("eth0"), packet_253()), 0);
}

/* The interrupt comes while a sender holds the transmit lock, who then takes everything back: the
 * poll that follows finds nothing. A sender who waits after the next burst must not be left to the
 * driver's timer. */
static void interrupt_that_finds_nothing_is_asked_for_again(void **state)
{
	u64 irqs;

	setup();
	send_burst();
	irqs = virtio.irqs;
	virtio.tx_at_once = true;
	preempt_disable();
	model_virtio_tx_go(&virtio);
	assert_int_equal(netif_tx(netif_named("eth0"), packet_253()), 0);
	preempt_enable();
	assert_int_equal(virtio.irqs - irqs, 1);
	virtio.tx_at_once = false;
	sim_run_ms(1);

	send_burst();
	irqs = virtio.irqs;
	model_virtio_tx_go(&virtio);
	sim_run_ms(1);
	assert_int_equal(virtio.irqs - irqs, 1);
	teardown();
}

/* A frame is added while the device goes to sleep: neither sees what the other wrote. The driver
 * looks again when it sends the next one, and by itself. */
static void device_that_fell_asleep_is_told(void **state)
{
	struct netif *nif;
	u32 round;

	setup();
	nif = netif_named("eth0");
	for (round = 0; round < 2; round++) {
		u64 notifies = virtio.notifies, sent = virtio.tx_frames;

		model_virtio_at_work(&virtio, QUEUE_TX);
		assert_int_equal(netif_tx(nif, packet_253()), 0);
		assert_int_equal(virtio.notifies - notifies, 0);
		model_virtio_waits(&virtio, QUEUE_TX);
		if (round == 0)
			assert_int_equal(netif_tx(nif, packet_253()), 0);
		sim_run_ms(round == 0 ? 1 : 10);
		assert_int_equal(virtio.tx_frames - sent, round == 0 ? 2 : 1);
	}
	teardown();
}

/* Others would spin for the lock while the hypervisor runs: not from a batch's end, nor where there
 * is no batch, nor from the timer. */
static void doorbell_is_rung_without_the_lock(void **state)
{
	struct netif *nif;
	u64 rung;

	setup();
	nif = netif_named("eth0");
	virtio.watched = &nif->tx_lock.locked;
	check_burst();
	rung = virtio.rung;
	assert_int_equal(netif_tx(nif, packet_253()), 0);
	assert_int_equal(virtio.rung - rung, 1);
	sim_run_ms(10);
	model_virtio_at_work(&virtio, QUEUE_TX);
	assert_int_equal(netif_tx(nif, packet_253()), 0);
	model_virtio_waits(&virtio, QUEUE_TX);
	sim_run_ms(10);
	assert_int_equal(virtio.rung - rung, 2);
	assert_int_equal(virtio.rung_locked, 0);
	teardown();
}

/* The same with the buffers for what comes in, of which it had none left: told when the driver
 * looks at that ring the next time, though it has nothing to add then. */
static void device_without_buffers_is_told_of_new_ones(void **state)
{
	u8 frame[60] = { 0 };
	u64 notifies;

	setup();
	memcpy(frame, host_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	put_be16(frame + 12, 0x88b5); /* nobody's: no answer */
	notifies = virtio.notifies;
	model_virtio_at_work(&virtio, QUEUE_RX);
	peer_send(&peer, frame, sizeof(frame));
	sim_run_ms(1);
	assert_int_equal(virtio.notifies - notifies, 0);
	model_virtio_waits(&virtio, QUEUE_RX);
	model_virtio_link(&virtio, true);
	sim_run_ms(1);
	assert_int_equal(virtio.notifies - notifies, 1);
	teardown();
}

static void device_fills_checksums(void **state)
{
	const struct frame *f;
	struct pkt *p;

	setup();
	p = packet_253();
	put_be16(p->data + 40, 0x1234); /* a pseudo header's sum */
	p->csum = PKT_CSUM_FILL;
	p->csum_start = pkt_headroom(p) + 34;
	p->csum_off = 6;
	assert_int_equal(netif_tx(netif_named("eth0"), p), 0);
	sim_run_ms(1);
	f = peer_take_proto(&peer, 253);
	assert_non_null(f);
	assert_int_equal(f->len, 114);
	/* what was summed and the field now give the sum that stood there */
	assert_int_equal(wire_sum(f->data + 34, 80), 0x1234);
	teardown();
}

/* A frame as another guest on this machine would send it, with a datagram of len bytes, no checksum
 * yet. */
static void large_frame(u32 len)
{
	static u8 f[65600];
	struct ipv4_fields h = { .src = PEER, .dst = HOST, .proto = 253 };
	u8 payload[8] = "payload";

	frame_ipv4(f, host_mac, peer_mac, &h, payload, 8);
	put_be16(f + 16, len);
	put_be16(f + 24, 0);
	put_be16(f + 24, wire_sum(f + 14, 20));
	f[14 + len - 1] = len;
	model_virtio_receive_gso(&virtio, f, 14 + len, 1448, 34);
	f[14 + len - 1] = 0;
	sim_run_ms(1);
}

/* The same arrives at s. In how many buffers it came. */
static u32 large_frame_arrives(struct socket *s, u32 len)
{
	static u8 got[65600];
	u64 before = virtio.rx_buffers;

	large_frame(len);
	assert_int_equal(virtio.rx_dropped, 0);
	assert_int_equal(sock_recv(s, got, sizeof(got), MSG_DONTWAIT, NULL), len);
	assert_int_equal(got[len - 1], (u8)len);
	assert_memory_equal(got + 20, "payload", 8);
	return virtio.rx_buffers - before;
}

static void large_frame_in_many_buffers(void **state)
{
	struct socket *s;

	setup();
	s = sock_open(SOCK_RAW, 253);
	assert_int_equal(large_frame_arrives(s, 20020), 11);
	sock_close(s);
	check_echo(9, 1472);
	teardown();
}

/* Many of them come in one large buffer each, until they become few. */
static void large_frames_in_a_row(void **state)
{
	struct socket *s;
	u32 buffers = 0, n;

	setup();
	s = sock_open(SOCK_RAW, 253);
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 60; i++) {
			buffers = large_frame_arrives(s, 63000 + i * 7);
			if (i % 8 == 0)
				check_echo(i, i * 20);
		}
		assert_int_equal(buffers, 1);
		/* a little more than one holds */
		n = large_frame_arrives(s, 65520);
		assert_int_equal(n, 2);
		for (u32 i = 0; i < 60; i++)
			check_echo(i, i * 20);
		assert_true(large_frame_arrives(s, 20020) > 9);
	}
	sock_close(s);
	teardown();
}

/* Without memory, for large buffers or for any, frames are lost; the ring is not. */
static void large_frames_and_no_memory(void **state)
{
	struct socket *s;

	setup();
	for (u32 i = 0; i < 200; i++) {
		sim_fail_every(i / 20 % 2 ? 2 : 0);
		if (i / 30 % 2)
			peer_echo(&peer, host_mac, HOST, 3, i, 900);
		else
			large_frame(63000);
		sim_run_ms(1);
	}
	sim_fail_every(0);
	assert_int_equal(virtio.rx_dropped, 0);
	s = sock_open(SOCK_RAW, 253);
	for (u32 i = 0; i < 60; i++)
		large_frame_arrives(s, 63000);
	sock_close(s);
	for (u32 i = 0; i < 100; i++)
		check_echo(i, 900);
	teardown();
}

static void link_comes_and_goes(void **state)
{
	setup();
	model_virtio_link(&virtio, false);
	sim_run_ms(1);
	assert_false(netif_running(netif_named("eth0")));
	model_virtio_link(&virtio, true);
	sim_run_ms(1);
	assert_true(netif_running(netif_named("eth0")));
	check_echo(2, 50);
	teardown();
}

static void filters(void **state)
{
	struct netif *nif;

	setup();
	nif = netif_named("eth0");
	assert_false(virtio.promisc || virtio.allmulti);
	assert_true(virtio.groups >= 1); /* 224.0.0.1 */
	netif_lock();
	netif_promisc(nif, 1);
	netif_unlock();
	assert_true(virtio.promisc);
	netif_lock();
	netif_promisc(nif, -1);
	netif_unlock();
	assert_false(virtio.promisc);
	virtio.refuse_control = true;
	netif_lock();
	netif_allmulti(nif, 1);
	netif_allmulti(nif, -1);
	netif_unlock();
	assert_true(sim_log_has("receive filter"));
	check_echo(1, 10);
	teardown();
}

static void up_and_down_in_traffic(void **state)
{
	setup();
	bounce_in_traffic(10, 20, 40000);
	teardown();
}

static void lost_memory(void **state)
{
	u32 i;

	setup();
	sim_fail_every(3);
	for (i = 0; i < 300; i++) {
		peer_echo(&peer, host_mac, HOST, 3, i, 900);
		sim_run(30 * NSEC_PER_USEC);
	}
	sim_fail_every(0);
	sim_run_ms(10);
	for (i = 0; i < 100; i++)
		check_echo(i, 900);
	assert_int_equal(virtio.rx_dropped, 0);
	teardown();
}

/* Others hold all that may be held of what came in: frames are lost, no buffer is, and nobody has
 * to help when there is memory again. */
static void receives_again_after_a_shortage(void **state)
{
	LIST_HEAD(held);
	struct pkt *p;
	u32 i;

	setup();
	while ((p = pkt_alloc(PKT_POOL_RX, 0, 1500)))
		list_add_tail(&p->node, &held);
	for (i = 0; i < 1000; i++) {
		peer_echo(&peer, host_mac, HOST, 3, i, 100);
		if (i % 70 == 0)
			sim_run_ms(1);
	}
	sim_run_ms(1);
	assert_in_range(drops_since(DROP_NO_MEMORY), 500, 1000);
	/* and up with all its buffers or not at all */
	assert_int_equal(ifconfig_down("eth0"), 0);
	while ((p = pkt_alloc(PKT_POOL_RX, 0, 1500)))
		list_add_tail(&p->node, &held);
	p = list_first_entry(&held, struct pkt, node);
	list_del(&p->node);
	pkt_free(p);
	assert_int_equal(ifconfig("eth0", HOST, 24), -ENOMEM);
	while (!list_empty(&held)) {
		p = list_first_entry(&held, struct pkt, node);
		list_del(&p->node);
		pkt_free(p);
	}
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	stack_know_peer();
	for (i = 0; i < 100; i++)
		check_echo(i, 100);
	teardown();
}

static void device_names_a_descriptor_it_does_not_have(void **state)
{
	setup();
	virtio.bad_id = true;
	peer_echo(&peer, host_mac, HOST, 3, 1, 100);
	sim_run_ms(1);
	assert_true(sim_log_has("which it has not"));
	/* down and up again is a fresh device */
	assert_int_equal(ifconfig_down("eth0"), 0);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	stack_know_peer();
	check_echo(2, 100);
	teardown();
}

static void device_lies_about_buffers(void **state)
{
	static const u16 lies[] = { 2, 60, 65, 0xffff };
	u32 i;

	setup();
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		virtio.bad_buffers = lies[i];
		peer_echo(&peer, host_mac, HOST, 3, i, 100);
		sim_run_ms(1);
		assert_int_equal(peer_count_icmp(&peer, 0), 0);
		check_echo(100 + i, 100);
	}
	assert_int_equal(drops_since(DROP_RX_ERROR), ARRAY_SIZE(lies));
	teardown();
}

/* Lines instead of messages. */
static void without_msix(void **state)
{
	model_virtio_init(&virtio, legacy, OFFERED, host_mac);
	virtio.pci.msix_vectors = 0;
	assert_int_equal(stack_up_pci(&virtio.pci, &virtio.end, "virtio_net", NULL), 0);
	stack_know_peer();
	check_echo(1, 100);
	model_virtio_link(&virtio, false);
	sim_run_ms(1);
	assert_false(netif_running(netif_named("eth0")));
	teardown();
}

#define ALL_TESTS                                                                        \
	cmocka_unit_test(rings_wrap), cmocka_unit_test(nothing_offered),                 \
		cmocka_unit_test(burst_is_served_in_few_interrupts),                     \
		cmocka_unit_test(ring_full_and_free_again),                              \
		cmocka_unit_test(interrupt_that_finds_nothing_is_asked_for_again),       \
		cmocka_unit_test(device_that_fell_asleep_is_told),                       \
		cmocka_unit_test(doorbell_is_rung_without_the_lock),                     \
		cmocka_unit_test(device_without_buffers_is_told_of_new_ones),            \
		cmocka_unit_test(device_fills_checksums),                                \
		cmocka_unit_test(large_frame_in_many_buffers),                           \
		cmocka_unit_test(large_frames_in_a_row),                                 \
		cmocka_unit_test(large_frames_and_no_memory),                            \
		cmocka_unit_test(link_comes_and_goes), cmocka_unit_test(filters),        \
		cmocka_unit_test(up_and_down_in_traffic), cmocka_unit_test(lost_memory), \
		cmocka_unit_test(receives_again_after_a_shortage),                       \
		cmocka_unit_test(device_names_a_descriptor_it_does_not_have),            \
		cmocka_unit_test(device_lies_about_buffers), cmocka_unit_test(without_msix)

static int choose_modern(void **state)
{
	legacy = false;
	return 0;
}

static int choose_legacy(void **state)
{
	legacy = true;
	sim_dma_low = true; /* page numbers of 32 bits */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { ALL_TESTS };

	return cmocka_run_group_tests_name("modern", tests, choose_modern, NULL) +
	       cmocka_run_group_tests_name("legacy", tests, choose_legacy, NULL);
}
