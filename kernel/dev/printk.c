/* SPDX-License-Identifier: MIT */
/* printk.c - the kernel log: a ring of records, and the consoles that show them. Works from the
 * first instruction of C, in any context, and in a panic.
 *
 * ring_lock guards the ring, is held for a copy only and with interrupts off. console_lock is only
 * ever tried: whoever has it shows everything, others leave their record to it. Both break in a
 * panic, and ring_lock when its own holder comes again (a fault inside). Order: console_lock, then
 * a console's own locks or ring_lock, never both of these. */

#include <core/console.h>
#include <weft/arch.h>
#include <weft/atomic.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/string.h>
#include <weft/module.h>

#define NR_RECORDS 1024	    /* powers of two */
#define PANIC_SPINS 1000000 /* how long a panic respects a lock */
#define LOGLEVEL_DEFAULT 7
#define LOGLEVEL_QUIET 4
#define LOGLEVEL_DEBUG 10
#define NR_CONSOLE_WORDS 4
#define RATELIMIT_INTERVAL (5 * NSEC_PER_SEC)
#define RATELIMIT_BURST 10

struct log_desc {
	u64 time_ns;
	u64 pos; /* counts bytes ever written; modulo the ring size the place */
	u16 prio, len;
};

int console_loglevel = LOGLEVEL_DEFAULT;
struct wait_queue log_wait = WAIT_QUEUE_INIT(log_wait);

/* guarded by ring_lock: the holder's CPU number + 1 */
static u32 ring_lock;
static struct log_desc descs[NR_RECORDS];
static char text_ring[LOG_TEXT_SIZE];
static u64 first_seq, next_seq, text_pos;

/* guarded by console_lock */
static u32 console_lock;
static struct console *consoles;
static char console_line[LOG_PREFIX_MAX + LOG_LINE_MAX];
static struct log_record console_record;
static bool setup_done;
static char console_words[NR_CONSOLE_WORDS][16];
static u32 nr_console_words;

static u32 panic_cpu; /* + 1; set once */

static void early_write(struct console *c, const char *p, size_t n);
static struct console early_console = { .name = "early", .write = early_write };

static u32 log_wake_poll(struct poller *p, u32 budget);
static struct poller log_wake_poller = { .poll = log_wake_poll, .name = "log" };

static void early_write(struct console *c, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		arch_early_putc(p[i]);
}

bool printk_in_panic(void)
{
	return READ_ONCE(panic_cpu) != 0;
}

void printk_panic_begin(void)
{
	u32 me = cpu_id() + 1;

	(void)cmpxchg_bool(&panic_cpu, 0, me);
}

bool printk_panic_here(void)
{
	return READ_ONCE(panic_cpu) == cpu_id() + 1;
}

bool printk_spin_lock(struct spinlock *l, unsigned long *flags)
{
	if (likely(!printk_in_panic())) {
		*flags = spin_lock_irqsave(l);
		return true;
	}
	*flags = irq_save();
	for (u32 spins = 0; spins < PANIC_SPINS; spins++) {
		if (spin_trylock(l))
			return true;
		cpu_relax();
	}
	return false;
}

void printk_spin_unlock(struct spinlock *l, unsigned long flags, bool locked)
{
	if (locked)
		spin_unlock_irqrestore(l, flags);
	else
		irq_restore(flags);
}

static bool ring_enter(unsigned long *flags)
{
	u32 me, spins = 0;

	*flags = irq_save();
	me = cpu_id() + 1;
	while (!cmpxchg_bool(&ring_lock, 0, me)) {
		if (READ_ONCE(ring_lock) == me)
			return false;
		if (printk_in_panic() && ++spins > PANIC_SPINS)
			return false;
		cpu_relax();
	}
	return true;
}

static void ring_leave(unsigned long flags, bool locked)
{
	if (locked)
		smp_store_release(&ring_lock, 0);
	irq_restore(flags);
}

static void ring_copy_in(u64 pos, const char *p, size_t n)
{
	size_t off = pos % LOG_TEXT_SIZE;
	size_t head = min(n, (size_t)LOG_TEXT_SIZE - off);

	memcpy(text_ring + off, p, head);
	memcpy(text_ring, p + head, n - head);
}

static void ring_copy_out(char *p, u64 pos, size_t n)
{
	size_t off = pos % LOG_TEXT_SIZE;
	size_t head = min(n, (size_t)LOG_TEXT_SIZE - off);

	memcpy(p, text_ring + off, head);
	memcpy(p + head, text_ring, n - head);
}

