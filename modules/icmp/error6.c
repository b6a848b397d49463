/* SPDX-License-Identifier: MIT */
/* error6.c - ICMPv6 errors (RFC 4443). Outgoing: section 2.4 says about what there is silence, 2.2
 * who speaks, and what goes out is limited. Incoming: only what quotes a packet of ours goes on to
 * the transport, which knows whether it was really sent. Headers of IPv6 are read by its module. */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

#define ERROR_MAX 1280 /* the whole datagram: 2.4 c */
#define MIN_MTU 1280   /* RFC 8200 5 */

static const struct {
	u8 type, code;
} wire[] = {
	[IP_ERR_NET_UNREACH] = { ICMP6_UNREACHABLE, 0 },
	[IP_ERR_ADMIN] = { ICMP6_UNREACHABLE, 1 },
	[IP_ERR_SCOPE] = { ICMP6_UNREACHABLE, 2 },
	[IP_ERR_HOST_UNREACH] = { ICMP6_UNREACHABLE, 3 },
	[IP_ERR_PORT_UNREACH] = { ICMP6_UNREACHABLE, 4 },
	[IP_ERR_TOO_BIG] = { ICMP6_TOO_BIG, 0 },
	[IP_ERR_TTL] = { ICMP6_TIME_EXCEEDED, 0 },
	[IP_ERR_REASSEMBLY] = { ICMP6_TIME_EXCEEDED, 1 },
	[IP_ERR_HEADER] = { ICMP6_PARAMETER, 0 },
	[IP_ERR_PROTO_UNREACH] = { ICMP6_PARAMETER, 1 },
	[IP_ERR_NEXT_HEADER] = { ICMP6_PARAMETER, 1 },
	[IP_ERR_OPTION] = { ICMP6_PARAMETER, 2 },
	[IP_ERR_CHAIN] = { ICMP6_PARAMETER, 3 }, /* RFC 7112 5 */
};

/* ---- sending ---- */

/* 2.4 e 1, 2: never about an error or a redirect. */
static bool is_error_or_redirect(const u8 *ip, u32 len, const struct ip_quote *q)
{
	if (q->proto != IPPROTO_ICMPV6)
		return false;
	return q->transport >= len || icmp6_is_error(ip[q->transport]) ||
	       ip[q->transport] == ICMP6_ND_REDIRECT;
}

/* 2.4 e 3 to 6. The exceptions are for path MTU discovery and for options whose type asks. */
static bool may_answer(const struct ip_rx *rx, enum ip_error_kind kind)
{
	if (ip_addr_is_any(&rx->src) || ip_addr_is_multicast(&rx->src))
		return false;
	if (kind == IP_ERR_TOO_BIG || kind == IP_ERR_OPTION)
		return true;
	return !ip_rx_is_group(rx) && !ip_addr_is_multicast(&rx->dst);
}

/* 2.2 a: an error about what was sent to an address of ours comes from there, unless others have it
 * too. */
static bool may_speak(const struct ip_addr *a)
{
	if (ip_addr_is_multicast(a))
		return false;
	return ifaddr_find(NULL, a) ||
	       (READ_ONCE(icmp6_error_anycast) && route_classify(a) == ROUTE_LOCAL);
}

static void fill(u8 *h, enum ip_error_kind kind, u32 info, const u8 *ip, u32 len)
{
	h[0] = wire[kind].type;
	h[1] = wire[kind].code;
	put_be32(h + 4, 0);
	if (h[0] == ICMP6_TOO_BIG || h[0] == ICMP6_PARAMETER)
		put_be32(h + 4, info);
	memcpy(h + ICMP_HEADER, ip, len);
}

void icmp6_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info)
{
	const struct ip_family *fam = ip_family_find(AF_INET6);
	const struct ip_rx *rx = ip_rx_const(p);
	const u8 *ip = pkt_at(p, p->net_off);
	u32 len = p->data + p->len - ip;
	struct flow f = {
		.dst = rx->src,
		.src = ip_addr_any(AF_INET6),
		.proto = IPPROTO_ICMPV6,
		.flags = FLOW_CONTROL | FLOW_PARK,
	};
	struct ip_quote quote;
	struct pkt *q;
	u8 *h;

	if (kind >= ARRAY_SIZE(wire) || !wire[kind].type || !fam || !fam->quote ||
	    !may_answer(rx, kind))
		return;
	/* what cannot be read to its end may be answered with just that */
	if (!fam->quote(ip, len, &quote)) {
		if (is_error_or_redirect(ip, len, &quote))
			return;
		if (kind == IP_ERR_PROTO_UNREACH)
			info = quote.proto_off;
	}
	if (!icmp_allowed(p, &rx->src, READ_ONCE(icmp6_ratelimit_ms),
			  !icmp6_is_limited(wire[kind].type)))
		return;
	if (may_speak(&rx->dst))
		f.src = rx->dst;
	if (ip_addr_is_link_local(&rx->src))
		f.oif = rx->ifindex;
	len = min(len, (u32)(ERROR_MAX - fam->header_len - ICMP_HEADER));
	q = ip_reserve(&f, ICMP_HEADER + len, NULL);
	if (IS_ERR(q)) {
		icmp6_count(ICMP_OUT_FAILED);
		return;
	}
	h = pkt_put(q, ICMP_HEADER + len);
	fill(h, kind, info, ip, len);
	icmp_finish(h, ICMP_HEADER + len, &f.saddr, &f.dst);
	ip_commit(&f, q);
}

