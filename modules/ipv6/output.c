/* SPDX-License-Identifier: MIT */
/* output.c - the IPv6 header goes in front; what is longer than the path's MTU is cut into
 * fragments by the source, and by nobody else (RFC 8200 4.5). */
#include "ipv6.h"

#include <weft/net/stamp.h>
#include "mib.h"

#include <weft/bytes.h>
#include <weft/random.h>

#define FRAGMENT_HEADER 8
#define FRAGMENT_MORE 1
#define ROUTER_ALERT_MLD 0 /* RFC 2711 2.1, and the least surprising for all else */

int ipv6_auto_flowlabels = 1;

/* ---- identification ---- */

/* RFC 7739 5.3: a counter for each hash of the two ends, so that neither the value nor the traffic
 * to others can be read off it, and one pair does not repeat itself soon. */
#define ID_COUNTERS 1024

static struct siphash_key id_key;
static struct atomic id_counter[ID_COUNTERS];
static u64 label_key[4];

void ipv6_output_init(void)
{
	random_bytes(&id_key, sizeof(id_key));
	random_bytes(id_counter, sizeof(id_counter));
	random_bytes(label_key, sizeof(label_key));
}

static u32 next_id(const u8 *h)
{
	/* source and destination as they stand in the header */
	return atomic_inc(&id_counter[siphash(h + 8, 32, &id_key) % ID_COUNTERS]);
}

/* ---- the header ---- */

static u64 mix(u64 a, u64 b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (u64)m ^ (u64)(m >> 64);
}

/* RFC 6437 3: one value for each flow, spread evenly, not to be guessed from another's. */
static u32 make_label(const struct flow *f)
{
	u64 ports = (u64)f->sport << 32 | (u64)f->dport << 16 | f->proto, m;

	m = mix(f->saddr.d[0] ^ label_key[0], f->saddr.d[1] ^ label_key[1]) ^
	    mix(f->dst.d[0] ^ label_key[2], f->dst.d[1] ^ label_key[3]);
	m = mix(m ^ label_key[1], ports ^ label_key[2]);
	return m & IPV6_LABEL_MASK;
}

static __noinline u32 new_label(struct flow *f, u32 ports)
{
	f->auto_label_ports = ports;
	return f->auto_label = make_label(f);
}

static inline u32 flow_label(struct flow *f)
{
	u32 ports = (u32)f->sport << 16 | f->dport;

	if (f->flow_label || (f->flags & FLOW_NO_LABEL) || !READ_ONCE(ipv6_auto_flowlabels))
		return f->flow_label & IPV6_LABEL_MASK;
	if (likely(f->auto_label && f->auto_label_ports == ports))
		return f->auto_label;
	return new_label(f, ports);
}

static inline u8 flow_hop_limit(const struct netif *nif, const struct flow *f)
{
	if (f->ttl || (f->flags & FLOW_HOPS_0))
		return f->ttl;
	/* RFC 3493 5.2 */
	return f->kind == IP_KIND_MULTICAST ? 1 : ipv6_hop_limit(nif);
}

/* The flow's extension headers, each with its own type where the next one's will be, go in front of
 * the transport header of type *next, which becomes the first one's type. */
static int push_options(const struct flow *f, struct pkt *p, u8 *next)
{
	u32 off = 0, size;
	u8 *h;

	for (; off < f->opt_len; off += size) {
		size = off + 8 <= f->opt_len ? (f->opts[off + 1] + 1u) * 8 : 0;
		if (!size || size > f->opt_len - off)
			return -EINVAL;
	}
	h = pkt_push(p, f->opt_len);
	memcpy(h, f->opts, f->opt_len);
	for (off = 0; off < f->opt_len; off += size) {
		size = (h[off + 1] + 1u) * 8;
		h[off] = off + size < f->opt_len ? f->opts[off + size] : *next;
	}
	*next = f->opts[0];
	return 0;
}

