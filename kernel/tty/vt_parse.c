/* SPDX-License-Identifier: MIT */
/* vt_parse.c - the byte stream of a terminal: UTF-8, control characters, escape and control
 * sequences (ECMA-48 5.4; the private ones as the "linux" terminal has them). Any bytes are safe:
 * numbers are capped, surplus parameters dropped, unknown sequences skipped to their end. */

#include "vt.h"

#include <weft/string.h>

#define PARAM_CAP 9999
#define REPLACEMENT 0xfffd
#define PALETTE_DIGITS 7

enum {
	BEL = 7,
	BS,
	HT,
	LF,
	VTAB,
	FF,
	CR,
	SO,
	SI,
	CAN = 24,
	SUB = 26,
	ESC = 27,
	DEL = 127,
	C1_CSI = 0x9b
};

static u32 param(const struct vt *vt, u32 i, u32 missing)
{
	return i < vt->nr_params && vt->params[i] ? vt->params[i] : missing;
}

static void reply(struct vt *vt, const char *s)
{
	if (vt->reply)
		vt->reply(vt, s, strlen(s));
}

/* ---- control sequences ---- */

static void set_mode(struct vt *vt, u32 mode, bool on)
{
	if (vt->private_mark != '?') {
		if (mode == 4)
			vt->insert = on;
		else if (mode == 20)
			vt->newline_mode = on;
		return;
	}
	switch (mode) {
	case 1:
		vt->app_cursor = on;
		break;
	case 6:
		vt->cur.origin = on;
		vt_move_to(vt, 0, 0);
		break;
	case 7:
		vt->autowrap = on;
		vt->cur.wrap = false;
		break;
	case 25:
		vt->hide_cursor = !on;
		vt_mark(vt, vt->cur.y);
		break;
	case 2004:
		vt->bracketed = on;
		break;
	}
}

static void report(struct vt *vt)
{
	char s[32];
	u32 y = vt->cur.y - (vt->cur.origin ? vt->top : 0);

	if (param(vt, 0, 0) == 5)
		reply(vt, "\033[0n");
	if (param(vt, 0, 0) == 6) {
		snprintf(s, sizeof(s), "\033[%u;%uR", y + 1, vt->cur.x + 1);
		reply(vt, s);
	}
}

static void set_region(struct vt *vt)
{
	u32 top = param(vt, 0, 1), bottom = min(param(vt, 1, vt->rows), vt->rows);

	if (top >= bottom)
		return;
	vt->top = top - 1;
	vt->bottom = bottom;
	vt_move_to(vt, 0, 0);
}

static void clear_tabs(struct vt *vt)
{
	if (param(vt, 0, 0) == 3)
		memset(vt->tabs, 0, sizeof(vt->tabs));
	else if (param(vt, 0, 0) == 0)
		vt->tabs[vt->cur.x / 8] &= ~BIT(vt->cur.x % 8);
}

/* Lines move within the region only, and only when the cursor is in it. */
static void shift_lines(struct vt *vt, s32 n)
{
	if (vt->cur.y < vt->top || vt->cur.y >= vt->bottom)
		return;
	vt_scroll(vt, vt->cur.y, vt->bottom, n);
	vt->cur.x = 0;
	vt->cur.wrap = false;
}

static void erase_in_line(struct vt *vt)
{
	switch (param(vt, 0, 0)) {
	case 0:
		vt_erase(vt, vt->cur.y, vt->cur.x, vt->cols);
		break;
	case 1:
		vt_erase(vt, vt->cur.y, 0, vt->cur.x + 1);
		break;
	case 2:
		vt_erase(vt, vt->cur.y, 0, vt->cols);
		break;
	}
}

/* Up and down stop at the region's edge when they start inside it. */
static void move_vertically(struct vt *vt, s64 n)
{
	s64 first = vt->cur.y >= vt->top ? vt->top : 0;
	s64 last = vt->cur.y < vt->bottom ? (s64)vt->bottom - 1 : (s64)vt->rows - 1;
	s64 y = (s64)vt->cur.y + n;

	vt->cur.y = max(min(y, last), first);
	vt->cur.wrap = false;
}

static void move_horizontally(struct vt *vt, s64 n)
{
	s64 x = (s64)vt->cur.x + n;

	vt->cur.x = max(min(x, (s64)vt->cols - 1), (s64)0);
	vt->cur.wrap = false;
}

/* Row in origin mode's numbering, for sequences that change only the column. */
static s64 origin_row(const struct vt *vt)
{
	return (s64)vt->cur.y - (vt->cur.origin ? vt->top : 0);
}

