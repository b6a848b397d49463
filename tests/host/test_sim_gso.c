/* SPDX-License-Identifier: MIT */
/* test_sim_gso.c - large TCP packets below the stack: cut by the device or just above it, the wire
 * sees the same sound segments. Sent again from a clone, whoever kept them is not disturbed. */
#include "stack.h"

#include <weft/pkt.h>

#define SEQ 0xfffff000u /* wraps */
#define ID 0xfffe
#define FIN 1
#define PSH 8
#define ACK 16
#define CWR 0x80

static struct model_e1000 e1000;
static enum { PLAIN, CSUM, I82540EM, I82574 } device;

static void up_with(const char *args)
{
	if (device < I82540EM) {
		nic.features = device == CSUM ? NETIF_F_TX_CSUM : 0;
		assert_int_equal(stack_up(), 0);
	} else {
		model_e1000_init(&e1000, device == I82574 ? MODEL_82574 : MODEL_82540EM, host_mac);
		assert_int_equal(stack_up_e1000(&e1000, args), 0);
		stack_know_peer();
	}
	peer_forget(&peer);
	drops_mark();
}

static void up(void)
{
	up_with(NULL);
}

static void down(void)
{
	if (device < I82540EM)
		stack_down();
	else
		stack_down_e1000(&e1000);
	nic.features = 0;
}

static u32 fold(u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u32 sum_words(const u8 *p, u32 n)
{
	u32 sum = 0;

	for (; n > 1; n -= 2, p += 2)
		sum = fold(sum + get_be16(p));
	return n ? fold(sum + (*p << 8)) : sum;
}

static u32 pseudo(const u8 *ip, bool v6, u32 tcp_len)
{
	return fold((v6 ? sum_words(ip + 8, 32) : sum_words(ip + 12, 8)) + 6 + tcp_len);
}

static u8 byte_at(u32 i)
{
	return i * 7 + i / 251;
}

/* The data alone, with room for headers: what a transport keeps. */
static struct pkt *data_packet(u32 len)
{
	struct pkt *p = pkt_alloc(PKT_POOL_TX, 128, len);
	u8 *data = pkt_put(p, len);

	for (u32 i = 0; i < len; i++)
		data[i] = byte_at(i);
	return p;
}

static struct pkt *push_headers(struct pkt *p, bool v6, u32 options, u32 mss, u8 flags)
{
	u32 iphl = v6 ? 40 : 20, hl = 20 + options, len = p->len;
	u8 *tcp = pkt_push(p, hl), *ip, *f;

	memset(tcp, 1, hl);
	put_be32(tcp, 0x04d2162e);
	put_be32(tcp + 4, SEQ);
	tcp[12] = hl / 4 << 4;
	tcp[13] = flags;
	p->trans_off = pkt_headroom(p);
	ip = pkt_push(p, iphl);
	memset(ip, 0, iphl);
	ip[0] = v6 ? 0x60 : 0x45;
	if (v6) {
		put_be16(ip + 4, hl + len);
		ip[6] = 6;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfe;
		ip[23] = 1;
		ip[39] = 2;
	} else {
		put_be16(ip + 2, iphl + hl + len);
		put_be16(ip + 4, ID);
		ip[8] = 64;
		ip[9] = 6;
		put_be32(ip + 12, HOST);
		put_be32(ip + 16, PEER);
		put_be16(ip + 10, wire_sum(ip, iphl));
	}
	put_be16(tcp + 16, pseudo(ip, v6, hl + len));
	p->net_off = pkt_headroom(p);
	f = pkt_push(p, 14);
	frame_ether(f, peer_mac, host_mac, v6 ? 0x86dd : 0x800);
	p->csum = PKT_CSUM_FILL;
	p->csum_start = p->trans_off;
	p->csum_off = 16;
	p->gso_size = mss;
	p->gso_type = v6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
	return p;
}

static void check_segment(const struct frame *f, bool v6, u32 options, u32 off, u32 len, u32 i)
{
	u32 iphl = v6 ? 40 : 20, hl = 20 + options;
	const u8 *ip = f->data + 14, *tcp = ip + iphl;

	assert_int_equal(f->len, 14 + iphl + hl + len);
	if (v6) {
		assert_int_equal(get_be16(ip + 4), hl + len);
	} else {
		assert_int_equal(get_be16(ip + 2), iphl + hl + len);
		assert_int_equal(get_be16(ip + 4), (u16)(ID + i));
		assert_int_equal(wire_sum(ip, iphl), 0);
	}
	assert_int_equal(get_be32(tcp + 4), SEQ + off);
	assert_int_equal(fold(pseudo(ip, v6, hl + len) + sum_words(tcp, hl + len)), 0xffff);
	for (u32 k = 0; k < len; k++)
		assert_int_equal(tcp[hl + k], byte_at(off + k));
}

/* All that the peer has heard is one large packet's segments, in their order. */
static void check_wire(bool v6, u32 options, u32 len, u32 mss, u8 flags)
{
	struct frame *f;
	u32 off = 0, i = 0;

	list_for_each_entry(f, &peer.heard, node) {
		u32 n = min(len - off, mss);
		u8 want = flags;

		assert_true(off < len || !len);
		check_segment(f, v6, options, off, n, i);
		off += n;
		if (off < len)
			want &= ~(FIN | PSH);
		if (i++)
			want &= ~CWR;
		assert_int_equal(f->data[14 + (v6 ? 40 : 20) + 13], want);
	}
	assert_int_equal(off, len);
	peer_forget(&peer);
}

static void send_and_check(bool v6, u32 options, u32 len, u32 mss, u8 flags)
{
	struct pkt *p = push_headers(data_packet(len), v6, options, mss, flags);

	assert_int_equal(netif_tx(netif_named("eth0"), p), 0);
	sim_run_ms(2);
	check_wire(v6, options, len, mss, flags);
}

static void sizes(void **state)
{
	static const u32 lens[] = { 1, 100, 1447, 1448, 1449, 2896, 2897, 10000, 32768, 65160 };

	up();
	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		send_and_check(false, 12, lens[i], 1448, ACK | PSH | FIN);
		send_and_check(true, 12, lens[i], 1428, ACK | PSH);
	}
	send_and_check(false, 0, 65000, 1460, ACK);
	send_and_check(false, 40, 30000, 536, ACK | CWR | PSH);
	send_and_check(true, 0, 101, 1, ACK);
	down();
}

