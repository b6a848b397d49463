/* SPDX-License-Identifier: MIT */
/* test_n_tty.c - terminals from end to end through a pty: the test is the user at the master and
 * the program at the slave. */
/* cflags: -Itests/host/tty */
/* sources: kernel/tty/n_tty.c kernel/tty/n_tty_out.c kernel/tty/n_tty_read.c kernel/tty/ioctl.c */
/* sources: kernel/tty/tty.c kernel/tty/pty.c kernel/lib/parse.c tests/host/tty_env.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tty_env.h"

#include <core/console.h>
#include <core/tty.h>
#include <core/vfs.h>
#include <weft/printk.h>

#include "kernel/tty/tty.h"

/* ---- parts of kernel/tty that are not under test ---- */

int tty_check_background(struct tty *t, int sig)
{
	return 0;
}

void tty_opened(struct tty *t, struct file *f)
{
	t->pgrp = 7;
}

struct tty *tty_controlling(void)
{
	return NULL;
}

long tty_job_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	return -ENOIOCTLCMD;
}

void tty_signal_session(struct tty *t)
{
}

void serial_init(void)
{
}

void screen_init(void)
{
}

void keyboard_init(void)
{
}

struct tty *screen_tty(void)
{
	return NULL;
}

const char *console_preferred(void)
{
	return "ttyS0";
}

int printk(const char *fmt, ...)
{
	return 0;
}

/* ---- a session ---- */

static struct file master, slave;

static long file_read(struct file *f, char *buf, size_t n)
{
	struct iovec iov = { buf, n };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	return f->ops->read(f, &it, NULL);
}

static long file_write(struct file *f, const char *buf, size_t n)
{
	struct iovec iov = { (void *)buf, n };
	struct iov_iter it;

	iter_init(&it, &iov, 1, true);
	return f->ops->write(f, &it, NULL);
}

static int open_slave(void)
{
	struct inode ino = { .rdev = 0 };
	int unlock = 0;
	unsigned int n;

	assert_int_equal(master.ops->ioctl(&master, TIOCGPTN, (unsigned long)&n), 0);
	ino.rdev = makedev(PTS_MAJOR, n);
	assert_int_equal(env_chrdev(PTS_MAJOR, n)->open(&ino, &slave), -EIO);
	assert_int_equal(master.ops->ioctl(&master, TIOCSPTLCK, (unsigned long)&unlock), 0);
	slave = (struct file){ .flags = O_RDWR };
	return env_chrdev(PTS_MAJOR, n)->open(&ino, &slave);
}

static int start(void **state)
{
	struct inode ino = { .rdev = makedev(TTYAUX_MAJOR, 2) };

	if (!env_chrdev(TTYAUX_MAJOR, 2))
		tty_init();
	env_nr_signals = env_waits = 0;
	env_on_sleep = NULL;
	master = (struct file){ .flags = O_RDWR | O_NONBLOCK };
	assert_int_equal(env_chrdev(TTYAUX_MAJOR, 2)->open(&ino, &master), 0);
	assert_int_equal(open_slave(), 0);
	return 0;
}

static int stop(void **state)
{
	if (slave.ops)
		slave.ops->release(&slave);
	if (master.ops)
		master.ops->release(&master);
	slave.ops = master.ops = NULL;
	assert_int_equal(env_blocks, 0);
	assert_int_equal(env_cpu.preempt_count, 0);
	return 0;
}

static void set_flags(u32 lset, u32 lclear, int vmin, int vtime)
{
	struct termios t;

	assert_int_equal(slave.ops->ioctl(&slave, TCGETS, (unsigned long)&t), 0);
	t.lflag = (t.lflag | lset) & ~lclear;
	if (vmin >= 0)
		t.cc[VMIN] = vmin;
	if (vtime >= 0)
		t.cc[VTIME] = vtime;
	assert_int_equal(slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t), 0);
}

/* The user types; the screen must then have shown echo. */
static void type_n(const char *s, size_t n, const char *echo)
{
	char seen[9000];
	long got;

	assert_int_equal(file_write(&master, s, n), n);
	got = file_read(&master, seen, sizeof(seen) - 1);
	seen[got < 0 ? 0 : got] = 0;
	if (echo)
		assert_string_equal(seen, echo);
}

static void type(const char *s, const char *echo)
{
	type_n(s, strlen(s), echo);
}

static void expect_n(size_t ask, const char *want, size_t n)
{
	char buf[8192];

	assert_int_equal(file_read(&slave, buf, ask), n);
	assert_memory_equal(buf, want, n);
}

static void expect(const char *want)
{
	expect_n(4096, want, strlen(want));
}

static void expect_nothing(void)
{
	char c;

	assert_int_equal(file_read(&slave, &c, 1), -ERESTARTSYS);
}

