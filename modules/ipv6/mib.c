/* SPDX-License-Identifier: MIT */
/* mib.c - IPv6's lines in /proc/net/snmp6 and /proc/net/sockstat6. */
#include "ipv6.h"
#include "mib.h"

static const char *const names[] = { IP6_MIB(IP_MIB_NAME) };

static void fill(s64 *v)
{
	const struct ip_family *fam;

	rcu_read_lock();
	fam = ip_family_find(AF_INET6);
	if (fam) {
		v[IP6_IN_UNKNOWN_PROTOS] = READ_ONCE(fam->unknown_protos);
		v[IP6_OUT_NO_ROUTES] = READ_ONCE(fam->no_routes);
	}
	rcu_read_unlock();
	v[IP6_OUT_TRANSMITS] = v[IP6_OUT_REQUESTS] + v[IP6_OUT_FORW_DATAGRAMS] - v[IP6_FRAG_OKS] +
			       v[IP6_FRAG_CREATES];
}

struct ip_mib ip6_mib = {
	.name = "Ip6",
	.file = IP_MIB_SNMP6,
	.rank = 10,
	.fields = names,
	.nr_fields = IP6_MIB_FIELDS,
	.fill = fill,
};

static struct ip_mib frag_stat = {
	.name = "FRAG6",
	.file = IP_MIB_SOCKSTAT6,
	.rank = 50,
	.show = ipv6_reasm_show,
};

int ipv6_mib_init(void)
{
	int err = ip_mib_register(&ip6_mib);

	if (!err)
		err = ip_mib_register(&frag_stat);
	if (err)
		ipv6_mib_exit();
	return err;
}

/* Also of those that init did not come to: that does nothing. */
void ipv6_mib_exit(void)
{
	ip_mib_unregister(&frag_stat);
	ip_mib_unregister(&ip6_mib);
}
