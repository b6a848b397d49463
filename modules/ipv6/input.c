/* SPDX-License-Identifier: MIT */
/* input.c - a datagram comes in: is its header sound, are its addresses possible, is it for us? The
 * header is parsed once into host order; whoever comes later relies on that. */
#include "ipv6.h"
#include "mib.h"

#include <weft/bytes.h>
#include <weft/random.h>

int ipv6_parse(const u8 *h, u32 avail, struct ipv6_header *out)
{
	u32 first;

	if (avail < IPV6_HEADER)
		return DROP_TRUNCATED;
	first = get_be32(h);
	if (first >> 28 != 6)
		return DROP_BAD_VERSION;
	out->tclass = first >> 20;
	out->flow_label = first & IPV6_LABEL_MASK;
	out->payload_len = get_be16(h + 4);
	out->next = h[6];
	out->hop_limit = h[7];
	/* RFC 2675 3: no length may be a jumbogram's, whose options tell; all there is, is its */
	out->jumbo = !out->payload_len && out->next == IPV6_NH_HOP;
	if (out->jumbo)
		out->payload_len = min(avail - IPV6_HEADER, (u32)IPV6_MAX_LEN);
	if (out->payload_len > avail - IPV6_HEADER)
		return DROP_TRUNCATED;
	memcpy(&out->src, h + 8, 16);
	memcpy(&out->dst, h + 24, 16);
	return 0;
}

/* ---- addresses ---- */

/* A neighbour's claim to an address of ours is to be heard, not dropped (RFC 4862 5.4.4). */
static bool is_neighbour_message(const struct pkt *p, const struct ipv6_header *h)
{
	u8 type = h->payload_len ? p->data[IPV6_HEADER] : 0;

	return h->next == IPPROTO_ICMPV6 && h->hop_limit == 255 && (type == ND_NS || type == ND_NA);
}

/* RFC 4291 2.5, 2.7: addresses that no wire may carry. 0 or a drop reason. */
static int martian(const struct netif *nif, const struct pkt *p, const struct ipv6_header *h)
{
	bool lo = nif->flags & IFF_LOOPBACK;
	bool group = h->dst.b[0] == 0xff;

	/* inside of this host such a one would be the other family's (draft-itojun) */
	if (ip_addr_is_v4(&h->src) || h->src.b[0] == 0xff)
		return DROP_BAD_SOURCE;
	if (ip_addr_is_v4(&h->dst) || ip_addr_is_any(&h->dst))
		return DROP_BAD_DEST;
	/* who has no address yet may only speak to groups */
	if (ip_addr_is_any(&h->src))
		return group ? 0 : DROP_BAD_SOURCE;
	if (!lo && !p->looped) {
		if (ip_addr_is_loopback(&h->src))
			return DROP_BAD_SOURCE;
		if (ip_addr_is_loopback(&h->dst) ||
		    (group && (h->dst.b[1] & 15) <= IPV6_SCOPE_INTERFACE))
			return DROP_BAD_DEST;
		/* land */
		if (route_classify(&h->src) == ROUTE_LOCAL && !is_neighbour_message(p, h))
			return DROP_BAD_SOURCE;
	}
	return 0;
}

enum destination { FOR_US, FOR_GROUP, FOR_OTHERS, FOR_NOBODY };

static bool is_anycast(const struct netif *nif, const struct ip_addr *dst)
{
	const struct ipv6_if *i = ipv6_if(nif);

	return i && anycast_is(i, dst);
}

/* Is an address of this host one for what came in on nif? A link-local one only on its link, and
 * none before it is known to be ours alone (RFC 4862 5.4). */
static enum destination own(const struct netif *nif, const struct ip_addr *dst)
{
	bool lo = nif->flags & IFF_LOOPBACK;
	const struct ifaddr *a = ifaddr_find(ip_addr_is_link_local(dst) && !lo ? nif : NULL, dst);

	/* a local route that is no address's is the user's, or an anycast address's */
	if (!a)
		return ip_addr_is_link_local(dst) && !is_anycast(nif, dst) ? FOR_NOBODY : FOR_US;
	if (a->flags & IFADDR_DADFAILED ||
	    ((a->flags & (IFADDR_TENTATIVE | IFADDR_OPTIMISTIC)) == IFADDR_TENTATIVE))
		return FOR_NOBODY;
	return FOR_US;
}