static void push_router_alert(struct pkt *p, u8 *next)
{
	u8 *h = pkt_push(p, IPV6_ROUTER_ALERT_LEN);

	h[0] = *next;
	h[1] = 0;
	h[2] = IPV6_OPT_ROUTER_ALERT;
	h[3] = 2;
	put_be16(h + 4, ROUTER_ALERT_MLD);
	h[6] = IPV6_OPT_PADN;
	h[7] = 0;
	*next = IPV6_NH_HOP;
}

/* next: the type of what follows. */
static inline void fill_header(u8 *h, const struct netif *nif, struct flow *f, u32 payload, u8 next)
{
	put_be32(h, 6u << 28 | (u32)f->tos << 20 | flow_label(f));
	put_be16(h + 4, payload);
	h[6] = next;
	h[7] = flow_hop_limit(nif, f);
	memcpy(h + 8, &f->saddr, 16);
	memcpy(h + 24, &f->dst, 16);
}

static int build_header(const struct netif *nif, struct flow *f, struct pkt *p)
{
	u32 payload;
	u8 next = f->proto;

	if (unlikely(f->opt_len)) {
		int err = push_options(f, p, &next);

		if (err)
			return err;
	}
	if (unlikely(f->flags & FLOW_ROUTER_ALERT))
		push_router_alert(p, &next);
	if (unlikely(p->len > IPV6_MAX_LEN))
		return -EMSGSIZE;
	payload = p->len;
	fill_header(pkt_push(p, IPV6_HEADER), nif, f, payload, next);
	return 0;
}

/* ---- fragments ---- */

/* RFC 8200 4.5: what routers on the way look at stands in each fragment: all up to the routing
 * header, or the hop-by-hop options. Its length; *named: where the type of what follows stands. */
static u32 unfragmentable(const u8 *h, u32 len, u32 *named)
{
	u32 off = IPV6_HEADER, end = IPV6_HEADER;
	u8 next = h[6];

	*named = 6;
	while (off + 8 <= len &&
	       (next == IPV6_NH_HOP || next == IPV6_NH_DEST || next == IPV6_NH_ROUTING)) {
		u8 type = next;
		u32 at = off;

		next = h[off];
		off += (h[off + 1] + 1u) * 8;
		if (off > len)
			break;
		/* destination options belong here only in front of a routing header */
		if (type != IPV6_NH_DEST) {
			end = off;
			*named = at;
		}
	}
	return end;
}

/* The piece of p's payload (behind `head` bytes) from off on. NULL: no buffer. */
static struct pkt *make_fragment(const struct pkt *p, const struct flow *f, u32 head, u32 named,
				 u32 id, u32 off, u32 len)
{
	struct pkt *q = pkt_alloc(p->pool, f->headroom, head + FRAGMENT_HEADER + len);
	bool more = head + off + len < p->len;
	u8 *h, *frag;

	if (!q)
		return NULL;
	h = pkt_put(q, head + FRAGMENT_HEADER + len);
	frag = h + head;
	memcpy(h, p->data, head);
	memcpy(frag + FRAGMENT_HEADER, p->data + head + off, len);
	frag[0] = h[named];
	frag[1] = 0;
	put_be16(frag + 2, off | (more ? FRAGMENT_MORE : 0));
	put_be32(frag + 4, id);
	h[named] = IPV6_NH_FRAGMENT;
	put_be16(h + 4, q->len - IPV6_HEADER);
	q->net_off = pkt_headroom(q);
	if (!off)
		stamp_pass(p, q);
	return q;
}

