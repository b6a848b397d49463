/* SPDX-License-Identifier: MIT */
/* sockhdr.c - extension headers that a socket wants in front of what it sends to IPv6 (RFC 3542 6
 * to 9), said once by an option or for one packet by a control message: kept one behind the other
 * in the order of RFC 8200 4.1, each with its own type where the next one's stands on the wire, as
 * flow.h says. As on Linux only root may have options, whose insides are his own affair; routing
 * headers of the types that hosts may send (RFC 5095) are nobody's here, and options that belong
 * in front of one stay at home with it. */
#include "ip.h"

#include <weft/sched.h>

#define NEXT_HOP 0
#define NEXT_DEST 60

/* In the order of enum inet_header. */
static const struct {
	int opt, opt_old; /* of RFC 2292, for control messages */
	u8 type;
} places[INET_NR_HEADERS] = {
	{ IPV6_HOPOPTS, IPV6_2292HOPOPTS, NEXT_HOP },
	{ IPV6_DSTOPTS, IPV6_2292DSTOPTS, NEXT_DEST },
	{ IPV6_RTHDRDSTOPTS, IPV6_RTHDRDSTOPTS, NEXT_DEST },
};

static int place_of(int opt)
{
	for (u32 i = 0; i < INET_NR_HEADERS; i++) {
		if (places[i].opt == opt)
			return i;
	}
	return -1;
}

bool inet6_is_header(int opt)
{
	return opt == IPV6_RTHDR || place_of(opt) >= 0;
}

/* Where the header of a place is, or would be: all of the places before it are passed. */
static u32 offset_of(const struct inet_headers *hs, int place)
{
	u32 at = 0;

	for (int i = 0; i < place; i++)
		at += hs->len[i];
	return at;
}

/* Whole as its length says, or none: len 0. */
static int replace(struct inet_headers *hs, int place, const u8 *val, u32 len)
{
	u32 at = offset_of(hs, place), old = hs->len[place], rest = hs->total - at - old;

	if (hs->total - old + len > sizeof(hs->bytes))
		return -ENOBUFS;
	memmove(hs->bytes + at + len, hs->bytes + at + old, rest);
	if (len) {
		memcpy(hs->bytes + at, val, len);
		hs->bytes[at] = places[place].type;
	}
	hs->len[place] = len;
	hs->total += len - old;
	return 0;
}

int inet6_set_header(struct inet_sock *is, int opt, const u8 *val, u32 len)
{
	int place = place_of(opt);

	if (place < 0)
		return len ? -EINVAL : 0;
	if (require_root())
		return -EPERM;
	if (len && (len < 8 || len % 8 || (val[1] + 1u) * 8 != len))
		return -EINVAL;
	return replace(&is->headers, place, val, len);
}

int inet6_get_header(const struct inet_sock *is, int opt, u8 *val, u32 *len)
{
	int place = place_of(opt);
	u32 have = place < 0 ? 0 : is->headers.len[place];

	*len = min(*len, have);
	memcpy(val, is->headers.bytes + (have ? offset_of(&is->headers, place) : 0), *len);
	if (*len)
		val[0] = 0;
	return 0;
}

int inet6_control_header(struct inet_headers *hs, const struct cmsg_view *c)
{
	u32 len;

	for (u32 i = 0; i < INET_NR_HEADERS; i++) {
		if (c->type != places[i].opt && c->type != places[i].opt_old)
			continue;
		if (c->len < 2 || c->len < (c->data[1] + 1u) * 8)
			return -EINVAL;
		len = (c->data[1] + 1u) * 8;
		if (require_root())
			return -EPERM;
		return replace(hs, i, c->data, len);
	}
	return -EINVAL;
}

void inet6_flow_headers(struct flow *f, const struct inet_headers *hs)
{
	f->opt_len = offset_of(hs, INET_HEADER_ROUTING_DEST);
	memcpy(f->opts, hs->bytes, f->opt_len);
}
