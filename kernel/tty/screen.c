/* SPDX-License-Identifier: MIT */
/* screen.c - tty1: the terminal emulator joined to the screen. Writers only change the grid; a
 * poller brings the screen up to it at most every 16 ms and draws no cell that looks right already,
 * so that a fast scroll costs a frame, not every line of it. In a panic everything is drawn at
 * once.
 *
 * screen_lock (interrupts off, the kernel log writes too) guards the grid; shown[] and the hardware
 * are the poller's alone. */

#include "screen.h"

#include "tty.h"
#include "vt.h"

#include <core/console.h>
#include <core/vfs.h>
#include <weft/alloc.h>
#include <weft/poller.h>
#include <weft/printk.h>
#include <weft/string.h>

#define FRAME_NS (16 * NSEC_PER_MSEC)
#define ROWS_A_ROUND 4
#define ROOM 4096
#define REPLY_SIZE 128
#define CURSOR_MARK BIT(31) /* in shown[] */

#define VT_OPENQRY 0x5600
#define VT_GETSTATE 0x5603
#define VT_ACTIVATE 0x5606
#define VT_WAITACTIVE 0x5607
#define KDGKBTYPE 0x4b33
#define KDGETMODE 0x4b3b
#define KDSETMODE 0x4b3a
#define KDGKBMODE 0x4b44
#define KB_101 2
#define K_UNICODE 3

static struct screen_hw hw;
static struct tty tty1;
static bool have_screen;
static u32 *shown;     /* the poller's */
static u64 last_frame; /* the poller's */
static bool in_frame;  /* the poller's */

static struct spinlock screen_lock;
/* guarded by screen_lock */
static struct vt vt;
static char replies[REPLY_SIZE];
static u32 nr_replies;

static u32 screen_poll(struct poller *p, u32 budget);
static void frame_due(struct timer *t);
static struct poller screen_poller = { .poll = screen_poll, .name = "screen" };
static struct timer frame_timer;

/* ---- drawing ---- */

static void draw_row(u32 y)
{
	static u32 row[VT_MAX_COLS];
	unsigned long flags;
	bool locked = printk_spin_lock(&screen_lock, &flags);

	vt.dirty[y / 64] &= ~BIT64(y % 64);
	memcpy(row, vt_row(&vt, y), vt.cols * sizeof(row[0]));
	if (vt.cur.y == y && !vt.hide_cursor)
		row[vt.cur.x] |= CURSOR_MARK;
	printk_spin_unlock(&screen_lock, flags, locked);
	for (u32 x = 0; x < vt.cols; x++) {
		u32 *old = &shown[y * vt.cols + x];

		if (*old == row[x])
			continue;
		*old = row[x];
		hw.draw(&hw, x, y, row[x] & ~CURSOR_MARK, row[x] & CURSOR_MARK);
	}
}

/* Draws at most max marked rows; true when some are left. */
static bool draw_rows(u32 max)
{
	for (u32 y = 0; y < vt.rows; y++) {
		if (!(READ_ONCE(vt.dirty[y / 64]) & BIT64(y % 64)))
			continue;
		if (!max--)
			return true;
		draw_row(y);
	}
	return false;
}

/* The program asked the terminal something: the answer is typed for it. */
static void deliver_replies(void)
{
	char copy[REPLY_SIZE];
	unsigned long flags = spin_lock_irqsave(&screen_lock);
	u32 n = nr_replies;

	memcpy(copy, replies, n);
	nr_replies = 0;
	spin_unlock_irqrestore(&screen_lock, flags);
	if (n)
		tty_receive(&tty1, (const u8 *)copy, n);
}

static u32 screen_poll(struct poller *p, u32 budget)
{
	u64 now = ktime_get();

	deliver_replies();
	if (!in_frame && last_frame && now - last_frame < FRAME_NS) {
		timer_set(&frame_timer, last_frame + FRAME_NS);
		return 0;
	}
	in_frame = draw_rows(ROWS_A_ROUND);
	if (in_frame)
		return budget;
	last_frame = now;
	return 0;
}

