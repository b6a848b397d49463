/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_slaac.c - addresses from advertised prefixes (RFC 4862 5.5): which are made, how
 * long they live, that nobody can end them at once; opaque identifiers (RFC 7217) with another try
 * after a duplicate; temporary ones (RFC 8981). */
#include "stack6.h"

static void begin_bare(void)
{
	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_true(addr6_wait(NULL, 5000));
}

static void send_prefix(const char *net, u8 plen, u8 flags, u32 valid, u32 preferred)
{
	struct ip_addr prefix = ip6(net);
	struct ra6 r = { .lifetime = 1800 };

	r.len = nd6_prefix(r.options, &prefix, plen, flags, valid, preferred);
	peer6_ra(&peer, &r);
	sim_run_ms(5);
}

/* The n-th address of eth0 in net with these flags of IFADDR_TEMPORARY and none but these. */
static bool find(const char *net, u32 temporary, u32 n, struct ifaddr *out)
{
	struct ip_addr prefix = ip6(net);
	struct ifaddr *a;
	bool found = false;

	netif_lock();
	ifaddr_for_each(a, netif_by_name("eth0")) {
		if (found || a->af != AF_INET6 || (a->flags & IFADDR_TEMPORARY) != temporary ||
		    !ip_addr_in_prefix(&a->addr, &prefix, 64) || n--)
			continue;
		*out = *a;
		found = true;
	}
	netif_unlock();
	return found;
}

static u32 seconds_left(u64 until)
{
	return until ? (until - ktime_get() + NSEC_PER_SEC / 2) / NSEC_PER_SEC : ~0u;
}

static void address_of_a_prefix(void **state)
{
	struct ip_addr ll;
	struct ifaddr a;

	begin_bare();
	ll = host_ll();
	send_prefix("2001:db8:5::", 64, ND6_AUTO | ND6_ONLINK, 1000, 500);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	assert_memory_equal(a.addr.b + 8, ll.b + 8, 8);
	assert_true(a.flags & IFADDR_TENTATIVE);
	assert_int_equal(seconds_left(a.valid_until), 1000);
	assert_int_equal(seconds_left(a.preferred_until), 500);
	assert_true(addr6_wait(&a.addr, 5000));
	sim_run_s(501);
	assert_true(addr6_flags(&a.addr) & IFADDR_DEPRECATED);
	sim_run_s(500);
	assert_int_equal(addr6_flags(&a.addr), ~0u);
	stack_down6();
}

static void what_makes_no_address(void **state)
{
	begin_bare();
	send_prefix("fe80::", 64, ND6_AUTO, 1000, 500);
	send_prefix("2001:db8:5::", 48, ND6_AUTO, 1000, 500);
	send_prefix("2001:db8:5::", 65, ND6_AUTO, 1000, 500);
	send_prefix("2001:db8:5::", 64, ND6_ONLINK, 1000, 500);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 500, 1000);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 0, 0);
	send_prefix("2001:db8:5::", 129, ND6_AUTO, 1000, 500);
	send_prefix("ff02::", 64, ND6_AUTO, 1000, 500);
	assert_int_equal(addr6_count("eth0"), 1);
	assert_int_equal(sysctl6("conf/eth0/autoconf", "0"), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 1000, 500);
	assert_int_equal(addr6_count("eth0"), 1);
	assert_int_equal(sysctl6("conf/eth0/autoconf", "1"), 0);
	assert_int_equal(sysctl6("conf/eth0/accept_ra_pinfo", "0"), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 1000, 500);
	assert_int_equal(addr6_count("eth0"), 1);
	stack_down6();
}

/* RFC 4862 5.5.3 e */
static void two_hours_at_least(void **state)
{
	static const struct {
		u32 have, advertised, want;
	} cases[] = {
		{ 100000, 90000, 90000 }, /* more than two hours: believed */
		{ 100000, 10, 7200 },	  /* less: down to two hours */
		{ 100000, 0, 7200 },	  /* a hostile end likewise */
		{ 5000, 10, 5000 },	  /* what is below already stays */
		{ 5000, 6000, 6000 },	  /* more than is left: believed */
		{ 7200, 7200, 7200 },
	};
	struct ifaddr a;

	begin_bare();
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		send_prefix("2001:db8:5::", 64, ND6_AUTO, cases[i].have, cases[i].have);
		send_prefix("2001:db8:5::", 64, ND6_AUTO, cases[i].advertised, 0);
		assert_true(find("2001:db8:5::", 0, 0, &a));
		assert_int_equal(seconds_left(a.valid_until), cases[i].want);
		/* nor do many of them take anything away */
		for (u32 n = 0; n < 100; n++)
			send_prefix("2001:db8:5::", 64, ND6_AUTO, 0, 0);
		assert_true(find("2001:db8:5::", 0, 0, &a));
		assert_in_range(seconds_left(a.valid_until), min(cases[i].want, 7200u) - 1,
				min(cases[i].want, 7200u));
		/* the preferred lifetime is as told at once */
		assert_true(a.flags & IFADDR_DEPRECATED);
		assert_int_equal(addr6_del("eth0", &a.addr), 0);
	}
	stack_down6();
}

