/* SPDX-License-Identifier: MIT */
/* train.c - trains begin and end: what of the headers the next frames must have in common with the
 * first, and the counters of the layers that they did not visit. */
#include "train.h"

#include <weft/poller.h>

struct train_slot train_slots[MAX_CPUS];

#define PORTS_LEN 4 /* what transports begin with */

/* Those of field `at` of the network header may differ. */
static void differs(u8 *mask, u32 at)
{
	if (at)
		put_be16(mask + at, 0);
}

static void make_template(struct rx_train *t, const u8 *h, u32 net)
{
	const struct train_header *th = t->header;
	u8 *mask = (u8 *)t->mask;
	u64 word;

	t->words = max(DIV_ROUND_UP(t->transport + PORTS_LEN, 8u), (u32)TRAIN_WORDS_MIN);
	t->look = 8 * t->words;
	memset(mask, 0, t->look);
	memset(mask, 0xff, t->transport + PORTS_LEN);
	differs(mask + net, th->length_at);
	differs(mask + net, th->id_at);
	differs(mask + net, th->sum_at);
	for (u32 i = 0; i < t->words; i++) {
		memcpy(&word, h + 8 * i, sizeof(word));
		t->want[i] = word & t->mask[i];
	}
	t->rest = (u16)~csum_fold(csum_partial((u8 *)t->want + net, th->len, 0));
}

void rx_train_begin(struct rx_train *t, const struct pkt *p, const struct ip_rx *rx)
{
	u32 net = p->net_off - p->link_off, transport = p->trans_off - p->link_off;
	const struct net_layer *n = net_layer_find(p->ethertype);
	struct train_slot *slot = &train_slots[cpu_id()];

	if (slot->train || !n || !n->train || netif_has_taps() || raw_listens(rx->proto))
		return;
	if (rx->flags || p->looped || transport != net + n->train->len ||
	    net + n->train->length_at < 8 * TRAIN_WORDS_EXACT ||
	    transport + PORTS_LEN > sizeof(t->want))
		return;
	t->header = n->train;
	t->transport = transport;
	make_template(t, p->head + p->link_off, net);
	t->length_at = net + t->header->length_at;
	t->length_add = net + t->header->length_from - transport;
	t->id_at = net + t->header->id_at;
	t->sum_at = t->header->sum_at ? net + t->header->sum_at : 0;
	t->offsets = *train_offsets(p);
	t->ip_proto = rx->proto;
	t->tos = rx->tos;
	t->frames = t->bytes = t->octets = 0;
	t->now = poll_clock();
	t->nif = p->nif;
	slot->train = t;
}
EXPORT(rx_train_begin);

void rx_train_refuse(struct rx_train *t, struct pkt *p)
{
	t->frames--;
	t->bytes -= t->frame;
	t->octets -= p->len;
	p->data -= t->transport;
	p->len = t->frame;
	netif_rx_alone(p);
}
EXPORT(rx_train_refuse);

void rx_train_end(struct rx_train *t)
{
	struct netif_stats *st;

	if (!t->nif)
		return;
	st = netif_stats_this(t->nif);
	st->rx_packets += t->frames;
	st->rx_bytes += t->bytes;
	t->header->count(t->tos, t->frames, t->octets + t->frames * t->header->len);
	t->nif = NULL;
	train_slots[cpu_id()].train = NULL;
}
EXPORT(rx_train_end);
