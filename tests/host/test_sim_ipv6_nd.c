/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_nd.c - neighbour discovery on one link: what is answered, what is refused, what an
 * advertisement does to an entry in each state (RFC 4861 7.2.5), how long patience lasts (RFC
 * 7048), and that no flood pushes out the neighbours in use (RFC 6583). */
#include "stack6.h"

#include <weft/net/flow.h>

#define STATION ip6("2001:db8::77")
#define STATION_LL ip6("fe80::77")

static const u8 other_mac[6] = { 2, 0, 0, 0, 0, 0x99 };

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	drops_mark();
}

/* A datagram nobody waits for. */
static int send_to(const struct ip_addr *dst)
{
	struct flow f = { .dst = *dst, .proto = 253, .flags = FLOW_PARK };
	struct pkt *p = ip_reserve(&f, 8, NULL);

	if (IS_ERR(p))
		return PTR_ERR(p);
	memset(pkt_put(p, 8), 0, 8);
	return ip_commit(&f, p);
}

static struct neigh_info look(const struct ip_addr *addr)
{
	struct neigh_info info = { .state = 0xff };

	netif_lock();
	neigh_get_info(netif_by_name("eth0"), addr, &info);
	netif_unlock();
	return info;
}

static u32 count_ns(const struct ip_addr *target)
{
	u32 n = 0;

	while (peer6_take_nd(&peer, 135, target))
		n++;
	return n;
}

/* ---- answers ---- */

static void solicitations_are_answered(void **state)
{
	struct ip_addr host = HOST6, station = STATION, any = ip_addr_any(AF_INET6), ll;
	struct ip_addr group = ip6_solicited_node(&host), nobody = ip6("2001:db8::1:2");
	const struct frame *f;
	const u8 *m;

	setup();
	peer6_ns(&peer, &station, &group, &host);
	sim_run_ms(5);
	f = peer6_take_nd(&peer, 136, &host);
	assert_non_null(f);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_hop_limit(f), 255);
	m = frame6_icmp(f);
	assert_int_equal(get_be32(m + 4), NA6_SOLICITED | NA6_OVERRIDE);
	assert_memory_equal(frame6_option(f, 2) + 2, host_mac, 6);
	assert_memory_equal(f->data, peer_mac, 6);
	ll = frame6_src(f);
	assert_true(ip_addr_eq(&ll, &host));
	ll = frame6_dst(f);
	assert_true(ip_addr_eq(&ll, &station));
	/* it learnt where the asker is, and answering was no use of it */
	assert_int_equal(neigh6_state_of(&station), NEIGH_STALE);
	/* somebody checks our address for duplicates */
	peer6_ns(&peer, &any, &group, &host);
	sim_run_ms(5);
	f = peer6_take_nd(&peer, 136, &host);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_OVERRIDE);
	ll = frame6_dst(f);
	any = ip6("ff02::1");
	assert_true(ip_addr_eq(&ll, &any));
	/* not ours */
	group = ip6_solicited_node(&nobody);
	peer6_ns(&peer, &station, &host, &nobody);
	sim_run_ms(5);
	assert_null(peer6_take_nd(&peer, 136, NULL));
	stack_down6();
}

