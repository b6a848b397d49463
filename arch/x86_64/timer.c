/* SPDX-License-Identifier: MIT */
/* timer.c - each CPU's one-shot timer: TSC deadline where the APIC has it, else its down-counter.
 * Where neither is wanted (noapictimer), a periodic HPET or PIT interrupt on CPU 0 looks at all
 * CPUs' deadlines and passes the expiry on. */

#define LOG_NAME "timer: "
#include <weft/printk.h>
#include <weft/time.h>

#include "machine.h"

#define PERIOD_NS NSEC_PER_MSEC
#define PIT_HZ 1193182ull
#define PIT_CHANNEL0 0x40
#define PIT_COMMAND 0x43
#define MAX_COUNT 0xffffffffull

static enum { TIMER_NONE, TIMER_DEADLINE, TIMER_COUNT, TIMER_FORWARDED } mode;
static u64 count_mult; /* APIC ticks = ns * mult >> 32 */

void arch_timer_set(u64 deadline_ns)
{
	u64 now, delta;

	switch (mode) {
	case TIMER_DEADLINE:
		wrmsr(MSR_TSC_DEADLINE, deadline_ns ? clock_ns_to_tsc(deadline_ns) : 0);
		break;
	case TIMER_COUNT:
		if (!deadline_ns) {
			apic_timer_start(0);
			break;
		}
		now = arch_clock_ns();
		delta = deadline_ns > now ? deadline_ns - now : 0;
		/* rounded up: never early but for the counter's end, where the core sets it anew */
		delta = min(delta, MAX_COUNT * 16);
		delta = ((u64)((unsigned __int128)delta * count_mult >> 32)) + 1;
		apic_timer_start((u32)min(delta, MAX_COUNT));
		break;
	case TIMER_FORWARDED:
		WRITE_ONCE(this_machine_cpu()->timer_deadline, deadline_ns);
		break;
	case TIMER_NONE:
		break;
	}
}

void timer_vector(void)
{
	timer_interrupt();
}

static void forward(void *arg)
{
	u64 now = arch_clock_ns();

	for (u32 i = 0; i < nr_cpus; i++) {
		u64 deadline = READ_ONCE(machine_cpus[i]->timer_deadline);

		if (!deadline || deadline > now)
			continue;
		/* only if it is still that one: the CPU may just have set another */
		if (!cmpxchg_bool(&machine_cpus[i]->timer_deadline, deadline, 0))
			continue;
		if (i == cpu_id())
			timer_interrupt();
		else
			apic_ipi(i, VEC_TIMER);
	}
}

static void pit_periodic(void)
{
	u16 divisor = (u16)(PIT_HZ * PERIOD_NS / NSEC_PER_SEC);

	outb(PIT_COMMAND, 0x34); /* channel 0, both bytes, rate generator */
	outb(PIT_CHANNEL0, (u8)divisor);
	outb(PIT_CHANNEL0, (u8)(divisor >> 8));
}

static void forward_init(void)
{
	enum irq_trigger trigger;
	bool low, is_hpet;
	u32 gsi = arch_isa_gsi(0, &trigger, &low);
	int vector = arch_irq_alloc_vector(0, forward, NULL);

	if (vector < 0 || arch_ioapic_route(gsi, vector, 0, trigger, low))
		panic("noapictimer: no way for the timer's interrupt");
	is_hpet = hpet_periodic(PERIOD_NS, (u8)gsi);
	if (!is_hpet)
		pit_periodic();
	pr_info("%s every %llu us\n", is_hpet ? "HPET" : "PIT", PERIOD_NS / 1000);
}

void timer_init_cpu(void)
{
	if (mode == TIMER_DEADLINE) {
		apic_timer_mode(LVT_DEADLINE);
		smp_mb(); /* before the first deadline: SDM vol. 3, 11.5.4.1 */
	} else if (mode == TIMER_COUNT) {
		apic_timer_mode(0);
	}
}

void timer_init_source(void)
{
	char word[4];

	if (cmdline_get("noapictimer", word, sizeof(word))) {
		mode = TIMER_FORWARDED;
		forward_init();
	} else if (features.tsc_deadline && clock_is_tsc &&
		   !cmdline_get("notscdeadline", word, sizeof(word))) {
		mode = TIMER_DEADLINE;
	} else {
		mode = TIMER_COUNT;
		count_mult = (apic_timer_hz << 32) / NSEC_PER_SEC;
	}
	timer_init_cpu();
}
