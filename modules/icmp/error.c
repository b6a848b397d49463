/* SPDX-License-Identifier: MIT */
/* error.c - ICMP errors. Outgoing: when RFC 1122 3.2.2 and RFC 1812 4.3.2.7 want silence there is
 * silence, and what goes out is limited for each receiver and in all. Incoming: only what quotes a
 * packet of ours goes on to the transport, which knows whether it was really sent (RFC 5927). */
#include "icmp.h"

#include <weft/bytes.h>
#include <weft/net/route.h>
#include <weft/string.h>

#define IPV4_MIN_HEADER 20
#define ERROR_MAX 576 /* the whole datagram, RFC 1812 4.3.2.3 */
#define MIN_MTU 68    /* RFC 791 3.2 */

int icmp_ratelimit_ms = 1000;

/* ---- sending ---- */

static const struct {
	u8 type, code;
} wire[] = {
	[IP_ERR_NET_UNREACH] = { ICMP_UNREACHABLE, ICMP_NET },
	[IP_ERR_HOST_UNREACH] = { ICMP_UNREACHABLE, ICMP_HOST },
	[IP_ERR_PROTO_UNREACH] = { ICMP_UNREACHABLE, ICMP_PROTOCOL },
	[IP_ERR_PORT_UNREACH] = { ICMP_UNREACHABLE, ICMP_PORT },
	[IP_ERR_TOO_BIG] = { ICMP_UNREACHABLE, ICMP_NEEDS_FRAG },
	[IP_ERR_SOURCE_ROUTE] = { ICMP_UNREACHABLE, ICMP_SOURCE_ROUTE_FAILED },
	[IP_ERR_ADMIN] = { ICMP_UNREACHABLE, ICMP_ADMIN },
	[IP_ERR_TTL] = { ICMP_TIME_EXCEEDED, 0 },
	[IP_ERR_REASSEMBLY] = { ICMP_TIME_EXCEEDED, 1 },
	[IP_ERR_HEADER] = { ICMP_PARAMETER, 0 },
	[IP_ERR_OPTION] = { ICMP_PARAMETER, 0 },
};

/* May p be answered with an error at all? RFC 1122 3.2.2. */
static bool may_answer(const struct pkt *p, const struct ip_rx *rx, const u8 *ip, u32 len)
{
	bool lo = p->nif && (p->nif->flags & IFF_LOOPBACK);
	u32 src = ip_addr_to_v4(&rx->src);

	if (ip_rx_is_group(rx) || len < rx->header_len)
		return false;
	/* a source that is not one host */
	if (src >> 24 == 0 || (src >> 24 == 127 && !lo) || (src & 0xe0000000) == 0xe0000000 ||
	    route_classify(&rx->src) == ROUTE_BROADCAST)
		return false;
	/* only the first fragment */
	if (get_be16(ip + 6) & 0x1fff)
		return false;
	/* never about an error, and not about what cannot be read */
	if (rx->proto == IPPROTO_ICMP)
		return len > rx->header_len && !icmp_is_error(ip[rx->header_len]);
	return true;
}

void icmp_send_error(const struct pkt *p, enum ip_error_kind kind, u32 info)
{
	const struct ip_rx *rx = ip_rx_const(p);
	const u8 *ip = pkt_at(p, p->net_off);
	u32 len = p->data + p->len - ip;
	struct flow f = {
		.dst = rx->src,
		.proto = IPPROTO_ICMP,
		.tos = 0xc0, /* RFC 1812 4.3.2.5: internetwork control */
		.flags = FLOW_CONTROL | FLOW_PARK,
	};
	struct pkt *q;
	u8 *h;

	if (kind >= ARRAY_SIZE(wire) || !wire[kind].type || !may_answer(p, rx, ip, len))
		return;
	if (!icmp_allowed(p, &rx->src, READ_ONCE(icmp_ratelimit_ms), false))
		return;
	if (route_classify(&rx->dst) == ROUTE_LOCAL)
		f.src = rx->dst;
	else
		f.src = ip_addr_any(AF_INET);
	len = min(len, (u32)(ERROR_MAX - IPV4_MIN_HEADER - ICMP_HEADER));
	q = ip_reserve(&f, ICMP_HEADER + len, NULL);
	if (IS_ERR(q)) {
		icmp_count(ICMP_OUT_FAILED);
		return;
	}
	h = pkt_put(q, ICMP_HEADER + len);
	h[0] = wire[kind].type;
	h[1] = wire[kind].code;
	put_be32(h + 4, 0);
	if (kind == IP_ERR_TOO_BIG)
		put_be16(h + 6, info); /* RFC 1191 4 */
	else if (h[0] == ICMP_PARAMETER)
		h[4] = info;
	memcpy(h + ICMP_HEADER, ip, len);
	icmp_finish(h, ICMP_HEADER + len, &f.saddr, &f.dst);
	icmp_count_out(h[0]);
	ip_commit(&f, q);
}

/* ---- receiving ---- */

