/* SPDX-License-Identifier: MIT */
/* clock.c - nanoseconds since the kernel's first instruction. The TSC, where it can be trusted to
 * run evenly and alike on all CPUs, else the HPET. Its rate is asked from CPUID, else measured for
 * 5 ms against the HPET or the PIT, together with the APIC timer's. */

#define LOG_NAME "clock: "
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/spinlock.h>
#include <weft/time.h>

#include "machine.h"

/* HPET (IA-PC HPET specification 1.0a, 2.3), indices of u64 */
#define HPET_CAP 0
#define HPET_CONFIG 2
#define HPET_COUNTER 30
#define HPET_TIMER0_CONFIG 32
#define HPET_TIMER0_COMPARE 33
#define HPET_CAP_64BIT BIT(13)
#define HPET_CAP_LEGACY BIT(15)
#define HPET_ENABLE 1
#define HPET_LEGACY 2
#define HPET_T_INTERRUPT BIT(2)
#define HPET_T_PERIODIC BIT(3)
#define HPET_T_CAN_PERIODIC BIT(4)
#define HPET_T_SET_VALUE BIT(6)
#define FS_PER_NS 1000000ull
#define HPET_MAX_PERIOD 100000000 /* fs: 10 MHz at least */

#define PIT_HZ 1193182ull
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PORT_B 0x61
#define WINDOW_NS (5 * NSEC_PER_MSEC)
#define PIT_WINDOW (WINDOW_NS * PIT_HZ / NSEC_PER_SEC)
#define TRIES 8
#define SYNC_ROUNDS 200
#define CPUID_TSC 0x15
#define CPUID_HV_TIMING 0x40000010

bool clock_is_tsc = true;
u64 apic_timer_hz;
static u64 tsc_hz;
static u64 tsc_mult;	   /* ns = cycles * mult >> 32; 0: not calibrated, time stands at 0 */
static volatile u64 *hpet; /* NULL: none */
static u32 hpet_period;	   /* fs */
static u64 hpet_mult, hpet_base, hpet_base_ns;
static struct {
	struct spinlock lock;
	u64 last;
	bool warp;
} sync_check;

/* a * b / c without overflow in between; the result must fit. */
static u64 mul_div(u64 a, u64 b, u64 c)
{
	u64 hi, lo, q, r;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "a"(a), "rm"(b) : "cc");
	if (hi >= c)
		return ~0ull;
	__asm__("divq %4" : "=a"(q), "=d"(r) : "a"(lo), "d"(hi), "rm"(c) : "cc");
	return q;
}

static u64 scale(u64 v, u64 mult)
{
	return (u64)((unsigned __int128)v * mult >> 32);
}

u64 hpet_read(void)
{
	return hpet[HPET_COUNTER];
}

u64 arch_clock_ns(void)
{
	if (likely(clock_is_tsc))
		return scale(rdtsc() - boot_info.entry_tsc, tsc_mult);
	return hpet_base_ns + scale(hpet_read() - hpet_base, hpet_mult);
}

u64 clock_ns_to_tsc(u64 ns)
{
	/* "never" stays far in the future instead of wrapping around */
	return boot_info.entry_tsc + mul_div(min(ns, 1ul << 60), tsc_hz, NSEC_PER_SEC);
}

void arch_delay_ns(u64 ns)
{
	u64 end = arch_clock_ns() + ns;

	if (!tsc_mult) { /* an access to the unused port 0x80 takes about a microsecond */
		for (u64 us = ns / 1000 + 1; us; us--)
			outb(0x80, 0);
		return;
	}
	while (arch_clock_ns() < end)
		cpu_relax();
}

static void hpet_init(void)
{
	u64 cap;

	if (!acpi.hpet)
		return;
	hpet = mmu_map_device(acpi.hpet, 1024);
	if (!hpet)
		return;
	cap = hpet[HPET_CAP];
	hpet_period = (u32)(cap >> 32);
	if (!hpet_period || hpet_period > HPET_MAX_PERIOD) {
		hpet = NULL;
		return;
	}
	hpet[HPET_CONFIG] = (hpet[HPET_CONFIG] & ~(u64)HPET_LEGACY) | HPET_ENABLE;
	hpet_mult = ((u64)hpet_period << 32) / FS_PER_NS;
}

/* Timer 0 in the PIT's place on ISA line 0, every ns. */
bool hpet_periodic(u64 ns, u8 gsi)
{
	u64 ticks;

	if (!hpet || !(hpet[HPET_CAP] & HPET_CAP_LEGACY) ||
	    !(hpet[HPET_TIMER0_CONFIG] & HPET_T_CAN_PERIODIC))
		return false;
	ticks = mul_div(ns, FS_PER_NS, hpet_period);
	hpet[HPET_TIMER0_CONFIG] = HPET_T_INTERRUPT | HPET_T_PERIODIC | HPET_T_SET_VALUE;
	hpet[HPET_TIMER0_COMPARE] = hpet_read() + ticks;
	hpet[HPET_TIMER0_COMPARE] = ticks;
	hpet[HPET_CONFIG] = hpet[HPET_CONFIG] | HPET_ENABLE | HPET_LEGACY;
	return true;
}

