/* SPDX-License-Identifier: MIT */
/* nic.h - a plain Ethernet device for simulations that need no particular hardware. No DMA: frames
 * that came wait in its own ring until the poller takes them. */
#pragma once

#include "link.h"

struct netif;

#define SIM_NIC_RING 256

struct sim_nic {
	struct sim_end end;
	u8 mac[6];
	struct netif *nif;
	u32 features; /* NETIF_F_*, before sim_nic_attach: it checks, sums and cuts as they say */
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
