/* SPDX-License-Identifier: MIT */
/* peer6.h - the station at the other end of the wire speaks IPv6 too: builds and reads IPv6,
 * extension headers, ICMPv6, neighbour discovery and UDP by itself, with checksums that are right
 * unless told otherwise. It answers solicitations for its addresses when told to. */
#pragma once

#include <weft/net/addr.h>
#include <weft/string.h>

#include "peer.h"

/* An address from its text, by the C library. */
struct ip_addr ip6(const char *text);
struct ip_addr ip6_solicited_node(const struct ip_addr *a);
void ip6_group_mac(u8 *mac, const struct ip_addr *group); /* RFC 2464 7 */

/* The peer gets addresses, and answers from now on as p->answers_nd and p->answers_echo6 say. The
 * first is its link-local one: what it sends comes from there unless told otherwise. */
#define PEER6_ADDRS 4
void peer6_init(struct peer *p, const struct ip_addr *addrs, u32 n);

/* ---- building; each returns the length ---- */

/* Extension headers, put one behind the other. */
struct chain6 {
	u8 first; /* what the fixed header names; set by the first that is put */
	u8 bytes[1500];
	u32 len;
	u32 next_at; /* where the next one's type is to be written */
};
/* options: NULL or n bytes; the rest is padded with PadN. proto 0: hop-by-hop, 60: destination. */
void chain6_options(struct chain6 *c, u8 proto, const void *options, u32 n);
void chain6_routing(struct chain6 *c, u8 type, u8 left, const void *data, u32 n);
/* off in bytes */
void chain6_fragment(struct chain6 *c, u32 id, u32 off, bool more);
/* any header of 8 * units bytes with that length field, zeros behind it */
void chain6_raw(struct chain6 *c, u8 type, u32 units, u8 length_field);

struct ipv6_fields {
	struct ip_addr src, dst;
	u8 next;      /* of the payload */
	u8 hop_limit; /* 0: 64, 255 for neighbour discovery */
	u8 tclass;
	u32 flow_label;
	const struct chain6 *chain; /* before the payload; NULL: none */
	/* lies */
	u8 version;	  /* 0: 6 */
	bool hop_limit_0; /* really 0 */
	bool lie_len;	  /* payload_len is what the header says */
	u16 payload_len;
	bool keep_sum; /* the payload's checksum is as given, not made right */
};
/* An Ethernet frame. The payload's checksum is filled in for ICMPv6, UDP and TCP when the chain has
 * no fragment header. NULL: zeros. */
u32 frame_ipv6(u8 *f, const u8 *dst, const u8 *src, const struct ipv6_fields *h,
	       const void *payload, u32 len);
/* RFC 8200 8.1, to be stored big-endian. 0 over what has a sound one. */
u16 wire_sum6(const struct ip_addr *src, const struct ip_addr *dst, u8 proto, const u8 *p, u32 n);
void wire_sum6_put(const struct ip_addr *src, const struct ip_addr *dst, u8 proto, u8 *p, u32 n);
/* An ICMPv6 message without its checksum. */
#define icmp6_message icmp_unsummed
u32 udp6_datagram(u8 *m, u16 sport, u16 dport, const void *data, u32 len); /* likewise */

/* Options of neighbour discovery, RFC 4861 4.6 and others. */
u32 nd6_ll(u8 *o, u8 type, const u8 *mac); /* 1 source, 2 target */
u32 nd6_prefix(u8 *o, const struct ip_addr *prefix, u8 plen, u8 flags, u32 valid, u32 preferred);
#define ND6_ONLINK 0x80
#define ND6_AUTO 0x40
u32 nd6_mtu(u8 *o, u32 mtu);
u32 nd6_route(u8 *o, const struct ip_addr *prefix, u8 plen, s8 preference, u32 lifetime);
u32 nd6_rdnss(u8 *o, const struct ip_addr *server, u32 lifetime);
u32 nd6_redirected(u8 *o, const void *packet, u32 len);

