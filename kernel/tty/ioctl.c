/* SPDX-License-Identifier: MIT */
/* ioctl.c - a terminal's settings: termios, window size, flow control, flushing and draining. The
 * same calls come through a pty's master, where they mean the slave. */

#include "tty.h"

#include <uapi/stat.h>
#include <weft/sched.h>
#include <weft/time.h>

#define DRAIN_STEP (5 * NSEC_PER_MSEC)
#define NR_OLD_SPEEDS 16

/* CBAUD's values 0..15 and, with CBAUDEX, 1..15. */
static const u32 speeds[] = { 0,   50,	 75,   110,  134,  150,	 200,	300,
			      600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
static const u32 high_speeds[] = { 0,	    57600,   115200,  230400,  460800,	500000,
				   576000,  921600,  1000000, 1152000, 1500000, 2000000,
				   2500000, 3000000, 3500000, 4000000 };

u32 tty_baud(const struct termios *termios)
{
	u32 i = termios->cflag & (NR_OLD_SPEEDS - 1);

	return termios->cflag & CBAUDEX ? high_speeds[i] : speeds[i];
}

/* Echo that could not be shown yet does not count: no program has written it. */
int tty_drain(struct tty *t, u64 deadline_ns)
{
	for (;;) {
		size_t left;

		spin_lock(&t->lock);
		n_tty_echo_flush(t);
		left = t->driver->pending(t, false);
		if (t->peer_closed)
			left = 0;
		spin_unlock(&t->lock);
		if (!left)
			return 0;
		if (deadline_ns && ktime_get() >= deadline_ns)
			return -ETIMEDOUT;
		if (sleep_ns_interruptible(DRAIN_STEP) || signal_pending())
			return -ERESTARTSYS;
	}
}

void tty_set_winsize(struct tty *t, const struct winsize *ws)
{
	struct tty_signals s = { .sig = { SIGWINCH }, .nr = 1 };
	bool changed;

	spin_lock(&t->lock);
	changed = t->winsize.rows != ws->rows || t->winsize.cols != ws->cols ||
		  t->winsize.xpixel != ws->xpixel || t->winsize.ypixel != ws->ypixel;
	t->winsize = *ws;
	spin_unlock(&t->lock);
	if (changed)
		tty_signals_send(t, &s);
}

static long get_termios(struct tty *t, u32 cmd, unsigned long arg)
{
	struct termios2 t2;

	spin_lock(&t->lock);
	t2.t = t->termios;
	spin_unlock(&t->lock);
	t2.ispeed = t2.ospeed = tty_baud(&t2.t);
	return copy_to_user((void __user *)arg, &t2, cmd == TCGETS2 ? sizeof(t2) : sizeof(t2.t));
}

/* how: 0 at once, 1 after output has drained, 2 and input thrown away. */
static long set_termios(struct tty *t, int how, size_t size, unsigned long arg)
{
	struct termios2 t2;
	struct termios old;
	long err = tty_check_background(t, SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&t2, (const void __user *)arg, size))
		return -EFAULT;
	if (how) {
		err = tty_drain(t, 0);
		if (err)
			return err;
	}
	spin_lock(&t->lock);
	if (how == 2)
		n_tty_flush_input(t);
	old = t->termios;
	t->termios = t2.t;
	t->termios.line = 0;
	n_tty_settings_changed(t, &old);
	if (t->driver->set_termios)
		t->driver->set_termios(t);
	spin_unlock(&t->lock);
	/* readers wait by the rules of the old settings */
	wake_up_all(&t->read_wait);
	wake_up_all(&t->write_wait);
	return 0;
}

static long flush(struct tty *t, unsigned long what)
{
	long err = tty_check_background(t, SIGTTOU);

	if (err)
		return err;
	if (what > TCIOFLUSH)
		return -EINVAL;
	spin_lock(&t->lock);
	if (what != TCOFLUSH)
		n_tty_flush_input(t);
	if (what != TCIFLUSH) {
		t->echo_tail = t->echo_head;
		t->driver->pending(t, true);
	}
	spin_unlock(&t->lock);
	wake_up_all(&t->write_wait);
	return 0;
}

