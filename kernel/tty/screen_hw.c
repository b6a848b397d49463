/* SPDX-License-Identifier: MIT */
/* screen_hw.c - putting one character on the screen that the boot loader left: an RGB framebuffer,
 * drawn with the built-in font, or EGA text. */

#include "screen.h"

#include "font.h"
#include "vt.h"

#include <weft/alloc.h>
#include <weft/arch.h>
#include <weft/string.h>

#define FB_RGB 1
#define FB_TEXT 2

/* CRT controller (IBM VGA technical reference): the cursor's start line, bit 5 switches it off */
#define CRTC_INDEX 0x3d4
#define CRTC_DATA 0x3d5
#define CRTC_CURSOR_START 0x0a
#define CRTC_CURSOR_OFF 0x20

/* ECMA-48's colour order, intensities of the VGA's default palette */
static const u8 rgb[16][3] = {
	{ 0, 0, 0 },	 { 170, 0, 0 },	   { 0, 170, 0 },    { 170, 85, 0 },
	{ 0, 0, 170 },	 { 170, 0, 170 },  { 0, 170, 170 },  { 170, 170, 170 },
	{ 85, 85, 85 },	 { 255, 85, 85 },  { 85, 255, 85 },  { 255, 255, 85 },
	{ 85, 85, 255 }, { 255, 85, 255 }, { 85, 255, 255 }, { 255, 255, 255 },
};

static void draw_text(const struct screen_hw *hw, u32 x, u32 y, u32 cell, bool cursor)
{
	/* EGA counts blue, green, red where ECMA-48 counts red, green, blue */
	static const u8 ega[8] = { 0, 4, 2, 6, 1, 5, 3, 7 };
	u32 fg = VT_CELL_FG(cell), bg = VT_CELL_BG(cell);
	u8 attr = ega[fg & 7] | (fg & 8) | ega[bg & 7] << 4;

	if (cursor)
		attr = (attr & 0x70) >> 4 | (attr & 0x07) << 4;
	if (cursor && (attr >> 4) == (attr & 7))
		attr = 0x70;
	*(volatile u16 *)(hw->mem + y * hw->pitch + x * 2) = attr << 8 |
							     font_cp437(VT_CELL_CHAR(cell));
}

/* A row of eight pixels; stores as wide as the format allows. */
static void draw_pixels(const struct screen_hw *hw, u8 *p, u8 bits, u32 fg, u32 bg)
{
	for (u32 i = 0; i < FONT_WIDTH; i++, p += hw->bytes) {
		u32 pixel = bits & (0x80 >> i) ? fg : bg;

		if (hw->bytes == 4) {
			*(volatile u32 *)p = pixel;
		} else {
			*(volatile u16 *)p = pixel;
			if (hw->bytes == 3)
				*(volatile u8 *)(p + 2) = pixel >> 16;
		}
	}
}

static void draw_rgb(const struct screen_hw *hw, u32 x, u32 y, u32 cell, bool cursor)
{
	const u8 *glyph = font_glyph(VT_CELL_CHAR(cell));
	u32 fg = hw->palette[VT_CELL_FG(cell)], bg = hw->palette[VT_CELL_BG(cell)];
	u8 *p = hw->mem + (u64)y * FONT_HEIGHT * hw->pitch + (u64)x * FONT_WIDTH * hw->bytes;

	for (u32 i = 0; i < FONT_HEIGHT; i++, p += hw->pitch) {
		u8 bits = glyph[i];

		if (i == FONT_HEIGHT - 2 && VT_CELL_UNDERLINE(cell))
			bits = 0xff;
		if (cursor && i >= FONT_HEIGHT - 3)
			bits = 0xff;
		draw_pixels(hw, p, bits, fg, bg);
	}
}

static u32 make_pixel(const u8 *c)
{
	u32 r = c[0], g = c[1], b = c[2];

	if (boot_info.fb.bpp == 16) { /* 5, 6 and 5 bits */
		r >>= 3;
		g >>= 2;
		b >>= 3;
	}
	return r << boot_info.fb.red_pos | g << boot_info.fb.green_pos | b << boot_info.fb.blue_pos;
}

bool screen_hw_init(struct screen_hw *hw)
{
	u32 width = boot_info.fb.width, height = boot_info.fb.height;

	if (boot_info.fb.kind != FB_RGB && boot_info.fb.kind != FB_TEXT)
		return false;
	*hw = (struct screen_hw){ .pitch = boot_info.fb.pitch, .bytes = boot_info.fb.bpp / 8 };
	if (boot_info.fb.kind == FB_RGB) {
		hw->draw = draw_rgb;
		hw->cols = min(width / FONT_WIDTH, (u32)VT_MAX_COLS);
		hw->rows = min(height / FONT_HEIGHT, (u32)VT_MAX_ROWS);
		for (u32 i = 0; i < 16; i++)
			hw->palette[i] = make_pixel(rgb[i]);
	} else {
		hw->draw = draw_text;
		hw->cols = min(width, (u32)VT_MAX_COLS);
		hw->rows = min(height, (u32)VT_MAX_ROWS);
		height = hw->rows;
		outb(CRTC_INDEX, CRTC_CURSOR_START);
		outb(CRTC_DATA, CRTC_CURSOR_OFF);
	}
	if (!hw->cols || !hw->rows)
		return false;
	hw->mem = ioremap(boot_info.fb.addr, (size_t)hw->pitch * height);
	return hw->mem != NULL;
}
