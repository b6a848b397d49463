/* SPDX-License-Identifier: MIT */
/* test_sim_packet.c - packet sockets: what a capture sees and what it does not, what goes out,
 * filters, memberships, statistics, interfaces that go away under a reader, unloading. */
#include "packet_calls.h"

/* ---- receiving ---- */

static void capture_sees_both_ways(void **state)
{
	struct socket *s;
	struct got g;
	long n;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	assert_int_equal(bind_ll(s, ETH_P_ALL, eth0()), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 100);
	sim_run_ms(1);
	n = take(s, &g, sizeof(g.data), MSG_DONTWAIT);
	assert_int_equal(n, 14 + 20 + 8 + 100);
	assert_memory_equal(g.data, host_mac, 6);
	assert_int_equal(g.from.sll_family, AF_PACKET);
	assert_int_equal(g.from.sll_protocol, htons(ETH_P_IP));
	assert_int_equal(g.from.sll_ifindex, eth0());
	assert_int_equal(g.from.sll_hatype, ARPHRD_ETHER);
	assert_int_equal(g.from.sll_pkttype, PKT_HOST);
	assert_int_equal(g.from.sll_halen, 6);
	assert_memory_equal(g.from.sll_addr, peer_mac, 6);
	/* the host's answer */
	n = take(s, &g, sizeof(g.data), MSG_DONTWAIT);
	assert_int_equal(n, 142);
	assert_int_equal(g.from.sll_pkttype, PKT_OUTGOING);
	assert_memory_equal(g.from.sll_addr, host_mac, 6);
	assert_int_equal(g.data[34], 0); /* an echo reply */
	assert_int_equal(take(s, &g, sizeof(g.data), MSG_DONTWAIT), -EAGAIN);
	sock_close(s);
	teardown();
}

static void dgram_has_no_link_header(void **state)
{
	struct socket *ip, *arp;
	int on = 1;
	struct got g;

	setup();
	stack_know_peer();
	ip = open_packet(SOCK_DGRAM, ETH_P_IP);
	arp = open_packet(SOCK_DGRAM, ETH_P_ARP);
	assert_int_equal(sock_setopt(ip, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 100);
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	sim_run_ms(1);
	/* one EtherType each, and nothing that goes out */
	assert_int_equal(take(ip, &g, 60, MSG_DONTWAIT), 60);
	assert_true(g.flags & MSG_TRUNC);
	assert_int_equal(g.data[0], 0x45);
	assert_true(g.has_aux);
	assert_int_equal(g.aux.tp_len, 128);
	assert_int_equal(g.aux.tp_snaplen, 128);
	assert_true(g.aux.tp_status & TP_STATUS_USER);
	assert_int_equal(take(ip, &g, 60, MSG_DONTWAIT), -EAGAIN);
	assert_true(take(arp, &g, 1000, MSG_DONTWAIT) >= 28);
	assert_int_equal(g.from.sll_pkttype, PKT_BROADCAST);
	assert_false(g.has_aux);
	assert_int_equal(take(arp, &g, 60, MSG_DONTWAIT), -EAGAIN);
	sock_close(ip);
	sock_close(arp);
	teardown();
}

static void lengths_as_recv_tells_them(void **state)
{
	struct socket *s;
	struct got g;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, ETH_P_IP);
	peer_echo(&peer, host_mac, HOST, 1, 2, 100);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC), 142);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT | MSG_PEEK), 10);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT | MSG_OOB), -EINVAL);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT | MSG_ERRQUEUE), -EAGAIN);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT), 10);
	assert_int_equal(take(s, &g, 10, MSG_DONTWAIT), -EAGAIN);
	sock_close(s);
	teardown();
}

