/* SPDX-License-Identifier: MIT */
/* irq.c - vectors above the exceptions: device handlers, the inter-processor vectors and the timer.
 * A device vector is one handler anywhere in the system; freeing it waits until no CPU is inside.
 */

#define LOG_NAME "irq: "
#include <weft/err.h>
#include <weft/printk.h>
#include <weft/spinlock.h>

#include "machine.h"

struct vector_handler {
	void (*fn)(void *arg); /* NULL: free, or on its way out */
	void *arg;
	bool taken; /* guarded by vector_lock */
};

static struct vector_handler handlers[256];
static struct spinlock vector_lock = SPINLOCK_INIT;

int arch_irq_alloc_vector(u32 cpu, void (*fn)(void *arg), void *arg)
{
	int found = -ENOSPC;

	if (cpu >= nr_cpus)
		return -EINVAL;
	spin_lock(&vector_lock);
	for (int v = VEC_DEVICE_FIRST; v <= VEC_DEVICE_LAST; v++) {
		struct vector_handler *h = &handlers[v];

		if (h->taken)
			continue;
		h->taken = true;
		h->arg = arg;
		smp_store_release(&h->fn, fn);
		found = v;
		break;
	}
	spin_unlock(&vector_lock);
	return found;
}

void arch_irq_free_vector(int vector)
{
	struct vector_handler *h = &handlers[vector];

	/* in_vector is stored before fn is loaded, by device_irq(): who is not seen here sees
	 * NULL */
	(void)xchg(&h->fn, NULL);
	for (u32 i = 0; i < nr_cpus; i++) {
		while (READ_ONCE(machine_cpus[i]->in_vector) == (u32)vector)
			cpu_relax();
	}
	smp_mb();
	spin_lock(&vector_lock);
	h->taken = false;
	spin_unlock(&vector_lock);
}

static void device_irq(u32 vector)
{
	struct machine_cpu *mc = this_machine_cpu();
	struct vector_handler *h = &handlers[vector];
	void (*fn)(void *arg);

	(void)xchg(&mc->in_vector, vector);
	fn = smp_load_acquire(&h->fn);
	if (fn)
		fn(h->arg);
	smp_store_release(&mc->in_vector, 0);
	apic_eoi();
}

void irq_dispatch(struct trap_frame *f)
{
	bool from_user = f->cs & 3;
	u32 vector = (u32)f->vector;
	struct machine_cpu *mc = this_machine_cpu();

	if (mc->idle_since) {
		mc->core.idle_ns += arch_clock_ns() - mc->idle_since;
		mc->idle_since = 0;
	}
	if (vector == VEC_CALL) {
		apic_eoi();
		call_service();
		return;
	}
	if (vector == VEC_SPURIOUS || vector < VEC_DEVICE_FIRST)
		return; /* no end of interrupt for these: SDM vol. 3, 11.9 */
	irq_enter();
	if (vector == VEC_TIMER) {
		apic_eoi();
		timer_vector();
	} else if (vector <= VEC_DEVICE_LAST) {
		device_irq(vector);
	} else {
		apic_eoi(); /* VEC_RESCHED: irq_exit() looks at the pending bits */
		if (vector == VEC_ERROR)
			pr_err("local APIC reports an error\n");
	}
	irq_exit(from_user);
}