/* ---- calibration ---- */

struct sample {
	u64 tsc, ref;
	u32 apic;
};

static u64 ref_hpet(void)
{
	return (u32)hpet_read();
}

/* Counts up, as the HPET does. */
static u64 ref_pit(void)
{
	u32 lo, hi;

	outb(PIT_COMMAND, 0x80); /* latch channel 2 */
	lo = inb(PIT_CHANNEL2);
	hi = inb(PIT_CHANNEL2);
	return 0xffff - (hi << 8 | lo);
}

/* All three at one moment: of several tries the one that took the shortest. */
static void take_sample(struct sample *s, u64 (*ref)(void))
{
	u64 best = ~0ull;

	for (int i = 0; i < TRIES; i++) {
		u64 before = rdtsc(), r = ref(), after = rdtsc();
		u32 apic = apic_timer_count();

		if (after - before < best) {
			best = after - before;
			*s = (struct sample){ before + (after - before) / 2, r, apic };
		}
	}
}

static void pit_start(void)
{
	outb(PORT_B, (inb(PORT_B) & ~2) | 1); /* gate on, speaker off */
	outb(PIT_COMMAND, 0xb0);	      /* channel 2, both bytes, mode 0 */
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
}

static void measure(void)
{
	u64 (*ref)(void) = hpet ? ref_hpet : ref_pit;
	u64 mask = hpet ? 0xffffffff : 0xffff, window, elapsed, ns;
	struct sample a, b;

	if (!hpet)
		pit_start();
	window = hpet ? mul_div(WINDOW_NS, FS_PER_NS, hpet_period) : PIT_WINDOW;
	apic_timer_mode(LVT_MASKED);
	apic_timer_start(~0u);
	take_sample(&a, ref);
	while (((ref() - a.ref) & mask) < window)
		cpu_relax();
	take_sample(&b, ref);
	elapsed = (b.ref - a.ref) & mask;
	ns = hpet ? mul_div(elapsed, hpet_period, FS_PER_NS) :
		    mul_div(elapsed, NSEC_PER_SEC, PIT_HZ);
	if (!tsc_hz)
		tsc_hz = mul_div(b.tsc - a.tsc, NSEC_PER_SEC, ns);
	if (!apic_timer_hz)
		apic_timer_hz = mul_div(a.apic - b.apic, NSEC_PER_SEC, ns);
	apic_timer_start(0);
}

static void ask_cpuid(void)
{
	struct cpuid_regs r;

	if (features.hypervisor && cpuid(0x40000000, 0).eax >= CPUID_HV_TIMING) {
		r = cpuid(CPUID_HV_TIMING, 0);
		tsc_hz = r.eax * 1000ull;
		apic_timer_hz = r.ebx * 1000ull;
	}
	if (!tsc_hz && cpuid(0, 0).eax >= CPUID_TSC) {
		r = cpuid(CPUID_TSC, 0);
		if (r.eax && r.ebx && r.ecx)
			tsc_hz = mul_div(r.ecx, r.ebx, r.eax);
	}
}

static bool hpet_wide(void)
{
	return hpet && hpet[HPET_CAP] & HPET_CAP_64BIT;
}

static void switch_to_hpet(void)
{
	hpet_base_ns = arch_clock_ns();
	hpet_base = hpet_read();
	smp_wmb();
	WRITE_ONCE(clock_is_tsc, false);
}

void clock_init(void)
{
	char word[4];

	hpet_init();
	ask_cpuid();
	if (!tsc_hz || (!apic_timer_hz && !features.tsc_deadline))
		measure();
	tsc_mult = (NSEC_PER_SEC << 32) / tsc_hz;
	if (hpet_wide() && (cmdline_get("notsc", word, sizeof(word)) ||
			    (!features.invariant_tsc && !features.hypervisor)))
		switch_to_hpet();
	pr_info("%s, TSC %lu kHz, APIC timer %lu kHz\n", clock_is_tsc ? "TSC" : "HPET",
		tsc_hz / 1000, apic_timer_hz / 1000);
}

/* Both CPUs run this at once while one starts the other: neither may see the other's older time. */
static void sync_round(void)
{
	for (int i = 0; i < SYNC_ROUNDS; i++) {
		u64 now;

		spin_lock(&sync_check.lock);
		now = rdtsc();
		if (now < sync_check.last)
			sync_check.warp = true;
		sync_check.last = now;
		spin_unlock(&sync_check.lock);
	}
}

void clock_check_cpu(u32 cpu)
{
	sync_round();
	if (cpu != 0 || !sync_check.warp || !clock_is_tsc)
		return;
	if (hpet_wide()) {
		pr_warn("the CPUs' TSCs differ: the HPET is the clock\n");
		switch_to_hpet();
	} else {
		pr_err("the CPUs' TSCs differ and there is no HPET: time may step back\n");
		sync_check.warp = false;
	}
}

EXPORT(arch_clock_ns);
EXPORT(arch_delay_ns);
EXPORT(arch_cycles);
