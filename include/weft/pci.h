/* SPDX-License-Identifier: MIT */
/* pci.h - PCI functions and their drivers (PCI Local Bus 3.0, PCI Express 1.1). The core finds the
 * functions; a driver is a registered table and is matched by its ids, now and when it comes later.
 */
#pragma once

#include <weft/irq.h>
#include <weft/ledger.h>
#include <weft/list.h>

#define PCI_ANY 0xffffffffu
#define PCI_MAX_BARS 6

struct pci_id {
	u32 vendor, device;    /* PCI_ANY matches all */
	u32 class, class_mask; /* 24-bit class code; mask 0: not looked at */
	unsigned long data;
};

struct pci_bar {
	phys_addr_t addr; /* 0: absent */
	u64 size;
	bool io, prefetch, is64;
};

struct pci_dev {
	/* fixed once found */
	struct list_head node;
	u8 bus, devfn;
	u16 vendor, device, subvendor, subdevice;
	u32 class; /* 24 bits */
	u8 revision, irq_pin, irq_line;
	struct pci_bar bar[PCI_MAX_BARS];
	u8 msi_cap, msix_cap; /* offsets, 0: none */
	char name[16];	      /* "0000:00:03.0" */
	/* guarded by the PCI mutex */
	struct pci_driver *driver;
	void *drvdata;	  /* the driver's */
	u32 irq;	  /* number in /proc/interrupts, 0: none claimed */
	void *msix_table; /* mapped while vectors are claimed; guarded by irq.c's lock */
	u32 msix_used;
	void *sysfs; /* the core's files */
};

struct pci_driver {
	const char *name;
	const struct pci_id *ids; /* ends with an all-zero entry */
	/* Process context, one device at a time. A failed probe must have undone itself. */
	int (*probe)(struct pci_dev *dev, const struct pci_id *id);
	void (*remove)(struct pci_dev *dev);
	/* the core's */
	struct module *owner;
	struct list_head node;
	struct ledger_entry ledger;
};

/* Registers and probes every matching function; a device's failed probe is logged, not an error.
 * -EEXIST for a name in use. Unregister removes all its devices first. Process context. */
int pci_register_driver_owner(struct pci_driver *drv, struct module *owner);
void pci_unregister_driver(struct pci_driver *drv);
#define pci_register_driver(drv) pci_register_driver_owner(drv, THIS_MODULE)

u8 pci_read8(struct pci_dev *dev, u16 reg);
u16 pci_read16(struct pci_dev *dev, u16 reg);
u32 pci_read32(struct pci_dev *dev, u16 reg);
void pci_write8(struct pci_dev *dev, u16 reg, u8 v);
void pci_write16(struct pci_dev *dev, u16 reg, u16 v);
void pci_write32(struct pci_dev *dev, u16 reg, u32 v);
u8 pci_find_cap(struct pci_dev *dev, u8 cap); /* offset or 0 */
void pci_enable(struct pci_dev *dev);	      /* memory, I/O and bus mastering on */
void pci_disable(struct pci_dev *dev);	      /* bus mastering off */
/* Maps a memory BAR uncached. NULL: absent, an I/O BAR, or no memory. */
void *pci_map_bar(struct pci_dev *dev, u32 bar);
void pci_unmap_bar(struct pci_dev *dev, u32 bar, void *p);
/* Registers in an I/O BAR, off bytes into it; outside of it reads are all ones, writes ignored. Any
 * context. */
u8 pci_io_read8(struct pci_dev *dev, u32 bar, u32 off);
u16 pci_io_read16(struct pci_dev *dev, u32 bar, u32 off);
u32 pci_io_read32(struct pci_dev *dev, u32 bar, u32 off);
void pci_io_write8(struct pci_dev *dev, u32 bar, u32 off, u8 v);
void pci_io_write16(struct pci_dev *dev, u32 bar, u32 off, u16 v);
void pci_io_write32(struct pci_dev *dev, u32 bar, u32 off, u32 v);
/* A new device id for depmod and modprobe: pci:v0000VENDORd0000DEVICEsv*sd*bc*sc*i* */
#define MODULE_PCI_ALIAS(vendor, device) \
	MODULE_ALIAS("pci:v0000" vendor "d0000" device "sv*sd*bc*sc*i*")

/* Register access with the ordering that devices need. Host tests route it to a register model. */
#ifdef WEFT_HOST
u8 mmio_read8(const volatile void *p);
u16 mmio_read16(const volatile void *p);
u32 mmio_read32(const volatile void *p);
void mmio_write8(volatile void *p, u8 v);
void mmio_write16(volatile void *p, u16 v);
void mmio_write32(volatile void *p, u32 v);
#else
#define MMIO_ACCESSORS(bits)                                             \
	static inline u##bits mmio_read##bits(const volatile void *p)    \
	{                                                                \
		u##bits v = *(const volatile u##bits *)p;                \
		__asm__ __volatile__("" ::: "memory");                   \
		return v;                                                \
	}                                                                \
	static inline void mmio_write##bits(volatile void *p, u##bits v) \
	{                                                                \
		__asm__ __volatile__("" ::: "memory");                   \
		*(volatile u##bits *)p = v;                              \
	}
MMIO_ACCESSORS(8)
MMIO_ACCESSORS(16)
MMIO_ACCESSORS(32)
#undef MMIO_ACCESSORS
#endif
