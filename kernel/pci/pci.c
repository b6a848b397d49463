/* SPDX-License-Identifier: MIT */
/* pci.c - finds the PCI functions behind every bridge the firmware configured, and brings drivers
 * and functions together. What the firmware assigned is taken as it is and nothing is assigned
 * here: a BAR without an address does not exist. No hot plug: the list of functions is fixed after
 * pci_init. */
#define LOG_NAME "pci: "
#include <core/module.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "internal.h"

#define PCI_MAX_CAPS 48 /* a list longer than that is a loop: 192 bytes, 4 each */

LIST_HEAD(pci_devices);
LIST_HEAD(pci_drivers);
DEFINE_MUTEX(pci_mutex);

/* ---- configuration space ---- */

u8 pci_read8(struct pci_dev *dev, u16 reg)
{
	return arch_pci_read(dev->bus, dev->devfn, reg, 1);
}
EXPORT(pci_read8);

u16 pci_read16(struct pci_dev *dev, u16 reg)
{
	return arch_pci_read(dev->bus, dev->devfn, reg, 2);
}
EXPORT(pci_read16);

u32 pci_read32(struct pci_dev *dev, u16 reg)
{
	return arch_pci_read(dev->bus, dev->devfn, reg, 4);
}
EXPORT(pci_read32);

void pci_write8(struct pci_dev *dev, u16 reg, u8 v)
{
	arch_pci_write(dev->bus, dev->devfn, reg, 1, v);
}
EXPORT(pci_write8);

void pci_write16(struct pci_dev *dev, u16 reg, u16 v)
{
	arch_pci_write(dev->bus, dev->devfn, reg, 2, v);
}
EXPORT(pci_write16);

void pci_write32(struct pci_dev *dev, u16 reg, u32 v)
{
	arch_pci_write(dev->bus, dev->devfn, reg, 4, v);
}
EXPORT(pci_write32);

u8 pci_find_cap(struct pci_dev *dev, u8 cap)
{
	u8 at;
	u32 seen;

	if (!(pci_read16(dev, PCI_STATUS) & PCI_STATUS_CAPS))
		return 0;
	at = pci_read8(dev, PCI_CAP_POINTER) & ~3;
	for (seen = 0; at >= 0x40 && seen < PCI_MAX_CAPS; seen++) {
		if (pci_read8(dev, at) == cap)
			return at;
		at = pci_read8(dev, at + 1) & ~3;
	}
	return 0;
}
EXPORT(pci_find_cap);

