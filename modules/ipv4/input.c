/* SPDX-License-Identifier: MIT */
/* input.c - a datagram comes in: is its header sound, are its addresses possible, is it for us? The
 * header is parsed once into host order; whoever comes later relies on that. */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

static const u8 ecn_fields[] = { 0, IPEXT_IN_ECT1, IPEXT_IN_ECT0, IPEXT_IN_CE };

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
	if (ipv4_header_sum(h, out->header_len))
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

/* ---- addresses ---- */

/* What the route table says of an address, kept for as long as routes stand still: address,
 * generation and answer in one word, so that no reader sees half of an entry. */
#define KNOWN_SLOTS 256
#define KNOWN_TYPE 3ull

static u64 known[KNOWN_SLOTS];

static enum route_type whose(u32 addr)
{
	u32 generation = smp_load_acquire(&route_generation);
	u64 *slot = &known[addr * 0x9e3779b1u >> 24];
	u64 key = (u64)addr << 32 | (u32)(generation << 2), v = READ_ONCE(*slot);
	enum route_type type;
	struct ip_addr a;

	if (likely((v & ~KNOWN_TYPE) == key))
		return v & KNOWN_TYPE;
	a = ip_addr_v4(addr);
	type = route_classify(&a);
	_Static_assert(ROUTE_UNICAST <= KNOWN_TYPE && ROUTE_LOCAL <= KNOWN_TYPE &&
			       ROUTE_BROADCAST <= KNOWN_TYPE,
		       "the answers fit");
	WRITE_ONCE(*slot, key | type);
	return type;
}

/* RFC 1122 3.2.1.3, RFC 1812 5.3.7, RFC 6890: addresses that no wire may carry. 0 or a drop reason.
 */
static int martian(const struct netif *nif, const struct pkt *p, const struct ipv4_header *h)
{
	bool lo = nif->flags & IFF_LOOPBACK;
	bool limited = h->dst == 0xffffffff;

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
		enum route_type type = whose(h->src);

		if (type == ROUTE_LOCAL || type == ROUTE_BROADCAST)
			return DROP_BAD_SOURCE;
	}
	return 0;
}

enum destination { FOR_US, FOR_GROUP, FOR_ALL, FOR_OTHERS };

