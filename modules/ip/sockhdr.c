/* SPDX-License-Identifier: MIT */
/* sockhdr.c - extension headers that a socket wants in front of all it sends to IPv6 (RFC 3542 7,
 * 8, 9): kept one behind the other in the order of RFC 8200 4.1, each with its own type where the
 * next one's stands on the wire, as flow.h says. As on Linux only root may have options; routing
 * headers of the types that hosts may send (RFC 5095) are nobody's here. */
#include "ip.h"

#include <weft/sched.h>

#define NEXT_HOP 0
#define NEXT_DEST 60

/* In the order of the wire; a destination options header may stand in two places. */
static const struct {
	int opt;
	u8 type;
} places[] = {
	{ IPV6_HOPOPTS, NEXT_HOP },
	{ IPV6_RTHDRDSTOPTS, NEXT_DEST },
	{ IPV6_DSTOPTS, NEXT_DEST },
};

static int place_of(int opt)
{
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
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
static u32 offset_of(const struct inet_sock *is, int place)
{
	u32 at = 0;

	for (int i = 0; i < place; i++)
		at += is->header_len[i];
	return at;
}

/* RFC 8200 4.2: options must end exactly with their header. */
static bool options_sound(const u8 *h, u32 len)
{
	u32 at = 2;

	while (at < len) {
		if (h[at] == 0) {
			at++;
			continue;
		}
		if (at + 2 > len)
			return false;
		at += 2 + h[at + 1];
	}
	return at == len;
}

int inet6_set_header(struct inet_sock *is, int opt, const u8 *val, u32 len)
{
	int place = place_of(opt);
	u32 at, old, rest;

	if (place < 0)
		return len ? -EINVAL : 0;
	if (require_root())
		return -EPERM;
	if (len && (len < 8 || len % 8 || (val[1] + 1u) * 8 != len || !options_sound(val, len)))
		return -EINVAL;
	at = offset_of(is, place);
	old = is->header_len[place];
	rest = is->headers_len - at - old;
	if (is->headers_len - old + len > sizeof(is->headers))
		return -ENOBUFS;
	memmove(is->headers + at + len, is->headers + at + old, rest);
	memcpy(is->headers + at, val, len);
	if (len)
		is->headers[at] = places[place].type;
	is->header_len[place] = len;
	is->headers_len += len - old;
	return 0;
}

int inet6_get_header(const struct inet_sock *is, int opt, u8 *val, u32 *len)
{
	int place = place_of(opt);
	u32 have = place < 0 ? 0 : is->header_len[place];

	*len = min(*len, have);
	memcpy(val, is->headers + (have ? offset_of(is, place) : 0), *len);
	if (*len)
		val[0] = 0;
	return 0;
}
