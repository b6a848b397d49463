/* SPDX-License-Identifier: MIT */
/* keymap.c - a US keyboard, scancode set 1 (IBM PS/2 technical reference, keyboard section), and
 * the sequences of the "linux" terminal for its function keys. */

#include "keymap.h"

#include <weft/string.h>

#define RELEASED 0x80
#define ESC "\033"

enum {
	SC_CTRL = 0x1d,
	SC_LSHIFT = 0x2a,
	SC_RSHIFT = 0x36,
	SC_ALT = 0x38,
	SC_CAPS = 0x3a,
	SC_F1 = 0x3b,
	SC_F10 = 0x44,
	SC_NUM = 0x45,
	SC_SCROLL = 0x46,
	SC_KP_FIRST = 0x47,
	SC_KP_DEL = 0x53,
	SC_F11 = 0x57,
	SC_F12 = 0x58,
	SC_TAB = 0x0f,
	SC_SLASH = 0x35,
	SC_ENTER = 0x1c,
};

static const char plain[0x3a] =
	"\0\0331234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[0x3a] =
	"\0\033!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static const char *const function_keys[12] = {
	ESC "[[A",  ESC "[[B",	ESC "[[C",  ESC "[[D",	ESC "[[E",  ESC "[17~",
	ESC "[18~", ESC "[19~", ESC "[20~", ESC "[21~", ESC "[23~", ESC "[24~",
};

/* The keypad from 0x47 on: as digits, and as what is printed below them (also the grey keys). */
static const char keypad_digits[] = "789-456+1230.";
static const char *const keypad_keys[13] = {
	ESC "[1~", ESC "[A",  ESC "[5~", "-",	    ESC "[D",  ESC "[G",  ESC "[C",
	"+",	   ESC "[4~", ESC "[B",	 ESC "[6~", ESC "[2~", ESC "[3~",
};

static u32 emit(u8 *out, const char *s, bool alt)
{
	u32 n = 0, len = strlen(s);

	if (alt)
		out[n++] = 033;
	memcpy(out + n, s, len);
	return n + len;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What Ctrl makes of a character; 0xff: nothing. */
static u8 control_of(char c)
{
	if (is_letter(c) || (c >= '[' && c <= '_') || c == '@')
		return c & 0x1f;
	switch (c) {
	case ' ':
	case '2':
		return 0;
	case '6':
		return 0x1e;
	case '-':
	case '/':
	case '?':
		return 0x1f;
	case '\r':
	case '\t':
	case 033:
		return c;
	case 0x7f:
		return '\b';
	}
	return 0xff;
}

static enum key_event modifier(struct keyboard *k, u8 key, bool down, bool extended)
{
	switch (key) {
	case SC_CTRL:
		*(extended ? &k->ctrl_right : &k->ctrl_left) = down;
		break;
	case SC_ALT:
		*(extended ? &k->alt_gr : &k->alt) = down;
		break;
	case SC_LSHIFT: /* with e0 it only wraps the grey keys */
		if (!extended)
			k->shift_left = down;
		break;
	case SC_RSHIFT:
		if (!extended)
			k->shift_right = down;
		break;
	case SC_CAPS:
		k->caps ^= down;
		return down ? KEY_LEDS : KEY_NOTHING;
	case SC_NUM:
		k->num ^= down;
		return down ? KEY_LEDS : KEY_NOTHING;
	}
	return KEY_NOTHING;
}

static bool is_modifier(u8 key)
{
	return key == SC_CTRL || key == SC_ALT || key == SC_LSHIFT || key == SC_RSHIFT ||
	       key == SC_CAPS || key == SC_NUM;
}

static enum key_event keypad(struct keyboard *k, u8 key, bool extended, u8 *out, u32 *n)
{
	u32 i = key - SC_KP_FIRST;
	bool alt = k->alt || k->alt_gr;
	const char *s = keypad_keys[i];
	char digit[2] = { keypad_digits[i], 0 };
	char cursor[4] = ESC "O";

	if (key == SC_KP_DEL && (k->ctrl_left || k->ctrl_right) && alt)
		return KEY_REBOOT;
	if (!extended && k->num && !k->shift_left && !k->shift_right)
		s = digit;
	if (k->app_cursor && s[0] == 033 && s[2] >= 'A' && s[2] <= 'D') {
		cursor[2] = s[2];
		s = cursor;
	}
	*n = emit(out, s, alt);
	return KEY_TEXT;
}

static enum key_event character(struct keyboard *k, u8 key, u8 *out, u32 *n)
{
	bool shift = k->shift_left || k->shift_right, alt = k->alt || k->alt_gr;
	char c = plain[key], s[2] = { 0 };

	if (!c)
		return KEY_NOTHING;
	if (shift && c == '\t') {
		*n = emit(out, ESC "[Z", alt);
		return KEY_TEXT;
	}
	if (shift != (k->caps && is_letter(c)))
		c = shifted[key];
	if (k->ctrl_left || k->ctrl_right) {
		u8 ctrl = control_of(c);

		if (ctrl == 0xff)
			return KEY_NOTHING;
		*n = 0;
		if (alt)
			out[(*n)++] = 033;
		out[(*n)++] = ctrl;
		return KEY_TEXT;
	}
	s[0] = c;
	*n = emit(out, s, alt);
	return KEY_TEXT;
}

enum key_event keyboard_scancode(struct keyboard *k, u8 code, u8 out[KEY_OUTPUT_MAX], u32 *n)
{
	bool extended = k->extended, down = !(code & RELEASED);
	u8 key = code & ~RELEASED;

	*n = 0;
	if (k->skip) {
		k->skip--;
		return KEY_NOTHING;
	}
	if (code == 0xe1) { /* Pause: e1 1d 45 e1 9d c5 */
		k->skip = 2;
		return KEY_NOTHING;
	}
	k->extended = code == 0xe0;
	if (k->extended)
		return KEY_NOTHING;
	if (is_modifier(key))
		return modifier(k, key, down, extended);
	if (!down)
		return KEY_NOTHING;
	if (key >= SC_KP_FIRST && key <= SC_KP_DEL)
		return keypad(k, key, extended, out, n);
	if (key >= SC_F1 && key <= SC_F10) {
		*n = emit(out, function_keys[key - SC_F1], k->alt || k->alt_gr);
		return KEY_TEXT;
	}
	if (key == SC_F11 || key == SC_F12) {
		*n = emit(out, function_keys[10 + (key - SC_F11)], k->alt || k->alt_gr);
		return KEY_TEXT;
	}
	if (key >= sizeof(plain) || (extended && key != SC_SLASH && key != SC_ENTER))
		return KEY_NOTHING;
	return character(k, key, out, n);
}
