/* SPDX-License-Identifier: MIT */
/* exthdr.c - extension headers (RFC 8200 4): walked once, in whatever order and number they come,
 * with every length checked against the datagram. Each step takes eight bytes or more, so a chain
 * costs no more than the bytes it is made of. */
#include "ipv6.h"
#include "mib.h"

#include <weft/bytes.h>

#define OPT_PAD1 0
/* What to do with an unknown option, by the highest bits of its type (RFC 8200 4.2). */
#define ACTION(type) ((type) >> 6)
#define ACTION_SKIP 0
#define ACTION_DISCARD 1
#define ACTION_REPORT 2 /* even about a multicast */
/* 3: report unless it was a multicast */

/* RFC 8504 5.3 lets a host set a limit; Linux's defaults. */
int ipv6_max_hop_options = 8;
int ipv6_max_dest_options = 8;

static int refuse(struct pkt *p, enum drop_reason why, enum ip_error_kind kind, u32 pointer)
{
	ip6_count(IP6_IN_HDR_ERRORS);
	ip_reject(p, why, kind, pointer);
	return -EINVAL;
}

static int discard(struct pkt *p, enum drop_reason why)
{
	ip6_count(why == DROP_TRUNCATED ? IP6_IN_TRUNCATED : IP6_IN_HDR_ERRORS);
	ip_drop(p, why);
	return -EINVAL;
}

/* The option at offset off from the fixed header is not known. 0: it is skipped. */
static int unknown_option(struct pkt *p, u32 off)
{
	u8 type = p->data[off];

	switch (ACTION(type)) {
	case ACTION_SKIP:
		return 0;
	case ACTION_DISCARD:
		return discard(p, DROP_BAD_OPTION);
	case ACTION_REPORT:
		break;
	default:
		if (ip_rx(p)->flags & IP_RX_MULTICAST)
			return discard(p, DROP_BAD_OPTION);
	}
	return refuse(p, DROP_BAD_OPTION, IP_ERR_OPTION, off);
}

/* The options of a header whose bytes from off to end are there. 0, or p is gone. */
static int options(struct pkt *p, struct ipv6_chain *c, u32 off, u32 end)
{
	bool hop = c->next == IPV6_NH_HOP;
	int left = hop ? READ_ONCE(ipv6_max_hop_options) : READ_ONCE(ipv6_max_dest_options);

	while (off < end) {
		u8 type = p->data[off];
		u32 len;
		int err;

		if (type == OPT_PAD1) {
			off++;
			continue;
		}
		if (off + 2 > end || p->data[off + 1] > end - off - 2)
			return discard(p, DROP_BAD_OPTION);
		len = p->data[off + 1];
		if (type != IPV6_OPT_PADN && --left < 0)
			return discard(p, DROP_BAD_OPTION);
		if (type == IPV6_OPT_ROUTER_ALERT && hop) {
			if (len != 2)
				return discard(p, DROP_BAD_OPTION);
			c->router_alert = true;
			c->alert = get_be16(p->data + off + 2);
		} else if (type != IPV6_OPT_PADN) {
			err = unknown_option(p, off);
			if (err)
				return err;
		}
		off += 2 + len;
	}
	return 0;
}

/* RFC 8200 4.4, RFC 5095: no type of routing header is acted upon; one that is used up does no
 * harm. */
static int routing(struct pkt *p, const struct ipv6_chain *c)
{
	const u8 *h = p->data + c->off;

	if (h[3] == 0)
		return 0;
	return refuse(p, DROP_SOURCE_ROUTE, IP_ERR_HEADER, c->off + 2);
}

int ipv6_chain_walk(struct pkt *p, struct ipv6_chain *c, bool first)
{
	for (;;) {
		const u8 *h = p->data + c->off;
		u32 size, off = c->off;
		int err;

		switch (c->next) {
		case IPV6_NH_HOP:
			if (!first)
				return refuse(p, DROP_BAD_HEADER, IP_ERR_NEXT_HEADER, c->next_off);
			break;
		case IPV6_NH_DEST:
		case IPV6_NH_ROUTING:
			break;
		default:
			return 0;
		}
		size = off + 8 <= p->len ? (h[1] + 1u) * 8 : 0;
		if (!size || size > p->len - off)
			return discard(p, DROP_TRUNCATED);
		err = c->next == IPV6_NH_ROUTING ? routing(p, c) :
						   options(p, c, off + 2, off + size);
		if (err)
			return err;
		c->next_off = off;
		c->next = h[0];
		c->off = off + size;
		if (first)
			return 0;
	}
}

bool ipv6_chain_whole(const u8 *h, u32 len, u32 off, u8 next)
{
	while (next == IPV6_NH_DEST || next == IPV6_NH_ROUTING || next == IPV6_NH_HOP ||
	       next == IPV6_NH_AH) {
		u32 size;

		if (off + 8 > len)
			return false;
		size = next == IPV6_NH_AH ? (h[off + 1] + 2u) * 4 : (h[off + 1] + 1u) * 8;
		if (size > len - off)
			return false;
		next = h[off];
		off += size;
	}
	switch (next) {
	case IPPROTO_TCP:
		return len - off >= 20;
	case IPPROTO_UDP:
	case IPPROTO_ICMPV6:
	case IPV6_NH_FRAGMENT:
		return len - off >= 8;
	case IPV6_NH_NONE:
		return true;
	default:
		return len > off;
	}
}

int ipv6_quote(const u8 *h, u32 len, struct ip_quote *out)
{
	u32 off = IPV6_HEADER, at = 6, size;
	u8 next;

	if (len < IPV6_HEADER || h[0] >> 4 != 6)
		return -EINVAL;
	memcpy(&out->src, h + 8, 16);
	memcpy(&out->dst, h + 24, 16);
	/* what looks like the other family's is none of ours */
	if (ip_addr_is_v4(&out->src) || ip_addr_is_v4(&out->dst))
		return -EINVAL;
	for (next = h[6];; next = h[at]) {
		switch (next) {
		case IPV6_NH_HOP:
		case IPV6_NH_DEST:
		case IPV6_NH_ROUTING:
		case IPV6_NH_FRAGMENT:
			break;
		default:
			out->proto = next;
			out->proto_off = at;
			out->transport = off;
			return 0;
		}
		if (off + 8 > len)
			return -EINVAL;
		if (next == IPV6_NH_FRAGMENT && get_be16(h + off + 2) & ~7)
			return -EINVAL;
		size = next == IPV6_NH_FRAGMENT ? 8 : (h[off + 1] + 1u) * 8;
		at = off;
		off += size;
		if (off > len)
			return -EINVAL;
	}
}
