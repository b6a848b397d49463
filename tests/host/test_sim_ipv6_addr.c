/* SPDX-License-Identifier: MIT */
/* test_sim_ipv6_addr.c - addresses of an interface: the link-local one comes by itself, groups come
 * along, lifetimes end, settings switch all of it off; with the module goes what it made, and what
 * a user gave sleeps until it is back. */
#include "stack6.h"

static u32 flags_of(const char *text)
{
	struct ip_addr a = ip6(text);

	return addr6_flags(&a);
}

static bool has(const char *path, const char *text)
{
	const char *all = sim_read(path);

	return all && strstr(all, text);
}

static bool joined(const char *group)
{
	struct ip_addr g = ip6(group);
	bool there;

	netif_lock();
	there = ip_group_find(netif_by_name("eth0"), &g);
	netif_unlock();
	return there;
}

static int change(const char *text, u64 preferred_s, u64 valid_s)
{
	struct ip_addr a = ip6(text);
	struct ifaddr *ifa;
	u64 now = ktime_get();

	netif_lock();
	ifa = ifaddr_find(netif_by_name("eth0"), &a);
	if (ifa)
		ifaddr_change(ifa, ifa->flags, preferred_s ? now + preferred_s * NSEC_PER_SEC : 0,
			      valid_s ? now + valid_s * NSEC_PER_SEC : 0);
	netif_unlock();
	return ifa ? 0 : -ENOENT;
}

static int set_up(const char *name, bool up)
{
	struct netif *nif;
	int err = 0;

	netif_lock();
	nif = netif_by_name(name);
	if (up)
		err = netif_up(nif);
	else
		netif_down(nif);
	netif_unlock();
	return err;
}

/* RFC 4291 appendix A: of the hardware address with the universal bit turned. */
static void link_local_of_the_hardware_address(void **state)
{
	struct ip_addr want = ip6("fe80::"), got;

	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_true(addr6_wait(NULL, 5000));
	memcpy(want.b + 8, host_mac, 3);
	want.b[8] ^= 2;
	want.b[11] = 0xff;
	want.b[12] = 0xfe;
	memcpy(want.b + 13, host_mac + 3, 3);
	got = host_ll();
	assert_memory_equal(&got, &want, 16);
	assert_true(joined("ff02::1"));
	got = ip6_solicited_node(&want);
	netif_lock();
	assert_non_null(ip_group_find(netif_by_name("eth0"), &got));
	netif_unlock();
	assert_true(has("/proc/net/if_inet6", " 40 20 80     eth0\n"));
	assert_int_equal(set_up("lo", true), 0);
	assert_true(has("/proc/net/if_inet6",
			"00000000000000000000000000000001 01 80 10 80       lo\n"));
	stack_down6();
}

/* RFC 4862 5.4: nothing is sent to or from an address before the check. */
static void tentative_address_is_nobodys(void **state)
{
	struct ip_addr a = ip6("2001:db8::7"), src;
	struct flow f = { .dst = ip6("2001:db8::1"), .flags = FLOW_PARK };

	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_int_equal(addr6_add("eth0", &a, 64, IFADDR_PERMANENT), 0);
	assert_int_equal(route_classify(&a), ROUTE_UNICAST);
	assert_int_not_equal(ip_flow_check(&f, 0, NULL), 0);
	assert_true(addr6_wait(&a, 5000));
	assert_int_equal(route_classify(&a), ROUTE_LOCAL);
	assert_int_equal(ip_flow_check(&f, 0, NULL), 0);
	src = f.saddr;
	assert_memory_equal(&src, &a, 16);
	assert_true(joined("ff02::1:ff00:7"));
	assert_int_equal(addr6_del("eth0", &a), 0);
	assert_false(joined("ff02::1:ff00:7"));
	stack_down6();
}

static void impossible_addresses_are_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "ff02::5", -EINVAL },
		{ "::", -EINVAL },
		{ "::1", -EADDRNOTAVAIL },
	};

	assert_int_equal(stack_up6(), 0);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_addr a = ip6(cases[i].text);

		assert_int_equal(addr6_add("eth0", &a, 64, 0), cases[i].err);
	}
	stack_down6();
}

/* RFC 4862 5.5.4 */
static void lifetimes_end(void **state)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(change("2001:db8::2", 10, 20), 0);
	sim_run_s(9);
	assert_false(flags_of("2001:db8::2") & IFADDR_DEPRECATED);
	sim_run_s(2);
	assert_true(flags_of("2001:db8::2") & IFADDR_DEPRECATED);
	assert_true(has("/proc/net/if_inet6", " 40 00 a0     eth0\n"));
	/* said anew, it is young again */
	assert_int_equal(change("2001:db8::2", 10, 20), 0);
	assert_false(flags_of("2001:db8::2") & IFADDR_DEPRECATED);
	sim_run_s(21);
	assert_int_equal(flags_of("2001:db8::2"), ~0u);
	stack_down6();
}

