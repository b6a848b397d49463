/* SPDX-License-Identifier: MIT */
/* modern.c - the register interface of virtio 1.0 and later on PCI (virtio 1.2, 4.1.4):
 * capabilities say in which BAR and where each structure lies. What they say is checked against the
 * BAR's size. */
#include "virtio_net.h"

#include <weft/err.h>

#define CAPS_MAX 48

/* ---- finding the structures ---- */

struct region {
	u32 bar, offset, length, multiplier;
	bool found;
};

static void read_cap(struct pci_dev *pci, u8 at, struct region found[])
{
	u8 type = pci_read8(pci, at + CAP_CFG_TYPE);
	struct region r = {
		.bar = pci_read8(pci, at + CAP_BAR),
		.offset = pci_read32(pci, at + CAP_OFFSET),
		.length = pci_read32(pci, at + CAP_LENGTH),
		.found = true,
	};

	if (type < CFG_COMMON || type > CFG_DEVICE || found[type].found)
		return;
	/* 4.1.4.1: what points outside of what there is must be ignored */
	if (r.bar >= PCI_MAX_BARS || !pci->bar[r.bar].addr || pci->bar[r.bar].io ||
	    (u64)r.offset + r.length > pci->bar[r.bar].size)
		return;
	if (type == CFG_NOTIFY)
		r.multiplier = pci_read32(pci, at + CAP_NOTIFY_MULTIPLIER);
	found[type] = r;
}

static volatile u8 *map_region(struct nic *nic, const struct region *r)
{
	if (!nic->map[r->bar])
		nic->map[r->bar] = pci_map_bar(nic->pci, r->bar);
	return nic->map[r->bar] ? (volatile u8 *)nic->map[r->bar] + r->offset : NULL;
}

void virtio_modern_unmap(struct nic *nic)
{
	u32 i;

	for (i = 0; i < PCI_MAX_BARS; i++) {
		pci_unmap_bar(nic->pci, i, nic->map[i]);
		nic->map[i] = NULL;
	}
}

/* ---- the interface ---- */

static u64 modern_features(struct nic *nic)
{
	u64 low, high;

	mmio_write32(nic->common + COMMON_DEVICE_FEATURE_SELECT, 0);
	low = mmio_read32(nic->common + COMMON_DEVICE_FEATURE);
	mmio_write32(nic->common + COMMON_DEVICE_FEATURE_SELECT, 1);
	high = mmio_read32(nic->common + COMMON_DEVICE_FEATURE);
	return high << 32 | low;
}

static u8 modern_status(struct nic *nic)
{
	return mmio_read8(nic->common + COMMON_DEVICE_STATUS);
}

static void modern_set_status(struct nic *nic, u8 status)
{
	mmio_write8(nic->common + COMMON_DEVICE_STATUS, status);
}

static int modern_set_features(struct nic *nic, u64 f)
{
	mmio_write32(nic->common + COMMON_DRIVER_FEATURE_SELECT, 0);
	mmio_write32(nic->common + COMMON_DRIVER_FEATURE, (u32)f);
	mmio_write32(nic->common + COMMON_DRIVER_FEATURE_SELECT, 1);
	mmio_write32(nic->common + COMMON_DRIVER_FEATURE, (u32)(f >> 32));
	modern_set_status(nic, modern_status(nic) | STATUS_FEATURES_OK);
	return modern_status(nic) & STATUS_FEATURES_OK ? 0 : -EIO;
}

static u16 modern_queue_size(struct nic *nic, u16 index)
{
	if (index >= mmio_read16(nic->common + COMMON_NUM_QUEUES))
		return 0;
	mmio_write16(nic->common + COMMON_QUEUE_SELECT, index);
	return mmio_read16(nic->common + COMMON_QUEUE_SIZE);
}

static void write64(volatile u8 *reg, u64 v)
{
	mmio_write32(reg, (u32)v);
	mmio_write32(reg + 4, (u32)(v >> 32));
}

static int modern_queue_start(struct virtq *q, u16 vector)
{
	struct nic *nic = q->nic;
	volatile u8 *c = nic->common;
	u64 off;

	mmio_write16(c + COMMON_QUEUE_SELECT, q->index);
	mmio_write16(c + COMMON_QUEUE_SIZE, q->size);
	if (nic->msix) {
		mmio_write16(c + COMMON_QUEUE_MSIX_VECTOR, vector);
		if (mmio_read16(c + COMMON_QUEUE_MSIX_VECTOR) != vector)
			return -ENODEV;
	}
	write64(c + COMMON_QUEUE_DESC, q->bus);
	write64(c + COMMON_QUEUE_DRIVER, q->avail_bus);
	write64(c + COMMON_QUEUE_DEVICE, q->used_bus);
	off = (u64)mmio_read16(c + COMMON_QUEUE_NOTIFY_OFF) * nic->notify_multiplier;
	if (off + 2 > nic->notify_len)
		return -EIO;
	q->notify = nic->notify_base + off;
	mmio_write16(c + COMMON_QUEUE_ENABLE, 1);
	return 0;
}

static void modern_notify(struct virtq *q)
{
	mmio_write16(q->notify, q->index);
}

static u8 modern_isr(struct nic *nic)
{
	return mmio_read8(nic->isr_reg);
}

static u8 modern_config8(struct nic *nic, u32 off)
{
	return off < nic->config_len ? mmio_read8(nic->config + off) : 0;
}

static int modern_config_vector(struct nic *nic, u16 vector)
{
	mmio_write16(nic->common + COMMON_CONFIG_MSIX_VECTOR, vector);
	return mmio_read16(nic->common + COMMON_CONFIG_MSIX_VECTOR) == vector ? 0 : -ENODEV;
}

static const struct virtio_regs modern_regs = {
	.name = "modern",
	.features = modern_features,
	.set_features = modern_set_features,
	.status = modern_status,
	.set_status = modern_set_status,
	.queue_size = modern_queue_size,
	.queue_start = modern_queue_start,
	.notify = modern_notify,
	.isr = modern_isr,
	.config8 = modern_config8,
	.config_vector = modern_config_vector,
};

int virtio_modern_find(struct nic *nic)
{
	struct region found[CFG_DEVICE + 1] = { 0 };
	struct pci_dev *pci = nic->pci;
	u8 at = pci_find_cap(pci, PCI_CAP_VENDOR);
	u32 seen;

	for (seen = 0; at && seen < CAPS_MAX; seen++) {
		if (pci_read8(pci, at) == PCI_CAP_VENDOR)
			read_cap(pci, at, found);
		at = pci_read8(pci, at + 1) & ~3;
	}
	if (!found[CFG_COMMON].found || found[CFG_COMMON].length < COMMON_SIZE ||
	    !found[CFG_NOTIFY].found || !found[CFG_ISR].found || !found[CFG_DEVICE].found)
		return -ENODEV;
	nic->common = map_region(nic, &found[CFG_COMMON]);
	nic->notify_base = map_region(nic, &found[CFG_NOTIFY]);
	nic->isr_reg = map_region(nic, &found[CFG_ISR]);
	nic->config = map_region(nic, &found[CFG_DEVICE]);
	nic->notify_multiplier = found[CFG_NOTIFY].multiplier;
	nic->notify_len = found[CFG_NOTIFY].length;
	nic->config_len = found[CFG_DEVICE].length;
	if (!nic->common || !nic->notify_base || !nic->isr_reg || !nic->config) {
		virtio_modern_unmap(nic);
		return -ENOMEM;
	}
	nic->regs = &modern_regs;
	return 0;
}
