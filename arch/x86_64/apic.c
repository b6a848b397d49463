/* SPDX-License-Identifier: MIT */
/* apic.c - this CPU's local APIC (Intel SDM vol. 3, chapter 11): end of interrupt, inter-processor
 * interrupts, its timer's registers. Reached through memory, or through MSRs in x2APIC mode, which
 * is used when the firmware left it on or a hypervisor offers it (an MSR write is its cheaper
 * exit). */

#define LOG_NAME "apic: "
#include <weft/err.h>
#include <weft/printk.h>

#include "machine.h"

enum apic_reg {
	REG_ID = 0x020,
	REG_TPR = 0x080,
	REG_EOI = 0x0b0,
	REG_SPURIOUS = 0x0f0,
	REG_ESR = 0x280,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320,
	REG_LVT_LINT0 = 0x350,
	REG_LVT_LINT1 = 0x360,
	REG_LVT_ERROR = 0x370,
	REG_TIMER_INITIAL = 0x380,
	REG_TIMER_CURRENT = 0x390,
	REG_TIMER_DIVIDE = 0x3e0,
};

#define BASE_ENABLE BIT64(11)
#define BASE_X2APIC BIT64(10)
#define SPURIOUS_ENABLE BIT(8)
#define ICR_PENDING BIT(12)
#define ICR_ASSERT BIT(14)
#define DIVIDE_BY_1 0xb
#define LVT_NMI 0x400
#define MSI_BASE 0xfee00000u

static volatile u32 *regs; /* NULL: x2APIC */

static u32 apic_read(enum apic_reg reg)
{
	return regs ? regs[reg / 4] : (u32)rdmsr(MSR_X2APIC + reg / 16);
}

static void apic_write(enum apic_reg reg, u32 v)
{
	if (regs)
		regs[reg / 4] = v;
	else
		wrmsr(MSR_X2APIC + reg / 16, v);
}

u32 apic_id(void)
{
	u32 id = apic_read(REG_ID);

	return regs ? id >> 24 : id;
}

void apic_eoi(void)
{
	apic_write(REG_EOI, 0);
}

void apic_send(u32 dest, u32 icr_low)
{
	unsigned long flags;

	if (!regs) {
		smp_mb(); /* the MSR write does not order earlier stores */
		wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)dest << 32 | icr_low);
		return;
	}
	flags = irq_save();
	apic_write(REG_ICR_HIGH, dest << 24);
	apic_write(REG_ICR, icr_low);
	while (apic_read(REG_ICR) & ICR_PENDING)
		cpu_relax();
	irq_restore(flags);
}

void apic_ipi(u32 cpu, u32 vector)
{
	apic_send(machine_cpus[cpu]->core.apic_id, ICR_ASSERT | vector);
}

void arch_send_resched(u32 cpu)
{
	if (cpu < nr_cpus)
		apic_ipi(cpu, VEC_RESCHED);
}

u32 apic_timer_count(void)
{
	return apic_read(REG_TIMER_CURRENT);
}

void apic_timer_start(u32 count)
{
	apic_write(REG_TIMER_INITIAL, count);
}

void apic_timer_mode(u32 lvt)
{
	apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(REG_LVT_TIMER, lvt | VEC_TIMER);
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (!regs)
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
	apic_write(REG_TPR, 0);
	apic_write(REG_LVT_LINT0, LVT_MASKED); /* the 8259 is not used */
	apic_write(REG_LVT_LINT1, LVT_NMI);
	apic_write(REG_LVT_ERROR, VEC_ERROR);
	apic_timer_mode(LVT_MASKED);
	apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
	this_machine_cpu()->core.apic_id = apic_id();
}

bool apic_init(void)
{
	if (!(features.hwcap & BIT(9)))
		return false;
	if (!(rdmsr(MSR_APIC_BASE) & BASE_X2APIC) && !(features.x2apic && features.hypervisor)) {
		regs = mmu_map_device(acpi.lapic, PAGE_SIZE);
		if (!regs)
			return false;
	}
	apic_init_cpu();
	return true;
}

/* SDM vol. 3, 11.11: fixed delivery, edge, physical destination. */
u64 arch_msi_address(u32 cpu)
{
	return MSI_BASE | machine_cpus[cpu]->core.apic_id << 12;
}

u32 arch_msi_data(int vector)
{
	return (u32)vector;
}
