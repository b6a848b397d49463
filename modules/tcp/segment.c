/* SPDX-License-Identifier: MIT */
/* segment.c - TCP headers, both ways. A received one is checked and parsed once, options included;
 * behind it nobody looks at a length again. Unknown options are skipped by their length; the first
 * that is malformed ends the list (RFC 9293 3.2), and what stood before it counts. */
#include "tcp.h"

enum tcp_option {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TIMESTAMP = 8,
	OPT_FASTOPEN = 34,
};

#define LEN_MSS 4
#define LEN_WSCALE 3
#define LEN_SACK_PERMITTED 2
#define LEN_TIMESTAMP 10
#define LEN_SACK_BLOCK 8
#define FASTOPEN_COOKIE_MIN 4 /* RFC 7413 4.1.1 */
#define FASTOPEN_COOKIE_MAX 16

/* ---- parsing ---- */

static void parse_sacks(struct tcp_seg *seg, const u8 *o, u32 len)
{
	u32 n = (len - 2) / LEN_SACK_BLOCK;

	/* RFC 2018 3: whole blocks, at least one */
	if (n == 0 || (len - 2) % LEN_SACK_BLOCK)
		return;
	seg->nr_sacks = min(n, (u32)TCP_SACK_BLOCKS_IN);
	for (u32 i = 0; i < seg->nr_sacks; i++) {
		seg->sacks[i].start = get_be32(o + 2 + i * LEN_SACK_BLOCK);
		seg->sacks[i].end = get_be32(o + 6 + i * LEN_SACK_BLOCK);
	}
}

static void parse_fastopen(struct tcp_seg *seg, const u8 *o, u32 len)
{
	u32 cookie = len - 2;

	/* RFC 7413 4.1.1: none asks for one; a length that cannot be is as no option */
	if (cookie && (cookie < FASTOPEN_COOKIE_MIN || cookie > FASTOPEN_COOKIE_MAX || cookie % 2))
		return;
	seg->has_fastopen = true;
	seg->cookie = o + 2;
	seg->cookie_len = cookie;
}

/* One option of len bytes at o. Those of the handshake count in a SYN only. */
static void parse_option(struct tcp_seg *seg, const u8 *o, u32 len)
{
	bool syn = seg->flags & TCP_SYN;

	switch (o[0]) {
	case OPT_MSS:
		if (syn && len == LEN_MSS && get_be16(o + 2)) {
			seg->has_mss = true;
			seg->mss = get_be16(o + 2);
		}
		break;
	case OPT_WSCALE:
		if (syn && len == LEN_WSCALE) {
			seg->has_wscale = true;
			/* RFC 7323 2.3: a larger one is taken as 14 */
			seg->wscale = min(o[2], (u8)TCP_WSCALE_MAX);
		}
		break;
	case OPT_SACK_PERMITTED:
		if (syn && len == LEN_SACK_PERMITTED)
			seg->sack_ok = true;
		break;
	case OPT_SACK:
		if (!syn)
			parse_sacks(seg, o, len);
		break;
	case OPT_TIMESTAMP:
		if (len == LEN_TIMESTAMP) {
			seg->has_ts = true;
			seg->tsval = get_be32(o + 2);
			seg->tsecr = get_be32(o + 6);
		}
		break;
	case OPT_FASTOPEN:
		if (syn)
			parse_fastopen(seg, o, len);
		break;
	}
}

/* Not what most segments have: apart, so that the usual one keeps no registers for it. */
static __noinline void parse_options(struct tcp_seg *seg, const u8 *o, u32 left)
{
	while (left) {
		u32 len;

		if (o[0] == OPT_END)
			return;
		if (o[0] == OPT_NOP) {
			o++;
			left--;
			continue;
		}
		if (left < 2)
			return;
		len = o[1];
		if (len < 2 || len > left)
			return;
		parse_option(seg, o, len);
		o += len;
		left -= len;
	}
}