void pci_enable(struct pci_dev *dev)
{
	u16 want = PCI_COMMAND_MASTER;
	u32 i;

	for (i = 0; i < PCI_MAX_BARS; i++) {
		if (dev->bar[i].addr)
			want |= dev->bar[i].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	pci_write16(dev, PCI_COMMAND, pci_read16(dev, PCI_COMMAND) | want);
}
EXPORT(pci_enable);

void pci_disable(struct pci_dev *dev)
{
	pci_write16(dev, PCI_COMMAND, pci_read16(dev, PCI_COMMAND) & ~(u16)PCI_COMMAND_MASTER);
}
EXPORT(pci_disable);

void *pci_map_bar(struct pci_dev *dev, u32 bar)
{
	if (bar >= PCI_MAX_BARS || !dev->bar[bar].addr || dev->bar[bar].io)
		return NULL;
	return ioremap(dev->bar[bar].addr, dev->bar[bar].size);
}
EXPORT(pci_map_bar);

void pci_unmap_bar(struct pci_dev *dev, u32 bar, void *p)
{
	if (p)
		iounmap(p, dev->bar[bar].size);
}
EXPORT(pci_unmap_bar);

static bool io_port(const struct pci_dev *dev, u32 bar, u32 off, u32 size, u16 *port)
{
	if (bar >= PCI_MAX_BARS || !dev->bar[bar].addr || !dev->bar[bar].io ||
	    (u64)off + size > dev->bar[bar].size)
		return false;
	*port = dev->bar[bar].addr + off;
	return true;
}

#define IO_ACCESSORS(bits, in, out)                                                          \
	u##bits pci_io_read##bits(struct pci_dev *dev, u32 bar, u32 off)                     \
	{                                                                                    \
		u16 port;                                                                    \
                                                                                             \
		return io_port(dev, bar, off, (bits) / 8, &port) ? in(port) : (u##bits) ~0u; \
	}                                                                                    \
	EXPORT(pci_io_read##bits);                                                           \
	void pci_io_write##bits(struct pci_dev *dev, u32 bar, u32 off, u##bits v)            \
	{                                                                                    \
		u16 port;                                                                    \
                                                                                             \
		if (io_port(dev, bar, off, (bits) / 8, &port))                               \
			out(port, v);                                                        \
	}                                                                                    \
	EXPORT(pci_io_write##bits)

IO_ACCESSORS(8, inb, outb);
IO_ACCESSORS(16, inw, outw);
IO_ACCESSORS(32, inl, outl);

/* ---- enumeration ---- */

/* What sticks of all ones in a register tells the size of its BAR (PCI Local Bus 3.0, 6.2.5.1). */
static u32 bar_probe(struct pci_dev *dev, u16 reg)
{
	u32 old = pci_read32(dev, reg), mask;

	pci_write32(dev, reg, 0xffffffff);
	mask = pci_read32(dev, reg);
	pci_write32(dev, reg, old);
	return mask;
}

static void bar_read(struct pci_dev *dev, u32 i, u32 count)
{
	u16 reg = PCI_BAR0 + 4 * i;
	struct pci_bar *bar = &dev->bar[i];
	u32 low = pci_read32(dev, reg), high = 0;
	u64 mask;

	bar->io = low & 1;
	bar->is64 = !bar->io && (low & 6) == 4 && i + 1 < count;
	bar->prefetch = !bar->io && (low & 8);
	mask = bar_probe(dev, reg) & (bar->io ? ~3u : ~15u);
	if (bar->io) {
		mask |= 0xffffffffffff0000ull; /* I/O BARs may decode 16 bits only */
	} else if (bar->is64) {
		high = pci_read32(dev, reg + 4);
		mask |= (u64)bar_probe(dev, reg + 4) << 32;
	} else {
		mask |= 0xffffffff00000000ull;
	}
	bar->addr = (low & (bar->io ? ~3u : ~15u)) | (u64)high << 32;
	bar->size = ~mask + 1;
	/* Not implemented, not assigned, or nonsense. */
	if (!(bar->is64 ? mask : (u32)mask) || !bar->addr || !bar->size ||
	    bar->addr + bar->size < bar->addr)
		*bar = (struct pci_bar){ 0 };
}

static void bars_read(struct pci_dev *dev, u32 count)
{
	u16 command = pci_read16(dev, PCI_COMMAND);
	u32 i = 0;

	/* While ones are in a register the function must not answer to them. */
	pci_write16(dev, PCI_COMMAND, command & ~(u16)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	while (i < count) {
		bool is64 = (pci_read32(dev, PCI_BAR0 + 4 * i) & 7) == 4;

		bar_read(dev, i, count);
		i += is64 ? 2 : 1;
	}
	pci_write16(dev, PCI_COMMAND, command);
}

static void bus_scan(u8 bus, u8 *seen);

static void function_add(u8 bus, u8 devfn, u32 id, u8 type, u8 *seen)
{
	struct pci_dev *dev = kzalloc(sizeof(*dev));
	u32 v;

	if (!dev) {
		pr_err("no memory for the function at %02x:%02x.%x\n", bus, devfn >> 3, devfn & 7);
		return;
	}
	dev->bus = bus;
	dev->devfn = devfn;
	dev->vendor = id & 0xffff;
	dev->device = id >> 16;
	v = pci_read32(dev, PCI_CLASS);
	dev->revision = v & 0xff;
	dev->class = v >> 8;
	dev->irq_line = pci_read8(dev, PCI_IRQ_LINE);
	dev->irq_pin = pci_read8(dev, PCI_IRQ_PIN);
	if (dev->irq_pin > 4)
		dev->irq_pin = 0;
	snprintf(dev->name, sizeof(dev->name), "0000:%02x:%02x.%x", bus, devfn >> 3, devfn & 7);
	if (type == 0) {
		v = pci_read32(dev, PCI_SUBSYSTEM);
		dev->subvendor = v & 0xffff;
		dev->subdevice = v >> 16;
		bars_read(dev, PCI_MAX_BARS);
	} else if (type == 1) {
		bars_read(dev, 2);
	}
	dev->msi_cap = pci_find_cap(dev, PCI_CAP_MSI);
	dev->msix_cap = pci_find_cap(dev, PCI_CAP_MSIX);
	list_add_tail(&dev->node, &pci_devices);
	pci_sysfs_add_device(dev);
	if (type == 1)
		bus_scan(pci_read8(dev, PCI_SECONDARY_BUS), seen);
}

static void bus_scan(u8 bus, u8 *seen)
{
	u32 slot, fn;

	/* An unconfigured bridge shows bus 0 behind it; a broken one may show any bus twice. */
	if (seen[bus / 8] & BIT(bus % 8))
		return;
	seen[bus / 8] |= BIT(bus % 8);
	for (slot = 0; slot < 32; slot++) {
		bool multi = false;

		for (fn = 0; fn < (multi ? 8 : 1); fn++) {
			u8 devfn = slot << 3 | fn, type;
			u32 id = arch_pci_read(bus, devfn, 0, 4);

			if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
				continue;
			type = arch_pci_read(bus, devfn, PCI_HEADER_TYPE, 1);
			if (fn == 0)
				multi = type & PCI_HEADER_MULTI;
			function_add(bus, devfn, id, type & 0x7f, seen);
		}
	}
}

void pci_init(void)
{
	u8 seen[32] = { 0 };

	bus_scan(0, seen);
	interrupts_show_init();
}

/* ---- drivers ---- */

static const struct pci_id *id_match(const struct pci_driver *drv, const struct pci_dev *dev)
{
	const struct pci_id *id;

	for (id = drv->ids; id->vendor || id->device || id->class_mask; id++) {
		if ((id->vendor == PCI_ANY || id->vendor == dev->vendor) &&
		    (id->device == PCI_ANY || id->device == dev->device) &&
		    ((id->class ^ dev->class) & id->class_mask) == 0)
			return id;
	}
	return NULL;
}

static void driver_try(struct pci_driver *drv, struct pci_dev *dev)
{
	const struct pci_id *id = dev->driver ? NULL : id_match(drv, dev);
	int err;

	if (!id)
		return;
	dev->driver = drv;
	err = drv->probe(dev, id);
	if (err) {
		dev->driver = NULL;
		dev->drvdata = NULL;
		if (err != -ENODEV)
			pr_err("%s: driver %s failed: error %d\n", dev->name, drv->name, err);
		return;
	}
	pci_sysfs_bind(dev, drv);
}

static void driver_undo(struct ledger_entry *e)
{
	pci_unregister_driver(container_of(e, struct pci_driver, ledger));
}

int pci_register_driver_owner(struct pci_driver *drv, struct module *owner)
{
	struct pci_driver *other;
	struct pci_dev *dev;

	mutex_lock(&pci_mutex);
	list_for_each_entry(other, &pci_drivers, node) {
		if (!strcmp(other->name, drv->name)) {
			mutex_unlock(&pci_mutex);
			return -EEXIST;
		}
	}
	drv->owner = owner;
	list_add_tail(&drv->node, &pci_drivers);
	ledger_add(&drv->ledger, owner, "PCI driver", drv->name, driver_undo);
	pci_sysfs_add_driver(drv);
	list_for_each_entry(dev, &pci_devices, node)
		driver_try(drv, dev);
	mutex_unlock(&pci_mutex);
	return 0;
}
EXPORT(pci_register_driver_owner);

void pci_unregister_driver(struct pci_driver *drv)
{
	struct pci_dev *dev;

	mutex_lock(&pci_mutex);
	list_for_each_entry(dev, &pci_devices, node) {
		if (dev->driver != drv)
			continue;
		pci_sysfs_unbind(dev, drv);
		drv->remove(dev);
		dev->driver = NULL;
		dev->drvdata = NULL;
	}
	pci_sysfs_remove_driver(drv);
	list_del(&drv->node);
	mutex_unlock(&pci_mutex);
	ledger_remove(&drv->ledger);
}
EXPORT(pci_unregister_driver);