static void for_ever_is_for_ever(void **state)
{
	struct ifaddr a;

	begin_bare();
	send_prefix("2001:db8:5::", 64, ND6_AUTO | ND6_ONLINK, ~0u, ~0u);
	sim_run_s(10000000);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	assert_int_equal(a.valid_until, 0);
	assert_false(a.flags & IFADDR_DEPRECATED);
	stack_down6();
}

static void users_address_is_not_touched(void **state)
{
	struct ip_addr own = ip6("2001:db8:5::77");
	struct ifaddr a;

	begin_bare();
	assert_int_equal(addr6_add("eth0", &own, 64, IFADDR_PERMANENT), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 3600, 100);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	assert_memory_equal(&a.addr, &own, 16);
	assert_int_equal(a.valid_until, 0);
	assert_true(find("2001:db8:5::", 0, 1, &a));
	sim_run_s(4000);
	assert_false(find("2001:db8:5::", 0, 1, &a));
	assert_int_not_equal(addr6_flags(&own), ~0u);
	stack_down6();
}

/* RFC 7217: for each prefix another identifier, for each host as well, the same again each time. */
static void opaque_identifiers(void **state)
{
	struct ifaddr a, b, again;

	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/addr_gen_mode", "2"), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 3600, 3600);
	send_prefix("2001:db8:6::", 64, ND6_AUTO, 3600, 3600);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	assert_true(find("2001:db8:6::", 0, 0, &b));
	assert_memory_not_equal(a.addr.b + 8, b.addr.b + 8, 8);
	assert_int_equal(addr6_del("eth0", &a.addr), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 3600, 3600);
	assert_true(find("2001:db8:5::", 0, 0, &again));
	assert_memory_equal(&again.addr, &a.addr, 16);
	stack_down6();
}

/* The peer claims whatever is being checked. */
static bool claim_next(void)
{
	const struct frame *f = peer6_take_nd(&peer, 135, NULL);
	struct ip_addr target, all = ip6("ff02::1"), src;

	if (!f)
		return false;
	src = frame6_src(f);
	if (!ip_addr_is_any(&src))
		return false;
	memcpy(&target, frame6_icmp(f) + 8, 16);
	peer6_na(&peer, &target, &all, &target, NA6_OVERRIDE);
	return true;
}

/* RFC 7217 6 */
static void another_identifier_after_a_duplicate(void **state)
{
	struct ifaddr a, b;
	u32 claimed = 0;

	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/addr_gen_mode", "2"), 0);
	peer_forget(&peer);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 3600, 3600);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	for (u32 ms = 0; ms < 3000 && !claimed; ms += 10) {
		sim_run_ms(10);
		claimed += claim_next();
	}
	assert_int_equal(claimed, 1);
	sim_run_s(3);
	assert_true(find("2001:db8:5::", 0, 0, &b));
	assert_memory_not_equal(&a.addr, &b.addr, 16);
	assert_int_equal(b.flags & (IFADDR_TENTATIVE | IFADDR_DADFAILED), 0);
	stack_down6();
}

/* DAD denial: who claims everything gets it, after a few tries, and nothing else happens. */
static void denial_ends_after_a_few_tries(void **state)
{
	struct ifaddr a;
	u32 claimed = 0;

	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/addr_gen_mode", "2"), 0);
	peer_forget(&peer);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 3600, 3600);
	for (u32 ms = 0; ms < 30000; ms += 10) {
		sim_run_ms(10);
		claimed += claim_next();
	}
	assert_int_equal(claimed, 4);
	assert_true(find("2001:db8:5::", 0, 0, &a));
	assert_true(a.flags & IFADDR_DADFAILED);
	stack_down6();
}

/* ---- temporary addresses ---- */

static u32 count_temporary(void)
{
	struct ifaddr a;
	u32 n = 0;

	while (find("2001:db8:5::", IFADDR_TEMPORARY, n, &a))
		n++;
	return n;
}

