/* SPDX-License-Identifier: MIT */
/* mib.c - the lines Ip, IpExt and FRAG of the files that show all protocols' counters. */
#include "ipv4.h"

#include <weft/net/drop.h>

static const char *const ip_names[] = { IP_MIB(IP_MIB_NAME) };
static const char *const ipext_names[] = { IPEXT_MIB(IP_MIB_NAME) };

static void fill_ip(s64 *v)
{
	v[IP_FORWARDING] = READ_ONCE(ipv4_forwarding) ? 1 : 2; /* RFC 2011 ipForwarding */
	v[IP_DEFAULT_TTL] = READ_ONCE(ipv4_default_ttl);
	v[IP_IN_UNKNOWN_PROTOS] = ip_drop_total(DROP_NO_PROTO) + ip_drop_total(DROP_PROTO_SILENT);
	v[IP_OUT_NO_ROUTES] = ip_drop_total(DROP_NO_ROUTE);
	v[IP_OUT_TRANSMITS] = v[IP_OUT_REQUESTS] - v[IP_FRAG_OKS] + v[IP_FRAG_CREATES];
}

static void fill_ipext(s64 *v)
{
	v[IPEXT_IN_NO_ECT] = ip_mib_sum(&ip_mib, IP_IN_RECEIVES) - v[IPEXT_IN_ECT0] -
			     v[IPEXT_IN_ECT1] - v[IPEXT_IN_CE];
}

struct ip_mib ip_mib = {
	.name = "Ip",
	.file = IP_MIB_SNMP,
	.rank = 10,
	.fields = ip_names,
	.nr_fields = IP_MIB_FIELDS,
	.fill = fill_ip,
};

struct ip_mib ipext_mib = {
	.name = "IpExt",
	.file = IP_MIB_NETSTAT,
	.rank = 20,
	.fields = ipext_names,
	.nr_fields = IPEXT_MIB_FIELDS,
	.fill = fill_ipext,
};

static struct ip_mib frag_stat = {
	.name = "FRAG",
	.file = IP_MIB_SOCKSTAT,
	.rank = 50,
	.show = ipv4_reasm_show,
};

int ipv4_mib_init(void)
{
	int err = ip_mib_register(&ip_mib);

	if (!err)
		err = ip_mib_register(&ipext_mib);
	if (!err)
		err = ip_mib_register(&frag_stat);
	if (err)
		ipv4_mib_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void ipv4_mib_exit(void)
{
	ip_mib_unregister(&frag_stat);
	ip_mib_unregister(&ipext_mib);
	ip_mib_unregister(&ip_mib);
}
