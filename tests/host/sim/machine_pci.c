/* SPDX-License-Identifier: MIT */
/* machine_pci.c - include/weft/pci.h and irq.h over models: a bus that test code puts models on,
 * drivers matched by their ids, register access routed to the model whose BAR is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <weft/alloc.h>
#include <weft/mutex.h>
#include <weft/pci.h>
#include <weft/rcu.h>
#include <weft/string.h>

#include "machine.h"

#define MODELS_MAX 4
#define COMMAND 4
#define COMMAND_MASTER 4

static struct sim_pci_model *models[MODELS_MAX];
static LIST_HEAD(drivers);
static DEFINE_MUTEX(pci_mutex);

struct slot {
	struct pci_dev dev;
	u16 command;
	struct sim_pci_model *model;
	struct pci_driver *bound;
};

static struct slot *slot_of(struct pci_dev *dev)
{
	return container_of(dev, struct slot, dev);
}

/* ---- registers ---- */

static struct sim_pci_model *model_at(const volatile void *p, u32 *reg)
{
	u32 i;

	for (i = 0; i < MODELS_MAX; i++) {
		struct sim_pci_model *m = models[i];

		if (!m || !m->bar || (const u8 *)p < m->bar ||
		    (const u8 *)p >= m->bar + m->bar_size)
			continue;
		*reg = (const u8 *)p - m->bar;
		return m;
	}
	sim_fatal("register access to %p, which no device has mapped", (const void *)p);
}

static u32 mmio_read(const volatile void *p, u32 size)
{
	struct sim_pci_model *m;
	u32 reg;

	m = model_at(p, &reg);
	return m->read(m, reg, size);
}

static void mmio_write(volatile void *p, u32 size, u32 v)
{
	struct sim_pci_model *m;
	u32 reg;

	m = model_at(p, &reg);
	m->write(m, reg, size, v);
}

u8 mmio_read8(const volatile void *p)
{
	return mmio_read(p, 1);
}

u16 mmio_read16(const volatile void *p)
{
	return mmio_read(p, 2);
}

u32 mmio_read32(const volatile void *p)
{
	return mmio_read(p, 4);
}

void mmio_write8(volatile void *p, u8 v)
{
	mmio_write(p, 1, v);
}

void mmio_write16(volatile void *p, u16 v)
{
	mmio_write(p, 2, v);
}

void mmio_write32(volatile void *p, u32 v)
{
	mmio_write(p, 4, v);
}

/* A mapping counts as a block: a driver that forgets to unmap is found out. */
void *pci_map_bar(struct pci_dev *dev, u32 bar)
{
	struct sim_pci_model *m = slot_of(dev)->model;

	if (bar || m->bar || m->bar_io)
		return NULL;
	m->bar = kmalloc(m->bar_size);
	return m->bar;
}

void pci_unmap_bar(struct pci_dev *dev, u32 bar, void *p)
{
	struct sim_pci_model *m = slot_of(dev)->model;

	if (!p)
		return;
	if (p != m->bar)
		sim_fatal("a BAR is unmapped that was not mapped");
	kfree(m->bar);
	m->bar = NULL;
}

/* Configuration space: what the calls above do not stand for is the capability list. */
#define CAPS_START 0x40

u8 pci_read8(struct pci_dev *dev, u16 reg)
{
	struct sim_pci_model *m = slot_of(dev)->model;

	return reg >= CAPS_START && reg - CAPS_START < (int)m->caps_len ?
		       m->caps[reg - CAPS_START] :
		       0;
}

u16 pci_read16(struct pci_dev *dev, u16 reg)
{
	return pci_read8(dev, reg) | pci_read8(dev, reg + 1) << 8;
}

u32 pci_read32(struct pci_dev *dev, u16 reg)
{
	return pci_read16(dev, reg) | (u32)pci_read16(dev, reg + 2) << 16;
}

void pci_write8(struct pci_dev *dev, u16 reg, u8 v)
{
}

void pci_write16(struct pci_dev *dev, u16 reg, u16 v)
{
}

void pci_write32(struct pci_dev *dev, u16 reg, u32 v)
{
}

u8 pci_find_cap(struct pci_dev *dev, u8 cap)
{
	u8 at = slot_of(dev)->model->caps_len ? CAPS_START : 0;

	while (at && pci_read8(dev, at) != cap)
		at = pci_read8(dev, at + 1);
	return at;
}

static u32 io_read(struct pci_dev *dev, u32 bar, u32 off, u32 size)
{
	struct sim_pci_model *m = slot_of(dev)->model;

	return !bar && m->bar_io && off + size <= m->bar_size ? m->read(m, off, size) : ~0u;
}

static void io_write(struct pci_dev *dev, u32 bar, u32 off, u32 size, u32 v)
{
	struct sim_pci_model *m = slot_of(dev)->model;

	if (!bar && m->bar_io && off + size <= m->bar_size)
		m->write(m, off, size, v);
}

u8 pci_io_read8(struct pci_dev *dev, u32 bar, u32 off)
{
	return io_read(dev, bar, off, 1);
}

u16 pci_io_read16(struct pci_dev *dev, u32 bar, u32 off)
{
	return io_read(dev, bar, off, 2);
}

u32 pci_io_read32(struct pci_dev *dev, u32 bar, u32 off)
{
	return io_read(dev, bar, off, 4);
}

void pci_io_write8(struct pci_dev *dev, u32 bar, u32 off, u8 v)
{
	io_write(dev, bar, off, 1, v);
}

void pci_io_write16(struct pci_dev *dev, u32 bar, u32 off, u16 v)
{
	io_write(dev, bar, off, 2, v);
}

void pci_io_write32(struct pci_dev *dev, u32 bar, u32 off, u32 v)
{
	io_write(dev, bar, off, 4, v);
}

