/* SPDX-License-Identifier: MIT */
/* model_e1000.h - Intel's 82540EM and 82574L at register level, as their manuals and QEMU's
 * emulation describe them: what a driver can see, not how fast it is. */
#pragma once

#include "link.h"

enum model_e1000_kind { MODEL_82540EM, MODEL_82574 };

struct model_e1000 {
	struct sim_pci_model pci;
	struct sim_end end;
	enum model_e1000_kind kind;
	u8 mac[6];	  /* in the EEPROM */
	bool eeprom_only; /* RAL0/RAH0 are not loaded at reset */
	bool link_up;	  /* set by model_e1000_link */
	bool tx_hold;	  /* the transmitter does nothing until model_e1000_tx_go */
	bool dead;	  /* reads as all ones */
	/* for tests to look at */
	u64 rx_frames, rx_missed, rx_filtered, tx_frames, tx_runts, tx_contexts, tx_reports,
		tx_large, tdt_writes, rdt_writes, irqs, accesses; /* accesses: of registers */
	/* its own */
	u32 reg[0x6000 / 4];
	struct sim_event tx_event;
	u64 context;
	struct {
		u64 offsets;
		u32 payload, mss, headers;
		bool v4;
	} tso;
	u8 tx_buf[66000];
	u32 tx_len;
	bool tx_tso; /* the frame being gathered is to be cut */
	u8 tx_popts; /* of its first descriptor */
};
void model_e1000_init(struct model_e1000 *m, enum model_e1000_kind kind, const u8 *mac);
void model_e1000_link(struct model_e1000 *m, bool up);
void model_e1000_tx_go(struct model_e1000 *m);
/* Free receive descriptors the device has. */
u32 model_e1000_rx_free(const struct model_e1000 *m);