/* ---- canonical mode ---- */

static void line_waits_for_newline(void **state)
{
	type("hel", "hel");
	expect_nothing();
	type("lo\r", "lo\r\n");
	expect("hello\n");
	type("one\ntwo\n", NULL);
	expect("one\n");
	expect_n(2, "tw", 2);
	expect("o\n");
}

static void erase_and_kill(void **state)
{
	type("abc\x7f"
	     "d\n",
	     "abc\b \bd\r\n");
	expect("abd\n");
	type("\x7f"
	     "a\x7f\x7f"
	     "b\n",
	     "a\b \bb\r\n");
	expect("b\n");
	type("wrong\x15right\n", "wrong\b \b\b \b\b \b\b \b\b \bright\r\n");
	expect("right\n");
	type("two words  \x17"
	     "x\n",
	     NULL);
	expect("two x\n");
}

static void erase_wide_things(void **state)
{
	type("a\xc3\xa9\x7f"
	     "b\n",
	     "a\xc3\xa9\b \bb\r\n");
	expect("ab\n");
	type("\x16\x01\x7f\n", "^\b^A\b \b\b \b\r\n");
	expect("\n");
	type("ab\tc\x7f\x7f"
	     "d\n",
	     "ab\tc\b \b\b\b\b\b\b\bd\r\n");
	expect("abd\n");
}

static void end_of_file(void **state)
{
	type("\x04", "");
	expect("");
	type("abc\x04", "abc");
	expect("abc");
	type("x\n", NULL);
	expect("x\n");
	/* a read that the data fills takes the end along, so that the next one is not an end of
	 * file */
	type("abc\x04", "abc");
	expect_n(3, "abc", 3);
	expect_nothing();
}

static void literal_next(void **state)
{
	type("\x16\x03\n", "^\b^C\r\n");
	expect("\003\n");
	assert_int_equal(env_nr_signals, 0);
	type("\x16\x04\n", "^\b^D\r\n");
	expect("\004\n");
}

static void reprint_shows_line(void **state)
{
	type("ab\x12", "ab^R\r\nab");
	type("\n", "\r\n");
	expect("ab\n");
}

static void signals_flush_and_go_out(void **state)
{
	type("half", "half");
	type("\x03", "^C");
	assert_int_equal(env_nr_signals, 1);
	assert_int_equal(env_signals[0], SIGINT);
	type("\x1a\x1c", NULL);
	assert_int_equal(env_signals[1], SIGTSTP);
	assert_int_equal(env_signals[2], SIGQUIT);
	type("x\n", NULL);
	expect("x\n");
	set_flags(NOFLSH, 0, -1, -1);
	type("ha\x03lf\n", NULL);
	expect("half\n");
	set_flags(0, ISIG, -1, -1);
	type("\x03\n", NULL);
	expect("\x03\n");
	assert_int_equal(env_nr_signals, 4);
}

static void echo_modes(void **state)
{
	set_flags(0, ECHO, -1, -1);
	type("secret\n", "");
	expect("secret\n");
	set_flags(ECHONL, 0, -1, -1);
	type("secret\n", "\r\n");
	expect("secret\n");
	set_flags(ECHO, ECHOCTL | ECHONL, -1, -1);
	type("\x01\n", "\x01\r\n");
	expect("\x01\n");
	set_flags(ECHOPRT, 0, -1, -1);
	type("ab\x7f\x7f"
	     "c\n",
	     "ab\\ba/c\r\n");
	expect("c\n");
}

static void long_line_keeps_its_end(void **state)
{
	static char line[6000], got[8192];

	memset(line, 'x', sizeof(line));
	type_n(line, sizeof(line), NULL);
	type("\n", NULL);
	assert_int_equal(file_read(&slave, got, sizeof(got)), TTY_INPUT_SIZE);
	assert_int_equal(got[TTY_INPUT_SIZE - 1], '\n');
	type("next\n", NULL);
	expect("next\n");
}

static void type_ahead_over_mode_change(void **state)
{
	set_flags(0, ICANON | ECHO, 1, 0);
	type("early", "");
	set_flags(ICANON | ECHO, 0, -1, -1);
	expect("early");
	type("ab\n", NULL);
	set_flags(0, ICANON, 1, 0);
	expect("ab\n");
}

/* ---- raw mode ---- */

