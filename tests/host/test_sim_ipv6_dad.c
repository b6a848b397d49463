/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_dad.c - duplicate address detection: an address is asked for before it is used (RFC
 * 4862 5.4), given up when somebody has it, used with care meanwhile where that is wanted (RFC
 * 4429); our own question that comes back is no rival (RFC 7527). */
#include "stack6.h"

#include <weft/net/flow.h>

#define NEW ip6("2001:db8::abcd")

static void setup(void)
{
	assert_int_equal(stack_up6(), 0);
	drops_mark();
}

/* The next question of ours about addr. */
static const struct frame *probe_for(const struct ip_addr *addr)
{
	const struct frame *f = peer6_take_nd(&peer, 135, addr);
	struct ip_addr src;

	if (f) {
		src = frame6_src(f);
		assert_true(ip_addr_is_any(&src));
		assert_null(frame6_option(f, 1));
		assert_true(frame6_sound(f));
		assert_int_equal(frame6_hop_limit(f), 255);
	}
	return f;
}

static u64 counter(const char *name)
{
	const char *at = strstr(sim_read("/proc/net/weft/nd"), name);
	u64 n = 0;

	assert_non_null(at);
	for (at += strlen(name); *at != '\n'; at++)
		n = *at == ' ' ? n : n * 10 + *at - '0';
	return n;
}

static void an_address_is_asked_for_first(void **state)
{
	struct ip_addr a = NEW, group = ip6_solicited_node(&a), dst;
	const struct frame *f;

	setup();
	assert_int_equal(addr6_add("eth0", &a, 64, IFADDR_PERMANENT), 0);
	assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
	sim_run_ms(5);
	f = probe_for(&a);
	assert_non_null(f);
	dst = frame6_dst(f);
	assert_true(ip_addr_eq(&dst, &group));
	assert_int_equal(frame6_option(f, 14)[1], 1);
	/* nobody hears of it meanwhile */
	dst = PEER6;
	peer6_ns(&peer, &dst, &group, &a);
	sim_run_ms(500);
	assert_null(peer6_take_nd(&peer, 136, &a));
	assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
	sim_run_ms(600);
	assert_false(addr6_flags(&a) & IFADDR_TENTATIVE);
	assert_null(probe_for(&a));
	/* RFC 9131: routers are told, without pushing out anybody */
	f = peer6_take_nd(&peer, 136, &a);
	assert_non_null(f);
	dst = frame6_dst(f);
	group = ip6("ff02::2");
	assert_true(ip_addr_eq(&dst, &group));
	assert_int_equal(get_be32(frame6_icmp(f) + 4), 0);
	assert_int_equal(counter("dad_duplicates"), 0);
	stack_down6();
}

/* RFC 9131 6.1.1: three times, the link's RetransTimer apart or more, while the address is there.
 */
static void routers_are_told_more_than_once(void **state)
{
	struct ip_addr a = NEW, b = ip6("fe80::9"), c = ip6("2001:db8::c");
	u64 last = 0;
	u32 n = 0;

	setup();
	assert_int_equal(addr6_add("eth0", &a, 64, IFADDR_PERMANENT | IFADDR_NODAD), 0);
	for (u32 ms = 0; ms < 10000; ms += 10) {
		if (peer6_take_nd(&peer, 136, &a)) {
			assert_true(!n || sim_now() - last >= 980 * NSEC_PER_MSEC);
			assert_true(!n || sim_now() - last <= 1550 * NSEC_PER_MSEC);
			last = sim_now();
			n++;
		}
		sim_run_ms(10);
	}
	assert_int_equal(n, 3);
	/* those of the link need no router to be met */
	assert_int_equal(addr6_add("eth0", &b, 64, IFADDR_PERMANENT | IFADDR_NODAD), 0);
	assert_int_equal(addr6_add("eth0", &c, 64, IFADDR_PERMANENT | IFADDR_NODAD), 0);
	sim_run_ms(100);
	assert_int_equal(addr6_del("eth0", &c), 0);
	assert_non_null(peer6_take_nd(&peer, 136, &b));
	assert_non_null(peer6_take_nd(&peer, 136, &c));
	sim_run_s(5);
	assert_null(peer6_take_nd(&peer, 136, &b));
	assert_null(peer6_take_nd(&peer, 136, &c));
	/* nor does the rest come from a module that left */
	assert_int_equal(addr6_add("eth0", &c, 64, IFADDR_PERMANENT | IFADDR_NODAD), 0);
	sim_run_ms(100);
	stack_down6();
}

