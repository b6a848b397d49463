/* SPDX-License-Identifier: MIT */
/* main.c - IPv4 as a module: the family's answers to the IP core, its settings, and its life. */
#include "ipv4.h"

#include <weft/module.h>
#include <weft/net/ether.h>
#include <weft/net/sock.h>
#include <weft/seqfile.h>

int ipv4_default_ttl = 64;
int ipv4_drop_unicast_in_l2_multicast = 1; /* RFC 1122 3.3.6 */
static int accept_redirects = 1;

/* The family's view of an address; what the route table knows comes first. */
static enum ip_kind classify(const struct netif *nif, const struct ip_addr *a)
{
	u32 addr = ip_addr_to_v4(a);

	(void)nif;
	if (addr == 0xffffffff)
		return IP_KIND_BROADCAST;
	if (ipv4_is_multicast(addr))
		return IP_KIND_MULTICAST;
	if (ipv4_is_class_e(addr) || ipv4_is_zero_net(addr))
		return IP_KIND_INVALID;
	return IP_KIND_UNICAST;
}

static bool usable_source(const struct ifaddr *a)
{
	return a->af == AF_INET && !(a->flags & (IFADDR_TENTATIVE | IFADDR_SECONDARY));
}

/* RFC 1122 3.3.4.3: the address in the destination's prefix, else the interface's first, else one
 * of another interface that is good beyond its link. */
static int source(struct netif *nif, const struct ip_addr *dst, u32 flags, struct ip_addr *src)
{
	const struct ifaddr *a, *first = NULL;
	struct netif *other;

	ifaddr_for_each(a, nif) {
		if (!usable_source(a))
			continue;
		if (ip_addr_in_prefix(dst, &a->addr, a->plen)) {
			*src = a->addr;
			return 0;
		}
		if (!first)
			first = a;
	}
	if (first) {
		*src = first->addr;
		return 0;
	}
	netif_for_each(other) {
		if ((other->flags & IFF_LOOPBACK) || !netif_present(other))
			continue;
		ifaddr_for_each(a, other) {
			if (usable_source(a) && !ip_addr_is_link_local(&a->addr)) {
				*src = a->addr;
				return 0;
			}
		}
	}
	return -EADDRNOTAVAIL;
}

static int addr_check(struct ifaddr *a)
{
	u32 addr = ip_addr_to_v4(&a->addr), mask;

	if (a->plen > 32 || ipv4_is_multicast(addr) || ipv4_is_class_e(addr) ||
	    ipv4_is_zero_net(addr))
		return -EINVAL;
	if (ipv4_is_loopback(addr) && !(a->nif->flags & IFF_LOOPBACK))
		return -EINVAL;
	mask = ip_plen_to_mask(a->plen);
	/* /31 and /32 have no broadcast address (RFC 3021 2.2) */
	if ((a->nif->flags & IFF_BROADCAST) && a->plen < 31 && ip_addr_is_any(&a->broadcast))
		a->broadcast = ip_addr_v4(addr | ~mask);
	a->scope = ipv4_is_loopback(addr) ? 254 : ip_addr_is_link_local(&a->addr) ? 253 : 0;
	if (acd_wanted(a->nif))
		a->flags |= IFADDR_TENTATIVE;
	return 0;
}

static struct ip_family ipv4_family = {
	.af = AF_INET,
	.ethertype = ETH_P_IP,
	.header_len = IPV4_HEADER,
	.name = "ipv4",
	.default_ttl = &ipv4_default_ttl,
	.forwarding = &ipv4_forwarding,
	.accept_redirects = &accept_redirects,
	.output = ipv4_output,
	.prepend = ipv4_prepend,
	.source = source,
	.classify = classify,
	.addr_check = addr_check,
	.addr_event = acd_addr_event,
	.group_event = igmp_group_event,
};

static struct net_layer ipv4_layer = {
	.ethertype = ETH_P_IP,
	.name = "ipv4",
	.input = ipv4_input,
	.train = &ipv4_train,
};

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/ip_forward", .value = &ipv4_forwarding, .min = 0, .max = 1 },
	{ .path = "net/ipv4/conf/all/accept_redirects", .value = &accept_redirects, .max = 1 },
	{ .path = "net/ipv4/conf/all/drop_unicast_in_l2_multicast",
	  .value = &ipv4_drop_unicast_in_l2_multicast,
	  .max = 1 },
	{ .path = "net/ipv4/ip_nonlocal_bind", .value = &inet_nonlocal_bind, .max = 1 },
	{ .path = "net/ipv4/ip_default_ttl", .value = &ipv4_default_ttl, .min = 1, .max = 255 },
};

static int show_arp_conflicts(struct seq *s)
{
	seq_printf(s, "%lu\n", arp_conflicts);
	return 0;
}

static struct procfile conflicts_file = {
	.path = "net/weft/arp_conflicts",
	.mode = 0444,
	.show = show_arp_conflicts,
};

static int add_files(void)
{
	int err = procfile_add(&conflicts_file);

	if (!err)
		err = sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
	if (err)
		procfile_remove(&conflicts_file);
	return err;
}

static void remove_files(void)
{
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
	procfile_remove(&conflicts_file);
}

static int __init ipv4_init(void)
{
	int err;

	ipv4_output_init();
	err = ipv4_mib_init();
	if (err)
		return err;
	err = ipv4_reasm_init();
	if (err)
		goto mib;
	err = add_files();
	if (err)
		goto reasm;
	err = acd_init();
	if (err)
		goto files;
	err = ip_family_register(&ipv4_family);
	if (err)
		goto acd;
	err = net_layer_register(&ipv4_layer);
	if (err)
		goto family;
	err = arp_init();
	if (err)
		goto layer;
	err = arpctl_init();
	if (err)
		goto arp;
	err = igmp_init();
	if (err)
		goto arpctl;
	return 0;
arpctl:
	arpctl_exit();
arp:
	arp_exit();
layer:
	net_layer_unregister(&ipv4_layer);
family:
	ip_family_unregister(&ipv4_family);
acd:
	acd_exit();
files:
	remove_files();
reasm:
	ipv4_reasm_exit();
mib:
	ipv4_mib_exit();
	return err;
}

static void __exit ipv4_exit(void)
{
	igmp_exit();
	arpctl_exit();
	arp_exit();
	net_layer_unregister(&ipv4_layer);
	ip_family_unregister(&ipv4_family);
	acd_exit();
	remove_files();
	ipv4_reasm_exit();
	ipv4_mib_exit();
}

module_entry_points(ipv4_init, ipv4_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Internet Protocol version 4 with address resolution");
