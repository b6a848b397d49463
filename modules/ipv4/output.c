/* SPDX-License-Identifier: MIT */
/* output.c - the IPv4 header goes in front; what is longer than the path's MTU is cut into
 * fragments (RFC 791 3.2), unless the flow forbids it. */
#include "ipv4.h"

#include <weft/net/stamp.h>

#include <weft/bytes.h>
#include <weft/random.h>
#include <weft/string.h>

/* RFC 6864: only datagrams that may be fragmented need an ID that is not soon repeated between two
 * hosts for one protocol. Counters start at random and are chosen by a keyed hash, so that neither
 * the value nor the traffic to others can be read off. */
#define ID_COUNTERS 1024

static struct siphash_key id_key;
static struct atomic id_counter[ID_COUNTERS];

void ipv4_output_init(void)
{
	random_bytes(&id_key, sizeof(id_key));
	random_bytes(id_counter, sizeof(id_counter));
}

/* The first of n in a row. */
static u16 next_ids(const struct flow *f, u32 n)
{
	u32 key[3] = { f->saddr.w[3], f->dst.w[3], f->proto };

	return atomic_add(&id_counter[siphash(key, sizeof(key), &id_key) % ID_COUNTERS], n) - n + 1;
}

static u16 next_id(const struct flow *f)
{
	return next_ids(f, 1);
}

void ipv4_header_finish(u8 *h, u32 header_len)
{
	u16 sum;

	put_be16(h + 10, 0);
	sum = ipv4_header_sum(h, header_len);
	memcpy(h + 10, &sum, sizeof(sum));
}

static u8 flow_ttl(const struct flow *f)
{
	if (f->ttl || (f->flags & FLOW_HOPS_0))
		return f->ttl;
	return f->kind == IP_KIND_MULTICAST ? 1 : ipv4_default_ttl;
}

static inline void put_word(u8 *at, u32 w)
{
	memcpy(at, &w, sizeof(w));
}

/* The words of a header as they lie in memory; second: ID and fragment. */
static inline void put_header(u8 *h, const struct flow *f, u32 header_len, u32 len, u32 second)
{
	u32 first = 4 << 4 | header_len / 4 | f->tos << 8 | (u32)htons(len) << 16;
	u32 third = flow_ttl(f) | f->proto << 8, src = f->saddr.w[3], dst = f->dst.w[3];

	third |= (u32)ipv4_words_sum((u64)first + second + third + src + dst) << 16;
	put_word(h, first);
	put_word(h + 4, second);
	put_word(h + 8, third);
	put_word(h + 12, src);
	put_word(h + 16, dst);
}

static void build_header(const struct flow *f, struct pkt *p)
{
	u32 header_len = IPV4_HEADER + f->opt_len;
	u8 *h = pkt_push(p, header_len);
	/* what will be cut into segments is no candidate for fragments */
	bool df = f->flags & FLOW_DF || (f->flags & FLOW_PMTU && (p->len <= f->mtu || p->gso_size));
	u32 packets = p->gso_size ? p->len / p->gso_size + 1 : 1;

	put_header(h, f, header_len, p->len,
		   df ? htons(IPV4_DF) << 16 : htons(next_ids(f, packets)));
	if (unlikely(f->opt_len)) {
		memcpy(h + IPV4_HEADER, f->opts, f->opt_len);
		ipv4_header_finish(h, header_len);
	}
}

/* raw(7): the caller's header, of which length and checksum are ours, and source and ID when
 * zero. */
static int complete_header(const struct flow *f, struct pkt *p)
{
	u8 *h = p->data;
	u32 header_len;

	if (p->len < IPV4_HEADER)
		return -EINVAL;
	header_len = (h[0] & 15) * 4;
	if (header_len < IPV4_HEADER || header_len > p->len || p->len > IPV4_MAX_LEN)
		return -EINVAL;
	put_be16(h + 2, p->len);
	if (!get_be32(h + 12))
		memcpy(h + 12, &f->saddr.w[3], 4);
	if (!get_be16(h + 4) && !get_be16(h + 6)) /* never of a fragment */
		put_be16(h + 4, next_id(f));
	ipv4_header_finish(h, header_len);
	return 0;
}

/* One fragment: header with the given options, len bytes of the payload from off. NULL:
 * no buffer. */
static struct pkt *make_fragment(const struct pkt *p, const struct flow *f, const u8 *header,
				 u32 header_len, const u8 *payload, u32 off, u32 len, bool more)
{
	u16 first = get_be16(p->data + 6);
	struct pkt *q = pkt_alloc(p->pool, f->headroom, header_len + len);
	u8 *h;

	if (!q)
		return NULL;
	h = pkt_put(q, header_len + len);
	memcpy(h, header, header_len);
	memcpy(h + header_len, payload + off, len);
	h[0] = 4 << 4 | header_len / 4;
	put_be16(h + 2, q->len);
	/* a datagram that is itself a fragment (raw socket, forwarding) goes on from its own offset
	 */
	put_be16(h + 6, ((first & IPV4_OFFSET_MASK) + off / 8) |
				(more || (first & IPV4_MF) ? IPV4_MF : 0));
	ipv4_header_finish(h, header_len);
	q->net_off = pkt_headroom(q);
	if (!off)
		stamp_pass(p, q);
	return q;
}

