/* SPDX-License-Identifier: MIT */
/* irq.c - device interrupts: who handles which vector. A message (MSI, MSI-X) has one handler; a
 * line (ISA, INTx) is a list of handlers that are all asked, masked while it has none, and masked
 * for good when it keeps firing and nobody wants it. The ledger takes back what a module forgets.
 */
#define LOG_NAME "irq: "
#include <core/module.h>
#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/ledger.h>
#include <weft/module.h>
#include <weft/mutex.h>
#include <weft/printk.h>
#include <weft/seqfile.h>
#include <weft/spinlock.h>
#include <weft/string.h>

#include "internal.h"

#define SPURIOUS_LIMIT 10000

enum irq_kind { IRQ_LINE, IRQ_MSI, IRQ_MSIX };

/* One IOAPIC pin in use. */
struct irq_line {
	struct list_head node; /* guarded by irq_mutex */
	u32 gsi, cpu;
	int vector;
	enum irq_trigger trigger;
	/* guarded by lock, interrupts off; the handlers run under it */
	struct spinlock lock;
	struct list_head handlers;
	u32 masked;
	u32 unhandled; /* in a row */
	bool disabled; /* nobody cared */
};

struct irq {
	/* fixed once claimed */
	enum irq_kind kind;
	u32 number, cpu;
	irq_handler fn;
	void *arg;
	char name[32];
	struct pci_dev *dev;   /* NULL: ISA */
	struct irq_line *line; /* IRQ_LINE */
	u32 entry;	       /* IRQ_MSIX */
	int vector;
	struct list_head node;	   /* line->handlers; guarded by its lock */
	struct list_head all_node; /* guarded by irq_mutex */
	struct ledger_entry ledger;
	u64 count;	     /* written by the CPU it is routed to */
	struct atomic masks; /* IRQ_MSIX: nested irq_mask calls */
};

static DEFINE_MUTEX(irq_mutex);
static LIST_HEAD(irq_lines);
static LIST_HEAD(irq_all);
static u32 irq_next_cpu;       /* guarded by irq_mutex */
static u8 irq_msi_numbers[32]; /* bit set: taken; guarded by irq_mutex */

/* ---- in interrupt context ---- */

static void line_interrupt(void *arg)
{
	struct irq_line *line = arg;
	struct irq *irq;
	bool handled = false;
	unsigned long flags = spin_lock_irqsave(&line->lock);

	list_for_each_entry(irq, &line->handlers, node) {
		if (irq->fn(irq->arg) == IRQ_HANDLED) {
			irq->count++;
			handled = true;
		}
	}
	if (handled) {
		line->unhandled = 0;
	} else if (++line->unhandled >= SPURIOUS_LIMIT && !line->disabled) {
		line->disabled = true;
		arch_ioapic_mask(line->gsi, true);
		pr_err("line %u: %u interrupts that no device wants: switched off\n", line->gsi,
		       line->unhandled);
	}
	spin_unlock_irqrestore(&line->lock, flags);
}

static void message_interrupt(void *arg)
{
	struct irq *irq = arg;

	irq->count++;
	irq->fn(irq->arg);
}

/* ---- claiming ---- */

static u32 irq_pick_cpu(void)
{
	return irq_next_cpu++ % nr_cpus;
}

static struct irq_line *line_find(u32 gsi)
{
	struct irq_line *line;

	list_for_each_entry(line, &irq_lines, node) {
		if (line->gsi == gsi)
			return line;
	}
	return NULL;
}

static struct irq_line *line_make(u32 gsi, enum irq_trigger trigger, bool active_low)
{
	struct irq_line *line = kzalloc(sizeof(*line));
	int err;

	if (!line)
		return ERR_PTR(-ENOMEM);
	spin_init(&line->lock);
	list_init(&line->handlers);
	line->gsi = gsi;
	line->cpu = irq_pick_cpu();
	line->trigger = trigger;
	line->vector = arch_irq_alloc_vector(line->cpu, line_interrupt, line);
	if (line->vector < 0) {
		err = line->vector;
		kfree(line);
		return ERR_PTR(err);
	}
	err = arch_ioapic_route(gsi, line->vector, line->cpu, trigger, active_low);
	if (err) {
		arch_irq_free_vector(line->vector);
		kfree(line);
		return ERR_PTR(err);
	}
	arch_ioapic_mask(gsi, true);
	list_add_tail(&line->node, &irq_lines);
	return line;
}

static void line_release(struct irq_line *line)
{
	if (!list_empty(&line->handlers))
		return;
	arch_ioapic_mask(line->gsi, true);
	arch_irq_free_vector(line->vector);
	list_del(&line->node);
	kfree(line);
}