void pci_enable(struct pci_dev *dev)
{
	slot_of(dev)->command = 7;
}

void pci_disable(struct pci_dev *dev)
{
	slot_of(dev)->command &= ~COMMAND_MASTER;
}

bool sim_pci_master(const struct sim_pci_model *m)
{
	return m->dev && (slot_of(m->dev)->command & COMMAND_MASTER);
}

/* ---- interrupts ---- */

struct irq {
	struct sim_irq *line;
	irq_handler fn;
	void *arg;
	u64 count;
	u32 masked;
	bool held; /* came while masked */
	bool msi;
	struct ledger_entry ledger;
};

static void irq_run(void *arg)
{
	struct irq *irq = arg;

	if (irq->masked) {
		irq->held = true;
		return;
	}
	irq->count++;
	irq->fn(irq->arg);
}

static void undo_irq(struct ledger_entry *e)
{
	irq_free(container_of(e, struct irq, ledger));
}

static struct irq *request(struct pci_dev *dev, u32 vector, irq_handler fn, void *arg,
			   const char *name)
{
	struct sim_irq *line = &slot_of(dev)->model->vector[vector];
	struct irq *irq;

	if (line->fn)
		return ERR_PTR(-EBUSY);
	irq = kzalloc(sizeof(*irq));
	if (!irq)
		return ERR_PTR(-ENOMEM);
	irq->line = line;
	irq->msi = slot_of(dev)->model->msix_vectors;
	irq->fn = fn;
	irq->arg = arg;
	line->fn = irq_run;
	line->arg = irq;
	ledger_add(&irq->ledger, dev->driver ? dev->driver->owner : NULL, "irq", name, undo_irq);
	return irq;
}

struct irq *pci_irq_request(struct pci_dev *dev, irq_handler fn, void *arg, const char *name)
{
	return request(dev, 0, fn, arg, name);
}

struct irq *pci_msix_request(struct pci_dev *dev, u32 entry, u32 cpu, irq_handler fn, void *arg,
			     const char *name)
{
	if (entry >= slot_of(dev)->model->msix_vectors)
		return ERR_PTR(-ENODEV);
	return request(dev, entry, fn, arg, name);
}

void irq_free(struct irq *irq)
{
	sim_irq_drop(irq->line);
	irq->line->fn = NULL;
	ledger_remove(&irq->ledger);
	kfree(irq);
}

void irq_mask(struct irq *irq)
{
	irq->masked++;
}

void irq_unmask(struct irq *irq)
{
	if (--irq->masked || !irq->held)
		return;
	irq->held = false;
	sim_irq_raise(irq->line);
}

bool irq_is_msi(const struct irq *irq)
{
	return irq->msi;
}

u64 irq_count(const struct irq *irq)
{
	return irq->count;
}

/* ---- functions and drivers ---- */

static const struct pci_id *match(const struct pci_driver *drv, const struct pci_dev *dev)
{
	const struct pci_id *id;

	for (id = drv->ids; id->vendor || id->device || id->class_mask; id++) {
		if (id->vendor == dev->vendor && id->device == dev->device)
			return id;
	}
	return NULL;
}

static void probe(struct pci_driver *drv, struct pci_dev *dev)
{
	const struct pci_id *id = match(drv, dev);

	if (!id || dev->driver)
		return;
	dev->driver = drv;
	if (drv->probe(dev, id))
		dev->driver = NULL;
}

static void undo_driver(struct ledger_entry *e)
{
	pci_unregister_driver(container_of(e, struct pci_driver, ledger));
}

int pci_register_driver_owner(struct pci_driver *drv, struct module *owner)
{
	u32 i;

	mutex_lock(&pci_mutex);
	drv->owner = owner;
	list_add_tail(&drv->node, &drivers);
	ledger_add(&drv->ledger, owner, "PCI driver", drv->name, undo_driver);
	for (i = 0; i < MODELS_MAX; i++) {
		if (models[i])
			probe(drv, models[i]->dev);
	}
	mutex_unlock(&pci_mutex);
	return 0;
}

void pci_unregister_driver(struct pci_driver *drv)
{
	u32 i;

	mutex_lock(&pci_mutex);
	for (i = 0; i < MODELS_MAX; i++) {
		if (!models[i] || models[i]->dev->driver != drv)
			continue;
		drv->remove(models[i]->dev);
		models[i]->dev->driver = NULL;
	}
	list_del(&drv->node);
	ledger_remove(&drv->ledger);
	mutex_unlock(&pci_mutex);
}

void sim_pci_add(struct sim_pci_model *m)
{
	struct slot *s = calloc(1, sizeof(*s));
	u32 i;

	for (i = 0; i < MODELS_MAX && models[i]; i++)
		;
	if (i == MODELS_MAX)
		sim_fatal("too many PCI models");
	models[i] = m;
	s->model = m;
	m->dev = &s->dev;
	s->dev.vendor = m->vendor;
	s->dev.device = m->device;
	s->dev.bus = m->bus;
	s->dev.devfn = m->devfn;
	s->dev.bar[0] = (struct pci_bar){ .addr = m->bar_io ? 0xc000 : 0xfeb00000,
					  .size = m->bar_size,
					  .io = m->bar_io };
	snprintf(s->dev.name, sizeof(s->dev.name), "0000:%02x:%02x.%x", m->bus, m->devfn >> 3,
		 m->devfn & 7);
}

void sim_pci_remove(struct sim_pci_model *m)
{
	u32 i;

	for (i = 0; i < MODELS_MAX; i++) {
		if (models[i] == m)
			models[i] = NULL;
	}
	free(slot_of(m->dev));
	m->dev = NULL;
}