/* A routing daemon sets for itself what it advertises to others. */
static void a_user_sets_the_pace(void **state)
{
	struct ip_addr s = STATION;
	u32 n;

	setup();
	assert_string_equal(sim_read("/proc/sys/net/ipv6/neigh/eth0/base_reachable_time_ms"),
			    "30000\n");
	assert_int_equal(sysctl6("neigh/eth0/retrans_time_ms", "5"), -EINVAL);
	assert_int_equal(sysctl6("neigh/eth0/retrans_time_ms", "200"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/neigh/eth0/retrans_time_ms"), "200\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv6/neigh/lo/retrans_time_ms"), "1000\n");
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(650);
	for (n = 0; peer6_take_nd(&peer, 135, &s); n++)
		;
	assert_int_equal(n, 3);
	assert_int_equal(send_to(&s), -EHOSTUNREACH);
	stack_down6();
}

static u64 snmp6(const char *name)
{
	const char *at = strstr(sim_read("/proc/net/snmp6"), name);
	u64 n = 0;

	assert_non_null(at);
	for (at += strlen(name); *at && *at != '\n'; at++)
		n = *at < '0' ? n : n * 10 + *at - '0';
	return n;
}

/* They go by no route, and are sent all the same. */
static void messages_are_counted(void **state)
{
	struct ip_addr host = HOST6, station = STATION, nobody = ip6("2001:db8::1:2");
	u64 sent, groups, octets, asked, answered;

	setup();
	sim_run_s(20); /* announcements and reports are over */
	sent = snmp6("Ip6OutRequests");
	groups = snmp6("Ip6OutMcastPkts");
	octets = snmp6("Ip6OutMcastOctets");
	asked = snmp6("Icmp6OutNeighborSolicits");
	answered = snmp6("Icmp6OutNeighborAdvertisements");
	peer6_ns(&peer, &station, &host, &host);
	send_to(&nobody);
	sim_run_ms(5);
	assert_int_equal(snmp6("Icmp6OutNeighborAdvertisements"), answered + 1);
	assert_int_equal(snmp6("Icmp6OutNeighborSolicits"), asked + 1);
	/* with the datagram that waits */
	assert_int_equal(snmp6("Ip6OutRequests"), sent + 3);
	assert_int_equal(snmp6("Ip6OutMcastPkts"), groups + 1);
	assert_int_equal(snmp6("Ip6OutMcastOctets"), octets + 72);
	assert_int_equal(snmp6("Ip6OutTransmits"), sent + 3);
	stack_down6();
}

static void a_router_says_so(void **state)
{
	struct ip_addr host = HOST6, station = STATION;
	const struct frame *f;

	setup();
	sysctl6("conf/all/forwarding", "1");
	sim_run_ms(50);
	peer_forget(&peer);
	peer6_ns(&peer, &station, &host, &host);
	sim_run_ms(5);
	f = peer6_take_nd(&peer, 136, &host);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_ROUTER | NA6_SOLICITED | NA6_OVERRIDE);
	stack_down6();
}

/* ---- what is refused ---- */

static void nd(const struct ip_addr *src, const struct ip_addr *dst, u8 hop_limit, u8 type, u8 code,
	       const struct ip_addr *target, const u8 *options, u32 len)
{
	struct ipv6_fields h = { .src = *src, .dst = *dst, .next = 58, .hop_limit = hop_limit };
	u8 b[128], m[160];
	u32 n = 0;

	if (target)
		memcpy(b, target, 16), n = 16;
	if (len)
		memcpy(b + n, options, len);
	peer6_send(&peer, NULL, &h, m, icmp6_message(m, type, code, 0, b, n + len));
	sim_run_ms(2);
}

static void malformed_messages_are_refused(void **state)
{
	struct ip_addr host = HOST6, s = STATION, ll = STATION_LL, any = ip_addr_any(AF_INET6);
	struct ip_addr group = ip6_solicited_node(&host), all = ip6("ff02::1");
	struct chain6 frag = { 0 };
	struct ipv6_fields h = { .src = s, .dst = host, .next = 58, .hop_limit = 255 };
	u8 o[16], zero[8] = { 1, 0 }, past[8] = { 1, 2 }, m[64];
	u32 n = nd6_ll(o, 1, peer_mac), bad = 0;

	setup();
	nd(&s, &host, 254, 135, 0, &host, o, n);
	nd(&ll, &all, 254, 134, 0, NULL, o, 8);
	assert_int_equal(drops_since(DROP_NEIGH_DISTANT), 2);
	nd(&s, &host, 255, 135, 1, &host, o, n), bad++;
	nd(&s, &host, 255, 135, 0, NULL, o, n), bad++; /* no target */
	nd(&s, &host, 255, 135, 0, &host, zero, 8), bad++;
	nd(&s, &host, 255, 135, 0, &host, past, 8), bad++;
	nd(&s, &host, 255, 135, 0, &host, o, 7), bad++;
	nd(&s, &host, 255, 135, 0, &group, o, n), bad++;   /* a group's address */
	nd(&any, &group, 255, 135, 0, &host, o, n), bad++; /* from nobody, at an address */
	nd(&any, &all, 255, 135, 0, &host, o, 0), bad++;
	o[1] = 2;
	memset(o + 8, 0, 8);
	nd(&s, &host, 255, 135, 0, &host, o, 16), bad++; /* not as long as this link's */
	nd6_ll(o, 1, broadcast_mac);
	nd(&s, &host, 255, 135, 0, &host, o, 8), bad++; /* not one station's */
	nd6_ll(o, 1, peer_mac);
	nd(&s, &all, 255, 134, 0, NULL, o, 8), bad++; /* a router has a link-local address */
	nd(&ll, &all, 255, 134, 0, NULL, o, 4), bad++;
	nd(&ll, &host, 255, 137, 0, &s, o, 8), bad++;
	assert_int_equal(drops_since(DROP_NEIGH_MALFORMED), bad);
	/* RFC 6980: not even in a single fragment */
	chain6_fragment(&frag, 7, 0, false);
	h.chain = &frag;
	memcpy(o, &host, 16);
	n = icmp6_message(m, 135, 0, 0, o, 16);
	wire_sum6_put(&s, &host, 58, m, n);
	h.keep_sum = true;
	peer6_send(&peer, NULL, &h, m, n);
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_NEIGH_FRAGMENT), 1);
	assert_null(peer6_take_nd(&peer, 136, NULL));
	assert_int_equal(neigh6_state_of(&s), 0xff);
	assert_int_equal(neigh6_state_of(&ll), 0xff);
	stack_down6();
}

