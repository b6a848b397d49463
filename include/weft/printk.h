/* SPDX-License-Identifier: MIT */
/* printk.h - the kernel log: a ring read by dmesg and /dev/kmsg and copied to the consoles.
 * Callable in any context, also before memory and in a panic. Lines end in a newline. */
#pragma once

#include <weft/types.h>

/* Severity as in syslog(3); a line without one is KERN_INFO. */
#define KERN_EMERG \
	"\001"     \
	"0"
#define KERN_ALERT \
	"\001"     \
	"1"
#define KERN_CRIT \
	"\001"    \
	"2"
#define KERN_ERR \
	"\001"   \
	"3"
#define KERN_WARNING \
	"\001"       \
	"4"
#define KERN_NOTICE \
	"\001"      \
	"5"
#define KERN_INFO \
	"\001"    \
	"6"
#define KERN_DEBUG \
	"\001"     \
	"7"

int printk(const char *fmt, ...) __printf(1, 2);
int vprintk(const char *fmt, va_list ap);

/* pr_*: prefix "NAME: " where the file defines LOG_NAME before its includes, e.g. "arp: ". */
#ifndef LOG_NAME
#define LOG_NAME ""
#endif
#define pr_err(fmt, ...) printk(KERN_ERR LOG_NAME fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...) printk(KERN_WARNING LOG_NAME fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...) printk(KERN_INFO LOG_NAME fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...) printk(KERN_DEBUG LOG_NAME fmt, ##__VA_ARGS__)

/* At most burst messages per 5 s for the call site; says how many it swallowed. */
struct ratelimit {
	u64 start_ns;
	u32 printed, missed;
};
bool printk_ratelimit(struct ratelimit *rl, const char *func);
#define pr_warn_ratelimited(fmt, ...)                            \
	do {                                                     \
		static struct ratelimit ratelimit_here;          \
		if (printk_ratelimit(&ratelimit_here, __func__)) \
			pr_warn(fmt, ##__VA_ARGS__);             \
	} while (0)

/* Ends the machine after a symbolised backtrace: halts, or with panic=exit on the command line ends
 * QEMU with a non-zero status, or with panic=N reboots after N seconds. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* For what cannot happen: BUG_ON oopses (the thread dies, the kernel goes on where it can), WARN_ON
 * prints a backtrace once per site and is false or true as its condition. */
void warn_at(const char *file, int line, const char *what);
void bug_at(const char *file, int line, const char *what) __noreturn;
#define BUG_ON(c)                                       \
	do {                                            \
		if (unlikely(c))                        \
			bug_at(__FILE__, __LINE__, #c); \
	} while (0)
#define WARN_ON(c)                                       \
	({                                               \
		static bool warn_done;                   \
		bool warn_c = !!(c);                     \
		if (unlikely(warn_c) && !warn_done) {    \
			warn_done = true;                \
			warn_at(__FILE__, __LINE__, #c); \
		}                                        \
		warn_c;                                  \
	})
