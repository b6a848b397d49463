/* SPDX-License-Identifier: MIT */
/* ndsend.c - neighbour discovery messages on their way out (RFC 4861 4). They stay on the link, and
 * some are sent before there is an address or a route, so they are built whole here and go to the
 * link directly. */
#include "ipv6.h"
#include "mib.h"

#include <weft/net/ether.h>

#define ND_HEADER 8

u32 nd_put_hw(const struct netif *nif, u8 *at, u8 type, const u8 *hw)
{
	u32 n = nif->link->addr_len, len = ALIGN_UP(2 + n, 8);

	if (!n || len > ND_LL_MAX)
		return 0;
	memset(at, 0, len);
	at[0] = type;
	at[1] = len / 8;
	memcpy(at + 2, hw, n);
	return len;
}

u32 nd_put_ll(const struct netif *nif, u8 *at, u8 type)
{
	return nd_put_hw(nif, at, type, nif->mac);
}

/* The ICMPv6 message without its checksum. */
static void put_message(struct pkt *p, const struct nd_message *m)
{
	u8 *h = pkt_put(p, ND_HEADER);

	h[0] = m->type;
	h[1] = 0;
	put_be16(h + 2, 0);
	put_be32(h + 4, m->flags);
	if (m->target)
		memcpy(pkt_put(p, sizeof(*m->target)), m->target, sizeof(*m->target));
	if (m->options_len)
		memcpy(pkt_put(p, m->options_len), m->options, m->options_len);
	if (m->more_len)
		memcpy(pkt_put(p, m->more_len), m->more, m->more_len);
}

static void put_headers(struct pkt *p, const struct ip_addr *src, const struct ip_addr *dst)
{
	u32 len = p->len;
	u16 sum =
		csum_fold(csum_partial(p->data, len, ip_pseudo_sum(src, dst, IPPROTO_ICMPV6, len)));
	u8 *h;

	memcpy(p->data + 2, &sum, sizeof(sum));
	p->trans_off = pkt_headroom(p);
	p->ip_proto = IPPROTO_ICMPV6;
	h = pkt_push(p, IPV6_HEADER);
	put_be32(h, 6u << 28);
	put_be16(h + 4, len);
	h[6] = IPPROTO_ICMPV6;
	h[7] = 255;
	memcpy(h + 8, src, sizeof(*src));
	memcpy(h + 24, dst, sizeof(*dst));
	p->net_off = pkt_headroom(p);
}

static void count(const struct pkt *p, u8 type, bool group)
{
	ipv6_icmp_count_out(type);
	ip6_count(IP6_OUT_REQUESTS);
	ip_mib_add_poll(&ip6_mib, IP6_OUT_OCTETS, p->len);
	if (group) {
		ip6_count(IP6_OUT_MCAST);
		ip_mib_add_poll(&ip6_mib, IP6_OUT_MCAST_OCTETS, p->len);
	}
	if (type == ND_NS)
		nd_count(ND_SOLICITATIONS_SENT);
}

/* Consumes. Under RCU. */
static int to_link(struct netif *nif, const struct nd_message *m, const struct ip_addr *src,
		   struct pkt *p)
{
	const struct link_type *link = nif->link;
	bool group = ip_addr_is_multicast(m->dst);

	count(p, m->type, group);
	/* an answer is no sending of ours: its asker, who may not exist, ranks behind (RFC
	 * 6583 7.1) */
	if (m->type == ND_NA)
		src = NULL;
	if (!m->hw)
		return neigh_output(nif, ETH_P_IPV6, m->dst,
				    group ? IP_KIND_MULTICAST : IP_KIND_UNICAST, src, p);
	p->ethertype = ETH_P_IPV6;
	link->header(nif, pkt_push(p, link->header_len), ETH_P_IPV6, m->hw, NULL);
	p->link_off = pkt_headroom(p);
	return netif_tx(nif, p);
}

int nd_send_message(struct netif *nif, const struct nd_message *m)
{
	u32 len = ND_HEADER + (m->target ? 16 : 0) + m->options_len + m->more_len;
	struct ip_addr src;
	struct pkt *p;
	int err = 0;

	rcu_read_lock();
	if (m->src)
		src = *m->src;
	else
		err = ipv6_source(nif, m->dst, 0, &src);
	if (err)
		goto out;
	p = pkt_alloc(PKT_POOL_CONTROL, max(nif->headroom + IPV6_HEADER, (u32)PKT_HEADROOM), len);
	if (!p) {
		ip_drop_count(DROP_NO_MEMORY);
		err = -ENOBUFS;
		goto out;
	}
	put_message(p, m);
	put_headers(p, &src, m->dst);
	err = to_link(nif, m, &src, p);
out:
	rcu_read_unlock();
	return err;
}
