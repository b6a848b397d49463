/* SPDX-License-Identifier: MIT */
/* machine.h - what the files of arch/x86_64 share: control registers and MSRs, the processor's
 * features, the per-CPU data behind struct cpu, and the entry points between the files. Nobody else
 * includes it. */
#pragma once

#include <weft/arch.h>
#include <weft/atomic.h>
#include <weft/types.h>

/* ---- selectors: Linux's numbers, because programs look at cs ---- */
#define SEL_KCODE 0x10
#define SEL_KDATA 0x18
#define SEL_UCODE32 0x23
#define SEL_UDATA 0x2b
#define SEL_UCODE 0x33
#define SEL_TSS 0x40
#define GDT_ENTRIES 10

/* ---- MSRs (Intel SDM vol. 4) ---- */
#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_NT BIT64(14)
#define RFLAGS_RF BIT64(16)
#define RFLAGS_AC BIT64(18)

#define CR0_WP BIT64(16)
#define CR4_PGE BIT64(7)

/* ---- vectors ---- */
#define VEC_DB 1
#define VEC_NMI 2
#define VEC_BP 3
#define VEC_DF 8
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MF 16
#define VEC_MC 18
#define VEC_XM 19
#define VEC_PIC 0x20 /* 16 vectors where a masked 8259 may still send spurious ones */
#define VEC_DEVICE_FIRST 0x30
#define VEC_DEVICE_LAST 0xef
#define VEC_RESCHED 0xf0
#define VEC_CALL 0xf1
#define VEC_TIMER 0xf2
#define VEC_ERROR 0xfe
#define VEC_SPURIOUS 0xff

struct cpu_features {
	bool nx, pge, gbpages, smep, smap, umip, xsave, xsaveopt;
	bool x2apic, tsc_deadline, arat, invariant_tsc, hypervisor, rdrand, rdseed, adx;
	u64 xcr0;     /* 0 without XSAVE */
	u32 fpu_size; /* bytes of a saved state, standard format */
	u32 mxcsr_mask;
	u32 hwcap; /* CPUID.1.EDX */
	u8 phys_bits;
	char vendor[13], model[49];
};
extern struct cpu_features features;

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __packed;

/* A cross-CPU call in flight, owned by the CPU that made it. */
struct cross_call {
	void (*fn)(void *arg);
	void *arg;
	u32 waiting; /* CPUs that have not answered */
};

#define IST_FATAL 1 /* double fault, machine check */
#define IST_NMI 2
#define IST_DEBUG 3
#define IST_FATAL_SIZE 8192
#define IST_NMI_SIZE 4096
#define IST_DEBUG_SIZE 4096
#define IST_TOTAL (IST_FATAL_SIZE + IST_NMI_SIZE + IST_DEBUG_SIZE)

struct machine_cpu {
	struct cpu core;	  /* first: %gs points here */
	phys_addr_t loaded_pgd;	  /* what CR3 holds, or is about to */
	struct thread *fpu_owner; /* whose FPU state the registers hold; NULL: nobody's */
	u64 idle_since;		  /* ns; 0: not halted. The next interrupt ends it */
	u64 timer_deadline;	  /* ns; looked at when timers are forwarded (timer.c) */
	u32 in_vector;		  /* device vector being handled, 0: none */
	u32 call_from;		  /* bits of the CPUs whose cross_call waits for this one */
	struct cross_call call;
	u64 gdt[GDT_ENTRIES];
	struct tss tss;
} __cacheline_aligned;

extern struct machine_cpu boot_cpu;
extern struct machine_cpu *machine_cpus[MAX_CPUS];