static void unknown_options_are_skipped(void **state)
{
	struct ip_addr host = HOST6, s = STATION;
	u8 o[24] = { 250, 2 };

	setup();
	nd6_ll(o + 16, 1, peer_mac);
	nd(&s, &host, 255, 135, 0, &host, o, 24);
	assert_non_null(peer6_take_nd(&peer, 136, &host));
	assert_int_equal(neigh6_state_of(&s), NEIGH_STALE);
	stack_down6();
}

/* ---- RFC 4861 7.2.5 and appendix C ---- */

#define R NA6_ROUTER
#define S NA6_SOLICITED
#define O NA6_OVERRIDE

static void make_state(const struct ip_addr *addr, u8 want)
{
	struct ip_addr host = HOST6;
	u8 o[8];

	netif_lock();
	neigh_del(netif_by_name("eth0"), addr);
	if (want == NEIGH_REACHABLE)
		neigh_set(netif_by_name("eth0"), addr, peer_mac, false);
	netif_unlock();
	if (want == NEIGH_INCOMPLETE)
		send_to(addr);
	if (want >= NEIGH_STALE) {
		nd6_ll(o, 1, peer_mac);
		nd(addr, &host, 255, 135, 0, &host, o, 8);
	}
	if (want >= NEIGH_DELAY)
		send_to(addr);
	if (want == NEIGH_PROBE)
		sim_run_ms(5200);
	sim_run_ms(2);
	assert_int_equal(neigh6_state_of(addr), want);
}

