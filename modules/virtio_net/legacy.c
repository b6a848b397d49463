/* SPDX-License-Identifier: MIT */
/* legacy.c - the register interface from before virtio 1.0 (virtio 1.2, 4.1.4.8): a few registers
 * in I/O BAR 0, queues of the size the device says, their address as a page number. */
#include "virtio_net.h"

#include <weft/err.h>

/* 4.1.4.8: the device's own configuration follows the vectors, which exist while MSI-X is on. */
static u32 config_base(const struct nic *nic)
{
	return nic->msix ? 24 : 20;
}

static u64 legacy_features(struct nic *nic)
{
	return pci_io_read32(nic->pci, nic->io_bar, LEGACY_DEVICE_FEATURES);
}

static int legacy_set_features(struct nic *nic, u64 f)
{
	pci_io_write32(nic->pci, nic->io_bar, LEGACY_DRIVER_FEATURES, (u32)f);
	return 0;
}

static u8 legacy_status(struct nic *nic)
{
	return pci_io_read8(nic->pci, nic->io_bar, LEGACY_STATUS);
}

static void legacy_set_status(struct nic *nic, u8 status)
{
	pci_io_write8(nic->pci, nic->io_bar, LEGACY_STATUS, status);
}

static u16 legacy_queue_size(struct nic *nic, u16 index)
{
	pci_io_write16(nic->pci, nic->io_bar, LEGACY_QUEUE_SELECT, index);
	return pci_io_read16(nic->pci, nic->io_bar, LEGACY_QUEUE_SIZE);
}

static int legacy_queue_start(struct virtq *q, u16 vector)
{
	struct nic *nic = q->nic;
	u64 pfn = q->bus / LEGACY_PAGE;

	if (pfn > 0xffffffffu)
		return -EIO;
	pci_io_write16(nic->pci, nic->io_bar, LEGACY_QUEUE_SELECT, q->index);
	if (nic->msix) {
		pci_io_write16(nic->pci, nic->io_bar, LEGACY_QUEUE_VECTOR, vector);
		if (pci_io_read16(nic->pci, nic->io_bar, LEGACY_QUEUE_VECTOR) != vector)
			return -ENODEV;
	}
	pci_io_write32(nic->pci, nic->io_bar, LEGACY_QUEUE_PFN, (u32)pfn);
	return 0;
}

static void legacy_notify(struct virtq *q)
{
	pci_io_write16(q->nic->pci, q->nic->io_bar, LEGACY_QUEUE_NOTIFY, q->index);
}

static u8 legacy_isr(struct nic *nic)
{
	return pci_io_read8(nic->pci, nic->io_bar, LEGACY_ISR);
}

static u8 legacy_config8(struct nic *nic, u32 off)
{
	return pci_io_read8(nic->pci, nic->io_bar, config_base(nic) + off);
}

static int legacy_config_vector(struct nic *nic, u16 vector)
{
	pci_io_write16(nic->pci, nic->io_bar, LEGACY_CONFIG_VECTOR, vector);
	return pci_io_read16(nic->pci, nic->io_bar, LEGACY_CONFIG_VECTOR) == vector ? 0 : -ENODEV;
}

static const struct virtio_regs legacy_regs = {
	.name = "legacy",
	.features = legacy_features,
	.set_features = legacy_set_features,
	.status = legacy_status,
	.set_status = legacy_set_status,
	.queue_size = legacy_queue_size,
	.queue_start = legacy_queue_start,
	.notify = legacy_notify,
	.isr = legacy_isr,
	.config8 = legacy_config8,
	.config_vector = legacy_config_vector,
};

int virtio_legacy_find(struct nic *nic)
{
	if (!nic->pci->bar[0].addr || !nic->pci->bar[0].io)
		return -ENODEV;
	nic->io_bar = 0;
	nic->regs = &legacy_regs;
	return 0;
}
