/* SPDX-License-Identifier: MIT */
/* forward.c - datagrams for other hosts: dropped unless the interface's forwarding setting says
 * that this host is a router, then sent on by RFC 8200 and RFC 4443. A router cuts nothing. */
#include "ipv6.h"
#include "mib.h"

/* RFC 4291 2.5.3, 2.5.6, RFC 4007 9: addresses that mean nothing beyond their link. A drop reason,
 * 0: it may go on. */
static int confined(const struct netif *nif, const struct ipv6_header *h)
{
	if ((nif->flags & IFF_LOOPBACK) || ip_addr_is_any(&h->src) ||
	    ip_addr_is_loopback(&h->src) || ip_addr_is_loopback(&h->dst) ||
	    ip_addr_is_link_local(&h->dst))
		return DROP_NOT_LOCAL;
	return 0;
}

/* RFC 4861 8.2: back where it came from, and the sender is on that link: it could do without us. */
static void redirect(struct netif *nif, const struct pkt *p, const struct flow *f)
{
	struct route_result back;

	if (f->ifindex != nif->index || route_lookup(&ip_rx_const(p)->src, nif->index, &back) ||
	    back.type != ROUTE_UNICAST || back.gatewayed)
		return;
	redirect_send(nif, p, &f->next_hop);
}

/* RFC 4389 4.1.3: what neighbours say to each other goes no further than the link. */
static int hear(struct pkt *p)
{
	int why;

	ip6_count(IP6_IN_DELIVERS);
	p->data += IPV6_HEADER;
	p->len -= IPV6_HEADER;
	why = ipv6_icmp_check(p);
	return why ? ip_drop(p, why) : ip_deliver(p);
}

static int no_way(struct pkt *p, const struct flow *f, int err)
{
	switch (err) {
	case -EMSGSIZE:
		ip6_count(IP6_IN_TOO_BIG_ERRORS);
		return ip_reject(p, DROP_NEEDS_FRAG, IP_ERR_TOO_BIG, f->mtu);
	case -ENETUNREACH:
		ip6_count(IP6_IN_NO_ROUTES);
		return ip_reject(p, DROP_NO_ROUTE, IP_ERR_NET_UNREACH, 0);
	case -EHOSTUNREACH:
		ip6_count(IP6_IN_NO_ROUTES);
		return ip_reject(p, DROP_NO_ROUTE, IP_ERR_HOST_UNREACH, 0);
	default:
		ip6_count(IP6_IN_DISCARDS);
		return ip_drop(p, DROP_NO_ROUTE);
	}
}

int ipv6_forward(struct netif *nif, struct pkt *p, const struct ipv6_header *h,
		 const struct ipv6_chain *c)
{
	struct flow f = {
		.dst = h->dst,
		.src = h->src,
		.proto = h->next,
		/* what a host has learnt of a path is no router's business */
		.flags = FLOW_HDRINCL | FLOW_ANY_SOURCE | FLOW_PARK | FLOW_DF | FLOW_NO_PMTU,
	};
	struct netif *out;
	int err;

	if (unlikely(proxy_hears(nif, p, h)))
		return hear(p);
	if (!ipv6_is_router(nif) || confined(nif, h)) {
		ip6_count(IP6_IN_ADDR_ERRORS);
		return ip_drop(p, ipv6_is_router(nif) ? DROP_NOT_LOCAL : DROP_NO_FORWARD);
	}
	if (unlikely(c->router_alert) && ip_alert_wanted(ip_rx(p), c->alert))
		return ip_deliver_alert(p, c->alert);
	if (h->hop_limit <= 1) {
		ip6_count(IP6_IN_HDR_ERRORS);
		return ip_reject(p, DROP_TTL, IP_ERR_TTL, 0);
	}
	err = ip_flow_check(&f, p->len, NULL);
	if (err)
		return no_way(p, &f, err);
	out = netif_by_index(f.ifindex);
	if (!out || f.kind != IP_KIND_UNICAST)
		return no_way(p, &f, -EINVAL);
	if (out != nif && ip_addr_is_link_local(&h->src)) {
		ip6_count(IP6_IN_ADDR_ERRORS);
		return ip_reject(p, DROP_NOT_LOCAL, IP_ERR_SCOPE, 0);
	}
	redirect(nif, p, &f);
	p = pkt_writable(p, f.headroom);
	if (!p) {
		ip_drop_count(DROP_NO_MEMORY);
		return IP_TAKEN;
	}
	p->data[7]--;
	p->csum = PKT_CSUM_NONE;
	ip6_count(IP6_OUT_FORW_DATAGRAMS);
	ip_mib_add_poll(&ip6_mib, IP6_OUT_OCTETS, p->len);
	ip_output_link(out, &f, p);
	return IP_TAKEN;
}
