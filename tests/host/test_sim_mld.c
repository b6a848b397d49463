/* SPDX-License-Identifier: MIT */
/* test_sim_mld.c - the listener's side of MLD on a simulated wire: joins and leaves are told and
 * told again, queries of both versions are answered within their time, source filters of several
 * sockets are merged (RFC 2710, RFC 9777), groups of no concern are kept quiet about, and forged or
 * malformed queries change nothing. */
#include "listener.h"
#include "stack6.h"

#define GROUP (&group)
#define GROUP2 (&group2)
#define UNKNOWN (&unknown)
#define EVERY_GROUP NULL
#define NEWEST 2
#define OLDER 1
#define OLDER_REPORT 131
#define NEWEST_ROUTERS (&v2_routers)
#define ROUTERS (&all_routers)

/* What a forged query says that it should not. */
#define FAR 1	   /* hop limit */
#define FOREIGN 2  /* a global source */
#define NO_ALERT 4 /* no router alert */
#define CUT 8	   /* neither version's length */
#define BADSUM 16

static struct ip_addr group, group2, unknown, all_nodes, all_routers, v2_routers;

static void names(void)
{
	group = ip6("ff0e::1:2:3");
	group2 = ip6("ff05::1:2:4");
	unknown = ip6("ff0e::9:9");
	all_nodes = ip6("ff02::1");
	all_routers = ip6("ff02::2");
	v2_routers = ip6("ff02::16");
}

static void setup(void)
{
	names();
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("udp", NULL), 0);
	sim_run_s(5);
	peer_forget(&peer);
}

static void teardown(void)
{
	assert_int_equal(sim_rmmod("udp", false), 0);
	stack_down6();
}

static struct ip_addr source(u8 n)
{
	struct ip_addr a = ip6("2001:db8:9::");

	a.b[15] = n;
	return a;
}

static struct socket *sock(void)
{
	struct socket *s = sock_open6(SOCK_DGRAM, 0);

	assert_false(IS_ERR(s));
	return s;
}

/* ipv6_mreq */
static int mreq(struct socket *s, int opt, const struct ip_addr *g)
{
	u8 v[20];
	u32 index = eth0();

	memcpy(v, g, 16);
	memcpy(v + 16, &index, 4);
	return sock_setopt(s, SOL_IPV6, opt, v, sizeof(v));
}

/* group_source_req */
static int msreq(struct socket *s, int opt, const struct ip_addr *g, u8 n)
{
	u8 v[8 + 2 * 128] = { 0 };
	u32 index = eth0();
	struct ip_addr src = source(n);
	u16 af = AF_INET6;

	memcpy(v, &index, 4);
	memcpy(v + 8, &af, 2);
	memcpy(v + 16, g, 16);
	memcpy(v + 136, &af, 2);
	memcpy(v + 144, &src, 16);
	return sock_setopt(s, SOL_IPV6, opt, v, sizeof(v));
}

static int change(struct socket *s, enum change what, const struct ip_addr *g, u8 n)
{
	static const int opt[] = { IPV6_ADD_MEMBERSHIP,	    IPV6_DROP_MEMBERSHIP,
				   MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP,
				   MCAST_BLOCK_SOURCE,	    MCAST_UNBLOCK_SOURCE };

	return what <= LEAVE ? mreq(s, opt[what], g) : msreq(s, opt[what], g, n);
}

/* The oldest frame that was heard; NULL: no more. */
static const struct frame *next_frame(void)
{
	if (list_empty(&peer.heard))
		return NULL;
	return peer_take(&peer, list_first_entry(&peer.heard, struct frame, node));
}

/* Takes the next message about listeners to dst; its body, or NULL. Checks what all have in
 * common. */
static const u8 *heard_from(const struct ip_addr *dst, const struct ip_addr *src)
{
	static const u8 alert[8] = { 58, 0, 5, 2, 0, 0, 1, 0 };
	const struct frame *f;
	struct ip_addr from, to;
	u8 mac[6];

	do {
		f = next_frame();
	} while (f && (get_be16(f->data + 12) != 0x86dd || f->data[20] != 0 || f->data[54] != 58));
	if (!f)
		return NULL;
	from = frame6_src(f);
	to = frame6_dst(f);
	ip6_group_mac(mac, &to);
	assert_true(frame6_sound(f));
	assert_int_equal(frame6_hop_limit(f), 1);
	assert_memory_equal(f->data, mac, 6);
	assert_memory_equal(f->data + 54, alert, 8);
	assert_true(ip_addr_eq(&from, src));
	assert_true(ip_addr_eq(&to, dst));
	return frame6_icmp(f);
}