static bool cursor_sequence(struct vt *vt, u8 final)
{
	u32 n = param(vt, 0, 1);

	switch (final) {
	case 'A':
		move_vertically(vt, -(s64)n);
		break;
	case 'B':
	case 'e':
		move_vertically(vt, n);
		break;
	case 'C':
	case 'a':
		move_horizontally(vt, n);
		break;
	case 'D':
		move_horizontally(vt, -(s64)n);
		break;
	case 'E':
		vt->cur.x = 0;
		move_vertically(vt, n);
		break;
	case 'F':
		vt->cur.x = 0;
		move_vertically(vt, -(s64)n);
		break;
	case 'G':
	case '`':
		vt_move_to(vt, (s64)n - 1, origin_row(vt));
		break;
	case 'H':
	case 'f':
		vt_move_to(vt, (s64)param(vt, 1, 1) - 1, (s64)n - 1);
		break;
	case 'd':
		vt_move_to(vt, vt->cur.x, (s64)n - 1);
		break;
	case 'I':
		for (n = min(n, vt->cols); n; n--)
			vt_tab(vt);
		break;
	case 'Z':
		for (n = min(n, vt->cols); n; n--)
			vt_back_tab(vt);
		break;
	case 's':
		vt_save_cursor(vt);
		break;
	case 'u':
		vt_restore_cursor(vt);
		break;
	default:
		return false;
	}
	return true;
}

static void edit_sequence(struct vt *vt, u8 final)
{
	u32 n = param(vt, 0, 1);

	switch (final) {
	case '@':
		vt_insert_chars(vt, n);
		break;
	case 'P':
		vt_delete_chars(vt, n);
		break;
	case 'X':
		vt_erase(vt, vt->cur.y, vt->cur.x, min(vt->cur.x + n, vt->cols));
		break;
	case 'J':
		if (param(vt, 0, 0) <= 3)
			vt_erase_display(vt, param(vt, 0, 0));
		break;
	case 'K':
		erase_in_line(vt);
		break;
	case 'L':
		shift_lines(vt, -(s32)n);
		break;
	case 'M':
		shift_lines(vt, n);
		break;
	case 'S':
		vt_scroll(vt, vt->top, vt->bottom, n);
		break;
	case 'T':
		vt_scroll(vt, vt->top, vt->bottom, -(s32)n);
		break;
	case 'c':
		if (!param(vt, 0, 0))
			reply(vt, "\033[?6c"); /* a VT102 */
		break;
	case 'g':
		clear_tabs(vt);
		break;
	case 'm':
		vt_set_graphics(vt, vt->params, max(vt->nr_params, 1u));
		break;
	case 'n':
		report(vt);
		break;
	case 'r':
		set_region(vt);
		break;
	}
}

static void csi_final(struct vt *vt, u8 final)
{
	vt->state = VT_GROUND;
	if (vt->intermediate)
		return;
	if (final == 'h' || final == 'l') {
		for (u32 i = 0; i < vt->nr_params; i++)
			set_mode(vt, vt->params[i], final == 'h');
		return;
	}
	if (vt->private_mark && final != 'J' && final != 'K')
		return;
	if (!cursor_sequence(vt, final))
		edit_sequence(vt, final);
}

static void csi_start(struct vt *vt)
{
	vt->state = VT_CSI;
	vt->private_mark = vt->intermediate = 0;
	vt->nr_params = 0;
	memset(vt->params, 0, sizeof(vt->params));
}

static void csi_byte(struct vt *vt, u8 c)
{
	if (c >= '0' && c <= '9') {
		u32 *p;

		if (!vt->nr_params)
			vt->nr_params = 1;
		p = &vt->params[vt->nr_params - 1];
		*p = min(*p * 10 + (c - '0'), (u32)PARAM_CAP);
	} else if (c == ';' || c == ':') {
		if (!vt->nr_params)
			vt->nr_params = 1;
		if (vt->nr_params == VT_MAX_PARAMS)
			vt->state = VT_CSI_IGNORE;
		else
			vt->nr_params++;
	} else if (c >= '<' && c <= '?') {
		vt->private_mark = c;
	} else if (c >= ' ' && c <= '/') {
		vt->intermediate = c;
	} else if (c >= '@' && c <= '~') {
		csi_final(vt, c);
	} else {
		vt->state = VT_GROUND;
	}
}

/* ---- escape sequences ---- */

static void escape_byte(struct vt *vt, u8 c)
{
	vt->state = VT_GROUND;
	switch (c) {
	case '[':
		csi_start(vt);
		break;
	case ']':
		vt->state = VT_OSC;
		vt->skip = 0;
		break;
	case 'P':
	case '^':
	case '_':
	case 'X':
		vt->state = VT_STRING;
		break;
	case '(':
		vt->state = VT_CHARSET0;
		break;
	case ')':
		vt->state = VT_CHARSET1;
		break;
	case '#':
		vt->state = VT_HASH;
		break;
	case '%':
		vt->state = VT_PERCENT;
		break;
	case '7':
		vt_save_cursor(vt);
		break;
	case '8':
		vt_restore_cursor(vt);
		break;
	case 'D':
		vt_line_feed(vt);
		break;
	case 'E':
		vt->cur.x = 0;
		vt_line_feed(vt);
		break;
	case 'M':
		vt_reverse_line_feed(vt);
		break;
	case 'H':
		vt->tabs[vt->cur.x / 8] |= BIT(vt->cur.x % 8);
		break;
	case 'Z':
		reply(vt, "\033[?6c");
		break;
	case 'c':
		vt_reset(vt);
		break;
	case '=':
	case '>':
		vt->app_keypad = c == '=';
		break;
	}
}

