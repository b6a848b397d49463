/* SPDX-License-Identifier: MIT */
/* main.c - ICMP as a module: a transport of IPv4, the sender of IPv4's errors, settings. */
#include "icmp.h"

#include <weft/module.h>
#include <weft/seqfile.h>

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/icmp_echo_ignore_all", .value = &icmp_echo_ignore_all, .max = 1 },
	{ .path = "net/ipv4/icmp_echo_ignore_broadcasts",
	  .value = &icmp_echo_ignore_broadcasts,
	  .max = 1 },
	{ .path = "net/ipv4/icmp_ratelimit", .value = &icmp_ratelimit_ms, .max = 1000000 },
	{ .path = "net/ipv4/icmp_msgs_per_sec",
	  .value = &icmp_msgs_per_sec,
	  .min = 1,
	  .max = 1000000 },
};

static struct ip_proto icmp_proto = {
	.name = "icmp",
	.number = IPPROTO_ICMP,
	.af = AF_INET,
	.sock_type = SOCK_DGRAM,
	.flags = IP_PROTO_SILENT, /* RFC 1122 3.2.2.1 speaks of transports; a lone ping stays
				     unanswered */
	.input = icmp_input,
	.error = ping_error,
	.socket = ping_socket,
};

static struct ip_error_sender sender = { .af = AF_INET, .name = "icmp", .send = icmp_send_error };

static int __init icmp_init(void)
{
	u32 i;
	int err = icmp_mib_init();

	if (err)
		return err;
	icmp_error_init();
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		err = sysctl_add(&sysctls[i]);
		if (err)
			goto sysctls;
	}
	err = ping_init();
	if (err)
		goto sysctls;
	err = ip_proto_register(&icmp_proto);
	if (err)
		goto ping;
	err = ip_error_sender_register(&sender);
	if (err)
		goto proto;
	return 0;
proto:
	ip_proto_unregister(&icmp_proto);
ping:
	ping_exit();
sysctls:
	while (i--)
		sysctl_remove(&sysctls[i]);
	icmp_mib_exit();
	return err;
}

static void __exit icmp_exit(void)
{
	u32 i = ARRAY_SIZE(sysctls);

	ip_error_sender_unregister(&sender);
	ip_proto_unregister(&icmp_proto);
	ping_exit();
	while (i--)
		sysctl_remove(&sysctls[i]);
	icmp_mib_exit();
}

module_entry_points(icmp_init, icmp_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Internet Control Message Protocol for IPv4");
MODULE_ALIAS("net-pf-2-proto-1-type-2");