static const u8 *heard(const struct ip_addr *dst)
{
	struct ip_addr ll = host_ll();

	return heard_from(dst, &ll);
}

/* A version 2 report with one record of so many sources. */
static void heard_record(u8 type, const struct ip_addr *g, u32 nr, const u8 *sources)
{
	const u8 *m = heard(&v2_routers);
	u32 k, j;

	assert_non_null(m);
	assert_int_equal(m[0], 143);
	assert_int_equal(get_be16(m + 6), 1);
	assert_int_equal(m[8], type);
	assert_int_equal(m[9], 0);
	assert_int_equal(get_be16(m + 10), nr);
	assert_memory_equal(m + 12, g, 16);
	for (k = 0; k < nr; k++) {
		struct ip_addr a = source(sources[k]);

		for (j = 0; j < nr && memcmp(m + 28 + 16 * j, &a, 16); j++)
			;
		assert_true(j < nr);
	}
}

/* The solicited-node groups of addresses are in reports as well: how many records there are of g.
 */
static u32 records_of(const u8 *m, const struct ip_addr *g, u8 type)
{
	u32 n = get_be16(m + 6), found = 0;

	for (m += 8; n--; m += 20 + 16 * get_be16(m + 2))
		found += m[0] == type && !memcmp(m + 4, g, 16);
	return found;
}

/* g NULL: general. version 1 or 2; ms at most 32767. */
static void query(const struct ip_addr *g, u8 version, u16 ms, u32 nr, const u8 *sources, u32 lies)
{
	static const u8 alert[] = { 5, 2, 0, 0 };
	struct ipv6_fields h = { .next = 58, .hop_limit = lies & FAR ? 64 : 1 };
	u32 len = version == 2 ? 28 + 16 * nr : 24, k;
	struct chain6 c = { 0 };
	u8 q[256] = { 130 };

	h.src = lies & FOREIGN ? PEER6 : PEER6_LL;
	h.dst = g ? *g : all_nodes;
	if (!(lies & NO_ALERT)) {
		chain6_options(&c, 0, alert, 4);
		h.chain = &c;
	}
	put_be16(q + 4, ms);
	if (g)
		memcpy(q + 8, g, 16);
	if (version == 2) {
		q[24] = 2;
		q[25] = 125;
		put_be16(q + 26, nr);
		for (k = 0; k < nr; k++) {
			struct ip_addr a = source(sources[k]);

			memcpy(q + 28 + 16 * k, &a, 16);
		}
	}
	if (lies & CUT)
		len -= version == 2 ? 1 : 3;
	h.keep_sum = lies & BADSUM;
	peer6_send(&peer, NULL, &h, q, len);
	sim_run_ms(1);
}

static void speak_older(void)
{
	assert_int_equal(sysctl6("conf/eth0/force_mld_version", "1"), 0);
}

static void other_reports(void)
{
	static const u8 alert[] = { 5, 2, 0, 0 };
	struct ipv6_fields h = { .src = PEER6_LL, .dst = group, .next = 58, .hop_limit = 1 };
	struct chain6 c = { 0 };
	u8 r[24] = { 131 };

	chain6_options(&c, 0, alert, 4);
	h.chain = &c;
	memcpy(r + 8, &group, 16);
	peer6_send(&peer, NULL, &h, r, 24);
}

static void check_shown(u32 nr)
{
	const char *text = sim_read("/proc/net/mcfilter6");
	const char *line = strstr(text, "ff0e0000000000000000000100020003 "
					"20010db8000900000000000000000002      1      0");

	assert_int_equal(line != NULL, nr == 2);
	assert_null(strstr(sim_read("/proc/net/mcfilter"), "0x"));
}

#include "listener_cases.h"

/* ---- version 2 ---- */

/* RFC 9777 6: ff02::1 and what does not leave the interface. */
static void some_groups_are_nobodys_business(void **state)
{
	struct ip_addr here = ip6("ff01::77");
	struct socket *s;

	setup();
	s = sock();
	assert_int_equal(change(s, JOIN, &here, 0), 0);
	assert_int_equal(change(s, JOIN, &all_nodes, 0), 0);
	sim_run_s(3);
	heard_nothing();
	query(&all_nodes, 2, 1, 0, NULL, 0);
	sim_run_s(1);
	heard_nothing();
	assert_non_null(
		strstr(sim_read("/proc/net/igmp6"),
		       "eth0            ff010000000000000000000000000077     1 00000008 0"));
	assert_non_null(
		strstr(sim_read("/proc/net/igmp6"),
		       "eth0            ff020000000000000000000000000001     2 0000000C 0"));
	done(s);
}

