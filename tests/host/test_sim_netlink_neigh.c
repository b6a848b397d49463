/* SPDX-License-Identifier: MIT */
/* test_sim_netlink_neigh.c - `ip monitor neigh` and `ip monitor prefix`: which steps of a
 * neighbour's life are told (Linux's), which are not, and what becomes of events that find no room
 * or no memory. */
#include "netlink_calls.h"
#include "stack6.h"

#define DEAD IP4(10, 0, 0, 77)

static struct socket *listen_to(u32 group)
{
	struct socket *s = open_netlink();

	assert_int_equal(bind_nl(s, 0, 1u << (group - 1)), 0);
	return s;
}

static struct socket *begin_events(void)
{
	setup();
	return listen_to(RTNLGRP_NEIGH);
}

static void end_events(struct socket *s)
{
	sock_close(s);
	teardown();
}

/* The next event; type 0: there is none. */
static struct seen event(struct socket *s)
{
	struct seen seen = { 0 };
	struct nlmsghdr h;
	long n = take(s, 0);

	if (n == -EAGAIN)
		return seen;
	assert_true(n >= 28);
	memcpy(&h, answer, sizeof(h));
	assert_int_equal(h.nlmsg_len, n);
	assert_int_equal(h.nlmsg_pid, 0);
	seen.type = h.nlmsg_type;
	memcpy(seen.body, answer + 16, 12);
	read_attrs(&seen, answer + 28, h.nlmsg_len - 28);
	return seen;
}

static u16 state_of(const struct seen *seen)
{
	struct ndmsg m;

	memcpy(&m, seen->body, sizeof(m));
	return m.ndm_state;
}

/* The next one is about that IPv4 neighbour. */
static void expect(struct socket *s, u16 type, u16 state, u32 addr)
{
	struct seen seen = event(s);

	assert_int_equal(seen.type, type);
	assert_int_equal(state_of(&seen), state);
	assert_int_equal(seen.attr_len[NDA_DST], 4);
	assert_int_equal(get_be32(seen.attr[NDA_DST]), addr);
	assert_int_equal(seen.attr_len[NDA_LLADDR], state == NUD_FAILED ? 0 : 6);
	if (state != NUD_FAILED)
		assert_memory_equal(seen.attr[NDA_LLADDR], peer_mac, 6);
}

static void quiet(struct socket *s)
{
	assert_int_equal(event(s).type, 0);
}

static void send_one(u32 to)
{
	struct socket *raw = sock_open(SOCK_RAW, 99);

	sock_send(raw, to, "x", 1, MSG_DONTWAIT);
	sim_run_ms(5);
	sock_close(raw);
}

static void a_neighbours_life(void **state)
{
	struct socket *s = begin_events();

	send_one(PEER);
	expect(s, RTM_NEWNEIGH, NUD_REACHABLE, PEER);
	quiet(s);
	sim_run_s(50);
	expect(s, RTM_NEWNEIGH, NUD_STALE, PEER);
	/* that it is in use again is nobody's business, that it is asked is */
	send_one(PEER);
	quiet(s);
	sim_run_ms(5500);
	expect(s, RTM_NEWNEIGH, NUD_PROBE, PEER);
	expect(s, RTM_NEWNEIGH, NUD_REACHABLE, PEER);
	peer.answers_arp = false;
	sim_run_s(50);
	expect(s, RTM_NEWNEIGH, NUD_STALE, PEER);
	send_one(PEER);
	sim_run_s(20);
	expect(s, RTM_NEWNEIGH, NUD_PROBE, PEER);
	expect(s, RTM_NEWNEIGH, NUD_FAILED, PEER);
	expect(s, RTM_DELNEIGH, NUD_FAILED, PEER);
	quiet(s);
	end_events(s);
}

/* One that never was there is told of once it is given up. */
static void nobody_is_there(void **state)
{
	struct ip_addr addr = ip_addr_v4(DEAD);
	struct socket *s = begin_events();

	send_one(DEAD);
	quiet(s);
	sim_run_s(10);
	expect(s, RTM_NEWNEIGH, NUD_FAILED, DEAD);
	expect(s, RTM_DELNEIGH, NUD_FAILED, DEAD);
	/* what nobody was told of leaves in silence */
	send_one(DEAD);
	netif_lock();
	assert_int_equal(neigh_del(nic.nif, &addr), 0);
	netif_unlock();
	quiet(s);
	end_events(s);
}

static void users_entries(void **state)
{
	struct ip_addr addr = ip_addr_v4(DEAD);
	struct socket *s = begin_events();

	netif_lock();
	assert_int_equal(neigh_set(nic.nif, &addr, peer_mac, true), 0);
	netif_unlock();
	expect(s, RTM_NEWNEIGH, NUD_PERMANENT, DEAD);
	netif_lock();
	assert_int_equal(neigh_del(nic.nif, &addr), 0);
	assert_int_equal(neigh_set(nic.nif, &addr, peer_mac, false), 0);
	netif_unlock();
	expect(s, RTM_DELNEIGH, NUD_PERMANENT, DEAD);
	expect(s, RTM_NEWNEIGH, NUD_REACHABLE, DEAD);
	assert_int_equal(ifconfig_down("eth0"), 0);
	expect(s, RTM_DELNEIGH, NUD_REACHABLE, DEAD);
	quiet(s);
	end_events(s);
}

