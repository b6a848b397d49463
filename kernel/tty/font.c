/* SPDX-License-Identifier: MIT */
/* font.c - look-up in the tables that scripts/gen-font makes from GNU Unifont at build time. */

#include "font.h"

#include "font_data.h" /* generated */

#define REPLACEMENT 0xfffd

/* Codes are in ascending order; -1: not there. */
static int find(u32 ch)
{
	u32 lo = 0, hi = ARRAY_SIZE(font_codes);

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (font_codes[mid] == ch)
			return mid;
		if (font_codes[mid] < ch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

const u8 *font_glyph(u32 ch)
{
	int i = ch <= 0x7e ? (int)ch - 0x20 : find(ch);

	if (i < 0)
		i = find(REPLACEMENT);
	return font_rows[max(i, 0)];
}

u8 font_cp437(u32 ch)
{
	if (ch >= 0x20 && ch <= 0x7e)
		return ch;
	for (u32 i = 0; i < ARRAY_SIZE(cp437_upper); i++) {
		if (cp437_upper[i] == ch)
			return 128 + i;
	}
	return '?';
}