static void device_is_used(void **state)
{
	struct netif_stats st;
	struct netif *nif;

	up();
	nif = netif_named("eth0");
	netif_stats_sum(nif, &st);
	u64 before = st.tx_packets, bytes = st.tx_bytes;
	send_and_check(false, 12, 64000, 1448, ACK);
	netif_stats_sum(nif, &st);
	/* counted as the wire has it */
	assert_int_equal(st.tx_packets - before, 45);
	assert_int_equal(st.tx_bytes - bytes, 64000 + 45 * 66);
	if (device >= I82540EM) {
		assert_int_equal(e1000.tx_large, 1);
		assert_true(e1000.tx_reports < 5);
	}
	/* CWR is once a packet: software knows, devices do not */
	send_and_check(false, 12, 20000, 1448, ACK | CWR);
	if (device >= I82540EM)
		assert_int_equal(e1000.tx_large, 1);
	/* what comes behind a large packet has its checksum filled all the same */
	send_and_check(false, 12, 900, 1448, ACK);
	send_and_check(false, 12, 9000, 1448, ACK);
	send_and_check(false, 12, 900, 1448, ACK);
	down();
}

/* As a transport sends: it keeps the data, sends a clone, and another one when that is lost. */
static void sent_again_from_a_clone(void **state)
{
	struct pkt *kept, *c;

	up();
	kept = data_packet(20000);
	for (u32 i = 0; i < 3; i++) {
		c = pkt_writable(pkt_clone(kept), 128);
		netif_tx(netif_named("eth0"), push_headers(c, false, 12, 1448, ACK));
		if (i == 1) /* before the device has read the first one */
			netif_tx(netif_named("eth0"),
				 push_headers(pkt_writable(pkt_clone(kept), 128), false, 12, 1448,
					      ACK | PSH));
		sim_run_ms(2);
		if (i != 1)
			check_wire(false, 12, 20000, 1448, ACK);
		peer_forget(&peer);
		for (u32 k = 0; k < 20000; k++)
			assert_int_equal(kept->data[k], byte_at(k));
	}
	pkt_free(kept);
	down();
}

static struct pkt *tapped;
static u8 tapped_header[80];

static void keep(struct netif_tap *t, struct netif *nif, struct pkt *p, bool sent)
{
	if (sent && p->len > 2000 && !tapped) {
		tapped = pkt_get(p);
		memcpy(tapped_header, p->data, sizeof(tapped_header));
	}
}

static void taps_see_it_whole(void **state)
{
	struct netif_tap tap = { .frame = keep };

	up();
	tapped = NULL;
	netif_tap(&tap);
	send_and_check(false, 12, 20000, 1448, ACK | PSH);
	netif_untap(&tap);
	assert_non_null(tapped);
	assert_int_equal(tapped->len, 20066);
	/* and what they keep stays as it was */
	assert_memory_equal(tapped->data, tapped_header, sizeof(tapped_header));
	pkt_free(tapped);
	down();
}

