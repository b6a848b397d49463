/* SPDX-License-Identifier: MIT */
/* peer6.c - what the station at the other end builds and answers in IPv6. */
#include "peer6.h"

#include <weft/bytes.h>
#include <weft/string.h>

/* The C library's; its headers and the kernel's do not go together. */
extern int inet_pton(int af, const char *text, void *addr);

static const u8 host_mac_default[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

/* ---- addresses ---- */

struct ip_addr ip6(const char *text)
{
	struct ip_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1)
		__builtin_trap();
	return a;
}

struct ip_addr ip6_solicited_node(const struct ip_addr *a)
{
	struct ip_addr g = { .b = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff } };

	memcpy(g.b + 13, a->b + 13, 3);
	return g;
}

void ip6_group_mac(u8 *mac, const struct ip_addr *group)
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->b + 12, 4);
}

/* ---- extension headers ---- */

static u8 *chain_put(struct chain6 *c, u8 type, u32 n)
{
	u8 *h = c->bytes + c->len;

	if (c->len)
		c->bytes[c->next_at] = type;
	else
		c->first = type;
	c->next_at = c->len;
	c->len += n;
	memset(h, 0, n);
	return h;
}

void chain6_options(struct chain6 *c, u8 proto, const void *options, u32 n)
{
	u32 all = (2 + n + 7) & ~7u, pad = all - 2 - n;
	u8 *h = chain_put(c, proto, all);

	h[1] = all / 8 - 1;
	if (n)
		memcpy(h + 2, options, n);
	if (pad > 1) {
		h[2 + n] = 1;
		h[3 + n] = pad - 2;
	}
}

void chain6_routing(struct chain6 *c, u8 type, u8 left, const void *data, u32 n)
{
	u32 all = (4 + n + 7) & ~7u;
	u8 *h = chain_put(c, 43, all);

	h[1] = all / 8 - 1;
	h[2] = type;
	h[3] = left;
	if (n)
		memcpy(h + 4, data, n);
}

void chain6_fragment(struct chain6 *c, u32 id, u32 off, bool more)
{
	u8 *h = chain_put(c, 44, 8);

	put_be16(h + 2, (off & ~7u) | more);
	put_be32(h + 4, id);
}

void chain6_raw(struct chain6 *c, u8 type, u32 units, u8 length_field)
{
	chain_put(c, type, units * 8)[1] = length_field;
}

static bool chain_has_fragment(const struct chain6 *c)
{
	u32 at = 0;
	u8 type = c->first;

	while (at < c->len) {
		if (type == 44)
			return true;
		type = c->bytes[at];
		at += (c->bytes[at + 1] + 1) * 8;
	}
	return false;
}

/* ---- datagrams ---- */

u16 wire_sum6(const struct ip_addr *src, const struct ip_addr *dst, u8 proto, const u8 *p, u32 n)
{
	static u8 b[40 + 65536];

	memcpy(b, src, 16);
	memcpy(b + 16, dst, 16);
	put_be32(b + 32, n);
	put_be32(b + 36, proto);
	memcpy(b + 40, p, n);
	return wire_sum(b, 40 + n);
}

static int sum_at(u8 proto)
{
	switch (proto) {
	case 58:
		return 2;
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	}
	return -1;
}

void wire_sum6_put(const struct ip_addr *src, const struct ip_addr *dst, u8 proto, u8 *p, u32 n)
{
	int at = sum_at(proto);
	u16 sum;

	if (at < 0 || n < (u32)at + 2)
		return;
	put_be16(p + at, 0);
	sum = wire_sum6(src, dst, proto, p, n);
	put_be16(p + at, !sum && proto == IPPROTO_UDP ? 0xffff : sum);
}

static bool is_nd(u8 type)
{
	return type >= 133 && type <= 137;
}

