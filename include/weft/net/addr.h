/* SPDX-License-Identifier: MIT */
/* addr.h - one 16-byte address type for both IP versions: an IPv4 address lies inside as
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so whoever keeps addresses is written once. Bytes are in
 * network order; u32 IPv4 values in this tree are host order unless their name ends in _be. */
#pragma once

#include <uapi/socket.h>
#include <weft/bytes.h>
#include <weft/err.h>
#include <weft/string.h>

struct ip_addr {
	union {
		u8 b[16];
		u32 w[4];
		u64 d[2];
	};
};

#define IP_ADDR_STRLEN 46	      /* longest text with its terminator */
#define IP_ADDR_MAPPED_BE 0xffff0000u /* w[2] of a mapped address, as a little-endian load */

static inline struct ip_addr ip_addr_v4_be(u32 be)
{
	struct ip_addr a;

	a.d[0] = 0;
	a.w[2] = IP_ADDR_MAPPED_BE;
	a.w[3] = be;
	return a;
}

static inline struct ip_addr ip_addr_v4(u32 host)
{
	return ip_addr_v4_be(htonl(host));
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	return a->d[0] == 0 && a->w[2] == IP_ADDR_MAPPED_BE;
}

/* Host order; meaningful for mapped addresses only. */
static inline u32 ip_addr_to_v4(const struct ip_addr *a)
{
	return ntohl(a->w[3]);
}

static inline u16 ip_addr_family(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? AF_INET : AF_INET6;
}

static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

/* :: or 0.0.0.0 */
static inline bool ip_addr_is_any(const struct ip_addr *a)
{
	return a->d[0] == 0 && a->w[3] == 0 && (a->w[2] == 0 || a->w[2] == IP_ADDR_MAPPED_BE);
}

/* The unspecified address of a family. */
static inline struct ip_addr ip_addr_any(u16 af)
{
	struct ip_addr a = { .d = { 0, 0 } };

	if (af == AF_INET)
		a.w[2] = IP_ADDR_MAPPED_BE;
	return a;
}

static inline bool ip_addr_is_multicast(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

/* 127/8 or ::1 */
static inline bool ip_addr_is_loopback(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return a->b[12] == 127;
	return a->d[0] == 0 && a->w[2] == 0 && a->w[3] == htonl(1);
}

/* 169.254/16 or fe80::/10 */
static inline bool ip_addr_is_link_local(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return a->b[12] == 169 && a->b[13] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* IPv6 addresses that many links have, so that they mean something with a scope id only (RFC 4007):
 * link-local ones and groups of interface or link scope. */
static inline bool ip_addr_needs_scope(const struct ip_addr *a)
{
	if (a->b[0] == 0xfe)
		return (a->b[1] & 0xc0) == 0x80;
	return a->b[0] == 0xff && ((a->b[1] & 0xf) == 1 || (a->b[1] & 0xf) == 2);
}

/* 255.255.255.255 */
static inline bool ip_addr_is_limited_broadcast(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) && a->w[3] == 0xffffffffu;
}

/* A hash for tables keyed by addresses; seed is drawn once at boot, so a peer cannot aim at a
 * bucket. */
static inline u32 ip_addr_hash(const struct ip_addr *a, u32 seed)
{
	u64 h = (a->d[0] ^ (a->d[1] + seed)) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 29;
	h = (h + seed) * 0xbf58476d1ce4e5b9ull;
	return h >> 32;
}

/* The running sum (see csum_partial) of the pseudo header that transports of both families put in
 * front of len bytes of theirs (RFC 768, RFC 8200 8.1). */
static inline u32 ip_pseudo_sum(const struct ip_addr *src, const struct ip_addr *dst, u8 proto,
				u32 len)
{
	u64 sum = (u64)htons(proto) + htonl(len);

	if (ip_addr_is_v4(dst)) {
		sum += (u64)src->w[3] + dst->w[3];
	} else {
		unsigned __int128 all =
			(unsigned __int128)src->d[0] + src->d[1] + dst->d[0] + dst->d[1];

		sum += (u64)(u32)all + (u32)(all >> 32) + (u64)(all >> 64);
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* Prefix lengths are in the family's own terms: 0..32 for IPv4, 0..128 for IPv6. */
static inline u32 ip_plen_max(u16 af)
{
	return af == AF_INET ? 32 : 128;
}
/* a with all bits behind the prefix cleared. */
struct ip_addr ip_addr_prefix(const struct ip_addr *a, u32 plen);
/* Both of one family and equal in the first plen bits. */
bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *prefix, u32 plen);
/* From the first on, of the 128 that IPv4 addresses have here, too. */
u32 ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b);
/* 0..32 when the mask (host order) is contiguous, else -EINVAL. */
int ip_mask_to_plen(u32 mask);
static inline u32 ip_plen_to_mask(u32 plen)
{
	return plen ? 0xffffffffu << (32 - plen) : 0;
}

/* Text: dotted quad, or RFC 4291 2.2 in (RFC 5952 out). parse: the whole string, 0 or -EINVAL.
 * format writes at most IP_ADDR_STRLEN bytes and returns buf. */
int ip_addr_parse(const char *s, struct ip_addr *out);
char *ip_addr_format(char *buf, const struct ip_addr *a);

/* struct sockaddr_in / sockaddr_in6 to address, port (host order) and scope id. af is the socket's
 * family: an AF_INET name on an AF_INET6 socket is refused. -EINVAL too short, -EAFNOSUPPORT. */
int ip_addr_from_sockaddr(const u8 *name, u32 len, u16 af, struct ip_addr *addr, u16 *port,
			  u32 *scope);
/* Fill name (SOCKADDR_MAX bytes), return its length. */
static inline u32 ip_addr_to_sockaddr_in(u8 *name, const struct ip_addr *addr, u16 port)
{
	/* as two words: that is how it will be read */
	u64 words[2] = { AF_INET | (u32)htons(port) << 16 | (u64)addr->w[3] << 32 };

	_Static_assert(sizeof(words) == sizeof(struct sockaddr_in) &&
			       offsetof(struct sockaddr_in, sin_port) == 2 &&
			       offsetof(struct sockaddr_in, sin_addr) == 4,
		       "family, port and address are the first word");
	memcpy(name, words, sizeof(words));
	return sizeof(words);
}
u32 ip_addr_to_sockaddr(u8 *name, u16 af, const struct ip_addr *addr, u16 port, u32 scope);