static enum destination classify(u32 dst)
{
	if (dst == 0xffffffff)
		return FOR_ALL;
	if (ipv4_is_multicast(dst))
		return FOR_GROUP;
	switch (whose(dst)) {
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
	rx->sport = 0;
	rx->flow_label = 0;
	rx->flags = d == FOR_ALL ? IP_RX_BROADCAST : d == FOR_GROUP ? IP_RX_MULTICAST : 0;
	if (p->pkttype == PKT_BROADCAST || p->pkttype == PKT_MULTICAST)
		rx->flags |= IP_RX_LINK_GROUP;
	if (h->header_len > IPV4_HEADER)
		rx->flags |= IP_RX_OPTIONS;
}

/* ---- streams ---- */

/* The addresses and the interface of this CPU's last datagram that was plain and for us. While
 * routes stand still, the next one with the same is no martian and for us too: what is left to look
 * at is what each header can get wrong on its own. Poll context, so nobody else is here. */
struct stream {
	u64 addrs; /* as they stand in the header */
	u32 route_gen;
	struct ip_rx rx; /* ttl, tos and proto are each datagram's own */
} __cacheline_aligned;

static struct stream streams[MAX_CPUS];

/* The header's first word as it lies in memory: version 4 and five words (bits 0-7), then service
 * (ECN, which is counted, in bits 8-9), total length, ID; MF and the fragment's offset in bits
 * 48-63. */
#define PLAIN_MASK ((u64)htons(IPV4_MF | IPV4_OFFSET_MASK) << 48 | 0x3ff)
#define PLAIN 0x45ull

/* routes: route_generation before p was looked at. */
static void stream_learn(const struct pkt *p, u32 routes)
{
	struct stream *s = &streams[cpu_id()];

	memcpy(&s->addrs, p->data + 12, sizeof(s->addrs));
	s->route_gen = routes;
	s->rx = *ip_rx_const(p);
}

/* RFC 1071 over a header of five words whose last two are given. */
static bool header_sum_good(u64 first, u32 third, u64 addrs)
{
	u64 sum;
	bool carry = __builtin_add_overflow(first, addrs, &sum);
	u32 half;

	/* what is carried out of this leaves a small sum, which takes it */
	carry = __builtin_add_overflow(sum, (u64)third + carry, &sum);
	sum += carry;
	/* the upper half of a number and its halves exchanged is its folded sum */
	half = (sum + (sum << 32 | sum >> 32)) >> 32;
	return (half + (half << 16 | half >> 16)) >> 16 == 0xffff;
}

/* True: p goes on with its stream, and ip_deliver is next. */
static bool stream_next(const struct netif *nif, struct pkt *p)
{
	const struct stream *s = &streams[cpu_id()];
	u32 generation = smp_load_acquire(&route_generation), third, total;
	struct ip_rx *rx = ip_rx(p);
	u64 first, addrs, *mib;

	if (unlikely(p->len < IPV4_HEADER))
		return false;
	memcpy(&first, p->data, sizeof(first));
	memcpy(&third, p->data + 8, sizeof(third));
	memcpy(&addrs, p->data + 12, sizeof(addrs));
	if (((first & PLAIN_MASK) ^ PLAIN) | (addrs ^ s->addrs) | (nif->index ^ s->rx.ifindex) |
	    (generation ^ s->route_gen) | p->pkttype | p->looped)
		return false;
	_Static_assert(PKT_HOST == 0, "pkttype may be tested so");
	total = ntohs(first >> 16);
	if (unlikely(total < IPV4_HEADER || total > p->len ||
		     !header_sum_good(first, third, addrs)))
		return false;
	*rx = s->rx;
	rx->tos = first >> 8;
	rx->ttl = third;
	rx->proto = third >> 8;
	p->data += IPV4_HEADER;
	p->len = total - IPV4_HEADER;
	mib = ip_mib_here(&ip_mib);
	mib[IP_IN_RECEIVES]++;
	mib[IP_IN_DELIVERS]++;
	ip_mib_add_poll(&ipext_mib, IPEXT_IN_OCTETS, total);
	return true;
}

/* Of a train (train.h) it is the same; ID and lengths are all that differs. */
static void count_train(u8 tos, u64 datagrams, u64 octets)
{
	u64 *mib = ip_mib_here(&ip_mib), *ext = ip_mib_here(&ipext_mib);

	mib[IP_IN_RECEIVES] += datagrams;
	mib[IP_IN_DELIVERS] += datagrams;
	ext[IPEXT_IN_OCTETS] += octets;
	if (unlikely(tos & 3))
		ext[ecn_fields[tos & 3]] += datagrams;
}

const struct train_header ipv4_train = {
	.len = IPV4_HEADER,
	.length_at = 2,
	.id_at = 4,
	.sum_at = 10,
	.count = count_train,
};

/* ---- up ---- */

/* Whole, for us, ip_rx filled: the transport's turn. */
static int deliver(struct pkt *p, const struct ipv4_header *h)
{
	ip_count(IP_IN_DELIVERS);
	p->data += h->header_len;
	p->len -= h->header_len;
	return ip_deliver(p);
}

static int reassemble(struct netif *nif, struct pkt *p, struct ipv4_header *h, enum destination d)
{
	/* its errors quote the first fragment: ip_rx is filled */
	p = ipv4_reassemble(p, h);
	if (!p)
		return IP_TAKEN;
	/* the whole datagram carries a header made by reassembly; it parses */
	if (ipv4_parse(p->data, p->len, h))
		return ip_drop(p, DROP_FRAG_BAD);
	fill_rx(nif, p, h, d);
	ip_rx(p)->flags |= IP_RX_REASSEMBLED;
	return deliver(p, h);
}

static int bad_header(struct pkt *p, enum drop_reason why)
{
	ip_count(IP_IN_HDR_ERRORS);
	if (why == DROP_BADSUM)
		ipext_count(IPEXT_IN_CSUM_ERRORS);
	else if (why == DROP_TRUNCATED)
		ipext_count(IPEXT_IN_TRUNCATED);
	return ip_drop(p, why);
}

static int bad_address(struct pkt *p, enum drop_reason why)
{
	ip_count(IP_IN_ADDR_ERRORS);
	return ip_drop(p, why);
}

static void count_group(const struct ipv4_header *h, enum destination d)
{
	bool group = d == FOR_GROUP;

	ipext_count(group ? IPEXT_IN_MCAST : IPEXT_IN_BCAST);
	ip_mib_add_poll(&ipext_mib, group ? IPEXT_IN_MCAST_OCTETS : IPEXT_IN_BCAST_OCTETS,
			h->total_len);
}

static void count_in(const struct ipv4_header *h)
{
	ip_mib_add_poll(&ipext_mib, IPEXT_IN_OCTETS, h->total_len);
	if (unlikely(h->tos & 3))
		ipext_count(ecn_fields[h->tos & 3]);
}

/* RFC 791 3.1: what is wrong with the options goes back to the sender. Consumes. */
static int options_refused(struct pkt *p, enum drop_reason why, u32 pointer)
{
	ip_count(IP_IN_HDR_ERRORS);
	return ip_reject(p, why, why == DROP_SOURCE_ROUTE ? IP_ERR_SOURCE_ROUTE : IP_ERR_HEADER,
			 pointer);
}

/* All that a datagram may need. */
static __noinline int input_any(struct netif *nif, struct pkt *p)
{
	struct ipv4_header h;
	enum destination d;
	u32 pointer, routes = smp_load_acquire(&route_generation);
	int why;

	if (unlikely(p->pkttype == PKT_OTHERHOST))
		return ip_drop(p, DROP_OTHERHOST);
	ip_count(IP_IN_RECEIVES);
	why = ipv4_parse(p->data, p->len, &h);
	if (unlikely(why))
		return bad_header(p, why);
	count_in(&h);
	pkt_trim(p, h.total_len); /* what follows is the link's padding */
	p->net_off = pkt_headroom(p);
	why = martian(nif, p, &h);
	if (unlikely(why))
		return bad_address(p, why);
	d = classify(h.dst);
	if (unlikely(d != FOR_US)) {
		/* RFC 1122 3.3.6: a link-level broadcast of a datagram for one host is an attack
		 * or a mistake. Who turns the sysctl off hears it, as on Linux, but no router
		 * passes it on; TCP does not take it, and nobody is told of an error in it. */
		if (d == FOR_OTHERS && p->pkttype != PKT_HOST)
			return bad_address(p, DROP_BAD_DEST);
		if (d == FOR_GROUP && !is_member(nif, h.dst))
			return bad_address(p, DROP_NO_GROUP);
		if (d != FOR_OTHERS)
			count_group(&h, d);
	} else if (unlikely(p->pkttype != PKT_HOST) &&
		   READ_ONCE(ipv4_drop_unicast_in_l2_multicast)) {
		return bad_address(p, DROP_BAD_DEST);
	}
	fill_rx(nif, p, &h, d);
	if (unlikely(h.header_len > IPV4_HEADER)) {
		why = ipv4_options_check(p->data, h.header_len, &pointer);
		if (why)
			return options_refused(p, why, pointer);
	}
	if (unlikely(d == FOR_OTHERS))
		return ipv4_forward(nif, p, &h);
	if (unlikely(h.mf || h.frag_off))
		return reassemble(nif, p, &h, d);
	if (likely(d == FOR_US && h.header_len == IPV4_HEADER && p->pkttype == PKT_HOST &&
		   !p->looped))
		stream_learn(p, routes);
	return deliver(p, &h);
}

int ipv4_input(struct netif *nif, struct pkt *p)
{
	if (likely(stream_next(nif, p)))
		return ip_deliver(p);
	return input_any(nif, p);
}