static void advertisements_do_what_the_rfc_says(void **state)
{
	enum { SAME, OTHER, NONE };
	static const struct {
		u8 before;
		u32 flags;
		u8 hw, after, after_hw;
	} table[] = {
		{ NEIGH_INCOMPLETE, 0, SAME, NEIGH_STALE, SAME },
		{ NEIGH_INCOMPLETE, S, SAME, NEIGH_REACHABLE, SAME },
		{ NEIGH_INCOMPLETE, O, SAME, NEIGH_STALE, SAME },
		{ NEIGH_INCOMPLETE, S | O, SAME, NEIGH_REACHABLE, SAME },
		{ NEIGH_INCOMPLETE, S | O, NONE, NEIGH_INCOMPLETE, NONE },
		{ NEIGH_REACHABLE, 0, OTHER, NEIGH_STALE, SAME },
		{ NEIGH_REACHABLE, S, OTHER, NEIGH_STALE, SAME },
		{ NEIGH_REACHABLE, 0, SAME, NEIGH_REACHABLE, SAME },
		{ NEIGH_REACHABLE, O, OTHER, NEIGH_STALE, OTHER },
		{ NEIGH_REACHABLE, S | O, OTHER, NEIGH_REACHABLE, OTHER },
		{ NEIGH_REACHABLE, 0, NONE, NEIGH_REACHABLE, SAME },
		{ NEIGH_STALE, 0, OTHER, NEIGH_STALE, SAME },
		{ NEIGH_STALE, S, OTHER, NEIGH_STALE, SAME },
		{ NEIGH_STALE, 0, SAME, NEIGH_STALE, SAME },
		{ NEIGH_STALE, O, SAME, NEIGH_STALE, SAME },
		{ NEIGH_STALE, O, OTHER, NEIGH_STALE, OTHER },
		{ NEIGH_STALE, S, SAME, NEIGH_REACHABLE, SAME },
		{ NEIGH_STALE, S, NONE, NEIGH_REACHABLE, SAME },
		{ NEIGH_STALE, S | O, OTHER, NEIGH_REACHABLE, OTHER },
		{ NEIGH_DELAY, 0, OTHER, NEIGH_DELAY, SAME },
		{ NEIGH_DELAY, O, OTHER, NEIGH_STALE, OTHER },
		{ NEIGH_DELAY, S, SAME, NEIGH_REACHABLE, SAME },
		{ NEIGH_PROBE, 0, OTHER, NEIGH_PROBE, SAME },
		{ NEIGH_PROBE, O, SAME, NEIGH_PROBE, SAME },
		{ NEIGH_PROBE, O, OTHER, NEIGH_STALE, OTHER },
		{ NEIGH_PROBE, S | O, NONE, NEIGH_REACHABLE, SAME },
	};
	struct ip_addr host = HOST6, s = STATION;
	struct ipv6_fields h = { .src = s, .dst = host, .next = 58, .hop_limit = 255 };

	setup();
	for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
		struct neigh_info info;
		u8 b[24], m[64];

		make_state(&s, table[i].before);
		memcpy(b, &s, 16);
		nd6_ll(b + 16, 2, table[i].hw == SAME ? peer_mac : other_mac);
		peer6_send(&peer, NULL, &h, m,
			   icmp6_message(m, 136, 0, table[i].flags, b,
					 table[i].hw == NONE ? 16 : 24));
		sim_run_ms(2);
		info = look(&s);
		if (info.state != table[i].after)
			fail_msg("row %u: state %s", i, neigh_state_name(info.state));
		if (table[i].after_hw != NONE)
			assert_memory_equal(info.hw,
					    table[i].after_hw == SAME ? peer_mac : other_mac, 6);
	}
	stack_down6();
}

static void unasked_claims(void **state)
{
	struct ip_addr s = STATION, ll = STATION_LL, all = ip6("ff02::1"), host = HOST6;

	setup();
	/* a host keeps only whom it knows */
	peer6_na(&peer, &s, &all, &s, O);
	sim_run_ms(2);
	assert_int_equal(neigh6_state_of(&s), 0xff);
	/* RFC 9131: a router keeps who just came, if it is set so; but not a host's neighbours */
	sysctl6("conf/all/forwarding", "1");
	sysctl6("conf/eth0/accept_untracked_na", "2");
	peer6_na(&peer, &s, &all, &s, 0);
	sim_run_ms(2);
	assert_int_equal(neigh6_state_of(&s), NEIGH_STALE);
	/* our own address is nobody else's */
	drops_mark();
	peer6_na(&peer, &ll, &all, &host, O);
	sim_run_ms(2);
	assert_int_equal(drops_since(DROP_NEIGH_CONFLICT), 1);
	assert_true(strstr(sim_read("/proc/net/weft/nd"), "conflicts            1") != NULL);
	stack_down6();
}

/* ---- time ---- */

/* RFC 4861 7.3.3: three questions, a second apart, then senders hear of it; the next question is
 * for everybody, as it may be back with another card. */
static void the_dead_are_given_up(void **state)
{
	struct ip_addr s = STATION;
	const struct frame *f;
	u32 direct = 0;

	setup();
	make_state(&s, NEIGH_PROBE);
	peer_forget(&peer);
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(2700);
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(200);
	assert_int_equal(neigh6_state_of(&s), NEIGH_FAILED);
	assert_int_equal(send_to(&s), -EHOSTUNREACH);
	while ((f = peer6_take_nd(&peer, 135, &s)) != NULL) {
		assert_memory_equal(f->data, peer_mac, 6);
		direct++;
	}
	assert_int_equal(direct, 2); /* and the one that make_state waited for */
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	sim_run_ms(1100);
	assert_int_equal(neigh6_state_of(&s), 0xff);
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(10);
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	stack_down6();
}

