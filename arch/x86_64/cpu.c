/* SPDX-License-Identifier: MIT */
/* cpu.c - one processor's set-up: what CPUID offers, control registers, GDT, TSS, IDT, the system
 * call MSRs and %gs. Runs on the boot CPU before kmain() and on each further CPU as its first C
 * code. */

#define LOG_NAME "cpu: "
#include <core/sched.h>
#include <weft/printk.h>
#include <weft/string.h>

#include "machine.h"

#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_NE BIT64(5)
#define CR0_AM BIT64(18)
#define CR4_DE BIT64(3)
#define CR4_OSFXSR BIT64(9)
#define CR4_OSXMMEXCPT BIT64(10)
#define CR4_UMIP BIT64(11)
#define CR4_OSXSAVE BIT64(18)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define EFER_SCE BIT64(0)
#define EFER_NX BIT64(11)

#define GATE_INTERRUPT 0x8e
#define GATE_USER 0xee /* DPL 3: int3 and into */

struct idt_gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

/* layout.inc and asm/cpu.h hold these numbers too */
_Static_assert(offsetof(struct cpu, current) == 8, "asm");
_Static_assert(offsetof(struct cpu, kernel_rsp) == 16, "asm");
_Static_assert(offsetof(struct cpu, user_rsp) == 24, "asm");
_Static_assert(offsetof(struct cpu, preempt_count) == 32, "asm");
_Static_assert(offsetof(struct cpu, pending) == 36, "asm");
_Static_assert(sizeof(struct trap_frame) == 176, "asm");
_Static_assert(offsetof(struct trap_frame, rax) == 80, "asm");
_Static_assert(offsetof(struct trap_frame, vector) == 120, "asm");
_Static_assert(offsetof(struct trap_frame, rip) == 136, "asm");
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, 8.7");

struct cpu_features features;
struct machine_cpu boot_cpu = { .core.self = &boot_cpu.core, .core.online = 1 };
struct machine_cpu *machine_cpus[MAX_CPUS] = { &boot_cpu };
u32 nr_cpus = 1;
u32 nr_cpus_present = 1;
static struct idt_gate idt[256];
static u8 boot_ist_stacks[IST_TOTAL] __aligned(16);

static void detect_names(void)
{
	struct cpuid_regs r = cpuid(0, 0);
	char *p = features.model;

	memcpy(features.vendor, &r.ebx, 4);
	memcpy(features.vendor + 4, &r.edx, 4);
	memcpy(features.vendor + 8, &r.ecx, 4);
	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (u32 i = 0; i < 3; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(p + i * 16, &r, 16);
	}
}

/* SDM vol. 2, CPUID. */
void cpu_detect(void)
{
	u32 max = cpuid(0, 0).eax, max_ext = cpuid(0x80000000, 0).eax;
	struct cpuid_regs r = cpuid(1, 0);
	struct cpu_features *f = &features;

	f->hwcap = r.edx;
	f->pge = r.edx & BIT(13);
	f->x2apic = r.ecx & BIT(21);
	f->tsc_deadline = r.ecx & BIT(24);
	f->xsave = r.ecx & BIT(26);
	f->rdrand = r.ecx & BIT(30);
	f->hypervisor = r.ecx & BIT(31);
	if (max >= 7) {
		r = cpuid(7, 0);
		f->smep = r.ebx & BIT(7);
		f->rdseed = r.ebx & BIT(18);
		f->adx = r.ebx & BIT(19);
		f->smap = r.ebx & BIT(20);
		f->umip = r.ecx & BIT(2);
	}
	if (max >= 6)
		f->arat = cpuid(6, 0).eax & BIT(2);
	if (max >= 13 && f->xsave)
		f->xsaveopt = cpuid(13, 1).eax & BIT(0);
	r = cpuid(0x80000001, 0);
	f->nx = r.edx & BIT(20);
	f->gbpages = r.edx & BIT(26);
	if (max_ext >= 0x80000007)
		f->invariant_tsc = cpuid(0x80000007, 0).edx & BIT(8);
	f->phys_bits = max_ext >= 0x80000008 ? cpuid(0x80000008, 0).eax & 0xff : 36;
	detect_names();
}

