/* SPDX-License-Identifier: MIT */
/* test_sim_packet_ring.c - PACKET_RX_RING: frames in pages that a program maps, what it gives back
 * and what it does not, and rings that cannot be. */
#include "packet_calls.h"

static struct socket_pages *map_ring(struct socket *s, u64 len)
{
	return s->ops->mmap(s, len);
}

static u32 ring_word(const struct socket_pages *sp, u32 at)
{
	u32 v;

	memcpy(&v, sp->page[at / 4096] + at % 4096, sizeof(v));
	return v;
}

static void ring_is_filled_and_given_back(void **state)
{
	struct tpacket_req q = {
		.tp_block_size = 8192, .tp_block_nr = 2, .tp_frame_size = 2736, .tp_frame_nr = 4
	};
	const u32 at[] = { 0, 2736, 8192, 8192 + 2736 };
	struct socket_pages *sp;
	struct tpacket2_hdr h;
	struct tpacket_stats st;
	struct socket *s;
	u8 bytes[6];
	int v = 2;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, 0);
	/* the third version is not there; the second one is */
	assert_int_equal(getopt_of(s, PACKET_HDRLEN, &v, 4), -EINVAL);
	v = 1;
	assert_int_equal(getopt_of(s, PACKET_HDRLEN, &v, 4), 0);
	assert_int_equal(v, 32);
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), -EINVAL);
	v = 2;
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_VERSION, &v, 4), -EINVAL);
	v = TPACKET_V2;
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_VERSION, &v, 4), 0);
	assert_true(IS_ERR(map_ring(s, 16384)));
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), 0);
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), -EBUSY);
	assert_true(IS_ERR(map_ring(s, 8192)));
	sp = map_ring(s, 16384);
	assert_false(IS_ERR(sp));
	assert_int_equal(bind_ll(s, ETH_P_IP, eth0()), 0);
	assert_false(s->ops->poll(s) & POLLIN);
	for (u32 i = 0; i < 6; i++)
		peer_echo(&peer, host_mac, HOST, 1, i, 100);
	sim_run_ms(1);
	assert_true(s->ops->poll(s) & POLLIN);
	for (u32 i = 0; i < 4; i++) {
		memcpy(&h, sp->page[at[i] / 4096] + at[i] % 4096, sizeof(h));
		assert_true(h.tp_status & TP_STATUS_USER);
		assert_int_equal(h.tp_len, 142);
		assert_int_equal(h.tp_snaplen, 142);
		assert_int_equal(h.tp_net, 80);
		assert_int_equal(h.tp_mac, 66);
		memcpy(bytes, sp->page[(at[i] + 66) / 4096] + (at[i] + 66) % 4096, 6);
		assert_memory_equal(bytes, host_mac, 6);
	}
	assert_int_equal(getopt_of(s, PACKET_STATISTICS, &st, sizeof(st)), 0);
	assert_int_equal(st.tp_packets, 6);
	assert_int_equal(st.tp_drops, 2);
	/* all given back but the last: the next frames go on from the first */
	for (u32 i = 0; i < 4; i++)
		memset(sp->page[at[i] / 4096] + at[i] % 4096, i == 3 ? 0xff : 0, 4);
	peer_echo(&peer, host_mac, HOST, 1, 9, 4000 - 2600);
	sim_run_ms(1);
	assert_true(ring_word(sp, at[0]) & TP_STATUS_LOSING);
	assert_int_equal(ring_word(sp, at[0] + 4), 1442);
	assert_int_equal(ring_word(sp, at[1]), 0);
	/* mapped, it stays; the last page lives until the mapping is gone */
	memset(&q, 0, sizeof(q));
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)), -EBUSY);
	sock_close(s);
	assert_true(ring_word(sp, at[0]) & TP_STATUS_USER);
	socket_pages_put(sp);
	teardown();
}

static void rings_that_cannot_be(void **state)
{
	const struct tpacket_req bad[] = {
		{ 4096, 1, 2048, 3 },
		{ 4096, 1, 2048, 1 },
		{ 4096, 1, 2050, 1 },
		{ 4095, 1, 2048, 1 },
		{ 0, 1, 2048, 1 },
		{ 4096, 1, 8192, 1 },
		{ 4096, 1, 64, 64 },
		{ 4096, 0, 2048, 2 },
		{ 4096, 1, 0, 0 },
		{ 1 << 30, 64, 2048, 4 },
		{ 0xfffff000, 0xffffffff, 16, 1 },
	};
	struct socket *s;
	int v = TPACKET_V2;

	setup();
	s = open_packet(SOCK_RAW, 0);
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_VERSION, &v, 4), 0);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(sock_setopt(s, SOL_PACKET, PACKET_RX_RING, &bad[i], sizeof(bad[i])) <
			    0);
	v = 4000;
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RESERVE, &v, 4), 0);
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_RX_RING,
				     &(struct tpacket_req){ 4096, 1, 4096, 1 }, 16),
			 -EINVAL);
	sock_close(s);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_is_filled_and_given_back),
		cmocka_unit_test(rings_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