/* RFC 7048, if told to: three to itself, then everybody is asked at growing intervals, and it stays
 * in use. */
static void patience_with_a_neighbour(void **state)
{
	struct ip_addr s = STATION;
	const struct frame *f;
	u32 direct = 0, all = 0;

	setup();
	assert_int_equal(sysctl6("neigh/default/mcast_resolicit", "5"), 0);
	make_state(&s, NEIGH_STALE);
	peer_forget(&peer);
	for (u32 i = 0; i < 30; i++) {
		assert_int_equal(send_to(&s), 0);
		sim_run_s(1);
	}
	assert_int_equal(neigh6_state_of(&s), NEIGH_PROBE);
	while ((f = peer6_take_nd(&peer, 135, &s)) != NULL) {
		if (f->data[0] == 0x33)
			all++;
		else
			direct++;
	}
	assert_int_equal(direct, 3);
	assert_in_range(all, 3, 4);
	/* it has another card now */
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	for (u32 i = 0; i < 40 && neigh6_state_of(&s) != NEIGH_REACHABLE; i++) {
		send_to(&s);
		sim_run_s(1);
	}
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	/* and is gone again: after a while nobody asks, and nothing is kept */
	peer.nr_ip6 = 2;
	sim_run_s(50);
	send_to(&s);
	sim_run_s(60);
	assert_int_equal(neigh6_state_of(&s), 0xff);
	stack_down6();
}

static void nobody_there(void **state)
{
	struct ip_addr s = STATION;
	const struct frame *f;
	u32 n = 0;

	setup();
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(3100);
	while ((f = peer6_take_nd(&peer, 135, &s)) != NULL) {
		struct ip_addr dst = frame6_dst(f), group = ip6_solicited_node(&s);
		u8 mac[6];

		n++;
		assert_true(ip_addr_eq(&dst, &group));
		ip6_group_mac(mac, &group);
		assert_memory_equal(f->data, mac, 6);
		assert_memory_equal(frame6_option(f, 1) + 2, host_mac, 6);
		/* from the asker's address */
		dst = frame6_src(f);
		group = HOST6;
		assert_true(ip_addr_eq(&dst, &group));
	}
	assert_int_equal(n, 3);
	assert_int_equal(send_to(&s), -EHOSTUNREACH);
	stack_down6();
}

static void a_router_sets_the_pace(void **state)
{
	struct ra6 ra = { .hop_limit = 64, .lifetime = 1800, .retrans_ms = 300 };
	struct ip_addr s = STATION;

	setup();
	ra.len = nd6_ll(ra.options, 1, peer_mac);
	peer6_ra(&peer, &ra);
	sim_run_s(2);
	peer_forget(&peer);
	send_to(&s);
	sim_run_ms(1000);
	assert_int_equal(count_ns(&s), 3);
	assert_int_equal(neigh6_state_of(&s), NEIGH_FAILED);
	stack_down6();
}

/* ---- floods ---- */

static struct ip_addr numbered(u32 i)
{
	struct ip_addr a = ip6("2001:db8::5:0:0");

	put_be32(a.b + 12, i);
	return a;
}

static void a_scan_evicts_itself(void **state)
{
	struct ip_addr s = STATION, four = ip_addr_v4(PEER);
	u64 start;
	u32 asked;

	setup();
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	stack_know_peer();
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(5);
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	peer_forget(&peer);
	start = sim_now();
	for (u32 i = 0; i < 20000; i++) {
		struct ip_addr a = numbered(i);

		send_to(&a);
		if (i % 100 == 99)
			sim_run_ms(1);
		assert_true(neigh6_count() <= 256 + 8);
	}
	asked = count_ns(NULL);
	/* half a second's share at once, then 500 a second */
	assert_true(asked <= 251 + (sim_now() - start) * 500 / NSEC_PER_SEC);
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	assert_true(neigh_has_address(look(&four).state));
	/* and somebody new is still found, at the next try at the latest */
	s = numbered(77777777);
	peer.ip6[2] = s;
	send_to(&s);
	sim_run_ms(3100);
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	stack_down6();
}

