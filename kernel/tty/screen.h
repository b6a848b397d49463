/* SPDX-License-Identifier: MIT */
/* screen.h - the two kinds of screen, behind one call. */
#pragma once

#include <weft/types.h>

struct screen_hw {
	u32 cols, rows;
	/* Shows cell (vt.h) at a place. One caller at a time, any context. */
	void (*draw)(const struct screen_hw *hw, u32 x, u32 y, u32 cell, bool cursor);
	/* fixed once set up */
	u8 *mem;
	u32 pitch, bytes; /* of a line, of a pixel */
	u32 palette[16];  /* pixels, for the linear kind */
};

/* From boot_info: false without a screen that can be used. Process context. */
bool screen_hw_init(struct screen_hw *hw);
