/* SPDX-License-Identifier: MIT */
/* vt_screen.c - what a terminal can do with its grid: put, move, scroll, erase, colour. Rows are
 * reached through an index, so that scrolling a full screen moves some small numbers and clears one
 * row. */

#include "vt.h"

#include <weft/string.h>

#define DEFAULT_FG 7
#define DEFAULT_BG 0
#define BRIGHT 8

/* DEC special graphics 0x60..0x7e (VT100 user guide, table 3-9). */
static const u16 line_drawing[] = {
	0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518,
	0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524,
	0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

void vt_pen_changed(struct vt *vt)
{
	const struct vt_pen *pen = &vt->cur.pen;
	u8 fg = pen->fg, bg = pen->bg;

	if (pen->bold && fg < BRIGHT)
		fg += BRIGHT;
	else if (pen->dim)
		fg = BRIGHT;
	vt->blank = VT_CELL(' ', DEFAULT_FG, bg, 0);
	if (pen->reverse) {
		u8 swap = fg;

		fg = bg;
		bg = swap;
	}
	vt->attr = VT_CELL(0, fg, bg, pen->underline);
}

void vt_erase(struct vt *vt, u32 y, u32 x0, u32 x1)
{
	u32 *row = vt_row(vt, y);

	for (u32 x = x0; x < x1 && x < vt->cols; x++)
		row[x] = vt->blank;
	vt_mark(vt, y);
}

void vt_erase_display(struct vt *vt, u32 how)
{
	u32 first = 0, last = vt->rows;

	if (how == 0) {
		vt_erase(vt, vt->cur.y, vt->cur.x, vt->cols);
		first = vt->cur.y + 1;
	} else if (how == 1) {
		vt_erase(vt, vt->cur.y, 0, vt->cur.x + 1);
		last = vt->cur.y;
	}
	for (u32 y = first; y < last; y++)
		vt_erase(vt, y, 0, vt->cols);
}

void vt_fill(struct vt *vt, u32 ch)
{
	for (u32 y = 0; y < vt->rows; y++) {
		u32 *row = vt_row(vt, y);

		for (u32 x = 0; x < vt->cols; x++)
			row[x] = VT_CELL(ch, DEFAULT_FG, DEFAULT_BG, 0);
		vt_mark(vt, y);
	}
}

void vt_scroll(struct vt *vt, u32 top, u32 bottom, s32 n)
{
	u32 height = bottom - top, count = n < 0 ? -(u32)n : (u32)n;
	u16 moved[VT_MAX_ROWS];

	if (!count || top >= bottom)
		return;
	count = min(count, height);
	for (u32 i = 0; i < height; i++) {
		u32 from = n > 0 ? (i + count) % height : (i + height - count) % height;

		moved[i] = vt->line[top + from];
	}
	memcpy(vt->line + top, moved, height * sizeof(moved[0]));
	for (u32 y = top; y < bottom; y++)
		vt_mark(vt, y);
	for (u32 i = 0; i < count; i++)
		vt_erase(vt, n > 0 ? bottom - 1 - i : top + i, 0, vt->cols);
}

/* Column and row from the screen's corner, or the region's in origin mode. */
void vt_move_to(struct vt *vt, s64 x, s64 y)
{
	s64 first = 0, last = (s64)vt->rows - 1;

	if (vt->cur.origin) {
		first = vt->top;
		last = (s64)vt->bottom - 1;
		y += first;
	}
	vt->cur.x = max(min(x, (s64)vt->cols - 1), (s64)0);
	vt->cur.y = max(min(y, last), first);
	vt->cur.wrap = false;
}

void vt_line_feed(struct vt *vt)
{
	vt->cur.wrap = false;
	if (vt->cur.y + 1 == vt->bottom)
		vt_scroll(vt, vt->top, vt->bottom, 1);
	else if (vt->cur.y + 1 < vt->rows)
		vt->cur.y++;
}

void vt_reverse_line_feed(struct vt *vt)
{
	vt->cur.wrap = false;
	if (vt->cur.y == vt->top)
		vt_scroll(vt, vt->top, vt->bottom, -1);
	else if (vt->cur.y)
		vt->cur.y--;
}

void vt_insert_chars(struct vt *vt, u32 n)
{
	u32 *row = vt_row(vt, vt->cur.y);

	n = min(n, vt->cols - vt->cur.x);
	memmove(row + vt->cur.x + n, row + vt->cur.x, (vt->cols - vt->cur.x - n) * sizeof(*row));
	vt_erase(vt, vt->cur.y, vt->cur.x, vt->cur.x + n);
	vt->cur.wrap = false;
}

void vt_delete_chars(struct vt *vt, u32 n)
{
	u32 *row = vt_row(vt, vt->cur.y);

	n = min(n, vt->cols - vt->cur.x);
	memmove(row + vt->cur.x, row + vt->cur.x + n, (vt->cols - vt->cur.x - n) * sizeof(*row));
	vt_erase(vt, vt->cur.y, vt->cols - n, vt->cols);
	vt->cur.wrap = false;
}

void vt_tab(struct vt *vt)
{
	u32 x = vt->cur.x + 1;

	while (x < vt->cols - 1 && !(vt->tabs[x / 8] & BIT(x % 8)))
		x++;
	vt->cur.x = min(x, vt->cols - 1);
}

void vt_back_tab(struct vt *vt)
{
	u32 x = vt->cur.x;

	while (x > 0) {
		x--;
		if (vt->tabs[x / 8] & BIT(x % 8))
			break;
	}
	vt->cur.x = x;
	vt->cur.wrap = false;
}

/* Marks that go on top of the character before them: the grid keeps that character alone. */
static bool is_combining(u32 ch)
{
	return (ch >= 0x300 && ch <= 0x36f) || (ch >= 0x200b && ch <= 0x200f) ||
	       (ch >= 0x20d0 && ch <= 0x20ff) || (ch >= 0xfe00 && ch <= 0xfe0f);
}

/* Unicode's East Asian wide ranges, roughly: programs count two columns for these. */
static bool is_wide(u32 ch)
{
	return ch >= 0x1100 &&
	       (ch <= 0x115f || (ch >= 0x2e80 && ch <= 0xa4cf) || (ch >= 0xac00 && ch <= 0xd7a3) ||
		(ch >= 0xf900 && ch <= 0xfaff) || (ch >= 0xfe30 && ch <= 0xfe6f) ||
		(ch >= 0xff00 && ch <= 0xff60) || (ch >= 0xffe0 && ch <= 0xffe6) ||
		(ch >= 0x1f300 && ch <= 0x1faff) || (ch >= 0x20000 && ch <= 0x3fffd));
}

static void put_cell(struct vt *vt, u32 ch)
{
	if (vt->cur.wrap) {
		vt->cur.x = 0;
		vt_line_feed(vt);
	}
	if (vt->insert)
		vt_insert_chars(vt, 1);
	vt_row(vt, vt->cur.y)[vt->cur.x] = ch | vt->attr;
	vt_mark(vt, vt->cur.y);
	if (vt->cur.x + 1 < vt->cols)
		vt->cur.x++;
	else
		vt->cur.wrap = vt->autowrap;
}

void vt_put_char(struct vt *vt, u32 ch)
{
	if (vt->cur.graphics[vt->cur.charset] && ch >= 0x60 && ch <= 0x7e)
		ch = line_drawing[ch - 0x60];
	if (ch < 0x300) {
		put_cell(vt, ch);
		return;
	}
	if (is_combining(ch))
		return;
	if (is_wide(ch)) {
		if (vt->cur.x + 1 == vt->cols && vt->autowrap)
			vt->cur.wrap = true;
		put_cell(vt, ch);
		ch = ' ';
	}
	put_cell(vt, ch);
}

void vt_save_cursor(struct vt *vt)
{
	vt->saved = vt->cur;
}

void vt_restore_cursor(struct vt *vt)
{
	vt->cur = vt->saved;
	vt_pen_changed(vt);
}

/* ---- SGR ---- */

/* The nearest of the 16 colours: which components are strong, and whether any is very strong. */
static u8 color_from_rgb(u32 r, u32 g, u32 b)
{
	u32 most = max(max(r, g), b);
	u8 c = 0;

	if (most < 48)
		return 0;
	if (r > most / 2)
		c |= 1;
	if (g > most / 2)
		c |= 2;
	if (b > most / 2)
		c |= 4;
	if (c == 7 && most < 128)
		return BRIGHT;
	return most > 200 ? c | BRIGHT : c;
}

static u8 color_from_256(u32 n)
{
	if (n < 16)
		return n;
	if (n < 232) {
		n -= 16;
		return color_from_rgb(n / 36 * 51, n / 6 % 6 * 51, n % 6 * 51);
	}
	n = (min(n, 255u) - 232) * 10 + 8;
	return color_from_rgb(n, n, n);
}

/* 38 or 48: ;5;n or ;2;r;g;b. Returns how many further parameters were used. */
static u32 extended_color(const u32 *p, u32 n, u8 *color)
{
	if (n >= 3 && p[1] == 5) {
		*color = color_from_256(p[2]);
		return 2;
	}
	if (n >= 5 && p[1] == 2) {
		*color = color_from_rgb(min(p[2], 255u), min(p[3], 255u), min(p[4], 255u));
		return 4;
	}
	return n - 1;
}

static void set_color(struct vt_pen *pen, u32 p)
{
	if (p >= 30 && p <= 37)
		pen->fg = p - 30;
	else if (p >= 40 && p <= 47)
		pen->bg = p - 40;
	else if (p >= 90 && p <= 97)
		pen->fg = p - 90 + BRIGHT;
	else if (p >= 100 && p <= 107)
		pen->bg = p - 100 + BRIGHT;
	else if (p == 39)
		pen->fg = DEFAULT_FG;
	else if (p == 49)
		pen->bg = DEFAULT_BG;
}

void vt_set_graphics(struct vt *vt, const u32 *params, u32 n)
{
	struct vt_pen *pen = &vt->cur.pen;

	for (u32 i = 0; i < n; i++) {
		switch (params[i]) {
		case 0:
			*pen = (struct vt_pen){ .fg = DEFAULT_FG, .bg = DEFAULT_BG };
			break;
		case 1:
			pen->bold = true;
			break;
		case 2:
			pen->dim = true;
			break;
		case 4:
		case 21:
			pen->underline = true;
			break;
		case 7:
			pen->reverse = true;
			break;
		case 22:
			pen->bold = pen->dim = false;
			break;
		case 24:
			pen->underline = false;
			break;
		case 27:
			pen->reverse = false;
			break;
		case 38:
			i += extended_color(params + i, n - i, &pen->fg);
			break;
		case 48:
			i += extended_color(params + i, n - i, &pen->bg);
			break;
		default:
			set_color(pen, params[i]);
		}
	}
	vt_pen_changed(vt);
}

void vt_reset(struct vt *vt)
{
	vt->cur = (struct vt_cursor){ .pen = { .fg = DEFAULT_FG, .bg = DEFAULT_BG } };
	vt->saved = vt->cur;
	vt->top = 0;
	vt->bottom = vt->rows;
	vt->autowrap = true;
	vt->insert = vt->newline_mode = vt->hide_cursor = vt->app_cursor = vt->app_keypad = false;
	vt->bracketed = false;
	vt->state = VT_GROUND;
	vt->utf8_left = 0;
	memset(vt->tabs, 1, sizeof(vt->tabs)); /* a stop in each eighth column */
	vt_pen_changed(vt);
	vt_erase_display(vt, 2);
}

void vt_init(struct vt *vt, u32 *cells, u32 cols, u32 rows)
{
	memset(vt, 0, sizeof(*vt));
	vt->cells = cells;
	vt->cols = min(cols, (u32)VT_MAX_COLS);
	vt->rows = min(rows, (u32)VT_MAX_ROWS);
	for (u32 y = 0; y < vt->rows; y++)
		vt->line[y] = y;
	vt_reset(vt);
}
