/* SPDX-License-Identifier: MIT */
/* input.c - a datagram comes in: is its header sound, are its addresses possible, is it for us? The
 * header is parsed once into host order; whoever comes later relies on that. */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

int ipv4_parse(const u8 *h, u32 avail, struct ipv4_header *out)
{
	u16 frag;

	if (avail < IPV4_HEADER)
		return DROP_TRUNCATED;
	if (h[0] >> 4 != 4)
		return DROP_BAD_VERSION;
	out->header_len = (h[0] & 15) * 4;
	out->total_len = get_be16(h + 2);
	if (out->header_len < IPV4_HEADER || out->total_len < out->header_len)
		return DROP_BAD_HEADER;
	if (out->total_len > avail)
		return DROP_TRUNCATED;
	if (csum_fold(csum_partial(h, out->header_len, 0)) != 0)
		return DROP_BADSUM;
	frag = get_be16(h + 6);
	out->tos = h[1];
	out->id = get_be16(h + 4);
	out->df = frag & IPV4_DF;
	out->mf = frag & IPV4_MF;
	out->frag_off = (frag & IPV4_OFFSET_MASK) * 8;
	out->ttl = h[8];
	out->proto = h[9];
	out->src = get_be32(h + 12);
	out->dst = get_be32(h + 16);
	return 0;
}

/* RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 6890: addresses that no wire may carry. 0 or a drop reason.
 */
static int martian(const struct netif *nif, const struct pkt *p, const struct ipv4_header *h)
{
	bool lo = nif->flags & IFF_LOOPBACK;
	bool limited = h->dst == 0xffffffff;
	struct ip_addr src = ip_addr_v4(h->src);

	if (ipv4_is_multicast(h->src) || ipv4_is_class_e(h->src))
		return DROP_BAD_SOURCE;
	/* a host that has no address yet may only speak to everybody (RFC 1122 3.2.1.3 a) */
	if (ipv4_is_zero_net(h->src) && !(h->src == 0 && (limited || ipv4_is_multicast(h->dst))))
		return DROP_BAD_SOURCE;
	if (!lo && (ipv4_is_loopback(h->src) || ipv4_is_loopback(h->dst)))
		return ipv4_is_loopback(h->src) ? DROP_BAD_SOURCE : DROP_BAD_DEST;
	if (ipv4_is_zero_net(h->dst) || (ipv4_is_class_e(h->dst) && !limited))
		return DROP_BAD_DEST;
	if (!lo && !p->looped && h->src) {
		/* ours (land) or a subnet's broadcast address */
		enum route_type type = route_classify(&src);

		if (type == ROUTE_LOCAL || type == ROUTE_BROADCAST)
			return DROP_BAD_SOURCE;
	}
	return 0;
}

enum destination { FOR_US, FOR_GROUP, FOR_ALL, FOR_OTHERS };

static enum destination classify(const struct netif *nif, u32 dst)
{
	struct ip_addr a = ip_addr_v4(dst);

	if (dst == 0xffffffff)
		return FOR_ALL;
	if (ipv4_is_multicast(dst))
		return FOR_GROUP;
	switch (route_classify(&a)) {
	case ROUTE_LOCAL:
		return FOR_US;
	case ROUTE_BROADCAST:
		return FOR_ALL;
	default:
		return FOR_OTHERS;
	}
}

/* All hosts (224.0.0.1) are members everywhere, others by choice (RFC 1112 7.2). */
static bool is_member(const struct netif *nif, u32 group)
{
	struct ip_addr a = ip_addr_v4(group);

	return group == 0xe0000001 || (nif->flags & IFF_LOOPBACK) || ip_group_find(nif, &a);
}

static void fill_rx(struct netif *nif, struct pkt *p, const struct ipv4_header *h,
		    enum destination d)
{
	struct ip_rx *rx = ip_rx(p);

	rx->src = ip_addr_v4(h->src);
	rx->dst = ip_addr_v4(h->dst);
	rx->ifindex = nif->index;
	rx->header_len = h->header_len;
	rx->ttl = h->ttl;
	rx->tos = h->tos;
	rx->proto = h->proto;
	rx->spare = 0;
	rx->flow_label = 0;
	rx->flags = d == FOR_ALL ? IP_RX_BROADCAST : d == FOR_GROUP ? IP_RX_MULTICAST : 0;
	if (p->pkttype == PKT_BROADCAST || p->pkttype == PKT_MULTICAST)
		rx->flags |= IP_RX_LINK_GROUP;
	if (h->header_len > IPV4_HEADER)
		rx->flags |= IP_RX_OPTIONS;
}

/* Whole, for us: the transport's turn. */
static int deliver(struct netif *nif, struct pkt *p, const struct ipv4_header *h,
		   enum destination d)
{
	fill_rx(nif, p, h, d);
	p->ip_proto = h->proto;
	pkt_pull(p, h->header_len);
	p->trans_off = pkt_headroom(p);
	return ip_deliver(p);
}

static int reassemble(struct netif *nif, struct pkt *p, struct ipv4_header *h, enum destination d)
{
	/* reassembly errors quote the first fragment: its ip_rx must be there by then */
	fill_rx(nif, p, h, d);
	p = ipv4_reassemble(p, h);
	if (!p)
		return IP_TAKEN;
	/* the whole datagram carries a header made by reassembly; it parses */
	if (ipv4_parse(p->data, p->len, h))
		return ip_drop(p, DROP_FRAG_BAD);
	fill_rx(nif, p, h, d);
	ip_rx(p)->flags |= IP_RX_REASSEMBLED;
	p->ip_proto = h->proto;
	pkt_pull(p, h->header_len);
	p->trans_off = pkt_headroom(p);
	return ip_deliver(p);
}

int ipv4_input(struct netif *nif, struct pkt *p)
{
	struct ipv4_header h;
	enum destination d;
	u32 pointer;
	int why;

	if (p->pkttype == PKT_OTHERHOST)
		return ip_drop(p, DROP_OTHERHOST);
	why = ipv4_parse(p->data, p->len, &h);
	if (why)
		return ip_drop(p, why);
	pkt_trim(p, h.total_len); /* what follows is the link's padding */
	p->net_off = pkt_headroom(p);
	why = martian(nif, p, &h);
	if (why)
		return ip_drop(p, why);
	d = classify(nif, h.dst);
	/* RFC 1122 3.3.6: a link-level broadcast of a datagram for one host is an attack or a
	 * mistake */
	if ((d == FOR_US || d == FOR_OTHERS) && p->pkttype != PKT_HOST)
		return ip_drop(p, DROP_BAD_DEST);
	if (d == FOR_GROUP && !is_member(nif, h.dst))
		return ip_drop(p, DROP_NO_GROUP);
	if (unlikely(h.header_len > IPV4_HEADER)) {
		why = ipv4_options_check(p->data, h.header_len, &pointer);
		if (why) {
			fill_rx(nif, p, &h, d);
			return ip_reject(p, why,
					 why == DROP_SOURCE_ROUTE ? IP_ERR_SOURCE_ROUTE :
								    IP_ERR_HEADER,
					 pointer);
		}
	}
	if (d == FOR_OTHERS) {
		fill_rx(nif, p, &h, d);
		return ipv4_forward(nif, p, &h);
	}
	if (unlikely(h.mf || h.frag_off))
		return reassemble(nif, p, &h, d);
	return deliver(nif, p, &h, d);
}