static void ring_add(u32 prio, const char *text, size_t n)
{
	unsigned long flags;
	bool locked = ring_enter(&flags);
	struct log_desc *d = &descs[next_seq % NR_RECORDS];

	while (first_seq < next_seq &&
	       (next_seq - first_seq >= NR_RECORDS ||
		text_pos + n - descs[first_seq % NR_RECORDS].pos > LOG_TEXT_SIZE))
		first_seq++;
	*d = (struct log_desc){ .time_ns = ktime_get(), .pos = text_pos, .prio = prio, .len = n };
	ring_copy_in(text_pos, text, n);
	text_pos += n;
	next_seq++;
	ring_leave(flags, locked);
}

bool log_read(u64 *seq, struct log_record *r)
{
	unsigned long flags;
	bool locked = ring_enter(&flags);
	bool found;

	if (*seq < first_seq)
		*seq = first_seq;
	found = *seq < next_seq;
	if (found) {
		const struct log_desc *d = &descs[*seq % NR_RECORDS];

		r->seq = *seq;
		r->time_ns = d->time_ns;
		r->prio = d->prio;
		r->len = min(d->len, (u16)LOG_LINE_MAX);
		ring_copy_out(r->text, d->pos, r->len);
	}
	ring_leave(flags, locked);
	return found;
}

u64 log_first_seq(void)
{
	return __atomic_load_n(&first_seq, __ATOMIC_ACQUIRE);
}

u64 log_next_seq(void)
{
	return __atomic_load_n(&next_seq, __ATOMIC_ACQUIRE);
}

static int format_prefix(char *buf, size_t size, u32 prio, u64 ns, bool with_prio)
{
	int n = with_prio ? scnprintf(buf, size, "<%u>", prio) : 0;

	return n + scnprintf(buf + n, size - n, "[%5llu.%06llu] ",
			     (unsigned long long)(ns / NSEC_PER_SEC),
			     (unsigned long long)(ns % NSEC_PER_SEC / NSEC_PER_USEC));
}

size_t log_format(const struct log_record *r, char *buf, bool with_prio)
{
	size_t n = format_prefix(buf, LOG_PREFIX_MAX, r->prio, r->time_ns, with_prio);

	memcpy(buf + n, r->text, r->len);
	n += r->len;
	buf[n++] = '\n';
	return n;
}

size_t log_format_size(u64 seq)
{
	char prefix[LOG_PREFIX_MAX];
	struct log_desc d = { 0 };
	unsigned long flags;
	bool locked = ring_enter(&flags);
	bool found = seq >= first_seq && seq < next_seq;

	if (found)
		d = descs[seq % NR_RECORDS];
	ring_leave(flags, locked);
	if (!found)
		return 0;
	return format_prefix(prefix, sizeof(prefix), d.prio, d.time_ns, true) + d.len + 1;
}

/* ---- consoles ---- */

/* The next word of a command line in *p, or NULL at its end. */
static const char *next_word(const char **p, size_t *len)
{
	const char *s = *p, *start;

	while (*s == ' ' || *s == '\t')
		s++;
	start = s;
	while (*s && *s != ' ' && *s != '\t')
		s++;
	*p = s;
	*len = s - start;
	return *len ? start : NULL;
}

static bool word_is(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(word, name, len);
}

static bool word_has_prefix(const char *word, size_t len, const char *prefix)
{
	return len > strlen(prefix) && !memcmp(word, prefix, strlen(prefix));
}

/* "ttyS0,115200n8": the part behind the comma is the line's speed, which is 115200 anyway. A word
 * too long for the table cannot name a console. */
static void add_console_word(const char *name, size_t len)
{
	char *d;

	for (size_t i = 0; i < len; i++) {
		if (name[i] == ',')
			len = i;
	}
	if (!len || len >= sizeof(console_words[0]))
		return;
	if (nr_console_words == NR_CONSOLE_WORDS) { /* the last one counts: make room */
		memmove(console_words[0], console_words[1],
			sizeof(console_words) - sizeof(console_words[0]));
		nr_console_words--;
	}
	d = console_words[nr_console_words++];
	memcpy(d, name, len);
	d[len] = 0;
	if (!strcmp(d, "tty") || !strcmp(d, "tty0"))
		strscpy(d, "tty1", sizeof(console_words[0]));
}

static void setup_from_cmdline(void)
{
	const char *p = boot_info.cmdline, *w;
	size_t len;

	setup_done = true;
	while ((w = next_word(&p, &len))) {
		if (word_is(w, len, "quiet"))
			console_loglevel = LOGLEVEL_QUIET;
		else if (word_is(w, len, "debug"))
			console_loglevel = LOGLEVEL_DEBUG;
		else if (word_has_prefix(w, len, "loglevel=") && w[9] >= '1' && w[9] <= '9')
			console_loglevel = w[9] - '0';
		else if (word_has_prefix(w, len, "console="))
			add_console_word(w + 8, len - 8);
	}
}

