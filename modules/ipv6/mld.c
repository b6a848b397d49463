/* SPDX-License-Identifier: MIT */
/* mld.c - multicast listener discovery: its numbers, packets and settings for the machine of
 * <weft/net/listener.h>. That counts versions as IGMP does: MLD's first is its second. */
#include "mld.h"

#define IPV6_HEADER_ALERT 48 /* with Router Alert in a hop-by-hop header */

#define INTERFACE_ALL_NODES                \
	{                                  \
		.b = { 0xff, 1, [15] = 1 } \
	} /* ff01::1 */
#define LINK_ALL_NODES                     \
	{                                  \
		.b = { 0xff, 2, [15] = 1 } \
	} /* ff02::1 */
#define LINK_ALL_ROUTERS                   \
	{                                  \
		.b = { 0xff, 2, [15] = 2 } \
	} /* ff02::2 */
#define V2_ROUTERS                            \
	{                                     \
		.b = { 0xff, 2, [15] = 0x16 } \
	} /* ff02::16 */

struct mld_if {
	struct listener_if l; /* first */
	const struct netif *nif;
};

static int robustness = 2;

bool mld_is_silent(const struct ip_addr *group)
{
	return (group->b[1] & 15) <= IPV6_SCOPE_INTERFACE || ip_addr_eq(group, &ipv6_all_nodes);
}

static u8 forced(const struct listener_if *l)
{
	int all = READ_ONCE(ipv6_conf_all.force_mld_version), here;

	here = READ_ONCE(ipv6_conf(container_of(l, struct mld_if, l)->nif)->force_mld_version);
	all = all ? all : here;
	return all ? all + 1 : 0;
}

static u32 unsolicited_ms(const struct listener_if *l)
{
	const struct ipv6_conf *c = ipv6_conf(container_of(l, struct mld_if, l)->nif);

	return l->version < 3 ? READ_ONCE(c->mldv1_unsolicited_report_interval) :
				READ_ONCE(c->mldv2_unsolicited_report_interval);
}

static bool flow(const struct netif *nif, const struct ip_addr *dst, struct flow *f)
{
	const struct ifaddr *a = ipv6_link_local(nif);

	if (!ipv6_if(nif))
		return false;
	*f = (struct flow){
		.dst = *dst,
		/* RFC 3590, RFC 9777 5.2.14: while there is none, nobody's */
		.src = a ? a->addr : ip_addr_any(AF_INET6),
		.oif = nif->index,
		.proto = IPPROTO_ICMPV6,
		.ttl = 1,
		.flags = FLOW_CONTROL | FLOW_PARK | FLOW_NO_LOOP | FLOW_ROUTER_ALERT |
			 (a ? 0 : FLOW_NO_SOURCE),
	};
	return true;
}

static void finish(const struct flow *f, u8 *h, u32 len)
{
	u32 pseudo = ip_pseudo_sum(&f->saddr, &f->dst, IPPROTO_ICMPV6, len);
	u16 sum = csum_fold(csum_partial(h, len, pseudo));

	memcpy(h + 2, &sum, sizeof(sum));
}

static void if_event(struct listener_if *l, const struct netif *nif, enum netif_event ev)
{
	container_of(l, struct mld_if, l)->nif = nif;
}

struct listener_proto mld_listener = {
	LISTENER_INIT(mld_listener),
	.af = AF_INET6,
	.name = "mld",
	.if_size = sizeof(struct mld_if),
	.own = { LINK_ALL_NODES, INTERFACE_ALL_NODES },
	.nr_own = 2,
	.report_type = { [2] = MLD_REPORT, [3] = MLD_V2_REPORT },
	.leave_type = MLD_DONE,
	.addr_len = 16,
	.simple_off = MLD_HEADER - 16,
	.headers = IPV6_HEADER_ALERT,
	.routers = LINK_ALL_ROUTERS,
	.v3_routers = V2_ROUTERS,
	.robustness = &robustness,
	.silent = mld_is_silent,
	.forced = forced,
	.unsolicited_ms = unsolicited_ms,
	.flow = flow,
	.finish = finish,
	.if_event = if_event,
};

void mld_group_event(struct netif *nif, struct ip_group *now)
{
	listener_group_event(&mld_listener, nif, now);
}

void mld_nif_up(struct netif *nif)
{
	listener_tell_all(&mld_listener, nif);
}

/* ---- life ---- */

static struct ip_proto mld_proto = {
	.name = "mld",
	.number = IPPROTO_ICMPV6,
	.af = AF_INET6,
	.flags = IP_PROTO_SILENT,
	.input = mld_input,
};

static struct sysctl qrv_sysctl = {
	.path = "net/ipv6/mld_qrv",
	.value = &robustness,
	.min = 1,
	.max = 7,
};

int mld_init(void)
{
	int err = sysctl_add(&qrv_sysctl);

	if (err)
		return err;
	err = mld_show_init();
	if (err)
		goto sysctl;
	err = ip_proto_register(&mld_proto);
	if (err)
		goto show;
	listener_register(&mld_listener);
	return 0;
show:
	mld_show_exit();
sysctl:
	sysctl_remove(&qrv_sysctl);
	return err;
}

void mld_exit(void)
{
	listener_unregister(&mld_listener);
	ip_proto_unregister(&mld_proto);
	mld_show_exit();
	sysctl_remove(&qrv_sysctl);
}
