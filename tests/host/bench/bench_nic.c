/* SPDX-License-Identifier: MIT */
/* bench_nic.c - the plain device without a wire: two of them take frames out of each other's
 * transmit ring, one copy a frame, as a device's DMA would. No offloads: the stack sums and checks
 * in software. */
#include <stdlib.h>
#include <weft/net/netif.h>
#include <weft/poller.h>
#include <weft/string.h>

#include "machine.h"
#include "nic.h"

#define RING 1024
#define HEADROOM 66

struct sim_nic_state {
	struct sim_nic *nic;
	struct netif_driver driver;
	struct poller poller;
	struct sim_irq irq;
	bool stopped;
	u32 head, taken, freed; /* taken is the other end's */
	struct pkt *ring[RING];
};

static struct sim_end *other_end(struct sim_nic *n)
{
	struct sim_link *l = n->end.link;

	return l ? l->end[&n->end == l->end[0]] : NULL;
}

static void reap(struct sim_nic_state *st)
{
	while (st->freed != st->taken)
		pkt_free(st->ring[st->freed++ % RING]);
}

/* The other end has frames for us, or took ours. */
static void doorbell(struct sim_end *end, const u8 *frame, u32 len)
{
	struct sim_nic *n = container_of(end, struct sim_nic, end);

	sim_irq_raise(&n->state->irq);
}

static void nic_interrupt(void *arg)
{
	struct sim_nic_state *st = arg;

	poller_schedule(&st->poller);
}

static u32 receive(struct sim_nic_state *st, struct sim_nic_state *from, u32 budget)
{
	u32 done = 0;

	for (; done < budget && from->taken != from->head; done++, from->taken++) {
		struct pkt *sent = from->ring[from->taken % RING];
		struct pkt *p = pkt_alloc(PKT_POOL_RX, HEADROOM, sent->len);

		if (!p)
			continue;
		memcpy(pkt_put(p, sent->len), sent->data, sent->len);
		netif_rx(st->nic->nif, p);
	}
	return done;
}

static u32 nic_poll(struct poller *poller, u32 budget)
{
	struct sim_nic_state *st = container_of(poller, struct sim_nic_state, poller);
	struct sim_end *other = other_end(st->nic);
	struct sim_nic_state *from;
	u32 done = 0;

	reap(st);
	if (st->stopped) {
		st->stopped = false;
		netif_tx_wake(st->nic->nif);
	}
	if (other) {
		from = container_of(other, struct sim_nic, end)->state;
		done = receive(st, from, budget);
		if (from->stopped && from->taken == from->head)
			other->receive(other, NULL, 0);
	}
	return done;
}

static int nic_open(struct netif *nif)
{
	struct sim_nic_state *st = nif->priv;

	st->nic->nif = nif;
	poller_add(&st->poller);
	return 0;
}

static void nic_stop(struct netif *nif)
{
	struct sim_nic_state *st = nif->priv;

	poller_remove(&st->poller);
	st->taken = st->head;
	reap(st);
}

static int nic_xmit(struct netif *nif, struct pkt *p)
{
	struct sim_nic_state *st = nif->priv;
	struct sim_end *other = other_end(st->nic);

	reap(st);
	if (!other || st->head - st->freed == RING) {
		pkt_free(p);
		return -ENOBUFS;
	}
	st->ring[st->head++ % RING] = p;
	if (st->head - st->freed == RING) {
		st->stopped = true;
		netif_tx_stop(nif);
	}
	other->receive(other, NULL, 0);
	return 0;
}

int sim_nic_attach(struct sim_nic *n, const u8 *mac)
{
	struct sim_nic_state *st = calloc(1, sizeof(*st));
	struct netif *nif;

	memcpy(n->mac, mac, 6);
	n->end.receive = doorbell;
	st->nic = n;
	st->poller = (struct poller){ .poll = nic_poll, .name = "bench" };
	st->irq = (struct sim_irq){ .fn = nic_interrupt, .arg = st };
	st->driver = (struct netif_driver){
		.name = "bench",
		.type = 1,
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
}

void sim_nic_tx_busy(struct sim_nic *n)
{
}

void sim_nic_tx_free(struct sim_nic *n)
{
}
