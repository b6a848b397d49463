/* SPDX-License-Identifier: MIT */
/* panic.c - the ways to end: a panic stops the machine after telling why, bug_at only the thread
 * that ran into it, warn_at nobody. */

#include <core/console.h>
#include <weft/arch.h>
#include <weft/atomic.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/module.h>

#define EXIT_STATUS 1
#define MAX_PANIC_DELAY 86400

/* panic=exit, panic=N; anything else waits for somebody to look at the screen. */
static void __noreturn panic_end(void)
{
	char word[16];
	int seconds;

	if (cmdline_get("panic", word, sizeof(word))) {
		if (!strcmp(word, "exit"))
			arch_exit_qemu(EXIT_STATUS);
		if (!kstrtoint(word, 10, &seconds) && seconds != 0) {
			if (seconds > 0)
				printk(KERN_EMERG "rebooting in %d seconds\n", seconds);
			for (int i = 0; i < min(seconds, MAX_PANIC_DELAY); i++)
				arch_delay_ns(NSEC_PER_SEC);
			arch_reboot();
		}
	}
	arch_halt();
}

void panic(const char *fmt, ...)
{
	static u32 entered;
	static bool ending;
	char text[256];
	va_list ap;

	irq_disable();
	/* a second one, from within or from another CPU: the first one's words are what matters */
	if (xchg(&entered, 1)) {
		if (printk_panic_here() && !xchg(&ending, true))
			panic_end();
		arch_halt();
	}
	preempt_disable();
	printk_panic_begin();
	arch_stop_cpus();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printk(KERN_EMERG "Kernel panic: %s\n", text);
	backtrace_here();
	printk(KERN_EMERG "end of panic: %s\n", text);
	panic_end();
}
EXPORT(panic);

void warn_at(const char *file, int line, const char *what)
{
	printk(KERN_WARNING "warning: %s:%d: %s\n", file, line, what);
	backtrace_here();
}
EXPORT(warn_at);

/* The trap brings registers and a backtrace with it, and its handler decides whether the thread or
 * the whole kernel ends. */
void bug_at(const char *file, int line, const char *what)
{
	printk(KERN_CRIT "bug: %s:%d: %s\n", file, line, what);
	__builtin_trap();
}
EXPORT(bug_at);