/* ---- sending; dst_mac NULL: the group's, or the host's for one station ---- */
void peer6_send(struct peer *p, const u8 *dst_mac, const struct ipv6_fields *h, const void *payload,
		u32 len);
/* A message from any address; types 130 to 137 and 143 as their RFCs say (255, or 1 and a router
 * alert for multicast listeners). */
void peer6_icmp(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst, u8 type,
		u8 code, u32 rest, const void *data, u32 len);
/* As peer_echo, with the same octets. from NULL: its link-local address. */
void peer6_echo(struct peer *p, const struct ip_addr *from, const struct ip_addr *to, u16 id,
		u16 seq, u32 len);
/* src NULL: its link-local address, with a source link-layer option; any: as DAD, without. */
void peer6_ns(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst,
	      const struct ip_addr *target);
/* flags: what follows, in the first word; with the peer's link-layer address. src NULL: target */
#define NA6_ROUTER 0x80000000u
#define NA6_SOLICITED 0x40000000u
#define NA6_OVERRIDE 0x20000000u
void peer6_na(struct peer *p, const struct ip_addr *src, const struct ip_addr *dst,
	      const struct ip_addr *target, u32 flags);

struct ra6 {
	u8 hop_limit, flags; /* 0x80 managed, 0x40 other, preference 0x08 high, 0x18 low */
	u16 lifetime;
	u32 reachable_ms, retrans_ms;
	u8 options[512];
	u32 len;
	struct ip_addr src; /* any: the peer's link-local address */
};
/* To all nodes. A source link-layer option is only there when it is among r->options. */
void peer6_ra(struct peer *p, const struct ra6 *r);
/* The router's lifetime, an on-link autonomous prefix of 64 bits (NULL: none). */
void peer6_ra_prefix(struct peer *p, u16 router_lifetime, const struct ip_addr *prefix, u32 valid,
		     u32 preferred);
/* dst is to be reached by target; packet is quoted. */
void peer6_redirect(struct peer *p, const struct ip_addr *to, const struct ip_addr *target,
		    const struct ip_addr *dst, const u8 *target_mac, const void *packet, u32 len);
/* An error that quotes the packet in f (from its IPv6 header on). */
void peer6_error(struct peer *p, const struct ip_addr *to, u8 type, u8 code, u32 rest,
		 const void *packet, u32 len);
/* One fragment of the payload of a datagram (whose checksum has been put): bytes off to off + len
 * of whole. h->chain is the part that is not fragmented. */
void peer6_fragment(struct peer *p, const struct ipv6_fields *h, u32 id, const u8 *whole, u32 off,
		    u32 len, bool more);

/* ---- reading ---- */

/* The oldest frame heard that fits, as peer_take_icmp. A type below 0: any. */
const struct frame *peer6_take_icmp(struct peer *p, int type, int code);
const struct frame *peer6_take_proto(struct peer *p, u8 proto);
/* A solicitation or advertisement for target; NULL: any. */
const struct frame *peer6_take_nd(struct peer *p, u8 type, const struct ip_addr *target);
u32 peer6_count_icmp(struct peer *p, int type);
/* What is behind the extension headers, its protocol and length; a fragment header that is not
 * atomic ends the walk (*proto 44). NULL: not IPv6. */
const u8 *frame6_payload(const struct frame *f, u8 *proto, u32 *len);
static inline const u8 *frame6_icmp(const struct frame *f)
{
	return frame6_payload(f, NULL, NULL);
}
static inline struct ip_addr frame6_src(const struct frame *f)
{
	struct ip_addr a;

	memcpy(&a, f->data + 22, 16);
	return a;
}
static inline struct ip_addr frame6_dst(const struct frame *f)
{
	struct ip_addr a;

	memcpy(&a, f->data + 38, 16);
	return a;
}
static inline u8 frame6_hop_limit(const struct frame *f)
{
	return f->data[21];
}
/* The first option of a type in a neighbour discovery message; NULL: none. */
const u8 *frame6_option(const struct frame *f, u8 type);
/* Lengths and the checksum are right. */
bool frame6_sound(const struct frame *f);
