/* SPDX-License-Identifier: MIT */
/* pci.c - PCI configuration space by ports 0xcf8/0xcfc, beyond 256 bytes by the MCFG's memory
 * window, and the wiring of INTA-INTD. The latter is AML's knowledge in general; here it is known
 * for the two boards that QEMU builds (i440FX/PIIX3 and Q35/ICH9), elsewhere the firmware's line
 * register is believed. */

#include <weft/err.h>
#include <weft/spinlock.h>

#include "machine.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE BIT(31)
#define REG_CLASS 0x08
#define REG_HEADER_TYPE 0x0e
#define REG_BUSES 0x18
#define CLASS_BRIDGE_PCI 0x0604
#define ID_Q35 0x29c08086u /* device, vendor of 00:00.0 */
#define ICH9_GSI_A 16	   /* PIRQA-D: 16-19, PIRQE-H: 20-23 */
#define ICH9_GSI_E 20
#define ECAM_BUS_SIZE (1u << 20)

static struct spinlock lock = SPINLOCK_INIT; /* address and data ports; interrupts off */
static void *ecam_bus[256];		     /* mapped at first use; guarded by ecam_lock */
static struct spinlock ecam_lock = SPINLOCK_INIT;

static volatile u8 *ecam_reg(u8 bus, u8 devfn, u16 reg)
{
	void *base;

	if (!acpi.ecam.base || bus < acpi.ecam.first_bus || bus > acpi.ecam.last_bus || reg >= 4096)
		return NULL;
	spin_lock(&ecam_lock);
	if (!ecam_bus[bus])
		ecam_bus[bus] =
			mmu_map_device(acpi.ecam.base + (u64)bus * ECAM_BUS_SIZE, ECAM_BUS_SIZE);
	base = ecam_bus[bus];
	spin_unlock(&ecam_lock);
	return base ? (volatile u8 *)base + (devfn << 12) + reg : NULL;
}

static void select_reg(u8 bus, u8 devfn, u16 reg)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | (u32)bus << 16 | (u32)devfn << 8 | (reg & 0xfc));
}

u32 arch_pci_read(u8 bus, u8 devfn, u16 reg, u8 size)
{
	unsigned long flags;
	u32 v;

	if (reg >= 256) {
		volatile u8 *p = ecam_reg(bus, devfn, reg);

		if (!p)
			return ~0u;
		return size == 1 ? *p : size == 2 ? *(volatile u16 *)p : *(volatile u32 *)p;
	}
	flags = spin_lock_irqsave(&lock);
	select_reg(bus, devfn, reg);
	if (size == 1)
		v = inb(CONFIG_DATA + (reg & 3));
	else if (size == 2)
		v = inw(CONFIG_DATA + (reg & 2));
	else
		v = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&lock, flags);
	return v;
}

void arch_pci_write(u8 bus, u8 devfn, u16 reg, u8 size, u32 value)
{
	unsigned long flags;

	if (reg >= 256) {
		volatile u8 *p = ecam_reg(bus, devfn, reg);

		if (!p)
			return;
		if (size == 1)
			*p = (u8)value;
		else if (size == 2)
			*(volatile u16 *)p = (u16)value;
		else
			*(volatile u32 *)p = value;
		return;
	}
	flags = spin_lock_irqsave(&lock);
	select_reg(bus, devfn, reg);
	if (size == 1)
		outb(CONFIG_DATA + (reg & 3), (u8)value);
	else if (size == 2)
		outw(CONFIG_DATA + (reg & 2), (u16)value);
	else
		outl(CONFIG_DATA, value);
	spin_unlock_irqrestore(&lock, flags);
}

/* The bridge whose secondary bus is bus; false when no bridge leads there. */
static bool find_bridge(u8 bus, u8 *parent, u8 *dev)
{
	for (u32 b = 0; b < bus; b++) {
		for (u32 devfn = 0; devfn < 256; devfn++) {
			if (arch_pci_read((u8)b, (u8)devfn, REG_CLASS + 2, 2) != CLASS_BRIDGE_PCI)
				continue;
			if ((arch_pci_read((u8)b, (u8)devfn, REG_BUSES, 4) >> 8 & 0xff) != bus)
				continue;
			*parent = (u8)b;
			*dev = (u8)(devfn >> 3);
			return true;
		}
	}
	return false;
}

/* Reset values of the ICH9's D<n>IR registers, which firmware for Q35 leaves alone and QEMU's _PRT
 * describes: devices 0-24 and 30 rotate through or start at PIRQE, 25-29 and 31 start at PIRQA. */
static int ich9_gsi(u8 dev, u8 pin)
{
	u32 intx = pin - 1u;

	if (dev < 24)
		return ICH9_GSI_E + ((dev + intx) & 3);
	if (dev == 24 || dev == 30)
		return (int)(ICH9_GSI_E + intx);
	return (int)(ICH9_GSI_A + intx);
}

int arch_pci_gsi(u8 bus, u8 dev, u8 pin, u8 line_register)
{
	enum irq_trigger trigger;
	bool low;

	if (pin < 1 || pin > 4)
		return -ENODEV;
	if (arch_pci_read(0, 0, 0, 4) == ID_Q35) {
		/* each bridge rotates its devices' pins: PCI-to-PCI Bridge 1.2, 9.1 */
		while (bus != 0) {
			u8 bridge;

			pin = (u8)((pin - 1 + dev) % 4 + 1);
			if (!find_bridge(bus, &bus, &bridge))
				return -ENODEV;
			dev = bridge;
		}
		return ich9_gsi(dev, pin);
	}
	if (line_register == 0 || line_register == 0xff)
		return -ENODEV;
	return line_register < 16 ? (int)arch_isa_gsi(line_register, &trigger, &low) :
				    line_register;
}
