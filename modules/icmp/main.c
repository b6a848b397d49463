/* SPDX-License-Identifier: MIT */
/* main.c - ICMP as a module: a transport of IPv4, the sender of IPv4's errors, counters,
 * settings. */
#include "icmp.h"

#include <weft/module.h>
#include <weft/seqfile.h>

struct icmp_counters icmp_counters;

static u32 slot(u8 type)
{
	return min(type, (u8)31);
}

/* Plain additions: a count lost between two CPUs is better than a lock for each message. */
void icmp_count_in(u8 type)
{
	icmp_counters.in[slot(type)]++;
}

void icmp_count_out(u8 type)
{
	icmp_counters.out[slot(type)]++;
}

static int show(struct seq *s)
{
	u32 i;

	seq_puts(s, "type in out\n");
	for (i = 0; i < ARRAY_SIZE(icmp_counters.in); i++)
		if (icmp_counters.in[i] || icmp_counters.out[i])
			seq_printf(s, "%u %lu %lu\n", i, icmp_counters.in[i], icmp_counters.out[i]);
	seq_printf(s, "malformed %lu\nrate_limited %lu\n", icmp_counters.in_bad,
		   icmp_counters.out_limited);
	return 0;
}

static struct procfile file = { .path = "net/weft/icmp", .mode = 0444, .show = show };

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
	int err = procfile_add(&file);

	if (err)
		return err;
	icmp_error_init();
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		err = sysctl_add(&sysctls[i]);
		if (err)
			goto files;
	}
	err = ping_init();
	if (err)
		goto files;
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
files:
	while (i--)
		sysctl_remove(&sysctls[i]);
	procfile_remove(&file);
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
	procfile_remove(&file);
}

module_entry_points(icmp_init, icmp_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Internet Control Message Protocol for IPv4");
MODULE_ALIAS("net-pf-2-proto-1-type-2");
