/* SPDX-License-Identifier: MIT */
/* forward.c - datagrams for other hosts: dropped unless net/ipv4/ip_forward says that this host is
 * a router (RFC 1122 3.3.1), then sent on by RFC 1812 5.2.1 and 5.3.1. */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/net/route.h>

int ipv4_forwarding;

/* Somebody here reads what has a router alert, as a whole. */
static int alert(struct pkt *p, const struct ipv4_header *h)
{
	struct ip_rx rx = *ip_rx(p);
	struct ipv4_header whole;

	if (h->mf || h->frag_off) {
		p = ipv4_reassemble(p, h);
		if (!p)
			return IP_TAKEN;
		if (ipv4_parse(p->data, p->len, &whole))
			return ip_drop(p, DROP_FRAG_BAD);
		rx.header_len = whole.header_len;
		rx.flags |= IP_RX_REASSEMBLED;
		*ip_rx(p) = rx;
	}
	return ip_deliver_alert(p, 0);
}

int ipv4_forward(struct netif *nif, struct pkt *p, const struct ipv4_header *h)
{
	struct flow f = {
		.dst = ip_addr_v4(h->dst),
		.src = ip_addr_v4(h->src),
		.proto = h->proto,
		.flags = FLOW_HDRINCL | FLOW_ANY_SOURCE | FLOW_PARK | (h->df ? FLOW_DF : 0),
	};
	u8 *data;
	int err;

	/* link-local addresses stay on their link (RFC 3927 7) */
	if (!READ_ONCE(ipv4_forwarding))
		ip_count(IP_IN_ADDR_ERRORS);
	if (!READ_ONCE(ipv4_forwarding) || (nif->flags & IFF_LOOPBACK) ||
	    ip_addr_is_link_local(&f.dst) || ip_addr_is_link_local(&f.src))
		return ip_drop(p, READ_ONCE(ipv4_forwarding) ? DROP_NOT_LOCAL : DROP_NO_FORWARD);
	if (unlikely(h->header_len > IPV4_HEADER) && ipv4_options_alert(p->data, h->header_len) &&
	    ip_alert_wanted(ip_rx(p), 0))
		return alert(p, h);
	/* RFC 1812 5.3.1 */
	if (h->ttl <= 1) {
		ip_count(IP_IN_HDR_ERRORS);
		return ip_reject(p, DROP_TTL, IP_ERR_TTL, 0);
	}
	err = ip_flow_check(&f, p->len, NULL);
	switch (err) {
	case 0:
		break;
	case -EMSGSIZE:
		return ip_reject(p, DROP_NEEDS_FRAG, IP_ERR_TOO_BIG, f.mtu);
	case -EHOSTUNREACH:
		return ip_reject(p, DROP_NO_ROUTE, IP_ERR_HOST_UNREACH, 0);
	case -ENETUNREACH:
		return ip_reject(p, DROP_NO_ROUTE, IP_ERR_NET_UNREACH, 0);
	default:
		return ip_drop(p, DROP_NO_ROUTE);
	}
	/* RFC 1812 5.2.7.2 asks for a redirect when it goes back where it came from; hosts distrust
	 * them, so none is sent */
	p = pkt_writable(p, f.headroom);
	if (!p) {
		ip_drop_count(DROP_NO_MEMORY);
		return IP_TAKEN;
	}
	data = p->data;
	data[8]--;
	ipv4_header_finish(data, h->header_len);
	p->csum = PKT_CSUM_NONE;
	ip_count(IP_FORW_DATAGRAMS);
	ip_commit(&f, p);
	return IP_TAKEN;
}