static void protocol_0_hears_nothing_until_bound(void **state)
{
	struct socket *s;
	struct got g;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(bind_ll(s, 0, eth0()), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(bind_ll(s, ETH_P_ALL, eth0()), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	sim_run_ms(1);
	assert_true(take(s, &g, 100, MSG_DONTWAIT) > 0);
	/* another interface, which is down */
	assert_int_equal(bind_ll(s, ETH_P_ALL, netif_named("lo")->index), 0);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -ENETDOWN);
	assert_true(take(s, &g, 100, MSG_DONTWAIT) > 0); /* the answer, still queued */
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(bind_ll(s, ETH_P_ALL, 77), -ENODEV);
	sock_close(s);
	teardown();
}

static void loopback_shows_a_packet_twice(void **state)
{
	u8 echo[16] = { 8 };
	struct socket *s, *ping;
	struct got g;

	setup();
	assert_int_equal(ifconfig("lo", IP4(127, 0, 0, 1), 8), 0);
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	ping = sock_open(SOCK_DGRAM, IPPROTO_ICMP);
	assert_int_equal(sock_send(ping, IP4(127, 0, 0, 1), echo, 16, 0), 16);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), 14 + 20 + 16);
	assert_int_equal(g.from.sll_pkttype, PKT_OUTGOING);
	assert_int_equal(g.from.sll_hatype, ARPHRD_LOOPBACK);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), 50);
	assert_int_equal(g.from.sll_pkttype, PKT_HOST);
	sock_close(s);
	sock_close(ping);
	teardown();
}

/* ---- sending ---- */

static void sends_frames_and_datagrams(void **state)
{
	u8 f[60], payload[46] = { 1, 2, 3 };
	const struct frame *heard;
	struct socket *raw, *dgram;
	struct got g;

	setup();
	raw = open_packet(SOCK_RAW, ETH_P_ALL);
	dgram = open_packet(SOCK_DGRAM, 0);
	memset(f, 0xee, sizeof(f));
	frame_ether(f, peer_mac, host_mac, 0x88b5);
	assert_int_equal(put(raw, 0x88b5, eth0(), NULL, f, 60), 60);
	sim_run_ms(1);
	heard = list_first_entry_or_null(&peer.heard, struct frame, node);
	assert_non_null(heard);
	assert_int_equal(heard->len, 60);
	assert_memory_equal(heard->data, f, 60);
	/* what a socket sent it does not hear itself */
	assert_int_equal(take(raw, &g, 100, MSG_DONTWAIT), -EAGAIN);
	peer_forget(&peer);
	assert_int_equal(put(dgram, 0x88b6, eth0(), broadcast_mac, payload, 46), 46);
	sim_run_ms(1);
	heard = list_first_entry_or_null(&peer.heard, struct frame, node);
	assert_non_null(heard);
	assert_int_equal(heard->len, 60);
	assert_memory_equal(heard->data, broadcast_mac, 6);
	assert_memory_equal(heard->data + 6, host_mac, 6);
	assert_int_equal(get_be16(heard->data + 12), 0x88b6);
	assert_memory_equal(heard->data + 14, payload, 46);
	/* that one another socket hears */
	assert_int_equal(take(raw, &g, 100, MSG_DONTWAIT), 60);
	assert_int_equal(g.from.sll_pkttype, PKT_OUTGOING);
	sock_close(raw);
	sock_close(dgram);
	teardown();
}

static void refuses_what_cannot_be_sent(void **state)
{
	static u8 f[2000];
	struct socket *raw, *dgram;

	setup();
	raw = open_packet(SOCK_RAW, 0);
	dgram = open_packet(SOCK_DGRAM, 0);
	assert_int_equal(put(raw, 0, eth0(), NULL, f, 13), -EINVAL);
	assert_int_equal(put(raw, 0, eth0(), NULL, f, 0), -EINVAL);
	assert_int_equal(put(raw, 0, eth0(), NULL, f, 1515), -EMSGSIZE);
	assert_int_equal(put(raw, 0, eth0(), NULL, f, 1514), 1514);
	assert_int_equal(put(dgram, 0, eth0(), host_mac, f, 1501), -EMSGSIZE);
	assert_int_equal(put(dgram, 0, eth0(), host_mac, f, 1500), 1500);
	assert_int_equal(put(raw, 0, 0, NULL, f, 60), -ENXIO);
	assert_int_equal(put(raw, 0, 99, NULL, f, 60), -ENXIO);
	assert_int_equal(ifconfig_down("eth0"), 0);
	assert_int_equal(put(raw, 0, eth0(), NULL, f, 60), -ENETDOWN);
	sock_close(raw);
	sock_close(dgram);
	teardown();
}

