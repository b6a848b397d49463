/* SPDX-License-Identifier: MIT */
/* sysfs.c - PCI functions and drivers under /sys/bus/pci, in Linux's formats: modprobe at boot
 * reads every device's modalias, lspci its uevent. */
#define LOG_NAME "pci: "
#include <weft/alloc.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/string.h>

#include "internal.h"

#define RESOURCE_IO 0x00000100u /* Linux's IORESOURCE_* */
#define RESOURCE_MEM 0x00000200u
#define RESOURCE_PREFETCH 0x00002000u
#define RESOURCE_64 0x00100000u
#define RESOURCE_ROWS 13 /* 6 BARs, ROM, 6 of bridges */

static struct pci_dev *shown(struct seq *s)
{
	return s->arg;
}

static int vendor_show(struct seq *s)
{
	return seq_printf(s, "0x%04x\n", shown(s)->vendor);
}

static int device_show(struct seq *s)
{
	return seq_printf(s, "0x%04x\n", shown(s)->device);
}

static int subvendor_show(struct seq *s)
{
	return seq_printf(s, "0x%04x\n", shown(s)->subvendor);
}

static int subdevice_show(struct seq *s)
{
	return seq_printf(s, "0x%04x\n", shown(s)->subdevice);
}

static int class_show(struct seq *s)
{
	return seq_printf(s, "0x%06x\n", shown(s)->class);
}

static int revision_show(struct seq *s)
{
	return seq_printf(s, "0x%02x\n", shown(s)->revision);
}

static int irq_show(struct seq *s)
{
	const struct pci_dev *dev = shown(s);

	/* as on Linux: the line until something better is claimed */
	return seq_printf(s, "%u\n", dev->irq ? dev->irq : dev->irq_pin ? dev->irq_line : 0);
}

static int modalias_show(struct seq *s)
{
	const struct pci_dev *dev = shown(s);

	return seq_printf(s, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", dev->vendor,
			  dev->device, dev->subvendor, dev->subdevice, dev->class >> 16,
			  (dev->class >> 8) & 0xff, dev->class & 0xff);
}

static int uevent_show(struct seq *s)
{
	const struct pci_dev *dev = shown(s);

	mutex_lock(&pci_mutex);
	if (dev->driver)
		seq_printf(s, "DRIVER=%s\n", dev->driver->name);
	mutex_unlock(&pci_mutex);
	seq_printf(s, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\n", dev->class,
		   dev->vendor, dev->device, dev->subvendor, dev->subdevice);
	seq_printf(s, "PCI_SLOT_NAME=%s\nMODALIAS=", dev->name);
	return modalias_show(s);
}

static int resource_show(struct seq *s)
{
	const struct pci_dev *dev = shown(s);
	u32 i;

	for (i = 0; i < RESOURCE_ROWS; i++) {
		const struct pci_bar *bar = i < PCI_MAX_BARS ? &dev->bar[i] : NULL;
		u64 start = 0, end = 0, flags = 0;

		if (bar && bar->addr) {
			start = bar->addr;
			end = bar->addr + bar->size - 1;
			flags = bar->io ? RESOURCE_IO : RESOURCE_MEM;
			flags |= bar->prefetch ? RESOURCE_PREFETCH : 0;
			flags |= bar->is64 ? RESOURCE_64 : 0;
		}
		seq_printf(s, "0x%016llx 0x%016llx 0x%016llx\n", (unsigned long long)start,
			   (unsigned long long)end, (unsigned long long)flags);
	}
	return 0;
}

static int config_show(struct seq *s)
{
	struct pci_dev *dev = shown(s);
	u32 reg, v;

	for (reg = 0; reg < 256; reg += 4) {
		v = pci_read32(dev, reg);
		seq_write(s, &v, sizeof(v));
	}
	return 0;
}

static const struct {
	const char *name;
	int (*show)(struct seq *s);
	u16 mode;
} device_files[] = {
	{ "vendor", vendor_show, 0444 },
	{ "device", device_show, 0444 },
	{ "subsystem_vendor", subvendor_show, 0444 },
	{ "subsystem_device", subdevice_show, 0444 },
	{ "class", class_show, 0444 },
	{ "revision", revision_show, 0444 },
	{ "irq", irq_show, 0444 },
	{ "modalias", modalias_show, 0444 },
	{ "uevent", uevent_show, 0444 },
	{ "resource", resource_show, 0444 },
	{ "config", config_show, 0400 },
};

struct device_sysfs {
	struct procfile file[ARRAY_SIZE(device_files)];
	char path[ARRAY_SIZE(device_files)][64];
};

void pci_sysfs_add_device(struct pci_dev *dev)
{
	struct device_sysfs *ds = kzalloc(sizeof(*ds));
	int err = ds ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; !err && i < ARRAY_SIZE(device_files); i++) {
		struct procfile *f = &ds->file[i];

		snprintf(ds->path[i], sizeof(ds->path[i]), "bus/pci/devices/%s/%s", dev->name,
			 device_files[i].name);
		f->path = ds->path[i];
		f->mode = device_files[i].mode;
		f->show = device_files[i].show;
		f->arg = dev;
		err = sysfile_add_owner(f, NULL);
	}
	dev->sysfs = ds;
	if (err)
		pr_warn("%s: files under /sys are incomplete: error %d\n", dev->name, err);
}

static const char *driver_path(const struct pci_driver *drv, char *buf, size_t size)
{
	snprintf(buf, size, "bus/pci/drivers/%s", drv->name);
	return buf;
}

void pci_sysfs_add_driver(const struct pci_driver *drv)
{
	char path[96], target[96];

	sysfs_mkdir(driver_path(drv, path, sizeof(path)));
	if (!drv->owner)
		return;
	snprintf(path, sizeof(path), "bus/pci/drivers/%s/module", drv->name);
	snprintf(target, sizeof(target), "../../../../module/%s", module_name(drv->owner));
	sysfs_link(path, target);
}

void pci_sysfs_remove_driver(const struct pci_driver *drv)
{
	char path[96];

	sysfs_remove(driver_path(drv, path, sizeof(path)));
}

void pci_sysfs_bind(const struct pci_dev *dev, const struct pci_driver *drv)
{
	char path[96], target[96];

	snprintf(path, sizeof(path), "bus/pci/drivers/%s/%s", drv->name, dev->name);
	snprintf(target, sizeof(target), "../../devices/%s", dev->name);
	sysfs_link(path, target);
	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", dev->name);
	snprintf(target, sizeof(target), "../../drivers/%s", drv->name);
	sysfs_link(path, target);
}

void pci_sysfs_unbind(const struct pci_dev *dev, const struct pci_driver *drv)
{
	char path[96];

	snprintf(path, sizeof(path), "bus/pci/drivers/%s/%s", drv->name, dev->name);
	sysfs_remove(path);
	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", dev->name);
	sysfs_remove(path);
}
