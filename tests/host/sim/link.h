/* SPDX-License-Identifier: MIT */
/* link.h - a wire between two ends that loses, repeats, reorders, damages and delays frames as a
 * seed says, and a plain network device for tests that need no particular hardware. */
#pragma once

#include "sim.h"

struct netif;

/* Hardware's side: called from a simulated event, interrupts off. */
struct sim_end {
	void (*receive)(struct sim_end *e, const u8 *frame, u32 len);
	struct sim_link *link;
	u64 frames;
};

struct sim_link {
	struct sim_end *end[2];
	u64 delay_ns;
	/* per thousand frames */
	u32 loss, duplicate, reorder, corrupt;
	u64 lost;
	u32 in_flight;
};

/* A fresh link without faults, 10 us long. */
void sim_link_init(struct sim_link *l, struct sim_end *a, struct sim_end *b);
void sim_link_send(struct sim_end *from, const u8 *frame, u32 len);

#define SIM_NIC_RING 256

/* An Ethernet device without DMA: received frames wait in its own ring until the poller takes them.
 */
struct sim_nic {
	struct sim_end end;
	u8 mac[6];
	struct netif *nif;
	u32 features; /* NETIF_F_*, before sim_nic_attach */
	bool tx_busy; /* the ring is full until sim_nic_tx_free */
	u64 overruns;
	/* its own */
	struct sim_nic_state *state;
};
/* Attaches as "eth%d"; the link type must be loaded. Negative errno. */
int sim_nic_attach(struct sim_nic *n, const u8 *mac);
void sim_nic_detach(struct sim_nic *n);
void sim_nic_tx_busy(struct sim_nic *n);
void sim_nic_tx_free(struct sim_nic *n);