/* Of its addresses' groups too, but not of that which is nobody's business. */
static void all_groups_are_in_the_answer(void **state)
{
	struct socket *s = setup_member();
	struct ip_addr ll = host_ll(), node = ip6_solicited_node(&ll);
	const u8 *m;

	query(EVERY_GROUP, 2, 5000, 0, NULL, 0);
	sim_run_ms(5000);
	m = heard(&v2_routers);
	assert_non_null(m);
	assert_int_equal(records_of(m, &node, IS_EX), 1);
	assert_int_equal(records_of(m, &all_nodes, IS_EX), 0);
	done(s);
}

static void unwanted_queries(void **state)
{
	struct socket *s = setup_member();
	u32 lies;

	for (lies = 1; lies < 32; lies++) {
		query(EVERY_GROUP, 2, 1, 0, NULL, lies);
		query(GROUP, 2, 1, 0, NULL, lies);
		query(EVERY_GROUP, 1, 1, 0, NULL, lies);
	}
	sim_run_s(30);
	heard_nothing();
	/* still the second version */
	change(s, JOIN, GROUP2, 0);
	sim_run_ms(2);
	heard_record(TO_EX, GROUP2, 0, NULL);
	done(s);
}

/* ---- version 1 ---- */

static void an_older_querier(void **state)
{
	struct socket *s = setup_member();
	const u8 *m;

	query(GROUP, 1, 2000, 0, NULL, 0);
	sim_run_ms(2000);
	m = heard(GROUP);
	assert_non_null(m);
	assert_int_equal(m[0], 131);
	assert_memory_equal(m + 8, GROUP, 16);
	assert_non_null(strstr(sim_read("/proc/net/igmp6"),
			       "ff0e0000000000000000000100020003     1 00000006 0"));
	change(s, LEAVE, GROUP, 0);
	sim_run_ms(2);
	m = heard(&all_routers);
	assert_non_null(m);
	assert_int_equal(m[0], 132);
	assert_memory_equal(m + 8, GROUP, 16);
	/* reported twice when joined (RFC 2710 4) */
	change(s, JOIN, GROUP2, 0);
	sim_run_ms(2);
	m = heard(GROUP2);
	assert_non_null(m);
	assert_int_equal(m[0], 131);
	sim_run_s(11);
	assert_non_null(heard(GROUP2));
	sim_run_s(11);
	assert_null(heard(GROUP2));
	/* gone for long enough: version 2 again */
	sim_run_s(300);
	peer_forget(&peer);
	change(s, JOIN, GROUP, 0);
	sim_run_ms(2);
	heard_record(TO_EX, GROUP, 0, NULL);
	done(s);
}

static void version_2_may_be_forced(void **state)
{
	struct socket *s;

	setup();
	assert_int_equal(sysctl6("conf/all/force_mld_version", "2"), 0);
	query(EVERY_GROUP, 1, 100, 0, NULL, 0);
	sim_run_s(1);
	peer_forget(&peer);
	s = sock();
	change(s, JOIN, GROUP, 0);
	sim_run_ms(200);
	heard_record(TO_EX, GROUP, 0, NULL);
	done(s);
}

/* ---- coming and going ---- */

/* RFC 3590: before its address is checked a host speaks for the groups that this needs with the
 * unspecified address, and again when it has one. */
static void speaks_before_it_has_an_address(void **state)
{
	struct ip_addr none = ip_addr_any(AF_INET6), ll, node, to;
	const struct frame *f;
	bool early = false, late = false;

	names();
	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_true(addr6_wait(NULL, 10000));
	sim_run_s(3);
	ll = host_ll();
	node = ip6_solicited_node(&ll);
	while ((f = peer6_take_icmp(&peer, 143, -1)) != NULL) {
		struct ip_addr from = frame6_src(f);

		to = frame6_dst(f);
		assert_true(frame6_sound(f));
		assert_true(ip_addr_eq(&to, &v2_routers));
		if (!records_of(frame6_icmp(f), &node, TO_EX))
			continue;
		early |= ip_addr_eq(&from, &none);
		late |= ip_addr_eq(&from, &ll);
	}
	assert_true(early);
	assert_true(late);
	stack_down6();
}