static void down_takes_addresses_unless_told(void **state)
{
	assert_int_equal(stack_up6(), 0);
	assert_int_equal(sysctl6("conf/eth0/keep_addr_on_down", "1"), 0);
	set_up("eth0", false);
	assert_int_equal(addr6_count("eth0"), 1);
	assert_true(flags_of("2001:db8::2") & IFADDR_TENTATIVE);
	assert_int_equal(set_up("eth0", true), 0);
	assert_true(addr6_wait(NULL, 5000));
	assert_int_equal(flags_of("2001:db8::2") & IFADDR_TENTATIVE, 0);
	assert_int_equal(sysctl6("conf/eth0/keep_addr_on_down", "0"), 0);
	set_up("eth0", false);
	assert_int_equal(addr6_count("eth0"), 0);
	stack_down6();
}

static void disable_takes_all_and_enable_begins_anew(void **state)
{
	struct ip_addr a = ip6("2001:db8::9");

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(set_up("lo", true), 0);
	assert_int_equal(sysctl6("conf/eth0/disable_ipv6", "1"), 0);
	assert_int_equal(addr6_count("eth0"), 0);
	assert_int_equal(addr6_add("eth0", &a, 64, 0), -EACCES);
	assert_false(has("/proc/net/ipv6_route", "eth0"));
	assert_int_equal(addr6_count("lo"), 1);
	assert_int_equal(sysctl6("conf/all/disable_ipv6", "1"), 0);
	assert_int_equal(addr6_count("lo"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/default/disable_ipv6"), "1\n");
	assert_int_equal(sysctl6("conf/all/disable_ipv6", "0"), 0);
	assert_int_equal(addr6_count("lo"), 1);
	assert_true(addr6_wait(NULL, 5000));
	assert_int_equal(addr6_count("eth0"), 1);
	stack_down6();
}

static void forwarding_joins_the_routers(void **state)
{
	assert_int_equal(stack_up6(), 0);
	assert_false(joined("ff02::2"));
	assert_int_equal(sysctl6("conf/all/forwarding", "1"), 0);
	assert_true(joined("ff02::2"));
	assert_true(joined("ff05::2"));
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/forwarding"), "1\n");
	assert_int_equal(sysctl6("conf/eth0/forwarding", "0"), 0);
	assert_false(joined("ff02::2"));
	stack_down6();
}

/* IPv6 needs links of 1280 bytes (RFC 8200 5). */
static void small_links_have_no_ipv6(void **state)
{
	assert_int_equal(stack_up6(), 0);
	netif_lock();
	assert_int_equal(netif_set_mtu(netif_by_name("eth0"), 1279), 0);
	netif_unlock();
	assert_int_equal(addr6_count("eth0"), 0);
	netif_lock();
	assert_int_equal(netif_set_mtu(netif_by_name("eth0"), 1280), 0);
	netif_unlock();
	assert_true(addr6_wait(NULL, 5000));
	stack_down6();
}

static void module_leaves_users_addresses_asleep(void **state)
{
	struct ip_addr a = ip6("2001:db8::2"), ll;

	assert_int_equal(stack_up6(), 0);
	assert_int_equal(set_up("lo", true), 0);
	ll = host_ll();
	for (u32 round = 0; round < 3; round++) {
		assert_int_equal(sim_rmmod("ipv6", false), 0);
		assert_null(sim_read("/proc/net/if_inet6"));
		assert_null(sim_read("/proc/sys/net/ipv6/conf/eth0/forwarding"));
		assert_int_equal(addr6_count("eth0"), 1);
		assert_int_equal(sim_insmod("ipv6", NULL), 0);
		/* checked again */
		assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
		assert_true(addr6_wait(&a, 5000));
		assert_true(addr6_wait(&ll, 5000));
		assert_int_equal(addr6_count("eth0"), 2);
		assert_int_equal(addr6_count("lo"), 1);
		assert_true(joined("ff02::1:ff00:2"));
	}
	stack_down6();
}

/* An interface without its driver keeps what its user gave it. */
static void driver_comes_back_to_its_addresses(void **state)
{
	struct ip_addr a = ip6("2001:db8::2");

	assert_int_equal(stack_up6(), 0);
	sim_nic_detach(&nic);
	assert_int_equal(sim_nic_attach(&nic, host_mac), 0);
	assert_true(addr6_flags(&a) & IFADDR_TENTATIVE);
	assert_int_equal(set_up("eth0", true), 0);
	assert_true(addr6_wait(&a, 5000));
	assert_true(addr6_wait(NULL, 5000));
	assert_int_equal(addr6_count("eth0"), 2);
	stack_down6();
}

static void settings_follow_the_name(void **state)
{
	assert_int_equal(stack_up6(), 0);
	set_up("eth0", false);
	netif_lock();
	assert_int_equal(netif_rename(netif_by_name("eth0"), "wan"), 0);
	netif_unlock();
	assert_null(sim_read("/proc/sys/net/ipv6/conf/eth0/hop_limit"));
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/wan/hop_limit"), "64\n");
	stack_down6();
}

static void stable_secret_is_secret_until_set(void **state)
{
	struct ip_addr first, second;

	assert_int_equal(stack_up6_bare(NULL), 0);
	assert_null(sim_read("/proc/sys/net/ipv6/conf/eth0/stable_secret"));
	set_up("eth0", false);
	assert_int_equal(sysctl6("conf/eth0/stable_secret", "2001:db8:1:2:3:4:5:6"), 0);
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/stable_secret"),
			    "2001:0db8:0001:0002:0003:0004:0005:0006\n");
	assert_string_equal(sim_read("/proc/sys/net/ipv6/conf/eth0/addr_gen_mode"), "2\n");
	set_up("eth0", true);
	assert_true(addr6_wait(NULL, 5000));
	first = host_ll();
	assert_int_not_equal(first.b[11], 0xff);
	/* the same again after the next start, another one with another secret */
	assert_int_equal(sim_rmmod("ipv6", false), 0);
	assert_int_equal(sim_insmod("ipv6", NULL), 0);
	set_up("eth0", false);
	assert_int_equal(sysctl6("conf/eth0/stable_secret", "2001:db8:1:2:3:4:5:6"), 0);
	set_up("eth0", true);
	second = host_ll();
	assert_memory_equal(&first, &second, 16);
	set_up("eth0", false);
	assert_int_equal(sysctl6("conf/eth0/stable_secret", "2001:db8:1:2:3:4:5:7"), 0);
	set_up("eth0", true);
	second = host_ll();
	assert_memory_not_equal(&first, &second, 16);
	stack_down6();
}

/* An address that could not join its group does not leave it for another one that did. */
static void who_did_not_join_does_not_leave(void **state)
{
	struct ip_addr a = ip6("2001:db8::77"), b = ip6("2001:db8:1::77"),
		       filler = ip6("ff02::1:0");
	struct ip_addr group = ip6_solicited_node(&a);
	struct netif *nif;
	u32 n = 0;

	assert_int_equal(stack_up6(), 0);
	netif_lock();
	nif = netif_by_name("eth0");
	do {
		put_be16(filler.b + 14, ++n);
	} while (!ip_group_join(nif, &filler));
	netif_unlock();
	assert_int_equal(addr6_add("eth0", &a, 64, IFADDR_NODAD), 0);
	netif_lock();
	put_be16(filler.b + 14, 1);
	assert_int_equal(ip_group_leave(nif, &filler), 0);
	netif_unlock();
	assert_int_equal(addr6_add("eth0", &b, 64, IFADDR_NODAD), 0);
	assert_int_equal(addr6_del("eth0", &a), 0);
	netif_lock();
	assert_non_null(ip_group_find(nif, &group));
	for (u32 k = 2; k < n; k++) {
		put_be16(filler.b + 14, k);
		assert_int_equal(ip_group_leave(nif, &filler), 0);
	}
	netif_unlock();
	assert_int_equal(addr6_del("eth0", &b), 0);
	stack_down6();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_local_of_the_hardware_address),
		cmocka_unit_test(tentative_address_is_nobodys),
		cmocka_unit_test(impossible_addresses_are_refused),
		cmocka_unit_test(lifetimes_end),
		cmocka_unit_test(down_takes_addresses_unless_told),
		cmocka_unit_test(disable_takes_all_and_enable_begins_anew),
		cmocka_unit_test(forwarding_joins_the_routers),
		cmocka_unit_test(small_links_have_no_ipv6),
		cmocka_unit_test(module_leaves_users_addresses_asleep),
		cmocka_unit_test(driver_comes_back_to_its_addresses),
		cmocka_unit_test(settings_follow_the_name),
		cmocka_unit_test(stable_secret_is_secret_until_set),
		cmocka_unit_test(who_did_not_join_does_not_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
