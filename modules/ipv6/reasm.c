/* SPDX-License-Identifier: MIT */
/* reasm.c - what reassembly (RFC 8200 4.5, <weft/net/reasm.h>) is for IPv6: the fragment header,
 * the one that is its own first and last and never meets others (RFC 6946), errors for the
 * malformed, and the headers of the whole; its settings and files. */
#include "ipv6.h"
#include "mib.h"

#include <weft/bytes.h>
#include <weft/net/reasm.h>

#define FRAGMENT_HEADER 8
#define OFFSET_MASK 0xfff8
#define MORE 1

static void count(enum reasm_event e)
{
	switch (e) {
	case REASM_WHOLE:
		ip6_count(IP6_REASM_OKS);
		break;
	case REASM_FAILED:
		ip6_count(IP6_REASM_FAILS);
		break;
	case REASM_OVERLAPPED:
		break; /* has no counter of its own here */
	case REASM_TIMED_OUT:
		ip6_count(IP6_REASM_TIMEOUT);
		break;
	}
}

static struct reasm datagrams = {
	.name = "ipv6 reassembly",
	.file = "net/weft/ipv6_reassembly",
	.time_sysctl = "net/ipv6/ip6frag_time",
	.bytes_sysctl = "net/ipv6/ip6frag_high_thresh",
	.key_words = 10,
	.source_words = 4,
	.strict = true,
	.max_len = IPV6_HEADER + IPV6_MAX_LEN,
	.source_part = 4,
	.source_datagrams = 64,
	.count = count,
	.time_s = 60,
	.max_bytes = 1024 * 1024,
};

/* The key: addresses, identification, and the interface, as link-local addresses are many hosts'.
 */
static void make_key(u32 *key, const struct ipv6_header *h, u32 id, u32 ifindex)
{
	memcpy(key, &h->src, 16);
	memcpy(key + 4, &h->dst, 16);
	key[8] = id;
	key[9] = ifindex;
}

/* What becomes of the headers: the type of what follows goes where the fragment header was named.
 */
static u32 make_note(u8 next, u32 named)
{
	return named << 8 | next;
}

static struct pkt *refuse(struct pkt *p, enum drop_reason why, enum ip_error_kind kind, u32 pointer)
{
	ip6_count(IP6_REASM_FAILS);
	ip6_count(IP6_IN_HDR_ERRORS);
	ip_reject(p, why, kind, pointer);
	return NULL;
}

/* Before any state is touched: can this be a piece of a datagram at all? NULL: no, and p is gone.
 */
static struct pkt *check(struct pkt *p, const struct reasm_piece *f)
{
	u32 at = f->head - FRAGMENT_HEADER; /* the fragment header */

	if (f->end == f->start) {
		ip6_count(IP6_REASM_FAILS);
		return ip_drop(p, DROP_FRAG_BAD), NULL;
	}
	if (!f->last && (f->end - f->start) % 8)
		return refuse(p, DROP_FRAG_BAD, IP_ERR_HEADER, 4);
	if (at - IPV6_HEADER + f->end > IPV6_MAX_LEN)
		return refuse(p, DROP_FRAG_TOO_BIG, IP_ERR_HEADER, at + 2);
	/* RFC 7112 5 */
	if (!f->start && !ipv6_chain_whole(p->data, p->len, f->head, p->data[at]))
		return refuse(p, DROP_FRAG_BAD, IP_ERR_CHAIN, 0);
	return p;
}

/* The first fragment's headers become those of the whole. */
static void finish(struct pkt *whole, const struct reasm_piece *f, struct ipv6_chain *c)
{
	struct ip_rx *rx = ip_rx(whole);
	u8 *h = whole->data;

	c->next = f->note & 0xff;
	c->next_off = f->note >> 8;
	c->off = f->keep;
	h[c->next_off] = c->next;
	put_be16(h + 4, whole->len - IPV6_HEADER);
	put_be16(h, (get_be16(h) & ~0x0ff0) | (u16)rx->tos << 4);
	rx->flags |= IP_RX_FRAGMENTED | IP_RX_REASSEMBLED;
}

struct pkt *ipv6_reassemble(struct pkt *p, const struct ipv6_header *h, struct ipv6_chain *c)
{
	struct reasm_piece f = { .head = c->off + FRAGMENT_HEADER, .keep = c->off };
	struct pkt *whole;
	const u8 *frag;
	u16 field;

	ip6_count(IP6_REASM_REQDS);
	if (f.head > p->len) {
		ip6_count(IP6_REASM_FAILS);
		return ip_drop(p, DROP_TRUNCATED), NULL;
	}
	frag = p->data + c->off;
	field = get_be16(frag + 2);
	ip_rx(p)->flags |= IP_RX_FRAGMENTED;
	p->frag_size = min(p->len, 65535u);
	if (!(field & (OFFSET_MASK | MORE))) {
		c->next_off = c->off;
		c->next = frag[0];
		c->off = f.head;
		ip6_count(IP6_REASM_OKS);
		return p;
	}
	make_key(f.key, h, get_be32(frag + 4), ip_rx(p)->ifindex);
	f.start = field & OFFSET_MASK;
	f.end = f.start + p->len - f.head;
	f.last = !(field & MORE);
	f.note = make_note(frag[0], c->next_off);
	p = check(p, &f);
	if (!p)
		return NULL;
	whole = reasm_add(&datagrams, p, &f);
	if (whole)
		finish(whole, &f, c);
	return whole;
}

void ipv6_reasm_show(struct seq *s)
{
	reasm_show(&datagrams, s, "FRAG6");
}

int ipv6_reasm_init(void)
{
	return reasm_init(&datagrams);
}

void ipv6_reasm_exit(void)
{
	reasm_exit(&datagrams);
}
