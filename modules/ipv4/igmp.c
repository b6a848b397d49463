/* SPDX-License-Identifier: MIT */
/* igmp.c - IGMP's numbers, packets and settings for the machine of <weft/net/listener.h>. */
#include "igmp.h"

#include <weft/string.h>

#define IP_HEADER_ALERT 24	    /* with Router Alert */
#define UNSOLICITED_MS 1000	    /* RFC 9776 8.11 */
#define SIMPLE_UNSOLICITED_MS 10000 /* RFC 2236 8.10 */

#define ALL_ROUTERS                                          \
	{                                                    \
		.w = { 0, 0, IP_ADDR_MAPPED_BE, 0x020000e0 } \
	} /* 224.0.0.2 */
#define ALL_HOSTS                                            \
	{                                                    \
		.w = { 0, 0, IP_ADDR_MAPPED_BE, 0x010000e0 } \
	} /* 224.0.0.1 */
#define V3_ROUTERS                                           \
	{                                                    \
		.w = { 0, 0, IP_ADDR_MAPPED_BE, 0x160000e0 } \
	} /* 224.0.0.22 */

struct igmp_if {
	struct listener_if l; /* first */
	int force_version;
	struct sysctl force;
	char force_path[64];
};

static int force_all, robustness = 2;

static bool is_silent(const struct ip_addr *group)
{
	return ip_addr_to_v4(group) == IGMP_ALL_HOSTS; /* RFC 2236 6 */
}

static u8 forced(const struct listener_if *l)
{
	int all = READ_ONCE(force_all);

	return all ? all : READ_ONCE(container_of(l, struct igmp_if, l)->force_version);
}

static u32 unsolicited_ms(const struct listener_if *l)
{
	return l->version < 3 ? SIMPLE_UNSOLICITED_MS : UNSOLICITED_MS;
}

static const struct ifaddr *own_address(const struct netif *nif)
{
	const struct ifaddr *a;

	ifaddr_for_each(a, nif) {
		if (a->af == AF_INET && !(a->flags & IFADDR_TENTATIVE))
			return a;
	}
	return NULL;
}

static bool flow(const struct netif *nif, const struct ip_addr *dst, struct flow *f)
{
	const struct ifaddr *a = own_address(nif);

	*f = (struct flow){
		.dst = *dst,
		/* RFC 9776 4.2.14: of this link, or none */
		.src = a ? a->addr : ip_addr_any(AF_INET),
		.oif = nif->index,
		.proto = IPPROTO_IGMP,
		.tos = 0xc0, /* internetwork control */
		.ttl = 1,
		.flags = FLOW_CONTROL | FLOW_PARK | FLOW_NO_LOOP | (a ? 0 : FLOW_NO_SOURCE),
		.opt_len = 4,
		.opts = { 148, 4, 0, 0 }, /* Router Alert (RFC 2113) */
	};
	return true;
}

static void finish(const struct flow *f, u8 *h, u32 len)
{
	u16 sum = csum_fold(csum_partial(h, len, 0));

	memcpy(h + 2, &sum, sizeof(sum));
}

/* Each interface has a setting. */
static void if_event(struct listener_if *l, const struct netif *nif, enum netif_event ev)
{
	struct igmp_if *i = container_of(l, struct igmp_if, l);

	sysctl_remove(&i->force);
	if (ev == NETIF_GONE)
		return;
	snprintf(i->force_path, sizeof(i->force_path), "net/ipv4/conf/%s/force_igmp_version",
		 nif->name);
	i->force = (struct sysctl){ .path = i->force_path, .value = &i->force_version, .max = 3 };
	/* without memory it cannot be set */
	sysctl_add(&i->force);
}

struct listener_proto igmp_listener = {
	LISTENER_INIT(igmp_listener),
	.af = AF_INET,
	.name = "igmp",
	.if_size = sizeof(struct igmp_if),
	.own = { ALL_HOSTS },
	.nr_own = 1,
	.report_type = { 0, IGMP_V1_REPORT, IGMP_V2_REPORT, IGMP_V3_REPORT },
	.leave_type = IGMP_V2_LEAVE,
	.addr_len = 4,
	.simple_off = 4,
	.headers = IP_HEADER_ALERT,
	.routers = ALL_ROUTERS,
	.v3_routers = V3_ROUTERS,
	.robustness = &robustness,
	.silent = is_silent,
	.forced = forced,
	.unsolicited_ms = unsolicited_ms,
	.flow = flow,
	.finish = finish,
	.if_event = if_event,
};

void igmp_group_event(struct netif *nif, struct ip_group *now)
{
	listener_group_event(&igmp_listener, nif, now);
}

/* ---- life ---- */

static struct ip_proto igmp_proto = {
	.name = "igmp",
	.number = IPPROTO_IGMP,
	.af = AF_INET,
	.flags = IP_PROTO_SILENT,
	.input = igmp_input,
};

static struct sysctl sysctls[] = {
	{ .path = "net/ipv4/igmp_qrv", .value = &robustness, .min = 1, .max = 7 },
	{ .path = "net/ipv4/conf/all/force_igmp_version", .value = &force_all, .max = 3 },
};

static void sysctls_remove(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(sysctls); k++)
		sysctl_remove(&sysctls[k]);
}

int igmp_init(void)
{
	int err = 0;

	listener_register(&igmp_listener);
	for (u32 k = 0; k < ARRAY_SIZE(sysctls) && !err; k++)
		err = sysctl_add(&sysctls[k]);
	if (!err)
		err = igmp_show_init();
	if (err)
		goto sysctls;
	err = ip_proto_register(&igmp_proto);
	if (err)
		goto show;
	return 0;
show:
	igmp_show_exit();
sysctls:
	sysctls_remove();
	listener_unregister(&igmp_listener);
	return err;
}

void igmp_exit(void)
{
	ip_proto_unregister(&igmp_proto);
	igmp_show_exit();
	sysctls_remove();
	listener_unregister(&igmp_listener);
}
