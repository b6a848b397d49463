/* SPDX-License-Identifier: MIT */
/* internal.h - what the files of kernel/pci share, and the registers of configuration space they
 * use (PCI Local Bus 3.0, chapter 6; bridges: PCI-to-PCI Bridge Architecture 1.2, chapter 3). */
#pragma once

#include <weft/mutex.h>
#include <weft/pci.h>

#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO BIT(0)
#define PCI_COMMAND_MEMORY BIT(1)
#define PCI_COMMAND_MASTER BIT(2)
#define PCI_COMMAND_NO_INTX BIT(10)
#define PCI_STATUS 0x06
#define PCI_STATUS_CAPS BIT(4)
#define PCI_REVISION 0x08
#define PCI_CLASS 0x08 /* revision in the low byte */
#define PCI_HEADER_TYPE 0x0e
#define PCI_HEADER_MULTI 0x80
#define PCI_BAR0 0x10
#define PCI_SECONDARY_BUS 0x19
#define PCI_SUBSYSTEM 0x2c
#define PCI_CAP_POINTER 0x34
#define PCI_IRQ_LINE 0x3c
#define PCI_IRQ_PIN 0x3d

#define PCI_CAP_MSI 0x05
#define PCI_CAP_MSIX 0x11

extern struct list_head pci_devices; /* fixed after pci_init */
extern struct list_head pci_drivers; /* guarded by pci_mutex */
extern struct mutex pci_mutex;

/* Files under /sys/bus/pci. No memory: the device works, its directory lacks files; said in the
 * log. */
void pci_sysfs_add_device(struct pci_dev *dev);
void pci_sysfs_add_driver(const struct pci_driver *drv);
void pci_sysfs_remove_driver(const struct pci_driver *drv);
void pci_sysfs_bind(const struct pci_dev *dev, const struct pci_driver *drv);
void pci_sysfs_unbind(const struct pci_dev *dev, const struct pci_driver *drv);

/* msi.c: messages of one function. Vectors are written masked or with the function's messages off,
 * so a device never signals a half-written address. Callers hold irq.c's mutex. */
int pci_msi_enable(struct pci_dev *dev, u32 cpu, int vector);
void pci_msi_disable(struct pci_dev *dev);
u32 pci_msix_count(struct pci_dev *dev);
int pci_msix_enable(struct pci_dev *dev, u32 entry, u32 cpu, int vector);
void pci_msix_disable(struct pci_dev *dev, u32 entry);
void pci_msix_mask(struct pci_dev *dev, u32 entry, bool masked);
void pci_intx_enable(struct pci_dev *dev, bool on);