static void set_tss(struct machine_cpu *mc, u8 *ist)
{
	u64 base = (u64)&mc->tss;

	mc->tss.iomap = sizeof(mc->tss);
	ist += IST_FATAL_SIZE;
	mc->tss.ist[IST_FATAL - 1] = (u64)ist;
	ist += IST_NMI_SIZE;
	mc->tss.ist[IST_NMI - 1] = (u64)ist;
	ist += IST_DEBUG_SIZE;
	mc->tss.ist[IST_DEBUG - 1] = (u64)ist;
	mc->gdt[SEL_TSS / 8] = (sizeof(mc->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			       (base >> 24 & 0xff) << 56;
	mc->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

static void load_tables(struct machine_cpu *mc)
{
	struct table_pointer gdt = { sizeof(mc->gdt) - 1, (u64)mc->gdt };
	struct table_pointer idtp = { sizeof(idt) - 1, (u64)idt };

	mc->gdt[SEL_KCODE / 8] = 0x00af9b000000ffff;
	mc->gdt[SEL_KDATA / 8] = 0x00cf93000000ffff;
	mc->gdt[SEL_UCODE32 / 8] = 0x00cffb000000ffff;
	mc->gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
	mc->gdt[SEL_UCODE / 8] = 0x00affb000000ffff;
	__asm__ __volatile__("lgdt %0" ::"m"(gdt));
	__asm__ __volatile__("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" ::"i"(SEL_KCODE)
			     : "rax", "memory");
	__asm__ __volatile__(
		"mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" ::"r"(
			SEL_KDATA),
		"r"(0));
	wrmsr(MSR_GS_BASE, (u64)mc);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	__asm__ __volatile__("ltr %w0" ::"r"(SEL_TSS));
	__asm__ __volatile__("lidt %0" ::"m"(idtp));
}

void cpu_init(struct machine_cpu *mc, void *ist_stacks)
{
	u64 cr4 = read_cr4() | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	mc->core.self = &mc->core;
	set_tss(mc, ist_stacks ? ist_stacks : boot_ist_stacks);
	load_tables(mc);
	if (features.pge)
		cr4 |= CR4_PGE;
	if (features.smep)
		cr4 |= CR4_SMEP;
	if (features.smap)
		cr4 |= CR4_SMAP;
	if (features.umip)
		cr4 |= CR4_UMIP;
	if (features.xsave)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_WP | CR0_NE | CR0_MP | CR0_AM);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (features.nx ? EFER_NX : 0));
	/* SYSRET loads cs from +16 and ss from +8 of its base */
	wrmsr(MSR_STAR, (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_CSTAR, (u64)syscall_entry32);
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
	fpu_init();
}

static void set_gate(u32 vector, u8 type, u8 ist)
{
	u64 at = trap_stubs[vector];

	idt[vector] = (struct idt_gate){
		.offset_low = (u16)at,
		.selector = SEL_KCODE,
		.ist = ist,
		.type = type,
		.offset_mid = (u16)(at >> 16),
		.offset_high = (u32)(at >> 32),
	};
}

void idt_init(void)
{
	for (u32 v = 0; v < 256; v++)
		set_gate(v, GATE_INTERRUPT, 0);
	set_gate(VEC_DB, GATE_INTERRUPT, IST_DEBUG);
	set_gate(VEC_NMI, GATE_INTERRUPT, IST_NMI);
	set_gate(VEC_DF, GATE_INTERRUPT, IST_FATAL);
	set_gate(VEC_MC, GATE_INTERRUPT, IST_FATAL);
	set_gate(VEC_BP, GATE_USER, 0);
	set_gate(4, GATE_USER, 0);
}

void arch_init_early(void)
{
	smap_patch();
	pic_disable();
	pr_info("%s %s%s\n", features.vendor, features.model,
		features.hypervisor ? " (virtual)" : "");
}

u64 arch_hwcap(void)
{
	return features.hwcap;
}

u64 arch_cycles(void)
{
	return rdtsc();
}

u64 arch_random_seed(u64 *out)
{
	for (int tries = 0; tries < 10; tries++) {
		bool ok = false;
		u64 v = 0;

		if (features.rdseed)
			__asm__ __volatile__("rdseed %0; setc %1" : "=r"(v), "=qm"(ok)::"cc");
		if (!ok && features.rdrand)
			__asm__ __volatile__("rdrand %0; setc %1" : "=r"(v), "=qm"(ok)::"cc");
		if (ok) {
			*out = v;
			return 64;
		}
	}
	return 0;
}
