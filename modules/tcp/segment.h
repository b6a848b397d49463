/* SPDX-License-Identifier: MIT */
/* segment.h - a TCP segment on the wire and as parsed: constants of RFC 9293 3.1, sequence numbers
 * (3.4), and what segment.c makes of headers and options. */
#pragma once

#include <weft/net/flow.h>
#include <weft/net/proto.h>

#define TCP_HEADER 20
#define TCP_HEADER_MAX 60
#define TCP_OPTIONS_MAX 40
/* NOP NOP TIMESTAMP 10: how every stack sends its time stamps when nothing else is there (RFC 7323
 * appendix A), and the bytes they take then */
#define TCP_TIMESTAMP_ALONE 0x0101080au
#define TCP_TIMESTAMP_ROOM 12
#define TCP_MSS_DEFAULT 536 /* RFC 9293 3.7.1: no MSS option, IPv4 */
#define TCP_MSS_DEFAULT_V6 1220
#define TCP_MSS_MIN 88	  /* below it a peer only wants to cost us (CVE-2019-11479) */
#define TCP_WSCALE_MAX 14 /* RFC 7323 2.3 */
#define TCP_SACK_BLOCKS_IN 4
#define TCP_SACK_BLOCKS_OUT 4 /* 3 beside time stamps */
#define TCP_PAYLOAD_MAX 65000 /* one packet to the layers below, before segmentation */

/* Flag bits of the 13th and 14th byte, as a u16; AE is RFC 9768's. Always masked. */
#define TCP_FIN 0x001
#define TCP_SYN 0x002
#define TCP_RST 0x004
#define TCP_PSH 0x008
#define TCP_ACK 0x010
#define TCP_URG 0x020
#define TCP_ECE 0x040
#define TCP_CWR 0x080
#define TCP_AE 0x100

/* ---- sequence arithmetic (RFC 9293 3.4) ---- */
static inline bool seq_lt(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}
static inline bool seq_le(u32 a, u32 b)
{
	return (s32)(a - b) <= 0;
}
static inline bool seq_gt(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}
static inline bool seq_ge(u32 a, u32 b)
{
	return (s32)(a - b) >= 0;
}
static inline u32 seq_max(u32 a, u32 b)
{
	return seq_lt(a, b) ? b : a;
}
static inline u32 seq_min(u32 a, u32 b)
{
	return seq_lt(a, b) ? a : b;
}

struct tcp_range {
	u32 start, end; /* end exclusive */
};

/* ---- a received segment, parsed once (segment.c) ---- */
struct tcp_seg {
	u32 seq, ack, end; /* end: seq + payload + SYN + FIN */
	u32 len;	   /* payload bytes */
	u16 flags;	   /* TCP_* */
	u16 window;	   /* as on the wire, unscaled */
	u16 urgent;
	u16 sport, dport;
	u8 header; /* bytes */
	bool has_ts, has_mss, has_wscale, sack_ok, has_fastopen;
	u8 wscale; /* at most TCP_WSCALE_MAX */
	u8 nr_sacks;
	u8 cookie_len;
	u16 mss;
	u32 tsval, tsecr;
	struct tcp_range sacks[TCP_SACK_BLOCKS_IN];
	const u8 *cookie; /* TCP Fast Open's, into the packet */
};

/* ---- segment.c ---- */
/* segment.c. p->data at the TCP header. 0, or the enum drop_reason to drop it for. The checksum is
 * the caller's to look at, before he believes any of it. Pulls nothing. */
int tcp_parse(struct tcp_seg *seg, const struct pkt *p);
/* Options of an outgoing segment. Returns bytes written to o (a multiple of 4, at most 40). */
struct tcp_opts_out {
	bool ts, sack_permitted, wscale_on;
	u8 wscale, nr_sacks;
	u16 mss; /* 0: no MSS option */
	u32 tsval, tsecr;
	struct tcp_range sacks[TCP_SACK_BLOCKS_OUT];
	const u8 *cookie; /* Fast Open (RFC 7413); cookie_len 0 with fastopen: asks for one */
	u8 cookie_len;
	bool fastopen;
};
u32 tcp_build_options(u8 *o, const struct tcp_opts_out *w);
/* Fills the 20 bytes at h; options are behind it; p->len covers header, options and payload; sets
 * p->csum for the device (or netif_tx) to sum. */
static inline void tcp_build_header(struct pkt *p, const struct flow *f, u32 seq, u32 ack,
				    u16 flags, u16 window, u16 urgent, u32 header_len)
{
	u8 *h = p->data;
	/* not complemented: netif_tx or the device adds the rest */
	u16 sum = ~csum_fold(flow_pseudo_sum(f, IPPROTO_TCP, p->len));

	put_be16(h, f->sport);
	put_be16(h + 2, f->dport);
	put_be32(h + 4, seq);
	put_be32(h + 8, ack);
	put_be32(h + 12, header_len / 4 << 28 | (u32)flags << 16 | window);
	memcpy(h + 16, &sum, sizeof(sum));
	put_be16(h + 18, urgent);
	p->trans_off = h - p->head;
	p->csum = PKT_CSUM_FILL;
	p->csum_start = p->trans_off;
	p->csum_off = 16;
}
