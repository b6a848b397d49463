/* SPDX-License-Identifier: MIT */
/* test_printk.c - the kernel log: records, consoles, and what /dev/kmsg and syslog(2) show of them.
 */
/* cflags: -Itests/host/tty */
/* sources: kernel/dev/printk.c kernel/lib/parse.c tests/host/tty_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tty_env.h"

#include <weft/poller.h>

#include "kernel/dev/kmsg.c"

static char early[4096], serial[200000], screen[200000];
static size_t early_len, serial_len, screen_len;
static u32 scheduled;

void arch_early_putc(char c)
{
	if (early_len + 1 < sizeof(early))
		early[early_len++] = c;
}

void poller_add(struct poller *p)
{
}

void poller_schedule(struct poller *p)
{
	scheduled++;
	p->poll(p, 1);
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n < (int)size ? n : (int)size - 1;
}

static void serial_write(struct console *c, const char *p, size_t n)
{
	assert_true(env_cpu.irqs_off);
	memcpy(serial + serial_len, p, n);
	serial_len += n;
	serial[serial_len] = 0;
}

static void screen_write(struct console *c, const char *p, size_t n)
{
	memcpy(screen + screen_len, p, n);
	screen_len += n;
	screen[screen_len] = 0;
}

static struct console serial_console = { .name = "ttyS0", .write = serial_write };
static struct console screen_console = { .name = "tty1", .write = screen_write };

/* ---- from the first line on; the cases build on each other ---- */

static void early_output_then_consoles(void **state)
{
	strcpy(boot_info.cmdline, "root=x console=tty0 loglevel=6 console=ttyS0,115200n8");
	env_time_ns = 1234567890;
	printk(KERN_WARNING "first %d\n", 1);
	early[early_len] = 0;
	assert_string_equal(early, "[    1.234567] first 1\n");
	assert_true(console_wanted("ttyS0") && console_wanted("tty1") && !console_wanted("ttyS1"));
	assert_string_equal(console_preferred(), "ttyS0");
	console_register(&serial_console);
	assert_int_equal(serial_len, 0); /* it was shown there already */
	console_register(&screen_console);
	assert_string_equal(screen, "[    1.234567] first 1\n");
	printk("quiet: level six is hidden at loglevel 6\n");
	assert_int_equal(serial_len, 0);
	printk(KERN_NOTICE "shown\n");
	assert_string_equal(serial, "[    1.234567] shown\n");
	assert_int_equal(log_next_seq(), 3);
	assert_int_equal(env_cpu.preempt_count, 0);
}

static void lines_become_records(void **state)
{
	u64 seq = log_next_seq();
	struct log_record r;

	printk(KERN_ERR "a\nbc\n");
	assert_int_equal(log_next_seq(), seq + 2);
	assert_true(log_read(&seq, &r));
	assert_int_equal(r.len, 1);
	assert_int_equal(r.prio, 3);
	seq++;
	assert_true(log_read(&seq, &r));
	assert_memory_equal(r.text, "bc", 2);
	seq++;
	assert_false(log_read(&seq, &r));
}

static struct file *kmsg_file(struct file *f, u32 flags)
{
	*f = (struct file){ .ops = &kmsg_fops, .flags = flags };
	assert_int_equal(kmsg_open(NULL, f), 0);
	return f;
}

static long kmsg_get(struct file *f, char *buf, size_t n)
{
	struct iovec iov = { buf, n - 1 };
	struct iov_iter it;
	long got;

	iter_init(&it, &iov, 1, true);
	got = kmsg_read(f, &it, NULL);
	if (got >= 0)
		buf[got] = 0;
	return got;
}