/* Linux's, and the socket API's, reading of RFC 1122 3.2.2.1: errno and whether it is final. */
static const struct {
	u8 kind;
	bool fatal;
	int err;
} unreachable[] = {
	[0] = { IP_ERR_NET_UNREACH, false, ENETUNREACH },
	[1] = { IP_ERR_HOST_UNREACH, false, EHOSTUNREACH },
	[2] = { IP_ERR_PROTO_UNREACH, true, ENOPROTOOPT },
	[3] = { IP_ERR_PORT_UNREACH, true, ECONNREFUSED },
	[4] = { IP_ERR_TOO_BIG, false, EMSGSIZE },
	[5] = { IP_ERR_SOURCE_ROUTE, false, EOPNOTSUPP },
	[6] = { IP_ERR_NET_UNREACH, true, ENETUNREACH },
	[7] = { IP_ERR_HOST_UNREACH, true, EHOSTDOWN },
	[8] = { IP_ERR_OTHER, true, ENONET },
	[9] = { IP_ERR_ADMIN, true, ENETUNREACH },
	[10] = { IP_ERR_ADMIN, true, EHOSTUNREACH },
	[11] = { IP_ERR_NET_UNREACH, false, ENETUNREACH },
	[12] = { IP_ERR_HOST_UNREACH, false, EHOSTUNREACH },
	[13] = { IP_ERR_ADMIN, true, EHOSTUNREACH },
	[14] = { IP_ERR_ADMIN, true, EHOSTUNREACH },
	[15] = { IP_ERR_ADMIN, true, EHOSTUNREACH },
};

/* RFC 1191 5 and 7.1: routers of old send 0; the next lower plateau is the best guess. */
static u32 next_mtu(const u8 *h, const u8 *quote)
{
	static const u16 plateau[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };
	u32 mtu = get_be16(h + 6), len = get_be16(quote + 2), i;

	if (mtu)
		return max(mtu, (u32)MIN_MTU);
	for (i = 0; i < ARRAY_SIZE(plateau); i++)
		if (plateau[i] < len)
			return plateau[i];
	return MIN_MTU;
}

static bool describe(const u8 *h, const u8 *quote, struct ip_error *e)
{
	e->icmp_type = h[0];
	e->icmp_code = h[1];
	switch (h[0]) {
	case ICMP_UNREACHABLE:
		if (h[1] >= ARRAY_SIZE(unreachable))
			return false;
		e->kind = unreachable[h[1]].kind;
		e->fatal = unreachable[h[1]].fatal;
		e->err = unreachable[h[1]].err;
		if (e->kind == IP_ERR_TOO_BIG)
			e->info = next_mtu(h, quote);
		return true;
	case ICMP_REDIRECT:
		/* RFC 1122 3.2.2.2: one of a network counts for the host alone */
		e->kind = IP_ERR_REDIRECT;
		e->gateway = ip_addr_v4(get_be32(h + 4));
		return h[1] <= 3;
	case ICMP_TIME_EXCEEDED:
		e->kind = h[1] == 0 ? IP_ERR_TTL : IP_ERR_REASSEMBLY;
		e->err = EHOSTUNREACH;
		return h[1] <= 1;
	case ICMP_PARAMETER:
		e->kind = IP_ERR_HEADER;
		e->fatal = true;
		e->err = EPROTO;
		e->info = h[4];
		return true;
	}
	return false;
}

int icmp_receive_error(struct pkt *p, const struct ip_rx *rx)
{
	const u8 *h = p->data, *quote = h + ICMP_HEADER;
	u32 left = p->len - ICMP_HEADER, header_len;
	struct ip_error e = { .ifindex = rx->ifindex, .offender = rx->src, .rx = rx };

	/* RFC 6633: history */
	if (h[0] == ICMP_SOURCE_QUENCH)
		return ip_drop(p, DROP_IGNORED);
	if (ip_rx_is_group(rx))
		return ip_drop(p, DROP_BAD_DEST);
	if (left < IPV4_MIN_HEADER || quote[0] >> 4 != 4)
		return ip_drop(p, DROP_BAD_QUOTE);
	header_len = (quote[0] & 15) * 4;
	/* RFC 792: at least 8 bytes of the transport */
	if (header_len < IPV4_MIN_HEADER || left < header_len + 8 || (get_be16(quote + 6) & 0x1fff))
		return ip_drop(p, DROP_BAD_QUOTE);
	e.local = ip_addr_v4(get_be32(quote + 12));
	e.remote = ip_addr_v4(get_be32(quote + 16));
	e.proto = quote[9];
	if (route_classify(&e.local) != ROUTE_LOCAL)
		return ip_drop(p, DROP_BAD_QUOTE);
	if (!describe(h, quote, &e))
		return ip_drop(p, DROP_UNKNOWN_TYPE);
	/* RFC 4884 4.1 to 4.3: these may have extensions */
	if (h[0] == ICMP_UNREACHABLE || h[0] == ICMP_TIME_EXCEEDED || h[0] == ICMP_PARAMETER)
		left = icmp_quote_len(left, h[5], 4);
	ip_deliver_error(&e, quote + header_len, left - header_len);
	pkt_free(p);
	return IP_TAKEN;
}