static int fragment(struct netif *nif, struct flow *f, struct pkt *p)
{
	u32 named, head = unfragmentable(p->data, p->len, &named), left, off = 0, room, id;
	int err = 0;

	if (f->flags & (FLOW_HDRINCL | FLOW_DF) || f->mtu < head + FRAGMENT_HEADER + 8) {
		ip6_count(IP6_FRAG_FAILS);
		ip_drop(p, DROP_NEEDS_FRAG);
		return -EMSGSIZE;
	}
	/* it cannot be left to the device when the datagram is cut */
	if (p->csum == PKT_CSUM_FILL)
		netif_fill_checksum(p);
	room = (f->mtu - head - FRAGMENT_HEADER) & ~7u;
	left = p->len - head;
	id = next_id(p->data);
	while (left) {
		u32 len = min(left, room);
		struct pkt *q = make_fragment(p, f, head, named, id, off, len);

		if (!q) {
			ip_drop_count(DROP_NO_MEMORY);
			ip6_count(IP6_OUT_DISCARDS);
			err = -ENOBUFS;
			break; /* the rest would be useless without this one */
		}
		ip6_count(IP6_FRAG_CREATES);
		err = ip_output_link(nif, f, q);
		if (err)
			break;
		off += len;
		left -= len;
	}
	ip6_count(err ? IP6_FRAG_FAILS : IP6_FRAG_OKS);
	pkt_free(p);
	return err;
}

/* ---- down ---- */

static int refuse(struct pkt *p, int err)
{
	ip6_count(IP6_OUT_DISCARDS);
	ip_drop(p, err == -EMSGSIZE ? DROP_TOO_LONG : DROP_BAD_HEADER);
	return err;
}

/* RFC 4291 2.7: what may not be on a wire; and what its sender wants to keep off it. */
static bool stays_here(const struct netif *nif, const struct flow *f)
{
	if (nif->flags & IFF_LOOPBACK)
		return false;
	return f->kind == IP_KIND_MULTICAST &&
	       ((f->dst.b[1] & 15) <= IPV6_SCOPE_INTERFACE || (f->flags & FLOW_HOPS_0));
}

static void count_group(u32 len)
{
	ip6_count(IP6_OUT_MCAST);
	ip_mib_add_poll(&ip6_mib, IP6_OUT_MCAST_OCTETS, len);
}

int ipv6_output(struct netif *nif, struct flow *f, struct pkt *p)
{
	int err;

	if (unlikely(ip_addr_is_loopback(&f->saddr) && !(nif->flags & IFF_LOOPBACK)))
		return refuse(p, -EADDRNOTAVAIL);
	if (unlikely(f->flags & FLOW_HDRINCL)) {
		if (p->len < IPV6_HEADER)
			return refuse(p, -EINVAL);
	} else {
		if (f->proto == IPPROTO_ICMPV6 && p->len)
			ipv6_icmp_count_out(p->data[0]);
		err = build_header(nif, f, p);
		if (unlikely(err))
			return refuse(p, err);
	}
	p->net_off = pkt_headroom(p);
	ip6_count(IP6_OUT_REQUESTS);
	ip_mib_add_poll(&ip6_mib, IP6_OUT_OCTETS, p->len);
	if (unlikely(f->kind != IP_KIND_UNICAST)) {
		if (f->kind == IP_KIND_MULTICAST)
			count_group(p->len);
		if (stays_here(nif, f))
			return ip_output_here(nif, f, p);
	}
	if (unlikely(p->len > f->mtu) && !p->gso_size)
		return fragment(nif, f, p);
	return ip_output_link(nif, f, p);
}

/* Without extension headers and ICMP's own counters, from an address that a wire may carry (all
 * that begin with so many zeros are looked at closer), and not cut. */
static inline bool is_plain(const struct flow *f, const struct pkt *p)
{
	return !f->opt_len && !(f->flags & (FLOW_HDRINCL | FLOW_ROUTER_ALERT)) &&
	       f->proto != IPPROTO_ICMPV6 && f->saddr.d[0] && p->len <= IPV6_MAX_LEN &&
	       (likely(p->len + IPV6_HEADER <= f->mtu) || p->gso_size);
}

bool ipv6_prepend(const struct netif *nif, struct flow *f, struct pkt *p)
{
	u32 payload = p->len;
	u64 *mib;

	if (unlikely(!is_plain(f, p)))
		return false;
	fill_header(pkt_push_asked(p, IPV6_HEADER), nif, f, payload, f->proto);
	mib = ip_mib_here(&ip6_mib);
	mib[IP6_OUT_REQUESTS]++;
	mib[IP6_OUT_OCTETS] += payload + IPV6_HEADER;
	return true;
}