static int fragment(struct netif *nif, struct flow *f, struct pkt *p)
{
	u32 full_len = (p->data[0] & 15) * 4, header_len = full_len;
	const u8 *payload = p->data + full_len;
	u32 left = p->len - full_len, off = 0;
	u8 header[IPV4_HEADER_MAX];
	int err = 0;

	if (get_be16(p->data + 6) & IPV4_DF || f->mtu < full_len + 8) {
		ip_count(IP_FRAG_FAILS);
		ip_drop(p, DROP_NEEDS_FRAG);
		return -EMSGSIZE;
	}
	/* it cannot be left to the device when the datagram is cut */
	if (p->csum == PKT_CSUM_FILL)
		netif_fill_checksum(p);
	memcpy(header, p->data, full_len);
	while (left) {
		u32 room = (f->mtu - header_len) & ~7u;
		u32 len = min(left, room);
		struct pkt *q =
			make_fragment(p, f, header, header_len, payload, off, len, len < left);

		if (!q) {
			ip_drop_count(DROP_NO_MEMORY);
			ip_count(IP_OUT_DISCARDS);
			err = -ENOBUFS;
			break; /* the rest would be useless without this one */
		}
		ip_count(IP_FRAG_CREATES);
		err = ip_output_link(nif, f, q);
		if (err)
			break;
		if (!off) {
			/* later fragments carry only the options that are marked for it */
			header_len = IPV4_HEADER + ipv4_options_copied(p->data + IPV4_HEADER,
								       full_len - IPV4_HEADER,
								       header + IPV4_HEADER);
		}
		off += len;
		left -= len;
	}
	ip_count(err ? IP_FRAG_FAILS : IP_FRAG_OKS);
	pkt_free(p);
	return err;
}

static void count_group(const struct flow *f, u32 len)
{
	if (f->kind == IP_KIND_MULTICAST) {
		ipext_count(IPEXT_OUT_MCAST);
		ip_mib_add_poll(&ipext_mib, IPEXT_OUT_MCAST_OCTETS, len);
	} else if (f->kind == IP_KIND_BROADCAST) {
		ipext_count(IPEXT_OUT_BCAST);
		ip_mib_add_poll(&ipext_mib, IPEXT_OUT_BCAST_OCTETS, len);
	}
}

int ipv4_output(struct netif *nif, struct flow *f, struct pkt *p)
{
	if (f->flags & FLOW_HDRINCL) {
		int err = complete_header(f, p);

		if (err) {
			ip_drop(p, DROP_BAD_HEADER);
			return err;
		}
	} else {
		if (p->len + IPV4_HEADER + f->opt_len > IPV4_MAX_LEN) {
			ip_drop(p, DROP_TOO_LONG);
			return -EMSGSIZE;
		}
		build_header(f, p);
	}
	p->net_off = pkt_headroom(p);
	ip_count(IP_OUT_REQUESTS);
	ip_mib_add_poll(&ipext_mib, IPEXT_OUT_OCTETS, p->len);
	if (unlikely(f->kind != IP_KIND_UNICAST))
		count_group(f, p->len);
	/* RFC 1112 6.1 */
	if (unlikely(f->flags & FLOW_HOPS_0) && f->kind == IP_KIND_MULTICAST &&
	    !(nif->flags & IFF_LOOPBACK))
		return ip_output_here(nif, f, p);
	if (unlikely(p->len > f->mtu) && !p->gso_size)
		return fragment(nif, f, p);
	return ip_output_link(nif, f, p);
}

/* Without options, and nobody on the way cuts it: then it needs no ID. */
static inline bool is_plain(const struct flow *f, const struct pkt *p, u32 len)
{
	/* with options it is another, with FLOW_HDRINCL none */
	if (unlikely(f->net_header != IPV4_HEADER || f->flags & FLOW_HOPS_0))
		return false;
	if (unlikely(len > f->mtu && !p->gso_size) || unlikely(len > IPV4_MAX_LEN))
		return false;
	return f->flags & (FLOW_DF | FLOW_PMTU);
}

bool ipv4_prepend(const struct netif *nif, struct flow *f, struct pkt *p)
{
	u32 len = p->len + IPV4_HEADER, first, third, sum;
	u8 *h;

	if (unlikely(!is_plain(f, p, len)))
		return false;
	h = pkt_push_asked(p, IPV4_HEADER);
	first = 4 << 4 | IPV4_HEADER / 4 | f->tos << 8;
	third = (f->ttl ? f->ttl : ipv4_default_ttl) | f->proto << 8;
	sum = first + htons(len) + htons(IPV4_DF) + third + f->addr_sum;
	put_word(h, first | (u32)htons(len) << 16);
	put_word(h + 4, htons(IPV4_DF) << 16);
	put_word(h + 8, third | (u32)csum_fold(sum) << 16);
	put_word(h + 12, f->saddr.w[3]);
	put_word(h + 16, f->dst.w[3]);
	ip_count(IP_OUT_REQUESTS);
	ip_mib_add_poll(&ipext_mib, IPEXT_OUT_OCTETS, len);
	return true;
}
