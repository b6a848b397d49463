/* SPDX-License-Identifier: MIT */
/* peer.c - the station at the other end of the wire. */
#include "peer.h"

#include <stdlib.h>
#include <weft/bytes.h>
#include <weft/string.h>

#define HEARD_MAX 4096

static const u8 everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- building ---- */

u16 wire_sum(const u8 *p, u32 n)
{
	return ~wire_sum_add(p, n, 0);
}

u32 frame_ether(u8 *f, const u8 *dst, const u8 *src, u16 type)
{
	memcpy(f, dst, 6);
	memcpy(f + 6, src, 6);
	put_be16(f + 12, type);
	return 14;
}

u32 frame_arp(u8 *f, const u8 *dst, const u8 *sha, u32 spa, const u8 *tha, u32 tpa, u16 op)
{
	u8 *h = f + frame_ether(f, dst, sha, 0x806);

	memset(h, 0, 46);
	put_be16(h, 1);
	put_be16(h + 2, 0x800);
	h[4] = 6;
	h[5] = 4;
	put_be16(h + 6, op);
	memcpy(h + 8, sha, 6);
	put_be32(h + 14, spa);
	if (tha)
		memcpy(h + 18, tha, 6);
	put_be32(h + 24, tpa);
	return 60;
}

u32 frame_ipv4(u8 *f, const u8 *dst, const u8 *src, const struct ipv4_fields *h,
	       const void *payload, u32 len)
{
	u8 *ip = f + frame_ether(f, dst, src, 0x800);
	u32 hlen = 20 + h->option_len, all = 14 + hlen + len;

	memset(ip, 0, 20);
	ip[0] = h->version_ihl ? h->version_ihl : 0x40 | hlen / 4;
	ip[1] = h->tos;
	put_be16(ip + 2, h->total_len ? h->total_len : hlen + len);
	put_be16(ip + 4, h->id);
	put_be16(ip + 6, h->flags_off);
	ip[8] = h->ttl ? h->ttl : 64;
	ip[9] = h->proto;
	put_be32(ip + 12, h->src);
	put_be32(ip + 16, h->dst);
	if (h->option_len)
		memcpy(ip + 20, h->options, h->option_len);
	put_be16(ip + 10, wire_sum(ip, hlen) ^ (h->bad_sum ? 0x100 : 0));
	if (payload)
		memcpy(ip + hlen, payload, len);
	else
		memset(ip + hlen, 0, len);
	if (all < 60) {
		memset(f + all, 0, 60 - all);
		all = 60;
	}
	return all;
}

u32 icmp_unsummed(u8 *m, u8 type, u8 code, u32 rest, const void *data, u32 len)
{
	m[0] = type;
	m[1] = code;
	put_be16(m + 2, 0);
	put_be32(m + 4, rest);
	if (data)
		memcpy(m + 8, data, len);
	return 8 + len;
}

u32 icmp_message(u8 *m, u8 type, u8 code, u32 rest, const void *data, u32 len)
{
	icmp_unsummed(m, type, code, rest, data, len);
	put_be16(m + 2, wire_sum(m, 8 + len));
	return 8 + len;
}

/* ---- sending ---- */

void peer_send(struct peer *p, const u8 *frame, u32 len)
{
	sim_link_send(&p->end, frame, len);
}

void peer_arp(struct peer *p, const u8 *dst, const u8 *sha, u32 spa, u32 tpa, u16 op)
{
	u8 f[64];

	peer_send(p, f, frame_arp(f, dst ? dst : everybody, sha, spa, NULL, tpa, op));
}

void peer_ipv4(struct peer *p, const u8 *dst, const struct ipv4_fields *h, const void *payload,
	       u32 len)
{
	u8 f[2048];

	peer_send(p, f, frame_ipv4(f, dst, p->mac, h, payload, len));
}

void peer_echo(struct peer *p, const u8 *dst, u32 to, u16 id, u16 seq, u32 len)
{
	struct ipv4_fields h = { .src = p->ip, .dst = to, .proto = 1, .id = seq };
	u8 m[2048], data[2048];
	u32 i;

	for (i = 0; i < len; i++)
		data[i] = i * 7 + seq;
	peer_ipv4(p, dst, &h, m, icmp_message(m, 8, 0, (u32)id << 16 | seq, data, len));
}

/* ---- hearing ---- */

static void answer_arp(struct peer *p, const u8 *f)
{
	u8 reply[64];

	if (get_be16(f + 20) != 1 || get_be32(f + 38) != p->ip)
		return;
	peer_send(p, reply, frame_arp(reply, f + 22, p->mac, p->ip, f + 22, get_be32(f + 28), 2));
}