static inline struct machine_cpu *this_machine_cpu(void)
{
	return (struct machine_cpu *)this_cpu();
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ __volatile__("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ __volatile__("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 sub)
{
	struct cpuid_regs r;

	__asm__ __volatile__("cpuid"
			     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			     : "a"(leaf), "c"(sub));
	return r;
}

#define DEFINE_CR(n)                                                         \
	static inline u64 read_cr##n(void)                                   \
	{                                                                    \
		u64 v;                                                       \
		__asm__ __volatile__("mov %%cr" #n ", %0" : "=r"(v));        \
		return v;                                                    \
	}                                                                    \
	static inline void write_cr##n(u64 v)                                \
	{                                                                    \
		__asm__ __volatile__("mov %0, %%cr" #n ::"r"(v) : "memory"); \
	}
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)

static inline void invlpg(u64 va)
{
	__asm__ __volatile__("invlpg (%0)" ::"r"(va) : "memory");
}

/* boot.asm, entry.asm, switch.asm, trampoline.asm, kernel.ld */
extern u8 boot_pml4[], boot_stack_guard[], boot_stack[], boot_stack_top[];
extern u8 kernel_text_start[], kernel_text_end[], kernel_rodata_start[], kernel_rodata_end[];
extern const u8 kernel_eh_frame_start[], kernel_eh_frame_end[];
extern u8 kernel_data_start[], kernel_end[], kernel_phys_start[], kernel_phys_end[];
extern u8 trampoline_start[], trampoline_end[];
extern const u64 trap_stubs[256];
void syscall_entry(void);
void syscall_entry32(void);
void thread_entry(void);
void thread_entry_user(void);
void switch_stack(u64 *save_rsp, u64 new_rsp);

/* setup.c */
void boot_main(u32 magic, u32 info_pa, u64 tsc) __noreturn;
extern u8 boot_rsdp[36];     /* the copy GRUB made; all zero: none */
extern phys_addr_t low_page; /* a free page below 640 KiB for the trampoline, 0: none */

/* cpu.c */
void cpu_detect(void);
void cpu_init(struct machine_cpu *mc, void *ist_stacks); /* on the CPU itself */
void idt_init(void);

/* features.c */
void smap_patch(void);
void text_poke(void *at, const void *bytes, size_t n); /* one CPU running, interrupts off */

/* mmu.c */
void mmu_init_boot(const struct mem_range *ram, u32 nr);
void *mmu_map_physical(phys_addr_t pa, size_t n); /* firmware tables, at their direct map address */
void *mmu_map_device(phys_addr_t pa, size_t n);	  /* for good; NULL */
void mmu_unload(phys_addr_t pgd);		  /* no CPU keeps pgd loaded afterwards */

/* trap.c */
void trap_dispatch(struct trap_frame *f);

/* irq.c */
void irq_dispatch(struct trap_frame *f);

/* acpi.c */
struct acpi_info {
	phys_addr_t lapic, hpet;
	u32 nr_ioapics;
	struct {
		phys_addr_t addr;
		u32 gsi_base;
	} ioapic[8];
	struct {
		u32 gsi;
		bool level, low, set;
	} isa[16];
	u32 nr_cpus;
	u32 apic_id[MAX_CPUS];
	bool has_8259;
	struct {
		phys_addr_t base;
		u8 first_bus, last_bus;
	} ecam; /* segment 0; base 0: none */
	u16 pm1a_cnt, pm1b_cnt, smi_cmd, pm_timer;
	u8 acpi_enable, sleep_a, sleep_b;
	bool has_s5, has_reset;
	u8 reset_space, reset_value;
	u64 reset_addr;
};
extern struct acpi_info acpi;
void acpi_init(void);

/* apic.c */
bool apic_init(void); /* false: no local APIC */
void apic_init_cpu(void);
u32 apic_id(void);
void apic_eoi(void);
void apic_send(u32 dest, u32 icr_low); /* physical destination; waits until it is accepted */
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define ICR_NMI 0x4400
void apic_ipi(u32 cpu, u32 vector);
u32 apic_timer_count(void);
void apic_timer_start(u32 count);
void apic_timer_mode(u32 lvt);
#define LVT_MASKED BIT(16)
#define LVT_DEADLINE BIT(18)

/* ioapic.c */
void ioapic_init(void);
void pic_disable(void);

/* smp.c */
void call_service(void); /* answers the cross-CPU calls that wait for this CPU */
void call_cpus(u32 mask, void (*fn)(void *arg), void *arg);
extern bool cpus_halting;

/* clock.c */
void clock_init(void);	       /* calibrates TSC and APIC timer */
void clock_check_cpu(u32 cpu); /* on CPU 0 and on the one that it starts, at once */
u64 clock_ns_to_tsc(u64 ns);   /* the TSC's value at a time of the clock */
extern u64 apic_timer_hz;
extern bool clock_is_tsc;
u64 hpet_read(void);
bool hpet_periodic(u64 ns, u8 gsi);

/* timer.c */
void timer_init_cpu(void);
void timer_init_source(void);
void timer_vector(void);

/* fpu.c */
void fpu_init(void);
void *fpu_alloc(void);
void fpu_switch(struct thread *prev, struct thread *next);
void fpu_forget(struct thread *t);
void fpu_save_current(void); /* the running thread's registers to its area; they stay loaded */
void fpu_load_current(void); /* its area to the registers */
void fpu_reset_area(void *area);
void fpu_reset_current(void); /* area and registers as at the start of a program */