/* Once there is an address, of the group that is listened to. */
static void told_anew(void)
{
	const u8 *m;

	assert_true(addr6_wait(NULL, 10000));
	peer_forget(&peer);
	sim_run_s(3);
	m = heard(&v2_routers);
	assert_non_null(m);
	assert_int_equal(records_of(m, GROUP, TO_EX), 1);
}

static void a_link_comes_back(void **state)
{
	struct socket *s = setup_member();

	ifconfig_down("eth0");
	sim_run_s(1);
	peer_forget(&peer);
	ifconfig("eth0", HOST, 24);
	told_anew();
	done(s);
}

/* Where IPv6 is switched off nothing is said; a member is told of when it is back. */
static void silent_while_switched_off(void **state)
{
	struct socket *s;
	u32 waited, told = 0;

	setup();
	s = sock();
	assert_int_equal(sysctl6("conf/eth0/disable_ipv6", "1"), 0);
	sim_run_s(3);
	peer_forget(&peer);
	change(s, JOIN, GROUP, 0);
	query(EVERY_GROUP, 2, 10, 0, NULL, 0);
	sim_run_s(3);
	assert_null(peer6_take_icmp(&peer, 143, -1));
	assert_int_equal(sysctl6("conf/eth0/disable_ipv6", "0"), 0);
	assert_true(addr6_wait(NULL, 10000));
	for (waited = 0; waited < 5 && !told; waited++) {
		const struct frame *f;

		sim_run_s(1);
		while ((f = peer6_take_icmp(&peer, 143, -1)) != NULL)
			told += records_of(frame6_icmp(f), GROUP, TO_EX);
	}
	assert_true(told > 0);
	done(s);
}

/* rmmod takes leave of all groups, and a socket's are told again when the module is back. */
static void the_module_takes_leave(void **state)
{
	struct socket *s = setup_member();
	u32 told = 0;

	assert_int_equal(sim_rmmod("ipv6", false), 0);
	sim_run_ms(2);
	while (peer.nr_heard && told < 1) {
		const struct frame *f = peer6_take_icmp(&peer, 143, -1);

		if (!f)
			break;
		told += records_of(frame6_icmp(f), GROUP, TO_IN);
	}
	assert_int_equal(told, 1);
	sim_run_s(3);
	peer_forget(&peer);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	told_anew();
	done(s);
}

/* Allocations fail all the time: nothing is left, and afterwards a query is answered. */
static void without_memory(void **state)
{
	struct socket *s;
	const u8 *m;
	u32 seed, i;

	setup();
	s = sock();
	for (seed = 1; seed <= 25; seed++) {
		sim_seed(seed);
		sim_fail_every(2 + seed % 5);
		for (i = 0; i < 10; i++) {
			change(s, JOIN, GROUP, 0);
			change(s, BLOCK_SOURCE, GROUP, i);
			change(s, JOIN_SOURCE, GROUP2, i);
			query(EVERY_GROUP, 2, 10, 0, NULL, 0);
			query(GROUP2, 2, 10, 1, (const u8[]){ i }, 0);
			sim_run_ms(30);
			change(s, LEAVE, GROUP, 0);
			change(s, LEAVE_SOURCE, GROUP2, i);
		}
		sim_read("/proc/net/igmp6");
		sim_read("/proc/net/mcfilter6");
		sim_fail_every(0);
	}
	change(s, JOIN, GROUP, 0);
	settle();
	query(EVERY_GROUP, 2, 10, 0, NULL, 0);
	sim_run_ms(200);
	m = heard(&v2_routers);
	assert_non_null(m);
	assert_int_equal(records_of(m, GROUP, IS_EX), 1);
	done(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LISTENER_CASES,
		cmocka_unit_test(some_groups_are_nobodys_business),
		cmocka_unit_test(all_groups_are_in_the_answer),
		cmocka_unit_test(unwanted_queries),
		cmocka_unit_test(an_older_querier),
		cmocka_unit_test(version_2_may_be_forced),
		cmocka_unit_test(speaks_before_it_has_an_address),
		cmocka_unit_test(a_link_comes_back),
		cmocka_unit_test(silent_while_switched_off),
		cmocka_unit_test(the_module_takes_leave),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
