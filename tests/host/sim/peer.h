/* SPDX-License-Identifier: MIT */
/* peer.h - the station at the other end of the wire: builds and reads Ethernet, ARP, IPv4 and ICMP
 * by itself (no code in common with the stack), keeps what it heard, answers when told to. IPv4
 * addresses are in host order. peer6.h has its IPv6. */
#pragma once

#include <weft/net/addr.h>
#include <weft/string.h>

#include "nic.h"

struct frame {
	struct list_head node;
	u64 at; /* when it came */
	u32 len;
	u8 data[2048];
};

struct peer {
	struct sim_end end;
	u8 mac[6];
	u32 ip;
	bool answers_arp, answers_echo;
	/* peer6.c's */
	struct ip_addr ip6[4];
	u32 nr_ip6;
	bool answers_nd, answers_echo6, is_router;
	void (*also)(struct peer *p, const u8 *frame, u32 len); /* sees each frame; NULL: nobody */
	struct list_head heard; /* of struct frame, oldest first, the last 4096 */
	u32 nr_heard;
};

void peer_init(struct peer *p, const u8 *mac, u32 ip);
void peer_forget(struct peer *p); /* all it has heard */
void peer_send(struct peer *p, const u8 *frame, u32 len);

/* ---- building; each returns the whole length ---- */
u32 frame_ether(u8 *f, const u8 *dst, const u8 *src, u16 type);
u32 frame_arp(u8 *f, const u8 *dst, const u8 *sha, u32 spa, const u8 *tha, u32 tpa, u16 op);

struct ipv4_fields {
	u32 src, dst;
	u8 proto, ttl, tos; /* ttl 0: 64 */
	u16 id;
	u16 flags_off; /* as on the wire: 0x2000 more fragments, 0x4000 DF, offset in 8 bytes */
	const u8 *options;
	u8 option_len;
	/* lies; 0: the truth */
	u8 version_ihl;
	u16 total_len;
	bool bad_sum;
};
/* An Ethernet frame with an IPv4 datagram; payload may be NULL (zeros). */
u32 frame_ipv4(u8 *f, const u8 *dst, const u8 *src, const struct ipv4_fields *h,
	       const void *payload, u32 len);
/* An ICMP message with its checksum; returns its length. */
u32 icmp_message(u8 *m, u8 type, u8 code, u32 rest, const void *data, u32 len);
/* The same without, for ICMPv6. */
u32 icmp_unsummed(u8 *m, u8 type, u8 code, u32 rest, const void *data, u32 len);
u16 wire_sum(const u8 *p, u32 n); /* RFC 1071, to be stored big-endian; 0 over a sound header */

/* ---- sending what is usual ---- */
void peer_arp(struct peer *p, const u8 *dst, const u8 *sha, u32 spa, u32 tpa, u16 op);
void peer_ipv4(struct peer *p, const u8 *dst, const struct ipv4_fields *h, const void *payload,
	       u32 len);
void peer_echo(struct peer *p, const u8 *dst, u32 to, u16 id, u16 seq, u32 len);

/* ---- reading ---- */
/* Take the oldest frame heard that fits (valid until the next call). NULL: none. */
typedef bool frame_fits(const struct frame *f, const void *what);
const struct frame *peer_find(struct peer *p, frame_fits *fits, const void *what);
u32 peer_count(struct peer *p, frame_fits *fits, const void *what);
/* An ICMP or ICMPv6 message; -1, NULL: any. */
struct icmp_want {
	int type, code;
	const struct ip_addr *target; /* of neighbour discovery */
};
static inline bool icmp_fits(const u8 *m, const struct icmp_want *w)
{
	return (w->type < 0 || m[0] == w->type) && (w->code < 0 || m[1] == w->code) &&
	       (!w->target || !memcmp(m + 8, w->target, 16));
}
/* The same for what is usual. */
const struct frame *peer_take_arp(struct peer *p, u16 op);
const struct frame *peer_take_icmp(struct peer *p, int type, int code); /* -1: any */
const struct frame *peer_take_proto(struct peer *p, u8 proto);
const struct frame *peer_take(struct peer *p, struct frame *f); /* this one of p->heard */
u32 peer_count_icmp(struct peer *p, int type);
u32 peer_count_arp(struct peer *p, u16 op);
static inline const u8 *frame_ip(const struct frame *f)
{
	return f->data + 14;
}
static inline const u8 *frame_icmp(const struct frame *f)
{
	return f->data + 14 + (f->data[14] & 15) * 4;
}
/* Header checksum, lengths and, for ICMP, the message's checksum are right. */
bool frame_sound(const struct frame *f);