static void temporary_beside_the_stable_one(void **state)
{
	struct ip_addr first;
	struct ifaddr a, b;

	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/use_tempaddr", "2"), 0);
	assert_int_equal(sysctl6("conf/eth0/temp_prefered_lft", "1000"), 0);
	assert_int_equal(sysctl6("conf/eth0/temp_valid_lft", "3000"), 0);
	assert_int_equal(sysctl6("conf/eth0/max_desync_factor", "100"), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 100000, 90000);
	assert_true(find("2001:db8:5::", 0, 0, &b));
	assert_true(find("2001:db8:5::", IFADDR_TEMPORARY, 0, &a));
	first = a.addr;
	assert_memory_not_equal(a.addr.b + 8, b.addr.b + 8, 8);
	assert_in_range(seconds_left(a.preferred_until), 900, 1000);
	assert_int_equal(seconds_left(a.valid_until), 3000);
	assert_true(addr6_wait(&first, 5000));
	/* RFC 8981 3.5: the next one comes before this one is deprecated */
	sim_run_s(870);
	for (u32 n = 0; n < 140 && count_temporary() < 2; n++)
		sim_run_s(1);
	assert_int_equal(count_temporary(), 2);
	assert_false(addr6_flags(&first) & IFADDR_DEPRECATED);
	sim_run_s(20);
	assert_true(addr6_flags(&first) & IFADDR_DEPRECATED);
	/* 3.4: advertisements do not prolong it beyond its own limits */
	for (u32 n = 0; n < 20; n++) {
		send_prefix("2001:db8:5::", 64, ND6_AUTO, 100000, 90000);
		sim_run_s(150);
	}
	assert_int_equal(addr6_flags(&first), ~0u);
	assert_in_range(count_temporary(), 2, 4);
	stack_down6();
}

static void no_temporary_one_of_a_short_prefix(void **state)
{
	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/use_tempaddr", "1"), 0);
	/* RFC 8981 3.4 step 4: not longer than REGEN_ADVANCE, 5 seconds here */
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 5, 5);
	assert_int_equal(count_temporary(), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO, 60, 60);
	assert_int_equal(count_temporary(), 1);
	/* they end with the prefix */
	sim_run_s(61);
	assert_int_equal(count_temporary(), 0);
	assert_int_equal(addr6_count("eth0"), 1);
	stack_down6();
}

static void addresses_are_bounded(void **state)
{
	char net[64];

	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/use_tempaddr", "2"), 0);
	for (u32 i = 1; i < 60; i++) {
		snprintf(net, sizeof(net), "2001:db8:%x::", i);
		send_prefix(net, 64, ND6_AUTO | ND6_ONLINK, 7200, 7200);
	}
	assert_int_equal(addr6_count("eth0"), 16);
	stack_down6();
}

/* With the module goes all that it made. */
static void nothing_stays_behind(void **state)
{
	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/use_tempaddr", "2"), 0);
	send_prefix("2001:db8:5::", 64, ND6_AUTO | ND6_ONLINK, 7200, 7200);
	sim_run_s(2);
	assert_int_equal(addr6_count("eth0"), 3);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(addr6_count("eth0"), 0);
	assert_int_equal(route6_count(), 0);
	stack_down6();
}

/* Whatever allocation fails: nothing leaks, and the next advertisement makes good. */
static void without_memory(void **state)
{
	begin_bare();
	assert_int_equal(sysctl6("conf/eth0/use_tempaddr", "2"), 0);
	for (u32 round = 0; round < 60; round++) {
		sim_fail_every(2 + round % 7);
		for (u32 n = 0; n < 5; n++)
			send_prefix("2001:db8:5::", 64, ND6_AUTO | ND6_ONLINK, 7200 + n, 7200);
		sim_run_s(3);
		sim_fail_every(0);
		if (round % 3 == 0) {
			assert_int_equal(
				sim_write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1"), 0);
			assert_int_equal(addr6_count("eth0"), 0);
			assert_int_equal(
				sim_write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0"), 0);
		}
	}
	assert_true(addr6_wait(NULL, 5000));
	send_prefix("2001:db8:5::", 64, ND6_AUTO | ND6_ONLINK, 7200, 7200);
	assert_int_equal(addr6_count("eth0"), 3);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_of_a_prefix),
		cmocka_unit_test(what_makes_no_address),
		cmocka_unit_test(two_hours_at_least),
		cmocka_unit_test(for_ever_is_for_ever),
		cmocka_unit_test(users_address_is_not_touched),
		cmocka_unit_test(opaque_identifiers),
		cmocka_unit_test(another_identifier_after_a_duplicate),
		cmocka_unit_test(denial_ends_after_a_few_tries),
		cmocka_unit_test(temporary_beside_the_stable_one),
		cmocka_unit_test(no_temporary_one_of_a_short_prefix),
		cmocka_unit_test(addresses_are_bounded),
		cmocka_unit_test(nothing_stays_behind),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