static void frame_due(struct timer *t)
{
	poller_schedule(&screen_poller);
}

/* ---- writing ---- */

static void vt_answer(struct vt *v, const char *s, size_t n)
{
	if (nr_replies + n > REPLY_SIZE)
		return;
	memcpy(replies + nr_replies, s, n);
	nr_replies += n;
}

static size_t screen_write(struct tty *t, const u8 *p, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&screen_lock);

	vt_write(&vt, p, n);
	spin_unlock_irqrestore(&screen_lock, flags);
	poller_schedule(&screen_poller);
	return n;
}

static size_t screen_room(struct tty *t)
{
	return ROOM;
}

static size_t screen_pending(struct tty *t, bool discard)
{
	return 0;
}

static long put_int(unsigned long arg, int v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v));
}

/* There is one virtual terminal, always in front and in text mode. */
static long screen_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	u16 state[3] = { 1, 0, BIT(1) }; /* active, signal, in use */
	u8 type = KB_101;

	switch (cmd) {
	case VT_OPENQRY:
		return put_int(arg, -1);
	case VT_GETSTATE:
		return copy_to_user((void __user *)arg, state, sizeof(state));
	case VT_ACTIVATE:
	case VT_WAITACTIVE:
		return arg == 1 ? 0 : -ENXIO;
	case KDGKBTYPE:
		return copy_to_user((void __user *)arg, &type, sizeof(type));
	case KDGETMODE:
		return put_int(arg, 0);
	case KDSETMODE:
		return arg == 0 ? 0 : -EINVAL;
	case KDGKBMODE:
		return put_int(arg, K_UNICODE);
	}
	return -ENOIOCTLCMD;
}

static const struct tty_driver screen_driver = {
	.name = "screen",
	.write = screen_write,
	.room = screen_room,
	.pending = screen_pending,
	.ioctl = screen_ioctl,
};

static void screen_console_write(struct console *c, const char *p, size_t n)
{
	unsigned long flags;
	bool locked = printk_spin_lock(&screen_lock, &flags);

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			vt_write(&vt, (const u8 *)"\r", 1);
		vt_write(&vt, (const u8 *)p + i, 1);
	}
	printk_spin_unlock(&screen_lock, flags, locked);
	if (printk_in_panic())
		draw_rows(vt.rows);
	else
		poller_schedule(&screen_poller);
}

static struct console screen_console = { .name = "tty1", .write = screen_console_write };

struct tty *screen_tty(void)
{
	return have_screen ? &tty1 : NULL;
}

bool screen_app_cursor(void)
{
	return READ_ONCE(vt.app_cursor);
}

void screen_console_init(void)
{
	u32 *cells;
	size_t n;

	if (!screen_hw_init(&hw))
		return;
	n = (size_t)hw.cols * hw.rows;
	cells = kcalloc(n, sizeof(*cells));
	shown = kcalloc(n, sizeof(*shown)); /* 0 is no cell: all are drawn once */
	if (!cells || !shown) {
		kfree(cells);
		kfree(shown);
		pr_warn("screen: no memory\n");
		return;
	}
	vt_init(&vt, cells, hw.cols, hw.rows);
	vt.reply = vt_answer;
	tty_setup(&tty1, &screen_driver, "tty1", makedev(TTY_MAJOR, 1));
	tty1.winsize = (struct winsize){ .rows = hw.rows, .cols = hw.cols };
	have_screen = true;
	timer_init(&frame_timer, frame_due);
	poller_add(&screen_poller);
	if (console_wanted("tty1"))
		console_register(&screen_console);
	poller_schedule(&screen_poller);
}

void screen_init(void)
{
	if (have_screen)
		tty_register(&tty1);
}