bool console_wanted(const char *name)
{
	for (u32 i = 0; i < nr_console_words; i++) {
		if (!strcmp(console_words[i], name))
			return true;
	}
	return nr_console_words == 0;
}

const char *console_preferred(void)
{
	return nr_console_words ? console_words[nr_console_words - 1] : "ttyS0";
}

static bool console_enter(void)
{
	if (cmpxchg_bool(&console_lock, 0, 1))
		return true;
	/* the holder will not come back: it was stopped, or this CPU interrupted it */
	return printk_panic_here();
}

static void console_show(struct console *c)
{
	while (log_read(&c->seq, &console_record)) {
		unsigned long flags;
		size_t n;

		c->seq++;
		if ((console_record.prio & 7) >= (u32)READ_ONCE(console_loglevel))
			continue;
		n = log_format(&console_record, console_line, false);
		flags = irq_save();
		c->write(c, console_line, n);
		irq_restore(flags);
	}
}

static bool consoles_behind(void)
{
	u64 next = log_next_seq();

	if (!consoles)
		return early_console.seq < next;
	for (struct console *c = consoles; c; c = c->next) {
		if (c->seq < next)
			return true;
	}
	return false;
}

/* A record added while another CPU held the lock is shown by that one; the test after the release
 * closes the gap between its last look and its unlock. */
static void consoles_flush(void)
{
	preempt_disable();
	do {
		if (!console_enter())
			break;
		if (!setup_done)
			setup_from_cmdline();
		if (!consoles)
			console_show(&early_console);
		for (struct console *c = consoles; c; c = c->next)
			console_show(c);
		smp_store_release(&console_lock, 0);
		smp_mb();
	} while (consoles_behind());
	if (irqs_enabled())
		preempt_enable();
	else
		preempt_enable_no_check();
}

void console_register(struct console *c)
{
	preempt_disable();
	while (!console_enter())
		cpu_relax();
	/* early output is the first serial port: its console goes on where that stopped */
	c->seq = !strcmp(c->name, "ttyS0") ? early_console.seq : 0;
	c->next = consoles;
	consoles = c;
	smp_store_release(&console_lock, 0);
	preempt_enable();
	consoles_flush();
}

/* ---- writers ---- */

/* Readers are woken from the poll context: printk may be called with any scheduler lock held. */
static u32 log_wake_poll(struct poller *p, u32 budget)
{
	wake_up_all(&log_wait);
	return 0;
}

static void wake_readers(void)
{
	static u32 added;

	if (!wait_queue_active(&log_wait) || printk_in_panic())
		return;
	if (!xchg(&added, 1))
		poller_add(&log_wake_poller);
	poller_schedule(&log_wake_poller);
}

void log_write(u32 prio, const char *text, size_t n)
{
	do {
		const char *nl = memchr(text, '\n', n);
		size_t len = nl ? (size_t)(nl - text) : n;
		size_t keep = min(len, (size_t)LOG_LINE_MAX);

		while (keep && text[keep - 1] == '\r')
			keep--;
		ring_add(prio, text, keep);
		text += len + !!nl;
		n -= len + !!nl;
	} while (n);
	consoles_flush();
	wake_readers();
}

int vprintk(const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	u32 level = KERN_INFO[1] - '0';
	int n;

	if (fmt[0] == '\001' && fmt[1] >= '0' && fmt[1] <= '7') {
		level = fmt[1] - '0';
		fmt += 2;
	}
	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n < 0)
		return n;
	n = min(n, (int)sizeof(line) - 1);
	log_write(level, line, n);
	return n;
}
EXPORT(vprintk);

int printk(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vprintk(fmt, ap);
	va_end(ap);
	return n;
}
EXPORT(printk);

/* Racing callers may let a message more through; the counters are only ever approximate. */
bool printk_ratelimit(struct ratelimit *rl, const char *func)
{
	u64 now = ktime_get();
	u64 start = READ_ONCE(rl->start_ns);

	if (!start || now - start >= RATELIMIT_INTERVAL) {
		u32 missed = xchg(&rl->missed, 0);

		WRITE_ONCE(rl->start_ns, max(now, (u64)1));
		WRITE_ONCE(rl->printed, 0);
		if (missed)
			printk(KERN_WARNING "%s: %u messages suppressed\n", func, missed);
	}
	if (__atomic_fetch_add(&rl->printed, 1, __ATOMIC_RELAXED) < RATELIMIT_BURST)
		return true;
	__atomic_fetch_add(&rl->missed, 1, __ATOMIC_RELAXED);
	return false;
}
EXPORT(printk_ratelimit);