/* ---- filters ---- */

static const struct sock_filter only_arp[] = {
	{ BPF_LD | BPF_H | BPF_ABS, 0, 0, 12 },
	{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_P_ARP },
	{ BPF_RET | BPF_K, 0, 0, 20 },
	{ BPF_RET | BPF_K, 0, 0, 0 },
};

static void filter_chooses_and_cuts(void **state)
{
	const struct sock_filter bad = { BPF_RET | BPF_X, 0, 0, 0 };
	struct socket *s;
	struct got g;
	int on = 1, off = 0;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_DETACH_FILTER, &on, 4), -ENOENT);
	assert_int_equal(attach(s, &bad, 1), -EINVAL);
	assert_int_equal(attach(s, only_arp, 0), -EINVAL);
	assert_int_equal(attach(s, only_arp, 4), 0);
	assert_int_equal(sock_setopt(s, SOL_PACKET, PACKET_AUXDATA, &on, 4), 0);
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), 20);
	assert_int_equal(g.from.sll_protocol, htons(ETH_P_ARP));
	assert_int_equal(g.aux.tp_snaplen, 20);
	assert_true(g.aux.tp_len >= 42);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), -EAGAIN);
	/* locked, it stays */
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_LOCK_FILTER, &on, 4), 0);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_LOCK_FILTER, &off, 4), -EPERM);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_DETACH_FILTER, &on, 4), -EPERM);
	assert_int_equal(attach(s, only_arp, 4), -EPERM);
	sock_close(s);
	s = open_packet(SOCK_DGRAM, ETH_P_ALL);
	/* offset 0 is the network header */
	assert_int_equal(attach(s,
				(const struct sock_filter[]){ { BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 },
							      { BPF_JMP | BPF_JEQ, 0, 1, 0x45 },
							      { BPF_RET, 0, 0, 0xffff },
							      { BPF_RET, 0, 0, 0 } },
				4),
			 0);
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	peer_echo(&peer, host_mac, HOST, 1, 2, 100);
	sim_run_ms(1);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), 128);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_DETACH_FILTER, &on, 4), 0);
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	assert_int_equal(take(s, &g, 1000, MSG_DONTWAIT), 128); /* the answer, from before */
	sim_run_ms(1);
	assert_true(take(s, &g, 1000, MSG_DONTWAIT) >= 28);
	sock_close(s);
	teardown();
}

static void statistics_start_anew_when_read(void **state)
{
	struct tpacket_stats st;
	struct socket *s;
	struct got g;
	int small = 1;
	u32 read = 0;

	setup();
	stack_know_peer();
	s = open_packet(SOCK_RAW, ETH_P_IP);
	assert_int_equal(sock_setopt(s, SOL_SOCKET, SO_RCVBUF, &small, 4), 0);
	for (u32 i = 0; i < 20; i++)
		peer_echo(&peer, host_mac, HOST, 1, i, 1000);
	sim_run_ms(2);
	while (take(s, &g, 100, MSG_DONTWAIT) > 0)
		read++;
	assert_int_equal(getopt_of(s, PACKET_STATISTICS, &st, sizeof(st)), 0);
	assert_int_equal(st.tp_packets, 20);
	assert_int_equal(st.tp_packets - st.tp_drops, read);
	assert_true(st.tp_drops > 0);
	assert_int_equal(getopt_of(s, PACKET_STATISTICS, &st, sizeof(st)), 0);
	assert_int_equal(st.tp_packets + st.tp_drops, 0);
	sock_close(s);
	teardown();
}