u32 frame_ipv6(u8 *f, const u8 *dst, const u8 *src, const struct ipv6_fields *h,
	       const void *payload, u32 len)
{
	u8 *ip = f + frame_ether(f, dst, src, 0x86dd), *at = ip + 40;
	const struct chain6 *c = h->chain;
	u32 chain = c ? c->len : 0, all = 14 + 40 + chain + len;

	put_be32(ip, (u32)(h->version ? h->version : 6) << 28 | h->tclass << 20 | h->flow_label);
	put_be16(ip + 4, h->lie_len ? h->payload_len : chain + len);
	ip[6] = chain ? c->first : h->next;
	ip[7] = h->hop_limit ? h->hop_limit : 64;
	if (!h->hop_limit && h->next == 58 && payload && len && is_nd(*(const u8 *)payload))
		ip[7] = 255;
	if (h->hop_limit_0)
		ip[7] = 0;
	memcpy(ip + 8, &h->src, 16);
	memcpy(ip + 24, &h->dst, 16);
	if (chain) {
		memcpy(at, c->bytes, chain);
		at[c->next_at] = h->next;
	}
	if (payload)
		memcpy(at + chain, payload, len);
	else
		memset(at + chain, 0, len);
	if (!h->keep_sum && !(chain && chain_has_fragment(c)))
		wire_sum6_put(&h->src, &h->dst, h->next, at + chain, len);
	if (all < 60) {
		memset(f + all, 0, 60 - all);
		all = 60;
	}
	return all;
}

u32 udp6_datagram(u8 *m, u16 sport, u16 dport, const void *data, u32 len)
{
	put_be16(m, sport);
	put_be16(m + 2, dport);
	put_be16(m + 4, 8 + len);
	put_be16(m + 6, 0);
	if (data)
		memcpy(m + 8, data, len);
	else
		memset(m + 8, 0, len);
	return 8 + len;
}

/* ---- options of neighbour discovery ---- */

static u32 option(u8 *o, u8 type, u32 n)
{
	memset(o, 0, n);
	o[0] = type;
	o[1] = n / 8;
	return n;
}

u32 nd6_ll(u8 *o, u8 type, const u8 *mac)
{
	option(o, type, 8);
	memcpy(o + 2, mac, 6);
	return 8;
}

u32 nd6_prefix(u8 *o, const struct ip_addr *prefix, u8 plen, u8 flags, u32 valid, u32 preferred)
{
	option(o, 3, 32);
	o[2] = plen;
	o[3] = flags;
	put_be32(o + 4, valid);
	put_be32(o + 8, preferred);
	memcpy(o + 16, prefix, 16);
	return 32;
}

u32 nd6_mtu(u8 *o, u32 mtu)
{
	option(o, 5, 8);
	put_be32(o + 4, mtu);
	return 8;
}

u32 nd6_route(u8 *o, const struct ip_addr *prefix, u8 plen, s8 preference, u32 lifetime)
{
	option(o, 24, 24);
	o[2] = plen;
	o[3] = (preference & 3) << 3;
	put_be32(o + 4, lifetime);
	memcpy(o + 8, prefix, 16);
	return 24;
}

u32 nd6_rdnss(u8 *o, const struct ip_addr *server, u32 lifetime)
{
	option(o, 25, 24);
	put_be32(o + 4, lifetime);
	memcpy(o + 8, server, 16);
	return 24;
}

u32 nd6_redirected(u8 *o, const void *packet, u32 len)
{
	u32 n = (8 + len + 7) & ~7u;

	option(o, 4, n);
	memcpy(o + 8, packet, len);
	return n;
}

/* ---- sending ---- */

void peer6_send(struct peer *p, const u8 *dst_mac, const struct ipv6_fields *h, const void *payload,
		u32 len)
{
	u8 f[4096], mac[6];

	if (!dst_mac && h->dst.b[0] == 0xff) {
		ip6_group_mac(mac, &h->dst);
		dst_mac = mac;
	}
	peer_send(p, f,
		  frame_ipv6(f, dst_mac ? dst_mac : host_mac_default, p->mac, h, payload, len));
}

void peer6_icmp(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst, u8 type,
		u8 code, u32 rest, const void *data, u32 len)
{
	static const u8 alert[] = { 5, 2, 0, 0 };
	struct ipv6_fields h = { .src = *src, .dst = *dst, .next = 58 };
	struct chain6 c = { 0 };
	u8 m[2048];

	if ((type >= 130 && type <= 132) || type == 143) {
		chain6_options(&c, 0, alert, sizeof(alert));
		h.chain = &c;
		h.hop_limit = 1;
	}
	peer6_send(p, NULL, &h, m, icmp6_message(m, type, code, rest, data, len));
}