static void vmin_and_vtime(void **state)
{
	u64 before;

	set_flags(0, ICANON | ECHO, 0, 0);
	expect("");
	assert_int_equal(env_waits, 0);
	type("q", "");
	expect("q");
	set_flags(0, 0, 0, 5);
	before = env_time_ns;
	expect("");
	assert_int_equal(env_time_ns - before, 500000000);
	set_flags(0, 0, 3, 0);
	type("ab", "");
	assert_int_equal(file_read(&slave, (char[8]){ 0 }, 8), 2); /* as interrupted by a signal */
	type("abcd", "");
	expect("abcd");
	set_flags(0, 0, 3, 1);
	type("ab", "");
	expect("ab");
	slave.flags |= O_NONBLOCK;
	assert_int_equal(file_read(&slave, (char[1]){ 0 }, 1), -EAGAIN);
}

static void raw_passes_everything(void **state)
{
	struct termios t;
	char all[256];

	slave.ops->ioctl(&slave, TCGETS, (unsigned long)&t);
	t.iflag = t.oflag = t.lflag = 0;
	slave.ops->ioctl(&slave, TCSETSF, (unsigned long)&t);
	for (int i = 0; i < 256; i++)
		all[i] = i;
	type_n(all, 256, NULL);
	expect_n(512, all, 256);
	assert_int_equal(file_write(&slave, all, 256), 256);
	assert_int_equal(file_read(&master, all, 256), 256);
	assert_int_equal((u8)all[255], 255);
	assert_int_equal(all['\n'], '\n');
}

static void full_buffer_pushes_back(void **state)
{
	static char block[8192], got[8192];
	long n, first;

	set_flags(0, ICANON | ECHO, 1, 0);
	first = file_write(&master, block, sizeof(block));
	assert_true(first > 4000 && first < 4100);
	assert_int_equal(file_write(&master, block, 1), -EAGAIN);
	assert_false(master.ops->poll(&master, NULL) & POLLOUT);
	n = file_read(&slave, got, sizeof(got));
	assert_int_equal(n, first);
	assert_true(master.ops->poll(&master, NULL) & POLLOUT);
	assert_int_equal(file_write(&master, block, 100), 100);
	/* throwing input away makes room as well */
	file_write(&master, block, sizeof(block));
	assert_int_equal(slave.ops->ioctl(&slave, TCFLSH, TCIFLUSH), 0);
	assert_true(master.ops->poll(&master, NULL) & POLLOUT);
}

static void input_translation(void **state)
{
	struct termios t;

	slave.ops->ioctl(&slave, TCGETS, (unsigned long)&t);
	t.iflag = INLCR | IGNCR | ISTRIP | PARMRK;
	t.lflag = 0;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	type("a\r\n\xe1", NULL);
	expect("a\ra");
	t.iflag = PARMRK;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	type("\xff"
	     "a",
	     NULL);
	expect("\xff\xff"
	       "a");
}

/* ---- output ---- */

