/* SPDX-License-Identifier: MIT */
/* smp.c - starting the other CPUs (INIT, SIPI, SIPI), and calls from one CPU to others. A caller
 * waits until all have answered and meanwhile answers calls to itself, so that two CPUs can call
 * each other even with interrupts off. */

#define LOG_NAME "smp: "
#include <core/sched.h>
#include <weft/alloc.h>
#include <weft/err.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

#include "machine.h"

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_NX BIT(11)
#define IST_ORDER 2 /* 4 pages hold IST_TOTAL bytes */
#define START_TIMEOUT_NS (200 * NSEC_PER_MSEC)

_Static_assert(IST_TOTAL <= PAGE_SIZE << IST_ORDER, "IST stacks");

/* As trampoline.asm has it. */
struct trampoline_args {
	u32 cr3, efer;
	u32 entry64;
	u16 selector, pad0;
	u16 gdt_limit;
	u32 gdt_base;
	u16 pad1[5];
	u64 stack, cpu, entry;
	u64 gdt[4];
} __packed;

_Static_assert(offsetof(struct trampoline_args, stack) == 32, "asm");

extern u8 trampoline_args[], trampoline_64[];

bool cpus_halting;
static u32 alive;     /* the AP that runs ap_main(): its id */
static u32 checked;   /* the AP that is through with the clock check */
static bool released; /* nr_cpus is final: go on to cpu_main() */

/* ---- calls ---- */

void call_service(void)
{
	u32 mask = xchg(&this_machine_cpu()->call_from, 0);

	while (mask) {
		struct cross_call *c = &machine_cpus[__builtin_ctz(mask)]->call;

		mask &= mask - 1;
		c->fn(c->arg);
		__atomic_sub_fetch(&c->waiting, 1, __ATOMIC_RELEASE);
	}
}

/* Preemption is off: mask and this CPU do not change under us. fn runs on the other CPUs in
 * interrupt context, here as the caller is. */
void call_cpus(u32 mask, void (*fn)(void *arg), void *arg)
{
	struct machine_cpu *mc = this_machine_cpu();
	u32 me = mc->core.id, others = mask & ~BIT(me), nr = 0;

	if (others) {
		mc->call.fn = fn;
		mc->call.arg = arg;
		for (u32 m = others; m; m &= m - 1)
			nr++;
		smp_store_release(&mc->call.waiting, nr);
		for (u32 m = others; m; m &= m - 1) {
			u32 cpu = (u32)__builtin_ctz(m);

			__atomic_or_fetch(&machine_cpus[cpu]->call_from, BIT(me), __ATOMIC_SEQ_CST);
			apic_ipi(cpu, VEC_CALL);
		}
	}
	if (mask & BIT(me))
		fn(arg);
	while (others && smp_load_acquire(&mc->call.waiting)) {
		unsigned long flags = irq_save();

		call_service();
		irq_restore(flags);
		cpu_relax();
	}
}

/* ---- start ---- */

static void __noreturn ap_main(struct machine_cpu *mc)
{
	mc->loaded_pgd = kernel_pgd;
	write_cr3(kernel_pgd);
	cpu_init(mc, (void *)mc->tss.ist[0]);
	apic_init_cpu();
	timer_init_cpu();
	smp_store_release(&alive, mc->core.id);
	clock_check_cpu(mc->core.id);
	smp_store_release(&checked, mc->core.id);
	while (!smp_load_acquire(&released))
		cpu_relax();
	/* kernel mappings may have changed while nobody told this CPU */
	arch_flush_local(VMALLOC_BASE, ~0ull);
	cpu_main();
}

