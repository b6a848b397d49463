/* SPDX-License-Identifier: MIT */
/* nic.c - the plain network device: receive ring, checksums in both directions and TCP segmentation
 * where it says it has them. */
#include "nic.h"

#include <stdlib.h>
#include <weft/bytes.h>
#include <weft/net/netif.h>
#include <weft/poller.h>
#include <weft/string.h>

#include "machine.h"

#define FRAME_MAX 2048

struct rx_slot {
	u32 len;
	u8 data[FRAME_MAX];
};

struct sim_nic_state {
	struct sim_nic *nic;
	struct netif_driver driver;
	struct poller poller;
	struct sim_irq irq;
	u32 head, tail;
	bool up;
	struct rx_slot ring[SIM_NIC_RING];
};

static void nic_receive(struct sim_end *end, const u8 *frame, u32 len)
{
	struct sim_nic *n = container_of(end, struct sim_nic, end);
	struct sim_nic_state *st = n->state;
	struct rx_slot *slot;

	if (!st || !st->up || len > sizeof(slot->data))
		return;
	if (st->head - st->tail == SIM_NIC_RING) {
		n->overruns++;
		return;
	}
	slot = &st->ring[st->head++ % SIM_NIC_RING];
	slot->len = len;
	memcpy(slot->data, frame, len);
	sim_irq_raise(&st->irq);
}

static void nic_interrupt(void *arg)
{
	struct sim_nic_state *st = arg;

	poller_schedule(&st->poller);
}

/* A TCP or UDP datagram right behind its IPv6 header. */
static bool sum6_is_right(const struct rx_slot *slot)
{
	const u8 *ip = slot->data + 14;
	u32 n = get_be16(ip + 4);

	if (slot->len < 62 || n < 8 || n + 54 > slot->len || ip[0] >> 4 != 6 ||
	    (ip[6] != 6 && ip[6] != 17) || (ip[6] == 17 && !get_be16(ip + 46)))
		return false;
	return wire_sum_add(ip + 40, n, wire_sum_add(ip + 8, 32, ip[6] + n)) == 0xffff;
}

/* A whole TCP or UDP datagram whose sum the hardware verified. */
static bool sum_is_right(const struct rx_slot *slot)
{
	const u8 *ip = slot->data + 14;
	u32 hlen, total;

	if (slot->len >= 34 && get_be16(slot->data + 12) == 0x86dd)
		return sum6_is_right(slot);
	if (slot->len < 34 || get_be16(slot->data + 12) != 0x800 || ip[0] >> 4 != 4)
		return false;
	hlen = (ip[0] & 15) * 4;
	total = get_be16(ip + 2);
	if (hlen < 20 || total < hlen + 8 || total + 14 > slot->len ||
	    (get_be16(ip + 6) & 0x3fff) || (ip[9] != 6 && ip[9] != 17) ||
	    wire_sum_add(ip, hlen, 0) != 0xffff || (ip[9] == 17 && !get_be16(ip + hlen + 6)))
		return false;
	return wire_sum_add(ip + hlen, total - hlen,
			    wire_sum_add(ip + 12, 8, ip[9] + total - hlen)) == 0xffff;
}

static u32 nic_poll(struct poller *poller, u32 budget)
{
	struct sim_nic_state *st = container_of(poller, struct sim_nic_state, poller);
	u32 done = 0;

	for (; done < budget && st->tail != st->head; done++, st->tail++) {
		struct rx_slot *slot = &st->ring[st->tail % SIM_NIC_RING];
		struct pkt *p = pkt_alloc(PKT_POOL_RX, 66, slot->len);

		if (!p) {
			netif_stats_this(st->nic->nif)->rx_dropped++;
			ip_drop_count(DROP_NO_MEMORY);
			continue;
		}
		memcpy(pkt_put(p, slot->len), slot->data, slot->len);
		if (st->nic->features & NETIF_F_RX_CSUM && sum_is_right(slot))
			p->csum = PKT_CSUM_OK;
		netif_rx(st->nic->nif, p);
	}
	return done;
}

static int nic_open(struct netif *nif)
{
	struct sim_nic_state *st = nif->priv;

	st->nic->nif = nif;
	poller_add(&st->poller);
	st->up = true;
	return 0;
}

static void nic_stop(struct netif *nif)
{
	struct sim_nic_state *st = nif->priv;

	st->up = false;
	poller_remove(&st->poller);
	st->tail = st->head;
}

/* ---- sending ---- */

/* The field holds the pseudo header's sum. */
static void fill_sum(u8 *start, u32 len, u32 off)
{
	put_be16(start + off, (u16)~wire_sum_add(start, len, 0));
}

