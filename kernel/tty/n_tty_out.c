/* SPDX-License-Identifier: MIT */
/* n_tty_out.c - output processing (POSIX 11.2.3) and echo. Echo that the driver has no room for
 * waits in a small ring, and output of processes queues behind it so that the two keep their order.
 * When the ring is full, echo is lost: input never waits for output. All with tty->lock held. */

#include "tty.h"

#include <weft/string.h>

#define OUT_CHUNK 256
#define TAB_WIDTH 8

static bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}

static bool is_continuation(const struct tty *t, u8 c)
{
	return (t->termios.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* Writes what c becomes to out, at most TAB_WIDTH bytes, and moves the column. */
static u32 process_char(struct tty *t, u8 c, u8 *out)
{
	u32 oflag = t->termios.oflag, n;

	switch (c) {
	case '\n':
		if (oflag & (ONLRET | ONLCR))
			t->column = 0;
		if (!(oflag & ONLCR))
			break;
		out[0] = '\r';
		out[1] = '\n';
		return 2;
	case '\r':
		if ((oflag & ONOCR) && t->column == 0)
			return 0;
		t->column = 0;
		if (oflag & OCRNL)
			c = '\n';
		break;
	case '\t':
		n = TAB_WIDTH - t->column % TAB_WIDTH;
		t->column += n;
		if ((oflag & TABDLY) == TAB3) {
			memset(out, ' ', n);
			return n;
		}
		break;
	case '\b':
		if (t->column)
			t->column--;
		break;
	default:
		if ((oflag & OLCUC) && c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (!is_control(c) && !is_continuation(t, c))
			t->column++;
	}
	out[0] = c;
	return 1;
}

/* The most bytes that process_char can make of c. */
static u32 process_need(const struct tty *t, u8 c)
{
	if (c == '\n')
		return 2;
	return c == '\t' ? TAB_WIDTH : 1;
}

bool n_tty_echo_flush(struct tty *t)
{
	while (t->echo_tail != t->echo_head) {
		u32 off = t->echo_tail % TTY_ECHO_SIZE;
		u32 n = min(t->echo_head - t->echo_tail, TTY_ECHO_SIZE - off);
		size_t done = t->stopped ? 0 : t->driver->write(t, t->echo + off, n);

		t->echo_tail += done;
		if (done < n)
			return false;
	}
	return true;
}

static void echo_put(struct tty *t, const u8 *p, u32 n)
{
	if (t->echo_head - t->echo_tail + n > TTY_ECHO_SIZE)
		return;
	while (n--)
		t->echo[t->echo_head++ % TTY_ECHO_SIZE] = *p++;
}

void n_tty_echo_raw(struct tty *t, u8 c)
{
	u8 out[TAB_WIDTH];

	if (t->termios.oflag & OPOST) {
		echo_put(t, out, process_char(t, c, out));
		return;
	}
	if (!is_control(c) && !is_continuation(t, c))
		t->column++;
	echo_put(t, &c, 1);
}

void n_tty_echo_char(struct tty *t, u8 c)
{
	if ((t->termios.lflag & ECHOCTL) && is_control(c) && c != '\t') {
		n_tty_echo_raw(t, '^');
		n_tty_echo_raw(t, c ^ 0x40);
		return;
	}
	n_tty_echo_raw(t, c);
}

u32 n_tty_width(const struct tty *t, u8 c, u32 column)
{
	if (c == '\t')
		return TAB_WIDTH - column % TAB_WIDTH;
	if (is_control(c))
		return t->termios.lflag & ECHOCTL ? 2 : 0;
	return is_continuation(t, c) ? 0 : 1;
}

bool n_tty_can_write(struct tty *t)
{
	return !t->stopped && t->echo_head == t->echo_tail && t->driver->room(t) >= TAB_WIDTH;
}

size_t n_tty_output(struct tty *t, const u8 *p, size_t n)
{
	u8 out[OUT_CHUNK];
	size_t done = 0;

	if (t->stopped || !n_tty_echo_flush(t))
		return 0;
	if (!(t->termios.oflag & OPOST))
		return t->driver->write(t, p, n);
	while (done < n) {
		size_t room = min(t->driver->room(t), sizeof(out));
		size_t filled = 0, start = done;

		while (done < n && filled + process_need(t, p[done]) <= room)
			filled += process_char(t, p[done++], out + filled);
		if (done == start)
			break;
		/* there was room for it, and nobody else writes while the lock is held */
		t->driver->write(t, out, filled);
	}
	return done;
}
