/* SPDX-License-Identifier: MIT */
/* vt.h - a terminal of the "linux" kind (ECMA-48, VT102) on a grid of cells. Rows that changed
 * are marked, and who shows them looks there. The owner's lock guards all of it. */
#pragma once

#include <weft/types.h>

#define VT_MAX_COLS 256
#define VT_MAX_ROWS 136
#define VT_MAX_PARAMS 16

/* One character on the screen: code point, colours 0..15, underline. */
#define VT_CELL(ch, fg, bg, underline) \
	((u32)(ch) | (u32)(fg) << 21 | (u32)(bg) << 25 | (u32)(underline) << 29)
#define VT_CELL_CHAR(c) ((c)&0x1fffff)
#define VT_CELL_FG(c) ((c) >> 21 & 15)
#define VT_CELL_BG(c) ((c) >> 25 & 15)
#define VT_CELL_UNDERLINE(c) ((c) >> 29 & 1)
#define VT_CELL_ATTR 0xffe00000u /* all but the character */

struct vt_pen {
	u8 fg, bg;
	bool bold, dim, underline, reverse;
};

struct vt_cursor {
	u32 x, y;
	bool wrap; /* behind the last column: the next character starts a line */
	struct vt_pen pen;
	bool origin;
	u8 charset, graphics[2]; /* G0 and G1: 1 is the line-drawing set */
};

enum vt_state {
	VT_GROUND,
	VT_ESCAPE,
	VT_CSI,
	VT_CSI_IGNORE,
	VT_OSC,
	VT_PALETTE,
	VT_STRING,
	VT_CHARSET0,
	VT_CHARSET1,
	VT_HASH,
	VT_PERCENT,
};

struct vt {
	u32 cols, rows;
	u32 *cells;	       /* rows * cols */
	u16 line[VT_MAX_ROWS]; /* row on the screen -> row in cells: scrolling moves these */
	u64 dirty[(VT_MAX_ROWS + 63) / 64];
	struct vt_cursor cur, saved;
	u32 attr, blank; /* of the pen: attribute bits; an erased cell */
	u32 top, bottom; /* scroll region, bottom exclusive */
	bool autowrap, insert, newline_mode, hide_cursor, app_cursor, app_keypad, bracketed;
	u8 tabs[VT_MAX_COLS / 8];
	/* parser */
	u8 state;
	u8 private_mark, intermediate;
	u32 params[VT_MAX_PARAMS], nr_params;
	u32 skip; /* characters of VT_PALETTE left */
	u32 utf8_char, utf8_left, utf8_min;
	/* Answers to questions (ESC[6n); may be NULL. Called from vt_write. */
	void (*reply)(struct vt *vt, const char *s, size_t n);
};

/* cells: room for rows * cols, given by the caller. */
void vt_init(struct vt *vt, u32 *cells, u32 cols, u32 rows);
void vt_reset(struct vt *vt);
void vt_write(struct vt *vt, const u8 *p, size_t n);

static inline u32 *vt_row(const struct vt *vt, u32 y)
{
	return vt->cells + vt->line[y] * vt->cols;
}

static inline void vt_mark(struct vt *vt, u32 y)
{
	vt->dirty[y / 64] |= BIT64(y % 64);
}

/* ---- vt_screen.c: what the sequences do ---- */
void vt_put_char(struct vt *vt, u32 ch);
void vt_line_feed(struct vt *vt);
void vt_reverse_line_feed(struct vt *vt);
void vt_move_to(struct vt *vt, s64 x, s64 y);		   /* clamped */
void vt_scroll(struct vt *vt, u32 top, u32 bottom, s32 n); /* n > 0: up */
void vt_erase(struct vt *vt, u32 y, u32 x0, u32 x1);
void vt_erase_display(struct vt *vt, u32 how);
void vt_insert_chars(struct vt *vt, u32 n);
void vt_delete_chars(struct vt *vt, u32 n);
void vt_fill(struct vt *vt, u32 ch); /* DECALN */
void vt_tab(struct vt *vt);
void vt_back_tab(struct vt *vt);
void vt_pen_changed(struct vt *vt);
void vt_save_cursor(struct vt *vt);
void vt_restore_cursor(struct vt *vt);
void vt_set_graphics(struct vt *vt, const u32 *params, u32 n); /* SGR */