static void answer_echo(struct peer *p, const u8 *f, u32 len)
{
	const u8 *ip = f + 14;
	u32 hlen = (ip[0] & 15) * 4, total = get_be16(ip + 2);
	struct ipv4_fields h = { .src = p->ip, .dst = get_be32(ip + 12), .proto = 1 };
	u8 m[2048];

	if (get_be32(ip + 16) != p->ip || ip[9] != 1 || hlen < 20 || total < hlen + 8 ||
	    total + 14 > len || ip[hlen] != 8 || (get_be16(ip + 6) & 0x3fff) ||
	    wire_sum(ip, hlen) || wire_sum(ip + hlen, total - hlen))
		return;
	peer_ipv4(p, f + 6, &h, m,
		  icmp_message(m, 0, 0, get_be32(ip + hlen + 4), ip + hlen + 8, total - hlen - 8));
}

static void drop_oldest(struct peer *p)
{
	struct frame *f = list_first_entry(&p->heard, struct frame, node);

	list_del(&f->node);
	p->nr_heard--;
	free(f);
}

static void receive(struct sim_end *end, const u8 *data, u32 len)
{
	struct peer *p = container_of(end, struct peer, end);
	struct frame *f = calloc(1, sizeof(*f));

	if (p->nr_heard == HEARD_MAX)
		drop_oldest(p);
	f->at = sim_now();
	f->len = min(len, (u32)sizeof(f->data));
	memcpy(f->data, data, f->len);
	list_add_tail(&f->node, &p->heard);
	p->nr_heard++;
	if (len >= 42 && get_be16(data + 12) == 0x806 && p->answers_arp)
		answer_arp(p, data);
	if (len >= 42 && get_be16(data + 12) == 0x800 && p->answers_echo)
		answer_echo(p, data, len);
	if (p->also)
		p->also(p, data, len);
}

void peer_init(struct peer *p, const u8 *mac, u32 ip)
{
	*p = (struct peer){ .end = { .receive = receive }, .ip = ip };
	memcpy(p->mac, mac, 6);
	list_init(&p->heard);
}

void peer_forget(struct peer *p)
{
	while (p->nr_heard)
		drop_oldest(p);
}

/* ---- reading ---- */

const struct frame *peer_take(struct peer *p, struct frame *f)
{
	static struct frame taken;

	taken = *f;
	list_del(&f->node);
	p->nr_heard--;
	free(f);
	return &taken;
}

const struct frame *peer_find(struct peer *p, frame_fits *fits, const void *what)
{
	struct frame *f;

	list_for_each_entry(f, &p->heard, node) {
		if (fits(f, what))
			return peer_take(p, f);
	}
	return NULL;
}

u32 peer_count(struct peer *p, frame_fits *fits, const void *what)
{
	struct frame *f;
	u32 n = 0;

	list_for_each_entry(f, &p->heard, node)
		n += fits(f, what);
	return n;
}

static bool is_arp(const struct frame *f, const void *op)
{
	return f->len >= 42 && get_be16(f->data + 12) == 0x806 &&
	       get_be16(f->data + 20) == *(const u16 *)op;
}

static bool is_proto(const struct frame *f, const void *proto)
{
	return f->len >= 34 && get_be16(f->data + 12) == 0x800 && f->data[23] == *(const u8 *)proto;
}

static bool is_icmp(const struct frame *f, const void *what)
{
	static const u8 icmp = 1;

	return is_proto(f, &icmp) && !(get_be16(f->data + 20) & 0x1fff) &&
	       icmp_fits(frame_icmp(f), what);
}

const struct frame *peer_take_arp(struct peer *p, u16 op)
{
	return peer_find(p, is_arp, &op);
}

const struct frame *peer_take_icmp(struct peer *p, int type, int code)
{
	return peer_find(p, is_icmp, &(struct icmp_want){ type, code, NULL });
}

const struct frame *peer_take_proto(struct peer *p, u8 proto)
{
	return peer_find(p, is_proto, &proto);
}

u32 peer_count_icmp(struct peer *p, int type)
{
	return peer_count(p, is_icmp, &(struct icmp_want){ type, -1, NULL });
}

u32 peer_count_arp(struct peer *p, u16 op)
{
	return peer_count(p, is_arp, &op);
}

bool frame_sound(const struct frame *f)
{
	const u8 *ip = f->data + 14;
	u32 hlen = (ip[0] & 15) * 4, total = get_be16(ip + 2);

	if (f->len < 34 || ip[0] >> 4 != 4 || hlen < 20 || total < hlen || total + 14 > f->len)
		return false;
	if (wire_sum(ip, hlen))
		return false;
	return ip[9] != 1 || (get_be16(ip + 6) & 0x3fff) || !wire_sum(ip + hlen, total - hlen);
}
