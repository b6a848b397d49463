/* SPDX-License-Identifier: MIT */
/* virtio_net.h - the driver's own structures. device.c brings a device up and down through one of
 * two register interfaces (modern.c, legacy.c), queue.c is the split virtqueue, rx.c and tx.c move
 * frames, control.c sets filters and the address, main.c joins all that to PCI and the interface
 * table. */
#pragma once

#include <weft/alloc.h>
#include <weft/net/netif.h>
#include <weft/pci.h>
#include <weft/pkt.h>
#include <weft/poller.h>
#include <weft/spinlock.h>
#include <weft/time.h>

#include "regs.h"

#define QUEUE_MAX 1024 /* entries that are used of a larger queue a modern device offers */
#define MAC_TABLE_MAX 64

struct nic;

struct virtq {
	/* fixed while the device runs */
	struct nic *nic;
	u16 index; /* QUEUE_* */
	u16 size;  /* a power of two */
	bool event_idx;
	void *memory;
	u32 bytes;
	phys_addr_t bus;
	struct vq_desc *desc;
	struct vq_avail *avail;
	struct vq_used *used;
	phys_addr_t avail_bus, used_bus;
	volatile u8 *notify; /* modern: the queue's doorbell */
	struct pkt **pkt;    /* by the chain's first descriptor; NULL: free, or no packet */
	u8 *busy; /* descriptors in a chain, by its first; 0: the device does not have it */
	/* one user at a time: the poller (rx), the transmit lock (tx), netif_lock (control) */
	u16 free_head, nr_free;
	u16 avail_idx; /* published and not */
	u16 told;      /* avail_idx as the device may know it ... */
	u16 rung;      /* ... and as it was at the last notification */
	u16 used_seen;
	bool broken; /* the device wrote nonsense: nothing more is taken from it */
};

/* A register interface. Process context; notify: any but interrupt, isr: interrupt. */
struct virtio_regs {
	const char *name;
	u64 (*features)(struct nic *nic);
	int (*set_features)(struct nic *nic, u64 f); /* -EIO: the device will not have them */
	u8 (*status)(struct nic *nic);
	void (*set_status)(struct nic *nic, u8 status);
	u16 (*queue_size)(struct nic *nic, u16 index); /* 0: no such queue */
	int (*queue_start)(struct virtq *q, u16 vector);
	void (*notify)(struct virtq *q);
	u8 (*isr)(struct nic *nic); /* reading clears, lowers INTx */
	u8 (*config8)(struct nic *nic, u32 off);
	int (*config_vector)(struct nic *nic, u16 vector); /* -ENODEV refused */
};

struct nic {
	/* fixed by probe */
	struct pci_dev *pci;
	const struct virtio_regs *regs;
	struct netif_driver driver; /* features are this device's */
	struct netif *nif;
	u64 features;
	u32 header;	  /* bytes in front of a frame */
	bool rx_one_desc; /* header and frame may share a descriptor (2.7.4, ANY_LAYOUT) */
	bool has_control;
	struct irq *irq, *irq_config;
	bool msix;
	u8 mac[6];
	void *map[PCI_MAX_BARS];			      /* modern */
	volatile u8 *common, *notify_base, *isr_reg, *config; /* modern */
	u32 notify_multiplier, notify_len, config_len;	      /* modern */
	u32 io_bar;					      /* legacy */
	/* set in interrupt context, taken by poll */
	bool config_changed;
	/* changed by open and stop in process context, under the transmit lock */
	bool up;
	struct virtq rx, tx, control;
	/* the poller's: bytes of buffers that the device should have, and has, how many large ones
	 * among them; the mean length of frames, and whether large buffers are lent for them */
	u32 rx_goal, rx_lent, rx_nr_large, rx_mean;
	bool rx_large;
	struct net_header *tx_headers; /* one a descriptor, with the tx queue's memory */
	phys_addr_t tx_headers_bus;
	u8 *command; /* control.c's, one page for DMA */
	struct poller poller;
	struct batch_end tx_kick;
	struct timer tx_timer;
};

/* modern.c, legacy.c: 0, or -ENODEV when the function has no such interface. */
int virtio_modern_find(struct nic *nic);
void virtio_modern_unmap(struct nic *nic);
int virtio_legacy_find(struct nic *nic);

/* device.c. Process context. */
int virtio_device_probe(struct nic *nic); /* reset, features agreed on, address read */
int virtio_device_start(struct nic *nic); /* queues, DRIVER_OK; under netif_lock */
void virtio_device_stop(struct nic *nic); /* reset: the device forgets all memory. Frees packets */
bool virtio_link_up(struct nic *nic);

/* queue.c. The caller is the queue's one user. */
int vq_alloc(struct virtq *q, struct nic *nic, u16 index, u16 size);
void vq_free(struct virtq *q); /* the device is reset; packets in it are freed */
struct vq_piece {
	phys_addr_t addr;
	u32 len;
	bool device_writes;
};
/* Gives the device a chain of n pieces. p (may be NULL) comes back from vq_take. The first
 * descriptor's number, or -ENOSPC. Not seen by the device before vq_publish. */
int vq_add(struct virtq *q, const struct vq_piece *pieces, u32 n, struct pkt *p);
/* Shows what was added. True: the device wants to know of that or of what it was shown before, and
 * the caller is to ring (regs->notify), which any order of users may do. */
bool vq_show(struct virtq *q);
void vq_publish(struct virtq *q); /* both */
/* The next chain that the device is done with: true, *p and *len (bytes written) set. */
bool vq_take(struct virtq *q, struct pkt **p, u32 *len);
bool vq_pending(const struct virtq *q);
void vq_interrupt_off(struct virtq *q);
/* False: something is pending already, look again (2.7.7). */
bool vq_interrupt_on(struct virtq *q);
/* One when n more chains are done, n > 0 (without EVENT_IDX: when one is). False: they are already.
 */
bool vq_interrupt_after(struct virtq *q, u16 n);
/* Will what is not yet taken cause one? Not once the chain that it was to come with is taken. */
bool vq_interrupt_expected(const struct virtq *q);

/* rx.c: the poller's */
int virtio_rx_fill(struct nic *nic); /* before DRIVER_OK; -ENOMEM: free the queue */
u32 virtio_rx_poll(struct nic *nic, u32 budget);

/* tx.c: under the transmit lock */
int virtio_tx_xmit(struct nic *nic, struct pkt *p); /* consumes; -ENOBUFS */
void virtio_tx_reclaim(struct nic *nic);
u32 virtio_tx_room(const struct nic *nic);
u32 virtio_tx_untold(const struct nic *nic); /* queued since the last vq_publish */
bool virtio_tx_busy(const struct nic *nic);

/* control.c: under netif_lock. -EOPNOTSUPP the device has no such command, -EIO it refused or did
 * not answer. */
int virtio_set_mac(struct nic *nic, const u8 *mac);
void virtio_rx_mode(struct nic *nic);