/* ---- memberships ---- */

static int member(struct socket *s, int opt, u16 type, const u8 *addr)
{
	struct packet_mreq mr = { eth0(), type, addr ? 6 : 0, { 0 } };

	if (addr)
		memcpy(mr.mr_address, addr, 6);
	return sock_setopt(s, SOL_PACKET, opt, &mr, sizeof(mr));
}

static void memberships_are_counted(void **state)
{
	const u8 group[6] = { 1, 0, 0x5e, 0, 0, 9 };
	struct packet_mreq mr = { 99, PACKET_MR_PROMISC, 0, { 0 } };
	struct socket *a, *b;
	struct netif *nif;

	setup();
	nif = netif_named("eth0");
	a = open_packet(SOCK_RAW, 0);
	b = open_packet(SOCK_RAW, 0);
	assert_int_equal(member(a, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	assert_int_equal(member(a, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	assert_int_equal(member(b, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	assert_int_equal(member(b, PACKET_ADD_MEMBERSHIP, PACKET_MR_ALLMULTI, NULL), 0);
	assert_int_equal(member(b, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST, group), 0);
	assert_int_equal(member(b, PACKET_ADD_MEMBERSHIP, PACKET_MR_MULTICAST, NULL), -EINVAL);
	assert_int_equal(member(b, PACKET_ADD_MEMBERSHIP, 9, NULL), -EINVAL);
	assert_int_equal(sock_setopt(a, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)),
			 -ENODEV);
	assert_int_equal(sock_setopt(a, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, 8), -EINVAL);
	mr.mr_alen = 9;
	assert_int_equal(sock_setopt(a, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)),
			 -EINVAL);
	assert_int_equal(nif->promisc_users, 2);
	assert_true(nif->flags & IFF_PROMISC);
	assert_int_equal(member(a, PACKET_DROP_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	assert_int_equal(nif->promisc_users, 2);
	assert_int_equal(member(a, PACKET_DROP_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	assert_int_equal(nif->promisc_users, 1);
	assert_int_equal(member(a, PACKET_DROP_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	/* the rest goes with the socket */
	sock_close(b);
	assert_int_equal(nif->promisc_users + nif->allmulti_users, 0);
	assert_false(nif->flags & (IFF_PROMISC | IFF_ALLMULTI));
	sock_close(a);
	teardown();
}

static void promiscuous_hears_what_is_for_others(void **state)
{
	const u8 other[6] = { 2, 2, 2, 2, 2, 2 };
	struct socket *s;
	struct got g;

	setup();
	s = open_packet(SOCK_RAW, ETH_P_IP);
	assert_int_equal(member(s, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	peer_echo(&peer, other, IP4(10, 0, 0, 9), 1, 2, 10);
	sim_run_ms(1);
	assert_true(take(s, &g, 100, MSG_DONTWAIT) > 0);
	assert_int_equal(g.from.sll_pkttype, PKT_OTHERHOST);
	sock_close(s);
	teardown();
}

/* ---- who may, and what goes away ---- */

static void who_may(void **state)
{
	setup();
	sim_root = false;
	assert_int_equal(PTR_ERR(socket_create(AF_PACKET, SOCK_RAW, 0)), -EPERM);
	sim_root = true;
	assert_int_equal(PTR_ERR(socket_create(AF_PACKET, SOCK_STREAM, 0)), -ESOCKTNOSUPPORT);
	teardown();
}

static int reader(void *arg)
{
	struct got g;

	return take(arg, &g, 100, 0);
}

static void interface_goes_down_under_a_reader(void **state)
{
	struct socket *s;
	struct thread *t;
	struct got g;

	setup();
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	assert_int_equal(bind_ll(s, ETH_P_ALL, eth0()), 0);
	t = kthread_run(reader, s, "reader");
	sim_run_ms(10);
	assert_int_equal(ifconfig_down("eth0"), 0);
	assert_int_equal(kthread_stop(t), -ENETDOWN);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -EAGAIN);
	/* bound to one that is down: told at once */
	assert_int_equal(bind_ll(s, ETH_P_ALL, eth0()), 0);
	assert_int_equal(take(s, &g, 100, MSG_DONTWAIT), -ENETDOWN);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	sim_run_ms(1);
	assert_true(take(s, &g, 100, MSG_DONTWAIT) > 0);
	sock_close(s);
	teardown();
}

static void driver_leaves_and_another_takes_over(void **state)
{
	struct socket *s;
	struct got g;
	u32 index;

	setup();
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	index = eth0();
	assert_int_equal(bind_ll(s, ETH_P_ALL, index), 0);
	assert_int_equal(member(s, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL), 0);
	sim_nic_detach(&nic);
	assert_int_equal(take(s, &g, 100, 0), -ENETDOWN);
	assert_int_equal(take(s, &g, 100, 0), -ENODEV);
	assert_int_equal(put(s, 0, index, NULL, g.data, 60), -ENXIO);
	assert_int_equal(sim_nic_attach(&nic, host_mac), 0);
	assert_int_equal(eth0(), index);
	assert_int_equal(ifconfig("eth0", HOST, 24), 0);
	assert_true(netif_named("eth0")->flags & IFF_PROMISC);
	while (take(s, &g, 100, MSG_DONTWAIT) > 0)
		;
	peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
	sim_run_ms(1);
	assert_true(take(s, &g, 100, MSG_DONTWAIT) > 0);
	sock_close(s);
	teardown();
}

static void module_names_its_holders(void **state)
{
	struct socket *s;
	struct got g;

	setup();
	s = open_packet(SOCK_RAW, ETH_P_ALL);
	assert_true(strstr(sim_read("/proc/net/packet"), " 3    0003   0     1 ") != NULL);
	sim_log_clear();
	assert_int_equal(sim_rmmod("packet", false), -EAGAIN);
	assert_true(sim_log_has("packet: 1 socket"));
	assert_int_equal(sim_rmmod("packet", true), 0);
	assert_int_equal(take(s, &g, 100, 0), -ECONNABORTED);
	peer_echo(&peer, host_mac, HOST, 1, 2, 10);
	sim_run_ms(1);
	sock_close(s);
	stack_down();
}

static void lives_without_memory(void **state)
{
	u8 f[64] = { 0 };
	u32 index;

	setup();
	index = eth0();
	sim_fail_every(3);
	for (u32 i = 0; i < 300; i++) {
		struct socket *s = socket_create(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
		struct got g;

		if (IS_ERR(s))
			continue;
		bind_ll(s, ETH_P_ALL, index);
		member(s, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, NULL);
		attach(s, only_arp, 4);
		peer_arp(&peer, broadcast_mac, peer_mac, PEER, IP4(10, 0, 0, 77), 1);
		put(s, 0, index, NULL, f, 60);
		sim_run_ms(1);
		take(s, &g, 100, MSG_DONTWAIT);
		sock_close(s);
	}
	sim_fail_every(0);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture_sees_both_ways),
		cmocka_unit_test(dgram_has_no_link_header),
		cmocka_unit_test(lengths_as_recv_tells_them),
		cmocka_unit_test(protocol_0_hears_nothing_until_bound),
		cmocka_unit_test(loopback_shows_a_packet_twice),
		cmocka_unit_test(sends_frames_and_datagrams),
		cmocka_unit_test(refuses_what_cannot_be_sent),
		cmocka_unit_test(filter_chooses_and_cuts),
		cmocka_unit_test(statistics_start_anew_when_read),
		cmocka_unit_test(memberships_are_counted),
		cmocka_unit_test(promiscuous_hears_what_is_for_others),
		cmocka_unit_test(who_may),
		cmocka_unit_test(interface_goes_down_under_a_reader),
		cmocka_unit_test(driver_leaves_and_another_takes_over),
		cmocka_unit_test(module_names_its_holders),
		cmocka_unit_test(lives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