static bool wait_for(const u32 *p, u32 value)
{
	u64 end = arch_clock_ns() + START_TIMEOUT_NS;

	while (smp_load_acquire(p) != value) {
		if (arch_clock_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static void kick(u32 apic)
{
	u32 page = (u32)(low_page >> PAGE_SHIFT);

	/* SDM vol. 3, 9.4.4.1; the second SIPI only for a processor that missed the first */
	apic_send(apic, ICR_INIT);
	arch_delay_ns(10 * NSEC_PER_USEC);
	apic_send(apic, ICR_STARTUP | page);
}

static struct machine_cpu *cpu_alloc(u32 id, struct thread *idle)
{
	struct machine_cpu *mc = kzalloc(sizeof(*mc));
	void *ist = pages_alloc(IST_ORDER);

	if (!mc || !ist) {
		kfree(mc);
		if (ist)
			pages_free(ist, IST_ORDER);
		return NULL;
	}
	mc->core.self = &mc->core;
	mc->core.id = id;
	mc->core.current = idle;
	mc->core.kernel_rsp = idle->kstack_top;
	mc->tss.rsp[0] = idle->kstack_top;
	mc->tss.ist[0] = (u64)ist; /* for ap_main() only: cpu_init() splits the area */
	return mc;
}

static bool start_cpu(u32 id, u32 apic, struct trampoline_args *args)
{
	struct thread *idle = sched_idle_thread(id);
	struct machine_cpu *mc = idle ? cpu_alloc(id, idle) : NULL;

	if (!mc) {
		pr_err("no memory for CPU %u\n", id);
		return false;
	}
	machine_cpus[id] = mc;
	args->stack = idle->kstack_top - sizeof(struct trap_frame);
	args->cpu = (u64)mc;
	args->entry = (u64)ap_main;
	smp_mb();
	kick(apic);
	if (!wait_for(&alive, id)) {
		apic_send(apic, ICR_STARTUP | (u32)(low_page >> PAGE_SHIFT));
		if (!wait_for(&alive, id)) {
			/* its memory stays: it may still wake up */
			pr_err("APIC id %u does not start\n", apic);
			machine_cpus[id] = NULL;
			return false;
		}
	}
	clock_check_cpu(0);
	wait_for(&checked, id);
	mc->core.online = 1;
	return true;
}

static struct trampoline_args *trampoline_install(void)
{
	u8 *page = mmu_map_physical(low_page, PAGE_SIZE);
	struct trampoline_args *args;

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	args = (struct trampoline_args *)(page + (trampoline_args - trampoline_start));
	args->cr3 = (u32)virt_to_phys(boot_pml4);
	args->efer = EFER_LME | EFER_SCE | (features.nx ? EFER_NX : 0);
	args->entry64 = (u32)(low_page + (u64)(trampoline_64 - trampoline_start));
	args->gdt_limit = sizeof(args->gdt) - 1;
	args->gdt_base = (u32)(low_page + (u64)(trampoline_args - trampoline_start) +
			       offsetof(struct trampoline_args, gdt));
	return args;
}

static u32 cpu_limit(void)
{
	char word[12];
	int n = MAX_CPUS;

	if (cmdline_get("nosmp", word, sizeof(word)))
		return 1;
	if (cmdline_get("maxcpus", word, sizeof(word)) && !kstrtoint(word, 10, &n))
		return n < 1 ? 1 : min((u32)n, (u32)MAX_CPUS);
	return MAX_CPUS;
}

void arch_start_cpus(void)
{
	u32 limit = cpu_limit(), started = 1;
	struct trampoline_args *args;

	if (acpi.nr_cpus < 2 || limit < 2)
		return;
	if (!low_page) {
		pr_err("no page below 640 KiB is free: one CPU\n");
		return;
	}
	args = trampoline_install();
	for (u32 i = 0; i < acpi.nr_cpus && started < limit; i++) {
		if (acpi.apic_id[i] != boot_cpu.core.apic_id &&
		    start_cpu(started, acpi.apic_id[i], args))
			started++;
	}
	WRITE_ONCE(nr_cpus, started);
	smp_store_release(&released, true);
	pr_info("%u of %u CPUs\n", nr_cpus, acpi.nr_cpus);
}

void arch_init_irq(void)
{
	acpi_init();
	if (!apic_init())
		panic("this processor has no local APIC");
	nr_cpus_present = min(max(acpi.nr_cpus, 1u), cpu_limit());
	ioapic_init();
	clock_init();
	timer_init_source();
}

/* ---- idle and halt ---- */

void arch_idle_wait(void)
{
	struct machine_cpu *mc = this_machine_cpu();

	mc->idle_since = arch_clock_ns();
	/* sti takes effect behind hlt: an interrupt cannot slip in between */
	__asm__ __volatile__("sti; hlt" ::: "memory");
}

void arch_stop_cpus(void)
{
	if (xchg(&cpus_halting, true))
		return;
	for (u32 i = 0; i < nr_cpus; i++) {
		if (i != cpu_id())
			apic_send(machine_cpus[i]->core.apic_id, ICR_NMI);
	}
}

void arch_halt(void)
{
	irq_disable();
	arch_stop_cpus();
	for (;;)
		__asm__ __volatile__("cli; hlt");
}