static void kmsg_reads_records(void **state)
{
	struct file f;
	char buf[4096];

	kmsg_file(&f, O_NONBLOCK);
	assert_true(kmsg_get(&f, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "4,0,1234567,-;first 1\n");
	assert_int_equal(kmsg_get(&f, buf, 8), -EINVAL);
	assert_int_equal(kmsg_seek(&f, 0, FROM_END), 0);
	assert_false(kmsg_poll(&f, NULL) & POLLIN);
	assert_int_equal(kmsg_get(&f, buf, sizeof(buf)), -EAGAIN);
	printk(KERN_CRIT "tab\there \\ \x7f\n");
	assert_true(kmsg_poll(&f, NULL) & POLLIN);
	kmsg_get(&f, buf, sizeof(buf));
	assert_string_equal(buf, "2,5,1234567,-;tab\\x09here \\x5c \\x7f\n");
	assert_int_equal(kmsg_seek(&f, 1, 0), -ESPIPE);
	assert_int_equal(kmsg_seek(&f, 0, 7), -EINVAL);
	f.flags = 0;
	assert_int_equal(kmsg_get(&f, buf, sizeof(buf)), -ERESTARTSYS);
	kmsg_release(&f);
}

static void kmsg_puts(struct file *f, const char *s)
{
	struct iovec iov = { (void *)s, strlen(s) };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	assert_int_equal(kmsg_write(f, &it, NULL), strlen(s));
}

static void kmsg_writes_records(void **state)
{
	struct file f;
	char buf[4096];

	kmsg_file(&f, O_NONBLOCK);
	kmsg_seek(&f, 0, FROM_END);
	kmsg_puts(&f, "<3>from user\n");
	kmsg_get(&f, buf, sizeof(buf));
	assert_non_null(strstr(buf, ",-;from user\n"));
	assert_int_equal(atoi(buf), 1 << 3 | 3);
	kmsg_puts(&f, "<30>daemon");
	kmsg_get(&f, buf, sizeof(buf));
	assert_int_equal(atoi(buf), 30);
	kmsg_puts(&f, "<nothing");
	kmsg_get(&f, buf, sizeof(buf));
	assert_int_equal(atoi(buf), 14);
	kmsg_release(&f);
}

static void overwritten_reader_is_told(void **state)
{
	struct file f;
	char buf[4096];
	u64 first;

	kmsg_file(&f, O_NONBLOCK);
	for (int i = 0; i < 3000; i++)
		printk(KERN_DEBUG "line %d\n", i);
	first = log_first_seq();
	assert_true(first > 1000);
	assert_true(kmsg_poll(&f, NULL) & POLLERR);
	assert_int_equal(kmsg_get(&f, buf, sizeof(buf)), -EPIPE);
	kmsg_get(&f, buf, sizeof(buf));
	assert_int_equal(strtoull(strchr(buf, ',') + 1, NULL, 10), first);
	kmsg_release(&f);
}

static void long_records_share_the_ring(void **state)
{
	char line[600];
	struct log_record r;
	u64 seq;

	memset(line, 'z', sizeof(line));
	line[sizeof(line) - 1] = 0;
	for (int i = 0; i < 500; i++)
		printk(KERN_DEBUG "%s\n", line);
	seq = 0;
	while (log_read(&seq, &r)) {
		if (r.text[0] == 'z')
			assert_int_equal(r.len, LOG_LINE_MAX - 1);
		seq++;
	}
	assert_int_equal(seq, log_next_seq());
	assert_true((log_next_seq() - log_first_seq()) * (LOG_LINE_MAX - 1) <= LOG_TEXT_SIZE);
}

static long syslog_call(int action, void *buf, int n)
{
	return sys_syslog(action, (u64)buf, n, 0, 0, 0);
}

static void syslog_actions(void **state)
{
	static char buf[LOG_TEXT_SIZE];
	long n;

	assert_int_equal(syslog_call(10, NULL, 0), LOG_TEXT_SIZE);
	assert_int_equal(syslog_call(5, NULL, 0), 0);
	assert_int_equal(syslog_call(3, buf, sizeof(buf)), 0);
	printk(KERN_ERR "one\n");
	printk(KERN_ERR "two\n");
	n = syslog_call(3, buf, sizeof(buf) - 1);
	buf[n] = 0;
	assert_string_equal(buf, "<3>[    1.234567] one\n<3>[    1.234567] two\n");
	n = syslog_call(3, buf, 25); /* only the newest fits */
	buf[n] = 0;
	assert_string_equal(buf, "<3>[    1.234567] two\n");
	while (syslog_call(9, NULL, 0) > 0)
		assert_true(syslog_call(2, buf, sizeof(buf)) > 0);
	assert_int_equal(syslog_call(2, buf, 10), -ERESTARTSYS);
	printk(KERN_ERR "three\n");
	assert_int_equal(syslog_call(9, NULL, 0), 24);
	assert_int_equal(syslog_call(2, buf, 10), 10);
	assert_int_equal(syslog_call(9, NULL, 0), 14);
	n = syslog_call(2, buf + 10, 100);
	buf[10 + n] = 0;
	assert_string_equal(buf, "<3>[    1.234567] three\n");
	assert_int_equal(syslog_call(4, buf, sizeof(buf)), 68);
	assert_int_equal(syslog_call(3, buf, sizeof(buf)), 0);
	assert_int_equal(syslog_call(8, NULL, 3), 0);
	assert_int_equal(console_loglevel, 3);
	assert_int_equal(syslog_call(6, NULL, 0), 0);
	assert_int_equal(console_loglevel, 1);
	assert_int_equal(syslog_call(7, NULL, 0), 0);
	assert_int_equal(console_loglevel, 3);
	assert_int_equal(syslog_call(8, NULL, 9), -EINVAL);
	assert_int_equal(syslog_call(99, NULL, 0), -EINVAL);
	assert_int_equal(syslog_call(3, NULL, 10), -EINVAL);
}

static void rate_is_limited(void **state)
{
	struct ratelimit rl = { 0 };
	int let = 0;

	for (int i = 0; i < 100; i++)
		let += printk_ratelimit(&rl, "f");
	assert_int_equal(let, 10);
	env_time_ns += 6 * NSEC_PER_SEC;
	assert_true(printk_ratelimit(&rl, "f"));
}

static void sysctl_sets_level(void **state)
{
	assert_int_equal(write_levels(NULL, "4 4 1 7", 7), 0);
	assert_int_equal(console_loglevel, 4);
	assert_int_equal(write_levels(NULL, "x", 1), -EINVAL);
	assert_int_equal(write_levels(NULL, "99", 2), -EINVAL);
}

static void panic_breaks_locks(void **state)
{
	struct spinlock l = SPINLOCK_INIT;
	unsigned long flags;

	spin_lock(&l);
	printk_panic_begin();
	assert_true(printk_in_panic());
	assert_false(printk_spin_lock(&l, &flags));
	printk_spin_unlock(&l, flags, false);
	spin_unlock(&l);
	serial_len = 0;
	printk(KERN_EMERG "still talks\n");
	assert_non_null(strstr(serial, "still talks"));
	assert_int_equal(env_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(early_output_then_consoles),
		cmocka_unit_test(lines_become_records),
		cmocka_unit_test(kmsg_reads_records),
		cmocka_unit_test(kmsg_writes_records),
		cmocka_unit_test(overwritten_reader_is_told),
		cmocka_unit_test(long_records_share_the_ring),
		cmocka_unit_test(syslog_actions),
		cmocka_unit_test(rate_is_limited),
		cmocka_unit_test(sysctl_sets_level),
		cmocka_unit_test(panic_breaks_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
