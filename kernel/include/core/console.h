/* SPDX-License-Identifier: MIT */
/* core/console.h - the kernel log's inner side: consoles that show it and the readers behind
 * /dev/kmsg and syslog(2). */
#pragma once

#include <weft/wait.h>

/* ---- consoles ---- */
struct console {
	const char *name; /* "ttyS0", as after console= */
	/* Shows n bytes; '\n' ends lines. Interrupts off, any context, also in a panic: it must not
	 * wait for a lock for ever then (see printk_spin_lock). */
	void (*write)(struct console *c, const char *p, size_t n);
	/* printk's */
	u64 seq; /* next record to show; guarded by the console lock */
	struct console *next;
};

/* Shows the log so far (the first console that takes over from early output only what that did not)
 * and every record from now on. The struct stays for ever. Process context. */
void console_register(struct console *c);
/* True when the kernel log is to appear there: named by console=, or no console= word at all. */
bool console_wanted(const char *name);
/* The console behind /dev/console: that of the last console= word, else "ttyS0". */
const char *console_preferred(void);

extern int console_loglevel; /* records with a lower level are shown; 1..15 */

/* ---- panic ---- */
bool printk_in_panic(void);   /* some CPU is in one */
bool printk_panic_here(void); /* this CPU is */
/* A driver lock around its hardware: waits, but in a panic only a while, then false and go on
 * without. Interrupts are off on return either way. */
bool printk_spin_lock(struct spinlock *l, unsigned long *flags);
void printk_spin_unlock(struct spinlock *l, unsigned long flags, bool locked);
/* From now on this CPU's messages break every lock. */
void printk_panic_begin(void);

/* ---- records ---- */
#define LOG_LINE_MAX 480
#define LOG_TEXT_SIZE (64 * 1024)
#define LOG_PREFIX_MAX 48

struct log_record {
	u64 seq, time_ns;
	u16 prio; /* facility << 3 | level */
	u16 len;
	char text[LOG_LINE_MAX]; /* not terminated */
};

/* Copies record *seq, or the oldest one when that is gone (*seq then moves). False: not written
 * yet. */
bool log_read(u64 *seq, struct log_record *r);
u64 log_first_seq(void);
u64 log_next_seq(void);
/* Adds text as one record per line. prio: facility << 3 | level. Any context. */
void log_write(u32 prio, const char *text, size_t n);
/* "<prio>[    1.234567] text\n", the prio part optional; at most LOG_PREFIX_MAX + len bytes. */
size_t log_format(const struct log_record *r, char *buf, bool with_prio);
/* Bytes log_format gives with prio, without copying the text; 0 when the record is gone. */
size_t log_format_size(u64 seq);
extern struct wait_queue log_wait; /* woken after records were added */

void kmsg_init(void); /* dev_init calls it: /dev/kmsg */