/* All nodes of the link and of the interface are members everywhere (RFC 4291 2.8), others by
 * choice. */
static bool is_member(const struct netif *nif, const struct ip_addr *group)
{
	static const struct ip_addr interface_nodes = { .b = { 0xff, 1, [15] = 1 } };

	return ip_addr_eq(group, &ipv6_all_nodes) || ip_addr_eq(group, &interface_nodes) ||
	       ip_group_find(nif, group);
}

static enum destination classify(const struct netif *nif, const struct ip_addr *dst)
{
	if (dst->b[0] == 0xff)
		return is_member(nif, dst) ? FOR_GROUP : FOR_NOBODY;
	return route_classify(dst) == ROUTE_LOCAL ? own(nif, dst) : FOR_OTHERS;
}

/* What this host sends to an address of its own comes by lo, and yet belongs to the link of that
 * address, or scopes and services bound to a link would mean nothing (RFC 4007 6). */
static u32 arrived_on(const struct netif *nif, const struct ip_addr *dst)
{
	const struct ifaddr *a = nif->flags & IFF_LOOPBACK ? ifaddr_find(NULL, dst) : NULL;

	return a ? a->nif->index : nif->index;
}

static void fill_rx(const struct netif *nif, struct pkt *p, const struct ipv6_header *h)
{
	struct ip_rx *rx = ip_rx(p);

	rx->src = h->src;
	rx->dst = h->dst;
	rx->ifindex = arrived_on(nif, &h->dst);
	rx->header_len = IPV6_HEADER;
	rx->ttl = h->hop_limit;
	rx->tos = h->tclass;
	rx->proto = h->next;
	rx->sport = 0;
	rx->flow_label = h->flow_label;
	rx->flags = h->dst.b[0] == 0xff ? IP_RX_MULTICAST : 0;
	if (p->pkttype == PKT_BROADCAST || p->pkttype == PKT_MULTICAST)
		rx->flags |= IP_RX_LINK_GROUP;
}

/* ---- streams ---- */

/* What this CPU saw of late that was plain and for us: two addresses, an interface and a transport.
 * While routes stand still, the next datagram with the same is no martian and for us too: what is
 * left to look at is what each header can get wrong on its own. Poll context, so nobody else is
 * here. */
struct stream {
	u64 addrs[4]; /* as they stand in the header */
	u32 route_gen;
	u32 ifindex;	 /* of the interface it came in by */
	struct ip_rx rx; /* ttl, tos and label are each datagram's own */
} __cacheline_aligned;

#define STREAMS 8
static struct stream streams[MAX_CPUS][STREAMS];

static struct stream *stream_of(const u64 *addrs)
{
	u32 low = (addrs[1] ^ addrs[0]) >> 32;

	return &streams[cpu_id()][(low * 0x9e3779b1u) >> 29];
}
_Static_assert(STREAMS == 1 << 3, "three bits choose one");

/* Further headers and ICMPv6 want more than a stream's checks. */
static bool is_stream(u8 next)
{
	switch (next) {
	case IPV6_NH_HOP:
	case IPV6_NH_ROUTING:
	case IPV6_NH_FRAGMENT:
	case IPV6_NH_NONE:
	case IPV6_NH_DEST:
	case IPPROTO_ICMPV6:
		return false;
	default:
		return true;
	}
}

/* routes: route_generation before p was looked at. */
static void stream_learn(const struct netif *nif, const struct pkt *p, u32 routes)
{
	u64 addrs[4];
	struct stream *s;

	memcpy(addrs, p->data + 8, sizeof(addrs));
	s = stream_of(addrs);
	memcpy(s->addrs, addrs, sizeof(addrs));
	s->route_gen = routes;
	s->ifindex = nif->index;
	s->rx = *ip_rx_const(p);
}

