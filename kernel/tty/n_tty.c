/* SPDX-License-Identifier: MIT */
/* n_tty.c - the line discipline's input side (POSIX 11.1): translation, signals, flow control, line
 * editing and echo. Runs in poll or process context under tty->lock; signals are collected and sent
 * after it was dropped. A full buffer refuses input in raw mode (the driver keeps it) and, while a
 * line is being typed, drops all but what ends the line. */

#include "tty.h"

#include <core/proc.h>
#include <weft/string.h>

#define IDX(pos) ((pos) % TTY_INPUT_SIZE)

static void put(struct tty *t, u8 c, bool ends_line)
{
	u32 i = IDX(t->head);

	t->input[i] = c;
	if (ends_line)
		t->line_end[i / 8] |= BIT(i % 8);
	else
		t->line_end[i / 8] &= ~BIT(i % 8);
	t->head++;
	if (ends_line)
		t->canon_head = t->head;
}

static u32 used(const struct tty *t)
{
	return t->head - t->tail;
}

static bool is_cc(const struct tty *t, u32 index, u8 c)
{
	return c != CC_DISABLED && t->termios.cc[index] == c;
}

static bool lflag(const struct tty *t, u32 bits)
{
	return t->termios.lflag & bits;
}

static bool is_continuation(const struct tty *t, u8 c)
{
	return (t->termios.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

void n_tty_flush_input(struct tty *t)
{
	t->tail = t->canon_head = t->head;
	t->lnext = false;
	if (t->throttled) {
		t->throttled = false;
		if (t->driver->resume)
			t->driver->resume(t);
	}
}

void n_tty_settings_changed(struct tty *t, const struct termios *old)
{
	if (lflag(t, ICANON) && !(old->lflag & ICANON)) {
		/* what was typed ahead can be read as it is, without an end of line */
		memset(t->line_end, 0, sizeof(t->line_end));
		t->canon_head = t->head;
	} else if (!lflag(t, ICANON)) {
		t->lnext = false;
	}
	if (!(t->termios.iflag & IXON) && (old->iflag & IXON))
		t->stopped = false;
}

/* ---- editing ---- */

/* Ends an erasure shown as \text/ (ECHOPRT). */
static void finish_erasing(struct tty *t)
{
	if (t->erasing) {
		n_tty_echo_raw(t, '/');
		t->erasing = false;
	}
}

/* Where the character at pos was echoed: tabs depend on all that stands before them. */
static u32 column_of(const struct tty *t, u32 pos)
{
	u32 column = t->canon_column;

	for (u32 p = t->canon_head; p != pos; p++)
		column += n_tty_width(t, t->input[IDX(p)], column);
	return column;
}

static void echo_backspaces(struct tty *t, u32 n, bool wipe)
{
	while (n--) {
		n_tty_echo_raw(t, '\b');
		if (wipe) {
			n_tty_echo_raw(t, ' ');
			n_tty_echo_raw(t, '\b');
		}
	}
}

/* Removes the last character of the line, all bytes of it. */
static void erase_one(struct tty *t)
{
	u32 old_head = t->head;
	u8 c;

	do {
		c = t->input[IDX(--t->head)];
	} while (is_continuation(t, c) && t->head != t->canon_head);
	if (!lflag(t, ECHO))
		return;
	if (lflag(t, ECHOPRT)) {
		if (!t->erasing) {
			n_tty_echo_raw(t, '\\');
			t->erasing = true;
		}
		for (u32 p = t->head; p != old_head; p++)
			n_tty_echo_char(t, t->input[IDX(p)]);
	} else if (!lflag(t, ECHOE)) {
		n_tty_echo_char(t, t->termios.cc[VERASE]);
	} else if (c == '\t') {
		echo_backspaces(t, n_tty_width(t, c, column_of(t, t->head)), false);
	} else {
		/* a UTF-8 lead byte, too, took one column */
		echo_backspaces(t, n_tty_width(t, c, 0), true);
	}
}

static bool is_word_char(u8 c)
{
	return c == '_' || c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static void erase_word(struct tty *t)
{
	bool seen = false;

	while (t->head != t->canon_head) {
		bool word = is_word_char(t->input[IDX(t->head - 1)]);

		if (seen && !word)
			break;
		seen |= word;
		erase_one(t);
	}
}

static void erase_line(struct tty *t)
{
	if (!lflag(t, ECHO) || (lflag(t, ECHOK) && lflag(t, ECHOKE) && lflag(t, ECHOE))) {
		while (t->head != t->canon_head)
			erase_one(t);
		return;
	}
	t->head = t->canon_head;
	finish_erasing(t);
	n_tty_echo_char(t, t->termios.cc[VKILL]);
	if (lflag(t, ECHOK))
		n_tty_echo_raw(t, '\n');
}

static void reprint(struct tty *t)
{
	finish_erasing(t);
	n_tty_echo_char(t, t->termios.cc[VREPRINT]);
	n_tty_echo_raw(t, '\n');
	t->canon_column = t->column;
	for (u32 p = t->canon_head; p != t->head; p++)
		n_tty_echo_char(t, t->input[IDX(p)]);
}

/* ---- single characters ---- */

static void echo(struct tty *t, u8 c)
{
	if (!lflag(t, ECHO))
		return;
	finish_erasing(t);
	if (t->head == t->canon_head)
		t->canon_column = t->column;
	n_tty_echo_char(t, c);
}

static void start_output(struct tty *t)
{
	t->stopped = false;
	wake_up_key(&t->write_wait, POLLOUT | POLLWRNORM);
}

static void add_signal(struct tty *t, struct tty_signals *s, int sig)
{
	if (!lflag(t, NOFLSH)) {
		n_tty_flush_input(t);
		t->echo_tail = t->echo_head;
		t->driver->pending(t, true);
		wake_up_key(&t->write_wait, POLLOUT | POLLWRNORM);
	}
	if (t->termios.iflag & IXON)
		start_output(t);
	if (s->nr < ARRAY_SIZE(s->sig))
		s->sig[s->nr++] = sig;
}

static bool receive_signal(struct tty *t, u8 c, struct tty_signals *s)
{
	int sig;

	if (!lflag(t, ISIG))
		return false;
	if (is_cc(t, VINTR, c))
		sig = SIGINT;
	else if (is_cc(t, VQUIT, c))
		sig = SIGQUIT;
	else if (is_cc(t, VSUSP, c))
		sig = SIGTSTP;
	else
		return false;
	add_signal(t, s, sig);
	if (lflag(t, ECHO)) {
		finish_erasing(t);
		n_tty_echo_char(t, c);
	}
	return true;
}

static bool receive_flow(struct tty *t, u8 c)
{
	if (!(t->termios.iflag & IXON))
		return false;
	if (is_cc(t, VSTART, c)) {
		start_output(t);
		return true;
	}
	if (is_cc(t, VSTOP, c)) {
		t->stopped = true;
		return true;
	}
	if (t->stopped && (t->termios.iflag & IXANY))
		start_output(t);
	return false;
}

/* Editing characters and ends of line; false: an ordinary character. */
static bool receive_canonical(struct tty *t, u8 c)
{
	bool extended = lflag(t, IEXTEN);
	bool empty = t->head == t->canon_head;

	if (is_cc(t, VERASE, c)) {
		if (!empty)
			erase_one(t);
	} else if (is_cc(t, VKILL, c)) {
		if (!empty)
			erase_line(t);
	} else if (extended && is_cc(t, VWERASE, c)) {
		erase_word(t);
	} else if (extended && is_cc(t, VLNEXT, c)) {
		t->lnext = true;
		if (lflag(t, ECHO) && lflag(t, ECHOCTL)) {
			finish_erasing(t);
			if (empty)
				t->canon_column = t->column;
			n_tty_echo_raw(t, '^');
			n_tty_echo_raw(t, '\b');
		}
	} else if (extended && lflag(t, ECHO) && is_cc(t, VREPRINT, c)) {
		reprint(t);
	} else if (c == '\n') {
		if (lflag(t, ECHO | ECHONL)) {
			finish_erasing(t);
			n_tty_echo_raw(t, '\n');
		}
		put(t, c, true);
	} else if (is_cc(t, VEOF, c)) {
		/* the reader drops this byte and only sees the line's end */
		put(t, CC_DISABLED, true);
	} else if (is_cc(t, VEOL, c) || (extended && is_cc(t, VEOL2, c))) {
		echo(t, c);
		put(t, c, true);
	} else {
		return false;
	}
	return true;
}

static void store(struct tty *t, u8 c)
{
	bool doubled = c == 0xff && (t->termios.iflag & PARMRK) && !(t->termios.iflag & ISTRIP);

	/* one byte stays free for what ends a line */
	if (used(t) + 1 + doubled >= TTY_INPUT_SIZE) {
		if (t->termios.iflag & IMAXBEL)
			n_tty_echo_raw(t, '\a');
		return;
	}
	echo(t, c);
	put(t, c, false);
	if (doubled)
		put(t, c, false);
}

static void receive_char(struct tty *t, u8 c, struct tty_signals *s)
{
	u32 iflag = t->termios.iflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (t->lnext) {
		t->lnext = false;
		store(t, c);
		return;
	}
	if ((iflag & IUCLC) && lflag(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (receive_flow(t, c) || receive_signal(t, c, s))
		return;
	if (c == '\r') {
		if (iflag & IGNCR)
			return;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if (!lflag(t, ICANON)) {
		if (c == '\n' && lflag(t, ECHO)) {
			n_tty_echo_raw(t, c);
			put(t, c, false);
			return;
		}
		store(t, c);
	} else if (!receive_canonical(t, c)) {
		store(t, c);
	}
}

/* Room for n more bytes at least; while a line is typed there is always room to end it, because
 * store leaves a byte free and a finished line makes the reader come. */
static bool has_room(const struct tty *t)
{
	if (lflag(t, ICANON) && t->canon_head == t->tail)
		return true;
	return used(t) + 3 <= TTY_INPUT_SIZE;
}

/* IXOFF: asks the other end to pause while the buffer is nearly full. */
static void regulate_sender(struct tty *t)
{
	u8 c;

	if (!(t->termios.iflag & IXOFF) || t->sent_stop || used(t) < TTY_INPUT_SIZE * 3 / 4)
		return;
	c = t->termios.cc[VSTOP];
	t->sent_stop = t->driver->write(t, &c, 1) == 1;
}

size_t tty_receive(struct tty *t, const u8 *p, size_t n)
{
	struct tty_signals s = { .nr = 0 };
	size_t done = 0;
	bool ready;

	while (done < n) {
		spin_lock(&t->lock);
		while (done < n && has_room(t) && s.nr < ARRAY_SIZE(s.sig))
			receive_char(t, p[done++], &s);
		if (done < n && s.nr < ARRAY_SIZE(s.sig))
			t->throttled = true;
		n_tty_echo_flush(t);
		regulate_sender(t);
		ready = lflag(t, ICANON) ? t->canon_head != t->tail : t->head != t->tail;
		spin_unlock(&t->lock);
		if (ready)
			wake_up_key(&t->read_wait, POLLIN | POLLRDNORM);
		if (!s.nr)
			break;
		tty_signals_send(t, &s);
	}
	return done;
}

void tty_receive_break(struct tty *t)
{
	struct tty_signals s = { .nr = 0 };
	u32 iflag;

	spin_lock(&t->lock);
	iflag = t->termios.iflag;
	if (iflag & IGNBRK) {
		;
	} else if (iflag & BRKINT) {
		add_signal(t, &s, SIGINT);
	} else if (used(t) + 3 < TTY_INPUT_SIZE) {
		if (iflag & PARMRK) {
			put(t, 0xff, false);
			put(t, 0, false);
		}
		put(t, 0, false);
	}
	spin_unlock(&t->lock);
	wake_up_key(&t->read_wait, POLLIN | POLLRDNORM);
	tty_signals_send(t, &s);
}

void tty_signals_send(struct tty *t, struct tty_signals *s)
{
	int pgrp = READ_ONCE(t->pgrp);

	for (u32 i = 0; i < s->nr && pgrp > 0; i++)
		signal_send_pgrp(pgrp, s->sig[i], NULL);
	s->nr = 0;
}
