/* SPDX-License-Identifier: MIT */
/* link.c - the simulated wire and the plain network device. */
#include "link.h"

#include <stdlib.h>
#include <weft/net/netif.h>
#include <weft/poller.h>
#include <weft/string.h>

#include "machine.h"

#define REORDER_NS (100 * NSEC_PER_USEC)

struct flight {
	struct sim_event event; /* first */
	struct sim_end *to;
	u32 len;
	u8 data[];
};

void sim_link_init(struct sim_link *l, struct sim_end *a, struct sim_end *b)
{
	*l = (struct sim_link){ .end = { a, b }, .delay_ns = 10 * NSEC_PER_USEC };
	a->link = b->link = l;
}

static bool chance(u32 per_thousand)
{
	return per_thousand && sim_random() % 1000 < per_thousand;
}

static void arrive(struct sim_event *e)
{
	struct flight *f = container_of(e, struct flight, event);

	f->to->link->in_flight--;
	f->to->frames++;
	if (f->to->receive)
		f->to->receive(f->to, f->data, f->len);
	free(f);
}

static void launch(struct sim_link *l, struct sim_end *to, const u8 *frame, u32 len)
{
	struct flight *f = calloc(1, sizeof(*f) + len);
	u64 at = sim_now() + l->delay_ns;

	f->to = to;
	f->len = len;
	memcpy(f->data, frame, len);
	if (len && chance(l->corrupt))
		f->data[sim_random() % len] ^= 1 << sim_random() % 8;
	if (chance(l->reorder))
		at += REORDER_NS + sim_random() % REORDER_NS;
	f->event.fn = arrive;
	l->in_flight++;
	sim_event_set(&f->event, at);
}

void sim_link_send(struct sim_end *from, const u8 *frame, u32 len)
{
	struct sim_link *l = from->link;
	struct sim_end *to;

	if (!l)
		return;
	to = l->end[from == l->end[0]];
	if (chance(l->loss)) {
		l->lost++;
		return;
	}
	launch(l, to, frame, len);
	if (chance(l->duplicate))
		launch(l, to, frame, len);
}

/* ---- the plain device ---- */

struct rx_slot {
	u32 len;
	u8 data[2048];
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

static int nic_xmit(struct netif *nif, struct pkt *p)
{
	struct sim_nic *n = ((struct sim_nic_state *)nif->priv)->nic;

	if (n->tx_busy) {
		pkt_free(p);
		return -ENOBUFS;
	}
	if (p->csum == PKT_CSUM_FILL && !(n->features & NETIF_F_TX_CSUM))
		sim_fatal("a device without checksum offload was asked for one");
	sim_link_send(&n->end, p->data, p->len);
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
