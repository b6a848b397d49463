/* SPDX-License-Identifier: MIT */
/* main.c - ICMP as a module: a transport of both IP versions, the sender of their errors, settings.
 */
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

/* Silent: RFC 1122 3.2.2.1 speaks of transports; a lone ping stays unanswered. */
static struct ip_proto protos[] = {
	{
		.name = "icmp",
		.number = IPPROTO_ICMP,
		.af = AF_INET,
		.sock_type = SOCK_DGRAM,
		.flags = IP_PROTO_SILENT,
		.input = icmp_input,
		.error = ping_error,
		.socket = ping_socket,
	},
	{
		.name = "icmpv6",
		.number = IPPROTO_ICMPV6,
		.af = AF_INET6,
		.sock_type = SOCK_DGRAM,
		.flags = IP_PROTO_SILENT,
		.input = icmp6_input,
		.error = ping_error,
		.socket = ping_socket,
	},
};

static struct ip_error_sender senders[] = {
	{ .af = AF_INET, .name = "icmp", .send = icmp_send_error },
	{ .af = AF_INET6, .name = "icmpv6", .send = icmp6_send_error },
};

static void unplug(u32 nr_protos, u32 nr_senders)
{
	while (nr_senders--)
		ip_error_sender_unregister(&senders[nr_senders]);
	while (nr_protos--)
		ip_proto_unregister(&protos[nr_protos]);
}

static int plug(void)
{
	u32 nr_protos, nr_senders = 0;
	int err = 0;

	for (nr_protos = 0; nr_protos < ARRAY_SIZE(protos) && !err; nr_protos++)
		err = ip_proto_register(&protos[nr_protos]);
	if (err) {
		nr_protos--;
		goto unplug;
	}
	for (; nr_senders < ARRAY_SIZE(senders) && !err; nr_senders++)
		err = ip_error_sender_register(&senders[nr_senders]);
	if (!err)
		return 0;
	nr_senders--;
unplug:
	unplug(nr_protos, nr_senders);
	return err;
}

static int __init icmp_init(void)
{
	int err = icmp_mib_init();

	if (err)
		return err;
	icmp_limit_init();
	err = sysctl_add_all(sysctls, ARRAY_SIZE(sysctls));
	if (err)
		goto mib;
	err = icmp6_init();
	if (err)
		goto sysctls;
	err = ping_init();
	if (err)
		goto icmp6;
	err = plug();
	if (err)
		goto ping;
	return 0;
ping:
	ping_exit();
icmp6:
	icmp6_exit();
sysctls:
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
mib:
	icmp_mib_exit();
	return err;
}

static void __exit icmp_exit(void)
{
	unplug(ARRAY_SIZE(protos), ARRAY_SIZE(senders));
	ping_exit();
	icmp6_exit();
	sysctl_remove_all(sysctls, ARRAY_SIZE(sysctls));
	icmp_mib_exit();
}

module_entry_points(icmp_init, icmp_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Internet Control Message Protocol for IPv4 and IPv6");
MODULE_ALIAS("net-pf-2-proto-1-type-2");
MODULE_ALIAS("net-pf-10-proto-58-type-2");
