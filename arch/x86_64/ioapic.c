/* SPDX-License-Identifier: MIT */
/* ioapic.c - interrupt lines of the board to vectors: I/O APICs (82093AA datasheet), the MADT's
 * overrides for ISA lines, and the old 8259 pair, which is only told to be silent. */

#define LOG_NAME "ioapic: "
#include <weft/err.h>
#include <weft/printk.h>
#include <weft/spinlock.h>

#include "machine.h"

#define IOREGSEL 0
#define IOWIN 4 /* index of a u32, offset 16 */
#define REG_VERSION 1
#define REG_REDIR(pin) (0x10 + 2 * (pin))
#define REDIR_LOW_ACTIVE BIT(13)
#define REDIR_LEVEL BIT(15)
#define REDIR_MASKED BIT(16)

struct ioapic {
	volatile u32 *regs; /* NULL: could not be mapped */
	u32 gsi_base, pins;
};

static struct ioapic ioapics[ARRAY_SIZE(acpi.ioapic)];
static struct spinlock lock = SPINLOCK_INIT; /* register pairs; taken with interrupts off */

static u32 ioapic_read(const struct ioapic *io, u32 reg)
{
	io->regs[IOREGSEL] = reg;
	return io->regs[IOWIN];
}

static void ioapic_write(const struct ioapic *io, u32 reg, u32 v)
{
	io->regs[IOREGSEL] = reg;
	io->regs[IOWIN] = v;
}

static struct ioapic *find(u32 gsi)
{
	for (u32 i = 0; i < acpi.nr_ioapics; i++) {
		if (ioapics[i].regs && gsi - ioapics[i].gsi_base < ioapics[i].pins)
			return &ioapics[i];
	}
	return NULL;
}

void ioapic_init(void)
{
	for (u32 i = 0; i < acpi.nr_ioapics; i++) {
		struct ioapic *io = &ioapics[i];

		io->regs = mmu_map_device(acpi.ioapic[i].addr, 0x20);
		io->gsi_base = acpi.ioapic[i].gsi_base;
		if (!io->regs || ioapic_read(io, REG_VERSION) == ~0u) {
			pr_warn("none at %#lx\n", acpi.ioapic[i].addr);
			io->regs = NULL;
			continue;
		}
		io->pins = (ioapic_read(io, REG_VERSION) >> 16 & 0xff) + 1;
		for (u32 pin = 0; pin < io->pins; pin++)
			ioapic_write(io, REG_REDIR(pin), REDIR_MASKED);
	}
}

u32 arch_isa_gsi(u8 isa_irq, enum irq_trigger *trigger, bool *active_low)
{
	bool set = isa_irq < 16 && acpi.isa[isa_irq].set;

	*trigger = set && acpi.isa[isa_irq].level ? IRQ_LEVEL : IRQ_EDGE;
	*active_low = set && acpi.isa[isa_irq].low;
	return set ? acpi.isa[isa_irq].gsi : isa_irq;
}

int arch_ioapic_route(u32 gsi, int vector, u32 cpu, enum irq_trigger trigger, bool active_low)
{
	struct ioapic *io = find(gsi);
	unsigned long flags;
	u32 low = (u32)vector, pin;

	if (!io || cpu >= nr_cpus)
		return -ENODEV;
	for (u32 i = 0; i < 16; i++) {
		if (acpi.isa[i].set && acpi.isa[i].gsi == gsi) {
			trigger = acpi.isa[i].level ? IRQ_LEVEL : IRQ_EDGE;
			active_low = acpi.isa[i].low;
		}
	}
	if (trigger == IRQ_LEVEL)
		low |= REDIR_LEVEL;
	if (active_low)
		low |= REDIR_LOW_ACTIVE;
	pin = gsi - io->gsi_base;
	flags = spin_lock_irqsave(&lock);
	ioapic_write(io, REG_REDIR(pin), REDIR_MASKED);
	ioapic_write(io, REG_REDIR(pin) + 1, machine_cpus[cpu]->core.apic_id << 24);
	ioapic_write(io, REG_REDIR(pin), low);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

void arch_ioapic_mask(u32 gsi, bool masked)
{
	struct ioapic *io = find(gsi);
	unsigned long flags;
	u32 v;

	if (!io)
		return;
	flags = spin_lock_irqsave(&lock);
	v = ioapic_read(io, REG_REDIR(gsi - io->gsi_base));
	v = masked ? v | REDIR_MASKED : v & ~REDIR_MASKED;
	ioapic_write(io, REG_REDIR(gsi - io->gsi_base), v);
	spin_unlock_irqrestore(&lock, flags);
}

/* 8259A datasheet: initialised so that even a spurious interrupt has a vector of its own, then
 * masked. */
void pic_disable(void)
{
	static const u16 ports[2] = { 0x20, 0xa0 };

	for (u32 i = 0; i < 2; i++) {
		outb(ports[i], 0x11);
		outb(ports[i] + 1, VEC_PIC + 8 * i);
		outb(ports[i] + 1, i ? 2 : 4);
		outb(ports[i] + 1, 1);
		outb(ports[i] + 1, 0xff);
	}
}