static void shows(const char *s, const char *want)
{
	char buf[1024];
	long n;

	assert_int_equal(file_write(&slave, s, strlen(s)), strlen(s));
	n = file_read(&master, buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	buf[n] = 0;
	assert_string_equal(buf, want);
}

static void output_processing(void **state)
{
	struct termios t;

	shows("a\nb", "a\r\nb");
	slave.ops->ioctl(&slave, TCGETS, (unsigned long)&t);
	t.oflag |= TAB3;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	shows("\r\tab\tc", "\r        ab      c");
	t.oflag = OPOST | ONOCR | OLCUC;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	shows("\r\rab\r", "\rAB\r");
	t.oflag = OPOST | OCRNL;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	shows("a\r", "a\n");
	t.oflag = 0;
	slave.ops->ioctl(&slave, TCSETS, (unsigned long)&t);
	shows("a\n", "a\n");
}

static void flow_control(void **state)
{
	char buf[16];

	slave.flags |= O_NONBLOCK;
	type("\x13", "");
	assert_int_equal(file_write(&slave, "x", 1), -EAGAIN);
	assert_false(slave.ops->poll(&slave, NULL) & POLLOUT);
	type("ab", "");
	type("\x11", "ab");
	assert_int_equal(file_write(&slave, "x", 1), 1);
	assert_int_equal(file_read(&master, buf, 16), 1);
	slave.ops->ioctl(&slave, TCXONC, 0);
	assert_int_equal(file_write(&slave, "x", 1), -EAGAIN);
	slave.ops->ioctl(&slave, TCXONC, 1);
	assert_int_equal(file_write(&slave, "x", 1), 1);
}

static void drain_master(void)
{
	static char buf[8192];

	file_read(&master, buf, sizeof(buf));
}

static void writer_waits_for_room(void **state)
{
	static char big[8192 + 500];

	memset(big, 'y', sizeof(big));
	env_on_sleep = drain_master;
	assert_int_equal(file_write(&slave, big, sizeof(big)), sizeof(big));
	assert_int_equal(env_waits, 1);
}

/* ---- settings, ends ---- */

static void window_size_signals(void **state)
{
	struct winsize ws = { 25, 80, 0, 0 }, got;

	assert_int_equal(master.ops->ioctl(&master, TIOCSWINSZ, (unsigned long)&ws), 0);
	assert_int_equal(slave.ops->ioctl(&slave, TIOCGWINSZ, (unsigned long)&got), 0);
	assert_memory_equal(&ws, &got, sizeof(ws));
	assert_int_equal(env_nr_signals, 1);
	assert_int_equal(env_signals[0], SIGWINCH);
	assert_int_equal(slave.ops->ioctl(&slave, TIOCSWINSZ, (unsigned long)&ws), 0);
	assert_int_equal(env_nr_signals, 1);
	assert_int_equal(slave.ops->ioctl(&slave, 0x5600, 0), -ENOTTY);
}

static void available_counts(void **state)
{
	int n;

	type("abc\x04"
	     "de",
	     NULL);
	slave.ops->ioctl(&slave, FIONREAD, (unsigned long)&n);
	assert_int_equal(n, 3);
	assert_true(slave.ops->poll(&slave, NULL) & POLLIN);
	expect("abc");
	assert_false(slave.ops->poll(&slave, NULL) & POLLIN);
}

static void master_closes(void **state)
{
	char c;

	type("left over\n", NULL);
	master.ops->release(&master);
	master.ops = NULL;
	assert_int_equal(file_read(&slave, &c, 1), 0);
	assert_int_equal(file_write(&slave, &c, 1), -EIO);
	assert_int_equal(slave.ops->ioctl(&slave, TCGETS, 0), -EIO);
	assert_true(slave.ops->poll(&slave, NULL) & POLLHUP);
}

static void slave_closes(void **state)
{
	char buf[16];

	assert_int_equal(file_write(&slave, "bye", 3), 3);
	slave.ops->release(&slave);
	slave.ops = NULL;
	assert_true(master.ops->poll(&master, NULL) & POLLHUP);
	assert_int_equal(file_read(&master, buf, 16), 3);
	assert_int_equal(file_read(&master, buf, 16), -EIO);
}

static void slave_comes_back(void **state)
{
	struct inode ino;
	unsigned int n;
	char buf[16];

	master.ops->ioctl(&master, TIOCGPTN, (unsigned long)&n);
	slave.ops->release(&slave);
	assert_int_equal(file_read(&master, buf, 16), -EIO);
	ino.rdev = makedev(PTS_MAJOR, n);
	slave = (struct file){ .flags = O_RDWR };
	assert_int_equal(env_chrdev(PTS_MAJOR, n)->open(&ino, &slave), 0);
	assert_int_equal(file_read(&master, buf, 16), -EAGAIN);
	shows("again", "again");
}

/* ---- any bytes, any settings ---- */

static void fuzz(void **state)
{
	static char in[700], out[9000];
	struct termios t;

	srandom(20240611);
	slave.flags |= O_NONBLOCK;
	slave.ops->ioctl(&slave, TCGETS, (unsigned long)&t);
	for (int round = 0; round < 20000; round++) {
		size_t n = random() % sizeof(in);

		for (size_t i = 0; i < n; i++)
			in[i] = random() % 3 ? random() % 32 : random();
		switch (random() % 8) {
		case 0:
			t.iflag = random();
			t.oflag = random();
			t.lflag = random();
			for (int i = 0; i < NCCS; i++)
				t.cc[i] = random() % 3 ? random() % 32 : random();
			slave.ops->ioctl(&slave, random() % 2 ? TCSETS : TCSETSF,
					 (unsigned long)&t);
			break;
		case 1:
			slave.ops->ioctl(&slave, TCXONC, random() % 4);
			break;
		case 2:
			slave.ops->ioctl(&slave, TCFLSH, random() % 3);
			break;
		case 3:
			file_write(&slave, in, n);
			break;
		case 4:
			file_read(&slave, out, random() % sizeof(out));
			break;
		case 5:
			file_read(&master, out, random() % sizeof(out));
			break;
		default:
			file_write(&master, in, n);
		}
		assert_int_equal(env_cpu.preempt_count, 0);
	}
	slave.ops->ioctl(&slave, TCXONC, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(line_waits_for_newline),
		T(erase_and_kill),
		T(erase_wide_things),
		T(end_of_file),
		T(literal_next),
		T(reprint_shows_line),
		T(signals_flush_and_go_out),
		T(echo_modes),
		T(long_line_keeps_its_end),
		T(type_ahead_over_mode_change),
		T(vmin_and_vtime),
		T(raw_passes_everything),
		T(full_buffer_pushes_back),
		T(input_translation),
		T(output_processing),
		T(flow_control),
		T(writer_waits_for_room),
		T(window_size_signals),
		T(available_counts),
		T(master_closes),
		T(slave_closes),
		T(slave_comes_back),
		T(fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
