/* SPDX-License-Identifier: MIT */
/* e1000.h - the driver's own structures: one nic a PCI function, one receive and one transmit ring.
 * hw.c knows registers, rx.c and tx.c the rings, main.c joins them to PCI and the interface
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

#define RX_RING_MAX 1024
#define RX_STOCK 16 /* buffers that are taken from the pool at once */
#define TX_RING_MAX 1024
/* Descriptors that one packet takes at most: a context, the headers, 64 KiB in pieces. */
#define TX_LARGE_MAX 8u
/* Likewise of one that the driver cuts: a context, two a segment, four more pieces. */
#define TX_CUT_SEGMENTS 48u
#define TX_CUT_MAX (1 + 2 * TX_CUT_SEGMENTS + 4)

enum e1000_family { FAMILY_8254X, FAMILY_82574 };

struct rx_ring {
	/* fixed while the interface is up */
	struct rx_desc *desc;
	phys_addr_t bus;
	struct pkt **pkt; /* the buffer that each descriptor lends to the device */
	u32 size;	  /* descriptors, a multiple of 8 */
	u64 to_bus;	  /* what a buffer's bus address is more than its own */
	/* poll context only */
	u32 next;		     /* first descriptor not yet looked at */
	u32 unposted;		     /* refilled descriptors that RDT does not cover yet */
	struct pkt *stock[RX_STOCK]; /* buffers to lend next */
	u32 nr_stock;
};

struct tx_ring {
	/* fixed while the interface is up */
	struct tx_desc *desc;
	phys_addr_t bus;
	struct pkt **pkt; /* set on a buffer's last descriptor: freed when that is done */
	u16 *reported;	  /* a ring of descriptors with RS, in their order */
	u32 size;
	u32 packet_max; /* descriptors that one packet takes at most */
	/* guarded by the interface's transmit lock */
	u32 tail;			 /* next to fill */
	u32 last;			 /* filled last */
	u32 clean;			 /* oldest not reclaimed */
	u32 room;			 /* free descriptors that may be filled */
	u32 shown;			 /* tail, when it was last to be told */
	u32 told;			 /* TDT's last value, or the one that is being written */
	bool ringing;			 /* somebody writes TDT, and then looks at shown again */
	u32 context;			 /* checksum context in force, 0: none */
	u32 reports_asked, reports_seen; /* in reported: next to fill, oldest without its report */
};

struct nic {
	/* fixed by probe */
	struct pci_dev *pci;
	volatile u8 *regs;
	enum e1000_family family;
	struct netif_driver driver;
	struct netif *nif;
	struct irq *irq, *irq_link; /* irq_link: the 82574's second MSI-X vector */
	bool msix;
	u32 rx_causes, other_causes; /* what IMS enables while the device may interrupt */
	u8 mac[6];
	/* set in interrupt context, taken by poll */
	bool link_changed;
	/* of the receive causes; changed by interrupts and by whoever has the poller */
	bool masked;
	bool interrupted; /* since the poller rested */
	/* changed by open and stop in process context, under the transmit lock */
	bool up;
	/* process context, under netif_lock */
	u32 rctl;
	struct rx_ring rx;
	struct tx_ring tx;
	struct poller poller;
	struct batch_end tx_kick; /* one TDT write for what a batch sent */
	struct timer tx_timer;	  /* reclaims what no later send does */
	/* statistics registers clear on read; poll or process context under stats_lock */
	struct spinlock stats_lock;
	u64 crc_errors, missed, collisions, length_errors, rx_errors;
};

static inline u32 reg_read(const struct nic *nic, u32 reg)
{
	return mmio_read32(nic->regs + reg);
}

static inline void reg_write(const struct nic *nic, u32 reg, u32 v)
{
	mmio_write32(nic->regs + reg, v);
}

/* hw.c. Process context, under netif_lock once the interface is attached. */
int e1000_hw_reset(struct nic *nic);	/* quiet, address read; -EIO when the device is not there */
void e1000_hw_start(struct nic *nic);	/* receiver and transmitter on, once: see RCTL below */
void e1000_hw_quiesce(struct nic *nic); /* off for good: no DMA afterwards */
void e1000_hw_set_mac(struct nic *nic, const u8 *mac);
bool e1000_hw_link_up(struct nic *nic);
void e1000_hw_read_stats(struct nic *nic);
/* Multicast through the hash table; RCTL is only rewritten when promiscuity changes, because the
 * emulated 8254x is deaf for a second after each write. */
void e1000_hw_rx_mode(struct nic *nic, bool promisc, bool allmulti, const u8 (*groups)[6], u32 n);

/* rx.c */
int e1000_rx_alloc(struct nic *nic, u32 size); /* ring memory; -ENOMEM */
void e1000_rx_free(struct nic *nic);
int e1000_rx_fill(struct nic *nic); /* posts buffers before up; -ENOMEM when not one could be had */
u32 e1000_rx_poll(struct nic *nic, u32 budget); /* poll context; frames handed up */
bool e1000_rx_pending(const struct nic *nic);	/* poll context; a frame waits in the ring */

/* tx.c */
int e1000_tx_alloc(struct nic *nic, u32 size);
void e1000_tx_free(struct nic *nic); /* the device is quiet: frees all packets */
void e1000_tx_init(struct nic *nic); /* timer and batch; once */
/* The interface's xmit. Under RCU, without the transmit lock. */
int e1000_tx_xmit(struct netif *nif, struct pkt *p);
/* Reclaims, and wakes those who wait for room. Without the transmit lock. */
void e1000_tx_wake(struct nic *nic);
void e1000_tx_reclaim(struct nic *nic); /* transmit lock held */
/* Tells the device of all that is queued, or leaves that to the CPU that is doing so. Transmit lock
 * held, and given away while the device is at it; preemption off, an RCU section. */
void e1000_tx_ring(struct nic *nic);

/* Descriptors that the device does not know of yet. Transmit lock held. */
static inline u32 e1000_tx_untold(const struct nic *nic)
{
	const struct tx_ring *tx = &nic->tx;

	return tx->tail >= tx->told ? tx->tail - tx->told : tx->tail + tx->size - tx->told;
}

/* Are there descriptors told to the device and not reclaimed? */
static inline bool e1000_tx_busy(const struct nic *nic)
{
	return READ_ONCE(nic->tx.clean) != READ_ONCE(nic->tx.told);
}
