/* SPDX-License-Identifier: MIT */
/* msi.c - message signalled interrupts in a function's capabilities (PCI Local Bus 3.0, 6.8): one
 * MSI message, or single entries of an MSI-X table. Which vector and who handles it is irq.c's. */
#include <weft/alloc.h>
#include <weft/arch.h>

#include "internal.h"

#define MSI_CONTROL 2
#define MSI_ENABLE BIT(0)
#define MSI_MULTIPLE (7u << 4) /* messages enabled, as a power of two */
#define MSI_64BIT BIT(7)
#define MSI_ADDRESS 4

#define MSIX_CONTROL 2
#define MSIX_SIZE 0x7ff /* entries - 1 */
#define MSIX_MASK_ALL BIT(14)
#define MSIX_ENABLE BIT(15)
#define MSIX_TABLE 4 /* BAR in the low three bits, offset above */
#define MSIX_ENTRY_SIZE 16
#define MSIX_ENTRY_MASKED BIT(0)

static void pci_command_change(struct pci_dev *dev, u16 clear, u16 set)
{
	u16 old = pci_read16(dev, PCI_COMMAND);

	pci_write16(dev, PCI_COMMAND, (old & ~clear) | set);
}

void pci_intx_enable(struct pci_dev *dev, bool on)
{
	pci_command_change(dev, PCI_COMMAND_NO_INTX, on ? 0 : PCI_COMMAND_NO_INTX);
}

int pci_msi_enable(struct pci_dev *dev, u32 cpu, int vector)
{
	u8 cap = dev->msi_cap;
	u64 addr = arch_msi_address(cpu);
	u16 control;

	if (!cap)
		return -ENODEV;
	control = pci_read16(dev, cap + MSI_CONTROL) & ~(u16)(MSI_ENABLE | MSI_MULTIPLE);
	pci_write16(dev, cap + MSI_CONTROL, control);
	pci_write32(dev, cap + MSI_ADDRESS, (u32)addr);
	if (control & MSI_64BIT) {
		pci_write32(dev, cap + MSI_ADDRESS + 4, (u32)(addr >> 32));
		pci_write16(dev, cap + MSI_ADDRESS + 8, (u16)arch_msi_data(vector));
	} else {
		pci_write16(dev, cap + MSI_ADDRESS + 4, (u16)arch_msi_data(vector));
	}
	/* a message is a bus master's write */
	pci_command_change(dev, 0, PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	pci_write16(dev, cap + MSI_CONTROL, control | MSI_ENABLE);
	return 0;
}

void pci_msi_disable(struct pci_dev *dev)
{
	u16 control = pci_read16(dev, dev->msi_cap + MSI_CONTROL);

	pci_write16(dev, dev->msi_cap + MSI_CONTROL, control & ~(u16)MSI_ENABLE);
}

u32 pci_msix_count(struct pci_dev *dev)
{
	if (!dev->msix_cap)
		return 0;
	return (pci_read16(dev, dev->msix_cap + MSIX_CONTROL) & MSIX_SIZE) + 1u;
}

static int msix_map(struct pci_dev *dev)
{
	u32 table = pci_read32(dev, dev->msix_cap + MSIX_TABLE);
	u32 bar = table & 7, off = table & ~7u;
	u64 size = (u64)pci_msix_count(dev) * MSIX_ENTRY_SIZE;

	if (bar >= PCI_MAX_BARS || !dev->bar[bar].addr || dev->bar[bar].io ||
	    off + size > dev->bar[bar].size)
		return -ENODEV;
	dev->msix_table = ioremap(dev->bar[bar].addr + off, size);
	return dev->msix_table ? 0 : -ENOMEM;
}

static u8 *msix_entry(struct pci_dev *dev, u32 entry)
{
	return (u8 *)dev->msix_table + (size_t)entry * MSIX_ENTRY_SIZE;
}

void pci_msix_mask(struct pci_dev *dev, u32 entry, bool masked)
{
	mmio_write32(msix_entry(dev, entry) + 12, masked ? MSIX_ENTRY_MASKED : 0);
	mmio_read32(msix_entry(dev, entry) + 12); /* posted: arrived when this returns */
}

int pci_msix_enable(struct pci_dev *dev, u32 entry, u32 cpu, int vector)
{
	u64 addr = arch_msi_address(cpu);
	u16 control;
	u32 i, count = pci_msix_count(dev);
	int err;

	if (entry >= count)
		return -ENODEV;
	pci_command_change(dev, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
	control = pci_read16(dev, dev->msix_cap + MSIX_CONTROL) & ~(u16)MSIX_MASK_ALL;
	if (!dev->msix_used) {
		err = msix_map(dev);
		if (err)
			return err;
		pci_write16(dev, dev->msix_cap + MSIX_CONTROL,
			    control | MSIX_ENABLE | MSIX_MASK_ALL);
		for (i = 0; i < count; i++)
			pci_msix_mask(dev, i, true);
	}
	dev->msix_used++;
	mmio_write32(msix_entry(dev, entry), (u32)addr);
	mmio_write32(msix_entry(dev, entry) + 4, (u32)(addr >> 32));
	mmio_write32(msix_entry(dev, entry) + 8, arch_msi_data(vector));
	pci_msix_mask(dev, entry, false);
	pci_write16(dev, dev->msix_cap + MSIX_CONTROL, control | MSIX_ENABLE);
	return 0;
}

void pci_msix_disable(struct pci_dev *dev, u32 entry)
{
	u16 control;

	pci_msix_mask(dev, entry, true);
	if (--dev->msix_used)
		return;
	control = pci_read16(dev, dev->msix_cap + MSIX_CONTROL);
	pci_write16(dev, dev->msix_cap + MSIX_CONTROL, control & ~(u16)MSIX_ENABLE);
	iounmap(dev->msix_table, (size_t)pci_msix_count(dev) * MSIX_ENTRY_SIZE);
	dev->msix_table = NULL;
}
