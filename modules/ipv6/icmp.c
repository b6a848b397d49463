/* SPDX-License-Identifier: MIT */
/* icmp.c - what of ICMPv6 is IPv6's own, for IPv6 does not work without it: each message's
 * checksum, once and before anybody reads it (RFC 4443 2.3), and counters by type, whoever serves
 * or sends it. Errors and echo are another module's. */
#include "ipv6.h"

#include <weft/net/mib.h>
#include <weft/seqfile.h>

#define TYPES 256
#define SHORTEST 4 /* type, code, checksum */

/* In, out, then these. */
#define OUT(type) (TYPES + (type))
enum {
	IN_ERRORS = 2 * TYPES,
	IN_BADSUM,
	NR_COUNTS,
};

static void show(struct seq *s);

static struct ip_mib icmp6_mib = {
	.name = "Icmp6",
	.file = IP_MIB_SNMP6,
	.rank = 20,
	.nr_fields = NR_COUNTS,
	.show = show,
};

/* RFC 4293's names, as Linux has them, in the order of its file. */
static const struct {
	u8 type;
	const char *name;
} named[] = {
	{ 1, "DestUnreachs" },
	{ 2, "PktTooBigs" },
	{ 3, "TimeExcds" },
	{ 4, "ParmProblems" },
	{ 128, "Echos" },
	{ 129, "EchoReplies" },
	{ 130, "GroupMembQueries" },
	{ 131, "GroupMembResponses" },
	{ 132, "GroupMembReductions" },
	{ 133, "RouterSolicits" },
	{ 134, "RouterAdvertisements" },
	{ 135, "NeighborSolicits" },
	{ 136, "NeighborAdvertisements" },
	{ 137, "Redirects" },
	{ 143, "MLDv2Reports" },
};

int ipv6_icmp_check(struct pkt *p)
{
	const struct ip_rx *rx = ip_rx_const(p);
	u32 pseudo;

	if (p->len < SHORTEST) {
		ip_mib_inc_poll(&icmp6_mib, IN_ERRORS);
		return DROP_TRUNCATED;
	}
	if (p->csum != PKT_CSUM_OK) {
		pseudo = ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_ICMPV6, p->len);
		if (csum_fold(csum_partial(p->data, p->len, pseudo))) {
			ip_mib_inc_poll(&icmp6_mib, IN_ERRORS);
			ip_mib_inc_poll(&icmp6_mib, IN_BADSUM);
			return DROP_BADSUM;
		}
		p->csum = PKT_CSUM_OK;
	}
	ip_mib_inc_poll(&icmp6_mib, p->data[0]);
	return 0;
}

void ipv6_icmp_count_out(u8 type)
{
	ip_mib_inc(&icmp6_mib, OUT(type));
}

/* ---- /proc/net/snmp6 ---- */

static void line(struct seq *s, const char *name, u64 n)
{
	seq_printf(s, "Icmp6%-27s\t%lu\n", name, n);
}

static void show_named(struct seq *s, const char *way, u32 first)
{
	char name[32];

	for (u32 i = 0; i < ARRAY_SIZE(named); i++) {
		snprintf(name, sizeof(name), "%s%s", way, named[i].name);
		line(s, name, ip_mib_sum(&icmp6_mib, first + named[i].type));
	}
}

/* Those that were ever counted. */
static void show_types(struct seq *s, const char *way, u32 first)
{
	char name[32];

	for (u32 i = 0; i < TYPES; i++) {
		u64 n = ip_mib_sum(&icmp6_mib, first + i);

		if (!n)
			continue;
		snprintf(name, sizeof(name), "%sType%u", way, i);
		line(s, name, n);
	}
}

static void show(struct seq *s)
{
	u64 in = ip_mib_sum(&icmp6_mib, IN_ERRORS), out = 0;

	for (u32 i = 0; i < TYPES; i++) {
		in += ip_mib_sum(&icmp6_mib, i);
		out += ip_mib_sum(&icmp6_mib, OUT(i));
	}
	line(s, "InMsgs", in);
	line(s, "InErrors", ip_mib_sum(&icmp6_mib, IN_ERRORS));
	line(s, "OutMsgs", out);
	line(s, "InCsumErrors", ip_mib_sum(&icmp6_mib, IN_BADSUM));
	show_named(s, "In", 0);
	show_named(s, "Out", OUT(0));
	show_types(s, "In", 0);
	show_types(s, "Out", OUT(0));
}

int ipv6_icmp_init(void)
{
	return ip_mib_register(&icmp6_mib);
}

void ipv6_icmp_exit(void)
{
	ip_mib_unregister(&icmp6_mib);
}
