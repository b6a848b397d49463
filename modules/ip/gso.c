/* SPDX-License-Identifier: MIT */
/* gso.c - large TCP and UDP packets cut just above a driver that cannot: the stack has been walked
 * once for up to 64 KiB, and only headers are made per segment. Who sends such a packet keeps to
 * include/weft/pkt.h: one IP header, the transport at trans_off, the checksum left to fill. */
#include "ip.h"

#include <weft/bytes.h>
#include <weft/net/gso.h>
#include <weft/poller.h>

#define TCP_HEADER 20
#define TCP_SUM 16
#define UDP_HEADER 8
#define UDP_SUM 6
#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80
#define IPV4_HEADER 20
#define IPV6_HEADER 40

/* ---- one segment after the other ---- */

/* The field of the whole holds the pseudo header's sum with the whole's length (RFC 9293 3.1): to
 * subtract in one's complement is to add the complement. */
static u32 sum_without_length(const u8 *sum, u32 whole)
{
	u16 field;

	memcpy(&field, sum, sizeof(field));
	return (u32)field + (u16)~htons(whole);
}

static u16 sum_with_length(const struct gso_cut *c, u32 len)
{
	return ~csum_fold(c->sum + htons(c->headers + len - c->trans));
}

/* The header's sum without the words that differ from segment to segment: length, ID, the sum. */
static u32 ipv4_sum_rest(const u8 *ip, u32 len)
{
	static const u8 differ[] = { 2, 4, 10 };
	u32 sum = (u16)~csum_fold(csum_partial(ip, len, 0));
	u16 field;

	for (u32 i = 0; i < ARRAY_SIZE(differ); i++) {
		memcpy(&field, ip + differ[i], sizeof(field));
		sum += (u16)~field;
	}
	return sum;
}

/* Where the transport's header ends: before it has begun, if it is not whole. */
static u32 transport_end(const struct gso_cut *c)
{
	const u8 *t = c->p->data + c->trans;

	if (c->udp)
		return c->trans + UDP_HEADER;
	return c->p->len < c->trans + TCP_HEADER ? 0 : c->trans + (t[12] >> 4) * 4;
}

bool gso_cut_start(struct gso_cut *c, const struct pkt *p)
{
	u32 before = pkt_headroom(p), shortest;

	*c = (struct gso_cut){
		.p = p,
		.mss = p->gso_size,
		.v6 = p->gso_type == PKT_GSO_TCP6 || p->gso_type == PKT_GSO_UDP6,
		.udp = p->gso_type >= PKT_GSO_UDP4,
	};
	c->sum_off = c->udp ? UDP_SUM : TCP_SUM;
	shortest = c->udp ? UDP_HEADER : TCP_HEADER;
	c->net = p->net_off - before;
	c->trans = p->trans_off - before;
	if (p->net_off < before || p->trans_off < p->net_off || !c->mss ||
	    c->trans < c->net + (c->v6 ? IPV6_HEADER : IPV4_HEADER) || p->csum != PKT_CSUM_FILL)
		return false;
	c->headers = transport_end(c);
	if (c->headers < c->trans + shortest || c->headers > p->len)
		return false;
	c->payload = p->len - c->headers;
	c->seq = get_be32(p->data + c->trans + 4); /* UDP has none, and does not use it */
	if (!c->v6) {
		c->ip_id = get_be16(p->data + c->net + 4);
		c->ip_sum = ipv4_sum_rest(p->data + c->net, c->trans - c->net);
	}
	c->sum = sum_without_length(p->data + c->trans + c->sum_off, p->len - c->trans);
	c->full_sum = sum_with_length(c, c->mss);
	return true;
}
EXPORT(gso_cut_start);

static void ipv4_header(struct gso_cut *c, u8 *ip, u32 len)
{
	u16 sum = csum_fold(c->ip_sum + htons(len) + htons(c->ip_id));

	put_be16(ip + 2, len);
	put_be16(ip + 4, c->ip_id++);
	memcpy(ip + 10, &sum, sizeof(sum));
}

static void tcp_header(const struct gso_cut *c, u8 *tcp, u32 off, u32 len)
{
	put_be32(tcp + 4, c->seq + off);
	if (off + len < c->payload)
		tcp[13] &= ~TCP_FIN_PSH;
	/* RFC 3168 6.1.2: once for each reduction of the window */
	if (off)
		tcp[13] &= ~TCP_CWR;
}

u32 gso_cut_next(struct gso_cut *c, u8 *h, const u8 **payload)
{
	u32 off = c->off, len = min(c->mss, c->payload - off), end = c->headers + len;
	u16 sum;

	memcpy(h, c->p->data, c->headers);
	if (c->v6)
		put_be16(h + c->net + 4, end - c->net - IPV6_HEADER);
	else
		ipv4_header(c, h + c->net, end - c->net);
	if (c->udp)
		put_be16(h + c->trans + 4, end - c->trans);
	else
		tcp_header(c, h + c->trans, off, len);
	sum = likely(len == c->mss) ? c->full_sum : sum_with_length(c, len);
	memcpy(h + c->trans + c->sum_off, &sum, sizeof(sum));
	*payload = c->p->data + c->headers + off;
	c->off = off + len;
	return len;
}
EXPORT(gso_cut_next);

u32 gso_segments(const struct pkt *p, u32 *headers)
{
	struct gso_cut c;

	if (!gso_cut_start(&c, p)) {
		*headers = 0;
		return 1;
	}
	*headers = c.headers;
	return gso_cut_segments(&c);
}

bool gso_has_cwr(const struct pkt *p)
{
	u32 flags = p->trans_off + 13u - pkt_headroom(p);

	return flags < p->len && p->data[flags] & TCP_CWR;
}

/* ---- as packets of their own ---- */

/* NULL: no memory. */
static struct pkt *next_segment(struct gso_cut *c, u32 headroom)
{
	u32 len = min(c->mss, c->payload - c->off);
	const struct pkt *p = c->p;
	struct pkt *q = pkt_alloc(p->pool, headroom, c->headers + len);
	const u8 *payload;
	u8 *frame;

	if (!q)
		return NULL;
	frame = pkt_put(q, c->headers + len);
	gso_cut_next(c, frame, &payload);
	memcpy(frame + c->headers, payload, len);
	q->nif = p->nif;
	q->ethertype = p->ethertype;
	q->link_off = headroom;
	q->net_off = headroom + c->net;
	q->trans_off = headroom + c->trans;
	q->csum = PKT_CSUM_FILL;
	q->csum_start = q->trans_off;
	q->csum_off = c->sum_off;
	return q;
}

static int send_segments(struct netif *nif, const struct netif_driver *d, struct gso_cut *c)
{
	int err;

	do {
		struct pkt *q = next_segment(c, ALIGN_UP(d->headroom, 16u));

		if (!q) {
			netif_stats_this(nif)->tx_dropped++;
			ip_drop_count(DROP_NO_MEMORY);
			return -ENOBUFS;
		}
		err = netif_tx_frame(nif, d, q);
	} while (!err && gso_cut_more(c));
	return err;
}

int gso_send(struct netif *nif, const struct netif_driver *d, struct pkt *p)
{
	struct gso_cut c;
	int err;

	if (!gso_cut_start(&c, p) || c.headers + c.mss > nif->mtu + nif->link->header_len) {
		netif_stats_this(nif)->tx_dropped++;
		ip_drop(p, DROP_TOO_LONG);
		return -EMSGSIZE;
	}
	/* one doorbell for many */
	batch_begin();
	err = send_segments(nif, d, &c);
	batch_finish();
	pkt_free(p);
	return err;
}
