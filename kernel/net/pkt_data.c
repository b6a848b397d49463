/* SPDX-License-Identifier: MIT */
/* pkt_data.c - a packet's contents: making room in front, cutting, copying. Independent of where
 * the memory comes from. */
#include <weft/module.h>
#include <weft/pkt.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "pkt_internal.h"

void pkt_no_room(const struct pkt *p, u32 n)
{
	panic("packet %p: %u bytes wanted, headroom %u, tailroom %u, caller %p", (const void *)p, n,
	      pkt_headroom(p), pkt_tailroom(p), __builtin_return_address(0));
}
EXPORT(pkt_no_room);

void pkt_copy_fields(struct pkt *c, const struct pkt *p, u16 shift)
{
	c->len = p->len;
	c->nif = p->nif;
	c->link_off = p->link_off + shift;
	c->net_off = p->net_off + shift;
	c->trans_off = p->trans_off + shift;
	c->ethertype = p->ethertype;
	c->csum = p->csum;
	c->pkttype = p->pkttype;
	c->ip_proto = p->ip_proto;
	c->csum_start = p->csum_start + shift;
	c->csum_off = p->csum_off;
	c->gso_size = p->gso_size;
	c->gso_type = p->gso_type;
	c->stamp_ns = p->stamp_ns;
	memcpy(c->cb, p->cb, sizeof(c->cb));
}

/* The headers in front of data are copied too: the offsets of the layers stay meaningful. */
struct pkt *pkt_copy(const struct pkt *p, enum pkt_pool pool, u32 headroom)
{
	u32 before = pkt_headroom(p), room = max(headroom, before);
	u16 shift = room - before;
	struct pkt *c = pkt_alloc(pool, room, p->len);

	if (!c)
		return NULL;
	memcpy(c->head + shift, p->head, (size_t)before + p->len);
	pkt_copy_fields(c, p, shift);
	c->frag_size = p->frag_size;
	return c;
}
EXPORT(pkt_copy);

struct pkt *pkt_writable(struct pkt *p, u32 headroom)
{
	struct pkt *c;

	if (likely(!pkt_shared(p) && pkt_headroom(p) >= headroom))
		return p;
	c = pkt_copy(p, p->pool, headroom);
	pkt_free(p);
	return c;
}
EXPORT(pkt_writable);
