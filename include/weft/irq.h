/* SPDX-License-Identifier: MIT */
/* irq.h - device interrupts. Handlers run with interrupts off, only acknowledge and schedule. */
#pragma once

#include <weft/types.h>

/* Line interrupts have the number of their global system interrupt, messages from here up. */
#define IRQ_MSI_BASE 64

struct pci_dev;
enum irq_return { IRQ_NOT_MINE, IRQ_HANDLED };
typedef enum irq_return (*irq_handler)(void *arg);

/* The ledger's record of one claimed interrupt. Lines may be shared. */
struct irq;

/* Claims the best interrupt of a PCI function: MSI-X entry 0, else MSI, else its INTx line
 * (shared). ERR_PTR(-ENODEV, -ENOSPC, -ENOMEM). Process context. name shows in /proc/interrupts. */
struct irq *pci_irq_request(struct pci_dev *dev, irq_handler fn, void *arg, const char *name);
/* One MSI-X vector of several; -ENODEV when the function has no MSI-X or fewer entries. */
struct irq *pci_msix_request(struct pci_dev *dev, u32 entry, u32 cpu, irq_handler fn, void *arg,
			     const char *name);
/* ISA interrupt 0..15. */
struct irq *isa_irq_request(u8 isa_irq, irq_handler fn, void *arg, const char *name);
/* Holds a claimed interrupt back and lets it come again: for a device that cannot mask itself. A
 * shared line is masked for all its devices. The calls nest. Any context. */
void irq_mask(struct irq *irq);
void irq_unmask(struct irq *irq);
/* Returns when the handler is not running on any CPU and never will be. Process context. */
void irq_free(struct irq *irq);
bool irq_is_msi(
	const struct irq *irq); /* not shared: no need to ask the device whether it was it */
u64 irq_count(const struct irq *irq);