int tcp_parse(struct tcp_seg *seg, const struct pkt *p)
{
	const u8 *h = p->data;
	u32 header, flags;

	if (unlikely(p->len < TCP_HEADER))
		return DROP_TRUNCATED;
	header = (h[12] >> 4) * 4;
	if (unlikely(header < TCP_HEADER))
		return DROP_BAD_HEADER;
	if (unlikely(header > p->len))
		return DROP_TRUNCATED;
	flags = (h[12] & 1) << 8 | h[13];
	seg->sport = get_be16(h);
	seg->dport = get_be16(h + 2);
	seg->seq = get_be32(h + 4);
	seg->ack = get_be32(h + 8);
	seg->flags = flags;
	seg->window = get_be16(h + 14);
	seg->urgent = get_be16(h + 18);
	seg->header = header;
	seg->len = p->len - header;
	seg->end = seg->seq + seg->len + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
	seg->has_ts = seg->has_mss = seg->has_wscale = seg->sack_ok = seg->has_fastopen = false;
	seg->nr_sacks = 0;
	seg->cookie_len = 0;
	if (likely(header == TCP_HEADER + TCP_TIMESTAMP_ROOM &&
		   get_be32(h + 20) == TCP_TIMESTAMP_ALONE)) {
		seg->has_ts = true;
		seg->tsval = get_be32(h + 24);
		seg->tsecr = get_be32(h + 28);
	} else if (header > TCP_HEADER) {
		parse_options(seg, h + TCP_HEADER, header - TCP_HEADER);
	}
	return 0;
}

/* ---- building ---- */

static u8 *put_timestamp(u8 *o, const struct tcp_opts_out *w)
{
	put_be32(o, w->sack_permitted ? OPT_SACK_PERMITTED << 24 | LEN_SACK_PERMITTED << 16 |
						OPT_TIMESTAMP << 8 | LEN_TIMESTAMP :
					TCP_TIMESTAMP_ALONE);
	put_be32(o + 4, w->tsval);
	put_be32(o + 8, w->tsecr);
	return o + 12;
}

static u8 *put_sacks(u8 *o, const struct tcp_opts_out *w, u32 room)
{
	u32 n = min((u32)w->nr_sacks, (room - 4) / LEN_SACK_BLOCK);

	if (!n)
		return o;
	put_be32(o, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 | (2 + n * LEN_SACK_BLOCK));
	o += 4;
	for (u32 i = 0; i < n; i++, o += LEN_SACK_BLOCK) {
		put_be32(o, w->sacks[i].start);
		put_be32(o + 4, w->sacks[i].end);
	}
	return o;
}

static u8 *put_fastopen(u8 *o, const struct tcp_opts_out *w, u32 room)
{
	u32 len = 2 + w->cookie_len, padded = ALIGN_UP(len, 4u);

	if (padded > room)
		return o;
	memset(o, OPT_NOP, padded - len);
	o += padded - len;
	o[0] = OPT_FASTOPEN;
	o[1] = len;
	if (w->cookie_len)
		memcpy(o + 2, w->cookie, w->cookie_len);
	return o + len;
}

u32 tcp_build_options(u8 *o, const struct tcp_opts_out *w)
{
	u8 *at = o;

	if (w->mss) {
		put_be32(at, OPT_MSS << 24 | LEN_MSS << 16 | w->mss);
		at += 4;
	}
	if (w->ts) {
		at = put_timestamp(at, w);
	} else if (w->sack_permitted) {
		put_be32(at, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_PERMITTED << 8 |
				     LEN_SACK_PERMITTED);
		at += 4;
	}
	if (w->wscale_on) {
		put_be32(at, OPT_NOP << 24 | OPT_WSCALE << 16 | LEN_WSCALE << 8 | w->wscale);
		at += 4;
	}
	if (w->nr_sacks)
		at = put_sacks(at, w, TCP_OPTIONS_MAX - (at - o));
	if (w->fastopen)
		at = put_fastopen(at, w, TCP_OPTIONS_MAX - (at - o));
	return at - o;
}