/* The network header of segment i, which ends so many bytes behind its start; the sum of TCP's
 * pseudo header without the length. */
static u32 cut_header(u8 *ip, u32 i, u32 end)
{
	if (ip[0] >> 4 == 6) {
		put_be16(ip + 4, end - 40);
		return wire_sum_add(ip + 8, 32, 6);
	}
	put_be16(ip + 2, end);
	put_be16(ip + 4, get_be16(ip + 4) + i);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, (u16)~wire_sum_add(ip, (ip[0] & 15) * 4, 0));
	return wire_sum_add(ip + 12, 8, 6);
}

/* One TCP packet into many: lengths, identification, sequence number, flags, sums. */
static void cut(struct sim_nic *n, struct pkt *p)
{
	u8 f[FRAME_MAX], *ip = f + (p->head + p->net_off - p->data);
	u32 tcp_at = p->head + p->csum_start - p->data;
	u8 *tcp = f + tcp_at;
	u32 head = tcp_at + (p->data[tcp_at + 12] >> 4) * 4, sent = 0, i;
	u32 payload = p->len - head;

	for (i = 0; sent < payload; i++) {
		u32 now = min(payload - sent, (u32)p->gso_size), len = head + now - tcp_at;
		bool last = sent + now == payload;
		u32 sum;

		memcpy(f, p->data, head);
		memcpy(f + head, p->data + head + sent, now);
		sum = cut_header(ip, i, f + head + now - ip);
		put_be32(tcp + 4, get_be32(tcp + 4) + sent);
		if (!last)
			tcp[13] &= ~(1 | 8); /* FIN and PSH belong to the last */
		if (i)
			tcp[13] &= ~0x80; /* CWR to the first, RFC 3168 6.1.2 */
		put_be16(tcp + 16, 0);
		put_be16(tcp + 16, (u16)~wire_sum_add(tcp, len, sum + len));
		sim_link_send(&n->end, f, head + now);
		sent += now;
	}
}

static void transmit(struct sim_nic *n, struct pkt *p)
{
	u32 start = p->head + p->csum_start - p->data;

	if (p->gso_size) {
		u32 need = p->gso_type == PKT_GSO_TCP6 ? NETIF_F_TSO6 : NETIF_F_TSO4;

		if (!(n->features & need))
			sim_fatal("a device without segmentation was given a large packet");
		cut(n, p);
		return;
	}
	if (p->len > FRAME_MAX)
		sim_fatal("a frame of %u bytes", p->len);
	if (p->csum == PKT_CSUM_FILL) {
		if (!(n->features & NETIF_F_TX_CSUM))
			sim_fatal("a device without checksum offload was asked for one");
		fill_sum(p->data + start, p->len - start, p->csum_off);
	}
	sim_link_send(&n->end, p->data, p->len);
}

static int nic_xmit(struct netif *nif, struct pkt *p)
{
	struct sim_nic *n = ((struct sim_nic_state *)nif->priv)->nic;

	if (n->tx_busy) {
		pkt_free(p);
		return -ENOBUFS;
	}
	transmit(n, p);
	pkt_free(p);
	return 0;
}

int sim_nic_attach(struct sim_nic *n, const u8 *mac)
{
	struct sim_nic_state *st = calloc(1, sizeof(*st));
	struct netif *nif;

	memcpy(n->mac, mac, 6);
	n->end.receive = nic_receive;
	st->nic = n;
	st->poller = (struct poller){ .poll = nic_poll, .name = "sim" };
	st->irq = (struct sim_irq){ .fn = nic_interrupt, .arg = st };
	st->driver = (struct netif_driver){
		.name = "sim",
		.type = 1,
		.features = n->features,
		.ops = { .open = nic_open, .stop = nic_stop, .xmit = nic_xmit },
	};
	n->state = st;
	nif = netif_attach_owner(&st->driver, st, mac, "eth%d", NULL);
	if (IS_ERR(nif)) {
		n->state = NULL;
		free(st);
		return PTR_ERR(nif);
	}
	n->nif = nif;
	return 0;
}

void sim_nic_detach(struct sim_nic *n)
{
	if (!n->state)
		return;
	netif_detach(n->nif);
	sim_irq_drop(&n->state->irq);
	free(n->state);
	n->state = NULL;
	n->nif = NULL;
}

void sim_nic_tx_busy(struct sim_nic *n)
{
	n->tx_busy = true;
	netif_tx_stop(n->nif);
}

void sim_nic_tx_free(struct sim_nic *n)
{
	n->tx_busy = false;
	netif_tx_wake(n->nif);
}