static void as_often_as_set(void **state)
{
	struct ip_addr a = NEW;
	u32 n = 0;

	setup();
	assert_int_equal(sysctl6("conf/eth0/dad_transmits", "3"), 0);
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(2500);
	assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
	sim_run_ms(1000);
	assert_false(addr6_flags(&a) & IFADDR_TENTATIVE);
	while (probe_for(&a))
		n++;
	assert_int_equal(n, 3);
	/* not at all */
	assert_int_equal(sysctl6("conf/eth0/dad_transmits", "0"), 0);
	addr6_del("eth0", &a);
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	assert_false(addr6_flags(&a) & IFADDR_TENTATIVE);
	sim_run_ms(100);
	assert_null(probe_for(&a));
	stack_down6();
}

static void lost_to(void (*rival)(const struct ip_addr *a))
{
	struct ip_addr a = NEW;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(300);
	rival(&a);
	sim_run_ms(20);
	assert_int_equal(addr6_flags(&a) & (IFADDR_TENTATIVE | IFADDR_DADFAILED),
			 IFADDR_TENTATIVE | IFADDR_DADFAILED);
	assert_int_equal(counter("dad_duplicates"), 1);
	sim_run_s(5);
	assert_true(addr6_flags(&a) & IFADDR_DADFAILED);
	/* the rest goes on, and it can be taken away */
	a = HOST6;
	assert_false(addr6_flags(&a) & (IFADDR_TENTATIVE | IFADDR_DADFAILED));
	a = NEW;
	assert_int_equal(addr6_del("eth0", &a), 0);
	stack_down6();
}

/* An address lost is its owner's, who can be talked to. */
static void the_owner_is_a_neighbour(void **state)
{
	struct ip_addr a = NEW;
	struct flow f = { .dst = a, .proto = 253, .flags = FLOW_PARK };
	struct pkt *p;

	setup();
	peer.ip6[2] = a;
	peer.nr_ip6 = 3;
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(20);
	assert_true(addr6_flags(&a) & IFADDR_DADFAILED);
	p = ip_reserve(&f, 8, NULL);
	assert_false(IS_ERR(p));
	memset(pkt_put(p, 8), 0, 8);
	assert_int_equal(ip_commit(&f, p), 0);
	sim_run_ms(20);
	assert_int_equal(neigh6_state_of(&a), NEIGH_REACHABLE);
	/* he asks as well */
	drops_mark();
	f.saddr = HOST6;
	peer6_ns(&peer, &a, &f.saddr, &f.saddr);
	sim_run_ms(20);
	assert_int_equal(drops_since(DROP_NEIGH_CONFLICT), 0);
	assert_non_null(peer6_take_nd(&peer, 136, &f.saddr));
	assert_null(strstr(sim_read("/proc/net/weft/nd"), "conflicts            1"));
	stack_down6();
}

static void owner(const struct ip_addr *a)
{
	struct ip_addr all = ip6("ff02::1");

	peer6_na(&peer, a, &all, a, NA6_OVERRIDE);
}

static void asks_too(const struct ip_addr *a)
{
	struct ip_addr any = ip_addr_any(AF_INET6), group = ip6_solicited_node(a);

	peer6_ns(&peer, &any, &group, a);
}

static void somebody_has_it(void **state)
{
	lost_to(owner);
}

static void somebody_wants_it_at_the_same_time(void **state)
{
	lost_to(asks_too);
}

/* RFC 4862 5.4.3: who has an address looks for the owner of this one, that is all. */
static void a_question_is_no_claim(void **state)
{
	struct ip_addr a = NEW, group = ip6_solicited_node(&a), from = PEER6;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(300);
	peer6_ns(&peer, &from, &group, &a);
	assert_true(addr6_wait(&a, 1500));
	stack_down6();
}

/* What the host sent comes back with its own nonce. */
static void send_back(const struct frame *f)
{
	u8 copy[256];

	memcpy(copy, f->data, f->len);
	peer_send(&peer, copy, f->len);
}

static void a_looped_wire_is_no_rival(void **state)
{
	struct ip_addr a = NEW;
	const struct frame *f;
	u32 n = 0;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	for (u32 i = 0; i < 100; i++) {
		sim_run_ms(100);
		while ((f = probe_for(&a)) != NULL) {
			send_back(f);
			n++;
		}
	}
	/* it cannot be known as long as that goes on */
	assert_int_equal(addr6_flags(&a) & (IFADDR_TENTATIVE | IFADDR_DADFAILED), IFADDR_TENTATIVE);
	assert_true(n >= 9);
	assert_int_equal(counter("dad_loops"), n);
	assert_int_equal(counter("dad_duplicates"), 0);
	/* repaired */
	assert_true(addr6_wait(&a, 8000));
	stack_down6();
}

