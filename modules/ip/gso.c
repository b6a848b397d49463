/* SPDX-License-Identifier: MIT */
/* gso.c - large TCP packets cut just above a driver that cannot: the stack has been walked once for
 * up to 64 KiB, and only headers are made per segment. Who sends such a packet keeps to
 * include/weft/pkt.h: one IP header, TCP at trans_off, the checksum left to fill. */
#include "ip.h"

#include <weft/bytes.h>

#define TCP_HEADER 20
#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80
#define IPV4_HEADER 20
#define IPV6_HEADER 40

/* Offsets are from the start of the frame. */
struct cut {
	const struct pkt *p;
	u32 net, trans, headers; /* headers: of all layers together */
	u32 mss, payload;
	u32 seq;
	u16 ip_id;
	u32 pseudo; /* pseudo-header sum without a length */
	bool v6;
};

/* False: not what pkt.h promises. */
static bool parse(struct cut *c, const struct pkt *p)
{
	u32 before = pkt_headroom(p);
	const u8 *tcp;

	*c = (struct cut){ .p = p, .mss = p->gso_size, .v6 = p->gso_type == PKT_GSO_TCP6 };
	c->net = p->net_off - before;
	c->trans = p->trans_off - before;
	if (p->net_off < before || p->trans_off < p->net_off || !c->mss ||
	    c->trans < c->net + (c->v6 ? IPV6_HEADER : IPV4_HEADER) ||
	    p->len < c->trans + TCP_HEADER || p->csum != PKT_CSUM_FILL)
		return false;
	tcp = p->data + c->trans;
	c->headers = c->trans + (tcp[12] >> 4) * 4;
	if (c->headers < c->trans + TCP_HEADER || c->headers > p->len)
		return false;
	c->payload = p->len - c->headers;
	c->seq = get_be32(tcp + 4);
	c->ip_id = c->v6 ? 0 : get_be16(p->data + c->net + 4);
	return true;
}

u32 gso_segments(const struct pkt *p, u32 *headers)
{
	struct cut c;

	if (!parse(&c, p)) {
		*headers = 0;
		return 1;
	}
	*headers = c.headers;
	return c.payload ? (c.payload + c.mss - 1) / c.mss : 1;
}

bool gso_has_cwr(const struct pkt *p)
{
	u32 flags = p->trans_off + 13u - pkt_headroom(p);

	return flags < p->len && p->data[flags] & TCP_CWR;
}

static void ip_header(const struct cut *c, u8 *ip, u32 segment, u32 len)
{
	u16 sum;

	if (c->v6) {
		put_be16(ip + 4, len - IPV6_HEADER);
		return;
	}
	put_be16(ip + 2, len);
	put_be16(ip + 4, c->ip_id + segment);
	put_be16(ip + 10, 0);
	sum = csum_fold(csum_partial(ip, c->trans - c->net, 0));
	memcpy(ip + 10, &sum, sizeof(sum));
}

/* The field of the whole holds the pseudo header's sum with the whole's length (RFC 9293 3.1). */
static u16 pseudo_sum(const struct cut *c, u32 tcp_len)
{
	u32 whole = c->p->len - c->trans;
	u16 field;

	memcpy(&field, c->p->data + c->trans + 16, sizeof(field));
	/* one's complement: to subtract is to add the complement */
	return ~csum_fold((u32)field + (u16)~htons(whole) + htons(tcp_len));
}

/* Segment number i, from byte off of the payload on. NULL: no memory. */
static struct pkt *segment(const struct cut *c, u32 headroom, u32 i, u32 off)
{
	const struct pkt *p = c->p;
	u32 len = min(c->mss, c->payload - off);
	struct pkt *q = pkt_alloc(p->pool, headroom, c->headers + len);
	u8 *frame, *tcp;
	u16 sum;

	if (!q)
		return NULL;
	frame = pkt_put(q, c->headers + len);
	tcp = frame + c->trans;
	memcpy(frame, p->data, c->headers);
	memcpy(frame + c->headers, p->data + c->headers + off, len);
	q->nif = p->nif;
	q->ethertype = p->ethertype;
	q->link_off = headroom;
	q->net_off = headroom + c->net;
	q->trans_off = headroom + c->trans;
	ip_header(c, frame + c->net, i, q->len - c->net);
	put_be32(tcp + 4, c->seq + off);
	if (off + len < c->payload)
		tcp[13] &= ~TCP_FIN_PSH;
	/* RFC 3168 6.1.2: once for each reduction of the window */
	if (i)
		tcp[13] &= ~TCP_CWR;
	sum = pseudo_sum(c, q->len - c->trans);
	memcpy(tcp + 16, &sum, sizeof(sum));
	q->csum = PKT_CSUM_FILL;
	q->csum_start = q->trans_off;
	q->csum_off = 16;
	return q;
}

int gso_send(struct netif *nif, const struct netif_driver *d, struct pkt *p)
{
	struct cut c;
	u32 off = 0, i = 0;
	int err = 0;

	if (!parse(&c, p) || c.headers + c.mss > nif->mtu + nif->link->header_len) {
		netif_stats_this(nif)->tx_dropped++;
		ip_drop(p, DROP_TOO_LONG);
		return -EMSGSIZE;
	}
	do {
		struct pkt *q = segment(&c, ALIGN_UP(d->headroom, 16u), i++, off);

		if (!q) {
			netif_stats_this(nif)->tx_dropped++;
			ip_drop_count(DROP_NO_MEMORY);
			err = -ENOBUFS;
			break;
		}
		err = netif_tx_frame(nif, d, q);
		off += c.mss;
	} while (!err && off < c.payload);
	pkt_free(p);
	return err;
}
