/* SPDX-License-Identifier: MIT */
/* addr.c - arithmetic on and text of the 16-byte address. */
#include "ip.h"

/* In the 16-byte form an IPv4 prefix is 96 bits longer. */
static u32 full_plen(const struct ip_addr *a, u32 plen)
{
	return ip_addr_is_v4(a) ? 96 + min(plen, 32u) : min(plen, 128u);
}

struct ip_addr ip_addr_prefix(const struct ip_addr *a, u32 plen)
{
	struct ip_addr out = *a;
	u32 bits = full_plen(a, plen);

	if (bits == 128)
		return out;
	if (bits & 7)
		out.b[bits / 8] &= 0xff << (8 - (bits & 7));
	memset(out.b + DIV_ROUND_UP(bits, 8), 0, 16 - DIV_ROUND_UP(bits, 8));
	return out;
}
EXPORT(ip_addr_prefix);

bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *prefix, u32 plen)
{
	u32 bits = full_plen(prefix, plen);
	u8 mask = bits & 7 ? 0xff << (8 - (bits & 7)) : 0;

	if (ip_addr_is_v4(a) != ip_addr_is_v4(prefix) || memcmp(a->b, prefix->b, bits / 8))
		return false;
	return !mask || !((a->b[bits / 8] ^ prefix->b[bits / 8]) & mask);
}
EXPORT(ip_addr_in_prefix);

u32 ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	for (u32 k = 0; k < 16; k++) {
		u8 x = a->b[k] ^ b->b[k];

		if (x)
			return k * 8 + (__builtin_clz(x) - 24);
	}
	return 128;
}
EXPORT(ip_addr_common_bits);

int ip_mask_to_plen(u32 mask)
{
	u32 n = 0;

	while (n < 32 && mask & (1u << (31 - n)))
		n++;
	return mask == ip_plen_to_mask(n) ? (int)n : -EINVAL;
}
EXPORT(ip_mask_to_plen);

/* ---- text ---- */

static int parse_v4(const char *s, u8 *out)
{
	for (int i = 0; i < 4; i++) {
		u32 v = 0, digits = 0;

		while (*s >= '0' && *s <= '9' && digits < 3) {
			v = v * 10 + (*s++ - '0');
			digits++;
		}
		if (!digits || v > 255 || *s != (i < 3 ? '.' : '\0'))
			return -EINVAL;
		out[i] = v;
		s++;
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 4291 2.2: eight groups, one "::", possibly a dotted quad at the end. */
static int parse_v6(const char *s, u8 *out)
{
	u32 n = 0, gap = 17;

	memset(out, 0, 16);
	if (*s == ':' && *++s != ':')
		return -EINVAL;
	while (*s) {
		u32 v = 0, digits = 0;

		if (*s == ':') {
			if (gap != 17)
				return -EINVAL;
			gap = n;
			if (!*++s)
				break;
			continue;
		}
		if (n > 14)
			return -EINVAL;
		if (n <= 12 && strchr(s, '.') && !strchr(s, ':')) {
			if (parse_v4(s, out + n))
				return -EINVAL;
			n += 4;
			break;
		}
		while (hex_digit(*s) >= 0 && digits < 4) {
			v = v << 4 | hex_digit(*s++);
			digits++;
		}
		if (!digits || (*s && *s != ':') || (*s == ':' && !s[1]))
			return -EINVAL;
		put_be16(out + n, v);
		n += 2;
		if (*s == ':')
			s++;
	}
	if (gap == 17)
		return n == 16 ? 0 : -EINVAL;
	if (n > 14)
		return -EINVAL;
	memmove(out + 16 - (n - gap), out + gap, n - gap);
	memset(out + gap, 0, 16 - n);
	return 0;
}

int ip_addr_parse(const char *s, struct ip_addr *out)
{
	if (strchr(s, ':'))
		return parse_v6(s, out->b);
	*out = ip_addr_any(AF_INET);
	return parse_v4(s, out->b + 12);
}
EXPORT(ip_addr_parse);

char *ip_addr_format(char *buf, const struct ip_addr *a)
{
	u32 best = 8, best_len = 1, n = 0;

	if (ip_addr_is_v4(a)) {
		snprintf(buf, IP_ADDR_STRLEN, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14],
			 a->b[15]);
		return buf;
	}
	/* RFC 5952 4.2: "::" for the longest run of two or more zero groups, the first of equals */
	for (u32 i = 0; i < 8; i++) {
		u32 len = 0;

		while (i + len < 8 && !get_be16(a->b + 2 * (i + len)))
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		i += len;
	}
	for (u32 i = 0; i < 8; i++) {
		if (i == best) {
			n += scnprintf(buf + n, IP_ADDR_STRLEN - n, "::");
			i += best_len - 1;
			continue;
		}
		n += scnprintf(buf + n, IP_ADDR_STRLEN - n, "%s%x",
			       i && buf[n - 1] != ':' ? ":" : "", get_be16(a->b + 2 * i));
	}
	return buf;
}
EXPORT(ip_addr_format);

/* ---- struct sockaddr ---- */

int ip_addr_from_sockaddr(const u8 *name, u32 len, u16 af, struct ip_addr *addr, u16 *port,
			  u32 *scope)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (len < sizeof(u16))
		return -EINVAL;
	memcpy(&in, name, min(len, (u32)sizeof(in)));
	if (af == AF_INET) {
		if (len < sizeof(in))
			return -EINVAL;
		/* Linux takes AF_UNSPEC for AF_INET where the address is 0 (old programs) */
		if (in.sin_family != AF_INET && (in.sin_family != AF_UNSPEC || in.sin_addr))
			return -EAFNOSUPPORT;
		*addr = ip_addr_v4_be(in.sin_addr);
		*port = ntohs(in.sin_port);
		*scope = 0;
		return 0;
	}
	if (in.sin_family != AF_INET6)
		return len < 24 ? -EINVAL : -EAFNOSUPPORT;
	if (len < 24) /* RFC 2133's form ends before the scope id */
		return -EINVAL;
	memset(&in6, 0, sizeof(in6));
	memcpy(&in6, name, min(len, (u32)sizeof(in6)));
	memcpy(addr->b, in6.sin6_addr, 16);
	*port = ntohs(in6.sin6_port);
	*scope = in6.sin6_scope_id;
	return 0;
}
EXPORT(ip_addr_from_sockaddr);

u32 ip_addr_to_sockaddr(u8 *name, u16 af, const struct ip_addr *addr, u16 port, u32 scope)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (af == AF_INET)
		return ip_addr_to_sockaddr_in(name, addr, port);
	memcpy(in6.sin6_addr, addr->b, 16);
	in6.sin6_scope_id = ip_addr_needs_scope(addr) ? scope : 0;
	memcpy(name, &in6, sizeof(in6));
	return sizeof(in6);
}
EXPORT(ip_addr_to_sockaddr);