static void malformed(void **state)
{
	struct pkt *p;

	up();
	for (u32 i = 0; i < 5; i++) {
		p = push_headers(data_packet(9000), false, 12, 1448, ACK);
		if (i == 0)
			p->data[14 + 20 + 12] = 0x10; /* a TCP header of 4 bytes */
		else if (i == 1)
			p->trans_off = p->net_off;
		else if (i == 2)
			p->net_off = 3;
		else if (i == 3)
			p->csum = PKT_CSUM_NONE;
		else
			pkt_trim(p, 60);
		assert_int_equal(netif_tx(netif_named("eth0"), p), -EMSGSIZE);
	}
	assert_int_equal(drops_since(DROP_TOO_LONG), 5);
	sim_run_ms(1);
	assert_int_equal(peer.nr_heard, 0);
	send_and_check(false, 12, 9000, 1448, ACK);
	down();
}

static void without_memory(void **state)
{
	up();
	for (u32 i = 0; i < 60; i++) {
		struct pkt *p = push_headers(data_packet(30000), i & 1, 12, 1428, ACK);

		sim_fail_every(1 + i % 20);
		netif_tx(netif_named("eth0"), p);
		sim_fail_every(0);
		sim_run_ms(1);
		peer_forget(&peer);
	}
	send_and_check(false, 12, 9000, 1448, ACK);
	send_and_check(true, 12, 9000, 1428, ACK);
	down();
}

/* A ring of 32: each packet takes 3 or more, and room comes back without an interrupt. */
static void many(void **state)
{
	u32 sent = 0;

	up_with("tx_ring=32");
	for (u32 i = 0; i < 300; i++) {
		sent += !netif_tx(netif_named("eth0"),
				  push_headers(data_packet(40000), false, 12, 1448, ACK));
		sim_run(20 * NSEC_PER_USEC);
		peer_forget(&peer);
	}
	assert_int_equal(sent, 300);
	sim_run_ms(20);
	down();
}

/* Over IPv6 a packet may take half of the ring: whoever cuts it, each arrives whole and in order,
 * also where the headers of one segment are in another buffer than the one's before. */
static void many_over_ipv6(void **state)
{
	static const char *const rings[] = { "tx_ring=128", "tx_ring=256", "tx_ring=1024" };

	for (u32 r = 0; r < ARRAY_SIZE(rings); r++) {
		up_with(rings[r]);
		for (u32 i = 0; i < 40; i++) {
			u32 options = 4 * (i % 11);

			send_and_check(true, options, 65000 - 997 * i, 1440 - options, ACK | PSH);
		}
		/* more segments than a driver may take */
		send_and_check(true, 12, 60000, 500, ACK | PSH);
		send_and_check(true, 12, 40000, 1428, ACK | CWR);
		down();
	}
}

/* As sent_again_from_a_clone: what was sent is nobody's to change, and is given back. */
static void clones_over_ipv6(void **state)
{
	struct pkt *kept, *c;

	up();
	kept = data_packet(60000);
	for (u32 i = 0; i < 10; i++) {
		c = pkt_writable(pkt_clone(kept), 128);
		netif_tx(netif_named("eth0"), push_headers(c, true, 12, 1428, ACK));
		sim_run_ms(2);
		check_wire(true, 12, 60000, 1428, ACK);
		for (u32 k = 0; k < 60000; k++)
			assert_int_equal(kept->data[k], byte_at(k));
	}
	pkt_free(kept);
	down();
}

#define ALL_TESTS                                                                               \
	cmocka_unit_test(sizes), cmocka_unit_test(device_is_used),                              \
		cmocka_unit_test(sent_again_from_a_clone), cmocka_unit_test(taps_see_it_whole), \
		cmocka_unit_test(malformed), cmocka_unit_test(without_memory),                  \
		cmocka_unit_test(many), cmocka_unit_test(many_over_ipv6),                       \
		cmocka_unit_test(clones_over_ipv6)

static int choose(void **state)
{
	device++;
	return 0;
}

static int choose_first(void **state)
{
	device = PLAIN;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { ALL_TESTS };

	return cmocka_run_group_tests_name("cut in software", tests, choose_first, NULL) +
	       cmocka_run_group_tests_name("with checksums", tests, choose, NULL) +
	       cmocka_run_group_tests_name("82540EM", tests, choose, NULL) +
	       cmocka_run_group_tests_name("82574", tests, choose, NULL);
}
