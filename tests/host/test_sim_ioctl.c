/* SPDX-License-Identifier: MIT */
/* test_sim_ioctl.c - the calls of ifconfig, with Linux's answers: addresses, aliases, masks,
 * flags. */
#include "stack.h"

#include <weft/net/ifaddr.h>

static struct ifreq r;

static void named(const char *name)
{
	memset(&r, 0, sizeof(r));
	strscpy(r.name, name, IFNAMSIZ);
}

static long set_in(const char *name, u32 cmd, u32 addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = htonl(addr) };

	named(name);
	memcpy(&r.u, &in, sizeof(in));
	return sock_ioctl(cmd, &r);
}

static long get_in(const char *name, u32 cmd, u32 *addr)
{
	struct sockaddr_in in;
	long err;

	named(name);
	err = sock_ioctl(cmd, &r);
	memcpy(&in, &r.u, sizeof(in));
	*addr = ntohl(in.sin_addr);
	return err;
}

static long set_int(const char *name, u32 cmd, int v)
{
	named(name);
	r.u.ivalue = v;
	return sock_ioctl(cmd, &r);
}

static void address_and_mask(void **state)
{
	u32 a;

	assert_int_equal(stack_up(), 0);
	assert_int_equal(get_in("eth0", SIOCGIFADDR, &a), 0);
	assert_int_equal(a, HOST);
	assert_int_equal(get_in("eth0", SIOCGIFNETMASK, &a), 0);
	assert_int_equal(a, 0xffffff00);
	assert_int_equal(get_in("eth0", SIOCGIFBRDADDR, &a), 0);
	assert_int_equal(a, HOST_BROADCAST);
	/* SIOCSIFADDR assumes the class's mask */
	assert_int_equal(set_in("eth0", SIOCSIFADDR, IP4(172, 16, 1, 1)), 0);
	get_in("eth0", SIOCGIFNETMASK, &a);
	assert_int_equal(a, 0xffff0000);
	get_in("eth0", SIOCGIFBRDADDR, &a);
	assert_int_equal(a, IP4(172, 16, 255, 255));
	assert_int_equal(set_in("eth0", SIOCSIFNETMASK, 0xffffff80), 0);
	get_in("eth0", SIOCGIFBRDADDR, &a);
	assert_int_equal(a, IP4(172, 16, 1, 127));
	assert_int_equal(set_in("eth0", SIOCSIFNETMASK, 0xff00ff00), -EINVAL);
	assert_int_equal(set_in("eth0", SIOCSIFBRDADDR, IP4(172, 16, 1, 126)), 0);
	get_in("eth0", SIOCGIFBRDADDR, &a);
	assert_int_equal(a, IP4(172, 16, 1, 126));
	/* 0.0.0.0 takes it away */
	assert_int_equal(set_in("eth0", SIOCSIFADDR, 0), 0);
	assert_int_equal(get_in("eth0", SIOCGIFADDR, &a), -EADDRNOTAVAIL);
	assert_int_equal(set_in("eth0", SIOCSIFNETMASK, 0xffffff00), -EADDRNOTAVAIL);
	assert_int_equal(set_in("eth0", SIOCSIFADDR, IP4(224, 0, 0, 1)), -EINVAL);
	assert_int_equal(set_in("eth9", SIOCSIFADDR, HOST), -ENODEV);
	stack_down();
}

static void aliases(void **state)
{
	struct {
		int len, pad;
		u64 buf;
	} conf = { 0 };
	struct ifreq list[4];
	u32 a;

	assert_int_equal(stack_up(), 0);
	assert_int_equal(set_in("eth0:1", SIOCSIFADDR, IP4(10, 0, 0, 77)), 0);
	assert_int_equal(set_in("eth0:1", SIOCSIFNETMASK, 0xffffff00), 0);
	assert_int_equal(set_in("eth0:2", SIOCSIFADDR, IP4(10, 0, 0, 77)), -EEXIST);
	assert_int_equal(sock_ioctl(SIOCGIFCONF, &conf), 0);
	assert_int_equal(conf.len, 2 * 40);
	conf.buf = (u64)list;
	conf.len = sizeof(list);
	assert_int_equal(sock_ioctl(SIOCGIFCONF, &conf), 0);
	assert_int_equal(conf.len, 2 * 40);
	assert_string_equal(list[0].name, "eth0");
	assert_string_equal(list[1].name, "eth0:1");
	conf.len = 79;
	assert_int_equal(sock_ioctl(SIOCGIFCONF, &conf), 0);
	assert_int_equal(conf.len, 40);
	peer_echo(&peer, host_mac, IP4(10, 0, 0, 77), 1, 1, 8);
	sim_run_ms(5);
	assert_int_equal(peer_count_icmp(&peer, 0), 1);
	/* the first goes, the prefix stays reachable through the alias */
	assert_int_equal(set_in("eth0", SIOCSIFADDR, 0), 0);
	peer_forget(&peer);
	peer_echo(&peer, host_mac, IP4(10, 0, 0, 77), 1, 2, 8);
	sim_run_ms(5);
	assert_int_equal(peer_count_icmp(&peer, 0), 1);
	/* an alias goes when it is taken down */
	assert_int_equal(set_int("eth0:1", SIOCSIFFLAGS, 0), 0);
	assert_int_equal(get_in("eth0:1", SIOCGIFADDR, &a), -EADDRNOTAVAIL);
	assert_int_equal(set_int("eth0:1", SIOCSIFFLAGS, 0), -EADDRNOTAVAIL);
	assert_true(netif_is_up(netif_named("eth0")));
	stack_down();
}

