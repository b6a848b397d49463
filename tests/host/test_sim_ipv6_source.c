/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_source.c - which address a packet leaves with: the examples of RFC 6724 10.1, and
 * what is never chosen. */
#include "stack6.h"

#include <weft/net/flow.h>
#include <weft/net/proto.h>

#define MAX_SOURCES 4

struct example {
	const char *dst;
	const char *sources[MAX_SOURCES]; /* beside the link-local one; "t", "d" in front: flags */
	const char *want;		  /* "ll": the link-local one */
	const char *use_tempaddr;
};

/* The link-local address that each interface has anyway stands in the RFC's examples as well. */
static const struct example examples[] = {
	/* prefer the appropriate scope */
	{ "2001:db8:1::1", { "2001:db8:3::1" }, "2001:db8:3::1", "0" },
	{ "ff05::1", { "2001:db8:3::1" }, "2001:db8:3::1", "0" },
	/* the same address */
	{ "2001:db8:1::1", { "d2001:db8:1::1", "2001:db8:2::1" }, "2001:db8:1::1", "0" },
	{ "fec0::1", { "2001:db8:1::1" }, "2001:db8:1::1", "0" },
	/* the appropriate scope again: a link's destination */
	{ "fe80::1", { "2001:db8:2::1" }, "ll", "0" },
	/* longest matching prefix */
	{ "2001:db8:1::1", { "2001:db8:1::2", "2001:db8:3::2" }, "2001:db8:1::2", "0" },
	{ "2001:db8:1::1", { "2001:db8:3::2", "2001:db8:1::2" }, "2001:db8:1::2", "0" },
	/* matching label: 6to4 */
	{ "2002:c633:6401::1",
	  { "2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2" },
	  "2002:c633:6401::d5e3:7953:13eb:22e8",
	  "0" },
	{ "2001:db8:1::d5e3:0:0:1",
	  { "2001:db8:1::2", "t2001:db8:1::d5e3:7953:13eb:22e8" },
	  "2001:db8:1::d5e3:7953:13eb:22e8",
	  "2" },
	{ "2001:db8:1::d5e3:0:0:1",
	  { "2001:db8:1::2", "t2001:db8:1::d5e3:7953:13eb:22e8" },
	  "2001:db8:1::2",
	  "0" },
	/* unique local to unique local, global to global */
	{ "fd00:1::1", { "2001:db8:1::2", "fd00:2::2" }, "fd00:2::2", "0" },
	{ "2001:db8:1::9", { "fd00:2::2", "2001:db8:5::2" }, "2001:db8:5::2", "0" },
	/* deprecated ones last, but for want of another */
	{ "2001:db8:1::1", { "d2001:db8:1::2", "2001:db8:9::2" }, "2001:db8:9::2", "0" },
	{ "2001:db8:1::1", { "d2001:db8:1::2" }, "2001:db8:1::2", "0" },
};

static void give(const char *text)
{
	bool flagged = text[0] == 't' || (text[0] == 'd');
	struct ip_addr a = ip6(text + flagged);
	struct ifaddr *ifa;
	u64 now = ktime_get();

	assert_int_equal(addr6_add("eth0", &a, 64,
				   IFADDR_NODAD | (text[0] == 't' ? IFADDR_TEMPORARY : 0)),
			 0);
	if (text[0] != 'd')
		return;
	netif_lock();
	ifa = ifaddr_find(NULL, &a);
	ifaddr_change(ifa, ifa->flags, now, 0);
	netif_unlock();
}

static struct ip_addr choose_with(const char *dst, u32 flags)
{
	struct ip_addr to = ip6(dst), src = ip_addr_any(AF_INET6);

	rcu_read_lock();
	assert_int_equal(ip_family_find(AF_INET6)->source(netif_named("eth0"), &to, flags, &src),
			 0);
	rcu_read_unlock();
	return src;
}

static struct ip_addr choose(const char *dst)
{
	return choose_with(dst, 0);
}

static void examples_of_rfc_6724(void **state)
{
	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_true(addr6_wait(NULL, 5000));
	for (u32 i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		struct ip_addr want = strcmp(e->want, "ll") ? ip6(e->want) : host_ll(), got;

		assert_int_equal(sysctl6("conf/eth0/use_tempaddr", e->use_tempaddr), 0);
		for (u32 k = 0; k < MAX_SOURCES && e->sources[k]; k++)
			give(e->sources[k]);
		got = choose(e->dst);
		if (!ip_addr_eq(&got, &want))
			print_error("example %u: %s\n", i, e->dst);
		assert_memory_equal(&got, &want, 16);
		for (u32 k = 0; k < MAX_SOURCES && e->sources[k]; k++) {
			const char *t = e->sources[k];
			struct ip_addr a = ip6(t + (t[0] == 't' || t[0] == 'd'));

			assert_int_equal(addr6_del("eth0", &a), 0);
		}
	}
	stack_down6();
}

static void another_interfaces_address_rather_than_none(void **state)
{
	static const u8 mac[6] = { 2, 0, 0, 0, 0, 1 };
	static struct sim_nic second;
	struct ip_addr far = ip6("2001:db8:7::1"), src, own = HOST6;

	assert_int_equal(stack_up6(), 0);
	memset(&second, 0, sizeof(second));
	assert_int_equal(sim_nic_attach(&second, mac), 0);
	netif_lock();
	assert_int_equal(netif_up(second.nif), 0);
	netif_unlock();
	sim_run_s(3);
	rcu_read_lock();
	assert_int_equal(ip_family_find(AF_INET6)->source(second.nif, &far, 0, &src), 0);
	rcu_read_unlock();
	/* its own link-local address is no good beyond the link */
	assert_memory_equal(&src, &own, 16);
	sim_nic_detach(&second);
	stack_down6();
}

static void neither_tentative_nor_failed_ones(void **state)
{
	struct ip_addr a = ip6("2001:db8:1::5"), src, own = HOST6;

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(addr6_add("eth0", &a, 64, 0), 0);
	src = choose("2001:db8:1::1");
	assert_memory_equal(&src, &own, 16);
	assert_true(addr6_wait(&a, 5000));
	src = choose("2001:db8:1::1");
	assert_memory_equal(&src, &a, 16);
	netif_lock();
	ifaddr_change(ifaddr_find(NULL, &a), IFADDR_DADFAILED, 0, 0);
	netif_unlock();
	src = choose("2001:db8:1::1");
	assert_memory_equal(&src, &own, 16);
	stack_down6();
}

/* RFC 5014: a program's wish goes before the setting. */
static void programs_may_prefer(void **state)
{
	static const char *const settings[] = { "0", "2" };
	struct ip_addr temporary = ip6("2001:db8:1::7"), public = ip6("2001:db8:1::8"), src;

	assert_int_equal(stack_up6(), 0);
	give("t2001:db8:1::7");
	give("2001:db8:1::8");
	for (u32 i = 0; i < ARRAY_SIZE(settings); i++) {
		assert_int_equal(sysctl6("conf/eth0/use_tempaddr", settings[i]), 0);
		src = choose_with("2001:db8:1::1", FLOW_PREFER_TEMPORARY);
		assert_memory_equal(&src, &temporary, 16);
		src = choose_with("2001:db8:1::1", FLOW_PREFER_PUBLIC);
		assert_memory_equal(&src, &public, 16);
	}
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_rfc_6724),
		cmocka_unit_test(another_interfaces_address_rather_than_none),
		cmocka_unit_test(neither_tentative_nor_failed_ones),
		cmocka_unit_test(programs_may_prefer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