/* True: p goes on with its stream, and ip_deliver is next. */
static bool stream_next(const struct netif *nif, struct pkt *p)
{
	u32 generation = smp_load_acquire(&route_generation), payload, word;
	const struct stream *s;
	u64 first, addrs[4], *mib;
	struct ip_rx *rx;

	if (unlikely(p->len < IPV6_HEADER))
		return false;
	memcpy(&first, p->data, sizeof(first));
	memcpy(addrs, p->data + 8, sizeof(addrs));
	s = stream_of(addrs);
	if (((first & 0xf0) ^ 0x60) | (addrs[0] ^ s->addrs[0]) | (addrs[1] ^ s->addrs[1]) |
	    (addrs[2] ^ s->addrs[2]) | (addrs[3] ^ s->addrs[3]) | (nif->index ^ s->ifindex) |
	    (generation ^ s->route_gen) | (u8)(first >> 48 ^ s->rx.proto) | p->pkttype | p->looped)
		return false;
	_Static_assert(PKT_HOST == 0, "pkttype may be tested so");
	payload = ntohs(first >> 32);
	if (unlikely(payload > p->len - IPV6_HEADER))
		return false; /* which wants to be counted */
	word = ntohl((u32)first);
	rx = ip_rx(p);
	*rx = s->rx;
	rx->tos = word >> 20;
	rx->flow_label = word & IPV6_LABEL_MASK;
	rx->ttl = first >> 56;
	p->data += IPV6_HEADER;
	p->len = payload;
	mib = ip_mib_here(&ip6_mib);
	mib[IP6_IN_RECEIVES]++;
	mib[IP6_IN_DELIVERS]++;
	mib[IP6_IN_OCTETS] += IPV6_HEADER + payload;
	mib[IP6_IN_NO_ECT + (rx->tos & 3)]++;
	return true;
}

/* Of a train (train.h) it is the same; the length is all that differs. */
static void count_train(u8 tos, u64 datagrams, u64 octets)
{
	u64 *mib = ip_mib_here(&ip6_mib);

	mib[IP6_IN_RECEIVES] += datagrams;
	mib[IP6_IN_DELIVERS] += datagrams;
	mib[IP6_IN_OCTETS] += octets;
	mib[IP6_IN_NO_ECT + (tos & 3)] += datagrams;
}

const struct train_header ipv6_train = {
	.len = IPV6_HEADER,
	.length_at = 4,
	.length_from = IPV6_HEADER,
	.count = count_train,
};

/* ---- up ---- */

static int bad_header(struct pkt *p, enum drop_reason why)
{
	ip6_count(why == DROP_TRUNCATED ? IP6_IN_TRUNCATED : IP6_IN_HDR_ERRORS);
	return ip_drop(p, why);
}

static int bad_address(struct pkt *p, enum drop_reason why)
{
	ip6_count(IP6_IN_ADDR_ERRORS);
	return ip_drop(p, why);
}

/* Whole, for us, ip_rx filled, p at the fixed header and c at the transport: its turn. */
static int deliver(struct pkt *p, const struct ipv6_chain *c)
{
	struct ip_rx *rx = ip_rx(p);

	rx->proto = c->next;
	rx->header_len = c->off;
	if (c->off > IPV6_HEADER)
		rx->flags |= IP_RX_OPTIONS;
	/* RFC 4861, RFC 2710: nobody else has a use for what has no sender */
	if (unlikely(ip_addr_is_any(&rx->src) && c->next != IPPROTO_ICMPV6))
		return bad_address(p, DROP_BAD_SOURCE);
	ip6_count(IP6_IN_DELIVERS);
	if (c->next == IPV6_NH_NONE)
		return ip_drop(p, DROP_IGNORED);
	p->data += c->off;
	p->len -= c->off;
	if (c->next == IPPROTO_ICMPV6) {
		int why = ipv6_icmp_check(p);

		if (why)
			return ip_drop(p, why);
	}
	return ip_deliver(p);
}