static void flags_and_numbers(void **state)
{
	struct netif *nif;

	assert_int_equal(stack_up(), 0);
	nif = netif_named("eth0");
	named("eth0");
	assert_int_equal(sock_ioctl(SIOCGIFFLAGS, &r), 0);
	assert_int_equal(r.u.flags, IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST);
	r.u.flags |= IFF_PROMISC;
	assert_int_equal(sock_ioctl(SIOCSIFFLAGS, &r), 0);
	assert_true(nif->flags & IFF_PROMISC);
	netif_lock();
	netif_promisc(nif, 1);
	netif_unlock();
	r.u.flags &= ~IFF_PROMISC;
	assert_int_equal(sock_ioctl(SIOCSIFFLAGS, &r), 0);
	assert_true(nif->flags & IFF_PROMISC); /* a socket still wants it, which nobody is shown */
	named("eth0");
	sock_ioctl(SIOCGIFFLAGS, &r);
	assert_false(r.u.flags & IFF_PROMISC);
	netif_lock();
	netif_promisc(nif, -1);
	netif_unlock();
	assert_false(nif->flags & IFF_PROMISC);
	assert_int_equal(set_int("eth0", SIOCSIFMTU, 67), -EINVAL);
	assert_int_equal(set_int("eth0", SIOCSIFMTU, -1), -EINVAL);
	assert_int_equal(set_int("eth0", SIOCSIFMTU, 1280), 0);
	named("eth0");
	sock_ioctl(SIOCGIFMTU, &r);
	assert_int_equal(r.u.ivalue, 1280);
	named("");
	r.u.ivalue = nif->index;
	assert_int_equal(sock_ioctl(SIOCGIFNAME, &r), 0);
	assert_string_equal(r.name, "eth0");
	r.u.ivalue = 0;
	assert_int_equal(sock_ioctl(SIOCGIFNAME, &r), -ENODEV);
	stack_down();
}

static void only_while_down(void **state)
{
	struct netif *nif;

	assert_int_equal(stack_up(), 0);
	nif = netif_named("eth0");
	named("eth0");
	r.u.addr.sa_family = ARPHRD_ETHER;
	memcpy(r.u.addr.sa_data, peer_mac, 6);
	assert_int_equal(sock_ioctl(SIOCSIFHWADDR, &r), -EBUSY);
	named("eth0");
	strscpy(r.u.newname, "wan0", IFNAMSIZ);
	assert_int_equal(sock_ioctl(SIOCSIFNAME, &r), -EBUSY);
	ifconfig_down("eth0");
	assert_int_equal(sock_ioctl(SIOCSIFNAME, &r), 0);
	assert_string_equal(nif->name, "wan0");
	assert_string_equal(ifaddr_first(nif, AF_INET)->label, "wan0");
	named("wan0");
	strscpy(r.u.newname, "lo", IFNAMSIZ);
	assert_int_equal(sock_ioctl(SIOCSIFNAME, &r), -EEXIST);
	strscpy(r.u.newname, "a/b", IFNAMSIZ);
	assert_int_equal(sock_ioctl(SIOCSIFNAME, &r), -EINVAL);
	named("wan0");
	r.u.addr.sa_family = ARPHRD_LOOPBACK;
	assert_int_equal(sock_ioctl(SIOCSIFHWADDR, &r), -EINVAL);
	r.u.addr.sa_family = ARPHRD_ETHER;
	memset(r.u.addr.sa_data, 0xff, 6);
	assert_int_equal(sock_ioctl(SIOCSIFHWADDR, &r), -EADDRNOTAVAIL);
	named("wan0");
	strscpy(r.u.newname, "eth0", IFNAMSIZ);
	assert_int_equal(sock_ioctl(SIOCSIFNAME, &r), 0);
	stack_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_and_mask),
		cmocka_unit_test(aliases),
		cmocka_unit_test(flags_and_numbers),
		cmocka_unit_test(only_while_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