/* TCOOFF, TCOON, TCIOFF, TCION */
static long flow(struct tty *t, unsigned long action)
{
	long err = tty_check_background(t, SIGTTOU);
	u8 c;

	if (err)
		return err;
	if (action > 3)
		return -EINVAL;
	spin_lock(&t->lock);
	if (action < 2) {
		t->stopped = action == 0;
		n_tty_echo_flush(t);
	} else {
		c = t->termios.cc[action == 2 ? VSTOP : VSTART];
		if (c != CC_DISABLED)
			t->driver->write(t, &c, 1);
	}
	spin_unlock(&t->lock);
	wake_up_all(&t->write_wait);
	return 0;
}

static long drain(struct tty *t)
{
	long err = tty_check_background(t, SIGTTOU);

	return err ? err : tty_drain(t, 0);
}

/* Types for the user, which only root may: a program left behind could type into the next shell. */
static long simulate_input(struct tty *t, unsigned long arg)
{
	u8 c;

	if (require_root())
		return -EPERM;
	if (copy_from_user(&c, (const void __user *)arg, 1))
		return -EFAULT;
	tty_receive(t, &c, 1);
	return 0;
}

static long window_size(struct tty *t, u32 cmd, unsigned long arg)
{
	struct winsize ws;

	if (cmd == TIOCSWINSZ) {
		if (copy_from_user(&ws, (const void __user *)arg, sizeof(ws)))
			return -EFAULT;
		tty_set_winsize(t, &ws);
		return 0;
	}
	spin_lock(&t->lock);
	ws = t->winsize;
	spin_unlock(&t->lock);
	return copy_to_user((void __user *)arg, &ws, sizeof(ws));
}

static long queue_size(struct tty *t, u32 cmd, unsigned long arg)
{
	int n;

	spin_lock(&t->lock);
	n = cmd == FIONREAD ? n_tty_available(t) :
			      t->driver->pending(t, false) + (t->echo_head - t->echo_tail);
	spin_unlock(&t->lock);
	return copy_to_user((void __user *)arg, &n, sizeof(n));
}

static long set_discipline(unsigned long arg)
{
	int n;

	if (copy_from_user(&n, (const void __user *)arg, sizeof(n)))
		return -EFAULT;
	return n == 0 ? 0 : -EINVAL;
}

static long set_exclusive(struct tty *t, bool on)
{
	spin_lock(&t->lock);
	t->exclusive = on;
	spin_unlock(&t->lock);
	return 0;
}

static long carrier_ignored(struct tty *t, u32 cmd, unsigned long arg)
{
	int on;

	if (cmd == TIOCGSOFTCAR) {
		on = !!(t->termios.cflag & CLOCAL);
		return copy_to_user((void __user *)arg, &on, sizeof(on));
	}
	if (copy_from_user(&on, (const void __user *)arg, sizeof(on)))
		return -EFAULT;
	spin_lock(&t->lock);
	t->termios.cflag = on ? t->termios.cflag | CLOCAL : t->termios.cflag & ~CLOCAL;
	spin_unlock(&t->lock);
	return 0;
}

long tty_ioctl_common(struct tty *t, struct file *f, u32 cmd, unsigned long arg)
{
	int zero = 0;

	switch (cmd) {
	case TCGETS:
	case TCGETS2:
		return get_termios(t, cmd, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(t, cmd - TCSETS, sizeof(struct termios), arg);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_termios(t, cmd - TCSETS2, sizeof(struct termios2), arg);
	case TCSBRK: /* no break is sent; both forms wait for the output */
	case TCSBRKP:
		return drain(t);
	case TCXONC:
		return flow(t, arg);
	case TCFLSH:
		return flush(t, arg);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(t, cmd == TIOCEXCL);
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return window_size(t, cmd, arg);
	case TIOCOUTQ:
	case FIONREAD:
		return queue_size(t, cmd, arg);
	case TIOCSTI:
		return simulate_input(t, arg);
	case TIOCGETD:
		return copy_to_user((void __user *)arg, &zero, sizeof(zero));
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCGSOFTCAR:
	case TIOCSSOFTCAR:
		return carrier_ignored(t, cmd, arg);
	case TIOCVHANGUP:
		if (require_root())
			return -EPERM;
		tty_hangup(t);
		return 0;
	}
	return -ENOTTY;
}
