/* SPDX-License-Identifier: MIT */
/* font.h - the screen's built-in font: 8x16 bitmaps, and what a text-mode screen has instead. */
#pragma once

#include <weft/types.h>

#define FONT_WIDTH 8
#define FONT_HEIGHT 16

/* 16 rows, leftmost pixel in bit 7. A character without a picture gets the replacement's. */
const u8 *font_glyph(u32 ch);
/* The code-page-437 byte of a character, '?' where there is none. */
u8 font_cp437(u32 ch);