static int line_attach(struct irq *irq, u32 gsi, enum irq_trigger trigger, bool active_low)
{
	struct irq_line *line = line_find(gsi);
	unsigned long flags;

	if (!line)
		line = line_make(gsi, trigger, active_low);
	if (IS_ERR(line))
		return PTR_ERR(line);
	irq->kind = IRQ_LINE;
	irq->line = line;
	irq->number = gsi;
	irq->cpu = line->cpu;
	flags = spin_lock_irqsave(&line->lock);
	list_add_tail(&irq->node, &line->handlers);
	/* A new handler is a new chance for a line that was switched off. */
	line->unhandled = 0;
	line->disabled = false;
	if (!line->masked)
		arch_ioapic_mask(gsi, false);
	spin_unlock_irqrestore(&line->lock, flags);
	return 0;
}

static void line_detach(struct irq *irq)
{
	struct irq_line *line = irq->line;
	/* Handlers run under the lock, so none runs once it was taken. */
	unsigned long flags = spin_lock_irqsave(&line->lock);

	list_del(&irq->node);
	if (list_empty(&line->handlers))
		arch_ioapic_mask(line->gsi, true);
	spin_unlock_irqrestore(&line->lock, flags);
	line_release(line);
}

static u32 msi_number_take(void)
{
	u32 i;

	for (i = 0; i < sizeof(irq_msi_numbers) * 8; i++) {
		if (!(irq_msi_numbers[i / 8] & BIT(i % 8))) {
			irq_msi_numbers[i / 8] |= BIT(i % 8);
			return IRQ_MSI_BASE + i;
		}
	}
	return 0;
}

static void msi_number_give(u32 number)
{
	u32 i = number - IRQ_MSI_BASE;

	irq_msi_numbers[i / 8] &= ~BIT(i % 8);
}

static int message_attach(struct irq *irq, enum irq_kind kind, u32 cpu)
{
	int err;

	irq->number = msi_number_take();
	if (!irq->number)
		return -ENOSPC;
	irq->kind = kind;
	irq->cpu = cpu;
	irq->vector = arch_irq_alloc_vector(cpu, message_interrupt, irq);
	if (irq->vector < 0) {
		msi_number_give(irq->number);
		return irq->vector;
	}
	err = kind == IRQ_MSI ? pci_msi_enable(irq->dev, cpu, irq->vector) :
				pci_msix_enable(irq->dev, irq->entry, cpu, irq->vector);
	if (err) {
		arch_irq_free_vector(irq->vector);
		msi_number_give(irq->number);
	}
	return err;
}

static void message_detach(struct irq *irq)
{
	if (irq->kind == IRQ_MSI)
		pci_msi_disable(irq->dev);
	else
		pci_msix_disable(irq->dev, irq->entry);
	arch_irq_free_vector(irq->vector);
	msi_number_give(irq->number);
}

static void irq_undo(struct ledger_entry *e)
{
	irq_free(container_of(e, struct irq, ledger));
}

static struct irq *irq_new(struct pci_dev *dev, irq_handler fn, void *arg, const char *name)
{
	struct irq *irq = kzalloc(sizeof(*irq));

	if (!irq)
		return NULL;
	irq->dev = dev;
	irq->fn = fn;
	irq->arg = arg;
	strscpy(irq->name, name, sizeof(irq->name));
	return irq;
}

/* Takes the result of attaching; irq_mutex held, dropped here. */
static struct irq *irq_claimed(struct irq *irq, int err)
{
	if (!err) {
		list_add_tail(&irq->all_node, &irq_all);
		if (irq->dev)
			irq->dev->irq = irq->number;
	}
	mutex_unlock(&irq_mutex);
	if (err) {
		kfree(irq);
		return ERR_PTR(err);
	}
	ledger_add(&irq->ledger, module_of((void *)irq->fn), "interrupt", irq->name, irq_undo);
	return irq;
}

struct irq *pci_irq_request(struct pci_dev *dev, irq_handler fn, void *arg, const char *name)
{
	struct irq *irq = irq_new(dev, fn, arg, name);
	int err = -ENODEV, gsi;

	if (!irq)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&irq_mutex);
	if (dev->msix_cap)
		err = message_attach(irq, IRQ_MSIX, irq_pick_cpu());
	if (err && dev->msi_cap && !dev->msix_used)
		err = message_attach(irq, IRQ_MSI, irq_pick_cpu());
	if (err && dev->irq_pin && !dev->msix_used) {
		gsi = arch_pci_gsi(dev->bus, dev->devfn >> 3, dev->irq_pin, dev->irq_line);
		err = gsi;
		if (gsi >= 0) {
			pci_intx_enable(dev, true);
			err = line_attach(irq, gsi, IRQ_LEVEL, true);
		}
	}
	return irq_claimed(irq, err);
}
EXPORT(pci_irq_request);