static void claims_evict_themselves(void **state)
{
	struct ip_addr host = HOST6, s = STATION;

	setup();
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	send_to(&s);
	sim_run_ms(5);
	peer_forget(&peer);
	for (u32 i = 0; i < 5000; i++) {
		struct ip_addr a = numbered(i);

		peer6_ns(&peer, &a, &host, &host);
		if (i % 50 == 49)
			sim_run_ms(1);
	}
	sim_run_ms(100);
	assert_true(neigh6_count() <= 1024);
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	/* nobody of them is asked whether he is still there */
	peer_forget(&peer);
	sim_run_s(10);
	assert_int_equal(count_ns(NULL), 0);
	stack_down6();
}

/* Datagrams that wait in vain do not keep others from waiting. */
static void the_oldest_parked_make_room(void **state)
{
	struct ip_addr s = STATION;

	setup();
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	for (u32 i = 0; i < 100; i++) {
		struct ip_addr a = numbered(i);

		assert_int_equal(send_to(&a), 0);
	}
	assert_true(drops_since(DROP_NEIGH_FAILED) > 50);
	assert_int_equal(drops_since(DROP_NEIGH_PARKED), 0);
	peer_forget(&peer);
	assert_int_equal(send_to(&s), 0);
	sim_run_ms(5);
	assert_non_null(peer6_take_proto(&peer, 253));
	stack_down6();
}

/* Forged askers who do not say where they are must be asked for in turn; what this host itself has
 * to send comes first all the same. */
static void forged_askers_rank_behind(void **state)
{
	struct ip_addr host = HOST6, s = STATION, any = ip_addr_any(AF_INET6), group;
	u32 all = 0;

	setup();
	peer.ip6[2] = s;
	peer.nr_ip6 = 3;
	for (u32 i = 0; i < 3000; i++) {
		struct ip_addr a = numbered(i);

		nd(&a, &host, 255, 135, 0, &host, NULL, 0);
		if (i == 2000)
			send_to(&s);
		assert_true(neigh6_count() <= 256 + 8);
	}
	assert_int_equal(neigh6_state_of(&s), NEIGH_REACHABLE);
	/* answers to everybody are few */
	peer_forget(&peer);
	group = ip6_solicited_node(&host);
	for (u32 i = 0; i < 500; i++)
		nd(&any, &group, 255, 135, 0, &host, NULL, 0);
	while (peer6_take_nd(&peer, 136, &host))
		all++;
	assert_in_range(all, 50, 101);
	assert_true(drops_since(DROP_RATE_LIMIT) >= 399);
	stack_down6();
}

/* What goes out by a family that leaves goes with it; the other's stay. */
static void nothing_is_left_behind(void **state)
{
	struct ip_addr s = STATION;

	setup();
	stack_know_peer();
	for (u32 i = 0; i < 300; i++) {
		struct ip_addr a = numbered(i);

		send_to(&a);
	}
	make_state(&s, NEIGH_DELAY);
	assert_true(neigh6_count() > 100);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	/* but what the user had set */
	assert_int_equal(neigh6_count(), 2);
	assert_true(neigh_has_address(neigh_state_of(PEER)));
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	sim_run_s(3);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitations_are_answered),
		cmocka_unit_test(a_user_sets_the_pace),
		cmocka_unit_test(messages_are_counted),
		cmocka_unit_test(a_router_says_so),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(unknown_options_are_skipped),
		cmocka_unit_test(advertisements_do_what_the_rfc_says),
		cmocka_unit_test(unasked_claims),
		cmocka_unit_test(the_dead_are_given_up),
		cmocka_unit_test(patience_with_a_neighbour),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(a_router_sets_the_pace),
		cmocka_unit_test(a_scan_evicts_itself),
		cmocka_unit_test(claims_evict_themselves),
		cmocka_unit_test(the_oldest_parked_make_room),
		cmocka_unit_test(forged_askers_rank_behind),
		cmocka_unit_test(nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