/* ---- receiving ---- */

/* As on Linux: errno, and whether it is final. */
static const struct {
	u8 kind;
	bool fatal;
	int err;
} unreachable[] = {
	[0] = { IP_ERR_NET_UNREACH, false, ENETUNREACH },
	[1] = { IP_ERR_ADMIN, true, EACCES },
	[2] = { IP_ERR_SCOPE, false, EHOSTUNREACH },
	[3] = { IP_ERR_HOST_UNREACH, false, EHOSTUNREACH },
	[4] = { IP_ERR_PORT_UNREACH, true, ECONNREFUSED },
	[5] = { IP_ERR_ADMIN, true, EACCES },
	[6] = { IP_ERR_ADMIN, true, EACCES },
};

static const u8 parameter[] = { IP_ERR_HEADER, IP_ERR_NEXT_HEADER, IP_ERR_OPTION, IP_ERR_CHAIN };

/* 2.4 a: what nobody knows is told as well, as something. */
static void describe(const u8 *h, struct ip_error *e)
{
	u8 code = h[1];

	e->icmp_type = h[0];
	e->icmp_code = code;
	e->kind = IP_ERR_OTHER;
	e->err = EPROTO;
	switch (h[0]) {
	case ICMP6_UNREACHABLE:
		e->fatal = true;
		if (code < ARRAY_SIZE(unreachable)) {
			e->kind = unreachable[code].kind;
			e->fatal = unreachable[code].fatal;
			e->err = unreachable[code].err;
		}
		break;
	case ICMP6_TOO_BIG:
		e->kind = IP_ERR_TOO_BIG;
		e->err = EMSGSIZE;
		e->info = get_be32(h + 4);
		break;
	case ICMP6_TIME_EXCEEDED:
		if (code <= 1)
			e->kind = code == 0 ? IP_ERR_TTL : IP_ERR_REASSEMBLY;
		e->err = EHOSTUNREACH;
		break;
	case ICMP6_PARAMETER:
		if (code < ARRAY_SIZE(parameter))
			e->kind = parameter[code];
		e->fatal = true;
		e->info = get_be32(h + 4);
		break;
	}
}

int icmp6_receive_error(struct pkt *p, const struct ip_rx *rx)
{
	const struct ip_family *fam = ip_family_find(AF_INET6);
	const u8 *h = p->data, *quote = h + ICMP_HEADER;
	u32 left = p->len - ICMP_HEADER;
	struct ip_error e = { .ifindex = rx->ifindex, .offender = rx->src, .rx = rx };
	struct ip_quote q;

	if (ip_rx_is_group(rx))
		return ip_drop(p, DROP_BAD_DEST);
	/* RFC 4884 4.4, 4.5: these two may have extensions */
	if (h[0] == ICMP6_UNREACHABLE || h[0] == ICMP6_TIME_EXCEEDED)
		left = icmp_quote_len(left, h[4], 8);
	if (!fam || !fam->quote || fam->quote(quote, left, &q) || q.transport > left ||
	    left - q.transport < 8)
		return ip_drop(p, DROP_BAD_QUOTE);
	if (route_classify(&q.src) != ROUTE_LOCAL)
		return ip_drop(p, DROP_BAD_QUOTE);
	e.local = q.src;
	e.remote = q.dst;
	e.proto = q.proto;
	describe(h, &e);
	/* RFC 8201 4, RFC 8021: less than every link carries is a forgery, or a router's
	 * mistake */
	if (e.kind == IP_ERR_TOO_BIG && e.info < MIN_MTU)
		return ip_drop(p, DROP_BAD_LENGTH);
	ip_deliver_error(&e, quote + q.transport, left - q.transport);
	pkt_free(p);
	return IP_TAKEN;
}
