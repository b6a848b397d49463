/* SPDX-License-Identifier: MIT */
/* kthread.c - threads that run kernel or module code. The creator keeps a reference until
 * kthread_stop; a module's stands in its ledger, so that none outlives the code it runs. */
#include "rq.h"

#include <core/proc.h>
#include <weft/module.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/time.h>

static void kthread_main(void *arg)
{
	struct thread *t = arg;

	thread_first_run();
	thread_exit(t->kfn(t->karg));
}

static void kthread_undo(struct ledger_entry *e)
{
	kthread_stop(container_of(e, struct thread, ledger));
}

static struct thread *kthread_make(int (*fn)(void *), void *arg, const char *fmt, va_list ap)
{
	char name[sizeof(((struct thread *)0)->comm)];
	struct thread *t;

	vsnprintf(name, sizeof(name), fmt, ap);
	t = thread_alloc(name);
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->kfn = fn;
	t->karg = arg;
	t->kowner = module_of((const void *)fn);
	arch_thread_init(t, kthread_main, t);
	thread_get(t);
	if (t->kowner)
		ledger_add(&t->ledger, t->kowner, "thread", t->comm, kthread_undo);
	return t;
}

struct thread *kthread_run(int (*fn)(void *arg), void *arg, const char *fmt, ...)
{
	struct thread *t;
	va_list ap;

	va_start(ap, fmt);
	t = kthread_make(fn, arg, fmt, ap);
	va_end(ap);
	if (!IS_ERR(t))
		thread_start(t);
	return t;
}
EXPORT(kthread_run);

struct thread *kthread_run_on(u32 cpu, int (*fn)(void *arg), void *arg, const char *fmt, ...)
{
	struct thread *t;
	va_list ap;

	va_start(ap, fmt);
	t = kthread_make(fn, arg, fmt, ap);
	va_end(ap);
	if (!IS_ERR(t)) {
		t->cpu = cpu;
		t->affinity = BIT(cpu);
		thread_start(t);
	}
	return t;
}

int kthread_stop(struct thread *t)
{
	int code;

	WRITE_ONCE(t->should_stop, true);
	thread_wake(t);
	wait_event(&t->exit_wait, smp_load_acquire(&t->exited));
	code = t->exit_code;
	if (t->kowner)
		ledger_remove(&t->ledger);
	thread_put(t);
	return code;
}
EXPORT(kthread_stop);

bool kthread_should_stop(void)
{
	return READ_ONCE(current()->should_stop);
}
EXPORT(kthread_should_stop);

bool signal_pending(void)
{
	return READ_ONCE(current()->user_work) & USER_WORK_INTR;
}
EXPORT(signal_pending);

int current_pid(void)
{
	return current()->proc ? current()->proc->pid : 0;
}
EXPORT(current_pid);