static void optimistic(void **state)
{
	struct ip_addr a = NEW, group = ip6_solicited_node(&a), from = PEER6;
	const struct frame *f;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT | IFADDR_OPTIMISTIC);
	assert_int_equal(addr6_flags(&a) & (IFADDR_TENTATIVE | IFADDR_OPTIMISTIC),
			 IFADDR_TENTATIVE | IFADDR_OPTIMISTIC);
	sim_run_ms(50);
	assert_non_null(probe_for(&a));
	peer_forget(&peer);
	/* answered for, without pushing out who may have it */
	peer6_ns(&peer, &from, &group, &a);
	sim_run_ms(5);
	f = peer6_take_nd(&peer, 136, &a);
	assert_non_null(f);
	assert_int_equal(get_be32(frame6_icmp(f) + 4), NA6_SOLICITED);
	assert_true(addr6_wait(&a, 1500));
	assert_false(addr6_flags(&a) & IFADDR_OPTIMISTIC);
	stack_down6();
}

static void asked_again_when_it_comes_up(void **state)
{
	struct ip_addr a = NEW, host = HOST6;

	setup();
	assert_int_equal(sysctl6("conf/eth0/keep_addr_on_down", "1"), 0);
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(300);
	owner(&a);
	sim_run_s(3);
	assert_true(addr6_flags(&a) & IFADDR_DADFAILED);
	ifconfig_down("eth0");
	sim_run_s(1);
	peer_forget(&peer);
	netif_lock();
	assert_int_equal(netif_up(netif_by_name("eth0")), 0);
	netif_unlock();
	sim_run_ms(100);
	assert_non_null(probe_for(&host));
	assert_true(addr6_flags(&host) & IFADDR_TENTATIVE);
	assert_true(addr6_wait(&a, 3000));
	assert_true(addr6_wait(&host, 3000));
	stack_down6();
}

/* Whoever denies all addresses costs three tries, not one a second for ever. */
static void denial_is_bounded(void **state)
{
	const struct frame *f;
	u32 n = 0;

	assert_int_equal(stack_up6_bare(NULL), 0);
	for (u32 i = 0; i < 600; i++) {
		sim_run_ms(100);
		while ((f = peer6_take_nd(&peer, 135, NULL)) != NULL) {
			struct ip_addr a;

			memcpy(&a, frame6_icmp(f) + 8, 16);
			owner(&a);
			n++;
		}
	}
	assert_in_range(n, 1, 8);
	stack_down6();
}

/* The wire is cut while nobody can be asked: that says nothing. */
static void without_a_link_there_is_no_answer(void **state)
{
	struct ip_addr a = NEW;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	netif_carrier(netif_named("eth0"), false);
	sim_run_s(5);
	assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
	peer_forget(&peer);
	netif_carrier(netif_named("eth0"), true);
	sim_run_ms(700);
	assert_non_null(probe_for(&a));
	assert_true(addr6_wait(&a, 2000));
	stack_down6();
}

static void without_memory_nothing_hangs(void **state)
{
	struct ip_addr a = NEW;

	setup();
	for (u32 i = 1; i < 40; i++) {
		a.b[13] = i;
		sim_fail_every(2 + i % 5);
		addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
		sim_run_ms(100);
	}
	sim_fail_every(0);
	sim_run_s(5);
	for (u32 i = 1; i < 40; i++) {
		u32 flags;

		a.b[13] = i;
		flags = addr6_flags(&a);
		assert_true(flags == ~0u || !(flags & IFADDR_TENTATIVE));
	}
	stack_down6();
}

static void it_leaves_in_the_middle(void **state)
{
	struct ip_addr a = NEW;

	setup();
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(300);
	addr6_del("eth0", &a);
	owner(&a);
	sim_run_s(3);
	assert_int_equal(counter("dad_duplicates"), 0);
	addr6_add("eth0", &a, 64, IFADDR_PERMANENT);
	sim_run_ms(300);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_asked_for_first),
		cmocka_unit_test(routers_are_told_more_than_once),
		cmocka_unit_test(as_often_as_set),
		cmocka_unit_test(somebody_has_it),
		cmocka_unit_test(somebody_wants_it_at_the_same_time),
		cmocka_unit_test(the_owner_is_a_neighbour),
		cmocka_unit_test(a_question_is_no_claim),
		cmocka_unit_test(a_looped_wire_is_no_rival),
		cmocka_unit_test(optimistic),
		cmocka_unit_test(asked_again_when_it_comes_up),
		cmocka_unit_test(denial_is_bounded),
		cmocka_unit_test(without_a_link_there_is_no_answer),
		cmocka_unit_test(without_memory_nothing_hangs),
		cmocka_unit_test(it_leaves_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