void peer6_echo(struct peer *p, const struct ip_addr *from, const struct ip_addr *to, u16 id,
		u16 seq, u32 len)
{
	u8 data[2048];
	u32 i;

	for (i = 0; i < len; i++)
		data[i] = i * 7 + seq;
	peer6_icmp(p, from ? from : &p->ip6[0], to, 128, 0, (u32)id << 16 | seq, data, len);
}

void peer6_ns(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst,
	      const struct ip_addr *target)
{
	bool dad = src && ip_addr_is_any(src);
	u8 b[24];

	memcpy(b, target, 16);
	nd6_ll(b + 16, 1, p->mac);
	peer6_icmp(p, src ? src : &p->ip6[0], dst, 135, 0, 0, b, dad ? 16 : 24);
}

void peer6_na(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst,
	      const struct ip_addr *target, u32 flags)
{
	u8 b[24];

	memcpy(b, target, 16);
	nd6_ll(b + 16, 2, p->mac);
	peer6_icmp(p, src ? src : target, dst, 136, 0, flags, b, sizeof(b));
}

void peer6_ra(struct peer *p, const struct ra6 *r)
{
	struct ip_addr all = ip6("ff02::1");
	u8 b[8 + sizeof(r->options)];

	put_be32(b, r->reachable_ms);
	put_be32(b + 4, r->retrans_ms);
	memcpy(b + 8, r->options, r->len);
	peer6_icmp(p, ip_addr_is_any(&r->src) ? &p->ip6[0] : &r->src, &all, 134, 0,
		   (u32)r->hop_limit << 24 | r->flags << 16 | r->lifetime, b, 8 + r->len);
}

void peer6_ra_prefix(struct peer *p, u16 router_lifetime, const struct ip_addr *prefix, u32 valid,
		     u32 preferred)
{
	struct ra6 r = { .hop_limit = 64, .lifetime = router_lifetime };

	r.len = nd6_ll(r.options, 1, p->mac);
	if (prefix)
		r.len += nd6_prefix(r.options + r.len, prefix, 64, ND6_ONLINK | ND6_AUTO, valid,
				    preferred);
	peer6_ra(p, &r);
}

void peer6_redirect(struct peer *p, const struct ip_addr *to, const struct ip_addr *target,
		    const struct ip_addr *dst, const u8 *target_mac, const void *packet, u32 len)
{
	u8 b[1400];
	u32 n = 32;

	memcpy(b, target, 16);
	memcpy(b + 16, dst, 16);
	if (target_mac)
		n += nd6_ll(b + n, 2, target_mac);
	if (packet)
		n += nd6_redirected(b + n, packet, len);
	peer6_icmp(p, &p->ip6[0], to, 137, 0, 0, b, n);
}

void peer6_error(struct peer *p, const struct ip_addr *to, u8 type, u8 code, u32 rest,
		 const void *packet, u32 len)
{
	/* a link-local address cannot say anything of the world beyond the link */
	bool far = !ip_addr_is_link_local(to) && p->nr_ip6 > 1;

	peer6_icmp(p, &p->ip6[far], to, type, code, rest, packet, len);
}

void peer6_fragment(struct peer *p, const struct ipv6_fields *h, u32 id, const u8 *whole, u32 off,
		    u32 len, bool more)
{
	struct ipv6_fields part = *h;
	struct chain6 c = { 0 };

	if (h->chain)
		c = *h->chain;
	chain6_fragment(&c, id, off, more);
	part.chain = &c;
	peer6_send(p, NULL, &part, whole + off, len);
}

/* ---- answering ---- */

static bool is_mine(const struct peer *p, const u8 *addr)
{
	u32 i;

	for (i = 0; i < p->nr_ip6; i++) {
		if (!memcmp(&p->ip6[i], addr, 16))
			return true;
	}
	return false;
}

static void answer_nd(struct peer *p, const u8 *f)
{
	const u8 *ip = f + 14;
	struct ip_addr asker, target;

	if (ip[7] != 255 || !is_mine(p, ip + 48))
		return;
	memcpy(&asker, ip + 8, 16);
	memcpy(&target, ip + 48, 16);
	if (ip_addr_is_any(&asker)) {
		asker = ip6("ff02::1");
		peer6_na(p, NULL, &asker, &target, NA6_OVERRIDE | (p->is_router ? NA6_ROUTER : 0));
		return;
	}
	peer6_na(p, NULL, &asker, &target,
		 NA6_SOLICITED | NA6_OVERRIDE | (p->is_router ? NA6_ROUTER : 0));
}