static void routers_of_ipv6(void **state)
{
	struct ip_addr router = ip6("fe80::9"), host;
	struct ndmsg m;
	struct seen seen;
	struct socket *s;

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	host = host_ll();
	s = listen_to(RTNLGRP_NEIGH);
	peer6_ns(&peer, &router, &host, &host);
	sim_run_ms(5);
	seen = event(s);
	assert_int_equal(seen.type, RTM_NEWNEIGH);
	assert_int_equal(state_of(&seen), NUD_STALE);
	assert_int_equal(seen.attr_len[NDA_DST], 16);
	assert_memory_equal(seen.attr[NDA_DST], &router, 16);
	/* it says what it is */
	peer6_na(&peer, &router, &host, &router, NA6_ROUTER | NA6_SOLICITED | NA6_OVERRIDE);
	sim_run_ms(5);
	seen = event(s);
	assert_int_equal(seen.type, RTM_NEWNEIGH);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.ndm_state, NUD_REACHABLE);
	assert_int_equal(m.ndm_flags, NTF_ROUTER);
	/* the same again is no news */
	peer6_na(&peer, &router, &host, &router, NA6_ROUTER | NA6_SOLICITED | NA6_OVERRIDE);
	sim_run_ms(5);
	quiet(s);
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	seen = event(s);
	assert_int_equal(seen.type, RTM_DELNEIGH);
	end_events(s);
}

/* ---- no room, no memory ---- */

static void change(u32 n)
{
	struct ip_addr addr = ip_addr_v4(IP4(10, 0, 0, 100) + n % 100);

	netif_lock();
	neigh_set(nic.nif, &addr, peer_mac, false);
	neigh_del(nic.nif, &addr);
	netif_unlock();
}

static void listeners_that_do_not_read(void **state)
{
	struct socket *s = begin_events(), *other = listen_to(RTNLGRP_LINK);
	u32 n;

	for (n = 0; n < 20000; n++)
		change(n);
	assert_int_equal(take(s, 0), -ENOBUFS);
	for (n = 0; event(s).type; n++)
		;
	assert_in_range(n, 1, 20000);
	change(0);
	assert_int_equal(event(s).type, RTM_NEWNEIGH);
	assert_int_equal(event(s).type, RTM_DELNEIGH);
	quiet(other);
	sock_close(other);
	end_events(s);
}

static void without_memory(void **state)
{
	struct socket *s = begin_events();

	for (u32 every = 1; every < 12; every++) {
		sim_fail_every(every);
		for (u32 n = 0; n < 20; n++)
			change(n);
		sim_fail_every(0);
		while (take(s, 0) != -EAGAIN)
			;
	}
	change(0);
	assert_int_equal(event(s).type, RTM_NEWNEIGH);
	assert_int_equal(event(s).type, RTM_DELNEIGH);
	/* events find nobody any more */
	end_events(s);
}

/* ---- RTM_NEWPREFIX ---- */

static void prefixes_of_routers(void **state)
{
	struct ip_addr prefix = ip6("2001:db8:9::");
	struct prefix_cacheinfo life;
	struct prefixmsg m;
	struct seen seen;
	struct socket *s;

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sim_insmod("netlink", NULL), 0);
	assert_int_equal(sim_insmod("rtnetlink", NULL), 0);
	s = listen_to(RTNLGRP_IPV6_PREFIX);
	peer6_ra_prefix(&peer, 1800, &prefix, 200, 100);
	sim_run_ms(20);
	seen = event(s);
	assert_int_equal(seen.type, RTM_NEWPREFIX);
	memcpy(&m, seen.body, sizeof(m));
	assert_int_equal(m.prefix_family, AF_INET6);
	assert_int_equal(m.prefix_ifindex, eth0());
	assert_int_equal(m.prefix_type, 3);
	assert_int_equal(m.prefix_len, 64);
	assert_int_equal(m.prefix_flags, IF_PREFIX_ONLINK | IF_PREFIX_AUTOCONF);
	assert_int_equal(seen.attr_len[PREFIX_ADDRESS], 16);
	assert_memory_equal(seen.attr[PREFIX_ADDRESS], &prefix, 16);
	assert_int_equal(seen.attr_len[PREFIX_CACHEINFO], sizeof(life));
	memcpy(&life, seen.attr[PREFIX_CACHEINFO], sizeof(life));
	assert_int_equal(life.preferred_time, 100);
	assert_int_equal(life.valid_time, 200);
	/* lifetimes that contradict each other mean nothing */
	peer6_ra_prefix(&peer, 1800, &prefix, 100, 200);
	sim_run_ms(20);
	quiet(s);
	end_events(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_neighbours_life),
		cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(users_entries),
		cmocka_unit_test(routers_of_ipv6),
		cmocka_unit_test(listeners_that_do_not_read),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(prefixes_of_routers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
