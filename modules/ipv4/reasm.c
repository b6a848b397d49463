/* SPDX-License-Identifier: MIT */
/* reasm.c - what reassembly (RFC 791 3.2, <weft/net/reasm.h>) is for IPv4: which fragments belong
 * together, which are none that anybody honest sends (RFC 1858, RFC 3128), and the header of the
 * whole; its settings and files. */
#include "ipv4.h"

#include <weft/bytes.h>
#include <weft/net/reasm.h>

static void count(enum reasm_event e)
{
	switch (e) {
	case REASM_WHOLE:
		ip_count(IP_REASM_OKS);
		break;
	case REASM_FAILED:
		ip_count(IP_REASM_FAILS);
		break;
	case REASM_OVERLAPPED:
		ipext_count(IPEXT_REASM_OVERLAPS);
		break;
	case REASM_TIMED_OUT:
		ip_count(IP_REASM_TIMEOUT);
		break;
	}
}

/* No source has less than all of the memory: many hosts may stand behind one address. */
static struct reasm datagrams = {
	.name = "ipv4 reassembly",
	.file = "net/weft/ipv4_reassembly",
	.time_sysctl = "net/ipv4/ipfrag_time",
	.bytes_sysctl = "net/ipv4/ipfrag_high_thresh",
	.key_words = 3,
	.source_words = 1,
	.max_len = IPV4_MAX_LEN,
	.source_part = 1,
	.source_datagrams = ~0u,
	.count = count,
	.time_s = 30,
	.max_bytes = 1024 * 1024,
};

/* Before any state is touched: can this be a piece of a datagram at all? 0 or a drop reason. */
static int sane(const struct ipv4_header *h)
{
	u32 len = h->total_len - h->header_len;

	if (!len || (h->mf && len % 8))
		return DROP_FRAG_BAD;
	if (h->frag_off + len + h->header_len > IPV4_MAX_LEN)
		return DROP_FRAG_TOO_BIG; /* ping of death */
	/* RFC 1858 3, RFC 3128 2: the flags of TCP lie in the first fragment or in none */
	if (h->proto == IPPROTO_TCP && (h->frag_off == 8 || (!h->frag_off && len < 16)))
		return DROP_FRAG_BAD;
	return 0;
}

struct pkt *ipv4_reassemble(struct pkt *p, const struct ipv4_header *h)
{
	struct reasm_piece f = {
		.key = { h->src, h->dst, h->id | (u32)h->proto << 16 },
		.head = h->header_len,
		.start = h->frag_off,
		.end = h->frag_off + h->total_len - h->header_len,
		.last = !h->mf,
		.keep = h->header_len,
	};
	int why = sane(h);
	struct pkt *whole;

	ip_count(IP_REASM_REQDS);
	if (why) {
		ip_count(IP_REASM_FAILS);
		return ip_drop(p, why), NULL;
	}
	whole = reasm_add(&datagrams, p, &f);
	if (!whole)
		return NULL;
	whole->data[1] = ip_rx(whole)->tos;
	put_be16(whole->data + 2, whole->len);
	put_be16(whole->data + 6, 0);
	ipv4_header_finish(whole->data, f.keep);
	return whole;
}

void ipv4_reasm_show(struct seq *s)
{
	reasm_show(&datagrams, s, "FRAG");
}

int ipv4_reasm_init(void)
{
	return reasm_init(&datagrams);
}

void ipv4_reasm_exit(void)
{
	reasm_exit(&datagrams);
}