static void answer_echo(struct peer *p, const u8 *f, u32 n)
{
	const u8 *ip = f + 14;
	struct ip_addr src, dst;

	memcpy(&src, ip + 24, 16);
	memcpy(&dst, ip + 8, 16);
	if (is_mine(p, ip + 24) && !wire_sum6(&src, &dst, 58, ip + 40, n))
		peer6_icmp(p, &src, &dst, 129, 0, get_be32(ip + 44), ip + 48, n - 8);
}

static void also(struct peer *p, const u8 *f, u32 len)
{
	const u8 *ip = f + 14;
	u32 n;

	if (len < 62 || get_be16(f + 12) != 0x86dd || ip[6] != 58)
		return;
	n = get_be16(ip + 4);
	if (n + 54 > len || n < 8)
		return;
	if (ip[40] == 135 && n >= 24 && p->answers_nd)
		answer_nd(p, f);
	else if (ip[40] == 128 && p->answers_echo6)
		answer_echo(p, f, n);
}

void peer6_init(struct peer *p, const struct ip_addr *addrs, u32 n)
{
	p->nr_ip6 = min(n, (u32)PEER6_ADDRS);
	memcpy(p->ip6, addrs, p->nr_ip6 * sizeof(*addrs));
	p->answers_nd = p->is_router = true;
	p->also = also;
}

/* ---- reading ---- */

const u8 *frame6_payload(const struct frame *f, u8 *proto, u32 *len)
{
	const u8 *ip = f->data + 14, *at = ip + 40, *end;
	u8 next;

	if (f->len < 54 || get_be16(f->data + 12) != 0x86dd || ip[0] >> 4 != 6)
		return NULL;
	end = at + get_be16(ip + 4);
	if (end > f->data + f->len)
		return NULL;
	next = ip[6];
	while (at + 8 <= end && (next == 0 || next == 43 || next == 60 ||
				 (next == 44 && !(get_be16(at + 2) & ~6)))) {
		u32 n = next == 44 ? 8 : (at[1] + 1) * 8;

		next = at[0];
		at += n;
	}
	if (proto)
		*proto = next;
	if (len)
		*len = at <= end ? end - at : 0;
	return at;
}

static bool is_proto(const struct frame *f, const void *want)
{
	u8 proto;

	return frame6_payload(f, &proto, NULL) && proto == *(const u8 *)want;
}

static bool is_icmp(const struct frame *f, const void *what)
{
	u8 proto;
	u32 n;
	const u8 *m = frame6_payload(f, &proto, &n);

	return m && proto == 58 && n >= 4 && icmp_fits(m, what);
}

const struct frame *peer6_take_icmp(struct peer *p, int type, int code)
{
	return peer_find(p, is_icmp, &(struct icmp_want){ type, code, NULL });
}

const struct frame *peer6_take_proto(struct peer *p, u8 proto)
{
	return peer_find(p, is_proto, &proto);
}

const struct frame *peer6_take_nd(struct peer *p, u8 type, const struct ip_addr *target)
{
	return peer_find(p, is_icmp, &(struct icmp_want){ type, 0, target });
}

u32 peer6_count_icmp(struct peer *p, int type)
{
	return peer_count(p, is_icmp, &(struct icmp_want){ type, -1, NULL });
}

const u8 *frame6_option(const struct frame *f, u8 type)
{
	static const u8 body[] = { 8, 16, 24, 24, 40 }; /* before the options, 133 to 137 */
	u32 n, at;
	const u8 *m = frame6_payload(f, NULL, &n);

	if (!m || n < 8 || !is_nd(m[0]))
		return NULL;
	for (at = body[m[0] - 133]; at + 8 <= n && m[at + 1]; at += m[at + 1] * 8) {
		if (m[at] == type)
			return m + at;
	}
	return NULL;
}

bool frame6_sound(const struct frame *f)
{
	struct ip_addr src = frame6_src(f), dst = frame6_dst(f);
	u8 proto;
	u32 n;
	const u8 *p = frame6_payload(f, &proto, &n);

	return p && (sum_at(proto) < 0 || !wire_sum6(&src, &dst, proto, p, n));
}
