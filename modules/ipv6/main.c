/* SPDX-License-Identifier: MIT */
/* main.c - IPv6 as a module: the family's answers to the IP core, the settings of its packet path,
 * and its life. Its parts come up from below: once interfaces are looked at (conf.c), addresses are
 * made and all else must be there; they go first. */
#include "ipv6.h"
#include "mib.h"

#include <weft/module.h>
#include <weft/net/ether.h>
#include <weft/net/sock.h>
#include <weft/seqfile.h>

const struct ip_addr ipv6_all_nodes = { .b = { 0xff, 2, [15] = 1 } };
const struct ip_addr ipv6_all_routers = { .b = { 0xff, 2, [15] = 2 } };

struct ip_addr ipv6_solicited_node(const struct ip_addr *a)
{
	struct ip_addr group = { .b = { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(group.b + 13, a->b + 13, 3);
	return group;
}

/* The family's view of an address; what the route table knows comes first. */
static enum ip_kind classify(const struct netif *nif, const struct ip_addr *a)
{
	(void)nif;
	if (a->b[0] == 0xff)
		return IP_KIND_MULTICAST;
	return ip_addr_is_any(a) ? IP_KIND_INVALID : IP_KIND_UNICAST;
}

static struct ip_family ipv6_family = {
	.af = AF_INET6,
	.ethertype = ETH_P_IPV6,
	.header_len = IPV6_HEADER,
	.router_alert_len = IPV6_ROUTER_ALERT_LEN,
	.min_mtu = IPV6_MIN_MTU,
	.max_len = IPV6_HEADER + IPV6_MAX_LEN,
	.name = "ipv6",
	.default_ttl = &ipv6_conf_all.hop_limit,
	.forwarding = &ipv6_conf_all.forwarding,
	.output = ipv6_output,
	.prepend = ipv6_prepend,
	.mtu = ipv6_mtu,
	.source = ipv6_source,
	.classify = classify,
	.addr_check = ipv6_addr_check,
	.addr_event = ipv6_addr_event,
	.group_event = mld_group_event,
	.anycast = anycast_member,
	.quote = ipv6_quote,
};

static int family_init(void)
{
	return ip_family_register(&ipv6_family);
}

static void family_exit(void)
{
	ip_family_unregister(&ipv6_family);
}

static struct net_layer layer = {
	.ethertype = ETH_P_IPV6,
	.name = "ipv6",
	.input = ipv6_input,
	.train = &ipv6_train,
};

static int layer_init(void)
{
	return net_layer_register(&layer);
}

static void layer_exit(void)
{
	net_layer_unregister(&layer);
}

static struct sysctl sysctls[] = {
	{ .path = "net/ipv6/bindv6only", .value = &inet_bindv6only, .max = 1 },
	{ .path = "net/ipv6/ip_nonlocal_bind", .value = &inet_nonlocal_bind_v6, .max = 1 },
	{ .path = "net/ipv6/mld_max_msf", .value = &inet_max_sources_v6, .max = 250 },
	{ .path = "net/ipv6/auto_flowlabels", .value = &ipv6_auto_flowlabels, .max = 3 },
	{ .path = "net/ipv6/max_hbh_opts_number", .value = &ipv6_max_hop_options, .max = 1024 },
	{ .path = "net/ipv6/max_dst_opts_number", .value = &ipv6_max_dest_options, .max = 1024 },
};

static void sysctls_exit(void)
{
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
}

static int sysctls_init(void)
{
	return sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
}

static const struct {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ ipv6_mib_init, ipv6_mib_exit },
	{ ipv6_icmp_init, ipv6_icmp_exit },
	{ ipv6_reasm_init, ipv6_reasm_exit },
	{ sysctls_init, sysctls_exit },
	{ ipv6_label_init, ipv6_label_exit },
	{ family_init, family_exit },
	{ layer_init, layer_exit },
	{ router_init, router_exit },
	{ rdnss_init, rdnss_exit },
	{ nd_init, nd_exit },
	{ ipv6_conf_init, ipv6_conf_exit },
	/* leaves first, by taking leave of its groups */
	{ mld_init, mld_exit },
	{ ipv6_proc_init, ipv6_proc_exit },
};

static void parts_exit(u32 n)
{
	while (n--)
		parts[n].exit();
	rcu_barrier();
}

static int __init ipv6_init(void)
{
	ipv6_output_init();
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		int err = parts[i].init();

		if (err) {
			parts_exit(i);
			return err;
		}
	}
	return 0;
}

static void __exit ipv6_exit(void)
{
	parts_exit(ARRAY_SIZE(parts));
}

module_entry_points(ipv6_init, ipv6_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Internet Protocol version 6 with neighbour discovery and autoconfiguration");
MODULE_ALIAS("net-pf-10");
