/* SPDX-License-Identifier: MIT */
/* options.c - IPv4 header options (RFC 791 3.1): walked once, with every length checked. Only their
 * shape matters to us: timestamps and recorded routes of a host that is the destination end here,
 * source routes are refused as RFC 7126 4.3 advises. */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/string.h>

#define OPT_END 0
#define OPT_NOP 1
#define OPT_RECORD_ROUTE 7
#define OPT_TIMESTAMP 68
#define OPT_LOOSE_SOURCE_ROUTE 131
#define OPT_STRICT_SOURCE_ROUTE 137
#define OPT_ROUTER_ALERT 148 /* RFC 2113 */
#define OPT_COPIED 0x80

/* The pointer field counts from 1 at the option's first byte; the smallest legal one is min. */
static bool pointer_ok(const u8 *opt, u32 len, u32 min_len, u32 min)
{
	return len >= min_len && opt[2] >= min;
}

int ipv4_options_check(const u8 *h, u32 header_len, u32 *pointer)
{
	u32 i = IPV4_HEADER;

	while (i < header_len) {
		u8 kind = h[i];
		u32 len;

		*pointer = i;
		if (kind == OPT_END)
			return 0;
		if (kind == OPT_NOP) {
			i++;
			continue;
		}
		*pointer = i + 1;
		if (i + 2 > header_len)
			return DROP_BAD_OPTION;
		len = h[i + 1];
		if (len < 2 || len > header_len - i)
			return DROP_BAD_OPTION;
		*pointer = i + 2;
		switch (kind) {
		case OPT_LOOSE_SOURCE_ROUTE:
		case OPT_STRICT_SOURCE_ROUTE:
			if (!pointer_ok(h + i, len, 3, 4))
				return DROP_BAD_OPTION;
			/* RFC 1122 3.2.1.8 c: at its end the route is history, and harmless */
			if (h[i + 2] <= len)
				return DROP_SOURCE_ROUTE;
			break;
		case OPT_RECORD_ROUTE:
			if (!pointer_ok(h + i, len, 3, 4))
				return DROP_BAD_OPTION;
			break;
		case OPT_TIMESTAMP:
			if (!pointer_ok(h + i, len, 4, 5))
				return DROP_BAD_OPTION;
			break;
		}
		i += len;
	}
	return 0;
}

bool ipv4_options_alert(const u8 *h, u32 header_len)
{
	u32 i = IPV4_HEADER;

	while (i < header_len && h[i] != OPT_END) {
		if (h[i] == OPT_ROUTER_ALERT && h[i + 1] == 4 && !get_be16(h + i + 2))
			return true;
		i += h[i] == OPT_NOP ? 1 : h[i + 1];
	}
	return false;
}

u32 ipv4_options_copied(const u8 *opts, u32 len, u8 *out)
{
	u32 i = 0, n = 0;

	while (i < len && opts[i] != OPT_END) {
		u32 size = opts[i] == OPT_NOP ? 1 : i + 1 < len ? opts[i + 1] : 0;

		if (!size || size > len - i)
			break;
		if (opts[i] & OPT_COPIED) {
			memcpy(out + n, opts + i, size);
			n += size;
		}
		i += size;
	}
	while (n & 3)
		out[n++] = OPT_END;
	return n;
}