/* p is at the fixed header, c behind the hop-by-hop options. */
static int accept(struct pkt *p, struct ipv6_header *h, struct ipv6_chain *c)
{
	for (;;) {
		if (ipv6_chain_walk(p, c, false))
			return IP_TAKEN;
		if (likely(c->next != IPV6_NH_FRAGMENT))
			return deliver(p, c);
		p = ipv6_reassemble(p, h, c);
		if (!p)
			return IP_TAKEN;
		/* the whole datagram carries a header made by reassembly; it parses */
		if (ipv6_parse(p->data, p->len, h))
			return ip_drop(p, DROP_FRAG_BAD);
	}
}

/* The hop-by-hop options, which routers look at as well. False: p is gone. */
static bool hop_by_hop(struct pkt *p, const struct ipv6_header *h, struct ipv6_chain *c)
{
	if (ipv6_chain_walk(p, c, true))
		return false;
	if (c->router_alert)
		ip_rx(p)->flags |= IP_RX_ROUTER_ALERT;
	if (!h->jumbo)
		return true;
	/* the jumbo payload option would have been refused as the unknown one that it is; without
	 * it the payload's length is a lie (RFC 2675 3) */
	ip6_count(IP6_IN_HDR_ERRORS);
	ip_reject(p, DROP_BAD_HEADER, IP_ERR_HEADER, 4);
	return false;
}

static void count_group(const struct ipv6_header *h)
{
	ip6_count(IP6_IN_MCAST);
	ip_mib_add_poll(&ip6_mib, IP6_IN_MCAST_OCTETS, IPV6_HEADER + h->payload_len);
}

/* A frame for many with a datagram for one: an attack or a mistake, as RFC 1122 3.3.6 sees it for
 * IPv4. Who turns the sysctl off hears it, as on Linux, but no router passes it on; TCP does not
 * take it, and nobody is told of an error in it. */
static bool may_be_in_group_frame(const struct netif *nif, enum destination d)
{
	return d == FOR_US && !READ_ONCE(ipv6_conf(nif)->drop_unicast_in_l2_multicast);
}

/* All that a datagram may need. */
static __noinline int input_any(struct netif *nif, struct pkt *p)
{
	u32 routes = smp_load_acquire(&route_generation);
	struct ipv6_header h;
	struct ipv6_chain c = { .off = IPV6_HEADER, .next_off = 6 };
	enum destination d;
	int why;

	if (unlikely(p->pkttype == PKT_OTHERHOST))
		return ip_drop(p, DROP_OTHERHOST);
	ip6_count(IP6_IN_RECEIVES);
	if (unlikely(ipv6_conf(nif)->disable_ipv6)) {
		ip6_count(IP6_IN_DISCARDS);
		return ip_drop(p, DROP_IF_DOWN);
	}
	why = ipv6_parse(p->data, p->len, &h);
	if (unlikely(why))
		return bad_header(p, why);
	ip_mib_add_poll(&ip6_mib, IP6_IN_OCTETS, IPV6_HEADER + h.payload_len);
	ip6_count_in_ecn(h.tclass);
	pkt_trim(p, IPV6_HEADER + h.payload_len); /* what follows is the link's padding */
	p->net_off = pkt_headroom(p);
	why = martian(nif, p, &h);
	if (unlikely(why))
		return bad_address(p, why);
	d = classify(nif, &h.dst);
	if (unlikely(d == FOR_NOBODY))
		return bad_address(p, h.dst.b[0] == 0xff ? DROP_NO_GROUP : DROP_NOT_LOCAL);
	if (d == FOR_GROUP)
		count_group(&h);
	else if (unlikely(p->pkttype != PKT_HOST) && !may_be_in_group_frame(nif, d))
		return bad_address(p, DROP_BAD_DEST);
	fill_rx(nif, p, &h);
	c.next = h.next;
	if (unlikely(h.next == IPV6_NH_HOP) && !hop_by_hop(p, &h, &c))
		return IP_TAKEN;
	if (unlikely(d == FOR_OTHERS))
		return ipv6_forward(nif, p, &h, &c);
	if (likely(d == FOR_US && is_stream(h.next) && p->pkttype == PKT_HOST && !p->looped))
		stream_learn(nif, p, routes);
	return accept(p, &h, &c);
}

int ipv6_input(struct netif *nif, struct pkt *p)
{
	if (likely(stream_next(nif, p)))
		return ip_deliver(p);
	return input_any(nif, p);
}