/* The linux terminal's own ESC ] P nrrggbb and ESC ] R have no terminator, unlike all others. */
static void osc_byte(struct vt *vt, u8 c)
{
	if (vt->skip++ == 0 && (c == 'P' || c == 'R')) {
		vt->state = c == 'P' ? VT_PALETTE : VT_GROUND;
		vt->skip = PALETTE_DIGITS;
	}
}

static void control(struct vt *vt, u8 c)
{
	switch (c) {
	case BEL:
		if (vt->state == VT_OSC)
			vt->state = VT_GROUND;
		break;
	case BS:
		if (vt->cur.x)
			vt->cur.x--;
		vt->cur.wrap = false;
		break;
	case HT:
		vt_tab(vt);
		break;
	case LF:
	case VTAB:
	case FF:
		if (vt->newline_mode)
			vt->cur.x = 0;
		vt_line_feed(vt);
		break;
	case CR:
		vt->cur.x = 0;
		vt->cur.wrap = false;
		break;
	case SO:
	case SI:
		vt->cur.charset = c == SO;
		break;
	case CAN:
	case SUB:
		vt->state = VT_GROUND;
		break;
	case ESC:
		vt->state = VT_ESCAPE;
		break;
	}
}

/* ---- UTF-8 (RFC 3629) ---- */

static void utf8_start(struct vt *vt, u8 c)
{
	if (c >= 0xc2 && c <= 0xdf) {
		vt->utf8_left = 1;
		vt->utf8_char = c & 0x1f;
		vt->utf8_min = 0x80;
	} else if (c >= 0xe0 && c <= 0xef) {
		vt->utf8_left = 2;
		vt->utf8_char = c & 0x0f;
		vt->utf8_min = 0x800;
	} else if (c >= 0xf0 && c <= 0xf4) {
		vt->utf8_left = 3;
		vt->utf8_char = c & 0x07;
		vt->utf8_min = 0x10000;
	} else {
		vt_put_char(vt, REPLACEMENT);
	}
}

static void utf8_continue(struct vt *vt, u8 c)
{
	u32 ch;

	vt->utf8_char = vt->utf8_char << 6 | (c & 0x3f);
	if (--vt->utf8_left)
		return;
	ch = vt->utf8_char;
	if (ch < vt->utf8_min || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff))
		ch = REPLACEMENT;
	if (ch == C1_CSI)
		csi_start(vt);
	else if (ch >= 0xa0)
		vt_put_char(vt, ch);
}

static void ground_byte(struct vt *vt, u8 c)
{
	if (vt->utf8_left) {
		if ((c & 0xc0) == 0x80) {
			utf8_continue(vt, c);
			return;
		}
		vt->utf8_left = 0;
		vt_put_char(vt, REPLACEMENT);
	}
	if (c < DEL)
		vt_put_char(vt, c);
	else if (c > DEL)
		utf8_start(vt, c);
}

static void one_byte(struct vt *vt, u8 c)
{
	if (c < ' ') {
		if (vt->utf8_left) {
			vt->utf8_left = 0;
			vt_put_char(vt, REPLACEMENT);
		}
		control(vt, c);
		return;
	}
	switch (vt->state) {
	case VT_GROUND:
		ground_byte(vt, c);
		break;
	case VT_ESCAPE:
		escape_byte(vt, c);
		break;
	case VT_CSI:
		csi_byte(vt, c);
		break;
	case VT_CSI_IGNORE:
		if (c >= '@' && c <= '~')
			vt->state = VT_GROUND;
		break;
	case VT_OSC:
		osc_byte(vt, c);
		break;
	case VT_PALETTE:
		if (--vt->skip == 0)
			vt->state = VT_GROUND;
		break;
	case VT_CHARSET0:
	case VT_CHARSET1:
		vt->cur.graphics[vt->state - VT_CHARSET0] = c == '0';
		vt->state = VT_GROUND;
		break;
	case VT_HASH:
		if (c == '8')
			vt_fill(vt, 'E');
		vt->state = VT_GROUND;
		break;
	case VT_PERCENT: /* the character set is always UTF-8 */
		vt->state = VT_GROUND;
		break;
	}
}

void vt_write(struct vt *vt, const u8 *p, size_t n)
{
	u32 old = vt->cur.y;

	for (size_t i = 0; i < n; i++)
		one_byte(vt, p[i]);
	/* the cursor is drawn with its row */
	vt_mark(vt, old);
	vt_mark(vt, vt->cur.y);
}
