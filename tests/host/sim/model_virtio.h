/* SPDX-License-Identifier: MIT */
/* model_virtio.h - a virtio network device as virtio 1.2 describes it, with the modern or the
 * legacy register interface; it can be told to lie as a broken or hostile device would. */
#pragma once

#include "link.h"

#define MODEL_VIRTIO_QUEUES 3
#define MODEL_VIRTIO_QUEUE_SIZE 128

struct model_virtq {
	u16 size, vector;
	bool enabled;
	u64 desc, avail, used;
	u16 seen; /* of avail */
};

struct model_virtio {
	struct sim_pci_model pci;
	struct sim_end end;
	bool legacy;
	u64 offered; /* feature bits; set before the driver is loaded */
	u8 mac[6];
	bool link_up;	 /* set by model_virtio_link */
	bool tx_hold;	 /* takes nothing until model_virtio_tx_go */
	bool tx_at_once; /* within the notification, as a device that runs beside the driver may */
	/* what it does wrong */
	bool bad_id;	 /* the next used element names a descriptor that does not exist */
	u16 bad_buffers; /* not 0: the next frame's header says so many */
	bool refuse_control;
	const u32 *watched; /* a lock's word, or NULL: see rung_locked */
	/* for tests to look at */
	u64 rx_frames, rx_buffers, rx_dropped, tx_frames, tx_gso, notifies, irqs;
	u64 rung, rung_locked; /* doorbells of QUEUE_TX; those while it is held */
	bool promisc, allmulti;
	u32 groups;
	/* its own */
	u8 status;
	u64 features;
	u32 select_device, select_driver;
	u16 queue_select, config_vector;
	u8 isr;
	struct model_virtq q[MODEL_VIRTIO_QUEUES];
	struct sim_event tx_event;
	u8 tx_buf[66000];
};

void model_virtio_init(struct model_virtio *m, bool legacy, u64 offered, const u8 *mac);
void model_virtio_link(struct model_virtio *m, bool up);
void model_virtio_tx_go(struct model_virtio *m);
/* What the device wrote into avail_event last: that it is at work and need not be told of chains
 * that are added; or that it must be, looking before the last one was there. The real one decides
 * while the driver adds, and neither may see the other's store. */
void model_virtio_at_work(struct model_virtio *m, u32 queue);
void model_virtio_waits(struct model_virtio *m, u32 queue);
/* A frame as the peer's TSO packet: gso_size set, sums not made, in as many buffers as it takes. */
void model_virtio_receive_gso(struct model_virtio *m, const u8 *frame, u32 len, u16 gso_size,
			      u16 csum_start);