struct irq *pci_msix_request(struct pci_dev *dev, u32 entry, u32 cpu, irq_handler fn, void *arg,
			     const char *name)
{
	struct irq *irq;

	if (!dev->msix_cap || cpu >= nr_cpus)
		return ERR_PTR(-ENODEV);
	irq = irq_new(dev, fn, arg, name);
	if (!irq)
		return ERR_PTR(-ENOMEM);
	irq->entry = entry;
	mutex_lock(&irq_mutex);
	return irq_claimed(irq, message_attach(irq, IRQ_MSIX, cpu));
}
EXPORT(pci_msix_request);

struct irq *isa_irq_request(u8 isa_irq, irq_handler fn, void *arg, const char *name)
{
	enum irq_trigger trigger = IRQ_EDGE;
	bool active_low = false;
	struct irq *irq;
	u32 gsi;

	if (isa_irq > 15)
		return ERR_PTR(-ENODEV);
	irq = irq_new(NULL, fn, arg, name);
	if (!irq)
		return ERR_PTR(-ENOMEM);
	gsi = arch_isa_gsi(isa_irq, &trigger, &active_low);
	mutex_lock(&irq_mutex);
	return irq_claimed(irq, line_attach(irq, gsi, trigger, active_low));
}
EXPORT(isa_irq_request);

void irq_free(struct irq *irq)
{
	ledger_remove(&irq->ledger);
	mutex_lock(&irq_mutex);
	if (irq->kind == IRQ_LINE)
		line_detach(irq);
	else
		message_detach(irq);
	list_del(&irq->all_node);
	if (irq->dev && irq->dev->irq == irq->number)
		irq->dev->irq = 0;
	mutex_unlock(&irq_mutex);
	kfree(irq);
}
EXPORT(irq_free);

/* ---- a claimed interrupt ---- */

static void line_mask(struct irq_line *line, bool masked)
{
	unsigned long flags = spin_lock_irqsave(&line->lock);

	if (masked && !line->masked++)
		arch_ioapic_mask(line->gsi, true);
	if (!masked && !--line->masked && !line->disabled)
		arch_ioapic_mask(line->gsi, false);
	spin_unlock_irqrestore(&line->lock, flags);
}

void irq_mask(struct irq *irq)
{
	if (irq->kind == IRQ_LINE)
		line_mask(irq->line, true);
	else if (irq->kind == IRQ_MSIX && atomic_inc(&irq->masks) == 1)
		pci_msix_mask(irq->dev, irq->entry, true);
}
EXPORT(irq_mask);

void irq_unmask(struct irq *irq)
{
	if (irq->kind == IRQ_LINE)
		line_mask(irq->line, false);
	else if (irq->kind == IRQ_MSIX && atomic_dec(&irq->masks) == 0)
		pci_msix_mask(irq->dev, irq->entry, false);
}
EXPORT(irq_unmask);

bool irq_is_msi(const struct irq *irq)
{
	return irq->kind != IRQ_LINE;
}
EXPORT(irq_is_msi);

u64 irq_count(const struct irq *irq)
{
	return READ_ONCE(irq->count);
}
EXPORT(irq_count);

/* ---- /proc/interrupts ---- */

static const char *irq_kind_name(const struct irq *irq)
{
	if (irq->kind == IRQ_MSI)
		return "PCI-MSI";
	if (irq->kind == IRQ_MSIX)
		return "PCI-MSIX";
	return irq->line->trigger == IRQ_LEVEL ? "IO-APIC level" : "IO-APIC edge";
}

static int interrupts_show(struct seq *s)
{
	struct irq *irq;
	u32 cpu;

	seq_puts(s, "    ");
	for (cpu = 0; cpu < nr_cpus; cpu++)
		seq_printf(s, "       CPU%-2u", cpu);
	seq_puts(s, "\n");
	mutex_lock(&irq_mutex);
	list_for_each_entry(irq, &irq_all, all_node) {
		seq_printf(s, "%3u:", irq->number);
		for (cpu = 0; cpu < nr_cpus; cpu++)
			seq_printf(s, " %11llu",
				   cpu == irq->cpu ? (unsigned long long)irq_count(irq) : 0ull);
		seq_printf(s, "   %-14s %s\n", irq_kind_name(irq), irq->name);
	}
	mutex_unlock(&irq_mutex);
	return 0;
}

static struct procfile interrupts_file = {
	.path = "interrupts",
	.mode = 0444,
	.show = interrupts_show,
};

void interrupts_show_init(void)
{
	procfile_add(&interrupts_file);
}
